package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// maxFeatureArea bounds an area of a query for map features, in m²: a large city's centre.
const maxFeatureArea = 1e8

// featureQuery is what is asked of map features.
type featureQuery struct {
	Geometry      Geometry  `json:"geometry"`
	Meters        float64   `json:"meters,omitempty" minimum:"0" maximum:"500" doc:"radius of a Point or buffer of a LineString in metres; 25 if left out"`
	Class         string    `json:"class,omitempty" enum:"sign,text" doc:"only of this class"`
	Kind          string    `json:"kind,omitempty" maxLength:"40" doc:"only of this kind, like red_ring or blue"`
	Since         time.Time `json:"since,omitzero" doc:"only those seen at or after this time"`
	MinConfidence float64   `json:"min_confidence,omitempty" minimum:"0" maximum:"1" doc:"least confidence of the best sighting"`
	Limit         int       `json:"limit,omitempty" minimum:"1" maximum:"1000" doc:"features on a page; 200 if left out"`
	Cursor        string    `json:"cursor,omitempty" doc:"next of the page before"`
}

// MapFeature is a thing beside the road, as a GeoJSON feature.
type MapFeature struct {
	Type       string           `json:"type" enum:"Feature"`
	ID         survey.FeatureID `json:"id"`
	Geometry   GeoPoint         `json:"geometry"`
	Properties FeatureProps     `json:"properties"`
}

// GeoPoint is a GeoJSON point, [longitude, latitude].
type GeoPoint struct {
	Type        string     `json:"type" enum:"Point"`
	Coordinates [2]float64 `json:"coordinates"`
}

// FeatureProps is what is known of a map feature.
type FeatureProps struct {
	Class      survey.Class       `json:"class"`
	Kind       survey.FeatureKind `json:"kind,omitempty"`
	Cell       survey.Cell        `json:"cell" doc:"H3 cell of its place"`
	Accuracy   float64            `json:"accuracy_m" doc:"one standard deviation of its place along the worst direction, metres"`
	Frames     int                `json:"frames" doc:"frames that agree on its place"`
	FirstSeen  time.Time          `json:"first_seen"`
	LastSeen   time.Time          `json:"last_seen"`
	Confidence float64            `json:"confidence" doc:"of the best sighting, 0 to 1"`
	Sequence   survey.DriveID     `json:"sequence" doc:"the drive that saw it"`
	Sightings  []Sighting         `json:"sightings,omitempty" doc:"public frames that show it; only when one feature is asked for"`
}

// Sighting is a map feature in a public frame.
type Sighting struct {
	Frame      survey.FrameID `json:"frame"`
	CapturedAt time.Time      `json:"captured_at"`
	Box        [4]int         `json:"box" doc:"x, y, width, height in pixels of the full image, from its top left"`
	Confidence float64        `json:"confidence"`
	Image      string         `json:"image" doc:"address of the redacted image"`
	Width      int            `json:"width" doc:"of the full image, pixels"`
	Height     int            `json:"height"`
}

// FeaturePage is a page of map features, a GeoJSON FeatureCollection.
type FeaturePage struct {
	Type     string       `json:"type" enum:"FeatureCollection"`
	Features []MapFeature `json:"features"`
	Next     string       `json:"next,omitempty" doc:"pass as cursor for the next page; absent on the last"`
}

func (s *Server) registerFeatures(mux httpx.Mux, hapi huma.API) {
	mux.HandleFunc("OPTIONS /v1/map-features", preflight)
	mux.HandleFunc("OPTIONS /v1/map-features/", preflight)
	op := func(id, method, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, Tags: []string{"Map features"}, MaxBodyBytes: 1 << 20, Middlewares: huma.Middlewares{open},
			Errors: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusServiceUnavailable}}
	}
	httpx.Handle(hapi, op("list-map-features", http.MethodGet, "/v1/map-features", "Signs and the like in a box or around a point or line"), s.listFeatures)
	httpx.Handle(hapi, op("search-map-features", http.MethodPost, "/v1/map-features/search", "Signs and the like in a polygon, around a point or along a line"), func(ctx context.Context, in *struct{ Body featureQuery }) (*answer[FeaturePage], error) {
		p, err := s.findFeatures(ctx, in.Body)
		if err != nil {
			return nil, err
		}
		return give("public, max-age=30", p), nil
	})
	httpx.Handle(hapi, op("get-map-feature", http.MethodGet, "/v1/map-features/{id}", "A map feature with the frames that show it"), s.getFeature)
}

