// Package worker closes epochs: it freezes what counts, has package record decide it, publishes the files with the
// manifest last, and books the result in state in one transaction.
//
// The inputs of an epoch are frozen by conditional PUTs under fixed names: the first writer of each file wins and
// everybody, also after a crash, reads it back. Outputs follow from inputs, so whoever finishes writes the same bytes.
// Until the transaction commits, the epoch is open; a crash anywhere leaves it open, and closing again completes it.
package worker

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards"
	"github.com/roadcomb/roadcomb/rewards/merkle"
	"github.com/roadcomb/roadcomb/rewards/record"
	"github.com/roadcomb/roadcomb/rewards/ruleset"
)

// Worker closes epochs. All fields but Log and Clock are needed.
type Worker struct {
	DB    *state.DB
	Store *store.Store
	Log   *slog.Logger     // nil: silent
	Clock func() time.Time // nil: time.Now
	// Screen reports which payout addresses must not be paid (sanctions, stolen keys); nil blocks none. What a blocked
	// address would get is booked to the contributor's reserve.
	Screen Screener
	// Regions gives the roads known in each H3 cell of a resolution, and how much of them was covered by frames received
	// in the given time; nil when no roads are known. A ruleset without regions does not ask.
	Regions func(ctx context.Context, resolution int, from, to time.Time) ([]rewards.Region, error)
	// AppealTime is how long a contributor has to appeal against a hold for a finding; 0 means 14 days.
	AppealTime time.Duration
	// Keys sign what is decided, and check it at a close. A ruleset that asks for signatures needs them.
	Keys Keys
	// Key is the network's own, which manifests are signed with; nil signs none.
	Key ed25519.PrivateKey
	// NewcomerTime is how long earnings wait that are held only because nobody vouches for them, or as a bond for a
	// newcomer; 0 means 26 weeks.
	NewcomerTime time.Duration

	// fault, in tests, dies at the named step of a close.
	fault func(step string) error
}

// at is called where a close may die.
func (w *Worker) at(step string) error {
	if w.fault == nil {
		return nil
	}
	return w.fault(step)
}

// Screener is the hook for payout screening; see HTTPScreen and ListScreen.
type Screener func(ctx context.Context, addrs []merkle.Address) (blocked map[merkle.Address]bool, err error)

// screen asks the hook. That it cannot answer stops the close, which is tried again: nobody is paid unscreened.
func (w *Worker) screen(ctx context.Context, addrs []merkle.Address) (map[merkle.Address]bool, error) {
	if w.Screen == nil || len(addrs) == 0 {
		return nil, nil
	}
	blocked, err := w.Screen(ctx, addrs)
	if err != nil {
		return nil, fmt.Errorf("payout screening: %w", err)
	}
	return blocked, nil
}

func (w *Worker) now() time.Time {
	if w.Clock != nil {
		return w.Clock()
	}
	return time.Now()
}

func (w *Worker) log() *slog.Logger {
	if w.Log != nil {
		return w.Log
	}
	return slog.New(slog.DiscardHandler)
}

// maxFile bounds one file of an epoch in memory.
const maxFile = 4 << 30

// OpenEpochs lists the epochs that may be closed at now, in the order in which they must be closed: from the one after
// the last closed (or the first with footage) to the last with footage. An epoch without footage is listed when it lies
// between. An epoch may be closed when its end has passed and either every upload completed before the end is settled
// and a later one has been seen, or the ruleset's cut-off has passed; what is published after that counts in the next.
func (w *Worker) OpenEpochs(ctx context.Context, now time.Time) ([]survey.Epoch, error) {
	next, any, err := w.next(ctx)
	if err != nil {
		return nil, err
	}
	var first, last, n int64
	if err := w.DB.QueryRow(ctx, `SELECT COALESCE(MIN(received_at), 0), COALESCE(MAX(received_at), 0), COUNT(*) FROM frames
		WHERE state = 'published' AND NOT EXISTS (SELECT 1 FROM reward_frames r WHERE r.frame_id = frames.id)`).Scan(&first, &last, &n); err != nil {
		return nil, fmt.Errorf("open epochs: %w", err)
	}
	if n == 0 {
		return nil, nil
	}
	if !any {
		next = survey.EpochOf(state.Time(first))
	}
	end := survey.EpochOf(state.Time(last))
	if end.Number() < next.Number() {
		end = next // only late frames of closed epochs
	}
	var out []survey.Epoch
	for e := next; e.Number() <= end.Number(); e = e.Next() {
		if ok, err := w.over(ctx, e, now); err != nil || !ok {
			return out, err
		}
		out = append(out, e)
	}
	return out, nil
}

