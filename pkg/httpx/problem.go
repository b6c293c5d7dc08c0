// Package httpx is what every HTTP API of roadcomb has in common: problem+json, request ids, access logs, limits, safe
// headers, bearer tokens, a server with deadlines, and one OpenAPI document under /v1. It knows no route and no store.
package httpx

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Problem is an error as RFC 9457 writes it. Type is stable and decides what a program does; the texts are for people.
type Problem struct {
	Type      string   `json:"type" example:"urn:roadcomb:problem:not-found" doc:"Stable name of the kind of problem."`
	Title     string   `json:"title" example:"Not Found" doc:"The kind of problem in words."`
	Status    int      `json:"status" example:"404" doc:"HTTP status."`
	Detail    string   `json:"detail,omitempty" doc:"What went wrong here."`
	Hint      string   `json:"hint,omitempty" doc:"What to do about it."`
	RequestID string   `json:"request_id,omitempty" doc:"Names the request in the server's log."`
	Errors    []Detail `json:"errors,omitempty" doc:"The faults one by one, at most 100."`

	header http.Header
}

// Detail is one fault among several.
type Detail struct {
	Location string `json:"location,omitempty" example:"body.files[3].path" doc:"Where."`
	Message  string `json:"message" doc:"What."`
	Value    string `json:"value,omitempty" doc:"What was found there, cut to 200 characters."`
}

// MaxDetails is the most faults a Problem lists.
const MaxDetails = 100

// TypePrefix begins every Problem's Type; the kind's name follows.
const TypePrefix = "urn:roadcomb:problem:"

var statuses = map[survey.Kind]int{
	survey.Internal:     http.StatusInternalServerError,
	survey.Invalid:      http.StatusBadRequest,
	survey.NotFound:     http.StatusNotFound,
	survey.Conflict:     http.StatusConflict,
	survey.Unauthorized: http.StatusUnauthorized,
	survey.Unsupported:  http.StatusNotImplemented,
	survey.Unavailable:  http.StatusServiceUnavailable,
	survey.Busy:         http.StatusTooManyRequests,
}

// Status is the HTTP status of a kind of error.
func Status(k survey.Kind) int {
	if s, ok := statuses[k]; ok {
		return s
	}
	return http.StatusInternalServerError
}

func kindOfStatus(status int) string {
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusUnsupportedMediaType, http.StatusNotAcceptable, http.StatusRequestTimeout:
		return survey.Invalid.String()
	case http.StatusRequestEntityTooLarge:
		return "too-large"
	case http.StatusUnauthorized, http.StatusForbidden:
		return survey.Unauthorized.String()
	case http.StatusNotFound:
		return survey.NotFound.String()
	case http.StatusMethodNotAllowed:
		return "method-not-allowed"
	case http.StatusConflict, http.StatusPreconditionFailed:
		return survey.Conflict.String()
	case http.StatusNotImplemented:
		return survey.Unsupported.String()
	case http.StatusServiceUnavailable:
		return survey.Unavailable.String()
	case http.StatusTooManyRequests:
		return survey.Busy.String()
	}
	return survey.Internal.String()
}

func (p *Problem) Error() string {
	s := p.Detail
	if s == "" {
		s = p.Title
	}
	if p.Hint != "" {
		s += " (" + p.Hint + ")"
	}
	return s
}

// GetStatus and GetHeaders make a Problem an error that huma writes as it stands.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders are the response headers that come with the problem.
func (p *Problem) GetHeaders() http.Header { return p.header }

// ContentType turns application/json into application/problem+json.
func (p *Problem) ContentType(ct string) string {
	if ct == "application/json" {
		return "application/problem+json"
	}
	return ct
}

// With returns p with further faults, beyond MaxDetails only counted.
func (p *Problem) With(ds ...Detail) *Problem {
	c := *p
	for i, d := range ds {
		if len(c.Errors) == MaxDetails-1 && i < len(ds)-1 {
			c.Errors = append(c.Errors, Detail{Message: fmt.Sprintf("and %d more", len(ds)-i)})
			break
		}
		d.Value = cut(d.Value)
		c.Errors = append(c.Errors, d)
	}
	return &c
}

