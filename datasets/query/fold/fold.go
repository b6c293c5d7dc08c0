// Package fold turns the observations of the lake, any number of them, into the state of base cells with flat memory.
//
// What it keeps are partials (cells.Partial), which merge by sums and extremes, for each area apart: a run reads only the
// days that are new in an area and merges them with what it kept; where a day has changed, as by a late drive or a
// take-down, that area alone is read anew. The folding is done by an embedded DuckDB over local files, a range of cells
// at a time, or by a ClickHouse server over HTTP that reads the same files; both give the same rows.
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

	"github.com/roadcomb/roadcomb/pkg/hex/cells"
	"github.com/roadcomb/roadcomb/pkg/lake"
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
	File         string        `json:"file"` // of the cells, in the folder
	SHA256       survey.Hash   `json:"sha256"`
	FoldTime     time.Duration `json:"fold_ns"`  // reading and merging
	CellsTime    time.Duration `json:"cells_ns"` // writing the file of cells
}

// Cell is a row of the file of cells: base cells only, in ascending order.
type Cell struct {
	Cell         int64     `lake:"h3" doc:"Base cell."`
	Observations int64     `lake:"observations"`
	QualitySum   int64     `lake:"quality_sum" unit:"ppm"`
	BestQuality  int64     `lake:"best_quality" unit:"ppm"`
	FirstSeen    time.Time `lake:"first_seen" unit:"us UTC" doc:"Oldest capture."`
	LastSeen     time.Time `lake:"last_seen" unit:"us UTC" doc:"Newest capture."`
	LastReceived time.Time `lake:"last_received" unit:"us UTC"`
	Seen         []byte    `lake:"seen" doc:"Newest capture by heading and quality: pkg/hex/cells/FORMAT.md."`
}

var cellSchema = lake.Schema{Name: "cells-fold", Version: 1, Doc: "State of base cells, folded from observations."}

const (
	manifestName = "fold.json"
	cellsName    = "cells.parquet"
	format       = "roadcomb-fold/1"
)

// manifest is fold.json, written last: what it does not name is not there.
type manifest struct {
	Format string          `json:"format"`
	Areas  map[string]area `json:"areas"`
	Result Result          `json:"result"`
}

// area is what is kept of one.
type area struct {
	Parts        map[string]string `json:"parts"` // key by date
	Files        []string          `json:"files"` // partials, in order of cell and place throughout
	Observations int64             `json:"observations"`
}

// Run brings the folder up to date with the parts, and gives what it holds then. Parts that are not given any more are
// dropped. remote folds when it is not nil, else local; local merges in any case. The folder belongs to Run: nothing else
// may be in it but what an earlier run left. A run that fails leaves what was there.
func Run(ctx context.Context, parts []Part, dir string, local *DuckDB, remote *ClickHouse) (Result, error) {
	if err := os.MkdirAll(filepath.Join(dir, "areas"), 0o755); err != nil {
		return Result{}, survey.Errorf(survey.Unavailable, "fold: %w", err).WithHint("choose a folder you may write to with --out")
	}
	old, err := load(dir)
	if err != nil {
		return Result{}, err
	}
	if len(parts) == 0 {
		return Result{}, survey.Errorf(survey.NotFound, "there is no observation").WithHint("give a folder with observations, or let an export finish first")
	}
	by := make(map[string][]Part)
	for _, p := range parts {
		by[p.Area] = append(by[p.Area], p)
	}
	if len(by) > 1 && by[""] != nil {
		return Result{}, survey.Errorf(survey.Invalid, "fold: some files are of an area (h3_r4=) and some are not")
	}
	now := manifest{Format: format, Areas: make(map[string]area)}
	res := Result{Parts: len(parts), File: cellsName}
	began := time.Now()
	same := len(by) == len(old.Areas)
	for _, name := range slices.Sorted(maps.Keys(by)) {
		a, read, err := foldArea(ctx, name, by[name], old.Areas[name], dir, local, remote)
		if err != nil {
			return Result{}, fmt.Errorf("fold %s: %w", name, err)
		}
		now.Areas[name] = a
		res.Read += read
		res.Observations += a.Observations
		was, had := old.Areas[name]
		same = same && had && slices.Equal(was.Files, a.Files)
	}
	res.FoldTime = time.Since(began)
	if same && exists(dir, cellsName) {
		res.Partials, res.Cells, res.SHA256 = old.Result.Partials, old.Result.Cells, old.Result.SHA256
		return res, nil
	}
	began = time.Now()
	if err := writeCells(dir, now, &res); err != nil {
		return Result{}, fmt.Errorf("cells: %w", err)
	}
	res.CellsTime = time.Since(began)
	now.Result = res
	if err := save(dir, now); err != nil {
		return Result{}, err
	}
	return res, sweep(dir, now)
}

