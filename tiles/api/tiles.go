package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/tiles/archive"
	"github.com/roadcomb/roadcomb/tiles/purge"
)

const (
	typeMVT = "application/vnd.mapbox-vector-tile"
	// A URL with a version names its bytes for ever. One without is asked about after a minute and may be shown stale
	// meanwhile.
	cacheVersioned = "public, max-age=31536000, immutable"
	cacheAlias     = "public, max-age=60, stale-while-revalidate=600"
	cacheTileJSON  = "public, max-age=30"
)

func (s *Server) registerTiles(mux httpx.Mux, hapi huma.API) {
	mux.HandleFunc("GET /v1/tiles", s.listLayers)
	mux.HandleFunc("GET /v1/tiles/{file}", s.tileJSON)
	mux.HandleFunc("GET /v1/tiles/{layer}/{z}/{x}/{y}", s.tile)
	mux.HandleFunc("GET /v1/tiles/{layer}/v/{version}/{z}/{x}/{y}", s.tile)
	mux.HandleFunc("OPTIONS /v1/tiles", preflight) // a browser follows no redirect of a preflight
	mux.HandleFunc("OPTIONS /v1/tiles/", preflight)
	documentTiles(hapi)
}

// TileJSON is version 3.0.0 of github.com/mapbox/tilejson-spec.
type TileJSON struct {
	TileJSON     string                `json:"tilejson"`
	Name         string                `json:"name"`
	Description  string                `json:"description,omitempty"`
	Version      string                `json:"version"`
	Attribution  string                `json:"attribution,omitempty"`
	Scheme       string                `json:"scheme"`
	Tiles        []string              `json:"tiles"`
	MinZoom      int                   `json:"minzoom"`
	MaxZoom      int                   `json:"maxzoom"`
	Bounds       [4]float64            `json:"bounds"`
	Center       [3]float64            `json:"center"`
	VectorLayers []archive.VectorLayer `json:"vector_layers,omitempty"`
	// Beyond the specification.
	AsOf    string `json:"as_of"`   // instant at which freshness and ages were computed
	Format  string `json:"format"`  // mvt or png
	Tileset string `json:"tileset"` // version of the tiles
}

func ext(t archive.TileType) string {
	if t == archive.TilePNG {
		return "png"
	}
	return "mvt"
}

func (s *Server) url(path string) string { return strings.TrimSuffix(s.PublicURL, "/") + path }

func (s *Server) describe(v *view, l *layer) TileJSON {
	t := TileJSON{
		TileJSON: "3.0.0", Name: l.name, Version: "1.0.0", Attribution: s.describeAttribution(l), Scheme: "xyz",
		Tiles:   []string{s.url("/v1/tiles/" + l.name + "/v/" + l.set.Version + "/{z}/{x}/{y}." + ext(l.set.Type))},
		MinZoom: l.set.MinZoom, MaxZoom: l.set.MaxZoom, Bounds: l.set.Bounds, Center: l.set.Center(),
		VectorLayers: l.set.VectorLayers, AsOf: v.manifest.AsOf.UTC().Format("2006-01-02T15:04:05Z"), Format: ext(l.set.Type), Tileset: l.set.Version,
	}
	if len(t.VectorLayers) > 0 {
		t.Description = t.VectorLayers[0].Description
	}
	return t
}

// LayerRef is an entry of the list of layers.
type LayerRef struct {
	ID       string `json:"id" doc:"name of the layer"`
	Version  string `json:"version" doc:"changes if and only if a tile may have changed"`
	TileJSON string `json:"tilejson" doc:"address of its TileJSON"`
}

func (s *Server) layers(v *view) []LayerRef {
	out := []LayerRef{}
	for name, l := range v.layers {
		out = append(out, LayerRef{name, l.set.Version, s.url("/v1/tiles/" + name + ".json")})
	}
	slices.SortFunc(out, func(a, b LayerRef) int { return strings.Compare(a.ID, b.ID) })
	return out
}

func (s *Server) listLayers(w http.ResponseWriter, r *http.Request) {
	v, err := s.tiles.current(r.Context())
	if err != nil {
		fail(w, r, err)
		return
	}
	writeJSON(w, r, "application/json", cacheTileJSON, struct {
		Layers []LayerRef `json:"layers"`
	}{s.layers(v)})
}

func (s *Server) tileJSON(w http.ResponseWriter, r *http.Request) {
	name, ok := strings.CutSuffix(r.PathValue("file"), ".json")
	v, err := s.tiles.current(r.Context())
	if err != nil {
		fail(w, r, err)
		return
	}
	l := v.layers[name]
	if !ok || l == nil {
		fail(w, r, survey.Errorf(survey.NotFound, "there is no layer %.40q", name).WithHint("GET /v1/tiles lists the layers"))
		return
	}
	s.surrogate(w.Header(), purge.AllTiles, purge.TileJSON(name))
	writeJSON(w, r, "application/json", cacheTileJSON, s.describe(v, l))
}

