// Package drivers knows which contributor a request comes from: by the bearer token that programs send, or by the session
// of a web page, which the token began.
//
// A page keeps no token. It hands it over once and gets a cookie that scripts cannot read, that browsers add only to what
// our own pages send, that ends when it is not used, and that its driver can end from anywhere. The package makes no
// contributor and judges nothing that one does; package api of ingest does.
package drivers

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Cookie names the session's cookie.
const Cookie = "roadcomb_driver"

// How long a session lasts: IdleLife without a request, and never longer than SessionLife. Of one driver at most
// MaxSessions are in force; a new one ends what was not used for longest.
const (
	IdleLife    = 48 * time.Hour
	SessionLife = 30 * 24 * time.Hour
	MaxSessions = 20
)

// noteUse is how old the note of a session's last use gets before it is written again.
const noteUse = 15 * time.Minute

// Driver is a contributor who asks.
type Driver struct {
	ID      survey.ContributorID
	Handle  string
	Payout  string // address in lower case; "" none
	Blocked bool   // nothing more is taken from them
	// Limits of their own; 0 means the server's.
	UploadBytes, DayBytes, OpenUploads int64
	Session                            string // id of the session; "" with a token
}

// Config of New. The zero value works.
type Config struct {
	Secure bool             // the network is reached by https, so the cookie is sent over nothing else
	Clock  func() time.Time // nil means time.Now
}

// Drivers tells contributors apart. It is safe for concurrent use.
type Drivers struct {
	Config
	db        *state.DB
	strangers *httpx.Limiter
}

// New gives the drivers of a network.
func New(db *state.DB, c Config) *Drivers {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	// Whoever brings nothing valid is slowed down by address.
	return &Drivers{Config: c, db: db, strangers: &httpx.Limiter{Rate: 1, Burst: 30, Name: "stranger"}}
}

const columns = `c.id, c.handle, c.payout_address, COALESCE(l.upload_bytes, 0), COALESCE(l.day_bytes, 0), COALESCE(l.open_uploads, 0), COALESCE(l.blocked_at, 0)`

// Identify gives the driver behind a request's bearer token or session. A session counts only for what our own pages sent.
// Anything else is Unauthorized, and Busy for an address that keeps trying.
func (d *Drivers) Identify(hc huma.Context) (Driver, error) {
	r, w := humago.Unwrap(hc)
	who, err := d.identify(r)
	if survey.KindOf(err) == survey.Unauthorized {
		if limit := d.strangers.Check(w.Header(), httpx.Address(r)); limit != nil {
			err = limit
		}
	}
	return who, err
}

func (d *Drivers) identify(r *http.Request) (Driver, error) {
	if r.Header.Get("Authorization") != "" {
		tok := httpx.BearerToken(r.Header.Get("Authorization"))
		if tok == "" {
			return Driver{}, survey.Errorf(survey.Unauthorized, "this needs a contributor's token").WithHint("send it as Authorization: Bearer …")
		}
		return d.byToken(r.Context(), tok)
	}
	c, err := r.Cookie(Cookie)
	if err != nil || c.Value == "" {
		return Driver{}, survey.Errorf(survey.Unauthorized, "this needs a contributor's token").WithHint("send it as Authorization: Bearer …, or sign in on the page")
	}
	if err := httpx.CrossOrigin(r); err != nil {
		return Driver{}, err
	}
	return d.bySession(r.Context(), c.Value)
}

func (d *Drivers) byToken(ctx context.Context, tok string) (who Driver, err error) {
	var blocked int64
	err = d.db.QueryRow(ctx, `SELECT `+columns+` FROM contributors c LEFT JOIN contributor_limits l ON l.contributor_id = c.id WHERE c.token_sha256 = $1`, httpx.Digest(tok)).
		Scan(&who.ID, &who.Handle, &who.Payout, &who.UploadBytes, &who.DayBytes, &who.OpenUploads, &blocked)
	if errors.Is(err, state.ErrNoRows) {
		return who, survey.Errorf(survey.Unauthorized, "the token is not known").WithHint("check for a copying mistake, or ask the operator for a new one")
	}
	who.Blocked = blocked > 0
	return who, err
}

