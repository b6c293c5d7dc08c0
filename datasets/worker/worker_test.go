package worker_test

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/datasets/schema"
	"github.com/roadcomb/roadcomb/datasets/snapshot"
	"github.com/roadcomb/roadcomb/datasets/worker"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/hex/cells"
	"github.com/roadcomb/roadcomb/pkg/hex/freshness"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

var asOf = time.Date(2024, 5, 13, 0, 0, 0, 0, time.UTC)

var networkKey = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

// world is a network with one contributor, whose drives are published and indexed as the stages would leave them.
type world struct {
	t  *testing.T
	db *state.DB
	st *store.Store
	w  *worker.Worker
	c  *cells.Cells
}

func newWorld(t *testing.T, db *state.DB) *world {
	st := testkit.S3(t)
	clock := func() time.Time { return asOf }
	w := &world{t: t, db: db, st: st, c: &cells.Cells{DB: db, Clock: clock},
		w: &worker.Worker{DB: db, Store: st, Clock: clock, Freshness: freshness.Current(), Key: networkKey}}
	w.exec(`INSERT INTO contributors (id, handle, payout_address, created_at) VALUES ('c1', 'h', '0x00000000000000000000000000000000000000aa', 1)`)
	return w
}

func (w *world) exec(q string, args ...any) {
	w.t.Helper()
	if _, err := w.db.Exec(w.t.Context(), q, args...); err != nil {
		w.t.Fatal(err)
	}
}

// drive adds n published frames 20 m apart from start, except those in hole, which are rejected.
func (w *world) drive(id string, start geo.Point, at time.Time, n int, hole ...int) {
	w.t.Helper()
	us := state.Micros(at)
	w.exec(`INSERT INTO uploads (id, contributor_id, state, options, files, bytes, created_at, completed_at) VALUES ($1, 'c1', 'ingested', '{}', $2, 1, $3, $3)`, "u"+id, n, us)
	w.exec(`INSERT INTO drives (id, upload_id, contributor_id, device_id, state, started_at, ended_at, received_at, frames, parts, distance_mm, manifest_sha256)
		VALUES ($1, $2, 'c1', 'd1', 'vision', $3, $3, $3, $4, 1, 1, '')`, id, "u"+id, us, n)
	w.exec(`INSERT INTO drive_parts (drive_id, part, done_run) VALUES ($1, 0, 0)`, id)
	red, _ := json.Marshal(survey.Redaction{Models: []survey.ModelRef{{Name: "m", Version: "1", SHA256: survey.HashOf(nil)}}, Method: "solid", Width: 8, Height: 6,
		Boxes: []survey.Box{{Class: survey.ClassFace}, {Class: survey.ClassPlate}, {Class: survey.ClassText}}})
	q, _ := json.Marshal(survey.Quality{Score: 800_000, Grade: "B"})
	for i := range n {
		p := geo.Destination(start, 90, geo.Meters(20*i))
		cell, err := hex.CellOf(p, 12)
		if err != nil {
			w.t.Fatal(err)
		}
		lat, lon := p.E7()
		st, verdict, reason := "published", "accepted", ""
		if slices.Contains(hole, i) {
			st, verdict, reason = "rejected", "rejected", "undecodable"
		}
		w.exec(`INSERT INTO upload_files (upload_id, path, sha256, bytes, kind, verdict, reason) VALUES ($1, $2, '', 5, 'image', $3, $4)`, "u"+id, fmt.Sprintf("secret/%d.jpg", i), verdict, reason)
		w.exec(`INSERT INTO frames (id, drive_id, part, seq, upload_id, path, object, sha256, bytes, captured_at, received_at, lat_e7, lon_e7, heading_mdeg, cell, width, height, state,
			quality_ppm, quality, redaction, public_key, public_sha256, public_bytes, public_width, public_height)
			VALUES ($1, $2, 0, $3, $4, $13, '', '', 1, $5, $6, $7, $8, 90500, $9, 8, 6, $10, 800000, $11, $12, 'k', 'h', 99, 8, 6)`,
			fmt.Sprintf("%s-%03d", id, i), id, i, "u"+id, us+int64(i)*2e6, us, lat, lon, cell.Int64(), st, string(q), string(red), fmt.Sprintf("secret/%d.jpg", i))
	}
	w.index(id, 0)
}

