package cells

import (
	"encoding/binary"
	"fmt"

	"github.com/roadcomb/roadcomb/pkg/hex/freshness"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// The binary forms in SQL; FORMAT.md specifies them. Both are canonical: equal values have equal bytes.

const places = (freshness.Buckets + 1) * freshness.Levels

// appendSeen writes the places that are set: place number, then the second as 4 bytes, big-endian, in ascending order.
func appendSeen(b []byte, s *freshness.Seen) []byte {
	for i := range places {
		if t := s[i/freshness.Levels][i%freshness.Levels]; t != 0 {
			b = binary.BigEndian.AppendUint32(append(b, byte(i)), t)
		}
	}
	return b
}

func readSeen(b []byte, s *freshness.Seen) error {
	if len(b)%5 != 0 {
		return fmt.Errorf("seen has %d bytes", len(b))
	}
	for ; len(b) > 0; b = b[5:] {
		i := int(b[0])
		if i >= places {
			return fmt.Errorf("seen has place %d", i)
		}
		s[i/freshness.Levels][i%freshness.Levels] = binary.BigEndian.Uint32(b[1:])
	}
	return nil
}

// AppendSeen appends the binary form of Seen to b.
func (r Row) AppendSeen(b []byte) []byte { return appendSeen(b, &r.Seen) }

// ParseSeen reads what AppendSeen writes; anything else is Invalid.
func ParseSeen(b []byte) (s freshness.Seen, err error) {
	if err := readSeen(b, &s); err != nil {
		return s, survey.Errorf(survey.Invalid, "cells: %w", err)
	}
	return s, nil
}

// entry is what one drive contributes to one base cell.
type entry struct {
	cell survey.Cell
	sums
}

// appendEntries writes the entries of one drive in one area, which are in cell order.
func appendEntries(b []byte, es []entry) []byte {
	b = append(b, 1) // version
	var prev uint64
	for i := range es {
		e := &es[i]
		b = binary.AppendUvarint(b, uint64(e.cell)-prev)
		prev = uint64(e.cell)
		b = binary.AppendUvarint(b, uint64(e.obs))
		b = binary.AppendUvarint(b, uint64(e.quality))
		b = binary.AppendUvarint(b, uint64(e.best))
		b = binary.AppendVarint(b, e.first)
		b = binary.AppendUvarint(b, uint64(e.last-e.first))
		b = binary.AppendVarint(b, e.received)
		n := 0
		for j := range places {
			if e.seen[j/freshness.Levels][j%freshness.Levels] != 0 {
				n++
			}
		}
		b = append(b, byte(n))
		b = appendSeen(b, &e.seen)
	}
	return b
}

// readEntries calls fn for each entry in cell order; the entry is reused.
func readEntries(b []byte, fn func(*entry)) error {
	if len(b) == 0 || b[0] != 1 {
		return fmt.Errorf("cell part of unknown version")
	}
	b = b[1:]
	var prev uint64
	short := false
	u := func() uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			short, b = true, nil
			return 0
		}
		b = b[n:]
		return v
	}
	s := func() int64 {
		v, n := binary.Varint(b)
		if n <= 0 {
			short, b = true, nil
			return 0
		}
		b = b[n:]
		return v
	}
	for len(b) > 0 {
		prev += u()
		e := entry{cell: survey.Cell(prev)}
		e.live = 1
		e.obs, e.quality, e.best = int64(u()), int64(u()), int64(u())
		e.first = s()
		e.last = e.first + int64(u())
		e.received = s()
		if short || len(b) < 1 || len(b) < 1+5*int(b[0]) {
			return fmt.Errorf("cell part is cut short")
		}
		n := 5 * int(b[0])
		if err := readSeen(b[1:1+n], &e.seen); err != nil {
			return err
		}
		b = b[1+n:]
		fn(&e)
	}
	return nil
}
