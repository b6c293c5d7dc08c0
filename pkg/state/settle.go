package state

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// SettleUpload marks an ingested upload settled when every drive of it is indexed. It asserts, in the same
// transaction, that each file of the manifest has a final verdict: inputs = accepted + rejected. It reports whether
// the upload is settled now; one that still has work to wait for is left alone.
func SettleUpload(ctx context.Context, tx *Tx, id survey.UploadID, now time.Time) (bool, error) {
	var st string
	var files int64
	if err := tx.QueryRow(ctx, `SELECT state, files FROM uploads WHERE id = $1`, string(id)).Scan(&st, &files); err != nil {
		return false, fmt.Errorf("settle upload %s: %w", id, err)
	}
	if survey.UploadState(st) == survey.UploadSettled {
		return true, nil
	}
	if survey.UploadState(st) != survey.UploadIngested {
		return false, nil
	}
	var waiting int64
	if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM drives WHERE upload_id = $1 AND state <> 'indexed'`, string(id)).Scan(&waiting); err != nil || waiting > 0 {
		return false, err
	}
	var accepted, rejected, other int64
	if err := tx.QueryRow(ctx, `SELECT
		COALESCE(SUM(CASE WHEN verdict = 'accepted' THEN 1 ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN verdict = 'rejected' AND reason <> '' THEN 1 ELSE 0 END), 0),
		COUNT(*) FROM upload_files WHERE upload_id = $1`, string(id)).Scan(&accepted, &rejected, &other); err != nil {
		return false, err
	}
	if accepted+rejected != files || other != files {
		return false, fmt.Errorf("settle upload %s: %d files came in, %d accepted + %d rejected of %d rows went out", id, files, accepted, rejected, other)
	}
	if _, err := tx.Exec(ctx, `UPDATE uploads SET state = 'settled', settled_at = $2 WHERE id = $1`, string(id), Micros(now)); err != nil {
		return false, err
	}
	return true, MarkChanged(ctx, tx, "upload", string(id))
}

// SetVerdict records the verdict on one file of an upload.
func SetVerdict(ctx context.Context, tx *Tx, id survey.UploadID, path string, v survey.Verdict) error {
	if err := v.Validate(); err != nil {
		return fmt.Errorf("verdict on %q of upload %s: %w", path, id, err)
	}
	word := "rejected"
	if v.Accepted {
		word = "accepted"
	}
	vars := []byte("{}")
	if len(v.Vars) > 0 {
		var err error
		if vars, err = json.Marshal(v.Vars); err != nil {
			return err
		}
	}
	n, err := tx.Exec(ctx, `UPDATE upload_files SET verdict = $3, reason = $4, message = $5, vars = $6 WHERE upload_id = $1 AND path = $2`,
		string(id), path, word, string(v.Reason), v.Message, string(vars))
	if err == nil && n != 1 {
		err = survey.Errorf(survey.NotFound, "upload %s has no file %q", id, path)
	}
	return err
}

// Consumers read the change feed independently of each other.
var consumers = []string{"tiles", "datasets"}

// MarkChanged notes in the transaction that the thing topic/key ("cell"/hex, "drive"/id, "upload"/id,
// "finding"/id of the drive, "feature"/hex, "road"/hex) differs from what consumers last saw.
func MarkChanged(ctx context.Context, tx *Tx, topic, key string) error {
	return MarkAllChanged(ctx, tx, topic, []string{key})
}

// MarkAllChanged is MarkChanged for many keys of a topic, which must differ.
func MarkAllChanged(ctx context.Context, tx *Tx, topic string, keys []string) error {
	const most = 256 // keys in a statement: 2 consumers × 256 keys × 3 parameters stay below both engines' limits
	for len(keys) > 0 {
		n := min(len(keys), most)
		var q strings.Builder
		q.WriteString(`INSERT INTO changes (consumer, topic, key, n) VALUES `)
		var args []any
		for _, k := range keys[:n] {
			for _, c := range consumers {
				if len(args) > 0 {
					q.WriteString(", ")
				}
				fmt.Fprintf(&q, "($%d, $%d, $%d, 1)", len(args)+1, len(args)+2, len(args)+3)
				args = append(args, c, topic, k)
			}
		}
		q.WriteString(` ON CONFLICT (consumer, topic, key) DO UPDATE SET n = changes.n + 1`)
		if _, err := tx.Exec(ctx, q.String(), args...); err != nil {
			return fmt.Errorf("mark %d of %s changed: %w", n, topic, err)
		}
		keys = keys[n:]
	}
	return nil
}

// Change is one entry of the feed. N rises with each mark.
type Change struct {
	Topic, Key string
	N          int64
}

// Changes lists what changed for the consumer since it last called Consumed, ordered by topic and key.
func Changes(ctx context.Context, q Querier, consumer string) ([]Change, error) {
	rows, err := q.Query(ctx, `SELECT topic, key, n FROM changes WHERE consumer = $1 ORDER BY topic, key`, consumer)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Change
	for rows.Next() {
		var c Change
		if err := rows.Scan(&c.Topic, &c.Key, &c.N); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, rows.Err()
}

// Consumed takes entries off the consumer's feed, in the transaction that records their effect. An entry marked again
// meanwhile stays.
func Consumed(ctx context.Context, tx *Tx, consumer string, cs []Change) error {
	for _, c := range cs {
		if _, err := tx.Exec(ctx, `DELETE FROM changes WHERE consumer = $1 AND topic = $2 AND key = $3 AND n = $4`, consumer, c.Topic, c.Key, c.N); err != nil {
			return err
		}
	}
	return nil
}
