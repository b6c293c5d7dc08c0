package app

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	ingestapi "github.com/roadcomb/roadcomb/ingest/api"
	"github.com/roadcomb/roadcomb/ingest/upload"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/synth"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

// TestMain makes the test's program its own child where it looks at pictures (vision/lab).
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "lab" {
		os.Exit(Run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	// What works on pictures would give way to tests of other packages, for as long as these take.
	os.Setenv("ROADCOMB_NICE", "0")
	os.Exit(m.Run())
}

// goHome undoes the change of working folder of an embedded store that an earlier test started and removed.
func goHome(t *testing.T) {
	t.Helper()
	if err := os.Chdir(testkit.Root(t)); err != nil {
		t.Fatal(err)
	}
}

func TestOneTraceShowsADriveFromUploadToPayout(t *testing.T) {
	if testing.Short() {
		t.Skip("looks at pictures")
	}
	ctx := t.Context()
	spans := tracetest.NewInMemoryExporter()
	set := settings{Home: t.TempDir(), S3Listen: "127.0.0.1:0", opsSettings: opsSettings{exporter: spans}}
	goHome(t)
	p, err := openPlatform(ctx, set, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if err := p.lab.Check(ctx); err != nil {
		t.Skipf("nothing can be published on this machine (make setup): %v", err)
	}
	if err := ingestapi.EnsureContributor(ctx, p.db, localContributor, "local", p.secrets.DriverToken.Reveal()); err != nil {
		t.Fatal(err)
	}
	p.ingest.Config.KeepAllFor = localContributor
	h, err := p.handler("http://127.0.0.1", webSettings{})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	defer srv.Close()
	stop, err := p.startWorkers(ctx, 20*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()

	dir := t.TempDir()
	taken := time.Now().UTC().Add(-time.Hour).Truncate(time.Second)
	for i, s := range synth.Path([]geo.Point{{Lat: 43.73, Lon: 7.41}, {Lat: 43.7305, Lon: 7.4105}}, 8, 10, taken) {
		b := synth.JPEG(synth.Picture{W: 1280, H: 720, Make: "roadcomb", Model: "test", Seed: uint64(i), Point: &s.Point, GPSTime: s.Time, Taken: s.Time, Offset: "+00:00", Heading: &s.Heading, DOP: 1.2})
		if err := os.WriteFile(filepath.Join(dir, s.Name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	client := upload.Client{BaseURL: srv.URL, Token: p.secrets.DriverToken.Reveal()}
	if _, err := client.Upload(ctx, []string{dir}, survey.UploadOptions{TrimMeters: -1}, nil); err != nil {
		t.Fatal(err)
	}
	if err := p.untilFolded(ctx); err != nil {
		t.Fatal(err)
	}
	var drive string
	var received int64
	if err := p.db.QueryRow(ctx, `SELECT id, received_at FROM drives`).Scan(&drive, &received); err != nil {
		t.Fatal(err)
	}
	// The week's end is another day's job, in a trace of its own; each drive's trace still shows its payout.
	if err := p.payouts(ctx, survey.EpochOf(state.Time(received))); err != nil {
		t.Fatal(err)
	}

	trace := ""
	for _, s := range spans.GetSpans() {
		if s.Name == "ingest" {
			trace = s.SpanContext.TraceID().String()
		}
	}
	names := map[string]bool{}
	for _, s := range spans.GetSpans() {
		if s.SpanContext.TraceID().String() == trace {
			names[s.Name] = true
		}
		if text := fmt.Sprint(s.Attributes); strings.Contains(text, "43.7") || strings.Contains(text, p.secrets.DriverToken.Reveal()) {
			t.Errorf("span %s tells too much: %s", s.Name, text)
		}
	}
	for _, want := range []string{"POST /v1/uploads/{id}/complete", "ingest", "vision", "index", "tiles", "export", "payout"} {
		if !names[want] {
			t.Errorf("the drive's trace lacks %q: %v", want, slices.Sorted(maps.Keys(names)))
		}
	}
	js, err := p.db.ListJobs(ctx, "ingest", []string{"completed"}, 1)
	if err != nil || len(js) != 1 || js[0].Trace != trace {
		t.Errorf("the job does not name its trace: %+v %v", js, err)
	}

	get := func(path, token string) (int, string) {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	if code, body := get("/metrics", p.secrets.Operator.Reveal()); code != 200 || !strings.Contains(body, `roadcomb_jobs_total{kind="vision",outcome="done"} 1`) || !strings.Contains(body, "roadcomb_workers_alive 1") {
		t.Error(code, body)
	}
	if code, body := get("/v1/operator/queue", p.secrets.Operator.Reveal()); code != 200 || !strings.Contains(body, `"workers":1`) || !strings.Contains(body, `"kind":"vision"`) {
		t.Error(code, body)
	}
	if code, body := get("/readyz", ""); code != http.StatusOK {
		t.Error(code, body)
	}
	p.s3.Close() // the store goes away: alive, but not ready
	p.readiness.at = time.Time{}
	if code, body := get("/readyz", ""); code != 503 || !strings.Contains(body, `"store"`) || strings.Contains(body, `"state"`) {
		t.Error(code, body)
	}
	if code, _ := get("/healthz", ""); code != 200 {
		t.Error(code)
	}
	p.s3 = nil
}
