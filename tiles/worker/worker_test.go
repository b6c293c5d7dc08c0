package worker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"maps"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	orbmvt "github.com/paulmach/orb/encoding/mvt"

	"github.com/paulmach/orb"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/hex/cells"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
	"github.com/roadcomb/roadcomb/tiles/archive"
	"github.com/roadcomb/roadcomb/tiles/build"
	"github.com/roadcomb/roadcomb/tiles/schema"
	"github.com/roadcomb/roadcomb/tiles/worker"
)

var day = time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)

func clock() time.Time { return day.Add(30 * 24 * time.Hour) }

// network is a state with drives put straight into it, as vision leaves them.
type network struct {
	t  testing.TB
	db *state.DB
	s  *store.Store
	c  *cells.Cells
	w  *worker.Worker
	n  int

	full int // tiles over their budget that were compared
}

func newNetwork(t testing.TB, db *state.DB) *network {
	n := &network{t: t, db: db, s: testkit.S3(t), c: &cells.Cells{DB: db, Clock: clock}}
	n.w = &worker.Worker{DB: db, Store: n.s, Clock: clock}
	n.exec(`INSERT INTO contributors (id, created_at) VALUES ($1, 0)`, strings.Repeat("c", 32))
	n.exec(`INSERT INTO uploads (id, contributor_id, state, options, files, bytes, created_at) VALUES ($1, $2, 'ingested', '{}', 0, 0, 0)`, strings.Repeat("a", 32), strings.Repeat("c", 32))
	return n
}

func (n *network) exec(q string, args ...any) {
	n.t.Helper()
	if _, err := n.db.Exec(n.t.Context(), q, args...); err != nil {
		n.t.Fatal(err)
	}
}

