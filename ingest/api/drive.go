package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Drive is one recording as its contributor sees it.
type Drive struct {
	ID         survey.DriveID  `json:"id"`
	Upload     survey.UploadID `json:"upload"`
	Device     survey.DeviceID `json:"device"`
	State      string          `json:"state" enum:"vision,indexed" doc:"vision: frames are being looked at. indexed: on the map."`
	StartedAt  time.Time       `json:"started_at"`
	EndedAt    time.Time       `json:"ended_at"`
	ReceivedAt time.Time       `json:"received_at"`
	Distance   float64         `json:"distance_m"`
	Flags      []survey.Flag   `json:"flags"`
	Frames     FrameCounts     `json:"frames"`
}

// FrameCounts says how many frames of a drive are where.
type FrameCounts struct {
	Total     int64 `json:"total"`
	Waiting   int64 `json:"waiting"`
	Published int64 `json:"published"`
	Held      int64 `json:"held"`
	Rejected  int64 `json:"rejected"`
	Cells     int64 `json:"cells" doc:"Distinct cells that published frames lie in."`
}

// Finding is something odd about a drive, with a score and evidence. It rejects nothing by itself.
type Finding struct {
	Kind     string          `json:"kind"`
	Subject  string          `json:"subject,omitempty"`
	Score    survey.PPM      `json:"score_ppm"`
	Evidence json.RawMessage `json:"evidence"`
	FoundAt  time.Time       `json:"found_at"`
}

// DriveFrame is one frame of a drive as its contributor sees it.
type DriveFrame struct {
	ID         survey.FrameID    `json:"id"`
	Seq        int64             `json:"seq"`
	Path       string            `json:"path" doc:"The file it came from."`
	CapturedAt time.Time         `json:"captured_at"`
	Lon        float64           `json:"lon"`
	Lat        float64           `json:"lat"`
	Heading    *float64          `json:"heading_deg,omitempty" doc:"Clockwise from true north."`
	Cell       survey.Cell       `json:"cell"`
	State      survey.FrameState `json:"state" enum:"pending,published,quarantined,rejected,removed"`
	Reason     survey.Reason     `json:"reason,omitempty"`
	Message    string            `json:"message,omitempty"`
	Quality    *survey.Quality   `json:"quality,omitempty"`
	Flags      []survey.Flag     `json:"flags,omitempty"`
}

type driveList struct {
	Body struct {
		Drives []Drive `json:"drives"`
		Next   string  `json:"next,omitempty"`
	}
}

type driveDetail struct {
	Body struct {
		Drive
		Findings []Finding    `json:"findings"`
		List     []DriveFrame `json:"frame_list" doc:"In order of the drive."`
		Next     string       `json:"next,omitempty"`
	}
}

func (s *server) driveRoutes(api huma.API) {
	driver(s, api, huma.Operation{OperationID: "list-drives", Method: http.MethodGet, Path: "/v1/drives", Tags: []string{"drives"}, Summary: "My drives, newest first"}, s.listDrives)
	driver(s, api, huma.Operation{OperationID: "get-drive", Method: http.MethodGet, Path: "/v1/drives/{id}", Tags: []string{"drives"}, Summary: "A drive with its frames and findings"}, s.getDrive)
	driver(s, api, huma.Operation{OperationID: "my-coverage", Method: http.MethodGet, Path: "/v1/me/coverage", Tags: []string{"drives"}, Summary: "What I covered, as GeoJSON"}, s.coverage)
}

const driveColumns = `d.id, d.upload_id, d.device_id, d.state, d.started_at, d.ended_at, d.received_at, d.distance_mm, d.flags, d.frames,
	(SELECT COUNT(*) FROM frames f WHERE f.drive_id = d.id AND f.state = 'pending'),
	(SELECT COUNT(*) FROM frames f WHERE f.drive_id = d.id AND f.state = 'published'),
	(SELECT COUNT(*) FROM frames f WHERE f.drive_id = d.id AND f.state = 'quarantined'),
	(SELECT COUNT(*) FROM frames f WHERE f.drive_id = d.id AND f.state IN ('rejected', 'removed')),
	(SELECT COUNT(DISTINCT f.cell) FROM frames f WHERE f.drive_id = d.id AND f.state = 'published')`

