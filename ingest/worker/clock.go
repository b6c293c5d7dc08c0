package worker

import (
	"path"
	"slices"
	"strings"
	"time"

	"github.com/roadcomb/roadcomb/ingest/trace"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// clock tells the times of one camera's images. GPS time wins over the camera's clock; the camera's clock is corrected
// by its zone, by the driver's offset, by what its other images show, or by what makes it fit a track, in that order.
type clock struct {
	given  time.Duration // added to camera times
	offset time.Duration // camera − UTC, inferred; used where the file names no zone
	known  bool          // offset was inferred
}

// zoneMin and zoneMax bound what a time zone can make of UTC.
const (
	zoneMin = -12 * time.Hour
	zoneMax = 14 * time.Hour
)

func (u upload) clock(fs []*file, tracks tracks) clock {
	c := clock{given: u.options.ClockOffset}
	if c.given != 0 {
		return c
	}
	var ds []time.Duration
	for _, f := range fs {
		if at, ok := gpsTime(f); ok && f.meta.HasTaken && !f.meta.HasZone {
			ds = append(ds, f.meta.Taken.Sub(at))
		}
	}
	if len(ds) > 0 {
		c.offset, _ = trace.MedianOffset(ds)
		c.known = true
		return c
	}
	c.offset, c.known = tracks.fit(fs)
	return c
}

// gpsTime is the GPS time of an image. Some cameras (Nikon P6000) write a GPS date that is a day off: where the camera's
// own clock differs by more than a zone can explain, but by less than two days, the date that a zone can explain is
// taken.
func gpsTime(f *file) (time.Time, bool) {
	at := f.meta.GPS.Time
	if at.IsZero() {
		return at, false
	}
	if !f.meta.HasTaken || f.meta.HasZone {
		return at, true
	}
	const day = 24 * time.Hour
	d := f.meta.Taken.Sub(at)
	if d > zoneMax && d < 2*day && d-day >= zoneMin {
		return at.Add(day), true
	}
	if d < zoneMin && d > -2*day && d+day <= zoneMax {
		return at.Add(-day), true
	}
	return at, true
}

func (c clock) set(s *shot, side *file) {
	m := s.f.meta
	var fine time.Time // of a name or sidecar in milliseconds of the receiver's clock
	if side != nil {
		fine = side.sidecar.Time
	} else if at, epoch, ok := nameTime(path.Base(s.f.path)); ok && epoch {
		fine = at
	}
	if at, ok := gpsTime(s.f); ok {
		s.fix.Time = at
		if !fine.IsZero() && fine.Sub(at).Abs() <= time.Second { // EXIF has whole seconds
			s.fix.Time = fine
		}
		if d := m.Taken.Sub(at); m.HasTaken && (d > time.Second || d < -time.Second) {
			s.flag(survey.FlagTimeOffset)
		}
		return
	}
	if !fine.IsZero() {
		s.fix.Time = fine
		if side == nil {
			s.flag(survey.FlagTimeFromName)
		}
		return
	}
	if m.HasTaken {
		s.fix.Time = m.Taken.Add(c.given)
		if c.given != 0 {
			s.flag(survey.FlagTimeOffset)
		} else if !m.HasZone && c.known && c.offset != 0 {
			s.fix.Time = m.Taken.Add(-c.offset)
			s.flag(survey.FlagTimeOffset)
		} else if !m.HasZone && !c.known {
			s.flag(survey.FlagTimeZoneAssumed)
		}
		return
	}
	if at, _, ok := nameTime(path.Base(s.f.path)); ok {
		s.fix.Time = at.Add(c.given)
		s.flag(survey.FlagTimeFromName)
		if c.given == 0 {
			s.flag(survey.FlagTimeZoneAssumed)
		}
	}
}

// nameTime reads a time from names that dashcams give: 20240510_021044, 2024-05-10_02-10-44, 20240510021044, or
// milliseconds since the Unix epoch before an underscore, which epoch tells. The others name no zone and are taken as UTC.
func nameTime(name string) (at time.Time, epoch, ok bool) {
	name = strings.TrimSuffix(name, path.Ext(name))
	if ms, _, ok := strings.Cut(name, "_"); ok && len(ms) == 13 && allDigits(ms) {
		var n int64
		for _, c := range ms {
			n = n*10 + int64(c-'0')
		}
		return time.UnixMilli(n).UTC(), true, true
	}
	for i := range name {
		for _, layout := range []string{"20060102_150405", "20060102-150405", "2006-01-02_15-04-05", "2006-01-02 15.04.05", "2006_0102_150405", "20060102150405"} {
			if i+len(layout) > len(name) || i > 0 && isDigit(name[i-1]) || i+len(layout) < len(name) && isDigit(name[i+len(layout)]) {
				continue
			}
			if t, err := time.Parse(layout, name[i:i+len(layout)]); err == nil && t.Year() >= 2000 {
				return t, false, true
			}
		}
	}
	return time.Time{}, false, false
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func allDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return true
}

// tracks are the usable tracks of an upload by folder.
type tracks map[string][]*file

func tracksOf(files []*file) tracks {
	out := tracks{}
	for _, f := range files {
		if f.curve != nil {
			out[f.folder()] = append(out[f.folder()], f)
		}
	}
	return out
}

// near calls fn with the tracks to be asked for an image in the folder: those beside it, then those of each parent, then
// all others in order of their folders, until fn is satisfied.
func (ts tracks) near(folder string, fn func([]*file) bool) {
	asked := map[string]bool{}
	for dir := folder; ; dir = path.Dir(dir) {
		asked[dir] = true
		if fs := ts[dir]; len(fs) > 0 && fn(fs) {
			return
		}
		if dir == "." || dir == "/" {
			break
		}
	}
	var rest []string
	for dir := range ts {
		if !asked[dir] {
			rest = append(rest, dir)
		}
	}
	slices.Sort(rest)
	for _, dir := range rest {
		if fn(ts[dir]) {
			return
		}
	}
}

func (ts tracks) at(folder string, t time.Time) (fix survey.Fix, by *file, ok bool) {
	if t.IsZero() {
		return
	}
	ts.near(folder, func(fs []*file) bool {
		for _, f := range fs {
			if fix, ok = f.curve.At(t); ok {
				by = f
				return true
			}
		}
		return false
	})
	return fix, by, ok
}

// zoneOffsets are the offsets of time zones, likely ones first: whole hours before halves before quarters, near UTC first.
func zoneOffsets() []time.Duration {
	var out []time.Duration
	for _, unit := range []time.Duration{time.Hour, 30 * time.Minute, 15 * time.Minute} {
		for z := time.Duration(0); z <= zoneMax; z += unit {
			for _, s := range []time.Duration{z, -z} {
				if s >= zoneMin && !slices.Contains(out, s) {
					out = append(out, s)
				}
			}
		}
	}
	return out
}

// fit finds the zone, in quarters of an hour, that puts the most of the images without a zone inside a track: UTC where
// that is as good as any, else whole hours before halves before quarters, then the one nearest to UTC. It must place at
// least half of them.
func (ts tracks) fit(fs []*file) (time.Duration, bool) {
	var loose []*file
	for _, f := range fs {
		if f.meta.HasTaken && !f.meta.HasZone && f.meta.GPS.Time.IsZero() && !f.meta.GPS.HasPoint {
			loose = append(loose, f)
		}
	}
	if len(loose) == 0 || len(ts) == 0 {
		return 0, false
	}
	if len(loose) > 64 { // a sample tells
		step := len(loose) / 64
		for i := range 64 {
			loose[i] = loose[i*step]
		}
		loose = loose[:64]
	}
	best, most := time.Duration(0), 0
	for _, z := range zoneOffsets() {
		n := 0
		for _, f := range loose {
			if _, _, ok := ts.at(f.folder(), f.meta.Taken.Add(-z)); ok {
				n++
			}
		}
		if n > most {
			best, most = z, n
		}
	}
	return best, 2*most >= len(loose) && most > 0
}
