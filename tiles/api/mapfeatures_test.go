package api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/paulmach/orb/encoding/mvt"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/tiles/api"
	"github.com/roadcomb/roadcomb/tiles/api/keys"
	"github.com/roadcomb/roadcomb/tiles/api/maptest"
)

func TestMapFeaturesAreWhatStandsInTheArea(t *testing.T) {
	s := newShop(t, api.Config{}, keys.Options{})
	all := func(q string) []survey.FeatureID {
		t.Helper()
		var out []survey.FeatureID
		for cursor := ""; ; {
			p := decode[api.FeaturePage](t, s.get("/v1/map-features?limit=7&cursor="+cursor+"&"+q))
			if p.Type != "FeatureCollection" || len(p.Features) > 7 {
				t.Fatalf("%+v", p)
			}
			for _, f := range p.Features {
				out = append(out, f.ID)
			}
			if cursor = p.Next; cursor == "" {
				return out
			}
		}
	}
	want := func(name string, got []survey.FeatureID, keep func(maptest.Sign) bool) {
		t.Helper()
		var w []survey.FeatureID
		for _, x := range s.Signs {
			if keep(x) {
				w = append(w, x.ID)
			}
		}
		slices.Sort(w)
		if !slices.Equal(got, w) || len(w) == 0 || len(w) == len(s.Signs) && name != "all" {
			t.Errorf("%s: %d features, want %d of %d", name, len(got), len(w), len(s.Signs))
		}
	}
	ll := func(p geo.Point) string { return fmt.Sprintf("%.7f,%.7f", p.Lon, p.Lat) }
	mid := s.Signs[len(s.Signs)/2]
	wide := "bbox=7.40,43.72,7.44,43.75"
	want("all", all(wide), func(maptest.Sign) bool { return true })
	want("circle", all("meters=200&point="+ll(mid.Point)), func(x maptest.Sign) bool { return geo.Distance(x.Point, mid.Point) <= 200 })
	a, b := s.Signs[0].Point, s.Signs[3].Point
	want("line", all("meters=15&line="+ll(a)+";"+ll(b)), func(x maptest.Sign) bool { return toSegment(x.Point, a, b) <= 15 })
	want("kind", all(wide+"&kind=blue"), func(x maptest.Sign) bool { return x.Kind == survey.KindBlue })
	want("confidence", all(wide+"&min_confidence=0.6"), func(x maptest.Sign) bool { return x.Confidence >= 600e3 })
	since := mid.LastSeen
	want("since", all(wide+"&since="+since.Format(time.RFC3339)), func(x maptest.Sign) bool { return !x.LastSeen.Before(since.Truncate(time.Second)) })
	p := decode[api.FeaturePage](t, s.post("/v1/map-features/search", m{"geometry": around(mid.Point, 150), "class": "sign", "limit": 1000}))
	var got []survey.FeatureID
	for _, f := range p.Features {
		got = append(got, f.ID)
	}
	want("polygon", got, func(x maptest.Sign) bool {
		return inSquare(float64(geo.Distance(mid.Point, x.Point)), float64(geo.Bearing(mid.Point, x.Point))-90, 150/1.4142135623730951)
	})
	for q, status := range map[string]int{"": 400, wide + "&point=1,2": 400, "bbox=1,2,3": 400, "bbox=5,5,4,4": 400, "bbox=0,0,9,9": 400, "point=200,100": 400, "line=1,2": 400, "line=a": 400,
		wide + "&cursor=x": 400, wide + "&class=tree": 422, wide + "&limit=0": 422} {
		if r := s.get("/v1/map-features?" + q); r.StatusCode != status {
			t.Errorf("%q: %d, want %d", q, r.StatusCode, status)
		}
	}
}

// A feature whose frames are gone is gone with them: from the list, by its id, and from the tiles.
func TestAFeatureIsShownOnlyByPublicFrames(t *testing.T) {
	w := newWorld(t, api.Config{})
	sign := w.Signs[0]
	f := decode[api.MapFeature](t, w.get("/v1/map-features/"+string(sign.ID)))
	if len(f.Properties.Sightings) != 3 || f.Properties.Accuracy != 1.7 || f.Properties.Kind != sign.Kind {
		t.Fatalf("%+v", f)
	}
	for _, g := range f.Properties.Sightings {
		if r := w.get(g.Image); r.StatusCode != 200 || g.Box[0]+g.Box[2] > g.Width || g.Box[1]+g.Box[3] > g.Height {
			t.Errorf("%+v: %d", g, r.StatusCode)
		}
	}
	for _, id := range []string{string(w.HiddenSign), "nothing", strings.Repeat("0", 32)} {
		if r := w.get("/v1/map-features/" + id); r.StatusCode != 404 {
			t.Errorf("%s: %d", id, r.StatusCode)
		}
	}
	list := string(body(t, w.get("/v1/map-features?bbox=7.40,43.72,7.44,43.75&limit=1000")))
	if !strings.Contains(list, string(sign.ID)) || strings.Contains(list, string(w.HiddenSign)) {
		t.Error("the list holds the wrong features")
	}
	tiled := map[any]bool{}
	for _, x := range w.Signs {
		res := w.get(tileAt("features", 14, x.Point), "Accept-Encoding", "identity")
		ls, err := mvt.Unmarshal(body(t, res))
		if err != nil || res.StatusCode != 200 {
			t.Fatal(res.StatusCode, err)
		}
		for _, f := range ls[0].Features {
			tiled[f.Properties["id"]] = true
		}
	}
	if len(tiled) != len(w.Signs) || tiled[string(w.HiddenSign)] {
		t.Errorf("%d features in the tiles, want %d", len(tiled), len(w.Signs))
	}
	if r := httptest.NewRecorder(); true {
		w.mux.ServeHTTP(r, httptest.NewRequest(http.MethodOptions, "/v1/map-features/search", nil))
		if r.Code != 204 {
			t.Error("no preflight:", r.Code)
		}
	}
}
