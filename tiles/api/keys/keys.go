// Package keys holds the customers' API keys: made and revoked by the operator, stored hashed, with scopes, an origin
// allow-list, quotas and a balance of credits. It knows no HTTP and no price.
package keys

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Scope is what a key may do.
type Scope string

const (
	Imagery  Scope = "imagery"  // query imagery, for credits
	Tiles    Scope = "tiles"    // tiles, where they are not open to all
	Datasets Scope = "datasets" // download datasets, where they are not open to all
)

var scopes = []Scope{Datasets, Imagery, Tiles}

// Key is an API key without its secret.
type Key struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Scopes    []Scope   `json:"scopes"`
	Origins   []string  `json:"origins,omitempty"` // web origins that may use it; empty: any caller
	PerMinute int64     `json:"per_minute"`        // requests
	PerDay    int64     `json:"per_day"`           // requests, by UTC day
	Credits   int64     `json:"credits"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`
}

// Allows reports whether the key has the scope.
func (k Key) Allows(s Scope) bool { return slices.Contains(k.Scopes, s) }

// AllowsOrigin reports whether a request with this Origin header ("" without one) may use the key.
func (k Key) AllowsOrigin(origin string) bool {
	return len(k.Origins) == 0 || slices.Contains(k.Origins, strings.ToLower(strings.TrimSuffix(origin, "/")))
}

// Options of a new key. The zero value is an imagery key for any caller, with 100 requests a minute and 15,000 a day.
type Options struct {
	Scopes            []Scope
	Origins           []string // "https://example.org", or with a port
	PerMinute, PerDay int64
	Credits           int64
	Expires           time.Time // zero: never
}

const prefix = "rck_" // lets secret scanners know one

// Create makes a key and gives its secret, which is not kept and cannot be shown again.
func Create(ctx context.Context, db *state.DB, name string, o Options, now time.Time) (Key, string, error) {
	if n := utf8.RuneCountInString(name); n == 0 || n > 80 || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return Key{}, "", survey.Errorf(survey.Invalid, "name %.80q is not 1 to 80 printable characters", name)
	}
	k := Key{Name: name, Scopes: slices.Clone(o.Scopes), PerMinute: o.PerMinute, PerDay: o.PerDay, CreatedAt: now.UTC(), ExpiresAt: o.Expires.UTC()}
	if len(k.Scopes) == 0 {
		k.Scopes = []Scope{Imagery}
	}
	slices.Sort(k.Scopes)
	k.Scopes = slices.Compact(k.Scopes)
	for _, s := range k.Scopes {
		if !slices.Contains(scopes, s) {
			return Key{}, "", survey.Errorf(survey.Invalid, "scope %.40q is not one of %v", s, scopes)
		}
	}
	for _, origin := range o.Origins {
		u, err := url.Parse(strings.ToLower(strings.TrimSuffix(origin, "/")))
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil {
			return Key{}, "", survey.Errorf(survey.Invalid, "origin %.80q is not like https://example.org", origin)
		}
		k.Origins = append(k.Origins, u.String())
	}
	if k.PerMinute == 0 {
		k.PerMinute = 100
	}
	if k.PerDay == 0 {
		k.PerDay = 15_000
	}
	if k.PerMinute < 1 || k.PerDay < 1 || o.Credits < 0 {
		return Key{}, "", survey.Errorf(survey.Invalid, "quotas are at least 1 and credits not negative")
	}
	var raw [28]byte
	rand.Read(raw[:]) // never fails (crypto/rand)
	k.ID = hex.EncodeToString(raw[:8])
	secret := prefix + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw[8:]))
	err := db.Tx(ctx, func(tx *state.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO api_keys (id, name, sha256, scopes, origins, per_minute, per_day, created_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, k.ID, k.Name, digest(secret), list(k.Scopes), list(k.Origins), k.PerMinute, k.PerDay,
			state.Micros(k.CreatedAt), state.Micros(o.Expires))
		if err == nil && o.Credits > 0 {
			k.Credits, err = Change(ctx, tx, k.ID, o.Credits, "opening balance", now)
		}
		return err
	})
	return k, secret, err
}

func digest(secret string) string {
	h := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(h[:])
}

func list[T ~string](v []T) string {
	if v == nil {
		v = []T{}
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings encode
	}
	return string(b)
}

const columns = `id, name, scopes, origins, per_minute, per_day, credits, created_at, expires_at, revoked_at`

func scan(row interface{ Scan(...any) error }) (k Key, err error) {
	var sc, or string
	var created, expires, revoked int64
	if err = row.Scan(&k.ID, &k.Name, &sc, &or, &k.PerMinute, &k.PerDay, &k.Credits, &created, &expires, &revoked); err != nil {
		return k, err
	}
	k.CreatedAt, k.ExpiresAt, k.RevokedAt = state.Time(created), state.Time(expires), state.Time(revoked)
	return k, errors.Join(json.Unmarshal([]byte(sc), &k.Scopes), json.Unmarshal([]byte(or), &k.Origins))
}

// Find gives the key that the secret opens, as it is at now. An unknown, revoked or expired one is Unauthorized; the
// answer does not say which.
func Find(ctx context.Context, q state.Querier, secret string, now time.Time) (Key, error) {
	unknown := survey.Errorf(survey.Unauthorized, "the API key is not known or no longer in force")
	if !strings.HasPrefix(secret, prefix) || len(secret) > 80 {
		return Key{}, unknown
	}
	k, err := scan(q.QueryRow(ctx, `SELECT `+columns+` FROM api_keys WHERE sha256 = $1`, digest(secret)))
	if errors.Is(err, state.ErrNoRows) {
		return Key{}, unknown
	}
	if err == nil && (!k.RevokedAt.IsZero() || !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt)) {
		return Key{}, unknown
	}
	return k, err
}

