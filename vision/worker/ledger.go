package worker

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// frames lists what the run has to look at, in the drive's order: on the first run the frames that wait, on a rerun also
// those published or quarantined before whose original is still kept. The frame before them and the one behind them
// come along as neighbours. done reports a run that was committed already.
func (w *Worker) frames(ctx context.Context, a state.VisionArgs) (out []frame, done bool, err error) {
	var doneRun int64
	if err := w.DB.QueryRow(ctx, `SELECT done_run FROM drive_parts WHERE drive_id = $1 AND part = $2`, string(a.DriveID), a.Part).Scan(&doneRun); err != nil {
		if errors.Is(err, state.ErrNoRows) {
			err = survey.Errorf(survey.NotFound, "no such part")
		}
		return nil, false, err
	}
	if doneRun >= int64(a.Run) {
		return nil, true, nil
	}
	rows, err := w.DB.Query(ctx, `SELECT id, part, seq, upload_id, path, object, film_pts_us, sha256, accuracy_mm, width, height, state, public_key, captured_at,
		CASE WHEN $3 > 0 THEN '' ELSE COALESCE((SELECT c.carried FROM vision_carried c WHERE c.frame_id = frames.id), '') END
		FROM frames WHERE drive_id = $1 AND (
			part = $2 AND (state = 'pending' OR ($3 > 0 AND object <> '' AND state IN ('published', 'quarantined')))
			OR object <> '' AND state IN ('pending', 'published') AND seq IN (
				(SELECT MIN(seq) - 1 FROM frames WHERE drive_id = $1 AND part = $2 AND (state = 'pending' OR $3 > 0)),
				(SELECT MAX(seq) + 1 FROM frames WHERE drive_id = $1 AND part = $2 AND (state = 'pending' OR $3 > 0))))
		ORDER BY seq`, string(a.DriveID), a.Part, int64(a.Run))
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	for rows.Next() {
		var f frame
		var id, upload, sha, st string
		var part, seq, accuracy, width, height, captured int64
		if err := rows.Scan(&id, &part, &seq, &upload, &f.path, &f.object, &f.filmPTS, &sha, &accuracy, &width, &height, &st, &f.publicKey, &captured, &f.lent); err != nil {
			return nil, false, err
		}
		if f.sha, err = survey.ParseHash(sha); err != nil {
			return nil, false, err
		}
		f.id, f.upload, f.state = survey.FrameID(id), survey.UploadID(upload), survey.FrameState(st)
		f.part, f.seq, f.width, f.height = int(part), int(seq), int(width), int(height)
		f.aside = f.part != a.Part || a.Run == 0 && f.state != survey.FramePending
		f.accuracy, f.capturedAt = geo.Meters(accuracy)/1000, state.Time(captured)
		out = append(out, f)
	}
	return out, false, rows.Err()
}

