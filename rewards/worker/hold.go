package worker

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards"
	"github.com/roadcomb/roadcomb/rewards/record"
	"github.com/roadcomb/roadcomb/rewards/ruleset"
)

// States of a hold. It opens with the first close that holds something of the drive. The contributor may appeal until
// the deadline; without an appeal the hold is then confirmed. An appeal moves the deadline on by as much again, for the
// decision; without a decision the drive is then cleared, so that silence of the network never costs a driver.
//
// A drive that nobody vouches for, or that is a bond for a newcomer, is different: silence must not pay it either, or
// whoever invents drives would only have to wait. It needs no appeal while it waits for somebody to vouch, and an appeal,
// which asks the operator to look, keeps it waiting until somebody does.
const (
	HoldOpen      = "open"
	HoldAppealed  = "appealed"
	HoldCleared   = "cleared"
	HoldConfirmed = "confirmed"
)

func (w *Worker) appealTime() time.Duration {
	if w.AppealTime > 0 {
		return w.AppealTime
	}
	return 14 * 24 * time.Hour
}

func (w *Worker) newcomerTime() time.Duration {
	if w.NewcomerTime > 0 {
		return w.NewcomerTime
	}
	return 26 * 7 * 24 * time.Hour
}

// openHolds gives notice for each drive of which the epoch holds something.
func (w *Worker) openHolds(ctx context.Context, tx *state.Tx, in record.Inputs, out record.Outcome) error {
	if len(out.Escrow) == 0 {
		return nil
	}
	rs, err := ruleset.Parse(in.Ruleset)
	if err != nil {
		return err
	}
	drive := make(map[survey.DriveID]rewards.Drive, len(in.Drives))
	for _, d := range in.Drives {
		drive[d.ID] = d
	}
	bond := map[survey.DriveID]survey.ContributorID{} // drive → for whom
	for _, b := range out.Bonds {
		if b.Contributor != b.Newcomer {
			bond[b.Drive] = b.Newcomer
		}
	}
	now := w.now()
	for _, h := range out.Escrow {
		evidence, err := findings(ctx, tx, drive[h.Drive], rs.Trust, bond[h.Drive])
		if err != nil {
			return err
		}
		wait := w.appealTime()
		if _, doubted := rs.Trust.Doubted(drive[h.Drive]); !doubted {
			wait = w.newcomerTime()
		}
		if _, err := tx.Exec(ctx, `INSERT INTO reward_holds (drive_id, contributor_id, state, evidence, opened_at, deadline_at)
			VALUES ($1, $2, 'open', $3, $4, $5) ON CONFLICT (drive_id) DO NOTHING`,
			string(h.Drive), string(drive[h.Drive].Contributor), evidence, state.Micros(now), state.Micros(now.Add(wait))); err != nil {
			return err
		}
		// Decided while the epoch was being closed: what it held follows at once.
		if err := w.settleHold(ctx, tx, h.Drive); err != nil {
			return err
		}
	}
	return nil
}

// settleHold enters a correction for each epoch that holds something of a drive that is decided on. The id makes a
// second one for the same epoch impossible.
func (w *Worker) settleHold(ctx context.Context, tx *state.Tx, d survey.DriveID) error {
	ds, err := decided(ctx, tx, "drive_id = $1", string(d))
	if err != nil || len(ds) == 0 {
		return err
	}
	by := ds[0]
	if signers := w.Keys.Signers(); signers != nil {
		if err := signers.Check(by.Message(), by.DecidedBy, by.Signature); err != nil {
			return survey.Errorf(survey.Unauthorized, "the decision about drive %s: %w", d, err)
		}
	}
	kind := record.CorrectionForfeit
	if by.Decision == HoldCleared {
		kind = record.CorrectionRelease
	}
	type held struct {
		epoch  string
		amount int64
	}
	hs, err := query(ctx, tx, func(scan func(...any) error) (h held, err error) {
		return h, scan(&h.epoch, &h.amount)
	}, `SELECT epoch, amount FROM reward_escrow WHERE drive_id = $1 ORDER BY epoch`, string(d))
	if err != nil {
		return err
	}
	for _, h := range hs {
		id := survey.HashOf([]byte("hold:" + h.epoch + ":" + string(d))).String()[:32]
		c := record.Correction{ID: id, Contributor: by.Contributor, Epoch: h.epoch, Kind: string(kind), Amount: h.amount, Reason: by.Reason, Evidence: by.Evidence, DecidedBy: by.DecidedBy}
		if _, err := w.correct(ctx, tx, c); err != nil {
			return err
		}
	}
	return nil
}

