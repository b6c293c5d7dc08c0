package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

func TestADriveCountsTheRoadsOfAnExtractAndItsCellsAreChecked(t *testing.T) {
	extract := testkit.Shared(t, "data", "osm", "monaco.osm.pbf")
	dir := t.TempDir()
	// In a straight line beside a street near the harbour.
	line := []geo.Point{{Lat: 43.73355, Lon: 7.42094}, {Lat: 43.73561, Lon: 7.42196}}
	for i, s := range testkit.Path(line, 8, 10, time.Date(2024, 5, 8, 9, 0, 0, 0, time.UTC))[:14] {
		write(t, filepath.Join(dir, s.Name), testkit.JPEG(testkit.Picture{W: 800, H: 450, Seed: uint64(i), Taken: s.Time, Offset: "+00:00", Heading: &s.Heading, Point: &s.Point, GPSTime: s.Time}))
	}
	work := t.TempDir()
	r := process(t, "--roads", extract, "--work", work, dir)
	b, err := os.ReadFile(filepath.Join(r.out, "report.json"))
	if err != nil {
		t.Fatalf("exit %d: %v\n%s", r.code, err, r.stderr)
	}
	var report struct {
		Published int
		Roads     struct {
			Extract  string  `json:"extract_sha256"`
			Road     int64   `json:"road_m"`
			Covered  int64   `json:"covered_m"`
			Matched  int64   `json:"matched_ppm"`
			MeanDist float64 `json:"mean_distance_m"`
		}
	}
	if err := json.Unmarshal(b, &report); err != nil {
		t.Fatal(err)
	}
	got := report.Roads
	if report.Published < 12 || len(got.Extract) != 64 || got.Road < 30_000 || got.Covered < 80 || got.Covered > 200 || got.Matched < 900_000 || got.MeanDist <= 0 || got.MeanDist > 50 {
		t.Errorf("exit %d %+v\n%s%s", r.code, report, r.stdout, r.stderr)
	}
	if !strings.Contains(r.stdout, "km of road covered") {
		t.Errorf("the summary says nothing of roads:\n%s", r.stdout)
	}
	cells(t, r.out, work, report.Published)
	for arg, want := range map[string]string{filepath.Join(dir, "none.osm.pbf"): "none.osm.pbf", filepath.Join(dir, filepath.Base(firstFile(t, dir))): "OSM extract"} {
		if r := process(t, "--roads", arg, dir); r.code != 4 || !strings.Contains(r.stderr, want) {
			t.Errorf("%s: exit %d: %s", arg, r.code, r.stderr)
		}
	}
}

func firstFile(t *testing.T, dir string) string {
	t.Helper()
	es, err := os.ReadDir(dir)
	if err != nil || len(es) == 0 {
		t.Fatal(err)
	}
	return es[0].Name()
}

// cells folds the run's observations, and checks, breaks and rebuilds the cells of its working state.
func cells(t *testing.T, out, work string, frames int) {
	t.Helper()
	do := func(want int, args ...string) string {
		t.Helper()
		b, err := repo(t, append([]string{"cells"}, args...)...).CombinedOutput()
		code := 0
		if x := new(exec.ExitError); errors.As(err, &x) {
			code = x.ExitCode()
		} else if err != nil {
			t.Fatal(err)
		}
		if code != want {
			t.Fatalf("%v: exit %d, want %d\n%s", args, code, want, b)
		}
		return string(b)
	}
	dir := t.TempDir()
	if text := do(0, "fold", "--from", filepath.Join(out, "datasets"), "--out", dir); !strings.Contains(text, fmt.Sprintf("%d observations", frames)) {
		t.Error(text)
	}
	if text := do(0, "fold", "--from", filepath.Join(out, "datasets"), "--out", dir); !strings.Contains(text, "; 0 of ") {
		t.Errorf("what was folded is read again: %s", text)
	}
	if text := do(4, "fold", "--from", t.TempDir(), "--out", dir); !strings.Contains(text, "no observations") {
		t.Error(text)
	}
	home := []string{"--home", work, "--s3-listen", "127.0.0.1:0"}
	do(0, append([]string{"check"}, home...)...)
	db, err := state.Open(t.Context(), "sqlite:"+filepath.Join(work, "state.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), `UPDATE cells SET observations = observations + 1 WHERE cell = (SELECT MAX(cell) FROM cells)`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if text := do(1, append([]string{"check"}, home...)...); !strings.Contains(text, "1 cells differ") {
		t.Error(text)
	}
	do(0, append([]string{"rebuild"}, home...)...)
	do(0, append([]string{"check"}, home...)...)
}
