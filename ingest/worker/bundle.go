package worker

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"path"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/roadcomb/roadcomb/ingest/exif"
	"github.com/roadcomb/roadcomb/ingest/framekm"
	"github.com/roadcomb/roadcomb/ingest/trace"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// kindBundle is a blob of many images. Those in a drive are put into the store one by one, named by their content, so that
// vision reads them like any other.
const kindBundle = "bundle"

// member is one image of a bundle.
type member struct {
	frame  framekm.Frame
	meta   exif.Meta
	sha    survey.Hash
	object string
	why    survey.Reason // not usable; empty when it is
	taken  bool          // by an earlier upload
	down   bool          // and taken down since
}

// isJSON tells metadata files, which are read first because they say what other files are.
func (f *file) isJSON() bool {
	return strings.EqualFold(path.Ext(f.path), ".json") && f.bytes <= framekm.MaxJSON
}

// stem is the path without its extension.
func stem(p string) string { return strings.TrimSuffix(p, path.Ext(p)) }

// pair tells each blob which metadata describes it.
func pair(files []*file) {
	byPath := map[string]*file{}
	for _, f := range files {
		if !f.isJSON() {
			byPath[f.path] = f
			if _, taken := byPath[stem(f.path)]; !taken {
				byPath[stem(f.path)] = f
			}
		}
	}
	for _, f := range files {
		if f.bundle == nil {
			continue
		}
		for _, name := range []string{path.Join(f.folder(), f.bundle.Name), stem(f.path)} {
			if b := byPath[name]; b != nil && b.described == nil {
				b.described = f
				break
			}
		}
	}
}

func (f *file) readJSON(body []byte) {
	b, err := framekm.Parse(body)
	if err == nil {
		f.kind, f.bundle = kindTrack, &b
		return
	}
	if survey.KindOf(err) == survey.Invalid {
		f.kind = kindTrack
		f.reject(survey.ReasonCorrupt, nil, "%s", err)
		return
	}
	s, serr := framekm.ParseSidecar(body)
	if serr != nil {
		f.reject(survey.ReasonUnknownType, nil, "%q is neither the metadata of a FrameKM bundle nor of a Bee frame (%s).", path.Base(f.path), err)
		return
	}
	f.kind, f.sidecar = kindTrack, &s
}

// unpack puts the frames that found a place in a drive into the store, each as an object of its own. The others leave
// nothing: not what was trimmed, and not what was taken down.
func (w *Worker) unpack(ctx context.Context, cfg Config, p *plan, put map[string]bool) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(cfg.Parallel)
	for _, d := range p.drives {
		for _, s := range d.shots {
			m := s.member
			if m == nil {
				continue
			}
			put[m.object] = true
			g.Go(func() error {
				b, err := w.Store.Range(gctx, store.Private, s.f.object, m.frame.Offset, m.frame.Bytes, "")
				if err == nil && survey.HashOf(b) != m.sha {
					err = survey.Errorf(survey.Unavailable, "it changed while it was read")
				}
				if err == nil {
					_, err = w.Store.Put(gctx, store.Private, m.object, b, "image/jpeg")
				}
				if err != nil {
					return fmt.Errorf("frame at byte %d of %q: %w", m.frame.Offset, s.f.path, err)
				}
				return nil
			})
		}
	}
	return g.Wait()
}

