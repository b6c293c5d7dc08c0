package api

import (
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/tiles/archive"
)

// The OGC API - Tiles side of the map (OGC 20-057), for QGIS, GDAL and others that find layers by it: every layer is a
// collection with one tile set in WebMercatorQuad. Its tiles are those of /v1/tiles; beware that here the row comes before
// the column.

const (
	ogcRoot  = "/v1/ogc"
	ogcRel   = "http://www.opengis.net/def/rel/ogc/1.0/"
	ogcTMS   = "WebMercatorQuad"
	ogcCRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
	ogc3857  = "http://www.opengis.net/def/crs/EPSG/0/3857"
	// mercatorHalf is half the side of the Web Mercator square in metres: π × 6378137.
	mercatorHalf = math.Pi * 6378137
)

var ogcClasses = []string{
	"http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/core",
	"http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/json",
	"http://www.opengis.net/spec/ogcapi-common-2/1.0/conf/collections",
	"http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/core",
	"http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/tileset",
	"http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/tilesets-list",
	"http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/geodata-tilesets",
	"http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/mvt",
	"http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/png",
	"http://www.opengis.net/spec/tms/2.0/conf/tilematrixset",
	"http://www.opengis.net/spec/tms/2.0/conf/tilesetmetadata",
	"http://www.opengis.net/spec/tms/2.0/conf/tilematrixsetlimits",
	"http://www.opengis.net/spec/tms/2.0/conf/json-tilematrixset",
	"http://www.opengis.net/spec/tms/2.0/conf/json-tilesetmetadata",
}

func (s *Server) registerOGC(mux httpx.Mux, hapi huma.API) {
	mux.HandleFunc("OPTIONS "+ogcRoot, preflight) // a browser follows no redirect of a preflight
	mux.HandleFunc("OPTIONS "+ogcRoot+"/", preflight)
	op := func(id, path, summary string, h func(*http.Request, *view) (any, error)) {
		handle := func(w http.ResponseWriter, r *http.Request) {
			v, err := s.tiles.current(r.Context())
			var body any
			if err == nil {
				body, err = h(r, v)
			}
			if err != nil {
				fail(w, r, err)
				return
			}
			writeJSON(w, r, typeJSON, cacheTileJSON, body)
		}
		mux.HandleFunc("GET "+path, handle)
		if path == ogcRoot {
			mux.HandleFunc("GET "+path+"/{$}", handle)
		}
		s.documentOGC(hapi, id, path, summary, typeJSON)
	}
	set := ogcRoot + "/collections/{id}/tiles/" + ogcTMS
	op("ogc-landing", ogcRoot, "OGC API landing page", s.ogcLanding)
	op("ogc-conformance", ogcRoot+"/conformance", "OGC API conformance classes", func(*http.Request, *view) (any, error) { return object{"conformsTo": ogcClasses}, nil })
	op("ogc-collections", ogcRoot+"/collections", "Layers as OGC API collections", func(_ *http.Request, v *view) (any, error) {
		out := []object{}
		for _, name := range slices.Sorted(maps.Keys(v.layers)) {
			out = append(out, s.ogcCollection(v.layers[name]))
		}
		return object{"collections": out, "links": []object{s.link("self", typeJSON, ogcRoot+"/collections")}}, nil
	})
	op("ogc-collection", ogcRoot+"/collections/{id}", "A layer as OGC API collection", func(r *http.Request, v *view) (any, error) {
		l, err := ogcLayer(r, v)
		if err != nil {
			return nil, err
		}
		return s.ogcCollection(l), nil
	})
	op("ogc-tilesets", ogcRoot+"/collections/{id}/tiles", "Tile sets of a layer", func(r *http.Request, v *view) (any, error) {
		l, err := ogcLayer(r, v)
		if err != nil {
			return nil, err
		}
		return object{"tilesets": []object{s.ogcTileset(l, false)}, "links": []object{s.link("self", typeJSON, ogcRoot+"/collections/"+l.name+"/tiles")}}, nil
	})
	op("ogc-tileset", set, "The tile set of a layer", func(r *http.Request, v *view) (any, error) {
		l, err := ogcLayer(r, v)
		if err != nil {
			return nil, err
		}
		return s.ogcTileset(l, true), nil
	})
	op("ogc-tile-matrix-sets", ogcRoot+"/tileMatrixSets", "Tile matrix sets", func(*http.Request, *view) (any, error) {
		return object{"tileMatrixSets": []object{{"id": ogcTMS, "title": "Google Maps Compatible for the World", "uri": tmsURI, "crs": ogc3857, "links": []object{s.link("self", typeJSON, tmsPath)}}}}, nil
	})
	op("ogc-tile-matrix-set", tmsPath, "WebMercatorQuad", func(*http.Request, *view) (any, error) { return webMercatorQuad(), nil })
	mux.HandleFunc("GET "+set+"/{tileMatrix}/{tileRow}/{tileCol}", func(w http.ResponseWriter, r *http.Request) {
		v, err := s.tiles.current(r.Context())
		if err != nil {
			fail(w, r, err)
			return
		}
		l, err := ogcLayer(r, v)
		if err != nil {
			fail(w, r, err)
			return
		}
		r.SetPathValue("layer", l.name)
		r.SetPathValue("z", r.PathValue("tileMatrix"))
		r.SetPathValue("x", r.PathValue("tileCol"))
		r.SetPathValue("y", r.PathValue("tileRow")+"."+ext(l.set.Type))
		s.tile(w, r)
	})
	s.documentOGC(hapi, "ogc-tile", set+"/{tileMatrix}/{tileRow}/{tileCol}", "A tile; the row comes before the column", typeMVT)
}

