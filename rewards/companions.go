package rewards

import (
	"cmp"
	"slices"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Companion is a drive that travelled with another: a second camera in the same car, whosever.
type Companion struct {
	Drive, With int32      // indexes into Inputs.Drives; With was received first
	Frames      int        // of Drive that were in one cell with With within five seconds
	Score       survey.PPM // share of Drive's frames
}

// KindCompanion is the kind of finding that Companions gives rise to.
const KindCompanion = "companion"

// Companions finds drives that kept company with one other drive for at least a quarter of their frames and at least
// five. Two cars on one street meet for a cell or two; two cameras in one car meet all the way. Of two companions only
// the one received later is reported, at equal times the one with the larger id, and for each only the drive it kept
// most company with. Whose they are plays no part. Ordered by drive.
func Companions(in Inputs) []Companion {
	const near = 5 * micros
	obs := slices.Clone(in.Contributions)
	slices.SortFunc(obs, func(a, b Contribution) int {
		if n := cmp.Compare(a.Cell, b.Cell); n != 0 {
			return n
		}
		return cmp.Compare(a.CapturedAt, b.CapturedAt)
	})
	first := make([]int64, len(in.Drives)) // reception
	frames := make([]int, len(in.Drives))
	for _, o := range obs {
		if frames[o.Drive] == 0 || o.ReceivedAt < first[o.Drive] {
			first[o.Drive] = o.ReceivedAt
		}
		frames[o.Drive]++
	}
	later := func(a, b int32) bool {
		if first[a] != first[b] {
			return first[a] > first[b]
		}
		return in.Drives[a].ID > in.Drives[b].ID
	}
	type pair struct{ drive, with int32 }
	type met struct{ frames, last int }
	meetings := map[pair]met{}
	meet := func(i int, with int32) { // frame i, once for each companion
		p := pair{obs[i].Drive, with}
		m := meetings[p]
		if m.frames == 0 || m.last != i {
			meetings[p] = met{m.frames + 1, i}
		}
	}
	for i := range obs {
		// Each frame looks both ways, so that a frame is counted with itself as the subject only, in one go.
		for j := i - 1; j >= 0 && obs[j].Cell == obs[i].Cell && obs[i].CapturedAt-obs[j].CapturedAt <= near; j-- {
			if obs[j].Drive != obs[i].Drive && later(obs[i].Drive, obs[j].Drive) {
				meet(i, obs[j].Drive)
			}
		}
		for j := i + 1; j < len(obs) && obs[j].Cell == obs[i].Cell && obs[j].CapturedAt-obs[i].CapturedAt <= near; j++ {
			if obs[j].Drive != obs[i].Drive && later(obs[i].Drive, obs[j].Drive) {
				meet(i, obs[j].Drive)
			}
		}
	}
	best := map[int32]Companion{}
	for p, m := range meetings {
		c := Companion{p.drive, p.with, m.frames, survey.PPM(int64(m.frames) * int64(survey.One) / int64(frames[p.drive]))}
		if m.frames < 5 || c.Score < survey.One/4 {
			continue
		}
		if b, ok := best[p.drive]; !ok || c.Frames > b.Frames || c.Frames == b.Frames && in.Drives[c.With].ID < in.Drives[b.With].ID {
			best[p.drive] = c
		}
	}
	out := make([]Companion, 0, len(best))
	for _, c := range best {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Companion) int { return cmp.Compare(in.Drives[a.Drive].ID, in.Drives[b.Drive].ID) })
	return out
}