// Typed returns p under another type name, for problems that a program must tell apart from others of their kind.
func (p *Problem) Typed(name string) *Problem {
	c := *p
	c.Type = TypePrefix + name
	return &c
}

// RetryAfter returns p with the time to wait, rounded up to seconds.
func (p *Problem) RetryAfter(d time.Duration) *Problem {
	c := *p
	c.header = c.header.Clone()
	if c.header == nil {
		c.header = http.Header{}
	}
	c.header.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(d.Seconds())))))
	return &c
}

func cut(s string) string {
	const limit = 200
	if len(s) <= limit {
		return s
	}
	return s[:limit] + "…"
}

// ProblemOf is err as a Problem: a Problem as it is, an Error of package survey by its kind, anything else as an
// internal fault. The text of internal faults and of what we depend on stays inside; it goes to the access log.
func ProblemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	var m *huma.ErrorModel
	if errors.As(err, &m) {
		return fromModel(m)
	}
	kind := survey.KindOf(err)
	p = &Problem{Type: TypePrefix + kind.String(), Status: Status(kind)}
	p.Title = http.StatusText(p.Status)
	var e *survey.Error
	errors.As(err, &e)
	switch kind {
	case survey.Internal:
		p.Detail, p.Hint = "Something went wrong here. It was logged.", "try again; if it happens again, tell the operator the request id"
	case survey.Unavailable:
		p.Detail, p.Hint = "Something this server depends on does not answer.", "try again in a while"
		p = p.RetryAfter(5 * time.Second)
	default:
		c := *e
		c.Hint = ""
		p.Detail, p.Hint = c.Error(), e.Hint
		if kind == survey.Busy {
			p = p.RetryAfter(10 * time.Second)
		}
		if kind == survey.Unauthorized {
			p.header = http.Header{"WWW-Authenticate": {"Bearer"}}
		}
	}
	return p
}

// fromModel turns what huma itself reports into our one form.
func fromModel(m *huma.ErrorModel) *Problem {
	tooLarge := (&http.MaxBytesError{}).Error()
	for _, e := range m.Errors { // huma reports a body over Wrap's limit as a fault of ours
		if e != nil && e.Message == tooLarge {
			m = &huma.ErrorModel{Status: http.StatusRequestEntityTooLarge, Title: http.StatusText(http.StatusRequestEntityTooLarge), Detail: "The request's body is too large."}
		}
	}
	p := &Problem{Type: TypePrefix + kindOfStatus(m.Status), Title: m.Title, Status: m.Status, Detail: m.Detail}
	if m.Type != "" {
		p.Type = m.Type
	}
	if m.Status >= 500 { // the parts may carry the text of a fault of ours
		return p
	}
	ds := make([]Detail, 0, len(m.Errors))
	for _, e := range m.Errors {
		if e == nil {
			continue
		}
		d := Detail{Location: e.Location, Message: cut(e.Message)}
		if e.Value != nil {
			d.Value = cut(fmt.Sprint(e.Value))
		}
		ds = append(ds, d)
	}
	return p.With(ds...)
}

// WriteProblem answers with err, outside of huma.
func WriteProblem(w http.ResponseWriter, r *http.Request, err error) {
	p := *ProblemOf(err)
	noteError(r.Context(), p.Status, err)
	p.RequestID = RequestID(r.Context())
	h := w.Header()
	for k, v := range p.header {
		h[k] = v
	}
	h.Del("Content-Length")
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(&p) // a client that went away cannot be told
}

// Handle registers an operation whose errors become Problems. It is huma.Register for handlers that return errors of
// package survey.
func Handle[I, O any](api huma.API, op huma.Operation, fn func(context.Context, *I) (*O, error)) {
	huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := fn(ctx, in)
		if err != nil {
			p := ProblemOf(err)
			noteError(ctx, p.Status, err)
			return nil, p
		}
		return out, nil
	})
}
