// Package main measures the fold of generated observations, any number of them, into cell state: `roadcomb cells fold`
// against a plain GROUP BY of the same aggregates by DuckDB over the same Parquet, in turns, each in a process of its own
// whose peak memory is read afterwards.
//
//	go run ./benchmarks/fold -program bin/roadcomb -dir /tmp/fold -rows 1000000000 -days 100 -cells 20000000
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/roadcomb/roadcomb/datasets/query/fold"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// config is a workload.
type config struct {
	Rows  int64   // about how many observations
	Days  int     // partitions
	Cells int     // on roads; those of the rarest roads may never be seen
	Skew  float64 // of the roads' traffic: the n-th busiest has n^-Skew of the first
	Seed  uint64
}

// observation is the columns that the fold reads, and no other: a narrow row, so that 10^9 fit on a disk.
type observation struct {
	Cell       int64     `lake:"h3"`
	CapturedAt time.Time `lake:"captured_at"`
	ReceivedAt time.Time `lake:"received_at"`
	Heading    int64     `lake:"heading_deg"`
	Quality    int64     `lake:"quality_ppm"`
}

const (
	road     = 400 // cells of a road: about 9 km
	perCell  = 3   // most frames of one pass in a cell: 8 m apart, 22 m of road in a cell
	meanLook = 2.0 // the mean, with 1 to perCell alike
)

// maxCells is how many cells of resolution 12 lie in one of resolution 3.
const maxCells = 7 * 7 * 7 * 7 * 7 * 7 * 7 * 7 * 7

// cellAt is the i-th cell of the workload, in ascending order with i; lo is the first in one of resolution 3.
func cellAt(lo survey.Cell, i int) survey.Cell {
	c := lo
	for shift := 3 * (15 - 12); i > 0; shift += 3 {
		c |= survey.Cell(i%7) << shift
		i /= 7
	}
	return c
}

// generate writes date=YYYY-MM-DD/observations.parquet for each day, sorted by cell as the lake's are, and gives the rows.
func generate(ctx context.Context, c config, dir string) (int64, error) {
	base, err := hex.CellOf(geo.Point{Lat: 47.5, Lon: 19.05}, 12)
	if err != nil {
		return 0, err
	}
	lo, _ := base.Parent(3).ChildRange(12)
	roads := c.Cells / road
	if roads < 1 || c.Cells > maxCells || c.Days < 1 {
		return 0, fmt.Errorf("%d cells on %d days: %d to %d cells, and a day at least", c.Cells, c.Days, road, maxCells)
	}
	rank := rand.New(rand.NewPCG(c.Seed, 0)).Perm(roads)
	var sum float64
	for i := range roads {
		sum += math.Pow(float64(i+1), -c.Skew)
	}
	passes := float64(c.Rows) / float64(c.Days) / (road * meanLook)
	var total int64
	counts := make([]int64, c.Days)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for d := range c.Days {
		g.Go(func() error {
			day := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, d)
			path := filepath.Join(dir, "date="+day.Format(time.DateOnly), "observations.parquet")
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return err
			}
			f, err := os.Create(path)
			if err != nil {
				return err
			}
			defer f.Close()
			w, err := lake.NewWriter[observation](f, lake.Schema{Name: "observations", Version: 1})
			if err != nil {
				return err
			}
			rnd := rand.New(rand.NewPCG(c.Seed, uint64(d+1)))
			type pass struct {
				start, received int64 // milliseconds, and microseconds
				heading         int64
				back            bool
			}
			var ps []pass
			var rows []observation
			for r := range roads {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				want := passes * math.Pow(float64(rank[r]+1), -c.Skew) / sum
				n := int(want)
				if rnd.Float64() < want-float64(n) {
					n++
				}
				ps = ps[:0]
				for range n {
					start := rnd.Int64N(85_000_000)
					p := pass{start: start, received: day.UnixMicro() + (start+900_000+rnd.Int64N(20_000_000))*1000, heading: int64(r*37) % 360, back: rnd.IntN(2) == 0}
					if p.back {
						p.heading = (p.heading + 180) % 360
					}
					ps = append(ps, p)
				}
				for i := range road {
					cell := cellAt(lo, r*road+i).Int64()
					rows = rows[:0]
					for _, p := range ps {
						along := int64(i)
						if p.back {
							along = int64(road - i)
						}
						for k := range 1 + rnd.IntN(perCell) {
							at := day.UnixMicro() + (p.start+along*1600+int64(k)*500)*1000
							rows = append(rows, observation{cell, time.UnixMicro(at).UTC(), time.UnixMicro(p.received).UTC(), p.heading, int64(500+rnd.IntN(501)) * 1000})
						}
					}
					if err := w.Write(rows...); err != nil {
						return err
					}
				}
			}
			counts[d] = w.Rows()
			if err := w.Close(); err != nil {
				return err
			}
			return f.Close()
		})
	}
	if err := g.Wait(); err != nil {
		return 0, err
	}
	for _, n := range counts {
		total += n
	}
	return total, nil
}

