package fold

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"slices"

	"github.com/roadcomb/roadcomb/pkg/hex/cells"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// A file of partials: blocks of about 64 kB, an index of them, and a trailer that says the file is whole. Within a block a
// partial is written as its difference to the one before, most in 10 to 15 bytes: neighbours along a road were passed by
// the same drives. The files are this program's own, on one machine; Parquet would take ten times as long to write.
//
//	partial  place (6 bits) | same cell as before (64) | one observation (128); then varints, of Protocol Buffers' kind:
//	         cell − the one before, unless the same: zero bits that all cells of a resolution share are left out
//	         one:  quality; newest capture − that before (zigzag); newest receipt − that before (zigzag)
//	         more: observations, sum of quality, best quality; newest capture (as above); newest − oldest capture;
//	               newest receipt (as above)
//	index    for each block: key of its first partial, offset, bytes, rows, CRC-32C; 8+8+4+4+4 bytes, little-endian
//	trailer  rows, observations, offset of the index, blocks; CRC-32C of index and these; "RCPART2\n"; 8+8+8+4+4+8 bytes
const (
	blockSize   = 64 << 10
	indexSize   = 28
	trailerSize = 40
	partsMagic  = "RCPART2\n"
)

const (
	sameCell = 1 << 6
	single   = 1 << 7
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// key orders partials by cell and place: all cells have the same four highest bits below the sign.
func key(c survey.Cell, place int) uint64 { return (uint64(c)-1<<59)<<6 | uint64(place) }

// damaged is a file of partials that is not what was written.
type damaged struct {
	path string
	why  string
}

func (d *damaged) Error() string { return fmt.Sprintf("partials %s: %s", d.path, d.why) }

type block struct {
	first uint64
	at    int64
	size  uint32
	rows  uint32
	crc   uint32
}

// partWriter writes a file of partials. Close it; Finish first, or nothing is left.
type partWriter struct {
	path string
	f    *os.File
	buf  []byte
	b    block
	prev cells.Partial
	last uint64 // key of prev
	all  []block
	at   int64

	rows, observations int64
}

// newPartWriter begins the file beside path; Finish puts it there.
func newPartWriter(path string) (*partWriter, error) {
	f, err := os.Create(path + ".tmp")
	if err != nil {
		return nil, survey.Errorf(survey.Unavailable, "fold: %w", err)
	}
	return &partWriter{path: path, f: f, buf: make([]byte, 0, blockSize+256)}, nil
}

// add takes the next partial, in order of cell and place.
func (w *partWriter) add(p *cells.Partial) error {
	if uint64(p.Cell)>>59 != 1 || p.Place < 0 || p.Place >= cells.Places || p.Observations <= 0 || p.QualitySum < 0 || p.BestQuality < 0 || p.LastSeen < p.FirstSeen {
		return survey.Errorf(survey.Invalid, "there is no cell %#x with %d observations of quality %d in place %d", int64(p.Cell), p.Observations, p.QualitySum, p.Place)
	}
	k := key(p.Cell, p.Place)
	if w.rows > 0 && k <= w.last {
		return survey.Errorf(survey.Internal, "partial of cell %s, place %d, out of order", p.Cell, p.Place)
	}
	if len(w.buf) == 0 {
		w.prev = cells.Partial{Cell: 1 << 59} // each block can be read alone
		w.b = block{first: k, at: w.at}
	}
	head := byte(p.Place)
	one := p.Observations == 1 && p.QualitySum == p.BestQuality && p.FirstSeen == p.LastSeen
	if one {
		head |= single
	}
	same := p.Cell == w.prev.Cell
	if same {
		head |= sameCell
	}
	b := append(w.buf, head)
	if !same {
		if d := uint64(p.Cell - w.prev.Cell); d&(1<<9-1) == 0 {
			b = binary.AppendUvarint(b, d>>9<<1)
		} else {
			b = binary.AppendUvarint(b, d<<1|1)
		}
	}
	if !one {
		b = binary.AppendUvarint(b, uint64(p.Observations))
		b = binary.AppendUvarint(b, uint64(p.QualitySum))
	}
	b = binary.AppendUvarint(b, uint64(p.BestQuality))
	b = binary.AppendVarint(b, p.LastSeen-w.prev.LastSeen)
	if !one {
		b = binary.AppendUvarint(b, uint64(p.LastSeen-p.FirstSeen))
	}
	b = binary.AppendVarint(b, p.LastReceived-w.prev.LastReceived)
	w.buf, w.prev, w.last = b, *p, k
	w.b.rows++
	w.rows++
	w.observations += p.Observations
	if len(b) >= blockSize {
		return w.flush()
	}
	return nil
}

// reset begins anew.
func (w *partWriter) reset() error {
	*w = partWriter{path: w.path, f: w.f, buf: w.buf[:0]}
	if _, err := w.f.Seek(0, 0); err != nil {
		return err
	}
	return w.f.Truncate(0)
}

func (w *partWriter) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	w.b.size, w.b.crc = uint32(len(w.buf)), crc32.Checksum(w.buf, castagnoli)
	if _, err := w.f.Write(w.buf); err != nil {
		return err
	}
	w.at += int64(len(w.buf))
	w.all = append(w.all, w.b)
	w.buf = w.buf[:0]
	return nil
}

