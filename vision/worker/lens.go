package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/vision/quality"
)

// dirtyLens is the finding that something stays on the lens during a drive.
const dirtyLens = "dirty_lens"

const (
	// stretchFrames is how many frames that count are looked at together. Longer drives are cut in stretches, because
	// rain comes and windscreens are wiped; very long ones in stretchesMost, of which evenly spread frames are taken.
	stretchFrames = 64
	stretchesMost = 16
)

// sketched keeps a frame's sketch until the drive's parts are all done.
func sketched(ctx context.Context, tx *state.Tx, d survey.DriveID, s *shot) error {
	if len(s.sketch) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, `INSERT INTO frame_sketches (frame_id, drive_id, sketch) SELECT id, $2, $3 FROM frames WHERE id = $1 AND state <> 'removed'
		ON CONFLICT (frame_id) DO NOTHING`, string(s.id), string(d), s.sketch)
	return err
}

// lensSpot is a quality.Spot as it is stored and told.
type lensSpot struct {
	Where string     `json:"where"`
	Share survey.PPM `json:"share_ppm"`
	Box   [4]float64 `json:"box"` // left, top, right, bottom in shares of the picture
}

// stretch is frames of a drive and what stays on the lens during them.
type stretch struct {
	first, last int64
	share       survey.PPM
	spots       []lensSpot
}