// correct enters a correction, signed by the role that decided; one with the same id is left as it is.
func (w *Worker) correct(ctx context.Context, tx *state.Tx, c record.Correction) (changed int64, err error) {
	if c.Signature, err = w.Keys.sign(c.Message(), c.DecidedBy); err != nil {
		return 0, err
	}
	return tx.Exec(ctx, `INSERT INTO corrections (id, contributor_id, epoch, kind, amount, reason, evidence_sha256, decided_by, created_at, signature)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO NOTHING`, c.ID, c.Contributor, c.Epoch, c.Kind, c.Amount, c.Reason,
		c.Evidence, c.DecidedBy, state.Micros(w.now()), c.Signature)
}

// found is one reason for a hold.
type found struct {
	Kind     string          `json:"kind"`
	Score    int64           `json:"score"` // ppm
	Evidence json.RawMessage `json:"evidence"`
}

// waits reports whether the evidence of a hold names a reason that somebody must take away: silence never does. newcomer
// is for whom the drive is a bond, if it is one.
func waits(evidence string) (unvouched bool, newcomer survey.ContributorID, err error) {
	var fs []found
	if err := json.Unmarshal([]byte(evidence), &fs); err != nil {
		return false, "", survey.Errorf(survey.Internal, "evidence of a hold: %w", err)
	}
	for _, f := range fs {
		switch f.Kind {
		case rewards.KindUnvouched:
			unvouched = true
		case rewards.KindBond:
			var b struct {
				Newcomer survey.ContributorID `json:"newcomer"`
			}
			if err := json.Unmarshal(f.Evidence, &b); err != nil {
				return false, "", survey.Errorf(survey.Internal, "evidence of a bond: %w", err)
			}
			newcomer = b.Newcomer
		}
	}
	return unvouched, newcomer, nil
}

// findings is the evidence against a drive as JSON, what speaks for it, and for whom it is a bond. It names no other
// drive: that is another contributor's.
func findings(ctx context.Context, q state.Querier, d rewards.Drive, t rewards.Trust, newcomer survey.ContributorID) (string, error) {
	fs, err := query(ctx, q, func(scan func(...any) error) (f found, err error) {
		var text string
		err = scan(&f.Kind, &f.Score, &text)
		f.Evidence = json.RawMessage(text)
		return f, err
	}, `SELECT kind, score_ppm, evidence FROM findings WHERE drive_id = $1 ORDER BY kind, subject`, string(d.ID))
	if err != nil {
		return "", err
	}
	if !t.Vouched(d.Vouchers) {
		has := map[string]int64{}
		for _, v := range d.Vouchers {
			has[v.Kind] = int64(v.Score)
		}
		ev, err := json.Marshal(map[string]any{"needs_one_of": t.Vouchers, "has": has})
		if err != nil {
			return "", err
		}
		fs = append(fs, found{rewards.KindUnvouched, int64(survey.One), ev})
	}
	if newcomer != "" {
		ev, err := json.Marshal(map[string]any{"newcomer": newcomer})
		if err != nil {
			return "", err
		}
		fs = append(fs, found{rewards.KindBond, int64(survey.One), ev})
	}
	b, err := json.Marshal(fs)
	if err != nil {
		err = survey.Errorf(survey.Invalid, "evidence about drive %s is not JSON: %w", d.ID, err)
	}
	return string(b), err
}

