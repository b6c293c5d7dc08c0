package geo_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"pgregory.net/rapid"
)

func ExampleDistance() {
	lund, malmo := geo.Point{Lat: 55.7047, Lon: 13.1910}, geo.Point{Lat: 55.6050, Lon: 13.0038}
	fmt.Printf("%.1f km at %.0f°\n", geo.Distance(lund, malmo)/1000, geo.Bearing(lund, malmo))
	// Output: 16.1 km at 227°
}

func point(t *rapid.T) geo.Point {
	return geo.Point{Lat: rapid.Float64Range(-89, 89).Draw(t, "lat"), Lon: rapid.Float64Range(-180, 179.999).Draw(t, "lon")}
}

func TestDestinationInvertsDistanceAndBearing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := point(t)
		d := geo.Meters(rapid.Float64Range(1, 5000).Draw(t, "dist"))
		b := geo.BearingDeg(rapid.Float64Range(0, 359.99).Draw(t, "bearing"))
		q := geo.Destination(p, b, d)
		if got := geo.Distance(p, q); math.Abs(float64(got-d)) > 1e-3 {
			t.Fatalf("distance %v, want %v", got, d)
		}
		if got := geo.BearingDiff(geo.Bearing(p, q), b); got > 0.01 {
			t.Fatalf("bearing off by %v°", got)
		}
	})
}

func TestE7RoundTripsWithinOneCentimetre(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := point(t)
		if d := geo.Distance(p, geo.FromE7(p.E7())); d > 0.01 {
			t.Fatalf("moved %v m", d)
		}
	})
}

func TestBearingsStayInRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := geo.NormalizeBearing(rapid.Float64Range(-1e6, 1e6).Draw(t, "b"))
		if b < 0 || b >= 360 {
			t.Fatalf("%v", b)
		}
	})
	if b := geo.NormalizeBearing(-1e-17); b != 0 {
		t.Fatalf("tiny negative angle gives %v", b)
	}
}

func TestInterpolationCrossesTheAntimeridianTheShortWay(t *testing.T) {
	m := geo.Interpolate(geo.Point{Lat: 0, Lon: 179.9}, geo.Point{Lat: 0, Lon: -179.9}, 0.5)
	if math.Abs(math.Abs(m.Lon)-180) > 1e-9 {
		t.Fatalf("midpoint at %v", m)
	}
}

func TestBoundsAcrossTheAntimeridian(t *testing.T) {
	b := geo.Bounds{South: -1, North: 1, West: 170, East: -170}
	for _, c := range []struct {
		lon  float64
		want bool
	}{{175, true}, {-175, true}, {0, false}, {170, true}, {-170, true}} {
		if got := b.Contains(geo.Point{Lon: c.lon}); got != c.want {
			t.Errorf("lon %v: %v, want %v", c.lon, got, c.want)
		}
	}
}

func TestNaNIsNotValid(t *testing.T) {
	for _, p := range []geo.Point{{Lat: math.NaN()}, {Lon: math.NaN()}, {Lat: 91}, {Lon: 181}, {Lat: math.Inf(1)}} {
		if p.Valid() {
			t.Errorf("%v passed", p)
		}
	}
}
