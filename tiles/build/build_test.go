package build_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/paulmach/orb"
	orbmvt "github.com/paulmach/orb/encoding/mvt"
	"github.com/paulmach/orb/maptile"
	"pgregory.net/rapid"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/tiles/archive"
	"github.com/roadcomb/roadcomb/tiles/build"
	"github.com/roadcomb/roadcomb/tiles/mvt"
)

// tilesOf builds layers and gives the stored bytes of each tile.
func tilesOf(t testing.TB, layers []build.Layer, opts build.Options) (map[uint64][]byte, build.Stats) {
	t.Helper()
	out := map[uint64][]byte{}
	var mu sync.Mutex
	st, err := build.Tiles(context.Background(), layers, opts, func(id uint64, gz []byte) error {
		mu.Lock()
		defer mu.Unlock()
		if _, dup := out[id]; dup {
			return fmt.Errorf("tile %d twice", id)
		}
		out[id] = slices.Clone(gz)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out, st
}

func decode(t fataler, gz []byte) orbmvt.Layers {
	t.Helper()
	b, err := archive.Gunzip(gz, 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	ls, err := orbmvt.Unmarshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return ls
}

// fataler is a test or a property test.
type fataler interface {
	Helper()
	Fatal(...any)
}

type feat struct {
	kind  build.Kind
	parts [][]geo.Point
	rank  int64
}

// city draws lines, points and polygons around one place, some of them large.
func city(seed uint64, n int) []feat {
	r := rand.New(rand.NewPCG(seed, 9))
	out := make([]feat, n)
	for i := range out {
		c := geo.Point{Lat: 48 + r.NormFloat64()*.05, Lon: 11 + r.NormFloat64()*.05}
		size := .002
		if r.IntN(10) == 0 {
			size = .5
		}
		f := feat{kind: build.Kind(1 + r.IntN(3)), rank: int64(r.IntN(4))}
		parts := 1
		if f.kind != build.Polygon {
			parts += r.IntN(2)
		}
		for range parts {
			var p []geo.Point
			switch f.kind {
			case build.Polygon:
				k := 3 + r.IntN(6)
				for a := range k {
					rad := size * (.3 + r.Float64())
					p = append(p, geo.Point{Lat: c.Lat + rad*math.Sin(2*math.Pi*float64(a)/float64(k)), Lon: c.Lon + rad*math.Cos(2*math.Pi*float64(a)/float64(k))})
				}
			default:
				for range 1 + r.IntN(20) {
					c.Lat += r.NormFloat64() * size
					c.Lon += r.NormFloat64() * size
					p = append(p, c)
				}
			}
			f.parts = append(f.parts, p)
		}
		out[i] = f
	}
	return out
}

func features(fs []feat) *build.Features {
	var d mvt.Dict
	f := build.NewFeatures(&d, "n")
	for i, x := range fs {
		f.Begin(x.kind, uint64(i+1), x.rank)
		for _, p := range x.parts {
			if x.kind == build.Polygon {
				f.Polygon(p)
				continue
			}
			var w []build.XY
			for _, q := range p {
				w = append(w, build.Project(q))
			}
			f.Part(w, false)
		}
		f.Tag(0, d.Int(int64(i)))
		f.End()
	}
	return f
}

func TestProjectionAgreesWithOrbAndComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := geo.Point{Lat: rapid.Float64Range(-85.05, 85.05).Draw(t, "lat"), Lon: rapid.Float64Range(-180, 179.9999).Draw(t, "lon")}
		w := build.Project(p)
		f := maptile.Fraction(orb.Point{p.Lon, p.Lat}, 20)
		if math.Abs(float64(w.X)/4096-f[0]) > 1e-3 || math.Abs(float64(w.Y)/4096-f[1]) > 1e-3 {
			t.Fatalf("%v: %v, orb %v", p, w, f)
		}
		if q := w.Unproject(); geo.Distance(p, q) > .02 {
			t.Fatalf("%v came back as %v", p, q)
		}
	})
	for _, p := range []geo.Point{{Lat: 90, Lon: 180}, {Lat: -90, Lon: -180}, {Lat: 89, Lon: 0}} {
		build.Project(p).Unproject() // clamped, no overflow
	}
}

