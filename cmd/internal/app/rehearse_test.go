package app

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/roadcomb/roadcomb/benchmarks/fleet"
)

// The child process that pictures are looked at in is told whether the network rehearses, and refuses the simulator's
// detector, which finds no real face, when it does not.
func TestOnlyARehearsalMayUseTheSimulatorsDetector(t *testing.T) {
	goHome(t)
	dir := t.TempDir()
	if err := fleet.WriteModels(dir); err != nil {
		t.Fatal(err)
	}
	for _, rehearses := range []bool{false, true} {
		l, err := newLab(dir, nil, rehearses, 0, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		err = l.Check(t.Context())
		l.Close()
		switch {
		case rehearses && err != nil:
			t.Errorf("a rehearsal is refused: %v", err)
		case !rehearses && (err == nil || !strings.Contains(err.Error(), "simulator")):
			t.Errorf("the simulator's detector looks at real pictures: %v", err)
		}
	}
}
