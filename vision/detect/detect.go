// Package detect finds what must be made unreadable: it runs the networks of a models.Set over a picture, close enough
// that small faces and plates are seen, and gives their boxes.
//
// It errs towards finding: thresholds are low, several scales are looked at, and boxes at the seam of two tiles are both
// kept. It never answers in part: if one pass of one network fails, the whole picture has no answer.
package detect

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"slices"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/vision/cv"
	"github.com/roadcomb/roadcomb/vision/infer"
	"github.com/roadcomb/roadcomb/vision/models"
)

// Options of Open. The zero value works.
type Options struct {
	Threads int // for one network run; 0 means 1
	// MaxTile bounds the input of one run in pixels a side; larger pictures are cut in overlapping tiles. 0 means 768,
	// where what a network keeps between its layers fits a core's cache: a fifth less time than at 2048.
	MaxTile int
}

// Guard looks at pictures with all the networks of one set. It is safe for concurrent use.
type Guard struct {
	nets []net
	refs []survey.ModelRef
	tile int
}

type net struct {
	models.Model
	s *infer.Session
}

// tileOverlap is what neighbouring tiles share, in pixels of the network's input: more than the largest object that a
// pass is meant to find alone, since larger ones are found by a pass at a smaller scale.
const tileOverlap = 64

// Open loads the networks of a set. Close the Guard before the Runtime.
func Open(rt *infer.Runtime, set models.Set, o Options) (*Guard, error) {
	g := &Guard{refs: set.Refs(), tile: o.MaxTile}
	if g.tile <= 0 {
		g.tile = 768
	}
	for _, m := range set.Models {
		s, err := rt.Session(m.Name, m.ONNX, infer.Options{Threads: o.Threads})
		if err != nil {
			return nil, errors.Join(err, g.Close())
		}
		g.nets = append(g.nets, net{m.Model, s})
	}
	return g, nil
}

// Close frees the networks.
func (g *Guard) Close() error {
	var err error
	for _, n := range g.nets {
		err = errors.Join(err, n.s.Close())
	}
	g.nets = nil
	return err
}

// Models names the networks that look.
func (g *Guard) Models() []survey.ModelRef { return slices.Clone(g.refs) }

// Margin is the largest margin that the manifest asks for a class, as a share of the box on each side.
func (g *Guard) Margin() float64 {
	var m float64
	for _, n := range g.nets {
		m = max(m, n.Margin)
	}
	return m
}

// Detect gives the boxes in pixels of the picture, clipped to it, ordered by class, falling confidence and place. It
// fails as a whole: with ctx's error when time runs out, with infer.ErrNotANumber when a network does not answer with
// numbers.
func (g *Guard) Detect(ctx context.Context, im *cv.Image) ([]survey.Box, error) {
	if len(g.nets) == 0 {
		return nil, models.ErrNone
	}
	var out []survey.Box
	for _, n := range g.nets {
		boxes, err := g.look(ctx, n, im)
		if err != nil {
			return nil, err
		}
		out = append(out, boxes...)
	}
	return out, nil
}

// wholeTile bounds a run of a network's coarsest pass. Larger objects than the overlap of two tiles are found by a coarser
// pass; for the coarsest there is none, so it is cut as late as memory allows.
const wholeTile = 2048

