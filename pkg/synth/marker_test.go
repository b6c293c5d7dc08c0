package synth_test

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/synth"
)

func TestAMarkerIsLegibleUntilItIsCovered(t *testing.T) {
	seen := 0
	for seed := range uint64(30) {
		ms := synth.Markers(320, 240, seed)
		img, err := jpeg.Decode(bytes.NewReader(synth.JPEG(synth.Picture{W: 320, H: 240, Seed: seed, Draw: func(im *image.RGBA) {
			for _, m := range ms {
				m.Draw(im)
			}
		}})))
		if err != nil {
			t.Fatal(err)
		}
		bare, err := jpeg.Decode(bytes.NewReader(synth.JPEG(synth.Picture{W: 320, H: 240, Seed: seed})))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range ms {
			seen++
			if !m.Legible(img, 320, 240) {
				t.Errorf("seed %d: %+v is not legible", seed, m)
			}
			if m.Legible(bare, 320, 240) {
				t.Errorf("seed %d: %+v is read where it is not", seed, m)
			}
			covered := image.NewRGBA(img.Bounds())
			draw.Draw(covered, covered.Bounds(), img, image.Point{}, draw.Src)
			draw.Draw(covered, m.Bounds(), image.NewUniform(color.Black), image.Point{}, draw.Src)
			if m.Legible(covered, 320, 240) {
				t.Errorf("seed %d: %+v is legible through its cover", seed, m)
			}
			grey := image.NewGray(img.Bounds()) // the bits alone, as chance may spell them anywhere
			draw.Draw(grey, grey.Bounds(), img, image.Point{}, draw.Src)
			if m.Legible(grey, 320, 240) {
				t.Errorf("seed %d: %+v is read without its colour", seed, m)
			}
		}
	}
	if seen < 20 {
		t.Fatalf("%d markers", seen)
	}
}
