package query

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"unsafe"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/bitutil"
	"github.com/apache/arrow/go/v17/arrow/memory"
	mapping "github.com/duckdb/duckdb-go-bindings"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// DuckDB's vectors become Arrow arrays here, by copying whole vectors: 2,048 rows are too few for a message, and most of
// Arrow's layouts are DuckDB's. The driver's own Arrow interface needs a build tag and another major version of Arrow.

// column collects the values of one column over several chunks.
type column interface {
	typ() arrow.DataType
	// add appends n values of the vector from row from on.
	add(v mapping.Vector, from, n int)
	// bytes is about how large the values are.
	bytes() int
	// take gives what was collected as an array and begins anew.
	take() arrow.ArrayData
	release()
}

// newColumn makes the column for a DuckDB type; the type is not kept.
func newColumn(t mapping.LogicalType, mem memory.Allocator) (column, error) {
	base := func(dt arrow.DataType) bitmap { return bitmap{dt: dt, mem: mem} }
	fixed := func(dt arrow.FixedWidthDataType) (column, error) {
		return &fixedColumn{bitmap: base(dt), width: dt.BitWidth() / 8}, nil
	}
	child := func(ct mapping.LogicalType) (column, error) {
		defer mapping.DestroyLogicalType(&ct)
		return newColumn(ct, mem)
	}
	switch id := mapping.GetTypeId(t); id {
	case mapping.TypeSQLNull:
		return &nullColumn{}, nil
	case mapping.TypeBoolean:
		return &boolColumn{bitmap: base(arrow.FixedWidthTypes.Boolean)}, nil
	case mapping.TypeTinyInt:
		return fixed(arrow.PrimitiveTypes.Int8.(arrow.FixedWidthDataType))
	case mapping.TypeSmallInt:
		return fixed(arrow.PrimitiveTypes.Int16.(arrow.FixedWidthDataType))
	case mapping.TypeInteger:
		return fixed(arrow.PrimitiveTypes.Int32.(arrow.FixedWidthDataType))
	case mapping.TypeBigInt:
		return fixed(arrow.PrimitiveTypes.Int64.(arrow.FixedWidthDataType))
	case mapping.TypeUTinyInt:
		return fixed(arrow.PrimitiveTypes.Uint8.(arrow.FixedWidthDataType))
	case mapping.TypeUSmallInt:
		return fixed(arrow.PrimitiveTypes.Uint16.(arrow.FixedWidthDataType))
	case mapping.TypeUInteger:
		return fixed(arrow.PrimitiveTypes.Uint32.(arrow.FixedWidthDataType))
	case mapping.TypeUBigInt:
		return fixed(arrow.PrimitiveTypes.Uint64.(arrow.FixedWidthDataType))
	case mapping.TypeFloat:
		return fixed(arrow.PrimitiveTypes.Float32.(arrow.FixedWidthDataType))
	case mapping.TypeDouble:
		return fixed(arrow.PrimitiveTypes.Float64.(arrow.FixedWidthDataType))
	case mapping.TypeDate:
		return fixed(arrow.FixedWidthTypes.Date32.(arrow.FixedWidthDataType))
	case mapping.TypeTime:
		return fixed(arrow.FixedWidthTypes.Time64us.(arrow.FixedWidthDataType))
	case mapping.TypeTimestamp:
		return fixed(&arrow.TimestampType{Unit: arrow.Microsecond})
	case mapping.TypeTimestampTZ:
		return fixed(&arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"})
	case mapping.TypeTimestampS:
		return fixed(&arrow.TimestampType{Unit: arrow.Second})
	case mapping.TypeTimestampMS:
		return fixed(&arrow.TimestampType{Unit: arrow.Millisecond})
	case mapping.TypeTimestampNS:
		return fixed(&arrow.TimestampType{Unit: arrow.Nanosecond})
	case mapping.TypeHugeInt: // sums of BIGINT; two words, low first, as Arrow's
		return fixed(&arrow.Decimal128Type{Precision: 38})
	case mapping.TypeDecimal:
		dt := &arrow.Decimal128Type{Precision: int32(mapping.DecimalWidth(t)), Scale: int32(mapping.DecimalScale(t))}
		switch mapping.DecimalInternalType(t) {
		case mapping.TypeSmallInt:
			return &convColumn{bitmap: base(dt), in: 2, out: 16, conv: func(d, s []byte) { decimal(d, int64(int16(binary.LittleEndian.Uint16(s)))) }}, nil
		case mapping.TypeInteger:
			return &convColumn{bitmap: base(dt), in: 4, out: 16, conv: func(d, s []byte) { decimal(d, int64(int32(binary.LittleEndian.Uint32(s)))) }}, nil
		case mapping.TypeBigInt:
			return &convColumn{bitmap: base(dt), in: 8, out: 16, conv: func(d, s []byte) { decimal(d, int64(binary.LittleEndian.Uint64(s))) }}, nil
		}
		return fixed(dt)
	case mapping.TypeInterval:
		return &convColumn{bitmap: base(arrow.FixedWidthTypes.MonthDayNanoInterval), in: 16, out: 16, conv: func(d, s []byte) {
			copy(d[:8], s[:8])
			binary.LittleEndian.PutUint64(d[8:], binary.LittleEndian.Uint64(s[8:])*1000)
		}}, nil
	case mapping.TypeVarchar:
		return &textColumn{bitmap: base(arrow.BinaryTypes.String)}, nil
	case mapping.TypeBlob, mapping.TypeGeometry:
		return &textColumn{bitmap: base(arrow.BinaryTypes.Binary)}, nil
	case mapping.TypeUUID:
		return &wordColumn{bitmap: base(arrow.BinaryTypes.String), width: 16, word: uuid}, nil
	case mapping.TypeEnum:
		words := make([]string, mapping.EnumDictionarySize(t))
		for i := range words {
			words[i] = mapping.EnumDictionaryValue(t, mapping.IdxT(i))
		}
		width := map[mapping.Type]int{mapping.TypeUTinyInt: 1, mapping.TypeUSmallInt: 2, mapping.TypeUInteger: 4}[mapping.EnumInternalType(t)]
		return &wordColumn{bitmap: base(arrow.BinaryTypes.String), width: width, word: func(b []byte) string {
			var raw [8]byte
			copy(raw[:], b)
			return words[binary.LittleEndian.Uint64(raw[:])]
		}}, nil
	case mapping.TypeList, mapping.TypeMap:
		if id == mapping.TypeMap {
			key, err := child(mapping.MapTypeKeyType(t))
			if err != nil {
				return nil, err
			}
			value, err := child(mapping.MapTypeValueType(t))
			if err != nil {
				return nil, err
			}
			entry := arrow.StructOf(arrow.Field{Name: "key", Type: key.typ()}, arrow.Field{Name: "value", Type: value.typ(), Nullable: true})
			return &listColumn{bitmap: base(arrow.MapOf(key.typ(), value.typ())), child: &structColumn{bitmap: base(entry), children: []column{key, value}}}, nil
		}
		c, err := child(mapping.ListTypeChildType(t))
		if err != nil {
			return nil, err
		}
		return &listColumn{bitmap: base(arrow.ListOf(c.typ())), child: c}, nil
	case mapping.TypeArray:
		c, err := child(mapping.ArrayTypeChildType(t))
		if err != nil {
			return nil, err
		}
		n := int(mapping.ArrayTypeArraySize(t))
		return &arrayColumn{bitmap: base(arrow.FixedSizeListOf(int32(n), c.typ())), child: c, each: n}, nil
	case mapping.TypeStruct:
		var fs []arrow.Field
		var cs []column
		for i := range mapping.StructTypeChildCount(t) {
			c, err := child(mapping.StructTypeChildType(t, i))
			if err != nil {
				return nil, err
			}
			fs, cs = append(fs, arrow.Field{Name: mapping.StructTypeChildName(t, i), Type: c.typ(), Nullable: true}), append(cs, c)
		}
		return &structColumn{bitmap: base(arrow.StructOf(fs...)), children: cs}, nil
	}
	return nil, survey.Errorf(survey.Unsupported, "a column has a type that Arrow clients cannot read").WithHint("cast it, for example to VARCHAR")
}

// decimal writes v as the two words of a 128-bit integer.
func decimal(d []byte, v int64) {
	binary.LittleEndian.PutUint64(d, uint64(v))
	binary.LittleEndian.PutUint64(d[8:], uint64(v>>63))
}

// uuid is DuckDB's 128-bit integer, whose top bit is flipped so that it sorts, as text.
func uuid(b []byte) string {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], binary.LittleEndian.Uint64(b[8:])^1<<63)
	binary.BigEndian.PutUint64(raw[8:], binary.LittleEndian.Uint64(b))
	s := hex.EncodeToString(raw[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// memoryOf is n bytes of C memory at offset off of p; valid until the chunk is destroyed.
func memoryOf(p unsafe.Pointer, off, n int) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(p, off)), n)
}