func (w *world) index(id string, rev int) {
	w.t.Helper()
	if err := w.c.Index(w.t.Context(), state.IndexArgs{DriveID: survey.DriveID(id), Revision: rev}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) export() snapshot.Snapshot {
	w.t.Helper()
	if err := w.w.Export(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	b, _, err := w.st.Get(w.t.Context(), store.Lake, store.SnapshotHead, 1<<20)
	if err != nil {
		w.t.Fatal(err)
	}
	var h snapshot.Head
	if err := json.Unmarshal(b, &h); err != nil {
		w.t.Fatal(err)
	}
	b, _, err = w.st.Get(w.t.Context(), store.Lake, h.Snapshot, 1<<24)
	if err != nil {
		w.t.Fatal(err)
	}
	var s snapshot.Snapshot
	if err := json.Unmarshal(b, &s); err != nil {
		w.t.Fatal(err)
	}
	return s
}

func read[T any](w *world, s snapshot.Snapshot, name string) []T {
	w.t.Helper()
	var out []T
	for _, f := range s.Datasets[name].Files {
		b, _, err := w.st.Get(w.t.Context(), store.Lake, f.Path, 1<<24)
		if err != nil {
			w.t.Fatal(err)
		}
		if survey.HashOf(b) != f.SHA256 || int64(len(b)) != f.Bytes {
			w.t.Errorf("%s is not what the manifest says", f.Path)
		}
		rows, err := lake.Decode[T](b)
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, rows...)
	}
	return out
}

var monaco = geo.Point{Lat: 43.7279, Lon: 7.4140}

func TestTheSnapshotHoldsWhatWasCommitted(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		w := newWorld(t, db)
		w.drive("d1", monaco, time.Date(2024, 5, 8, 9, 0, 0, 0, time.UTC), 10, 4)
		s := w.export()
		frames := read[schema.Frame](w, s, "frames")
		if len(frames) != 9 || frames[0].Faces != 1 || frames[0].Plates != 2 || frames[0].Heading == nil || *frames[0].Heading != 90.5 {
			t.Fatalf("%d frames, first %+v", len(frames), frames[0])
		}
		if !slices.IsSortedFunc(frames, func(a, b schema.Frame) int { return int(a.Cell.Int64()>>9) - int(b.Cell.Int64()>>9) }) {
			t.Error("frames are not sorted by cell")
		}
		if obs := read[schema.Observation](w, s, "observations"); len(obs) != 9 || obs[0].Heading != 90 || obs[0].Contributor != "c1" {
			t.Fatalf("%+v", obs[0])
		}
		drives := read[schema.Drive](w, s, "drives")
		// 20 m steps: 3 before the hole and 4 after it, and no line across.
		if len(drives) != 1 || drives[0].Frames != 9 || drives[0].Distance < 139 || drives[0].Distance > 141 {
			t.Fatalf("%+v", drives)
		}
		rej := read[schema.Rejection](w, s, "rejections")
		if len(rej) != 1 || rej[0].Reason != "undecodable" || rej[0].Text == "" || rej[0].Device == nil || *rej[0].Device != "d1" {
			t.Fatalf("%+v", rej)
		}
		cs := read[schema.Cell](w, s, "cells")
		sum := map[int64]int64{}
		for _, c := range cs {
			sum[c.Resolution] += c.Observations
			if c.Freshness <= 0 || c.Freshness > 1e6 || !c.AsOf.Equal(asOf) {
				t.Errorf("%+v", c)
			}
		}
		if sum[12] != 9 || sum[9] != 9 || sum[7] != 9 {
			t.Fatalf("observations by resolution %v", sum)
		}
	})
}

