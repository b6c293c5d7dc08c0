// Package report draws a snapshot of the datasets: coverage, freshness, pay per kilometre, rejections and quality over
// time, on one page and as pictures. The page is a single HTML file with pictures as SVG and no script, and asks no other
// host for anything, so that it can be mailed, printed or kept; the same pictures come as PNG, for slides and messages. The
// same snapshot gives the same bytes.
package report

import (
	"cmp"
	"context"
	"fmt"
	"html"
	"image/color"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/roadcomb/roadcomb/datasets/query"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Config chooses what is drawn. The zero value is the whole snapshot.
type Config struct {
	// Epoch limits drives, rejections, quality and pay to one reward week, by when uploads arrived; zero means all.
	Epoch survey.Epoch
	Title string // "" means "roadcomb"
	// Decimals is how many a token has; 0 means 18.
	Decimals int
}

// maxHexes bounds the map: beyond it, coarser cells are drawn.
const maxHexes = 6000

// Report is what was read of a snapshot. It does not change, and is safe for concurrent use.
type Report struct {
	title, asOf string
	sums        [][2]string // name and value
	figures     []figure
}

// figure is one picture: a map where it has shapes, else bars.
type figure struct {
	name, title, about, unit string
	none                     string // said where there is nothing to draw
	bars                     []bar
	shapes                   []shape
	width, height            float64 // of the map, in units of the page
}

type bar struct {
	label string
	value float64
}

// shape is a cell on the map: its corners in units of the page, from the top left, and its freshness from 0 to 1.
type shape struct {
	ring  [][2]float64
	fresh float64
}

type table [][]any

func (t *table) Columns(_, _ []string) error { return nil }
func (t *table) Row(vs []any) error {
	*t = append(*t, append([]any(nil), vs...))
	return nil
}

func ask(ctx context.Context, e *query.Engine, q string) (table, error) {
	var t table
	err := e.Query(ctx, q, &t)
	return t, err
}

// num reads a number of any type that DuckDB answers with.
func num(v any) float64 {
	switch v := v.(type) {
	case nil:
		return 0
	case float64:
		return v
	}
	f, _ := strconv.ParseFloat(fmt.Sprint(v), 64)
	return f
}

// Read asks the snapshot that e is open on.
func Read(ctx context.Context, e *query.Engine, c Config) (*Report, error) {
	during := func(col string) string {
		if c.Epoch == (survey.Epoch{}) {
			return "true"
		}
		stamp := func(t time.Time) string { return "TIMESTAMPTZ '" + t.UTC().Format("2006-01-02 15:04:05") + "+00'" }
		return col + " >= " + stamp(c.Epoch.Start()) + " AND " + col + " < " + stamp(c.Epoch.End())
	}
	pay := "true"
	if c.Epoch != (survey.Epoch{}) {
		pay = "epoch = '" + c.Epoch.String() + "'"
	}
	r := &Report{title: cmp.Or(c.Title, "roadcomb")}
	sums, err := ask(ctx, e, `SELECT count(*), coalesce(sum(frames), 0), coalesce(sum(distance_m), 0) / 1000, count(DISTINCT contributor_id) FROM drives WHERE `+during("received_at"))
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	cells, err := ask(ctx, e, `SELECT count(*), coalesce(avg(freshness_ppm), 0) / 10000, max(as_of) FROM cells WHERE resolution = 12 AND as_of = (SELECT max(as_of) FROM cells)`)
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	r.asOf = date(cells[0][2])
	r.sums = [][2]string{
		{"drives", count(sums[0][0])}, {"frames", count(sums[0][1])}, {"kilometres", fmt.Sprintf("%.1f", num(sums[0][2]))},
		{"contributors", count(sums[0][3])}, {"cells", count(cells[0][0])}, {"mean freshness", fmt.Sprintf("%.0f %%", num(cells[0][1]))},
	}
	coverage, err := readMap(ctx, e)
	if err != nil {
		return nil, err
	}
	r.figures = []figure{coverage}
	for _, part := range []struct {
		name, title, about, unit, sql string
	}{
		{"freshness", "Freshness of cells", "Cells of resolution 12 by how fresh they are.", "cells",
			`SELECT (10 * bin)::VARCHAR || '–' || (10 * bin + 10)::VARCHAR || ' %', n FROM (SELECT least(freshness_ppm // 100000, 9) AS bin, count(*) AS n FROM cells
			WHERE resolution = 12 AND as_of = (SELECT max(as_of) FROM cells) GROUP BY 1) ORDER BY bin`},
		{"quality", "Quality over time", "Mean quality of published frames by day of capture.", "%",
			`SELECT strftime(captured_at AT TIME ZONE 'UTC', '%Y-%m-%d') AS day, round(avg(quality_ppm) / 10000.0, 1) FROM observations WHERE ` + during("received_at") + ` GROUP BY 1 ORDER BY 1 DESC LIMIT 31`},
		{"rejections", "Rejections by reason", "Files that were not accepted.", "files",
			`SELECT reason, count(*) AS n FROM rejections WHERE ` + during("received_at") + ` GROUP BY 1 ORDER BY n DESC, reason LIMIT 20`},
		{"pay", "Pay per kilometre", "Allocated tokens for each published kilometre, by contributor (pseudonyms); the twenty with most kilometres.", "tokens/km",
			fmt.Sprintf(`WITH paid AS (SELECT contributor_id, sum(amount::DOUBLE) / 1e%d AS t FROM allocations WHERE %s GROUP BY 1),
			driven AS (SELECT contributor_id, sum(distance_m) / 1000 AS km FROM drives WHERE %s GROUP BY 1)
			SELECT left(contributor_id, 12), round(coalesce(t, 0) / km, 3) FROM driven LEFT JOIN paid USING (contributor_id) WHERE km > 0 ORDER BY km DESC, contributor_id LIMIT 20`,
				cmp.Or(c.Decimals, 18), pay, during("received_at"))},
	} {
		rows, err := ask(ctx, e, part.sql)
		if err != nil {
			return nil, fmt.Errorf("report: %s: %w", strings.ToLower(part.title), err)
		}
		f := figure{name: part.name, title: part.title, about: part.about, unit: part.unit, none: "Nothing in this time."}
		for _, row := range rows {
			f.bars = append(f.bars, bar{fmt.Sprint(row[0]), num(row[1])})
		}
		r.figures = append(r.figures, f)
	}
	return r, nil
}

func date(v any) string {
	if t, ok := v.(time.Time); ok {
		return t.UTC().Format("2 January 2006 15:04 UTC")
	}
	return "no snapshot of cells yet"
}

// count groups digits by thin spaces.
func count(v any) string {
	s := strconv.FormatInt(int64(num(v)), 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}

// readMap reads the cells of the finest resolution that gives no more than maxHexes of them.
func readMap(ctx context.Context, e *query.Engine) (figure, error) {
	f := figure{name: "coverage", title: "Coverage", none: "No cell has been seen yet."}
	ns, err := ask(ctx, e, `SELECT resolution, count(*) FROM cells WHERE as_of = (SELECT max(as_of) FROM cells) GROUP BY 1 ORDER BY 1 DESC`)
	if err != nil {
		return f, fmt.Errorf("report: map: %w", err)
	}
	res := -1
	for _, r := range ns {
		if res = int(num(r[0])); num(r[1]) <= maxHexes {
			break
		}
	}
	if res < 0 {
		return f, nil
	}
	// Where even the coarsest are too many, those seen last are drawn.
	rows, err := ask(ctx, e, fmt.Sprintf(`SELECT h3, freshness_ppm FROM cells WHERE resolution = %d AND as_of = (SELECT max(as_of) FROM cells) ORDER BY last_seen DESC, h3 LIMIT %d`, res, maxHexes))
	if err != nil {
		return f, fmt.Errorf("report: map: %w", err)
	}
	rings := make([][]geo.Point, len(rows))
	box := [4]float64{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)}
	for i, r := range rows {
		id, err := strconv.ParseInt(fmt.Sprint(r[0]), 10, 64)
		if err != nil {
			return f, fmt.Errorf("report: map: cell %v: %w", r[0], err)
		}
		rings[i] = hex.Boundary(survey.Cell(id))
		for _, p := range rings[i] {
			box[0], box[1], box[2], box[3] = math.Min(box[0], p.Lon), math.Min(box[1], p.Lat), math.Max(box[2], p.Lon), math.Max(box[3], p.Lat)
		}
	}
	squeeze := math.Cos((box[1] + box[3]) / 2 * math.Pi / 180) // a degree of longitude beside one of latitude
	w, h := (box[2]-box[0])*squeeze, box[3]-box[1]
	k := 700 / math.Max(w, h)
	f.width, f.height = w*k, h*k
	for i, ring := range rings {
		s := shape{fresh: num(rows[i][1]) / 1e6}
		for _, p := range ring {
			s.ring = append(s.ring, [2]float64{(p.Lon - box[0]) * squeeze * k, (box[3] - p.Lat) * k})
		}
		f.shapes = append(f.shapes, s)
	}
	f.about = fmt.Sprintf("%d cells of resolution %d, lighter where fresher.", len(f.shapes), res)
	return f, nil
}

// HTML writes the page.
func (r *Report) HTML(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, head, html.EscapeString(r.title), html.EscapeString(r.title))
	b.WriteString("<dl>")
	for _, s := range r.sums {
		fmt.Fprintf(&b, "<div><dt>%s</dt><dd>%s</dd></div>", s[0], s[1])
	}
	b.WriteString("</dl>\n")
	for _, f := range r.figures {
		fmt.Fprintf(&b, "<section><h2>%s</h2>", f.title)
		if f.about != "" {
			fmt.Fprintf(&b, "<p>%s</p>", f.about)
		}
		switch {
		case len(f.shapes) > 0:
			f.mapSVG(&b)
		case len(f.bars) > 0:
			f.barsSVG(&b)
		default:
			fmt.Fprintf(&b, `<p class="none">%s</p>`, f.none)
		}
		b.WriteString("</section>\n")
	}
	fmt.Fprintf(&b, "<footer>%s</footer></main></body></html>\n", html.EscapeString(r.source()))
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Report) source() string {
	return "Drawn from the published datasets; freshness as of " + r.asOf + "."
}

