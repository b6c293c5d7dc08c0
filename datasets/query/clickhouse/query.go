package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/roadcomb/roadcomb/datasets/query"
	"github.com/roadcomb/roadcomb/datasets/schema"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Engine answers analysts' SQL over a snapshot's files, in ClickHouse's dialect, with the datasets as tables and with the
// same H3 functions as the embedded engine. It is safe for concurrent use.
type Engine struct {
	Server *Server
	Source Source
	// Files gives the paths of the current snapshot's files by dataset.
	Files func(ctx context.Context) (map[string][]string, error)
	Alloc memory.Allocator // of records; nil means memory.DefaultAllocator

	once sync.Once
	gate *gate
}

// functions are those of the embedded engine, as functions of the query; null gives null.
var functions = []struct{ name, lambda string }{
	{"h3_cell", "(rc_lat, rc_lng, rc_res) -> toInt64(geoToH3(toFloat64(rc_lat), toFloat64(rc_lng), toUInt8(rc_res)))"},
	{"h3_parent", "(rc_cell, rc_res) -> toInt64(h3ToParent(toUInt64(rc_cell), toUInt8(rc_res)))"},
	{"h3_ring", "(rc_cell, rc_k) -> arrayMap(rc_x -> toInt64(rc_x), arrayFilter(rc_y -> rc_k = 0 OR NOT has(h3kRing(toUInt64(rc_cell), toUInt16(greatest(rc_k, 1) - 1)), rc_y), h3kRing(toUInt64(rc_cell), toUInt16(rc_k))))"},
	{"h3_hex", "(rc_cell) -> h3ToString(toUInt64(rc_cell))"},
	{"h3_of", "(rc_hex) -> toInt64(stringToH3(rc_hex))"},
	{"h3_boundary_wkb", "(rc_cell) -> wkb(CAST([arrayMap(rc_p -> (rc_p.2, rc_p.1), arrayPushBack(h3ToGeoBoundary(toUInt64(rc_cell)), h3ToGeoBoundary(toUInt64(rc_cell))[1]))], 'Polygon'))"},
}

var ownFunctions = func() map[string]bool {
	out := map[string]bool{}
	for _, f := range functions {
		out[f.name] = true
	}
	return out
}()

func (e *Engine) init() {
	e.once.Do(func() {
		e.gate = &gate{server: e.Server}
		if e.Alloc == nil {
			e.Alloc = memory.DefaultAllocator
		}
	})
}

// structure is a dataset's columns as ClickHouse's types. Columns that older files lack are null or zero there.
func structure(cols []lake.Column) string {
	out := make([]string, len(cols))
	for i, c := range cols {
		t := "String"
		switch {
		case strings.HasPrefix(c.Type, "timestamp"):
			t = "DateTime64(6, 'UTC')"
		case strings.HasPrefix(c.Type, "struct"):
			t = "Tuple(xmin Nullable(Float32), ymin Nullable(Float32), xmax Nullable(Float32), ymax Nullable(Float32))"
		case c.Type == "int64":
			t = "Int64"
		case c.Type == "int32":
			t = "Int32"
		case c.Type == "float64":
			t = "Float64"
		case c.Type == "float32":
			t = "Float32"
		case c.Type == "bool":
			t = "Bool"
		}
		if c.Nullable && !strings.HasPrefix(t, "Tuple") {
			t = "Nullable(" + t + ")"
		}
		out[i] = c.Name + " " + t
	}
	return strings.Join(out, ", ")
}

// wrap is the query with the datasets and functions that it names before it.
func (e *Engine) wrap(ctx context.Context, sql, after string) (string, error) {
	all, err := schema.All()
	if err != nil {
		return "", err
	}
	files, err := e.Files(ctx)
	if err != nil {
		return "", err
	}
	var with []string
	for _, f := range functions {
		if strings.Contains(sql, f.name) {
			with = append(with, f.lambda+" AS "+f.name)
		}
	}
	for _, d := range all {
		if !strings.Contains(sql, d.Name) {
			continue
		}
		src := "null(" + Literal(structure(d.Columns)) + ")"
		if paths := files[d.Name]; len(paths) > 0 {
			if src, err = e.Source(paths, structure(d.Columns)); err != nil {
				return "", err
			}
		}
		names := make([]string, len(d.Columns))
		for i, c := range d.Columns {
			names[i] = c.Name
		}
		with = append(with, d.Name+" AS (SELECT "+strings.Join(names, ", ")+" FROM "+src+")")
	}
	out := "SELECT * FROM (\n" + sql + "\n)" + after + " FORMAT ArrowStream"
	if len(with) > 0 {
		out = "WITH " + strings.Join(with, ", ") + " " + out
	}
	return out, nil
}