func (g *Guard) look(ctx context.Context, n net, im *cv.Image) ([]survey.Box, error) {
	w, h := im.Width(), im.Height()
	mpx := float64(w) * float64(h) / 1e6
	var passes []models.Pass
	coarsest := math.Inf(1)
	for _, p := range n.Passes {
		if mpx >= p.MinMpx && (p.MaxMpx <= 0 || mpx < p.MaxMpx) {
			passes = append(passes, p)
			coarsest = min(coarsest, p.Scale)
		}
	}
	var found []survey.Box
	var hints []survey.Box // what was given any score that a later pass looks closer at
	hint := 1.0
	for _, p := range passes {
		if p.Around > 0 {
			hint = min(hint, p.Around)
		}
	}
	for _, p := range passes {
		side := g.tile
		if p.Scale == coarsest {
			side = max(side, wholeTile)
		}
		looks := tiles(w, h, p, side)
		if p.Around > 0 {
			looks = around(hints, w, h, p, side)
		}
		for _, t := range looks {
			blob, err := im.Blob(t.src, t.w, t.h, n.Input.Align, cv.BlobSpec{RGB: n.Input.RGB, Mean: n.Input.Mean, Scale: n.Input.Scale})
			if err != nil {
				return nil, err
			}
			err = n.s.Run(ctx, blob.Data, []int64{1, 3, int64(blob.H), int64(blob.W)}, func(out []infer.Tensor) error {
				read := readBoxes
				if n.Kind == models.KindTextMap {
					read = readTextMap
				}
				return read(n.Model, hint, out, func(b survey.Box) {
					sx, sy := float64(t.src.Dx())/float64(t.w), float64(t.src.Dy())/float64(t.h)
					b.X, b.W = b.X*sx+float64(t.src.Min.X), b.W*sx
					b.Y, b.H = b.Y*sy+float64(t.src.Min.Y), b.H*sy
					b, ok := clip(b, w, h)
					if !ok || b.Class == survey.ClassText && !plateSized(b, h) {
						return
					}
					if b.Confidence >= n.Thresholds[b.Class] {
						found = append(found, b)
					}
					if b.Confidence >= hint && p.Around == 0 {
						hints = append(hints, b)
					}
				})
			})
			blob.Close()
			if err != nil {
				return nil, fmt.Errorf("detect: %w", err)
			}
		}
	}
	return suppress(found, n.NMS), nil
}

// What a pass that looks around hints takes as one: small enough that a closer look shows more than was seen.
const (
	hintSide  = 48  // pixels of the picture, shorter side, at most
	hintRoom  = 1.0 // picture around a hint on each side, in its longer side …
	hintLeast = 12  // … and at least so many pixels
)

// around gives the parts of the band in which hints lie, with room, joined where apart they would be more to look at.
func around(hints []survey.Box, w, h int, p models.Pass, side int) []tile {
	band := image.Rect(0, 0, w, h)
	if p.Band != [2]float64{} {
		band.Min.Y, band.Max.Y = int(p.Band[0]*float64(h)), int(math.Ceil(p.Band[1]*float64(h)))
	}
	most := int(float64(side) / p.Scale)
	grain := max(1, int(32/p.Scale)) // inputs are padded to so much
	up := func(v int) int { return (v + grain - 1) / grain * grain }
	var parts []image.Rectangle
	for _, b := range hints {
		box := image.Rect(int(b.X), int(b.Y), int(math.Ceil(b.X+b.W)), int(math.Ceil(b.Y+b.H)))
		if min(b.W, b.H) > hintSide || b.Confidence < p.Around || !box.Overlaps(band) {
			continue
		}
		room := math.Max(hintLeast, hintRoom*math.Max(b.W, b.H))
		r := image.Rect(int(b.X-room), int(b.Y-room), int(math.Ceil(b.X+b.W+room)), int(math.Ceil(b.Y+b.H+room))).Intersect(band)
		parts = append(parts, r)
	}
	area := func(r image.Rectangle) int { return up(r.Dx()) * up(r.Dy()) }
	for joined := true; joined; {
		joined = false
		for i := 0; i < len(parts); i++ {
			for j := i + 1; j < len(parts); j++ {
				u := parts[i].Union(parts[j])
				if u.Dx() <= most && u.Dy() <= most && area(u) <= area(parts[i])+area(parts[j]) {
					parts[i] = u
					parts = append(parts[:j], parts[j+1:]...)
					j, joined = i, true
				}
			}
		}
	}
	out := make([]tile, 0, len(parts))
	for _, r := range parts {
		out = append(out, tile{r, int(math.Round(float64(r.Dx()) * p.Scale)), int(math.Round(float64(r.Dy()) * p.Scale))})
	}
	return out
}

// tile is a part of the picture and the size it is scaled to.
type tile struct {
	src  image.Rectangle
	w, h int
}

// tiles cuts the pass's band of a w × h picture so that no input is larger than side × side.
func tiles(w, h int, p models.Pass, side int) []tile {
	y0, y1 := 0, h
	if p.Band != [2]float64{} {
		y0, y1 = int(p.Band[0]*float64(h)), int(math.Ceil(p.Band[1]*float64(h)))
	}
	var out []tile
	for _, y := range spans(y0, y1, p.Scale, side) {
		for _, x := range spans(0, w, p.Scale, side) {
			r := image.Rect(x[0], y[0], x[1], y[1])
			out = append(out, tile{r, max(1, int(math.Round(float64(r.Dx())*p.Scale))), max(1, int(math.Round(float64(r.Dy())*p.Scale)))})
		}
	}
	return out
}

