package attacks_test

import (
	"reflect"
	"testing"

	"github.com/roadcomb/roadcomb/benchmarks/attacks"
)

func TestCheatingGainsAtMostOnePercent(t *testing.T) {
	out, err := attacks.Run(attacks.Config{})
	if err != nil {
		t.Fatal(err)
	}
	bounded := 0
	for _, o := range out {
		t.Logf("%-32s paid %v of %v honest, held %v: %+.2f %%", o.Attack, o.Paid, o.Honest, o.Held, 100*o.Gain)
		if o.Bounded {
			bounded++
			if o.Gain > 0.01 {
				t.Errorf("%s gains %.2f %%", o.Attack, 100*o.Gain)
			}
		}
	}
	if bounded < 6 {
		t.Errorf("%d attacks are bounded", bounded)
	}
}

func TestTheSameFleetGivesTheSameOutcome(t *testing.T) {
	small := attacks.Config{Drivers: 3, Drives: 2, Meters: 1000, GridMeters: 1500, Seed: 7}
	a, err := attacks.Run(small)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := attacks.Run(small); err != nil || !reflect.DeepEqual(a, b) {
		t.Errorf("%v\n%v\n%v", err, a, b)
	}
}
