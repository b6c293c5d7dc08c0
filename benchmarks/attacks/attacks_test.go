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
		case o.Attack == "the honest fleet" && o.Gain < -0.01:
			t.Errorf("honest drivers have %.2f %% held", -100*o.Gain)
		case o.Attack == "enrolled, and invents under that name" && o.Gain < 0.5:
			t.Errorf("what an enrolled cheat gains is bounded now (%+.2f %%): say so", 100*o.Gain)
		case o.Driver && o.Paid+o.Held < o.Honest-o.Honest/100:
			t.Errorf("%s: %v paid and held of %v", o.Attack, o.Paid+o.Held, o.Honest)
		case o.Bounded:
			bounded++
			if o.Gain > 0.01 {
				t.Errorf("%s gains %.2f %%", o.Attack, 100*o.Gain)
			}
		}
	}
	if bounded < 17 {
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

// Whoever has a friend who answers for them is paid with the first week, the others as fast as the operator looks.
func TestHonestNewcomersEndUpPaid(t *testing.T) {
	ws, err := attacks.Newcomers(attacks.Town{})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range ws {
		t.Logf("%+v", w)
		if w.Paid != w.Newcomers || w.Share < 0.999 {
			t.Errorf("%s: %d of %d newcomers are paid, %.1f %% of what they earned", w.Group, w.Paid, w.Newcomers, 100*w.Share)
		}
	}
	if ws[0].MaxWeeks != 0 || ws[1].MaxWeeks > 5 {
		t.Errorf("%+v", ws)
	}
	// An operator who looks at nobody: friends' word is enough, the others wait and lose nothing.
	if ws, err = attacks.Newcomers(attacks.Town{Looks: -1}); err != nil || ws[0].Paid != ws[0].Newcomers || ws[0].Share < 0.9 || ws[1].Paid != 0 {
		t.Errorf("%+v %v", ws, err)
	}
	t.Logf("nobody looks: %+v", ws)
}
