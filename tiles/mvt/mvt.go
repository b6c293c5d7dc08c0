// Package mvt encodes Mapbox vector tiles, version 2.1 of the specification, by appending to buffers that it reuses.
//
// It takes geometry in integer tile coordinates and attribute values interned in a Dict, and enforces what the
// specification demands and encoders get wrong: layer version 2, no LineTo of length zero, exterior rings of positive
// area, no geometry that collapsed to nothing, one copy of each key and value in a layer. The same calls give the same
// bytes. It does not project, clip or simplify: that is tiles/build.
//
// Source: github.com/mapbox/vector-tile-spec, 2.1.
package mvt

import (
	"encoding/binary"
	"math"
	"slices"
)

// Extent is the side of a tile in its own coordinates.
const Extent = 4096

// Value is a distinct attribute value of a Dict. The zero Value is no value: Tag leaves it out.
type Value uint32

// Dict holds distinct attribute values with their encoding, so that a tile refers to a value by an array look-up instead
// of hashing it. The zero Dict is ready. It is not safe for concurrent writes; encoders may share one that no longer
// changes.
type Dict struct {
	enc     []byte
	end     []uint64 // enc[end[v-1]:end[v]] is Value v's message in a layer; end[0] is 0
	strings map[string]Value
	ints    map[int64]Value
	floats  map[uint64]Value
	bools   [2]Value
}

// Len is the largest Value made so far.
func (d *Dict) Len() int { return max(len(d.end)-1, 0) }

// Freeze gives up the memory that interning needs. The values stay; interning one again makes it twice.
func (d *Dict) Freeze() { d.strings, d.ints, d.floats = nil, nil, nil }

// Type is what TileJSON calls the type of a value: String, Number or Boolean; empty for no value.
func (d *Dict) Type(v Value) string {
	if v == 0 {
		return ""
	}
	m := d.enc[d.end[v-1]+1:] // past the tag
	for m[0] >= 0x80 {
		m = m[1:]
	}
	switch m[1] { // past the length
	case 0x0a:
		return "String"
	case 0x38:
		return "Boolean"
	}
	return "Number"
}

func (d *Dict) add(msg ...byte) Value {
	if len(d.end) == 0 {
		d.end = append(d.end, 0)
	}
	d.enc = append(d.enc, msg...)
	d.end = append(d.end, uint64(len(d.enc)))
	return Value(len(d.end) - 1)
}

// String interns a string.
func (d *Dict) String(s string) Value {
	if v, ok := d.strings[s]; ok {
		return v
	}
	return d.newString(s)
}

// Bytes is String without a conversion when the value is known.
func (d *Dict) Bytes(s []byte) Value {
	if v, ok := d.strings[string(s)]; ok {
		return v
	}
	return d.newString(string(s))
}

func (d *Dict) newString(s string) Value {
	if d.strings == nil {
		d.strings = map[string]Value{}
	}
	var b [24]byte
	inner := 1 + uvarintLen(uint64(len(s))) + len(s)
	m := append(b[:0], 0x22)
	m = binary.AppendUvarint(m, uint64(inner))
	m = append(m, 0x0a)
	m = binary.AppendUvarint(m, uint64(len(s)))
	v := d.add(append(m, s...)...)
	d.strings[s] = v
	return v
}

// Int interns an integer: uint_value when it is not negative, sint_value otherwise. JavaScript reads integers beyond
// 2^53 inexactly; send those as strings.
func (d *Dict) Int(i int64) Value {
	if v, ok := d.ints[i]; ok {
		return v
	}
	if d.ints == nil {
		d.ints = map[int64]Value{}
	}
	tag, u := byte(0x28), uint64(i)
	if i < 0 {
		tag, u = 0x30, uint64(i<<1)^uint64(i>>63)
	}
	var b [16]byte
	m := append(b[:0], 0x22, byte(1+uvarintLen(u)), tag)
	v := d.add(binary.AppendUvarint(m, u)...)
	d.ints[i] = v
	return v
}

