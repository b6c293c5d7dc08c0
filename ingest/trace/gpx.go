package trace

import (
	"bytes"
	"encoding/xml"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// maxDepth bounds nesting; GPX with extensions needs about eight levels.
const maxDepth = 64

// ReadGPX reads the track points of a GPX 1.0 or 1.1 file as a stream; segments and tracks are joined in time order.
// Points without a time cannot place an image and are counted. A file damaged in its middle gives what came before,
// with Truncated set. Errors are Unsupported for XML that is no GPX, and Invalid for nesting or counts over the limits;
// what r returns is passed on.
func ReadGPX(r io.Reader) (survey.Trace, Stats, error) {
	var st Stats
	var tr survey.Trace
	src := &errReader{r: r}
	d := xml.NewDecoder(src)
	d.CharsetReader = latin1
	var (
		inPoint bool
		isGPX   bool
		f       survey.Fix
		ok      bool
		depth   int
		field   string
		text    []byte
	)
	for {
		tok, err := d.RawToken()
		if err != nil {
			if src.err != nil {
				return nil, st, src.err
			}
			st.Truncated = err != io.EOF || depth > 0
			break
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if depth++; depth > maxDepth {
				return nil, st, survey.Errorf(survey.Invalid, "GPX nests deeper than %d elements", maxDepth)
			}
			name := t.Name.Local
			if depth == 1 {
				if isGPX = name == "gpx"; !isGPX {
					return nil, st, survey.Errorf(survey.Unsupported, "XML root %.40q is not gpx", name)
				}
			}
			if name == "trkpt" {
				inPoint, f = true, survey.Fix{}
				var lat, lon string
				for _, a := range t.Attr {
					switch a.Name.Local {
					case "lat":
						lat = a.Value
					case "lon":
						lon = a.Value
					}
				}
				f.Point, ok = point(lat, lon)
				field = ""
				continue
			}
			field, text = "", text[:0]
			if inPoint {
				field = name
			}
		case xml.CharData:
			if field != "" && len(text) < 64 {
				text = append(text, t[:min(len(t), 64)]...)
			}
		case xml.EndElement:
			depth--
			if field != "" && t.Name.Local == field {
				gpxField(&f, field, strings.TrimSpace(string(text)))
			}
			field = ""
			if t.Name.Local != "trkpt" || !inPoint {
				continue
			}
			inPoint = false
			st.Records++
			switch {
			case !ok:
				st.NoPoint++
			case f.Time.IsZero():
				st.NoTime++
			case len(tr) == MaxFixes:
				return nil, st, survey.Errorf(survey.Invalid, "GPX has more than %d points", MaxFixes)
			default:
				tr = append(tr, f)
			}
		}
	}
	if !isGPX {
		return nil, st, survey.Errorf(survey.Unsupported, "not a GPX file")
	}
	return sorted(tr, &st), st, nil
}

func point(lat, lon string) (geo.Point, bool) {
	la, err1 := strconv.ParseFloat(strings.TrimSpace(lat), 64)
	lo, err2 := strconv.ParseFloat(strings.TrimSpace(lon), 64)
	p := geo.Point{Lat: la, Lon: lo}
	return p, err1 == nil && err2 == nil && p.Valid()
}

func number(s string) (float64, bool) {
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil && !math.IsNaN(v) && !math.IsInf(v, 0)
}

// gpxField stores one child element of a track point; names are those of GPX 1.0 and 1.1 and of Garmin's extensions.
func gpxField(f *survey.Fix, name, s string) {
	v, ok := number(s)
	switch {
	case name == "time":
		if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
			f.Time = t.UTC().Truncate(time.Microsecond)
		} else if t, err := time.Parse("2006-01-02T15:04:05.999999999", s); err == nil { // no zone: GPX is UTC
			f.Time = t.Truncate(time.Microsecond)
		}
	case name == "fix":
		switch s {
		case "none":
			f.Kind = survey.FixNone
		case "2d":
			f.Kind = survey.Fix2D
		case "3d", "dgps", "pps":
			f.Kind = survey.Fix3D
		}
	case !ok:
	case name == "ele" && math.Abs(v) < 20000:
		f.Alt, f.HasAlt = geo.Meters(v), true
	case name == "hdop" && v > 0:
		f.HDOP = v
	case name == "sat" && v >= 1 && v < 1000:
		f.Satellites = int(v)
	case name == "speed" && v >= 0 && v < 1000:
		f.Speed, f.HasSpeed = geo.SpeedMPS(v), true
	case name == "course" && math.Abs(v) <= 720:
		f.Heading, f.HasHeading = geo.NormalizeBearing(v), true
	}
}

// errReader remembers a fault of the source, which the decoder would pass off as a damaged file.
type errReader struct {
	r   io.Reader
	err error
}

func (e *errReader) Read(b []byte) (int, error) {
	n, err := e.r.Read(b)
	if err != nil && err != io.EOF {
		e.err = err
	}
	return n, err
}

// latin1 lets files in an 8-bit encoding through: what is needed of them is ASCII.
func latin1(label string, r io.Reader) (io.Reader, error) {
	if l := strings.ToLower(label); strings.HasPrefix(l, "utf-16") || strings.HasPrefix(l, "ucs") {
		return nil, survey.Errorf(survey.Unsupported, "GPX in %.20q", label)
	}
	return &asciiReader{r}, nil
}

type asciiReader struct{ r io.Reader }

func (a *asciiReader) Read(b []byte) (int, error) {
	n, err := a.r.Read(b)
	for i, c := range b[:n] {
		if c >= 0x80 {
			b[i] = '?'
		}
	}
	return n, err
}

// IsGPX reports whether the first bytes of a file look like GPX.
func IsGPX(head []byte) bool {
	return bytes.Contains(head[:min(len(head), 1024)], []byte("<gpx"))
}
