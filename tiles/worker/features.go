package worker

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/tiles/build"
	"github.com/roadcomb/roadcomb/tiles/mvt"
	"github.com/roadcomb/roadcomb/tiles/schema"
)

// feature is a map feature that a published frame shows.
type feature struct {
	id, drive, class, kind        string
	lat, lon, cell, sigma, frames int64
	first, last, confidence       int64
}

// featureQuery gives features that at least one published frame still shows: one that was seen in frames that are taken
// down is gone with them, whether or not its row is.
const featureQuery = `SELECT id, drive_id, class, kind, lat_e7, lon_e7, cell, sigma_mm, frames, first_seen, last_seen, confidence_ppm FROM map_features m
	WHERE EXISTS (SELECT 1 FROM frame_features s JOIN frames f ON f.id = s.frame_id WHERE s.feature_id = m.id AND f.state = 'published') AND `

func (r *run) eachFeature(ctx context.Context, where string, args []any, fn func(feature) error) error {
	rows, err := r.w.DB.Query(ctx, featureQuery+where, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var f feature
		if err := rows.Scan(&f.id, &f.drive, &f.class, &f.kind, &f.lat, &f.lon, &f.cell, &f.sigma, &f.frames, &f.first, &f.last, &f.confidence); err != nil {
			return err
		}
		if err := fn(f); err != nil {
			return err
		}
	}
	return rows.Err()
}

// features draws what stands beside the road.
type features struct{ r *run }

func (s features) set() schema.Set       { l, _ := schema.Get(schema.Features); return l }
func (s features) plan() string          { return "features/1" + s.r.budgetPlan() }
func (s features) raster() *build.Raster { return nil }

// dirty: the feed names the cells that features came to or went from; and a drive that changed may have lost the frames
// that show its features.
func (s features) dirty(ctx context.Context) (*build.TileSet, error) {
	var t build.TileSet
	l := s.r.drawn(s.set().Layers[0], nil)
	for _, c := range s.r.features {
		if ring := outline(c); ring != nil {
			t.AddPolygon(l, ring)
		}
	}
	for id := range s.r.drive {
		err := func() error {
			rows, err := s.r.w.DB.Query(ctx, `SELECT lat_e7, lon_e7 FROM map_features WHERE drive_id = $1`, id)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var lat, lon int64
				if err := rows.Scan(&lat, &lon); err != nil {
					return err
				}
				t.AddPoint(l, build.Project(geo.FromE7(lat, lon)))
			}
			return rows.Err()
		}()
		if err != nil {
			return nil, fmt.Errorf("features of drive %s: %w", id, err)
		}
	}
	return &t, nil
}

func (s features) layers(ctx context.Context, only *build.TileSet) ([]build.Layer, error) {
	l := s.set().Layers[0]
	var found []feature
	keep := func(f feature) error { found = append(found, f); return nil }
	if only == nil {
		if err := s.r.eachFeature(ctx, `1 = 1`, nil, keep); err != nil {
			return nil, err
		}
	} else if only.Len() > 0 {
		within, err := cover(only, 8)
		if err != nil {
			return nil, err
		}
		var lo, hi int64
		if err := s.r.w.DB.QueryRow(ctx, `SELECT COALESCE(MIN(cell), 0), COALESCE(MAX(cell), 0) FROM map_features`).Scan(&lo, &hi); err != nil {
			return nil, err
		}
		if hi != 0 {
			for res := survey.Cell(lo).Resolution(); res <= survey.Cell(hi).Resolution(); res++ {
				for _, rg := range hex.Ranges(within, res) {
					if err := s.r.eachFeature(ctx, `cell >= $1 AND cell <= $2`, []any{rg[0].Int64(), rg[1].Int64()}, keep); err != nil {
						return nil, err
					}
				}
			}
		}
	}
	slices.SortFunc(found, func(a, b feature) int { return strings.Compare(a.id, b.id) })
	var dict mvt.Dict
	fs := build.NewFeatures(&dict, l.Keys()...)
	for _, f := range found {
		// Over the budget the newest stay, and a certain one passes for 30 days newer than a doubtful one.
		fs.Begin(build.Point, id53(f.id), f.last/1_000_000+f.confidence*30*86400/1_000_000)
		fs.Part([]build.XY{build.Project(geo.FromE7(f.lat, f.lon))}, false)
		var kind mvt.Value
		if f.kind != "" {
			kind = dict.String(f.kind)
		}
		for k, v := range []mvt.Value{dict.String(f.id), dict.String(f.class), kind, dict.Int(f.first / 1000), dict.Int(f.last / 1000), dict.Int(f.frames),
			dict.Float(math.Round(float64(f.sigma)/100) / 10), dict.Int(f.confidence), dict.String(f.drive), dict.String(survey.Cell(f.cell).String())} {
			fs.Tag(uint32(k), v)
		}
		fs.End()
	}
	return []build.Layer{s.r.drawn(l, fs)}, nil
}
