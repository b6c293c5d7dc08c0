package lake

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"unsafe"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// StreamMediaType is that of an Arrow IPC stream.
const StreamMediaType = "application/vnd.apache.arrow.stream"

// EncodeStream is rows as an Arrow IPC stream, not compressed, with the columns that Encode gives a file and meta as the
// metadata of its schema. No rows give a stream with a schema and no batch.
func EncodeStream[T any](meta map[string]string, rows []T) ([]byte, error) {
	fs, err := fieldsOf(reflect.TypeFor[T]())
	if err != nil {
		return nil, err
	}
	var md *arrow.Metadata
	if len(meta) > 0 {
		keys := slices.Sorted(maps.Keys(meta))
		vals := make([]string, len(keys))
		for i, k := range keys {
			vals[i] = meta[k]
		}
		m := arrow.NewMetadata(keys, vals)
		md = &m
	}
	schema := arrow.NewSchema(arrowFields(fs), md)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	var put []appender
	col := 0
	for _, f := range fs {
		var a appender
		a, col = f.appender(b, col)
		put = append(put, a)
	}
	var buf bytes.Buffer
	w := ipc.NewWriter(&buf, ipc.WithSchema(schema))
	for len(rows) > 0 {
		n := min(len(rows), batch)
		for i := range rows[:n] {
			for _, p := range put {
				p(unsafe.Pointer(&rows[i]))
			}
		}
		rec := b.NewRecord()
		err := w.Write(rec)
		rec.Release()
		if err != nil {
			return nil, fmt.Errorf("arrow stream: %w", err)
		}
		rows = rows[n:]
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("arrow stream: %w", err)
	}
	return buf.Bytes(), nil
}

// ScanStream calls fn with successive batches of an Arrow IPC stream (none, LZ4 or Zstandard compression), as Scan does
// with a file. A stream that ends before its end mark is Invalid: the sender broke off.
func ScanStream[T any](src io.Reader, fn func(rows []T) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = survey.Errorf(survey.Invalid, "arrow stream: damaged: %v", p)
		}
	}()
	fs, err := fieldsOf(reflect.TypeFor[T]())
	if err != nil {
		return err
	}
	tail := &tailReader{r: src}
	r, err := ipc.NewReader(tail)
	if err != nil {
		return survey.Errorf(survey.Invalid, "arrow stream: %w", err)
	}
	defer r.Release()
	var buf []T
	for r.Next() {
		if buf, err = fill(fs, r.Record(), buf); err != nil {
			return err
		}
		if err := fn(buf); err != nil {
			return err
		}
	}
	if err := r.Err(); err != nil && err != io.EOF {
		return survey.Errorf(survey.Invalid, "arrow stream: %w", err)
	}
	// The library takes the end of input for the end of the stream.
	if tail.last != [8]byte{0xff, 0xff, 0xff, 0xff} {
		return survey.Errorf(survey.Invalid, "arrow stream: cut short")
	}
	return nil
}

// tailReader keeps the last eight bytes read.
type tailReader struct {
	r    io.Reader
	last [8]byte
}

func (t *tailReader) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if n >= 8 {
		copy(t.last[:], p[n-8:n])
	} else if n > 0 {
		copy(t.last[:], t.last[n:])
		copy(t.last[8-n:], p[:n])
	}
	return n, err
}

// fill reads a batch into rows, reusing buf's memory.
func fill[T any](fs []field, rec arrow.Record, buf []T) ([]T, error) {
	n := int(rec.NumRows())
	if n > cap(buf) {
		buf = make([]T, n)
	}
	buf = buf[:n]
	clear(buf)
	for _, f := range fs {
		idx := rec.Schema().FieldIndices(f.name)
		if len(idx) == 0 {
			continue
		}
		if err := f.read(rec.Column(idx[0]), n, func(i int) unsafe.Pointer { return unsafe.Add(unsafe.Pointer(&buf[i]), f.off) }); err != nil {
			return nil, err
		}
	}
	return buf, nil
}
