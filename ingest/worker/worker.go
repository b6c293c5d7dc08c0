// Package worker is the ingest stage: it reads every file of a completed upload, gives each a verdict, cuts drives from
// what can be placed, writes their manifests, and hands them to vision.
//
// One bad file never fails an upload: what is wrong with a file is a verdict on that file. Errors are for what broke
// around it (storage, state), and make the whole step run again; it is idempotent, and everything it decides commits in
// one transaction. Inputs = accepted + rejected + waiting for vision is checked before that commit. The package decodes
// no pixels and needs no cgo.
package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/roadcomb/roadcomb/ingest/trace"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Pinner gives the cell of a frame; it may hold on to the last cell near an edge, so each drive gets a new one.
type Pinner interface {
	Cell(geo.Point) (survey.Cell, error)
}

// Trimming of a drive's ends.
const (
	DefaultTrim geo.Meters = 500
	MinTrim     geo.Meters = 100
)

// Config holds the limits and rules of ingest. The zero value is what a network should run.
type Config struct {
	MaxImageBytes int64 // default 64 MiB
	MaxTrackBytes int64 // default 256 MiB
	MaxFilmBytes  int64 // default 64 GiB
	MaxPixels     int64 // default 150 million
	MinSide       int   // least width and height; default 64
	Parallel      int   // files read at a time; default twice the number of processors, at least 4

	// Trim is cut from both ends of each recording unless the upload asks for another length; 0 means DefaultTrim, and
	// less than MinTrim means MinTrim.
	Trim geo.Meters
	// NoTrim trims nothing, whatever the upload says. It is for footage that whoever runs this publishes by their own
	// choice on their own machine (the headless command, the demo), never for a network that takes uploads.
	NoTrim bool
	// KeepAllFor is the contributor who runs the network: an upload of theirs that asks for less than 0 metres is not
	// trimmed. Empty means nobody.
	KeepAllFor survey.ContributorID

	// ExifTool is the path of the program exiftool, asked for the positions of films of kinds that are not read here; ""
	// asks nobody. See media.ExifTool on whose films to give it.
	ExifTool string

	Rules trace.Rules // how drives are cut; Trim and Zones are set by the worker
	Gate  trace.Gate  // which fixes of a track are trusted
}

func (c Config) withDefaults() Config {
	set := func(v *int64, d int64) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&c.MaxImageBytes, 64<<20)
	set(&c.MaxTrackBytes, 256<<20)
	set(&c.MaxFilmBytes, 64<<30)
	set(&c.MaxPixels, 150_000_000)
	if c.MinSide <= 0 {
		c.MinSide = 64
	}
	if c.Parallel <= 0 {
		c.Parallel = max(4, 2*runtime.GOMAXPROCS(0)) // much of it is waiting for storage
	}
	if c.Trim <= 0 {
		c.Trim = DefaultTrim
	}
	return c
}

// trim is the length cut from both ends for an upload that asks for want.
func (c Config) trim(who survey.ContributorID, want float64) geo.Meters {
	if c.NoTrim || want < 0 && who != "" && who == c.KeepAllFor {
		return 0
	}
	t := c.Trim
	if want > 0 {
		t = geo.Meters(want)
	}
	return max(t, MinTrim)
}

// Worker ingests uploads. It is safe for concurrent use.
type Worker struct {
	DB        *state.DB
	Store     *store.Store
	Log       *slog.Logger     // nil logs nothing
	Clock     func() time.Time // nil means time.Now; stamps ingested_at, and no capture is a day later
	NewPinner func() Pinner
	// Received gives the time at which an upload counts as received, from the newest capture time of its accepted
	// images (zero when there are none); it then replaces the time of completion in state. nil keeps that. A headless
	// run sets it, so that the same footage gives the same bytes.
	Received func(newest time.Time) time.Time
	Config   Config
}

// upload is what state knows of an upload.
type upload struct {
	id          survey.UploadID
	contributor survey.ContributorID
	options     survey.UploadOptions
	received    time.Time
	now         time.Time
	zones       []trace.Zone
	again       bool // ingested before, and opened again for damaged files
}

// errRace says that another upload claimed a frame between our look and our commit.
var errRace = errors.New("a frame was claimed meanwhile")

