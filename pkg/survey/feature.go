package survey

import (
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
)

// FeatureID identifies a map feature by its drive and by the frames that agree on it; see NewFeatureID.
type FeatureID string

// FeatureKind says more of a feature than its class does; empty when the detector does not.
type FeatureKind string

const (
	KindRedRing     FeatureKind = "red_ring"     // round with a red rim: prohibitions, speed limits
	KindRedTriangle FeatureKind = "red_triangle" // triangle with a red rim: warnings, give way
	KindRedFull     FeatureKind = "red_full"     // filled red: stop, no entry
	KindBlue        FeatureKind = "blue"         // filled blue: orders, parking, information
	KindYellow      FeatureKind = "yellow"       // filled yellow: priority, warnings
)

// Sighting is a sign or text seen in one published frame, in pixels of the published image from the top left. It never
// touches a redacted region.
type Sighting struct {
	Frame      FrameID     `json:"frame"`
	Class      Class       `json:"class"` // ClassSign or ClassText
	Kind       FeatureKind `json:"kind,omitempty"`
	X          int         `json:"x"`
	Y          int         `json:"y"`
	W          int         `json:"w"`
	H          int         `json:"h"`
	Confidence PPM         `json:"confidence"`
	Model      string      `json:"model"`
}

// MinFeatureFrames is how many frames of a drive must agree before a feature is placed.
const MinFeatureFrames = 3

// MapFeature is a thing beside the road, placed from at least MinFeatureFrames frames of one drive.
type MapFeature struct {
	ID         FeatureID   `json:"id"`
	Drive      DriveID     `json:"drive"`
	Class      Class       `json:"class"`
	Kind       FeatureKind `json:"kind,omitempty"`
	Point      geo.Point   `json:"point"`
	Cell       Cell        `json:"cell"`
	Sigma      geo.Meters  `json:"sigma"`  // one standard deviation along the worst direction
	Frames     int         `json:"frames"` // that agree
	FirstSeen  time.Time   `json:"first_seen"`
	LastSeen   time.Time   `json:"last_seen"`
	Confidence PPM         `json:"confidence"` // of the best sighting
}

// NewFeatureID identifies what the named frames of a drive agree on; boxes are the places in those frames, so that two
// features seen by the same frames differ. Order counts; give it in the drive's order.
func NewFeatureID(d DriveID, c Class, frames []Sighting) FeatureID {
	parts := []string{string(d), string(c)}
	for _, s := range frames {
		parts = append(parts, string(s.Frame), itoa(int64(s.X)), itoa(int64(s.Y)), itoa(int64(s.W)), itoa(int64(s.H)))
	}
	return FeatureID(identity("feature", parts...))
}
