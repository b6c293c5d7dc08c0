package api

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/roadcomb/roadcomb/datasets/query"
	"github.com/roadcomb/roadcomb/datasets/query/clickhouse"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Dialect is the SQL that a backend speaks.
type Dialect int

const (
	DuckDB Dialect = iota
	ClickHouse
)

func (d Dialect) text(s string) string {
	if d == ClickHouse {
		return clickhouse.Literal(s)
	}
	return query.Literal(s)
}

func (d Dialect) time(t time.Time) string {
	if d == ClickHouse {
		return "toDateTime64('" + t.UTC().Format("2006-01-02 15:04:05.000000") + "', 6, 'UTC')"
	}
	return "TIMESTAMPTZ '" + t.UTC().Format("2006-01-02 15:04:05.999999Z07:00") + "'"
}

// question is what a request asks of a dataset, checked against its columns.
type question struct {
	columns []string // as SQL, quoted
	where   []string // conditions as SQL, all of which hold
	limit   int64    // -1 means all
	zstd    bool
}

const maxConditions, maxValues = 20, 1000

// parse reads the query string: columns, where (repeated), bbox, limit and compression. Nothing of it reaches SQL but
// names of columns that exist, operators of a list, and literals that this function wrote.
func parse(q url.Values, cols []lake.Column, d Dialect) (question, error) {
	out := question{limit: -1}
	byName := map[string]lake.Column{}
	for _, c := range cols {
		byName[c.Name] = c
	}
	for k := range q {
		if !slices.Contains([]string{"columns", "where", "bbox", "limit", "compression", "key"}, k) {
			return out, survey.Errorf(survey.Invalid, "parameter %.40q is not known", k).WithHint("known are columns, where, bbox, limit, compression and key")
		}
	}
	if s := q.Get("columns"); s != "" {
		for _, name := range strings.Split(s, ",") {
			name = strings.TrimSpace(name)
			if _, ok := byName[name]; !ok {
				return out, survey.Errorf(survey.Invalid, "columns: there is no column %.60q", name).WithHint("GET /v1/datasets lists them")
			}
			if slices.Contains(out.columns, quote(name)) {
				return out, survey.Errorf(survey.Invalid, "columns: %s comes twice", name)
			}
			out.columns = append(out.columns, quote(name))
		}
	} else {
		out.columns = []string{"*"} // what the files have: older ones lack columns that were added since
	}
	if len(q["where"]) > maxConditions {
		return out, survey.Errorf(survey.Invalid, "where: more than %d conditions", maxConditions)
	}
	for _, w := range q["where"] {
		c, err := condition(w, byName, d)
		if err != nil {
			return out, err
		}
		out.where = append(out.where, c)
	}
	if s := q.Get("bbox"); s != "" {
		c, err := box(s, byName)
		if err != nil {
			return out, err
		}
		out.where = append(out.where, c)
	}
	if s := q.Get("limit"); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 0 {
			return out, survey.Errorf(survey.Invalid, "limit %.40q is no number of rows", s)
		}
		out.limit = n
	}
	switch s := q.Get("compression"); s {
	case "", "none":
	case "zstd":
		out.zstd = true
	default:
		return out, survey.Errorf(survey.Invalid, "compression %.40q is neither none nor zstd", s)
	}
	return out, nil
}

