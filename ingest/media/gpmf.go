package media

import (
	"encoding/binary"
	"math"
	"strings"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// gpmf reads GoPro's metadata track: one payload a second or so, each a tree of key, type, size, repeat (big-endian,
// padded to four bytes; github.com/gopro/gpmf-parser). GPS9 (HERO11 on) carries time, DOP and fix with each reading and
// is preferred over GPS5, where they come once for each payload; a Karma gimbal's receiver writes GPRI. The accelerometer's
// readings (ACCL) lie evenly over their payload.
func (p *parser) gpmf(f *Film) error {
	g := gpmf{felt: &p.felt}
	err := p.each("gpmd", func(s sample, b []byte) error {
		g.payload(b, s.at, s.dur)
		return crowded(max(len(g.five), len(g.nine), len(g.raw)))
	})
	f.Fixes, f.Model = g.best(), g.device
	return err
}

// GPMF reads one raw payload that covers the film time [at, at+dur).
func GPMF(b []byte, at, dur time.Duration) []Fix {
	var g gpmf
	g.payload(b, at, dur)
	return g.best()
}

type gpmf struct {
	device           string
	five, nine, raw  []Fix
	uptime           []int64 // of raw, microseconds
	sinceUp, sinceAt int64   // a moment by the uptime and by the Unix clock, microseconds; 0 while unknown

	felt    *felt  // what takes the accelerometer's readings; nil where nobody asks
	shaken  string // the device whose they are: a gimbal writes its own beside the camera's
	current string // the device being read
}

func (g *gpmf) best() []Fix {
	switch {
	case len(g.nine) > 0:
		return g.nine
	case len(g.five) > 0:
		return g.five
	}
	if g.sinceUp > 0 {
		for i, up := range g.uptime {
			g.raw[i].Time = time.UnixMicro(g.sinceAt + up - g.sinceUp).UTC()
		}
	}
	return g.raw
}

// klv calls fn for each entry of a level until it ends or is damaged.
func klv(b []byte, fn func(key string, typ byte, size, repeat int, v []byte)) {
	for len(b) >= 8 {
		size, repeat := int(b[5]), int(binary.BigEndian.Uint16(b[6:]))
		n := size * repeat
		pad := (n + 3) &^ 3
		if b[0] == 0 || 8+n > len(b) {
			return
		}
		fn(string(b[:4]), b[4], size, repeat, b[8:8+n])
		b = b[min(8+pad, len(b)):]
	}
}

func (g *gpmf) payload(b []byte, at, dur time.Duration) {
	klv(b, func(key string, typ byte, _, _ int, v []byte) {
		if key != "DEVC" || typ != 0 {
			return
		}
		name := ""
		g.current = ""
		klv(v, func(key string, typ byte, _, _ int, v []byte) {
			switch {
			case key == "DVID":
				g.current = string(v[:min(len(v), 16)])
			case key == "DVNM":
				name = text(v)
			case key == "STRM" && typ == 0:
				if g.stream(v, at, dur) && g.device == "" {
					g.device = name
				}
			}
		})
	})
}

func text(b []byte) string {
	s, _, _ := strings.Cut(string(b[:min(len(b), 64)]), "\x00")
	return strings.ToValidUTF8(strings.TrimSpace(s), "")
}

// stream reads one stream of a payload; true when it held positions.
func (g *gpmf) stream(b []byte, at, dur time.Duration) bool {
	var scale []float64
	var when time.Time
	kind := survey.FixUnknown
	dop := 0.0
	found := false
	klv(b, func(key string, typ byte, size, repeat int, v []byte) {
		switch key {
		case "SCAL":
			scale = scale[:0]
			for i := range min(repeat, 16) {
				switch {
				case typ == 'l' && size == 4:
					scale = append(scale, float64(int32(binary.BigEndian.Uint32(v[4*i:]))))
				case typ == 's' && size == 2:
					scale = append(scale, float64(int16(binary.BigEndian.Uint16(v[2*i:]))))
				}
			}
		case "ACCL":
			g.acceleration(typ, size, repeat, v, scale, at, dur)
		case "GPSU": // yymmddhhmmss.sss
			if t, err := time.Parse("060102150405.000", text(v)); err == nil {
				when = t
			}
		case "GPSF":
			if len(v) >= 4 {
				kind = fixKind(binary.BigEndian.Uint32(v))
			}
		case "GPSP":
			if len(v) >= 2 {
				dop = float64(binary.BigEndian.Uint16(v)) / 100
			}
		case "GPS5":
			if typ != 'l' || size != 20 || repeat == 0 {
				return
			}
			found = true
			for i := range repeat {
				x := scaled(v[20*i:20*i+20], 5, scale)
				part := dur * time.Duration(i) / time.Duration(repeat)
				fix := Fix{At: at + part, Fix: survey.Fix{Point: geo.Point{Lat: x[0], Lon: x[1]}, Alt: geo.Meters(x[2]), HasAlt: true,
					Speed: geo.SpeedMPS(x[3]), HasSpeed: x[3] >= 0, Kind: kind, HDOP: dop}}
				if !when.IsZero() {
					fix.Time = when.Add(part)
				}
				g.five = append(g.five, fix)
			}
		case "SYST": // uptime and Unix time
			if size == 16 && repeat > 0 && len(scale) == 2 && scale[0] == 1e6 && scale[1] == 1e3 {
				up, at := binary.BigEndian.Uint64(v), binary.BigEndian.Uint64(v[8:])
				if g.sinceUp == 0 && up > 0 && up < 1<<52 && at > 1e12 && at < 1<<42 {
					g.sinceUp, g.sinceAt = int64(up), int64(at)*1000
				}
			}
		case "GPRI": // uptime, latitude, longitude, altitude, two accuracies, speed, course, fix, satellites
			if size != 30 || repeat == 0 {
				return
			}
			found = true
			be := binary.BigEndian
			for i := range repeat {
				r := v[30*i : 30*i+30]
				fix := Fix{At: at + dur*time.Duration(i)/time.Duration(repeat), Fix: survey.Fix{
					Point: geo.Point{Lat: float64(int32(be.Uint32(r[8:]))) / 1e7, Lon: float64(int32(be.Uint32(r[12:]))) / 1e7},
					Alt:   geo.Meters(int32(be.Uint32(r[16:]))) / 1000, HasAlt: true, Accuracy: geo.Meters(be.Uint16(r[20:])) / 100,
					Speed: geo.SpeedMPS(be.Uint16(r[24:])) / 100, HasSpeed: true, Kind: fixKind(uint32(r[28])), Satellites: int(r[29])}}
				if fix.Speed > 0.5 {
					fix.Heading, fix.HasHeading = geo.NormalizeBearing(float64(be.Uint16(r[26:]))/100), true
				}
				g.raw = append(g.raw, fix)
				g.uptime = append(g.uptime, int64(be.Uint64(r)&(1<<52-1)))
			}
		case "GPS9":
			if size != 32 || repeat == 0 {
				return
			}
			found = true
			for i := range repeat {
				r := v[32*i : 32*i+32]
				x := scaled(r[:28], 7, scale)
				d, k := float64(binary.BigEndian.Uint16(r[28:])), binary.BigEndian.Uint16(r[30:])
				if len(scale) > 7 && scale[7] != 0 {
					d /= scale[7]
				}
				fix := Fix{At: at + dur*time.Duration(i)/time.Duration(repeat), Fix: survey.Fix{Point: geo.Point{Lat: x[0], Lon: x[1]}, Alt: geo.Meters(x[2]), HasAlt: true,
					Speed: geo.SpeedMPS(x[3]), HasSpeed: x[3] >= 0, Kind: fixKind(uint32(k)), HDOP: d}}
				if x[5] > 0 && x[5] < 100_000 && x[6] >= 0 && x[6] < 86_401 {
					fix.Time = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, int(x[5])).Add(time.Duration(math.Round(x[6]*1000)) * time.Millisecond)
				}
				g.nine = append(g.nine, fix)
			}
		}
	})
	return found
}

