// Package orders is demand by cell: work orders and bursts that pay for cells to be seen within a window of time.
//
// The rules are few. A price is flat for each distinct target cell and paid once, to the first look that counts; a bid
// only ranks orders before drivers; a cell nobody hit by the end is refunded. Who is paid is decided by rewards when it
// closes an epoch, from the rows of work_orders that Create makes and whose state it sets. Here orders are made, ranked
// and reported; until rewards has decided, a look at a target is provisional.
package orders

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	grid "github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Kind tells a standing order from a burst.
type Kind string

const (
	KindOrder Kind = "order" // asked for by a customer, over an area
	KindBurst Kind = "burst" // a bounty on a few cells
)

// State is what became of a target cell: the words of rewards.
type State string

const (
	Open     State = "open"     // nobody was paid for it yet
	Filled   State = "filled"   // paid
	Refunded State = "refunded" // closed before anybody came
)

// Life is how long an order is active unless it says otherwise; MaxLife and MaxCells bound it.
const (
	Life     = 7 * 24 * time.Hour
	MaxLife  = 92 * 24 * time.Hour
	MaxCells = 100_000
)

// Order is one order with its outcome so far.
type Order struct {
	ID        string
	Kind      Kind
	Owner     string
	Price     survey.Amount // for each cell
	Bid       survey.Amount
	Cells     int64
	StartsAt  time.Time
	EndsAt    time.Time
	CreatedAt time.Time

	// By state of its cells; the three sum to Cells.
	Open, Filled, Refunded int64
}

// Spent and Returned are what was paid to drivers and what goes back to the owner, so far.
func (o Order) Spent() survey.Amount    { return o.Price * survey.Amount(o.Filled) }
func (o Order) Returned() survey.Amount { return o.Price * survey.Amount(o.Refunded) }

// Draft is what an order is made of.
type Draft struct {
	Kind     Kind // "" means KindBurst
	Owner    string
	Key      string        // names the request: the same owner and key make the same order once
	Cells    []survey.Cell // at hex.DefaultRes; repeated ones count once
	Price    survey.Amount
	Bid      survey.Amount
	StartsAt time.Time     // zero means now
	Life     time.Duration // 0 means Life
}

// ID is the order's identity: owner and key, hashed.
func (d Draft) ID() string {
	h := sha256.Sum256(fmt.Appendf(nil, "work-order\x00%d\x00%s%s", len(d.Owner), d.Owner, d.Key))
	return hex.EncodeToString(h[:16])
}

