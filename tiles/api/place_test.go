package api_test

import (
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/maptile"

	"github.com/roadcomb/roadcomb/pkg/geo"
)

func place(z int, p geo.Point) (x, y int) {
	t := maptile.At(orb.Point{p.Lon, p.Lat}, maptile.Zoom(z))
	return int(t.X), int(t.Y)
}
