package models

import (
	"errors"
	"math"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// What a package holds is read only when it is what the manifest names.
func TestOtherBytesAreNotConverted(t *testing.T) {
	m, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	mo, ok := m.Model("nanodet-g")
	if !ok || len(mo.Sources) != 1 || mo.Sources[0].SHA256 == (survey.Hash{}) {
		t.Fatalf("%+v", mo.Sources)
	}
	if _, err := convert(mo.Sources[0], []byte("{}"), nil); !errors.Is(err, ErrMismatch) {
		t.Fatal(err)
	}
	other := mo.Sources[0]
	other.Convert = "nobody's"
	if _, err := convert(other, nil, nil); survey.KindOf(err) != survey.Unsupported {
		t.Fatal(err)
	}
	for _, graph := range []string{"", "{", `{"weightsManifest": [{"weights": [{"name": "w", "shape": [3], "dtype": "float32"}]}]}`,
		`{"modelTopology": {"node": [{"name": "a", "op": "Add", "input": ["b", "c"]}]}}`, `{"modelTopology": {"node": [{"name": "a", "op": "Sort"}]}}`} {
		if _, err := fromNanoDet([]byte(graph), []byte{1, 2, 3, 4}); err == nil {
			t.Errorf("%q was read", graph)
		}
	}
}

func TestHalvesAreRead(t *testing.T) {
	for h, want := range map[uint16]float32{0: 0, 0x3c00: 1, 0xc000: -2, 0x7bff: 65504, 0x0001: 1.0 / (1 << 24), 0x8400: -1.0 / (1 << 14), 0x3555: 0.33325195} {
		if got := half(h); got != want {
			t.Errorf("%04x is %v, want %v", h, got, want)
		}
	}
	if !math.IsInf(float64(half(0x7c00)), 1) || !math.IsNaN(float64(half(0x7e00))) {
		t.Error("infinity or NaN is a number")
	}
}
