// Package fleet makes up a fleet of drivers whose truth is known and lets it drive through the real API: for load, fraud,
// chaos and payout tests. Drives follow streets (of an OSM extract, or a grid); receivers, clocks and cameras have the
// faults that real ones have; some drivers cheat. What each frame really is, and what the network should make of it, is
// kept beside it.
//
// A plan is a function of its Config: the same seed gives the same bytes. It talks to a server on this machine only.
package fleet

import (
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex/roads"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/synth"
)

// Config sizes a fleet. The zero value is 20 drivers with a drive each of 60 frames on a grid of streets.
type Config struct {
	Seed         uint64
	Contributors int       // 0 means 20
	Drives       int       // of each, one a day; 0 means 1
	Frames       int       // of a drive, 8 m apart, at least 40; 0 means 60
	Start        time.Time // first day; zero means 2026-06-01
	Faulty       float64   // share of drives with a fault of the device
	Attackers    int       // contributors who also cheat, in each of the known ways by turns
	W, H         int       // of a frame; 0 means 320 × 240
	Roads        *roads.Network
	Origin       geo.Point // south-west corner of the grid; zero means 55.7 N 13.2 E
}

func (c Config) withDefaults() Config {
	def := func(p *int, v int) {
		if *p <= 0 {
			*p = v
		}
	}
	def(&c.Contributors, 20)
	def(&c.Drives, 1)
	def(&c.Frames, 60)
	c.Frames = max(c.Frames, 40)
	if c.Start.IsZero() {
		c.Start = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	}
	if c.W <= 0 || c.H <= 0 {
		c.W, c.H = 320, 240
	}
	if c.Origin == (geo.Point{}) {
		c.Origin = geo.Point{Lat: 55.7, Lon: 13.2}
	}
	c.Attackers = min(c.Attackers, c.Contributors)
	return c
}

// Faults of devices. Each concerns some frames of a drive, or all.
const (
	FaultTruncated  = "truncated"   // files cut short
	FaultNoGPS      = "no_gps"      // no position in some files
	FaultNullIsland = "null_island" // 0°, 0° until the receiver has a fix
	FaultFuture     = "future"      // dates years ahead
	FaultTwice      = "twice"       // files sent under two names
	FaultFlat       = "flat"        // a lens cap
	FaultCamera     = "camera_clock"
	FaultStuck      = "stuck" // the receiver gives one position for the whole drive
)

var faults = []string{FaultTruncated, FaultNoGPS, FaultNullIsland, FaultFuture, FaultTwice, FaultFlat, FaultCamera, FaultStuck}

// Attacks, as the rewards rules know them.
const (
	AttackSpoof    = "spoofed trace"          // a drive that never was
	AttackReplay   = "replayed drive"         // the motion of an earlier one, a day later and elsewhere
	AttackSame     = "duplicate, same bytes"  // an earlier drive's files from a second account
	AttackRecoded  = "duplicate, coded again" // the same with every image coded again
	AttackSybil    = "sybil split"            // one drive's frames over five accounts
	AttackLoop     = "looping"                // round one block
	AttackCollude  = "colluding pair"         // a second account's camera in the same car
	sybilAccounts  = 5
	accountsPerBad = 1 + sybilAccounts
)

var attackKinds = []string{AttackSpoof, AttackReplay, AttackSame, AttackRecoded, AttackSybil, AttackLoop, AttackCollude}

// Drive is one recording with its truth.
type Drive struct {
	ID      string  `json:"id"`
	Account int     `json:"account"`         // who sends it
	Device  int     `json:"device"`          // whose camera took it
	Fault   string  `json:"fault,omitempty"` // of the device
	Attack  string  `json:"attack,omitempty"`
	Of      string  `json:"of,omitempty"`      // the drive that the attack uses
	Finding string  `json:"finding,omitempty"` // kind that the network should find
	Noise   float64 `json:"noise_m"`           // standard deviation of the receiver's error
	Trim    float64 `json:"trim_m"`
	Frames  []Frame `json:"frames"`
}

