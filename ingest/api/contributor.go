package api

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// EnsureContributor makes the contributor with this id, or gives an existing one this handle and token. It is for a
// network of one machine, which registers its owner itself.
func EnsureContributor(ctx context.Context, db *state.DB, id survey.ContributorID, handle, token string) error {
	if id == "" || token == "" {
		return survey.Errorf(survey.Invalid, "contributor %q needs an id and a token", handle)
	}
	_, err := db.Exec(ctx, `INSERT INTO contributors (id, handle, token_sha256, created_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (id) DO UPDATE SET handle = excluded.handle, token_sha256 = excluded.token_sha256`,
		string(id), handle, httpx.Digest(token), state.Micros(time.Now()))
	return err
}

// SetPayout records the address to which the contributor's rewards go: 0x and 40 hex digits, kept in lower case; ""
// clears it. Anything else is Invalid.
func SetPayout(ctx context.Context, db *state.DB, id survey.ContributorID, address string) error {
	a := strings.ToLower(address)
	if a != "" {
		b, err := hex.DecodeString(strings.TrimPrefix(a, "0x"))
		if err != nil || !strings.HasPrefix(a, "0x") || len(b) != 20 {
			return survey.Errorf(survey.Invalid, "payout address %.60q is not 0x and 40 hex digits", address)
		}
	}
	n, err := db.Exec(ctx, `UPDATE contributors SET payout_address = $2 WHERE id = $1`, string(id), a)
	if err == nil && n == 0 {
		err = survey.Errorf(survey.NotFound, "no contributor %s", id)
	}
	return err
}

// NewContributor registers a contributor under a random id and gives the token, which is not kept and cannot be shown
// again.
func NewContributor(ctx context.Context, db *state.DB, handle string, now time.Time) (survey.ContributorID, string, error) {
	if n := utf8.RuneCountInString(handle); n == 0 || n > 80 || !printable(handle) {
		return "", "", survey.Errorf(survey.Invalid, "handle %.80q is not 1 to 80 printable characters", handle)
	}
	var b [16]byte
	rand.Read(b[:])
	id, tok := survey.ContributorID(hex.EncodeToString(b[:])), newToken()
	_, err := db.Exec(ctx, `INSERT INTO contributors (id, handle, token_sha256, created_at) VALUES ($1, $2, $3, $4)`,
		string(id), handle, httpx.Digest(tok), state.Micros(now))
	return id, tok, err
}

func newToken() string {
	var b [32]byte
	rand.Read(b[:])
	return "rcd_" + base64.RawURLEncoding.EncodeToString(b[:])
}

// Registered is a new contributor.
type Registered struct {
	ID    survey.ContributorID `json:"id" doc:"Random; says nothing about the person."`
	Token string               `json:"token" doc:"The bearer token. It is shown this once."`
}

// Me is a contributor as they see themselves.
type Me struct {
	ID      survey.ContributorID `json:"id"`
	Handle  string               `json:"handle"`
	Payout  string               `json:"payout_address,omitempty" doc:"Where rewards go, 0x and 40 hex digits."`
	Blocked bool                 `json:"blocked,omitempty" doc:"The operator takes no more uploads."`
	Limits  MyLimits             `json:"limits"`
	Used    Usage                `json:"used"`
}

// MyLimits is what an uploader must keep to.
type MyLimits struct {
	Files       int   `json:"files" doc:"Most files of an upload."`
	PathBytes   int   `json:"path_bytes" doc:"Most bytes of a path."`
	FileBytes   int64 `json:"file_bytes" doc:"Most bytes of a file."`
	UploadBytes int64 `json:"upload_bytes" doc:"Most bytes of an upload."`
	DayBytes    int64 `json:"day_bytes" doc:"Most bytes of the uploads opened within 24 hours."`
	OpenUploads int   `json:"open_uploads" doc:"Most uploads open at a time."`
}

// Usage is how much of the limits is taken.
type Usage struct {
	DayBytes    int64 `json:"day_bytes"`
	OpenUploads int   `json:"open_uploads"`
}

// Zone is a circle in which nothing of a contributor's is published.
type Zone struct {
	ID     string     `json:"id"`
	Lat    float64    `json:"lat" minimum:"-90" maximum:"90"`
	Lon    float64    `json:"lon" minimum:"-180" maximum:"180"`
	Radius geo.Meters `json:"radius_m" minimum:"50" maximum:"2000" doc:"Metres, by geodesic distance."`
}

const maxZones = 50

type none struct{}

