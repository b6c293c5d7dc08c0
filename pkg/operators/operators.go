// Package operators knows who runs the network and keeps what they do: local accounts with hashed passwords, sessions and
// tokens, OpenID Connect, roles, and an audit log in which every entry's hash covers the one before.
//
// It refuses to know what an operator's act is: each stage registers its own operations with httpx.HandleOperator, and
// this package says who asks and writes it down. Nothing here is public, and no contributor or customer is an operator.
package operators

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Root is the name of whoever bears the token of the data folder's secrets.
const Root = "root"

// Cookie names the session's cookie.
const Cookie = "roadcomb_operator"

// SessionLife is how long a login lasts.
const SessionLife = 8 * time.Hour

// Config of New. The zero value lets in only accounts of the database.
type Config struct {
	// RootToken opens everything as Root; "" closes that way. It is how a network without accounts begins.
	RootToken survey.Secret
	OIDC      *OIDC            // nil: no OpenID Connect
	Secure    bool             // the network is reached by https, so the cookie is sent over nothing else
	Log       *slog.Logger     // nil discards
	Clock     func() time.Time // nil means time.Now
}

// Operators is the accounts and the audit log of one network. It is safe for concurrent use.
type Operators struct {
	Config
	db     *state.DB
	logins *httpx.Limiter // by address and by name
	hashes chan struct{}  // bounds the memory that password hashing takes
}

var _ httpx.Operators = (*Operators)(nil)

// New gives the operators of a network.
func New(db *state.DB, c Config) *Operators {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return &Operators{Config: c, db: db, logins: &httpx.Limiter{Rate: 1.0 / 10, Burst: 10, Name: "login", Clock: c.Clock}, hashes: make(chan struct{}, 2)}
}

