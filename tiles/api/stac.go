package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/tiles/schema"
)

// The STAC API 1.0 side of the map (github.com/radiantearth/stac-api-spec): a drive is a collection, a frame an item, as
// Panoramax has it, so that its viewer and any STAC client can read the map.

const (
	stacRoot    = "/v1/stac"
	stacVersion = "1.0.0"
	stacLimit   = 1000
	stacScan    = 20_000 // frames looked at for a page that has some
	typeGeoJSON = "application/geo+json"
	typeJSON    = "application/json"
	typeOpenAPI = "application/openapi+json" // as package huma serves it
)

var stacClasses = []string{
	"https://api.stacspec.org/v1.0.0/core",
	"https://api.stacspec.org/v1.0.0/collections",
	"https://api.stacspec.org/v1.0.0/ogcapi-features",
	"https://api.stacspec.org/v1.0.0/item-search",
	"http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
	"http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
	"http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/oas30",
}

type object = map[string]any

func (s *Server) link(rel, typ, path string, more ...string) object {
	l := object{"rel": rel, "type": typ, "href": s.url(path)}
	for i := 0; i < len(more); i += 2 {
		l[more[i]] = more[i+1] // #nosec G602 -- pairs, all written here
	}
	return l
}

func (s *Server) registerSTAC(mux httpx.Mux, hapi huma.API) {
	mux.HandleFunc("OPTIONS "+stacRoot, preflight) // a browser follows no redirect of a preflight
	mux.HandleFunc("OPTIONS "+stacRoot+"/", preflight)
	op := func(id, method, path, summary string, h func(*http.Request) (any, string, error)) {
		handle := func(w http.ResponseWriter, r *http.Request) {
			v, typ, err := h(r)
			if err != nil {
				fail(w, r, err)
				return
			}
			writeJSON(w, r, typ, "public, max-age=30", v)
		}
		mux.HandleFunc(method+" "+path, handle)
		if method == http.MethodGet && path == stacRoot {
			mux.HandleFunc("GET "+path+"/{$}", handle)
		}
		o := &huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, Tags: []string{"STAC"},
			Responses: map[string]*huma.Response{"200": {Description: "as STAC API 1.0 describes", Content: map[string]*huma.MediaType{typeJSON: {}}},
				"400": {Description: "a parameter is wrong"}, "404": {Description: "there is no such thing"}}}
		for _, part := range strings.Split(path, "/") {
			if name, ok := strings.CutPrefix(part, "{"); ok {
				o.Parameters = append(o.Parameters, &huma.Param{Name: strings.TrimSuffix(name, "}"), In: "path", Required: true, Description: "identity", Schema: &huma.Schema{Type: "string"}})
			}
		}
		hapi.OpenAPI().AddOperation(o)
	}
	op("stac-landing", "GET", stacRoot, "STAC landing page", s.stacLanding)
	op("stac-conformance", "GET", stacRoot+"/conformance", "STAC conformance classes", func(*http.Request) (any, string, error) {
		return object{"conformsTo": stacClasses}, typeJSON, nil
	})
	op("stac-collections", "GET", stacRoot+"/collections", "Drives as STAC collections", s.stacCollections)
	op("stac-collection", "GET", stacRoot+"/collections/{id}", "A drive as STAC collection", s.stacCollection)
	op("stac-items", "GET", stacRoot+"/collections/{id}/items", "Frames of a drive as STAC items", s.stacItems)
	op("stac-item", "GET", stacRoot+"/collections/{id}/items/{item}", "A frame as STAC item", s.stacItem)
	op("stac-search", "GET", stacRoot+"/search", "Search frames", s.stacSearch)
	op("stac-search-post", "POST", stacRoot+"/search", "Search frames", s.stacSearch)
}