// writeJSON answers with an ETag of its own bytes, so that polling costs a 304.
func writeJSON(w http.ResponseWriter, r *http.Request, typ, cache string, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		fail(w, r, err)
		return
	}
	h := w.Header()
	cors(h)
	sum := survey.HashOf(b)
	tag := []string{`"` + sum.String()[:24] + `"`}
	h["Etag"] = tag
	h.Set("Cache-Control", cache)
	if match(r, tag[0]) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", typ)
	h.Set("Content-Length", strconv.Itoa(len(b)))
	w.Write(b)
}

// Header values that are the same for every tile; shared, never written to.
var (
	hdrMVT     = []string{typeMVT}
	hdrPNG     = []string{"image/png"}
	hdrGzip    = []string{"gzip"}
	hdrVary    = []string{"Accept-Encoding"}
	hdrStar    = []string{"*"}
	hdrExpose  = []string{corsExpose}
	hdrForever = []string{cacheVersioned}
	hdrAlias   = []string{cacheAlias}
)

func (s *Server) tile(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	v, err := s.tiles.current(ctx)
	if err != nil {
		fail(w, r, err)
		return
	}
	name, version := r.PathValue("layer"), r.PathValue("version")
	l := v.layers[name]
	// What this process has not heard of may be newer than its view.
	if l == nil || version != "" && version != l.set.Version {
		if v, err = s.tiles.within(ctx, 100*time.Millisecond); err == nil {
			if l = v.layers[name]; l == nil {
				err = survey.Errorf(survey.NotFound, "there is no layer %.40q", name).WithHint("GET /v1/tiles lists the layers")
			}
		}
		if err != nil {
			fail(w, r, err)
			return
		}
	}
	z, x, y, err := parseZXY(r.PathValue("z"), r.PathValue("x"), r.PathValue("y"), ext(l.set.Type))
	if err == nil && (z < l.set.MinZoom || z > l.set.MaxZoom) {
		err = survey.Errorf(survey.NotFound, "layer %s has zooms %d to %d", name, l.set.MinZoom, l.set.MaxZoom)
	}
	if err != nil {
		fail(w, r, err)
		return
	}
	t, err := s.tiles.get(ctx, l, archive.ID(z, x, y))
	if err != nil && gone(err) { // compacted away since the view was made
		if v, err = s.tiles.within(ctx, 0); err == nil {
			if now := v.layers[name]; now != nil {
				l = now
				t, err = s.tiles.get(ctx, l, archive.ID(z, x, y))
			}
		}
		if err != nil && gone(err) { // the manifest in force names an archive that is not there: an outage, not an empty place
			err = survey.Errorf(survey.Unavailable, "the tiles cannot be read: %v", err)
		}
	}
	if err != nil {
		fail(w, r, err)
		return
	}
	h := w.Header()
	h["Access-Control-Allow-Origin"] = hdrStar
	h["Access-Control-Expose-Headers"] = hdrExpose
	h["Cache-Control"] = hdrAlias
	if version != "" && version == l.set.Version {
		h["Cache-Control"] = hdrForever
	}
	s.surrogate(h, purge.AllTiles, purge.Layer(name), purge.Tile(name, z, x, y))
	if t == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	body, tag, length := t.body, t.etag, t.length
	h["Content-Type"] = hdrPNG
	if l.set.Type == archive.TileMVT {
		h["Content-Type"] = hdrMVT
		h["Vary"] = hdrVary
		if acceptsGzip(r.Header["Accept-Encoding"]) {
			h["Content-Encoding"] = hdrGzip
		} else {
			tag = t.identity
		}
	}
	h["Etag"] = tag
	if match(r, tag[0]) {
		delete(h, "Content-Type")
		delete(h, "Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if l.set.Type == archive.TileMVT && &tag[0] == &t.identity[0] {
		if body, err = archive.Gunzip(body, 64<<20); err != nil {
			fail(w, r, err)
			return
		}
		length = []string{strconv.Itoa(len(body))}
	}
	h["Content-Length"] = length
	w.Write(body) // for HEAD net/http keeps the headers and drops the body
}

// surrogate is the keys by which a cache drops narrowly: all tiles, the layer, and the tile of zoom 6 that holds this one.
func (s *Server) surrogate(h http.Header, keys ...string) {
	h["Surrogate-Key"] = []string{strings.Join(keys, " ")}
	if s.Purge.Tags() {
		h["Cache-Tag"] = []string{strings.Join(keys, ",")}
	}
}

// parseZXY reads a tile's place. One that is no number is Invalid; one outside the world NotFound.
func parseZXY(zs, xs, ys, ext string) (z, x, y int, err error) {
	ys, ok := strings.CutSuffix(ys, "."+ext)
	z, e1 := number(zs)
	x, e2 := number(xs)
	y, e3 := number(ys)
	switch {
	case !ok:
		return 0, 0, 0, survey.Errorf(survey.NotFound, "tiles of this layer end in .%s", ext)
	case !e1 || !e2 || !e3:
		return 0, 0, 0, survey.Errorf(survey.Invalid, "a tile is z/x/y.%s in plain numbers", ext)
	case z > archive.MaxZoom || x >= 1<<z || y >= 1<<z:
		return 0, 0, 0, survey.Errorf(survey.NotFound, "tile %d/%d/%d is outside the world", z, x, y)
	}
	return z, x, y, nil
}

func number(s string) (int, bool) {
	if s == "" || len(s) > 9 || len(s) > 1 && s[0] == '0' {
		return 0, false
	}
	n := 0
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}

// match reports whether If-None-Match names the tag. The comparison is the weak one (RFC 9110 §13.1.2).
func match(r *http.Request, tag string) bool {
	for _, v := range r.Header["If-None-Match"] {
		if v == tag || v == "*" {
			return true
		}
		for part := range strings.SplitSeq(v, ",") {
			if strings.TrimPrefix(strings.TrimSpace(part), "W/") == tag {
				return true
			}
		}
	}
	return false
}

// acceptsGzip reads Accept-Encoding (RFC 9110 §12.5.3). No header at all means that anything goes, but clients that
// send none tend not to decompress, so they get the plain form.
func acceptsGzip(values []string) bool {
	star := false
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			name, params, _ := strings.Cut(part, ";")
			ok := true
			if q, found := strings.CutPrefix(strings.TrimSpace(params), "q="); found {
				f, err := strconv.ParseFloat(q, 64)
				ok = err == nil && f > 0
			}
			switch strings.TrimSpace(name) {
			case "gzip", "x-gzip":
				return ok
			case "*":
				star = ok
			}
		}
	}
	return star
}

