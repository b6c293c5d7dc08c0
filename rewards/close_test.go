package rewards_test

import (
	"fmt"
	"math/rand"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards"
)

var monday = time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC)

func rules() rewards.Ruleset {
	return rewards.Ruleset{
		Version: "test", From: survey.EpochOf(monday), Emission: 1_000_003, CutoffSeconds: 3600,
		Pools:  rewards.Pools{Coverage: survey.One},
		Demand: rewards.Demand{Burn: 750_000},
		Trust: rewards.Trust{
			Factors: map[string]survey.PPM{"sources": 300_000, "clock": 1, "speed": 0},
			Hold:    map[string]survey.PPM{"replay": 250_000},
			Bands:   []rewards.Band{{survey.One, survey.One}, {300_000, 300_000}, {1, 1}},
		},
		Coverage: rewards.Coverage{
			Seniority: "received",
			MaxRate:   1 << 40, NeedSeconds: 604800, SlotSeconds: 86400, Ranks: []survey.PPM{1_000_000, 500_000, 250_000},
			Capacity: 4, MinQuality: 100_000, LagFullSeconds: 259200, LagFloorSeconds: 2592000, LagFloor: 250_000,
		},
	}
}

func key(n int) (k rewards.FrameKey) {
	h := survey.HashOf([]byte(fmt.Sprint(n)))
	copy(k[:], h[:])
	return k
}

func at(d time.Duration) int64 { return monday.Add(d).UnixMicro() }

// frame is captured and received at the same time.
func frame(n int, drive int32, cell survey.Cell, t time.Duration, quality int32) rewards.Contribution {
	return rewards.Contribution{Frame: key(n), Cell: cell, CapturedAt: at(t), ReceivedAt: at(t), Drive: drive, Quality: quality}
}

func drives(owners ...string) []rewards.Drive {
	ds := make([]rewards.Drive, len(owners))
	for i, o := range owners {
		ds[i] = rewards.Drive{ID: survey.DriveID(fmt.Sprintf("d%d", i)), Contributor: survey.ContributorID(o)}
	}
	return ds
}

// tb is what *testing.T and *rapid.T share.
type tb interface {
	Helper()
	Fatal(...any)
}

