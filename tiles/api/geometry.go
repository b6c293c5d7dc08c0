package api

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strings"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Geometry is where a query looks: a GeoJSON Polygon or MultiPolygon, a Point with a radius, or a LineString with a
// buffer. Positions are [longitude, latitude].
type Geometry struct {
	Type        string          `json:"type" enum:"Polygon,MultiPolygon,Point,LineString" doc:"GeoJSON type"`
	Coordinates json.RawMessage `json:"coordinates" doc:"GeoJSON coordinates, [longitude, latitude]"`
}

// area is a Geometry made ready: what it covers, and a test for points.
type area struct {
	polygons []hex.Polygon // a superset of the area
	inside   func(geo.Point) bool
	m2       float64 // upper bound
}

const (
	maxCorners    = 2000
	defaultBuffer = 25.0
	maxBuffer     = 500.0
)

// newArea checks g. meters is the radius of a Point or the buffer of a LineString; 0 means the default of 25.
func newArea(g Geometry, meters float64) (area, error) {
	if meters == 0 {
		meters = defaultBuffer
	}
	if !(meters > 0 && meters <= maxBuffer) && (g.Type == "Point" || g.Type == "LineString") {
		return area{}, survey.Errorf(survey.Invalid, "a radius or buffer is over 0 and at most %g metres", maxBuffer)
	}
	switch g.Type {
	case "Point":
		var c [2]float64
		p, err := position(&c, g.Coordinates)
		if err != nil {
			return area{}, err
		}
		return near([]geo.Point{p, p}, meters), nil
	case "LineString":
		var cs [][]float64
		if err := strict(g.Coordinates, &cs); err != nil {
			return area{}, err
		}
		line, err := points(cs, 2)
		if err != nil {
			return area{}, err
		}
		return near(line, meters), nil
	case "Polygon":
		var rings [][][]float64
		if err := strict(g.Coordinates, &rings); err != nil {
			return area{}, err
		}
		return within([][][][]float64{rings})
	case "MultiPolygon":
		var polys [][][][]float64
		if err := strict(g.Coordinates, &polys); err != nil {
			return area{}, err
		}
		return within(polys)
	}
	return area{}, survey.Errorf(survey.Invalid, "geometry type %.40q is not Polygon, MultiPolygon, Point or LineString", g.Type)
}

// mostRanges bounds the ranges of cells in a statement, whose conditions SQLite takes 1,000 deep.
const mostRanges = 400

// cellsIn is the condition that a column holds a descendant at res of one of the cells. A long thin area has more cells than a
// statement takes: then it asks for those of their ancestors, so that whoever asks checks positions. arg adds a parameter.
func cellsIn(column string, cs []survey.Cell, res int, arg func(any) string) string {
	rs := hex.Ranges(cs, res)
	for len(rs) > mostRanges {
		coarse := make([]survey.Cell, len(cs))
		for i, c := range cs {
			coarse[i] = c.Parent(c.Resolution() - 1)
		}
		slices.Sort(coarse)
		cs = slices.Compact(coarse)
		rs = hex.Ranges(cs, res)
	}
	in := []string{"1 = 0"}
	for _, r := range rs {
		in = append(in, column+" BETWEEN "+arg(r[0].Int64())+" AND "+arg(r[1].Int64()))
	}
	return "(" + strings.Join(in, " OR ") + ")"
}

// anyGeometry is a GeoJSON geometry of any type.
type anyGeometry struct {
	Geometry
	Geometries []anyGeometry `json:"geometries"`
}

// area is what lies in the geometry, or within meters of its points and lines.
func (g anyGeometry) area(meters float64) (area, error) {
	parts, err := g.parts(0)
	if err != nil {
		return area{}, err
	}
	var all []area
	corners := 0
	for _, p := range parts {
		a, err := newArea(p, meters)
		if err != nil {
			return area{}, err
		}
		for _, q := range a.polygons {
			corners += len(q.Outer)
		}
		if corners > 4*maxCorners {
			return area{}, survey.Errorf(survey.Invalid, "the geometry has too many positions")
		}
		all = append(all, a)
	}
	if len(all) == 1 {
		return all[0], nil
	}
	out := area{inside: func(p geo.Point) bool {
		return slices.ContainsFunc(all, func(a area) bool { return a.inside(p) })
	}}
	for _, a := range all {
		out.polygons, out.m2 = append(out.polygons, a.polygons...), out.m2+a.m2
	}
	return out, nil
}

