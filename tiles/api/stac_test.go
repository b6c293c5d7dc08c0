package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/tiles/api"
	"github.com/roadcomb/roadcomb/tiles/api/keys"
)

// dir is this folder; the embedded store leaves the process in another.
var dir, _ = os.Getwd()

type stacLink struct {
	Rel, Href, Type, Method string
	Body                    m
}

type stacItem struct {
	ID         survey.FrameID
	Collection survey.DriveID
	Geometry   struct{ Coordinates [2]float64 }
	Properties struct{ Datetime time.Time }
	Links      []stacLink
	Assets     map[string]struct{ Href string }
}

type stacPage struct {
	Features []stacItem
	Links    []stacLink
}

func (p stacPage) next() *stacLink {
	for _, l := range p.Links {
		if l.Rel == "next" {
			return &l
		}
	}
	return nil
}

// crawl follows the next links of a search.
func (s *shop) crawl(method string, q m) []stacItem {
	s.t.Helper()
	var got []stacItem
	path := "/v1/stac/search"
	if method == http.MethodGet {
		v := url.Values{}
		for k, x := range q {
			b, err := json.Marshal(x)
			if err != nil {
				s.t.Fatal(err)
			}
			v.Set(k, strings.Trim(string(b), `[]"`))
			if k == "intersects" {
				v.Set(k, string(b))
			}
			v.Set(k, strings.ReplaceAll(v.Get(k), `","`, ","))
		}
		path += "?" + v.Encode()
	}
	for {
		var res *http.Response
		if method == http.MethodGet {
			res = s.get(path)
		} else {
			res = s.post("/v1/stac/search", q)
		}
		p := decode[stacPage](s.t, res)
		got = append(got, p.Features...)
		n := p.next()
		if n == nil {
			return got
		}
		path = n.Href
		for k, v := range n.Body {
			q[k] = v
		}
		if len(got) > 10_000 {
			s.t.Fatal("pages never end")
		}
	}
}

func TestSTACSearchFindsWhatALookAtEveryFrameFinds(t *testing.T) {
	s := newShop(t, api.Config{}, keys.Options{})
	all := s.every()
	mid := all[100].Position
	sw, ne := geo.Destination(mid, 225, 400), geo.Destination(mid, 45, 400)
	in := geo.Bounds{West: sw.Lon, South: sw.Lat, East: ne.Lon, North: ne.Lat}
	from, to := all[30].CapturedAt, all[90].CapturedAt
	if from.After(to) {
		from, to = to, from
	}
	drive := all[200].Sequence
	for name, c := range map[string]struct {
		q    m
		want func(api.Frame) bool
	}{
		"everything": {m{}, func(api.Frame) bool { return true }},
		"box":        {m{"bbox": []float64{in.West, in.South, in.East, in.North}}, func(f api.Frame) bool { return in.Contains(f.Position) }},
		"wide box":   {m{"bbox": []float64{-180, -90, 180, 90}}, func(api.Frame) bool { return true }},
		"time":       {m{"datetime": from.Format(time.RFC3339Nano) + "/" + to.Format(time.RFC3339Nano)}, func(f api.Frame) bool { return !f.CapturedAt.Before(from) && !f.CapturedAt.After(to) }},
		"since":      {m{"datetime": to.Format(time.RFC3339Nano) + "/.."}, func(f api.Frame) bool { return !f.CapturedAt.Before(to) }},
		"drive":      {m{"collections": []string{string(drive)}}, func(f api.Frame) bool { return f.Sequence == drive }},
		"ids":        {m{"ids": []string{string(all[3].ID), string(all[9].ID), string(s.Hidden)}}, func(f api.Frame) bool { return f.ID == all[3].ID || f.ID == all[9].ID }},
		"polygon": {m{"intersects": polygon(geo.Point{Lat: in.South, Lon: in.West}, geo.Point{Lat: in.South, Lon: in.East}, geo.Point{Lat: in.North, Lon: in.East}, geo.Point{Lat: in.North, Lon: in.West})},
			func(f api.Frame) bool { return in.Contains(f.Position) }},
		"sea": {m{"bbox": []float64{0.1, 0.1, 0.2, 0.2}}, nil},
	} {
		var want []survey.FrameID
		for _, f := range all {
			if c.want != nil && c.want(f) {
				want = append(want, f.ID)
			}
		}
		slices.Sort(want)
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			q := m{"limit": 37}
			for k, v := range c.q {
				q[k] = v
			}
			var got []survey.FrameID
			for _, f := range s.crawl(method, q) {
				got = append(got, f.ID)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) || len(want) == 0 && c.want != nil {
				t.Errorf("%s by %s: %d frames, want %d", name, method, len(got), len(want))
			}
		}
	}
	for _, bad := range []string{"bbox=1,2,3", "bbox=a,b,c,d", "bbox=0,10,1,5", "datetime=yesterday", "datetime=../..", "datetime=2026-02-01T00:00:00Z/2026-01-01T00:00:00Z", "limit=0", "limit=x", "token=!", "intersects=7",
		"bbox=1,2,3,4&intersects=%7B%22type%22:%22Point%22,%22coordinates%22:[1,2]%7D"} {
		if r := s.get("/v1/stac/search?" + bad); r.StatusCode != 400 {
			t.Errorf("%s answers %d", bad, r.StatusCode)
		}
	}
}

