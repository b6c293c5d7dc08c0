package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/tiles/api"
	"github.com/roadcomb/roadcomb/tiles/api/keys"
)

// Whatever a customer gets wrong, the answer is a problem that says what, in every operation of the document that takes
// anything, and never an internal error.
func TestWhatIsWrongWithARequestIsSaid(t *testing.T) {
	s := newShop(t, api.Config{}, keys.Options{Credits: 10_000, PerMinute: 1e6, PerDay: 1e6})
	_, old, err := keys.Create(t.Context(), s.db, "expired", keys.Options{Expires: s.now.Add(time.Second)}, s.now)
	if err != nil {
		t.Fatal(err)
	}
	s.now = s.now.Add(time.Minute)
	_, elsewhere, err := keys.Create(t.Context(), s.db, "web", keys.Options{Origins: []string{"https://good.example"}}, s.now)
	if err != nil {
		t.Fatal(err)
	}
	lon, lat := s.Center.Lon, s.Center.Lat
	point := fmt.Sprintf(`{"type":"Point","coordinates":[%f,%f]}`, lon, lat)
	ring := func(ps string) string { return `{"type":"Polygon","coordinates":[[` + ps + `]]}` }
	// An area is asked for in three operations; each has words of its own for the field.
	areas := map[string]string{
		"huge":                     ring(`[0,0],[10,0],[10,10],[0,10],[0,0]`),
		"the world":                ring(`[-180,-90],[180,-90],[180,90],[-180,90],[-180,-90]`),
		"around a pole":            ring(`[0,89.9999],[90,89.9999],[180,89.9999],[-90,89.9999],[0,89.9999]`),
		"beyond the antimeridian":  ring(`[179.999,10],[180.001,10],[180.001,10.001],[179.999,10]`),
		"latitude first":           ring(`[43.73,97.42],[43.74,97.43],[43.73,97.43],[43.73,97.42]`),
		"not closed":               ring(`[7.42,43.73],[7.43,43.73],[7.43,43.74]`),
		"no ring":                  `{"type":"Polygon","coordinates":[]}`,
		"coordinates are null":     `{"type":"Polygon","coordinates":null}`,
		"coordinates are text":     `{"type":"Point","coordinates":["7.4",43.7]}`,
		"a point without latitude": `{"type":"Point","coordinates":[7.4]}`,
		"a number beyond floats":   `{"type":"Point","coordinates":[1e400,1]}`,
		"no type":                  `{"coordinates":[1,2]}`,
		"unknown type":             `{"type":"Circle","coordinates":[1,2]}`,
		"text":                     `"POINT(1 2)"`,
		"deep":                     strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000),
		"null":                     `null`,
	}
	const imagery, renew, signs, stac = "POST /v1/imagery/search", "POST /v1/imagery/renew", "POST /v1/map-features/search", "POST /v1/stac/search"
	type wrong struct {
		name, op, query, body string
		at                    string // the path, where op's has parameters
		header                []string
		want                  int
	}
	var all []wrong
	for _, name := range slices.Sorted(maps.Keys(areas)) {
		g := areas[name]
		all = append(all, wrong{name: name, op: imagery, body: `{"geometry":` + g + `}`}, wrong{name: name, op: signs, body: `{"geometry":` + g + `}`})
		// STAC bounds no area, and no geometry is none.
		if name != "huge" && name != "the world" && name != "around a pole" && name != "null" {
			all = append(all, wrong{name: name, op: stac, body: `{"intersects":` + g + `}`}, wrong{name: name, op: "GET /v1/stac/search", query: "intersects=" + url.QueryEscape(g)})
		}
	}
	for _, more := range []string{`"limit":1000000000`, `"limit":0`, `"limit":-1`, `"limit":"x"`, `"limit":1e30`, `"cursor":"garbage"`, `"cursor":"AAAA//=="`, `"cursor":"` + strings.Repeat("A", 50_000) + `"`,
		`"min_week":"next week"`, `"min_week":"2026-05-05"`, `"min_week":"2026-05-11","max_week":"2026-05-04"`, `"azimuth":-5`, `"azimuth":361`, `"azimuth":1,"tolerance":500`, `"min_quality":7`, `"meters":-1`, `"meters":1e9`, `"colour":"red"`} {
		all = append(all, wrong{name: more, op: imagery, body: `{"geometry":` + point + `,` + more + `}`})
	}
	for _, more := range []string{`"limit":1000000000`, `"limit":0`, `"cursor":"garbage"`, `"cursor":"enp6"`, `"class":"tree"`, `"since":"yesterday"`, `"min_confidence":2`, `"meters":501`, `"colour":"red"`} {
		all = append(all, wrong{name: more, op: signs, body: `{"geometry":` + point + `,` + more + `}`})
	}
	for _, b := range []string{`{"bbox":[1,2,3,4],"intersects":` + point + `}`, `{"limit":-3}`, `{"token":"garbage"}`, `{"datetime":"2099"}`, `{"ids":"x"}`, `{"bbox":["a","b","c","d"]}`, `{`} {
		all = append(all, wrong{name: b, op: stac, body: b})
	}
	for _, b := range []string{``, `{`, `[]`, `null`, `{}`} {
		all = append(all, wrong{name: "body " + b, op: imagery, body: b}, wrong{name: "body " + b, op: renew, body: b}, wrong{name: "body " + b, op: signs, body: b})
	}
	all = append(all,
		wrong{name: "no key", op: imagery, body: `{"geometry":` + point + `}`, header: []string{"X-API-Key", ""}, want: 401},
		wrong{name: "an expired key", op: imagery, body: `{"geometry":` + point + `}`, header: []string{"X-API-Key", old}, want: 401},
		wrong{name: "a long key", op: imagery, body: `{"geometry":` + point + `}`, header: []string{"X-API-Key", strings.Repeat("k", 5000)}, want: 401},
		wrong{name: "another origin", op: imagery, body: `{"geometry":` + point + `}`, header: []string{"X-API-Key", elsewhere, "Origin", "https://evil.example"}, want: 403},
		wrong{name: "no origin", op: imagery, body: `{"geometry":` + point + `}`, header: []string{"X-API-Key", elsewhere}, want: 403},
		wrong{name: "a long Idempotency-Key", op: imagery, body: `{"geometry":` + point + `}`, header: []string{"Idempotency-Key", strings.Repeat("k", 3000)}},
		wrong{name: "not JSON", op: imagery, body: `hi`, header: []string{"Content-Type", "text/plain"}, want: 415},
		wrong{name: "a body of 2 MB", op: imagery, body: `{"geometry":{"type":"LineString","coordinates":[` + strings.Repeat("[1,1],", 350_000) + `[1,1]]}}`, want: 413},
		wrong{name: "no key", op: renew, body: `{"frames":["x"]}`, header: []string{"X-API-Key", ""}, want: 401},
		wrong{name: "no frames", op: renew, body: `{"frames":[]}`},
		wrong{name: "too many frames", op: renew, body: `{"frames":["x"` + strings.Repeat(`,"x"`, 5000) + `]}`},
		wrong{name: "no key", op: "GET /v1/usage", header: []string{"X-API-Key", ""}, want: 401},
		wrong{name: "no operator", op: "POST /v1/tiles/purge", body: `{}`, want: 401},
		wrong{name: "no layer", op: "GET /v1/tiles/{layer}.json", at: "/v1/tiles/nothing.json", want: 404},
		wrong{name: "beyond the zooms", op: "GET /v1/tiles/{layer}/{z}/{x}/{y}", at: "/v1/tiles/coverage/99/1/1.mvt", want: 404},
		wrong{name: "beyond the zooms", op: "GET /v1/tiles/{layer}/v/{version}/{z}/{x}/{y}", at: "/v1/tiles/coverage/v/0123456789abcdef/99/1/1.mvt", want: 404},
		wrong{name: "no cell", op: "GET /v1/cells/{h3}/frames", at: "/v1/cells/xyz/frames", want: 400},
		wrong{name: "huge limit", op: "GET /v1/cells/{h3}/frames", at: "/v1/cells/8b3969a41d15fff/frames", query: "limit=1000000"},
		wrong{name: "garbage cursor", op: "GET /v1/cells/{h3}/frames", at: "/v1/cells/8b3969a41d15fff/frames", query: "cursor=garbage"},
		wrong{name: "no frame", op: "GET /v1/frames/{id}", at: "/v1/frames/%00", want: 404},
		wrong{name: "no frame", op: "GET /v1/frames/{id}/image.jpg", at: "/v1/frames/x/image.jpg", want: 404},
		wrong{name: "no such width", op: "GET /v1/frames/{id}/image.jpg", at: "/v1/frames/" + string(s.Frames[0]) + "/image.jpg", query: "width=7"},
		wrong{name: "no signature", op: "GET /v1/imagery/frames/{id}/image.jpg", at: "/v1/imagery/frames/" + string(s.Frames[0]) + "/image.jpg", want: 403},
		wrong{name: "no drive", op: "GET /v1/sequences/{id}/frames", at: "/v1/sequences/x/frames", want: 404},
		wrong{name: "limit 0", op: "GET /v1/sequences/{id}/frames", at: "/v1/sequences/x/frames", query: "limit=0"},
		wrong{name: "no sign", op: "GET /v1/map-features/{id}", at: "/v1/map-features/x", want: 404},
	)
	for _, q := range []string{"", "bbox=1,2", "bbox=a,b,c,d", "bbox=NaN,NaN,NaN,NaN", "bbox=-180,-90,180,90", "bbox=7.5,43,7.4,44", "bbox=7.41,43.75,7.43,43.72", "bbox=7.41,43.72,7.43,43.75&limit=99999999", "bbox=7.41,43.72,7.43,43.75&cursor=zzz",
		"bbox=7.41,43.72,7.43,43.75&point=1,2", "point=7.42", "point=7.42,43.73&meters=1e9", "point=43.73,97.42", "line=1,2", "line=x", "point=7.42,43.73&since=yesterday"} {
		all = append(all, wrong{name: q, op: "GET /v1/map-features", query: q})
	}
	for _, q := range []string{"bbox=1", "bbox=10,0,5,-5", "bbox=a,b,c,d", "datetime=x", "datetime=../..", "datetime=2026-02-01T00:00:00Z/2026-01-01T00:00:00Z", "limit=0", "limit=x", "token=garbage", "ids=" + strings.Repeat("a,", 2000) + "b"} {
		all = append(all, wrong{name: q, op: "GET /v1/stac/search", query: q})
	}
	all = append(all,
		wrong{name: "garbage token", op: "GET /v1/stac/collections", query: "token=zz"},
		wrong{name: "limit", op: "GET /v1/stac/collections", query: "limit=-1"},
		wrong{name: "no drive", op: "GET /v1/stac/collections/{id}", at: "/v1/stac/collections/x", want: 404},
		wrong{name: "no drive", op: "GET /v1/stac/collections/{id}/items", at: "/v1/stac/collections/x/items", want: 404},
		wrong{name: "garbage token", op: "GET /v1/stac/collections/{id}/items", at: "/v1/stac/collections/" + string(s.Drives[0]) + "/items", query: "token=garbage", want: 400},
		wrong{name: "no frame", op: "GET /v1/stac/collections/{id}/items/{item}", at: "/v1/stac/collections/x/items/y", want: 404},
		wrong{name: "no layer", op: "GET /v1/ogc/collections/{id}", at: "/v1/ogc/collections/x", want: 404},
		wrong{name: "no layer", op: "GET /v1/ogc/collections/{id}/tiles", at: "/v1/ogc/collections/x/tiles", want: 404},
		wrong{name: "no layer", op: "GET /v1/ogc/collections/{id}/tiles/WebMercatorQuad", at: "/v1/ogc/collections/x/tiles/WebMercatorQuad", want: 404},
		wrong{name: "no tile", op: "GET /v1/ogc/collections/{id}/tiles/WebMercatorQuad/{tileMatrix}/{tileRow}/{tileCol}", at: "/v1/ogc/collections/coverage/tiles/WebMercatorQuad/x/0/0", want: 400},
	)
	tried := map[string]bool{}
	for _, c := range all {
		tried[c.op] = true
		method, path, _ := strings.Cut(c.op, " ")
		if c.at != "" {
			path = c.at
		}
		r := httptest.NewRequest(method, path+"?"+c.query, strings.NewReader(c.body))
		if method == http.MethodPost {
			r.Header.Set("Content-Type", "application/json")
		}
		r.Header.Set("X-API-Key", s.secret)
		for i := 0; i < len(c.header); i += 2 {
			r.Header.Set(c.header[i], c.header[i+1])
			if c.header[i+1] == "" {
				r.Header.Del(c.header[i])
			}
		}
		rec := httptest.NewRecorder()
		s.mux.ServeHTTP(rec, r)
		var p httpx.Problem
		res, b := rec.Result(), rec.Body.Bytes()
		bad := json.Unmarshal(b, &p) != nil || res.Header.Get("Content-Type") != "application/problem+json" || !strings.HasPrefix(p.Type, "urn:roadcomb:problem:") || p.Detail == "" || p.Status != res.StatusCode
		if res.StatusCode < 400 || res.StatusCode > 499 || c.want != 0 && res.StatusCode != c.want || bad {
			t.Errorf("%s, %.60s: %d, want %d; %s %.300s", c.op, c.name, res.StatusCode, c.want, res.Header.Get("Content-Type"), b)
		}
	}
	// What the document has is tried, but for what takes nothing.
	for path, item := range s.hapi.OpenAPI().Paths {
		for method, op := range map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch, "DELETE": item.Delete} {
			if op != nil && (len(op.Parameters) > 0 || op.RequestBody != nil) && !tried[method+" "+path] {
				t.Errorf("nothing wrong is sent to %s %s", method, path)
			}
		}
	}
}

