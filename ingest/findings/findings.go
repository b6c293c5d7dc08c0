// Package findings looks at a drive for what an honest one would not show: sources that disagree, a clock that is off,
// positions seen before, a moving receiver that is not shaken, one device in two places.
//
// A finding is a score with its evidence, kept on the drive for people and for later scoring. It never rejects anything:
// each has innocent explanations, which are told beside it. The functions are pure; looking things up is the caller's.
package findings

import (
	"math"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Kind names what was found.
type Kind string

const (
	// PositionSources: EXIF, file name, sidecar or track put frames more than 50 m apart. Innocent: a broken sidecar.
	PositionSources Kind = "position_sources"
	// ClockOffset: the camera's clock was off and was corrected. Innocent: local time. It scores only its drift.
	ClockOffset Kind = "clock_offset"
	// RepeatedPositions: frames lie to the last digit where those of another upload lie. Innocent: a drawn track, a
	// receiver that rounds, footage without times taken from a map.
	RepeatedPositions Kind = "repeated_positions"
	// RepeatedMotion: the steps and turns of another drive, also when moved elsewhere in place or time. Innocent: none
	// known for recorded motion.
	RepeatedMotion Kind = "repeated_motion"
	// SilentMotion: the receiver moves fast while the accelerometer lies still. Innocent: a broken accelerometer.
	SilentMotion Kind = "silent_motion"
	// MotionDiffers: the track speeds up, brakes and turns, and the accelerometer felt none of it, though it moves like a
	// car's: the track is of another drive. Innocent: a camera that swings by itself.
	MotionDiffers Kind = "motion_differs"
	// TwoPlaces: the same device was elsewhere, too far to be reached. Innocent: two cameras of one model.
	TwoPlaces Kind = "two_places"
	// ClaimedAgain: somebody else sent the same files later. It concerns the later one; nothing is held against this.
	ClaimedAgain Kind = "claimed_again"
)

// Finding is what was found about one drive.
type Finding struct {
	Kind     Kind
	Subject  string         // the other drive, where there is one
	Score    survey.PPM     // 0 harmless, survey.One certain
	Evidence map[string]any // JSON scalars; no positions
}

// Positions reports frames whose sources disagree: of all frames of a drive, those that do, and by how much at most.
func Positions(disagree, all int, worst geo.Meters) (Finding, bool) {
	if disagree == 0 || all == 0 {
		return Finding{}, false
	}
	return Finding{Kind: PositionSources, Score: survey.PPMOf(float64(disagree) / float64(all)),
		Evidence: map[string]any{"frames": disagree, "of": all, "worst_m": math.Round(float64(worst))}}, true
}

// Clock reports a corrected clock: the median offset and the largest distance from it. The score is the drift as a share
// of a minute.
func Clock(offset, spread time.Duration) (Finding, bool) {
	if offset.Abs() <= time.Second && spread <= time.Second {
		return Finding{}, false
	}
	return Finding{Kind: ClockOffset, Score: survey.PPMOf(spread.Minutes()),
		Evidence: map[string]any{"offset_s": math.Round(offset.Seconds()*10) / 10, "spread_s": math.Round(spread.Seconds()*10) / 10}}, true
}

// Repeated reports frames at exactly the positions of another drive's: at least five, and a third of all. A path driven
// twice never gives the same 11 mm twice in a row, unless positions are rounded: ask Rounded first.
func Repeated(other survey.DriveID, same, all int) (Finding, bool) {
	if same < 5 || 3*same < all {
		return Finding{}, false
	}
	return Finding{Kind: RepeatedPositions, Subject: string(other), Score: survey.PPMOf(float64(same) / float64(all)),
		Evidence: map[string]any{"frames": same, "of": all}}, true
}

// grids are steps, in degrees, to which devices round: tenths, halves and whole seconds, thousandths of a minute, four and
// five decimals.
var grids = [...]float64{0.1 / 3600, 0.5 / 3600, 1.0 / 3600, 0.001 / 60, 1e-4, 1e-5}

// Rounded reports whether a drive's positions lie on a grid of a metre or more, where two honest drives meet by chance:
// nine in ten coordinates within 2e-7 degrees of it.
func Rounded(frames []survey.Frame) bool {
	for _, g := range grids {
		on := 0
		for _, f := range frames {
			for _, v := range []float64{f.Point.Lat, f.Point.Lon} {
				if math.Abs(v-math.Round(v/g)*g) <= 2e-7 {
					on++
				}
			}
		}
		if len(frames) > 0 && 10*on >= 9*2*len(frames) {
			return true
		}
	}
	return false
}

// Moment is a device at a place and time.
type Moment struct {
	Time  time.Time
	Point geo.Point
}

// Apart reports two moments of one device that are too far apart to be the same device at up to 70 m/s, with a kilometre
// and a minute to spare.
func Apart(other survey.DriveID, a, b Moment) (Finding, bool) {
	d := geo.Distance(a.Point, b.Point)
	dt := a.Time.Sub(b.Time).Abs()
	reach := geo.Meters(70*(dt.Seconds()+60)) + 1000
	if d <= reach {
		return Finding{}, false
	}
	return Finding{Kind: TwoPlaces, Subject: string(other), Score: survey.PPMOf(1 - float64(reach/d)),
		Evidence: map[string]any{"distance_km": math.Round(float64(d)/100) / 10, "seconds": math.Round(dt.Seconds())}}, true
}
