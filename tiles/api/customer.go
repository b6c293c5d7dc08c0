package api

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/tiles/api/keys"
)

// What imagery costs and how much of it one query may ask for.
const (
	// BillingResolution is the H3 resolution of a cell-week, the unit of sale: about 15,000 m².
	BillingResolution = 10
	maxArea           = 5e6 // m² of an imagery query
	urlLifetime       = time.Hour
	answerLifetime    = 24 * time.Hour
)

// keyAuth names the security scheme of API keys in the OpenAPI document.
const keyAuth = "key"

type customers struct {
	mu       sync.Mutex
	limiters map[int64]*httpx.Limiter // by requests a minute; a key is one bucket
	secret   []byte                   // signs image addresses
}

// imageryQuery is what a customer asks for.
type imageryQuery struct {
	Geometry   Geometry `json:"geometry"`
	Meters     float64  `json:"meters,omitempty" minimum:"0" maximum:"500" doc:"radius of a Point or buffer of a LineString in metres; 25 if left out"`
	MinWeek    string   `json:"min_week,omitempty" doc:"Monday of the first week, like 2026-05-04: only frames taken in it or later" example:"2026-05-04"`
	MaxWeek    string   `json:"max_week,omitempty" doc:"Monday of the last week"`
	Azimuth    *float64 `json:"azimuth,omitempty" minimum:"0" maximum:"360" doc:"only frames that look this way, degrees clockwise from true north"`
	Tolerance  float64  `json:"tolerance,omitempty" minimum:"0" maximum:"180" doc:"degrees either side of azimuth; 45 if left out"`
	MinQuality float64  `json:"min_quality,omitempty" minimum:"0" maximum:"1" doc:"least quality score"`
	Latest     bool     `json:"latest,omitempty" doc:"only the newest frame of each cell"`
	Limit      int      `json:"limit,omitempty" minimum:"1" maximum:"500" doc:"frames on a page; 100 if left out"`
	Cursor     string   `json:"cursor,omitempty" doc:"next of the page before"`
	DryRun     bool     `json:"dry_run,omitempty" doc:"count frames and cost of the whole query, give and charge nothing"`
}

// ImageryPage is the answer to an imagery query.
type ImageryPage struct {
	Frames           []Frame    `json:"frames"`
	Next             string     `json:"next,omitempty" doc:"pass as cursor for the next page; absent on the last"`
	URLsExpireAt     *time.Time `json:"urls_expire_at,omitempty" doc:"until when the images' addresses work; POST /v1/imagery/renew gives new ones"`
	Found            int64      `json:"found" doc:"frames on this page; with dry_run, of the whole query"`
	CellWeeks        int64      `json:"cell_weeks" doc:"different cells and weeks among them; a cell in a week is paid for once"`
	CreditsUsed      int64      `json:"credits_used" doc:"charged; with dry_run, what it would be"`
	CreditsRemaining int64      `json:"credits_remaining"`
	DryRun           bool       `json:"dry_run,omitempty"`
}

type imageryIn struct {
	Idempotency string `header:"Idempotency-Key" maxLength:"200" doc:"a word of your choice: the same request under it is charged and answered once in 24 hours"`
	Body        imageryQuery
}

type imageryOut struct {
	Cache    string `header:"Cache-Control"`
	Replayed string `header:"Idempotency-Replayed" doc:"true when the answer is one given before"`
	Body     ImageryPage
}

