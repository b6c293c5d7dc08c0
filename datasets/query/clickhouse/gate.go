package clickhouse

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// gate decides whether a query may run, by the tree that the server's parser makes of it (EXPLAIN AST, which runs
// nothing). What is not known to be harmless is refused: kinds of nodes, functions and table functions are lists of what is
// allowed. Names of tables never have a database; those without one are looked up in information_schema (see settings in
// query.go), whose own tables are refused.
type gate struct {
	server *Server

	mu        sync.Mutex
	functions map[string]bool // that may be called, lower case; true for aggregates, which take suffixes
	known     map[string]bool // all that the server has, lower case
	system    map[string]bool // tables of information_schema, lower case
}

// kinds of nodes that a SELECT may have. Absent on purpose: Set (settings), QueryParameter, every other statement, and
// ColumnsApplyTransformer (* APPLY f), whose function the tree does not show.
var kinds = words(`SelectWithUnionQuery SelectIntersectExceptQuery SelectQuery ExpressionList WithElement Subquery Literal
	Identifier Function TablesInSelectQuery TablesInSelectQueryElement TableExpression TableIdentifier TableJoin ArrayJoin
	Asterisk QualifiedAsterisk ColumnsRegexpMatcher ColumnsListMatcher QualifiedColumnsRegexpMatcher QualifiedColumnsListMatcher
	ColumnsTransformerList ColumnsExceptTransformer ColumnsReplaceTransformer ColumnsReplaceTransformer::Replacement
	OrderByElement InterpolateElement WindowDefinition WindowListElement SampleRatio DataType NameTypePair`)

// categories of functions, in ClickHouse's own words, that compute from their arguments alone.
var categories = words2(`Aggregate Functions|Type Conversion|Dates and Times|Arrays|String|Geo|Hash|String Search|JSON|Mathematical|URL|Arithmetic|
	Geo Polygon|Map|IP Address|Comparison|Tuple|Distance|Random Number|Bitmap|Bit|Encoding|UUID|String Splitting|String Replacement|Null|Rounding|
	Time Window|Conditional|Logical|Financial`)

// more functions that compute: operators that only the parser names, and the harmless of the category Other.
var more = words(`lambda exists in notin globalin globalnotin nullin notnullin globalnullin globalnotnullin tuple array grouping
	casewithexpression casewithoutexpression multiif bar countdigits digits defaultvalueofargumenttype formatreadabledecimalsize
	formatreadablequantity formatreadablesize formatreadabletimedelta identity materialize ignore totypename transform
	row_number rank dense_rank percent_rank cume_dist ntile lag lead laginframe leadinframe first_value last_value nth_value
	nonnegativederivative`)

// never are functions that stay refused whatever category a server puts them in: they read files, other tables, the
// server's state, or wait.
var never = words(`file joinget joingetornull dictget dicthas dictgethierarchy sleep sleepeachrow getsetting getsettingordefault getmacro
	getserverport getserversetting getmergetreesetting getclienthttpheader hostname fqdn catboostevaluate throwif
	filesystemavailable filesystemcapacity filesystemunreserved hascolumnintable showcertificate reversednsquery`)

// tableFunctions make rows from numbers alone.
var tableFunctions = words(`numbers numbers_mt zeros zeros_mt generate_series generateseries values`)

// suffixes that turn an aggregate into another.
var suffixes = strings.Fields(`if array map simplestate state merge mergestate foreach distinct ordefault ornull resample argmin argmax`)

func words(s string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(s) {
		out[w] = true
	}
	return out
}

func words2(s string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Split(s, "|") {
		out[strings.TrimSpace(w)] = true
	}
	return out
}

// learn asks the server once which functions it has.
func (g *gate) learn(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.functions != nil {
		return nil
	}
	fs, err := g.server.text(ctx, "SELECT name, alias_to, is_aggregate, categories FROM system.functions FORMAT TSV", nil)
	if err != nil {
		return err
	}
	ts, err := g.server.text(ctx, "SELECT name FROM system.tables WHERE database IN ('information_schema', 'INFORMATION_SCHEMA') FORMAT TSV", nil)
	if err != nil {
		return err
	}
	functions, known, alias := map[string]bool{}, map[string]bool{}, map[string]string{}
	for _, line := range strings.Split(strings.TrimRight(fs, "\n"), "\n") {
		c := strings.Split(line, "\t")
		if len(c) != 4 {
			return survey.Errorf(survey.Unsupported, "ClickHouse describes its functions in a way that is not known here").WithHint("use version 25.8 or later")
		}
		name := strings.ToLower(c[0])
		known[name] = true
		if c[1] != "" {
			alias[name] = strings.ToLower(c[1])
			continue
		}
		for _, cat := range strings.Split(c[3], ",") {
			if categories[strings.TrimSpace(cat)] {
				functions[name] = c[2] == "1"
			}
		}
	}
	for a, to := range alias {
		if agg, ok := functions[to]; ok {
			functions[a] = agg
		}
	}
	for f := range more {
		functions[f] = functions[f]
	}
	for f := range never {
		delete(functions, f)
	}
	if len(functions) < 300 {
		return survey.Errorf(survey.Unsupported, "ClickHouse does not say what kinds its functions are of").WithHint("use version 25.8 or later")
	}
	system := map[string]bool{}
	for _, t := range strings.Fields(ts) {
		system[strings.ToLower(t)] = true
	}
	g.functions, g.known, g.system = functions, known, system
	return nil
}

// check gives an error of kind Unauthorized for a query that may not run, and Invalid for one that does not parse. own are
// functions that the query is given.
func (g *gate) check(ctx context.Context, sql string, own map[string]bool) error {
	if err := g.learn(ctx); err != nil {
		return err
	}
	tree, err := g.server.text(ctx, "EXPLAIN AST "+sql, url.Values{"readonly": {"1"}})
	if err != nil {
		return err
	}
	return g.judge(tree, own)
}

