package survey

import (
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
)

// FixKind is what the receiver says of a fix.
type FixKind uint8

const (
	FixUnknown FixKind = iota // the source does not say
	FixNone                   // no fix: the position is stale or made up
	Fix2D
	Fix3D
)

// Fix is one GNSS reading. Values a source does not give are zero where zero is impossible (HDOP, Satellites,
// Accuracy) and guarded by a Has flag where zero is a real value.
type Fix struct {
	Time       time.Time // UTC
	Point      geo.Point
	Alt        geo.Meters // above the ellipsoid or the sea, as the source says
	Speed      geo.SpeedMPS
	Heading    geo.BearingDeg // course over ground
	Accuracy   geo.Meters     // horizontal, one sigma; 0 when not given
	HDOP       float64        // 0 when not given
	Satellites int            // 0 when not given
	Kind       FixKind
	HasAlt     bool
	HasSpeed   bool
	HasHeading bool
}

// Trace is the fixes of one receiver in time order, without two at the same time.
type Trace []Fix
