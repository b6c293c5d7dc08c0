package clickhouse_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/roadcomb/roadcomb/datasets/query"
	"github.com/roadcomb/roadcomb/datasets/query/clickhouse"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// stub stands in for a server's HTTP: the tree is that of any SELECT, and answer writes what rows there are. The engine
// itself is asked by datasets/query/fold/interop.sh.
type stub struct {
	tree   string
	answer func(w http.ResponseWriter, r *http.Request)

	mu      sync.Mutex
	asked   []string // SQL of queries
	with    []url.Values
	users   []string
	killed  chan string
	address string
}

const oneSelect = "SelectWithUnionQuery (children 1)\n ExpressionList (children 1)\n  SelectQuery (children 1)\n   ExpressionList (children 1)\n    Literal UInt64_1\n"

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	q := string(b)
	switch {
	case strings.Contains(q, "system.functions"):
		for i := range 400 {
			fmt.Fprintf(w, "f%d\t\t0\tArithmetic\n", i)
		}
		io.WriteString(w, "sum\t\t1\tAggregate Functions\nfile\t\t0\tOther\nmine\t\t0\t\ntoString\t\t0\tType Conversion\ntext\ttoString\t0\t\n")
	case strings.Contains(q, "system.tables"):
		io.WriteString(w, "tables\nTABLES\n")
	case strings.HasPrefix(q, "EXPLAIN AST "):
		io.WriteString(w, s.tree)
	case strings.HasPrefix(q, "KILL QUERY"):
		s.killed <- q
	default:
		s.mu.Lock()
		user, password, _ := r.BasicAuth()
		s.asked, s.with, s.users = append(s.asked, q), append(s.with, r.URL.Query()), append(s.users, user+" "+password)
		s.mu.Unlock()
		s.answer(w, r)
	}
}

func newStub(t *testing.T, answer func(http.ResponseWriter, *http.Request)) (*stub, *clickhouse.Engine) {
	s := &stub{tree: oneSelect, answer: answer, killed: make(chan string, 10)}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	s.address = strings.Replace(srv.URL, "://", "://u:p%26@", 1)
	return s, &clickhouse.Engine{Server: &clickhouse.Server{URL: s.address}, Source: clickhouse.Objects("http://store:9000", "lake", "key", "top secret"),
		Files: func(context.Context) (map[string][]string, error) {
			return map[string][]string{"cells": {"cells/v1/a.parquet", "cells/v1/b.parquet"}}, nil
		}}
}

// stream is an Arrow stream of n batches of one row each, without its end mark.
func stream(n int) []byte {
	schema := arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64}}, nil)
	var b strings.Builder
	w := ipc.NewWriter(&b, ipc.WithSchema(schema))
	for i := range n {
		rb := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		rb.Field(0).(*array.Int64Builder).Append(int64(i))
		rec := rb.NewRecord()
		if err := w.Write(rec); err != nil {
			panic(err)
		}
		rec.Release()
		rb.Release()
	}
	if n == 0 { // the schema is written with the first batch or at the end
		w.Close()
		return []byte(b.String()[:b.Len()-8])
	}
	return []byte(b.String())
}

const endMark = "\xff\xff\xff\xff\x00\x00\x00\x00"

func count(s *clickhouse.Stream) (n int, err error) {
	for {
		rec, err := s.Next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return n, err
		}
		n += int(rec.NumRows())
		rec.Release()
	}
}

