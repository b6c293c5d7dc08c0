package query_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/roadcomb/roadcomb/datasets/query"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// all gives the records' values as text, row by row, and the schema.
func all(t testing.TB, e *query.Engine, q string, args ...any) (rows []string, schema *arrow.Schema) {
	t.Helper()
	s, err := e.Stream(t.Context(), q, args)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for {
		rec, err := s.Next()
		if errors.Is(err, io.EOF) {
			return rows, s.Schema()
		} else if err != nil {
			t.Fatal(err)
		}
		for r := range int(rec.NumRows()) {
			var words []string
			for _, c := range rec.Columns() {
				words = append(words, c.ValueStr(r))
			}
			rows = append(rows, strings.Join(words, "|"))
		}
		rec.Release()
	}
}

func TestEveryTypeBecomesArrowAndNothingLeaks(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	e := open(t, written(t, 10), query.Options{Alloc: mem})
	for _, c := range []struct{ sql, typ, want string }{
		{`true`, "bool", "true"},
		{`(-7)::TINYINT`, "int8", "-7"},
		{`(-300)::SMALLINT`, "int16", "-300"},
		{`7::INTEGER`, "int32", "7"},
		{`9223372036854775807::BIGINT`, "int64", "9223372036854775807"},
		{`200::UTINYINT`, "uint8", "200"},
		{`18446744073709551615::UBIGINT`, "uint64", "18446744073709551615"},
		{`1.5::FLOAT`, "float32", "1.5"},
		{`0.1::DOUBLE`, "float64", "0.1"},
		{`sum(x) FROM (VALUES (9223372036854775807), (1)) v(x)`, "decimal(38, 0)", "9223372036854775808"},
		{`(-12.34)::DECIMAL(4,2)`, "decimal(4, 2)", "-12.34"},
		{`(-1234567.89)::DECIMAL(9,2)`, "decimal(9, 2)", "-1234567.89"},
		{`(-123456789012.345)::DECIMAL(18,3)`, "decimal(18, 3)", "-123456789012.345"},
		{`(-1234567890123456789012.345)::DECIMAL(30,3)`, "decimal(30, 3)", "-1234567890123456789012.345"},
		{`'short'`, "utf8", "short"},
		{`'longer than twelve bytes, ä'`, "utf8", "longer than twelve bytes, ä"},
		{`'twelve bytes'`, "utf8", "twelve bytes"},
		{`'a' || chr(0) || 'b'`, "utf8", "a\x00b"},
		{`'\x00\xFF'::BLOB`, "binary", "AP8="},
		{`DATE '2024-05-08'`, "date32", "2024-05-08"},
		{`TIME '01:02:03.000004'`, "time64[us]", "01:02:03.000004"},
		{`TIMESTAMP '2024-05-08 01:02:03.000004'`, "timestamp[us]", "2024-05-08 01:02:03.000004Z"},
		{`TIMESTAMPTZ '2024-05-08 01:02:03+02'`, "timestamp[us, tz=UTC]", "2024-05-07 23:02:03Z"},
		{`TIMESTAMP_S '2024-05-08 01:02:03'`, "timestamp[s]", "2024-05-08 01:02:03Z"},
		{`TIMESTAMP_MS '2024-05-08 01:02:03'`, "timestamp[ms]", "2024-05-08 01:02:03Z"},
		{`TIMESTAMP_NS '2024-05-08 01:02:03'`, "timestamp[ns]", "2024-05-08 01:02:03Z"},
		{`INTERVAL '1 month 2 days 3 seconds'`, "month_day_nano_interval", `{"months":1,"days":2,"nanoseconds":3000000000}`},
		{`'4ac7a9e9-607c-4c8a-84f3-843f0191e3fd'::UUID`, "utf8", "4ac7a9e9-607c-4c8a-84f3-843f0191e3fd"},
		{`'b'::ENUM('a', 'b')`, "utf8", "b"},
		{`[1, NULL, 3]`, "list<item: int32, nullable>", "[1,null,3]"},
		{`[['a'], [], NULL, ['b', 'c']]`, "list<item: list<item: utf8, nullable>, nullable>", `[["a"],[],null,["b","c"]]`},
		{`[1, 2]::INTEGER[2]`, "fixed_size_list<item: int32, nullable>[2]", "[1,2]"},
		{`{'a': 1, 'b': NULL::VARCHAR}`, "struct<a: int32, b: utf8>", `{"a":1,"b":null}`},
		{`MAP {'k': 1.5::DOUBLE}`, "map<utf8, float64, items_nullable>", `[{"key":"k","value":1.5}]`},
		{`NULL`, "int32", "(null)"},
		{`NULL::VARCHAR`, "utf8", "(null)"},
		{`geometry IS NOT NULL AND octet_length(ST_AsWKB(geometry)) = 21 FROM observations LIMIT 1`, "bool", "true"},
	} {
		rows, s := all(t, e, "SELECT "+c.sql)
		if len(rows) != 1 || rows[0] != c.want || s.Field(0).Type.String() != c.typ {
			t.Errorf("%s: %q of type %s, want %q of %s", c.sql, rows, s.Field(0).Type, c.want, c.typ)
		}
	}
	// Nulls at every place of a mask, over several chunks and short ones.
	for _, filter := range []string{"true", "i % 3 <> 1", "i % 1000 = 7", "i > 5000"} {
		rows, _ := all(t, e, `SELECT i, if(i % 7 = 0, NULL, i) AS a, if(i % 5 = 0, NULL, 'text of row ' || i) AS b, if(i % 2 = 0, NULL, i % 3 = 0) AS c,
			if(i % 11 = 0, NULL, [i, NULL, i + 1]) AS d, if(i % 13 = 0, NULL, {'x': if(i % 2 = 0, NULL, i)}) AS e FROM range(10000) r(i) WHERE `+filter+` ORDER BY i`)
		at := 0
		for i := range 10000 {
			if !map[string]bool{"true": true, "i % 3 <> 1": i%3 != 1, "i % 1000 = 7": i%1000 == 7, "i > 5000": i > 5000}[filter] {
				continue
			}
			or := func(null bool, s string) string {
				if null {
					return "(null)"
				}
				return s
			}
			x := or(i%2 == 0, fmt.Sprint(i))
			if x == "(null)" {
				x = "null"
			}
			want := fmt.Sprintf("%d|%s|%s|%s|%s|%s", i, or(i%7 == 0, fmt.Sprint(i)), or(i%5 == 0, fmt.Sprintf("text of row %d", i)), or(i%2 == 0, fmt.Sprint(i%3 == 0)),
				or(i%11 == 0, fmt.Sprintf("[%d,null,%d]", i, i+1)), or(i%13 == 0, `{"x":`+x+`}`))
			if at >= len(rows) || rows[at] != want {
				t.Fatalf("%s, row %d: %q, want %q", filter, i, rows[min(at, len(rows)-1)], want)
			}
			at++
		}
		if at != len(rows) {
			t.Fatalf("%s: %d rows, want %d", filter, len(rows), at)
		}
	}
	for _, q := range []string{`SELECT 1::UHUGEINT`, `SELECT '101'::BIT`} {
		if _, err := e.Stream(t.Context(), q, nil); survey.KindOf(err) != survey.Unsupported {
			t.Errorf("%s: %v", q, err)
		}
	}
	// Streams that are left in the middle.
	for range 3 {
		s, err := e.Stream(t.Context(), `SELECT i, 'text of row ' || i FROM range(10000000) r(i)`, nil)
		if err != nil {
			t.Fatal(err)
		}
		rec, err := s.Next()
		if err != nil {
			t.Fatal(err)
		}
		rec.Release()
		s.Close()
	}
	mem.AssertSize(t, 0)
}

