// Package fold turns the observations of the lake, any number of them, into the state of base cells with flat memory.
//
// What it keeps are partials (cells.Partial), which merge by sums and extremes: a file for each day partition in an area,
// named by what its observations are, and the merge of an area's days. A run reads the partitions that it has no
// partials of, which are those of new days and those that changed, as by a late drive or a take-down: never a day whose
// files are as they were. New days are merged with what was merged before; where a day changed or is gone, its area is
// merged anew from its days' partials. A run that was cut short goes on where it was.
//
// Partials are made by an embedded DuckDB that reads local files, some at a time, or by a ClickHouse server over HTTP that
// reads the same files; both give the same rows. Memory is flat: files sorted by cell, as the lake's are, are summed as
// they come, and merging reads a block of each file at a time.
package fold

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/roadcomb/roadcomb/pkg/hex/cells"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/lockfile"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Part is one partition of the observations: the files of a day, or of a month whose days have become one file, in an
// area.
type Part struct {
	Date string // YYYY-MM-DD or YYYY-MM
	Area string // the H3 cell (hex) that holds all cells of the files; empty for the whole world, and then everywhere
	Key  string // names the content of its files: with another key it is read again
	Rows int64  // observations in it, checked after folding; 0 when not known
	// Files gives the paths of its Parquet files as the engine reads them; release, which may be nil, ends their use.
	Files func(ctx context.Context) (paths []string, release func(), err error)
}

// Result is what a run did and where the cells are.
type Result struct {
	Parts        int           `json:"parts"`
	Read         int           `json:"parts_read"` // the others were kept from before
	Observations int64         `json:"observations"`
	Partials     int64         `json:"partials"` // a cell, sector and level of quality each
	Cells        int64         `json:"cells"`
	Kept         int64         `json:"kept_bytes"` // of partials, in the folder
	File         string        `json:"file"`       // of the cells, in the folder
	SHA256       survey.Hash   `json:"sha256"`
	FoldTime     time.Duration `json:"fold_ns"`  // reading and merging
	CellsTime    time.Duration `json:"cells_ns"` // writing the file of cells
}

// Cell is a row of the file of cells: base cells only, in ascending order.
type Cell struct {
	Cell         int64     `lake:"h3" plain:"distinct" doc:"Base cell."`
	Observations int64     `lake:"observations"`
	QualitySum   int64     `lake:"quality_sum" plain:"distinct" unit:"ppm"`
	BestQuality  int64     `lake:"best_quality" unit:"ppm"`
	FirstSeen    time.Time `lake:"first_seen" plain:"distinct" unit:"us UTC" doc:"Oldest capture."`
	LastSeen     time.Time `lake:"last_seen" plain:"distinct" unit:"us UTC" doc:"Newest capture."`
	LastReceived time.Time `lake:"last_received" plain:"distinct" unit:"us UTC"`
	Seen         []byte    `lake:"seen" plain:"distinct" doc:"Newest capture by heading and quality: pkg/hex/cells/FORMAT.md."`
}

var cellSchema = lake.Schema{Name: "cells-fold", Version: 1, Doc: "State of base cells, folded from observations."}

const (
	manifestName = "fold.json"
	cellsName    = "cells.parquet"
	lockName     = "fold.lock"
	format       = "roadcomb-fold/2"
)

// manifest is fold.json, written last.
type manifest struct {
	Format string          `json:"format"`
	Areas  map[string]area `json:"areas"`
	Result Result          `json:"result"`
}

// area is what is kept of one.
type area struct {
	Days         map[string]day `json:"days"`   // by date
	Merged       []string       `json:"merged"` // the days' partials together, in order of cell and place throughout
	Partials     int64          `json:"partials"`
	Observations int64          `json:"observations"`
}

// day is what is kept of a part.
type day struct {
	Key  string `json:"key"`
	File string `json:"file"` // its partials
}

// Run brings the folder up to date with the parts, and gives what it holds then. A part whose partials are there is not
// read again; parts that are not given any more are dropped. remote folds when it is not nil, else local. The folder
// belongs to Run: nothing else may be in it but what an earlier run left. A run that fails leaves the cells that were
// there, and the partials of parts that were done for the next run. While another run works in the folder this one is
// Conflict.
func Run(ctx context.Context, parts []Part, dir string, local *DuckDB, remote *ClickHouse) (Result, error) {
	for _, sub := range []string{"areas", "days"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return Result{}, survey.Errorf(survey.Unavailable, "fold: %w", err).WithHint("choose a folder you may write to with --out")
		}
	}
	lock, err := lockfile.Take(ctx, filepath.Join(dir, lockName), 0)
	if err != nil {
		return Result{}, fmt.Errorf("fold: %w", err)
	}
	defer lock.Release()
	res, err := run(ctx, parts, dir, local, remote)
	var d *damaged
	for again := 0; errors.As(err, &d) && again < 100; again++ { // made again from the observations
		if err := os.Remove(d.path); err != nil {
			return Result{}, survey.Errorf(survey.Unavailable, "fold: %w", err)
		}
		res, err = run(ctx, parts, dir, local, remote)
	}
	return res, err
}

