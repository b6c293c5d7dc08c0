package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/roadcomb/roadcomb/ingest/findings"
	"github.com/roadcomb/roadcomb/ingest/media"
	"github.com/roadcomb/roadcomb/ingest/trace"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// find looks for what is odd about the new drives, in the transaction that makes them.
func (p *plan) find(ctx context.Context, tx *state.Tx, u upload) error {
	for _, d := range p.drives {
		fs := d.own()
		voucher, vouched := d.motion(&fs)
		more, err := d.against(ctx, tx, u)
		if err != nil {
			return fmt.Errorf("findings of drive %s: %w", d.drive.ID, err)
		}
		for _, f := range append(fs, more...) {
			if err := put(ctx, tx, d.drive.ID, f, u.now); err != nil {
				return err
			}
		}
		if v := voucher; vouched {
			ev, err := json.Marshal(v.Evidence)
			if err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `INSERT INTO drive_vouchers (drive_id, kind, score_ppm, evidence, found_at) VALUES ($1, $2, $3, $4, $5)
				ON CONFLICT (drive_id, kind) DO UPDATE SET score_ppm = excluded.score_ppm, evidence = excluded.evidence`,
				string(d.drive.ID), v.Kind, int64(v.Score), string(ev), state.Micros(u.now)); err != nil {
				return fmt.Errorf("evidence of drive %s: %w", d.drive.ID, err)
			}
		}
	}
	return p.claimedAgain(ctx, tx, u)
}

func put(ctx context.Context, tx *state.Tx, d survey.DriveID, f findings.Finding, now time.Time) error {
	ev, err := json.Marshal(f.Evidence)
	if err != nil {
		return err
	}
	if _, err = tx.Exec(ctx, `INSERT INTO findings (drive_id, kind, subject, score_ppm, evidence, found_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (drive_id, kind, subject) DO UPDATE SET score_ppm = excluded.score_ppm, evidence = excluded.evidence`,
		string(d), string(f.Kind), f.Subject, int64(f.Score), string(ev), state.Micros(now)); err != nil {
		return err
	}
	return state.MarkChanged(ctx, tx, "finding", string(d)) // an earlier drive's may be exported already
}

// own is what the drive shows by itself.
func (d *drive) own() (out []findings.Finding) {
	add := func(f findings.Finding, ok bool) {
		if ok {
			out = append(out, f)
		}
	}
	n, worst := 0, geo.Meters(0)
	var offsets []time.Duration
	for _, s := range d.shots {
		if s.disagree > 0 {
			n, worst = n+1, max(worst, s.disagree)
		}
		if at, ok := gpsTime(s.f); ok && s.pts == -1 && s.f.meta.HasTaken {
			offsets = append(offsets, s.f.meta.Taken.Sub(at))
		}
	}
	add(findings.Positions(n, len(d.shots), worst))
	if len(offsets) > 0 {
		add(findings.Clock(trace.MedianOffset(offsets)))
	}
	return out
}

// motion is what the accelerometer says for the drive; what it says against it is added to the findings.
func (d *drive) motion(fs *[]findings.Finding) (findings.Voucher, bool) {
	moments, stretches, covered := d.felt()
	if f, ok := findings.Silent(moments); ok {
		*fs = append(*fs, f)
	}
	f, differs, compared := findings.Differs(stretches, media.FeltStep)
	if differs {
		*fs = append(*fs, f)
		return findings.Voucher{}, false
	}
	v, ok := findings.Shaken(moments, covered, len(d.shots))
	if ok && compared {
		v.Evidence["compared"] = true
	}
	return v, ok
}

// felt is what receiver and accelerometer say during the drive: moments of bundles' frames, and stretches of the steps of
// films between each film's first and last frame. covered is how many frames it speaks for.
func (d *drive) felt() (moments []findings.Felt, stretches [][]findings.Felt, covered int) {
	for i := 0; i < len(d.shots); {
		s := d.shots[i]
		if m := s.member; m != nil {
			if m.frame.HasIMU {
				covered++
				moments = append(moments, findings.Felt{Speed: s.fix.Speed, N: 1, Acc: m.frame.Acc})
			}
			i++
			continue
		}
		if s.pts < 0 || len(s.f.film.Felt) == 0 {
			i++
			continue
		}
		for ; i < len(d.shots) && d.shots[i].f == s.f; i++ {
			if k := int(filmTime(d.shots[i].pts) / media.FeltStep); k < len(s.f.film.Felt) && s.f.film.Felt[k].N > 0 {
				covered++
			}
		}
		first, last := int(filmTime(s.pts)/media.FeltStep), int(filmTime(d.shots[i-1].pts)/media.FeltStep)
		var st []findings.Felt
		for k := first; k <= min(last, len(s.f.film.Felt)-1); k++ {
			x := s.f.film.Felt[k]
			o := findings.Felt{N: x.N, Acc: x.Mean, Spread: x.Spread}
			if fix, ok := s.f.at(time.Duration(k)*media.FeltStep + media.FeltStep/2); ok {
				o.Speed, o.Heading, o.HasHeading = fix.Speed, fix.Heading, fix.HasHeading
			}
			st = append(st, o)
		}
		moments = append(moments, st...)
		if s.track == nil { // else film and track were recorded by two clocks, and may be seconds apart
			stretches = append(stretches, st)
		}
	}
	return moments, stretches, covered
}

