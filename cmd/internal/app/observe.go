package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/telemetry"
)

// observeSettings say where the process tells how it is.
type observeSettings struct {
	OTLP    string `name:"otlp" help:"OpenTelemetry collector that spans are sent to, over HTTP." env:"ROADCOMB_OTLP" placeholder:"URL"`
	Metrics string `help:"Where /metrics, /healthz and /readyz answer without a credential, for Prometheus and supervisors: an address that strangers do not reach." env:"ROADCOMB_METRICS" placeholder:"ADDR"`
}

// tlsSettings end TLS in this process, where no proxy does.
type tlsSettings struct {
	TLSCert string `name:"tls-cert" help:"PEM file of the certificate and its chain: APIs and map are served over TLS then. A renewed file is taken without a restart." env:"ROADCOMB_TLS_CERT" type:"path" placeholder:"FILE"`
	TLSKey  string `name:"tls-key" help:"PEM file of the certificate's key." env:"ROADCOMB_TLS_KEY" type:"path" placeholder:"FILE"`
}

// secure is l with TLS if there is a certificate, and the address that it serves.
func (s tlsSettings) secure(l net.Listener, log *slog.Logger) (net.Listener, string, error) {
	at := l.Addr().String()
	if s.TLSCert == "" && s.TLSKey == "" {
		return l, "http://" + at, nil
	}
	t, err := httpx.TLS(l, s.TLSCert, s.TLSKey, log)
	return t, "https://" + at, err
}

// onlyHTTPS tells browsers to come back over TLS only, for a year (RFC 6797).
func onlyHTTPS(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Strict-Transport-Security", "max-age=31536000")
		next.ServeHTTP(w, r)
	})
}

// openTelemetry makes the process's spans and metrics and has it watch the state.
func (p *platform) openTelemetry(ctx context.Context) (err error) {
	p.tel, err = telemetry.New(ctx, telemetry.Config{Service: "roadcomb", Version: Version, OTLP: p.set.OTLP, Exporter: p.set.exporter, Log: p.log})
	if err == nil {
		p.tel.Watch(p.standing)
	}
	return err
}

// standing is what a scrape asks the state and the machine. Every query is bounded by what is under way.
func (p *platform) standing(ctx context.Context) (s telemetry.Standing, err error) {
	stages, err := p.db.Queue(ctx)
	if err != nil {
		return s, err
	}
	for _, q := range stages {
		s.Queue = append(s.Queue, telemetry.QueueStanding{Kind: q.Kind, Waiting: q.Waiting, Running: q.Running, Retrying: q.Retrying, Failed: q.Failed, Age: q.Age})
	}
	s.Uploads = map[string]int64{}
	for _, st := range []survey.UploadState{survey.UploadOpen, survey.UploadUploaded, survey.UploadIngested} {
		var n int64
		if err := p.db.QueryRow(ctx, `SELECT COUNT(*) FROM uploads WHERE state = $1`, string(st)).Scan(&n); err != nil {
			return s, err
		}
		s.Uploads[string(st)] = n
	}
	var oldest int64
	if err := p.db.QueryRow(ctx, `SELECT COUNT(*), COALESCE(MIN(created_at), 0) FROM frame_reports WHERE state = 'open'`).Scan(&s.Reports, &oldest); err != nil {
		return s, err
	}
	if oldest > 0 {
		s.ReportAge = time.Since(state.Time(oldest))
	}
	if s.Workers, err = p.db.WorkersAlive(ctx); err != nil {
		return s, err
	}
	if s.DiskFree, err = freeBytes(p.set.Home); err != nil {
		s.DiskFree = -1
	}
	return s, nil
}

