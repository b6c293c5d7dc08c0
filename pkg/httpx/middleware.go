package httpx

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Options of Wrap. The zero value works.
type Options struct {
	Log *slog.Logger // nil discards
	// MaxBody is the most bytes of a request body; 0 means 64 MiB. Operations set narrower limits of their own.
	MaxBody int64
	// Clock is used for durations in the access log; nil means time.Now.
	Clock func() time.Time
	// MaxRequests is how many requests are worked on at a time; another such number waits for up to QueueTime (0 means two
	// seconds), and what comes beyond, or waits longer, is answered 503 with Retry-After at once. 0 sets no bound. Long
	// polls and event streams (Parks) wait for others rather than work and have a bound of their own, 40 times as high.
	MaxRequests int
	QueueTime   time.Duration
	// Parks reports a request that spends its time waiting; nil means one with a query parameter wait, or that accepts
	// text/event-stream.
	Parks func(*http.Request) bool
	// Spares reports a request that is never turned away, such as a probe for health; nil means paths ending in /health,
	// /healthz, /readyz and /metrics.
	Spares func(*http.Request) bool
}

const defaultMaxBody = 64 << 20

type ctxKey struct{}

// entry is what a request leaves for the access log.
type entry struct {
	id       string
	err      error
	tooLarge bool // the body went over MaxBody
}

// body notes that the limit was passed, because what reads it may report only that reading failed.
type body struct {
	io.ReadCloser
	e *entry
}

func (b body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	var over *http.MaxBytesError
	if errors.As(err, &over) {
		b.e.tooLarge = true
	}
	return n, err
}

// RequestID names the request that ctx belongs to; "" outside of Wrap.
func RequestID(ctx context.Context) string {
	if e, ok := ctx.Value(ctxKey{}).(*entry); ok {
		return e.id
	}
	return ""
}

// noteError keeps faults of ours for the access log; what a client did wrong is in its answer.
func noteError(ctx context.Context, status int, err error) {
	if e, ok := ctx.Value(ctxKey{}).(*entry); ok && status >= 500 && e.err == nil {
		e.err = err
	}
}

// Wrap gives every request an id (the caller's X-Request-Id if it is plain, answered in the same header), safe headers, a
// bounded body, a line in the access log, and an answer when its handler panics. The log names the route, not the
// path's values or the query, which may hold a position or a credential.
func Wrap(next http.Handler, o Options) http.Handler {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MaxBody <= 0 {
		o.MaxBody = defaultMaxBody
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	gate := newGate(o)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := o.Clock()
		e := &entry{id: requestID(r.Header.Get("X-Request-Id"))}
		r = r.WithContext(context.WithValue(r.Context(), ctxKey{}, e))
		h := w.Header()
		h.Set("X-Request-Id", e.id)
		SecurityHeaders(h)
		if r.Header.Get("Authorization") != "" {
			h.Set("Cache-Control", "no-store")
		}
		r.Body = body{http.MaxBytesReader(w, r.Body, o.MaxBody), e}
		rec := &recorder{ResponseWriter: w, e: e}
		defer func() {
			if v := recover(); v != nil {
				if v == http.ErrAbortHandler {
					panic(v)
				}
				e.err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
				if rec.status == 0 {
					WriteProblem(rec, r, survey.Errorf(survey.Internal, "panic"))
				}
			}
			o.access(r, rec, e, began)
		}()
		leave, err := gate.enter(r)
		if err != nil {
			WriteProblem(rec, r, err)
			return
		}
		defer leave()
		next.ServeHTTP(rec, r)
	})
}

func (o Options) access(r *http.Request, rec *recorder, e *entry, began time.Time) {
	level := slog.LevelInfo
	attrs := []slog.Attr{
		slog.String("request_id", e.id), slog.String("method", r.Method), slog.String("route", r.Pattern),
		slog.Int("status", rec.code()), slog.Int64("bytes", rec.bytes), slog.Duration("took", o.Clock().Sub(began)),
	}
	if rec.code() >= 500 || e.err != nil {
		level = slog.LevelError
		if e.err != nil {
			attrs = append(attrs, slog.String("error", e.err.Error()))
		}
	}
	o.Log.LogAttrs(r.Context(), level, "request", attrs...)
}

// requestID keeps a caller's id of 1 to 64 plain characters and makes one otherwise.
func requestID(given string) string {
	ok := len(given) > 0 && len(given) <= 64
	for i := 0; ok && i < len(given); i++ {
		c := given[i]
		ok = c == '-' || c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
	}
	if ok {
		return given
	}
	var b [12]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// SecurityHeaders sets what is safe for an API's answers. Pages set their own Content-Security-Policy, see PagePolicy.
func SecurityHeaders(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(self)")
}

// PagePolicy is the Content-Security-Policy of our web pages: own scripts and styles, workers from blobs (the map needs
// them), and connections to this server and the given origins (the object store, for uploads).
func PagePolicy(connect ...string) string {
	return "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self'; " +
		"worker-src 'self' blob:; child-src blob:; manifest-src 'self'; connect-src " + strings.Join(append([]string{"'self'"}, connect...), " ") +
		"; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
}

// recorder notes the status and size of an answer.
type recorder struct {
	http.ResponseWriter
	e      *entry
	status int
	bytes  int64
}

func (r *recorder) WriteHeader(code int) {
	if code == http.StatusInternalServerError && r.e.tooLarge {
		code = http.StatusRequestEntityTooLarge
	}
	if r.status == 0 && code >= 200 {
		r.status = code
	}
	r.ResponseWriter.WriteHeader(code)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

func (r *recorder) code() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}

// Flush and Unwrap keep streaming and deadlines possible.
func (r *recorder) Flush() { _ = http.NewResponseController(r.ResponseWriter).Flush() }

// Unwrap serves http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// BearerToken is the token of an "Authorization: Bearer …" header value; "" when there is none.
func BearerToken(authorization string) string {
	scheme, tok, ok := strings.Cut(authorization, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(tok)
}