// parts are the geometries of one piece, or MultiPolygons, that it consists of.
func (g anyGeometry) parts(depth int) ([]Geometry, error) {
	single := map[string]string{"MultiPoint": "Point", "MultiLineString": "LineString"}[g.Type]
	var out []Geometry
	switch {
	case depth > 4:
		return nil, survey.Errorf(survey.Invalid, "collections lie in each other more than %d deep", depth)
	case single != "":
		var cs []json.RawMessage
		if err := strict(g.Coordinates, &cs); err != nil {
			return nil, err
		}
		for _, c := range cs {
			out = append(out, Geometry{Type: single, Coordinates: c})
		}
	case g.Type == "GeometryCollection":
		for _, o := range g.Geometries {
			ps, err := o.parts(depth + 1)
			if err != nil {
				return nil, err
			}
			out = append(out, ps...)
		}
	default:
		return []Geometry{g.Geometry}, nil
	}
	if len(out) == 0 || len(out) > maxCorners {
		return nil, survey.Errorf(survey.Invalid, "a %s has 1 to %d parts, this one %d", g.Type, maxCorners, len(out))
	}
	return out, nil
}

// bounds is a box around the area; ok is false when it spans half the globe or more.
func (a area) bounds() (b geo.Bounds, ok bool) {
	b = geo.Bounds{West: 180, South: 90, East: -180, North: -90}
	for _, p := range a.polygons {
		for _, c := range p.Outer {
			b = geo.Bounds{West: min(b.West, c.Lon), South: min(b.South, c.Lat), East: max(b.East, c.Lon), North: max(b.North, c.Lat)}
		}
	}
	return b, b.East-b.West < 180
}

func strict(b json.RawMessage, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(v); err != nil {
		return survey.Errorf(survey.Invalid, "coordinates do not fit the geometry's type").WithHint("GeoJSON order is [longitude, latitude]")
	}
	return nil
}

func position(c *[2]float64, b json.RawMessage) (geo.Point, error) {
	var v []float64
	if err := strict(b, &v); err != nil {
		return geo.Point{}, err
	}
	ps, err := points([][]float64{v}, 1)
	if err != nil {
		return geo.Point{}, err
	}
	*c = [2]float64{v[0], v[1]}
	return ps[0], nil
}

func points(cs [][]float64, least int) ([]geo.Point, error) {
	if len(cs) < least || len(cs) > maxCorners {
		return nil, survey.Errorf(survey.Invalid, "a part of the geometry has %d positions; %d to %d are possible", len(cs), least, maxCorners)
	}
	out := make([]geo.Point, len(cs))
	for i, c := range cs {
		if len(c) < 2 || len(c) > 3 {
			return nil, survey.Errorf(survey.Invalid, "a position has %d numbers", len(c))
		}
		out[i] = geo.Point{Lat: c[1], Lon: c[0]}
		if !out[i].Valid() {
			return nil, survey.Errorf(survey.Invalid, "position [%g, %g] is off the globe", c[0], c[1]).WithHint("GeoJSON order is [longitude, latitude]")
		}
	}
	return out, nil
}

// plane is metres east and north of an origin, flat: good to a few kilometres, which is all that a query may span.
type plane struct {
	at geo.Point
	k  float64 // metres a degree of longitude
}

const metersPerDegree = float64(geo.EarthRadius) * math.Pi / 180

func planeAt(p geo.Point) plane {
	return plane{p, metersPerDegree * math.Cos(p.Lat*math.Pi/180)}
}

func (f plane) xy(p geo.Point) (x, y float64) {
	return geo.WrapLon(p.Lon-f.at.Lon) * f.k, (p.Lat - f.at.Lat) * metersPerDegree
}