// job runs a job of a stage in its trace, and remembers the trace of a drive.
func (p *platform) job(ctx context.Context, kind string, args any, fn func(context.Context) error) error {
	var drive survey.DriveID
	attr := telemetry.Attr("roadcomb.kind", kind)
	switch a := args.(type) {
	case state.IngestArgs:
		attr = telemetry.Attr("roadcomb.upload", string(a.UploadID))
	case state.VisionArgs:
		attr = telemetry.Attr("roadcomb.drive", string(a.DriveID))
	case state.IndexArgs:
		drive = a.DriveID
		attr = telemetry.Attr("roadcomb.drive", string(a.DriveID))
	case state.CloseArgs:
		attr = telemetry.Attr("roadcomb.epoch", a.Epoch.String())
	}
	return p.tel.Job(ctx, kind, func(ctx context.Context) error {
		if err := fn(ctx); err != nil {
			return err
		}
		if at := telemetry.Carry(ctx); drive != "" && at != "" {
			if _, err := p.db.Exec(ctx, `INSERT INTO drive_traces (drive_id, traceparent) VALUES ($1, $2) ON CONFLICT (drive_id) DO NOTHING`, string(drive), at); err != nil {
				return err
			}
		}
		if a, ok := args.(state.CloseArgs); ok {
			return p.payouts(ctx, a.Epoch)
		}
		return nil
	}, attr)
}

// mostPayouts bounds the spans that closing an epoch makes; the exporter's queue holds 2,048.
const mostPayouts = 1000

// payouts ends the trace of each drive that an epoch counted, newest first, with a span that says so.
func (p *platform) payouts(ctx context.Context, ep survey.Epoch) error {
	rows, err := p.db.Query(ctx, `SELECT d.id, t.traceparent FROM drives d JOIN drive_traces t ON t.drive_id = d.id
		WHERE d.received_at >= $1 AND d.received_at < $2 ORDER BY d.received_at DESC, d.id LIMIT $3`, state.Micros(ep.Start()), state.Micros(ep.End()), mostPayouts)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var drive, at string
		if err := rows.Scan(&drive, &at); err != nil {
			return err
		}
		_, end := p.tel.Span(telemetry.Follow(ctx, at), "payout", telemetry.Attr("roadcomb.drive", drive), telemetry.Attr("roadcomb.epoch", ep.String()))
		end(nil)
	}
	return rows.Err()
}

// readiness remembers an answer for a second, so that whoever asks often costs little.
type readiness struct {
	mu   sync.Mutex
	at   time.Time
	last map[string]string
}

// ready asks what this process cannot work without: what is wrong, by name. Empty means ready.
func (p *platform) ready(ctx context.Context) map[string]string {
	p.readiness.mu.Lock()
	defer p.readiness.mu.Unlock()
	if p.readiness.last != nil && time.Since(p.readiness.at) < time.Second {
		return p.readiness.last
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	wrong := map[string]string{}
	var one int
	if err := p.db.QueryRow(ctx, `SELECT 1`).Scan(&one); err != nil {
		p.log.WarnContext(ctx, "not ready: state", "err", err)
		wrong["state"] = "the database does not answer"
	}
	if _, err := p.store.Stat(ctx, store.Ledger, "ready"); err != nil && survey.KindOf(err) != survey.NotFound {
		p.log.WarnContext(ctx, "not ready: store", "err", err)
		wrong["store"] = "the object store does not answer"
	}
	p.readiness.at, p.readiness.last = time.Now(), wrong
	return wrong
}

// Health is the answer of /healthz and /readyz.
type Health struct {
	Status string            `json:"status"`
	Wrong  map[string]string `json:"wrong,omitempty"`
}

// healthRoutes adds what supervisors ask: /healthz says that the process answers (restart it otherwise), /readyz that it
// can work (send it no requests otherwise).
func (p *platform) healthRoutes(mux httpx.Mux) {
	answer := func(w http.ResponseWriter, h Health) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		if len(h.Wrong) > 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = writeJSONLine(w, h) // a client that went away cannot be told
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, Health{Status: "ok"}) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		h := Health{Status: "ready", Wrong: p.ready(r.Context())}
		if len(h.Wrong) > 0 {
			h.Status = "not ready"
		}
		answer(w, h)
	})
}

// serveMetrics answers on the address of --metrics until ctx ends; without one it only waits.
func (p *platform) serveMetrics(ctx context.Context) error {
	if p.set.Metrics == "" {
		<-ctx.Done()
		return nil
	}
	l, err := listen(p.set.Metrics, "--metrics")
	if err != nil {
		return err
	}
	return p.metricsOn(ctx, l)
}

func (p *platform) metricsOn(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", p.tel.Metrics())
	p.healthRoutes(mux)
	err := httpx.Serve(ctx, l, httpx.Wrap(mux, httpx.Options{Log: p.log}), p.log)
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
