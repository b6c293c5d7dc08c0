package worker_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
	"github.com/roadcomb/roadcomb/rewards"
	"github.com/roadcomb/roadcomb/rewards/merkle"
	"github.com/roadcomb/roadcomb/rewards/record"
	"github.com/roadcomb/roadcomb/rewards/worker"
)

var (
	monday = time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC)
	epoch  = survey.EpochOf(monday)
	cell   = survey.Cell(0x8c1f05871d3abff)
)

const ann, ben = "a0000000000000000000000000000001", "b0000000000000000000000000000002"

var networkKey = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

// bench is a network with two contributors and no footage.
type bench struct {
	testing.TB
	w   worker.Worker
	ctx context.Context
	now time.Time
	n   int
}

func newBench(t testing.TB) *bench { return newBenchOn(t, testkit.DB(t)) }

func newBenchOn(t testing.TB, db *state.DB) *bench {
	b := &bench{TB: t, ctx: context.Background(), now: epoch.End().Add(72 * time.Hour)}
	b.w = worker.Worker{DB: db, Store: testkit.S3(t), Clock: func() time.Time { return b.now },
		Keys: worker.NewKeys(networkKey), Key: networkKey}
	b.exec(`INSERT INTO contributors (id, payout_address, created_at) VALUES ($1, '', 1), ($2, '0x2222222222222222222222222222222222222222', 1)`, ann, ben)
	return b
}

func (b *bench) exec(q string, args ...any) {
	b.Helper()
	if _, err := b.w.DB.Exec(b.ctx, q, args...); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) count(q string, args ...any) (n int64) {
	b.Helper()
	if err := b.w.DB.QueryRow(b.ctx, q, args...).Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}

// drive adds a settled upload of one drive with published frames in successive cells.
func (b *bench) drive(contributor string, received time.Time, frames int) string {
	b.Helper()
	b.n++
	id := survey.HashOf([]byte(fmt.Sprint("drive", b.n))).String()[:32]
	at := state.Micros(received)
	b.exec(`INSERT INTO uploads (id, contributor_id, state, options, files, bytes, created_at, completed_at) VALUES ($1, $2, 'settled', '{}', 1, 1, $3, $3)`, id, contributor, at)
	b.exec(`INSERT INTO drives (id, upload_id, contributor_id, device_id, state, started_at, ended_at, received_at, frames, parts, distance_mm, manifest_sha256)
		VALUES ($1, $1, $2, 'x', 'indexed', $3, $3, $3, $4, 1, 1, '')`, id, contributor, at, frames)
	for i := range frames {
		f := survey.NewFrameID(survey.HashOf([]byte(fmt.Sprint(id, i))))
		b.exec(`INSERT INTO frames (id, drive_id, part, seq, upload_id, path, object, sha256, bytes, captured_at, received_at, lat_e7, lon_e7, cell, width, height, state, quality_ppm)
			VALUES ($1, $2, 0, $3, $2, '', '', '', 1, $4, $4, 0, 0, $5, 1, 1, 'published', 800000)`, string(f), id, i, at, (cell + survey.Cell(i)<<9).Int64())
	}
	return id
}

// apart moves a drive to cells of its own, so that its rank is the first.
func (b *bench) apart(drive string) string {
	b.exec(`UPDATE frames SET cell = cell + $2 WHERE drive_id = $1`, drive, int64(b.n)<<20)
	return drive
}

func (b *bench) close(e survey.Epoch) record.Manifest {
	b.Helper()
	if err := b.w.Close(b.ctx, e); err != nil {
		b.Fatal(err)
	}
	m, err := record.ReadManifest(b.file(e, record.ManifestName))
	if err != nil {
		b.Fatal(err)
	}
	return m
}

func (b *bench) file(e survey.Epoch, name string) []byte {
	b.Helper()
	body, _, err := b.w.Store.Get(b.ctx, store.Ledger, store.EpochKey(e, name), 1<<30)
	if err != nil {
		b.Fatal(err)
	}
	return body
}

func (b *bench) allocations(e survey.Epoch) map[string]record.Allocation {
	b.Helper()
	rows, err := lake.Decode[record.Allocation](b.file(e, record.AllocationsName))
	if err != nil {
		b.Fatal(err)
	}
	out := map[string]record.Allocation{}
	for _, r := range rows {
		k := r.Contributor
		if r.Reserved {
			k += " reserve"
		}
		out[k] = r
	}
	return out
}

func TestClosePublishesAndBooks(t *testing.T) {
	b := newBench(t)
	b.drive(ann, monday.Add(10*time.Hour), 5)
	b.drive(ben, monday.Add(11*time.Hour), 3)
	m := b.close(epoch)
	if m.Contributions != 8 || m.Contributors != 2 || m.Total.Allocated == 0 || m.Previous != nil {
		t.Fatalf("%+v", m)
	}
	for _, f := range append(m.Inputs, m.Outputs...) {
		if body := b.file(epoch, f.Name); survey.HashOf(body) != f.SHA256 || int64(len(body)) != f.Bytes {
			t.Errorf("%s is not what the manifest names", f.Name)
		}
	}
	tree, err := merkle.Load(b.file(epoch, record.MerkleName))
	if err != nil || tree.Root().String() != m.Root || len(tree.Leaves()) != 2 {
		t.Fatalf("tree: %v", err)
	}
	al := b.allocations(epoch)
	if l, _, ok := tree.Proof(record.ReservedAddress(ann)); !ok || int64(l.Amount) != al[ann+" reserve"].Cumulative {
		t.Errorf("ann's reserve: %+v, %+v", l, al)
	}
	if got := b.count(`SELECT SUM(amount) FROM allocations`); got != int64(m.Total.Allocated) {
		t.Errorf("booked %d, allocated %d", got, m.Total.Allocated)
	}
	if got := b.count(`SELECT COUNT(*) FROM reward_frames`); got != 8 {
		t.Errorf("%d frames booked", got)
	}
}

