// Package archive writes and reads PMTiles v3 archives and the manifest that says which archives are current.
//
// An archive is written once: clustered (tile data in Hilbert order), deduplicated by content, with runs of equal tiles
// as one entry, and the same bytes for the same tiles. It is read by ranges from any Source. What changes is only the
// Manifest: a base and small deltas of whole tiles, newest first, with tombstones for tiles that became empty. The
// package knows nothing of what is in a tile.
//
// Source: PMTiles specification version 3 (github.com/protomaps/PMTiles, spec/v3/spec.md).
package archive

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// MaxZoom is the deepest zoom whose tile ids this package makes: enough for a tile of 0.6 m.
const MaxZoom = 26

// TileType is the kind of the tiles of an archive.
type TileType uint8

const (
	TileUnknown TileType = iota
	TileMVT              // gzip-compressed Mapbox vector tiles
	TilePNG              // PNG images, stored as they are
)

func (t TileType) String() string {
	switch t {
	case TileMVT:
		return "mvt"
	case TilePNG:
		return "png"
	}
	return "unknown"
}

// MarshalText gives "mvt" or "png".
func (t TileType) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText is the inverse; another word is Invalid.
func (t *TileType) UnmarshalText(b []byte) error {
	switch string(b) {
	case "mvt":
		*t = TileMVT
	case "png":
		*t = TilePNG
	default:
		return survey.Errorf(survey.Invalid, "tile type %.20q", b)
	}
	return nil
}

// ZoomBase is the id of the first tile of a zoom; ids of a zoom are [ZoomBase(z), ZoomBase(z+1)).
func ZoomBase(z int) uint64 { return (1<<(2*uint(z)) - 1) / 3 }

// ID is the tile's place on the Hilbert curve of its zoom, after all lower zooms. x and y count from the north-west. It
// panics when the tile is outside its zoom or the zoom is over MaxZoom.
func ID(z, x, y int) uint64 {
	if z < 0 || z > MaxZoom || x < 0 || y < 0 || x >= 1<<z || y >= 1<<z {
		panic(fmt.Sprintf("tile %d/%d/%d does not exist", z, x, y))
	}
	var d uint64
	tx, ty := uint32(x), uint32(y)
	for s := uint32(1) << z >> 1; s > 0; s >>= 1 {
		rx, ry := uint32(0), uint32(0)
		if tx&s != 0 {
			rx = 1
		}
		if ty&s != 0 {
			ry = 1
		}
		d += uint64(s) * uint64(s) * uint64((3*rx)^ry)
		if ry == 0 {
			if rx == 1 {
				tx, ty = s-1-tx&(s-1), s-1-ty&(s-1)
			}
			tx, ty = ty, tx
		}
	}
	return ZoomBase(z) + d
}

// ZXY is the inverse of ID. It panics when the id is past the last tile of MaxZoom.
func ZXY(id uint64) (z, x, y int) {
	// 3·id+1 lies in [4^z, 4^(z+1)).
	z = (bits.Len64(3*id+1) - 1) / 2
	if id >= ZoomBase(MaxZoom+1) {
		panic(fmt.Sprintf("tile id %d is past zoom %d", id, MaxZoom))
	}
	t := id - ZoomBase(z)
	var tx, ty uint64
	for s := uint64(1); s < 1<<z; s <<= 1 {
		rx := 1 & (t / 2)
		ry := 1 & (t ^ rx)
		if ry == 0 {
			if rx == 1 {
				tx, ty = s-1-tx, s-1-ty
			}
			tx, ty = ty, tx
		}
		tx += s * rx
		ty += s * ry
		t /= 4
	}
	return z, int(tx), int(ty)
}

// Parent is the id of the tile one zoom up that contains the tile; the world's parent is itself.
func Parent(id uint64) uint64 {
	z, x, y := ZXY(id)
	if z == 0 {
		return 0
	}
	return ID(z-1, x/2, y/2)
}

const (
	headerLen = 127
	// rootMax: header and root directory fit the first read of a client, 16 KiB.
	rootMax = 16384 - headerLen

	compressionNone = 1
	compressionGzip = 2
)

// Header is the fixed head of an archive. Offsets and lengths are bytes from the start of the file.
type Header struct {
	RootOffset, RootLength         uint64
	MetadataOffset, MetadataLength uint64
	LeafOffset, LeafLength         uint64
	DataOffset, DataLength         uint64
	Addressed, Entries, Contents   uint64
	Clustered                      bool
	Internal, Tiles                uint8 // compression: 1 none, 2 gzip
	Type                           TileType
	MinZoom, MaxZoom               int
	Bounds                         [4]float64 // west, south, east, north
	CenterZoom                     int
	Center                         [2]float64 // lon, lat
}

func e7(deg float64) uint32 { return uint32(int32(round(deg * 1e7))) }
func deg(v uint32) float64  { return float64(int32(v)) / 1e7 }

func round(f float64) float64 {
	if f < 0 {
		return float64(int64(f - 0.5))
	}
	return float64(int64(f + 0.5))
}

