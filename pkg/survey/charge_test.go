package survey_test

import (
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

func TestChargesSplitToTheUnit(t *testing.T) {
	const cell survey.Cell = 0x8c1f05871d3abff
	at := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	for _, amount := range []survey.Amount{1, 2, 7, survey.CreditUnits, 1<<62 + 3} {
		parts, err := survey.Charge{ID: "x", Cells: []survey.Cell{cell + 2<<9, cell, cell + 1<<9, cell}, Amount: amount, At: at}.Split()
		if err != nil {
			t.Fatal(err)
		}
		var sum survey.Amount
		for i, p := range parts {
			sum += p.Amount
			if i > 0 && (p.Cell <= parts[i-1].Cell || p.Amount > parts[i-1].Amount) || p.Amount <= 0 {
				t.Errorf("parts of %d: %v", int64(amount), parts)
			}
		}
		if sum != amount || len(parts) > 3 {
			t.Errorf("parts of %d add up to %d: %v", int64(amount), int64(sum), parts)
		}
	}
	for name, c := range map[string]survey.Charge{
		"no id":            {Cells: []survey.Cell{cell}, Amount: 1, At: at},
		"no cell":          {ID: "x", Amount: 1, At: at},
		"nothing paid":     {ID: "x", Cells: []survey.Cell{cell}, At: at},
		"no time":          {ID: "x", Cells: []survey.Cell{cell}, Amount: 1},
		"other resolution": {ID: "x", Cells: []survey.Cell{cell.Parent(11)}, Amount: 1, At: at},
	} {
		if _, err := c.Split(); survey.KindOf(err) != survey.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}
