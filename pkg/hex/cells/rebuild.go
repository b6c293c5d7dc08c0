package cells

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// rebuildBatch is how many observations Rebuild sums in memory before it writes.
const rebuildBatch = 1 << 18

// Rebuild recomputes the whole cell state from observations alone, in the transaction: every row before is dropped. The
// observations come in any order, each frame once (as the lake's observations dataset holds them); a failing iterator
// fails the rebuild. The rows are those that Index has kept up to date, byte for byte. Cells that differ from before are
// not marked as changed: the caller knows why it rebuilds. A drive that the observations do not have yet is gone until it
// is indexed again, so stop indexing, or export, first.
//
// Memory is bounded by a batch of observations and the parts of one area.
func (c *Cells) Rebuild(ctx context.Context, tx *state.Tx, observations iter.Seq2[survey.Observation, error]) error {
	if r := c.Config.res(); r < 5 || r > 15 {
		return survey.Errorf(survey.Invalid, "cell resolution %d is not 5 to 15", r)
	}
	if c.DB.Postgres() { // indexing waits; SQLite has one writer anyway
		if _, err := tx.Exec(ctx, `LOCK TABLE cell_parts, cells IN ACCESS EXCLUSIVE MODE`); err != nil {
			return err
		}
	}
	for _, table := range []string{"cells", "cell_parts"} {
		if _, err := tx.Exec(ctx, `DELETE FROM `+table); err != nil {
			return err
		}
	}
	a := applier{ctx: ctx, tx: tx, cfg: c.Config, marks: marks{c.DB.Postgres()}}
	res, area := c.Config.res(), c.Config.area()
	batch := make(map[partKey]map[survey.Cell]*sums)
	n := 0
	for o, err := range observations {
		if err != nil {
			return fmt.Errorf("rebuild cells: %w", err)
		}
		if o.Drive == "" || o.Cell.Resolution() < res || o.Quality < 0 || o.Quality > survey.One {
			return survey.Errorf(survey.Invalid, "rebuild cells: frame %s: no drive, cell %s coarser than %d or quality %d no share", o.Frame, o.Cell, res, o.Quality)
		}
		cell := o.Cell.Parent(res)
		k := partKey{cell.Parent(area), string(o.Drive)}
		part := batch[k]
		if part == nil {
			part = make(map[survey.Cell]*sums)
			batch[k] = part
		}
		s := part[cell]
		if s == nil {
			s = &sums{live: 1}
			part[cell] = s
		}
		s.add(o)
		if n++; n%rebuildBatch == 0 {
			if err := a.mergeParts(batch); err != nil {
				return err
			}
			clear(batch)
		}
	}
	if err := a.mergeParts(batch); err != nil {
		return err
	}
	return a.refill()
}

// mergeParts adds summed observations to the rows of cell_parts.
func (a *applier) mergeParts(batch map[partKey]map[survey.Cell]*sums) error {
	keys := slices.SortedFunc(maps.Keys(batch), comparePart)
	a.write = a.write[:0]
	for _, k := range keys {
		part := batch[k]
		rows, err := a.tx.Query(a.ctx, `SELECT entries FROM cell_parts WHERE area = $1 AND drive_id = $2`, k.area.Int64(), k.drive)
		if err != nil {
			return err
		}
		for rows.Next() {
			var b []byte
			if err := rows.Scan(&b); err != nil {
				rows.Close()
				return err
			}
			if err := readEntries(b, func(e *entry) {
				if s := part[e.cell]; s != nil {
					s.merge(&e.sums)
				} else {
					s := e.sums
					part[e.cell] = &s
				}
			}); err != nil {
				rows.Close()
				return err
			}
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			return err
		}
		row := partRow{partKey: k}
		es := make([]entry, 0, len(part))
		for _, c := range slices.Sorted(maps.Keys(part)) {
			es = append(es, entry{c, *part[c]})
			row.received = max(row.received, part[c].received)
		}
		row.entries = appendEntries(nil, es)
		a.write = append(a.write, row)
	}
	return a.writeParts()
}

