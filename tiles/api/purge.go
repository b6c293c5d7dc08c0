package api

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/tiles/purge"
)

// purgeBoxTiles bounds the tiles of zoom 6 that a box may name; the world has 4096.
const purgeBoxTiles = 256

type purgeIn struct {
	Body struct {
		Layers     []string  `json:"layers,omitempty" maxItems:"50" doc:"layers whose tiles are dropped; all, if only bbox is given"`
		BBox       []float64 `json:"bbox,omitempty" minItems:"4" maxItems:"4" doc:"west, south, east, north in degrees: only tiles that touch it"`
		Frames     []string  `json:"frames,omitempty" maxItems:"1000" doc:"frames whose images are dropped"`
		Drives     []string  `json:"drives,omitempty" maxItems:"1000" doc:"drives whose images are dropped"`
		Everything bool      `json:"everything,omitempty" doc:"all tiles and images"`
	}
}

// Purged says what a purge dropped.
type Purged struct {
	SurrogateKeys []string `json:"surrogate_keys" doc:"keys of the answers that were dropped"`
	Sent          int      `json:"sent" doc:"keys that the cache in front took just now, with those that had been waiting"`
	Waiting       int64    `json:"waiting" doc:"keys that wait to be sent"`
	Hook          bool     `json:"hook" doc:"a cache to be told is set; without one only this process dropped its own copies"`
}

func (s *Server) registerPurge(hapi huma.API) {
	httpx.HandleOperator(hapi, s.Operators, httpx.RoleOperator, huma.Operation{OperationID: "purge-map", Method: http.MethodPost, Path: "/v1/tiles/purge", Middlewares: huma.Middlewares{open}, Tags: []string{"Tiles"},
		Summary:     "Drop tiles and images from caches",
		Description: "Tiles that change and frames that are taken down are dropped without being asked. This is for what went wrong: copies in this process go, and the cache that the operator set is told the surrogate keys.",
		Errors:      []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusServiceUnavailable}}, s.purge)
}

func (s *Server) purge(ctx context.Context, in *purgeIn) (*answer[Purged], error) {
	v, err := s.tiles.current(ctx)
	if err != nil {
		return nil, err
	}
	b := in.Body
	var keys []string
	for _, l := range b.Layers {
		if v.layers[l] == nil {
			return nil, survey.Errorf(survey.NotFound, "there is no layer %.40q", l).WithHint("GET /v1/tiles lists the layers")
		}
	}
	switch {
	case b.Everything:
		keys = append(keys, purge.AllTiles, purge.AllFrames)
	case len(b.BBox) > 0:
		layers := b.Layers
		if len(layers) == 0 {
			layers = slices.Sorted(maps.Keys(v.layers))
		}
		for z := range purge.TileZoom + 1 {
			x0, y0, x1, y1, err := boxTiles(b.BBox, z)
			if err != nil {
				return nil, err
			}
			for _, l := range layers {
				for x := x0; x <= x1; x++ {
					for y := y0; y <= y1; y++ {
						keys = append(keys, purge.Tile(l, z, x, y))
					}
				}
			}
		}
	default:
		for _, l := range b.Layers {
			keys = append(keys, purge.Layer(l), purge.TileJSON(l))
		}
	}
	for _, id := range b.Frames {
		if !survey.ValidID(id) {
			return nil, survey.Errorf(survey.Invalid, "%.40q is no identity of a frame", id)
		}
		keys = append(keys, purge.Frame(survey.FrameID(id)))
	}
	for _, id := range b.Drives {
		if !survey.ValidID(id) {
			return nil, survey.Errorf(survey.Invalid, "%.40q is no identity of a drive", id)
		}
		keys = append(keys, purge.Drive(survey.DriveID(id)))
	}
	if len(keys) == 0 {
		return nil, survey.Errorf(survey.Invalid, "nothing to drop is named").WithHint("give layers, bbox, frames, drives or everything")
	}
	httpx.Note(ctx, "%d keys, everything=%t, layers=%d", len(keys), b.Everything, len(b.Layers))
	// This process's copies are of immutable objects and cost one read each to come back.
	s.tiles.forget()
	s.images.small.InvalidateAll()
	out := Purged{SurrogateKeys: keys, Hook: s.Purge != nil}
	if err := s.Purge.Add(ctx, 0, keys...); err != nil {
		return nil, err
	}
	if v, err = s.tiles.current(ctx); err != nil {
		return nil, err
	}
	if out.Sent, err = s.Purge.Send(ctx, v.manifest.Version); err != nil {
		return nil, err
	}
	if out.Waiting, err = s.Purge.Waiting(ctx); err != nil {
		return nil, err
	}
	return give("no-store", out), nil
}

// boxTiles is the tiles of a zoom that touch west, south, east, north.
func boxTiles(b []float64, z int) (x0, y0, x1, y1 int, err error) {
	sw, ne := geo.Point{Lat: b[1], Lon: b[0]}, geo.Point{Lat: b[3], Lon: b[2]}
	if !sw.Valid() || !ne.Valid() || sw.Lat > ne.Lat || sw.Lon > ne.Lon {
		return 0, 0, 0, 0, survey.Errorf(survey.Invalid, "bbox %v is not west,south,east,north in degrees", b).WithHint("cut a box over the antimeridian in two")
	}
	x0, y0, x1, y1 = tilesOfBox([4]float64(b), z)
	if (x1-x0+1)*(y1-y0+1) > purgeBoxTiles {
		return 0, 0, 0, 0, survey.Errorf(survey.Invalid, "the box touches %d tiles of zoom %d, a purge may name %d", (x1-x0+1)*(y1-y0+1), z, purgeBoxTiles).WithHint("name layers without a box")
	}
	return x0, y0, x1, y1, nil
}

// forget drops tiles and directories and makes the next request look at the manifest.
func (t *tileStore) forget() {
	t.tiles.InvalidateAll()
	t.leaves.InvalidateAll()
	t.mu.Lock()
	defer t.mu.Unlock()
	if v := t.view.Load(); v != nil {
		w := *v
		w.looked = time.Time{}
		t.view.Store(&w)
	}
}