func TestARejectionNamesTheDeviceWhereItIsKnown(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		w := newWorld(t, db)
		at := time.Date(2024, 5, 8, 9, 0, 0, 0, time.UTC)
		lost := func(upload, path string) {
			w.exec(`INSERT INTO upload_files (upload_id, path, sha256, bytes, kind, verdict, reason) VALUES ($1, $2, '', 5, '', 'rejected', 'unknown_type')`, upload, path)
		}
		// An upload of two cameras: a frame of each is rejected, and a file that belongs to neither.
		w.drive("front", monaco, at, 3, 1)
		w.drive("rear", monaco, at.Add(time.Hour), 3, 2)
		w.exec(`UPDATE frames SET upload_id = 'ufront', path = 'rear/' || path WHERE drive_id = 'rear'`)
		w.exec(`UPDATE drives SET upload_id = 'ufront', device_id = 'd2' WHERE id = 'rear'`)
		w.exec(`UPDATE upload_files SET upload_id = 'ufront', path = 'rear/' || path WHERE upload_id = 'urear'`)
		lost("ufront", "notes.txt")
		// An upload of one camera, and one of which no drive was made.
		w.drive("one", monaco, at, 2)
		lost("uone", "notes.txt")
		w.exec(`INSERT INTO uploads (id, contributor_id, state, options, files, bytes, created_at, completed_at) VALUES ('unone', 'c1', 'settled', '{}', 1, 1, $1, $1)`, state.Micros(at))
		lost("unone", "notes.txt")
		w.exec(`UPDATE uploads SET state = 'settled'`)

		var got []string
		for _, r := range read[schema.Rejection](w, w.export(), "rejections") {
			device := "unknown"
			if r.Device != nil {
				device = *r.Device
			}
			got = append(got, r.Upload+" "+r.Reason+" "+device)
		}
		slices.Sort(got)
		want := []string{"ufront undecodable d1", "ufront undecodable d2", "ufront unknown_type unknown", "unone unknown_type unknown", "uone unknown_type d1"}
		if !slices.Equal(got, want) {
			t.Fatalf("%q, want %q", got, want)
		}
	})
}

func TestBatchesRepeatsAndTheOrderOfDrivesDoNotChangeASnapshot(t *testing.T) {
	at := time.Date(2024, 5, 8, 23, 59, 50, 0, time.UTC) // crosses midnight
	far := geo.Point{Lat: 55.7, Lon: 13.2}
	one := newWorld(t, testkit.DB(t))
	one.drive("d1", monaco, at, 10)
	one.drive("d2", far, at, 5)
	a := one.export()

	two := newWorld(t, testkit.DB(t))
	two.drive("d2", far, at, 5)
	two.export()
	two.drive("d1", monaco, at, 10)
	two.export()
	b := two.export()
	ja, _ := json.Marshal(a)
	jb, _ := json.Marshal(b)
	if string(ja) != string(jb) {
		t.Fatalf("snapshots differ:\n%s\n%s", ja, jb)
	}
	if n := len(a.Datasets["frames"].Files); n != 3 { // two days in Monaco; five frames of Lund lie before midnight
		t.Fatalf("%d partitions", n)
	}
}

func TestARemovedFrameLeavesTheNextSnapshot(t *testing.T) {
	w := newWorld(t, testkit.DB(t))
	w.drive("d1", monaco, time.Date(2024, 5, 8, 9, 0, 0, 0, time.UTC), 2)
	w.export()
	w.exec(`UPDATE frames SET state = 'removed', reason = 'removed' WHERE id = 'd1-001'`)
	w.exec(`UPDATE drives SET revision = 1 WHERE id = 'd1'`)
	w.index("d1", 1)
	s := w.export()
	if fs := read[schema.Frame](w, s, "frames"); len(fs) != 1 || fs[0].ID != "d1-000" {
		t.Fatalf("%+v", fs)
	}
	w.exec(`UPDATE frames SET state = 'removed', reason = 'removed' WHERE id = 'd1-000'`)
	w.exec(`UPDATE drives SET revision = 2 WHERE id = 'd1'`)
	w.index("d1", 2)
	s = w.export()
	if d := s.Datasets["frames"]; d.Rows != 0 || len(d.Files) != 0 {
		t.Fatalf("%+v", d)
	}
}

func TestADayLaterOnlyTheCellsAreNew(t *testing.T) {
	w := newWorld(t, testkit.DB(t))
	w.drive("d1", monaco, time.Date(2024, 5, 8, 9, 0, 0, 0, time.UTC), 3)
	a := w.export()
	w.w.Clock = func() time.Time { return asOf.AddDate(0, 0, 1) }
	b := w.export()
	if len(b.Datasets["cells"].Files) != len(a.Datasets["cells"].Files)+1 {
		t.Fatalf("%d cell files", len(b.Datasets["cells"].Files))
	}
	if b.Datasets["frames"].Files[0] != a.Datasets["frames"].Files[0] {
		t.Fatal("frames were written again")
	}
}