// plainNames makes sure that no quoted name of the query has a line break, with which a name could draw nodes of its own
// into the tree. Without quotes there are no such names; with them, SQL is put on one line.
func plainNames(sql string) (string, error) {
	if strings.ContainsRune(sql, 0) {
		return "", survey.Errorf(survey.Invalid, "SQL: a zero byte in the query")
	}
	if !strings.ContainsAny(sql, "`\"“”") {
		return sql, nil
	}
	if strings.Contains(sql, `\`) {
		return "", survey.Errorf(survey.Invalid, "SQL: a backslash beside quoted names is not taken here").WithHint("leave out the quotes around names, or write char(92)")
	}
	if !strings.ContainsAny(sql, "\r\n") {
		return sql, nil
	}
	if strings.Contains(sql, "--") || strings.Contains(sql, "#") {
		return "", survey.Errorf(survey.Invalid, "SQL: comments beside quoted names are not taken here").WithHint("leave out the comments, or the quotes around names")
	}
	return strings.NewReplacer("\r\n", " ", "\r", " ", "\n", " ").Replace(sql), nil
}

// node is one line of the tree.
type node struct {
	depth      int
	kind, name string
	alias      string
}

func nodes(tree string) []node {
	var out []node
	for _, line := range strings.Split(strings.TrimRight(tree, "\n"), "\n") {
		text := strings.TrimLeft(line, " ")
		n := node{depth: len(line) - len(text)}
		if i := strings.LastIndex(text, " (children "); i >= 0 {
			text = text[:i]
		}
		if i := strings.LastIndex(text, " (alias "); i >= 0 && strings.HasSuffix(text, ")") {
			n.alias = text[i+len(" (alias ") : len(text)-1]
			text = text[:i]
		}
		n.kind, n.name, _ = strings.Cut(text, " ")
		n.name = strings.TrimSpace(n.name)
		out = append(out, n)
	}
	return out
}

func (g *gate) judge(tree string, own map[string]bool) error {
	ns := nodes(tree)
	if len(ns) == 0 || ns[0].kind != "SelectWithUnionQuery" || ns[0].depth != 0 {
		return survey.Errorf(survey.Unauthorized, "only SELECT is allowed here").WithHint("datasets are read-only")
	}
	named := map[string]bool{} // functions that the query defines
	for _, n := range ns {
		if n.kind == "Function" && n.name == "lambda" && n.alias != "" && !g.known[strings.ToLower(n.alias)] {
			named[n.alias] = true
		}
	}
	for i, n := range ns {
		if i > 0 && n.depth == 0 {
			return survey.Errorf(survey.Unauthorized, "only one SELECT is allowed here")
		}
		switch {
		case n.kind == "Set":
			return survey.Errorf(survey.Unauthorized, "SETTINGS are not allowed here")
		case !kinds[n.kind]:
			return survey.Errorf(survey.Unauthorized, "%.40q is not allowed in a query here", n.kind)
		case n.kind == "TableIdentifier":
			if err := g.table(n.name); err != nil {
				return err
			}
		case n.kind == "Function":
			f := strings.ToLower(n.name)
			if parent := ns[max(i-1, 0)]; parent.kind == "TableExpression" && parent.depth == n.depth-1 {
				if !tableFunctions[f] {
					return survey.Errorf(survey.Unauthorized, "the table function %.60q is not allowed here", n.name).WithHint("only the datasets can be read")
				}
				continue
			}
			if !named[n.name] && !own[n.name] && !g.function(f) {
				return survey.Errorf(survey.Unauthorized, "the function %.60q is not known or not allowed here", n.name)
			}
			if _, is := more[f]; is && strings.HasSuffix(f, "in") && len(f) > 1 {
				// A bare name on the right of IN is a table.
				if name, is := second(ns, i); is {
					return survey.Errorf(survey.Unauthorized, "IN %.60s is not allowed here", name).WithHint("write IN (SELECT … FROM …)")
				}
			}
		}
	}
	return nil
}

// second gives the name that is the second argument of the function at i, if it is a name.
func second(ns []node, i int) (string, bool) {
	depth, args := ns[i].depth, 0
	for _, n := range ns[i+1:] {
		if n.depth <= depth {
			break
		}
		if n.depth == depth+2 { // below the list of arguments
			if args++; args == 2 {
				return n.name, n.kind == "Identifier" || n.kind == "TableIdentifier"
			}
		}
	}
	return "", false
}

func (g *gate) table(name string) error {
	if strings.ContainsAny(name, ".`\"") || g.system[strings.ToLower(name)] {
		return survey.Errorf(survey.Unauthorized, "the table %.60q is not allowed here", name).WithHint("only the datasets can be read")
	}
	return nil
}

// function tells whether f, in lower case, only computes.
func (g *gate) function(f string) bool {
	if _, ok := g.functions[f]; ok {
		return true
	}
	for {
		i := slices.IndexFunc(suffixes, func(s string) bool { return strings.HasSuffix(f, s) && len(f) > len(s) })
		if i < 0 {
			return false
		}
		// Longer suffixes end in shorter ones (orNull, mergeState): each that fits is tried.
		for _, s := range suffixes {
			if base, ok := strings.CutSuffix(f, s); ok && base != "" {
				if aggregate := g.functions[base]; aggregate || g.function(base) && !g.plain(base) {
					return true
				}
			}
		}
		return false
	}
}

// plain tells whether f is a function of the server that is no aggregate.
func (g *gate) plain(f string) bool { aggregate, ok := g.functions[f]; return ok && !aggregate }
