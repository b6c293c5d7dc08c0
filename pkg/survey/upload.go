package survey

import "time"

// UploadState is where an upload stands.
type UploadState string

const (
	UploadOpen      UploadState = "open"      // files are still arriving
	UploadUploaded  UploadState = "uploaded"  // complete; waiting for ingest
	UploadIngested  UploadState = "ingested"  // every file has an ingest verdict; drives are in vision
	UploadSettled   UploadState = "settled"   // every file has its final verdict and its drives are indexed
	UploadAbandoned UploadState = "abandoned" // never completed; swept
)

// UploadOptions is what the driver says about the footage. The zero value is right for footage that describes itself.
type UploadOptions struct {
	Device      string        `json:"device,omitempty"`       // what recorded, as the driver calls it; only its pseudonym is kept
	ClockOffset time.Duration `json:"clock_offset,omitempty"` // added to camera times (not to GPS times), nanoseconds
	AssumeSpeed float64       `json:"assume_speed,omitempty"` // m/s used to spread frames without times; 0 means the default
	CapturedAt  time.Time     `json:"captured_at,omitzero"`   // start assumed for frames without any time
	TrimMeters  float64       `json:"trim_meters,omitempty"`  // cut from both ends of a drive; 0 means the server's default
	Client      string        `json:"client,omitempty"`       // name and version of the uploader
}

// UploadFile is one file of an upload's manifest.
type UploadFile struct {
	Path   string `json:"path"` // relative, slash-separated, UTF-8
	Bytes  int64  `json:"bytes"`
	SHA256 Hash   `json:"sha256"`
}
