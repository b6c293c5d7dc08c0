package flight

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/flight"
	"github.com/apache/arrow/go/v17/arrow/flight/flightsql"
	"github.com/apache/arrow/go/v17/arrow/flight/flightsql/schema_ref"

	"github.com/roadcomb/roadcomb/datasets/query"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// server implements the commands of Flight SQL that only read.
type server struct {
	flightsql.BaseServer
	c     Config
	infos []uint32

	mu       sync.Mutex
	prepared map[string]*prepared
	running  map[string]map[*running]bool // by ticket
}

// prepared is a statement that a client holds a handle of.
type prepared struct {
	owner string
	sql   string
	rows  [][]any // values of the parameters; one execution each
	used  time.Time
}

type running struct {
	owner  string
	cancel context.CancelCauseFunc
}

const (
	maxPrepared  = 64 // of one key
	preparedLife = time.Hour
	maxParamRows = 1000
	maxSQL       = 1 << 20
	maxMessage   = 3 << 20 // of a record; many gRPC clients take 4 MB
)

var errCancelled = survey.Errorf(survey.Busy, "the query was cancelled")

func info(desc *flight.FlightDescriptor, ticket []byte, schema *arrow.Schema, s *server) *flight.FlightInfo {
	out := &flight.FlightInfo{Endpoint: []*flight.FlightEndpoint{{Ticket: &flight.Ticket{Ticket: ticket}}}, FlightDescriptor: desc, TotalRecords: -1, TotalBytes: -1}
	if !schema.HasMetadata() || schema.Metadata().FindKey(query.Unresolved) < 0 { // a guess would contradict the answer
		out.Schema = flight.SerializeSchema(schema, s.c.Alloc)
	}
	return out
}

func (s *server) describe(ctx context.Context, sql string) (columns, parameters *arrow.Schema, err error) {
	if len(sql) > maxSQL {
		return nil, nil, survey.Errorf(survey.Invalid, "the query has %d bytes, at most %d are allowed", len(sql), maxSQL)
	}
	return s.c.Backend.Describe(ctx, callOf(ctx).grant, sql)
}

func (s *server) GetFlightInfoStatement(ctx context.Context, q flightsql.StatementQuery, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	columns, _, err := s.describe(ctx, q.GetQuery())
	if err != nil {
		return nil, err
	}
	// The ticket is the query itself, so that it works after a restart and on another server.
	ticket, err := flightsql.CreateStatementQueryTicket([]byte(q.GetQuery()))
	if err != nil {
		return nil, err
	}
	return info(desc, ticket, columns, s), nil
}

func (s *server) GetSchemaStatement(ctx context.Context, q flightsql.StatementQuery, _ *flight.FlightDescriptor) (*flight.SchemaResult, error) {
	columns, _, err := s.describe(ctx, q.GetQuery())
	if err != nil {
		return nil, err
	}
	return &flight.SchemaResult{Schema: flight.SerializeSchema(columns, s.c.Alloc)}, nil
}

func (s *server) DoGetStatement(ctx context.Context, t flightsql.StatementQueryTicket) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	ticket, err := flightsql.CreateStatementQueryTicket(t.GetStatementHandle())
	if err != nil {
		return nil, nil, err
	}
	return s.run(ctx, string(ticket), string(t.GetStatementHandle()), [][]any{nil})
}

func (s *server) CreatePreparedStatement(ctx context.Context, r flightsql.ActionCreatePreparedStatementRequest) (res flightsql.ActionCreatePreparedStatementResult, err error) {
	columns, parameters, err := s.describe(ctx, r.GetQuery())
	if err != nil {
		return res, err
	}
	var raw [16]byte
	rand.Read(raw[:]) // never fails (crypto/rand)
	handle, owner := hex.EncodeToString(raw[:]), callOf(ctx).grant.ID
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for h, p := range s.prepared {
		if time.Since(p.used) > preparedLife {
			delete(s.prepared, h)
		} else if p.owner == owner {
			n++
		}
	}
	if n >= maxPrepared {
		return res, survey.Errorf(survey.Busy, "%d prepared statements are open", n).WithHint("close those that are done")
	}
	s.prepared[handle] = &prepared{owner: owner, sql: r.GetQuery(), used: time.Now()}
	return flightsql.ActionCreatePreparedStatementResult{Handle: []byte(handle), DatasetSchema: columns, ParameterSchema: parameters}, nil
}

