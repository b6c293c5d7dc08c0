// Package build cuts layers of features into vector tiles.
//
// Features are projected once to integer world coordinates (2^32 to the side of the Web Mercator square), each vertex
// gets the zoom from which it matters, and the tiles are cut from the world down, each from what its parent held, on all
// cores. What a tile holds depends only on the features that touch it and their order, never on what else was built:
// building a part of the tiles gives the same bytes as building all.
//
// A tile has a stated budget. Over it the highest-ranked features are kept and the others counted, and the build goes
// on.
package build

import (
	"math"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/tiles/mvt"
)

// Kind is the geometry of a feature.
type Kind uint8

const (
	Point   Kind = 1 // one or many
	Line    Kind = 2 // one or many
	Polygon Kind = 3 // exterior rings, each followed by its interior ones
)

// XY is a position in the Web Mercator square: 0,0 is 180° W, 85.05° N; 2^32 would be the opposite corner.
type XY struct{ X, Y uint32 }

const worldBits = 32

// Project gives the position in the world square, rounded to nearest (9 mm at the equator). Latitudes beyond those of
// the square are clamped to its edge.
func Project(p geo.Point) XY {
	const world = 1 << worldBits
	x := (p.Lon + 180) / 360 * world
	s := math.Sin(p.Lat * math.Pi / 180)
	y := (0.5 - math.Log((1+s)/(1-s))/(4*math.Pi)) * world
	return XY{clampWorld(x), clampWorld(y)}
}

func clampWorld(v float64) uint32 {
	if !(v > 0) {
		return 0
	}
	if v >= 1<<worldBits-1 {
		return 1<<worldBits - 1
	}
	return uint32(v + 0.5)
}

// Unproject is the inverse of Project.
func (p XY) Unproject() geo.Point {
	const world = 1 << worldBits
	return geo.Point{
		Lat: math.Atan(math.Sinh(math.Pi*(1-2*float64(p.Y)/world))) * 180 / math.Pi,
		Lon: float64(p.X)/world*360 - 180,
	}
}

// Tag is an attribute: an index into Features.Keys and a value of its Dict.
type Tag struct {
	Key   uint32
	Value mvt.Value
}

// Features is an ordered list of features in columns. Order matters: a tile holds its features in this order, later ones
// are drawn over earlier ones. Add features with Begin, then geometry and tags, then End.
type Features struct {
	Dict *mvt.Dict
	Keys []string

	kind  []Kind
	id    []uint64
	rank  []int64
	box   []box    // of feature i
	parts []uint32 // feature i's parts are [parts[i], parts[i+1])
	verts []uint32 // part p's vertices are [verts[p], verts[p+1])
	hole  []bool   // part p is an interior ring
	xy    []XY
	keep  []uint8 // the zoom from which the vertex matters
	tags  []Tag   // feature i's are tags[endsd[i]:endsd[i+1]]
	ends  []uint32

	keyOf map[string]uint32
	bound box
	ready int // features whose keep is computed
}

// NewFeatures makes an empty list whose values are interned in d.
func NewFeatures(d *mvt.Dict, keys ...string) *Features {
	return &Features{Dict: d, Keys: keys, parts: []uint32{0}, verts: []uint32{0}, ends: []uint32{0}, bound: emptyBox}
}

// Len is how many features there are.
func (f *Features) Len() int { return len(f.kind) }

// Key gives the index of an attribute name, adding it if it is new.
func (f *Features) Key(name string) uint32 {
	if f.keyOf == nil {
		f.keyOf = map[string]uint32{}
		for i, k := range f.Keys {
			f.keyOf[k] = uint32(i)
		}
	}
	k, ok := f.keyOf[name]
	if !ok {
		k = uint32(len(f.Keys))
		f.Keys = append(f.Keys, name)
		f.keyOf[name] = k
	}
	return k
}

// Begin starts a feature. An id of 0 is none. When a tile is over its budget, features of higher rank stay.
func (f *Features) Begin(k Kind, id uint64, rank int64) {
	f.kind = append(f.kind, k)
	f.id = append(f.id, id)
	f.rank = append(f.rank, rank)
}

// Part adds a line, a ring or some points to the feature begun.
func (f *Features) Part(ps []XY, interior bool) {
	f.xy = append(f.xy, ps...)
	f.EndPart(interior)
}

// Vertex adds one vertex to the part in progress, which EndPart ends.
func (f *Features) Vertex(p XY) { f.xy = append(f.xy, p) }