func mustClose(t tb, in rewards.Inputs, rs rewards.Ruleset) rewards.Result {
	t.Helper()
	in.Epoch = survey.EpochOf(monday)
	r, err := rewards.Close(in, rs)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const (
	cellA survey.Cell = 0x8c1f05871d3abff
	cellB survey.Cell = 0x8c1f05871d3adff
)

func ExampleClose() {
	in := rewards.Inputs{
		Epoch:  survey.EpochOf(monday),
		Drives: drives("ann", "ben"),
		Contributions: []rewards.Contribution{
			frame(1, 0, cellA, 1*time.Hour, 800_000),
			frame(2, 1, cellA, 25*time.Hour, 800_000), // a day later: rank 2
			frame(3, 1, cellB, 26*time.Hour, 800_000), // received three and a half days after the prior: half need
		},
		Prior: []rewards.Prior{{Cell: cellB, ReceivedAt: at(26*time.Hour - 84*time.Hour)}},
	}
	r, err := rewards.Close(in, rules())
	if err != nil {
		panic(err)
	}
	for _, l := range r.Lines {
		fmt.Println(l.Cell, r.Allocations[l.Contributor].Contributor, "need", l.Need, "rank", l.Rank, "amount", int64(l.Amount))
	}
	fmt.Println("remainder", int64(r.Total().Remainder))
	// Output:
	// 8c1f05871d3abff ann need 1000000 rank 1 amount 500001
	// 8c1f05871d3abff ben need 1000000 rank 2 amount 250000
	// 8c1f05871d3adff ben need 500000 rank 1 amount 250001
	// remainder 1
}

// draw makes an epoch with shared cells, clashing times, distrust, holds and priors.
func draw(t *rapid.T) rewards.Inputs {
	var in rewards.Inputs
	owners := rapid.IntRange(1, 5).Draw(t, "owners")
	for i := range rapid.IntRange(1, 8).Draw(t, "drives") {
		in.Drives = append(in.Drives, rewards.Drive{
			ID: survey.DriveID(fmt.Sprintf("d%d", i)), Contributor: survey.ContributorID(fmt.Sprintf("c%d", rapid.IntRange(0, owners-1).Draw(t, "owner"))),
			Findings: rapid.SampledFrom([][]rewards.Finding{nil, nil, {{"speed", survey.One}}, {{"clock", survey.One}}, {{"sources", survey.One}}, {{"replay", survey.One}}, {{"replay", survey.One}, {"sources", survey.One}}}).Draw(t, "findings"),
			Decision: rapid.SampledFrom([]rewards.Decision{"", "", "", rewards.DecisionCleared, rewards.DecisionConfirmed}).Draw(t, "decision"),
		})
	}
	for i := range rapid.IntRange(0, 60).Draw(t, "frames") {
		captured := rapid.Int64Range(-30*24, 7*24-1).Draw(t, "captured")
		in.Contributions = append(in.Contributions, rewards.Contribution{
			Frame: key(i), Cell: cellA + survey.Cell(rapid.IntRange(0, 4).Draw(t, "cell"))<<9,
			CapturedAt: at(time.Duration(captured) * time.Hour), ReceivedAt: at(time.Duration(rapid.Int64Range(max(0, captured), 7*24-1).Draw(t, "received")) * time.Hour),
			Drive: int32(rapid.IntRange(0, len(in.Drives)-1).Draw(t, "drive")), Quality: int32(rapid.SampledFrom([]int{0, 99_999, 100_000, 333_333, 1_000_000}).Draw(t, "quality")),
		})
	}
	for i := range 5 {
		if rapid.Bool().Draw(t, "has prior") {
			in.Prior = append(in.Prior, rewards.Prior{Cell: cellA + survey.Cell(i)<<9, ReceivedAt: at(-time.Duration(rapid.IntRange(0, 200).Draw(t, "prior")) * time.Hour)})
		}
		if rapid.Bool().Draw(t, "has spend") {
			in.Spend = append(in.Spend, rewards.Spend{Cell: cellA + survey.Cell(i)<<9, Amount: survey.Amount(rapid.SampledFrom([]int64{0, 1, 3, 1001, 1 << 40}).Draw(t, "spend"))})
		}
		if rapid.Bool().Draw(t, "has order") {
			opens := rapid.Int64Range(-48, 160).Draw(t, "opens")
			in.Orders = append(in.Orders, rewards.Order{ID: "o", Cell: cellA + survey.Cell(i)<<9, Price: survey.Amount(rapid.Int64Range(0, 1000).Draw(t, "price")),
				Opens: at(time.Duration(opens) * time.Hour), Closes: at(time.Duration(opens+rapid.Int64Range(0, 100).Draw(t, "open for")) * time.Hour)})
		}
	}
	for i := range in.Drives {
		in.Drives[i].Vouchers = rapid.SampledFrom([][]rewards.Finding{nil, {{"motion", survey.One}}}).Draw(t, "vouchers of a drive")
	}
	for i := range owners + 1 { // one reviewer who does not drive
		if rapid.Bool().Draw(t, "reviews") {
			in.Reviews = append(in.Reviews, rewards.Review{Contributor: survey.ContributorID(fmt.Sprintf("c%d", i)), Points: rapid.Int64Range(0, 50).Draw(t, "points")})
		}
	}
	return in
}

// drawRegions knows the roads of some of the cells' regions.
func drawRegions(t *rapid.T, in rewards.Inputs, rs rewards.Ruleset) (out []rewards.Region) {
	if rs.Regions == nil {
		return nil
	}
	seen := map[survey.Cell]bool{}
	for i := range 5 {
		at := (cellA + survey.Cell(i)<<9).Parent(rs.Regions.Resolution)
		if !seen[at] && rapid.Bool().Draw(t, "known") {
			seen[at] = true
			road := rapid.Int64Range(0, 1<<40).Draw(t, "road")
			out = append(out, rewards.Region{Cell: at, Road: road, Covered: rapid.Int64Range(0, road).Draw(t, "covered")})
		}
	}
	return out
}

func drawRules(t *rapid.T) rewards.Ruleset {
	rs := rules()
	rs.Emission = survey.Amount(rapid.SampledFrom([]int64{0, 1, 7, 1_000_003, 1e15, 1 << 62}).Draw(t, "emission"))
	rs.Coverage.MaxRate = survey.Amount(rapid.SampledFrom([]int64{0, 1, 1000, 1 << 40, 1<<63 - 1}).Draw(t, "max rate"))
	rs.Coverage.Capacity = rapid.IntRange(0, 5).Draw(t, "capacity")
	rs.Coverage.Seniority = rapid.SampledFrom([]string{"received", "score"}).Draw(t, "seniority")
	rs.Pools.Coverage = survey.PPM(rapid.SampledFrom([]int64{0, 333_333, 1_000_000}).Draw(t, "coverage"))
	rs.Demand.Carry = rapid.Bool().Draw(t, "carry")
	if rapid.Bool().Draw(t, "vouchers") {
		rs.Trust.Vouchers = map[string]survey.PPM{"motion": 500_000}
	}
	if rapid.Bool().Draw(t, "regions") {
		rs.Regions = &rewards.Regions{Resolution: rapid.SampledFrom([]int{9, 10, 11}).Draw(t, "region resolution"), Outside: survey.PPM(rapid.Int64Range(0, 1_000_000).Draw(t, "outside")),
			Full: survey.PPM(rapid.Int64Range(1, 1_000_000).Draw(t, "full")), Floor: survey.PPM(rapid.Int64Range(0, 1_000_000).Draw(t, "floor"))}
	}
	rs.Pools.QA = survey.PPM(rapid.Int64Range(0, int64(survey.One-rs.Pools.Coverage)).Draw(t, "qa"))
	return rs
}

func TestSharesAndRemainderAreThePool(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in, rs := draw(t), drawRules(t)
		in.Regions = drawRegions(t, in, rs)
		r := mustClose(t, in, rs)
		all := r.Total()
		if all.In != all.Allocated+all.Held+all.Burned+all.Refunded+all.Remainder {
			t.Fatalf("%+v", all)
		}
		in0 := rs.Emission
		for _, s := range in.Spend {
			in0 += s.Amount
		}
		for _, s := range r.Carried {
			in0 -= s.Amount
		}
		var spent survey.Amount
		for _, g := range r.Regions {
			if spent += g.Spent; g.Spent > g.Pool {
				t.Fatalf("region %+v", g)
			}
			var mine survey.Amount // what its cells got, by the region that the lines name
			for i, l := range r.Lines {
				if l.Region == g.Cell && (i == 0 || r.Lines[i-1].Cell != l.Cell) {
					mine += l.CellAmount
				}
			}
			if mine != g.Spent {
				t.Fatalf("the lines of region %s got %d, it spent %d", g.Cell, mine, g.Spent)
			}
		}
		if r.Regions != nil && spent != r.Spent || r.Spent > r.Pools[0].In {
			t.Fatalf("regions spent %d of %d: %+v", spent, r.Spent, r.Pools[0])
		}
		for _, h := range r.Hits {
			if h.State != rewards.HitOpen {
				for _, o := range in.Orders {
					if o.Cell == h.Cell {
						in0 += o.Price
					}
				}
			}
		}
		for _, p := range r.Pools {
			if p.Remainder < 0 || p.In < 0 || p.Allocated < 0 || p.Held < 0 {
				t.Fatalf("%+v", p)
			}
		}
		var paid, held survey.Amount
		lines := make([]survey.Amount, len(r.Allocations))
		for _, a := range r.Allocations {
			if a.Amount < 0 || a.Held < 0 || a.Amount+a.Held != a.Coverage+a.Demand+a.Bursts+a.QA {
				t.Fatalf("allocation %+v", a)
			}
			paid += a.Amount
			held += a.Held
		}
		if held != all.Held {
			t.Fatalf("held %d, pools hold %d", held, all.Held)
		}
		for _, e := range r.Escrow {
			held -= e.Amount
		}
		if held != 0 {
			t.Fatalf("escrow by drive is %d short of what is held", held)
		}
		if all.In != in0 || paid != all.Allocated {
			t.Fatalf("paid %d, held %d, of %d: %+v", paid, held, in0, r.Pools)
		}
		for _, l := range r.Lines {
			lines[l.Contributor] += l.Amount + l.Demand
			if (l.Amount == 0) != (l.Code != rewards.CodePaid) || l.Held > l.Amount+l.Demand {
				t.Fatalf("line %+v", l)
			}
		}
		for i, a := range r.Allocations {
			if lines[i] != a.Coverage+a.Demand {
				t.Fatalf("lines of %s add up to %d: %+v", a.Contributor, lines[i], a)
			}
		}
	})
}

func TestOrderOfInputsDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in, rs := draw(t), rules()
		want := mustClose(t, in, rs)
		rnd := rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed")))
		// Drives move too, so their indexes in the contributions follow.
		perm := rnd.Perm(len(in.Drives))
		moved := in
		moved.Drives = make([]rewards.Drive, len(in.Drives))
		moved.Contributions = slices.Clone(in.Contributions)
		moved.Prior, moved.Spend, moved.Orders, moved.Reviews = slices.Clone(in.Prior), slices.Clone(in.Spend), slices.Clone(in.Orders), slices.Clone(in.Reviews)
		slices.Reverse(moved.Spend)
		slices.Reverse(moved.Orders)
		slices.Reverse(moved.Reviews)
		for i, p := range perm {
			moved.Drives[p] = in.Drives[i]
		}
		for i := range moved.Contributions {
			moved.Contributions[i].Drive = int32(perm[moved.Contributions[i].Drive])
		}
		rnd.Shuffle(len(moved.Contributions), func(i, j int) {
			moved.Contributions[i], moved.Contributions[j] = moved.Contributions[j], moved.Contributions[i]
		})
		rnd.Shuffle(len(moved.Prior), func(i, j int) { moved.Prior[i], moved.Prior[j] = moved.Prior[j], moved.Prior[i] })
		if got := mustClose(t, moved, rs); !reflect.DeepEqual(got, want) {
			t.Fatalf("got  %+v\nwant %+v", got, want)
		}
	})
}

