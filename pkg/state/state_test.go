package state_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

func TestARolledBackTransactionLeavesNoRowAndNoJob(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		ctx := t.Context()
		boom := errors.New("boom")
		id := survey.UploadID("rolled-back")
		err := db.Tx(ctx, func(tx *state.Tx) error {
			if _, err := tx.Exec(ctx, `INSERT INTO meta (key, value) VALUES ($1, $2)`, string(id), "x"); err != nil {
				return err
			}
			if err := tx.Enqueue(ctx, state.IngestArgs{UploadID: id}); err != nil {
				return err
			}
			return boom
		})
		if !errors.Is(err, boom) {
			t.Fatal(err)
		}
		var n int64
		if err := db.QueryRow(ctx, `SELECT COUNT(*) FROM river_job WHERE kind = 'ingest'`).Scan(&n); err != nil || n != 0 {
			t.Fatalf("%d jobs, %v", n, err)
		}
		if err := db.QueryRow(ctx, `SELECT value FROM meta WHERE key = $1`, string(id)).Scan(new(string)); !errors.Is(err, state.ErrNoRows) {
			t.Fatalf("row survived: %v", err)
		}
	})
}

func TestACommittedJobIsWorkedOnce(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		ctx := t.Context()
		for range 3 { // unique by arguments
			if err := db.Tx(ctx, func(tx *state.Tx) error { return tx.Enqueue(ctx, state.IngestArgs{UploadID: "u1"}) }); err != nil {
				t.Fatal(err)
			}
		}
		got := make(chan survey.UploadID, 10)
		h := state.NewHandlers(nil)
		state.Handle(h, func(_ context.Context, a state.IngestArgs) error { got <- a.UploadID; return nil })
		w, err := db.NewWorker(h, state.JobConfig{Default: 2, Poll: 20 * time.Millisecond}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Start(ctx); err != nil {
			t.Fatal(err)
		}
		select {
		case id := <-got:
			if id != "u1" {
				t.Fatal(id)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("job was not worked")
		}
		if err := w.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		if len(got) != 0 {
			t.Fatalf("%d more deliveries", len(got))
		}
	})
}

func TestOpenRefusesAnUnknownAddress(t *testing.T) {
	if _, err := state.Open(t.Context(), "mysql://user:secret@host/db", nil); survey.KindOf(err) != survey.Invalid {
		t.Fatal(err)
	}
}

func TestTheChangeFeedKeepsWhatWasMarkedAgain(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		ctx := t.Context()
		keys := make([]string, 600)
		for i := range keys {
			keys[i] = fmt.Sprintf("k%03d", i)
		}
		mark := func(keys ...string) {
			if err := db.Tx(ctx, func(tx *state.Tx) error { return state.MarkAllChanged(ctx, tx, "cell", keys) }); err != nil {
				t.Fatal(err)
			}
		}
		mark(keys...)
		seen, err := state.Changes(ctx, db, "tiles")
		if err != nil || len(seen) != 600 {
			t.Fatal(len(seen), err)
		}
		mark("k007") // while the consumer works
		if err := db.Tx(ctx, func(tx *state.Tx) error { return state.Consumed(ctx, tx, "tiles", seen) }); err != nil {
			t.Fatal(err)
		}
		left, err := state.Changes(ctx, db, "tiles")
		if err != nil || len(left) != 1 || left[0].Key != "k007" {
			t.Fatalf("%v %v", left, err)
		}
		if other, err := state.Changes(ctx, db, "datasets"); err != nil || len(other) != 600 {
			t.Fatalf("the other consumer sees %d, %v", len(other), err)
		}
	})
}
