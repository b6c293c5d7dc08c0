// Package roads puts drives on the roads of an OpenStreetMap extract: it reads the drivable network, matches traces to
// it with a hidden Markov model, and counts the distinct metres of road seen, by segment and direction, per H3 cell.
//
// Everything else in the project works without it. It draws nothing and plans no routes.
package roads

import (
	"cmp"
	"context"
	"io"
	"math"
	"runtime"
	"slices"

	"github.com/paulmach/osm"
	"github.com/paulmach/osm/osmpbf"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// SegmentID names a piece of a way between two junctions: stable as long as the way's own nodes are.
type SegmentID struct {
	Way  int64 // OSM id
	From int32 // index of its first node in the way
}

// Segment is a stretch of road without a junction inside.
type Segment struct {
	ID     SegmentID
	Class  string // value of the highway tag
	OneWay bool   // drivable only from its first point to its last
	Points []geo.Point
	Length geo.Meters

	a, b  int32     // junctions
	along []float64 // metres from the start at each point
}

// FreshnessClass is the class of the road in the freshness parameters.
func (s *Segment) FreshnessClass() string {
	switch s.Class {
	case "motorway", "motorway_link", "trunk", "trunk_link":
		return "motorway"
	}
	if s.OneWay {
		return "oneway"
	}
	switch s.Class {
	case "primary", "primary_link", "secondary", "secondary_link", "tertiary", "tertiary_link":
		return "main"
	case "residential", "living_street", "unclassified", "service", "road":
		return "residential"
	case "track":
		return "track"
	}
	return "default"
}

// Network is the drivable roads of an extract. It is immutable and safe for concurrent use.
type Network struct {
	Segments []Segment // in order of ID

	out  [][]int32 // directed edges that leave each junction; edge 2i is segment i forward, 2i+1 backward
	grid map[[2]int32][]int32
}

// drivable are the highway values a car may use.
func drivable(class string) bool {
	switch class {
	case "motorway", "motorway_link", "trunk", "trunk_link", "primary", "primary_link", "secondary", "secondary_link",
		"tertiary", "tertiary_link", "unclassified", "residential", "living_street", "service", "road", "track":
		return true
	}
	return false
}

// MaxWays bounds what Read keeps of one extract.
const MaxWays = 5_000_000

// Read takes the drivable roads from an OSM extract in PBF, reading it twice. Private and car-free ways are left out. A
// file that is no PBF is Invalid; one without a drivable road gives an empty network.
func Read(ctx context.Context, r io.ReadSeeker) (*Network, error) {
	type way struct {
		id     int64
		class  string
		dir    int8 // 1 one-way, -1 one-way against the nodes, 0 both
		nodes  []int64
		points []geo.Point
	}
	var ways []way
	uses := make(map[int64]int32) // of each node; its point afterwards
	scan := func(nodes, wayz bool, fn func(osm.Object)) error {
		if _, err := r.Seek(0, io.SeekStart); err != nil {
			return err
		}
		s := osmpbf.New(ctx, r, min(4, runtime.GOMAXPROCS(0)))
		defer s.Close()
		s.SkipNodes, s.SkipWays, s.SkipRelations = !nodes, !wayz, true
		for s.Scan() {
			fn(s.Object())
		}
		if err := s.Err(); err != nil {
			return survey.Errorf(survey.Invalid, "read OSM extract: %w", err)
		}
		return nil
	}
	if err := scan(false, true, func(o osm.Object) {
		w, ok := o.(*osm.Way)
		if !ok || len(w.Nodes) < 2 || len(ways) >= MaxWays {
			return
		}
		class := w.Tags.Find("highway")
		if !drivable(class) || w.Tags.Find("area") == "yes" || forbidden(w.Tags) {
			return
		}
		x := way{id: int64(w.ID), class: class, dir: oneway(w.Tags, class)}
		for i, n := range w.Nodes {
			x.nodes = append(x.nodes, int64(n.ID))
			uses[int64(n.ID)]++
			if i == 0 || i == len(w.Nodes)-1 {
				uses[int64(n.ID)]++ // ends are junctions
			}
		}
		ways = append(ways, x)
	}); err != nil {
		return nil, err
	}
	at := make(map[int64]geo.Point, len(uses))
	if err := scan(true, false, func(o osm.Object) {
		if n, ok := o.(*osm.Node); ok {
			if _, used := uses[int64(n.ID)]; used {
				at[int64(n.ID)] = geo.Point{Lat: n.Lat, Lon: n.Lon}
			}
		}
	}); err != nil {
		return nil, err
	}
	slices.SortFunc(ways, func(a, b way) int { return cmp.Compare(a.id, b.id) })
	n := &Network{grid: make(map[[2]int32][]int32)}
	junction := make(map[int64]int32)
	number := func(node int64) int32 {
		j, ok := junction[node]
		if !ok {
			j = int32(len(junction))
			junction[node] = j
		}
		return j
	}
	for _, w := range ways {
		from := -1
		var pts []geo.Point
		for i, id := range w.nodes {
			p, known := at[id]
			if !known { // cut off by the extract's edge
				from, pts = -1, nil
				continue
			}
			pts = append(pts, p)
			if from < 0 {
				from = i
				continue
			}
			last := i == len(w.nodes)-1
			if !last {
				_, next := at[w.nodes[i+1]]
				last = !next
			}
			if !last && uses[id] < 2 {
				continue
			}
			s := Segment{ID: SegmentID{w.id, int32(from)}, Class: w.class, OneWay: w.dir != 0, Points: pts, a: number(w.nodes[from]), b: number(id)}
			if w.dir < 0 {
				slices.Reverse(s.Points)
				s.a, s.b = s.b, s.a
			}
			s.measure()
			if s.Length > 0 {
				n.Segments = append(n.Segments, s)
			}
			from, pts = i, []geo.Point{p}
		}
	}
	n.connect(len(junction))
	return n, nil
}

// New makes a network of segments from another source. Segments whose ends have the same coordinates meet there; each
// needs an ID of its own, a class and at least two points.
func New(segments []Segment) (*Network, error) {
	n := &Network{Segments: slices.Clone(segments), grid: make(map[[2]int32][]int32)}
	slices.SortFunc(n.Segments, func(a, b Segment) int {
		return cmp.Or(cmp.Compare(a.ID.Way, b.ID.Way), cmp.Compare(a.ID.From, b.ID.From))
	})
	junction := make(map[geo.Point]int32)
	number := func(p geo.Point) int32 {
		j, ok := junction[p]
		if !ok {
			j = int32(len(junction))
			junction[p] = j
		}
		return j
	}
	for i := range n.Segments {
		s := &n.Segments[i]
		if len(s.Points) < 2 || i > 0 && s.ID == n.Segments[i-1].ID {
			return nil, survey.Errorf(survey.Invalid, "segment %v has %d points or occurs twice", s.ID, len(s.Points))
		}
		s.a, s.b = number(s.Points[0]), number(s.Points[len(s.Points)-1])
		if s.measure(); s.Length == 0 {
			return nil, survey.Errorf(survey.Invalid, "segment %v has no length", s.ID)
		}
	}
	n.connect(len(junction))
	return n, nil
}

func forbidden(t osm.Tags) bool {
	for _, k := range []string{"motorcar", "motor_vehicle", "vehicle", "access"} {
		switch t.Find(k) {
		case "no", "private":
			return true
		case "":
		default:
			return false // the more specific tag decides
		}
	}
	return false
}

func oneway(t osm.Tags, class string) int8 {
	switch t.Find("oneway") {
	case "yes", "1", "true":
		return 1
	case "-1", "reverse":
		return -1
	case "no":
		return 0
	}
	if j := t.Find("junction"); j == "roundabout" || j == "circular" || class == "motorway" || class == "motorway_link" {
		return 1
	}
	return 0
}

func (s *Segment) measure() {
	s.along = make([]float64, len(s.Points))
	for i := 1; i < len(s.Points); i++ {
		s.along[i] = s.along[i-1] + float64(geo.Distance(s.Points[i-1], s.Points[i]))
	}
	s.Length = geo.Meters(s.along[len(s.along)-1])
}

// At is the point of the segment the distance from its start.
func (s *Segment) At(d geo.Meters) geo.Point {
	x := min(max(float64(d), 0), float64(s.Length))
	i, _ := slices.BinarySearch(s.along, x)
	if i == 0 {
		return s.Points[0]
	}
	i = min(i, len(s.along)-1)
	step := s.along[i] - s.along[i-1]
	if step == 0 {
		return s.Points[i]
	}
	return geo.Interpolate(s.Points[i-1], s.Points[i], (x-s.along[i-1])/step)
}

// gridDeg is the side of the look-up grid: 111 m of latitude, less of longitude away from the equator.
const gridDeg = 0.001

func (n *Network) connect(junctions int) {
	n.out = make([][]int32, junctions)
	for i := range n.Segments {
		s := &n.Segments[i]
		n.out[s.a] = append(n.out[s.a], int32(2*i))
		if !s.OneWay {
			n.out[s.b] = append(n.out[s.b], int32(2*i+1))
		}
		seen := make(map[[2]int32]bool)
		for j := 1; j < len(s.Points); j++ {
			// Every grid square that the box of the piece touches: pieces are short, so few are wasted.
			p, q := s.Points[j-1], s.Points[j]
			for y := square(min(p.Lat, q.Lat)); y <= square(max(p.Lat, q.Lat)); y++ {
				for x := square(min(p.Lon, q.Lon)); x <= square(max(p.Lon, q.Lon)); x++ {
					if k := [2]int32{y, x}; !seen[k] {
						seen[k] = true
						n.grid[k] = append(n.grid[k], int32(i))
					}
				}
			}
		}
	}
}

func square(deg float64) int32 { return int32(math.Floor(deg / gridDeg)) }

// candidate is a place on a directed edge.
type candidate struct {
	edge   int32
	offset float64 // metres from where the edge begins, in its direction
	dist   float64 // from the fix
	course geo.BearingDeg
}

func (n *Network) segment(edge int32) *Segment { return &n.Segments[edge>>1] }

// ends are the junctions a directed edge leads from and to.
func (n *Network) ends(edge int32) (from, to int32) {
	s := n.segment(edge)
	if edge&1 == 0 {
		return s.a, s.b
	}
	return s.b, s.a
}

// near are the nearest places on each drivable directed edge within radius of p, the nearest first, at most limit
// segments.
func (n *Network) near(p geo.Point, radius float64, limit int) []candidate {
	const perDeg = float64(geo.EarthRadius) * math.Pi / 180
	cos := math.Cos(p.Lat * math.Pi / 180)
	if cos < 0.01 {
		return nil
	}
	dy, dx := radius/perDeg, radius/(perDeg*cos)
	var found []candidate
	seen := make(map[int32]bool)
	for y := square(p.Lat - dy); y <= square(p.Lat+dy); y++ {
		for x := square(p.Lon - dx); x <= square(p.Lon+dx); x++ {
			for _, i := range n.grid[[2]int32{y, x}] {
				if seen[i] {
					continue
				}
				seen[i] = true
				s := &n.Segments[i]
				best := candidate{edge: 2 * i, dist: math.Inf(1)}
				for j := 1; j < len(s.Points); j++ {
					a, b := s.Points[j-1], s.Points[j]
					ax, ay := (a.Lon-p.Lon)*perDeg*cos, (a.Lat-p.Lat)*perDeg
					bx, by := (b.Lon-p.Lon)*perDeg*cos, (b.Lat-p.Lat)*perDeg
					ux, uy := bx-ax, by-ay
					t := 0.0
					if l := ux*ux + uy*uy; l > 0 {
						t = min(1, max(0, -(ax*ux+ay*uy)/l))
					}
					if d := math.Hypot(ax+t*ux, ay+t*uy); d < best.dist {
						best.dist = d
						best.offset = s.along[j-1] + t*(s.along[j]-s.along[j-1])
						best.course = geo.NormalizeBearing(math.Atan2(ux, uy) * 180 / math.Pi)
					}
				}
				if best.dist <= radius {
					found = append(found, best)
				}
			}
		}
	}
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.dist, b.dist), cmp.Compare(a.edge, b.edge))
	})
	found = found[:min(len(found), limit)]
	for _, c := range found {
		if s := n.segment(c.edge); !s.OneWay {
			c.edge++
			c.offset = float64(s.Length) - c.offset
			c.course = geo.NormalizeBearing(float64(c.course) + 180)
			found = append(found, c)
		}
	}
	return found
}