func TestAQueryCarriesItsLimitsAndOnlyTheDatasetsItNames(t *testing.T) {
	s, e := newStub(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(append(stream(3), endMark...)) })
	st, err := e.Stream(t.Context(), "SELECT h3_hex(h3) FROM cells, drives;\n", query.Limits{MemoryMB: 100, Time: 1500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := count(st); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	st.Close()
	q, with := s.asked[0], s.with[0]
	for _, want := range []string{"(\nSELECT h3_hex(h3) FROM cells, drives\n)", "FORMAT ArrowStream", `s3('http://store:9000/lake/cells/v1/{a.parquet,b.parquet}', 'key', 'top secret', 'Parquet', 'h3 Int64`, "drives AS (SELECT drive_id", "FROM null(", " AS h3_hex"} {
		if !strings.Contains(q, want) {
			t.Errorf("the query lacks %q:\n%s", want, q)
		}
	}
	if strings.Contains(q, "allocations") || strings.Contains(q, "h3_ring") {
		t.Errorf("the query has what it does not name:\n%s", q)
	}
	for k, want := range map[string]string{"max_execution_time": "1.5", "max_memory_usage": "104857600", "readonly": "2", "database": "information_schema", "allow_ddl": "0"} {
		if with.Get(k) != want {
			t.Errorf("%s is %q, want %q", k, with.Get(k), want)
		}
	}
	if s.users[0] != "u p&" {
		t.Errorf("asked as %q", s.users[0])
	}
	select {
	case q := <-s.killed:
		t.Errorf("a query that had ended was killed: %s", q)
	default:
	}
}

func TestABrokenAnswerIsNeverAWholeOne(t *testing.T) {
	refuse := func(code, text string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprintf(w, "Code: %s. DB::Exception: %s", code, text)
		}
	}
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request)
		want   survey.Kind
		says   string
	}{
		"no end mark":    {func(w http.ResponseWriter, _ *http.Request) { w.Write(stream(2)) }, survey.Unavailable, "broke off"},
		"cut in a batch": {func(w http.ResponseWriter, _ *http.Request) { b := stream(2); w.Write(b[:len(b)-5]) }, survey.Unavailable, "broke off"},
		"nothing at all": {func(http.ResponseWriter, *http.Request) {}, survey.Unavailable, "broke off"},
		"not Arrow":      {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, strings.Repeat("rows", 100)) }, survey.Unavailable, ""},
		"memory half-way": {func(w http.ResponseWriter, _ *http.Request) {
			w.Write(stream(2))
			io.WriteString(w, "\r\nCode: 241. DB::Exception: Memory limit (for query) exceeded: s3('http://x', 'top secret')")
		}, survey.Busy, "memory"},
		"time":            {refuse("159", "Timeout exceeded"), survey.Busy, "too long"},
		"no such column":  {refuse("47", "Unknown expression identifier `x` in scope s3('http://store', 'top secret')"), survey.Invalid, ""},
		"the store fails": {refuse("499", "S3 error http://store:9000/lake top secret"), survey.Unavailable, "499"},
		"cut by the peer": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100000")
			w.Write(stream(2))
		}, survey.Unavailable, "broke off"},
	} {
		t.Run(name, func(t *testing.T) {
			_, e := newStub(t, c.answer)
			st, err := e.Stream(t.Context(), "SELECT 1", query.Limits{})
			if err == nil {
				_, err = count(st)
				if _, again := st.Next(); again == nil || errors.Is(again, io.EOF) {
					t.Errorf("a second look gives %v", again)
				}
				st.Close()
			}
			if survey.KindOf(err) != c.want || !strings.Contains(fmt.Sprint(err), c.says) || strings.Contains(fmt.Sprint(err), "secret") || strings.Contains(fmt.Sprint(err), "store:") {
				t.Errorf("%v (%v)", err, survey.KindOf(err))
			}
		})
	}
	if _, err := (&clickhouse.Engine{Server: &clickhouse.Server{URL: "http://127.0.0.1:1"}}).Stream(t.Context(), "SELECT 1", query.Limits{}); survey.KindOf(err) != survey.Unavailable {
		t.Errorf("no server: %v", err)
	}
}

