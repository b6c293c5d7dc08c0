// Package archtest holds the rules of who may import whom as a test over the build graph.
package archtest

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/roadcomb/roadcomb/"

type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func list(t *testing.T, env []string, args ...string) []pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Deps"}, args...)...)
	cmd.Dir = "../../.."
	cmd.Env = append(os.Environ(), env...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, errs.String())
	}
	var ps []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); err == io.EOF {
			return ps
		} else if err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p)
	}
}

func in(path string, dirs ...string) bool {
	return slices.ContainsFunc(dirs, func(d string) bool { return path == d || strings.HasPrefix(path, d+"/") })
}

// stages meet only as values of survey in state, in manifests and in job arguments.
var stages = []string{"ingest", "vision", "tiles", "rewards", "datasets"}

func TestStagesNeverImportEachOther(t *testing.T) {
	for _, p := range list(t, nil, "./...") {
		rel := strings.TrimPrefix(p.ImportPath, module)
		for _, i := range p.Imports {
			to, ok := strings.CutPrefix(i, module)
			if !ok {
				continue
			}
			from, _, _ := strings.Cut(rel, "/")
			into, _, _ := strings.Cut(to, "/")
			switch {
			case from == into:
			case from == "cmd" || from == "benchmarks":
			case slices.Contains(stages, from) && slices.Contains(stages, into), from == "pkg" && into != "pkg", into == "cmd":
				t.Errorf("%s imports %s", rel, to)
			}
		}
	}
}

func TestOneOwnerForEachForeignLibrary(t *testing.T) {
	owners := map[string][]string{
		"gocv.io/x/gocv":                       {"vision/cv"},
		"github.com/yalue/onnxruntime_go":      {"vision/infer"},
		"github.com/uber/h3-go/v4":             {"pkg/hex"},
		"github.com/minio/minio-go/v7":         {"pkg/store", "benchmarks"},
		"github.com/versity/versitygw":         {"pkg/store/embeds3"},
		"github.com/riverqueue/river":          {"pkg/state"},
		"github.com/jackc/pgx/v5":              {"pkg/state"},
		"modernc.org/sqlite":                   {"pkg/state"},
		"github.com/apache/arrow/go/v17":       {"pkg/lake", "datasets"},
		"github.com/apache/arrow-go/v18":       {"datasets/query", "datasets/iceberg"},
		"github.com/apache/iceberg-go":         {"datasets/iceberg"},
		"github.com/duckdb/duckdb-go/v2":       {"datasets/query"},
		"github.com/duckdb/duckdb-go-bindings": {"datasets/query"},
		"github.com/ethereum/go-ethereum":      {"rewards/settle"},
		"github.com/paulmach/osm":              {"pkg/hex/roads", "tiles/basemap", "cmd"},
		"github.com/prometheus/client_golang":  {"pkg/telemetry"},
		"go.opentelemetry.io/otel":             {"pkg/telemetry", "cmd"},
		"github.com/coreos/go-oidc/v3":         {"pkg/operators"},
		"golang.org/x/oauth2":                  {"pkg/operators"},
		"github.com/alecthomas/kong":           {"cmd"},
		"github.com/schollz/progressbar/v3":    {"cmd"},
		"testing":                              {"pkg/testkit", "tiles/api/maptest"},
	}
	for _, p := range list(t, nil, "./...") {
		rel := strings.TrimPrefix(p.ImportPath, module)
		for _, i := range p.Imports {
			for lib, by := range owners {
				if in(i, lib) && !in(rel, by...) {
					t.Errorf("%s imports %s, which only %s may", rel, i, strings.Join(by, ", "))
				}
			}
		}
	}
}

func TestTheTwoParquetLibrariesAreInNoProgramTogether(t *testing.T) {
	// They define the same C symbols: a program with both does not link.
	for _, p := range list(t, nil, "./...") {
		if slices.Contains(p.Deps, "github.com/apache/arrow/go/v17/parquet") && slices.Contains(p.Deps, "github.com/apache/arrow-go/v18/parquet") {
			t.Errorf("%s needs both", strings.TrimPrefix(p.ImportPath, module))
		}
	}
}

func TestTilesAndDatasetsCannotReachPayouts(t *testing.T) {
	// They share the state database; the words below are the columns they must not read.
	cmd := exec.Command("grep", "-rnE", "payout_address|token_sha256", "--include=*.go", "tiles", "datasets")
	cmd.Dir = "../../.."
	out, _ := cmd.Output()
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		if line != "" && !strings.Contains(line, "_test.go:") {
			t.Errorf("reads accounts: %s", line)
		}
	}
}

func TestWithoutCgoTheUploaderAndThePureStagesBuild(t *testing.T) {
	if testing.Short() {
		t.Skip("builds")
	}
	for _, p := range list(t, []string{"CGO_ENABLED=0"}, "./pkg/geo", "./pkg/survey", "./ingest/...", "./rewards", "./cmd/roadcam") {
		if slices.Contains(p.Deps, "runtime/cgo") {
			t.Errorf("%s needs cgo", p.ImportPath)
		}
	}
	cmd := exec.Command("go", "build", "-o", os.DevNull, "./cmd/roadcam")
	cmd.Dir = "../../.."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestGoModHasNoReplace(t *testing.T) {
	b, err := os.ReadFile("../../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, []byte("\nreplace ")) {
		t.Error("go.mod has a replace directive")
	}
}

func TestMigrationsHaveNumbersOfTheirOwn(t *testing.T) {
	entries, err := os.ReadDir("../../../pkg/state/migrations")
	if err != nil || len(entries) == 0 {
		t.Fatal(len(entries), err)
	}
	by := map[string]string{}
	for _, e := range entries {
		n, _, _ := strings.Cut(e.Name(), "_")
		if by[n] != "" {
			t.Errorf("%s and %s have the same number: no database would open", by[n], e.Name())
		}
		by[n] = e.Name()
	}
}
