package api

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/tiles/archive"
)

// manifestLimit bounds the manifest: some thousand archives with tombstones.
const manifestLimit = 64 << 20

// loadTimeout bounds a read from the bucket that several requests wait for; it does not end with any one of them.
const loadTimeout = 20 * time.Second

// tileStore is the current tiles: a view that is replaced when the manifest changes, and caches that outlive it,
// because an archive's bytes never change.
type tileStore struct {
	store  *store.Store
	age    time.Duration
	now    func() time.Time
	view   atomic.Pointer[view]
	mu     sync.Mutex // one look at the manifest at a time
	tiles  *otter.Cache[place, *tile]
	leaves *otter.Cache[place, []archive.Entry]
	files  map[string]*file // by key; under mu
	ground *layer           // the basemap; nil without one
	serial uint32

	reading func(key string) // tests hear of each range that is read from the bucket
}

// view is the manifest at one moment, opened.
type view struct {
	looked   time.Time
	etag     string
	manifest archive.Manifest
	layers   map[string]*layer
}

type layer struct {
	name string
	set  archive.Tileset
	arch *archive.Set
	file []*file

	attribution string // when it is not the map's own
}

// place is where bytes are: the archive, by a number of this process, and an offset.
type place struct {
	file uint32
	off  uint64
}

// tile is a stored tile with the headers that go with it, made once.
type tile struct {
	body           []byte
	etag, identity []string // header values: of the stored form, of the decompressed one
	length         []string
}

func newTileStore(d Deps) *tileStore {
	return &tileStore{
		store: d.Store, age: d.ManifestAge, now: d.Clock, files: map[string]*file{},
		tiles: otter.Must(&otter.Options[place, *tile]{
			MaximumWeight: uint64(d.TileCache), Weigher: func(_ place, t *tile) uint32 { return uint32(len(t.body) + 256) },
		}),
		leaves: otter.Must(&otter.Options[place, []archive.Entry]{
			MaximumWeight: uint64(max(d.TileCache/8, 1<<20)), Weigher: func(_ place, es []archive.Entry) uint32 { return uint32(24*len(es) + 64) },
		}),
	}
}

// openGround reads the basemap's file into a layer. It is small (a city takes a few MB) and never changes while the
// server runs, so it is kept whole.
func (t *tileStore) openGround(ctx context.Context, path string) (*layer, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, survey.Errorf(survey.NotFound, "basemap: %w", err)
	}
	if len(b) > groundLimit {
		return nil, survey.Errorf(survey.Unsupported, "basemap %s has %d bytes, limit %d", path, len(b), groundLimit).WithHint("make it of a smaller extract")
	}
	sum := survey.HashOf(b)
	r, err := archive.Open(ctx, archive.At(bytes.NewReader(b)), nil)
	if err != nil {
		return nil, fmt.Errorf("basemap %s: %w", path, err)
	}
	var meta struct {
		Attribution  string                `json:"attribution"`
		VectorLayers []archive.VectorLayer `json:"vector_layers"`
	}
	raw, err := r.Metadata(ctx)
	if err == nil {
		err = json.Unmarshal(raw, &meta)
	}
	if err != nil {
		return nil, fmt.Errorf("basemap %s: %w", path, err)
	}
	h := r.Header()
	set := archive.Tileset{Version: sum.String()[:16], Type: h.Type, MinZoom: h.MinZoom, MaxZoom: h.MaxZoom, Bounds: h.Bounds, VectorLayers: meta.VectorLayers,
		Archives: []archive.Ref{{Key: "basemap", SHA256: sum, Bytes: int64(len(b))}}}
	t.serial++
	f := &file{t: t, ref: set.Archives[0], serial: t.serial, whole: b}
	l := &layer{name: groundName, set: set, file: []*file{f}, attribution: meta.Attribution}
	l.arch, err = archive.OpenSet(ctx, set, func(archive.Ref) archive.Source { return f }, nil)
	return l, err
}

const (
	groundName  = "basemap"
	groundLimit = 1 << 30
)

// file is an archive in the bucket. It is an archive.Source and an archive.LeafCache.
type file struct {
	t      *tileStore
	ref    archive.Ref
	serial uint32
	mu     sync.Mutex
	head   []byte // the first range, which every opening asks for
	whole  []byte // the archive itself, when it is not in the bucket
}

const headBytes = 16 << 10

func (f *file) ReadRange(ctx context.Context, off, n int64) ([]byte, error) {
	if off == 0 && n <= headBytes {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.head == nil {
			b, err := f.read(ctx, 0, min(headBytes, f.ref.Bytes))
			if err != nil {
				return nil, err
			}
			f.head = b
		}
		return f.head[:min(n, int64(len(f.head)))], nil
	}
	return f.read(ctx, off, n)
}

