package worker_test

import (
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/maptile"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
	"github.com/roadcomb/roadcomb/tiles/purge"
)

// Whatever was on the map before a change and differs after it is dropped by the cache in front, also when the run stops
// anywhere or the cache is away.
func TestACacheInFrontHearsOfEveryChangeWhateverStops(t *testing.T) {
	n := newNetwork(t, testkit.DB(t))
	var mu sync.Mutex
	dropped, away := map[string]bool{}, false
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if away {
			w.WriteHeader(503)
			return
		}
		var b map[string][]string
		raw, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(raw, &b); err != nil {
			t.Error(err)
		}
		for _, k := range b["surrogate_keys"] {
			dropped[k] = true
		}
	}))
	defer srv.Close()
	var err error
	if n.w.Purge, err = purge.New(n.db, purge.Config{URL: srv.URL, Clock: clock}); err != nil {
		t.Fatal(err)
	}
	pts := walk(rand.New(rand.NewPCG(3, 3)), 60)
	id := n.drive(day.Add(time.Hour), pts, time.Second)
	if err := n.w.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !dropped[purge.Layer("coverage")] || !dropped[purge.TileJSON("images")] {
		t.Fatal("a layer that was built whole was not dropped whole:", dropped)
	}
	// The tile of zoom 14 that holds the frames.
	at14 := maptile.At(orb.Point{pts[0].Lon, pts[0].Lat}, 14)
	tile := purge.Tile("images", 14, int(at14.X), int(at14.Y))
	stop := errors.New("stop")
	for _, at := range []string{"delta", "published", "swap", "consume", ""} {
		clear(dropped)
		n.remove(id, 0, 5)
		n.exec(`UPDATE frames SET state = 'published' WHERE drive_id = $1 AND seq >= 5`, id)
		n.exec(`UPDATE frames SET captured_at = captured_at + 1000000 WHERE drive_id = $1`, id) // so that every round changes tiles
		n.index(id)
		n.w.SetFault(func(point string) error {
			if point == at {
				return stop
			}
			return nil
		})
		if err := n.w.Run(t.Context()); at != "" && !errors.Is(err, stop) {
			t.Fatalf("%s: %v", at, err)
		}
		n.w.SetFault(nil)
		away = true
		if err := n.w.Run(t.Context()); survey.KindOf(err) != survey.Unavailable && at != "" {
			t.Fatalf("%s: a cache that is away: %v", at, err)
		}
		away = false
		if err := n.w.Run(t.Context()); err != nil {
			t.Fatal(at, err)
		}
		if !dropped[tile] || !dropped[purge.Drive(survey.DriveID(id))] {
			t.Errorf("stopped at %q: the tile %s or the drive's images were not dropped: %v", at, tile, dropped)
		}
		if left, err := n.w.Purge.Waiting(t.Context()); left != 0 || err != nil {
			t.Error(at, left, err)
		}
	}
}
