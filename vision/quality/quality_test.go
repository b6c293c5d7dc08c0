package quality_test

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
	"github.com/roadcomb/roadcomb/vision/quality"
)

func ExampleThresholds_Rate() {
	t := quality.V2()
	sharp := quality.Measures{Focus: .8, Median: 120, Spread: 180, Noise: 1}
	q := t.Rate(sharp, quality.Camera{Width: 2028, FOV: 100, Accuracy: 1})
	fmt.Println(q.Grade, q.Version)
	// Output: A quality/v2
}

// plane is a grey picture.
type plane struct {
	px   []uint8
	w, h int
}

func (p plane) each(fn func(x, y int, v float64) float64) plane {
	out := plane{make([]uint8, len(p.px)), p.w, p.h}
	for y := range p.h {
		for x := range p.w {
			out.px[y*p.w+x] = uint8(math.Round(math.Min(255, math.Max(0, fn(x, y, float64(p.px[y*p.w+x]))))))
		}
	}
	return out
}

func (p plane) at(x, y int) float64 {
	return float64(p.px[min(max(y, 0), p.h-1)*p.w+min(max(x, 0), p.w-1)])
}

// smear averages n pixels along (dx, dy).
func (p plane) smear(n, dx, dy int) plane {
	return p.each(func(x, y int, _ float64) float64 {
		var s float64
		for i := range n {
			s += p.at(x+(i-n/2)*dx, y+(i-n/2)*dy)
		}
		return s / float64(n)
	})
}

// gauss is three box blurs each way, close to a Gaussian.
func (p plane) gauss(n int) plane {
	for range 2 {
		p = p.smear(n, 1, 0).smear(n, 0, 1)
	}
	return p
}

func (p plane) jpeg(t testing.TB, q int) plane {
	img := &image.Gray{Pix: p.px, Stride: p.w, Rect: image.Rect(0, 0, p.w, p.h)}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: q}); err != nil {
		t.Fatal(err)
	}
	back, err := jpeg.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	g := back.(*image.Gray)
	out := plane{make([]uint8, 0, len(p.px)), p.w, p.h}
	for y := range p.h { // rows are padded to whole blocks
		out.px = append(out.px, g.Pix[y*g.Stride:y*g.Stride+p.w]...)
	}
	return out
}

func load(t testing.TB, elem ...string) plane {
	f, err := os.Open(testkit.Shared(t, append([]string{"data"}, elem...)...))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := jpeg.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	b := img.Bounds()
	w := min(b.Dx(), 512)
	h := b.Dy() * w / b.Dx()
	p := plane{make([]uint8, w*h), w, h}
	k := b.Dx() / w
	for y := range h {
		for x := range w {
			var s, n uint32
			for dy := range k {
				for dx := range k {
					r, g, bl, _ := img.At(b.Min.X+x*b.Dx()/w+dx, b.Min.Y+y*b.Dy()/h+dy).RGBA()
					s += (299*r + 587*g + 114*bl) / 1000 >> 8
					n++
				}
			}
			p.px[y*w+x] = uint8(s / n)
		}
	}
	return p
}