func TestReplayChangesNothing(t *testing.T) {
	b := newBench(t)
	b.drive(ann, monday.Add(10*time.Hour), 5)
	m := b.close(epoch)
	before := string(b.file(epoch, record.ManifestName))
	b.drive(ben, monday.Add(12*time.Hour), 5) // late: the epoch is closed
	if again := b.close(epoch); again.Root != m.Root || string(b.file(epoch, record.ManifestName)) != before {
		t.Error("closing again changed the manifest")
	}
	if n := b.count(`SELECT COUNT(*) FROM allocations`); n != 1 {
		t.Errorf("%d allocations", n)
	}
	// What came late counts in the next epoch.
	b.now = epoch.Next().End().Add(72 * time.Hour)
	next := b.close(epoch.Next())
	if next.Contributions != 5 || next.Previous == nil || *next.Previous != survey.HashOf([]byte(before)) {
		t.Errorf("%+v", next)
	}
	al := b.allocations(epoch.Next())
	if al[ben].Amount == 0 || al[ann+" reserve"].Cumulative != int64(m.Total.Allocated) {
		t.Errorf("%+v", al)
	}
}

// A close dies once at every step. After each death the epoch is either as open as before or completely closed, and the
// next close goes on with what was frozen first.
func TestCrashAnywhereIsCompletedByTheNextClose(t *testing.T) {
	testkit.Engines(t, crashAnywhereIsCompletedByTheNextClose)
}

func crashAnywhereIsCompletedByTheNextClose(t *testing.T, db *state.DB) {
	b := newBenchOn(t, db)
	b.drive(ann, monday.Add(10*time.Hour), 3)
	b.drive(ben, monday.Add(11*time.Hour), 4)
	held := b.drive(ben, monday.Add(12*time.Hour), 2)
	b.exec(`INSERT INTO findings (drive_id, kind, score_ppm, evidence, found_at) VALUES ($1, 'two_places', 900000, '{}', 1)`, held)
	b.exec(`INSERT INTO reward_spend (id, cell, amount, at) VALUES ('a', $1, 1000, $2)`, cell.Int64(), state.Micros(monday.Add(time.Hour)))
	b.exec(`INSERT INTO work_orders (id, cell, price, opens_at, closes_at) VALUES ('o', $1, 55, $2, $3)`, cell.Int64(), state.Micros(monday), state.Micros(monday.Add(20*time.Hour)))
	dead := errors.New("dead")
	passed := map[string]bool{}
	last, deaths, late := "", 0, false
	worker.SetFault(&b.w, func(step string) error {
		if passed[step] {
			return nil
		}
		passed[step], last = true, step
		return dead
	})
	tables := []string{"epochs", "allocations", "reward_accounts", "reward_balances", "reward_escrow", "reward_frames", "reward_cells", "reward_holds", "reward_spend_booked"}
	for {
		err := b.w.Close(b.ctx, epoch)
		if err == nil {
			break
		}
		if !errors.Is(err, dead) || deaths > 100 {
			t.Fatal(err)
		}
		deaths++
		rows := int64(0)
		for _, table := range tables {
			rows += b.count(`SELECT COUNT(*) FROM ` + table)
		}
		if closed := last == "booked"; (rows > 0) != closed {
			t.Errorf("after dying at %q: %d rows", last, rows)
		}
		// Whoever sees a manifest sees a whole epoch.
		if _, ok := b.read(epoch).(fstest.MapFS)[record.ManifestName]; ok {
			b.verify(epoch, nil)
		} else if passed["after "+record.ManifestName] {
			t.Errorf("after dying at %q the manifest is gone", last)
		}
		if passed["after "+record.ContributionsName] && !late { // frozen: what comes now is late
			late = true
			b.drive(ben, monday.Add(13*time.Hour), 9)
		}
	}
	// Two outputs are absent: there are no regions and no sponsors.
	if want := 2*(len(record.InputNames())+len(record.OutputNames())-2) + 4; deaths < want || last != "booked" {
		t.Errorf("died %d times, want at least %d; last at %q", deaths, want, last)
	}
	b.verify(epoch, nil)
	if n := b.count(`SELECT COUNT(*) FROM reward_frames`); n != 9 {
		t.Errorf("%d frames booked", n)
	}
	if n := b.count(`SELECT COUNT(*) FROM epochs`); n != 1 {
		t.Errorf("closed %d times", n)
	}
	// The same network without a death pays the same.
	whole := newBench(t)
	whole.drive(ann, monday.Add(10*time.Hour), 3)
	whole.drive(ben, monday.Add(11*time.Hour), 4)
	held = whole.drive(ben, monday.Add(12*time.Hour), 2)
	whole.exec(`INSERT INTO findings (drive_id, kind, score_ppm, evidence, found_at) VALUES ($1, 'two_places', 900000, '{}', 1)`, held)
	whole.exec(`INSERT INTO reward_spend (id, cell, amount, at) VALUES ('a', $1, 1000, $2)`, cell.Int64(), state.Micros(monday.Add(time.Hour)))
	whole.exec(`INSERT INTO work_orders (id, cell, price, opens_at, closes_at) VALUES ('o', $1, 55, $2, $3)`, cell.Int64(), state.Micros(monday), state.Micros(monday.Add(20*time.Hour)))
	whole.close(epoch)
	if got, want := b.file(epoch, record.ManifestName), whole.file(epoch, record.ManifestName); !bytes.Equal(got, want) {
		t.Errorf("the manifest differs:\n%s\n%s", got, want)
	}
}

func TestLeftoverOutputsOfAnUnfinishedCloseAreReplaced(t *testing.T) {
	b := newBench(t)
	b.drive(ann, monday.Add(10*time.Hour), 3)
	if _, err := b.w.Store.Create(b.ctx, store.Ledger, store.EpochKey(epoch, record.StatementName), []byte("half"), ""); err != nil {
		t.Fatal(err)
	}
	m := b.close(epoch)
	if survey.HashOf(b.file(epoch, record.StatementName)) != m.Outputs[0].SHA256 {
		t.Error("the manifest names other bytes")
	}
}

