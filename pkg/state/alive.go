package state

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivertype"
)

// A worker process tells the database every BeatEvery that it lives. When it has not for DeadAfter, any other takes over
// what it had in hand; River alone would wait RescueAfter. A worker that was only cut off meets its own job in other
// hands then, which jobs bear (at least once).
const (
	BeatEvery = 5 * time.Second
	DeadAfter = 30 * time.Second
)

// aWorker is River's client with the beat of its process.
type aWorker struct {
	Worker
	db   *DB
	id   string
	log  *slog.Logger
	stop context.CancelFunc
	done sync.WaitGroup

	every time.Duration
	hands *inHand
	stray map[int64]int // own jobs that run by the database's word and are in nobody's hands, and for how many beats
}

// inHand is the jobs that handlers work on now.
type inHand struct {
	mu   sync.Mutex
	jobs map[int64]int
}

func (h *inHand) take(id int64) (give func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.jobs == nil {
		h.jobs = map[int64]int{}
	}
	h.jobs[id]++
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.jobs[id]--; h.jobs[id] <= 0 {
			delete(h.jobs, id)
		}
	}
}

func (h *inHand) holds(id int64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.jobs[id] > 0
}

// strayBeats is after how many beats a job that nobody works on is taken up again. River writes down the ends of jobs in
// batches, and gives up when the database is away for some seconds: such a job would look as if it ran until RescueAfter.
const strayBeats = 4

// takeUp makes own jobs available again whose end was not written down.
func (w *aWorker) takeUp(ctx context.Context) (int, error) {
	jobs, err := w.db.running(ctx, `w.id = $1`, w.id)
	if err != nil {
		return 0, err
	}
	seen := map[int64]int{}
	jobs = slices.DeleteFunc(jobs, func(j runningJob) bool {
		if w.hands.holds(j.id) {
			return true
		}
		seen[j.id] = w.stray[j.id] + 1
		return seen[j.id] < strayBeats
	})
	w.stray = seen
	return w.db.release(ctx, jobs, "its end could not be written down")
}

// processID is unique among processes, also of one machine over time.
func processID() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	var b [6]byte
	rand.Read(b[:])
	return fmt.Sprintf("%.60s-%d-%s", host, os.Getpid(), hex.EncodeToString(b[:]))
}

func (w *aWorker) Start(ctx context.Context) error {
	if err := w.db.beat(ctx, w.id); err != nil {
		return err
	}
	if !w.db.Postgres() {
		// One process works a SQLite database: what an earlier one left is nobody's.
		if _, err := w.db.Exec(ctx, `UPDATE workers SET seen_at = 0 WHERE id <> $1`, w.id); err != nil {
			return err
		}
	}
	if _, err := w.db.takeOver(ctx); err != nil {
		return err
	}
	if err := w.Worker.Start(ctx); err != nil {
		return err
	}
	bg, cancel := context.WithCancel(context.WithoutCancel(ctx))
	w.stop = cancel
	w.done.Go(func() {
		t := time.NewTicker(w.every)
		defer t.Stop()
		for {
			select {
			case <-bg.Done():
				return
			case <-t.C:
			}
			err := w.db.beat(bg, w.id)
			var dead, stray int
			if err == nil {
				dead, err = w.db.takeOver(bg)
			}
			if err == nil {
				stray, err = w.takeUp(bg)
			}
			if err != nil && bg.Err() == nil {
				w.log.Warn("the worker's beat", "err", err)
			}
			if dead+stray > 0 {
				w.log.Warn("jobs go on here or elsewhere", "of_dead_workers", dead, "without_written_end", stray)
			}
		}
	})
	return nil
}

func (w *aWorker) Stop(ctx context.Context) error {
	err := w.Worker.Stop(ctx)
	if err == nil {
		w.leave(ctx)
	}
	return err
}

func (w *aWorker) StopAndCancel(ctx context.Context) error {
	err := w.Worker.StopAndCancel(ctx)
	w.leave(ctx)
	return err
}

// leave ends the beat and says that this process is gone, so that what it could not finish goes on at once.
func (w *aWorker) leave(ctx context.Context) {
	if w.stop == nil {
		return
	}
	w.stop()
	w.done.Wait()
	if _, err := w.db.Exec(context.WithoutCancel(ctx), `UPDATE workers SET seen_at = 0 WHERE id = $1`, w.id); err != nil {
		w.log.Warn("the worker's farewell", "err", err)
	}
}

// nowSQL is the database's clock in microseconds: workers' own clocks may differ.
func (db *DB) nowSQL() string {
	if db.Postgres() {
		return `CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)`
	}
	return `CAST(unixepoch('subsec') * 1000000 AS INTEGER)`
}

