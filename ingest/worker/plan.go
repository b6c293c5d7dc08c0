package worker

import (
	"encoding/json"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/roadcomb/roadcomb/ingest/framekm"
	"github.com/roadcomb/roadcomb/ingest/media"
	"github.com/roadcomb/roadcomb/ingest/trace"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// plan is what an upload will become: each file has a verdict or a place in a drive.
type plan struct {
	files  []*file
	drives []*drive
}

type drive struct {
	drive   survey.Drive
	frames  []survey.Frame
	objects []string // by frame: the original
	pts     []int64  // by frame: microseconds into the film, -1 for an image
	shots   []*shot  // by frame
	sources []survey.Hash

	manifestSHA survey.Hash
}

// shot is an image on its way to a place and a time.
type shot struct {
	f     *file
	fix   survey.Fix // Time, Point and what else is known
	flags []survey.Flag
	track *file // what placed it, if not the image itself
	pts   int64 // of a frame of a film, microseconds; else state.WholeFile or state.OfBundle

	member   *member
	disagree geo.Meters // the farthest that another source of the position lies, where that is over differ
}

func (s *shot) flag(fl survey.Flag) {
	if !slices.Contains(s.flags, fl) {
		s.flags = append(s.flags, fl)
	}
}

// camera is what images of one recording share.
type camera struct {
	kind, folder, maker, model string
	width, height              int
}

// plan decides. It is a pure function of the files as read, the upload and the configuration.
func (w *Worker) plan(cfg Config, u upload, files []*file) *plan {
	p := &plan{files: files}
	tracks := tracksOf(files)
	beside := map[string]*file{} // by stem: the sidecar of an image
	for _, f := range files {
		if f.sidecar != nil {
			beside[stem(f.path)] = f
		}
	}
	groups := map[camera][]*file{}
	var order []camera
	for _, f := range files {
		if f.out() || f.kind != kindImage && f.kind != kindFilm && f.kind != kindBundle {
			continue
		}
		c := camera{f.kind, f.folder(), f.meta.Make, f.meta.Model, f.meta.Width, f.meta.Height}
		if f.kind == kindFilm {
			c = camera{f.kind, f.folder(), f.film.Make, f.film.Model, f.film.Width, f.film.Height}
		}
		if f.kind == kindBundle {
			c = camera{kind: f.kind, folder: f.folder(), maker: f.described.bundle.Device}
		}
		if groups[c] == nil {
			order = append(order, c)
		}
		groups[c] = append(groups[c], f)
	}
	rules := cfg.Rules
	rules.Trim = cfg.trim(u.contributor, u.options.TrimMeters)
	rules.Zones = u.zones
	for _, c := range order { // files come in order of their paths, so order is too
		if c.kind == kindFilm {
			p.cut(u, c, u.sane(u.film(groups[c], tracks)), rules)
			continue
		}
		if c.kind == kindBundle {
			p.cut(u, c, u.sane(u.bundles(cfg, groups[c])), rules)
			continue
		}
		timed, untimed := u.locate(groups[c], tracks, beside)
		u.assume(untimed)
		for _, shots := range [][]*shot{timed, untimed} {
			p.cut(u, c, u.sane(shots), rules)
		}
	}
	for _, f := range files {
		if (f.kind == kindFilm || f.kind == kindBundle) && f.verdict == nil && !f.context {
			f.filmVerdict()
			if f.described != nil && f.verdict.Accepted {
				f.described.used = true
			}
		}
	}
	for _, f := range files {
		if f.kind != kindTrack || f.verdict != nil || f.context {
			continue
		}
		if f.used {
			v := survey.Accept()
			if f.curve != nil {
				v.Vars = map[string]any{"fixes": f.fixes, "untrusted": f.dropped.Total()}
			}
			f.verdict = &v
			continue
		}
		if f.bundle != nil {
			f.reject(survey.ReasonTrackUnused, nil, "The metadata is of the bundle %q, which is not in the upload or gave no frame.", f.bundle.Name)
			continue
		}
		f.reject(survey.ReasonTrackUnused, map[string]any{"fixes": f.fixes}, "")
	}
	return p
}

// film cuts frames from films along their tracks.
func (u upload) film(fs []*file, tracks tracks) []*shot {
	var out []*shot
	for _, f := range fs {
		if f.film.Format == "" {
			out = append(out, u.filmBeside(f, tracks)...)
			continue
		}
		f.at = f.course.At
		for _, at := range f.course.Plan(f.film.Duration) {
			fix, ok := f.course.At(at)
			if !ok {
				continue
			}
			s := &shot{f: f, fix: fix, pts: at.Microseconds()}
			s.fix.Accuracy = trace.Accuracy(fix.Accuracy, fix.HDOP)
			switch {
			case fix.Time.IsZero():
				s.fix.Time = untimedStart.Add(at)
				if !u.options.CapturedAt.IsZero() {
					s.fix.Time = u.options.CapturedAt.UTC().Truncate(time.Microsecond).Add(at)
				}
				s.flag(survey.FlagTimeAssumed)
			case f.course.GPS:
			case u.options.ClockOffset != 0:
				s.fix.Time = fix.Time.Add(u.options.ClockOffset)
				s.flag(survey.FlagTimeOffset)
			default:
				s.flag(survey.FlagTimeZoneAssumed)
			}
			out = append(out, s)
		}
	}
	return out
}

// filmBeside cuts frames from a film without positions of its own along the tracks of the upload. The film starts when its
// name says, else when its header does, by a clock whose zone is the driver's offset, or else the one that puts most of
// the film inside a track.
func (u upload) filmBeside(f *file, tracks tracks) []*shot {
	if len(tracks) == 0 {
		f.reject(survey.ReasonNoPosition, map[string]any{"seconds": thousandth(f.film.Duration.Seconds())},
			"The film holds no position track of a kind that is read (GoPro, CAMM, BlackVue, Novatek), and no GPX or NMEA track is beside it.")
		return nil
	}
	start, flags := f.film.Created, []survey.Flag{survey.FlagPositionTrack}
	if at, _, ok := nameTime(path.Base(f.path)); ok {
		start, flags = at, append(flags, survey.FlagTimeFromName)
	}
	if start.IsZero() {
		f.reject(survey.ReasonNoTime, nil, "Neither the film nor its name says when it was recorded, so no track can place it.")
		return nil
	}
	zones := zoneOffsets()
	if u.options.ClockOffset != 0 {
		zones = []time.Duration{-u.options.ClockOffset}
	}
	const samples = 32
	best, most := time.Duration(0), 0
	for _, z := range zones {
		n := 0
		for k := range samples {
			if _, _, ok := tracks.at(f.folder(), start.Add(-z+f.film.Duration*time.Duration(k)/samples)); ok {
				n++
			}
		}
		if n > most {
			best, most = z, n
		}
	}
	if most == 0 {
		f.reject(survey.ReasonOutsideTrack, map[string]any{"captured_at": start.Format(time.RFC3339)},
			"No track of the upload covers the film, which started at %s; if the camera's clock was wrong, give its offset.", start.Format(time.RFC3339))
		return nil
	}
	if best != 0 {
		flags = append(flags, survey.FlagTimeOffset)
	} else {
		flags = append(flags, survey.FlagTimeZoneAssumed)
	}
	start = start.Add(-best)
	f.at = func(t time.Duration) (survey.Fix, bool) {
		fix, _, ok := tracks.at(f.folder(), start.Add(t))
		return fix, ok
	}
	var out []*shot
	for _, t := range media.Plan(f.at, 0, f.film.Duration-1) {
		fix, tr, ok := tracks.at(f.folder(), start.Add(t))
		if !ok {
			continue
		}
		tr.used = true
		s := &shot{f: f, fix: fix, pts: t.Microseconds(), track: tr, flags: slices.Clone(flags)}
		s.fix.Time = start.Add(t)
		s.fix.Accuracy = trace.Accuracy(fix.Accuracy, fix.HDOP)
		out = append(out, s)
	}
	return out
}

// filmVerdict accepts a film that gave a frame to a drive, and otherwise rejects it for what befell most of its frames.
func (f *file) filmVerdict() {
	if f.kind == kindBundle {
		f.close(map[string]any{"members": len(f.members)})
		return
	}
	f.close(map[string]any{"format": f.film.Format, "seconds": thousandth(f.film.Duration.Seconds()), "fixes": f.fixes, "untrusted": f.dropped.Total()})
}

// close gives the verdict on a file of many frames.
func (f *file) close(vars map[string]any) {
	if f.placed > 0 {
		vars["frames"] = f.placed
		v := survey.Accept()
		v.Vars = vars
		f.verdict = &v
		return
	}
	why := survey.ReasonTrackEmpty
	for _, r := range survey.Reasons() {
		if f.lost[r] > f.lost[why] {
			why = r
		}
	}
	f.reject(why, vars, "")
}

// locate finds a time and a place for each image of one camera. What has a place but no time comes back apart; what
// has no place is rejected.
func (u upload) locate(fs []*file, tracks tracks, beside map[string]*file) (timed, untimed []*shot) {
	clock := u.clock(fs, tracks)
	for _, f := range fs {
		s := &shot{f: f, pts: state.WholeFile}
		side := beside[stem(f.path)]
		clock.set(s, side)
		if !u.position(s, tracks, side) {
			continue
		}
		if s.fix.Time.IsZero() {
			untimed = append(untimed, s)
		} else {
			timed = append(timed, s)
		}
	}
	return timed, untimed
}

// source is one opinion on where an image was taken, most trusted first.
type source struct {
	name   string
	point  geo.Point
	slack  geo.Meters // how far it may be off
	coarse bool       // a coordinate without a fraction: a broken writer cut it off
}

func coarse(p geo.Point) bool { return p.Lat == math.Trunc(p.Lat) || p.Lon == math.Trunc(p.Lon) }

// agree picks the source that most others lie near to; among equals the first. It also gives the farthest that another
// lies from it, where that is more than differ. A coarse source counts only where all are. clash says that two sources
// are more than a kilometre apart and nothing decides between them.
func agree(ss []source) (best int, farthest geo.Meters, clash bool) {
	fine := slices.ContainsFunc(ss, func(s source) bool { return !s.coarse })
	votes, most, counted := 0, -1, 0
	for i, a := range ss {
		if fine && a.coarse {
			continue
		}
		counted++
		votes = 0
		for j, b := range ss {
			if i != j && !(fine && b.coarse) && geo.Distance(a.point, b.point) <= differ+a.slack+b.slack {
				votes++
			}
		}
		if votes > most {
			best, most = i, votes
		}
	}
	for j, b := range ss {
		if d := geo.Distance(ss[best].point, b.point); j != best && d > differ+ss[best].slack+b.slack {
			farthest = max(farthest, d)
			clash = clash || d > 1000 && counted == 2 && most == 0 && !b.coarse
		}
	}
	return best, farthest, clash
}

// position places a shot by its own GPS, its name, its sidecar or a track, whichever most agree on; false when it is
// rejected.
func (u upload) position(s *shot, tracks tracks, side *file) bool {
	f, g := s.f, s.f.meta.GPS
	var ss []source
	add := func(name string, p geo.Point, slack geo.Meters) {
		if p.Valid() && !p.IsNull() {
			ss = append(ss, source{name, p, slack, coarse(p)})
		}
	}
	accuracy := trace.Accuracy(g.Accuracy, g.DOP)
	if g.HasPoint && !g.Void {
		add("exif", g.Point, accuracy)
	}
	if n, ok := framekm.ParseName(path.Base(f.path)); ok {
		add("name", n.Point, 0)
	}
	if side != nil {
		add("sidecar", side.sidecar.Point, 0)
		side.used = true
	}
	fix, tr, tracked := tracks.at(f.folder(), s.fix.Time)
	if tracked {
		add("track", fix.Point, fix.Accuracy)
		s.track, tr.used = tr, true
	}
	if len(ss) > 0 {
		best, farthest, clash := agree(ss)
		if clash {
			f.reject(survey.ReasonBadPosition, map[string]any{"distance_m": math.Round(float64(farthest))},
				"Two sources of the position are %.1f km apart, and nothing decides between them.", float64(farthest)/1000)
			return false
		}
		if farthest > 0 {
			s.disagree = farthest
			s.flag(survey.FlagPositionDiffers)
		}
		t := s.fix.Time
		if ss[best].name == "track" {
			s.fix = fix
			s.fix.Time = t
			s.fix.Accuracy = trace.Accuracy(fix.Accuracy, fix.HDOP)
			s.flag(survey.FlagPositionTrack)
		} else {
			s.fix.Alt, s.fix.HasAlt = g.Alt, g.HasAlt
			s.fix.Speed, s.fix.HasSpeed = g.Speed, g.HasSpeed
			s.fix.Heading, s.fix.HasHeading = g.Course, g.HasCourse
			s.fix.Accuracy = accuracy
		}
		s.fix.Point = ss[best].point
		if g.HasHeading {
			s.fix.Heading, s.fix.HasHeading = g.Heading, true
		}
		return true
	}
	switch {
	case g.HasPoint && !g.Point.Valid():
		f.reject(survey.ReasonBadPosition, nil, "")
	case g.HasPoint && g.Point.IsNull():
		f.reject(survey.ReasonNullIsland, nil, "")
	case g.HasPoint:
		f.reject(survey.ReasonBadFix, nil, "The receiver itself marked the position as void.")
	case len(tracks) > 0 && s.fix.Time.IsZero():
		f.reject(survey.ReasonNoTime, nil, "The image has no position and no capture time, so no track can place it.")
	case len(tracks) > 0:
		f.reject(survey.ReasonOutsideTrack, map[string]any{"captured_at": s.fix.Time.Format(time.RFC3339Nano)},
			"No track of the upload covers %s; if the camera's clock was wrong, give its offset.", s.fix.Time.Format(time.RFC3339))
	default:
		f.reject(survey.ReasonNoPosition, nil, "")
	}
	return false
}

// differ is how far apart two sources of one position may be before it is said.
const differ geo.Meters = 50

// untimedStart is when recordings without any time are taken to begin, unless the driver says.
var untimedStart = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// assume spreads shots without times, in natural order of their names, along their path.
func (u upload) assume(shots []*shot) {
	slices.SortStableFunc(shots, func(a, b *shot) int { return trace.CompareNames(path.Base(a.f.path), path.Base(b.f.path)) })
	points := make([]geo.Point, len(shots))
	for i, s := range shots {
		points[i] = s.fix.Point
	}
	start := untimedStart
	if !u.options.CapturedAt.IsZero() {
		start = u.options.CapturedAt.UTC().Truncate(time.Microsecond)
	}
	times, speed := trace.AssumeTimes(points, start, geo.SpeedMPS(u.options.AssumeSpeed))
	for i, s := range shots {
		s.fix.Time = times[i]
		if !s.fix.HasSpeed {
			s.fix.Speed, s.fix.HasSpeed = speed, true
		}
		s.flag(survey.FlagTimeAssumed)
	}
}

// sane rejects impossible times. A clock without a zone may be up to 14 h ahead of UTC, so a day of grace.
func (u upload) sane(shots []*shot) []*shot {
	return slices.DeleteFunc(shots, func(s *shot) bool {
		t := s.fix.Time
		latest := u.now.Add(24 * time.Hour)
		if !t.Before(cameraFloor) && !t.After(latest) {
			return false
		}
		if s.pts != -1 {
			s.f.lose(survey.ReasonBadTime)
			return true
		}
		s.f.reject(survey.ReasonBadTime, map[string]any{"captured_at": t.Format(time.RFC3339)},
			"The capture time %s is not between the year 2000 and now.", t.Format(time.RFC3339))
		return true
	})
}

// cut makes drives of one camera's shots.
func (p *plan) cut(u upload, c camera, shots []*shot, rules trace.Rules) {
	if len(shots) == 0 {
		return
	}
	in := make([]trace.Shot, len(shots))
	for i, s := range shots {
		in[i] = trace.Shot{Name: path.Base(s.f.path), Time: s.fix.Time, Point: s.fix.Point, Heading: s.fix.Heading, HasHeading: s.fix.HasHeading}
	}
	drives, rejected := trace.Cut(in, rules)
	for _, r := range rejected {
		if s := shots[r.Index]; s.pts != -1 {
			s.f.lose(r.Verdict.Reason)
		} else if !s.f.context {
			s.f.verdict = &r.Verdict
		}
	}
	for _, d := range drives {
		for _, fresh := range runs(d, func(pl trace.Placed) bool { return !shots[pl.Index].f.context }) {
			p.drives = append(p.drives, build(u, c, shots, fresh))
		}
	}
}

// runs gives the longest stretches of neighbours that are all new. A drive never reaches over what is not: the line
// between its ends could enter a privacy zone that the cut went around.
func runs(d []trace.Placed, fresh func(trace.Placed) bool) (out [][]trace.Placed) {
	from := 0
	for i := range d {
		if !fresh(d[i]) {
			if i > from {
				out = append(out, d[from:i])
			}
			from = i + 1
		}
	}
	if from < len(d) {
		out = append(out, d[from:])
	}
	return out
}

func (f *file) lose(r survey.Reason) {
	if f.lost == nil {
		f.lost = map[survey.Reason]int{}
	}
	f.lost[r]++
}

func build(u upload, c camera, shots []*shot, placed []trace.Placed) *drive {
	name := strings.TrimSpace(c.maker + " " + c.model)
	if u.options.Device != "" {
		name = u.options.Device
	}
	d := &drive{drive: survey.Drive{Contributor: u.contributor, Device: survey.NewDeviceID(u.contributor, name), Upload: u.id,
		Frames: len(placed), Parts: (len(placed) + survey.PartFrames - 1) / survey.PartFrames}}
	flags := map[survey.Flag]bool{}
	sources := map[survey.Hash]bool{}
	for seq, pl := range placed {
		s := shots[pl.Index]
		if pl.HeadingDerived {
			s.flag(survey.FlagHeadingDerived)
		}
		slices.Sort(s.flags)
		fix := s.fix
		f := survey.Frame{
			ID: survey.NewFrameID(s.f.sha), Seq: seq, Part: seq / survey.PartFrames, Upload: u.id, Path: s.f.path, SHA256: s.f.sha, Bytes: s.f.bytes,
			CapturedAt: pl.Time, Point: geo.FromE7(fix.Point.E7()), HasAlt: fix.HasAlt, Heading: pl.Heading, HasHeading: pl.HasHeading,
			Accuracy: geo.Meters(thousandth(float64(fix.Accuracy))), Width: s.f.meta.Width, Height: s.f.meta.Height, Flags: s.flags,
		}
		if fix.HasAlt {
			f.Alt = geo.Meters(thousandth(float64(fix.Alt)))
		}
		if fix.HasSpeed {
			f.Speed = geo.SpeedMPS(thousandth(float64(fix.Speed)))
		}
		if f.HasHeading {
			f.Heading = geo.NormalizeBearing(thousandth(float64(f.Heading)))
		}
		if seq > 0 {
			d.drive.DistanceMM += milli(float64(geo.Distance(d.frames[seq-1].Point, f.Point)))
		}
		for _, fl := range f.Flags {
			flags[fl] = true
		}
		if s.pts >= 0 {
			f.ID, f.Width, f.Height = survey.NewFilmFrameID(s.f.sha, s.pts), s.f.film.Width, s.f.film.Height
			s.f.placed++
		}
		object := s.f.object
		if m := s.member; m != nil {
			f.ID, f.SHA256, f.Bytes = survey.NewFrameID(m.sha), m.sha, m.frame.Bytes
			f.Width, f.Height, object = m.meta.Width, m.meta.Height, m.object
			s.f.placed++
			sources[s.f.described.sha] = true
		}
		if s.track != nil {
			sources[s.track.sha] = true
		}
		d.frames = append(d.frames, f)
		d.objects = append(d.objects, object)
		d.shots = append(d.shots, s)
		d.pts = append(d.pts, s.pts)
	}
	d.drive.StartedAt, d.drive.EndedAt = d.frames[0].CapturedAt, d.frames[len(d.frames)-1].CapturedAt
	for fl := range flags {
		d.drive.Flags = append(d.drive.Flags, fl)
	}
	slices.Sort(d.drive.Flags)
	for h := range sources {
		d.sources = append(d.sources, h)
	}
	slices.SortFunc(d.sources, func(a, b survey.Hash) int { return strings.Compare(string(a[:]), string(b[:])) })
	return d
}

func milli(v float64) int64        { return int64(math.Round(v * 1000)) }
func thousandth(v float64) float64 { return math.Round(v*1000) / 1000 }

// manifest is the drive's record in the ledger: its frames with their hashes, and the tracks that placed them. Struct
// fields keep their order and nothing depends on the time of the run, so the same drive gives the same bytes.
func (d *drive) manifest() ([]byte, error) {
	type source struct {
		Kind   string      `json:"kind"`
		SHA256 survey.Hash `json:"sha256"`
	}
	m := struct {
		Format  string         `json:"format"`
		Drive   survey.Drive   `json:"drive"`
		Frames  []survey.Frame `json:"frames"`
		Sources []source       `json:"sources"`
	}{Format: "roadcomb.drive/1", Drive: d.drive, Frames: d.frames, Sources: []source{}}
	for _, h := range d.sources {
		m.Sources = append(m.Sources, source{kindTrack, h})
	}
	b, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("manifest of drive %s: %w", d.drive.ID, err)
	}
	return append(b, '\n'), nil
}

// newest is the latest capture time of all frames.
func (p *plan) newest() (t time.Time) {
	for _, d := range p.drives {
		if d.drive.EndedAt.After(t) {
			t = d.drive.EndedAt
		}
	}
	return t
}

// check asserts that nothing was lost: each file is rejected, accepted, or in exactly one drive.
func (p *plan) check() error {
	in := map[string]int{}
	for _, d := range p.drives {
		for i := range d.frames {
			if d.pts[i] == -1 {
				in[d.frames[i].Path]++
			}
		}
	}
	for _, f := range p.files {
		n := in[f.path]
		if f.decided && f.context { // it came out before
			n++
		}
		if f.verdict != nil {
			if err := f.verdict.Validate(); err != nil {
				return err
			}
			n++
		}
		if n != 1 {
			return fmt.Errorf("file %q came out %d times", f.path, n)
		}
	}
	return nil
}
