package app

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	ingestapi "github.com/roadcomb/roadcomb/ingest/api"
	"github.com/roadcomb/roadcomb/pkg/drivers"
	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/operators"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/tiles/api/keys"
)

// Who may call a route. A route that is not in the table fails the test, and so does a line without a route.
const (
	public   = "public"   // anyone
	driver   = "driver"   // a contributor, for what is theirs
	customer = "customer" // a key with the scope imagery
	signed   = "signed"   // whoever holds an address that the server signed
	flow     = "flow"     // a step of a login: refuses by itself what does not belong to one
	admin    = string(httpx.RoleAdmin)
	runner   = string(httpx.RoleOperator)
	reviewer = string(httpx.RoleReviewer)
	fleetOp  = string(httpx.RoleFleet) // an operator may do the same
	auditor  = string(httpx.RoleAuditor)
	anyOp    = string(httpx.RoleAny)
)

// route is one line of the table. Path values: {upload}, {drive}, {zone}, {device}, {session} are things of the first driver;
// everything else is made up. other is what another driver gets: 404 (409 where that is also the answer for what does not
// exist), or 0 for a route that names nothing of anyone's.
type route struct {
	who, path, body string
	other           int
}

const cell = "8c2a1072b59edff"

var routes = map[string]route{
	"GET /v1/openapi.json":     {who: public},
	"GET /v1/openapi-3.0.json": {who: public},
	"GET /v1/openapi.yaml":     {who: public},
	"GET /v1/openapi-3.0.yaml": {who: public},

	"GET /v1/operator/login":                {who: public},
	"POST /v1/operator/login":               {who: flow, body: `{"name":"nobody","password":"0123456789abcdef"}`},
	"POST /v1/operator/logout":              {who: public},
	"GET /v1/operator/oidc/login":           {who: public},
	"GET /v1/operator/oidc/callback":        {who: flow},
	"GET /v1/operator/me":                   {who: anyOp},
	"GET /v1/operator/accounts":             {who: admin},
	"POST /v1/operator/accounts":            {who: admin, body: `{"name":"new","role":"auditor"}`},
	"PUT /v1/operator/accounts/{name}/role": {who: admin, path: "/v1/operator/accounts/x/role", body: `{"role":"auditor"}`},
	"DELETE /v1/operator/accounts/{name}":   {who: admin, path: "/v1/operator/accounts/x"},
	"GET /v1/operator/audit":                {who: auditor},

	"GET /v1/operator/queue":            {who: anyOp},
	"GET /v1/operator/jobs":             {who: runner},
	"POST /v1/operator/jobs/{id}/retry": {who: runner, path: "/v1/operator/jobs/999/retry"},
	"DELETE /v1/operator/jobs/{id}":     {who: runner, path: "/v1/operator/jobs/999"},
	"GET /metrics":                      {who: anyOp},
	"GET /healthz":                      {who: public},
	"GET /readyz":                       {who: public},
	"GET /operator/":                    {who: public, path: "/operator/"},

	"GET /v1/contributors":               {who: runner},
	"POST /v1/contributors":              {who: runner, body: `{"handle":"x"}`},
	"POST /v1/contributors/{id}/token":   {who: runner, path: "/v1/contributors/c0000000000000000000000000000000/token"},
	"PUT /v1/contributors/{id}/limits":   {who: runner, path: "/v1/contributors/c0000000000000000000000000000000/limits", body: `{"upload_bytes":1,"day_bytes":1,"open_uploads":1}`},
	"PUT /v1/contributors/{id}/block":    {who: runner, path: "/v1/contributors/c0000000000000000000000000000000/block"},
	"DELETE /v1/contributors/{id}/block": {who: runner, path: "/v1/contributors/c0000000000000000000000000000000/block"},
	"GET /v1/reports":                    {who: reviewer},
	"POST /v1/reports/{id}/resolve":      {who: reviewer, path: "/v1/reports/x/resolve", body: `{"apply":false}`},
	"DELETE /v1/frames/{id}":             {who: reviewer, path: "/v1/frames/x"},
	"POST /v1/vision/rerun":              {who: runner, body: `{"quarantined":true}`},
	"POST /v1/orders":                    {who: runner, body: `{}`},
	"POST /v1/tiles/purge":               {who: runner, body: `{"everything":true}`},

	"GET /v1/rewards/holds":                     {who: runner},
	"POST /v1/rewards/holds/{drive}/decision":   {who: runner, path: "/v1/rewards/holds/x/decision", body: `{"decision":"clear","reason":"x"}`},
	"GET /v1/rewards/enrolled":                  {who: runner},
	"PUT /v1/rewards/enrolled/{contributor}":    {who: fleetOp, path: "/v1/rewards/enrolled/x", body: `{"reason":"x"}`},
	"DELETE /v1/rewards/enrolled/{contributor}": {who: fleetOp, path: "/v1/rewards/enrolled/x"},
	"POST /v1/rewards/corrections":              {who: admin, body: `{"contributor":"x","epoch":"2026-05-04","amount":"1","reason":"x"}`},

	"POST /v1/orders/{id}/bid": {who: runner, path: "/v1/orders/x/bid", body: `{}`},

	"GET /v1/me":                                    {who: driver},
	"POST /v1/me/login":                             {who: flow, body: `{"token":"nobody"}`},
	"POST /v1/me/logout":                            {who: public},
	"GET /v1/me/sessions":                           {who: driver},
	"DELETE /v1/me/sessions/{id}":                   {who: driver, path: "/v1/me/sessions/{session}", other: 404},
	"PUT /v1/me/payout":                             {who: driver, body: `{"address":"0x00000000000000000000000000000000000000aa"}`},
	"GET /v1/me/zones":                              {who: driver},
	"POST /v1/me/zones":                             {who: driver, body: `{"lat":43.7,"lon":7.4,"radius_m":200}`},
	"DELETE /v1/me/zones/{id}":                      {who: driver, path: "/v1/me/zones/{zone}", other: 404},
	"GET /v1/me/devices":                            {who: driver},
	"POST /v1/me/devices":                           {who: driver, body: `{}`},
	"DELETE /v1/me/devices/{id}":                    {who: driver, path: "/v1/me/devices/{device}", other: 404},
	"GET /v1/me/coverage":                           {who: driver},
	"POST /v1/uploads":                              {who: driver, body: `{"files":[{"path":"b.jpg","bytes":3,"sha256":"` + someHash + `"}]}`},
	"GET /v1/uploads":                               {who: driver},
	"GET /v1/uploads/{id}":                          {who: driver, path: "/v1/uploads/{upload}", other: 404},
	"GET /v1/uploads/{id}/files":                    {who: driver, path: "/v1/uploads/{upload}/files", other: 404},
	"POST /v1/uploads/{id}/urls":                    {who: driver, path: "/v1/uploads/{upload}/urls", body: `{}`, other: 404},
	"POST /v1/uploads/{id}/files/complete":          {who: driver, path: "/v1/uploads/{upload}/files/complete", body: `{"sha256":"` + someHash + `"}`, other: 404},
	"POST /v1/uploads/{id}/complete":                {who: driver, path: "/v1/uploads/{upload}/complete", other: 404},
	"GET /v1/drives":                                {who: driver},
	"GET /v1/drives/{id}":                           {who: driver, path: "/v1/drives/{drive}", other: 404},
	"GET /v1/rewards/me":                            {who: driver},
	"GET /v1/rewards/me/epochs/{epoch}":             {who: driver, path: "/v1/rewards/me/epochs/2026-05-04"},
	"PUT /v1/rewards/me/newcomers/{contributor}":    {who: driver, path: "/v1/rewards/me/newcomers/nobody"},
	"DELETE /v1/rewards/me/newcomers/{contributor}": {who: driver, path: "/v1/rewards/me/newcomers/b0000000000000000000000000000000", other: 404},
	"POST /v1/rewards/me/holds/{drive}/appeal":      {who: driver, path: "/v1/rewards/me/holds/{drive}/appeal", body: `{"text":"I was there"}`, other: 409},

	"POST /v1/imagery/search":               {who: customer, body: `{"dry_run":true,"bbox":[7.4,43.7,7.41,43.71]}`},
	"POST /v1/imagery/renew":                {who: customer, body: `{"frames":["` + someHash + `"]}`},
	"GET /v1/usage":                         {who: customer},
	"GET /v1/imagery/frames/{id}/image.jpg": {who: signed, path: "/v1/imagery/frames/x/image.jpg?expires=4102444800&signature=guess"},

	"POST /v1/frames/{id}/reports":                       {who: public, path: "/v1/frames/x/reports", body: `{"kind":"remove"}`},
	"GET /v1/cells/{cell}":                               {who: public, path: "/v1/cells/" + cell},
	"GET /v1/cells":                                      {who: public},
	"POST /v1/cells/query":                               {who: public, body: `{}`},
	"POST /v1/cells/coverage":                            {who: public, body: `{}`},
	"GET /v1/opportunity":                                {who: public},
	"GET /v1/roads/progress":                             {who: public},
	"GET /v1/freshness":                                  {who: public},
	"GET /v1/orders":                                     {who: public},
	"GET /v1/orders/{id}":                                {who: public, path: "/v1/orders/x"},
	"GET /v1/tiles":                                      {who: public},
	"GET /v1/tiles/panoramax/style.json":                 {who: public},
	"GET /v1/tiles/{file}":                               {who: public, path: "/v1/tiles/images.json"},
	"GET /v1/tiles/{layer}/{z}/{x}/{y}":                  {who: public, path: "/v1/tiles/images/0/0/0"},
	"GET /v1/tiles/{layer}/v/{version}/{z}/{x}/{y}":      {who: public, path: "/v1/tiles/images/v/x/0/0/0"},
	"OPTIONS /v1/tiles":                                  {who: public},
	"OPTIONS /v1/tiles/":                                 {who: public, path: "/v1/tiles/x"},
	"OPTIONS /v1/map":                                    {who: public},
	"OPTIONS /v1/cells/":                                 {who: public, path: "/v1/cells/x"},
	"OPTIONS /v1/frames/":                                {who: public, path: "/v1/frames/x"},
	"OPTIONS /v1/sequences/":                             {who: public, path: "/v1/sequences/x"},
	"OPTIONS /v1/imagery/":                               {who: public, path: "/v1/imagery/search"},
	"OPTIONS /v1/usage":                                  {who: public},
	"OPTIONS /v1/stac":                                   {who: public},
	"OPTIONS /v1/stac/":                                  {who: public, path: "/v1/stac/search"},
	"GET /v1/map":                                        {who: public},
	"GET /v1/frames/{id}":                                {who: public, path: "/v1/frames/x"},
	"GET /v1/frames/{id}/image.jpg":                      {who: public, path: "/v1/frames/x/image.jpg"},
	"GET /v1/cells/{h3}/frames":                          {who: public, path: "/v1/cells/" + cell + "/frames"},
	"GET /v1/sequences/{id}/frames":                      {who: public, path: "/v1/sequences/x/frames"},
	"GET /v1/map-features":                               {who: public, path: "/v1/map-features?point=7.4,43.7"},
	"POST /v1/map-features/search":                       {who: public, body: `{"geometry":{"type":"Point","coordinates":[7.4,43.7]}}`},
	"GET /v1/map-features/{id}":                          {who: public, path: "/v1/map-features/x"},
	"OPTIONS /v1/map-features":                           {who: public},
	"OPTIONS /v1/map-features/":                          {who: public, path: "/v1/map-features/x"},
	"GET /v1/ogc":                                        {who: public},
	"GET /v1/ogc/{$}":                                    {who: public, path: "/v1/ogc/"},
	"GET /v1/ogc/conformance":                            {who: public},
	"GET /v1/ogc/collections":                            {who: public},
	"GET /v1/ogc/collections/{id}":                       {who: public, path: "/v1/ogc/collections/images"},
	"GET /v1/ogc/collections/{id}/tiles":                 {who: public, path: "/v1/ogc/collections/images/tiles"},
	"GET /v1/ogc/collections/{id}/tiles/WebMercatorQuad": {who: public, path: "/v1/ogc/collections/images/tiles/WebMercatorQuad"},
	"GET /v1/ogc/collections/{id}/tiles/WebMercatorQuad/{tileMatrix}/{tileRow}/{tileCol}": {who: public, path: "/v1/ogc/collections/images/tiles/WebMercatorQuad/0/0/0"},
	"GET /v1/ogc/tileMatrixSets":                      {who: public},
	"GET /v1/ogc/tileMatrixSets/WebMercatorQuad":      {who: public},
	"OPTIONS /v1/ogc":                                 {who: public},
	"OPTIONS /v1/ogc/":                                {who: public, path: "/v1/ogc/x"},
	"GET /v1/stac":                                    {who: public},
	"GET /v1/stac/{$}":                                {who: public, path: "/v1/stac/"},
	"GET /v1/stac/conformance":                        {who: public},
	"GET /v1/stac/collections":                        {who: public},
	"GET /v1/stac/collections/{id}":                   {who: public, path: "/v1/stac/collections/x"},
	"GET /v1/stac/collections/{id}/items":             {who: public, path: "/v1/stac/collections/x/items"},
	"GET /v1/stac/collections/{id}/items/{item}":      {who: public, path: "/v1/stac/collections/x/items/y"},
	"GET /v1/stac/search":                             {who: public},
	"POST /v1/stac/search":                            {who: public, body: `{}`},
	"GET /v1/rewards/epochs":                          {who: public},
	"GET /v1/rewards/epochs/{epoch}":                  {who: public, path: "/v1/rewards/epochs/2026-05-04"},
	"GET /v1/rewards/epochs/{epoch}/claims/{address}": {who: public, path: "/v1/rewards/epochs/2026-05-04/claims/0x00000000000000000000000000000000000000aa"},
	"GET /v1/rewards/claims/{address}":                {who: public, path: "/v1/rewards/claims/0x00000000000000000000000000000000000000aa"},
	"GET /v1/rewards/epochs/{epoch}/files/{name}":     {who: public, path: "/v1/rewards/epochs/2026-05-04/files/manifest.json"},

	"GET /v1/archive":             {who: public},
	"GET /v1/archive/nodes/{cid}": {who: public, path: "/v1/archive/nodes/bafyreie675dzhoulhntbyt4ctmam2afznsen72pqfc2xcv4uub4onsagp4"},

	"/":    {who: public, path: "/"},
	"/v1/": {who: public, path: "/v1/nothing"},
}

