package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/roadcomb/roadcomb/ingest/exif"
	"github.com/roadcomb/roadcomb/ingest/framekm"
	"github.com/roadcomb/roadcomb/ingest/media"
	"github.com/roadcomb/roadcomb/ingest/trace"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Kinds of files, as state keeps them; unknown is "".
const (
	kindImage = "image"
	kindTrack = "track"
	kindFilm  = "film"
)

// file is one file of an upload with what was read of it.
type file struct {
	path   string
	sha    survey.Hash
	bytes  int64
	object string

	kind    string
	meta    exif.Meta // of an image
	curve   *trace.Curve
	fixes   int
	dropped trace.Dropped
	film    media.Film
	course  media.Cleaned // of a film

	// at is where a film was at a moment of its time, by its own track or the one beside it; set by the plan.
	at func(time.Duration) (survey.Fix, bool)

	sidecar   *framekm.Sidecar // metadata of one image
	bundle    *framekm.Bundle  // metadata of a blob
	described *file            // of a blob: the file that holds its metadata
	members   []*member        // of a blob

	// decided files got their verdicts when the upload was ingested before. They are read again as context: for the
	// recordings that files sent again belong to.
	decided bool
	context bool // the contributor's own image of an earlier upload, or decided: placed, but in no new drive
	was     struct {
		kind   string
		reason survey.Reason
	}

	down    int                   // images in it that were taken down
	placed  int                   // frames of a film or bundle that are in a drive
	lost    map[survey.Reason]int // those that are not
	verdict *survey.Verdict       // nil while none is due
	fixed   bool                  // verdict is of the file itself, whatever the others are
	used    bool                  // a track that placed an image
}

func (f *file) folder() string { return path.Dir(f.path) }

// reject gives the verdict, except on context, whose verdict stands.
func (f *file) reject(r survey.Reason, vars map[string]any, format string, args ...any) {
	if f.context {
		return
	}
	msg := ""
	if format != "" {
		msg = fmt.Sprintf(format, args...)
	}
	v := survey.Reject(r, msg, vars)
	f.verdict = &v
}

// again forgets what depends on other files, before another plan.
func (f *file) again() {
	f.used, f.placed, f.lost, f.down = false, 0, nil, 0
	if !f.fixed {
		f.verdict = nil
	}
	f.context = f.decided && !f.fixed
}

// out reports that a file takes no part in the plan.
func (f *file) out() bool { return f.verdict != nil && !f.context }

// inspect reads one file. What is wrong with it becomes its verdict; an error means that storage could not say.
func (w *Worker) inspect(ctx context.Context, cfg Config, u upload, f *file) error {
	err := w.look(ctx, cfg, u, f)
	f.fixed = f.verdict != nil
	return err
}

func (w *Worker) look(ctx context.Context, cfg Config, u upload, f *file) error {
	if why := badName(f.path); why != "" {
		f.reject(survey.ReasonBadName, nil, "The name %q %s; rename the file and send it again.", f.path, why)
		return nil
	}
	if f.bytes == 0 {
		f.reject(survey.ReasonEmpty, nil, "")
		return nil
	}
	if f.object == "" {
		f.reject(survey.ReasonUnreadable, nil, "%q never arrived; send it again.", f.path)
		return nil
	}
	if f.described != nil {
		return w.lookBundle(ctx, cfg, u, f)
	}
	limit := cfg.MaxImageBytes
	if f.bytes > limit {
		head, err := w.Store.Range(ctx, store.Private, f.object, 0, min(f.bytes, 4096), "")
		if err != nil {
			return f.missing(err)
		}
		if media.Is(head) {
			return w.lookFilm(ctx, cfg, u, f)
		}
		if !trace.IsGPX(head) && !trace.IsNMEA(head) {
			f.reject(survey.ReasonTooLarge, map[string]any{"bytes": f.bytes, "limit": limit}, "%q has %d bytes; the limit for its kind is %d.", f.path, f.bytes, limit)
			return nil
		}
		limit = cfg.MaxTrackBytes
		if f.bytes > limit {
			f.reject(survey.ReasonTooLarge, map[string]any{"bytes": f.bytes, "limit": limit}, "The track %q has %d bytes; the limit is %d.", f.path, f.bytes, limit)
			return nil
		}
	}
	// One byte more than announced tells a longer object; a range is one request.
	body, err := w.Store.Range(ctx, store.Private, f.object, 0, f.bytes+1, "")
	if err != nil {
		return f.missing(err)
	}
	if int64(len(body)) != f.bytes || survey.HashOf(body) != f.sha {
		f.reject(survey.ReasonHashMismatch, map[string]any{"announced": f.bytes, "stored": len(body)}, "")
		return nil
	}
	return f.read(ctx, cfg, body)
}