// next is the epoch after the last closed one; any is false when none is closed.
func (w *Worker) next(ctx context.Context) (e survey.Epoch, any bool, err error) {
	var last string
	if err := w.DB.QueryRow(ctx, `SELECT COALESCE(MAX(epoch), '') FROM epochs`).Scan(&last); err != nil {
		return e, false, fmt.Errorf("last closed epoch: %w", err)
	}
	if last == "" {
		return e, false, nil
	}
	if e, err = survey.ParseEpoch(last); err != nil {
		return e, false, err
	}
	return e.Next(), true, nil
}

func (w *Worker) over(ctx context.Context, e survey.Epoch, now time.Time) (bool, error) {
	rs, _, err := ruleset.For(e)
	if err != nil {
		return false, err
	}
	if now.Before(e.End()) {
		return false, nil
	}
	if !now.Before(e.End().Add(time.Duration(rs.CutoffSeconds) * time.Second)) {
		return true, nil
	}
	var unsettled, later int64
	err = w.DB.QueryRow(ctx, `SELECT
		COALESCE(SUM(CASE WHEN completed_at < $1 AND state IN ('uploaded', 'ingested') THEN 1 ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN completed_at >= $1 THEN 1 ELSE 0 END), 0)
		FROM uploads WHERE completed_at > 0`, state.Micros(e.End())).Scan(&unsettled, &later)
	return unsettled == 0 && later > 0, err
}

// Close closes the epoch. Closing a closed epoch changes nothing. An epoch that is not over, or not the next in order,
// is a Conflict.
func (w *Worker) Close(ctx context.Context, e survey.Epoch) error {
	if err := w.close(ctx, e); err != nil {
		return fmt.Errorf("close epoch %s: %w", e, err)
	}
	return nil
}

func (w *Worker) close(ctx context.Context, e survey.Epoch) error {
	closed, previous, err := w.position(ctx, e)
	if err != nil || closed {
		return err
	}
	ok, err := w.over(ctx, e, w.now())
	if err != nil {
		return err
	}
	if !ok {
		return survey.Errorf(survey.Conflict, "the epoch is not over").WithHint("it ends %s and closes when its uploads are settled or its cut-off has passed", e.End().Format(time.RFC3339))
	}
	inputs, in, err := w.freeze(ctx, e)
	if err != nil {
		return err
	}
	out, err := in.Compute()
	if err != nil {
		return err
	}
	outputs, err := out.OutputFiles()
	if err != nil {
		return err
	}
	for _, name := range record.OutputNames() {
		if b, ok := outputs[name]; ok {
			if err := w.publish(ctx, e, name, b); err != nil {
				return err
			}
		}
	}
	m := record.NewManifest(in, out, previous, inputs, outputs)
	b, err := m.Encode()
	if err != nil {
		return err
	}
	// Before the manifest, which makes the epoch visible.
	if w.Key != nil {
		if err := w.publish(ctx, e, record.SignatureName, record.Sign(b, w.Key)); err != nil {
			return err
		}
	}
	if err := w.publish(ctx, e, record.ManifestName, b); err != nil {
		return err
	}
	if err := w.book(ctx, in, out, m, survey.HashOf(b)); err != nil {
		return err
	}
	if err := w.at("booked"); err != nil {
		return err
	}
	if err := w.signEarlier(ctx, e); err != nil {
		return err
	}
	w.log().Info("epoch closed", "epoch", e.String(), "contributions", m.Contributions, "contributors", m.Contributors, "allocated", m.Total.Allocated.String(), "root", m.Root)
	return nil
}