// Float interns a number: as a float when that is exact, as a double otherwise. Not-a-number is no value.
func (d *Dict) Float(f float64) Value {
	if f != f {
		return 0
	}
	bits := math.Float64bits(f)
	if v, ok := d.floats[bits]; ok {
		return v
	}
	if d.floats == nil {
		d.floats = map[uint64]Value{}
	}
	var b [16]byte
	m := append(b[:0], 0x22)
	if float64(float32(f)) == f {
		m = append(m, 5, 0x15)
		m = binary.LittleEndian.AppendUint32(m, math.Float32bits(float32(f)))
	} else {
		m = append(m, 9, 0x19)
		m = binary.LittleEndian.AppendUint64(m, bits)
	}
	v := d.add(m...)
	d.floats[bits] = v
	return v
}

// Bool interns a boolean.
func (d *Dict) Bool(t bool) Value {
	i := 0
	if t {
		i = 1
	}
	if d.bools[i] == 0 {
		d.bools[i] = d.add(0x22, 2, 0x38, byte(i))
	}
	return d.bools[i]
}

// Merge interns every value of from and returns the translation, indexed by from's Values. Which numbers new values get
// is not defined; no encoded byte depends on it.
func (d *Dict) Merge(from *Dict) []Value {
	tr := make([]Value, from.Len()+1)
	for s, v := range from.strings {
		tr[v] = d.String(s)
	}
	for i, v := range from.ints {
		tr[v] = d.Int(i)
	}
	for f, v := range from.floats {
		tr[v] = d.Float(math.Float64frombits(f))
	}
	for i, v := range from.bools {
		if v != 0 {
			tr[v] = d.Bool(i == 1)
		}
	}
	return tr
}

// Coord is a point in tile coordinates, right and down from the tile's top left corner. Values outside [0, Extent) are
// in the buffer.
type Coord struct{ X, Y int32 }

type geomType byte

const (
	point   geomType = 1
	line    geomType = 2
	polygon geomType = 3
)

// Encoder encodes tiles one after another. It is not safe for concurrent use; give each worker its own.
//
//	e.Reset()
//	e.StartLayer("roads", mvt.Extent, keys, dict)
//	e.Tag(0, value); e.Line(coords); e.EndFeature(id)
//	e.EndLayer()
//	tile := e.Tile()
type Encoder struct {
	d    *Dict
	tile []byte

	name    string
	extent  uint32
	keys    []string
	feats   []byte
	keyMsgs []byte
	valMsgs []byte
	n       int // features in the layer
	nKeys   uint32
	nVals   uint32
	gen     uint32
	keySlot []slot
	valSlot []slot

	tags   []byte
	geom   []byte
	ring   []Coord
	kind   geomType
	points int // of a multipoint, so far
	cursor Coord
	hole   bool // the exterior ring in force was dropped: its interior rings go too
}

// slot is the index of a key or value in the layer of generation gen; it is in no other.
type slot struct{ gen, index uint32 }

// Reset begins a tile.
func (e *Encoder) Reset() { e.tile = e.tile[:0] }

// StartLayer begins a layer whose values are in d. Names must be unique in a tile. keys are the attribute names that Tag
// refers to by index; only those used are written.
func (e *Encoder) StartLayer(name string, extent uint32, keys []string, d *Dict) {
	e.name, e.extent, e.keys, e.d = name, extent, keys, d
	e.feats, e.keyMsgs, e.valMsgs = e.feats[:0], e.keyMsgs[:0], e.valMsgs[:0]
	e.n, e.nKeys, e.nVals = 0, 0, 0
	e.growValues()
	if n := len(keys); len(e.keySlot) < n {
		e.keySlot = append(e.keySlot, make([]slot, n-len(e.keySlot))...)
	}
	if e.gen++; e.gen == 0 { // wrapped after 2^32 layers
		clear(e.valSlot)
		clear(e.keySlot)
		e.gen = 1
	}
	e.clear()
}

func (e *Encoder) growValues() {
	if n := e.d.Len() + 1; len(e.valSlot) < n {
		e.valSlot = append(e.valSlot, make([]slot, n-len(e.valSlot))...)
	}
}

