package roadstate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/hex/roads"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// The lengths of road by cell, and of it driven, are kept in SQL, so that whoever draws cells needs neither the extract nor
// a look at every stretch. Kept are the resolutions below; others are sums of the next finer one.
var kept = []int{11, 9, 7, 5, 3}

const networkKey = "road_network" // in the table meta: the extract that road_cells is of

// Counted is the extract whose roads are counted by cell, as the text of its hash; "" when none is.
func Counted(ctx context.Context, q state.Querier) (string, error) {
	var v string
	err := q.QueryRow(ctx, `SELECT value FROM meta WHERE key = $1`, networkKey).Scan(&v)
	if errors.Is(err, state.ErrNoRows) {
		err = nil
	}
	return v, err
}

// CellRoad is the length of road in a cell, and of it what was driven in at least one direction, in millimetres.
type CellRoad struct {
	Cell          survey.Cell
	Road, Covered int64
}

// Share is the covered share; Road must not be 0.
func (c CellRoad) Share() survey.PPM { return survey.PPM(c.Covered * int64(survey.One) / c.Road) }

// EachCell calls fn with every cell at res (0 to 11) that has road, in order: those that descend from within, or all when
// within is nil. A coarse cell's road is that of its descendants. An error of fn ends the walk and is returned.
func EachCell(ctx context.Context, q state.Querier, res int, within []survey.Cell, fn func(CellRoad) error) error {
	src := -1
	for _, k := range kept {
		if k >= res {
			src = k
		}
	}
	if res < 0 || src < 0 {
		return survey.Errorf(survey.Invalid, "roads are counted by cells of resolution 0 to %d, not %d", kept[0], res)
	}
	lo, hi := hex.ResRange(src)
	ranges := [][2]survey.Cell{{lo, hi}}
	if within != nil {
		ranges = hex.Ranges(within, src)
	}
	var at CellRoad
	for _, r := range ranges {
		rows, err := q.Query(ctx, `SELECT cell, road_mm, covered_mm FROM road_cells WHERE cell BETWEEN $1 AND $2 ORDER BY cell`, r[0].Int64(), r[1].Int64())
		if err != nil {
			return err
		}
		for rows.Next() {
			var cell, road, covered int64
			if err = rows.Scan(&cell, &road, &covered); err != nil {
				break
			}
			if c := survey.Cell(cell).Parent(res); c != at.Cell {
				if at.Cell != 0 {
					if err = fn(at); err != nil {
						break
					}
				}
				at = CellRoad{Cell: c}
			}
			at.Road += road
			at.Covered += covered
		}
		if err := errors.Join(err, rows.Err(), rows.Close()); err != nil {
			return err
		}
	}
	if at.Cell == 0 {
		return nil
	}
	return fn(at)
}

