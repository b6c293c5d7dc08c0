package query_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/datasets/query"
	"github.com/roadcomb/roadcomb/datasets/snapshot"
	"github.com/roadcomb/roadcomb/datasets/worker"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/hex/cells"
	"github.com/roadcomb/roadcomb/pkg/hex/freshness"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

// town is a network whose snapshot answers the guide: two contributors, two days, and one closed epoch.
type town struct {
	t  *testing.T
	db *state.DB
	c  *cells.Cells
}

// shots is one drive of n published frames, 30 m apart and due east.
type shots struct {
	id, contributor string
	start           geo.Point
	at              time.Time
	n               int
	quality         survey.PPM
	models          []string
	boxes           []survey.Box
	rejected        map[string]survey.Reason // by kind
}

func (w town) exec(q string, args ...any) {
	w.t.Helper()
	if _, err := w.db.Exec(w.t.Context(), q, args...); err != nil {
		w.t.Fatal(err)
	}
}

func (w town) drive(d shots) {
	w.t.Helper()
	us := state.Micros(d.at)
	w.exec(`INSERT INTO uploads (id, contributor_id, state, options, files, bytes, created_at, completed_at) VALUES ($1, $2, 'ingested', '{}', $3, 1, $4, $4)`,
		"u"+d.id, d.contributor, d.n+len(d.rejected), us)
	w.exec(`INSERT INTO drives (id, upload_id, contributor_id, device_id, state, started_at, ended_at, received_at, frames, parts, distance_mm, manifest_sha256)
		VALUES ($1, $2, $3, $6, 'vision', $4, $4, $4, $5, 1, 1, '')`, d.id, "u"+d.id, d.contributor, us, d.n, "camera of "+d.contributor)
	w.exec(`INSERT INTO drive_parts (drive_id, part, done_run) VALUES ($1, 0, 0)`, d.id)
	for kind, reason := range d.rejected {
		w.exec(`INSERT INTO upload_files (upload_id, path, sha256, bytes, kind, verdict, reason) VALUES ($1, $2, '', 5, $3, 'rejected', $4)`, "u"+d.id, "no-"+kind, kind, string(reason))
	}
	r := survey.Redaction{Method: "solid", Width: 8, Height: 6, Boxes: d.boxes}
	for _, m := range d.models {
		r.Models = append(r.Models, survey.ModelRef{Name: m, Version: "1", SHA256: survey.HashOf([]byte(m))})
	}
	red, _ := json.Marshal(r)
	q, _ := json.Marshal(survey.Quality{Score: d.quality, Sharpness: d.quality, Grade: "B"})
	for i := range d.n {
		p := geo.Destination(d.start, 90, geo.Meters(30*i))
		cell, err := hex.CellOf(p, 12)
		if err != nil {
			w.t.Fatal(err)
		}
		lat, lon := p.E7()
		w.exec(`INSERT INTO upload_files (upload_id, path, sha256, bytes, kind, verdict) VALUES ($1, $2, '', 5, 'image', 'accepted')`, "u"+d.id, fmt.Sprintf("%d.jpg", i))
		w.exec(`INSERT INTO frames (id, drive_id, part, seq, upload_id, path, object, sha256, bytes, captured_at, received_at, lat_e7, lon_e7, heading_mdeg, cell, width, height, state,
			quality_ppm, quality, redaction, public_key, public_sha256, public_bytes, public_width, public_height)
			VALUES ($1, $2, 0, $3, $4, 'p', '', '', 1, $5, $6, $7, $8, 90000, $9, 8, 6, 'published', $10, $11, $12, 'k', 'h', 99, 8, 6)`,
			fmt.Sprintf("%s-%d", d.id, i), d.id, i, "u"+d.id, us+int64(i)*2e6, us, lat, lon, cell.Int64(), int64(d.quality), string(q), string(red))
	}
	if err := w.c.Index(w.t.Context(), state.IndexArgs{DriveID: survey.DriveID(d.id)}); err != nil {
		w.t.Fatal(err)
	}
}

