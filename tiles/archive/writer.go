package archive

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/klauspost/compress/gzip"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Info describes an archive to be written.
type Info struct {
	Type   TileType
	Bounds [4]float64 // west, south, east, north of the data
	// Metadata becomes the archive's JSON metadata; vector_layers belongs in it for TileMVT.
	Metadata map[string]any
}

// Writer collects tiles in any order and then writes them as one archive. Add may be called by many goroutines at once.
// What it holds beyond 8 MiB goes to an unnamed temporary file.
type Writer struct {
	mu     sync.Mutex
	tiles  []Entry // Offset into the spool
	seen   map[[sha256.Size]byte]Entry
	spool  spool
	seenID map[uint64]int // tile id to its place in tiles
}

// NewWriter makes an empty writer; Close it.
func NewWriter() *Writer {
	return &Writer{seen: map[[sha256.Size]byte]Entry{}, seenID: map[uint64]int{}}
}

// Len is how many tiles were added.
func (w *Writer) Len() int { return len(w.tiles) }

// Add adds the stored bytes of a tile (already compressed); data is copied. An empty tile or one added before is
// Invalid.
func (w *Writer) Add(id uint64, data []byte) error {
	if len(data) == 0 || len(data) > 1<<31 || id >= ZoomBase(MaxZoom+1) {
		return survey.Errorf(survey.Invalid, "tile %d has %d bytes", id, len(data))
	}
	h := sha256.Sum256(data)
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, dup := w.seenID[id]; dup {
		return survey.Errorf(survey.Invalid, "tile %d was added twice", id)
	}
	e, ok := w.seen[h]
	if !ok {
		off, err := w.spool.append(data)
		if err != nil {
			return survey.Errorf(survey.Unavailable, "spool tiles: %w", err).WithHint("check the space of the temporary folder")
		}
		e = Entry{Offset: uint64(off), Length: uint32(len(data))}
		w.seen[h] = e
	}
	w.seenID[id] = len(w.tiles)
	e.ID, e.Run = id, 1
	w.tiles = append(w.tiles, e)
	return nil
}

// Has reports whether the tile was added.
func (w *Writer) Has(id uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, ok := w.seenID[id]
	return ok
}

// Tile gives back the bytes of a tile that was added; ok is false for any other. It must not be called after WriteTo.
func (w *Writer) Tile(id uint64) (data []byte, ok bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i, ok := w.seenID[id]
	if !ok {
		return nil, false, nil
	}
	data = make([]byte, w.tiles[i].Length)
	return data, true, w.spool.readAt(data, int64(w.tiles[i].Offset))
}

// Close releases the temporary file, if there is one.
func (w *Writer) Close() error { return w.spool.close() }

// WriteTo writes the archive. The bytes depend on the tiles and info alone, not on the order of Add.
func (w *Writer) WriteTo(out io.Writer, info Info) (Header, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.SortFunc(w.tiles, func(a, b Entry) int { return cmp.Compare(a.ID, b.ID) })
	// Contents are laid out in the order in which tiles first need them.
	h := Header{Clustered: true, Internal: compressionGzip, Tiles: compressionGzip, Type: info.Type, Bounds: info.Bounds, Addressed: uint64(len(w.tiles))}
	if info.Type == TilePNG {
		h.Tiles = compressionNone
	}
	var entries []Entry
	var contents []Entry
	placed := make(map[uint64]uint64, len(w.tiles))
	for _, t := range w.tiles {
		off, ok := placed[t.Offset]
		if !ok {
			off = h.DataLength
			placed[t.Offset] = off
			contents = append(contents, t)
			h.DataLength += uint64(t.Length)
		}
		if n := len(entries); n > 0 && entries[n-1].ID+uint64(entries[n-1].Run) == t.ID && entries[n-1].Offset == off {
			entries[n-1].Run++
			continue
		}
		entries = append(entries, Entry{ID: t.ID, Offset: off, Length: t.Length, Run: 1})
	}
	h.Entries, h.Contents = uint64(len(entries)), uint64(len(contents))
	if len(w.tiles) > 0 {
		h.MinZoom, _, _ = ZXY(w.tiles[0].ID)
		h.MaxZoom, _, _ = ZXY(w.tiles[len(w.tiles)-1].ID)
	}
	c := Tileset{MinZoom: h.MinZoom, MaxZoom: h.MaxZoom, Bounds: info.Bounds}.Center()
	h.Center, h.CenterZoom = [2]float64{c[0], c[1]}, int(c[2])

	root, leaves, err := directories(entries)
	if err != nil {
		return h, err
	}
	md := info.Metadata
	if md == nil {
		md = map[string]any{}
	}
	meta, err := json.Marshal(md) // keys sorted
	if err != nil {
		return h, err
	}
	if meta, err = Gzip(nil, meta); err != nil {
		return h, err
	}
	h.RootOffset, h.RootLength = headerLen, uint64(len(root))
	h.MetadataOffset, h.MetadataLength = h.RootOffset+h.RootLength, uint64(len(meta))
	h.LeafOffset, h.LeafLength = h.MetadataOffset+h.MetadataLength, uint64(len(leaves))
	h.DataOffset = h.LeafOffset + h.LeafLength
	for _, b := range [][]byte{h.encode(), root, meta, leaves} {
		if _, err := out.Write(b); err != nil {
			return h, err
		}
	}
	var buf []byte
	for _, c := range contents {
		buf = slices.Grow(buf[:0], int(c.Length))[:c.Length]
		if err := w.spool.readAt(buf, int64(c.Offset)); err != nil {
			return h, err
		}
		if _, err := out.Write(buf); err != nil {
			return h, err
		}
	}
	return h, nil
}

