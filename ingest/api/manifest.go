package api

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/roadcomb/roadcomb/ingest/upload"
	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Manifest opens an upload: the files to be sent and what the driver says about them.
type Manifest struct {
	Files   []survey.UploadFile  `json:"files"`
	Options survey.UploadOptions `json:"options,omitempty"`
	// Signature is a registered device's over the upload's id.
	Signature *upload.Signature `json:"signature,omitempty"`
}

// check compares the manifest with the limits. Its faults are listed one by one.
func (m *Manifest) check(l Limits) error {
	var faults []httpx.Detail
	fault := func(i int, field, value, format string, args ...any) {
		faults = append(faults, httpx.Detail{Location: fmt.Sprintf("body.files[%d].%s", i, field), Message: fmt.Sprintf(format, args...), Value: value})
	}
	if len(m.Files) == 0 {
		return survey.Errorf(survey.Invalid, "the manifest names no file")
	}
	if len(m.Files) > l.Files {
		return survey.Errorf(survey.Invalid, "the manifest names %d files, the limit is %d", len(m.Files), l.Files).WithHint("send the footage in several uploads, for example one per day")
	}
	paths := make(map[string]bool, len(m.Files))
	sizes := make(map[survey.Hash]int64, len(m.Files))
	var total int64
	for i, f := range m.Files {
		if why := badPath(f.Path, l.PathBytes); why != "" {
			fault(i, "path", f.Path, "%s", why)
		} else if paths[f.Path] {
			fault(i, "path", f.Path, "the path is named twice")
		}
		paths[f.Path] = true
		if f.SHA256.IsZero() {
			fault(i, "sha256", "", "the SHA-256 is missing")
		}
		switch n, seen := sizes[f.SHA256]; {
		case f.Bytes < 0:
			fault(i, "bytes", fmt.Sprint(f.Bytes), "the size is negative")
		case f.Bytes > l.FileBytes:
			fault(i, "bytes", fmt.Sprint(f.Bytes), "the file is larger than %d bytes", l.FileBytes)
		case seen && n != f.Bytes:
			fault(i, "bytes", fmt.Sprint(f.Bytes), "another file of the same SHA-256 has %d bytes", n)
		default:
			total += f.Bytes // cannot overflow: at most Files × FileBytes, checked against UploadBytes each time
			sizes[f.SHA256] = f.Bytes
		}
		if total > l.UploadBytes {
			return survey.Errorf(survey.Invalid, "the upload has more than %d bytes", l.UploadBytes).WithHint("send the footage in several uploads")
		}
	}
	faults = append(faults, optionFaults(m.Options)...)
	if len(faults) > 0 {
		return httpx.ProblemOf(survey.Errorf(survey.Invalid, "the manifest has %d faults", len(faults))).With(faults...)
	}
	return nil
}

// badPath says why a path cannot be kept; "" when it can. Control characters other than NUL are kept: ingest gives such
// a file the verdict bad_name, so that the driver is told.
func badPath(p string, limit int) string {
	switch {
	case p == "":
		return "the path is empty"
	case len(p) > limit:
		return fmt.Sprintf("the path has %d bytes, the limit is %d", len(p), limit)
	case !utf8.ValidString(p):
		return "the path is not UTF-8"
	case strings.ContainsRune(p, utf8.RuneError):
		return "the path was not UTF-8 where it came from" // JSON decoders put U+FFFD in place of such bytes
	case strings.ContainsRune(p, 0):
		return "the path holds a NUL character"
	case p[0] == '/':
		return "the path is not relative"
	}
	for part := range strings.SplitSeq(p, "/") {
		if part == "" || part == "." || part == ".." {
			return fmt.Sprintf("the path has the element %q", part)
		}
	}
	return ""
}

func optionFaults(o survey.UploadOptions) (ds []httpx.Detail) {
	bad := func(field, format string, args ...any) {
		ds = append(ds, httpx.Detail{Location: "body.options." + field, Message: fmt.Sprintf(format, args...)})
	}
	const year = 366 * 24 * time.Hour
	if o.ClockOffset > 50*year || o.ClockOffset < -50*year {
		bad("clock_offset", "the offset is more than 50 years")
	}
	if !(o.AssumeSpeed >= 0 && o.AssumeSpeed <= 100) {
		bad("assume_speed", "the speed is not within 0 to 100 m/s")
	}
	if !(math.Abs(o.TrimMeters) <= 10_000) {
		bad("trim_meters", "the distance is more than 10 km")
	}
	if y := o.CapturedAt.Year(); !o.CapturedAt.IsZero() && (y < 2000 || y > 2200) {
		bad("captured_at", "the year %d is outside 2000 to 2200", y)
	}
	for _, v := range [][2]string{{"device", o.Device}, {"client", o.Client}} {
		if len(v[1]) > 200 || !printable(v[1]) {
			bad(v[0], "the text is not at most 200 printable bytes")
		}
	}
	return ds
}