// signEarlier signs the manifests of closed epochs before e that bear no signature, from the latest back to one that does:
// they were closed where the network's key was not at hand, or before manifests were signed.
func (w *Worker) signEarlier(ctx context.Context, e survey.Epoch) error {
	if w.Key == nil {
		return nil
	}
	type closed struct{ epoch, hash string }
	es, err := query(ctx, w.DB, func(scan func(...any) error) (c closed, err error) {
		return c, scan(&c.epoch, &c.hash)
	}, `SELECT epoch, manifest_sha256 FROM epochs WHERE epoch < $1 ORDER BY epoch DESC`, e.String())
	if err != nil {
		return err
	}
	for _, c := range es {
		before, err := survey.ParseEpoch(c.epoch)
		if err != nil {
			return err
		}
		if _, err = w.Store.Stat(ctx, store.Ledger, store.EpochKey(before, record.SignatureName)); err == nil {
			return nil
		}
		if survey.KindOf(err) != survey.NotFound {
			return err
		}
		text, _, err := w.Store.Get(ctx, store.Ledger, store.EpochKey(before, record.ManifestName), maxFile)
		if err != nil {
			return err
		}
		if survey.HashOf(text).String() != c.hash {
			return survey.Errorf(survey.Conflict, "the manifest of epoch %s is not the one that was booked, whose SHA-256 is %s", c.epoch, c.hash).WithHint("restore the ledger from a backup")
		}
		if err := w.publish(ctx, before, record.SignatureName, record.Sign(text, w.Key)); err != nil {
			return err
		}
		w.log().Info("an earlier epoch is signed", "epoch", c.epoch)
	}
	return nil
}

// position tells whether e is closed already and, if it is the next in order, the hash of the manifest before it.
func (w *Worker) position(ctx context.Context, e survey.Epoch) (closed bool, previous survey.Hash, err error) {
	next, any, err := w.next(ctx)
	if err != nil || !any {
		return false, previous, err
	}
	if e.Number() < next.Number() {
		var n int64
		if err := w.DB.QueryRow(ctx, `SELECT COUNT(*) FROM epochs WHERE epoch = $1`, e.String()).Scan(&n); err != nil {
			return false, previous, err
		}
		if n == 0 {
			return false, previous, survey.Errorf(survey.Conflict, "it lies before the first closed epoch").WithHint("its footage counts in %s", next)
		}
		return true, previous, nil
	}
	if e != next {
		return false, previous, survey.Errorf(survey.Conflict, "epoch %s is still open", next).WithHint("close it first")
	}
	var h string
	if err := w.DB.QueryRow(ctx, `SELECT manifest_sha256 FROM epochs ORDER BY epoch DESC LIMIT 1`).Scan(&h); err != nil {
		return false, previous, err
	}
	previous, err = survey.ParseHash(h)
	return false, previous, err
}

// freeze gives the input files of the epoch: those that exist as they are, the others from state, each once and for
// all. Later files are made from the rows of earlier ones, so that a mixture of two attempts is still consistent.
func (w *Worker) freeze(ctx context.Context, e survey.Epoch) (record.Files, record.Inputs, error) {
	f, in := record.Files{}, record.Inputs{Epoch: e}
	for _, name := range record.InputNames() {
		mine := false // written here just now, and large: it need not be read back
		b, _, err := w.Store.Get(ctx, store.Ledger, store.EpochKey(e, name), maxFile)
		if err != nil && survey.KindOf(err) == survey.NotFound {
			if err := w.gather(ctx, name, &in); err != nil {
				return nil, in, fmt.Errorf("gather %s: %w", name, err)
			}
			in.Sort()
			if err := w.signed(ctx, name, in); err != nil {
				return nil, in, err
			}
			if b, err = in.EncodeInput(name); err != nil {
				return nil, in, err
			}
			if err := w.at("before " + name); err != nil {
				return nil, in, err
			}
			_, err = w.Store.Create(ctx, store.Ledger, store.EpochKey(e, name), b, mediaType(name))
			mine = err == nil && name == record.ContributionsName
			if errors.Is(err, store.ErrExists) {
				b, _, err = w.Store.Get(ctx, store.Ledger, store.EpochKey(e, name), maxFile)
			}
		}
		if err != nil {
			return nil, in, err
		}
		// What was written first is what counts, also when it is not what was gathered here.
		if !mine {
			if err := in.DecodeInput(name, b); err != nil {
				return nil, in, err
			}
		}
		f[name] = b
		if err := w.at("after " + name); err != nil {
			return nil, in, err
		}
	}
	return f, in, nil
}

