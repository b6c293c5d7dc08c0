package roads

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Coverage is which parts of which segments were driven, by direction, in whole millimetres: a union, so that adding the
// same match twice, in any order, or merging coverages in any grouping gives the same. The zero value is empty.
type Coverage struct {
	seen map[edgeKey][]span // sorted, apart
}

type edgeKey struct {
	segment  int
	backward bool
}

type span struct{ from, to int64 }

// Add takes in the stretches.
func (c *Coverage) Add(path []Stretch) {
	if c.seen == nil {
		c.seen = make(map[edgeKey][]span)
	}
	for _, s := range path {
		if s.From < s.To {
			k := edgeKey{s.Segment, s.Backward}
			c.seen[k] = insert(c.seen[k], span{s.From, s.To})
		}
	}
}

// Merge takes in another coverage of the same network.
func (c *Coverage) Merge(o *Coverage) { c.Add(o.Stretches()) }

// Stretches are the parts driven, by segment, direction and place, none touching another.
func (c *Coverage) Stretches() []Stretch {
	keys := slices.SortedFunc(maps.Keys(c.seen), func(a, b edgeKey) int {
		if d := cmp.Compare(a.segment, b.segment); d != 0 || a.backward == b.backward {
			return d
		}
		if b.backward {
			return -1
		}
		return 1
	})
	var out []Stretch
	for _, k := range keys {
		for _, s := range c.seen[k] {
			out = append(out, Stretch{k.segment, k.backward, s.from, s.to})
		}
	}
	return out
}

// insert adds s to sorted spans, joining those it touches.
func insert(spans []span, s span) []span {
	i, _ := slices.BinarySearchFunc(spans, s.from, func(x span, from int64) int { return cmp.Compare(x.to, from) })
	j := i
	for ; j < len(spans) && spans[j].from <= s.to; j++ {
		s.from, s.to = min(s.from, spans[j].from), max(s.to, spans[j].to)
	}
	return slices.Replace(spans, i, j, s)
}

// within is how much of [from, to) the spans hold.
func within(spans []span, from, to int64) (n int64) {
	for _, s := range spans {
		n += max(0, min(s.to, to)-max(s.from, from))
	}
	return n
}

// Piece is the part of a segment in one cell, in millimetres from the segment's first point.
type Piece struct {
	Segment  int
	Cell     survey.Cell
	From, To int64
}

// Pieces cuts every segment at the edges of the cells at res (to within a centimetre), in order of segment and place.
func (n *Network) Pieces(res int) ([]Piece, error) {
	var out []Piece
	for i := range n.Segments {
		ps, err := n.SegmentPieces(i, res)
		if err != nil {
			return nil, err
		}
		out = append(out, ps...)
	}
	return out, nil
}

// SegmentPieces is Pieces of the segment with that index.
func (n *Network) SegmentPieces(i, res int) ([]Piece, error) {
	var out []Piece
	step := 2.0
	if res < 11 {
		step = 10 // far below the edge length; a corner cut by less than a step is given to its neighbour
	}
	s := &n.Segments[i]
	length := float64(s.Length)
	total := int64(math.Round(length * 1000))
	at, err := hex.CellOf(s.At(0), res)
	if err != nil {
		return nil, err
	}
	var from int64
	for d := 0.0; d < length; {
		next := min(d+step, length)
		c, err := hex.CellOf(s.At(geo.Meters(next)), res)
		if err != nil {
			return nil, err
		}
		if c != at {
			lo, hi := d, next
			for hi-lo > 0.01 {
				mid := (lo + hi) / 2
				m, err := hex.CellOf(s.At(geo.Meters(mid)), res)
				if err != nil {
					return nil, err
				}
				if m == at {
					lo = mid
				} else {
					hi = mid
				}
			}
			cut := min(total, int64(math.Round(hi*1000)))
			if cut > from {
				out = append(out, Piece{i, at, from, cut})
			}
			from, at = cut, c
		}
		d = next
	}
	if total > from {
		out = append(out, Piece{i, at, from, total})
	}
	return out, nil
}

// CellRoad is the road of one segment in one cell and what of it was driven, in millimetres.
type CellRoad struct {
	Cell              survey.Cell
	Segment           int
	Length            int64
	Forward, Backward int64 // driven in each direction
	Either            int64 // driven in at least one
}

// Cells counts the distinct road driven in each cell, by segment and direction, for the pieces (of Pieces), in order of
// cell and segment. Pieces without coverage are there too, with zeros.
func (c *Coverage) Cells(pieces []Piece) []CellRoad {
	out := make([]CellRoad, 0, len(pieces))
	for _, p := range pieces {
		f, b := c.seen[edgeKey{p.Segment, false}], c.seen[edgeKey{p.Segment, true}]
		r := CellRoad{Cell: p.Cell, Segment: p.Segment, Length: p.To - p.From, Forward: within(f, p.From, p.To), Backward: within(b, p.From, p.To)}
		if r.Either = max(r.Forward, r.Backward); r.Forward > 0 && r.Backward > 0 {
			both := slices.Clone(f)
			for _, s := range b {
				both = insert(both, s)
			}
			r.Either = within(both, p.From, p.To)
		}
		out = append(out, r)
	}
	slices.SortStableFunc(out, func(a, b CellRoad) int {
		return cmp.Or(cmp.Compare(a.Cell, b.Cell), cmp.Compare(a.Segment, b.Segment))
	})
	return out
}

// Progress is the covered share of the roads of a region, in millimetres.
type Progress struct {
	Region         survey.Cell
	Road, Covered  int64 // length of road, and of it driven in at least one direction
	Sides, Driven  int64 // length by direction (one-way roads have one), and of it driven
	Segments, Seen int
}

// Share is the covered share of road.
func (p Progress) Share() survey.PPM {
	if p.Road == 0 {
		return 0
	}
	return survey.PPM(p.Covered * int64(survey.One) / p.Road)
}

// Regions sums the cells' roads by ancestor at res, in order; res -1 sums everything into one row without a region.
func (n *Network) Regions(roads []CellRoad, res int) []Progress {
	by := make(map[survey.Cell]*Progress)
	type member struct {
		region  survey.Cell
		segment int
	}
	all, seen := make(map[member]bool), make(map[member]bool)
	for _, r := range roads {
		var region survey.Cell
		if res >= 0 {
			region = r.Cell.Parent(res)
		}
		p := by[region]
		if p == nil {
			p = &Progress{Region: region}
			by[region] = p
		}
		p.Road += r.Length
		p.Covered += r.Either
		p.Sides += r.Length
		p.Driven += r.Forward
		if !n.Segments[r.Segment].OneWay {
			p.Sides += r.Length
			p.Driven += r.Backward
		}
		k := member{region, r.Segment}
		if !all[k] {
			all[k] = true
			p.Segments++
		}
		if r.Either > 0 && !seen[k] {
			seen[k] = true
			p.Seen++
		}
	}
	out := make([]Progress, 0, len(by))
	for _, k := range slices.Sorted(maps.Keys(by)) {
		out = append(out, *by[k])
	}
	return out
}