// Account is an operator with an entry in the database.
type Account struct {
	Name       string     `json:"name"`
	Role       httpx.Role `json:"role" enum:"admin,operator,reviewer,fleet,auditor"`
	CreatedAt  time.Time  `json:"created_at"`
	DisabledAt *time.Time `json:"disabled_at,omitempty"`
}

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._@-]{0,79}$`)

// Add makes an account. An empty password leaves tokens as the only way in.
func (o *Operators) Add(ctx context.Context, name string, role httpx.Role, password string) error {
	if !nameForm.MatchString(name) || name == Root {
		return survey.Errorf(survey.Invalid, "operator name %q", name).WithHint("use 1 to 80 of a-z, 0-9, . _ @ -, beginning with a letter or digit, and not %s", Root)
	}
	if !slices.Contains(httpx.Roles(), role) {
		return survey.Errorf(survey.Invalid, "role %q", role).WithHint("the roles are %v", httpx.Roles())
	}
	hash, err := o.hash(ctx, password)
	if err != nil {
		return err
	}
	n, err := o.db.Exec(ctx, `INSERT INTO operators (name, role, password, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO NOTHING`,
		name, string(role), hash, state.Micros(o.Clock()))
	if err == nil && n == 0 {
		err = survey.Errorf(survey.Conflict, "there is an operator %s", name).WithHint("disable it, or choose another name; names are not used twice, because the audit log tells people by them")
	}
	return err
}

// SetRole changes what an operator may do, at once also for sessions that exist.
func (o *Operators) SetRole(ctx context.Context, name string, role httpx.Role) error {
	if !slices.Contains(httpx.Roles(), role) {
		return survey.Errorf(survey.Invalid, "role %q", role).WithHint("the roles are %v", httpx.Roles())
	}
	return o.change(ctx, name, `UPDATE operators SET role = $1 WHERE name = $2 AND disabled_at = 0`, string(role))
}

// SetPassword replaces the password and ends the sessions; "" closes that way in.
func (o *Operators) SetPassword(ctx context.Context, name, password string) error {
	hash, err := o.hash(ctx, password)
	if err != nil {
		return err
	}
	if err := o.change(ctx, name, `UPDATE operators SET password = $1 WHERE name = $2 AND disabled_at = 0`, hash); err != nil {
		return err
	}
	_, err = o.db.Exec(ctx, `DELETE FROM operator_sessions WHERE name = $1 AND kind = 'session'`, name)
	return err
}

// Disable ends an account, its sessions and its tokens. The name stays taken.
func (o *Operators) Disable(ctx context.Context, name string) error {
	return o.db.Tx(ctx, func(tx *state.Tx) error {
		n, err := tx.Exec(ctx, `UPDATE operators SET disabled_at = $1, password = '' WHERE name = $2 AND disabled_at = 0`, state.Micros(o.Clock()), name)
		if err != nil {
			return err
		}
		k, err := tx.Exec(ctx, `DELETE FROM operator_sessions WHERE name = $1`, name)
		if err == nil && n+k == 0 {
			err = noOperator(name)
		}
		return err
	})
}

func (o *Operators) change(ctx context.Context, name, q, value string) error {
	n, err := o.db.Exec(ctx, q, value, name)
	if err == nil && n == 0 {
		err = noOperator(name)
	}
	return err
}

func noOperator(name string) error {
	return survey.Errorf(survey.NotFound, "no operator %q in force", name).WithHint("roadcomb operators list shows them")
}

// List gives the accounts by name.
func (o *Operators) List(ctx context.Context) ([]Account, error) {
	rows, err := o.db.Query(ctx, `SELECT name, role, created_at, disabled_at FROM operators ORDER BY name`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []Account{}
	for rows.Next() {
		var a Account
		var made, off int64
		if err := rows.Scan(&a.Name, &a.Role, &made, &off); err != nil {
			return nil, err
		}
		a.CreatedAt = state.Time(made)
		if off != 0 {
			t := state.Time(off)
			a.DisabledAt = &t
		}
		out = append(out, a)
	}
	return out, rows.Err()
}

// NewToken makes a token for a program that acts as the operator. It is shown this once; only its hash is kept.
func (o *Operators) NewToken(ctx context.Context, name string, life time.Duration) (string, error) {
	if life <= 0 {
		return "", survey.Errorf(survey.Invalid, "life of a token: %v", life).WithHint("it must be longer than nothing")
	}
	var role string
	err := o.db.QueryRow(ctx, `SELECT role FROM operators WHERE name = $1 AND disabled_at = 0`, name).Scan(&role)
	if errors.Is(err, state.ErrNoRows) {
		return "", noOperator(name)
	}
	if err != nil {
		return "", err
	}
	return o.session(ctx, name, httpx.Role(role), "token", life)
}

func (o *Operators) session(ctx context.Context, name string, role httpx.Role, kind string, life time.Duration) (string, error) {
	secret := "op_" + httpx.NewSecret(32)
	now := o.Clock()
	return secret, o.db.Tx(ctx, func(tx *state.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM operator_sessions WHERE expires_at < $1`, state.Micros(now)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO operator_sessions (sha256, name, role, kind, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)`,
			httpx.Digest(secret), name, string(role), kind, state.Micros(now), state.Micros(now.Add(life)))
		return err
	})
}

// Login checks a password and begins a session. Tries are limited by name and by address; what failed is not said.
func (o *Operators) Login(ctx context.Context, name, password, address string) (secret string, a httpx.Actor, err error) {
	h := http.Header{}
	for _, k := range []string{"address " + address, "name " + name} {
		if err := o.logins.Check(h, k); err != nil {
			return "", a, err
		}
	}
	var role, hash string
	err = o.db.QueryRow(ctx, `SELECT role, password FROM operators WHERE name = $1 AND disabled_at = 0`, name).Scan(&role, &hash)
	if err != nil && !errors.Is(err, state.ErrNoRows) {
		return "", a, err
	}
	ok, err := o.check(ctx, hash, password) // also for a name that is not there, so that time tells nothing
	if err != nil {
		return "", a, err
	}
	if !ok {
		o.Log.WarnContext(ctx, "operator login refused", "address", address)
		return "", a, survey.Errorf(survey.Unauthorized, "the name or the password is wrong").WithHint("an admin can set a new one: roadcomb operators password NAME")
	}
	a = httpx.Actor{Name: name, Role: httpx.Role(role), Via: "session"}
	end, err := o.Begin(ctx, a, httpx.Act{Name: "login"})
	if err != nil {
		return "", a, err
	}
	secret, err = o.session(ctx, name, a.Role, "session", SessionLife)
	end(outcome(err), "")
	return secret, a, err
}

// Logout ends a session.
func (o *Operators) Logout(ctx context.Context, secret string) error {
	_, err := o.db.Exec(ctx, `DELETE FROM operator_sessions WHERE sha256 = $1 AND kind <> 'token'`, httpx.Digest(secret))
	return err
}

// Identify gives the operator behind a bearer token or the session's cookie. A cookie counts only for requests that our
// own pages sent.
func (o *Operators) Identify(r *http.Request) (httpx.Actor, error) {
	tok := httpx.BearerToken(r.Header.Get("Authorization"))
	if tok == "" {
		c, err := r.Cookie(Cookie)
		if err != nil || c.Value == "" {
			return httpx.Actor{}, survey.Errorf(survey.Unauthorized, "this needs an operator's token").WithHint("send it as Authorization: Bearer …, or log in at /operator/")
		}
		if err := httpx.CrossOrigin(r); err != nil {
			return httpx.Actor{}, err
		}
		tok = c.Value
	} else if o.RootToken != "" {
		given, want := sha256.Sum256([]byte(tok)), sha256.Sum256([]byte(o.RootToken.Reveal()))
		if subtle.ConstantTimeCompare(given[:], want[:]) == 1 {
			return httpx.Actor{Name: Root, Role: httpx.RoleAdmin, Via: "root"}, nil
		}
	}
	a := httpx.Actor{}
	refused := survey.Errorf(survey.Unauthorized, "the operator's token or session is not in force").WithHint("log in again, or ask an admin for a new token")
	if !strings.HasPrefix(tok, "op_") {
		return a, refused
	}
	err := o.db.QueryRow(r.Context(), `SELECT s.name, CASE WHEN s.kind = 'oidc' THEN s.role ELSE COALESCE(o.role, '') END, s.kind
		FROM operator_sessions s LEFT JOIN operators o ON o.name = s.name AND o.disabled_at = 0
		WHERE s.sha256 = $1 AND s.expires_at > $2`, httpx.Digest(tok), state.Micros(o.Clock())).Scan(&a.Name, &a.Role, &a.Via)
	if errors.Is(err, state.ErrNoRows) || err == nil && a.Role == "" {
		return httpx.Actor{}, refused
	}
	return a, err
}

func outcome(err error) string {
	if err != nil {
		return "failed"
	}
	return "done"
}
