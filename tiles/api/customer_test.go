package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
	"github.com/roadcomb/roadcomb/tiles/api"
	"github.com/roadcomb/roadcomb/tiles/api/keys"
	"github.com/roadcomb/roadcomb/tiles/api/maptest"
)

// shop is a world with a clock and a key.
type shop struct {
	*world
	t      *testing.T
	now    time.Time
	secret string
	key    keys.Key
}

func newShop(t *testing.T, c api.Config, o keys.Options) *shop {
	t.Helper()
	s := &shop{world: &world{db: testkit.DB(t), st: testkit.S3(t), mux: http.NewServeMux()}, t: t}
	s.Town = maptest.Fill(t, s.db, s.st, 6, 60, "")
	s.now = s.AsOf.Add(time.Hour)
	s.hapi = httpx.NewAPI(s.mux, "test", "1")
	api.Register(s.mux, s.hapi, api.Deps{DB: s.db, Store: s.st, Clock: func() time.Time { return s.now }, Config: c})
	var err error
	if s.key, s.secret, err = keys.Create(t.Context(), s.db, "customer", o, s.now); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *shop) post(path string, body any, header ...string) *http.Response {
	s.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(string(b)))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-API-Key", s.secret)
	for i := 0; i < len(header); i += 2 {
		if r.Header.Set(header[i], header[i+1]); header[i+1] == "" {
			r.Header.Del(header[i])
		}
	}
	rec := httptest.NewRecorder()
	s.mux.ServeHTTP(rec, r)
	return rec.Result()
}

type m = map[string]any

func polygon(ps ...geo.Point) m {
	ring := [][2]float64{}
	for _, p := range append(ps, ps[0]) {
		ring = append(ring, [2]float64{p.Lon, p.Lat})
	}
	return m{"type": "Polygon", "coordinates": [][][2]float64{ring}}
}

func around(p geo.Point, meters geo.Meters) m {
	return polygon(geo.Destination(p, 45, meters), geo.Destination(p, 315, meters), geo.Destination(p, 225, meters), geo.Destination(p, 135, meters))
}

// every is all published frames, by a road of their own: one by one.
func (s *shop) every() (out []api.Frame) {
	for _, id := range s.Frames {
		out = append(out, decode[api.Frame](s.t, s.get("/v1/frames/"+string(id))))
	}
	return out
}

func ids(fs []api.Frame) []survey.FrameID {
	var out []survey.FrameID
	for _, f := range fs {
		out = append(out, f.ID)
	}
	slices.Sort(out)
	return out
}

