package worker_test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/testkit"
)

// BenchmarkOnePercent adds one percent to a town and brings the tiles up to date, beside a full rebuild. The town has
// $ROADCOMB_BENCH_DRIVES drives of 100 frames (default 100).
func BenchmarkOnePercent(b *testing.B) {
	drives := 100
	if v, err := strconv.Atoi(os.Getenv("ROADCOMB_BENCH_DRIVES")); err == nil {
		drives = v
	}
	n := newNetwork(b, testkit.DB(b))
	n.w.Config.AsOf = clock()
	r := rand.New(rand.NewPCG(1, 1))
	for range drives {
		n.drive(day, walk(r, 100), time.Second)
	}
	start := time.Now()
	n.run()
	b.Logf("first build of %d frames: %v", drives*100, time.Since(start))
	built, changed := 0, 0
	for b.Loop() {
		b.StopTimer()
		for range max(1, drives/100) {
			n.drive(day, walk(r, 100), time.Second)
		}
		b.StartTimer()
		res := n.run()
		for _, p := range res.Layers {
			built += p.Dirty
			changed += p.Changed
		}
	}
	b.ReportMetric(float64(built)/float64(b.N), "tiles-built/op")
	b.ReportMetric(float64(changed)/float64(b.N), "tiles-changed/op")
}
