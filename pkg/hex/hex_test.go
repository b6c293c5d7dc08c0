package hex_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/uber/h3-go/v4"
	"pgregory.net/rapid"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

func Example() {
	hofgarten := geo.Point{Lat: 48.1429, Lon: 11.5800}
	c, err := hex.CellOf(hofgarten, hex.DefaultRes)
	if err != nil {
		panic(err)
	}
	fmt.Println(c, "has", len(hex.Neighbors(c)), "neighbours and lies in", hex.Parent(c, 9))
	// Output: 8c1f8d44a2cd5ff has 6 neighbours and lies in 891f8d44a2fffff
}

// odd places: the antimeridian, poles, null island, a pentagon and its neighbourhood.
func oddPlaces(t testing.TB) []geo.Point {
	ps := []geo.Point{
		{Lat: -16.5, Lon: 180}, {Lat: -16.5, Lon: -180}, {Lat: -16.5, Lon: 179.99999}, {Lat: 65, Lon: -179.99999},
		{Lat: 90}, {Lat: -90}, {Lat: 89.99999, Lon: 123}, {Lat: -89.99999, Lon: -77}, {}, {Lat: 90, Lon: 180},
	}
	for res := range 13 {
		pent, err := h3.Pentagons(res)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pent {
			ps = append(ps, hex.Center(survey.Cell(p)))
		}
	}
	return ps
}

func TestACellHoldsItsCentreAndItsPositionsEverywhere(t *testing.T) {
	for _, p := range oddPlaces(t) {
		for res := range 16 {
			c, err := hex.CellOf(p, res)
			if err != nil {
				t.Fatalf("%v at %d: %v", p, res, err)
			}
			if !hex.Valid(c) || c.Resolution() != res {
				t.Fatalf("%v at %d gives %s", p, res, c)
			}
			if back, err := hex.CellOf(hex.Center(c), res); err != nil || back != c {
				t.Errorf("the centre of %s lies in %s (%v)", c, back, err)
			}
			if q, err := hex.Parse(c.String()); err != nil || q != c {
				t.Errorf("%s parsed is %s (%v)", c, q, err)
			}
		}
	}
}

func TestParentsAndChildRangesAreTheLibrarys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := geo.Point{Lat: rapid.Float64Range(-90, 90).Draw(t, "lat"), Lon: rapid.Float64Range(-180, 180).Draw(t, "lon")}
		res := rapid.IntRange(0, 15).Draw(t, "res")
		up := rapid.IntRange(0, res).Draw(t, "up")
		c, err := hex.CellOf(p, res)
		if err != nil {
			t.Fatal(err)
		}
		want, err := h3.Cell(c).Parent(up)
		if err != nil || hex.Parent(c, up) != survey.Cell(want) {
			t.Fatalf("parent of %s at %d: %s, want %s (%v)", c, up, hex.Parent(c, up), want, err)
		}
		if lo, hi := hex.ChildRange(hex.Parent(c, up), res); c < lo || c > hi {
			t.Fatalf("%s outside the range %s–%s of its ancestor", c, lo, hi)
		}
		if lo, hi := hex.ResRange(res); c < lo || c > hi {
			t.Fatalf("%s outside the range of resolution %d", c, res)
		}
	})
	// A range holds no cell of another parent: the neighbours outside it.
	for _, p := range oddPlaces(t) {
		c, _ := hex.CellOf(p, 7)
		kids, err := hex.Children(c, 9)
		if err != nil {
			t.Fatal(err)
		}
		want := 49
		if hex.Pentagon(c) {
			want = 41 // 1 + 5 children, of which the pentagon again has 6
		}
		lo, hi := hex.ChildRange(c, 9)
		if len(kids) != want || kids[0] < lo || kids[len(kids)-1] > hi {
			t.Errorf("%s has %d children, want %d, range %s–%s", c, len(kids), want, lo, hi)
		}
		for _, k := range kids {
			for _, n := range hex.Neighbors(k) {
				if (n >= lo && n <= hi) != (n.Parent(7) == c) {
					t.Errorf("range of %s and %s disagree", c, n)
				}
			}
		}
	}
}

