package worker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/ingest/worker"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

// The embedded store changes the working folder, by which the shared data is found.
func TestMain(m *testing.M) {
	if os.Getenv("ROADCOMB_SHARED") == "" {
		if abs, err := filepath.Abs("../../../shared"); err == nil {
			os.Setenv("ROADCOMB_SHARED", abs)
		}
	}
	os.Exit(m.Run())
}

// grid stands in for H3, which needs cgo: a cell per hundredth of a degree.
type grid struct{}

func (grid) Cell(p geo.Point) (survey.Cell, error) {
	return survey.Cell(0x8c0000000000000 | uint64((p.Lat+90)*100)<<20 | uint64((p.Lon+180)*100)), nil
}

// network is a database and a store with one contributor.
type network struct {
	t  testing.TB
	db *state.DB
	s3 *store.Store
	w  *worker.Worker
}

var day = time.Date(2026, 5, 11, 12, 0, 0, 0, time.UTC)

func open(t testing.TB) *network { return openOn(t, testkit.DB(t)) }

func openOn(t testing.TB, db *state.DB) *network {
	n := &network{t: t, db: db, s3: testkit.S3(t)}
	n.w = &worker.Worker{DB: n.db, Store: n.s3, Clock: func() time.Time { return day }, NewPinner: func() worker.Pinner { return grid{} },
		Config: worker.Config{NoTrim: true}}
	n.contributor("c1")
	return n
}

func (n *network) contributor(id string) {
	n.t.Helper()
	if _, err := n.db.Exec(context.Background(), `INSERT INTO contributors (id, created_at) VALUES ($1, 1)`, id); err != nil {
		n.t.Fatal(err)
	}
}