// signed refuses what was decided without its role's signature before it is frozen, so that the close can go on once
// somebody has looked.
func (w *Worker) signed(ctx context.Context, name string, in record.Inputs) error {
	if name != record.DrivesName && name != record.DecisionsName && name != record.SponsorsName && name != record.CorrectionsName {
		return nil
	}
	rs, err := ruleset.Parse(in.Ruleset)
	if err != nil {
		return err
	}
	in.Signers = w.Keys.Signers()
	if name == record.DrivesName { // the decisions are read with the drives, so that both are of one mind
		if err := w.checkEnrolled(ctx, rs); err != nil {
			return err
		}
		in.Decisions = nil
		if err := w.gather(ctx, record.DecisionsName, &in); err != nil {
			return err
		}
	}
	if rs.Trust.Signed && len(in.Decisions)+len(in.Sponsors)+len(in.Corrections) > 0 {
		if err := w.Keys.check(); err != nil {
			return err
		}
	}
	return in.CheckSigned(rs)
}

// gather reads the rows of one input from state.
func (w *Worker) gather(ctx context.Context, name string, in *record.Inputs) (err error) {
	switch name {
	case record.RulesetName:
		_, in.Ruleset, err = ruleset.For(in.Epoch)
	case record.ContributionsName:
		in.Contributions, err = w.contributions(ctx, in.Epoch)
	case record.DrivesName:
		if in.Drives, err = w.drives(ctx, in.Contributions.Drives()); err == nil {
			err = in.Derive()
		}
	case record.SignersName:
		// Only those that signed something here: an epoch without decisions has the same bytes on every network.
		all := w.Keys.Signers()
		in.Signers = record.Signers{}
		use := func(decidedBy string) {
			if role := record.RoleOf(decidedBy); all[role] != "" {
				in.Signers[role] = all[role]
			}
		}
		for _, d := range in.Decisions {
			use(d.DecidedBy)
		}
		for _, c := range in.Corrections {
			use(c.DecidedBy)
		}
		for _, s := range in.Sponsors {
			use(s.SignedBy)
		}
	case record.DecisionsName:
		err = each(in.Contributions.Drives(), func(marks string, args []any) error {
			ds, err := decided(ctx, w.DB, "drive_id IN ("+marks+")", args...)
			in.Decisions = append(in.Decisions, ds...)
			return err
		})
	case record.PriorName:
		in.Prior, err = w.prior(ctx, in.Contributions.Cells())
	case record.SpendName:
		in.Spend, err = query(ctx, w.DB, func(scan func(...any) error) (s rewards.Spend, err error) {
			return s, scan(&s.Cell, &s.Amount)
		}, `SELECT s.cell, s.n - COALESCE(b.amount, 0) FROM (SELECT cell, CAST(SUM(amount) AS BIGINT) AS n FROM reward_spend WHERE at < $1 GROUP BY cell) s
			LEFT JOIN reward_spend_booked b ON b.cell = s.cell WHERE s.n > COALESCE(b.amount, 0)`, state.Micros(in.Epoch.End()))
	case record.OrdersName:
		in.Orders, err = query(ctx, w.DB, func(scan func(...any) error) (o rewards.Order, err error) {
			return o, scan(&o.ID, &o.Cell, &o.Price, &o.Opens, &o.Closes)
		}, `SELECT id, cell, price, opens_at, closes_at FROM work_orders WHERE state = 'open' AND opens_at < $1`, state.Micros(in.Epoch.End()))
	case record.ReviewsName:
		in.Reviews, err = query(ctx, w.DB, func(scan func(...any) error) (r rewards.Review, err error) {
			return r, scan(&r.Contributor, &r.Points)
		}, `SELECT s.contributor_id, s.n - COALESCE(b.points, 0) FROM (SELECT contributor_id, CAST(SUM(points) AS BIGINT) AS n FROM reward_reviews WHERE at < $1 GROUP BY contributor_id) s
			LEFT JOIN reward_reviews_booked b ON b.contributor_id = s.contributor_id WHERE s.n > COALESCE(b.points, 0)`, state.Micros(in.Epoch.End()))
	case record.RegionsName:
		if w.Regions != nil {
			in.Regions, err = w.regions(ctx, in)
		}
	case record.SponsorsName:
		in.Sponsors, err = sponsorships(ctx, w.DB)
	case record.CorrectionsName:
		in.Corrections, err = unapplied(ctx, w.DB)
	case record.AccountsName:
		in.Accounts, err = w.accounts(ctx, in)
	default:
		err = fmt.Errorf("no input is called %q", name)
	}
	return err
}

