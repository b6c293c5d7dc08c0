package redact_test

import (
	"bytes"
	"fmt"
	"image"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/vision/cv"
	"github.com/roadcomb/roadcomb/vision/redact"
)

func ExampleRegions() {
	face := survey.Box{Class: survey.ClassFace, X: 100, Y: 50, W: 40, H: 50}
	fmt.Println(redact.Regions([]survey.Box{face}, 0.1, 640, 480))
	// Output: [(96,45)-(144,105)]
}

// What is under a box has no part in what is published: pictures that differ only there give the same file.
func TestWhatWasUnderABoxCannotBeRecovered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const w, h = 96, 64
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		a := make([]byte, w*h*3)
		for i := range a {
			a[i] = byte(r.Uint32())
		}
		b := bytes.Clone(a)
		var boxes []survey.Box
		for range rapid.IntRange(1, 4).Draw(t, "boxes") {
			boxes = append(boxes, survey.Box{
				X: rapid.Float64Range(-20, w).Draw(t, "x"), Y: rapid.Float64Range(-20, h).Draw(t, "y"),
				W: rapid.Float64Range(1, 120).Draw(t, "w"), H: rapid.Float64Range(1, 80).Draw(t, "h"),
			})
		}
		for _, reg := range redact.Regions(boxes, 0.1, w, h) {
			for y := reg.Min.Y; y < reg.Max.Y; y++ {
				for i := (y*w + reg.Min.X) * 3; i < (y*w+reg.Max.X)*3; i++ {
					b[i] = byte(r.Uint32())
				}
			}
		}
		if !bytes.Equal(published(t, w, h, a, boxes), published(t, w, h, b, boxes)) {
			t.Fatal("the published file depends on what was covered")
		}
	})
}

func published(t *rapid.T, w, h int, px []byte, boxes []survey.Box) []byte {
	im, err := cv.FromPixels(w, h, px)
	if err != nil {
		t.Fatal(err)
	}
	defer im.Close()
	redact.Apply(im, boxes, 0.1)
	out, err := im.EncodeJPEG(90)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRegionsCoverTheWholeBoxAndStayInThePicture(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := survey.Box{X: rapid.Float64Range(0, 600).Draw(t, "x"), Y: rapid.Float64Range(0, 440).Draw(t, "y"), W: rapid.Float64Range(.5, 300).Draw(t, "w"), H: rapid.Float64Range(.5, 300).Draw(t, "h")}
		margin := rapid.Float64Range(0, 1).Draw(t, "margin")
		got := redact.Regions([]survey.Box{b}, margin, 640, 480)
		if len(got) != 1 {
			t.Fatalf("%v gives %v", b, got)
		}
		r := got[0]
		if !r.In(image.Rect(0, 0, 640, 480)) {
			t.Fatalf("%v sticks out", r)
		}
		if float64(r.Min.X) > b.X || float64(r.Min.Y) > b.Y || float64(r.Max.X) < min(b.X+b.W, 640) || float64(r.Max.Y) < min(b.Y+b.H, 480) {
			t.Fatalf("%v does not cover %v", r, b)
		}
	})
}
