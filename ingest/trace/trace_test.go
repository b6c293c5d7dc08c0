package trace_test

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/adrianmo/go-nmea"
	"github.com/tkrajina/gpxgo/gpx"
	"pgregory.net/rapid"

	"github.com/roadcomb/roadcomb/ingest/trace"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

const mtv = "MTV.Local1.ublox-F9K.20200206-181434.nmea"

// load reads shared test data. It does without package testkit, whose embedded servers a fuzzing build would instrument.
func load(t testing.TB, elem ...string) []byte {
	t.Helper()
	root := os.Getenv("ROADCOMB_SHARED")
	if root == "" {
		root = "../../../shared"
	}
	p := filepath.Join(append([]string{root, "data", "gps"}, elem...)...)
	if _, err := os.Stat(p); err != nil {
		t.Skipf("shared test data is absent: %v", err)
	}
	b, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func ExampleReadNMEA() {
	tr, st, err := trace.ReadNMEA(strings.NewReader("$GPRMC,032908.379,A,4231.8291,N,08807.3033,W,0.17,138.92,070804,,*12\r\n$GPXXX,1*00\r\n"))
	fmt.Println(tr[0].Time, tr[0].Point, st.BadChecksum, err)
	// Output: 2004-08-07 03:29:08.379 +0000 UTC 42.5304850,-88.1217217 1 <nil>
}

func TestARealDriveReadsLikeAnIndependentReaderReadsIt(t *testing.T) {
	b := load(t, "nmea", mtv)
	tr, st, err := trace.ReadNMEA(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if st.BadChecksum != 13 || st.Records != 45498 || len(tr) < 1600 || st.NoTime+st.NoPoint > 20 {
		t.Errorf("%d fixes, %+v", len(tr), st)
	}
	at := map[time.Time]survey.Fix{}
	for _, f := range tr {
		at[f.Time] = f
	}
	seen := 0
	for sc := bufio.NewScanner(bytes.NewReader(b)); sc.Scan(); {
		s, err := nmea.Parse(sc.Text())
		if err != nil {
			continue
		}
		r, ok := s.(nmea.RMC)
		if !ok || r.Validity != "A" {
			continue
		}
		seen++
		when := time.Date(2000+r.Date.YY, time.Month(r.Date.MM), r.Date.DD, r.Time.Hour, r.Time.Minute, r.Time.Second, r.Time.Millisecond*1e6, time.UTC)
		f, ok := at[when]
		if !ok || math.Abs(f.Point.Lat-r.Latitude) > 1e-9 || math.Abs(f.Point.Lon-r.Longitude) > 1e-9 || math.Abs(float64(f.Speed)-r.Speed*1852/3600) > 1e-9 {
			t.Fatalf("%v: %+v, other reader %+v", when, f, r)
		}
	}
	if seen < 1600 {
		t.Errorf("only %d compared", seen)
	}
}

func TestProprietarySentencesAreNoTrouble(t *testing.T) {
	tr, st, err := trace.ReadNMEA(bytes.NewReader(load(t, "nmea", "gpsbabel-2004.nmea")))
	if err != nil || len(tr) < 100 || tr[0].Time.Year() != 2004 || st.Unknown == 0 {
		t.Fatalf("%d %+v %v", len(tr), st, err)
	}
}

func TestGPXReadsLikeAnIndependentReaderReadsIt(t *testing.T) {
	for name, timed := range map[string]bool{"around-visnjan-with-car.gpx": true, "sf_30km_h.gpx": true, "andorra_for_map_matching.gpx": false, "issue-13.gpx": true} {
		b := load(t, "gpx", name)
		tr, st, err := trace.ReadGPX(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		g, err := gpx.ParseBytes(b)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, k := range g.Tracks {
			for _, s := range k.Segments {
				for _, p := range s.Points {
					n++
					// The other reader drops fractions of a second.
					if timed && st.Repeated == 0 && (n > len(tr) || tr[n-1].Point != (geo.Point{Lat: p.Latitude, Lon: p.Longitude}) || tr[n-1].Time.Truncate(time.Second) != p.Timestamp.Truncate(time.Second)) {
						t.Fatalf("%s: point %d, other reader %v,%v at %v", name, n, p.Latitude, p.Longitude, p.Timestamp)
					}
				}
			}
		}
		if st.Records != n || timed != (len(tr) > 0) || len(tr)+st.Repeated+st.NoTime+st.NoPoint != n {
			t.Errorf("%s: %d points, %+v", name, n, st)
		}
	}
}

func TestDamagedAndForeignXML(t *testing.T) {
	whole := `<?xml version="1.0" encoding="ISO-8859-1"?><gpx><trk><name>Stra` + "\xdf" + `e</name><trkseg><trkpt lat="1" lon="2"><time>2024-01-01T00:00:00Z</time></trkpt><trkpt lat="95" lon="2"><time>2024-01-01T00:00:01Z</time></trkpt></trkseg></trk></gpx>`
	tr, st, err := trace.ReadGPX(strings.NewReader(whole))
	if err != nil || len(tr) != 1 || st.NoPoint != 1 || st.Truncated {
		t.Errorf("%v %+v %v", tr, st, err)
	}
	tr, st, err = trace.ReadGPX(strings.NewReader(whole[:len(whole)-40]))
	if err != nil || len(tr) != 1 || !st.Truncated {
		t.Errorf("cut file: %v %+v %v", tr, st, err)
	}
	if _, _, err := trace.ReadGPX(strings.NewReader("<kml></kml>")); survey.KindOf(err) != survey.Unsupported {
		t.Error(err)
	}
	if _, _, err := trace.ReadGPX(strings.NewReader("<gpx>" + strings.Repeat("<a>", 1e6))); survey.KindOf(err) != survey.Invalid {
		t.Error(err)
	}
	if _, _, err := trace.ReadNMEA(strings.NewReader("hello\n")); survey.KindOf(err) != survey.Unsupported {
		t.Error(err)
	}
}

// Entities that a document defines are not expanded: not the ones that grow a thousandfold, nor those that name a file.
func TestEntitiesOfADocumentAreNotExpanded(t *testing.T) {
	laughs := `<!DOCTYPE gpx [<!ENTITY a "` + strings.Repeat("x", 1000) + `">`
	for c := 'b'; c <= 'j'; c++ {
		laughs += fmt.Sprintf(`<!ENTITY %c "%s">`, c, strings.Repeat(fmt.Sprintf("&%c;", c-1), 10))
	}
	for name, doctype := range map[string]string{"laughs": laughs + "]>", "file": `<!DOCTYPE gpx [<!ENTITY j SYSTEM "file:///etc/passwd">]>`, "remote": `<!DOCTYPE gpx SYSTEM "http://127.0.0.1:1/x.dtd">`} {
		doc := `<?xml version="1.0"?>` + doctype + `<gpx><trk><trkseg><trkpt lat="1" lon="2"><time>2024-01-01T00:00:00Z</time></trkpt><trkpt lat="1" lon="2"><time>&j;</time></trkpt></trkseg></trk></gpx>`
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		tr, st, err := trace.ReadGPX(strings.NewReader(doc))
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
			t.Errorf("%s: %d bytes taken for a document of %d", name, got, len(doc))
		}
		if err != nil || len(tr) != 1 || !st.Truncated {
			t.Errorf("%s: %d fixes, %+v, %v", name, len(tr), st, err)
		}
	}
}

var start = time.Date(2024, 5, 10, 2, 0, 0, 0, time.UTC)

func TestTheGateDropsWhatTheReceiverDoubts(t *testing.T) {
	p := geo.Point{Lat: 48, Lon: 11}
	var tr survey.Trace
	for i := range 20 {
		tr = append(tr, survey.Fix{Time: start.Add(time.Duration(i) * time.Second), Point: geo.Destination(p, 0, geo.Meters(10*i)), Kind: survey.Fix3D, Satellites: 9, HDOP: 1})
	}
	tr[1].Kind = survey.FixNone
	tr[2].Kind = survey.Fix2D
	tr[3].Satellites = 3
	tr[4].HDOP = 4.1
	tr[5].Accuracy = 16
	tr[6].Point = geo.Point{}
	tr[7].Point = geo.Point{Lat: 91}
	tr[8].Point = geo.Destination(p, 90, 9000)
	kept, d := trace.Clean(tr, trace.Gate{})
	want := trace.Dropped{NoFix: 2, Satellites: 1, DOP: 1, Accuracy: 1, NullIsland: 1, BadPosition: 1, TooFast: 1}
	if d != want || len(kept) != 12 || d.Total() != 8 {
		t.Fatalf("%d kept, %+v", len(kept), d)
	}
}

func TestABadFirstFixDoesNotCostTheRest(t *testing.T) {
	p := geo.Point{Lat: 48, Lon: 11}
	tr := survey.Trace{{Time: start, Point: geo.Destination(p, 90, 50000)}}
	for i := range 10 {
		tr = append(tr, survey.Fix{Time: start.Add(time.Duration(i+1) * time.Second), Point: geo.Destination(p, 0, geo.Meters(10*i))})
	}
	kept, d := trace.Clean(tr, trace.Gate{})
	if len(kept) != 10 || d.TooFast != 1 {
		t.Fatalf("%d kept, %+v", len(kept), d)
	}
}

func TestCurveKnowsItsLimits(t *testing.T) {
	p := geo.Point{Lat: 48, Lon: 11}
	far := geo.Destination(p, 90, 1000)
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	c := trace.NewCurve(survey.Trace{{Time: at(0), Point: p}, {Time: at(10), Point: geo.Destination(p, 90, 100)}, {Time: at(100), Point: far}, {Time: at(400), Point: far}}, 0)
	for s, want := range map[int]bool{-2: false, -1: true, 0: true, 5: true, 10: true, 50: false, 100: true, 250: true, 401: true, 402: false} {
		if _, ok := c.At(at(s)); ok != want {
			t.Errorf("at %d s: %v", s, ok)
		}
	}
	if f, _ := c.At(at(250)); geo.Distance(f.Point, far) > 0.01 {
		t.Errorf("a standstill moved to %v", f.Point)
	}
	if _, ok := trace.NewCurve(nil, 0).At(start); ok {
		t.Error("an empty trace gives a place")
	}
}

// shots are n frames step metres apart going east, one a second.
func shots(n int, p geo.Point, step geo.Meters) []trace.Shot {
	var out []trace.Shot
	for i := range n {
		out = append(out, trace.Shot{Name: fmt.Sprint(i, ".jpg"), Time: start.Add(time.Duration(i) * time.Second), Point: geo.Destination(p, 90, step*geo.Meters(i))})
	}
	return out
}

func reasons(rs []trace.Rejected) map[survey.Reason]int {
	out := map[survey.Reason]int{}
	for _, r := range rs {
		out[r.Verdict.Reason]++
	}
	return out
}

func TestCuts(t *testing.T) {
	p := geo.Point{Lat: 48, Lon: 11}
	later := func(s []trace.Shot, from int, by time.Duration) []trace.Shot {
		for i := from; i < len(s); i++ {
			s[i].Time = s[i].Time.Add(by)
		}
		return s
	}
	for name, c := range map[string]struct {
		shots  []trace.Shot
		drives []int
		why    map[survey.Reason]int
	}{
		"one drive":               {shots(20, p, 8), []int{20}, nil},
		"a pause of a minute":     {later(shots(20, p, 21), 10, 59*time.Second), []int{20}, nil},
		"a longer pause":          {later(shots(20, p, 21), 10, 60*time.Second), []int{10, 10}, nil},
		"a pause without moving":  {later(shots(20, p, 8), 10, 10*time.Minute), []int{20}, nil},
		"a step of 100 m":         {append(shots(10, p, 8), later(shots(10, geo.Destination(p, 90, 72+99.9), 8), 0, 13*time.Second)...), []int{20}, nil},
		"a longer step":           {append(shots(10, p, 8), later(shots(10, geo.Destination(p, 90, 72+101), 8), 0, 13*time.Second)...), []int{10, 10}, nil},
		"standing still for 30 s": {append(append(shots(5, p, 8), later(shots(30, geo.Destination(p, 90, 40), 0.11), 0, 5*time.Second)...), later(shots(5, geo.Destination(p, 90, 52), 8), 0, 36*time.Second)...), []int{11}, map[survey.Reason]int{survey.ReasonStationary: 29}},
		"the same place":          {append(shots(5, p, 8), later(shots(3, geo.Destination(p, 90, 32), 0.01), 0, 5*time.Second)...), []int{5}, map[survey.Reason]int{survey.ReasonTooClose: 3}},
		"a jump to another city":  {append(shots(10, p, 8), trace.Shot{Name: "x", Time: start.Add(4500 * time.Millisecond), Point: geo.Destination(p, 0, 5e5)}), []int{10}, map[survey.Reason]int{survey.ReasonTooFast: 1}},
		"two cameras mixed":       {append(shots(20, p, 8), later(shots(20, geo.Destination(p, 0, 5e5), 8), 0, 500*time.Millisecond)...), []int{20, 20}, nil},
		"nothing":                 {nil, nil, nil},
		"one frame":               {shots(1, p, 0), []int{1}, nil},
		"all at the same time": {func() []trace.Shot {
			s := shots(5, p, 8)
			for i := range s {
				s[i].Time = start
			}
			return s
		}(), []int{5}, nil},
	} {
		drives, rejected := trace.Cut(c.shots, trace.Rules{})
		var got []int
		for _, d := range drives {
			got = append(got, len(d))
		}
		if fmt.Sprint(got) != fmt.Sprint(c.drives) || len(reasons(rejected)) != len(c.why) {
			t.Errorf("%s: drives %v, rejected %v", name, got, reasons(rejected))
		}
		for r, n := range c.why {
			if reasons(rejected)[r] != n {
				t.Errorf("%s: %v", name, reasons(rejected))
			}
		}
	}
}

func TestZigZagIsRejected(t *testing.T) {
	p := geo.Point{Lat: 48, Lon: 11}
	s := shots(20, p, 8)
	for i := 8; i < 13; i++ {
		s[i].Point = geo.Destination(p, geo.BearingDeg(90+180*(i%2)), 40)
	}
	_, rejected := trace.Cut(s, trace.Rules{})
	if n := reasons(rejected)[survey.ReasonZigZag]; n < 5 || n > 7 {
		t.Fatalf("%v", reasons(rejected))
	}
}

func TestHeadingsAreDerivedOnlyWhereAbsent(t *testing.T) {
	s := shots(3, geo.Point{Lat: 48, Lon: 11}, 8)
	s[1].Heading, s[1].HasHeading = 10, true
	d, _ := trace.Cut(s, trace.Rules{})
	if h := d[0]; !h[0].HeadingDerived || math.Abs(float64(h[0].Heading)-90) > 0.1 || h[1].HeadingDerived || h[1].Heading != 10 || !h[2].HeadingDerived {
		t.Fatalf("%+v", h)
	}
}

func TestZonesHideFramesAndLinesAtEveryLatitude(t *testing.T) {
	for _, lat := range []float64{0, 45, 70, -70} {
		home := geo.Point{Lat: lat, Lon: 179.999} // across the antimeridian too
		zone := []trace.Zone{{Center: home, Radius: 200}}
		// Just inside and outside to each side, by the project's distance.
		for b := range 8 {
			in, out := geo.Destination(home, geo.BearingDeg(45*b), 199), geo.Destination(home, geo.BearingDeg(45*b), 203)
			if !trace.Inside(in, zone) || trace.Inside(out, zone) {
				t.Errorf("lat %v, bearing %d: inside %v, outside %v", lat, 45*b, trace.Inside(in, zone), trace.Inside(out, zone))
			}
		}
		s := shots(200, geo.Destination(home, 270, 800), 8)
		drives, rejected := trace.Cut(s, trace.Rules{Zones: zone})
		if len(drives) != 2 || reasons(rejected)[survey.ReasonPrivacyZone] < 49 {
			t.Errorf("lat %v: %d drives, %v", lat, len(drives), reasons(rejected))
		}
		for _, d := range drives {
			for i, p := range d {
				if geo.Distance(s[p.Index].Point, home) <= 200 {
					t.Errorf("lat %v: frame inside", lat)
				}
				if i > 0 && trace.Crosses(s[d[i-1].Index].Point, s[p.Index].Point, zone) {
					t.Errorf("lat %v: line crosses", lat)
				}
			}
		}
		// Two frames outside with the zone between them: the drive is cut.
		small := []trace.Zone{{Center: home, Radius: 20}}
		two := shots(2, geo.Destination(home, 270, 40), 80)
		two[1].Time = two[0].Time.Add(8 * time.Second)
		if drives, rejected := trace.Cut(two, trace.Rules{Zones: small}); len(drives) != 2 || len(rejected) != 0 {
			t.Errorf("lat %v: the line between two frames runs through a zone: %d drives", lat, len(drives))
		}
	}
}

func TestTrimCountsFromTheTrueEnds(t *testing.T) {
	// Circling a block near home is all hidden.
	p := geo.Point{Lat: 60, Lon: 24}
	var s []trace.Shot
	for i := range 200 {
		s = append(s, trace.Shot{Name: fmt.Sprint(i), Time: start.Add(time.Duration(i) * time.Second), Point: geo.Destination(p, geo.BearingDeg(i*5%360), 100)})
	}
	if drives, rejected := trace.Cut(s, trace.Rules{Trim: 500}); len(drives) != 0 || reasons(rejected)[survey.ReasonTrimmed] == 0 {
		t.Fatalf("%d drives", len(drives))
	}
	// The rejected duplicate at the very start still is the start.
	line := shots(200, p, 8)
	drives, _ := trace.Cut(line, trace.Rules{Trim: 500})
	first, last := line[drives[0][0].Index].Point, line[drives[0][len(drives[0])-1].Index].Point
	if geo.Distance(first, line[0].Point) < 500 || geo.Distance(last, line[199].Point) < 500 {
		t.Fatal("too little was cut")
	}
}

func TestEveryShotComesOutOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 60).Draw(t, "n")
		var s []trace.Shot
		at, p := start, geo.Point{Lat: 50, Lon: 8}
		for i := range n {
			at = at.Add(time.Duration(rapid.IntRange(-2, 90).Draw(t, "dt")) * time.Second)
			p = geo.Destination(p, geo.BearingDeg(rapid.Float64Range(0, 359).Draw(t, "b")), geo.Meters(rapid.SampledFrom([]float64{0, 0.05, 3, 8, 40, 120, 9000}).Draw(t, "d")))
			s = append(s, trace.Shot{Name: fmt.Sprint(i), Time: at, Point: p})
		}
		drives, rejected := trace.Cut(s, trace.Rules{Trim: geo.Meters(rapid.SampledFrom([]float64{0, 50}).Draw(t, "trim")), Zones: []trace.Zone{{Center: p, Radius: 30}}})
		seen := make([]int, n)
		for _, d := range drives {
			for i, pl := range d {
				seen[pl.Index]++
				if i > 0 && pl.Time.Before(d[i-1].Time) {
					t.Fatal("a drive runs backwards")
				}
			}
		}
		for _, r := range rejected {
			seen[r.Index]++
			if err := r.Verdict.Validate(); err != nil {
				t.Fatal(err)
			}
		}
		for i, k := range seen {
			if k != 1 {
				t.Fatalf("shot %d came out %d times", i, k)
			}
		}
	})
}

