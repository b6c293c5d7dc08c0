package state_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

func startWorker(t *testing.T, db *state.DB, id string, fn func(context.Context, state.IngestArgs) error) state.Worker {
	t.Helper()
	h := state.NewHandlers(nil)
	state.Handle(h, fn)
	w, err := db.NewWorker(h, state.JobConfig{Default: 2, Poll: 20 * time.Millisecond, ID: id}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestAnOutageCostsAJobNoAttempt(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		ctx := t.Context()
		if err := db.Tx(ctx, func(tx *state.Tx) error { return tx.Enqueue(ctx, state.IngestArgs{UploadID: "u"}) }); err != nil {
			t.Fatal(err)
		}
		tries, done := 0, make(chan struct{})
		w := startWorker(t, db, "", func(context.Context, state.IngestArgs) error {
			if tries++; tries == 1 {
				return fmt.Errorf("ingest: %w", survey.Errorf(survey.Unavailable, "store is away"))
			}
			close(done)
			return nil
		})
		select {
		case <-done:
		case <-time.After(30 * time.Second):
			t.Fatal("the job was not tried again")
		}
		if err := w.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		var attempt int64
		var st string
		if err := db.QueryRow(ctx, `SELECT attempt, state FROM river_job`).Scan(&attempt, &st); err != nil || attempt != 1 || st != "completed" {
			t.Fatal(attempt, st, err)
		}
	})
}

func TestWhatADeadWorkerHadInHandGoesOnElsewhere(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		ctx := t.Context()
		for _, u := range []survey.UploadID{"last", "more"} {
			if err := db.Tx(ctx, func(tx *state.Tx) error { return tx.Enqueue(ctx, state.IngestArgs{UploadID: u}) }); err != nil {
				t.Fatal(err)
			}
		}
		taken, hang := make(chan struct{}, 2), make(chan struct{})
		dead := startWorker(t, db, "dead", func(ctx context.Context, _ state.IngestArgs) error {
			taken <- struct{}{}
			<-hang
			return errors.New("too late")
		})
		t.Cleanup(func() { close(hang); dead.StopAndCancel(context.Background()) })
		<-taken
		<-taken
		// As if it had not been seen for long; and one of its jobs has ended its worker as often as it may.
		if _, err := db.Exec(ctx, `UPDATE river_job SET attempt = max_attempts WHERE `+argIs(db, "last")); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(ctx, `UPDATE workers SET seen_at = 1 WHERE id = 'dead'`); err != nil {
			t.Fatal(err)
		}
		got := make(chan survey.UploadID, 4)
		heir := startWorker(t, db, "heir", func(_ context.Context, a state.IngestArgs) error { got <- a.UploadID; return nil })
		select {
		case id := <-got:
			if id != "more" {
				t.Fatal(id)
			}
		case <-time.After(state.DeadAfter / 2):
			t.Fatal("the job stays with a dead worker")
		}
		if err := heir.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		if len(got) != 0 {
			t.Fatalf("%s was tried once more than it may be", <-got)
		}
		jobs, err := db.Jobs(ctx)
		if err != nil || len(jobs) != 1 || jobs[0].Failed != 1 {
			t.Fatalf("%+v %v", jobs, err)
		}
	})
}

// Vision finds out by itself on which frame workers die. Where machines come and go, a part that is long in hand must not be
// given up because many of them went.
func TestDeathsOfWorkersCostAVisionJobNoAttempt(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		ctx := t.Context()
		if err := db.Tx(ctx, func(tx *state.Tx) error { return tx.Enqueue(ctx, state.VisionArgs{DriveID: "d"}) }); err != nil {
			t.Fatal(err)
		}
		const deaths = 20 // more than the attempts of such a job
		taken, hang := make(chan int, deaths), make(chan struct{})
		work := func(id string, fn func(context.Context, state.VisionArgs) error) state.Worker {
			h := state.NewHandlers(nil)
			state.Handle(h, fn)
			w, err := db.NewWorker(h, state.JobConfig{Vision: 1, Poll: 20 * time.Millisecond, ID: id}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Start(context.WithoutCancel(ctx)); err != nil {
				t.Fatal(err)
			}
			return w
		}
		take := func() {
			t.Helper()
			select {
			case <-taken:
			case <-time.After(state.DeadAfter / 2):
				t.Fatal("nobody takes the job up")
			}
		}
		var dead []state.Worker
		t.Cleanup(func() {
			close(hang)
			for _, w := range dead {
				w.StopAndCancel(context.Background())
			}
		})
		for i := range deaths {
			dead = append(dead, work(fmt.Sprint("dead", i), func(context.Context, state.VisionArgs) error {
				taken <- i
				<-hang
				return errors.New("too late")
			}))
			take()
			if _, err := db.Exec(ctx, `UPDATE workers SET seen_at = 1`); err != nil {
				t.Fatal(err)
			}
		}
		heir := work("heir", func(context.Context, state.VisionArgs) error { taken <- deaths; return nil })
		take()
		if err := heir.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		var left, st = int64(0), ""
		if err := db.QueryRow(ctx, `SELECT max_attempts - attempt, state FROM river_job`).Scan(&left, &st); err != nil || left != 11 || st != "completed" {
			t.Fatalf("%d attempts left of 12 when the first counted one began, %s: %v", left, st, err)
		}
	})
}

