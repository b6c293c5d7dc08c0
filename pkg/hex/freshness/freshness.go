// Package freshness is the published formula of how fresh a cell is and how much another look at it is worth, in
// integers: parts per million of a dated set of parameters, the same on every machine and for any order of arrival.
//
// FORMULA.md beside this file is the specification; the parameters are the dated files in params. The package reads no
// clock, holds no state and knows no database: hex/cells keeps the Seen values, rewards asks for saturation.
package freshness

import (
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Buckets is into how many 45° sectors headings are sorted: sector 0 is centred on north, 2 on east. Unknown is the
// place after them, for a frame without a heading.
const (
	Buckets = 8
	Unknown = Buckets
)

// Levels is into how many bands quality is sorted. The bounds are part of the state's format, not parameters: changing
// them needs a rebuild. The weights of the levels are parameters.
const Levels = 4

// LevelOf is the band of a quality: 0 below 40 %, 1 below 60 %, 2 below 80 %, 3 from there.
func LevelOf(q survey.PPM) int {
	switch {
	case q < 400_000:
		return 0
	case q < 600_000:
		return 1
	case q < 800_000:
		return 2
	}
	return 3
}

// BucketOf is the sector of a heading in thousandths of a degree clockwise from true north; a negative one is Unknown.
// Sector b is [45b-22.5, 45b+22.5) degrees.
func BucketOf(headingMdeg int64) int {
	if headingMdeg < 0 {
		return Unknown
	}
	return int((headingMdeg%360_000 + 22_500) / 45_000 % Buckets)
}

// Seen is when a cell was last seen, by heading sector and quality level: whole seconds since 1970 of the newest capture,
// 0 for never. It is a join of maxima: adding the same observation twice, in any order, or merging parts in any
// grouping gives the same value.
type Seen [Buckets + 1][Levels]uint32

// Add notes an observation. A capture before 1970 or after 2106 is outside what it can hold and is clamped.
func (s *Seen) Add(headingMdeg int64, q survey.PPM, captured time.Time) {
	t := &s[BucketOf(headingMdeg)][LevelOf(q)]
	*t = max(*t, Second(captured))
}

// Merge adds all that o has seen.
func (s *Seen) Merge(o *Seen) {
	for b := range s {
		for l := range s[b] {
			s[b][l] = max(s[b][l], o[b][l])
		}
	}
}

// Last is the newest capture in the sector at any quality; the zero time for never.
func (s *Seen) Last(bucket int) time.Time {
	var t uint32
	for _, v := range s[bucket] {
		t = max(t, v)
	}
	if t == 0 {
		return time.Time{}
	}
	return time.Unix(int64(t), 0).UTC()
}

// Second is t in whole seconds, clamped to [1, 2^32): the clock of Seen.
func Second(t time.Time) uint32 { return uint32(min(max(t.Unix(), 1), 1<<32-1)) }

// Of is the freshness at asOf of a cell of the class, in parts per million: FORMULA.md §3. An unknown class is the
// default one. It never rises as asOf passes, never falls by seeing more, and is 0 for a cell never seen.
//
// One side is the best of the weighted sectors; where the class asks for two sides, the result is half the best sum of a
// sector and one of the three that face it. A capture later than asOf counts as one at asOf.
func (p Params) Of(s *Seen, class string, asOf time.Time) survey.PPM {
	c, ok := p.Freshness.Classes[class]
	if !ok {
		c = p.Freshness.Classes[DefaultClass]
	}
	now := asOf.Unix()
	var f [Buckets + 1]int64
	var best int64
	for b := range s {
		for l, t := range s[b] {
			if t != 0 {
				f[b] = max(f[b], Decay(now-int64(t), c.HalfLife)*int64(p.Freshness.LevelWeights[l])/1_000_000)
			}
		}
		best = max(best, f[b])
	}
	if c.Sides < 2 {
		return survey.PPM(best)
	}
	both := best
	for b := range Buckets {
		facing := max(f[(b+3)%Buckets], f[(b+4)%Buckets], f[(b+5)%Buckets])
		both = max(both, f[b]+facing)
	}
	return survey.PPM(both / 2)
}
