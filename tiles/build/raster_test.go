package build_test

import (
	"bytes"
	"image/color"
	"image/png"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/tiles/build"
	"github.com/roadcomb/roadcomb/tiles/mvt"
)

// Two polygons that share an edge and fill four tiles leave no pixel out and none is painted twice.
func TestPicturesHaveNoSeams(t *testing.T) {
	f := build.NewFeatures(&mvt.Dict{})
	for i, ring := range [][]geo.Point{
		{{Lat: -66, Lon: -180}, {Lat: -66, Lon: 37.3}, {Lat: 66, Lon: -20.9}, {Lat: 66, Lon: -180}},
		{{Lat: -66, Lon: 37.3}, {Lat: -66, Lon: 180}, {Lat: 66, Lon: 180}, {Lat: 66, Lon: -20.9}},
	} {
		f.Begin(build.Polygon, 0, int64(i+1))
		w := make([]build.XY, len(ring))
		for k, p := range ring {
			w[k] = build.Project(p)
		}
		f.Part(w, false)
		f.End()
	}
	r := &build.Raster{Size: 64, Palette: color.Palette{color.NRGBA{}, color.NRGBA{R: 255, A: 255}, color.NRGBA{G: 255, A: 255}}, Color: func(rank int64) uint8 { return uint8(rank) }}
	tiles, st := tilesOf(t, []build.Layer{{Name: "p", MinZoom: 1, MaxZoom: 2, Features: f, Whole: true}}, build.Options{Raster: r})
	if len(tiles) != 12 || st.Tiles != 12 { // the polar rows of zoom 2 touch the buffer only
		t.Fatalf("%d tiles", len(tiles))
	}
	red, green := 0, 0
	for id := uint64(1); id < 5; id++ {
		img, err := png.Decode(bytes.NewReader(tiles[id]))
		if err != nil || img.Bounds().Dx() != 64 {
			t.Fatal(err)
		}
		for y := range 64 {
			for x := range 64 {
				switch c := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA); {
				case c.R == 255:
					red++
				case c.G == 255:
					green++
				}
			}
		}
	}
	// ±66° is half the square's height: 128 columns of 64 rows, and no more.
	rows := 0
	for y := range 128 {
		p := build.XY{X: 0, Y: uint32(uint64(2*y+1) << 24)}.Unproject()
		if p.Lat < 66 && p.Lat > -66 {
			rows++
		}
	}
	if red+green != rows*128 || red < 3000 || green < 3000 {
		t.Fatalf("%d red and %d green pixels in %d rows", red, green, rows)
	}
}
