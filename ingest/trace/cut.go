package trace

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Shot is an image with a place and a time, before it belongs to a drive.
type Shot struct {
	Name       string // breaks ties of time, in natural order
	Time       time.Time
	Point      geo.Point
	Heading    geo.BearingDeg
	HasHeading bool
}

// Zone is a circle, by geodesic distance, inside which nothing may be shown.
type Zone struct {
	Center geo.Point
	Radius geo.Meters
}

// Rules say how shots become drives. The zero value means DefaultRules without trimming.
type Rules struct {
	CutTime      time.Duration // a pause longer than this ends a recording, unless the vehicle stood still
	CutDistance  geo.Meters    // a step longer than this ends a drive
	SameDistance geo.Meters    // duplicate of the last kept: at most this far …
	SameAngle    float64       // … and at most this many degrees, where both headings are known
	MaxSpeed     geo.SpeedMPS
	StillRadius  geo.Meters // a standstill stays within this of the last kept shot …
	StillTime    time.Duration
	ZigZagStep   geo.Meters // zig-zag: legs at least this long …
	ZigZagTurn   float64    // … each turning back by at least this many degrees
	// Trim is cut from both ends of each recording, measured straight from its first and last position: circling near
	// home shows nothing of it. 0 trims nothing.
	Trim  geo.Meters
	Zones []Zone
}

// DefaultRules are those of mapillary_tools (60 s, 100 m, 0.1 m and 5° against the last kept, zig-zag over five shots of
// 30 m and 0.8 of a half-turn), with a speed limit on each step instead of on the average, and standstills.
func DefaultRules() Rules {
	return Rules{CutTime: 60 * time.Second, CutDistance: 100, SameDistance: 0.1, SameAngle: 5, MaxSpeed: 70,
		StillRadius: 5, StillTime: 10 * time.Second, ZigZagStep: 30, ZigZagTurn: 144}
}

func (r Rules) withDefaults() Rules {
	d := DefaultRules()
	set := func(v, def *float64) {
		if *v == 0 {
			*v = *def
		}
	}
	if r.CutTime == 0 {
		r.CutTime = d.CutTime
	}
	if r.StillTime == 0 {
		r.StillTime = d.StillTime
	}
	set((*float64)(&r.CutDistance), (*float64)(&d.CutDistance))
	set((*float64)(&r.SameDistance), (*float64)(&d.SameDistance))
	set(&r.SameAngle, &d.SameAngle)
	set((*float64)(&r.MaxSpeed), (*float64)(&d.MaxSpeed))
	set((*float64)(&r.StillRadius), (*float64)(&d.StillRadius))
	set((*float64)(&r.ZigZagStep), (*float64)(&d.ZigZagStep))
	set(&r.ZigZagTurn, &d.ZigZagTurn)
	return r
}

// Placed is a shot in a drive.
type Placed struct {
	Index          int       // of the shot in the input
	Time           time.Time // the shot's, moved by less than a second where several share one
	Heading        geo.BearingDeg
	HasHeading     bool
	HeadingDerived bool // Heading is the course to the next shot, or from the one before
}

// Rejected is a shot that belongs to no drive.
type Rejected struct {
	Index   int
	Verdict survey.Verdict
}

// standstillPause is how long a vehicle may stand without a shot and still be on the same drive.
const standstillPause = 15 * time.Minute

// Cut orders shots by time and makes drives of them. Each shot comes back exactly once, in a drive or rejected; drives
// are in order of their first shot, rejections in order of the input. The steps, in order: spread shots of one time
// over it; cut at pauses; reject steps that need an impossible speed, duplicates of the last kept, standstills, and
// zig-zag; trim both ends; reject and cut at privacy zones, also where only the line between two shots enters one; cut
// at long steps; derive headings. Verdicts on trimmed and zoned shots carry no numbers, because those would give away
// what is hidden.
func Cut(shots []Shot, rules Rules) ([][]Placed, []Rejected) {
	r := rules.withDefaults()
	c := cutter{shots: shots, r: r}
	order := make([]int, len(shots))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if d := shots[a].Time.Compare(shots[b].Time); d != 0 {
			return d
		}
		return CompareNames(shots[a].Name, shots[b].Name)
	})
	c.at = make([]time.Time, len(shots))
	c.spread(order)
	for _, rec := range c.pauses(order) {
		for _, chain := range c.possible(rec) {
			kept := c.distinct(chain)
			kept = c.still(kept)
			kept = c.zigzag(kept)
			kept = c.trim(chain, kept)
			for _, open := range c.zones(kept) {
				c.steps(open)
			}
		}
	}
	slices.SortStableFunc(c.drives, func(a, b []Placed) int { return a[0].Time.Compare(b[0].Time) })
	slices.SortFunc(c.rejected, func(a, b Rejected) int { return a.Index - b.Index })
	n := len(c.rejected)
	for _, d := range c.drives {
		n += len(d)
	}
	if n != len(shots) {
		panic(fmt.Sprintf("trace: %d shots went in, %d came out", len(shots), n))
	}
	return c.drives, c.rejected
}