func TestImageryIsWhatLiesInTheArea(t *testing.T) {
	s := newShop(t, api.Config{}, keys.Options{Credits: 1e6, PerMinute: 1e6, PerDay: 1e6})
	all := s.every()
	search := func(q m) []api.Frame {
		t.Helper()
		var got []api.Frame
		for cursor := ""; ; {
			q["cursor"], q["limit"] = cursor, 23
			p := decode[api.ImageryPage](t, s.post("/v1/imagery/search", q))
			got = append(got, p.Frames...)
			if cursor = p.Next; cursor == "" {
				break
			}
		}
		if !slices.IsSortedFunc(got, func(a, b api.Frame) int { return b.CapturedAt.Compare(a.CapturedAt) }) {
			t.Fatal("not newest first")
		}
		return got
	}
	expect := func(name string, got []api.Frame, want func(api.Frame) bool) {
		t.Helper()
		var w []api.Frame
		for _, f := range all {
			if want(f) {
				w = append(w, f)
			}
		}
		if !slices.Equal(ids(got), ids(w)) || len(w) == 0 {
			t.Errorf("%s: %d frames, want %d", name, len(got), len(w))
		}
	}
	mid := all[len(all)/2].Position
	expect("circle", search(m{"geometry": m{"type": "Point", "coordinates": []float64{mid.Lon, mid.Lat}}, "meters": 120}), func(f api.Frame) bool { return geo.Distance(f.Position, mid) <= 120 })
	box := [4]geo.Point{geo.Destination(mid, 40, 300), geo.Destination(mid, 310, 300), geo.Destination(mid, 220, 300), geo.Destination(mid, 130, 300)}
	expect("polygon", search(m{"geometry": polygon(box[:]...)}), func(f api.Frame) bool {
		// The square turned by 5°: near the centre along both of its axes.
		d, b := float64(geo.Distance(mid, f.Position)), float64(geo.Bearing(mid, f.Position))
		return inSquare(d, b-85, 300/1.4142135623730951)
	})
	a, b := all[3].Position, all[40].Position
	line := m{"geometry": m{"type": "LineString", "coordinates": [][]float64{{a.Lon, a.Lat}, {b.Lon, b.Lat}}}, "meters": 30}
	if got := search(line); len(got) == 0 {
		t.Error("nothing along the line")
	} else {
		for _, f := range got {
			if toSegment(f.Position, a, b) > 30.1 {
				t.Errorf("%s is %.1f m from the line", f.ID, toSegment(f.Position, a, b))
			}
		}
	}
	wide := around(s.Center, 1400)
	week := survey.EpochOf(all[70].CapturedAt)
	expect("weeks", search(m{"geometry": wide, "min_week": week.String(), "max_week": week.String()}), func(f api.Frame) bool { return survey.EpochOf(f.CapturedAt) == week })
	expect("azimuth", search(m{"geometry": wide, "azimuth": 10, "tolerance": 20}), func(f api.Frame) bool {
		return f.Heading != nil && geo.BearingDiff(geo.BearingDeg(*f.Heading), 10) <= 20
	})
	expect("quality", search(m{"geometry": wide, "min_quality": 0.8}), func(f api.Frame) bool { return f.Quality.Score >= 0.8 })
	newest := map[survey.Cell]api.Frame{}
	for _, f := range all {
		if o, ok := newest[f.Cell]; !ok || f.CapturedAt.After(o.CapturedAt) || f.CapturedAt.Equal(o.CapturedAt) && f.ID > o.ID {
			newest[f.Cell] = f
		}
	}
	expect("latest", search(m{"geometry": wide, "latest": true}), func(f api.Frame) bool { return newest[f.Cell].ID == f.ID })
}

// inSquare: a point at distance d and bearing b from the middle of a square with sides along the axes.
func inSquare(d, b, half float64) bool {
	p := geo.Destination(geo.Point{}, geo.NormalizeBearing(b), geo.Meters(d))
	x, y := geo.Distance(geo.Point{}, geo.Point{Lon: p.Lon}), geo.Distance(geo.Point{}, geo.Point{Lat: p.Lat})
	return float64(x) <= half && float64(y) <= half
}

func toSegment(p, a, b geo.Point) float64 {
	best := 1e9
	for i := range 2001 {
		best = min(best, float64(geo.Distance(p, geo.Interpolate(a, b, float64(i)/2000))))
	}
	return best
}

func TestACellInAWeekIsPaidForOnce(t *testing.T) {
	s := newShop(t, api.Config{Price: 3}, keys.Options{Credits: 10_000, PerMinute: 1e6})
	q := m{"geometry": around(s.Center, 1400), "limit": 500}
	want := map[string]bool{}
	for _, f := range s.every() {
		want[f.Cell.Parent(api.BillingResolution).String()+survey.EpochOf(f.CapturedAt).String()] = true
	}
	dry := decode[api.ImageryPage](t, s.post("/v1/imagery/search", m{"geometry": q["geometry"], "dry_run": true}))
	if dry.CreditsUsed != int64(3*len(want)) || dry.CreditsRemaining != 10_000 || len(dry.Frames) != 0 || dry.Found != int64(len(s.Frames)) {
		t.Fatalf("%+v, want %d cell-weeks", dry, len(want))
	}
	first := decode[api.ImageryPage](t, s.post("/v1/imagery/search", q))
	again := decode[api.ImageryPage](t, s.post("/v1/imagery/search", q))
	if first.CreditsUsed != dry.CreditsUsed || first.CreditsRemaining != 10_000-dry.CreditsUsed || again.CreditsUsed != 0 || again.CreditsRemaining != first.CreditsRemaining {
		t.Fatalf("first %d, again %d", first.CreditsUsed, again.CreditsUsed)
	}
	u := decode[api.Usage](t, s.get("/v1/usage", "Authorization", "Bearer "+s.secret))
	if u.Credits != first.CreditsRemaining || len(u.Days) != 1 || u.Days[0].Credits != dry.CreditsUsed || u.Days[0].Requests != 4 || u.Days[0].Frames != 2*int64(len(s.Frames)) || len(u.Statement) != 2 {
		t.Fatalf("%+v", u)
	}
}

