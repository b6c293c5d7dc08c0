package cells_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"math/rand/v2"

	"github.com/roadcomb/roadcomb/pkg/hex/cells"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// chain inserts what the stages before have left: contributor, upload, files with verdicts, drive, parts, frames.
func chain(t testing.TB, db *state.DB, d cells.DriveObservations) {
	t.Helper()
	ctx := t.Context()
	up := "upload-" + string(d.Drive)
	err := db.Tx(ctx, func(tx *state.Tx) error {
		exec := func(q string, args ...any) {
			if _, err := tx.Exec(ctx, q, args...); err != nil {
				t.Fatalf("%s: %v", q, err)
			}
		}
		exec(`INSERT INTO contributors (id, created_at) VALUES ('c1', 0) ON CONFLICT DO NOTHING`)
		exec(`INSERT INTO uploads (id, contributor_id, state, options, files, bytes, created_at) VALUES ($1, 'c1', 'ingested', '{}', $2, 0, 0)`, up, len(d.Observations))
		exec(`INSERT INTO drives (id, upload_id, contributor_id, device_id, state, started_at, ended_at, received_at, frames, parts, distance_mm, manifest_sha256)
			VALUES ($1, $2, 'c1', 'dev', 'vision', 0, 0, 0, $3, 1, 0, '')`, string(d.Drive), up, len(d.Observations))
		exec(`INSERT INTO drive_parts (drive_id, part, done_run) VALUES ($1, 0, 0)`, string(d.Drive))
		for i, o := range d.Observations {
			exec(`INSERT INTO upload_files (upload_id, path, sha256, bytes, verdict) VALUES ($1, $2, '', 0, 'accepted')`, up, string(o.Frame))
			h := int64(o.HeadingDeg) * 1000
			if h < 0 {
				h = -1
			}
			exec(`INSERT INTO frames (id, drive_id, part, seq, upload_id, path, object, sha256, bytes, captured_at, received_at, lat_e7, lon_e7, heading_mdeg, cell, width, height, state, quality_ppm)
				VALUES ($1, $2, 0, $3, $4, $5, '', '', 0, $6, $7, 0, 0, $8, $9, 1, 1, 'published', $10)`,
				string(o.Frame), string(d.Drive), i, up, string(o.Frame), state.Micros(o.CapturedAt), state.Micros(o.ReceivedAt), h, o.Cell.Int64(), int64(o.Quality))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func one(t testing.TB, db *state.DB, q string, args ...any) (s string) {
	t.Helper()
	if err := db.QueryRow(t.Context(), q, args...).Scan(&s); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return s
}

func TestIndexSettlesTheDriveAndSaysWhatChanged(t *testing.T) {
	engines(t, func(t *testing.T, open func() *state.DB) {
		db := open()
		d := drives(rand.New(rand.NewPCG(11, 1)), 1)[0]
		chain(t, db, d)
		now := start.AddDate(0, 1, 0)
		c := &cells.Cells{DB: db, Clock: func() time.Time { return now }}
		args := state.IndexArgs{DriveID: d.Drive}
		if err := c.Index(t.Context(), args); err != nil {
			t.Fatal(err)
		}
		other := open()
		want := apply(t, other, d)
		feed, err := state.Changes(t.Context(), db, "tiles")
		if err != nil {
			t.Fatal(err)
		}
		var got []survey.Cell
		topics := make(map[string]int)
		for _, ch := range feed {
			topics[ch.Topic]++
			if ch.Topic == "cell" {
				cell, err := survey.ParseCell(ch.Key)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, cell)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) || topics["drive"] != 1 || topics["upload"] != 1 {
			t.Fatalf("feed has %v; %d cells, want %d", topics, len(got), len(want))
		}
		if s := one(t, db, `SELECT state FROM drives`); s != "indexed" {
			t.Errorf("drive is %s", s)
		}
		if s := one(t, db, `SELECT state FROM uploads`); s != "settled" {
			t.Errorf("upload is %s", s)
		}
		if s := one(t, db, `SELECT CAST(indexed_at AS TEXT) FROM drives`); s != fmt.Sprint(state.Micros(now)) {
			t.Errorf("indexed at %s", s)
		}
		jobs, err := db.Jobs(t.Context())
		if err != nil || len(jobs) != 2 || jobs[0].Kind != "export" || jobs[1].Kind != "tiles" {
			t.Errorf("jobs %+v, %v", jobs, err)
		}
		before := dump(t, db)
		if err := c.Index(t.Context(), args); err != nil { // delivered twice
			t.Fatal(err)
		}
		if dump(t, db) != before {
			t.Error("a second delivery changed the rows")
		}
	})
}

// TestTakenDownAndRepublishedFramesLeaveNoTrace: a rejection after the fact takes exactly its frames out, and putting
// them back gives the rows from before.
func TestTakenDownAndRepublishedFramesLeaveNoTrace(t *testing.T) {
	engines(t, func(t *testing.T, open func() *state.DB) {
		db := open()
		ds := drives(rand.New(rand.NewPCG(12, 1)), 4)
		c := &cells.Cells{DB: db}
		for _, d := range ds {
			chain(t, db, d)
			if err := c.Index(t.Context(), state.IndexArgs{DriveID: d.Drive}); err != nil {
				t.Fatal(err)
			}
		}
		full := dump(t, db)
		cut := ds[1]
		var keep []survey.Observation
		for i, o := range cut.Observations {
			if i%3 == 0 {
				if _, err := db.Exec(t.Context(), `UPDATE frames SET state = 'removed' WHERE id = $1`, string(o.Frame)); err != nil {
					t.Fatal(err)
				}
			} else {
				keep = append(keep, o)
			}
		}
		if err := c.Index(t.Context(), state.IndexArgs{DriveID: cut.Drive, Revision: 1}); err != nil {
			t.Fatal(err)
		}
		fresh := open()
		ds[1].Observations = keep
		apply(t, fresh, ds...)
		if got, want := dump(t, db), dump(t, fresh); got != want {
			t.Fatalf("after the take-down: %s", firstDiff(want, got))
		}
		if _, err := db.Exec(t.Context(), `UPDATE frames SET state = 'published'`); err != nil {
			t.Fatal(err)
		}
		// Out of order: the older revision's job is delivered last and must not undo anything.
		for _, rev := range []int{2, 1} {
			if err := c.Index(t.Context(), state.IndexArgs{DriveID: cut.Drive, Revision: rev}); err != nil {
				t.Fatal(err)
			}
			if got := dump(t, db); got != full {
				t.Fatalf("republished, revision %d: %s", rev, firstDiff(full, got))
			}
		}
	})
}

func TestADriveWithUnseenPartsIsNotIndexedYet(t *testing.T) {
	engines(t, func(t *testing.T, open func() *state.DB) {
		db := open()
		d := drives(rand.New(rand.NewPCG(13, 1)), 1)[0]
		chain(t, db, d)
		if _, err := db.Exec(t.Context(), `INSERT INTO drive_parts (drive_id, part) VALUES ($1, 1)`, string(d.Drive)); err != nil {
			t.Fatal(err)
		}
		c := &cells.Cells{DB: db}
		if err := c.Index(t.Context(), state.IndexArgs{DriveID: d.Drive}); err != nil {
			t.Fatal(err)
		}
		if s := one(t, db, `SELECT state FROM drives`); s != "vision" {
			t.Errorf("drive is %s", s)
		}
		if err := c.Index(t.Context(), state.IndexArgs{DriveID: "none"}); survey.KindOf(err) != survey.NotFound {
			t.Errorf("unknown drive: %v", err)
		}
	})
}

// TestWorkersSideBySideEndInTheSameRows indexes overlapping drives from many goroutines at once.
func TestWorkersSideBySideEndInTheSameRows(t *testing.T) {
	engines(t, func(t *testing.T, open func() *state.DB) {
		db := open()
		ds := drives(rand.New(rand.NewPCG(14, 1)), 10)
		for _, d := range ds {
			chain(t, db, d)
		}
		var wg sync.WaitGroup
		errs := make(chan error, 100)
		for w := range 4 {
			wg.Go(func() {
				c := &cells.Cells{DB: db}
				for i := range ds {
					if err := c.Index(t.Context(), state.IndexArgs{DriveID: ds[(i*7+w*3)%len(ds)].Drive}); err != nil {
						errs <- err
					}
				}
			})
		}
		wg.Wait()
		close(errs)
		for err := range errs {
			t.Error(err)
		}
		alone := open()
		apply(t, alone, ds...)
		if got, want := dump(t, db), dump(t, alone); got != want || strings.Count(want, "\n") < 50 {
			t.Fatal(firstDiff(want, got))
		}
	})
}

// TestTheLastOfTwoDrivesSettlesTheUpload indexes the drives of one upload side by side.
func TestTheLastOfTwoDrivesSettlesTheUpload(t *testing.T) {
	engines(t, func(t *testing.T, open func() *state.DB) {
		db := open()
		ds := drives(rand.New(rand.NewPCG(15, 1)), 6)
		files := 0
		for _, d := range ds {
			chain(t, db, d)
			files += len(d.Observations)
		}
		up := "upload-" + string(ds[0].Drive)
		for _, q := range []string{
			`UPDATE drives SET upload_id = '` + up + `'`, `UPDATE upload_files SET upload_id = '` + up + `'`,
			fmt.Sprintf(`UPDATE uploads SET files = %d WHERE id = '%s'`, files, up),
		} {
			if _, err := db.Exec(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		var wg sync.WaitGroup
		for _, d := range ds {
			wg.Go(func() {
				c := &cells.Cells{DB: db}
				if err := c.Index(t.Context(), state.IndexArgs{DriveID: d.Drive}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if s := one(t, db, `SELECT state FROM uploads WHERE id = $1`, up); s != "settled" {
			t.Errorf("the upload is %s", s)
		}
	})
}
