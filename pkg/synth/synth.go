// Package synth renders synthetic dashcam footage: road scenes as JPEG with EXIF, placed along a path. The demo drive,
// the fleet simulator and tests use it. It never claims to look like a real street to a detector.
package synth

import (
	"fmt"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
)

// Shot is one frame of a synthetic drive.
type Shot struct {
	Name    string // file name
	Time    time.Time
	Point   geo.Point
	Heading geo.BearingDeg
}

// Path places shots every step metres along the polyline at a constant speed from start, with their headings.
func Path(line []geo.Point, step geo.Meters, speed geo.SpeedMPS, start time.Time) []Shot {
	var out []Shot
	var done, next geo.Meters
	for i := 0; i+1 < len(line); i++ {
		a, b := line[i], line[i+1]
		d := geo.Distance(a, b)
		for ; d > 0 && next <= done+d; next += step {
			at := start.Add(time.Duration(float64(next) / float64(speed) * 1e9)).Truncate(time.Millisecond)
			out = append(out, Shot{Name: fmt.Sprintf("frame-%05d.jpg", len(out)), Time: at,
				Point: geo.Interpolate(a, b, float64((next-done)/d)), Heading: geo.Bearing(a, b)})
		}
		done += d
	}
	return out
}
