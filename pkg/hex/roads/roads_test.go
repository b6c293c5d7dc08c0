package roads_test

import (
	"bufio"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tkrajina/gpxgo/gpx"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex/roads"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

var origin = geo.Point{Lat: 47.5, Lon: 19.05}

// town is a grid of n × n streets 100 m apart, a segment between crossings.
func town(t testing.TB, n int) *roads.Network {
	at := func(x, y int) geo.Point {
		return geo.Destination(geo.Destination(origin, 90, geo.Meters(100*x)), 0, geo.Meters(100*y))
	}
	var segs []roads.Segment
	add := func(a, b geo.Point) {
		segs = append(segs, roads.Segment{ID: roads.SegmentID{Way: int64(len(segs) + 1)}, Class: "residential", Points: []geo.Point{a, b}})
	}
	for x := range n {
		for y := range n {
			if x+1 < n {
				add(at(x, y), at(x+1, y))
			}
			if y+1 < n {
				add(at(x, y), at(x, y+1))
			}
		}
	}
	net, err := roads.New(segs)
	if err != nil {
		t.Fatal(err)
	}
	return net
}

func read(t testing.TB, name string) *roads.Network {
	f, err := os.Open(testkit.Shared(t, "data", "osm", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n, err := roads.Read(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// drive goes the length over the network at random, turning back only at dead ends, and gives the fixes, a second apart
// at 10 m/s with noise of sigma, and what was driven.
func drive(rnd *rand.Rand, n *roads.Network, length, sigma float64) (survey.Trace, []roads.Stretch) {
	type end struct{ p geo.Point }
	out := make(map[end][]int) // 2i forward, 2i+1 backward
	for i := range n.Segments {
		s := &n.Segments[i]
		out[end{s.Points[0]}] = append(out[end{s.Points[0]}], 2*i)
		if !s.OneWay {
			last := end{s.Points[len(s.Points)-1]}
			out[last] = append(out[last], 2*i+1)
		}
	}
	e := 2 * rnd.IntN(len(n.Segments))
	var line []geo.Point
	var truth []roads.Stretch
	for gone := 0.0; gone < length; {
		s := &n.Segments[e/2]
		pts := slices.Clone(s.Points)
		if e&1 == 1 {
			slices.Reverse(pts)
		}
		line = append(line, pts...)
		truth = append(truth, roads.Stretch{Segment: e / 2, Backward: e&1 == 1, To: int64(math.Round(float64(s.Length) * 1000))})
		gone += float64(s.Length)
		next := slices.Clone(out[end{pts[len(pts)-1]}])
		if len(next) > 1 {
			next = slices.DeleteFunc(next, func(x int) bool { return x == e^1 })
		}
		if len(next) == 0 {
			break
		}
		e = next[rnd.IntN(len(next))]
	}
	var tr survey.Trace
	carry := 0.0
	for i := 1; i < len(line); i++ {
		d := float64(geo.Distance(line[i-1], line[i]))
		for ; carry < d; carry += 10 {
			p := geo.Interpolate(line[i-1], line[i], carry/d)
			p = geo.Destination(geo.Destination(p, 90, geo.Meters(rnd.NormFloat64()*sigma)), 0, geo.Meters(rnd.NormFloat64()*sigma))
			tr = append(tr, survey.Fix{Time: time.Unix(int64(len(tr)), 0), Point: p})
		}
		carry -= d
	}
	return tr, truth
}

// score is the length of the truth that was found, and the length found that is true, as shares; direction counts.
func score(found, truth []roads.Stretch) (recall, precision float64) {
	var f, t, both roads.Coverage
	f.Add(found)
	t.Add(truth)
	both.Add(found)
	both.Merge(&t)
	sum := func(c *roads.Coverage) (n float64) {
		for _, s := range c.Stretches() {
			n += float64(s.To - s.From)
		}
		return n
	}
	common := sum(&f) + sum(&t) - sum(&both)
	return common / sum(&t), common / sum(&f)
}

func TestNoisyDrivesInATownAreFound(t *testing.T) {
	n := town(t, 12)
	rnd := rand.New(rand.NewPCG(1, 1))
	var r, p float64
	for range 20 {
		tr, truth := drive(rnd, n, 3000, 4)
		m := roads.Matcher{Network: n}.Match(tr)
		a, b := score(m.Path, truth)
		r, p = r+a/20, p+b/20
		if m.Breaks > 0 || m.Matched != m.Used || m.Share() != 1 || m.MeanDist > 8 {
			t.Errorf("%+v", m)
		}
	}
	if r < 0.95 || p < 0.95 {
		t.Errorf("recall %.3f, precision %.3f", r, p)
	}
}

func TestADriveWithoutNoiseIsFoundExactly(t *testing.T) {
	n := town(t, 8)
	rnd := rand.New(rand.NewPCG(2, 1))
	for range 10 {
		tr, truth := drive(rnd, n, 2000, 0)
		m := roads.Matcher{Network: n}.Match(tr)
		// All but the ends, which no fix marks.
		if r, p := score(m.Path, truth); r < 0.98 || p < 0.9999 {
			t.Errorf("recall %.4f, precision %.4f", r, p)
		}
	}
}

func TestAMatchBreaksWhereNoRoadLeads(t *testing.T) {
	n := town(t, 6)
	fix := func(x, y float64) survey.Fix {
		return survey.Fix{Point: geo.Destination(geo.Destination(origin, 90, geo.Meters(x)), 0, geo.Meters(y))}
	}
	tr := survey.Trace{fix(5, 2), fix(40, -2), fix(80, 1), fix(40, 5000), fix(5, 200), fix(60, 201), fix(120, 199)}
	m := roads.Matcher{Network: n}.Match(tr)
	if m.Breaks != 1 || m.Used != 7 || m.Matched != 6 || len(m.Path) != 3 {
		t.Errorf("%+v", m)
	}
	if m.Share() > 0.2 {
		t.Errorf("share %v, with 10 km off the roads", m.Share())
	}
	far := survey.Trace{fix(5, 0), fix(90, 0), fix(90, 400), fix(90, 490)}
	if m := (roads.Matcher{Network: n, MaxGap: 300}).Match(far); m.Breaks != 1 {
		t.Errorf("gap of 400 m bridged: %+v", m)
	}
	if m := (roads.Matcher{Network: n}).Match(nil); m.Fixes != 0 || len(m.Path) != 0 {
		t.Errorf("%+v", m)
	}
	if m := (roads.Matcher{Network: n}).Match(survey.Trace{{Point: geo.Point{Lat: 10, Lon: 10}}, {Point: geo.Point{Lat: math.NaN()}}}); m.Matched != 0 {
		t.Errorf("%+v", m)
	}
}

func TestOneWayRoadsAreDrivenOneWay(t *testing.T) {
	a, b := origin, geo.Destination(origin, 90, 300)
	n, err := roads.New([]roads.Segment{{ID: roads.SegmentID{Way: 1}, Class: "primary", OneWay: true, Points: []geo.Point{a, b}}})
	if err != nil {
		t.Fatal(err)
	}
	var tr survey.Trace
	for i := range 15 {
		tr = append(tr, survey.Fix{Point: geo.Interpolate(b, a, float64(i)/15)})
	}
	if m := (roads.Matcher{Network: n}).Match(tr); slices.ContainsFunc(m.Path, func(s roads.Stretch) bool { return s.Backward }) {
		t.Errorf("against the one way: %+v", m.Path)
	}
	if c := n.Segments[0].FreshnessClass(); c != "oneway" {
		t.Error(c)
	}
}

func TestCoverageIsAUnionWhateverTheOrder(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 1))
	for range 200 {
		var all []roads.Stretch
		bits := make(map[int]bool)
		for range rnd.IntN(30) {
			from := int64(rnd.IntN(100))
			s := roads.Stretch{Segment: rnd.IntN(2), Backward: rnd.IntN(2) == 1, From: from, To: from + int64(rnd.IntN(20))}
			all = append(all, s)
			for x := s.From; x < s.To; x++ {
				k := s.Segment*1000 + int(x)
				if s.Backward {
					k += 500
				}
				bits[k] = true
			}
		}
		var a, b roads.Coverage
		a.Add(all)
		rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for _, s := range all {
			var one roads.Coverage
			one.Add([]roads.Stretch{s})
			b.Merge(&one)
			b.Merge(&one)
		}
		if !slices.Equal(a.Stretches(), b.Stretches()) {
			t.Fatalf("%v and %v", a.Stretches(), b.Stretches())
		}
		n := 0
		for i, s := range a.Stretches() {
			n += int(s.To - s.From)
			if i > 0 {
				if p := a.Stretches()[i-1]; p.Segment == s.Segment && p.Backward == s.Backward && p.To >= s.From {
					t.Fatalf("%v touches %v", p, s)
				}
			}
		}
		if n != len(bits) {
			t.Fatalf("%d mm, want %d", n, len(bits))
		}
	}
}

func TestCellsShareOutEveryMillimetreOnce(t *testing.T) {
	n := town(t, 6)
	tr, truth := drive(rand.New(rand.NewPCG(4, 1)), n, 1500, 0)
	_ = tr
	var c roads.Coverage
	c.Add(truth)
	var driven int64
	for _, s := range c.Stretches() {
		driven += s.To - s.From
	}
	for _, res := range []int{12, 9} {
		pieces, err := n.Pieces(res)
		if err != nil {
			t.Fatal(err)
		}
		lengths := make([]int64, len(n.Segments))
		for i, p := range pieces {
			if p.From >= p.To || i > 0 && pieces[i-1].Segment == p.Segment && pieces[i-1].To != p.From {
				t.Fatalf("%+v after %+v", p, pieces[max(0, i-1)])
			}
			lengths[p.Segment] += p.To - p.From
		}
		for i, l := range lengths {
			if want := int64(math.Round(float64(n.Segments[i].Length) * 1000)); l != want {
				t.Errorf("segment %d has %d mm in cells, want %d", i, l, want)
			}
		}
		cells := c.Cells(pieces)
		var f, b int64
		for _, r := range cells {
			f, b = f+r.Forward, b+r.Backward
			if r.Either < max(r.Forward, r.Backward) || r.Either > min(r.Length, r.Forward+r.Backward) {
				t.Errorf("%+v", r)
			}
		}
		if f+b != driven {
			t.Errorf("%d mm in cells, driven %d", f+b, driven)
		}
		whole := n.Regions(cells, -1)
		var sum roads.Progress
		for _, p := range n.Regions(cells, 7) {
			sum.Road, sum.Covered, sum.Sides, sum.Driven = sum.Road+p.Road, sum.Covered+p.Covered, sum.Sides+p.Sides, sum.Driven+p.Driven
		}
		if len(whole) != 1 || sum.Road != whole[0].Road || sum.Covered != whole[0].Covered || sum.Driven != driven || sum.Sides != 2*sum.Road || whole[0].Segments != len(n.Segments) || whole[0].Share() <= 0 {
			t.Errorf("regions %+v, whole %+v", sum, whole)
		}
	}
}

// TestSharedExtracts measures the matcher on real networks with drives of known truth: noise of 5 m, a fix a second.
func TestSharedExtracts(t *testing.T) {
	for _, c := range []struct {
		file              string
		segments          int
		recall, precision float64
	}{{"monaco.osm.pbf", 2000, 0.95, 0.95}, {"baltimore.osm.pbf", 5000, 0.95, 0.95}, {"andorra.osm.pbf", 2000, 0.95, 0.95}} {
		t.Run(c.file, func(t *testing.T) {
			n := read(t, c.file)
			var km float64
			for i := range n.Segments {
				km += float64(n.Segments[i].Length) / 1000
			}
			if len(n.Segments) < c.segments {
				t.Errorf("%d segments", len(n.Segments))
			}
			rnd := rand.New(rand.NewPCG(5, 1))
			var r, p float64
			fixes, breaks := 0, 0
			var spent time.Duration
			const drives = 20
			for range drives {
				tr, truth := drive(rnd, n, 3000, 5)
				began := time.Now()
				m := roads.Matcher{Network: n}.Match(tr)
				spent += time.Since(began)
				a, b := score(m.Path, truth)
				r, p, fixes, breaks = r+a/drives, p+b/drives, fixes+m.Fixes, breaks+m.Breaks
			}
			t.Logf("%d segments, %.0f km; recall %.3f, precision %.3f, %d breaks, %.0f fixes/s", len(n.Segments), km, r, p, breaks, float64(fixes)/spent.Seconds())
			if r < c.recall || p < c.precision {
				t.Errorf("recall %.3f, precision %.3f", r, p)
			}
		})
	}
}

// fleetGaps are the seconds between neighbouring fixes of the shared fleet's tracks (median 5, ninth decile 15); pauses over
// two minutes are left out.
func fleetGaps(t testing.TB) []int {
	f, err := os.Open(testkit.Shared(t, "data", "gps", "fleet", "oberfranken_fcd_points.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var gaps []int
	var last time.Time
	var id string
	for sc := bufio.NewScanner(f); sc.Scan(); {
		cols := strings.SplitN(strings.ReplaceAll(sc.Text(), `"`, ""), ",", 3)
		if len(cols) < 3 {
			continue
		}
		at, err := time.Parse("2006-01-02 15:04:05", strings.TrimSuffix(strings.Replace(cols[1][:min(len(cols[1]), 19)], "T", " ", 1), "Z"))
		if err != nil {
			continue
		}
		if d := at.Sub(last); cols[0] == id && d > 0 && d <= 2*time.Minute {
			gaps = append(gaps, int(d.Seconds()))
		}
		id, last = cols[0], at
	}
	slices.Sort(gaps)
	if len(gaps) < 10_000 || gaps[len(gaps)/2] != 5 {
		t.Fatalf("%d gaps in the fleet's tracks", len(gaps))
	}
	return gaps
}

// TestDrivesAsSparseAsTheFleets measures the matcher on drives of known truth with the times between fixes of real
// vehicles and noise of 6 m, at 10 m/s: what can be said of the fleet without an extract of its place.
func TestDrivesAsSparseAsTheFleets(t *testing.T) {
	gaps := fleetGaps(t)
	for _, c := range []struct {
		file                     string
		share, recall, precision float64
	}{{"monaco.osm.pbf", 0.95, 0.8, 0.8}, {"baltimore.osm.pbf", 0.95, 0.8, 0.8}, {"andorra.osm.pbf", 0.95, 0.85, 0.85}} {
		t.Run(c.file, func(t *testing.T) {
			n := read(t, c.file)
			rnd := rand.New(rand.NewPCG(7, 1))
			var r, p, dist float64
			var joined, straight geo.Meters
			fixes, matched, breaks := 0, 0, 0
			var spent time.Duration
			const drives = 30
			for range drives {
				dense, truth := drive(rnd, n, 5000, 6)
				var tr survey.Trace
				for i := 0; i < len(dense); i += gaps[rnd.IntN(len(gaps))] {
					tr = append(tr, dense[i])
				}
				began := time.Now()
				m := roads.Matcher{Network: n}.Match(tr)
				spent += time.Since(began)
				a, b := score(m.Path, truth)
				r, p, fixes, breaks, matched = r+a/drives, p+b/drives, fixes+m.Fixes, breaks+m.Breaks, matched+m.Matched
				joined, straight, dist = joined+m.Joined, straight+m.Straight, dist+float64(m.MeanDist)*float64(m.Matched)
			}
			share := float64(joined / straight)
			t.Logf("%d fixes, matched length %.3f, %d breaks, mean distance %.1f m; recall %.3f, precision %.3f; %.0f fixes/s",
				fixes, share, breaks, dist/float64(matched), r, p, float64(fixes)/spent.Seconds())
			if share < c.share || r < c.recall || p < c.precision {
				t.Errorf("share %.3f, recall %.3f, precision %.3f", share, r, p)
			}
		})
	}
}

func TestADrawnTrackFitsAndorra(t *testing.T) {
	n := read(t, "andorra.osm.pbf")
	b, err := os.ReadFile(testkit.Shared(t, "data", "gps", "gpx", "andorra_for_map_matching.gpx"))
	if err != nil {
		t.Fatal(err)
	}
	g, err := gpx.ParseBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	var tr survey.Trace
	for _, k := range g.Tracks {
		for _, s := range k.Segments {
			for _, p := range s.Points {
				tr = append(tr, survey.Fix{Point: geo.Point{Lat: p.Latitude, Lon: p.Longitude}})
			}
		}
	}
	m := roads.Matcher{Network: n, MaxGap: 2000}.Match(tr)
	t.Logf("%d fixes, %d used, %d matched, %d breaks, share %.3f, mean distance %.1f m, %.0f m along roads, %.0f m straight",
		m.Fixes, m.Used, m.Matched, m.Breaks, m.Share(), m.MeanDist, m.Length, m.Straight)
	if m.Share() < 0.9 || m.MeanDist > 10 {
		t.Errorf("share %.3f, mean distance %.1f m", m.Share(), m.MeanDist)
	}
}

// TestTheFleetLiesOffEveryExtract says what the shared fleet tracks can tell: they are around Hof, where no extract is at
// hand, so each fix must be left unmatched and nothing may be invented.
func TestTheFleetLiesOffEveryExtract(t *testing.T) {
	f, err := os.Open(testkit.Shared(t, "data", "gps", "fleet", "oberfranken_fcd_points.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := read(t, "baltimore.osm.pbf")
	tracks := make(map[string]survey.Trace)
	for sc := bufio.NewScanner(f); sc.Scan(); {
		cols := strings.FieldsFunc(sc.Text(), func(r rune) bool { return r == ',' || r == ';' })
		var lon, lat float64
		if len(cols) < 3 {
			continue
		}
		if _, err := fmt.Sscanf(strings.Trim(cols[len(cols)-1], `" `), "POINT(%g %g)", &lon, &lat); err != nil {
			if _, err := fmt.Sscanf(strings.Trim(cols[len(cols)-1], `" `), "POINT (%g %g)", &lon, &lat); err != nil {
				continue
			}
		}
		tracks[cols[0]] = append(tracks[cols[0]], survey.Fix{Point: geo.Point{Lat: lat, Lon: lon}})
	}
	fixes := 0
	for id, tr := range tracks {
		m := roads.Matcher{Network: n}.Match(tr)
		fixes += m.Fixes
		if m.Matched != 0 || len(m.Path) != 0 {
			t.Errorf("track %s: %+v", id, m)
		}
	}
	if len(tracks) < 200 || fixes < 14_000 {
		t.Errorf("%d tracks, %d fixes", len(tracks), fixes)
	}
}

func TestWhatIsNoExtractIsRefused(t *testing.T) {
	for _, s := range []string{"", "hello", "\x00\x00\x00\x0d\x0a\x09OSMHeader\x18\x7f", strings.Repeat("\x00", 100)} {
		n, err := roads.Read(t.Context(), strings.NewReader(s))
		if err != nil && survey.KindOf(err) != survey.Invalid || err == nil && len(n.Segments) != 0 {
			t.Errorf("%.20q: %v", s, err)
		}
	}
	if _, err := roads.New([]roads.Segment{{Points: []geo.Point{origin}}}); survey.KindOf(err) != survey.Invalid {
		t.Error(err)
	}
}

func Example() {
	a := geo.Point{Lat: 47.5, Lon: 19.05}
	b, c := geo.Destination(a, 90, 200), geo.Destination(a, 90, 400)
	n, err := roads.New([]roads.Segment{
		{ID: roads.SegmentID{Way: 1}, Class: "residential", Points: []geo.Point{a, b}},
		{ID: roads.SegmentID{Way: 2}, Class: "residential", Points: []geo.Point{b, c}},
	})
	if err != nil {
		panic(err)
	}
	var trace survey.Trace
	for d := 50; d <= 350; d += 25 {
		trace = append(trace, survey.Fix{Point: geo.Destination(geo.Destination(a, 90, geo.Meters(d)), 0, 3)})
	}
	m := roads.Matcher{Network: n}.Match(trace)
	for _, s := range m.Path {
		fmt.Printf("way %d from %.0f m to %.0f m\n", n.Segments[s.Segment].ID.Way, float64(s.From)/1000, float64(s.To)/1000)
	}
	// Output:
	// way 1 from 50 m to 200 m
	// way 2 from 0 m to 150 m
}

func BenchmarkMatch(b *testing.B) {
	n := town(b, 40)
	tr, _ := drive(rand.New(rand.NewPCG(6, 1)), n, 10_000, 5)
	fixes := 0
	for b.Loop() {
		m := roads.Matcher{Network: n}.Match(tr)
		fixes += m.Fixes
	}
	b.ReportMetric(float64(fixes)/b.Elapsed().Seconds(), "fixes/s")
}
