package orders_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/hex/orders"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

var now = time.Date(2024, 5, 6, 8, 0, 0, 0, time.UTC)

func cellsOf(t testing.TB, n int) []survey.Cell {
	c, err := survey.ParseCell("891f8d44a2fffff")
	if err != nil {
		t.Fatal(err)
	}
	kids, err := hex.Children(c, 12)
	if err != nil {
		t.Fatal(err)
	}
	return kids[:n]
}

func tx(t testing.TB, db *state.DB, fn func(*state.Tx) error) {
	t.Helper()
	if err := db.Tx(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// look publishes a frame of the contributor in the cell.
func look(t testing.TB, db *state.DB, frame, contributor string, c survey.Cell, captured, received time.Time) {
	t.Helper()
	tx(t, db, func(tx *state.Tx) error {
		for _, s := range []struct {
			q    string
			args []any
		}{
			{`INSERT INTO contributors (id, created_at) VALUES ($1, 0) ON CONFLICT DO NOTHING`, []any{contributor}},
			{`INSERT INTO uploads (id, contributor_id, state, options, files, bytes, created_at) VALUES ($1, $2, 'settled', '{}', 0, 0, 0)`, []any{"u" + frame, contributor}},
			{`INSERT INTO drives (id, upload_id, contributor_id, device_id, state, started_at, ended_at, received_at, frames, parts, distance_mm, manifest_sha256)
				VALUES ($1, $2, $3, 'd', 'indexed', 0, 0, 0, 1, 1, 0, '')`, []any{"d" + frame, "u" + frame, contributor}},
			{`INSERT INTO frames (id, drive_id, part, seq, upload_id, path, object, sha256, bytes, captured_at, received_at, lat_e7, lon_e7, cell, width, height, state)
				VALUES ($1, $2, 0, 0, $3, $1, '', '', 0, $4, $5, 0, 0, $6, 1, 1, 'published')`,
				[]any{frame, "d" + frame, "u" + frame, state.Micros(captured), state.Micros(received), c.Int64()}},
		} {
			if _, err := tx.Exec(t.Context(), s.q, s.args...); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestATargetIsOpenUntilSeenAndReportedAsRewardsDecided(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		cs := cellsOf(t, 4)
		var o orders.Order
		draft := orders.Draft{Owner: "city", Key: "may", Cells: append(cs, cs[0]), Price: 5, Bid: 1}
		tx(t, db, func(tx *state.Tx) (err error) {
			o, err = orders.Create(t.Context(), tx, draft, now)
			return err
		})
		if o.Cells != 4 || o.Open != 4 || o.EndsAt != now.Add(orders.Life) {
			t.Fatalf("%+v", o)
		}
		h := time.Hour
		look(t, db, "early", "c9", cs[0], now.Add(-2*h), now.Add(h))                    // captured before the order
		look(t, db, "after", "c9", cs[1], now.Add(orders.Life), now.Add(orders.Life+h)) // captured at the end, which is outside
		look(t, db, "second", "c2", cs[2], now.Add(1*h), now.Add(9*h))
		look(t, db, "first", "c1", cs[2], now.Add(2*h), now.Add(8*h))
		look(t, db, "taken-down", "c1", cs[3], now.Add(3*h), now.Add(4*h))
		bounties := func(at time.Time) string {
			lo, hi := hex.ResRange(12)
			bs, err := orders.Bounties(t.Context(), db, lo, hi, at)
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprint(bs)
		}
		if got, want := bounties(now.Add(h)), fmt.Sprint([]orders.Bounty{{cs[0], 5, 1}, {cs[1], 5, 1}}); got != want {
			t.Errorf("bounties %s, want %s", got, want)
		}
		if _, err := db.Exec(t.Context(), `UPDATE frames SET state = 'removed' WHERE id = 'taken-down'`); err != nil {
			t.Fatal(err)
		}
		if got, want := bounties(now.Add(h)), fmt.Sprint([]orders.Bounty{{cs[0], 5, 1}, {cs[1], 5, 1}, {cs[3], 5, 1}}); got != want {
			t.Errorf("after the take-down %s, want %s", got, want)
		}
		if got := bounties(now.Add(orders.Life)); got != "[]" {
			t.Errorf("after the end %s", got)
		}
		ts, err := orders.Targets(t.Context(), db, o.ID)
		if err != nil || len(ts) != 4 || ts[2].LookedAt != now.Add(8*h) || !ts[0].LookedAt.IsZero() || ts[2].State != orders.Open {
			t.Fatalf("%+v, %v", ts, err)
		}
		// What closing an epoch writes.
		for _, q := range []string{
			fmt.Sprintf(`UPDATE work_orders SET state = 'filled', epoch = '2024-05-06' WHERE cell = %d`, cs[2].Int64()),
			`UPDATE work_orders SET state = 'refunded', epoch = '2024-05-13' WHERE state = 'open'`,
		} {
			if _, err := db.Exec(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		o, err = orders.Get(t.Context(), db, o.ID)
		if err != nil || o.Open != 0 || o.Filled != 1 || o.Refunded != 3 || o.Spent()+o.Returned() != 20 {
			t.Fatalf("%+v, %v", o, err)
		}
		if ts, err := orders.Targets(t.Context(), db, o.ID); err != nil || ts[2].Epoch != "2024-05-06" || ts[0].State != orders.Refunded {
			t.Fatalf("%+v, %v", ts, err)
		}
	})
}

func TestTheSameRequestMakesOneOrder(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		cs := cellsOf(t, 2)
		d := orders.Draft{Owner: "o", Key: "k", Cells: cs, Price: 7, Bid: 2}
		create := func(d orders.Draft, at time.Time) (o orders.Order, err error) {
			err = db.Tx(t.Context(), func(tx *state.Tx) error {
				o, err = orders.Create(t.Context(), tx, d, at)
				return err
			})
			return o, err
		}
		a, err := create(d, now)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := create(d, now.Add(time.Minute)); err != nil || b != a {
			t.Fatalf("%+v, %v", b, err)
		}
		d.Price = 8
		if _, err := create(d, now); survey.KindOf(err) != survey.Conflict {
			t.Fatal(err)
		}
		raise := func(owner string, bid survey.Amount, at time.Time) error {
			return db.Tx(t.Context(), func(tx *state.Tx) error {
				_, err := orders.Raise(t.Context(), tx, owner, a.ID, bid, at)
				return err
			})
		}
		if err := raise("o", 3, now); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			owner string
			bid   survey.Amount
			at    time.Time
			want  survey.Kind
		}{{"o", 3, now, survey.Conflict}, {"o", 9, now.AddDate(1, 0, 0), survey.Conflict}, {"x", 9, now, survey.NotFound}} {
			if err := raise(c.owner, c.bid, c.at); survey.KindOf(err) != c.want {
				t.Errorf("%+v: %v", c, err)
			}
		}
		if l, err := orders.List(t.Context(), db, now, 10); err != nil || len(l) != 1 || l[0].Bid != 3 {
			t.Fatalf("%+v, %v", l, err)
		}
	})
}

func TestOrdersThatMakeNoSenseAreRefused(t *testing.T) {
	db := testkit.DB(t)
	cs := cellsOf(t, 2)
	good := orders.Draft{Owner: "o", Key: "k", Cells: cs, Price: 7}
	for name, spoil := range map[string]func(*orders.Draft){
		"no owner":            func(d *orders.Draft) { d.Owner = "" },
		"no key":              func(d *orders.Draft) { d.Key = "" },
		"no cells":            func(d *orders.Draft) { d.Cells = nil },
		"no cell":             func(d *orders.Draft) { d.Cells = []survey.Cell{17} },
		"a coarse cell":       func(d *orders.Draft) { d.Cells = []survey.Cell{cs[1].Parent(7)} },
		"no price":            func(d *orders.Draft) { d.Price = 0 },
		"a price that wraps":  func(d *orders.Draft) { d.Price = 1 << 62 },
		"a negative bid":      func(d *orders.Draft) { d.Bid = -1 },
		"too long":            func(d *orders.Draft) { d.Life = 1000 * 24 * time.Hour },
		"too short":           func(d *orders.Draft) { d.Life = time.Second },
		"a start in the past": func(d *orders.Draft) { d.StartsAt = now.Add(-time.Hour) },
		"an unknown kind":     func(d *orders.Draft) { d.Kind = "gift" },
	} {
		d := good
		spoil(&d)
		err := db.Tx(t.Context(), func(tx *state.Tx) error {
			_, err := orders.Create(t.Context(), tx, d, now)
			return err
		})
		if survey.KindOf(err) != survey.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}