// drive adds a published drive along the points and indexes it.
func (n *network) drive(start time.Time, pts []geo.Point, step time.Duration) string {
	n.t.Helper()
	id := string(survey.NewDriveID("c", []survey.FrameID{survey.FrameID(fmt.Sprint(n.n))}))
	n.n++
	n.exec(`INSERT INTO drives (id, upload_id, contributor_id, device_id, state, started_at, ended_at, received_at, frames, parts, distance_mm, manifest_sha256)
		VALUES ($1, $2, $3, 'd', 'vision', $4, $4, $4, $5, 1, 0, '')`, id, strings.Repeat("a", 32), strings.Repeat("c", 32), state.Micros(start), len(pts))
	n.exec(`INSERT INTO drive_parts (drive_id, part, done_run) VALUES ($1, 0, 0)`, id)
	err := n.db.Tx(n.t.Context(), func(tx *state.Tx) error {
		for i, p := range pts {
			cell, err := hex.CellOf(p, hex.DefaultRes)
			if err != nil {
				return err
			}
			lat, lon := p.E7()
			q, err := json.Marshal(survey.Quality{Score: 800_000, Grade: "B"})
			if err != nil {
				return err
			}
			at := start.Add(time.Duration(i) * step)
			fid := string(survey.NewFrameID(survey.HashOf([]byte(id + fmt.Sprint(i)))))
			if _, err := tx.Exec(n.t.Context(), `INSERT INTO frames (id, drive_id, part, seq, upload_id, path, object, sha256, bytes, captured_at, received_at,
				lat_e7, lon_e7, heading_mdeg, cell, width, height, state, quality_ppm, quality)
				VALUES ($1, $2, 0, $3, $4, $5, '', '', 0, $6, $6, $7, $8, $9, $10, 1, 1, 'published', 800000, $11)`,
				fid, id, i, strings.Repeat("a", 32), fmt.Sprint(i), state.Micros(at), lat, lon, (i*7000)%360000, cell.Int64(), string(q)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		n.t.Fatal(err)
	}
	n.index(id)
	return id
}

func (n *network) index(id string) {
	n.t.Helper()
	if err := n.c.Index(n.t.Context(), state.IndexArgs{DriveID: survey.DriveID(id)}); err != nil {
		n.t.Fatal(err)
	}
}

// remove takes the frames of a drive whose place is in [from, to) off the map.
func (n *network) remove(id string, from, to int) {
	n.exec(`UPDATE frames SET state = 'removed' WHERE drive_id = $1 AND seq >= $2 AND seq < $3`, id, from, to)
	n.index(id)
}

// signs gives a drive map features near its frames, each seen by three of them, in place of those it had, as vision leaves
// them.
func (n *network) signs(id string, r *rand.Rand) {
	n.t.Helper()
	rows, err := n.db.Query(n.t.Context(), `SELECT id, lat_e7, lon_e7, captured_at FROM frames WHERE drive_id = $1 AND state = 'published' ORDER BY seq`, id)
	if err != nil {
		n.t.Fatal(err)
	}
	defer rows.Close()
	type seen struct {
		id           string
		lat, lon, us int64
	}
	var fs []seen
	for rows.Next() {
		var f seen
		if err := rows.Scan(&f.id, &f.lat, &f.lon, &f.us); err != nil {
			n.t.Fatal(err)
		}
		fs = append(fs, f)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		n.t.Fatal(err)
	}
	err = n.db.Tx(n.t.Context(), func(tx *state.Tx) error {
		ctx := n.t.Context()
		changed := map[string]bool{}
		if err := func() error {
			rows, err := tx.Query(ctx, `SELECT cell FROM map_features WHERE drive_id = $1`, id)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var c int64
				if err := rows.Scan(&c); err != nil {
					return err
				}
				changed[survey.Cell(c).String()] = true
			}
			return rows.Err()
		}(); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM frame_features WHERE frame_id IN (SELECT id FROM frames WHERE drive_id = $1)`, id); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM map_features WHERE drive_id = $1`, id); err != nil {
			return err
		}
		used := map[string]int{}
		for i := 0; i+2 < len(fs); i += 1 + r.IntN(3) {
			p := geo.Destination(geo.FromE7(fs[i].lat, fs[i].lon), geo.BearingDeg(r.IntN(360)), geo.Meters(3+r.IntN(12)))
			cell, err := hex.CellOf(p, hex.DefaultRes)
			if err != nil {
				return err
			}
			fid := survey.HashOf(fmt.Appendf(nil, "feature %s %d", fs[i].id, r.IntN(1e6))).String()[:32]
			lat, lon := p.E7()
			if _, err := tx.Exec(ctx, `INSERT INTO map_features (id, drive_id, class, kind, lat_e7, lon_e7, cell, sigma_mm, frames, first_seen, last_seen, confidence_ppm)
				VALUES ($1, $2, 'sign', $3, $4, $5, $6, 1234, 3, $7, $8, $9)`, fid, id, []string{"", "blue", "red_ring"}[r.IntN(3)], lat, lon, cell.Int64(), fs[i].us, fs[i+2].us, r.IntN(1e6)); err != nil {
				return err
			}
			for _, f := range fs[i : i+3] {
				if _, err := tx.Exec(ctx, `INSERT INTO frame_features (frame_id, n, class, x, y, w, h, confidence_ppm, model, feature_id) VALUES ($1, $2, 'sign', 1, 2, 3, 4, 500000, 'test', $3)`,
					f.id, used[f.id], fid); err != nil {
					return err
				}
				used[f.id]++
			}
			changed[cell.String()] = true
		}
		for c := range changed {
			if err := state.MarkChanged(ctx, tx, "feature", c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		n.t.Fatal(err)
	}
}

// road gives the cell of p road and says how much of it is driven, as package roadstate does.
func (n *network) road(p geo.Point, road, covered int64) {
	n.t.Helper()
	err := n.db.Tx(n.t.Context(), func(tx *state.Tx) error {
		ctx := n.t.Context()
		if _, err := tx.Exec(ctx, `INSERT INTO meta (key, value) VALUES ('road_network', $1) ON CONFLICT DO NOTHING`, survey.HashOf(nil).String()); err != nil {
			return err
		}
		fine, err := hex.CellOf(p, 11)
		if err != nil {
			return err
		}
		var r0, c0 int64
		if err := tx.QueryRow(ctx, `SELECT COALESCE(MAX(road_mm), 0), COALESCE(MAX(covered_mm), 0) FROM road_cells WHERE cell = $1`, fine.Int64()).Scan(&r0, &c0); err != nil {
			return err
		}
		for _, res := range []int{11, 9, 7, 5, 3} {
			if _, err := tx.Exec(ctx, `INSERT INTO road_cells (cell, road_mm, covered_mm) VALUES ($1, $2, $3)
				ON CONFLICT (cell) DO UPDATE SET road_mm = road_cells.road_mm + excluded.road_mm, covered_mm = road_cells.covered_mm + excluded.covered_mm`,
				fine.Parent(res).Int64(), road-r0, covered-c0); err != nil {
				return err
			}
		}
		return state.MarkChanged(ctx, tx, "road", fine.String())
	})
	if err != nil {
		n.t.Fatal(err)
	}
}

func (n *network) run() worker.Result {
	n.t.Helper()
	r, err := n.w.Update(n.t.Context())
	if err != nil {
		n.t.Fatal(err)
	}
	return r
}

// whole reads archives whole: the tests look at every tile, and a request for each would take most of their time.
func whole(t testing.TB, s *store.Store, ts archive.Tileset) *archive.Set {
	t.Helper()
	set, err := archive.OpenSet(t.Context(), ts, func(r archive.Ref) archive.Source {
		b, _, err := s.Get(t.Context(), store.Public, r.Key, 1<<26)
		if err != nil {
			t.Fatal(err)
		}
		return archive.At(bytes.NewReader(b))
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// published reads every current tile of every layer: "layer/id" to its stored bytes.
func published(t testing.TB, s *store.Store) (map[string]string, archive.Manifest) {
	t.Helper()
	m, _, err := worker.Manifest(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for name, ts := range m.Layers {
		set := whole(t, s, ts)
		if err := set.Each(t.Context(), func(a int, e archive.Entry) error {
			b, err := set.ReadAt(t.Context(), a, e)
			out[fmt.Sprint(name, "/", e.ID)] = string(b)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	return out, m
}

// dropped gives what the archives in force say of each tile's budget: "layer/id" to a count.
func dropped(t testing.TB, s *store.Store, m archive.Manifest) map[string]int {
	t.Helper()
	out := map[string]int{}
	for name, ts := range m.Layers {
		set := whole(t, s, ts)
		for a := range ts.Archives {
			raw, err := set.Reader(a).Metadata(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var meta struct {
				Dropped []build.Drop `json:"roadcomb:dropped"`
			}
			if err := json.Unmarshal(raw, &meta); err != nil {
				t.Fatal(err)
			}
			for _, d := range meta.Dropped {
				if i, _, _, ok, err := set.Locate(t.Context(), d.Tile); err != nil {
					t.Fatal(err)
				} else if ok && i == a {
					out[fmt.Sprint(name, "/", d.Layer, "/", d.Tile)] = d.Features
				}
			}
		}
	}
	return out
}

// rebuilt is what a full build of the same state gives.
func (n *network) rebuilt() (map[string]string, map[string]int) {
	n.t.Helper()
	other := *n.w
	other.SetFault(nil)
	other.Store = testkit.S3(n.t)
	if _, err := other.Rebuild(n.t.Context()); err != nil {
		n.t.Fatal(err)
	}
	tiles, m := published(n.t, other.Store)
	return tiles, dropped(n.t, other.Store, m)
}

func (n *network) mustEqualRebuild(when string) {
	n.t.Helper()
	got, m := published(n.t, n.s)
	want, wantDropped := n.rebuilt()
	// What was left out is counted when a tile is written; one whose bytes stay the same is not written again.
	for k := range dropped(n.t, n.s, m) {
		if layer, id, _ := strings.Cut(k, "/"); got[layer+"/"+id[strings.LastIndexByte(id, '/')+1:]] == "" {
			n.t.Fatalf("%s: features are left out of tile %s, which is not there", when, k)
		}
	}
	n.full += len(wantDropped)
	for k, v := range want {
		if got[k] != v {
			n.t.Fatalf("%s: tile %s differs from a full rebuild (%d and %d bytes)", when, k, len(got[k]), len(v))
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			n.t.Fatalf("%s: tile %s is not in a full rebuild", when, k)
		}
	}
}

// walk is a random drive in a town.
func walk(r *rand.Rand, n int) []geo.Point {
	p := geo.Point{Lat: 55.70 + r.NormFloat64()*.02, Lon: 13.19 + r.NormFloat64()*.03}
	h := float64(r.IntN(360))
	pts := make([]geo.Point, n)
	for i := range pts {
		pts[i] = p
		if r.IntN(8) == 0 {
			h += r.NormFloat64() * 60
		}
		step := geo.Meters(15)
		if r.IntN(30) == 0 {
			step = 150 // a gap
		}
		p = geo.Destination(p, geo.NormalizeBearing(h), step)
	}
	return pts
}

func TestTheFirstRunPublishesEveryLayer(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		n := newNetwork(t, db)
		pts := walk(rand.New(rand.NewPCG(1, 1)), 40)
		id := n.drive(day, pts, time.Second)
		n.signs(id, rand.New(rand.NewPCG(1, 2)))
		n.road(pts[3], 8000, 2000)
		res := n.run()
		if len(res.Layers) != 6 || res.Version != 1 {
			t.Fatalf("%+v", res)
		}
		tiles, m := published(t, n.s)
		if !m.AsOf.Equal(clock().Truncate(24 * time.Hour)) {
			t.Error(m.AsOf)
		}
		count, roads := map[string]int{}, 0
		for k, gz := range tiles {
			layer, _, _ := strings.Cut(k, "/")
			if layer == "heat" {
				if _, err := png.Decode(strings.NewReader(gz)); err != nil {
					t.Fatal(k, err)
				}
				count[layer]++
				continue
			}
			b, err := archive.Gunzip([]byte(gz), 1<<24)
			if err != nil {
				t.Fatal(err)
			}
			ls, err := orbmvt.Unmarshal(b)
			if err != nil || len(ls) == 0 || ls[0].Version != 2 || layer != "panoramax" && (len(ls) != 1 || ls[0].Name != layer) {
				t.Fatal(k, ls, err)
			}
			set, _ := schema.Get(layer)
			if layer == "panoramax" {
				for _, l := range ls {
					sc := set.Layer(l.Name)
					for _, f := range l.Features {
						if len(f.Properties) != len(sc.Fields) {
							t.Fatal(k, l.Name, f.Properties)
						}
					}
					count[l.Name] += len(l.Features)
				}
				continue
			}
			sc := set.Layers[0]
			for _, f := range ls[0].Features {
				for k := range f.Properties {
					found := false
					for _, field := range sc.Fields {
						found = found || field.Name == k
					}
					if !found {
						t.Fatalf("%s has attribute %q, which the schema does not", layer, k)
					}
				}
				switch layer {
				case "images":
					if len(f.Properties) != len(sc.Fields) || f.Properties["sequence_id"] != id || f.Properties["quality"] != "B" {
						t.Fatal(f.Properties)
					}
				case "features":
					if len(f.Properties) < len(sc.Fields)-1 || f.Properties["sequence_id"] != id || f.Properties["accuracy_m"] != 1.2 || f.Properties["frames"] != 3.0 {
						t.Fatal(f.Properties)
					}
				case "coverage":
					if len(f.Properties) < len(sc.Fields)-1 || f.Properties["age_days"] != 29.0 && f.Properties["age_days"] != 30.0 {
						t.Fatal(f.Properties)
					}
					if share, ok := f.Properties["road_share"]; ok {
						if share != 250_000.0 {
							t.Fatal(f.Properties)
						}
						roads++
					}
				case "sequences":
					if len(f.Properties) != len(sc.Fields) || f.Properties["frames"] != 40.0 || f.Properties["id"] != id {
						t.Fatal(f.Properties)
					}
				}
			}
			count[layer] += len(ls[0].Features)
		}
		if count["images"] != 40 || count["features"] < 3*10 || count["sequences"] < 15 || count["coverage"] < 15 || count["pictures"] != 40 || count["grid"] < 6 || count["heat"] < 14 {
			t.Fatal(count)
		}
		if roads < 15 { // the cell or an ancestor, in each zoom
			t.Errorf("%d cells have a share of road", roads)
		}
		if again := n.run(); len(again.Layers) != 0 || again.Version != 1 || again.Changes != 0 {
			t.Fatalf("a run without changes did something: %+v", again)
		}
	})
}

// Whatever happens in whatever order (drives arrive, frames and whole drives go, runs stop half-way, deltas are folded),
// the published tiles equal a full rebuild of the state, byte for byte.
func TestAnySequenceOfChangesAndCrashesEqualsAFullRebuild(t *testing.T) {
	crash := errors.New("power cut")
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		seed := uint64(time.Now().UnixNano())
		if s := os.Getenv("ROADCOMB_TEST_SEED"); s != "" {
			var err error
			if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
				t.Fatal(err)
			}
		}
		t.Log("seed", seed, "(ROADCOMB_TEST_SEED repeats it)")
		r := rand.New(rand.NewPCG(seed, 2))
		n := newNetwork(t, db)
		n.w.Config.MaxDeltas = 3
		n.w.Config.MaxFeatures = 25 // low enough for tiles to be full
		var drives []string
		folded, deltas, tombstones := false, 0, 0
		// Some draws show one of the cases late: the run goes on until it has seen them all.
		seen := func() bool { return folded && deltas >= 5 && tombstones > 0 && n.full > 0 }
		for step := 0; step < 20 || !seen() && step < 400; step++ {
			for range 1 + r.IntN(2) {
				if len(drives) > 0 && r.IntN(2) == 0 {
					n.signs(drives[r.IntN(len(drives))], r)
				}
				if r.IntN(2) == 0 { // roads, and what is driven of them, where cells are and where none is
					n.road(walk(r, 1)[0], 10_000, int64(r.IntN(10_001)))
				}
				switch k := r.IntN(6); {
				case k < 3 || len(drives) == 0:
					drives = append(drives, n.drive(day.Add(time.Duration(r.IntN(1e6))*time.Second), walk(r, 2+r.IntN(60)), time.Duration(1+r.IntN(70))*time.Second))
				case k < 5:
					from := r.IntN(40)
					n.remove(drives[r.IntN(len(drives))], from, from+r.IntN(30))
				default:
					n.remove(drives[r.IntN(len(drives))], 0, 1000)
				}
			}
			n.w.SetFault(nil)
			if r.IntN(2) == 0 {
				left := r.IntN(8)
				n.w.SetFault(func(string) error {
					if left--; left < 0 {
						return crash
					}
					return nil
				})
			}
			res, err := n.w.Update(t.Context())
			if err != nil && !errors.Is(err, crash) {
				t.Fatal(err)
			}
			for _, p := range res.Layers {
				folded = folded || p.Folded
				if err == nil && !p.Full {
					deltas++
				}
				tombstones += p.Gone
			}
			if err == nil && step%5 == 4 {
				n.mustEqualRebuild(fmt.Sprint("step ", step))
			}
		}
		n.w.SetFault(nil)
		drives = append(drives, n.drive(day.Add(2_000_000*time.Second), walk(r, 30), time.Second)) // the signs of all others may be gone
		n.signs(drives[len(drives)-1], r)
		n.run()
		n.mustEqualRebuild("end")
		signs, _ := published(t, n.s)
		maps.DeleteFunc(signs, func(k, _ string) bool { return !strings.HasPrefix(k, "features/") })
		if !seen() || len(signs) == 0 {
			t.Errorf("the test did not see what it is for: folded %v, %d deltas, %d tombstones, %d full tiles, %d tiles of features", folded, deltas, tombstones, n.full, len(signs))
		}
		for _, d := range drives {
			n.remove(d, 0, 1000)
		}
		n.run()
		n.mustEqualRebuild("emptied")
		if tiles, _ := published(t, n.s); len(tiles) != 0 {
			t.Errorf("%d tiles are left of nothing", len(tiles))
		}
	})
}

// A run that stops between the manifest and the record of what it drew has published more than the record says.
func TestFramesPublishedByARunThatDiedAreTakenDown(t *testing.T) {
	n := newNetwork(t, testkit.DB(t))
	n.w.SetFault(nil)
	n.run() // the layers exist, so that what follows is no first build
	id := n.drive(day, walk(rand.New(rand.NewPCG(3, 3)), 40), time.Second)
	crash := errors.New("power cut")
	n.w.SetFault(func(point string) error {
		if point == "consume" {
			return crash
		}
		return nil
	})
	if _, err := n.w.Update(t.Context()); !errors.Is(err, crash) {
		t.Fatal(err)
	}
	if tiles, _ := published(t, n.s); len(tiles) == 0 {
		t.Fatal("nothing was published before the crash")
	}
	n.w.SetFault(nil)
	n.remove(id, 0, 1000)
	n.run()
	if tiles, _ := published(t, n.s); len(tiles) != 0 {
		t.Fatalf("%d tiles are left of removed frames", len(tiles))
	}
}

func TestAReaderOfTheOldManifestIsNotDisturbed(t *testing.T) {
	n := newNetwork(t, testkit.DB(t))
	r := rand.New(rand.NewPCG(4, 4))
	n.drive(day, walk(r, 50), time.Second)
	n.run()
	before, old := published(t, n.s)
	for range 12 { // past a fold
		n.drive(day, walk(r, 20), time.Second)
		n.run()
	}
	for name, ts := range old.Layers {
		set := whole(t, n.s, ts)
		for k, want := range before {
			var id uint64
			if layer, num, _ := strings.Cut(k, "/"); layer == name {
				fmt.Sscan(num, &id)
				if got, ok, err := set.Tile(t.Context(), id); err != nil || !ok || string(got) != want {
					t.Fatalf("tile %s: %v %v", k, ok, err)
				}
			}
		}
	}
}

func TestOldArchivesAreSweptAndCurrentOnesNever(t *testing.T) {
	n := newNetwork(t, testkit.DB(t))
	r := rand.New(rand.NewPCG(9, 9))
	n.w.Clock = time.Now // what the store stamps objects with
	n.w.Config = worker.Config{AsOf: clock(), MaxDeltas: 2}
	for range 5 {
		n.drive(day, walk(r, 20), time.Second)
		n.run()
	}
	if removed, _, err := n.w.Sweep(t.Context()); err != nil || removed != 0 {
		t.Fatalf("%d young archives removed: %v", removed, err)
	}
	n.w.Clock = func() time.Time { return time.Now().Add(worker.SweepAfter + time.Hour) }
	removed, bytes, err := n.w.Sweep(t.Context())
	if err != nil || removed < 5 || bytes <= 0 {
		t.Fatalf("%d archives of %d bytes removed: %v", removed, bytes, err)
	}
	left := 0
	_, m := published(t, n.s) // reads every archive in force
	for _, ts := range m.Layers {
		left += len(ts.Archives)
	}
	if err := n.s.List(t.Context(), store.Public, "tiles/", func(in store.Info) error {
		if strings.HasSuffix(in.Key, ".pmtiles") {
			left--
		}
		return nil
	}); err != nil || left != 0 {
		t.Fatalf("%d archives too few or too many: %v", left, err)
	}
	n.mustEqualRebuild("after the sweep")
}

func TestTwoRebuildsGiveTheSameArchives(t *testing.T) {
	n := newNetwork(t, testkit.DB(t))
	r := rand.New(rand.NewPCG(5, 5))
	for range 5 {
		n.drive(day, walk(r, 30), time.Second)
		n.run()
	}
	rebuild := func() map[string]string {
		w := *n.w
		w.Store = testkit.S3(t)
		w.Config.Workers = 1 + r.IntN(4)
		if _, err := w.Rebuild(t.Context()); err != nil {
			t.Fatal(err)
		}
		m, _, err := worker.Manifest(t.Context(), w.Store)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for name, ts := range m.Layers {
			if len(ts.Archives) != 1 {
				t.Fatalf("%s has %d archives after a rebuild", name, len(ts.Archives))
			}
			b, _, err := w.Store.Get(t.Context(), store.Public, ts.Archives[0].Key, 1<<24)
			if err != nil || survey.HashOf(b) != ts.Archives[0].SHA256 {
				t.Fatal(name, err)
			}
			out[name] = string(b)
		}
		return out
	}
	a, b := rebuild(), rebuild()
	for name := range a {
		if a[name] != b[name] {
			t.Errorf("%s differs", name)
		}
	}
}

// No line joins frames between which others were trimmed, hidden or lost.
func TestSequencesDoNotBridgeGaps(t *testing.T) {
	n := newNetwork(t, testkit.DB(t))
	var pts []geo.Point
	p := geo.Point{Lat: 55.7, Lon: 13.19}
	for range 30 {
		pts = append(pts, p)
		p = geo.Destination(p, 90, 20)
	}
	id := n.drive(day, pts, time.Second)
	n.remove(id, 10, 16) // 140 m
	n.remove(id, 20, 22) // 60 m: bridged
	n.run()
	tiles, _ := published(t, n.s)
	gap := geo.Interpolate(pts[9], pts[16], .5)
	lines := 0
	for k, gz := range tiles {
		if !strings.HasPrefix(k, "sequences/") {
			continue
		}
		var num uint64
		fmt.Sscan(strings.TrimPrefix(k, "sequences/"), &num)
		z, x, y := archive.ZXY(num)
		if z != 14 {
			continue
		}
		b, _ := archive.Gunzip([]byte(gz), 1<<24)
		ls, err := orbmvt.Unmarshal(b)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range ls[0].Features {
			f := f.Geometry
			var all orb.MultiLineString
			switch g := f.(type) {
			case orb.LineString:
				all = orb.MultiLineString{g}
			case orb.MultiLineString:
				all = g
			}
			for _, l := range all {
				lines++
				for i := 1; i < len(l); i++ {
					lon := func(v float64) float64 { return (float64(x)+v/4096)/float64(int(1)<<z)*360 - 180 }
					if a, b := lon(l[i-1][0]), lon(l[i][0]); min(a, b) < gap.Lon && max(a, b) > gap.Lon {
						t.Fatalf("a line of tile %d/%d/%d crosses the gap: %v", z, x, y, l)
					}
				}
			}
		}
	}
	if lines < 2 {
		t.Fatal(lines, "lines")
	}
}

func TestAnotherDayRebuildsCoverageOnly(t *testing.T) {
	n := newNetwork(t, testkit.DB(t))
	n.drive(day, walk(rand.New(rand.NewPCG(6, 6)), 30), time.Second)
	n.run()
	before, _ := published(t, n.s)
	n.w.Clock = func() time.Time { return clock().Add(30 * 24 * time.Hour) }
	res := n.run()
	if p, ok := res.Layers["coverage"]; !ok || !p.Full || len(res.Layers) != 2 {
		t.Fatalf("%+v", res)
	}
	after, m := published(t, n.s)
	if m.Version != 2 {
		t.Error(m.Version)
	}
	for k, v := range before {
		if (strings.HasPrefix(k, "coverage/") || strings.HasPrefix(k, "heat/")) == (after[k] == v) {
			t.Errorf("tile %s", k)
		}
	}
}

func TestRunsSideBySideAgree(t *testing.T) {
	n := newNetwork(t, testkit.DB(t))
	r := rand.New(rand.NewPCG(7, 7))
	for range 3 {
		for range 3 {
			n.drive(day, walk(r, 20), time.Second)
		}
		errs := make(chan error, 3)
		for range 3 {
			w := *n.w
			go func() { errs <- w.Run(context.Background()) }()
		}
		for range 3 {
			if err := <-errs; err != nil {
				t.Fatal(err)
			}
		}
	}
	n.mustEqualRebuild("after runs side by side")
}

// A browser's numbers hold 53 bits and a cell has 64: cells go as hex strings, and no number or id in any tile is larger.
func TestCellsInTilesAreStringsAndNoNumberIsTooLargeForABrowser(t *testing.T) {
	n := newNetwork(t, testkit.DB(t))
	id := n.drive(day, walk(rand.New(rand.NewPCG(9, 9)), 40), time.Second)
	n.signs(id, rand.New(rand.NewPCG(9, 10)))
	n.run()
	tiles, _ := published(t, n.s)
	cellsSeen := map[string]int{}
	for k, gz := range tiles {
		if strings.HasPrefix(k, "heat/") {
			continue
		}
		b, err := archive.Gunzip([]byte(gz), 1<<24)
		if err != nil {
			t.Fatal(k, err)
		}
		ls, err := orbmvt.Unmarshal(b)
		if err != nil {
			t.Fatal(k, err)
		}
		for _, l := range ls {
			for _, f := range l.Features {
				if v, ok := f.ID.(float64); f.ID != nil && (!ok || v < 0 || v >= 1<<53) {
					t.Fatalf("%s %s has id %v", k, l.Name, f.ID)
				}
				for name, v := range f.Properties {
					if x, ok := v.(float64); ok && (x > 1<<53-1 || x < -(1<<53-1)) {
						t.Fatalf("%s %s: %s is the number %v", k, l.Name, name, x)
					}
					if name != "h3" {
						continue
					}
					s, _ := v.(string)
					if c, err := survey.ParseCell(s); err != nil || c.String() != s {
						t.Fatalf("%s %s: h3 is %#v: %v", k, l.Name, v, err)
					}
					cellsSeen[l.Name]++
				}
			}
		}
	}
	if cellsSeen["coverage"] == 0 {
		t.Fatalf("no cells: %v", cellsSeen)
	}
}

func TestNothingOfAContributorIsInTheTiles(t *testing.T) {
	n := newNetwork(t, testkit.DB(t))
	n.drive(day, walk(rand.New(rand.NewPCG(8, 8)), 30), time.Second)
	n.run()
	tiles, m := published(t, n.s)
	mb, _ := m.Encode()
	for k, gz := range tiles {
		b, _ := archive.Gunzip([]byte(gz), 1<<24)                                           // nil of a picture
		for _, secret := range []string{strings.Repeat("c", 32), strings.Repeat("a", 32)} { // contributor, upload
			if bytes.Contains(b, []byte(secret)) || bytes.Contains(mb, []byte(secret)) {
				t.Fatalf("%s holds %s", k, secret)
			}
		}
	}
}