func TestBoundariesTurnCounterClockwiseEverywhere(t *testing.T) {
	for _, p := range oddPlaces(t) {
		for _, res := range []int{2, 5, 9, 12} {
			c, err := hex.CellOf(p, res)
			if err != nil {
				t.Fatal(err)
			}
			b := hex.Boundary(c)
			if len(b) < 5 || b[0] == b[len(b)-1] {
				t.Fatalf("%s has the ring %v", c, b)
			}
			// Seen from outside, the centre is left of every step: (a × b) · m > 0 on unit vectors.
			m := unit(hex.Center(c))
			for i := range b {
				if !b[i].Valid() {
					t.Fatalf("%s has corner %v", c, b[i])
				}
				u, v := unit(b[i]), unit(b[(i+1)%len(b)])
				cross := [3]float64{u[1]*v[2] - u[2]*v[1], u[2]*v[0] - u[0]*v[2], u[0]*v[1] - u[1]*v[0]}
				if cross[0]*m[0]+cross[1]*m[1]+cross[2]*m[2] <= 0 {
					t.Errorf("%s turns clockwise at corner %d", c, i)
				}
			}
			for i, w := 1, hex.Unwrap(b); i < len(w); i++ {
				if math.Abs(w[i].Lon-w[i-1].Lon) > 180 {
					t.Errorf("%s unwrapped still jumps", c)
				}
			}
		}
	}
}

func unit(p geo.Point) [3]float64 {
	la, lo := p.Lat*math.Pi/180, p.Lon*math.Pi/180
	return [3]float64{math.Cos(la) * math.Cos(lo), math.Cos(la) * math.Sin(lo), math.Sin(la)}
}

func TestNeighboursAreMutualAndAPentagonHasFive(t *testing.T) {
	for _, p := range oddPlaces(t) {
		for _, res := range []int{3, 8, 12} {
			c, _ := hex.CellOf(p, res)
			n := hex.Neighbors(c)
			want := 6
			if hex.Pentagon(c) {
				want = 5
			}
			if len(n) != want || !slices.IsSorted(n) {
				t.Errorf("%s has neighbours %v", c, n)
			}
			for _, x := range n {
				if !slices.Contains(hex.Neighbors(x), c) {
					t.Errorf("%s is not a neighbour of %s", c, x)
				}
			}
			if d := hex.Disk(c, 2); !slices.Contains(d, c) || len(d) != 1+len(n)+len(hex.Ring(c, 2)) {
				t.Errorf("disk of %s has %d cells", c, len(d))
			}
		}
	}
}

func TestWhatIsNoCellIsRefused(t *testing.T) {
	if _, err := hex.CellOf(geo.Point{Lat: 91}, 9); survey.KindOf(err) != survey.Invalid {
		t.Error(err)
	}
	if _, err := hex.CellOf(geo.Point{Lat: math.NaN()}, 9); survey.KindOf(err) != survey.Invalid {
		t.Error(err)
	}
	for _, res := range []int{-1, 16} {
		if _, err := hex.CellOf(geo.Point{Lat: 1}, res); survey.KindOf(err) != survey.Invalid {
			t.Error(err)
		}
		if _, err := hex.NewPinner(res).Cell(geo.Point{Lat: 1}); survey.KindOf(err) != survey.Invalid {
			t.Error(err)
		}
	}
	for _, s := range []string{"", "zz", "8c1f8d7a5a8bdf", "8c1f8d7a5a8bdf0", "ffffffffffffffff", "0000000000000000"} {
		if c, err := hex.Parse(s); survey.KindOf(err) != survey.Invalid {
			t.Errorf("%q parsed as %s, %v", s, c, err)
		}
	}
	if hex.Valid(0) || hex.Boundary(0) != nil || hex.Neighbors(0) != nil || !hex.Center(0).IsNull() {
		t.Error("the zero cell passes for one")
	}
}

// square is a closed ring of the side around the centre.
func square(m geo.Point, side geo.Meters) []geo.Point {
	var ring []geo.Point
	for _, b := range []geo.BearingDeg{45, 315, 225, 135, 45} {
		ring = append(ring, geo.Destination(m, b, side/geo.Meters(math.Sqrt2)))
	}
	return ring
}