// What customers pay reaches the cells whose frames they got: every base unit, once, in the epoch of the purchase.
func TestWhatIsPaidIsBookedOnTheCellsThatWereGiven(t *testing.T) {
	const value = int64(survey.CreditUnits)
	s := newShop(t, api.Config{Price: 3}, keys.Options{Credits: 10_000, PerMinute: 1e6})
	given := map[survey.Cell]bool{}
	var paid int64
	for cursor := ""; ; {
		p := decode[api.ImageryPage](t, s.post("/v1/imagery/search", m{"geometry": around(s.Center, 1400), "limit": 37, "cursor": cursor}, "Idempotency-Key", "page "+cursor))
		for _, f := range p.Frames {
			given[f.Cell] = true
		}
		paid += p.CreditsUsed
		if cursor = p.Next; cursor == "" {
			break
		}
	}
	booked := func() (sum, least, late int64, cells map[survey.Cell]bool) {
		rows, err := s.db.Query(t.Context(), `SELECT cell, amount, at FROM reward_spend`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		least, cells = 1<<62, map[survey.Cell]bool{}
		for rows.Next() {
			var c, amount, at int64
			if err := rows.Scan(&c, &amount, &at); err != nil {
				t.Fatal(err)
			}
			sum, least, cells[survey.Cell(c)] = sum+amount, min(least, amount), true
			if survey.EpochOf(state.Time(at)) != survey.EpochOf(s.now) {
				late++
			}
		}
		return sum, least, late, cells
	}
	sum, least, late, cells := booked()
	if paid == 0 || sum != paid*value || least <= 0 || late != 0 {
		t.Fatalf("%d base units are booked for %d credits of %d; the least part is %d, %d in another epoch", sum, paid, value, least, late)
	}
	for c := range cells {
		if !given[c] {
			t.Errorf("cell %s was paid for and not given", c)
		}
	}
	// Asked again, answered again from the kept answer, and refused for want of credits: nothing more is booked.
	s.post("/v1/imagery/search", m{"geometry": around(s.Center, 1400), "limit": 37, "cursor": ""}, "Idempotency-Key", "page ")
	s.post("/v1/imagery/search", m{"geometry": around(s.Center, 1400), "limit": 500})
	if _, err := keys.Credit(t.Context(), s.db, s.key.ID, -(10_000 - paid), "gone", s.now); err != nil {
		t.Fatal(err)
	}
	_, poor, err := keys.Create(t.Context(), s.db, "poor", keys.Options{PerMinute: 1e6}, s.now)
	if err != nil {
		t.Fatal(err)
	}
	if r := s.post("/v1/imagery/search", m{"geometry": around(s.Center, 1400)}, "X-API-Key", poor); r.StatusCode != 402 {
		t.Fatal(r.StatusCode)
	}
	if again, _, _, _ := booked(); again != sum {
		t.Errorf("%d base units, %d after requests that cost nothing", sum, again)
	}
}

func TestWithoutCreditsNothingIsGivenOrCharged(t *testing.T) {
	s := newShop(t, api.Config{}, keys.Options{Credits: 2, PerMinute: 1e6})
	q := m{"geometry": around(s.Center, 1400), "limit": 500}
	res := s.post("/v1/imagery/search", q, "Idempotency-Key", "one")
	var p httpx.Problem
	if b := body(t, res); res.StatusCode != 402 || json.Unmarshal(b, &p) != nil || p.Type != "urn:roadcomb:problem:insufficient-credits" {
		t.Fatalf("%d %s", res.StatusCode, b)
	}
	u := decode[api.Usage](t, s.get("/v1/usage?key="+s.secret))
	if u.Credits != 2 || u.Days[0].Frames != 0 {
		t.Fatalf("%+v", u)
	}
	// The refused request kept no answer: after a top-up the same Idempotency-Key works.
	if _, err := keys.Credit(t.Context(), s.db, s.key.ID, 10_000, "top-up", s.now); err != nil {
		t.Fatal(err)
	}
	if res := s.post("/v1/imagery/search", q, "Idempotency-Key", "one"); res.StatusCode != 200 {
		t.Fatal(res.StatusCode)
	}
}

func TestAnIdempotentRequestIsAnsweredOnce(t *testing.T) {
	s := newShop(t, api.Config{}, keys.Options{Credits: 10_000, PerMinute: 1e6})
	q := m{"geometry": around(s.Center, 900), "limit": 50}
	var mu sync.Mutex
	answers, replays := map[string]int{}, 0
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			res := s.post("/v1/imagery/search", q, "Idempotency-Key", "k1")
			b := body(t, res)
			mu.Lock()
			defer mu.Unlock()
			answers[string(b)]++
			if res.StatusCode != 200 {
				t.Errorf("%d %s", res.StatusCode, b)
			}
			if res.Header.Get("Idempotency-Replayed") == "true" {
				replays++
			}
		})
	}
	wg.Wait()
	if len(answers) != 1 || replays != 5 {
		t.Fatalf("%d different answers, %d replays", len(answers), replays)
	}
	if res := s.post("/v1/imagery/search", m{"geometry": around(s.Center, 901)}, "Idempotency-Key", "k1"); res.StatusCode != 409 {
		t.Errorf("the key for another request: %d", res.StatusCode)
	}
	st, err := keys.Statement(t.Context(), s.db, s.key.ID, 10)
	if err != nil || len(st) != 2 {
		t.Fatal(st, err)
	}
	s.now = s.now.Add(25 * time.Hour)
	if res := s.post("/v1/imagery/search", m{"geometry": around(s.Center, 901)}, "Idempotency-Key", "k1"); res.StatusCode != 200 {
		t.Errorf("a day later: %d", res.StatusCode)
	}
}

