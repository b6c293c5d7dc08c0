package record

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards"
)

// Contributions are an epoch's rows of contributions.parquet, kept in 56 bytes each: an epoch may have ten million, and
// as rows of text they would not fit into memory. The zero value is empty.
type Contributions struct {
	rows   []packed
	drives []string // by the numbers in rows
	number map[string]int32
}

type packed struct {
	frame              rewards.FrameKey
	cell               survey.Cell
	captured, received int64 // microseconds
	drive, quality     int32
	heading            int16
}

// Len is the number of rows.
func (c *Contributions) Len() int { return len(c.rows) }

// Grow makes room for n more rows.
func (c *Contributions) Grow(n int) { c.rows = slices.Grow(c.rows, n) }

// Add appends rows. A frame id that is none, or a heading beyond a circle, is Invalid.
func (c *Contributions) Add(rows ...Contribution) error {
	if c.number == nil {
		c.number = map[string]int32{}
	}
	for _, r := range rows {
		k, err := rewards.KeyOf(survey.FrameID(r.Frame))
		if err != nil {
			return err
		}
		if r.Heading < -1 || r.Heading > 360 {
			return survey.Errorf(survey.Invalid, "frame %s has heading %d", r.Frame, r.Heading)
		}
		d, ok := c.number[r.Drive]
		if !ok {
			d = int32(len(c.drives))
			c.drives = append(c.drives, r.Drive)
			c.number[r.Drive] = d
		}
		c.rows = append(c.rows, packed{k, r.Cell, r.CapturedAt.UnixMicro(), r.ReceivedAt.UnixMicro(), d, r.Quality, int16(r.Heading)})
	}
	return nil
}

// Row is the i-th row.
func (c *Contributions) Row(i int) Contribution {
	p := &c.rows[i]
	return Contribution{Frame: string(p.frame.ID()), Drive: c.drives[p.drive], Cell: p.cell, CapturedAt: time.UnixMicro(p.captured).UTC(),
		ReceivedAt: time.UnixMicro(p.received).UTC(), Heading: int32(p.heading), Quality: p.quality}
}

// Drives are the ids of the drives that occur, in no particular order; the slice must not be changed.
func (c *Contributions) Drives() []string { return c.drives }

// Cells are the cells that occur, ascending, with the last reception in each.
func (c *Contributions) Cells() []rewards.Prior {
	out := make([]rewards.Prior, 0, len(c.rows)/4)
	c.sort()
	for i := range c.rows {
		p := &c.rows[i]
		if n := len(out) - 1; n >= 0 && out[n].Cell == p.cell {
			out[n].ReceivedAt = max(out[n].ReceivedAt, p.received)
			continue
		}
		out = append(out, rewards.Prior{Cell: p.cell, ReceivedAt: p.received})
	}
	return out
}

// Frames calls fn with the frames of all rows, in order.
func (c *Contributions) Frames(fn func(survey.FrameID) error) error {
	for i := range c.rows {
		if err := fn(c.rows[i].frame.ID()); err != nil {
			return err
		}
	}
	return nil
}

// sort brings the rows into the order in which they are published: by cell, capture and frame.
func (c *Contributions) sort() {
	order := func(a, b packed) int {
		if n := cmp.Compare(a.cell, b.cell); n != 0 {
			return n
		}
		if n := cmp.Compare(a.captured, b.captured); n != 0 {
			return n
		}
		return bytes.Compare(a.frame[:], b.frame[:])
	}
	if !slices.IsSortedFunc(c.rows, order) {
		slices.SortFunc(c.rows, order)
	}
}

// pure turns the rows into those of the pure function; drive numbers are indexes into ds.
func (c *Contributions) pure(e survey.Epoch, ds []rewards.Drive) ([]rewards.Contribution, error) {
	index := make(map[string]int32, len(ds))
	for i, d := range ds {
		index[string(d.ID)] = int32(i)
	}
	at := make([]int32, len(c.drives))
	for i, id := range c.drives {
		n, ok := index[id]
		if !ok {
			return nil, survey.Errorf(survey.Invalid, "a frame is of drive %s, which %s lacks", id, DrivesName)
		}
		at[i] = n
	}
	end := e.End().UnixMicro()
	out := make([]rewards.Contribution, len(c.rows))
	for i := range c.rows {
		p := &c.rows[i]
		if p.received >= end {
			return nil, survey.Errorf(survey.Invalid, "frame %s was received at %s, after epoch %s", p.frame.ID(), time.UnixMicro(p.received).UTC().Format(time.RFC3339), e)
		}
		out[i] = rewards.Contribution{Frame: p.frame, Cell: p.cell, CapturedAt: p.captured, ReceivedAt: p.received, Drive: at[p.drive], Quality: p.quality}
	}
	return out, nil
}

// stream encodes n rows without having them all in memory.
func stream[Row any](s lake.Schema, n int, row func(i int) Row) ([]byte, error) {
	var b bytes.Buffer
	w, err := lake.NewWriter[Row](&b, s)
	if err != nil {
		return nil, err
	}
	rows := make([]Row, 0, 4096)
	for i := 0; i < n; {
		rows = rows[:0]
		for ; i < n && len(rows) < cap(rows); i++ {
			rows = append(rows, row(i))
		}
		if err := w.Write(rows...); err != nil {
			return nil, fmt.Errorf("encode %s: %w", s.Name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("encode %s: %w", s.Name, err)
	}
	return b.Bytes(), nil
}