func (f *file) read(ctx context.Context, off, n int64) ([]byte, error) {
	if f.whole != nil {
		return archive.At(bytes.NewReader(f.whole)).ReadRange(ctx, off, n)
	}
	if f.t.reading != nil {
		f.t.reading(f.ref.Key)
	}
	b, err := f.t.store.Range(ctx, store.Public, f.ref.Key, off, n, f.ref.ETag)
	if err != nil {
		return nil, fmt.Errorf("tile archive %s: %w", f.ref.Key, err)
	}
	return b, nil
}

func (f *file) Leaf(ctx context.Context, off uint64, load func(context.Context) ([]archive.Entry, error)) ([]archive.Entry, error) {
	return f.t.leaves.Get(ctx, place{f.serial, off}, otter.LoaderFunc[place, []archive.Entry](func(ctx context.Context, _ place) ([]archive.Entry, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		return load(ctx)
	}))
}

// within is the view, at most age old when the store answers. A stale one is served while another request looks, and
// when the store does not answer.
func (t *tileStore) within(ctx context.Context, age time.Duration) (*view, error) {
	v := t.view.Load()
	if v != nil && t.now().Sub(v.looked) < age {
		return v, nil
	}
	if v != nil {
		if !t.mu.TryLock() {
			return v, nil
		}
	} else {
		t.mu.Lock()
	}
	defer t.mu.Unlock()
	if w := t.view.Load(); w != v { // another request was faster
		return w, nil
	}
	return t.look(ctx, v)
}

func (t *tileStore) current(ctx context.Context) (*view, error) { return t.within(ctx, t.age) }

func (t *tileStore) look(ctx context.Context, v *view) (*view, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
	defer cancel()
	now := t.now()
	keep := func(err error) (*view, error) {
		if v == nil {
			return nil, err
		}
		w := *v
		w.looked = now
		t.view.Store(&w)
		return &w, nil
	}
	if v != nil && v.etag != "" {
		st, err := t.store.Stat(ctx, store.Public, store.TileManifestKey)
		if err != nil || st.ETag == v.etag {
			return keep(err)
		}
	}
	body, st, err := t.store.Get(ctx, store.Public, store.TileManifestKey, manifestLimit)
	w := &view{looked: now, etag: st.ETag, layers: map[string]*layer{}}
	if t.ground != nil {
		w.layers[groundName] = t.ground
	}
	switch {
	case survey.KindOf(err) == survey.NotFound && v == nil: // nothing was built yet
		t.view.Store(w)
		return w, nil
	case err != nil:
		return keep(err)
	}
	if w.manifest, err = archive.DecodeManifest(body); err != nil {
		return keep(err)
	}
	files := map[string]*file{}
	for name, ts := range w.manifest.Layers {
		if v != nil && v.layers[name] != nil && v.layers[name].set.Version == ts.Version {
			w.layers[name] = v.layers[name]
			for _, f := range w.layers[name].file {
				files[f.ref.Key] = f
			}
			continue
		}
		l := &layer{name: name, set: ts}
		open := func(ref archive.Ref) archive.Source {
			f := t.files[ref.Key]
			if f == nil {
				t.serial++
				f = &file{t: t, ref: ref, serial: t.serial}
			}
			files[ref.Key] = f
			l.file = append(l.file, f)
			return f
		}
		l.arch, err = archive.OpenSet(ctx, ts, open, func(ref archive.Ref) archive.LeafCache { return files[ref.Key] })
		if err != nil {
			return keep(fmt.Errorf("layer %s: %w", name, err))
		}
		w.layers[name] = l
	}
	t.files = files
	t.view.Store(w)
	return w, nil
}

// get is the tile's stored form; nil when it is empty.
func (t *tileStore) get(ctx context.Context, l *layer, id uint64) (*tile, error) {
	i, off, n, ok, err := l.arch.Locate(ctx, id)
	if !ok || err != nil {
		return nil, err
	}
	f := l.file[i]
	key := place{f.serial, uint64(off)}
	if e, ok := t.tiles.GetIfPresent(key); ok {
		return e, nil
	}
	return t.tiles.Get(ctx, key, otter.LoaderFunc[place, *tile](func(ctx context.Context, _ place) (*tile, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		b, err := f.read(ctx, off, n)
		if err == nil && int64(len(b)) != n {
			err = survey.Errorf(survey.Unavailable, "tile archive %s is cut short", f.ref.Key)
		}
		if err != nil {
			return nil, err
		}
		h := survey.HashOf(b)
		tag := hex.EncodeToString(h[:12])
		return &tile{body: b, etag: []string{`"` + tag + `"`}, identity: []string{`"` + tag + `-identity"`}, length: []string{strconv.Itoa(len(b))}}, nil
	}))
}

// gone reports whether a read failed because an archive was swept after the view was made.
func gone(err error) bool {
	return survey.KindOf(err) == survey.NotFound || errors.Is(err, store.ErrExists)
}
