// Package attacks measures what cheating earns. A synthetic fleet drives a city for a week; one driver of it cheats
// beside driving honestly, once in each of the known ways. The drives go through ingest's findings and are paid by the
// rewards ruleset, and what the cheat is paid more than for the honest driving alone is the gain.
//
// Motion, speed and acceleration are drawn from a seeded generator; the image is not simulated. So nothing here relies on
// pictures giving a cheat away: what holds is that strangers are not paid on their own word. What an enrolled contributor
// invents under its own name is reported and not bounded: whoever enrolled it answers for it.
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
	"github.com/roadcomb/roadcomb/rewards/worker"
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
	Bounded bool `json:"bounded"`
	// Driver says that this is no attack: an honest driver whom the defence touches, against the same drives without it.
	Driver bool   `json:"driver,omitempty"`
	Note   string `json:"note"`
}

// recording is a drive as ingest sees it.
type recording struct {
	owner  string
	frames []survey.Frame
	speed  []geo.SpeedMPS
	acc    [][3]float64 // nil without an accelerometer
	// enrolled says that the operator answers for the contributor.
	enrolled bool
}

// cheat is the contributor under test; sybil accounts carry the prefix.
const cheat = "cheat"

// second is another account of the cheat.
const second = cheat + " second account"

// block is the distance of the streets in metres.
const block = 200

type fleet struct {
	Config
	roads    bool // known
	sponsors []rewards.Sponsorship
	epoch    survey.Epoch
	rules    rewards.Ruleset
	n        int
	// motion keeps the prints of recordings already looked at.
	motion map[string]findings.Trace
}

