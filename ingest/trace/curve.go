package trace

import (
	"math"
	"slices"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Curve tells where a vehicle was between the fixes of a cleaned trace.
type Curve struct {
	tr  survey.Trace
	gap time.Duration
}

// MaxGap is the longest time between two fixes that is bridged, as long as a drive may pause. A longer one is bridged
// only when the vehicle did not move (standstill metres or less).
const (
	MaxGap                = 60 * time.Second
	standstill geo.Meters = 20
	edge                  = time.Second // reach beyond the first and the last fix
)

// NewCurve makes a curve of a trace in time order without repeated times, as Clean and the readers give it. The trace
// is kept, not copied. gap is the longest time bridged; 0 means MaxGap.
func NewCurve(tr survey.Trace, gap time.Duration) *Curve {
	if gap <= 0 {
		gap = MaxGap
	}
	return &Curve{tr: tr, gap: gap}
}

// Span is the first and the last moment that At can answer; both zero for an empty trace.
func (c *Curve) Span() (from, to time.Time) {
	if len(c.tr) == 0 {
		return
	}
	return c.tr[0].Time.Add(-edge), c.tr[len(c.tr)-1].Time.Add(edge)
}

// At is the fix at t, with speed and heading from the curve where the trace has none; false when no fix is near enough
// in time. Position is a cubic Hermite curve in the plane tangent at the earlier fix: its end velocities are the
// receiver's speed and course where it gives them, else those of a Catmull-Rom curve over the neighbours. Other values
// are those of the nearer fix.
func (c *Curve) At(t time.Time) (survey.Fix, bool) {
	tr := c.tr
	if len(tr) == 0 {
		return survey.Fix{}, false
	}
	i, exact := slices.BinarySearchFunc(tr, t, func(f survey.Fix, t time.Time) int { return f.Time.Compare(t) })
	if exact {
		return c.dress(tr[i], i), true
	}
	if i == 0 || i == len(tr) {
		j := max(i-1, 0)
		d := t.Sub(tr[j].Time)
		if d < -edge || d > edge {
			return survey.Fix{}, false
		}
		f := c.dress(tr[j], j)
		vx, vy := c.velocity(j)
		f.Point = offset(f.Point, vx*d.Seconds(), vy*d.Seconds())
		f.Time = t
		return f, true
	}
	a, b := tr[i-1], tr[i]
	dt := b.Time.Sub(a.Time)
	still := geo.Distance(a.Point, b.Point) <= standstill
	if dt > c.gap && !still {
		return survey.Fix{}, false
	}
	s := float64(t.Sub(a.Time)) / float64(dt)
	near := i - 1
	if s > 0.5 {
		near = i
	}
	f := c.dress(tr[near], near)
	f.Time = t
	if a.HasAlt && b.HasAlt {
		f.Alt = a.Alt + (b.Alt-a.Alt)*geo.Meters(s)
	}
	if a.HasSpeed && b.HasSpeed {
		f.Speed = a.Speed + (b.Speed-a.Speed)*geo.SpeedMPS(s)
	}
	x, y := plane(a.Point, b.Point)
	if still || dt > c.gap {
		f.Point = offset(a.Point, x*s, y*s)
		return f, true
	}
	T := dt.Seconds()
	m0x, m0y := c.velocity(i - 1)
	m1x, m1y := c.velocity(i)
	m0x, m0y, m1x, m1y = m0x*T, m0y*T, m1x*T, m1y*T
	// A tangent much longer than the chord makes loops; the limit is that of Fritsch and Carlson (1980).
	if limit := 3 * math.Hypot(x, y); limit > 0 {
		m0x, m0y = clampLen(m0x, m0y, limit)
		m1x, m1y = clampLen(m1x, m1y, limit)
	}
	s2, s3 := s*s, s*s*s
	h10, h01, h11 := s3-2*s2+s, 3*s2-2*s3, s3-s2
	f.Point = offset(a.Point, h10*m0x+h01*x+h11*m1x, h10*m0y+h01*y+h11*m1y)
	d10, d01, d11 := 3*s2-4*s+1, 6*s-6*s2, 3*s2-2*s
	dx, dy := d10*m0x+d01*x+d11*m1x, d10*m0y+d01*y+d11*m1y
	if math.Hypot(dx, dy) > 1e-9 {
		f.Heading, f.HasHeading = geo.NormalizeBearing(math.Atan2(dx, dy)*180/math.Pi), true
	}
	return f, true
}

// dress gives fix i the speed and course of its neighbours where it has none of its own.
func (c *Curve) dress(f survey.Fix, i int) survey.Fix {
	if f.HasSpeed && f.HasHeading {
		return f
	}
	x, y := c.chord(i)
	v := math.Hypot(x, y)
	if !f.HasSpeed {
		f.Speed, f.HasSpeed = geo.SpeedMPS(v), true
	}
	if !f.HasHeading && v > 0.5 {
		f.Heading, f.HasHeading = geo.NormalizeBearing(math.Atan2(x, y)*180/math.Pi), true
	}
	return f
}

// velocity is metres a second east and north at fix i.
func (c *Curve) velocity(i int) (x, y float64) {
	f := c.tr[i]
	if f.HasSpeed && f.HasHeading {
		s, co := math.Sincos(float64(f.Heading) * math.Pi / 180)
		return float64(f.Speed) * s, float64(f.Speed) * co
	}
	return c.chord(i)
}

// chord is the velocity at fix i by its neighbours: the derivative of the parabola through the three, as Catmull-Rom
// over unequal times.
func (c *Curve) chord(i int) (x, y float64) {
	var px, py, pt, nx, ny, nt float64
	if i > 0 {
		if dt := c.tr[i].Time.Sub(c.tr[i-1].Time); dt <= c.gap {
			px, py = plane(c.tr[i-1].Point, c.tr[i].Point)
			pt = dt.Seconds()
		}
	}
	if i+1 < len(c.tr) {
		if dt := c.tr[i+1].Time.Sub(c.tr[i].Time); dt <= c.gap {
			nx, ny = plane(c.tr[i].Point, c.tr[i+1].Point)
			nt = dt.Seconds()
		}
	}
	switch {
	case pt > 0 && nt > 0:
		w := nt / (pt + nt)
		return w*px/pt + (1-w)*nx/nt, w*py/pt + (1-w)*ny/nt
	case pt > 0:
		return px / pt, py / pt
	case nt > 0:
		return nx / nt, ny / nt
	}
	return 0, 0
}

// plane is b in metres east and north of a, in the plane tangent at a: good to a millimetre over a kilometre.
func plane(a, b geo.Point) (x, y float64) {
	k := float64(geo.EarthRadius) * math.Pi / 180
	return geo.WrapLon(b.Lon-a.Lon) * k * math.Cos((a.Lat+b.Lat)/2*math.Pi/180), (b.Lat - a.Lat) * k
}

// offset is the inverse of plane.
func offset(a geo.Point, x, y float64) geo.Point {
	k := float64(geo.EarthRadius) * math.Pi / 180
	lat := a.Lat + y/k
	c := math.Cos((a.Lat + lat) / 2 * math.Pi / 180)
	if c < 1e-6 {
		return a
	}
	return geo.Point{Lat: lat, Lon: geo.WrapLon(a.Lon + x/(k*c))}
}

func clampLen(x, y, limit float64) (float64, float64) {
	if l := math.Hypot(x, y); l > limit {
		return x * limit / l, y * limit / l
	}
	return x, y
}

// MedianOffset is the median of the offsets (the lower of the middle two), and their spread: the largest distance from
// it. It is how a camera's clock is compared with GPS time.
func MedianOffset(ds []time.Duration) (median, spread time.Duration) {
	if len(ds) == 0 {
		return 0, 0
	}
	s := slices.Clone(ds)
	slices.Sort(s)
	median = s[(len(s)-1)/2]
	return median, max(s[len(s)-1]-median, median-s[0])
}
