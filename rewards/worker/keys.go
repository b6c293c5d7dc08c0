package worker

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards"
	"github.com/roadcomb/roadcomb/rewards/record"
)

// Keys sign what is decided about rewards, with a key for each role, so that a row which somebody changed in the database
// by hand pays nobody. The zero value has no keys and signs nothing; a ruleset that asks for signatures then cannot close
// what was decided.
type Keys struct {
	seed    []byte
	missing bool // there is a network's key, but not here
}

// check is Unauthorized where the network's key is missing.
func (k Keys) check() error {
	if !k.missing {
		return nil
	}
	return survey.Errorf(survey.Unauthorized, "what is decided about rewards is signed with the network's key, which is not here").
		WithHint("set ROADCOMB_SIGNING_KEY to signing_key of the network's secrets.json; where that is lost, `roadcomb datasets key --replace` and then `roadcomb rewards sign`")
}

// NewKeys derives the roles' keys from the network's signing key. Machines that decide and machines that close must have
// the same. Without one (nil) nothing can be decided, and no epoch closed that depends on decisions under a ruleset which
// asks for signatures.
func NewKeys(network ed25519.PrivateKey) Keys {
	if len(network) != ed25519.PrivateKeySize {
		return Keys{missing: true}
	}
	return Keys{seed: network.Seed()}
}

func (k Keys) key(role string) ed25519.PrivateKey {
	if k.seed == nil || !slices.Contains(record.DecidingRoles(), role) {
		return nil
	}
	h := sha256.New()
	h.Write([]byte("roadcomb rewards: key of role " + role + "\x00"))
	h.Write(k.seed)
	return ed25519.NewKeyFromSeed(h.Sum(nil))
}

// sign is the signature of the role in "role:name", in hex, "" without keys. A role without a key is Unauthorized.
func (k Keys) sign(msg []byte, by string) (string, error) {
	if k.seed == nil {
		return "", k.check()
	}
	key := k.key(record.RoleOf(by))
	if key == nil {
		return "", survey.Errorf(survey.Unauthorized, "role %.40q decides nothing about rewards", record.RoleOf(by))
	}
	return hex.EncodeToString(ed25519.Sign(key, msg)), nil
}

// Signers are the public keys, nil without keys.
func (k Keys) Signers() record.Signers {
	if k.seed == nil {
		return nil
	}
	s := record.Signers{}
	for _, role := range record.DecidingRoles() {
		s[role] = hex.EncodeToString(k.key(role).Public().(ed25519.PublicKey))
	}
	return s
}

// decided reads the ended holds of drives, as they are signed.
func decided(ctx context.Context, q state.Querier, where string, args ...any) ([]record.Decision, error) {
	return query(ctx, q, func(scan func(...any) error) (d record.Decision, err error) {
		var evidence string
		var at int64
		err = scan(&d.Drive, &d.Contributor, &d.Decision, &d.Reason, &evidence, &d.DecidedBy, &at, &d.Signature)
		d.Evidence, d.DecidedAt = survey.HashOf([]byte(evidence)).String(), state.Time(at)
		return d, err
	}, `SELECT drive_id, contributor_id, state, reason, evidence, decided_by, decided_at, signature FROM reward_holds
		WHERE state IN ('`+HoldCleared+`', '`+HoldConfirmed+`') AND `+where+` ORDER BY drive_id`, args...)
}

func unapplied(ctx context.Context, q state.Querier) ([]record.Correction, error) {
	return query(ctx, q, func(scan func(...any) error) (c record.Correction, err error) {
		return c, scan(&c.ID, &c.Contributor, &c.Epoch, &c.Kind, &c.Amount, &c.Reason, &c.Evidence, &c.DecidedBy, &c.Signature)
	}, `SELECT id, contributor_id, epoch, kind, amount, reason, evidence_sha256, decided_by, signature FROM corrections WHERE applied_epoch = '' ORDER BY id`)
}

// sponsorships are those in force, as they are signed.
func sponsorships(ctx context.Context, q state.Querier) ([]record.Sponsorship, error) {
	return query(ctx, q, func(scan func(...any) error) (s record.Sponsorship, err error) {
		var since int64
		err = scan(&s.Newcomer, &s.Sponsor, &since, &s.SignedBy, &s.Signature)
		s.Since = state.Time(since)
		return s, err
	}, `SELECT newcomer_id, sponsor_id, since, signed_by, signature FROM reward_sponsors WHERE ended_at = 0 ORDER BY newcomer_id`)
}

type enrolment struct {
	Enrolment
	signature string
}

