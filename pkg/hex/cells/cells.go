// Package cells keeps what has been seen in each H3 cell, in SQL, exactly: every drive's published frames counted once,
// whatever the order of arrival, repeats, removals or crashes.
//
// Two tables hold it. cell_parts is what each drive contributes; Index replaces a drive's part by what its frames say
// now, so a repeat changes nothing and a removal leaves no trace. cells is the merge of all parts, at the base
// resolution and at coarser stored ones, kept up to date by the difference between a drive's old and new part: sums are
// added, extremes only grow, and where something was taken away the cell is recomputed from the parts that remain.
//
// The package refuses to hold single observations: those are frames, and Parquet in the lake.
package cells

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Config says at which resolutions cells are kept. The zero value is the default. It must not change over the life of a
// database; Rebuild makes the change.
type Config struct {
	// Res is the base resolution, 5 to 15; 0 means hex.DefaultRes. Frames pinned finer are counted in their parent.
	Res int
}

func (c Config) res() int {
	if c.Res == 0 {
		return hex.DefaultRes
	}
	return c.Res
}

// area is the resolution of the rows of cell_parts.
func (c Config) area() int { return c.res() - 3 }

// stored are the resolutions kept, finest first: 12, 9, 7, 5 and 3 by default.
func (c Config) stored() []int {
	out := []int{c.res()}
	for _, up := range []int{3, 5, 7, 9} {
		if r := c.res() - up; r >= 0 {
			out = append(out, r)
		}
	}
	return out
}

// Cells applies drives to the cell state. It is safe for concurrent use by any number of processes on one database.
type Cells struct {
	DB     *state.DB
	Log    *slog.Logger     // nil discards
	Clock  func() time.Time // nil means time.Now
	Config Config

	// Also runs in Index's transaction after the cells, for what else follows from a drive's published frames
	// (hex/roadstate); nil when nothing does.
	Also func(context.Context, *state.Tx, survey.DriveID) error
}

func (c *Cells) now() time.Time {
	if c.Clock != nil {
		return c.Clock()
	}
	return time.Now()
}

// Index applies the published frames of a drive, in one transaction with everything that follows: changed cells and the
// drive enter the change feed, the drive counts as indexed, its upload is settled if that was the last, and the tiles
// and export jobs are enqueued. It reads the frames as they are now, so running it again, late or for an older revision
// only ever moves the state to the truth. An unknown drive is NotFound.
func (c *Cells) Index(ctx context.Context, args state.IndexArgs) error {
	err := c.DB.Tx(ctx, func(tx *state.Tx) error { return c.index(ctx, tx, args.DriveID) })
	if err != nil {
		return fmt.Errorf("index drive %s revision %d: %w", args.DriveID, args.Revision, err)
	}
	return nil
}

