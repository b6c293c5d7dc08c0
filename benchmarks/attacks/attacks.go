// Package attacks measures what cheating earns. A synthetic fleet drives a city for a week; one driver of it cheats
// beside driving honestly, once in each of the known ways. The drives go through ingest's findings and are paid by the
// rewards ruleset, and what the cheat is paid more than for the honest driving alone is the gain.
//
// Motion, speed and acceleration are drawn from a seeded generator; the image is not simulated, so a cheat that only the
// picture could give away (invented imagery with invented sensors) is reported and not bounded here.
package attacks

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/roadcomb/roadcomb/ingest/findings"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards"
	"github.com/roadcomb/roadcomb/rewards/ruleset"
)

// Config sizes the fleet. The zero value is a small town: 20 drivers, 5 drives each of 4 km, on a grid of 5 km.
type Config struct {
	Drivers, Drives int
	Meters          float64 // of a drive
	GridMeters      float64 // side of the town; streets are 200 m apart
	Seed            uint64
}

func (c Config) withDefaults() Config {
	def := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	def(&c.Drivers, 20)
	def(&c.Drives, 5)
	if c.Meters == 0 {
		c.Meters = 4000
	}
	if c.GridMeters == 0 {
		c.GridMeters = 5000
	}
	return c
}

// Outcome is what one way of cheating gained.
type Outcome struct {
	Attack string        `json:"attack"`
	Honest survey.Amount `json:"honest"` // paid for the comparison: see the attack
	Paid   survey.Amount `json:"paid"`   // to all accounts of the cheat
	Held   survey.Amount `json:"held"`   // in escrow, not paid
	Gain   float64       `json:"gain"`   // Paid / Honest − 1
	// Bounded says that the design bounds this attack; the rest is reported as it is.
	Bounded bool   `json:"bounded"`
	Note    string `json:"note"`
}

// recording is a drive as ingest sees it.
type recording struct {
	owner  string
	frames []survey.Frame
	speed  []geo.SpeedMPS
	acc    [][3]float64 // nil without an accelerometer
}

// cheat is the contributor under test; sybil accounts carry the prefix.
const cheat = "cheat"

type fleet struct {
	Config
	epoch survey.Epoch
	rules rewards.Ruleset
	n     int
}

