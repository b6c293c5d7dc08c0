package lake

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
)

// leaf is a column as the file has it: one of the record's, or a child of a struct.
type leaf struct {
	col, child int  // child is -1 for a column that is no struct
	optional   bool // it, or the struct that it is of, may be null
	levels     []int16
}

func leavesOf(s *arrow.Schema) []leaf {
	var out []leaf
	for c, f := range s.Fields() {
		st, ok := f.Type.(*arrow.StructType)
		if !ok {
			out = append(out, leaf{col: c, child: -1, optional: f.Nullable})
			continue
		}
		for i := range st.NumFields() {
			out = append(out, leaf{col: c, child: i, optional: f.Nullable})
		}
	}
	return out
}

// write appends the leaf's values of rec to its column. Structs have no child that may be null by itself.
func (l *leaf) write(rec arrow.Record, cw file.ColumnChunkWriter) error {
	a := rec.Column(l.col)
	var levels []int16
	if l.optional {
		l.levels = slices.Grow(l.levels[:0], a.Len())[:a.Len()]
		for i := range l.levels {
			l.levels[i] = 1
			if a.IsNull(i) {
				l.levels[i] = 0
			}
		}
		levels = l.levels
	}
	if l.child >= 0 {
		a = a.(*array.Struct).Field(l.child)
	}
	// A context made for the library's writer would share its buffers between columns.
	return pqarrow.WriteArrowToColumn(context.Background(), cw, a, levels, nil, l.optional && l.child < 0)
}

// writeRecord appends rec, beginning row groups where they are due.
func (w *Writer[T]) writeRecord(rec arrow.Record) error {
	for off := int64(0); off < rec.NumRows(); {
		if w.group == nil || w.inGroup == w.schema.RowGroup {
			if err := w.endGroup(); err != nil {
				return err
			}
			w.group, w.inGroup = w.w.AppendBufferedRowGroup(), 0
		}
		n := min(rec.NumRows()-off, int64(w.schema.RowGroup-w.inGroup))
		part := rec.NewSlice(off, off+n)
		err := w.writeColumns(part)
		part.Release()
		if err != nil {
			return err
		}
		off += n
		w.inGroup += int(n)
	}
	return nil
}

// endGroup writes the row group out. The library would do so by itself, and drop its errors.
func (w *Writer[T]) endGroup() error {
	if w.group == nil {
		return nil
	}
	err := w.group.Close()
	w.group = nil
	if err == nil {
		err = w.sink.err
	}
	return err
}

// alone is how many rows are written by one goroutine.
const alone = 2048

// writeColumns encodes and compresses the columns of rec at the same time, each in memory of its own until its row group
// ends, so that the bytes are those of one after the other.
func (w *Writer[T]) writeColumns(rec arrow.Record) error {
	var next atomic.Int64
	work := func() (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("lake: panic in the Parquet library: %v", p)
			}
		}()
		for {
			i := int(next.Add(1)) - 1
			if i >= len(w.leaves) {
				return nil
			}
			cw, err := w.group.Column(i)
			if err != nil {
				return err
			}
			if err := w.leaves[i].write(rec, cw); err != nil {
				return err
			}
		}
	}
	n := min(runtime.GOMAXPROCS(0), 4)
	if n == 1 || rec.NumRows() <= alone {
		return work()
	}
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = work() })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// sink remembers the first error of w and tells the library of none: that panics at some, and drops others.
type sink struct {
	w   io.Writer
	err error
}

func (s *sink) Write(p []byte) (int, error) {
	if s.err == nil {
		n, err := s.w.Write(p)
		if err == nil && n < len(p) {
			err = io.ErrShortWrite
		}
		s.err = err
	}
	return len(p), nil
}