func run(ctx context.Context, parts []Part, dir string, local *DuckDB, remote *ClickHouse) (Result, error) {
	old, err := load(dir)
	if err != nil {
		return Result{}, err
	}
	if len(parts) == 0 {
		return Result{}, survey.Errorf(survey.NotFound, "there is no observation").WithHint("give a folder with observations, or let an export finish first")
	}
	now := manifest{Format: format, Areas: make(map[string]area)}
	for _, p := range parts {
		a, ok := now.Areas[p.Area]
		if !ok {
			a.Days = make(map[string]day)
			now.Areas[p.Area] = a
		}
		if _, twice := a.Days[p.Date]; twice {
			return Result{}, survey.Errorf(survey.Invalid, "fold: %s is given twice in area %q", p.Date, p.Area)
		}
		a.Days[p.Date] = day{Key: p.Key, File: filepath.Join("days", stem(p.Area)+"-"+p.Date+"-"+short(p.Key)+".part")}
	}
	if _, whole := now.Areas[""]; whole && len(now.Areas) > 1 {
		return Result{}, survey.Errorf(survey.Invalid, "fold: some files are of an area (h3_r4=) and some are not")
	}
	res := Result{Parts: len(parts), File: cellsName}
	began := time.Now()
	if res.Read, err = foldDays(ctx, parts, now, dir, local, remote); err != nil {
		return Result{}, err
	}
	if err := mergeDays(ctx, now, old, dir, local.threads); err != nil {
		return Result{}, err
	}
	res.FoldTime = time.Since(began)
	same := len(now.Areas) == len(old.Areas) && exists(dir, cellsName)
	for name, a := range now.Areas {
		res.Partials += a.Partials
		res.Observations += a.Observations
		same = same && slices.Equal(old.Areas[name].Merged, a.Merged)
	}
	if same {
		res.Cells, res.SHA256 = old.Result.Cells, old.Result.SHA256
	} else {
		began = time.Now()
		if err := writeCells(ctx, dir, now, &res); err != nil {
			return Result{}, fmt.Errorf("cells: %w", err)
		}
		res.CellsTime = time.Since(began)
	}
	now.Result = res
	if err := save(dir, now); err != nil {
		return Result{}, err
	}
	res.Kept, err = sweep(dir, now)
	return res, err
}

// stem is an area in names of files.
func stem(area string) string {
	if area == "" {
		return "all"
	}
	return area
}

// short is enough of a hash to name a file in one folder.
func short(content string) string { return survey.HashOf([]byte(content)).String()[:16] }

// foldDays makes the partials that are not there, some at a time, and gives how many parts it read.
func foldDays(ctx context.Context, parts []Part, now manifest, dir string, local *DuckDB, remote *ClickHouse) (int, error) {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(local.threads)
	read := 0
	for _, p := range parts {
		path := filepath.Join(dir, now.Areas[p.Area].Days[p.Date].File)
		// One that is there is whole: its name says what of, and it was put there when it was finished.
		if _, err := os.Stat(path); err == nil {
			continue
		}
		read++
		g.Go(func() error {
			if err := foldDay(ctx, p, path, local, remote); err != nil {
				return fmt.Errorf("fold %s %s: %w", p.Date, p.Area, err)
			}
			return nil
		})
	}
	return read, g.Wait()
}

// foldDay makes the partials of a part.
func foldDay(ctx context.Context, p Part, path string, local *DuckDB, remote *ClickHouse) error {
	paths, release, err := p.Files(ctx)
	if err != nil {
		return err
	}
	if release != nil {
		defer release()
	}
	out := []string{path}
	if remote == nil && len(paths) > 1 { // each file apart, so that sorted ones need no sorting
		out = nil
		for i := range paths {
			f := fmt.Sprintf("%s-%d", path, i)
			defer os.Remove(f)
			out = append(out, f)
		}
	}
	var n int64
	for i, f := range out {
		w, err := newPartWriter(f)
		if err != nil {
			return err
		}
		defer w.Close()
		if remote != nil {
			err = remote.fold(ctx, paths, w)
		} else {
			err = local.fold(ctx, paths[i], w)
		}
		if err != nil {
			return err
		}
		n += w.observations
		if i == len(out)-1 && p.Rows > 0 && n != p.Rows {
			return survey.Errorf(survey.Internal, "%d observations counted, the files have %d", n, p.Rows)
		}
		if err := w.finish(); err != nil {
			return err
		}
	}
	if len(out) == 1 {
		return nil
	}
	return mergeAll(ctx, out, path)
}