func filmTime(us int64) time.Duration { return time.Duration(us) * time.Microsecond }

// against compares the drive with what is known.
func (d *drive) against(ctx context.Context, tx *state.Tx, u upload) (out []findings.Finding, err error) {
	add := func(f findings.Finding, ok bool) {
		if ok {
			out = append(out, f)
		}
	}
	var same []count
	if !findings.Rounded(d.frames) {
		same, err = counts(ctx, tx, `SELECT b.drive_id, COUNT(DISTINCT a.id) FROM frames a JOIN frames b ON b.lat_e7 = a.lat_e7
		AND b.lon_e7 = a.lon_e7 AND b.upload_id <> a.upload_id WHERE a.drive_id = $1 GROUP BY b.drive_id ORDER BY b.drive_id`, string(d.drive.ID))
		if err != nil {
			return nil, err
		}
	}
	for _, c := range same {
		add(findings.Repeated(c.drive, c.n, len(d.frames)))
	}
	moved, err := d.moved(ctx, tx)
	if err != nil {
		return nil, err
	}
	out = append(out, moved...)
	// Frames with made-up times say nothing of where a device was.
	if slices.Contains(d.drive.Flags, survey.FlagTimeAssumed) {
		return out, nil
	}
	near, err := d.near(ctx, tx, u)
	for _, o := range near {
		// The ends that lie closest in time, or each drive's first frame where they overlap.
		a, b := d.moment(0), o.first
		if o.last.Time.Before(d.drive.StartedAt) {
			b = o.last
		} else if o.first.Time.After(d.drive.EndedAt) {
			a = d.moment(len(d.frames) - 1)
		}
		add(findings.Apart(o.drive, a, b))
	}
	return out, err
}

// moved keeps the prints of the drive's motion, and compares it with what other drives kept.
func (d *drive) moved(ctx context.Context, tx *state.Tx) (out []findings.Finding, err error) {
	t := findings.Motion(d.frames)
	if len(t.Prints) == 0 {
		return nil, nil
	}
	var args []any
	marks := make([]string, len(t.Prints))
	for i, p := range t.Prints {
		args, marks[i] = append(args, p, string(d.drive.ID)), fmt.Sprintf("($%d, $%d)", 2*i+1, 2*i+2)
	}
	if _, err := tx.Exec(ctx, `INSERT INTO trace_prints (print, drive_id) VALUES `+strings.Join(marks, ",")+` ON CONFLICT (print, drive_id) DO NOTHING`, args...); err != nil {
		return nil, err
	}
	touched := map[survey.DriveID]int{}
	for chunk := range slices.Chunk(t.Sought(), printsAtOnce) {
		if err := keptBy(ctx, tx, d.drive.ID, chunk, touched); err != nil {
			return nil, err
		}
	}
	maps.DeleteFunc(touched, func(_ survey.DriveID, n int) bool { return n < findings.FewestPrints })
	for _, o := range slices.Sorted(maps.Keys(touched)) {
		prints, err := printsOf(ctx, tx, o)
		if err != nil {
			return nil, err
		}
		if f, ok := t.Moved(o, prints); ok {
			out = append(out, f)
		}
	}
	return out, nil
}

// printsOf is what a drive kept of its motion.
func printsOf(ctx context.Context, tx *state.Tx, d survey.DriveID) (out []int64, err error) {
	rows, err := tx.Query(ctx, `SELECT print FROM trace_prints WHERE drive_id = $1 ORDER BY print`, string(d))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var p int64
		if err := rows.Scan(&p); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, rows.Err()
}

// printsAtOnce is how many prints one statement looks for.
const printsAtOnce = 256

