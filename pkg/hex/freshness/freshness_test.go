package freshness_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/big"
	"os"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/hex/freshness"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

var update = flag.Bool("update", false, "rewrite the golden cases")

var noon = time.Date(2024, 5, 6, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

func ExampleParams_Of() {
	p := freshness.Current()
	var s freshness.Seen
	s.Add(90_000, 900_000, noon) // driving east, good frame
	fmt.Println("one side, new:        ", p.Of(&s, "default", noon))
	s.Add(270_000, 900_000, noon) // and back
	fmt.Println("both sides, new:      ", p.Of(&s, "default", noon))
	fmt.Println("both sides, 30 days:  ", p.Of(&s, "default", noon.Add(30*day)))
	// Output:
	// one side, new:         500000
	// both sides, new:       1000000
	// both sides, 30 days:   500000
}

func TestDecayNeverRises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := rapid.Int64Range(1, 1<<31-1).Draw(t, "half-life")
		age := rapid.Int64Range(-10, 25*h).Draw(t, "age")
		more := rapid.OneOf(rapid.Int64Range(0, 10), rapid.Int64Range(0, h)).Draw(t, "more")
		if a, b := freshness.Decay(age, h), freshness.Decay(age+more, h); b > a || a > 1_000_000 || b < 0 {
			t.Fatalf("%d s gives %d, %d s gives %d", age, a, age+more, b)
		}
	})
	last := int64(1_000_001)
	for age := int64(0); age < 21*997; age++ { // every second of a whole life
		v := freshness.Decay(age, 997)
		if v > last {
			t.Fatalf("rises at %d", age)
		}
		last = v
	}
	if last != 0 {
		t.Fatalf("ends at %d", last)
	}
}

func TestDecayIsThePowerOfAHalf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := rapid.Int64Range(1, 1<<31-1).Draw(t, "half-life")
		age := rapid.Int64Range(0, 21*h).Draw(t, "age")
		want := 1e6 * math.Exp2(-float64(age)/float64(h))
		if got := float64(freshness.Decay(age, h)); got > want+1e-2 || got < want-1.01 {
			t.Fatalf("%v, want %v rounded down", got, want)
		}
	})
}

func TestAHalfLifeHalves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := rapid.Int64Range(1, 1<<31-1).Draw(t, "half-life")
		age := rapid.Int64Range(0, 20*h).Draw(t, "age")
		if a, b := freshness.Decay(age, h), freshness.Decay(age+h, h); b != a/2 {
			t.Fatalf("%d became %d", a, b)
		}
	})
	for n, want := range []int64{1_000_000, 500_000, 250_000, 125_000, 62_500, 31_250, 15_625, 7812} {
		if got := freshness.Decay(int64(n)*2592000, 2592000); got != want {
			t.Errorf("after %d half-lives %d, want %d", n, got, want)
		}
	}
}

// TestRootsAreRoots recomputes the table by taking integer square roots of a half in 400 binary digits, and checks it
// through Decay at the ages that use one root alone.
func TestRootsAreRoots(t *testing.T) {
	v := new(big.Int).Lsh(big.NewInt(1), 399)
	for k := 1; k <= 30; k++ {
		v.Sqrt(v.Lsh(v, 400))
		root := new(big.Int).Rsh(v, 338) // floor(2^62 × 2^(-2^-k))
		want := new(big.Int).Rsh(root.Mul(root, big.NewInt(1_000_000)), 62).Int64()
		if got := freshness.Decay(1<<(30-k), 1<<30); got != want {
			t.Errorf("root %d: %d, want %d", k, got, want)
		}
	}
}

func seen(t *rapid.T, label string) (s freshness.Seen) {
	for i := range rapid.IntRange(0, 8).Draw(t, label) {
		add(t, &s, fmt.Sprint(label, i))
	}
	return s
}

func add(t *rapid.T, s *freshness.Seen, label string) {
	s.Add(rapid.Int64Range(-1, 359_999).Draw(t, label+"h"), survey.PPM(rapid.Int64Range(0, 1_000_000).Draw(t, label+"q")),
		noon.Add(-time.Duration(rapid.Int64Range(-1e6, 1e8).Draw(t, label+"t"))*time.Second))
}

func class(t *rapid.T) string {
	return rapid.SampledFrom([]string{"default", "motorway", "main", "residential", "oneway", "track", "no such class"}).Draw(t, "class")
}

