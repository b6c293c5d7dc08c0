package epoch

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards/worker"
)

// SQLResult says what a close takes where it runs: the rows read from the database, the files written to the store, the epoch
// booked.
type SQLResult struct {
	Config
	Fill, Close time.Duration // wall
	CloseCPU    time.Duration // user and system, of this process
	Peak        int64         // resident memory at its highest, in bytes
}

func (r SQLResult) String() string {
	return fmt.Sprintf("%d observations, %d cells, %d accounts: filled in %.1f s, closed in %.1f s wall, %.1f s processor, peak %.2f GB",
		r.Observations, r.Cells, r.Accounts, r.Fill.Seconds(), r.Close.Seconds(), r.CloseCPU.Seconds(), float64(r.Peak)/1e9)
}

// RunSQL fills an empty state with published frames, drives of 90, and closes their epoch under ruleset v1.
func RunSQL(ctx context.Context, db *state.DB, st *store.Store, c Config) (SQLResult, error) {
	c.Cells, c.Accounts = max(1, c.Observations/10), max(1, c.Observations/100)
	r := SQLResult{Config: c}
	e := survey.EpochOf(time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC))
	start := time.Now()
	if err := c.fill(ctx, db, e); err != nil {
		return r, fmt.Errorf("fill the state: %w", err)
	}
	r.Fill = time.Since(start)
	w := worker.Worker{DB: db, Store: st, Clock: func() time.Time { return e.End().Add(72 * time.Hour) }}
	start, cpu := time.Now(), cpuTime()
	if err := w.Close(ctx, e); err != nil {
		return r, err
	}
	r.Close, r.CloseCPU, r.Peak = time.Since(start), cpuTime()-cpu, peak()
	var booked int64
	if err := db.QueryRow(ctx, `SELECT COUNT(*) FROM reward_frames`).Scan(&booked); err != nil || booked != int64(c.Observations) {
		return r, fmt.Errorf("%d of %d observations are booked: %v", booked, c.Observations, err)
	}
	return r, nil
}

func (c Config) fill(ctx context.Context, db *state.DB, e survey.Epoch) error {
	const perDrive, rows = 90, 200
	id := func(kind string, n int) string { return survey.HashOf(fmt.Append(nil, kind, n)).String()[:32] }
	at := func(n int) int64 { return state.Micros(e.Start().Add(time.Duration(n%500_000) * time.Second)) }
	// insert writes n rows, many to a statement and 50 statements to a transaction.
	insert := func(n int, head string, row func(i int) []any) error {
		for i := 0; i < n; {
			if err := db.Tx(ctx, func(tx *state.Tx) error {
				for range 50 {
					var q strings.Builder
					q.WriteString(head)
					var args []any
					for k := 0; k < rows && i < n; k, i = k+1, i+1 {
						if k > 0 {
							q.WriteByte(',')
						}
						q.WriteString(" (")
						for j, v := range row(i) {
							if j > 0 {
								q.WriteByte(',')
							}
							args = append(args, v)
							fmt.Fprintf(&q, "$%d", len(args))
						}
						q.WriteByte(')')
					}
					if len(args) == 0 {
						return nil
					}
					if _, err := tx.Exec(ctx, q.String(), args...); err != nil {
						return err
					}
				}
				return nil
			}); err != nil {
				return err
			}
		}
		return nil
	}
	drives := (c.Observations + perDrive - 1) / perDrive
	accounts := min(c.Accounts, drives)
	if err := insert(accounts, `INSERT INTO contributors (id, payout_address, created_at) VALUES`, func(i int) []any {
		return []any{id("account", i), address(id("account", i)).String(), 1}
	}); err != nil {
		return err
	}
	if err := insert(drives, `INSERT INTO uploads (id, contributor_id, state, options, files, bytes, created_at, completed_at) VALUES`, func(i int) []any {
		return []any{id("drive", i), id("account", i%accounts), "settled", "{}", 1, 1, at(i), at(i)}
	}); err != nil {
		return err
	}
	if err := insert(drives, `INSERT INTO drives (id, upload_id, contributor_id, device_id, state, started_at, ended_at, received_at, frames, parts, distance_mm, manifest_sha256) VALUES`, func(i int) []any {
		return []any{id("drive", i), id("drive", i), id("account", i%accounts), "x", "indexed", at(i), at(i), at(i), perDrive, 1, 1, ""}
	}); err != nil {
		return err
	}
	const first = survey.Cell(0x8c1f05871d3abff) &^ (1<<36 - 1<<9)
	return insert(c.Observations, `INSERT INTO frames (id, drive_id, part, seq, upload_id, path, object, sha256, bytes, captured_at, received_at, lat_e7, lon_e7, cell, width, height, state, quality_ppm) VALUES`, func(i int) []any {
		d := id("drive", i/perDrive)
		cell := first + survey.Cell((i/perDrive*7919+i%perDrive/3)%c.Cells)<<9
		return []any{string(survey.NewFrameID(survey.HashOf(fmt.Append(nil, "frame", i)))), d, 0, i % perDrive, d, "", "", "", 1, at(i/perDrive) + int64(i%perDrive)*1e6, at(i / perDrive), 0, 0,
			cell.Int64(), 1, 1, "published", 300_000 + i%700_000}
	})
}
