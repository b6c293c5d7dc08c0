package rewards_test

import (
	"fmt"
	"math/rand"
	"reflect"
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
		Coverage: rewards.Coverage{
			MaxRate: 1 << 40, NeedSeconds: 604800, SlotSeconds: 86400, Ranks: []survey.PPM{1_000_000, 500_000, 250_000},
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
		ds[i] = rewards.Drive{ID: survey.DriveID(fmt.Sprintf("d%d", i)), Contributor: survey.ContributorID(o), Trust: survey.One}
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
	fmt.Println("remainder", int64(r.Remainder))
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
			Trust: survey.PPM(rapid.SampledFrom([]int64{0, 1, 300_000, 1_000_000, 1_000_000}).Draw(t, "trust")), Held: rapid.IntRange(0, 9).Draw(t, "held") == 0,
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
	}
	return in
}

func drawRules(t *rapid.T) rewards.Ruleset {
	rs := rules()
	rs.Emission = survey.Amount(rapid.SampledFrom([]int64{0, 1, 7, 1_000_003, 1e15, 1<<63 - 1}).Draw(t, "emission"))
	rs.Coverage.MaxRate = survey.Amount(rapid.SampledFrom([]int64{0, 1, 1000, 1 << 40, 1<<63 - 1}).Draw(t, "max rate"))
	rs.Coverage.Capacity = rapid.IntRange(0, 5).Draw(t, "capacity")
	return rs
}

func TestSharesAndRemainderAreThePool(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in, rs := draw(t), drawRules(t)
		r := mustClose(t, in, rs)
		sum, lines := r.Remainder, make([]survey.Amount, len(r.Allocations))
		for _, a := range r.Allocations {
			if a.Amount < 0 || a.Held < 0 {
				t.Fatalf("negative allocation %+v", a)
			}
			sum += a.Amount + a.Held
		}
		for _, l := range r.Lines {
			lines[l.Contributor] += l.Amount
			if (l.Amount == 0) != (l.Code != rewards.CodePaid) || l.Held > l.Amount {
				t.Fatalf("line %+v", l)
			}
		}
		for i, a := range r.Allocations {
			if lines[i] != a.Amount+a.Held {
				t.Fatalf("lines of %s add up to %d, allocation is %d + %d", a.Contributor, lines[i], a.Amount, a.Held)
			}
		}
		if sum != rs.Emission || r.Remainder < 0 || r.Pool != rs.Emission {
			t.Fatalf("sum %d, pool %d, remainder %d", sum, rs.Emission, r.Remainder)
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
		moved := rewards.Inputs{Drives: make([]rewards.Drive, len(in.Drives)), Contributions: append([]rewards.Contribution(nil), in.Contributions...), Prior: append([]rewards.Prior(nil), in.Prior...)}
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
		before := total(mustClose(t, in, rs), "c0")
		split := in
		split.Drives = append([]rewards.Drive(nil), in.Drives...)
		split.Contributions = append([]rewards.Contribution(nil), in.Contributions...)
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
		in.Drives = append(in.Drives, rewards.Drive{ID: "liar", Contributor: "mallory"})
		with := in
		with.Contributions = append(append([]rewards.Contribution(nil), in.Contributions...),
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

func TestTrustedMoreEarnsNoLess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in, rs := draw(t), rules()
		rs.Coverage.Capacity = 0 // with a capacity, a frame that begins to count takes the place of a later one
		before := mustClose(t, in, rs)
		up := in
		up.Drives = append([]rewards.Drive(nil), in.Drives...)
		i := rapid.IntRange(0, len(up.Drives)-1).Draw(t, "drive")
		if up.Drives[i].Trust == 0 {
			t.Skip("a frame that begins to count may change the order of reception")
		}
		up.Drives[i].Trust = survey.One
		c := up.Drives[i].Contributor
		// Rounding to whole ppm of many small scores may cost a few units of a million.
		if a, b := total(before, c), total(mustClose(t, up, rs), c); b+5 < a {
			t.Fatalf("%s had %d, has %d", c, a, b)
		}
	})
}

func TestReasonsWhereNothingIsEarned(t *testing.T) {
	ds := drives("ann", "ben")
	ds = append(ds, rewards.Drive{ID: "x", Contributor: "eve"})
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
	in.Drives[1].Held = true
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
	if r.Spent != 500 || total(r, "ann") != 500 || r.Remainder != rs.Emission-500 {
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
		"trust":          func(in *rewards.Inputs) { in.Drives[0].Trust = -1 },
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