type listFeaturesIn struct {
	BBox          []float64 `query:"bbox" doc:"west,south,east,north in degrees; west is the larger over the antimeridian"`
	Point         []float64 `query:"point" doc:"longitude,latitude of a centre, with meters"`
	Line          string    `query:"line" maxLength:"8000" doc:"longitude,latitude pairs with blanks or semicolons between, with meters" example:"7.42,43.73;7.43,43.74"`
	Meters        float64   `query:"meters" minimum:"0" maximum:"500" doc:"radius or buffer; 25 if left out"`
	Class         string    `query:"class" enum:"sign,text,"`
	Kind          string    `query:"kind" maxLength:"40"`
	Since         time.Time `query:"since"`
	MinConfidence float64   `query:"min_confidence" minimum:"0" maximum:"1"`
	Limit         int       `query:"limit" minimum:"1" maximum:"1000" default:"200"`
	Cursor        string    `query:"cursor"`
}

func (s *Server) listFeatures(ctx context.Context, in *listFeaturesIn) (*answer[FeaturePage], error) {
	q := featureQuery{Meters: in.Meters, Class: in.Class, Kind: in.Kind, Since: in.Since, MinConfidence: in.MinConfidence, Limit: in.Limit, Cursor: in.Cursor}
	given := 0
	set := func(typ string, coordinates any) {
		given++
		b, err := json.Marshal(coordinates)
		if err != nil {
			b = nil // NaN and the like, which newArea refuses
		}
		q.Geometry = Geometry{typ, b}
	}
	if b := in.BBox; len(b) > 0 {
		if len(b) != 4 || b[1] > b[3] {
			return nil, survey.Errorf(survey.Invalid, "bbox is not west,south,east,north")
		}
		box := func(west, east float64) [][][2]float64 {
			return [][][2]float64{{{west, b[1]}, {east, b[1]}, {east, b[3]}, {west, b[3]}, {west, b[1]}}}
		}
		if b[0] > b[2] { // over the antimeridian, as RFC 7946 writes it
			set("MultiPolygon", [][][][2]float64{box(b[0], 180), box(-180, b[2])})
		} else {
			set("Polygon", box(b[0], b[2]))
		}
	}
	if len(in.Point) > 0 {
		set("Point", in.Point)
	}
	if in.Line != "" {
		var line [][]float64
		for pair := range strings.FieldsFuncSeq(in.Line, func(r rune) bool { return r == ';' || r == ' ' }) {
			lon, lat, ok := strings.Cut(pair, ",")
			x, e1 := strconv.ParseFloat(lon, 64)
			y, e2 := strconv.ParseFloat(lat, 64)
			if !ok || e1 != nil || e2 != nil {
				return nil, survey.Errorf(survey.Invalid, "line: %.40q is not longitude,latitude", pair)
			}
			line = append(line, []float64{x, y})
		}
		set("LineString", line)
	}
	if given != 1 {
		return nil, survey.Errorf(survey.Invalid, "give one of bbox, point and line").WithHint("POST /v1/map-features/search takes any polygon")
	}
	p, err := s.findFeatures(ctx, q)
	if err != nil {
		return nil, err
	}
	return give("public, max-age=30", p), nil
}

const (
	featureColumns = `m.id, m.drive_id, m.class, m.kind, m.lat_e7, m.lon_e7, m.cell, m.sigma_mm, m.frames, m.first_seen, m.last_seen, m.confidence_ppm`
	// A feature is public as long as a public frame shows it.
	featureShown = `EXISTS (SELECT 1 FROM frame_features s JOIN frames f ON f.id = s.frame_id WHERE s.feature_id = m.id AND f.state = 'published')`
)

func scanFeature(row interface{ Scan(...any) error }) (MapFeature, error) {
	var lat, lon, cell, sigma, first, last, ppm int64
	f := MapFeature{Type: "Feature", Geometry: GeoPoint{Type: "Point"}}
	p := &f.Properties
	err := row.Scan(&f.ID, &p.Sequence, &p.Class, &p.Kind, &lat, &lon, &cell, &sigma, &p.Frames, &first, &last, &ppm)
	f.Geometry.Coordinates = [2]float64{float64(lon) / 1e7, float64(lat) / 1e7}
	p.Cell, p.Accuracy, p.FirstSeen, p.LastSeen, p.Confidence = survey.Cell(cell), math.Round(float64(sigma)/10)/100, state.Time(first), state.Time(last), survey.PPM(ppm).Float()
	return f, err
}

