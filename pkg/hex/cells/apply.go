package cells

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// applier is one Apply in its transaction.
type applier struct {
	ctx context.Context
	tx  *state.Tx
	cfg Config
	marks

	drives []string
	parts  map[partKey][]entry // what the drives contribute now

	write  []partRow
	remove []partKey
	// What that means for base cells: entries to add to a cell that keeps all it had, and cells that lost something.
	grow map[survey.Cell]*sums
	lost map[survey.Cell]bool
}

type partKey struct {
	area  survey.Cell
	drive string
}

type partRow struct {
	partKey
	received int64
	entries  []byte
}

// change is a cell's row before and after; nil stands for no row.
type change struct {
	cell     survey.Cell
	old, new *sums
}

// fold sums the observations of each drive by base cell.
func (a *applier) fold(drives []DriveObservations) error {
	a.parts = make(map[partKey][]entry)
	named := make(map[survey.DriveID]bool, len(drives))
	res, area := a.cfg.res(), a.cfg.area()
	var obs []survey.Observation
	for _, d := range drives {
		if d.Drive == "" || named[d.Drive] {
			return survey.Errorf(survey.Invalid, "drive %q is given twice or has no id", d.Drive)
		}
		named[d.Drive] = true
		a.drives = append(a.drives, string(d.Drive))
		obs = append(obs[:0], d.Observations...)
		for i := range obs {
			o := &obs[i]
			if o.Cell.Resolution() < res || o.Quality < 0 || o.Quality > survey.One {
				return survey.Errorf(survey.Invalid, "frame %s: cell %s is coarser than resolution %d or quality %d is no share", o.Frame, o.Cell, res, o.Quality)
			}
			o.Cell = o.Cell.Parent(res)
		}
		slices.SortFunc(obs, func(x, y survey.Observation) int {
			if x.Cell != y.Cell {
				if x.Cell < y.Cell {
					return -1
				}
				return 1
			}
			return strings.Compare(string(x.Frame), string(y.Frame))
		})
		var last survey.Cell
		var at partKey
		var es []entry
		flush := func() {
			if len(es) > 0 {
				a.parts[at] = es
			}
			es = nil
		}
		var frame survey.FrameID
		for i := range obs {
			o := &obs[i]
			if o.Cell != last {
				if p := (partKey{o.Cell.Parent(area), string(d.Drive)}); p != at {
					flush()
					at = p
				}
				es = append(es, entry{cell: o.Cell, sums: sums{live: 1}})
				last = o.Cell
			} else if o.Frame == frame {
				continue
			}
			frame = o.Frame
			es[len(es)-1].add(*o)
		}
		flush()
	}
	slices.Sort(a.drives)
	return nil
}

// compare reads the drives' old parts and finds what differs.
func (a *applier) compare() error {
	a.grow, a.lost = make(map[survey.Cell]*sums), make(map[survey.Cell]bool)
	old, err := a.oldParts()
	if err != nil {
		return err
	}
	if a.postgres {
		// Two transactions that touch one region take turns, so that reading a row, changing it here and writing it
		// back loses nothing. SQLite has one writer anyway.
		if err := a.lock(old); err != nil {
			return err
		}
	}
	keys := slices.SortedFunc(maps.Keys(a.parts), comparePart)
	for _, k := range keys {
		es := a.parts[k]
		now := appendEntries(nil, es)
		was := old[k]
		delete(old, k)
		if bytes.Equal(now, was) {
			continue
		}
		row := partRow{partKey: k, entries: now}
		for i := range es {
			row.received = max(row.received, es[i].received)
		}
		a.write = append(a.write, row)
		before := make(map[survey.Cell]sums)
		if was != nil {
			if err := readEntries(was, func(e *entry) { before[e.cell] = e.sums }); err != nil {
				return fmt.Errorf("part %s of drive %s: %w", k.area, k.drive, err)
			}
		}
		for i := range es {
			e := &es[i]
			b, had := before[e.cell]
			delete(before, e.cell)
			if had && b == e.sums {
				continue
			}
			if had {
				a.lost[e.cell] = true
				continue
			}
			if g := a.grow[e.cell]; g != nil {
				g.merge(&e.sums)
			} else {
				s := e.sums
				a.grow[e.cell] = &s
			}
		}
		for cell := range before {
			a.lost[cell] = true
		}
	}
	for k, was := range old { // areas the drive is gone from
		a.remove = append(a.remove, k)
		if err := readEntries(was, func(e *entry) { a.lost[e.cell] = true }); err != nil {
			return fmt.Errorf("part %s of drive %s: %w", k.area, k.drive, err)
		}
	}
	slices.SortFunc(a.remove, comparePart)
	for c := range a.lost {
		delete(a.grow, c) // recomputed from the parts, which hold the new entries by then
	}
	return nil
}

