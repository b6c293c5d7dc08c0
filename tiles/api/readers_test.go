package api_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/tiles/api"
	"github.com/roadcomb/roadcomb/tiles/api/keys"
)

// Programs of other projects read the map over HTTP. tiles/api/interop/interop.sh installs them.

// served is a shop behind a real address, which its links name.
func served(t *testing.T, o keys.Options) (*shop, *httptest.Server) {
	t.Helper()
	// The links are absolute, so the address comes before the API.
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	s := newShop(t, api.Config{}, o)
	api.Register(mux, httpx.NewAPI(mux, "roadcomb", "1"), api.Deps{DB: s.db, Store: s.st, Config: api.Config{PublicURL: srv.URL}})
	return s, srv
}

func interop(t *testing.T, variable string) string {
	t.Helper()
	v := os.Getenv(variable)
	if v == "" {
		t.Skipf("%s is not set; tiles/api/interop/interop.sh installs what is needed and sets it", variable)
	}
	return v
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	said, err := cmd.CombinedOutput()
	t.Logf("%s", said)
	if err != nil {
		t.Fatal(err)
	}
}

// pystac-client walks the STAC API and pystac checks every object against the specification's schemas.
func TestSTACReadByPystac(t *testing.T) {
	python := interop(t, "ROADCOMB_INTEROP_PYTHON")
	s, srv := served(t, keys.Options{})
	run(t, python, "interop/stac.py", srv.URL+"/v1/stac", fmt.Sprint(len(s.Frames)), fmt.Sprint(len(s.Drives)))
}

// stac-api-validator finds no error in how the STAC API behaves: links, paging, searches right and wrong.
func TestSTACBehavesAsItsClassesSay(t *testing.T) {
	python := interop(t, "ROADCOMB_INTEROP_PYTHON")
	s, srv := served(t, keys.Options{})
	run(t, python, "interop/stac_api.py", srv.URL+"/v1/stac", string(s.Drives[1]))
}

// stac-node-validator finds nothing to say about any document of the STAC API.
func TestSTACPassesItsValidator(t *testing.T) {
	schemas := interop(t, "ROADCOMB_INTEROP_STAC_SCHEMAS")
	s, srv := served(t, keys.Options{})
	run(t, "node", "interop/readers/validate.mjs", srv.URL+"/v1/stac", schemas, fmt.Sprint(len(s.Frames)), fmt.Sprint(len(s.Drives)))
}

// Panoramax's web viewer draws the map from the STAC API of another host: drives and pictures are on it, and a click on a
// picture shows it.
func TestPanoramaxDrawsTheMap(t *testing.T) {
	interop(t, "ROADCOMB_INTEROP_PANORAMAX")
	s, srv := served(t, keys.Options{})
	// A site of its own, as an operator of Panoramax has it.
	site := http.NewServeMux()
	site.Handle("/", http.FileServer(http.Dir(filepath.Join(dir, "interop/readers/node_modules/@panoramax/web-viewer/build"))))
	site.HandleFunc("/map", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, `<!doctype html><html lang="en"><meta charset="utf-8"><title>Panoramax</title><script defer src="index.js"></script><link href="index.css" rel="stylesheet">
<style>html,body{margin:0;height:100%}#viewer{position:fixed;inset:0}</style><body></body></html>`)
	})
	page := httptest.NewServer(site)
	defer page.Close()
	out := os.Getenv("ROADCOMB_INTEROP_SCREENSHOTS")
	if out == "" {
		out = t.TempDir()
	}
	run(t, "node", "interop/readers/panoramax.mjs", page.URL+"/map", srv.URL+"/v1/stac", out, fmt.Sprint(len(s.Drives)))
}

// GDAL finds the layers by itself and reads every frame and sign of the town.
func TestOGCTilesReadByGDAL(t *testing.T) {
	python := interop(t, "ROADCOMB_INTEROP_PYTHON")
	s, srv := served(t, keys.Options{})
	run(t, python, "interop/ogc.py", srv.URL+"/v1/ogc", fmt.Sprint(len(s.Frames)), fmt.Sprint(len(s.Signs)))
}
