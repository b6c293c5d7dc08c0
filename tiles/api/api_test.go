package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image/jpeg"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/klauspost/compress/gzip"
	"github.com/paulmach/orb/encoding/mvt"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/testkit"
	"github.com/roadcomb/roadcomb/tiles/api"
	"github.com/roadcomb/roadcomb/tiles/api/maptest"
	"github.com/roadcomb/roadcomb/tiles/archive"
)

type world struct {
	*maptest.Town
	db   *state.DB
	st   *store.Store
	mux  *http.ServeMux
	hapi huma.API
}

func newWorld(t testing.TB, c api.Config) *world {
	t.Helper()
	w := &world{db: testkit.DB(t), st: testkit.S3(t), mux: http.NewServeMux()}
	w.Town = maptest.Fill(t, w.db, w.st, 6, 60, "")
	w.hapi = httpx.NewAPI(w.mux, "test", "1")
	api.Register(w.mux, w.hapi, api.Deps{DB: w.db, Store: w.st, Config: c})
	return w
}

func (w *world) do(method, path string, header ...string) *http.Response {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.mux.ServeHTTP(rec, r)
	return rec.Result()
}

func (w *world) get(path string, header ...string) *http.Response {
	return w.do(http.MethodGet, path, header...)
}

func body(t testing.TB, res *http.Response) []byte {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decode[T any](t testing.TB, res *http.Response) (v T) {
	t.Helper()
	b := body(t, res)
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%d: %s", res.StatusCode, b)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	return v
}

// tileAt is the path of the tile of layer that holds p.
func tileAt(layer string, z int, p geo.Point) string {
	x, y := place(z, p)
	return fmt.Sprintf("/v1/tiles/%s/%d/%d/%d.mvt", layer, z, x, y)
}

func TestTileIsTheStoredOneInTheEncodingAskedFor(t *testing.T) {
	w := newWorld(t, api.Config{})
	path := tileAt("coverage", 14, w.Center)
	packed := w.get(path, "Accept-Encoding", "br, gzip")
	plain := w.get(path, "Accept-Encoding", "identity")
	for _, r := range []*http.Response{packed, plain} {
		if r.StatusCode != 200 || r.Header.Get("Content-Type") != "application/vnd.mapbox-vector-tile" || r.Header.Get("Vary") != "Accept-Encoding" {
			t.Fatalf("%d %v", r.StatusCode, r.Header)
		}
	}
	zr, err := gzip.NewReader(packed.Body)
	if err != nil || packed.Header.Get("Content-Encoding") != "gzip" {
		t.Fatal(err, packed.Header)
	}
	a, err := io.ReadAll(zr)
	if err != nil {
		t.Fatal(err)
	}
	if b := body(t, plain); plain.Header.Get("Content-Encoding") != "" || !bytes.Equal(a, b) || plain.Header.Get("Content-Length") != fmt.Sprint(len(b)) {
		t.Fatal("the plain form differs from the packed one")
	}
	if packed.Header.Get("ETag") == plain.Header.Get("ETag") || strings.HasPrefix(plain.Header.Get("ETag"), "W/") {
		t.Fatal("two encodings share an ETag, or it is weak")
	}
	layers, err := mvt.Unmarshal(a)
	if err != nil || len(layers) != 1 || layers[0].Name != "coverage" || len(layers[0].Features) == 0 {
		t.Fatal(err, layers)
	}
	if got := packed.Header.Get("Surrogate-Key"); !strings.HasPrefix(got, "tiles tiles/coverage tiles/coverage/6/") {
		t.Fatal(got)
	}
}

func TestUnchangedTileCostsA304AndHeadHasNoBody(t *testing.T) {
	w := newWorld(t, api.Config{})
	path := tileAt("images", 14, w.Center)
	res := w.get(path, "Accept-Encoding", "gzip")
	tag := res.Header.Get("ETag")
	for _, m := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
		r := w.get(path, "Accept-Encoding", "gzip", "If-None-Match", m)
		if r.StatusCode != 304 || len(body(t, r)) != 0 || r.Header.Get("ETag") != tag || r.Header.Get("Cache-Control") == "" {
			t.Errorf("If-None-Match %s: %d", m, r.StatusCode)
		}
	}
	if r := w.get(path, "Accept-Encoding", "identity", "If-None-Match", tag); r.StatusCode != 200 {
		t.Error("the tag of one encoding matched the other")
	}
	srv := httptest.NewServer(w.mux)
	defer srv.Close()
	r, err := http.Head(srv.URL + path)
	if err != nil || r.StatusCode != 200 || len(body(t, r)) != 0 || r.ContentLength <= 0 {
		t.Error(err, r)
	}
}