// held is the caller's prepared statement.
func (s *server) held(ctx context.Context, handle []byte) (prepared, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.prepared[string(handle)]
	if p == nil || p.owner != callOf(ctx).grant.ID {
		return prepared{}, survey.Errorf(survey.NotFound, "the prepared statement is closed, or the server was restarted").WithHint("prepare it again")
	}
	p.used = time.Now()
	return *p, nil
}

func (s *server) ClosePreparedStatement(ctx context.Context, r flightsql.ActionClosePreparedStatementRequest) error {
	if _, err := s.held(ctx, r.GetPreparedStatementHandle()); err != nil {
		return nil // closed already
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.prepared, string(r.GetPreparedStatementHandle()))
	return nil
}

func (s *server) GetFlightInfoPreparedStatement(ctx context.Context, q flightsql.PreparedStatementQuery, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	p, err := s.held(ctx, q.GetPreparedStatementHandle())
	if err != nil {
		return nil, err
	}
	columns, _, err := s.describe(ctx, p.sql)
	if err != nil {
		return nil, err
	}
	return info(desc, desc.Cmd, columns, s), nil
}

func (s *server) GetSchemaPreparedStatement(ctx context.Context, q flightsql.PreparedStatementQuery, _ *flight.FlightDescriptor) (*flight.SchemaResult, error) {
	p, err := s.held(ctx, q.GetPreparedStatementHandle())
	if err != nil {
		return nil, err
	}
	columns, _, err := s.describe(ctx, p.sql)
	if err != nil {
		return nil, err
	}
	return &flight.SchemaResult{Schema: flight.SerializeSchema(columns, s.c.Alloc)}, nil
}

func (s *server) DoPutPreparedStatementQuery(ctx context.Context, q flightsql.PreparedStatementQuery, r flight.MessageReader, _ flight.MetadataWriter) ([]byte, error) {
	if _, err := s.held(ctx, q.GetPreparedStatementHandle()); err != nil {
		return nil, err
	}
	var rows [][]any
	for r.Next() {
		rec := r.Record()
		for i := range int(rec.NumRows()) {
			row := make([]any, rec.NumCols())
			for c := range row {
				v, err := parameter(rec.Column(c), i)
				if err != nil {
					return nil, survey.Errorf(survey.Unsupported, "parameter %d: %w", c+1, err)
				}
				row[c] = v
			}
			if rows = append(rows, row); len(rows) > maxParamRows {
				return nil, survey.Errorf(survey.Invalid, "more than %d rows of parameters", maxParamRows)
			}
		}
	}
	if err := r.Err(); err != nil && !errors.Is(err, io.EOF) {
		return nil, survey.Errorf(survey.Invalid, "parameters: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.prepared[string(q.GetPreparedStatementHandle())]; p != nil {
		p.rows = rows
	}
	return q.GetPreparedStatementHandle(), nil
}

func (s *server) DoGetPreparedStatement(ctx context.Context, q flightsql.PreparedStatementQuery) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	p, err := s.held(ctx, q.GetPreparedStatementHandle())
	if err != nil {
		return nil, nil, err
	}
	rows := p.rows
	if len(rows) == 0 {
		rows = [][]any{nil}
	}
	return s.run(ctx, string(q.GetPreparedStatementHandle()), p.sql, rows)
}

// parameter is a value as Backend.Run takes it.
func parameter(a arrow.Array, i int) (any, error) {
	if a.IsNull(i) {
		return nil, nil
	}
	switch a := a.(type) {
	case *array.Null:
		return nil, nil
	case *array.Boolean:
		return a.Value(i), nil
	case *array.Int8:
		return int64(a.Value(i)), nil
	case *array.Int16:
		return int64(a.Value(i)), nil
	case *array.Int32:
		return int64(a.Value(i)), nil
	case *array.Int64:
		return a.Value(i), nil
	case *array.Uint8:
		return int64(a.Value(i)), nil
	case *array.Uint16:
		return int64(a.Value(i)), nil
	case *array.Uint32:
		return int64(a.Value(i)), nil
	case *array.Uint64:
		return a.Value(i), nil
	case *array.Float32:
		return float64(a.Value(i)), nil
	case *array.Float64:
		return a.Value(i), nil
	case *array.String:
		return strings.Clone(a.Value(i)), nil
	case *array.LargeString:
		return strings.Clone(a.Value(i)), nil
	case *array.Binary:
		return slices.Clone(a.Value(i)), nil
	case *array.Date32:
		return a.Value(i).ToTime(), nil
	case *array.Timestamp:
		return a.Value(i).ToTime(a.DataType().(*arrow.TimestampType).Unit), nil
	case *array.DenseUnion: // how some drivers send values of any type
		return parameter(a.Field(a.ChildID(i)), int(a.ValueOffset(i)))
	}
	return nil, survey.Errorf(survey.Unsupported, "values of type %s are not taken", a.DataType())
}

