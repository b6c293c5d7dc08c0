package trace

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// maxSentence is generous: NMEA 0183 allows 82 characters, receivers write up to about 200.
const maxSentence = 512

// ReadNMEA reads NMEA 0183 sentences (RMC, GGA, GSA, GLL, ZDA of any talker) as a stream and joins those of one moment
// into a fix. Sentences with a wrong or missing checksum are skipped and counted, and so are proprietary and unknown
// ones. The date comes from RMC or ZDA; a position before the first date is counted under NoTime. Errors are
// Unsupported when no line is a sentence, Invalid over MaxFixes; what r returns is passed on.
func ReadNMEA(r io.Reader) (survey.Trace, Stats, error) {
	var d NMEA
	br := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := br.ReadSlice('\n')
		d.Line(line)
		for errors.Is(err, bufio.ErrBufferFull) { // skip the rest of an endless line
			_, err = br.ReadSlice('\n')
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, d.st, err
		}
		if len(d.tr) > MaxFixes {
			return nil, d.st, survey.Errorf(survey.Invalid, "NMEA recording has more than %d fixes", MaxFixes)
		}
	}
	tr, st := d.End()
	if st.Records == st.BadChecksum+st.Unknown && len(tr) == 0 && st.NoTime == 0 && st.NoPoint == 0 {
		return nil, st, survey.Errorf(survey.Unsupported, "no NMEA sentence that gives a position")
	}
	return tr, st, nil
}

// NMEA joins sentences into fixes. The zero value is ready.
type NMEA struct {
	st   Stats
	tr   survey.Trace
	cur  survey.Fix
	tod  time.Duration // of the moment in hand; meaningful if open
	last time.Duration // of the moment before
	open bool
	pos  bool // cur has a position
	bad  bool // a position of this moment was unusable
	date time.Time
}

// Line takes one sentence; anything before its "$" is ignored. It reports whether the sentence was sound.
func (d *NMEA) Line(line []byte) bool {
	i := bytes.IndexByte(line, '$')
	if i < 0 || len(line)-i > maxSentence {
		return false
	}
	s := bytes.TrimRight(line[i+1:], "\r\n \x00")
	d.st.Records++
	star := bytes.LastIndexByte(s, '*')
	if star < 0 || len(s)-star < 3 {
		d.st.BadChecksum++
		return false
	}
	want, err := strconv.ParseUint(string(s[star+1:star+3]), 16, 8)
	var sum byte
	for _, c := range s[:star] {
		sum ^= c
	}
	if err != nil || sum != byte(want) {
		d.st.BadChecksum++
		return false
	}
	s = s[:star]
	var fs [20][]byte
	f := split(s, fs[:0])
	if len(f[0]) != 5 || f[0][0] == 'P' {
		d.st.Unknown++
		return true
	}
	switch string(f[0][2:]) {
	case "RMC":
		d.rmc(f)
	case "GGA":
		d.gga(f)
	case "GLL":
		d.gll(f)
	case "GSA":
		if len(f) > 2 && d.open {
			switch string(f[2]) {
			case "1":
				d.kind(survey.FixNone)
			case "2":
				d.kind(survey.Fix2D)
			case "3":
				d.kind(survey.Fix3D)
			}
		}
	case "ZDA":
		if len(f) > 4 {
			if t, ok := clock(f[1]); ok {
				day, ok1 := small(f[2])
				mon, ok2 := small(f[3])
				year, err := strconv.Atoi(string(f[4]))
				if ok1 && ok2 && err == nil && year > 1979 && year < 2200 {
					d.moment(t)
					d.day(year, mon, day)
				}
			}
		}
	default:
		d.st.Unknown++
	}
	return true
}

// split cuts at commas into at most cap(out) fields, the last holding the rest.
func split(s []byte, out [][]byte) [][]byte {
	for len(out) < cap(out)-1 {
		i := bytes.IndexByte(s, ',')
		if i < 0 {
			break
		}
		out, s = append(out, s[:i]), s[i+1:]
	}
	return append(out, s)
}

// moment closes the fix in hand when the time of day changes.
func (d *NMEA) moment(tod time.Duration) {
	if d.open && d.tod == tod {
		return
	}
	d.flush()
	d.cur, d.pos, d.bad = survey.Fix{}, false, false
	d.last, d.tod, d.open = d.tod, tod, true
	if !d.date.IsZero() && d.last-tod > 12*time.Hour { // midnight passed; a date in this moment's RMC agrees
		d.date = d.date.AddDate(0, 0, 1)
	}
}

func (d *NMEA) flush() {
	switch {
	case !d.open:
	case !d.pos:
		if d.bad {
			d.st.NoPoint++
		}
	case d.date.IsZero():
		d.st.NoTime++
	default:
		d.cur.Time = d.date.Add(d.tod)
		d.tr = append(d.tr, d.cur)
	}
	d.open = false
}

// End gives the trace in time order and what was counted.
func (d *NMEA) End() (survey.Trace, Stats) {
	d.flush()
	tr := sorted(d.tr, &d.st)
	return tr, d.st
}

