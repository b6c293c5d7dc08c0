package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Frame is a published frame as the map shows it.
type Frame struct {
	ID         survey.FrameID `json:"id" doc:"identity of the frame"`
	Sequence   survey.DriveID `json:"sequence" doc:"the drive it belongs to"`
	Seq        int            `json:"seq" doc:"place in the drive, from 0"`
	CapturedAt time.Time      `json:"captured_at" doc:"when it was taken, UTC"`
	Position   geo.Point      `json:"position" doc:"where the camera was, WGS 84 degrees"`
	Alt        *float64       `json:"alt_m,omitempty" doc:"altitude in metres, as the receiver gave it"`
	Accuracy   float64        `json:"accuracy_m,omitempty" doc:"estimated horizontal accuracy in metres; absent when unknown"`
	Heading    *float64       `json:"heading,omitempty" doc:"where the camera looked, degrees clockwise from true north; absent when unknown"`
	Cell       survey.Cell    `json:"cell" doc:"H3 cell"`
	Quality    Quality        `json:"quality"`
	Flags      []survey.Flag  `json:"flags,omitempty" doc:"what a reader should know of the frame's time and place"`
	Redacted   map[string]int `json:"redacted,omitempty" doc:"how many regions of each class were made unreadable"`
	Image      Image          `json:"image"`
}

// Quality is a frame's fitness for mapping; every part is a share, 0 to 1.
type Quality struct {
	Grade      string  `json:"grade" doc:"A to E"`
	Score      float64 `json:"score"`
	Sharpness  float64 `json:"sharpness"`
	Exposure   float64 `json:"exposure"`
	Resolution float64 `json:"resolution"`
	Position   float64 `json:"position"`
	Clear      float64 `json:"clear" doc:"free of obstruction"`
	Night      bool    `json:"night,omitempty"`
	Version    string  `json:"version,omitempty" doc:"of the thresholds"`
}

// Image says where the redacted image is.
type Image struct {
	URL    string      `json:"url" doc:"redacted JPEG; add &width=240 for a small one"`
	Width  int         `json:"width"`
	Height int         `json:"height"`
	Bytes  int64       `json:"bytes"`
	SHA256 survey.Hash `json:"sha256"`
}

// FramePage is a page of frames.
type FramePage struct {
	Frames []Frame `json:"frames"`
	Next   string  `json:"next,omitempty" doc:"pass as cursor for the next page; absent on the last"`
}

// Overview is what a map page needs before it draws.
type Overview struct {
	Frames      int64       `json:"frames" doc:"published frames"`
	Cells       int64       `json:"cells" doc:"cells they cover"`
	Sequences   int64       `json:"sequences" doc:"drives they belong to"`
	DistanceM   int64       `json:"distance_m" doc:"driven, metres"`
	Newest      *time.Time  `json:"newest,omitempty"`
	Oldest      *time.Time  `json:"oldest,omitempty"`
	Bounds      *[4]float64 `json:"bounds,omitempty" doc:"west, south, east, north of the frames"`
	AsOf        *time.Time  `json:"as_of,omitempty" doc:"instant at which the tiles' freshness was computed"`
	Attribution string      `json:"attribution,omitempty"`
	Layers      []LayerRef  `json:"layers"`
}

const frameColumns = `id, drive_id, seq, captured_at, lat_e7, lon_e7, alt_mm, heading_mdeg, accuracy_mm, cell, flags, quality,
	quality_ppm, redaction, public_key, public_sha256, public_bytes, public_width, public_height`

// frameRow is a frame with what stays inside.
type frameRow struct {
	Frame
	key  string // object in the public bucket
	us   int64  // CapturedAt in microseconds
	mdeg int64  // heading in thousandths of a degree, -1 unknown
}

