package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
)

// KeepOriginals is how long the files of a settled upload stay in the private bucket, so that frames can be looked at
// again with a better model.
const KeepOriginals = 30 * 24 * time.Hour

// Expire deletes the private files of uploads that settled before the instant, and the frames that were taken out of
// their bundles, and gives how many objects went. What is
// published stays. A frame that is still quarantined then can no longer be published; that is the price of not keeping
// raw footage. A file that a younger upload of the same contributor names too stays for it.
//
// Objects go before the rows forget them: a failure in between leaves a row that the next call comes back to, never an
// original that nothing knows of. An object that is gone already is no error.
func Expire(ctx context.Context, db *state.DB, s *store.Store, settledBefore time.Time) (removed int, err error) {
	const most = 500 // objects a round, so that one transaction stays short
	for {
		keys, err := expired(ctx, db, settledBefore, most)
		if err != nil {
			return removed, fmt.Errorf("expire originals: %w", err)
		}
		for _, k := range keys {
			if err := s.Remove(ctx, store.Private, k); err != nil {
				return removed, fmt.Errorf("expire originals: %w", err)
			}
			err := db.Tx(ctx, func(tx *state.Tx) error {
				if _, err := tx.Exec(ctx, `UPDATE frames SET object = '' WHERE object = $1 AND object <> ''`, k); err != nil {
					return err
				}
				_, err := tx.Exec(ctx, `UPDATE upload_files SET object = '' WHERE object = $1`, k)
				return err
			})
			if err != nil {
				return removed, fmt.Errorf("expire originals: %w", err)
			}
			removed++
		}
		if len(keys) < most {
			return removed, nil
		}
	}
}

// expired lists objects that only uploads settled before the instant name.
func expired(ctx context.Context, q state.Querier, before time.Time, most int) ([]string, error) {
	rows, err := q.Query(ctx, `SELECT DISTINCT f.object FROM (SELECT object, upload_id FROM upload_files WHERE object <> ''
			UNION ALL SELECT object, upload_id FROM frames WHERE object <> '' AND film_pts_us = $3) f JOIN uploads u ON u.id = f.upload_id
		WHERE u.state = 'settled' AND u.settled_at > 0 AND u.settled_at < $1
		AND NOT EXISTS (SELECT 1 FROM upload_files o JOIN uploads ou ON ou.id = o.upload_id
			WHERE o.object = f.object AND (ou.state IN ('open', 'uploaded', 'ingested') OR ou.settled_at >= $1))
		AND NOT EXISTS (SELECT 1 FROM frames o JOIN uploads ou ON ou.id = o.upload_id
			WHERE o.object = f.object AND o.object <> '' AND (ou.state IN ('open', 'uploaded', 'ingested') OR ou.settled_at >= $1))
		ORDER BY f.object LIMIT $2`, state.Micros(before), most, state.OfBundle)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var k string
		if err := rows.Scan(&k); err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	return out, rows.Err()
}