func (d *NMEA) day(y, m, day int) {
	if m < 1 || m > 12 || day < 1 || day > 31 {
		return
	}
	d.date = time.Date(y, time.Month(m), day, 0, 0, 0, 0, time.UTC)
}

// kind keeps the worst that sentences of one moment say, except that a later GSA of another constellation may better an
// unknown.
func (d *NMEA) kind(k survey.FixKind) {
	if d.cur.Kind == survey.FixUnknown || k < d.cur.Kind {
		d.cur.Kind = k
	}
}

func (d *NMEA) point(lat, ns, lon, ew []byte) {
	la, ok1 := angle(lat, 2)
	lo, ok2 := angle(lon, 3)
	if len(ns) == 1 && ns[0] == 'S' {
		la = -la
	}
	if len(ew) == 1 && ew[0] == 'W' {
		lo = -lo
	}
	p := geo.Point{Lat: la, Lon: lo}
	if !ok1 || !ok2 || !p.Valid() {
		d.bad = true
		return
	}
	if !d.pos {
		d.cur.Point, d.pos = p, true
	}
}

func (d *NMEA) rmc(f [][]byte) {
	if len(f) < 10 {
		d.st.Unknown++
		return
	}
	t, ok := clock(f[1])
	if !ok {
		d.st.NoTime++
		return
	}
	d.moment(t)
	if len(f[9]) == 6 {
		dd, ok1 := small(f[9][0:2])
		mm, ok2 := small(f[9][2:4])
		yy, ok3 := small(f[9][4:6])
		if ok1 && ok2 && ok3 {
			year := 2000 + yy
			if yy >= 80 {
				year = 1900 + yy
			}
			d.day(year, mm, dd)
		}
	}
	if len(f[2]) != 1 || f[2][0] != 'A' {
		d.kind(survey.FixNone)
	}
	d.point(f[3], f[4], f[5], f[6])
	if v, ok := number(string(f[7])); ok && v >= 0 && v < 2000 {
		d.cur.Speed, d.cur.HasSpeed = geo.SpeedMPS(v*1852/3600), true
	}
	if v, ok := number(string(f[8])); ok && math.Abs(v) <= 720 {
		d.cur.Heading, d.cur.HasHeading = geo.NormalizeBearing(v), true
	}
}

func (d *NMEA) gga(f [][]byte) {
	if len(f) < 10 {
		d.st.Unknown++
		return
	}
	t, ok := clock(f[1])
	if !ok {
		d.st.NoTime++
		return
	}
	d.moment(t)
	if string(f[6]) == "0" {
		d.kind(survey.FixNone)
	}
	d.point(f[2], f[3], f[4], f[5])
	if n, ok := small(f[7]); ok {
		d.cur.Satellites = n
	}
	if v, ok := number(string(f[8])); ok && v > 0 {
		d.cur.HDOP = v
	}
	if v, ok := number(string(f[9])); ok && math.Abs(v) < 20000 {
		d.cur.Alt, d.cur.HasAlt = geo.Meters(v), true
	}
}

func (d *NMEA) gll(f [][]byte) {
	if len(f) < 7 {
		d.st.Unknown++
		return
	}
	t, ok := clock(f[5])
	if !ok {
		d.st.NoTime++
		return
	}
	d.moment(t)
	if string(f[6]) != "A" {
		d.kind(survey.FixNone)
	}
	d.point(f[1], f[2], f[3], f[4])
}

// clock reads hhmmss(.s…).
func clock(b []byte) (time.Duration, bool) {
	if len(b) < 6 {
		return 0, false
	}
	h, ok1 := small(b[0:2])
	m, ok2 := small(b[2:4])
	s, ok3 := small(b[4:6])
	if !ok1 || !ok2 || !ok3 || h > 23 || m > 59 || s > 60 {
		return 0, false
	}
	d := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second
	if len(b) > 7 && b[6] == '.' {
		unit := time.Second
		for _, c := range b[7:min(len(b), 13)] {
			if c < '0' || c > '9' {
				return 0, false
			}
			unit /= 10
			d += time.Duration(c-'0') * unit
		}
	}
	return d, true
}

func small(b []byte) (int, bool) {
	if len(b) == 0 || len(b) > 4 {
		return 0, false
	}
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// angle reads (d)ddmm.mmmm with the given number of degree digits.
func angle(b []byte, deg int) (float64, bool) {
	if len(b) < deg+2 {
		return 0, false
	}
	d, ok := small(b[:deg])
	m, err := strconv.ParseFloat(string(b[deg:]), 64)
	if !ok || err != nil || !(m >= 0 && m < 60) {
		return 0, false
	}
	return float64(d) + m/60, true
}

// IsNMEA reports whether the first bytes of a file look like NMEA 0183 sentences.
func IsNMEA(head []byte) bool {
	head = head[:min(len(head), 4096)]
	for line := range bytes.Lines(head) {
		line = bytes.TrimSpace(line)
		if len(line) > 9 && line[0] == '$' && bytes.IndexByte(line, ',') > 3 && bytes.IndexByte(line, '*') > 0 {
			return true
		}
	}
	return false
}
