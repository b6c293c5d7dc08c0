package query_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/datasets/query"
	"github.com/roadcomb/roadcomb/datasets/schema"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// written writes n observations and gives the folder.
func written(t testing.TB, n int) string {
	t.Helper()
	dir := t.TempDir()
	rows := make([]schema.Observation, n)
	for i := range rows {
		p := geo.Point{Lat: 43.7279 + float64(i)*1e-5, Lon: 7.4140}
		c, err := hex.CellOf(p, 12)
		if err != nil {
			t.Fatal(err)
		}
		rows[i] = schema.Observation{Cell: c, CapturedAt: time.Unix(1.7e9+int64(i), 0), ReceivedAt: time.Unix(1.7e9, 0), Frame: fmt.Sprint(i), Drive: "d", Contributor: "c", Quality: int64(i), Geometry: lake.Point(p)}
	}
	b, err := lake.Encode(schema.Observations, rows)
	if err != nil {
		t.Fatal(err)
	}
	path := "observations/v1/date=2023-11-14/x.parquet"
	if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(path)), 0o755); err != nil {
		t.Fatal(err)
	}
	m, _ := json.Marshal(map[string]any{"format": "roadcomb-snapshot/1", "datasets": map[string]any{"observations": map[string]any{"files": []any{map[string]any{"path": path, "bytes": len(b)}}}}})
	for name, body := range map[string][]byte{path: b, "snapshot.json": m} {
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func open(t testing.TB, dir string, o query.Options) *query.Engine {
	t.Helper()
	e, err := query.Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// table collects rows as text.
type table struct {
	names []string
	rows  []string
	stop  int
}

func (c *table) Columns(names, _ []string) error { c.names = names; return nil }
func (c *table) Row(v []any) error {
	words := make([]string, len(v))
	for i := range v {
		words[i] = fmt.Sprint(v[i])
	}
	c.rows = append(c.rows, strings.Join(words, " "))
	return nil
}

func ask(t *testing.T, e *query.Engine, q string) []string {
	t.Helper()
	var c table
	if err := e.Query(t.Context(), q, &c); err != nil {
		t.Fatal(err)
	}
	return c.rows
}

func TestDatasetsAreViewsWithH3Functions(t *testing.T) {
	e := open(t, written(t, 1000), query.Options{})
	if got := ask(t, e, `SELECT count(*), max(quality_ppm) FROM observations`); got[0] != "1000 999" {
		t.Fatal(got)
	}
	if got := ask(t, e, `SELECT count(*) FROM observations WHERE h3_cell(43.7279 + quality_ppm * 1e-5, 7.4140, 12) <> h3`); got[0] != "0" {
		t.Fatal(got)
	}
	c, _ := hex.CellOf(geo.Point{Lat: 43.7279, Lon: 7.4140}, 12)
	if got := ask(t, e, fmt.Sprintf(`SELECT h3_hex(h3_parent(h3_of('%s'), 9)), len(h3_ring(h3_of('%s'), 1)), h3_cell(43.7279, 7.4140, 12) = h3_of('%s'), octet_length(h3_boundary_wkb(%d))`, c, c, c, c.Int64())); got[0] != fmt.Sprintf("%s 6 true %d", c.Parent(9), 13+7*16) {
		t.Fatal(got)
	}
	if got := ask(t, e, `WITH a AS (SELECT DISTINCT h3 FROM observations) SELECT count(*) > 10 FROM a`); got[0] != "true" {
		t.Fatal(got)
	}
}

func TestDatesAreDaysWithoutATime(t *testing.T) {
	e := open(t, written(t, 1), query.Options{})
	if got := ask(t, e, `SELECT DATE '2024-05-08', [DATE '0001-01-01'], date_trunc('week', TIMESTAMPTZ '2024-05-08 23:00:00Z')::DATE`); got[0] != "2024-05-08 [0001-01-01] 2024-05-06" {
		t.Fatal(got)
	}
}

func TestWhatIsNoSelectOrReachesOutsideIsRefused(t *testing.T) {
	dir := written(t, 10)
	e := open(t, dir, query.Options{})
	for name, q := range map[string]string{
		"write a table":         `CREATE TABLE x AS SELECT 1`,
		"drop a view":           `DROP VIEW observations`,
		"copy into the lake":    `COPY observations TO '` + dir + `/stolen.parquet'`,
		"copy outside":          `COPY observations TO '/tmp/stolen.parquet'`,
		"attach":                `ATTACH '/tmp/x.db'`,
		"install":               `INSTALL httpfs`,
		"load":                  `LOAD httpfs`,
		"unlock":                `SET lock_configuration = false`,
		"raise the memory":      `SET memory_limit = '100GB'`,
		"read a system file":    `SELECT * FROM read_csv('/etc/passwd')`,
		"read it as text":       `SELECT * FROM read_text('/etc/passwd')`,
		"list a folder":         `SELECT * FROM glob('/etc/*')`,
		"replacement scan":      `SELECT * FROM '/etc/passwd'`,
		"a web address":         `SELECT * FROM read_parquet('https://example.org/x.parquet')`,
		"two statements":        `SELECT 1; SELECT 2`,
		"a write behind a read": `SELECT 1; DROP VIEW observations`,
		"explain":               `EXPLAIN SELECT 1`,
		"export":                `EXPORT DATABASE '/tmp/x'`,
		"environment":           `SELECT getenv('HOME')`,
		"nonsense":              `SELEKT 1`,
		"empty":                 ``,
		"a bad cell":            `SELECT h3_parent(1, 9)`,
	} {
		t.Run(name, func(t *testing.T) {
			var c table
			err := e.Query(t.Context(), q, &c)
			if err == nil {
				t.Fatalf("answered %v", c.rows)
			}
			if k := survey.KindOf(err); k != survey.Invalid && k != survey.Unauthorized {
				t.Fatalf("%v: %v", k, err)
			}
		})
	}
	if got := ask(t, e, `SELECT count(*) FROM observations`); got[0] != "10" {
		t.Fatal(got)
	}
}

func TestALongQueryEndsAndTheEngineLives(t *testing.T) {
	e := open(t, written(t, 10), query.Options{Timeout: 300 * time.Millisecond, MemoryMB: 200})
	began := time.Now()
	err := e.Query(t.Context(), `SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE a.range * b.range % 7 = 1`, &table{})
	if survey.KindOf(err) != survey.Busy || time.Since(began) > 10*time.Second {
		t.Fatalf("%v after %v", err, time.Since(began))
	}
	if err := e.Query(t.Context(), `SELECT list(range) FROM range(400000000)`, &table{}); survey.KindOf(err) != survey.Busy {
		t.Fatalf("memory: %v", err)
	}
	if got := ask(t, e, `SELECT 1`); got[0] != "1" {
		t.Fatal(got)
	}
}

func TestDamagedSnapshotsAreNamed(t *testing.T) {
	dir := written(t, 10)
	file := filepath.Join(dir, "observations/v1/date=2023-11-14/x.parquet")
	b, _ := os.ReadFile(file)
	os.WriteFile(file, b[:len(b)-5], 0o644)
	if _, err := query.Open(t.Context(), dir, query.Options{}); survey.KindOf(err) != survey.Invalid || !strings.Contains(err.Error(), "x.parquet") {
		t.Fatal(err)
	}
	os.WriteFile(file, append([]byte("xxxxx"), b[:len(b)-5]...), 0o644)
	if e, err := query.Open(t.Context(), dir, query.Options{}); err == nil {
		err = e.Query(t.Context(), `SELECT * FROM observations`, &table{})
		if survey.KindOf(err) != survey.Invalid {
			t.Fatal(err)
		}
	}
	os.WriteFile(filepath.Join(dir, "snapshot.json"), []byte(`{"format":"roadcomb-snapshot/9"}`), 0o644)
	if _, err := query.Open(t.Context(), dir, query.Options{}); survey.KindOf(err) != survey.Unsupported {
		t.Fatal(err)
	}
	if _, err := query.Open(t.Context(), t.TempDir(), query.Options{}); survey.KindOf(err) != survey.NotFound {
		t.Fatal(err)
	}
}

func TestTheEmptyViewsHaveTheTypesOfTheFiles(t *testing.T) {
	e := open(t, written(t, 10), query.Options{})
	if got := ask(t, e, `SELECT count(*) FROM frames`); got[0] != "0" {
		t.Fatal(got)
	}
	// observations comes from a file; contributions shares its columns of every kind but geometry, drives has that.
	for _, col := range []string{"h3", "h3_hex", "captured_at", "quality_ppm"} {
		got := ask(t, e, fmt.Sprintf(`SELECT typeof(any_value(a.%s)) = typeof(any_value(b.%s)) FROM observations a FULL JOIN contributions b ON false`, col, col))
		if got[0] != "true" {
			t.Errorf("%s differs", col)
		}
	}
	if got := ask(t, e, `SELECT typeof(any_value(a.geometry)) = typeof(any_value(b.geometry)), typeof(any_value(a.bbox)) = typeof(any_value(b.bbox)) FROM observations a FULL JOIN drives b ON false`); got[0] != "true true" {
		t.Error(got)
	}
}

func TestFilesOfAnOlderSchemaAreNullWhereColumnsWereAdded(t *testing.T) {
	dir := written(t, 10)
	type old struct {
		Cell  survey.Cell `lake:"h3"`
		Frame string      `lake:"frame_id"`
	}
	c, err := hex.CellOf(geo.Point{Lat: 1, Lon: 1}, 12)
	if err != nil {
		t.Fatal(err)
	}
	b, err := lake.Encode(schema.Observations, []old{{c, "old"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "old.parquet"), b, 0o644); err != nil {
		t.Fatal(err)
	}
	newer := "observations/v1/date=2023-11-14/x.parquet"
	st, err := os.Stat(filepath.Join(dir, newer))
	if err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string][]any{
		"alone":           {map[string]any{"path": "old.parquet", "bytes": len(b), "version": 0}},
		"before newer":    {map[string]any{"path": "old.parquet", "bytes": len(b), "version": 0}, map[string]any{"path": newer, "bytes": st.Size(), "version": 1}},
		"behind newer":    {map[string]any{"path": newer, "bytes": st.Size(), "version": 1}, map[string]any{"path": "old.parquet", "bytes": len(b), "version": 0}},
		"from the future": {map[string]any{"path": "old.parquet", "bytes": len(b), "version": 0}, map[string]any{"path": newer, "bytes": st.Size(), "version": 99}},
	} {
		m, _ := json.Marshal(map[string]any{"format": "roadcomb-snapshot/1", "datasets": map[string]any{"observations": map[string]any{"files": files}}})
		if err := os.WriteFile(filepath.Join(dir, "snapshot.json"), m, 0o644); err != nil {
			t.Fatal(err)
		}
		e := open(t, dir, query.Options{})
		if got := ask(t, e, `SELECT frame_id, quality_ppm, captured_at, geometry, h3 = h3_of(h3_hex) FROM observations WHERE frame_id = 'old'`); len(got) != 1 || got[0] != "old <nil> <nil> <nil> true" {
			t.Errorf("%s: %q", name, got)
		}
		if got := ask(t, e, `SELECT count(*), count(quality_ppm) FROM observations`); len(files) == 2 && got[0] != "11 10" || len(files) == 1 && got[0] != "1 0" {
			t.Errorf("%s: %q", name, got)
		}
	}
}
