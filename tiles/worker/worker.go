// Package worker keeps the published tiles equal to the state: it takes what changed off the feed, rebuilds the tiles
// that held or will hold it, writes them as an immutable archive, and swaps the manifest.
//
// Order makes it safe to stop anywhere: archives first, then the manifest by conditional PUT, then the transaction that
// takes the changes off the feed. Whatever is repeated gives the same bytes and therefore the same objects. The tiles
// hold no contributor, device or upload, and the package reads no such table.
package worker

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/roadcomb/roadcomb/pkg/hex/cells"
	"github.com/roadcomb/roadcomb/pkg/hex/freshness"
	"github.com/roadcomb/roadcomb/pkg/hex/roadstate"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/tiles/archive"
	"github.com/roadcomb/roadcomb/tiles/build"
	"github.com/roadcomb/roadcomb/tiles/purge"
	"github.com/roadcomb/roadcomb/tiles/schema"
)

const consumer = "tiles"

// Config of the tiles. The zero value works.
type Config struct {
	// AsOf is the instant of freshness and ages; zero means the start of the clock's UTC day, so that coverage is
	// rebuilt whole once a day and by changes in between.
	AsOf time.Time
	// Freshness parameters; nil means freshness.Current.
	Freshness *freshness.Params
	// MaxDeltas is how many deltas a layer may have before they are folded; 0 means 8.
	MaxDeltas int
	// MaxFeatures and MaxBytes (before compression) bound drives and frames in one tile; 0 means 50,000 and 4 MiB. Over
	// them the newest and best are kept and the rest counted in the archive's metadata.
	MaxFeatures, MaxBytes int
	// Workers is how many cores a build uses; 0 means all.
	Workers int
}

// Worker rebuilds and publishes tiles. Runs may overlap, also in several processes: one of them wins the manifest and
// the others start over.
//
// What a cache in front of the map is to drop is put down before the manifest is swapped and sent after it.
type Worker struct {
	DB     *state.DB
	Store  *store.Store
	Log    *slog.Logger     // nil is silent
	Clock  func() time.Time // nil means time.Now
	Purge  *purge.Hook      // told what a cache is to drop; nil when there is none
	Config Config

	fault func(point string) error // tests stop a run here
}

// Result says what a run published.
type Result struct {
	Changes int                  // taken off the feed
	Layers  map[string]Published // of each layer whose tiles changed
	Version int64                // of the manifest in force
}

// Published is what changed of one layer.
type Published struct {
	Full    bool // rebuilt from nothing
	Dirty   int  // tiles built
	Changed int  // tiles written, because their bytes differ
	Gone    int  // tiles that became empty
	Bytes   int64
	Folded  bool
}

// Run brings the tiles up to date with the state, rebuilding no more tiles than changed.
func (w *Worker) Run(ctx context.Context) error {
	_, err := w.Update(ctx)
	return err
}

// Update is Run with a report.
func (w *Worker) Update(ctx context.Context) (Result, error) { return w.attempt(ctx, false) }

// Rebuild builds every tile from the state and publishes one archive per layer, whose bytes depend on the state, the
// plan and the instant alone.
func (w *Worker) Rebuild(ctx context.Context) (Result, error) { return w.attempt(ctx, true) }

func (w *Worker) attempt(ctx context.Context, full bool) (Result, error) {
	for try := 0; ; try++ {
		r, err := w.once(ctx, full)
		if try == 5 || !errors.Is(err, store.ErrExists) && !errors.Is(err, errOvertaken) {
			return r, err
		}
	}
}

func (w *Worker) log() *slog.Logger {
	if w.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return w.Log
}

func (w *Worker) asOf() time.Time {
	if !w.Config.AsOf.IsZero() {
		return w.Config.AsOf.UTC()
	}
	return w.now().UTC().Truncate(24 * time.Hour)
}

func (w *Worker) now() time.Time {
	if w.Clock != nil {
		return w.Clock()
	}
	return time.Now()
}

func (w *Worker) at(point string) error {
	if w.fault == nil {
		return nil
	}
	return w.fault(point)
}

// Manifest reads the current manifest; before the first it is empty with no ETag.
func Manifest(ctx context.Context, s *store.Store) (archive.Manifest, string, error) {
	b, in, err := s.Get(ctx, store.Public, store.TileManifestKey, 64<<20)
	if survey.KindOf(err) == survey.NotFound && err != nil {
		return archive.Manifest{Format: archive.ManifestFormat, Layers: map[string]archive.Tileset{}}, "", nil
	}
	if err != nil {
		return archive.Manifest{}, "", err
	}
	m, err := archive.DecodeManifest(b)
	return m, in.ETag, err
}

