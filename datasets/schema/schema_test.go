package schema_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/roadcomb/roadcomb/datasets/schema"
)

var update = flag.Bool("update", false, "rewrite SCHEMA.md")

func Example() {
	all, err := schema.All()
	if err != nil {
		panic(err)
	}
	for _, d := range all {
		fmt.Println(d.Name, d.Version, len(d.Columns))
	}
	// Output:
	// frames 1 28
	// observations 1 11
	// drives 1 12
	// cells 1 12
	// rejections 2 10
	// findings 1 9
	// features 1 13
	// epochs 1 12
	// allocations 1 6
	// contributions 1 10
	// usage 1 5
}

func TestTheDocumentIsTheCode(t *testing.T) {
	want, err := schema.Markdown()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("../SCHEMA.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("../SCHEMA.md")
	if err != nil || string(got) != want {
		t.Fatalf("SCHEMA.md differs from the code; go test ./datasets/schema -update (%v)", err)
	}
}

func TestColumnsSayTheirUnits(t *testing.T) {
	all, err := schema.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		seen := map[string]bool{}
		for _, c := range d.Columns {
			if seen[c.Name] || c.Name != strings.ToLower(c.Name) {
				t.Errorf("%s.%s: twice, or not lower case", d.Name, c.Name)
			}
			seen[c.Name] = true
			if strings.HasPrefix(c.Type, "timestamp") && c.Unit != "us UTC" || strings.HasSuffix(c.Name, "_ppm") && c.Unit != "ppm" || strings.HasSuffix(c.Name, "_m") && c.Unit != "m" {
				t.Errorf("%s.%s has unit %q", d.Name, c.Name, c.Unit)
			}
			if slices.Contains([]string{"uint64", "uint32", "dictionary"}, c.Type) {
				t.Errorf("%s.%s is %s", d.Name, c.Name, c.Type)
			}
		}
		if d.Doc == "" {
			t.Errorf("%s has no sentence", d.Name)
		}
	}
}

// testdata/columns.txt is every column that was ever published, with its type, and the version that it came with. Lines
// are only ever added to it.
func TestColumnsAreOnlyAdded(t *testing.T) {
	all, err := schema.All()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile("testdata/columns.txt")
	if err != nil {
		t.Fatal(err)
	}
	type column struct{ dataset, name string }
	known := map[column]string{}
	newest := map[string]int{}
	for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		var name, col string
		var version int
		f := strings.SplitN(line, "\t", 4)
		if len(f) != 4 {
			t.Fatalf("%q", line)
		}
		name, col = f[0], f[2]
		if _, err := fmt.Sscan(f[1], &version); err != nil {
			t.Fatal(err)
		}
		known[column{name, col}] = f[3]
		newest[name] = max(newest[name], version)
	}
	for _, d := range all {
		for _, c := range d.Columns {
			typ := c.Type
			if c.Nullable {
				typ += ", nullable"
			}
			was, ok := known[column{d.Name, c.Name}]
			switch {
			case !ok && d.Version <= newest[d.Name]:
				t.Errorf("%s.%s is new: raise the version, and add the line %q", d.Name, c.Name, fmt.Sprintf("%s\t%d\t%s\t%s", d.Name, d.Version+1, c.Name, typ))
			case !ok:
				t.Errorf("%s.%s is new: add the line %q", d.Name, c.Name, fmt.Sprintf("%s\t%d\t%s\t%s", d.Name, d.Version, c.Name, typ))
			case was != typ:
				t.Errorf("%s.%s was %s and is %s now: old readers would fail", d.Name, c.Name, was, typ)
			}
			delete(known, column{d.Name, c.Name})
		}
	}
	for c := range known {
		t.Errorf("%s.%s is gone: old readers would miss it", c.dataset, c.name)
	}
}