func (s *Server) findFeatures(ctx context.Context, q featureQuery) (FeaturePage, error) {
	page := FeaturePage{Type: "FeatureCollection", Features: []MapFeature{}}
	a, err := newArea(q.Geometry, q.Meters)
	if err != nil {
		return page, err
	}
	if a.m2 > maxFeatureArea {
		return page, survey.Errorf(survey.Invalid, "the area has %.0f km², a query may span %g", a.m2/1e6, maxFeatureArea/1e6).WithHint("split it, or read the tiles of the layer features")
	}
	res := 8
	if a.m2 < 1e6 {
		res = 10
	}
	cs, err := a.cells(min(res, s.Resolution), 2000)
	if err != nil {
		return page, err
	}
	var args []any
	arg := func(v any) string { args = append(args, v); return "$" + strconv.Itoa(len(args)) }
	where := featureShown + " AND " + cellsIn("m.cell", hex.Around(cs), s.Resolution, arg)
	if q.Class != "" {
		where += " AND m.class = " + arg(q.Class)
	}
	if q.Kind != "" {
		where += " AND m.kind = " + arg(q.Kind)
	}
	if !q.Since.IsZero() {
		where += " AND m.last_seen >= " + arg(state.Micros(q.Since))
	}
	if q.MinConfidence > 0 {
		where += " AND m.confidence_ppm >= " + arg(int64(survey.PPMOf(q.MinConfidence)))
	}
	limit := q.Limit
	if limit == 0 {
		limit = 200
	}
	after, err := idCursor(q.Cursor)
	if err != nil {
		return page, err
	}
	n := len(args)
	for {
		rows, err := s.DB.Query(ctx, fmt.Sprintf(`SELECT %s FROM map_features m WHERE %s AND m.id > $%d ORDER BY m.id LIMIT %d`, featureColumns, where, n+1, 2*limit+1), append(args[:n:n], after)...)
		if err != nil {
			return page, err
		}
		read := 0
		for rows.Next() {
			f, err := scanFeature(rows)
			if err != nil {
				return page, errors.Join(err, rows.Close())
			}
			read, after = read+1, string(f.ID)
			if !a.inside(geo.Point{Lat: f.Geometry.Coordinates[1], Lon: f.Geometry.Coordinates[0]}) {
				continue
			}
			if len(page.Features) == limit {
				page.Next = encodeCursor(string(page.Features[limit-1].ID))
				return page, rows.Close()
			}
			page.Features = append(page.Features, f)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil || read <= 2*limit {
			return page, err
		}
	}
}

func (s *Server) getFeature(ctx context.Context, in *struct {
	ID string `path:"id" doc:"identity of the feature"`
}) (*answer[MapFeature], error) {
	none := survey.Errorf(survey.NotFound, "there is no map feature %.40q", in.ID)
	f, err := scanFeature(s.DB.QueryRow(ctx, `SELECT `+featureColumns+` FROM map_features m WHERE m.id = $1 AND `+featureShown, in.ID))
	if errors.Is(err, state.ErrNoRows) {
		return nil, none
	}
	if err != nil {
		return nil, err
	}
	rows, err := s.DB.Query(ctx, `SELECT f.id, f.captured_at, s.x, s.y, s.w, s.h, s.confidence_ppm, f.public_sha256, f.public_width, f.public_height FROM frame_features s JOIN frames f ON f.id = s.frame_id
		WHERE s.feature_id = $1 AND f.state = 'published' ORDER BY s.w * s.h DESC, f.seq LIMIT 50`, in.ID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var g Sighting
		var us, ppm int64
		var sum string
		if err := rows.Scan(&g.Frame, &us, &g.Box[0], &g.Box[1], &g.Box[2], &g.Box[3], &ppm, &sum, &g.Width, &g.Height); err != nil {
			return nil, err
		}
		g.CapturedAt, g.Confidence = state.Time(us), survey.PPM(ppm).Float()
		g.Image = s.url("/v1/frames/" + string(g.Frame) + "/image.jpg?v=" + sum[:min(16, len(sum))])
		f.Properties.Sightings = append(f.Properties.Sightings, g)
	}
	return give("public, max-age=30", f), rows.Err()
}