// seeLens looks, once all parts of a drive are done, for what stays at the same place of its pictures, keeps it, and
// takes it off the rating of the frames. Which worker saw which part, and in what order, does not matter. A rerun finds
// what was found first, since the originals are the same.
func seeLens(ctx context.Context, tx *state.Tx, d survey.DriveID, now time.Time) error {
	t := quality.V2()
	found, err := lensOf(ctx, tx, d, t)
	if err != nil {
		return fmt.Errorf("lens of drive %s: %w", d, err)
	}
	for _, f := range found {
		spots, err := json.Marshal(f.spots)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO drive_lens (drive_id, first_seq, last_seq, share_ppm, spots) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (drive_id, first_seq) DO NOTHING`, string(d), f.first, f.last, int64(f.share), string(spots)); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, `DELETE FROM frame_sketches WHERE drive_id = $1`, string(d)); err != nil {
		return err
	}
	if len(found) > 0 {
		if err := tellLens(ctx, tx, d, t, found, now); err != nil {
			return err
		}
	}
	return obstruct(ctx, tx, d, t)
}

// counted is a frame that says something of the lens.
type counted struct {
	id  string
	seq int64
}

// lensOf reads the sketches that the drive has. A frame counts when the vehicle has moved on since the last that did.
func lensOf(ctx context.Context, tx *state.Tx, d survey.DriveID, t quality.Thresholds) (out []stretch, err error) {
	cs, err := counting(ctx, tx, d, t)
	if err != nil || len(cs) < t.OnLens.Frames {
		return nil, err
	}
	n := min(stretchesMost, max(1, len(cs)/stretchFrames))
	for k := range n {
		part := cs[k*len(cs)/n : (k+1)*len(cs)/n]
		s := stretch{first: part[0].seq, last: 1<<62 - 1}
		if k == 0 {
			s.first = 0
		}
		if k+1 < n {
			s.last = cs[(k+1)*len(cs)/n].seq - 1
		}
		most := min(len(part), 2*stretchFrames)
		var seen []quality.Sketch
		for i := range most {
			var b []byte
			if err := tx.QueryRow(ctx, `SELECT sketch FROM frame_sketches WHERE frame_id = $1`, part[i*len(part)/most].id).Scan(&b); err != nil {
				return nil, err
			}
			sketch, ok := quality.ParseSketch(b)
			if !ok || len(seen) > 0 && (sketch.W != seen[0].W || sketch.H != seen[0].H) {
				continue // another camera's
			}
			seen = append(seen, sketch)
		}
		share := 0.0
		for _, spot := range t.Held(seen) {
			share += spot.Share
			b := spot.Box
			s.spots = append(s.spots, lensSpot{spot.Where, survey.PPMOf(spot.Share),
				[4]float64{float64(b.Min.X) / 1000, float64(b.Min.Y) / 1000, float64(b.Max.X) / 1000, float64(b.Max.Y) / 1000}})
		}
		if s.share = survey.PPMOf(share); s.share > 0 {
			out = append(out, s)
		}
	}
	return out, nil
}

// counting lists the frames with a sketch before each of which the vehicle has moved on.
func counting(ctx context.Context, tx *state.Tx, d survey.DriveID, t quality.Thresholds) ([]counted, error) {
	rows, err := tx.Query(ctx, `SELECT f.id, f.seq, f.lat_e7, f.lon_e7 FROM frame_sketches s JOIN frames f ON f.id = s.frame_id
		WHERE s.drive_id = $1 ORDER BY f.seq`, string(d))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var cs []counted
	var last geo.Point
	for rows.Next() {
		var c counted
		var lat, lon int64
		if err := rows.Scan(&c.id, &c.seq, &lat, &lon); err != nil {
			return nil, err
		}
		if p := geo.FromE7(lat, lon); len(cs) == 0 || float64(geo.Distance(last, p)) >= t.OnLens.Metres {
			cs, last = append(cs, c), p
		}
	}
	return cs, rows.Err()
}

// tellLens puts the finding on the drive: the worst stretch, in words that a driver can act on.
func tellLens(ctx context.Context, tx *state.Tx, d survey.DriveID, t quality.Thresholds, found []stretch, now time.Time) error {
	worst := found[0]
	for _, f := range found {
		if f.share > worst.share {
			worst = f
		}
	}
	var frames int64
	for _, f := range found {
		var n int64
		if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM frames WHERE drive_id = $1 AND seq BETWEEN $2 AND $3`, string(d), f.first, f.last).Scan(&n); err != nil {
			return err
		}
		frames += n
	}
	ev, err := json.Marshal(map[string]any{"message": lensMessage(worst), "share_ppm": int64(worst.share), "frames": frames, "spots": worst.spots})
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO findings (drive_id, kind, subject, score_ppm, evidence, found_at) VALUES ($1, $2, '', $3, $4, $5)
		ON CONFLICT (drive_id, kind, subject) DO UPDATE SET score_ppm = excluded.score_ppm, evidence = excluded.evidence`,
		string(d), dirtyLens, int64(survey.PPMOf(1-t.ClearOf(worst.share.Float()))), string(ev), state.Micros(now))
	return err
}

func lensMessage(s stretch) string {
	var where []string
	for _, spot := range s.spots {
		if len(where) == 0 || where[len(where)-1] != spot.Where {
			where = append(where, spot.Where)
		}
	}
	if len(where) > 3 {
		where = append(where[:2], "other places")
	}
	percent := fmt.Sprintf("%.0f %%", s.share.Float()*100)
	if s.share < 10_000 {
		percent = "less than 1 %"
	}
	return fmt.Sprintf("Something stays on the lens or windscreen (%s), %s of the picture: dirt, a drop, a sticker or a reflection. Clean or move it.", strings.Join(where, ", "), percent)
}

// obstruct takes what is known to stay on the lens off the rating of frames that were rated without it.
func obstruct(ctx context.Context, tx *state.Tx, d survey.DriveID, t quality.Thresholds) error {
	rated, err := unobstructed(ctx, tx, d, t)
	if err != nil {
		return err
	}
	for _, r := range rated {
		q := t.Obstruct(r.quality, r.share.Float())
		b, err := json.Marshal(q)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE frames SET quality = $2, quality_ppm = $3 WHERE id = $1`, r.id, string(b), int64(q.Score)); err != nil {
			return err
		}
	}
	return nil
}

// rated is a frame taken through a dirty lens whose rating does not say so yet.
type rated struct {
	id      string
	quality survey.Quality
	share   survey.PPM
}

func unobstructed(ctx context.Context, tx *state.Tx, d survey.DriveID, t quality.Thresholds) (out []rated, err error) {
	rows, err := tx.Query(ctx, `SELECT f.id, f.quality, l.share_ppm FROM frames f JOIN drive_lens l ON l.drive_id = f.drive_id AND f.seq BETWEEN l.first_seq AND l.last_seq
		WHERE f.drive_id = $1 AND f.state IN ('published', 'quarantined') AND f.quality <> '' ORDER BY f.seq`, string(d))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r rated
		var q string
		var share int64
		if err := rows.Scan(&r.id, &q, &share); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(q), &r.quality); err != nil {
			return nil, fmt.Errorf("quality of frame %s: %w", r.id, err)
		}
		if r.share = survey.PPM(share); r.quality.Version == t.Version && r.quality.Held == 0 {
			out = append(out, r)
		}
	}
	return out, rows.Err()
}