func (s *Server) documentOGC(hapi huma.API, id, path, summary, typ string) {
	o := &huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Summary: summary, Tags: []string{"OGC API"},
		Responses: map[string]*huma.Response{"200": {Description: "as OGC API - Tiles describes", Content: map[string]*huma.MediaType{typ: {}}}, "404": {Description: "there is no such thing"}}}
	for _, part := range strings.Split(path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			o.Parameters = append(o.Parameters, &huma.Param{Name: strings.TrimSuffix(name, "}"), In: "path", Required: true, Description: name[:len(name)-1], Schema: &huma.Schema{Type: "string"}})
		}
	}
	hapi.OpenAPI().AddOperation(o)
}

func ogcLayer(r *http.Request, v *view) (*layer, error) {
	if l := v.layers[r.PathValue("id")]; l != nil {
		return l, nil
	}
	return nil, survey.Errorf(survey.NotFound, "there is no layer %.40q", r.PathValue("id")).WithHint("GET %s/collections lists the layers", ogcRoot)
}

func (s *Server) ogcLanding(*http.Request, *view) (any, error) {
	return object{"title": "roadcomb", "description": "Street imagery and its coverage as tiles.", "attribution": s.Attribution, "links": []object{
		s.link("self", typeJSON, ogcRoot), s.link("service-desc", typeOpenAPI, "/v1/openapi.json"),
		s.link("conformance", typeJSON, ogcRoot+"/conformance"), s.link(ogcRel+"conformance", typeJSON, ogcRoot+"/conformance"),
		s.link("data", typeJSON, ogcRoot+"/collections"), s.link(ogcRel+"data", typeJSON, ogcRoot+"/collections"),
		s.link(ogcRel+"tiling-schemes", typeJSON, ogcRoot+"/tileMatrixSets"),
	}}, nil
}

// tilesRel is the relation under which clients look for tiles of the layer's kind.
func tilesRel(l *layer) (rel, dataType, media string) {
	if l.set.Type == archive.TilePNG {
		return ogcRel + "tilesets-map", "map", "image/png"
	}
	return ogcRel + "tilesets-vector", "vector", typeMVT
}

func (s *Server) ogcCollection(l *layer) object {
	rel, dataType, _ := tilesRel(l)
	path := ogcRoot + "/collections/" + l.name
	o := object{"id": l.name, "title": l.name, "dataType": dataType, "crs": []string{ogcCRS84, ogc3857}, "extent": object{"spatial": object{"bbox": [][4]float64{l.set.Bounds}, "crs": ogcCRS84}},
		"links": []object{s.link("self", typeJSON, path), s.link(rel, typeJSON, path+"/tiles"), s.link("describedby", typeJSON, "/v1/tiles/"+l.name+".json", "title", "TileJSON")}}
	if vl := l.set.VectorLayers; len(vl) > 0 {
		o["description"] = vl[0].Description
	}
	return o
}

const (
	tmsPath = ogcRoot + "/tileMatrixSets/" + ogcTMS
	tmsURI  = "http://www.opengis.net/def/tilematrixset/OGC/1.0/" + ogcTMS
)