// refill writes all rows of cells from the parts, walking areas in order; coarser rows close as the walk leaves them.
func (a *applier) refill() error {
	stored := a.cfg.stored()
	open := make([]change, len(stored)) // [0] unused: base rows are written as they come
	var out []change
	flush := func(least int) error {
		if len(out) < least {
			return nil
		}
		err := putRows(a.ctx, a.tx, a.marks, out)
		out = out[:0]
		return err
	}
	lo, hi := hex.ResRange(a.cfg.area())
	for {
		var batch []change // the base cells of the next areas; the rows are closed before anything is written
		next := hi
		if err := a.areas(lo, 64, func(area survey.Cell, cells map[survey.Cell]*sums) {
			for _, c := range slices.Sorted(maps.Keys(cells)) {
				batch = append(batch, change{cell: c, new: cells[c]})
			}
			next = area
		}); err != nil {
			return err
		}
		if len(batch) == 0 {
			break
		}
		lo = next + 1
		for _, ch := range batch {
			out = append(out, ch)
			for i, res := range stored[1:] {
				o := &open[i+1]
				if p := ch.cell.Parent(res); o.cell != p {
					if o.new != nil {
						out = append(out, *o)
					}
					*o = change{cell: p, new: &sums{}}
				}
				live := o.new.live + 1
				o.new.merge(ch.new)
				o.new.live = live
			}
		}
		if err := flush(1); err != nil {
			return err
		}
	}
	for _, o := range open[1:] {
		if o.new != nil {
			out = append(out, o)
		}
	}
	return flush(1)
}

// areas calls fn with the merged base cells of the first n areas from lo on, in order.
func (a *applier) areas(lo survey.Cell, n int, fn func(survey.Cell, map[survey.Cell]*sums)) error {
	_, hi := hex.ResRange(a.cfg.area())
	var ids []survey.Cell
	rows, err := a.tx.Query(a.ctx, `SELECT DISTINCT area FROM cell_parts WHERE area BETWEEN $1 AND $2 ORDER BY area LIMIT `+fmt.Sprint(n), lo.Int64(), hi.Int64())
	if err != nil {
		return err
	}
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			rows.Close()
			return err
		}
		ids = append(ids, survey.Cell(id))
	}
	rows.Close()
	if err := rows.Err(); err != nil || len(ids) == 0 {
		return err
	}
	return eachArea(a.ctx, a.tx, ids[0], ids[len(ids)-1], 0, fn)
}

// eachArea merges, area by area in order, the parts in the inclusive range of areas that were received by the time
// (microseconds; 0 for no limit).
func eachArea(ctx context.Context, q state.Querier, lo, hi survey.Cell, by int64, fn func(survey.Cell, map[survey.Cell]*sums)) error {
	if by == 0 {
		by = 1<<63 - 1
	}
	rows, err := q.Query(ctx, `SELECT area, entries FROM cell_parts WHERE area BETWEEN $1 AND $2 AND received_at <= $3 ORDER BY area`, lo.Int64(), hi.Int64(), by)
	if err != nil {
		return err
	}
	defer rows.Close()
	var at survey.Cell
	var cells map[survey.Cell]*sums
	for rows.Next() {
		var area int64
		var b []byte
		if err := rows.Scan(&area, &b); err != nil {
			return err
		}
		if survey.Cell(area) != at {
			if at != 0 {
				fn(at, cells)
			}
			at, cells = survey.Cell(area), make(map[survey.Cell]*sums)
		}
		if err := readEntries(b, func(e *entry) {
			if s := cells[e.cell]; s != nil {
				s.merge(&e.sums)
			} else {
				s := e.sums
				cells[e.cell] = &s
			}
		}); err != nil {
			return fmt.Errorf("part %s: %w", survey.Cell(area), err)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if at != 0 {
		fn(at, cells)
	}
	return nil
}

// EachAsOf calls fn with the base cells under the given cells (any resolution) as the network knew them at a past time:
// from the drives whose last receipt was not later, as their frames stand now (what was taken down since is not shown).
// Cell order, each cell once.
func EachAsOf(ctx context.Context, q state.Querier, within []survey.Cell, by time.Time, fn func(Row) error) error {
	base, err := Base(ctx, q)
	if err != nil || base < 3 {
		return err
	}
	area := base - 3
	coarse := make([]survey.Cell, len(within))
	for i, c := range within {
		coarse[i] = c.Parent(area) // c itself when it is coarser
	}
	want := hex.Ranges(within, base)
	inside := func(c survey.Cell) bool {
		i, found := slices.BinarySearchFunc(want, c, func(r [2]survey.Cell, c survey.Cell) int {
			switch {
			case r[1] < c:
				return -1
			case r[0] > c:
				return 1
			}
			return 0
		})
		return found && i < len(want)
	}
	for _, r := range hex.Ranges(coarse, area) {
		var ferr error
		if err := eachArea(ctx, q, r[0], r[1], state.Micros(by), func(_ survey.Cell, m map[survey.Cell]*sums) {
			for _, c := range slices.Sorted(maps.Keys(m)) {
				if ferr == nil && inside(c) {
					ferr = fn(m[c].row(c))
				}
			}
		}); err != nil {
			return err
		}
		if ferr != nil {
			return ferr
		}
	}
	return nil
}
