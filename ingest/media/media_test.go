package media_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/roadcomb/roadcomb/ingest/media"
	"github.com/roadcomb/roadcomb/ingest/trace"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

func shared(t testing.TB, elem ...string) []byte {
	t.Helper()
	root := os.Getenv("ROADCOMB_SHARED")
	if root == "" {
		root = "../../../shared"
	}
	b, err := os.ReadFile(filepath.Join(append([]string{root, "data"}, elem...)...))
	if err != nil {
		t.Skipf("shared test data is absent: %v", err)
	}
	return b
}

func ExampleRead() {
	// Two positions in the packets of a CAMM track.
	b := film("camm", packets(2), time.Second)
	f, err := media.Read(bytes.NewReader(b), int64(len(b)))
	fmt.Println(f.Format, f.Fixes[1].At, f.Fixes[1].Point, err)
	// Output: camm 1s 48.0001000,11.0000000 <nil>
}

func TestKarmaHasTheFixesThatExiftoolFinds(t *testing.T) {
	b := shared(t, "gopro", "karma.mp4")
	f, err := media.Read(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if f.Format != "gpmf" || f.Model != "GoPro Karma v1.0" || f.Width != 854 || f.Height != 480 || len(f.Fixes) != 47 || f.Duration.Round(100*time.Millisecond) != 12100*time.Millisecond {
		t.Fatalf("%+v, %d fixes", f, len(f.Fixes))
	}
	c := f.Clean(trace.Gate{})
	if d := geo.Distance(f.Fixes[0].Point, geo.Point{Lat: 33.1254, Lon: -117.33}); d > 200 || c.Fixes != 47 {
		t.Errorf("%.0f m off, %d fixes kept", float64(d), c.Fixes)
	}
	if d := c.Start.Sub(f.Created); d < -time.Second || d > time.Second || !c.GPS {
		t.Errorf("starts at %v by GPS, %v by its header", c.Start, f.Created)
	}
	plan := c.Plan(f.Duration)
	if len(plan) < 8 || len(plan) > 12 {
		t.Errorf("%v", plan)
	}
	for i := 1; i < len(plan); i++ {
		a, _ := c.At(plan[i-1])
		z, _ := c.At(plan[i])
		if d := geo.Distance(a.Point, z.Point); d < media.Step || d > media.Step+1 {
			t.Errorf("frames %d and %d are %.2f m apart", i-1, i, float64(d))
		}
	}
	m, err := mp4.DecodeFile(bytes.NewReader(b), mp4.WithDecodeMode(mp4.DecModeLazyMdat))
	if err != nil {
		t.Fatal(err)
	}
	if mv := m.Moov.Mvhd; time.Duration(mv.Duration)*time.Second/time.Duration(mv.Timescale) != f.Duration {
		t.Errorf("another reader says %d/%d", mv.Duration, mv.Timescale)
	}
}

func TestPayloadsOfManyGoPros(t *testing.T) {
	for _, c := range []struct {
		name  string
		fixes int
		kind  survey.FixKind
		at    string
	}{
		{"hero5", 18, survey.Fix3D, "2017-04-17T17:31:03"}, {"hero6", 17, survey.FixNone, "2018-01-24T19:28:01"},
		{"hero6+ble", 18, survey.FixNone, "2018-03-23T22:51:39"}, {"Fusion", 19, survey.Fix3D, "2018-03-23T17:25:37"},
		{"hero7", 308, survey.Fix3D, "2019-01-03T16:33:34"}, {"hero11", 110, survey.Fix3D, "2022-09-20T13:29:36"}, {"karma", 4, survey.Fix3D, "2017-04-17T19:27:57"},
	} {
		fs := media.GPMF(shared(t, "gopro", "gpmf-payloads", c.name+".raw"), 0, time.Second)
		if len(fs) != c.fixes {
			t.Errorf("%s: %d fixes, want %d", c.name, len(fs), c.fixes)
			continue
		}
		if f := fs[0]; f.Kind != c.kind || f.Time.Format("2006-01-02T15:04:05") != c.at || !f.Point.Valid() || f.Point.IsNull() {
			t.Errorf("%s: %+v", c.name, f)
		}
	}
}

var (
	box, be, moov, film = testkit.Box, testkit.BE, testkit.Moov, testkit.Film
	ftyp                = testkit.Ftyp
)

func f64(b []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
}
func f32(b []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(v)))
}