func TestAssumedTimesFollowTheDistance(t *testing.T) {
	p := geo.Point{Lat: 48, Lon: 11}
	pts := []geo.Point{p, geo.Destination(p, 0, 20), geo.Destination(p, 0, 20), geo.Destination(p, 0, 50)}
	ts, v := trace.AssumeTimes(pts, start, 10)
	if v != 10 || ts[1].Sub(ts[0]).Round(time.Millisecond) != 2*time.Second || ts[2].Sub(ts[1]) != time.Millisecond || ts[3].Sub(ts[2]).Round(time.Millisecond) != 3*time.Second {
		t.Fatalf("%v %v", ts, v)
	}
	if _, v := trace.AssumeTimes([]geo.Point{p, geo.Destination(p, 0, 2)}, start, 0); v != trace.WalkSpeed {
		t.Error(v)
	}
}

func TestNamesSortAsPeopleCount(t *testing.T) {
	for _, c := range [][2]string{{"2.jpg", "10.jpg"}, {"a9b1", "a10b0"}, {"01.jpg", "1.jpg"}, {"a", "b"}, {"a", "a1"}} {
		if trace.CompareNames(c[0], c[1]) >= 0 || trace.CompareNames(c[1], c[0]) <= 0 || trace.CompareNames(c[0], c[0]) != 0 {
			t.Errorf("%v", c)
		}
	}
}

