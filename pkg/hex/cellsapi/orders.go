package cellsapi

import (
	"context"
	"strconv"
	"time"

	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/hex/orders"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Order is an order as others may see it: without its owner.
type Order struct {
	ID       string      `json:"id"`
	Kind     orders.Kind `json:"kind" enum:"order,burst"`
	Price    Units       `json:"price" doc:"Base units for each cell, paid once."`
	Bid      Units       `json:"bid" doc:"Priority; changes no payment."`
	Cells    int64       `json:"cells"`
	Open     int64       `json:"open"`
	Filled   int64       `json:"filled" doc:"Cells paid for."`
	Refunded int64       `json:"refunded" doc:"Cells nobody looked at in time."`
	StartsAt time.Time   `json:"starts_at"`
	EndsAt   time.Time   `json:"ends_at"`
	Targets  []Target    `json:"targets,omitempty" doc:"Only for a single order."`
}

// Target is one cell of an order.
type Target struct {
	Cell     survey.Cell  `json:"cell"`
	State    orders.State `json:"state" enum:"open,filled,refunded"`
	Epoch    string       `json:"epoch,omitempty" doc:"Epoch that decided it."`
	LookedAt time.Time    `json:"looked_at,omitzero" doc:"Receipt of the first look; provisional while open."`
}

func public(o orders.Order) Order {
	return Order{ID: o.ID, Kind: o.Kind, Price: Units(o.Price), Bid: Units(o.Bid), Cells: o.Cells, Open: o.Open, Filled: o.Filled, Refunded: o.Refunded, StartsAt: o.StartsAt, EndsAt: o.EndsAt}
}

type orderOutput struct{ Body Order }

type createInput struct {
	Key  string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"200" doc:"The same owner and key make one order, however often they are sent."`
	Body struct {
		Owner    string        `json:"owner" minLength:"1" maxLength:"200" doc:"Who pays, as the operator names them. Never shown."`
		Kind     orders.Kind   `json:"kind,omitempty" enum:"order,burst" doc:"Default burst."`
		Cells    []survey.Cell `json:"cells,omitempty" maxItems:"100000" doc:"Target cells at the base resolution."`
		Area     *Geometry     `json:"area,omitempty" doc:"Or all base cells that touch this polygon."`
		Price    Units         `json:"price" doc:"Base units for each cell."`
		Bid      Units         `json:"bid,omitempty"`
		StartsAt time.Time     `json:"starts_at,omitzero" doc:"Default now."`
		Days     int           `json:"days,omitempty" minimum:"1" maximum:"92" doc:"Default 7."`
	}
}

func (s *server) createOrder(ctx context.Context, in *createInput) (*orderOutput, error) {
	b := &in.Body
	d := orders.Draft{Kind: b.Kind, Owner: b.Owner, Key: in.Key, Cells: b.Cells, Price: survey.Amount(b.Price), Bid: survey.Amount(b.Bid), StartsAt: b.StartsAt, Life: time.Duration(b.Days) * 24 * time.Hour}
	if b.Area != nil {
		p, err := b.Area.polygon()
		if err != nil {
			return nil, err
		}
		area, err := hex.Cells(p, hex.DefaultRes, orders.MaxCells)
		if err != nil {
			return nil, err
		}
		d.Cells = append(d.Cells, area...)
	}
	var o orders.Order
	err := s.DB.Tx(ctx, func(tx *state.Tx) (err error) {
		o, err = orders.Create(ctx, tx, d, s.Clock())
		return err
	})
	return &orderOutput{public(o)}, err
}

type raiseInput struct {
	ID   string `path:"id" maxLength:"32"`
	Body struct {
		Owner string `json:"owner"`
		Bid   Units  `json:"bid"`
	}
}

func (s *server) raise(ctx context.Context, in *raiseInput) (*orderOutput, error) {
	var o orders.Order
	err := s.DB.Tx(ctx, func(tx *state.Tx) (err error) {
		o, err = orders.Raise(ctx, tx, in.Body.Owner, in.ID, survey.Amount(in.Body.Bid), s.Clock())
		return err
	})
	return &orderOutput{public(o)}, err
}

type listInput struct {
	Limit int `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

type listOutput struct {
	Body struct {
		Orders []Order `json:"orders"`
	}
}

func (s *server) listOrders(ctx context.Context, in *listInput) (*listOutput, error) {
	l, err := orders.List(ctx, s.DB, s.Clock(), in.Limit)
	if err != nil {
		return nil, err
	}
	out := &listOutput{}
	out.Body.Orders = []Order{}
	for _, o := range l {
		out.Body.Orders = append(out.Body.Orders, public(o))
	}
	return out, nil
}

func (s *server) order(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"32"`
}) (*orderOutput, error) {
	o, err := orders.Get(ctx, s.DB, in.ID)
	if err != nil {
		return nil, err
	}
	ts, err := orders.Targets(ctx, s.DB, in.ID)
	if err != nil {
		return nil, err
	}
	out := &orderOutput{public(o)}
	for _, t := range ts {
		out.Body.Targets = append(out.Body.Targets, Target{t.Cell, t.State, t.Epoch, t.LookedAt})
	}
	return out, nil
}

// Units is an amount in base units, in JSON a decimal string: JavaScript loses digits over 2^53.
type Units survey.Amount

func (u Units) MarshalText() ([]byte, error) { return strconv.AppendInt(nil, int64(u), 10), nil }

func (u *Units) UnmarshalText(b []byte) error {
	v, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return survey.Errorf(survey.Invalid, "%.40q is no whole number of base units", b)
	}
	*u = Units(v)
	return nil
}