func documentTiles(hapi huma.API) {
	if hapi == nil {
		return
	}
	str := func() *huma.Schema { return &huma.Schema{Type: "string"} }
	path := func(name, doc string, s *huma.Schema) *huma.Param {
		return &huma.Param{Name: name, In: "path", Required: true, Description: doc, Schema: s}
	}
	zero := 0.0
	num := func() *huma.Schema { return &huma.Schema{Type: "integer", Minimum: &zero} }
	layer := path("layer", "name of the layer, as listed by /v1/tiles", str())
	problem := &huma.Response{Description: "RFC 9457 problem", Content: map[string]*huma.MediaType{"application/problem+json": {}}}
	answers := map[string]*huma.Response{
		"200": {Description: "the tile", Content: map[string]*huma.MediaType{typeMVT: {}, "image/png": {}}},
		"204": {Description: "the tile lies within the layer's zooms and is empty"},
		"304": {Description: "the tile still has the ETag of If-None-Match"},
		"400": problem, "404": problem,
	}
	zxy := []*huma.Param{path("z", "zoom", num()), path("x", "column, from the west", num()), path("y", "row, from the north, followed by .mvt or .png", str())}
	add := func(op *huma.Operation) {
		op.Tags = []string{"Tiles"}
		op.Method = http.MethodGet
		hapi.OpenAPI().AddOperation(op)
	}
	add(&huma.Operation{OperationID: "list-layers", Path: "/v1/tiles", Summary: "List the tile layers", Responses: map[string]*huma.Response{"200": {Description: "layers with their versions", Content: map[string]*huma.MediaType{"application/json": {}}}}})
	add(&huma.Operation{OperationID: "get-tilejson", Path: "/v1/tiles/{layer}.json", Summary: "TileJSON 3.0 of a layer", Parameters: []*huma.Param{layer},
		Responses: map[string]*huma.Response{"200": {Description: "TileJSON 3.0", Content: map[string]*huma.MediaType{"application/json": {}}}, "404": problem}})
	add(&huma.Operation{OperationID: "get-tile", Path: "/v1/tiles/{layer}/{z}/{x}/{y}", Summary: "A tile, as it is now", Parameters: append([]*huma.Param{layer}, zxy...), Responses: answers})
	add(&huma.Operation{OperationID: "get-tile-version", Path: "/v1/tiles/{layer}/v/{version}/{z}/{x}/{y}", Summary: "A tile of a version; may be kept for ever",
		Parameters: append([]*huma.Param{layer, path("version", "as in the TileJSON's addresses", str())}, zxy...), Responses: answers})
}