func (s *Server) stacLanding(r *http.Request) (any, string, error) {
	v, err := s.tiles.current(r.Context())
	if err != nil {
		return nil, "", err
	}
	links := []object{
		s.link("self", typeJSON, stacRoot), s.link("root", typeJSON, stacRoot),
		s.link("service-desc", typeOpenAPI, "/v1/openapi.json"),
		s.link("conformance", typeJSON, stacRoot+"/conformance"), s.link("data", typeJSON, stacRoot+"/collections"),
		s.link("search", typeGeoJSON, stacRoot+"/search", "method", "GET"), s.link("search", typeGeoJSON, stacRoot+"/search", "method", "POST"),
	}
	// Panoramax's viewer draws its map from here (Web Map Links extension).
	if v.layers[schema.Panoramax] != nil {
		links = append(links, s.link("xyz", typeMVT, "/v1/tiles/"+schema.Panoramax+"/{z}/{x}/{y}.mvt", "title", "Coverage"), s.link("xyz-style", typeJSON, panoramaxStyle, "title", "Coverage, drawn"))
	}
	o := object{"type": "Catalog", "stac_version": stacVersion, "id": "roadcomb", "title": "roadcomb", "conformsTo": stacClasses, "links": links,
		"description":     "Street imagery: drives are collections, frames are items. Faces and number plates are unreadable.",
		"stac_extensions": []string{"https://stac-extensions.github.io/web-map-links/v1.0.0/schema.json"}}
	// Not part of a STAC catalog, but where Panoramax's viewer looks for what to show first.
	t, err := s.totals(r.Context())
	if err != nil {
		return nil, "", err
	}
	if t.Bounds != nil {
		o["extent"] = stacExtent(*t.Bounds, t.Oldest.Format(stacLayout), t.Newest.Format(stacLayout))
	}
	return o, typeJSON, nil
}

// collection is a drive as its published frames show it; NotFound without any.
func (s *Server) collection(ctx context.Context, id string) (object, error) {
	var n int64
	var first, last, south, north, west, east *int64
	err := s.DB.QueryRow(ctx, `SELECT COUNT(*), MIN(captured_at), MAX(captured_at), MIN(lat_e7), MAX(lat_e7), MIN(lon_e7), MAX(lon_e7)
		FROM frames WHERE drive_id = $1 AND state = 'published'`, id).Scan(&n, &first, &last, &south, &north, &west, &east)
	if err == nil && n == 0 {
		err = survey.Errorf(survey.NotFound, "there is no drive %.40q with public frames", id)
	}
	if err != nil {
		return nil, err
	}
	self := stacRoot + "/collections/" + id
	a, b := stacTime(*first), stacTime(*last)
	deg := func(v *int64) float64 { return float64(*v) / 1e7 }
	return object{
		"type": "Collection", "stac_version": stacVersion, "stac_extensions": []string{"https://stac-extensions.github.io/stats/v0.2.0/schema.json"},
		"id": id, "title": "Drive of " + a[:10], "description": fmt.Sprintf("A drive of %d frames.", n), "license": s.License,
		"keywords": []string{"street imagery"}, "stats:items": object{"count": n},
		"extent": stacExtent([4]float64{deg(west), deg(south), deg(east), deg(north)}, a, b),
		"links":  []object{s.link("self", typeJSON, self), s.link("root", typeJSON, stacRoot), s.link("parent", typeJSON, stacRoot), s.link("items", typeGeoJSON, self+"/items")},
	}, nil
}

const stacLayout = "2006-01-02T15:04:05.000000Z"

func stacTime(us int64) string { return state.Time(us).Format(stacLayout) }

func stacExtent(box [4]float64, from, to string) object {
	return object{"spatial": object{"bbox": [][4]float64{box}}, "temporal": object{"interval": [][2]string{{from, to}}}}
}

func (s *Server) stacCollection(r *http.Request) (any, string, error) {
	o, err := s.collection(r.Context(), r.PathValue("id"))
	return o, typeJSON, err
}

