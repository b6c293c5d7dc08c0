package worker

import (
	"context"
	"image"
	"math"
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// A detector that sees a face in one frame and misses it in the next has not hidden it. So each frame is also covered
// where something found in a neighbouring frame is seen again: the patch is looked for around its old place, and where
// it is recognised the box is carried there. Nothing is carried blindly; between frames metres apart most places change.
const (
	carryLeast      = 0.5             // confidence a detection must have to be carried
	carryLikeness   = 0.75            // correlation at which a patch counts as seen again
	carryFrames     = 2               // how many frames a detection is carried forwards; backwards it is one
	carryGap        = 3 * time.Second // frames further apart in time are no neighbours
	carryReachShare = 0.06            // of the picture's width: how far a patch is looked for, besides twice its size
)

// carry adds to the frame what its neighbours show: from the next frame backwards, and, before this frame's pixels are
// covered, from this frame to the next one.
func (w *Worker) carry(_ context.Context, s *shot) error {
	s.boxes = append(s.boxes, s.carried...)
	n := s.next
	if n == nil || n.im == nil || n.verdict.Reason != "" {
		return nil
	}
	for _, b := range n.boxes { // found there; what was carried there is not in yet
		if c, ok := follow(n, b, s); ok {
			s.boxes = append(s.boxes, c)
			s.ages = append(s.ages, carryFrames) // goes no further
		}
	}
	found := len(s.boxes) - len(s.ages)
	for i, b := range s.boxes {
		age := 0
		if i >= found {
			age = s.ages[i-found]
		}
		if age >= carryFrames {
			continue
		}
		if c, ok := follow(s, b, n); ok {
			n.carried = append(n.carried, c)
			n.ages = append(n.ages, age+1)
		}
	}
	return nil
}

// follow looks for a box of one frame in the other, and reports false where the other covers the place already.
func follow(from *shot, b survey.Box, to *shot) (survey.Box, bool) {
	if b.Confidence < carryLeast {
		return b, false
	}
	box := image.Rect(int(b.X), int(b.Y), int(math.Ceil(b.X+b.W)), int(math.Ceil(b.Y+b.H)))
	reach := 2*max(box.Dx(), box.Dy()) + int(carryReachShare*float64(to.im.Width()))
	place, like := from.im.Follow(box, to.im, reach)
	if like < carryLikeness || place.Empty() {
		return b, false
	}
	b.X, b.Y, b.W, b.H = float64(place.Min.X), float64(place.Min.Y), float64(place.Dx()), float64(place.Dy())
	b.Confidence *= like
	b.Carried = true
	for _, known := range [2][]survey.Box{to.boxes, to.carried} {
		for _, k := range known {
			if same(k, b) {
				return b, false
			}
		}
	}
	return b, true
}

// same reports whether a holds at least half of b: then what b shows was found there, and more exactly.
func same(a, b survey.Box) bool { return shared(a, b) >= 0.5*b.W*b.H }

// shared is the area two boxes share.
func shared(a, b survey.Box) float64 {
	w := math.Min(a.X+a.W, b.X+b.W) - math.Max(a.X, b.X)
	h := math.Min(a.Y+a.H, b.Y+b.H) - math.Max(a.Y, b.Y)
	return math.Max(w, 0) * math.Max(h, 0)
}