func TestFindingsUsesAndContributionsAreExported(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		w := newWorld(t, db)
		w.drive("d1", monaco, time.Date(2024, 5, 8, 9, 0, 0, 0, time.UTC), 3, 0)
		w.exec(`INSERT INTO findings (drive_id, kind, subject, score_ppm, evidence, found_at) VALUES ('d1', 'clock_offset', '', 5, '{"offset_s":3}', 7)`)
		w.exec(`INSERT INTO api_keys (id, name, sha256, scopes, origins, per_minute, per_day, created_at) VALUES ('key-1', 'Ann', 'x', '[]', '[]', 1, 1, 1)`)
		for _, day := range []string{"2024-05-01", "2024-05-12", "2024-05-13"} {
			w.exec(`INSERT INTO api_usage (key_id, day, requests, frames, credits) VALUES ('key-1', $1, 4, 2, 1)`, day)
		}
		epoch := survey.EpochOf(time.Date(2024, 5, 8, 9, 0, 0, 0, time.UTC))
		w.exec(`INSERT INTO epochs (epoch, ruleset, manifest_sha256, pool, allocated, held, remainder, contributions, contributors, closed_at) VALUES ($1, 'v1', '', 10, 6, 1, 3, 2, 1, 1)`, epoch.String())

		s := w.export()
		fs := read[schema.Finding](w, s, "findings")
		if len(fs) != 1 || fs[0].Contributor != "c1" || fs[0].Evidence != `{"offset_s":3}` || !fs[0].StartedAt.Equal(time.Date(2024, 5, 8, 9, 0, 2, 0, time.UTC)) {
			t.Fatalf("%+v", fs) // the first frame is not published, so its time is not told
		}
		us := read[schema.Use](w, s, "usage")
		if len(us) != 2 || us[0].Requests != 4 || us[0].Key != us[1].Key || us[0].Key == "key-1" || len(us[0].Key) != 32 {
			t.Fatalf("%+v", us) // today is not over
		}
		if cs := read[schema.Contribution](w, s, "contributions"); len(cs) != 0 {
			t.Fatalf("%+v", cs) // the record is not in the ledger yet
		}

		type drive struct {
			Drive       string `lake:"drive"`
			Contributor string `lake:"contributor"`
		}
		type frame struct {
			Frame      string      `lake:"frame"`
			Drive      string      `lake:"drive"`
			Cell       survey.Cell `lake:"h3"`
			CapturedAt time.Time   `lake:"captured_at"`
			ReceivedAt time.Time   `lake:"received_at"`
			Heading    int32       `lake:"heading"`
			Quality    int32       `lake:"quality"`
		}
		cell, _ := hex.CellOf(monaco, 12)
		at := time.Date(2024, 5, 8, 9, 0, 2, 0, time.UTC)
		ds, _ := lake.Encode(lake.Schema{Name: "x", Version: 1}, []drive{{"d1", "c1"}})
		cs, _ := lake.Encode(lake.Schema{Name: "x", Version: 1}, []frame{{"d1-001", "d1", cell, at, at, 90, 800_000}, {"d1-002", "d1", cell, at, at, -1, 700_000}})
		for name, b := range map[string][]byte{"drives.parquet": ds, "contributions.parquet": cs} {
			if _, err := w.st.Put(t.Context(), store.Ledger, store.EpochKey(epoch, name), b, lake.MediaType); err != nil {
				t.Fatal(err)
			}
		}
		got := read[schema.Contribution](w, w.export(), "contributions")
		if len(got) != 2 || got[0].Contributor != "c1" || got[1].Heading != -1 || got[0].Cell != cell || got[0].Epoch != epoch.String() {
			t.Fatalf("%+v", got)
		}

		// A feature that three frames of a second drive agree on; when one of them is taken down, it goes.
		w.drive("d2", monaco, time.Date(2024, 5, 8, 10, 0, 0, 0, time.UTC), 3)
		lat, lon := monaco.E7()
		w.exec(`INSERT INTO map_features (id, drive_id, class, kind, lat_e7, lon_e7, cell, sigma_mm, frames, first_seen, last_seen, confidence_ppm)
			VALUES ('f1', 'd2', 'sign', 'blue', $1, $2, $3, 1500, 3, 1, 2, 900000)`, lat, lon, cell.Int64())
		for i := range 3 {
			w.exec(`INSERT INTO frame_features (frame_id, n, class, x, y, w, h, confidence_ppm, model, feature_id) VALUES ($1, 0, 'sign', 1, 1, 1, 1, 1, 'm', 'f1')`, fmt.Sprintf("d2-%03d", i))
		}
		if fs := read[schema.Feature](w, w.export(), "features"); len(fs) != 1 || fs[0].Sigma != 1.5 || fs[0].Cell != cell {
			t.Fatalf("%+v", fs)
		}
		w.exec(`UPDATE frames SET state = 'removed', reason = 'removed' WHERE id = 'd2-001'`)
		w.exec(`UPDATE drives SET revision = 1 WHERE id = 'd2'`)
		w.index("d2", 1)
		if fs := read[schema.Feature](w, w.export(), "features"); len(fs) != 0 {
			t.Fatalf("%+v", fs)
		}

		// A finding about a drive that is exported already.
		w.exec(`INSERT INTO findings (drive_id, kind, subject, score_ppm, evidence, found_at) VALUES ('d1', 'claimed_again', 'x', 5, '{}', 9)`)
		if err := db.Tx(t.Context(), func(tx *state.Tx) error { return state.MarkChanged(t.Context(), tx, "finding", "d1") }); err != nil {
			t.Fatal(err)
		}
		if fs := read[schema.Finding](w, w.export(), "findings"); len(fs) != 2 {
			t.Fatalf("%+v", fs)
		}
	})
}

