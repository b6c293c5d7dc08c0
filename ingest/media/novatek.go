package media

import (
	"bytes"
	"encoding/binary"
	"math"
	"time"

	"github.com/roadcomb/roadcomb/ingest/trace"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// maxBlocks bounds a Novatek index: a day at one block a second.
const maxBlocks = 100_000

// novatek reads the blocks that the index in a Novatek camera's moov/gps box points at, one for each second: after eight
// bytes, of which the last four count them, offsets and sizes.
func (p *parser) novatek(f *Film) error {
	if p.nvtk.n < 16 {
		return nil
	}
	index, err := p.bytes(span{p.nvtk.off, min(p.nvtk.n, 8+8*maxBlocks)}, 8+8*maxBlocks)
	if err != nil {
		return err
	}
	var blocks []Fix
	buf := make([]byte, 512)
	for i := 8; i+8 <= len(index); i += 8 {
		off, n := int64(binary.BigEndian.Uint32(index[i:])), int64(binary.BigEndian.Uint32(index[i+4:]))
		if off == 0 || n < 92 || off+n > p.size {
			continue
		}
		b := buf[:min(n, int64(len(buf)))]
		if err := p.read(b, off); err != nil {
			return err
		}
		if string(b[4:12]) != "freeGPS " {
			continue
		}
		fix, ok := novatekBlock(b)
		if !ok {
			fix.Kind = survey.FixNone
		}
		blocks = append(blocks, Fix{Fix: fix})
	}
	// Blocks come evenly over the film; about one a second.
	each := time.Second
	if len(blocks) > 0 && f.Duration > 0 {
		if d := f.Duration / time.Duration(len(blocks)); d > 900*time.Millisecond && d < 1100*time.Millisecond {
			each = d
		}
	}
	valid := false
	for i := range blocks {
		blocks[i].At = time.Duration(i) * each
		valid = valid || blocks[i].Kind != survey.FixNone
	}
	if valid {
		f.Fixes = blocks
	}
	return nil
}

// novatekBlock reads one block: "free", "GPS ", and somewhere after, little-endian, one of the layouts that are known, as
// exiftool documents them. False when it holds no fix.
//
//   - Novatek and Viofo: hour, minute, second, year − 2000, month, day (uint32), A or V, N or S, E or W, a byte, latitude
//     and longitude as float32 DDDMM.MMMM, speed in knots, and on newer ones the course; from byte 48, from 16 (A119 v3),
//     or wherever such numbers and letters are found. Where byte 16 says IQS, the coordinates are degrees × 10⁷ and the
//     speed is in cm/s, as int32.
//   - Akaso: hour, minute, second at 48; A, latitude, N or S, longitude, E or W, speed in km/h, four bytes each, at 60; year,
//     month, day at 88.
//   - Vantrue S1: the letters at 64, the date from the year on at 68, longitude and latitude, speed in knots and course at
//     92.
//   - NextBase: sentences of NMEA as text.
//
// float32 rounds a position by up to about 0.6 m. Cameras that encrypt the coordinates (Akaso V1, Redtiger F7N) leave zeros
// where others have the latitude: they give nothing rather than a wrong place.
func novatekBlock(b []byte) (fix survey.Fix, ok bool) {
	w := words{b}
	switch {
	case len(b) < 92:
		return fix, false
	case w.letter(60, "AV") && w.letter(68, "NS") && w.letter(76, "EW"):
		return novatekFix([6]int{w.int(88), w.int(92), w.int(96), w.int(48), w.int(52), w.int(56)},
			b[60], b[68], b[76], minutes(w.float(64)), minutes(w.float(72)), w.float(80)/3.6, math.NaN())
	case marker(b, 64) && b[67] == 0 && !marker(b, 72):
		return novatekFix([6]int{w.int(68), w.int(72), w.int(76), w.int(80), w.int(84), w.int(88)},
			b[64], b[65], b[66], minutes(w.float(96)), minutes(w.float(92)), w.float(100)*knot, w.float(104))
	}
	if i := bytes.Index(b, []byte("RMC,")); i >= 3 && b[i-3] == '$' {
		return novatekText(b[i-3:])
	}
	at := -1
	for _, i := range []int{72, 40} { // the places known; others are searched for
		if marker(b, i) {
			at = i
			break
		}
	}
	for i := 36; at < 0 && i < len(b)-20; i++ {
		if marker(b, i) {
			at = i
		}
	}
	if at < 0 {
		return fix, false
	}
	date := [6]int{w.int(at - 12), w.int(at - 8), w.int(at - 4), w.int(at - 24), w.int(at - 20), w.int(at - 16)}
	lat, lon, speed := minutes(w.float(at+4)), minutes(w.float(at+8)), w.float(at+12)*knot
	if string(b[16:19]) == "IQS" {
		lat, lon, speed = math.Abs(float64(int32(w.int(at+4))))/1e7, math.Abs(float64(int32(w.int(at+8))))/1e7, float64(int32(w.int(at+12)))/100
	}
	return novatekFix(date, b[at], b[at+1], b[at+2], lat, lon, speed, w.float(at+16))
}

const knot = 1852.0 / 3600 // m/s

// novatekFix makes a fix of year, month, day, hour, minute, second, the three letters, absolute degrees, m/s and degrees.
func novatekFix(date [6]int, status, ns, ew byte, lat, lon, speed, course float64) (fix survey.Fix, ok bool) {
	y, mo, d, h, mi, s := date[0], date[1], date[2], date[3], date[4], date[5]
	if y < 100 {
		y += 2000
	}
	if h > 23 || mi > 59 || s > 60 || y < 2000 || y > 2100 || mo < 1 || mo > 12 || d < 1 || d > 31 {
		return fix, false
	}
	fix.Time = time.Date(y, time.Month(mo), d, h, mi, s, 0, time.UTC)
	if status != 'A' || lat == 0 {
		return fix, false
	}
	if ns == 'S' {
		lat = -lat
	}
	if ew == 'W' {
		lon = -lon
	}
	fix.Point = geo.Point{Lat: lat, Lon: lon}
	if !fix.Point.Valid() {
		return fix, false
	}
	if speed >= 0 && speed < 200 {
		fix.Speed, fix.HasSpeed = geo.SpeedMPS(speed), true
	}
	if course > 0 && course <= 360 && float64(fix.Speed) > 0.5 {
		fix.Heading, fix.HasHeading = geo.NormalizeBearing(course), true
	}
	return fix, true
}

// novatekText reads sentences one behind the other, until one is none.
func novatekText(b []byte) (survey.Fix, bool) {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	var d trace.NMEA
	for _, part := range bytes.SplitAfter(b, []byte("\n")) {
		d.Line(part)
	}
	tr, _ := d.End()
	if len(tr) == 0 || tr[0].Kind == survey.FixNone {
		return survey.Fix{}, false
	}
	return tr[0], true
}

// words reads little-endian values; outside the block they are 0 and not a number.
type words struct{ b []byte }

func (w words) int(i int) int {
	if i < 0 || i+4 > len(w.b) {
		return 0
	}
	return int(binary.LittleEndian.Uint32(w.b[i:]))
}

func (w words) float(i int) float64 {
	if i < 0 || i+4 > len(w.b) {
		return math.NaN()
	}
	return float64(math.Float32frombits(binary.LittleEndian.Uint32(w.b[i:])))
}

// letter tells one of the letters in four bytes of which the others are 0.
func (w words) letter(i int, of string) bool {
	return i+4 <= len(w.b) && bytes.IndexByte([]byte(of), w.b[i]) >= 0 && w.b[i+1] == 0 && w.b[i+2] == 0 && w.b[i+3] == 0
}

func marker(b []byte, i int) bool {
	return i >= 36 && i+12 <= len(b) && (b[i] == 'A' || b[i] == 'V') && (b[i+1] == 'N' || b[i+1] == 'S') && (b[i+2] == 'E' || b[i+2] == 'W')
}

// minutes turns DDDMM.MMMM into degrees.
func minutes(v float64) float64 {
	d := math.Trunc(v / 100)
	return d + (v-100*d)/60
}
