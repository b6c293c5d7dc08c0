package hex

import (
	"math"

	"github.com/uber/h3-go/v4"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Pinner gives consecutive positions of one drive their cells with hysteresis: a position outside the cell of the one
// before stays with that cell while a step of Margin towards the cell's centre would be back inside. Jitter of the
// receiver at an edge of less than 0.86 Margin therefore never flips the cell, and no position is given a cell more than
// Margin away. The result depends on the order of the positions, so a drive is pinned once, in capture order, and the
// cell is kept. A Pinner serves one drive at a time and is not safe for concurrent use; Reset starts the next.
type Pinner struct {
	// Margin is the hysteresis. NewPinner sets a quarter of the average edge at the resolution (2.7 m at 12); 0
	// switches it off.
	Margin geo.Meters

	res    int
	edge   float64 // average at the resolution, metres
	cell   survey.Cell
	center vec
}

type vec struct{ x, y, z float64 }

// NewPinner pins to cells at res with the default margin. A res outside 0–15 shows as an error of Cell.
func NewPinner(res int) *Pinner {
	p := &Pinner{res: res}
	if res >= 0 && res <= 15 {
		if e, err := h3.HexagonEdgeLengthAvgM(res); err == nil {
			p.edge, p.Margin = e, geo.Meters(e/4)
		}
	}
	return p
}

// Reset forgets the pinned cell.
func (p *Pinner) Reset() { p.cell = 0 }

// Within surely × edge of its centre a position is inside a cell, beyond never × edge outside, at every place and
// resolution from 5 on; the average edge is the measure. A test walks cells around the globe and the pentagons.
const (
	surely = 0.6
	never  = 1.3
)

// Cell is the cell of the next position. It fails, and keeps what is pinned, as CellOf does.
func (p *Pinner) Cell(at geo.Point) (survey.Cell, error) {
	pinned := p.cell != 0 && p.res >= 5 && at.Valid()
	var v vec
	var d float64
	if pinned {
		v = unit(at)
		if d = p.distance(v); d <= surely*p.edge {
			return p.cell, nil
		}
	}
	if m := float64(p.Margin); pinned && m > 0 && m < d && d <= never*p.edge+m {
		// A cell holds the way from any point of it to its centre: a position that is inside is so a step nearer, too.
		f := m / d
		in := vec{v.x + (p.center.x-v.x)*f, v.y + (p.center.y-v.y)*f, v.z + (p.center.z-v.z)*f}
		if back, err := CellOf(in.point(), p.res); err == nil && back == p.cell {
			return p.cell, nil
		}
	}
	c, err := CellOf(at, p.res)
	if err != nil {
		return 0, err
	}
	if c == p.cell {
		return c, nil
	}
	p.cell, p.center = c, unit(Center(c))
	return c, nil
}

// distance is the chord from the pinned centre to v in metres.
func (p *Pinner) distance(v vec) float64 {
	dx, dy, dz := v.x-p.center.x, v.y-p.center.y, v.z-p.center.z
	return math.Sqrt(dx*dx+dy*dy+dz*dz) * float64(geo.EarthRadius)
}

func unit(p geo.Point) vec {
	sa, ca := math.Sincos(p.Lat * math.Pi / 180)
	so, co := math.Sincos(p.Lon * math.Pi / 180)
	return vec{ca * co, ca * so, sa}
}

func (v vec) point() geo.Point {
	return geo.Point{Lat: math.Atan2(v.z, math.Hypot(v.x, v.y)) * 180 / math.Pi, Lon: math.Atan2(v.y, v.x) * 180 / math.Pi}
}