func TestFreshnessNeverRisesByWaiting(t *testing.T) {
	p := freshness.Current()
	rapid.Check(t, func(t *rapid.T) {
		s, c := seen(t, "seen"), class(t)
		at := noon.Add(time.Duration(rapid.Int64Range(-1e8, 1e8).Draw(t, "at")) * time.Second)
		later := at.Add(time.Duration(rapid.Int64Range(0, 1e8).Draw(t, "wait")) * time.Second)
		a, b := p.Of(&s, c, at), p.Of(&s, c, later)
		if b > a || a > survey.One || b < 0 {
			t.Fatalf("%d became %d", a, b)
		}
	})
}

func TestFreshnessNeverFallsBySeeing(t *testing.T) {
	p := freshness.Current()
	rapid.Check(t, func(t *rapid.T) {
		s, c := seen(t, "seen"), class(t)
		at := noon.Add(time.Duration(rapid.Int64Range(-1e8, 1e8).Draw(t, "at")) * time.Second)
		a := p.Of(&s, c, at)
		h, q := rapid.Int64Range(-1, 359_999).Draw(t, "h"), survey.PPM(rapid.Int64Range(0, 1_000_000).Draw(t, "q"))
		when := noon.Add(-time.Duration(rapid.Int64Range(0, 1e8).Draw(t, "t")) * time.Second)
		worse := s
		worse.Add(h, q, when)
		if b := p.Of(&worse, c, at); b < a {
			t.Fatalf("seeing once more took %d to %d", a, b)
		}
		better := s
		better.Add(h, survey.One, when)
		if b, w := p.Of(&better, c, at), p.Of(&worse, c, at); b < w {
			t.Fatalf("a better frame gives %d, a worse %d", b, w)
		}
	})
}

func TestOrderAndGroupingDoNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := seen(t, "a"), seen(t, "b"), seen(t, "c")
		merge := func(x, y freshness.Seen) freshness.Seen { x.Merge(&y); return x }
		if merge(a, b) != merge(b, a) || merge(merge(a, b), c) != merge(a, merge(b, c)) || merge(a, a) != a {
			t.Fatal("merging is not commutative, associative and idempotent")
		}
	})
}

func TestSeenFromOneSideIsHalfSeen(t *testing.T) {
	p := freshness.Current()
	for h := int64(0); h < 360_000; h += 7_500 {
		var one, two, beside freshness.Seen
		one.Add(h, survey.One, noon)
		two.Add(h, survey.One, noon)
		two.Add((h+180_000)%360_000, survey.One, noon)
		beside.Add(h, survey.One, noon)
		beside.Add((h+60_000)%360_000, survey.One, noon)
		if got := p.Of(&one, "default", noon); got != survey.One/2 {
			t.Errorf("%d m°: one side gives %d", h, got)
		}
		if got := p.Of(&two, "default", noon); got != survey.One {
			t.Errorf("%d m°: two sides give %d", h, got)
		}
		if got := p.Of(&beside, "default", noon); got != survey.One/2 {
			t.Errorf("%d m°: a turn of 60° gives %d", h, got)
		}
		if got := p.Of(&one, "oneway", noon); got != survey.One {
			t.Errorf("%d m°: a one-way road gives %d", h, got)
		}
	}
	var blind freshness.Seen
	blind.Add(-1, survey.One, noon)
	if got := p.Of(&blind, "default", noon); got != survey.One/2 {
		t.Errorf("without heading: %d", got)
	}
	var never freshness.Seen
	if got := p.Of(&never, "default", noon); got != 0 {
		t.Errorf("never seen: %d", got)
	}
}

func TestRecoveryIsLinear(t *testing.T) {
	p := freshness.Current()
	for _, c := range []struct {
		after time.Duration
		want  survey.PPM
	}{{0, 0}, {-time.Hour, 0}, {84 * time.Hour, 500_000}, {7*day - time.Second, 999_998}, {7 * day, survey.One}, {700 * day, survey.One}} {
		if got := p.Recovery(noon, noon.Add(c.after)); got != c.want {
			t.Errorf("after %v: %d, want %d", c.after, got, c.want)
		}
	}
	if got := p.Recovery(time.Time{}, noon); got != survey.One {
		t.Errorf("a new cell: %d", got)
	}
}

