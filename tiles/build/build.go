package build

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sync"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/tiles/archive"
	"github.com/roadcomb/roadcomb/tiles/mvt"
)

const extentBits = 12 // mvt.Extent is 2^12

// MaxZoom is the deepest zoom that can be built: a tile unit is then one unit of the world square.
const MaxZoom = worldBits - extentBits

// Layer is a list of features shown over a range of zooms. Layers of one name must have disjoint ranges: so a layer
// shows other features at other zooms.
type Layer struct {
	Name             string
	MinZoom, MaxZoom int
	Features         *Features // of this layer alone
	// Buffer is how far beyond its edge a tile holds lines and polygons, in tile units; 0 means DefaultBuffer, negative
	// none. Points are in exactly one tile of a zoom: renderers draw circles past tile edges.
	Buffer int
	// Whole keeps polygons uncut in every tile that they touch, buffer included: right for hexes, which have no seams
	// then.
	Whole bool
	// Tolerance of simplification in tile units below MaxZoom; 0 means DefaultTolerance, negative none. At MaxZoom
	// nothing that moves a line by half a unit or more is left out.
	Tolerance float64
	// MaxFeatures and MaxBytes bound the layer in one tile (bytes before compression); 0 means no bound. Over it the
	// features of highest rank are kept, the later of equals, and the others counted.
	MaxFeatures, MaxBytes int
}

// Defaults of Layer.
const (
	DefaultBuffer    = 64
	DefaultTolerance = 4 // half a pixel of a 512-pixel tile
)

func (l Layer) buffer() int64 {
	switch {
	case l.Buffer < 0:
		return 0
	case l.Buffer == 0:
		return DefaultBuffer
	}
	return int64(l.Buffer)
}

func (l Layer) tolerance() float64 {
	switch {
	case l.Tolerance < 0:
		return 0
	case l.Tolerance == 0:
		return DefaultTolerance
	}
	return l.Tolerance
}

// Options of a build. The zero value builds all tiles on all cores.
type Options struct {
	Workers int // 0 means one per core
	// Only restricts the build to these tiles.
	Only *TileSet
	// Raster makes pictures instead of vector tiles.
	Raster *Raster
}

// Drop says how many features of a layer a tile's budget left out.
type Drop struct {
	Layer    string `json:"layer"`
	Tile     uint64 `json:"tile"`
	Features int    `json:"features"`
}

// Stats says what was built.
type Stats struct {
	Tiles    int
	Features map[string][]int // of each layer, by zoom, as written (a feature counts once for each tile)
	Drops    []Drop           // by layer and tile
}

// Tiles builds the tiles of the layers, in this order within a tile, and gives each tile that is not empty to emit, as it
// is stored: vector tiles gzip-compressed, pictures as PNG. emit is called from several goroutines at once, in no order, and must not keep the bytes.
func Tiles(ctx context.Context, layers []Layer, opts Options, emit func(id uint64, gz []byte) error) (Stats, error) {
	for i, l := range layers {
		if l.Name == "" || l.MinZoom < 0 || l.MaxZoom > MaxZoom || l.MinZoom > l.MaxZoom {
			return Stats{}, survey.Errorf(survey.Invalid, "layer %q has zooms %d–%d", l.Name, l.MinZoom, l.MaxZoom)
		}
		for _, o := range layers[:i] {
			if o.Name == l.Name && o.MinZoom <= l.MaxZoom && l.MinZoom <= o.MaxZoom {
				return Stats{}, survey.Errorf(survey.Invalid, "two layers %q share zooms", l.Name)
			}
		}
		if err := l.Features.check(); err != nil {
			return Stats{}, err
		}
	}
	workers := opts.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	b := &builder{layers: layers, only: opts.Only, raster: opts.Raster, emit: emit}
	b.cond.L = &b.mu
	var wg sync.WaitGroup
	for i := range layers {
		b.prepare(&layers[i], workers)
		b.maxZoom = max(b.maxZoom, layers[i].MaxZoom)
	}
	root := &node{items: make([][]item, len(layers))}
	for i, l := range layers {
		its := make([]item, l.Features.Len())
		for f := range its {
			its[f].f = uint32(f)
		}
		root.items[i] = its
	}
	b.push(task{root, true})
	stop := context.AfterFunc(ctx, func() { b.fail(ctx.Err()) })
	defer stop()
	for range workers {
		wg.Go(func() { (&worker{b: b, stats: Stats{Features: map[string][]int{}}}).run() })
	}
	wg.Wait()
	SortDrops(b.stats.Drops)
	return b.stats, b.err
}

