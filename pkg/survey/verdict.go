package survey

// Reason says why a file or frame was rejected. The list is closed: every rejection carries one of these, and a new one
// is added here with its sentence, never invented at a call site. Text form is the constant's value.
type Reason string

const (
	// The file.
	ReasonUnreadable   Reason = "unreadable"    // the file could not be read from disk or storage
	ReasonEmpty        Reason = "empty"         // zero bytes
	ReasonTooLarge     Reason = "too_large"     // bytes over the limit
	ReasonBadName      Reason = "bad_name"      // a path that cannot be kept (control characters, not UTF-8, escapes)
	ReasonUnknownType  Reason = "unknown_type"  // not an image, film or track that this version reads
	ReasonCorrupt      Reason = "corrupt"       // the type is known, the bytes are broken or cut short
	ReasonPixelBomb    Reason = "pixel_bomb"    // declares more pixels than the limit
	ReasonTooSmall     Reason = "too_small"     // fewer pixels than the limit
	ReasonDuplicate    Reason = "duplicate"     // the same bytes were accepted before
	ReasonTrackEmpty   Reason = "track_empty"   // a GPX, NMEA or film track without a usable fix
	ReasonTrackUnused  Reason = "track_unused"  // a readable track that belongs to no image of the upload
	ReasonHashMismatch Reason = "hash_mismatch" // the stored bytes are not the ones the manifest named

	// Where and when.
	ReasonNoPosition   Reason = "no_position"   // no GPS in the file, and no track covers it
	ReasonNullIsland   Reason = "null_island"   // 0°, 0°
	ReasonBadPosition  Reason = "bad_position"  // out of range or not a number
	ReasonNoTime       Reason = "no_time"       // no capture time and none could be derived
	ReasonBadTime      Reason = "bad_time"      // before 2000 or after the time of upload
	ReasonOutsideTrack Reason = "outside_track" // no fix of the track is near enough in time
	ReasonBadFix       Reason = "bad_fix"       // the receiver itself said that the fix is poor
	ReasonTooFast      Reason = "too_fast"      // the step needs an impossible speed
	ReasonZigZag       Reason = "zig_zag"       // positions jump to and fro
	ReasonStationary   Reason = "stationary"    // the vehicle stood still
	ReasonTooClose     Reason = "too_close"     // within the duplicate distance and angle of the last frame kept
	ReasonTrimmed      Reason = "trimmed"       // within the trimmed distance of the drive's start or end
	ReasonPrivacyZone  Reason = "privacy_zone"  // inside one of the contributor's privacy zones

	// The picture.
	ReasonUndecodable Reason = "undecodable" // OpenCV cannot decode the image
	ReasonUnusable    Reason = "unusable"    // quality below the threshold for use

	// Privacy could not be assured: the frame stays in the private bucket, unpublished.
	ReasonNoModel        Reason = "no_model"        // no detector is installed
	ReasonModelMismatch  Reason = "model_mismatch"  // a model file is not the one the manifest names
	ReasonDetectorFailed Reason = "detector_failed" // the detector gave an error or values that are no numbers
	ReasonDetectorLate   Reason = "detector_late"   // the detector did not answer in time
	ReasonPoisoned       Reason = "poisoned"        // the worker died on this image more than once
	ReasonRemoved        Reason = "removed"         // taken down after publication
)