func TestRanks(t *testing.T) {
	p := freshness.Current()
	for n, want := range []survey.PPM{0, 1_000_000, 500_000, 250_000, 0, 0} {
		if got := p.Rank(n); got != want {
			t.Errorf("rank %d: %d, want %d", n, got, want)
		}
	}
	if got := p.Worth(500_000, 2, 1); got != 250_000 {
		t.Errorf("worth %d: density must not count while it is off", got)
	}
	p.Saturation.UseDensity = true
	if got := p.Worth(500_000, 2, 100_000); got != 25_000 {
		t.Errorf("worth %d", got)
	}
}

// TestDensityReproducesHIP17 checks the cases the proposal prints: the table of limits, the four topologies of
// resolution 8 (N=2, target 1, max 4), and the scale along one hotspot's ancestors.
func TestDensityReproducesHIP17(t *testing.T) {
	d := freshness.Density{Res: 8, N: 2, Target: 1, Max: 4}
	for n, want := range []int64{1, 1, 1, 2, 3, 4, 4, 4} {
		if got := d.Limit(n); got != want {
			t.Errorf("limit at %d occupied: %d, want %d", n, got, want)
		}
	}
	center, err := survey.ParseCell("8828361563fffff") // the cell of the worked example
	if err != nil || !hex.Valid(center) {
		t.Fatal(err)
	}
	ring := hex.Neighbors(center)
	for occupied, want := range map[int]int64{1: 1, 2: 1, 3: 2, 7: 4} {
		units := map[survey.Cell]int64{center: 5}
		for _, c := range ring[:occupied-1] {
			units[c] = 1
		}
		clip := freshness.Clip([]freshness.Density{d}, units, hex.Neighbors)
		if got := clip[0][center]; got.Clipped != want || got.Unclipped != 5 {
			t.Errorf("%d occupied: %+v, want %d of 5", occupied, got, want)
		}
	}
	path := []freshness.Ratio{{Clipped: 4, Unclipped: 61}, {Clipped: 27, Unclipped: 27}, {Clipped: 49, Unclipped: 106},
		{Clipped: 62, Unclipped: 62}, {Clipped: 117, Unclipped: 117}, {Clipped: 136, Unclipped: 136}, {Clipped: 504, Unclipped: 504}, {Clipped: 504, Unclipped: 504}}
	if s := freshness.Scale(path[:1]); s != 65_573 { // printed as 0.066
		t.Errorf("resolution 8: %d", s)
	}
	if s := freshness.Scale(path); s != 30_312 { // printed as 0.030
		t.Errorf("whole path: %d", s)
	}
}

func TestDensityOnlyTakesAway(t *testing.T) {
	levels := freshness.Current().Saturation.Density
	center, _ := survey.ParseCell("8828361563fffff")
	near := hex.Disk(center, 4)
	rapid.Check(t, func(t *rapid.T) {
		units := make(map[survey.Cell]int64)
		var total int64
		for range rapid.IntRange(1, 40).Draw(t, "n") {
			kids, err := hex.Children(near[rapid.IntRange(0, len(near)-1).Draw(t, "cell")], 10)
			if err != nil {
				t.Fatal(err)
			}
			n := rapid.Int64Range(1, 30).Draw(t, "units")
			units[kids[rapid.IntRange(0, len(kids)-1).Draw(t, "kid")]] += n
			total += n
		}
		clip := freshness.Clip(levels, units, hex.Neighbors)
		for i, level := range clip {
			var sum int64
			for c, r := range level {
				if r.Clipped < 1 || r.Clipped > r.Unclipped || r.Clipped > levels[i].Max || c.Resolution() != levels[i].Res {
					t.Fatalf("level %d: %+v", levels[i].Res, r)
				}
				sum += r.Unclipped
			}
			if sum > total {
				t.Fatalf("level %d counts %d of %d", levels[i].Res, sum, total)
			}
			total = sum
		}
		for c := range units {
			path := freshness.Path(levels, clip, c)
			if s := freshness.Scale(path); s < 0 || s > survey.One || len(path) != len(levels) {
				t.Fatalf("scale of %s: %d", c, s)
			}
		}
	})
}

