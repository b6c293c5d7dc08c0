package httpx_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

type thing struct {
	Body struct {
		Name string `json:"name" maxLength:"5"`
	}
}

func server(t *testing.T, log *bytes.Buffer, fn func(context.Context, *thing) (*thing, error)) http.Handler {
	t.Helper()
	mux := http.NewServeMux()
	api := httpx.NewAPI(mux, "test", "1")
	httpx.Handle(api, huma.Operation{OperationID: "put-thing", Method: http.MethodPost, Path: "/v1/things/{id}"}, fn)
	mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("kaputt") })
	return httpx.Wrap(mux, httpx.Options{Log: slog.New(slog.NewTextHandler(log, nil)), MaxBody: 1000})
}

func do(h http.Handler, method, path, body string) (*httptest.ResponseRecorder, httpx.Problem) {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer s3cr3t")
	h.ServeHTTP(w, r)
	var p httpx.Problem
	json.Unmarshal(w.Body.Bytes(), &p)
	return w, p
}

func TestEveryKindOfErrorHasItsStatusAndInnerTextStaysInside(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		detail string
	}{
		{survey.Errorf(survey.Invalid, "field x").WithHint("give y"), 400, "field x"},
		{survey.Errorf(survey.NotFound, "no upload"), 404, "no upload"},
		{survey.Errorf(survey.Conflict, "taken"), 409, "taken"},
		{survey.Errorf(survey.Unauthorized, "who?"), 401, "who?"},
		{survey.Errorf(survey.Unsupported, "later"), 501, "later"},
		{survey.Errorf(survey.Unavailable, "secret-host down"), 503, ""},
		{survey.Errorf(survey.Busy, "full"), 429, "full"},
		{errors.New("secret-host: connection refused"), 500, ""},
		{fmt.Errorf("op: %w", survey.Errorf(survey.NotFound, "deep")), 404, "deep"},
	} {
		var log bytes.Buffer
		h := server(t, &log, func(context.Context, *thing) (*thing, error) { return nil, c.err })
		w, p := do(h, "POST", "/v1/things/77?pos=55.1234567,13.2", `{"name":"a"}`)
		if w.Code != c.status || p.Status != c.status || w.Header().Get("Content-Type") != "application/problem+json" || !strings.HasPrefix(p.Type, httpx.TypePrefix) {
			t.Errorf("%v: %d %s", c.err, w.Code, w.Body)
		}
		if c.detail != "" && p.Detail != c.detail || strings.Contains(w.Body.String(), "secret-host") {
			t.Errorf("%v: %s", c.err, w.Body)
		}
		if p.RequestID == "" || p.RequestID != w.Header().Get("X-Request-Id") || !strings.Contains(log.String(), p.RequestID) {
			t.Errorf("%v: request id %q, log %s", c.err, p.RequestID, log.String())
		}
		if c.status >= 500 && !strings.Contains(log.String(), "secret-host") && c.status != 501 {
			t.Errorf("%v is not in the log: %s", c.err, log.String())
		}
		for _, secret := range []string{"s3cr3t", "55.1234567", "/77"} {
			if strings.Contains(log.String(), secret) {
				t.Errorf("log holds %q: %s", secret, log.String())
			}
		}
		if (c.status == 429 || c.status == 503) && w.Header().Get("Retry-After") == "" {
			t.Errorf("%d without Retry-After", c.status)
		}
	}
}

func TestBadBodiesAreProblemsWithTheirPlaceAndWithoutEchoingThemWhole(t *testing.T) {
	var log bytes.Buffer
	h := server(t, &log, func(_ context.Context, in *thing) (*thing, error) { return in, nil })
	w, p := do(h, "POST", "/v1/things/1", `{"name":"much too long"}`)
	if w.Code != 422 || len(p.Errors) != 1 || p.Errors[0].Location != "body.name" || p.Type != httpx.TypePrefix+"invalid" {
		t.Fatal(w.Code, w.Body)
	}
	w, p = do(h, "POST", "/v1/things/1", `{`+strings.Repeat("x", 900))
	if w.Code != 400 || len(p.Errors) == 0 || len(w.Body.String()) > 1000 {
		t.Fatal(w.Code, w.Body)
	}
	if w, _ := do(h, "POST", "/v1/things/1", `{"name":"`+strings.Repeat("x", 2000)); w.Code != 413 {
		t.Fatal(w.Code, w.Body)
	}
	if w, _ := do(h, "POST", "/v1/things/1", `{"name":"ok"}`); w.Code != 200 || strings.Contains(w.Body.String(), "$schema") {
		t.Fatal(w.Code, w.Body)
	}
}