// Create makes the order, or gives the one that the same owner and key made before. A draft that says something else than
// that one is a Conflict; one that makes no sense is Invalid.
func Create(ctx context.Context, tx *state.Tx, d Draft, now time.Time) (Order, error) {
	cells := slices.Clone(d.Cells)
	slices.Sort(cells)
	cells = slices.Compact(cells)
	if d.Kind == "" {
		d.Kind = KindBurst
	}
	if d.Life == 0 {
		d.Life = Life
	}
	if d.StartsAt.IsZero() {
		d.StartsAt = now
	}
	switch {
	case d.Owner == "" || d.Key == "":
		return Order{}, survey.Errorf(survey.Invalid, "an order needs an owner and a key")
	case d.Kind != KindOrder && d.Kind != KindBurst:
		return Order{}, survey.Errorf(survey.Invalid, "order kind %.40q", d.Kind)
	case len(cells) == 0 || len(cells) > MaxCells:
		return Order{}, survey.Errorf(survey.Invalid, "an order has 1 to %d cells, this has %d", MaxCells, len(cells))
	case d.Price <= 0 || int64(d.Price) > math.MaxInt64/int64(len(cells)):
		return Order{}, survey.Errorf(survey.Invalid, "price %s for %d cells", d.Price, len(cells))
	case d.Bid < 0:
		return Order{}, survey.Errorf(survey.Invalid, "bid %s", d.Bid)
	case d.Life < time.Hour || d.Life > MaxLife:
		return Order{}, survey.Errorf(survey.Invalid, "an order lives an hour to %d days", MaxLife/(24*time.Hour))
	case d.StartsAt.Before(now.Add(-time.Minute)):
		return Order{}, survey.Errorf(survey.Invalid, "an order cannot start in the past").WithHint("frames captured before it was known would be paid")
	}
	for _, c := range cells {
		if !grid.Valid(c) || c.Resolution() != grid.DefaultRes {
			return Order{}, survey.Errorf(survey.Invalid, "cell %s is no H3 cell of resolution %d", c, grid.DefaultRes)
		}
	}
	o := Order{
		ID: d.ID(), Kind: d.Kind, Owner: d.Owner, Price: d.Price, Bid: d.Bid, Cells: int64(len(cells)),
		StartsAt: micro(d.StartsAt), EndsAt: micro(d.StartsAt.Add(d.Life)), CreatedAt: micro(now), Open: int64(len(cells)),
	}
	n, err := tx.Exec(ctx, `INSERT INTO demand (id, kind, owner, price, bid, cells, starts_at, ends_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING`,
		o.ID, string(o.Kind), o.Owner, int64(o.Price), int64(o.Bid), o.Cells, state.Micros(o.StartsAt), state.Micros(o.EndsAt), state.Micros(o.CreatedAt))
	if err != nil {
		return Order{}, err
	}
	if n == 0 {
		was, err := Get(ctx, tx, o.ID)
		if err != nil {
			return Order{}, err
		}
		old, err := Targets(ctx, tx, o.ID)
		if err != nil {
			return Order{}, err
		}
		same := was.Kind == o.Kind && was.Price == o.Price && was.EndsAt.Sub(was.StartsAt) == d.Life && slices.EqualFunc(old, cells, func(t Target, c survey.Cell) bool { return t.Cell == c })
		if !same {
			return Order{}, survey.Errorf(survey.Conflict, "order %s was made with other terms under the same key", o.ID)
		}
		return was, nil
	}
	for _, c := range cells {
		if _, err := tx.Exec(ctx, `INSERT INTO work_orders (id, cell, price, opens_at, closes_at) VALUES ($1, $2, $3, $4, $5)`,
			o.ID, c.Int64(), int64(o.Price), state.Micros(o.StartsAt), state.Micros(o.EndsAt)); err != nil {
			return Order{}, err
		}
	}
	return o, nil
}

func micro(t time.Time) time.Time { return state.Time(state.Micros(t)) }

const selectOrders = `SELECT d.id, d.kind, d.owner, d.price, d.bid, d.cells, d.starts_at, d.ends_at, d.created_at,
	(SELECT COUNT(*) FROM work_orders w WHERE w.id = d.id AND w.state = 'filled'),
	(SELECT COUNT(*) FROM work_orders w WHERE w.id = d.id AND w.state = 'refunded') FROM demand d `

func scanOrder(r interface{ Scan(...any) error }) (o Order, err error) {
	var kind string
	var price, bid, start, end, created int64
	err = r.Scan(&o.ID, &kind, &o.Owner, &price, &bid, &o.Cells, &start, &end, &created, &o.Filled, &o.Refunded)
	o.Kind, o.Open = Kind(kind), o.Cells-o.Filled-o.Refunded
	o.Price, o.Bid = survey.Amount(price), survey.Amount(bid)
	o.StartsAt, o.EndsAt, o.CreatedAt = state.Time(start), state.Time(end), state.Time(created)
	return o, err
}

// Get is the order; NotFound when there is none.
func Get(ctx context.Context, q state.Querier, id string) (Order, error) {
	o, err := scanOrder(q.QueryRow(ctx, selectOrders+`WHERE d.id = $1`, id))
	if errors.Is(err, state.ErrNoRows) {
		return Order{}, survey.Errorf(survey.NotFound, "no order %.40q", id)
	}
	return o, err
}

