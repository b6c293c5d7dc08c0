package exif

import (
	"bytes"
	"encoding/xml"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
)

const xmpHeader = "http://ns.adobe.com/xap/1.0/\x00"

const xmpEXIF = "http://ns.adobe.com/exif/1.0/"

// readXMP fills the position, and the times that EXIF left out, from an XMP packet (XMP part 2 §8: exif:GPSLatitude
// "55,42.25N"). A segment is at most 64 KiB, and the decoder stops at the first error.
func (m *Meta) readXMP(b []byte) {
	if len(b) == 0 || !bytes.Contains(b, []byte("GPSL")) {
		return
	}
	p := map[string]string{}
	d := xml.NewDecoder(bytes.NewReader(b))
	var open string
	for range 4096 {
		tok, err := d.Token()
		if err != nil {
			break
		}
		switch t := tok.(type) {
		case xml.StartElement:
			for _, a := range t.Attr {
				if a.Name.Space == xmpEXIF {
					p[a.Name.Local] = a.Value
				}
			}
			open = ""
			if t.Name.Space == xmpEXIF {
				open = t.Name.Local
			}
		case xml.CharData:
			if open != "" {
				p[open] = strings.TrimSpace(string(t))
			}
		case xml.EndElement:
			open = ""
		}
	}
	lat, ok1 := xmpAngle(p["GPSLatitude"], "N", "S")
	lon, ok2 := xmpAngle(p["GPSLongitude"], "E", "W")
	if !ok1 || !ok2 {
		return
	}
	g := &m.GPS
	g.Point, g.HasPoint, g.XMP = geo.Point{Lat: lat, Lon: lon}, true, true
	if a, ok := xmpRational(p["GPSAltitude"]); ok && math.Abs(a) < 20000 {
		if p["GPSAltitudeRef"] == "1" {
			a = -a
		}
		g.Alt, g.HasAlt = geo.Meters(a), true
	}
	if h, ok := xmpRational(p["GPSImgDirection"]); ok && p["GPSImgDirectionRef"] != "M" && math.Abs(h) <= 720 {
		g.Heading, g.HasHeading = geo.NormalizeBearing(h), true
	}
	if dop, ok := xmpRational(p["GPSDOP"]); ok && dop > 0 && dop < 1000 {
		g.DOP = dop
	}
	if t, err := time.Parse(time.RFC3339Nano, p["GPSTimeStamp"]); err == nil && g.Time.IsZero() {
		g.Time = t.UTC().Truncate(time.Microsecond)
	}
	if !m.HasTaken {
		if t, err := time.Parse(time.RFC3339Nano, p["DateTimeOriginal"]); err == nil {
			m.Taken, m.HasTaken, m.HasZone = t.UTC().Truncate(time.Microsecond), true, true
		} else if t, err := time.Parse("2006-01-02T15:04:05.999999999", p["DateTimeOriginal"]); err == nil {
			m.Taken, m.HasTaken = t.Truncate(time.Microsecond), true
		}
	}
}

// xmpAngle reads "DDD,MM,SSk" or "DDD,MM.mmk" with k one of pos, neg.
func xmpAngle(s, pos, neg string) (float64, bool) {
	sign := 1.0
	switch {
	case strings.HasSuffix(s, neg):
		sign = -1
	case !strings.HasSuffix(s, pos):
		return 0, false
	}
	v, unit := 0.0, 1.0
	for i, part := range strings.SplitN(s[:len(s)-1], ",", 4) {
		f, err := strconv.ParseFloat(part, 64)
		if err != nil || i > 2 || !(f >= 0 && f < 1e6) {
			return 0, false
		}
		v += f / unit
		unit *= 60
	}
	return sign * v, true
}

func xmpRational(s string) (float64, bool) {
	n, d, frac := strings.Cut(s, "/")
	f, err := strconv.ParseFloat(n, 64)
	if err != nil {
		return 0, false
	}
	if frac {
		q, err := strconv.ParseFloat(d, 64)
		if err != nil || q == 0 {
			return 0, false
		}
		f /= q
	}
	return f, !math.IsNaN(f) && !math.IsInf(f, 0)
}