// ogcTileset is the tile set's entry in the list, or the whole of its metadata.
func (s *Server) ogcTileset(l *layer, whole bool) object {
	_, dataType, media := tilesRel(l)
	path := ogcRoot + "/collections/" + l.name + "/tiles/" + ogcTMS
	links := []object{s.link("self", typeJSON, path), s.link(ogcRel+"tiling-scheme", typeJSON, tmsPath)}
	o := object{"title": l.name, "dataType": dataType, "crs": ogc3857, "tileMatrixSetURI": tmsURI}
	if whole {
		item := s.link("item", media, path+"/{tileMatrix}/{tileRow}/{tileCol}", "title", "Tiles")
		item["templated"] = true
		links = append(links, item, s.link("describedby", typeJSON, "/v1/tiles/"+l.name+".json", "title", "TileJSON"))
		b := l.set.Bounds
		c := l.set.Center()
		o["boundingBox"] = object{"lowerLeft": []float64{b[0], b[1]}, "upperRight": []float64{b[2], b[3]}, "crs": ogcCRS84}
		o["centerPoint"] = object{"coordinates": []float64{c[0], c[1]}, "crs": ogcCRS84, "tileMatrix": strconv.Itoa(int(c[2]))}
		limits := []object{}
		for z := l.set.MinZoom; z <= l.set.MaxZoom; z++ {
			x0, y0, x1, y1 := tilesOfBox(b, z)
			limits = append(limits, object{"tileMatrix": strconv.Itoa(z), "minTileRow": y0, "maxTileRow": y1, "minTileCol": x0, "maxTileCol": x1})
		}
		o["tileMatrixSetLimits"] = limits
		layers := []object{}
		for _, vl := range l.set.VectorLayers {
			props := object{}
			for name, doc := range vl.Fields {
				typ, text, _ := strings.Cut(doc, ": ")
				props[name] = object{"type": strings.ToLower(typ), "description": text}
			}
			layers = append(layers, object{"id": vl.ID, "description": vl.Description, "dataType": dataType, "minTileMatrix": strconv.Itoa(vl.MinZoom), "maxTileMatrix": strconv.Itoa(vl.MaxZoom),
				"propertiesSchema": object{"type": "object", "properties": props}})
		}
		if len(layers) > 0 {
			o["layers"] = layers
		}
		if a := s.describeAttribution(l); a != "" {
			o["attribution"] = a
		}
	}
	o["links"] = links
	return o
}

func (s *Server) describeAttribution(l *layer) string {
	if l.attribution != "" {
		return l.attribution
	}
	return s.Attribution
}

// webMercatorQuad is annex D.1 of OGC 17-083r4. It also says itself in the words of the version before (identifier,
// supportedCRS, topLeftCorner), the only ones that GDAL before 3.7 reads.
func webMercatorQuad() object {
	matrices := make([]object, 0, 25)
	corner := []float64{-mercatorHalf, mercatorHalf}
	for z := range 25 {
		cell := 2 * mercatorHalf / 256 / float64(int64(1)<<z)
		id := strconv.Itoa(z)
		matrices = append(matrices, object{"id": id, "scaleDenominator": cell / 0.00028, "cellSize": cell, "cornerOfOrigin": "topLeft", "pointOfOrigin": corner,
			"tileWidth": 256, "tileHeight": 256, "matrixWidth": int64(1) << z, "matrixHeight": int64(1) << z, "identifier": id, "topLeftCorner": corner})
	}
	return object{"id": ogcTMS, "title": "Google Maps Compatible for the World", "uri": tmsURI, "crs": ogc3857, "orderedAxes": []string{"X", "Y"},
		"wellKnownScaleSet": "http://www.opengis.net/def/wkss/OGC/1.0/GoogleMapsCompatible", "tileMatrices": matrices,
		"boundingBox": object{"crs": ogc3857, "lowerLeft": []float64{-mercatorHalf, -mercatorHalf}, "upperRight": []float64{mercatorHalf, mercatorHalf},
			"lowerCorner": []float64{-mercatorHalf, -mercatorHalf}, "upperCorner": []float64{mercatorHalf, mercatorHalf}},
		"identifier": ogcTMS, "supportedCRS": ogc3857}
}

// tilesOfBox is the tiles of a zoom that touch west, south, east, north, inclusive.
func tilesOfBox(b [4]float64, z int) (x0, y0, x1, y1 int) {
	n := float64(int(1) << z)
	at := func(v float64) int { return int(min(max(math.Floor(v*n), 0), n-1)) }
	x := func(lon float64) float64 { return (lon + 180) / 360 }
	y := func(lat float64) float64 {
		lat = min(max(lat, -85.05112878), 85.05112878) * math.Pi / 180
		return (1 - math.Asinh(math.Tan(lat))/math.Pi) / 2
	}
	return at(x(b[0])), at(y(b[3])), at(x(b[2])), at(y(b[1]))
}
