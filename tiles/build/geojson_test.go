package build_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"
	"github.com/paulmach/orb/maptile"
	"pgregory.net/rapid"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/tiles/archive"
	"github.com/roadcomb/roadcomb/tiles/build"
	"github.com/roadcomb/roadcomb/tiles/mvt"
)

func read(t testing.TB, text string) (*build.Features, int) {
	t.Helper()
	f := build.NewFeatures(&mvt.Dict{})
	skipped, err := f.ReadGeoJSON(context.Background(), strings.NewReader(text), 2)
	if err != nil {
		t.Fatal(err)
	}
	return f, skipped
}

func TestEveryGeometryAndPropertyOfGeoJSONIsRead(t *testing.T) {
	f, skipped := read(t, "\x1e"+`{"type":"Feature","id":7,"properties":{"s":"a\"b\u00e9 é","i":5,"n":-2,"f":1.5,"big":123456789012345678,"e":1e3,"t":true,"x":null,"o":{"a":[1]}},"geometry":{"type":"Point","coordinates":[13.19,55.7,80.5]}}
{ "geometry" : { "coordinates" : [ [ 1 , 2 ] , [ 3 , 4 ] ] , "type" : "LineString" } , "type" : "Feature" , "properties" : null , "bbox":[1,2,3,4] }

{"type":"Feature","properties":{},"geometry":{"type":"MultiPolygon","coordinates":[[[[0,0],[1,0],[1,1],[0,0]],[[0.2,0.1],[0.4,0.1],[0.4,0.3],[0.2,0.1]]],[[[5,5],[6,5],[6,6],[5,5]]]]}}
{"type":"Feature","properties":{},"geometry":null}
{"type":"Feature","properties":{"k":1},"geometry":{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[1,1]},{"type":"MultiPoint","coordinates":[[2,2],[3,3]]},{"type":"LineString","coordinates":[[1,1],[2,2]]}]}}
{"type":"Feature","properties":{},"geometry":{"type":"MultiLineString","coordinates":[]}}
`)
	if f.Len() != 6 || skipped != 2 {
		t.Fatalf("%d features, %d skipped", f.Len(), skipped)
	}
	tiles, _ := tilesOf(t, []build.Layer{{Name: "l", Features: f}}, build.Options{})
	got := decode(t, tiles[0])[0].Features
	if len(got) != 6 {
		t.Fatalf("%d features in the tile", len(got))
	}
	want := map[string]any{"s": "a\"bé é", "i": 5.0, "n": -2.0, "f": 1.5, "big": float64(123456789012345678), "e": 1000.0, "t": true, "o": `{"a":[1]}`}
	if !reflect.DeepEqual(map[string]any(got[0].Properties), want) {
		t.Errorf("%#v", got[0].Properties)
	}
	if fmt.Sprint(got[0].ID) != "7" {
		t.Error(got[0].ID)
	}
	mp, ok := got[2].Geometry.(orb.MultiPolygon)
	if !ok || len(mp) != 2 || len(mp[0]) != 2 || len(mp[1]) != 1 {
		t.Errorf("%v", got[2].Geometry)
	}
	for i, typ := range []string{3: "Point", 4: "MultiPoint", 5: "LineString"} {
		if i >= 3 && (got[i].Geometry.GeoJSONType() != typ || got[i].Properties["k"] != 1.0) {
			t.Errorf("%d: %s %v", i, got[i].Geometry.GeoJSONType(), got[i].Properties)
		}
	}
}

// RFC 7946 wants outer rings to run counter-clockwise and holes clockwise, and most files do not care. In a tile the order
// tells a hole from a part: outer rings have a positive area, with y down, and holes a negative one, whatever came in.
func TestRingsOfAnyOrderComeOutWound(t *testing.T) {
	outer := [][2]float64{{0, 0}, {10, 0}, {10, 10}, {0, 10}, {0, 0}}
	hole := [][2]float64{{2, 2}, {8, 2}, {8, 8}, {2, 8}, {2, 2}}
	far := [][2]float64{{20, 0}, {30, 0}, {25, 10}, {20, 0}}
	turned := func(r [][2]float64, turn bool) [][2]float64 {
		if turn {
			r = slices.Clone(r)
			slices.Reverse(r)
		}
		return r
	}
	var first orb.MultiPolygon
	for turns := range 8 {
		coordinates, err := json.Marshal([][][][2]float64{{turned(outer, turns&1 > 0), turned(hole, turns&2 > 0)}, {turned(far, turns&4 > 0)}})
		if err != nil {
			t.Fatal(err)
		}
		f, _ := read(t, `{"type":"Feature","properties":{},"geometry":{"type":"MultiPolygon","coordinates":`+string(coordinates)+`}}`)
		for _, l := range []build.Layer{{Name: "l", MinZoom: 3, MaxZoom: 3, Features: f}, {Name: "l", MinZoom: 3, MaxZoom: 3, Features: f, Whole: true}} {
			tiles, _ := tilesOf(t, []build.Layer{l}, build.Options{})
			got, ok := decode(t, tiles[archive.ID(3, 4, 3)])[0].Features[0].Geometry.(orb.MultiPolygon)
			if !ok || len(got) != 2 || len(got[0]) != 2 || len(got[1]) != 1 {
				t.Fatalf("turned %03b, whole %v: %v", turns, l.Whole, got)
			}
			if a, h, b := area(got[0][0]), area(got[0][1]), area(got[1][0]); a <= 0 || h >= 0 || b <= 0 {
				t.Errorf("turned %03b, whole %v: areas %v, hole %v, %v", turns, l.Whole, a, h, b)
			}
			if first == nil {
				first = got
			}
			for i, p := range got {
				for k, r := range p {
					if area(r) != area(first[i][k]) || r.Bound() != first[i][k].Bound() {
						t.Errorf("turned %03b, whole %v: ring %v, want %v", turns, l.Whole, r, first[i][k])
					}
				}
			}
		}
	}
}

