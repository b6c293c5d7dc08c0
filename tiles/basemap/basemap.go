// Package basemap makes a plain street map of an OpenStreetMap extract, for the web map to lie on where no outside host
// may be asked: roads, buildings, water, green and names of places, as one PMTiles archive.
//
// It takes nodes and ways. Areas that only a multipolygon relation describes, and the sea, are left out. The data is
// OpenStreetMap's under the ODbL: the archive carries the attribution, and the map shows it.
package basemap

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/paulmach/osm"
	"github.com/paulmach/osm/osmpbf"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/tiles/archive"
	"github.com/roadcomb/roadcomb/tiles/build"
	"github.com/roadcomb/roadcomb/tiles/mvt"
)

// Attribution must be shown wherever the tiles are.
const Attribution = "© OpenStreetMap contributors"

// Zooms of the archive.
const (
	MinZoom = 6
	MaxZoom = 14
)

// Stats says what a basemap holds.
type Stats struct {
	Roads, Buildings, Water, Green, Places int
	Tiles                                  int
	Bytes                                  int64
}

// class is what a way is drawn as.
type class struct {
	layer string
	name  string // of the class within the layer
	rank  int64  // more important features survive a full tile and are drawn over others
	area  bool
}

var roads = map[string]struct {
	name string
	rank int64
}{
	"motorway": {"motorway", 9}, "motorway_link": {"motorway", 9}, "trunk": {"motorway", 8}, "trunk_link": {"motorway", 8},
	"primary": {"main", 7}, "primary_link": {"main", 7}, "secondary": {"main", 6}, "secondary_link": {"main", 6},
	"tertiary": {"street", 5}, "tertiary_link": {"street", 5}, "unclassified": {"street", 4}, "residential": {"street", 4}, "living_street": {"street", 4},
	"pedestrian": {"path", 3}, "service": {"service", 2}, "track": {"path", 1}, "footway": {"path", 0}, "path": {"path", 0}, "cycleway": {"path", 0}, "steps": {"path", 0},
}

// major is the least rank of a road that zooms below detail show.
const (
	major  = 6
	detail = 12
)

func classify(t osm.Tags, closed bool) (class, bool) {
	if h, ok := roads[t.Find("highway")]; ok && t.Find("area") != "yes" {
		return class{layer: "roads", name: h.name, rank: h.rank}, true
	}
	if r := t.Find("railway"); r == "rail" || r == "tram" || r == "light_rail" {
		return class{layer: "roads", name: "rail", rank: 3}, t.Find("tunnel") != "yes"
	}
	switch w := t.Find("waterway"); w {
	case "river", "canal", "stream":
		return class{layer: "water", name: "line"}, t.Find("tunnel") != "yes"
	}
	if t.Find("natural") == "coastline" {
		return class{layer: "water", name: "coast"}, true
	}
	if !closed {
		return class{}, false
	}
	switch {
	case t.Find("building") != "" && t.Find("building") != "no":
		return class{layer: "buildings", area: true}, true
	case t.Find("natural") == "water", t.Find("waterway") == "riverbank", t.Find("landuse") == "reservoir":
		return class{layer: "water", name: "area", area: true}, true
	}
	for _, v := range []string{t.Find("leisure"), t.Find("landuse"), t.Find("natural")} {
		switch v {
		case "park", "garden", "pitch", "golf_course", "nature_reserve", "forest", "grass", "meadow", "recreation_ground", "cemetery", "wood", "scrub", "grassland", "heath":
			return class{layer: "green", name: v, area: true}, true
		}
	}
	return class{}, false
}

