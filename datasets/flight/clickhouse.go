package flight

import (
	"context"
	"maps"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/roadcomb/roadcomb/datasets/query"
	"github.com/roadcomb/roadcomb/datasets/query/clickhouse"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// ClickHouse is the backend of a ClickHouse server. The limit of memory is of each query there, not of a key's queries
// together; values for parameters are not taken.
type ClickHouse struct {
	Engine *clickhouse.Engine
	Turns  *query.Turns
}

// Describe implements Backend.
func (c ClickHouse) Describe(ctx context.Context, g Grant, sql string) (columns, parameters *arrow.Schema, err error) {
	release, err := c.Turns.Take(g.ID, g.Limits.Filled().Queries)
	if err != nil {
		return nil, nil, err
	}
	defer release()
	columns, err = c.Engine.Describe(ctx, sql, g.Limits)
	return columns, arrow.NewSchema(nil, nil), err
}

// Run implements Backend.
func (c ClickHouse) Run(ctx context.Context, g Grant, sql string, args []any) (Reader, error) {
	if len(args) > 0 {
		return nil, survey.Errorf(survey.Unsupported, "values for parameters are not taken by this server's engine").WithHint("write them into the query")
	}
	release, err := c.Turns.Take(g.ID, g.Limits.Filled().Queries)
	if err != nil {
		return nil, err
	}
	s, err := c.Engine.Stream(ctx, sql, g.Limits)
	if err != nil {
		release()
		return nil, err
	}
	return taken{s, release}, nil
}

type taken struct {
	*clickhouse.Stream
	release func()
}

func (t taken) Close() {
	t.Stream.Close()
	t.release()
}

// Tables implements Backend.
func (c ClickHouse) Tables(ctx context.Context, g Grant) ([]Table, error) {
	ts, err := c.Engine.Tables(ctx, g.Limits)
	if err != nil {
		return nil, err
	}
	var out []Table
	for _, name := range slices.Sorted(maps.Keys(ts)) {
		out = append(out, Table{name, ts[name]})
	}
	return out, nil
}