func TestEmptyTilesAndPlacesOutsideDiffer(t *testing.T) {
	w := newWorld(t, api.Config{})
	for path, want := range map[string]int{
		tileAt("coverage", 14, geo.Point{Lat: -33, Lon: 151}): 204,
		"/v1/tiles/coverage/15/0/0.mvt":                       404, // past the layer's zooms
		"/v1/tiles/images/3/0/0.mvt":                          404,
		"/v1/tiles/coverage/2/4/0.mvt":                        404, // outside the world
		"/v1/tiles/coverage/2/0/4.mvt":                        404,
		"/v1/tiles/coverage/99/0/0.mvt":                       404,
		"/v1/tiles/coverage/1/0/0.pbf":                        404,
		"/v1/tiles/coverage/1/0/-1.mvt":                       400,
		"/v1/tiles/coverage/1/0x1/0.mvt":                      400,
		"/v1/tiles/coverage/01/0/0.mvt":                       400,
		"/v1/tiles/coverage/1/99999999999999999999/0.mvt":     400,
		"/v1/tiles/nothing/1/0/0.mvt":                         404,
		"/v1/tiles/nothing.json":                              404,
		"/v1/tiles/coverage":                                  404,
	} {
		res := w.get(path)
		b := body(t, res)
		if res.StatusCode != want {
			t.Errorf("%s answers %d, want %d", path, res.StatusCode, want)
		}
		if want >= 400 {
			var p struct{ Type, Title, Detail string }
			if res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("Content-Type") != "application/problem+json" || json.Unmarshal(b, &p) != nil || p.Detail == "" || p.Type == "" {
				t.Errorf("%s: %v %s", path, res.Header, b)
			}
		} else if res.Header.Get("Cache-Control") == "" {
			t.Errorf("%s: an empty tile without Cache-Control", path)
		}
		if res.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: no CORS", path)
		}
	}
	if res := w.do(http.MethodPost, "/v1/tiles/coverage/1/0/0.mvt"); res.StatusCode != 405 {
		t.Errorf("POST answers %d", res.StatusCode)
	}
	if res := w.do(http.MethodOptions, "/v1/tiles/coverage/1/0/0.mvt"); res.StatusCode != 204 || res.Header.Get("Access-Control-Max-Age") == "" {
		t.Errorf("preflight answers %d", res.StatusCode)
	}
}

func TestTileJSONNeverTrustsHost(t *testing.T) {
	for public, want := range map[string]string{"": "/v1/tiles/coverage/v/", "https://map.example.org/": "https://map.example.org/v1/tiles/coverage/v/"} {
		w := newWorld(t, api.Config{PublicURL: public, Attribution: "© me"})
		for _, path := range []string{"/v1/tiles/coverage.json", "/v1/tiles", "/v1/map", "/v1/frames/" + string(w.Frames[0])} {
			b := body(t, w.get(path, "Host", "evil.example", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "gopher"))
			if bytes.Contains(b, []byte("evil")) || bytes.Contains(b, []byte("gopher")) || bytes.Contains(b, []byte("//example.com")) {
				t.Errorf("%s repeats the request's host: %s", path, b)
			}
		}
		tj := decode[api.TileJSON](t, w.get("/v1/tiles/coverage.json"))
		if tj.TileJSON != "3.0.0" || len(tj.Tiles) != 1 || !strings.HasPrefix(tj.Tiles[0], want) || len(tj.VectorLayers) != 1 || tj.Attribution != "© me" || tj.Bounds[0] >= tj.Bounds[2] {
			t.Errorf("%+v", tj)
		}
		u := strings.TrimPrefix(tj.Tiles[0], strings.TrimSuffix(public, "/"))
		x, y := place(14, w.Center)
		res := w.get(strings.NewReplacer("{z}", "14", "{x}", fmt.Sprint(x), "{y}", fmt.Sprint(y)).Replace(u))
		if res.StatusCode != 200 || !strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %v", u, res.StatusCode, res.Header)
		}
	}
}