// forget removes, after the commit, what the store should not keep: frames of bundles that an earlier plan put there and
// another upload then claimed, and files that were taken down and are sent again. Until the file's object is forgotten its
// row names it, so that whatever stops this leaves it to expire with its upload.
func (w *Worker) forget(ctx context.Context, u upload, p *plan, put map[string]bool) error {
	for _, d := range p.drives {
		for _, o := range d.objects {
			delete(put, o)
		}
	}
	for o := range put {
		var n int64
		if err := w.DB.QueryRow(ctx, `SELECT (SELECT COUNT(*) FROM frames WHERE object = $1 AND object <> '') + (SELECT COUNT(*) FROM upload_files WHERE object = $1)`, o).Scan(&n); err != nil {
			return err
		}
		if n == 0 {
			if err := w.Store.Remove(ctx, store.Private, o); err != nil {
				return err
			}
		}
	}
	for _, f := range p.files {
		if f.down == 0 || f.object == "" {
			continue
		}
		if f.kind != kindImage { // another upload's frames may come from the same object
			var n int64
			if err := w.DB.QueryRow(ctx, `SELECT COUNT(*) FROM upload_files WHERE object = $1 AND (upload_id <> $2 OR path <> $3)`, f.object, string(u.id), f.path).Scan(&n); err != nil {
				return err
			}
			if n > 0 {
				continue
			}
		}
		if err := w.Store.Remove(ctx, store.Private, f.object); err != nil {
			return err
		}
		if _, err := w.DB.Exec(ctx, `UPDATE upload_files SET object = '' WHERE upload_id = $1 AND path = $2`, string(u.id), f.path); err != nil {
			return err
		}
	}
	return nil
}

// lookBundle streams a blob, a frame at a time.
func (w *Worker) lookBundle(ctx context.Context, cfg Config, u upload, f *file) error {
	f.kind = kindBundle
	b := f.described.bundle
	if f.bytes != b.Size {
		f.reject(survey.ReasonCorrupt, map[string]any{"bytes": f.bytes, "announced": b.Size}, "The bundle has %d bytes; its metadata announces %d.", f.bytes, b.Size)
		return nil
	}
	o, _, err := w.Store.Open(ctx, store.Private, f.object)
	if err != nil {
		return f.missing(err)
	}
	defer o.Close()
	h := sha256.New()
	r := io.TeeReader(o, h)
	var buf []byte
	for _, fr := range b.Frames {
		m := &member{frame: fr}
		f.members = append(f.members, m)
		if fr.Bytes < framekm.MinFrame || fr.Bytes > framekm.MaxFrame {
			m.why = survey.ReasonCorrupt
			if _, err := io.CopyN(io.Discard, r, fr.Bytes); err != nil {
				return fmt.Errorf("read %q: %w", f.path, err)
			}
			continue
		}
		if int64(cap(buf)) < fr.Bytes {
			buf = make([]byte, framekm.MaxFrame)
		}
		body := buf[:fr.Bytes]
		if _, err := io.ReadFull(r, body); err != nil {
			return fmt.Errorf("read %q: %w", f.path, err)
		}
		var one file
		if !exif.Is(body) {
			m.why = survey.ReasonCorrupt
			continue
		}
		if one.readImage(cfg, body); one.verdict != nil {
			m.why = one.verdict.Reason
			continue
		}
		m.meta, m.sha = one.meta, survey.HashOf(body)
		m.object = store.OriginalKey(u.contributor, m.sha)
	}
	if survey.Hash(h.Sum(nil)) != f.sha {
		f.reject(survey.ReasonHashMismatch, map[string]any{"announced": f.bytes, "stored": f.bytes}, "")
		f.members = nil
	}
	return nil
}

// bundles makes shots of the frames of bundles, placed by their metadata under the same gate as a track's fixes.
func (u upload) bundles(cfg Config, fs []*file) []*shot {
	var out []*shot
	for _, f := range fs {
		for _, m := range f.members {
			fix := m.frame.Fix
			why := m.why
			switch {
			case why != "":
			case m.down:
				why = survey.ReasonRemoved
			case m.taken:
				why = survey.ReasonDuplicate
			case !fix.Point.Valid():
				why = survey.ReasonNoPosition
			case fix.Point.IsNull():
				why = survey.ReasonNullIsland
			case fix.Time.IsZero():
				why = survey.ReasonNoTime
			default:
				if kept, _ := trace.Clean(survey.Trace{fix}, cfg.Gate); len(kept) == 0 {
					why = survey.ReasonBadFix
				}
			}
			if why != "" {
				f.lose(why)
				continue
			}
			s := &shot{f: f, fix: fix, pts: state.OfBundle, member: m}
			s.fix.Accuracy = trace.Accuracy(fix.Accuracy, fix.HDOP)
			out = append(out, s)
		}
	}
	return out
}