// directories splits entries into a root that fits rootMax and, when it must, one level of leaves.
func directories(es []Entry) (root, leaves []byte, err error) {
	// More than 16,384 entries never fit; below, try.
	if len(es) < 16384 {
		if root, err = Gzip(nil, encodeDirectory(es)); err != nil || len(root) <= rootMax {
			return root, nil, err
		}
	}
	for size := max(4096, len(es)/3500); ; size += size / 5 {
		var top []Entry
		leaves = leaves[:0]
		for part := range slices.Chunk(es, size) {
			from := len(leaves)
			if leaves, err = Gzip(leaves, encodeDirectory(part)); err != nil {
				return nil, nil, err
			}
			top = append(top, Entry{ID: part[0].ID, Offset: uint64(from), Length: uint32(len(leaves) - from)})
		}
		if root, err = Gzip(nil, encodeDirectory(top)); err != nil || len(root) <= rootMax {
			return root, leaves, err
		}
	}
}

var gzips = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(nil, GzipLevel) // fails for unknown levels only
	return w
}}

// GzipLevel is klauspost's level for tiles: 6 loses 1 % of size to the standard library's 6 at 2.6 times its speed.
const GzipLevel = 6

// Gzip appends b, compressed, to dst. The header carries no name or time: same bytes in, same bytes out.
func Gzip(dst, b []byte) ([]byte, error) {
	buf := bytes.NewBuffer(dst)
	w := gzips.Get().(*gzip.Writer)
	defer gzips.Put(w)
	w.Reset(buf)
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// Gunzip decompresses b; more than limit bytes is Invalid.
func Gunzip(b []byte, limit int) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, survey.Errorf(survey.Invalid, "gzip: %w", err)
	}
	out, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return nil, survey.Errorf(survey.Invalid, "gzip: %w", err)
	}
	if len(out) > limit {
		return nil, survey.Errorf(survey.Invalid, "gzip holds more than %d bytes", limit)
	}
	return out, nil
}

// spool keeps appended bytes, in memory up to spoolMemory and in an unlinked temporary file beyond.
type spool struct {
	buf  []byte // what comes after the file's bytes
	file *os.File
	n    int64 // bytes in file
}

const spoolMemory = 8 << 20

func (s *spool) append(b []byte) (off int64, err error) {
	if len(s.buf)+len(b) > spoolMemory {
		if err := s.flush(); err != nil {
			return 0, err
		}
	}
	off = s.n + int64(len(s.buf))
	s.buf = append(s.buf, b...)
	return off, nil
}

func (s *spool) flush() error {
	if s.file == nil {
		f, err := os.CreateTemp("", "tiles-*")
		if err != nil {
			return err
		}
		s.file = f
		os.Remove(f.Name()) // gone with the last reader, also after a crash
	}
	n, err := s.file.WriteAt(s.buf, s.n)
	s.n += int64(n)
	s.buf = s.buf[:0]
	return err
}

func (s *spool) readAt(b []byte, off int64) error {
	if off >= s.n {
		copy(b, s.buf[off-s.n:])
		return nil
	}
	_, err := s.file.ReadAt(b, off)
	return err
}

func (s *spool) close() error {
	s.buf = nil
	if s.file == nil {
		return nil
	}
	f := s.file
	s.file = nil
	return f.Close()
}