// packets are CAMM type 6, 11 m apart going north at 11 m/s from 2024-05-10 02:00:00 UTC.
func packets(n int) (out [][]byte) {
	gps := time.Date(2024, 5, 10, 2, 0, 18, 0, time.UTC).Sub(time.Date(1980, 1, 6, 0, 0, 0, 0, time.UTC)).Seconds()
	for i := range n {
		b := []byte{0, 0, 6, 0}
		b = f64(b, gps+float64(i))
		b = binary.LittleEndian.AppendUint32(b, 3)
		b = f64(f64(b, 48+0.0001*float64(i)), 11)
		for _, v := range []float64{500, 2.5, 3, 0, 11.1, 0, 0.5} {
			b = f32(b, v)
		}
		out = append(out, b)
	}
	return out
}

func TestCAMM(t *testing.T) {
	b := film("camm", packets(20), time.Second)
	f, err := media.Read(bytes.NewReader(b), int64(len(b)))
	if err != nil || f.Format != "camm" || len(f.Fixes) != 20 {
		t.Fatalf("%+v %v", f, err)
	}
	x := f.Fixes[19]
	if x.At != 19*time.Second || !x.Time.Equal(time.Date(2024, 5, 10, 2, 0, 19, 0, time.UTC)) || x.Accuracy != 2.5 || math.Abs(float64(x.Speed)-11.1) > 1e-3 || x.Heading != 0 || !x.HasHeading || x.Kind != survey.Fix3D {
		t.Errorf("%+v", x)
	}
	// Type 5, and a writer that counts from 1970.
	min := [][]byte{f64(f64(f64([]byte{0, 0, 5, 0}, 48), 11), 500), f64(f64(f64([]byte{0, 0, 5, 0}, 48.001), 11), 500)}
	b = film("camm", min, time.Second)
	if f, err = media.Read(bytes.NewReader(b), int64(len(b))); err != nil || len(f.Fixes) != 2 || f.Fixes[1].Point.Lat != 48.001 || f.Clean(trace.Gate{}).GPS {
		t.Errorf("%+v %v", f, err)
	}
	unix := packets(1)
	copy(unix[0][4:], f64(nil, float64(time.Date(2024, 5, 10, 2, 0, 5, 0, time.UTC).Unix())))
	b = film("camm", unix, time.Second)
	if f, _ = media.Read(bytes.NewReader(b), int64(len(b))); !f.Fixes[0].Time.Equal(time.Date(2024, 5, 10, 2, 0, 5, 0, time.UTC)) {
		t.Errorf("%v", f.Fixes[0].Time)
	}
}

func nmea(s string) string {
	var sum byte
	for i := range len(s) {
		sum ^= s[i]
	}
	return fmt.Sprintf("$%s*%02X", s, sum)
}

// blackvueFilm has n seconds of text, the first line half a second before the first fix; the camera's clock is nine hours
// ahead.
func blackvueFilm(n int) []byte {
	text := "\x00\x00"
	ms := time.Date(2024, 5, 10, 11, 0, 0, 0, time.UTC).UnixMilli()
	text += fmt.Sprintf("[%d]%s[%d]\r\n", ms-500, nmea("GPVTG,,T,,M,0.078,N,0.144,K,D"), ms+500)
	for i := range n {
		text += fmt.Sprintf("[%d]%s\r\n", ms+int64(1000*i), nmea(fmt.Sprintf("GPRMC,02%02d%02d.00,A,5109.%04d,N,01401.8407,E,19.4,0,100524,,,A", i/60, i%60, 1000+5*i)))
	}
	b := append(append([]byte{}, ftyp...), box("free", box("cprt", []byte(` Pittasoft Co., Ltd.;DR900S-1CH;1.008;English;1;D90SS1HAE00661;T69;`)), box("gps ", []byte(text)))...)
	return append(append(b, moov(time.Duration(n)*time.Second)...), box("mdat", make([]byte, 100))...)
}

