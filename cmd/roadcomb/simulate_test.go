package main_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/benchmarks/fleet"
)

// A made-up fleet with a cheat drives through a running server and is judged as its truth says; one at a low rate stops in
// order when it is told to, with a summary of what was driven.
func TestAMadeUpFleetDrivesThroughARunningServerAndStopsWhenTold(t *testing.T) {
	if testing.Short() {
		t.Skip("looks at a hundred pictures")
	}
	home, models := t.TempDir(), filepath.Join(t.TempDir(), "models")
	if out, err := repo(t, "simulate", "models", "--out", models).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	base := strings.TrimSuffix(start(t, "map: ", "up", "--home", home, "--listen", "127.0.0.1:0", "--s3-listen", "127.0.0.1:0", "--flight=", "--models", models, "--rehearse", "2026-06-08T00:00:00Z"), "/")
	drive := func(out string, args ...string) []string {
		return append([]string{"simulate", "--server", base, "--home", home, "--frames", "40", "--start", "2026-06-01T00:00:00Z", "--out", out}, args...)
	}
	out := t.TempDir()
	said, err := repo(t, drive(out, "--contributors", "2", "--attackers", "1", "--faulty", "0")...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	var sum fleet.Summary
	if err := json.Unmarshal(mustRead(t, filepath.Join(out, "summary.json")), &sum); err != nil {
		t.Fatal(err)
	}
	truth := bytes.Count(mustRead(t, filepath.Join(out, "truth.jsonl")), []byte("\n"))
	outcomes := bytes.Count(mustRead(t, filepath.Join(out, "outcome.jsonl")), []byte("\n"))
	if sum.Drives < 3 || truth != sum.Drives || outcomes != sum.Drives || sum.Failed+sum.Wrong+sum.Missed > 0 || sum.Accepted == 0 || sum.API.N == 0 || len(sum.Attacks) != 1 {
		t.Fatalf("%d drives in the truth, %d outcomes: %+v", truth, outcomes, sum)
	}

	out = t.TempDir()
	cmd := repo(t, drive(out, "--contributors", "2000", "--rate", "0.001", "--seed", "2")...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if b, err := os.ReadFile(filepath.Join(out, "outcome.jsonl")); err == nil && bytes.Contains(b, []byte("\n")) {
			break
		}
		if time.Now().After(deadline) {
			cmd.Process.Kill()
			cmd.Wait()
			t.Fatalf("no drive ends: %s", errs.String())
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("a run that was stopped ends as if it were whole")
	}
	if err := json.Unmarshal(mustRead(t, filepath.Join(out, "summary.json")), &sum); err != nil || sum.Drives != 1 || sum.Failed > 0 || !strings.Contains(errs.String(), "stopped after 1 of 2000 drives") {
		t.Errorf("%v: %+v\n%s", err, sum, errs.String())
	}
}