func (db *DB) beat(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, DeadAfter/2)
	defer cancel()
	_, err := db.Exec(ctx, `INSERT INTO workers (id, started_at, seen_at) VALUES ($1, `+db.nowSQL()+`, `+db.nowSQL()+`)
		ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at`, id)
	return err
}

// takeOver makes the jobs available again that dead workers had in hand. It reports how many.
func (db *DB) takeOver(ctx context.Context) (int, error) {
	jobs, err := db.running(ctx, `w.seen_at < `+db.nowSQL()+` - $1`, DeadAfter.Microseconds())
	if err != nil {
		return 0, err
	}
	if len(jobs) == 0 { // nobody is dead with something in hand: forget those long gone
		_, err := db.Exec(ctx, `DELETE FROM workers WHERE seen_at < `+db.nowSQL()+` - 86400000000 AND started_at < `+db.nowSQL()+` - 86400000000`)
		return 0, err
	}
	return db.release(ctx, jobs, "its worker ended without a word")
}

type runningJob struct {
	id, attempt, most int64
	kind              string
}

// running lists, at most 200, the running jobs whose worker meets the condition.
func (db *DB) running(ctx context.Context, where string, arg any) ([]runningJob, error) {
	ctx, cancel := context.WithTimeout(ctx, DeadAfter/2)
	defer cancel()
	by := `attempted_by[array_upper(attempted_by, 1)]`
	if !db.Postgres() {
		by = `json_extract(attempted_by, '$[#-1]')`
	}
	rows, err := db.Query(ctx, `SELECT j.id, j.attempt, j.max_attempts, j.kind FROM river_job j JOIN workers w ON w.id = `+by+`
		WHERE j.state = 'running' AND `+where+` ORDER BY j.id LIMIT 200`, arg)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []runningJob
	for rows.Next() {
		var j runningJob
		if err := rows.Scan(&j.id, &j.attempt, &j.most, &j.kind); err != nil {
			return nil, err
		}
		out = append(out, j)
	}
	return out, rows.Err()
}

// mostDeaths is how many attempts a vision job may have in all, those included that its worker's death ended.
const mostDeaths = 100

// release makes jobs available, and gives up those that used up their attempts: a job that ends its worker each time
// must not end them all. For a vision job a death costs no attempt: it takes longest, so that a fleet whose machines come
// and go would give up drives that are innocent, and it finds out by itself on which frame workers die, and leaves that one.
func (db *DB) release(ctx context.Context, jobs []runningJob, why string) (int, error) {
	if len(jobs) == 0 {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, DeadAfter/2)
	defer cancel()
	// By the database's clock, which jobs are fetched by: one whose own is an hour ahead would make them wait an hour.
	var us int64
	if err := db.QueryRow(ctx, `SELECT `+db.nowSQL()).Scan(&us); err != nil {
		return 0, fmt.Errorf("take over jobs: %w", err)
	}
	now := Time(us)
	var free []string
	for i, j := range jobs {
		if j.kind == (VisionArgs{}).Kind() && j.most < mostDeaths {
			jobs[i].most++
			free = append(free, strconv.FormatInt(j.id, 10))
		}
	}
	if len(free) > 0 { // first: what a crash leaves between the two is one attempt too many
		if _, err := db.Exec(ctx, `UPDATE river_job SET max_attempts = max_attempts + 1 WHERE id IN (`+strings.Join(free, ",")+`)`); err != nil {
			return 0, err
		}
	}
	p := riverdriver.JobRescueManyParams{StuckHorizon: now.AddDate(1, 0, 0)} // whatever clock stamped the attempt
	for _, j := range jobs {
		msg, err := json.Marshal(rivertype.AttemptError{At: now, Attempt: int(max(j.attempt, 0)), Error: why})
		if err != nil {
			return 0, err
		}
		st, over := rivertype.JobStateAvailable, (*time.Time)(nil)
		if j.attempt >= j.most {
			st, over = rivertype.JobStateDiscarded, &now
		}
		p.ID, p.Error, p.State = append(p.ID, j.id), append(p.Error, msg), append(p.State, string(st))
		p.FinalizedAt, p.ScheduledAt = append(p.FinalizedAt, over), append(p.ScheduledAt, now)
	}
	var err error
	if db.Postgres() {
		_, err = riverpgxv5.New(db.pool).GetExecutor().JobRescueMany(ctx, &p)
	} else {
		_, err = riversqlite.New(db.write).GetExecutor().JobRescueMany(ctx, &p)
	}
	if err != nil {
		return 0, fmt.Errorf("take over jobs: %w", away(err))
	}
	return len(p.ID), nil
}