// decimate keeps every k-th fix, without the speed and course unless doppler.
func decimate(tr survey.Trace, k int, doppler bool) survey.Trace {
	var out survey.Trace
	for i := 0; i < len(tr); i += k {
		f := tr[i]
		if !doppler {
			f.HasSpeed, f.HasHeading = false, false
		}
		out = append(out, f)
	}
	return out
}

// rebuilt gives the mean and the 95th percentile of the distance between the drive's fixes and a curve through every
// k-th of them; linear joins them by straight lines instead.
func rebuilt(tr survey.Trace, k int, doppler, linear bool) (mean, p95 float64) {
	c := trace.NewCurve(decimate(tr, k, doppler), 0)
	var ds []float64
	for i, f := range tr {
		if i%k == 0 || i/k*k+k >= len(tr) {
			continue
		}
		g, ok := c.At(f.Time)
		if linear {
			a, b := tr[i/k*k], tr[i/k*k+k]
			g.Point, ok = geo.Interpolate(a.Point, b.Point, f.Time.Sub(a.Time).Seconds()/b.Time.Sub(a.Time).Seconds()), true
		}
		if !ok {
			continue
		}
		d := float64(geo.Distance(f.Point, g.Point))
		ds = append(ds, d)
		mean += d
	}
	n := len(ds)
	if n == 0 {
		return math.NaN(), math.NaN()
	}
	slices.Sort(ds)
	return mean / float64(n), ds[n*95/100]
}