// commit records the run in one transaction: the frames, the verdicts on their images, the part, and, when no part of
// the drive is left, the job that indexes it. What a rerun replaced is deleted from the public bucket afterwards.
func (w *Worker) commit(ctx context.Context, a state.VisionArgs, shots []*shot) error {
	var replaced []string
	err := w.DB.Tx(ctx, func(tx *state.Tx) error {
		replaced = replaced[:0]
		// Locks the drive: of two parts that end together, the second sees that the first is done.
		if _, err := tx.Exec(ctx, `UPDATE drives SET revision = revision WHERE id = $1`, string(a.DriveID)); err != nil {
			return err
		}
		n, err := tx.Exec(ctx, `UPDATE drive_parts SET done_run = $3 WHERE drive_id = $1 AND part = $2 AND done_run < $3`, string(a.DriveID), a.Part, a.Run)
		if err != nil {
			return err
		}
		if n == 0 {
			return nil // another worker was faster
		}
		changed := false
		for _, s := range shots {
			did, err := w.record(ctx, tx, a.DriveID, s)
			if err != nil {
				return err
			}
			switch {
			case did && s.publicKey != "" && s.publicKey != s.key:
				replaced = append(replaced, s.publicKey)
			case !did && s.key != "" && s.key != s.publicKey: // removed meanwhile
				replaced = append(replaced, s.key)
			}
			if a.Run == 0 {
				if err := sketched(ctx, tx, a.DriveID, s); err != nil {
					return err
				}
			}
			changed = changed || did && (s.publicKey != s.key || s.state == survey.FramePending)
		}
		if _, err := tx.Exec(ctx, `DELETE FROM vision_parts_begun WHERE drive_id = $1 AND part = $2`, string(a.DriveID), a.Part); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM vision_carried WHERE frame_id IN (SELECT id FROM frames WHERE drive_id = $1 AND part = $2)`, string(a.DriveID), a.Part); err != nil {
			return err
		}
		if err := w.lookAlike(ctx, tx, a.DriveID); err != nil {
			return err
		}
		return hand(ctx, tx, a.DriveID, changed, w.now())
	})
	if err != nil {
		return err
	}
	for _, key := range replaced {
		if err := w.Store.Remove(ctx, store.Public, key); err != nil {
			w.log().Error("replaced frame is still in the public bucket", "key", key, "err", err)
		}
	}
	return nil
}

// save records the frames of a first run that came to their end before the part failed, so that the next try goes on
// from there: a part that takes longer than a job may last is done in several. With them it keeps what the last of them
// lent the first that is left, so that the result is that of one try.
func (w *Worker) save(ctx context.Context, a state.VisionArgs, shots []*shot) error {
	if a.Run > 0 {
		return nil
	}
	return w.DB.Tx(ctx, func(tx *state.Tx) error {
		left := false
		for _, s := range shots {
			if s.aside {
				continue
			}
			if s.err != nil || !s.verdict.Accepted && s.verdict.Reason == "" {
				if !left {
					if err := s.lend(ctx, tx); err != nil {
						return err
					}
				}
				left = true
				continue
			}
			if _, err := w.record(ctx, tx, a.DriveID, s); err != nil {
				return err
			}
			if err := sketched(ctx, tx, a.DriveID, s); err != nil {
				return err
			}
		}
		return nil
	})
}

// record writes one frame's end and reports whether its row changed. A frame removed meanwhile stays removed. On a rerun a
// published frame whose new look failed keeps what was published, because its earlier redaction still holds, unless
// somebody reported that it does not.
func (w *Worker) record(ctx context.Context, tx *state.Tx, d survey.DriveID, s *shot) (bool, error) {
	st := survey.FramePublished
	switch {
	case s.verdict.Accepted:
	case s.verdict.Reason.Quarantined():
		reported, _, err := reports(ctx, tx, s.id)
		if err != nil {
			return false, err
		}
		if s.state == survey.FramePublished && len(reported) == 0 {
			s.key = s.publicKey
			return false, nil
		}
		st = survey.FrameQuarantined
	default:
		st = survey.FrameRejected
	}
	q, err := json.Marshal(s.quality)
	if err != nil {
		return false, err
	}
	var red, hash string
	var width, height int64
	if st == survey.FramePublished {
		if err := s.redaction.Validate(); err != nil {
			return false, err
		}
		b, err := json.Marshal(s.redaction)
		if err != nil {
			return false, err
		}
		red, hash, width, height = string(b), s.pubHash.String(), int64(s.redaction.Width), int64(s.redaction.Height)
	}
	n, err := tx.Exec(ctx, `UPDATE frames SET state = $2, reason = $3, quality_ppm = $4, quality = $5, redaction = $6,
		public_key = $7, public_sha256 = $8, public_bytes = $9, public_width = $10, public_height = $11, fov_mdeg = $12
		WHERE id = $1 AND state <> 'removed'`,
		string(s.id), string(st), string(s.verdict.Reason), int64(s.quality.Score), string(q), red,
		s.key, hash, s.pubBytes, width, height, int64(math.Round(s.fov*1000)))
	if err != nil || n == 0 {
		return false, err
	}
	if _, err := tx.Exec(ctx, `DELETE FROM vision_frames_begun WHERE frame_id = $1`, string(s.id)); err != nil {
		return false, err
	}
	if _, err := tx.Exec(ctx, `DELETE FROM vision_carried WHERE frame_id = $1`, string(s.id)); err != nil {
		return false, err
	}
	if st != survey.FramePublished {
		s.sightings = nil
	}
	if err := recordSightings(ctx, tx, s.id, s.sightings); err != nil {
		return false, err
	}
	if st != survey.FrameRejected {
		if err := printed(ctx, tx, d, s); err != nil {
			return false, err
		}
	}
	if s.filmPTS != state.WholeFile {
		return true, nil // a film or bundle has its verdict from ingest
	}
	return true, state.SetVerdict(ctx, tx, s.upload, s.path, s.verdict)
}

// hand passes the drive on when all its parts are done: for the first time, or again when a rerun changed what is
// published.
func hand(ctx context.Context, tx *state.Tx, d survey.DriveID, changed bool, now time.Time) error {
	var waiting, revision int64
	if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM drive_parts WHERE drive_id = $1 AND done_run < 0`, string(d)).Scan(&waiting); err != nil || waiting > 0 {
		return err
	}
	if err := seeLens(ctx, tx, d, now); err != nil {
		return err
	}
	if err := placeFeatures(ctx, tx, d); err != nil {
		return err
	}
	var st string
	if err := tx.QueryRow(ctx, `SELECT state, revision FROM drives WHERE id = $1`, string(d)).Scan(&st, &revision); err != nil {
		return err
	}
	if st == "indexed" {
		if !changed {
			return nil
		}
		revision++
		if _, err := tx.Exec(ctx, `UPDATE drives SET revision = $2 WHERE id = $1`, string(d), revision); err != nil {
			return err
		}
	}
	return tx.Enqueue(ctx, state.IndexArgs{DriveID: d, Revision: int(revision)})
}
