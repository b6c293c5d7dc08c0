package flight_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	aflight "github.com/apache/arrow/go/v17/arrow/flight"
	"github.com/apache/arrow/go/v17/arrow/flight/flightsql"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/roadcomb/roadcomb/datasets/flight"
	"github.com/roadcomb/roadcomb/datasets/query"
	"github.com/roadcomb/roadcomb/datasets/schema"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// access knows the keys "key" and "small" and counts queries.
type access struct{ counted atomic.Int64 }

func (a *access) Admit(_ context.Context, secret string, count bool) (flight.Grant, error) {
	if count {
		a.counted.Add(1)
	}
	switch secret {
	case "key":
		return flight.Grant{ID: "k1", Limits: query.Limits{MemoryMB: 512, Time: 20 * time.Second, Queries: 2}}, nil
	case "bench":
		return flight.Grant{ID: "b", Limits: query.Limits{MemoryMB: 4096, Time: time.Hour}}, nil
	case "small":
		return flight.Grant{ID: "k2", Limits: query.Limits{MemoryMB: 64, Time: 300 * time.Millisecond, Queries: 1}}, nil
	}
	return flight.Grant{}, survey.Errorf(survey.Unauthorized, "the key is not known")
}

// observations writes a snapshot with n observations into dir.
func observations(t testing.TB, dir string, n int) {
	t.Helper()
	rows := make([]schema.Observation, n)
	for i := range rows {
		p := geo.Point{Lat: 43.7279 + float64(i%1000)*1e-5, Lon: 7.4140}
		c, err := hex.CellOf(p, 12)
		if err != nil {
			t.Fatal(err)
		}
		rows[i] = schema.Observation{Cell: c, CapturedAt: time.Unix(1.7e9+int64(i), 0), ReceivedAt: time.Unix(1.7e9, 0), Frame: fmt.Sprintf("%032d", i), Drive: "d", Contributor: "c", Quality: int64(i), Geometry: lake.Point(p)}
	}
	b, err := lake.Encode(schema.Observations, rows)
	if err != nil {
		t.Fatal(err)
	}
	path := "observations/v1/date=2023-11-14/" + survey.HashOf(b).String()[:16] + ".parquet"
	if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(path)), 0o755); err != nil {
		t.Fatal(err)
	}
	m, _ := json.Marshal(map[string]any{"format": "roadcomb-snapshot/1", "datasets": map[string]any{"observations": map[string]any{"files": []any{map[string]any{"path": path, "bytes": len(b), "version": 1}}}}})
	if err := os.WriteFile(filepath.Join(dir, path), b, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "next"), m, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "snapshot.json")); err != nil {
		t.Fatal(err)
	}
}

type world struct {
	dir    string
	access *access
	pool   *query.Pool
	addr   string
}

func newWorld(t testing.TB, mem memory.Allocator) *world {
	t.Helper()
	w := &world{dir: t.TempDir(), access: &access{}}
	observations(t, w.dir, 1000)
	w.pool = &query.Pool{Dir: w.dir, Alloc: mem}
	w.addr = serveOn(t, w)
	return w
}

// serveOn serves the world's pool and gives the address.
func serveOn(t testing.TB, w *world) string {
	t.Helper()
	mem := w.pool.Alloc
	g := flight.NewServer(flight.Config{Access: w.access, Backend: flight.Engine{Pool: w.pool}, Version: "test", Alloc: mem, Stall: 5 * time.Second})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go g.Serve(l)
	t.Cleanup(func() { g.Stop(); w.pool.Close() })
	return l.Addr().String()
}

