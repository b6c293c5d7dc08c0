package state

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/telemetry"
)

// Job arguments, one type per stage. A job is idempotent under (stage, input): River delivers at least once, and two
// workers may hold the same job after a pause. "Done" commits together with the effect.

// Queues. Vision is apart because it is the one that needs cores and memory.
const (
	QueueDefault = river.QueueDefault
	QueueVision  = "vision"
)

// JobTimeout bounds one job that is not LongLasting; RescueAfter is when such a job that is still running then is given to
// another, whatever its worker says: the second must exceed the first. What a dead worker had in hand goes on sooner, after
// DeadAfter.
const (
	JobTimeout  = 4 * time.Minute
	RescueAfter = 5 * time.Minute
)

// once: a second job of the same arguments is the same work. The folds (tiles, export) are not unique, because they
// must run again when something changed while they ran; they find nothing to do and end quickly otherwise.
var once = river.UniqueOpts{ByArgs: true}

// IngestArgs: read the files of a completed upload, give each a verdict, cut drives.
type IngestArgs struct {
	UploadID survey.UploadID `json:"upload_id"`
	// Resent tells apart the times that damaged files were sent again: 0 the first time, then uploads.resent_at.
	Resent int64 `json:"resent,omitempty"`
}

func (IngestArgs) Kind() string { return "ingest" }

// JobTimeout lets a card of films be read over a slow network: an upload is read whole, and again from its start after a break.
func (IngestArgs) JobTimeout() time.Duration { return 2 * time.Hour }

func (IngestArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{MaxAttempts: 8, UniqueOpts: once}
}

// What stands in frames.film_pts_us of a frame that is not of a film, where it is the time in the film.
const (
	WholeFile = -1 // an uploaded file of its own
	OfBundle  = -2 // out of a bundle: an object of its own, but the file that has a verdict, final from ingest, is the bundle
)

// VisionArgs: redact and publish one part (at most survey.PartFrames frames) of a drive.
type VisionArgs struct {
	DriveID survey.DriveID `json:"drive_id"`
	Part    int            `json:"part"`
	// Run tells repeats apart: 0 the first look, then one more for each rerun.
	Run int `json:"run,omitempty"`
}

func (VisionArgs) Kind() string { return "vision" }
func (VisionArgs) InsertOpts() river.InsertOpts {
	// Deaths of workers are not among them, see release.
	return river.InsertOpts{Queue: QueueVision, MaxAttempts: 12, UniqueOpts: once}
}

// IndexArgs: apply a drive's published frames to the cells, mark dirty tiles, settle the upload.
type IndexArgs struct {
	DriveID survey.DriveID `json:"drive_id"`
	// Revision tells apart the times the drive's set of published frames changed.
	Revision int `json:"revision,omitempty"`
}

func (IndexArgs) Kind() string { return "index" }
func (IndexArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{MaxAttempts: 8, UniqueOpts: once}
}

// TilesArgs: rebuild the dirty tiles and swap the manifest.
type TilesArgs struct{}

func (TilesArgs) Kind() string { return "tiles" }

// JobTimeout lets a large network's map be built whole, as the first time and where its plan changed, in one go.
func (TilesArgs) JobTimeout() time.Duration { return time.Hour }

// ExportArgs: write what was committed since the last snapshot to the lake.
type ExportArgs struct{}

func (ExportArgs) Kind() string { return "export" }

// JobTimeout lets a large network's first snapshot, and one of a new schema, be written in one go.
func (ExportArgs) JobTimeout() time.Duration { return time.Hour }

// CloseArgs: close a reward epoch.
type CloseArgs struct {
	Epoch survey.Epoch `json:"epoch"`
}

func (CloseArgs) Kind() string { return "close" }

// JobTimeout is many times what ten million observations take (benchmarks/results/rewards.md): a close goes on from its
// frozen inputs, but decides and books them in one go, so that one which is cut off each time would never end.
func (CloseArgs) JobTimeout() time.Duration { return 6 * time.Hour }

func (CloseArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{MaxAttempts: 8, UniqueOpts: once}
}