// lookFilm streams a film that is too large to hold. That its bytes are right is remembered: a long upload may need more
// than one run of a job, and each must get further.
func (w *Worker) lookFilm(ctx context.Context, cfg Config, u upload, f *file) error {
	f.kind = kindFilm
	if f.bytes > cfg.MaxFilmBytes {
		f.reject(survey.ReasonTooLarge, map[string]any{"bytes": f.bytes, "limit": cfg.MaxFilmBytes}, "The film %q has %d bytes; the limit is %d.", f.path, f.bytes, cfg.MaxFilmBytes)
		return nil
	}
	o, info, err := w.Store.Open(ctx, store.Private, f.object)
	if err != nil {
		return f.missing(err)
	}
	defer o.Close()
	n := info.Bytes
	if seen, err := w.verified(ctx, f.object, info.ETag); err != nil {
		return err
	} else if !seen {
		sum, read, err := survey.HashReader(o)
		if err != nil {
			return fmt.Errorf("read %q: %w", f.path, err)
		}
		if read != f.bytes || sum != f.sha {
			f.reject(survey.ReasonHashMismatch, map[string]any{"announced": f.bytes, "stored": read}, "")
			return nil
		}
		if err := w.remember(ctx, f.object, info.ETag, u.now); err != nil {
			return err
		}
	}
	return f.readFilm(ctx, cfg, &blocks{ctx: ctx, s: w.Store, key: f.object, size: n})
}

func (w *Worker) verified(ctx context.Context, object, etag string) (bool, error) {
	var was string
	err := w.DB.QueryRow(ctx, `SELECT etag FROM ingest_verified WHERE object = $1`, object).Scan(&was)
	if errors.Is(err, state.ErrNoRows) {
		return false, nil
	}
	return err == nil && was == etag && etag != "", err
}

func (w *Worker) remember(ctx context.Context, object, etag string, at time.Time) error {
	_, err := w.DB.Exec(ctx, `INSERT INTO ingest_verified (object, etag, verified_at) VALUES ($1, $2, $3)
		ON CONFLICT (object) DO UPDATE SET etag = excluded.etag, verified_at = excluded.verified_at`, object, etag, state.Micros(at))
	return err
}

// missing turns an object that does not exist into a verdict and passes other faults on.
func (f *file) missing(err error) error {
	if survey.KindOf(err) != survey.NotFound {
		return fmt.Errorf("read %q: %w", f.path, err)
	}
	f.reject(survey.ReasonUnreadable, nil, "%q is not in the store; send it again.", f.path)
	return nil
}

// read finds out what the bytes are. Its error is that of storage.
func (f *file) read(ctx context.Context, cfg Config, body []byte) error {
	switch {
	case exif.Is(body):
		f.kind = kindImage
		f.readImage(cfg, body)
	case f.isJSON():
		f.readJSON(body)
	case media.Is(body):
		f.kind = kindFilm
		return f.readFilm(ctx, cfg, bytes.NewReader(body))
	case trace.IsGPX(body):
		f.kind = kindTrack
		tr, st, err := trace.ReadGPX(bytes.NewReader(body))
		f.readTrack(cfg, tr, st, err)
	case trace.IsNMEA(body):
		f.kind = kindTrack
		tr, st, err := trace.ReadNMEA(bytes.NewReader(body))
		f.readTrack(cfg, tr, st, err)
	default:
		f.reject(survey.ReasonUnknownType, nil, "%q is not a JPEG image, an MP4 or MOV film, a GPX track or an NMEA track.", path.Base(f.path))
	}
	return nil
}

func (f *file) readFilm(ctx context.Context, cfg Config, r io.ReaderAt) error {
	film, err := media.Read(r, f.bytes)
	switch survey.KindOf(err) {
	case survey.Unsupported:
		f.reject(survey.ReasonUnknownType, nil, "%s", err)
		return nil
	case survey.Invalid:
		f.reject(survey.ReasonCorrupt, nil, "%s", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("read film %q: %w", f.path, err)
	}
	f.film = film
	if film.Width == 0 || film.Height == 0 {
		f.reject(survey.ReasonCorrupt, nil, "The film has no picture.")
		return nil
	}
	if film.Format == "" && cfg.ExifTool != "" {
		if film.Fixes, err = outside(ctx, cfg.ExifTool, r, f.bytes); err != nil {
			return fmt.Errorf("read film %q: %w", f.path, err)
		}
		if len(film.Fixes) > 0 {
			film.Format = "exiftool"
		}
		f.film = film
	}
	if film.Format == "" { // a track beside it may place it
		return nil
	}
	gate := cfg.Gate
	if film.Format == "gpmf" && gate.MaxHDOP == 0 {
		gate.MaxHDOP = 10 // GoPro writes a position DOP; mapillary_tools' limit
	}
	f.course = film.Clean(gate)
	f.fixes, f.dropped = f.course.Fixes, f.course.Dropped
	if f.fixes == 0 {
		f.reject(survey.ReasonTrackEmpty, map[string]any{"format": film.Format, "fixes": len(film.Fixes), "untrusted": f.dropped.Total()},
			"The film's track has %d positions, but none that can be trusted.", len(film.Fixes))
	}
	return nil
}

// outsideTime bounds one run of another program.
const outsideTime = 90 * time.Second

// outside copies a film to a file of its own for exiftool to read.
func outside(ctx context.Context, bin string, r io.ReaderAt, size int64) ([]media.Fix, error) {
	dir, err := os.MkdirTemp("", "roadcomb-film-")
	if err != nil {
		return nil, survey.Errorf(survey.Unavailable, "%w", err).WithHint("free some disk space for temporary files")
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "film.mp4")
	w, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(w, io.NewSectionReader(r, 0, size))
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, outsideTime)
	defer cancel()
	return media.ExifTool(ctx, bin, name)
}