func (d *Drivers) bySession(ctx context.Context, secret string) (who Driver, err error) {
	now := d.Clock()
	var blocked, used int64
	// The token is compared too: with a new one, every session that the old one began is over.
	err = d.db.QueryRow(ctx, `SELECT `+columns+`, s.id, s.used_at FROM driver_sessions s
		JOIN contributors c ON c.id = s.contributor_id AND c.token_sha256 = s.token_sha256
		LEFT JOIN contributor_limits l ON l.contributor_id = c.id
		WHERE s.sha256 = $1 AND s.used_at > $2 AND s.created_at > $3`, httpx.Digest(secret), state.Micros(now.Add(-IdleLife)), state.Micros(now.Add(-SessionLife))).
		Scan(&who.ID, &who.Handle, &who.Payout, &who.UploadBytes, &who.DayBytes, &who.OpenUploads, &blocked, &who.Session, &used)
	if errors.Is(err, state.ErrNoRows) {
		return who, survey.Errorf(survey.Unauthorized, "the session is over").WithHint("sign in again with your token")
	}
	who.Blocked = blocked > 0
	if err == nil && now.Sub(state.Time(used)) > noteUse {
		_, err = d.db.Exec(ctx, `UPDATE driver_sessions SET used_at = $1 WHERE id = $2 AND used_at < $1`, state.Micros(now), who.Session)
	}
	return who, err
}

