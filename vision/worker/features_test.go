package worker_test

import (
	"context"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
	"github.com/roadcomb/roadcomb/vision/cv"
	"github.com/roadcomb/roadcomb/vision/lab"
	"github.com/roadcomb/roadcomb/vision/worker"
)

// spotter gives sightings by picture.
type spotter map[survey.Hash][]survey.Sighting

func (s spotter) Spot(_ context.Context, im *cv.Image, text bool) (out []survey.Sighting, err error) {
	for _, x := range s[survey.HashOf(im.Pixels())] {
		if x.Class != survey.ClassText || text {
			out = append(out, x)
		}
	}
	return out, nil
}

func TestSignsArePlacedAndTextUnderARedactionIsNeverKept(t *testing.T) {
	testkit.Engines(t, placesSigns)
}

func placesSigns(t *testing.T, db *state.DB) {
	const n = 6
	var images [][]byte
	for i := range n {
		images = append(images, picture(uint64(i+1)))
	}
	d := driveIn(t, db, images...)
	ctx := t.Context()
	if _, err := db.Exec(ctx, `UPDATE frames SET lat_e7 = 557000000 + 449 * seq, lon_e7 = 132000000, heading_mdeg = 0, accuracy_mm = 1000 WHERE drive_id = $1`, string(d.id)); err != nil {
		t.Fatal(err)
	}
	// A sign 40 m ahead of the first frame and 5 m to the right, a text that hangs onto a plate, and one apart from it.
	plate := survey.Box{Class: survey.ClassPlate, X: 100, Y: 300, W: 60, H: 20, Confidence: .9, Model: "test"}
	seen := spotter{}
	for i, b := range images {
		im, _, err := cv.Decode(b, cv.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		ahead := 40 - 5*float64(i)
		x, h := 320+320*5/ahead, 320*0.9/ahead
		seen[survey.HashOf(im.Pixels())] = []survey.Sighting{
			{Class: survey.ClassSign, Kind: survey.KindBlue, X: int(x - h/2), Y: 200, W: int(h), H: int(h), Confidence: 700000, Model: "s"},
			{Class: survey.ClassText, X: 164, Y: 305, W: 20, H: 12, Confidence: 900000, Model: "t"}, // within the plate's margin
			{Class: survey.ClassText, X: 400, Y: 100, W: 20, H: 12, Confidence: 900000, Model: "t"},
		}
		im.Close()
	}
	w := d.workerWith(lab.Tools{Guard: finds(plate), Spotter: seen})
	if err := w.Part(ctx, state.VisionArgs{DriveID: d.id}); err != nil {
		t.Fatal(err)
	}
	count := func(q string) (n int64) {
		t.Helper()
		if err := db.QueryRow(ctx, q).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if k := count(`SELECT COUNT(*) FROM frame_features WHERE class = 'text' AND x < 300`); k != 0 {
		t.Errorf("%d texts at a plate were kept", k)
	}
	if k := count(`SELECT COUNT(*) FROM frame_features WHERE class = 'text'`); k != n/2 {
		t.Errorf("text of %d frames, want every second", k)
	}
	var lat, lon, sigma, frames int64
	if err := db.QueryRow(ctx, `SELECT lat_e7, lon_e7, sigma_mm, frames FROM map_features WHERE class = 'sign' AND kind = 'blue'`).Scan(&lat, &lon, &sigma, &frames); err != nil {
		t.Fatal(err)
	}
	truth := geo.Destination(geo.Destination(geo.Point{Lat: 55.7, Lon: 13.2}, 0, 40), 90, 5)
	if off := geo.Distance(geo.FromE7(lat, lon), truth); off > 2 || frames != n || sigma < 1000 || sigma > 10000 {
		t.Errorf("%v off, by %d frames, sigma %d mm", off, frames, sigma)
	}
	if k := count(`SELECT COUNT(*) FROM frame_features WHERE class = 'sign' AND feature_id <> ''`); k != n {
		t.Errorf("%d sightings name their feature", k)
	}
	if k := count(`SELECT COUNT(*) FROM changes WHERE topic = 'feature'`); k == 0 {
		t.Error("nobody is told")
	}
	// Taken down, a frame shows nothing; with two left there is no place either.
	for _, id := range d.ids[:4] {
		if err := worker.Remove(ctx, db, d.st, id); err != nil {
			t.Fatal(err)
		}
	}
	if k := count(`SELECT COUNT(*) FROM frame_features WHERE class = 'sign'`); k != n-4 {
		t.Errorf("%d sightings are left", k)
	}
	if k := count(`SELECT COUNT(*) FROM map_features`); k != 0 {
		t.Errorf("%d places of two frames are left", k)
	}
}
