// Package api gives the datasets out over plain HTTP, as Arrow IPC streams: for programs that have no Flight SQL.
package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/danielgtaylor/huma/v2"

	"github.com/roadcomb/roadcomb/datasets/flight"
	"github.com/roadcomb/roadcomb/datasets/schema"
	"github.com/roadcomb/roadcomb/datasets/snapshot"
	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Deps of the routes. All but Log are required.
type Deps struct {
	Access   flight.Access
	Backend  flight.Backend
	Snapshot func() (snapshot.Snapshot, error) // that Backend answers from; NotFound before the first
	Dialect  Dialect                           // of Backend's SQL
	Log      *slog.Logger
}

// MediaType is that of Arrow's streaming format.
const MediaType = "application/vnd.apache.arrow.stream"

// stall is how long a client may take to accept one record.
const stall = 2 * time.Minute

// Dataset is one dataset of the list.
type Dataset struct {
	Name      string   `json:"name"`
	Version   int      `json:"version" doc:"of the schema; columns are only ever added"`
	About     string   `json:"about"`
	Rows      int64    `json:"rows"`
	Bytes     int64    `json:"bytes" doc:"of the Parquet files"`
	Partition string   `json:"partition" doc:"how the files are split"`
	Columns   []Column `json:"columns"`
}

// Column is one column of a dataset.
type Column struct {
	Name     string `json:"name"`
	Type     string `json:"type" doc:"of Arrow"`
	Unit     string `json:"unit,omitempty"`
	About    string `json:"about,omitempty"`
	Nullable bool   `json:"nullable,omitempty"`
}

// List is the answer of GET /v1/datasets.
type List struct {
	AsOf     time.Time `json:"as_of,omitzero" doc:"instant that freshness is computed for; absent before the first snapshot"`
	Datasets []Dataset `json:"datasets"`
}

type api struct {
	Deps
	all []schema.Described
}

// Register adds the routes.
func Register(mux httpx.Mux, hapi huma.API, d Deps) error {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	all, err := schema.All()
	if err != nil {
		return err
	}
	a := &api{d, all}
	httpx.Handle(hapi, huma.Operation{OperationID: "list-datasets", Method: http.MethodGet, Path: "/v1/datasets", Tags: []string{"Datasets"}, Summary: "The datasets, with their columns"},
		func(context.Context, *struct{}) (*struct{ Body List }, error) {
			l, err := a.list()
			return &struct{ Body List }{l}, err
		})
	mux.HandleFunc("OPTIONS /v1/datasets/{name}", preflight)
	mux.HandleFunc("GET /v1/datasets/{name}", a.get)
	text := func(name, in, about string, required bool, more ...string) *huma.Param {
		s := &huma.Schema{Type: "string"}
		p := &huma.Param{Name: name, In: in, Required: required, Description: about, Schema: s}
		if len(more) > 0 {
			p.Example = more[0]
		}
		return p
	}
	problems := map[string]*huma.Response{"200": {Description: "an Arrow IPC stream, until its end-of-stream mark", Content: map[string]*huma.MediaType{MediaType: {}}}}
	for _, code := range []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		problems[fmt.Sprint(code)] = &huma.Response{Description: http.StatusText(code)}
	}
	where := text("where", "query", "a condition like captured_at>=2024-05-08; repeat it for more, all of which must hold. Operators are =, !=, <, <=, >, >=, and a colon before several values separated by commas. Times are RFC 3339, cells hex or numbers.", false)
	where.Schema, where.Explode = &huma.Schema{Type: "array", Items: &huma.Schema{Type: "string"}}, &[]bool{true}[0]
	limit := text("limit", "query", "most rows; all if left out", false)
	limit.Schema = &huma.Schema{Type: "integer"}
	hapi.OpenAPI().AddOperation(&huma.Operation{OperationID: "get-dataset", Method: http.MethodGet, Path: "/v1/datasets/{name}", Tags: []string{"Datasets"},
		Summary: "Rows of a dataset as an Arrow IPC stream", Security: httpx.Security("key"), Responses: problems,
		Description: "Needs a key with the scope datasets. An answer that breaks off without the stream's end mark is incomplete: ask again.",
		Parameters: []*huma.Param{
			text("name", "path", "of the dataset", true, "observations"), text("columns", "query", "names separated by commas; all if left out", false, "h3_hex,captured_at"), where,
			text("bbox", "query", "west,south,east,north in degrees: rows whose place meets the box", false, "7.40,43.72,7.44,43.76"), limit,
			text("compression", "query", "none or zstd, of the stream's buffers", false, "none"),
		}})
	return nil
}