// blocks reads an object by range, a block at a time, and keeps the last few: metadata lies close together.
type blocks struct {
	ctx  context.Context
	s    *store.Store
	key  string
	size int64
	held [8]struct {
		at int64 // block number + 1
		b  []byte
	}
	next int
}

const blockSize = 128 << 10

func (r *blocks) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	for n < len(p) {
		if off >= r.size {
			return n, io.EOF
		}
		b, err := r.block(off / blockSize)
		if err != nil {
			return n, err
		}
		skip := off % blockSize
		if skip >= int64(len(b)) {
			return n, io.ErrUnexpectedEOF
		}
		c := copy(p[n:], b[skip:])
		n, off = n+c, off+int64(c)
	}
	return n, nil
}

func (r *blocks) block(i int64) ([]byte, error) {
	for _, h := range r.held {
		if h.at == i+1 {
			return h.b, nil
		}
	}
	b, err := r.s.Range(r.ctx, store.Private, r.key, i*blockSize, min(blockSize, r.size-i*blockSize), "")
	if err != nil {
		return nil, err
	}
	r.held[r.next].at, r.held[r.next].b = i+1, b
	r.next = (r.next + 1) % len(r.held)
	return b, nil
}

func (f *file) readImage(cfg Config, body []byte) {
	m, err := exif.Read(body)
	if err != nil {
		f.reject(survey.ReasonCorrupt, nil, "%s", err)
		return
	}
	if px := int64(m.Width) * int64(m.Height); px > cfg.MaxPixels {
		f.reject(survey.ReasonPixelBomb, map[string]any{"width": m.Width, "height": m.Height, "limit": cfg.MaxPixels},
			"The image declares %d × %d pixels; the limit is %d million.", m.Width, m.Height, cfg.MaxPixels/1_000_000)
		return
	}
	if min(m.Width, m.Height) < cfg.MinSide {
		f.reject(survey.ReasonTooSmall, map[string]any{"width": m.Width, "height": m.Height, "limit": cfg.MinSide},
			"The image has %d × %d pixels; each side needs %d.", m.Width, m.Height, cfg.MinSide)
		return
	}
	if !m.Complete {
		f.reject(survey.ReasonCorrupt, map[string]any{"bytes": len(body)}, "The image ends before its last pixel, after %d bytes.", len(body))
		return
	}
	f.meta = m
}

func (f *file) readTrack(cfg Config, tr survey.Trace, st trace.Stats, err error) {
	if err != nil {
		r := survey.ReasonCorrupt
		if survey.KindOf(err) == survey.Unsupported {
			r = survey.ReasonUnknownType
		}
		f.reject(r, nil, "%s", err)
		return
	}
	kept, dropped := trace.Clean(tr, cfg.Gate)
	f.dropped, f.fixes = dropped, len(kept)
	if len(kept) == 0 {
		f.reject(survey.ReasonTrackEmpty, map[string]any{"records": st.Records, "without_time": st.NoTime, "without_position": st.NoPoint,
			"bad_checksum": st.BadChecksum, "untrusted": dropped.Total()},
			"The track has %d records but no position that is whole, timed and trusted.", st.Records)
		return
	}
	f.curve = trace.NewCurve(kept, 0)
}

func badName(p string) string {
	switch {
	case p == "":
		return "is empty"
	case !utf8.ValidString(p):
		return "is not UTF-8"
	case strings.ContainsFunc(p, unicode.IsControl):
		return "holds control characters"
	case strings.HasPrefix(p, "/") || p == ".." || strings.HasPrefix(p, "../") || strings.Contains(p, "/../") || strings.HasSuffix(p, "/.."):
		return "leaves its folder"
	}
	return ""
}

// cameraFloor is the earliest time that a capture may have: digital street imagery with GPS is no older, and receivers
// without a date report 1980 or 1999.
var cameraFloor = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