// area is the surveyor's formula of the vector tile specification, twice the area: positive is clockwise on the screen.
func area(r orb.Ring) (a float64) {
	for i, p := range r {
		q := r[(i+1)%len(r)]
		a += p[0]*q[1] - q[0]*p[1]
	}
	return a
}

// A vector tile's ids are unsigned numbers, and browsers hold 53 bits: anything else that GeoJSON allows becomes no id, never
// another one, and the feature stays.
func TestIdsThatATileCannotHoldAreLeftOut(t *testing.T) {
	for id, want := range map[string]any{
		`7`: 7.0, `9007199254740991`: float64(1<<53 - 1),
		`0`: nil, `-7`: nil, `"way/7"`: nil, `"7"`: nil, `"-7"`: nil, `1.5`: nil, `9007199254740993`: nil, `18446744073709551617`: nil, `null`: nil,
	} {
		f, skipped := read(t, `{"type":"Feature","id":`+id+`,"properties":{"name":"a"},"geometry":{"type":"Point","coordinates":[1,1]}}`)
		if f.Len() != 1 || skipped != 0 {
			t.Fatalf("id %s: %d features", id, f.Len())
		}
		tiles, _ := tilesOf(t, []build.Layer{{Name: "l", Features: f}}, build.Options{})
		got := decode(t, tiles[0])[0].Features[0]
		if got.ID != want || got.Properties["name"] != "a" {
			t.Errorf("id %s became %#v, want %#v; %v", id, got.ID, want, got.Properties)
		}
	}
}

func TestBadGeoJSONIsNamedByLine(t *testing.T) {
	good := `{"type":"Feature","properties":{},"geometry":{"type":"Point","coordinates":[1,1]}}` + "\n"
	for _, bad := range []string{
		`{`, `[]`, `{"type":"FeatureCollection","features":[]}`, `{"type":"Feature","properties":{"a":},"geometry":null}`,
		`{"type":"Feature","geometry":{"type":"Point","coordinates":[1]}}`, `{"type":"Feature","geometry":{"type":"Point","coordinates":[1,91]}}`,
		`{"type":"Feature","geometry":{"type":"LineString","coordinates":[1,2]}}`, `{"type":"Feature","geometry":{"type":"Circle","coordinates":[1,2]}}`,
		`{"type":"Feature","geometry":{"type":"Polygon","coordinates":[[[1,2],[[3,4]]]]}}`, `{"type":"Feature","properties":{"a":"\q"},"geometry":null}`,
		`{"type":"Feature"} x`, `{"type":"Feature","a":` + strings.Repeat("[", 100) + `}`, "{\"type\":\"Feature\",\"a\":\"", `{"type":"Feature","a":1-}`[:22],
	} {
		f := build.NewFeatures(&mvt.Dict{})
		_, err := f.ReadGeoJSON(t.Context(), strings.NewReader(good+good+bad+"\n"+good), 2)
		if survey.KindOf(err) != survey.Invalid || err == nil || !strings.Contains(err.Error(), "line 3") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// Features written by another library come back at the same places with the same properties.
func TestWhatOrbWritesIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		deg := rapid.Float64Range(-80, 80)
		pt := rapid.Custom(func(t *rapid.T) orb.Point { return orb.Point{deg.Draw(t, "lon"), deg.Draw(t, "lat")} })
		var text strings.Builder
		var want []orb.MultiPoint
		var props []geojson.Properties
		for range rapid.IntRange(1, 5).Draw(t, "n") {
			g := orb.MultiPoint(rapid.SliceOfN(pt, 1, 6).Draw(t, "points"))
			f := geojson.NewFeature(g)
			f.Properties = geojson.Properties{"s": rapid.String().Draw(t, "s"), "f": rapid.Float64().Draw(t, "f"), "i": rapid.Int32().Draw(t, "i")}
			b, err := json.Marshal(f)
			if err != nil {
				t.Fatal(err)
			}
			text.Write(append(b, '\n'))
			want, props = append(want, g), append(props, f.Properties)
		}
		fs := build.NewFeatures(&mvt.Dict{})
		if _, err := fs.ReadGeoJSON(context.Background(), strings.NewReader(text.String()), 1); err != nil {
			t.Fatal(err)
		}
		w := archive.NewWriter()
		defer w.Close()
		if _, err := build.Tiles(context.Background(), []build.Layer{{Name: "l", Features: fs}}, build.Options{}, w.Add); err != nil {
			t.Fatal(err)
		}
		gz, _, _ := w.Tile(0)
		got := decode(t, gz)[0].Features
		if len(got) != len(want) {
			t.Fatalf("%d features of %d", len(got), len(want))
		}
		for i, f := range got {
			var g orb.MultiPoint
			switch p := f.Geometry.(type) {
			case orb.Point:
				g = orb.MultiPoint{p}
			case orb.MultiPoint:
				g = p
			}
			for k, p := range want[i] {
				fr := maptile.Fraction(p, 0)
				if d := g[k][0] - fr[0]*4096; d > 1 || d < -1 {
					t.Fatalf("%v is at %v", p, g[k])
				}
			}
			if f.Properties["s"] != props[i]["s"] || f.Properties["f"] != props[i]["f"] || f.Properties["i"] != float64(props[i]["i"].(int32)) {
				t.Fatalf("%v, want %v", f.Properties, props[i])
			}
		}
	})
}

