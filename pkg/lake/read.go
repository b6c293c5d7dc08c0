package lake

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"reflect"
	"time"
	"unsafe"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Source is where a file is read from; *bytes.Reader, *os.File and the store's objects are Sources.
type Source interface {
	io.ReaderAt
	io.Seeker
}

// Decode reads a whole file that this package wrote into rows. A column that the file lacks leaves its field zero (an
// older file), a column that T lacks is skipped (a newer one); a column of another type is Invalid.
func Decode[T any](b []byte) ([]T, error) {
	var out []T
	err := Scan(bytes.NewReader(b), func(rows []T) error {
		out = append(out, rows...)
		return nil
	})
	return out, err
}

// Scan calls fn with successive batches of rows, in file order; fn must not keep the slice. Damaged bytes are an error
// of kind Invalid, never a panic.
func Scan[T any](src Source, fn func(rows []T) error) (err error) {
	defer func() {
		if p := recover(); p != nil { // arrow v17 panics on some damaged files
			err = survey.Errorf(survey.Invalid, "parquet: damaged file: %v", p)
		}
	}()
	fs, err := fieldsOf(reflect.TypeFor[T]())
	if err != nil {
		return err
	}
	pf, err := file.NewParquetReader(readAtSeeker{src, src}, file.WithReadProps(parquet.NewReaderProperties(memory.DefaultAllocator)))
	if err != nil {
		return survey.Errorf(survey.Invalid, "parquet: %w", err)
	}
	defer pf.Close()
	r, err := pqarrow.NewFileReader(pf, pqarrow.ArrowReadProperties{BatchSize: batch}, memory.DefaultAllocator)
	if err != nil {
		return survey.Errorf(survey.Invalid, "parquet: %w", err)
	}
	rr, err := r.GetRecordReader(context.Background(), nil, nil)
	if err != nil {
		return survey.Errorf(survey.Invalid, "parquet: %w", err)
	}
	defer rr.Release()
	var buf []T
	for rr.Next() {
		if buf, err = fill(fs, rr.Record(), buf); err != nil {
			return err
		}
		if err := fn(buf); err != nil {
			return err
		}
	}
	if err := rr.Err(); err != nil && err != io.EOF {
		return survey.Errorf(survey.Invalid, "parquet: %w", err)
	}
	return nil
}

type readAtSeeker struct {
	io.ReaderAt
	io.Seeker
}

func (f field) read(col arrow.Array, n int, at func(int) unsafe.Pointer) error {
	var set func(p unsafe.Pointer, i int)
	switch c := col.(type) {
	case *array.Binary:
		if f.geom {
			set = func(p unsafe.Pointer, i int) { *(*Geometry)(p) = Geometry{wkb: append([]byte(nil), c.Value(i)...)} }
		} else if f.typ.Kind() == reflect.Slice {
			set = func(p unsafe.Pointer, i int) { *(*[]byte)(p) = append([]byte(nil), c.Value(i)...) }
		}
	case *array.Int64:
		if f.cell || f.typ.Kind() == reflect.Int64 {
			set = func(p unsafe.Pointer, i int) { *(*int64)(p) = c.Value(i) }
		}
	case *array.Int32:
		if f.typ.Kind() == reflect.Int32 {
			set = func(p unsafe.Pointer, i int) { *(*int32)(p) = c.Value(i) }
		}
	case *array.Float64:
		if f.typ.Kind() == reflect.Float64 {
			set = func(p unsafe.Pointer, i int) { *(*float64)(p) = c.Value(i) }
		}
	case *array.Float32:
		if f.typ.Kind() == reflect.Float32 {
			set = func(p unsafe.Pointer, i int) { *(*float32)(p) = c.Value(i) }
		}
	case *array.Boolean:
		if f.typ.Kind() == reflect.Bool {
			set = func(p unsafe.Pointer, i int) { *(*bool)(p) = c.Value(i) }
		}
	case *array.String:
		if f.typ.Kind() == reflect.String {
			// Cloned: the buffer is released with the batch.
			set = func(p unsafe.Pointer, i int) { *(*string)(p) = string([]byte(c.Value(i))) }
		}
	case *array.Timestamp:
		if f.typ == timeType {
			set = func(p unsafe.Pointer, i int) { *(*time.Time)(p) = time.UnixMicro(int64(c.Value(i))).UTC() }
		}
	}
	if set == nil {
		return survey.Errorf(survey.Invalid, "parquet: column %s is %s, want that of %s", f.name, col.DataType(), f.typ)
	}
	for i := range n {
		if col.IsNull(i) {
			continue
		}
		p := at(i)
		if f.ptr {
			v := reflect.New(f.typ)
			*(*unsafe.Pointer)(p) = v.UnsafePointer()
			p = v.UnsafePointer()
		}
		set(p, i)
	}
	return nil
}

// Meta is the file's own description as written by Writer.
func Meta(b []byte) (rows int64, keys map[string]string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = survey.Errorf(survey.Invalid, "parquet: damaged file: %v", p)
		}
	}()
	pf, err := file.NewParquetReader(bytes.NewReader(b))
	if err != nil {
		return 0, nil, survey.Errorf(survey.Invalid, "parquet: %w", err)
	}
	defer pf.Close()
	keys = map[string]string{}
	kv := pf.MetaData().KeyValueMetadata()
	for i, k := range kv.Keys() {
		if _, dup := keys[k]; dup {
			return 0, nil, fmt.Errorf("parquet: key %q twice", k)
		}
		keys[k] = kv.Values()[i]
	}
	return pf.NumRows(), keys, nil
}
