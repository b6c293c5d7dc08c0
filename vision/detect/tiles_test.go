package detect

import (
	"image"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/roadcomb/roadcomb/pkg/survey"
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

// Every small hint in the band is looked at with all of it in one part; parts lie in the band, and looking at them is never
// more than looking at each hint alone.
func TestACloserLookHoldsEveryHint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, h := rapid.IntRange(200, 4000).Draw(t, "w"), rapid.IntRange(200, 3000).Draw(t, "h")
		p := models.Pass{Scale: rapid.SampledFrom([]float64{1, 2, 3}).Draw(t, "scale"), Band: [2]float64{0.2, 0.8}, Around: 0.15}
		var hints []survey.Box
		for range rapid.IntRange(0, 40).Draw(t, "hints") {
			b := survey.Box{
				X: rapid.Float64Range(0, float64(w-2)).Draw(t, "x"), Y: rapid.Float64Range(0, float64(h-2)).Draw(t, "y"),
				W: rapid.Float64Range(1, 90).Draw(t, "bw"), H: rapid.Float64Range(1, 90).Draw(t, "bh"),
				Confidence: rapid.Float64Range(0.1, 1).Draw(t, "confidence"),
			}
			if b, ok := clip(b, w, h); ok {
				hints = append(hints, b)
			}
		}
		band := image.Rect(0, int(.2*float64(h)), w, int(math.Ceil(.8*float64(h))))
		parts := around(hints, w, h, p, 768)
		area, alone := 0, 0
		for _, part := range parts {
			if part.src.Empty() || !part.src.In(band) || part.w > 769 && part.src.Dx() > 3*90+1 {
				t.Fatalf("%v as %d × %d, band %v", part.src, part.w, part.h, band)
			}
			area += part.w * part.h
		}
		for _, b := range hints {
			r := image.Rect(int(b.X), int(b.Y), int(math.Ceil(b.X+b.W)), int(math.Ceil(b.Y+b.H))).Intersect(band)
			if min(b.W, b.H) > hintSide || b.Confidence < p.Around || r.Empty() {
				continue
			}
			held := false
			for _, part := range parts {
				held = held || r.In(part.src)
			}
			if !held {
				t.Fatalf("hint %v lies in none of %v", r, parts)
			}
			each := around([]survey.Box{b}, w, h, p, 768)[0]
			grain := int(32 / p.Scale)
			alone += int(p.Scale*p.Scale) * (each.src.Dx() + grain) * (each.src.Dy() + grain)
		}
		if area > alone {
			t.Fatalf("%d pixels to look at, alone %d", area, alone)
		}
	})
}