func TestImageAddressesAreSignedExpireAndAreRenewed(t *testing.T) {
	s := newShop(t, api.Config{PublicImageWidth: 480}, keys.Options{Credits: 10_000, PerMinute: 1e6})
	p := decode[api.ImageryPage](t, s.post("/v1/imagery/search", m{"geometry": around(s.Center, 900), "limit": 5}))
	f := p.Frames[0]
	full := s.get(f.Image.URL)
	if b := body(t, full); full.StatusCode != 200 || int64(len(b)) != f.Image.Bytes || !strings.HasPrefix(full.Header.Get("Cache-Control"), "private") {
		t.Fatalf("%d, %d bytes", full.StatusCode, len(b))
	}
	// Strangers get a preview.
	if b := body(t, s.get("/v1/frames/"+string(f.ID)+"/image.jpg")); int64(len(b)) >= f.Image.Bytes {
		t.Error("strangers get the full image")
	}
	for name, u := range map[string]string{
		"other frame": strings.Replace(f.Image.URL, string(f.ID), string(p.Frames[1].ID), 1), "later": strings.Replace(f.Image.URL, "expires=1", "expires=2", 1),
		"no signature": f.Image.URL[:strings.Index(f.Image.URL, "&")], "empty": f.Image.URL[:strings.LastIndex(f.Image.URL, "=")+1],
	} {
		if r := s.get(u); r.StatusCode != 403 {
			t.Errorf("%s: %d", name, r.StatusCode)
		}
	}
	s.now = p.URLsExpireAt.Add(time.Second)
	var pr httpx.Problem
	if r := s.get(f.Image.URL); r.StatusCode != 403 || json.Unmarshal(body(t, r), &pr) != nil || pr.Type != "urn:roadcomb:problem:expired" {
		t.Errorf("expired: %d %+v", r.StatusCode, pr)
	}
	other := ""
	for _, g := range s.every() {
		if g.Cell.Parent(api.BillingResolution) != f.Cell.Parent(api.BillingResolution) && !slices.Contains(ids(p.Frames), g.ID) {
			other = string(g.ID)
		}
	}
	r := decode[api.Renewal](t, s.post("/v1/imagery/renew", m{"frames": []string{string(f.ID), other, string(s.Hidden), "junk"}}))
	if len(r.Images) != 1 || len(r.Refused) != 3 || s.get(r.Images[0].URL).StatusCode != 200 {
		t.Errorf("%+v", r)
	}
}

