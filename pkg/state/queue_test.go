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

// newerArgs are ingest's as a later release would enqueue them.
type newerArgs struct {
	UploadID survey.UploadID `json:"upload_id"`
	Careful  bool            `json:"careful"`
}

func (newerArgs) Kind() string    { return "ingest" }
func (newerArgs) JobVersion() int { return 2 }

func work(t *testing.T, db *state.DB, h *state.Handlers) {
	t.Helper()
	w, err := db.NewWorker(h, state.JobConfig{Default: 1, Poll: 20 * time.Millisecond}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Stop(context.Background()) })
}

// until waits for a condition that other goroutines bring about.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: ", what)
		}
	}
}

func TestAJobOfALaterVersionWaitsForANewerWorker(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		ctx := t.Context()
		if err := db.Tx(ctx, func(tx *state.Tx) error { return tx.Enqueue(ctx, newerArgs{UploadID: "u1", Careful: true}) }); err != nil {
			t.Fatal(err)
		}
		old := state.NewHandlers(nil)
		state.Handle(old, func(context.Context, state.IngestArgs) error {
			t.Error("an old worker did what it does not understand")
			return nil
		})
		work(t, db, old)
		var j state.Job
		until(t, "the job is put off", func() bool {
			js, err := db.ListJobs(ctx, "ingest", nil, 10)
			if err != nil || len(js) != 1 {
				t.Fatal(js, err)
			}
			j = js[0]
			return j.ScheduledAt.After(time.Now().Add(5 * time.Second))
		})
		if j.State != "scheduled" || j.Attempt != 0 || j.Error != "" {
			t.Fatalf("%+v: waiting must cost no attempt", j)
		}
	})
}

func TestAnOperatorRetriesAndDropsJobs(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		ctx := t.Context()
		calls := make(chan survey.UploadID, 100)
		h := state.NewHandlers(nil)
		state.Handle(h, func(_ context.Context, a state.IngestArgs) error {
			calls <- a.UploadID
			return errors.New("kaputt")
		})
		for i := range 3 {
			if err := db.Tx(ctx, func(tx *state.Tx) error {
				return tx.Enqueue(ctx, state.IngestArgs{UploadID: survey.UploadID(fmt.Sprint("u", i))})
			}); err != nil {
				t.Fatal(err)
			}
		}
		q, err := db.Queue(ctx)
		if err != nil || len(q) != 1 || q[0].Kind != "ingest" || q[0].Waiting != 3 || q[0].Age < 0 || q[0].Age > time.Minute {
			t.Fatal(q, err)
		}
		work(t, db, h)
		var js []state.Job
		until(t, "three failures", func() bool {
			if js, err = db.ListJobs(ctx, "", []string{"retryable"}, 10); err != nil {
				t.Fatal(err)
			}
			return len(js) == 3
		})
		if js[0].Error != "kaputt" || js[0].ID < js[1].ID {
			t.Fatalf("%+v", js)
		}
		for len(calls) > 0 {
			<-calls
		}
		if err := db.DropJob(ctx, js[1].ID); err != nil {
			t.Fatal(err)
		}
		if err := db.RetryJob(ctx, js[2].ID); err != nil {
			t.Fatal(err)
		}
		if id := <-calls; id != "u0" {
			t.Fatal(id)
		}
		if err := db.DropJob(ctx, js[1].ID); survey.KindOf(err) != survey.NotFound {
			t.Fatal(err)
		}
		if err := db.RetryJob(ctx, js[1].ID); survey.KindOf(err) != survey.NotFound {
			t.Fatal(err)
		}
		if _, err := db.ListJobs(ctx, "", []string{"lost"}, 10); survey.KindOf(err) != survey.Invalid {
			t.Fatal(err)
		}
	})
}