// Appeal records the contributor's answer to a hold. After the deadline, or once decided, it is a Conflict.
func (w *Worker) Appeal(ctx context.Context, c survey.ContributorID, d survey.DriveID, text string) error {
	if text == "" || len(text) > 4000 {
		return survey.Errorf(survey.Invalid, "an appeal has 1 to 4000 bytes of text")
	}
	now := w.now()
	n, err := w.DB.Exec(ctx, `UPDATE reward_holds SET state = 'appealed', appeal = $3, deadline_at = $4
		WHERE drive_id = $1 AND contributor_id = $2 AND state = 'open' AND deadline_at > $5`,
		string(d), string(c), text, state.Micros(now.Add(w.appealTime())), state.Micros(now))
	if err == nil && n == 0 {
		err = survey.Errorf(survey.Conflict, "drive %s has no open hold of yours", d).WithHint("an appeal must come before the deadline, once")
	}
	return err
}

// Decide ends a hold: what closed epochs hold of the drive is released or forfeited by corrections that the next close
// books. by names the role and key that decided. Deciding twice the same way changes nothing; otherwise it is a
// Conflict, because the correction may be booked.
func (w *Worker) Decide(ctx context.Context, d survey.DriveID, clear bool, by, reason string) error {
	if by == "" || reason == "" {
		return survey.Errorf(survey.Invalid, "a decision needs who decided and why")
	}
	return w.DB.Tx(ctx, func(tx *state.Tx) error { return w.decide(ctx, tx, d, clear, by, reason) })
}

func (w *Worker) decide(ctx context.Context, tx *state.Tx, d survey.DriveID, clear bool, by, reason string) error {
	to := HoldConfirmed
	if clear {
		to = HoldCleared
	}
	var st, evidence, contributor string
	err := tx.QueryRow(ctx, `SELECT state, evidence, contributor_id FROM reward_holds WHERE drive_id = $1`, string(d)).Scan(&st, &evidence, &contributor)
	switch {
	case err == state.ErrNoRows:
		return survey.Errorf(survey.NotFound, "drive %s is not held", d)
	case err != nil:
		return err
	case st == to:
		return nil
	case st != HoldOpen && st != HoldAppealed:
		return survey.Errorf(survey.Conflict, "drive %s is already %s", d, st)
	}
	now := state.Micros(w.now())
	r := record.Decision{Drive: string(d), Contributor: contributor, Decision: to, Reason: reason, Evidence: survey.HashOf([]byte(evidence)).String(), DecidedBy: by, DecidedAt: state.Time(now)}
	signature, err := w.Keys.sign(r.Message(), by)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `UPDATE reward_holds SET state = $2, reason = $3, decided_by = $4, decided_at = $5, signature = $6 WHERE drive_id = $1`,
		string(d), to, reason, by, now, signature); err != nil {
		return err
	}
	if !clear { // a sponsor who was wrong about a newcomer no longer answers for them
		if _, newcomer, err := waits(evidence); err != nil {
			return err
		} else if newcomer != "" {
			if _, err := tx.Exec(ctx, `UPDATE reward_sponsors SET ended_at = $2, signature = '' WHERE newcomer_id = $1 AND ended_at = 0`, string(newcomer), state.Micros(w.now())); err != nil {
				return err
			}
		}
	}
	return w.settleHold(ctx, tx, d)
}

