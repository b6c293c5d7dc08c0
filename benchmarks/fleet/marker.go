package fleet

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/synth"
	"github.com/roadcomb/roadcomb/vision/models"
)

// MarkerModel is the name of the detector for simulated faces and plates. A network refuses it unless it rehearses.
const MarkerModel = "rehearsal-markers"

// WriteModels writes a folder of models that finds the markers of simulated footage (package synth) and nothing else.
// It takes a hundredth of a real detector's time, so that a rehearsal loads the network rather than the detector.
func WriteModels(dir string) error {
	onnx := markerNet()
	m := models.Manifest{Version: 1, Sets: []models.SetDef{{Name: MarkerModel, Models: []string{MarkerModel}}}, Models: []models.Model{{
		Name: MarkerModel, Version: "1", Task: "markers of simulated footage; never real faces", Licence: "Apache-2.0",
		Origin: "written by roadcomb simulate", Classes: []survey.Class{survey.ClassFace, survey.ClassPlate},
		File: MarkerModel + ".onnx", Bytes: int64(len(onnx)), SHA256: survey.HashOf(onnx), Kind: models.KindBoxes,
		Input:      models.Input{RGB: true, Scale: [3]float64{1, 1, 1}, Align: synth.MarkerSquare},
		Thresholds: map[survey.Class]float64{survey.ClassFace: 0.5, survey.ClassPlate: 0.5}, NMS: 0.9, Margin: 0.15,
		Passes: []models.Pass{{Scale: 1}}, Sources: []models.Source{{Kind: "file"}},
	}}}
	b, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	if _, err := models.Parse(b); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return survey.Errorf(survey.Unavailable, "folder of models: %w", err)
	}
	for name, body := range map[string][]byte{m.Models[0].File: onnx, "manifest.json": b} {
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o644); err != nil {
			return survey.Errorf(survey.Unavailable, "folder of models: %w", err)
		}
	}
	return nil
}

// The network, as an ONNX graph (onnx.proto, IR version 8, operators of version 13): a convolution averages a marker's
// colour over each square of eight pixels, NonZero over a plane of ones numbers the squares. Every square is a box, a
// little larger than itself; detect keeps those that score.
//
//	score = clip((mean(R + B − 2 G) − 250) / 100) for faces, with G + B − 2 R for plates
//
// Markers give 0.9 and more, the scenes of package synth at most 0.2.
func markerNet() []byte {
	const side = synth.MarkerSquare
	per := float32(1) / (side * side) / 100
	var weights []float32
	for _, colour := range [][3]float32{{1, -2, 1}, {-2, 1, 1}} {
		for _, c := range colour {
			for range side * side {
				weights = append(weights, c*per)
			}
		}
	}
	graph := msg{}.
		sub(1, node("Conv", []string{"images", "W", "B"}, []string{"c"}, ints("kernel_shape", side, side), ints("strides", side, side))).
		sub(1, node("Clip", []string{"c", "zero", "one"}, []string{"s"})).
		sub(1, node("Transpose", []string{"s"}, []string{"st"}, ints("perm", 0, 2, 3, 1))).
		sub(1, node("Reshape", []string{"st", "rows"}, []string{"scores"})).
		sub(1, node("ReduceMax", []string{"s"}, []string{"m"}, ints("axes", 1), integer("keepdims", 0))).
		sub(1, node("Mul", []string{"m", "zero"}, []string{"m0"})).
		sub(1, node("Add", []string{"m0", "one"}, []string{"ones"})).
		sub(1, node("NonZero", []string{"ones"}, []string{"nz"})).
		sub(1, node("Transpose", []string{"nz"}, []string{"nzt"}, ints("perm", 1, 0))).
		sub(1, node("Gather", []string{"nzt", "xyxy"}, []string{"g"}, integer("axis", 1))).
		sub(1, node("Cast", []string{"g"}, []string{"gf"}, integer("to", 1))).
		sub(1, node("Mul", []string{"gf", "side"}, []string{"corner"})).
		sub(1, node("Add", []string{"corner", "grow"}, []string{"boxes"})).
		text(2, "markers").
		sub(5, floats("W", []int64{2, 3, side, side}, weights)).
		sub(5, floats("B", []int64{2}, []float32{-2.5, -2.5})).
		sub(5, floats("zero", nil, []float32{0})).
		sub(5, floats("one", nil, []float32{1})).
		sub(5, floats("side", nil, []float32{side})).
		sub(5, floats("grow", []int64{4}, []float32{-2, -2, side + 2, side + 2})).
		sub(5, longs("rows", []int64{2}, []int64{-1, 2})).
		sub(5, longs("xyxy", []int64{4}, []int64{2, 1, 2, 1})).
		sub(11, value("images", "1", "3", "h", "w")).
		sub(12, value("boxes", "n", "4")).
		sub(12, value("scores", "n", "2"))
	return msg{}.num(1, 8).text(2, "roadcomb").sub(7, graph).sub(8, msg{}.num(2, 13))
}

// msg is a protocol buffer being written.
type msg []byte

func (m msg) num(field int, v int64) msg {
	m = binary.AppendUvarint(m, uint64(field)<<3)
	return binary.AppendUvarint(m, uint64(v))
}

func (m msg) sub(field int, b msg) msg {
	m = binary.AppendUvarint(m, uint64(field)<<3|2)
	m = binary.AppendUvarint(m, uint64(len(b)))
	return append(m, b...)
}

func (m msg) text(field int, s string) msg { return m.sub(field, msg(s)) }

func node(op string, in, out []string, attrs ...msg) msg {
	var m msg
	for _, s := range in {
		m = m.text(1, s)
	}
	for _, s := range out {
		m = m.text(2, s)
	}
	m = m.text(3, op+"_"+out[0]).text(4, op)
	for _, a := range attrs {
		m = m.sub(5, a)
	}
	return m
}

func integer(name string, v int64) msg { return msg{}.text(1, name).num(3, v).num(20, 2) }

func ints(name string, vs ...int64) msg {
	m := msg{}.text(1, name)
	for _, v := range vs {
		m = m.num(8, v)
	}
	return m.num(20, 7)
}

func tensor(name string, dims []int64, kind int64, raw msg) msg {
	var m msg
	for _, d := range dims {
		m = m.num(1, d)
	}
	return m.num(2, kind).text(8, name).sub(9, raw)
}

func floats(name string, dims []int64, vs []float32) msg {
	var raw msg
	for _, v := range vs {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return tensor(name, dims, 1, raw)
}

func longs(name string, dims, vs []int64) msg {
	var raw msg
	for _, v := range vs {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
	}
	return tensor(name, dims, 7, raw)
}

// value is a float tensor's name and shape; a dimension that is no number is free.
func value(name string, dims ...string) msg {
	var shape msg
	for _, d := range dims {
		var n int64
		if _, err := fmt.Sscanf(d, "%d", &n); err == nil {
			shape = shape.sub(1, msg{}.num(1, n))
		} else {
			shape = shape.sub(1, msg{}.text(2, d))
		}
	}
	return msg{}.text(1, name).sub(2, msg{}.sub(1, msg{}.num(1, 1).sub(2, shape)))
}