func (w *world) client(t testing.TB) *flightsql.Client {
	t.Helper()
	c, err := flightsql.NewClient(w.addr, nil, nil, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func as(t testing.TB, key string) context.Context {
	return metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+key)
}

// ask gives the rows of a query as text.
func ask(ctx context.Context, c *flightsql.Client, q string) ([]string, error) {
	info, err := c.Execute(ctx, q)
	if err != nil {
		return nil, err
	}
	return read(ctx, c, info)
}

func read(ctx context.Context, c *flightsql.Client, info *aflight.FlightInfo) ([]string, error) {
	r, err := c.DoGet(ctx, info.Endpoint[0].Ticket)
	if err != nil {
		return nil, err
	}
	defer r.Release()
	var out []string
	for r.Next() {
		rec := r.Record()
		for i := range int(rec.NumRows()) {
			var words []string
			for _, col := range rec.Columns() {
				words = append(words, col.ValueStr(i))
			}
			out = append(out, strings.Join(words, " "))
		}
	}
	return out, r.Err()
}

func TestAKeyAsksAndNobodyElse(t *testing.T) {
	w := newWorld(t, nil)
	c := w.client(t)
	got, err := ask(as(t, "key"), c, `SELECT count(*), max(quality_ppm), min(frame_id) FROM observations`)
	if err != nil || !slices.Equal(got, []string{"1000 999 " + strings.Repeat("0", 32)}) {
		t.Fatal(got, err)
	}
	if n := w.access.counted.Load(); n != 1 {
		t.Fatalf("%d requests were counted", n)
	}
	basic := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("anyone:key")))
	if got, err := ask(basic, c, `SELECT 1`); err != nil || got[0] != "1" {
		t.Fatal(got, err)
	}
	// A client that logs in once.
	ctx, err := c.Client.AuthenticateBasicToken(t.Context(), "anyone", "key")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ask(ctx, c, `SELECT 2`); err != nil || got[0] != "2" {
		t.Fatal(got, err)
	}
	for name, ctx := range map[string]context.Context{"no key": t.Context(), "wrong key": as(t, "x"), "not base64": metadata.AppendToOutgoingContext(t.Context(), "authorization", "Basic !")} {
		if _, err := ask(ctx, c, `SELECT 1`); status.Code(err) != codes.Unauthenticated && status.Code(err) != codes.PermissionDenied {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatIsRefusedIsRefusedClearlyAndTheServerLives(t *testing.T) {
	w := newWorld(t, nil)
	c := w.client(t)
	ctx := as(t, "key")
	for q, want := range map[string]codes.Code{
		`CREATE TABLE x AS SELECT 1`:                     codes.PermissionDenied,
		`COPY observations TO '` + w.dir + `/x.parquet'`: codes.PermissionDenied,
		`ATTACH '/tmp/x.db'`:                             codes.PermissionDenied,
		`SET memory_limit='1TB'`:                         codes.PermissionDenied,
		`INSTALL httpfs`:                                 codes.PermissionDenied,
		`SELECT 1; SELECT 2`:                             codes.PermissionDenied,
		`SELECT * FROM read_csv('/etc/passwd')`:          codes.PermissionDenied,
		`SELECT * FROM '/etc/passwd'`:                    codes.InvalidArgument,
		`SELEKT 1`:                                       codes.InvalidArgument,
		`SELECT * FROM nowhere`:                          codes.InvalidArgument,
		`SELECT h3_parent(1, 9)`:                         codes.InvalidArgument,
		"SELECT 1 \x00":                                  codes.InvalidArgument,
		``:                                               codes.InvalidArgument,
		`SELECT 1 WHERE 1 = ?`:                           codes.InvalidArgument,
		`SELECT '` + strings.Repeat("x", 2<<20) + `'`:    codes.InvalidArgument,
		`SELECT unnest(range(10)) / 0, error('x' || random()::TEXT)`: codes.InvalidArgument,
	} {
		if _, err := ask(ctx, c, q); status.Code(err) != want {
			t.Errorf("%.60s: %v, want %v", q, err, want)
		}
	}
	// Time and memory of the key.
	small := as(t, "small")
	began := time.Now()
	if _, err := ask(small, c, `SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range * b.range % 7 = 1`); status.Code(err) != codes.ResourceExhausted || time.Since(began) > 10*time.Second {
		t.Errorf("exploding join: %v after %s", err, time.Since(began))
	}
	if _, err := ask(small, c, `SELECT list(range) FROM range(100000000)`); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("memory: %v", err)
	}
	if got, err := ask(ctx, c, `SELECT count(*) FROM observations`); err != nil || got[0] != "1000" {
		t.Fatal(got, err)
	}
	// Nonsense on the wire.
	if _, err := c.Client.GetFlightInfo(ctx, &aflight.FlightDescriptor{Cmd: []byte("nonsense")}); status.Code(err) != codes.InvalidArgument {
		t.Error(err)
	}
	put, err := c.Client.DoPut(ctx)
	if err != nil {
		t.Fatal(err)
	}
	put.Send(&aflight.FlightData{DataBody: []byte("x")})
	put.CloseSend()
	if _, err := put.Recv(); err == nil || errors.Is(err, io.EOF) {
		t.Error("a stream of nonsense was taken")
	}
	if _, err := c.ExecuteUpdate(ctx, `DELETE FROM observations`); status.Code(err) != codes.Unimplemented {
		t.Error(err)
	}
	if got, err := ask(ctx, c, `SELECT 1`); err != nil || got[0] != "1" {
		t.Fatal(got, err)
	}
}

func TestALargeAnswerStreamsAndEndsWhenTheClientGoes(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	w := newWorld(t, mem)
	c := w.client(t)
	ctx, cancel := context.WithCancel(as(t, "key"))
	info, err := c.Execute(ctx, `SELECT a.range AS a, 'text of some length ' || a.range AS b FROM range(100000000) a`)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.DoGet(ctx, info.Endpoint[0].Ticket)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if !r.Next() {
			t.Fatal(r.Err())
		}
	}
	cancel()
	for r.Next() {
	}
	r.Release()
	// Both queries of the key are free again.
	deadline := time.Now().Add(10 * time.Second)
	for {
		l, err1 := w.pool.Acquire(t.Context(), "k1", query.Limits{MemoryMB: 512, Time: 20 * time.Second, Queries: 2})
		l2, err2 := w.pool.Acquire(t.Context(), "k1", query.Limits{MemoryMB: 512, Time: 20 * time.Second, Queries: 2})
		for _, l := range []*query.Lease{l, l2} {
			if l != nil {
				l.Release()
			}
		}
		if err1 == nil && err2 == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the query goes on after its client left")
		}
		time.Sleep(20 * time.Millisecond)
	}
	if n := mem.CurrentAlloc(); n > 8<<20 {
		t.Errorf("%d bytes are still held", n)
	}
}