func (s *Server) stacCollections(r *http.Request) (any, string, error) {
	ctx, q := r.Context(), r.URL.Query()
	limit, err := stacCount(q.Get("limit"), 100)
	if err != nil {
		return nil, "", err
	}
	after := q.Get("token")
	if after != "" && !survey.ValidID(after) {
		return nil, "", survey.Errorf(survey.Invalid, "token %.40q is not one that was given out", after)
	}
	rows, err := s.DB.Query(ctx, `SELECT id FROM drives WHERE id > $1 AND EXISTS (SELECT 1 FROM frames f WHERE f.drive_id = drives.id AND f.state = 'published') ORDER BY id LIMIT $2`, after, limit+1)
	if err != nil {
		return nil, "", err
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, "", err
		}
		ids = append(ids, id)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, "", err
	}
	links := []object{s.link("self", typeJSON, stacRoot+"/collections"), s.link("root", typeJSON, stacRoot)}
	if len(ids) > limit {
		ids = ids[:limit]
		links = append(links, s.link("next", typeJSON, fmt.Sprintf("%s/collections?limit=%d&token=%s", stacRoot, limit, ids[limit-1])))
	}
	out := []object{}
	for _, id := range ids {
		c, err := s.collection(ctx, id)
		if survey.KindOf(err) == survey.NotFound && err != nil { // its last frame went meanwhile
			continue
		}
		if err != nil {
			return nil, "", err
		}
		out = append(out, c)
	}
	return object{"collections": out, "links": links}, typeJSON, nil
}

func stacCount(text string, def int) (int, error) {
	if text == "" {
		return def, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, survey.Errorf(survey.Invalid, "limit %.20q is not a number from 1", text)
	}
	return min(n, stacLimit), nil
}

func (s *Server) item(f frameRow) object {
	col := stacRoot + "/collections/" + string(f.Sequence)
	lon, lat := f.Position.Lon, f.Position.Lat
	p := object{"datetime": stacTime(f.us), "license": s.License, "roadcomb:cell": f.Cell.String(), "roadcomb:quality": f.Quality.Score, "roadcomb:grade": f.Quality.Grade, "geovisio:rank_in_collection": f.Seq + 1}
	ext := []string{}
	if f.Heading != nil {
		p["view:azimuth"] = *f.Heading
		ext = append(ext, "https://stac-extensions.github.io/view/v1.0.0/schema.json")
	}
	if f.Accuracy > 0 {
		p["quality:horizontal_accuracy"] = f.Accuracy
	}
	small := func(width int, title string, roles ...string) object {
		return object{"href": f.Image.URL + "&width=" + strconv.Itoa(width), "type": "image/jpeg", "roles": roles, "title": title}
	}
	return object{
		"type": "Feature", "stac_version": stacVersion, "stac_extensions": ext, "id": f.ID, "collection": f.Sequence,
		"geometry": object{"type": "Point", "coordinates": [2]float64{lon, lat}}, "bbox": [4]float64{lon, lat, lon, lat}, "properties": p,
		"links": []object{s.link("self", typeGeoJSON, col+"/items/"+string(f.ID)), s.link("root", typeJSON, stacRoot), s.link("parent", typeJSON, col), s.link("collection", typeJSON, col)},
		"assets": object{
			"hd":    object{"href": f.Image.URL, "type": "image/jpeg", "roles": []string{"data"}, "title": "Redacted image"},
			"sd":    small(thumbWidths[1], "Preview", "visual"),
			"thumb": small(thumbWidths[0], "Thumbnail", "thumbnail"),
		},
	}
}

