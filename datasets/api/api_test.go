package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"

	"github.com/roadcomb/roadcomb/datasets/api"
	"github.com/roadcomb/roadcomb/datasets/flight"
	"github.com/roadcomb/roadcomb/datasets/query"
	"github.com/roadcomb/roadcomb/datasets/schema"
	"github.com/roadcomb/roadcomb/datasets/snapshot"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

type access struct{}

func (access) Admit(_ context.Context, secret string, _ bool) (flight.Grant, error) {
	switch secret {
	case "key":
		return flight.Grant{ID: "k", Limits: query.Limits{Time: 20 * time.Second}}, nil
	case "slow":
		return flight.Grant{ID: "s", Limits: query.Limits{Time: time.Nanosecond}}, nil
	}
	return flight.Grant{}, survey.Errorf(survey.Unauthorized, "the key is not known")
}

// broken fails in the midst of an answer.
type broken struct{ flight.Backend }

type brokenReader struct {
	flight.Reader
	n int
}

func (b broken) Run(ctx context.Context, g flight.Grant, sql string, args []any) (flight.Reader, error) {
	r, err := b.Backend.Run(ctx, g, sql, args)
	return &brokenReader{Reader: r}, err
}

func (b *brokenReader) Next() (arrow.Record, error) {
	if b.n++; b.n == 2 {
		return nil, survey.Errorf(survey.Internal, "the disk broke")
	}
	return b.Reader.Next()
}

const n = 30_000

var at = time.Date(2024, 5, 8, 9, 0, 0, 0, time.UTC)

