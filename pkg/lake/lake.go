// Package lake is the one writer and reader of Parquet in the project, over arrow/go/v17.
//
// A dataset is a Go struct: its fields, tags and types are the schema. That keeps the rules which arrow v17 needs in one
// place: no unsigned columns (H3 cells are int64, with a second column of hex text), no Arrow dictionary type, a
// required root, and only batches from our own builders. Files are GeoParquet 1.1 where the struct has a Geometry:
// WKB in WGS 84 (lon, lat order, as GeoParquet asks), with a covering bbox column rounded outward.
//
// The same rows in the same order give the same bytes. Files of strangers are never read with it.
//
//	type Row struct {
//		Cell survey.Cell   `lake:"h3" doc:"…"`                 // columns h3 (int64) and h3_hex (string)
//		At   time.Time     `lake:"captured_at" unit:"us"`      // timestamp[us, UTC]; the zero time is null if nullable
//		Geom lake.Geometry `lake:"geometry"`                   // columns geometry and bbox
//		Alt  *float64      `lake:"alt" unit:"m" doc:"…"`       // a pointer is a nullable column
//		ID   string        `lake:"id" plain:"distinct"`        // no dictionary: most values occur once
//	}
package lake

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Schema names a dataset's layout. Evolution adds columns and raises Version; it never renames or retypes.
type Schema struct {
	Name    string // for example "frames"
	Version int    // from 1
	Doc     string // one sentence
	// RowGroup is the most rows in a row group; 0 means 131,072.
	RowGroup int
	// Level is that of Zstandard: 0 for the usual one, or Fast.
	Level int
	// Without names columns of the row type that the file does not have: those that its layout's version did not know. A
	// program can so write a file of an earlier version byte for byte.
	Without []string
}

// MediaType is that of a Parquet file.
const MediaType = "application/vnd.apache.parquet"

// Geometry is a WKB geometry with its bounds. The zero Geometry is null.
type Geometry struct {
	wkb  []byte
	kind string
	bbox [4]float64 // xmin, ymin, xmax, ymax
}

// WKB is the little-endian well-known binary, nil for the zero Geometry. The slice must not be changed.
func (g Geometry) WKB() []byte { return g.wkb }

const wkbPoint, wkbLine, wkbPolygon, wkbMultiLine = 1, 2, 3, 5

func wkbHeader(kind uint32) []byte { return binary.LittleEndian.AppendUint32([]byte{1}, kind) }

func (g *Geometry) add(p geo.Point) {
	g.wkb = binary.LittleEndian.AppendUint64(g.wkb, math.Float64bits(p.Lon))
	g.wkb = binary.LittleEndian.AppendUint64(g.wkb, math.Float64bits(p.Lat))
	g.bbox[0], g.bbox[1] = min(g.bbox[0], p.Lon), min(g.bbox[1], p.Lat)
	g.bbox[2], g.bbox[3] = max(g.bbox[2], p.Lon), max(g.bbox[3], p.Lat)
}

var noBounds = [4]float64{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)}

// Point is the geometry of one position.
func Point(p geo.Point) Geometry {
	g := Geometry{wkb: wkbHeader(wkbPoint), kind: "Point", bbox: noBounds}
	g.add(p)
	return g
}

// Line is the geometry of a path; null with fewer than two points.
func Line(ps []geo.Point) Geometry {
	if len(ps) < 2 {
		return Geometry{}
	}
	g := Geometry{wkb: binary.LittleEndian.AppendUint32(wkbHeader(wkbLine), uint32(len(ps))), kind: "LineString", bbox: noBounds}
	for _, p := range ps {
		g.add(p)
	}
	return g
}

// Lines is the geometry of a path in pieces; null when no piece has two points. It is always a MultiLineString, so that
// a column of it has one type.
func Lines(pieces [][]geo.Point) Geometry {
	g := Geometry{kind: "MultiLineString", bbox: noBounds}
	n := 0
	for _, ps := range pieces {
		if len(ps) >= 2 {
			n++
		}
	}
	if n == 0 {
		return Geometry{}
	}
	g.wkb = binary.LittleEndian.AppendUint32(wkbHeader(wkbMultiLine), uint32(n))
	for _, ps := range pieces {
		if len(ps) < 2 {
			continue
		}
		g.wkb = append(g.wkb, wkbHeader(wkbLine)...)
		g.wkb = binary.LittleEndian.AppendUint32(g.wkb, uint32(len(ps)))
		for _, p := range ps {
			g.add(p)
		}
	}
	return g
}

