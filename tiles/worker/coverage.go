package worker

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/hex/cells"
	"github.com/roadcomb/roadcomb/pkg/hex/freshness"
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

func (c coverage) schema() schema.Layer { l, _ := schema.Get(schema.Coverage); return l }

func (c coverage) plan() string {
	var b strings.Builder
	fmt.Fprintf(&b, "coverage/1 freshness=%s as_of=%s", c.r.params().Version, c.r.asOf.Format(time.RFC3339))
	for _, x := range c.bands() {
		fmt.Fprintf(&b, " %d-%d:r%d", x.minZoom, x.maxZoom, x.res)
	}
	return b.String()
}

// bands are those of the plan, none finer than the cells that are kept.
func (c coverage) bands() []band {
	out := slices.Clone(bands)
	for i := range out {
		if c.r.base >= 0 {
			out[i].res = min(out[i].res, c.r.base)
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

func (c coverage) layer(b band, f *build.Features) build.Layer {
	return build.Layer{Name: schema.Coverage, MinZoom: b.minZoom, MaxZoom: b.maxZoom, Features: f, Whole: true, Buffer: 16}
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

func (c coverage) dirty(context.Context) (*build.TileSet, error) {
	var t build.TileSet
	for _, b := range c.bands() {
		l := c.layer(b, nil)
		seen := map[survey.Cell]struct{}{}
		for _, cell := range c.r.cells {
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
	return &t, nil
}

func (c coverage) layers(ctx context.Context, only *build.TileSet) ([]build.Layer, error) {
	var dict mvt.Dict
	keys := c.schema().Keys()
	params := c.r.params()
	var out []build.Layer
	for _, b := range c.bands() {
		f := build.NewFeatures(&dict, keys...)
		add := func(row cells.Row) error {
			ring := outline(row.Cell)
			if ring == nil {
				return nil
			}
			// The mode of an H3 index is always the same and its last digit is unused down to resolution 14: what is
			// left fits 53 bits.
			f.Begin(build.Polygon, uint64(row.Cell)>>3&(1<<53-1), 0)
			f.Polygon(ring)
			age := max(0, int64(c.r.asOf.Sub(row.LastSeen)/(24*time.Hour)))
			for k, v := range []mvt.Value{
				dict.String(row.Cell.String()), dict.Int(int64(row.Cell.Resolution())),
				dict.Int(int64(row.Freshness(params, c.r.asOf))), dict.Int(int64(row.MeanQuality())), dict.Int(row.Observations),
				dict.Int(row.Live), dict.Int(row.FirstSeen.UnixMilli()), dict.Int(row.LastSeen.UnixMilli()), dict.Int(age),
			} {
				f.Tag(uint32(k), v)
			}
			f.End()
			return nil
		}
		var err error
		part := only.Zooms(b.minZoom, b.maxZoom)
		switch {
		case only != nil && part.Len() == 0:
			continue
		case only == nil || b.minZoom < 4: // few cells, and boxes too wide to be covered
			err = cells.Each(ctx, c.r.w.DB, b.res, add)
		default:
			var within []survey.Cell
			if within, err = cover(part, max(b.res-3, 0)); err == nil {
				err = cells.EachIn(ctx, c.r.w.DB, b.res, within, add)
			}
		}
		if err != nil {
			return nil, err
		}
		out = append(out, c.layer(b, f))
	}
	return out, nil
}