// send stores files as a completed upload of the contributor, as the API leaves it.
func (n *network) send(c survey.ContributorID, files map[string][]byte, opts survey.UploadOptions) survey.UploadID {
	n.t.Helper()
	ctx := context.Background()
	var hs []survey.Hash
	var total int
	for _, b := range files {
		hs = append(hs, survey.HashOf(b))
		total += len(b)
	}
	id := survey.NewUploadID(c, hs)
	o, err := json.Marshal(opts)
	if err != nil {
		n.t.Fatal(err)
	}
	for _, b := range files {
		if len(b) == 0 {
			continue
		}
		if _, err := n.s3.Put(ctx, store.Private, store.OriginalKey(c, survey.HashOf(b)), b, ""); err != nil {
			n.t.Fatal(err)
		}
	}
	err = n.db.Tx(ctx, func(tx *state.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO uploads (id, contributor_id, state, options, files, bytes, created_at, completed_at)
			VALUES ($1, $2, 'uploaded', $3, $4, $5, $6, $6)`, string(id), string(c), string(o), len(files), total, state.Micros(day)); err != nil {
			return err
		}
		for p, b := range files {
			h := survey.HashOf(b)
			if _, err := tx.Exec(ctx, `INSERT INTO upload_files (upload_id, path, sha256, bytes, object) VALUES ($1, $2, $3, $4, $5)`,
				string(id), p, h.String(), len(b), store.OriginalKey(c, h)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return id
}

func (n *network) ingest(id survey.UploadID) {
	n.t.Helper()
	if err := n.w.Ingest(context.Background(), id); err != nil {
		n.t.Fatal(err)
	}
}

// verdicts is the reason by path; "accepted", or "frame" for what waits for vision.
func (n *network) verdicts(id survey.UploadID) map[string]string {
	n.t.Helper()
	rows, err := n.db.Query(context.Background(), `SELECT path, verdict, reason, message FROM upload_files WHERE upload_id = $1`, string(id))
	if err != nil {
		n.t.Fatal(err)
	}
	defer rows.Close()
	out := map[string]string{}
	for rows.Next() {
		var p, v, r, m string
		if err := rows.Scan(&p, &v, &r, &m); err != nil {
			n.t.Fatal(err)
		}
		switch v {
		case "":
			v = "frame"
		case "rejected":
			v = r
			if m == "" {
				n.t.Errorf("%q is rejected without a message", p)
			}
		}
		out[p] = v
	}
	return out
}

func (n *network) int(q string, args ...any) (v int64) {
	n.t.Helper()
	if err := n.db.QueryRow(context.Background(), q, args...).Scan(&v); err != nil {
		n.t.Fatal(err)
	}
	return v
}

func (n *network) text(q string, args ...any) (v string) {
	n.t.Helper()
	if err := n.db.QueryRow(context.Background(), q, args...).Scan(&v); err != nil {
		n.t.Fatal(err)
	}
	return v
}

// folder reads a folder of the shared data, under the given prefix.
func folder(t testing.TB, prefix string, elem ...string) map[string][]byte {
	t.Helper()
	dir := testkit.Shared(t, append([]string{"data"}, elem...)...)
	out := map[string][]byte{}
	es, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range es {
		if e.IsDir() {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[prefix+e.Name()] = b
	}
	return out
}

func count(vs map[string]string) map[string]int {
	out := map[string]int{}
	for _, v := range vs {
		out[v]++
	}
	return out
}

func picture(seed int, p geo.Point, at time.Time) []byte {
	return testkit.JPEG(testkit.Picture{W: 160, H: 120, Seed: uint64(seed), Point: &p, GPSTime: at, Make: "Acme", Model: "Dash 1"})
}

var home = geo.Point{Lat: 55.7, Lon: 13.19}

// straight is n frames 8 m apart at 8 m/s to the east of p.
func straight(n int, p geo.Point, start time.Time, seed int) map[string][]byte {
	out := map[string][]byte{}
	for i := range n {
		out[fmt.Sprintf("drive/%04d.jpg", i+seed)] = picture(i+seed, geo.Destination(p, 90, geo.Meters(8*i)), start.Add(time.Duration(i)*time.Second))
	}
	return out
}

var morning = time.Date(2026, 5, 11, 8, 0, 0, 0, time.UTC)

func TestLundIsSpreadAlongItsPathAndFlagged(t *testing.T) {
	n := open(t)
	id := n.send("c1", folder(t, "lund/", "exif-sequence-lund"), survey.UploadOptions{})
	n.ingest(id)
	got := count(n.verdicts(id))
	if got["frame"]+got["too_close"] != 29 || got["frame"] < 20 {
		t.Fatalf("%v", got)
	}
	if c := n.int(`SELECT COUNT(*) FROM frames WHERE flags LIKE '%time_assumed%'`); int(c) != got["frame"] {
		t.Errorf("%d of %d frames are flagged", c, got["frame"])
	}
	if first := state.Time(n.int(`SELECT MIN(captured_at) FROM frames`)); !first.Equal(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("starts at %v", first)
	}
	// The order is that of the names.
	if bad := n.int(`SELECT COUNT(*) FROM frames a JOIN frames b ON a.drive_id = b.drive_id AND a.seq < b.seq AND a.path > b.path`); bad != 0 {
		t.Errorf("%d pairs out of order", bad)
	}
	if jobs := n.int(`SELECT COUNT(*) FROM river_job WHERE kind = 'vision'`); jobs != n.int(`SELECT COUNT(*) FROM drive_parts`) || jobs == 0 {
		t.Errorf("%d vision jobs", jobs)
	}
}

func TestArezzoIsPlacedByGPSTimeAndItsClockIsReported(t *testing.T) {
	n := open(t)
	id := n.send("c1", folder(t, "", "exif-sequence-arezzo"), survey.UploadOptions{})
	n.ingest(id)
	if got := count(n.verdicts(id)); got["frame"] != 9 {
		t.Fatalf("%v", got)
	}
	first := state.Time(n.int(`SELECT MIN(captured_at) FROM frames`))
	if want := time.Date(2008, 10, 22, 14, 27, 7, 24e7, time.UTC); !first.Equal(want) {
		t.Errorf("first at %v, want %v", first, want)
	}
	if c := n.int(`SELECT COUNT(*) FROM frames WHERE flags LIKE '%time_offset%'`); c != 9 {
		t.Errorf("%d frames flagged", c)
	}
}

func TestAMixedFolderWithJunkLosesNothing(t *testing.T) {
	n := open(t)
	files := folder(t, "a/", "exif-sequence-lund")
	for _, d := range []string{"exif-sequence-arezzo", "exif-action-cam", "exif-malformed"} {
		for p, b := range folder(t, "a/", d) {
			files[p] = b
		}
	}
	files["a/readme.txt"] = []byte("holiday")
	files["a/empty.jpg"] = nil
	files["a/cut.jpg"] = files["a/01.jpg"][:30000]
	files["a/copy of 02.jpg"] = files["a/02.jpg"]
	files["a/new\nline.jpg"] = files["a/03.jpg"][:20000]
	files["a/lone.nmea"] = []byte("$GPRMC,032908.379,A,4231.8291,N,08807.3033,W,0.17,138.92,070804,,*12\n")
	id := n.send("c1", files, survey.UploadOptions{})
	n.ingest(id)
	vs := n.verdicts(id)
	for p, want := range map[string]string{
		"a/readme.txt": "unknown_type", "a/empty.jpg": "empty", "a/cut.jpg": "corrupt", "a/02.jpg": "frame", "a/copy of 02.jpg": "duplicate",
		"a/new\nline.jpg": "bad_name", "a/lone.nmea": "track_unused", "a/corrupt_exif.jpg": "too_small", "a/DSC00001.JPG": "frame",
	} {
		if vs[p] != want {
			t.Errorf("%q: %s, want %s", p, vs[p], want)
		}
	}
	if len(vs) != len(files) {
		t.Errorf("%d of %d files", len(vs), len(files))
	}
}

func TestBadInputs(t *testing.T) {
	n := open(t)
	p := home
	null, nowhere := geo.Point{}, geo.Point{Lat: 95, Lon: 10}
	bomb := picture(1, p, morning)
	sof := bytes.LastIndex(bomb[:len(bomb)/2], []byte{0xff, 0xc0, 0, 17, 8})
	if sof < 0 {
		t.Fatal("no frame header")
	}
	copy(bomb[sof+5:], []byte{0x4e, 0x20, 0x4e, 0x20}) // 20,000 × 20,000
	files := map[string][]byte{
		"bomb.jpg":   bomb,
		"null.jpg":   picture(2, null, morning),
		"where.jpg":  picture(3, nowhere, morning),
		"nogps.jpg":  testkit.JPEG(testkit.Picture{W: 160, H: 120, Seed: 4, Taken: morning}),
		"noexif.jpg": testkit.JPEG(testkit.Picture{W: 160, H: 120, Seed: 5, NoEXIF: true}),
		"future.jpg": picture(6, p, morning.AddDate(3, 0, 0)),
		"past.jpg":   picture(7, p, time.Date(1999, 8, 22, 0, 0, 0, 0, time.UTC)),
		"good.jpg":   picture(8, p, morning),
		"lost.jpg":   picture(9, p, morning),
		"other.jpg":  picture(10, p, morning),
	}
	id := n.send("c1", files, survey.UploadOptions{})
	ctx := t.Context()
	if err := n.s3.Remove(ctx, store.Private, store.OriginalKey("c1", survey.HashOf(files["lost.jpg"]))); err != nil {
		t.Fatal(err)
	}
	if _, err := n.s3.Put(ctx, store.Private, store.OriginalKey("c1", survey.HashOf(files["other.jpg"])), files["good.jpg"], ""); err != nil {
		t.Fatal(err)
	}
	n.ingest(id)
	vs := n.verdicts(id)
	for p, want := range map[string]string{"bomb.jpg": "pixel_bomb", "null.jpg": "null_island", "where.jpg": "bad_position", "nogps.jpg": "no_position",
		"noexif.jpg": "no_position", "future.jpg": "bad_time", "past.jpg": "bad_time", "good.jpg": "frame", "lost.jpg": "unreadable", "other.jpg": "hash_mismatch"} {
		if vs[p] != want {
			t.Errorf("%s: %s, want %s", p, vs[p], want)
		}
	}
}

func gpx(n int, start time.Time, p geo.Point) []byte {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0"?><gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>`)
	for i := range n {
		q := geo.Destination(p, 90, geo.Meters(10*i))
		fmt.Fprintf(&b, `<trkpt lat="%.7f" lon="%.7f"><ele>12</ele><time>%s</time></trkpt>`, q.Lat, q.Lon, start.Add(time.Duration(i)*time.Second).Format(time.RFC3339))
	}
	b.WriteString(`</trkseg></trk></gpx>`)
	return []byte(b.String())
}

func TestATrackBesideTheImagesPlacesThem(t *testing.T) {
	for _, c := range []struct {
		name   string
		clock  time.Duration // camera − UTC
		given  time.Duration
		flags  bool
		inside int
	}{
		{"camera on UTC", 0, 0, false, 10},
		{"camera on local time, inferred", 2 * time.Hour, 0, true, 10},
		{"camera with a given offset", 37 * time.Minute, -37 * time.Minute, true, 10},
		{"camera that no zone explains", 7*time.Minute + 20*time.Second, 0, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := open(t)
			files := map[string][]byte{"track/drive.gpx": gpx(120, morning, home)}
			for i := range 10 {
				files[fmt.Sprintf("track/images/%d.jpg", i)] = testkit.JPEG(testkit.Picture{W: 160, H: 120, Seed: uint64(i), Taken: morning.Add(c.clock + time.Duration(20+2*i)*time.Second + 500*time.Millisecond)})
			}
			id := n.send("c1", files, survey.UploadOptions{ClockOffset: c.given})
			n.ingest(id)
			got := count(n.verdicts(id))
			if got["frame"] != c.inside || got["outside_track"] != 10-c.inside {
				t.Fatalf("%v", got)
			}
			if c.inside == 0 {
				if got["track_unused"] != 1 {
					t.Errorf("%v", got)
				}
				return
			}
			if got["accepted"] != 1 {
				t.Errorf("track: %v", got)
			}
			if f := n.int(`SELECT COUNT(*) FROM frames WHERE flags LIKE '%position_track%'`); f != 10 {
				t.Errorf("%d flagged", f)
			}
			if f := n.int(`SELECT COUNT(*) FROM frames WHERE flags LIKE '%time_offset%'`); (f == 10) != c.flags {
				t.Errorf("%d flagged with an offset", f)
			}
			want := geo.Destination(home, 90, 205)
			p := geo.FromE7(n.int(`SELECT lat_e7 FROM frames ORDER BY seq LIMIT 1`), n.int(`SELECT lon_e7 FROM frames ORDER BY seq LIMIT 1`))
			if d := geo.Distance(p, want); d > 0.1 {
				t.Errorf("first frame is %.2f m off", d)
			}
		})
	}
}