// sql is the SELECT over the dataset.
func (q question) sql(dataset string) string {
	s := "SELECT " + strings.Join(q.columns, ", ") + " FROM " + quote(dataset)
	if len(q.where) > 0 {
		s += " WHERE " + strings.Join(q.where, " AND ")
	}
	if q.limit >= 0 {
		s += " LIMIT " + strconv.FormatInt(q.limit, 10)
	}
	return s
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

var whereForm = regexp.MustCompile(`(?s)^\s*([a-z][a-z0-9_]*)\s*(!=|<=|>=|=|<|>|:)\s*(.*)$`)

// condition reads `column op value`; op is =, !=, <, <=, > or >=, or a colon before several values separated by commas,
// one of which must be equal.
func condition(w string, cols map[string]lake.Column, d Dialect) (string, error) {
	if strings.ContainsRune(w, 0) {
		return "", survey.Errorf(survey.Invalid, "where: a zero byte")
	}
	m := whereForm.FindStringSubmatch(w)
	if m == nil {
		return "", survey.Errorf(survey.Invalid, "where: %.80q is not like column>=value", w).WithHint("operators are =, !=, <, <=, >, >= and a colon before values separated by commas")
	}
	c, ok := cols[m[1]]
	if !ok {
		return "", survey.Errorf(survey.Invalid, "where: there is no column %.60q", m[1]).WithHint("GET /v1/datasets lists them")
	}
	if m[2] != ":" {
		v, err := typed(c, m[3], d)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s %s %s", quote(c.Name), m[2], v), nil
	}
	parts := strings.Split(m[3], ",")
	if len(parts) > maxValues {
		return "", survey.Errorf(survey.Invalid, "where: more than %d values of %s", maxValues, c.Name)
	}
	for i, p := range parts {
		v, err := typed(c, p, d)
		if err != nil {
			return "", err
		}
		parts[i] = v
	}
	return fmt.Sprintf("%s IN (%s)", quote(c.Name), strings.Join(parts, ", ")), nil
}

// typed is a value as a literal of the column's type.
func typed(c lake.Column, s string, d Dialect) (string, error) {
	s = strings.TrimSpace(s)
	bad := func(want string) error {
		return survey.Errorf(survey.Invalid, "where: %.60q is no value of column %s (%s)", s, c.Name, c.Type).WithHint("write %s", want)
	}
	switch {
	case c.Type == "int64" || c.Type == "int32":
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return strconv.FormatInt(n, 10), nil
		}
		if c.Name == "h3" {
			if cell, err := survey.ParseCell(s); err == nil {
				return strconv.FormatInt(cell.Int64(), 10), nil
			}
			return "", bad("an H3 cell in hex or as a number")
		}
		return "", bad("a whole number")
	case strings.HasPrefix(c.Type, "float"):
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || f-f != 0 {
			return "", bad("a number")
		}
		return strconv.FormatFloat(f, 'g', -1, 64) + "::DOUBLE", nil
	case c.Type == "bool":
		if s != "true" && s != "false" {
			return "", bad("true or false")
		}
		return s, nil
	case strings.HasPrefix(c.Type, "timestamp"):
		for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
			if t, err := time.Parse(layout, s); err == nil {
				return d.time(t), nil
			}
		}
		return "", bad("2024-05-08 or 2024-05-08T09:00:00Z")
	case c.Type == "utf8" || c.Type == "string":
		return d.text(s), nil
	}
	return "", survey.Errorf(survey.Unsupported, "where: column %s (%s) cannot be compared", c.Name, c.Type).WithHint("use bbox=west,south,east,north for places")
}

// box is the condition that a geometry's bounds meet a box.
func box(s string, cols map[string]lake.Column) (string, error) {
	if _, ok := cols["bbox"]; !ok {
		return "", survey.Errorf(survey.Invalid, "bbox: the dataset has no places")
	}
	parts := strings.Split(s, ",")
	var v [4]float64
	if len(parts) != 4 {
		return "", survey.Errorf(survey.Invalid, "bbox %.80q is not west,south,east,north", s)
	}
	for i, p := range parts {
		f, err := strconv.ParseFloat(strings.TrimSpace(p), 64)
		if err != nil || f-f != 0 {
			return "", survey.Errorf(survey.Invalid, "bbox %.80q is not west,south,east,north", s)
		}
		v[i] = f
	}
	if v[0] > v[2] || v[1] > v[3] || v[1] < -90 || v[3] > 90 || v[0] < -180 || v[2] > 180 {
		return "", survey.Errorf(survey.Invalid, "bbox %.80q is not west,south,east,north in degrees", s).WithHint("a box across the antimeridian is asked in two halves")
	}
	n := func(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) + "::DOUBLE" }
	return fmt.Sprintf("bbox.xmax >= %s AND bbox.ymax >= %s AND bbox.xmin <= %s AND bbox.ymin <= %s", n(v[0]), n(v[1]), n(v[2]), n(v[3])), nil
}
