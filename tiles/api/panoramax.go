package api

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/tiles/schema"
)

// panoramaxStyle is where the tile set of Panoramax is drawn: a MapLibre style, which Panoramax's viewer takes from the
// STAC landing page and lays over its own ground. It looks for the source "geovisio" and for layers that begin so.
const panoramaxStyle = "/v1/tiles/" + schema.Panoramax + "/style.json"

func (s *Server) registerPanoramax(mux httpx.Mux, hapi huma.API) {
	mux.HandleFunc("GET "+panoramaxStyle, func(w http.ResponseWriter, r *http.Request) {
		v, err := s.tiles.current(r.Context())
		if err == nil && v.layers[schema.Panoramax] == nil {
			err = survey.Errorf(survey.NotFound, "there is no layer %q", schema.Panoramax)
		}
		if err != nil {
			fail(w, r, err)
			return
		}
		writeJSON(w, r, typeJSON, cacheTileJSON, s.drawPanoramax(v.layers[schema.Panoramax]))
	})
	hapi.OpenAPI().AddOperation(&huma.Operation{OperationID: "get-panoramax-style", Method: http.MethodGet, Path: panoramaxStyle, Summary: "The tiles of Panoramax as a MapLibre style", Tags: []string{"Tiles"},
		Responses: map[string]*huma.Response{"200": {Description: "MapLibre style, version 8", Content: map[string]*huma.MediaType{typeJSON: {}}}, "404": {Description: "nothing was published yet"}}})
}

func (s *Server) drawPanoramax(l *layer) object {
	set, _ := schema.Get(schema.Panoramax)
	fields := object{}
	for _, vl := range set.Layers {
		fields[vl.Name] = vl.Keys()
	}
	const source, orange = "geovisio", "#ff6f00" // Panoramax's colour of what is not selected
	zoom := func(steps ...any) []any {
		return append([]any{"interpolate", []any{"linear"}, []any{"zoom"}}, steps...)
	}
	draw := func(kind, name string, zooms [2]int, paint object) object {
		o := object{"id": source + "_" + name, "type": kind, "source": source, "source-layer": name, "paint": paint}
		if zooms[0] > 0 {
			o["minzoom"] = zooms[0]
		}
		if zooms[1] > 0 {
			o["maxzoom"] = zooms[1]
		}
		return o
	}
	src := object{"type": "vector", "tiles": []string{s.url("/v1/tiles/" + l.name + "/{z}/{x}/{y}.mvt")}, "minzoom": l.set.MinZoom, "maxzoom": l.set.MaxZoom, "bounds": l.set.Bounds}
	if a := s.describeAttribution(l); a != "" {
		src["attribution"] = a
	}
	grid, pictures := set.Layer(schema.Grid), set.Layer(schema.Pictures)
	return object{
		"version": 8, "name": "roadcomb", "metadata": object{"panoramax:fields": fields},
		"sources": object{source: src},
		"layers": []object{
			draw("fill", schema.Grid, [2]int{0, grid.MaxZoom + 1}, object{"fill-color": orange, "fill-opacity": []any{"interpolate", []any{"linear"}, []any{"get", "coef"}, 0, 0.25, 1, 0.85}, "fill-outline-color": orange}),
			draw("line", schema.Sequences, [2]int{set.Layer(schema.Sequences).MinZoom, 0}, object{"line-color": orange, "line-width": zoom(0, 0.5, 10, 1.5, 14.5, 1.5, 15.5, 2, 22, 4)}),
			draw("circle", schema.Pictures, [2]int{pictures.MinZoom, 0}, object{"circle-color": orange, "circle-radius": zoom(15, 1, 16.5, 2, 18, 5, 22, 7)}),
		},
	}
}
