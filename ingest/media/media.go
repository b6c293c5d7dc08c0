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
	maxSample  = 4 << 20 // bytes of one metadata sample
	maxSamples = 100_000_000
	maxFixes   = 1_000_000 // 15 hours of 18 a second
	maxText    = 64 << 20  // bytes of a BlackVue track
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
	Felt          []Felt    // by the camera's accelerometer: item i sums up [i, i+1) times FeltStep; empty when there is none
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
	f.Felt = p.felt.steps()
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
	felt                felt
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

// table is a sample table, read a piece at a time: those of a long film with an accelerometer have millions of entries.
type table struct {
	p *parser
	span
	buf []byte // of the film, from byte at
	at  int64
}

// entry reads n ≤ 12 bytes from a place in the table; false beyond its end.
func (t *table) entry(off int64, n int) ([]byte, bool, error) {
	if off < 0 || off+int64(n) > t.n {
		return nil, false, nil
	}
	off += t.off
	if off < t.at || off+int64(n) > t.at+int64(len(t.buf)) {
		const piece = 16 << 10
		if t.buf == nil {
			t.buf = make([]byte, min(piece, t.n))
		}
		t.at = off
		t.buf = t.buf[:min(int64(cap(t.buf)), t.off+t.n-off)]
		if err := t.p.read(t.buf, off); err != nil {
			t.buf = t.buf[:0]
			return nil, false, err
		}
	}
	i := off - t.at
	return t.buf[i : i+int64(n)], true, nil
}

// u32 reads a value; 0 and false beyond the table's end.
func (t *table) u32(off int64) (uint32, bool, error) {
	b, ok, err := t.entry(off, 4)
	if !ok || err != nil {
		return 0, false, err
	}
	return binary.BigEndian.Uint32(b), true, nil
}

// samples calls fn for each sample of a track, in order, by its tables (ISO/IEC 14496-12 §8.6.1.2, §8.7). It holds a piece
// of each table at a time.
func (p *parser) samples(t *track, fn func(sample) error) error {
	be := binary.BigEndian
	stsz, stts, stsc := table{p: p, span: t.stsz}, table{p: p, span: t.stts}, table{p: p, span: t.stsc}
	chunks, width := table{p: p, span: t.stco}, 4
	if t.co64.n > 0 {
		chunks, width = table{p: p, span: t.co64}, 8
	}
	for _, s := range []span{t.stsz, t.stts, t.stsc, chunks.span} {
		if s.n > 0 && s.off+s.n > p.size {
			return errShort
		}
	}
	head, ok, err := stsz.entry(4, 8)
	if !ok || err != nil {
		return err
	}
	fixed, n := int64(be.Uint32(head)), int64(be.Uint32(head[4:]))
	if n > maxSamples {
		return survey.Errorf(survey.Invalid, "the film's %s track has %d samples; the limit is %d", t.format, n, maxSamples)
	}
	if fixed == 0 {
		n = min(n, (t.stsz.n-12)/4)
	}
	if t.scale == 0 {
		return nil
	}
	var (
		nchunks, runs = (chunks.n - 8) / int64(width), (stsc.n - 8) / 12
		run           int64
		next          int64 // first chunk of the run after this one, counted from 1
		per           uint32
		tick          uint64
		left          uint32 // samples of this length
		delta         uint64
		times         = int64(8)
		k             int64 // samples so far
		budget        = p.size
	)
	enter := func() error { // run's own values, and where the next begins
		b, ok, err := stsc.entry(8+12*run, 12)
		if err != nil || !ok {
			return err
		}
		per, next = be.Uint32(b[4:]), math.MaxInt64
		if first, ok, err := stsc.u32(8 + 12*(run+1)); err != nil {
			return err
		} else if ok && run+1 < runs {
			next = int64(first)
		}
		return nil
	}
	if runs <= 0 {
		return nil
	}
	if err := enter(); err != nil {
		return err
	}
	for c := int64(0); c < nchunks && k < n; c++ {
		for next <= c+1 {
			run++
			if err := enter(); err != nil {
				return err
			}
		}
		b, ok, err := chunks.entry(8+c*int64(width), width)
		if !ok || err != nil {
			return err
		}
		var off int64
		if width == 8 {
			u := be.Uint64(b)
			if u > math.MaxInt64/2 {
				return errShort
			}
			off = int64(u)
		} else {
			off = int64(be.Uint32(b))
		}
		for i := uint32(0); i < per && k < n; i++ {
			size := fixed
			if fixed == 0 {
				v, ok, err := stsz.u32(12 + 4*k)
				if !ok || err != nil {
					return err
				}
				size = int64(v)
			}
			for left == 0 {
				b, ok, err := stts.entry(times, 8)
				if !ok || err != nil {
					return err
				}
				left, delta = be.Uint32(b), uint64(be.Uint32(b[4:]))
				times += 8
			}
			if size > 0 && size <= maxSample && off+size <= p.size { // a film cut short keeps what it has
				if budget -= size; budget < 0 {
					return survey.Errorf(survey.Invalid, "the samples of the film's %s track lie over each other", t.format)
				}
				if err := fn(sample{span{off, size}, t.delay + ticks(tick, uint64(t.scale)), ticks(delta, uint64(t.scale))}); err != nil {
					return err
				}
			}
			off, tick, left, k = off+size, tick+delta, left-1, k+1
		}
	}
	return nil
}

// each calls fn with the bytes of each sample of the tracks of one format.
func (p *parser) each(format string, fn func(s sample, b []byte) error) error {
	var buf []byte
	for _, t := range p.tracks {
		if t.format != format {
			continue
		}
		if err := p.samples(t, func(s sample) error {
			if int64(cap(buf)) < s.n {
				buf = make([]byte, s.n)
			}
			if err := p.read(buf[:s.n], s.off); err != nil {
				return err
			}
			return fn(s, buf[:s.n])
		}); err != nil {
			return err
		}
	}
	return nil
}

// crowded says that a track has more positions than any film.
func crowded(n int) error {
	if n <= maxFixes {
		return nil
	}
	return survey.Errorf(survey.Invalid, "the film has more than %d positions", maxFixes)
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
