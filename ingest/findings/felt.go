package findings

import (
	"math"
	"slices"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Felt is what the receiver and the accelerometer of one camera say of one moment: an instant, or a step of a film.
//
// How the camera is mounted is not known, so nothing here depends on it: variances are added over the axes, and a
// receiver's acceleration is explained by whatever mixture of the axes explains it best.
type Felt struct {
	Speed      geo.SpeedMPS // by the receiver
	Heading    geo.BearingDeg
	HasHeading bool
	N          int        // readings of the accelerometer; 0: none
	Acc        [3]float64 // their mean, g, along the accelerometer's own axes
	Spread     float64    // g: root of their variance, added over the axes
}

// moving is the speed above which a car shakes what it carries.
const moving geo.SpeedMPS = 5

// lively is the least spread, in g, of an accelerometer in a moving car. One that lies on a table shows its noise: 0.003 g
// in a GoPro HERO6; in a hand that stands still, or on a drone, 0.02 to 0.09.
const lively = 0.01

// Silent tells a receiver that moves while the accelerometer lies still: over at least 20 moments at more than 5 m/s the
// accelerometer of a car spreads by more than 0.01 g. Where moments are steps of four readings or more, it is the median of
// the spreads within them, which one knock does not change; else the spread of the readings.
func Silent(fs []Felt) (Finding, bool) {
	n, spread := spreadOf(fs)
	if n < 20 || !(spread < lively) {
		return Finding{}, false
	}
	return Finding{Kind: SilentMotion, Score: survey.PPMOf(1 - spread/lively), Evidence: map[string]any{"readings": n, "spread_g": math.Round(spread*1e5) / 1e5}}, true
}

// Voucher is evidence for a drive, where a Finding is a doubt.
type Voucher struct {
	Kind     string
	Score    survey.PPM // share of the drive's frames that it speaks for
	Evidence map[string]any
}

// VoucherMotion is the kind of voucher that Shaken gives.
const VoucherMotion = "motion"

// Shaken is the opposite of Silent: over at least 20 moments at more than 5 m/s the accelerometer spreads by 0.01 g or
// more, as it does in a car on a road. It speaks for the covered of all frames. It tells a recording from a drawn track,
// not from one whose accelerometer was invented too.
func Shaken(fs []Felt, covered, frames int) (Voucher, bool) {
	n, spread := spreadOf(fs)
	if n < 20 || frames == 0 || !(spread >= lively) {
		return Voucher{}, false
	}
	return Voucher{Kind: VoucherMotion, Score: survey.PPMOf(float64(covered) / float64(frames)),
		Evidence: map[string]any{"readings": n, "spread_g": math.Round(spread*1e5) / 1e5}}, true
}

// spreadOf is of how many moments at more than 5 m/s the accelerometer knows, and how far it spreads, in g.
func spreadOf(fs []Felt) (n int, spread float64) {
	var sum, sq [3]float64
	var within []float64
	for _, f := range fs {
		if f.N == 0 || f.Speed <= moving {
			continue
		}
		n++
		if f.N >= 4 {
			within = append(within, f.Spread)
		}
		for k, a := range f.Acc {
			sum[k] += a
			sq[k] += a * a
		}
	}
	if n == 0 {
		return 0, 0
	}
	if 2*len(within) > n {
		slices.Sort(within)
		return len(within), within[(len(within)-1)/2]
	}
	for k := range 3 {
		m := sum[k] / float64(n)
		spread += math.Max(0, sq[k]/float64(n)-m*m)
	}
	return n, math.Sqrt(spread)
}

// What Differs asks for before it says anything, and what it then says no to.
const (
	reach      = 2               // steps before and after over which changes are taken
	lags       = 2               // steps by which a receiver may be early or late; GoPro's are late by up to a second
	leastSpan  = 2 * time.Minute // of motion
	leastFelt  = 0.4             // m/s²: standard deviation of what the receiver says
	mostSwing  = 3               // times as much as that; beyond, the camera moves by itself
	leastShare = 0.1             // of the variance that the accelerometer has to explain
	walking    = 3               // m/s: below, headings are noise
)

const gravity = 9.80665 // m/s² in a g

// Differs compares what the receiver says of a car's acceleration, along its way (change of speed) and across it (speed by
// turn), with what the accelerometer felt, over stretches of steps of equal length, each without a break and from one film.
// Both are averages over two steps before and after. Neither the mounting nor a fixed slope matters: the question is which
// share of the variance the best linear mixture of the accelerometer's axes explains, at the best of five lags. In a car
// it is most of it, also with hills and bumps; of a track of another drive, over several minutes, chance explains less than a
// tenth.
//
// It asks nothing of a stretch with less than two minutes above 3 m/s, of a receiver that says less than 0.4 m/s² of
// either, or of a camera that swings by far more than that. The score is the share of the time asked of that the
// accelerometer denies, of which it takes half to be a finding. compared says that something was asked.
func Differs(stretches [][]Felt, step time.Duration) (f Finding, found, compared bool) {
	var asked, denied time.Duration
	best := 0.0
	for _, s := range stretches {
		share, n, ok := explained(s, step)
		if !ok {
			continue
		}
		span := time.Duration(n) * step
		asked += span
		if share < leastShare {
			denied += span
		}
		best = max(best, share)
	}
	if asked == 0 || 2*denied < asked {
		return Finding{}, false, asked > 0
	}
	return Finding{Kind: MotionDiffers, Score: survey.PPMOf(float64(denied) / float64(asked)),
		Evidence: map[string]any{"seconds": math.Round(asked.Seconds()), "explained": math.Round(best*1e3) / 1e3}}, true, true
}

// row is one moment: what the receiver says, and what the accelerometer does, in m/s².
type row struct {
	y float64
	x [3]float64
}

// explained is the larger share of the variance along and across the way that the accelerometer explains, over how many
// steps; false when the stretch cannot tell.
func explained(s []Felt, step time.Duration) (share float64, n int, ok bool) {
	dt := 2 * reach * step.Seconds()
	felt := make([]*[3]float64, len(s)) // the average over the steps around; nil where some are missing
	for i := reach; i+reach < len(s); i++ {
		var a [3]float64
		whole := true
		for j := i - reach; j <= i+reach; j++ {
			w := 1.0 / (2 * reach)
			if j == i-reach || j == i+reach {
				w /= 2
			}
			whole = whole && s[j].N > 0
			for k, v := range s[j].Acc {
				a[k] += w * v * gravity
			}
		}
		if whole {
			felt[i] = &a
		}
	}
	for _, says := range []func(a, m, b Felt) (float64, bool){
		func(a, _, b Felt) (float64, bool) { return float64(b.Speed-a.Speed) / dt, true },
		func(a, m, b Felt) (float64, bool) {
			turn := math.Mod(float64(b.Heading-a.Heading)+540, 360) - 180
			return float64(m.Speed) * turn * math.Pi / 180 / dt, a.HasHeading && b.HasHeading
		},
	} {
		for lag := -lags; lag <= lags; lag++ {
			var rows []row
			for i := reach; i+reach < len(s); i++ {
				a, m, b := s[i-reach], s[i], s[i+reach]
				if j := i + lag; min(a.Speed, m.Speed, b.Speed) > walking && j >= 0 && j < len(s) && felt[j] != nil {
					if y, ok := says(a, m, b); ok {
						rows = append(rows, row{y, *felt[j]})
					}
				}
			}
			if time.Duration(len(rows))*step < leastSpan {
				continue
			}
			said, swing, r2 := regress(rows)
			if said < leastFelt || swing > mostSwing*said {
				continue
			}
			share, n, ok = max(share, r2), max(n, len(rows)), true
		}
	}
	return share, n, ok
}

// regress fits y by the three x and a constant, by least squares. It gives the standard deviation of y, that of x added
// over the axes, and the share of the variance of y that the fit explains.
func regress(rows []row) (said, swing, share float64) {
	n := float64(len(rows))
	var my float64
	var mx [3]float64
	for _, r := range rows {
		my += r.y / n
		for k := range mx {
			mx[k] += r.x[k] / n
		}
	}
	var yy float64
	var m [3][4]float64 // covariances of x, and of x with y
	for _, r := range rows {
		y := r.y - my
		yy += y * y / n
		for i := range 3 {
			xi := r.x[i] - mx[i]
			for j := range 3 {
				m[i][j] += xi * (r.x[j] - mx[j]) / n
			}
			m[i][3] += xi * y / n
		}
	}
	xx := m[0][0] + m[1][1] + m[2][2]
	if !(yy > 0) || !(xx > 0) {
		return math.Sqrt(yy), math.Sqrt(xx), 0
	}
	xy := [3]float64{m[0][3], m[1][3], m[2][3]}
	for i := range 3 { // an axis that says nothing new must not divide by zero
		m[i][i] += 1e-9 * xx
	}
	for i := range 3 { // covariances are positive definite, so no pivoting is needed
		for r := range 3 {
			if r == i {
				continue
			}
			f := m[r][i] / m[i][i]
			for c := i; c < 4; c++ {
				m[r][c] -= f * m[i][c]
			}
		}
	}
	for i := range 3 {
		share += m[i][3] / m[i][i] * xy[i]
	}
	return math.Sqrt(yy), math.Sqrt(xx), min(1, max(0, share/yy))
}
