package rewards_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards"
)

// city is a week of n frames: passes of three frames in each of a tenth as many cells, by a hundredth as many accounts.
func city(n int) rewards.Inputs {
	rnd := rand.New(rand.NewPCG(1, 2))
	in := rewards.Inputs{Epoch: survey.EpochOf(monday), Contributions: make([]rewards.Contribution, 0, n)}
	for d := range max(1, n/100) {
		for k := range 3 {
			in.Drives = append(in.Drives, rewards.Drive{ID: survey.DriveID(fmt.Sprintf("%08x-%d", d, k)), Contributor: survey.ContributorID(fmt.Sprintf("%08x", d))})
		}
	}
	cells := max(1, n/10)
	for i := 0; i < n; i++ {
		if i%3 == 0 && rnd.IntN(4) == 0 {
			in.Prior = append(in.Prior, rewards.Prior{}) // counted below
		}
		pass := i / 3
		c := cellA + survey.Cell(rand.New(rand.NewPCG(3, uint64(pass))).IntN(cells))<<9
		t := at(time.Duration(pass%(7*24*60))*time.Minute + time.Duration(i%3)*time.Second)
		in.Contributions = append(in.Contributions, rewards.Contribution{Frame: key(i), Cell: c, CapturedAt: t, ReceivedAt: t, Drive: int32(pass / 30 % len(in.Drives)), Quality: int32(500_000 + rnd.IntN(500_000))})
	}
	for i := range in.Prior {
		in.Prior[i] = rewards.Prior{Cell: cellA + survey.Cell(i%cells)<<9, ReceivedAt: at(-time.Duration(i) * time.Minute)}
	}
	if len(in.Prior) > cells {
		in.Prior = in.Prior[:cells]
	}
	return in
}

func BenchmarkClose(b *testing.B) {
	for _, n := range []int{1e5, 1e6, 1e7} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			in, rs := city(n), rules()
			b.ReportAllocs()
			lines := 0
			for b.Loop() {
				lines = len(mustClose(b, in, rs).Lines)
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "observations/s")
			b.ReportMetric(float64(lines), "lines")
		})
	}
}
