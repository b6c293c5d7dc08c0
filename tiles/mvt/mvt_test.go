package mvt_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/paulmach/orb"
	orbmvt "github.com/paulmach/orb/encoding/mvt"
	"pgregory.net/rapid"

	"github.com/roadcomb/roadcomb/tiles/mvt"
)

// decode reads a tile with orb's decoder, the oracle.
func decode(t interface {
	Helper()
	Fatal(...any)
}, b []byte) orbmvt.Layers {
	t.Helper()
	ls, err := orbmvt.Unmarshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return ls
}

func TestEveryKindOfValueAndGeometryIsReadBackByOrb(t *testing.T) {
	var d mvt.Dict
	var e mvt.Encoder
	e.Reset()
	e.StartLayer("first", mvt.Extent, []string{"s", "i", "n", "f", "d", "b", "unused"}, &d)
	e.Point(mvt.Coord{X: 5, Y: -7})
	for i, v := range []mvt.Value{d.String("häuser"), d.Int(1700000000000), d.Int(-3), d.Float(0.5), d.Float(0.1), d.Bool(true), d.Float(math.NaN())} {
		e.Tag(i, v)
	}
	if !e.EndFeature(42) {
		t.Fatal("not written")
	}
	e.Point(mvt.Coord{X: 1, Y: 2}, mvt.Coord{X: 3, Y: 4})
	e.EndFeature(0)
	e.EndLayer()
	e.StartLayer("second", 512, []string{"s"}, &d)
	e.Line([]mvt.Coord{{0, 0}, {0, 0}, {10, 0}, {10, 0}, {10, 300}})
	e.Line([]mvt.Coord{{-5, -5}, {5000, 5}})
	e.Tag(0, d.String("häuser"))
	e.EndFeature(7)
	e.EndLayer()
	e.StartLayer("empty", mvt.Extent, nil, &d)
	e.EndLayer()

	ls := decode(t, e.Tile())
	if len(ls) != 2 || ls[0].Name != "first" || ls[1].Name != "second" || ls[0].Version != 2 || ls[0].Extent != 4096 || ls[1].Extent != 512 {
		t.Fatalf("%+v", ls)
	}
	f := ls[0].Features[0]
	want := map[string]any{"s": "häuser", "i": 1700000000000.0, "n": -3.0, "f": 0.5, "d": 0.1, "b": true}
	if fmt.Sprint(f.ID) != "42" || len(f.Properties) != len(want) || !orb.Equal(f.Geometry, orb.Point{5, -7}) {
		t.Fatalf("%v %v", f.ID, f)
	}
	for k, v := range want {
		if fmt.Sprint(f.Properties[k]) != fmt.Sprint(v) {
			t.Errorf("%s is %v (%T)", k, f.Properties[k], f.Properties[k])
		}
	}
	if g := ls[0].Features[1]; !orb.Equal(g.Geometry, orb.MultiPoint{{1, 2}, {3, 4}}) || g.ID != nil {
		t.Fatal(g)
	}
	if g := ls[1].Features[0].Geometry; !orb.Equal(g, orb.MultiLineString{{{0, 0}, {10, 0}, {10, 300}}, {{-5, -5}, {5000, 5}}}) {
		t.Fatal(g)
	}
}

func TestGeometryThatCollapsedIsNotWritten(t *testing.T) {
	var d mvt.Dict
	var e mvt.Encoder
	e.Reset()
	e.StartLayer("l", mvt.Extent, []string{"k"}, &d)
	e.Line([]mvt.Coord{{1, 1}, {1, 1}, {1, 1}})
	if !e.Empty() || e.EndFeature(1) {
		t.Error("a line of one point was written")
	}
	e.Line(nil)
	e.Ring([]mvt.Coord{{0, 0}, {5, 5}, {9, 9}, {0, 0}}, false)         // no area
	e.Ring([]mvt.Coord{{1, 1}, {1, 2}, {2, 2}}, true)                  // its hole
	e.Ring([]mvt.Coord{{3, 3}, {3, 3}, {4, 4}, {4, 4}, {3, 3}}, false) // two points
	if e.EndFeature(2) {
		t.Error("rings without area were written")
	}
	e.EndLayer()
	if len(e.Tile()) != 0 {
		t.Errorf("%x", e.Tile())
	}
}

