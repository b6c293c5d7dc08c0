package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// RerunFilter says which frames are worth another look. The zero value means all that can have one.
type RerunFilter struct {
	Drive       survey.DriveID // only of this drive
	Quarantined bool           // only those that are quarantined
	NotBy       survey.Hash    // only those whose redaction does not name a model of this SHA-256
}

// Rerun asks for another look at every part that holds a frame the filter means and whose original is still kept, with
// whatever models the workers then have. It gives the number of parts. Nothing is unpublished while the work waits.
func Rerun(ctx context.Context, db *state.DB, f RerunFilter) (parts int, err error) {
	q := `SELECT DISTINCT drive_id, part FROM frames WHERE object <> '' AND state IN ('published', 'quarantined')`
	var args []any
	add := func(cond string, v any) {
		args = append(args, v)
		q += fmt.Sprintf(cond, len(args))
	}
	if f.Drive != "" {
		add(` AND drive_id = $%d`, string(f.Drive))
	}
	if f.Quarantined {
		q += ` AND state = 'quarantined'`
	}
	if !f.NotBy.IsZero() {
		add(` AND redaction NOT LIKE $%d`, "%"+f.NotBy.String()+"%")
	}
	err = db.Tx(ctx, func(tx *state.Tx) error {
		parts = 0
		rows, err := tx.Query(ctx, q+` ORDER BY drive_id, part`, args...)
		if err != nil {
			return err
		}
		type key struct {
			drive string
			part  int64
		}
		var keys []key
		for rows.Next() {
			var k key
			if err := rows.Scan(&k.drive, &k.part); err != nil {
				rows.Close()
				return err
			}
			keys = append(keys, k)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
		for _, k := range keys {
			if err := Again(ctx, tx, survey.DriveID(k.drive), int(k.part)); err != nil {
				return err
			}
			parts++
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("rerun: %w", err)
	}
	return parts, nil
}

// Again enqueues another look at a part, under a run number never used before, so that it happens even if an earlier one
// is under way.
func Again(ctx context.Context, tx *state.Tx, d survey.DriveID, part int) error {
	var run int64
	if err := tx.QueryRow(ctx, `SELECT done_run FROM drive_parts WHERE drive_id = $1 AND part = $2`, string(d), part).Scan(&run); err != nil {
		return err
	}
	run = max(run, 0) + 1
	var last int64
	err := tx.QueryRow(ctx, `SELECT run FROM vision_runs WHERE drive_id = $1 AND part = $2`, string(d), part).Scan(&last)
	if err != nil && !errors.Is(err, state.ErrNoRows) {
		return err
	}
	run = max(run, last+1)
	if _, err := tx.Exec(ctx, `INSERT INTO vision_runs (drive_id, part, run) VALUES ($1, $2, $3)
		ON CONFLICT (drive_id, part) DO UPDATE SET run = excluded.run`, string(d), part, run); err != nil {
		return err
	}
	return tx.Enqueue(ctx, state.VisionArgs{DriveID: d, Part: part, Run: int(run)})
}

// Remove takes a frame down for good: its published image and its original are deleted, its row stays as the tombstone,
// and the drive is indexed anew without it. The objects go first, so that a failure leaves a row that can be removed
// again, never an image that nothing knows of. Removing twice is no error.
func Remove(ctx context.Context, db *state.DB, s *store.Store, id survey.FrameID) error {
	var drive, upload, path, object, key, st string
	var pts int64
	err := db.QueryRow(ctx, `SELECT drive_id, upload_id, path, object, public_key, state, film_pts_us FROM frames WHERE id = $1`, string(id)).
		Scan(&drive, &upload, &path, &object, &key, &st, &pts)
	if errors.Is(err, state.ErrNoRows) {
		return survey.Errorf(survey.NotFound, "no frame %s", id)
	}
	if err != nil {
		return fmt.Errorf("remove frame %s: %w", id, err)
	}
	if key != "" {
		if err := s.Remove(ctx, store.Public, key); err != nil {
			return fmt.Errorf("remove frame %s: %w", id, err)
		}
	}
	if object != "" && pts < 0 { // a film holds other frames too, which may have to be looked at again; it expires
		if err := s.Remove(ctx, store.Private, object); err != nil {
			return fmt.Errorf("remove frame %s: %w", id, err)
		}
	}
	if pts == state.OfBundle { // its other frames are objects of their own, so nobody needs the bundle any more
		var blob string
		if err := db.QueryRow(ctx, `SELECT object FROM upload_files WHERE upload_id = $1 AND path = $2`, upload, path).Scan(&blob); err != nil {
			return fmt.Errorf("remove frame %s: %w", id, err)
		}
		if blob != "" {
			if err := s.Remove(ctx, store.Private, blob); err != nil {
				return fmt.Errorf("remove frame %s: %w", id, err)
			}
		}
	}
	return db.Tx(ctx, func(tx *state.Tx) error {
		n, err := tx.Exec(ctx, `UPDATE frames SET state = 'removed', reason = $2, object = '', redaction = '', quality = '', quality_ppm = 0,
			public_key = '', public_sha256 = '', public_bytes = 0, public_width = 0, public_height = 0
			WHERE id = $1 AND state <> 'removed'`, string(id), string(survey.ReasonRemoved))
		if err != nil || n == 0 {
			return err
		}
		if err := recordSightings(ctx, tx, id, nil); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM frame_sketches WHERE frame_id = $1`, string(id)); err != nil {
			return err
		}
		if pts == state.OfBundle {
			if _, err := tx.Exec(ctx, `UPDATE upload_files SET object = '' WHERE upload_id = $1 AND path = $2`, upload, path); err != nil {
				return err
			}
		}
		if pts == state.WholeFile {
			if err := state.SetVerdict(ctx, tx, survey.UploadID(upload), path, survey.Reject(survey.ReasonRemoved, "", nil)); err != nil {
				return err
			}
		}
		return hand(ctx, tx, survey.DriveID(drive), true, time.Time{}) // finds nothing new: sketches go when the last part is done
	})
}

// ReportKind is what a person says of a published frame.
type ReportKind string

const (
	BlurMissing ReportKind = "blur_missing" // something that must be unreadable is not
	BlurExcess  ReportKind = "blur_excess"  // something that may be read, such as a sign, is covered
	AskRemoval  ReportKind = "remove"       // the frame should not be published at all
)

// Report is what a person says of a published frame.
type Report struct {
	ID      string         `json:"id"`
	Frame   survey.FrameID `json:"frame"`
	Kind    ReportKind     `json:"kind"`
	Class   survey.Class   `json:"class,omitempty"`
	X       int            `json:"x,omitempty"` // region in pixels of the published image
	Y       int            `json:"y,omitempty"`
	W       int            `json:"w,omitempty"`
	H       int            `json:"h,omitempty"`
	Note    string         `json:"note,omitempty"`
	State   string         `json:"state"` // open, applied, refused
	Created time.Time      `json:"created"`
}

// reports loads what was reported on a frame and applies: regions to cover besides the detector's, and regions that an
// operator found covered without need.
func reports(ctx context.Context, q state.Querier, id survey.FrameID) (cover, clear []survey.Box, err error) {
	rows, err := q.Query(ctx, `SELECT kind, class, x, y, w, h FROM frame_reports WHERE frame_id = $1 AND state = 'applied' AND w > 0 ORDER BY id`, string(id))
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var kind, class string
		var x, y, w, h int64
		if err := rows.Scan(&kind, &class, &x, &y, &w, &h); err != nil {
			return nil, nil, err
		}
		b := survey.Box{Class: survey.Class(class), X: float64(x), Y: float64(y), W: float64(w), H: float64(h), Confidence: 1, Model: "report"}
		switch ReportKind(kind) {
		case BlurMissing:
			cover = append(cover, b)
		case BlurExcess:
			clear = append(clear, b)
		}
	}
	return cover, clear, rows.Err()
}

// heed applies reports to the boxes of the detector: what was reported missing is added; a box that lies by nine tenths
// in a region reported as needless is dropped, unless it overlaps one reported missing.
func heed(boxes, cover, clear []survey.Box) []survey.Box {
	out := append([]survey.Box(nil), cover...)
	for _, b := range boxes {
		needless := false
		for _, c := range clear {
			needless = needless || shared(c, b) >= 0.9*b.W*b.H
		}
		for _, c := range cover {
			needless = needless && shared(c, b) == 0
		}
		if !needless {
			out = append(out, b)
		}
	}
	return out
}

// FileReport records a report on a published frame. A missing blur with its region is covered at once, by another look
// at the frame's part; where the original is no longer kept the frame is removed instead. Everything else waits for an
// operator (Resolve). The same report twice is one.
func FileReport(ctx context.Context, db *state.DB, s *store.Store, r Report, now time.Time) (Report, error) {
	var drive, object, st string
	var part, width, height int64
	err := db.QueryRow(ctx, `SELECT drive_id, part, object, state, public_width, public_height FROM frames WHERE id = $1`, string(r.Frame)).Scan(&drive, &part, &object, &st, &width, &height)
	if errors.Is(err, state.ErrNoRows) || err == nil && survey.FrameState(st) != survey.FramePublished {
		return r, survey.Errorf(survey.NotFound, "no published frame %s", r.Frame)
	}
	if err != nil {
		return r, err
	}
	if err := r.validate(int(width), int(height)); err != nil {
		return r, err
	}
	r.ID = survey.HashOf(fmt.Appendf(nil, "report %s %s %s %d %d %d %d", r.Frame, r.Kind, r.Class, r.X, r.Y, r.W, r.H)).String()[:32]
	r.Created, r.State = now.UTC(), "open"
	if r.Kind == BlurMissing {
		r.State = "applied"
	}
	lost := r.Kind == BlurMissing && object == ""
	err = db.Tx(ctx, func(tx *state.Tx) error {
		n, err := tx.Exec(ctx, `INSERT INTO frame_reports (id, frame_id, kind, class, x, y, w, h, note, state, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (id) DO NOTHING`,
			r.ID, string(r.Frame), string(r.Kind), string(r.Class), r.X, r.Y, r.W, r.H, r.Note, r.State, state.Micros(now))
		if err != nil || n == 0 || r.Kind != BlurMissing || lost {
			return err
		}
		return Again(ctx, tx, survey.DriveID(drive), int(part))
	})
	if err == nil && lost {
		err = Remove(ctx, db, s, r.Frame)
	}
	return r, err
}

func (r Report) validate(width, height int) error {
	region := r.W > 0 && r.H > 0 && r.X >= 0 && r.Y >= 0 && r.X <= width-r.W && r.Y <= height-r.H
	switch {
	case len(r.Note) > 1000:
		return survey.Errorf(survey.Invalid, "the note is longer than 1,000 bytes")
	case r.Kind == AskRemoval:
		return nil
	case r.Kind != BlurMissing && r.Kind != BlurExcess:
		return survey.Errorf(survey.Invalid, "kind %q is not blur_missing, blur_excess or remove", r.Kind)
	case !region:
		return survey.Errorf(survey.Invalid, "the region %d, %d, %d × %d is not inside the image of %d × %d pixels", r.X, r.Y, r.W, r.H, width, height).
			WithHint("mark the region in pixels of the published image, or ask for removal")
	case r.Kind == BlurMissing && r.W*r.H > width*height/8:
		return survey.Errorf(survey.Invalid, "the region is more than an eighth of the image").WithHint("mark it more closely, or ask for removal")
	case r.Kind == BlurMissing && r.Class != survey.ClassFace && r.Class != survey.ClassPlate && r.Class != survey.ClassPerson && r.Class != survey.ClassText:
		return survey.Errorf(survey.Invalid, "class %q is not face, plate, person or text", r.Class)
	}
	return nil
}

// OpenReports lists the reports that wait for an operator, oldest first, at most limit.
func OpenReports(ctx context.Context, q state.Querier, limit int) ([]Report, error) {
	rows, err := q.Query(ctx, `SELECT id, frame_id, kind, class, x, y, w, h, note, state, created_at FROM frame_reports WHERE state = 'open' ORDER BY created_at, id LIMIT $1`, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []Report{}
	for rows.Next() {
		var r Report
		var frame, kind, class string
		var x, y, w, h, at int64
		if err := rows.Scan(&r.ID, &frame, &kind, &class, &x, &y, &w, &h, &r.Note, &r.State, &at); err != nil {
			return nil, err
		}
		r.Frame, r.Kind, r.Class, r.Created = survey.FrameID(frame), ReportKind(kind), survey.Class(class), state.Time(at)
		r.X, r.Y, r.W, r.H = int(x), int(y), int(w), int(h)
		out = append(out, r)
	}
	return out, rows.Err()
}

// Resolve ends an open report: refused, or applied, which uncovers what was covered without need or removes the frame.
func Resolve(ctx context.Context, db *state.DB, s *store.Store, id string, apply bool, now time.Time) error {
	var frame, kind, st, drive string
	var part int64
	err := db.QueryRow(ctx, `SELECT r.frame_id, r.kind, r.state, f.drive_id, f.part FROM frame_reports r JOIN frames f ON f.id = r.frame_id WHERE r.id = $1`, id).Scan(&frame, &kind, &st, &drive, &part)
	if errors.Is(err, state.ErrNoRows) {
		return survey.Errorf(survey.NotFound, "no report %.40q", id)
	}
	if err != nil {
		return err
	}
	if st != "open" {
		return survey.Errorf(survey.Conflict, "report %s is %s already", id, st)
	}
	end := "refused"
	if apply {
		end = "applied"
		if ReportKind(kind) == AskRemoval {
			if err := Remove(ctx, db, s, survey.FrameID(frame)); err != nil {
				return err
			}
		}
	}
	return db.Tx(ctx, func(tx *state.Tx) error {
		n, err := tx.Exec(ctx, `UPDATE frame_reports SET state = $2, resolved_at = $3 WHERE id = $1 AND state = 'open'`, id, end, state.Micros(now))
		if err != nil || n == 0 || !apply || ReportKind(kind) != BlurExcess {
			return err
		}
		return Again(ctx, tx, survey.DriveID(drive), int(part))
	})
}
