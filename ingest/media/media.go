// Package media finds where a film was taken: it reads the position tracks that cameras put into MP4 and MOV files
// (GoPro GPMF, CAMM, BlackVue, Novatek) and plans which frames to cut from the film.
//
// It reads by byte range and only what it needs, boxes and metadata samples, so that memory depends on the length of
// the track and not on the size of the film. Counts and sizes declared by the file are checked against limits and
// against the file before anything is allocated. The package decodes no picture: vision does.
package media

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"slices"
	"time"

	"github.com/roadcomb/roadcomb/ingest/trace"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Limits of what a file may make us do.
const (
	maxDepth   = 8
	maxBoxes   = 100_000
	maxTable   = 64 << 20 // bytes of one sample table
	maxSample  = 4 << 20  // bytes of one metadata sample
	maxSamples = 1_000_000
	maxText    = 64 << 20 // bytes of a BlackVue track
	maxFilm    = 24 * time.Hour
)

// Fix is a position in film time.
type Fix struct {
	At time.Duration // since the film's start
	survey.Fix
}

// Film is what is known of a film without decoding it.
type Film struct {
	Format        string // "gpmf", "camm", "blackvue", "novatek"; empty when no track was found
	Make, Model   string
	Width, Height int // of the picture as shown
	Duration      time.Duration
	Created       time.Time // from the header, often the camera's local time; zero when not given
	Fixes         []Fix     // in order of At
}

// Read parses a film of size bytes. A film without a position track is no error: Format is empty. Errors are Unsupported
// for what is no MP4 or MOV, Invalid for one that is broken or over the limits; faults of r are passed on.
func Read(r io.ReaderAt, size int64) (Film, error) {
	p := &parser{r: r, size: size}
	var f Film
	head := make([]byte, 12)
	if err := p.read(head, 0); err != nil {
		if errors.Is(err, errShort) {
			return f, survey.Errorf(survey.Unsupported, "not an MP4 or MOV film")
		}
		return f, err
	}
	if !Is(head) {
		return f, survey.Errorf(survey.Unsupported, "not an MP4 or MOV film")
	}
	if err := p.walk(0, size, nil, 0); err != nil {
		return f, err
	}
	if !p.moov {
		return f, survey.Errorf(survey.Invalid, "the film has no index (moov box); the recording was cut short")
	}
	f.Width, f.Height, f.Duration, f.Created = p.width, p.height, p.duration, p.created
	f.Model = p.model
	var err error
	for _, try := range []struct {
		format, maker string
		read          func(*Film) error
	}{{"gpmf", "GoPro", p.gpmf}, {"camm", "", p.camm}, {"blackvue", "BlackVue", p.blackvue}, {"novatek", "", p.novatek}} {
		if err = try.read(&f); err != nil {
			return f, err
		}
		if len(f.Fixes) > 0 {
			f.Format = try.format
			if f.Make == "" {
				f.Make = try.maker
			}
			break
		}
	}
	slices.SortStableFunc(f.Fixes, func(a, b Fix) int { return int(min(max(a.At-b.At, -1), 1)) })
	return f, nil
}

// Is reports whether the first bytes of a file look like MP4 or MOV.
func Is(head []byte) bool {
	if len(head) < 8 {
		return false
	}
	switch string(head[4:8]) {
	case "ftyp", "moov", "mdat", "wide":
		return true
	}
	return false
}

var errShort = survey.Errorf(survey.Invalid, "the film ends in the middle of a box")

type parser struct {
	r     io.ReaderAt
	size  int64
	boxes int

	moov          bool
	scale         uint64 // of the movie: units a second
	duration      time.Duration
	created       time.Time
	width, height int
	model         string
	tracks        []*track
	cur           *track

	bvText, bvCopyright span
	nvtk                span
}

// span is a range of bytes.
type span struct{ off, n int64 }

type track struct {
	handler, format string
	scale           uint32
	width, height   int
	delay           time.Duration // by which an empty edit shifts the track

	stts, stsz, stsc, stco, co64 span
}

func (p *parser) read(b []byte, off int64) error {
	if off < 0 || off+int64(len(b)) > p.size {
		return errShort
	}
	n, err := p.r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == io.EOF {
		return errShort
	}
	return err
}

// bytes reads a range after checking its size.
func (p *parser) bytes(s span, limit int64) ([]byte, error) {
	if s.n > limit {
		return nil, survey.Errorf(survey.Invalid, "the film has a table of %d bytes; the limit is %d", s.n, limit)
	}
	if s.off < 0 || s.n < 0 || s.off+s.n > p.size {
		return nil, errShort
	}
	b := make([]byte, s.n)
	return b, p.read(b, s.off)
}

