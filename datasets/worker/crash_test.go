package worker_test

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/datasets/snapshot"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

// faulty lets requests through until its fuse burns down; then it refuses all, as after a crash. With lost, the request
// at which it burns down still reaches the server, and only its answer is lost.
type faulty struct {
	left atomic.Int64 // requests; negative: no fuse
	lost bool
	dead atomic.Bool
}

func (f *faulty) front(t *testing.T) func(string) string {
	return func(endpoint string) string {
		u, err := url.Parse(endpoint)
		if err != nil {
			t.Fatal(err)
		}
		proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u); r.Out.Host = r.In.Host }}
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !f.dead.Load() && f.left.Load() >= 0 && f.left.Add(-1) < 0 {
				f.dead.Store(true)
				if f.lost {
					proxy.ServeHTTP(httptest.NewRecorder(), r)
				}
			}
			if f.dead.Load() {
				http.Error(w, "<Error><Code>AccessDenied</Code></Error>", http.StatusForbidden) // the client does not try again
				return
			}
			proxy.ServeHTTP(w, r)
		}))
		t.Cleanup(srv.Close)
		return srv.URL
	}
}

func (f *faulty) light(n int64, lost bool) { f.left.Store(n); f.lost = lost; f.dead.Store(false) }
func (f *faulty) out()                     { f.left.Store(-1); f.dead.Store(false) }

// again makes state as if nothing had been exported.
func (w *world) again(drives ...string) {
	w.t.Helper()
	for _, q := range []string{`DELETE FROM dataset_files`, `DELETE FROM dataset_retired`, `DELETE FROM meta WHERE key LIKE 'datasets.%' AND key <> 'datasets.salt'`, `DELETE FROM changes`} {
		w.exec(q)
	}
	if err := w.db.Tx(w.t.Context(), func(tx *state.Tx) error {
		return state.MarkAllChanged(w.t.Context(), tx, "drive", drives)
	}); err != nil {
		w.t.Fatal(err)
	}
}

func TestACrashAtAnyRequestLosesAndDoublesNothing(t *testing.T) {
	w := newWorld(t, testkit.DB(t))
	w.drive("d1", monaco, time.Date(2024, 5, 8, 23, 59, 50, 0, time.UTC), 8, 3) // over midnight
	w.drive("d2", geo.Point{Lat: 55.7, Lon: 13.2}, time.Date(2024, 3, 2, 9, 0, 0, 0, time.UTC), 4)
	w.exec(`UPDATE uploads SET state = 'settled'`)
	w.again("d1", "d2")
	want, _ := json.Marshal(w.export())

	for _, lost := range []bool{false, true} {
		crashes := 0
		first := int64(0)
		if lost {
			first = 1 // the two kinds of crash take turns
		}
		for n := first; ; n += 2 {
			var f faulty
			f.out()
			w.st = testkit.S3Behind(t, f.front(t))
			w.w.Store = w.st
			w.again("d1", "d2")
			f.light(n, lost)
			err := w.w.Export(t.Context())
			died := f.dead.Load()
			f.out()
			if !died {
				if err != nil {
					t.Fatalf("without a crash: %v", err)
				}
				break
			}
			crashes++
			if err == nil {
				t.Errorf("request %d was refused, and the export says that all is well", n)
			}
			// Whoever reads after the crash sees the whole of the last snapshot or none.
			if s, manifest, signature, err := snapshot.CurrentSigned(t.Context(), w.st); err != nil && survey.KindOf(err) != survey.NotFound {
				t.Errorf("request %d: %v", n, err)
			} else if err == nil {
				if _, err := snapshot.Verify(manifest, signature, networkKey.Public().(ed25519.PublicKey)); err != nil {
					t.Errorf("request %d: %v", n, err)
				}
				for name, d := range s.Datasets {
					for _, file := range d.Files {
						if _, err := w.st.Stat(t.Context(), store.Lake, file.Path); err != nil {
							t.Errorf("request %d: the snapshot names a file of %s that is not there", n, name)
						}
					}
				}
			}
			if got, _ := json.Marshal(w.export()); string(got) != string(want) {
				t.Fatalf("crash at request %d (answer lost: %t):\n%s\nwant\n%s", n, lost, got, want)
			}
		}
		if crashes < 5 {
			t.Errorf("only %d requests were tried", crashes)
		}
	}
}

func TestAnyOrderOfDrivesRemovalsDaysAndExportsGivesTheSameRows(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	end := time.Date(2024, 6, 20, 0, 0, 0, 0, time.UTC)
	var want map[string][]string
	for try := range 2 {
		w := newWorld(t, testkit.DB(t))
		now := time.Date(2024, 5, 25, 0, 0, 0, 0, time.UTC)
		w.w.Clock = func() time.Time { return now }
		var steps []func()
		for i := range 5 {
			steps = append(steps, func() {
				id := fmt.Sprint("d", i)
				w.drive(id, geo.Destination(monaco, 90, geo.Meters(15_000*i)), time.Date(2024, 5, 1+9*i, 12, 0, 0, 0, time.UTC), 4, i%4)
				if i%2 == 0 {
					w.exec(`UPDATE frames SET state = 'removed', reason = 'removed' WHERE drive_id = $1 AND seq = 1`, id)
					w.exec(`UPDATE drives SET revision = 1 WHERE id = $1`, id)
					w.index(id, 1)
				}
			})
		}
		r.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
		for _, step := range steps {
			step()
			if r.IntN(2) == 0 {
				w.export()
			}
			if now.Before(end) && r.IntN(2) == 0 {
				now = now.AddDate(0, 0, r.IntN(10))
			}
		}
		now = end
		got := rowsOf(w, w.export())
		if try == 0 {
			want = got
		} else if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("rows differ:\n%v\n%v", got, want)
		}
		if len(got["frames"]) == 0 || len(got["drives"]) != 5 {
			t.Fatalf("%d frames, %d drives", len(got["frames"]), len(got["drives"]))
		}
	}
}

func TestTwoExportsAtATimeKeepTheNewerState(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		w := newWorld(t, db)
		w.drive("d1", monaco, time.Date(2024, 5, 8, 9, 0, 0, 0, time.UTC), 4)
		done := make(chan error, 3)
		for range 3 {
			go func() { done <- w.w.Export(t.Context()) }()
		}
		w.exec(`UPDATE frames SET state = 'removed', reason = 'removed' WHERE id = 'd1-001'`)
		w.exec(`UPDATE drives SET revision = 1 WHERE id = 'd1'`)
		w.index("d1", 1)
		for range 3 {
			if err := <-done; err != nil && !isBusy(err) {
				t.Fatal(err)
			}
		}
		if s := w.export(); s.Datasets["frames"].Rows != 3 {
			t.Fatalf("%d frames", s.Datasets["frames"].Rows)
		}
	})
}

func isBusy(err error) bool { return survey.KindOf(err) == survey.Busy }