func within(polys [][][][]float64) (area, error) {
	if len(polys) == 0 || len(polys) > 50 {
		return area{}, survey.Errorf(survey.Invalid, "a MultiPolygon has 1 to 50 polygons, this one %d", len(polys))
	}
	var a area
	var all [][][]geo.Point
	total := 0
	for _, rings := range polys {
		if len(rings) == 0 {
			return area{}, survey.Errorf(survey.Invalid, "a polygon has no ring")
		}
		var rs [][]geo.Point
		for _, r := range rings {
			ps, err := points(r, 4)
			if err != nil {
				return area{}, err
			}
			if ps[0] != ps[len(ps)-1] {
				return area{}, survey.Errorf(survey.Invalid, "a ring is not closed").WithHint("repeat its first position at its end")
			}
			if total += len(ps); total > maxCorners {
				return area{}, survey.Errorf(survey.Invalid, "the geometry has more than %d positions", maxCorners)
			}
			rs = append(rs, ps)
		}
		all = append(all, rs)
		a.polygons = append(a.polygons, hex.Polygon{Outer: rs[0], Holes: rs[1:]})
		a.m2 += ringArea(rs[0])
	}
	a.inside = func(p geo.Point) bool {
		for _, rs := range all {
			n := 0
			for _, r := range rs {
				if contains(r, p) {
					n++
				}
			}
			if n%2 == 1 {
				return true
			}
		}
		return false
	}
	return a, nil
}

func ringArea(r []geo.Point) float64 {
	f := planeAt(r[0])
	var sum float64
	for i := range len(r) - 1 {
		x0, y0 := f.xy(r[i])
		x1, y1 := f.xy(r[i+1])
		sum += x0*y1 - x1*y0
	}
	return math.Abs(sum) / 2
}

// contains counts crossings of a ray to the east (Shimrat 1962), in longitudes relative to p so that the antimeridian
// is nothing special.
func contains(r []geo.Point, p geo.Point) bool {
	in := false
	for i := range len(r) - 1 {
		a, b := r[i], r[i+1]
		if (a.Lat > p.Lat) == (b.Lat > p.Lat) {
			continue
		}
		ax, bx := geo.WrapLon(a.Lon-p.Lon), geo.WrapLon(b.Lon-p.Lon)
		if ax+(p.Lat-a.Lat)/(b.Lat-a.Lat)*(bx-ax) > 0 {
			in = !in
		}
	}
	return in
}

// near is what lies at most meters from the line.
func near(line []geo.Point, meters float64) area {
	a := area{m2: math.Pi * meters * meters}
	for i := range len(line) - 1 {
		p, q := line[i], line[i+1]
		a.m2 += 2 * meters * float64(geo.Distance(p, q))
		// A box around the segment, along it.
		b := geo.Bearing(p, q)
		d := geo.Meters(meters * 1.01)
		turn := func(by float64) geo.BearingDeg { return geo.NormalizeBearing(float64(b) + by) }
		back, ahead := geo.Destination(p, turn(180), d), geo.Destination(q, b, d)
		a.polygons = append(a.polygons, hex.Polygon{Outer: []geo.Point{geo.Destination(back, turn(-90), d), geo.Destination(back, turn(90), d),
			geo.Destination(ahead, turn(90), d), geo.Destination(ahead, turn(-90), d)}})
	}
	a.inside = func(p geo.Point) bool {
		f := planeAt(p)
		for i := range len(line) - 1 {
			x0, y0 := f.xy(line[i])
			x1, y1 := f.xy(line[i+1])
			dx, dy := x1-x0, y1-y0
			t := 0.0
			if n := dx*dx + dy*dy; n > 0 {
				t = min(1, max(0, -(x0*dx+y0*dy)/n))
			}
			if math.Hypot(x0+t*dx, y0+t*dy) <= meters {
				return true
			}
		}
		return false
	}
	return a
}

// cells are the cells at res that together cover the area, in ascending order.
func (a area) cells(res, limit int) ([]survey.Cell, error) {
	var all []survey.Cell
	for _, p := range a.polygons {
		cs, err := hex.Cells(p, res, limit)
		if err != nil {
			return nil, err
		}
		all = append(all, cs...)
		if len(all) > 4*limit {
			slices.Sort(all)
			if all = slices.Compact(all); len(all) > limit {
				break
			}
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	if len(all) > limit {
		return nil, survey.Errorf(survey.Invalid, "the area needs more than %d cells", limit).WithHint("ask for a smaller area")
	}
	return all, nil
}