// guideSnapshot exports the town on two days, as the worker does, and gives a folder with the later snapshot's files.
func guideSnapshot(t *testing.T) string {
	t.Helper()
	db, st := testkit.DB(t), testkit.S3(t)
	now := time.Date(2024, 5, 13, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	w := town{t, db, &cells.Cells{DB: db, Clock: clock}}
	w.exec(`INSERT INTO contributors (id, handle, created_at) VALUES ('c1', 'a', 1), ('c2', 'b', 1)`)
	monaco := geo.Point{Lat: 43.7279, Lon: 7.4140}
	w.drive(shots{"d1", "c1", monaco, time.Date(2024, 5, 6, 9, 0, 0, 0, time.UTC), 11, 600_000, []string{"old"},
		[]survey.Box{{Class: survey.ClassFace}}, map[string]survey.Reason{"image": survey.ReasonUndecodable, "track": survey.ReasonTrackUnused}})
	w.drive(shots{"d2", "c2", geo.Destination(monaco, 90, 300), time.Date(2024, 5, 7, 17, 0, 0, 0, time.UTC), 6, 900_000, []string{"face", "plate"},
		[]survey.Box{{Class: survey.ClassFace}, {Class: survey.ClassPlate}, {Class: survey.ClassText}}, map[string]survey.Reason{"image": survey.ReasonDetectorLate, "": survey.ReasonUnknownType}})
	w.drive(shots{"d3", "c2", geo.Point{Lat: 55.7, Lon: 13.2}, time.Date(2024, 5, 7, 18, 0, 0, 0, time.UTC), 3, 500_000, []string{"face", "plate"}, nil, nil})
	w.exec(`INSERT INTO epochs (epoch, ruleset, manifest_sha256, root, pool, allocated, held, remainder, contributions, contributors, closed_at)
		VALUES ('2024-05-06', 'v1', '', '', 1000000000007, 700000000001, 100000000002, 200000000004, 20, 2, 1)`)
	w.exec(`INSERT INTO allocations (epoch, contributor_id, amount, held, frames, cells) VALUES
		('2024-05-06', 'c1', 300000000000, 0, 11, 11), ('2024-05-06', 'c2', 400000000001, 100000000002, 9, 9)`)
	ex := &worker.Worker{DB: db, Store: st, Clock: clock, Freshness: freshness.Current()}
	for range 2 {
		if err := ex.Export(t.Context()); err != nil {
			t.Fatal(err)
		}
		now = now.AddDate(0, 0, 1)
	}
	get := func(key string) []byte {
		b, _, err := st.Get(t.Context(), store.Lake, key, 1<<24)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var head snapshot.Head
	if err := json.Unmarshal(get(store.SnapshotHead), &head); err != nil {
		t.Fatal(err)
	}
	manifest := get(head.Snapshot)
	var snap snapshot.Snapshot
	if err := json.Unmarshal(manifest, &snap); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"snapshot.json": manifest}
	for _, d := range snap.Datasets {
		for _, f := range d.Files {
			files[f.Path] = get(f.Path)
		}
	}
	dir := t.TempDir()
	for name, b := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// columns collects an answer column by column, as text.
type columns struct {
	names []string
	vals  map[string][]string
	rows  int
}

func (c *columns) Columns(names, _ []string) error {
	c.names, c.vals = names, map[string][]string{}
	return nil
}

func (c *columns) Row(v []any) error {
	for i, name := range c.names {
		s := fmt.Sprint(v[i])
		if at, ok := v[i].(time.Time); ok {
			s = at.UTC().Format(time.DateOnly)
		}
		c.vals[name] = append(c.vals[name], s)
	}
	c.rows++
	return nil
}

// guide gives the SQL of each question by its heading.
func guide(t *testing.T) map[string]string {
	t.Helper()
	b, err := os.ReadFile("../ANALYST.md")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, part := range strings.Split(string(b), "\n## ")[1:] {
		heading, body, _ := strings.Cut(part, "\n")
		blocks := regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(body, -1)
		if len(blocks) != 1 || out[heading] != "" {
			t.Fatalf("%q has %d blocks of SQL, or comes twice", heading, len(blocks))
		}
		out[heading] = blocks[0][1]
	}
	return out
}

func TestEveryQuestionOfTheGuideIsAnswered(t *testing.T) {
	if testing.Short() {
		t.Skip("exports a snapshot")
	}
	// What the town's drives must give, worked out by hand: columns, with their values in the order of the rows.
	want := map[string]map[string]string{
		"Freshest cells of a city":            {"observations": "6 1 9 1", "last_seen": "2024-05-07 2024-05-07 2024-05-06 2024-05-06"},
		"Kilometres per contributor and week": {"week": "2024-05-06 2024-05-06", "contributor_id": "c1 c2", "drives": "1 2", "frames": "11 9", "km": "0.3 0.21"},
		"Rejection reasons by device": {"contributor_id": "c1 c1 c2 c2", "device_id": "camera of c1 camera of c1 camera of c2 camera of c2", "kind": "track image image unknown",
			"reason": "track_unused undecodable detector_late unknown_type", "quarantined": "false false true false", "files": "1 1 1 1", "percent": "50 50 50 50"},
		"Pay per kilometre":              {"contributor_id": "c2 c1", "amount": "400000000001 300000000000", "km": "0.21 0.3"},
		"Cells not seen since a date":    {"observations": "1 1 1 1 1 1 1 1 1 1"},
		"Quality by hour of day":         {"hour": "9 17 18", "frames": "11 6 3", "at_night": "0 0 0", "quality_percent": "60 90 50", "sharpness_percent": "60 90 50"},
		"Redactions per frame by model":  {"model": "face@1 old@1 plate@1", "frames": "9 11 9", "faces_per_frame": "0.667 1 0.667", "plates_per_frame": "1.333 0 1.333"},
		"Frames within 100 m of a point": {"frame_id": "d1-0 d1-1 d1-2 d1-3", "metres": "0 30 60 90"},
		"Epochs add up":                  {"pool": "1000000000007", "allocated": "700000000001", "pool_adds_up": "true", "allocations_add_up": "true"},
		"Growth of coverage by day":      {"resolution": "7 7 9 9 12 12", "new_cells": "1 1 3 2 11 8", "known_cells": "1 2 3 5 11 19", "percent": "50 100 60 100 57.9 100"},
	}
	questions := guide(t) // before the store, which changes the working directory
	e := open(t, guideSnapshot(t), query.Options{})
	for heading := range want {
		if questions[heading] == "" {
			t.Errorf("the guide no longer asks %q", heading)
		}
	}
	for heading, q := range questions {
		t.Run(heading, func(t *testing.T) {
			if strings.ContainsAny(q, "\"$`\\!") {
				t.Error("cannot be pasted between the quotes of a shell command")
			}
			var got columns
			if err := e.Query(t.Context(), q, &got); err != nil {
				t.Fatal(err)
			}
			if got.rows == 0 || want[heading] == nil {
				t.Fatalf("%d rows; the values that this test expects: %v", got.rows, want[heading])
			}
			for name, values := range want[heading] {
				if s := strings.Join(got.vals[name], " "); s != values {
					t.Errorf("%s: %s, want %s", name, s, values)
				}
			}
		})
	}
}