// Run measures every attack against the same fleet. The same Config gives the same outcomes.
func Run(c Config) ([]Outcome, error) {
	f := fleet{Config: c.withDefaults(), epoch: survey.EpochOf(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC))}
	var err error
	if f.rules, _, err = ruleset.For(f.epoch); err != nil {
		return nil, err
	}
	var others []recording
	for d := range f.Drivers {
		for k := range f.Drives {
			others = append(others, f.drive(fmt.Sprintf("driver%02d", d), uint64(1000+d*100+k), f.Meters))
		}
	}
	var own []recording
	for k := range f.Drives {
		own = append(own, f.drive(cheat, uint64(k), f.Meters))
	}
	base, err := f.pay(slices.Concat(others, own))
	if err != nil {
		return nil, err
	}
	var out []Outcome
	measure := func(name, note string, bounded bool, honest survey.Amount, rs []recording) error {
		p, err := f.pay(rs)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, Outcome{name, honest, p.paid, p.held, float64(p.paid)/float64(honest) - 1, bounded, note})
		return nil
	}
	beside := func(more ...recording) []recording { return slices.Concat(others, own, more) }

	var spoofed, bare []recording
	for k := range f.Drives {
		r := f.drive(cheat, uint64(500+k), f.Meters)
		for i := range r.acc { // the phone lies on a desk
			r.acc[i] = [3]float64{0.001, 0.002, 1 + 0.0005*float64(i%3)}
		}
		spoofed = append(spoofed, r)
		r.acc = nil
		bare = append(bare, r)
	}
	var replayed, copied []recording
	for _, r := range own {
		replayed = append(replayed, f.moved(r, cheat, 26*time.Hour, 600))
		copied = append(copied, f.recoded(r, cheat+" second account"))
	}
	var split []recording
	for _, r := range own {
		for i := range r.frames { // every fifth frame to another account
			n := i % 5
			if len(split) <= n {
				split = append(split, recording{owner: fmt.Sprint(cheat, n)})
			}
			split[n].frames = append(split[n].frames, r.frames[i])
		}
	}
	var loops, pair []recording
	for k := range f.Drives {
		loops = append(loops, f.loop(cheat, uint64(700+k), f.Meters))
	}
	for i, r := range own {
		pair = append(pair, f.beside(r, cheat+" passenger", uint64(800+i)))
	}
	for _, step := range []func() error{
		func() error {
			return measure("spoofed trace", "invented drives beside the honest ones; the accelerometer lies still", true, base.paid, beside(spoofed...))
		},
		func() error {
			return measure("spoofed trace, no accelerometer", "the same where the footage carries no accelerometer: only imagery can tell", false, base.paid, beside(bare...))
		},
		func() error {
			return measure("replayed drive", "each drive again, a day later and 600 m away", true, base.paid, beside(replayed...))
		},
		func() error {
			return measure("duplicate, same bytes", "each drive again from a second account", true, base.paid, beside(duplicates(own)...))
		},
		func() error {
			return measure("duplicate, coded again", "the same with every image coded again", true, base.paid, beside(copied...))
		},
		func() error {
			return measure("sybil split", "the same frames spread over five accounts", true, base.paid, slices.Concat(others, split))
		},
		func() error {
			return measure("looping", "the same hours round one block instead of through the town", true, base.paid, slices.Concat(others, loops))
		},
		func() error {
			return measure("colluding pair", "a second account's camera in the same car, against one camera", true, base.paid, beside(pair...))
		},
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// drive goes from corner to corner at random, with a driver's speed.
func (f *fleet) drive(owner string, seed uint64, meters float64) recording {
	rnd := rand.New(rand.NewPCG(f.Seed, seed))
	const block = 200
	n := int(f.GridMeters / block)
	x, y := rnd.IntN(n+1), rnd.IntN(n+1)
	corners := [][2]float64{{float64(x) * block, float64(y) * block}}
	dx, dy := 1, 0
	for d := 0.0; d < meters; d += block {
		if rnd.IntN(3) == 0 {
			dx, dy = dy, dx
			if rnd.IntN(2) == 0 {
				dx, dy = -dx, -dy
			}
		}
		for x+dx < 0 || x+dx > n || y+dy < 0 || y+dy > n {
			dx, dy = -dy, dx
		}
		x, y = x+dx, y+dy
		corners = append(corners, [2]float64{float64(x) * block, float64(y) * block})
	}
	return f.along(owner, rnd, corners)
}

// loop goes round one block.
func (f *fleet) loop(owner string, seed uint64, meters float64) recording {
	rnd := rand.New(rand.NewPCG(f.Seed, seed))
	var corners [][2]float64
	for i := 0; float64(i*200) <= meters; i++ {
		corners = append(corners, [][2]float64{{1000, 1000}, {1200, 1000}, {1200, 1200}, {1000, 1200}}[i%4])
	}
	return f.along(owner, rnd, corners)
}

var origin = geo.Point{Lat: 55.7, Lon: 13.2}

func place(x, y float64) geo.Point {
	return geo.Destination(geo.Destination(origin, 90, geo.Meters(x)), 0, geo.Meters(y))
}

// along takes a frame every 8 m of the way.
func (f *fleet) along(owner string, rnd *rand.Rand, corners [][2]float64) recording {
	r := recording{owner: owner}
	at := f.epoch.Start().Add(time.Duration(rnd.Int64N(int64(6*24*time.Hour)) + int64(6*time.Hour)))
	v := 10.0
	for i := 1; i < len(corners); i++ {
		a, b := corners[i-1], corners[i]
		length := math.Hypot(b[0]-a[0], b[1]-a[1])
		for d := 0.0; d < length; d += 8 {
			v = min(max(v+rnd.NormFloat64()*0.8, 3), 16)
			at = at.Add(time.Duration(8 / v * float64(time.Second)))
			x, y := a[0]+(b[0]-a[0])*d/length+rnd.NormFloat64()*1.5, a[1]+(b[1]-a[1])*d/length+rnd.NormFloat64()*1.5
			r.frames = append(r.frames, f.frame(place(x, y), at))
			r.speed = append(r.speed, geo.SpeedMPS(v))
			r.acc = append(r.acc, [3]float64{rnd.NormFloat64() * 0.04, rnd.NormFloat64() * 0.04, 1 + rnd.NormFloat64()*0.06})
		}
	}
	return r
}

// frame is a new image, as state keeps it: positions to 1e-7 degrees, times to the microsecond.
func (f *fleet) frame(p geo.Point, at time.Time) survey.Frame {
	f.n++
	lat, lon := p.E7()
	return survey.Frame{ID: survey.NewFrameID(survey.HashOf(fmt.Append(nil, f.Seed, f.n))), Point: geo.FromE7(lat, lon), CapturedAt: at.Truncate(time.Microsecond)}
}

// duplicates sends the same files from a second account.
func duplicates(rs []recording) (out []recording) {
	for _, r := range rs {
		r.owner = cheat + " second account"
		out = append(out, r)
	}
	return out
}

// recoded are other bytes of the same images.
func (f *fleet) recoded(r recording, owner string) recording {
	out := recording{owner: owner, speed: r.speed, acc: r.acc}
	for _, fr := range r.frames {
		out.frames = append(out.frames, f.frame(fr.Point, fr.CapturedAt))
	}
	return out
}

// moved is the same motion at another time and place, as other bytes.
func (f *fleet) moved(r recording, owner string, later time.Duration, meters float64) recording {
	out := recording{owner: owner, speed: r.speed, acc: r.acc}
	for _, fr := range r.frames {
		at := fr.CapturedAt.Add(later)
		if !at.Before(f.epoch.End()) {
			at = fr.CapturedAt.Add(-later)
		}
		out.frames = append(out.frames, f.frame(geo.Destination(fr.Point, 90, geo.Meters(meters)), at))
	}
	return out
}

// beside is a second camera in the same car: other pictures at other moments, with a receiver of its own.
func (f *fleet) beside(r recording, owner string, seed uint64) recording {
	rnd := rand.New(rand.NewPCG(f.Seed, seed))
	out := recording{owner: owner, speed: r.speed, acc: r.acc}
	for i, fr := range r.frames {
		p := fr.Point
		if i+1 < len(r.frames) {
			p = geo.Interpolate(p, r.frames[i+1].Point, 0.5)
		}
		p = geo.Destination(p, geo.BearingDeg(rnd.Float64()*360), geo.Meters(math.Abs(rnd.NormFloat64())*1.5))
		out.frames = append(out.frames, f.frame(p, fr.CapturedAt.Add(time.Duration(300+rnd.IntN(200))*time.Millisecond)))
	}
	return out
}

type payment struct{ paid, held survey.Amount }

// pay puts the recordings through ingest's rules, in the order in which they end, and the ruleset.
func (f *fleet) pay(rs []recording) (payment, error) {
	rs = slices.Clone(rs)
	slices.SortStableFunc(rs, func(a, b recording) int {
		return a.frames[len(a.frames)-1].CapturedAt.Compare(b.frames[len(b.frames)-1].CapturedAt)
	})
	in := rewards.Inputs{Epoch: f.epoch}
	known := map[survey.FrameID]bool{}
	prints := map[int64][]int{}     // → drives
	places := map[geo.Point][]int{} // → drives
	for _, r := range rs {
		var frames []survey.Frame
		for _, fr := range r.frames { // the same bytes count once
			if !known[fr.ID] {
				known[fr.ID] = true
				frames = append(frames, fr)
			}
		}
		if len(frames) == 0 {
			continue
		}
		n := len(in.Drives)
		d := rewards.Drive{ID: survey.DriveID(fmt.Sprintf("drive%05d", n)), Contributor: survey.ContributorID(r.owner)}
		add := func(g findings.Finding, ok bool) {
			if ok {
				d.Findings = append(d.Findings, rewards.Finding{Kind: string(g.Kind), Score: g.Score})
			}
		}
		add(findings.Silent(r.speed, r.acc))
		motion := findings.Motion(frames)
		shared, same := map[int]int{}, map[int]int{}
		for _, p := range motion {
			for _, o := range prints[p] {
				shared[o]++
			}
			prints[p] = append(prints[p], n)
		}
		for _, fr := range frames {
			for _, o := range places[fr.Point] {
				same[o]++
			}
			places[fr.Point] = append(places[fr.Point], n)
		}
		for o, k := range shared {
			add(findings.Moved(in.Drives[o].ID, k, len(motion)))
		}
		for o, k := range same {
			add(findings.Repeated(in.Drives[o].ID, k, len(frames)))
		}
		in.Drives = append(in.Drives, d)
		for _, fr := range frames {
			cell, err := hex.CellOf(fr.Point, 12)
			if err != nil {
				return payment{}, err
			}
			key, err := rewards.KeyOf(fr.ID)
			if err != nil {
				return payment{}, err
			}
			in.Contributions = append(in.Contributions, rewards.Contribution{Frame: key, Cell: cell, Drive: int32(n), Quality: 800_000,
				CapturedAt: fr.CapturedAt.UnixMicro(), ReceivedAt: fr.CapturedAt.Add(time.Hour).UnixMicro()})
		}
	}
	for _, c := range rewards.Companions(in) {
		d := &in.Drives[c.Drive]
		d.Findings = append(d.Findings, rewards.Finding{Kind: rewards.KindCompanion, Score: c.Score})
	}
	res, err := rewards.Close(in, f.rules)
	if err != nil {
		return payment{}, err
	}
	var p payment
	for _, a := range res.Allocations {
		if len(a.Contributor) >= len(cheat) && a.Contributor[:len(cheat)] == cheat {
			p.paid += a.Amount
			p.held += a.Held
		}
	}
	return p, nil
}