func TestBlackVue(t *testing.T) {
	b := blackvueFilm(10)
	f, err := media.Read(bytes.NewReader(b), int64(len(b)))
	if err != nil || f.Format != "blackvue" || f.Model != "DR900S-1CH" || len(f.Fixes) != 10 {
		t.Fatalf("%+v %v", f, err)
	}
	if x := f.Fixes[3]; x.At != 3500*time.Millisecond || !x.Time.Equal(time.Date(2024, 5, 10, 2, 0, 3, 0, time.UTC)) {
		t.Errorf("%+v", x)
	}
}

// block is a Novatek block with the date at the usual place or elsewhere.
func block(at int, sec int, ns, ew byte, lat, lon, knots, course float32, ok bool) []byte {
	b := make([]byte, 256)
	binary.BigEndian.PutUint32(b, 256)
	copy(b[4:], "freeGPS ")
	le := binary.LittleEndian
	for i, v := range []uint32{2, 0, uint32(sec), 24, 5, 10} {
		le.PutUint32(b[at-24+4*i:], v)
	}
	b[at], b[at+1], b[at+2] = 'A', ns, ew
	if !ok {
		b[at] = 'V'
	}
	for i, v := range []float32{lat, lon, knots, course} {
		le.PutUint32(b[at+4+4*i:], math.Float32bits(v))
	}
	return b
}

// novatekFilm has n blocks, a second apart; the third has no fix.
func novatekFilm(n, at int) []byte {
	b := append([]byte{}, ftyp...)
	var index []byte
	for i := range n {
		blk := block(at, i%60, 'S', 'W', 3349.0342+0.006*float32(i), 15112.5+0.001*float32(i), 20, 350, i != 2)
		binary.LittleEndian.PutUint32(blk[at-20:], uint32(i/60))
		b = append(b, box("mdat", make([]byte, 1000))...)
		index = append(index, be(uint32(len(b)), uint32(len(blk)))...)
		b = append(b, blk...)
	}
	return append(b, moov(time.Duration(n)*time.Second, box("gps ", be(1, uint32(n)), index))...)
}

// novatekOf has the blocks that put fills, given the second.
func novatekOf(n int, put func(b []byte, i int)) []byte {
	b := append([]byte{}, ftyp...)
	var index []byte
	for i := range n {
		blk := make([]byte, 256)
		binary.BigEndian.PutUint32(blk, 256)
		copy(blk[4:], "freeGPS ")
		put(blk, i)
		index = append(index, be(uint32(len(b)), uint32(len(blk)))...)
		b = append(b, blk...)
	}
	return append(b, moov(time.Duration(n)*time.Second, box("gps ", be(1, uint32(n)), index))...)
}

func le32(b []byte, at int, vs ...uint32) {
	for i, v := range vs {
		binary.LittleEndian.PutUint32(b[at+4*i:], v)
	}
}

func lef(v float32) uint32 { return math.Float32bits(v) }

// others are the layouts of blocks besides the usual one, each driving north-east from 33.8172° S, 151.2083° E on
// 2024-05-10 from 02:00.
func others(n int) map[string][]byte {
	lat, lon := func(i int) float32 { return 3349.0342 - 0.006*float32(i) }, func(i int) float32 { return 15112.5 + 0.001*float32(i) }
	return map[string][]byte{
		"novatek-a119v3": novatekOf(n, func(b []byte, i int) {
			le32(b, 16, 2, uint32(i/60), uint32(i%60), 24, 5, 10)
			copy(b[40:], "ASE\x00")
			le32(b, 44, lef(lat(i)), lef(lon(i)), lef(20), lef(45))
		}),
		"novatek-akaso": novatekOf(n, func(b []byte, i int) {
			copy(b[32:], "00000")
			le32(b, 48, 2, uint32(i/60), uint32(i%60), 'A', lef(lat(i)), 'S', lef(lon(i)), 'E', lef(37), lef(225), 2024, 5, 10)
		}),
		"novatek-vantrue": novatekOf(n, func(b []byte, i int) {
			copy(b[48:], "horsontech")
			copy(b[64:], "ASE\x00")
			le32(b, 68, 24, 5, 10, 2, uint32(i/60), uint32(i%60), lef(lon(i)), lef(lat(i)), lef(20), lef(45), lef(12))
		}),
		"novatek-nextbase": novatekOf(n, func(b []byte, i int) {
			copy(b[52:], fmt.Sprintf("202405100200%02d", i%60))
			copy(b[80:], nmea(fmt.Sprintf("GPRMC,02%02d%02d.00,A,%.4f,S,%.4f,E,20.0,45.0,100524,,,A", i/60, i%60, lat(i), lon(i))))
		}),
	}
}