// bitmap is the length and validity of a column: no buffer until the first null.
type bitmap struct {
	dt    arrow.DataType
	mem   memory.Allocator
	n     int
	nulls int
	valid *memory.Buffer
}

func (b *bitmap) typ() arrow.DataType { return b.dt }

// extend appends the validity of n rows and gives the rows' mask, nil when all are valid.
func (b *bitmap) extend(v mapping.Vector, from, n int) (mask unsafe.Pointer) {
	defer func() { b.n += n }()
	mask = mapping.VectorGetValidity(v)
	var src []byte
	nulls := 0
	if mask != nil {
		src = memoryOf(mask, 0, (from+n+63)/64*8)
		if nulls = n - bitutil.CountSetBits(src, from, n); nulls == 0 {
			mask = nil
		}
	}
	if nulls == 0 && b.valid == nil {
		return nil
	}
	if b.valid == nil {
		b.valid = memory.NewResizableBuffer(b.mem)
		b.valid.Resize(int(bitutil.BytesForBits(int64(b.n))))
		bitutil.SetBitsTo(b.valid.Bytes(), 0, int64(b.n), true)
	}
	b.valid.Resize(int(bitutil.BytesForBits(int64(b.n + n))))
	if nulls == 0 {
		bitutil.SetBitsTo(b.valid.Bytes(), int64(b.n), int64(n), true)
	} else {
		bitutil.CopyBitmap(src, from, n, b.valid.Bytes(), b.n)
	}
	b.nulls += nulls
	return mask
}