// Build reads the extract (PBF, twice) and writes the archive to out, which appears when it is complete. The same
// extract gives the same bytes. A file that is no PBF is Invalid.
func Build(ctx context.Context, pbf io.ReadSeeker, out string) (Stats, error) {
	var dict mvt.Dict
	features := func() *build.Features { return build.NewFeatures(&dict, "class", "name") }
	far, near := features(), features() // roads below detail, and from there
	buildings, water, green, places := features(), features(), features(), features()
	type way struct {
		class
		id    int64
		label string
		nodes []int64
	}
	var ways []way
	used := map[int64]struct{}{}
	err := scan(ctx, pbf, func(s *osmpbf.Scanner) { s.SkipNodes, s.SkipRelations = true, true }, func(o osm.Object) {
		w, ok := o.(*osm.Way)
		if !ok || len(w.Nodes) < 2 {
			return
		}
		closed := len(w.Nodes) > 3 && w.Nodes[0].ID == w.Nodes[len(w.Nodes)-1].ID
		c, ok := classify(w.Tags, closed)
		if !ok {
			return
		}
		x := way{class: c, id: int64(w.ID), label: w.Tags.Find("name"), nodes: make([]int64, len(w.Nodes))}
		for i, n := range w.Nodes {
			x.nodes[i] = int64(n.ID)
			used[x.nodes[i]] = struct{}{}
		}
		ways = append(ways, x)
	})
	if err != nil {
		return Stats{}, err
	}
	at := make(map[int64]geo.Point, len(used))
	err = scan(ctx, pbf, func(s *osmpbf.Scanner) { s.SkipWays, s.SkipRelations = true, true }, func(o osm.Object) {
		n, ok := o.(*osm.Node)
		if !ok {
			return
		}
		p := geo.Point{Lat: n.Lat, Lon: n.Lon}
		if _, ok := used[int64(n.ID)]; ok {
			at[int64(n.ID)] = p
		}
		if rank, ok := placeRank[n.Tags.Find("place")]; ok && n.Tags.Find("name") != "" {
			places.Begin(build.Point, uint64(n.ID), rank)
			places.Part([]build.XY{build.Project(p)}, false)
			places.Tag(0, dict.String(n.Tags.Find("place")))
			places.Tag(1, dict.String(n.Tags.Find("name")))
			places.End()
		}
	})
	if err != nil {
		return Stats{}, err
	}
	for _, w := range ways {
		var pts []geo.Point
		for _, id := range w.nodes {
			if p, ok := at[id]; ok { // the extract's edge cuts ways
				pts = append(pts, p)
			}
		}
		if len(pts) < 2 || w.area && len(pts) != len(w.nodes) {
			continue
		}
		var to []*build.Features
		switch w.layer {
		case "roads":
			if to = append(to, near); w.rank >= major {
				to = append(to, far)
			}
		case "buildings":
			to = append(to, buildings)
		case "water":
			to = append(to, water)
		case "green":
			to = append(to, green)
		}
		for _, f := range to {
			if w.area {
				f.Begin(build.Polygon, uint64(w.id), w.rank)
				f.Polygon(counterclockwise(pts[:len(pts)-1]))
			} else {
				f.Begin(build.Line, uint64(w.id), w.rank)
				for _, p := range pts {
					f.Vertex(build.Project(p))
				}
				f.EndPart(false)
			}
			if w.name != "" {
				f.Tag(0, dict.String(w.name))
			}
			if w.label != "" && w.layer != "buildings" {
				f.Tag(1, dict.String(w.label))
			}
			f.End()
		}
	}
	st := Stats{Roads: near.Len(), Buildings: buildings.Len(), Water: water.Len(), Green: green.Len(), Places: places.Len()}
	const budget = 400_000 // bytes of a layer in a tile: a city's centre takes a tenth
	layers := []build.Layer{
		{Name: "green", MinZoom: 10, MaxZoom: MaxZoom, Features: green, MaxBytes: budget},
		{Name: "water", MinZoom: MinZoom, MaxZoom: MaxZoom, Features: water, MaxBytes: budget},
		{Name: "buildings", MinZoom: 13, MaxZoom: MaxZoom, Features: buildings, MaxBytes: budget},
		{Name: "roads", MinZoom: MinZoom, MaxZoom: detail - 1, Features: far, MaxBytes: budget},
		{Name: "roads", MinZoom: detail, MaxZoom: MaxZoom, Features: near, MaxBytes: budget},
		{Name: "places", MinZoom: MinZoom, MaxZoom: MaxZoom, Features: places, MaxBytes: budget},
	}
	return st, write(ctx, layers, &dict, &st, out)
}