// regionTime is how long coverage of a road counts towards a region's progress.
const regionTime = 28 * 24 * time.Hour

func (w *Worker) regions(ctx context.Context, in *record.Inputs) ([]rewards.Region, error) {
	rs, err := ruleset.Parse(in.Ruleset)
	if err != nil || rs.Regions == nil {
		return nil, err
	}
	return w.Regions(ctx, rs.Regions.Resolution, in.Epoch.End().Add(-regionTime), in.Epoch.End())
}

// query reads all rows of a statement.
func query[T any](ctx context.Context, q state.Querier, row func(scan func(...any) error) (T, error), sql string, args ...any) ([]T, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := row(rows.Scan)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// contributions are the published frames received before the end of the epoch that no closed epoch has counted.
func (w *Worker) contributions(ctx context.Context, e survey.Epoch) (out record.Contributions, err error) {
	rows, err := w.DB.Query(ctx, `SELECT id, drive_id, cell, captured_at, received_at, heading_mdeg, quality_ppm FROM frames
		WHERE state = 'published' AND received_at < $1 AND NOT EXISTS (SELECT 1 FROM reward_frames r WHERE r.frame_id = frames.id)`, state.Micros(e.End()))
	if err != nil {
		return out, err
	}
	defer rows.Close()
	for rows.Next() {
		var c record.Contribution
		var cell, captured, received, heading, quality int64
		if err := rows.Scan(&c.Frame, &c.Drive, &cell, &captured, &received, &heading, &quality); err != nil {
			return out, err
		}
		c.Cell, c.CapturedAt, c.ReceivedAt, c.Quality = survey.Cell(cell), state.Time(captured), state.Time(received), int32(quality)
		if c.Heading = -1; heading >= 0 {
			c.Heading = int32(heading / 1000 % 360)
		}
		if err := out.Add(c); err != nil {
			return out, err
		}
	}
	return out, rows.Err()
}

// batch is how many ids one statement names.
const batch = 500

// each calls fn with placeholders "$1, $2, …" and arguments for successive batches of xs.
func each[T any](xs []T, fn func(marks string, args []any) error) error {
	for len(xs) > 0 {
		n := min(batch, len(xs))
		var b bytes.Buffer
		args := make([]any, n)
		for i, x := range xs[:n] {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "$%d", i+1)
			args[i] = x
		}
		if err := fn(b.String(), args); err != nil {
			return err
		}
		xs = xs[n:]
	}
	return nil
}

func distinct[T comparable](n int, at func(int) T) []T {
	seen := make(map[T]bool)
	var out []T
	for i := range n {
		if x := at(i); !seen[x] {
			seen[x] = true
			out = append(out, x)
		}
	}
	return out
}

// KindOffRoads is the doubt about a drive that was matched to the known roads and mostly is on none: the share of its
// usable fixes without a road, from 20 on. Innocent: a new street, a car park, a yard.
const KindOffRoads = "off_roads"

func (w *Worker) drives(ctx context.Context, ids []string) ([]rewards.Drive, error) {
	var out []rewards.Drive
	err := each(ids, func(marks string, args []any) error {
		ds, err := drivesIn(ctx, w.DB, marks, args)
		out = append(out, ds...)
		return err
	})
	return out, err
}