func (s *Server) registerCustomers(mux httpx.Mux, hapi huma.API) {
	for _, p := range []string{"/v1/imagery/", "/v1/usage"} {
		mux.HandleFunc("OPTIONS "+p, preflight)
	}
	schemes := hapi.OpenAPI().Components.SecuritySchemes
	if schemes == nil {
		schemes = map[string]*huma.SecurityScheme{}
		hapi.OpenAPI().Components.SecuritySchemes = schemes
	}
	schemes[keyAuth] = &huma.SecurityScheme{Type: "apiKey", In: "header", Name: "X-API-Key", Description: "A customer's key. Also taken as a bearer token, or as ?key= by clients that send no headers."}
	op := func(id, method, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, Tags: []string{"Imagery"}, Security: httpx.Security(keyAuth), MaxBodyBytes: 1 << 20,
			Errors:      []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable},
			Middlewares: huma.Middlewares{httpx.Guard(s.admit(keys.Imagery))}}
	}
	search := op("search-imagery", http.MethodPost, "/v1/imagery/search", "Frames in an area, newest first, with addresses of their images")
	search.Description = "Each cell (H3 resolution 10) in a week costs the same, however many of its frames are given, and is paid for once. Send dry_run to see the cost first."
	httpx.Handle(hapi, search, s.searchImagery)
	httpx.Handle(hapi, op("renew-imagery", http.MethodPost, "/v1/imagery/renew", "New addresses for images whose cell and week are paid for"), s.renew)
	httpx.Handle(hapi, op("get-usage", http.MethodGet, "/v1/usage", "Credits, quotas and use by day"), s.usage)
	mux.HandleFunc("GET /v1/imagery/frames/{id}/image.jpg", s.signedImage)
	hapi.OpenAPI().AddOperation(&huma.Operation{OperationID: "get-imagery-image", Method: http.MethodGet, Path: "/v1/imagery/frames/{id}/image.jpg", Summary: "The full redacted image, at an address from a search", Tags: []string{"Imagery"},
		Parameters: []*huma.Param{
			{Name: "id", In: "path", Required: true, Description: "identity of the frame", Schema: &huma.Schema{Type: "string"}},
			{Name: "expires", In: "query", Required: true, Description: "Unix second until which the address works", Schema: &huma.Schema{Type: "integer"}},
			{Name: "signature", In: "query", Required: true, Description: "made by the server", Schema: &huma.Schema{Type: "string"}},
		},
		Responses: map[string]*huma.Response{"200": {Description: "JPEG", Content: map[string]*huma.MediaType{"image/jpeg": {}}}, "403": {Description: "the address is wrong or no longer works"}, "404": {Description: "the frame is not public (any more)"}}})
}

type keyInCtx struct{}

func keyOf(ctx context.Context) keys.Key { k, _ := ctx.Value(keyInCtx{}).(keys.Key); return k }

// admit lets in a key with the scope, from an origin it allows, within its quotas.
func (s *Server) admit(scope keys.Scope) func(huma.Context) (context.Context, error) {
	return func(hc huma.Context) (context.Context, error) {
		ctx, h := hc.Context(), httpx.ResponseHeader(hc)
		cors(h)
		secret := hc.Header("X-API-Key")
		if secret == "" {
			secret = httpx.BearerToken(hc.Header("Authorization"))
		}
		if secret == "" {
			secret = hc.Query("key")
		}
		if secret == "" {
			return nil, survey.Errorf(survey.Unauthorized, "this needs an API key").WithHint("send it as X-API-Key, as a bearer token, or as ?key=")
		}
		now := s.Clock()
		k, err := keys.Find(ctx, s.DB, secret, now)
		if err != nil {
			return nil, err
		}
		switch origin := hc.Header("Origin"); {
		case !k.Allows(scope):
			return nil, forbidden("the key does not have the scope %q", scope)
		case !k.AllowsOrigin(origin):
			return nil, forbidden("the key may not be used from origin %.100q", origin)
		}
		if err := s.limiter(k.PerMinute).Check(h, k.ID); err != nil {
			return nil, err
		}
		var day keys.Day
		if err := s.DB.Tx(ctx, func(tx *state.Tx) error {
			var err error
			day, err = keys.Used(ctx, tx, k.ID, 1, 0, 0, now)
			return err
		}); err != nil {
			return nil, err
		}
		midnight := now.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour).Sub(now)
		h.Set("RateLimit-Policy", h.Get("RateLimit-Policy")+fmt.Sprintf(`, "day";q=%d;w=86400`, k.PerDay))
		h.Set("RateLimit", h.Get("RateLimit")+fmt.Sprintf(`, "day";r=%d;t=%d`, max(0, k.PerDay-day.Requests), int(midnight.Seconds())))
		if day.Requests > k.PerDay {
			return nil, httpx.ProblemOf(survey.Errorf(survey.Busy, "the key's %d requests of today are used", k.PerDay).WithHint("the next day begins at 00:00 UTC")).RetryAfter(midnight)
		}
		return context.WithValue(ctx, keyInCtx{}, k), nil
	}
}

func (s *Server) limiter(perMinute int64) *httpx.Limiter {
	s.customers.mu.Lock()
	defer s.customers.mu.Unlock()
	l := s.customers.limiters[perMinute]
	if l == nil {
		l = &httpx.Limiter{Rate: float64(perMinute) / 60, Burst: int(perMinute), Name: "minute", Clock: s.Clock}
		if s.customers.limiters == nil {
			s.customers.limiters = map[int64]*httpx.Limiter{}
		}
		s.customers.limiters[perMinute] = l
	}
	return l
}