// SortDrops orders drops by layer and tile.
func SortDrops(ds []Drop) {
	slices.SortFunc(ds, func(a, b Drop) int {
		return cmp.Or(cmp.Compare(a.Layer, b.Layer), cmp.Compare(a.Tile, b.Tile))
	})
}

// prepare computes which vertices matter from which zoom.
func (b *builder) prepare(l *Layer, workers int) {
	f := l.Features
	if len(f.keep) == len(f.xy) {
		return
	}
	f.keep = make([]uint8, len(f.xy))
	n := f.Len()
	step := max(1, (n+workers-1)/workers)
	var wg sync.WaitGroup
	for from := 0; from < n; from += step {
		wg.Go(func() {
			var stack [][2]int32
			for i := from; i < min(from+step, n); i++ {
				if f.kind[i] == Point {
					continue
				}
				for p := f.parts[i]; p < f.parts[i+1]; p++ {
					a, z := f.verts[p], f.verts[p+1]
					if l.Whole && f.kind[i] == Polygon || l.tolerance() == 0 {
						continue
					}
					stack = importance(f.xy[a:z], f.keep[a:z], f.kind[i] == Polygon, l.tolerance(), l.MaxZoom, stack)
				}
			}
		})
	}
	wg.Wait()
}

// item is a feature in a tile: whole, or cut.
type item struct {
	f uint32
	s *shape // nil when whole
}

// node is a tile and what it holds of each layer.
type node struct {
	z, x, y int
	items   [][]item
}

// task is a node to cut into its children, or to encode.
type task struct {
	n     *node
	split bool
}

type builder struct {
	layers  []Layer
	only    *TileSet
	raster  *Raster
	maxZoom int
	emit    func(uint64, []byte) error

	mu      sync.Mutex
	cond    sync.Cond
	tasks   []task
	running int
	err     error
	stats   Stats
}

func (b *builder) push(ts ...task) {
	b.mu.Lock()
	b.tasks = append(b.tasks, ts...)
	b.mu.Unlock()
	b.cond.Broadcast()
}

func (b *builder) fail(err error) {
	b.mu.Lock()
	if b.err == nil {
		b.err = err
	}
	b.tasks = nil
	b.mu.Unlock()
	b.cond.Broadcast()
}

// next waits for a task; ok is false when the build is over.
func (b *builder) next() (task, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.tasks) == 0 && b.running > 0 && b.err == nil {
		b.cond.Wait()
	}
	if len(b.tasks) == 0 || b.err != nil {
		return task{}, false
	}
	t := b.tasks[len(b.tasks)-1]
	b.tasks = b.tasks[:len(b.tasks)-1]
	b.running++
	return t, true
}

func (b *builder) done() {
	b.mu.Lock()
	b.running--
	over := b.running == 0 && len(b.tasks) == 0
	b.mu.Unlock()
	if over {
		b.cond.Broadcast()
	}
}

type worker struct {
	b      *builder
	enc    mvt.Encoder
	clip   clipper
	coords []mvt.Coord
	gz     []byte
	order  []uint32
	png    pngBuffer
	stats  Stats
}

func (w *worker) run() {
	for {
		t, ok := w.b.next()
		if !ok {
			break
		}
		if t.split {
			w.split(t.n)
		} else if err := w.encode(t.n); err != nil {
			w.b.fail(err)
		}
		w.b.done()
	}
	b := w.b
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stats.Tiles += w.stats.Tiles
	b.stats.Drops = append(b.stats.Drops, w.stats.Drops...)
	if b.stats.Features == nil {
		b.stats.Features = map[string][]int{}
	}
	for name, counts := range w.stats.Features {
		all := grown(b.stats.Features[name], len(counts))
		for z, n := range counts {
			all[z] += n
		}
		b.stats.Features[name] = all
	}
}

