package cells_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/hex/cells"
	"github.com/roadcomb/roadcomb/pkg/hex/freshness"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

// engines runs a test on SQLite always and on PostgreSQL where ROADCOMB_TEST_POSTGRES names a server. open gives a fresh
// state each time it is called.
func engines(t *testing.T, run func(t *testing.T, open func() *state.DB)) {
	t.Run("sqlite", func(t *testing.T) {
		run(t, func() *state.DB { return testkit.DB(t) })
	})
	t.Run("postgres", func(t *testing.T) {
		admin := os.Getenv("ROADCOMB_TEST_POSTGRES")
		if admin == "" {
			t.Skip("ROADCOMB_TEST_POSTGRES is not set; .ci/with-postgres starts a server")
		}
		run(t, func() *state.DB {
			db, err := state.Open(t.Context(), testkit.FreshPostgres(t, admin), nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			return db
		})
	})
}

var start = time.Date(2024, 5, 6, 8, 0, 0, 0, time.UTC)

// drives makes n drives over the same few streets, so that cells are shared, with repeats of frames, unknown headings,
// any quality, and positions near an edge of coarser cells.
func drives(rnd *rand.Rand, n int) []cells.DriveObservations {
	var out []cells.DriveObservations
	for d := range n {
		id := survey.DriveID(fmt.Sprintf("drive-%02d", d))
		at := geo.Destination(geo.Point{Lat: 47.5, Lon: 19.05}, geo.BearingDeg(rnd.IntN(4)*90), geo.Meters(rnd.IntN(600)))
		bearing := geo.BearingDeg(rnd.IntN(4) * 90)
		received := start.Add(time.Duration(rnd.IntN(1e6)) * time.Second)
		do := cells.DriveObservations{Drive: id}
		for i := range 30 + rnd.IntN(60) {
			at = geo.Destination(at, bearing, 8)
			c, err := hex.CellOf(at, 12)
			if err != nil {
				panic(err)
			}
			h := int(bearing)
			if rnd.IntN(10) == 0 {
				h = -1
			}
			do.Observations = append(do.Observations, survey.Observation{
				Frame: survey.FrameID(fmt.Sprintf("%s-%03d", id, i)), Drive: id, Cell: c,
				CapturedAt: received.Add(-time.Duration(rnd.IntN(1e5)) * time.Millisecond), ReceivedAt: received,
				HeadingDeg: h, Quality: survey.PPM(rnd.IntN(1_000_001)),
			})
		}
		out = append(out, do)
	}
	return out
}

// dump is every row of both tables as text.
func dump(t testing.TB, db *state.DB) string {
	t.Helper()
	var b strings.Builder
	for _, q := range []string{
		`SELECT cell, live, observations, quality_sum, best_quality, first_seen, last_seen, last_received, seen FROM cells ORDER BY cell`,
		`SELECT area, received_at, 0, 0, 0, 0, 0, 0, entries FROM cell_parts ORDER BY area, drive_id`,
	} {
		rows, err := db.Query(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var n [8]int64
			var blob []byte
			if err := rows.Scan(&n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6], &n[7], &blob); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "%d %x\n", n, blob)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		rows.Close()
	}
	return b.String()
}

func firstDiff(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d of %d and %d:\nwant %s\ngot  %s", i, len(w), len(g), w[i], g[i])
		}
	}
	return fmt.Sprintf("the end: %d lines, want %d", len(g), len(w))
}

