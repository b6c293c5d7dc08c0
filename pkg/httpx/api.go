package httpx

import (
	"context"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// DriverAuth names the security scheme of contributors' bearer tokens in the OpenAPI document.
const DriverAuth = "driver"

// OperatorAuth names the security scheme of the operator's bearer token.
const OperatorAuth = "operator"

// Mux is where routes are registered: a *http.ServeMux, or one that also keeps a list.
type Mux interface {
	http.Handler
	Handle(pattern string, h http.Handler)
	HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request))
}

// Routes is a Mux that remembers its patterns, in the order of registration, so that a test can ask each of them.
type Routes struct {
	http.ServeMux
	Patterns []string
}

// Handle registers h and remembers the pattern.
func (m *Routes) Handle(pattern string, h http.Handler) {
	m.Patterns = append(m.Patterns, pattern)
	m.ServeMux.Handle(pattern, h)
}

// HandleFunc registers h and remembers the pattern.
func (m *Routes) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	m.Handle(pattern, http.HandlerFunc(h))
}

// A list without anything in it is [], never null, in every document.
func init() { huma.DefaultArrayNullable = false }

// NewAPI makes the OpenAPI 3.1 surface on mux: operations are registered by their full path, the document is at
// /v1/openapi.json, and every error is a Problem.
func NewAPI(mux Mux, title, version string) huma.API {
	c := huma.DefaultConfig(title, version)
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "/v1/openapi", "", "" // the documents' viewers load scripts from outside hosts
	c.CreateHooks = nil                                              // no $schema fields in bodies
	c.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	c.Servers = []*huma.Server{{URL: "/", Description: "This server"}} // never made of a request's Host
	c.Security = []map[string][]string{{}}                             // open, unless an operation says otherwise
	c.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		DriverAuth:   {Type: "http", Scheme: "bearer", Description: "A contributor's token, as given at registration; the session's cookie of the drivers' pages does as well."},
		OperatorAuth: {Type: "http", Scheme: "bearer", Description: "An operator's token; the session's cookie of the operators' page does as well. x-role names the role that an operation needs: admins may use all, auditors all that only read."},
	}
	c.OnAddOperation = append(c.OnAddOperation, func(o *huma.OpenAPI, op *huma.Operation) {
		s := o.Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
		for code, r := range op.Responses {
			if code[0] == '4' || code[0] == '5' || code == "default" {
				r.Content = map[string]*huma.MediaType{"application/problem+json": {Schema: s}}
			}
		}
		delete(o.Components.Schemas.Map(), "ErrorModel") // replaced above
	})
	c.Transformers = append(c.Transformers, func(ctx huma.Context, _ string, v any) (any, error) {
		var p Problem
		switch e := v.(type) {
		case *Problem:
			p = *e
		case *huma.ErrorModel:
			p = *fromModel(e)
			noteError(ctx.Context(), p.Status, modelError{e})
		default:
			return v, nil
		}
		p.RequestID = RequestID(ctx.Context())
		ctx.SetHeader("Cache-Control", "no-store")
		return &p, nil
	})
	return humago.New(mux, c)
}

// schemaName names a type in the document. Every API shares one document, so a type of a stage carries the stage's name;
// the vocabulary of survey does not, because it means the same everywhere.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	rel, ours := strings.CutPrefix(t.PkgPath(), "github.com/roadcomb/roadcomb/")
	if !ours || t.Name() == "" || rel == "pkg/survey" || rel == "pkg/httpx" {
		return name
	}
	stage, _, _ := strings.Cut(strings.TrimPrefix(rel, "pkg/"), "/")
	return strings.ToUpper(stage[:1]) + stage[1:] + name
}

// modelError is huma's own report with its parts, for the log.
type modelError struct{ *huma.ErrorModel }

func (m modelError) Error() string {
	parts := []string{m.Detail}
	for _, e := range m.Errors {
		if e != nil {
			parts = append(parts, cut(e.Message))
		}
	}
	return strings.Join(parts, ": ")
}

// Security is the requirement of one scheme, for huma.Operation.Security.
func Security(scheme string) []map[string][]string { return []map[string][]string{{scheme: {}}} }

// Guard is a middleware that lets an operation run only if check gives no error; otherwise it answers with the problem.
// The context that check returns is the operation's.
func Guard(check func(huma.Context) (context.Context, error)) func(huma.Context, func(huma.Context)) {
	return func(hc huma.Context, next func(huma.Context)) {
		ctx, err := check(hc)
		if err != nil {
			r, w := humago.Unwrap(hc)
			WriteProblem(w, r, err)
			return
		}
		next(huma.WithContext(hc, ctx))
	}
}

// ResponseHeader is the header of the answer under way.
func ResponseHeader(hc huma.Context) http.Header {
	_, w := humago.Unwrap(hc)
	return w.Header()
}
