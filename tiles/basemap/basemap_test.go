package basemap_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/paulmach/orb/encoding/mvt"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
	"github.com/roadcomb/roadcomb/tiles/archive"
	"github.com/roadcomb/roadcomb/tiles/basemap"
)

func TestMonacoHasStreetsBuildingsAndNames(t *testing.T) {
	f, err := os.Open(testkit.Shared(t, "data", "osm", "monaco.osm.pbf"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one.pmtiles"), filepath.Join(dir, "two.pmtiles")
	st, err := basemap.Build(t.Context(), f, one)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(st, st.Bytes)
	if _, err := basemap.Build(t.Context(), f, two); err != nil {
		t.Fatal(err)
	}
	a, err := os.ReadFile(one)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(two)
	if err != nil || !bytes.Equal(a, b) || st.Bytes != int64(len(a)) {
		t.Fatal("two builds differ", err)
	}
	r, err := archive.Open(context.Background(), archive.At(bytes.NewReader(a)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if md, err := r.Metadata(t.Context()); err != nil || !strings.Contains(string(md), basemap.Attribution) {
		t.Fatal("no attribution", err)
	}
	found := map[string]int{}
	named := 0
	err = r.Each(t.Context(), func(e archive.Entry) error {
		layers, err := mvt.UnmarshalGzipped(a[e.Offset : e.Offset+uint64(e.Length)])
		for _, l := range layers {
			found[l.Name] += len(l.Features)
			for _, f := range l.Features {
				if l.Name == "roads" && f.Properties["name"] != nil {
					named++
				}
			}
		}
		return err
	})
	if err != nil || found["roads"] < 500 || found["buildings"] < 500 || found["water"] == 0 || found["green"] == 0 || found["places"] == 0 || named < 100 {
		t.Fatal(err, found, named)
	}
}

func TestWhatIsNoExtractIsInvalid(t *testing.T) {
	out := filepath.Join(t.TempDir(), "x.pmtiles")
	for name, b := range map[string]string{"text": "not a PBF at all, whatever it says", "empty": ""} {
		if _, err := basemap.Build(t.Context(), strings.NewReader(b), out); survey.KindOf(err) != survey.Invalid {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%s left a file", name)
		}
	}
}