// run starts a query for each row of parameters, one after the other, and streams the records.
func (s *server) run(ctx context.Context, ticket, sql string, rows [][]any) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	if len(sql) > maxSQL {
		return nil, nil, survey.Errorf(survey.Invalid, "the query has %d bytes, at most %d are allowed", len(sql), maxSQL)
	}
	g, err := s.c.Access.Admit(ctx, callOf(ctx).secret, true)
	if err != nil {
		return nil, nil, err
	}
	rpc := ctx
	ctx, cancel := context.WithCancelCause(rpc)
	r := &running{g.ID, cancel}
	s.mu.Lock()
	if s.running[ticket] == nil {
		s.running[ticket] = map[*running]bool{}
	}
	s.running[ticket][r] = true
	s.mu.Unlock()
	end := func() {
		cancel(nil)
		s.mu.Lock()
		defer s.mu.Unlock()
		if delete(s.running[ticket], r); len(s.running[ticket]) == 0 {
			delete(s.running, ticket)
		}
	}
	first, err := s.c.Backend.Run(ctx, g, sql, rows[0])
	if err != nil {
		end()
		return nil, nil, err
	}
	schema := first.Schema()
	out := make(chan flight.StreamChunk)
	st := &stream{rpc: rpc, ctx: ctx, out: out}
	go func() {
		defer end()
		defer close(out)
		defer func() {
			if p := recover(); p != nil {
				s.c.Log.Error("panic in a query", "panic", p)
				s.send(st, flight.StreamChunk{Err: s.status(survey.Errorf(survey.Internal, "panic"))})
			}
		}()
		at := first
		for i := range rows {
			if i > 0 {
				var err error
				if at, err = s.c.Backend.Run(ctx, g, sql, rows[i]); err != nil {
					s.send(st, flight.StreamChunk{Err: s.status(err)})
					return
				}
			}
			ok := s.pump(st, at)
			at.Close()
			if !ok {
				return
			}
		}
	}()
	return schema, out, nil
}

// stream is an answer on its way.
type stream struct {
	rpc context.Context // ends with the call: nobody listens any more
	ctx context.Context // ends also when the query is cancelled
	out chan<- flight.StreamChunk
}

// pump sends an answer's records until its end; false when there is nothing more to send.
func (s *server) pump(st *stream, r Reader) bool {
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return true
		} else if err != nil {
			s.send(st, flight.StreamChunk{Err: s.status(err)})
			return false
		}
		ok := s.split(st, rec)
		rec.Release()
		if !ok {
			return false
		}
	}
}

// split sends a record in pieces that clients take.
func (s *server) split(st *stream, rec arrow.Record) bool {
	n := rec.NumRows()
	if size(rec) <= maxMessage || n <= 1 {
		rec.Retain()
		return s.send(st, flight.StreamChunk{Data: rec})
	}
	for _, cut := range [][2]int64{{0, n / 2}, {n / 2, n}} {
		half := rec.NewSlice(cut[0], cut[1])
		ok := s.split(st, half)
		half.Release()
		if !ok {
			return false
		}
	}
	return true
}

// size is about how many bytes a record has on the wire.
func size(rec arrow.Record) (n int64) {
	for _, c := range rec.Columns() {
		n += sizeOf(c.Data())
	}
	return n
}

func sizeOf(d arrow.ArrayData) (n int64) {
	rows := int64(d.Len())
	switch t := d.DataType().(type) {
	case arrow.FixedWidthDataType:
		return rows * int64(t.BitWidth()) / 8
	case arrow.BinaryDataType:
		if b := d.Buffers(); len(b) > 1 && b[1] != nil && rows > 0 && t.Layout().Buffers[1].ByteWidth == 4 {
			ends := arrow.Int32Traits.CastFromBytes(b[1].Bytes())[d.Offset():]
			return rows*4 + int64(ends[rows]-ends[0])
		}
	}
	// Nested: the whole of the children, of which a slice may have a part.
	for _, c := range d.Children() {
		n += sizeOf(c)
	}
	return n + rows*4
}