func (e enrolment) message() []byte {
	return record.EnrolmentMessage(e.Contributor, e.DeviceKey, e.By, e.Reason, e.At, e.RevokedAt)
}

func enrolments(ctx context.Context, q state.Querier) ([]enrolment, error) {
	return query(ctx, q, func(scan func(...any) error) (e enrolment, err error) {
		return e, scan(&e.Contributor, &e.DeviceKey, &e.By, &e.Reason, &e.At, &e.RevokedAt, &e.signature)
	}, `SELECT contributor_id, device_key, enrolled_by, reason, enrolled_at, revoked_at, signature FROM reward_enrolled ORDER BY contributor_id, device_key`)
}

// checkEnrolled refuses enrolments that the role which answers did not sign.
func (w *Worker) checkEnrolled(ctx context.Context, rs rewards.Ruleset) error {
	if !rs.Trust.Signed {
		return nil
	}
	es, err := enrolments(ctx, w.DB)
	if err != nil || len(es) == 0 {
		return err
	}
	if err := w.Keys.check(); err != nil {
		return err
	}
	signers := w.Keys.Signers()
	for _, e := range es {
		if err := signers.Check(e.message(), e.By, e.signature); err != nil {
			return survey.Errorf(survey.Unauthorized, "the enrolment of contributor %s by %s: %w", e.Contributor, e.By, err).
				WithHint("somebody changed the state by hand, or it comes from before enrolments were signed; look at it, then `roadcomb rewards sign`")
		}
	}
	return nil
}

// Unsigned is something decided that the role which decided did not sign.
type Unsigned struct{ What, Why string }

// Sign signs, as by, everything decided that bears no valid signature: what was decided before decisions were signed. With
// dry it only lists it. The decider's name in the record becomes by, because that is who now answers for it.
func (w *Worker) Sign(ctx context.Context, by string, dry bool) (out []Unsigned, err error) {
	if err := w.Keys.check(); err != nil {
		return nil, err
	}
	err = w.DB.Tx(ctx, func(tx *state.Tx) error {
		out = nil
		signers := w.Keys.Signers()
		// answer signs one that bears no valid signature. message is what is signed by somebody's name, and update writes the
		// new name and signature behind the parameters that find the row.
		answer := func(what, was, signature string, message func(by string) []byte, update string, row ...any) error {
			err := signers.Check(message(was), was, signature)
			if err == nil {
				return nil
			}
			if out = append(out, Unsigned{what, err.Error()}); dry {
				return nil
			}
			sig, err := w.Keys.sign(message(by), by)
			if err != nil {
				return err
			}
			_, err = tx.Exec(ctx, update, append(row, by, sig)...)
			return err
		}
		ds, err := decided(ctx, tx, "1 = 1")
		if err != nil {
			return err
		}
		for _, d := range ds {
			if err := answer("drive "+d.Drive+" "+d.Decision+" by "+d.DecidedBy, d.DecidedBy, d.Signature, func(by string) []byte {
				d.DecidedBy = by
				return d.Message()
			}, `UPDATE reward_holds SET decided_by = $2, signature = $3 WHERE drive_id = $1`, d.Drive); err != nil {
				return err
			}
		}
		cs, err := unapplied(ctx, tx)
		if err != nil {
			return err
		}
		for _, c := range cs {
			if err := answer("correction "+c.ID+" by "+c.DecidedBy, c.DecidedBy, c.Signature, func(by string) []byte {
				c.DecidedBy = by
				return c.Message()
			}, `UPDATE corrections SET decided_by = $2, signature = $3 WHERE id = $1`, c.ID); err != nil {
				return err
			}
		}
		es, err := enrolments(ctx, tx)
		if err != nil {
			return err
		}
		for _, e := range es {
			if err := answer("enrolment of "+string(e.Contributor)+" by "+e.By, e.By, e.signature, func(by string) []byte {
				e.By = by
				return e.message()
			}, `UPDATE reward_enrolled SET enrolled_by = $3, signature = $4 WHERE contributor_id = $1 AND device_key = $2`, string(e.Contributor), e.DeviceKey); err != nil {
				return err
			}
		}
		ss, err := sponsorships(ctx, tx)
		if err != nil {
			return err
		}
		for _, s := range ss {
			if err := answer("that "+s.Sponsor+" answers for "+s.Newcomer, s.SignedBy, s.Signature, func(by string) []byte {
				s.SignedBy = by
				return s.Message()
			}, `UPDATE reward_sponsors SET signed_by = $2, signature = $3 WHERE newcomer_id = $1 AND ended_at = 0`, s.Newcomer); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}
