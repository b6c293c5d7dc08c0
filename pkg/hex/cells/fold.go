package cells

import (
	"fmt"
	"iter"
	"strings"

	"github.com/roadcomb/roadcomb/pkg/hex/freshness"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Partial is the fold of the observations of one cell and one place of freshness.Seen: what SQL engines compute over the
// lake, a day's partition at a time. Partials of disjoint sets of observations merge by the same sums and extremes, in
// any grouping, so that an epoch folds only new days. Times are microseconds since 1970.
type Partial struct {
	Cell         survey.Cell
	Place        int // sector × freshness.Levels + level
	Observations int64
	QualitySum   int64
	BestQuality  int64
	FirstSeen    int64
	LastSeen     int64
	LastReceived int64
}

// Merge adds what o counts, which is of the same cell and place.
func (p *Partial) Merge(o *Partial) {
	p.Observations += o.Observations
	p.QualitySum += o.QualitySum
	p.BestQuality = max(p.BestQuality, o.BestQuality)
	p.FirstSeen, p.LastSeen, p.LastReceived = min(p.FirstSeen, o.FirstSeen), max(p.LastSeen, o.LastSeen), max(p.LastReceived, o.LastReceived)
}

// Places is how many values Partial.Place has.
const Places = places

// PlaceOf is the place of an observation with a heading in whole degrees (negative for none) and a quality in parts per
// million: what FoldSQL computes.
func PlaceOf(heading, quality int64) int {
	return freshness.BucketOf(min(heading, 359)*1000)*freshness.Levels + freshness.LevelOf(survey.PPM(quality))
}

// Dialect is an engine that folds.
type Dialect int

const (
	DuckDB Dialect = iota
	ClickHouse
)

// FoldSQL is the query that folds observations into partials. source is what stands after FROM: a table, or a function
// that reads Parquet with the columns of the observations dataset (h3, heading_deg, quality_ppm, captured_at,
// received_at). The columns come out in the order of Partial's fields; the rows have no order, unless FoldOrder follows.
func FoldSQL(d Dialect, source string) string {
	micros := "epoch_us(%s)"
	if d == ClickHouse {
		micros = "toUnixTimestamp64Micro(%s)"
	}
	us := func(expr string) string { return fmt.Sprintf(micros, expr) }
	return `SELECT h3, ` + placeSQL() + ` AS place, CAST(COUNT(*) AS BIGINT) AS observations,
	CAST(SUM(quality_ppm) AS BIGINT) AS quality_sum, CAST(MAX(quality_ppm) AS BIGINT) AS best_quality,
	` + us("MIN(captured_at)") + ` AS first_seen, ` + us("MAX(captured_at)") + ` AS last_seen, ` + us("MAX(received_at)") + ` AS last_received
FROM ` + source + `
GROUP BY h3, place`
}

// FoldOrder sorts what FoldSQL gives by cell and place.
const FoldOrder = ` ORDER BY h3, place`

// placeSQL is the place by comparisons of whole degrees and ppm, which no engine rounds its own way.
func placeSQL() string {
	var b strings.Builder
	fmt.Fprintf(&b, "CAST(CASE WHEN heading_deg < 0 THEN %d", freshness.Unknown*freshness.Levels)
	last := freshness.BucketOf(0)
	for h := int64(1); h < 360; h++ {
		if k := freshness.BucketOf(h * 1000); k != last {
			fmt.Fprintf(&b, " WHEN heading_deg < %d THEN %d", h, last*freshness.Levels)
			last = k
		}
	}
	fmt.Fprintf(&b, " ELSE %d END + CASE", last*freshness.Levels)
	level := 0
	for q := survey.PPM(0); q <= survey.One; q += 1000 {
		if l := freshness.LevelOf(q); l != level {
			fmt.Fprintf(&b, " WHEN quality_ppm < %d THEN %d", q, level)
			level = l
		}
	}
	fmt.Fprintf(&b, " ELSE %d END AS BIGINT)", level)
	return b.String()
}

// PartialOf is the partial of one observation: FoldSQL in Go.
func PartialOf(o survey.Observation) Partial {
	var s sums
	s.add(o)
	place := 0
	for i := range places {
		if s.seen[i/freshness.Levels][i%freshness.Levels] != 0 {
			place = i
		}
	}
	return Partial{o.Cell, place, 1, s.quality, s.best, s.first, s.last, s.received}
}

// FromPartials merges partials, given in order of cell (in any number for a cell and place), into rows of base cells in
// order. A partial that cannot be, or comes out of order, is Invalid and ends the sequence, as does an error of in.
func FromPartials(in iter.Seq2[Partial, error]) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		var at survey.Cell
		var s sums
		for p, err := range in {
			if err == nil && (p.Cell < at || p.Cell == 0 || p.Place < 0 || p.Place >= places || p.Observations <= 0) {
				err = survey.Errorf(survey.Invalid, "partial of cell %s, place %d, after cell %s", p.Cell, p.Place, at)
			}
			if err != nil {
				yield(Row{}, err)
				return
			}
			if p.Cell != at {
				if at != 0 && !yield(s.row(at), nil) {
					return
				}
				at, s = p.Cell, sums{live: 1}
			}
			o := sums{obs: p.Observations, quality: p.QualitySum, best: p.BestQuality, first: p.FirstSeen, last: p.LastSeen, received: p.LastReceived}
			o.seen[p.Place/freshness.Levels][p.Place%freshness.Levels] = freshness.Second(timeOf(p.LastSeen))
			s.merge(&o)
		}
		if at != 0 {
			yield(s.row(at), nil)
		}
	}
}