// Count counts the whole network by cell when another extract, or none, is counted. Drives count that were matched to this
// one: Reindex brings over the others.
func (r *Roads) Count(ctx context.Context, db *state.DB) error {
	was, err := Counted(ctx, db)
	if err != nil || was == r.Extract.String() {
		return err
	}
	pieces, err := r.Network.Pieces(kept[0])
	if err != nil {
		return err
	}
	return db.Tx(ctx, func(tx *state.Tx) error {
		// First, so that two that count at once do so one after the other.
		if _, err := tx.Exec(ctx, `INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value`, networkKey, r.Extract.String()); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM road_cells`); err != nil {
			return err
		}
		c, err := r.matchedCoverage(ctx, tx)
		if err != nil {
			return err
		}
		sums := map[survey.Cell]CellRoad{}
		for _, p := range c.Cells(pieces) {
			for _, res := range kept {
				s := sums[p.Cell.Parent(res)]
				s.Cell = p.Cell.Parent(res)
				s.Road += p.Length
				s.Covered += p.Either
				sums[s.Cell] = s
			}
		}
		all := make([]CellRoad, 0, len(sums))
		for _, s := range sums {
			all = append(all, s)
		}
		slices.SortFunc(all, func(a, b CellRoad) int { return cmp.Compare(a.Cell, b.Cell) })
		for part := range slices.Chunk(all, 300) {
			var q strings.Builder
			q.WriteString(`INSERT INTO road_cells (cell, road_mm, covered_mm) VALUES `)
			var args []any
			for i, s := range part {
				if i > 0 {
					q.WriteString(", ")
				}
				fmt.Fprintf(&q, "($%d, $%d, $%d)", 3*i+1, 3*i+2, 3*i+3)
				args = append(args, s.Cell.Int64(), s.Road, s.Covered)
			}
			if _, err := tx.Exec(ctx, q.String(), args...); err != nil {
				return err
			}
		}
		return nil
	})
}

// matchedCoverage is what the drives that were matched to the extract covered.
func (r *Roads) matchedCoverage(ctx context.Context, q state.Querier) (c roads.Coverage, err error) {
	rows, err := q.Query(ctx, `SELECT s.way, s.node, s.backward, s.from_mm, s.to_mm FROM road_stretches s JOIN road_matches m ON m.drive_id = s.drive_id
		WHERE m.network = $1`, r.Extract.String())
	if err != nil {
		return c, err
	}
	defer rows.Close()
	for rows.Next() {
		var way, node, back, from, to int64
		if err := rows.Scan(&way, &node, &back, &from, &to); err != nil {
			return c, err
		}
		if i, ok := r.segment(way, node); ok {
			c.Add([]roads.Stretch{{Segment: i, Backward: back == 1, From: from, To: to}})
		}
	}
	return c, rows.Err()
}

// recount looks at what is covered of the segments that a drive had or gets, and gives a function that looks again, once
// the drive's stretches are replaced, and books the difference.
func (r *Roads) recount(ctx context.Context, tx *state.Tx, id survey.DriveID, gets []roads.Stretch) (func(context.Context, *state.Tx) error, error) {
	counted, err := Counted(ctx, tx)
	if err != nil {
		return nil, err
	}
	if counted != r.Extract.String() {
		return func(context.Context, *state.Tx) error { return nil }, nil
	}
	touched := map[int]bool{}
	for _, s := range gets {
		touched[s.Segment] = true
	}
	if err := r.had(ctx, tx, id, touched); err != nil {
		return nil, err
	}
	delta := map[survey.Cell]int64{}
	look := func(ctx context.Context, tx *state.Tx, sign int64) error {
		for seg := range touched {
			pieces, err := r.Network.SegmentPieces(seg, kept[0])
			if err != nil {
				return err
			}
			c, err := r.segmentCoverage(ctx, tx, seg)
			if err != nil {
				return err
			}
			for _, p := range c.Cells(pieces) {
				delta[p.Cell] += sign * p.Either
			}
		}
		return nil
	}
	if err := look(ctx, tx, -1); err != nil {
		return nil, err
	}
	return func(ctx context.Context, tx *state.Tx) error {
		if err := look(ctx, tx, 1); err != nil {
			return err
		}
		return book(ctx, tx, delta)
	}, nil
}

func (r *Roads) had(ctx context.Context, tx *state.Tx, id survey.DriveID, touched map[int]bool) error {
	rows, err := tx.Query(ctx, `SELECT DISTINCT way, node FROM road_stretches WHERE drive_id = $1`, string(id))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var way, node int64
		if err := rows.Scan(&way, &node); err != nil {
			return err
		}
		if i, ok := r.segment(way, node); ok {
			touched[i] = true
		}
	}
	return rows.Err()
}

// segmentCoverage is what the drives that were matched to the extract covered of one segment.
func (r *Roads) segmentCoverage(ctx context.Context, q state.Querier, seg int) (c roads.Coverage, err error) {
	id := r.Network.Segments[seg].ID
	rows, err := q.Query(ctx, `SELECT s.backward, s.from_mm, s.to_mm FROM road_stretches s JOIN road_matches m ON m.drive_id = s.drive_id
		WHERE s.way = $1 AND s.node = $2 AND m.network = $3`, id.Way, int64(id.From), r.Extract.String())
	if err != nil {
		return c, err
	}
	defer rows.Close()
	for rows.Next() {
		var back, from, to int64
		if err := rows.Scan(&back, &from, &to); err != nil {
			return c, err
		}
		c.Add([]roads.Stretch{{Segment: seg, Backward: back == 1, From: from, To: to}})
	}
	return c, rows.Err()
}

// book adds the differences to the cells and their ancestors, and tells those who draw them.
func book(ctx context.Context, tx *state.Tx, delta map[survey.Cell]int64) error {
	sums := map[survey.Cell]int64{}
	var changed []string
	for c, d := range delta {
		if d == 0 {
			continue
		}
		changed = append(changed, c.String())
		for _, res := range kept {
			sums[c.Parent(res)] += d
		}
	}
	cells := make([]survey.Cell, 0, len(sums))
	for c, d := range sums {
		if d != 0 {
			cells = append(cells, c)
		}
	}
	slices.Sort(cells) // one order, so that two drives never wait for each other in a circle
	for _, c := range cells {
		if _, err := tx.Exec(ctx, `UPDATE road_cells SET covered_mm = covered_mm + $2 WHERE cell = $1`, c.Int64(), sums[c]); err != nil {
			return err
		}
	}
	slices.Sort(changed)
	return state.MarkAllChanged(ctx, tx, "road", changed)
}
