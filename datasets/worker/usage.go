package worker

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"sort"
	"time"

	"github.com/roadcomb/roadcomb/datasets/schema"
	"github.com/roadcomb/roadcomb/pkg/state"
)

// planUsage adds the days that ended and are not in the lake, and the last two again: a request that began before
// midnight may be counted after it.
func (w *Worker) planUsage(ctx context.Context, p *plan) error {
	today, recent := p.asOf.Format(time.DateOnly), p.asOf.AddDate(0, 0, -2).Format(time.DateOnly)
	rows, err := w.DB.Query(ctx, `SELECT DISTINCT day FROM api_usage WHERE day < $1 ORDER BY day`, today)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var d string
		if err := rows.Scan(&d); err != nil {
			return err
		}
		t, err := time.Parse(time.DateOnly, d)
		if err != nil {
			return err
		}
		key := periodOf(t.UnixMicro(), p.asOf)
		if d < recent && !p.usage[key] {
			var there string
			err := w.DB.QueryRow(ctx, `SELECT object FROM dataset_files WHERE dataset = $1 AND partition_key = $2`, schema.Usage.Name, key.key()).Scan(&there)
			if err == nil {
				continue
			} else if !errors.Is(err, state.ErrNoRows) {
				return err
			}
		}
		p.usage[key] = true
	}
	return rows.Err()
}

func (w *Worker) usage(ctx context.Context, d period) ([]schema.Use, error) {
	lo, hi, err := d.span()
	if err != nil {
		return nil, err
	}
	salt, err := w.salt(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := w.DB.Query(ctx, `SELECT day, key_id, requests, frames, credits FROM api_usage WHERE day >= $1 AND day < $2 ORDER BY day, key_id`,
		state.Time(lo).Format(time.DateOnly), state.Time(hi).Format(time.DateOnly))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []schema.Use
	for rows.Next() {
		var u schema.Use
		var day, key string
		if err := rows.Scan(&day, &key, &u.Requests, &u.Frames, &u.Credits); err != nil {
			return nil, err
		}
		if u.Day, err = time.Parse(time.DateOnly, day); err != nil {
			return nil, err
		}
		m := hmac.New(sha256.New, salt)
		m.Write([]byte(key))
		u.Key = hex.EncodeToString(m.Sum(nil)[:16])
		out = append(out, u)
	}
	sort.SliceStable(out, func(i, j int) bool {
		if !out[i].Day.Equal(out[j].Day) {
			return out[i].Day.Before(out[j].Day)
		}
		return out[i].Key < out[j].Key
	})
	return out, rows.Err()
}

// salt makes pseudonyms of keys: who sees a key's id elsewhere cannot find it in the dataset. It is made once.
func (w *Worker) salt(ctx context.Context) ([]byte, error) {
	v, err := w.meta(ctx, "datasets.salt")
	if err != nil {
		return nil, err
	}
	if v == "" {
		var raw [32]byte
		rand.Read(raw[:]) // never fails (crypto/rand)
		if _, err := w.DB.Exec(ctx, `INSERT INTO meta (key, value) VALUES ('datasets.salt', $1) ON CONFLICT (key) DO NOTHING`, hex.EncodeToString(raw[:])); err != nil {
			return nil, err
		}
		if v, err = w.meta(ctx, "datasets.salt"); err != nil {
			return nil, err
		}
	}
	return hex.DecodeString(v)
}

// findings are those of the drives that began in the period and have published frames.
func (w *Worker) findings(ctx context.Context, d period) ([]schema.Finding, error) {
	lo, hi, err := d.span()
	if err != nil {
		return nil, err
	}
	rows, err := w.DB.Query(ctx, `SELECT d.id, d.contributor_id, d.device_id, MIN(p.captured_at), f.found_at, f.kind, f.subject, f.score_ppm, f.evidence
		FROM drives d JOIN findings f ON f.drive_id = d.id JOIN frames p ON p.drive_id = d.id AND p.state = 'published'
		WHERE d.started_at >= $1 AND d.started_at < $2 AND d.state = 'indexed'
		GROUP BY d.id, d.contributor_id, d.device_id, f.found_at, f.kind, f.subject, f.score_ppm, f.evidence ORDER BY d.id, f.kind, f.subject`, lo, hi)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []schema.Finding
	for rows.Next() {
		var f schema.Finding
		var started, found int64
		if err := rows.Scan(&f.Drive, &f.Contributor, &f.Device, &started, &found, &f.Kind, &f.Subject, &f.Score, &f.Evidence); err != nil {
			return nil, err
		}
		f.StartedAt, f.FoundAt = state.Time(started), state.Time(found)
		out = append(out, f)
	}
	return out, rows.Err()
}
