// Package main measures the fold of generated observations, any number of them, into cell state: `roadcomb cells fold`
// against a plain GROUP BY of the same aggregates by DuckDB over the same Parquet, in turns, each in a process of its own
// whose peak memory is read afterwards.
//
//	go run ./benchmarks/fold -program bin/roadcomb -dir /tmp/fold -rows 1000000000 -days 100 -cells 20000000
//
// It then measures what one day more costs, and compares ranges of cells with a plain GROUP BY by cell.
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
	CapturedAt time.Time `lake:"captured_at" plain:"distinct"`
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

// base is the first cell of the workload.
func base() (survey.Cell, error) {
	c, err := hex.CellOf(geo.Point{Lat: 47.5, Lon: 19.05}, 12)
	lo, _ := c.Parent(3).ChildRange(12)
	return lo, err
}

// generate writes date=YYYY-MM-DD/observations.parquet for each day, sorted by cell as the lake's are, and gives the rows.
func generate(ctx context.Context, c config, dir string) (int64, error) {
	lo, err := base()
	if err != nil {
		return 0, err
	}
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

// settings are of the program, config of the workload.
type settings struct {
	program, dir       string
	memory             int
	only, plain, fresh bool
	skipPlain          bool
}

func main() {
	var c config
	var s settings
	flag.StringVar(&s.program, "program", "bin/roadcomb", "the roadcomb program")
	flag.StringVar(&s.dir, "dir", "", "folder for observations and results; observations there are used again")
	flag.IntVar(&s.memory, "memory", 2048, "most memory of either engine, MB")
	flag.BoolVar(&s.only, "generate", false, "only make the observations")
	flag.BoolVar(&s.skipPlain, "alone", false, "do not run the plain GROUP BY")
	flag.BoolVar(&s.fresh, "fresh", false, "also fold all days at once, and compare the bytes")
	flag.BoolVar(&s.plain, "plain", false, "only run the plain GROUP BY; used by the program itself")
	flag.Int64Var(&c.Rows, "rows", 10_000_000, "observations, about")
	flag.IntVar(&c.Days, "days", 10, "day partitions")
	flag.IntVar(&c.Cells, "cells", 1_000_000, "cells on roads")
	flag.Float64Var(&c.Skew, "skew", 0.8, "of the roads' traffic, as a power of their rank")
	flag.Uint64Var(&c.Seed, "seed", 1, "of the random numbers")
	flag.Parse()
	if err := work(context.Background(), c, s); err != nil {
		fmt.Fprintln(os.Stderr, "fold:", err)
		os.Exit(1)
	}
}

func work(ctx context.Context, c config, s settings) error {
	if s.dir == "" || c.Days < 2 {
		return fmt.Errorf("-dir is missing, or -days is not at least 2")
	}
	all, most := filepath.Join(s.dir, "observations"), filepath.Join(s.dir, "before")
	pattern := func(in string) string { return filepath.Join(in, "date=*", "*.parquet") }
	if s.plain {
		n, err := fold.Plain(ctx, pattern(most), filepath.Join(s.dir, "plain"), fold.Options{MemoryMB: s.memory})
		fmt.Println(n)
		return err
	}
	files, _ := filepath.Glob(pattern(all))
	if len(files) != c.Days {
		if err := os.RemoveAll(all); err != nil {
			return err
		}
		began := time.Now()
		n, err := generate(ctx, c, all)
		if err != nil {
			return err
		}
		fmt.Printf("%d observations on %d days generated in %.0f s\n", n, c.Days, time.Since(began).Seconds())
	}
	if s.only {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	out := filepath.Join(s.dir, "out")
	for _, d := range []string{out, most} {
		if err := os.RemoveAll(d); err != nil {
			return err
		}
	}
	// All days but the last, as other names of the same files.
	files, _ = filepath.Glob(pattern(all))
	for _, f := range files[:len(files)-1] {
		to := filepath.Join(most, filepath.Base(filepath.Dir(f)), filepath.Base(f))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.Link(f, to); err != nil {
			return err
		}
	}
	step := func(what, in, out string) (fold.Result, run, error) {
		r, err := measure(ctx, s.program, "cells", "fold", "--from", in, "--out", out, "--memory", strconv.Itoa(s.memory), "--json")
		var res fold.Result
		if err == nil {
			err = json.Unmarshal(r.out, &res)
		}
		if err == nil {
			fmt.Printf("%-22s %7.1f s wall (%.1f folding, %.1f cells) %7.1f s cpu, peak %5d MB; %d of %d days read: %d observations, %d cells, %d groups; %d MB kept\n",
				what, r.wall.Seconds(), res.FoldTime.Seconds(), res.CellsTime.Seconds(), r.cpu.Seconds(), r.peakMB, res.Read, res.Parts, res.Observations, res.Cells, res.Partials, res.Kept>>20)
		}
		return res, r, err
	}
	before, first, err := step("all days but the last", most, out)
	if err != nil {
		return err
	}
	if !s.skipPlain {
		p, err := measure(ctx, self, "-plain", "-dir", s.dir, "-days", strconv.Itoa(c.Days), "-memory", strconv.Itoa(s.memory))
		if err != nil {
			return err
		}
		var groups int64
		if _, err := fmt.Sscan(string(p.out), &groups); err != nil || groups != before.Partials {
			return fmt.Errorf("the plain GROUP BY has %s groups, the fold %d", bytes.TrimSpace(p.out), before.Partials)
		}
		fmt.Printf("%-22s %7.1f s wall %7.1f s cpu, peak %5d MB; speed of the fold %.2f (wall), %.2f (cpu)\n", "plain GROUP BY of them", p.wall.Seconds(), p.cpu.Seconds(), p.peakMB,
			p.wall.Seconds()/first.wall.Seconds(), p.cpu.Seconds()/first.cpu.Seconds())
	}
	res, _, err := step("the last day", all, out)
	if err != nil {
		return err
	}
	if _, _, err := step("again, nothing new", all, out); err != nil {
		return err
	}
	if s.fresh {
		fresh, _, err := step("all days at once", all, filepath.Join(s.dir, "fresh"))
		if err != nil {
			return err
		}
		if fresh.SHA256 != res.SHA256 {
			return fmt.Errorf("all days at once give %s, in steps %s", fresh.SHA256, res.SHA256)
		}
	}
	return check(ctx, c, s, pattern(all), out)
}

// check compares some ranges of cells with a plain GROUP BY by cell.
func check(ctx context.Context, c config, s settings, pattern, out string) error {
	base, err := base()
	if err != nil {
		return err
	}
	var all, bad int64
	for i := range 10 { // a fiftieth of the cells
		lo := cellAt(base, c.Cells*i/10)
		hi := cellAt(base, c.Cells*i/10+c.Cells/500)
		n, differ, err := fold.Differ(ctx, pattern, out, filepath.Join(s.dir, "check"), lo, hi, fold.Options{MemoryMB: s.memory})
		if err != nil {
			return err
		}
		all, bad = all+n, bad+differ
	}
	if bad > 0 || all == 0 {
		return fmt.Errorf("%d of %d cells differ from a plain GROUP BY", bad, all)
	}
	fmt.Printf("%d cells in 10 ranges are what a plain GROUP BY says\n", all)
	return nil
}