// rowsOf is every row of a dataset as text, sorted.
func rowsOf(w *world, s snapshot.Snapshot) map[string][]string {
	out := map[string][]string{}
	note := func(name string, v any) {
		b, err := json.Marshal(v)
		if err != nil {
			w.t.Fatal(err)
		}
		out[name] = append(out[name], string(b))
	}
	for _, r := range read[schema.Frame](w, s, "frames") {
		note("frames", r)
	}
	for _, r := range read[schema.Observation](w, s, "observations") {
		note("observations", r)
	}
	for _, r := range read[schema.Drive](w, s, "drives") {
		note("drives", r)
	}
	for _, r := range read[schema.Rejection](w, s, "rejections") {
		note("rejections", r)
	}
	for _, r := range read[schema.Finding](w, s, "findings") {
		note("findings", r)
	}
	for _, rs := range out {
		slices.Sort(rs)
	}
	return out
}

func TestDaysBecomeAMonthWithoutChangingTheRows(t *testing.T) {
	w := newWorld(t, testkit.DB(t))
	for i := range 5 {
		w.drive(fmt.Sprint("d", i), monaco, time.Date(2024, 5, 20+3*i, 9, 0, 0, 0, time.UTC), 3, i%3) // the last in June
	}
	w.exec(`INSERT INTO findings (drive_id, kind, score_ppm, found_at) VALUES ('d1', 'clock_offset', 5, 7)`)
	w.exec(`UPDATE uploads SET state = 'settled'`)
	day := time.Date(2024, 6, 7, 0, 0, 0, 0, time.UTC)
	w.w.Clock = func() time.Time { return day }
	a := w.export()
	before := rowsOf(w, a)
	day = day.AddDate(0, 0, 1) // a week after the end of May
	b := w.export()
	if got := rowsOf(w, b); fmt.Sprint(got) != fmt.Sprint(before) || len(before) != 5 {
		t.Fatalf("rows differ:\n%v\n%v", got, before)
	}
	var names []string
	for _, f := range b.Datasets["frames"].Files {
		names = append(names, f.Partition)
		if f.Version != 1 {
			t.Errorf("%+v", f)
		}
	}
	if na, nb := len(a.Datasets["frames"].Files), len(b.Datasets["frames"].Files); na != 5 || nb != 2 {
		t.Fatalf("%d files became %d: %v", na, nb, names)
	}

	// A late drive and a removal go into the month's file.
	w.drive("late", monaco, time.Date(2024, 5, 2, 9, 0, 0, 0, time.UTC), 2)
	w.exec(`UPDATE frames SET state = 'removed', reason = 'removed' WHERE id = 'd1-000'`)
	w.exec(`UPDATE drives SET revision = 1 WHERE id = 'd1'`)
	w.index("d1", 1)
	c := w.export()
	if n := len(c.Datasets["frames"].Files); n != 2 || c.Datasets["frames"].Rows != b.Datasets["frames"].Rows+1 {
		t.Fatalf("%d files, %d rows", n, c.Datasets["frames"].Rows)
	}

	// The same state exported once, from nothing, gives the same snapshot apart from the days of cells.
	w.exec(`DELETE FROM dataset_files`)
	w.exec(`DELETE FROM meta WHERE key LIKE 'datasets.%'`)
	if err := w.db.Tx(t.Context(), func(tx *state.Tx) error {
		return state.MarkAllChanged(t.Context(), tx, "drive", []string{"d0", "d1", "d2", "d3", "d4", "late"})
	}); err != nil {
		t.Fatal(err)
	}
	d := w.export()
	delete(c.Datasets, "cells")
	delete(d.Datasets, "cells")
	jc, _ := json.Marshal(c)
	jd, _ := json.Marshal(d)
	if string(jc) != string(jd) {
		t.Fatalf("%s\n%s", jc, jd)
	}
}

