package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/httpx"
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

// Clients and validators of other projects read the STAC API: pystac-client walks it and pystac checks every object
// against the specification's schemas.
func TestSTACReadByOtherProjects(t *testing.T) {
	python := os.Getenv("ROADCOMB_INTEROP_PYTHON")
	if python == "" {
		t.Skip("set ROADCOMB_INTEROP_PYTHON to a Python with tiles/api/interop/requirements.txt installed")
	}
	// The links are absolute, so the address comes before the API.
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	defer srv.Close()
	s := newShop(t, api.Config{}, keys.Options{})
	api.Register(mux, httpx.NewAPI(mux, "test", "1"), api.Deps{DB: s.db, Store: s.st, Config: api.Config{PublicURL: srv.URL}})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, filepath.Join(dir, "interop", "stac.py"), srv.URL+"/v1/stac", fmt.Sprint(len(s.Frames)), fmt.Sprint(len(s.Drives)))
	said, err := cmd.CombinedOutput()
	t.Logf("%s", said)
	if err != nil {
		t.Fatal(err)
	}
}
