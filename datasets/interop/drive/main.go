// Command drive writes a synthetic drive into a folder, the same bytes each time, for the checks with other readers.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/synth"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: drive DIR")
		os.Exit(2)
	}
	if err := os.MkdirAll(os.Args[1], 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	start := geo.Point{Lat: 43.7279, Lon: 7.4140}
	for i, s := range synth.Path([]geo.Point{start, geo.Destination(start, 50, 300)}, 8, 10, time.Date(2024, 5, 8, 9, 0, 0, 0, time.UTC)) {
		b := synth.JPEG(synth.Picture{W: 640, H: 360, Seed: uint64(i), Point: &s.Point, GPSTime: s.Time, Taken: s.Time, Offset: "+00:00", Heading: &s.Heading, DOP: 1})
		if err := os.WriteFile(filepath.Join(os.Args[1], s.Name), b, 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}
