package survey

import (
	"slices"
	"time"
)

// CreditUnits is what one map credit is worth to rewards, in base units: 0.0075 tokens.
const CreditUnits Amount = 7_500_000

// Charge is what one answered request cost a customer, for the cells that the answer served. Rewards burns part of it
// and gives the rest to those who covered the cells (rewards/ruleset).
type Charge struct {
	// ID names the charge for ever: a repeat of it, also after a crash, is the same charge. It is never published, and
	// should be a digest that tells nothing of the customer.
	ID string
	// Cells are those the answer served, at the resolution of observations (12); order and repeats do not matter.
	Cells []Cell
	// Amount is what was paid for all of them, in base units: credits × CreditUnits. Refunded requests are not charges.
	Amount Amount
	// At is when the charge was committed. It decides the first epoch that may count it; a charge entered after that
	// epoch has closed counts in the next.
	At time.Time
}

// CellCharge is one cell's part of a charge.
type CellCharge struct {
	Cell   Cell
	Amount Amount
}

// Split gives each cell the same part of the amount, the units left over going one each to the smallest cells: the parts
// add up to the amount. They are in the order of the cells; parts of nothing are left out. A charge without id, cells,
// time or a positive amount is Invalid, and so is a cell of another resolution: no frame is pinned to it.
func (c Charge) Split() ([]CellCharge, error) {
	cells := slices.Clone(c.Cells)
	slices.Sort(cells)
	cells = slices.Compact(cells)
	switch {
	case c.ID == "":
		return nil, Errorf(Invalid, "a charge needs an id")
	case len(cells) == 0:
		return nil, Errorf(Invalid, "charge %s serves no cell", c.ID)
	case c.Amount <= 0:
		return nil, Errorf(Invalid, "charge %s is of %d base units", c.ID, int64(c.Amount))
	case c.At.IsZero():
		return nil, Errorf(Invalid, "charge %s has no time", c.ID)
	}
	n := Amount(len(cells))
	out := make([]CellCharge, 0, len(cells))
	for i, cell := range cells {
		if cell.Resolution() != 12 {
			return nil, Errorf(Invalid, "charge %s: cell %s has resolution %d, observations have 12", c.ID, cell, cell.Resolution())
		}
		part := c.Amount / n
		if Amount(i) < c.Amount%n {
			part++
		}
		if part > 0 {
			out = append(out, CellCharge{cell, part})
		}
	}
	return out, nil
}