// Building some tiles, with any number of workers, from all features or only from those near them, gives the bytes that
// building everything gives: what incremental updates rest on.
func TestAPartOfTheTilesEqualsThatPartOfTheWhole(t *testing.T) {
	fs := city(3, 400)
	layer := func(fs []feat) []build.Layer {
		return []build.Layer{
			{Name: "a", MinZoom: 0, MaxZoom: 14, Features: features(fs), MaxFeatures: 60},
			{Name: "b", MinZoom: 8, MaxZoom: 12, Features: features(fs), Whole: true, Buffer: 8},
		}
	}
	all, _ := tilesOf(t, layer(fs), build.Options{Workers: 1})
	many, _ := tilesOf(t, layer(fs), build.Options{Workers: 5})
	if !maps.EqualFunc(all, many, bytes.Equal) {
		t.Fatal("the number of workers changed the tiles")
	}
	ids := slices.Sorted(maps.Keys(all))
	r := rand.New(rand.NewPCG(1, 1))
	for range 5 {
		var only build.TileSet
		for range 40 {
			only.Add(ids[r.IntN(len(ids))])
		}
		part, _ := tilesOf(t, layer(fs), build.Options{Only: &only})
		if len(part) != only.Len() {
			t.Fatalf("%d of %d tiles", len(part), only.Len())
		}
		for id, b := range part {
			if !bytes.Equal(b, all[id]) {
				t.Fatalf("tile %d differs", id)
			}
		}
	}
}

func TestFeaturesFarFromATileDoNotChangeIt(t *testing.T) {
	fs := city(4, 60)
	near, _ := tilesOf(t, []build.Layer{{Name: "a", MinZoom: 5, MaxZoom: 13, Features: features(fs)}}, build.Options{})
	far := append(slices.Clone(fs), feat{build.Line, [][]geo.Point{{{Lat: -33, Lon: 151}, {Lat: -33.1, Lon: 151.1}}}, 0})
	both, _ := tilesOf(t, []build.Layer{{Name: "a", MinZoom: 5, MaxZoom: 13, Features: features(far)}}, build.Options{})
	for id, b := range near {
		if !bytes.Equal(b, both[id]) {
			t.Fatalf("tile %d differs", id)
		}
	}
	if len(both) <= len(near) {
		t.Fatal("the far feature is in no tile")
	}
}

func TestTilesHoldWhatLiesInThem(t *testing.T) {
	fs := city(5, 300)
	all, st := tilesOf(t, []build.Layer{{Name: "a", MinZoom: 3, MaxZoom: 14, Features: features(fs), Buffer: 64}}, build.Options{})
	if st.Tiles != len(all) {
		t.Errorf("%d tiles counted, %d built", st.Tiles, len(all))
	}
	seen := map[string]bool{}
	points := map[[2]int]int{} // by zoom and feature
	for id, gz := range all {
		z, x, y := archive.ZXY(id)
		for _, l := range decode(t, gz) {
			last := -1.0
			for _, f := range l.Features {
				n := f.Properties["n"].(float64)
				if n <= last {
					t.Fatalf("tile %d/%d/%d: feature %v after %v", z, x, y, n, last)
				}
				last = n
				b := f.Geometry.Bound()
				lo, hi := -64.0, 4096+64.0
				if _, ok := f.Geometry.(orb.Point); ok {
					lo, hi = 0, 4095
				} else if _, ok := f.Geometry.(orb.MultiPoint); ok {
					lo, hi = 0, 4095
				}
				if b.Min[0] < lo || b.Min[1] < lo || b.Max[0] > hi || b.Max[1] > hi {
					t.Fatalf("tile %d/%d/%d holds %v of %v", z, x, y, b, f.Geometry)
				}
				seen[fmt.Sprint(z, x, y, n)] = true
				switch g := f.Geometry.(type) {
				case orb.Point:
					points[[2]int{z, int(n)}]++
				case orb.MultiPoint:
					points[[2]int{z, int(n)}] += len(g)
				}
			}
		}
	}
	for i, f := range fs {
		if f.kind == build.Polygon {
			continue
		}
		for z := 3; z <= 14; z++ {
			total := 0
			for _, p := range f.parts {
				total += len(p)
				if f.kind == build.Line && len(p) < 2 {
					continue
				}
				for _, q := range p {
					tl := maptile.At(orb.Point{q.Lon, q.Lat}, maptile.Zoom(z))
					// A line may collapse to nothing in a tile of a low zoom.
					if f.kind == build.Point && !seen[fmt.Sprint(z, tl.X, tl.Y, float64(i))] {
						t.Fatalf("feature %d is missing from %d/%d/%d", i, z, tl.X, tl.Y)
					}
					if f.kind == build.Line && z == 14 && !seen[fmt.Sprint(z, tl.X, tl.Y, float64(i))] {
						t.Fatalf("line %d is missing from %d/%d/%d", i, z, tl.X, tl.Y)
					}
				}
			}
			if f.kind == build.Point && points[[2]int{z, i}] != total {
				t.Fatalf("feature %d has %d points at zoom %d, want %d", i, points[[2]int{z, i}], z, total)
			}
		}
	}
}