func (p *parser) walk(off, end int64, path []string, depth int) error {
	if depth > maxDepth {
		return nil
	}
	var h [16]byte
	for off+8 <= end {
		if p.boxes++; p.boxes > maxBoxes {
			return survey.Errorf(survey.Invalid, "the film has more than %d boxes", maxBoxes)
		}
		if err := p.read(h[:8], off); err != nil {
			return err
		}
		n, hl := int64(binary.BigEndian.Uint32(h[:])), int64(8)
		name := string(h[4:8])
		switch {
		case n == 1:
			if err := p.read(h[8:], off+8); err != nil {
				return err
			}
			u := binary.BigEndian.Uint64(h[8:])
			if u > math.MaxInt64/2 {
				return errShort
			}
			n, hl = int64(u), 16
		case n == 0 && depth == 0: // to the end of the file
			n = end - off
		}
		if n < hl || off+n > end {
			if depth == 0 && p.moov || name == "mdat" { // junk or a cut after the index
				return nil
			}
			if depth > 0 { // QuickTime ends some lists with a zero
				return nil
			}
			return errShort
		}
		if err := p.box(name, span{off + hl, n - hl}, append(path, name), depth); err != nil {
			return err
		}
		off += n
	}
	return nil
}

func (p *parser) box(name string, s span, path []string, depth int) error {
	parent := ""
	if len(path) > 1 {
		parent = path[len(path)-2]
	}
	switch name {
	case "moov":
		p.moov = true
		return p.walk(s.off, s.off+s.n, path, depth+1)
	case "trak":
		if len(p.tracks) == 64 {
			return nil
		}
		p.cur = &track{}
		p.tracks = append(p.tracks, p.cur)
		return p.walk(s.off, s.off+s.n, path, depth+1)
	case "mdia", "minf", "stbl", "edts":
		return p.walk(s.off, s.off+s.n, path, depth+1)
	case "free", "skip":
		if depth == 0 {
			return p.walkFree(s)
		}
	case "gps ":
		if parent == "moov" {
			p.nvtk = s
		}
	case "mvhd":
		return p.mvhd(s)
	}
	if p.cur == nil {
		return nil
	}
	switch name {
	case "tkhd", "mdhd", "hdlr", "stsd", "elst":
		b, err := p.bytes(span{s.off, min(s.n, 256)}, 256)
		if err != nil {
			return err
		}
		p.cur.header(name, b, p)
	case "stts":
		p.cur.stts = s
	case "stsz":
		p.cur.stsz = s
	case "stsc":
		p.cur.stsc = s
	case "stco":
		p.cur.stco = s
	case "co64":
		p.cur.co64 = s
	}
	return nil
}

// walkFree looks for the boxes that BlackVue hides in a free box; a free box of padding ends the search at once.
func (p *parser) walkFree(s span) error {
	end := s.off + s.n
	for off := s.off; off+8 <= end; {
		var h [8]byte
		if err := p.read(h[:], off); err != nil {
			return err
		}
		n := int64(binary.BigEndian.Uint32(h[:]))
		if n < 8 || off+n > end {
			return nil
		}
		switch string(h[4:]) {
		case "gps ":
			p.bvText = span{off + 8, n - 8}
		case "cprt":
			p.bvCopyright = span{off + 8, n - 8}
		}
		off += n
		if p.boxes++; p.boxes > maxBoxes {
			return nil
		}
	}
	return nil
}

// epoch1904 is what QuickTime counts from.
var epoch1904 = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)

func (p *parser) mvhd(s span) error {
	b, err := p.bytes(span{s.off, min(s.n, 36)}, 36)
	if err != nil {
		return err
	}
	var created, scale, dur uint64
	switch {
	case len(b) >= 32 && b[0] == 1:
		created, scale, dur = binary.BigEndian.Uint64(b[4:]), uint64(binary.BigEndian.Uint32(b[20:])), binary.BigEndian.Uint64(b[24:])
	case len(b) >= 20 && b[0] == 0:
		created, scale, dur = uint64(binary.BigEndian.Uint32(b[4:])), uint64(binary.BigEndian.Uint32(b[12:])), uint64(binary.BigEndian.Uint32(b[16:]))
	}
	p.duration, p.scale = ticks(dur, scale), scale
	if created > 0 && created < 1<<33 {
		p.created = epoch1904.Add(time.Duration(created) * time.Second)
	}
	return nil
}

