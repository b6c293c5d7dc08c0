package cv

import (
	"image"
	"math"

	"gocv.io/x/gocv"
)

// followSide is the size that a patch is shrunk to before it is looked for: enough to know it again, cheap to slide.
const followSide = 16

// Follow looks in another picture for what box shows in this one, at most reach pixels away and up to a sixth larger or
// smaller. It gives the place and the normalised correlation there, −1 to 1; a patch without contrast gives 0.
func (im *Image) Follow(box image.Rectangle, to *Image, reach int) (image.Rectangle, float64) {
	box = box.Intersect(im.Bounds())
	if box.Dx() < 6 || box.Dy() < 6 {
		return image.Rectangle{}, 0
	}
	area := box.Inset(-reach - max(box.Dx(), box.Dy())/4).Intersect(to.Bounds())
	if area.Dx() < box.Dx() || area.Dy() < box.Dy() {
		return image.Rectangle{}, 0
	}
	k := math.Min(1, followSide/float64(max(box.Dx(), box.Dy())))
	field, at := to.grey(area, k)
	defer field.Close()
	var best float32
	var place image.Rectangle
	for _, zoom := range [...]float64{1, 0.86, 1.17} {
		if best > 0.95 {
			break
		}
		patch, _ := im.grey(box, k*zoom)
		if patch.Cols() > field.Cols() || patch.Rows() > field.Rows() || flat(patch) {
			patch.Close()
			continue
		}
		res, none := gocv.NewMat(), gocv.NewMat()
		gocv.MatchTemplate(field, patch, &res, gocv.TmCcoeffNormed, none)
		_, v, _, p := gocv.MinMaxLoc(res)
		if v > best && v <= 1.01 { // a constant field divides by zero
			best = v
			x, y := area.Min.X+int(math.Round(float64(p.X)/at)), area.Min.Y+int(math.Round(float64(p.Y)/at))
			place = image.Rect(x, y, x+int(math.Round(float64(box.Dx())*zoom)), y+int(math.Round(float64(box.Dy())*zoom))).Intersect(to.Bounds())
		}
		res.Close()
		none.Close()
		patch.Close()
	}
	return place, math.Min(float64(best), 1)
}

// grey is part of the picture in grey, scaled by k; at is the scale it really got.
func (im *Image) grey(r image.Rectangle, k float64) (m gocv.Mat, at float64) {
	v := im.m.Region(r)
	defer v.Close()
	m = gocv.NewMat()
	if k == 1 {
		gocv.CvtColor(v, &m, gocv.ColorBGRToGray)
		return m, 1
	}
	s := gocv.NewMat()
	defer s.Close()
	w, h := max(3, int(math.Round(float64(r.Dx())*k))), max(3, int(math.Round(float64(r.Dy())*k)))
	gocv.Resize(v, &s, image.Pt(w, h), 0, 0, interpolation(r.Dx(), w))
	gocv.CvtColor(s, &m, gocv.ColorBGRToGray)
	return m, float64(w) / float64(r.Dx())
}

// flat reports a patch that looks like anything.
func flat(m gocv.Mat) bool {
	mean, dev := gocv.NewMat(), gocv.NewMat()
	defer mean.Close()
	defer dev.Close()
	gocv.MeanStdDev(m, &mean, &dev)
	return dev.GetDoubleAt(0, 0) < 6
}
