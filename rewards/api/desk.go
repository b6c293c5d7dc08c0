package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards/record"
	"github.com/roadcomb/roadcomb/rewards/worker"
)

// Hold is a hold as those who decide see it.
type Hold struct {
	Drive       string          `json:"drive"`
	Contributor string          `json:"contributor"`
	State       string          `json:"state" enum:"open,appealed,cleared,confirmed"`
	Held        Units           `json:"held" doc:"in all closed epochs"`
	Evidence    json.RawMessage `json:"evidence"`
	OpenedAt    time.Time       `json:"opened_at"`
	Deadline    time.Time       `json:"deadline"`
	Appeal      string          `json:"appeal,omitempty"`
	Reason      string          `json:"reason,omitempty"`
	DecidedBy   string          `json:"decided_by,omitempty"`
}

func holdOf(h worker.Hold) Hold {
	return Hold{string(h.Drive), string(h.Contributor), h.State, Units(h.Held), json.RawMessage(h.Evidence), state.Time(h.OpenedAt), state.Time(h.Deadline), h.Appeal, h.Reason, h.DecidedBy}
}

// Enrolled is a contributor for whom the operator answers.
type Enrolled struct {
	Contributor string    `json:"contributor"`
	DeviceKey   string    `json:"device_key,omitempty" doc:"only uploads that it signed"`
	By          string    `json:"by"`
	Reason      string    `json:"reason"`
	At          time.Time `json:"at"`
	RevokedAt   time.Time `json:"revoked_at,omitzero"`
}

// by names who decides: the role and the operator.
func by(ctx context.Context) string {
	a, _ := httpx.ActorOf(ctx)
	return string(a.Role) + ":" + a.Name
}

// desk registers what operators do. Every act is in the audit log.
func (s *server) desk(api huma.API) {
	op := func(id, method, path, summary string, status int) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: "/v1/rewards" + path, Summary: summary, Tags: []string{"rewards"}, DefaultStatus: status}
	}
	httpx.HandleOperator(api, s.Operators, httpx.RoleOperator, op("list-holds", http.MethodGet, "/holds", "Held drives with their evidence, the next deadline first", http.StatusOK), func(ctx context.Context, in *struct {
		State string `query:"state" enum:"open,appealed,cleared,confirmed" default:"open"`
		Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	}) (*body[[]Hold], error) {
		hs, err := s.Desk.Holds(ctx, in.State, in.Limit)
		out := make([]Hold, len(hs))
		for i, h := range hs {
			out[i] = holdOf(h)
		}
		return &body[[]Hold]{out}, err
	})
	httpx.HandleOperator(api, s.Operators, httpx.RoleOperator, op("decide-hold", http.MethodPost, "/holds/{drive}/decision", "Clear or confirm a hold, for good", http.StatusNoContent), func(ctx context.Context, in *struct {
		Drive string `path:"drive" maxLength:"64"`
		Body  struct {
			Decision string `json:"decision" enum:"clear,confirm" doc:"clear: what is held is paid; confirm: it is forfeited and never minted"`
			Reason   string `json:"reason" minLength:"1" maxLength:"1000" doc:"The contributor sees it."`
		}
	}) (*struct{}, error) {
		httpx.Note(ctx, "%s: %s", in.Body.Decision, in.Body.Reason)
		return nil, s.Desk.Decide(ctx, survey.DriveID(in.Drive), in.Body.Decision == "clear", by(ctx), in.Body.Reason)
	})
	httpx.HandleOperator(api, s.Operators, httpx.RoleOperator, op("list-enrolled", http.MethodGet, "/enrolled", "Contributors the operator answers for", http.StatusOK), func(ctx context.Context, _ *struct{}) (*body[[]Enrolled], error) {
		es, err := s.Desk.Enrolled(ctx)
		out := make([]Enrolled, len(es))
		for i, e := range es {
			out[i] = Enrolled{string(e.Contributor), e.DeviceKey, e.By, e.Reason, state.Time(e.At), time.Time{}}
			if e.RevokedAt != 0 {
				out[i].RevokedAt = state.Time(e.RevokedAt)
			}
		}
		return &body[[]Enrolled]{out}, err
	})
	type enrolOut struct {
		Cleared int `json:"cleared" doc:"holds that were open for no other reason"`
	}
	httpx.HandleOperator(api, s.Operators, httpx.RoleFleet, op("enrol-contributor", http.MethodPut, "/enrolled/{contributor}", "Answer for a contributor, or for a device, so that what it uploads is paid at once", http.StatusOK), func(ctx context.Context, in *struct {
		Contributor string `path:"contributor" maxLength:"64"`
		Body        struct {
			DeviceKey string `json:"device_key,omitempty" maxLength:"64" doc:"only uploads signed by this key"`
			Reason    string `json:"reason" minLength:"1" maxLength:"1000"`
		}
	}) (*body[enrolOut], error) {
		httpx.Note(ctx, "device_key=%s: %s", in.Body.DeviceKey, in.Body.Reason)
		n, err := s.Desk.Enrol(ctx, survey.ContributorID(in.Contributor), in.Body.DeviceKey, by(ctx), in.Body.Reason)
		return &body[enrolOut]{enrolOut{n}}, err
	})
	httpx.HandleOperator(api, s.Operators, httpx.RoleFleet, op("dismiss-contributor", http.MethodDelete, "/enrolled/{contributor}", "No longer answer for uploads from now on", http.StatusNoContent), func(ctx context.Context, in *struct {
		Contributor string `path:"contributor" maxLength:"64"`
		DeviceKey   string `query:"device_key" maxLength:"64"`
	}) (*struct{}, error) {
		only := "" // a fleet ends what it began itself
		if a, _ := httpx.ActorOf(ctx); a.Role == httpx.RoleFleet {
			only = by(ctx)
		}
		return nil, s.Desk.Dismiss(ctx, survey.ContributorID(in.Contributor), in.DeviceKey, only)
	})
	httpx.HandleOperator(api, s.Operators, httpx.RoleAdmin, op("correct-epoch", http.MethodPost, "/corrections", "Mend an error in a closed epoch by an entry that the next close books", http.StatusNoContent), func(ctx context.Context, in *struct {
		Key  string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"200"`
		Body struct {
			Contributor string `json:"contributor" maxLength:"64"`
			Epoch       string `json:"epoch" doc:"the closed epoch it is about"`
			Amount      Units  `json:"amount" doc:"to the contributor's credit, or negative"`
			Reason      string `json:"reason" minLength:"1" maxLength:"1000" doc:"published"`
		}
	}) (*struct{}, error) {
		httpx.Note(ctx, "%s %s %d: %s", in.Body.Contributor, in.Body.Epoch, int64(in.Body.Amount), in.Body.Reason)
		return nil, s.Desk.Adjust(ctx, record.Correction{ID: survey.HashOf([]byte("adjust:" + in.Key)).String()[:32], Contributor: in.Body.Contributor, Epoch: in.Body.Epoch,
			Amount: int64(in.Body.Amount), Reason: in.Body.Reason, DecidedBy: by(ctx)})
	})
}
