package exif_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bep/imagemeta"

	"github.com/roadcomb/roadcomb/ingest/exif"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// shared is a path in the shared test data; the test is skipped where that is absent.
func shared(t testing.TB, elem ...string) string {
	t.Helper()
	root := os.Getenv("ROADCOMB_SHARED")
	if root == "" {
		root = "../../../shared"
	}
	p := filepath.Join(append([]string{root, "data"}, elem...)...)
	if _, err := os.Stat(p); err != nil {
		t.Skipf("shared test data is absent: %v", err)
	}
	return p
}

func read(t testing.TB, elem ...string) exif.Meta {
	t.Helper()
	b, err := os.ReadFile(shared(t, elem...))
	if err != nil {
		t.Fatal(err)
	}
	m, err := exif.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func ExampleRead() {
	var b bytes.Buffer
	jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 40, 30)), nil)
	m, err := exif.Read(b.Bytes())
	fmt.Println(m.Width, m.Height, m.GPS.HasPoint, err)
	// Output: 40 30 false <nil>
}

func TestArezzoHasPositionAndBothClocks(t *testing.T) {
	m := read(t, "exif-sequence-arezzo", "DSCN0010.jpg")
	if m.Make != "NIKON" || m.Model != "COOLPIX P6000" || m.Width != 640 || m.Height != 480 || m.Orientation != 1 || !m.Complete {
		t.Errorf("%+v", m)
	}
	if !m.GPS.HasPoint || math.Abs(m.GPS.Point.Lat-43.46745) > 1e-4 || math.Abs(m.GPS.Point.Lon-11.88513) > 1e-4 {
		t.Errorf("point %v", m.GPS.Point)
	}
	// The file's GPS date is one day ahead of its camera's; the time of day is two hours and 92 seconds behind.
	if off := m.Taken.Sub(m.GPS.Time) + 24*time.Hour; m.HasZone || off < 2*time.Hour+time.Minute || off > 2*time.Hour+3*time.Minute {
		t.Errorf("camera %v, GPS %v", m.Taken, m.GPS.Time)
	}
}

func TestLundHasPositionButNoTime(t *testing.T) {
	m := read(t, "exif-sequence-lund", "01.jpg")
	if m.HasTaken || !m.GPS.Time.IsZero() || !m.GPS.HasPoint || m.GPS.HasHeading || m.Make != "" || !m.GPS.HasAlt || m.GPS.DOP == 0 {
		t.Errorf("%+v", m)
	}
}

func TestABrokenDirectoryStillGivesTheGoodTags(t *testing.T) {
	broken, fixed := read(t, "exif-malformed", "corrupt_exif.jpg"), read(t, "exif-malformed", "fixed_exif.jpg")
	if !broken.GPS.HasPoint || broken.GPS.Point != fixed.GPS.Point || broken.Model != "ONEPLUS A3003" {
		t.Errorf("broken %+v\nfixed %+v", broken.GPS, fixed.GPS)
	}
}

// TestAgreesWithImagemeta reads every shared JPEG with an independent reader. It only compares positions where the
// other reader names the tag, because its GetLatLong gives 0°, 0° without error when there is none.
func TestAgreesWithImagemeta(t *testing.T) {
	var compared int
	err := filepath.WalkDir(shared(t), func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.EqualFold(filepath.Ext(p), ".jpg") {
			return err
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		m, err := exif.Read(b)
		if err != nil {
			t.Errorf("%s: %v", p, err)
			return nil
		}
		var tags imagemeta.Tags
		_, err = imagemeta.Decode(imagemeta.Options{R: bytes.NewReader(b), ImageFormat: imagemeta.JPEG, Sources: imagemeta.EXIF,
			HandleTag: func(ti imagemeta.TagInfo) error { tags.Add(ti); return nil }, Warnf: func(string, ...any) {}})
		if err != nil {
			return nil // the other reader gives up on damaged blocks
		}
		if _, ok := tags.EXIF()["GPSLatitude"]; !ok {
			if m.GPS.HasPoint && !m.GPS.XMP {
				t.Errorf("%s: a position that the other reader does not see: %v", p, m.GPS.Point)
			}
			return nil
		}
		lat, lon, err := tags.GetLatLong()
		if err != nil || (lat == 0 && lon == 0 && !m.GPS.HasPoint) { // its answer for coordinates of 0/0
			return nil
		}
		compared++
		if !m.GPS.HasPoint || math.Abs(lat-m.GPS.Point.Lat) > 1e-7 || math.Abs(lon-m.GPS.Point.Lon) > 1e-7 {
			t.Errorf("%s: %v, other reader %v,%v", p, m.GPS.Point, lat, lon)
		}
		return nil
	})
	if err != nil || compared < 40 {
		t.Fatalf("%d files compared, %v", compared, err)
	}
}