func apply(t testing.TB, db *state.DB, ds ...cells.DriveObservations) []survey.Cell {
	t.Helper()
	var changed []survey.Cell
	c := &cells.Cells{DB: db}
	err := db.Tx(t.Context(), func(tx *state.Tx) (err error) {
		changed, err = c.Apply(t.Context(), tx, ds)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

// TestAnyOrderBatchRepeatOrCrashGivesTheSameRows drives the state to one set of observations along many ways: other
// orders, batch sizes, earlier versions of a drive with frames more or fewer or of other quality, drives taken out and
// put back, transactions that fail before they commit.
func TestAnyOrderBatchRepeatOrCrashGivesTheSameRows(t *testing.T) {
	engines(t, func(t *testing.T, open func() *state.DB) {
		final := drives(rand.New(rand.NewPCG(1, 1)), 12)
		db := open()
		apply(t, db, final...)
		want := dump(t, db)
		if strings.Count(want, "\n") < 100 {
			t.Fatalf("only %d rows", strings.Count(want, "\n"))
		}
		for seed := range uint64(8) {
			rnd := rand.New(rand.NewPCG(seed, 2))
			db := open()
			c := &cells.Cells{DB: db}
			var steps []cells.DriveObservations
			for _, d := range final {
				for range rnd.IntN(3) { // what the drive looked like before
					e := cells.DriveObservations{Drive: d.Drive}
					for _, o := range d.Observations {
						switch rnd.IntN(4) {
						case 0: // not published then
						case 1:
							o.Quality = survey.PPM(rnd.IntN(1_000_001))
							o.CapturedAt = o.CapturedAt.Add(time.Duration(rnd.IntN(100)-50) * time.Hour)
							fallthrough
						default:
							e.Observations = append(e.Observations, o)
						}
					}
					if rnd.IntN(4) == 0 {
						e.Observations = nil
					}
					steps = append(steps, e)
				}
			}
			rnd.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
			last := slices.Clone(final)
			rnd.Shuffle(len(last), func(i, j int) { last[i], last[j] = last[j], last[i] })
			for i := range last {
				last[i].Observations = slices.Clone(last[i].Observations)
				last[i].Observations = append(last[i].Observations, last[i].Observations[:5]...) // a frame twice
				rnd.Shuffle(len(last[i].Observations), func(a, b int) {
					o := last[i].Observations
					o[a], o[b] = o[b], o[a]
				})
			}
			steps = append(steps, last...)
			for len(steps) > 0 {
				n := 1 + rnd.IntN(min(4, len(steps)))
				batch := steps[:n]
				for i := range batch { // a drive once a batch
					if slices.ContainsFunc(batch[:i], func(d cells.DriveObservations) bool { return d.Drive == batch[i].Drive }) {
						n = i
						batch = steps[:n]
						break
					}
				}
				crash := errors.New("crash")
				for try := rnd.IntN(3); try >= 0; try-- {
					err := db.Tx(t.Context(), func(tx *state.Tx) error {
						if _, err := c.Apply(t.Context(), tx, batch); err != nil {
							return err
						}
						if try > 0 {
							return crash
						}
						return nil
					})
					if err != nil && !errors.Is(err, crash) {
						t.Fatal(err)
					}
				}
				steps = steps[n:]
			}
			if got := dump(t, db); got != want {
				t.Fatalf("seed %d: rows differ, first at %s", seed, firstDiff(want, got))
			}
		}
	})
}

func TestApplyingAgainChangesNothingAndSaysSo(t *testing.T) {
	engines(t, func(t *testing.T, open func() *state.DB) {
		db := open()
		ds := drives(rand.New(rand.NewPCG(3, 3)), 3)
		first := apply(t, db, ds...)
		if len(first) == 0 || !slices.IsSorted(first) {
			t.Fatalf("changed %v", first)
		}
		if again := apply(t, db, ds...); len(again) != 0 {
			t.Fatalf("%d cells changed by a repeat", len(again))
		}
		for i := range ds {
			ds[i].Observations = nil
		}
		if gone := apply(t, db, ds...); !slices.Equal(gone, first) {
			t.Fatalf("taking all out changed %d cells, putting in changed %d", len(gone), len(first))
		}
		if left := dump(t, db); left != "" {
			t.Fatalf("left over:\n%s", left)
		}
	})
}

// TestEveryResolutionIsTheSumOfItsBaseCells folds the observations by hand at every resolution, stored or not.
func TestEveryResolutionIsTheSumOfItsBaseCells(t *testing.T) {
	engines(t, func(t *testing.T, open func() *state.DB) {
		db := open()
		ds := drives(rand.New(rand.NewPCG(5, 5)), 10)
		for _, d := range ds { // one at a time, so that aggregates grow by difference
			apply(t, db, d)
		}
		ds[4].Observations = ds[4].Observations[7:] // and shrink
		apply(t, db, ds[4])
		for res := 12; res >= 0; res-- {
			want := make(map[survey.Cell]*cells.Row)
			live := make(map[survey.Cell]map[survey.Cell]bool)
			for _, d := range ds {
				for _, o := range d.Observations {
					c := o.Cell.Parent(res)
					r := want[c]
					if r == nil {
						r = &cells.Row{Cell: c, FirstSeen: o.CapturedAt}
						want[c], live[c] = r, make(map[survey.Cell]bool)
					}
					live[c][o.Cell] = true
					r.Live = int64(len(live[c]))
					r.Observations++
					r.QualitySum += int64(o.Quality)
					r.BestQuality = max(r.BestQuality, o.Quality)
					if o.CapturedAt.Before(r.FirstSeen) {
						r.FirstSeen = o.CapturedAt
					}
					if o.CapturedAt.After(r.LastSeen) {
						r.LastSeen = o.CapturedAt
					}
					if o.ReceivedAt.After(r.LastReceived) {
						r.LastReceived = o.ReceivedAt
					}
					h := int64(o.HeadingDeg) * 1000
					r.Seen.Add(h, o.Quality, o.CapturedAt)
				}
			}
			var last survey.Cell
			n := 0
			if err := cells.Each(t.Context(), db, res, func(r cells.Row) error {
				if r.Cell <= last {
					t.Errorf("resolution %d: %s after %s", res, r.Cell, last)
				}
				last = r.Cell
				n++
				if w := want[r.Cell]; w == nil || *w != r {
					t.Errorf("resolution %d: got %+v, want %+v", res, r, w)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if n != len(want) {
				t.Errorf("resolution %d has %d rows, want %d", res, n, len(want))
			}
			// The same within two of the cells, given as an ancestor each.
			var within []survey.Cell
			for c := range want {
				if len(within) < 2 {
					within = append(within, c.Parent(res-1))
				}
			}
			inside := func(c survey.Cell) bool {
				return slices.ContainsFunc(within, func(w survey.Cell) bool { return c.Parent(w.Resolution()) == w })
			}
			var wantIn, gotIn []survey.Cell
			for c := range want {
				if inside(c) {
					wantIn = append(wantIn, c)
				}
			}
			slices.Sort(wantIn)
			p := freshness.Current()
			if res == 0 {
				continue
			}
			if err := cells.EachIn(t.Context(), db, res, within, func(r cells.Row) error { gotIn = append(gotIn, r.Cell); return nil }); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(wantIn, gotIn) {
				t.Errorf("resolution %d within %v: %d cells, want %d", res, within, len(gotIn), len(wantIn))
			}
			gotIn = gotIn[:0]
			if err := cells.EachFresh(t.Context(), db, res, within, p, start.AddDate(0, 1, 0), func(r cells.FreshRow) error {
				gotIn = append(gotIn, r.Cell)
				if r.Mean > r.Freshness(p, start.AddDate(0, 1, 0)) {
					t.Errorf("mean %d over the freshness %d of everything together", r.Mean, r.Freshness(p, start.AddDate(0, 1, 0)))
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(wantIn, gotIn) {
				t.Errorf("resolution %d fresh within %v: %d cells, want %d", res, within, len(gotIn), len(wantIn))
			}
		}
	})
}

func TestApplyRefusesWhatItCannotCount(t *testing.T) {
	engines(t, func(t *testing.T, open func() *state.DB) {
		db := open()
		c := &cells.Cells{DB: db}
		good := drives(rand.New(rand.NewPCG(9, 9)), 1)[0]
		coarse, overfull := good, good
		coarse.Observations = slices.Clone(good.Observations)
		coarse.Observations[3].Cell = coarse.Observations[3].Cell.Parent(11)
		overfull.Observations = slices.Clone(good.Observations)
		overfull.Observations[3].Quality = survey.One + 1
		for name, ds := range map[string][]cells.DriveObservations{
			"a drive twice": {good, good}, "no id": {{}}, "a coarse cell": {coarse}, "a quality over one": {overfull},
		} {
			err := db.Tx(t.Context(), func(tx *state.Tx) error {
				_, err := c.Apply(context.Background(), tx, ds)
				return err
			})
			if survey.KindOf(err) != survey.Invalid {
				t.Errorf("%s: %v", name, err)
			}
		}
		if left := dump(t, db); left != "" {
			t.Fatalf("left over:\n%s", left)
		}
	})
}

func benchEngines(b *testing.B, run func(*testing.B, *state.DB)) {
	b.Run("sqlite", func(b *testing.B) { run(b, testkit.DB(b)) })
	b.Run("postgres", func(b *testing.B) {
		admin := os.Getenv("ROADCOMB_TEST_POSTGRES")
		if admin == "" {
			b.Skip("ROADCOMB_TEST_POSTGRES is not set; .ci/with-postgres starts a server")
		}
		db, err := state.Open(b.Context(), testkit.FreshPostgres(b, admin), nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { db.Close() })
		run(b, db)
	})
}