func argIs(db *state.DB, id string) string {
	if db.Postgres() {
		return fmt.Sprintf(`args->>'upload_id' = '%s'`, id)
	}
	return fmt.Sprintf(`json_extract(args, '$.upload_id') = '%s'`, id)
}

func TestAJobWhoseEndWasNotWrittenDownIsTakenUpAgain(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		ctx := t.Context()
		enqueue := func(u survey.UploadID) {
			if err := db.Tx(ctx, func(tx *state.Tx) error { return tx.Enqueue(ctx, state.IngestArgs{UploadID: u}) }); err != nil {
				t.Fatal(err)
			}
		}
		got, hang := make(chan survey.UploadID, 10), make(chan struct{})
		h := state.NewHandlers(nil)
		state.Handle(h, func(_ context.Context, a state.IngestArgs) error {
			got <- a.UploadID
			if a.UploadID == "slow" {
				<-hang
			}
			return nil
		})
		w, err := db.NewWorker(h, state.JobConfig{Default: 2, Poll: 20 * time.Millisecond, ID: "me", Beat: 50 * time.Millisecond}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Start(context.WithoutCancel(ctx)); err != nil {
			t.Fatal(err)
		}
		enqueue("quick")
		if id := <-got; id != "quick" {
			t.Fatal(id)
		}
		enqueue("slow")
		if id := <-got; id != "slow" {
			t.Fatal(id)
		}
		// As if the database had been away when the quick one ended.
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			n, err := db.Exec(ctx, `UPDATE river_job SET state = 'running', finalized_at = NULL WHERE state = 'completed' AND `+argIs(db, "quick"))
			if err != nil || time.Now().After(deadline) {
				t.Fatal("the quick job does not end", err)
			}
			if n == 1 {
				break
			}
		}
		select {
		case id := <-got:
			if id != "quick" {
				t.Fatalf("%s is worked on and was taken up again", id)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("the job runs in nobody's hands")
		}
		close(hang)
		if err := w.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		if len(got) != 0 {
			t.Fatalf("%s once more", <-got)
		}
	})
}

func TestALivingWorkerKeepsItsJobs(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		if !db.Postgres() {
			t.Skip("one process works a SQLite database")
		}
		ctx := t.Context()
		if err := db.Tx(ctx, func(tx *state.Tx) error { return tx.Enqueue(ctx, state.IngestArgs{UploadID: "u"}) }); err != nil {
			t.Fatal(err)
		}
		taken, hang := make(chan struct{}, 2), make(chan struct{})
		busy := func(context.Context, state.IngestArgs) error { taken <- struct{}{}; <-hang; return nil }
		a, b := startWorker(t, db, "a", busy), startWorker(t, db, "b", busy)
		<-taken
		time.Sleep(500 * time.Millisecond)
		close(hang)
		for _, w := range []state.Worker{a, b} {
			if err := w.Stop(context.Background()); err != nil {
				t.Error(err)
			}
		}
		if len(taken) != 0 {
			t.Fatal("a living worker's job was given to another")
		}
	})
}

func TestOutagesAreToldFromFaults(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{&net.OpError{Op: "dial", Err: errors.New("connection refused")}, true},
		{fmt.Errorf("begin: %w", &pgconn.PgError{Code: "57P03"}), true},
		{&pgconn.PgError{Code: "53300"}, true},
		{survey.Errorf(survey.Busy, "slow down"), true},
		{&pgconn.PgError{Code: "23505"}, false},
		{survey.Errorf(survey.NotFound, "no object"), false},
		{context.DeadlineExceeded, false},
		{context.Canceled, false},
		{errors.New("bug"), false},
		{nil, false},
	} {
		if got := state.Outage(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}
