// Package api is the driver's side of roadcomb over HTTP: contributors and their tokens, uploads that can be resumed,
// verdicts per file, drives, privacy zones.
//
// It moves no footage: files go by presigned URLs straight to the object store. It shows a contributor only what is
// theirs; another's upload, drive or zone does not exist for them. It works no job and judges no file; package worker
// of ingest does.
package api

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/roadcomb/roadcomb/pkg/drivers"
	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Deps is what the API works with. DB and Store are required.
type Deps struct {
	DB    *state.DB
	Store *store.Store
	Log   *slog.Logger     // nil discards
	Clock func() time.Time // nil means time.Now
	// Operators register contributors; nil means that nobody can over HTTP.
	Operators httpx.Operators
	// Drivers says which contributor asks; nil means those of DB.
	Drivers *drivers.Drivers
	Limits  Limits
}

// Limits bound what one contributor may ask for. A zero field means its default.
type Limits struct {
	Files       int           // of an upload; 50,000
	PathBytes   int           // of a file's path; 1,024
	FileBytes   int64         // of a file; 64 GiB
	UploadBytes int64         // of an upload; 512 GiB
	DayBytes    int64         // of the uploads a contributor opens in 24 hours; 1 TiB
	OpenUploads int           // of a contributor at a time; 32
	WaitingJobs int64         // of all contributors, past which no upload is opened; 5,000
	URLLifetime time.Duration // of a presigned URL; 15 minutes
	Rate        float64       // requests a second of a contributor; 50
	Burst       int           // requests at once of a contributor; 500
	MaxWait     time.Duration // of a long poll; 25 s
}

func (l Limits) withDefaults() Limits {
	def(&l.Files, 50_000)
	def(&l.PathBytes, 1024)
	def(&l.FileBytes, 64<<30)
	def(&l.UploadBytes, 512<<30)
	def(&l.DayBytes, 1<<40)
	def(&l.OpenUploads, 32)
	def(&l.WaitingJobs, 5000)
	def(&l.URLLifetime, 15*time.Minute)
	def(&l.Rate, 50)
	def(&l.Burst, 500)
	def(&l.MaxWait, 25*time.Second)
	return l
}

func def[T int | int64 | float64 | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

type server struct {
	Deps
	perDriver *httpx.Limiter
	waiting   atomic.Int64 // long polls
	waits     waits
}

// Register adds the operations under /v1 to the API.
func Register(_ httpx.Mux, api huma.API, d Deps) {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Clock == nil {
		d.Clock = time.Now
	}
	if d.Drivers == nil {
		d.Drivers = drivers.New(d.DB, drivers.Config{Clock: d.Clock})
	}
	d.Limits = d.Limits.withDefaults()
	s := &server{Deps: d, waits: waits{db: d.DB}}
	s.perDriver = &httpx.Limiter{Rate: d.Limits.Rate, Burst: d.Limits.Burst, Name: "driver"}
	s.contributorRoutes(api)
	s.uploadRoutes(api)
	s.driveRoutes(api)
	s.deviceRoutes(api)
}

// driver registers an operation that a contributor's token or session opens.
func driver[I, O any](s *server, api huma.API, op huma.Operation, fn func(context.Context, *contributor, *I) (*O, error)) {
	drivers.Handle(api, s.Drivers, op, func(ctx context.Context, who drivers.Driver, in *I) (*O, error) {
		return fn(ctx, s.contributor(who), in)
	}, func(hc huma.Context, who drivers.Driver) error {
		return s.perDriver.Check(httpx.ResponseHeader(hc), string(who.ID))
	})
}

// operator registers an operation for those who run the network.
func operator[I, O any](s *server, api huma.API, op huma.Operation, fn func(context.Context, *I) (*O, error)) {
	httpx.HandleOperator(api, s.Operators, httpx.RoleOperator, op, fn)
}

// contributor is who asks.
type contributor struct {
	id      survey.ContributorID
	handle  string
	payout  string
	blocked bool
	limits  Limits // the server's with the contributor's own
}

func (s *server) contributor(who drivers.Driver) *contributor {
	c := &contributor{id: who.ID, handle: who.Handle, payout: who.Payout, blocked: who.Blocked, limits: s.Limits}
	if who.UploadBytes > 0 {
		c.limits.UploadBytes = who.UploadBytes
	}
	if who.DayBytes > 0 {
		c.limits.DayBytes = who.DayBytes
	}
	if who.OpenUploads > 0 {
		c.limits.OpenUploads = int(who.OpenUploads)
	}
	return c
}