func TestCellsLeaveNoHoleInThePolygon(t *testing.T) {
	for _, m := range []geo.Point{{Lat: 48.1, Lon: 11.5}, {Lat: -16.5, Lon: 180}, {Lat: 65, Lon: -179.999}, {Lat: 78, Lon: 15}, {Lat: -33.9, Lon: 151.2}} {
		cs, err := hex.Cells(hex.Polygon{Outer: square(m, 700)}, 11, 5000)
		if err != nil {
			t.Fatalf("%v: %v", m, err)
		}
		if !slices.IsSorted(cs) {
			t.Errorf("%v: not in order", m)
		}
		for dx := -340.0; dx <= 340; dx += 17 {
			for dy := -340.0; dy <= 340; dy += 17 {
				p := geo.Destination(geo.Destination(m, 90, geo.Meters(dx)), 0, geo.Meters(dy))
				c, _ := hex.CellOf(p, 11)
				if _, ok := slices.BinarySearch(cs, c); !ok {
					t.Fatalf("%v: %v in %s is not covered", m, p, c)
				}
			}
		}
		var area float64
		for _, c := range cs {
			area += hex.AreaM2(c)
		}
		if area < 490_000 || area > 700_000 {
			t.Errorf("%v: %d cells of %.0f m² for 490,000 m²", m, len(cs), area)
		}
	}
}

func TestPolygonsAreLimited(t *testing.T) {
	m := geo.Point{Lat: 48, Lon: 11}
	for name, f := range map[string]func() error{
		"too many cells": func() error { _, err := hex.Cells(hex.Polygon{Outer: square(m, 2000)}, 12, 1000); return err },
		"a continent at 15": func() error {
			_, err := hex.Cells(hex.Polygon{Outer: []geo.Point{{Lat: 0}, {Lat: 0, Lon: 80}, {Lat: 60, Lon: 80}, {Lat: 60}}}, 15, 1e6)
			return err
		},
		"half the globe": func() error {
			_, err := hex.Cells(hex.Polygon{Outer: []geo.Point{{Lat: -80, Lon: -100}, {Lat: -80, Lon: 60}, {Lat: 80, Lon: 60}, {Lat: 80, Lon: -100}}}, 1, 1e6)
			return err
		},
		"two corners": func() error { _, err := hex.Cells(hex.Polygon{Outer: []geo.Point{m, {Lat: 49}, m}}, 5, 10); return err },
		"a corner off the globe": func() error {
			_, err := hex.Cells(hex.Polygon{Outer: []geo.Point{m, {Lat: 49}, {Lat: 100}}}, 5, 10)
			return err
		},
		"a box upside down": func() error { _, err := hex.Cover(geo.Bounds{South: 2, North: 1, East: 1}, 5, 10); return err },
	} {
		if err := f(); survey.KindOf(err) != survey.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCoverCrossesTheAntimeridian(t *testing.T) {
	cs, err := hex.Cover(geo.Bounds{South: -17, North: -16.9, West: 179.95, East: -179.95}, 8, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for lon := 179.951; lon < 180.05; lon += 0.003 {
		c, _ := hex.CellOf(geo.Point{Lat: -16.95, Lon: geo.WrapLon(lon)}, 8)
		if !slices.Contains(cs, c) {
			t.Errorf("longitude %v is not covered", lon)
		}
	}
	if cs, err := hex.Cover(geo.Bounds{South: 10, North: 10, West: 20, East: 20}, 12, 10); err != nil || len(cs) == 0 {
		t.Errorf("a point has cells %v, %v", cs, err)
	}
}

func TestJitterAtAnEdgeDoesNotFlipThePinnedCell(t *testing.T) {
	for _, p := range oddPlaces(t) {
		c, _ := hex.CellOf(p, 12)
		edge := hex.Boundary(c)[0]
		m := hex.Center(c)
		pin := hex.NewPinner(12)
		first, err := pin.Cell(m)
		if err != nil || first != c {
			t.Fatalf("%v: pinned %s, %v", p, first, err)
		}
		// To and fro over a corner, two metres out and in.
		out, back := geo.Bearing(m, edge), geo.Bearing(edge, m)
		for range 10 {
			for _, q := range []geo.Point{geo.Destination(edge, out, 2), geo.Destination(edge, back, 2)} {
				if got, err := pin.Cell(q); err != nil || got != c {
					t.Errorf("%v: %v flipped %s to %s, %v", p, q, c, got, err)
				}
			}
		}
		far := geo.Destination(edge, out, 8)
		want, _ := hex.CellOf(far, 12)
		if got, err := pin.Cell(far); err != nil || got != want || got == c {
			t.Errorf("%v: 8 m outside stays %s, want %s, %v", p, got, want, err)
		}
		pin.Reset()
		if got, _ := pin.Cell(geo.Destination(edge, out, 2)); got == c {
			t.Errorf("%v: still pinned after a reset", p)
		}
	}
}

// TestAPinnedCellIsNeverFarFromThePosition: pinning bends the truth by at most the margin, and not at all without one.
func TestAPinnedCellIsNeverFarFromThePosition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := geo.Point{Lat: rapid.Float64Range(-89.9, 89.9).Draw(t, "lat"), Lon: rapid.Float64Range(-180, 179.9).Draw(t, "lon")}
		pin, bare := hex.NewPinner(12), hex.NewPinner(12)
		bare.Margin = 0
		bearing := rapid.Float64Range(0, 359).Draw(t, "bearing")
		for range 40 {
			at = geo.Destination(at, geo.BearingDeg(bearing), geo.Meters(rapid.Float64Range(0, 12).Draw(t, "step")))
			got, err := pin.Cell(at)
			if err != nil {
				t.Fatal(err)
			}
			truth, _ := hex.CellOf(at, 12)
			if b, err := bare.Cell(at); err != nil || b != truth {
				t.Fatalf("without a margin %v lies in %s, want %s (%v)", at, b, truth, err)
			}
			if got == truth {
				continue
			}
			near := false
			for b := 0.0; b < 360 && !near; b += 5 {
				c, _ := hex.CellOf(geo.Destination(at, geo.BearingDeg(b), pin.Margin*1.02), 12)
				near = c == got
			}
			if !near {
				t.Fatalf("%v is pinned to %s, over %v m away", at, got, pin.Margin)
			}
		}
	})
}

