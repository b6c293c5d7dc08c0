package flight_test

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/apache/arrow/go/v17/arrow/flight/flightsql"

	"github.com/roadcomb/roadcomb/datasets/query"
	"github.com/roadcomb/roadcomb/datasets/schema"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// benchRows is how many observations the benchmarks scan: ROADCOMB_BENCH_ROWS, 1,000,000 by default.
func benchRows(b *testing.B) int {
	if s := os.Getenv("ROADCOMB_BENCH_ROWS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			b.Fatal(err)
		}
		return n
	}
	return 1_000_000
}

// lakeOf writes n observations around one town, sorted by cell, in files of 2,000,000.
func lakeOf(b *testing.B, n int) string {
	b.Helper()
	dir := b.TempDir()
	if d := os.Getenv("ROADCOMB_BENCH_DIR"); d != "" { // kept, to be asked again
		dir = filepath.Join(d, fmt.Sprint(n))
		if _, err := os.Stat(filepath.Join(dir, "snapshot.json")); err == nil {
			return dir
		}
	}
	start, err := hex.CellOf(geo.Point{Lat: 43.7279, Lon: 7.4140}, 12)
	if err != nil {
		b.Fatal(err)
	}
	lo, hi := start.Parent(4).ChildRange(12)
	step := (int64(hi) - int64(lo)) / int64(n/20+1) / 512 * 512 // children of a cell at resolution 12 are 2^9 apart, about
	var files []any
	for at := 0; at < n; at += 2_000_000 {
		path := fmt.Sprintf("observations/v1/date=2024-05/part-%04d.parquet", at/2_000_000)
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(path)), 0o755); err != nil {
			b.Fatal(err)
		}
		f, err := os.Create(filepath.Join(dir, path))
		if err != nil {
			b.Fatal(err)
		}
		w, err := lake.NewWriter[schema.Observation](f, schema.Observations)
		if err != nil {
			b.Fatal(err)
		}
		end := min(n, at+2_000_000)
		for i := at; i < end; i++ {
			p := geo.Point{Lat: 43.7 + float64(i%100_000)*1e-6, Lon: 7.4 + float64(i/1000)*1e-6}
			row := schema.Observation{Cell: survey.Cell(int64(lo) + int64(i/20)*step), CapturedAt: time.UnixMicro(1.7e15 + int64(i%20)*3_600_000_000), ReceivedAt: time.UnixMicro(1.71e15 + int64(i/1000)),
				Frame: fmt.Sprintf("%016x%016x", uint64(i)*0x9e3779b97f4a7c15, uint64(i)*0xbf58476d1ce4e5b9), Drive: fmt.Sprintf("%032x", uint64(i/3000)*0x9e3779b97f4a7c15),
				Contributor: fmt.Sprintf("%032x", i%97), Heading: int64(i % 360), Quality: int64(i*7919) % 1_000_000, Geometry: lake.Point(p)}
			if err := w.Write(row); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
		st, _ := f.Stat()
		f.Close()
		files = append(files, map[string]any{"path": path, "bytes": st.Size(), "version": 1})
	}
	m, _ := json.Marshal(map[string]any{"format": "roadcomb-snapshot/1", "datasets": map[string]any{"observations": map[string]any{"files": files}}})
	if err := os.WriteFile(filepath.Join(dir, "snapshot.json"), m, 0o644); err != nil {
		b.Fatal(err)
	}
	return dir
}

const scan = `SELECT * FROM observations`

// BenchmarkScan reads every row and column: over Flight SQL on loopback, as records inside the process, and by the
// engine alone (a maximum of every column, so that all of them are decoded), which nothing that gives rows out can beat.
func BenchmarkScan(b *testing.B) {
	dir := lakeOf(b, benchRows(b))
	limits := query.Limits{MemoryMB: 4096, Time: time.Hour}
	cpu := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	var began time.Duration
	report := func(b *testing.B, rows, bytes int64) {
		b.ReportMetric(float64(rows)/(cpu()-began).Seconds(), "rows/cpu-s")
		b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
		if bytes > 0 {
			b.ReportMetric(float64(bytes)/1e6/b.Elapsed().Seconds(), "MB/s")
		}
	}
	b.Run("flight", func(b *testing.B) {
		w := &world{dir: dir, access: &access{}, pool: &query.Pool{Dir: dir}}
		addr := serveOn(b, w)
		c, err := flightsql.NewClient(addr, nil, nil, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)),
			grpc.WithInitialWindowSize(8<<20), grpc.WithInitialConnWindowSize(16<<20), grpc.WithReadBufferSize(1<<20))
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		ctx := as(b, "bench")
		var rows, bytes int64
		began = cpu()
		for b.Loop() {
			info, err := c.Execute(ctx, scan)
			if err != nil {
				b.Fatal(err)
			}
			r, err := c.DoGet(ctx, info.Endpoint[0].Ticket)
			if err != nil {
				b.Fatal(err)
			}
			for r.Next() {
				rows += r.Record().NumRows()
				for _, col := range r.Record().Columns() {
					bytes += int64(col.Data().SizeInBytes())
				}
			}
			if r.Err() != nil {
				b.Fatal(r.Err())
			}
			r.Release()
		}
		report(b, rows, bytes)
	})
	b.Run("records", func(b *testing.B) {
		e, err := query.Open(b.Context(), dir, query.Options{MemoryMB: limits.MemoryMB, Timeout: limits.Time})
		if err != nil {
			b.Fatal(err)
		}
		defer e.Close()
		var rows, bytes int64
		began = cpu()
		for b.Loop() {
			s, err := e.Stream(b.Context(), scan, nil)
			if err != nil {
				b.Fatal(err)
			}
			for {
				rec, err := s.Next()
				if err == io.EOF {
					break
				} else if err != nil {
					b.Fatal(err)
				}
				rows += rec.NumRows()
				for _, col := range rec.Columns() {
					bytes += int64(col.Data().SizeInBytes())
				}
				rec.Release()
			}
			s.Close()
		}
		report(b, rows, bytes)
	})
	b.Run("engine", func(b *testing.B) {
		e, err := query.Open(b.Context(), dir, query.Options{MemoryMB: limits.MemoryMB, Timeout: limits.Time})
		if err != nil {
			b.Fatal(err)
		}
		defer e.Close()
		n := int64(benchRows(b))
		var rows int64
		began = cpu()
		for b.Loop() {
			if err := e.Query(b.Context(), `SELECT max(COLUMNS(* EXCLUDE (geometry, bbox))), max(ST_AsWKB(geometry)), max(bbox.xmin), max(bbox.xmax), max(bbox.ymin), max(bbox.ymax) FROM observations`, discard{}); err != nil {
				b.Fatal(err)
			}
			rows += n
		}
		report(b, rows, 0)
	})
}

type discard struct{}

func (discard) Columns([]string, []string) error { return nil }
func (discard) Row([]any) error                  { return nil }