func TestAnOldVersionIsServedButNotForEver(t *testing.T) {
	w := newWorld(t, api.Config{})
	x, y := place(14, w.Center)
	res := w.get(fmt.Sprintf("/v1/tiles/coverage/v/0123456789abcdef/14/%d/%d.mvt", x, y))
	if res.StatusCode != 200 || strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
		t.Fatalf("%d %s", res.StatusCode, res.Header.Get("Cache-Control"))
	}
}

// A new manifest is seen without a restart, by its own version at once, and archives swept after a compaction do not
// break readers of the view before it.
func TestNewTilesShowAndSweptArchivesAreSurvived(t *testing.T) {
	w := newWorld(t, api.Config{ManifestAge: time.Hour})
	path := tileAt("coverage", 14, w.Center)
	if r := w.get(path); r.StatusCode != 200 {
		t.Fatal(r.StatusCode)
	}
	old := decode[api.TileJSON](t, w.get("/v1/tiles/coverage.json"))
	// Another archive with the tile at the centre only, and the first one swept.
	wr := archive.NewWriter()
	defer wr.Close()
	x, y := place(14, w.Center)
	packed, err := archive.Gzip(nil, []byte("\x1a\x00"))
	if err != nil {
		t.Fatal(err)
	}
	if err := wr.Add(archive.ID(14, x, y), packed); err != nil {
		t.Fatal(err)
	}
	var gone []string
	if err := w.st.List(t.Context(), store.Public, "tiles/coverage/", func(i store.Info) error { gone = append(gone, i.Key); return nil }); err != nil {
		t.Fatal(err)
	}
	m := w.PublishLayer(t, w.st, "coverage", wr, 14)
	for _, k := range gone {
		if err := w.st.Remove(t.Context(), store.Public, k); err != nil {
			t.Fatal(err)
		}
	}
	if m.Layers["coverage"].Version == old.Tileset {
		t.Fatal("the version did not change")
	}
	// A tile that no cache holds, from the view of an hour's age: its archive is gone, so the server looks again.
	far := tileAt("coverage", 13, w.Center)
	if r := w.get(far); r.StatusCode != 404 { // the new set has zoom 14 only
		if b := body(t, r); r.StatusCode != 204 {
			t.Fatalf("%d %s", r.StatusCode, b)
		}
	}
	if b := body(t, w.get(path, "Accept-Encoding", "identity")); string(b) != "\x1a\x00" {
		t.Fatalf("still the old tile: %d bytes", len(b))
	}
}

func TestACancelledRequestDoesNotFailTheOthers(t *testing.T) {
	w := newWorld(t, api.Config{})
	path := tileAt("sequences", 12, w.Center)
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			if i%2 == 0 {
				cancel()
			}
			r := httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil)
			rec := httptest.NewRecorder()
			w.mux.ServeHTTP(rec, r)
			if i%2 == 1 && rec.Code != 200 {
				t.Errorf("%d: %s", rec.Code, rec.Body)
			}
		})
	}
	wg.Wait()
}

func TestCellFramesComeNewestFirstInPages(t *testing.T) {
	w := newWorld(t, api.Config{})
	one := decode[api.Frame](t, w.get("/v1/frames/"+string(w.Frames[40])))
	cell := one.Cell.Parent(9)
	var all []api.Frame
	for cursor := ""; ; {
		p := decode[api.FramePage](t, w.get(fmt.Sprintf("/v1/cells/%s/frames?limit=7&cursor=%s", cell, cursor)))
		all = append(all, p.Frames...)
		if cursor = p.Next; cursor == "" {
			break
		}
	}
	seen := map[string]bool{}
	for i, f := range all {
		if seen[string(f.ID)] {
			t.Fatalf("%s twice", f.ID)
		}
		seen[string(f.ID)] = true
		if i > 0 && f.CapturedAt.After(all[i-1].CapturedAt) {
			t.Fatal("not newest first")
		}
		if f.Cell.Parent(9) != cell {
			t.Fatalf("%s lies in %s", f.ID, f.Cell)
		}
		if f.ID == w.Hidden {
			t.Fatal("a quarantined frame shows")
		}
	}
	if len(all) < 8 || !seen[string(one.ID)] {
		t.Fatalf("%d frames", len(all))
	}
	since := all[3].CapturedAt
	p := decode[api.FramePage](t, w.get(fmt.Sprintf("/v1/cells/%s/frames?limit=200&since=%s", cell, since.Format(time.RFC3339Nano))))
	if n := len(p.Frames); n < 4 || p.Frames[n-1].CapturedAt.Before(since) {
		t.Fatalf("%d frames since %s", n, since)
	}
	for _, bad := range []string{"/v1/cells/xyz/frames", "/v1/cells/8f1f05871d3abff/frames", "/v1/cells/" + cell.String() + "/frames?cursor=!!"} {
		if r := w.get(bad); r.StatusCode != 400 {
			t.Errorf("%s answers %d", bad, r.StatusCode)
		}
	}
}

