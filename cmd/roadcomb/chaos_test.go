package main_test

import (
	"flag"
	"io"
	"os"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/benchmarks/fleet/chaos"
)

var (
	chaosEvents  = flag.Int("chaos.events", 10, "faults that happen")
	chaosGap     = flag.Duration("chaos.gap", 900*time.Millisecond, "mean time between two")
	chaosLongest = flag.Duration("chaos.longest", 25*time.Second, "after which no fault begins; 0 is unbounded")
	chaosSeed    = flag.Uint64("chaos.seed", 1, "the same seed makes the same drives and draws the same faults")
	chaosDrivers = flag.Int("chaos.drivers", 2, "drivers of each round")
	chaosCheats  = flag.Int("chaos.cheats", 1, "drivers of each round who also cheat")
)

func TestFaultsLoseNothingPayNothingTwiceAndShowNothing(t *testing.T) {
	if os.Getenv("ROADCOMB_TEST_POSTGRES") == "" {
		t.Skip("ROADCOMB_TEST_POSTGRES is not set; .ci/with-postgres sets it, and the test starts a server of its own that it may crash")
	}
	if testing.Short() {
		t.Skip("kills processes for a minute")
	}
	var log io.Writer = io.Discard
	if testing.Verbose() {
		log = os.Stderr
	}
	dir := fleetDir(t)
	began := time.Now()
	r, err := chaos.Run(t.Context(), chaos.Config{Program: bin, Dir: dir, Events: *chaosEvents, Gap: *chaosGap, Longest: *chaosLongest, Seed: *chaosSeed,
		Drivers: *chaosDrivers, Cheats: *chaosCheats, Log: log})
	b := writeReport(t, *fleetReport, r)
	if err != nil || len(r.Violations) > 0 {
		t.Fatalf("after %s (seed %d, files in %s): %v\n%s", time.Since(began).Round(time.Second), *chaosSeed, dir, err, b)
	}
	t.Logf("%s", b)
}
