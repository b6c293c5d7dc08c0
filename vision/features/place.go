package features

import (
	"cmp"
	"container/heap"
	"math"
	"slices"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// View is a published frame of a drive with what is seen in it.
type View struct {
	Frame      survey.FrameID
	CapturedAt time.Time
	Point      geo.Point
	Heading    geo.BearingDeg // of the camera's axis
	Accuracy   geo.Meters     // of the position; 0 unknown
	Width      int            // of the picture the sightings' pixels belong to
	FOV        float64        // horizontal, degrees; 0 unknown
	Sightings  []survey.Sighting
}

// What a place must agree with.
const (
	assumedFOV = 90.0             // degrees, where the camera does not tell
	pairWindow = 10 * time.Second // between the two views that a place is tried from
	window     = 40 * time.Second // how long a thing beside the road stays in view, in slow traffic
	leastBase  = 3.0              // metres between the two views that a place is tried from
	leastRange = 2.0              // metres from the camera
	mostRange  = 80.0
	bearingDeg = 2.0  // one standard deviation of a bearing: heading, lens, box
	lensShare  = 0.1  // and this share of the angle off the axis, where the field of view is assumed
	agree      = 2.0  // standard deviations
	sizeRatio  = 1.5  // by how much height × distance may differ from the median
	mostSigma  = 15.0 // metres: what is placed worse than that is not
	unknownFix = 5.0  // metres, accuracy of a position that does not tell
)

// Placed is a feature with the sightings that agree on it, one a frame, in the drive's order.
type Placed struct {
	survey.MapFeature // without Cell
	Seen              []survey.Sighting
}

// ray is a sighting as a line on the ground, in metres east and north of the drive's first frame.
type ray struct {
	view, n  int // of views, and of its sightings
	x, y     float64
	bearing  float64 // radians clockwise from north
	sigma    float64 // of it, radians
	height   float64 // of the box, as the tangent of the angle it fills
	used     bool
	at       time.Time
	class    survey.Class
	kind     survey.FeatureKind
	accuracy float64
}

// Place gives what at least survey.MinFeatureFrames frames of a drive agree on, best supported first. Views must be in
// the drive's order. The uncertainty holds the bearings' and the receiver's, which all frames of a passage share.
func Place(drive survey.DriveID, views []View) []Placed {
	rays := raysOf(views)
	var out []Placed
	tries := crossings(rays)
	for tries.Len() > 0 {
		c := heap.Pop(tries).(crossing)
		seen, miss := agreeing(rays, c.from, c.x, c.y)
		if len(seen) < survey.MinFeatureFrames {
			continue
		}
		if len(seen) < c.frames { // some belong to another place meanwhile
			c.frames, c.miss = len(seen), miss
			heap.Push(tries, c)
			continue
		}
		x, y, sigma := refine(rays, seen, c.x, c.y)
		var s []survey.Sighting
		f := survey.MapFeature{Drive: drive, Frames: len(seen)}
		worst := 0.0
		for _, i := range seen {
			r := &rays[i]
			r.used = true
			one := views[r.view].Sightings[r.n]
			one.Frame = views[r.view].Frame
			s = append(s, one)
			f.Class, f.Kind = r.class, r.kind
			f.Confidence = max(f.Confidence, one.Confidence)
			worst = math.Max(worst, r.accuracy)
		}
		sigma = math.Hypot(sigma, worst)
		if sigma > mostSigma || math.IsNaN(sigma) {
			continue // the rays are used up; others may be left
		}
		f.FirstSeen, f.LastSeen = rays[seen[0]].at, rays[seen[len(seen)-1]].at
		f.Point = unproject(views[0].Point, x, y)
		f.Sigma = geo.Meters(sigma)
		f.ID = survey.NewFeatureID(drive, f.Class, s)
		out = append(out, Placed{f, s})
	}
	return out
}

func raysOf(views []View) []ray {
	var out []ray
	for vi, v := range views {
		x, y := project(views[0].Point, v.Point)
		fov, share := v.FOV, 0.0
		if fov <= 0 {
			fov, share = assumedFOV, lensShare
		}
		f := float64(v.Width) / 2 / math.Tan(fov*math.Pi/360)
		acc := float64(v.Accuracy)
		if acc <= 0 {
			acc = unknownFix
		}
		for n, s := range v.Sightings {
			off := math.Atan((float64(s.X) + float64(s.W)/2 - float64(v.Width)/2) / f)
			out = append(out, ray{view: vi, n: n, x: x, y: y, bearing: float64(v.Heading)*math.Pi/180 + off,
				sigma: bearingDeg*math.Pi/180 + share*math.Abs(off), height: float64(s.H) / f * math.Cos(off),
				at: v.CapturedAt, class: s.Class, kind: s.Kind, accuracy: acc})
		}
	}
	return out
}

// crossing is where two rays of one kind meet, and how many frames agree.
type crossing struct {
	from   int // the earlier ray
	x, y   float64
	frames int
	miss   float64
}

// queue gives the best supported crossing first.
type queue []crossing

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	a, b := q[i], q[j]
	return cmp.Or(cmp.Compare(b.frames, a.frames), cmp.Compare(a.miss, b.miss), cmp.Compare(a.from, b.from), cmp.Compare(a.x, b.x)) < 0
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(v any)   { *q = append(*q, v.(crossing)) }
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// crossings tries each two rays of one kind that are near in time.
func crossings(rays []ray) *queue {
	q := &queue{}
	for i := range rays {
		a := &rays[i]
		for j := i + 1; j < len(rays) && rays[j].at.Sub(a.at) <= pairWindow; j++ {
			b := &rays[j]
			if !alike(a, b) || math.Hypot(b.x-a.x, b.y-a.y) < leastBase {
				continue
			}
			x, y, ok := cross(a, b)
			if !ok {
				continue
			}
			if in, miss := agreeing(rays, i, x, y); len(in) >= survey.MinFeatureFrames {
				*q = append(*q, crossing{i, x, y, len(in), miss})
			}
		}
	}
	heap.Init(q)
	return q
}

func alike(a, b *ray) bool { return a.view != b.view && a.class == b.class && a.kind == b.kind }

// cross is where two rays meet, ahead of both and in range.
func cross(a, b *ray) (x, y float64, ok bool) {
	ax, ay, bx, by := math.Sin(a.bearing), math.Cos(a.bearing), math.Sin(b.bearing), math.Cos(b.bearing)
	det := ax*by - ay*bx
	if math.Abs(det) < 0.02 { // a degree
		return 0, 0, false
	}
	t := ((b.x-a.x)*by - (b.y-a.y)*bx) / det
	u := ((b.x-a.x)*ay - (b.y-a.y)*ax) / det
	return a.x + t*ax, a.y + t*ay, t >= leastRange && t <= mostRange && u >= leastRange && u <= mostRange
}

// agreeing gives, for each view near ray i in time, the ray that points best to (x, y), if one does, less those whose
// size says another distance; and how much they miss by, in variances.
func agreeing(rays []ray, i int, x, y float64) (in []int, miss float64) {
	type hit struct {
		n          int
		miss, size float64
	}
	var hits []hit
	for j := i; j < len(rays) && rays[j].at.Sub(rays[i].at) <= window; j++ {
		r := &rays[j]
		if r.used || j != i && (r.class != rays[i].class || r.kind != rays[i].kind || r.view == rays[i].view) {
			continue
		}
		dx, dy := x-r.x, y-r.y
		d := math.Hypot(dx, dy)
		e := turn(math.Atan2(dx, dy)-r.bearing) / r.sigma
		if d < leastRange || d > mostRange || math.Abs(e) > agree {
			continue
		}
		h := hit{j, e * e, r.height * d}
		if k := len(hits) - 1; k >= 0 && rays[hits[k].n].view == r.view {
			if h.miss < hits[k].miss {
				hits[k] = h
			}
			continue
		}
		hits = append(hits, h)
	}
	if len(hits) == 0 {
		return nil, 0
	}
	sizes := make([]float64, len(hits))
	for k, h := range hits {
		sizes[k] = h.size
	}
	slices.Sort(sizes)
	mid := sizes[len(sizes)/2]
	for _, h := range hits {
		if h.size < mid*sizeRatio && h.size > mid/sizeRatio {
			in, miss = append(in, h.n), miss+h.miss
		}
	}
	return in, miss / math.Max(float64(len(in)), 1)
}

// refine moves (x, y) to where the bearings miss least, each weighed by its variance, and gives the standard deviation
// along the worst direction.
func refine(rays []ray, seen []int, x, y float64) (rx, ry, sigma float64) {
	for range 8 {
		var xx, xy, yy, gx, gy float64
		for _, i := range seen {
			r := &rays[i]
			dx, dy := x-r.x, y-r.y
			d2 := dx*dx + dy*dy
			e := turn(math.Atan2(dx, dy) - r.bearing)
			jx, jy, w := dy/d2, -dx/d2, 1/(r.sigma*r.sigma)
			xx, xy, yy = xx+w*jx*jx, xy+w*jx*jy, yy+w*jy*jy
			gx, gy = gx+w*jx*e, gy+w*jy*e
		}
		det := xx*yy - xy*xy
		if det <= 1e-12 {
			return x, y, math.NaN()
		}
		// Variance along the worst direction: the reciprocal of the smaller eigenvalue.
		mean, diff := (xx+yy)/2, math.Hypot((xx-yy)/2, xy)
		sigma = 1 / math.Sqrt(math.Max(mean-diff, 1e-12))
		sx, sy := (yy*gx-xy*gy)/det, (xx*gy-xy*gx)/det
		x, y = x-sx, y-sy
		if math.Hypot(sx, sy) < 0.01 {
			break
		}
	}
	return x, y, sigma
}

// turn brings an angle into (−π, π].
func turn(a float64) float64 { return math.Remainder(a, 2*math.Pi) }

// project gives metres east and north of an origin; unproject is its inverse. Drives are short enough for a plane.
func project(o, p geo.Point) (x, y float64) {
	d, b := float64(geo.Distance(o, p)), float64(geo.Bearing(o, p))*math.Pi/180
	return d * math.Sin(b), d * math.Cos(b)
}

func unproject(o geo.Point, x, y float64) geo.Point {
	return geo.Destination(o, geo.NormalizeBearing(math.Atan2(x, y)*180/math.Pi), geo.Meters(math.Hypot(x, y)))
}

// Sort orders features by when they were first seen, then by id.
func Sort(ps []Placed) {
	slices.SortFunc(ps, func(a, b Placed) int {
		return cmp.Or(a.FirstSeen.Compare(b.FirstSeen), cmp.Compare(a.ID, b.ID))
	})
}