// finish completes the file and puts it at its path.
func (w *partWriter) finish() error {
	if err := w.flush(); err != nil {
		return err
	}
	le := binary.LittleEndian
	var b []byte
	for _, x := range w.all {
		b = le.AppendUint32(le.AppendUint32(le.AppendUint32(le.AppendUint64(le.AppendUint64(b, x.first), uint64(x.at)), x.size), x.rows), x.crc)
	}
	b = le.AppendUint64(le.AppendUint64(le.AppendUint64(b, uint64(w.rows)), uint64(w.observations)), uint64(w.at))
	b = le.AppendUint32(b, uint32(len(w.all)))
	b = append(le.AppendUint32(b, crc32.Checksum(b, castagnoli)), partsMagic...)
	if _, err := w.f.Write(b); err != nil {
		return err
	}
	if err := w.f.Close(); err != nil {
		return err
	}
	return os.Rename(w.path+".tmp", w.path)
}

// Close lets go of the file; what was not finished is gone.
func (w *partWriter) Close() {
	w.f.Close()
	os.Remove(w.path + ".tmp")
}

// partFile is an open file of partials.
type partFile struct {
	path               string
	f                  *os.File
	blocks             []block
	rows, observations int64
}

// openParts opens a file; one that is not whole is damaged.
func openParts(path string) (_ *partFile, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	tail := make([]byte, trailerSize)
	if st.Size() < trailerSize {
		return nil, &damaged{path, "cut short"}
	} else if _, err := f.ReadAt(tail, st.Size()-trailerSize); err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	at, n := int64(le.Uint64(tail[16:])), int64(le.Uint32(tail[24:]))
	if string(tail[32:]) != partsMagic || at < 0 || at+n*indexSize+trailerSize != st.Size() {
		return nil, &damaged{path, "cut short, or not of this version"}
	}
	b := make([]byte, n*indexSize+28)
	if _, err := f.ReadAt(b, at); err != nil {
		return nil, err
	}
	if crc32.Checksum(b, castagnoli) != le.Uint32(tail[28:]) {
		return nil, &damaged{path, "its index has changed"}
	}
	p := &partFile{path: path, f: f, blocks: make([]block, n), rows: int64(le.Uint64(tail)), observations: int64(le.Uint64(tail[8:]))}
	for i := range p.blocks {
		x := b[i*indexSize:]
		p.blocks[i] = block{le.Uint64(x), int64(le.Uint64(x[8:])), le.Uint32(x[16:]), le.Uint32(x[20:]), le.Uint32(x[24:])}
	}
	return p, nil
}

func (p *partFile) Close() error { return p.f.Close() }

// partReader walks the partials of a file whose keys are in [lo, hi).
type partReader struct {
	file   *partFile
	next   int // block
	hi     uint64
	raw    []byte
	left   []byte
	at     cells.Partial
	key    uint64
	filled bool
}

// reader is before the first partial of the range; move goes there.
func (p *partFile) reader(lo, hi uint64) (*partReader, error) {
	i, _ := slices.BinarySearchFunc(p.blocks, lo, func(b block, k uint64) int { return cmp.Compare(b.first, k) })
	r := &partReader{file: p, next: max(0, i-1), hi: hi}
	for {
		ok, err := r.move()
		if err != nil {
			return nil, err
		}
		if !ok || r.key >= lo {
			r.filled = ok
			return r, nil
		}
	}
}