func TestIngestIsIdempotentAndOneOfTwoContributorsEarns(t *testing.T) {
	n := open(t)
	n.contributor("c2")
	files := straight(5, home, morning, 0)
	a := n.send("c1", files, survey.UploadOptions{})
	n.ingest(a)
	drive := n.text(`SELECT id FROM drives`)
	n.ingest(a)
	b := n.send("c2", files, survey.UploadOptions{})
	n.ingest(b)
	if got := count(n.verdicts(b)); got["duplicate"] != 5 {
		t.Fatalf("%v", got)
	}
	if c := n.int(`SELECT COUNT(*) FROM drives`); c != 1 || n.int(`SELECT COUNT(*) FROM frames`) != 5 {
		t.Errorf("%d drives", c)
	}
	if st := n.text(`SELECT state FROM uploads WHERE id = $1`, string(b)); st != "settled" {
		t.Errorf("an upload of nothing new is %s", st)
	}
	body, _, err := n.s3.Get(t.Context(), store.Ledger, store.DriveManifestKey(survey.DriveID(drive)), 1<<20)
	if err != nil || survey.HashOf(body).String() != n.text(`SELECT manifest_sha256 FROM drives`) {
		t.Fatal(err)
	}
	if bytes.Contains(body, []byte("drive/0000.jpg")) || bytes.Contains(body, []byte(a)) {
		t.Error("the manifest names the driver's files or upload")
	}
	if err := n.w.Ingest(t.Context(), "nope"); survey.KindOf(err) != survey.NotFound {
		t.Error(err)
	}
}

