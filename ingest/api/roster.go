package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Member is a contributor as operators see them.
type Member struct {
	ID         survey.ContributorID `json:"id"`
	Handle     string               `json:"handle"`
	CreatedAt  time.Time            `json:"created_at" doc:"UTC."`
	Uploads    int64                `json:"uploads" doc:"Uploads ever opened."`
	Bytes      int64                `json:"bytes" doc:"What these uploads declared."`
	LastUpload *time.Time           `json:"last_upload,omitempty" doc:"When the newest was opened, UTC."`
	BlockedAt  *time.Time           `json:"blocked_at,omitempty" doc:"Since when nothing more is taken from them, UTC."`
	Limits     OwnLimits            `json:"limits"`
}

// OwnLimits are limits of one contributor; 0 means the server's.
type OwnLimits struct {
	UploadBytes int64 `json:"upload_bytes" minimum:"0" doc:"Most bytes of an upload."`
	DayBytes    int64 `json:"day_bytes" minimum:"0" doc:"Most bytes of the uploads opened within 24 hours."`
	OpenUploads int64 `json:"open_uploads" minimum:"0" maximum:"1000000" doc:"Most uploads open at a time."`
}

// Members lists up to n contributors by id, beginning behind after ("" for the first).
func Members(ctx context.Context, q state.Querier, after survey.ContributorID, n int) (ms []Member, err error) {
	rows, err := q.Query(ctx, `SELECT c.id, c.handle, c.created_at, COALESCE(MAX(l.upload_bytes), 0), COALESCE(MAX(l.day_bytes), 0), COALESCE(MAX(l.open_uploads), 0),
			COALESCE(MAX(l.blocked_at), 0), COUNT(u.id), CAST(COALESCE(SUM(u.bytes), 0) AS BIGINT), COALESCE(MAX(u.created_at), 0)
		FROM (SELECT id, handle, created_at FROM contributors WHERE id > $1 ORDER BY id LIMIT $2) c
		LEFT JOIN contributor_limits l ON l.contributor_id = c.id LEFT JOIN uploads u ON u.contributor_id = c.id
		GROUP BY c.id, c.handle, c.created_at ORDER BY c.id`, string(after), n)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var m Member
		var id string
		var created, blocked, last int64
		l := &m.Limits
		if err := rows.Scan(&id, &m.Handle, &created, &l.UploadBytes, &l.DayBytes, &l.OpenUploads, &blocked, &m.Uploads, &m.Bytes, &last); err != nil {
			return nil, err
		}
		m.ID, m.CreatedAt = survey.ContributorID(id), state.Time(created)
		m.LastUpload, m.BlockedAt = instant(last), instant(blocked)
		ms = append(ms, m)
	}
	return ms, rows.Err()
}

// instant is nil for 0.
func instant(us int64) *time.Time {
	if us == 0 {
		return nil
	}
	t := state.Time(us)
	return &t
}

// SetLimits gives a contributor limits of their own. They hold from the next upload.
func SetLimits(ctx context.Context, db *state.DB, id survey.ContributorID, l OwnLimits) error {
	if l.UploadBytes < 0 || l.DayBytes < 0 || l.OpenUploads < 0 {
		return survey.Errorf(survey.Invalid, "a limit is below 0").WithHint("0 means the server's own")
	}
	return ofContributor(ctx, db, id, `INSERT INTO contributor_limits (contributor_id, upload_bytes, day_bytes, open_uploads) VALUES ($1, $2, $3, $4)
		ON CONFLICT (contributor_id) DO UPDATE SET upload_bytes = excluded.upload_bytes, day_bytes = excluded.day_bytes, open_uploads = excluded.open_uploads`,
		string(id), l.UploadBytes, l.DayBytes, l.OpenUploads)
}

// Block takes no more uploads from a contributor since now; the zero time takes them again. What was sent stays.
func Block(ctx context.Context, db *state.DB, id survey.ContributorID, since time.Time) error {
	us := int64(0)
	if !since.IsZero() {
		us = state.Micros(since)
	}
	return ofContributor(ctx, db, id, `INSERT INTO contributor_limits (contributor_id, blocked_at) VALUES ($1, $2)
		ON CONFLICT (contributor_id) DO UPDATE SET blocked_at = excluded.blocked_at`, string(id), us)
}