func FuzzGeoJSON(f *testing.F) {
	for _, s := range []string{
		`{"type":"Feature","id":1,"properties":{"a":"\u0041","b":[1,{"c":null}]},"geometry":{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,0]]]}}`,
		`{"type":"Feature","properties":{},"geometry":{"type":"GeometryCollection","geometries":[{"type":"MultiPolygon","coordinates":[[[[0,0],[1,0],[1,1]]]]}]}}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		fs := build.NewFeatures(&mvt.Dict{})
		if _, err := fs.ReadGeoJSON(t.Context(), strings.NewReader(s), 1); err != nil {
			if survey.KindOf(err) != survey.Invalid {
				t.Fatal(err)
			}
			return
		}
		tiles, _ := tilesOf(t, []build.Layer{{Name: "l", MaxZoom: 3, Features: fs}}, build.Options{})
		for _, gz := range tiles {
			decode(t, gz)
		}
	})
}

func TestFilesBuildsAnArchiveThatDescribesItself(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.geojsonl"), filepath.Join(dir, "b.geojsonl")
	var lines strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&lines, `{"type":"Feature","properties":{"n":%d,"s":"x","m":%s},"geometry":{"type":"Point","coordinates":[%f,%f]}}`+"\n",
			i, []string{"1", `"one"`}[i%2], 10+float64(i)*1e-4, 50-float64(i)*1e-4)
	}
	for _, p := range []string{a, b} {
		if err := os.WriteFile(p, []byte(lines.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(dir, "out.pmtiles")
	run := func(opts build.FileOptions) (build.Report, string) {
		r, err := build.Files(t.Context(), []build.Input{{"one", a}, {"two", b}, {"one", b}}, out, opts)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(out)
		if err != nil || int64(len(text)) != r.Bytes {
			t.Fatal(len(text), r.Bytes, err)
		}
		return r, string(text)
	}
	r, first := run(build.FileOptions{MaxZoom: 10})
	if _, second := run(build.FileOptions{MaxZoom: 10, Workers: 1}); first != second {
		t.Error("a second build gives other bytes")
	}
	if r.Layers["one"].Features != 10000 || r.Layers["two"].Features != 5000 || r.Layers["one"].ByZoom[0] != 10000 || r.Layers["one"].ByZoom[10] != 10000 {
		t.Errorf("%+v", r)
	}
	rd, err := archive.Open(t.Context(), archive.At(strings.NewReader(first)), nil)
	if err != nil {
		t.Fatal(err)
	}
	meta, err := rd.Metadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Layers []archive.VectorLayer `json:"vector_layers"`
	}
	if err := json.Unmarshal(meta, &m); err != nil || len(m.Layers) != 2 || m.Layers[0].ID != "one" || m.Layers[0].MaxZoom != 10 ||
		!reflect.DeepEqual(m.Layers[0].Fields, map[string]string{"n": "Number", "s": "String", "m": "Mixed"}) {
		t.Errorf("%s", meta)
	}
	if h := rd.Header(); h.Bounds[0] > 10.00001 || h.Bounds[2] < 10.4998 || h.MaxZoom != 10 {
		t.Errorf("%+v", h)
	}
	if r, _ := run(build.FileOptions{MaxZoom: 2, MaxFeatures: 100}); r.Layers["one"].Dropped != 3*9900 || len(r.Drops) != 6 {
		t.Errorf("%+v", r)
	}
	if _, err := build.Files(t.Context(), []build.Input{{"x", filepath.Join(dir, "none")}}, out, build.FileOptions{}); survey.KindOf(err) != survey.NotFound {
		t.Error(err)
	}
	left, _ := filepath.Glob(filepath.Join(dir, ".*"))
	if len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
