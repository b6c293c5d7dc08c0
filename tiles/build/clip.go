package build

import "math"

// shape is the geometry of a feature, whole or cut to a tile.
type shape struct {
	box   box
	xy    []XY
	keep  []uint8
	verts []uint32 // part p is [verts[p], verts[p+1])
	hole  []bool
}

func (s *shape) end(interior bool) {
	s.verts = append(s.verts, uint32(len(s.xy)))
	s.hole = append(s.hole, interior)
}

func (s *shape) add(p XY, keep uint8) {
	s.xy = append(s.xy, p)
	s.keep = append(s.keep, keep)
}

// part gives the vertices of part p.
func (s *shape) part(p int) ([]XY, []uint8) {
	return s.xy[s.verts[p]:s.verts[p+1]], s.keep[s.verts[p]:s.verts[p+1]]
}

func (s *shape) rebox() {
	s.box = emptyBox
	for _, p := range s.xy {
		s.box.add(p)
	}
}

// clipper cuts shapes to boxes with buffers it reuses. Vertices made on an edge matter at every zoom.
type clipper struct{ a, b shape }

func (s *shape) reset() {
	s.xy, s.keep, s.verts, s.hole = s.xy[:0], s.keep[:0], append(s.verts[:0], 0), s.hole[:0]
}

// clip gives the part of s inside b, in memory of its own; nil when nothing is left. whole polygons are not cut but
// given back as they are when they touch the box.
func (c *clipper) clip(s *shape, kind Kind, b box, whole bool) *shape {
	switch kind {
	case Point:
		c.a.reset()
		for i, p := range s.xy {
			if x, y := int64(p.X), int64(p.Y); x >= b.x0 && x <= b.x1 && y >= b.y0 && y <= b.y1 {
				c.a.add(p, s.keep[i])
			}
		}
		if len(c.a.xy) > 0 {
			c.a.end(false)
		}
	case Line:
		c.lines(&c.b, s, b.x0, b.x1, false)
		c.lines(&c.a, &c.b, b.y0, b.y1, true)
	case Polygon:
		c.rings(&c.b, s, b.x0, b.x1, false)
		c.rings(&c.a, &c.b, b.y0, b.y1, true)
		if whole && len(c.a.xy) > 0 {
			return s
		}
	}
	if len(c.a.xy) == 0 {
		return nil
	}
	out := &shape{
		xy: append([]XY(nil), c.a.xy...), keep: append([]uint8(nil), c.a.keep...),
		verts: append([]uint32(nil), c.a.verts...), hole: append([]bool(nil), c.a.hole...),
	}
	out.rebox()
	return out
}

func coord(p XY, y bool) int64 {
	if y {
		return int64(p.Y)
	}
	return int64(p.X)
}

// cross is the point of the segment p–q at v on one axis.
func cross(p, q XY, v int64, y bool) XY {
	if y {
		t := float64(v-int64(p.Y)) / float64(int64(q.Y)-int64(p.Y))
		return XY{uint32(int64(p.X) + int64(math.Round(t*float64(int64(q.X)-int64(p.X))))), uint32(v)}
	}
	t := float64(v-int64(p.X)) / float64(int64(q.X)-int64(p.X))
	return XY{uint32(v), uint32(int64(p.Y) + int64(math.Round(t*float64(int64(q.Y)-int64(p.Y)))))}
}

// lines cuts lines to lo ≤ coordinate ≤ hi on one axis; a line that leaves and returns becomes several.
func (c *clipper) lines(dst, s *shape, lo, hi int64, y bool) {
	dst.reset()
	for p := range s.hole {
		xy, keep := s.part(p)
		open := false
		for i := 1; i < len(xy); i++ {
			a, b := xy[i-1], xy[i]
			va, vb := coord(a, y), coord(b, y)
			if (va < lo && vb < lo) || (va > hi && vb > hi) {
				if open {
					dst.end(false)
					open = false
				}
				continue
			}
			if !open {
				switch {
				case va < lo:
					dst.add(cross(a, b, lo, y), 0)
				case va > hi:
					dst.add(cross(a, b, hi, y), 0)
				default:
					dst.add(a, keep[i-1])
				}
				open = true
			}
			switch {
			case vb < lo:
				dst.add(cross(a, b, lo, y), 0)
			case vb > hi:
				dst.add(cross(a, b, hi, y), 0)
			default:
				dst.add(b, keep[i])
			}
			if vb < lo || vb > hi {
				dst.end(false)
				open = false
			}
		}
		if open {
			dst.end(false)
		}
	}
}

