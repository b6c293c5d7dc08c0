package findings

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

const (
	// window is how many steps make a print.
	window = 8
	// printsKept bounds the prints of a drive; they are the smallest, so that two drives keep the same ones of what
	// they share (Broder's min-wise sampling).
	printsKept = 64
	// lookups bounds what a drive looks for, about: under 16 roundings a window, and up to 64 in a short drive.
	lookups = 1024
	// FewestPrints must be shared for two drives to be the same motion.
	FewestPrints = 3
)

// Standard deviations of what a moved copy differs by from its original. Both write positions in 1e-7 degrees, which is
// even over 11 mm on each axis, and times in milliseconds. Meridians converge: what is moved a kilometre north at 50°
// gets shorter from east to west by 0.02 %.
const (
	sdPosition = 1e-7 * 111_195 / 3.4641 * math.Sqrt2 // metres, on each axis: an even spread is its width / √12
	sdLength   = 2e-4                                 // of a step's length
	sdTime     = 0.6e-3                               // seconds, of a step
)

// step is the motion from one frame to the next: time in 0.1 s, length in 0.1 m, turn in degrees.
type step [3]int64

// flip is another rounding of one of a step's values.
type flip struct {
	step  int // in the window
	value int // of the step
	to    int64
	cost  float64 // logarithm of the odds against it, at least 0
}

// dearest is a cost above which roundings are not tried.
const dearest = 10

// Trace is a drive's motion in prints that do not change when it is moved to another place or time: hashes over eight
// steps of time (0.1 s), length (0.1 m) and turn (1°).
type Trace struct {
	// Prints are to be kept, for later drives to be compared with: sorted, without repeats, the 64 smallest. Even
	// motion, such as a drawn straight line at a constant speed, has none: it tells nothing apart.
	Prints []int64

	all    []int64           // those that are not kept too, sorted
	reach  int64             // up to where all are kept
	sought map[int64][]int64 // a print that an original may have: this drive's that stand for it
}

// Motion looks at a drive's frames, in their order.
//
// A copy's positions are rounded anew, so that a value beside the edge between two steps of the scale may fall on its
// other side, and eight windows change their prints. The prints of the likeliest such roundings are sought too.
func Motion(frames []survey.Frame) Trace {
	steps, flips := motion(frames)
	t := Trace{sought: map[int64][]int64{}}
	at := map[int64]int{} // a print's first window
	for i := 0; i+window <= len(steps); i++ {
		p, ok := printOf(steps[i : i+window])
		if _, again := at[p]; ok && !again {
			at[p] = i
			t.Prints = append(t.Prints, p)
		}
	}
	slices.Sort(t.Prints)
	t.all, t.reach = t.Prints, math.MaxInt64
	if len(t.all) > printsKept {
		t.Prints = t.all[:printsKept:printsKept]
		t.reach = t.Prints[printsKept-1]
	}
	// The original kept about as much of what they share; an eighth is for chance.
	largest := t.reach + min(t.reach/8, math.MaxInt64-t.reach)
	each := min(lookups/max(len(t.Prints), 1), 64)
	// What this drive does not keep may stand for what its original did.
	for _, p := range t.all {
		i := at[p]
		for _, v := range roundings(steps[i:i+window], flips[i:i+window], each) {
			if v <= largest {
				t.sought[v] = append(t.sought[v], p)
			}
		}
	}
	return t
}

// motion is the steps between frames, from the first whose turn is known, and the other roundings of each.
func motion(frames []survey.Frame) (steps []step, flips [][]flip) {
	var last geo.BearingDeg
	var before geo.Meters
	for i := 1; i < len(frames); i++ {
		a, b := frames[i-1], frames[i]
		d, br := geo.Distance(a.Point, b.Point), geo.Bearing(a.Point, b.Point)
		if i > 1 {
			dt := b.CapturedAt.Sub(a.CapturedAt)
			turn := math.Mod(float64(br-last)+540, 360) - 180
			s := step{dt.Round(100*time.Millisecond).Milliseconds() / 100, int64(math.Round(float64(d) * 10)), int64(math.Round(turn))}
			// Three positions bear on a turn, the more the shorter the steps are.
			p, q := 1/max(float64(before), 0.1), 1/max(float64(d), 0.1)
			fs := beside(nil, 0, s[0], dt.Seconds()*10, sdTime*10)
			fs = beside(fs, 1, s[1], float64(d)*10, math.Hypot(sdPosition*math.Sqrt2, sdLength*float64(d))*10)
			fs = beside(fs, 2, s[2], turn, sdPosition*math.Sqrt(p*p+q*q+(p+q)*(p+q))*180/math.Pi)
			steps, flips = append(steps, s), append(flips, fs)
		}
		last, before = br, d
	}
	return steps, flips
}