// Run measures every attack against the same fleet. The same Config gives the same outcomes.
func Run(c Config) ([]Outcome, error) {
	f := fleet{Config: c.withDefaults(), motion: map[string]findings.Trace{}, epoch: survey.EpochOf(start)}
	var err error
	if f.rules, _, err = ruleset.For(f.epoch); err != nil {
		return nil, err
	}
	enrol := func(rs []recording) []recording {
		rs = slices.Clone(rs)
		for i := range rs {
			rs[i].enrolled = true
		}
		return rs
	}
	var others, own []recording
	for d := range f.Drivers {
		for k := range f.Drives {
			others = append(others, f.drive(fmt.Sprintf("driver%02d", d), uint64(1000+d*100+k), f.Meters))
		}
	}
	for k := range f.Drives {
		own = append(own, f.drive(cheat, uint64(k), f.Meters))
	}
	others, own = enrol(others), enrol(own)
	base, err := f.pay(slices.Concat(others, own))
	if err != nil {
		return nil, err
	}
	var out []Outcome
	beside := func(more ...recording) []recording { return slices.Concat(others, own, more) }

	var still, bare, invented, throughHouses []recording
	for k := range f.Drives {
		r := f.drive(cheat, uint64(500+k), f.Meters)
		invented = append(invented, r)
		r.acc = slices.Clone(r.acc)
		for i := range r.acc { // the phone lies on a desk
			r.acc[i] = [3]float64{0.001, 0.002, 1 + 0.0005*float64(i%3)}
		}
		still = append(still, r)
		r.acc = nil
		bare = append(bare, r)
		throughHouses = append(throughHouses, f.straight(cheat, uint64(600+k), f.Meters))
	}
	var replayed, copied []recording
	for _, r := range own {
		replayed = append(replayed, f.moved(r, cheat, 26*time.Hour, 600))
		copied = append(copied, f.recoded(r, second))
	}
	var split []recording
	for _, r := range own { // every fifth frame, with its readings, to another account
		parts := make([]recording, 5)
		for i := range r.frames {
			p := &parts[i%5]
			p.owner = fmt.Sprint(cheat, i%5)
			p.frames, p.speed, p.acc = append(p.frames, r.frames[i]), append(p.speed, r.speed[i]), append(p.acc, r.acc[i])
		}
		split = append(split, parts...)
	}
	var loops, pair []recording
	for k := range f.Drives {
		loops = append(loops, f.loop(cheat, uint64(700+k), f.Meters))
	}
	for i, r := range own {
		pair = append(pair, f.beside(r, cheat+" passenger", uint64(800+i)))
	}
	answered := []rewards.Sponsorship{{Newcomer: second, Sponsor: cheat}, {Newcomer: cheat + " passenger", Sponsor: cheat}}
	for i := 1; i < 5; i++ {
		answered = append(answered, rewards.Sponsorship{Newcomer: survey.ContributorID(fmt.Sprint(cheat, i)), Sponsor: cheat + "0"})
	}
	first := slices.Clone(split) // of the split accounts only the first is enrolled
	for i := range first {
		first[i].enrolled = first[i].owner == cheat+"0"
	}
	for _, m := range []struct {
		Outcome
		rs     []recording
		answer bool // the cheat answers for its other accounts
	}{
		{Outcome{Attack: "spoofed trace, accelerometer at rest", Bounded: true, Note: "invented drives from a second account that nobody answers for: held"}, beside(reown(still, second)...), false},
		{Outcome{Attack: "spoofed trace, no accelerometer", Bounded: true, Note: "the same without an accelerometer"}, beside(reown(bare, second)...), false},
		{Outcome{Attack: "spoofed trace, everything invented", Bounded: true, Note: "on real streets, with an invented accelerometer: what a drive says of itself is no proof, so it is held as well"}, beside(reown(invented, second)...), false},
		{Outcome{Attack: "spoofed trace, beside the enrolled device", Bounded: true, Note: "the same in the cheat's own name, whose camera is enrolled: it did not sign them"}, beside(invented...), false},
		{Outcome{Attack: "spoofed trace, colluding sponsor", Bounded: true, Note: "the enrolled cheat answers for the second account: what that is paid is held of the cheat's own"}, beside(reown(invented, second)...), true},
		{Outcome{Attack: "spoofed trace, no accelerometer, sponsor", Bounded: true, Note: "the same without an accelerometer"}, beside(reown(bare, second)...), true},
		{Outcome{Attack: "spoofed trace, through houses, enrolled", Bounded: true, Note: "even signed by an enrolled device: roads are known, and it is not on them"}, beside(enrol(throughHouses)...), false},
		{Outcome{Attack: "replayed drive", Bounded: true, Note: "each drive again, a day later and 600 m away, signed by the enrolled device"}, beside(enrol(replayed)...), false},
		{Outcome{Attack: "replayed drive, colluding sponsor", Bounded: true, Note: "the same from a second account that the cheat answers for"}, beside(reown(replayed, second)...), true},
		{Outcome{Attack: "duplicate, same bytes", Bounded: true, Note: "each drive again from a second, enrolled account"}, beside(enrol(reown(own, second))...), false},
		{Outcome{Attack: "duplicate, coded again", Bounded: true, Note: "the same with every image coded again"}, beside(enrol(copied)...), false},
		{Outcome{Attack: "duplicate, coded again, sponsor", Bounded: true, Note: "the same from an account that the cheat answers for"}, beside(copied...), true},
		{Outcome{Attack: "sybil split", Bounded: true, Note: "the same frames spread over five enrolled accounts"}, slices.Concat(others, enrol(split)), false},
		{Outcome{Attack: "sybil split, colluding sponsor", Bounded: true, Note: "the same, one enrolled account answering for the others"}, slices.Concat(others, first), true},
		{Outcome{Attack: "looping", Bounded: true, Note: "the same hours round one block instead of through the town"}, slices.Concat(others, enrol(loops)), false},
		{Outcome{Attack: "colluding pair", Bounded: true, Note: "a second, enrolled account's camera in the same car, against one camera"}, beside(enrol(pair)...), false},
		{Outcome{Attack: "colluding pair, sponsor", Bounded: true, Note: "the same with an account that the driver answers for"}, beside(pair...), true},
		{Outcome{Attack: "enrolled, and invents under that name", Note: "the operator or fleet answers for whom it enrols; no formula bounds what such a one invents. Enrol a device rather than a name"}, beside(enrol(invented)...), false},
		{Outcome{Attack: "honest stranger", Driver: true, Note: "all is held until somebody vouches"}, slices.Concat(others, unsigned(own)), false},
	} {
		g := f
		g.roads = m.Attack == "spoofed trace, through houses, enrolled"
		if m.answer {
			g.sponsors = answered
		}
		p, err := g.pay(m.rs)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Attack, err)
		}
		o := m.Outcome
		o.Honest, o.Paid, o.Held, o.Gain = base.paid, p.paid, p.held, float64(p.paid)/float64(base.paid)-1
		out = append(out, o)
	}
	all := payment{base.paidAll, base.heldAll, 0, 0}
	out = append(out, Outcome{Attack: "the honest fleet", Driver: true, Honest: all.paid + all.held, Paid: all.paid, Held: all.held,
		Gain: float64(all.paid)/float64(all.paid+all.held) - 1, Note: "of all honest enrolled drivers, what is held by mistake"})
	return out, nil
}