func TestFirstAddressTakesTheReserveAndLaterOnesDoNot(t *testing.T) {
	b := newBench(t)
	e := epoch
	step := func() map[string]record.Allocation {
		b.drive(ann, e.Start().Add(10*time.Hour), 2)
		b.now = e.End().Add(72 * time.Hour)
		b.close(e)
		al := b.allocations(e)
		e = e.Next()
		return al
	}
	one := step()[ann+" reserve"]
	b.exec(`UPDATE contributors SET payout_address = '0x1111111111111111111111111111111111111111' WHERE id = $1`, ann)
	al := step()
	if r, a := al[ann+" reserve"], al[ann]; r.Cumulative != 0 || r.Moved != -one.Cumulative || a.Cumulative != one.Cumulative+a.Amount {
		t.Fatalf("reserve %+v, account %+v", r, a)
	}
	had := al[ann].Cumulative
	b.exec(`UPDATE contributors SET payout_address = '0x3333333333333333333333333333333333333333' WHERE id = $1`, ann)
	step()
	tree, err := merkle.Load(b.file(survey.EpochOf(e.Start().Add(-time.Hour)), record.MerkleName))
	if err != nil {
		t.Fatal(err)
	}
	old, _ := merkle.ParseAddress("0x1111111111111111111111111111111111111111")
	if l, _, ok := tree.Proof(old); !ok || int64(l.Amount) != had {
		t.Errorf("the first address had %d, has %+v", had, l)
	}
}

func TestOpenEpochsWaitForTheEndAndTheUploads(t *testing.T) {
	b := newBench(t)
	open := func(now time.Time) string {
		es, err := b.w.OpenEpochs(b.ctx, now)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(es)
	}
	end := epoch.End()
	if got := open(end.Add(99 * time.Hour)); got != "[]" {
		t.Errorf("no footage: %s", got)
	}
	b.drive(ann, monday.Add(time.Hour), 1)
	pending := b.drive(ann, monday.Add(2*time.Hour), 1)
	b.exec(`UPDATE uploads SET state = 'ingested' WHERE id = $1`, pending)
	if got := open(end.Add(-time.Second)); got != "[]" {
		t.Errorf("before the end: %s", got)
	}
	if got := open(end); got != "[]" {
		t.Errorf("at the end, nothing later seen: %s", got)
	}
	b.drive(ben, end.Add(14*24*time.Hour), 1)
	if got := open(end); got != "[]" {
		t.Errorf("an upload is unsettled: %s", got)
	}
	b.exec(`UPDATE uploads SET state = 'settled'`)
	if got := open(end); got != "[2024-05-06]" {
		t.Errorf("settled: %s", got)
	}
	b.exec(`UPDATE uploads SET state = 'ingested' WHERE id = $1`, pending)
	if got := open(end.Add(48 * time.Hour)); got != "[2024-05-06]" {
		t.Errorf("after the cut-off: %s", got)
	}
	// The empty weeks between are closed too, the running one is not.
	b.now = end.Add(28 * 24 * time.Hour)
	if got := open(b.now); got != "[2024-05-06 2024-05-13 2024-05-20 2024-05-27]" {
		t.Errorf("all: %s", got)
	}
	e := epoch
	for i, want := range []int{2, 0, 0, 1} {
		if m := b.close(e); m.Contributions != want || (m.Total.Allocated > 0) != (want > 0) || m.Root == "" {
			t.Errorf("week %d: %+v", i, m)
		}
		e = e.Next()
	}
	if got := open(b.now); got != "[]" {
		t.Errorf("all closed: %s", got)
	}
}

func TestEpochsCloseInOrderAndNotEarly(t *testing.T) {
	b := newBench(t)
	b.drive(ann, monday.Add(time.Hour), 1)
	b.now = epoch.End().Add(-time.Second)
	if err := b.w.Close(b.ctx, epoch); survey.KindOf(err) != survey.Conflict {
		t.Errorf("early: %v", err)
	}
	b.now = epoch.End().Add(100 * 24 * time.Hour)
	b.close(epoch)
	if err := b.w.Close(b.ctx, epoch.Next().Next()); survey.KindOf(err) != survey.Conflict {
		t.Errorf("out of order: %v", err)
	}
	if err := b.w.Close(b.ctx, survey.EpochOf(monday.Add(-time.Hour))); survey.KindOf(err) != survey.Conflict {
		t.Errorf("before the first: %v", err)
	}
}

// read serves a published epoch to record's functions.
func (b *bench) read(e survey.Epoch) fs.FS {
	dir := fstest.MapFS{}
	for _, n := range append(append(record.InputNames(), record.OutputNames()...), record.ManifestName, record.SignatureName) {
		if body, _, err := b.w.Store.Get(b.ctx, store.Ledger, store.EpochKey(e, n), 1<<30); err == nil {
			dir[n] = &fstest.MapFile{Data: body}
		}
	}
	return dir
}

func (b *bench) verify(e survey.Epoch, previous fs.FS) {
	b.Helper()
	r, err := record.Verify(b.read(e), previous)
	if err != nil || !r.OK() {
		b.Fatalf("verify %s: %v %v", e, err, r.Differences)
	}
	if _, err := record.Signed(b.read(e), b.w.Key.Public().(ed25519.PublicKey)); err != nil {
		b.Fatal(err)
	}
}

func TestEpochsThatWereClosedWithoutTheKeyAreSignedByTheNextClose(t *testing.T) {
	b := newBench(t)
	b.w.Key = nil
	var es []survey.Epoch
	for e := epoch; len(es) < 4; e = e.Next() {
		if es = append(es, e); len(es) == 3 {
			b.w.Key = networkKey // the fourth finds what the third signed, and looks no further
		}
		b.now = e.End().Add(72 * time.Hour)
		b.drive(ann, e.Start().Add(10*time.Hour), 2)
		b.close(e)
		for _, was := range es {
			key, err := record.Signed(b.read(was), nil)
			if err != nil || (key != "") != (len(es) >= 3) {
				t.Errorf("after epoch %d: %s is signed with %q: %v", len(es), was, key, err)
			}
		}
	}
	var before fs.FS
	for _, e := range es {
		b.verify(e, before)
		before = b.read(e)
	}
	// A manifest that was swapped since it was booked is not signed.
	b.w.Key = nil
	e := es[3].Next()
	b.now = e.End().Add(72 * time.Hour)
	b.drive(ann, e.Start().Add(10*time.Hour), 2)
	b.close(e)
	if _, err := b.w.Store.Put(b.ctx, store.Ledger, store.EpochKey(e, record.ManifestName), bytes.Replace(b.file(e, record.ManifestName), []byte(`"contributors": 1`), []byte(`"contributors": 2`), 1), "application/json"); err != nil {
		t.Fatal(err)
	}
	b.w.Key = networkKey
	b.now = e.Next().End().Add(72 * time.Hour)
	b.drive(ann, e.Next().Start().Add(10*time.Hour), 2)
	if err := b.w.Close(b.ctx, e.Next()); survey.KindOf(err) != survey.Conflict {
		t.Errorf("a swapped manifest: %v", err)
	}
	if _, ok := b.read(e).(fstest.MapFS)[record.SignatureName]; ok {
		t.Error("a swapped manifest is signed")
	}
}