// send hands over a chunk and reports whether more may follow. An answer never ends early without an error, which would
// pass for a whole one: what stops it, a cancel or a client that takes too long, is told as long as anybody listens.
func (s *server) send(st *stream, c flight.StreamChunk) bool {
	if c.Err == nil {
		t := time.NewTimer(s.c.Stall)
		defer t.Stop()
		select {
		case st.out <- c:
			return true
		case <-st.ctx.Done():
			c.Err = s.status(context.Cause(st.ctx))
		case <-t.C:
			c.Err = s.status(survey.Errorf(survey.Busy, "no record was taken for %s", s.c.Stall))
		}
		c.Data.Release()
	}
	select {
	case st.out <- flight.StreamChunk{Err: c.Err}:
	case <-st.rpc.Done():
	}
	return false
}

// CancelFlightInfo ends the caller's queries that run under the ticket.
func (s *server) CancelFlightInfo(ctx context.Context, r *flight.CancelFlightInfoRequest) (flight.CancelFlightInfoResult, error) {
	did := flight.CancelStatusNotCancellable
	owner := callOf(ctx).grant.ID
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range r.GetInfo().GetEndpoint() {
		tickets := []string{string(e.GetTicket().GetTicket())}
		for h, p := range s.prepared { // a prepared statement's ticket holds its handle
			if p.owner == owner && strings.Contains(tickets[0], h) {
				tickets = append(tickets, h)
			}
		}
		for _, t := range tickets {
			for q := range s.running[t] {
				if q.owner == owner {
					q.cancel(errCancelled)
					did = flight.CancelStatusCancelled
				}
			}
		}
	}
	return flight.CancelFlightInfoResult{Status: did}, nil
}

// one is a stream of one record, whose ownership passes to it.
func one(schema *arrow.Schema, rec arrow.Record) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	ch := make(chan flight.StreamChunk, 1)
	ch <- flight.StreamChunk{Data: rec}
	close(ch)
	return schema, ch, nil
}

const (
	catalog   = "roadcomb"
	dbSchema  = "main"
	tableType = "TABLE"
)

func (s *server) GetFlightInfoCatalogs(_ context.Context, d *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return info(d, d.Cmd, schema_ref.Catalogs, s), nil
}

func (s *server) DoGetCatalogs(context.Context) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	return s.words(schema_ref.Catalogs, []string{catalog})
}

func (s *server) GetFlightInfoSchemas(_ context.Context, _ flightsql.GetDBSchemas, d *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return info(d, d.Cmd, schema_ref.DBSchemas, s), nil
}

func (s *server) DoGetDBSchemas(_ context.Context, q flightsql.GetDBSchemas) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	if !like(q.GetDBSchemaFilterPattern(), dbSchema) || q.GetCatalog() != nil && *q.GetCatalog() != catalog {
		return s.words(schema_ref.DBSchemas)
	}
	return s.words(schema_ref.DBSchemas, []string{catalog, dbSchema})
}

func (s *server) GetFlightInfoTableTypes(_ context.Context, d *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return info(d, d.Cmd, schema_ref.TableTypes, s), nil
}

func (s *server) DoGetTableTypes(context.Context) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	return s.words(schema_ref.TableTypes, []string{tableType})
}

// words is a record of text columns.
func (s *server) words(schema *arrow.Schema, rows ...[]string) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	b := array.NewRecordBuilder(s.c.Alloc, schema)
	defer b.Release()
	for _, r := range rows {
		for i, w := range r {
			b.Field(i).(*array.StringBuilder).Append(w)
		}
	}
	return one(schema, b.NewRecord())
}

func (s *server) GetFlightInfoTables(_ context.Context, q flightsql.GetTables, d *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	schema := schema_ref.Tables
	if q.GetIncludeSchema() {
		schema = schema_ref.TablesWithIncludedSchema
	}
	return info(d, d.Cmd, schema, s), nil
}

