package deploy

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/telemetry"
)

// The dashboard and the alerts must ask for metrics that exist.
func TestMonitoringAsksForMetricsThatExist(t *testing.T) {
	names := telemetry.Names()
	name := regexp.MustCompile(`roadcomb_[a-z_]+`)
	suffix := regexp.MustCompile(`_(bucket|sum|count)$`)
	for _, file := range []string{"monitoring/alerts.yaml", "monitoring/alerts_test.yaml", "monitoring/grafana.json"} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := name.FindAllString(string(b), -1)
		if len(found) < 8 {
			t.Errorf("%s names %d metrics", file, len(found))
		}
		for _, m := range found {
			if !slices.Contains(names, m) && !slices.Contains(names, suffix.ReplaceAllString(m, "")) {
				t.Errorf("%s asks for %s, which nothing measures", file, m)
			}
		}
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	b, err := os.ReadFile("monitoring/grafana.json")
	if err == nil {
		err = json.Unmarshal(b, &board)
	}
	if err != nil || len(board.Panels) == 0 {
		t.Fatal(len(board.Panels), err)
	}
	for _, p := range board.Panels {
		if p.Title == "" || len(p.Targets) == 0 || p.Targets[0].Expr == "" {
			t.Errorf("panel %+v shows nothing", p)
		}
	}
}
