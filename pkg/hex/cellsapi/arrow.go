package cellsapi

import (
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/hex/cells"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// CellRow is a cell of an answer as an Arrow IPC stream: Info, its sectors as columns that are null for never, and its
// outline. The schema's metadata holds as_of, params and resolution.
type CellRow struct {
	Cell         survey.Cell   `lake:"h3"`
	Live         int64         `lake:"live"`
	Observations int64         `lake:"observations"`
	Freshness    int64         `lake:"freshness_ppm"`
	Freshest     int64         `lake:"freshest_ppm"`
	Quality      int64         `lake:"quality_ppm"`
	BestQuality  int64         `lake:"best_quality_ppm"`
	FirstSeen    time.Time     `lake:"first_seen"`
	LastSeen     time.Time     `lake:"last_seen"`
	SeenN        *time.Time    `lake:"seen_n"`
	SeenNE       *time.Time    `lake:"seen_ne"`
	SeenE        *time.Time    `lake:"seen_e"`
	SeenSE       *time.Time    `lake:"seen_se"`
	SeenS        *time.Time    `lake:"seen_s"`
	SeenSW       *time.Time    `lake:"seen_sw"`
	SeenW        *time.Time    `lake:"seen_w"`
	SeenNW       *time.Time    `lake:"seen_nw"`
	Geometry     lake.Geometry `lake:"geometry"`
}

func arrowRow(i Info, r cells.FreshRow) CellRow {
	out := CellRow{
		Cell: i.Cell, Live: i.Live, Observations: i.Observations, Freshness: int64(i.Freshness), Freshest: int64(i.Freshest),
		Quality: int64(i.Quality), BestQuality: int64(i.BestQuality), FirstSeen: i.FirstSeen, LastSeen: i.LastSeen,
		Geometry: lake.Polygon(hex.Unwrap(hex.Boundary(i.Cell))),
	}
	h := r.Row.Headings()
	for b, place := range []**time.Time{&out.SeenN, &out.SeenNE, &out.SeenE, &out.SeenSE, &out.SeenS, &out.SeenSW, &out.SeenW, &out.SeenNW} {
		if !h[b].IsZero() {
			*place = &h[b]
		}
	}
	return out
}

// WorthRow is a cell of an answer about opportunity as an Arrow IPC stream; lon and lat are its centre's.
type WorthRow struct {
	Cell   survey.Cell `lake:"h3"`
	Worth  int64       `lake:"worth_ppm"`
	Seen   int64       `lake:"seen"`
	Bounty int64       `lake:"bounty" unit:"base units"`
	Lon    float64     `lake:"lon"`
	Lat    float64     `lake:"lat"`
}

// CoverageRow is the coverage of an area as an Arrow IPC stream of one row; geometry is the outer ring
// of what was asked for.
type CoverageRow struct {
	Cells        int64         `lake:"cells"`
	Seen         int64         `lake:"seen"`
	Coverage     int64         `lake:"coverage_ppm"`
	Observations int64         `lake:"observations"`
	Freshness    int64         `lake:"freshness_ppm"`
	LastSeen     *time.Time    `lake:"last_seen"`
	Geometry     lake.Geometry `lake:"geometry"`
}

// encode is the answer's body and media type: rows as an Arrow stream.
func encode[T any](rows []T, asOf time.Time, params string, res int) ([]byte, string, error) {
	b, err := lake.EncodeStream(map[string]string{"as_of": asOf.UTC().Format(time.RFC3339Nano), "params": params, "resolution": strconv.Itoa(res)}, rows)
	return b, lake.StreamMediaType, err
}

// Accept is what the asker would like to have.
type Accept struct {
	Accept string `header:"Accept" doc:"application/vnd.apache.arrow.stream gives an Arrow IPC stream, application/geo+json GeoJSON."`
}

// likes are the weights of the three forms.
func (a Accept) likes() (arrow, geo, json float64) {
	for _, part := range strings.Split(a.Accept, ",") {
		t, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		q := 1.0
		if v, ok := params["q"]; ok {
			if q, err = strconv.ParseFloat(v, 64); err != nil {
				continue
			}
		}
		switch t {
		case lake.StreamMediaType:
			arrow = max(arrow, q)
		case geoJSON:
			geo = max(geo, q)
		case plainJSON:
			json = max(json, q)
		}
	}
	return arrow, geo, json
}

// arrow reports whether an Arrow stream is named and liked at least as much as JSON of either kind.
func (a Accept) arrow() bool {
	arrow, geo, json := a.likes()
	return arrow > 0 && arrow >= max(geo, json)
}

// geoJSON reports whether GeoJSON is named and liked better than plain JSON and an Arrow stream, where all three are to be had.
func (a Accept) geoJSON() bool {
	arrow, geo, json := a.likes()
	return geo > json && geo > arrow
}

// answer is a body in the form that is liked: plain JSON unless another is named.
func answer[T any](a Accept, plain any, features func() any, rows func() []T, asOf time.Time, params string, res int) (*negotiated, error) {
	out := &negotiated{CacheControl: briefly, ContentType: plainJSON, Vary: "Accept", Body: plain}
	var err error
	switch {
	case a.arrow():
		out.Body, out.ContentType, err = encode(rows(), asOf, params, res)
	case a.geoJSON():
		out.Body, out.ContentType = features(), geoJSON
	}
	return out, err
}

// either says in the document that an operation answers as JSON of type T under the media type, or as an Arrow stream; one
// whose JSON is not GeoJSON answers as that too.
func either[T any](api huma.API, op huma.Operation, mediaType string) huma.Operation {
	op.Responses = map[string]*huma.Response{strconv.Itoa(http.StatusOK): {
		Description: "by the Accept header",
		Content: map[string]*huma.MediaType{
			mediaType:            {Schema: api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")},
			lake.StreamMediaType: {},
		},
	}}
	if mediaType == plainJSON {
		op.Responses[strconv.Itoa(http.StatusOK)].Content[geoJSON] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeObject, Description: "the same as properties of the area or of the cells"}}
	}
	return op
}