func TestTheSameFilesGiveTheSameManifestOnAnotherNetwork(t *testing.T) {
	var bodies [][]byte
	for range 2 {
		n := open(t)
		n.ingest(n.send("c1", straight(30, home, morning, 0), survey.UploadOptions{}))
		b, _, err := n.s3.Get(t.Context(), store.Ledger, store.DriveManifestKey(survey.DriveID(n.text(`SELECT id FROM drives`))), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, b)
	}
	if !bytes.Equal(bodies[0], bodies[1]) {
		t.Fatal("manifests differ")
	}
}

func TestEndsAreTrimmedByDefaultAndZonesAreCutOut(t *testing.T) {
	n := open(t)
	n.w.Config.NoTrim = false
	zone := geo.Destination(home, 90, 1200)
	lat, lon := zone.E7()
	if _, err := n.db.Exec(t.Context(), `INSERT INTO privacy_zones (id, contributor_id, lat_e7, lon_e7, radius_mm, created_at) VALUES ('z', 'c1', $1, $2, 100000, 1)`, lat, lon); err != nil {
		t.Fatal(err)
	}
	id := n.send("c1", straight(300, home, morning, 0), survey.UploadOptions{}) // 2,392 m
	n.ingest(id)
	got := count(n.verdicts(id))
	if got["trimmed"] < 124 || got["privacy_zone"] < 25 || got["frame"] < 140 {
		t.Fatalf("%v", got)
	}
	if d := n.int(`SELECT COUNT(*) FROM drives`); d != 2 {
		t.Errorf("%d drives", d)
	}
	end := geo.Destination(home, 90, 299*8)
	rows, err := n.db.Query(t.Context(), `SELECT lat_e7, lon_e7 FROM frames`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var la, lo int64
		if err := rows.Scan(&la, &lo); err != nil {
			t.Fatal(err)
		}
		p := geo.FromE7(la, lo)
		if geo.Distance(p, home) < 500 || geo.Distance(p, end) < 500 || geo.Distance(p, zone) < 100 {
			t.Errorf("frame at %v", p)
		}
	}
	if v := n.text(`SELECT vars FROM upload_files WHERE reason = 'privacy_zone' LIMIT 1`); v != "{}" {
		t.Errorf("a verdict tells of a zone: %s", v)
	}
}