// tag is a directory entry with its four value bytes, or an offset to data.
type tag struct {
	id, typ uint16
	count   uint32
	val     [4]byte
}

func u32(n uint32) (v [4]byte) { binary.LittleEndian.PutUint32(v[:], n); return v }

// file makes a JPEG around a little-endian TIFF block of one directory at offset 8, followed by data.
func file(tags []tag, data []byte) []byte {
	b := []byte("II*\x00\x08\x00\x00\x00")
	b = binary.LittleEndian.AppendUint16(b, uint16(len(tags)))
	for _, x := range tags {
		b = binary.LittleEndian.AppendUint16(b, x.id)
		b = binary.LittleEndian.AppendUint16(b, x.typ)
		b = binary.LittleEndian.AppendUint32(b, x.count)
		b = append(b, x.val[:]...)
	}
	b = append(b, 0, 0, 0, 0)
	return wrap(append(b, data...), 20, 10)
}

func wrap(tiff []byte, w, h uint16) []byte {
	out := []byte{0xff, 0xd8, 0xff, 0xe1}
	out = binary.BigEndian.AppendUint16(out, uint16(8+len(tiff)))
	out = append(append(out, "Exif\x00\x00"...), tiff...)
	out = append(out, 0xff, 0xc0, 0, 11, 8)
	out = binary.BigEndian.AppendUint16(out, h)
	out = binary.BigEndian.AppendUint16(out, w)
	out = append(out, 1, 1, 0x11, 0, 0xff, 0xda, 0, 2, 0xff, 0xd9)
	return out
}

func TestHostileBlocksAreReadInBoundedTime(t *testing.T) {
	many := make([]tag, 65535/12)
	for name, b := range map[string][]byte{
		"absurd count":           file([]tag{{0x010f, 2, 0xffffffff, u32(8)}}, nil),
		"offset past the end":    file([]tag{{0x010f, 2, 100, u32(1 << 31)}}, nil),
		"directory that loops":   file([]tag{{0x8769, 4, 1, u32(8)}, {0x8825, 4, 1, u32(8)}}, nil),
		"type that is not known": file([]tag{{0x0112, 99, 1, u32(3)}}, nil),
		"directory at the end":   file([]tag{{0x8769, 4, 1, u32(25)}}, nil),
		"thousands of entries":   file(many[:5000], nil),
		"zero denominators":      file([]tag{{0x8825, 4, 1, u32(26)}}, append([]byte{2, 0, 2, 0, 5, 0, 3, 0, 0, 0, 52, 0, 0, 0, 4, 0, 5, 0, 3, 0, 0, 0, 52, 0, 0, 0}, make([]byte, 48)...)),
	} {
		m, err := exif.Read(b)
		if err != nil || m.Width != 20 || m.Height != 10 {
			t.Errorf("%s: %+v %v", name, m, err)
		}
		if m.GPS.HasPoint {
			t.Errorf("%s: made up the position %v", name, m.GPS.Point)
		}
		if len(m.Make) > 256 {
			t.Errorf("%s: %d bytes of text", name, len(m.Make))
		}
	}
}