func (s *Server) stacItem(r *http.Request) (any, string, error) {
	ctx := r.Context()
	f, err := s.frame(ctx, r.PathValue("item"))
	if err == nil && string(f.Sequence) != r.PathValue("id") {
		err = survey.Errorf(survey.NotFound, "drive %.40q has no frame %s", r.PathValue("id"), f.ID)
	}
	if err != nil {
		return nil, "", err
	}
	o := s.item(f)
	for rel, where := range map[string]string{"prev": "seq < $2 ORDER BY seq DESC", "next": "seq > $2 ORDER BY seq"} {
		rows, err := s.queryFrames(ctx, "drive_id = $1 AND "+where+" LIMIT 1", string(f.Sequence), f.Seq)
		if err != nil {
			return nil, "", err
		}
		for _, n := range rows {
			l := s.link(rel, typeGeoJSON, stacRoot+"/collections/"+string(n.Sequence)+"/items/"+string(n.ID))
			l["id"], l["geometry"] = n.ID, object{"type": "Point", "coordinates": [2]float64{n.Position.Lon, n.Position.Lat}}
			o["links"] = append(o["links"].([]object), l)
		}
	}
	slices.SortFunc(o["links"].([]object), func(a, b object) int { return strings.Compare(a["rel"].(string), b["rel"].(string)) })
	return o, typeGeoJSON, nil
}

func (s *Server) features(rows []frameRow, links []object) object {
	out := make([]object, 0, len(rows))
	for _, f := range rows {
		out = append(out, s.item(f))
	}
	return object{"type": "FeatureCollection", "features": out, "links": links, "numberReturned": len(out)}
}

func (s *Server) stacItems(r *http.Request) (any, string, error) {
	id, q := r.PathValue("id"), r.URL.Query()
	limit, err := stacCount(q.Get("limit"), 10)
	if err != nil {
		return nil, "", err
	}
	if _, err := s.collection(r.Context(), id); err != nil {
		return nil, "", err
	}
	f := stacFilter{where: "drive_id = $1", args: []any{id}}
	if err := errors.Join(f.box(s, q.Get("bbox")), f.time(q.Get("datetime"))); err != nil {
		return nil, "", err
	}
	from := -1
	if t := q.Get("token"); t != "" {
		if from, err = strconv.Atoi(t); err != nil {
			return nil, "", survey.Errorf(survey.Invalid, "token %.40q is not one that was given out", t)
		}
	}
	rows, err := s.queryFrames(r.Context(), f.where+" AND seq > "+f.arg(from)+" ORDER BY seq LIMIT "+f.arg(limit+1), f.args...)
	if err != nil {
		return nil, "", err
	}
	path := stacRoot + "/collections/" + id
	links := []object{s.link("self", typeGeoJSON, path+"/items"), s.link("root", typeJSON, stacRoot), s.link("parent", typeJSON, path), s.link("collection", typeJSON, path)}
	if len(rows) > limit {
		rows = rows[:limit]
		q.Set("token", strconv.Itoa(rows[limit-1].Seq))
		links = append(links, s.link("next", typeGeoJSON, path+"/items?"+q.Encode()))
	}
	return s.features(rows, links), typeGeoJSON, nil
}

// stacQuery is a search as POST has it.
type stacQuery struct {
	BBox        []float64    `json:"bbox,omitempty"`
	Intersects  *anyGeometry `json:"intersects,omitempty"`
	DateTime    string       `json:"datetime,omitempty"`
	IDs         []string     `json:"ids,omitempty"`
	Collections []string     `json:"collections,omitempty"`
	Limit       *int         `json:"limit,omitempty"`
	Token       string       `json:"token,omitempty"`
}

// stacFilter collects conditions.
type stacFilter struct {
	where string
	args  []any
}

func (f *stacFilter) arg(v any) string {
	f.args = append(f.args, v)
	return "$" + strconv.Itoa(len(f.args))
}

func (f *stacFilter) and(cond string) { f.where += " AND " + cond }

func (f *stacFilter) box(s *Server, text string) error {
	if text == "" {
		return nil
	}
	var b []float64
	for part := range strings.SplitSeq(text, ",") {
		v, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil {
			return survey.Errorf(survey.Invalid, "bbox %.80q is not west,south,east,north", text)
		}
		b = append(b, v)
	}
	return f.bounds(s, b)
}