func TestTrimmingHasAFloor(t *testing.T) {
	n := open(t)
	n.w.Config.NoTrim = false
	id := n.send("c1", straight(60, home, morning, 0), survey.UploadOptions{TrimMeters: 1})
	n.ingest(id)
	if got := count(n.verdicts(id)); got["trimmed"] != 26 {
		t.Fatalf("%v", got)
	}
}

func TestPartsHoldAtMostPartFrames(t *testing.T) {
	n := open(t)
	id := n.send("c1", straight(230, home, morning, 0), survey.UploadOptions{})
	n.ingest(id)
	if p := n.int(`SELECT COUNT(*) FROM drive_parts`); p != 3 {
		t.Errorf("%d parts", p)
	}
	if m := n.int(`SELECT MAX(c) FROM (SELECT COUNT(*) AS c FROM frames GROUP BY drive_id, part) AS x`); m != survey.PartFrames {
		t.Errorf("%d frames in a part", m)
	}
}

func TestReceivedIsStampedByTheHook(t *testing.T) {
	n := open(t)
	want := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	var newest time.Time
	n.w.Received = func(t time.Time) time.Time { newest = t; return want }
	id := n.send("c1", straight(3, home, morning, 0), survey.UploadOptions{})
	n.ingest(id)
	for _, q := range []string{`SELECT received_at FROM frames LIMIT 1`, `SELECT received_at FROM drives`, `SELECT completed_at FROM uploads`} {
		if got := state.Time(n.int(q)); !got.Equal(want) {
			t.Errorf("%s: %v", q, got)
		}
	}
	if !newest.Equal(morning.Add(2 * time.Second)) {
		t.Errorf("newest %v", newest)
	}
}