// Enrol records that the operator answers for a contributor's uploads, with a device key for those that it signed only.
// Holds that were open because nothing vouched for the drive, and for no other reason, are cleared. Enrolling again
// changes nothing. It gives how many holds were cleared.
func (w *Worker) Enrol(ctx context.Context, c survey.ContributorID, deviceKey, by, reason string) (cleared int, err error) {
	if by == "" || reason == "" {
		return 0, survey.Errorf(survey.Invalid, "an enrolment needs who answers and why")
	}
	if b, err := hex.DecodeString(deviceKey); err != nil || deviceKey != "" && len(b) != 32 {
		return 0, survey.Errorf(survey.Invalid, "device key %.70q is not 64 hex digits", deviceKey)
	}
	err = w.DB.Tx(ctx, func(tx *state.Tx) error {
		cleared = 0
		var n int64
		if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM contributors WHERE id = $1`, string(c)).Scan(&n); err != nil {
			return err
		}
		if n == 0 {
			return survey.Errorf(survey.NotFound, "there is no contributor %s", c)
		}
		now := state.Micros(w.now())
		signature, err := w.Keys.sign(record.EnrolmentMessage(c, deviceKey, by, reason, now, 0), by)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO reward_enrolled (contributor_id, device_key, enrolled_by, reason, enrolled_at, signature) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (contributor_id, device_key) DO UPDATE SET enrolled_by = excluded.enrolled_by, reason = excluded.reason, enrolled_at = excluded.enrolled_at,
				signature = excluded.signature, revoked_at = 0
			WHERE reward_enrolled.revoked_at <> 0 OR reward_enrolled.signature = ''`, string(c), deviceKey, by, reason, now, signature); err != nil {
			return err
		}
		held, err := query(ctx, tx, func(scan func(...any) error) (h string, err error) { return h, scan(&h) },
			`SELECT drive_id FROM reward_holds WHERE contributor_id = $1 AND state IN ('open', 'appealed') AND evidence NOT LIKE '%"`+rewards.KindBond+`"%' ORDER BY drive_id`, string(c))
		if err != nil {
			return err
		}
		if deviceKey == "" { // no newcomer any more: whoever answered for them has the bond back
			if err := w.endBonds(ctx, tx, c, by, reason); err != nil {
				return err
			}
		}
		return each(held, func(marks string, args []any) error {
			ds, err := drivesIn(ctx, tx, marks, args)
			if err != nil {
				return err
			}
			for _, d := range ds {
				rs, err := w.heldUnder(ctx, tx, d.ID)
				if err != nil {
					return err
				}
				if _, held := rs.Trust.Of(d); held {
					continue
				}
				if err := w.decide(ctx, tx, d.ID, true, by, "enrolled: "+reason); err != nil {
					return err
				}
				cleared++
			}
			return nil
		})
	})
	return cleared, err
}

