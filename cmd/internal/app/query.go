package app

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/roadcomb/roadcomb/datasets/query"
	"github.com/roadcomb/roadcomb/datasets/query/clickhouse"
	"github.com/roadcomb/roadcomb/datasets/snapshot"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// snapshotSettings say which datasets, for verbs that read them.
type snapshotSettings struct {
	Home string `help:"Data folder of the network whose datasets are meant, unless --data names them." default:"data" env:"ROADCOMB_HOME" type:"path" placeholder:"DIR"`
	Data string `help:"Folder with snapshot.json, as process writes it (DIR/datasets); empty for those of the network that runs here." env:"ROADCOMB_QUERY_FOLDER" type:"path" placeholder:"DIR"`
}

// folder holds snapshot.json.
func (s snapshotSettings) folder() (string, error) {
	if s.Data != "" {
		return s.Data, nil
	}
	dir := filepath.Join(s.Home, queriesFolder)
	if _, err := os.Stat(filepath.Join(dir, snapshot.FileName)); err != nil {
		return "", survey.Errorf(survey.NotFound, "no datasets in %s", dir).WithHint("name a folder with --data, or the data folder of a network with --home; a network that just began has none before its first drive")
	}
	return dir, nil
}

type queryCmd struct {
	settings
	clickHouseSettings
	SQL     string        `arg:"" help:"One SELECT. Views: the datasets of SCHEMA.md, such as frames, observations, cells and allocations."`
	Data    string        `help:"Folder with snapshot.json, as process writes it (DIR/datasets); empty for those of the network that runs here." env:"ROADCOMB_QUERY_FOLDER" type:"path" placeholder:"DIR"`
	Format  string        `help:"table, csv or json (one object a line)." enum:"table,csv,json" default:"table"`
	Timeout time.Duration `help:"Longest a query may run." default:"5m"`
	Memory  int           `help:"Most memory in MB." default:"2048"`
}

func (queryCmd) Help() string {
	return "With --clickhouse the query is ClickHouse's SQL, and that server reads the files itself.\n\nH3 functions: h3_cell(lat, lng, res), h3_parent(cell, res), h3_ring(cell, k), h3_boundary_wkb(cell), h3_hex(cell), h3_of(hex).\n\nExample: roadcomb query --data out/datasets \"SELECT h3_hex, freshness_ppm FROM cells WHERE resolution = 9 ORDER BY 2 DESC LIMIT 10\""
}

func (c *queryCmd) Run(ctx context.Context, e *environ) error {
	w := bufio.NewWriter(e.stdout)
	var out rowWriter
	switch c.Format {
	case "csv":
		out = &csvRows{w: csv.NewWriter(w)}
	case "json":
		out = &jsonRows{w: w}
	default:
		out = &tableRows{w: tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)}
	}
	if err := c.answer(ctx, e, out); err != nil {
		return err
	}
	if err := out.end(); err != nil {
		return err
	}
	return w.Flush()
}

// answer runs the query here, or on ClickHouse over the files of a folder or of the network's lake.
func (c *queryCmd) answer(ctx context.Context, e *environ, out query.Rows) error {
	ask := func(eng *clickhouse.Engine) error {
		s, err := eng.Stream(ctx, c.SQL, query.Limits{MemoryMB: c.Memory, Time: c.Timeout})
		if err != nil {
			return err
		}
		defer s.Close()
		return query.Copy(s, out)
	}
	switch {
	case c.ClickHouse != "" && c.Data == "":
		return withPlatform(ctx, c.settings, e, func(p *platform) error { return ask(p.clickHouse(c.clickHouseSettings)) })
	case c.ClickHouse != "":
		dir, err := filepath.Abs(c.Data)
		if err != nil {
			return err
		}
		snap, _, _, err := snapshot.Load(dir)
		if err != nil {
			return err
		}
		return ask(&clickhouse.Engine{Server: &clickhouse.Server{URL: c.ClickHouse.Reveal()}, Source: clickhouse.Files, Files: func(context.Context) (map[string][]string, error) {
			return snapshotFiles(snap, dir+"/"), nil
		}})
	}
	dir, err := snapshotSettings{c.Home, c.Data}.folder()
	if err != nil {
		return err
	}
	eng, err := query.Open(ctx, dir, query.Options{MemoryMB: c.Memory, Timeout: c.Timeout})
	if err != nil {
		return err
	}
	defer eng.Close()
	return eng.Query(ctx, c.SQL, out)
}

type rowWriter interface {
	query.Rows
	end() error
}

// text is a value for people: times in RFC 3339, bytes in hex.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case []byte:
		return hex.EncodeToString(v)
	}
	return fmt.Sprint(v)
}

type csvRows struct {
	w   *csv.Writer
	row []string
}

func (c *csvRows) Columns(names, _ []string) error { return c.w.Write(names) }

func (c *csvRows) Row(vs []any) error {
	c.row = c.row[:0]
	for _, v := range vs {
		c.row = append(c.row, text(v))
	}
	return c.w.Write(c.row)
}

func (c *csvRows) end() error { c.w.Flush(); return c.w.Error() }

type tableRows struct{ w *tabwriter.Writer }

func (t *tableRows) Columns(names, _ []string) error {
	_, err := fmt.Fprintln(t.w, strings.Join(names, "\t"))
	return err
}

func (t *tableRows) Row(vs []any) error {
	for i, v := range vs {
		if i > 0 {
			io.WriteString(t.w, "\t")
		}
		io.WriteString(t.w, strings.NewReplacer("\t", " ", "\n", " ").Replace(text(v)))
	}
	_, err := io.WriteString(t.w, "\n")
	return err
}

func (t *tableRows) end() error { return t.w.Flush() }

type jsonRows struct {
	w     io.Writer
	names []string
}

func (j *jsonRows) Columns(names, _ []string) error { j.names = names; return nil }

// Row writes an object with the columns in the order of the query.
func (j *jsonRows) Row(vs []any) error {
	var b strings.Builder
	b.WriteByte('{')
	for i, v := range vs {
		if i > 0 {
			b.WriteByte(',')
		}
		if raw, ok := v.([]byte); ok {
			v = hex.EncodeToString(raw)
		}
		k, err := json.Marshal(j.names[i])
		if err != nil {
			return err
		}
		x, err := json.Marshal(v)
		if err != nil {
			return err
		}
		b.Write(k)
		b.WriteByte(':')
		b.Write(x)
	}
	b.WriteString("}\n")
	_, err := io.WriteString(j.w, b.String())
	return err
}

func (j *jsonRows) end() error { return nil }
