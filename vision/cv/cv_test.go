package cv_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
	"github.com/roadcomb/roadcomb/vision/cv"
)

func ExampleDecode() {
	_, h, err := cv.Decode([]byte("\xff\xd8\xff\xe0\x00\x10JFIF"), cv.Limits{})
	fmt.Println(h.Format, errors.Is(err, cv.ErrDamaged))
	// Output: jpeg true
}

// The picture of each orientation shows the same scene; all eight must come out the same way up.
func TestEveryOrientationComesOutUpright(t *testing.T) {
	// A stored picture whose top left corner is red once upright.
	for o := 1; o <= 8; o++ {
		upright := image.Pt(64, 96)
		stored := upright
		if o >= 5 {
			stored = image.Pt(upright.Y, upright.X)
		}
		img := image.NewRGBA(image.Rectangle{Max: stored})
		for y := range stored.Y {
			for x := range stored.X {
				// where the stored pixel lands in the upright picture (EXIF 2.3, table for tag 0x0112)
				var ux, uy int
				switch o {
				case 1:
					ux, uy = x, y
				case 2:
					ux, uy = upright.X-1-x, y
				case 3:
					ux, uy = upright.X-1-x, upright.Y-1-y
				case 4:
					ux, uy = x, upright.Y-1-y
				case 5:
					ux, uy = y, x
				case 6:
					ux, uy = upright.X-1-y, x
				case 7:
					ux, uy = upright.X-1-y, upright.Y-1-x
				case 8:
					ux, uy = y, upright.Y-1-x
				}
				c := color.RGBA{A: 255}
				if ux < 16 && uy < 16 {
					c.R = 255
				} else if ux < 16 {
					c.G = 255
				} else if uy < 16 {
					c.B = 255
				}
				img.Set(x, y, c)
			}
		}
		var buf bytes.Buffer
		if err := png.Encode(&buf, img); err != nil {
			t.Fatal(err)
		}
		b := withPNGOrientation(buf.Bytes(), o)
		im, h, err := cv.Decode(b, cv.Limits{MinSide: 8})
		if err != nil {
			t.Fatal(err)
		}
		if h.Orientation != o || im.Width() != upright.X || im.Height() != upright.Y {
			t.Fatalf("orientation %d read as %d, %d × %d", o, h.Orientation, im.Width(), im.Height())
		}
		px := im.Pixels()
		at := func(x, y int) [3]byte { i := (y*im.Width() + x) * 3; return [3]byte(px[i : i+3]) }
		if at(4, 4) != [3]byte{0, 0, 255} || at(4, 80) != [3]byte{0, 255, 0} || at(50, 4) != [3]byte{255, 0, 0} {
			t.Errorf("orientation %d is not upright: %v %v %v", o, at(4, 4), at(4, 80), at(50, 4))
		}
		im.Close()
	}
}

