package build_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/roadcomb/roadcomb/tiles/build"
)

// BenchmarkCity builds the synthetic city of 100,000 lines and 100,000 points whose folder is $ROADCOMB_CITY
// (lines.geojsonl, points.geojsonl), zooms 0 to 14, nothing left out.
func BenchmarkCity(b *testing.B) {
	dir := os.Getenv("ROADCOMB_CITY")
	if dir == "" {
		b.Skip("ROADCOMB_CITY names no folder")
	}
	out := filepath.Join(b.TempDir(), "city.pmtiles")
	for b.Loop() {
		r, err := build.Files(b.Context(), []build.Input{{Layer: "seq", Path: dir + "/lines.geojsonl"}, {Layer: "img", Path: dir + "/points.geojsonl"}}, out, build.FileOptions{})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(r.Reading.Seconds(), "read-s")
		b.ReportMetric(r.Cutting.Seconds(), "cut-s")
		b.ReportMetric(r.Writing.Seconds(), "write-s")
		b.ReportMetric(float64(r.Bytes)/1e6, "MB")
		b.Logf("%d tiles, %+v", r.Tiles, r.Layers)
	}
	b.ReportMetric(200000*float64(b.N)/b.Elapsed().Seconds(), "features/s")
}
