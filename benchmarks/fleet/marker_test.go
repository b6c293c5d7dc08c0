package fleet_test

import (
	"image"
	"testing"

	"github.com/roadcomb/roadcomb/benchmarks/fleet"
	"github.com/roadcomb/roadcomb/pkg/synth"
	"github.com/roadcomb/roadcomb/vision/cv"
	"github.com/roadcomb/roadcomb/vision/detect"
	"github.com/roadcomb/roadcomb/vision/infer"
	"github.com/roadcomb/roadcomb/vision/models"
)

func TestTheMarkerDetectorFindsEveryMarkerAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	if err := fleet.WriteModels(dir); err != nil {
		t.Fatal(err)
	}
	set, err := models.Open(dir, "")
	if err != nil || !set.Covers() {
		t.Fatal(set.Name, err)
	}
	rt, err := infer.Open("")
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	g, err := detect.Open(rt, set, detect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	seen := 0
	for seed := range uint64(20) {
		ms := synth.Markers(320, 240, seed)
		b := synth.JPEG(synth.Picture{W: 320, H: 240, Seed: seed, Draw: func(im *image.RGBA) {
			for _, m := range ms {
				m.Draw(im)
			}
		}})
		im, _, err := cv.Decode(b, cv.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		boxes, err := g.Detect(t.Context(), im)
		im.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range ms {
			seen++
			left := m.Bounds().Dx() * m.Bounds().Dy()
			for y := m.Y; y < m.Bounds().Max.Y; y++ {
				for x := m.X; x < m.Bounds().Max.X; x++ {
					for _, b := range boxes {
						if b.Class == m.Class && float64(x) >= b.X && float64(x) < b.X+b.W && float64(y) >= b.Y && float64(y) < b.Y+b.H {
							left--
							break
						}
					}
				}
			}
			if left > 0 {
				t.Errorf("seed %d: %d pixels of %+v are not covered", seed, left, m)
			}
		}
		for _, b := range boxes {
			near := false
			for _, m := range ms {
				near = near || m.Bounds().Inset(-2*synth.MarkerSquare).Overlaps(image.Rect(int(b.X), int(b.Y), int(b.X+b.W), int(b.Y+b.H)))
			}
			if !near {
				t.Errorf("seed %d: %+v is no marker", seed, b)
			}
		}
	}
	if seen < 15 {
		t.Fatalf("%d markers", seen)
	}
}