// Get gives a key by its id; NotFound when there is none.
func Get(ctx context.Context, q state.Querier, id string) (Key, error) {
	k, err := scan(q.QueryRow(ctx, `SELECT `+columns+` FROM api_keys WHERE id = $1`, id))
	if errors.Is(err, state.ErrNoRows) {
		return Key{}, survey.Errorf(survey.NotFound, "there is no key %.40q", id)
	}
	return k, err
}

// List gives all keys, oldest first, revoked ones too.
func List(ctx context.Context, q state.Querier) ([]Key, error) {
	rows, err := q.Query(ctx, `SELECT `+columns+` FROM api_keys ORDER BY created_at, id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Key
	for rows.Next() {
		k, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	return out, rows.Err()
}

// Revoke ends a key at once; what it used and bought stays on record. An unknown id is NotFound, a key revoked before
// stays as it is.
func Revoke(ctx context.Context, db *state.DB, id string, now time.Time) error {
	return db.Tx(ctx, func(tx *state.Tx) error {
		if _, err := Get(ctx, tx, id); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at = 0`, id, state.Micros(now))
		return err
	})
}

// Credit adds credits to a key (takes them, if amount is negative) and gives the new balance. A balance never goes below
// zero: that is Conflict.
func Credit(ctx context.Context, db *state.DB, id string, amount int64, note string, now time.Time) (balance int64, err error) {
	err = db.Tx(ctx, func(tx *state.Tx) error {
		if _, err := Get(ctx, tx, id); err != nil {
			return err
		}
		balance, err = Change(ctx, tx, id, amount, note, now)
		return err
	})
	return balance, err
}

// Change is Credit within a transaction, for a key that exists.
func Change(ctx context.Context, tx *state.Tx, id string, amount int64, note string, now time.Time) (balance int64, err error) {
	n, err := tx.Exec(ctx, `UPDATE api_keys SET credits = credits + $2 WHERE id = $1 AND credits + $2 >= 0`, id, amount)
	if err != nil {
		return 0, err
	}
	var seq int64
	if err := tx.QueryRow(ctx, `SELECT credits, (SELECT COALESCE(MAX(seq), 0) FROM api_credits WHERE key_id = $1) FROM api_keys WHERE id = $1`, id).Scan(&balance, &seq); err != nil {
		return 0, err
	}
	if n == 0 {
		return balance, survey.Errorf(survey.Conflict, "the balance is %d credits, %d are needed", balance, -amount)
	}
	_, err = tx.Exec(ctx, `INSERT INTO api_credits (key_id, seq, at, amount, balance, note) VALUES ($1, $2, $3, $4, $5, $6)`, id, seq+1, state.Micros(now), amount, balance, note)
	return balance, err
}

// Entry is a change of a balance.
type Entry struct {
	At      time.Time `json:"at"`
	Amount  int64     `json:"amount"`
	Balance int64     `json:"balance"`
	Note    string    `json:"note"`
}

// Statement gives the newest entries of a key's balance, newest first, at most limit.
func Statement(ctx context.Context, q state.Querier, id string, limit int) ([]Entry, error) {
	rows, err := q.Query(ctx, `SELECT at, amount, balance, note FROM api_credits WHERE key_id = $1 ORDER BY seq DESC LIMIT $2`, id, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []Entry{}
	for rows.Next() {
		var e Entry
		var at int64
		if err := rows.Scan(&at, &e.Amount, &e.Balance, &e.Note); err != nil {
			return nil, err
		}
		e.At = state.Time(at)
		out = append(out, e)
	}
	return out, rows.Err()
}

// Day is a key's use on one UTC day.
type Day struct {
	Day      string `json:"day"`
	Requests int64  `json:"requests"`
	Frames   int64  `json:"frames"`
	Credits  int64  `json:"credits"`
}

// Used adds to a key's use of today and gives the day's sum.
func Used(ctx context.Context, tx *state.Tx, id string, requests, frames, credits int64, now time.Time) (Day, error) {
	d := Day{Day: now.UTC().Format(time.DateOnly)}
	if _, err := tx.Exec(ctx, `INSERT INTO api_usage (key_id, day, requests, frames, credits) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (key_id, day) DO UPDATE SET requests = api_usage.requests + excluded.requests, frames = api_usage.frames + excluded.frames,
		credits = api_usage.credits + excluded.credits`, id, d.Day, requests, frames, credits); err != nil {
		return d, err
	}
	err := tx.QueryRow(ctx, `SELECT requests, frames, credits FROM api_usage WHERE key_id = $1 AND day = $2`, id, d.Day).Scan(&d.Requests, &d.Frames, &d.Credits)
	return d, err
}

// Usage gives a key's use by day, newest first, at most limit days.
func Usage(ctx context.Context, q state.Querier, id string, limit int) ([]Day, error) {
	rows, err := q.Query(ctx, `SELECT day, requests, frames, credits FROM api_usage WHERE key_id = $1 ORDER BY day DESC LIMIT $2`, id, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []Day{}
	for rows.Next() {
		var d Day
		if err := rows.Scan(&d.Day, &d.Requests, &d.Frames, &d.Credits); err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, rows.Err()
}
