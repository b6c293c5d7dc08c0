package api

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Swept counts what Sweep took away.
type Swept struct {
	Uploads int // given up
	Objects int // removed from the private bucket
	Parts   int // multipart uploads aborted
}

// SweepAfter is how long an upload may stay open without new URLs before Sweep gives it up.
const SweepAfter = 14 * 24 * time.Hour

// Sweep gives up uploads that were opened, and last asked for URLs, longer than after ago (0 means SweepAfter), and
// removes what had arrived of them unless another upload of the same contributor names it too. It can be stopped and
// run again at any point. An upload given up can be opened anew; one that is opened while Sweep removes its objects is
// asked for them again, because completing looks at every object.
func Sweep(ctx context.Context, d Deps, after time.Duration) (Swept, error) {
	if d.Clock == nil {
		d.Clock = time.Now
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	def(&after, SweepAfter)
	cutoff := state.Micros(d.Clock().Add(-after))
	var out Swept
	if err := closeAgain(ctx, d.DB, cutoff); err != nil {
		return out, err
	}
	n, err := d.DB.Exec(ctx, `UPDATE uploads SET state = 'abandoned' WHERE state = 'open' AND completed_at = 0 AND created_at < $1
		AND NOT EXISTS (SELECT 1 FROM upload_files f WHERE f.upload_id = uploads.id AND f.offered_at >= $1)`, cutoff)
	if err != nil {
		return out, err
	}
	out.Uploads = int(n)
	for {
		// offered_at goes back to 0 only when the object is gone, so that nothing is forgotten when this stops here.
		left, err := remains(ctx, d.DB)
		if err != nil || len(left) == 0 {
			return out, err
		}
		for _, r := range left {
			if err := r.remove(ctx, d, &out); err != nil {
				return out, err
			}
		}
		d.Log.Info("swept", "uploads", out.Uploads, "objects", out.Objects, "parts", out.Parts)
	}
}

// closeAgain puts uploads that were opened again for damaged files, and not sent, back to where they were.
func closeAgain(ctx context.Context, db *state.DB, cutoff int64) error {
	return db.Tx(ctx, func(tx *state.Tx) error {
		rows, err := tx.Query(ctx, `UPDATE uploads SET state = 'settled' WHERE state = 'open' AND completed_at > 0 AND settled_at < $1
			AND NOT EXISTS (SELECT 1 FROM upload_files f WHERE f.upload_id = uploads.id AND f.offered_at >= $1) RETURNING id`, cutoff)
		if err != nil {
			return err
		}
		defer rows.Close()
		var ids []string
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				return err
			}
			ids = append(ids, id)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil || len(ids) == 0 {
			return err
		}
		return state.MarkAllChanged(ctx, tx, "upload", ids)
	})
}

// remain is a content of an upload given up that may lie in the store.
type remain struct {
	upload      string
	contributor survey.ContributorID
	hash        survey.Hash
	shared      bool // a living upload of the contributor names it too
}

func remains(ctx context.Context, q state.Querier) ([]remain, error) {
	rows, err := q.Query(ctx, `SELECT DISTINCT f.upload_id, u.contributor_id, f.sha256,
		EXISTS (SELECT 1 FROM upload_files o JOIN uploads ou ON ou.id = o.upload_id
			WHERE o.sha256 = f.sha256 AND ou.contributor_id = u.contributor_id AND ou.state <> 'abandoned')
		FROM upload_files f JOIN uploads u ON u.id = f.upload_id WHERE u.state = 'abandoned' AND f.offered_at > 0 ORDER BY f.upload_id, f.sha256 LIMIT 500`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []remain
	for rows.Next() {
		var r remain
		var c, sum string
		if err := rows.Scan(&r.upload, &c, &sum, &r.shared); err != nil {
			return nil, err
		}
		r.contributor = survey.ContributorID(c)
		if r.hash, err = survey.ParseHash(sum); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

func (r remain) remove(ctx context.Context, d Deps, out *Swept) error {
	key := store.OriginalKey(r.contributor, r.hash)
	if !r.shared {
		var id string
		switch err := d.DB.QueryRow(ctx, `SELECT parts_id FROM upload_parts WHERE object = $1`, key).Scan(&id); {
		case err == nil:
			if err := d.Store.AbortParts(ctx, store.Private, key, id); err != nil && survey.KindOf(err) != survey.NotFound {
				return err
			}
			if _, err := d.DB.Exec(ctx, `DELETE FROM upload_parts WHERE object = $1 AND parts_id = $2`, key, id); err != nil {
				return err
			}
			out.Parts++
		case !errors.Is(err, state.ErrNoRows):
			return err
		}
		switch _, err := d.Store.Stat(ctx, store.Private, key); {
		case err == nil:
			if err := d.Store.Remove(ctx, store.Private, key); err != nil {
				return err
			}
			out.Objects++
		case survey.KindOf(err) != survey.NotFound:
			return err
		}
	}
	_, err := d.DB.Exec(ctx, `UPDATE upload_files SET offered_at = 0 WHERE upload_id = $1 AND sha256 = $2`, r.upload, r.hash.String())
	return err
}