func TestSTACDrivesHoldTheirFramesInOrder(t *testing.T) {
	s := newShop(t, api.Config{}, keys.Options{})
	type page struct {
		Collections []struct{ ID string }
		Links       []stacLink
	}
	var drives []string
	for path := "/v1/stac/collections?limit=4"; path != ""; {
		p := decode[page](t, s.get(path))
		path = ""
		for _, c := range p.Collections {
			drives = append(drives, c.ID)
		}
		if n := (stacPage{Links: p.Links}).next(); n != nil {
			path = n.Href
		}
	}
	if len(drives) != len(s.Drives) {
		t.Fatalf("%d drives", len(drives))
	}
	n := 0
	for path := "/v1/stac/collections/" + drives[1] + "/items?limit=13"; path != ""; {
		p := decode[stacPage](t, s.get(path))
		path = ""
		if next := p.next(); next != nil {
			path = next.Href
		}
		n += len(p.Features)
		for _, it := range p.Features {
			if string(it.Collection) != drives[1] {
				t.Fatal(it)
			}
			if r := s.get(it.Assets["hd"].Href); r.StatusCode != 200 {
				t.Fatalf("image of %s answers %d", it.ID, r.StatusCode)
			}
		}
	}
	if n != 60 && n != 59 {
		t.Errorf("%d items", n)
	}
	// Walking the next links from the first frame meets every frame of the drive.
	p := decode[stacPage](t, s.get("/v1/stac/collections/"+drives[1]+"/items?limit=1"))
	walked := 1
	for it := p.Features[0]; ; walked++ {
		it = decode[stacItem](t, s.get(fmt.Sprintf("/v1/stac/collections/%s/items/%s", drives[1], it.ID)))
		next := (stacPage{Links: it.Links}).next()
		if next == nil {
			break
		}
		it.ID = survey.FrameID(next.Href[strings.LastIndex(next.Href, "/")+1:])
	}
	if walked != n {
		t.Errorf("walked over %d of %d", walked, n)
	}
	for _, path := range []string{"/v1/stac/collections/nothing", "/v1/stac/collections/nothing/items", "/v1/stac/collections/" + drives[0] + "/items/" + string(s.Hidden), "/v1/stac/collections/" + drives[0] + "/items/" + string(p.Features[0].ID)} {
		if r := s.get(path); r.StatusCode != 404 {
			t.Errorf("%s answers %d", path, r.StatusCode)
		}
	}
}

