package quality_test

import (
	"image"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
	"github.com/roadcomb/roadcomb/vision/quality"
)

// walk is the brightness of a real sequence, a street walked along, without the last frames, which share one place.
func walk(t testing.TB) (out []plane) {
	files, err := filepath.Glob(filepath.Join(testkit.Shared(t, "data", "exif-sequence-lund"), "*.jpg"))
	if err != nil || len(files) != 29 {
		t.Fatal(len(files), err)
	}
	for _, name := range files[:27] {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		img, err := jpeg.Decode(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		y := img.(*image.YCbCr)
		p := plane{nil, y.Rect.Dx(), y.Rect.Dy()}
		for r := range p.h {
			p.px = append(p.px, y.Y[r*y.YStride:r*y.YStride+p.w]...)
		}
		out = append(out, p)
	}
	return out
}

// soiled is the picture through a lens with a spot of an uneven outline around cx, cy, of radius r, in shares of width and
// height: "mud" hides, a "drop" blurs what is behind it by a fiftieth of the width.
func (p plane) soiled(kind string, cx, cy, r float64) plane {
	w := float64(p.w)
	x0, y0, far := cx*w, cy*float64(p.h), r*w*1.4
	box := image.Rect(int(x0-far), int(y0-far), int(x0+far), int(y0+far)).Intersect(image.Rect(0, 0, p.w, p.h))
	const blur = 10
	out := plane{slices.Clone(p.px), p.w, p.h}
	// Sums over the part and what the blur needs around it.
	sum := make([]int, (p.w+1)*(p.h+1))
	if kind == "drop" {
		for y := range p.h {
			row := 0
			for x := range p.w {
				row += int(p.px[y*p.w+x])
				sum[(y+1)*(p.w+1)+x+1] = sum[y*(p.w+1)+x+1] + row
			}
		}
	}
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			dx, dy := float64(x)-x0, float64(y)-y0
			a := math.Atan2(dy, dx)
			edge := r * w * (1 + .15*math.Cos(2*a+1) + .1*math.Cos(5*a))
			k := math.Min(1, math.Max(0, (edge-math.Hypot(dx, dy))/(.2*edge)))
			v := 45.0
			if kind == "drop" {
				b := image.Rect(x-blur, y-blur, x+blur+1, y+blur+1).Intersect(image.Rect(0, 0, p.w, p.h))
				at := func(x, y int) int { return sum[y*(p.w+1)+x] }
				v = float64(at(b.Max.X, b.Max.Y)-at(b.Min.X, b.Max.Y)-at(b.Max.X, b.Min.Y)+at(b.Min.X, b.Min.Y)) / float64(b.Dx()*b.Dy())
			}
			i := y*p.w + x
			out.px[i] = uint8(math.Round(float64(p.px[i])*(1-k) + v*k))
		}
	}
	return out
}

func sketches(t testing.TB, planes []plane, through func(plane) plane) (out []quality.Sketch) {
	t.Helper()
	for _, p := range planes {
		if through != nil {
			p = through(p)
		}
		s, ok := quality.Draw(p.px, p.w, p.h)
		if !ok {
			t.Fatal("no sketch")
		}
		out = append(out, s)
	}
	return out
}

func TestACleanLensRaisesNoAlarm(t *testing.T) {
	th, planes := quality.V2(), walk(t)
	clean := sketches(t, planes, nil)
	for from := 0; from+th.OnLens.Frames <= len(clean); from++ {
		seen := slices.Clone(clean[from : from+th.OnLens.Frames])
		if spots := th.Held(seen); len(spots) > 0 {
			t.Errorf("from frame %d: %+v", from, spots)
		}
		slices.Reverse(seen)
		if spots := th.Held(seen); len(spots) > 0 {
			t.Errorf("backwards from frame %d: %+v", from, spots)
		}
	}
}