// Polygon is the geometry of an open ring (the first point is repeated at the end here); null with fewer than three.
func Polygon(ring []geo.Point) Geometry {
	if len(ring) < 3 {
		return Geometry{}
	}
	b := binary.LittleEndian.AppendUint32(wkbHeader(wkbPolygon), 1)
	g := Geometry{wkb: binary.LittleEndian.AppendUint32(b, uint32(len(ring)+1)), kind: "Polygon", bbox: noBounds}
	for _, p := range ring {
		g.add(p)
	}
	g.add(ring[0])
	return g
}

// floor32 and ceil32 round outward, so that a filter on the float32 covering never loses a row.
func floor32(v float64) float32 {
	f := float32(v)
	if float64(f) > v {
		f = math.Nextafter32(f, float32(math.Inf(-1)))
	}
	return f
}

func ceil32(v float64) float32 {
	f := float32(v)
	if float64(f) < v {
		f = math.Nextafter32(f, float32(math.Inf(1)))
	}
	return f
}

// Column describes one column for documents and clients.
type Column struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Unit     string `json:"unit,omitempty"`
	Doc      string `json:"doc,omitempty"`
	Nullable bool   `json:"nullable,omitempty"`
}

// field is one struct field and how it becomes columns.
type field struct {
	name, unit, doc string
	off             uintptr
	typ             reflect.Type // without the pointer
	ptr             bool
	geom            bool
	cell            bool
	plain           bool // most values are distinct, so that a dictionary would be built in vain
}

var (
	timeType = reflect.TypeFor[time.Time]()
	geomType = reflect.TypeFor[Geometry]()
	cellType = reflect.TypeFor[survey.Cell]()
	bboxType = arrow.StructOf(
		arrow.Field{Name: "xmin", Type: arrow.PrimitiveTypes.Float32}, arrow.Field{Name: "ymin", Type: arrow.PrimitiveTypes.Float32},
		arrow.Field{Name: "xmax", Type: arrow.PrimitiveTypes.Float32}, arrow.Field{Name: "ymax", Type: arrow.PrimitiveTypes.Float32})
	timestamp = &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
)

func fieldsOf(t reflect.Type) ([]field, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("lake: %s is not a struct", t)
	}
	var out []field
	for i := range t.NumField() {
		sf := t.Field(i)
		name := sf.Tag.Get("lake")
		if name == "" || name == "-" {
			continue
		}
		f := field{name: name, unit: sf.Tag.Get("unit"), doc: sf.Tag.Get("doc"), off: sf.Offset, typ: sf.Type, plain: sf.Tag.Get("plain") != ""}
		if f.typ.Kind() == reflect.Pointer {
			f.ptr, f.typ = true, f.typ.Elem()
		}
		f.geom, f.cell = f.typ == geomType, f.typ == cellType
		if !f.geom && !f.cell && arrowType(f.typ) == nil {
			return nil, fmt.Errorf("lake: field %s.%s has unsupported type %s", t, sf.Name, sf.Type)
		}
		if f.ptr && (f.geom || f.cell) {
			return nil, fmt.Errorf("lake: field %s.%s may not be a pointer", t, sf.Name)
		}
		out = append(out, f)
	}
	return out, nil
}

func arrowType(t reflect.Type) arrow.DataType {
	switch {
	case t == timeType:
		return timestamp
	case t.Kind() == reflect.String:
		return arrow.BinaryTypes.String
	case t.Kind() == reflect.Int64:
		return arrow.PrimitiveTypes.Int64
	case t.Kind() == reflect.Int32:
		return arrow.PrimitiveTypes.Int32
	case t.Kind() == reflect.Float64:
		return arrow.PrimitiveTypes.Float64
	case t.Kind() == reflect.Float32:
		return arrow.PrimitiveTypes.Float32
	case t.Kind() == reflect.Bool:
		return arrow.FixedWidthTypes.Boolean
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return arrow.BinaryTypes.Binary
	}
	return nil // int, uint and the rest: say int64
}