func (e *Encoder) clear() {
	e.tags, e.geom = e.tags[:0], e.geom[:0]
	e.kind, e.points, e.cursor, e.hole = 0, 0, Coord{}, false
}

// Features is how many features the layer holds; Size about how many bytes it takes.
func (e *Encoder) Features() int { return e.n }

// Size is the bytes of the layer so far, name and frame excluded.
func (e *Encoder) Size() int { return len(e.feats) + len(e.keyMsgs) + len(e.valMsgs) }

// Tag gives the feature in progress the value v for key number k. Values new to the layer are added to it even if the
// feature turns out empty, so put geometry first.
func (e *Encoder) Tag(k int, v Value) {
	if v == 0 {
		return
	}
	ks := &e.keySlot[k]
	if ks.gen != e.gen {
		*ks = slot{e.gen, e.nKeys}
		e.nKeys++
		e.keyMsgs = append(e.keyMsgs, 0x1a)
		e.keyMsgs = binary.AppendUvarint(e.keyMsgs, uint64(len(e.keys[k])))
		e.keyMsgs = append(e.keyMsgs, e.keys[k]...)
	}
	if int(v) >= len(e.valSlot) {
		e.growValues() // the Dict grew since StartLayer
	}
	vs := &e.valSlot[v]
	if vs.gen != e.gen {
		*vs = slot{e.gen, e.nVals}
		e.nVals++
		e.valMsgs = append(e.valMsgs, e.d.enc[e.d.end[v-1]:e.d.end[v]]...)
	}
	e.tags = appendVarint(appendVarint(e.tags, ks.index), vs.index)
}

// Empty reports whether the feature in progress has no geometry that is worth writing.
func (e *Encoder) Empty() bool { return e.kind == 0 }

// Point adds points to a (multi)point feature.
func (e *Encoder) Point(ps ...Coord) {
	for _, p := range ps {
		e.kind = point
		e.points++
		e.geom = e.delta(e.geom, p)
	}
}

// Line adds a line to a (multi)line feature. Repeated points are dropped; a line without two distinct points is not
// added.
func (e *Encoder) Line(ps []Coord) {
	if len(ps) < 2 {
		return
	}
	n := 0
	last := ps[0]
	for _, p := range ps[1:] {
		if p != last {
			n++
			last = p
		}
	}
	if n == 0 {
		return
	}
	e.kind = line
	g := slices.Grow(e.geom, 16+10*len(ps))
	g = e.delta(append(g, 1<<3|1), ps[0])
	g = appendVarint(g, uint32(n)<<3|2)
	at := e.cursor
	i := len(g)
	g = g[:cap(g)]
	for _, p := range ps[1:] {
		if p != at {
			i = putVarint(g, i, zigzag(p.X-at.X))
			i = putVarint(g, i, zigzag(p.Y-at.Y))
			at = p
		}
	}
	e.cursor = at
	e.geom = g[:i]
}

// Ring adds a ring to a (multi)polygon feature: an exterior one, followed by the interior rings inside it. Whether the
// first point is repeated at the end and which way the ring turns do not matter; the encoding is as specified in section
// 4.3.3.3. A ring without area is not added, nor are the interior rings of one that was not.
func (e *Encoder) Ring(ps []Coord, interior bool) {
	if interior && e.hole {
		return
	}
	if !interior {
		e.hole = true
	}
	r := e.ring[:0]
	for _, p := range ps {
		if len(r) == 0 || p != r[len(r)-1] {
			r = append(r, p)
		}
	}
	for len(r) > 1 && r[0] == r[len(r)-1] {
		r = r[:len(r)-1]
	}
	e.ring = r
	if len(r) < 3 {
		return
	}
	// Twice the signed area by the surveyor's formula; positive is clockwise on a screen, y pointing down.
	var area int64
	last := r[len(r)-1]
	for _, p := range r {
		area += int64(last.X)*int64(p.Y) - int64(p.X)*int64(last.Y)
		last = p
	}
	if area == 0 {
		return
	}
	if (area > 0) == interior {
		slices.Reverse(r[1:])
	}
	if !interior {
		e.hole = false
	}
	e.kind = polygon
	g := append(e.geom, 1<<3|1)
	g = e.delta(g, r[0])
	g = appendVarint(g, uint32(len(r)-1)<<3|2)
	for _, p := range r[1:] {
		g = e.delta(g, p)
	}
	e.geom = append(g, 1<<3|7)
}

