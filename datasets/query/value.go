package query

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// value is one value for people and JSON: nil, bool, numbers, json.Number for decimals and large integers, string (also
// for dates, such as 2024-05-08), []byte, time.Time, []any and map[string]any. Bytes are valid until the array is released.
func value(a arrow.Array, i int) any {
	if a.IsNull(i) {
		return nil
	}
	switch a := a.(type) {
	case *array.Boolean:
		return a.Value(i)
	case *array.Int8:
		return a.Value(i)
	case *array.Int16:
		return a.Value(i)
	case *array.Int32:
		return a.Value(i)
	case *array.Int64:
		return a.Value(i)
	case *array.Uint8:
		return a.Value(i)
	case *array.Uint16:
		return a.Value(i)
	case *array.Uint32:
		return a.Value(i)
	case *array.Uint64:
		return a.Value(i)
	case *array.Float32:
		return a.Value(i)
	case *array.Float64:
		return a.Value(i)
	case *array.String:
		return a.Value(i)
	case *array.Binary:
		return a.Value(i)
	case *array.Date32:
		return a.Value(i).ToTime().Format(time.DateOnly)
	case *array.Timestamp:
		return a.Value(i).ToTime(a.DataType().(*arrow.TimestampType).Unit)
	case *array.Decimal128:
		return json.Number(a.Value(i).ToString(a.DataType().(*arrow.Decimal128Type).Scale))
	case *array.Map:
		lo, hi := a.ValueOffsets(i)
		out := make(map[string]any, hi-lo)
		for j := lo; j < hi; j++ {
			out[fmt.Sprint(value(a.Keys(), int(j)))] = value(a.Items(), int(j))
		}
		return out
	case array.ListLike:
		lo, hi := a.ValueOffsets(i)
		out := make([]any, 0, hi-lo)
		for j := lo; j < hi; j++ {
			out = append(out, value(a.ListValues(), int(j)))
		}
		return out
	case *array.Struct:
		out := make(map[string]any, a.NumField())
		for f, field := range a.DataType().(*arrow.StructType).Fields() {
			out[field.Name] = value(a.Field(f), i)
		}
		return out
	}
	return a.ValueStr(i) // times of day, intervals
}