func forbidden(format string, args ...any) error {
	return (&httpx.Problem{Title: http.StatusText(http.StatusForbidden), Status: http.StatusForbidden, Detail: fmt.Sprintf(format, args...)}).Typed("forbidden")
}

// filter is an imageryQuery made ready.
type filter struct {
	area
	where     string
	args      []any
	azimuth   *float64
	tolerance float64
}

func (s *Server) filter(q imageryQuery) (filter, error) {
	a, err := newArea(q.Geometry, q.Meters)
	if err != nil {
		return filter{}, err
	}
	if a.m2 > maxArea {
		return filter{}, survey.Errorf(survey.Invalid, "the area has %.1f km², a query may span %g", a.m2/1e6, maxArea/1e6).WithHint("split it")
	}
	res := 9
	if a.m2 < 5e4 {
		res = 11
	}
	cs, err := a.cells(min(res, s.Resolution), 2000)
	if err != nil {
		return filter{}, err
	}
	f := filter{area: a, azimuth: q.Azimuth, tolerance: q.Tolerance}
	if f.tolerance == 0 {
		f.tolerance = 45
	}
	arg := func(v any) string { f.args = append(f.args, v); return "$" + strconv.Itoa(len(f.args)) }
	f.where = cellsIn("cell", hex.Around(cs), s.Resolution, arg)
	var weeks []survey.Epoch
	for _, w := range []struct {
		text, op string
		end      bool
	}{{q.MinWeek, ">=", false}, {q.MaxWeek, "<", true}} {
		if w.text == "" {
			continue
		}
		e, err := survey.ParseEpoch(w.text)
		if err != nil {
			return filter{}, err
		}
		t := e.Start()
		if w.end {
			t = e.End()
		}
		if weeks = append(weeks, e); e.Start().Before(weeks[0].Start()) {
			return filter{}, survey.Errorf(survey.Invalid, "max_week %s is before min_week %s", w.text, q.MinWeek)
		}
		f.where += " AND captured_at " + w.op + " " + arg(state.Micros(t))
	}
	if q.MinQuality > 0 {
		f.where += " AND quality_ppm >= " + arg(int64(survey.PPMOf(q.MinQuality)))
	}
	if q.Latest {
		f.where += ` AND NOT EXISTS (SELECT 1 FROM frames n WHERE n.state = 'published' AND n.cell = frames.cell
			AND (n.captured_at > frames.captured_at OR n.captured_at = frames.captured_at AND n.id > frames.id))`
	}
	return f, nil
}

func (f filter) match(p geo.Point, headingMdeg int64) bool {
	if f.azimuth != nil && (headingMdeg < 0 || geo.BearingDiff(geo.BearingDeg(float64(headingMdeg)/1e3), geo.NormalizeBearing(*f.azimuth)) > f.tolerance) {
		return false
	}
	return f.inside(p)
}

// cellWeek is the unit of sale.
type cellWeek struct {
	cell survey.Cell
	week int64
}

func billed(c survey.Cell, captured time.Time) cellWeek {
	return cellWeek{c.Parent(BillingResolution), survey.EpochOf(captured).Number()}
}

// sortedWeeks puts them into one order, so that two queries that buy at once never wait for each other in a circle.
func sortedWeeks[V any](m map[cellWeek]V) []cellWeek {
	return slices.SortedFunc(maps.Keys(m), func(a, b cellWeek) int {
		return cmp.Or(cmp.Compare(a.cell, b.cell), cmp.Compare(a.week, b.week))
	})
}

func (s *Server) searchImagery(ctx context.Context, in *imageryIn) (*imageryOut, error) {
	k, q := keyOf(ctx), in.Body
	give := func(p ImageryPage, replayed string) *imageryOut {
		return &imageryOut{Cache: "private, no-store", Replayed: replayed, Body: p}
	}
	f, err := s.filter(q)
	if err != nil {
		return nil, err
	}
	if q.DryRun {
		p, err := s.quote(ctx, k, f)
		if err != nil {
			return nil, err
		}
		return give(p, ""), nil
	}
	raw, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	request := survey.HashOf(raw).String()
	if in.Idempotency != "" {
		if p, ok, err := s.answered(ctx, s.DB, k.ID, in.Idempotency, request); ok || err != nil {
			return give(p, "true"), err
		}
	}
	p, bought, err := s.find(ctx, f, q)
	if err != nil {
		return nil, err
	}
	var replay bool
	err = s.DB.Tx(ctx, func(tx *state.Tx) error {
		replay = false
		return s.charge(ctx, tx, k, &p, bought, in.Idempotency, request, &replay)
	})
	if err != nil {
		return nil, err
	}
	if replay { // the same request was answered while this one looked
		p, _, err := s.answered(ctx, s.DB, k.ID, in.Idempotency, request)
		return give(p, "true"), err
	}
	return give(p, ""), nil
}

