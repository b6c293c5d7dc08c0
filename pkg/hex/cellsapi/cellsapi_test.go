package cellsapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/hex/cells"
	"github.com/roadcomb/roadcomb/pkg/hex/cellsapi"
	"github.com/roadcomb/roadcomb/pkg/hex/roads"
	"github.com/roadcomb/roadcomb/pkg/hex/roadstate"
	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/operators"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

var now = time.Date(2024, 6, 3, 8, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// street drives 400 m east from the place, a frame every 8 m.
func street(id string, from geo.Point, received time.Time) cells.DriveObservations {
	d := cells.DriveObservations{Drive: survey.DriveID(id)}
	pin := hex.NewPinner(12)
	for i := range 50 {
		p := geo.Destination(from, 90, geo.Meters(i*8))
		c, err := pin.Cell(p)
		if err != nil {
			panic(err)
		}
		d.Observations = append(d.Observations, survey.Observation{
			Frame: survey.FrameID(fmt.Sprintf("%s-%d", id, i)), Drive: d.Drive, Cell: c, CapturedAt: received.Add(-time.Hour), ReceivedAt: received,
			HeadingDeg: 90, Quality: 900_000,
		})
	}
	return d
}

var munich = geo.Point{Lat: 48.1429, Lon: 11.58}

type rig struct {
	*testing.T
	url string
}

func serve(t *testing.T, c cellsapi.Config) (rig, *state.DB) { return serveRoads(t, c, nil) }

func serveRoads(t *testing.T, c cellsapi.Config, r *roadstate.Roads) (rig, *state.DB) {
	db := testkit.DB(t)
	mux := http.NewServeMux()
	cellsapi.Register(mux, httpx.NewAPI(mux, "test", "1"), cellsapi.Deps{DB: db, Clock: func() time.Time { return now }, Operators: operators.New(db, operators.Config{RootToken: "secret"}), Config: c, Roads: r})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return rig{t, srv.URL}, db
}

func put(t testing.TB, db *state.DB, ds ...cells.DriveObservations) {
	c := &cells.Cells{DB: db}
	if err := db.Tx(t.Context(), func(tx *state.Tx) error {
		_, err := c.Apply(t.Context(), tx, ds)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// ask sends the request and reads the answer into out; want is the status.
func (r rig) ask(method, path, body string, want int, out any, header ...string) http.Header {
	r.Helper()
	req, err := http.NewRequest(method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		r.Fatal(err)
	}
	if res.StatusCode != want {
		r.Fatalf("%s %s: %d, want %d: %s", method, path, res.StatusCode, want, b)
	}
	if out != nil {
		if err := json.Unmarshal(b, out); err != nil {
			r.Fatalf("%s: %v", b, err)
		}
	}
	return res.Header
}

// around is a polygon of the half-width around the place as GeoJSON.
func around(p geo.Point, half geo.Meters) string {
	n, s := geo.Destination(p, 0, half).Lat, geo.Destination(p, 180, half).Lat
	w, e := geo.Destination(p, 270, half).Lon, geo.Destination(p, 90, half).Lon
	return fmt.Sprintf(`{"type":"Polygon","coordinates":[[[%v,%v],[%v,%v],[%v,%v],[%v,%v],[%v,%v]]]}`, w, s, e, s, e, n, w, n, w, s)
}

func bbox(p geo.Point, half geo.Meters) string {
	return url.QueryEscape(fmt.Sprintf("%v,%v,%v,%v", geo.Destination(p, 270, half).Lon, geo.Destination(p, 180, half).Lat, geo.Destination(p, 90, half).Lon, geo.Destination(p, 0, half).Lat))
}

func TestACellTellsItsFreshnessNowAndThen(t *testing.T) {
	r, db := serve(t, cellsapi.Config{})
	a, b := street("a", munich, now.Add(-30*day)), street("b", munich, now.Add(-day))
	put(t, db, a, b)
	cell := a.Observations[20].Cell
	var got struct {
		cellsapi.Info
		AsOf     time.Time    `json:"as_of"`
		Boundary [][2]float64 `json:"boundary"`
	}
	r.ask("GET", "/v1/cells/"+cell.String(), "", 200, &got)
	if got.Cell != cell || got.Observations < 2 || got.Freshness < 480_000 || got.Freshness > 490_000 || len(got.Boundary) != 6 {
		t.Errorf("%+v", got) // one side, a day old
	}
	if len(got.Headings) != 1 || got.Headings[0].Bearing != 90 || !got.LastSeen.Equal(now.Add(-day-time.Hour)) {
		t.Errorf("%+v", got.Info)
	}
	both := got.Observations
	got.Headings = nil
	r.ask("GET", "/v1/cells/"+cell.String()+"?as_of="+now.Add(-2*day).Format(time.RFC3339), "", 200, &got)
	if got.Observations*2 != both || !got.AsOf.Equal(now.Add(-2*day)) || got.Freshness > 270_000 || got.Freshness < 255_000 {
		t.Errorf("two days ago: %+v", got)
	}
	r.ask("GET", "/v1/cells/"+cell.String()+"?as_of="+now.Add(-60*day).Format(time.RFC3339), "", 404, nil)
	r.ask("GET", "/v1/cells/"+cell.Parent(9).String()+"?class=oneway", "", 200, &got)
	if got.Live < 5 || got.Freshest < got.Freshness || got.Freshness < 900_000 {
		t.Errorf("parent: %+v", got.Info)
	}
	for path, want := range map[string]int{
		"/v1/cells/zz": 400, "/v1/cells/8c1f8d44a2cd5fe": 400, "/v1/cells/" + hex.Neighbors(cell.Parent(7))[0].String(): 404,
		"/v1/cells/" + cell.Parent(3).String(): 400,
	} {
		r.ask("GET", path, "", want, nil)
	}
}

func TestPolygonAndBoxGiveTheSameCells(t *testing.T) {
	r, db := serve(t, cellsapi.Config{})
	d := street("a", munich, now.Add(-day))
	put(t, db, d)
	var want []survey.Cell
	for _, o := range d.Observations {
		want = append(want, o.Cell)
	}
	slices.Sort(want)
	want = slices.Compact(want)
	var box, poly cellsapi.FeatureCollection
	h := r.ask("GET", "/v1/cells?bbox="+bbox(munich, 600), "", 200, &box)
	if ct := h.Get("Content-Type"); ct != "application/geo+json" {
		t.Errorf("content type %s", ct)
	}
	r.ask("POST", "/v1/cells/query", around(munich, 600), 200, &poly)
	ids := func(f cellsapi.FeatureCollection) (out []survey.Cell) {
		for _, x := range f.Features {
			out = append(out, x.ID)
			if g := x.Geometry.Coordinates[0]; len(g) < 6 || g[0] != g[len(g)-1] {
				t.Errorf("ring %v", g)
			}
		}
		return out
	}
	if !slices.Equal(ids(box), want) || !slices.Equal(ids(poly), want) {
		t.Errorf("%d and %d cells, want %d", len(box.Features), len(poly.Features), len(want))
	}
	var past cellsapi.FeatureCollection
	r.ask("POST", "/v1/cells/query?res=9&as_of="+now.Add(-2*day).Format(time.RFC3339), around(munich, 600), 200, &past)
	if len(past.Features) != 0 {
		t.Errorf("seen before it arrived: %+v", past.Features)
	}
	var cov struct {
		Cells, Seen, Observations int
		Coverage                  int `json:"coverage_ppm"`
	}
	r.ask("POST", "/v1/cells/coverage", around(munich, 600), 200, &cov)
	if cov.Seen != len(want) || cov.Observations != 50 || cov.Cells < 4000 || cov.Coverage != cov.Seen*1_000_000/cov.Cells {
		t.Errorf("%+v", cov)
	}
}

func TestRequestsAreBounded(t *testing.T) {
	r, db := serve(t, cellsapi.Config{MaxCells: 10, Burst: 8, Rate: 0.01})
	put(t, db, street("a", munich, now.Add(-day)))
	var p struct{ Detail string }
	r.ask("POST", "/v1/cells/query", around(munich, 3000), 400, &p)
	if !strings.Contains(p.Detail, "resolution") {
		t.Errorf("no hint in %q", p.Detail)
	}
	r.ask("POST", "/v1/cells/query?res=10", around(munich, 3000), 200, nil)
	r.ask("POST", "/v1/cells/query", around(munich, 600), 400, nil) // more than MaxCells seen
	r.ask("GET", "/v1/cells?bbox=1,2,3", "", 422, nil)
	r.ask("GET", "/v1/cells?bbox=10,95,11,96", "", 400, nil)
	r.ask("POST", "/v1/cells/query", `{"type":"Polygon","coordinates":[]}`, 400, nil)
	r.ask("POST", "/v1/cells/query", `{"type":"Polygon","coordinates":[[[0,0],[1,1]]]}`, 400, nil)
	r.ask("GET", "/v1/freshness", "", 200, nil)
	h := r.ask("GET", "/v1/freshness", "", 429, nil)
	if h.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

func TestOpportunityRanksBountiesThenTimeSinceTheLastLook(t *testing.T) {
	r, db := serve(t, cellsapi.Config{})
	north := geo.Destination(munich, 0, 300)
	old, fresh := street("a", munich, now.Add(-8*day)), street("b", north, now.Add(-day))
	put(t, db, old, fresh)
	wanted, _ := hex.CellOf(geo.Destination(munich, 180, 300), 12) // nobody was there
	body := fmt.Sprintf(`{"owner":"city","cells":["%s"],"price":"7","bid":"2"}`, wanted)
	r.ask("POST", "/v1/orders", body, 401, nil, "Idempotency-Key", "k")
	var o, again cellsapi.Order
	r.ask("POST", "/v1/orders", body, 201, &o, "Idempotency-Key", "k", "Authorization", "Bearer secret")
	r.ask("POST", "/v1/orders", body, 201, &again, "Idempotency-Key", "k", "Authorization", "Bearer secret")
	if again.ID != o.ID || o.Price != 7 || o.Open != 1 || !o.EndsAt.Equal(now.Add(7*day)) {
		t.Errorf("%+v", o)
	}
	r.ask("POST", "/v1/orders/"+o.ID+"/bid", `{"owner":"city","bid":"9"}`, 200, &o, "Idempotency-Key", "k", "Authorization", "Bearer secret")
	r.ask("POST", "/v1/orders/"+o.ID+"/bid", `{"owner":"city","bid":"9"}`, 409, nil, "Idempotency-Key", "k", "Authorization", "Bearer secret")
	r.ask("GET", "/v1/orders/"+o.ID, "", 200, &o)
	if o.Bid != 9 || len(o.Targets) != 1 || o.Targets[0].Cell != wanted {
		t.Errorf("%+v", o)
	}
	r.ask("GET", "/v1/orders/00", "", 404, nil)
	var l struct{ Orders []cellsapi.Order }
	r.ask("GET", "/v1/orders", "", 200, &l)
	if len(l.Orders) != 1 {
		t.Errorf("%+v", l)
	}
	var got struct{ Cells []cellsapi.Worth }
	r.ask("GET", "/v1/opportunity?limit=1000&bbox="+bbox(munich, 700), "", 200, &got)
	if len(got.Cells) < 30 || got.Cells[0].Cell != wanted || got.Cells[0].Bounty != 7 || got.Cells[0].Worth != survey.One || got.Cells[0].Seen != 0 {
		t.Fatalf("%+v", got.Cells[:min(len(got.Cells), 3)])
	}
	if w := got.Cells[1]; w.Worth != survey.One || w.Cell != slices.Min([]survey.Cell{w.Cell, old.Observations[0].Cell, old.Observations[25].Cell}) {
		t.Errorf("%+v", w)
	}
	if w := got.Cells[len(got.Cells)-1]; w.Worth != 142_857 { // a day of seven
		t.Errorf("%+v", w)
	}
	var coarse struct{ Cells []cellsapi.Worth }
	r.ask("GET", "/v1/opportunity?res=7&bbox="+bbox(munich, 700), "", 200, &coarse)
	var bounty cellsapi.Units
	for _, w := range coarse.Cells {
		bounty += w.Bounty
	}
	if bounty != 7 {
		t.Errorf("%+v", coarse)
	}
	// Nobody is named anywhere.
	for _, path := range []string{"/v1/orders", "/v1/orders/" + o.ID, "/v1/opportunity?bbox=" + bbox(munich, 700), "/v1/cells?bbox=" + bbox(munich, 700)} {
		res, err := http.Get(r.url + path)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if strings.Contains(string(b), "city") || strings.Contains(string(b), "contributor") || strings.Contains(string(b), "drive") {
			t.Errorf("%s names somebody: %.200s", path, b)
		}
	}
}

func TestRoadsGiveClassesChancesAndProgress(t *testing.T) {
	east := func(m geo.Meters) geo.Point { return geo.Destination(munich, 90, m) }
	n, err := roads.New([]roads.Segment{
		{ID: roads.SegmentID{Way: 1}, Class: "residential", OneWay: true, Points: []geo.Point{east(0), east(400)}},
		{ID: roads.SegmentID{Way: 2}, Class: "residential", Points: []geo.Point{east(400), east(600)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r, db := serveRoads(t, cellsapi.Config{}, &roadstate.Roads{Network: n})
	d := street("a", munich, now)
	put(t, db, d)
	for _, q := range []string{
		`INSERT INTO contributors (id, created_at) VALUES ('c', 0)`,
		`INSERT INTO uploads (id, contributor_id, state, options, files, bytes, created_at) VALUES ('u', 'c', 'settled', '{}', 0, 0, 0)`,
		`INSERT INTO drives (id, upload_id, contributor_id, device_id, state, started_at, ended_at, received_at, frames, parts, distance_mm, manifest_sha256)
			VALUES ('a', 'u', 'c', 'd', 'indexed', 0, 0, 0, 0, 0, 0, '')`,
		`INSERT INTO road_stretches (drive_id, way, node, backward, from_mm, to_mm) VALUES ('a', 1, 0, 0, 0, 300000)`,
	} {
		if _, err := db.Exec(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	var cell struct {
		cellsapi.Info
		Roads []cellsapi.RoadPart
	}
	r.ask("GET", "/v1/cells/"+d.Observations[20].Cell.String(), "", 200, &cell)
	if len(cell.Roads) != 1 || cell.Roads[0].Way != 1 || !cell.Roads[0].OneWay || cell.Roads[0].Forward < 5 || cell.Roads[0].Forward != cell.Roads[0].Length || cell.Roads[0].Backward != 0 {
		t.Errorf("%+v", cell.Roads)
	}
	if cell.Freshness < 990_000 { // one side of a one-way road is all there is
		t.Errorf("%+v", cell)
	}
	r.ask("GET", "/v1/cells/"+d.Observations[20].Cell.String()+"?class=default", "", 200, &cell)
	if cell.Freshness > 500_000 {
		t.Errorf("%+v", cell)
	}
	var chance struct{ Cells []cellsapi.Worth }
	r.ask("GET", "/v1/opportunity?limit=1000&bbox="+bbox(east(300), 600), "", 200, &chance)
	far, _ := hex.CellOf(east(550), 12)
	if !slices.ContainsFunc(chance.Cells, func(w cellsapi.Worth) bool { return w.Cell == far && w.Seen == 0 && w.Worth == survey.One }) {
		t.Errorf("the road nobody drove is no chance: %+v", chance.Cells)
	}
	var p struct {
		Whole   cellsapi.RoadProgress
		Regions []cellsapi.RoadProgress
	}
	r.ask("GET", "/v1/roads/progress?res=9", "", 200, &p)
	if p.Whole.Road < 599 || p.Whole.Road > 601 || p.Whole.Covered != 300 || p.Whole.Driven != 300 || p.Whole.Sides < 799 || p.Whole.Segments != 2 || p.Whole.Seen != 1 || len(p.Regions) < 2 {
		t.Errorf("%+v", p)
	}
	bare, _ := serve(t, cellsapi.Config{})
	bare.ask("GET", "/v1/roads/progress", "", 501, nil)
}

func TestAnswersComeAsArrowToThoseWhoAsk(t *testing.T) {
	r, db := serve(t, cellsapi.Config{})
	d := street("a", munich, now.Add(-day))
	put(t, db, d)
	fetch := func(method, path, body, accept string) (string, http.Header, []byte) {
		t.Helper()
		req, err := http.NewRequest(method, r.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", accept)
		if body != "" {
			req.Header.Set("Content-Type", "application/json")
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.Header.Get("Content-Type"), res.Header, b
	}
	var fc cellsapi.FeatureCollection
	r.ask("POST", "/v1/cells/query", around(munich, 700), 200, &fc)
	for _, ask := range []struct{ method, path, body string }{{"POST", "/v1/cells/query", around(munich, 700)}, {"GET", "/v1/cells?bbox=" + bbox(munich, 700), ""}} {
		ct, h, b := fetch(ask.method, ask.path, ask.body, "text/html, application/vnd.apache.arrow.stream;q=0.9, */*;q=0.5")
		if ct != lake.StreamMediaType || h.Get("Vary") != "Accept" {
			t.Fatalf("%s: %s, %v: %.200s", ask.path, ct, h, b)
		}
		var rows []cellsapi.CellRow
		if err := lake.ScanStream(bytes.NewReader(b), func(rs []cellsapi.CellRow) error { rows = append(rows, rs...); return nil }); err != nil {
			t.Fatal(err)
		}
		if len(rows) != len(fc.Features) || len(rows) < 10 {
			t.Fatalf("%d rows, %d features", len(rows), len(fc.Features))
		}
		for i, row := range rows {
			p := fc.Features[i].Properties
			if row.Cell != p.Cell || row.Freshness != int64(p.Freshness) || row.Observations != p.Observations || !row.LastSeen.Equal(p.LastSeen) ||
				row.SeenE == nil || !row.SeenE.Equal(p.LastSeen) || row.SeenN != nil || len(row.Geometry.WKB()) != 1+4+4+4+7*16 {
				t.Fatalf("%+v, want %+v", row, p)
			}
		}
	}
	var o cellsapi.Opportunity
	r.ask("GET", "/v1/opportunity?bbox="+bbox(munich, 700), "", 200, &o)
	ct, _, b := fetch("GET", "/v1/opportunity?bbox="+bbox(munich, 700), "", lake.StreamMediaType)
	var worth []cellsapi.WorthRow
	if err := lake.ScanStream(bytes.NewReader(b), func(rs []cellsapi.WorthRow) error { worth = append(worth, rs...); return nil }); err != nil || ct != lake.StreamMediaType {
		t.Fatalf("%v: %s %.200s", err, ct, b)
	}
	if len(worth) != len(o.Cells) || worth[0].Cell != o.Cells[0].Cell || worth[0].Worth != int64(o.Cells[0].Worth) || worth[0].Lon != o.Cells[0].Center[0] {
		t.Errorf("%+v, want %+v", worth[0], o.Cells[0])
	}
	// Coverage and opportunity come as JSON unless GeoJSON or Arrow is named.
	var cov, feat cellsapi.Coverage
	r.ask("POST", "/v1/cells/coverage", around(munich, 600), 200, &cov)
	ct, _, b = fetch("POST", "/v1/cells/coverage", around(munich, 600), "application/geo+json, application/json;q=0.9")
	one := struct {
		Type       string
		Geometry   cellsapi.Geometry
		Properties *cellsapi.Coverage
	}{Properties: &feat}
	if err := json.Unmarshal(b, &one); err != nil || ct != "application/geo+json" || one.Type != "Feature" || one.Geometry.Type != "Polygon" || feat != cov || cov.Seen < 10 {
		t.Errorf("%v: %s %.300s", err, ct, b)
	}
	ct, _, b = fetch("POST", "/v1/cells/coverage", around(munich, 600), lake.StreamMediaType)
	var areas []cellsapi.CoverageRow
	if err := lake.ScanStream(bytes.NewReader(b), func(rs []cellsapi.CoverageRow) error { areas = append(areas, rs...); return nil }); err != nil || ct != lake.StreamMediaType || len(areas) != 1 ||
		areas[0].Seen != int64(cov.Seen) || areas[0].Coverage != int64(cov.Coverage) || areas[0].LastSeen == nil || !areas[0].LastSeen.Equal(cov.LastSeen) || len(areas[0].Geometry.WKB()) != 1+4+4+4+5*16 {
		t.Errorf("%v: %s %+v, want %+v", err, ct, areas, cov)
	}
	ct, _, b = fetch("GET", "/v1/opportunity?bbox="+bbox(munich, 700), "", "application/geo+json")
	var many struct {
		Type     string
		Features []struct {
			ID         string
			Geometry   cellsapi.Geometry
			Properties cellsapi.Worth
		}
	}
	if err := json.Unmarshal(b, &many); err != nil || ct != "application/geo+json" || many.Type != "FeatureCollection" || len(many.Features) != len(o.Cells) ||
		many.Features[0].Properties != o.Cells[0] || many.Features[0].ID != o.Cells[0].Cell.String() || len(many.Features[0].Geometry.Coordinates[0]) != 7 {
		t.Errorf("%v: %s %.300s", err, ct, b)
	}
	for _, accept := range []string{"", "*/*", "application/json, application/geo+json"} {
		if ct, _, _ := fetch("POST", "/v1/cells/coverage", around(munich, 600), accept); ct != "application/json" {
			t.Errorf("Accept %q gives %s", accept, ct)
		}
	}
	// An empty place is a stream without rows; a place too large is the problem it always was; who likes JSON better gets it.
	ct, _, b = fetch("GET", "/v1/cells?bbox=0,0,0.001,0.001", "", lake.StreamMediaType)
	if err := lake.ScanStream(bytes.NewReader(b), func(rs []cellsapi.CellRow) error { t.Errorf("%d rows", len(rs)); return nil }); err != nil || ct != lake.StreamMediaType {
		t.Errorf("%v: %s", err, ct)
	}
	if ct, _, b = fetch("GET", "/v1/cells?bbox=0,0,1,1", "", lake.StreamMediaType); ct != "application/problem+json" || !strings.Contains(string(b), "smaller area") {
		t.Errorf("%s: %s", ct, b)
	}
	for _, accept := range []string{"", "*/*", "application/json, application/vnd.apache.arrow.stream;q=0.5", "application/vnd.apache.arrow.stream;q=0"} {
		if ct, _, _ := fetch("GET", "/v1/cells?bbox="+bbox(munich, 700), "", accept); ct != "application/geo+json" {
			t.Errorf("Accept %q gives %s", accept, ct)
		}
	}
}