func grown(s []int, n int) []int {
	if len(s) < n {
		s = append(s, make([]int, n-len(s))...)
	}
	return s
}

// split hands the node to be encoded, and its children to be split: those come first, so that there is work for every
// core while the large tiles of low zooms are encoded.
func (w *worker) split(n *node) {
	b := w.b
	ts := make([]task, 0, 5)
	show := b.only == nil || b.only.Has(archive.ID(n.z, n.x, n.y))
	if show {
		ts = append(ts, task{n, false})
	}
	if n.z < b.maxZoom {
		for k := range 4 {
			c := &node{z: n.z + 1, x: 2*n.x + k&1, y: 2*n.y + k>>1}
			if b.only != nil && !b.only.leads(archive.ID(c.z, c.x, c.y)) {
				continue
			}
			any := false
			c.items = make([][]item, len(b.layers))
			for i := range b.layers {
				if l := &b.layers[i]; l.MaxZoom >= c.z {
					c.items[i] = w.child(l, n.items[i], c)
					any = any || len(c.items[i]) > 0
				}
			}
			if any {
				ts = append(ts, task{c, true})
			}
		}
	}
	b.push(ts...)
}

// bounds is a tile's box with a buffer in tile units, inclusive.
func bounds(z, x, y int, buffer int64) box {
	side := int64(1) << (worldBits - z)
	pad := buffer << (worldBits - extentBits) >> z
	b := box{int64(x)*side - pad, int64(y)*side - pad, int64(x+1)*side - 1 + pad, int64(y+1)*side - 1 + pad}
	if buffer == 0 {
		return b
	}
	return box{b.x0, b.y0, b.x1 + 1, b.y1 + 1}
}

// child gives the items that touch a child.
func (w *worker) child(l *Layer, from []item, c *node) []item {
	f := l.Features
	exact, padded := bounds(c.z, c.x, c.y, 0), bounds(c.z, c.x, c.y, l.buffer())
	// Edges outside the world cannot be written, and need not be: nothing lies there.
	padded = box{max(padded.x0, 0), max(padded.y0, 0), min(padded.x1, 1<<worldBits-1), min(padded.y1, 1<<worldBits-1)}
	out := make([]item, 0, len(from)/3+4)
	for _, it := range from {
		kind, bx := f.kind[it.f], f.box[it.f]
		if it.s != nil {
			bx = it.s.box
		}
		in := padded
		if kind == Point {
			in = exact
		}
		if !bx.touches(in) {
			continue
		}
		if bx.within(in) {
			out = append(out, it)
			continue
		}
		s := it.s
		if s == nil {
			s = f.shape(it.f)
		}
		cut := w.clip.clip(s, kind, in, l.Whole)
		switch {
		case cut == nil:
		case cut == s: // whole
			out = append(out, it)
		default:
			out = append(out, item{it.f, cut})
		}
	}
	return out
}

// shape is the feature's geometry, without copying the vertices.
func (f *Features) shape(i uint32) *shape {
	p0, p1 := f.parts[i], f.parts[i+1]
	v0, v1 := f.verts[p0], f.verts[p1]
	s := &shape{box: f.box[i], xy: f.xy[v0:v1], keep: f.keep[v0:v1], hole: f.hole[p0:p1]}
	s.verts = make([]uint32, p1-p0+1)
	for k := range s.verts {
		s.verts[k] = f.verts[p0+uint32(k)] - v0
	}
	return s
}

