package telemetry_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/telemetry"
)

var update = flag.Bool("update", false, "write the golden files")

func open(t *testing.T) (*telemetry.Telemetry, *tracetest.InMemoryExporter) {
	t.Helper()
	exp := tracetest.NewInMemoryExporter()
	tel, err := telemetry.New(t.Context(), telemetry.Config{Service: "test", Version: "1", Exporter: exp})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tel.Close() })
	return tel, exp
}

func scrape(t *testing.T, tel *telemetry.Telemetry) string {
	t.Helper()
	w := httptest.NewRecorder()
	tel.Metrics().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatal(w.Code, w.Body)
	}
	return w.Body.String()
}

func TestEveryMetricIsInTheTableAndInTheScrape(t *testing.T) {
	tel, _ := open(t)
	tel.Watch(func(context.Context) (telemetry.Standing, error) {
		return telemetry.Standing{Queue: []telemetry.QueueStanding{{Kind: "ingest", Waiting: 3, Age: time.Minute}}, Uploads: map[string]int64{"open": 1}, DiskFree: 7}, nil
	})
	tel.HTTP(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	tel.Job(t.Context(), "ingest", func(context.Context) error { return nil })
	got := scrape(t, tel)
	for _, name := range telemetry.Names() {
		if !strings.Contains(got, "\n# TYPE "+name+" ") && !strings.HasPrefix(got, "# TYPE "+name+" ") {
			t.Errorf("%s is not in a scrape", name)
		}
	}
	for _, line := range strings.Split(got, "\n") {
		name, _, _ := strings.Cut(strings.TrimPrefix(line, "# TYPE "), " ")
		if strings.HasPrefix(line, "# TYPE roadcomb_") && !strings.Contains(" "+strings.Join(telemetry.Names(), " ")+" ", " "+name+" ") {
			t.Errorf("%s is not declared", name)
		}
	}
	for _, want := range []string{`roadcomb_queue_jobs{kind="ingest",state="waiting"} 3`, `roadcomb_queue_age_seconds{kind="ingest"} 60`, `roadcomb_state_up 1`, `roadcomb_disk_free_bytes 7`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s", want)
		}
	}
	var table bytes.Buffer
	if err := telemetry.WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	const doc = "METRICS.md"
	want := []byte("# Metrics\n\nWritten from `pkg/telemetry/metrics.go`. Beside these, a scrape holds the Go runtime's `go_*` and the process's `process_*`.\n\n" + table.String())
	if *update {
		if err := os.WriteFile(doc, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := os.ReadFile(doc); err != nil || !bytes.Equal(b, want) {
		t.Errorf("%s is not what the code says (%v); go test ./pkg/telemetry -update", doc, err)
	}
}

func TestAScrapeSaysWhenTheStateIsAway(t *testing.T) {
	tel, _ := open(t)
	tel.Watch(func(context.Context) (telemetry.Standing, error) { return telemetry.Standing{}, errors.New("away") })
	if got := scrape(t, tel); !strings.Contains(got, "roadcomb_state_up 0") || strings.Contains(got, "roadcomb_workers_alive") {
		t.Fatal(got)
	}
}

func TestRequestsAreCountedByRouteAndNeverByPath(t *testing.T) {
	tel, exp := open(t)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /things/{id}", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(418) })
	h := tel.HTTP(mux)
	for i := range 50 {
		r := httptest.NewRequest("GET", fmt.Sprintf("/things/secret%d", i), nil)
		r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
		h.ServeHTTP(httptest.NewRecorder(), r)
		if r.Pattern != "GET /things/{id}" {
			t.Fatal("the access log does not learn the route:", r.Pattern)
		}
	}
	for i := range 50 {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(fmt.Sprintf("X%d", i), fmt.Sprintf("/nowhere/%d", i), nil))
	}
	got := scrape(t, tel)
	if !strings.Contains(got, `roadcomb_http_requests_total{code="418",method="GET",route="/things/{id}"} 50`) || strings.Contains(got, "secret") {
		t.Error(got)
	}
	if n := strings.Count(got, "roadcomb_http_requests_total{"); n != 2 {
		t.Errorf("%d series: callers make new ones", n)
	}
	for _, s := range exp.GetSpans() {
		if strings.Contains(fmt.Sprint(s.Name, s.Attributes), "secret") {
			t.Errorf("span tells the path: %v", s)
		}
		if s.SpanContext.TraceID().String() == "0af7651916cd43dd8448eb211c80319c" {
			t.Error("a caller chose the trace")
		}
	}
}

func TestATraceGoesOnInAnotherProcessAndErrorsStayInside(t *testing.T) {
	tel, exp := open(t)
	ctx, end := tel.Span(t.Context(), "request")
	carried := telemetry.Carry(ctx)
	end(nil)
	err := tel.Job(telemetry.Follow(context.Background(), carried), "vision", func(ctx context.Context) error {
		if telemetry.TraceID(ctx) != carried[3:35] {
			t.Error("another trace:", telemetry.TraceID(ctx), carried)
		}
		return survey.Errorf(survey.Unavailable, "at 43.7,7.4")
	})
	if err == nil {
		t.Fatal("the error is lost")
	}
	spans := exp.GetSpans()
	if len(spans) != 2 || spans[0].SpanContext.TraceID() != spans[1].SpanContext.TraceID() || spans[1].Parent.SpanID() != spans[0].SpanContext.SpanID() {
		t.Fatalf("%+v", spans)
	}
	if strings.Contains(fmt.Sprintf("%+v", spans), "43.7") {
		t.Error("a span holds the error's text")
	}
	if telemetry.Follow(t.Context(), "nonsense") == nil || telemetry.Carry(t.Context()) != "" {
		t.Error("a context without a trace")
	}
	if got := scrape(t, tel); !strings.Contains(got, `roadcomb_jobs_total{kind="vision",outcome="failed"} 1`) {
		t.Error(got)
	}
}

func Example() {
	tel, err := telemetry.New(context.Background(), telemetry.Config{Service: "roadcomb", Version: "1"})
	if err != nil {
		panic(err)
	}
	defer tel.Close()
	ctx, end := tel.Span(context.Background(), "complete-upload")
	job := telemetry.Carry(ctx) // kept with the job, in the same transaction
	end(nil)
	fmt.Println(telemetry.TraceID(telemetry.Follow(context.Background(), job)) == telemetry.TraceID(ctx))
	// Output: true
}