func write(ctx context.Context, layers []build.Layer, dict *mvt.Dict, st *Stats, out string) error {
	bounds := [4]float64{180, 90, -180, -90}
	vector := map[string]archive.VectorLayer{}
	var order []string
	for _, l := range layers {
		if l.Features.Len() > 0 {
			b := l.Features.Bounds()
			bounds = [4]float64{min(bounds[0], b[0]), min(bounds[1], b[1]), max(bounds[2], b[2]), max(bounds[3], b[3])}
		}
		v, ok := vector[l.Name]
		if !ok {
			order = append(order, l.Name)
			v = archive.VectorLayer{ID: l.Name, MinZoom: l.MinZoom, Fields: map[string]string{"class": "String", "name": "String"}}
		}
		v.MaxZoom = l.MaxZoom
		vector[l.Name] = v
	}
	if bounds[0] > bounds[2] {
		return survey.Errorf(survey.Invalid, "the extract holds nothing to draw")
	}
	dict.Freeze()
	w := archive.NewWriter()
	defer w.Close()
	built, err := build.Tiles(ctx, layers, build.Options{}, w.Add)
	if err != nil {
		return err
	}
	st.Tiles = built.Tiles
	list := make([]archive.VectorLayer, len(order))
	for i, name := range order {
		list[i] = vector[name]
	}
	f, err := os.CreateTemp(filepath.Dir(out), ".basemap-*")
	if err != nil {
		return survey.Errorf(survey.Unavailable, "basemap: %w", err).WithHint("choose a folder you may write to")
	}
	defer os.Remove(f.Name())
	h, err := w.WriteTo(f, archive.Info{Type: archive.TileMVT, Bounds: bounds, Metadata: map[string]any{
		"name": "basemap", "attribution": Attribution, "format": "pbf", "type": "baselayer", "vector_layers": list}})
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return survey.Errorf(survey.Unavailable, "write %s: %w", out, err).WithHint("check the free space of the disk")
	}
	st.Bytes = int64(h.DataOffset + h.DataLength)
	return os.Rename(f.Name(), out)
}

var placeRank = map[string]int64{"city": 6, "town": 5, "suburb": 4, "village": 4, "quarter": 3, "neighbourhood": 2, "hamlet": 1}

func scan(ctx context.Context, r io.ReadSeeker, set func(*osmpbf.Scanner), fn func(osm.Object)) error {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return err
	}
	s := osmpbf.New(ctx, r, min(4, runtime.GOMAXPROCS(0)))
	defer s.Close()
	set(s)
	for s.Scan() {
		fn(s.Object())
	}
	if err := s.Err(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return survey.Errorf(survey.Invalid, "read OSM extract: %w", err)
	}
	return nil
}

// counterclockwise turns a ring, as GeoJSON and the builder have exteriors.
func counterclockwise(r []geo.Point) []geo.Point {
	var sum float64
	for i, p := range r {
		q := r[(i+1)%len(r)]
		sum += p.Lon*q.Lat - q.Lon*p.Lat
	}
	if sum < 0 {
		out := make([]geo.Point, len(r))
		for i, p := range r {
			out[len(r)-1-i] = p
		}
		return out
	}
	return r
}

// String sums the basemap up for people.
func (s Stats) String() string {
	n := strconv.Itoa
	return n(s.Roads) + " roads, " + n(s.Buildings) + " buildings, " + n(s.Water) + " waters, " + n(s.Green) + " greens, " + n(s.Places) + " places in " + n(s.Tiles) + " tiles"
}
