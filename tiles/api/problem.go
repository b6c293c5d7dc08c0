package api

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

var statusOf = map[survey.Kind]int{
	survey.Invalid: http.StatusBadRequest, survey.NotFound: http.StatusNotFound, survey.Conflict: http.StatusConflict,
	survey.Unauthorized: http.StatusForbidden, survey.Unsupported: http.StatusUnprocessableEntity,
	survey.Unavailable: http.StatusServiceUnavailable, survey.Busy: http.StatusTooManyRequests,
}

// problem turns an error into RFC 9457 form. What is no survey error is a fault of ours: it is logged, and its text
// stays inside.
func (s *Server) problem(err error) *huma.ErrorModel {
	var known *huma.ErrorModel
	if errors.As(err, &known) {
		return known
	}
	kind := survey.KindOf(err)
	m := &huma.ErrorModel{Status: statusOf[kind], Type: "urn:roadcomb:problem:" + kind.String()}
	var e *survey.Error
	switch {
	case m.Status == 0 || !errors.As(err, &e):
		m.Status = http.StatusInternalServerError
		m.Detail = "Something went wrong here; it was logged."
		s.Log.Error("map request failed", "error", err)
	case kind == survey.Unavailable:
		m.Detail = "The map's store does not answer; try again shortly."
		s.Log.Error("map request failed", "error", err)
	default:
		m.Detail = e.Error()
	}
	m.Title = http.StatusText(m.Status)
	return m
}

// fail answers with a problem. Errors are never cached.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // nobody is listening
	}
	m := s.problem(err)
	h := w.Header()
	clear(h)
	cors(h)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "application/problem+json")
	if m.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "5")
	}
	w.WriteHeader(m.Status)
	json.NewEncoder(w).Encode(m)
}