// What is odd and right is answered.
func TestOddAreasAreAnswered(t *testing.T) {
	s := newShop(t, api.Config{}, keys.Options{Credits: 10_000, PerMinute: 1e6, PerDay: 1e6})
	lon, lat := s.Center.Lon, s.Center.Lat
	bow := fmt.Sprintf(`{"type":"Polygon","coordinates":[[[%f,%f],[%f,%f],[%f,%f],[%f,%f],[%f,%f]]]}`, lon-.01, lat-.005, lon+.01, lat+.005, lon+.01, lat-.005, lon-.01, lat+.005, lon-.01, lat-.005)
	for name, g := range map[string]string{
		"crosses itself":               bow,
		"over the antimeridian":        `{"type":"Polygon","coordinates":[[[179.999,10],[-179.999,10],[-179.999,10.001],[179.999,10.001],[179.999,10]]]}`,
		"a line over the antimeridian": `{"type":"LineString","coordinates":[[179.99,0],[-179.99,0]]}`,
		"no area":                      `{"type":"Polygon","coordinates":[[[7.42,43.73],[7.42,43.73],[7.42,43.73],[7.42,43.73]]]}`,
		"with altitude":                `{"type":"Point","coordinates":[7.42,43.73,100]}`,
		"near a pole":                  `{"type":"Point","coordinates":[20,89.9]}`,
	} {
		for _, path := range []string{"/v1/imagery/search", "/v1/map-features/search"} {
			res := s.post(path, json.RawMessage(`{"geometry":`+g+`}`))
			if b := body(t, res); res.StatusCode != http.StatusOK {
				t.Errorf("%s %s: %d %s", path, name, res.StatusCode, b)
			}
		}
	}
	if p := decode[api.ImageryPage](t, s.post("/v1/imagery/search", json.RawMessage(`{"geometry":`+bow+`,"dry_run":true}`))); p.Found == 0 {
		t.Error("nothing lies in an area that crosses itself")
	}
	// A week to come has nothing yet, and costs nothing.
	soon := survey.EpochOf(s.now.AddDate(50, 0, 0)).String()
	if p := decode[api.ImageryPage](t, s.post("/v1/imagery/search", m{"geometry": around(s.Center, 900), "min_week": soon})); len(p.Frames) != 0 || p.CreditsUsed != 0 {
		t.Errorf("%+v", p)
	}
	for _, q := range []string{"bbox=179.99,0,-179.99,0.01", "bbox=-180,0,-179.99,0.01"} {
		if res := s.get("/v1/map-features?" + q); res.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", q, res.StatusCode, body(t, res))
		}
	}
}