// drive goes from corner to corner at random, with a driver's speed.
func (f *fleet) drive(owner string, seed uint64, meters float64) recording {
	rnd := rand.New(rand.NewPCG(f.Seed, seed))
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

// straight goes across the town through whatever stands there, starting where it may.
func (f *fleet) straight(owner string, seed uint64, meters float64) recording {
	rnd := rand.New(rand.NewPCG(f.Seed, seed))
	corner := func() [2]float64 { return [2]float64{rnd.Float64() * f.GridMeters, rnd.Float64() * f.GridMeters} }
	corners, length := [][2]float64{corner()}, 0.0
	for length < meters {
		a, b := corners[len(corners)-1], corner()
		length += math.Hypot(b[0]-a[0], b[1]-a[1])
		corners = append(corners, b)
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

// start is in the first epoch that is simulated.
var start = time.Date(2027, 6, 7, 0, 0, 0, 0, time.UTC)

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
	fr := survey.Frame{ID: survey.NewFrameID(survey.HashOf(fmt.Append(nil, f.Seed, f.n))), Point: geo.FromE7(lat, lon), CapturedAt: at.Truncate(time.Microsecond)}
	fr.Cell, _ = hex.CellOf(fr.Point, hex.DefaultRes) // the town is on Earth
	return fr
}

// unsigned are the same recordings with nobody who answers for them.
func unsigned(rs []recording) []recording {
	rs = slices.Clone(rs)
	for i := range rs {
		rs[i].enrolled = false
	}
	return rs
}

// reown sends the same files from another account, which nobody answers for.
func reown(rs []recording, owner string) (out []recording) {
	for _, r := range rs {
		r.owner, r.enrolled = owner, false
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

// offRoads is the share of frames that lie on no street of the town, as matching to its roads would say.
func offRoads(frames []survey.Frame) survey.PPM {
	off := 0
	for _, fr := range frames {
		at := geo.Bearing(origin, fr.Point)
		d := float64(geo.Distance(origin, fr.Point))
		x, y := d*math.Sin(float64(at)*math.Pi/180), d*math.Cos(float64(at)*math.Pi/180)
		beside := func(v float64) float64 { return math.Abs(v - math.Round(v/block)*block) }
		if min(beside(x), beside(y)) > 15 {
			off++
		}
	}
	return survey.PPM(int64(off) * int64(survey.One) / int64(len(frames)))
}

// payment is what the cheat's accounts got, and all accounts.
type payment struct{ paid, held, paidAll, heldAll survey.Amount }

func (f *fleet) pay(rs []recording) (payment, error) {
	res, err := f.close(rs)
	if err != nil {
		return payment{}, err
	}
	var p payment
	for _, a := range res.Allocations {
		if len(a.Contributor) >= len(cheat) && a.Contributor[:len(cheat)] == cheat {
			p.paid += a.Amount
			p.held += a.Held
		}
		p.paidAll += a.Amount
		p.heldAll += a.Held
	}
	return p, nil
}

// close puts the recordings through ingest's rules, in the order in which they end, and the ruleset.
func (f *fleet) close(rs []recording) (rewards.Result, error) {
	rs = slices.Clone(rs)
	slices.SortStableFunc(rs, func(a, b recording) int {
		return a.frames[len(a.frames)-1].CapturedAt.Compare(b.frames[len(b.frames)-1].CapturedAt)
	})
	in := rewards.Inputs{Epoch: f.epoch, Sponsors: f.sponsors}
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
		if off := offRoads(r.frames); f.roads && off > 0 {
			d.Findings = append(d.Findings, rewards.Finding{Kind: worker.KindOffRoads, Score: off})
		}
		add := func(g findings.Finding, ok bool) {
			if ok {
				d.Findings = append(d.Findings, rewards.Finding{Kind: string(g.Kind), Score: g.Score})
			}
		}
		felt := make([]findings.Felt, 0, len(r.acc))
		for i, a := range r.acc {
			felt = append(felt, findings.Felt{Speed: r.speed[i], N: 1, Acc: a})
		}
		add(findings.Silent(felt))
		if v, ok := findings.Shaken(felt, len(r.acc), len(r.frames)); ok {
			d.Vouchers = append(d.Vouchers, rewards.Finding{Kind: v.Kind, Score: v.Score})
		}
		if r.enrolled {
			d.Vouchers = append(d.Vouchers, rewards.Finding{Kind: rewards.KindEnrolled, Score: survey.One})
		}
		key := fmt.Sprint(frames[0].ID, frames[len(frames)-1].ID, len(frames))
		motion, ok := f.motion[key]
		if !ok {
			motion = findings.Motion(frames)
			f.motion[key] = motion
		}
		shared, same := map[int][]int64{}, map[int]int{}
		for _, p := range motion.Sought() {
			for _, o := range prints[p] {
				shared[o] = append(shared[o], p)
			}
		}
		for _, p := range motion.Prints {
			prints[p] = append(prints[p], n)
		}
		for _, fr := range frames {
			for _, o := range places[fr.Point] {
				same[o]++
			}
			places[fr.Point] = append(places[fr.Point], n)
		}
		for o, ps := range shared {
			add(motion.Moved(in.Drives[o].ID, ps))
		}
		for o, k := range same {
			add(findings.Repeated(in.Drives[o].ID, k, len(frames)))
		}
		in.Drives = append(in.Drives, d)
		for _, fr := range frames {
			key, err := rewards.KeyOf(fr.ID)
			if err != nil {
				return rewards.Result{}, err
			}
			in.Contributions = append(in.Contributions, rewards.Contribution{Frame: key, Cell: fr.Cell, Drive: int32(n), Quality: 800_000,
				CapturedAt: fr.CapturedAt.UnixMicro(), ReceivedAt: fr.CapturedAt.Add(time.Hour).UnixMicro()})
		}
	}
	doubts, evidence := rewards.Derived(in)
	for i := range in.Drives {
		d := &in.Drives[i]
		d.Findings = append(d.Findings, doubts[int32(i)]...)
		d.Vouchers = append(d.Vouchers, evidence[int32(i)]...)
	}
	return rewards.Close(in, f.rules)
}
