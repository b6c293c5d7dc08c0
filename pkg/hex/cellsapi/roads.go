package cellsapi

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/hex/freshness"
	"github.com/roadcomb/roadcomb/pkg/hex/roads"
	"github.com/roadcomb/roadcomb/pkg/hex/roadstate"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// roadKeep is how long a count of the covered roads is served before it is made anew: it reads every stretch.
const roadKeep = time.Minute

// network is what the API asks of the roads, computed once or once in a while.
type network struct {
	*roadstate.Roads

	once   sync.Once
	err    error
	pieces []roads.Piece
	class  map[survey.Cell]string // of the longest road in each base cell
	with   []survey.Cell          // base cells with a road, in order

	mu    sync.Mutex
	at    time.Time
	roads []roads.CellRoad
}

// prepare cuts the network into cells.
func (n *network) prepare() error {
	n.once.Do(func() {
		if n.pieces, n.err = n.Network.Pieces(hex.DefaultRes); n.err != nil {
			return
		}
		longest := make(map[survey.Cell]int64)
		n.class = make(map[survey.Cell]string)
		for _, p := range n.pieces {
			l, seen := longest[p.Cell]
			if !seen {
				n.with = append(n.with, p.Cell)
			}
			if p.To-p.From > l {
				longest[p.Cell] = p.To - p.From
				n.class[p.Cell] = n.Network.Segments[p.Segment].FreshnessClass()
			}
		}
		slices.Sort(n.with)
	})
	return n.err
}

// classOf is the class whose freshness parameters apply to the cell: what was asked for, or the road's, or the default.
func (n *network) classOf(asked string, c survey.Cell) string {
	if asked != "" {
		return asked
	}
	if n != nil {
		if k, ok := n.class[c]; ok {
			return k
		}
	}
	return freshness.DefaultClass
}

// covered is the count of covered road by cell, at most roadKeep old.
func (n *network) covered(ctx context.Context, s *server) ([]roads.CellRoad, time.Time, error) {
	if err := n.prepare(); err != nil {
		return nil, time.Time{}, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	now := s.Clock()
	if n.roads == nil || now.Sub(n.at) >= roadKeep || now.Before(n.at) {
		c, _, err := n.Coverage(ctx, s.DB, time.Time{})
		if err != nil {
			return nil, time.Time{}, err
		}
		n.roads, n.at = c.Cells(n.pieces), now
	}
	return n.roads, n.at, nil
}

// RoadPart is the part of one road in a cell.
type RoadPart struct {
	Way      int64   `json:"way" doc:"OSM id."`
	Node     int32   `json:"node" doc:"Index in the way of the first node of the stretch between two junctions."`
	Class    string  `json:"class" doc:"Value of the highway tag."`
	OneWay   bool    `json:"oneway,omitempty"`
	Length   float64 `json:"length_m"`
	Forward  float64 `json:"forward_m" doc:"Distinct metres driven in the direction of the way (of the traffic, if one-way)."`
	Backward float64 `json:"backward_m"`
}

// in are the roads in a base cell.
func (n *network) in(ctx context.Context, s *server, c survey.Cell) ([]RoadPart, error) {
	all, _, err := n.covered(ctx, s)
	if err != nil {
		return nil, err
	}
	i, _ := slices.BinarySearchFunc(all, c, func(r roads.CellRoad, c survey.Cell) int { return cmp.Compare(r.Cell, c) })
	var out []RoadPart
	for ; i < len(all) && all[i].Cell == c; i++ {
		seg := &n.Network.Segments[all[i].Segment]
		m := func(mm int64) float64 { return float64(mm) / 1000 }
		out = append(out, RoadPart{seg.ID.Way, seg.ID.From, seg.Class, seg.OneWay, m(all[i].Length), m(all[i].Forward), m(all[i].Backward)})
	}
	return out, nil
}

// RoadProgress is the covered share of the roads of one region.
type RoadProgress struct {
	Region   survey.Cell `json:"region,omitempty" doc:"H3 cell; absent for the whole network."`
	Road     int64       `json:"road_m" doc:"Metres of drivable road."`
	Covered  int64       `json:"covered_m" doc:"Of these, driven in at least one direction."`
	Sides    int64       `json:"sides_m" doc:"Metres by direction; a one-way road has one."`
	Driven   int64       `json:"driven_m" doc:"Of these, driven."`
	Share    survey.PPM  `json:"covered_ppm"`
	Segments int         `json:"segments"`
	Seen     int         `json:"segments_seen"`
}

type progressInput struct {
	Res   int `query:"res" minimum:"0" maximum:"9" default:"7" doc:"H3 resolution of the regions."`
	Limit int `query:"limit" minimum:"1" maximum:"10000" default:"1000"`
}

type progressOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         struct {
		AsOf    time.Time      `json:"as_of"`
		Extract survey.Hash    `json:"extract" doc:"SHA-256 of the OSM extract. © OpenStreetMap contributors, ODbL."`
		Whole   RoadProgress   `json:"whole"`
		Regions []RoadProgress `json:"regions" doc:"By cell; cut at limit."`
		Matched survey.PPM     `json:"matched_ppm" doc:"Share of the drives' length that was put on roads."`
		Breaks  int64          `json:"breaks" doc:"Places where a drive's path is interrupted."`
	}
}

func (s *server) progress(ctx context.Context, in *progressInput) (*progressOutput, error) {
	if s.roads == nil {
		return nil, survey.Errorf(survey.Unsupported, "this network counts no roads").WithHint("the operator can give an OSM extract")
	}
	cells, at, err := s.roads.covered(ctx, s)
	if err != nil {
		return nil, err
	}
	out := &progressOutput{CacheControl: "public, max-age=60"}
	b := &out.Body
	b.AsOf, b.Extract, b.Regions = at, s.roads.Extract, []RoadProgress{}
	row := func(p roads.Progress) RoadProgress {
		return RoadProgress{p.Region, p.Road / 1000, p.Covered / 1000, p.Sides / 1000, p.Driven / 1000, p.Share(), p.Segments, p.Seen}
	}
	for _, p := range s.roads.Network.Regions(cells, -1) {
		b.Whole = row(p)
	}
	for _, p := range s.roads.Network.Regions(cells, in.Res) {
		if len(b.Regions) < in.Limit {
			b.Regions = append(b.Regions, row(p))
		}
	}
	q, err := roadstate.Report(ctx, s.DB)
	b.Matched, b.Breaks = q.Share(), q.Breaks
	return out, err
}
