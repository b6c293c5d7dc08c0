// Package api lets people say that a published frame shows too much or too little, and lets the operator act on it.
//
// A region reported as readable is covered without anybody being asked; what would uncover or unpublish waits for the
// operator. Reports carry no name, and none is kept.
package api

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/vision/worker"
)

// Deps is what the API works with. DB and Store are required.
type Deps struct {
	DB    *state.DB
	Store *store.Store
	Clock func() time.Time // nil means time.Now
	// Operators act on reports; nil means that nobody can.
	Operators httpx.Operators
}

type server struct {
	Deps
	perAddress *httpx.Limiter
}

type answer[T any] struct{ Body T }

type reportIn struct {
	ID   string `path:"id" doc:"Frame id"`
	Body struct {
		Kind  worker.ReportKind `json:"kind" enum:"blur_missing,blur_excess,remove" doc:"What is wrong: something readable that must not be, something covered that may be read, or the frame itself"`
		Class survey.Class      `json:"class,omitempty" doc:"What shows, for blur_missing: face, plate, person or text"`
		X     int               `json:"x,omitempty" doc:"Region in pixels of the published image, origin top left"`
		Y     int               `json:"y,omitempty"`
		W     int               `json:"w,omitempty"`
		H     int               `json:"h,omitempty"`
		Note  string            `json:"note,omitempty" maxLength:"1000"`
	}
}

type resolveIn struct {
	ID   string `path:"id" doc:"Report id"`
	Body struct {
		Apply bool `json:"apply" doc:"Do what the report asks for; false refuses it"`
	}
}

type frameIn struct {
	ID string `path:"id" doc:"Frame id"`
}

type rerunIn struct {
	Body struct {
		Drive       survey.DriveID `json:"drive,omitempty" doc:"Only frames of this drive"`
		Quarantined bool           `json:"quarantined,omitempty" doc:"Only quarantined frames"`
		NotBy       string         `json:"not_by,omitempty" doc:"Only frames that the model of this SHA-256 has not looked at"`
	}
}

type rerunOut struct {
	Parts int `json:"parts" doc:"Parts of drives that will be looked at again"`
}

// Register adds the operations under /v1 to the API.
func Register(_ httpx.Mux, api huma.API, d Deps) {
	if d.Clock == nil {
		d.Clock = time.Now
	}
	s := &server{Deps: d, perAddress: &httpx.Limiter{Rate: 0.2, Burst: 20, Name: "report"}}

	op := func(id, method, path, summary string, status int) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, Tags: []string{"Privacy"}, DefaultStatus: status}
	}
	report := op("report-frame", http.MethodPost, "/v1/frames/{id}/reports", "Report a missing or needless blur, or ask for removal", http.StatusAccepted)
	report.Middlewares = huma.Middlewares{httpx.Guard(s.limit)}
	httpx.Handle(api, report, func(ctx context.Context, in *reportIn) (*answer[worker.Report], error) {
		b := in.Body
		r, err := worker.FileReport(ctx, s.DB, s.Store, worker.Report{Frame: survey.FrameID(in.ID), Kind: b.Kind, Class: b.Class, X: b.X, Y: b.Y, W: b.W, H: b.H, Note: b.Note}, s.Clock())
		return &answer[worker.Report]{r}, err
	})
	httpx.HandleOperator(api, s.Operators, httpx.RoleReviewer, op("list-reports", http.MethodGet, "/v1/reports", "Reports that wait for the operator, oldest first", http.StatusOK), func(ctx context.Context, _ *struct{}) (*answer[[]worker.Report], error) {
		rs, err := worker.OpenReports(ctx, s.DB, 1000)
		return &answer[[]worker.Report]{rs}, err
	})
	httpx.HandleOperator(api, s.Operators, httpx.RoleReviewer, op("resolve-report", http.MethodPost, "/v1/reports/{id}/resolve", "Apply or refuse a report", http.StatusNoContent), func(ctx context.Context, in *resolveIn) (*struct{}, error) {
		httpx.Note(ctx, "apply=%v", in.Body.Apply)
		return nil, worker.Resolve(ctx, s.DB, s.Store, in.ID, in.Body.Apply, s.Clock())
	})
	httpx.HandleOperator(api, s.Operators, httpx.RoleReviewer, op("remove-frame", http.MethodDelete, "/v1/frames/{id}", "Take a frame down for good, leaving a tombstone", http.StatusNoContent), func(ctx context.Context, in *frameIn) (*struct{}, error) {
		return nil, worker.Remove(ctx, s.DB, s.Store, survey.FrameID(in.ID))
	})
	httpx.HandleOperator(api, s.Operators, httpx.RoleOperator, op("rerun-vision", http.MethodPost, "/v1/vision/rerun", "Look at frames again with the models the workers have now", http.StatusAccepted), func(ctx context.Context, in *rerunIn) (*answer[rerunOut], error) {
		f := worker.RerunFilter{Drive: in.Body.Drive, Quarantined: in.Body.Quarantined}
		if in.Body.NotBy != "" {
			var err error
			if f.NotBy, err = survey.ParseHash(in.Body.NotBy); err != nil {
				return nil, err
			}
		}
		n, err := worker.Rerun(ctx, s.DB, f)
		httpx.Note(ctx, "drive=%s, quarantined=%v, not_by=%s, parts=%d", in.Body.Drive, in.Body.Quarantined, in.Body.NotBy, n)
		return &answer[rerunOut]{rerunOut{n}}, err
	})
}

// limit slows an address down, whoever it is.
func (s *server) limit(hc huma.Context) (context.Context, error) {
	host, _, err := net.SplitHostPort(hc.RemoteAddr())
	if err != nil {
		host = hc.RemoteAddr()
	}
	return hc.Context(), s.perAddress.Check(httpx.ResponseHeader(hc), host)
}
