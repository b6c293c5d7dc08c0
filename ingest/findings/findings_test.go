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
	"github.com/roadcomb/roadcomb/pkg/testkit"
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

func TestASilentAccelerometerAtSpeed(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var still, shaken, knocked []findings.Felt
	for i := range 60 {
		still = append(still, findings.Felt{Speed: 11, N: 1, Acc: [3]float64{0.001 * r.NormFloat64(), 0, 1}})
		shaken = append(shaken, findings.Felt{Speed: 11, N: 1, Acc: [3]float64{0.08 * r.NormFloat64(), 0.05 * r.NormFloat64(), 1 + 0.1*r.NormFloat64()}})
		k := findings.Felt{Speed: 11, N: 100, Acc: [3]float64{0, 0, 1}, Spread: 0.003}
		if i%10 == 0 { // somebody taps the table
			k.Acc, k.Spread = [3]float64{0.5, 0.5, 1}, 0.6
		}
		knocked = append(knocked, k)
	}
	if f, ok := findings.Silent(still); !ok || f.Score < 800_000 {
		t.Errorf("%+v", f)
	}
	if f, ok := findings.Silent(knocked); !ok || f.Score < 600_000 {
		t.Errorf("knocked: %+v", f)
	}
	if f, ok := findings.Silent(shaken); ok {
		t.Errorf("%+v", f)
	}
	if _, ok := findings.Shaken(knocked, 60, 60); ok {
		t.Error("a table that was tapped vouches for a drive")
	}
	if v, ok := findings.Shaken(shaken, 60, 80); !ok || v.Score != 750_000 {
		t.Errorf("%+v", v)
	}
	slow := slices.Clone(still)
	for i := range slow {
		slow[i].Speed = 0
	}
	if _, ok := findings.Silent(slow); ok {
		t.Error("standing still is no finding")
	}
	if _, ok := findings.Silent(still[:10]); ok {
		t.Error("too few readings")
	}
}

// felt is what the receiver of one ride and the accelerometer of another say, in steps of half a second. The receiver is
// late by some steps.
func felt(track, body testkit.Ride, acc [][3]float64, late int) []findings.Felt {
	const per = int(500 * time.Millisecond / testkit.RideStep)
	var out []findings.Felt
	for k := 0; k < len(track)/per && k < len(body)/per; k++ {
		at := track[max(0, k-late)*per+per/2]
		f := findings.Felt{Speed: at.Speed, Heading: at.Heading, HasHeading: true, N: per}
		for _, a := range acc[k*per : (k+1)*per] {
			for i := range a {
				f.Acc[i] += a[i] / 9.80665 / float64(per)
			}
		}
		f.Spread = 0.05
		out = append(out, f)
	}
	return out
}

func TestATrackPastedOntoAnotherDrivesFilmDiffersFromWhatWasFelt(t *testing.T) {
	const step = 500 * time.Millisecond
	from := geo.Point{Lat: 48, Lon: 11}
	for seed := range uint64(6) {
		r := testkit.NewRide(seed, from, 8*time.Minute)
		own := felt(r, r, r.Felt(seed+100), int(seed%3))
		if f, bad, asked := findings.Differs([][]findings.Felt{own}, step); bad || !asked {
			t.Errorf("seed %d: an honest drive: %+v, asked %v", seed, f, asked)
		}
		o := testkit.NewRide(seed+1000, from, 8*time.Minute)
		pasted := felt(r, o, o.Felt(seed+100), 0)
		if f, bad, _ := findings.Differs([][]findings.Felt{pasted}, step); !bad || f.Score != survey.One {
			t.Errorf("seed %d: another drive's track: %+v", seed, f)
		}
		// Too short to tell, and a camera in a hand, which swings by far more than the car does.
		if _, bad, asked := findings.Differs([][]findings.Felt{pasted[:200]}, step); bad || asked {
			t.Errorf("seed %d: a verdict on %v", seed, 200*step)
		}
		swung := felt(r, o, o.Felt(seed+100), 0)
		for i := range swung {
			swung[i].Acc[0] += 0.8 * math.Sin(float64(i)/7)
			swung[i].Acc[1] += 0.8 * math.Cos(float64(i)/7)
		}
		if _, bad, asked := findings.Differs([][]findings.Felt{swung}, step); bad || asked {
			t.Errorf("seed %d: a verdict on a camera that swings", seed)
		}
		// Half of the time is enough, less is not.
		if _, bad, _ := findings.Differs([][]findings.Felt{own, pasted[:len(pasted)/2]}, step); bad {
			t.Errorf("seed %d: a third of a drive condemns it", seed)
		}
	}
	if _, bad, asked := findings.Differs(nil, step); bad || asked {
		t.Error("a verdict on nothing")
	}
	flat := make([]findings.Felt, 600)
	for i := range flat {
		flat[i] = findings.Felt{Speed: geo.SpeedMPS(8 + 5*math.Sin(float64(i)/5)), N: 1}
	}
	if _, bad, _ := findings.Differs([][]findings.Felt{flat}, step); !bad {
		t.Error("an accelerometer without a reading explains a ride")
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