// foldArea gives the area with the parts, and how many of them were read for it.
func foldArea(ctx context.Context, name string, parts []Part, old area, dir string, local *DuckDB, remote *ClickHouse) (area, int, error) {
	slices.SortFunc(parts, func(a, b Part) int { return strings.Compare(a.Date, b.Date) })
	now := area{Parts: make(map[string]string)}
	var fresh []Part
	var rows int64
	known, kept := true, 0
	for _, p := range parts {
		if _, twice := now.Parts[p.Date]; twice {
			return now, 0, survey.Errorf(survey.Invalid, "%s is given twice", p.Date)
		}
		now.Parts[p.Date] = p.Key
		rows += p.Rows
		known = known && p.Rows > 0
		if old.Parts[p.Date] == p.Key {
			kept++
		} else {
			fresh = append(fresh, p)
		}
	}
	// What was merged cannot be taken out again: a part that is gone or changed means reading the area anew.
	whole := kept == len(old.Parts) && len(old.Files) > 0
	for _, f := range old.Files {
		whole = whole && exists(dir, f)
	}
	if whole && len(fresh) == 0 {
		return old, 0, nil
	}
	var base []string
	if whole {
		for _, f := range old.Files {
			base = append(base, filepath.Join(dir, f))
		}
	} else {
		fresh = parts
	}
	var paths []string
	for _, p := range fresh {
		ps, release, err := p.Files(ctx)
		if err != nil {
			return now, 0, err
		}
		if release != nil {
			defer release()
		}
		paths = append(paths, ps...)
	}
	var id strings.Builder
	for _, d := range slices.Sorted(maps.Keys(now.Parts)) {
		fmt.Fprintln(&id, d, now.Parts[d])
	}
	if name == "" {
		name = "all"
	}
	stem := filepath.Join("areas", name+"-"+survey.HashOf([]byte(id.String())).String()[:16])
	out := func(i int) string {
		f := fmt.Sprintf("%s-%04d.parquet", stem, i)
		now.Files = append(now.Files, f)
		return filepath.Join(dir, f)
	}
	var err error
	if remote == nil {
		now.Observations, err = local.fold(ctx, paths, base, out)
	} else {
		tmp := filepath.Join(dir, stem+".tmp")
		defer os.Remove(tmp)
		if err = remote.Fold(ctx, paths, tmp); err == nil {
			now.Observations, err = local.fold(ctx, nil, append(base, tmp), out)
		}
	}
	if err == nil && known && now.Observations != rows {
		err = survey.Errorf(survey.Internal, "%d observations counted, the files have %d", now.Observations, rows)
	}
	if err != nil {
		for _, f := range now.Files {
			os.Remove(filepath.Join(dir, f))
		}
	}
	return now, len(fresh), err
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
	if err := json.Unmarshal(b, &m); err != nil || m.Format != format {
		return m, survey.Errorf(survey.Invalid, "%s is not of this version", filepath.Join(dir, manifestName)).WithHint("give another folder, or remove this one: it is made again from the observations")
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

// sweep removes what the manifest does not name.
func sweep(dir string, m manifest) error {
	names := make(map[string]bool)
	for _, a := range m.Areas {
		for _, f := range a.Files {
			names[f] = true
		}
	}
	found, err := filepath.Glob(filepath.Join(dir, "areas", "*"))
	for _, f := range found {
		if rel, err := filepath.Rel(dir, f); err == nil && !names[rel] {
			os.Remove(f) // tried again by the next run
		}
	}
	return err
}

// partial is a row of a file of partials.
type partial struct {
	Cell         int64 `lake:"h3"`
	Place        int64 `lake:"place"`
	Observations int64 `lake:"observations"`
	QualitySum   int64 `lake:"quality_sum"`
	BestQuality  int64 `lake:"best_quality"`
	FirstSeen    int64 `lake:"first_seen"`
	LastSeen     int64 `lake:"last_seen"`
	LastReceived int64 `lake:"last_received"`
}

var partialSchema = lake.Schema{Name: "cell-partials", Version: 1, Doc: "Observations folded by cell, heading sector and level of quality."}

// writeCells makes the file of cells from the areas' partials.
func writeCells(dir string, m manifest, res *Result) error {
	res.Partials, res.Cells = 0, 0
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
		var row [1]Cell
		for r, err := range cells.FromPartials(partials(dir, m, &res.Partials)) {
			if err != nil {
				return err
			}
			n += r.Observations
			res.Cells++
			row[0] = Cell{r.Cell.Int64(), r.Observations, r.QualitySum, int64(r.BestQuality), r.FirstSeen, r.LastSeen, r.LastReceived, r.AppendSeen(nil)}
			if err := w.Write(row[:]...); err != nil {
				return err
			}
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

// partials reads the areas' files one after the other, in order of cell: areas of one resolution are apart.
func partials(dir string, m manifest, n *int64) iter.Seq2[cells.Partial, error] {
	return func(yield func(cells.Partial, error) bool) {
		for _, name := range slices.Sorted(maps.Keys(m.Areas)) {
			for _, file := range m.Areas[name].Files {
				f, err := os.Open(filepath.Join(dir, file))
				if err != nil {
					yield(cells.Partial{}, err)
					return
				}
				for p, err := range scan(f, func(p partial) (cells.Partial, error) {
					*n++
					return cells.Partial{Cell: survey.Cell(p.Cell), Place: int(p.Place), Observations: p.Observations, QualitySum: p.QualitySum, BestQuality: p.BestQuality,
						FirstSeen: p.FirstSeen, LastSeen: p.LastSeen, LastReceived: p.LastReceived}, nil
				}) {
					if !yield(p, err) || err != nil {
						f.Close()
						return
					}
				}
				f.Close()
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