func (e *Encoder) delta(g []byte, p Coord) []byte {
	g = appendVarint(g, zigzag(p.X-e.cursor.X))
	g = appendVarint(g, zigzag(p.Y-e.cursor.Y))
	e.cursor = p
	return g
}

// EndFeature writes the feature and begins the next. An id of 0 is none; ids should be unique in the layer and below
// 2^53. It reports false, and writes nothing, when no geometry was left.
func (e *Encoder) EndFeature(id uint64) bool {
	defer e.clear()
	if e.kind == 0 {
		return false
	}
	geom := len(e.geom)
	if e.kind == point {
		geom += varintLen(uint32(e.points)<<3 | 1)
	}
	size := 2 + 1 + varintLen(uint32(geom)) + geom
	if id != 0 {
		size += 1 + uvarintLen(id)
	}
	if len(e.tags) > 0 {
		size += 1 + varintLen(uint32(len(e.tags))) + len(e.tags)
	}
	f := append(e.feats, 0x12)
	f = appendVarint(f, uint32(size))
	if id != 0 {
		f = append(f, 0x08)
		f = binary.AppendUvarint(f, id)
	}
	if len(e.tags) > 0 {
		f = append(f, 0x12)
		f = appendVarint(f, uint32(len(e.tags)))
		f = append(f, e.tags...)
	}
	f = append(f, 0x18, byte(e.kind), 0x22)
	f = appendVarint(f, uint32(geom))
	if e.kind == point {
		f = appendVarint(f, uint32(e.points)<<3|1)
	}
	e.feats = append(f, e.geom...)
	e.n++
	return true
}

// EndLayer writes the layer into the tile; one without features leaves no trace.
func (e *Encoder) EndLayer() {
	if e.n == 0 {
		return
	}
	size := 1 + uvarintLen(uint64(len(e.name))) + len(e.name) + e.Size() + 1 + varintLen(e.extent) + 2
	t := append(e.tile, 0x1a)
	t = binary.AppendUvarint(t, uint64(size))
	t = append(t, 0x78, 2) // version
	t = append(t, 0x0a)
	t = binary.AppendUvarint(t, uint64(len(e.name)))
	t = append(t, e.name...)
	t = append(t, e.feats...)
	t = append(t, e.keyMsgs...)
	t = append(t, e.valMsgs...)
	t = append(t, 0x28)
	e.tile = appendVarint(t, e.extent)
}

// Tile is the encoded tile, empty when no layer has features. It is valid until the next Reset.
func (e *Encoder) Tile() []byte { return e.tile }

func zigzag(v int32) uint32 { return uint32(v<<1) ^ uint32(v>>31) }

func appendVarint(b []byte, v uint32) []byte {
	switch {
	case v < 1<<7:
		return append(b, byte(v))
	case v < 1<<14:
		return append(b, byte(v)|0x80, byte(v>>7))
	case v < 1<<21:
		return append(b, byte(v)|0x80, byte(v>>7)|0x80, byte(v>>14))
	}
	return binary.AppendUvarint(b, uint64(v))
}

// putVarint writes v at b[i] and gives the next i. b must have five bytes left.
func putVarint(b []byte, i int, v uint32) int {
	for v >= 0x80 {
		b[i] = byte(v) | 0x80
		v >>= 7
		i++
	}
	b[i] = byte(v)
	return i + 1
}

func varintLen(v uint32) int { return uvarintLen(uint64(v)) }

func uvarintLen(v uint64) int {
	n := 1
	for v >= 0x80 {
		v >>= 7
		n++
	}
	return n
}