// spans cuts [from, to) into the fewest equal parts that, scaled, fit in side, each pair sharing tileOverlap.
func spans(from, to int, scale float64, side int) [][2]int {
	full, most, lap := to-from, int(float64(side)/scale), int(math.Ceil(tileOverlap/scale))
	if full <= most {
		return [][2]int{{from, to}}
	}
	n := (full - lap + most - lap - 1) / (most - lap)
	size := (full + (n-1)*lap + n - 1) / n
	out := make([][2]int, n)
	for i := range out {
		a := from + i*(size-lap)
		out[i] = [2]int{min(a, to-size), min(a+size, to)}
	}
	return out
}

func clip(b survey.Box, w, h int) (survey.Box, bool) {
	x0, y0 := math.Max(b.X, 0), math.Max(b.Y, 0)
	x1, y1 := math.Min(b.X+b.W, float64(w)), math.Min(b.Y+b.H, float64(h))
	b.X, b.Y, b.W, b.H = x0, y0, x1-x0, y1-y0
	return b, b.W >= 1 && b.H >= 1
}

// readBoxes reads KindBoxes, down to hint where that is below a class's threshold; a class without one is not read. A
// size that does not fit, or a score outside [0, 1], is an error: the weights are then not what the manifest says.
func readBoxes(m models.Model, hint float64, out []infer.Tensor, emit func(survey.Box)) error {
	var boxes, scores *infer.Tensor
	for i := range out {
		switch out[i].Name {
		case "boxes":
			boxes = &out[i]
		case "scores":
			scores = &out[i]
		}
	}
	k := len(m.Classes)
	if boxes == nil || scores == nil || len(boxes.Data)%4 != 0 || len(scores.Data) != len(boxes.Data)/4*k {
		return survey.Errorf(survey.Unsupported, "model %s does not answer with boxes [N,4] and scores [N,%d]", m.Name, k)
	}
	least := make([]float32, k)
	for c, class := range m.Classes {
		least[c] = float32(math.Inf(1))
		if t, ok := m.Thresholds[class]; ok {
			least[c] = float32(min(t, hint))
		}
	}
	for i, s := range scores.Data {
		if s < 0 || s > 1.0001 {
			return survey.Errorf(survey.Internal, "model %s gives a score of %v", m.Name, s)
		}
		if s < least[i%k] {
			continue
		}
		b := boxes.Data[i/k*4:]
		emit(survey.Box{
			Class: m.Classes[i%k], X: float64(b[0]), Y: float64(b[1]), W: float64(b[2] - b[0]), H: float64(b[3] - b[1]),
			Confidence: math.Min(float64(s), 1), Model: m.Name,
		})
	}
	return nil
}

// suppress keeps, of each group of boxes of one class that overlap by more than iou, the most confident one.
func suppress(boxes []survey.Box, iou float64) []survey.Box {
	slices.SortFunc(boxes, order)
	var kept []survey.Box
next:
	for _, b := range boxes {
		for _, k := range kept {
			if k.Class == b.Class && IoU(k, b) > iou {
				continue next
			}
		}
		kept = append(kept, b)
	}
	return kept
}

func order(a, b survey.Box) int {
	switch {
	case a.Class != b.Class:
		if a.Class < b.Class {
			return -1
		}
		return 1
	case a.Confidence != b.Confidence:
		if a.Confidence > b.Confidence {
			return -1
		}
		return 1
	}
	return slices.Compare([]float64{a.Y, a.X, a.H, a.W}, []float64{b.Y, b.X, b.H, b.W})
}

// IoU is the area two boxes share over the area they cover together, 0 to 1.
func IoU(a, b survey.Box) float64 {
	s := Shared(a, b)
	if s == 0 {
		return 0
	}
	return s / (a.W*a.H + b.W*b.H - s)
}

// Shared is the area two boxes share, in square pixels.
func Shared(a, b survey.Box) float64 {
	w := math.Min(a.X+a.W, b.X+b.W) - math.Max(a.X, b.X)
	h := math.Min(a.Y+a.H, b.Y+b.H) - math.Max(a.Y, b.Y)
	if w <= 0 || h <= 0 {
		return 0
	}
	return w * h
}
