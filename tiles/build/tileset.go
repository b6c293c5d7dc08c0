package build

import (
	"slices"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/tiles/archive"
)

// TileSet is a set of tiles by id. The zero TileSet is empty and ready.
type TileSet struct {
	ids  map[uint64]struct{}
	path map[uint64]struct{} // the tiles and all their ancestors
}

// Add puts a tile into the set.
func (s *TileSet) Add(id uint64) {
	if s.ids == nil {
		s.ids, s.path = map[uint64]struct{}{}, map[uint64]struct{}{}
	}
	s.ids[id] = struct{}{}
	for {
		if _, ok := s.path[id]; ok {
			return
		}
		s.path[id] = struct{}{}
		if id == 0 {
			return
		}
		id = archive.Parent(id)
	}
}

// Has reports whether the tile is in the set.
func (s *TileSet) Has(id uint64) bool { _, ok := s.ids[id]; return ok }

// leads reports whether the tile or one below it is in the set.
func (s *TileSet) leads(id uint64) bool { _, ok := s.path[id]; return ok }

// Len is how many tiles the set holds.
func (s *TileSet) Len() int { return len(s.ids) }

// Zooms gives the tiles of zooms minZoom to maxZoom; of a nil set none.
func (s *TileSet) Zooms(minZoom, maxZoom int) *TileSet {
	var out TileSet
	if s == nil {
		return &out
	}
	lo, hi := archive.ZoomBase(minZoom), archive.ZoomBase(maxZoom+1)
	for id := range s.ids {
		if id >= lo && id < hi {
			out.Add(id)
		}
	}
	return &out
}

// IDs lists the tiles in id order.
func (s *TileSet) IDs() []uint64 {
	out := make([]uint64, 0, len(s.ids))
	for id := range s.ids {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// AddLine adds every tile of the layer that a line would be in; a few more are possible.
func (s *TileSet) AddLine(l Layer, line []XY) {
	for z := l.MinZoom; z <= l.MaxZoom; z++ {
		for i := 1; i < len(line); i++ {
			b := emptyBox
			b.add(line[i-1])
			b.add(line[i])
			s.addBox(b, z, false, l.buffer())
		}
	}
}

// AddPoint adds the tile of each zoom of the layer that a point would be in.
func (s *TileSet) AddPoint(l Layer, p XY) {
	for z := l.MinZoom; z <= l.MaxZoom; z++ {
		s.addBox(box{int64(p.X), int64(p.Y), int64(p.X), int64(p.Y)}, z, true, 0)
	}
}

// HasPoint reports whether a point of the layer would be in a tile of the set.
func (s *TileSet) HasPoint(l Layer, p XY) bool {
	for z := l.MinZoom; z <= l.MaxZoom; z++ {
		if s.Has(archive.ID(z, int(p.X>>(worldBits-z)), int(p.Y>>(worldBits-z)))) {
			return true
		}
	}
	return false
}

// AddNear adds every tile of the layer that a line within a distance of p could be in.
func (s *TileSet) AddNear(l Layer, p geo.Point, within geo.Meters) {
	b := emptyBox
	for _, q := range []geo.BearingDeg{0, 90, 180, 270} {
		b.add(Project(geo.Destination(p, q, within)))
	}
	if b.x1-b.x0 > 1<<(worldBits-1) { // over the antimeridian: both edges
		for z := l.MinZoom; z <= l.MaxZoom; z++ {
			s.addBox(box{b.x1, b.y0, 1<<worldBits - 1, b.y1}, z, false, l.buffer())
			s.addBox(box{0, b.y0, b.x0, b.y1}, z, false, l.buffer())
		}
		return
	}
	for z := l.MinZoom; z <= l.MaxZoom; z++ {
		s.addBox(b, z, false, l.buffer())
	}
}

// AddPolygon adds every tile of the layer that a polygon's box touches.
func (s *TileSet) AddPolygon(l Layer, rings ...[]geo.Point) {
	f := NewFeatures(nil)
	f.Begin(Polygon, 0, 0)
	f.Polygon(rings...)
	f.End()
	for p := range f.hole { // one that crosses the antimeridian has a part on each side
		b := emptyBox
		for _, v := range f.xy[f.verts[p]:f.verts[p+1]] {
			b.add(v)
		}
		if b == emptyBox {
			continue
		}
		for z := l.MinZoom; z <= l.MaxZoom; z++ {
			s.addBox(b, z, false, l.buffer())
		}
	}
}

// Box is the smallest box of the world square around all tiles with a buffer in tile units, inclusive.
func (s *TileSet) Box(buffer int) (x0, y0, x1, y1 int64) {
	b := emptyBox
	for id := range s.ids {
		z, x, y := archive.ZXY(id)
		b.join(bounds(z, x, y, int64(buffer)))
	}
	return b.x0, b.y0, b.x1, b.y1
}

// Bounds lists the tiles' boxes in degrees, in id order.
func (s *TileSet) Bounds() []geo.Bounds {
	out := make([]geo.Bounds, 0, len(s.ids))
	for _, id := range s.IDs() {
		z, x, y := archive.ZXY(id)
		b := bounds(z, x, y, 0).degrees()
		out = append(out, geo.Bounds{West: b[0], South: b[1], East: b[2], North: b[3]})
	}
	return out
}

func (s *TileSet) addBox(b box, z int, point bool, buffer int64) {
	pad := int64(0)
	if !point {
		pad = buffer<<(worldBits-extentBits)>>z + 1
	}
	last := int64(1)<<z - 1
	clamp := func(v int64) int { return int(min(max(v>>(worldBits-z), 0), last)) }
	for x := clamp(b.x0 - pad); x <= clamp(b.x1+pad); x++ {
		for y := clamp(b.y0 - pad); y <= clamp(b.y1+pad); y++ {
			s.Add(archive.ID(z, x, y))
		}
	}
}