// begin makes a session of the driver whose token it is, and gives its secret, of which only the hash is kept.
func (d *Drivers) begin(ctx context.Context, tok string) (secret string, who Driver, err error) {
	if who, err = d.byToken(ctx, tok); err != nil {
		return "", who, err
	}
	secret, who.Session = "rcs_"+httpx.NewSecret(32), httpx.NewSecret(8)
	now := d.Clock()
	return secret, who, d.db.Tx(ctx, func(tx *state.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM driver_sessions WHERE used_at <= $1 OR created_at <= $2`, state.Micros(now.Add(-IdleLife)), state.Micros(now.Add(-SessionLife))); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM driver_sessions WHERE contributor_id = $1 AND (token_sha256 <> $2 OR id NOT IN
			(SELECT id FROM driver_sessions WHERE contributor_id = $1 AND token_sha256 = $2 ORDER BY used_at DESC, id LIMIT $3))`, string(who.ID), httpx.Digest(tok), MaxSessions-1); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO driver_sessions (sha256, id, contributor_id, token_sha256, created_at, used_at) VALUES ($1, $2, $3, $4, $5, $5)`,
			httpx.Digest(secret), who.Session, string(who.ID), httpx.Digest(tok), state.Micros(now))
		return err
	})
}

// Session is one sign-in of a driver.
type Session struct {
	ID        string    `json:"id" doc:"Ends it with DELETE /v1/me/sessions/{id}."`
	CreatedAt time.Time `json:"created_at" doc:"UTC."`
	UsedAt    time.Time `json:"used_at" doc:"To a quarter of an hour, UTC."`
	EndsAt    time.Time `json:"ends_at" doc:"When it ends if it is not used again, UTC."`
	Current   bool      `json:"current" doc:"This request came with it."`
}

func (d *Drivers) sessions(ctx context.Context, who Driver) ([]Session, error) {
	now := d.Clock()
	rows, err := d.db.Query(ctx, `SELECT s.id, s.created_at, s.used_at FROM driver_sessions s JOIN contributors c ON c.id = s.contributor_id AND c.token_sha256 = s.token_sha256
		WHERE s.contributor_id = $1 AND s.used_at > $2 AND s.created_at > $3 ORDER BY s.created_at, s.id`,
		string(who.ID), state.Micros(now.Add(-IdleLife)), state.Micros(now.Add(-SessionLife)))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []Session{}
	for rows.Next() {
		var s Session
		var made, used int64
		if err := rows.Scan(&s.ID, &made, &used); err != nil {
			return nil, err
		}
		s.CreatedAt, s.UsedAt, s.Current = state.Time(made), state.Time(used), s.ID == who.Session
		s.EndsAt = s.UsedAt.Add(IdleLife)
		if last := s.CreatedAt.Add(SessionLife); last.Before(s.EndsAt) {
			s.EndsAt = last
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

type signInIn struct {
	Body struct {
		Token string `json:"token" minLength:"1" maxLength:"256" doc:"The contributor's token."`
	}
}

// SignedIn is who signed in.
type SignedIn struct {
	ID     survey.ContributorID `json:"id"`
	Handle string               `json:"handle"`
}

type signInOut struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
	Body      SignedIn
}

type signOutOut struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
}

type sessionList struct {
	Body struct {
		Sessions []Session `json:"sessions"`
	}
}

// Register adds the operations of sessions to the API.
func (d *Drivers) Register(api huma.API) {
	op := func(id, method, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: "/v1/me" + path, Summary: summary, Tags: []string{"contributors"}, MaxBodyBytes: 4 << 10}
	}
	login := op("sign-in", http.MethodPost, "/login", "Sign in with a token; the answer sets a session's cookie")
	login.Description = "For pages: the cookie is HttpOnly and SameSite=Strict. Programs send the token itself with every request."
	login.Middlewares = huma.Middlewares{httpx.OwnPage}
	httpx.Handle(api, login, d.login)
	logout := op("sign-out", http.MethodPost, "/logout", "End the session")
	logout.Middlewares = huma.Middlewares{httpx.OwnPage}
	logout.DefaultStatus = http.StatusNoContent
	httpx.Handle(api, logout, func(ctx context.Context, in *struct {
		Session string `cookie:"roadcomb_driver"`
	}) (*signOutOut, error) {
		_, err := d.db.Exec(ctx, `DELETE FROM driver_sessions WHERE sha256 = $1`, httpx.Digest(in.Session))
		return &signOutOut{[]http.Cookie{*d.cookie("")}}, err
	})
	Handle(api, d, op("list-sessions", http.MethodGet, "/sessions", "Where I am signed in"), func(ctx context.Context, who Driver, _ *struct{}) (*sessionList, error) {
		out := &sessionList{}
		var err error
		out.Body.Sessions, err = d.sessions(ctx, who)
		return out, err
	})
	end := op("end-session", http.MethodDelete, "/sessions/{id}", "Sign out elsewhere")
	end.DefaultStatus = http.StatusNoContent
	Handle(api, d, end, func(ctx context.Context, who Driver, in *struct {
		ID string `path:"id" maxLength:"80"`
	}) (*struct{}, error) {
		n, err := d.db.Exec(ctx, `DELETE FROM driver_sessions WHERE id = $1 AND contributor_id = $2`, in.ID, string(who.ID))
		if err == nil && n == 0 {
			err = survey.Errorf(survey.NotFound, "no session %.40q", in.ID)
		}
		return nil, err
	})
}

func (d *Drivers) login(ctx context.Context, in *signInIn) (*signInOut, error) {
	secret, who, err := d.begin(ctx, strings.TrimSpace(in.Body.Token))
	if survey.KindOf(err) == survey.Unauthorized {
		if limit := d.strangers.Check(http.Header{}, httpx.Address(httpx.Request(ctx))); limit != nil {
			err = limit
		}
	}
	if err != nil {
		return nil, err
	}
	return &signInOut{SetCookie: []http.Cookie{*d.cookie(secret)}, Body: SignedIn{who.ID, who.Handle}}, nil
}

func (d *Drivers) cookie(secret string) *http.Cookie {
	return httpx.SessionCookie(Cookie, secret, SessionLife, d.Secure)
}

type driverKey struct{}

// Handle registers an operation for drivers; also runs before fn, with the driver known, and may refuse.
func Handle[I, O any](api huma.API, d *Drivers, op huma.Operation, fn func(context.Context, Driver, *I) (*O, error), also ...func(huma.Context, Driver) error) {
	op.Security = httpx.Security(httpx.DriverAuth)
	op.Middlewares = append(op.Middlewares[:len(op.Middlewares):len(op.Middlewares)], httpx.Guard(func(hc huma.Context) (context.Context, error) {
		who, err := d.Identify(hc)
		for _, check := range also {
			if err == nil {
				err = check(hc, who)
			}
		}
		return context.WithValue(hc.Context(), driverKey{}, who), err
	}))
	httpx.Handle(api, op, func(ctx context.Context, in *I) (*O, error) {
		return fn(ctx, ctx.Value(driverKey{}).(Driver), in)
	})
}
