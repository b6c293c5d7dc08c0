package findings_test

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

	"github.com/roadcomb/roadcomb/ingest/findings"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

// moved compares a drive with what another one kept.
func moved(kept []int64, d findings.Trace) (findings.Finding, bool) {
	return d.Moved("other", kept)
}

// by is p moved by metres, to 1e-7 degrees.
func by(p geo.Point, east, north float64) geo.Point {
	return geo.FromE7(geo.Destination(p, geo.NormalizeBearing(math.Atan2(east, north)*180/math.Pi), geo.Meters(math.Hypot(east, north))).E7())
}

// copied is a drive moved by metres and 26 hours.
func copied(d []survey.Frame, east, north float64) []survey.Frame {
	d = slices.Clone(d)
	for i := range d {
		d[i].Point, d[i].CapturedAt = by(d[i].Point, east, north), d[i].CapturedAt.Add(26*time.Hour)
	}
	return d
}

// streets is n frames, some metres apart, along straight streets with corners. The receiver's error wanders, and the
// speed is uneven.
func streets(r *rand.Rand, n int, from geo.Point, apart float64) (out []survey.Frame) {
	const keep = 0.95
	noise, v, at, b := 1+2*r.Float64(), 8+4*r.Float64(), start, r.Float64()*2*math.Pi
	x, y, ex, ny := 0.0, 0.0, r.NormFloat64()*noise, r.NormFloat64()*noise
	for i := range n {
		if i%25 == 24 {
			b += math.Pi / 2 * float64(r.IntN(3)-1)
		}
		x, y = x+apart*math.Sin(b), y+apart*math.Cos(b)
		v = min(max(v+r.NormFloat64()*0.6, 4), 15)
		at = at.Add(time.Duration(apart / v * float64(time.Second))).Truncate(time.Millisecond)
		fresh := noise * math.Sqrt(1-keep*keep)
		ex, ny = ex*keep+r.NormFloat64()*fresh, ny*keep+r.NormFloat64()*fresh
		out = append(out, survey.Frame{Point: by(from, x+ex, y+ny), CapturedAt: at})
	}
	return out
}

func somewhere(r *rand.Rand) geo.Point {
	return geo.Point{Lat: -65 + 130*r.Float64(), Lon: -180 + 360*r.Float64()}
}

func TestMotionMovedInPlaceAndTimeIsKnownAgain(t *testing.T) {
	p := geo.Point{Lat: 48, Lon: 11}
	a := drive(1, 120, p, start)
	b := copied(a, 0, 0)
	for i := range b {
		b[i].Point.Lon += 3 // the same latitude, far to the east
		b[i].Point = geo.FromE7(b[i].Point.E7())
	}
	ta, tb := findings.Motion(a), findings.Motion(b)
	if len(ta.Prints) != 64 || !slices.IsSorted(ta.Prints) {
		t.Fatalf("%d prints", len(ta.Prints))
	}
	if f, ok := moved(ta.Prints, tb); !ok || f.Score < 800_000 {
		t.Errorf("%+v", f)
	}
	if f, ok := moved(ta.Prints, findings.Motion(drive(2, 120, p, start))); ok {
		t.Errorf("another drive: %+v", f)
	}
	if f, ok := moved(ta.Prints, findings.Motion(a[30:90])); !ok {
		t.Errorf("half of it: %+v", f)
	}
	if n := len(tb.Sought()); n > 1300 {
		t.Errorf("looks for %d prints", n)
	}
	// Prints are kept for years: those of a drive stay what they are.
	if first, last := ta.Prints[0], ta.Prints[63]; first != 26501960831999572 || last != 5311581734631660377 {
		t.Errorf("prints from %d to %d", first, last)
	}
}

// Positions as a network kept them, of short drives whose replays were not found when each value had one rounding.
func TestShortReplaysThatOnceWentUnnoticedAreFound(t *testing.T) {
	f, err := os.Open("testdata/replays.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ds := map[string][]survey.Frame{}
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if strings.HasPrefix(sc.Text(), "#") {
			continue
		}
		var seq int
		var ms, lat, lon int64
		id, rest, _ := strings.Cut(sc.Text(), "|")
		if _, err := fmt.Sscanf(rest, "%d|%d|%d|%d", &seq, &ms, &lat, &lon); err != nil || seq != len(ds[id]) {
			t.Fatalf("%q: %v", sc.Text(), err)
		}
		ds[id] = append(ds[id], survey.Frame{Point: geo.FromE7(lat, lon), CapturedAt: time.UnixMilli(ms)})
	}
	for _, first := range []string{"first", "second"} {
		a, b := findings.Motion(ds[first]), findings.Motion(ds[first+"-moved"])
		for _, pair := range [][2]findings.Trace{{a, b}, {b, a}} { // whichever is looked at later
			if f, ok := moved(pair[0].Prints, pair[1]); !ok || f.Score < 900_000 {
				t.Errorf("%s: %+v", first, f)
			}
		}
	}
	if f, ok := moved(findings.Motion(ds["first"]).Prints, findings.Motion(ds["second"])); ok {
		t.Errorf("two drives: %+v", f)
	}
}

