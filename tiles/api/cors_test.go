package api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/roadcomb/roadcomb/tiles/api"
	"github.com/roadcomb/roadcomb/tiles/api/keys"
)

// words are the entries of a header that is a list, in lower case.
func words(h http.Header, name string) []string {
	var out []string
	for w := range strings.SplitSeq(h.Get(name), ",") {
		out = append(out, strings.ToLower(strings.TrimSpace(w)))
	}
	return out
}

// A page of any origin reads the map as the Fetch standard has browsers do it: the preflight is answered itself, not sent
// elsewhere, and allows the method and the headers that clients send; the answer, whatever its status, is for every origin
// and never for the visitor's cookies; and scripts may read what they need of its headers.
func TestAPageOfAnotherOriginReadsTheMap(t *testing.T) {
	s := newShop(t, api.Config{}, keys.Options{Credits: 10_000, PerMinute: 1e6})
	srv := httptest.NewServer(s.mux)
	defer srv.Close()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	do := func(method, path, body string, header ...string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, srv.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Origin", "https://viewer.example")
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { res.Body.Close() })
		return res
	}
	f := decode[api.Frame](t, s.get("/v1/frames/"+string(s.Frames[5])))
	tj := decode[api.TileJSON](t, s.get("/v1/tiles/coverage.json"))
	x, y := place(14, s.Center)
	versioned := strings.NewReplacer("{z}", "14", "{x}", fmt.Sprint(x), "{y}", fmt.Sprint(y)).Replace(tj.Tiles[0])
	tag := do("GET", versioned, "", "Accept-Encoding", "gzip").Header.Get("ETag")
	search := fmt.Sprintf(`{"geometry":{"type":"Point","coordinates":[%f,%f]},"meters":50}`, s.Center.Lon, s.Center.Lat)
	for _, c := range []struct {
		method, path, body, asks string
		header                   []string
		want                     int
	}{
		{"GET", "/v1/tiles", "", "if-none-match", nil, 200},
		{"GET", "/v1/tiles/coverage.json", "", "if-none-match", nil, 200},
		{"GET", tileAt("coverage", 14, s.Center), "", "if-none-match", nil, 200},
		{"GET", versioned, "", "if-none-match", nil, 200},
		{"GET", versioned, "", "if-none-match", []string{"If-None-Match", tag, "Accept-Encoding", "gzip"}, 304},
		{"GET", "/v1/tiles/coverage/14/0/0.mvt", "", "if-none-match", nil, 204},
		{"GET", "/v1/tiles/nothing/1/0/0.mvt", "", "if-none-match", nil, 404},
		{"GET", "/v1/tiles/coverage/1/x/0.mvt", "", "if-none-match", nil, 400},
		{"GET", "/v1/map", "", "if-none-match", nil, 200},
		{"GET", "/v1/frames/" + string(f.ID), "", "if-none-match", nil, 200},
		{"GET", "/v1/frames/" + string(s.Hidden), "", "if-none-match", nil, 404},
		{"GET", "/v1/cells/x/frames", "", "if-none-match", nil, 400},
		{"GET", "/v1/cells/" + f.Cell.String() + "/frames?limit=-1", "", "if-none-match", nil, 422},
		{"GET", "/v1/map-features/x", "", "if-none-match", nil, 404},
		{"GET", f.Image.URL, "", "if-none-match", nil, 200},
		{"GET", "/v1/cells/" + f.Cell.Parent(9).String() + "/frames", "", "if-none-match", nil, 200},
		{"GET", "/v1/sequences/" + string(f.Sequence) + "/frames", "", "if-none-match", nil, 200},
		{"GET", "/v1/usage", "", "x-api-key", []string{"X-API-Key", s.secret}, 200},
		{"GET", "/v1/usage", "", "authorization", nil, 401},
		{"POST", "/v1/imagery/search", search, "content-type, idempotency-key, x-api-key", []string{"X-API-Key", s.secret, "Content-Type", "application/json"}, 200},
		{"POST", "/v1/imagery/search", search, "authorization, content-type", []string{"Content-Type", "application/json"}, 401},
		{"GET", "/v1/stac", "", "if-none-match", nil, 200},
		{"GET", "/v1/stac/collections", "", "if-none-match", nil, 200},
		{"POST", "/v1/stac/search", `{"limit":1}`, "content-type", []string{"Content-Type", "application/json"}, 200},
		{"GET", "/v1/ogc", "", "if-none-match", nil, 200},
		{"GET", "/v1/ogc/conformance", "", "if-none-match", nil, 200},
	} {
		pre := do("OPTIONS", c.path, "", "Access-Control-Request-Method", c.method, "Access-Control-Request-Headers", c.asks)
		if pre.StatusCode != 204 || pre.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("preflight of %s %s answers %d %v", c.method, c.path, pre.StatusCode, pre.Header)
		}
		if !slices.Contains(words(pre.Header, "Access-Control-Allow-Methods"), strings.ToLower(c.method)) {
			t.Errorf("preflight of %s %s allows %q", c.method, c.path, pre.Header.Get("Access-Control-Allow-Methods"))
		}
		for h := range strings.SplitSeq(c.asks, ", ") {
			if !slices.Contains(words(pre.Header, "Access-Control-Allow-Headers"), h) {
				t.Errorf("preflight of %s %s does not allow %s", c.method, c.path, h)
			}
		}
		res := do(c.method, c.path, c.body, c.header...)
		if res.StatusCode != c.want || res.Header.Get("Access-Control-Allow-Origin") != "*" || res.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s %s answers %d, want %d: %v", c.method, c.path, res.StatusCode, c.want, res.Header)
		}
		for _, h := range []string{"etag", "ratelimit", "ratelimit-policy", "retry-after", "link"} {
			if !slices.Contains(words(res.Header, "Access-Control-Expose-Headers"), h) {
				t.Errorf("%s %s (%d) hides %s from scripts", c.method, c.path, res.StatusCode, h)
			}
		}
	}
}