func arrowFields(fs []field) []arrow.Field {
	var out []arrow.Field
	for _, f := range fs {
		switch {
		case f.geom:
			out = append(out, arrow.Field{Name: f.name, Type: arrow.BinaryTypes.Binary, Nullable: true},
				arrow.Field{Name: "bbox", Type: bboxType, Nullable: true})
		case f.cell:
			out = append(out, arrow.Field{Name: f.name, Type: arrow.PrimitiveTypes.Int64}, arrow.Field{Name: f.name + "_hex", Type: arrow.BinaryTypes.String})
		default:
			out = append(out, arrow.Field{Name: f.name, Type: arrowType(f.typ), Nullable: f.ptr})
		}
	}
	return out
}

// ArrowSchema is the Arrow schema of T's files.
func ArrowSchema[T any]() (*arrow.Schema, error) {
	fs, err := fieldsOf(reflect.TypeFor[T]())
	if err != nil {
		return nil, err
	}
	return arrow.NewSchema(arrowFields(fs), nil), nil
}

// Columns describes T's columns in file order.
func Columns[T any]() ([]Column, error) {
	fs, err := fieldsOf(reflect.TypeFor[T]())
	if err != nil {
		return nil, err
	}
	return columns(fs), nil
}

func columns(fs []field) []Column {
	var out []Column
	for _, f := range fs {
		switch {
		case f.geom:
			out = append(out, Column{f.name, "binary (WKB)", "", f.doc, true},
				Column{"bbox", "struct<xmin,ymin,xmax,ymax: float32>", "degrees", "Bounds of " + f.name + ", rounded outward.", true})
		case f.cell:
			out = append(out, Column{f.name, "int64", f.unit, f.doc, false}, Column{f.name + "_hex", "string", "", "The same cell as hex text.", false})
		default:
			out = append(out, Column{f.name, arrowType(f.typ).String(), f.unit, f.doc, f.ptr})
		}
	}
	return out
}

// appender moves one field of the row at p into its builders.
type appender func(p unsafe.Pointer)

func (f field) appender(b *array.RecordBuilder, col int) (appender, int) {
	if f.geom {
		gb, bb := b.Field(col).(*array.BinaryBuilder), b.Field(col+1).(*array.StructBuilder)
		var c [4]*array.Float32Builder
		for i := range c {
			c[i] = bb.FieldBuilder(i).(*array.Float32Builder)
		}
		return func(p unsafe.Pointer) {
			g := (*Geometry)(unsafe.Add(p, f.off))
			if g.wkb == nil {
				gb.AppendNull()
				bb.AppendNull()
				return
			}
			gb.Append(g.wkb)
			bb.Append(true)
			c[0].Append(floor32(g.bbox[0]))
			c[1].Append(floor32(g.bbox[1]))
			c[2].Append(ceil32(g.bbox[2]))
			c[3].Append(ceil32(g.bbox[3]))
		}, col + 2
	}
	if f.cell {
		ib, sb := b.Field(col).(*array.Int64Builder), b.Field(col+1).(*array.StringBuilder)
		return func(p unsafe.Pointer) {
			c := *(*survey.Cell)(unsafe.Add(p, f.off))
			ib.Append(c.Int64())
			sb.Append(c.String())
		}, col + 2
	}
	var put func(p unsafe.Pointer)
	fb := b.Field(col)
	switch fb := fb.(type) {
	case *array.TimestampBuilder:
		put = func(p unsafe.Pointer) { fb.Append(arrow.Timestamp((*time.Time)(p).UnixMicro())) }
	case *array.StringBuilder:
		put = func(p unsafe.Pointer) { fb.Append(*(*string)(p)) }
	case *array.Int64Builder:
		put = func(p unsafe.Pointer) { fb.Append(*(*int64)(p)) }
	case *array.Int32Builder:
		put = func(p unsafe.Pointer) { fb.Append(*(*int32)(p)) }
	case *array.Float64Builder:
		put = func(p unsafe.Pointer) { fb.Append(*(*float64)(p)) }
	case *array.Float32Builder:
		put = func(p unsafe.Pointer) { fb.Append(*(*float32)(p)) }
	case *array.BooleanBuilder:
		put = func(p unsafe.Pointer) { fb.Append(*(*bool)(p)) }
	case *array.BinaryBuilder:
		put = func(p unsafe.Pointer) { fb.Append(*(*[]byte)(p)) }
	default:
		panic(fmt.Sprintf("lake: no appender for %T", fb)) // fieldsOf admits no such type
	}
	if f.ptr {
		return func(p unsafe.Pointer) {
			if q := *(*unsafe.Pointer)(unsafe.Add(p, f.off)); q != nil {
				put(q)
			} else {
				fb.AppendNull()
			}
		}, col + 1
	}
	return func(p unsafe.Pointer) { put(unsafe.Add(p, f.off)) }, col + 1
}

