package query

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	mapping "github.com/duckdb/duckdb-go-bindings"

	"github.com/roadcomb/roadcomb/datasets/query/internal/raw"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// batchBytes is about how large a record is: small enough for the 4 MB that gRPC clients take by default.
const batchBytes = 2 << 20

// Stream is the answer to a query, record by record. It holds a connection of the engine until it is closed. Its methods
// are for one goroutine; only cancelling the context it was opened with may happen elsewhere.
type Stream struct {
	e      *Engine
	conn   *sql.Conn
	raw    mapping.Connection
	watch  *watch
	stmt   mapping.PreparedStatement
	res    mapping.Result
	schema *arrow.Schema
	cols   []column
	err    error // of the end, io.EOF when it went well
	rows   int64
}

// Stream runs one SELECT with values for its parameters, which may be nil. Anything else than one SELECT statement is
// Unauthorized; SQL that does not parse or bind is Invalid; a query over its time or memory is Busy. The time that the
// reader takes between records does not count. Close the stream.
func (e *Engine) Stream(ctx context.Context, q string, args []any) (*Stream, error) {
	s, err := e.prepare(ctx, q)
	if err != nil {
		return nil, err
	}
	if err = s.bind(args); err == nil {
		err = s.start()
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Unresolved is in the metadata of a schema from Describe whose columns depend on the values of parameters.
const Unresolved = "roadcomb:unresolved"

// Describe gives the columns of a SELECT and the types of its parameters, without running it.
func (e *Engine) Describe(ctx context.Context, q string) (columns, parameters *arrow.Schema, err error) {
	s, err := e.prepare(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	defer s.Close()
	n := int(mapping.PreparedStatementColumnCount(s.stmt))
	fs := make([]arrow.Field, n)
	var about *arrow.Metadata
	for i := range fs {
		t := mapping.PreparedStatementColumnLogicalType(s.stmt, mapping.IdxT(i))
		c, err := newColumn(t, memory.DefaultAllocator)
		mapping.DestroyLogicalType(&t)
		if err != nil {
			c = &textColumn{bitmap: bitmap{dt: arrow.BinaryTypes.String}}
			m := arrow.NewMetadata([]string{Unresolved}, []string{"true"})
			about = &m
		}
		fs[i] = arrow.Field{Name: mapping.PreparedStatementColumnName(s.stmt, mapping.IdxT(i)), Type: c.typ(), Nullable: true}
	}
	ps := make([]arrow.Field, mapping.NParams(s.stmt))
	for i := range ps {
		ps[i] = arrow.Field{Name: mapping.ParameterName(s.stmt, mapping.IdxT(i+1)), Type: arrow.BinaryTypes.String, Nullable: true}
		switch mapping.ParamType(s.stmt, mapping.IdxT(i+1)) {
		case mapping.TypeTinyInt, mapping.TypeSmallInt, mapping.TypeInteger, mapping.TypeBigInt, mapping.TypeHugeInt, mapping.TypeIntegerLiteral:
			ps[i].Type = arrow.PrimitiveTypes.Int64
		case mapping.TypeFloat, mapping.TypeDouble, mapping.TypeDecimal:
			ps[i].Type = arrow.PrimitiveTypes.Float64
		case mapping.TypeBoolean:
			ps[i].Type = arrow.FixedWidthTypes.Boolean
		case mapping.TypeTimestamp, mapping.TypeTimestampTZ:
			ps[i].Type = arrow.FixedWidthTypes.Timestamp_us
		case mapping.TypeDate:
			ps[i].Type = arrow.FixedWidthTypes.Date32
		case mapping.TypeBlob:
			ps[i].Type = arrow.BinaryTypes.Binary
		}
	}
	return arrow.NewSchema(fs, about), arrow.NewSchema(ps, nil), nil
}

func (e *Engine) prepare(ctx context.Context, q string) (s *Stream, err error) {
	s = &Stream{e: e}
	defer func() {
		if err != nil {
			s.Close()
			s = nil
		}
	}()
	if s.conn, err = e.db.Conn(ctx); err != nil {
		return s, err
	}
	if err = s.conn.Raw(func(c any) error { s.raw, err = raw.Handle(c); return err }); err != nil {
		return s, err
	}
	s.watch = newWatch(ctx, s.raw, e.timeout)
	if strings.ContainsRune(q, 0) {
		return s, survey.Errorf(survey.Invalid, "SQL: a zero byte in the query")
	}
	err = s.timed(func() error {
		var stmts mapping.ExtractedStatements
		n := mapping.ExtractStatements(s.raw, q, &stmts)
		defer mapping.DestroyExtracted(&stmts)
		switch {
		case n == 0:
			msg := mapping.ExtractStatementsError(stmts)
			if msg == "" {
				msg = "the query is empty"
			}
			return survey.Errorf(survey.Invalid, "SQL: %s", msg)
		case n > 1:
			return survey.Errorf(survey.Unauthorized, "only one SELECT is allowed here, not %d statements", n)
		}
		if mapping.PrepareExtractedStatement(s.raw, stmts, 0, &s.stmt) == mapping.StateError {
			return sqlMessage(mapping.PrepareError(s.stmt))
		}
		if mapping.PreparedStatementType(s.stmt) != mapping.StatementTypeSelect {
			return survey.Errorf(survey.Unauthorized, "only SELECT is allowed here").WithHint("datasets are read-only")
		}
		return nil
	})
	return s, err
}

func (s *Stream) bind(args []any) error {
	n := int(mapping.NParams(s.stmt))
	if len(args) != n {
		return survey.Errorf(survey.Invalid, "the query has %d parameters, and %d values were given", n, len(args))
	}
	for i, a := range args {
		at := mapping.IdxT(i + 1)
		var st mapping.State
		switch v := a.(type) {
		case nil:
			st = mapping.BindNull(s.stmt, at)
		case bool:
			st = mapping.BindBoolean(s.stmt, at, v)
		case int64:
			st = mapping.BindInt64(s.stmt, at, v)
		case uint64:
			st = mapping.BindUInt64(s.stmt, at, v)
		case float64:
			st = mapping.BindDouble(s.stmt, at, v)
		case string:
			st = mapping.BindVarcharLength(s.stmt, at, v, mapping.IdxT(len(v)))
		case []byte:
			st = mapping.BindBlob(s.stmt, at, v)
		case time.Time:
			st = mapping.BindTimestampTZ(s.stmt, at, mapping.NewTimestamp(v.UnixMicro()))
		default:
			return survey.Errorf(survey.Unsupported, "parameter %d is a %T", i+1, a)
		}
		if st == mapping.StateError {
			return survey.Errorf(survey.Invalid, "parameter %d does not fit: %s", i+1, mapping.PrepareError(s.stmt))
		}
	}
	return nil
}

// start executes until the first rows are there.
func (s *Stream) start() error {
	err := s.timed(func() error {
		var pending mapping.PendingResult
		defer mapping.DestroyPending(&pending)
		if mapping.PendingPreparedStreaming(s.stmt, &pending) == mapping.StateError {
			return sqlMessage(mapping.PendingError(pending))
		}
		if mapping.ExecutePending(pending, &s.res) == mapping.StateError {
			return sqlMessage(mapping.ResultError(&s.res))
		}
		return nil
	})
	if err != nil {
		return err
	}
	fs := make([]arrow.Field, mapping.ColumnCount(&s.res))
	for i := range fs {
		name := mapping.ColumnName(&s.res, mapping.IdxT(i))
		t := mapping.ColumnLogicalType(&s.res, mapping.IdxT(i))
		c, err := newColumn(t, s.e.mem())
		mapping.DestroyLogicalType(&t)
		if err != nil {
			return survey.Errorf(survey.Unsupported, "column %s: %w", name, err)
		}
		s.cols = append(s.cols, c)
		fs[i] = arrow.Field{Name: name, Type: c.typ(), Nullable: true}
	}
	s.schema = arrow.NewSchema(fs, nil)
	return nil
}

// Schema is that of the records.
func (s *Stream) Schema() *arrow.Schema { return s.schema }

// Rows is how many rows have been given out.
func (s *Stream) Rows() int64 { return s.rows }

// Next gives the next record, which the caller releases; io.EOF at the end. A record has about 2 MB, but at least one
// row, and may hold 2,048 large ones.
func (s *Stream) Next() (arrow.Record, error) {
	if s.err != nil {
		return nil, s.err
	}
	n := 0
	err := s.timed(func() error {
		for {
			chunk := mapping.FetchChunk(s.res)
			if chunk.Ptr == nil {
				if msg := mapping.ResultError(&s.res); msg != "" {
					return sqlMessage(msg)
				}
				return io.EOF
			}
			rows := int(mapping.DataChunkGetSize(chunk))
			bytes := 0
			for i, c := range s.cols {
				c.add(mapping.DataChunkGetVector(chunk, mapping.IdxT(i)), 0, rows)
				bytes += c.bytes()
			}
			mapping.DestroyDataChunk(&chunk)
			n += rows
			if bytes > math.MaxInt32/2 {
				return survey.Errorf(survey.Busy, "2,048 rows have %d bytes", bytes).WithHint("ask for smaller values")
			}
			if bytes >= batchBytes || n >= 1<<20 {
				return nil
			}
			if s.watch.over() {
				return nil // timed says why
			}
		}
	})
	if err != nil {
		s.err = err
		if err != io.EOF || n == 0 {
			return nil, err
		}
	}
	s.rows += int64(n)
	arrs := make([]arrow.Array, len(s.cols))
	for i, c := range s.cols {
		d := c.take()
		arrs[i] = array.MakeFromData(d)
		d.Release()
	}
	rec := array.NewRecord(s.schema, arrs, int64(n))
	for _, a := range arrs {
		a.Release()
	}
	return rec, nil
}

// Close lets go of the connection; a query still running is interrupted.
func (s *Stream) Close() {
	for _, c := range s.cols {
		c.release()
	}
	s.cols = nil
	if s.err == nil {
		s.err = survey.Errorf(survey.Internal, "the stream is closed")
	}
	if s.watch != nil {
		s.watch.stop()
	}
	mapping.DestroyResult(&s.res)
	mapping.DestroyPrepare(&s.stmt)
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}

// timed calls into DuckDB under the watch.
func (s *Stream) timed(fn func() error) error {
	s.watch.begin()
	err := fn()
	if cause := s.watch.end(); cause != nil && !errors.Is(err, io.EOF) {
		return cause
	}
	return err
}

// watch interrupts a connection when its context ends or its time inside DuckDB is used up.
type watch struct {
	ctx  context.Context
	conn mapping.Connection
	left time.Duration
	max  time.Duration

	running chan struct{} // closed when the call ends; nil between calls
	since   time.Time
	cause   atomic.Pointer[error]
	wg      sync.WaitGroup
}

func newWatch(ctx context.Context, c mapping.Connection, most time.Duration) *watch {
	return &watch{ctx: ctx, conn: c, left: most, max: most}
}

func (w *watch) over() bool { return w.cause.Load() != nil }

func (w *watch) begin() {
	done := make(chan struct{})
	w.running, w.since = done, time.Now()
	w.wg.Add(1)
	go func() {
		defer w.wg.Done()
		timer := time.NewTimer(w.left)
		defer timer.Stop()
		var cause error
		select {
		case <-done:
			return
		case <-w.ctx.Done():
			cause = context.Cause(w.ctx)
		case <-timer.C:
			cause = survey.Errorf(survey.Busy, "the query took longer than %s", w.max).WithHint("ask for less, or filter by h3 and date")
		}
		w.cause.Store(&cause)
		// An interrupt that comes before the work has begun is forgotten by DuckDB, so it is repeated.
		again := time.NewTicker(10 * time.Millisecond)
		defer again.Stop()
		for {
			mapping.Interrupt(w.conn)
			select {
			case <-done:
				return
			case <-again.C:
			}
		}
	}()
}

// end gives why the call was interrupted, nil when it was not.
func (w *watch) end() error {
	close(w.running)
	w.running = nil
	w.wg.Wait()
	w.left -= time.Since(w.since)
	if c := w.cause.Load(); c != nil {
		return *c
	}
	return nil
}

func (w *watch) stop() { w.wg.Wait() }

// sqlMessage tells the asker's mistakes from ours by the kind that DuckDB puts before its messages.
func sqlMessage(msg string) error {
	err := survey.Errorf(survey.Invalid, "SQL: %s", msg)
	switch kind, _, _ := strings.Cut(msg, ":"); kind {
	case "Permission Error":
		return survey.Errorf(survey.Unauthorized, "SQL: %s", msg).WithHint("only the datasets can be read")
	case "Out of Memory Error":
		return survey.Errorf(survey.Busy, "SQL: %s", msg).WithHint("the query needs more memory than it may have")
	case "INTERRUPT Error":
		return survey.Errorf(survey.Busy, "SQL: %s", msg)
	case "FATAL Error", "INTERNAL Error":
		return survey.Errorf(survey.Internal, "SQL: %s", msg)
	}
	return err
}
