package fold

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"runtime"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/roadcomb/roadcomb/datasets/query"
	"github.com/roadcomb/roadcomb/datasets/query/internal/raw"
	"github.com/roadcomb/roadcomb/pkg/hex/cells"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Options bound the embedded engine. The zero value suits a machine with 4 GB to spare.
type Options struct {
	MemoryMB int // what the engine may hold before it spills to the folder; 0 means 2,048
	Threads  int // 0 means all cores
}

// DuckDB folds in this process, spilling to a folder when memory is short. Close it.
type DuckDB struct {
	db      *sql.DB
	temp    string
	threads int
}

// OpenDuckDB opens the engine; it makes a folder inside dir for what it spills.
func OpenDuckDB(ctx context.Context, dir string, o Options) (*DuckDB, error) {
	if o.MemoryMB <= 0 {
		o.MemoryMB = 2048
	}
	temp := filepath.Join(dir, ".spill")
	os.RemoveAll(temp) // of a run that was killed
	if err := os.MkdirAll(temp, 0o755); err != nil {
		return nil, survey.Errorf(survey.Unavailable, "fold: %w", err).WithHint("choose a folder you may write to with --out")
	}
	conn, err := duckdb.NewConnector("", nil)
	if err != nil {
		os.RemoveAll(temp)
		return nil, fmt.Errorf("open DuckDB: %w", err)
	}
	if o.Threads <= 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	d := &DuckDB{db: sql.OpenDB(conn), temp: temp, threads: o.Threads}
	set := []string{
		"SET autoinstall_known_extensions = false", "SET autoload_known_extensions = false", "SET TimeZone = 'UTC'",
		fmt.Sprintf("SET memory_limit = '%dMB'", o.MemoryMB), "SET temp_directory = " + query.Literal(temp),
		fmt.Sprintf("SET threads = %d", o.Threads),
	}
	for _, q := range set {
		if _, err := d.db.ExecContext(ctx, q); err != nil {
			d.Close()
			return nil, fmt.Errorf("open DuckDB: %w", err)
		}
	}
	return d, nil
}

// Close releases the engine and removes what it spilled.
func (d *DuckDB) Close() error {
	err := d.db.Close()
	os.RemoveAll(d.temp)
	return err
}

// fold folds the observations in a file into w, in order of cell and place. A file that is sorted by cell, as the lake's
// are, is summed as it is read; any other is sorted by DuckDB first, on disk when it must.
func (d *DuckDB) fold(ctx context.Context, path string, w *partWriter) error {
	src := "read_parquet(" + query.Literal(path) + ", hive_partitioning = false)"
	s := summer{w: w}
	err := raw.Integers(ctx, d.db, `SELECT CAST(h3 AS BIGINT) AS h3, CAST(heading_deg AS BIGINT) AS heading_deg, CAST(quality_ppm AS BIGINT) AS quality_ppm,
		epoch_us(captured_at) AS captured_at, epoch_us(received_at) AS received_at FROM `+src, s.add)
	if err == nil {
		err = s.flush()
	}
	if !errors.Is(err, errUnsorted) {
		return err
	}
	if err := w.reset(); err != nil {
		return err
	}
	return raw.Integers(ctx, d.db, cells.FoldSQL(cells.DuckDB, src)+cells.FoldOrder, func(c [][]int64) error {
		for i := range c[0] {
			if err := w.add(&cells.Partial{Cell: survey.Cell(c[0][i]), Place: int(c[1][i]), Observations: c[2][i], QualitySum: c[3][i], BestQuality: c[4][i],
				FirstSeen: c[5][i], LastSeen: c[6][i], LastReceived: c[7][i]}); err != nil {
				return err
			}
		}
		return nil
	})
}

var errUnsorted = errors.New("not sorted by cell")

// summer sums observations that come in order of cell: cells.FoldSQL for sorted input, without a table of groups.
type summer struct {
	w    *partWriter
	cell int64
	seen uint64 // set of places
	sums [cells.Places]cells.Partial
}