// Frame is one file of a drive with its truth.
type Frame struct {
	Name    string         `json:"name"`
	At      time.Time      `json:"at"`    // when it was taken
	Stamp   time.Time      `json:"stamp"` // when the camera says it was
	Point   geo.Point      `json:"point"` // where it was taken
	Given   geo.Point      `json:"given"` // where the receiver says it was
	Heading geo.BearingDeg `json:"heading_deg"`
	Seed    uint64         `json:"seed"` // of the picture
	Markers []synth.Marker `json:"markers,omitempty"`
	Damage  string         `json:"damage,omitempty"` // a fault of this file
	// Expect lists what the network may make of it: "accepted" or reasons to reject.
	Expect []string `json:"expect"`

	w, h int
}

// Plan is a fleet's drives. First ones stand alone; Second ones use them and are sent when they are settled, so that who
// came first is known.
type Plan struct {
	Config        Config
	First, Second []Drive
}

// Accounts is how many contributors the plan needs: the drivers, then the cheats' further accounts.
func (p *Plan) Accounts() int {
	return p.Config.Contributors + p.Config.Attackers*accountsPerBad
}

// accepted is the verdict on a good frame.
const accepted = "accepted"

// minTrim is asked for with each upload, so that drives can be short.
const minTrim = 100

// NewPlan makes the drives.
func NewPlan(c Config) *Plan {
	c = c.withDefaults()
	p := &Plan{Config: c}
	t := newTown(c)
	for d := range c.Drives {
		for who := range c.Contributors {
			r := rand.New(rand.NewPCG(c.Seed, uint64(who)<<20|uint64(d)))
			x := t.drive(r, fmt.Sprintf("c%05d-%03d", who, d), who, c.Start.AddDate(0, 0, d))
			// What a cheat copies later is a good drive, or the copy's truth would be the fault's.
			if copied := who < c.Attackers && d == 0; r.Float64() < c.Faulty && !copied {
				x.spoil(r, faults[r.IntN(len(faults))])
			}
			x.expect()
			p.First = append(p.First, x)
		}
	}
	for a := range c.Attackers {
		r := rand.New(rand.NewPCG(c.Seed^0xbad, uint64(a)))
		own := p.First[a] // the cheat's own first drive
		p.Second = append(p.Second, t.attack(r, attackKinds[a%len(attackKinds)], own, c.Contributors+a*accountsPerBad)...)
	}
	return p
}

// town is where the fleet drives.
type town struct {
	c     Config
	next  map[geo.Point][]int // segments that may be driven from a point; ^i is segment i backwards
	start []int
}

func newTown(c Config) *town {
	t := &town{c: c}
	if c.Roads == nil {
		return t
	}
	t.next = map[geo.Point][]int{}
	for i, s := range c.Roads.Segments {
		if len(s.Points) < 2 || s.Length < 5 {
			continue
		}
		t.next[s.Points[0]] = append(t.next[s.Points[0]], i)
		if !s.OneWay {
			end := s.Points[len(s.Points)-1]
			t.next[end] = append(t.next[end], ^i)
		}
		t.start = append(t.start, i)
	}
	return t
}

// way is a path of at least m metres, at random.
func (t *town) way(r *rand.Rand, m geo.Meters) []geo.Point {
	if len(t.start) > 0 {
		for range 50 {
			if w := t.onRoads(r, m); w != nil {
				return w
			}
		}
	}
	const block = 200.0
	blocks := 10 + int(math.Sqrt(float64(t.c.Contributors)))
	x, y := r.IntN(blocks+1), r.IntN(blocks+1)
	dx, dy := 1, 0
	out := []geo.Point{t.at(float64(x)*block, float64(y)*block)}
	for d := 0.0; d < float64(m)+block; d += block {
		if r.IntN(3) == 0 {
			dx, dy = dy, dx
			if r.IntN(2) == 0 {
				dx, dy = -dx, -dy
			}
		}
		for x+dx < 0 || x+dx > blocks || y+dy < 0 || y+dy > blocks {
			dx, dy = -dy, dx
		}
		x, y = x+dx, y+dy
		out = append(out, t.at(float64(x)*block, float64(y)*block))
	}
	return out
}

