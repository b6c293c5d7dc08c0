package worker

import (
	"context"
	"strings"
	"time"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
)

func retire(ctx context.Context, tx *state.Tx, object string, now time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO dataset_retired (object, retired_at) VALUES ($1, $2) ON CONFLICT (object) DO NOTHING`, object, state.Micros(now))
	return err
}

// Sweep removes the objects that no snapshot has named for the grace period. Each is removed inside the transaction that
// takes it off the list, so that an export which names it again either takes it off first or finds it gone.
func (w *Worker) Sweep(ctx context.Context) error {
	due := state.Micros(w.now().Add(-w.Config.grace()))
	rows, err := w.DB.Query(ctx, `SELECT object FROM dataset_retired WHERE retired_at < $1 ORDER BY object`, due)
	if err != nil {
		return err
	}
	var objects []string
	for rows.Next() {
		var o string
		if err := rows.Scan(&o); err != nil {
			rows.Close()
			return err
		}
		objects = append(objects, o)
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		return err
	}
	for _, o := range objects {
		err := w.DB.Tx(ctx, func(tx *state.Tx) error {
			n, err := tx.Exec(ctx, `DELETE FROM dataset_retired WHERE object = $1 AND retired_at < $2`, o, due)
			if err != nil || n == 0 {
				return err
			}
			var named int64
			if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM dataset_files WHERE object = $1`, o).Scan(&named); err != nil || named > 0 {
				return err
			}
			return w.Store.Remove(ctx, store.Lake, o)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// adopt retires the files that an export wrote and died before it recorded them: older than the grace period, named by
// nothing. They are removed another grace period later.
func (w *Worker) adopt(ctx context.Context) error {
	known := map[string]bool{}
	for _, q := range []string{`SELECT object FROM dataset_files`, `SELECT object FROM dataset_retired`} {
		rows, err := w.DB.Query(ctx, q)
		if err != nil {
			return err
		}
		for rows.Next() {
			var o string
			if err := rows.Scan(&o); err != nil {
				rows.Close()
				return err
			}
			known[o] = true
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			return err
		}
	}
	var lost []string
	err := w.Store.List(ctx, store.Lake, "", func(o store.Info) error {
		if strings.HasSuffix(o.Key, ".parquet") && !known[o.Key] && o.Modified.Before(w.now().Add(-w.Config.grace())) {
			lost = append(lost, o.Key)
		}
		return nil
	})
	if err != nil || len(lost) == 0 {
		return err
	}
	return w.DB.Tx(ctx, func(tx *state.Tx) error {
		for _, o := range lost {
			if err := retire(ctx, tx, o, w.now()); err != nil {
				return err
			}
		}
		return nil
	})
}
