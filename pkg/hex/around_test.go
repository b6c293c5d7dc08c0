package hex_test

import (
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
