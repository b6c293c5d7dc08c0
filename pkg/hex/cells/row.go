package cells

import (
	"time"

	"github.com/roadcomb/roadcomb/pkg/hex/freshness"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Row is what is known of a cell: sums and extremes over its observations, so that the row of a parent is exactly the
// merge of its children's rows. Times are UTC microseconds.
type Row struct {
	Cell         survey.Cell
	Live         int64 // base cells with an observation under this one; 1 at the base resolution
	Observations int64
	QualitySum   int64 // sum of qualities in parts per million
	BestQuality  survey.PPM
	FirstSeen    time.Time // oldest capture
	LastSeen     time.Time // newest capture: the map's clock
	LastReceived time.Time // newest arrival: the rewards' clock
	Seen         freshness.Seen
}

// Freshness of the cell at asOf, of the default class. For a cell coarser than the base it is that of everything seen
// anywhere in it, as if seen in one place; EachFresh gives the mean over the base cells instead.
func (r Row) Freshness(p freshness.Params, asOf time.Time) survey.PPM {
	return p.Of(&r.Seen, freshness.DefaultClass, asOf)
}

// MeanQuality is the mean of the observations' qualities, rounded down.
func (r Row) MeanQuality() survey.PPM {
	if r.Observations == 0 {
		return 0
	}
	return survey.PPM(r.QualitySum / r.Observations)
}

// Headings is when the cell was last seen from each 45° sector, clockwise from the one centred on north; zero for never.
func (r Row) Headings() (h [freshness.Buckets]time.Time) {
	for b := range h {
		h[b] = r.Seen.Last(b)
	}
	return h
}

// sums is a Row in the making: times as microseconds.
type sums struct {
	live, obs, quality, best int64
	first, last, received    int64
	seen                     freshness.Seen
}

func (s *sums) add(o survey.Observation) {
	t, r := state.Micros(o.CapturedAt), state.Micros(o.ReceivedAt)
	if s.obs == 0 {
		s.first, s.last, s.received = t, t, r
	}
	s.obs++
	s.quality += int64(o.Quality)
	s.best = max(s.best, int64(o.Quality))
	s.first, s.last, s.received = min(s.first, t), max(s.last, t), max(s.received, r)
	h := int64(-1)
	if o.HeadingDeg >= 0 {
		h = int64(o.HeadingDeg) * 1000
	}
	s.seen.Add(h, o.Quality, o.CapturedAt)
}

// merge adds what o counts; live is the caller's.
func (s *sums) merge(o *sums) {
	if o.obs == 0 {
		return
	}
	if s.obs == 0 {
		live := s.live
		*s = *o
		s.live = live
		return
	}
	s.obs += o.obs
	s.quality += o.quality
	s.extend(o)
}

func (s *sums) extend(o *sums) {
	s.best = max(s.best, o.best)
	s.first, s.last, s.received = min(s.first, o.first), max(s.last, o.last), max(s.received, o.received)
	s.seen.Merge(&o.seen)
}

// covers reports whether every extreme of s is at least as far out as o's, so that replacing o by s takes nothing away.
func (s *sums) covers(o *sums) bool {
	if s.obs == 0 || s.best < o.best || s.first > o.first || s.last < o.last || s.received < o.received {
		return false
	}
	for b := range s.seen {
		for l := range s.seen[b] {
			if s.seen[b][l] < o.seen[b][l] {
				return false
			}
		}
	}
	return true
}

func (s *sums) row(c survey.Cell) Row {
	return Row{
		Cell: c, Live: s.live, Observations: s.obs, QualitySum: s.quality, BestQuality: survey.PPM(s.best),
		FirstSeen: state.Time(s.first), LastSeen: state.Time(s.last), LastReceived: state.Time(s.received), Seen: s.seen,
	}
}

// timeOf is the time of a count of microseconds, which 0 is too.
func timeOf(us int64) time.Time { return time.UnixMicro(us).UTC() }
