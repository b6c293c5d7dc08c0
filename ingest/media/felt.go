package media

import (
	"math"
	"time"
)

// FeltStep is the length of film time that one Felt sums up.
const FeltStep = 500 * time.Millisecond

// Felt sums up what an accelerometer said during one FeltStep, in g along its own axes, however the camera is mounted.
type Felt struct {
	N      int        // readings; 0: nothing is known
	Mean   [3]float64 // with gravity in it
	Spread float64    // root of the variance within the step, added over the axes; it does not depend on how they lie
}

// standard gravity, m/s² (CGPM 1901).
const gravity = 9.80665

// felt adds up readings by step; a day of them is 7 MB, whatever their rate.
type felt struct{ sums []sum }

type sum struct {
	n  int
	v  [3]float64 // g
	sq float64
}

// add takes a reading in m/s². What is no number, beyond any accelerometer's range, or outside the film is left out.
func (f *felt) add(at time.Duration, a [3]float64) {
	if at < 0 || at >= maxFilm {
		return
	}
	for k := range a {
		if a[k] /= gravity; !(math.Abs(a[k]) < 1000) {
			return
		}
	}
	i := int(at / FeltStep)
	for len(f.sums) <= i {
		f.sums = append(f.sums, sum{})
	}
	s := &f.sums[i]
	s.n++
	for k, x := range a {
		s.v[k] += x
		s.sq += x * x
	}
}

func (f *felt) steps() []Felt {
	if len(f.sums) == 0 {
		return nil
	}
	out := make([]Felt, len(f.sums))
	for i, s := range f.sums {
		if s.n == 0 {
			continue
		}
		n, v := float64(s.n), s.sq/float64(s.n)
		o := Felt{N: s.n}
		for k := range s.v {
			o.Mean[k] = s.v[k] / n
			v -= o.Mean[k] * o.Mean[k]
		}
		o.Spread = math.Sqrt(max(0, v))
		out[i] = o
	}
	return out
}
