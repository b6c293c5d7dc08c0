package fold

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/roadcomb/roadcomb/pkg/hex/cells"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Options bound the embedded engine. The zero value suits a machine with 4 GB to spare.
type Options struct {
	MemoryMB int // what the engine may hold before it spills to the folder; 0 means 2,048
	Threads  int // 0 means all cores
	// RangeRows is how many rows of input are folded at once; 0 means what the memory is good for.
	RangeRows int64
}

// DuckDB folds and merges in this process, spilling to a folder when memory is short. Close it.
type DuckDB struct {
	db   *sql.DB
	temp string
	rows int64 // of input folded at once
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
	d := &DuckDB{db: sql.OpenDB(conn), temp: temp, rows: max(1, int64(o.MemoryMB)*rangeRows)}
	if o.RangeRows > 0 {
		d.rows = o.RangeRows
	}
	set := []string{
		"SET autoinstall_known_extensions = false", "SET autoload_known_extensions = false", "SET TimeZone = 'UTC'",
		fmt.Sprintf("SET memory_limit = '%dMB'", o.MemoryMB), "SET temp_directory = " + literal(temp),
		"SET preserve_insertion_order = false", // needs less memory; what must be in order says so
	}
	if o.Threads > 0 {
		set = append(set, fmt.Sprintf("SET threads = %d", o.Threads))
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

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// files is the FROM clause of local files. union_by_name lets files of older schema versions lack columns.
func files(paths []string) string {
	ls := make([]string, len(paths))
	for i, p := range paths {
		ls[i] = literal(p)
	}
	return "read_parquet([" + strings.Join(ls, ", ") + "], hive_partitioning = false)"
}

// rangeRows is how many rows of input are folded at once for each MB of memory: with a group for every fourth row, as
// measured on road-like data, half of the memory. More groups than that go through the disk.
const rangeRows = 32_000

// fold merges the observations in the files of paths with the partials in those of base into files of partials, each in
// order and after the one before, at the paths that out gives; it returns the observations they stand for. A range of
// cells is folded at a time: files sorted by cell are read once in all.
func (d *DuckDB) fold(ctx context.Context, paths, base []string, out func(int) string) (observations int64, err error) {
	cuts, err := d.cuts(ctx, append(slices.Clone(paths), base...))
	if err != nil {
		return 0, err
	}
	for i := range cuts[:len(cuts)-1] {
		between := fmt.Sprintf(" WHERE h3 >= %d AND h3 < %d", cuts[i], cuts[i+1])
		var q string
		if len(paths) > 0 {
			q = cells.FoldSQL(cells.DuckDB, "(SELECT h3, heading_deg, quality_ppm, captured_at, received_at FROM "+files(paths)+between+")")
		}
		if len(base) > 0 {
			kept := "SELECT h3, place, observations, quality_sum, best_quality, first_seen, last_seen, last_received FROM " + files(base) + between
			if q != "" {
				kept = q + " UNION ALL " + kept
			}
			q = cells.MergeSQL("(" + kept + ")")
		} else {
			q += " ORDER BY h3, place"
		}
		path := out(i)
		if err := whole(path, func(tmp string) error {
			_, err := d.db.ExecContext(ctx, "COPY ("+q+") TO "+literal(tmp)+" (FORMAT parquet, COMPRESSION snappy)")
			return err
		}); err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return 0, cause
			}
			return 0, err
		}
		var n int64
		if err := d.db.QueryRowContext(ctx, "SELECT CAST(COALESCE(SUM(observations), 0) AS BIGINT) FROM "+files([]string{path})).Scan(&n); err != nil {
			return 0, err
		}
		observations += n
	}
	return observations, nil
}

// cuts are the ends of ranges of cells that hold about as many rows each, from the statistics of the files' row groups;
// one range where they have none.
func (d *DuckDB) cuts(ctx context.Context, paths []string) ([]int64, error) {
	ls := make([]string, len(paths))
	for i, p := range paths {
		ls[i] = literal(p)
	}
	rows, err := d.db.QueryContext(ctx, `SELECT COALESCE(TRY_CAST(stats_min_value AS BIGINT), 0) AS lo, row_group_num_rows FROM parquet_metadata([`+strings.Join(ls, ", ")+`])
		WHERE path_in_schema = 'h3' ORDER BY lo`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	cuts := []int64{0}
	var n int64
	for rows.Next() {
		var lo, count int64
		if err := rows.Scan(&lo, &count); err != nil {
			return nil, err
		}
		if n >= d.rows && lo > cuts[len(cuts)-1] {
			cuts, n = append(cuts, lo), 0
		}
		n += count
	}
	return append(cuts, math.MaxInt64), rows.Err()
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
		cells.FoldSQL(cells.DuckDB, files([]string{pattern}))+")").Scan(&groups, &observations, &last)
	return groups, err
}