func TestCopiesAreFoundWhereverTheyAreMoved(t *testing.T) {
	for _, c := range []struct {
		frames, drives, most int // most may be missed
		within               float64
	}{{20, 2000, 4, 2000}, {20, 500, 5, 5000}, {60, 200, 0, 5000}, {1000, 8, 0, 5000}} {
		r := rand.New(rand.NewPCG(7, uint64(c.frames)))
		missed, score := 0, 0.0
		for range c.drives {
			a := streets(r, c.frames, somewhere(r), 4+16*r.Float64())
			far, to := c.within*r.Float64(), 2*math.Pi*r.Float64()
			ta := findings.Motion(a)
			if f, ok := moved(ta.Prints, ta); !ok || f.Score != survey.One {
				t.Fatalf("an exact copy: %+v", f)
			}
			f, ok := moved(ta.Prints, findings.Motion(copied(a, far*math.Sin(to), far*math.Cos(to))))
			if !ok {
				missed++
			}
			score += float64(f.Score) / float64(survey.One) / float64(c.drives)
		}
		t.Logf("%d frames, up to %v m: %d of %d missed, score %.3f on average", c.frames, c.within, missed, c.drives, score)
		if missed > c.most || score < 0.95 {
			t.Errorf("%d frames, up to %v m: %d of %d copies are missed, score %.3f", c.frames, c.within, missed, c.drives, score)
		}
	}
}

// A cheat need not send all of an old drive, nor nothing else.
func TestAPieceOfADriveIsFoundWhicheverCameFirst(t *testing.T) {
	for _, c := range []struct{ frames, piece, drives, most int }{{1000, 500, 10, 0}, {1000, 200, 40, 1}, {1000, 100, 40, 20}, {300, 40, 100, 35}, {60, 20, 100, 1}} {
		r := rand.New(rand.NewPCG(11, uint64(c.piece)))
		missed := [2]int{}
		for range c.drives {
			whole := streets(r, c.frames, somewhere(r), 4+16*r.Float64())
			from := r.IntN(c.frames - c.piece)
			a, b := findings.Motion(whole), findings.Motion(copied(whole[from:from+c.piece], 800, -300))
			for k, pair := range [2][2]findings.Trace{{a, b}, {b, a}} { // the piece is looked at later, then the whole
				if f, ok := moved(pair[0].Prints, pair[1]); !ok {
					missed[k]++
				} else if f.Score < 250_000 {
					t.Errorf("%+v: score %d", c, f.Score)
				}
			}
		}
		t.Logf("%d frames of %d: of %d pieces, %d are missed, and %d wholes", c.piece, c.frames, c.drives, missed[0], missed[1])
		if max(missed[0], missed[1]) > c.most {
			t.Errorf("%d frames of %d: of %d pieces, %d are missed, and %d wholes", c.piece, c.frames, c.drives, missed[0], missed[1])
		}
	}
}

// against compares each drive with all others, and gives how many pairs are found and how many share a print at all.
func against(ds [][]survey.Frame) (found, touch int) {
	kept := map[int64][]int{}
	var ts []findings.Trace
	for i, d := range ds {
		ts = append(ts, findings.Motion(d))
		for _, p := range ts[i].Prints {
			kept[p] = append(kept[p], i)
		}
	}
	for i, d := range ts {
		of := map[int]bool{}
		for _, p := range d.Sought() {
			for _, o := range kept[p] {
				if o != i {
					of[o] = true
				}
			}
		}
		for o := range of {
			touch++
			if _, ok := d.Moved("other", ts[o].Prints); ok {
				found++
			}
		}
	}
	return found, touch
}

// straight is a car on a straight road at a held speed (m/s), a fix each second, spread by metres along and off the road.
func straight(r *rand.Rand, n int, speed, along, off float64) (out []survey.Frame) {
	x := r.Float64() * 100
	for i := range n {
		out = append(out, survey.Frame{Point: by(geo.Point{Lat: 48, Lon: 11}, x+speed*float64(i)+along*r.NormFloat64(), off*r.NormFloat64()), CapturedAt: start.Add(time.Duration(i) * time.Second)})
	}
	return out
}

