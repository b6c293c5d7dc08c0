package framekm_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/ingest/framekm"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

// TestAnOutsideReaderFindsTheSameFrames compares with a reader that was written from the published description, and that
// finds frames by the structure of JPEG. ../interop/interop.sh gives the Python that runs it.
func TestAnOutsideReaderFindsTheSameFrames(t *testing.T) {
	bin := os.Getenv("ROADCOMB_MAPILLARY")
	if bin == "" {
		t.Skip("no Python; run ingest/interop/interop.sh")
	}
	r := rand.New(rand.NewPCG(1, 1))
	for _, version := range []string{"1.9", "1.10"} {
		var blob []byte
		var frames []map[string]any
		for i := range 40 {
			j := testkit.JPEG(testkit.Picture{W: 320 + 16*i, H: 240, Seed: uint64(i), Quality: 60 + i})
			m := map[string]any{"bytes": len(j), "lat": 37.5 + r.Float64(), "lon": -122.3 - r.Float64(), "t": 1715307044998 + 265*i, "pdop": 3.55}
			set := func(k string, v any) { // each is missing from some frames
				if r.IntN(5) > 0 {
					m[k] = v
				}
			}
			set("alt", -72.06+r.Float64())
			set("speed", 108.8*r.Float64())
			set("hdop", 0.5+r.Float64())
			set("satellites", 4+i%9)
			set("eph", 7.28+r.Float64())
			if i%3 > 0 {
				for _, k := range []string{"acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z"} {
					m[k] = r.NormFloat64()
				}
			}
			blob, frames = append(blob, j...), append(frames, m)
		}
		meta, err := json.Marshal(map[string]any{"frames": frames, "bundle": map[string]any{"name": "km_20240510_021044_40_0", "numFrames": len(frames),
			"size": len(blob), "deviceType": "bee", "deviceId": "2HzOBW4kk", "ssid": "home", "version": version}})
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(t.TempDir(), "km_20240510_021044_40_0")
		for p, b := range map[string][]byte{name: blob, name + ".json": meta} {
			if err := os.WriteFile(p, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command(filepath.Join(bin, "python"), "../interop/framekm.py", name)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		var theirs struct {
			Name, Model string
			Frames      []struct {
				Offset, Bytes int64
				SHA256        string
				Time          time.Time
				Lat, Lon      float64
				Alt, Mps      *float64
				HDOP, Eph     float64
				Satellites    int
				IMU           []float64
			}
		}
		if err := json.Unmarshal(out, &theirs); err != nil {
			t.Fatal(err)
		}
		ours, err := framekm.Parse(meta)
		if err != nil || ours.Name != theirs.Name || ours.Model != theirs.Model || len(ours.Frames) != 40 || len(theirs.Frames) != 40 {
			t.Fatal(ours.Name, len(ours.Frames), len(theirs.Frames), err)
		}
		imu := 0
		for i, f := range ours.Frames {
			o, x := theirs.Frames[i], f.Fix
			if f.Offset != o.Offset || f.Bytes != o.Bytes || survey.HashOf(blob[f.Offset:f.Offset+f.Bytes]).String() != o.SHA256 {
				t.Errorf("frame %d: bytes %d+%d, theirs %d+%d", i, f.Offset, f.Bytes, o.Offset, o.Bytes)
			}
			if !x.Time.Equal(o.Time) || x.Point.Lat != o.Lat || x.Point.Lon != o.Lon || x.HDOP != o.HDOP || float64(x.Accuracy) != o.Eph || x.Satellites != o.Satellites {
				t.Errorf("frame %d: %+v, theirs %+v", i, x, o)
			}
			if x.HasAlt != (o.Alt != nil) || x.HasAlt && float64(x.Alt) != *o.Alt || x.HasSpeed != (o.Mps != nil) || x.HasSpeed && math.Abs(float64(x.Speed)-*o.Mps) > 1e-12 {
				t.Errorf("frame %d: %+v, theirs %v m and %v m/s", i, x, o.Alt, o.Mps)
			}
			if f.HasIMU != (len(o.IMU) == 6) {
				t.Errorf("frame %d: an accelerometer %v, theirs %v", i, f.HasIMU, o.IMU)
			} else if f.HasIMU {
				imu++
				for k, v := range append(f.Acc[:], f.Gyro[:]...) {
					if v != o.IMU[k] {
						t.Errorf("frame %d, axis %d: %v, theirs %v", i, k, v, o.IMU[k])
					}
				}
			}
		}
		t.Logf("version %s: 40 frames agree, %d with an accelerometer", version, imu)
	}
}
