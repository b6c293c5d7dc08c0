package cells

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

const columns = `cell, live, observations, quality_sum, best_quality, first_seen, last_seen, last_received, seen`

// chunks are the sizes in which lists go into statements: few different texts, so that prepared ones are reused.
var chunks = [...]int{512, 64, 8, 1}

func nextChunk(n int) int {
	for _, c := range chunks {
		if n >= c {
			return c
		}
	}
	return 0
}

// marks writes placeholders. PostgreSQL wants $1, $2, …; for SQLite these are names, which it looks up one by one, so
// that a statement of thousands takes quadratic time: there it is plain question marks.
type marks struct{ postgres bool }

// inChunks runs fn with "$1,$2,…" and its arguments over all of list.
func inChunks[T any](m marks, list []T, fn func(in string, args []any) error) error {
	for len(list) > 0 {
		n := nextChunk(len(list))
		args := make([]any, n)
		for i := range args {
			args[i] = list[i]
		}
		if err := fn(m.list(1, n, false), args); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

// valueChunks runs fn with "($1,$2),($3,$4),…" and its arguments over all of list.
func valueChunks[T any](m marks, list []T, cols int, add func(T, []any) []any, fn func(values string, args []any) error) error {
	for len(list) > 0 {
		n := nextChunk(len(list))
		args := make([]any, 0, n*cols)
		for _, v := range list[:n] {
			args = add(v, args)
		}
		if err := fn(m.list(n, cols, true), args); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

func (m marks) list(rows, cols int, group bool) string {
	var b strings.Builder
	b.Grow(rows * cols * 6)
	k := 0
	for r := range rows {
		if r > 0 {
			b.WriteByte(',')
		}
		if group {
			b.WriteByte('(')
		}
		for c := range cols {
			if c > 0 {
				b.WriteByte(',')
			}
			if k++; m.postgres {
				b.WriteByte('$')
				b.WriteString(strconv.Itoa(k))
			} else {
				b.WriteByte('?')
			}
		}
		if group {
			b.WriteByte(')')
		}
	}
	return b.String()
}

// scan reads the rows with cells in the inclusive range, in cell order.
func scan(ctx context.Context, q state.Querier, lo, hi survey.Cell, fn func(survey.Cell, *sums) error) error {
	rows, err := q.Query(ctx, `SELECT `+columns+` FROM cells WHERE cell BETWEEN $1 AND $2 ORDER BY cell`, lo.Int64(), hi.Int64())
	if err != nil {
		return err
	}
	return scanRows(rows, fn)
}

// scanRows calls fn with each row, reusing the sums, and closes rows.
func scanRows(rows state.Rows, fn func(survey.Cell, *sums) error) error {
	defer rows.Close()
	for rows.Next() {
		var s sums
		var cell int64
		var seen []byte
		if err := rows.Scan(&cell, &s.live, &s.obs, &s.quality, &s.best, &s.first, &s.last, &s.received, &seen); err != nil {
			return err
		}
		if err := readSeen(seen, &s.seen); err != nil {
			return fmt.Errorf("cell %s: %w", survey.Cell(cell), err)
		}
		if err := fn(survey.Cell(cell), &s); err != nil {
			return err
		}
	}
	return rows.Err()
}
