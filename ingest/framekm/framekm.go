// Package framekm reads what Hivemapper's devices leave: FrameKM bundles (a blob of concatenated JPEGs beside a JSON
// file, format 1.9 and 1.10) and the frames of a Bee's cache (an image named by its time and place beside a JSON file).
//
// Names of Wi-Fi networks and keys in the metadata are not read. The package opens nothing and decodes no picture.
package framekm

import (
	"encoding/json"
	"math"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Bounds of the format (Hivemapper/odc-api, framekm.ts).
const (
	MinFrame  = 25_000    // bytes of a frame
	MaxFrame  = 2_000_000 //
	MaxFrames = 10_000    // in a bundle; devices write up to about 250
	MaxJSON   = 16 << 20  // bytes of a metadata file
)

// Bundle is the metadata of a blob.
type Bundle struct {
	Name    string // of the blob's file, without a folder
	Version string
	Device  string // type and id, for a pseudonym; never published
	Model   string // type of the device
	Size    int64  // of the blob, as announced
	Frames  []Frame
}

// Frame is one image of a blob.
type Frame struct {
	Offset, Bytes int64 // in the blob: frames follow each other without separators
	Fix           survey.Fix
	Acc           [3]float64 // g
	Gyro          [3]float64 // rad/s
	HasIMU        bool
}

type rawFrame struct {
	Bytes      int64    `json:"bytes"`
	Lat        *float64 `json:"lat"`
	Lon        *float64 `json:"lon"`
	Alt        *float64 `json:"alt"`
	HDOP       float64  `json:"hdop"`
	Speed      *float64 `json:"speed"` // km/h
	T          float64  `json:"t"`     // ms since the Unix epoch
	Satellites float64  `json:"satellites"`
	Eph        float64  `json:"eph"` // m
	AccX       *float64 `json:"acc_x"`
	AccY       *float64 `json:"acc_y"`
	AccZ       *float64 `json:"acc_z"`
	GyroX      float64  `json:"gyro_x"`
	GyroY      float64  `json:"gyro_y"`
	GyroZ      float64  `json:"gyro_z"`
}

// Parse reads a bundle's metadata and works out where each frame lies. Errors are Unsupported for JSON that is no bundle
// or of another format version, and Invalid for one whose numbers contradict each other.
func Parse(b []byte) (Bundle, error) {
	var raw struct {
		Bundle *struct {
			Name       string `json:"name"`
			NumFrames  int    `json:"numFrames"`
			Size       int64  `json:"size"`
			DeviceType string `json:"deviceType"`
			DeviceID   string `json:"deviceId"`
			Version    string `json:"version"`
		} `json:"bundle"`
		Frames []rawFrame `json:"frames"`
	}
	if len(b) > MaxJSON {
		return Bundle{}, survey.Errorf(survey.Invalid, "FrameKM metadata has %d bytes; the limit is %d", len(b), MaxJSON)
	}
	if err := json.Unmarshal(b, &raw); err != nil || raw.Bundle == nil {
		return Bundle{}, survey.Errorf(survey.Unsupported, "not FrameKM metadata")
	}
	m := raw.Bundle
	switch m.Version {
	case "1.9", "1.10":
	default:
		return Bundle{}, survey.Errorf(survey.Unsupported, "FrameKM version %.16q; 1.9 and 1.10 are read", m.Version)
	}
	if m.NumFrames != len(raw.Frames) || len(raw.Frames) > MaxFrames {
		return Bundle{}, survey.Errorf(survey.Invalid, "FrameKM metadata announces %d frames and lists %d; the limit is %d", m.NumFrames, len(raw.Frames), MaxFrames)
	}
	if m.Name == "" || m.Name != path.Base(m.Name) || strings.ContainsFunc(m.Name, unicode.IsControl) {
		return Bundle{}, survey.Errorf(survey.Invalid, "FrameKM bundle is named %.64q", m.Name)
	}
	out := Bundle{Name: m.Name, Version: m.Version, Device: m.DeviceType + " " + m.DeviceID, Model: m.DeviceType, Size: m.Size}
	var off int64
	for i, r := range raw.Frames {
		if r.Bytes <= 0 || r.Bytes > 1<<31 {
			return Bundle{}, survey.Errorf(survey.Invalid, "FrameKM frame %d has %d bytes", i, r.Bytes)
		}
		out.Frames = append(out.Frames, Frame{Offset: off, Bytes: r.Bytes, Fix: r.fix()})
		f := &out.Frames[i]
		if r.AccX != nil && r.AccY != nil && r.AccZ != nil {
			f.Acc, f.Gyro, f.HasIMU = [3]float64{*r.AccX, *r.AccY, *r.AccZ}, [3]float64{r.GyroX, r.GyroY, r.GyroZ}, true
		}
		off += r.Bytes
	}
	if off != m.Size {
		return Bundle{}, survey.Errorf(survey.Invalid, "FrameKM frames add up to %d bytes; the bundle announces %d", off, m.Size)
	}
	return out, nil
}

func (r rawFrame) fix() survey.Fix {
	f := survey.Fix{Point: geo.Point{Lat: math.NaN(), Lon: math.NaN()}}
	if r.Lat != nil && r.Lon != nil {
		f.Point = geo.Point{Lat: *r.Lat, Lon: *r.Lon}
	}
	if r.T > 0 && r.T < 1e14 {
		f.Time = time.UnixMicro(int64(math.Round(r.T * 1000))).UTC()
	}
	if r.Alt != nil && math.Abs(*r.Alt) < 20000 {
		f.Alt, f.HasAlt = geo.Meters(*r.Alt), true
	}
	if r.Speed != nil && *r.Speed >= 0 && *r.Speed < 1000 {
		f.Speed, f.HasSpeed = geo.SpeedMPS(*r.Speed/3.6), true
	}
	if r.HDOP > 0 && r.HDOP < 1000 {
		f.HDOP = r.HDOP
	}
	if r.Eph > 0 && r.Eph < 1e6 {
		f.Accuracy = geo.Meters(r.Eph)
	}
	if r.Satellites >= 1 && r.Satellites < 1000 {
		f.Satellites = int(r.Satellites)
	}
	return f
}

// Sidecar is the JSON file beside a frame of a Bee's cache.
type Sidecar struct {
	Time  time.Time // of the receiver where it is given, else of the camera; UTC
	Point geo.Point
}

// ParseSidecar reads such a file; anything else is Unsupported. The position may be wrong: sidecars whose longitude lost
// its fraction are known, so it is compared with the other sources.
func ParseSidecar(b []byte) (Sidecar, error) {
	var raw struct {
		Time float64  `json:"time"`
		GNSS float64  `json:"gnss_time"`
		Lat  *float64 `json:"lat"`
		Lon  *float64 `json:"lon"`
	}
	if err := json.Unmarshal(b, &raw); err != nil || raw.Lat == nil || raw.Lon == nil || raw.Time <= 0 && raw.GNSS <= 0 {
		return Sidecar{}, survey.Errorf(survey.Unsupported, "not the metadata of a Bee frame")
	}
	ms := raw.GNSS
	if ms <= 0 {
		ms = raw.Time
	}
	if ms > 1e14 {
		return Sidecar{}, survey.Errorf(survey.Unsupported, "not the metadata of a Bee frame")
	}
	return Sidecar{Time: time.UnixMicro(int64(math.Round(ms * 1000))).UTC(), Point: geo.Point{Lat: *raw.Lat, Lon: *raw.Lon}}, nil
}

// ParseName reads the name of a frame of a Bee's cache, "<ms>_<lat>_<lon>.jpg".
func ParseName(name string) (Sidecar, bool) {
	parts := strings.Split(strings.TrimSuffix(name, path.Ext(name)), "_")
	if len(parts) != 3 || len(parts[0]) != 13 {
		return Sidecar{}, false
	}
	ms, err1 := strconv.ParseInt(parts[0], 10, 64)
	lat, err2 := strconv.ParseFloat(parts[1], 64)
	lon, err3 := strconv.ParseFloat(parts[2], 64)
	p := geo.Point{Lat: lat, Lon: lon}
	if err1 != nil || err2 != nil || err3 != nil || ms <= 0 || !p.Valid() {
		return Sidecar{}, false
	}
	return Sidecar{Time: time.UnixMilli(ms).UTC(), Point: p}, true
}