// One contributor spreads its frames over two accounts, in any way and over any number of drives.
func TestSplittingAnAccountGainsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in, rs := draw(t), drawRules(t)
		in.Regions = drawRegions(t, in, rs)
		before := total(mustClose(t, in, rs), "c0")
		split := in
		split.Drives = slices.Clone(in.Drives)
		split.Contributions = slices.Clone(in.Contributions)
		for i, d := range in.Drives {
			if d.Contributor != "c0" {
				continue
			}
			d.ID, d.Contributor = d.ID+"'", "sybil"
			split.Drives = append(split.Drives, d)
			for j := range split.Contributions {
				if split.Contributions[j].Drive == int32(i) && rapid.Bool().Draw(t, "moved") {
					split.Contributions[j].Drive = int32(len(split.Drives) - 1)
				}
			}
		}
		r := mustClose(t, split, rs)
		if after := total(r, "c0") + total(r, "sybil"); after > before {
			t.Fatalf("%d became %d", before, after)
		}
	})
}

func total(r rewards.Result, c survey.ContributorID) (n survey.Amount) {
	for _, a := range r.Allocations {
		if a.Contributor == c {
			n += a.Amount + a.Held
		}
	}
	return n
}

// A frame that does not count changes nobody's amount, whether it is there or not.
func TestExcludedFramesDoNotDilute(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in, rs := draw(t), rules()
		in.Drives = append(in.Drives, rewards.Drive{ID: "liar", Contributor: "mallory", Decision: rewards.DecisionConfirmed})
		with := in
		with.Contributions = append(slices.Clone(in.Contributions),
			frame(1000, int32(len(in.Drives)-1), cellA, time.Hour, 1_000_000),
			frame(1001, 0, cellA, time.Hour, 99_999))
		a, b := mustClose(t, in, rs), mustClose(t, with, rs)
		if total(b, "mallory") != 0 {
			t.Fatal("an untrusted drive earned")
		}
		for _, x := range a.Allocations {
			if got := total(b, x.Contributor); got != x.Amount+x.Held {
				t.Fatalf("%s had %d, has %d", x.Contributor, x.Amount+x.Held, got)
			}
		}
	})
}

func TestReasonsWhereNothingIsEarned(t *testing.T) {
	ds := drives("ann", "ben")
	ds = append(ds, rewards.Drive{ID: "x", Contributor: "eve", Findings: []rewards.Finding{{"speed", survey.One}}})
	fresh := survey.Cell(cellB)
	in := rewards.Inputs{Drives: ds, Prior: []rewards.Prior{{Cell: fresh, ReceivedAt: at(time.Hour)}}}
	n := 0
	add := func(drive int32, cell survey.Cell, t time.Duration, q int32) {
		n++
		in.Contributions = append(in.Contributions, frame(n, drive, cell, t, q))
	}
	for i := range 4 { // fills the first slot
		add(0, cellA, time.Hour+time.Duration(i), 900_000)
	}
	add(1, cellA, 2*time.Hour, 900_000)      // same day, after the capacity
	add(2, cellA, 3*time.Hour, 900_000)      // not trusted
	add(1, fresh, time.Hour, 900_000)        // received when the prior was
	add(0, cellA+1<<9, time.Hour, 10)        // poor
	for d := time.Duration(1); d <= 3; d++ { // days two to four
		add(0, cellA, d*24*time.Hour, 900_000) // the fourth is beyond the ranks
	}
	got := map[rewards.Code]int{}
	r := mustClose(t, in, rules())
	for _, l := range r.Lines {
		got[l.Code]++
	}
	want := map[rewards.Code]int{"": 3, rewards.CodeSaturated: 1, rewards.CodeNoTrust: 1, rewards.CodeFresh: 1, rewards.CodeLowQuality: 1, rewards.CodeRank: 1}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v\n%+v", got, want, r.Lines)
	}
	texts := map[rewards.Code]bool{}
	for _, c := range rewards.Codes() {
		texts[c.Code] = c.Text != ""
	}
	for c := range want {
		if c != "" && !texts[c] {
			t.Errorf("code %q has no sentence", c)
		}
	}
}