// ticks converts a count of 1/scale seconds; a value beyond a week is taken as unknown.
func ticks(n, scale uint64) time.Duration {
	if scale == 0 || n/scale > 7*24*3600 {
		return 0
	}
	return time.Duration(n/scale)*time.Second + time.Duration(n%scale*uint64(time.Second)/scale)
}

func (t *track) header(name string, b []byte, p *parser) {
	be := binary.BigEndian
	switch name {
	case "hdlr":
		if len(b) >= 12 && t.handler == "" { // a second one, in minf, speaks of the data
			t.handler = string(b[8:12])
		}
	case "stsd":
		if len(b) >= 16 {
			t.format = string(b[12:16])
		}
	case "mdhd":
		if len(b) >= 24 && b[0] == 1 {
			t.scale = be.Uint32(b[20:])
		} else if len(b) >= 16 {
			t.scale = be.Uint32(b[12:])
		}
	case "tkhd":
		n := 76
		if len(b) > 0 && b[0] == 1 {
			n = 88
		}
		if len(b) >= n+8 {
			w, h := int(be.Uint32(b[n:])>>16), int(be.Uint32(b[n+4:])>>16)
			if m := b[n-36:]; be.Uint32(m) == 0 && be.Uint32(m[4:]) != 0 { // turned by a quarter
				w, h = h, w
			}
			if w*h > p.width*p.height { // sound and data tracks have none
				p.width, p.height = w, h
			}
		}
	case "elst":
		if len(b) >= 20 && b[0] == 0 && be.Uint32(b[4:]) > 0 && be.Uint32(b[12:]) == math.MaxUint32 {
			// an empty edit; its duration counts in the movie's scale
			t.delay = ticks(uint64(be.Uint32(b[8:])), p.scale)
		}
	}
}

// sample is one piece of a metadata track.
type sample struct {
	span
	at, dur time.Duration
}

// samples lists a track's samples from its tables (ISO/IEC 14496-12 §8.6.1.2, §8.7).
func (p *parser) samples(t *track) ([]sample, error) {
	be := binary.BigEndian
	stsz, err := p.bytes(t.stsz, maxTable)
	if err != nil {
		return nil, err
	}
	if len(stsz) < 12 {
		return nil, nil
	}
	fixed, n := int64(be.Uint32(stsz[4:])), int(be.Uint32(stsz[8:]))
	if n > maxSamples {
		return nil, survey.Errorf(survey.Invalid, "the film's %s track has %d samples; the limit is %d", t.format, n, maxSamples)
	}
	if fixed == 0 {
		n = min(n, (len(stsz)-12)/4)
	}
	stts, err := p.bytes(t.stts, maxTable)
	if err != nil {
		return nil, err
	}
	stsc, err := p.bytes(t.stsc, maxTable)
	if err != nil {
		return nil, err
	}
	table, width := t.stco, 4
	if t.co64.n > 0 {
		table, width = t.co64, 8
	}
	chunks, err := p.bytes(table, maxTable)
	if err != nil {
		return nil, err
	}
	if len(stsc) < 8 || len(chunks) < 8 || len(stts) < 8 || t.scale == 0 {
		return nil, nil
	}
	nchunks, runs := (len(chunks)-8)/width, (len(stsc)-8)/12
	out := make([]sample, 0, min(n, len(stsz)/4+nchunks))
	run := 0
	for c := 0; c < nchunks && len(out) < n; c++ {
		for run+1 < runs && int64(be.Uint32(stsc[8+12*(run+1):])) <= int64(c)+1 {
			run++
		}
		if run >= runs {
			break
		}
		var off int64
		if width == 8 {
			u := be.Uint64(chunks[8+8*c:])
			if u > math.MaxInt64/2 {
				return nil, errShort
			}
			off = int64(u)
		} else {
			off = int64(be.Uint32(chunks[8+4*c:]))
		}
		for per := be.Uint32(stsc[8+12*run+4:]); per > 0 && len(out) < n; per-- {
			size := fixed
			if fixed == 0 {
				size = int64(be.Uint32(stsz[12+4*len(out):]))
			}
			out = append(out, sample{span: span{off, size}})
			off += size
		}
	}
	var tick uint64
	i := 0
	for e := 8; e+8 <= len(stts) && i < len(out); e += 8 {
		count, delta := be.Uint32(stts[e:]), uint64(be.Uint32(stts[e+4:]))
		for ; count > 0 && i < len(out); count, i = count-1, i+1 {
			out[i].at, out[i].dur = t.delay+ticks(tick, uint64(t.scale)), ticks(delta, uint64(t.scale))
			tick += delta
		}
	}
	return out[:i], nil
}