// find fills a page: frames of the query from its cursor on, with signed addresses.
func (s *Server) find(ctx context.Context, f filter, q imageryQuery) (p ImageryPage, bought map[cellWeek]map[survey.Cell]bool, err error) {
	limit := q.Limit
	if limit == 0 {
		limit = 100
	}
	us, id, err := timeCursor(q.Cursor)
	if err != nil {
		return p, nil, err
	}
	expires, err := s.expiry(ctx)
	if err != nil {
		return p, nil, err
	}
	bought = map[cellWeek]map[survey.Cell]bool{}
	p = ImageryPage{Frames: []Frame{}, URLsExpireAt: &expires}
	n := len(f.args)
	where := fmt.Sprintf("%s AND (captured_at, id) < ($%d, $%d) ORDER BY captured_at DESC, id DESC LIMIT %d", f.where, n+1, n+2, 2*limit+1)
	for {
		rows, err := s.queryFrames(ctx, where, append(f.args[:n:n], us, id)...)
		if err != nil {
			return p, nil, err
		}
		for _, r := range rows {
			us, id = r.us, string(r.ID)
			if !f.match(r.Position, r.mdeg) {
				continue
			}
			if len(p.Frames) == limit {
				last := p.Frames[limit-1]
				p.Next = encodeCursor(strconv.FormatInt(state.Micros(last.CapturedAt), 10), string(last.ID))
				return p, bought, nil
			}
			r.Image.URL = s.sign(r.ID, expires)
			p.Frames = append(p.Frames, r.Frame)
			p.Found++
			w := billed(r.Cell, r.CapturedAt)
			if bought[w] == nil {
				bought[w] = map[survey.Cell]bool{}
			}
			bought[w][r.Cell] = true
		}
		if len(rows) <= 2*limit {
			return p, bought, nil
		}
	}
}

// charge buys the cell-weeks that the key does not have, counts the use, and keeps the answer, all or nothing.
func (s *Server) charge(ctx context.Context, tx *state.Tx, k keys.Key, p *ImageryPage, bought map[cellWeek]map[survey.Cell]bool, idem, request string, replay *bool) error {
	now := s.Clock()
	var added []cellWeek
	for _, w := range sortedWeeks(bought) {
		n, err := tx.Exec(ctx, `INSERT INTO api_bought (key_id, cell, week, at) VALUES ($1, $2, $3, $4) ON CONFLICT (key_id, cell, week) DO NOTHING`,
			k.ID, w.cell.Int64(), w.week, state.Micros(now))
		if err != nil {
			return err
		}
		if n > 0 {
			added = append(added, w)
		}
	}
	p.CellWeeks, p.CreditsUsed = int64(len(bought)), int64(len(added))*s.Price
	if p.CreditsUsed > 0 {
		var err error
		if p.CreditsRemaining, err = keys.Change(ctx, tx, k.ID, -p.CreditsUsed, fmt.Sprintf("imagery: %d cell-weeks", len(added)), now); err != nil {
			if survey.KindOf(err) == survey.Conflict {
				return (&httpx.Problem{Title: http.StatusText(http.StatusPaymentRequired), Status: http.StatusPaymentRequired,
					Detail: fmt.Sprintf("This page costs %d credits; the balance is %d.", p.CreditsUsed, p.CreditsRemaining), Hint: "send dry_run to see the cost of a query, or ask for less"}).Typed("insufficient-credits")
			}
			return err
		}
		if err := s.spend(ctx, tx, k, added, bought); err != nil {
			return err
		}
	} else {
		now, err := keys.Get(ctx, tx, k.ID)
		if err != nil {
			return err
		}
		p.CreditsRemaining = now.Credits
	}
	if _, err := keys.Used(ctx, tx, k.ID, 0, p.Found, p.CreditsUsed, now); err != nil {
		return err
	}
	if idem == "" {
		return nil
	}
	if _, err := tx.Exec(ctx, `DELETE FROM api_answers WHERE at < $1`, state.Micros(now.Add(-answerLifetime))); err != nil {
		return err
	}
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	n, err := tx.Exec(ctx, `INSERT INTO api_answers (key_id, idem, request, answer, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (key_id, idem) DO NOTHING`, k.ID, idem, request, string(b), state.Micros(now))
	*replay = err == nil && n == 0
	return err
}

