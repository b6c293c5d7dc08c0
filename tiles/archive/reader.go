package archive

import (
	"context"
	"encoding/json"
	"io"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Source gives ranges of one immutable archive. It must be safe for concurrent use if the Reader is to be.
type Source interface {
	// ReadRange gives n bytes from off; fewer only at the end of the archive.
	ReadRange(ctx context.Context, off, n int64) ([]byte, error)
}

// At makes a Source of a ReaderAt: an open file, a bytes.Reader.
func At(r io.ReaderAt) Source { return readerAt{r} }

type readerAt struct{ r io.ReaderAt }

func (r readerAt) ReadRange(_ context.Context, off, n int64) ([]byte, error) {
	b := make([]byte, n)
	m, err := r.r.ReadAt(b, off)
	if err == io.EOF {
		err = nil
	}
	return b[:m], err
}

// LeafCache keeps decoded leaf directories. off names the leaf within this archive; load reads it.
type LeafCache interface {
	Leaf(ctx context.Context, off uint64, load func(context.Context) ([]Entry, error)) ([]Entry, error)
}

// Reader reads one archive. It is safe for concurrent use and keeps the root directory; leaves only in its LeafCache.
type Reader struct {
	h     Header
	root  []Entry
	src   Source
	cache LeafCache
}

// dirLimit bounds a decompressed directory or metadata, against bombs.
const dirLimit = 64 << 20

// Open reads the header and root directory with one range of 16 KiB. cache may be nil: every look-up below a leaf then
// reads the leaf again. What is no PMTiles v3 archive is Invalid or Unsupported.
func Open(ctx context.Context, src Source, cache LeafCache) (*Reader, error) {
	b, err := src.ReadRange(ctx, 0, headerLen+rootMax)
	if err != nil {
		return nil, err
	}
	h, err := decodeHeader(b)
	if err != nil {
		return nil, err
	}
	r := &Reader{h: h, src: src, cache: cache}
	if end := h.RootOffset + h.RootLength; end <= uint64(len(b)) {
		r.root, err = r.directory(b[h.RootOffset:end])
	} else {
		r.root, err = r.section(ctx, h.RootOffset, h.RootLength)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Header is the archive's header.
func (r *Reader) Header() Header { return r.h }

func (r *Reader) directory(b []byte) ([]Entry, error) {
	if r.h.Internal == compressionGzip {
		var err error
		if b, err = Gunzip(b, dirLimit); err != nil {
			return nil, err
		}
	}
	return decodeDirectory(b)
}

func (r *Reader) read(ctx context.Context, off, n uint64) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	b, err := r.src.ReadRange(ctx, int64(off), int64(n))
	if err == nil && uint64(len(b)) != n {
		err = survey.Errorf(survey.Invalid, "PMTiles archive is cut short: %d of %d bytes at %d", len(b), n, off)
	}
	return b, err
}

func (r *Reader) section(ctx context.Context, off, n uint64) ([]Entry, error) {
	if n > dirLimit {
		return nil, survey.Errorf(survey.Invalid, "PMTiles directory of %d bytes", n)
	}
	b, err := r.read(ctx, off, n)
	if err != nil {
		return nil, err
	}
	return r.directory(b)
}

func (r *Reader) leaf(ctx context.Context, e Entry) ([]Entry, error) {
	load := func(ctx context.Context) ([]Entry, error) {
		return r.section(ctx, r.h.LeafOffset+e.Offset, uint64(e.Length))
	}
	if r.cache == nil {
		return load(ctx)
	}
	return r.cache.Leaf(ctx, e.Offset, load)
}

// Metadata is the archive's JSON metadata.
func (r *Reader) Metadata(ctx context.Context) (json.RawMessage, error) {
	if r.h.MetadataLength > dirLimit {
		return nil, survey.Errorf(survey.Invalid, "PMTiles metadata of %d bytes", r.h.MetadataLength)
	}
	b, err := r.read(ctx, r.h.MetadataOffset, r.h.MetadataLength)
	if err != nil || r.h.Internal != compressionGzip {
		return b, err
	}
	return Gunzip(b, dirLimit)
}

// Locate says where in the archive the tile's bytes are; ok is false when the archive does not hold it.
func (r *Reader) Locate(ctx context.Context, id uint64) (off, n int64, ok bool, err error) {
	dir := r.root
	for range 4 { // the specification allows one level of leaves; readers tolerate more
		e, found := find(dir, id)
		if !found {
			return 0, 0, false, nil
		}
		if e.Run > 0 {
			return int64(r.h.DataOffset + e.Offset), int64(e.Length), true, nil
		}
		if dir, err = r.leaf(ctx, e); err != nil {
			return 0, 0, false, err
		}
	}
	return 0, 0, false, survey.Errorf(survey.Invalid, "PMTiles directories nest too deep")
}

// Tile gives the stored bytes of a tile (gzip for TileMVT); ok is false when the archive does not hold it.
func (r *Reader) Tile(ctx context.Context, id uint64) (data []byte, ok bool, err error) {
	off, n, ok, err := r.Locate(ctx, id)
	if !ok || err != nil {
		return nil, false, err
	}
	data, err = r.read(ctx, uint64(off), uint64(n))
	return data, err == nil, err
}

// Each calls fn for every run of tiles in id order, with the offset of its bytes from the start of the archive.
func (r *Reader) Each(ctx context.Context, fn func(Entry) error) error {
	return r.each(ctx, r.root, fn, 0)
}

func (r *Reader) each(ctx context.Context, dir []Entry, fn func(Entry) error, depth int) error {
	if depth > 3 {
		return survey.Errorf(survey.Invalid, "PMTiles directories nest too deep")
	}
	for _, e := range dir {
		if e.Run == 0 {
			sub, err := r.leaf(ctx, e)
			if err == nil {
				err = r.each(ctx, sub, fn, depth+1)
			}
			if err != nil {
				return err
			}
			continue
		}
		e.Offset += r.h.DataOffset
		if err := fn(e); err != nil {
			return err
		}
	}
	return nil
}
