package worker

import (
	"context"
	"fmt"
	"image/color"
	"math"
	"strings"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/hex/cells"
	"github.com/roadcomb/roadcomb/pkg/hex/freshness"
	"github.com/roadcomb/roadcomb/pkg/hex/roadstate"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/tiles/build"
	"github.com/roadcomb/roadcomb/tiles/mvt"
	"github.com/roadcomb/roadcomb/tiles/schema"
)

// band is a range of zooms and the resolution of the cells shown there: hexes of 4 to 12 pixels' edge, so that a tile's
// cost is bounded by its area and not by how much was recorded.
type band struct{ res, minZoom, maxZoom int }

var bands = []band{{2, 0, 1}, {3, 2, 3}, {4, 4, 5}, {5, 6, 6}, {6, 7, 7}, {7, 8, 9}, {8, 10, 11}, {9, 12, 12}, {10, 13, 13}, {11, 14, 14}}

// coverage draws cells.
type coverage struct{ r *run }

func (c coverage) set() schema.Set       { s, _ := schema.Get(schema.Coverage); return s }
func (c coverage) raster() *build.Raster { return nil }

func (c coverage) plan() string {
	return "coverage/2" + c.r.freshnessPlan() + bandPlan(c.r.bands(0, 14)) + c.r.roadsPlan()
}

func (r *run) freshnessPlan() string {
	return fmt.Sprintf(" freshness=%s as_of=%s", r.params().Version, r.asOf.Format(time.RFC3339))
}

// roadsPlan names the extract whose roads are counted, of which road_share is.
func (r *run) roadsPlan() string {
	if r.network == "" {
		return ""
	}
	return " roads=" + r.network[:16]
}

func bandPlan(bs []band) string {
	var b strings.Builder
	for _, x := range bs {
		fmt.Fprintf(&b, " %d-%d:r%d", x.minZoom, x.maxZoom, x.res)
	}
	return b.String()
}

// bands are those of the plan between two zooms, none finer than the cells that are kept.
func (r *run) bands(minZoom, maxZoom int) []band {
	var out []band
	for _, b := range bands {
		b.minZoom, b.maxZoom = max(b.minZoom, minZoom), min(b.maxZoom, maxZoom)
		if r.base >= 0 {
			b.res = min(b.res, r.base)
		}
		if b.minZoom <= b.maxZoom {
			out = append(out, b)
		}
	}
	return out
}

func (r *run) params() freshness.Params {
	if r.w.Config.Freshness != nil {
		return *r.w.Config.Freshness
	}
	return freshness.Current()
}

// cellLayer is a layer of cells in one band.
func cellLayer(name string, b band, f *build.Features) build.Layer {
	return build.Layer{Name: name, MinZoom: b.minZoom, MaxZoom: b.maxZoom, Features: f, Whole: true, Buffer: 16}
}

// outline is the boundary of a cell that Web Mercator can show; nil for others.
func outline(c survey.Cell) []geo.Point {
	ring := hex.Boundary(c)
	for _, p := range ring {
		if math.Abs(p.Lat) > 85 {
			return nil
		}
	}
	return ring
}

// dirtyCells adds the tiles that the cells, or their parents, are drawn in.
func dirtyCells(t *build.TileSet, bs []band, cells []survey.Cell) {
	for _, b := range bs {
		l := cellLayer("", b, nil)
		seen := map[survey.Cell]struct{}{}
		for _, cell := range cells {
			p := cell.Parent(b.res)
			if _, ok := seen[p]; ok {
				continue
			}
			seen[p] = struct{}{}
			if ring := outline(p); ring != nil {
				t.AddPolygon(l, ring)
			}
		}
	}
}

