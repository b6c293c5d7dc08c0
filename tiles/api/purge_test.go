package api_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/operators"
	"github.com/roadcomb/roadcomb/pkg/testkit"
	"github.com/roadcomb/roadcomb/tiles/api"
	"github.com/roadcomb/roadcomb/tiles/api/maptest"
	"github.com/roadcomb/roadcomb/tiles/purge"
)

func TestTheOperatorDropsWhatCachesHold(t *testing.T) {
	var mu sync.Mutex
	var told []string
	cdn := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		var b map[string][]string
		raw, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(raw, &b); err != nil {
			t.Error(err)
		}
		told = append(told, b["tags"]...)
	}))
	defer cdn.Close()
	w := &world{db: testkit.DB(t), st: testkit.S3(t), mux: http.NewServeMux()}
	w.Town = maptest.Fill(t, w.db, w.st, 2, 30, "")
	hook, err := purge.New(w.db, purge.Config{URL: cdn.URL, Format: purge.CacheTags})
	if err != nil {
		t.Fatal(err)
	}
	api.Register(w.mux, httpx.NewAPI(w.mux, "test", "1"), api.Deps{DB: w.db, Store: w.st, Operators: operators.New(w.db, operators.Config{RootToken: "op"}), Purge: hook})
	post := func(token, body string) *http.Response {
		r := httptest.NewRequest(http.MethodPost, "/v1/tiles/purge", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+token)
		rec := httptest.NewRecorder()
		w.mux.ServeHTTP(rec, r)
		return rec.Result()
	}
	tile := w.get(tileAt("coverage", 14, w.Center))
	image := w.get("/v1/frames/" + string(w.Frames[0]) + "/image.jpg")
	tags := func(r *http.Response) []string { return strings.Split(r.Header.Get("Cache-Tag"), ",") }
	if r := w.get("/v1/tiles/coverage.json"); !slices.Contains(tags(r), "tiles/coverage.json") {
		t.Error(r.Header)
	}
	for _, token := range []string{"", "wrong", "op2"} {
		if r := post(token, `{"everything": true}`); r.StatusCode != 401 {
			t.Errorf("token %q: %d", token, r.StatusCode)
		}
	}
	for body, want := range map[string]int{
		`{}`: 400, `{"layers": ["nothing"]}`: 404, `{"frames": ["../x"]}`: 400, `{"bbox": [1,2,3]}`: 422, `{"bbox": [7,44,6,43]}`: 400, `{"bbox": [-180,-85,180,85]}`: 400, `{"url": "http://x"}`: 422,
	} {
		if r := post("op", body); r.StatusCode != want {
			t.Errorf("%s: %d, want %d", body, r.StatusCode, want)
		}
	}
	if len(told) != 0 {
		t.Fatal("a refused purge told the cache:", told)
	}
	for _, c := range []struct {
		body string
		of   *http.Response
		hits bool
	}{
		{`{"layers": ["coverage"]}`, tile, true}, {`{"layers": ["images"]}`, tile, false},
		{`{"bbox": [7.41, 43.72, 7.43, 43.75]}`, tile, true}, {`{"bbox": [7.41, 43.72, 7.43, 43.75], "layers": ["images"]}`, tile, false}, {`{"bbox": [13, 55, 13.1, 55.1]}`, tile, false},
		{`{"everything": true}`, tile, true}, {`{"everything": true}`, image, true},
		{`{"frames": ["` + string(w.Frames[0]) + `"]}`, image, true}, {`{"frames": ["` + string(w.Frames[1]) + `"]}`, image, false}, {`{"layers": ["coverage"]}`, image, false},
	} {
		told = nil
		p := decode[api.Purged](t, post("op", c.body))
		if !p.Hook || p.Waiting != 0 || p.Sent != len(told) || len(told) == 0 {
			t.Errorf("%s: %+v, the cache heard of %d keys", c.body, p, len(told))
		}
		hit := slices.ContainsFunc(tags(c.of), func(k string) bool { return slices.Contains(told, k) })
		if hit != c.hits {
			t.Errorf("%s drops %v: %v, want %v", c.body, tags(c.of), hit, c.hits)
		}
	}
	// The map is served on as before.
	if again := w.get(tileAt("coverage", 14, w.Center)); again.StatusCode != 200 || again.Header.Get("ETag") != tile.Header.Get("ETag") {
		t.Error(again.StatusCode)
	}
	cdn.Close()
	if r := post("op", `{"everything": true}`); r.StatusCode != 503 {
		t.Errorf("a cache that is away: %d", r.StatusCode)
	}
	if n, err := hook.Waiting(t.Context()); n != 2 || err != nil {
		t.Errorf("%d keys wait: %v", n, err)
	}
}
