// Package trace turns GNSS recordings into clean traces and ordered images into drives. It reads GPX and NMEA, drops
// fixes that cannot be trusted, tells where the vehicle was at a moment, and cuts drives.
//
// Nothing is ever dropped without a word: readers count what they skip, and Cut gives each image it is handed either a
// place in a drive or a verdict. Everything is a pure function of its input. The package refuses to touch files, clocks
// and state.
package trace

import (
	"math"
	"slices"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// MaxFixes is the most fixes that a reader returns, about 11 days at 1 Hz; a longer recording is Invalid.
const MaxFixes = 1_000_000

// Stats counts what a reader met.
type Stats struct {
	Records     int  // sentences or track points
	Fixes       int  // returned
	BadChecksum int  // sentences whose checksum is wrong or missing
	Unknown     int  // sentences of a kind that is not needed, or not known
	NoTime      int  // positions without a usable date and time
	NoPoint     int  // positions missing, out of range or not a number
	Repeated    int  // fixes at a time already read
	Truncated   bool // the file ends in the middle or is damaged; what came before was kept
}

// sorted orders fixes by time and drops repeats, keeping the first of each time.
func sorted(tr survey.Trace, st *Stats) survey.Trace {
	slices.SortStableFunc(tr, func(a, b survey.Fix) int { return a.Time.Compare(b.Time) })
	n := len(tr)
	tr = slices.CompactFunc(tr, func(a, b survey.Fix) bool { return a.Time.Equal(b.Time) })
	st.Repeated += n - len(tr)
	st.Fixes = len(tr)
	return tr
}

// Gate says which fixes to trust. The zero value is DefaultGate.
type Gate struct {
	MinSatellites int          // default 4
	MaxHDOP       float64      // default 4
	MaxAccuracy   geo.Meters   // horizontal; default 15 m
	MaxSpeed      geo.SpeedMPS // between fixes; default 70 m/s
	Allow2D       bool         // keep 2D fixes
}

// DefaultGate holds the values of Hivemapper's firmware (3D fix, at least 4 satellites, HDOP at most 4) and GoPro's
// precision limit of 15 m. A value that the source does not give is not held against it.
func DefaultGate() Gate {
	return Gate{MinSatellites: 4, MaxHDOP: 4, MaxAccuracy: 15, MaxSpeed: 70}
}

// Dropped counts the fixes a Gate refused.
type Dropped struct {
	NoFix, Satellites, DOP, Accuracy, NullIsland, BadPosition, TooFast int
}

// Total is the number of fixes refused.
func (d Dropped) Total() int {
	return d.NoFix + d.Satellites + d.DOP + d.Accuracy + d.NullIsland + d.BadPosition + d.TooFast
}

// Clean returns the fixes of tr that pass the gate, in order; tr is not changed. Fixes that need an impossible speed are
// told apart by chains: each fix joins the latest chain that can reach it, and the longest chain is kept.
func Clean(tr survey.Trace, g Gate) (survey.Trace, Dropped) {
	d := DefaultGate()
	if g.MinSatellites == 0 {
		g.MinSatellites = d.MinSatellites
	}
	if g.MaxHDOP == 0 {
		g.MaxHDOP = d.MaxHDOP
	}
	if g.MaxAccuracy == 0 {
		g.MaxAccuracy = d.MaxAccuracy
	}
	if g.MaxSpeed == 0 {
		g.MaxSpeed = d.MaxSpeed
	}
	var drop Dropped
	out := make(survey.Trace, 0, len(tr))
	for _, f := range tr {
		switch {
		case f.Kind == survey.FixNone, f.Kind == survey.Fix2D && !g.Allow2D:
			drop.NoFix++
		case !f.Point.Valid():
			drop.BadPosition++
		case f.Point.IsNull():
			drop.NullIsland++
		case f.Satellites != 0 && f.Satellites < g.MinSatellites:
			drop.Satellites++
		case f.HDOP > g.MaxHDOP:
			drop.DOP++
		case f.Accuracy > g.MaxAccuracy:
			drop.Accuracy++
		default:
			out = append(out, f)
		}
	}
	chains := reach(len(out), g.MaxSpeed, func(i int) (time.Time, geo.Point) { return out[i].Time, out[i].Point })
	if len(chains) > 1 {
		best := 0
		for i := range chains {
			if len(chains[i]) > len(chains[best]) {
				best = i
			}
		}
		kept := make(survey.Trace, 0, len(chains[best]))
		for _, i := range chains[best] {
			kept = append(kept, out[i])
		}
		drop.TooFast = len(out) - len(kept)
		out = kept
	}
	return out, drop
}

// reachSlack is how far apart two positions of one moment may be: twice a poor fix.
const reachSlack geo.Meters = 30

// maxChains bounds the chains looked at for each point, and so the cost.
const maxChains = 16

// reach splits n points in time order into chains within which each step is possible at the speed, allowing one second
// for time stamps of whole seconds. Chains are ordered by their first point; every index occurs once.
func reach(n int, speed geo.SpeedMPS, at func(int) (time.Time, geo.Point)) [][]int {
	var chains [][]int
	var recent []int // indices of chains, latest extended last
	for i := range n {
		t, p := at(i)
		joined := -1
		for k := len(recent) - 1; k >= 0; k-- {
			c := chains[recent[k]]
			t0, p0 := at(c[len(c)-1])
			if geo.Distance(p0, p) <= geo.Meters(float64(speed)*(t.Sub(t0).Seconds()+1))+reachSlack {
				joined = k
				break
			}
		}
		if joined < 0 {
			chains = append(chains, []int{i})
			if len(recent) == maxChains {
				recent = recent[1:]
			}
			recent = append(recent, len(chains)-1)
			continue
		}
		c := recent[joined]
		chains[c] = append(chains[c], i)
		recent = append(append(recent[:joined:joined], recent[joined+1:]...), c)
	}
	return chains
}

// Accuracy is the horizontal accuracy of a fix: as given, else HDOP × 5 m (the usual range error of a single-frequency
// receiver under open sky), else 0.
func Accuracy(given geo.Meters, hdop float64) geo.Meters {
	switch {
	case given > 0:
		return given
	case hdop > 0:
		return geo.Meters(math.Min(hdop, 100) * 5)
	}
	return 0
}