// drivesIn reads drives with what speaks against them and for them, and with what was decided.
func drivesIn(ctx context.Context, q state.Querier, marks string, args []any) ([]rewards.Drive, error) {
	at := map[string]int{}
	out, err := query(ctx, q, func(scan func(...any) error) (d rewards.Drive, err error) {
		var state string
		err = scan(&d.ID, &d.Contributor, &state)
		if state == HoldCleared || state == HoldConfirmed {
			d.Decision = rewards.Decision(state)
		}
		return d, err
	}, `SELECT d.id, d.contributor_id, COALESCE(h.state, '') FROM drives d LEFT JOIN reward_holds h ON h.drive_id = d.id WHERE d.id IN (`+marks+`)`, args...)
	if err != nil {
		return nil, err
	}
	for i, d := range out {
		at[string(d.ID)] = i
	}
	type found struct {
		drive string
		rewards.Finding
	}
	scan := func(scan func(...any) error) (f found, err error) { return f, scan(&f.drive, &f.Kind, &f.Score) }
	fs, err := query(ctx, q, scan, `SELECT drive_id, kind, MAX(score_ppm) FROM findings WHERE drive_id IN (`+marks+`) GROUP BY drive_id, kind
		UNION ALL SELECT drive_id, '`+KindOffRoads+`', (used - matched) * 1000000 / used FROM road_matches WHERE used >= 20 AND matched < used AND drive_id IN (`+marks+`)
		ORDER BY 1, 2`, args...)
	if err != nil {
		return nil, err
	}
	for _, f := range fs {
		d := &out[at[f.drive]]
		d.Findings = append(d.Findings, f.Finding)
	}
	vs, err := query(ctx, q, scan, `SELECT drive_id, kind, score_ppm FROM drive_vouchers WHERE drive_id IN (`+marks+`)
		UNION SELECT d.id, '`+rewards.KindEnrolled+`', 1000000 FROM drives d JOIN uploads u ON u.id = d.upload_id
			JOIN reward_enrolled e ON e.contributor_id = d.contributor_id AND (e.device_key = '' OR e.device_key = u.device_key)
				AND (e.revoked_at = 0 OR u.completed_at < e.revoked_at) WHERE d.id IN (`+marks+`)
		ORDER BY 1, 2`, args...)
	if err != nil {
		return nil, err
	}
	for _, v := range vs {
		d := &out[at[v.drive]]
		d.Vouchers = append(d.Vouchers, v.Finding)
	}
	return out, nil
}

func (w *Worker) prior(ctx context.Context, cells []rewards.Prior) ([]rewards.Prior, error) {
	var out []rewards.Prior
	err := each(distinct(len(cells), func(i int) int64 { return cells[i].Cell.Int64() }), func(marks string, args []any) error {
		ps, err := query(ctx, w.DB, func(scan func(...any) error) (p rewards.Prior, err error) {
			return p, scan(&p.Cell, &p.ReceivedAt)
		}, `SELECT cell, received_at FROM reward_cells WHERE cell IN (`+marks+`)`, args...)
		out = append(out, ps...)
		return err
	})
	return out, err
}

// accounts are all accounts of earlier epochs and the current one of each contributor that has any, or that the epoch's
// other inputs name.
func (w *Worker) accounts(ctx context.Context, in *record.Inputs) ([]record.Account, error) {
	type key struct {
		c string
		a merkle.Address
	}
	at := map[key]int{}
	var out []record.Account
	get := func(c string, a merkle.Address) *record.Account {
		k := key{c, a}
		if _, ok := at[k]; !ok {
			at[k] = len(out)
			out = append(out, record.Account{Contributor: survey.ContributorID(c), Address: a})
		}
		return &out[at[k]]
	}
	type booked struct {
		c, address string
		n          int64
	}
	bs, err := query(ctx, w.DB, func(scan func(...any) error) (b booked, err error) {
		return b, scan(&b.c, &b.address, &b.n)
	}, `SELECT contributor_id, address, cumulative FROM reward_accounts ORDER BY contributor_id, address`)
	if err != nil {
		return nil, err
	}
	var owners []string
	for _, b := range bs {
		a, err := address(b.address)
		if err != nil {
			return nil, err
		}
		get(b.c, a).Before = survey.Amount(b.n)
		owners = append(owners, b.c)
	}
	for _, d := range in.Drives {
		owners = append(owners, string(d.Contributor))
	}
	for _, r := range in.Reviews {
		owners = append(owners, string(r.Contributor))
	}
	for _, c := range in.Corrections {
		owners = append(owners, c.Contributor)
	}
	type owner struct {
		id, address  string
		escrow, debt int64
	}
	err = each(distinct(len(owners), func(i int) string { return owners[i] }), func(marks string, args []any) error {
		os, err := query(ctx, w.DB, func(scan func(...any) error) (o owner, err error) {
			return o, scan(&o.id, &o.address, &o.escrow, &o.debt)
		}, `SELECT c.id, c.payout_address, COALESCE(b.escrow, 0), COALESCE(b.debt, 0) FROM contributors c
			LEFT JOIN reward_balances b ON b.contributor_id = c.id WHERE c.id IN (`+marks+`) ORDER BY c.id`, args...)
		if err != nil {
			return err
		}
		addrs := make([]merkle.Address, len(os))
		for i, o := range os {
			if addrs[i], err = address(o.address); err != nil {
				return fmt.Errorf("contributor %s: %w", o.id, err)
			}
		}
		blocked, err := w.screen(ctx, addrs)
		if err != nil {
			return err
		}
		for i, o := range os {
			if blocked[addrs[i]] { // earns, but into the reserve until the address is clear or another is set
				addrs[i] = merkle.Address{}
			}
			a := get(o.id, addrs[i])
			a.Current, a.Escrow, a.Debt = true, survey.Amount(o.escrow), survey.Amount(o.debt)
		}
		return nil
	})
	return out, err
}

