package record

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards"
)

// Decision is a row of decisions.parquet: how the hold of a drive ended, by whose word.
type Decision struct {
	Drive       string    `lake:"drive"`
	Contributor string    `lake:"contributor"`
	Decision    string    `lake:"decision" doc:"cleared or confirmed."`
	Reason      string    `lake:"reason"`
	Evidence    string    `lake:"evidence" doc:"SHA-256 of the evidence record."`
	DecidedBy   string    `lake:"decided_by" doc:"Role and name, as role:name; deadline when nobody decided in time."`
	DecidedAt   time.Time `lake:"decided_at" unit:"us"`
	Signature   string    `lake:"signature" doc:"Ed25519 by the role's key (signers.json) over Message, hex."`
}

// Signers are public keys of roles that decide about rewards, in hex, by role.
type Signers map[string]string

// RoleSponsor signs what an enrolled contributor said itself, as "sponsor:" and its id.
const RoleSponsor = "sponsor"

// DecidingRoles are the roles that have a key: those of operators who may decide, fleets for their enrolments, sponsors for
// their newcomers, and "deadline" for what the rules decide when nobody did in time.
func DecidingRoles() []string { return []string{"admin", "deadline", "fleet", "operator", RoleSponsor} }

// RoleOf is the role in "role:name".
func RoleOf(decidedBy string) string {
	role, _, _ := strings.Cut(decidedBy, ":")
	return role
}

// message is what is signed: a JSON array that begins with its kind, so that no signature of one kind is one of another.
func message(kind string, fields ...any) []byte {
	b, err := json.Marshal(append([]any{"roadcomb reward " + kind}, fields...))
	if err != nil {
		panic(err) // strings and integers always encode
	}
	return b
}

// Message is what the role signs.
func (d Decision) Message() []byte {
	return message("decision", d.Drive, d.Contributor, d.Decision, d.Reason, d.Evidence, d.DecidedBy, d.DecidedAt.UnixMicro())
}

// Message is what the role signs.
func (c Correction) Message() []byte {
	return message("correction", c.ID, c.Contributor, c.Epoch, c.Kind, c.Amount, c.Reason, c.Evidence, c.DecidedBy)
}

// Message is what the role signs.
func (s Sponsorship) Message() []byte {
	return message("sponsorship", s.Newcomer, s.Sponsor, s.Since.UnixMicro(), s.SignedBy)
}

// EnrolmentMessage is what the role signs that answers for a contributor, or for a device of theirs. Times are microseconds
// since 1970 UTC; revokedAt is 0 while it is in force.
func EnrolmentMessage(c survey.ContributorID, deviceKey, by, reason string, at, revokedAt int64) []byte {
	return message("enrolment", string(c), deviceKey, by, reason, at, revokedAt)
}

// Check reports a message that the role of decidedBy did not sign: Unauthorized, saying why.
func (s Signers) Check(msg []byte, decidedBy, signature string) error {
	role := RoleOf(decidedBy)
	key, err := hex.DecodeString(s[role])
	if err != nil || len(key) != ed25519.PublicKeySize {
		return survey.Errorf(survey.Unauthorized, "role %.40q has no key", role)
	}
	if signature == "" {
		return survey.Errorf(survey.Unauthorized, "it is not signed")
	}
	sig, err := hex.DecodeString(signature)
	if err != nil || !ed25519.Verify(key, msg, sig) {
		return survey.Errorf(survey.Unauthorized, "it is not signed by the key of role %s", role)
	}
	return nil
}

// unsigned lists what was decided without the signature of the role that decided: decisions, corrections and sponsorships,
// and decisions about drives that decisions.parquet lacks. A ruleset that asks for no signatures gets none checked.
func (in Inputs) unsigned(rs rewards.Ruleset) []Difference {
	if !rs.Trust.Signed {
		return nil
	}
	var out []Difference
	add := func(file string, row int, format string, args ...any) {
		out = append(out, Difference{file, row + 1, fmt.Sprintf(format, args...)})
	}
	for i, c := range in.Corrections {
		if err := in.Signers.Check(c.Message(), c.DecidedBy, c.Signature); err != nil {
			add(CorrectionsName, i, "correction %s: %v", c.ID, err)
		}
	}
	if rs.Trust.Sponsors != nil {
		for i, s := range in.Sponsors {
			err := in.Signers.Check(s.Message(), s.SignedBy, s.Signature)
			if role, name, _ := strings.Cut(s.SignedBy, ":"); err == nil && role == RoleSponsor && name != s.Sponsor {
				err = survey.Errorf(survey.Unauthorized, "%.60q is not the sponsor", name)
			}
			if err != nil {
				add(SponsorsName, i, "that %s answers for %s: %v", s.Sponsor, s.Newcomer, err)
			}
		}
	}
	signed := map[survey.DriveID]Decision{}
	for i, d := range in.Decisions {
		if err := in.Signers.Check(d.Message(), d.DecidedBy, d.Signature); err != nil {
			add(DecisionsName, i, "decision about drive %s: %v", d.Drive, err)
			continue
		}
		signed[survey.DriveID(d.Drive)] = d
	}
	for i, d := range in.Drives {
		if s := signed[d.ID]; d.Decision != rewards.DecisionNone && (s.Decision != string(d.Decision) || s.Contributor != string(d.Contributor)) {
			add(DrivesName, i, "drive %s is %s, which nobody signed", d.ID, d.Decision)
		}
	}
	return out
}

// CheckSigned is Unauthorized when the inputs hold a decision that the role that decided did not sign.
func (in Inputs) CheckSigned(rs rewards.Ruleset) error {
	ds := in.unsigned(rs)
	if len(ds) == 0 {
		return nil
	}
	return survey.Errorf(survey.Unauthorized, "%d decisions are not signed by their role; the first: %s", len(ds), ds[0]).
		WithHint("somebody changed the state by hand, or it comes from before decisions were signed, or was decided on a machine with another signing_key in secrets.json; look at it, then `roadcomb rewards sign`")
}

// encodeSigners is signers.json: the roles in order.
func encodeSigners(s Signers) ([]byte, error) {
	type signer struct {
		Role string `json:"role"`
		Key  string `json:"ed25519"`
	}
	out := []signer{}
	for _, role := range slices.Sorted(maps.Keys(s)) {
		out = append(out, signer{role, s[role]})
	}
	b, err := json.MarshalIndent(out, "", "  ")
	return append(b, '\n'), err
}

func decodeSigners(b []byte) (Signers, error) {
	var in []struct {
		Role string `json:"role"`
		Key  string `json:"ed25519"`
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return nil, survey.Errorf(survey.Invalid, "%s: %w", SignersName, err)
	}
	s := Signers{}
	for _, x := range in {
		if _, twice := s[x.Role]; twice || x.Role == "" {
			return nil, survey.Errorf(survey.Invalid, "%s: role %.40q is empty or occurs twice", SignersName, x.Role)
		}
		s[x.Role] = x.Key
	}
	return s, nil
}