func TestHeldEarningsWaitForTheDecisionAndAreThenBookedOnce(t *testing.T) {
	testkit.Engines(t, heldEarningsWaitForTheDecisionAndAreThenBookedOnce)
}

func heldEarningsWaitForTheDecisionAndAreThenBookedOnce(t *testing.T, db *state.DB) {
	b := newBenchOn(t, db)
	good := b.drive(ann, monday.Add(10*time.Hour), 3)
	bad := b.drive(ben, monday.Add(40*time.Hour), 3)
	b.exec(`INSERT INTO findings (drive_id, kind, score_ppm, evidence, found_at) VALUES ($1, 'repeated_motion', 900000, '{"shared":9}', 1), ($2, 'two_places', 1000000, '{}', 1)`, bad, good)
	b.close(epoch)
	b.verify(epoch, nil)
	held := b.count(`SELECT SUM(amount) FROM reward_escrow`)
	if n := b.count(`SELECT SUM(held) FROM allocations`); n == 0 || n != held || b.count(`SELECT SUM(amount) FROM allocations`) != 0 {
		t.Fatalf("held %d, escrow by drive %d", n, held)
	}
	ctx := b.ctx
	if err := b.w.Appeal(ctx, ann, survey.DriveID(bad), "mine"); survey.KindOf(err) != survey.Conflict {
		t.Errorf("appeal against another's hold: %v", err)
	}
	if err := b.w.Appeal(ctx, ben, survey.DriveID(bad), "I drive this way every day"); err != nil {
		t.Fatal(err)
	}
	if err := b.w.Decide(ctx, survey.DriveID(bad), true, "operator:anna", "another tyre pressure"); err != nil {
		t.Fatal(err)
	}
	if err := b.w.Decide(ctx, survey.DriveID(bad), true, "operator:anna", "again"); err != nil {
		t.Errorf("the same decision again: %v", err)
	}
	if err := b.w.Decide(ctx, survey.DriveID(bad), false, "operator:anna", "no"); survey.KindOf(err) != survey.Conflict {
		t.Errorf("the other decision: %v", err)
	}
	// ann never answers.
	b.now = b.now.Add(15 * 24 * time.Hour)
	if n, err := b.w.Lapse(ctx); n != 1 || err != nil {
		t.Fatalf("lapsed %d: %v", n, err)
	}
	b.drive(ann, epoch.Next().Start().Add(time.Hour), 1)
	b.close(epoch.Next())
	b.verify(epoch.Next(), b.read(epoch))
	al := b.allocations(epoch.Next())
	benHeld := b.count(`SELECT held FROM allocations WHERE contributor_id = $1 AND epoch = $2`, ben, epoch.String())
	if a := al[ben]; a.Corrected != benHeld || a.Escrow != 0 || a.Cumulative != benHeld {
		t.Errorf("ben: %+v, held %d", a, benHeld)
	}
	if a := al[ann+" reserve"]; a.Corrected != 0 || a.Escrow != 0 || a.Amount == 0 {
		t.Errorf("ann: %+v", a)
	}
	b.close(epoch.Next().Next())
	if a := b.allocations(epoch.Next().Next())[ben]; a.Corrected != 0 || a.Cumulative != benHeld {
		t.Errorf("a correction was booked twice: %+v", a)
	}
}

func TestAdjustmentsOrdersSpendAndReviewsReachTheEpoch(t *testing.T) {
	testkit.Engines(t, adjustmentsOrdersSpendAndReviewsReachTheEpoch)
}

func adjustmentsOrdersSpendAndReviewsReachTheEpoch(t *testing.T, db *state.DB) {
	b := newBenchOn(t, db)
	b.drive(ann, monday.Add(10*time.Hour), 3)
	us := func(d time.Duration) int64 { return monday.Add(d).UnixMicro() }
	b.exec(`INSERT INTO work_orders (id, cell, price, opens_at, closes_at) VALUES ('o', $1, 55, $2, $3), ('o', $4, 66, $2, $5)`,
		cell.Int64(), us(0), us(20*time.Hour), (cell + 99<<9).Int64(), us(10*24*time.Hour))
	b.exec(`INSERT INTO reward_spend (id, cell, amount, at) VALUES ('a', $1, 1000, $2), ('b', $1, 1000, $2), ('late', $1, 9, $3)`, cell.Int64(), us(time.Hour), us(8*24*time.Hour))
	b.exec(`INSERT INTO reward_reviews (id, contributor_id, points, at) VALUES ('r', $1, 3, $2)`, ben, us(time.Hour))
	m := b.close(epoch)
	b.verify(epoch, nil)
	if m.Pools[1].In != 2000 || m.Pools[1].Burned != 1500 || m.Pools[2].Allocated != 55 || m.Contributors != 2 {
		t.Errorf("%+v", m.Pools)
	}
	if n := b.count(`SELECT COUNT(*) FROM work_orders WHERE state = 'filled' AND epoch = $1`, epoch.String()); n != 1 {
		t.Errorf("%d orders filled", n)
	}
	fix := record.Correction{ID: "x", Contributor: ann, Epoch: epoch.String(), Amount: 5, Reason: "counted wrong", DecidedBy: "operator:anna"}
	for range 2 {
		if err := b.w.Adjust(b.ctx, fix); err != nil {
			t.Fatal(err)
		}
	}
	fix.Amount = 6
	if err := b.w.Adjust(b.ctx, fix); survey.KindOf(err) != survey.Conflict {
		t.Errorf("the same id for another amount: %v", err)
	}
	fix.ID, fix.Epoch = "y", epoch.Next().String()
	if err := b.w.Adjust(b.ctx, fix); survey.KindOf(err) != survey.NotFound {
		t.Errorf("an open epoch: %v", err)
	}
	b.drive(ann, epoch.Next().Start().Add(time.Hour), 1)
	b.now = b.now.Add(7 * 24 * time.Hour)
	// A charge of the closed epoch that is entered only now, and one of this epoch, count once.
	for range 2 {
		if err := b.w.DB.Tx(b.ctx, func(tx *state.Tx) error {
			return tx.Charge(b.ctx, survey.Charge{ID: "entered late", Cells: []survey.Cell{cell, cell + 1<<9}, Amount: 31, At: monday.Add(2 * time.Hour)})
		}); err != nil {
			t.Fatal(err)
		}
	}
	next := b.close(epoch.Next())
	b.verify(epoch.Next(), b.read(epoch))
	if next.Pools[1].In != 9+31 || next.Pools[3].In != 0 {
		t.Errorf("the next epoch: %+v", next.Pools)
	}
	if a := b.allocations(epoch.Next())[ann+" reserve"]; a.Corrected != 5 {
		t.Errorf("%+v", a)
	}
	if n := b.count(`SELECT COUNT(*) FROM work_orders WHERE state = 'refunded'`); n != 1 {
		t.Errorf("%d orders refunded", n)
	}
}