type cutter struct {
	shots    []Shot
	r        Rules
	at       []time.Time // by shot
	drives   [][]Placed
	rejected []Rejected
}

func (c *cutter) reject(i int, why survey.Reason, vars map[string]any, format string, args ...any) {
	msg := ""
	if format != "" {
		msg = fmt.Sprintf(format, args...)
	}
	c.rejected = append(c.rejected, Rejected{i, survey.Reject(why, msg, vars)})
}

func (c *cutter) dist(i, j int) geo.Meters { return geo.Distance(c.shots[i].Point, c.shots[j].Point) }

// spread gives k shots of one time equal shares of what lies before the next time, at most one second.
func (c *cutter) spread(order []int) {
	for i := 0; i < len(order); {
		j := i + 1
		t := c.shots[order[i]].Time
		for j < len(order) && c.shots[order[j]].Time.Equal(t) {
			j++
		}
		room := time.Second
		if j < len(order) {
			room = min(room, c.shots[order[j]].Time.Sub(t))
		}
		for k := i; k < j; k++ {
			c.at[order[k]] = t.Add(room * time.Duration(k-i) / time.Duration(j-i)).Truncate(time.Microsecond)
		}
		i = j
	}
}

func (c *cutter) pauses(order []int) [][]int {
	var out [][]int
	start := 0
	for k := 1; k <= len(order); k++ {
		if k < len(order) {
			gap := c.at[order[k]].Sub(c.at[order[k-1]])
			if gap <= c.r.CutTime || gap <= standstillPause && c.dist(order[k-1], order[k]) <= standstill {
				continue
			}
		}
		if k > start {
			out = append(out, order[start:k])
		}
		start = k
	}
	return out
}

// possible splits a recording into chains whose steps are possible. Chains that are short beside the longest are
// outliers; others may be two cameras whose files were mixed, and each becomes drives.
func (c *cutter) possible(rec []int) [][]int {
	chains := reach(len(rec), c.r.MaxSpeed, func(i int) (time.Time, geo.Point) { return c.at[rec[i]], c.shots[rec[i]].Point })
	longest := 0
	for _, ch := range chains {
		longest = max(longest, len(ch))
	}
	var out [][]int
	kept := false
	for _, ch := range chains {
		for k, i := range ch {
			ch[k] = rec[i]
		}
		// Of equally long ones under the limit, the earliest stays.
		if len(ch) >= max(10, longest/5) || len(ch) == longest && !kept && longest < 10 {
			kept = true
			out = append(out, ch)
			continue
		}
		for _, i := range ch {
			c.reject(i, survey.ReasonTooFast, map[string]any{"max_speed_mps": float64(c.r.MaxSpeed)},
				"Reaching this position from its neighbours in time needs more than %.0f km/h.", float64(c.r.MaxSpeed)*3.6)
		}
	}
	return out
}

func (c *cutter) distinct(in []int) []int {
	var kept []int
	for _, i := range in {
		if n := len(kept); n > 0 {
			l := kept[n-1]
			d := c.dist(l, i)
			a, b := c.shots[l], c.shots[i]
			if d <= c.r.SameDistance && !(a.HasHeading && b.HasHeading && geo.BearingDiff(a.Heading, b.Heading) > c.r.SameAngle) {
				c.reject(i, survey.ReasonTooClose, map[string]any{"distance_m": round(float64(d), 3), "limit_m": float64(c.r.SameDistance)},
					"%.2f m from the image kept before it.", float64(d))
				continue
			}
		}
		kept = append(kept, i)
	}
	return kept
}