func TestKeysAreAskedForAndKeptToTheirQuotas(t *testing.T) {
	s := newShop(t, api.Config{}, keys.Options{Credits: 10_000, PerMinute: 3, PerDay: 8})
	q := m{"geometry": around(s.Center, 100), "dry_run": true}
	for name, c := range map[string]struct {
		header []string
		want   int
	}{
		"no key":    {[]string{"X-API-Key", ""}, 401},
		"wrong key": {[]string{"X-API-Key", "rck_wrong"}, 401},
	} {
		res := s.post("/v1/imagery/search", q, c.header...)
		if b := body(t, res); res.StatusCode != c.want || !strings.Contains(string(b), "urn:roadcomb:problem:") || res.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %d %s", name, res.StatusCode, b)
		}
	}
	_, other, err := keys.Create(t.Context(), s.db, "tiles only", keys.Options{Scopes: []keys.Scope{keys.Tiles}}, s.now)
	if err != nil {
		t.Fatal(err)
	}
	if res := s.post("/v1/imagery/search", q, "X-API-Key", other); res.StatusCode != 403 {
		t.Errorf("without the scope: %d", res.StatusCode)
	}
	_, web, err := keys.Create(t.Context(), s.db, "web", keys.Options{Origins: []string{"https://good.example"}}, s.now)
	if err != nil {
		t.Fatal(err)
	}
	for origin, want := range map[string]int{"https://good.example": 200, "https://evil.example": 403, "": 403} {
		if res := s.post("/v1/imagery/search", q, "X-API-Key", web, "Origin", origin); res.StatusCode != want {
			t.Errorf("origin %q: %d", origin, res.StatusCode)
		}
	}
	var got []int
	for range 4 {
		got = append(got, s.post("/v1/imagery/search", q).StatusCode)
	}
	if fmt.Sprint(got) != "[200 200 200 429]" {
		t.Fatal(got)
	}
	res := s.post("/v1/imagery/search", q)
	if res.Header.Get("Retry-After") == "" || !strings.Contains(res.Header.Get("RateLimit-Policy"), `"minute";q=3`) {
		t.Error(res.Header)
	}
	for range 5 {
		s.now = s.now.Add(time.Minute)
		res = s.post("/v1/imagery/search", q)
	}
	if res.StatusCode != 200 || !strings.Contains(res.Header.Get("RateLimit"), `"day";r=0`) {
		t.Fatal(res.StatusCode, res.Header)
	}
	s.now = s.now.Add(time.Minute)
	if res = s.post("/v1/imagery/search", q); res.StatusCode != 429 || res.Header.Get("Retry-After") == "" {
		t.Fatal(res.StatusCode)
	}
	s.now = s.now.Add(24 * time.Hour)
	if res = s.post("/v1/imagery/search", q); res.StatusCode != 200 {
		t.Fatal(res.StatusCode)
	}
	if err := keys.Revoke(t.Context(), s.db, s.key.ID, s.now); err != nil {
		t.Fatal(err)
	}
	if res = s.post("/v1/imagery/search", q); res.StatusCode != 401 {
		t.Fatal(res.StatusCode)
	}
}

