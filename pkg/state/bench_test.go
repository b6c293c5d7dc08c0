package state_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

// BenchmarkJob is what a stage pays for being a job: enqueue in a transaction, fetch, run nothing, write the end. The
// target is at most 5 ms for each stage of a drive.
func BenchmarkJob(b *testing.B) {
	run := func(b *testing.B, dsn string) {
		db, err := state.Open(b.Context(), dsn, nil)
		if err != nil {
			b.Fatal(err)
		}
		defer db.Close()
		done := make(chan struct{}, 1024)
		h := state.NewHandlers(nil)
		state.Handle(h, func(context.Context, state.IngestArgs) error { done <- struct{}{}; return nil })
		w, err := db.NewWorker(h, state.JobConfig{Default: 4, Poll: 50 * time.Millisecond}, nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := w.Start(context.Background()); err != nil {
			b.Fatal(err)
		}
		defer w.Stop(context.Background())
		const flight = 64 // jobs under way at a time
		n, ended := 0, 0
		enqueue := func() {
			n++
			id := survey.UploadID(fmt.Sprint(n))
			if err := db.Tx(b.Context(), func(tx *state.Tx) error { return tx.Enqueue(b.Context(), state.IngestArgs{UploadID: id}) }); err != nil {
				b.Fatal(err)
			}
		}
		for range flight {
			enqueue()
		}
		b.ResetTimer()
		for b.Loop() {
			<-done
			ended++
			enqueue()
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(ended), "ms/job")
	}
	b.Run("sqlite", func(b *testing.B) { run(b, "sqlite:"+filepath.Join(b.TempDir(), "state.db")) })
	b.Run("postgres", func(b *testing.B) {
		admin := os.Getenv("ROADCOMB_TEST_POSTGRES")
		if admin == "" {
			b.Skip("ROADCOMB_TEST_POSTGRES is not set")
		}
		run(b, testkit.FreshPostgres(b, admin))
	})
}
