package cells_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/hex/cells"
	"github.com/roadcomb/roadcomb/pkg/hex/freshness"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "cells")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	db, err := state.Open(ctx, "sqlite:"+filepath.Join(dir, "state.db"), nil)
	if err != nil {
		panic(err)
	}
	defer db.Close()
	cell, err := hex.CellOf(geo.Point{Lat: 48.1429, Lon: 11.58}, hex.DefaultRes)
	if err != nil {
		panic(err)
	}
	drive := cells.DriveObservations{Drive: "a", Observations: []survey.Observation{
		{Frame: "1", Cell: cell, CapturedAt: start, ReceivedAt: start, HeadingDeg: 90, Quality: 900_000},
		{Frame: "2", Cell: cell, CapturedAt: start, ReceivedAt: start, HeadingDeg: 91, Quality: 700_000},
	}}
	c := &cells.Cells{DB: db}
	for range 2 { // delivered twice, counted once
		if err := db.Tx(ctx, func(tx *state.Tx) error {
			_, err := c.Apply(ctx, tx, []cells.DriveObservations{drive})
			return err
		}); err != nil {
			panic(err)
		}
	}
	row, err := cells.Get(ctx, db, cell)
	if err != nil {
		panic(err)
	}
	p := freshness.Current()
	fmt.Println(row.Observations, "observations, mean quality", row.MeanQuality())
	fmt.Println("freshness", row.Freshness(p, start), "and a half-life later", row.Freshness(p, start.AddDate(0, 0, 30)))
	// Output:
	// 2 observations, mean quality 800000
	// freshness 500000 and a half-life later 250000
}