// A search takes any GeoJSON geometry, however large, and refuses what only looks like a time.
func TestSTACSearchTakesEveryKindOfGeometry(t *testing.T) {
	s := newShop(t, api.Config{}, keys.Options{})
	all := s.every()
	at := func(i int) []float64 { return []float64{all[i].Position.Lon, all[i].Position.Lat} }
	is := func(ids ...int) func(api.Frame) bool {
		return func(f api.Frame) bool {
			return slices.ContainsFunc(ids, func(i int) bool { return f.Position == all[i].Position })
		}
	}
	everything := func(api.Frame) bool { return true }
	ring := func(w, so, e, n float64) [][]float64 { return [][]float64{{w, so}, {e, so}, {e, n}, {w, n}, {w, so}} }
	c := s.Center
	for name, q := range map[string]struct {
		g    m
		want func(api.Frame) bool
	}{
		"points":                           {m{"type": "MultiPoint", "coordinates": [][]float64{at(3), at(140)}}, is(3, 140)},
		"lines":                            {m{"type": "MultiLineString", "coordinates": [][][]float64{{at(7), at(7)}, {at(99), at(99)}}}, is(7, 99)},
		"collection":                       {m{"type": "GeometryCollection", "geometries": []m{{"type": "Point", "coordinates": at(5)}, {"type": "MultiPoint", "coordinates": [][]float64{at(200)}}}}, is(5, 200)},
		"country":                          {m{"type": "Polygon", "coordinates": [][][]float64{ring(c.Lon-4, c.Lat-4, c.Lon+4, c.Lat+4)}}, everything},
		"the middle of a country left out": {m{"type": "Polygon", "coordinates": [][][]float64{ring(c.Lon-4, c.Lat-4, c.Lon+4, c.Lat+4), ring(c.Lon-1, c.Lat-1, c.Lon+1, c.Lat+1)}}, nil},
		"two countries":                    {m{"type": "MultiPolygon", "coordinates": [][][][]float64{{ring(100, 0, 104, 4)}, {ring(c.Lon-4, c.Lat-4, c.Lon+4, c.Lat+4)}}}, everything},
		"half the world":                   {m{"type": "Polygon", "coordinates": [][][]float64{ring(-100, -80, 100, 80)}}, everything},
		"elsewhere":                        {m{"type": "Polygon", "coordinates": [][][]float64{ring(100, 0, 101, 1)}}, nil},
	} {
		var want []survey.FrameID
		for _, f := range all {
			if q.want != nil && q.want(f) {
				want = append(want, f.ID)
			}
		}
		var got []survey.FrameID
		for _, it := range s.crawl(http.MethodPost, m{"intersects": q.g, "limit": 25}) {
			got = append(got, it.ID)
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: found %d, want %d", name, len(got), len(want))
		}
	}
	for _, bad := range []m{{"type": "MultiPoint", "coordinates": []float64{}}, {"type": "GeometryCollection"}, {"type": "Circle", "coordinates": at(0)}, {"type": "MultiPoint", "coordinates": [][]float64{{7}}}} {
		if r := s.post("/v1/stac/search", m{"intersects": bad}); r.StatusCode != 400 {
			t.Errorf("%v answers %d", bad, r.StatusCode)
		}
	}
	for _, bad := range []string{"1985-04-12T23:20:50,52Z", "1985-04-12", "1985-04-12T23:20:50.52", "1985-04-12 23:20:50Z/.."} {
		if r := s.get("/v1/stac/search?datetime=" + url.QueryEscape(bad)); r.StatusCode != 400 {
			t.Errorf("datetime %s answers %d", bad, r.StatusCode)
		}
	}
}

// Panoramax's viewer finds on the landing page where the map is and how to draw it.
func TestSTACLandingTellsPanoramaxWhatToDraw(t *testing.T) {
	w := newWorld(t, api.Config{PublicURL: "https://map.example.org", Attribution: "© me"})
	l := decode[struct {
		Links  []stacLink
		Extent struct{ Spatial struct{ BBox [][4]float64 } }
	}](t, w.get("/v1/stac"))
	style := ""
	for _, x := range l.Links {
		if !strings.HasPrefix(x.Href, "https://map.example.org/v1/") {
			t.Errorf("link %s goes to %s", x.Rel, x.Href)
		}
		if x.Rel == "xyz-style" {
			style = strings.TrimPrefix(x.Href, "https://map.example.org")
		}
	}
	if len(l.Extent.Spatial.BBox) != 1 || !(l.Extent.Spatial.BBox[0][0] < l.Extent.Spatial.BBox[0][2]) {
		t.Errorf("extent %v", l.Extent)
	}
	st := decode[struct {
		Version int
		Sources map[string]struct {
			Tiles       []string
			Attribution string
		}
		Layers []struct {
			ID, Source string
			Layer      string `json:"source-layer"`
		}
		Metadata map[string]map[string][]string
	}](t, w.get(style))
	if src := st.Sources["geovisio"]; st.Version != 8 || len(src.Tiles) != 1 || src.Tiles[0] != "https://map.example.org/v1/tiles/panoramax/{z}/{x}/{y}.mvt" || src.Attribution != "© me" {
		t.Errorf("%+v", st)
	}
	for i, name := range []string{"grid", "sequences", "pictures"} {
		if l := st.Layers[i]; l.Layer != name || l.ID != "geovisio_"+name || l.Source != "geovisio" || !slices.Contains(st.Metadata["panoramax:fields"][name], "id") {
			t.Errorf("layer %d is %+v", i, l)
		}
	}
}
