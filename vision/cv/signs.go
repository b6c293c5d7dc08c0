package cv

import (
	"image"
	"math"
	"slices"

	"gocv.io/x/gocv"
)

// Patch is a region of one strong colour with the outline it has.
type Patch struct {
	Colour  string // red, blue, yellow
	Box     image.Rectangle
	Round   float64 // 4π × area / perimeter² of the convex outline: 1 a circle, 0.79 a square, 0.60 an equilateral triangle
	Extent  float64 // area of the convex outline over that of its box: 0.79 a circle, 1 an upright square, 0.5 a triangle or diamond
	Filled  float64 // share of the convex outline that has the colour
	Pale    float64 // share of the convex outline that is white or pale
	Dark    float64 // share of the convex outline that is black or dark
	Density float64 // mean saturation of the coloured part, 0–1
}

// patchWidth is the width that pictures are shrunk to before colours are looked for.
const patchWidth = 1280

// colours in OpenCV's HSV: hue 0–179, saturation and value 0–255.
var colours = []struct {
	name   string
	ranges [][2]gocv.Scalar
}{
	{"red", [][2]gocv.Scalar{{gocv.NewScalar(0, 90, 50, 0), gocv.NewScalar(8, 255, 255, 0)}, {gocv.NewScalar(170, 90, 50, 0), gocv.NewScalar(179, 255, 255, 0)}}},
	{"blue", [][2]gocv.Scalar{{gocv.NewScalar(100, 120, 50, 0), gocv.NewScalar(126, 255, 255, 0)}}},
	{"yellow", [][2]gocv.Scalar{{gocv.NewScalar(18, 120, 100, 0), gocv.NewScalar(34, 255, 255, 0)}}},
}

// Patches gives the regions of strong colour between least and most pixels high, in pixels of the picture.
func (im *Image) Patches(least, most int) []Patch {
	k := math.Min(1, patchWidth/float64(im.Width()))
	small := im.m
	if k < 1 {
		small = gocv.NewMat()
		defer small.Close()
		gocv.Resize(im.m, &small, image.Pt(patchWidth, max(1, int(math.Round(float64(im.Height())*k)))), 0, 0, gocv.InterpolationArea)
	}
	hsv := gocv.NewMat()
	defer hsv.Close()
	gocv.CvtColor(small, &hsv, gocv.ColorBGRToHSV)
	kernel := gocv.GetStructuringElement(gocv.MorphRect, image.Pt(3, 3))
	defer kernel.Close()
	var out []Patch
	for _, c := range colours {
		mask, more := gocv.NewMat(), gocv.NewMat()
		gocv.InRangeWithScalar(hsv, c.ranges[0][0], c.ranges[0][1], &mask)
		for _, r := range c.ranges[1:] {
			gocv.InRangeWithScalar(hsv, r[0], r[1], &more)
			gocv.BitwiseOr(mask, more, &mask)
		}
		gocv.MorphologyEx(mask, &more, gocv.MorphClose, kernel)
		contours := gocv.FindContours(more, gocv.RetrievalExternal, gocv.ChainApproxNone)
		for i := range contours.Size() {
			v := contours.At(i) // a view of the vector's
			if v.Size() < 16 {
				continue
			}
			pts := v.ToPoints()
			hull := convex(pts)
			box := around(hull)
			if h := float64(box.Dy()) / k; h < float64(least) || h > float64(most) {
				continue
			}
			p := Patch{Colour: c.name}
			area, length := measure(hull)
			if area <= 0 {
				continue
			}
			p.Round = 4 * math.Pi * area / (length * length)
			p.Extent = area / float64((box.Dx()-1)*(box.Dy()-1))
			p.inside(hsv, mask, hull, box)
			p.Box = image.Rect(int(float64(box.Min.X)/k), int(float64(box.Min.Y)/k), int(math.Ceil(float64(box.Max.X)/k)), int(math.Ceil(float64(box.Max.Y)/k))).Intersect(im.Bounds())
			out = append(out, p)
		}
		contours.Close()
		mask.Close()
		more.Close()
	}
	return out
}

// inside counts what the outline holds.
func (p *Patch) inside(hsv, mask gocv.Mat, hull []image.Point, box image.Rectangle) {
	var all, filled, pale, dark int
	var density float64
	hp, err := hsv.DataPtrUint8()
	if err != nil {
		return
	}
	mp, err := mask.DataPtrUint8()
	if err != nil {
		return
	}
	w := hsv.Cols()
	for y := box.Min.Y; y < box.Max.Y; y++ {
		x0, x1 := row(hull, y)
		for x := max(x0, 0); x <= min(x1, w-1); x++ {
			i := y*w + x
			s, v := hp[i*3+1], hp[i*3+2]
			all++
			switch {
			case mp[i] != 0:
				filled++
				density += float64(s) / 255
			case s < 90 && v > 90:
				pale++
			case v < 80:
				dark++
			}
		}
	}
	if all > 0 {
		n := float64(all)
		p.Filled, p.Pale, p.Dark = float64(filled)/n, float64(pale)/n, float64(dark)/n
		p.Density = density / math.Max(float64(filled), 1)
	}
}

// row is where a convex outline begins and ends at y.
func row(hull []image.Point, y int) (x0, x1 int) {
	x0, x1 = math.MaxInt32, math.MinInt32
	for i, a := range hull {
		b := hull[(i+1)%len(hull)]
		if a.Y > b.Y {
			a, b = b, a
		}
		if y < a.Y || y > b.Y {
			continue
		}
		x := a.X
		if b.Y > a.Y {
			x += (b.X - a.X) * (y - a.Y) / (b.Y - a.Y)
		} else {
			x0, x1 = min(x0, b.X), max(x1, b.X)
		}
		x0, x1 = min(x0, x), max(x1, x)
	}
	return x0, x1
}

// convex is the convex outline of points (Andrew's monotone chain).
func convex(pts []image.Point) []image.Point {
	pts = slices.Clone(pts)
	slices.SortFunc(pts, func(a, b image.Point) int {
		if a.X != b.X {
			return a.X - b.X
		}
		return a.Y - b.Y
	})
	half := func(pts []image.Point) (out []image.Point) {
		for _, p := range pts {
			for len(out) > 1 {
				a, b := out[len(out)-2], out[len(out)-1]
				if (b.X-a.X)*(p.Y-a.Y)-(b.Y-a.Y)*(p.X-a.X) > 0 {
					break
				}
				out = out[:len(out)-1]
			}
			out = append(out, p)
		}
		return out[:len(out)-1]
	}
	lower := half(pts)
	slices.Reverse(pts)
	return append(lower, half(pts)...)
}

func around(pts []image.Point) image.Rectangle {
	r := image.Rectangle{Min: pts[0], Max: pts[0].Add(image.Pt(1, 1))}
	for _, p := range pts {
		r = r.Union(image.Rectangle{Min: p, Max: p.Add(image.Pt(1, 1))})
	}
	return r
}

// measure gives a polygon's area and perimeter.
func measure(pts []image.Point) (area, length float64) {
	for i, a := range pts {
		b := pts[(i+1)%len(pts)]
		area += float64(a.X*b.Y-b.X*a.Y) / 2
		length += math.Hypot(float64(b.X-a.X), float64(b.Y-a.Y))
	}
	return math.Abs(area), length
}