func (s *server) contributorRoutes(api huma.API) {
	s.rosterRoutes(api)
	driver(s, api, huma.Operation{OperationID: "me", Method: http.MethodGet, Path: "/v1/me", Tags: []string{"contributors"}, Summary: "Who I am and what I may send"}, s.me)
	driver(s, api, huma.Operation{OperationID: "set-payout", Method: http.MethodPut, Path: "/v1/me/payout", Tags: []string{"contributors"},
		Summary: "Set where my rewards go", DefaultStatus: http.StatusNoContent},
		func(ctx context.Context, c *contributor, in *struct {
			Body struct {
				Address string `json:"address" doc:"0x and 40 hex digits; empty clears it."`
			}
		}) (*none, error) {
			return nil, SetPayout(ctx, s.DB, c.id, in.Body.Address)
		})
	driver(s, api, huma.Operation{OperationID: "list-zones", Method: http.MethodGet, Path: "/v1/me/zones", Tags: []string{"privacy"}, Summary: "My privacy zones"}, s.zones)
	driver(s, api, huma.Operation{OperationID: "add-zone", Method: http.MethodPost, Path: "/v1/me/zones", Tags: []string{"privacy"},
		Summary: "Add a privacy zone", Description: "It holds for drives ingested from now on.", DefaultStatus: http.StatusCreated}, s.addZone)
	driver(s, api, huma.Operation{OperationID: "remove-zone", Method: http.MethodDelete, Path: "/v1/me/zones/{id}", Tags: []string{"privacy"},
		Summary: "Remove a privacy zone", DefaultStatus: http.StatusNoContent},
		func(ctx context.Context, c *contributor, in *struct {
			ID string `path:"id"`
		}) (*none, error) {
			n, err := s.DB.Exec(ctx, `DELETE FROM privacy_zones WHERE id = $1 AND contributor_id = $2`, in.ID, string(c.id))
			if err == nil && n == 0 {
				err = survey.Errorf(survey.NotFound, "no privacy zone %.40q", in.ID)
			}
			return nil, err
		})
}

func (s *server) me(ctx context.Context, c *contributor, _ *struct{}) (*struct{ Body Me }, error) {
	l := c.limits
	m := Me{ID: c.id, Handle: c.handle, Payout: c.payout, Blocked: c.blocked, Limits: MyLimits{l.Files, l.PathBytes, l.FileBytes, l.UploadBytes, l.DayBytes, l.OpenUploads}}
	var err error
	m.Used, err = s.usage(ctx, s.DB, c)
	return &struct{ Body Me }{m}, err
}

func (s *server) usage(ctx context.Context, q state.Querier, c *contributor) (u Usage, err error) {
	var open int64
	err = q.QueryRow(ctx, `SELECT
		COALESCE(SUM(CASE WHEN created_at > $2 THEN bytes ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN state = 'open' THEN 1 ELSE 0 END), 0)
		FROM uploads WHERE contributor_id = $1 AND (created_at > $2 OR state = 'open')`,
		string(c.id), state.Micros(s.Clock().Add(-24*time.Hour))).Scan(&u.DayBytes, &open)
	u.OpenUploads = int(open)
	return u, err
}

type zoneList struct {
	Body struct {
		Zones []Zone `json:"zones"`
	}
}

func (s *server) zones(ctx context.Context, c *contributor, _ *struct{}) (*zoneList, error) {
	rows, err := s.DB.Query(ctx, `SELECT id, lat_e7, lon_e7, radius_mm FROM privacy_zones WHERE contributor_id = $1 ORDER BY created_at, id`, string(c.id))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := &zoneList{}
	out.Body.Zones = []Zone{}
	for rows.Next() {
		var z Zone
		var lat, lon, mm int64
		if err := rows.Scan(&z.ID, &lat, &lon, &mm); err != nil {
			return nil, err
		}
		z.Lat, z.Lon, z.Radius = float64(lat)/1e7, float64(lon)/1e7, geo.Meters(mm)/1000
		out.Body.Zones = append(out.Body.Zones, z)
	}
	return out, rows.Err()
}

func (s *server) addZone(ctx context.Context, c *contributor, in *struct {
	Body struct {
		Lat    float64  `json:"lat" minimum:"-90" maximum:"90"`
		Lon    float64  `json:"lon" minimum:"-180" maximum:"180"`
		Radius *float64 `json:"radius_m,omitempty" minimum:"50" maximum:"2000" doc:"Metres; 200 if left out."`
	}
}) (*struct{ Body Zone }, error) {
	z := Zone{Lat: in.Body.Lat, Lon: in.Body.Lon, Radius: 200}
	if in.Body.Radius != nil {
		z.Radius = geo.Meters(*in.Body.Radius)
	}
	p := geo.Point{Lat: z.Lat, Lon: z.Lon}
	if p == (geo.Point{}) {
		return nil, survey.Errorf(survey.Invalid, "a privacy zone at 0°, 0° protects nobody").WithHint("give the latitude and longitude of the place")
	}
	var b [16]byte
	rand.Read(b[:])
	z.ID = hex.EncodeToString(b[:])
	full := errors.New("full")
	err := s.DB.Tx(ctx, func(tx *state.Tx) error {
		var n int
		if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM privacy_zones WHERE contributor_id = $1`, string(c.id)).Scan(&n); err != nil {
			return err
		}
		if n >= maxZones {
			return full
		}
		_, err := tx.Exec(ctx, `INSERT INTO privacy_zones (id, contributor_id, lat_e7, lon_e7, radius_mm, created_at) VALUES ($1, $2, $3, $4, $5, $6)`,
			z.ID, string(c.id), e7(z.Lat), e7(z.Lon), int64(float64(z.Radius)*1000+0.5), state.Micros(s.Clock()))
		return err
	})
	if errors.Is(err, full) {
		return nil, survey.Errorf(survey.Conflict, "there are %d privacy zones already", maxZones).WithHint("remove one first")
	}
	return &struct{ Body Zone }{z}, err
}

func e7(deg float64) int64 {
	if deg < 0 {
		return int64(deg*1e7 - 0.5)
	}
	return int64(deg*1e7 + 0.5)
}

func printable(s string) bool {
	for _, r := range s {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return false
		}
	}
	return true
}
