package models

import (
	"encoding/binary"
	"math"
	"strconv"
)

// onnx writes a graph in ONNX's form, protocol buffers (onnx/onnx.proto, IR version 9, operators of version 18), part by
// part. The zero value is empty.
type onnx struct {
	nodes, consts []byte
	names         int
}

// attr is an attribute of a node: an int64, []int64, float32 or string.
type attr struct {
	name  string
	value any
}

// value is an input or output of the graph, float32; sizes are int64, or the name of one that varies.
type value struct {
	name string
	dims []any
}

// Kinds of elements and of attributes.
const (
	onnxFloat, onnxInt64                                   = 1, 7
	onnxAttrFloat, onnxAttrInt, onnxAttrText, onnxAttrInts = 1, 2, 3, 7
)

func (g *onnx) fresh() string {
	g.names++
	return "v" + strconv.Itoa(g.names)
}

// op adds a node with one output and gives its name.
func (g *onnx) op(kind string, in []string, attrs ...attr) string {
	return g.ops(kind, 1, in, attrs...)[0]
}

// ops adds a node with n outputs.
func (g *onnx) ops(kind string, n int, in []string, attrs ...attr) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = g.fresh()
	}
	g.node(kind, in, out, attrs...)
	return out
}

func (g *onnx) node(kind string, in, out []string, attrs ...attr) {
	var n []byte
	for _, v := range in {
		n = text(n, 1, v)
	}
	for _, v := range out {
		n = text(n, 2, v)
	}
	n = text(n, 4, kind)
	for _, a := range attrs {
		b := text(nil, 1, a.name)
		switch v := a.value.(type) {
		case float32:
			b = binary.LittleEndian.AppendUint32(append(b, 2<<3|5), math.Float32bits(v))
			b = number(b, 20, onnxAttrFloat)
		case int64:
			b = number(number(b, 3, v), 20, onnxAttrInt)
		case string:
			b = number(text(b, 4, v), 20, onnxAttrText)
		case []int64:
			for _, x := range v {
				b = number(b, 8, x)
			}
			b = number(b, 20, onnxAttrInts)
		}
		n = text(n, 5, string(b))
	}
	g.nodes = text(g.nodes, 1, string(n))
}

// floats adds a constant; no dims make it a scalar.
func (g *onnx) floats(dims []int64, v ...float32) string {
	raw := make([]byte, 0, 4*len(v))
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
	}
	return g.constant(dims, onnxFloat, raw)
}

// ints adds a constant of one dimension.
func (g *onnx) ints(v ...int64) string {
	var raw []byte
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(x))
	}
	return g.constant([]int64{int64(len(v))}, onnxInt64, raw)
}

func (g *onnx) scalar(v int64) string {
	return g.constant(nil, onnxInt64, binary.LittleEndian.AppendUint64(nil, uint64(v)))
}

func (g *onnx) constant(dims []int64, kind int64, raw []byte) string {
	var b []byte
	for _, d := range dims {
		b = number(b, 1, d)
	}
	name := g.fresh()
	b = text(text(number(b, 2, kind), 8, name), 9, string(raw))
	g.consts = text(g.consts, 5, string(b))
	return name
}

// file is the whole as a model file.
func (g *onnx) file(name string, in value, out ...value) []byte {
	graph := append(text(append([]byte(nil), g.nodes...), 2, name), g.consts...)
	graph = text(graph, 11, in.proto())
	for _, v := range out {
		graph = text(graph, 12, v.proto())
	}
	b := text(number(nil, 1, 9), 7, string(graph))
	return text(b, 8, string(number(text(nil, 1, ""), 2, 18)))
}

func (v value) proto() string {
	var shape []byte
	for _, d := range v.dims {
		var dim []byte
		switch d := d.(type) {
		case int64:
			dim = number(nil, 1, d)
		case string:
			dim = text(nil, 2, d)
		}
		shape = text(shape, 1, string(dim))
	}
	tensor := text(number(nil, 1, onnxFloat), 2, string(shape))
	return string(text(text(nil, 1, v.name), 2, string(text(nil, 1, string(tensor)))))
}

// number and text append one field of a protocol buffer: a varint, and bytes with their length before them.
func number(b []byte, field int, v int64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(field)<<3), uint64(v))
}

func text(b []byte, field int, v string) []byte {
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(field)<<3|2), uint64(len(v)))
	return append(b, v...)
}