func TestHeldEarningsStayApart(t *testing.T) {
	in := rewards.Inputs{Drives: drives("ann", "ann"), Contributions: []rewards.Contribution{frame(1, 0, cellA, 0, 500_000), frame(2, 1, cellB, 0, 500_000)}}
	in.Drives[1].Findings = []rewards.Finding{{"replay", survey.One}}
	r := mustClose(t, in, rules())
	if a := r.Allocations[0]; a.Amount != 500_002 || a.Held != 500_001 {
		t.Errorf("%+v", a)
	}
}

func TestLateUploadCostsUpToTheFloor(t *testing.T) {
	score := func(lag time.Duration) int64 {
		c := frame(1, 0, cellA, time.Hour, 1_000_000)
		c.CapturedAt -= lag.Microseconds()
		return mustClose(t, rewards.Inputs{Drives: drives("ann"), Contributions: []rewards.Contribution{c}}, rules()).Lines[0].Score
	}
	day := 24 * time.Hour
	for lag, want := range map[time.Duration]int64{-day: 1_000_000, 0: 1_000_000, 3 * day: 1_000_000, 30 * day: 250_000, 300 * day: 250_000, 3*day + 27*day/2: 625_000} {
		if got := score(lag); got != want {
			t.Errorf("lag %v: score %d, want %d", lag, got, want)
		}
	}
}

func TestMaxRateBoundsAQuietWeek(t *testing.T) {
	rs := rules()
	rs.Coverage.MaxRate = 1000
	r := mustClose(t, rewards.Inputs{Drives: drives("ann"), Contributions: []rewards.Contribution{frame(1, 0, cellA, 0, 500_000)}}, rs)
	if r.Spent != 500 || total(r, "ann") != 500 || r.Total().Remainder != rs.Emission-500 {
		t.Errorf("%+v", r)
	}
}

