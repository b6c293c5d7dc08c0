// Package schema is the one table of what the network's tiles hold: layers, zooms and attributes. TileJSON's
// vector_layers, the archives' metadata and tiles/FORMAT.md are made from it.
package schema

import (
	"fmt"
	"strings"

	"github.com/roadcomb/roadcomb/tiles/archive"
)

// Field is an attribute of a layer's features.
type Field struct {
	Name string
	Type string // String, Number or Boolean, as TileJSON has it
	Doc  string // meaning, unit, range
}

// Layer is a layer of a tile set.
type Layer struct {
	Name, Doc        string
	MinZoom, MaxZoom int
	Fields           []Field
}

// Names of the tile sets, which are also those of their layers.
const (
	Coverage  = "coverage"
	Sequences = "sequences"
	Images    = "images"
)

// Layers lists every layer in the order of the documentation.
func Layers() []Layer {
	return []Layer{
		{Coverage, "H3 cells with what has been seen of them; coarser cells at lower zooms", 0, 14, []Field{
			{"h3", "String", "H3 index, lower-case hex"},
			{"res", "Number", "H3 resolution of the cell"},
			{"freshness", "Number", "how recently it was seen from both sides, as of the tile set's as_of, in parts per million: 1000000 just now; of a coarse cell, as if all that was seen in it were one place"},
			{"quality", "Number", "mean quality of its observations in parts per million"},
			{"count", "Number", "observations"},
			{"cells", "Number", "cells of the finest resolution with observations in it"},
			{"first_seen", "Number", "capture time of the oldest observation, milliseconds since 1970 UTC"},
			{"last_seen", "Number", "capture time of the newest observation, milliseconds since 1970 UTC"},
			{"age_days", "Number", "whole days from last_seen to the tile set's as_of"},
		}},
		{Sequences, "drives as lines through their published frames, interrupted where frames are missing", 10, 14, []Field{
			{"id", "String", "id of the drive"},
			{"captured_at", "Number", "capture time of the first published frame, milliseconds since 1970 UTC"},
			{"ended_at", "Number", "capture time of the last published frame, milliseconds since 1970 UTC"},
			{"frames", "Number", "published frames"},
			{"distance_m", "Number", "length of the line in whole metres"},
		}},
		{Images, "published frames as points", 14, 14, []Field{
			{"id", "String", "id of the frame"},
			{"sequence_id", "String", "id of its drive"},
			{"seq", "Number", "place in the drive, from 0"},
			{"captured_at", "Number", "capture time, milliseconds since 1970 UTC"},
			{"compass_angle", "Number", "direction of the camera, whole degrees clockwise from true north; absent when unknown"},
			{"quality", "String", "grade A (best) to E"},
			{"quality_ppm", "Number", "quality score in parts per million"},
			{"cell", "String", "H3 index of the frame, lower-case hex"},
		}},
	}
}

// Get gives a layer by name; ok is false when there is none.
func Get(name string) (l Layer, ok bool) {
	for _, l := range Layers() {
		if l.Name == name {
			return l, true
		}
	}
	return Layer{}, false
}

// Keys lists the attribute names in order.
func (l Layer) Keys() []string {
	out := make([]string, len(l.Fields))
	for i, f := range l.Fields {
		out[i] = f.Name
	}
	return out
}

// VectorLayer is the layer's entry in TileJSON.
func (l Layer) VectorLayer() archive.VectorLayer {
	fields := map[string]string{}
	for _, f := range l.Fields {
		fields[f.Name] = f.Type + ": " + f.Doc
	}
	return archive.VectorLayer{ID: l.Name, Description: l.Doc, MinZoom: l.MinZoom, MaxZoom: l.MaxZoom, Fields: fields}
}

// Markdown is the table of all layers as the documentation shows it.
func Markdown() string {
	var b strings.Builder
	for _, l := range Layers() {
		fmt.Fprintf(&b, "### `%s`, zooms %d–%d\n\n%s.\n\n| attribute | type | meaning |\n| --- | --- | --- |\n", l.Name, l.MinZoom, l.MaxZoom, strings.ToUpper(l.Doc[:1])+l.Doc[1:])
		for _, f := range l.Fields {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Name, f.Type, f.Doc)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