func TestAFilmGivesFramesAlongItsTrack(t *testing.T) {
	b := folder(t, "card/", "gopro")["card/karma.mp4"]
	for _, streamed := range []bool{false, true} {
		n := open(t)
		if streamed {
			n.w.Config.MaxImageBytes = 1 << 20 // larger files are read by range
		}
		id := n.send("c1", map[string][]byte{"card/GOPR0001.MP4": b, "card/cut.mp4": b[:len(b)/2]}, survey.UploadOptions{})
		n.ingest(id)
		vs := n.verdicts(id)
		if vs["card/GOPR0001.MP4"] != "accepted" || vs["card/cut.mp4"] != "corrupt" {
			t.Fatalf("%v", vs)
		}
		if c := n.int(`SELECT COUNT(*) FROM frames WHERE film_pts_us >= 0 AND width = 854 AND sha256 = $1`, survey.HashOf(b).String()); c != 10 {
			t.Errorf("%d frames", c)
		}
		first := state.Time(n.int(`SELECT MIN(captured_at) FROM frames`))
		if want := time.Date(2017, 4, 17, 19, 27, 57, 0, time.UTC); first.Sub(want).Abs() > time.Second {
			t.Errorf("first at %v", first)
		}
		n.contributor("c2")
		again := n.send("c2", map[string][]byte{"other.mp4": b}, survey.UploadOptions{})
		n.ingest(again)
		if vs := n.verdicts(again); vs["other.mp4"] != "duplicate" {
			t.Errorf("%v", vs)
		}
	}
}

func TestEveryEngineTakesTheWholeStage(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		n := openOn(t, db)
		n.contributor("c2")
		files := straight(120, home, morning, 0)
		files["drive/track.gpx"] = gpx(130, morning, home)
		files["drive/junk"] = []byte("junk")
		a := n.send("c1", files, survey.UploadOptions{})
		n.ingest(a)
		if got := count(n.verdicts(a)); got["frame"] != 120 || got["accepted"] != 1 || got["unknown_type"] != 1 {
			t.Fatalf("%v", got)
		}
		if p := n.int(`SELECT COUNT(*) FROM drive_parts`); p != 2 || n.int(`SELECT COUNT(*) FROM river_job WHERE kind = 'vision'`) != 2 {
			t.Errorf("%d parts", p)
		}
		b := n.send("c2", straight(60, home, morning, 60), survey.UploadOptions{}) // the numbers differ, and so the bytes
		n.ingest(b)
		if f := n.int(`SELECT COUNT(*) FROM findings WHERE kind = 'repeated_positions'`); f == 0 {
			t.Error("no finding")
		}
	})
}

func TestTwoUploadsOfTheSameFilesAtOnceCountOnce(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		n := openOn(t, db)
		files := straight(40, home, morning, 0)
		var ids []survey.UploadID
		for i := range 4 {
			c := survey.ContributorID(fmt.Sprint("racer", i))
			n.contributor(string(c))
			ids = append(ids, n.send(c, files, survey.UploadOptions{}))
		}
		var wg sync.WaitGroup
		errs := make([]error, 2*len(ids))
		for i := range errs { // each upload by two workers
			wg.Go(func() { errs[i] = n.w.Ingest(context.Background(), ids[i%len(ids)]) })
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		frames, dups := 0, 0
		for _, id := range ids {
			got := count(n.verdicts(id))
			frames, dups = frames+got["frame"], dups+got["duplicate"]
		}
		if frames != 40 || dups != 120 || n.int(`SELECT COUNT(*) FROM frames`) != 40 || n.int(`SELECT COUNT(*) FROM drives`) != 1 {
			t.Fatalf("%d frames, %d duplicates", frames, dups)
		}
	})
}

