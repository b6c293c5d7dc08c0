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
		switch {
		case o.Driver && o.Attack == "honest, no accelerometer, enrolled" && (o.Held != 0 || o.Gain < -0.001):
			t.Errorf("an enrolled driver loses %.2f %%, %v held", -100*o.Gain, o.Held)
		case o.Attack == "the honest fleet" && o.Gain < -0.01:
			t.Errorf("honest drivers have %.2f %% held", -100*o.Gain)
		case o.Driver && o.Paid+o.Held < o.Honest-o.Honest/100:
			t.Errorf("%s: %v paid and held of %v", o.Attack, o.Paid+o.Held, o.Honest)
		case o.Bounded:
			bounded++
			if o.Gain > 0.01 {
				t.Errorf("%s gains %.2f %%", o.Attack, 100*o.Gain)
			}
		}
	}
	if bounded < 10 {
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
