package schema_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/roadcomb/roadcomb/tiles/schema"
)

var update = flag.Bool("update", false, "rewrite the table in tiles/FORMAT.md")

const begin, end = "<!-- begin: tile sets, made by go test ./tiles/schema -update -->\n", "<!-- end: tile sets -->\n"

func TestTheDocumentationHoldsTheTable(t *testing.T) {
	b, err := os.ReadFile("../FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), begin)
	table, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("tiles/FORMAT.md has no place for the table")
	}
	want := "\n" + schema.Markdown() + "\n"
	if table == want {
		return
	}
	if !*update {
		t.Fatal("the table in tiles/FORMAT.md is stale; run go test ./tiles/schema -update")
	}
	if err := os.WriteFile("../FORMAT.md", []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestSetsCoverTheirLayers(t *testing.T) {
	for _, s := range schema.Sets() {
		for _, l := range s.Layers {
			if l.MinZoom < s.MinZoom || l.MaxZoom > s.MaxZoom || l.MinZoom > l.MaxZoom {
				t.Errorf("layer %s of set %s has zooms %d–%d", l.Name, s.Name, l.MinZoom, l.MaxZoom)
			}
			if got := s.Layer(l.Name); got.Name != l.Name {
				t.Errorf("layer %s of set %s is not found", l.Name, s.Name)
			}
		}
		if len(s.VectorLayers()) != len(s.Layers) {
			t.Errorf("set %s has %d vector layers", s.Name, len(s.VectorLayers()))
		}
	}
}

func Example() {
	s, _ := schema.Get(schema.Images)
	fmt.Println(s.Name, s.MinZoom, s.Layers[0].Keys()[:3])
	// Output: images 14 [id sequence_id seq]
}