func (w *Worker) once(ctx context.Context, full bool) (Result, error) {
	res := Result{Layers: map[string]Published{}}
	run := &run{w: w, asOf: w.asOf(), res: &res}
	if err := run.readTurn(ctx); err != nil {
		return res, fmt.Errorf("read the count of runs: %w", err)
	}
	changes, err := state.Changes(ctx, w.DB, consumer)
	if err != nil {
		return res, fmt.Errorf("read changes: %w", err)
	}
	res.Changes = len(changes)
	old, etag, err := Manifest(ctx, w.Store)
	if err != nil {
		return res, fmt.Errorf("read tile manifest: %w", err)
	}
	if run.base, err = cells.Base(ctx, w.DB); err != nil {
		return res, fmt.Errorf("read cells: %w", err)
	}
	if run.network, err = roadstate.Counted(ctx, w.DB); err != nil {
		return res, fmt.Errorf("read roads: %w", err)
	}
	if err := run.readChanges(ctx, changes); err != nil {
		return res, err
	}
	next := archive.Manifest{Format: archive.ManifestFormat, AsOf: run.asOf, Layers: map[string]archive.Tileset{}}
	for _, l := range []layer{coverage{run}, sequences{run}, images{run}, features{run}, panoramax{run}, heat{run}} {
		name := l.set().Name
		t, ok := old.Layers[name]
		if full || !ok || t.Plan != l.plan() {
			t, err = run.rebuild(ctx, l, t)
		} else {
			t, err = run.update(ctx, l, t)
		}
		if err != nil {
			return res, fmt.Errorf("tiles of %s: %w", name, err)
		}
		next.Layers[name] = t
	}
	next.Version = old.Version
	if !sameManifest(old, next) {
		next.Version++
		b, err := next.Encode()
		if err != nil {
			return res, err
		}
		for name := range res.Layers {
			run.stale = append(run.stale, purge.TileJSON(name))
		}
		if err := w.Purge.Add(ctx, next.Version, run.stale...); err != nil {
			return res, err
		}
		if err := w.at("swap"); err != nil {
			return res, err
		}
		if etag == "" {
			_, err = w.Store.Create(ctx, store.Public, store.TileManifestKey, b, "application/json")
		} else {
			_, err = w.Store.Swap(ctx, store.Public, store.TileManifestKey, b, "application/json", etag)
		}
		if err != nil {
			return res, fmt.Errorf("swap tile manifest: %w", err)
		}
	}
	res.Version = next.Version
	// Images have no version: whatever changed of a drive, a take-down among it, is in the database already.
	var images []string
	for id := range run.drive {
		images = append(images, purge.Drive(survey.DriveID(id)))
	}
	if err := w.Purge.Add(ctx, 0, images...); err != nil {
		return res, err
	}
	if err := w.at("consume"); err != nil {
		return res, err
	}
	err = w.DB.Tx(ctx, func(tx *state.Tx) error {
		if err := run.saveDrives(ctx, tx); err != nil {
			return err
		}
		return state.Consumed(ctx, tx, consumer, changes)
	})
	if err != nil {
		return res, fmt.Errorf("take changes off the feed: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(res.Layers)) {
		p := res.Layers[name]
		w.log().Info("tiles published", "layer", name, "full", p.Full, "built", p.Dirty, "changed", p.Changed, "gone", p.Gone, "bytes", p.Bytes)
	}
	// The tiles are published whether or not the cache hears of it; a job that fails here is tried again and sends the rest.
	n, err := w.Purge.Send(ctx, res.Version)
	if n > 0 {
		w.log().Info("cache told what to drop", "keys", n)
	}
	return res, err
}

func sameManifest(a, b archive.Manifest) bool {
	if !a.AsOf.Equal(b.AsOf) || len(a.Layers) != len(b.Layers) {
		return false
	}
	for name, t := range b.Layers {
		if o, ok := a.Layers[name]; !ok || o.Version != t.Version || o.Bounds != t.Bounds {
			return false
		}
	}
	return true
}

// layer is one tile set of the network.
type layer interface {
	set() schema.Set
	// plan names everything but the state that the bytes of the tiles depend on.
	plan() string
	// dirty gives the tiles that may differ because of the run's changes.
	dirty(ctx context.Context) (*build.TileSet, error)
	// layers gives the features: all, or at least those that touch the tiles of only, in the same order.
	layers(ctx context.Context, only *build.TileSet) ([]build.Layer, error)
	// raster draws pictures; nil makes vector tiles.
	raster() *build.Raster
}

// run is one attempt to bring the tiles up to date.
type run struct {
	w     *Worker
	asOf  time.Time
	res   *Result
	base  int                    // finest resolution of the cells kept, -1 when there are none
	cells []survey.Cell          // changed
	drive map[string]driveChange // changed

	features []survey.Cell // where map features came or went
	network  string        // extract whose roads are counted by cell; "" when none is
	roads    []survey.Cell // where more or less of them is driven

	stale []string // surrogate keys of tiles that change with this run

	turn      int64    // runs recorded before this one began
	allDrives []*drive // by id; nil unless all were read anew

	frames     []frame       // last read by framesIn; nil before
	framesFrom []survey.Cell // where it looked, in order
}

func (r *run) readChanges(ctx context.Context, cs []state.Change) error {
	r.drive = map[string]driveChange{}
	for _, c := range cs {
		switch c.Topic {
		case "cell":
			cell, err := survey.ParseCell(c.Key)
			if err != nil {
				return fmt.Errorf("change feed: %w", err)
			}
			r.cells = append(r.cells, cell)
		case "feature":
			cell, err := survey.ParseCell(c.Key)
			if err != nil {
				return fmt.Errorf("change feed: %w", err)
			}
			r.features = append(r.features, cell)
		case "road":
			cell, err := survey.ParseCell(c.Key)
			if err != nil {
				return fmt.Errorf("change feed: %w", err)
			}
			r.roads = append(r.roads, cell)
		case "drive":
			d, err := r.readDrive(ctx, c.Key)
			if err != nil {
				return err
			}
			r.drive[c.Key] = d
		}
	}
	return nil
}

func (r *run) rebuild(ctx context.Context, l layer, old archive.Tileset) (archive.Tileset, error) {
	layers, err := l.layers(ctx, nil)
	if err != nil {
		return archive.Tileset{}, err
	}
	aw := archive.NewWriter()
	defer aw.Close()
	st, err := build.Tiles(ctx, layers, build.Options{Workers: r.w.Config.Workers, Raster: l.raster()}, aw.Add)
	if err != nil {
		return archive.Tileset{}, err
	}
	t := tileset(l, layerBounds(layers))
	ref, err := r.publish(ctx, l, aw, t.Bounds, st.Drops)
	if err != nil {
		return archive.Tileset{}, err
	}
	t.Archives = []archive.Ref{ref}
	t.Version = archive.NewTilesetVersion(t.Plan, t.Archives)
	if t.Version != old.Version {
		r.stale = append(r.stale, purge.Layer(l.set().Name))
		r.res.Layers[l.set().Name] = Published{Full: true, Dirty: st.Tiles, Changed: st.Tiles, Bytes: ref.Bytes}
	}
	return t, nil
}

func tileset(l layer, bounds [4]float64) archive.Tileset {
	s := l.set()
	return archive.Tileset{Type: s.Type, MinZoom: s.MinZoom, MaxZoom: s.MaxZoom, Bounds: bounds,
		VectorLayers: s.VectorLayers(), Plan: l.plan()}
}

// layerBounds is the box of what is shown at the largest zoom: the coarse cells of low zooms reach far beyond the data.
func layerBounds(ls []build.Layer) (b [4]float64) {
	last := 0
	for _, l := range ls {
		last = max(last, l.MaxZoom)
	}
	for _, l := range ls {
		if l.MaxZoom == last {
			b = joinBounds(b, l.Features.Bounds())
		}
	}
	return b
}

// joinBounds is the box around both; all zero is none.
func joinBounds(a, b [4]float64) [4]float64 {
	switch [4]float64{} {
	case a:
		return b
	case b:
		return a
	}
	return [4]float64{min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])}
}