// rings cuts rings to lo ≤ coordinate ≤ hi on one axis (Sutherland and Hodgman).
func (c *clipper) rings(dst, s *shape, lo, hi int64, y bool) {
	dst.reset()
	for p := range s.hole {
		xy, keep := s.part(p)
		for i, a := range xy {
			b := xy[(i+1)%len(xy)]
			va, vb := coord(a, y), coord(b, y)
			if va >= lo && va <= hi {
				dst.add(a, keep[i])
			}
			// Crossings in the order in which the edge meets them.
			if va <= vb {
				if va < lo && vb >= lo {
					dst.add(cross(a, b, lo, y), 0)
				}
				if va <= hi && vb > hi {
					dst.add(cross(a, b, hi, y), 0)
				}
			} else {
				if va > hi && vb <= hi {
					dst.add(cross(a, b, hi, y), 0)
				}
				if va >= lo && vb < lo {
					dst.add(cross(a, b, lo, y), 0)
				}
			}
		}
		if uint32(len(dst.xy)) > dst.verts[len(dst.verts)-1] {
			dst.end(s.hole[p])
		} else if !s.hole[p] {
			dst.end(false) // keeps the holes of a ring that is gone from joining the ring before
		}
	}
}

const never = 255 // the keep of a vertex that matters at no zoom

// importance sets the zoom from which each vertex of a line or ring matters: its distance from the simplified line
// (Douglas and Peucker) exceeds tolerance tile units there, or half a unit at maxZoom.
func importance(xy []XY, keep []uint8, ring bool, tolerance float64, maxZoom int, stack [][2]int32) [][2]int32 {
	n := len(xy)
	if n == 0 {
		return stack
	}
	// limit[z] is the square of the tolerance at z, in world units.
	var limit [worldBits]float64
	for z := 0; z <= maxZoom; z++ {
		unit := float64(int64(1) << (worldBits - extentBits) >> z)
		t := tolerance * unit
		if z == maxZoom {
			t = unit / 2
		}
		limit[z] = t * t
	}
	for i := range keep {
		keep[i] = never
	}
	keep[0], keep[n-1] = 0, 0
	stack = stack[:0]
	if ring {
		// The vertex farthest from the first splits the ring into two lines.
		far, best := 0, 0.0
		for i, p := range xy {
			if d := dist2(p, xy[0]); d > best {
				far, best = i, d
			}
		}
		if far == 0 {
			return stack
		}
		keep[far] = 0
		stack = append(stack, [2]int32{0, int32(far)}, [2]int32{int32(far), int32(n - 1)})
	} else {
		stack = append(stack, [2]int32{0, int32(n - 1)})
	}
	for len(stack) > 0 {
		s := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		a, b := xy[s[0]], xy[s[1]]
		mid, best := int32(-1), 0.0
		dx, dy := float64(int64(b.X)-int64(a.X)), float64(int64(b.Y)-int64(a.Y))
		len2 := float64(dx*dx) + float64(dy*dy) // the conversions keep compilers from fusing
		for i := s[0] + 1; i < s[1]; i++ {
			px, py := float64(int64(xy[i].X)-int64(a.X)), float64(int64(xy[i].Y)-int64(a.Y))
			var d float64
			if dot := float64(px*dx) + float64(py*dy); len2 == 0 || dot <= 0 {
				d = float64(px*px) + float64(py*py)
			} else if dot >= len2 {
				d = dist2(xy[i], b)
			} else {
				c := float64(px*dy) - float64(py*dx)
				d = c * c / len2
			}
			if d > best {
				mid, best = i, d
			}
		}
		if mid < 0 {
			continue
		}
		z := max(keep[s[0]], keep[s[1]]) // never before what it hangs on
		for int(z) <= maxZoom && best <= limit[z] {
			z++
		}
		if int(z) > maxZoom {
			continue
		}
		keep[mid] = z
		stack = append(stack, [2]int32{s[0], mid}, [2]int32{mid, s[1]})
	}
	return stack
}

func dist2(a, b XY) float64 {
	dx, dy := float64(int64(a.X)-int64(b.X)), float64(int64(a.Y)-int64(b.Y))
	return float64(dx*dx) + float64(dy*dy)
}