func comparePart(x, y partKey) int {
	if x.area != y.area {
		if x.area < y.area {
			return -1
		}
		return 1
	}
	return strings.Compare(x.drive, y.drive)
}

func (a *applier) oldParts() (map[partKey][]byte, error) {
	old := make(map[partKey][]byte)
	err := inChunks(a.marks, a.drives, func(in string, args []any) error {
		rows, err := a.tx.Query(a.ctx, `SELECT area, drive_id, entries FROM cell_parts WHERE drive_id IN (`+in+`)`, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var area int64
			var drive string
			var b []byte
			if err := rows.Scan(&area, &drive, &b); err != nil {
				return err
			}
			old[partKey{survey.Cell(area), drive}] = b
		}
		return rows.Err()
	})
	return old, err
}

// lock takes an advisory lock for each coarsest stored ancestor of what the transaction touches, in ascending order.
func (a *applier) lock(old map[partKey][]byte) error {
	st := a.cfg.stored()
	top := st[len(st)-1]
	tops := make(map[survey.Cell]bool)
	for k := range a.parts {
		tops[k.area.Parent(top)] = true
	}
	for k := range old {
		tops[k.area.Parent(top)] = true
	}
	for _, c := range slices.Sorted(maps.Keys(tops)) {
		if _, err := a.tx.Exec(a.ctx, `SELECT pg_advisory_xact_lock($1)`, c.Int64()); err != nil {
			return err
		}
	}
	return nil
}

func (a *applier) writeParts() error {
	for _, k := range a.remove {
		if _, err := a.tx.Exec(a.ctx, `DELETE FROM cell_parts WHERE area = $1 AND drive_id = $2`, k.area.Int64(), k.drive); err != nil {
			return err
		}
	}
	return valueChunks(a.marks, a.write, 4, func(p partRow, args []any) []any {
		return append(args, p.area.Int64(), p.drive, p.received, p.entries)
	}, func(values string, args []any) error {
		_, err := a.tx.Exec(a.ctx, `INSERT INTO cell_parts (area, drive_id, received_at, entries) VALUES `+values+`
			ON CONFLICT (area, drive_id) DO UPDATE SET received_at = excluded.received_at, entries = excluded.entries`, args...)
		return err
	})
}

// base writes the rows of the base cells that changed.
func (a *applier) base() ([]change, error) {
	touched := slices.Collect(maps.Keys(a.grow))
	touched = slices.AppendSeq(touched, maps.Keys(a.lost))
	slices.Sort(touched)
	old, err := a.rows(touched)
	if err != nil {
		return nil, err
	}
	again, err := a.recompute()
	if err != nil {
		return nil, err
	}
	changes := make([]change, 0, len(touched))
	for _, c := range touched {
		ch := change{cell: c, old: old[c]}
		if a.lost[c] {
			ch.new = again[c]
		} else {
			s := sums{live: 1}
			if ch.old != nil {
				s = *ch.old
			}
			s.merge(a.grow[c])
			ch.new = &s
		}
		if ch.old == nil && ch.new == nil || ch.old != nil && ch.new != nil && *ch.old == *ch.new {
			continue
		}
		changes = append(changes, ch)
	}
	return changes, a.put(changes)
}