func (r *run) update(ctx context.Context, l layer, t archive.Tileset) (archive.Tileset, error) {
	dirty, err := l.dirty(ctx)
	if err != nil || dirty.Len() == 0 {
		return t, err
	}
	layers, err := l.layers(ctx, dirty)
	if err != nil {
		return t, err
	}
	built := archive.NewWriter() // holds the new bytes until they are compared
	defer built.Close()
	st, err := build.Tiles(ctx, layers, build.Options{Workers: r.w.Config.Workers, Only: dirty, Raster: l.raster()}, built.Add)
	if err != nil {
		return t, err
	}
	set, err := r.w.open(ctx, t)
	if err != nil {
		return t, err
	}
	delta := archive.NewWriter()
	defer delta.Close()
	ids := dirty.IDs()
	gone := make([]bool, len(ids))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i, id := range ids {
		g.Go(func() error {
			now, ok, err := built.Tile(id)
			if err != nil {
				return err
			}
			same, had, err := sameTile(gctx, set, id, now)
			switch {
			case err != nil || same:
				return err
			case ok:
				return delta.Add(id, now)
			}
			gone[i] = had
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return t, err
	}
	var tombstones []uint64
	for i, id := range ids {
		if gone[i] {
			tombstones = append(tombstones, id)
		}
	}
	if delta.Len() == 0 && len(tombstones) == 0 {
		return t, nil
	}
	if err := r.w.at("delta"); err != nil {
		return t, err
	}
	drops := slices.DeleteFunc(st.Drops, func(d build.Drop) bool { return !delta.Has(d.Tile) })
	bounds := layerBounds(layers)
	ref, err := r.publish(ctx, l, delta, bounds, drops)
	if err != nil {
		return t, err
	}
	ref.Tombstones = tombstones
	p := Published{Dirty: dirty.Len(), Changed: delta.Len(), Gone: len(tombstones), Bytes: ref.Bytes}
	t.Archives = append([]archive.Ref{ref}, t.Archives...)
	t.Bounds = joinBounds(t.Bounds, bounds)
	if len(t.Archives)-1 > cmp.Or(r.w.Config.MaxDeltas, 8) {
		if t.Archives, err = r.fold(ctx, l, t); err != nil {
			return t, err
		}
		p.Folded = true
	}
	t.Version = archive.NewTilesetVersion(t.Plan, t.Archives)
	for i, id := range ids {
		if gone[i] || delta.Has(id) {
			z, x, y := archive.ZXY(id)
			r.stale = append(r.stale, purge.Tile(l.set().Name, z, x, y))
		}
	}
	r.res.Layers[l.set().Name] = p
	return t, nil
}

// sameTile compares the new bytes of a tile (none: empty) with the published ones, and says whether there are any.
func sameTile(ctx context.Context, set *archive.Set, id uint64, now []byte) (same, had bool, err error) {
	_, _, n, had, err := set.Locate(ctx, id)
	if err != nil || had != (len(now) > 0) || !had {
		return err == nil && !had && len(now) == 0, had, err
	}
	if n != int64(len(now)) {
		return false, true, nil
	}
	was, _, err := set.Tile(ctx, id)
	return err == nil && string(was) == string(now), true, err
}

// open reads a published tile set.
func (w *Worker) open(ctx context.Context, t archive.Tileset) (*archive.Set, error) {
	return archive.OpenSet(ctx, t, func(r archive.Ref) archive.Source { return object{w.Store, r} },
		func(archive.Ref) archive.LeafCache { return &leaves{kept: map[uint64][]archive.Entry{}} })
}

// leaves keeps every leaf directory for as long as the set is open.
type leaves struct {
	mu   sync.Mutex
	kept map[uint64][]archive.Entry
}

func (l *leaves) Leaf(ctx context.Context, off uint64, load func(context.Context) ([]archive.Entry, error)) ([]archive.Entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if es, ok := l.kept[off]; ok {
		return es, nil
	}
	es, err := load(ctx)
	if err == nil {
		l.kept[off] = es
	}
	return es, err
}

// object is an archive in the public bucket.
type object struct {
	s   *store.Store
	ref archive.Ref
}

func (o object) ReadRange(ctx context.Context, off, n int64) ([]byte, error) {
	n = min(n, o.ref.Bytes-off)
	if n <= 0 {
		return nil, nil
	}
	return o.s.Range(ctx, store.Public, o.ref.Key, off, n, o.ref.ETag)
}

// publish writes an archive under the name of its content.
func (r *run) publish(ctx context.Context, l layer, aw *archive.Writer, bounds [4]float64, drops []build.Drop) (archive.Ref, error) {
	s := l.set()
	meta := map[string]any{
		"name": s.Name, "description": s.Doc, "format": "pbf", "type": "overlay", "version": "1",
		"roadcomb:as_of": r.asOf, "roadcomb:plan": l.plan(),
	}
	if s.Type == archive.TilePNG {
		meta["format"] = "png"
	} else {
		meta["vector_layers"] = s.VectorLayers()
	}
	if len(drops) > 0 {
		meta[dropsKey] = drops
	}
	f, err := os.CreateTemp("", "tiles-*.pmtiles")
	if err != nil {
		return archive.Ref{}, survey.Errorf(survey.Unavailable, "temporary archive: %w", err).WithHint("check the space of the temporary folder")
	}
	defer f.Close()
	os.Remove(f.Name())
	sum := sha256.New()
	h, err := aw.WriteTo(io.MultiWriter(f, sum), archive.Info{Type: s.Type, Bounds: bounds, Metadata: meta})
	if err != nil {
		return archive.Ref{}, survey.Errorf(survey.Unavailable, "write archive: %w", err).WithHint("check the space of the temporary folder")
	}
	ref := archive.Ref{SHA256: survey.Hash(sum.Sum(nil)), Tiles: int64(h.Addressed), MinZoom: h.MinZoom, MaxZoom: h.MaxZoom,
		Bytes: int64(h.DataOffset + h.DataLength)}
	ref.Key = store.TileKey(s.Name, ref.SHA256)
	in, err := r.w.Store.Stat(ctx, store.Public, ref.Key)
	switch {
	case err == nil && in.Bytes == ref.Bytes && r.w.now().Sub(in.Modified) < SweepAfter/2: // published before
	case err != nil && survey.KindOf(err) != survey.NotFound:
		return archive.Ref{}, err
	default:
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return archive.Ref{}, err
		}
		if in, err = r.w.Store.PutReader(ctx, store.Public, ref.Key, f, ref.Bytes, "application/vnd.pmtiles"); err != nil {
			return archive.Ref{}, err
		}
	}
	ref.ETag = in.ETag
	return ref, r.w.at("published")
}

const dropsKey = "roadcomb:dropped"

// dropsOf gathers what the budgets left out of the tiles that are current, from the archives that hold them.
func dropsOf(ctx context.Context, set *archive.Set, archives int, from map[uint64]int) ([]build.Drop, error) {
	var out []build.Drop
	for a := range archives {
		raw, err := set.Reader(a).Metadata(ctx)
		if err != nil {
			return nil, err
		}
		var m map[string]json.RawMessage
		if err := json.Unmarshal(raw, &m); err != nil {
			return nil, survey.Errorf(survey.Invalid, "archive metadata: %w", err)
		}
		var ds []build.Drop
		if d, ok := m[dropsKey]; ok {
			if err := json.Unmarshal(d, &ds); err != nil {
				return nil, survey.Errorf(survey.Invalid, "archive metadata: %w", err)
			}
		}
		for _, d := range ds {
			if i, ok := from[d.Tile]; ok && i == a {
				out = append(out, d)
			}
		}
	}
	build.SortDrops(out)
	return out, nil
}

// fold makes one archive of a set's many: of the deltas while they are small beside the base, of all otherwise.
func (r *run) fold(ctx context.Context, l layer, t archive.Tileset) ([]archive.Ref, error) {
	refs := t.Archives
	base := refs[len(refs)-1]
	var small int64
	for _, d := range refs[:len(refs)-1] {
		small += d.Bytes
	}
	part, rest := refs, []archive.Ref(nil)
	if small*2 < base.Bytes {
		part, rest = refs[:len(refs)-1], refs[len(refs)-1:]
	}
	set, err := r.w.open(ctx, archive.Tileset{Archives: part})
	if err != nil {
		return nil, err
	}
	aw := archive.NewWriter()
	defer aw.Close()
	from := map[uint64]int{}
	err = set.Each(ctx, func(a int, e archive.Entry) error {
		b, err := set.ReadAt(ctx, a, e)
		if err != nil {
			return err
		}
		from[e.ID] = a
		return aw.Add(e.ID, b)
	})
	if err != nil {
		return nil, err
	}
	drops, err := dropsOf(ctx, set, len(part), from)
	if err != nil {
		return nil, err
	}
	ref, err := r.publish(ctx, l, aw, t.Bounds, drops)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		for _, p := range part {
			for _, id := range p.Tombstones {
				if _, ok := from[id]; !ok {
					ref.Tombstones = append(ref.Tombstones, id)
				}
			}
		}
		slices.Sort(ref.Tombstones)
		ref.Tombstones = slices.Compact(ref.Tombstones)
	}
	return append([]archive.Ref{ref}, rest...), nil
}
