package cells_test

import (
	"errors"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/hex/cells"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

func sequence(obs []survey.Observation) iter.Seq2[survey.Observation, error] {
	return func(yield func(survey.Observation, error) bool) {
		for _, o := range obs {
			if !yield(o, nil) {
				return
			}
		}
	}
}

func TestRebuildFromObservationsEqualsTheLiveState(t *testing.T) {
	engines(t, func(t *testing.T, open func() *state.DB) {
		db := open()
		ds := drives(rand.New(rand.NewPCG(21, 1)), 12)
		for i := range ds { // live: with corrections on the way
			short := ds[i]
			short.Observations = short.Observations[:len(short.Observations)/2]
			apply(t, db, short)
			apply(t, db, ds[i])
		}
		want := dump(t, db)
		var all []survey.Observation
		for _, d := range ds {
			all = append(all, d.Observations...)
		}
		rnd := rand.New(rand.NewPCG(22, 1))
		rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		c := &cells.Cells{DB: db}
		rebuild := func(seq iter.Seq2[survey.Observation, error]) error {
			return db.Tx(t.Context(), func(tx *state.Tx) error { return c.Rebuild(t.Context(), tx, seq) })
		}
		if err := rebuild(sequence(all)); err != nil {
			t.Fatal(err)
		}
		if got := dump(t, db); got != want {
			t.Fatal(firstDiff(want, got))
		}
		boom := errors.New("unreadable file")
		err := rebuild(func(yield func(survey.Observation, error) bool) {
			if yield(all[0], nil) {
				yield(survey.Observation{}, boom)
			}
		})
		if !errors.Is(err, boom) || dump(t, db) != want {
			t.Fatalf("a failed rebuild left another state, %v", err)
		}
		// And goes on living: a drive more, a drive less.
		ds[3].Observations = nil
		apply(t, db, ds[3])
		fresh := open()
		apply(t, fresh, ds...)
		if got, want := dump(t, db), dump(t, fresh); got != want {
			t.Fatal(firstDiff(want, got))
		}
	})
}

func TestAPastTimeShowsOnlyWhatHadArrived(t *testing.T) {
	engines(t, func(t *testing.T, open func() *state.DB) {
		db := open()
		ds := drives(rand.New(rand.NewPCG(23, 1)), 10)
		apply(t, db, ds...)
		by := ds[4].Observations[0].ReceivedAt // each drive arrives at once
		past := open()
		for _, d := range ds {
			if !d.Observations[0].ReceivedAt.After(by) {
				apply(t, past, d)
			}
		}
		var want, got []cells.Row
		top := ds[0].Observations[0].Cell.Parent(3)
		collect := func(into *[]cells.Row) func(cells.Row) error {
			return func(r cells.Row) error { *into = append(*into, r); return nil }
		}
		if err := cells.EachIn(t.Context(), past, 12, []survey.Cell{top}, collect(&want)); err != nil {
			t.Fatal(err)
		}
		if err := cells.EachAsOf(t.Context(), db, []survey.Cell{top}, by, collect(&got)); err != nil {
			t.Fatal(err)
		}
		if len(want) < 50 || !slices.Equal(got, want) {
			t.Fatalf("%d rows, want %d", len(got), len(want))
		}
		// Single cells, given twice and out of order.
		few := []survey.Cell{want[9].Cell, want[2].Cell, want[9].Cell}
		got = nil
		if err := cells.EachAsOf(t.Context(), db, few, by, collect(&got)); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, []cells.Row{want[2], want[9]}) {
			t.Fatalf("single cells: %v", got)
		}
		got = nil
		if err := cells.EachAsOf(t.Context(), db, []survey.Cell{top}, start.AddDate(-1, 0, 0), collect(&got)); err != nil || len(got) != 0 {
			t.Fatalf("before everything: %v, %v", got, err)
		}
	})
}