// JobConfig says how many jobs of each queue one process works at a time. The zero value works none.
type JobConfig struct {
	Default, Vision int
	Poll            time.Duration // how often to look for work; 0 means one second
	Beat            time.Duration // how often it says that it lives; 0 means BeatEvery
	Timeout         time.Duration // of one job that is not LongLasting; 0 means JobTimeout, which is also the most
	ID              string        // of this worker, unique among processes and over time; empty makes one
}

// Handlers is one function per kind of job.
type Handlers struct {
	// Around, if set before the first job, runs every job: it must call fn once and give its error.
	Around func(ctx context.Context, kind string, args any, fn func(context.Context) error) error

	ws    *river.Workers
	log   *slog.Logger
	hands *inHand
}

// NewHandlers is an empty set; log is told of outages, nil discards.
func NewHandlers(log *slog.Logger) *Handlers {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Handlers{ws: river.NewWorkers(), log: log, hands: &inHand{}}
}

// Handle registers fn for the jobs of its argument type; registering a kind twice panics.
func Handle[A river.JobArgs](h *Handlers, fn func(context.Context, A) error) {
	river.AddWorker(h.ws, &handler[A]{fn: func(ctx context.Context, _ int64, a A) error { return fn(ctx, a) }, log: h.log, all: h})
}

type handler[A river.JobArgs] struct {
	river.WorkerDefaults[A]
	fn  func(ctx context.Context, job int64, args A) error
	log *slog.Logger
	all *Handlers
}

// Outages cost a job no attempt: it waits from two seconds to a minute and is tried again, for about a working day. After
// that an outage counts as a failure, so that a lasting mistake ends where an operator sees it.
const (
	outageWait, outageWaitMost = 2 * time.Second, time.Minute
	outageTries                = 500
)

// Versioned is what job arguments implement whose meaning has changed since the first release: a worker that knows only
// an earlier version leaves the job to one that knows more, instead of doing the wrong thing. Without it the version is 1.
// A new kind of job needs workers that know it before anything enqueues it.
type Versioned interface{ JobVersion() int }

// LongLasting is what job arguments implement whose jobs may take longer than JobTimeout: their bound instead. The worker's
// beat keeps its hold on such a job: nobody else gets it before its bound while the worker lives, and anybody DeadAfter it
// died.
type LongLasting interface{ JobTimeout() time.Duration }

// Timeout is River's question how long the job may take; 0 means the worker's general bound.
func (h *handler[A]) Timeout(j *river.Job[A]) time.Duration {
	if l, ok := any(j.Args).(LongLasting); ok {
		return l.JobTimeout()
	}
	return 0
}

func versionOf(a river.JobArgs) int {
	if v, ok := a.(Versioned); ok {
		return v.JobVersion()
	}
	return 1
}

// futureWait is how long a job of a later version waits for a worker that knows it.
const futureWait = 30 * time.Second

// carried is what a job's metadata holds of ours.
type carried struct {
	Version int    `json:"roadcomb_version,omitempty"`
	Trace   string `json:"roadcomb_trace,omitempty"` // telemetry.Carry
}

func carriedBy(metadata []byte) (c carried) {
	if json.Unmarshal(metadata, &c) != nil {
		return carried{}
	}
	return c
}

func carry(ctx context.Context, a river.JobArgs) *river.InsertOpts {
	b, err := json.Marshal(carried{versionOf(a), telemetry.Carry(ctx)})
	if err != nil {
		panic(err) // a number and a string always encode
	}
	return &river.InsertOpts{Metadata: b}
}