// each calls fn with the bytes of each sample of the tracks of one format.
func (p *parser) each(format string, fn func(s sample, b []byte)) error {
	for _, t := range p.tracks {
		if t.format != format {
			continue
		}
		ss, err := p.samples(t)
		if err != nil {
			return err
		}
		var buf []byte
		for _, s := range ss {
			if s.n > maxSample || s.n <= 0 || s.off+s.n > p.size { // a film cut short keeps what it has
				continue
			}
			if int64(cap(buf)) < s.n {
				buf = make([]byte, s.n)
			}
			b := buf[:s.n]
			if err := p.read(b, s.off); err != nil {
				return err
			}
			fn(s, b)
		}
	}
	return nil
}

// Cleaned is the film's track after the gate: a curve over film time, and what UTC was at the film's start.
type Cleaned struct {
	Curve   *trace.Curve
	Dropped trace.Dropped
	Fixes   int
	Start   time.Time     // UTC at film time 0, the median over the fixes; else the header's; else zero
	GPS     bool          // Start comes from the fixes
	Spread  time.Duration // of the fixes' own clocks around that
	From    time.Duration // first and last film time with a fix
	To      time.Duration
	zero    time.Time
}

// Clean gates the fixes. Film time runs evenly while GPS time steps and jumps, so positions are placed by film time and
// UTC is one offset for the whole film.
func (f Film) Clean(g trace.Gate) Cleaned {
	c := Cleaned{zero: time.Unix(0, 0).UTC()}
	tr := make(survey.Trace, 0, len(f.Fixes))
	var last time.Duration = -1
	var offsets []time.Duration
	for _, x := range f.Fixes {
		if x.At <= last || x.At < 0 || x.At > maxFilm {
			continue
		}
		last = x.At
		fix := x.Fix
		if !fix.Time.IsZero() && fix.Kind != survey.FixNone {
			offsets = append(offsets, fix.Time.Sub(c.zero)-x.At)
		}
		fix.Time = c.zero.Add(x.At)
		tr = append(tr, fix)
	}
	tr, c.Dropped = trace.Clean(tr, g)
	c.Fixes = len(tr)
	if len(tr) > 0 {
		c.From, c.To = tr[0].Time.Sub(c.zero), tr[len(tr)-1].Time.Sub(c.zero)
	}
	c.Curve = trace.NewCurve(tr, 0)
	if len(offsets) > 0 {
		var m time.Duration
		m, c.Spread = trace.MedianOffset(offsets)
		c.Start, c.GPS = c.zero.Add(m).Truncate(time.Microsecond), true
	} else if !f.Created.IsZero() {
		c.Start = f.Created
	}
	return c
}

// At is the fix at a moment of film time, with its time in UTC when the start is known.
func (c Cleaned) At(at time.Duration) (survey.Fix, bool) {
	fix, ok := c.Curve.At(c.zero.Add(at))
	fix.Time = time.Time{}
	if ok && !c.Start.IsZero() {
		fix.Time = c.Start.Add(at)
	}
	return fix, ok
}

// Spacing of frames cut from a film (Hivemapper's firmware): every 8 m, 12 m above 24 m/s.
const (
	Step     geo.Meters   = 8
	FastStep geo.Meters   = 12
	Fast     geo.SpeedMPS = 24
)

// Plan gives the film times of the frames to cut from the film; see Plan.
func (c Cleaned) Plan(duration time.Duration) []time.Duration {
	to := c.To
	if duration > 0 {
		to = min(to, duration-1)
	}
	return Plan(c.At, max(c.From, 0), to)
}

// Plan gives the film times of the frames to cut between from and to, by where at says the camera was: the first place,
// then one each Step along the way, FastStep above Fast, and the first place after a gap. A standstill gives none. Times
// are whole milliseconds and rise. It looks every 20 ms of at most a day.
func Plan(at func(time.Duration) (survey.Fix, bool), from, to time.Duration) []time.Duration {
	const tick = 20 * time.Millisecond
	var out []time.Duration
	var last geo.Point
	for t := from.Truncate(time.Millisecond); t <= min(to, maxFilm); t += tick {
		fix, ok := at(t)
		if !ok {
			last = geo.Point{}
			continue
		}
		if last == (geo.Point{}) {
			out, last = append(out, t), fix.Point
			continue
		}
		step := Step
		if fix.HasSpeed && fix.Speed > Fast {
			step = FastStep
		}
		if geo.Distance(last, fix.Point) >= step {
			out, last = append(out, t), fix.Point
		}
	}
	return out
}
