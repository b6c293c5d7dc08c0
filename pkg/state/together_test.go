package state_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

// workers starts so many on one database, each with handlers of its own as separate processes have; on SQLite one.
func workers(t *testing.T, db *state.DB, n int, beat time.Duration, work func(context.Context) error) {
	t.Helper()
	if !db.Postgres() {
		n = 1
	}
	for range n {
		h := state.NewHandlers(nil)
		state.HandleTogether(h, db, func(ctx context.Context, _ state.ExportArgs) error { return work(ctx) })
		w, err := db.NewWorker(h, state.JobConfig{Default: 6, Poll: 10 * time.Millisecond, Beat: beat}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Start(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
			defer stop()
			w.Stop(ctx)
		})
	}
}

func enqueueExport(t *testing.T, db *state.DB) {
	t.Helper()
	if err := db.Tx(t.Context(), func(tx *state.Tx) error { return tx.Enqueue(t.Context(), state.ExportArgs{}) }); err != nil {
		t.Fatal(err)
	}
}

// jobsIn counts the export jobs in a state.
func jobsIn(t *testing.T, db *state.DB, st string) int {
	t.Helper()
	js, err := db.ListJobs(t.Context(), "export", []string{st}, 500)
	if err != nil {
		t.Fatal(err)
	}
	return len(js)
}

func TestWorkThatDoesAllThereIsRunsOnceAtATimeAndMissesNothing(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		var committed, seen, runs, inside atomic.Int64
		var fails atomic.Bool
		workers(t, db, 3, 0, func(context.Context) error {
			if inside.Add(1) > 1 {
				t.Error("two at a time")
			}
			defer inside.Add(-1)
			n := committed.Load()
			time.Sleep(20 * time.Millisecond) // more are committed meanwhile, and the last of them count on this one
			if runs.Add(1)%5 == 0 && fails.Load() {
				return errors.New("the store is away") // its next try stands for all that counted on it
			}
			seen.Store(n)
			return nil
		})
		done := 0
		for round := range 12 {
			all := 8
			if fails.Store(round == 0); round == 0 { // later none fails: a try that comes late would do what was forgotten
				all = 120
			}
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					for range all / 4 {
						committed.Add(1)
						enqueueExport(t, db)
						time.Sleep(10 * time.Millisecond) // workers are not behind
					}
				})
			}
			wg.Wait()
			done += all
			until(t, "all jobs are done", func() bool { return jobsIn(t, db, "completed") == done })
			if seen.Load() != int64(done) {
				t.Errorf("%d of %d were in when the last ended, after %d runs", seen.Load(), done, runs.Load())
			}
		}
	})
}

// gated starts workers whose work tells when it begins, and ends with what it is given.
func gated(t *testing.T, db *state.DB) (entered chan struct{}, leave chan error) {
	t.Helper()
	entered, leave = make(chan struct{}), make(chan error)
	workers(t, db, 2, 0, func(context.Context) error {
		entered <- struct{}{}
		return <-leave
	})
	return entered, leave
}

// begins waits for the work to begin.
func begins(t *testing.T, entered <-chan struct{}) {
	t.Helper()
	select {
	case <-entered:
	case <-time.After(20 * time.Second):
		t.Fatal("never: the work begins")
	}
}

func TestOneJobStandsForThoseThatCameMeanwhile(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		entered, leave := gated(t, db)
		enqueueExport(t, db)
		begins(t, entered)
		for range 5 { // done at once, and in by the second run
			enqueueExport(t, db)
		}
		until(t, "the five are done", func() bool { return jobsIn(t, db, "completed") == 5 })
		leave <- nil
		begins(t, entered)
		leave <- errors.New("the store is away")
		begins(t, entered) // its next try
		if n := jobsIn(t, db, "completed"); n != 5 {
			t.Errorf("%d are done, though the one that was at it failed", n)
		}
		leave <- nil
		until(t, "all are done", func() bool { return jobsIn(t, db, "completed") == 6 })
		enqueueExport(t, db) // nobody is at it
		begins(t, entered)
		leave <- nil
		until(t, "the last is done", func() bool { return jobsIn(t, db, "completed") == 7 })
	})
}

// A worker that dies with others counting on it leaves the work to another, which does all.
func TestWhatADeadWorkerStoodForIsDone(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		if !db.Postgres() {
			t.Skip("one process works a SQLite database; what it leaves is taken up when the next starts")
		}
		entered, dead := make(chan struct{}), make(chan struct{})
		defer close(dead)
		workers(t, db, 1, time.Hour, func(context.Context) error { // says once that it lives
			entered <- struct{}{}
			<-dead
			return errors.New("dead")
		})
		enqueueExport(t, db)
		begins(t, entered)
		enqueueExport(t, db)
		until(t, "the second counts on it", func() bool { return jobsIn(t, db, "completed") == 1 })
		var runs atomic.Int64
		workers(t, db, 1, 20*time.Millisecond, func(context.Context) error { runs.Add(1); return nil })
		if _, err := db.Exec(t.Context(), `UPDATE workers SET seen_at = 0 WHERE id = (SELECT attempted_by[array_upper(attempted_by, 1)] FROM river_job WHERE state = 'running')`); err != nil {
			t.Fatal(err)
		}
		until(t, "another did it", func() bool { return runs.Load() > 0 && jobsIn(t, db, "completed") == 2 })
	})
}

// Under a load that never pauses no job goes on for ever: what counts on it is left to a new one.
func TestAJobThatWasLongAtItLeavesTheRestToAnother(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		t.Cleanup(state.SetTogetherMost(0))
		entered, leave := gated(t, db)
		enqueueExport(t, db)
		begins(t, entered)
		enqueueExport(t, db)
		until(t, "the second counts on the first", func() bool { return jobsIn(t, db, "completed") == 1 })
		leave <- nil
		begins(t, entered) // the third, of the first
		leave <- nil
		until(t, "all are done", func() bool { return jobsIn(t, db, "completed") == 3 })
	})
}
