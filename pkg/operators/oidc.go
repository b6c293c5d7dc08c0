package operators

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// OIDC lets people in whom an OpenID Connect provider knows: authorization code with PKCE (RFC 7636), state and nonce.
// The provider says who they are and, in a claim, which role they have; without a role nobody gets in.
type OIDC struct {
	Issuer, ClientID string
	ClientSecret     survey.Secret
	// Redirect is the address of our callback as the provider knows it: https://…/v1/operator/oidc/callback.
	Redirect string
	// RoleClaim names the claim that holds a role or a list of them, "" means "roles"; a dot goes into an object. Values
	// that are no role are mapped by Roles first, and ignored otherwise. Of several the mightiest counts.
	RoleClaim string
	Roles     map[string]httpx.Role
	// Client asks the provider; nil means http.DefaultClient.
	Client *http.Client

	mu       sync.Mutex
	provider *oidc.Provider
}

// flowCookie carries state, nonce and verifier from the way there to the way back.
const flowCookie = "roadcomb_oidc"

const flowLife = 10 * time.Minute

func (c *OIDC) context(ctx context.Context) context.Context {
	if c.Client != nil {
		return oidc.ClientContext(ctx, c.Client)
	}
	return ctx
}

// open asks the provider where its endpoints are, once it is needed: a provider that is away must not keep the network
// from starting.
func (c *OIDC) open(ctx context.Context) (*oidc.Provider, *oauth2.Config, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.provider == nil {
		// The provider keeps the context for its keys, so it must outlive this request.
		ask, cancel := context.WithTimeout(c.context(context.WithoutCancel(ctx)), 10*time.Second)
		defer cancel()
		p, err := oidc.NewProvider(ask, c.Issuer)
		if err != nil {
			return nil, nil, survey.Errorf(survey.Unavailable, "OpenID Connect provider: %w", err)
		}
		c.provider = p
	}
	return c.provider, &oauth2.Config{ClientID: c.ClientID, ClientSecret: c.ClientSecret.Reveal(), Endpoint: c.provider.Endpoint(), RedirectURL: c.Redirect, Scopes: []string{oidc.ScopeOpenID, "profile", "email"}}, nil
}

func (o *Operators) oidcRoutes(mux httpx.Mux) {
	mux.HandleFunc("GET /v1/operator/oidc/login", o.oidcLogin)
	mux.HandleFunc("GET /v1/operator/oidc/callback", o.oidcCallback)
}

func (o *Operators) oidcLogin(w http.ResponseWriter, r *http.Request) {
	err := o.logins.Check(w.Header(), "address "+httpx.Address(r))
	var conf *oauth2.Config
	if err == nil {
		_, conf, err = o.OIDC.open(r.Context())
	}
	if err != nil {
		httpx.WriteProblem(w, r, err)
		return
	}
	state, nonce, verifier := httpx.NewSecret(16), httpx.NewSecret(16), oauth2.GenerateVerifier()
	// Lax, because the provider sends the browser back from another site.
	http.SetCookie(w, &http.Cookie{Name: flowCookie, Value: state + "." + nonce + "." + verifier, Path: "/v1/operator/oidc/", HttpOnly: true, // #nosec G124 -- Secure where the map is served over TLS
		SameSite: http.SameSiteLaxMode, Secure: o.Secure, MaxAge: int(flowLife.Seconds())})
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, conf.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)), http.StatusFound)
}

