package hex

import (
	"math"

	"github.com/uber/h3-go/v4"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Pinner gives consecutive positions of one drive their cells with hysteresis: a position keeps the cell of the one
// before until it is farther than Margin outside that cell, so that jitter of the receiver at an edge does not flip it.
// The result depends on the order of the positions, so a drive is pinned once, in capture order, and the cell is kept.
// A Pinner serves one drive at a time and is not safe for concurrent use; Reset starts the next.
type Pinner struct {
	// Margin is how far outside its cell a position stays pinned. NewPinner sets a quarter of the average edge at the
	// resolution (2.7 m at 12); 0 switches hysteresis off.
	Margin geo.Meters

	res  int
	cell survey.Cell

	// The pinned cell in the plane that touches the globe at its centre (gnomonic projection, metres). Great circles
	// are straight lines there, at the poles and the antimeridian as anywhere.
	center, east, north vec
	ring                []xy
	inner2              float64 // square of the radius around the centre within which a position is surely inside
}

type vec struct{ x, y, z float64 }
type xy struct{ x, y float64 }

// NewPinner pins to cells at res with the default margin. A res outside 0–15 shows as an error of Cell.
func NewPinner(res int) *Pinner {
	p := &Pinner{res: res}
	if res >= 0 && res <= 15 {
		if e, err := h3.HexagonEdgeLengthAvgM(res); err == nil {
			p.Margin = geo.Meters(e / 4)
		}
	}
	return p
}

// Reset forgets the pinned cell.
func (p *Pinner) Reset() { p.cell = 0 }

// Cell is the cell of the next position. It fails, and keeps what is pinned, as CellOf does.
func (p *Pinner) Cell(at geo.Point) (survey.Cell, error) {
	if p.cell != 0 && at.Valid() {
		if q, front := p.project(at); front {
			if q.x*q.x+q.y*q.y <= p.inner2 {
				return p.cell, nil
			}
			if p.Margin > 0 && outside(p.ring, q) <= float64(p.Margin) {
				return p.cell, nil
			}
		}
	}
	c, err := CellOf(at, p.res)
	if err != nil {
		return 0, err
	}
	if c != p.cell {
		p.pin(c)
	}
	return c, nil
}

func (p *Pinner) pin(c survey.Cell) {
	p.cell = c
	m := Center(c)
	p.center = unit(m)
	la, lo := m.Lat*math.Pi/180, m.Lon*math.Pi/180
	p.east = vec{-math.Sin(lo), math.Cos(lo), 0}
	p.north = vec{-math.Sin(la) * math.Cos(lo), -math.Sin(la) * math.Sin(lo), math.Cos(la)}
	p.ring = p.ring[:0]
	for _, b := range Boundary(c) {
		q, _ := p.project(b)
		p.ring = append(p.ring, q)
	}
	in := math.Inf(1)
	for i := range p.ring {
		in = min(in, segment(xy{}, p.ring[i], p.ring[(i+1)%len(p.ring)]))
	}
	in *= 0.95 // short of the edge, where rounding could disagree with the library
	p.inner2 = in * in
}

// project is the place of a in the plane of the pinned cell; front is false for the far half of the globe.
func (p *Pinner) project(a geo.Point) (q xy, front bool) {
	v := unit(a)
	d := dot(v, p.center)
	if d < 0.1 {
		return xy{}, false
	}
	r := float64(geo.EarthRadius) / d
	return xy{dot(v, p.east) * r, dot(v, p.north) * r}, true
}

// outside is the distance from q to the ring, 0 inside it.
func outside(ring []xy, q xy) float64 {
	in, d := true, math.Inf(1)
	for i := range ring {
		a, b := ring[i], ring[(i+1)%len(ring)]
		if (b.x-a.x)*(q.y-a.y)-(b.y-a.y)*(q.x-a.x) < 0 {
			in = false
		}
		d = min(d, segment(q, a, b))
	}
	if in {
		return 0
	}
	return d
}

// segment is the distance from q to the segment ab.
func segment(q, a, b xy) float64 {
	dx, dy := b.x-a.x, b.y-a.y
	t := 0.0
	if l := dx*dx + dy*dy; l > 0 {
		t = min(1, max(0, ((q.x-a.x)*dx+(q.y-a.y)*dy)/l))
	}
	return math.Hypot(q.x-a.x-t*dx, q.y-a.y-t*dy)
}

func unit(p geo.Point) vec {
	la, lo := p.Lat*math.Pi/180, p.Lon*math.Pi/180
	c := math.Cos(la)
	return vec{c * math.Cos(lo), c * math.Sin(lo), math.Sin(la)}
}

func dot(a, b vec) float64 { return a.x*b.x + a.y*b.y + a.z*b.z }
