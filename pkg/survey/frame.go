package survey

import (
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
)

// FrameState is where a frame stands between upload and publication.
type FrameState string

const (
	FramePending     FrameState = "pending"     // accepted by ingest, waiting for vision
	FramePublished   FrameState = "published"   // redacted, in the public bucket
	FrameQuarantined FrameState = "quarantined" // privacy not assured; may be published later
	FrameRejected    FrameState = "rejected"    // for good, with a verdict
	FrameRemoved     FrameState = "removed"     // taken down; the row is the tombstone
)

// Flag marks something a reader should know of a frame or drive that is no ground for rejection.
type Flag string

const (
	FlagTimeAssumed     Flag = "time_assumed"      // no capture time in the source: spread along the track by an assumed speed
	FlagTimeOffset      Flag = "time_offset"       // the camera clock was corrected by an offset, given or inferred
	FlagTimeFromName    Flag = "time_from_name"    // the capture time was read from the file name
	FlagTimeZoneAssumed Flag = "time_zone_assumed" // the camera's clock names no zone; taken as UTC
	FlagPositionTrack   Flag = "position_track"    // the position comes from a track beside the images
	FlagPositionDiffers Flag = "position_differs"  // two position sources disagree
	FlagHeadingDerived  Flag = "heading_derived"   // the heading is the course between neighbours
	FlagUnsigned        Flag = "unsigned"          // the upload carried no device signature
)

// Frame is one accepted image of a drive, as the ledger of frames (state table frames) and drive manifests hold it.
type Frame struct {
	ID         FrameID        `json:"id"`
	Drive      DriveID        `json:"drive"`
	Seq        int            `json:"seq"`  // 0-based place in the drive
	Part       int            `json:"part"` // the batch of at most PartFrames frames that vision handles together
	Upload     UploadID       `json:"-"`    // never outside: names a contributor's upload
	Path       string         `json:"-"`    // the driver's own file name; may hold a name or place
	SHA256     Hash           `json:"sha256"`
	Bytes      int64          `json:"bytes"`
	CapturedAt time.Time      `json:"captured_at"` // UTC, microseconds
	Point      geo.Point      `json:"point"`
	Alt        geo.Meters     `json:"alt,omitempty"`
	HasAlt     bool           `json:"has_alt,omitempty"`
	Heading    geo.BearingDeg `json:"heading"` // of the camera's axis; meaningless unless HasHeading
	HasHeading bool           `json:"has_heading"`
	Speed      geo.SpeedMPS   `json:"speed,omitempty"`
	Accuracy   geo.Meters     `json:"accuracy"` // horizontal, estimated; 0 when unknown
	Cell       Cell           `json:"cell"`     // pinned H3 cell at the configured resolution
	Width      int            `json:"width"`    // pixels as declared by the file, before orientation
	Height     int            `json:"height"`
	Flags      []Flag         `json:"flags,omitempty"`

	State       FrameState `json:"-"`
	Reason      Reason     `json:"-"` // why rejected, quarantined or removed
	Quality     Quality    `json:"-"`
	PublicKey   string     `json:"-"` // object in the public bucket; empty until published
	PublicHash  Hash       `json:"-"`
	PublicBytes int64      `json:"-"`
}

// PartFrames is the most frames in one vision job.
const PartFrames = 100

// Quality is a frame's fitness for mapping with the parts that made it, each in PPM (One is best).
type Quality struct {
	Score      PPM    `json:"score"`
	Grade      string `json:"grade"` // A to E
	Sharpness  PPM    `json:"sharpness"`
	Exposure   PPM    `json:"exposure"`
	Resolution PPM    `json:"resolution"`
	Position   PPM    `json:"position"`
	Clear      PPM    `json:"clear"`          // free of obstruction
	Held       PPM    `json:"held,omitempty"` // share of the picture that dirt on the lens hides, found over the frames of the drive
	Night      bool   `json:"night,omitempty"`
	Version    string `json:"version"` // of the thresholds
}

// Drive is one continuous recording.
type Drive struct {
	ID          DriveID       `json:"id"`
	Contributor ContributorID `json:"contributor"`
	Device      DeviceID      `json:"device"`
	Upload      UploadID      `json:"-"`
	StartedAt   time.Time     `json:"started_at"` // capture time of the first frame
	EndedAt     time.Time     `json:"ended_at"`   // capture time of the last frame
	ReceivedAt  time.Time     `json:"received_at"`
	Frames      int           `json:"frames"`
	Parts       int           `json:"parts"`
	DistanceMM  int64         `json:"distance_mm"` // along the accepted frames
	Flags       []Flag        `json:"flags,omitempty"`
}

// Observation is a published frame as coverage and rewards see it.
type Observation struct {
	Frame       FrameID
	Drive       DriveID
	Contributor ContributorID
	Cell        Cell
	CapturedAt  time.Time // the map's clock
	ReceivedAt  time.Time // the rewards' clock
	HeadingDeg  int       // 0–359 clockwise from true north, -1 unknown
	Quality     PPM
}

// Class is what a detector looks for.
type Class string

const (
	ClassFace    Class = "face"
	ClassPlate   Class = "plate"
	ClassText    Class = "text" // a text region of plate size, redacted when no plate model is installed
	ClassPerson  Class = "person"
	ClassVehicle Class = "vehicle"
	ClassSign    Class = "sign"
)

// Box is a detection in pixels of the upright image, origin top left.
type Box struct {
	Class      Class   `json:"class"`
	X          float64 `json:"x"`
	Y          float64 `json:"y"`
	W          float64 `json:"w"`
	H          float64 `json:"h"`
	Confidence float64 `json:"confidence"` // [0, 1]
	Model      string  `json:"model,omitempty"`
	Carried    bool    `json:"carried,omitempty"` // projected from a neighbouring frame
}

// ModelRef names exactly which weights looked at a frame.
type ModelRef struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	SHA256  Hash   `json:"sha256"`
}

// Redaction is the record without which no pixel leaves the private bucket.
type Redaction struct {
	Models  []ModelRef `json:"models"` // never empty
	Boxes   []Box      `json:"boxes"`  // made unreadable, margins not included
	Method  string     `json:"method"`
	Margin  float64    `json:"margin"` // share of the box added on each side
	Width   int        `json:"width"`  // of the published image
	Height  int        `json:"height"`
	Encoder string     `json:"encoder"` // for example "jpeg q=85 4:2:0"
}

// Validate reports a redaction that must not publish anything.
func (r Redaction) Validate() error {
	if len(r.Models) == 0 {
		return Errorf(Invalid, "redaction names no model")
	}
	for _, m := range r.Models {
		if m.Name == "" || m.SHA256.IsZero() {
			return Errorf(Invalid, "redaction names model %q without its SHA-256", m.Name)
		}
	}
	if r.Width <= 0 || r.Height <= 0 || r.Method == "" {
		return Errorf(Invalid, "redaction has no size or method")
	}
	return nil
}