func TestCancelFlightInfoEndsAQuery(t *testing.T) {
	w := newWorld(t, nil)
	c := w.client(t)
	ctx := as(t, "key")
	info, err := c.Execute(ctx, `SELECT a.range FROM range(1000000000) a`)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.DoGet(ctx, info.Endpoint[0].Ticket)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	if !r.Next() {
		t.Fatal(r.Err())
	}
	res, err := c.CancelFlightInfo(as(t, "small"), &aflight.CancelFlightInfoRequest{Info: info})
	if err != nil || res.Status == aflight.CancelStatusCancelled {
		t.Fatalf("another key cancelled it: %v %v", res, err)
	}
	if res, err = c.CancelFlightInfo(ctx, &aflight.CancelFlightInfoRequest{Info: info}); err != nil || res.Status != aflight.CancelStatusCancelled {
		t.Fatal(res, err)
	}
	for r.Next() {
	}
	if status.Code(r.Err()) != codes.Canceled && status.Code(errors.Unwrap(r.Err())) != codes.Canceled {
		t.Fatal(r.Err())
	}
}

func TestPreparedStatementsTakeParameters(t *testing.T) {
	w := newWorld(t, nil)
	c := w.client(t)
	ctx := as(t, "key")
	p, err := c.Prepare(ctx, `SELECT count(*) AS n FROM observations WHERE quality_ppm < ? AND drive_id = ?`)
	if err != nil {
		t.Fatal(err)
	}
	if p.DatasetSchema().Field(0).Name != "n" || p.ParameterSchema().NumFields() != 2 {
		t.Fatal(p.DatasetSchema(), p.ParameterSchema())
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{{Name: "1", Type: arrow.PrimitiveTypes.Int64}, {Name: "2", Type: arrow.BinaryTypes.String}}, nil))
	b.Field(0).(*array.Int64Builder).AppendValues([]int64{10, 20}, nil)
	b.Field(1).(*array.StringBuilder).AppendValues([]string{"d", "d"}, nil)
	rec := b.NewRecord()
	p.SetParameters(rec)
	info, err := p.Execute(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := read(ctx, c, info); err != nil || !slices.Equal(got, []string{"10", "20"}) {
		t.Fatal(got, err)
	}
	// Another key cannot use the handle.
	if _, err := read(as(t, "small"), c, info); status.Code(err) != codes.NotFound {
		t.Fatal(err)
	}
	if err := p.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := read(ctx, c, info); status.Code(err) != codes.NotFound {
		t.Fatal(err)
	}
}