func (f *stacFilter) bounds(s *Server, b []float64) error {
	if len(b) == 6 { // with altitudes
		b = []float64{b[0], b[1], b[3], b[4]}
	}
	bad := survey.Errorf(survey.Invalid, "bbox %v is not west,south,east,north in degrees", b)
	if len(b) != 4 {
		return bad
	}
	box := geo.Bounds{West: b[0], South: b[1], East: b[2], North: b[3]}
	if !(geo.Point{Lat: box.South, Lon: box.West}).Valid() || !(geo.Point{Lat: box.North, Lon: box.East}).Valid() || box.South > box.North {
		return bad
	}
	e7 := func(v float64) string { return f.arg(int64(math.Round(v * 1e7))) }
	f.and("lat_e7 BETWEEN " + e7(box.South) + " AND " + e7(box.North))
	if box.West <= box.East {
		f.and("lon_e7 BETWEEN " + e7(box.West) + " AND " + e7(box.East))
	} else {
		f.and("(lon_e7 >= " + e7(box.West) + " OR lon_e7 <= " + e7(box.East) + ")")
	}
	// A small box goes by the index of cells; a wide one by time.
	if cs, err := hex.Cover(box, min(8, s.Resolution), 300); err == nil && len(cs) > 0 {
		f.cells(s, hex.Around(cs))
	}
	return nil
}

// area narrows to what may lie in a: its cells, or the box around them when they are too many.
func (f *stacFilter) area(s *Server, a area) {
	if cs, err := a.cells(min(8, s.Resolution), 1000); err == nil {
		f.cells(s, hex.Around(cs))
		return
	}
	const margin = 1e-3 // degrees: a line's middle bulges out of the box around its ends
	b, narrow := a.bounds()
	e7 := func(v float64) string { return f.arg(int64(math.Round(v * 1e7))) }
	f.and("lat_e7 BETWEEN " + e7(b.South-margin) + " AND " + e7(b.North+margin))
	if narrow {
		f.and("lon_e7 BETWEEN " + e7(b.West-margin) + " AND " + e7(b.East+margin))
	}
}

func (f *stacFilter) cells(s *Server, cs []survey.Cell) {
	f.and(cellsIn("cell", cs, s.Resolution, f.arg))
}

// time reads an instant or an interval with open ends ("..", "").
func (f *stacFilter) time(text string) error {
	if text == "" {
		return nil
	}
	from, to, interval := strings.Cut(text, "/")
	if !interval {
		to = from
	}
	open := func(t string) bool { return t == "" || t == ".." }
	if open(from) && open(to) {
		return survey.Errorf(survey.Invalid, "datetime %.80q is open on both sides", text)
	}
	var at [2]time.Time
	for i, t := range []string{from, to} {
		if open(t) {
			continue
		}
		v, err := time.Parse(time.RFC3339Nano, strings.ToUpper(t))
		if err != nil || strings.Contains(t, ",") { // which Parse takes for a point
			return survey.Errorf(survey.Invalid, "datetime %.80q is not RFC 3339", text)
		}
		at[i] = v
		f.and("captured_at " + []string{">=", "<="}[i] + " " + f.arg(v.UnixMicro()))
	}
	if !at[0].IsZero() && !at[1].IsZero() && at[0].After(at[1]) {
		return survey.Errorf(survey.Invalid, "datetime %.80q ends before it begins", text)
	}
	return nil
}

func (f *stacFilter) in(column string, values []string) error {
	if len(values) > stacLimit {
		return survey.Errorf(survey.Invalid, "at most %d ids at a time", stacLimit)
	}
	if len(values) == 0 {
		return nil
	}
	var in []string
	for _, v := range values {
		in = append(in, f.arg(v))
	}
	f.and(column + " IN (" + strings.Join(in, ", ") + ")")
	return nil
}