func TestContradictoryInputsAreInvalid(t *testing.T) {
	ok := func() rewards.Inputs {
		return rewards.Inputs{Drives: drives("ann"), Contributions: []rewards.Contribution{frame(1, 0, cellA, 0, 500_000)}}
	}
	for name, spoil := range map[string]func(*rewards.Inputs){
		"drive index":    func(in *rewards.Inputs) { in.Contributions[0].Drive = 1 },
		"negative index": func(in *rewards.Inputs) { in.Contributions[0].Drive = -1 },
		"no cell":        func(in *rewards.Inputs) { in.Contributions[0].Cell = 0 },
		"quality":        func(in *rewards.Inputs) { in.Contributions[0].Quality = 1_000_001 },
		"drive twice":    func(in *rewards.Inputs) { in.Drives = append(in.Drives, in.Drives[0]) },
		"frame twice":    func(in *rewards.Inputs) { in.Contributions = append(in.Contributions, in.Contributions[0]) },
		"frame elsewhere": func(in *rewards.Inputs) {
			in.Contributions = append(in.Contributions, frame(1, 0, cellB, time.Hour, 1))
		},
		"prior twice": func(in *rewards.Inputs) { in.Prior = []rewards.Prior{{cellA, 1}, {cellA, 2}} },
	} {
		in := ok()
		spoil(&in)
		if _, err := rewards.Close(in, rules()); survey.KindOf(err) != survey.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := rewards.Close(ok(), rewards.Ruleset{}); survey.KindOf(err) != survey.Invalid {
		t.Errorf("empty ruleset: %v", err)
	}
}

func TestDemandIsBurnedAndSharedByThoseWhoCovered(t *testing.T) {
	in := rewards.Inputs{
		Drives:        drives("ann", "ben"),
		Contributions: []rewards.Contribution{frame(1, 0, cellA, time.Hour, 800_000), frame(2, 1, cellA, 2*time.Hour, 400_000)},
		Prior:         []rewards.Prior{{cellA, at(time.Hour)}}, // needs nothing new, was bought all the same
		Spend:         []rewards.Spend{{cellA, 1_000_000}, {cellB, 400}},
	}
	r := mustClose(t, in, rules())
	if d := r.Pools[1]; d.Name != "demand" || d.In != 1_000_400 || d.Burned != 750_300 || d.Allocated != 249_999 || d.Remainder != 101 {
		t.Errorf("%+v", d)
	}
	if a := r.Allocations; a[0].Demand != 166_666 || a[1].Demand != 83_333 || a[0].Coverage != 0 {
		t.Errorf("%+v", a)
	}
}

func TestOrdersPayTheFirstFrameCapturedWhileOpen(t *testing.T) {
	h := time.Hour
	c := frame(2, 1, cellA, 5*h, 800_000)
	c.CapturedAt = at(1 * h) // before the order opened
	in := rewards.Inputs{
		Drives:        drives("ann", "ben", "cat"),
		Contributions: []rewards.Contribution{c, frame(3, 2, cellA, 7*h, 800_000), frame(4, 0, cellA, 6*h, 800_000)},
		Orders: []rewards.Order{
			{"filled", cellA, 70, at(2 * h), at(100 * h)},
			{"expired", cellB, 50, at(0), at(100 * h)},
			{"still open", cellB, 30, at(0), at(200 * h)},
		},
	}
	r := mustClose(t, in, rules())
	got := fmt.Sprintln(r.Hits[0].State, r.Hits[0].Frame == key(4), r.Hits[1].State, r.Hits[2].State, r.Allocations[0].Bursts)
	if want := "filled true refunded open 0.000000070\n"; got != want {
		t.Errorf("%s, want %s: %+v", got, want, r.Hits)
	}
	if b := r.Pools[2]; b.In != 120 || b.Allocated != 70 || b.Refunded != 50 || b.Remainder != 0 {
		t.Errorf("%+v", b)
	}
}

func TestReviewsShareTheirPoolByPoints(t *testing.T) {
	rs := rules()
	rs.Pools = rewards.Pools{Coverage: 800_000, QA: 100_000}
	r := mustClose(t, rewards.Inputs{Reviews: []rewards.Review{{"ben", 1}, {"ann", 2}}}, rs)
	if len(r.Allocations) != 2 || r.Allocations[0].QA != 66_666 || r.Allocations[1].QA != 33_333 || r.Pools[3].Remainder != 1 {
		t.Errorf("%+v %+v", r.Allocations, r.Pools)
	}
	if p := r.Pools[4]; p.Name != "unassigned" || p.Remainder != 100_001 {
		t.Errorf("%+v", p)
	}
}

func TestTrustFallsInBandsAndHoldsUntilDecided(t *testing.T) {
	tr := rules().Trust
	for _, c := range []struct {
		fs    []rewards.Finding
		d     rewards.Decision
		trust survey.PPM
		held  bool
	}{
		{nil, "", survey.One, false},
		{[]rewards.Finding{{"other", survey.One}}, "", survey.One, false}, // not in this ruleset
		{[]rewards.Finding{{"sources", survey.One}}, "", 300_000, false},
		{[]rewards.Finding{{"sources", survey.One}, {"sources", survey.One}}, "", 300_000, false},
		{[]rewards.Finding{{"sources", survey.One}, {"clock", survey.One}}, "", 0, false},
		{[]rewards.Finding{{"replay", survey.One}}, "", survey.One, true},
		{[]rewards.Finding{{"replay", survey.One}, {"sources", survey.One}}, rewards.DecisionCleared, 300_000, false},
		{[]rewards.Finding{{"replay", survey.One}}, rewards.DecisionConfirmed, 0, false},
		{[]rewards.Finding{{"replay", 249_999}}, "", survey.One, false},
		{[]rewards.Finding{{"replay", 1}, {"replay", 250_000}}, "", survey.One, true},
		{[]rewards.Finding{{"sources", 500_000}}, "", 300_000, false}, // 650,000 of trust is in the second band
		{[]rewards.Finding{{"sources", 0}}, "", survey.One, false},
	} {
		if trust, held := tr.Of(rewards.Drive{Findings: c.fs, Decision: c.d}); trust != c.trust || held != c.held {
			t.Errorf("%v %q: trust %d, held %v", c.fs, c.d, trust, held)
		}
	}
}

func TestTwoCamerasInOneCarAreCompanionsAndTwoCarsThatMeetAreNot(t *testing.T) {
	in := rewards.Inputs{Drives: drives("ann", "ben", "cat")}
	for i := range 20 {
		at, c := time.Duration(i)*4*time.Second, cellA+survey.Cell(i/2)<<9
		in.Contributions = append(in.Contributions,
			frame(3*i, 0, c, at, 800_000),
			frame(3*i+1, 1, c, at+2*time.Second, 800_000),              // two seconds behind, all the way
			frame(3*i+2, 2, cellA+survey.Cell(19-i)/2<<9, at, 800_000)) // the other way
	}
	got := rewards.Companions(in)
	if len(got) != 1 || got[0].Drive != 1 || got[0].With != 0 || got[0].Frames != 20 || got[0].Score != survey.One {
		t.Errorf("%+v", got)
	}
}

func TestDrivesThatNothingVouchesForAreHeldUntilCleared(t *testing.T) {
	rs := rules()
	rs.Trust.Vouchers = map[string]survey.PPM{"motion": 500_000}
	in := rewards.Inputs{Drives: drives("ann", "ben", "cat"), Contributions: []rewards.Contribution{
		frame(1, 0, cellA, time.Hour, 800_000), frame(2, 1, cellB, time.Hour, 800_000), frame(3, 2, cellB+1<<9, time.Hour, 800_000)}}
	in.Drives[0].Vouchers = []rewards.Finding{{"motion", 500_000}}
	in.Drives[1].Vouchers = []rewards.Finding{{"motion", 499_999}, {"hearsay", survey.One}}
	r := mustClose(t, in, rs)
	for i, held := range []bool{false, true, true} {
		if a := r.Allocations[i]; (a.Held > 0) != held || (a.Amount > 0) == held {
			t.Errorf("%+v", a)
		}
	}
	in.Drives[1].Decision, in.Drives[2].Decision = rewards.DecisionCleared, rewards.DecisionConfirmed
	r = mustClose(t, in, rs)
	if a := r.Allocations; a[1].Held != 0 || a[1].Amount == 0 || a[2].Held != 0 || a[2].Amount != 0 {
		t.Errorf("decided: %+v", a)
	}
}

func TestRegionsShareByRoadAndProgress(t *testing.T) {
	rs := rules()
	rs.Emission = 1_000_000
	rs.Regions = &rewards.Regions{Resolution: 6, Outside: 100_000, Full: 200_000, Floor: 50_000}
	far := survey.Cell(0x8c2aa845a1a01ff) // another region
	lost := survey.Cell(0x8c283082a1a01ff)
	in := rewards.Inputs{Drives: drives("ann", "ben", "cat"), Contributions: []rewards.Contribution{
		frame(1, 0, cellA, time.Hour, 800_000), frame(2, 1, far, time.Hour, 800_000), frame(3, 1, far+1<<9, time.Hour, 400_000), frame(4, 2, lost, time.Hour, 800_000)},
		// A quarter and three quarters of the road; a tenth of what is full, and more than that.
		Regions: []rewards.Region{{far.Parent(6), 3_000, 900}, {cellA.Parent(6), 1_000, 20}}}
	r := mustClose(t, in, rs)
	want := map[string]survey.Amount{"ann": 900_000 / 4 / 10, "ben": 900_000 * 3 / 4, "cat": 100_000}
	for _, a := range r.Allocations {
		if a.Amount != want[string(a.Contributor)] {
			t.Errorf("%s has %d, want %d", a.Contributor, int64(a.Amount), int64(want[string(a.Contributor)]))
		}
	}
	if p := r.Pools[0]; p.Remainder != 900_000/4*9/10 || r.Spent != p.Allocated || len(r.Regions) != 3 || r.Regions[0].Spent != 100_000 {
		t.Errorf("%+v\n%+v", p, r.Regions)
	}
	// Without known roads there is one pool; regions that contradict themselves are refused.
	in.Regions = nil
	if r := mustClose(t, in, rs); r.Pools[0].Remainder > 4 || r.Regions != nil {
		t.Errorf("%+v", r.Pools[0])
	}
	for name, g := range map[string][]rewards.Region{
		"more covered than road": {{far.Parent(6), 1, 2}}, "twice": {{far.Parent(6), 2, 1}, {far.Parent(6), 2, 1}}, "another resolution": {{far.Parent(7), 2, 1}}} {
		in.Regions = g
		if _, err := rewards.Close(in, rs); survey.KindOf(err) != survey.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSpendOnUncoveredCellsIsCarried(t *testing.T) {
	rs := rules()
	rs.Demand.Carry = true
	in := rewards.Inputs{Drives: drives("ann"), Contributions: []rewards.Contribution{frame(1, 0, cellA, time.Hour, 800_000)},
		Spend: []rewards.Spend{{cellA, 400}, {cellB, 300}}}
	r := mustClose(t, in, rs)
	if p := r.Pools[1]; p.In != 400 || p.Burned != 300 || p.Allocated != 100 || len(r.Carried) != 1 || r.Carried[0] != in.Spend[1] {
		t.Errorf("%+v, carried %v", p, r.Carried)
	}
}

func TestAgreementNeedsOthersThatSomethingVouchesFor(t *testing.T) {
	// Four drive a street, a fifth drives beside it, a sixth where nobody else does.
	in := rewards.Inputs{Drives: drives("ann", "ben", "cat", "dan", "eve", "fay", "ann")}
	for i := range 4 {
		in.Drives[i].Vouchers = []rewards.Finding{{rewards.KindEnrolled, survey.One}}
	}
	n := 0
	base := cellA.Parent(10)
	lo, _ := base.ChildRange(12)
	at := func(street, house int) survey.Cell { return lo + survey.Cell(house)<<12 + survey.Cell(street)<<9 }
	add := func(drive int32, c survey.Cell) {
		n++
		in.Contributions = append(in.Contributions, frame(n, drive, c, time.Duration(n)*time.Minute, 800_000))
	}
	for house := range 7 {
		for row := range 4 {
			c := at(0, house) + survey.Cell(row)<<15
			for d := range int32(4) {
				add(d, c)
			}
			add(4, c+1<<9)
			add(5, c+survey.Cell(1)<<30)
			add(6, c+2<<9) // ann again, also beside the street
		}
	}
	got := rewards.Agreements(in)
	for i, want := range []rewards.Agreement{{0, 28, 0}, {1, 28, 0}, {2, 28, 0}, {3, 28, 0}, {4, 0, 28}, {5, 0, 0}, {6, 0, 28}} {
		if got[i] != want {
			t.Errorf("%+v, want %+v", got[i], want)
		}
	}
	for i := range 4 { // nobody is believed: nothing is known
		in.Drives[i].Vouchers = []rewards.Finding{{rewards.KindAgreed, survey.One}, {"motion", survey.One}}
	}
	for _, a := range rewards.Agreements(in) {
		if a.Agreed+a.Contradicted != 0 {
			t.Errorf("%+v", a)
		}
	}
}

// Sponsor and newcomers together are paid at most what the sponsor would be without them, whatever anybody drives; what is
// held covers what is paid on the sponsor's word.
func TestASponsoredNewcomerIsPaidFromTheSponsorsBond(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rs := rules()
		rs.Trust.Vouchers = map[string]survey.PPM{rewards.KindEnrolled: survey.One}
		rs.Trust.Sponsors = &rewards.Sponsors{Newcomers: rapid.IntRange(1, 3).Draw(t, "most")}
		var in rewards.Inputs
		start := at(0)
		for d := range rapid.IntRange(2, 12).Draw(t, "drives") {
			who := rapid.SampledFrom([]survey.ContributorID{"sponsor", "sponsor", "n1", "n2", "n3", "stranger", "honest"}).Draw(t, "who")
			dr := rewards.Drive{ID: survey.DriveID(fmt.Sprintf("d%02d", d)), Contributor: who}
			if who == "sponsor" || who == "honest" {
				dr.Vouchers = []rewards.Finding{{Kind: rewards.KindEnrolled, Score: survey.One}}
			}
			if rapid.IntRange(0, 5).Draw(t, "doubt") == 0 {
				dr.Findings = []rewards.Finding{{Kind: "replay", Score: survey.One}}
			}
			in.Drives = append(in.Drives, dr)
			for i := range rapid.IntRange(1, 12).Draw(t, "frames") {
				when := start + int64(d*3600+i)*1e6
				in.Contributions = append(in.Contributions, rewards.Contribution{Frame: rewards.FrameKey{byte(d), byte(i), 1}, Drive: int32(d),
					Cell: cellA + survey.Cell(rapid.IntRange(0, 9).Draw(t, "cell"))<<9, CapturedAt: when, ReceivedAt: when, Quality: 800_000})
			}
		}
		paid := func(in rewards.Inputs) (all, pair, sponsor survey.Amount, r rewards.Result) {
			r = mustClose(t, in, rs)
			for _, a := range r.Allocations {
				all += a.Amount + a.Held
				switch a.Contributor {
				case "sponsor":
					pair, sponsor = pair+a.Amount, a.Amount
				case "n1", "n2", "n3":
					pair += a.Amount
				case "stranger":
					if a.Amount != 0 {
						t.Fatalf("a stranger is paid %d", a.Amount)
					}
				}
			}
			return
		}
		before, none, alone, _ := paid(in)
		for _, n := range []survey.ContributorID{"n1", "n2", "n3"} {
			in.Sponsors = append(in.Sponsors, rewards.Sponsorship{Newcomer: n, Sponsor: "sponsor"})
		}
		after, pair, left, r := paid(in)
		tolerance := survey.Amount(len(r.Lines)) // a held part of a line is rounded down
		if none != alone || before != after || pair > alone+tolerance || left > alone {
			t.Fatalf("alone %d, together %d of which the sponsor %d; all %d and %d", alone, pair, left, before, after)
		}
		newcomers := map[survey.ContributorID]bool{}
		for _, b := range r.Bonds {
			newcomers[b.Newcomer] = true
		}
		if len(newcomers) > rs.Trust.Sponsors.Newcomers {
			t.Fatalf("%d newcomers of %d", len(newcomers), rs.Trust.Sponsors.Newcomers)
		}
		if again := mustClose(t, in, rs); !reflect.DeepEqual(again, r) {
			t.Fatal("the same inputs give another outcome")
		}
	})
}