func TestAFrameThatIsNotPublishedDoesNotExist(t *testing.T) {
	w := newWorld(t, api.Config{})
	for _, p := range []string{"/v1/frames/" + string(w.Hidden), "/v1/frames/" + string(w.Hidden) + "/image.jpg", "/v1/frames/nonsense", "/v1/sequences/nonsense/frames"} {
		if r := w.get(p); r.StatusCode != 404 {
			t.Errorf("%s answers %d", p, r.StatusCode)
		}
	}
	// Taken down while its address is known: gone at once, whatever is cached.
	id := string(w.Frames[3])
	if r := w.get("/v1/frames/" + id + "/image.jpg?width=160"); r.StatusCode != 200 {
		t.Fatal(r.StatusCode)
	}
	if _, err := w.db.Exec(t.Context(), `UPDATE frames SET state = 'removed' WHERE id = $1`, id); err != nil {
		t.Fatal(err)
	}
	if r := w.get("/v1/frames/" + id + "/image.jpg?width=160"); r.StatusCode != 404 {
		t.Errorf("a removed image answers %d", r.StatusCode)
	}
}

func TestImageIsThePublishedOneOrASmallCopy(t *testing.T) {
	w := newWorld(t, api.Config{})
	f := decode[api.Frame](t, w.get("/v1/frames/"+string(w.Frames[5])))
	full := w.get(f.Image.URL)
	b := body(t, full)
	if full.StatusCode != 200 || int64(len(b)) != f.Image.Bytes || full.Header.Get("Content-Type") != "image/jpeg" {
		t.Fatalf("%d, %d bytes", full.StatusCode, len(b))
	}
	if r := w.get(f.Image.URL, "If-None-Match", full.Header.Get("ETag")); r.StatusCode != 304 {
		t.Error("unchanged image is sent again")
	}
	img, err := jpeg.Decode(w.get(f.Image.URL + "&width=160").Body)
	if err != nil || img.Bounds().Dx() != 160 || img.Bounds().Dy() != 90 {
		t.Fatal(err, img)
	}
	if r := w.get(f.Image.URL + "&width=161"); r.StatusCode != 400 {
		t.Errorf("any width is made: %d", r.StatusCode)
	}
	// An object that is not the one published is never shown.
	var key string
	if err := w.db.QueryRow(t.Context(), `SELECT public_key FROM frames WHERE id = $1`, string(f.ID)).Scan(&key); err != nil {
		t.Fatal(err)
	}
	if _, err := w.st.Put(t.Context(), store.Public, key, testkit.JPEG(testkit.Picture{Seed: 99}), "image/jpeg"); err != nil {
		t.Fatal(err)
	}
	if r := w.get(f.Image.URL); r.StatusCode != 500 {
		t.Errorf("another image was shown: %d", r.StatusCode)
	}
}

func TestSequenceFramesGoInOrderAroundAFrame(t *testing.T) {
	w := newWorld(t, api.Config{})
	f := decode[api.Frame](t, w.get("/v1/frames/"+string(w.Frames[30])))
	p := decode[api.FramePage](t, w.get(fmt.Sprintf("/v1/sequences/%s/frames?around=%s&limit=10", f.Sequence, f.ID)))
	found := false
	for i, g := range p.Frames {
		found = found || g.ID == f.ID
		if i > 0 && g.Seq <= p.Frames[i-1].Seq {
			t.Fatal("out of order")
		}
	}
	if !found || len(p.Frames) != 10 || p.Next == "" {
		t.Fatalf("%d frames, found %v", len(p.Frames), found)
	}
	q := decode[api.FramePage](t, w.get(fmt.Sprintf("/v1/sequences/%s/frames?cursor=%s&limit=10", f.Sequence, p.Next)))
	if q.Frames[0].Seq != p.Frames[9].Seq+1 {
		t.Fatal("pages do not join")
	}
}

