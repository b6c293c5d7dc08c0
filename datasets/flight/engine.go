package flight

import (
	"context"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/roadcomb/roadcomb/datasets/query"
)

// Engine is the backend of embedded DuckDB.
type Engine struct{ Pool *query.Pool }

// Describe implements Backend.
func (e Engine) Describe(ctx context.Context, g Grant, sql string) (columns, parameters *arrow.Schema, err error) {
	l, err := e.Pool.Acquire(ctx, g.ID, g.Limits)
	if err != nil {
		return nil, nil, err
	}
	defer l.Release()
	return l.Engine().Describe(ctx, sql)
}

// Run implements Backend.
func (e Engine) Run(ctx context.Context, g Grant, sql string, args []any) (Reader, error) {
	l, err := e.Pool.Acquire(ctx, g.ID, g.Limits)
	if err != nil {
		return nil, err
	}
	s, err := l.Engine().Stream(ctx, sql, args)
	if err != nil {
		l.Release()
		return nil, err
	}
	return leased{s, l}, nil
}

// Tables implements Backend.
func (e Engine) Tables(ctx context.Context, g Grant) ([]Table, error) {
	l, err := e.Pool.Acquire(ctx, g.ID, g.Limits)
	if err != nil {
		return nil, err
	}
	defer l.Release()
	var out []Table
	for _, name := range l.Engine().Datasets() {
		columns, _, err := l.Engine().Describe(ctx, "SELECT * FROM "+name)
		if err != nil {
			return nil, err
		}
		out = append(out, Table{name, columns})
	}
	return out, nil
}

type leased struct {
	*query.Stream
	lease *query.Lease
}

func (l leased) Close() {
	l.Stream.Close()
	l.lease.Release()
}