// spend enters what the key paid: each cell-week's price, shared by the cells of its frames on this page, so that those
// who cover them get their part.
func (s *Server) spend(ctx context.Context, tx *state.Tx, k keys.Key, added []cellWeek, bought map[cellWeek]map[survey.Cell]bool) error {
	for _, w := range added {
		// A key buys a cell in a week once, so that its digest names the charge for ever without naming the customer.
		id := survey.HashOf(fmt.Appendf(nil, "imagery %s %s %d", k.ID, w.cell, w.week)).String()[:32]
		err := tx.Charge(ctx, survey.Charge{ID: id, Cells: slices.Collect(maps.Keys(bought[w])), Amount: survey.Amount(s.Price) * survey.CreditUnits, At: s.Clock()})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) answered(ctx context.Context, q state.Querier, key, idem, request string) (p ImageryPage, ok bool, err error) {
	var was, answer string
	err = q.QueryRow(ctx, `SELECT request, answer FROM api_answers WHERE key_id = $1 AND idem = $2 AND at >= $3`, key, idem, state.Micros(s.Clock().Add(-answerLifetime))).Scan(&was, &answer)
	switch {
	case errors.Is(err, state.ErrNoRows):
		return p, false, nil
	case err != nil:
		return p, false, err
	case was != request:
		return p, false, survey.Errorf(survey.Conflict, "this Idempotency-Key was used for another request").WithHint("choose a new one for each request")
	}
	return p, true, json.Unmarshal([]byte(answer), &p)
}

// quote counts what the whole query would give and cost.
func (s *Server) quote(ctx context.Context, k keys.Key, f filter) (ImageryPage, error) {
	p := ImageryPage{Frames: []Frame{}, DryRun: true}
	weeks := map[cellWeek]bool{}
	rows, err := s.DB.Query(ctx, `SELECT cell, captured_at, lat_e7, lon_e7, heading_mdeg FROM frames WHERE state = 'published' AND `+f.where, f.args...)
	if err != nil {
		return p, err
	}
	defer rows.Close()
	for rows.Next() {
		var cell, us, lat, lon, mdeg int64
		if err := rows.Scan(&cell, &us, &lat, &lon, &mdeg); err != nil {
			return p, err
		}
		if f.match(geo.FromE7(lat, lon), mdeg) {
			p.Found++
			weeks[billed(survey.Cell(cell), state.Time(us))] = true
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return p, err
	}
	p.CellWeeks = int64(len(weeks))
	for _, w := range sortedWeeks(weeks) {
		have, err := s.bought(ctx, k.ID, w)
		if err != nil {
			return p, err
		}
		if !have {
			p.CreditsUsed += s.Price
		}
	}
	now, err := keys.Get(ctx, s.DB, k.ID)
	p.CreditsRemaining = now.Credits
	return p, err
}

func (s *Server) bought(ctx context.Context, key string, w cellWeek) (bool, error) {
	var n int64
	err := s.DB.QueryRow(ctx, `SELECT COUNT(*) FROM api_bought WHERE key_id = $1 AND cell = $2 AND week = $3`, key, w.cell.Int64(), w.week).Scan(&n)
	return n > 0, err
}

type renewIn struct {
	Body struct {
		Frames []string `json:"frames" minItems:"1" maxItems:"500" doc:"identities of frames"`
	}
}

// Renewed is a new address of an image.
type Renewed struct {
	ID  survey.FrameID `json:"id"`
	URL string         `json:"url"`
}

// Renewal is the answer to a renewal.
type Renewal struct {
	Images       []Renewed `json:"images"`
	URLsExpireAt time.Time `json:"urls_expire_at"`
	Refused      []string  `json:"refused" doc:"frames that are not public (any more), or whose cell and week this key has not paid for"`
}

func (s *Server) renew(ctx context.Context, in *renewIn) (*answer[Renewal], error) {
	k := keyOf(ctx)
	expires, err := s.expiry(ctx)
	if err != nil {
		return nil, err
	}
	out := Renewal{Images: []Renewed{}, Refused: []string{}, URLsExpireAt: expires}
	for _, id := range in.Body.Frames {
		f, err := s.frame(ctx, id)
		have := false
		if err == nil {
			have, err = s.bought(ctx, k.ID, billed(f.Cell, f.CapturedAt))
		}
		if err != nil && survey.KindOf(err) != survey.NotFound {
			return nil, err
		}
		if !have {
			out.Refused = append(out.Refused, id)
			continue
		}
		out.Images = append(out.Images, Renewed{f.ID, s.sign(f.ID, expires)})
	}
	return give("private, no-store", out), nil
}

// expiry is when addresses signed now end: at a full ten minutes, so that pages asked for soon after each other give
// the same addresses. It readies the secret.
func (s *Server) expiry(ctx context.Context) (time.Time, error) {
	s.customers.mu.Lock()
	defer s.customers.mu.Unlock()
	if s.customers.secret == nil {
		var raw [32]byte
		rand.Read(raw[:]) // never fails (crypto/rand)
		if _, err := s.DB.Exec(ctx, `INSERT INTO meta (key, value) VALUES ('map_url_secret', $1) ON CONFLICT (key) DO NOTHING`, base64.StdEncoding.EncodeToString(raw[:])); err != nil {
			return time.Time{}, err
		}
		var text string
		if err := s.DB.QueryRow(ctx, `SELECT value FROM meta WHERE key = 'map_url_secret'`).Scan(&text); err != nil {
			return time.Time{}, err
		}
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(b) < 32 {
			return time.Time{}, survey.Errorf(survey.Internal, "the secret for image addresses is damaged")
		}
		s.customers.secret = b
	}
	return s.Clock().UTC().Truncate(10 * time.Minute).Add(urlLifetime + 10*time.Minute), nil
}

func (s *Server) signature(id survey.FrameID, expires int64) string {
	m := hmac.New(sha256.New, s.customers.secret)
	fmt.Fprintf(m, "image %s %d", id, expires)
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:24])
}

