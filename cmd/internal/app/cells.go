package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/roadcomb/roadcomb/datasets/schema"
	"github.com/roadcomb/roadcomb/datasets/snapshot"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

type cellsCmd struct {
	Rebuild cellsRebuildCmd `cmd:"" help:"Recompute every cell from the observations in the lake alone."`
	Fold    cellsFoldCmd    `cmd:"" help:"Fold observations, however many, into a file of cells, reading only new days."`
	Check   cellsCheckCmd   `cmd:"" help:"Compare every live cell with the fold of the lake's observations."`
}

type cellsRebuildCmd struct{ settings }

func (cellsRebuildCmd) Help() string {
	return "Reads the current snapshot's observations and replaces the cells in one transaction. Stop workers first: a drive that is indexed but not yet exported would be lost from the cells until it is indexed again."
}

func (c *cellsRebuildCmd) Run(ctx context.Context, e *environ) error {
	return withPlatform(ctx, c.settings, e, func(p *platform) error {
		return audited(ctx, e, p.db, "rebuild-cells", "", func() (string, error) { return "", rebuild(ctx, e, p) })
	})
}

// exported fails while the lake lacks changes.
func (p *platform) exported(ctx context.Context) error {
	left, err := state.Changes(ctx, p.db, "datasets")
	if err == nil && len(left) > 0 {
		err = survey.Errorf(survey.Conflict, "%d changes are not in the lake yet", len(left)).WithHint("let the export finish first: roadcomb tick, and a worker")
	}
	return err
}

func rebuild(ctx context.Context, e *environ, p *platform) error {
	if err := p.exported(ctx); err != nil {
		return err
	}
	snap, err := p.snapshot(ctx)
	if err != nil {
		return err
	}
	var n int64
	err = p.db.Tx(ctx, func(tx *state.Tx) error {
		n = 0
		return p.cells.Rebuild(ctx, tx, p.observations(ctx, snap, &n))
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "cells rebuilt from %d observations\n", n)
	return nil
}

// snapshot is the lake's current manifest; NotFound before the first export.
func (p *platform) snapshot(ctx context.Context) (snapshot.Snapshot, error) {
	snap, _, err := snapshot.Current(ctx, p.store)
	return snap, err
}

// observations reads the snapshot's observations file by file, each checked against its hash, and counts them in n.
func (p *platform) observations(ctx context.Context, snap snapshot.Snapshot, n *int64) iter.Seq2[survey.Observation, error] {
	return func(yield func(survey.Observation, error) bool) {
		for _, f := range snap.Datasets[schema.Observations.Name].Files {
			b, _, err := p.store.Get(ctx, store.Lake, f.Path, 4<<30)
			if err == nil && survey.HashOf(b) != f.SHA256 {
				err = survey.Errorf(survey.Invalid, "%s is not the file that the snapshot names", f.Path)
			}
			stop := errors.New("stop")
			if err == nil {
				err = lake.Scan(bytes.NewReader(b), func(rows []schema.Observation) error {
					for _, r := range rows {
						*n++
						o := survey.Observation{Frame: survey.FrameID(r.Frame), Drive: survey.DriveID(r.Drive), Contributor: survey.ContributorID(r.Contributor),
							Cell: r.Cell, CapturedAt: r.CapturedAt, ReceivedAt: r.ReceivedAt, HeadingDeg: int(r.Heading), Quality: survey.PPM(r.Quality)}
						if !yield(o, nil) {
							return stop
						}
					}
					return nil
				})
			}
			if errors.Is(err, stop) {
				return
			}
			if err != nil {
				yield(survey.Observation{}, err)
				return
			}
		}
	}
}