// Ingest gives a verdict on every file of a completed upload and enqueues vision for its drives. An upload ingested
// before is left alone. Errors are NotFound and Conflict for an upload that does not exist or is not complete, which
// repeating does not mend, and those of storage and state, which it may.
func (w *Worker) Ingest(ctx context.Context, id survey.UploadID) error {
	cfg := w.Config.withDefaults()
	log := w.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	now := time.Now
	if w.Clock != nil {
		now = w.Clock
	}
	u, done, err := w.load(ctx, id)
	if err != nil || done {
		return err
	}
	u.now = now()
	files, err := w.files(ctx, id)
	if err != nil {
		return err
	}
	// Metadata files first: they say which other files are bundles.
	for _, first := range []bool{true, false} {
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(cfg.Parallel)
		for _, f := range files {
			if f.isJSON() == first {
				g.Go(func() error { return w.inspect(gctx, cfg, u, f) })
			}
		}
		if err := g.Wait(); err != nil {
			return fmt.Errorf("ingest upload %s: %w", id, err)
		}
		if first {
			pair(files)
		}
	}
	put := map[string]bool{} // frames of bundles that were put into the store
	for try := 0; ; try++ {
		for _, f := range files {
			f.again()
		}
		if err := w.duplicates(ctx, id, u.contributor, files); err != nil {
			return fmt.Errorf("ingest upload %s: %w", id, err)
		}
		p := w.plan(cfg, u, files)
		if w.Received != nil {
			u.received = w.Received(p.newest())
		}
		if err := p.check(); err != nil {
			return fmt.Errorf("ingest upload %s: %w", id, err)
		}
		if err := w.place(ctx, u, p); err != nil {
			return fmt.Errorf("ingest upload %s: %w", id, err)
		}
		if err := w.unpack(ctx, cfg, p, put); err != nil {
			return fmt.Errorf("ingest upload %s: %w", id, err)
		}
		err := w.commit(ctx, u, p)
		if errors.Is(err, errRace) && try < 10 {
			continue
		}
		if err == nil {
			err = w.forget(ctx, u, p, put)
		}
		if err != nil {
			return fmt.Errorf("ingest upload %s: %w", id, err)
		}
		frames := 0
		for _, d := range p.drives {
			frames += len(d.frames)
		}
		log.InfoContext(ctx, "ingested", "upload", string(id), "files", len(files), "drives", len(p.drives), "frames", frames)
		return nil
	}
}

func (w *Worker) load(ctx context.Context, id survey.UploadID) (u upload, done bool, err error) {
	var st, contributor, opts string
	var created, completed, resent int64
	err = w.DB.QueryRow(ctx, `SELECT state, contributor_id, options, created_at, completed_at, resent_at FROM uploads WHERE id = $1`, string(id)).
		Scan(&st, &contributor, &opts, &created, &completed, &resent)
	if errors.Is(err, state.ErrNoRows) {
		return u, false, survey.Errorf(survey.NotFound, "no upload %s", id)
	}
	if err != nil {
		return u, false, err
	}
	switch survey.UploadState(st) {
	case survey.UploadUploaded:
	case survey.UploadOpen:
		return u, false, survey.Errorf(survey.Conflict, "upload %s is not complete", id)
	default:
		return u, true, nil
	}
	u = upload{id: id, contributor: survey.ContributorID(contributor), received: state.Time(completed)}
	switch {
	case completed == 0: // completed by a version that did not say when
		u.received = state.Time(created)
	case resent > 0: // what comes now may belong to an epoch that is closed
		u.received, u.again = state.Time(resent), true
	}
	if opts != "" {
		if err := json.Unmarshal([]byte(opts), &u.options); err != nil {
			return u, false, fmt.Errorf("options of upload %s: %w", id, err)
		}
	}
	u.zones, err = zones(ctx, w.DB, u.contributor)
	return u, false, err
}

func (w *Worker) files(ctx context.Context, id survey.UploadID) ([]*file, error) {
	rows, err := w.DB.Query(ctx, `SELECT path, sha256, bytes, object, kind, verdict, reason FROM upload_files WHERE upload_id = $1 ORDER BY path`, string(id))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []*file
	for rows.Next() {
		f := &file{}
		var sum, verdict, reason string
		if err := rows.Scan(&f.path, &sum, &f.bytes, &f.object, &f.was.kind, &verdict, &reason); err != nil {
			return nil, err
		}
		f.was.reason = survey.Reason(reason)
		f.decided = verdict != "" && !(verdict == "rejected" && f.was.reason.Resend())
		if f.sha, err = survey.ParseHash(sum); err != nil {
			return nil, fmt.Errorf("file %q of upload %s: %w", f.path, id, err)
		}
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b *file) int { return strings.Compare(a.path, b.path) }) // engines collate differently
	return out, rows.Err()
}