func cors(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "RateLimit, RateLimit-Policy, Retry-After")
}

func preflight(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	cors(h)
	h.Set("Access-Control-Allow-Methods", "GET, HEAD")
	h.Set("Access-Control-Allow-Headers", "Authorization, X-API-Key")
	h.Set("Access-Control-Max-Age", "86400")
	w.WriteHeader(http.StatusNoContent)
}

func (a *api) list() (List, error) {
	snap, err := a.Snapshot()
	if err != nil && survey.KindOf(err) != survey.NotFound {
		return List{}, err
	}
	l := List{AsOf: snap.AsOf, Datasets: []Dataset{}}
	for _, d := range a.all {
		have := snap.Datasets[d.Name]
		out := Dataset{Name: d.Name, Version: d.Version, About: d.Doc, Rows: have.Rows, Bytes: have.Bytes, Partition: d.Partition}
		for _, c := range d.Columns {
			out.Columns = append(out.Columns, Column{c.Name, c.Type, c.Unit, c.Doc, c.Nullable})
		}
		l.Datasets = append(l.Datasets, out)
	}
	return l, nil
}

// secretOf is the key of a request.
func secretOf(r *http.Request) string {
	if s := r.Header.Get("X-API-Key"); s != "" {
		return s
	}
	if s := httpx.BearerToken(r.Header.Get("Authorization")); s != "" {
		return s
	}
	return r.URL.Query().Get("key")
}

func (a *api) get(w http.ResponseWriter, r *http.Request) {
	cors(w.Header())
	if err := a.serve(w, r); err != nil {
		httpx.WriteProblem(w, r, err)
	}
}

// serve gives an error while nothing has been written; later ones break the connection, so that no client takes a part
// for the whole.
func (a *api) serve(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	at := slices.IndexFunc(a.all, func(d schema.Described) bool { return d.Name == name })
	if at < 0 {
		return survey.Errorf(survey.NotFound, "there is no dataset %.60q", name).WithHint("GET /v1/datasets lists them")
	}
	secret := secretOf(r)
	if secret == "" {
		return survey.Errorf(survey.Unauthorized, "this needs an API key").WithHint("send it as X-API-Key, as a bearer token, or as ?key=")
	}
	q, err := parse(r.URL.Query(), a.all[at].Columns, a.Dialect)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	grant, err := a.Access.Admit(ctx, secret, true)
	if err != nil {
		return err
	}
	rd, err := a.Backend.Run(ctx, grant, q.sql(name), nil)
	if err != nil {
		return err
	}
	defer rd.Close()
	rec, err := rd.Next() // before the status is sent: most faults show here
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	out := &deadlined{w: w, rc: http.NewResponseController(w)}
	h := w.Header()
	h.Set("Content-Type", MediaType)
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Authorization, X-API-Key")
	opts := []ipc.Option{ipc.WithSchema(rd.Schema())}
	if q.zstd {
		opts = append(opts, ipc.WithZstd())
	}
	iw := ipc.NewWriter(out, opts...)
	for err == nil {
		err = iw.Write(rec)
		rec.Release()
		if err == nil {
			rec, err = rd.Next()
		}
	}
	if errors.Is(err, io.EOF) {
		err = iw.Close()
	}
	if err != nil {
		if ctx.Err() == nil {
			a.Log.Warn("a dataset was not sent to its end", "dataset", name, "err", err)
		}
		panic(http.ErrAbortHandler)
	}
	return nil
}

// deadlined gives each write its own deadline, so that a long answer lives and a client that stops reading does not.
type deadlined struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

func (d *deadlined) Write(b []byte) (int, error) {
	_ = d.rc.SetWriteDeadline(time.Now().Add(stall)) // a writer without deadlines has none to pass
	return d.w.Write(b)
}
