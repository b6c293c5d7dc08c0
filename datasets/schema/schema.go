// Package schema defines the datasets as Go structs: one struct is one dataset, its tags are its columns.
//
// Columns are only ever added, never renamed or retyped; a change raises the version. Contributor and device ids are
// pseudonyms; accounts, payout addresses, file names and positions inside privacy zones or trimmed ends are in no
// dataset, as absent columns and rows, not as nulls.
package schema

import (
	"time"

	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Frame is a published frame.
type Frame struct {
	ID         string        `lake:"frame_id" plain:"distinct" doc:"Identity of the frame: from its content."`
	Drive      string        `lake:"drive_id" doc:"The drive it belongs to; also the sequence id of the map."`
	Seq        int64         `lake:"seq" doc:"0-based place in the drive."`
	Cell       survey.Cell   `lake:"h3" doc:"Pinned H3 cell at resolution 12."`
	CapturedAt time.Time     `lake:"captured_at" plain:"distinct" unit:"us UTC" doc:"When the picture was taken."`
	Heading    *float64      `lake:"heading_deg" unit:"degrees clockwise from true north" doc:"Of the camera axis; null when unknown."`
	Speed      float64       `lake:"speed_mps" unit:"m/s" doc:"Over ground; 0 when unknown."`
	Alt        *float64      `lake:"altitude_m" unit:"m" doc:"As the receiver gave it."`
	Accuracy   *float64      `lake:"accuracy_m" unit:"m" doc:"Horizontal, estimated; null when unknown."`
	Grade      string        `lake:"quality_grade" doc:"A (best) to E."`
	Quality    int64         `lake:"quality_ppm" plain:"distinct" unit:"ppm" doc:"Fitness for mapping, 0 to 1,000,000."`
	Sharpness  int64         `lake:"sharpness_ppm" unit:"ppm" doc:"Part of the quality."`
	Exposure   int64         `lake:"exposure_ppm" unit:"ppm" doc:"Part of the quality."`
	Resolution int64         `lake:"resolution_ppm" unit:"ppm" doc:"Part of the quality."`
	Position   int64         `lake:"position_ppm" unit:"ppm" doc:"Part of the quality."`
	Clear      int64         `lake:"clear_ppm" unit:"ppm" doc:"Part of the quality: free of obstruction."`
	Night      bool          `lake:"night" doc:"Judged by the rules for night."`
	Width      int64         `lake:"width" unit:"px" doc:"Of the published image."`
	Height     int64         `lake:"height" unit:"px" doc:"Of the published image."`
	Bytes      int64         `lake:"bytes" doc:"Of the published image."`
	SHA256     string        `lake:"image_sha256" doc:"Of the published image."`
	Faces      int64         `lake:"redacted_faces" doc:"Face regions made unreadable."`
	Plates     int64         `lake:"redacted_plates" doc:"Plate regions made unreadable, plate-like text included."`
	Models     string        `lake:"models" doc:"name@version:sha256 of each model that looked at it, separated by spaces."`
	Flags      string        `lake:"flags" doc:"What to know of the frame, separated by spaces."`
	Geometry   lake.Geometry `lake:"geometry" doc:"Position, WGS 84."`
}

// Observation is a published frame as coverage and rewards see it.
type Observation struct {
	Cell        survey.Cell   `lake:"h3" doc:"Pinned H3 cell at resolution 12."`
	CapturedAt  time.Time     `lake:"captured_at" plain:"distinct" unit:"us UTC" doc:"The map's clock."`
	ReceivedAt  time.Time     `lake:"received_at" unit:"us UTC" doc:"The rewards' clock."`
	Frame       string        `lake:"frame_id" plain:"distinct"`
	Drive       string        `lake:"drive_id"`
	Contributor string        `lake:"contributor_id" doc:"Pseudonym."`
	Heading     int64         `lake:"heading_deg" unit:"degrees" doc:"0 to 359, -1 unknown."`
	Quality     int64         `lake:"quality_ppm" plain:"distinct" unit:"ppm"`
	Geometry    lake.Geometry `lake:"geometry" doc:"Position, WGS 84."`
}

// Drive is a drive with at least one published frame.
type Drive struct {
	ID          string        `lake:"drive_id" plain:"distinct"`
	Contributor string        `lake:"contributor_id" doc:"Pseudonym."`
	Device      string        `lake:"device_id" doc:"Pseudonym."`
	StartedAt   time.Time     `lake:"started_at" unit:"us UTC" doc:"First published frame."`
	EndedAt     time.Time     `lake:"ended_at" unit:"us UTC" doc:"Last published frame."`
	ReceivedAt  time.Time     `lake:"received_at" unit:"us UTC"`
	Frames      int64         `lake:"frames" doc:"Published frames."`
	Cells       int64         `lake:"cells" doc:"Distinct resolution-12 cells among them."`
	Distance    float64       `lake:"distance_m" unit:"m" doc:"Along published frames, gaps left out."`
	Flags       string        `lake:"flags"`
	Geometry    lake.Geometry `lake:"geometry" doc:"Lines through consecutive published frames, broken where a frame is missing."`
}

// Rejection is a file or frame that was not accepted. It names no file and no place.
type Rejection struct {
	ID          string    `lake:"rejection_id" plain:"distinct" doc:"Digest of upload and file name."`
	Upload      string    `lake:"upload_id"`
	Contributor string    `lake:"contributor_id" doc:"Pseudonym."`
	ReceivedAt  time.Time `lake:"received_at" unit:"us UTC" doc:"When the upload was completed."`
	Kind        string    `lake:"kind" doc:"image, track, film, or empty when not known."`
	Bytes       int64     `lake:"bytes"`
	Reason      string    `lake:"reason" doc:"Of the closed list of reasons."`
	Text        string    `lake:"text" doc:"The reason's sentence."`
	Quarantined bool      `lake:"quarantined" doc:"Privacy could not be assured; it may yet be published."`
	Device      *string   `lake:"device_id" doc:"Pseudonym: of the drive that the file was taken for, or else the only device of its upload; null when neither is known. Since version 2."`
}

// Cell is the state of a cell on the day of the snapshot.
type Cell struct {
	Cell         survey.Cell   `lake:"h3" plain:"distinct" doc:"H3 cell at the resolution in column resolution."`
	Resolution   int64         `lake:"resolution" doc:"12, 9 or 7; coarser rows are exact sums of finer ones."`
	AsOf         time.Time     `lake:"as_of" unit:"us UTC" doc:"The instant the freshness is computed for."`
	Freshness    int64         `lake:"freshness_ppm" unit:"ppm" doc:"0 to 1,000,000, see pkg/hex/freshness/FORMULA.md."`
	Observations int64         `lake:"observations" doc:"Published frames."`
	Quality      int64         `lake:"quality_mean_ppm" unit:"ppm" doc:"Mean over observations, rounded down."`
	BestQuality  int64         `lake:"quality_best_ppm" unit:"ppm"`
	FirstSeen    time.Time     `lake:"first_seen" unit:"us UTC"`
	LastSeen     time.Time     `lake:"last_seen" unit:"us UTC"`
	Geometry     lake.Geometry `lake:"geometry" doc:"The hexagon (or pentagon)."`
}

// Epoch is a closed reward epoch.
type Epoch struct {
	Epoch         string    `lake:"epoch" doc:"The Monday it begins."`
	Start         time.Time `lake:"start" unit:"us UTC"`
	End           time.Time `lake:"end" unit:"us UTC" doc:"Exclusive."`
	Ruleset       string    `lake:"ruleset" doc:"The rules it was paid by."`
	Manifest      string    `lake:"manifest_sha256" doc:"Of epochs/<epoch>/manifest.json in the ledger, which names every input and output."`
	Root          string    `lake:"merkle_root"`
	Pool          int64     `lake:"pool" unit:"1e-9 token" doc:"allocated + held + remainder."`
	Allocated     int64     `lake:"allocated" unit:"1e-9 token"`
	Held          int64     `lake:"held" unit:"1e-9 token"`
	Remainder     int64     `lake:"remainder" unit:"1e-9 token"`
	Contributions int64     `lake:"contributions" doc:"Frames that entered."`
	Contributors  int64     `lake:"contributors"`
}

// Allocation is what a contributor earned in an epoch.
type Allocation struct {
	Epoch       string `lake:"epoch" doc:"The Monday it begins."`
	Contributor string `lake:"contributor_id" doc:"Pseudonym."`
	Amount      int64  `lake:"amount" unit:"1e-9 token" doc:"Earned in this epoch."`
	Held        int64  `lake:"held" unit:"1e-9 token" doc:"In escrow, not in amount."`
	Frames      int64  `lake:"frames" doc:"Frames that count."`
	Cells       int64  `lake:"cells" doc:"Cells that count."`
}

// Contribution is a frame that entered a reward epoch, as the epoch's published record holds it: the input of
// allocations. A closed epoch never changes, so a frame that was taken down later still has its row here, as there.
type Contribution struct {
	Cell        survey.Cell `lake:"h3" doc:"Pinned H3 cell at resolution 12."`
	CapturedAt  time.Time   `lake:"captured_at" plain:"distinct" unit:"us UTC" doc:"The map's clock: decides the slot."`
	ReceivedAt  time.Time   `lake:"received_at" unit:"us UTC" doc:"The rewards' clock: decides need, rank and lag."`
	Epoch       string      `lake:"epoch" doc:"The Monday it begins."`
	Frame       string      `lake:"frame_id" plain:"distinct"`
	Drive       string      `lake:"drive_id"`
	Contributor string      `lake:"contributor_id" doc:"Pseudonym."`
	Heading     int64       `lake:"heading_deg" unit:"degrees" doc:"0 to 359, -1 unknown."`
	Quality     int64       `lake:"quality_ppm" plain:"distinct" unit:"ppm"`
}

// Finding is something odd about a drive with published frames. It rejects nothing by itself.
type Finding struct {
	Drive       string    `lake:"drive_id"`
	Contributor string    `lake:"contributor_id" doc:"Pseudonym."`
	Device      string    `lake:"device_id" doc:"Pseudonym."`
	StartedAt   time.Time `lake:"started_at" unit:"us UTC" doc:"First published frame of the drive."`
	FoundAt     time.Time `lake:"found_at" unit:"us UTC"`
	Kind        string    `lake:"kind" doc:"What is odd, for example clock_offset or repeated_motion; see package ingest/findings."`
	Subject     string    `lake:"subject" doc:"The other drive, or a digest of another upload; empty where it is about the drive alone."`
	Score       int64     `lake:"score_ppm" unit:"ppm" doc:"0 harmless to 1,000,000 certain."`
	Evidence    string    `lake:"evidence" doc:"JSON object of counts and measures; no positions."`
}

// Use is what one customer's key asked of the network on one day.
type Use struct {
	Day      time.Time `lake:"day" unit:"us UTC" doc:"Start of the day."`
	Key      string    `lake:"key_id" doc:"Pseudonym of the key, another one in each network."`
	Requests int64     `lake:"requests" doc:"That the quota counted."`
	Frames   int64     `lake:"frames" doc:"Given out."`
	Credits  int64     `lake:"credits" doc:"Charged."`
}

// Feature is a thing beside the road, placed from at least three published frames of one drive.
type Feature struct {
	Cell       survey.Cell   `lake:"h3" doc:"H3 cell at resolution 12."`
	ID         string        `lake:"feature_id" plain:"distinct"`
	Drive      string        `lake:"drive_id" doc:"That saw it; another drive that sees the same thing has a feature of its own."`
	Class      string        `lake:"class" doc:"sign or text."`
	Kind       string        `lake:"kind" doc:"For example red_ring, red_triangle, blue; empty when not told apart."`
	FirstSeen  time.Time     `lake:"first_seen" unit:"us UTC"`
	LastSeen   time.Time     `lake:"last_seen" unit:"us UTC"`
	Sigma      float64       `lake:"sigma_m" unit:"m" doc:"One standard deviation along the worst direction."`
	Frames     int64         `lake:"frames" doc:"That agree on the place."`
	Confidence int64         `lake:"confidence_ppm" unit:"ppm" doc:"Of the best sighting."`
	Geometry   lake.Geometry `lake:"geometry" doc:"Position, WGS 84."`
}

// Schemas of the datasets above.
var (
	Frames        = lake.Schema{Name: "frames", Version: 1, Level: lake.Fast, Doc: "Published frames."}
	Observations  = lake.Schema{Name: "observations", Version: 1, Level: lake.Fast, Doc: "Published frames as coverage and rewards see them, sorted by cell."}
	Drives        = lake.Schema{Name: "drives", Version: 1, Doc: "Drives with published frames."}
	Rejections    = lake.Schema{Name: "rejections", Version: 2, Doc: "Files and frames that were not accepted, with the reason."}
	Cells         = lake.Schema{Name: "cells", Version: 1, Doc: "Cells as of the snapshot."}
	Epochs        = lake.Schema{Name: "epochs", Version: 1, Doc: "Closed reward epochs."}
	Allocations   = lake.Schema{Name: "allocations", Version: 1, Doc: "What contributors earned in closed epochs."}
	Contributions = lake.Schema{Name: "contributions", Version: 1, Doc: "Frames that entered closed reward epochs, sorted by cell."}
	Features      = lake.Schema{Name: "features", Version: 1, Doc: "Things beside the road, placed from published frames, sorted by cell."}
	Findings      = lake.Schema{Name: "findings", Version: 1, Doc: "What is odd about drives with published frames."}
	Usage         = lake.Schema{Name: "usage", Version: 1, Doc: "What customers' keys asked for, by day."}
)
