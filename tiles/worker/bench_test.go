package worker_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/maptile"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/testkit"
	"github.com/roadcomb/roadcomb/tiles/api"
)

// benchDrives is how many drives of 100 frames a benchmark's town has: $ROADCOMB_BENCH_DRIVES, by default 100.
func benchDrives() int {
	if v, err := strconv.Atoi(os.Getenv("ROADCOMB_BENCH_DRIVES")); err == nil && v > 0 {
		return v
	}
	return 100
}

// BenchmarkOnePercent adds one percent to a town and brings the tiles up to date, beside a full rebuild. The town has
// $ROADCOMB_BENCH_DRIVES drives of 100 frames (default 100).
func BenchmarkOnePercent(b *testing.B) {
	drives := benchDrives()
	n := newNetwork(b, testkit.DB(b))
	n.w.Config.AsOf = clock()
	r := rand.New(rand.NewPCG(1, 1))
	for range drives {
		n.drive(day, walk(r, 100), time.Second)
	}
	start := time.Now()
	n.run()
	b.Logf("first build of %d frames: %v", drives*100, time.Since(start))
	built, changed := 0, 0
	for b.Loop() {
		b.StopTimer()
		for range max(1, drives/100) {
			n.drive(day, walk(r, 100), time.Second)
		}
		b.StartTimer()
		res := n.run()
		for _, p := range res.Layers {
			built += p.Dirty
			changed += p.Changed
		}
	}
	b.ReportMetric(float64(built)/float64(b.N), "tiles-built/op")
	b.ReportMetric(float64(changed)/float64(b.N), "tiles-changed/op")
}

// BenchmarkVisible adds one percent to a town and measures how long it takes, from the start of the worker's run, until a
// server that is asked all the while gives the new bytes at a tile's address without a version, and the new version in
// TileJSON. The server and its manifest's age (half a second at most) are as by default. The town is BenchmarkOnePercent's;
// 200,000 frames are ROADCOMB_BENCH_DRIVES=2000.
func BenchmarkVisible(b *testing.B) {
	drives := benchDrives()
	n := newNetwork(b, testkit.DB(b))
	n.w.Config.AsOf = clock()
	r := rand.New(rand.NewPCG(1, 1))
	for range drives {
		n.drive(day, walk(r, 100), time.Second)
	}
	n.run()
	mux := http.NewServeMux()
	api.Register(mux, httpx.NewAPI(mux, "bench", "1"), api.Deps{DB: n.db, Store: n.s})
	srv := httptest.NewServer(mux)
	defer srv.Close()
	read := func(path string) (tag string, body []byte, err error) {
		res, err := http.Get(srv.URL + path)
		if err != nil {
			return "", nil, err
		}
		defer res.Body.Close()
		body, err = io.ReadAll(res.Body)
		if err == nil && res.StatusCode != http.StatusOK && res.StatusCode != http.StatusNoContent {
			err = fmt.Errorf("%s answers %d: %s", path, res.StatusCode, body)
		}
		return res.Header.Get("ETag"), body, err
	}
	version := func() (string, error) {
		var j struct{ Tileset string }
		_, body, err := read("/v1/tiles/images.json")
		if err == nil {
			err = json.Unmarshal(body, &j)
		}
		return j.Tileset, err
	}
	type seen struct {
		tile, tileJSON time.Time
		err            error
	}
	var update, visible, described, after, most time.Duration
	for b.Loop() {
		b.StopTimer()
		var path string
		for range max(1, drives/100) {
			pts := walk(r, 100)
			n.drive(day, pts, time.Second)
			at := maptile.At(orb.Point{pts[0].Lon, pts[0].Lat}, 14)
			path = fmt.Sprintf("/v1/tiles/images/14/%d/%d.mvt", at.X, at.Y)
		}
		tag, _, err := read(path)
		if err != nil {
			b.Fatal(err)
		}
		was, err := version()
		if err != nil {
			b.Fatal(err)
		}
		// Asked before the run begins and until both are new: a busy server's view is as old as it may get.
		done := make(chan seen, 1)
		go func() {
			var s seen
			for end := time.Now().Add(10 * time.Minute); s.err == nil && (s.tile.IsZero() || s.tileJSON.IsZero()); time.Sleep(5 * time.Millisecond) {
				if time.Now().After(end) {
					s.err = fmt.Errorf("%s is the old tile after ten minutes", path)
					break
				}
				if s.tile.IsZero() {
					var now string
					if now, _, s.err = read(path); s.err == nil && now != tag {
						s.tile = time.Now()
					}
				}
				if s.err == nil && s.tileJSON.IsZero() {
					var now string
					if now, s.err = version(); s.err == nil && now != was {
						s.tileJSON = time.Now()
					}
				}
			}
			done <- s
		}()
		b.StartTimer()
		began := time.Now()
		n.run()
		ended := time.Now()
		s := <-done
		if s.err != nil {
			b.Fatal(s.err)
		}
		update += ended.Sub(began)
		visible += s.tile.Sub(began)
		described += s.tileJSON.Sub(began)
		after += max(0, s.tile.Sub(ended))
		most = max(most, s.tile.Sub(began))
	}
	mean := func(d time.Duration) float64 { return d.Seconds() * 1e3 / float64(b.N) }
	b.ReportMetric(mean(update), "update-ms")
	b.ReportMetric(mean(visible), "visible-ms")
	b.ReportMetric(mean(described), "tilejson-ms")
	b.ReportMetric(mean(after), "after-update-ms")
	b.ReportMetric(most.Seconds()*1e3, "visible-max-ms")
	b.ReportMetric(0, "ns/op")
}