func TestOtherNovatekLayouts(t *testing.T) {
	for name, b := range others(70) {
		f, err := media.Read(bytes.NewReader(b), int64(len(b)))
		if err != nil || f.Format != "novatek" || len(f.Fixes) != 70 {
			t.Errorf("%s: %q, %d fixes, %v", name, f.Format, len(f.Fixes), err)
			continue
		}
		x := f.Fixes[65]
		if !x.Time.Equal(time.Date(2024, 5, 10, 2, 1, 5, 0, time.UTC)) || math.Abs(x.Point.Lat+33.8107) > 1e-3 || math.Abs(x.Point.Lon-151.2094) > 1e-3 || math.Abs(float64(x.Speed)-10.28) > 0.01 {
			t.Errorf("%s: %+v", name, x)
		}
	}
	// Encrypted coordinates, in a block whose letters are where Viofo has them, give nothing.
	b := novatekOf(20, func(b []byte, i int) {
		copy(b[16:], "YndAkasoCar")
		le32(b, 48, 14, 39, uint32(i), 2019, 5, 29)
		copy(b[72:], "ANE\x00")
		copy(b[80:], "\xf1\x4e\x3e\x3d\x90\xdf\xca\x40\xe3\x50\xbf\x0b\x0b\x31\xa0\x40")
	})
	if f, err := media.Read(bytes.NewReader(b), int64(len(b))); err != nil || f.Format != "" {
		t.Errorf("encrypted: %q, %v", f.Format, err)
	}
	b = novatekOf(3, func(b []byte, i int) {
		copy(b[16:], "IQS_A7_20150417")
		le32(b, 48, 2, 0, uint32(i), 24, 5, 10)
		copy(b[72:], "ASE\x00")
		le32(b, 76, 338172000, 1512083000, 1028)
	})
	if f, err := media.Read(bytes.NewReader(b), int64(len(b))); err != nil || len(f.Fixes) != 3 || math.Abs(f.Fixes[2].Point.Lat+33.8172) > 1e-6 || math.Abs(float64(f.Fixes[2].Speed)-10.28) > 1e-6 {
		t.Errorf("IQS: %+v, %v", f.Fixes, err)
	}
}

func TestNovatek(t *testing.T) {
	for _, at := range []int{72, 100} {
		b := novatekFilm(10, at)
		f, err := media.Read(bytes.NewReader(b), int64(len(b)))
		if err != nil || f.Format != "novatek" || len(f.Fixes) != 10 {
			t.Fatalf("%+v %v", f, err)
		}
		x := f.Fixes[0]
		if math.Abs(x.Point.Lat+33.817237) > 1e-5 || math.Abs(x.Point.Lon+151.208333) > 1e-5 || !x.Time.Equal(time.Date(2024, 5, 10, 2, 0, 0, 0, time.UTC)) || x.Heading != 350 {
			t.Errorf("%+v", x)
		}
		if c := f.Clean(trace.Gate{}); c.Fixes != 9 || c.Dropped.NoFix != 1 {
			t.Errorf("%+v", c)
		}
	}
}

