// Package exif reads what ingest needs of a JPEG file without decoding a pixel: its size, orientation, position, times
// and camera. It reads only the segments before the image data.
//
// The input is hostile: every offset is checked, at most maxEntries entries and maxIFDs directories are looked at, each
// directory once, and no allocation depends on a count that the file declares. A broken tag is skipped and the rest is
// still read, because real cameras write broken tags beside good ones. The package refuses to write, and it never
// returns serial numbers, owner names, comments or thumbnails.
package exif

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

const (
	maxEntries = 1024 // tags looked at in one file
	maxIFDs    = 8
	maxText    = 256 // bytes kept of a text tag
	maxValues  = 48  // wanted tags kept of one file
)

// Meta is what a JPEG says about itself. Absent values are zero, with a Has flag where zero is a real value.
type Meta struct {
	Width, Height int  // pixels as coded, before orientation (SOF)
	Components    int  // 1 grey, 3 colour, 4 CMYK
	Complete      bool // the image data ends with an end-of-image marker
	Orientation   int  // 1–8 (EXIF 2.32, tag 0x0112); 0 when not given or out of range
	Make, Model   string

	// Taken is when the shutter opened by the camera's clock (DateTimeOriginal with its sub-seconds, else
	// DateTimeDigitized, else DateTime). Without HasZone the clock's zone is unknown and Taken holds the wall clock as
	// if it were UTC.
	Taken    time.Time
	HasTaken bool
	HasZone  bool

	GPS GPS
}

// GPS is the position block of the file, from EXIF, else from XMP.
type GPS struct {
	Point      geo.Point
	HasPoint   bool // false when a coordinate is missing or not a number; Point may still be out of range
	Alt        geo.Meters
	HasAlt     bool
	Heading    geo.BearingDeg // of the camera's axis (GPSImgDirection), from true north
	HasHeading bool           // false when the direction is magnetic
	Course     geo.BearingDeg // over ground (GPSTrack), from true north
	HasCourse  bool
	Speed      geo.SpeedMPS
	HasSpeed   bool
	DOP        float64    // GPSDOP as written; 0 when not given
	Accuracy   geo.Meters // GPSHPositioningError; 0 when not given
	Time       time.Time  // UTC; zero unless date and time of day are both given
	Void       bool       // GPSStatus says V: the receiver had no fix
	XMP        bool       // the position came from XMP
}

// Read parses a JPEG, or as much of its beginning as reaches the frame header (SOF). Errors are Unsupported for bytes
// that are no JPEG and Invalid for one that is broken before its frame header. Damaged EXIF is not an error: what can
// be read is returned. The input is not kept.
func Read(b []byte) (Meta, error) {
	var m Meta
	if !Is(b) {
		return m, survey.Errorf(survey.Unsupported, "not a JPEG file")
	}
	var exif, xmp []byte
	for i := 2; ; {
		for i < len(b) && b[i] == 0xff && i+1 < len(b) && b[i+1] == 0xff { // fill bytes
			i++
		}
		if i+4 > len(b) {
			return m, survey.Errorf(survey.Invalid, "JPEG ends at byte %d, before its frame header", len(b))
		}
		if b[i] != 0xff {
			return m, survey.Errorf(survey.Invalid, "JPEG marker expected at byte %d, found 0x%02x", i, b[i])
		}
		marker := b[i+1]
		if marker == 0xd8 || marker == 0x01 || (marker >= 0xd0 && marker <= 0xd7) { // no length
			i += 2
			continue
		}
		if marker == 0xda || marker == 0xd9 {
			return m, survey.Errorf(survey.Invalid, "JPEG has no frame header before its image data at byte %d", i)
		}
		n := int(binary.BigEndian.Uint16(b[i+2:]))
		end := i + 2 + n
		if n < 2 || end > len(b) {
			return m, survey.Errorf(survey.Invalid, "JPEG segment 0x%02x at byte %d runs past the end", marker, i)
		}
		body := b[i+4 : end]
		switch {
		case marker == 0xe1 && exif == nil && bytes.HasPrefix(body, []byte("Exif\x00")) && len(body) > 6:
			exif = body[6:]
		case marker == 0xe1 && xmp == nil && bytes.HasPrefix(body, []byte(xmpHeader)):
			xmp = body[len(xmpHeader):]
		case marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc:
			if len(body) < 6 {
				return m, survey.Errorf(survey.Invalid, "JPEG frame header at byte %d is cut short", i)
			}
			m.Height = int(binary.BigEndian.Uint16(body[1:]))
			m.Width = int(binary.BigEndian.Uint16(body[3:]))
			m.Components = int(body[5])
			if m.Width == 0 || m.Height == 0 {
				return m, survey.Errorf(survey.Invalid, "JPEG declares %d × %d pixels", m.Width, m.Height)
			}
			// Within entropy-coded data 0xff is followed by 0 or a restart marker, so this finds the true end;
			// thumbnails lie before the frame header.
			eoi := []byte{0xff, 0xd9}
			m.Complete = bytes.HasSuffix(b[end:], eoi) || bytes.Contains(b[end:], eoi)
			m.readTIFF(exif)
			if !m.GPS.HasPoint {
				m.readXMP(xmp)
			}
			return m, nil
		}
		i = end
	}
}