func TestBadGeometryIsRefusedWithAHint(t *testing.T) {
	s := newShop(t, api.Config{}, keys.Options{Credits: 5, PerMinute: 1e6})
	many := make([][]float64, 2100)
	for i := range many {
		many[i] = []float64{13, 55}
	}
	for name, g := range map[string]any{
		"type": m{"type": "Circle", "coordinates": []float64{1, 2}}, "nothing": m{"type": "Point"}, "text": m{"type": "Point", "coordinates": "x"},
		"order": m{"type": "Point", "coordinates": []float64{55, 130}}, "open ring": m{"type": "Polygon", "coordinates": [][][]float64{{{13, 55}, {13.001, 55}, {13, 55.001}, {13.0, 55.0005}}}},
		"no ring": m{"type": "Polygon", "coordinates": [][][]float64{}}, "huge": around(s.Center, 50_000), "corners": m{"type": "LineString", "coordinates": many},
		"one point": m{"type": "LineString", "coordinates": [][]float64{{13, 55}}}, "depth": m{"type": "Polygon", "coordinates": []float64{13, 55}},
		"world": m{"type": "Polygon", "coordinates": [][][]float64{{{-180, -90}, {180, -90}, {180, 90}, {-180, 90}, {-180, -90}}}},
	} {
		for _, path := range []string{"/v1/imagery/search"} {
			res := s.post(path, m{"geometry": g})
			if b := body(t, res); res.StatusCode != 400 && res.StatusCode != 422 {
				t.Errorf("%s %s: %d %s", path, name, res.StatusCode, b)
			}
		}
	}
	if res := s.post("/v1/imagery/search", m{"geometry": around(s.Center, 50), "min_week": "2026-05-05"}); res.StatusCode != 400 {
		t.Errorf("a Tuesday: %d", res.StatusCode)
	}
}

// A sliver of 44 km passes through more cells than a statement takes conditions.
func TestALongThinAreaGetsAnAnswer(t *testing.T) {
	s := newShop(t, api.Config{}, keys.Options{Credits: 5, PerMinute: 1e6, PerDay: 1e6})
	at := s.every()[0].Position
	sliver := polygon(geo.Point{Lat: at.Lat - 1e-5, Lon: at.Lon - 1e-5}, geo.Point{Lat: at.Lat - 1e-5, Lon: at.Lon + 1e-5}, geo.Point{Lat: at.Lat + 0.39, Lon: at.Lon + 0.01})
	for _, path := range []string{"/v1/imagery/search", "/v1/map-features/search"} {
		if res := s.post(path, m{"geometry": sliver}); res.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", path, res.StatusCode, body(t, res))
		}
	}
	p := decode[api.ImageryPage](t, s.post("/v1/imagery/search", m{"geometry": sliver, "dry_run": true}))
	if p.Found == 0 {
		t.Error("the frame at its end is not found")
	}
}

// Whatever bytes come as a geometry, the answer is an answer.
func TestAnyGeometryGetsAnAnswer(t *testing.T) {
	s := newShop(t, api.Config{}, keys.Options{Credits: 5, PerMinute: 1e6, PerDay: 1e6})
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(0, 6).Draw(rt, "n")
		ring := [][]float64{}
		for range n {
			ring = append(ring, []float64{rapid.Float64Range(-181, 181).Draw(rt, "lon"), rapid.Float64Range(-91, 91).Draw(rt, "lat")})
		}
		if n > 0 && rapid.Bool().Draw(rt, "closed") {
			ring = append(ring, ring[0])
		}
		res := s.post("/v1/imagery/search", m{"geometry": m{"type": "Polygon", "coordinates": [][][]float64{ring}}, "dry_run": true})
		if res.StatusCode >= 500 {
			rt.Fatalf("%d %s", res.StatusCode, body(t, res))
		}
	})
}