// endBonds clears the holds that are bonds for a newcomer who is enrolled now, and ends the sponsorship.
func (w *Worker) endBonds(ctx context.Context, tx *state.Tx, c survey.ContributorID, by, reason string) error {
	n, err := tx.Exec(ctx, `UPDATE reward_sponsors SET ended_at = $2, signature = '' WHERE newcomer_id = $1 AND ended_at = 0`, string(c), state.Micros(w.now()))
	if err != nil {
		return err
	}
	if n == 0 { // a sponsorship that ended before may have left bonds
		var ever int64
		if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM reward_sponsors WHERE newcomer_id = $1`, string(c)).Scan(&ever); err != nil || ever == 0 {
			return err
		}
	}
	type hold struct{ drive, evidence string }
	hs, err := query(ctx, tx, func(scan func(...any) error) (h hold, err error) { return h, scan(&h.drive, &h.evidence) },
		`SELECT drive_id, evidence FROM reward_holds WHERE state IN ('open', 'appealed') AND evidence LIKE '%"`+rewards.KindBond+`"%' ORDER BY drive_id`)
	if err != nil {
		return err
	}
	for _, h := range hs {
		_, newcomer, err := waits(h.evidence)
		if err != nil {
			return err
		}
		if newcomer == c {
			if err := w.decide(ctx, tx, survey.DriveID(h.drive), true, by, "the newcomer is enrolled: "+reason); err != nil {
				return err
			}
		}
	}
	return nil
}

// goodStanding is how long a contributor with a confirmed hold cannot answer for others.
const goodStanding = 12 * 7 * 24 * time.Hour

// Sponsor records that an enrolled contributor answers for a newcomer: what the newcomer earns is paid while as much of
// the sponsor's own earnings is held for it. A sponsor must be enrolled, have no hold confirmed in the last twelve weeks,
// and answers for no more newcomers at a time than the ruleset of the current epoch allows. Repeating it changes nothing.
func (w *Worker) Sponsor(ctx context.Context, sponsor, newcomer survey.ContributorID) error {
	if sponsor == newcomer {
		return survey.Errorf(survey.Invalid, "nobody can answer for themselves")
	}
	now := w.now()
	rs, _, err := ruleset.For(survey.EpochOf(now))
	if err != nil {
		return err
	}
	if rs.Trust.Sponsors == nil {
		return survey.Errorf(survey.Unsupported, "under ruleset %s nobody needs a sponsor", rs.Version)
	}
	return w.DB.Tx(ctx, func(tx *state.Tx) error {
		var known, enrolled, settled, wrong, others int64
		var has string
		for _, q := range []struct {
			to   *int64
			sql  string
			args []any
		}{
			{&known, `SELECT COUNT(*) FROM contributors WHERE id = $1`, []any{string(newcomer)}},
			{&enrolled, `SELECT COUNT(*) FROM reward_enrolled WHERE contributor_id = $1 AND revoked_at = 0`, []any{string(sponsor)}},
			{&settled, `SELECT COUNT(*) FROM reward_enrolled WHERE contributor_id = $1 AND revoked_at = 0`, []any{string(newcomer)}},
			{&wrong, `SELECT COUNT(*) FROM reward_holds WHERE contributor_id = $1 AND state = 'confirmed' AND decided_at > $2`, []any{string(sponsor), state.Micros(now.Add(-goodStanding))}},
			{&others, `SELECT COUNT(*) FROM reward_sponsors WHERE sponsor_id = $1 AND newcomer_id <> $2 AND ended_at = 0`, []any{string(sponsor), string(newcomer)}},
		} {
			if err := tx.QueryRow(ctx, q.sql, q.args...).Scan(q.to); err != nil {
				return err
			}
		}
		if err := tx.QueryRow(ctx, `SELECT COALESCE(MAX(sponsor_id), '') FROM reward_sponsors WHERE newcomer_id = $1 AND ended_at = 0`, string(newcomer)).Scan(&has); err != nil {
			return err
		}
		switch {
		case known == 0:
			return survey.Errorf(survey.NotFound, "there is no contributor %s", newcomer)
		case enrolled == 0:
			return survey.Errorf(survey.Conflict, "contributor %s is not enrolled, so cannot answer for others", sponsor)
		case wrong > 0:
			return survey.Errorf(survey.Conflict, "contributor %s had a hold confirmed in the last twelve weeks, so cannot answer for others yet", sponsor)
		case settled > 0:
			return survey.Errorf(survey.Conflict, "contributor %s is enrolled and needs no sponsor", newcomer)
		case has == string(sponsor):
			return nil
		case has != "":
			return survey.Errorf(survey.Conflict, "somebody else answers for contributor %s", newcomer)
		case others >= int64(rs.Trust.Sponsors.Newcomers):
			return survey.Errorf(survey.Conflict, "contributor %s answers for %d newcomers, which is the most", sponsor, others).WithHint("it is free again for another once one of them is enrolled")
		}
		s := record.Sponsorship{Newcomer: string(newcomer), Sponsor: string(sponsor), Since: now.UTC().Truncate(time.Microsecond), SignedBy: record.RoleSponsor + ":" + string(sponsor)}
		if s.Signature, err = w.Keys.sign(s.Message(), s.SignedBy); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO reward_sponsors (newcomer_id, sponsor_id, since, signed_by, signature) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (newcomer_id) DO UPDATE SET sponsor_id = excluded.sponsor_id, since = excluded.since, ended_at = 0, signed_by = excluded.signed_by, signature = excluded.signature`,
			s.Newcomer, s.Sponsor, state.Micros(now), s.SignedBy, s.Signature)
		return err
	})
}

// Unsponsor ends a sponsorship from the next close on. What is held for it stays held until the newcomer is enrolled or
// somebody decides.
func (w *Worker) Unsponsor(ctx context.Context, sponsor, newcomer survey.ContributorID) error {
	n, err := w.DB.Exec(ctx, `UPDATE reward_sponsors SET ended_at = $3, signature = '' WHERE sponsor_id = $1 AND newcomer_id = $2 AND ended_at = 0`, string(sponsor), string(newcomer), state.Micros(w.now()))
	if err == nil && n == 0 {
		err = survey.Errorf(survey.NotFound, "contributor %s does not answer for %s", sponsor, newcomer)
	}
	return err
}