func (c *Cells) index(ctx context.Context, tx *state.Tx, id survey.DriveID) error {
	// Takes the row's lock, so that two runs for one drive do not read its frames side by side.
	if n, err := tx.Exec(ctx, `UPDATE drives SET indexed_at = indexed_at WHERE id = $1`, string(id)); err != nil {
		return err
	} else if n == 0 {
		return survey.Errorf(survey.NotFound, "no drive %s", id)
	}
	var upload, contributor, was string
	if err := tx.QueryRow(ctx, `SELECT upload_id, contributor_id, state FROM drives WHERE id = $1`, string(id)).Scan(&upload, &contributor, &was); err != nil {
		return err
	}
	obs, err := Published(ctx, tx, id)
	if err != nil {
		return err
	}
	changed, err := c.Apply(ctx, tx, []DriveObservations{{Drive: id, Observations: obs}})
	if err != nil {
		return err
	}
	if c.Also != nil {
		if err := c.Also(ctx, tx, id); err != nil {
			return err
		}
	}
	keys := make([]string, len(changed))
	for i, cell := range changed {
		keys[i] = cell.String()
	}
	if err := state.MarkAllChanged(ctx, tx, "cell", keys); err != nil {
		return err
	}
	// A take-down may come before vision has seen every part; then the drive is not finished.
	var waiting int64
	if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM drive_parts WHERE drive_id = $1 AND done_run < 0`, string(id)).Scan(&waiting); err != nil {
		return err
	}
	first := was != "indexed" && waiting == 0
	if first {
		if _, err := tx.Exec(ctx, `UPDATE drives SET state = 'indexed', indexed_at = $2 WHERE id = $1`, string(id), state.Micros(c.now())); err != nil {
			return err
		}
	}
	// The drive is marked even when no cell changed: a frame may have been published anew under another key.
	if err := state.MarkChanged(ctx, tx, "drive", string(id)); err != nil {
		return err
	}
	if waiting == 0 {
		// Two drives of one upload that finish side by side would each see the other unfinished, and nobody would
		// settle: the second waits here until the first has committed.
		if _, err := tx.Exec(ctx, `UPDATE uploads SET settled_at = settled_at WHERE id = $1`, upload); err != nil {
			return err
		}
		if _, err := state.SettleUpload(ctx, tx, survey.UploadID(upload), c.now()); err != nil {
			return err
		}
	}
	if c.Log != nil {
		c.Log.InfoContext(ctx, "drive indexed", "drive", id, "observations", len(obs), "cells_changed", len(changed), "first", first)
	}
	if err := tx.Enqueue(ctx, state.TilesArgs{}); err != nil {
		return err
	}
	return tx.Enqueue(ctx, state.ExportArgs{})
}

// Published are the observations of a drive: its frames in state published, in drive order.
func Published(ctx context.Context, q state.Querier, id survey.DriveID) ([]survey.Observation, error) {
	rows, err := q.Query(ctx, `SELECT f.id, d.contributor_id, f.cell, f.captured_at, f.received_at, f.heading_mdeg, f.quality_ppm
		FROM frames f JOIN drives d ON d.id = f.drive_id
		WHERE f.drive_id = $1 AND f.state = $2 ORDER BY f.seq`, string(id), string(survey.FramePublished))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []survey.Observation
	for rows.Next() {
		var frame, contributor string
		var cell, captured, received, heading, quality int64
		if err := rows.Scan(&frame, &contributor, &cell, &captured, &received, &heading, &quality); err != nil {
			return nil, err
		}
		h := -1
		if heading >= 0 {
			h = int(heading / 1000 % 360)
		}
		out = append(out, survey.Observation{
			Frame: survey.FrameID(frame), Drive: id, Contributor: survey.ContributorID(contributor), Cell: survey.Cell(cell),
			CapturedAt: state.Time(captured), ReceivedAt: state.Time(received), HeadingDeg: h, Quality: survey.PPM(quality),
		})
	}
	return out, rows.Err()
}

// DriveObservations is everything a drive has observed now; none takes the drive out.
type DriveObservations struct {
	Drive        survey.DriveID
	Observations []survey.Observation // any order; a frame given twice counts once
}

// Apply makes the state what it is with the given drives' observations in place of what these drives contributed before,
// and gives the base cells that changed, in order. Applying drives together, apart or repeatedly, in any order, gives the
// same rows. A drive given twice is Invalid, as is an observation coarser than the base resolution or with a quality
// outside [0, One].
func (c *Cells) Apply(ctx context.Context, tx *state.Tx, drives []DriveObservations) ([]survey.Cell, error) {
	if r := c.Config.res(); r < 5 || r > 15 {
		return nil, survey.Errorf(survey.Invalid, "cell resolution %d is not 5 to 15", r)
	}
	a := applier{ctx: ctx, tx: tx, cfg: c.Config, marks: marks{c.DB.Postgres()}}
	if err := a.fold(drives); err != nil {
		return nil, err
	}
	if err := a.compare(); err != nil {
		return nil, err
	}
	if err := a.writeParts(); err != nil {
		return nil, err
	}
	changes, err := a.base()
	if err != nil {
		return nil, err
	}
	cells := make([]survey.Cell, len(changes))
	for i := range changes {
		cells[i] = changes[i].cell
	}
	finer := c.Config.res()
	for _, res := range c.Config.stored()[1:] {
		if changes, err = a.lift(changes, finer, res); err != nil {
			return nil, err
		}
		finer = res
	}
	slices.Sort(cells)
	return cells, nil
}
