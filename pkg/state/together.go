package state

import (
	"context"
	"time"

	"github.com/riverqueue/river"
)

// togetherMost is for how long one job does what came meanwhile; then it leaves that to a new one. Tests change it.
var togetherMost = 15 * time.Minute

// Between two times it rests for twice as long as the first took, but not longer than restMost: under a load that never
// pauses, work that grows with the network leaves two thirds of a processor to the rest, and more gathers for the next.
const restShare, restMost = 2, 30 * time.Second

// HandleTogether is Handle for a kind of which each job does all there is to do, however many wait: of all workers of the
// network one job is at it at a time. A job that comes while another is at it is done at once, and the other does it again
// from the beginning before it ends, so that whatever was committed before any of the jobs began is in.
//
// A job counts on another only while the database has that one running, and such a job runs to its end or is tried again,
// also when its worker dies (DeadAfter): what fails is tried by the job that was at it, for all that count on it. The work
// must bear to be done by two at once, as all jobs must: a worker that was only cut off goes on.
//
// Without it, a fleet whose drives end faster than the work takes has every place for jobs taken by the same work, all but
// one of them in vain.
func HandleTogether[A river.JobArgs](h *Handlers, db *DB, work func(context.Context, A) error) {
	river.AddWorker(h.ws, &handler[A]{log: h.log, all: h, fn: func(ctx context.Context, job int64, a A) error {
		return db.together(ctx, job, a, func(ctx context.Context) error { return work(ctx, a) })
	}})
}

func (db *DB) together(ctx context.Context, job int64, a river.JobArgs, work func(context.Context) error) error {
	kind := a.Kind()
	for began := time.Now(); ; {
		counted, err := db.takeTurn(ctx, kind, job)
		if err != nil || counted {
			return err
		}
		from := time.Now()
		if err := work(ctx); err != nil {
			return err
		}
		rest := min(restShare*time.Since(from), restMost)
		if ended, err := db.endTurn(ctx, kind, job); err != nil || ended {
			return err
		}
		if time.Since(began) > togetherMost {
			return db.Tx(ctx, func(tx *Tx) error {
				if _, err := tx.Exec(ctx, `UPDATE turns SET job = 0 WHERE kind = $1 AND job = $2`, kind, job); err != nil {
					return err
				}
				return tx.Enqueue(ctx, a)
			})
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(rest):
		}
	}
}

// takeTurn makes job the one that is at the work from now on, or has it counted on by the one that is.
func (db *DB) takeTurn(ctx context.Context, kind string, job int64) (counted bool, err error) {
	const running = `EXISTS (SELECT 1 FROM river_job j WHERE j.id = turns.job AND j.state = 'running')`
	for {
		n, err := db.Exec(ctx, `INSERT INTO turns (kind, job, again) VALUES ($1, $2, 0)
			ON CONFLICT (kind) DO UPDATE SET job = excluded.job, again = 0 WHERE turns.job IN (0, excluded.job) OR NOT `+running, kind, job)
		if err != nil || n > 0 {
			return false, err
		}
		// Whoever ends its turn in between is seen to: both touch the one row, and the second looks at what the first left.
		n, err = db.Exec(ctx, `UPDATE turns SET again = 1 WHERE kind = $1 AND job NOT IN (0, $2) AND `+running, kind, job)
		if err != nil || n > 0 {
			return true, err
		}
	}
}

// endTurn ends job's turn unless another counts on it since it began the work.
func (db *DB) endTurn(ctx context.Context, kind string, job int64) (ended bool, err error) {
	n, err := db.Exec(ctx, `UPDATE turns SET job = 0 WHERE kind = $1 AND job = $2 AND again = 0`, kind, job)
	return n > 0, err
}