func drive(t testing.TB) survey.Trace {
	tr, _, err := trace.ReadNMEA(bytes.NewReader(load(t, "nmea", mtv)))
	if err != nil {
		t.Fatal(err)
	}
	tr, _ = trace.Clean(tr, trace.Gate{})
	return tr
}

func TestTheCurveBeatsStraightLinesOnARealDrive(t *testing.T) {
	tr := drive(t)
	for _, k := range []int{2, 5, 10} {
		line, line95 := rebuilt(tr, k, false, true)
		plain, plain95 := rebuilt(tr, k, false, false)
		doppler, doppler95 := rebuilt(tr, k, true, false)
		t.Logf("one fix in %2d s: straight lines %.2f m (p95 %.2f), curve %.2f m (p95 %.2f), curve with speed and course %.2f m (p95 %.2f)", k, line, line95, plain, plain95, doppler, doppler95)
		if plain >= line || doppler >= plain {
			t.Errorf("one fix in %d s: %.3f, %.3f, %.3f m", k, line, plain, doppler)
		}
	}
}

func FuzzReadGPX(f *testing.F) {
	f.Add([]byte(`<gpx><trk><trkseg><trkpt lat="1" lon="2"><ele>3</ele><time>2024-01-01T00:00:00Z</time></trkpt></trkseg></trk></gpx>`))
	seeds(f, "gpx", "*.gpx")
	f.Fuzz(func(t *testing.T, b []byte) {
		tr, st, err := trace.ReadGPX(bytes.NewReader(b))
		check(t, tr, st, err)
	})
}