func TestFilesThatAreNoJPEGOrBrokenAreToldApart(t *testing.T) {
	whole := file(nil, nil)
	for name, c := range map[string]struct {
		b    []byte
		kind survey.Kind
	}{
		"empty":                {nil, survey.Unsupported},
		"text":                 {[]byte("hello"), survey.Unsupported},
		"only the start":       {whole[:3], survey.Invalid},
		"cut in the block":     {whole[:20], survey.Invalid},
		"no frame header":      {[]byte{0xff, 0xd8, 0xff, 0xda, 0, 2}, survey.Invalid},
		"zero pixels":          {wrap(nil, 0, 0), survey.Invalid},
		"rubbish after marker": {[]byte{0xff, 0xd8, 0xff, 0xe0, 0, 2, 1, 2, 3, 4}, survey.Invalid},
	} {
		if _, err := exif.Read(c.b); survey.KindOf(err) != c.kind || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if m, err := exif.Read(whole[:len(whole)-1]); err != nil || m.Complete {
		t.Errorf("a file without its end counts as complete: %v %v", m.Complete, err)
	}
}

func TestXMPFillsInWhatEXIFLacks(t *testing.T) {
	packet := `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
	<rdf:Description xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:GPSLatitude="55,42.252S" exif:GPSAltitude="123/10">
	<exif:GPSLongitude>13,11,30E</exif:GPSLongitude><exif:GPSTimeStamp>2024-05-10T02:10:44.5Z</exif:GPSTimeStamp></rdf:Description></rdf:RDF></x:xmpmeta>`
	body := "http://ns.adobe.com/xap/1.0/\x00" + packet
	b := append([]byte{0xff, 0xd8, 0xff, 0xe1}, byte((len(body)+2)>>8), byte(len(body)+2))
	b = append(append(b, body...), file(nil, nil)[2:]...)
	m, err := exif.Read(b)
	g := m.GPS
	if err != nil || !g.HasPoint || !g.XMP || math.Abs(g.Point.Lat+55.7042) > 1e-9 || math.Abs(g.Point.Lon-13.19166667) > 1e-6 ||
		g.Alt != 12.3 || !g.Time.Equal(time.Date(2024, 5, 10, 2, 10, 44, 5e8, time.UTC)) {
		t.Fatalf("%+v %v", g, err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(file([]tag{{0x8825, 4, 1, u32(8)}, {0x010f, 2, 4, [4]byte{'A', 'c', 'm', 'e'}}}, nil))
	for _, dir := range []string{"exif-malformed", "exif-sequence-arezzo", "exif-sequence-lund"} {
		names, _ := filepath.Glob(filepath.Join("../../../shared/data", dir, "*.jpg"))
		for _, n := range names[:min(len(names), 4)] {
			if b, err := os.ReadFile(n); err == nil {
				f.Add(b[:min(len(b), 16<<10)])
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := exif.Read(b)
		if err != nil {
			if k := survey.KindOf(err); k != survey.Invalid && k != survey.Unsupported {
				t.Fatalf("kind %v: %v", k, err)
			}
			return
		}
		if m.Width <= 0 || m.Height <= 0 || m.Orientation < 0 || m.Orientation > 8 || len(m.Make) > 256 || len(m.Model) > 256 {
			t.Fatalf("%+v", m)
		}
		if g := m.GPS; g.HasPoint && (math.IsNaN(g.Point.Lat) || math.IsInf(g.Point.Lon, 0)) || g.HasHeading && !(g.Heading >= 0 && g.Heading < 360) {
			t.Fatalf("%+v", g)
		}
	})
}

// FuzzXMP reads packets alone: inside an image the fuzzer seldom gets to them.
func FuzzXMP(f *testing.F) {
	f.Add([]byte(`<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:GPSLatitude="55,42.252S" exif:GPSAltitude="123/10" exif:GPSAltitudeRef="1" exif:GPSImgDirection="-3600/10" exif:GPSDOP="1/0"><exif:GPSLongitude>13,11,30E</exif:GPSLongitude><exif:GPSTimeStamp>2024-05-10T02:10:44.5Z</exif:GPSTimeStamp><exif:DateTimeOriginal>2024-05-10T02:10:44.5</exif:DateTimeOriginal></rdf:Description></rdf:RDF></x:xmpmeta>`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := exif.XMP(b)
		g := m.GPS
		if g.HasPoint && (math.IsNaN(g.Point.Lat) || math.IsInf(g.Point.Lon, 0)) || g.HasAlt && !(math.Abs(float64(g.Alt)) < 20000) || g.HasHeading && !(g.Heading >= 0 && g.Heading < 360) || !(g.DOP >= 0 && g.DOP < 1000) {
			t.Fatalf("%+v", g)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	var files [][]byte
	names, _ := filepath.Glob(filepath.Join(shared(b, "exif-sequence-arezzo"), "*.jpg"))
	for _, n := range names {
		f, err := os.ReadFile(n)
		if err != nil {
			b.Fatal(err)
		}
		files = append(files, f)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if _, err := exif.Read(files[n%len(files)]); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "images/s")
}

// BenchmarkFolder reads the metadata of a folder of 2,000 photographs, files and all, on every core. ROADCOMB_BENCH_FOLDER
// names another folder, such as the one that a peer was given.
func BenchmarkFolder(b *testing.B) {
	dir := os.Getenv("ROADCOMB_BENCH_FOLDER")
	if dir == "" {
		dir = b.TempDir()
		names, _ := filepath.Glob(filepath.Join(shared(b, "exif-sequence-arezzo"), "*.jpg"))
		for i := range 2000 {
			body, err := os.ReadFile(names[i%len(names)])
			if err != nil {
				b.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%05d.jpg", i)), body, 0o600); err != nil {
				b.Fatal(err)
			}
		}
	}
	names, _ := filepath.Glob(filepath.Join(dir, "*.jpg"))
	var placed atomic.Int64
	n := 0
	for b.Loop() {
		var next atomic.Int64
		var wg sync.WaitGroup
		for range runtime.GOMAXPROCS(0) {
			wg.Go(func() {
				for i := next.Add(1) - 1; i < int64(len(names)); i = next.Add(1) - 1 {
					body, err := os.ReadFile(names[i])
					if err != nil {
						b.Error(err)
						return
					}
					if m, err := exif.Read(body); err == nil && m.GPS.HasPoint {
						placed.Add(1)
					}
				}
			})
		}
		wg.Wait()
		n += len(names)
	}
	if placed.Load() == 0 {
		b.Fatal("no image was placed")
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "images/s")
}