func TestWhatIsNoFilmOrBroken(t *testing.T) {
	whole := film("camm", packets(3), time.Second)
	noIndex := append(append([]byte{}, ftyp...), box("mdat", make([]byte, 100))...)
	for name, c := range map[string]struct {
		b    []byte
		kind survey.Kind
	}{
		"empty": {nil, survey.Unsupported}, "text": {[]byte("hello, this is no film at all"), survey.Unsupported},
		"no index": {noIndex, survey.Invalid}, "cut in the index": {whole[:len(whole)-200], survey.Invalid},
		"too many samples": {bytes.Replace(whole, append([]byte("stsz"), be(0, 0, 3)...), append([]byte("stsz"), be(0, 4, 0xffffffff)...), 1), survey.Invalid},
	} {
		if _, err := media.Read(bytes.NewReader(c.b), int64(len(c.b))); survey.KindOf(err) != c.kind || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	plain := append(append([]byte{}, ftyp...), moov(time.Second)...)
	if f, err := media.Read(bytes.NewReader(plain), int64(len(plain))); err != nil || f.Format != "" || f.Width != 640 {
		t.Errorf("a film without a track: %+v %v", f, err)
	}
}

// Boxes whose size leads past the end of the file, past 2^63, or nowhere, nest without end or come by the million: an answer,
// soon and in little memory.
func TestHostileBoxes(t *testing.T) {
	large := func(n uint64, name string) []byte {
		return binary.BigEndian.AppendUint64(append(be(1), name...), n)
	}
	deep := []byte{}
	for range 10_000 {
		deep = box("moov", deep)
	}
	for name, b := range map[string][]byte{
		"2^63 in the index":       append(append([]byte{}, ftyp...), append(large(1<<63, "moov"), make([]byte, 64)...)...),
		"2^64-1 before the index": append(append(append([]byte{}, ftyp...), large(1<<64-1, "mdat")...), moov(time.Second)...),
		"2^63-1 before the index": append(append(append([]byte{}, ftyp...), large(1<<63-1, "mdat")...), moov(time.Second)...),
		"a 64-bit size of 0":      append(append(append([]byte{}, ftyp...), large(0, "mdat")...), moov(time.Second)...),
		"a size of 1 byte":        append(append(append([]byte{}, ftyp...), 0, 0, 0, 2, 'm', 'd', 'a', 't'), moov(time.Second)...),
		"deep":                    append(append([]byte{}, ftyp...), deep...),
		"millions":                append(append([]byte{}, ftyp...), bytes.Repeat(box("free", nil), 2<<20)...),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := media.Read(bytes.NewReader(b), int64(len(b)))
		runtime.ReadMemStats(&after)
		if k := survey.KindOf(err); err == nil && name != "deep" || err != nil && k != survey.Invalid && k != survey.Unsupported {
			t.Errorf("%s: %v", name, err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 64<<20 {
			t.Errorf("%s: %d bytes taken", name, got)
		}
	}
}

// sparse is a film of any size whose picture data is not there.
type sparse struct {
	b    []byte
	at   int64 // where b[cut:] begins
	cut  int
	size int64
	read int64
}

func (s *sparse) ReadAt(p []byte, off int64) (int, error) {
	for i := range p {
		o := off + int64(i)
		switch {
		case o >= s.size:
			return i, io.EOF
		case o < int64(s.cut):
			p[i] = s.b[o]
		case o >= s.at:
			p[i] = s.b[o-s.at+int64(s.cut)]
		default:
			p[i] = 0
		}
	}
	s.read += int64(len(p))
	return len(p), nil
}

func TestMemoryDoesNotGrowWithTheFilm(t *testing.T) {
	ps := packets(3600)
	b := film("camm", ps, time.Second)
	// Ten gigabytes of picture data between the track's samples and the index: a second mdat with a 64-bit size.
	index := bytes.LastIndex(b, []byte("moov")) - 4
	const gap = 10 << 30
	big := append(be(1), "mdat"...)
	big = binary.BigEndian.AppendUint64(big, gap)
	all := append(append(append([]byte{}, b[:index]...), big...), b[index:]...)
	s := &sparse{b: all, cut: index + 16, at: int64(index) + gap, size: int64(index) + gap + int64(len(b)-index)}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f, err := media.Read(s, s.size)
	runtime.ReadMemStats(&after)
	if err != nil || len(f.Fixes) != 3600 {
		t.Fatalf("%d fixes, %v", len(f.Fixes), err)
	}
	if s.read > 1<<20 || after.TotalAlloc-before.TotalAlloc > 8<<20 {
		t.Errorf("%d bytes read, %d allocated", s.read, after.TotalAlloc-before.TotalAlloc)
	}
}

func TestNoFramesAreCutAtAStandstillAndFewerAtSpeed(t *testing.T) {
	make := func(speed float64, n int) media.Cleaned {
		var f media.Film
		p := geo.Point{Lat: 60, Lon: 20}
		for i := range n {
			f.Fixes = append(f.Fixes, media.Fix{At: time.Duration(i) * time.Second, Fix: survey.Fix{Point: geo.Destination(p, 45, geo.Meters(speed*float64(i))), Speed: geo.SpeedMPS(speed), HasSpeed: true}})
		}
		return f.Clean(trace.Gate{})
	}
	for _, c := range []struct {
		speed float64
		want  int
	}{{0, 1}, {8, 60}, {30, 146}} {
		if n := len(make(c.speed, 60).Plan(0)); n < c.want-3 || n > c.want+3 {
			t.Errorf("%v m/s for 59 s: %d frames, want about %d", c.speed, n, c.want)
		}
	}
}

func TestWhatTheAccelerometerFelt(t *testing.T) {
	// Real payloads: one that lies on a table, hands and helmets, floats instead of integers, a gimbal beside the camera.
	for _, c := range []struct {
		name     string
		steps    int
		from, to float64 // g, the median spread within a step
	}{{"hero5", 2, 0.05, 0.2}, {"hero6", 2, 0.02, 0.1}, {"hero6+ble", 2, 0.002, 0.005}, {"hero7", 34, 0.1, 1}, {"hero11", 22, 0.005, 0.1}, {"Fusion", 2, 0.001, 1}, {"karma", 2, 0.02, 0.2}} {
		b := film("gpmd", payloads(shared(t, "gopro", "gpmf-payloads", c.name+".raw")), time.Second)
		f, err := media.Read(bytes.NewReader(b), int64(len(b)))
		if err != nil || len(f.Felt) != c.steps {
			t.Errorf("%s: %d steps, %v", c.name, len(f.Felt), err)
			continue
		}
		var spreads []float64
		g := 0.0
		for _, x := range f.Felt {
			if x.N < 50 || x.N > 120 {
				t.Errorf("%s: %d readings in half a second", c.name, x.N)
			}
			spreads = append(spreads, x.Spread)
			g += math.Hypot(math.Hypot(x.Mean[0], x.Mean[1]), x.Mean[2]) / float64(len(f.Felt))
		}
		slices.Sort(spreads)
		if m := spreads[(len(spreads)-1)/2]; m < c.from || m > c.to || g < 0.9 || g > 1.15 {
			t.Errorf("%s: spreads by %.4f g around %.3f g", c.name, m, g)
		}
	}
	// Of a made ride, whichever way the camera is turned.
	r := testkit.NewRide(1, geo.Point{Lat: 48, Lon: 11}, 20*time.Second)
	for _, write := range []func(time.Time, [][3]float64) []byte{r.GoPro, r.CAMM} {
		felt := r.Felt(2)
		b := write(time.Date(2024, 5, 10, 2, 0, 0, 0, time.UTC), felt)
		f, err := media.Read(bytes.NewReader(b), int64(len(b)))
		if err != nil || len(f.Felt) != 40 || len(f.Fixes) == 0 {
			t.Fatal(len(f.Felt), err)
		}
		for i, x := range f.Felt {
			var mean [3]float64
			for _, v := range felt[100*i : 100*i+100] {
				for k := range v {
					mean[k] += v[k] / 100 / 9.80665
				}
			}
			for k := range mean {
				if d := mean[k] - x.Mean[k]; math.Abs(d) > 4*x.Spread/math.Sqrt(float64(x.N)) {
					t.Fatalf("%s, step %d: %v, want %v", f.Format, i, x.Mean, mean)
				}
			}
		}
		if f, err := media.Read(bytes.NewReader(write(day, nil)), int64(len(write(day, nil)))); err != nil || f.Felt != nil {
			t.Error(f.Felt, err)
		}
	}
	// What is no number or no acceleration counts as nothing.
	odd := [][]byte{f32(f32(f32([]byte{0, 0, 3, 0}, math.NaN()), 0), 9.8), f32(f32(f32([]byte{0, 0, 3, 0}, 1e9), 0), 9.8), f32([]byte{0, 0, 3, 0}, 1)}
	b := film("camm", append(odd, packets(2)...), time.Second)
	if f, err := media.Read(bytes.NewReader(b), int64(len(b))); err != nil || f.Felt != nil {
		t.Error(f.Felt, err)
	}
}

var day = time.Date(2024, 5, 10, 2, 0, 0, 0, time.UTC)

func TestALongTrackOfManySmallSamplesIsReadAPieceAtATime(t *testing.T) {
	r := testkit.NewRide(1, geo.Point{Lat: 48, Lon: 11}, 20*time.Minute)
	b := r.CAMM(day, r.Felt(1)) // 61,200 samples
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f, err := media.Read(bytes.NewReader(b), int64(len(b)))
	runtime.ReadMemStats(&after)
	if err != nil || len(f.Fixes) != 1200 || len(f.Felt) != 2400 {
		t.Fatal(len(f.Fixes), len(f.Felt), err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 3<<20 {
		t.Errorf("%d bytes allocated", n)
	}
	// Samples that lie over each other would make a small file read for ever.
	over := film("camm", packets(40), time.Second)
	at := bytes.LastIndex(over, []byte("stco")) + 12
	for i := 1; i < 40; i++ {
		copy(over[at+4*i:], over[at:at+4])
	}
	sizes := bytes.LastIndex(over, []byte("stsz")) + 16
	for i := range 40 {
		copy(over[sizes+4*i:], be(uint32(len(over)/2)))
	}
	if _, err := media.Read(bytes.NewReader(over), int64(len(over))); survey.KindOf(err) != survey.Invalid {
		t.Errorf("samples over each other: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	ride := testkit.NewRide(1, geo.Point{Lat: 48, Lon: 11}, 2*time.Second)
	f.Add(ride.GoPro(day, ride.Felt(1)))
	f.Add(ride.CAMM(day, ride.Felt(1)))
	f.Add(film("camm", packets(3), time.Second))
	f.Add(film("gpmd", [][]byte{[]byte("DEVC\x00\x01\x00\x00")}, time.Second))
	for _, n := range []string{"hero5", "hero11", "karma"} { // real payloads in a film built here
		if b, err := os.ReadFile("../../../shared/data/gopro/gpmf-payloads/" + n + ".raw"); err == nil && len(b) < 32<<10 {
			f.Add(film("gpmd", [][]byte{b}, time.Second))
		}
	}
	f.Add(append(append([]byte{}, ftyp...), box("free", box("cprt", []byte(` Pittasoft Co., Ltd.;DR900S-1CH;1.008;English;1;D90SS1HAE00661;T69;`)), box("gps ", []byte("[1715306400000]$GPRMC,032908.379,A,4231.8291,N,08807.3033,W,0.17,138.92,070804,,*12[1715306400000]\r\n")))...))
	blk := block(72, 1, 'N', 'E', 4812.5, 1134.25, 3, 4, true)
	f.Add(append(append(append(append([]byte{}, ftyp...), blk...), make([]byte, 8)...), moov(time.Second, box("gps ", be(1, 0, uint32(len(ftyp)), uint32(len(blk)))))...))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := media.Read(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			if k := survey.KindOf(err); k != survey.Invalid && k != survey.Unsupported {
				t.Fatalf("kind %v: %v", k, err)
			}
			return
		}
		planned(t, m)
	})
}

// planned cuts a film's first hour.
func planned(t *testing.T, m media.Film) {
	t.Helper()
	sane(t, m.Felt)
	c := m.Clean(trace.Gate{})
	for _, at := range c.Plan(min(m.Duration, time.Hour)) {
		if fix, ok := c.At(at); !ok || !fix.Point.Valid() {
			t.Fatalf("at %v: %+v", at, fix)
		}
	}
}

func sane(t *testing.T, fs []media.Felt) {
	t.Helper()
	for _, x := range fs {
		for _, v := range append(x.Mean[:], x.Spread) {
			if x.N < 0 || !(math.Abs(v) < 2000) {
				t.Fatalf("%+v", x)
			}
		}
	}
}

func FuzzGPMF(f *testing.F) {
	for _, n := range []string{"hero5", "hero6", "karma", "Fusion", "hero11"} {
		if b, err := os.ReadFile("../../../shared/data/gopro/gpmf-payloads/" + n + ".raw"); err == nil {
			f.Add(b[:min(len(b), 32<<10)])
		}
	}
	f.Add([]byte("DEVC\x00\x01\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		felt := media.GPMFFelt(b, 0, time.Second)
		if len(felt) > 2 {
			t.Fatalf("%d steps in a second", len(felt))
		}
		sane(t, felt)
		for _, x := range media.GPMF(b, 0, time.Second) {
			if x.At < 0 || x.At > time.Second {
				t.Fatalf("%+v", x)
			}
		}
	})
}

// FuzzNovatek reads a block, and the model that BlackVue writes, alone: a film around them keeps the fuzzer from them.
func FuzzNovatek(f *testing.F) {
	f.Add(block(72, 1, 'N', 'E', 4812.5, 1134.25, 3, 4, true))
	f.Add(block(100, 59, 'S', 'W', 4812.5, 1134.25, 300, 359, true))
	f.Add([]byte(`{"model":"DR750X"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if x, ok := media.NovatekBlock(b); ok && (!x.Point.Valid() || x.Time.IsZero() || x.HasHeading && !(x.Heading >= 0 && x.Heading < 360) || x.HasSpeed && !(x.Speed >= 0)) {
			t.Fatalf("%+v", x)
		}
		if m := media.CopyrightModel(b); len(m) > 64 || !utf8.ValidString(m) {
			t.Fatalf("%q", m)
		}
	})
}

// FuzzExifTool reads what the other program prints: its words are those of the film.
func FuzzExifTool(f *testing.F) {
	f.Add([]byte("0|2024:05:10 02:00:00Z|48.1|11.5|500|36|90|1.2|3\n1.001|2024:05:10 02:00:01.5|48.1001|11.5|-|-|-|-|-\n"))
	f.Add([]byte("-|2024:05:10 02:00:00|48.1|11.5|1e99|NaN|-1|0|9\n-|2023:05:10 02:00:00|1e400|200|||||\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		fs := media.ParseExifTool(bytes.NewReader(b))
		for _, x := range fs {
			if x.HasAlt && !(math.Abs(float64(x.Alt)) < 20000) || x.HasSpeed && !(x.Speed >= 0) || x.HasHeading && !(x.Heading >= 0 && x.Heading < 360) || !(x.HDOP >= 0) {
				t.Fatalf("%+v", x)
			}
		}
		planned(t, media.Film{Fixes: fs, Duration: time.Minute})
	})
}

func BenchmarkReadGPMF(b *testing.B) {
	body := shared(b, "gopro", "karma.mp4")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := media.Read(bytes.NewReader(body), int64(len(body))); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "films/s")
}

// TestExifToolAgrees runs where exiftool is installed (Debian: libimage-exiftool-perl).
func TestExifToolAgrees(t *testing.T) {
	bin, err := exec.LookPath("exiftool")
	if err != nil {
		t.Skip("exiftool is not installed")
	}
	b := shared(t, "gopro", "karma.mp4")
	file := filepath.Join(t.TempDir(), "-karma.mp4") // a name like an option
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	from := time.Now()
	theirs, err := media.ExifTool(t.Context(), bin, file)
	slow := time.Since(from)
	if err != nil || len(theirs) < 10 {
		t.Fatal(len(theirs), err)
	}
	from = time.Now()
	f, err := media.Read(bytes.NewReader(b), int64(len(b)))
	t.Logf("exiftool took %v, this package %v", slow, time.Since(from))
	if err != nil {
		t.Fatal(err)
	}
	// This film holds two position streams, the receiver's and the drone's own estimate, and exiftool gives the second.
	c, compared := f.Clean(trace.Gate{}), 0
	for _, x := range theirs {
		y, ok := c.At(x.Time.Sub(c.Start))
		if !ok {
			continue
		}
		compared++
		if d := geo.Distance(x.Point, y.Point); d > 5 {
			t.Errorf("at %v: %.1f m apart", x.Time, float64(d))
		}
	}
	if compared < 10 {
		t.Errorf("%d of %d compared", compared, len(theirs))
	}
	if _, err := media.ExifTool(t.Context(), filepath.Join(t.TempDir(), "absent"), file); survey.KindOf(err) != survey.Unavailable {
		t.Error(err)
	}
	junk := filepath.Join(t.TempDir(), "junk.mp4")
	if err := os.WriteFile(junk, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	if fs, err := media.ExifTool(t.Context(), bin, junk); err != nil || len(fs) != 0 {
		t.Error(fs, err)
	}
}
