package hex_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"pgregory.net/rapid"
)

func TestTheCellsAroundACoverHoldEveryFineCellInside(t *testing.T) {
	outside := 0
	rapid.Check(t, func(t *rapid.T) {
		p := geo.Point{Lat: rapid.Float64Range(-85, 85).Draw(t, "lat"), Lon: rapid.Float64Range(-180, 179).Draw(t, "lon")}
		res := rapid.IntRange(3, 11).Draw(t, "res")
		coarse, err := hex.CellOf(p, res)
		if err != nil {
			t.Fatal(err)
		}
		fine, err := hex.CellOf(p, 12)
		if err != nil {
			t.Fatal(err)
		}
		ancestor := fine.Parent(res)
		if ancestor != coarse {
			outside++
		}
		if !slices.Contains(hex.Around([]survey.Cell{coarse}), ancestor) {
			t.Fatalf("%v: ancestor %v of %v is not around %v", p, ancestor, fine, coarse)
		}
	})
	if outside == 0 {
		t.Fatal("no point lay in a fine cell that reaches beyond its coarse one: the test shows nothing")
	}
}

func TestRangesHoldTheDescendantsAndNothingElse(t *testing.T) {
	top, err := hex.CellOf(geo.Point{Lat: 47.5, Lon: 19.05}, 8)
	if err != nil {
		t.Fatal(err)
	}
	fine, err := hex.Children(top, 11)
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		var cells []survey.Cell
		want := make(map[survey.Cell]bool)
		for range rnd.IntN(30) {
			c := fine[rnd.IntN(len(fine))].Parent(9 + rnd.IntN(3))
			cells = append(cells, c)
			for _, f := range fine {
				if f.Parent(c.Resolution()) == c {
					want[f] = true
				}
			}
		}
		rs := hex.Ranges(cells, 11)
		for i, r := range rs {
			if r[0] > r[1] || i > 0 && r[0] <= rs[i-1][1] {
				t.Fatalf("%v", rs)
			}
		}
		for i, f := range fine {
			in := slices.ContainsFunc(rs, func(r [2]survey.Cell) bool { return r[0] <= f && f <= r[1] })
			if in != want[f] {
				t.Fatalf("cell %d of %v: in %v, want %v", i, cells, in, want[f])
			}
		}
		// The fewest: between two ranges lies a cell that is not wanted.
		for i := 1; i < len(rs); i++ {
			if !slices.ContainsFunc(fine, func(f survey.Cell) bool { return f > rs[i-1][1] && f < rs[i][0] }) {
				t.Fatalf("%v could be joined at %d", rs, i)
			}
		}
	}
	if rs := hex.Ranges([]survey.Cell{fine[0]}, 9); len(rs) != 0 {
		t.Errorf("a finer cell gives %v", rs)
	}
}
