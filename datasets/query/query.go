// Package query answers SQL over the datasets of a snapshot with an embedded DuckDB.
//
// Each dataset is a view over its Parquet files. The engine is a boundary: it runs one SELECT at a time, reads no file
// but those of the snapshot, writes nothing, loads no extension, and its settings are locked. H3 comes as functions in
// Go: h3_cell(lat, lng, res), h3_parent(cell, res), h3_ring(cell, k), h3_boundary_wkb(cell), h3_hex(cell), h3_of(hex).
package query

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Options bound the engine. The zero value suits one analyst on a laptop.
type Options struct {
	MemoryMB int           // 0 means 2,048
	Threads  int           // 0 means all cores
	Timeout  time.Duration // of one query; 0 means 5 minutes
}

// Engine is an open snapshot. It is safe for concurrent use.
type Engine struct {
	db       *sql.DB
	datasets []string
	timeout  time.Duration
}

// snapshot is what the engine needs of snapshot.json.
type snapshot struct {
	Format   string `json:"format"`
	Datasets map[string]struct {
		Files []struct {
			Path  string `json:"path"`
			Bytes int64  `json:"bytes"`
		} `json:"files"`
	} `json:"datasets"`
}

// Open opens a folder that holds snapshot.json and the files it names, as `roadcomb process` writes it (DIR/datasets).
// A missing or shorter file is named. Close the engine.
func Open(ctx context.Context, dir string, o Options) (*Engine, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(filepath.Join(dir, "snapshot.json"))
	if err != nil {
		return nil, survey.Errorf(survey.NotFound, "datasets folder: %w", err).WithHint("give a folder with snapshot.json, such as the datasets folder that `roadcomb process` wrote")
	}
	var snap snapshot
	if err := json.Unmarshal(b, &snap); err != nil {
		return nil, survey.Errorf(survey.Invalid, "%s/snapshot.json: %w", dir, err)
	}
	if snap.Format != "roadcomb-snapshot/1" {
		return nil, survey.Errorf(survey.Unsupported, "%s/snapshot.json has format %q; this version reads roadcomb-snapshot/1", dir, snap.Format).WithHint("use a newer roadcomb")
	}
	views := map[string]string{}
	for name, d := range snap.Datasets {
		if !identifier(name) {
			return nil, survey.Errorf(survey.Invalid, "snapshot names a dataset %q", name)
		}
		var paths []string
		for _, f := range d.Files {
			p := filepath.Join(dir, filepath.FromSlash(f.Path))
			if !strings.HasPrefix(p, dir+string(filepath.Separator)) {
				return nil, survey.Errorf(survey.Invalid, "snapshot names a file outside its folder: %q", f.Path)
			}
			st, err := os.Stat(p)
			if err != nil || st.Size() != f.Bytes {
				return nil, survey.Errorf(survey.Invalid, "file %s is missing or does not have its %d bytes", f.Path, f.Bytes).WithHint("copy the snapshot again")
			}
			paths = append(paths, literal(p))
		}
		if len(paths) > 0 {
			// union_by_name: files of an older schema version lack columns that were added since.
			views[name] = fmt.Sprintf("CREATE VIEW %s AS SELECT * FROM read_parquet([%s], union_by_name = true, hive_partitioning = false)", name, strings.Join(paths, ", "))
		}
	}
	return open(ctx, dir, views, o)
}