func TestAVerifiedFilmIsNotReadTwice(t *testing.T) {
	b := folder(t, "", "gopro")["karma.mp4"]
	n := open(t)
	n.w.Config.MaxImageBytes = 1 << 20
	id := n.send("c1", map[string][]byte{"a.mp4": b}, survey.UploadOptions{})
	n.ingest(id)
	if c := n.int(`SELECT COUNT(*) FROM ingest_verified`); c != 1 {
		t.Fatalf("%d remembered", c)
	}
	// Other bytes under the key are noticed although the object is known.
	other := bytes.Clone(b)
	other[len(other)/2] ^= 1
	if _, err := n.s3.Put(t.Context(), store.Private, store.OriginalKey("c1", survey.HashOf(b)), other, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := n.db.Exec(t.Context(), `UPDATE uploads SET state = 'uploaded'`); err != nil {
		t.Fatal(err)
	}
	if _, err := n.db.Exec(t.Context(), `UPDATE upload_files SET verdict = '', kind = ''`); err != nil {
		t.Fatal(err)
	}
	n.ingest(id)
	if vs := n.verdicts(id); vs["a.mp4"] != "hash_mismatch" {
		t.Fatalf("%v", vs)
	}
}

// BenchmarkIngest runs the stage over an upload of a thousand images in the embedded store.
func BenchmarkIngest(b *testing.B) {
	const images = 1000
	frame := testkit.JPEG(testkit.Picture{W: 640, H: 480, Seed: 1, NoEXIF: true})
	files := map[string][]byte{}
	for i := range images {
		p := geo.Destination(home, 90, geo.Meters(8*i))
		files[fmt.Sprintf("drive/%04d.jpg", i)] = testkit.WithEXIF(frame, testkit.EXIF(testkit.Picture{Point: &p, GPSTime: morning.Add(time.Duration(i) * time.Second), Make: "Acme", Model: "Dash 1"}))
	}
	var spent time.Duration
	n := 0
	for b.Loop() {
		b.StopTimer()
		net := open(b)
		id := net.send("c1", files, survey.UploadOptions{})
		b.StartTimer()
		from := time.Now()
		net.ingest(id)
		spent += time.Since(from)
		n += images
	}
	b.ReportMetric(float64(n)/spent.Seconds(), "images/s")
	b.ReportMetric(float64(len(frame)), "B/image")
}

func TestAFilmWithoutPositionsIsPlacedByTheTrackBesideIt(t *testing.T) {
	b := folder(t, "", "egoblur-lp")["test_lp_video.mp4"] // 3.2 s, no track, no date
	for _, c := range []struct {
		name, path string
		opts       survey.UploadOptions
		track      bool
		want       string
		frames     int64
	}{
		{"name in UTC", "dash/20260511_080030.mp4", survey.UploadOptions{}, true, "accepted", 4},
		{"name in local time", "dash/20260511_100030.mp4", survey.UploadOptions{}, true, "accepted", 4},
		{"name and a given offset", "dash/20260511_080730.mp4", survey.UploadOptions{ClockOffset: -7 * time.Minute}, true, "accepted", 4},
		{"a clock that is off", "dash/20260511_080730.mp4", survey.UploadOptions{}, true, "outside_track", 0},
		{"no time", "dash/film.mp4", survey.UploadOptions{}, true, "no_time", 0},
		{"no track", "dash/20260511_080030.mp4", survey.UploadOptions{}, false, "no_position", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := open(t)
			files := map[string][]byte{c.path: b}
			if c.track {
				files["dash/track.gpx"] = gpx(120, morning, home)
			}
			id := n.send("c1", files, c.opts)
			n.ingest(id)
			if vs := n.verdicts(id); vs[c.path] != c.want {
				t.Fatalf("%v", vs)
			}
			if f := n.int(`SELECT COUNT(*) FROM frames WHERE flags LIKE '%position_track%'`); f != c.frames {
				t.Fatalf("%d frames", f)
			}
			if c.frames > 0 {
				if first := state.Time(n.int(`SELECT MIN(captured_at) FROM frames`)); !first.Equal(morning.Add(30 * time.Second)) {
					t.Errorf("first at %v", first)
				}
			}
		})
	}
}

func TestExifToolIsAskedOnlyWhenGiven(t *testing.T) {
	bin, err := exec.LookPath("exiftool")
	if err != nil {
		t.Skip("exiftool is not installed")
	}
	b := folder(t, "", "egoblur-lp")["test_lp_video.mp4"]
	for _, c := range []struct{ bin, want string }{{"", "no_position"}, {bin, "no_position"}, {"/nowhere/exiftool", ""}} {
		n := open(t)
		n.w.Config.ExifTool = c.bin
		id := n.send("c1", map[string][]byte{"a.mp4": b}, survey.UploadOptions{})
		err := n.w.Ingest(t.Context(), id)
		if c.want == "" {
			if survey.KindOf(err) != survey.Unavailable {
				t.Errorf("a program that is not there: %v", err)
			}
			continue
		}
		if vs := n.verdicts(id); err != nil || vs["a.mp4"] != c.want {
			t.Errorf("%q: %v %v", c.bin, vs, err)
		}
	}
}
