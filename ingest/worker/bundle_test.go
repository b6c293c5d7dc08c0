package worker_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

// frameKM makes a blob of n frames 8 m apart and its metadata. edit may change a frame's metadata.
func frameKM(n int, p geo.Point, edit func(i int, m map[string]any)) (blob, meta []byte) {
	var frames []map[string]any
	for i := range n {
		j := testkit.JPEG(testkit.Picture{W: 800, H: 480, Seed: uint64(i + 1), Quality: 95, NoEXIF: true})
		q := geo.Destination(p, 90, geo.Meters(8*i))
		m := map[string]any{"bytes": len(j), "lat": q.Lat, "lon": q.Lon, "alt": 12.5, "hdop": 1.2, "speed": 40.0, "t": morning.UnixMilli() + int64(720*i), "satellites": 9, "eph": 4.5,
			"acc_x": 0.0, "acc_y": 0.0, "acc_z": 1.0, "gyro_x": 0.0}
		if edit != nil {
			edit(i, m)
		}
		frames = append(frames, m)
		blob = append(blob, j...)
	}
	meta, err := json.Marshal(map[string]any{"bundle": map[string]any{"name": "km_20260511_080000_30_0", "numFrames": n, "size": len(blob), "deviceType": "hdc",
		"ssid": "Home of Someone", "version": "1.10", "deviceId": "SERIAL42"}, "frames": frames})
	if err != nil {
		panic(err)
	}
	return blob, meta
}

func TestAFrameKMBundleGivesItsFrames(t *testing.T) {
	n := open(t)
	blob, meta := frameKM(30, home, func(i int, m map[string]any) {
		switch i {
		case 4:
			m["hdop"] = 9
		case 5:
			m["lat"], m["lon"] = 0, 0
		}
	})
	files := map[string][]byte{"bee/km_20260511_080000_30_0": blob, "bee/km_20260511_080000_30_0.json": meta, "bee/lonely.json": []byte(`{"a":1}`)}
	id := n.send("c1", files, survey.UploadOptions{})
	n.ingest(id)
	vs := n.verdicts(id)
	if vs["bee/km_20260511_080000_30_0"] != "accepted" || vs["bee/km_20260511_080000_30_0.json"] != "accepted" || vs["bee/lonely.json"] != "unknown_type" {
		t.Fatalf("%v %s", vs, n.text(`SELECT message FROM upload_files WHERE path = 'bee/km_20260511_080000_30_0'`))
	}
	if c := n.int(`SELECT COUNT(*) FROM frames WHERE film_pts_us = -2 AND width = 800 AND accuracy_mm = 4500 AND speed_mmps = 11111`); c != 28 {
		t.Fatalf("%d frames", c)
	}
	object, sum := n.text(`SELECT object FROM frames WHERE seq = 7`), n.text(`SELECT sha256 FROM frames WHERE seq = 7`)
	b, _, err := n.s3.Get(t.Context(), store.Private, object, 1<<20)
	if err != nil || survey.HashOf(b).String() != sum {
		t.Fatalf("frame's object: %v", err)
	}
	if f := n.int(`SELECT COUNT(*) FROM findings WHERE kind = 'silent_motion'`); f != 1 {
		t.Errorf("%d findings of silent motion", f)
	}
	// The same frames in a longer bundle of another contributor: the shared ones count once.
	n.contributor("c2")
	blob2, meta2 := frameKM(35, home, nil)
	id = n.send("c2", map[string][]byte{"km_20260511_080000_30_0": blob2, "km_20260511_080000_30_0.json": meta2}, survey.UploadOptions{})
	n.ingest(id)
	if c := n.int(`SELECT COUNT(*) FROM frames WHERE upload_id = $1`, string(id)); c != 7 { // five new, two refused before
		t.Errorf("%d frames of the second", c)
	}
	if c := n.int(`SELECT COUNT(*) FROM findings WHERE kind = 'claimed_again' AND evidence LIKE '%28%'`); c != 1 {
		t.Errorf("the first is not told: %d", c)
	}
}

func TestABundleThatContradictsItsMetadata(t *testing.T) {
	n := open(t)
	blob, meta := frameKM(3, home, nil)
	id := n.send("c1", map[string][]byte{"a/km_20260511_080000_30_0": blob[:len(blob)-10], "a/km_20260511_080000_30_0.json": meta, "b/km_20260511_080000_30_0.json": append(meta, '\n')}, survey.UploadOptions{})
	n.ingest(id)
	vs := n.verdicts(id)
	if vs["a/km_20260511_080000_30_0"] != "corrupt" || vs["a/km_20260511_080000_30_0.json"] != "track_unused" || vs["b/km_20260511_080000_30_0.json"] != "track_unused" {
		t.Fatalf("%v", vs)
	}
}