func (s *server) DoGetTables(ctx context.Context, q flightsql.GetTables) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	schema := schema_ref.Tables
	if q.GetIncludeSchema() {
		schema = schema_ref.TablesWithIncludedSchema
	}
	tables, err := s.c.Backend.Tables(ctx, callOf(ctx).grant)
	if err != nil {
		return nil, nil, err
	}
	b := array.NewRecordBuilder(s.c.Alloc, schema)
	defer b.Release()
	types := q.GetTableTypes()
	known := (q.GetCatalog() == nil || *q.GetCatalog() == catalog) && like(q.GetDBSchemaFilterPattern(), dbSchema) && (len(types) == 0 || slices.Contains(types, tableType))
	for _, t := range tables {
		if !known || !like(q.GetTableNameFilterPattern(), t.Name) {
			continue
		}
		for i, w := range []string{catalog, dbSchema, t.Name, tableType} {
			b.Field(i).(*array.StringBuilder).Append(w)
		}
		if q.GetIncludeSchema() {
			b.Field(4).(*array.BinaryBuilder).Append(flight.SerializeSchema(t.Schema, s.c.Alloc))
		}
	}
	return one(schema, b.NewRecord())
}

// like matches SQL's LIKE pattern; nil matches all.
func like(pattern *string, s string) bool {
	if pattern == nil || *pattern == "" {
		return true
	}
	var re strings.Builder
	re.WriteString("(?is)^")
	for _, r := range *pattern {
		switch r {
		case '%':
			re.WriteString(".*")
		case '_':
			re.WriteString(".")
		default:
			re.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	return regexp.MustCompile(re.String() + "$").MatchString(s)
}

// The datasets declare no keys; clients that ask get empty answers.

func (s *server) GetFlightInfoPrimaryKeys(_ context.Context, _ flightsql.TableRef, d *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return info(d, d.Cmd, schema_ref.PrimaryKeys, s), nil
}

func (s *server) DoGetPrimaryKeys(context.Context, flightsql.TableRef) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	return s.none(schema_ref.PrimaryKeys)
}

func (s *server) GetFlightInfoExportedKeys(_ context.Context, _ flightsql.TableRef, d *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return info(d, d.Cmd, schema_ref.ExportedKeys, s), nil
}

func (s *server) DoGetExportedKeys(context.Context, flightsql.TableRef) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	return s.none(schema_ref.ExportedKeys)
}

func (s *server) GetFlightInfoImportedKeys(_ context.Context, _ flightsql.TableRef, d *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return info(d, d.Cmd, schema_ref.ImportedKeys, s), nil
}

func (s *server) DoGetImportedKeys(context.Context, flightsql.TableRef) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	return s.none(schema_ref.ImportedKeys)
}

func (s *server) GetFlightInfoCrossReference(_ context.Context, _ flightsql.CrossTableRef, d *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return info(d, d.Cmd, schema_ref.CrossReference, s), nil
}

func (s *server) DoGetCrossReference(context.Context, flightsql.CrossTableRef) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	return s.none(schema_ref.CrossReference)
}

func (s *server) GetFlightInfoXdbcTypeInfo(_ context.Context, _ flightsql.GetXdbcTypeInfo, d *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return info(d, d.Cmd, schema_ref.XdbcTypeInfo, s), nil
}

func (s *server) DoGetXdbcTypeInfo(context.Context, flightsql.GetXdbcTypeInfo) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	return s.none(schema_ref.XdbcTypeInfo)
}

func (s *server) none(schema *arrow.Schema) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	b := array.NewRecordBuilder(s.c.Alloc, schema)
	defer b.Release()
	return one(schema, b.NewRecord())
}

type someInfos []uint32

func (i someInfos) GetInfo() []uint32 { return i }

// DoGetSqlInfo leaves out what is not known, where the base would refuse the whole request: drivers ask for everything.
func (s *server) DoGetSqlInfo(ctx context.Context, q flightsql.GetSqlInfo) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	ask := q.GetInfo()
	if len(ask) == 0 {
		ask = slices.Clone(s.infos)
		slices.Sort(ask)
	}
	known := someInfos(slices.DeleteFunc(slices.Clone(ask), func(i uint32) bool { return !slices.Contains(s.infos, i) }))
	if len(known) == 0 {
		return s.none(schema_ref.SqlInfo)
	}
	schema, ch, err := s.BaseServer.DoGetSqlInfo(ctx, known)
	if err != nil {
		return nil, nil, err
	}
	c, ok := <-ch // the base's sender knows no context: take its one record at once
	if !ok {
		return s.none(schema_ref.SqlInfo)
	}
	for range ch {
	}
	return one(schema, c.Data)
}

var _ flightsql.Server = (*server)(nil)
