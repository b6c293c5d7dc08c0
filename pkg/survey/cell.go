package survey

import (
	"strconv"
)

// Cell is an H3 index. In state it is an int64 (the top bit of an H3 index is never set), outside it is lower-case hex
// text, because JavaScript loses bits over 2^53. The zero Cell is no cell.
type Cell uint64

// ParseCell reads the hex text form. It checks the form, not whether H3 knows the cell; pkg/hex does that.
func ParseCell(s string) (Cell, error) {
	v, err := strconv.ParseUint(s, 16, 63)
	if err != nil || len(s) < 15 || len(s) > 16 {
		return 0, Errorf(Invalid, "H3 cell %.32q is not 15 or 16 hex digits", s)
	}
	return Cell(v), nil
}

// Resolution is the H3 resolution 0–15 that the index carries.
func (c Cell) Resolution() int { return int(c >> 52 & 0xf) }

// Parent is the ancestor at res, by the bits of the index: the resolution field lowered and the digits below it set to 7.
// A res finer than the cell's own gives the cell itself.
func (c Cell) Parent(res int) Cell {
	if res >= c.Resolution() {
		return c
	}
	unused := Cell(1)<<(3*(15-res)) - 1
	return c&^(0xf<<52) | Cell(res)<<52 | unused
}

// ChildRange is the inclusive range of integers that holds every descendant at res, and no cell at res that is not one:
// a range filter finds an ancestor's rows in a column sorted by cell.
func (c Cell) ChildRange(res int) (lo, hi Cell) {
	if res <= c.Resolution() {
		return c, c
	}
	finer := Cell(1)<<(3*(15-c.Resolution())) - 1
	unused := Cell(1)<<(3*(15-res)) - 1
	base := c&^(0xf<<52)&^finer | Cell(res)<<52
	var six Cell
	for r := c.Resolution() + 1; r <= res; r++ {
		six |= 6 << (3 * (15 - r))
	}
	return base | unused, base | six | unused
}

// Int64 is the form kept in SQL and Parquet.
func (c Cell) Int64() int64 { return int64(c) }

func (c Cell) String() string               { return strconv.FormatUint(uint64(c), 16) }
func (c Cell) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

func (c *Cell) UnmarshalText(b []byte) error {
	p, err := ParseCell(string(b))
	if err == nil {
		*c = p
	}
	return err
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
