package httpx

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// NewSecret is n random bytes in hex.
func NewSecret(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// Digest is what is kept of a secret that was given out: its SHA-256 in hex.
func Digest(secret string) string { return survey.HashOf([]byte(secret)).String() }

// SessionCookie hands a page its session's secret, out of reach of its scripts and of other sites; secure leaves out all
// but https. An empty secret takes the cookie back.
func SessionCookie(name, secret string, life time.Duration, secure bool) *http.Cookie {
	c := &http.Cookie{Name: name, Value: secret, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: secure, MaxAge: int(life.Seconds())} // #nosec G124 -- Secure where the network is served over TLS
	if secret == "" {
		c.MaxAge = -1
	}
	return c
}

type requestKey struct{}

// OwnPage is a middleware of operations that begin or end a session: it refuses what another site's page sent, which could
// sign its victim in as somebody else. Request gives the request to what it lets through.
func OwnPage(hc huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(hc)
	if err := CrossOrigin(r); err != nil {
		WriteProblem(w, r, err)
		return
	}
	next(huma.WithValue(hc, requestKey{}, r))
}

// Request is the request behind OwnPage; nil without it.
func Request(ctx context.Context) *http.Request {
	r, _ := ctx.Value(requestKey{}).(*http.Request)
	return r
}