const someHash = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"

// site is every route of the platform, and people who call them.
type site struct {
	*platform
	t      *testing.T
	mux    *httpx.Routes
	h      http.Handler
	tokens map[string]string // by who: driver, session (the driver's, a cookie), other, customer, tiles, and the roles
	things *strings.Replacer
}

func newSite(t *testing.T) *site {
	t.Helper()
	ctx := t.Context()
	// An empty folder of models: nothing here looks at a picture.
	goHome(t)
	p, err := openPlatform(ctx, settings{Home: t.TempDir(), S3Listen: "127.0.0.1:0", Models: t.TempDir(), opsSettings: opsSettings{OIDC: oidcSettings{Issuer: "http://127.0.0.1:1", Client: "c"}}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.close() })
	s := &site{platform: p, t: t, mux: &httpx.Routes{}, tokens: map[string]string{driver: "token-of-anna", "other": "token-of-bert"}}
	if err := p.register(s.mux, "http://127.0.0.1:8080", webSettings{}); err != nil {
		t.Fatal(err)
	}
	s.h = httpx.Wrap(s.mux, httpx.Options{})

	anna := survey.ContributorID("a0000000000000000000000000000000")
	s.ok(ingestapi.EnsureContributor(ctx, p.db, anna, "anna", s.tokens[driver]))
	s.ok(ingestapi.EnsureContributor(ctx, p.db, "b0000000000000000000000000000000", "bert", s.tokens["other"]))
	for who, scopes := range map[string][]keys.Scope{customer: {keys.Imagery}, "tiles": {keys.Tiles}} {
		_, secret, err := keys.Create(ctx, p.db, who, keys.Options{Scopes: scopes, PerMinute: 1e6, PerDay: 1e6}, time.Now())
		s.ok(err)
		s.tokens[who] = secret
	}
	ops := operators.New(p.db, operators.Config{})
	for _, r := range httpx.Roles() {
		s.ok(ops.Add(ctx, string(r), r, ""))
		tok, err := ops.NewToken(ctx, string(r), time.Hour)
		s.ok(err)
		s.tokens[string(r)] = tok
	}

	key, _, err := ed25519.GenerateKey(nil)
	s.ok(err)
	upload := s.made("POST", "/v1/uploads", `{"files":[{"path":"a.jpg","bytes":3,"sha256":"`+someHash+`"}]}`, "id")
	zone := s.made("POST", "/v1/me/zones", routes["POST /v1/me/zones"].body, "id")
	device := s.made("POST", "/v1/me/devices", fmt.Sprintf(`{"name":"cam","key":"%x"}`, key), "key")
	// A session of anna's that is used, and one that is ended.
	login := `{"token":"` + s.tokens[driver] + `"}`
	s.tokens["session"] = s.ask("", "POST", "/v1/me/login", login).Header().Get("Set-Cookie")
	s.made("POST", "/v1/me/login", login, "id")
	var session string
	var mine struct{ Sessions []drivers.Session }
	s.ok(json.Unmarshal(s.ask("session", "GET", "/v1/me/sessions", "").Body.Bytes(), &mine))
	for _, x := range mine.Sessions {
		if !x.Current {
			session = x.ID
		}
	}
	_, err = p.db.Exec(ctx, `INSERT INTO drives (id, upload_id, contributor_id, device_id, state, started_at, ended_at, received_at, frames, parts, distance_mm, manifest_sha256)
		VALUES ($1, $2, $3, 'cam', 'indexed', 1, 2, 3, 0, 0, 0, '')`, someHash[:32], upload, string(anna))
	s.ok(err)
	_, err = p.db.Exec(ctx, `INSERT INTO reward_holds (drive_id, contributor_id, state, evidence, opened_at, deadline_at) VALUES ($1, $2, 'open', '[]', 1, $3)`,
		someHash[:32], string(anna), state.Micros(time.Now().Add(time.Hour)))
	s.ok(err)
	_, err = p.db.Exec(ctx, `INSERT INTO reward_sponsors (newcomer_id, sponsor_id, since) VALUES ('b0000000000000000000000000000000', $1, 1)`, string(anna))
	s.ok(err)
	s.things = strings.NewReplacer("{upload}", upload, "{zone}", zone, "{device}", device, "{drive}", someHash[:32], "{session}", session)
	return s
}