// Is reports whether b starts like a JPEG file.
func Is(b []byte) bool { return len(b) >= 3 && b[0] == 0xff && b[1] == 0xd8 && b[2] == 0xff }

// Tags read, by directory (EXIF 2.32 §4.6).
const (
	tagMake        = 0x010f
	tagModel       = 0x0110
	tagOrientation = 0x0112
	tagDateTime    = 0x0132
	tagExifIFD     = 0x8769
	tagGPSIFD      = 0x8825

	tagOriginal       = 0x9003
	tagDigitized      = 0x9004
	tagOffset         = 0x9010
	tagOffsetOriginal = 0x9011
	tagSubsec         = 0x9290
	tagSubsecOriginal = 0x9291

	gpsLatRef, gpsLat     = 1, 2
	gpsLonRef, gpsLon     = 3, 4
	gpsAltRef, gpsAlt     = 5, 6
	gpsTime               = 7
	gpsStatus             = 9
	gpsDOP                = 11
	gpsSpeedRef, gpsSpeed = 12, 13
	gpsTrackRef, gpsTrack = 14, 15
	gpsDirRef, gpsDir     = 16, 17
	gpsDate               = 29
	gpsHError             = 31
)

// value is one tag: its type, count and the bytes it points to, cut to what the file really has.
type value struct {
	typ   uint16
	count int
	b     []byte
	le    bool
}

// values are the tags of a file that are wanted, few enough to search.
type values []struct {
	tag uint16
	v   value
}

func (vs values) get(tag uint16) value {
	for i := range vs {
		if vs[i].tag == tag {
			return vs[i].v
		}
	}
	return value{}
}

type tiff struct {
	b    []byte
	le   bool
	left int // entries still to be looked at
	seen [maxIFDs]uint32
	ifds int
}

var typeSize = [...]int{0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8}

func (t *tiff) u16(i int) uint16 {
	if t.le {
		return binary.LittleEndian.Uint16(t.b[i:])
	}
	return binary.BigEndian.Uint16(t.b[i:])
}

func (t *tiff) u32(i int) uint32 {
	if t.le {
		return binary.LittleEndian.Uint32(t.b[i:])
	}
	return binary.BigEndian.Uint32(t.b[i:])
}

// dir adds one directory to out; of a tag that occurs twice the first is found.
func (t *tiff) dir(off uint32, want func(uint16) bool, out *values) {
	if t.ifds == maxIFDs || int64(off)+2 > int64(len(t.b)) || off < 8 {
		return
	}
	for _, s := range t.seen[:t.ifds] {
		if s == off {
			return
		}
	}
	t.seen[t.ifds] = off
	t.ifds++
	n := int(t.u16(int(off)))
	for i := int(off) + 2; n > 0 && t.left > 0 && i+12 <= len(t.b); i, n, t.left = i+12, n-1, t.left-1 {
		tag := t.u16(i)
		if !want(tag) {
			continue
		}
		typ, count := t.u16(i+2), int64(t.u32(i+4))
		if int(typ) >= len(typeSize) || typ == 0 || count == 0 {
			continue
		}
		size := int64(typeSize[typ])
		need := count * size // below 2^35
		var b []byte
		if need <= 4 {
			b = t.b[i+8 : i+8+int(need)]
		} else {
			o := int64(t.u32(i + 8))
			if o >= int64(len(t.b)) {
				continue
			}
			end := min(o+need, int64(len(t.b)), o+maxText*size)
			b = t.b[o:end]
		}
		if len(*out) < cap(*out) {
			*out = (*out)[:len(*out)+1]
			e := &(*out)[len(*out)-1]
			e.tag, e.v = tag, value{typ: typ, count: len(b) / int(size), b: b, le: t.le}
		}
	}
}