// bee is a frame of a Bee's cache: name, sidecar, and EXIF with whole seconds.
func bee(files map[string][]byte, i int, exif, name, side geo.Point) {
	at := morning.Add(time.Duration(i) * 640 * time.Millisecond)
	stem := fmt.Sprintf("bee/%d_%.14f_%.14f", at.UnixMilli(), name.Lat, name.Lon)
	pic := testkit.Picture{W: 160, H: 120, Seed: uint64(i), GPSTime: at.Truncate(time.Second)}
	if exif != (geo.Point{}) {
		pic.Point = &exif
	}
	files[stem+".jpg"] = testkit.JPEG(pic)
	files[stem+".json"] = fmt.Appendf(nil, `{"time":%d,"gnss_time":%d,"lat":%v,"lon":%v,"img_id":%d}`, at.UnixMilli(), at.UnixMilli(), side.Lat, side.Lon, i)
}

func TestASidecarThatLostItsFractionIsOutvoted(t *testing.T) {
	p := geo.Point{Lat: 35.6812, Lon: 139.7671}
	for name, withEXIF := range map[string]bool{"with EXIF": true, "name and sidecar only": false} {
		n := open(t)
		files := map[string][]byte{}
		for i := range 12 {
			q := geo.Destination(p, 90, geo.Meters(8*i))
			e := q
			if !withEXIF {
				e = geo.Point{}
			}
			bee(files, i, e, q, geo.Point{Lat: q.Lat, Lon: 139})
		}
		id := n.send("c1", files, survey.UploadOptions{})
		n.ingest(id)
		got := count(n.verdicts(id))
		if got["frame"] != 12 || got["accepted"] != 12 {
			t.Fatalf("%s: %v", name, got)
		}
		if lon := n.int(`SELECT MIN(lon_e7) FROM frames`); lon < 1397600000 {
			t.Errorf("%s: a frame at %d", name, lon)
		}
		if f := n.text(`SELECT evidence FROM findings WHERE kind = 'position_sources'`); f == "" {
			t.Errorf("%s: no finding", name)
		}
		if step := n.int(`SELECT b.captured_at - a.captured_at FROM frames a JOIN frames b ON b.seq = a.seq + 1 WHERE a.seq = 3`); step != 640_000 {
			t.Errorf("%s: frames are %d µs apart", name, step)
		}
	}
}

func TestTwoSourcesFarApartAreNotDecidedByACoin(t *testing.T) {
	n := open(t)
	files := map[string][]byte{}
	far := geo.Destination(home, 0, 20_000)
	bee(files, 1000, home, far, far)                                // two against one
	bee(files, 2, geo.Destination(home, 0, 9), home, home)          // near enough
	bee(files, 3, geo.Point{}, home, geo.Destination(home, 0, 5e4)) // one against one
	id := n.send("c1", files, survey.UploadOptions{})
	n.ingest(id)
	got := count(n.verdicts(id))
	if got["bad_position"] != 1 || got["frame"] != 2 {
		t.Fatalf("%v", got)
	}
	if lat := n.int(`SELECT MAX(lat_e7) FROM frames`); lat < 558_000_000 {
		t.Errorf("the majority lost: %d", lat)
	}
}

func TestFindingsAboutReplaysAndImpossibleDrives(t *testing.T) {
	n := open(t)
	n.contributor("c2")
	n.ingest(n.send("c1", straight(30, home, morning, 0), survey.UploadOptions{}))
	// The same positions with other pictures, a week later.
	id := n.send("c2", straight(30, home, morning.AddDate(0, 0, -7), 1000), survey.UploadOptions{})
	n.ingest(id)
	if c := n.int(`SELECT COUNT(*) FROM findings f JOIN drives d ON d.id = f.drive_id WHERE f.kind = 'repeated_positions' AND f.score_ppm = 1000000 AND d.contributor_id = 'c2'`); c != 1 {
		t.Errorf("%d findings of repeated positions", c)
	}
	// The first contributor's camera, 500 km away ten minutes later.
	n.ingest(n.send("c1", straight(30, geo.Destination(home, 0, 5e5), morning.Add(10*time.Minute), 2000), survey.UploadOptions{}))
	if c := n.int(`SELECT COUNT(*) FROM findings WHERE kind = 'two_places' AND score_ppm > 800000`); c != 1 {
		t.Errorf("%d findings of two places", c)
	}
	if c := n.int(`SELECT COUNT(*) FROM frames WHERE state = 'pending'`); c != 90 {
		t.Errorf("a finding cost frames: %d of 90", c)
	}
}

