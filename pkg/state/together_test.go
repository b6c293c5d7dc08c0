package state_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/state"
)

func TestWorkThatDoesAllThereIsRunsOnceAtATimeAndMissesNothing(t *testing.T) {
	var committed, seen, runs, inside atomic.Int64
	do := state.Together(func(context.Context) error {
		if inside.Add(1) > 1 {
			t.Error("two at a time")
		}
		defer inside.Add(-1)
		runs.Add(1)
		n := committed.Load()
		seen.Store(n)
		return nil
	})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				committed.Add(1)
				if err := do(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if seen.Load() != 4000 {
		t.Errorf("%d of 4000 were in when the last ended, after %d runs", seen.Load(), runs.Load())
	}
}

func TestOneJobStandsForThoseThatCameMeanwhile(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan error)
	do := state.Together(func(context.Context) error {
		entered <- struct{}{}
		return <-leave
	})
	first := make(chan error)
	go func() { first <- do(t.Context()) }()
	<-entered
	for range 5 { // done at once, and in by the second run
		if err := do(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	leave <- nil
	<-entered
	away := errors.New("the store is away")
	leave <- away
	if err := <-first; err != away {
		t.Fatalf("it failed, and the job that was at it ends with %v", err)
	}
	go func() { first <- do(t.Context()) }() // its next try
	<-entered
	leave <- nil
	if err := <-first; err != nil {
		t.Fatal(err)
	}

	// A panic leaves the place free.
	n := 0
	do = state.Together(func(context.Context) error {
		if n++; n == 1 {
			panic("a fault")
		}
		return nil
	})
	func() {
		defer func() { _ = recover() }()
		_ = do(t.Context())
	}()
	if err := do(t.Context()); err != nil || n != 2 {
		t.Fatal(err, n)
	}
}