func (w *worker) encode(n *node) error {
	if r := w.b.raster; r != nil {
		b, err := w.paint(n, r)
		if err != nil || b == nil {
			return err
		}
		w.stats.Tiles++
		return w.b.emit(archive.ID(n.z, n.x, n.y), b)
	}
	e := &w.enc
	e.Reset()
	id := archive.ID(n.z, n.x, n.y)
	for i := range w.b.layers {
		l := &w.b.layers[i]
		if n.z < l.MinZoom || n.z > l.MaxZoom || len(n.items[i]) == 0 {
			continue
		}
		items := n.items[i]
		dropped := 0
		if l.MaxFeatures > 0 && len(items) > l.MaxFeatures {
			items, dropped = w.best(l.Features, items, l.MaxFeatures)
		}
		w.layer(l, n, items)
		// The bytes of a selection are known only once it is encoded; the share that fits is a good guess of what does.
		for l.MaxBytes > 0 && e.Size() > l.MaxBytes && len(items) > 1 {
			fit := max(1, min(len(items)-1, int(int64(len(items))*int64(l.MaxBytes)*19/20/int64(e.Size()))))
			var more int
			items, more = w.best(l.Features, items, fit)
			dropped += more
			w.layer(l, n, items)
		}
		counts := grown(w.stats.Features[l.Name], n.z+1)
		counts[n.z] += e.Features()
		w.stats.Features[l.Name] = counts
		if dropped > 0 {
			w.stats.Drops = append(w.stats.Drops, Drop{l.Name, id, dropped})
		}
		e.EndLayer()
	}
	if len(e.Tile()) == 0 {
		return nil
	}
	w.stats.Tiles++
	var err error
	if w.gz, err = archive.Gzip(w.gz[:0], e.Tile()); err != nil {
		return err
	}
	return w.b.emit(id, w.gz)
}

// best keeps the n items of highest rank, the later of equals, in their order.
func (w *worker) best(f *Features, items []item, n int) ([]item, int) {
	w.order = w.order[:0]
	for i := range items {
		w.order = append(w.order, uint32(i))
	}
	slices.SortFunc(w.order, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(f.rank[items[b].f], f.rank[items[a].f]), cmp.Compare(b, a))
	})
	keep := w.order[:n]
	slices.Sort(keep)
	out := make([]item, n)
	for i, k := range keep {
		out[i] = items[k]
	}
	return out, len(items) - n
}

func (w *worker) layer(l *Layer, n *node, items []item) {
	f, e := l.Features, &w.enc
	e.StartLayer(l.Name, mvt.Extent, f.Keys, f.Dict)
	shift := uint(worldBits - extentBits - n.z)
	half := int64(1) << shift >> 1
	ox, oy := int64(n.x)<<(worldBits-n.z)-half, int64(n.y)<<(worldBits-n.z)-half
	local := func(p XY) mvt.Coord {
		return mvt.Coord{X: int32((int64(p.X) - ox) >> shift), Y: int32((int64(p.Y) - oy) >> shift)}
	}
	zoom := uint8(n.z)
	for _, it := range items {
		kind, bx := f.kind[it.f], f.box[it.f]
		var s shape
		if it.s != nil {
			s = *it.s
			bx = s.box
		}
		if kind != Point && (bx.x0-ox)>>shift == (bx.x1-ox)>>shift && (bx.y0-oy)>>shift == (bx.y1-oy)>>shift {
			continue // collapsed to a point
		}
		parts := len(s.hole)
		p0 := uint32(0)
		if it.s == nil {
			p0 = f.parts[it.f]
			parts = int(f.parts[it.f+1] - p0)
			s.xy, s.keep, s.verts, s.hole = f.xy, f.keep, f.verts[p0:], f.hole[p0:]
		}
		for p := range parts {
			xy, keep := s.part(p)
			cs := w.coords[:0]
			for i, v := range xy {
				if keep[i] <= zoom {
					cs = append(cs, local(v))
				}
			}
			w.coords = cs
			switch kind {
			case Point:
				// Rounding may carry a point over the edge, where renderers take it for another tile's.
				for i := range cs {
					cs[i].X, cs[i].Y = min(cs[i].X, mvt.Extent-1), min(cs[i].Y, mvt.Extent-1)
				}
				e.Point(cs...)
			case Line:
				e.Line(cs)
			case Polygon:
				e.Ring(cs, s.hole[p])
			}
		}
		if e.Empty() {
			e.EndFeature(0)
			continue
		}
		for _, t := range f.tags[f.ends[it.f]:f.ends[it.f+1]] {
			e.Tag(int(t.Key), t.Value)
		}
		e.EndFeature(f.id[it.f])
	}
}