// recompute merges, from the parts of all drives, the cells that lost something.
func (a *applier) recompute() (map[survey.Cell]*sums, error) {
	out := make(map[survey.Cell]*sums)
	areas := make(map[survey.Cell]bool)
	for c := range a.lost {
		areas[c.Parent(a.cfg.area())] = true
	}
	ids := make([]int64, 0, len(areas))
	for _, c := range slices.Sorted(maps.Keys(areas)) {
		ids = append(ids, c.Int64())
	}
	err := inChunks(a.marks, ids, func(in string, args []any) error {
		rows, err := a.tx.Query(a.ctx, `SELECT entries FROM cell_parts WHERE area IN (`+in+`)`, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var b []byte
			if err := rows.Scan(&b); err != nil {
				return err
			}
			if err := readEntries(b, func(e *entry) {
				if !a.lost[e.cell] {
					return
				}
				s := out[e.cell]
				if s == nil {
					s = &sums{live: 1}
					out[e.cell] = s
				}
				s.merge(&e.sums)
			}); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	return out, err
}

// lift carries the changes of one stored resolution to the next coarser: by difference where every child kept or
// extended what it had, by merging the children anew where one lost something.
func (a *applier) lift(changes []change, finer, res int) ([]change, error) {
	if len(changes) == 0 {
		return nil, nil
	}
	slices.SortFunc(changes, func(x, y change) int {
		if x.cell < y.cell {
			return -1
		}
		return 1
	})
	var parents []survey.Cell
	for i := range changes {
		if p := changes[i].cell.Parent(res); len(parents) == 0 || parents[len(parents)-1] != p {
			parents = append(parents, p)
		}
	}
	old, err := a.rows(parents)
	if err != nil {
		return nil, err
	}
	var out []change
	for i := 0; i < len(changes); {
		p := changes[i].cell.Parent(res)
		j, lossy := i, false
		for ; j < len(changes) && changes[j].cell.Parent(res) == p; j++ {
			ch := &changes[j]
			lossy = lossy || ch.new == nil || ch.old != nil && !ch.new.covers(ch.old)
		}
		now := &sums{}
		if lossy {
			if now, err = a.children(p, finer); err != nil {
				return nil, err
			}
		} else {
			if o := old[p]; o != nil {
				*now = *o
			}
			for _, ch := range changes[i:j] {
				live := now.live + ch.new.live
				if ch.old != nil {
					live -= ch.old.live
				}
				now.merge(ch.new)
				if ch.old != nil {
					now.obs -= ch.old.obs
					now.quality -= ch.old.quality
				}
				now.live = live
			}
		}
		ch := change{cell: p, old: old[p]}
		if now.obs > 0 {
			ch.new = now
		}
		out = append(out, ch)
		i = j
	}
	return out, a.put(out)
}

// children merges the rows under p at the finer resolution.
func (a *applier) children(p survey.Cell, finer int) (*sums, error) {
	lo, hi := p.ChildRange(finer)
	now := &sums{}
	err := scan(a.ctx, a.tx, lo, hi, func(_ survey.Cell, s *sums) error {
		live := now.live + s.live
		now.merge(s)
		now.live = live
		return nil
	})
	return now, err
}

// rows reads the rows of cells.
func (a *applier) rows(cells []survey.Cell) (map[survey.Cell]*sums, error) {
	out := make(map[survey.Cell]*sums, len(cells))
	ids := make([]int64, len(cells))
	for i, c := range cells {
		ids[i] = c.Int64()
	}
	err := inChunks(a.marks, ids, func(in string, args []any) error {
		rows, err := a.tx.Query(a.ctx, `SELECT `+columns+` FROM cells WHERE cell IN (`+in+`)`, args...)
		if err != nil {
			return err
		}
		return scanRows(rows, func(c survey.Cell, s *sums) error {
			k := *s
			out[c] = &k
			return nil
		})
	})
	return out, err
}

// put writes the new rows and deletes those that are gone, in cell order.
func (a *applier) put(changes []change) error {
	var gone []int64
	write := make([]change, 0, len(changes))
	for _, ch := range changes {
		if ch.new == nil {
			gone = append(gone, ch.cell.Int64())
		} else {
			write = append(write, ch)
		}
	}
	if err := inChunks(a.marks, gone, func(in string, args []any) error {
		_, err := a.tx.Exec(a.ctx, `DELETE FROM cells WHERE cell IN (`+in+`)`, args...)
		return err
	}); err != nil {
		return err
	}
	return putRows(a.ctx, a.tx, a.marks, write)
}

func putRows(ctx context.Context, tx *state.Tx, m marks, rows []change) error {
	return valueChunks(m, rows, 9, func(ch change, args []any) []any {
		s := ch.new
		return append(args, ch.cell.Int64(), s.live, s.obs, s.quality, s.best, s.first, s.last, s.received, appendSeen(nil, &s.seen))
	}, func(values string, args []any) error {
		_, err := tx.Exec(ctx, `INSERT INTO cells (`+columns+`) VALUES `+values+`
			ON CONFLICT (cell) DO UPDATE SET live = excluded.live, observations = excluded.observations,
			quality_sum = excluded.quality_sum, best_quality = excluded.best_quality, first_seen = excluded.first_seen,
			last_seen = excluded.last_seen, last_received = excluded.last_received, seen = excluded.seen`, args...)
		return err
	})
}