// duplicates rejects files whose bytes came before: within the upload the first path stays, and among uploads whoever
// committed first. Images that the contributor sent before go on as context: a folder that grew is read as the recording
// that it is, and only what is new of it counts.
func (w *Worker) duplicates(ctx context.Context, upload survey.UploadID, owner survey.ContributorID, files []*file) error {
	first := map[survey.Hash]*file{}
	byID := map[survey.FrameID]*file{}
	inBundle := map[survey.FrameID]*member{}
	var ids []survey.FrameID
	for _, f := range files {
		if f.context {
			first[f.sha] = f
			continue
		}
		if f.verdict != nil {
			continue
		}
		if o := first[f.sha]; o != nil {
			f.reject(survey.ReasonDuplicate, map[string]any{"same_as": o.path}, "The same bytes as %q in this upload.", o.path)
			continue
		}
		first[f.sha] = f
		if f.kind == kindFilm || f.kind == kindBundle {
			var n, own, down int64
			if err := w.DB.QueryRow(ctx, `SELECT COUNT(*), COALESCE(SUM(CASE WHEN u.contributor_id = $4 THEN 1 ELSE 0 END), 0),
				COALESCE(SUM((SELECT COUNT(*) FROM frames r WHERE r.upload_id = f.upload_id AND r.path = f.path AND r.state = 'removed')), 0)
				FROM upload_files f JOIN uploads u ON u.id = f.upload_id WHERE f.sha256 = $1 AND f.kind = $2 AND f.verdict = 'accepted' AND f.upload_id <> $3`,
				f.sha.String(), f.kind, string(upload), string(owner)).Scan(&n, &own, &down); err != nil {
				return err
			}
			switch f.down = int(down); {
			case down > 0:
				f.reject(survey.ReasonDuplicate, map[string]any{"removed": down}, "The same file was accepted in an earlier upload; it counts once. %d of its images were taken down and stay down.", down)
			case n > 0:
				f.reject(survey.ReasonDuplicate, nil, "The same file was accepted in an earlier upload; it counts once.")
			}
			if n > 0 {
				f.context = own > 0
				continue
			}
		}
		if f.kind == kindImage {
			id := survey.NewFrameID(f.sha)
			byID[id] = f
			ids = append(ids, id)
		}
		for _, m := range f.members {
			if m.taken = m.why == "" && first[m.sha] != nil; m.why == "" && !m.taken {
				first[m.sha] = f
				id := survey.NewFrameID(m.sha)
				inBundle[id] = m
				ids = append(ids, id)
			}
		}
	}
	taken, err := w.taken(ctx, ids)
	for _, t := range taken {
		if m := inBundle[t.frame]; m != nil {
			m.taken, m.down = true, t.down
			continue
		}
		f := byID[t.frame]
		if t.down {
			f.down = 1
			f.reject(survey.ReasonRemoved, nil, "The same image was sent before and was taken down; it stays down.")
		} else {
			f.reject(survey.ReasonDuplicate, nil, "The same image was accepted in an earlier upload; it counts once.")
		}
		f.context = t.owner == owner
	}
	return err
}

// claim is a frame that exists already, whose it is, and whether it was taken down.
type claim struct {
	frame survey.FrameID
	owner survey.ContributorID
	down  bool
}