func isNull(mask unsafe.Pointer, row int) bool {
	return mask != nil && *(*byte)(unsafe.Add(mask, row/8))>>(row%8)&1 == 0
}

// array makes the array of the buffers, whose ownership passes to it.
func (b *bitmap) array(bufs []*memory.Buffer, children []arrow.ArrayData) arrow.ArrayData {
	d := array.NewData(b.dt, b.n, append([]*memory.Buffer{b.valid}, bufs...), children, b.nulls, 0)
	b.release()
	for _, x := range bufs {
		x.Release()
	}
	for _, c := range children {
		c.Release()
	}
	return d
}

func (b *bitmap) release() {
	if b.valid != nil {
		b.valid.Release()
	}
	b.valid, b.n, b.nulls = nil, 0, 0
}

// grow lengthens a buffer by n bytes and gives them; capacity doubles.
func grow(buf **memory.Buffer, mem memory.Allocator, n int) []byte {
	if *buf == nil {
		*buf = memory.NewResizableBuffer(mem)
	}
	b := *buf
	old := b.Len()
	if need := old + n; need > b.Cap() {
		b.Reserve(max(need, 2*b.Cap()))
	}
	b.ResizeNoShrink(old + n)
	return b.Bytes()[old:]
}

func drop(buf **memory.Buffer) {
	if *buf != nil {
		(*buf).Release()
		*buf = nil
	}
}

func length(buf *memory.Buffer) int {
	if buf == nil {
		return 0
	}
	return buf.Len()
}

// given is the buffer, an empty one for nil: readers expect a buffer. The next one has the size of this one from the
// start.
func given(buf **memory.Buffer, mem memory.Allocator) *memory.Buffer {
	b := *buf
	*buf = memory.NewResizableBuffer(mem)
	if b == nil {
		b = *buf
		*buf = nil
	} else {
		(*buf).Reserve(b.Cap())
	}
	return b
}

type nullColumn struct{ n int }

func (c *nullColumn) typ() arrow.DataType            { return arrow.Null }
func (c *nullColumn) add(_ mapping.Vector, _, n int) { c.n += n }
func (c *nullColumn) bytes() int                     { return 0 }
func (c *nullColumn) release()                       { c.n = 0 }
func (c *nullColumn) take() arrow.ArrayData {
	d := array.NewData(arrow.Null, c.n, []*memory.Buffer{nil}, nil, c.n, 0)
	c.n = 0
	return d
}

