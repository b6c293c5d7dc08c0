package worker_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

func TestThePageOfVerdictsIsTheListInTheCode(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(testkit.Root(t), "ingest", "VERDICTS.md"))
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (.+?) \\| (ingest|vision|operator|operator, ingest) \\|")
	rows := row.FindAllStringSubmatch(string(b), -1)
	all := survey.Reasons()
	if len(rows) != len(all) {
		t.Fatalf("%d rows, %d reasons", len(rows), len(all))
	}
	decides := map[string]string{}
	for i, r := range rows {
		if r[1] != string(all[i]) || r[2] != all[i].Text() {
			t.Errorf("row %d is %q %q, want %q %q", i, r[1], r[2], all[i], all[i].Text())
		}
		decides[r[1]] = r[3]
	}
	// What this stage says it decides is what its code names.
	var code strings.Builder
	for _, dir := range []string{"worker", "trace"} {
		names, _ := filepath.Glob(filepath.Join(testkit.Root(t), "ingest", dir, "*.go"))
		for _, n := range names {
			if strings.HasSuffix(n, "_test.go") {
				continue
			}
			src, err := os.ReadFile(n)
			if err != nil {
				t.Fatal(err)
			}
			code.Write(src)
		}
	}
	for _, r := range all {
		name := "survey.Reason" + camel(string(r))
		if used := regexp.MustCompile(name + `\b`).MatchString(code.String()); used != strings.Contains(decides[string(r)], "ingest") {
			t.Errorf("%s: in the code %v, on the page %s", r, used, decides[string(r)])
		}
	}
}

func camel(s string) string {
	var out string
	for _, w := range strings.Split(s, "_") {
		out += strings.ToUpper(w[:1]) + w[1:]
	}
	return out
}