// Writer streams rows of T into one Parquet file. Not safe for concurrent use.
type Writer[T any] struct {
	fs     []field
	schema Schema
	sink   *sink
	w      *file.Writer
	leaves []leaf
	b      *array.RecordBuilder
	put    []appender
	n      int
	rows   int64

	group   file.BufferedRowGroupWriter // nil before the first row
	inGroup int                         // rows in it

	bounds [4]float64
	kinds  map[string]bool
	gname  string
}

// batch is how many rows are turned into Arrow at a time; small enough to stay in cache, large enough to be cheap.
const batch = 8192

// NewWriter begins a file of T on w. Close ends it; w itself stays open.
func NewWriter[T any](w io.Writer, s Schema) (*Writer[T], error) {
	fs, err := fieldsOf(reflect.TypeFor[T]())
	if err != nil {
		return nil, err
	}
	if s.Name == "" || s.Version < 1 {
		return nil, fmt.Errorf("lake: schema has no name or version")
	}
	fs = slices.DeleteFunc(fs, func(f field) bool { return slices.Contains(s.Without, f.name) })
	if s.RowGroup == 0 {
		s.RowGroup = 131072
	}
	if s.Level == 0 {
		s.Level = level
	}
	schema := arrow.NewSchema(arrowFields(fs), nil)
	options := []parquet.WriterProperty{
		parquet.WithCompression(compress.Codecs.Zstd), parquet.WithCompressionLevel(s.Level),
		parquet.WithRootRepetition(parquet.Repetitions.Required), parquet.WithRootName("roadcomb"),
		parquet.WithMaxRowGroupLength(int64(s.RowGroup)), parquet.WithCreatedBy("roadcomb"),
		parquet.WithVersion(parquet.V2_6), parquet.WithStats(true),
		// A column has a dictionary for all of a row group or none: where a dictionary grows over the limit, the library
		// changes to plain values and lists both encodings in random order, so that the same rows gave other bytes.
		parquet.WithDictionaryPageSizeLimit(1 << 30),
	}
	for _, f := range fs {
		names := []string{f.name}
		switch {
		case f.geom: // no two places are the same
		case !f.plain:
			continue
		case f.cell:
			names = append(names, f.name+"_hex")
		}
		for _, name := range names {
			options = append(options, parquet.WithDictionaryFor(name, false))
		}
	}
	props := parquet.NewWriterProperties(options...)
	root, err := pqarrow.ToParquet(schema, props, pqarrow.DefaultWriterProps())
	if err != nil {
		return nil, err
	}
	out := &Writer[T]{fs: fs, schema: s, sink: &sink{w: w}, leaves: leavesOf(schema), bounds: noBounds, kinds: map[string]bool{}}
	out.w = file.NewParquetWriter(out.sink, root.Root(), file.WithWriterProps(props))
	if out.sink.err != nil {
		return nil, out.sink.err
	}
	out.b = array.NewRecordBuilder(memory.DefaultAllocator, schema)
	col := 0
	for _, f := range fs {
		var a appender
		a, col = f.appender(out.b, col)
		out.put = append(out.put, a)
		if f.geom {
			out.gname = f.name
		}
	}
	return out, nil
}

