// Package query answers SQL over the datasets of a snapshot with an embedded DuckDB.
//
// Each dataset is a view over its Parquet files. The engine is a boundary: it runs one SELECT at a time, reads no file
// but those of the snapshot, writes nothing, loads no extension, and its settings are locked. H3 comes as functions in
// Go: h3_cell(lat, lng, res), h3_parent(cell, res), h3_ring(cell, k), h3_boundary_wkb(cell), h3_hex(cell), h3_of(hex).
package query

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/duckdb/duckdb-go/v2"

	"github.com/roadcomb/roadcomb/datasets/schema"
	"github.com/roadcomb/roadcomb/datasets/snapshot"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Options bound the engine. The zero value suits one analyst on a laptop.
type Options struct {
	MemoryMB int              // 0 means 2,048
	Threads  int              // 0 means all cores
	Timeout  time.Duration    // of one query inside the engine; 0 means 5 minutes
	Alloc    memory.Allocator // of the records; nil means one that recycles buffers
}

// Engine is an open snapshot. It is safe for concurrent use.
type Engine struct {
	db       *sql.DB
	datasets []string
	timeout  time.Duration
	alloc    memory.Allocator
}

// Open opens a folder that holds snapshot.json and the files it names, as `roadcomb process` writes it (DIR/datasets).
// A missing or shorter file is named. Close the engine.
func Open(ctx context.Context, dir string, o Options) (*Engine, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	snap, _, _, err := snapshot.Load(dir)
	if err != nil {
		return nil, err
	}
	views, err := emptyViews()
	if err != nil {
		return nil, err
	}
	for name, d := range snap.Datasets {
		if !identifier(name) {
			return nil, survey.Errorf(survey.Invalid, "snapshot names a dataset %q", name)
		}
		var paths []string
		versions := map[int]bool{}
		for _, f := range d.Files {
			p := filepath.Join(dir, filepath.FromSlash(f.Path))
			if !strings.HasPrefix(p, dir+string(filepath.Separator)) {
				return nil, survey.Errorf(survey.Invalid, "snapshot names a file outside its folder: %q", f.Path)
			}
			st, err := os.Stat(p)
			if err != nil || st.Size() != f.Bytes {
				return nil, survey.Errorf(survey.Invalid, "file %s is missing or does not have its %d bytes", f.Path, f.Bytes).WithHint("copy the snapshot again")
			}
			paths = append(paths, Literal(p))
			versions[f.Version] = true
		}
		if len(paths) == 0 {
			continue
		}
		scan := fmt.Sprintf("SELECT * FROM read_parquet([%s], union_by_name = %t, hive_partitioning = false)", strings.Join(paths, ", "), len(versions) > 1)
		if known := views[name]; known != "" && !versions[version(name)] {
			// Files of older schema versions alone lack columns that were added since: they are null there.
			scan += " UNION ALL BY NAME " + known
		}
		views[name] = scan
	}
	for name, v := range views {
		views[name] = "CREATE VIEW " + name + " AS " + v
	}
	return open(ctx, dir, views, o)
}

func open(ctx context.Context, dir string, views map[string]string, o Options) (*Engine, error) {
	conn, err := duckdb.NewConnector("", nil)
	if err != nil {
		return nil, fmt.Errorf("open DuckDB: %w", err)
	}
	e := &Engine{db: sql.OpenDB(conn), timeout: o.Timeout, alloc: o.Alloc}
	if e.timeout <= 0 {
		e.timeout = 5 * time.Minute
	}
	if o.MemoryMB <= 0 {
		o.MemoryMB = 2048
	}
	if e.alloc == nil {
		e.alloc = newRecycler()
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
		// Files never change under their names; and a reader takes records faster than one buffer of 1 MB can be filled.
		"SET parquet_metadata_cache = true", "SET streaming_buffer_size = '16MB'",
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
	set = append(set, "SET allowed_directories = ["+Literal(dir+string(filepath.Separator))+"]", "SET enable_external_access = false", "SET lock_configuration = true")
	for _, q := range set {
		if _, err := c.ExecContext(ctx, q); err != nil {
			e.Close()
			return nil, survey.Errorf(survey.Invalid, "open datasets: %w", err)
		}
	}
	return e, nil
}

// emptyViews is a SELECT without rows for each dataset of this version, with its columns: a dataset that has no files yet
// can be asked all the same.
func emptyViews() (map[string]string, error) {
	all, err := schema.All()
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, d := range all {
		cols := make([]string, len(d.Columns))
		for i, c := range d.Columns {
			cols[i] = "NULL::" + sqlType(c) + " AS " + c.Name
		}
		out[d.Name] = "SELECT " + strings.Join(cols, ", ") + " WHERE false"
	}
	return out, nil
}

func version(name string) int {
	all, _ := schema.All() // emptyViews has seen that it works
	for _, d := range all {
		if d.Name == name {
			return d.Version
		}
	}
	return 0
}

// sqlType is how DuckDB reads a column of a file.
func sqlType(c lake.Column) string {
	switch {
	case strings.HasPrefix(c.Type, "timestamp"):
		return "TIMESTAMPTZ"
	case strings.HasPrefix(c.Type, "struct"):
		return "STRUCT(xmin FLOAT, ymin FLOAT, xmax FLOAT, ymax FLOAT)"
	case strings.HasPrefix(c.Type, "binary (WKB)"):
		return "GEOMETRY('OGC:CRS84')"
	case c.Type == "binary":
		return "BLOB"
	case c.Type == "int64":
		return "BIGINT"
	case c.Type == "int32":
		return "INTEGER"
	case c.Type == "float64":
		return "DOUBLE"
	case c.Type == "float32":
		return "FLOAT"
	case c.Type == "bool":
		return "BOOLEAN"
	}
	return "VARCHAR"
}

func identifier(s string) bool {
	for i, r := range s {
		if (r < 'a' || r > 'z') && r != '_' && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

// Literal is a string as DuckDB's SQL writes it.
func Literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func (e *Engine) mem() memory.Allocator { return e.alloc }

// Close releases the engine.
func (e *Engine) Close() error { return e.db.Close() }

// Datasets lists the views, sorted.
func (e *Engine) Datasets() []string { return slices.Clone(e.datasets) }

// Rows is called once with the columns' names and then once for each row; the values must not be kept.
type Rows interface {
	Columns(names, types []string) error
	Row(values []any) error
}

// Query runs one SELECT and streams its rows to out, with the errors of Stream.
func (e *Engine) Query(ctx context.Context, q string, out Rows) error {
	s, err := e.Stream(ctx, q, nil)
	if err != nil {
		return err
	}
	defer s.Close()
	return Copy(s, out)
}

// Records is an answer, record by record: a Stream, or that of another engine.
type Records interface {
	Schema() *arrow.Schema
	Next() (arrow.Record, error) // io.EOF at the end; the caller releases the record
}

// Copy gives an answer's rows to out.
func Copy(s Records, out Rows) error {
	fs := s.Schema().Fields()
	names, types, row := make([]string, len(fs)), make([]string, len(fs)), make([]any, len(fs))
	for i, f := range fs {
		names[i], types[i] = f.Name, f.Type.String()
	}
	if err := out.Columns(names, types); err != nil {
		return err
	}
	for {
		rec, err := s.Next()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		for r := range int(rec.NumRows()) {
			for i, c := range rec.Columns() {
				row[i] = value(c, r)
			}
			if err := out.Row(row); err != nil {
				rec.Release()
				return err
			}
		}
		rec.Release()
	}
}