func TestJPEGOrientationIsAppliedOnce(t *testing.T) {
	b := testkit.JPEG(testkit.Picture{W: 320, H: 200, Seed: 1, Orientation: 6})
	im, h, err := cv.Decode(b, cv.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer im.Close()
	if h.Width != 320 || im.Width() != 200 || im.Height() != 320 {
		t.Fatalf("header %+v, picture %d × %d", h, im.Width(), im.Height())
	}
	out, err := im.EncodeJPEG(90)
	if err != nil {
		t.Fatal(err)
	}
	again, h2, err := cv.Decode(out, cv.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if h2.Orientation != 1 || again.Width() != 200 {
		t.Fatalf("published file: %+v", h2)
	}
}

func TestBadFilesAreRefusedBeforeDecoding(t *testing.T) {
	good := testkit.JPEG(testkit.Picture{W: 320, H: 200, Seed: 1})
	for name, c := range map[string]struct {
		b    []byte
		want error
	}{
		"empty":             {nil, cv.ErrFormat},
		"text":              {[]byte("hello"), cv.ErrFormat},
		"cut in the data":   {good[:len(good)/2], cv.ErrDamaged},
		"without its end":   {good[:len(good)-2], cv.ErrDamaged},
		"cut in the header": {good[:30], cv.ErrDamaged},
		"PNG magic only":    {[]byte("\x89PNG\r\n\x1a\n"), cv.ErrDamaged},
		"bomb":              {resized(good, 20000, 20000), cv.ErrTooManyPixels},
		"largest bomb":      {resized(good, 65500, 65500), cv.ErrTooManyPixels},
		"wide bomb":         {resized(good, 65500, 4000), cv.ErrTooManyPixels},
		"PNG bomb":          {pngBomb(60000, 60000), cv.ErrTooManyPixels},
		"PNG of 2^30":       {pngBomb(1<<30, 1<<30), cv.ErrTooManyPixels},
		"PNG of 2^31":       {pngBomb(1<<31, 1<<31), cv.ErrDamaged},
		"tiny":              {testkit.JPEG(testkit.Picture{W: 16, H: 16, Seed: 1}), cv.ErrTooSmall},
	} {
		im, _, err := cv.Decode(c.b, cv.Limits{})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		im.Close()
	}
}

// pngBomb is a whole PNG of a few bytes that would be a picture of w × h pixels.
func pngBomb(w, h uint32) []byte {
	chunk := func(out []byte, name string, data []byte) []byte {
		out = binary.BigEndian.AppendUint32(out, uint32(len(data)))
		body := append([]byte(name), data...)
		return binary.BigEndian.AppendUint32(append(out, body...), crc32.ChecksumIEEE(body))
	}
	var rows bytes.Buffer
	z := zlib.NewWriter(&rows)
	z.Write(make([]byte, 1<<20))
	z.Close()
	size := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
	b := chunk([]byte("\x89PNG\r\n\x1a\n"), "IHDR", append(size, 8, 2, 0, 0, 0))
	return chunk(chunk(b, "IDAT", rows.Bytes()), "IEND", nil)
}

// resized rewrites the size in the frame header.
func resized(b []byte, w, h int) []byte {
	b = bytes.Clone(b)
	for i := 0; i+9 < len(b); i++ {
		if b[i] == 0xff && (b[i+1] == 0xc0 || b[i+1] == 0xc2) {
			copy(b[i+5:], []byte{byte(h >> 8), byte(h), byte(w >> 8), byte(w)})
			break
		}
	}
	return b
}

func TestPublishedJPEGsCarryNothingButThePicture(t *testing.T) {
	raw, err := os.ReadFile(testkit.Shared(t, "data", "exif-action-cam", "DSC00001.JPG"))
	if err != nil {
		t.Fatal(err)
	}
	if cv.CheckClean(raw) == nil {
		t.Fatal("an original with EXIF, preview and maker notes passes as clean")
	}
	im, _, err := cv.Decode(raw, cv.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer im.Close()
	out, err := im.EncodeJPEG(88)
	if err != nil {
		t.Fatal(err)
	}
	if err := cv.CheckClean(out); err != nil {
		t.Fatal(err)
	}
	for _, trace := range []string{"Exif", "SONY", "HDR-AS", "http://ns.adobe.com"} {
		if bytes.Contains(out, []byte(trace)) {
			t.Errorf("%q survived", trace)
		}
	}
	if err := cv.CheckClean(append(bytes.Clone(out), 0)); err == nil {
		t.Error("bytes after the end passed")
	}
	withComment := append(append(bytes.Clone(out[:2]), 0xff, 0xfe, 0, 4, 'h', 'i'), out[2:]...)
	if survey.KindOf(cv.CheckClean(withComment)) != survey.Internal || cv.CheckClean(withComment) == nil {
		t.Error("a comment passed")
	}
}

func TestSharedPicturesDecode(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testkit.Shared(t, "data"), "*", "*.[jJ][pP]*[gG]"))
	if err != nil || len(files) < 100 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		im, _, err := cv.Decode(b, cv.Limits{MinSide: 8})
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(f), err)
		}
		im.Close()
	}
}

func FuzzProbe(f *testing.F) {
	f.Add(testkit.JPEG(testkit.Picture{W: 64, H: 64, Seed: 1, Orientation: 3}))
	f.Add([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := cv.Probe(b)
		if err == nil && (h.Width <= 0 || h.Height <= 0 || h.Orientation < 1 || h.Orientation > 8) {
			t.Fatalf("%+v", h)
		}
		if k := survey.KindOf(err); err != nil && k != survey.Invalid && k != survey.Unsupported {
			t.Fatal(err)
		}
	})
}

// The field of view comes from the 35 mm equivalent where it is given, else from the sensor's resolution; nonsense is none.
func TestTheFieldOfViewIsReadWhereTheFileSaysIt(t *testing.T) {
	jpg := testkit.JPEG(testkit.Picture{W: 600, H: 400, Seed: 1})
	for _, c := range []struct {
		mm   int
		want float64
	}{{28, 65.5}, {17, 93.3}, {0, 0}, {1, 0}, {60000, 0}} {
		tiff := testkit.Tiff(nil, []testkit.Entry{{Tag: 0xa405, Type: 3, Count: 1, Data: []byte{byte(c.mm), byte(c.mm >> 8)}}}, nil)
		h, err := cv.Probe(testkit.WithEXIF(jpg, tiff))
		if err != nil || math.Abs(h.FOV(600)-c.want) > 0.2 || h.Orientation != 1 {
			t.Errorf("%d mm: %.2f° of %+v, want %.1f°, %v", c.mm, h.FOV(600), h, c.want, err)
		}
	}
}