func TestParameters(t *testing.T) {
	e := open(t, written(t, 10), query.Options{})
	at := time.Date(2024, 5, 8, 9, 0, 0, 0, time.UTC)
	rows, _ := all(t, e, `SELECT ?, ?, ?, ?, ?::TIMESTAMPTZ, ?, ?`, int64(7), 1.5, "it's", true, at, []byte{1}, nil)
	if rows[0] != "7|1.5|it's|true|2024-05-08 09:00:00Z|AQ==|(null)" {
		t.Fatal(rows)
	}
	if _, err := e.Stream(t.Context(), `SELECT ?`, nil); survey.KindOf(err) != survey.Invalid {
		t.Fatal(err)
	}
	cols, params, err := e.Describe(t.Context(), `SELECT frame_id, h3 FROM observations WHERE quality_ppm > ? AND frame_id = ?`)
	if err != nil || cols.NumFields() != 2 || params.Field(0).Type.ID() != arrow.INT64 || params.Field(1).Type.ID() != arrow.STRING {
		t.Fatal(cols, params, err)
	}
}

func TestALargeAnswerNeedsNoMemoryAndACancelledOneEnds(t *testing.T) {
	e := open(t, written(t, 10), query.Options{MemoryMB: 256})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, err := e.Stream(ctx, `SELECT i, 'some text of row ' || i FROM range(100000000) r(i)`, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var m runtime.MemStats
	for s.Rows() < 500_000 {
		rec, err := s.Next()
		if err != nil {
			t.Fatal(err)
		}
		rec.Release()
	}
	runtime.GC()
	runtime.ReadMemStats(&m)
	if m.HeapAlloc > 128<<20 {
		t.Errorf("%d MB on the heap", m.HeapAlloc>>20)
	}
	cancel()
	began := time.Now()
	for err = nil; err == nil; {
		var rec arrow.Record
		if rec, err = s.Next(); err == nil {
			rec.Release()
		}
	}
	if !errors.Is(err, context.Canceled) || time.Since(began) > 5*time.Second {
		t.Fatalf("%v after %v", err, time.Since(began))
	}
	if got := ask(t, e, `SELECT 1`); got[0] != "1" {
		t.Fatal(got)
	}
}

func TestTheReadersTimeDoesNotCount(t *testing.T) {
	e := open(t, written(t, 10), query.Options{Timeout: time.Second})
	s, err := e.Stream(t.Context(), `SELECT i FROM range(1000000) r(i)`, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for {
		rec, err := s.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		rec.Release()
		time.Sleep(400 * time.Millisecond) // slower in all than the query's time
	}
	if s.Rows() != 1_000_000 {
		t.Fatal(s.Rows())
	}
}

func TestH3Functions(t *testing.T) {
	e := open(t, written(t, 10), query.Options{})
	for q, want := range map[string]string{
		`SELECT h3_hex(h3_cell(37.7752702151959, -122.418307270836, 9))`:                                 "8928308280fffff", // the reference library's own example
		`SELECT h3_hex(h3_parent(h3_of('8928308280fffff'), 5))`:                                          "85283083fffffff",
		`SELECT len(h3_ring(h3_of('8928308280fffff'), 2))`:                                               "12",
		`SELECT list_contains(h3_ring(h3_of('8928308280fffff'), 0), h3_of('8928308280fffff'))`:           "true",
		`SELECT substr(ST_AsText(ST_GeomFromWKB(h3_boundary_wkb(h3_of('8928308280fffff')))), 1, 9)`:      "POLYGON (",
		`SELECT h3_cell(NULL, 1, 9) IS NULL, h3_parent(NULL, 1) IS NULL, h3_boundary_wkb(NULL) IS NULL`:  "true true true",
		`SELECT h3_parent(h3_of('8928308280fffff'), 9) = h3_of('8928308280fffff')`:                       "true",
		`SELECT count(DISTINCT h3_cell(-80 + i % 160, -180 + i % 360, 3)) > 1000 FROM range(57600) r(i)`: "true",
	} {
		if got := ask(t, e, q); got[0] != want {
			t.Errorf("%s: %s, want %s", q, got[0], want)
		}
	}
	for _, q := range []string{`SELECT h3_cell(91, 0, 9)`, `SELECT h3_cell('nan'::DOUBLE, 0, 9)`, `SELECT h3_cell(1, 1, 16)`, `SELECT h3_parent(h3_of('8928308280fffff'), 10)`,
		`SELECT h3_ring(h3_of('8928308280fffff'), -1)`, `SELECT h3_ring(h3_of('8928308280fffff'), 100000)`, `SELECT h3_of('x')`, `SELECT h3_of('')`, `SELECT h3_boundary_wkb(0)`, `SELECT h3_boundary_wkb(-1)`} {
		if err := e.Query(t.Context(), q, &table{}); survey.KindOf(err) != survey.Invalid {
			t.Errorf("%s: %v", q, err)
		}
	}
}