// run is one measured process.
type run struct {
	wall, cpu time.Duration
	peakMB    int64
	out       []byte
}

func measure(ctx context.Context, name string, args ...string) (run, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return run{}, fmt.Errorf("%s %v: %w\n%s", name, args, err, stderr.Bytes())
	}
	r := run{wall: time.Since(began), cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), out: stdout.Bytes()}
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.peakMB = int64(u.Maxrss) >> 10
	}
	return r, nil
}

func main() {
	var c config
	program := flag.String("program", "bin/roadcomb", "the roadcomb program")
	dir := flag.String("dir", "", "folder for observations and results; observations there are used again")
	memory := flag.Int("memory", 2048, "most memory of either engine, MB")
	rounds := flag.Int("rounds", 1, "how often both are measured, in turns")
	only := flag.Bool("generate", false, "only make the observations")
	plain := flag.Bool("plain", false, "only run the plain GROUP BY; used by the program itself")
	flag.Int64Var(&c.Rows, "rows", 10_000_000, "observations, about")
	flag.IntVar(&c.Days, "days", 10, "day partitions")
	flag.IntVar(&c.Cells, "cells", 1_000_000, "cells on roads")
	flag.Float64Var(&c.Skew, "skew", 0.8, "of the roads' traffic, as a power of their rank")
	flag.Uint64Var(&c.Seed, "seed", 1, "of the random numbers")
	flag.Parse()
	if err := work(context.Background(), c, *program, *dir, *memory, *rounds, *only, *plain); err != nil {
		fmt.Fprintln(os.Stderr, "fold:", err)
		os.Exit(1)
	}
}

func work(ctx context.Context, c config, program, dir string, memory, rounds int, only, plain bool) error {
	if dir == "" {
		return fmt.Errorf("-dir is missing")
	}
	in := filepath.Join(dir, "observations")
	files := filepath.Join(in, "date=*", "*.parquet")
	if plain {
		n, err := fold.Plain(ctx, files, filepath.Join(dir, "plain"), fold.Options{MemoryMB: memory})
		fmt.Println(n)
		return err
	}
	if found, _ := filepath.Glob(files); len(found) != c.Days {
		if err := os.RemoveAll(in); err != nil {
			return err
		}
		began := time.Now()
		n, err := generate(ctx, c, in)
		if err != nil {
			return err
		}
		fmt.Printf("%d observations on %d days generated in %.0f s\n", n, c.Days, time.Since(began).Seconds())
	}
	if only {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	out := filepath.Join(dir, "out")
	for range rounds {
		if err := os.RemoveAll(out); err != nil {
			return err
		}
		f, err := measure(ctx, program, "cells", "fold", "--from", in, "--out", out, "--memory", strconv.Itoa(memory), "--json")
		if err != nil {
			return err
		}
		var res fold.Result
		if err := json.Unmarshal(f.out, &res); err != nil {
			return err
		}
		again, err := measure(ctx, program, "cells", "fold", "--from", in, "--out", out, "--memory", strconv.Itoa(memory))
		if err != nil {
			return err
		}
		p, err := measure(ctx, self, "-plain", "-dir", dir, "-memory", strconv.Itoa(memory))
		if err != nil {
			return err
		}
		var groups int64
		if _, err := fmt.Sscan(string(p.out), &groups); err != nil || groups != res.Partials {
			return fmt.Errorf("the plain GROUP BY has %s groups, the fold %d", bytes.TrimSpace(p.out), res.Partials)
		}
		million := float64(res.Observations) / 1e6
		fmt.Printf("%d observations, %d cells, %d groups\n", res.Observations, res.Cells, res.Partials)
		fmt.Printf("fold            %6.1f s wall %6.1f s cpu %6.2f M/s  peak %5d MB\n", f.wall.Seconds(), f.cpu.Seconds(), million/f.wall.Seconds(), f.peakMB)
		fmt.Printf("plain GROUP BY  %6.1f s wall %6.1f s cpu %6.2f M/s  peak %5d MB\n", p.wall.Seconds(), p.cpu.Seconds(), million/p.wall.Seconds(), p.peakMB)
		fmt.Printf("fold, no new day %5.1f s wall\nratio of speed: %.2f (wall), %.2f (cpu)\n", again.wall.Seconds(), p.wall.Seconds()/f.wall.Seconds(), p.cpu.Seconds()/f.cpu.Seconds())
	}
	return nil
}