// cellLayers makes a layer of each band of the cells, or of those near the tiles of only. Attributes are in the order of
// keys, the last of them may be absent; rank is for a raster. Before a band's cells come, ready hears of its resolution and
// of the cells from which they descend, nil for all.
func (r *run) cellLayers(ctx context.Context, name string, keys []string, bs []band, only *build.TileSet, ready func(res int, within []survey.Cell) error,
	values func(*mvt.Dict, cells.Row) []mvt.Value, rank func(cells.Row) int64) ([]build.Layer, error) {
	var dict mvt.Dict
	var out []build.Layer
	for _, b := range bs {
		f := build.NewFeatures(&dict, keys...)
		add := func(row cells.Row) error {
			ring := outline(row.Cell)
			if ring == nil {
				return nil
			}
			// The mode of an H3 index is always the same and its last digit is unused down to resolution 14: what is
			// left fits 53 bits.
			var rk int64
			if rank != nil {
				rk = rank(row)
			}
			f.Begin(build.Polygon, uint64(row.Cell)>>3&(1<<53-1), rk)
			f.Polygon(ring)
			if values != nil {
				for k, v := range values(&dict, row) {
					f.Tag(uint32(k), v)
				}
			}
			f.End()
			return nil
		}
		part := only.Zooms(b.minZoom, b.maxZoom)
		if only != nil && part.Len() == 0 {
			continue
		}
		var err error
		var within []survey.Cell           // nil: all
		if only != nil && b.minZoom >= 4 { // below there are few cells, and boxes too wide to be covered
			if within, err = cover(part, max(b.res-3, 0)); err != nil {
				return nil, err
			}
		}
		if ready != nil {
			if err := ready(b.res, within); err != nil {
				return nil, err
			}
		}
		if within == nil {
			err = cells.Each(ctx, r.w.DB, b.res, add)
		} else {
			err = cells.EachIn(ctx, r.w.DB, b.res, within, add)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, cellLayer(name, b, f))
	}
	return out, nil
}

func (c coverage) dirty(context.Context) (*build.TileSet, error) {
	var t build.TileSet
	dirtyCells(&t, c.r.bands(0, 14), c.r.cells)
	if c.r.network != "" {
		dirtyCells(&t, c.r.bands(0, 14), c.r.roads)
	}
	return &t, nil
}

func (c coverage) layers(ctx context.Context, only *build.TileSet) ([]build.Layer, error) {
	params := c.r.params()
	shares := map[survey.Cell]survey.PPM{} // of the band
	ready := func(res int, within []survey.Cell) error {
		clear(shares)
		if c.r.network == "" {
			return nil
		}
		return roadstate.EachCell(ctx, c.r.w.DB, res, within, func(x roadstate.CellRoad) error {
			shares[x.Cell] = x.Share()
			return nil
		})
	}
	values := func(d *mvt.Dict, row cells.Row) []mvt.Value {
		vs := []mvt.Value{
			d.String(row.Cell.String()), d.Int(int64(row.Cell.Resolution())),
			d.Int(int64(row.Freshness(params, c.r.asOf))), d.Int(int64(row.MeanQuality())), d.Int(row.Observations), d.Int(row.Live),
			d.Int(row.FirstSeen.UnixMilli()), d.Int(row.LastSeen.UnixMilli()), d.Int(max(0, int64(c.r.asOf.Sub(row.LastSeen)/(24*time.Hour)))),
		}
		if s, ok := shares[row.Cell]; ok {
			vs = append(vs, d.Int(int64(s)))
		}
		return vs
	}
	return c.r.cellLayers(ctx, schema.Coverage, c.set().Layers[0].Keys(), c.r.bands(0, 14), only, ready, values, nil)
}

// heat draws the freshness of cells as pictures.
type heat struct{ r *run }

func (h heat) set() schema.Set { s, _ := schema.Get(schema.Heat); return s }
func (h heat) plan() string {
	return "heat/2" + h.r.freshnessPlan() + bandPlan(h.bands())
}
func (h heat) bands() []band { return h.r.bands(0, h.set().MaxZoom) }

func (h heat) dirty(context.Context) (*build.TileSet, error) {
	var t build.TileSet
	dirtyCells(&t, h.bands(), h.r.cells)
	return &t, nil
}

func (h heat) layers(ctx context.Context, only *build.TileSet) ([]build.Layer, error) {
	params := h.r.params()
	return h.r.cellLayers(ctx, schema.Heat, nil, h.bands(), only, nil, nil, func(row cells.Row) int64 {
		return int64(row.Freshness(params, h.r.asOf))
	})
}

// heatSteps is how many colours a picture has: with the empty one they fit four bits a pixel.
const heatSteps = 15

// raster paints freshness from red through yellow to green, as strong as it is safe to lay over a map.
func (h heat) raster() *build.Raster {
	palette := make(color.Palette, 1, 1+heatSteps)
	palette[0] = color.NRGBA{}
	for i := range heatSteps {
		c := color.NRGBA{R: 230, G: uint8(60 + 300*i/heatSteps), B: 40, A: 190}
		if half := heatSteps / 2; i >= half {
			c.R, c.G = uint8(230-360*(i-half)/heatSteps), 205
		}
		palette = append(palette, c)
	}
	return &build.Raster{Palette: palette, Color: func(rank int64) uint8 { return uint8(1 + min(rank, 999_999)*heatSteps/1_000_000) }}
}
