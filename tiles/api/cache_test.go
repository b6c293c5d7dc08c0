package api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/tiles/api"
	"github.com/roadcomb/roadcomb/tiles/archive"
)

// cached serves a layer of n tiles of size bytes at a zoom from caches of its own.
func cached(t *testing.T, z, n, size int, bound int64) (tile func(id int) []byte, s *api.Server, reads *atomic.Int64) {
	t.Helper()
	w := newWorld(t, api.Config{})
	wr := archive.NewWriter()
	defer wr.Close()
	want := func(id int) []byte {
		b := fmt.Appendf(make([]byte, 0, size), "%08d", id)
		return append(b, make([]byte, size-len(b))...)
	}
	first := archive.ID(z, 0, 0)
	for i := range n {
		if err := wr.Add(first+uint64(i), want(i)); err != nil {
			t.Fatal(err)
		}
	}
	w.PublishLayer(t, w.st, "coverage", wr, z)
	mux := http.NewServeMux()
	s = api.Register(mux, httpx.NewAPI(mux, "test", "1"), api.Deps{DB: w.db, Store: w.st, Config: api.Config{TileCache: bound}})
	reads = new(atomic.Int64)
	tile = func(id int) []byte {
		_, x, y := archive.ZXY(first + uint64(id))
		r := httptest.NewRequest(http.MethodGet, fmt.Sprintf("/v1/tiles/coverage/%d/%d/%d.mvt", z, x, y), nil)
		r.Header.Set("Accept-Encoding", "gzip")
		rec := httptest.NewRecorder()
		mux.ServeHTTP(rec, r)
		if rec.Code != 200 || rec.Body.String() != string(want(id)) {
			t.Errorf("tile %d: %d, %d bytes", id, rec.Code, rec.Body.Len())
		}
		return rec.Body.Bytes()
	}
	tile(0) // the manifest and the root directory are read
	s.OnRead(func(string) { reads.Add(1) })
	return tile, s, reads
}

func TestAHundredRequestsForATileReadItOnce(t *testing.T) {
	const many = 100
	tile, s, reads := cached(t, 14, 20, 44_000, 64<<20)
	for id := 1; id < 5; id++ {
		reads.Store(0)
		var began sync.WaitGroup
		began.Add(many)
		s.OnRead(func(string) { reads.Add(1); began.Wait() }) // the read takes until all have asked
		var done sync.WaitGroup
		for range many {
			done.Go(func() { began.Done(); tile(id) })
		}
		done.Wait()
		if n := reads.Load(); n != 1 {
			t.Errorf("tile %d was read %d times for %d requests", id, n, many)
		}
	}
}

func TestTheCacheOfTilesKeepsItsBound(t *testing.T) {
	const n, size, bound = 200, 40_000, 1 << 20
	tile, s, reads := cached(t, 14, n, size, bound)
	var wg sync.WaitGroup
	for k := range 4 {
		wg.Go(func() {
			for i := range 3 * n {
				tile((i*7 + k*50) % n)
			}
		})
	}
	wg.Wait()
	if b, _ := s.Cached(); b > bound || b < bound/2 {
		t.Errorf("%d bytes of tiles are kept, the bound is %d", b, bound)
	}
	if r := reads.Load(); r < 2*n {
		t.Errorf("%d reads of %d tiles of which the cache holds %d: it did not throw any out", r, n, bound/size)
	}
	// One that holds all reads each once, however often they are asked for.
	tile, s, reads = cached(t, 14, n, size, 64<<20)
	for range 3 {
		for i := range n {
			tile(i)
		}
	}
	if b, _ := s.Cached(); b != n*size || reads.Load() != n-1 {
		t.Errorf("%d bytes are kept, %d reads", b, reads.Load())
	}
}

func TestTheCacheOfDirectoriesKeepsItsBound(t *testing.T) {
	const n, bound = 60_000, 1 << 20 // 24 bytes an entry
	tile, s, _ := cached(t, 8, n, 16, bound)
	most := 0
	for range 2 {
		for i := 0; i < n; i += 500 {
			tile(i)
			_, entries := s.Cached()
			most = max(most, entries)
		}
	}
	if 24*most > bound || most < n/4 {
		t.Errorf("up to %d entries of directories are kept of %d, in a bound of %d bytes", most, n, bound)
	}
}