func TestMetadataIsWhatClientsAskFor(t *testing.T) {
	w := newWorld(t, nil)
	c := w.client(t)
	ctx := as(t, "key")
	pattern := "obs%"
	info, err := c.GetTables(ctx, &flightsql.GetTablesOpts{TableNameFilterPattern: &pattern, IncludeSchema: true})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.DoGet(ctx, info.Endpoint[0].Ticket)
	if err != nil || !r.Next() {
		t.Fatal(err)
	}
	rec := r.Record()
	s, err := aflight.DeserializeSchema(rec.Column(4).(*array.Binary).Value(0), memory.DefaultAllocator)
	if err != nil || rec.NumRows() != 1 || rec.Column(2).ValueStr(0) != "observations" || len(s.FieldIndices("h3")) != 1 {
		t.Fatal(rec, s, err)
	}
	r.Release()
	for name, get := range map[string]func() (*aflight.FlightInfo, error){
		"catalogs":    func() (*aflight.FlightInfo, error) { return c.GetCatalogs(ctx) },
		"schemas":     func() (*aflight.FlightInfo, error) { return c.GetDBSchemas(ctx, &flightsql.GetDBSchemasOpts{}) },
		"table types": func() (*aflight.FlightInfo, error) { return c.GetTableTypes(ctx) },
		"info": func() (*aflight.FlightInfo, error) {
			return c.GetSqlInfo(ctx, []flightsql.SqlInfo{flightsql.SqlInfoFlightSqlServerName, 4711})
		},
		"all info": func() (*aflight.FlightInfo, error) { return c.GetSqlInfo(ctx, nil) },
	} {
		info, err := get()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, err := read(ctx, c, info); err != nil || len(got) == 0 || name == "info" && len(got) != 1 {
			t.Fatalf("%s: %v, %v", name, got, err)
		}
	}
	info, err = c.GetPrimaryKeys(ctx, flightsql.TableRef{Table: "observations"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := read(ctx, c, info); err != nil || len(got) != 0 {
		t.Fatal(got, err)
	}
	sr, err := c.GetExecuteSchema(ctx, `SELECT h3, geometry, bbox, captured_at FROM observations`)
	if err != nil {
		t.Fatal(err)
	}
	s, err = aflight.DeserializeSchema(sr.Schema, memory.DefaultAllocator)
	if err != nil || s.Field(0).Type.ID() != arrow.INT64 || s.Field(1).Type.ID() != arrow.BINARY || s.Field(2).Type.ID() != arrow.STRUCT || s.Field(3).Type.(*arrow.TimestampType).TimeZone != "UTC" {
		t.Fatal(s, err)
	}
}

func TestANewSnapshotIsSeenAndTooManyQueriesAreRefused(t *testing.T) {
	w := newWorld(t, nil)
	c := w.client(t)
	ctx := as(t, "key")
	info, err := c.Execute(ctx, `SELECT frame_id FROM observations, range(100000)`)
	if err != nil {
		t.Fatal(err)
	}
	var open []*aflight.Reader
	for range 2 {
		r, err := c.DoGet(ctx, info.Endpoint[0].Ticket)
		if err != nil || !r.Next() {
			t.Fatal(err)
		}
		open = append(open, r)
	}
	if _, err := ask(ctx, c, `SELECT 1`); status.Code(err) != codes.ResourceExhausted {
		t.Fatalf("a third query of a key: %v", err)
	}
	if got, err := ask(as(t, "small"), c, `SELECT 1`); err != nil || got[0] != "1" {
		t.Fatalf("another key: %v %v", got, err)
	}
	observations(t, w.dir, 1500)
	if got, err := ask(as(t, "small"), c, `SELECT count(*) FROM observations`); err != nil || got[0] != "1500" {
		t.Fatalf("%v %v", got, err)
	}
	if !open[0].Next() { // goes on with the snapshot it began on
		t.Fatal(open[0].Err())
	}
	for _, r := range open {
		r.Release()
	}
}