// mergeDays brings each area's merged partials up to date: new days are merged with what was merged before, and only an
// area that lost or changed a day is merged anew, from its days' partials.
func mergeDays(ctx context.Context, now, old manifest, dir string, threads int) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(threads)
	names := slices.Sorted(maps.Keys(now.Areas))
	done := make([]area, len(names))
	for i, name := range names {
		done[i] = now.Areas[name]
		g.Go(func() error {
			if err := mergeArea(ctx, name, &done[i], old.Areas[name], dir, threads); err != nil {
				return fmt.Errorf("merge %s: %w", stem(name), err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, name := range names {
		now.Areas[name] = done[i]
	}
	return nil
}

// wide is from how many bytes of partials on an area is merged by ranges of cells at a time.
const wide = 64 << 20

func mergeArea(ctx context.Context, name string, a *area, was area, dir string, threads int) error {
	kept := len(was.Merged) > 0
	for _, f := range was.Merged {
		kept = kept && exists(dir, f)
	}
	for date, d := range was.Days { // what was merged cannot be taken out again
		kept = kept && a.Days[date] == d
	}
	var paths []string
	if kept {
		if len(was.Days) == len(a.Days) {
			a.Merged, a.Partials, a.Observations = was.Merged, was.Partials, was.Observations
			return nil
		}
		for _, f := range was.Merged {
			paths = append(paths, filepath.Join(dir, f))
		}
	}
	var id strings.Builder
	for _, date := range slices.Sorted(maps.Keys(a.Days)) {
		d := a.Days[date]
		fmt.Fprintln(&id, date, d.Key)
		if _, in := was.Days[date]; !kept || !in {
			paths = append(paths, filepath.Join(dir, d.File))
		}
	}
	base := filepath.Join("areas", stem(name)+"-"+short(id.String()))
	if len(paths) == 1 { // the first day of an area
		a.Merged = []string{a.Days[slices.Collect(maps.Keys(a.Days))[0]].File}
	} else {
		var size int64
		for _, p := range paths {
			if st, err := os.Stat(p); err == nil {
				size += st.Size()
			}
		}
		n := 1
		if size >= wide {
			n = threads
		}
		cuts, err := cutsOf(paths, n)
		if err != nil {
			return err
		}
		g, ctx := errgroup.WithContext(ctx)
		for i := range len(cuts) - 1 {
			f := fmt.Sprintf("%s-%04d.part", base, i)
			a.Merged = append(a.Merged, f)
			g.Go(func() error { return mergeRange(ctx, paths, cuts[i], cuts[i+1], filepath.Join(dir, f)) })
		}
		if err := g.Wait(); err != nil {
			return err
		}
	}
	for _, f := range a.Merged {
		p, err := openParts(filepath.Join(dir, f))
		if err != nil {
			return err
		}
		a.Partials += p.rows
		a.Observations += p.observations
		p.Close()
	}
	return nil
}

// whole lets make write beside path and puts the result there; what was cut short is never at path.
func whole(path string, make func(tmp string) error) error {
	tmp := path + ".tmp"
	defer os.Remove(tmp)
	if err := make(tmp); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

func exists(dir, name string) bool {
	if name == "" {
		return false
	}
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}

func load(dir string) (m manifest, err error) {
	b, err := os.ReadFile(filepath.Join(dir, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	} else if err != nil {
		return m, survey.Errorf(survey.Unavailable, "fold: %w", err)
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return m, survey.Errorf(survey.Invalid, "%s: %w", filepath.Join(dir, manifestName), err).WithHint("give another folder, or remove this one: it is made again from the observations")
	}
	if m.Format != format { // of another version: begin anew
		return manifest{}, nil
	}
	return m, nil
}

func save(dir string, m manifest) error {
	b, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	return whole(filepath.Join(dir, manifestName), func(tmp string) error { return os.WriteFile(tmp, append(b, '\n'), 0o644) })
}

// sweep removes what the manifest does not name, and gives the bytes of what it does.
func sweep(dir string, m manifest) (kept int64, err error) {
	names := make(map[string]bool)
	for _, a := range m.Areas {
		for _, d := range a.Days {
			names[d.File] = true
		}
		for _, f := range a.Merged {
			names[f] = true
		}
	}
	for _, sub := range []string{"areas", "days"} {
		found, err := os.ReadDir(filepath.Join(dir, sub))
		if err != nil {
			return 0, err
		}
		for _, f := range found {
			if rel := filepath.Join(sub, f.Name()); !names[rel] {
				os.Remove(filepath.Join(dir, rel)) // tried again by the next run
			} else if st, err := f.Info(); err == nil {
				kept += st.Size()
			}
		}
	}
	return kept, nil
}

// writeCells makes the file of cells from the areas' merged partials: one reads and sums, one writes.
func writeCells(ctx context.Context, dir string, m manifest, res *Result) error {
	res.Cells = 0
	return whole(filepath.Join(dir, cellsName), func(tmp string) error {
		f, err := os.Create(tmp)
		if err != nil {
			return err
		}
		defer f.Close()
		h := sha256.New()
		w, err := lake.NewWriter[Cell](io.MultiWriter(f, h), cellSchema)
		if err != nil {
			return err
		}
		var n int64
		batches := make(chan []Cell, 4)
		g, ctx := errgroup.WithContext(ctx)
		g.Go(func() error {
			defer close(batches)
			const many = 4096
			var batch []Cell
			send := func() error {
				select {
				case batches <- batch:
					batch = make([]Cell, 0, many)
					return nil
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
			for r, err := range cells.FromPartials(merged(ctx, dir, m)) {
				if err != nil {
					return err
				}
				n += r.Observations
				res.Cells++
				if batch = append(batch, Cell{r.Cell.Int64(), r.Observations, r.QualitySum, int64(r.BestQuality), r.FirstSeen, r.LastSeen, r.LastReceived, r.AppendSeen(nil)}); len(batch) == many {
					if err := send(); err != nil {
						return err
					}
				}
			}
			return send()
		})
		g.Go(func() error {
			for b := range batches {
				if err := w.Write(b...); err != nil {
					return err
				}
			}
			return nil
		})
		if err := g.Wait(); err != nil {
			return err
		}
		if n != res.Observations {
			return survey.Errorf(survey.Internal, "%d observations in the cells, %d in the partials", n, res.Observations)
		}
		if err := w.Close(); err != nil {
			return err
		}
		h.Sum(res.SHA256[:0])
		return f.Close()
	})
}

// merged reads the areas' merged partials one after the other, in order of cell: areas of one resolution are apart.
func merged(ctx context.Context, dir string, m manifest) iter.Seq2[cells.Partial, error] {
	return func(yield func(cells.Partial, error) bool) {
		stop := errors.New("stop")
		for _, name := range slices.Sorted(maps.Keys(m.Areas)) {
			for _, file := range m.Areas[name].Merged {
				f, err := openParts(filepath.Join(dir, file))
				if err == nil {
					err = merge(ctx, []*partFile{f}, 0, 1<<63, func(p *cells.Partial) error {
						if !yield(*p, nil) {
							return stop
						}
						return nil
					})
					f.Close()
				}
				if errors.Is(err, stop) {
					return
				}
				if err != nil {
					yield(cells.Partial{}, err)
					return
				}
			}
		}
	}
}

// Rows are the cells that a run left in the folder, in ascending order.
func Rows(dir string) iter.Seq2[cells.Row, error] {
	return func(yield func(cells.Row, error) bool) {
		f, err := os.Open(filepath.Join(dir, cellsName))
		if err != nil {
			yield(cells.Row{}, survey.Errorf(survey.NotFound, "folded cells: %w", err))
			return
		}
		defer f.Close()
		for r, err := range scan(f, func(c Cell) (cells.Row, error) {
			seen, err := cells.ParseSeen(c.Seen)
			return cells.Row{Cell: survey.Cell(c.Cell), Live: 1, Observations: c.Observations, QualitySum: c.QualitySum, BestQuality: survey.PPM(c.BestQuality),
				FirstSeen: c.FirstSeen, LastSeen: c.LastSeen, LastReceived: c.LastReceived, Seen: seen}, err
		}) {
			if !yield(r, err) {
				return
			}
		}
	}
}

// scan reads a file row by row.
func scan[T, R any](src lake.Source, turn func(T) (R, error)) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		stop := errors.New("stop")
		err := lake.Scan(src, func(rows []T) error {
			for _, r := range rows {
				if x, err := turn(r); err != nil {
					return err
				} else if !yield(x, nil) {
					return stop
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, stop) {
			var none R
			yield(none, err)
		}
	}
}