// add takes rows: cell, heading, quality, capture and receipt.
func (s *summer) add(c [][]int64) error {
	heading, quality, captured, received := c[1], c[2], c[3], c[4]
	for i, cell := range c[0] {
		if cell != s.cell {
			if cell < s.cell {
				return errUnsorted
			}
			if err := s.flush(); err != nil {
				return err
			}
			s.cell = cell
		}
		q, t := quality[i], captured[i]
		place := cells.PlaceOf(heading[i], q)
		p := &s.sums[place]
		if bit := uint64(1) << place; s.seen&bit == 0 {
			s.seen |= bit
			*p = cells.Partial{Cell: survey.Cell(cell), Place: place, Observations: 1, QualitySum: q, BestQuality: q, FirstSeen: t, LastSeen: t, LastReceived: received[i]}
			continue
		}
		p.Observations++
		p.QualitySum += q
		p.BestQuality = max(p.BestQuality, q)
		p.FirstSeen, p.LastSeen, p.LastReceived = min(p.FirstSeen, t), max(p.LastSeen, t), max(p.LastReceived, received[i])
	}
	return nil
}

// flush writes the cell's sums.
func (s *summer) flush() error {
	for ; s.seen != 0; s.seen &= s.seen - 1 {
		if err := s.w.add(&s.sums[bits.TrailingZeros64(s.seen)]); err != nil {
			return err
		}
	}
	return nil
}

// Plain is the number of groups of the plain GROUP BY over all files that match the pattern at once: what Run's days and
// partials are measured against. It spills to dir.
func Plain(ctx context.Context, pattern, dir string, o Options) (groups int64, err error) {
	d, err := OpenDuckDB(ctx, dir, o)
	if err != nil {
		return 0, err
	}
	defer d.Close()
	var observations, last int64
	err = d.db.QueryRowContext(ctx, "SELECT COUNT(*), CAST(SUM(observations) AS BIGINT), MAX(last_seen + last_received + first_seen + quality_sum + best_quality) FROM ("+
		cells.FoldSQL(cells.DuckDB, "read_parquet("+query.Literal(pattern)+", hive_partitioning = false)")+")").Scan(&groups, &observations, &last)
	return groups, err
}

// Differ compares the cells that a run left in the folder with a plain GROUP BY by cell of the files that match the pattern,
// for cells from lo to hi, both included: how many the GROUP BY has there, and how many differ. It spills to dir.
func Differ(ctx context.Context, pattern, folder, dir string, lo, hi survey.Cell, o Options) (found, differ int64, err error) {
	d, err := OpenDuckDB(ctx, dir, o)
	if err != nil {
		return 0, 0, err
	}
	defer d.Close()
	const all = "h3, observations, quality_sum, best_quality, first_seen, last_seen, last_received"
	between := fmt.Sprintf(" WHERE h3 BETWEEN %d AND %d", lo.Int64(), hi.Int64())
	err = d.db.QueryRowContext(ctx, `WITH want AS (SELECT h3, COUNT(*) AS observations, CAST(SUM(quality_ppm) AS BIGINT) AS quality_sum, MAX(quality_ppm) AS best_quality,
		MIN(captured_at) AS first_seen, MAX(captured_at) AS last_seen, MAX(received_at) AS last_received
		FROM read_parquet(`+query.Literal(pattern)+`, hive_partitioning = false)`+between+` GROUP BY h3),
	got AS (SELECT `+all+` FROM read_parquet(`+query.Literal(filepath.Join(folder, cellsName))+`)`+between+`)
	SELECT (SELECT COUNT(*) FROM want), (SELECT COUNT(*) FROM (FROM want EXCEPT FROM got)) + (SELECT COUNT(*) FROM (FROM got EXCEPT FROM want))`).Scan(&found, &differ)
	return found, differ, err
}
