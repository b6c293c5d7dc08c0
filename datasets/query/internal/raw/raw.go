// Package raw reaches what the DuckDB driver's own interface keeps to itself: the connection behind it, and the chunks of
// a streaming result as the engine's vectors.
package raw

import (
	"context"
	"database/sql"
	"reflect"
	"sync"
	"time"
	"unsafe"

	mapping "github.com/duckdb/duckdb-go-bindings"
	"github.com/duckdb/duckdb-go/v2"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Handle is the driver's connection c (of sql.Conn.Raw), which keeps the pointer in a field of its own.
func Handle(c any) (mapping.Connection, error) {
	if _, ok := c.(*duckdb.Conn); ok {
		if f := reflect.ValueOf(c).Elem().FieldByName("conn"); f.IsValid() && f.Kind() == reflect.Struct {
			if p := f.FieldByName("Ptr"); p.IsValid() && p.Kind() == reflect.UnsafePointer {
				return mapping.Connection{Ptr: p.UnsafePointer()}, nil
			}
		}
	}
	return mapping.Connection{}, survey.Errorf(survey.Internal, "the DuckDB driver is another version than this program was written for")
}

// Integers runs a query whose columns are all BIGINT and calls fn with its rows, some thousand at a time and column by
// column, without copying them: they are DuckDB's until fn returns. A null is Invalid and named by its column. Memory is
// flat. An error of fn ends the query and is returned; when ctx ends, its cause is.
func Integers(ctx context.Context, db *sql.DB, q string, fn func(cols [][]int64) error) (err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var c mapping.Connection
	if err := conn.Raw(func(d any) error { c, err = Handle(d); return err }); err != nil {
		return err
	}
	defer interrupt(ctx, c)()
	defer func() {
		if cause := context.Cause(ctx); cause != nil && err != nil {
			err = cause
		}
	}()
	var stmt mapping.PreparedStatement
	defer mapping.DestroyPrepare(&stmt)
	if mapping.Prepare(c, q, &stmt) == mapping.StateError {
		return survey.Errorf(survey.Invalid, "%s", mapping.PrepareError(stmt))
	}
	var pending mapping.PendingResult
	defer mapping.DestroyPending(&pending)
	if mapping.PendingPreparedStreaming(stmt, &pending) == mapping.StateError {
		return survey.Errorf(survey.Invalid, "%s", mapping.PendingError(pending))
	}
	var res mapping.Result
	defer mapping.DestroyResult(&res)
	if mapping.ExecutePending(pending, &res) == mapping.StateError {
		return survey.Errorf(survey.Invalid, "%s", mapping.ResultError(&res))
	}
	cols := make([][]int64, mapping.ColumnCount(&res))
	for i := range cols {
		if t := mapping.ColumnType(&res, mapping.IdxT(i)); t != mapping.TypeBigInt {
			return survey.Errorf(survey.Internal, "column %s is not BIGINT", mapping.ColumnName(&res, mapping.IdxT(i)))
		}
	}
	for {
		chunk := mapping.FetchChunk(res)
		if chunk.Ptr == nil {
			if msg := mapping.ResultError(&res); msg != "" {
				return survey.Errorf(survey.Invalid, "%s", msg)
			}
			return nil
		}
		err := func() error {
			defer mapping.DestroyDataChunk(&chunk)
			n := int(mapping.DataChunkGetSize(chunk))
			for i := range cols {
				v := mapping.DataChunkGetVector(chunk, mapping.IdxT(i))
				if mask := (*uint64)(mapping.VectorGetValidity(v)); mask != nil {
					for row := range n {
						if unsafe.Slice(mask, (n+63)/64)[row/64]>>(row%64)&1 == 0 {
							return survey.Errorf(survey.Invalid, "a row without %s", mapping.ColumnName(&res, mapping.IdxT(i)))
						}
					}
				}
				cols[i] = unsafe.Slice((*int64)(mapping.VectorGetData(v)), n)
			}
			return fn(cols)
		}()
		if err != nil {
			return err
		}
	}
}

// interrupt ends what the connection runs when the context ends, until the function that it gives has been called.
func interrupt(ctx context.Context, c mapping.Connection) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-done:
			return
		case <-ctx.Done():
		}
		again := time.NewTicker(10 * time.Millisecond) // one that comes before the work has begun is forgotten
		defer again.Stop()
		for {
			mapping.Interrupt(c)
			select {
			case <-done:
				return
			case <-again.C:
			}
		}
	})
	return func() { close(done); wg.Wait() }
}