// reasons orders the closed list and holds the sentence shown to a driver.
var reasons = []struct {
	Reason Reason
	Text   string
}{
	{ReasonUnreadable, "The file could not be read."},
	{ReasonEmpty, "The file is empty."},
	{ReasonTooLarge, "The file is larger than the limit."},
	{ReasonBadName, "The file's name cannot be kept."},
	{ReasonUnknownType, "The file is not an image, film or track that can be read."},
	{ReasonCorrupt, "The file is damaged or cut short."},
	{ReasonPixelBomb, "The image declares more pixels than the limit."},
	{ReasonTooSmall, "The image has too few pixels to map with."},
	{ReasonDuplicate, "The same file was accepted before; it counts once."},
	{ReasonTrackEmpty, "The track holds no usable position."},
	{ReasonTrackUnused, "The track belongs to no image of the upload."},
	{ReasonHashMismatch, "The stored file differs from what was announced; send it again."},
	{ReasonNoPosition, "The image has no GPS position and no track covers it."},
	{ReasonNullIsland, "The position is 0°, 0°, which receivers write before they know where they are."},
	{ReasonBadPosition, "The position is out of range."},
	{ReasonNoTime, "The image has no capture time."},
	{ReasonBadTime, "The capture time is impossible."},
	{ReasonOutsideTrack, "The image was taken outside the time that the track covers."},
	{ReasonBadFix, "The GPS fix was too poor to place the image."},
	{ReasonTooFast, "Reaching this position would need an impossible speed."},
	{ReasonZigZag, "The positions jump to and fro."},
	{ReasonStationary, "The vehicle stood still."},
	{ReasonTooClose, "The image shows the same place as the one kept before it."},
	{ReasonTrimmed, "The image lies near the start or end of the drive, which is cut to protect the driver."},
	{ReasonPrivacyZone, "The image lies inside one of your privacy zones."},
	{ReasonUndecodable, "The image cannot be decoded."},
	{ReasonUnusable, "The image is too blurred or dark to map with."},
	{ReasonNoModel, "No privacy model is installed, so nothing is published; the image is kept private."},
	{ReasonModelMismatch, "A privacy model is not the one expected; the image is kept private."},
	{ReasonDetectorFailed, "The privacy detector failed; the image is kept private."},
	{ReasonDetectorLate, "The privacy detector did not finish in time; the image is kept private."},
	{ReasonPoisoned, "The image stopped the worker more than once; it is kept private."},
	{ReasonRemoved, "The image was taken down."},
}

// Reasons is the closed list in its documented order.
func Reasons() []Reason {
	out := make([]Reason, len(reasons))
	for i, r := range reasons {
		out[i] = r.Reason
	}
	return out
}

// Text is the sentence for people; empty for a reason that is not on the list.
func (r Reason) Text() string {
	for _, e := range reasons {
		if e.Reason == r {
			return e.Text
		}
	}
	return ""
}

// Valid reports whether r is on the list.
func (r Reason) Valid() bool { return r.Text() != "" }

// Quarantined reports whether the reason is that privacy could not be assured: the frame may yet be published when the
// cause is mended.
func (r Reason) Quarantined() bool {
	switch r {
	case ReasonNoModel, ReasonModelMismatch, ReasonDetectorFailed, ReasonDetectorLate, ReasonPoisoned:
		return true
	}
	return false
}

// Resend reports whether the reason is that the store lost or damaged the file: sent again, it may be taken.
func (r Reason) Resend() bool { return r == ReasonUnreadable || r == ReasonHashMismatch }

// Verdict is the end of a file's way through the pipeline: accepted, or rejected with a reason, a message that names
// numbers, and the numbers themselves. A bad upload is not an error; it is a verdict.
type Verdict struct {
	Accepted bool           `json:"accepted"`
	Reason   Reason         `json:"reason,omitempty"`
	Message  string         `json:"message,omitempty"`
	Vars     map[string]any `json:"vars,omitempty"` // JSON scalars only
}

// Accept is the accepting verdict.
func Accept() Verdict { return Verdict{Accepted: true} }

// Reject makes a rejecting verdict; an empty message is replaced by the reason's sentence.
func Reject(r Reason, message string, vars map[string]any) Verdict {
	if message == "" {
		message = r.Text()
	}
	return Verdict{Reason: r, Message: message, Vars: vars}
}

// Validate reports a verdict that is neither a clean acceptance nor a rejection with a reason of the list.
func (v Verdict) Validate() error {
	switch {
	case v.Accepted && v.Reason != "":
		return Errorf(Invalid, "verdict accepts with reason %q", v.Reason)
	case !v.Accepted && !v.Reason.Valid():
		return Errorf(Invalid, "verdict rejects with unlisted reason %q", v.Reason)
	case !v.Accepted && v.Message == "":
		return Errorf(Invalid, "verdict %s has no message", v.Reason)
	}
	return nil
}