func open(ctx context.Context, dir string, views map[string]string, o Options) (*Engine, error) {
	conn, err := duckdb.NewConnector("", nil)
	if err != nil {
		return nil, fmt.Errorf("open DuckDB: %w", err)
	}
	e := &Engine{db: sql.OpenDB(conn), timeout: o.Timeout}
	if e.timeout <= 0 {
		e.timeout = 5 * time.Minute
	}
	if o.MemoryMB <= 0 {
		o.MemoryMB = 2048
	}
	c, err := e.db.Conn(ctx)
	if err != nil {
		e.Close()
		return nil, err
	}
	defer c.Close()
	if err := register(c); err != nil {
		e.Close()
		return nil, fmt.Errorf("register H3 functions: %w", err)
	}
	set := []string{
		"SET autoinstall_known_extensions = false", "SET autoload_known_extensions = false",
		fmt.Sprintf("SET memory_limit = '%dMB'", o.MemoryMB), "SET TimeZone = 'UTC'",
		// No spilling: a temporary folder is a place that SQL could write to.
		"SET temp_directory = ''",
	}
	if o.Threads > 0 {
		set = append(set, fmt.Sprintf("SET threads = %d", o.Threads))
	}
	for name := range views {
		e.datasets = append(e.datasets, name)
	}
	slices.Sort(e.datasets)
	for _, name := range e.datasets {
		set = append(set, views[name])
	}
	// The views are bound before the door closes; their files stay readable because their folder is allowed.
	set = append(set, "SET allowed_directories = ["+literal(dir+string(filepath.Separator))+"]", "SET enable_external_access = false", "SET lock_configuration = true")
	for _, q := range set {
		if _, err := c.ExecContext(ctx, q); err != nil {
			e.Close()
			return nil, survey.Errorf(survey.Invalid, "open datasets: %w", err)
		}
	}
	return e, nil
}

func identifier(s string) bool {
	for i, r := range s {
		if (r < 'a' || r > 'z') && r != '_' && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// Close releases the engine.
func (e *Engine) Close() error { return e.db.Close() }

// Datasets lists the views, sorted.
func (e *Engine) Datasets() []string { return slices.Clone(e.datasets) }

// Rows is called once with the columns' names and then once for each row; the values must not be kept.
type Rows interface {
	Columns(names, types []string) error
	Row(values []any) error
}

// Query runs one SELECT and streams its rows to out. Anything else than one SELECT statement is Unauthorized; SQL that
// does not parse or bind is Invalid; a query over its time or memory is Busy.
func (e *Engine) Query(ctx context.Context, q string, out Rows) error {
	ctx, cancel := context.WithTimeoutCause(ctx, e.timeout, survey.Errorf(survey.Busy, "the query took longer than %s", e.timeout).WithHint("ask for less, or filter by h3 and date"))
	defer cancel()
	c, err := e.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	err = c.Raw(func(dc any) error { return run(ctx, dc.(*duckdb.Conn), q, out) })
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

func run(ctx context.Context, c *duckdb.Conn, q string, out Rows) error {
	ds, err := c.Prepare(q) // exactly one statement, or an error; nothing runs yet
	if err != nil {
		return sqlError(err)
	}
	defer ds.Close()
	st := ds.(*duckdb.Stmt)
	kind, err := st.StatementType()
	if err != nil {
		return err
	}
	if kind != duckdb.STATEMENT_TYPE_SELECT {
		return survey.Errorf(survey.Unauthorized, "only SELECT is allowed here").WithHint("datasets are read-only")
	}
	rows, err := st.QueryContext(ctx, nil)
	if err != nil {
		return sqlError(err)
	}
	defer rows.Close()
	names := rows.Columns()
	types := make([]string, len(names))
	if t, ok := rows.(driver.RowsColumnTypeDatabaseTypeName); ok {
		for i := range types {
			types[i] = t.ColumnTypeDatabaseTypeName(i)
		}
	}
	if err := out.Columns(names, types); err != nil {
		return err
	}
	vals, row := make([]driver.Value, len(names)), make([]any, len(names))
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := rows.Next(vals)
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return sqlError(err)
		}
		for i, v := range vals {
			row[i] = v
		}
		if err := out.Row(row); err != nil {
			return err
		}
	}
}

// sqlError tells the asker's mistakes from ours.
func sqlError(err error) error {
	var de *duckdb.Error
	if !errors.As(err, &de) {
		return survey.Errorf(survey.Invalid, "SQL: %w", err)
	}
	switch de.Type {
	case duckdb.ErrorTypePermission:
		return survey.Errorf(survey.Unauthorized, "SQL: %w", err).WithHint("only the datasets can be read")
	case duckdb.ErrorTypeOutOfMemory:
		return survey.Errorf(survey.Busy, "SQL: %w", err).WithHint("the query needs more memory than it may have")
	case duckdb.ErrorTypeInterrupt:
		return survey.Errorf(survey.Busy, "SQL: %w", err)
	}
	return survey.Errorf(survey.Invalid, "SQL: %w", err)
}
