package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

func TestADriveCountsTheRoadsOfAnExtract(t *testing.T) {
	extract := testkit.Shared(t, "data", "osm", "monaco.osm.pbf")
	dir := t.TempDir()
	// In a straight line beside a street near the harbour.
	line := []geo.Point{{Lat: 43.73355, Lon: 7.42094}, {Lat: 43.73561, Lon: 7.42196}}
	for i, s := range testkit.Path(line, 8, 10, time.Date(2024, 5, 8, 9, 0, 0, 0, time.UTC))[:14] {
		write(t, filepath.Join(dir, s.Name), testkit.JPEG(testkit.Picture{W: 800, H: 450, Seed: uint64(i), Taken: s.Time, Offset: "+00:00", Heading: &s.Heading, Point: &s.Point, GPSTime: s.Time}))
	}
	r := process(t, "--roads", extract, dir)
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