// golden are cases anyone can check another implementation against.
type golden struct {
	Params string `json:"params"`
	Decay  []struct {
		Age      int64 `json:"age_seconds"`
		HalfLife int64 `json:"half_life_seconds"`
		PPM      int64 `json:"ppm"`
	} `json:"decay"`
	Freshness []struct {
		Name  string     `json:"name"`
		Class string     `json:"class"`
		AsOf  time.Time  `json:"as_of"`
		Seen  []goldSeen `json:"seen"`
		PPM   survey.PPM `json:"ppm"`
	} `json:"freshness"`
	Worth []struct {
		Name     string     `json:"name"`
		Last     time.Time  `json:"last,omitzero"`
		Received time.Time  `json:"received"`
		Rank     int        `json:"rank"`
		PPM      survey.PPM `json:"ppm"`
	} `json:"worth"`
}

type goldSeen struct {
	HeadingMdeg int64      `json:"heading_mdeg"`
	Quality     survey.PPM `json:"quality_ppm"`
	CapturedAt  time.Time  `json:"captured_at"`
}

func TestGolden(t *testing.T) {
	const file = "testdata/golden.json"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(b, &g); err != nil {
		t.Fatal(err)
	}
	p, err := freshness.Load(g.Params)
	if err != nil {
		t.Fatal(err)
	}
	check := func(name string, got int64, want *int64) {
		if *update {
			*want = got
		} else if got != *want {
			t.Errorf("%s: %d, want %d", name, got, *want)
		}
	}
	for i := range g.Decay {
		c := &g.Decay[i]
		check(fmt.Sprintf("decay of %d at %d", c.Age, c.HalfLife), freshness.Decay(c.Age, c.HalfLife), &c.PPM)
	}
	for i := range g.Freshness {
		c := &g.Freshness[i]
		var s freshness.Seen
		for _, o := range c.Seen {
			s.Add(o.HeadingMdeg, o.Quality, o.CapturedAt)
		}
		check(c.Name, int64(p.Of(&s, c.Class, c.AsOf)), (*int64)(&c.PPM))
	}
	for i := range g.Worth {
		c := &g.Worth[i]
		check(c.Name, int64(p.Worth(p.Recovery(c.Last, c.Received), c.Rank, survey.One)), (*int64)(&c.PPM))
	}
	if len(g.Decay) < 5 || len(g.Freshness) < 8 || len(g.Worth) < 4 {
		t.Error("golden cases are missing")
	}
	if *update {
		b, err := json.MarshalIndent(g, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestParametersThatBreakAPromiseAreRefused(t *testing.T) {
	if _, err := freshness.Load("1999-01-01"); survey.KindOf(err) != survey.NotFound {
		t.Error(err)
	}
	for _, v := range freshness.Versions() {
		p, err := freshness.Load(v)
		if err != nil || p.Version != v {
			t.Errorf("%s: version %q, %v", v, p.Version, err)
		}
	}
	if _, err := freshness.Parse([]byte(`{"version":"x","surprise":1}`)); survey.KindOf(err) != survey.Invalid {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*freshness.Params){
		"no default class":     func(p *freshness.Params) { delete(p.Freshness.Classes, "default") },
		"no half-life":         func(p *freshness.Params) { p.Freshness.Classes["default"] = freshness.Class{Sides: 1} },
		"three sides":          func(p *freshness.Params) { p.Freshness.Classes["x"] = freshness.Class{HalfLife: 1, Sides: 3} },
		"falling weights":      func(p *freshness.Params) { p.Freshness.LevelWeights[1] = 0 },
		"weights short of one": func(p *freshness.Params) { p.Freshness.LevelWeights[3]-- },
		"rising ranks":         func(p *freshness.Params) { p.Saturation.Rank[1] = survey.One + 1 },
		"no recovery":          func(p *freshness.Params) { p.Saturation.Recovery = 0 },
		"levels out of order":  func(p *freshness.Params) { p.Saturation.Density[1].Res = 11 },
		"max under target":     func(p *freshness.Params) { p.Saturation.Density[3].Max = 1 },
	} {
		p := freshness.Current()
		spoil(&p)
		if err := p.Validate(); survey.KindOf(err) != survey.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func BenchmarkOf(b *testing.B) {
	p := freshness.Current()
	var s freshness.Seen
	for h := range int64(4) {
		s.Add(h*90_000, 900_000, noon.Add(-time.Duration(h)*17*day))
	}
	for b.Loop() {
		p.Of(&s, "default", noon.Add(33*day))
	}
}
