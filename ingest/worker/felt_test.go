package worker_test

import (
	"math"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

func TestAFilmsAccelerometerVouchesForItsTrackOrDeniesIt(t *testing.T) {
	ride := testkit.NewRide(1, home, 5*time.Minute)
	other := testkit.NewRide(2, home, 5*time.Minute)
	none := [][3]float64(nil)
	for _, c := range []struct {
		name     string
		film     []byte
		voucher  survey.PPM // at least; 0: none
		findings string
	}{
		{"a GoPro that drove its track", ride.GoPro(morning, ride.Felt(1)), 990_000, ""},
		{"the same, mounted otherwise", ride.GoPro(morning, ride.Felt(9)), 990_000, ""},
		{"a camera with CAMM that drove its track", ride.CAMM(morning, ride.Felt(1)), 990_000, ""},
		{"a GoPro that stood on a table", ride.GoPro(morning, testkit.Still(1, len(ride))), 0, "silent_motion"},
		{"a camera with CAMM that stood on a table", ride.CAMM(morning, testkit.Still(1, len(ride))), 0, "silent_motion"},
		{"a GoPro in a car that drove elsewhere", ride.GoPro(morning, other.Felt(1)), 0, "motion_differs"},
		{"a camera with CAMM in a car that drove elsewhere", ride.CAMM(morning, other.Felt(1)), 0, "motion_differs"},
		{"a GoPro without an accelerometer", ride.GoPro(morning, none), 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := open(t)
			id := n.send("c1", map[string][]byte{"card/GOPR0001.MP4": c.film}, survey.UploadOptions{})
			n.ingest(id)
			if vs := n.verdicts(id); vs["card/GOPR0001.MP4"] != "accepted" {
				t.Fatalf("%v", vs)
			}
			if d, f := n.int(`SELECT COUNT(*) FROM drives`), n.int(`SELECT COUNT(*) FROM frames`); d != 1 || f < 100 {
				t.Fatalf("%d drives, %d frames", d, f)
			}
			if v := survey.PPM(n.int(`SELECT COALESCE(MAX(score_ppm), 0) FROM drive_vouchers WHERE kind = 'motion'`)); v < c.voucher || c.voucher == 0 && v > 0 {
				t.Errorf("the accelerometer vouches with %d: %s", v, n.text(`SELECT COALESCE(MAX(evidence), '') FROM drive_vouchers`))
			}
			if f := n.text(`SELECT COALESCE(MAX(kind), '') FROM findings WHERE kind IN ('silent_motion', 'motion_differs')`); f != c.findings {
				t.Errorf("found %q: %s", f, n.text(`SELECT COALESCE(MAX(evidence), '') FROM findings`))
			}
			if c.findings != "" && n.int(`SELECT score_ppm FROM findings WHERE kind = $1`, c.findings) < 500_000 {
				t.Error("the score would hold nothing")
			}
		})
	}
}

func TestATracksBesideAFilmIsVouchedForByTheFilmsAccelerometer(t *testing.T) {
	// A camera without a receiver: the film's track has the accelerometer alone.
	ride := testkit.NewRide(3, home, 2*time.Minute)
	var samples [][]byte
	for i, a := range ride.Felt(1) {
		if i%4 == 0 {
			samples = append(samples, camm(3, a[:]...))
		}
	}
	film := testkit.Film("camm", samples, 20*time.Millisecond)
	n := open(t)
	files := map[string][]byte{"20260511_080000.mp4": film, "track.gpx": gpx(120, morning, home)}
	id := n.send("c1", files, survey.UploadOptions{})
	n.ingest(id)
	if vs := n.verdicts(id); vs["20260511_080000.mp4"] != "accepted" {
		t.Fatalf("%v", vs)
	}
	if v := n.int(`SELECT COALESCE(MAX(score_ppm), 0) FROM drive_vouchers`); v < 990_000 {
		t.Errorf("vouched with %d", v)
	}
	if f := n.int(`SELECT COUNT(*) FROM findings WHERE kind <> 'clock_offset'`); f != 0 {
		t.Errorf("found %s", n.text(`SELECT MAX(kind) FROM findings`))
	}
}

// camm is a packet of the camera motion track.
func camm(kind byte, vs ...float64) []byte {
	b := []byte{0, 0, kind, 0}
	for _, v := range vs {
		u := math.Float32bits(float32(v))
		b = append(b, byte(u), byte(u>>8), byte(u>>16), byte(u>>24))
	}
	return b
}