// TestCellSizesKeepThePinnersBounds checks the radii that let a Pinner skip the library, over cells everywhere and around
// the pentagons, where cells are smallest.
func TestCellSizesKeepThePinnersBounds(t *testing.T) {
	check := func(c survey.Cell) {
		edge, err := h3.HexagonEdgeLengthAvgM(c.Resolution())
		if err != nil {
			t.Fatal(err)
		}
		m, b := hex.Center(c), hex.Boundary(c)
		for i := range b {
			if d := float64(geo.Distance(m, b[i])) / edge; d > 1.3 {
				t.Errorf("%s: corner at %.3f edges", c, d)
			}
			for f := 0.0; f < 1; f += 0.1 {
				p, q := b[i], b[(i+1)%len(b)]
				if math.Abs(p.Lat) > 89.9 {
					continue // Interpolate is not for the poles
				}
				if d := float64(geo.Distance(m, geo.Interpolate(p, q, f))) / edge; d < 0.6 {
					t.Errorf("%s: edge at %.3f edges", c, d)
				}
			}
		}
	}
	for _, p := range oddPlaces(t) {
		for _, res := range []int{5, 8, 12} {
			c, _ := hex.CellOf(p, res)
			for _, x := range hex.Disk(c, 3) {
				check(x)
			}
		}
	}
	for lat := -88.0; lat < 89; lat += 4 {
		for lon := -180.0; lon < 180; lon += 4 {
			for _, res := range []int{5, 6, 12} {
				c, _ := hex.CellOf(geo.Point{Lat: lat, Lon: lon}, res)
				check(c)
			}
		}
	}
}

func drivePoints(n int) []geo.Point {
	ps := make([]geo.Point, n)
	at := geo.Point{Lat: 48.1, Lon: 11.5}
	for i := range ps {
		at = geo.Destination(at, geo.BearingDeg(90+40*math.Sin(float64(i)/50)), 8)
		ps[i] = at
	}
	return ps
}

func BenchmarkCell(b *testing.B) {
	ps := drivePoints(4096)
	b.Run("library", func(b *testing.B) {
		i := 0
		for b.Loop() {
			if _, err := h3.LatLngToCell(h3.LatLng{Lat: ps[i&4095].Lat, Lng: ps[i&4095].Lon}, 12); err != nil {
				b.Fatal(err)
			}
			i++
		}
		b.ReportMetric(float64(i)/b.Elapsed().Seconds(), "cells/s")
	})
	b.Run("CellOf", func(b *testing.B) {
		i := 0
		for b.Loop() {
			if _, err := hex.CellOf(ps[i&4095], 12); err != nil {
				b.Fatal(err)
			}
			i++
		}
		b.ReportMetric(float64(i)/b.Elapsed().Seconds(), "cells/s")
	})
	b.Run("Pinner", func(b *testing.B) {
		pin := hex.NewPinner(12)
		i := 0
		for b.Loop() {
			if _, err := pin.Cell(ps[i&4095]); err != nil {
				b.Fatal(err)
			}
			i++
		}
		b.ReportMetric(float64(i)/b.Elapsed().Seconds(), "cells/s")
	})
}
