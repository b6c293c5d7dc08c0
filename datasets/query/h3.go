package query

import (
	"database/sql"
	"database/sql/driver"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// fn is a scalar function of fixed types; NULL in gives NULL out.
type fn struct {
	in  []duckdb.TypeInfo
	out duckdb.TypeInfo
	run func([]driver.Value) (any, error)
}

func (f fn) Config() duckdb.ScalarFuncConfig {
	return duckdb.ScalarFuncConfig{InputTypeInfos: f.in, ResultTypeInfo: f.out}
}

func (f fn) Executor() duckdb.ScalarFuncExecutor {
	return duckdb.ScalarFuncExecutor{RowExecutor: f.run}
}

// register adds the H3 functions to the connection's database.
func register(c *sql.Conn) error {
	var firstErr error
	typ := func(t duckdb.Type) duckdb.TypeInfo {
		i, err := duckdb.NewTypeInfo(t)
		if err != nil && firstErr == nil {
			firstErr = err
		}
		return i
	}
	f64, i64, i32, text, blob := typ(duckdb.TYPE_DOUBLE), typ(duckdb.TYPE_BIGINT), typ(duckdb.TYPE_INTEGER), typ(duckdb.TYPE_VARCHAR), typ(duckdb.TYPE_BLOB)
	list, err := duckdb.NewListInfo(i64)
	if err != nil {
		return err
	}
	if firstErr != nil {
		return firstErr
	}
	cell := func(v driver.Value) (survey.Cell, error) {
		c := survey.Cell(v.(int64))
		if v.(int64) <= 0 || !hex.Valid(c) {
			return 0, survey.Errorf(survey.Invalid, "%d is no H3 cell", v)
		}
		return c, nil
	}
	res := func(v driver.Value) (int, error) {
		r := int(v.(int32))
		if r < 0 || r > 15 {
			return 0, survey.Errorf(survey.Invalid, "H3 resolution %d is not 0 to 15", r)
		}
		return r, nil
	}
	for name, f := range map[string]fn{
		"h3_cell": {[]duckdb.TypeInfo{f64, f64, i32}, i64, func(v []driver.Value) (any, error) {
			r, err := res(v[2])
			if err != nil {
				return nil, err
			}
			c, err := hex.CellOf(geo.Point{Lat: v[0].(float64), Lon: v[1].(float64)}, r)
			return c.Int64(), err
		}},
		"h3_parent": {[]duckdb.TypeInfo{i64, i32}, i64, func(v []driver.Value) (any, error) {
			c, err := cell(v[0])
			if err != nil {
				return nil, err
			}
			r, err := res(v[1])
			if err == nil && r > c.Resolution() {
				err = survey.Errorf(survey.Invalid, "cell %s of resolution %d has no parent at %d", c, c.Resolution(), r)
			}
			if err != nil {
				return nil, err
			}
			return c.Parent(r).Int64(), nil
		}},
		"h3_ring": {[]duckdb.TypeInfo{i64, i32}, list, func(v []driver.Value) (any, error) {
			c, err := cell(v[0])
			if err != nil {
				return nil, err
			}
			k := int(v[1].(int32))
			if k < 0 || k > 100 {
				return nil, survey.Errorf(survey.Invalid, "ring %d is not 0 to 100", k)
			}
			var out []int64
			for _, n := range hex.Ring(c, k) {
				out = append(out, n.Int64())
			}
			return out, nil
		}},
		"h3_boundary_wkb": {[]duckdb.TypeInfo{i64}, blob, func(v []driver.Value) (any, error) {
			c, err := cell(v[0])
			if err != nil {
				return nil, err
			}
			return lake.Polygon(hex.Boundary(c)).WKB(), nil
		}},
		"h3_hex": {[]duckdb.TypeInfo{i64}, text, func(v []driver.Value) (any, error) {
			return survey.Cell(v[0].(int64)).String(), nil
		}},
		"h3_of": {[]duckdb.TypeInfo{text}, i64, func(v []driver.Value) (any, error) {
			c, err := hex.Parse(v[0].(string))
			return c.Int64(), err
		}},
	} {
		if err := duckdb.RegisterScalarUDF(c, name, f); err != nil {
			return err
		}
	}
	return nil
}
