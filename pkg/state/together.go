package state

import (
	"context"
	"sync"
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// togetherMost is for how long one job does what came meanwhile; then it waits its turn again.
const togetherMost = 15 * time.Minute

// Between two times it rests for twice as long as the first took, but not longer than restMost: under a load that never
// pauses, work that grows with the network leaves two thirds of its processor to the rest, and more gathers for the next.
const restShare, restMost = 2, 30 * time.Second

// Together wraps the work of a job that does all there is to do, however many such jobs wait: a process does it once at a
// time. A job that comes while another is at it is done at once, and the other does it again from the beginning before it
// ends, so that whatever was committed before any of the jobs began is in. If the work fails, the job that was at it does,
// and stands for the others: its next try does all there is to do.
//
// Without it, a fleet whose drives end faster than the work takes has every place for jobs taken by the same work, all but
// one of them in vain.
func Together(work func(context.Context) error) func(context.Context) error {
	var mu sync.Mutex
	busy, again := false, false
	return func(ctx context.Context) error {
		mu.Lock()
		if busy {
			again = true
			mu.Unlock()
			return nil
		}
		busy = true
		mu.Unlock()
		held := true
		defer func() { // work failed, or panics
			if held {
				mu.Lock()
				busy = false
				mu.Unlock()
			}
		}()
		for began := time.Now(); ; {
			mu.Lock()
			again = false
			mu.Unlock()
			from := time.Now()
			if err := work(ctx); err != nil {
				return err
			}
			took := time.Since(from)
			mu.Lock()
			if !again { // under the same lock: who comes from here on does it anew
				busy, held = false, false
			}
			mu.Unlock()
			if !held {
				return nil
			}
			if time.Since(began) > togetherMost {
				return survey.Errorf(survey.Busy, "more came meanwhile")
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(min(restShare*took, restMost)):
			}
		}
	}
}
