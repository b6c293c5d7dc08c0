package app

import (
	"context"
	"embed"
	"io/fs"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/state"
)

//go:embed console
var consoleFiles embed.FS

// Stage is where one kind of job stands.
type Stage struct {
	Kind       string  `json:"kind"`
	Waiting    int64   `json:"waiting"`
	Running    int64   `json:"running"`
	Retrying   int64   `json:"retrying"`
	Failed     int64   `json:"failed" doc:"Used up their attempts and wait for an operator."`
	AgeSeconds float64 `json:"age_seconds" doc:"How long the oldest job that could run has waited."`
	Done       int64   `json:"done" doc:"Of the last 24 hours."`
	Seconds    float64 `json:"seconds" doc:"That they took together."`
	PerKM      float64 `json:"seconds_per_km" doc:"For each kilometre indexed in the last 24 hours; 0 when none was."`
}

// Queue is what the operators' page shows first.
type Queue struct {
	At        time.Time `json:"at"`
	Workers   int64     `json:"workers" doc:"Processes that said lately that they live."`
	KM        float64   `json:"km" doc:"Indexed in the last 24 hours."`
	CostPerKM float64   `json:"cost_per_km,omitempty" doc:"Worker time of a kilometre at the price of --worker-hour; absent without a price."`
	Stages    []Stage   `json:"stages"`
}

type jobsIn struct {
	Kind  string   `query:"kind" doc:"Only this kind."`
	State []string `query:"state" doc:"Only these states; all but completed and cancelled if left out."`
	Limit int      `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

type jobIn struct {
	ID int64 `path:"id"`
}

type jobsOut struct {
	Body struct {
		Jobs []state.Job `json:"jobs"`
	}
}

// consoleRoutes adds the operators' page and what it asks.
func (p *platform) consoleRoutes(mux httpx.Mux, api huma.API, ops httpx.Operators) error {
	op := func(id, method, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: "/v1/operator" + path, Summary: summary, Tags: []string{"operators"}, MaxBodyBytes: 64 << 10}
	}
	httpx.HandleOperator(api, ops, httpx.RoleAny, op("get-queue", "GET", "/queue", "Where the work stands, and what it took"), func(ctx context.Context, _ *struct{}) (*struct{ Body Queue }, error) {
		q, err := p.queue(ctx)
		return &struct{ Body Queue }{q}, err
	})
	httpx.HandleOperator(api, ops, httpx.RoleOperator, op("list-jobs", "GET", "/jobs", "Jobs, newest first"), func(ctx context.Context, in *jobsIn) (*jobsOut, error) {
		js, err := p.db.ListJobs(ctx, in.Kind, in.State, in.Limit)
		out := &jobsOut{}
		out.Body.Jobs = js
		return out, err
	})
	retry := op("retry-job", "POST", "/jobs/{id}/retry", "Run a job again now, whatever its attempts")
	retry.DefaultStatus = http.StatusNoContent
	httpx.HandleOperator(api, ops, httpx.RoleOperator, retry, func(ctx context.Context, in *jobIn) (*struct{}, error) { return nil, p.db.RetryJob(ctx, in.ID) })
	drop := op("drop-job", "DELETE", "/jobs/{id}", "Remove a job that is not running; what it was to do is left undone")
	drop.DefaultStatus = http.StatusNoContent
	httpx.HandleOperator(api, ops, httpx.RoleOperator, drop, func(ctx context.Context, in *jobIn) (*struct{}, error) { return nil, p.db.DropJob(ctx, in.ID) })

	// Scrapers that reach only this address bring an operator's token; --metrics is the address without one.
	scrape := p.tel.Metrics()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		if _, err := ops.Identify(r); err != nil {
			httpx.WriteProblem(w, r, err)
			return
		}
		scrape.ServeHTTP(w, r)
	})
	p.healthRoutes(mux)

	sub, err := fs.Sub(consoleFiles, "console")
	if err != nil {
		return err
	}
	files := http.StripPrefix("/operator/", http.FileServerFS(sub))
	mux.HandleFunc("GET /operator/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", httpx.PagePolicy())
		w.Header().Set("Cache-Control", "no-cache")
		files.ServeHTTP(w, r)
	})
	return nil
}

func (p *platform) queue(ctx context.Context) (q Queue, err error) {
	q.At = time.Now().UTC().Truncate(time.Second)
	stages, err := p.db.Queue(ctx)
	if err != nil {
		return q, err
	}
	if q.Workers, err = p.db.WorkersAlive(ctx); err != nil {
		return q, err
	}
	var mm int64
	if err := p.db.QueryRow(ctx, `SELECT COALESCE(SUM(distance_mm), 0) FROM drives WHERE received_at >= $1 AND indexed_at > 0`, state.Micros(q.At.Add(-24*time.Hour))).Scan(&mm); err != nil {
		return q, err
	}
	q.KM = float64(mm) / 1e6
	var total float64
	for _, s := range stages {
		x := Stage{Kind: s.Kind, Waiting: s.Waiting, Running: s.Running, Retrying: s.Retrying, Failed: s.Failed, AgeSeconds: s.Age.Seconds(), Done: s.Done, Seconds: s.Took.Seconds()}
		if q.KM > 0 {
			x.PerKM = x.Seconds / q.KM
		}
		total += x.Seconds
		q.Stages = append(q.Stages, x)
	}
	if q.Stages == nil {
		q.Stages = []Stage{}
	}
	if q.KM > 0 {
		q.CostPerKM = total / 3600 / q.KM * p.set.WorkerHour
	}
	return q, nil
}