func address(text string) (merkle.Address, error) {
	if text == "" {
		return merkle.Address{}, nil
	}
	return merkle.ParseAddress(text)
}

func mediaType(name string) string {
	if strings.HasSuffix(name, ".json") || name == record.SignatureName {
		return "application/json"
	}
	return lake.MediaType
}

// publish writes an output. One that is there with other bytes was left by an attempt that did not finish under an
// older version of the program; nothing refers to it while the epoch is open, so it is replaced.
func (w *Worker) publish(ctx context.Context, e survey.Epoch, name string, b []byte) error {
	if err := w.at("before " + name); err != nil {
		return err
	}
	key := store.EpochKey(e, name)
	_, err := w.Store.Create(ctx, store.Ledger, key, b, mediaType(name))
	if err == nil {
		return w.at("after " + name)
	}
	if !errors.Is(err, store.ErrExists) {
		return err
	}
	old, info, err := w.Store.Get(ctx, store.Ledger, key, maxFile)
	if err != nil || bytes.Equal(old, b) {
		return err
	}
	_, err = w.Store.Swap(ctx, store.Ledger, key, b, mediaType(name), info.ETag)
	return err
}

// book records the epoch in state, all of it or nothing.
func (w *Worker) book(ctx context.Context, in record.Inputs, out record.Outcome, m record.Manifest, hash survey.Hash) error {
	e := in.Epoch.String()
	return w.DB.Tx(ctx, func(tx *state.Tx) error {
		var n int64
		if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM epochs WHERE epoch = $1`, e).Scan(&n); err != nil || n > 0 {
			return err // another worker was faster, with the same bytes
		}
		if _, err := tx.Exec(ctx, `INSERT INTO epochs (epoch, ruleset, manifest_sha256, root, pool, allocated, held, remainder, contributions, contributors, closed_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`, e, m.Ruleset, hash.String(), m.Root, int64(m.Total.In), int64(m.Total.Allocated), int64(m.Total.Held),
			int64(m.Total.Remainder), int64(m.Contributions), int64(m.Contributors), state.Micros(w.now())); err != nil {
			return err
		}
		var rows [][]any
		for _, a := range out.Result.Allocations {
			rows = append(rows, []any{e, string(a.Contributor), int64(a.Amount), int64(a.Held), a.Frames, a.Cells})
		}
		if err := insert(ctx, tx, `INSERT INTO allocations (epoch, contributor_id, amount, held, frames, cells) VALUES `, ``, rows); err != nil {
			return err
		}
		rows = rows[:0]
		for _, a := range out.Accounts {
			text := ""
			if a.Address != (merkle.Address{}) {
				text = a.Address.String()
			}
			rows = append(rows, []any{string(a.Contributor), text, int64(a.Before)})
		}
		if err := insert(ctx, tx, `INSERT INTO reward_accounts (contributor_id, address, cumulative) VALUES `,
			` ON CONFLICT (contributor_id, address) DO UPDATE SET cumulative = excluded.cumulative`, rows); err != nil {
			return err
		}
		rows = rows[:0]
		for i, a := range out.Allocations {
			if out.Accounts[i].Current {
				rows = append(rows, []any{a.Contributor, a.Escrow, a.Debt})
			}
		}
		if err := insert(ctx, tx, `INSERT INTO reward_balances (contributor_id, escrow, debt) VALUES `,
			` ON CONFLICT (contributor_id) DO UPDATE SET escrow = excluded.escrow, debt = excluded.debt`, rows); err != nil {
			return err
		}
		if err := w.at("half booked"); err != nil {
			return err
		}
		rows = rows[:0]
		for _, h := range out.Escrow {
			rows = append(rows, []any{e, string(h.Drive), int64(h.Amount)})
		}
		if err := insert(ctx, tx, `INSERT INTO reward_escrow (epoch, drive_id, amount) VALUES `, ``, rows); err != nil {
			return err
		}
		for _, h := range out.Hits {
			if h.State == rewards.HitOpen {
				continue
			}
			if _, err := tx.Exec(ctx, `UPDATE work_orders SET state = $3, epoch = $4 WHERE id = $1 AND cell = $2`, h.Order, h.Cell.Int64(), string(h.State), e); err != nil {
				return err
			}
		}
		for _, c := range in.Corrections {
			if _, err := tx.Exec(ctx, `UPDATE corrections SET applied_epoch = $2 WHERE id = $1`, c.ID, e); err != nil {
				return err
			}
		}
		for _, d := range in.Drives { // found by the close itself; kept with ingest's findings, as evidence
			for _, f := range d.Findings {
				if f.Kind != rewards.KindCompanion && f.Kind != rewards.KindContradicted {
					continue
				}
				if _, err := tx.Exec(ctx, `INSERT INTO findings (drive_id, kind, score_ppm, evidence, found_at) VALUES ($1, $2, $3, $4, $5)
					ON CONFLICT (drive_id, kind, subject) DO NOTHING`, string(d.ID), f.Kind, int64(f.Score), `{"epoch":"`+e+`"}`, state.Micros(w.now())); err != nil {
					return err
				}
			}
		}
		rows = rows[:0]
		carried := make(map[survey.Cell]bool, len(out.Carried))
		for _, s := range out.Carried {
			carried[s.Cell] = true
		}
		for _, s := range in.Spend {
			if !carried[s.Cell] {
				rows = append(rows, []any{s.Cell.Int64(), int64(s.Amount)})
			}
		}
		if err := insert(ctx, tx, `INSERT INTO reward_spend_booked (cell, amount) VALUES `,
			` ON CONFLICT (cell) DO UPDATE SET amount = reward_spend_booked.amount + excluded.amount`, rows); err != nil {
			return err
		}
		rows = rows[:0]
		for _, r := range in.Reviews {
			rows = append(rows, []any{string(r.Contributor), r.Points})
		}
		if err := insert(ctx, tx, `INSERT INTO reward_reviews_booked (contributor_id, points) VALUES `,
			` ON CONFLICT (contributor_id) DO UPDATE SET points = reward_reviews_booked.points + excluded.points`, rows); err != nil {
			return err
		}
		if err := w.openHolds(ctx, tx, in, out); err != nil {
			return err
		}
		rows = rows[:0]
		many := func(frame survey.FrameID) error { // rows of ten million frames at once would not fit into memory
			if rows = append(rows, []any{string(frame), e}); len(rows) < batch {
				return nil
			}
			err := insert(ctx, tx, `INSERT INTO reward_frames (frame_id, epoch) VALUES `, ``, rows)
			rows = rows[:0]
			return err
		}
		if err := in.Contributions.Frames(many); err != nil {
			return err
		}
		if err := insert(ctx, tx, `INSERT INTO reward_frames (frame_id, epoch) VALUES `, ``, rows); err != nil {
			return err
		}
		rows = rows[:0]
		for _, c := range in.Contributions.Cells() {
			rows = append(rows, []any{c.Cell.Int64(), c.ReceivedAt})
		}
		if err := insert(ctx, tx, `INSERT INTO reward_cells (cell, received_at) VALUES `,
			` ON CONFLICT (cell) DO UPDATE SET received_at = CASE WHEN excluded.received_at > reward_cells.received_at THEN excluded.received_at ELSE reward_cells.received_at END`, rows); err != nil {
			return err
		}
		return w.at("before the commit")
	})
}

// insert writes rows of equal width, many to a statement.
func insert(ctx context.Context, tx *state.Tx, head, tail string, rows [][]any) error {
	for len(rows) > 0 {
		n := min(batch, len(rows))
		var q bytes.Buffer
		q.WriteString(head)
		var args []any
		for i, r := range rows[:n] {
			if i > 0 {
				q.WriteString(", ")
			}
			q.WriteByte('(')
			for j, v := range r {
				if j > 0 {
					q.WriteString(", ")
				}
				args = append(args, v)
				fmt.Fprintf(&q, "$%d", len(args))
			}
			q.WriteByte(')')
		}
		q.WriteString(tail)
		if _, err := tx.Exec(ctx, q.String(), args...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}