// at is x metres east and y north of the grid's corner.
func (t *town) at(x, y float64) geo.Point {
	return geo.Destination(geo.Destination(t.c.Origin, 90, geo.Meters(x)), 0, geo.Meters(y))
}

// onRoads drives at random, turning back only where the road ends; nil where a one-way street leads nowhere.
func (t *town) onRoads(r *rand.Rand, m geo.Meters) []geo.Point {
	edge := t.start[r.IntN(len(t.start))]
	var out []geo.Point
	for length := geo.Meters(0); length < m+50; {
		i, back := edge, edge < 0
		if back {
			i = ^edge
		}
		s := t.c.Roads.Segments[i]
		for k := range s.Points {
			q := s.Points[k]
			if back {
				q = s.Points[len(s.Points)-1-k]
			}
			if n := len(out); n == 0 || out[n-1] != q {
				out = append(out, q)
			}
		}
		length += s.Length
		var on []int
		for _, e := range t.next[out[len(out)-1]] {
			if e != ^edge {
				on = append(on, e)
			}
		}
		if len(on) == 0 {
			if s.OneWay {
				return nil
			}
			on = []int{^edge}
		}
		edge = on[r.IntN(len(on))]
	}
	return out
}

// drive takes a frame every 8 m of a way, between 7 and 17 h UTC of the day.
func (t *town) drive(r *rand.Rand, id string, account int, day time.Time) Drive {
	return t.along(r, id, account, t.way(r, geo.Meters(8*t.c.Frames)), day.Add(7*time.Hour+time.Duration(r.Int64N(int64(10*time.Hour)))))
}

func (t *town) along(r *rand.Rand, id string, account int, way []geo.Point, from time.Time) Drive {
	d := Drive{ID: id, Account: account, Device: account, Noise: 1 + 2*r.Float64(), Trim: minTrim}
	at, v := from.Truncate(time.Second), 8+4*r.Float64()
	ex, ny := r.NormFloat64()*d.Noise, r.NormFloat64()*d.Noise // a receiver's error wanders
	for _, s := range synth.Path(way, 8, 10, from) {
		if len(d.Frames) == t.c.Frames {
			break
		}
		// Two readings of a car's speedometer differ a little.
		v = min(max(v+r.NormFloat64()*0.6, 4), 15)
		at = at.Add(time.Duration(8 / v * float64(time.Second))).Truncate(time.Millisecond)
		const keep = 0.95
		fresh := d.Noise * math.Sqrt(1-keep*keep)
		ex, ny = ex*keep+r.NormFloat64()*fresh, ny*keep+r.NormFloat64()*fresh
		f := Frame{Name: fmt.Sprintf("%05d.jpg", len(d.Frames)), At: at, Stamp: at, Point: s.Point, Given: shift(s.Point, ex, ny), Heading: s.Heading, Seed: r.Uint64(), w: t.c.W, h: t.c.H}
		f.Markers = synth.Markers(t.c.W, t.c.H, f.Seed)
		d.Frames = append(d.Frames, f)
	}
	return d
}

// shift is p moved by metres east and north, to 1e-7 degrees as receivers write it.
func shift(p geo.Point, east, north float64) geo.Point {
	q := geo.Destination(p, geo.BearingDeg(math.Mod(math.Atan2(east, north)*180/math.Pi+360, 360)), geo.Meters(math.Hypot(east, north)))
	return geo.FromE7(q.E7())
}

