package archive

import (
	"context"
	"slices"
)

// Set reads the tiles of a Tileset: archives newest first, tombstones honoured. It is safe for concurrent use.
type Set struct {
	refs    []Ref
	readers []*Reader
}

// OpenSet opens every archive of the set. cache may be nil; it gets the archive a leaf belongs to, after open did.
func OpenSet(ctx context.Context, t Tileset, open func(Ref) Source, cache func(Ref) LeafCache) (*Set, error) {
	s := &Set{refs: t.Archives}
	for _, ref := range t.Archives {
		src := open(ref)
		var c LeafCache
		if cache != nil {
			c = cache(ref)
		}
		r, err := Open(ctx, src, c)
		if err != nil {
			return nil, err
		}
		s.readers = append(s.readers, r)
	}
	return s, nil
}

// Locate says which archive holds the current tile, as an index into Tileset.Archives, and where.
func (s *Set) Locate(ctx context.Context, id uint64) (archive int, off, n int64, ok bool, err error) {
	for i, r := range s.readers {
		if off, n, ok, err = r.Locate(ctx, id); ok || err != nil {
			return i, off, n, ok, err
		}
		if _, gone := slices.BinarySearch(s.refs[i].Tombstones, id); gone {
			break
		}
	}
	return 0, 0, 0, false, nil
}

// Tile gives the stored bytes of the current tile; ok is false when it is empty.
func (s *Set) Tile(ctx context.Context, id uint64) (data []byte, ok bool, err error) {
	i, off, n, ok, err := s.Locate(ctx, id)
	if !ok || err != nil {
		return nil, false, err
	}
	data, err = s.readers[i].read(ctx, uint64(off), uint64(n))
	return data, err == nil, err
}

// Each calls fn for the current version of every tile, in id order: which archive holds it and its entry there (Run is
// 1, Offset from the start of that archive).
func (s *Set) Each(ctx context.Context, fn func(archive int, e Entry) error) error {
	type at struct {
		archive int
		e       Entry
	}
	current := map[uint64]at{}
	for i := len(s.readers) - 1; i >= 0; i-- { // oldest first, newer ones replace
		for _, id := range s.refs[i].Tombstones {
			delete(current, id)
		}
		err := s.readers[i].Each(ctx, func(e Entry) error {
			for k := range uint64(e.Run) {
				current[e.ID+k] = at{i, Entry{ID: e.ID + k, Offset: e.Offset, Length: e.Length, Run: 1}}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	ids := make([]uint64, 0, len(current))
	for id := range current {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		if err := fn(current[id].archive, current[id].e); err != nil {
			return err
		}
	}
	return nil
}

// Reader is the reader of one archive of the set, by its index in Tileset.Archives.
func (s *Set) Reader(archive int) *Reader { return s.readers[archive] }

// ReadAt gives the bytes that an entry of archive names.
func (s *Set) ReadAt(ctx context.Context, archive int, e Entry) ([]byte, error) {
	return s.readers[archive].read(ctx, e.Offset, uint64(e.Length))
}