// Newcomers lists for whom a contributor answers.
func (w *Worker) Newcomers(ctx context.Context, sponsor survey.ContributorID) ([]survey.ContributorID, error) {
	return query(ctx, w.DB, func(scan func(...any) error) (c survey.ContributorID, err error) { return c, scan(&c) },
		`SELECT newcomer_id FROM reward_sponsors WHERE sponsor_id = $1 AND ended_at = 0 ORDER BY newcomer_id`, string(sponsor))
}

// heldUnder is the ruleset of the first epoch that holds something of the drive.
func (w *Worker) heldUnder(ctx context.Context, q state.Querier, d survey.DriveID) (rewards.Ruleset, error) {
	var text string
	if err := q.QueryRow(ctx, `SELECT COALESCE(MIN(epoch), '') FROM reward_escrow WHERE drive_id = $1`, string(d)).Scan(&text); err != nil {
		return rewards.Ruleset{}, err
	}
	e, err := survey.ParseEpoch(text)
	if err != nil {
		return rewards.Ruleset{}, err
	}
	rs, _, err := ruleset.For(e)
	return rs, err
}

// Enrolment is one entry of the operator's answers for contributors.
type Enrolment struct {
	Contributor   survey.ContributorID
	DeviceKey     string // "" any upload
	By, Reason    string
	At, RevokedAt int64 // microseconds; RevokedAt 0 in force
}

// Enrolled lists the enrolments, ended ones included, by contributor.
func (w *Worker) Enrolled(ctx context.Context) ([]Enrolment, error) {
	signed, err := enrolments(ctx, w.DB)
	var out []Enrolment
	for _, e := range signed {
		out = append(out, e.Enrolment)
	}
	return out, err
}

// Hold is a drive whose earnings are held, or were.
type Hold struct {
	Drive                     survey.DriveID
	Contributor               survey.ContributorID
	State                     string
	Held                      survey.Amount // in all closed epochs
	Evidence                  string        // JSON
	OpenedAt, Deadline        int64         // microseconds
	Appeal, Reason, DecidedBy string
}

// Holds lists holds in a state, the next deadline first.
func (w *Worker) Holds(ctx context.Context, state string, limit int) ([]Hold, error) {
	return query(ctx, w.DB, func(scan func(...any) error) (h Hold, err error) {
		return h, scan(&h.Drive, &h.Contributor, &h.State, &h.Held, &h.Evidence, &h.OpenedAt, &h.Deadline, &h.Appeal, &h.Reason, &h.DecidedBy)
	}, `SELECT h.drive_id, h.contributor_id, h.state, CAST(COALESCE((SELECT SUM(e.amount) FROM reward_escrow e WHERE e.drive_id = h.drive_id), 0) AS BIGINT),
			h.evidence, h.opened_at, h.deadline_at, h.appeal, h.reason, h.decided_by
		FROM reward_holds h WHERE h.state = $1 ORDER BY h.deadline_at, h.drive_id LIMIT $2`, state, limit)
}

