package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/roadcomb/roadcomb/datasets/schema"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// What the export reads of an epoch's published record, by the names of its columns.
type (
	epochFrame struct {
		Frame      string      `lake:"frame"`
		Drive      string      `lake:"drive"`
		Cell       survey.Cell `lake:"h3"`
		CapturedAt time.Time   `lake:"captured_at"`
		ReceivedAt time.Time   `lake:"received_at"`
		Heading    int32       `lake:"heading"`
		Quality    int32       `lake:"quality"`
	}
	epochDrive struct {
		Drive       string `lake:"drive"`
		Contributor string `lake:"contributor"`
	}
)

// contributions writes the inputs of the closed epochs that the lake lacks, out of the ledger: what is published there
// is what was paid for. An epoch whose record is not there is left for the next export.
func (w *Worker) contributions(ctx context.Context, emit func(file, error) error) error {
	rows, err := w.DB.Query(ctx, `SELECT epoch FROM epochs e WHERE contributions > 0
		AND NOT EXISTS (SELECT 1 FROM dataset_files f WHERE f.dataset = 'contributions' AND f.partition_key = 'epoch=' || e.epoch) ORDER BY epoch`)
	if err != nil {
		return err
	}
	var todo []string
	for rows.Next() {
		var e string
		if err := rows.Scan(&e); err != nil {
			rows.Close()
			return err
		}
		todo = append(todo, e)
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		return err
	}
	for _, name := range todo {
		e, err := survey.ParseEpoch(name)
		if err != nil {
			return err
		}
		f, err := w.contributionsOf(ctx, e)
		if survey.KindOf(err) == survey.NotFound {
			if w.Log != nil {
				w.Log.Warn("the record of a closed epoch is not in the ledger; its contributions are exported once it is", "epoch", name, "err", err)
			}
			continue
		}
		if err := emit(f, err); err != nil {
			return fmt.Errorf("contributions of epoch %s: %w", name, err)
		}
	}
	return nil
}

func (w *Worker) contributionsOf(ctx context.Context, e survey.Epoch) (file, error) {
	whose := map[string]string{}
	err := scanLedger(ctx, w.Store, store.EpochKey(e, "drives.parquet"), func(ds []epochDrive) error {
		for _, d := range ds {
			whose[d.Drive] = d.Contributor
		}
		return nil
	})
	if err != nil {
		return file{}, err
	}
	out := newSink[schema.Contribution](w, schema.Contributions, "epoch="+e.String())
	defer out.drop()
	err = scanLedger(ctx, w.Store, store.EpochKey(e, "contributions.parquet"), func(fs []epochFrame) error {
		for _, f := range fs {
			who, ok := whose[f.Drive]
			if !ok {
				return survey.Errorf(survey.Internal, "frame %s is of drive %s, which the epoch does not list", f.Frame, f.Drive)
			}
			if err := out.add(schema.Contribution{Cell: f.Cell, CapturedAt: f.CapturedAt, ReceivedAt: f.ReceivedAt, Epoch: e.String(), Frame: f.Frame,
				Drive: f.Drive, Contributor: who, Heading: int64(f.Heading), Quality: int64(f.Quality)}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return file{}, err
	}
	return out.finish(ctx)
}

func scanLedger[T any](ctx context.Context, s *store.Store, key string, fn func([]T) error) error {
	o, _, err := s.Open(ctx, store.Ledger, key)
	if err != nil {
		return err
	}
	defer o.Close()
	if err := lake.Scan(o, fn); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}
