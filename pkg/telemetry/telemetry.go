// Package telemetry makes the traces and metrics of a process: a span for every request and every job, joined across
// processes through what jobs carry, and Prometheus metrics in a registry of their own.
//
// Spans are always made, so that logs name them; they are sent somewhere only when an address is set. Nothing here holds
// a position, a name or a credential: spans carry ids of uploads and drives, and metrics neither.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Config of New. The zero value keeps spans inside the process.
type Config struct {
	Service, Version string
	// OTLP is where spans are sent, http(s)://host:port of an OpenTelemetry collector; "" sends them nowhere.
	OTLP string
	// Exporter gets every span at once, for tests; nil for none.
	Exporter sdktrace.SpanExporter
	Log      *slog.Logger // told when spans cannot be sent; nil discards
}

// Telemetry is one process's traces and metrics. It is safe for concurrent use.
type Telemetry struct {
	// Registry holds the metrics of this process; nothing is registered elsewhere.
	Registry *prometheus.Registry

	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	m        metrics
}

// New makes a process's telemetry. Close it, or spans that wait are lost.
func New(ctx context.Context, c Config) (*Telemetry, error) {
	opts := []sdktrace.TracerProviderOption{
		sdktrace.WithResource(resource.NewSchemaless(semconv.ServiceName(c.Service), semconv.ServiceVersion(c.Version))),
	}
	if c.OTLP != "" {
		if !strings.HasPrefix(c.OTLP, "http://") && !strings.HasPrefix(c.OTLP, "https://") {
			return nil, survey.Errorf(survey.Invalid, "collector address %q", c.OTLP).WithHint("give http(s)://host:port of an OpenTelemetry collector")
		}
		exp, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(strings.TrimSuffix(c.OTLP, "/")+"/v1/traces"))
		if err != nil {
			return nil, fmt.Errorf("span exporter: %w", err)
		}
		opts = append(opts, sdktrace.WithBatcher(told{exp, c.Log}))
	}
	if c.Exporter != nil {
		opts = append(opts, sdktrace.WithSyncer(c.Exporter))
	}
	t := &Telemetry{Registry: prometheus.NewRegistry(), provider: sdktrace.NewTracerProvider(opts...)}
	t.tracer = t.provider.Tracer("github.com/roadcomb/roadcomb")
	t.m = newMetrics(t.Registry)
	t.m.build.WithLabelValues(c.Version).Set(1)
	t.Registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return t, nil
}

// told is an exporter whose failures reach our log instead of a global one.
type told struct {
	sdktrace.SpanExporter
	log *slog.Logger
}

func (x told) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := x.SpanExporter.ExportSpans(ctx, spans)
	if err != nil && x.log != nil {
		x.log.WarnContext(ctx, "spans were not sent", "spans", len(spans), "err", err)
	}
	return nil
}

// Close sends what waits, for at most five seconds.
func (t *Telemetry) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return t.provider.Shutdown(ctx)
}

// Attr is one attribute of a span: an id, never a position or a name.
func Attr(key, value string) trace.SpanStartEventOption {
	return trace.WithAttributes(attribute.String(key, value))
}

// Span begins a span; end it with its error, or nil.
func (t *Telemetry) Span(ctx context.Context, name string, opts ...trace.SpanStartEventOption) (context.Context, func(error)) {
	so := make([]trace.SpanStartOption, len(opts))
	for i, o := range opts {
		so[i] = o
	}
	ctx, s := t.tracer.Start(ctx, name, so...)
	return ctx, func(err error) {
		if err != nil {
			s.SetStatus(codes.Error, survey.KindOf(err).String()) // the text may hold what must not leave
		}
		s.End()
	}
}

// Job runs fn as a job of the kind, in the trace that ctx carries, and counts it.
func (t *Telemetry) Job(ctx context.Context, kind string, fn func(context.Context) error, opts ...trace.SpanStartEventOption) error {
	ctx, end := t.Span(ctx, kind, opts...)
	began := time.Now()
	outcome := "panic"
	var err error
	defer func() {
		t.m.jobs.WithLabelValues(kind, outcome).Inc()
		t.m.jobSeconds.WithLabelValues(kind).Observe(time.Since(began).Seconds())
		if outcome == "panic" {
			err = errors.New("panic")
		}
		end(err)
	}()
	if err = fn(ctx); err != nil {
		outcome = "failed"
	} else {
		outcome = "done"
	}
	return err
}

// HTTP makes a span and counts for every request of next, by its route's pattern, never by its path. A trace that the
// caller brings along is not joined: strangers would decide what belongs together.
func (t *Telemetry) HTTP(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		t.m.inFlight.Inc()
		defer t.m.inFlight.Dec()
		ctx, span := t.tracer.Start(r.Context(), r.Method, trace.WithSpanKind(trace.SpanKindServer))
		in := r.WithContext(ctx)
		rec := &recorder{ResponseWriter: w}
		defer func() {
			r.Pattern = in.Pattern // the mux set it on its own copy; the access log reads ours
			route := strings.TrimPrefix(in.Pattern, in.Method+" ")
			if route == "" {
				route = "none"
			}
			code := rec.status
			if code == 0 {
				code = http.StatusOK
			}
			method := in.Method
			switch method {
			case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
			default:
				method = "other" // a caller's invention must not make a new series
			}
			t.m.requests.WithLabelValues(route, method, strconv.Itoa(code)).Inc()
			t.m.requestSeconds.WithLabelValues(route, method).Observe(time.Since(began).Seconds())
			span.SetName(method + " " + route)
			span.SetAttributes(semconv.HTTPRoute(route), semconv.HTTPResponseStatusCode(code))
			if code >= 500 {
				span.SetStatus(codes.Error, "")
			}
			span.End()
		}()
		next.ServeHTTP(rec, in)
	})
}

type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(code int) {
	if r.status == 0 && code >= 200 {
		r.status = code
	}
	r.ResponseWriter.WriteHeader(code)
}

func (r *recorder) Flush()                      { _ = http.NewResponseController(r.ResponseWriter).Flush() }
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Metrics answers a scrape.
func (t *Telemetry) Metrics() http.Handler {
	return promhttp.HandlerFor(t.Registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4, Timeout: 20 * time.Second})
}

// Carry is the trace that ctx runs in, in the form of a traceparent header (W3C Trace Context); "" outside of one. Follow
// is its inverse, for another process.
func Carry(ctx context.Context) string {
	c := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, c)
	return c["traceparent"]
}

// Follow gives a context in the trace that Carry wrote down; ctx itself where that is empty or spoilt.
func Follow(ctx context.Context, traceparent string) context.Context {
	if traceparent == "" {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": traceparent})
}

// TraceID names the trace that ctx runs in; "" outside of one.
func TraceID(ctx context.Context) string {
	if s := trace.SpanContextFromContext(ctx); s.HasTraceID() {
		return s.TraceID().String()
	}
	return ""
}

// Logs adds the id of the trace to what is logged within one.
func Logs(h slog.Handler) slog.Handler { return logs{h} }

type logs struct{ slog.Handler }

func (l logs) Handle(ctx context.Context, r slog.Record) error {
	if id := TraceID(ctx); id != "" {
		r.AddAttrs(slog.String("trace_id", id))
	}
	return l.Handler.Handle(ctx, r)
}
func (l logs) WithAttrs(as []slog.Attr) slog.Handler { return logs{l.Handler.WithAttrs(as)} }
func (l logs) WithGroup(n string) slog.Handler       { return logs{l.Handler.WithGroup(n)} }