// move goes to the next partial; false at the end of the range.
func (r *partReader) move() (bool, error) {
	if len(r.left) == 0 {
		if r.next == len(r.file.blocks) || r.file.blocks[r.next].first >= r.hi {
			return false, nil
		}
		b := r.file.blocks[r.next]
		r.next++
		if cap(r.raw) < int(b.size) {
			r.raw = make([]byte, b.size)
		}
		r.raw = r.raw[:b.size]
		if _, err := r.file.f.ReadAt(r.raw, b.at); err != nil {
			return false, err
		}
		if crc32.Checksum(r.raw, castagnoli) != b.crc {
			return false, &damaged{r.file.path, "its bytes have changed"}
		}
		r.left, r.at = r.raw, cells.Partial{Cell: 1 << 59}
	}
	b := r.left
	head := b[0]
	n := 1
	u := func() uint64 {
		v, k := binary.Uvarint(b[n:])
		n += max(k, 0)
		return v
	}
	s := func() int64 {
		v, k := binary.Varint(b[n:])
		n += max(k, 0)
		return v
	}
	p := &r.at
	p.Place = int(head & (1<<6 - 1))
	if head&sameCell == 0 {
		if d := u(); d&1 == 0 {
			p.Cell += survey.Cell(d >> 1 << 9)
		} else {
			p.Cell += survey.Cell(d >> 1)
		}
	}
	if head&single != 0 {
		p.Observations = 1
		p.BestQuality = int64(u())
		p.QualitySum = p.BestQuality
		p.LastSeen += s()
		p.FirstSeen = p.LastSeen
	} else {
		p.Observations, p.QualitySum, p.BestQuality = int64(u()), int64(u()), int64(u())
		p.LastSeen += s()
		p.FirstSeen = p.LastSeen - int64(u())
	}
	p.LastReceived += s()
	r.left = b[n:]
	r.key = key(p.Cell, p.Place)
	return r.key < r.hi, nil
}

// merge calls emit with the partials of the files whose keys are in [lo, hi), in order, those of one cell and place as one.
// What emit is given is its own until it returns.
func merge(ctx context.Context, files []*partFile, lo, hi uint64, emit func(*cells.Partial) error) error {
	heap := make([]*partReader, 0, len(files)) // the smallest key first
	for _, f := range files {
		r, err := f.reader(lo, hi)
		if err != nil {
			return err
		}
		if r.filled {
			heap = append(heap, r)
		}
	}
	down := func(i int) {
		for {
			c := 2*i + 1
			if c >= len(heap) {
				return
			}
			if c+1 < len(heap) && heap[c+1].key < heap[c].key {
				c++
			}
			if heap[i].key <= heap[c].key {
				return
			}
			heap[i], heap[c] = heap[c], heap[i]
			i = c
		}
	}
	for i := len(heap)/2 - 1; i >= 0; i-- {
		down(i)
	}
	var sum cells.Partial
	var at uint64
	for n := 0; len(heap) > 0; n++ {
		if n&0xffff == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		r := heap[0]
		switch {
		case sum.Observations > 0 && r.key == at:
			sum.Merge(&r.at)
		default:
			if sum.Observations > 0 {
				if err := emit(&sum); err != nil {
					return err
				}
			}
			sum, at = r.at, r.key
		}
		more, err := r.move()
		if err != nil {
			return err
		}
		if !more {
			heap[0] = heap[len(heap)-1]
			heap = heap[:len(heap)-1]
		}
		down(0)
	}
	if sum.Observations > 0 {
		return emit(&sum)
	}
	return nil
}

// fan is the most files that are merged at once: each holds a block and a descriptor.
const fan = 256

// mergeAll merges the files into one at out.
func mergeAll(ctx context.Context, paths []string, out string) error {
	return mergeRange(ctx, paths, 0, 1<<63, out)
}

// mergeRange merges what the files have in the range of keys [lo, hi) into one at out; more files than fan first in parts.
func mergeRange(ctx context.Context, paths []string, lo, hi uint64, out string) error {
	if len(paths) > fan {
		var fewer []string
		for c := range slices.Chunk(paths, max(fan, (len(paths)+fan-1)/fan)) {
			part := fmt.Sprintf("%s-%d", out, len(fewer))
			defer os.Remove(part)
			if err := mergeRange(ctx, c, lo, hi, part); err != nil {
				return err
			}
			fewer = append(fewer, part)
		}
		paths, lo, hi = fewer, 0, 1<<63
	}
	var files []*partFile
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	for _, p := range paths {
		f, err := openParts(p)
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	w, err := newPartWriter(out)
	if err != nil {
		return err
	}
	defer w.Close()
	if err := merge(ctx, files, lo, hi, w.add); err != nil {
		return err
	}
	return w.finish()
}

// cutsOf are the ends of n ranges of keys, between cells, that hold about as many bytes of the files each.
func cutsOf(paths []string, n int) ([]uint64, error) {
	cuts := []uint64{0}
	if n > 1 {
		var firsts []uint64
		for _, p := range paths {
			f, err := openParts(p)
			if err != nil {
				return nil, err
			}
			for _, b := range f.blocks {
				firsts = append(firsts, b.first)
			}
			f.Close()
		}
		slices.Sort(firsts)
		for i := 1; i < n && len(firsts) > 0; i++ {
			if k := firsts[len(firsts)*i/n] &^ (1<<6 - 1); k > cuts[len(cuts)-1] {
				cuts = append(cuts, k)
			}
		}
	}
	return append(cuts, 1<<63), nil
}
