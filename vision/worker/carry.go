package worker

import (
	"cmp"
	"context"
	"encoding/json"
	"image"
	"math"
	"slices"
	"time"

	"github.com/roadcomb/roadcomb/pkg/state"
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
func (w *Worker) carry(ctx context.Context, s *shot) error {
	s.boxes = append(s.boxes, s.carried...)
	n := s.next
	if n == nil || n.im == nil || n.verdict.Reason != "" {
		return nil
	}
	found := len(s.boxes) - len(s.ages)
	var forth, back []survey.Box
	var ages []int
	for _, i := range unmatched(n.boxes, s.boxes, s.im.Width()) { // found there; what was carried there is not in yet
		back = append(back, n.boxes[i])
	}
	for i, b := range s.boxes {
		age := 0
		if i >= found {
			age = s.ages[i-found]
		}
		if age < carryFrames {
			forth, ages = append(forth, b), append(ages, age+1)
		}
	}
	left := unmatched(forth, n.boxes, s.im.Width())
	for k, i := range left {
		forth[k], ages[k] = forth[i], ages[i] // i ≥ k
	}
	forth = forth[:len(left)]
	seen, err := w.follow(ctx, s, forth, n)
	if err != nil {
		return err
	}
	for i, c := range seen {
		if c.Carried && !known(c, n.boxes) && !known(c, n.carried) {
			n.carried, n.ages = append(n.carried, c), append(n.ages, ages[i])
		}
	}
	if seen, err = w.follow(ctx, n, back, s); err != nil {
		return err
	}
	for _, c := range seen {
		if c.Carried && !known(c, s.boxes) && !known(c, s.carried) {
			s.boxes = append(s.boxes, c)
		}
	}
	n.isLent = true
	return nil
}

// loan is what a frame lends the next one, as it is kept for a later try.
type loan struct {
	Boxes []survey.Box `json:"boxes"`
	Ages  []int        `json:"ages"`
}

// lend keeps what the frame was lent, so that the next try begins with it. A neighbour that is shown already cannot lend
// it again: it knows what was found in it, but not what it had been lent itself, and with that how the loans of several
// frames competed.
func (s *shot) lend(ctx context.Context, tx *state.Tx) error {
	if !s.isLent {
		return nil
	}
	b, err := json.Marshal(loan{s.carried, s.ages})
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO vision_carried (frame_id, carried) SELECT id, $2 FROM frames WHERE id = $1 AND state = 'pending'
		ON CONFLICT (frame_id) DO UPDATE SET carried = excluded.carried`, string(s.id), string(b))
	return err
}

// resume gives the first frame to show what it was lent in an earlier try. The neighbour that lent it is then not needed.
func resume(shots []*shot) ([]*shot, error) {
	i := slices.IndexFunc(shots, func(s *shot) bool { return !s.aside })
	if i < 0 || shots[i].lent == "" {
		return shots, nil
	}
	s := shots[i]
	var l loan
	if err := json.Unmarshal([]byte(s.lent), &l); err != nil || len(l.Boxes) != len(l.Ages) {
		return nil, survey.Errorf(survey.Internal, "what frame %s was lent is damaged: %d boxes, %d ages: %v", s.id, len(l.Boxes), len(l.Ages), err)
	}
	s.carried, s.ages, s.isLent = l.Boxes, l.Ages, true
	return shots[i:], nil
}

// unmatched gives the places in from of the boxes that have no partner in to: of the same class, at most twice as large
// or small, and near. Nearest pairs are partners first, and a box is partner of one only: of two faces side by side of
// which one is found again, the other is left.
func unmatched(from, to []survey.Box, width int) []int {
	type pair struct {
		i, j int
		d    float64
	}
	var pairs []pair
	for i, a := range from {
		for j, b := range to {
			size := math.Sqrt(a.W * a.H / (b.W * b.H))
			d := math.Hypot(a.X+a.W/2-b.X-b.W/2, a.Y+a.H/2-b.Y-b.H/2)
			if a.Class == b.Class && size > 0.5 && size < 2 && d <= float64(reach(a, width)) {
				pairs = append(pairs, pair{i, j, d})
			}
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(a.d, b.d) })
	partnered, taken := make([]bool, len(from)), make([]bool, len(to))
	for _, p := range pairs {
		if !partnered[p.i] && !taken[p.j] {
			partnered[p.i], taken[p.j] = true, true
		}
	}
	var out []int
	for i, ok := range partnered {
		if !ok {
			out = append(out, i)
		}
	}
	return out
}

// reach is how far a box may move from one frame to the next, in pixels.
func reach(b survey.Box, width int) int {
	return int(2*math.Max(b.W, b.H) + carryReachShare*float64(width))
}

// follow looks for boxes of one frame in the other. Those seen again are marked as carried, at their new place.
func (w *Worker) follow(ctx context.Context, from *shot, boxes []survey.Box, to *shot) ([]survey.Box, error) {
	var places []image.Rectangle
	var far []int
	var out []survey.Box
	for _, b := range boxes {
		if b.Carried = false; b.Confidence < carryLeast {
			b.W = 0 // not followed
		}
		out = append(out, b)
		places = append(places, image.Rect(int(b.X), int(b.Y), int(math.Ceil(b.X+b.W)), int(math.Ceil(b.Y+b.H))))
		far = append(far, reach(b, to.im.Width()))
	}
	at, like, err := from.im.Follow(ctx, stepLimit, to.im, places, far)
	if err != nil {
		return nil, err
	}
	for i, place := range at {
		if b := &out[i]; like[i] >= carryLikeness && !place.Empty() && b.W > 0 {
			b.X, b.Y, b.W, b.H = float64(place.Min.X), float64(place.Min.Y), float64(place.Dx()), float64(place.Dy())
			b.Confidence *= like[i]
			b.Carried = true
		}
	}
	return out, nil
}

// known reports whether the place is covered already.
func known(b survey.Box, by []survey.Box) bool {
	return slices.ContainsFunc(by, func(k survey.Box) bool { return same(k, b) })
}

// same reports whether a holds at least half of b: then what b shows was found there, and more exactly.
func same(a, b survey.Box) bool { return shared(a, b) >= 0.5*b.W*b.H }

// shared is the area two boxes share.
func shared(a, b survey.Box) float64 {
	w := math.Min(a.X+a.W, b.X+b.W) - math.Max(a.X, b.X)
	h := math.Min(a.Y+a.H, b.Y+b.H) - math.Max(a.Y, b.Y)
	return math.Max(w, 0) * math.Max(h, 0)
}
