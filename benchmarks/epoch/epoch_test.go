package epoch_test

import (
	"flag"
	"os"
	"testing"

	"github.com/roadcomb/roadcomb/benchmarks/epoch"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

var rows = flag.Int("rows", 3_000, "observations of the epoch that is closed from the database")

// At full size: go test ./benchmarks/epoch -run Database -v -timeout 2h -rows 10000000 (GOMEMLIMIT=3500MiB).
func TestCloseFromTheDatabase(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		r, err := epoch.RunSQL(t.Context(), db, testkit.S3(t), epoch.Config{Observations: *rows})
		if err != nil {
			t.Fatal(err)
		}
		t.Log(r)
	})
}

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