// Real pictures, made worse step by step, never get a better score (but for a fiftieth), and end far below where they began.
func TestTheScoreFallsAsPicturesGetWorse(t *testing.T) {
	th := quality.V2()
	rate := func(p plane) (quality.Measures, survey.Quality) {
		m := th.Measure(p.px, p.w, p.h)
		return m, th.Rate(m, quality.Camera{Width: p.w, Accuracy: 3})
	}
	noise := rand.New(rand.NewPCG(1, 2))
	for _, d := range []struct {
		name string
		make func(p plane, level int) plane
		fall float64 // the last score is at most this share of the first
	}{
		{"defocus", func(p plane, l int) plane { return p.gauss([]int{1, 3, 5, 9, 15}[l]) }, .5},
		{"motion sideways", func(p plane, l int) plane { return p.smear([]int{1, 5, 9, 17, 33}[l], 1, 0) }, .68},
		{"motion up and down", func(p plane, l int) plane { return p.smear([]int{1, 5, 9, 17, 33}[l], 0, 1) }, .68},
		{"motion aslant", func(p plane, l int) plane { return p.smear([]int{1, 5, 9, 17, 33}[l], 1, 1) }, .68},
		{"too dark", func(p plane, l int) plane {
			g := []float64{1, 1.6, 2.6, 4, 8}[l]
			return p.each(func(_, _ int, v float64) float64 { return 255 * math.Pow(v/255, g) })
		}, .7},
		{"washed out", func(p plane, l int) plane {
			g := []float64{1, .7, .5, .3, .12}[l]
			return p.each(func(_, _ int, v float64) float64 { return 255 * math.Pow(v/255, g) })
		}, .85},
		{"too bright", func(p plane, l int) plane {
			k := []float64{1, 1.5, 2.2, 4, 9}[l]
			return p.each(func(_, _ int, v float64) float64 { return v * k })
		}, .6},
		{"clipping", func(p plane, l int) plane {
			k := []float64{1, 1.6, 2.5, 4, 8}[l]
			return p.each(func(_, _ int, v float64) float64 { return 128 + (v-128)*k })
		}, .7},
		{"noise", func(p plane, l int) plane {
			s := []float64{0, 6, 14, 28, 50}[l]
			return p.each(func(_, _ int, v float64) float64 { return v + s*noise.NormFloat64() })
		}, .7},
		{"JPEG", func(p plane, l int) plane { return p.jpeg(t, []int{95, 60, 30, 15, 5}[l]) }, .9},
		{"dirt", func(p plane, l int) plane {
			r := []float64{0, .2, .35, .5, .7}[l] * float64(p.w)
			return p.each(func(x, y int, v float64) float64 {
				edge := (math.Hypot(float64(x-p.w/2), float64(y-p.h/2)) - r) / 20
				k := math.Min(1, math.Max(0, edge))
				return v*k + 14*(1-k)
			})
		}, .7},
	} {
		for _, src := range [][]string{
			{"exif-sequence-lund", "03.jpg"}, {"exif-sequence-lund", "21.jpg"}, {"exif-sequence-arezzo", "DSCN0027.jpg"}, {"exif-action-cam", "DSC00001.JPG"},
		} {
			p := load(t, src...)
			var first, last survey.PPM
			for level := range 5 {
				m, q := rate(d.make(p, level))
				t.Logf("%-18s %-14s %d: score %d %s sharp %d exp %d clear %d  focus %.3f motion %.3f noise %.2f med %.0f spread %.0f clip %.3f+%.3f blk %.3f B%.2f", d.name, src[1], level, q.Score, q.Grade, q.Sharpness, q.Exposure, q.Clear, m.Focus, m.Motion, m.Noise, m.Median, m.Spread, m.Black, m.White, m.Blocked, m.Blocks)
				if level == 0 {
					first = q.Score
				} else if q.Score > last+last/50 { // a fiftieth: the parts are estimates
					t.Errorf("%s of %s: level %d rates %d, better than %d before", d.name, src[1], level, q.Score, last)
				}
				last = q.Score
			}
			if float64(last) > d.fall*float64(first) {
				t.Errorf("%s of %s: %d at first, still %d at last", d.name, src[1], first, last)
			}
		}
	}
}

func TestPartsStandForThemselves(t *testing.T) {
	th := quality.V2()
	base := quality.Measures{Focus: .8, Median: 120, Spread: 180, Noise: 1}
	cam := quality.Camera{Width: 2028, FOV: 100, Accuracy: 2}
	whole := th.Rate(base, cam)
	if ok, _ := th.Fit(whole); !ok || whole.Night {
		t.Fatalf("%+v", whole)
	}
	worse := base
	worse.Motion = .4
	if q := th.Rate(worse, cam); q.Sharpness >= whole.Sharpness || q.Exposure != whole.Exposure {
		t.Errorf("motion: %+v", q)
	}
	far := cam
	far.Accuracy = 20
	if q := th.Rate(base, far); q.Position >= whole.Position || q.Sharpness != whole.Sharpness {
		t.Errorf("position: %+v", q)
	}
	far.Accuracy = 0
	if q := th.Rate(base, far); q.Position <= 0 || q.Position >= survey.One {
		t.Errorf("unknown position: %+v", q)
	}
	for m, before := geo.Meters(.1), survey.One; m < 1000; m *= 2 {
		q := th.Rate(base, quality.Camera{Width: 2028, Accuracy: m})
		if q.Position > before {
			t.Errorf("%v m rates %d, a better accuracy %d", m, q.Position, before)
		}
		before = q.Position
	}
	blind := th.Rate(quality.Measures{}, cam)
	if ok, part := th.Fit(blind); ok || blind.Grade != "E" {
		t.Errorf("a picture of nothing is %+v %s", blind, part)
	}
}

// At night black sky and a narrow range are no faults; the same measures by day would be.
func TestNightIsItsOwnRegime(t *testing.T) {
	th := quality.V2()
	cam := quality.Camera{Width: 2028, FOV: 100, Accuracy: 2}
	night := quality.Measures{Focus: .7, Median: th.NightMedian.Worst, Spread: 75, Noise: 3, Black: .2}
	day := night
	day.Median = th.NightMedian.Best
	n, d := th.Rate(night, cam), th.Rate(day, cam)
	if !n.Night || d.Night || n.Exposure <= d.Exposure {
		t.Fatalf("night %+v, day %+v", n, d)
	}
}

func BenchmarkMeasure(b *testing.B) {
	th := quality.V2()
	p := plane{make([]uint8, 1024*517), 1024, 517}
	for i := range p.px {
		p.px[i] = uint8(i * i >> 7)
	}
	for b.Loop() {
		th.Measure(p.px, p.w, p.h)
	}
}