func TestHonestDrivesAreNotTakenForEachOther(t *testing.T) {
	// Cars on one straight road at a held speed, a fix each second: few windows, and much alike.
	touched := 0
	for _, c := range []struct {
		frames            int
		speed, along, off float64 // m/s; spread of the fixes in metres
	}{{20, 8, 0.1, 0.02}, {20, 25, 0.15, 0.02}, {60, 25, 0.15, 0.02}, {60, 25, 0.15, 0.1}, {300, 25, 0.2, 0.02}, {300, 25, 0.3, 0.1}} {
		r := rand.New(rand.NewPCG(3, uint64(c.frames)))
		var ds [][]survey.Frame
		for range 300 {
			ds = append(ds, straight(r, c.frames, c.speed, c.along, c.off))
		}
		found, touch := against(ds)
		if touched += touch; found > 0 {
			t.Errorf("%+v: %d pairs", c, found)
		}
	}
	if touched == 0 {
		t.Error("no two drives share a print: the test asks nothing")
	}
	for _, off := range []float64{0.02, 0.1} { // long and short ones among each other
		r := rand.New(rand.NewPCG(3, 3))
		var ds [][]survey.Frame
		for k := range 300 {
			ds = append(ds, straight(r, []int{20, 60, 300, 1000}[k%4], 25, 0.2, off))
		}
		if found, _ := against(ds); found > 0 {
			t.Errorf("long and short, %v m off: %d pairs", off, found)
		}
	}
	// Cars on the same streets, each with its own errors and traffic, for long and for short.
	for _, n := range [][]int{{60}, {20, 60, 300, 1000}} {
		var ds [][]survey.Frame
		r := rand.New(rand.NewPCG(4, 4))
		for i := range 300 {
			ds = append(ds, streets(r, n[i%len(n)], geo.Point{Lat: 48, Lon: 11}, 8))
		}
		if found, _ := against(ds); found > 0 {
			t.Errorf("streets: %d pairs", found)
		}
	}
}

func TestRealDrivesAreNotTakenForEachOther(t *testing.T) {
	b, err := os.ReadFile(testkit.Shared(t, "data", "gps", "fleet", "oberfranken_fcd_points.csv"))
	if err != nil {
		t.Fatal(err)
	}
	cars := map[string][]survey.Frame{}
	for l := range strings.Lines(string(b)) {
		f := strings.SplitN(l, ",", 3)
		at, err := time.Parse("2006-01-02 15:04:05-07:00", f[1])
		if err != nil {
			continue // the heading
		}
		var p geo.Point
		if _, err := fmt.Sscanf(f[2], "POINT (%g %g)", &p.Lon, &p.Lat); err != nil {
			t.Fatal(err)
		}
		cars[f[0]] = append(cars[f[0]], survey.Frame{Point: p, CapturedAt: at})
	}
	var ds [][]survey.Frame
	for _, d := range cars {
		ds = append(ds, d)
	}
	if found, _ := against(ds); found > 0 || len(ds) < 200 {
		t.Errorf("%d pairs of %d drives", found, len(ds))
	}
	for _, d := range ds { // and each is known again
		a := findings.Motion(d)
		if len(a.Prints) < 4 {
			continue
		}
		if f, ok := moved(a.Prints, findings.Motion(copied(d, 600, 300))); !ok {
			t.Errorf("a copy of %d frames: %+v", len(d), f)
		}
	}
}

func TestEvenMotionGivesNoPrints(t *testing.T) {
	var fs []survey.Frame
	for i := range 100 {
		fs = append(fs, survey.Frame{Point: geo.Destination(geo.Point{Lat: 48, Lon: 11}, 0, geo.Meters(8*i)), CapturedAt: start.Add(time.Duration(i) * time.Second)})
	}
	for _, d := range [][]survey.Frame{fs, nil, fs[:1]} {
		if m := findings.Motion(d); len(m.Prints)+len(m.Sought()) != 0 {
			t.Errorf("%d prints of %d frames", len(m.Prints), len(d))
		}
	}
}

func BenchmarkMotion(b *testing.B) {
	for _, n := range []int{20, 60, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			d := streets(rand.New(rand.NewPCG(1, 1)), n, geo.Point{Lat: 48, Lon: 11}, 8)
			for b.Loop() {
				findings.Motion(d)
			}
		})
	}
}