// Dismiss ends an enrolment: uploads completed from now on are not vouched for by it. by, unless it is empty, is who must
// have begun it.
func (w *Worker) Dismiss(ctx context.Context, c survey.ContributorID, deviceKey, by string) error {
	return w.DB.Tx(ctx, func(tx *state.Tx) error {
		var e enrolment
		err := tx.QueryRow(ctx, `SELECT contributor_id, device_key, enrolled_by, reason, enrolled_at FROM reward_enrolled
			WHERE contributor_id = $1 AND device_key = $2 AND revoked_at = 0`, string(c), deviceKey).Scan(&e.Contributor, &e.DeviceKey, &e.By, &e.Reason, &e.At)
		if err == state.ErrNoRows || err == nil && by != "" && e.By != by {
			return survey.Errorf(survey.NotFound, "contributor %s is not enrolled with device key %q", c, deviceKey).WithHint("a fleet ends what it began itself")
		}
		if err != nil {
			return err
		}
		e.RevokedAt = state.Micros(w.now())
		if e.signature, err = w.Keys.sign(e.message(), e.By); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE reward_enrolled SET revoked_at = $3, signature = $4 WHERE contributor_id = $1 AND device_key = $2`, string(c), deviceKey, e.RevokedAt, e.signature)
		return err
	})
}

// Lapse decides the holds whose deadline has passed: unanswered ones are confirmed, unheard appeals are cleared, except
// those of drives that still nobody vouches for, and of bonds: they wait on. It gives how many were decided.
func (w *Worker) Lapse(ctx context.Context) (int, error) {
	type due struct{ drive, state, evidence string }
	ds, err := query(ctx, w.DB, func(scan func(...any) error) (d due, err error) {
		return d, scan(&d.drive, &d.state, &d.evidence)
	}, `SELECT drive_id, state, evidence FROM reward_holds WHERE state IN ('open', 'appealed') AND deadline_at <= $1 ORDER BY drive_id`, state.Micros(w.now()))
	if err != nil {
		return 0, err
	}
	decided := 0
	for _, d := range ds {
		ended := true
		err := w.DB.Tx(ctx, func(tx *state.Tx) error {
			reason := "no appeal before the deadline"
			if d.state == HoldAppealed {
				reason = "the appeal was not decided in time"
				wait, err := w.mustWait(ctx, tx, survey.DriveID(d.drive), d.evidence)
				if err != nil {
					return err
				}
				if ended = !wait; wait {
					_, err := tx.Exec(ctx, `UPDATE reward_holds SET deadline_at = $2 WHERE drive_id = $1`, d.drive, state.Micros(w.now().Add(w.newcomerTime())))
					return err
				}
			}
			return w.decide(ctx, tx, survey.DriveID(d.drive), d.state == HoldAppealed, "deadline", reason)
		})
		if err != nil {
			return decided, fmt.Errorf("lapse hold of drive %s: %w", d.drive, err)
		}
		if ended {
			decided++
		}
	}
	return decided, nil
}

// mustWait reports whether only somebody who vouches or decides can clear a hold.
func (w *Worker) mustWait(ctx context.Context, tx *state.Tx, d survey.DriveID, evidence string) (bool, error) {
	unvouched, newcomer, err := waits(evidence)
	if err != nil || newcomer != "" || !unvouched {
		return newcomer != "", err
	}
	ds, err := drivesIn(ctx, tx, "$1", []any{string(d)})
	if err != nil || len(ds) == 0 {
		return true, err
	}
	rs, err := w.heldUnder(ctx, tx, d)
	return !rs.Trust.Vouched(ds[0].Vouchers), err
}

// Adjust enters a correction of a closed epoch that is no hold: an error of the network's, to the contributor's credit
// or debit. The id is the caller's; a repeat of it with the same content changes nothing, with other content it is a
// Conflict.
func (w *Worker) Adjust(ctx context.Context, c record.Correction) error {
	e, err := survey.ParseEpoch(c.Epoch)
	if err != nil {
		return err
	}
	if c.ID == "" || c.Contributor == "" || c.Amount == 0 || c.Reason == "" || c.DecidedBy == "" {
		return survey.Errorf(survey.Invalid, "an adjustment needs an id, a contributor, an amount, a reason and who decided")
	}
	return w.DB.Tx(ctx, func(tx *state.Tx) error {
		var n, m int64
		if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM epochs WHERE epoch = $1`, e.String()).Scan(&n); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM contributors WHERE id = $1`, c.Contributor).Scan(&m); err != nil {
			return err
		}
		if n == 0 || m == 0 {
			return survey.Errorf(survey.NotFound, "epoch %s is not closed, or there is no contributor %s", e, c.Contributor)
		}
		c.Epoch, c.Kind = e.String(), string(record.CorrectionAdjust)
		changed, err := w.correct(ctx, tx, c)
		if err != nil || changed == 1 {
			return err
		}
		if err = tx.QueryRow(ctx, `SELECT COUNT(*) FROM corrections WHERE id = $1 AND contributor_id = $2 AND epoch = $3 AND kind = 'adjust' AND amount = $4`,
			c.ID, c.Contributor, e.String(), c.Amount).Scan(&n); err == nil && n == 0 {
			err = survey.Errorf(survey.Conflict, "correction %s exists with other content", c.ID)
		}
		return err
	})
}
