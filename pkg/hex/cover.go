package hex

import (
	"cmp"
	"math"
	"slices"

	"github.com/uber/h3-go/v4"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Polygon is an outer ring and holes, each open or closed, in either direction. A step of more than 180° of longitude
// is taken to cross the antimeridian.
type Polygon struct {
	Outer []geo.Point
	Holes [][]geo.Point
}

// MaxSpan is the widest polygon Cells takes, in degrees of latitude or longitude.
const MaxSpan = 90

// Cells are the cells at res that touch p at any point, in ascending order: every position inside p lies in one of them.
// A polygon with fewer than three distinct corners, a corner off the globe, a span over MaxSpan, or one that needs more
// than limit cells is Invalid, and the work done to find that out is bounded too.
func Cells(p Polygon, res, limit int) ([]survey.Cell, error) {
	if res < 0 || res > 15 {
		return nil, survey.Errorf(survey.Invalid, "H3 resolution %d is not 0 to 15", res)
	}
	outer, err := loop(p.Outer)
	if err != nil {
		return nil, err
	}
	gp := h3.GeoPolygon{GeoLoop: outer}
	for _, h := range p.Holes {
		l, err := loop(h)
		if err != nil {
			return nil, err
		}
		gp.Holes = append(gp.Holes, l)
	}
	b, err := bounds(p.Outer)
	if err != nil {
		return nil, err
	}
	avg, err := h3.HexagonAreaAvgM2(res)
	if err != nil {
		return nil, survey.Errorf(survey.Invalid, "H3 resolution %d: %w", res, err)
	}
	// The library allocates for its own estimate, which follows the bounding box. Cells are at most 2× smaller than
	// the average, and a thin polygon still touches about its length's worth of cells.
	if est := boxArea(b) / avg; est > 64*float64(limit)+4096 {
		return nil, tooMany(res, limit)
	}
	found, err := h3.PolygonToCellsExperimental(gp, res, h3.ContainmentOverlapping)
	if err != nil {
		return nil, survey.Errorf(survey.Invalid, "cells of the polygon at resolution %d: %w", res, err)
	}
	if len(found) > limit {
		return nil, tooMany(res, limit)
	}
	out := make([]survey.Cell, len(found))
	for i, c := range found {
		out[i] = survey.Cell(c)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// Cover are the cells at res that touch the box, in ascending order. A box that crosses the antimeridian (West > East)
// is taken in its two halves.
func Cover(b geo.Bounds, res, limit int) ([]survey.Cell, error) {
	if !(geo.Point{Lat: b.South, Lon: b.West}).Valid() || !(geo.Point{Lat: b.North, Lon: b.East}).Valid() || b.South > b.North {
		return nil, survey.Errorf(survey.Invalid, "box %v is not south-west to north-east in degrees", b)
	}
	if b.West > b.East {
		west, err := Cover(geo.Bounds{South: b.South, North: b.North, West: b.West, East: 180}, res, limit)
		if err != nil {
			return nil, err
		}
		east, err := Cover(geo.Bounds{South: b.South, North: b.North, West: -180, East: b.East}, res, limit)
		if err != nil {
			return nil, err
		}
		all := append(west, east...)
		slices.Sort(all)
		all = slices.Compact(all)
		if len(all) > limit {
			return nil, tooMany(res, limit)
		}
		return all, nil
	}
	const eps = 1e-7 // a box without area still has a cell
	s, w, n, e := b.South, b.West, b.North, b.East
	if n-s < eps {
		s, n = max(-90, s-eps), min(90, n+eps)
	}
	if e-w < eps {
		w, e = max(-180, w-eps), min(180, e+eps)
	}
	return Cells(Polygon{Outer: []geo.Point{{Lat: s, Lon: w}, {Lat: s, Lon: e}, {Lat: n, Lon: e}, {Lat: n, Lon: w}}}, res, limit)
}

// Around is the cells with their neighbours, in ascending order. Descendants of a cell reach beyond its outline, and a
// pinned cell may lag behind its frame: whoever looks for the fine cells of frames by ranges of coarse ones that cover an
// area must ask around it, and check each frame's position.
func Around(cells []survey.Cell) []survey.Cell {
	out := make([]survey.Cell, 0, 3*len(cells))
	for _, c := range cells {
		out = append(out, Disk(c, 1)...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Ranges turns cells, in any order, into the fewest inclusive ranges of integers that hold their descendants at res and
// nothing else at res, in ascending order. Cells finer than res have none.
func Ranges(cells []survey.Cell, res int) [][2]survey.Cell {
	rs := make([][2]survey.Cell, 0, len(cells))
	for _, c := range cells {
		if c.Resolution() <= res {
			lo, hi := c.ChildRange(res)
			rs = append(rs, [2]survey.Cell{lo, hi})
		}
	}
	slices.SortFunc(rs, func(a, b [2]survey.Cell) int { return cmp.Compare(a[0], b[0]) })
	// after is where the next cell can be: digits go from 0 to 6, a 7 carries into the digit before.
	after := func(c survey.Cell) survey.Cell {
		shift := 3 * (15 - res)
		for c += 1 << shift; c>>shift&7 == 7 && shift < 45; shift += 3 {
			c += 1 << shift
		}
		return c
	}
	out := rs[:0]
	for _, r := range rs {
		if n := len(out); n > 0 && r[0] <= after(out[n-1][1]) {
			out[n-1][1] = max(out[n-1][1], r[1])
		} else {
			out = append(out, r)
		}
	}
	return out
}

func tooMany(res, limit int) error {
	return survey.Errorf(survey.Invalid, "the area has more than %d cells at resolution %d", limit, res).
		WithHint("ask for a smaller area or a coarser resolution")
}

func loop(ring []geo.Point) (h3.GeoLoop, error) {
	if n := len(ring); n > 1 && ring[0] == ring[n-1] {
		ring = ring[:n-1]
	}
	if len(ring) < 3 {
		return nil, survey.Errorf(survey.Invalid, "a ring needs three corners, this has %d", len(ring))
	}
	out := make(h3.GeoLoop, len(ring))
	for i, p := range ring {
		if !p.Valid() {
			return nil, survey.Errorf(survey.Invalid, "corner %d of the ring, %v, is not on the globe", i, p)
		}
		out[i] = h3.LatLng{Lat: p.Lat, Lng: p.Lon}
	}
	return out, nil
}

// bounds is the box of the unwrapped ring; its longitudes may pass ±180.
func bounds(ring []geo.Point) (geo.Bounds, error) {
	b := geo.Bounds{South: 90, North: -90, West: math.Inf(1), East: math.Inf(-1)}
	for _, p := range Unwrap(ring) {
		b.South, b.North = min(b.South, p.Lat), max(b.North, p.Lat)
		b.West, b.East = min(b.West, p.Lon), max(b.East, p.Lon)
	}
	if b.North-b.South > MaxSpan || b.East-b.West > MaxSpan {
		return b, survey.Errorf(survey.Invalid, "the area spans more than %d degrees", MaxSpan)
	}
	return b, nil
}

// boxArea is the area of b on the sphere in square metres.
func boxArea(b geo.Bounds) float64 {
	r := float64(geo.EarthRadius)
	rad := math.Pi / 180
	return r * r * (b.East - b.West) * rad * (math.Sin(b.North*rad) - math.Sin(b.South*rad))
}
