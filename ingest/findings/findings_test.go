package findings_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/ingest/findings"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

func ExampleApart() {
	lund, malmo := geo.Point{Lat: 55.7047, Lon: 13.1910}, geo.Point{Lat: 55.6050, Lon: 13.0038}
	at := time.Date(2024, 5, 10, 2, 0, 0, 0, time.UTC)
	f, ok := findings.Apart("d2", findings.Moment{Time: at, Point: lund}, findings.Moment{Time: at.Add(30 * time.Second), Point: malmo})
	fmt.Println(f.Kind, f.Evidence["distance_km"], ok)
	// Output: two_places 16.1 true
}

// drive is n frames of uneven motion.
func drive(seed uint64, n int, from geo.Point, start time.Time) []survey.Frame {
	r := rand.New(rand.NewPCG(seed, 1))
	var out []survey.Frame
	p, at, b := from, start, 90.0
	for range n {
		out = append(out, survey.Frame{Point: p, CapturedAt: at})
		b += r.Float64()*20 - 10
		p = geo.Destination(p, geo.NormalizeBearing(b), geo.Meters(6+4*r.Float64()))
		at = at.Add(time.Duration(600+r.IntN(900)) * time.Millisecond)
	}
	return out
}

var start = time.Date(2024, 5, 10, 2, 0, 0, 0, time.UTC)

func shared(a, b []int64) (n int) {
	for _, x := range a {
		if slices.Contains(b, x) {
			n++
		}
	}
	return n
}

func TestMotionMovedInPlaceAndTimeIsKnownAgain(t *testing.T) {
	p := geo.Point{Lat: 48, Lon: 11}
	a := drive(1, 120, p, start)
	b := drive(1, 120, p, start.AddDate(0, 2, 3))
	for i := range b { // the same latitude: moved elsewhere to the east
		b[i].Point.Lon += 3
	}
	pa, pb := findings.Motion(a), findings.Motion(b)
	if len(pa) != 64 || shared(pa, pb) < 48 {
		t.Fatalf("%d of %d prints shared", shared(pa, pb), len(pa))
	}
	if f, ok := findings.Moved("a", shared(pa, pb), len(pb)); !ok || f.Score < 700_000 {
		t.Errorf("%+v", f)
	}
	if s := shared(pa, findings.Motion(drive(2, 120, p, start))); s != 0 {
		t.Errorf("another drive shares %d prints", s)
	}
	half := findings.Motion(a[30:90])
	if _, ok := findings.Moved("a", shared(pa, half), len(half)); !ok {
		t.Errorf("half of it shares %d of %d", shared(pa, half), len(half))
	}
}

func TestEvenMotionGivesNoPrints(t *testing.T) {
	var fs []survey.Frame
	for i := range 100 {
		fs = append(fs, survey.Frame{Point: geo.Destination(geo.Point{Lat: 48, Lon: 11}, 0, geo.Meters(8*i)), CapturedAt: start.Add(time.Duration(i) * time.Second)})
	}
	if p := findings.Motion(fs); len(p) != 0 {
		t.Fatalf("%d prints", len(p))
	}
	if len(findings.Motion(nil)) != 0 || len(findings.Motion(fs[:1])) != 0 {
		t.Fatal("prints of nothing")
	}
}

func TestASilentAccelerometerAtSpeed(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var speed []geo.SpeedMPS
	var still, shaken [][3]float64
	for range 60 {
		speed = append(speed, 11)
		still = append(still, [3]float64{0.001 * r.NormFloat64(), 0, 1})
		shaken = append(shaken, [3]float64{0.08 * r.NormFloat64(), 0.05 * r.NormFloat64(), 1 + 0.1*r.NormFloat64()})
	}
	if f, ok := findings.Silent(speed, still); !ok || f.Score < 800_000 {
		t.Errorf("%+v", f)
	}
	if f, ok := findings.Silent(speed, shaken); ok {
		t.Errorf("%+v", f)
	}
	if _, ok := findings.Silent(make([]geo.SpeedMPS, 60), still); ok {
		t.Error("standing still is no finding")
	}
	if _, ok := findings.Silent(speed[:10], still); ok {
		t.Error("too few readings")
	}
}

func TestThresholds(t *testing.T) {
	if _, ok := findings.Repeated("x", 4, 4); ok {
		t.Error("four positions")
	}
	if f, ok := findings.Repeated("x", 50, 100); !ok || f.Score != 500_000 || f.Subject != "x" {
		t.Errorf("%+v", f)
	}
	if _, ok := findings.Clock(500*time.Millisecond, 0); ok {
		t.Error("half a second")
	}
	if f, ok := findings.Clock(2*time.Hour, 6*time.Second); !ok || f.Score != 100_000 {
		t.Errorf("%+v", f)
	}
	if _, ok := findings.Positions(0, 10, 0); ok {
		t.Error("no disagreement")
	}
	if f, _ := findings.Positions(1, 10, 66000); f.Score != 100_000 || f.Evidence["worst_m"] != 66000.0 {
		t.Errorf("%+v", f)
	}
	m := findings.Moment{Time: start, Point: geo.Point{Lat: 48, Lon: 11}}
	if _, ok := findings.Apart("x", m, findings.Moment{Time: start, Point: geo.Destination(m.Point, 0, 5000)}); ok {
		t.Error("five kilometres within a minute to spare")
	}
}

func TestRoundedPositionsAreKnown(t *testing.T) {
	fine := drive(3, 40, geo.Point{Lat: 48.1234567, Lon: 11.7654321}, start)
	if findings.Rounded(fine) || findings.Rounded(nil) {
		t.Error("a fine drive counts as rounded")
	}
	for _, g := range []float64{0.5 / 3600, 1e-5, 0.001 / 60} {
		c := slices.Clone(fine)
		for i := range c {
			p := geo.Point{Lat: math.Round(c[i].Point.Lat/g) * g, Lon: math.Round(c[i].Point.Lon/g) * g}
			c[i].Point = geo.FromE7(p.E7())
		}
		if !findings.Rounded(c) {
			t.Errorf("a grid of %v° is not seen", g)
		}
	}
}
