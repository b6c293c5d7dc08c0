package cells_test

import (
	"cmp"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/hex/cells"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

func TestPartialsOfDaysMergeToTheLiveRows(t *testing.T) {
	db := testkit.DB(t)
	ds := drives(rand.New(rand.NewPCG(31, 1)), 10)
	apply(t, db, ds...)
	var want []cells.Row
	if err := cells.Each(t.Context(), db, 12, func(r cells.Row) error { want = append(want, r); return nil }); err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(5) {
		rnd := rand.New(rand.NewPCG(seed, 32))
		type key struct {
			day, place int
			cell       survey.Cell
		}
		merged := make(map[key]cells.Partial) // a fold a day, days at random
		for _, d := range ds {
			for _, o := range d.Observations {
				p := cells.PartialOf(o)
				k := key{rnd.IntN(4), p.Place, p.Cell}
				m, ok := merged[k]
				if !ok {
					merged[k] = p
					continue
				}
				m.Merge(&p)
				merged[k] = m
			}
		}
		var ps []cells.Partial
		for _, p := range merged {
			ps = append(ps, p)
		}
		slices.SortFunc(ps, func(a, b cells.Partial) int { return cmp.Compare(a.Cell, b.Cell) })
		var got []cells.Row
		for r, err := range cells.FromPartials(partials(ps)) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, r)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d: %d rows, want %d", seed, len(got), len(want))
		}
	}
}

func partials(ps []cells.Partial) iter.Seq2[cells.Partial, error] {
	return func(yield func(cells.Partial, error) bool) {
		for _, p := range ps {
			if !yield(p, nil) {
				return
			}
		}
	}
}

func TestPartialsThatCannotBeAreRefused(t *testing.T) {
	good := cells.Partial{Cell: 0x8c1f8d44a2cd5ff, Observations: 1}
	for name, spoil := range map[string]func(*cells.Partial){
		"no cell":        func(p *cells.Partial) { p.Cell = 0 },
		"an earlier one": func(p *cells.Partial) { p.Cell-- },
		"a place beyond": func(p *cells.Partial) { p.Place = 36 },
		"nothing":        func(p *cells.Partial) { p.Observations = 0 },
	} {
		bad := good
		spoil(&bad)
		var last error
		for _, err := range cells.FromPartials(partials([]cells.Partial{good, bad})) {
			last = err
		}
		if survey.KindOf(last) != survey.Invalid {
			t.Errorf("%s: %v", name, last)
		}
	}
}

func TestFoldingComparesWholeDegreesAndParts(t *testing.T) {
	q := cells.FoldSQL(cells.DuckDB, "observations")
	for _, part := range []string{"heading_deg < 0 THEN 32", "heading_deg < 23 THEN 0", "heading_deg < 68 THEN 4", "heading_deg < 338 THEN 28 ELSE 0 END",
		"quality_ppm < 400000 THEN 0", "quality_ppm < 800000 THEN 2 ELSE 3", "FROM observations"} {
		if !strings.Contains(q, part) {
			t.Errorf("no %q in\n%s", part, q)
		}
	}
	if c := cells.FoldSQL(cells.ClickHouse, "x"); strings.Contains(c, "epoch_us") {
		t.Error(c)
	}
}