// beside adds what a value v that rounds to a number may round to in a copy, which differs by a standard deviation.
func beside(fs []flip, value int, to int64, v, sd float64) []flip {
	up, over := to+1, float64(to)+0.5
	down, under := to-1, float64(to)-0.5
	if value == 2 && to == 180 { // half a circle to the right is one to the left
		up, over = -180, 180
	}
	if value == 2 && to == -180 {
		down, under = 180, -180
	}
	add := func(to int64, far float64) {
		q := math.Erfc(max(far, 0)/sd/math.Sqrt2) / 2
		if cost := math.Log((1 - q) / q); cost <= dearest {
			fs = append(fs, flip{value: value, to: to, cost: cost})
		}
	}
	add(up, over-v)
	add(down, v-under)
	return fs
}

// printOf hashes a window's steps (64-bit FNV-1a, without its last bit). Not ok: they are too even.
func printOf(w []step) (print int64, ok bool) {
	distinct := 0
	h := uint64(14695981039346656037)
	for i, s := range w {
		if !slices.Contains(w[:i], s) {
			distinct++
		}
		for _, v := range s {
			for k := 0; k < 32; k += 8 {
				h = (h ^ uint64(byte(v>>k))) * 1099511628211
			}
		}
	}
	return int64(h >> 1), distinct >= window-1
}

// roundings is the prints of a window as it is and under its likeliest other roundings, at most n ≤ 64 in all.
func roundings(w []step, flips [][]flip, n int) []int64 {
	var near []flip
	for i, fs := range flips {
		for _, f := range fs {
			f.step = i
			near = append(near, f)
		}
	}
	slices.SortStableFunc(near, func(a, b flip) int { return cmp.Compare(a.cost, b.cost) })
	near = near[:min(len(near), n)] // n of them by themselves are likelier than any with a further one
	type choice struct {
		flips uint64 // bits of near
		cost  float64
	}
	best, next := make([]choice, 1, n), make([]choice, 0, n) // the n likeliest of the flips so far, by cost
	for i, f := range near {
		if len(best) == n && f.cost >= best[n-1].cost {
			break
		}
		// Those without f and those with it are each in order.
		next = next[:0]
		for a, b := 0, 0; len(next) < n; {
			with := choice{cost: math.Inf(1)}
			if b < len(best) {
				with = choice{best[b].flips | 1<<i, best[b].cost + f.cost}
			}
			if a < len(best) && best[a].cost <= with.cost {
				next, a = append(next, best[a]), a+1
			} else if with.cost <= dearest {
				next, b = append(next, with), b+1
			} else {
				break
			}
		}
		best, next = next, best
	}
	out := make([]int64, 0, len(best))
	for _, c := range best {
		v := [window]step(w)
		for i, f := range near {
			if c.flips&(1<<i) != 0 {
				v[f.step][f.value] = f.to
			}
		}
		if p, ok := printOf(v[:]); ok {
			out = append(out, p)
		}
	}
	return out
}

// Sought is the prints to look for among those that other drives kept, sorted: some 1200 at most.
func (t Trace) Sought() []int64 {
	return slices.Sorted(maps.Keys(t.sought))
}

// Moved compares the drive with another, of which it is given the Prints. They are the same motion if what they share
// stands for a quarter of this one's and at least eight, or for half of fewer than 16 and at least FewestPrints: where
// motion is nearly even, a few windows look alike by chance.
//
// One may also be a piece of the other, which kept little of it: then they share half of the prints that both have among
// those small enough for both to have kept, and at least five. A fifth of a thousand frames is nearly always found, a
// tenth in three of five cases. The score is the larger share, survey.One for an exact copy.
func (t Trace) Moved(other survey.DriveID, prints []int64) (Finding, bool) {
	both := t.reach
	if len(prints) >= printsKept { // it may have had more
		both = min(both, prints[len(prints)-1])
	}
	// shared is how many of each have a counterpart, none of them above most.
	shared := func(most int64) int {
		own, found := map[int64]bool{}, 0
		for _, f := range prints {
			hit := false
			for _, p := range t.sought[f] {
				if f <= most && p <= most {
					own[p], hit = true, true
				}
			}
			if hit {
				found++
			}
		}
		return min(len(own), found)
	}
	upTo := func(ps []int64) int {
		n, at := slices.BinarySearch(ps, both)
		if at {
			n++
		}
		return n
	}
	var score survey.PPM
	var same, all int
	if n, of := min(shared(math.MaxInt64), len(t.Prints)), len(t.Prints); n >= 8 && 4*n >= of || n >= FewestPrints && 2*n >= of {
		score, same, all = survey.PPMOf(float64(n)/float64(of)), n, of
	}
	if n, of := shared(both), min(upTo(t.all), upTo(prints)); n >= 5 && 2*n >= of {
		if s := survey.PPMOf(float64(min(n, of)) / float64(of)); s > score {
			score, same, all = s, n, of
		}
	}
	if all == 0 {
		return Finding{}, false
	}
	return Finding{Kind: RepeatedMotion, Subject: string(other), Score: score, Evidence: map[string]any{"prints": same, "of": all}}, true
}
