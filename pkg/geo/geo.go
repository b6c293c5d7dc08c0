// Package geo holds points on the WGS 84 globe and the few spherical formulas the network needs.
//
// Latitude and longitude are always named fields in degrees; the orders of GeoJSON (lon, lat) and H3 (lat, lng)
// appear only where a library is called. The package refuses projections and map geometry: those belong to tiles.
package geo

import (
	"fmt"
	"math"
)

// EarthRadius is the mean radius R1 of WGS 84 in metres, (2a+b)/3 (Moritz 2000). It is the one radius of the project;
// a spherical distance with it is within 0.56 % of the ellipsoidal one.
const EarthRadius Meters = 6371008.7714

// Meters is a length or distance.
type Meters float64

// SpeedMPS is a speed in metres a second.
type SpeedMPS float64

// BearingDeg is an angle in degrees clockwise from true north, [0, 360).
type BearingDeg float64

// Point is a position in WGS 84 degrees. The zero Point (0°, 0°) is null island, a place in the sea that broken
// receivers report: IsNull tells it apart, and ingest rejects it.
type Point struct {
	Lat float64 `json:"lat"` // [-90, 90], north positive
	Lon float64 `json:"lon"` // [-180, 180], east positive
}

// Valid reports whether both coordinates are finite and in range.
func (p Point) Valid() bool {
	return p.Lat >= -90 && p.Lat <= 90 && p.Lon >= -180 && p.Lon <= 180 // false for NaN
}

// IsNull reports whether p lies within 1e-4 degrees (about 11 m) of 0°, 0°.
func (p Point) IsNull() bool { return math.Abs(p.Lat) < 1e-4 && math.Abs(p.Lon) < 1e-4 }

// E7 returns the coordinates as integers of 1e-7 degrees (about 11 mm), rounded to nearest: the form that state,
// manifests and rewards keep, so that no float decides equality.
func (p Point) E7() (lat, lon int64) {
	return int64(math.Round(p.Lat * 1e7)), int64(math.Round(p.Lon * 1e7))
}

// FromE7 is the inverse of Point.E7.
func FromE7(lat, lon int64) Point { return Point{Lat: float64(lat) / 1e7, Lon: float64(lon) / 1e7} }

func (p Point) String() string { return fmt.Sprintf("%.7f,%.7f", p.Lat, p.Lon) }

// Distance is the great-circle distance between a and b (haversine).
func Distance(a, b Point) Meters {
	la, lb := rad(a.Lat), rad(b.Lat)
	s1, s2 := math.Sin((lb-la)/2), math.Sin(rad(b.Lon-a.Lon)/2)
	h := s1*s1 + math.Cos(la)*math.Cos(lb)*s2*s2
	return 2 * EarthRadius * Meters(math.Asin(math.Min(1, math.Sqrt(h))))
}

// Bearing is the initial great-circle bearing from a to b; 0 when they coincide.
func Bearing(a, b Point) BearingDeg {
	la, lb, d := rad(a.Lat), rad(b.Lat), rad(b.Lon-a.Lon)
	y := math.Sin(d) * math.Cos(lb)
	x := math.Cos(la)*math.Sin(lb) - math.Sin(la)*math.Cos(lb)*math.Cos(d)
	if x == 0 && y == 0 {
		return 0
	}
	return NormalizeBearing(deg(math.Atan2(y, x)))
}

// NormalizeBearing maps any finite angle in degrees into [0, 360).
func NormalizeBearing(d float64) BearingDeg {
	d = math.Mod(d, 360)
	if d < 0 {
		d += 360
	}
	if d >= 360 { // -1e-17 + 360 rounds to 360
		d = 0
	}
	return BearingDeg(d)
}

// BearingDiff is the smaller angle between two bearings, [0, 180].
func BearingDiff(a, b BearingDeg) float64 {
	d := math.Abs(float64(a) - float64(b))
	if d > 180 {
		d = 360 - d
	}
	return d
}

// Destination is the point reached from p after dist along the great circle that starts at bearing b.
func Destination(p Point, b BearingDeg, dist Meters) Point {
	lat, br, d := rad(p.Lat), rad(float64(b)), float64(dist/EarthRadius)
	lat2 := math.Asin(math.Sin(lat)*math.Cos(d) + math.Cos(lat)*math.Sin(d)*math.Cos(br))
	lon2 := rad(p.Lon) + math.Atan2(math.Sin(br)*math.Sin(d)*math.Cos(lat), math.Cos(d)-math.Sin(lat)*math.Sin(lat2))
	return Point{Lat: deg(lat2), Lon: WrapLon(deg(lon2))}
}

// Interpolate is the point at fraction f (0 gives a, 1 gives b) of the way from a to b, linear in latitude and in the
// shorter difference of longitude. Good for steps of up to a few kilometres away from the poles.
func Interpolate(a, b Point, f float64) Point {
	return Point{Lat: a.Lat + (b.Lat-a.Lat)*f, Lon: WrapLon(a.Lon + WrapLon(b.Lon-a.Lon)*f)}
}

// WrapLon maps a longitude into [-180, 180).
func WrapLon(lon float64) float64 {
	if lon >= -180 && lon < 180 {
		return lon
	}
	l := math.Mod(lon+180, 360)
	if l < 0 {
		l += 360
	}
	return l - 180
}

// Bounds is a latitude/longitude box; West > East means that it crosses the antimeridian.
type Bounds struct{ South, West, North, East float64 }

// Contains reports whether p lies in b, edges included.
func (b Bounds) Contains(p Point) bool {
	if p.Lat < b.South || p.Lat > b.North {
		return false
	}
	if b.West <= b.East {
		return p.Lon >= b.West && p.Lon <= b.East
	}
	return p.Lon >= b.West || p.Lon <= b.East
}

func rad(d float64) float64 { return d * math.Pi / 180 }
func deg(r float64) float64 { return r * 180 / math.Pi }