func (s *Server) scanFrame(row interface{ Scan(...any) error }) (f frameRow, err error) {
	var lat, lon, accuracy, cell, ppm int64
	var alt *int64
	var flags, quality, redaction, sum string
	err = row.Scan(&f.ID, &f.Sequence, &f.Seq, &f.us, &lat, &lon, &alt, &f.mdeg, &accuracy, &cell, &flags, &quality,
		&ppm, &redaction, &f.key, &sum, &f.Image.Bytes, &f.Image.Width, &f.Image.Height)
	if err != nil {
		return f, err
	}
	f.CapturedAt, f.Position, f.Cell = state.Time(f.us), geo.FromE7(lat, lon), survey.Cell(cell)
	f.Accuracy = float64(accuracy) / 1e3
	if alt != nil {
		m := float64(*alt) / 1e3
		f.Alt = &m
	}
	if f.mdeg >= 0 {
		d := float64(f.mdeg) / 1e3
		f.Heading = &d
	}
	if err := json.Unmarshal([]byte(flags), &f.Flags); err != nil {
		return f, fmt.Errorf("frame %s: flags: %w", f.ID, err)
	}
	var q survey.Quality
	if quality != "" {
		if err := json.Unmarshal([]byte(quality), &q); err != nil {
			return f, fmt.Errorf("frame %s: quality: %w", f.ID, err)
		}
	}
	f.Quality = Quality{q.Grade, survey.PPM(ppm).Float(), q.Sharpness.Float(), q.Exposure.Float(), q.Resolution.Float(), q.Position.Float(), q.Clear.Float(), q.Night, q.Version}
	var red survey.Redaction
	if redaction != "" {
		if err := json.Unmarshal([]byte(redaction), &red); err != nil {
			return f, fmt.Errorf("frame %s: redaction: %w", f.ID, err)
		}
	}
	for _, b := range red.Boxes {
		if f.Redacted == nil {
			f.Redacted = map[string]int{}
		}
		f.Redacted[string(b.Class)]++
	}
	if f.Image.SHA256, err = survey.ParseHash(sum); err != nil {
		return f, fmt.Errorf("frame %s: %w", f.ID, err)
	}
	f.Image.URL = s.url("/v1/frames/" + string(f.ID) + "/image.jpg?v=" + sum[:16])
	return f, nil
}

