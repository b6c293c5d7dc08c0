package worker

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/vision/imprint"
)

// nearDuplicate is the finding that a drive shows the pictures of another upload's, encoded anew: at whatever place and
// time, and whoever sent it. It is put on the drive that was received later.
const nearDuplicate = "near_duplicate"

const (
	// alikeFrames bounds the frames of a drive that are looked up, spread evenly over it.
	alikeFrames = 128
	// alikeLeast and alikeShare: fewer frames than this, or than one in so many, are chance.
	alikeLeast, alikeShare = 5, 3
	// alikeMost bounds what is taken of the frames that share a band with one. A band so common tells nothing apart.
	alikeMost = 256
)

// printed keeps a frame's print.
func printed(ctx context.Context, tx *state.Tx, d survey.DriveID, s *shot) error {
	if !s.hasPrint {
		return nil
	}
	if _, err := tx.Exec(ctx, `INSERT INTO frame_prints (frame_id, drive_id, across, down) VALUES ($1, $2, $3, $4)
		ON CONFLICT (frame_id) DO NOTHING`, string(s.id), string(d), int64(s.print.Across), int64(s.print.Down)); err != nil {
		return err
	}
	for _, b := range s.print.Bands() {
		if _, err := tx.Exec(ctx, `INSERT INTO frame_bands (band, frame_id) VALUES ($1, $2) ON CONFLICT (band, frame_id) DO NOTHING`, b, string(s.id)); err != nil {
			return err
		}
	}
	return nil
}

// kept is a print as it is stored.
type kept struct {
	frame survey.FrameID
	imprint.Print
}

// twin is another upload's drive that shows what this one shows.
type twin struct {
	id           survey.DriveID
	received     int64
	ours, theirs map[survey.FrameID]bool
	bits         []int
}

// lookAlike compares the pictures of a drive, once all of its parts are done, with those of other uploads, and puts what
// it finds on the later drive of each pair.
func (w *Worker) lookAlike(ctx context.Context, tx *state.Tx, d survey.DriveID) error {
	var waiting int64
	if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM drive_parts WHERE drive_id = $1 AND done_run < 0`, string(d)).Scan(&waiting); err != nil || waiting > 0 {
		return err
	}
	// Two drives that end at once would each not see the other's prints: the second waits here for the first.
	if _, err := tx.Exec(ctx, `INSERT INTO meta (key, value) VALUES ('vision.alike', '') ON CONFLICT (key) DO UPDATE SET value = excluded.value`); err != nil {
		return err
	}
	var upload string
	var received int64
	if err := tx.QueryRow(ctx, `SELECT upload_id, received_at FROM drives WHERE id = $1`, string(d)).Scan(&upload, &received); err != nil {
		return err
	}
	ours, err := prints(ctx, tx, `SELECT p.frame_id, p.across, p.down FROM frame_prints p JOIN frames f ON f.id = p.frame_id
		WHERE p.drive_id = $1 ORDER BY f.seq`, string(d))
	if err != nil {
		return err
	}
	ours = spreadOver(ours, alikeFrames)
	twins := map[survey.DriveID]*twin{}
	for _, o := range ours {
		if err := o.like(ctx, tx, upload, twins); err != nil {
			return err
		}
	}
	found := make([]*twin, 0, len(twins))
	for _, t := range twins {
		found = append(found, t)
	}
	slices.SortFunc(found, func(a, b *twin) int { return cmp.Compare(a.id, b.id) })
	for _, t := range found {
		// A picture that is like many, such as a tunnel, does not make many pairs.
		same := min(len(t.ours), len(t.theirs))
		later, earlier, of := d, t.id, len(ours)
		if t.received > received || t.received == received && t.id > d {
			later, earlier = t.id, d
			var n int64
			if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM frame_prints WHERE drive_id = $1`, string(t.id)).Scan(&n); err != nil {
				return err
			}
			of = min(int(n), alikeFrames)
		}
		if same < alikeLeast || alikeShare*same < of {
			continue
		}
		slices.Sort(t.bits)
		ev, err := json.Marshal(map[string]any{"frames": same, "of": of, "bits": t.bits[len(t.bits)/2]})
		if err != nil {
			return err
		}
		score := survey.PPMOf(min(1, float64(same)/float64(of)))
		if _, err := tx.Exec(ctx, `INSERT INTO findings (drive_id, kind, subject, score_ppm, evidence, found_at) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (drive_id, kind, subject) DO UPDATE SET score_ppm = excluded.score_ppm, evidence = excluded.evidence`,
			string(later), nearDuplicate, string(earlier), int64(score), string(ev), state.Micros(w.now())); err != nil {
			return err
		}
	}
	return nil
}

// like adds the frames of other uploads whose prints are near this one.
func (o kept) like(ctx context.Context, tx *state.Tx, upload string, twins map[survey.DriveID]*twin) error {
	b := o.Bands()
	rows, err := tx.Query(ctx, `SELECT p.frame_id, p.across, p.down, d.id, d.received_at FROM frame_bands b
		JOIN frame_prints p ON p.frame_id = b.frame_id JOIN drives d ON d.id = p.drive_id
		WHERE b.band IN ($1, $2, $3, $4) AND d.upload_id <> $5 LIMIT $6`, b[0], b[1], b[2], b[3], upload, alikeMost)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var frame, drive string
		var across, down, received int64
		if err := rows.Scan(&frame, &across, &down, &drive, &received); err != nil {
			return err
		}
		n := imprint.Distance(o.Print, imprint.Print{Across: uint64(across), Down: uint64(down)})
		if n > imprint.Near {
			continue
		}
		t := twins[survey.DriveID(drive)]
		if t == nil {
			t = &twin{id: survey.DriveID(drive), received: received, ours: map[survey.FrameID]bool{}, theirs: map[survey.FrameID]bool{}}
			twins[t.id] = t
		}
		t.ours[o.frame], t.theirs[survey.FrameID(frame)] = true, true
		t.bits = append(t.bits, n)
	}
	return rows.Err()
}

func prints(ctx context.Context, tx *state.Tx, q string, args ...any) ([]kept, error) {
	rows, err := tx.Query(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []kept
	for rows.Next() {
		var id string
		var across, down int64
		if err := rows.Scan(&id, &across, &down); err != nil {
			return nil, err
		}
		out = append(out, kept{survey.FrameID(id), imprint.Print{Across: uint64(across), Down: uint64(down)}})
	}
	return out, rows.Err()
}

// spreadOver takes at most n of the list, evenly.
func spreadOver(all []kept, n int) []kept {
	if len(all) <= n {
		return all
	}
	out := make([]kept, n)
	for i := range out {
		out[i] = all[i*len(all)/n]
	}
	return out
}