func TestBlockedAddressesEarnIntoTheReserve(t *testing.T) {
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := merkle.ParseAddress("0x2222222222222222222222222222222222222222")
	if err != nil {
		t.Fatal(err)
	}
	l := worker.ScreenList{Role: "compliance", Issued: "2024-05-01", Addresses: []merkle.Address{a}}
	msg, err := l.Message()
	if err != nil {
		t.Fatal(err)
	}
	l.Signature = ed25519.Sign(key, msg)
	text, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := worker.ListScreen(bytes.Replace(text, []byte("compliance"), []byte("complience"), 1), pub); survey.KindOf(err) != survey.Unauthorized {
		t.Errorf("a forged list: %v", err)
	}
	list, err := worker.ListScreen(text, pub)
	if err != nil {
		t.Fatal(err)
	}
	down := false
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var ask struct{ Addresses []merkle.Address }
		if err := json.NewDecoder(r.Body).Decode(&ask); down || err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		json.NewEncoder(w).Encode(map[string]any{"blocked": ask.Addresses})
	}))
	defer srv.Close()
	for name, s := range map[string]worker.Screener{"list": list, "service": worker.HTTPScreen(srv.URL, srv.Client())} {
		b := newBench(t)
		b.w.Screen = s
		b.drive(ben, monday.Add(time.Hour), 2)
		b.close(epoch)
		if r := b.allocations(epoch)[ben+" reserve"]; r.Amount == 0 {
			t.Errorf("%s: %+v", name, b.allocations(epoch))
		}
	}
	down = true
	b := newBench(t)
	b.w.Screen = worker.HTTPScreen(srv.URL, srv.Client())
	b.drive(ben, monday.Add(time.Hour), 2)
	if err := b.w.Close(b.ctx, epoch); survey.KindOf(err) != survey.Unavailable {
		t.Errorf("the service is down: %v", err)
	}
	down = false
	b.close(epoch)
}

func TestWhatNothingVouchesForIsHeldUntilTheContributorIsEnrolled(t *testing.T) {
	testkit.Engines(t, whatNothingVouchesForIsHeldUntilTheContributorIsEnrolled)
}

func whatNothingVouchesForIsHeldUntilTheContributorIsEnrolled(t *testing.T, db *state.DB) {
	b := newBenchOn(t, db)
	start := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC) // the first epoch of v2
	e := survey.EpochOf(start)
	b.now = e.End().Add(72 * time.Hour)
	b.w.Regions = func(_ context.Context, res int, from, to time.Time) ([]rewards.Region, error) {
		if !from.Equal(e.End().AddDate(0, 0, -28)) && !to.After(e.End()) {
			t.Errorf("asked for %s to %s", from, to)
		}
		return []rewards.Region{{Cell: cell.Parent(res), Road: 1_000_000, Covered: 100_000}}, nil
	}
	key := strings.Repeat("ab", 32)
	bare := b.drive(ann, start.Add(10*time.Hour), 3)
	signed := b.drive(ann, start.Add(34*time.Hour), 3)
	b.exec(`UPDATE uploads SET device_key = $2 WHERE id = $1`, signed, key)
	odd := b.drive(ann, start.Add(58*time.Hour), 3)
	b.exec(`INSERT INTO findings (drive_id, kind, score_ppm, evidence, found_at) VALUES ($1, 'two_places', 900000, '{}', 1)`, odd)
	shaken := b.apart(b.drive(ben, start.Add(80*time.Hour), 3))
	b.exec(`INSERT INTO drive_vouchers (drive_id, kind, score_ppm, found_at) VALUES ($1, 'motion', 900000, 1)`, shaken) // its own word
	b.exec(`INSERT INTO reward_spend (id, cell, amount, at) VALUES ('a', $1, 1000, $2)`, (cell + 1000<<9).Int64(), state.Micros(start.Add(time.Hour)))
	m := b.close(e)
	b.verify(e, nil)
	if m.Ruleset != "v2" || m.Carried != 1000 || m.Pools[1].In != 0 {
		t.Errorf("%s, carried %d, %+v", m.Ruleset, int64(m.Carried), m.Pools)
	}
	if n := b.count(`SELECT COUNT(*) FROM reward_spend_booked`); n != 0 {
		t.Errorf("%d cells booked as spent", n)
	}
	held := func() (n int64) {
		return b.count(`SELECT COUNT(*) FROM reward_holds WHERE state = 'open'`)
	}
	if a := b.allocations(e); held() != 4 || a[ann+" reserve"].Amount != 0 || a[ann+" reserve"].Held == 0 || a[ben].Amount != 0 {
		t.Fatalf("%d holds, %+v", held(), a)
	}
	var evidence string
	if err := db.QueryRow(b.ctx, `SELECT evidence FROM reward_holds WHERE drive_id = $1`, bare).Scan(&evidence); err != nil || !strings.Contains(evidence, `"unvouched"`) || !strings.Contains(evidence, "enrolled") {
		t.Errorf("%s %v", evidence, err)
	}
	for who, want := range map[survey.ContributorID]survey.Kind{"nobody": survey.NotFound, ann: survey.Invalid} {
		if _, err := b.w.Enrol(b.ctx, who, map[survey.ContributorID]string{ann: "xy"}[who], "operator", "x"); survey.KindOf(err) != want {
			t.Errorf("%s: %v", who, err)
		}
	}
	// The device that signed one drive is enrolled, then the driver; the drive with a finding stays held.
	for i, k := range []string{key, "", ""} {
		n, err := b.w.Enrol(b.ctx, ann, k, "operator", "looked at")
		if want := []int{1, 1, 0}[i]; err != nil || n != want || held() != int64(3-min(i, 1)) {
			t.Errorf("enrolled with %.4q: %d cleared, %d held, %v", k, n, held(), err)
		}
	}
	next := e.Next()
	b.drive(ann, next.Start().Add(time.Hour), 2) // vouched for from the start
	b.now = next.Start().Add(2 * time.Hour)
	if err := b.w.Dismiss(b.ctx, ann, "", ""); err != nil {
		t.Fatal(err)
	}
	late := b.drive(ann, next.Start().Add(30*time.Hour), 2)
	b.now = next.End().Add(72 * time.Hour)
	b.close(next)
	b.verify(next, b.read(e))
	if a := b.allocations(next)[ann+" reserve"]; a.Corrected <= 0 || a.Amount == 0 || a.Held == 0 {
		t.Errorf("%+v", a)
	}
	if n := b.count(`SELECT COUNT(*) FROM reward_holds WHERE drive_id = $1 AND state = 'open'`, late); n != 1 {
		t.Errorf("a drive after the dismissal has %d holds", n)
	}
}