// acceleration takes readings of three axes in m/s², which SCAL divides. Which axis is which (ORIN, ORIO, MTRX) is not
// looked at: it turns all readings of a film alike, and what is asked of them does not change when they are turned.
func (g *gpmf) acceleration(typ byte, size, repeat int, v []byte, scale []float64, at, dur time.Duration) {
	half := typ == 's' && size == 6 // else floats, as the Fusion writes
	if g.felt == nil || repeat == 0 || len(scale) == 0 || !half && !(typ == 'f' && size == 12) {
		return
	}
	if g.shaken == "" {
		g.shaken = g.current
	}
	if g.shaken != g.current {
		return
	}
	for i := range repeat {
		var a [3]float64
		for k := range a {
			if half {
				a[k] = float64(int16(binary.BigEndian.Uint16(v[6*i+2*k:])))
			} else {
				a[k] = float64(math.Float32frombits(binary.BigEndian.Uint32(v[12*i+4*k:])))
			}
			a[k] /= scale[k%len(scale)]
		}
		g.felt.add(at+dur*time.Duration(i)/time.Duration(repeat), a)
	}
}

func scaled(b []byte, n int, scale []float64) (x [7]float64) {
	for i := range n {
		x[i] = float64(int32(binary.BigEndian.Uint32(b[4*i:])))
		switch {
		case i < len(scale) && scale[i] != 0:
			x[i] /= scale[i]
		case len(scale) == 1 && scale[0] != 0:
			x[i] /= scale[0]
		}
	}
	return x
}

func fixKind(n uint32) survey.FixKind {
	switch n {
	case 0:
		return survey.FixNone
	case 2:
		return survey.Fix2D
	case 3:
		return survey.Fix3D
	}
	return survey.FixUnknown
}