func FuzzReadNMEA(f *testing.F) {
	f.Add([]byte("$GPRMC,032908.379,A,4231.8291,N,08807.3033,W,0.17,138.92,070804,,*12\r\n"))
	seeds(f, "nmea", "*.nmea")
	f.Fuzz(func(t *testing.T, b []byte) {
		tr, st, err := trace.ReadNMEA(bytes.NewReader(b))
		check(t, tr, st, err)
	})
}

func seeds(f *testing.F, dir, glob string) {
	names, _ := filepath.Glob(filepath.Join("../../../shared/data/gps", dir, glob))
	for _, n := range names {
		if b, err := os.ReadFile(n); err == nil {
			f.Add(b[:min(len(b), 4096)])
		}
	}
}

func check(t *testing.T, tr survey.Trace, st trace.Stats, err error) {
	if err != nil {
		if k := survey.KindOf(err); k != survey.Invalid && k != survey.Unsupported {
			t.Fatalf("kind %v: %v", k, err)
		}
		return
	}
	if st.Fixes != len(tr) {
		t.Fatalf("%d fixes, %+v", len(tr), st)
	}
	for i, f := range tr {
		if !f.Point.Valid() || f.Time.IsZero() || i > 0 && !tr[i-1].Time.Before(f.Time) || f.HasHeading && !(f.Heading >= 0 && f.Heading < 360) {
			t.Fatalf("fix %d: %+v", i, f)
		}
	}
	kept, d := trace.Clean(tr, trace.Gate{})
	if len(kept)+d.Total() != len(tr) {
		t.Fatalf("%d in, %d kept, %+v", len(tr), len(kept), d)
	}
	c := trace.NewCurve(kept, 0)
	for i := 1; i < min(len(kept), 50); i++ {
		if g, ok := c.At(kept[i-1].Time.Add(kept[i].Time.Sub(kept[i-1].Time) / 3)); ok && !g.Point.Valid() {
			t.Fatalf("between fixes %d and %d: %+v", i-1, i, g)
		}
	}
}

func BenchmarkReadNMEA(b *testing.B) {
	body := load(b, "nmea", mtv)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, _, err := trace.ReadNMEA(bytes.NewReader(body)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadGPX(b *testing.B) {
	body := load(b, "gpx", "sf_30km_h.gpx")
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, _, err := trace.ReadGPX(bytes.NewReader(body)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRebuild reports the position error of a drive rebuilt from a fix every ten seconds.
func BenchmarkRebuild(b *testing.B) {
	tr := drive(b)
	var mean, p95 float64
	for b.Loop() {
		mean, p95 = rebuilt(tr, 10, true, false)
	}
	b.ReportMetric(mean, "m-mean")
	b.ReportMetric(p95, "m-p95")
}