// fixedColumn holds values whose bytes are Arrow's.
type fixedColumn struct {
	bitmap
	width int
	data  *memory.Buffer
}

func (c *fixedColumn) add(v mapping.Vector, from, n int) {
	c.extend(v, from, n)
	copy(grow(&c.data, c.mem, n*c.width), memoryOf(mapping.VectorGetData(v), from*c.width, n*c.width))
}
func (c *fixedColumn) bytes() int { return length(c.data) }
func (c *fixedColumn) take() arrow.ArrayData {
	return c.array([]*memory.Buffer{given(&c.data, c.mem)}, nil)
}
func (c *fixedColumn) release() { c.bitmap.release(); drop(&c.data) }

// convColumn holds values of another width or unit.
type convColumn struct {
	bitmap
	in, out int
	conv    func(dst, src []byte)
	data    *memory.Buffer
}

func (c *convColumn) add(v mapping.Vector, from, n int) {
	c.extend(v, from, n)
	src, dst := memoryOf(mapping.VectorGetData(v), from*c.in, n*c.in), grow(&c.data, c.mem, n*c.out)
	for i := range n {
		c.conv(dst[i*c.out:(i+1)*c.out], src[i*c.in:(i+1)*c.in])
	}
}
func (c *convColumn) bytes() int { return length(c.data) }
func (c *convColumn) take() arrow.ArrayData {
	return c.array([]*memory.Buffer{given(&c.data, c.mem)}, nil)
}
func (c *convColumn) release() { c.bitmap.release(); drop(&c.data) }

type boolColumn struct {
	bitmap
	data *memory.Buffer
}

func (c *boolColumn) add(v mapping.Vector, from, n int) {
	at := c.n
	c.extend(v, from, n)
	grow(&c.data, c.mem, int(bitutil.BytesForBits(int64(at+n)))-length(c.data))
	dst := c.data.Bytes()
	for i, b := range memoryOf(mapping.VectorGetData(v), from, n) {
		bitutil.SetBitTo(dst, at+i, b != 0)
	}
}
func (c *boolColumn) bytes() int { return length(c.data) }
func (c *boolColumn) take() arrow.ArrayData {
	return c.array([]*memory.Buffer{given(&c.data, c.mem)}, nil)
}
func (c *boolColumn) release() { c.bitmap.release(); drop(&c.data) }

// offsets are Arrow's n+1 ends of variable values.
type offsets struct{ buf *memory.Buffer }

func (o *offsets) extend(mem memory.Allocator, n int) []int32 {
	if length(o.buf) == 0 {
		copy(grow(&o.buf, mem, 4), []byte{0, 0, 0, 0})
	}
	return arrow.Int32Traits.CastFromBytes(grow(&o.buf, mem, 4*n))
}

func (o *offsets) take(mem memory.Allocator) *memory.Buffer {
	if length(o.buf) == 0 {
		o.extend(mem, 0)
	}
	return given(&o.buf, mem)
}

// textColumn holds strings and bytes. DuckDB's are 16 bytes: a length, then 12 bytes of content, or 4 and a pointer.
type textColumn struct {
	bitmap
	offsets offsets
	data    *memory.Buffer
}

const inlined = 12

func (c *textColumn) add(v mapping.Vector, from, n int) {
	mask := c.extend(v, from, n)
	ends := c.offsets.extend(c.mem, n)
	src := unsafe.Slice((*[16]byte)(unsafe.Add(mapping.VectorGetData(v), from*16)), n)
	total := 0
	for i := range src {
		if mask == nil || !isNull(mask, from+i) {
			total += int(*(*uint32)(unsafe.Pointer(&src[i])))
		}
	}
	end := length(c.data)
	dst := grow(&c.data, c.mem, total)
	for i := range src {
		if mask == nil || !isNull(mask, from+i) {
			s := &src[i]
			n := int(*(*uint32)(unsafe.Pointer(s)))
			if n <= inlined {
				copy(dst, s[4:4+n])
			} else {
				copy(dst, unsafe.Slice(*(**byte)(unsafe.Pointer(&s[8])), n))
			}
			dst, end = dst[n:], end+n
		}
		ends[i] = int32(end)
	}
}
func (c *textColumn) bytes() int { return length(c.data) + 4*c.n }
func (c *textColumn) take() arrow.ArrayData {
	return c.array([]*memory.Buffer{c.offsets.take(c.mem), given(&c.data, c.mem)}, nil)
}
func (c *textColumn) release() { c.bitmap.release(); drop(&c.offsets.buf); drop(&c.data) }