// List gives up to limit orders active at now, the highest bid first, then the older, then by id.
func List(ctx context.Context, q state.Querier, now time.Time, limit int) ([]Order, error) {
	rows, err := q.Query(ctx, selectOrders+`WHERE d.starts_at <= $1 AND d.ends_at > $1 ORDER BY d.bid DESC, d.created_at, d.id LIMIT $2`, state.Micros(now), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Order
	for rows.Next() {
		o, err := scanOrder(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, rows.Err()
}

// Raise sets a higher bid on an order that has not ended. A lower or equal one, or an ended order, is a Conflict; the
// order of another owner is NotFound.
func Raise(ctx context.Context, tx *state.Tx, owner, id string, bid survey.Amount, now time.Time) (Order, error) {
	o, err := Get(ctx, tx, id)
	if err != nil {
		return Order{}, err
	}
	if o.Owner != owner {
		return Order{}, survey.Errorf(survey.NotFound, "no order %.40q", id)
	}
	n, err := tx.Exec(ctx, `UPDATE demand SET bid = $2 WHERE id = $1 AND bid < $2 AND ends_at > $3`, id, int64(bid), state.Micros(now))
	if err != nil {
		return Order{}, err
	}
	if n == 0 {
		return Order{}, survey.Errorf(survey.Conflict, "order %s takes no bid of %s", id, bid).WithHint("a bid must exceed %s while the order is active", o.Bid)
	}
	o.Bid = bid
	return o, nil
}

// Target is one cell of an order.
type Target struct {
	Cell  survey.Cell
	State State
	Epoch string // that filled or refunded it; "" while open
	// LookedAt is when the first published frame of the cell captured within the order's time was received: provisional
	// while the target is open, and not the payment. Zero when there is none.
	LookedAt time.Time
}

// Targets are the cells of an order in ascending order.
func Targets(ctx context.Context, q state.Querier, id string) ([]Target, error) {
	rows, err := q.Query(ctx, `SELECT w.cell, w.state, w.epoch, COALESCE((SELECT MIN(f.received_at) FROM frames f
		WHERE f.cell = w.cell AND f.captured_at >= w.opens_at AND f.captured_at < w.closes_at AND f.state = 'published'), 0)
		FROM work_orders w WHERE w.id = $1 ORDER BY w.cell`, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Target
	for rows.Next() {
		var cell, at int64
		var st, epoch string
		if err := rows.Scan(&cell, &st, &epoch, &at); err != nil {
			return nil, err
		}
		out = append(out, Target{survey.Cell(cell), State(st), epoch, state.Time(at)})
	}
	return out, rows.Err()
}

// Bounty is what the open targets in one cell pay together.
type Bounty struct {
	Cell  survey.Cell
	Price survey.Amount
	Bid   survey.Amount // the highest
}

// Bounties are the targets of orders active at now that nobody has looked at yet, in the inclusive range of cells at
// hex.DefaultRes, by cell. It names neither owners nor contributors.
func Bounties(ctx context.Context, q state.Querier, lo, hi survey.Cell, now time.Time) ([]Bounty, error) {
	rows, err := q.Query(ctx, `SELECT w.cell, CAST(SUM(w.price) AS BIGINT), COALESCE(MAX(d.bid), 0) FROM work_orders w LEFT JOIN demand d ON d.id = w.id
		WHERE w.cell BETWEEN $1 AND $2 AND w.state = 'open' AND w.opens_at <= $3 AND w.closes_at > $3
		AND NOT EXISTS (SELECT 1 FROM frames f WHERE f.cell = w.cell AND f.captured_at >= w.opens_at AND f.captured_at < w.closes_at AND f.state = 'published')
		GROUP BY w.cell ORDER BY w.cell`, lo.Int64(), hi.Int64(), state.Micros(now))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Bounty
	for rows.Next() {
		var cell, price, bid int64
		if err := rows.Scan(&cell, &price, &bid); err != nil {
			return nil, err
		}
		out = append(out, Bounty{survey.Cell(cell), survey.Amount(price), survey.Amount(bid)})
	}
	return out, rows.Err()
}