func TestGeometryFollowsTheSpecification(t *testing.T) {
	coord := rapid.Custom(func(t *rapid.T) mvt.Coord {
		// A small range makes repeats and collapses likely.
		n := int32(rapid.SampledFrom([]int{2, 6, 5000}).Draw(t, "range"))
		return mvt.Coord{X: rapid.Int32Range(-n, n).Draw(t, "x"), Y: rapid.Int32Range(-n, n).Draw(t, "y")}
	})
	rapid.Check(t, func(t *rapid.T) {
		var d mvt.Dict
		var e mvt.Encoder
		type feature struct {
			kind  string
			parts [][]mvt.Coord
		}
		fs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) feature {
			return feature{rapid.SampledFrom([]string{"line", "polygon"}).Draw(t, "kind"), rapid.SliceOfN(rapid.SliceOfN(coord, 0, 8), 1, 3).Draw(t, "parts")}
		}), 1, 6).Draw(t, "features")
		encode := func() ([]byte, int) {
			e.Reset()
			e.StartLayer("l", mvt.Extent, []string{"n"}, &d)
			n := 0
			for i, f := range fs {
				for k, p := range f.parts {
					if f.kind == "line" {
						e.Line(p)
					} else {
						e.Ring(p, k > 0)
					}
				}
				e.Tag(0, d.Int(int64(i)))
				if e.EndFeature(uint64(i + 1)) {
					n++
				}
			}
			e.EndLayer()
			return append([]byte(nil), e.Tile()...), n
		}
		a, n := encode()
		if b, _ := encode(); string(a) != string(b) {
			t.Fatal("encoding twice gives other bytes")
		}
		if n == 0 {
			if len(a) != 0 {
				t.Fatal("an empty layer left bytes")
			}
			return
		}
		l := decode(t, a)[0]
		if len(l.Features) != n {
			t.Fatalf("%d of %d features", len(l.Features), n)
		}
		for _, of := range l.Features {
			f := fs[int(of.Properties["n"].(float64))]
			switch g := of.Geometry.(type) {
			case orb.LineString:
				checkLine(t, g)
			case orb.MultiLineString:
				for _, l := range g {
					checkLine(t, l)
				}
			case orb.Polygon:
				checkPolygon(t, g)
			case orb.MultiPolygon:
				for _, p := range g {
					checkPolygon(t, p)
				}
			default:
				t.Fatalf("%T from a %s", g, f.kind)
			}
		}
	})
}

func checkLine(t *rapid.T, l orb.LineString) {
	if len(l) < 2 {
		t.Fatal("a line of one point")
	}
	for i := 1; i < len(l); i++ {
		if l[i] == l[i-1] {
			t.Fatalf("LineTo of zero length in %v", l)
		}
	}
}

func checkPolygon(t *rapid.T, p orb.Polygon) {
	for i, r := range p {
		checkLine(t, orb.LineString(r))
		var area float64
		for k := 1; k < len(r); k++ {
			area += r[k-1][0]*r[k][1] - r[k][0]*r[k-1][1]
		}
		if area == 0 || (area > 0) != (i == 0) {
			t.Fatalf("ring %d has area %v", i, area/2)
		}
	}
}

func TestMergedDictsKeepTheirValues(t *testing.T) {
	var a, b mvt.Dict
	a.String("x")
	a.Int(5)
	vals := []mvt.Value{b.String("y"), b.String("x"), b.Int(5), b.Int(-5), b.Float(5), b.Bool(false)}
	tr := a.Merge(&b)
	want := []mvt.Value{a.String("y"), a.String("x"), a.Int(5), a.Int(-5), a.Float(5), a.Bool(false)}
	for i, v := range vals {
		if tr[v] != want[i] {
			t.Errorf("value %d became %d, want %d", v, tr[v], want[i])
		}
	}
	if a.Len() != 6 {
		t.Errorf("%d values", a.Len())
	}
}

func TestLongNamesAndValuesKeepTheirLengths(t *testing.T) {
	var d mvt.Dict
	var e mvt.Encoder
	long := strings.Repeat("é", 20000)
	e.Reset()
	e.StartLayer(long, mvt.Extent, []string{long}, &d)
	e.Point(mvt.Coord{X: math.MaxInt16, Y: -1 << 24})
	e.Tag(0, d.String(long))
	e.EndFeature(1<<53 - 1)
	e.EndLayer()
	l := decode(t, e.Tile())[0]
	if l.Name != long || l.Features[0].Properties[long] != long {
		t.Fatal("cut")
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, kind := range []string{"points", "lines"} {
		b.Run(kind, func(b *testing.B) {
			const n = 5000
			keys := []string{"sequence_id", "captured_at", "quality", "driver", "freshness_days"}
			var d mvt.Dict
			vals := make([][5]mvt.Value, n)
			lines := make([][]mvt.Coord, n)
			for i := range vals {
				vals[i] = [5]mvt.Value{d.String(fmt.Sprintf("s%08x", i)), d.Int(1700000000000 + int64(i)*1000), d.Float(float64(i*7919%1000) / 1000), d.String(fmt.Sprintf("d%03d", i%997)), d.Int(int64(i % 400))}
				for k := range 12 {
					lines[i] = append(lines[i], mvt.Coord{X: int32(i%4096 + k*17), Y: int32((i*31)%4096 + k*k)})
				}
			}
			var e mvt.Encoder
			b.ReportAllocs()
			for b.Loop() {
				e.Reset()
				e.StartLayer("l", mvt.Extent, keys, &d)
				for i := range vals {
					if kind == "points" {
						e.Point(lines[i][0])
					} else {
						e.Line(lines[i])
					}
					for k, v := range vals[i] {
						e.Tag(k, v)
					}
					e.EndFeature(uint64(i + 1))
				}
				e.EndLayer()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/feature")
			b.SetBytes(int64(len(e.Tile())))
		})
	}
}

func Example() {
	var d mvt.Dict
	var e mvt.Encoder
	e.Reset()
	e.StartLayer("images", mvt.Extent, []string{"quality"}, &d)
	e.Point(mvt.Coord{X: 2048, Y: 2048})
	e.Tag(0, d.String("A"))
	e.EndFeature(1)
	e.EndLayer()
	fmt.Println(len(e.Tile()), "bytes")
	// Output: 46 bytes
}
