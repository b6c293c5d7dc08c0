package testkit_test

import (
	"bytes"
	"image/jpeg"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

func TestPicturesDecodeAndDifferBySeed(t *testing.T) {
	a := testkit.JPEG(testkit.Picture{Seed: 1, Point: &geo.Point{Lat: 55, Lon: 13}, Taken: time.Unix(1.7e9, 0)})
	b := testkit.JPEG(testkit.Picture{Seed: 2})
	if bytes.Equal(a, b) || bytes.Equal(testkit.JPEG(testkit.Picture{Seed: 2}), a) {
		t.Fatal("pictures are equal")
	}
	img, err := jpeg.Decode(bytes.NewReader(a))
	if err != nil || img.Bounds().Dx() != 640 {
		t.Fatal(err)
	}
}

func TestPathSpacesShotsEvenly(t *testing.T) {
	p := geo.Point{Lat: 43.73, Lon: 7.42}
	shots := testkit.Path([]geo.Point{p, geo.Destination(p, 90, 100), geo.Destination(geo.Destination(p, 90, 100), 0, 60)}, 8, 10, time.Unix(1.7e9, 0))
	if len(shots) != 21 {
		t.Fatalf("%d shots in 160 m", len(shots))
	}
	if d := shots[1].Time.Sub(shots[0].Time); d != 800*time.Millisecond {
		t.Fatal(d)
	}
}
