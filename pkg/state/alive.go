package state

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
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
		t := time.NewTicker(BeatEvery)
		defer t.Stop()
		for {
			select {
			case <-bg.Done():
				return
			case <-t.C:
			}
			err := w.db.beat(bg, w.id)
			var n int
			if err == nil {
				n, err = w.db.takeOver(bg)
			}
			if err != nil && bg.Err() == nil {
				w.log.Warn("the worker's beat", "err", err)
			}
			if n > 0 {
				w.log.Warn("jobs of dead workers go on here or elsewhere", "jobs", n)
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

// takeOver makes the jobs available again that dead workers had in hand, and gives up those that used up their attempts:
// a job that ends its worker each time must not end them all. It reports how many.
func (db *DB) takeOver(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, DeadAfter/2)
	defer cancel()
	by := `attempted_by[array_upper(attempted_by, 1)]`
	if !db.Postgres() {
		by = `json_extract(attempted_by, '$[#-1]')`
	}
	rows, err := db.Query(ctx, `SELECT j.id, j.attempt, j.max_attempts, w.id FROM river_job j JOIN workers w ON w.id = `+by+`
		WHERE j.state = 'running' AND w.seen_at < `+db.nowSQL()+` - $1 ORDER BY j.id LIMIT 200`, DeadAfter.Microseconds())
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	now := time.Now().UTC()
	p := riverdriver.JobRescueManyParams{StuckHorizon: now.AddDate(1, 0, 0)} // whatever clock stamped the attempt
	for rows.Next() {
		var id, attempt, most int64
		var who string
		if err := rows.Scan(&id, &attempt, &most, &who); err != nil {
			return 0, err
		}
		msg, err := json.Marshal(rivertype.AttemptError{At: now, Attempt: int(max(attempt, 0)), Error: "the worker " + who + " ended without a word"})
		if err != nil {
			return 0, err
		}
		st, over := rivertype.JobStateAvailable, (*time.Time)(nil)
		if attempt >= most {
			st, over = rivertype.JobStateDiscarded, &now
		}
		p.ID, p.Error, p.State = append(p.ID, id), append(p.Error, msg), append(p.State, string(st))
		p.FinalizedAt, p.ScheduledAt = append(p.FinalizedAt, over), append(p.ScheduledAt, now)
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	rows.Close()
	if len(p.ID) == 0 { // nobody is dead with something in hand: forget those long gone
		_, err := db.Exec(ctx, `DELETE FROM workers WHERE seen_at < `+db.nowSQL()+` - 86400000000 AND started_at < `+db.nowSQL()+` - 86400000000`)
		return 0, err
	}
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