func (m *Meta) readTIFF(b []byte) {
	if len(b) < 8 {
		return
	}
	t := &tiff{b: b, left: maxEntries}
	switch {
	case b[0] == 'I' && b[1] == 'I':
		t.le = true
	case b[0] != 'M' || b[1] != 'M':
		return
	}
	vs := make(values, 0, maxValues)
	t.dir(t.u32(4), func(tag uint16) bool {
		switch tag {
		case tagMake, tagModel, tagOrientation, tagDateTime, tagExifIFD, tagGPSIFD:
			return true
		}
		return false
	}, &vs)
	exifIFD, gpsIFD := vs.get(tagExifIFD), vs.get(tagGPSIFD)
	if off, ok := exifIFD.uint(); ok {
		t.dir(off, func(tag uint16) bool {
			switch tag {
			case tagOriginal, tagDigitized, tagOffset, tagOffsetOriginal, tagSubsec, tagSubsecOriginal:
				return true
			}
			return false
		}, &vs)
	}
	m.Make, m.Model = vs.get(tagMake).text(), vs.get(tagModel).text()
	if o, ok := vs.get(tagOrientation).uint(); ok && o >= 1 && o <= 8 {
		m.Orientation = int(o)
	}
	m.readTaken(vs)
	if off, ok := gpsIFD.uint(); ok {
		gs := make(values, 0, maxValues)
		t.dir(off, func(tag uint16) bool { return tag <= gpsHError }, &gs)
		m.GPS.read(gs)
	}
}

func (m *Meta) readTaken(vs values) {
	for _, c := range []struct{ at, sub, zone uint16 }{
		{tagOriginal, tagSubsecOriginal, tagOffsetOriginal},
		{tagDigitized, tagSubsec, tagOffset},
		{tagDateTime, tagSubsec, tagOffset},
	} {
		at, ok := parseTime(vs.get(c.at).text())
		if !ok {
			continue
		}
		at = at.Add(subsec(vs.get(c.sub).text()))
		if z, ok := parseZone(vs.get(c.zone).text()); ok {
			at, m.HasZone = at.Add(-z), true
		}
		m.Taken, m.HasTaken = at, true
		return
	}
}

// parseTime reads "2008:10:22 16:28:39"; cameras also write "-" or "/" between the date's parts.
func parseTime(s string) (time.Time, bool) {
	if len(s) < 19 {
		return time.Time{}, false
	}
	s = s[:19]
	y, ok1 := digits(s[0:4])
	mo, ok2 := digits(s[5:7])
	d, ok3 := digits(s[8:10])
	h, ok4 := digits(s[11:13])
	mi, ok5 := digits(s[14:16])
	se, ok6 := digits(s[17:19])
	if !(ok1 && ok2 && ok3 && ok4 && ok5 && ok6) || mo < 1 || mo > 12 || d < 1 || d > 31 || h > 23 || mi > 59 || se > 60 || y == 0 {
		return time.Time{}, false
	}
	return time.Date(y, time.Month(mo), d, h, mi, se, 0, time.UTC), true
}

