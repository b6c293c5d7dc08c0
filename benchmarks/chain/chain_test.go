package chain_test

import (
	"cmp"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/roadcomb/roadcomb/benchmarks/chain"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

// BenchmarkChain reports frames a second from files to payout and where the time goes: each step's share of the
// processor seconds that all steps took.
func BenchmarkChain(b *testing.B) {
	bin := filepath.Join(b.TempDir(), "roadcomb")
	build := exec.Command("go", "build", "-o", bin, "./cmd/roadcomb")
	build.Dir = testkit.Root(b)
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	footage := b.TempDir()
	if err := chain.Footage(footage, chain.Config{}); err != nil {
		b.Fatal(err)
	}
	var rs []chain.Result
	for b.Loop() {
		r, err := chain.Run(b.Context(), chain.Config{Program: bin}, footage, filepath.Join(b.TempDir(), "out"))
		if err != nil {
			b.Fatal(err)
		}
		rs = append(rs, r)
	}
	slices.SortFunc(rs, func(x, y chain.Result) int { return cmp.Compare(x.FramesPerSecond(), y.FramesPerSecond()) })
	mid := rs[len(rs)/2]
	b.ReportMetric(mid.FramesPerSecond(), "frames/s")
	var names []string
	total := 0.0
	for n, s := range mid.Timings {
		if n != "total" && n != "vision" { // vision's own steps follow it
			names = append(names, n)
			total += s
		}
	}
	slices.SortFunc(names, func(x, y string) int { return cmp.Compare(mid.Timings[y], mid.Timings[x]) })
	for _, n := range names {
		b.Logf("%-18s %7.2f s %5.1f %%", strings.TrimPrefix(n, "vision/"), mid.Timings[n], 100*mid.Timings[n]/total)
	}
}