// A simplified line stays within the tolerance of the original.
func TestSimplifiedLinesStayClose(t *testing.T) {
	for i, f := range city(6, 60) {
		if f.kind != build.Line || len(f.parts[0]) < 3 {
			continue
		}
		f.parts = f.parts[:1]
		tiles, _ := tilesOf(t, []build.Layer{{Name: "a", MinZoom: 12, MaxZoom: 14, Features: features([]feat{f}), Tolerance: 6}}, build.Options{})
		for id, gz := range tiles {
			z, x, y := archive.ZXY(id)
			var lines []orb.LineString
			switch g := decode(t, gz)[0].Features[0].Geometry.(type) {
			case orb.LineString:
				lines = append(lines, g)
			case orb.MultiLineString:
				lines = append(lines, g...)
			}
			limit := 6 + 1.5 // rounding to tile units
			if z == 14 {
				limit = .5 + 1.5
			}
			for _, q := range f.parts[0] {
				fr := maptile.Fraction(orb.Point{q.Lon, q.Lat}, maptile.Zoom(z))
				px, py := (fr[0]-float64(x))*4096, (fr[1]-float64(y))*4096
				if px < 0 || py < 0 || px > 4096 || py > 4096 {
					continue
				}
				best := math.Inf(1)
				for _, l := range lines {
					for k := 1; k < len(l); k++ {
						best = min(best, segment(px, py, l[k-1], l[k]))
					}
				}
				if best > limit {
					t.Fatalf("line %d at zoom %d: a vertex lies %.1f units off", i, z, best)
				}
			}
		}
	}
}

func segment(x, y float64, a, b orb.Point) float64 {
	dx, dy := b[0]-a[0], b[1]-a[1]
	t := 0.0
	if l := dx*dx + dy*dy; l > 0 {
		t = max(0, min(1, ((x-a[0])*dx+(y-a[1])*dy)/l))
	}
	return math.Hypot(x-a[0]-t*dx, y-a[1]-t*dy)
}

func TestWholePolygonsAreTheSameInEveryTileTheyTouch(t *testing.T) {
	hexagon := []geo.Point{}
	c := geo.Point{Lat: 0.001, Lon: 0.001} // near the corner of four tiles
	for a := range 6 {
		hexagon = append(hexagon, geo.Destination(c, geo.BearingDeg(300-60*a), 300))
	}
	tiles, _ := tilesOf(t, []build.Layer{{Name: "h", MinZoom: 14, MaxZoom: 14, Features: features([]feat{{build.Polygon, [][]geo.Point{hexagon}, 0}}), Whole: true}}, build.Options{})
	if len(tiles) != 4 {
		t.Fatalf("in %d tiles", len(tiles))
	}
	var first orb.Polygon
	for id, gz := range tiles {
		_, x, y := archive.ZXY(id)
		p := decode(t, gz)[0].Features[0].Geometry.(orb.Polygon)
		for i := range p[0] {
			p[0][i][0] += float64(x * 4096)
			p[0][i][1] += float64(y * 4096)
		}
		if first == nil {
			first = p
		}
		if !first.Equal(p) || len(p[0]) != 7 {
			t.Fatalf("%v and %v", first, p)
		}
	}
}