func (s *Server) sign(id survey.FrameID, expires time.Time) string {
	e := expires.Unix()
	return s.url(fmt.Sprintf("/v1/imagery/frames/%s/image.jpg?expires=%d&signature=%s", id, e, s.signature(id, e)))
}

func (s *Server) signedImage(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	expires, err := strconv.ParseInt(q.Get("expires"), 10, 64)
	if _, e := s.expiry(r.Context()); e != nil {
		fail(w, r, e)
		return
	}
	if err != nil || !hmac.Equal([]byte(q.Get("signature")), []byte(s.signature(survey.FrameID(r.PathValue("id")), expires))) {
		fail(w, r, forbidden("the address of this image is not one that was given out"))
		return
	}
	left := time.Unix(expires, 0).Sub(s.Clock())
	if left <= 0 {
		fail(w, r, (&httpx.Problem{Title: http.StatusText(http.StatusForbidden), Status: http.StatusForbidden, Detail: "The address of this image has expired.", Hint: "POST /v1/imagery/renew gives a new one"}).Typed("expired"))
		return
	}
	f, err := s.frame(r.Context(), r.PathValue("id"))
	if err != nil {
		fail(w, r, err)
		return
	}
	s.sendImage(w, r, f, 0, fmt.Sprintf("private, max-age=%d", int(left.Seconds())))
}

// Usage is what a key has and did.
type Usage struct {
	Name      string       `json:"name"`
	Scopes    []keys.Scope `json:"scopes"`
	Credits   int64        `json:"credits"`
	PerMinute int64        `json:"per_minute"`
	PerDay    int64        `json:"per_day"`
	ExpiresAt *time.Time   `json:"expires_at,omitempty"`
	Days      []keys.Day   `json:"days" doc:"newest first, at most 90"`
	Statement []keys.Entry `json:"statement" doc:"changes of the balance, newest first, at most 100"`
}

func (s *Server) usage(ctx context.Context, _ *struct{}) (*answer[Usage], error) {
	k := keyOf(ctx)
	u := Usage{Name: k.Name, Scopes: k.Scopes, Credits: k.Credits, PerMinute: k.PerMinute, PerDay: k.PerDay}
	if !k.ExpiresAt.IsZero() {
		u.ExpiresAt = &k.ExpiresAt
	}
	var err error
	if u.Days, err = keys.Usage(ctx, s.DB, k.ID, 90); err == nil {
		u.Statement, err = keys.Statement(ctx, s.DB, k.ID, 100)
	}
	return give("private, no-store", u), err
}