func TestDirtIsFoundWhereItIs(t *testing.T) {
	th, planes := quality.V2(), walk(t)
	for _, c := range []struct {
		kind      string
		cx, cy, r float64
		where     string
	}{
		{"mud", .3, .6, .05, "left"},
		{"mud", .2, .8, .05, "lower left"},
		{"mud", .5, .8, .08, "bottom"},
		{"mud", .75, .35, .05, "right"},
		{"mud", .97, .5, .07, "right"}, // at the edge of the picture
		{"mud", .5, .2, .07, "top"},    // before the sky
		{"drop", .3, .6, .05, "left"},
		{"drop", .5, .8, .07, "bottom"},
		{"drop", .15, .3, .06, "upper left"},
		{"drop", .75, .35, .05, "right"},
	} {
		seen := sketches(t, planes, func(p plane) plane { return p.soiled(c.kind, c.cx, c.cy, c.r) })
		spots := th.Held(seen)
		if len(spots) != 1 || spots[0].Where != c.where {
			t.Errorf("%+v: %+v", c, spots)
			continue
		}
		x0, x1 := max(0, c.cx-c.r), min(1, c.cx+c.r) // what of it is in the picture
		truth := math.Pi / 4 * (x1 - x0) * 2 * c.r * 4 / 3
		if s := spots[0]; s.Share < truth/2.2 || s.Share > truth*2.2 {
			t.Errorf("%+v: %.4f of the picture, drawn %.4f", c, s.Share, truth)
		}
		if again := th.Held(seen); !reflect.DeepEqual(again, spots) {
			t.Errorf("the second time it is %+v", again)
		}
	}
}

// More dirt, held over the frames, is a worse rating, and none is the same rating.
func TestTheRatingFallsWithTheDirt(t *testing.T) {
	th, planes := quality.V2(), walk(t)
	m := th.Measure(planes[3].px, planes[3].w, planes[3].h)
	own := th.Rate(m, quality.Camera{Width: planes[3].w, Accuracy: 3})
	if q := th.Obstruct(own, 0); q != own {
		t.Errorf("%+v, want %+v", q, own)
	}
	last, share := own, 0.0
	for _, r := range []float64{.04, .06, .09, .13} {
		found := 0.0
		for _, s := range th.Held(sketches(t, planes, func(p plane) plane { return p.soiled("mud", .4, .6, r) })) {
			found += s.Share
		}
		q := th.Obstruct(own, found)
		if found <= share || q.Score >= last.Score || q.Clear >= last.Clear || q.Held <= last.Held || q.Sharpness != own.Sharpness {
			t.Errorf("radius %v: %.4f of the picture (%.4f before), %+v after %+v", r, found, share, q, last)
		}
		if again := th.Obstruct(q, found); again != q {
			t.Errorf("obstructed twice: %+v, then %+v", q, again)
		}
		last, share = q, found
	}
	whole := th.Obstruct(own, 1)
	if whole.Clear != 0 || whole.Grade < last.Grade || whole.Held != survey.One {
		t.Errorf("all of the lens: %+v", whole)
	}
}

func TestTooLittleSaysNothingOfTheLens(t *testing.T) {
	th, planes := quality.V2(), walk(t)
	mud := func(p plane) plane { return p.soiled("mud", .3, .6, .06) }
	seen := sketches(t, planes, mud)
	if spots := th.Held(seen[:th.OnLens.Frames-1]); spots != nil {
		t.Errorf("of too few frames: %+v", spots)
	}
	if spots := th.Held(slices.Repeat(seen[5:6], 40)); spots != nil {
		t.Errorf("of a scene that stands still: %+v", spots)
	}
	other, _ := quality.Draw(make([]uint8, 640*480), 640, 480)
	if spots := th.Held(append(slices.Clone(seen), other)); spots != nil {
		t.Errorf("of two sizes: %+v", spots)
	}
	if _, ok := quality.Draw(make([]uint8, 64*64), 64, 64); ok {
		t.Error("64 pixels make a sketch")
	}
	back, ok := quality.ParseSketch(seen[0].Bytes())
	if !ok || !reflect.DeepEqual(back, seen[0]) {
		t.Error("a sketch is not what was stored")
	}
	for _, b := range [][]byte{nil, {8}, {8, 8}, seen[0].Bytes()[1:]} {
		if _, ok := quality.ParseSketch(b); ok {
			t.Errorf("%d bytes are taken for a sketch", len(b))
		}
	}
}