func TestAPanicIsAnsweredAndLogged(t *testing.T) {
	var log bytes.Buffer
	w, p := do(server(t, &log, nil), "GET", "/panic", "")
	if w.Code != 500 || strings.Contains(w.Body.String(), "kaputt") || p.RequestID == "" || !strings.Contains(log.String(), "kaputt") {
		t.Fatal(w.Code, w.Body, log.String())
	}
}

func TestAnswersCarrySafeHeaders(t *testing.T) {
	var log bytes.Buffer
	w, _ := do(server(t, &log, nil), "GET", "/v1/openapi.json", "")
	h := w.Header()
	if h.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") || h.Get("Cache-Control") != "no-store" {
		t.Fatal(h)
	}
	var doc struct {
		OpenAPI    string
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Fatal(err, doc.OpenAPI)
	}
	if doc.Components.Schemas["Problem"] == nil || doc.Components.Schemas["ErrorModel"] != nil {
		t.Fatal(doc.Components.Schemas)
	}
}

func TestRequestIDsOfCallersAreKeptOnlyWhenPlain(t *testing.T) {
	h := httpx.Wrap(http.NotFoundHandler(), httpx.Options{})
	for id, keep := range map[string]bool{"abc-123": true, "a b": false, "x\r\nSet-Cookie: a": false, strings.Repeat("a", 65): false, "": false} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("X-Request-Id", id)
		h.ServeHTTP(w, r)
		if got := w.Header().Get("X-Request-Id"); (got == id) != keep || got == "" {
			t.Errorf("%q became %q", id, got)
		}
	}
}

func TestALimiterGivesBurstThenRateAndSaysWhenToReturn(t *testing.T) {
	now := time.Unix(1e9, 0)
	l := &httpx.Limiter{Rate: 2, Burst: 3, MaxKeys: 2, Clock: func() time.Time { return now }}
	for i := range 3 {
		if d := l.Take("a"); !d.OK || d.Remaining != 2-i {
			t.Fatal(i, d)
		}
	}
	h := http.Header{}
	err := l.Check(h, "a")
	var p *httpx.Problem
	if !errors.As(err, &p) || p.Status != 429 || p.GetHeaders().Get("Retry-After") != "1" {
		t.Fatal(err)
	}
	if h.Get("RateLimit") != `"default";r=0;t=2` || h.Get("RateLimit-Policy") != `"default";q=3;w=2` {
		t.Fatal(h)
	}
	if d := l.Take("b"); !d.OK {
		t.Fatal("another key is limited too")
	}
	now = now.Add(500 * time.Millisecond)
	if d := l.Take("a"); !d.OK {
		t.Fatal(d)
	}
	now = now.Add(-time.Hour)
	if d := l.Take("b"); !d.OK {
		t.Fatal("a clock that steps back empties buckets")
	}
	for i := range 100 {
		l.Take(fmt.Sprint(i)) // must stay within MaxKeys
	}
}

func TestServeEndsInOrder(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	began := make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(began)
		<-ctx.Done()
		io.WriteString(w, "finished")
	})
	done := make(chan error)
	go func() { done <- httpx.Serve(ctx, l, h, nil) }()
	go func() {
		<-began
		cancel()
	}()
	r, err := http.Get("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if b, _ := io.ReadAll(r.Body); string(b) != "finished" {
		t.Fatalf("%q", b)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestBearerTokens(t *testing.T) {
	for in, want := range map[string]string{"Bearer abc": "abc", "bearer abc": "abc", "Basic abc": "", "abc": "", "": "", "Bearer ": ""} {
		if got := httpx.BearerToken(in); got != want {
			t.Errorf("%q gave %q", in, got)
		}
	}
}

func ExampleProblemOf() {
	err := survey.Errorf(survey.NotFound, "no upload 12").WithHint("list yours at /v1/uploads")
	p := httpx.ProblemOf(err)
	fmt.Println(p.Status, p.Type, p.Detail, "→", p.Hint)
	// Output: 404 urn:roadcomb:problem:not-found no upload 12 → list yours at /v1/uploads
}