func TestACallerThatGoesAwayEndsItsQueryOnTheServer(t *testing.T) {
	gone := make(chan struct{})
	s, e := newStub(t, func(w http.ResponseWriter, r *http.Request) {
		w.Write(stream(1))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		close(gone)
	})
	ctx, cancel := context.WithCancel(t.Context())
	st, err := e.Stream(ctx, "SELECT 1", query.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	rec, err := st.Next()
	if err != nil {
		t.Fatal(err)
	}
	rec.Release()
	cancel()
	if _, err := st.Next(); !errors.Is(err, context.Canceled) {
		t.Errorf("after the caller went: %v", err)
	}
	st.Close()
	<-gone
	if q := <-s.killed; !strings.Contains(q, s.with[0].Get("query_id")) {
		t.Errorf("%s does not kill %s", q, s.with[0].Get("query_id"))
	}
}

// allowed stands for no error.
const allowed = survey.Internal

func TestTheTreeDecides(t *testing.T) {
	in := func(lines ...string) string {
		return "SelectWithUnionQuery (children 1)\n ExpressionList (children 1)\n  SelectQuery (children 2)\n" + strings.Join(lines, "\n") + "\n"
	}
	for name, c := range map[string]struct {
		tree string
		want survey.Kind
	}{
		"a function that computes":      {in("   ExpressionList (children 1)", "    Function f7 (children 1)"), allowed},
		"another name of one":           {in("   ExpressionList (children 1)", "    Function TEXT (children 1)"), allowed},
		"an aggregate with suffixes":    {in("   ExpressionList (children 1)", "    Function sumIfOrNull (alias x) (children 1)"), allowed},
		"a suffix on no aggregate":      {in("   ExpressionList (children 1)", "    Function f7If (children 1)"), survey.Unauthorized},
		"a function that reads a file":  {in("   ExpressionList (children 1)", "    Function file (children 1)"), survey.Unauthorized},
		"a function of the operator":    {in("   ExpressionList (children 1)", "    Function mine (children 1)"), survey.Unauthorized},
		"a function that is not there":  {in("   ExpressionList (children 1)", "    Function later (children 1)"), survey.Unauthorized},
		"a function the query defines":  {in("   ExpressionList (children 2)", "    Function lambda (alias later) (children 2)", "    Function later (children 1)"), allowed},
		"a definition of the server's":  {in("   ExpressionList (children 2)", "    Function lambda (alias file) (children 2)", "    Function file (children 1)"), survey.Unauthorized},
		"numbers":                       {in("   TablesInSelectQuery (children 1)", "    TablesInSelectQueryElement (children 1)", "     TableExpression (children 1)", "      Function numbers (children 1)"), allowed},
		"a table function":              {in("   TablesInSelectQuery (children 1)", "    TablesInSelectQueryElement (children 1)", "     TableExpression (children 1)", "      Function url (children 1)"), survey.Unauthorized},
		"a table function, named well":  {in("   TablesInSelectQuery (children 1)", "    TablesInSelectQueryElement (children 1)", "     TableExpression (children 1)", "      Function f7 (children 1)"), survey.Unauthorized},
		"a table":                       {in("   TablesInSelectQuery (children 1)", "    TablesInSelectQueryElement (children 1)", "     TableExpression (children 1)", "      TableIdentifier cells (alias c)"), allowed},
		"a table of another database":   {in("   TablesInSelectQuery (children 1)", "    TablesInSelectQueryElement (children 1)", "     TableExpression (children 1)", "      TableIdentifier system.users"), survey.Unauthorized},
		"a table about tables":          {in("   TablesInSelectQuery (children 1)", "    TablesInSelectQueryElement (children 1)", "     TableExpression (children 1)", "      TableIdentifier Tables"), survey.Unauthorized},
		"a table on the right of IN":    {in("   Function in (children 1)", "    ExpressionList (children 2)", "     Identifier a", "     Identifier x"), survey.Unauthorized},
		"a query on the right of IN":    {in("   Function notIn (children 1)", "    ExpressionList (children 2)", "     Function f7 (children 1)", "      ExpressionList (children 1)", "       Identifier a", "     Subquery (children 1)"), allowed},
		"settings":                      {in("   Set"), survey.Unauthorized},
		"a function that does not show": {in("   Asterisk (children 1)", "    ColumnsTransformerList (children 1)", "     ColumnsApplyTransformer"), survey.Unauthorized},
		"a kind that comes later":       {in("   Teleport"), survey.Unauthorized},
		"an insert":                     {"InsertQuery   (children 2)\n Identifier x\n", survey.Unauthorized},
		"two statements":                {oneSelect + "SelectWithUnionQuery (children 1)\n", survey.Unauthorized},
		"an answer of a statement":      {oneSelect + "2\n", survey.Unauthorized},
		"nothing":                       {"", survey.Unauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			s, e := newStub(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(append(stream(1), endMark...)) })
			s.tree = c.tree
			st, err := e.Stream(t.Context(), "SELECT 1", query.Limits{})
			if err == nil {
				_, err = count(st)
				st.Close()
			}
			if got := survey.KindOf(err); err == nil && c.want != allowed || err != nil && got != c.want {
				t.Errorf("%v (%v)", err, got)
			}
			if refused := c.want != allowed; refused == (len(s.asked) > 0) {
				t.Errorf("%d queries ran", len(s.asked))
			}
		})
	}
}

func TestNamesDrawNoTree(t *testing.T) {
	s, e := newStub(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(append(stream(1), endMark...)) })
	for q, want := range map[string]string{
		"SELECT 1 -- a comment\n":      "SELECT 1 -- a comment",
		"SELECT '\\n' AS x\nFROM c":    "SELECT '\\n' AS x\nFROM c",
		"SELECT 1 AS `a\nb`":           "SELECT 1 AS `a b`",
		"SELECT 1 AS \"a\"\r\nFROM x":  "SELECT 1 AS \"a\" FROM x",
		"SELECT 1 AS `a\\nb`":          "",
		"SELECT 1 AS “a\\nb”":          "",
		"SELECT 1 AS `a` -- x\nFROM y": "",
		"SELECT '\x00'":                "",
		" ;\n":                         "",
	} {
		s.asked = nil
		st, err := e.Stream(t.Context(), q, query.Limits{})
		if err == nil {
			count(st)
			st.Close()
		}
		if want == "" {
			if survey.KindOf(err) != survey.Invalid || len(s.asked) > 0 {
				t.Errorf("%q: %v", q, err)
			}
		} else if err != nil || !strings.Contains(s.asked[0], "(\n"+want+"\n)") {
			t.Errorf("%q: %v %q", q, err, s.asked)
		}
	}
}

func ExampleLiteral() {
	fmt.Println(clickhouse.Literal(`Rue de l'Église \ 3`))
	// Output: 'Rue de l\'Église \\ 3'
}
