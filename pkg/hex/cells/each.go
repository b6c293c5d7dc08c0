package cells

import (
	"context"
	"errors"
	"time"

	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/hex/freshness"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Each calls fn with every live cell at res, in cell order. Resolutions 12, 9, 7, 5 and 3 (by default) are stored; any
// other is merged on the way from the next finer stored one, and one finer than the base has no cells. Memory is flat.
// When q is a transaction, fn must not use it. An error of fn ends the walk and is returned.
func Each(ctx context.Context, q state.Querier, res int, fn func(Row) error) error {
	lo, hi := hex.ResRange(res)
	return eachRange(ctx, q, res, [][2]survey.Cell{{lo, hi}}, fn)
}

// EachIn is Each restricted to the descendants of the given cells (at res or coarser; overlapping ones count once).
func EachIn(ctx context.Context, q state.Querier, res int, within []survey.Cell, fn func(Row) error) error {
	return eachRange(ctx, q, res, hex.Ranges(within, res), fn)
}

// EachRange is Each restricted to the cells at res within the inclusive range lo to hi, both at res.
func EachRange(ctx context.Context, q state.Querier, res int, lo, hi survey.Cell, fn func(Row) error) error {
	return eachRange(ctx, q, res, [][2]survey.Cell{{lo, hi}}, fn)
}

func eachRange(ctx context.Context, q state.Querier, res int, rs [][2]survey.Cell, fn func(Row) error) error {
	if res < 0 || res > 15 {
		return survey.Errorf(survey.Invalid, "H3 resolution %d is not 0 to 15", res)
	}
	if len(rs) == 0 {
		return nil
	}
	src, err := source(ctx, q, res)
	if err != nil || src < 0 {
		return err
	}
	var at survey.Cell
	var s sums
	flush := func() error {
		if at == 0 {
			return nil
		}
		return fn(s.row(at))
	}
	for i := range rs {
		rs[i][0], _ = below(rs[i][0], src)
		_, rs[i][1] = below(rs[i][1], src)
	}
	if err := scanRanges(ctx, q, rs, func(c survey.Cell, r *sums) error {
		if src == res {
			return fn(r.row(c))
		}
		if p := c.Parent(res); p != at {
			if err := flush(); err != nil {
				return err
			}
			at, s = p, sums{}
		}
		live := s.live + r.live
		s.merge(r)
		s.live = live
		return nil
	}); err != nil {
		return err
	}
	return flush()
}

// near is how many resolutions up two ranges share an ancestor to be read by one statement: the ragged cover of a polygon
// has hundreds of ranges, and a statement costs as much as a few hundred rows.
const near = 4

// scanRanges reads the rows in the ranges, which are in order and of one resolution.
func scanRanges(ctx context.Context, q state.Querier, rs [][2]survey.Cell, fn func(survey.Cell, *sums) error) error {
	for i := 0; i < len(rs); {
		j := i + 1
		for up := rs[i][0].Resolution() - near; up >= 0 && j < len(rs) && rs[j][0].Parent(up) == rs[j-1][1].Parent(up); {
			j++
		}
		k := i
		if err := scan(ctx, q, rs[i][0], rs[j-1][1], func(c survey.Cell, s *sums) error {
			for c > rs[k][1] {
				k++
			}
			if c < rs[k][0] {
				return nil
			}
			return fn(c, s)
		}); err != nil {
			return err
		}
		i = j
	}
	return nil
}

// below is ChildRange, also for the ends of ResRange, which are no cells.
func below(c survey.Cell, res int) (lo, hi survey.Cell) {
	if l, h := hex.ResRange(c.Resolution()); c == l || c == h {
		return hex.ResRange(res)
	}
	return c.ChildRange(res)
}

// source is the coarsest resolution from res on that has rows; -1 when none has.
func source(ctx context.Context, q state.Querier, res int) (int, error) {
	for r := res; r <= 15; r++ {
		if has, err := hasRows(ctx, q, r); err != nil || has {
			return r, err
		}
	}
	return -1, nil
}

// Base is the finest resolution that has rows; -1 when there are none.
func Base(ctx context.Context, q state.Querier) (int, error) {
	for r := 15; r >= 0; r-- {
		if has, err := hasRows(ctx, q, r); err != nil || has {
			return r, err
		}
	}
	return -1, nil
}

// hasRows says whether any cell of a resolution is stored.
func hasRows(ctx context.Context, q state.Querier, res int) (bool, error) {
	lo, hi := hex.ResRange(res)
	var cell int64
	err := q.QueryRow(ctx, `SELECT cell FROM cells WHERE cell BETWEEN $1 AND $2 LIMIT 1`, lo.Int64(), hi.Int64()).Scan(&cell)
	if errors.Is(err, state.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// Get is the row of one stored cell; NotFound when nothing was seen there or its resolution is not stored.
func Get(ctx context.Context, q state.Querier, c survey.Cell) (Row, error) {
	rows, err := q.Query(ctx, `SELECT `+columns+` FROM cells WHERE cell = $1`, c.Int64())
	if err != nil {
		return Row{}, err
	}
	var out Row
	if err := scanRows(rows, func(c survey.Cell, s *sums) error { out = s.row(c); return nil }); err != nil {
		return Row{}, err
	}
	if out.Cell == 0 {
		return Row{}, survey.Errorf(survey.NotFound, "nothing was seen in cell %s", c)
	}
	return out, nil
}

// FreshRow is a Row with the mean of a measure, freshness as a rule, over the base cells under it, rounded down.
type FreshRow struct {
	Row
	Mean survey.PPM
}

// Merger turns base rows, given in cell order, into the rows of their ancestors at one resolution, each with the mean of
// a measure of its base cells.
type Merger struct {
	res     int
	measure func(*Row) survey.PPM
	fn      func(FreshRow) error

	at  survey.Cell
	s   sums
	sum int64
}

// NewMerger merges to res and calls fn with each row as the rows of the next begin, or on Close.
func NewMerger(res int, measure func(*Row) survey.PPM, fn func(FreshRow) error) *Merger {
	return &Merger{res: res, measure: measure, fn: fn}
}

// Add takes the next base row.
func (m *Merger) Add(r Row) error {
	if p := r.Cell.Parent(m.res); p != m.at {
		if err := m.Close(); err != nil {
			return err
		}
		m.at, m.s, m.sum = p, sums{}, 0
	}
	live := m.s.live + 1
	m.s.merge(&sums{1, r.Observations, r.QualitySum, int64(r.BestQuality), state.Micros(r.FirstSeen), state.Micros(r.LastSeen), state.Micros(r.LastReceived), r.Seen})
	m.s.live = live
	m.sum += int64(m.measure(&r))
	return nil
}

// Close gives the last row.
func (m *Merger) Close() error {
	if m.at == 0 {
		return nil
	}
	at := m.at
	m.at = 0
	return m.fn(FreshRow{m.s.row(at), survey.PPM(m.sum / m.s.live)})
}

// EachFresh is EachIn with mean freshness, merged from the base cells whatever is stored; nil within means everywhere.
func EachFresh(ctx context.Context, q state.Querier, res int, within []survey.Cell, p freshness.Params, asOf time.Time, fn func(FreshRow) error) error {
	base, err := Base(ctx, q)
	if err != nil || base < res {
		return err
	}
	lo, hi := hex.ResRange(base)
	rs := [][2]survey.Cell{{lo, hi}}
	if within != nil {
		rs = hex.Ranges(within, base)
	}
	m := NewMerger(res, func(r *Row) survey.PPM { return r.Freshness(p, asOf) }, fn)
	if err := scanRanges(ctx, q, rs, func(c survey.Cell, s *sums) error { return m.Add(s.row(c)) }); err != nil {
		return err
	}
	return m.Close()
}