// EndPart ends the part in progress.
func (f *Features) EndPart(interior bool) {
	f.verts = append(f.verts, uint32(len(f.xy)))
	f.hole = append(f.hole, interior)
}

// Tag gives the feature begun an attribute; a zero value is left out.
func (f *Features) Tag(key uint32, v mvt.Value) {
	if v != 0 {
		f.tags = append(f.tags, Tag{key, v})
	}
}

// End finishes the feature begun.
func (f *Features) End() {
	b := emptyBox
	for _, p := range f.xy[f.verts[f.parts[len(f.parts)-1]]:] {
		b.add(p)
	}
	f.box = append(f.box, b)
	f.bound.join(b)
	f.parts = append(f.parts, uint32(len(f.hole)))
	f.ends = append(f.ends, uint32(len(f.tags)))
}

// Polygon adds the rings of one polygon given in degrees, the exterior first, to the feature begun. One that crosses the
// antimeridian (two neighbouring vertices more than 180° apart) is cut there in two.
func (f *Features) Polygon(rings ...[]geo.Point) {
	crosses := false
	for _, r := range rings {
		for i, p := range r {
			crosses = crosses || math.Abs(p.Lon-r[(i+1)%len(r)].Lon) > 180
		}
	}
	if !crosses {
		for i, r := range rings {
			for _, p := range r {
				f.Vertex(Project(p))
			}
			f.EndPart(i > 0)
		}
		return
	}
	// In longitudes 0 to 360 the antimeridian is an ordinary line at 180.
	for _, east := range []bool{false, true} {
		for i, r := range rings {
			wide := make([]geo.Point, len(r))
			for k, p := range r {
				if p.Lon < 0 {
					p.Lon += 360
				}
				wide[k] = p
			}
			for _, p := range cutAt180(wide, east) {
				if east {
					p.Lon -= 360
				}
				f.Vertex(Project(p))
			}
			f.EndPart(i > 0)
		}
	}
}

// cutAt180 keeps the part of a ring on one side of longitude 180.
func cutAt180(r []geo.Point, above bool) (out []geo.Point) {
	in := func(p geo.Point) bool { return (p.Lon >= 180) == above }
	for i, p := range r {
		q := r[(i+1)%len(r)]
		if in(p) {
			out = append(out, p)
		}
		if in(p) != in(q) {
			out = append(out, geo.Point{Lat: p.Lat + (q.Lat-p.Lat)*(180-p.Lon)/(q.Lon-p.Lon), Lon: 180})
		}
	}
	return out
}

// Bounds is the box of all features in degrees, west, south, east, north; all zero when there are none.
func (f *Features) Bounds() [4]float64 { return f.bound.degrees() }

// check reports features that no tile can hold.
func (f *Features) check() error {
	if len(f.parts) != len(f.kind)+1 || len(f.ends) != len(f.kind)+1 {
		return survey.Errorf(survey.Internal, "a feature was begun and not ended")
	}
	if len(f.xy) >= math.MaxUint32 || len(f.tags) >= math.MaxUint32 {
		return survey.Errorf(survey.Unsupported, "more than 2^32 vertices or attributes in one build").WithHint("build by region")
	}
	return nil
}

// box is inclusive. It is int64 because buffers reach outside the world.
type box struct{ x0, y0, x1, y1 int64 }

var emptyBox = box{math.MaxInt64, math.MaxInt64, math.MinInt64, math.MinInt64}

func (b *box) add(p XY) {
	x, y := int64(p.X), int64(p.Y)
	b.x0, b.y0, b.x1, b.y1 = min(b.x0, x), min(b.y0, y), max(b.x1, x), max(b.y1, y)
}

func (b *box) join(o box) {
	b.x0, b.y0, b.x1, b.y1 = min(b.x0, o.x0), min(b.y0, o.y0), max(b.x1, o.x1), max(b.y1, o.y1)
}

func (b box) within(o box) bool { return b.x0 >= o.x0 && b.x1 <= o.x1 && b.y0 >= o.y0 && b.y1 <= o.y1 }
func (b box) touches(o box) bool {
	return b.x0 <= o.x1 && b.x1 >= o.x0 && b.y0 <= o.y1 && b.y1 >= o.y0
}

func (b box) degrees() [4]float64 {
	if b.x0 > b.x1 {
		return [4]float64{}
	}
	nw, se := XY{uint32(b.x0), uint32(b.y0)}.Unproject(), XY{uint32(b.x1), uint32(b.y1)}.Unproject()
	return [4]float64{nw.Lon, se.Lat, se.Lon, nw.Lat}
}