func TestScreeningServicesAreNotBelievedBlindly(t *testing.T) {
	a, err := merkle.ParseAddress("0x2222222222222222222222222222222222222222")
	if err != nil {
		t.Fatal(err)
	}
	other, err := merkle.ParseAddress("0x3333333333333333333333333333333333333333")
	if err != nil {
		t.Fatal(err)
	}
	inner := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer inner.Close()
	for name, c := range map[string]struct {
		answer  string
		code    int
		blocked int
		ok      bool
	}{
		"nobody":          {`{"blocked":[]}`, 200, 0, true},
		"one":             {`{"blocked":["` + a.String() + `"]}`, 200, 1, true},
		"one nobody knew": {`{"blocked":["` + other.String() + `"]}`, 200, 0, true},
		"another service": {`{"status":"fine"}`, 200, 0, false},
		"a page":          {`<html>`, 200, 0, false},
		"a redirect":      {``, 307, 0, false},
		"refused":         {`{"blocked":[]}`, 403, 0, false},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", inner.URL)
			w.WriteHeader(c.code)
			w.Write([]byte(c.answer))
		}))
		blocked, err := worker.HTTPScreen(srv.URL, nil)(context.Background(), []merkle.Address{{}, a})
		srv.Close()
		if (err == nil) != c.ok || len(blocked) != c.blocked || !c.ok && survey.KindOf(err) != survey.Unavailable {
			t.Errorf("%s: %v %v", name, blocked, err)
		}
	}
	for text, ok := range map[string]bool{"https://screen.example/v1": true, "http://127.0.0.1:9/x": true, "http://[::1]/": true, "http://localhost:8": true,
		"http://10.0.0.1/": false, "http://screen.example": false, "ftp://x": false, "https://me:secret@x": false, "screen": false, "http://localhost.example": false} {
		if err := worker.CheckScreenURL(text); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
	// A list in a file is read anew, and a broken one stops the close.
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "deny.json")
	write := func(l worker.ScreenList) {
		msg, err := l.Message()
		if err != nil {
			t.Fatal(err)
		}
		l.Signature = ed25519.Sign(key, msg)
		text, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := worker.AllScreens(worker.FileScreen(path, pub))
	if _, err := s(context.Background(), []merkle.Address{a}); survey.KindOf(err) != survey.Unavailable {
		t.Errorf("no list: %v", err)
	}
	for _, as := range [][]merkle.Address{nil, {a}} {
		write(worker.ScreenList{Role: "compliance", Issued: "2024-05-01", Addresses: as})
		if b, err := s(context.Background(), []merkle.Address{a}); err != nil || len(b) != len(as) {
			t.Errorf("%v: %v %v", as, b, err)
		}
	}
	if err := os.WriteFile(path, []byte(`{"role":"compliance","addresses":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s(context.Background(), []merkle.Address{a}); survey.KindOf(err) != survey.Unauthorized {
		t.Errorf("an unsigned list: %v", err)
	}
}

func TestSponsorsEarningsStandForNewcomersUntilSomebodyLooks(t *testing.T) {
	testkit.Engines(t, sponsorsEarningsStandForNewcomersUntilSomebodyLooks)
}

func sponsorsEarningsStandForNewcomersUntilSomebodyLooks(t *testing.T, db *state.DB) {
	b := newBenchOn(t, db)
	start := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	e := survey.EpochOf(start)
	b.now = start
	// ann is nobody yet, ben is enrolled.
	for what, c := range map[string]struct {
		sponsor, newcomer survey.ContributorID
		want              survey.Kind
	}{"not enrolled": {ben, ann, survey.Conflict}, "oneself": {ben, ben, survey.Invalid}} {
		if err := b.w.Sponsor(b.ctx, c.sponsor, c.newcomer); survey.KindOf(err) != c.want {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := b.w.Enrol(b.ctx, ben, "", "operator", "city van"); err != nil {
		t.Fatal(err)
	}
	if err := b.w.Sponsor(b.ctx, ben, "nobody"); survey.KindOf(err) != survey.NotFound {
		t.Errorf("nobody: %v", err)
	}
	for range 2 { // again changes nothing
		if err := b.w.Sponsor(b.ctx, ben, ann); err != nil {
			t.Fatal(err)
		}
	}
	small := b.apart(b.drive(ann, start.Add(10*time.Hour), 2))
	large := b.apart(b.drive(ann, start.Add(34*time.Hour), 9)) // more than ben has earned
	bens := []string{b.apart(b.drive(ben, start.Add(50*time.Hour), 3)), b.apart(b.drive(ben, start.Add(74*time.Hour), 3))}
	b.now = e.End().Add(72 * time.Hour)
	b.close(e)
	b.verify(e, nil)
	holds := func() map[string]string {
		rows, err := db.Query(b.ctx, `SELECT drive_id, state FROM reward_holds`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		out := map[string]string{}
		for rows.Next() {
			var d, s string
			if err := rows.Scan(&d, &s); err != nil {
				t.Fatal(err)
			}
			out[d] = s
		}
		return out
	}
	bond := bens[0]
	if h := holds(); h[bond] == "" {
		bond = bens[1]
	}
	if h := holds(); len(h) != 2 || h[large] != "open" || h[bond] != "open" || h[small] != "" {
		t.Fatalf("%v, small %s", h, small)
	}
	a := b.allocations(e)
	if a[ann+" reserve"].Amount == 0 || a[ann+" reserve"].Amount > a[ben].Held {
		t.Errorf("%+v", a)
	}
	// Neither enrolling ben again nor silence after an appeal gives the bond back.
	if n, err := b.w.Enrol(b.ctx, ben, "", "operator", "again"); n != 0 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	for who, d := range map[survey.ContributorID]string{ben: bond, ann: large} {
		if err := b.w.Appeal(b.ctx, who, survey.DriveID(d), "please look"); err != nil {
			t.Fatal(err)
		}
	}
	b.now = b.now.Add(200 * 24 * time.Hour)
	if n, err := b.w.Lapse(b.ctx); n != 0 || err != nil {
		t.Errorf("%d lapsed: %v", n, err)
	}
	if h := holds(); h[large] != "appealed" || h[bond] != "appealed" {
		t.Errorf("%v", h)
	}
	// Somebody looks: ann's drive and ben's bond are both free.
	if n, err := b.w.Enrol(b.ctx, ann, "", "fleet:van", "seen"); n != 1 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	if h := holds(); h[large] != "cleared" || h[bond] != "cleared" {
		t.Errorf("%v", h)
	}
	if ns, err := b.w.Newcomers(b.ctx, ben); len(ns) != 0 || err != nil {
		t.Errorf("ben still answers for %v: %v", ns, err)
	}
	if err := b.w.Dismiss(b.ctx, ann, "", "fleet:other"); survey.KindOf(err) != survey.NotFound {
		t.Errorf("another fleet's: %v", err)
	}
	if err := b.w.Sponsor(b.ctx, ben, ann); survey.KindOf(err) != survey.Conflict {
		t.Errorf("an enrolled one: %v", err)
	}
}

func TestASponsorWhoWasWrongPaysAndMayNotAnswerAgain(t *testing.T) {
	b := newBench(t)
	start := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	e := survey.EpochOf(start)
	b.now = start
	if _, err := b.w.Enrol(b.ctx, ben, "", "operator", "city van"); err != nil {
		t.Fatal(err)
	}
	if err := b.w.Sponsor(b.ctx, ben, ann); err != nil {
		t.Fatal(err)
	}
	b.apart(b.drive(ann, start.Add(10*time.Hour), 2))
	bond := b.apart(b.drive(ben, start.Add(50*time.Hour), 3))
	b.now = e.End().Add(72 * time.Hour)
	b.close(e)
	if err := b.w.Decide(b.ctx, survey.DriveID(bond), false, "operator:eve", "the newcomer's drives were invented"); err != nil {
		t.Fatal(err)
	}
	if ns, err := b.w.Newcomers(b.ctx, ben); len(ns) != 0 || err != nil {
		t.Errorf("%v %v", ns, err)
	}
	if err := b.w.Sponsor(b.ctx, ben, ann); survey.KindOf(err) != survey.Conflict || !strings.Contains(err.Error(), "twelve weeks") {
		t.Errorf("%v", err)
	}
	b.apart(b.drive(ann, e.Next().Start().Add(time.Hour), 1))
	b.now = e.Next().End().Add(72 * time.Hour)
	b.close(e.Next())
	b.verify(e.Next(), b.read(e))
	if a := b.allocations(e.Next())[ben]; a.Escrow != 0 || a.Corrected != 0 {
		t.Errorf("the bond is not forfeited: %+v", a)
	}
}

// Whoever can write to the database cannot be paid by it.
func TestRowsChangedByHandPayNobody(t *testing.T) {
	testkit.Engines(t, rowsChangedByHandPayNobody)
}

func rowsChangedByHandPayNobody(t *testing.T, db *state.DB) {
	b := newBenchOn(t, db)
	start := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	e := survey.EpochOf(start)
	b.now = start
	if _, err := b.w.Enrol(b.ctx, ben, "", "operator:anna", "city van"); err != nil {
		t.Fatal(err)
	}
	const cat, dan = "c0000000000000000000000000000003", "d0000000000000000000000000000004"
	b.exec(`INSERT INTO contributors (id, payout_address, created_at) VALUES ('` + cat + `', '', 1), ('` + dan + `', '', 1)`)
	if err := b.w.Sponsor(b.ctx, ben, cat); err != nil {
		t.Fatal(err)
	}
	b.apart(b.drive(ben, start.Add(time.Hour), 3))
	b.apart(b.drive(ann, start.Add(2*time.Hour), 3))
	b.now = e.End().Add(72 * time.Hour)
	b.close(e)
	b.verify(e, nil)
	// Frames of a doubted drive, and a correction, for the next epoch.
	next := e.Next()
	late := b.apart(b.drive(ben, next.Start().Add(time.Hour), 3))
	b.exec(`INSERT INTO findings (drive_id, kind, score_ppm, evidence, found_at) VALUES ($1, 'two_places', 900000, '{}', 1)`, late)
	if err := b.w.Adjust(b.ctx, record.Correction{ID: "fix", Contributor: ben, Epoch: e.String(), Amount: 5, Reason: "counted wrong", DecidedBy: "admin:root"}); err != nil {
		t.Fatal(err)
	}
	b.now = next.End().Add(72 * time.Hour)
	// In the order in which a close freezes its inputs: what is frozen is not asked for again.
	for _, c := range []struct{ what, by, undo string }{
		{"an enrolment", `INSERT INTO reward_enrolled (contributor_id, enrolled_by, reason, enrolled_at) VALUES ('` + ann + `', 'operator:anna', 'x', 1)`,
			`DELETE FROM reward_enrolled WHERE contributor_id = '` + ann + `'`},
		{"an enrolment that goes on", `UPDATE reward_enrolled SET enrolled_at = enrolled_at - 1 WHERE contributor_id = '` + ben + `'`,
			`UPDATE reward_enrolled SET enrolled_at = enrolled_at + 1 WHERE contributor_id = '` + ben + `'`},
		{"a release", `INSERT INTO reward_holds (drive_id, contributor_id, state, evidence, opened_at, deadline_at, reason, decided_by, decided_at) VALUES ('` + late + `', '` + ben + `', 'cleared', '[]', 1, 1, 'x', 'operator:anna', 1)`,
			`DELETE FROM reward_holds WHERE drive_id = '` + late + `'`},
		{"a newcomer", `INSERT INTO reward_sponsors (newcomer_id, sponsor_id, since, signed_by) VALUES ('` + dan + `', '` + ben + `', 1, 'sponsor:` + ben + `')`,
			`DELETE FROM reward_sponsors WHERE newcomer_id = '` + dan + `'`},
		{"another newcomer", `UPDATE reward_sponsors SET newcomer_id = '` + dan + `'`, `UPDATE reward_sponsors SET newcomer_id = '` + cat + `'`},
		{"a correction", `INSERT INTO corrections (id, contributor_id, epoch, kind, amount, reason, decided_by, created_at) VALUES ('mine', '` + ann + `', '` + e.String() + `', 'adjust', 1000, 'x', 'admin:root', 1)`,
			`DELETE FROM corrections WHERE id = 'mine'`},
		{"an amount", `UPDATE corrections SET amount = 500 WHERE id = 'fix'`, `UPDATE corrections SET amount = 5 WHERE id = 'fix'`},
		{"a role", `UPDATE corrections SET decided_by = 'operator:root' WHERE id = 'fix'`, `UPDATE corrections SET decided_by = 'admin:root' WHERE id = 'fix'`},
	} {
		b.exec(c.by)
		if err := b.w.Close(b.ctx, next); survey.KindOf(err) != survey.Unauthorized {
			t.Errorf("%s by hand: %v", c.what, err)
		}
		if us, err := b.w.Sign(b.ctx, "admin:root", true); err != nil || len(us) != 1 {
			t.Errorf("%s by hand is listed as %v: %v", c.what, us, err)
		}
		b.exec(c.undo)
	}
	m := b.close(next)
	b.verify(next, b.read(e))
	if m.Corrected != 5 {
		t.Errorf("corrected %d", int64(m.Corrected))
	}
	if _, ok := signersOf(t, b.file(next, record.SignersName))[record.RoleSponsor]; !ok {
		t.Error("the key that sponsors' words are signed with is not published")
	}
	// An end takes the signature with it: the row cannot be taken up again by hand.
	if err := b.w.Unsponsor(b.ctx, ben, cat); err != nil {
		t.Fatal(err)
	}
	b.exec(`UPDATE reward_sponsors SET ended_at = 0`)
	if us, err := b.w.Sign(b.ctx, "admin:root", true); err != nil || len(us) != 1 {
		t.Errorf("a sponsorship that ended and goes on by hand: %v %v", us, err)
	}
	b.exec(`UPDATE reward_sponsors SET ended_at = 1`)
	// A role that decides nothing has no key.
	if err := b.w.Decide(b.ctx, survey.DriveID(late), true, "auditor:eve", "mine"); survey.KindOf(err) != survey.Unauthorized {
		t.Errorf("an auditor: %v", err)
	}
	// What was decided before there were signatures is signed once somebody answers for it.
	b.exec(`UPDATE reward_enrolled SET signature = ''`)
	if us, err := b.w.Sign(b.ctx, "admin:root", false); err != nil || len(us) != 1 {
		t.Errorf("%v %v", us, err)
	}
	if us, err := b.w.Sign(b.ctx, "admin:root", false); err != nil || len(us) != 0 {
		t.Errorf("%v %v", us, err)
	}
}

// A large network's close takes longer than a job otherwise may. It ends once, and nobody else begins it meanwhile.
func TestACloseThatOutlastsOtherJobsEndsOnce(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		b := newBenchOn(t, db)
		b.drive(ann, monday.Add(10*time.Hour), 3)
		const most = 50 * time.Millisecond // of a job that is not long lasting
		began, cut, closed := 0, make(chan error, 1), make(chan error, 1)
		worker.SetFault(&b.w, func(step string) error {
			if step == "half booked" { // within the transaction
				time.Sleep(6 * most)
			}
			return nil
		})
		h := state.NewHandlers(nil)
		state.Handle(h, func(ctx context.Context, a state.CloseArgs) error {
			began++
			err := b.w.Close(ctx, a.Epoch)
			closed <- err
			return err
		})
		state.Handle(h, func(ctx context.Context, _ state.IndexArgs) error {
			<-ctx.Done()
			select {
			case cut <- context.Cause(ctx):
			default: // a later attempt
			}
			return nil
		})
		for _, args := range []interface{ Kind() string }{state.IndexArgs{DriveID: "slow"}, state.CloseArgs{Epoch: epoch}, state.CloseArgs{Epoch: epoch}} {
			if err := db.Tx(b.ctx, func(tx *state.Tx) error { return tx.Enqueue(b.ctx, args) }); err != nil {
				t.Fatal(err)
			}
		}
		w, err := db.NewWorker(h, state.JobConfig{Default: 2, Poll: 10 * time.Millisecond, Timeout: most}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Start(context.WithoutCancel(b.ctx)); err != nil {
			t.Fatal(err)
		}
		if err := <-cut; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("another job was ended by %v", err)
		}
		if err := <-closed; err != nil {
			t.Errorf("the close: %v", err)
		}
		if err := w.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		if n := b.count(`SELECT COUNT(*) FROM epochs`); n != 1 || began != 1 {
			t.Errorf("%d epochs closed in %d attempts", n, began)
		}
		if n := b.count(`SELECT COUNT(*) FROM river_job WHERE kind = 'close' AND state = 'completed' AND attempt = 1`); n != 1 {
			t.Errorf("%d closes are written down as ended at the first attempt", n)
		}
		b.verify(epoch, nil)
	})
}

func signersOf(t *testing.T, b []byte) map[string]string {
	t.Helper()
	var in []struct{ Role, Ed25519 string }
	if err := json.Unmarshal(b, &in); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, s := range in {
		out[s.Role] = s.Ed25519
	}
	return out
}
