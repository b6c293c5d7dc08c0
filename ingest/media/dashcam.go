package media

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/roadcomb/roadcomb/ingest/trace"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// gpsEpoch is what GPS time counts from; leap is how far it is ahead of UTC since 2017.
var gpsEpoch = time.Date(1980, 1, 6, 0, 0, 0, 0, time.UTC)

const leap = 18 * time.Second

// camm reads a camera motion metadata track (developers.google.com/streetview/publish/camm-spec), little-endian: packets
// of type 5 (position) and 6 (position, time, accuracy, velocity), of which 6 is preferred, and 3 (acceleration in m/s²).
func (p *parser) camm(f *Film) error {
	le := binary.LittleEndian
	f64 := func(b []byte) float64 { return math.Float64frombits(le.Uint64(b)) }
	f32 := func(b []byte) float64 { return float64(math.Float32frombits(le.Uint32(b))) }
	var five, six []Fix
	err := p.each("camm", func(s sample, b []byte) error {
		if len(b) < 4 {
			return nil
		}
		switch le.Uint16(b[2:]) {
		case 3:
			if len(b) >= 16 {
				p.felt.add(s.at, [3]float64{f32(b[4:]), f32(b[8:]), f32(b[12:])})
			}
		case 5:
			if len(b) >= 28 {
				five = append(five, Fix{At: s.at, Fix: survey.Fix{Point: geo.Point{Lat: f64(b[4:]), Lon: f64(b[12:])}, Alt: geo.Meters(f64(b[20:])), HasAlt: true}})
			}
		case 6:
			if len(b) < 60 {
				return nil
			}
			b = b[4:]
			fix := Fix{At: s.at, Fix: survey.Fix{Kind: fixKind(le.Uint32(b[8:])), Point: geo.Point{Lat: f64(b[12:]), Lon: f64(b[20:])}, Alt: geo.Meters(f32(b[28:])), HasAlt: true}}
			if acc := f32(b[32:]); acc > 0 && acc < 1e6 {
				fix.Accuracy = geo.Meters(acc)
			}
			if e, n := f32(b[40:]), f32(b[44:]); math.Hypot(e, n) < 200 {
				fix.Speed, fix.HasSpeed = geo.SpeedMPS(math.Hypot(e, n)), true
				if fix.Speed > 0.5 {
					fix.Heading, fix.HasHeading = geo.NormalizeBearing(math.Atan2(e, n)*180/math.Pi), true
				}
			}
			if t := f64(b); t > 0 && t < 1e11 {
				fix.Time = cammTime(t, f.Created)
			}
			six = append(six, fix)
		}
		return crowded(max(len(five), len(six)))
	})
	for i := range six {
		six[i].clean()
	}
	for i := range five {
		five[i].clean()
	}
	if f.Fixes = six; len(six) == 0 {
		f.Fixes = five
	}
	return err
}

// cammTime reads seconds since the GPS epoch. Some writers count from 1970 instead: where the film's header has a date,
// the reading nearer to it is taken.
func cammTime(s float64, created time.Time) time.Time {
	gps := gpsEpoch.Add(time.Duration(math.Round(s*1e6)) * time.Microsecond).Add(-leap)
	unix := time.UnixMicro(int64(math.Round(s * 1e6))).UTC()
	if !created.IsZero() && created.Sub(unix).Abs() < created.Sub(gps).Abs() {
		return unix
	}
	return gps
}

// clean makes values that are no numbers harmless; the gate drops the fix.
func (f *Fix) clean() {
	if math.IsNaN(float64(f.Alt)) || math.Abs(float64(f.Alt)) > 20000 {
		f.Alt, f.HasAlt = 0, false
	}
	if math.IsNaN(float64(f.Speed)) {
		f.Speed, f.HasSpeed = 0, false
	}
}

// blackvue reads the NMEA text that BlackVue keeps in free/gps, each line "[milliseconds by the camera's clock]$…".
func (p *parser) blackvue(f *Film) error {
	if p.bvText.n == 0 {
		return nil
	}
	b, err := p.bytes(p.bvText, maxText)
	if err != nil {
		return err
	}
	var d trace.NMEA
	var start int64 // the first line, by the camera's clock
	var offsets []time.Duration
	for line := range bytes.Lines(b) {
		line = bytes.TrimLeft(line, "\r\n \x00")
		if len(line) == 0 || line[0] != '[' {
			continue
		}
		end := bytes.IndexByte(line, ']')
		if end < 0 || end > 20 {
			continue
		}
		ms, err := strconv.ParseInt(string(line[1:end]), 10, 64)
		if err != nil || ms <= 0 || ms > 1<<42 {
			continue
		}
		if start == 0 {
			start = ms
		}
		rest := line[end+1:]
		if i := bytes.IndexByte(rest, '['); i >= 0 { // some lines are followed by a second stamp
			rest = rest[:i]
		}
		d.Line(rest)
		if len(offsets) < 64 && bytes.Contains(rest, []byte("RMC,")) {
			var one trace.NMEA
			one.Line(rest)
			if tr, _ := one.End(); len(tr) == 1 && tr[0].Kind != survey.FixNone {
				offsets = append(offsets, time.UnixMilli(ms).Sub(tr[0].Time))
			}
		}
	}
	tr, _ := d.End()
	if len(tr) == 0 {
		return nil
	}
	zero := tr[0].Time
	if len(offsets) > 0 {
		m, _ := trace.MedianOffset(offsets)
		zero = time.UnixMilli(start).Add(-m)
	}
	for _, x := range tr {
		f.Fixes = append(f.Fixes, Fix{At: x.Time.Sub(zero), Fix: x})
	}
	if c, err := p.bytes(span{p.bvCopyright.off, min(p.bvCopyright.n, 512)}, 512); err == nil {
		f.Model = copyrightModel(c)
	}
	return nil
}

// copyrightModel reads the model, and nothing else, of "maker;model;version;…" or {"model":…}: serial numbers stay out.
func copyrightModel(b []byte) string {
	s := strings.Trim(string(b), " \x00\r\n")
	var j struct {
		Model string `json:"model"`
	}
	if json.Unmarshal([]byte(s), &j) == nil {
		return text([]byte(j.Model))
	}
	if parts := strings.Split(s, ";"); len(parts) > 1 {
		return text([]byte(parts[1]))
	}
	return ""
}
