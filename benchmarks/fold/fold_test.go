package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

func TestGeneratedObservationsAreAsAskedFor(t *testing.T) {
	dir := t.TempDir()
	c := config{Rows: 20_000, Days: 2, Cells: 4000, Skew: 0.8, Seed: 1}
	n, err := generate(t.Context(), c, dir)
	if err != nil || n < 15_000 || n > 25_000 {
		t.Fatalf("%d rows, %v", n, err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "date=*", "*.parquet"))
	looks := make(map[int64]int)
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := lake.Decode[observation](b)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range rows {
			if c := survey.Cell(r.Cell); !hex.Valid(c) || c.Resolution() != 12 || i > 0 && r.Cell < rows[i-1].Cell || !r.ReceivedAt.After(r.CapturedAt) {
				t.Fatalf("%s, row %d: %+v", file, i, r)
			}
			looks[r.Cell]++
		}
		n -= int64(len(rows))
	}
	if n != 0 || len(files) != 2 || len(looks) > 4000 || len(looks) < 1000 {
		t.Errorf("%d rows more, %d files, %d cells", n, len(files), len(looks))
	}
	most := 0
	for _, k := range looks {
		most = max(most, k)
	}
	if most < 3*20_000/len(looks) {
		t.Errorf("no skew: at most %d looks", most)
	}
	lo, _ := survey.Cell(0x8c1f8d44a2cd5ff).Parent(3).ChildRange(12)
	if last := cellAt(lo, maxCells-1); !hex.Valid(last) || last.Parent(3) != lo.Parent(3) {
		t.Errorf("the last cell is %s", last)
	}
}
