package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// QueueStage is where the jobs of one kind stand, and what those of the last day took.
type QueueStage struct {
	JobCounts
	Age  time.Duration // how long the oldest job that could run has waited
	Done int64         // of the last 24 hours (the queue forgets older ones)
	Took time.Duration // that they took together, from start to end
}

// Queue says where the jobs of each kind stand, by kind.
func (db *DB) Queue(ctx context.Context) ([]QueueStage, error) {
	// Times of jobs are the queue's own: text in SQLite, timestamps in PostgreSQL.
	since := func(t string) string { return "EXTRACT(EPOCH FROM now() - " + t + ")" }
	span := "EXTRACT(EPOCH FROM finalized_at - attempted_at)"
	if !db.Postgres() {
		since = func(t string) string { return "(julianday('now') - julianday(" + t + ")) * 86400" }
		span = "(julianday(finalized_at) - julianday(attempted_at)) * 86400"
	}
	rows, err := db.Query(ctx, `SELECT kind,
		SUM(CASE WHEN state IN ('available','scheduled','pending') THEN 1 ELSE 0 END),
		SUM(CASE WHEN state = 'running' THEN 1 ELSE 0 END),
		SUM(CASE WHEN state = 'retryable' THEN 1 ELSE 0 END),
		SUM(CASE WHEN state = 'discarded' THEN 1 ELSE 0 END),
		CAST(COALESCE(MAX(CASE WHEN state IN ('available','retryable','scheduled') THEN `+since("scheduled_at")+` END), 0) AS DOUBLE PRECISION),
		SUM(CASE WHEN state = 'completed' AND `+since("finalized_at")+` < 86400 THEN 1 ELSE 0 END),
		CAST(COALESCE(SUM(CASE WHEN state = 'completed' AND `+since("finalized_at")+` < 86400 THEN `+span+` END), 0) AS DOUBLE PRECISION)
		FROM river_job GROUP BY kind ORDER BY kind`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []QueueStage{}
	for rows.Next() {
		var s QueueStage
		var age, took float64
		if err := rows.Scan(&s.Kind, &s.Waiting, &s.Running, &s.Retrying, &s.Failed, &age, &s.Done, &took); err != nil {
			return nil, err
		}
		s.Age, s.Took = time.Duration(max(age, 0)*1e9), time.Duration(max(took, 0)*1e9)
		out = append(out, s)
	}
	return out, rows.Err()
}

// Job is one job as an operator sees it.
type Job struct {
	ID          int64           `json:"id"`
	Kind        string          `json:"kind"`
	State       string          `json:"state" doc:"available, scheduled, pending, running, retryable, completed, cancelled; discarded: used up its attempts."`
	Attempt     int             `json:"attempt"`
	MaxAttempts int             `json:"max_attempts"`
	Args        json.RawMessage `json:"args"`
	CreatedAt   time.Time       `json:"created_at"`
	ScheduledAt time.Time       `json:"scheduled_at"`
	AttemptedAt *time.Time      `json:"attempted_at,omitempty"`
	FinalizedAt *time.Time      `json:"finalized_at,omitempty"`
	Error       string          `json:"error,omitempty" doc:"Of the last attempt that failed."`
	Trace       string          `json:"trace,omitempty" doc:"Id of the trace that the job belongs to."`
}

// ListJobs gives the newest jobs of the states (all but completed when none is given) and, if not "", of the kind.
func (db *DB) ListJobs(ctx context.Context, kind string, states []string, limit int) ([]Job, error) {
	if limit < 1 || limit > 1000 {
		return nil, survey.Errorf(survey.Invalid, "limit %d is not between 1 and 1000", limit)
	}
	p := river.NewJobListParams().First(limit).OrderBy(river.JobListOrderByID, river.SortOrderDesc)
	if kind != "" {
		p = p.Kinds(kind)
	}
	want := []rivertype.JobState{rivertype.JobStateAvailable, rivertype.JobStateScheduled, rivertype.JobStatePending, rivertype.JobStateRunning, rivertype.JobStateRetryable, rivertype.JobStateDiscarded}
	if len(states) > 0 {
		want = nil
		for _, s := range states {
			known := false
			for _, k := range rivertype.JobStates() {
				known = known || string(k) == s
			}
			if !known {
				return nil, survey.Errorf(survey.Invalid, "job state %q", s).WithHint("the states are %v", rivertype.JobStates())
			}
			want = append(want, rivertype.JobState(s))
		}
	}
	p = p.States(want...)
	var res *river.JobListResult
	var err error
	if db.pool != nil {
		res, err = db.pgJobs.JobList(ctx, p)
	} else {
		res, err = db.liteJobs.JobList(ctx, p)
	}
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	out := []Job{}
	for _, j := range res.Jobs {
		x := Job{ID: j.ID, Kind: j.Kind, State: string(j.State), Attempt: j.Attempt, MaxAttempts: j.MaxAttempts, Args: j.EncodedArgs,
			CreatedAt: j.CreatedAt, ScheduledAt: j.ScheduledAt, AttemptedAt: j.AttemptedAt, FinalizedAt: j.FinalizedAt}
		if n := len(j.Errors); n > 0 {
			x.Error = j.Errors[n-1].Error
		}
		if t := carriedBy(j.Metadata).Trace; len(t) == 55 { // 00-<32>-<16>-<2>, see telemetry.Carry
			x.Trace = t[3:35]
		}
		out = append(out, x)
	}
	return out, nil
}

// RetryJob lets a job run again now, whatever its attempts.
func (db *DB) RetryJob(ctx context.Context, id int64) (err error) {
	if db.pool != nil {
		_, err = db.pgJobs.JobRetry(ctx, id)
	} else {
		_, err = db.liteJobs.JobRetry(ctx, id)
	}
	return jobErr(id, err)
}

// DropJob removes a job that is not running, so that it never runs. What it was to do is left undone until something
// asks for it again.
func (db *DB) DropJob(ctx context.Context, id int64) (err error) {
	if db.pool != nil {
		_, err = db.pgJobs.JobDelete(ctx, id)
	} else {
		_, err = db.liteJobs.JobDelete(ctx, id)
	}
	return jobErr(id, err)
}

func jobErr(id int64, err error) error {
	switch {
	case errors.Is(err, rivertype.ErrNotFound):
		return survey.Errorf(survey.NotFound, "no job %d", id).WithHint("done jobs are forgotten after a day")
	case errors.Is(err, rivertype.ErrJobRunning):
		return survey.Errorf(survey.Conflict, "job %d is running", id).WithHint("wait until its attempt has ended")
	}
	return err
}

// WorkersAlive counts the worker processes that said lately that they live.
func (db *DB) WorkersAlive(ctx context.Context) (n int64, err error) {
	err = db.QueryRow(ctx, `SELECT COUNT(*) FROM workers WHERE seen_at > `+db.nowSQL()+` - $1`, DeadAfter.Microseconds()).Scan(&n)
	return n, err
}
