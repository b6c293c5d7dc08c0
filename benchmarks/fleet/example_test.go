package fleet_test

import (
	"fmt"

	"github.com/roadcomb/roadcomb/benchmarks/fleet"
)

func ExampleNewPlan() {
	p := fleet.NewPlan(fleet.Config{Seed: 1, Contributors: 2, Attackers: 1})
	fmt.Println(len(p.First), "drives, then", p.Second[0].Attack, "by contributor", p.Second[0].Account)
	fmt.Println("the first frame of", p.First[1].ID, "should be", p.First[1].Frames[0].Expect[0])
	// Output:
	// 2 drives, then spoofed trace by contributor 0
	// the first frame of c00001-000 should be trimmed
}
