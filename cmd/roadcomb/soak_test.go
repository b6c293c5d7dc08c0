package main_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/benchmarks/fleet/chaos"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

var (
	soakFor     = flag.Duration("soak.for", 0, "how long to soak; 0 soaks not at all")
	scaleOf     = flag.Int("scale.drivers", 0, "drivers of the comparison of worker processes; 0 makes none")
	driversOf   = flag.Int("drivers.at-once", 0, "drivers who drive side by side while the API's answers are timed; 0 times none")
	driversEach = flag.Int("drivers.each", 3, "drives of each of them")
	fleetReport = flag.String("fleet.report", "", "file to write the report to")
)

func fleetDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "roadcomb-fleet-") // readable by the user that PostgreSQL runs as
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !t.Failed() {
			os.RemoveAll(dir)
		}
	})
	t.Chdir(testkit.Root(t)) // where the library for inference is found
	return dir
}

func writeReport(t *testing.T, path string, v any) []byte {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if path != "" {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Error(err)
		}
		if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
			t.Error(err)
		}
	}
	return b
}

func TestSoakIsFlatAndABurstIsShed(t *testing.T) {
	if *soakFor == 0 {
		t.Skip("make soak runs it")
	}
	r, err := chaos.Soak(t.Context(), chaos.Config{Program: bin, Dir: fleetDir(t), Seed: uint64(time.Now().Unix()), Log: os.Stderr}, *soakFor)
	writeReport(t, *fleetReport, r)
	t.Logf("%.1f minutes at %.1f of %.1f frames/s, %d drives, %d failed; API p99 %.1f ms. Second third and last third of the time:", r.Minutes, r.Rate, r.Capacity, r.Drives, r.Failed, r.API.P99)
	for _, x := range r.Trends {
		verdict := "flat"
		if x.Grows {
			verdict = "GROWS"
		}
		t.Logf("  %-24s %12.0f %12.0f  %s", x.What, x.Was, x.Is, verdict)
	}
	r.Samples = r.Samples[max(0, len(r.Samples)-1):]
	b, _ := json.MarshalIndent(r, "", " ")
	if err != nil || len(r.Violations) > 0 {
		t.Fatalf("%v\n%s", err, b)
	}
	t.Logf("%s", b)
}

func TestManyDriversAreAnsweredInTime(t *testing.T) {
	if *driversOf == 0 {
		t.Skip("make drivers runs it")
	}
	r, err := chaos.Drivers(t.Context(), chaos.Config{Program: bin, Dir: fleetDir(t), Drivers: *driversOf, Workers: 1, Log: os.Stderr}, *driversEach)
	b := writeReport(t, *fleetReport, r)
	if err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	t.Logf("%s", b)
	t.Logf("%d drivers at once, %.1f frames/s, processors %.0f %% busy: drivers saw p99 %.1f ms over %d requests; serve itself answered %.1f %% of %d within 50 ms, p99 at most %.0f ms",
		r.Drivers, r.Rate, 100*r.Busy, r.API.P99, r.API.N, 100*r.Within50, r.Served, r.Most)
}

func TestTwoWorkersAgainstOne(t *testing.T) {
	if *scaleOf == 0 {
		t.Skip("make scale runs it")
	}
	r, err := chaos.Scale(t.Context(), chaos.Config{Program: bin, Dir: fleetDir(t), Log: os.Stderr}, *scaleOf)
	b := writeReport(t, *fleetReport, r)
	if err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	t.Logf("%s", b)
	one, two := r.Runs[0], r.Runs[1]
	t.Logf("two workers do %.2f times what one does (%.1f and %.1f frames/s); of %.0f processor seconds %.0f were idle with two, %.0f of %.0f with one",
		two.Rate/one.Rate, two.Rate, one.Rate, two.Seconds*float64(r.Cores), two.Idle, one.Idle, one.Seconds*float64(r.Cores))
}