// spoil gives the drive's device a fault. Faults of single files leave the frames at the ends alone.
func (d *Drive) spoil(r *rand.Rand, fault string) {
	d.Fault = fault
	n := len(d.Frames)
	switch fault {
	case FaultCamera: // the receiver's time stays right, and so does the frame
		off := time.Duration(1+r.IntN(3)) * time.Hour
		for i := range d.Frames {
			d.Frames[i].Stamp = d.Frames[i].At.Add(off)
		}
	case FaultStuck:
		for i := range d.Frames {
			d.Frames[i].Given = d.Frames[0].Given
		}
	default:
		for i := n / 3; i < n-n/3; i += 4 {
			f := &d.Frames[i]
			f.Damage = fault
			switch fault {
			case FaultNullIsland:
				f.Given = geo.Point{}
			case FaultFuture:
				f.Stamp = f.At.AddDate(3, 0, 0)
			case FaultTwice:
				twin := *f
				twin.Name = "again-" + f.Name
				d.Frames = append(d.Frames, twin)
			}
		}
	}
}

// expect says what the network should make of each frame. What lies near the line of trimming may go either way, and a
// drive that comes back past one of its ends shows what it shows there: trimming counts up to the first frame outside.
func (d *Drive) expect() {
	const unsure = 25
	order := make([]int, len(d.Frames))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return d.Frames[a].At.Compare(d.Frames[b].At) })
	surely, maybe := make([]bool, len(d.Frames)), make([]bool, len(d.Frames))
	for range 2 { // from the start, then from the end
		var end geo.Point
		var left geo.Meters // the farthest from the end so far
		for _, i := range order {
			f := &d.Frames[i]
			if f.Damage == "" {
				if end == (geo.Point{}) {
					end = f.Given
				}
				left = max(left, geo.Distance(f.Given, end))
			}
			surely[i] = surely[i] || left < geo.Meters(d.Trim-unsure)
			maybe[i] = maybe[i] || left < geo.Meters(d.Trim+unsure)
		}
		slices.Reverse(order)
	}
	for i := range d.Frames {
		f := &d.Frames[i]
		switch {
		case surely[i]:
			f.Expect = []string{string(survey.ReasonTrimmed)}
		case maybe[i]:
			f.Expect = []string{accepted, string(survey.ReasonTrimmed)}
		default:
			f.Expect = []string{accepted}
		}
		add := func(only bool, rs ...survey.Reason) {
			if only {
				f.Expect = nil
			}
			for _, r := range rs {
				f.Expect = append(f.Expect, string(r))
			}
		}
		switch {
		case d.Fault == FaultStuck:
			add(true, survey.ReasonStationary, survey.ReasonTooClose, survey.ReasonTrimmed)
		case f.Damage == FaultTruncated:
			add(true, survey.ReasonCorrupt, survey.ReasonUndecodable, survey.ReasonTrimmed)
		case f.Damage == FaultNoGPS:
			add(true, survey.ReasonNoPosition)
		case f.Damage == FaultNullIsland:
			add(true, survey.ReasonNullIsland)
		case f.Damage == FaultFuture:
			add(true, survey.ReasonBadTime)
		case f.Damage == FaultTwice: // one of the two counts
			add(false, survey.ReasonDuplicate)
		case f.Damage == FaultFlat:
			add(true, survey.ReasonUnusable, survey.ReasonTrimmed)
		case d.Attack == AttackSame:
			add(true, survey.ReasonDuplicate, survey.ReasonTrimmed) // a copy of what was trimmed is trimmed
		}
	}
}