func TestPolygonsOverTheAntimeridianAreCutThere(t *testing.T) {
	ring := []geo.Point{{Lat: 10, Lon: 179.9}, {Lat: 10, Lon: -179.9}, {Lat: 10.2, Lon: -179.9}, {Lat: 10.2, Lon: 179.9}}
	tiles, _ := tilesOf(t, []build.Layer{{Name: "p", MinZoom: 8, MaxZoom: 8, Features: features([]feat{{build.Polygon, [][]geo.Point{ring}, 0}})}}, build.Options{})
	var xs []int
	for id := range tiles {
		_, x, _ := archive.ZXY(id)
		xs = append(xs, x)
	}
	slices.Sort(xs)
	if !slices.Equal(slices.Compact(xs), []int{0, 255}) {
		t.Fatal(xs)
	}
}

func TestADenseTileKeepsTheBestAndCountsTheRest(t *testing.T) {
	var d mvt.Dict
	f := build.NewFeatures(&d, "rank", "pad")
	for i := range 1000 {
		f.Begin(build.Point, uint64(i+1), int64(i*7919%1000))
		f.Part([]build.XY{{X: 1 << 31, Y: 1<<31 + uint32(i)}}, false)
		f.Tag(0, d.Int(int64(i*7919%1000)))
		f.Tag(1, d.String(fmt.Sprintf("%064d", i)))
		f.End()
	}
	for name, l := range map[string]build.Layer{
		"features": {Name: "p", MinZoom: 3, MaxZoom: 4, Features: f, MaxFeatures: 100},
		"bytes":    {Name: "p", MinZoom: 3, MaxZoom: 4, Features: f, MaxBytes: 20000},
	} {
		tiles, st := tilesOf(t, []build.Layer{l}, build.Options{})
		if len(tiles) != 2 || len(st.Drops) != 2 {
			t.Fatalf("%s: %d tiles, drops %v", name, len(tiles), st.Drops)
		}
		for id, gz := range tiles {
			b, _ := archive.Gunzip(gz, 1<<20)
			got := decode(t, gz)[0].Features
			i := slices.IndexFunc(st.Drops, func(d build.Drop) bool { return d.Tile == id })
			if len(got)+st.Drops[i].Features != 1000 || name == "features" && len(got) != 100 || name == "bytes" && (len(b) > 20100 || len(b) < 17000) {
				t.Fatalf("%s: %d features, %d bytes, drops %v", name, len(got), len(b), st.Drops)
			}
			lowest := 1000.0
			for _, g := range got {
				lowest = min(lowest, g.Properties["rank"].(float64))
			}
			if int(lowest) != 1000-len(got) {
				t.Fatalf("%s: %d features were kept, the lowest of rank %v", name, len(got), lowest)
			}
		}
	}
}

func TestABuildStopsWithItsContextAndWithTheFirstError(t *testing.T) {
	l := []build.Layer{{Name: "a", MaxZoom: 14, Features: features(city(1, 200))}}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := build.Tiles(ctx, l, build.Options{}, func(uint64, []byte) error { cancel(); return nil }); err != context.Canceled {
		t.Error(err)
	}
	boom := fmt.Errorf("disk full")
	if _, err := build.Tiles(t.Context(), l, build.Options{}, func(uint64, []byte) error { return boom }); err != boom {
		t.Error(err)
	}
	for _, bad := range [][]build.Layer{
		{{Name: "", Features: features(nil)}},
		{{Name: "a", MaxZoom: 21, Features: features(nil)}},
		{{Name: "a", MinZoom: 2, MaxZoom: 4, Features: features(nil)}, {Name: "a", MinZoom: 4, MaxZoom: 5, Features: features(nil)}},
	} {
		if _, err := build.Tiles(t.Context(), bad, build.Options{}, nil); err == nil {
			t.Errorf("%+v was built", bad)
		}
	}
}

func Example() {
	var dict mvt.Dict
	f := build.NewFeatures(&dict, "name")
	f.Begin(build.Point, 1, 0)
	f.Part([]build.XY{build.Project(geo.Point{Lat: 55.70, Lon: 13.19})}, false)
	f.Tag(0, dict.String("Lund"))
	f.End()
	w := archive.NewWriter()
	defer w.Close()
	st, err := build.Tiles(context.Background(), []build.Layer{{Name: "places", MaxZoom: 2, Features: f}}, build.Options{}, w.Add)
	fmt.Println(st.Tiles, st.Features["places"], err)
	// Output: 3 [1 1 1] <nil>
}