func (c *cutter) still(in []int) []int {
	var kept []int
	for k := 0; k < len(in); {
		j := k + 1
		for j < len(in) && c.dist(in[k], in[j]) <= c.r.StillRadius {
			j++
		}
		kept = append(kept, in[k])
		if j-k > 1 && c.at[in[j-1]].Sub(c.at[in[k]]) >= c.r.StillTime {
			stood := c.at[in[j-1]].Sub(c.at[in[k]])
			for _, i := range in[k+1 : j] {
				c.reject(i, survey.ReasonStationary, map[string]any{"seconds": round(stood.Seconds(), 1), "radius_m": float64(c.r.StillRadius)},
					"The vehicle stood for %.0f s within %.0f m.", stood.Seconds(), float64(c.r.StillRadius))
			}
			k = j
			continue
		}
		k++
	}
	return kept
}

func (c *cutter) zigzag(in []int) []int {
	bad := make([]bool, len(in))
	for k := 0; k+5 <= len(in); k++ {
		hit := true
		for l := k; hit && l < k+4; l++ {
			a, b := c.shots[in[l]].Point, c.shots[in[l+1]].Point
			hit = geo.Distance(a, b) >= c.r.ZigZagStep
			if hit && l > k {
				hit = geo.BearingDiff(geo.Bearing(c.shots[in[l-1]].Point, a), geo.Bearing(a, b)) >= c.r.ZigZagTurn
			}
		}
		for l := k; hit && l < k+5; l++ {
			bad[l] = true
		}
	}
	var kept []int
	for k, i := range in {
		if bad[k] {
			c.reject(i, survey.ReasonZigZag, map[string]any{"step_m": float64(c.r.ZigZagStep), "turn_deg": c.r.ZigZagTurn},
				"Five positions in a row jump to and fro by %.0f m or more.", float64(c.r.ZigZagStep))
			continue
		}
		kept = append(kept, i)
	}
	return kept
}

// trim cuts what lies within Trim of the recording's first and last position, counted from each end up to the first
// shot outside. all holds the rejected ones too: the true end may be one of them.
func (c *cutter) trim(all, kept []int) []int {
	if c.r.Trim <= 0 || len(kept) == 0 {
		return kept
	}
	first, last := c.shots[all[0]].Point, c.shots[all[len(all)-1]].Point
	lo, hi := 0, len(kept)
	for lo < len(kept) && geo.Distance(first, c.shots[kept[lo]].Point) < c.r.Trim {
		lo++
	}
	for hi > 0 && geo.Distance(last, c.shots[kept[hi-1]].Point) < c.r.Trim {
		hi--
	}
	if lo >= hi {
		lo, hi = len(kept), len(kept)
	}
	for k, i := range kept {
		if k < lo || k >= hi {
			c.reject(i, survey.ReasonTrimmed, nil, "")
		}
	}
	return kept[lo:hi]
}

func (c *cutter) zones(in []int) [][]int {
	if len(c.r.Zones) == 0 {
		return [][]int{in}
	}
	var out [][]int
	var cur []int
	cut := func() {
		if len(cur) > 0 {
			out = append(out, cur)
		}
		cur = nil
	}
	for _, i := range in {
		p := c.shots[i].Point
		if Inside(p, c.r.Zones) {
			cut()
			c.reject(i, survey.ReasonPrivacyZone, nil, "")
			continue
		}
		if len(cur) > 0 && Crosses(c.shots[cur[len(cur)-1]].Point, p, c.r.Zones) {
			cut()
		}
		cur = append(cur, i)
	}
	cut()
	return out
}

// steps cuts at long steps and finishes each drive.
func (c *cutter) steps(in []int) {
	start := 0
	for k := 1; k <= len(in); k++ {
		if k < len(in) && c.dist(in[k-1], in[k]) <= c.r.CutDistance {
			continue
		}
		if k > start {
			c.drives = append(c.drives, c.place(in[start:k]))
		}
		start = k
	}
}

// minCourse is the least step that tells a direction.
const minCourse geo.Meters = 0.5

func (c *cutter) place(in []int) []Placed {
	out := make([]Placed, len(in))
	for k, i := range in {
		s := c.shots[i]
		out[k] = Placed{Index: i, Time: c.at[i], Heading: s.Heading, HasHeading: s.HasHeading}
	}
	for k := range out {
		if out[k].HasHeading {
			continue
		}
		p := c.shots[in[k]].Point
		for j := k + 1; j < len(in) && !out[k].HasHeading; j++ { // towards the next place
			out[k].derive(p, c.shots[in[j]].Point)
		}
		for j := k - 1; j >= 0 && !out[k].HasHeading; j-- { // at the end, from the one before
			out[k].derive(c.shots[in[j]].Point, p)
		}
	}
	return out
}