func digits(s string) (int, bool) {
	n := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == ' ' && n == 0 { // some cameras pad with blanks
			continue
		}
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// subsec reads the digits after the decimal point of a second: "5" and "50" are both half a second.
func subsec(s string) time.Duration {
	var d time.Duration
	unit := time.Second
	for i := 0; i < len(s) && i < 9 && s[i] >= '0' && s[i] <= '9'; i++ {
		unit /= 10
		d += time.Duration(s[i]-'0') * unit
	}
	return d
}

// parseZone reads "+02:00".
func parseZone(s string) (time.Duration, bool) {
	if s == "Z" {
		return 0, true
	}
	if len(s) != 6 || s[3] != ':' || (s[0] != '+' && s[0] != '-') {
		return 0, false
	}
	h, ok1 := digits(s[1:3])
	m, ok2 := digits(s[4:6])
	if !ok1 || !ok2 || h > 15 || m > 59 {
		return 0, false
	}
	d := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute
	if s[0] == '-' {
		d = -d
	}
	return d, true
}

func (g *GPS) read(vs values) {
	lat, ok1 := vs.get(gpsLat).angle()
	lon, ok2 := vs.get(gpsLon).angle()
	if ok1 && ok2 {
		if ref := vs.get(gpsLatRef).text(); strings.HasPrefix(ref, "S") || strings.HasPrefix(ref, "s") {
			lat = -lat
		}
		if ref := vs.get(gpsLonRef).text(); strings.HasPrefix(ref, "W") || strings.HasPrefix(ref, "w") {
			lon = -lon
		}
		g.Point, g.HasPoint = geo.Point{Lat: lat, Lon: lon}, true
	}
	if a, ok := vs.get(gpsAlt).float(0); ok && math.Abs(a) < 20000 {
		if r := vs.get(gpsAltRef); len(r.b) > 0 && (r.b[0] == 1 || r.b[0] == '1') {
			a = -a
		}
		g.Alt, g.HasAlt = geo.Meters(a), true
	}
	if h, ok := vs.get(gpsDir).float(0); ok && !magnetic(vs.get(gpsDirRef)) && math.Abs(h) <= 720 {
		g.Heading, g.HasHeading = geo.NormalizeBearing(h), true
	}
	if h, ok := vs.get(gpsTrack).float(0); ok && !magnetic(vs.get(gpsTrackRef)) && math.Abs(h) <= 720 {
		g.Course, g.HasCourse = geo.NormalizeBearing(h), true
	}
	if s, ok := vs.get(gpsSpeed).float(0); ok && s >= 0 {
		switch strings.ToUpper(vs.get(gpsSpeedRef).text()) {
		case "M":
			s *= 1609.344 / 3600
		case "N":
			s *= 1852.0 / 3600
		default: // "K", the default of the standard
			s /= 3.6
		}
		if s < 200 {
			g.Speed, g.HasSpeed = geo.SpeedMPS(s), true
		}
	}
	if d, ok := vs.get(gpsDOP).float(0); ok && d > 0 && d < 1000 {
		g.DOP = d
	}
	if e, ok := vs.get(gpsHError).float(0); ok && e > 0 && e < 1e6 {
		g.Accuracy = geo.Meters(e)
	}
	g.Void = strings.HasPrefix(vs.get(gpsStatus).text(), "V")
	if date := vs.get(gpsDate).text(); len(date) >= 10 {
		h, ok1 := vs.get(gpsTime).float(0)
		m, ok2 := vs.get(gpsTime).float(1)
		s, ok3 := vs.get(gpsTime).float(2)
		day, ok4 := parseTime(date[:10] + " 00:00:00")
		if ok1 && ok2 && ok3 && ok4 && h >= 0 && h < 24 && m >= 0 && m < 60 && s >= 0 && s < 61 {
			g.Time = day.Add(time.Duration(math.Round((h*3600+m*60+s)*1e6)) * time.Microsecond)
		}
	}
}

func magnetic(ref value) bool { return strings.HasPrefix(ref.text(), "M") }

func (v value) text() string {
	b := v.b
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	if len(b) > maxText {
		b = b[:maxText]
	}
	return strings.TrimSpace(strings.ToValidUTF8(string(b), ""))
}

func (v value) uint() (uint32, bool) {
	f, ok := v.float(0)
	if !ok || f < 0 || f > math.MaxUint32 || f != math.Trunc(f) {
		return 0, false
	}
	return uint32(f), true
}

// float is the i-th number of the tag, whatever numeric type it was written with.
func (v value) float(i int) (float64, bool) {
	if i >= v.count {
		return 0, false
	}
	var o binary.ByteOrder = binary.BigEndian
	if v.le {
		o = binary.LittleEndian
	}
	var f float64
	switch v.typ {
	case 1, 7:
		f = float64(v.b[i])
	case 3:
		f = float64(o.Uint16(v.b[2*i:]))
	case 4:
		f = float64(o.Uint32(v.b[4*i:]))
	case 5:
		n, d := o.Uint32(v.b[8*i:]), o.Uint32(v.b[8*i+4:])
		if d == 0 {
			return 0, false
		}
		f = float64(n) / float64(d)
	case 6:
		f = float64(int8(v.b[i]))
	case 8:
		f = float64(int16(o.Uint16(v.b[2*i:])))
	case 9:
		f = float64(int32(o.Uint32(v.b[4*i:])))
	case 10:
		n, d := int32(o.Uint32(v.b[8*i:])), int32(o.Uint32(v.b[8*i+4:]))
		if d == 0 {
			return 0, false
		}
		f = float64(n) / float64(d)
	case 11:
		f = float64(math.Float32frombits(o.Uint32(v.b[4*i:])))
	case 12:
		f = math.Float64frombits(o.Uint64(v.b[8*i:]))
	default:
		return 0, false
	}
	return f, !math.IsNaN(f) && !math.IsInf(f, 0)
}

// angle reads degrees, minutes and seconds; a missing or unreadable minute or second (some writers give 0/0) is zero.
func (v value) angle() (float64, bool) {
	d, ok := v.float(0)
	if !ok {
		return 0, false
	}
	m, _ := v.float(1)
	s, _ := v.float(2)
	if m < 0 || s < 0 || m > 1e9 || s > 1e9 {
		return 0, false
	}
	return d + m/60 + s/3600, true
}
