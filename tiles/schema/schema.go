// Package schema is the one table of what the network's tiles hold: tile sets, their layers, zooms and attributes.
// TileJSON's vector_layers, the archives' metadata and the table in tiles/FORMAT.md are made from it.
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

// Set is a tile set: what one URL serves and one list of archives holds.
type Set struct {
	Name, Doc        string
	Type             archive.TileType
	MinZoom, MaxZoom int
	Layers           []Layer // none for images
}

// Names of the tile sets. The first four have one layer of the same name.
const (
	Coverage  = "coverage"
	Sequences = "sequences"
	Images    = "images"
	Features  = "features"
	Panoramax = "panoramax"
	Heat      = "heat"
)

// Names of the layers of Panoramax, beside Sequences.
const (
	Grid     = "grid"
	Pictures = "pictures"
)

// Sets lists every tile set in the order of the documentation.
func Sets() []Set {
	one := func(l Layer) Set {
		return Set{Name: l.Name, Doc: l.Doc, Type: archive.TileMVT, MinZoom: l.MinZoom, MaxZoom: l.MaxZoom, Layers: []Layer{l}}
	}
	return []Set{
		one(Layer{Coverage, "H3 cells with what has been seen of them, coarser cells at lower zooms", 0, 14, []Field{
			{"h3", "String", "H3 index, lower-case hex"},
			{"res", "Number", "H3 resolution of the cell"},
			{"freshness", "Number", "how recently it was seen from both sides, as of the tile set's as_of, in parts per million: 1000000 just now; of a coarse cell, as if all that was seen in it were one place"},
			{"quality", "Number", "mean quality of its observations in parts per million"},
			{"count", "Number", "observations"},
			{"cells", "Number", "cells of the finest resolution with observations in it"},
			{"first_seen", "Number", "capture time of the oldest observation, milliseconds since 1970 UTC"},
			{"last_seen", "Number", "capture time of the newest observation, milliseconds since 1970 UTC"},
			{"age_days", "Number", "whole days from last_seen to the tile set's as_of"},
			{"road_share", "Number", "how much of the length of road in it was driven in at least one direction, in parts per million; absent without road, or when the server has no road network"},
		}}),
		one(Layer{Sequences, "drives as lines through their published frames, interrupted where frames are missing", 10, 14, []Field{
			{"id", "String", "id of the drive"},
			{"captured_at", "Number", "capture time of the first published frame, milliseconds since 1970 UTC"},
			{"ended_at", "Number", "capture time of the last published frame, milliseconds since 1970 UTC"},
			{"frames", "Number", "published frames"},
			{"distance_m", "Number", "length of the line in whole metres"},
		}}),
		one(Layer{Images, "published frames as points", 14, 14, []Field{
			{"id", "String", "id of the frame"},
			{"sequence_id", "String", "id of its drive"},
			{"seq", "Number", "place in the drive, from 0"},
			{"captured_at", "Number", "capture time, milliseconds since 1970 UTC"},
			{"compass_angle", "Number", "direction of the camera, whole degrees clockwise from true north; absent when unknown"},
			{"quality", "String", "grade A (best) to E"},
			{"quality_ppm", "Number", "quality score in parts per million"},
			{"cell", "String", "H3 index of the frame, lower-case hex"},
		}}),
		one(Layer{Features, "signs and the like beside the road, each placed from several frames of a drive", 12, 14, []Field{
			{"id", "String", "id of the feature"},
			{"class", "String", "sign or text"},
			{"kind", "String", "what is known of it beyond its class: red_ring, red_triangle, red_full, blue, yellow; absent when unknown"},
			{"first_seen", "Number", "capture time of the first frame that shows it, milliseconds since 1970 UTC"},
			{"last_seen", "Number", "capture time of the last frame that shows it, milliseconds since 1970 UTC"},
			{"frames", "Number", "frames that agree on its place"},
			{"accuracy_m", "Number", "one standard deviation of its place along the worst direction, metres"},
			{"confidence_ppm", "Number", "of the best sighting, in parts per million"},
			{"sequence_id", "String", "id of the drive that saw it"},
			{"cell", "String", "H3 index of its place, lower-case hex"},
		}}),
		{Panoramax, "the same map as the layers that Panoramax viewers read", archive.TileMVT, 0, 15, []Layer{
			{Grid, "H3 cells with how many pictures they hold", 0, 5, []Field{
				{"id", "String", "H3 index, lower-case hex"},
				{"nb_pictures", "Number", "published frames in the cell"},
				{"coef", "Number", "0 to 1: the logarithm of nb_pictures beside that of a million"},
			}},
			{Sequences, "drives as lines through their published frames", 6, 15, []Field{
				{"id", "String", "id of the drive"},
				{"date", "String", "UTC day of the first published frame, YYYY-MM-DD"},
			}},
			{Pictures, "published frames as points", 15, 15, []Field{
				{"id", "String", "id of the frame"},
				{"ts", "String", "capture time, RFC 3339 UTC"},
				{"heading", "Number", "direction of the camera, whole degrees clockwise from true north; absent when unknown"},
				{"sequences", "String", "JSON array with the id of the drive"},
				{"first_sequence", "String", "id of the drive"},
			}},
		}},
		{Heat, "freshness of the coverage as pictures of 256 pixels, from red (old) to green (just seen), for clients without vector tiles", archive.TilePNG, 0, 13, nil},
	}
}

// Get gives a tile set by name; ok is false when there is none.
func Get(name string) (s Set, ok bool) {
	for _, s := range Sets() {
		if s.Name == name {
			return s, true
		}
	}
	return Set{}, false
}

// Layer gives a layer of the set by name; the zero Layer when there is none.
func (s Set) Layer(name string) Layer {
	for _, l := range s.Layers {
		if l.Name == name {
			return l
		}
	}
	return Layer{}
}

// VectorLayers is the set's list in TileJSON.
func (s Set) VectorLayers() []archive.VectorLayer {
	var out []archive.VectorLayer
	for _, l := range s.Layers {
		fields := map[string]string{}
		for _, f := range l.Fields {
			fields[f.Name] = f.Type + ": " + f.Doc
		}
		out = append(out, archive.VectorLayer{ID: l.Name, Description: l.Doc, MinZoom: l.MinZoom, MaxZoom: l.MaxZoom, Fields: fields})
	}
	return out
}

// Keys lists the attribute names in order.
func (l Layer) Keys() []string {
	out := make([]string, len(l.Fields))
	for i, f := range l.Fields {
		out[i] = f.Name
	}
	return out
}

// Markdown is the description of all tile sets as the documentation shows it.
func Markdown() string {
	var b strings.Builder
	for _, s := range Sets() {
		fmt.Fprintf(&b, "### `%s`\n\n%s. %s, zooms %d–%d.\n\n", s.Name, strings.ToUpper(s.Doc[:1])+s.Doc[1:], strings.ToUpper(s.Type.String()), s.MinZoom, s.MaxZoom)
		for _, l := range s.Layers {
			if len(s.Layers) > 1 {
				fmt.Fprintf(&b, "Layer `%s`, zooms %d–%d: %s.\n\n", l.Name, l.MinZoom, l.MaxZoom, l.Doc)
			}
			b.WriteString("| attribute | type | meaning |\n| --- | --- | --- |\n")
			for _, f := range l.Fields {
				fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Name, f.Type, f.Doc)
			}
			b.WriteByte('\n')
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}
