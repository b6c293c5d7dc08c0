package viewer_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/testkit"
	"github.com/roadcomb/roadcomb/tiles/api"
	"github.com/roadcomb/roadcomb/tiles/api/maptest"
	"github.com/roadcomb/roadcomb/tiles/viewer"
)

// dir is this folder; the embedded store leaves the process in another.
var dir, _ = os.Getwd()

// site is the page and the API over a synthetic town.
func site(t *testing.T, c viewer.Config, photos string) (http.Handler, *maptest.Town) {
	db, st := testkit.DB(t), testkit.S3(t)
	town := maptest.Fill(t, db, st, 24, 100, photos)
	mux := http.NewServeMux()
	api.Register(mux, httpx.NewAPI(mux, "test", "1"), api.Deps{DB: db, Store: st,
		Config: api.Config{Attribution: "Synthetic town", Basemap: os.Getenv("ROADCOMB_MAP_BASEMAP")}})
	h, err := viewer.Handler(c)
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle("/", h)
	return mux, town
}

// inABrowser runs a script of test/ against the site and wants its screenshot.
func inABrowser(t *testing.T, script string, args ...string) {
	t.Helper()
	if !viewer.Complete() {
		t.Skip("the page's libraries are absent; run npm ci && node build.mjs in tiles/viewer")
	}
	for _, need := range []string{filepath.Join(dir, "node_modules/puppeteer-core"), "/usr/bin/chromium"} {
		if _, err := os.Stat(need); err != nil {
			t.Skipf("%v; the browser test needs npm ci in tiles/viewer and Debian's chromium", err)
		}
	}
	h, _ := site(t, viewer.Config{}, "")
	srv := httptest.NewServer(h)
	defer srv.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	out := filepath.Join(t.TempDir(), "page.png")
	cmd := exec.CommandContext(ctx, "node", append([]string{script, srv.URL + "/", out}, args...)...)
	cmd.Dir = dir
	said, err := cmd.CombinedOutput()
	t.Logf("%s", said)
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(out); err != nil || st.Size() < 10_000 {
		t.Fatalf("screenshot: %v", err)
	}
	if strings.Contains(string(said), `"since":null`) {
		t.Error("the town has one day only: the slider was not tried")
	}
}

// The page in a real browser: the map draws, a click opens a cell, the redacted frame shows, and so does a sign in its
// frames; the slider of time takes older cells off the map.
func TestMapInABrowser(t *testing.T) { inABrowser(t, "test/map.mjs") }

// The same on a phone in the dark, where the legend begins closed and opens by keyboard.
func TestMapOnAPhoneInTheDarkInABrowser(t *testing.T) {
	inABrowser(t, "test/map.mjs", "--width", "390", "--height", "844", "--dark")
}

// A contributor's weeks and statement, on a phone in the dark.
func TestRewardsInABrowser(t *testing.T) {
	inABrowser(t, "test/rewards.mjs", "--width", "390", "--height", "844", "--dark")
}

// A driver's footage that is done is never shown as waiting for long, also after a failed request.
func TestTheDriversPageCatchesUpInABrowser(t *testing.T) { inABrowser(t, "test/waiting.mjs") }

// With ROADCOMB_MAP_LISTEN=host:port the synthetic town is served until interrupted, for work on the page; the page's
// files are read anew at each request.
func TestServeTheTown(t *testing.T) {
	addr := os.Getenv("ROADCOMB_MAP_LISTEN")
	if addr == "" {
		t.Skip("set ROADCOMB_MAP_LISTEN=127.0.0.1:8099 to look at the page")
	}
	h, _ := site(t, viewer.Config{Dir: dir}, os.Getenv("ROADCOMB_MAP_PHOTOS"))
	t.Fatal(http.ListenAndServe(addr, h))
}

func fetch(t *testing.T, h http.Handler, path string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func TestPageIsServedWithAPolicyThatNamesNoOtherHost(t *testing.T) {
	h, err := viewer.Handler(viewer.Config{Connect: []string{"http://127.0.0.1:9000"}})
	if err != nil {
		t.Fatal(err)
	}
	res := fetch(t, h, "/app.css", "Accept-Encoding", "gzip")
	csp := res.Header.Get("Content-Security-Policy")
	if res.StatusCode != 200 || res.Header.Get("Content-Encoding") != "gzip" || !strings.Contains(csp, "connect-src 'self' http://127.0.0.1:9000") || strings.Contains(csp, "unsafe") {
		t.Fatalf("%d %v", res.StatusCode, res.Header)
	}
	if again := fetch(t, h, "/app.css", "Accept-Encoding", "gzip", "If-None-Match", res.Header.Get("ETag")); again.StatusCode != 304 {
		t.Fatalf("unchanged file answers %d", again.StatusCode)
	}
	if plain := fetch(t, h, "/app.css", "Accept-Encoding", "gzip;q=0"); plain.Header.Get("Content-Encoding") != "" {
		t.Fatal("gzip was sent to a client that refuses it")
	}
	for _, path := range []string{"/nothing", "/.gitignore", "/../viewer.go", "/js"} {
		if res := fetch(t, h, path); res.StatusCode != 404 {
			t.Errorf("%s answers %d", path, res.StatusCode)
		}
	}
	want := 503 // says how to build it
	if viewer.Complete() {
		want = 200
	}
	if res := fetch(t, h, "/"); res.StatusCode != want || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
		t.Fatalf("page answers %d %s", res.StatusCode, res.Header.Get("Content-Type"))
	}
}

// Every address in the page's own files stays on this host.
func TestPageLoadsNothingFromElsewhere(t *testing.T) {
	err := filepath.WalkDir(filepath.Join(dir, "web"), func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		text := strings.ReplaceAll(string(b), "http://www.w3.org/2000/svg", "")
		for _, bad := range []string{"http://", "https://", "src=\"//", "@import"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s holds %q", p, bad)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