func TestOverviewCountsWhatIsPublished(t *testing.T) {
	w := newWorld(t, api.Config{})
	o := decode[api.Overview](t, w.get("/v1/map"))
	if o.Frames != int64(len(w.Frames)) || o.Sequences != int64(len(w.Drives)) || len(o.Layers) < 3 || o.Bounds == nil || o.AsOf == nil {
		t.Fatalf("%+v", o)
	}
	empty := &world{db: testkit.DB(t), st: testkit.S3(t), mux: http.NewServeMux()}
	api.Register(empty.mux, httpx.NewAPI(empty.mux, "test", "1"), api.Deps{DB: empty.db, Store: empty.st})
	if o := decode[api.Overview](t, empty.get("/v1/map")); o.Frames != 0 || o.Bounds != nil || o.Layers == nil || len(o.Layers) != 0 {
		t.Fatalf("%+v", o)
	}
	if r := empty.get("/v1/tiles/coverage.json"); r.StatusCode != 404 {
		t.Errorf("TileJSON before any tiles answers %d", r.StatusCode)
	}
}

func TestABasemapIsServedBesideTheLayersWithItsOwnAttribution(t *testing.T) {
	wr := archive.NewWriter()
	defer wr.Close()
	packed, err := archive.Gzip(nil, []byte("\x1a\x00"))
	if err == nil {
		err = wr.Add(archive.ID(3, 4, 2), packed)
	}
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "basemap.pmtiles")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := wr.WriteTo(f, archive.Info{Type: archive.TileMVT, Bounds: [4]float64{1, 2, 3, 4}, Metadata: map[string]any{"attribution": "© somebody", "vector_layers": []any{}}}); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, api.Config{Basemap: path, Attribution: "© us"})
	tj := decode[api.TileJSON](t, w.get("/v1/tiles/basemap.json"))
	if tj.Attribution != "© somebody" || tj.MinZoom != 3 || tj.MaxZoom != 3 {
		t.Fatalf("%+v", tj)
	}
	if b := body(t, w.get("/v1/tiles/basemap/3/4/2.mvt", "Accept-Encoding", "identity")); string(b) != "\x1a\x00" {
		t.Fatalf("%q", b)
	}
	if r := w.get("/v1/tiles/coverage.json"); r.StatusCode != 200 {
		t.Error(r.StatusCode)
	}
}

// An archive that somebody wrote over is refused by its ETag: no byte of the new object is taken for a tile, and the
// answer is an outage that no cache keeps, not an empty place.
func TestAnArchiveWrittenOverIsAnOutageAndNeverGarbage(t *testing.T) {
	w := newWorld(t, api.Config{})
	path := tileAt("images", 14, w.Center)
	m, _, err := w.st.Get(t.Context(), store.Public, store.TileManifestKey, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	man, err := archive.DecodeManifest(m)
	if err != nil {
		t.Fatal(err)
	}
	if r := w.get("/v1/tiles/images.json"); r.StatusCode != 200 { // the view is made
		t.Fatal(r.StatusCode)
	}
	ref := man.Layers["images"].Archives[0]
	junk := bytes.Repeat([]byte("junk"), int(ref.Bytes/4)+1)
	if _, err := w.st.Put(t.Context(), store.Public, ref.Key, junk, "application/vnd.pmtiles"); err != nil {
		t.Fatal(err)
	}
	if r := w.get(path); r.StatusCode != 503 || r.Header.Get("ETag") != "" || r.Header.Get("Cache-Control") != "no-store" || bytes.Contains(body(t, r), []byte("junkjunk")) {
		t.Errorf("written over: %d %v", r.StatusCode, r.Header)
	}
	if err := w.st.Remove(t.Context(), store.Public, ref.Key); err != nil {
		t.Fatal(err)
	}
	if r := w.get(path); r.StatusCode != 503 {
		t.Errorf("removed: %d", r.StatusCode)
	}
}