// attack is the drives of a cheat who drove own before.
func (t *town) attack(r *rand.Rand, kind string, own Drive, second int) []Drive {
	id := "x-" + own.ID
	copyOf := func(account int, change func(i int, f *Frame)) Drive {
		d := own
		d.ID, d.Account, d.Attack, d.Of, d.Fault = id, account, kind, own.ID, ""
		d.Frames = nil
		for i, f := range own.Frames {
			if f.Damage != "" {
				continue
			}
			change(i, &f)
			d.Frames = append(d.Frames, f)
		}
		return d
	}
	anew := func(f *Frame) {
		f.Seed = r.Uint64()
		f.Markers = synth.Markers(f.w, f.h, f.Seed)
	}
	var out []Drive
	switch kind {
	case AttackSpoof:
		d := t.drive(r, id, own.Account, t.c.Start.AddDate(0, 0, t.c.Drives-1))
		d.Attack = kind
		out = append(out, d)
	case AttackReplay:
		d := copyOf(own.Account, func(_ int, f *Frame) {
			f.At, f.Stamp = f.At.Add(26*time.Hour), f.Stamp.Add(26*time.Hour)
			f.Point, f.Given = shift(f.Point, 600, 0), shift(f.Given, 600, 0)
			anew(f)
		})
		d.Finding = "repeated_motion"
		out = append(out, d)
	case AttackSame:
		out = append(out, copyOf(second, func(int, *Frame) {}))
	case AttackRecoded:
		d := copyOf(second, func(_ int, f *Frame) { anew(f) })
		d.Finding = "repeated_positions"
		out = append(out, d)
	case AttackSybil:
		whole := t.drive(r, id, second, t.c.Start.AddDate(0, 0, t.c.Drives-1))
		for k := range sybilAccounts {
			d := whole
			d.ID, d.Account, d.Attack, d.Frames = fmt.Sprintf("%s-%d", id, k), second+k, kind, nil
			for i := k; i < len(whole.Frames); i += sybilAccounts {
				d.Frames = append(d.Frames, whole.Frames[i])
			}
			out = append(out, d)
		}
	case AttackLoop:
		var way []geo.Point
		for i := range t.c.Frames*8/200 + 2 {
			c := [][2]float64{{1000, 1000}, {1200, 1000}, {1200, 1200}, {1000, 1200}}[i%4]
			way = append(way, t.at(c[0], c[1]))
		}
		d := t.along(r, id, own.Account, way, t.c.Start.AddDate(0, 0, t.c.Drives-1).Add(18*time.Hour))
		d.Attack = kind
		out = append(out, d)
	case AttackCollude:
		d := copyOf(second, func(i int, f *Frame) {
			later := time.Duration(300+r.IntN(200)) * time.Millisecond
			f.At, f.Stamp = f.At.Add(later), f.Stamp.Add(later)
			f.Given = shift(f.Given, 3+r.NormFloat64(), r.NormFloat64())
			anew(f)
		})
		out = append(out, d)
	}
	for i := range out {
		out[i].expect()
	}
	return out
}

// Render is the file of one of the drive's frames.
func (d *Drive) Render(f Frame) []byte {
	make, model := "roadcomb", fmt.Sprintf("simulated %d", d.Device)
	p := synth.Picture{W: f.w, H: f.h, Seed: f.Seed, Taken: f.Stamp, Offset: "+00:00", Heading: &f.Heading, DOP: 1.2, Make: make, Model: model,
		Point: &f.Given, GPSTime: f.At, Draw: func(img *image.RGBA) {
			for _, m := range f.Markers {
				m.Draw(img)
			}
		}}
	switch f.Damage {
	case FaultNoGPS:
		p.Point, p.GPSTime, p.Heading = nil, time.Time{}, nil
	case FaultFuture:
		p.GPSTime = f.Stamp
	case FaultFlat:
		p.Draw = func(img *image.RGBA) {
			for i := range img.Pix {
				img.Pix[i] = 9 // the cap lets no light through
				if i%4 == 3 {
					img.Pix[i] = 255
				}
			}
		}
	}
	b := synth.JPEG(p)
	if f.Damage == FaultTruncated {
		b = b[:len(b)/3]
	}
	return b
}