func (o *Operators) oidcCallback(w http.ResponseWriter, r *http.Request) {
	secret, err := o.fromProvider(r)
	http.SetCookie(w, &http.Cookie{Name: flowCookie, Path: "/v1/operator/oidc/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: o.Secure}) // #nosec G124 -- see above
	if err != nil {
		o.Log.WarnContext(r.Context(), "operator login through OpenID Connect refused", "address", httpx.Address(r), "err", err)
		httpx.WriteProblem(w, r, err)
		return
	}
	http.SetCookie(w, o.cookie(secret))
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "text/html; charset=utf-8")
	// A redirect would still be the provider's navigation, for which browsers withhold a strict cookie; a page of ours
	// that goes on is not.
	fmt.Fprint(w, `<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=/operator/"><title>Logged in</title><a href="/operator/">Go on</a>`)
}

func (o *Operators) fromProvider(r *http.Request) (secret string, err error) {
	c, err := r.Cookie(flowCookie)
	if err != nil {
		return "", survey.Errorf(survey.Unauthorized, "the login did not begin in this browser").WithHint("begin again at /operator/")
	}
	parts := strings.SplitN(c.Value, ".", 3)
	q := r.URL.Query()
	if len(parts) != 3 || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(parts[0])) != 1 {
		return "", survey.Errorf(survey.Unauthorized, "the provider's answer belongs to another login").WithHint("begin again at /operator/")
	}
	if e := q.Get("error"); e != "" {
		return "", survey.Errorf(survey.Unauthorized, "the provider refused: %.100q", e)
	}
	p, conf, err := o.OIDC.open(r.Context())
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(o.OIDC.context(r.Context()), 15*time.Second)
	defer cancel()
	tok, err := conf.Exchange(ctx, q.Get("code"), oauth2.VerifierOption(parts[2]))
	if err != nil {
		return "", survey.Errorf(survey.Unauthorized, "the provider did not take the code").WithHint("begin again at /operator/")
	}
	raw, _ := tok.Extra("id_token").(string)
	id, err := p.VerifierContext(ctx, &oidc.Config{ClientID: o.OIDC.ClientID, Now: o.Clock}).Verify(ctx, raw)
	if err != nil {
		return "", survey.Errorf(survey.Unauthorized, "the provider's token does not hold: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(parts[1])) != 1 {
		return "", survey.Errorf(survey.Unauthorized, "the provider's token belongs to another login")
	}
	var claims map[string]any
	if err := id.Claims(&claims); err != nil {
		return "", survey.Errorf(survey.Unauthorized, "the provider's claims: %w", err)
	}
	role := o.OIDC.role(claims)
	if role == "" {
		return "", survey.Errorf(survey.Unauthorized, "the provider gives you no role here").WithHint("ask for one of %v in the claim %q", httpx.Roles(), o.OIDC.claim())
	}
	a := httpx.Actor{Name: oidcName(o.OIDC.Issuer, id.Subject, claims), Role: role, Via: "oidc"}
	end, err := o.Begin(ctx, a, httpx.Act{Name: "login"})
	if err != nil {
		return "", err
	}
	secret, err = o.session(ctx, a.Name, role, "oidc", SessionLife)
	end(outcome(err), "")
	return secret, err
}

func (c *OIDC) claim() string {
	if c.RoleClaim == "" {
		return "roles"
	}
	return c.RoleClaim
}

// role is the mightiest role in the claims, or "".
func (c *OIDC) role(claims map[string]any) httpx.Role {
	var v any = claims[c.claim()]
	if v == nil {
		v = claims
		for _, k := range strings.Split(c.claim(), ".") {
			m, _ := v.(map[string]any)
			v = m[k]
		}
	}
	has := map[httpx.Role]bool{}
	add := func(v any) {
		s, _ := v.(string)
		if r, ok := c.Roles[s]; ok {
			has[r] = true
		} else if r, err := ParseRole(s); err == nil {
			has[r] = true
		}
	}
	if list, ok := v.([]any); ok {
		for _, x := range list {
			add(x)
		}
	} else {
		add(v)
	}
	for _, r := range httpx.Roles() {
		if has[r] {
			return r
		}
	}
	return ""
}

var plain = regexp.MustCompile(`[^A-Za-z0-9._@-]+`)

// oidcName tells people apart in the audit log: a readable part, which the provider may give to someone else later, and
// a digest of issuer and subject, which it may not (OpenID Connect Core §2). The colon keeps it apart from local names.
func oidcName(issuer, subject string, claims map[string]any) string {
	h := sha256.Sum256([]byte(issuer + "\x00" + subject))
	name := ""
	for _, k := range []string{"preferred_username", "email", "name"} {
		if s, _ := claims[k].(string); s != "" && name == "" {
			name = plain.ReplaceAllString(s, "_")
		}
	}
	if len(name) > 60 {
		name = name[:60]
	}
	return "oidc:" + name + ":" + hex.EncodeToString(h[:6])
}
