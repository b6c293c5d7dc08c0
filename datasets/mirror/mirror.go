// Package mirror keeps the current snapshot's files in a local folder, for an engine that reads only files.
//
// Every file is checked against its SHA-256 before it is seen; a snapshot becomes visible when all of its files are
// there, by the rename of snapshot.json. A file that is not what the manifest says leaves the earlier snapshot in place.
package mirror

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/roadcomb/roadcomb/datasets/snapshot"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Mirror copies snapshots into Dir. One process has one Mirror on a folder.
type Mirror struct {
	Store *store.Store
	Dir   string
	Log   *slog.Logger
	// Local gives the path of an object that is a file of this machine already; such a file is linked, not copied. Nil, or
	// "" as the answer: none is.
	Local func(key string) string
	// Keep is how long files stay that the snapshot names no more, for queries that began on them; 0 means 15 minutes.
	Keep time.Duration

	mu      sync.Mutex
	head    string
	dropped map[string]time.Time // files that are named no more, since when
}

// Sync brings the folder up to date and reports whether the snapshot changed. Before the first export there is nothing
// to copy, which is no error.
func (m *Mirror) Sync(ctx context.Context) (changed bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := os.MkdirAll(m.Dir, 0o700); err != nil {
		return false, survey.Errorf(survey.Unavailable, "folder of datasets: %w", err)
	}
	snap, body, err := snapshot.Current(ctx, m.Store)
	if survey.KindOf(err) == survey.NotFound {
		return false, nil
	} else if err != nil {
		return false, err
	}
	id := survey.HashOf(body).String()
	if id == m.head {
		return false, m.sweep(nil)
	}
	named := map[string]bool{}
	for _, d := range snap.Datasets {
		for _, f := range d.Files {
			named[f.Path] = true
			if err := m.fetch(ctx, f); err != nil {
				return false, fmt.Errorf("dataset file %s: %w", f.Path, err)
			}
		}
	}
	tmp := filepath.Join(m.Dir, "."+snapshot.FileName)
	if err := os.WriteFile(tmp, body, 0o600); err != nil {
		return false, survey.Errorf(survey.Unavailable, "folder of datasets: %w", err).WithHint("check the free space of the disk")
	}
	if err := os.Rename(tmp, filepath.Join(m.Dir, snapshot.FileName)); err != nil {
		return false, err
	}
	m.head = id
	return true, m.sweep(named)
}

// fetch brings one file, unless it is there. A file that is there was checked when it came, and has its size still.
func (m *Mirror) fetch(ctx context.Context, f snapshot.File) error {
	path := filepath.Join(m.Dir, filepath.FromSlash(f.Path))
	if !filepath.IsLocal(filepath.FromSlash(f.Path)) || !strings.HasSuffix(f.Path, ".parquet") {
		return survey.Errorf(survey.Invalid, "the manifest names a file outside the datasets")
	}
	if st, err := os.Stat(path); err == nil && st.Size() == f.Bytes {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return survey.Errorf(survey.Unavailable, "%w", err)
	}
	if m.Local != nil {
		if local := m.Local(f.Path); local != "" {
			if sum, n, err := hashFile(local); err == nil && sum == f.SHA256 && n == f.Bytes && os.Link(local, path) == nil {
				return nil
			}
		}
	}
	o, _, err := m.Store.Open(ctx, store.Lake, f.Path)
	if err != nil {
		return err
	}
	defer o.Close()
	tmp, err := os.CreateTemp(filepath.Dir(path), ".part-*")
	if err != nil {
		return survey.Errorf(survey.Unavailable, "%w", err)
	}
	defer os.Remove(tmp.Name())
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(tmp, sum), o)
	if err = errors.Join(err, tmp.Close()); err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			return survey.Errorf(survey.Unavailable, "%w", err).WithHint("check the free space of the disk")
		}
		return err
	}
	if n != f.Bytes || survey.Hash(sum.Sum(nil)) != f.SHA256 {
		return survey.Errorf(survey.Invalid, "the object in the bucket has %d bytes with another hash than the manifest's %d bytes %s", n, f.Bytes, f.SHA256).
			WithHint("restore the object from a backup, or have the partition exported again; until then the earlier snapshot is served")
	}
	if err := os.Chmod(tmp.Name(), 0o400); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

func hashFile(path string) (h survey.Hash, n int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return h, 0, err
	}
	defer f.Close()
	sum := sha256.New()
	n, err = io.Copy(sum, f)
	return survey.Hash(sum.Sum(nil)), n, err
}

// sweep removes the files that have not been named for a while; named is nil when the snapshot is the same as before.
func (m *Mirror) sweep(named map[string]bool) error {
	keep := m.Keep
	if keep <= 0 {
		keep = 15 * time.Minute
	}
	now := time.Now()
	if named != nil {
		was := m.dropped
		m.dropped = map[string]time.Time{}
		err := filepath.WalkDir(m.Dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".parquet") {
				return err
			}
			rel, err := filepath.Rel(m.Dir, path)
			if err != nil {
				return err
			}
			if key := filepath.ToSlash(rel); !named[key] {
				at, ok := was[key]
				if !ok {
					at = now
				}
				m.dropped[key] = at
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for key, at := range m.dropped {
		if now.Sub(at) > keep {
			if err := os.Remove(filepath.Join(m.Dir, filepath.FromSlash(key))); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			delete(m.dropped, key)
		}
	}
	return nil
}

// Snapshot is the manifest in the folder; NotFound before the first.
func (m *Mirror) Snapshot() (snapshot.Snapshot, error) {
	s, _, _, err := snapshot.Load(m.Dir)
	if survey.KindOf(err) == survey.NotFound {
		err = survey.Errorf(survey.NotFound, "there is no snapshot of the datasets yet").WithHint("one is made after the first drive is published")
	}
	return s, err
}

// Run syncs every interval until ctx ends; what fails is logged once until it succeeds or fails otherwise.
func (m *Mirror) Run(ctx context.Context, every time.Duration) error {
	last := ""
	for {
		if _, err := m.Sync(ctx); err != nil && ctx.Err() == nil {
			if msg := err.Error(); msg != last {
				last = msg
				m.Log.Error("the datasets for queries are not up to date", "err", err)
			}
		} else {
			last = ""
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(every):
		}
	}
}