// settings of a customer's query. A database must be named: information_schema has no data, so that names which the query
// does not define and which are no dataset lead nowhere.
func settings(id string, l query.Limits) url.Values {
	v := url.Values{}
	for k, x := range map[string]string{
		"query_id": id, "database": "information_schema", "readonly": "2", "allow_ddl": "0", "allow_introspection_functions": "0",
		"max_execution_time": strconv.FormatFloat(l.Time.Seconds(), 'f', -1, 64), "timeout_overflow_mode": "throw", "timeout_before_checking_execution_speed": "0",
		"max_memory_usage": strconv.FormatInt(int64(l.MemoryMB)<<20, 10), "max_query_size": strconv.Itoa(64 << 20),
		"max_bytes_before_external_sort": "0", "max_bytes_before_external_group_by": "0", "cancel_http_readonly_queries_on_client_close": "1",
		"glob_expansion_max_elements": "1000000", "use_hive_partitioning": "0", "session_timezone": "UTC", "enable_analyzer": "1",
		"output_format_arrow_string_as_string": "1", "output_format_arrow_compression_method": "lz4_frame",
	} {
		v.Set(k, x)
	}
	return v
}

// Stream runs one SELECT within limits. Errors are those of the embedded engine: what is no SELECT over the datasets is
// Unauthorized, SQL that does not parse or fit is Invalid, a query over its time or memory is Busy. Close the stream.
func (e *Engine) Stream(ctx context.Context, sql string, l query.Limits) (*Stream, error) {
	return e.stream(ctx, sql, "", l)
}

// Describe gives the columns of a SELECT without its rows.
func (e *Engine) Describe(ctx context.Context, sql string, l query.Limits) (*arrow.Schema, error) {
	s, err := e.stream(ctx, sql, " LIMIT 0", l)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.Schema(), nil
}

func (e *Engine) stream(ctx context.Context, sql, after string, l query.Limits) (_ *Stream, err error) {
	e.init()
	sql = strings.TrimRight(sql, "; \t\r\n")
	if sql == "" {
		return nil, survey.Errorf(survey.Invalid, "SQL: the query is empty")
	}
	if sql, err = plainNames(sql); err != nil {
		return nil, err
	}
	if err := e.gate.check(ctx, sql, ownFunctions); err != nil {
		return nil, told(err, "")
	}
	whole, err := e.wrap(ctx, sql, after)
	if err != nil {
		return nil, err
	}
	id := newID()
	body, err := e.Server.Post(ctx, whole, settings(id, l.Filled()))
	if err != nil {
		return nil, told(err, sql)
	}
	s := &Stream{ctx: ctx, server: e.Server, id: id, sql: sql, body: body, tail: tail{r: body}}
	if err := s.open(e.Alloc); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Stream is an answer on its way. Its methods are for one goroutine.
type Stream struct {
	ctx    context.Context
	server *Server
	id     string
	sql    string
	body   io.ReadCloser
	tail   tail
	r      *ipc.Reader
	schema *arrow.Schema
	err    error // of the end
}

func (s *Stream) open(alloc memory.Allocator) (err error) {
	defer recovered(&err)
	if s.r, err = ipc.NewReader(&s.tail, ipc.WithAllocator(alloc)); err != nil {
		return s.broken(err)
	}
	fs := slices.Clone(s.r.Schema().Fields())
	for i, f := range fs {
		// ClickHouse has one type for text and for bytes: names tell.
		if f.Type.ID() == arrow.STRING && (f.Name == "geometry" || strings.HasSuffix(f.Name, "_wkb") || strings.HasPrefix(f.Name, "h3_boundary_wkb(")) {
			fs[i].Type = arrow.BinaryTypes.Binary
		}
	}
	s.schema = arrow.NewSchema(fs, nil)
	return nil
}

func recovered(err *error) {
	if p := recover(); p != nil {
		*err = survey.Errorf(survey.Unavailable, "ClickHouse: a damaged Arrow stream: %v", p)
	}
}

// Schema is that of the records.
func (s *Stream) Schema() *arrow.Schema { return s.schema }

// Next gives the next record, which the caller releases; io.EOF at the end. An answer that breaks off is an error.
func (s *Stream) Next() (_ arrow.Record, err error) {
	if s.err != nil {
		return nil, s.err
	}
	defer func() { s.err = err }()
	defer recovered(&err)
	if !s.r.Next() {
		if err := s.r.Err(); err != nil && !errors.Is(err, io.EOF) {
			return nil, s.broken(err)
		}
		if !s.tail.ended() {
			return nil, s.broken(io.ErrUnexpectedEOF)
		}
		return nil, io.EOF
	}
	rec := s.r.Record()
	cols := make([]arrow.Array, rec.NumCols())
	for i, c := range rec.Columns() {
		if s.schema.Field(i).Type.ID() == arrow.BINARY && c.DataType().ID() == arrow.STRING {
			d := array.NewData(arrow.BinaryTypes.Binary, c.Len(), c.Data().Buffers(), nil, c.NullN(), c.Data().Offset())
			cols[i] = array.MakeFromData(d)
			d.Release()
			defer cols[i].Release()
			continue
		}
		cols[i] = c
	}
	return array.NewRecord(s.schema, cols, rec.NumRows()), nil
}

// broken says why an answer ended early: the caller went away, or the server wrote an exception after the rows.
func (s *Stream) broken(err error) error {
	if s.ctx.Err() != nil {
		return context.Cause(s.ctx)
	}
	io.Copy(io.Discard, io.LimitReader(&s.tail, 1<<20)) // the message may still be on its way
	if e := exception("", string(s.tail.kept)); e != nil {
		return told(e, s.sql)
	}
	return survey.Errorf(survey.Unavailable, "ClickHouse: the answer broke off: %w", err)
}

// Close ends the query, also on the server.
func (s *Stream) Close() {
	if s.r != nil {
		s.r.Release()
		s.r = nil
	}
	s.body.Close()
	if s.err == nil || !errors.Is(s.err, io.EOF) && s.ctx.Err() != nil {
		s.err = survey.Errorf(survey.Internal, "the stream is closed")
		go s.server.kill(s.id)
	}
}

// tail keeps the last bytes that were read.
type tail struct {
	r    io.Reader
	kept []byte
}

func (t *tail) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	const most = 4 << 10
	t.kept = append(t.kept, p[max(n-most, 0):n]...)
	if len(t.kept) > 2*most {
		t.kept = append(t.kept[:0], t.kept[len(t.kept)-most:]...)
	}
	return n, err
}