// Write appends rows; they are not kept.
func (w *Writer[T]) Write(rows ...T) error {
	for i := range rows {
		p := unsafe.Pointer(&rows[i])
		for _, put := range w.put {
			put(p)
		}
		if w.gname != "" {
			w.cover(p)
		}
		w.rows++
		if w.n++; w.n == batch {
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *Writer[T]) cover(p unsafe.Pointer) {
	for _, f := range w.fs {
		if !f.geom {
			continue
		}
		if g := (*Geometry)(unsafe.Add(p, f.off)); g.wkb != nil {
			w.bounds[0], w.bounds[1] = min(w.bounds[0], g.bbox[0]), min(w.bounds[1], g.bbox[1])
			w.bounds[2], w.bounds[3] = max(w.bounds[2], g.bbox[2]), max(w.bounds[3], g.bbox[3])
			w.kinds[g.kind] = true
		}
	}
}

func (w *Writer[T]) flush() error {
	if w.n == 0 {
		return nil
	}
	n := w.n
	w.n = 0
	rec := w.b.NewRecord()
	defer rec.Release()
	if n == batch { // the next is likely as large: its memory is taken at once, not doubled up to
		for i, c := range rec.Columns() {
			reserve(w.b.Field(i), c)
		}
	}
	return w.writeRecord(rec)
}

// reserve makes room in b for as much as like has.
func reserve(b array.Builder, like arrow.Array) {
	b.Reserve(like.Len())
	switch b := b.(type) {
	case *array.StringBuilder:
		b.ReserveData(len(like.(*array.String).ValueBytes()))
	case *array.BinaryBuilder:
		b.ReserveData(len(like.(*array.Binary).ValueBytes()))
	case *array.StructBuilder:
		for i := range b.NumField() {
			b.FieldBuilder(i).Reserve(like.Len())
		}
	}
}

// Rows is how many rows were written.
func (w *Writer[T]) Rows() int64 { return w.rows }

// Close completes the file.
func (w *Writer[T]) Close() error {
	defer w.b.Release()
	if err := w.flush(); err != nil {
		return err
	}
	about, err := json.Marshal(struct {
		Name    string   `json:"name"`
		Version int      `json:"version"`
		Doc     string   `json:"doc,omitempty"`
		Columns []Column `json:"columns"`
	}{w.schema.Name, w.schema.Version, w.schema.Doc, columns(w.fs)})
	if err != nil {
		return err
	}
	if err := w.w.AppendKeyValueMetadata("roadcomb:schema", string(about)); err != nil {
		return err
	}
	if w.gname != "" {
		if err := w.w.AppendKeyValueMetadata("geo", w.geo()); err != nil {
			return err
		}
	}
	if err := w.endGroup(); err != nil {
		return err
	}
	if err := w.w.Close(); err != nil {
		return err
	}
	return w.sink.err // the library gives none of its own
}

// geo is the GeoParquet 1.1 file metadata. The order of keys is fixed by the struct, so that bytes are too.
func (w *Writer[T]) geo() string {
	type covering struct {
		XMin [2]string `json:"xmin"`
		YMin [2]string `json:"ymin"`
		XMax [2]string `json:"xmax"`
		YMax [2]string `json:"ymax"`
	}
	type column struct {
		Encoding string    `json:"encoding"`
		Types    []string  `json:"geometry_types"`
		BBox     []float64 `json:"bbox,omitempty"`
		Edges    string    `json:"edges"`
		Covering struct {
			BBox covering `json:"bbox"`
		} `json:"covering"`
	}
	c := column{Encoding: "WKB", Types: []string{}, Edges: "planar"}
	for _, k := range []string{"Point", "LineString", "Polygon", "MultiLineString"} {
		if w.kinds[k] {
			c.Types = append(c.Types, k)
		}
	}
	if len(c.Types) > 0 {
		c.BBox = w.bounds[:]
	}
	c.Covering.BBox = covering{[2]string{"bbox", "xmin"}, [2]string{"bbox", "ymin"}, [2]string{"bbox", "xmax"}, [2]string{"bbox", "ymax"}}
	b, _ := json.Marshal(struct { // cannot fail: finite numbers and strings
		Version string            `json:"version"`
		Primary string            `json:"primary_column"`
		Columns map[string]column `json:"columns"`
	}{"1.1.0", w.gname, map[string]column{w.gname: c}})
	return string(b)
}

// Encode is a whole file of rows.
func Encode[T any](s Schema, rows []T) ([]byte, error) {
	var buf strings.Builder
	w, err := NewWriter[T](&buf, s)
	if err != nil {
		return nil, err
	}
	if err := w.Write(rows...); err != nil {
		return nil, fmt.Errorf("encode %s: %w", s.Name, err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("encode %s: %w", s.Name, err)
	}
	return []byte(buf.String()), nil
}