func (s *Server) stacSearch(r *http.Request) (any, string, error) {
	q, err := readSearch(r)
	if err != nil {
		return nil, "", err
	}
	limit := 10
	if q.Limit != nil {
		if limit = min(*q.Limit, stacLimit); limit < 1 {
			return nil, "", survey.Errorf(survey.Invalid, "limit %d is not a number from 1", *q.Limit)
		}
	}
	f := stacFilter{where: "1 = 1"}
	if len(q.BBox) > 0 && q.Intersects != nil {
		return nil, "", survey.Errorf(survey.Invalid, "bbox and intersects exclude each other")
	}
	if len(q.BBox) > 0 {
		if err := f.bounds(s, q.BBox); err != nil {
			return nil, "", err
		}
	}
	inside := func(geo.Point) bool { return true }
	if q.Intersects != nil {
		// A frame is a point: what is no area is met within a metre.
		a, err := q.Intersects.area(1)
		if err != nil {
			return nil, "", err
		}
		inside = a.inside
		f.area(s, a)
	}
	if err := errors.Join(f.time(q.DateTime), f.in("id", q.IDs), f.in("drive_id", q.Collections)); err != nil {
		return nil, "", err
	}
	us, id, err := timeCursor(q.Token)
	if err != nil {
		return nil, "", err
	}
	var got []frameRow
	n := len(f.args)
	where := fmt.Sprintf("%s AND (captured_at, id) < ($%d, $%d) ORDER BY captured_at DESC, id DESC LIMIT %d", f.where, n+1, n+2, limit+1)
	scanned, cut := 0, false
	for len(got) <= limit {
		// A thin shape in a busy box gives short pages rather than late ones.
		if cut = scanned > stacScan && len(got) > 0; cut {
			break
		}
		rows, err := s.queryFrames(r.Context(), where, append(f.args[:n:n], us, id)...)
		if err != nil {
			return nil, "", err
		}
		scanned += len(rows)
		for _, row := range rows {
			us, id = row.us, string(row.ID)
			if inside(row.Position) {
				got = append(got, row)
			}
		}
		if len(rows) <= limit {
			break
		}
	}
	links := []object{s.link("self", typeGeoJSON, stacRoot+"/search"), s.link("root", typeJSON, stacRoot)}
	if len(got) > limit || cut {
		token := encodeCursor(strconv.FormatInt(us, 10), id)
		if len(got) > limit {
			got = got[:limit]
			token = byTime(got[limit-1])
		}
		if r.Method == http.MethodPost {
			l := s.link("next", typeGeoJSON, stacRoot+"/search", "method", "POST")
			l["merge"], l["body"] = true, object{"token": token}
			links = append(links, l)
		} else {
			v := r.URL.Query()
			v.Set("token", token)
			links = append(links, s.link("next", typeGeoJSON, stacRoot+"/search?"+v.Encode(), "method", "GET"))
		}
	}
	return s.features(got, links), typeGeoJSON, nil
}

func readSearch(r *http.Request) (q stacQuery, err error) {
	if r.Method == http.MethodPost {
		d := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<20))
		if err := d.Decode(&q); err != nil {
			return q, survey.Errorf(survey.Invalid, "the body is not a STAC search in JSON")
		}
		return q, nil
	}
	v := r.URL.Query()
	list := func(name string) []string {
		if v.Get(name) == "" {
			return nil
		}
		return strings.Split(v.Get(name), ",")
	}
	q = stacQuery{DateTime: v.Get("datetime"), IDs: list("ids"), Collections: list("collections"), Token: v.Get("token")}
	for _, part := range list("bbox") {
		f, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil {
			return q, survey.Errorf(survey.Invalid, "bbox %.80q is not west,south,east,north", v.Get("bbox"))
		}
		q.BBox = append(q.BBox, f)
	}
	if t := v.Get("intersects"); t != "" {
		q.Intersects = &anyGeometry{}
		if err := json.NewDecoder(bytes.NewReader([]byte(t))).Decode(q.Intersects); err != nil {
			return q, survey.Errorf(survey.Invalid, "intersects is not a GeoJSON geometry")
		}
	}
	if t := v.Get("limit"); t != "" {
		n, err := stacCount(t, 10)
		if err != nil {
			return q, err
		}
		q.Limit = &n
	}
	return q, nil
}
