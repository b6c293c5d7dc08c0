package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/datasets/query"
	"github.com/roadcomb/roadcomb/datasets/report"
	"github.com/roadcomb/roadcomb/datasets/schema"
	"github.com/roadcomb/roadcomb/datasets/snapshot"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

type network struct {
	t    *testing.T
	dir  string
	snap snapshot.Snapshot
}

func add[T any](s *network, sc lake.Schema, rows ...T) {
	s.t.Helper()
	b, err := lake.Encode(sc, rows)
	if err != nil {
		s.t.Fatal(err)
	}
	path := sc.Name + ".parquet"
	if err := os.WriteFile(filepath.Join(s.dir, path), b, 0o644); err != nil {
		s.t.Fatal(err)
	}
	s.snap.Datasets[sc.Name] = snapshot.Dataset{Version: sc.Version, Files: []snapshot.File{{Version: sc.Version, Path: path, Bytes: int64(len(b)), SHA256: survey.HashOf(b)}}}
}

// draw gives the page, and the pictures by name.
func (s *network) draw(c report.Config) (string, map[string]image.Image) {
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
	r, err := report.Read(s.t.Context(), e, c)
	if err != nil {
		s.t.Fatal(err)
	}
	var page bytes.Buffer
	if err := r.HTML(&page); err != nil {
		s.t.Fatal(err)
	}
	pictures := map[string]image.Image{}
	for _, name := range r.Pictures() {
		var a, b bytes.Buffer
		if err := errors.Join(r.PNG(name, &a), r.PNG(name, &b)); err != nil {
			s.t.Fatal(err)
		}
		if !bytes.Equal(a.Bytes(), b.Bytes()) {
			s.t.Errorf("%s.png has other bytes when it is drawn again", name)
		}
		if dir := os.Getenv("ROADCOMB_REPORT_DIR"); dir != "" { // to look at them
			if err := os.WriteFile(filepath.Join(dir, name+".png"), a.Bytes(), 0o644); err != nil {
				s.t.Fatal(err)
			}
		}
		if pictures[name], err = png.Decode(&a); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := r.PNG("none", io.Discard); survey.KindOf(err) != survey.NotFound {
		s.t.Errorf("a picture that there is not: %v", err)
	}
	return page.String(), pictures
}

// colours counts the pixels of each colour.
func colours(m image.Image) map[color.RGBA]int {
	out := map[color.RGBA]int{}
	for p := m.(*image.RGBA).Pix; len(p) > 0; p = p[4:] { // what png gives for pictures without transparency
		out[color.RGBA{p[0], p[1], p[2], p[3]}]++
	}
	return out
}

func TestTheReportShowsWhatTheDatasetsSay(t *testing.T) {
	s := &network{t, t.TempDir(), snapshot.Snapshot{Format: snapshot.Format, Datasets: map[string]snapshot.Dataset{}}}
	empty, blank := s.draw(report.Config{})
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
	all, pictures := s.draw(report.Config{Title: "A & B"})
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
	if again, _ := s.draw(report.Config{Title: "A & B"}); again != all {
		t.Error("a second page has other bytes")
	}
	// The pictures show the same figures: each cell in its shade, and each bar as long as its value.
	coverage := colours(pictures["coverage"])
	for _, c := range []color.RGBA{{221, 225, 49, 255}, {45, 156, 132, 255}, {63, 50, 117, 255}} {
		if coverage[c] < 1000 {
			t.Errorf("the map has %d pixels of %v", coverage[c], c)
		}
	}
	bar := color.RGBA{0x3b, 0x7d, 0x8c, 255}
	for name, want := range map[string]int{
		"freshness":  3 * 800 * 36, // three bars as long as the longest, 400 × 18 in units of two pixels
		"quality":    800 * 36,
		"rejections": 800 * 36,
		"pay":        800*36 + 36, // one, and one of nothing
	} {
		if n := colours(pictures[name])[bar]; n < want*98/100 || n > want {
			t.Errorf("%s.png has bars of %d pixels, want %d", name, n, want)
		}
		if n := colours(blank[name])[bar]; n != 0 {
			t.Errorf("%s.png of an empty network has bars", name)
		}
		if ink := colours(blank[name])[color.RGBA{0x5f, 0x5f, 0x5f, 255}]; ink < 100 {
			t.Errorf("%s.png of an empty network says nothing", name)
		}
	}
	ep, err := survey.ParseEpoch("2024-05-06")
	if err != nil {
		t.Fatal(err)
	}
	week, _ := s.draw(report.Config{Epoch: ep})
	if !strings.Contains(week, "<dd>4</dd>") || strings.Contains(week, ">bert<") {
		t.Error("a week shows drives of another")
	}
}
