package epoch_test

import (
	"flag"
	"os"
	"testing"

	"github.com/roadcomb/roadcomb/benchmarks/epoch"
)

var observations = flag.Int("observations", 20_000, "observations of the epoch; a tenth as many cells, a hundredth as many accounts")

// The figures at full size come from: go test ./benchmarks/epoch -v -observations 10000000 (GOMEMLIMIT=3500MiB).
func TestCloseAndVerify(t *testing.T) {
	r, err := epoch.Run(epoch.Config{Observations: *observations, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	r.Report(os.Stderr)
	if r.Lines == 0 || r.Root == "" {
		t.Errorf("%+v", r)
	}
}