func (s *Server) queryFrames(ctx context.Context, where string, args ...any) ([]frameRow, error) {
	rows, err := s.DB.Query(ctx, `SELECT `+frameColumns+` FROM frames WHERE state = 'published' AND `+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []frameRow
	for rows.Next() {
		f, err := s.scanFrame(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, rows.Err()
}

func (s *Server) frame(ctx context.Context, id string) (frameRow, error) {
	if !survey.ValidID(id) {
		return frameRow{}, survey.Errorf(survey.NotFound, "there is no frame %.40q", id)
	}
	f, err := s.scanFrame(s.DB.QueryRow(ctx, `SELECT `+frameColumns+` FROM frames WHERE id = $1 AND state = 'published'`, id))
	if errors.Is(err, state.ErrNoRows) {
		return f, survey.Errorf(survey.NotFound, "there is no frame %s", id)
	}
	return f, err
}

// page cuts the extra row off a query of limit+1 rows and names the place to go on from.
func page(rows []frameRow, limit int, cursor func(frameRow) string) FramePage {
	p := FramePage{Frames: make([]Frame, 0, min(len(rows), limit))}
	if len(rows) > limit {
		rows = rows[:limit]
		p.Next = cursor(rows[limit-1])
	}
	for _, r := range rows {
		p.Frames = append(p.Frames, r.Frame)
	}
	return p
}

// Cursors are opaque to clients: a place in the order of the listing, in base64.
func byTime(f frameRow) string { return encodeCursor(strconv.FormatInt(f.us, 10), string(f.ID)) }

func encodeCursor(parts ...string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strings.Join(parts, " ")))
}

func decodeCursor(c string, n int) ([]string, error) {
	b, err := base64.RawURLEncoding.DecodeString(c)
	parts := strings.Split(string(b), " ")
	if err != nil || len(parts) != n {
		return nil, badCursor(c)
	}
	return parts, nil
}

func badCursor(c string) error {
	return survey.Errorf(survey.Invalid, "cursor %.60q is not one that was given out", c)
}

// idCursor reads the cursor of a listing by id; "" is its beginning.
func idCursor(c string) (after string, err error) {
	if c == "" {
		return "", nil
	}
	p, err := decodeCursor(c, 1)
	if err == nil && !survey.ValidID(p[0]) {
		err = badCursor(c)
	}
	if err != nil {
		return "", err
	}
	return p[0], nil
}

func timeCursor(c string) (us int64, id string, err error) {
	if c == "" {
		return 1<<63 - 1, "", nil
	}
	p, err := decodeCursor(c, 2)
	if err != nil {
		return 0, "", err
	}
	if us, err = strconv.ParseInt(p[0], 10, 64); err != nil {
		return 0, "", badCursor(c)
	}
	return us, p[1], nil
}

// answer is a JSON body that any page may read.
type answer[T any] struct {
	Cache string `header:"Cache-Control"`
	Body  T
}

func give[T any](cache string, body T) *answer[T] {
	return &answer[T]{Cache: cache, Body: body}
}

type cellFramesIn struct {
	Cell   string    `path:"h3" doc:"H3 cell in hex, of any resolution up to that of the frames" example:"8a1f05871d37fff"`
	Limit  int       `query:"limit" default:"50" minimum:"1" maximum:"200"`
	Cursor string    `query:"cursor" doc:"next of the page before"`
	Since  time.Time `query:"since" doc:"only frames taken at or after this time"`
}

type frameIn struct {
	ID string `path:"id" doc:"identity of the frame"`
}

type sequenceIn struct {
	ID     string `path:"id" doc:"identity of the drive"`
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"200"`
	Cursor string `query:"cursor" doc:"next of the page before"`
	Around string `query:"around" doc:"identity of a frame that the page shall hold near its middle"`
}

func (s *Server) registerFrames(mux httpx.Mux, hapi huma.API) {
	for _, p := range []string{"/v1/map", "/v1/cells/", "/v1/frames/", "/v1/sequences/"} {
		mux.HandleFunc("OPTIONS "+p, preflight)
	}
	mux.HandleFunc("GET /v1/frames/{id}/image.jpg", s.image)
	op := func(id, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Summary: summary, Tags: []string{"Map"}, Middlewares: huma.Middlewares{open},
			Errors: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusServiceUnavailable}}
	}
	httpx.Handle(hapi, op("get-map", "/v1/map", "Totals, bounds and layers of the map"), func(ctx context.Context, _ *struct{}) (*answer[Overview], error) {
		o, err := s.overview(ctx)
		if err != nil {
			return nil, err
		}
		return give("public, max-age=5", o), nil
	})
	httpx.Handle(hapi, op("list-cell-frames", "/v1/cells/{h3}/frames", "Frames of an H3 cell, newest first"), func(ctx context.Context, in *cellFramesIn) (*answer[FramePage], error) {
		p, err := s.cellFrames(ctx, in)
		if err != nil {
			return nil, err
		}
		return give("public, max-age=10", p), nil
	})
	httpx.Handle(hapi, op("get-frame", "/v1/frames/{id}", "A frame"), func(ctx context.Context, in *frameIn) (*answer[Frame], error) {
		f, err := s.frame(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return give("public, max-age=60", f.Frame), nil
	})
	httpx.Handle(hapi, op("list-sequence-frames", "/v1/sequences/{id}/frames", "Frames of a drive, in the order in which they were taken"), func(ctx context.Context, in *sequenceIn) (*answer[FramePage], error) {
		p, err := s.sequenceFrames(ctx, in)
		if err != nil {
			return nil, err
		}
		return give("public, max-age=10", p), nil
	})
	// The image is described by hand: its answer is no JSON.
	hapi.OpenAPI().AddOperation(&huma.Operation{OperationID: "get-frame-image", Method: http.MethodGet, Path: "/v1/frames/{id}/image.jpg", Summary: "The redacted image of a frame", Tags: []string{"Map"},
		Parameters: []*huma.Param{
			{Name: "id", In: "path", Required: true, Description: "identity of the frame", Schema: &huma.Schema{Type: "string"}},
			{Name: "width", In: "query", Description: "one of the small widths in pixels", Schema: &huma.Schema{Type: "integer", Enum: []any{thumbWidths[0], thumbWidths[1]}}},
			{Name: "v", In: "query", Description: "names the content; with it the answer may be kept for ever", Schema: &huma.Schema{Type: "string"}},
		},
		Responses: map[string]*huma.Response{"200": {Description: "JPEG", Content: map[string]*huma.MediaType{"image/jpeg": {}}}, "304": {Description: "unchanged"},
			"404": {Description: "no such published frame", Content: map[string]*huma.MediaType{"application/problem+json": {}}}}})
}

func (s *Server) cellFrames(ctx context.Context, in *cellFramesIn) (FramePage, error) {
	cell, err := survey.ParseCell(in.Cell)
	if err != nil {
		return FramePage{}, err
	}
	if r := cell.Resolution(); r > s.Resolution {
		return FramePage{}, survey.Errorf(survey.Invalid, "cell %s has resolution %d, frames have %d", cell, r, s.Resolution).WithHint("ask for its parent")
	}
	us, id, err := timeCursor(in.Cursor)
	if err != nil {
		return FramePage{}, err
	}
	lo, hi := cell.ChildRange(s.Resolution)
	rows, err := s.queryFrames(ctx, `cell BETWEEN $1 AND $2 AND captured_at >= $3 AND (captured_at, id) < ($4, $5) ORDER BY captured_at DESC, id DESC LIMIT $6`,
		lo.Int64(), hi.Int64(), state.Micros(in.Since), us, id, in.Limit+1)
	if err != nil {
		return FramePage{}, err
	}
	return page(rows, in.Limit, byTime), nil
}

func (s *Server) sequenceFrames(ctx context.Context, in *sequenceIn) (FramePage, error) {
	if !survey.ValidID(in.ID) {
		return FramePage{}, survey.Errorf(survey.NotFound, "there is no drive %.40q", in.ID)
	}
	from := -1
	switch {
	case in.Around != "":
		f, err := s.frame(ctx, in.Around)
		if err != nil {
			return FramePage{}, err
		}
		from = f.Seq - in.Limit/2 - 1
	case in.Cursor != "":
		p, err := decodeCursor(in.Cursor, 1)
		if err == nil {
			from, err = strconv.Atoi(p[0])
		}
		if err != nil {
			return FramePage{}, survey.Errorf(survey.Invalid, "cursor %.60q is not one that was given out", in.Cursor)
		}
	}
	rows, err := s.queryFrames(ctx, `drive_id = $1 AND seq > $2 ORDER BY seq LIMIT $3`, in.ID, from, in.Limit+1)
	if err != nil {
		return FramePage{}, err
	}
	if len(rows) == 0 && in.Cursor == "" {
		return FramePage{}, survey.Errorf(survey.NotFound, "there is no drive %s with public frames", in.ID)
	}
	return page(rows, in.Limit, func(f frameRow) string { return encodeCursor(strconv.Itoa(f.Seq)) }), nil
}

// statsCache keeps the totals for as long as they are worth what they cost: they count every frame.
type statsCache struct {
	mu    sync.Mutex
	o     Overview
	until time.Time
}

func (s *Server) overview(ctx context.Context) (Overview, error) {
	v, err := s.tiles.current(ctx)
	if err != nil {
		return Overview{}, err
	}
	o, err := s.totals(ctx)
	if err != nil {
		return Overview{}, err
	}
	o.Layers, o.Attribution = s.layers(v), s.Attribution
	if !v.manifest.AsOf.IsZero() {
		t := v.manifest.AsOf.UTC()
		o.AsOf = &t
	}
	return o, nil
}

func (s *Server) totals(ctx context.Context) (Overview, error) {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	began := s.Clock()
	if began.Before(s.stats.until) {
		return s.stats.o, nil
	}
	var o Overview
	var newest, oldest, south, north, west, east *int64
	err := s.DB.QueryRow(ctx, `SELECT COUNT(*), COUNT(DISTINCT cell), COUNT(DISTINCT drive_id), MAX(captured_at), MIN(captured_at),
		MIN(lat_e7), MAX(lat_e7), MIN(lon_e7), MAX(lon_e7) FROM frames WHERE state = 'published'`).
		Scan(&o.Frames, &o.Cells, &o.Sequences, &newest, &oldest, &south, &north, &west, &east)
	if err != nil {
		return o, err
	}
	if o.Frames > 0 {
		a, b := state.Time(*newest), state.Time(*oldest)
		o.Newest, o.Oldest = &a, &b
		o.Bounds = &[4]float64{float64(*west) / 1e7, float64(*south) / 1e7, float64(*east) / 1e7, float64(*north) / 1e7}
	}
	var mm int64
	if err := s.DB.QueryRow(ctx, `SELECT COALESCE(SUM(distance_mm), 0) FROM drives WHERE state = 'indexed'`).Scan(&mm); err != nil {
		return o, err
	}
	o.DistanceM = mm / 1000
	now := s.Clock()
	s.stats.o, s.stats.until = o, now.Add(max(2*time.Second, 20*now.Sub(began)))
	return o, nil
}