func serve(t *testing.T, wrap func(flight.Backend) flight.Backend) (base string, cell survey.Cell) {
	t.Helper()
	dir := t.TempDir()
	rows := make([]schema.Observation, n)
	for i := range rows {
		p := geo.Point{Lat: 43.7279 + float64(i%1000)*1e-4, Lon: 7.4140}
		c, err := hex.CellOf(p, 12)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			cell = c
		}
		rows[i] = schema.Observation{Cell: c, CapturedAt: at.Add(time.Duration(i) * 10 * time.Second), ReceivedAt: at, Frame: fmt.Sprint(i), Drive: "it's", Contributor: "c", Quality: int64(i), Geometry: lake.Point(p)}
	}
	b, err := lake.Encode(schema.Observations, rows)
	if err != nil {
		t.Fatal(err)
	}
	snap := snapshot.Snapshot{Format: snapshot.Format, AsOf: at, Datasets: map[string]snapshot.Dataset{"observations": {Version: 1, Rows: n, Files: []snapshot.File{{Path: "observations/v1/x.parquet", Version: 1, Bytes: int64(len(b))}}}}}
	m, _ := json.Marshal(snap)
	if err := os.MkdirAll(filepath.Join(dir, "observations/v1"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string][]byte{"observations/v1/x.parquet": b, "snapshot.json": m} {
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	pool := &query.Pool{Dir: dir}
	t.Cleanup(pool.Close)
	mux := &httpx.Routes{}
	hapi := httpx.NewAPI(mux, "test", "1")
	var back flight.Backend = flight.Engine{Pool: pool}
	if wrap != nil {
		back = wrap(back)
	}
	if err := api.Register(mux, hapi, api.Deps{Access: access{}, Backend: back, Snapshot: func() (snapshot.Snapshot, error) { return snap, nil }}); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(httpx.Wrap(mux, httpx.Options{}))
	t.Cleanup(srv.Close)
	return srv.URL, cell
}

func get(t *testing.T, base, path, key string, q url.Values) (int, []byte, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", base+path+"?"+q.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("X-API-Key", key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, b, err
}

// rows counts the rows of a stream and gives its columns.
func rows(t *testing.T, b []byte) (int, *arrow.Schema) {
	t.Helper()
	r, err := ipc.NewReader(strings.NewReader(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	total := 0
	for r.Next() {
		total += int(r.Record().NumRows())
	}
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	return total, r.Schema()
}

func TestFiltersFindWhatTheySay(t *testing.T) {
	base, cell := serve(t, nil)
	for name, c := range map[string]struct {
		q    url.Values
		want int
	}{
		"all":           {url.Values{}, n},
		"zstd":          {url.Values{"compression": {"zstd"}}, n},
		"one cell, hex": {url.Values{"where": {"h3=" + cell.String()}}, n / 1000},
		"one cell":      {url.Values{"where": {fmt.Sprintf("h3 = %d", cell.Int64())}}, n / 1000},
		"hex text":      {url.Values{"where": {"h3_hex=" + cell.String()}}, n / 1000},
		"a day":         {url.Values{"where": {"captured_at>=2024-05-09", "captured_at<2024-05-09T00:01:40Z"}}, 10},
		"some of many":  {url.Values{"where": {"quality_ppm:1, 5,29999"}}, 3},
		"not":           {url.Values{"where": {"quality_ppm!=7", "quality_ppm<=9"}}, 9},
		"a quote":       {url.Values{"where": {"drive_id=it's"}}, n},
		"an attack":     {url.Values{"where": {"drive_id=x' OR '1'='1"}}, 0},
		"a limit":       {url.Values{"limit": {"17"}}, 17},
		"none":          {url.Values{"limit": {"0"}}, 0},
		"a box":         {url.Values{"bbox": {"7.41,43.7278,7.42,43.72805"}}, n / 1000},
		"no box":        {url.Values{"bbox": {"8,40,9,41"}}, 0},
	} {
		c.q.Set("columns", "quality_ppm,h3_hex")
		code, b, err := get(t, base, "/v1/datasets/observations", "key", c.q)
		if code != 200 || err != nil {
			t.Errorf("%s: %d %s %v", name, code, b[:min(len(b), 300)], err)
			continue
		}
		got, s := rows(t, b)
		if name == "one cell" || name == "one cell, hex" || name == "hex text" || name == "a box" { // neighbours share the cell
			if got < c.want || got > 20*c.want {
				t.Errorf("%s: %d rows", name, got)
			}
		} else if got != c.want {
			t.Errorf("%s: %d rows, want %d", name, got, c.want)
		}
		if s.NumFields() != 2 || s.Field(0).Name != "quality_ppm" {
			t.Errorf("%s: %v", name, s)
		}
	}
	code, b, err := get(t, base, "/v1/datasets/drives", "key", nil)
	if code != 200 || err != nil {
		t.Fatal(code, string(b), err)
	}
	if got, s := rows(t, b); got != 0 || len(s.FieldIndices("distance_m")) != 1 {
		t.Fatalf("an empty dataset: %d rows, %v", got, s)
	}
}

func TestTheListSaysColumnsAndRows(t *testing.T) {
	base, _ := serve(t, nil)
	code, b, _ := get(t, base, "/v1/datasets", "", nil)
	var l api.List
	if err := json.Unmarshal(b, &l); code != 200 || err != nil {
		t.Fatal(code, err)
	}
	for _, d := range l.Datasets {
		if d.Name == "observations" && (d.Rows != n || len(d.Columns) < 10 || d.Columns[2].Unit != "us UTC") {
			t.Errorf("%+v", d)
		}
	}
	if len(l.Datasets) < 11 || !l.AsOf.Equal(at) {
		t.Errorf("%d datasets as of %v", len(l.Datasets), l.AsOf)
	}
	code, b, _ = get(t, base, "/v1/openapi.json", "", nil)
	if code != 200 || !strings.Contains(string(b), "/v1/datasets/{name}") {
		t.Errorf("%d: the document lacks the operation", code)
	}
}

func TestRefusals(t *testing.T) {
	base, _ := serve(t, nil)
	for name, c := range map[string]struct {
		path, key string
		q         url.Values
		want      int
	}{
		"no key":           {"observations", "", nil, 401},
		"a wrong key":      {"observations", "x", nil, 401},
		"no such dataset":  {"passwords", "key", nil, 404},
		"unknown column":   {"observations", "key", url.Values{"columns": {"nope"}}, 400},
		"column twice":     {"observations", "key", url.Values{"columns": {"h3,h3"}}, 400},
		"SQL in columns":   {"observations", "key", url.Values{"columns": {"h3 FROM x; --"}}, 400},
		"SQL in where":     {"observations", "key", url.Values{"where": {"1=1"}}, 400},
		"a bad operator":   {"observations", "key", url.Values{"where": {"h3 LIKE x"}}, 400},
		"a bad number":     {"observations", "key", url.Values{"where": {"quality_ppm>x"}}, 400},
		"not finite":       {"drives", "key", url.Values{"where": {"distance_m>NaN"}}, 400},
		"a bad time":       {"observations", "key", url.Values{"where": {"captured_at>yesterday"}}, 400},
		"a blob":           {"observations", "key", url.Values{"where": {"geometry=x"}}, 501},
		"a bad box":        {"observations", "key", url.Values{"bbox": {"7,44,6,43"}}, 400},
		"a box of nothing": {"rejections", "key", url.Values{"bbox": {"6,43,7,44"}}, 400},
		"a bad limit":      {"observations", "key", url.Values{"limit": {"-1"}}, 400},
		"a bad parameter":  {"observations", "key", url.Values{"wher": {"h3=1"}}, 400},
		"a zero byte":      {"observations", "key", url.Values{"where": {"drive_id=\x00"}}, 400},
		"too slow":         {"observations", "slow", nil, 429},
	} {
		code, b, _ := get(t, base, "/v1/datasets/"+c.path, c.key, c.q)
		var p httpx.Problem
		if err := json.Unmarshal(b, &p); code != c.want || err != nil || p.Detail == "" {
			t.Errorf("%s: %d %s", name, code, b[:min(len(b), 300)])
		}
	}
}

func TestABrokenAnswerIsNoWholeAnswer(t *testing.T) {
	base, _ := serve(t, func(b flight.Backend) flight.Backend { return broken{b} })
	code, b, err := get(t, base, "/v1/datasets/observations", "key", nil)
	if code != 200 || err == nil {
		t.Fatalf("%d with %d bytes: the client cannot tell that it was cut short", code, len(b))
	}
}

func TestManyRecordsCarryTheirTypes(t *testing.T) {
	base, _ := serve(t, nil)
	_, b, err := get(t, base, "/v1/datasets/observations", "key", url.Values{"where": {"quality_ppm<3"}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := ipc.NewReader(strings.NewReader(string(b)))
	if err != nil || !r.Next() {
		t.Fatal(err)
	}
	defer r.Release()
	rec := r.Record()
	col := func(name string) arrow.Array { return rec.Column(rec.Schema().FieldIndices(name)[0]) }
	if col("captured_at").(*array.Timestamp).Value(1) != arrow.Timestamp(at.Add(10*time.Second).UnixMicro()) || len(col("geometry").(*array.Binary).Value(0)) != 21 || col("heading_deg").(*array.Int64).Value(0) != 0 {
		t.Fatal(rec)
	}
}