// Measures of bars, in units of the page.
const barLeft, barWidth, barRight, barStep = 190, 400, 110, 22

// length of a bar whose figure's longest value is most.
func (b bar) length(most float64) float64 {
	if most <= 0 {
		return .5
	}
	return math.Max(b.value/most*barWidth, .5)
}

func (f figure) most() (most float64) {
	for _, b := range f.bars {
		most = math.Max(most, b.value)
	}
	return most
}

func (f figure) said(b bar) string { return strconv.FormatFloat(b.value, 'f', -1, 64) + " " + f.unit }

// barsSVG draws one bar for each row. Each has its value as text, for people who see no picture.
func (f figure) barsSVG(b *strings.Builder) {
	fmt.Fprintf(b, `<svg viewBox="0 0 %d %d" role="img" aria-label="%s, in %s">`, barLeft+barWidth+barRight, len(f.bars)*barStep+4, html.EscapeString(f.title), f.unit)
	most := f.most()
	for i, x := range f.bars {
		y, n := i*barStep+2, x.length(most)
		fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%s</text><rect x="%d" y="%d" width="%.1f" height="%d"/><text x="%.1f" y="%d">%s</text>`,
			barLeft-8, y+14, html.EscapeString(x.label), barLeft, y, n, barStep-4, barLeft+n+6, y+14, f.said(x))
	}
	b.WriteString("</svg>")
}

func (f figure) mapSVG(b *strings.Builder) {
	fmt.Fprintf(b, `<svg class="map" viewBox="-5 -5 %.1f %.1f" role="img" aria-label="Map of %d cells by freshness">`, f.width+10, f.height+10, len(f.shapes))
	for _, s := range f.shapes {
		b.WriteString(`<path d="`)
		for i, p := range s.ring {
			fmt.Fprintf(b, "%c%.1f %.1f", "ML"[min(i, 1)], p[0], p[1])
		}
		c := shade(s.fresh)
		fmt.Fprintf(b, `Z" fill="#%02x%02x%02x"/>`, c.R, c.G, c.B)
	}
	b.WriteString(`</svg><p class="legend">`)
	for _, x := range legend {
		c := shade(x)
		fmt.Fprintf(b, `<span style="background:#%02x%02x%02x"></span>%.0f %%&emsp;`, c.R, c.G, c.B, x*100)
	}
	b.WriteString("</p>")
}