// RenewToken replaces a contributor's token; the old one ends at once.
func RenewToken(ctx context.Context, db *state.DB, id survey.ContributorID) (string, error) {
	tok := newToken()
	return tok, ofContributor(ctx, db, id, `UPDATE contributors SET token_sha256 = $2 WHERE id = $1`, string(id), httpx.Digest(tok))
}

// ofContributor runs a statement about a contributor, who must exist.
func ofContributor(ctx context.Context, db *state.DB, id survey.ContributorID, sql string, args ...any) error {
	return db.Tx(ctx, func(tx *state.Tx) error {
		var n int64
		if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM contributors WHERE id = $1`, string(id)).Scan(&n); err != nil {
			return err
		}
		if n == 0 {
			return survey.Errorf(survey.NotFound, "no contributor %.40q", string(id)).WithHint("roadcomb contributors list shows them")
		}
		_, err := tx.Exec(ctx, sql, args...)
		return err
	})
}

func (s *server) rosterRoutes(api huma.API) {
	type one struct {
		ID string `path:"id"`
	}
	type handle struct {
		Handle string `json:"handle" minLength:"1" maxLength:"80" doc:"How the operator calls the contributor."`
	}
	type page struct {
		Contributors []Member `json:"contributors" doc:"By id."`
	}
	const tag = "contributors"
	operator(s, api, huma.Operation{OperationID: "register-contributor", Method: http.MethodPost, Path: "/v1/contributors", Tags: []string{tag},
		Summary: "Register a contributor", DefaultStatus: http.StatusCreated},
		func(ctx context.Context, in *struct{ Body handle }) (*struct{ Body Registered }, error) {
			id, tok, err := NewContributor(ctx, s.DB, in.Body.Handle, s.Clock())
			return &struct{ Body Registered }{Registered{id, tok}}, err
		})
	operator(s, api, huma.Operation{OperationID: "list-contributors", Method: http.MethodGet, Path: "/v1/contributors", Tags: []string{tag},
		Summary: "Who contributes", Description: "By id; the next page begins behind the last id."},
		func(ctx context.Context, in *struct {
			After string `query:"after" maxLength:"80" doc:"The last id of the page before."`
			Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"200"`
		}) (*struct{ Body page }, error) {
			ms, err := Members(ctx, s.DB, survey.ContributorID(in.After), in.Limit)
			return &struct{ Body page }{page{append([]Member{}, ms...)}}, err
		})
	operator(s, api, huma.Operation{OperationID: "renew-token", Method: http.MethodPost, Path: "/v1/contributors/{id}/token", Tags: []string{tag},
		Summary: "Replace a contributor's token", Description: "The old token ends at once."},
		func(ctx context.Context, in *one) (*struct{ Body Registered }, error) {
			tok, err := RenewToken(ctx, s.DB, survey.ContributorID(in.ID))
			return &struct{ Body Registered }{Registered{survey.ContributorID(in.ID), tok}}, err
		})
	operator(s, api, huma.Operation{OperationID: "limit-contributor", Method: http.MethodPut, Path: "/v1/contributors/{id}/limits", Tags: []string{tag},
		Summary: "Give a contributor limits of their own", Description: "They hold from the next upload; 0 means the server's.", DefaultStatus: http.StatusNoContent},
		func(ctx context.Context, in *struct {
			ID   string `path:"id"`
			Body OwnLimits
		}) (*none, error) {
			return nil, SetLimits(ctx, s.DB, survey.ContributorID(in.ID), in.Body)
		})
	operator(s, api, huma.Operation{OperationID: "block-contributor", Method: http.MethodPut, Path: "/v1/contributors/{id}/block", Tags: []string{tag},
		Summary: "Take no more uploads from a contributor", Description: "What was sent before stays, and is worked on and paid by the rules.", DefaultStatus: http.StatusNoContent},
		func(ctx context.Context, in *one) (*none, error) {
			return nil, Block(ctx, s.DB, survey.ContributorID(in.ID), s.Clock())
		})
	operator(s, api, huma.Operation{OperationID: "unblock-contributor", Method: http.MethodDelete, Path: "/v1/contributors/{id}/block", Tags: []string{tag},
		Summary: "Take a contributor's uploads again", DefaultStatus: http.StatusNoContent},
		func(ctx context.Context, in *one) (*none, error) {
			return nil, Block(ctx, s.DB, survey.ContributorID(in.ID), time.Time{})
		})
}
