package state

import (
	"context"
	"fmt"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Charge enters what a customer paid, one row of reward_spend for each cell, in the transaction that takes the credits:
// either both happen or neither. The same charge again changes nothing. A charge that Split refuses is Invalid.
func (t *Tx) Charge(ctx context.Context, c survey.Charge) error {
	parts, err := c.Split()
	if err != nil {
		return err
	}
	for _, p := range parts {
		if _, err := t.Exec(ctx, `INSERT INTO reward_spend (id, cell, amount, at) VALUES ($1, $2, $3, $4) ON CONFLICT (id, cell) DO NOTHING`,
			c.ID, p.Cell.Int64(), int64(p.Amount), Micros(c.At)); err != nil {
			return fmt.Errorf("enter charge: %w", err)
		}
	}
	return nil
}