// legend are the values that the map's key shows.
var legend = [...]float64{0, .25, .5, .75, 1}

// shade goes from dark violet to yellow, lighter all the way, so that it reads in grey too.
func shade(f float64) color.RGBA {
	stops := [][3]float64{{68, 1, 84}, {59, 82, 139}, {33, 145, 140}, {94, 201, 98}, {253, 231, 37}}
	at := math.Min(math.Max(f, 0), 1) * float64(len(stops)-1)
	i := min(int(at), len(stops)-2)
	mix := func(j int) uint8 { return uint8(math.Round(stops[i][j] + (stops[i+1][j]-stops[i][j])*(at-float64(i)))) }
	return color.RGBA{mix(0), mix(1), mix(2), 255}
}

const head = `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>%s</title><style>
:root{color-scheme:light dark}body{font:16px/1.45 system-ui,sans-serif;margin:0}main{max-width:46rem;margin:0 auto;padding:1rem}
dl{display:flex;flex-wrap:wrap;gap:.5rem 2rem}dt{font-size:.85rem;opacity:.75}dd{margin:0;font-size:1.5rem;font-variant-numeric:tabular-nums}
svg{width:100%%;height:auto}svg.map{max-height:34rem}svg text{font-size:13px;fill:currentColor}svg rect{fill:#3b7d8c}.none{opacity:.7}.legend span{display:inline-block;width:1.2em;height:.9em;margin-right:.3em;vertical-align:middle}
h2{margin:1.6rem 0 .2rem}p{margin:.2rem 0 .6rem}footer{margin-top:2rem;opacity:.75;font-size:.85rem}@media print{section{break-inside:avoid}}
</style></head><body><main><h1>%s</h1>
`