// taken is which of the frames exist already, in order of their ids.
func (w *Worker) taken(ctx context.Context, ids []survey.FrameID) ([]claim, error) {
	var out []claim
	for chunk := range slices.Chunk(ids, 500) {
		args := make([]any, len(chunk))
		marks := make([]string, len(chunk))
		for i, id := range chunk {
			args[i], marks[i] = string(id), fmt.Sprintf("$%d", i+1)
		}
		rows, err := w.DB.Query(ctx, `SELECT f.id, d.contributor_id, f.state FROM frames f JOIN drives d ON d.id = f.drive_id WHERE f.id IN (`+strings.Join(marks, ",")+`)`, args...)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var id, owner, st string
			if err := rows.Scan(&id, &owner, &st); err != nil {
				rows.Close()
				return nil, err
			}
			out = append(out, claim{survey.FrameID(id), survey.ContributorID(owner), survey.FrameState(st) == survey.FrameRemoved})
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(out, func(a, b claim) int { return strings.Compare(string(a.frame), string(b.frame)) })
	return out, nil
}

// place pins cells, makes the drives' identities and writes their manifests, which nothing refers to before commit.
func (w *Worker) place(ctx context.Context, u upload, p *plan) error {
	for _, d := range p.drives {
		pin := w.NewPinner()
		ids := make([]survey.FrameID, len(d.frames))
		for i := range d.frames {
			f := &d.frames[i]
			var err error
			if f.Cell, err = pin.Cell(f.Point); err != nil {
				return fmt.Errorf("cell of frame %s: %w", f.ID, err)
			}
			ids[i] = f.ID
		}
		d.drive.ID = survey.NewDriveID(u.contributor, ids)
		d.drive.ReceivedAt = u.received
		for i := range d.frames {
			d.frames[i].Drive = d.drive.ID
		}
		body, err := d.manifest()
		if err != nil {
			return err
		}
		d.manifestSHA = survey.HashOf(body)
		if _, err := w.Store.Put(ctx, store.Ledger, store.DriveManifestKey(d.drive.ID), body, "application/json"); err != nil {
			return err
		}
	}
	return nil
}

func (w *Worker) commit(ctx context.Context, u upload, p *plan) error {
	return w.DB.Tx(ctx, func(tx *state.Tx) error {
		set := `completed_at`
		if u.again {
			set = `resent_at`
		}
		n, err := tx.Exec(ctx, `UPDATE uploads SET state = $2, ingested_at = $3, `+set+` = $4 WHERE id = $1 AND state = $5`,
			string(u.id), string(survey.UploadIngested), state.Micros(u.now), state.Micros(u.received), string(survey.UploadUploaded))
		if err != nil || n == 0 { // 0: another worker was first
			return err
		}
		for _, f := range p.files {
			if f.decided { // its verdict stands, but that a track was of no use may not be true any more
				if f.was.reason == survey.ReasonTrackUnused && f.used {
					if err := state.SetVerdict(ctx, tx, u.id, f.path, survey.Accept()); err != nil {
						return err
					}
				}
				continue
			}
			if _, err := tx.Exec(ctx, `UPDATE upload_files SET kind = $3, verdict = '', reason = '', message = '', vars = '{}' WHERE upload_id = $1 AND path = $2`, string(u.id), f.path, f.kind); err != nil {
				return err
			}
			if f.verdict != nil {
				if err := state.SetVerdict(ctx, tx, u.id, f.path, *f.verdict); err != nil {
					return err
				}
			}
		}
		for _, d := range p.drives {
			if err := d.insert(ctx, tx, u); err != nil {
				return err
			}
		}
		if err := p.find(ctx, tx, u); err != nil {
			return err
		}
		_, err = state.SettleUpload(ctx, tx, u.id, u.now)
		return err
	})
}

func (d *drive) insert(ctx context.Context, tx *state.Tx, u upload) error {
	v := d.drive
	if _, err := tx.Exec(ctx, `INSERT INTO drives (id, upload_id, contributor_id, device_id, state, started_at, ended_at, received_at,
		frames, parts, distance_mm, flags, manifest_sha256) VALUES ($1, $2, $3, $4, 'vision', $5, $6, $7, $8, $9, $10, $11, $12)`,
		string(v.ID), string(u.id), string(u.contributor), string(v.Device), state.Micros(v.StartedAt), state.Micros(v.EndedAt),
		state.Micros(v.ReceivedAt), v.Frames, v.Parts, v.DistanceMM, flagsJSON(v.Flags), d.manifestSHA.String()); err != nil {
		return fmt.Errorf("drive %s: %w", v.ID, err)
	}
	for part := range v.Parts {
		if _, err := tx.Exec(ctx, `INSERT INTO drive_parts (drive_id, part) VALUES ($1, $2)`, string(v.ID), part); err != nil {
			return err
		}
	}
	for i := range d.frames {
		f := &d.frames[i]
		lat, lon := f.Point.E7()
		var alt any
		if f.HasAlt {
			alt = milli(float64(f.Alt))
		}
		heading := int64(-1)
		if f.HasHeading {
			heading = milli(float64(f.Heading)) % 360_000
		}
		n, err := tx.Exec(ctx, `INSERT INTO frames (id, drive_id, part, seq, upload_id, path, object, film_pts_us, sha256, bytes, captured_at,
			received_at, lat_e7, lon_e7, alt_mm, heading_mdeg, speed_mmps, accuracy_mm, cell, width, height, flags, state)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)
			ON CONFLICT (id) DO NOTHING`,
			string(f.ID), string(v.ID), f.Part, f.Seq, string(u.id), f.Path, d.objects[i], d.pts[i], f.SHA256.String(), f.Bytes,
			state.Micros(f.CapturedAt), state.Micros(v.ReceivedAt), lat, lon, alt, heading, milli(float64(f.Speed)), milli(float64(f.Accuracy)),
			f.Cell.Int64(), f.Width, f.Height, flagsJSON(f.Flags), string(survey.FramePending))
		if err != nil {
			return fmt.Errorf("frame %s: %w", f.ID, err)
		}
		if n == 0 {
			return errRace
		}
	}
	for part := range v.Parts {
		if err := tx.Enqueue(ctx, state.VisionArgs{DriveID: v.ID, Part: part}); err != nil {
			return err
		}
	}
	return nil
}

func flagsJSON(fs []survey.Flag) string {
	if len(fs) == 0 {
		return "[]"
	}
	b, err := json.Marshal(fs)
	if err != nil { // strings always encode
		panic(err)
	}
	return string(b)
}
