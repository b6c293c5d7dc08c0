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
	r.Samples = r.Samples[max(0, len(r.Samples)-1):]
	b, _ := json.MarshalIndent(r, "", " ")
	if err != nil || len(r.Violations) > 0 {
		t.Fatalf("%v\n%s", err, b)
	}
	t.Logf("%s", b)
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
}