// wordColumn holds values that become text.
type wordColumn struct {
	bitmap
	width   int
	word    func([]byte) string
	offsets offsets
	data    *memory.Buffer
}

func (c *wordColumn) add(v mapping.Vector, from, n int) {
	mask := c.extend(v, from, n)
	ends := c.offsets.extend(c.mem, n)
	src := memoryOf(mapping.VectorGetData(v), from*c.width, n*c.width)
	for i := range n {
		if !isNull(mask, from+i) {
			w := c.word(src[i*c.width : (i+1)*c.width])
			copy(grow(&c.data, c.mem, len(w)), w)
		}
		ends[i] = int32(length(c.data))
	}
}
func (c *wordColumn) bytes() int { return length(c.data) + 4*c.n }
func (c *wordColumn) take() arrow.ArrayData {
	return c.array([]*memory.Buffer{c.offsets.take(c.mem), given(&c.data, c.mem)}, nil)
}
func (c *wordColumn) release() { c.bitmap.release(); drop(&c.offsets.buf); drop(&c.data) }

// listColumn holds lists and maps. DuckDB's entries are an offset and a length in the child vector, in any order.
type listColumn struct {
	bitmap
	offsets offsets
	child   column
	total   int
}

func (c *listColumn) add(v mapping.Vector, from, n int) {
	mask := c.extend(v, from, n)
	ends := c.offsets.extend(c.mem, n)
	entries := unsafe.Slice((*[2]uint64)(unsafe.Add(mapping.VectorGetData(v), from*16)), n)
	kids := mapping.ListVectorGetChild(v)
	lo, hi := 0, 0 // a run of the child vector to copy at once
	for i := range entries {
		if !isNull(mask, from+i) {
			at, n := int(entries[i][0]), int(entries[i][1])
			if n > 0 {
				if at != hi {
					if hi > lo {
						c.child.add(kids, lo, hi-lo)
					}
					lo = at
				}
				hi = at + n
				c.total += n
			}
		}
		ends[i] = int32(min(c.total, math.MaxInt32))
	}
	if hi > lo {
		c.child.add(kids, lo, hi-lo)
	}
}
func (c *listColumn) bytes() int { return c.child.bytes() + 4*c.n }
func (c *listColumn) take() arrow.ArrayData {
	c.total = 0
	return c.array([]*memory.Buffer{c.offsets.take(c.mem)}, []arrow.ArrayData{c.child.take()})
}
func (c *listColumn) release() {
	c.bitmap.release()
	drop(&c.offsets.buf)
	c.child.release()
	c.total = 0
}

// arrayColumn holds arrays of one length.
type arrayColumn struct {
	bitmap
	child column
	each  int
}

func (c *arrayColumn) add(v mapping.Vector, from, n int) {
	c.extend(v, from, n)
	c.child.add(mapping.ArrayVectorGetChild(v), from*c.each, n*c.each)
}
func (c *arrayColumn) bytes() int            { return c.child.bytes() }
func (c *arrayColumn) take() arrow.ArrayData { return c.array(nil, []arrow.ArrayData{c.child.take()}) }
func (c *arrayColumn) release()              { c.bitmap.release(); c.child.release() }

type structColumn struct {
	bitmap
	children []column
}

func (c *structColumn) add(v mapping.Vector, from, n int) {
	c.extend(v, from, n)
	for i, k := range c.children {
		k.add(mapping.StructVectorGetChild(v, mapping.IdxT(i)), from, n)
	}
}
func (c *structColumn) bytes() (n int) {
	for _, k := range c.children {
		n += k.bytes()
	}
	return n
}
func (c *structColumn) take() arrow.ArrayData {
	kids := make([]arrow.ArrayData, len(c.children))
	for i, k := range c.children {
		kids[i] = k.take()
	}
	return c.array(nil, kids)
}
func (c *structColumn) release() {
	c.bitmap.release()
	for _, k := range c.children {
		k.release()
	}
}