func scanDrive(row state.Row) (d Drive, err error) {
	var id, up, dev, flags string
	var start, end, received, mm int64
	f := &d.Frames
	if err := row.Scan(&id, &up, &dev, &d.State, &start, &end, &received, &mm, &flags, &f.Total, &f.Waiting, &f.Published, &f.Held, &f.Rejected, &f.Cells); err != nil {
		return d, err
	}
	d.ID, d.Upload, d.Device = survey.DriveID(id), survey.UploadID(up), survey.DeviceID(dev)
	d.StartedAt, d.EndedAt, d.ReceivedAt, d.Distance = state.Time(start), state.Time(end), state.Time(received), float64(mm)/1000
	if err := json.Unmarshal([]byte(flags), &d.Flags); err != nil {
		return d, fmt.Errorf("flags of drive %s: %w", id, err)
	}
	if d.Flags == nil {
		d.Flags = []survey.Flag{}
	}
	return d, nil
}

func (s *server) listDrives(ctx context.Context, c *contributor, in *struct {
	Page
	Upload string `query:"upload" doc:"Only those of this upload."`
}) (*driveList, error) {
	at, id, err := in.keyPair(1 << 62)
	if err != nil {
		return nil, err
	}
	rows, err := s.DB.Query(ctx, `SELECT `+driveColumns+` FROM drives d WHERE d.contributor_id = $1 AND (d.started_at < $2 OR d.started_at = $2 AND d.id > $3)
		AND ($4 = '' OR d.upload_id = $4) ORDER BY d.started_at DESC, d.id LIMIT $5`, string(c.id), at, id, in.Upload, in.Limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := &driveList{}
	out.Body.Drives = []Drive{}
	for rows.Next() {
		d, err := scanDrive(rows)
		if err != nil {
			return nil, err
		}
		out.Body.Drives = append(out.Body.Drives, d)
	}
	if ds := out.Body.Drives; len(ds) == in.Limit {
		last := ds[len(ds)-1]
		out.Body.Next = cursor(fmt.Sprintf("%d/%s", state.Micros(last.StartedAt), last.ID))
	}
	return out, rows.Err()
}

func (s *server) getDrive(ctx context.Context, c *contributor, in *struct {
	ByID
	Page
}) (*driveDetail, error) {
	after, _, err := in.keyPair(-1)
	if err != nil {
		return nil, err
	}
	out := &driveDetail{}
	out.Body.Findings, out.Body.List = []Finding{}, []DriveFrame{}
	out.Body.Drive, err = scanDrive(s.DB.QueryRow(ctx, `SELECT `+driveColumns+` FROM drives d WHERE d.id = $1 AND d.contributor_id = $2`, in.ID, string(c.id)))
	if errors.Is(err, state.ErrNoRows) {
		return nil, survey.Errorf(survey.NotFound, "no drive %.40q", in.ID).WithHint("yours are at /v1/drives")
	}
	if err != nil {
		return nil, err
	}
	if out.Body.Findings, err = s.findings(ctx, in.ID); err != nil {
		return nil, err
	}
	rows, err := s.DB.Query(ctx, `SELECT id, seq, path, captured_at, lat_e7, lon_e7, heading_mdeg, cell, state, reason, quality, flags
		FROM frames WHERE drive_id = $1 AND seq > $2 ORDER BY seq LIMIT $3`, in.ID, after, in.Limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var f DriveFrame
		var id, st, reason, quality, flags string
		var at, lat, lon, heading, cell int64
		if err := rows.Scan(&id, &f.Seq, &f.Path, &at, &lat, &lon, &heading, &cell, &st, &reason, &quality, &flags); err != nil {
			return nil, err
		}
		f.ID, f.State, f.Reason, f.Cell = survey.FrameID(id), survey.FrameState(st), survey.Reason(reason), survey.Cell(cell)
		f.CapturedAt, f.Lat, f.Lon, f.Message = state.Time(at), float64(lat)/1e7, float64(lon)/1e7, f.Reason.Text()
		if heading >= 0 {
			h := float64(heading) / 1000
			f.Heading = &h
		}
		if err := json.Unmarshal([]byte(flags), &f.Flags); err != nil {
			return nil, fmt.Errorf("flags of frame %s: %w", id, err)
		}
		if quality != "" {
			if err := json.Unmarshal([]byte(quality), &f.Quality); err != nil {
				return nil, fmt.Errorf("quality of frame %s: %w", id, err)
			}
		}
		out.Body.List = append(out.Body.List, f)
	}
	if l := out.Body.List; len(l) == in.Limit {
		out.Body.Next = cursor(fmt.Sprintf("%d/", l[len(l)-1].Seq))
	}
	return out, rows.Err()
}

func (s *server) findings(ctx context.Context, drive string) ([]Finding, error) {
	rows, err := s.DB.Query(ctx, `SELECT kind, subject, score_ppm, evidence, found_at FROM findings WHERE drive_id = $1 ORDER BY score_ppm DESC, kind, subject`, drive)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []Finding{}
	for rows.Next() {
		var f Finding
		var score, at int64
		var evidence string
		if err := rows.Scan(&f.Kind, &f.Subject, &score, &evidence, &at); err != nil {
			return nil, err
		}
		f.Score, f.Evidence, f.FoundAt = survey.PPM(score), json.RawMessage(evidence), state.Time(at)
		out = append(out, f)
	}
	return out, rows.Err()
}

// coverage is GeoJSON: a line per drive through its published frames, for the map of what I covered.
type coverage struct {
	ContentType string `header:"Content-Type"`
	Body        featureCollection
}

type featureCollection struct {
	Type     string    `json:"type" enum:"FeatureCollection"`
	Features []feature `json:"features"`
}

type feature struct {
	Type       string          `json:"type" enum:"Feature"`
	Geometry   multiLine       `json:"geometry"`
	Properties coveredProperty `json:"properties"`
}

type multiLine struct {
	Type        string         `json:"type" enum:"MultiLineString"`
	Coordinates [][][2]float64 `json:"coordinates" doc:"Longitude, latitude. A line ends where frames between its neighbours are not published."`
}

type coveredProperty struct {
	Drive     survey.DriveID `json:"drive"`
	StartedAt time.Time      `json:"started_at"`
	Frames    int            `json:"frames"`
}

// maxCoverage is the most frames in one answer.
const maxCoverage = 200_000

func (s *server) coverage(ctx context.Context, c *contributor, in *struct {
	Since time.Time `query:"since" doc:"Only drives that started at or after this time."`
	Until time.Time `query:"until" doc:"Only drives that started before this time."`
}) (*coverage, error) {
	until := int64(1 << 62)
	if !in.Until.IsZero() {
		until = state.Micros(in.Until)
	}
	rows, err := s.DB.Query(ctx, `SELECT d.id, d.started_at, f.seq, f.lat_e7, f.lon_e7 FROM drives d JOIN frames f ON f.drive_id = d.id
		WHERE d.contributor_id = $1 AND d.started_at >= $2 AND d.started_at < $3 AND f.state = 'published'
		ORDER BY d.started_at, d.id, f.seq LIMIT $4`, string(c.id), state.Micros(in.Since), until, maxCoverage+1)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := &coverage{ContentType: "application/geo+json", Body: featureCollection{"FeatureCollection", []feature{}}}
	fs := &out.Body.Features
	last := int64(0)
	for n := 0; rows.Next(); n++ {
		if n == maxCoverage {
			return nil, survey.Errorf(survey.Invalid, "more than %d frames were published in that time", maxCoverage).WithHint("narrow it with since and until")
		}
		var id string
		var started, seq, lat, lon int64
		if err := rows.Scan(&id, &started, &seq, &lat, &lon); err != nil {
			return nil, err
		}
		if k := len(*fs); k == 0 || (*fs)[k-1].Properties.Drive != survey.DriveID(id) {
			*fs = append(*fs, feature{"Feature", multiLine{"MultiLineString", [][][2]float64{}}, coveredProperty{survey.DriveID(id), state.Time(started), 0}})
			last = seq - 2
		}
		f := &(*fs)[len(*fs)-1]
		f.Properties.Frames++
		ls := &f.Geometry.Coordinates
		if seq != last+1 { // no line across frames that were not published, for they may lie in a privacy zone
			*ls = append(*ls, nil)
		}
		last = seq
		(*ls)[len(*ls)-1] = append((*ls)[len(*ls)-1], [2]float64{float64(lon) / 1e7, float64(lat) / 1e7})
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	// RFC 7946 wants two positions in a line.
	for i := range *fs {
		for j, l := range (*fs)[i].Geometry.Coordinates {
			if len(l) == 1 {
				(*fs)[i].Geometry.Coordinates[j] = append(l, l[0])
			}
		}
	}
	return out, nil
}