// ended tells whether the stream's end mark was the last that came; the library takes the end of input for it.
func (t *tail) ended() bool {
	n := len(t.kept)
	return n >= 8 && string(t.kept[n-8:]) == "\xff\xff\xff\xff\x00\x00\x00\x00"
}

// told is a server's error as the asker may see it. The text is shown only of errors about the asker's SQL: others could
// name addresses and files.
func told(err error, sql string) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	text, _, _ := strings.Cut(e.Text, ": In scope ")
	text, _, _ = strings.Cut(text, ": While executing ")
	if len(text) > 600 {
		text = text[:600] + "…"
	}
	if strings.Contains(text, "s3(") || strings.Contains(text, "file(") {
		text = "the query does not fit the datasets"
	}
	switch e.Code {
	case 62, 36, 42, 43, 44, 46, 47, 53, 60, 63, 70, 184, 179, 207, 215, 386, 352, 403, 456, 6, 27, 38, 41, 69, 72, 125, 153, 190, 407, 10, 8, 16, 48, 49, 50:
		return survey.Errorf(survey.Invalid, "SQL: %s", text)
	case 159, 160:
		return survey.Errorf(survey.Busy, "the query took too long").WithHint("ask for less, or filter by h3 and date")
	case 241:
		return survey.Errorf(survey.Busy, "the query needs more memory than it may have").WithHint("ask for less")
	case 158, 191, 202, 307, 396:
		return survey.Errorf(survey.Busy, "the query is over a limit of the ClickHouse server")
	case 394:
		return survey.Errorf(survey.Busy, "the query was cancelled")
	case 164, 497:
		return survey.Errorf(survey.Unauthorized, "the ClickHouse server does not allow this query")
	}
	if e.Denied() {
		return survey.Errorf(survey.Unavailable, "the ClickHouse server refuses our user; its operator must see to it")
	}
	return survey.Errorf(survey.Unavailable, "the ClickHouse server could not answer (code %d)", e.Code).WithHint("try again; the server's own log says why")
}

// Tables gives the columns of each dataset, by name.
func (e *Engine) Tables(ctx context.Context, l query.Limits) (map[string]*arrow.Schema, error) {
	all, err := schema.All()
	if err != nil {
		return nil, err
	}
	out := map[string]*arrow.Schema{}
	for _, d := range all {
		if out[d.Name], err = e.Describe(ctx, "SELECT * FROM "+d.Name, l); err != nil {
			return nil, fmt.Errorf("dataset %s: %w", d.Name, err)
		}
	}
	return out, nil
}

// Remember keeps an answer of Files for a while, and the last one when a newer cannot be had.
func Remember(d time.Duration, files func(context.Context) (map[string][]string, error)) func(context.Context) (map[string][]string, error) {
	var mu sync.Mutex
	var at time.Time
	var last map[string][]string
	return func(ctx context.Context) (map[string][]string, error) {
		mu.Lock()
		defer mu.Unlock()
		if last == nil || time.Since(at) > d {
			got, err := files(ctx)
			if err != nil && last == nil {
				return nil, err
			} else if err == nil {
				last, at = got, time.Now()
			}
		}
		return maps.Clone(last), nil
	}
}