func (h Header) encode() []byte {
	b := make([]byte, headerLen)
	copy(b, "PMTiles\x03")
	le := binary.LittleEndian
	for i, v := range []uint64{h.RootOffset, h.RootLength, h.MetadataOffset, h.MetadataLength, h.LeafOffset, h.LeafLength,
		h.DataOffset, h.DataLength, h.Addressed, h.Entries, h.Contents} {
		le.PutUint64(b[8+8*i:], v)
	}
	if h.Clustered {
		b[96] = 1
	}
	b[97], b[98], b[99], b[100], b[101] = h.Internal, h.Tiles, byte(h.Type), byte(h.MinZoom), byte(h.MaxZoom)
	for i, v := range h.Bounds {
		le.PutUint32(b[102+4*i:], e7(v))
	}
	b[118] = byte(h.CenterZoom)
	le.PutUint32(b[119:], e7(h.Center[0]))
	le.PutUint32(b[123:], e7(h.Center[1]))
	return b
}

func decodeHeader(b []byte) (Header, error) {
	if len(b) < headerLen || string(b[:7]) != "PMTiles" {
		return Header{}, survey.Errorf(survey.Invalid, "not a PMTiles archive")
	}
	if b[7] != 3 {
		return Header{}, survey.Errorf(survey.Unsupported, "PMTiles version %d", b[7])
	}
	var h Header
	le := binary.LittleEndian
	for i, p := range []*uint64{&h.RootOffset, &h.RootLength, &h.MetadataOffset, &h.MetadataLength, &h.LeafOffset, &h.LeafLength,
		&h.DataOffset, &h.DataLength, &h.Addressed, &h.Entries, &h.Contents} {
		*p = le.Uint64(b[8+8*i:])
		if *p > 1<<50 {
			return Header{}, survey.Errorf(survey.Invalid, "PMTiles header: field %d is %d", i, *p)
		}
	}
	h.Clustered = b[96] == 1
	h.Internal, h.Tiles, h.Type, h.MinZoom, h.MaxZoom = b[97], b[98], TileType(b[99]), int(b[100]), int(b[101])
	for i := range h.Bounds {
		h.Bounds[i] = deg(le.Uint32(b[102+4*i:]))
	}
	h.CenterZoom = int(b[118])
	h.Center = [2]float64{deg(le.Uint32(b[119:])), deg(le.Uint32(b[123:]))}
	if h.Internal != compressionGzip && h.Internal != compressionNone {
		return Header{}, survey.Errorf(survey.Unsupported, "PMTiles directories of compression %d", h.Internal)
	}
	return h, nil
}

// Entry is a run of tiles with the same content, or, with Run 0, a leaf directory whose first tile is ID. Offset counts
// from the start of the data section (of the leaf section for a leaf).
type Entry struct {
	ID     uint64
	Offset uint64
	Length uint32
	Run    uint32
}

func appendUvarint(b []byte, v uint64) []byte { return binary.AppendUvarint(b, v) }

func encodeDirectory(es []Entry) []byte {
	b := appendUvarint(make([]byte, 0, 8*len(es)+8), uint64(len(es)))
	last := uint64(0)
	for _, e := range es {
		b = appendUvarint(b, e.ID-last)
		last = e.ID
	}
	for _, e := range es {
		b = appendUvarint(b, uint64(e.Run))
	}
	for _, e := range es {
		b = appendUvarint(b, uint64(e.Length))
	}
	for i, e := range es {
		if i > 0 && e.Offset == es[i-1].Offset+uint64(es[i-1].Length) {
			b = append(b, 0)
		} else {
			b = appendUvarint(b, e.Offset+1)
		}
	}
	return b
}

// decodeDirectory reads an uncompressed directory. Counts are checked against the bytes present before allocating.
func decodeDirectory(b []byte) ([]Entry, error) {
	bad := func(what string) ([]Entry, error) {
		return nil, survey.Errorf(survey.Invalid, "PMTiles directory: %s", what)
	}
	next := func() (uint64, bool) {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return 0, false
		}
		b = b[n:]
		return v, true
	}
	n, ok := next()
	if !ok || n > uint64(len(b))/4 { // an entry takes at least four bytes
		return bad("count")
	}
	es := make([]Entry, n)
	last := uint64(0)
	for i := range es {
		v, ok := next()
		if !ok || (i > 0 && v == 0) || v > ZoomBase(MaxZoom+1) {
			return bad("tile ids")
		}
		last += v
		if last >= ZoomBase(MaxZoom+1) {
			return bad("tile ids")
		}
		es[i].ID = last
	}
	for i := range es {
		v, ok := next()
		if !ok || v > 1<<31 || (i+1 < len(es) && es[i].ID+v > es[i+1].ID) {
			return bad("run lengths")
		}
		es[i].Run = uint32(v)
	}
	for i := range es {
		v, ok := next()
		if !ok || v == 0 || v > 1<<31 {
			return bad("lengths")
		}
		es[i].Length = uint32(v)
	}
	for i := range es {
		v, ok := next()
		switch {
		case !ok || (v == 0 && i == 0) || v > 1<<50:
			return bad("offsets")
		case v == 0:
			es[i].Offset = es[i-1].Offset + uint64(es[i-1].Length)
		default:
			es[i].Offset = v - 1
		}
	}
	return es, nil
}

// find gives the entry that covers id: the last one that starts at or before it, if it is a leaf or its run reaches id.
func find(es []Entry, id uint64) (Entry, bool) {
	lo, hi := 0, len(es)
	for lo < hi {
		if m := (lo + hi) / 2; es[m].ID <= id {
			lo = m + 1
		} else {
			hi = m
		}
	}
	if lo == 0 {
		return Entry{}, false
	}
	e := es[lo-1]
	return e, e.Run == 0 || id-e.ID < uint64(e.Run)
}
