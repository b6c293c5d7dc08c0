package roadstate_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/hex/cells"
	"github.com/roadcomb/roadcomb/pkg/hex/roads"
	"github.com/roadcomb/roadcomb/pkg/hex/roadstate"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

var (
	now    = time.Date(2024, 5, 6, 8, 0, 0, 0, time.UTC)
	origin = geo.Point{Lat: 47.5, Lon: 19.05}
)

// street is a road of three segments, 200 m each, going east.
func street(t testing.TB) *roads.Network {
	var segs []roads.Segment
	for i := range 3 {
		segs = append(segs, roads.Segment{ID: roads.SegmentID{Way: 77, From: int32(i)}, Class: "residential",
			Points: []geo.Point{geo.Destination(origin, 90, geo.Meters(200*i)), geo.Destination(origin, 90, geo.Meters(200*(i+1)))}})
	}
	n, err := roads.New(segs)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// chain leaves a drive with published frames every 8 m between the metres, which vision is done with.
func chain(t testing.TB, db *state.DB, id string, from, to int, received time.Time) {
	t.Helper()
	if err := db.Tx(t.Context(), func(tx *state.Tx) error {
		exec := func(q string, args ...any) {
			if _, err := tx.Exec(t.Context(), q, args...); err != nil {
				t.Fatalf("%s: %v", q, err)
			}
		}
		exec(`INSERT INTO contributors (id, created_at) VALUES ('c', 0) ON CONFLICT DO NOTHING`)
		exec(`INSERT INTO uploads (id, contributor_id, state, options, files, bytes, created_at) VALUES ($1, 'c', 'ingested', '{}', 0, 0, 0)`, "u"+id)
		exec(`INSERT INTO drives (id, upload_id, contributor_id, device_id, state, started_at, ended_at, received_at, frames, parts, distance_mm, manifest_sha256)
			VALUES ($1, $2, 'c', 'd', 'vision', 0, 0, $3, 0, 0, 0, '')`, id, "u"+id, state.Micros(received))
		step := 8
		if to < from {
			step = -8
		}
		for i, m := 0, from; m != to; i, m = i+1, m+step {
			p := geo.Destination(geo.Destination(origin, 90, geo.Meters(m)), 0, 2)
			c, err := hex.CellOf(p, 12)
			if err != nil {
				return err
			}
			lat, lon := p.E7()
			exec(`INSERT INTO frames (id, drive_id, part, seq, upload_id, path, object, sha256, bytes, captured_at, received_at, lat_e7, lon_e7, cell, width, height, state)
				VALUES ($1, $2, 0, $3, '', '', '', '', 0, $4, $5, $6, $7, $8, 1, 1, 'published')`,
				fmt.Sprintf("%s-%d", id, i), id, i, state.Micros(received)+int64(i), state.Micros(received), lat, lon, c.Int64())
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestRoadsFollowThePublishedFrames(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		n := street(t)
		r := &roadstate.Roads{Network: n, Extract: survey.HashOf([]byte("extract"))}
		c := &cells.Cells{DB: db, Also: func(ctx context.Context, tx *state.Tx, id survey.DriveID) error {
			_, err := r.Index(ctx, tx, id)
			return err
		}}
		index := func(id string) {
			t.Helper()
			if err := c.Index(t.Context(), state.IndexArgs{DriveID: survey.DriveID(id)}); err != nil {
				t.Fatal(err)
			}
		}
		metres := func(received time.Time) (covered, driven int64) {
			t.Helper()
			cov, unknown, err := r.Coverage(t.Context(), db, received)
			if err != nil || unknown != 0 {
				t.Fatal(unknown, err)
			}
			pieces, err := n.Pieces(12)
			if err != nil {
				t.Fatal(err)
			}
			p := n.Regions(cov.Cells(pieces), -1)[0]
			if p.Road < 599_000 || p.Road > 601_000 {
				t.Fatalf("%+v", p)
			}
			return (p.Covered + 500) / 1000, (p.Driven + 500) / 1000
		}
		near := func(got, want int64) bool { return got >= want-16 && got <= want }
		chain(t, db, "east", 0, 400, now)
		chain(t, db, "east-again", 40, 280, now.Add(time.Hour))
		chain(t, db, "west", 560, 160, now.Add(2*time.Hour))
		index("east")
		if c, d := metres(time.Time{}); !near(c, 392) || c != d {
			t.Errorf("%d m covered, %d driven", c, d)
		}
		index("east-again") // drives inside what is covered
		c1, d1 := metres(time.Time{})
		index("east-again")
		if c, d := metres(time.Time{}); !near(c, 392) || c != c1 || d != d1 || c != d {
			t.Errorf("%d m covered, %d driven", c, d)
		}
		index("west")
		if c, d := metres(time.Time{}); !near(c, 560) || !near(d, 392+392) {
			t.Errorf("%d m covered, %d driven", c, d)
		}
		if c, _ := metres(now.Add(2 * time.Hour)); !near(c, 392) {
			t.Errorf("%d m covered before the third drive", c)
		}
		q, err := roadstate.Report(t.Context(), db)
		if err != nil || q.Drives != 3 || q.Breaks != 0 || q.Share() != survey.One || q.Fixes != 50+30+50 {
			t.Errorf("%+v, %v", q, err)
		}
		if _, err := db.Exec(t.Context(), `UPDATE frames SET state = 'removed' WHERE drive_id = 'west'`); err != nil {
			t.Fatal(err)
		}
		index("west")
		if c, d := metres(time.Time{}); c != c1 || d != d1 {
			t.Errorf("after the take-down %d m covered, %d driven", c, d)
		}
		// Another extract: nothing of it is known until the drives are matched anew.
		other := &roadstate.Roads{Network: n, Extract: survey.HashOf([]byte("newer"))}
		if did, err := other.Reindex(t.Context(), db, 10); err != nil || did != 2 {
			t.Errorf("%d drives, %v", did, err)
		}
		if did, err := other.Reindex(t.Context(), db, 10); err != nil || did != 0 {
			t.Errorf("%d drives again, %v", did, err)
		}
		if c, _ := metres(time.Time{}); c != c1 {
			t.Errorf("%d m after matching anew", c)
		}
	})
}

// Whatever drives come, change and go, and whatever extract is counted in between, the lengths by cell are those that a
// look at every stretch gives, at every resolution.
func TestTheCountByCellFollowsTheDrives(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		n := street(t)
		r := &roadstate.Roads{Network: n, Extract: survey.HashOf([]byte("extract"))}
		index := func(r *roadstate.Roads, id string) {
			t.Helper()
			if err := db.Tx(t.Context(), func(tx *state.Tx) error {
				_, err := r.Index(t.Context(), tx, survey.DriveID(id))
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		check := func(when string) (covered int64) {
			t.Helper()
			cov, _, err := r.Coverage(t.Context(), db, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			pieces, err := n.Pieces(11)
			if err != nil {
				t.Fatal(err)
			}
			for res := 0; res <= 11; res++ {
				want := map[survey.Cell]roadstate.CellRoad{}
				for _, p := range cov.Cells(pieces) {
					c := p.Cell.Parent(res)
					w := want[c]
					want[c] = roadstate.CellRoad{Cell: c, Road: w.Road + p.Length, Covered: w.Covered + p.Either}
				}
				got := 0
				covered = 0
				var last survey.Cell
				if err := roadstate.EachCell(t.Context(), db, res, nil, func(c roadstate.CellRoad) error {
					if c != want[c.Cell] || c.Cell <= last {
						t.Errorf("%s: resolution %d: %+v, want %+v", when, res, c, want[c.Cell])
					}
					last = c.Cell
					got++
					covered += c.Covered
					return nil
				}); err != nil || got != len(want) {
					t.Fatalf("%s: resolution %d: %d cells, want %d: %v", when, res, got, len(want), err)
				}
			}
			return covered
		}
		chain(t, db, "east", 0, 400, now)
		index(r, "east") // nothing is counted yet
		if err := roadstate.EachCell(t.Context(), db, 11, nil, func(roadstate.CellRoad) error { t.Fatal("a cell"); return nil }); err != nil {
			t.Fatal(err)
		}
		if err := r.Count(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		if c := check("counted"); c < 370_000 {
			t.Errorf("%d mm are covered", c)
		}
		chain(t, db, "west", 560, 160, now.Add(time.Hour))
		chain(t, db, "again", 40, 280, now.Add(2*time.Hour))
		index(r, "west")
		check("a second drive")
		if _, err := db.Exec(t.Context(), `DELETE FROM changes`); err != nil {
			t.Fatal(err)
		}
		index(r, "again") // covers nothing new
		index(r, "again")
		most := check("a third")
		if cs, err := state.Changes(t.Context(), db, "tiles"); err != nil || len(cs) != 0 {
			t.Errorf("%d changes although nothing changed: %v", len(cs), err)
		}
		for _, d := range []string{"west", "again", "east"} {
			if _, err := db.Exec(t.Context(), `UPDATE frames SET state = 'removed' WHERE drive_id = $1`, d); err != nil {
				t.Fatal(err)
			}
			index(r, d)
			if c := check(d + " is gone"); c > most {
				t.Errorf("%d mm after a take-down, %d before", c, most)
			}
		}
		if c := check("all gone"); c != 0 {
			t.Errorf("%d mm are covered by nobody", c)
		}
		if cs, err := state.Changes(t.Context(), db, "tiles"); err != nil || len(cs) == 0 || cs[0].Topic != "road" {
			t.Errorf("changes %v: %v", cs, err)
		}
		// Another extract is counted anew; a process with the old one leaves that count alone.
		chain(t, db, "late", 0, 200, now.Add(3*time.Hour))
		other := &roadstate.Roads{Network: n, Extract: survey.HashOf([]byte("newer"))}
		if err := other.Count(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		index(r, "late")
		if _, err := db.Exec(t.Context(), `UPDATE drives SET state = 'indexed' WHERE id = 'late'`); err != nil {
			t.Fatal(err)
		}
		if c, err := roadstate.Counted(t.Context(), db); err != nil || c != other.Extract.String() {
			t.Fatal(c, err)
		}
		if n, err := other.Reindex(t.Context(), db, 10); err != nil || n != 1 {
			t.Fatal(n, err)
		}
		if c := check("brought over"); c < 180_000 {
			t.Errorf("%d mm are covered", c)
		}
		if err := roadstate.EachCell(t.Context(), db, 12, nil, nil); survey.KindOf(err) != survey.Invalid {
			t.Error(err)
		}
	})
}
