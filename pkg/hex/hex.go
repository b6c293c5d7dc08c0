// Package hex is the H3 grid on survey.Cell: it finds the cell of a position, the outline of a cell, its neighbours and
// the cells that cover a polygon, and pins the positions of a drive to cells without flicker.
//
// It is the one package that calls the H3 library (C, through cgo). H3's own (lat, lng) pairs never leave it: positions
// are geo.Point, named fields in degrees. Parents and ranges of descendants are bits of the index and live on
// survey.Cell. What is seen in a cell is not kept here; see hex/cells.
package hex

import (
	"slices"

	"github.com/uber/h3-go/v4"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// DefaultRes is the resolution at which frames are observed: hexagons of 10.8 m edge and 307 m² on average, about 45 to
// a kilometre of road.
const DefaultRes = 12

// CellOf is the cell at res (0–15) that holds p. A point outside [-90, 90] × [-180, 180] or a res out of range is Invalid.
func CellOf(p geo.Point, res int) (survey.Cell, error) {
	if !p.Valid() {
		return 0, survey.Errorf(survey.Invalid, "position %v is not on the globe", p)
	}
	if res < 0 || res > 15 {
		return 0, survey.Errorf(survey.Invalid, "H3 resolution %d is not 0 to 15", res)
	}
	c, err := h3.LatLngToCell(h3.LatLng{Lat: p.Lat, Lng: p.Lon}, res)
	if err != nil {
		return 0, survey.Errorf(survey.Invalid, "H3 cell of %v: %w", p, err)
	}
	return survey.Cell(c), nil
}

// Valid reports whether H3 knows c as a cell.
func Valid(c survey.Cell) bool { return c>>63 == 0 && h3.Cell(c).IsValid() }

// Parse reads the hex text form and checks that H3 knows the cell; anything else is Invalid.
func Parse(s string) (survey.Cell, error) {
	c, err := survey.ParseCell(s)
	if err != nil {
		return 0, err
	}
	if !Valid(c) {
		return 0, survey.Errorf(survey.Invalid, "%s is no H3 cell", s)
	}
	return c, nil
}

// Parent is the ancestor of c at res, c itself when res is not coarser.
func Parent(c survey.Cell, res int) survey.Cell { return c.Parent(res) }

// ChildRange is the inclusive range of integers that holds the descendants of c at res and nothing else at res.
func ChildRange(c survey.Cell, res int) (lo, hi survey.Cell) { return c.ChildRange(res) }

// ResRange is the inclusive range of integers that holds all cells at res and no other.
func ResRange(res int) (lo, hi survey.Cell) {
	lo = 1<<59 | survey.Cell(res)<<52
	return lo, lo | (1<<52 - 1)
}

// Center is the point H3 calls the centre of c; the zero Point for what is no cell.
func Center(c survey.Cell) geo.Point {
	ll, err := h3.Cell(c).LatLng()
	if err != nil || c == 0 { // the library answers for the zero index
		return geo.Point{}
	}
	return geo.Point{Lat: ll.Lat, Lon: ll.Lng}
}

// Boundary is the outline of c, counter-clockwise seen from outside the globe, without repeating the first point: six
// points, five for a pentagon, a few more where the outline crosses an edge of the icosahedron. Longitudes are in
// [-180, 180], so neighbouring points on the two sides of the antimeridian differ by nearly 360°; Unwrap joins them.
// It is nil for what is no cell.
func Boundary(c survey.Cell) []geo.Point {
	if !Valid(c) {
		return nil
	}
	b, err := h3.Cell(c).Boundary()
	if err != nil {
		return nil
	}
	out := make([]geo.Point, len(b))
	for i, ll := range b {
		out[i] = geo.Point{Lat: ll.Lat, Lon: ll.Lng}
	}
	return out
}

// Unwrap shifts longitudes by whole turns so that no step of the ring is longer than 180°: a ring over the antimeridian
// then has longitudes beyond ±180, which is what planar geometry wants. A ring around a pole does not close.
func Unwrap(ring []geo.Point) []geo.Point {
	out := slices.Clone(ring)
	for i := 1; i < len(out); i++ {
		for out[i].Lon-out[i-1].Lon > 180 {
			out[i].Lon -= 360
		}
		for out[i].Lon-out[i-1].Lon < -180 {
			out[i].Lon += 360
		}
	}
	return out
}

// AreaM2 is the exact spherical area of c in square metres, with H3's Earth radius (6371.007180918475 km).
func AreaM2(c survey.Cell) float64 {
	a, err := h3.CellAreaM2(h3.Cell(c))
	if err != nil {
		return 0
	}
	return a
}

// Pentagon reports whether c is one of the twelve cells of its resolution with five neighbours.
func Pentagon(c survey.Cell) bool { return h3.Cell(c).IsPentagon() }

// Neighbors are the cells that share an edge with c, six or five, in ascending order; nil for what is no cell.
func Neighbors(c survey.Cell) []survey.Cell { return Ring(c, 1) }

// Disk is every cell within k steps of c, c included, in ascending order. k is at most 100.
func Disk(c survey.Cell, k int) []survey.Cell {
	if k < 0 || k > 100 || !Valid(c) {
		return nil
	}
	d, err := h3.Cell(c).GridDisk(k)
	if err != nil {
		return nil
	}
	out := make([]survey.Cell, 0, len(d))
	for _, x := range d {
		if x != 0 { // around a pentagon H3 leaves holes
			out = append(out, survey.Cell(x))
		}
	}
	slices.Sort(out)
	return out
}

// Ring is every cell exactly k steps from c, in ascending order.
func Ring(c survey.Cell, k int) []survey.Cell {
	if k == 0 {
		return Disk(c, 0)
	}
	outer, inner := Disk(c, k), Disk(c, k-1)
	return slices.DeleteFunc(outer, func(x survey.Cell) bool {
		_, in := slices.BinarySearch(inner, x)
		return in
	})
}

// Children are the descendants of c at res in ascending order. There are up to 7 a step; more than four steps is Invalid.
func Children(c survey.Cell, res int) ([]survey.Cell, error) {
	if !Valid(c) || res < c.Resolution() || res > 15 || res-c.Resolution() > 4 {
		return nil, survey.Errorf(survey.Invalid, "children of %s at resolution %d", c, res)
	}
	ch, err := h3.Cell(c).Children(res)
	if err != nil {
		return nil, survey.Errorf(survey.Invalid, "children of %s: %w", c, err)
	}
	out := make([]survey.Cell, len(ch))
	for i, x := range ch {
		out[i] = survey.Cell(x)
	}
	slices.Sort(out)
	return out, nil
}
