package imprint_test

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/testkit"
	"github.com/roadcomb/roadcomb/vision/imprint"
)

func ExampleOf() {
	// A picture that gets brighter to the right, and the same at half the size and contrast.
	ramp := func(w, h, by int) []uint8 {
		pix := make([]uint8, w*h)
		for i := range pix {
			pix[i] = uint8(100 + by*(i%w)/w)
		}
		return pix
	}
	a, ok := imprint.Of(ramp(180, 90, 100), 180, 90)
	b, _ := imprint.Of(ramp(90, 45, 50), 90, 45)
	fmt.Println(ok, imprint.Distance(a, b))
	// Output: true 0
}

func plane(m image.Image, gain, off float64, step int) ([]uint8, int, int) {
	r := m.Bounds()
	w, h := r.Dx()/step, r.Dy()/step
	pix := make([]uint8, 0, w*h)
	for y := range h {
		for x := range w {
			R, G, B, _ := m.At(r.Min.X+x*step, r.Min.Y+y*step).RGBA()
			v := (0.299*float64(R)+0.587*float64(G)+0.114*float64(B))/257*gain + off
			pix = append(pix, uint8(min(max(v, 0), 255)))
		}
	}
	return pix, w, h
}

func encodedAgain(t *testing.T, m image.Image, quality int) image.Image {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	again, err := jpeg.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	return again
}

type cropped struct {
	image.Image
	r image.Rectangle
}

func (c cropped) Bounds() image.Rectangle { return c.r }

func TestThePrintsOfRealWalks(t *testing.T) {
	var ms []image.Image
	for _, dir := range []string{"exif-sequence-lund", "exif-sequence-arezzo"} {
		names, err := filepath.Glob(filepath.Join(testkit.Shared(t, "data", dir), "*.jpg"))
		if err != nil || len(names) == 0 {
			t.Fatal(names, err)
		}
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			m, err := jpeg.Decode(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			ms = append(ms, m)
		}
	}
	prints := make([]imprint.Print, len(ms))
	for i, m := range ms {
		p, ok := imprint.Of(plane(m, 1, 0, 2))
		if !ok {
			t.Errorf("picture %d has no print", i)
		}
		prints[i] = p
	}
	for name, change := range map[string]func(image.Image) ([]uint8, int, int){
		"quality 40":              func(m image.Image) ([]uint8, int, int) { return plane(encodedAgain(t, m, 40), 1, 0, 2) },
		"a third of the size":     func(m image.Image) ([]uint8, int, int) { return plane(m, 1, 0, 6) },
		"brighter, less contrast": func(m image.Image) ([]uint8, int, int) { return plane(m, 0.8, 30, 2) },
		"darker":                  func(m image.Image) ([]uint8, int, int) { return plane(m, 0.7, 0, 2) },
		"8 pixels off each side": func(m image.Image) ([]uint8, int, int) {
			return plane(cropped{m, m.Bounds().Inset(8)}, 1, 0, 2)
		},
	} {
		var ds []int
		found := 0
		for i, m := range ms {
			p, _ := imprint.Of(change(m))
			d := imprint.Distance(p, prints[i])
			ds = append(ds, d)
			a, b := p.Bands(), prints[i].Bands()
			for k := range a {
				if d <= imprint.Near && a[k] == b[k] {
					found++
					break
				}
			}
		}
		slices.Sort(ds)
		t.Logf("%s: median %d, worst %d bits; %d of %d found by their bands", name, ds[len(ds)/2], ds[len(ds)-1], found, len(ms))
		if 10*found < 7*len(ms) {
			t.Errorf("%s: only %d of %d are found", name, found, len(ms))
		}
	}
	// Neighbours of a walk show the same street from a few steps on, which is the hardest case there is.
	var near []int
	for i := range prints {
		for j := range i {
			near = append(near, imprint.Distance(prints[i], prints[j]))
		}
	}
	slices.Sort(near)
	within := 0
	for _, d := range near {
		if d <= imprint.Near {
			within++
		}
	}
	t.Logf("different pictures: %d to %d bits, median %d; %d of %d pairs within %d", near[0], near[len(near)-1], near[len(near)/2], within, len(near), imprint.Near)
	if 200*within > len(near) {
		t.Errorf("%d of %d pairs of different pictures are near", within, len(near))
	}
}

func TestEvenPicturesHaveNoPrint(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	night := make([]uint8, 320*180)
	for i := range night {
		night[i] = uint8(12 + r.IntN(5))
	}
	if _, ok := imprint.Of(night, 320, 180); ok {
		t.Error("noise has a print")
	}
	if _, ok := imprint.Of(night, 8, 8); ok {
		t.Error("a stamp has a print")
	}
	if _, ok := imprint.Of(night[:10], 320, 180); ok {
		t.Error("a plane cut short has a print")
	}
}

func TestPrintsThatDifferInFewerThanFourBitsShareABand(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		p := imprint.Print{Across: r.Uint64(), Down: r.Uint64()}
		q := p
		for range r.IntN(4) {
			if b := uint64(1) << r.IntN(64); r.IntN(2) == 0 {
				q.Across ^= b
			} else {
				q.Down ^= b
			}
		}
		a, b := p.Bands(), q.Bands()
		if a[0] != b[0] && a[1] != b[1] && a[2] != b[2] && a[3] != b[3] {
			t.Fatalf("%v %v share no band at %d bits", p, q, imprint.Distance(p, q))
		}
	}
}