// Work runs the function. A panic inside is River's to recover: it counts as a failed attempt.
func (h *handler[A]) Work(ctx context.Context, j *river.Job[A]) error {
	defer h.all.hands.take(j.ID)()
	c := carriedBy(j.Metadata)
	if known := versionOf(j.Args); c.Version > known {
		h.log.WarnContext(ctx, "a job is of a later version and waits for a newer worker", "kind", j.Kind, "job", j.ID, "version", c.Version, "known", known)
		return river.JobSnooze(futureWait)
	}
	ctx = telemetry.Follow(ctx, c.Trace)
	run := func(ctx context.Context) error { return h.fn(ctx, j.ID, j.Args) }
	var err error
	if h.all.Around != nil {
		err = h.all.Around(ctx, j.Kind, j.Args, run)
	} else {
		err = run(ctx)
	}
	if err == nil || ctx.Err() != nil || !Outage(err) {
		return err
	}
	var meta struct {
		Snoozes int `json:"snoozes"`
	}
	if json.Unmarshal(j.Metadata, &meta) != nil || meta.Snoozes >= outageTries {
		return err
	}
	wait := min(outageWait<<min(meta.Snoozes, 10), outageWaitMost)
	h.log.WarnContext(ctx, "a job waits for an outage to end", "kind", j.Kind, "job", j.ID, "again_in", wait, "err", err)
	return river.JobSnooze(wait)
}

// Worker works jobs until stopped.
type Worker interface {
	// Start begins; it returns at once. ctx cancels running jobs at once.
	Start(ctx context.Context) error
	// Stop stops fetching and waits for running jobs, until ctx ends.
	Stop(ctx context.Context) error
	// StopAndCancel stops fetching and cancels running jobs.
	StopAndCancel(ctx context.Context) error
}

// NewWorker makes a worker that runs the handlers.
func (db *DB) NewWorker(h *Handlers, c JobConfig, log *slog.Logger) (Worker, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if c.Poll <= 0 {
		c.Poll = time.Second
	}
	q := map[string]river.QueueConfig{}
	if c.Default > 0 {
		q[QueueDefault] = river.QueueConfig{MaxWorkers: c.Default}
	}
	if c.Vision > 0 {
		q[QueueVision] = river.QueueConfig{MaxWorkers: c.Vision}
	}
	rc := &river.Config{
		ID: c.ID, Queues: q, Workers: h.ws, Logger: slog.New(quiet{log.Handler()}),
		JobTimeout: cmp.Or(c.Timeout, JobTimeout), RescueStuckJobsAfter: RescueAfter,
		FetchPollInterval: c.Poll, FetchCooldown: min(c.Poll, fetchCooldown),
	}
	if rc.ID == "" {
		rc.ID = processID()
	}
	var w Worker
	var err error
	if db.pool != nil {
		w, err = river.NewClient(riverpgxv5.New(db.pool), rc)
	} else {
		w, err = river.NewClient(riversqlite.New(db.write), rc)
	}
	if err != nil {
		return nil, err
	}
	return &aWorker{Worker: w, db: db, id: rc.ID, log: log, hands: h.hands, every: cmp.Or(c.Beat, BeatEvery)}, nil
}

// fetchCooldown is the least time between two looks for work by one queue. A worker that ends a job looks for the next
// after it, so it is what every short job pays: River's own 100 ms would be many times the job's cost.
const fetchCooldown = 5 * time.Millisecond

// JobCounts is how many jobs of a kind are in each state of work.
type JobCounts struct {
	Kind                               string
	Waiting, Running, Retrying, Failed int64
}

// Jobs counts the jobs that are not done, by kind. Failed ones used up their attempts and wait for an operator.
func (db *DB) Jobs(ctx context.Context) ([]JobCounts, error) { return Jobs(ctx, db) }

// Jobs is DB.Jobs within a transaction. Who holds one must not ask the DB: that takes a second connection, and when as many
// ask as there are connections, all wait for each other.
func Jobs(ctx context.Context, q Querier) ([]JobCounts, error) {
	rows, err := q.Query(ctx, `SELECT kind,
		SUM(CASE WHEN state IN ('available','scheduled','pending') THEN 1 ELSE 0 END),
		SUM(CASE WHEN state = 'running' THEN 1 ELSE 0 END),
		SUM(CASE WHEN state = 'retryable' THEN 1 ELSE 0 END),
		SUM(CASE WHEN state = 'discarded' THEN 1 ELSE 0 END)
		FROM river_job WHERE state NOT IN ('completed','cancelled') GROUP BY kind ORDER BY kind`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []JobCounts
	for rows.Next() {
		var c JobCounts
		if err := rows.Scan(&c.Kind, &c.Waiting, &c.Running, &c.Retrying, &c.Failed); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, rows.Err()
}
