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
	// rejections 1 9
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