func TestOldFilesGoAfterTheGraceAndOldDaysOfCellsThin(t *testing.T) {
	w := newWorld(t, testkit.DB(t))
	now := time.Now().UTC() // objects are as old as the store says
	w.w.Clock = func() time.Time { return now }
	w.w.Config.DailyCells = 10
	w.drive("d1", monaco, now.AddDate(0, 0, -1), 3)
	a := w.export()
	w.exec(`UPDATE frames SET state = 'removed', reason = 'removed' WHERE id = 'd1-001'`)
	w.exec(`UPDATE drives SET revision = 1 WHERE id = 'd1'`)
	w.index("d1", 1)
	w.export()
	old := a.Datasets["frames"].Files[0].Path
	there := func(key string) bool {
		_, err := w.st.Stat(t.Context(), store.Lake, key)
		if err != nil && survey.KindOf(err) != survey.NotFound {
			t.Fatal(err)
		}
		return err == nil
	}
	if !there(old) {
		t.Fatal("a file was removed under its readers")
	}
	// An export that died after it wrote: named by nothing.
	lost := "frames/v1/date=2020-01-01/lost.parquet"
	if _, err := w.st.Put(t.Context(), store.Lake, lost, []byte("x"), lake.MediaType); err != nil {
		t.Fatal(err)
	}
	var s snapshot.Snapshot
	for range 24 {
		now = now.AddDate(0, 0, 1)
		s = w.export()
	}
	if there(old) || there(lost) {
		t.Fatal("files that nothing names are still there")
	}
	for name, d := range s.Datasets {
		for _, f := range d.Files {
			if !there(f.Path) {
				t.Errorf("%s: %s is gone", name, f.Path)
			}
		}
	}
	mondays := 0
	for _, f := range s.Datasets["cells"].Files {
		at, err := time.Parse(time.DateOnly, f.Partition[5:15])
		if err != nil {
			t.Fatal(err)
		}
		if at.Weekday() == time.Monday {
			mondays++
		} else if now.Sub(at) > 12*24*time.Hour {
			t.Errorf("%s is still there on %s", f.Partition, now.Format(time.DateOnly))
		}
	}
	if mondays < 3 {
		t.Fatalf("%d Mondays left", mondays)
	}
}

func TestNothingPrivateIsInAnyFile(t *testing.T) {
	w := newWorld(t, testkit.DB(t))
	w.exec(`UPDATE contributors SET handle = 'handle-of-ann'`)
	w.drive("d1", monaco, time.Date(2024, 5, 8, 9, 0, 0, 0, time.UTC), 6, 2)
	// Frames of a privacy zone or a trimmed end are never published; their place must be nowhere.
	hidden, _ := hex.CellOf(geo.Point{Lat: 10, Lon: 10}, 12)
	w.exec(`UPDATE frames SET state = 'rejected', lat_e7 = 100000000, lon_e7 = 100000000, cell = $1 WHERE id = 'd1-005'`, hidden.Int64())
	w.exec(`UPDATE drives SET revision = 1 WHERE id = 'd1'`)
	w.exec(`UPDATE uploads SET state = 'settled'`)
	w.index("d1", 1)
	s := w.export()
	all, err := schema.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		for _, c := range d.Columns {
			if slices.Contains([]string{"payout_address", "address", "account", "handle", "token", "path", "file", "object", "name", "upload_path"}, c.Name) {
				t.Errorf("%s has a column %s", d.Name, c.Name)
			}
		}
	}
	for name, rows := range rowsOf(w, s) {
		for _, r := range rows {
			for _, secret := range []string{"handle-of-ann", "secret/", "0x00000000000000000000000000000000000000aa", hidden.String()} {
				if strings.Contains(r, secret) {
					t.Errorf("%s tells %q: %s", name, secret, r)
				}
			}
		}
	}
	for _, p := range s.Datasets["frames"].Files {
		if strings.Contains(p.Partition, hidden.Parent(4).String()) {
			t.Errorf("a partition tells where the hidden frame lies: %s", p.Partition)
		}
	}
	for _, d := range read[schema.Drive](w, s, "drives") {
		if d.Distance > 100 {
			t.Errorf("the line crosses to the hidden frame: %f m", d.Distance)
		}
	}
}
