package detect

import (
	"image"
	"testing"

	"pgregory.net/rapid"

	"github.com/roadcomb/roadcomb/vision/models"
)

// Every pixel of the band lies in a tile, no tile's input is too large, and neighbours overlap.
func TestTilesCoverTheBand(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, h := rapid.IntRange(64, 8000).Draw(t, "w"), rapid.IntRange(64, 5000).Draw(t, "h")
		p := models.Pass{Scale: rapid.SampledFrom([]float64{0.25, 0.5, 1, 1.5, 2}).Draw(t, "scale"), Band: [2]float64{0.3, 0.7}}
		side := rapid.IntRange(512, 4096).Draw(t, "side")
		var xs, ys []image.Rectangle
		for _, tl := range tiles(w, h, p, side) {
			if !tl.src.In(image.Rect(0, 0, w, h)) || tl.src.Empty() {
				t.Fatalf("%v outside the picture", tl.src)
			}
			if tl.w > side+2 || tl.h > side+2 {
				t.Fatalf("input of %d × %d over %d", tl.w, tl.h, side)
			}
			if tl.src.Min.Y == tiles(w, h, p, side)[0].src.Min.Y {
				xs = append(xs, tl.src)
			}
			if tl.src.Min.X == 0 {
				ys = append(ys, tl.src)
			}
		}
		for i := 1; i < len(xs); i++ {
			if float64(xs[i-1].Max.X-xs[i].Min.X)*p.Scale < tileOverlap-2 {
				t.Fatalf("tiles %v and %v share too little", xs[i-1], xs[i])
			}
		}
		if xs[0].Min.X != 0 || xs[len(xs)-1].Max.X != w {
			t.Fatalf("columns %v of %d", xs, w)
		}
		if ys[0].Min.Y > int(.3*float64(h)) || ys[len(ys)-1].Max.Y < int(.7*float64(h)) {
			t.Fatalf("rows %v of %d", ys, h)
		}
	})
}
