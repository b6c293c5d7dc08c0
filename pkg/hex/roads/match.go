package roads

import (
	"container/heap"
	"math"
	"slices"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Matcher finds the most likely path of a trace over a network: the hidden Markov model of Newson and Krumm (Hidden
// Markov Map Matching Through Noise and Sparseness, 2009). The probability of a fix falls with its distance to the road
// as a normal distribution of Sigma, that of a step exponentially, at Beta, with the difference between the way along
// the roads and the straight one. Where no path joins two fixes the match breaks and begins anew.
//
// The zero values of the numbers are the defaults. A Matcher is safe for concurrent use.
type Matcher struct {
	Network *Network
	Sigma   float64 // metres; 0 means 6: receivers behind a windscreen, in the 4 to 10 found in the literature
	Beta    float64 // metres; 0 means 3
	Radius  float64 // metres to look for roads; 0 means 50
	MaxGap  float64 // metres between fixes over which no path is sought; 0 means 500
	MaxRoad int     // segments looked at around one fix; 0 means 12
}

func (m Matcher) withDefaults() Matcher {
	or := func(v *float64, d float64) {
		if *v <= 0 {
			*v = d
		}
	}
	or(&m.Sigma, 6)
	or(&m.Beta, 3)
	or(&m.Radius, 50)
	or(&m.MaxGap, 500)
	if m.MaxRoad <= 0 {
		m.MaxRoad = 12
	}
	return m
}

// Stretch is part of a segment driven in one direction, in millimetres from the segment's first point; From < To.
type Stretch struct {
	Segment  int // index into Network.Segments
	Backward bool
	From, To int64
}

// Match is what a trace covered.
type Match struct {
	Path     []Stretch // in driving order; neighbours on one segment are joined
	Fixes    int       // in the trace
	Used     int       // far enough from the one before to say something
	Matched  int       // of Used, put on a road
	Breaks   int       // places where the path is interrupted
	MeanDist geo.Meters
	Length   geo.Meters // along the roads
	Straight geo.Meters // along the fixes used
	Joined   geo.Meters // of Straight, between fixes joined by a path
}

// Share is the part of the trace's length that is on the path, 0 to 1.
func (m Match) Share() float64 {
	if m.Straight == 0 {
		return 0
	}
	return float64(m.Joined / m.Straight)
}

const (
	uturn    = 25.0 // metres a turn on the spot costs
	backslip = 2.0  // sigmas that noise may move a place backwards along its edge
	minSpeed = 2.0  // m/s from which a receiver's course is believed
	courseSD = 40.0 // degrees
)

type state struct {
	candidate
	score float64
	prev  int // in the layer before; -1 at the beginning of a chain
}

// Match finds the path of the fixes, which are in time order. Fixes nearer than two sigmas to the last one used add
// noise, not knowledge, and are passed over.
func (m Matcher) Match(trace survey.Trace) Match {
	m = m.withDefaults()
	out := Match{Fixes: len(trace)}
	var layers [][]state
	var at []geo.Point
	var last geo.Point
	var distSum float64
	finish := func() {
		if len(layers) > 0 {
			distSum += m.walk(layers, &out)
			layers, at = nil, nil
		}
	}
	for i, f := range trace {
		if !f.Point.Valid() {
			continue
		}
		if out.Used > 0 {
			d := float64(geo.Distance(last, f.Point))
			if d < 2*m.Sigma && i < len(trace)-1 {
				continue
			}
			if d == 0 {
				continue
			}
			out.Straight += geo.Meters(d)
		}
		out.Used++
		last = f.Point
		cs := m.Network.near(f.Point, m.Radius, m.MaxRoad)
		layer := make([]state, len(cs))
		for j, c := range cs {
			layer[j] = state{candidate: c, score: m.emission(f, c), prev: -1}
		}
		if len(layer) == 0 {
			if len(layers) > 0 {
				out.Breaks++
			}
			finish()
			continue
		}
		if len(layers) > 0 {
			step := float64(geo.Distance(at[len(at)-1], f.Point))
			if step > m.MaxGap || !m.join(layers[len(layers)-1], layer, step) {
				out.Breaks++
				finish()
			} else {
				out.Joined += geo.Meters(step)
			}
		}
		layers, at = append(layers, layer), append(at, f.Point)
	}
	finish()
	if out.Matched > 0 {
		out.MeanDist = geo.Meters(distSum / float64(out.Matched))
	}
	for _, s := range out.Path {
		out.Length += geo.Meters(float64(s.To-s.From) / 1000)
	}
	return out
}

func (m Matcher) emission(f survey.Fix, c candidate) float64 {
	z := c.dist / m.Sigma
	score := -0.5 * z * z
	if f.HasHeading && (!f.HasSpeed || f.Speed >= minSpeed) {
		a := geo.BearingDiff(f.Heading, c.course) / courseSD
		score -= 0.5 * min(a*a, 9)
	}
	return score
}

// join gives each place of the next layer its best predecessor; false when none has one.
func (m Matcher) join(prev, next []state, step float64) bool {
	reach := 2*step + 4*m.Sigma + 100
	best := make([]float64, len(next))
	for i := range best {
		best[i] = math.Inf(-1)
	}
	any := false
	for i := range prev {
		p := &prev[i]
		if math.IsInf(p.score, -1) {
			continue
		}
		s := newSearch(m.Network, p.candidate, reach)
		for j := range next {
			d, ok := m.distance(s, p.candidate, next[j].candidate, reach)
			if !ok {
				continue
			}
			if v := p.score - math.Abs(d-step)/m.Beta; v > best[j] {
				best[j] = v
				next[j].prev = i
				any = true
			}
		}
	}
	if !any {
		return false
	}
	for j := range next {
		if next[j].prev < 0 {
			next[j].score = math.Inf(-1)
		} else {
			next[j].score += best[j]
		}
	}
	return true
}

// distance is the way from a to b along the roads.
func (m Matcher) distance(s *search, a, b candidate, reach float64) (float64, bool) {
	if a.edge == b.edge {
		if d := b.offset - a.offset; d >= -backslip*m.Sigma {
			return math.Abs(d), true
		}
	}
	if a.edge == b.edge^1 { // a turn on the spot
		d := math.Abs(float64(m.Network.segment(a.edge).Length) - b.offset - a.offset)
		return d + uturn, true
	}
	from, _ := m.Network.ends(b.edge)
	d, ok := s.to(from)
	if !ok || d+b.offset > reach {
		return 0, false
	}
	return d + b.offset, true
}

// walk follows the best chain back and adds its stretches; it gives the sum of the fixes' distances.
func (m Matcher) walk(layers [][]state, out *Match) float64 {
	last := layers[len(layers)-1]
	at := 0
	for i := range last {
		if last[i].score > last[at].score {
			at = i
		}
	}
	chain := make([]candidate, len(layers))
	for l := len(layers) - 1; l >= 0; l-- {
		chain[l] = layers[l][at].candidate
		at = layers[l][at].prev
	}
	var sum float64
	for i, c := range chain {
		sum += c.dist
		if i > 0 {
			m.trace(chain[i-1], c, out)
		}
	}
	out.Matched += len(chain)
	return sum
}

// trace adds the stretches from a to b.
func (m Matcher) trace(a, b candidate, out *Match) {
	n := m.Network
	length := float64(n.segment(a.edge).Length)
	if a.edge == b.edge && b.offset >= a.offset-backslip*m.Sigma {
		if b.offset > a.offset {
			out.add(n, a.edge, a.offset, b.offset)
		}
		return
	}
	if a.edge == b.edge^1 {
		if turned := length - b.offset; turned > a.offset { // drove on, then turned
			out.add(n, a.edge, a.offset, turned)
		} else {
			out.add(n, b.edge, length-a.offset, b.offset)
		}
		return
	}
	from, _ := n.ends(b.edge)
	s := newSearch(n, a, math.Inf(1))
	s.to(from)
	out.add(n, a.edge, a.offset, length)
	for _, e := range s.path(from) {
		out.add(n, e, 0, float64(n.segment(e).Length))
	}
	out.add(n, b.edge, 0, b.offset)
}

// add appends a piece of a directed edge.
func (o *Match) add(n *Network, edge int32, from, to float64) {
	s := Stretch{Segment: int(edge >> 1), Backward: edge&1 == 1}
	if s.Backward {
		l := float64(n.segment(edge).Length)
		from, to = l-to, l-from
	}
	s.From, s.To = int64(math.Round(from*1000)), int64(math.Round(to*1000))
	if s.From >= s.To {
		return
	}
	if k := len(o.Path) - 1; k >= 0 {
		if p := &o.Path[k]; p.Segment == s.Segment && p.Backward == s.Backward && s.From <= p.To && s.To >= p.From {
			p.From, p.To = min(p.From, s.From), max(p.To, s.To)
			return
		}
	}
	o.Path = append(o.Path, s)
}

// search is Dijkstra's from the end of a candidate's edge, grown as far as asked and no farther than reach.
type search struct {
	n     *Network
	reach float64
	done  map[int32]float64
	via   map[int32]int32 // edge by which a junction was reached
	start int32
	queue frontier
}

type reached struct {
	node int32
	via  int32
	dist float64
}

type frontier []reached

func (f frontier) Len() int { return len(f) }
func (f frontier) Less(i, j int) bool {
	return f[i].dist < f[j].dist || f[i].dist == f[j].dist && f[i].node < f[j].node
}
func (f frontier) Swap(i, j int) { f[i], f[j] = f[j], f[i] }
func (f *frontier) Push(x any)   { *f = append(*f, x.(reached)) }
func (f *frontier) Pop() any {
	old := *f
	x := old[len(old)-1]
	*f = old[:len(old)-1]
	return x
}

func newSearch(n *Network, from candidate, reach float64) *search {
	_, to := n.ends(from.edge)
	return &search{
		n: n, reach: reach, start: to, done: make(map[int32]float64), via: make(map[int32]int32),
		queue: frontier{{to, -1, float64(n.segment(from.edge).Length) - from.offset}},
	}
}

// to is the distance to the junction.
func (s *search) to(node int32) (float64, bool) {
	if d, ok := s.done[node]; ok {
		return d, true
	}
	for len(s.queue) > 0 {
		r := heap.Pop(&s.queue).(reached)
		if _, ok := s.done[r.node]; ok {
			continue
		}
		s.done[r.node] = r.dist
		s.via[r.node] = r.via
		for _, e := range s.n.out[r.node] {
			_, next := s.n.ends(e)
			if _, ok := s.done[next]; ok {
				continue
			}
			if d := r.dist + float64(s.n.segment(e).Length); d <= s.reach {
				heap.Push(&s.queue, reached{next, e, d})
			}
		}
		if r.node == node {
			return r.dist, true
		}
	}
	return 0, false
}

// path is the edges from the start to a junction that to has found.
func (s *search) path(node int32) []int32 {
	var out []int32
	for node != s.start {
		e, ok := s.via[node]
		if !ok || e < 0 {
			break
		}
		out = append(out, e)
		node, _ = s.n.ends(e)
	}
	slices.Reverse(out)
	return out
}