func (p *Placed) derive(a, b geo.Point) {
	if geo.Distance(a, b) >= minCourse {
		p.Heading, p.HasHeading, p.HeadingDerived = geo.Bearing(a, b), true, true
	}
}

// zoneMargin widens zones by what the sphere and the plane may be off from the true ellipsoid (0.56 %, pkg/geo), so that
// the true circle is always covered.
const zoneMargin = 1.006

// Inside reports whether p lies within a zone, its edge included.
func Inside(p geo.Point, zones []Zone) bool {
	for _, z := range zones {
		if geo.Distance(p, z.Center) <= z.Radius*zoneMargin {
			return true
		}
	}
	return false
}

// Crosses reports whether the straight line from a to b comes within a zone. Steps are short (a drive's are at most
// CutDistance), so the line is taken in the plane tangent at the zone's centre.
func Crosses(a, b geo.Point, zones []Zone) bool {
	for _, z := range zones {
		ax, ay := plane(z.Center, a)
		bx, by := plane(z.Center, b)
		dx, dy := bx-ax, by-ay
		s := 0.0
		if l := dx*dx + dy*dy; l > 0 {
			s = min(max(-(ax*dx+ay*dy)/l, 0), 1)
		}
		if math.Hypot(ax+s*dx, ay+s*dy) <= float64(z.Radius)*zoneMargin {
			return true
		}
	}
	return false
}

// Assumed speeds for shots without any time: on foot where half of the steps are shorter than walkStep.
const (
	WalkSpeed  geo.SpeedMPS = 1.4
	DriveSpeed geo.SpeedMPS = 10
	walkStep   geo.Meters   = 4
)

// AssumeTimes gives times to points in their order: start, then as long as each step takes at the speed, at least one
// millisecond. Speed 0 assumes WalkSpeed when the median step is shorter than 4 m, else DriveSpeed. It returns the speed
// used. A step longer than jump takes no more time than jump does, so that a gap in a set is not filled with hours.
func AssumeTimes(points []geo.Point, start time.Time, speed geo.SpeedMPS) ([]time.Time, geo.SpeedMPS) {
	const jump geo.Meters = 1000
	if speed <= 0 && len(points) > 1 {
		steps := make([]geo.Meters, 0, len(points))
		for i := 1; i < len(points); i++ {
			steps = append(steps, geo.Distance(points[i-1], points[i]))
		}
		slices.Sort(steps)
		speed = DriveSpeed
		if steps[len(steps)/2] < walkStep {
			speed = WalkSpeed
		}
	} else if speed <= 0 {
		speed = DriveSpeed
	}
	out := make([]time.Time, len(points))
	t := start
	for i := range points {
		if i > 0 {
			d := min(geo.Distance(points[i-1], points[i]), jump)
			us := max(math.Round(float64(d)/float64(speed)*1e6), 1000)
			t = t.Add(time.Duration(us) * time.Microsecond)
		}
		out[i] = t
	}
	return out, speed
}

// CompareNames orders names as people count: runs of digits by value, "2.jpg" before "10.jpg"; names that differ only
// in leading zeros by their text.
func CompareNames(a, b string) int {
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		if isDigit(a[i]) && isDigit(b[j]) {
			si, sj := i, j
			for i < len(a) && isDigit(a[i]) {
				i++
			}
			for j < len(b) && isDigit(b[j]) {
				j++
			}
			na, nb := strings.TrimLeft(a[si:i], "0"), strings.TrimLeft(b[sj:j], "0")
			if len(na) != len(nb) {
				return len(na) - len(nb)
			}
			if c := strings.Compare(na, nb); c != 0 {
				return c
			}
			continue
		}
		if a[i] != b[j] {
			return int(a[i]) - int(b[j])
		}
		i, j = i+1, j+1
	}
	if d := (len(a) - i) - (len(b) - j); d != 0 {
		return d
	}
	return strings.Compare(a, b)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func round(v float64, digits int) float64 {
	p := math.Pow10(digits)
	return math.Round(v*p) / p
}
