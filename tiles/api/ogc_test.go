package api_test

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/roadcomb/roadcomb/tiles/api"
)

type ogcLink struct {
	Rel, Type, Href string
	Templated       bool
}

func follow(t *testing.T, links []ogcLink, rel string) string {
	t.Helper()
	for _, l := range links {
		if l.Rel == rel {
			if l.Type == "" || l.Href == "" {
				t.Errorf("link %q has no type or address", rel)
			}
			return l.Href
		}
	}
	t.Fatalf("no link %q among %+v", rel, links)
	return ""
}

// From the landing page to a tile by links alone, as QGIS and GDAL go; what is found is the tile of /v1/tiles.
func TestOGCTilesAreFoundByLinksAndAreTheMapsOwn(t *testing.T) {
	w := newWorld(t, api.Config{Attribution: "Us"})
	const def = "http://www.opengis.net/def/rel/ogc/1.0/"
	type page struct {
		Links       []ogcLink
		Collections []struct {
			ID    string
			Links []ogcLink
		}
		Tilesets []struct{ Links []ogcLink }
	}
	landing := decode[page](t, w.get("/v1/ogc"))
	if c := decode[struct{ ConformsTo []string }](t, w.get(follow(t, landing.Links, "conformance"))); len(c.ConformsTo) < 5 {
		t.Error(c)
	}
	collections := decode[page](t, w.get(follow(t, landing.Links, "data"))).Collections
	if len(collections) != 6 {
		t.Fatalf("%d collections", len(collections))
	}
	for _, c := range collections {
		rel := "tilesets-vector"
		if c.ID == "heat" {
			rel = "tilesets-map"
		}
		list := decode[page](t, w.get(follow(t, c.Links, def+rel)))
		set := decode[struct {
			TileMatrixSetURI    string
			Links               []ogcLink
			TileMatrixSetLimits []struct {
				TileMatrix                                     string
				MinTileRow, MaxTileRow, MinTileCol, MaxTileCol int
			}
		}](t, w.get(follow(t, list.Tilesets[0].Links, "self")))
		tms := decode[struct {
			TileMatrices []struct {
				ID               string
				ScaleDenominator float64
				MatrixWidth      int64
			}
		}](t, w.get(follow(t, set.Links, def+"tiling-scheme")))
		if m := tms.TileMatrices[14]; m.ID != "14" || math.Abs(m.ScaleDenominator-34123.67334) > 1e-4 || m.MatrixWidth != 1<<14 {
			t.Errorf("matrix 14 is %+v", m)
		}
		item := follow(t, set.Links, "item")
		tj := decode[api.TileJSON](t, w.get("/v1/tiles/"+c.ID+".json"))
		if len(set.TileMatrixSetLimits) != tj.MaxZoom-tj.MinZoom+1 {
			t.Errorf("%s: limits of %d zooms", c.ID, len(set.TileMatrixSetLimits))
		}
		l := set.TileMatrixSetLimits[len(set.TileMatrixSetLimits)-1]
		some := 0
		for row := l.MinTileRow - 1; row <= l.MaxTileRow+1; row++ {
			for col := l.MinTileCol - 1; col <= l.MaxTileCol+1; col++ {
				a := w.get(strings.NewReplacer("{tileMatrix}", l.TileMatrix, "{tileRow}", fmt.Sprint(row), "{tileCol}", fmt.Sprint(col)).Replace(item), "Accept-Encoding", "gzip")
				b := w.get(fmt.Sprintf("/v1/tiles/%s/%s/%d/%d.%s", c.ID, l.TileMatrix, col, row, tj.Format), "Accept-Encoding", "gzip")
				if a.StatusCode != b.StatusCode || a.Header.Get("ETag") != b.Header.Get("ETag") || !bytes.Equal(body(t, a), body(t, b)) {
					t.Fatalf("%s %d/%d: %d and %d", c.ID, row, col, a.StatusCode, b.StatusCode)
				}
				within := row >= l.MinTileRow && row <= l.MaxTileRow && col >= l.MinTileCol && col <= l.MaxTileCol
				if a.StatusCode == 200 && within {
					some++
				}
				// Whole hexes reach over the edge of the box of what they are of; nothing else does.
				if a.StatusCode == 200 && !within && c.ID != "coverage" && c.ID != "heat" && c.ID != "sequences" && c.ID != "panoramax" {
					t.Errorf("%s: a tile outside of the limits, row %d column %d", c.ID, row, col)
				}
			}
		}
		if some == 0 {
			t.Errorf("%s has no tile within its limits", c.ID)
		}
	}
	for _, path := range []string{"/v1/ogc/collections/nothing", "/v1/ogc/collections/nothing/tiles", "/v1/ogc/collections/images/tiles/WebMercatorQuad/3/0/0", "/v1/ogc/collections/nothing/tiles/WebMercatorQuad/0/0/0"} {
		if r := w.get(path); r.StatusCode != 404 {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
}
