// Package chain measures the whole way of footage, from files to payout, as `roadcomb process` goes it.
package chain

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/synth"
)

// Config is one run. The zero values are a dashcam's: 2028 × 1024.
type Config struct {
	Program string // the roadcomb program
	Frames  int    // 0 means 32
	W, H    int
}

// Result is what the run's report says.
type Result struct {
	Published int                `json:"published"`
	Timings   map[string]float64 `json:"timings"` // seconds, see report.json
}

// FramesPerSecond is published frames over wall time.
func (r Result) FramesPerSecond() float64 { return float64(r.Published) / r.Timings["total"] }

// Footage renders the frames of a straight drive into dir.
func Footage(dir string, c Config) error {
	if c.Frames == 0 {
		c.Frames = 32
	}
	if c.W == 0 {
		c.W, c.H = 2028, 1024
	}
	start := geo.Point{Lat: 43.7279, Lon: 7.4140}
	line := []geo.Point{start, geo.Destination(start, 50, geo.Meters(8*c.Frames))}
	for i, s := range synth.Path(line, 8, 10, time.Date(2024, 5, 8, 9, 0, 0, 0, time.UTC))[:c.Frames] {
		b := synth.JPEG(synth.Picture{W: c.W, H: c.H, Seed: uint64(i), Point: &s.Point, GPSTime: s.Time, Taken: s.Time, Heading: &s.Heading})
		if err := os.WriteFile(filepath.Join(dir, s.Name), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Run processes the folder once.
func Run(ctx context.Context, c Config, footage, out string) (Result, error) {
	var r Result
	cmd := exec.CommandContext(ctx, c.Program, "process", "--out", out, footage)
	if b, err := cmd.CombinedOutput(); err != nil {
		return r, fmt.Errorf("process: %w\n%s", err, b)
	}
	b, err := os.ReadFile(filepath.Join(out, "report.json"))
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(b, &r)
}
