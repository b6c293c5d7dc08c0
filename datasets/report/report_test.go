package report_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/datasets/query"
	"github.com/roadcomb/roadcomb/datasets/report"
	"github.com/roadcomb/roadcomb/datasets/schema"
	"github.com/roadcomb/roadcomb/datasets/worker"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

type snapshot struct {
	t    *testing.T
	dir  string
	snap worker.Snapshot
}

func add[T any](s *snapshot, sc lake.Schema, rows ...T) {
	s.t.Helper()
	b, err := lake.Encode(sc, rows)
	if err != nil {
		s.t.Fatal(err)
	}
	path := sc.Name + ".parquet"
	if err := os.WriteFile(filepath.Join(s.dir, path), b, 0o644); err != nil {
		s.t.Fatal(err)
	}
	s.snap.Datasets[sc.Name] = worker.Dataset{Version: sc.Version, Files: []worker.File{{Version: sc.Version, Path: path, Bytes: int64(len(b)), SHA256: survey.HashOf(b)}}}
}

func (s *snapshot) draw(c report.Config) string {
	s.t.Helper()
	b, err := json.Marshal(s.snap)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "snapshot.json"), b, 0o644); err != nil {
		s.t.Fatal(err)
	}
	e, err := query.Open(s.t.Context(), s.dir, query.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	defer e.Close()
	var page bytes.Buffer
	if err := report.Write(s.t.Context(), e, c, &page); err != nil {
		s.t.Fatal(err)
	}
	return page.String()
}

func TestTheReportShowsWhatTheDatasetsSay(t *testing.T) {
	s := &snapshot{t, t.TempDir(), worker.Snapshot{Format: worker.Format, Datasets: map[string]worker.Dataset{}}}
	empty := s.draw(report.Config{})
	if !strings.Contains(empty, "No cell has been seen yet") || strings.Contains(empty, "NaN") {
		t.Errorf("an empty network:\n%s", empty)
	}
	at := time.Date(2024, 5, 8, 9, 0, 0, 0, time.UTC)
	var cells []schema.Cell
	for i := range 3 {
		c, err := hex.CellOf(geo.Point{Lat: 55.7 + float64(i)/1000, Lon: 13.2}, 12)
		if err != nil {
			t.Fatal(err)
		}
		cells = append(cells, schema.Cell{Cell: c, Resolution: 12, AsOf: at, Freshness: int64(950_000 - 400_000*i), Observations: 1, LastSeen: at, FirstSeen: at, Geometry: lake.Polygon(hex.Boundary(c))})
	}
	add(s, schema.Cells, cells...)
	add(s, schema.Drives, schema.Drive{ID: "d1", Contributor: "<anna>", ReceivedAt: at, Frames: 4, Distance: 2000}, schema.Drive{ID: "d2", Contributor: "bert", ReceivedAt: at.AddDate(0, 0, 7), Frames: 1, Distance: 500})
	add(s, schema.Allocations, schema.Allocation{Epoch: "2024-05-06", Contributor: "<anna>", Amount: 5_000_000_000_000_000_000})
	add(s, schema.Rejections, schema.Rejection{ID: "r", Upload: "u", Contributor: "bert", ReceivedAt: at, Reason: "too_close"})
	add(s, schema.Observations, schema.Observation{Cell: cells[0].Cell, CapturedAt: at, ReceivedAt: at, Frame: "f", Drive: "d1", Contributor: "<anna>", Quality: 812_000})
	all := s.draw(report.Config{Title: "A & B"})
	for _, want := range []string{"A &amp; B", "<dd>5</dd>", "<dd>2.5</dd>", "3 cells of resolution 12", "90–100 %", "too_close", "81.2 %", "&lt;anna&gt;", "2.5 tokens/km", "0 tokens/km"} {
		if !strings.Contains(all, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, no := range []string{"<anna>", "<script", "http://", "https://", "NaN"} {
		if strings.Contains(all, no) {
			t.Errorf("the page has %q", no)
		}
	}
	if n := strings.Count(all, "<path"); n != 3 {
		t.Errorf("%d hexes, want 3", n)
	}
	if s.draw(report.Config{Title: "A & B"}) != all {
		t.Error("a second page has other bytes")
	}
	ep, err := survey.ParseEpoch("2024-05-06")
	if err != nil {
		t.Fatal(err)
	}
	week := s.draw(report.Config{Epoch: ep})
	if !strings.Contains(week, "<dd>4</dd>") || strings.Contains(week, ">bert<") {
		t.Error("a week shows drives of another")
	}
}