func (s *site) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// made makes a thing of anna's and gives a field of the answer.
func (s *site) made(method, path, body, field string) string {
	s.t.Helper()
	w := s.ask(driver, method, path, body)
	var out map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code/100 != 2 {
		s.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	v, _ := out[field].(string)
	if v == "" {
		s.t.Fatalf("%s %s: no %s in %s", method, path, field, w.Body)
	}
	return v
}

// calls counts requests: each comes from an address of its own, so that limits by address stay out of the way.
var calls int

func (s *site) ask(who, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if tok := s.tokens[who]; who == "session" {
		r.Header.Set("Cookie", tok)
	} else if tok != "" {
		r.Header.Set("Authorization", "Bearer "+tok)
	}
	calls++
	r.RemoteAddr = fmt.Sprintf("10.%d.%d.%d:1", calls>>16&255, calls>>8&255, calls&255)
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	return w
}

func TestEveryRouteAnswersOnlyThoseWhoMay(t *testing.T) {
	s := newSite(t)
	for _, pattern := range s.mux.Patterns {
		if _, ok := routes[pattern]; !ok {
			t.Errorf("route %q is not in the table: say who may call it", pattern)
		}
	}
	everyone := []string{"", driver, "session", "other", customer, "tiles", admin, runner, reviewer, fleetOp, auditor}
	for pattern, r := range routes {
		if !slices.Contains(s.mux.Patterns, pattern) {
			t.Errorf("the table holds %q, which is no route", pattern)
			continue
		}
		method, path, ok := strings.Cut(pattern, " ")
		if !ok {
			method, path = "GET", pattern
		}
		if r.path != "" {
			path = r.path
		}
		path = s.things.Replace(path)
		if strings.Contains(path, "{") {
			t.Errorf("%s: the table gives no path", pattern)
			continue
		}
		for _, who := range everyone {
			allowed, refusal := false, []int{401}
			switch r.who {
			case public:
				allowed = true
			case driver:
				allowed = who == driver || who == "session" || who == "other" && r.other == 0
				if who == "other" {
					refusal = []int{r.other}
				}
			case customer:
				allowed = who == customer
				if who == "tiles" {
					refusal = []int{403}
				}
			case signed, flow:
				refusal = []int{401, 403}
			default:
				if role := httpx.Role(who); slices.Contains(httpx.Roles(), role) {
					allowed, refusal = role.May(httpx.Role(r.who), method), []int{403}
				}
			}
			if who == "session" && (allowed && method == "DELETE" || path == "/v1/me/logout") {
				continue // what is destroyed is needed by others
			}
			// The owner destroys things, so others come first; see the order of everyone for the rest.
			if allowed && who == driver && method == "DELETE" {
				defer func() {
					if w := s.ask(who, method, path, r.body); w.Code/100 != 2 {
						t.Errorf("%s by its owner: %d %s", pattern, w.Code, w.Body)
					}
				}()
				continue
			}
			w := s.ask(who, method, path, strings.ReplaceAll(r.body, "nobody", "nobody-"+who)) // logins are limited by name
			switch {
			case allowed && (w.Code == 401 || w.Code == 403 || w.Code == 500 || r.other == 404 && w.Code == 404):
				t.Errorf("%s by %q: %d %s", pattern, who, w.Code, w.Body)
			case !allowed && !slices.Contains(refusal, w.Code):
				t.Errorf("%s by %q: %d, want %v: %s", pattern, who, w.Code, refusal, w.Body)
			}
			if at := nullIn(w); at != "" {
				t.Errorf("%s by %q: %s is null: %s", pattern, who, at, w.Body)
			}
			if !allowed && strings.Contains(w.Body.String(), "a.jpg") {
				t.Errorf("%s by %q tells of the upload: %s", pattern, who, w.Body)
			}
		}
	}
	var acts int64
	s.ok(s.db.QueryRow(t.Context(), `SELECT COUNT(*) FROM audit WHERE of_seq <> 0`).Scan(&acts))
	if acts == 0 {
		t.Error("no act of an operator is in the audit log")
	}
	if _, unended, err := operators.Verify(t.Context(), s.db); err != nil || len(unended) > 0 {
		t.Error(unended, err)
	}
}

// nullIn names a member of a JSON answer that is null; the API's document says that none is.
func nullIn(w *httptest.ResponseRecorder) string {
	if !strings.Contains(w.Header().Get("Content-Type"), "json") {
		return ""
	}
	var v any
	if json.Unmarshal(w.Body.Bytes(), &v) != nil {
		return ""
	}
	var find func(v any, path string) string
	find = func(v any, path string) string {
		switch v := v.(type) {
		case nil:
			return path + "."
		case map[string]any:
			for k, x := range v {
				if at := find(x, path+"."+k); at != "" {
					return at
				}
			}
		case []any:
			for i, x := range v {
				if at := find(x, fmt.Sprintf("%s[%d]", path, i)); at != "" {
					return at
				}
			}
		}
		return ""
	}
	return find(v, "")
}

func TestTheAPIsDocumentIsPrintedWithoutAServer(t *testing.T) {
	goHome(t)
	var out, errs bytes.Buffer
	if code := Run(t.Context(), []string{"openapi"}, nil, &out, &errs); code != ExitOK {
		t.Fatal(code, errs.String())
	}
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]any
	}
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil || !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Fatal(err, doc.OpenAPI)
	}
	for _, path := range []string{"/v1/uploads", "/v1/cells", "/v1/imagery/search", "/v1/datasets/{name}", "/v1/rewards/me", "/v1/operator/queue"} {
		if doc.Paths[path] == nil {
			t.Errorf("%s is not in it", path)
		}
	}
	if strings.Contains(out.String(), `"null"`) {
		t.Error("something may be null")
	}
}
