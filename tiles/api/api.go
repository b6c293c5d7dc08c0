// Package api serves the map: tiles and TileJSON from the bucket, the frames behind them, and their redacted images.
//
// It reads what the tile builder and the vision worker published and writes nothing. It knows no contributor, account
// or address: a drive is a sequence with an id, a frame a place, a time and a quality. Everything it answers is about
// frames in state published; all others do not exist here.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/tiles/purge"
)

// Deps is what the API works with.
type Deps struct {
	DB    *state.DB
	Store *store.Store
	Log   *slog.Logger     // nil discards
	Clock func() time.Time // nil means time.Now
	// Operators may purge; nil lets nobody.
	Operators httpx.Operators
	Purge     *purge.Hook // told what a cache is to drop; nil when there is none
	Config
}

// Config is the settings. The zero value works.
type Config struct {
	// PublicURL is put before the paths in TileJSON and links ("https://map.example.org"); "" gives paths from the
	// server's root, which browsers on the same host resolve. The Host header of a request is never used.
	PublicURL string
	// Attribution is shown on maps made from the tiles.
	Attribution string
	// Basemap is a PMTiles file that package basemap made, served as the tile set "basemap" for the map to lie on; ""
	// leaves the world's outlines.
	Basemap string
	// License of the imagery, an SPDX identifier or "proprietary"; "" means proprietary.
	License string
	// Resolution is the H3 resolution at which frames are pinned; 0 means 12.
	Resolution int
	// TileCache and ImageCache bound the caches in bytes; 0 means 256 MiB and 64 MiB.
	TileCache, ImageCache int64
	// PublicImageWidth is the widest image that strangers get, 160 or 480 pixels; full ones then take an address from an
	// imagery query. 0 gives full images to all.
	PublicImageWidth int
	// Price is what a cell in a week costs, in credits; 0 means 1.
	Price int64
	// ManifestAge is how old the view of what is current may get before it is looked up again; 0 means half a second.
	ManifestAge time.Duration
}

// Server answers the map's requests. It is safe for concurrent use.
type Server struct {
	Deps
	tiles  *tileStore
	images *imageCache
	stats  statsCache

	customers customers
}

// Register adds the map API to the mux, and to the OpenAPI document what of it is JSON.
func Register(mux httpx.Mux, hapi huma.API, d Deps) *Server {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Clock == nil {
		d.Clock = time.Now
	}
	if d.Resolution == 0 {
		d.Resolution = 12
	}
	if d.TileCache == 0 {
		d.TileCache = 256 << 20
	}
	if d.ImageCache == 0 {
		d.ImageCache = 64 << 20
	}
	if d.License == "" {
		d.License = "proprietary"
	}
	if d.Price == 0 {
		d.Price = 1
	}
	if d.ManifestAge == 0 {
		d.ManifestAge = 500 * time.Millisecond
	}
	s := &Server{Deps: d, tiles: newTileStore(d), images: newImageCache(d)}
	if d.Basemap != "" {
		// The map works without: a file that cannot be read is said, not fatal.
		var err error
		if s.tiles.ground, err = s.tiles.openGround(context.Background(), d.Basemap); err != nil {
			d.Log.Error("the basemap is left out", "error", err)
		}
	}
	s.registerTiles(mux, hapi)
	s.registerFrames(mux, hapi)
	s.registerCustomers(mux, hapi)
	s.registerSTAC(mux, hapi)
	s.registerPanoramax(mux, hapi)
	s.registerOGC(mux, hapi)
	s.registerFeatures(mux, hapi)
	s.registerPurge(hapi)
	return s
}

const corsExpose = "ETag, RateLimit, RateLimit-Policy, Retry-After, Link"

// cors lets pages of any origin read: everything here is public.
func cors(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", corsExpose)
}

// open has an operation's answers, refusals among them, read by pages of any origin.
func open(hc huma.Context, next func(huma.Context)) {
	cors(httpx.ResponseHeader(hc))
	next(hc)
}

func preflight(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	cors(h)
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, If-None-Match, Idempotency-Key, X-API-Key")
	h.Set("Access-Control-Max-Age", "86400")
	w.WriteHeader(http.StatusNoContent)
}
