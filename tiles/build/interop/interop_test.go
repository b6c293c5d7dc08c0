// Package interop_test has the readers of other projects read what tiles/build and tiles/archive write.
package interop_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/paulmach/orb"
	orbmvt "github.com/paulmach/orb/encoding/mvt"

	"github.com/roadcomb/roadcomb/tiles/archive"
	"github.com/roadcomb/roadcomb/tiles/build"
)

// dump is what dump.mjs prints.
type dump struct {
	Header struct {
		NumAddressedTiles, NumTileEntries, NumTileContents int
		Clustered                                          bool
		MinZoom, MaxZoom                                   int
		MinLon, MinLat, MaxLon, MaxLat                     float64
	}
	Metadata struct {
		Name   string
		Layers []archive.VectorLayer `json:"vector_layers"`
	}
	Tiles map[string]map[string]struct {
		Version, Extent int
		Features        []struct {
			ID         uint64
			Type       int
			Properties map[string]any
			Geometry   [][][2]float64
			Polygons   []int
		}
	}
}

func node(t *testing.T, file string, tiles []string) dump {
	t.Helper()
	if _, err := os.Stat("node_modules/pmtiles"); err != nil {
		t.Skip("pmtiles.js is not installed: npm ci in tiles/build/interop")
	}
	cmd := exec.CommandContext(t.Context(), "node", "dump.mjs", file, strings.Join(tiles, " "))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var d dump
	if err := json.Unmarshal(out, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// scene writes features of every kind, many of them across tile edges, some wound the wrong way.
func scene(t *testing.T, n int) string {
	r := rand.New(rand.NewPCG(11, 12))
	var b strings.Builder
	at := func() (float64, float64) { return 13.19 + r.NormFloat64()*.02, 55.70 + r.NormFloat64()*.01 }
	for i := range n {
		var g any
		typ := []string{"Point", "LineString", "Polygon", "MultiPolygon", "MultiPoint"}[i%5]
		x, y := at()
		ring := func(x, y, size float64) [][]float64 {
			var out [][]float64
			k := 3 + r.IntN(6)
			for a := range k + 1 {
				w := 2 * math.Pi * float64(a%k) / float64(k)
				if i%2 == 0 {
					w = -w // clockwise, which GeoJSON forbids
				}
				out = append(out, []float64{x + size*math.Cos(w), y + size*math.Sin(w)})
			}
			return out
		}
		switch typ {
		case "Point":
			g = []float64{x, y}
		case "MultiPoint":
			g = [][]float64{{x, y}, {x + .01, y}}
		case "LineString":
			var l [][]float64
			for range 3 + r.IntN(30) {
				x, y = x+r.NormFloat64()*.002, y+r.NormFloat64()*.001
				l = append(l, []float64{x, y})
			}
			g = l
		case "Polygon":
			g = [][][]float64{ring(x, y, .008), ring(x, y, .002)}
		case "MultiPolygon":
			g = [][][][]float64{{ring(x, y, .004)}, {ring(x+.02, y, .004), ring(x+.02, y, .001)}}
		}
		f, err := json.Marshal(map[string]any{"type": "Feature", "id": i + 1, "geometry": map[string]any{"type": typ, "coordinates": g},
			"properties": map[string]any{"i": i, "neg": -i, "f": float64(i) + .25, "d": float64(i) / 3, "s": fmt.Sprintf("œ%d", i%7), "b": i%2 == 0, "ms": 1780000000000 + i}})
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(f, '\n'))
	}
	path := filepath.Join(t.TempDir(), "scene.geojsonl")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOtherProjectsReadWhatOrbReads(t *testing.T) {
	file := filepath.Join(t.TempDir(), "scene.pmtiles")
	rep, err := build.Files(t.Context(), []build.Input{{Layer: "scene", Path: scene(t, 300)}}, file, build.FileOptions{MaxZoom: 15})
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	rd, err := archive.Open(t.Context(), archive.At(strings.NewReader(string(b))), nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	want := map[string][]byte{}
	err = rd.Each(t.Context(), func(e archive.Entry) error {
		for k := range uint64(e.Run) {
			z, x, y := archive.ZXY(e.ID + k)
			name := fmt.Sprintf("%d/%d/%d", z, x, y)
			names = append(names, name)
			gz, _, err := rd.Tile(context.Background(), e.ID+k)
			if err != nil {
				return err
			}
			if want[name], err = archive.Gunzip(gz, 1<<26); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || len(names) != rep.Tiles {
		t.Fatal(len(names), rep.Tiles, err)
	}
	d := node(t, file, append(names, "3/0/0"))
	h := rd.Header()
	if d.Header.NumAddressedTiles != rep.Tiles || !d.Header.Clustered || d.Header.MaxZoom != 15 || d.Header.MinZoom != 0 ||
		math.Abs(d.Header.MinLon-h.Bounds[0]) > 1e-9 || math.Abs(d.Header.MaxLat-h.Bounds[3]) > 1e-9 ||
		len(d.Metadata.Layers) != 1 || d.Metadata.Layers[0].Fields["s"] != "String" {
		t.Errorf("%+v %+v", d.Header, d.Metadata)
	}
	if d.Tiles["3/0/0"] != nil {
		t.Error("a tile that is not there")
	}
	features := 0
	for _, name := range names {
		ls, err := orbmvt.Unmarshal(want[name])
		if err != nil {
			t.Fatal(err)
		}
		js := d.Tiles[name]
		if len(js) != 1 || js["scene"].Version != 2 || js["scene"].Extent != 4096 || len(js["scene"].Features) != len(ls[0].Features) {
			t.Fatalf("tile %s: %d layers, %d features, orb %d", name, len(js), len(js["scene"].Features), len(ls[0].Features))
		}
		for i, of := range ls[0].Features {
			features++
			jf := js["scene"].Features[i]
			if fmt.Sprint(jf.ID) != fmt.Sprint(of.ID) || fmt.Sprint(jf.Properties) != fmt.Sprint(map[string]any(of.Properties)) {
				t.Fatalf("tile %s feature %d: %v %v, orb %v %v", name, i, jf.ID, jf.Properties, of.ID, of.Properties)
			}
			if g := parts(of.Geometry); fmt.Sprint(g) != fmt.Sprint(jf.Geometry) {
				t.Fatalf("tile %s feature %d: %v, orb %v", name, i, jf.Geometry, g)
			}
			// Mapbox's reader finds the same polygons, by the sign of the rings' areas.
			var rings []int
			switch g := of.Geometry.(type) {
			case orb.Polygon:
				rings = []int{len(g)}
			case orb.MultiPolygon:
				for _, p := range g {
					rings = append(rings, len(p))
				}
			}
			if fmt.Sprint(rings) != fmt.Sprint(jf.Polygons) {
				t.Fatalf("tile %s feature %d: polygons of %v rings, orb %v", name, i, jf.Polygons, rings)
			}
		}
	}
	if features < 3000 {
		t.Errorf("only %d features compared", features)
	}
}

// parts flattens a geometry into lists of positions, as Mapbox's reader gives them.
func parts(g orb.Geometry) [][][2]float64 {
	list := func(ps []orb.Point) [][2]float64 {
		out := make([][2]float64, len(ps))
		for i, p := range ps {
			out[i] = p
		}
		return out
	}
	var out [][][2]float64
	switch g := g.(type) {
	case orb.Point:
		return [][][2]float64{{g}}
	case orb.MultiPoint:
		for _, p := range g {
			out = append(out, [][2]float64{p})
		}
	case orb.LineString:
		out = append(out, list(g))
	case orb.MultiLineString:
		for _, l := range g {
			out = append(out, list(l))
		}
	case orb.Polygon:
		for _, r := range g {
			out = append(out, list(r))
		}
	case orb.MultiPolygon:
		for _, p := range g {
			for _, r := range p {
				out = append(out, list(r))
			}
		}
	}
	return out
}
