package fold

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/hex/cells"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

func write(t testing.TB, path string, ps []cells.Partial) {
	t.Helper()
	w, err := newPartWriter(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for i := range ps {
		if err := w.add(&ps[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.finish(); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, path string, lo, hi uint64) (out []cells.Partial) {
	t.Helper()
	f, err := openParts(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := merge(t.Context(), []*partFile{f}, lo, hi, func(p *cells.Partial) error { out = append(out, *p); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

// some are n partials at most, in order, of cells at res; cells are few, so that files share them.
func some(rnd *rand.Rand, n, res int) []cells.Partial {
	all := make(map[uint64]cells.Partial)
	for range n {
		c := survey.Cell(1<<59 | uint64(res)<<52 | uint64(rnd.IntN(3))<<45 | rnd.Uint64N(500)<<(3*(15-res)))
		c |= survey.Cell(1)<<(3*(15-res)) - 1
		p := cells.Partial{Cell: c, Place: rnd.IntN(cells.Places), Observations: 1 + rnd.Int64N(3), LastSeen: rnd.Int64N(1 << 51), LastReceived: rnd.Int64N(1<<51) - 1<<50}
		p.BestQuality = rnd.Int64N(1_000_001)
		p.QualitySum, p.FirstSeen = p.BestQuality, p.LastSeen
		if p.Observations > 1 {
			p.QualitySum, p.FirstSeen = p.BestQuality+rnd.Int64N(1_000_001), p.LastSeen-rnd.Int64N(1<<40)
		}
		all[key(p.Cell, p.Place)] = p
	}
	var out []cells.Partial
	for _, k := range slices.Sorted(maps.Keys(all)) {
		out = append(out, all[k])
	}
	return out
}

func TestPartialsComeBackAsWritten(t *testing.T) {
	for seed, n := range []int{0, 1, 300, 20_000} {
		path := filepath.Join(t.TempDir(), "p")
		want := some(rand.New(rand.NewPCG(uint64(seed), 3)), n, []int{12, 15, 5, 12}[seed])
		write(t, path, want)
		if got := read(t, path, 0, 1<<63); !slices.Equal(got, want) {
			t.Fatalf("%d partials, want %d", len(got), len(want))
		}
		for i := range 20 { // ranges
			lo, hi := i*len(want)/20, (i+1)*len(want)/20
			if lo == hi {
				continue
			}
			end := uint64(1 << 63)
			if hi < len(want) {
				end = key(want[hi].Cell, want[hi].Place)
			}
			if got := read(t, path, key(want[lo].Cell, want[lo].Place), end); !slices.Equal(got, want[lo:hi]) {
				t.Fatalf("range %d to %d: %d partials", lo, hi, len(got))
			}
		}
	}
}

func TestManyFilesMergeInPartsAndRanges(t *testing.T) {
	rnd, dir := rand.New(rand.NewPCG(1, 9)), t.TempDir()
	want := make(map[uint64]cells.Partial)
	var paths []string
	for i := range fan + 40 {
		ps := some(rnd, 60, 12)
		paths = append(paths, filepath.Join(dir, fmt.Sprint(i)))
		write(t, paths[i], ps)
		for _, p := range ps {
			if w, ok := want[key(p.Cell, p.Place)]; ok {
				p.Merge(&w)
			}
			want[key(p.Cell, p.Place)] = p
		}
	}
	cuts, err := cutsOf(paths, 4)
	if err != nil || len(cuts) < 3 {
		t.Fatalf("%v, %v", cuts, err)
	}
	var got []cells.Partial
	for i := range len(cuts) - 1 {
		out := filepath.Join(dir, fmt.Sprint("out", i))
		if err := mergeRange(t.Context(), paths, cuts[i], cuts[i+1], out); err != nil {
			t.Fatal(err)
		}
		got = append(got, read(t, out, 0, 1<<63)...)
	}
	if !slices.EqualFunc(got, slices.SortedFunc(maps.Values(want), func(a, b cells.Partial) int { return cmp.Compare(key(a.Cell, a.Place), key(b.Cell, b.Place)) }),
		func(a, b cells.Partial) bool { return a == b }) {
		t.Errorf("%d partials, want %d", len(got), len(want))
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "out*-*")); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}

// TestEveryChangedByteIsFound: no bit of a file of partials can change unnoticed.
func TestEveryChangedByteIsFound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p")
	write(t, path, some(rand.New(rand.NewPCG(4, 4)), 8, 12))
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	scan := func(b []byte) error {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := openParts(path)
		if err != nil {
			return err
		}
		defer f.Close()
		return merge(t.Context(), []*partFile{f}, 0, 1<<63, func(*cells.Partial) error { return nil })
	}
	if err := scan(b); err != nil {
		t.Fatal(err)
	}
	var d *damaged
	for i := range b {
		c := slices.Clone(b)
		c[i] ^= 1 << (i % 8)
		if err := scan(c); !errors.As(err, &d) {
			t.Errorf("byte %d of %d: %v", i, len(b), err)
		}
		if err := scan(b[:i]); !errors.As(err, &d) {
			t.Errorf("%d of %d bytes: %v", i, len(b), err)
		}
	}
}

func TestPartialsOutOfOrderOrImpossibleAreNotWritten(t *testing.T) {
	ok := cells.Partial{Cell: 0x8c1f8d44a2cd5ff, Place: 3, Observations: 1}
	for name, spoil := range map[string]func(*cells.Partial){
		"again":        func(*cells.Partial) {},
		"place before": func(p *cells.Partial) { p.Place = 2 },
		"no cell":      func(p *cells.Partial) { p.Cell = 1 << 60 },
		"place":        func(p *cells.Partial) { p.Place = cells.Places },
		"nothing":      func(p *cells.Partial) { p.Place, p.Observations = 4, 0 },
		"quality":      func(p *cells.Partial) { p.Place, p.QualitySum = 4, -1 },
		"times":        func(p *cells.Partial) { p.Place, p.FirstSeen = 4, 1 },
	} {
		w, err := newPartWriter(filepath.Join(t.TempDir(), "p"))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.add(&ok); err != nil {
			t.Fatal(err)
		}
		bad := ok
		spoil(&bad)
		if w.add(&bad) == nil {
			t.Errorf("%s: no error", name)
		}
		w.Close()
		if left, _ := os.ReadDir(filepath.Dir(w.path)); len(left) != 0 {
			t.Errorf("%s: left over: %v", name, left)
		}
	}
}