// keptBy counts those of the prints, printsAtOnce at most, that drives other than d kept.
func keptBy(ctx context.Context, tx *state.Tx, d survey.DriveID, prints []int64, touched map[survey.DriveID]int) error {
	args := []any{string(d)}
	marks := make([]string, printsAtOnce) // filled up with the last print, so that the statement is always the same
	for i := range marks {
		args, marks[i] = append(args, prints[min(i, len(prints)-1)]), fmt.Sprintf("$%d", i+2)
	}
	cs, err := counts(ctx, tx, `SELECT drive_id, COUNT(*) FROM trace_prints WHERE drive_id <> $1 AND print IN (`+strings.Join(marks, ",")+`) GROUP BY drive_id`, args...)
	for _, c := range cs {
		touched[c.drive] += c.n
	}
	return err
}

func (d *drive) moment(i int) findings.Moment {
	return findings.Moment{Time: d.frames[i].CapturedAt, Point: d.frames[i].Point}
}

type count struct {
	drive survey.DriveID
	n     int
}

func counts(ctx context.Context, tx *state.Tx, q string, args ...any) ([]count, error) {
	rows, err := tx.Query(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []count
	for rows.Next() {
		var c count
		var id string
		if err := rows.Scan(&id, &c.n); err != nil {
			return nil, err
		}
		c.drive = survey.DriveID(id)
		out = append(out, c)
	}
	return out, rows.Err()
}

type other struct {
	drive       survey.DriveID
	first, last findings.Moment
}

// near is the drives of the same device within half an hour.
func (d *drive) near(ctx context.Context, tx *state.Tx, u upload) ([]other, error) {
	const window = 30 * time.Minute
	rows, err := tx.Query(ctx, `SELECT o.id, o.started_at, o.ended_at, a.lat_e7, a.lon_e7, b.lat_e7, b.lon_e7 FROM drives o
		JOIN frames a ON a.drive_id = o.id AND a.seq = 0 JOIN frames b ON b.drive_id = o.id AND b.seq = o.frames - 1
		WHERE o.contributor_id = $1 AND o.device_id = $2 AND o.id <> $3 AND o.started_at < $4 AND o.ended_at > $5 AND o.flags NOT LIKE '%time_assumed%' ORDER BY o.id`,
		string(u.contributor), string(d.drive.Device), string(d.drive.ID),
		state.Micros(d.drive.EndedAt.Add(window)), state.Micros(d.drive.StartedAt.Add(-window)))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []other
	for rows.Next() {
		var id string
		var t0, t1, la0, lo0, la1, lo1 int64
		if err := rows.Scan(&id, &t0, &t1, &la0, &lo0, &la1, &lo1); err != nil {
			return nil, err
		}
		out = append(out, other{survey.DriveID(id), findings.Moment{Time: state.Time(t0), Point: geo.FromE7(la0, lo0)}, findings.Moment{Time: state.Time(t1), Point: geo.FromE7(la1, lo1)}})
	}
	return out, rows.Err()
}

// claimedAgain tells the first contributor's drives that somebody else sent files of theirs.
func (p *plan) claimedAgain(ctx context.Context, tx *state.Tx, u upload) error {
	var ids []survey.FrameID
	for _, f := range p.files {
		if f.kind == kindImage && f.verdict != nil && f.verdict.Reason == survey.ReasonDuplicate {
			ids = append(ids, survey.NewFrameID(f.sha))
		}
		for _, m := range f.members {
			if m.taken && !m.down {
				ids = append(ids, survey.NewFrameID(m.sha))
			}
		}
	}
	n := map[survey.DriveID]int{}
	for chunk := range slices.Chunk(ids, 500) {
		args := []any{string(u.contributor)}
		marks := make([]string, len(chunk))
		for i, id := range chunk {
			args, marks[i] = append(args, string(id)), fmt.Sprintf("$%d", i+2)
		}
		cs, err := counts(ctx, tx, `SELECT f.drive_id, COUNT(*) FROM frames f JOIN drives d ON d.id = f.drive_id
			WHERE d.contributor_id <> $1 AND f.id IN (`+strings.Join(marks, ",")+`) GROUP BY f.drive_id ORDER BY f.drive_id`, args...)
		if err != nil {
			return err
		}
		for _, c := range cs {
			n[c.drive] += c.n
		}
	}
	drives := make([]survey.DriveID, 0, len(n))
	for d := range n {
		drives = append(drives, d)
	}
	slices.Sort(drives)
	for _, d := range drives {
		// The subject is a digest, so that one contributor does not learn who the other is.
		f := findings.Finding{Kind: findings.ClaimedAgain, Subject: survey.HashOf([]byte(u.id)).String()[:16], Evidence: map[string]any{"frames": n[d]}}
		if err := put(ctx, tx, d, f, u.now); err != nil {
			return err
		}
	}
	return nil
}
