package flight_test

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/apache/arrow/go/v17/arrow/flight/flightsql"

	"github.com/roadcomb/roadcomb/datasets/flight"
	"github.com/roadcomb/roadcomb/datasets/query"
	"github.com/roadcomb/roadcomb/datasets/query/clickhouse"
)

// folder gives the paths of the snapshot in dir.
func folder(dir string) func(context.Context) (map[string][]string, error) {
	return func(context.Context) (map[string][]string, error) {
		b, err := os.ReadFile(filepath.Join(dir, "snapshot.json"))
		if err != nil {
			return nil, err
		}
		var s struct {
			Datasets map[string]struct{ Files []struct{ Path string } }
		}
		out := map[string][]string{}
		err = json.Unmarshal(b, &s)
		for name, d := range s.Datasets {
			for _, f := range d.Files {
				out[name] = append(out[name], filepath.Join(dir, f.Path))
			}
		}
		return out, err
	}
}

// onClickHouse serves the world's files by a ClickHouse server.
func onClickHouse(t *testing.T, w *world, url string) *flightsql.Client {
	t.Helper()
	b := flight.ClickHouse{Engine: &clickhouse.Engine{Server: &clickhouse.Server{URL: url}, Source: clickhouse.Files, Files: folder(w.dir)}, Turns: &query.Turns{}}
	g := flight.NewServer(flight.Config{Access: w.access, Backend: b, Version: "test"})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go g.Serve(l)
	t.Cleanup(g.Stop)
	c, err := flightsql.NewClient(l.Addr().String(), nil, nil, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestBothEnginesGiveTheSameAnswers needs ClickHouse's engine behind HTTP: datasets/query/fold/interop.sh starts it.
func TestBothEnginesGiveTheSameAnswers(t *testing.T) {
	url := os.Getenv("ROADCOMB_TEST_CLICKHOUSE")
	if url == "" {
		t.Skip("ROADCOMB_TEST_CLICKHOUSE names no server; make interop starts one")
	}
	w := newWorld(t, nil)
	duck, click, ctx := w.client(t), onClickHouse(t, w, url), as(t, "key")
	for _, q := range []string{
		`SELECT count(*), max(quality_ppm), min(frame_id) FROM observations`,
		`SELECT * FROM observations ORDER BY captured_at LIMIT 20`,
		`SELECT h3_hex, count(*) AS n FROM observations GROUP BY h3_hex ORDER BY n DESC, h3_hex LIMIT 7`,
		`SELECT h3_parent(h3, 9) AS area, sum(quality_ppm) AS q FROM observations GROUP BY area ORDER BY area`,
		`SELECT h3_cell(43.7279, 7.4140, 12) AS cell, h3_hex(h3_cell(43.7279, 7.4140, 9)) AS text, h3_of('8c3969a403013ff') AS other`,
		`WITH near AS (SELECT h3_cell(43.7279, 7.4140, 12) AS c) SELECT count(*) FROM observations, near WHERE h3 = c OR has_it(c, h3)`,
		`SELECT count(*) FROM observations WHERE bbox.ymin >= 43.73::DOUBLE AND bbox.ymax <= 43.732::DOUBLE`,
		`SELECT count(*), min(captured_at) FROM observations WHERE captured_at >= CAST('2023-11-14 22:15:00+00:00' AS TIMESTAMP)`,
		`SELECT contributor_id, quality_ppm % 10 AS d, row_number() OVER (PARTITION BY quality_ppm % 10 ORDER BY frame_id) AS n FROM observations ORDER BY frame_id LIMIT 12`,
		`SELECT quality_ppm, geometry FROM observations WHERE quality_ppm IN (SELECT max(quality_ppm) FROM observations)`,
		`SELECT count(*) FROM cells`,
		`SELECT h3, h3_hex FROM cells`,
		"SELECT quality_ppm AS \"a name\"\nFROM observations ORDER BY 1 LIMIT 3;\n",
	} {
		if strings.Contains(q, "has_it") { // lists differ in their functions alone
			duckQ, clickQ := strings.Replace(q, "has_it(c, h3)", "list_contains(h3_ring(c, 2), h3)", 1), strings.Replace(q, "has_it(c, h3)", "has(h3_ring(c, 2), h3)", 1)
			want, err := ask(ctx, duck, duckQ)
			got, err2 := ask(ctx, click, clickQ)
			if err != nil || err2 != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %v %v, want %v %v", q, got, err2, want, err)
			}
			continue
		}
		want, err := ask(ctx, duck, q)
		if err != nil {
			t.Fatalf("DuckDB, %s: %v", q, err)
		}
		got, err := ask(ctx, click, q)
		if err != nil {
			t.Errorf("%s: %v", q, err)
		} else if !slices.Equal(got, want) {
			t.Errorf("%s:\nClickHouse %q\nDuckDB     %q", q, got, want)
		}
	}
	// The outline of a cell: the same ring, to the last digits that two builds of H3 share.
	q := `SELECT length(h3_boundary_wkb(h3_cell(43.7279, 7.4140, 9))) AS n`
	if got, err := ask(ctx, click, q); err != nil || !slices.Equal(got, []string{"125"}) {
		t.Errorf("outline: %v %v, want 125 bytes", got, err)
	}
	info, err := click.Execute(ctx, `SELECT h3_boundary_wkb(h3) AS outline_wkb, geometry, captured_at, quality_ppm, bbox FROM observations`)
	if err != nil {
		t.Fatal(err)
	}
	r, err := click.DoGet(ctx, info.Endpoint[0].Ticket)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	for i, want := range []arrow.DataType{arrow.BinaryTypes.Binary, arrow.BinaryTypes.Binary, arrow.FixedWidthTypes.Timestamp_us, arrow.PrimitiveTypes.Int64} {
		if f := r.Schema().Field(i); !arrow.TypeEqual(f.Type, want) {
			t.Errorf("column %s is %s, want %s", f.Name, f.Type, want)
		}
	}
	tables, err := click.GetTables(ctx, &flightsql.GetTablesOpts{})
	if err != nil {
		t.Fatal(err)
	}
	if names, err := read(ctx, click, tables); err != nil || len(names) < 10 {
		t.Errorf("tables: %v %v", names, err)
	}

	secret := filepath.Join(t.TempDir(), "secret.csv")
	if err := os.WriteFile(secret, []byte("1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for q, want := range map[string]codes.Code{
		`CREATE TABLE x (a Int8) ENGINE = Memory`:                                  codes.PermissionDenied,
		`INSERT INTO observations SELECT 1`:                                        codes.PermissionDenied,
		`INSERT INTO FUNCTION file('` + secret + `', 'CSV', 'a Int8') SELECT 2`:    codes.PermissionDenied,
		`DROP TABLE observations`:                                                  codes.PermissionDenied,
		`SET max_memory_usage = 0`:                                                 codes.PermissionDenied,
		`SYSTEM SHUTDOWN`:                                                          codes.PermissionDenied,
		`EXPLAIN SELECT 1`:                                                         codes.PermissionDenied,
		`SHOW TABLES`:                                                              codes.PermissionDenied,
		`SELECT 1; SELECT 2`:                                                       codes.PermissionDenied,
		`SELECT 1 SETTINGS max_execution_time = 0`:                                 codes.PermissionDenied,
		`SELECT * FROM (SELECT 1 SETTINGS max_memory_usage = 0)`:                   codes.PermissionDenied,
		`SELECT * FROM file('` + secret + `')`:                                     codes.PermissionDenied,
		`SELECT file('` + secret + `')`:                                            codes.PermissionDenied,
		`SELECT * APPLY(file) FROM (SELECT '` + secret + `')`:                      codes.PermissionDenied,
		`SELECT * APPLY(x -> file(x)) FROM (SELECT '` + secret + `')`:              codes.PermissionDenied,
		`WITH x -> file(x) AS f SELECT f('` + secret + `')`:                        codes.PermissionDenied,
		`WITH x -> x AS file SELECT file('` + secret + `')`:                        codes.PermissionDenied,
		`SELECT count() OVER w FROM observations WINDOW w AS (ORDER BY file('x'))`: codes.PermissionDenied,
		`SELECT * FROM url('http://127.0.0.1:1/')`:                                 codes.PermissionDenied,
		`SELECT * FROM s3('http://127.0.0.1:1/lake/x')`:                            codes.PermissionDenied,
		`SELECT * FROM remote('127.0.0.1', system.one)`:                            codes.PermissionDenied,
		`SELECT * FROM executable('x.sh', 'TSV', 'a Int8')`:                        codes.PermissionDenied,
		`SELECT * FROM system.users`:                                               codes.PermissionDenied,
		`SELECT * FROM information_schema.tables`:                                  codes.PermissionDenied,
		`SELECT * FROM tables`:                                                     codes.PermissionDenied,
		`SELECT 1 IN system.one`:                                                   codes.PermissionDenied,
		`SELECT 1 WHERE 1 NOT IN tables`:                                           codes.PermissionDenied,
		`SELECT hostName()`:                                                        codes.PermissionDenied,
		`SELECT sleep(3)`:                                                          codes.PermissionDenied,
		`SELECT getSetting('max_memory_usage')`:                                    codes.PermissionDenied,
		`SELECT dictGet('d', 'a', 1)`:                                              codes.PermissionDenied,
		`SELECT joinGet('j', 'a', 1)`:                                              codes.PermissionDenied,
		"SELECT file('" + secret + "'), 1 AS `x)\n     Function lambda (alias file)\n    Literal 1 (alias q`": codes.PermissionDenied,
		"SELECT 1 AS `x\\n`":                     codes.InvalidArgument,
		"SELECT 1 AS \"a\"\n-- x\n":              codes.InvalidArgument,
		`SELECT FROM`:                            codes.InvalidArgument,
		`SELECT nothing FROM observations`:       codes.InvalidArgument,
		`SELECT * FROM nowhere`:                  codes.InvalidArgument,
		`SELECT 1) UNION ALL (SELECT 2`:          codes.InvalidArgument,
		`SELECT 1 FORMAT CSV`:                    codes.PermissionDenied,
		`SELECT 1 INTO OUTFILE '` + secret + `'`: codes.InvalidArgument,
		`SELECT {p:String}`:                      codes.InvalidArgument,
		``:                                       codes.InvalidArgument,
	} {
		got, err := ask(ctx, click, q)
		if s := status.Code(err); s != want {
			t.Errorf("%s: %v %v, want %s", q, got, err, want)
		}
		if err != nil && strings.Contains(err.Error(), w.dir) {
			t.Errorf("%s: the error names files: %v", q, err)
		}
	}
	// The key "small" has 300 ms and 64 MB.
	for _, q := range []string{
		`SELECT count(*) FROM numbers(1000000000000) WHERE cityHash64(number) % 7 = 1`,
		`SELECT uniqExact(number) FROM numbers(100000000)`,
		`SELECT count(*) FROM numbers(1000000) a, numbers(1000000) b WHERE cityHash64(a.number, b.number) = 1`,
	} {
		if got, err := ask(as(t, "small"), click, q); status.Code(err) != codes.ResourceExhausted {
			t.Errorf("%s: %v %v", q, got, err)
		}
	}
	if got, err := ask(ctx, click, `SELECT 1`); err != nil || got[0] != "1" {
		t.Fatal(got, err)
	}
}