func TestADriveMovedElsewhereIsFoundOnceAndTheSameEachTime(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		n := openOn(t, db)
		n.contributor("c2")
		// moving is 80 frames of uneven motion, some metres east of home and hours after the morning.
		moving := func(seed uint64, east geo.Meters, later time.Duration, pictures int) map[string][]byte {
			r := rand.New(rand.NewPCG(seed, 0))
			out, p, at := map[string][]byte{}, home, morning.Add(later)
			for i := range 80 {
				q := geo.FromE7(geo.Destination(p, 90, east).E7())
				out[fmt.Sprintf("drive/%04d.jpg", i)] = picture(pictures+i, q, at)
				p = geo.Destination(p, geo.BearingDeg(30+20*r.Float64()), geo.Meters(7+3*r.Float64()))
				at = at.Add(time.Duration(800+r.IntN(600)) * time.Millisecond)
			}
			return out
		}
		first := n.send("c1", moving(1, 0, 0, 0), survey.UploadOptions{})
		n.ingest(first)
		n.ingest(n.send("c1", moving(2, 0, 3*time.Hour, 1000), survey.UploadOptions{}))
		again := n.send("c2", moving(1, 1500, 26*time.Hour, 2000), survey.UploadOptions{})
		n.ingest(again)
		kept := n.int(`SELECT COUNT(*) FROM trace_prints`)
		if kept != 3*64 {
			t.Errorf("%d prints are kept", kept)
		}
		found := func() string {
			t.Helper()
			if c := n.int(`SELECT COUNT(*) FROM findings WHERE kind = 'repeated_motion'`); c != 1 {
				t.Fatalf("%d findings", c)
			}
			return n.text(`SELECT f.evidence FROM findings f JOIN drives d ON d.id = f.drive_id JOIN drives o ON o.id = f.subject
				WHERE f.kind = 'repeated_motion' AND f.score_ppm > 800000 AND d.upload_id = $1 AND o.upload_id = $2`, string(again), string(first))
		}
		before := found()
		n.ingest(again) // a job that comes twice
		if after := found(); after != before || n.int(`SELECT COUNT(*) FROM trace_prints`) != kept {
			t.Errorf("%s, then %s", before, after)
		}
	})
}

func TestArezzosClockIsAFinding(t *testing.T) {
	n := open(t)
	n.ingest(n.send("c1", folder(t, "", "exif-sequence-arezzo"), survey.UploadOptions{}))
	var ev struct {
		Offset float64 `json:"offset_s"`
	}
	if err := json.Unmarshal([]byte(n.text(`SELECT evidence FROM findings WHERE kind = 'clock_offset' LIMIT 1`)), &ev); err != nil || ev.Offset < 7285 || ev.Offset > 7300 {
		t.Fatalf("%+v %v", ev, err)
	}
}

func TestTheSameFootageWithOtherBytesIsAReplayAndRoundedPositionsAreNot(t *testing.T) {
	n := open(t)
	n.contributor("c2")
	files := folder(t, "", "exif-sequence-lund")
	again := map[string][]byte{}
	for p, b := range files {
		again[p] = append(bytes.Clone(b), 0)
	}
	rounded := func(seed int) map[string][]byte {
		out := map[string][]byte{}
		for i := range 20 {
			p := geo.Destination(home, 45, geo.Meters(8*i))
			p = geo.Point{Lat: math.Round(p.Lat*1e5) / 1e5, Lon: math.Round(p.Lon*1e5) / 1e5}
			out[fmt.Sprintf("drive/%04d.jpg", i)] = picture(i+seed, p, morning.Add(time.Duration(i)*time.Second))
		}
		return out
	}
	n.ingest(n.send("c1", files, survey.UploadOptions{}))
	n.ingest(n.send("c1", rounded(0), survey.UploadOptions{}))
	for _, c := range []struct {
		files    map[string][]byte
		findings int64
	}{{again, 1}, {rounded(100), 0}} {
		id := n.send("c2", c.files, survey.UploadOptions{})
		n.ingest(id)
		if f := n.int(`SELECT COUNT(*) FROM findings f JOIN drives d ON d.id = f.drive_id WHERE f.kind = 'repeated_positions' AND d.upload_id = $1`, string(id)); f != c.findings {
			t.Errorf("%d findings, want %d", f, c.findings)
		}
	}
}
