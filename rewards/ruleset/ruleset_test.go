package ruleset_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards"
	"github.com/roadcomb/roadcomb/rewards/ruleset"
)

// The published numbers: a change of v1 is a new ruleset, and this test is where one notices.
func TestV1IsWhatWasPublished(t *testing.T) {
	const published = "81c47cbab1fffd62aafeb4680872c8c1bf885af096645a9a56c69b181684aa67"
	_, text, err := ruleset.For(survey.EpochOf(time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC)))
	if err != nil {
		t.Fatal(err)
	}
	if got := survey.HashOf(text).String(); got != published {
		t.Errorf("v1.json has SHA-256 %s, published was %s", got, published)
	}
}

func TestV2IsWhatWasPublished(t *testing.T) {
	const published = "be939ce3ac9e208762f9d881f4924464e12f5b079925d4d473524a8b65a38c4a"
	rs, text, err := ruleset.For(survey.EpochOf(time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)))
	if err != nil {
		t.Fatal(err)
	}
	if got := survey.HashOf(text).String(); rs.Version != "v2" || got != published {
		t.Errorf("%s has SHA-256 %s, published was %s", rs.Version, got, published)
	}
	if rs, _, err := ruleset.For(survey.EpochOf(time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC))); err != nil || rs.Version != "v1" {
		t.Errorf("the epoch before has %s: %v", rs.Version, err)
	}
}

func TestThereIsNoDefaultRuleset(t *testing.T) {
	if _, _, err := ruleset.For(survey.EpochOf(time.Date(1999, 12, 26, 0, 0, 0, 0, time.UTC))); survey.KindOf(err) != survey.Unsupported {
		t.Errorf("%v", err)
	}
	rs, _, err := ruleset.For(survey.EpochOf(time.Date(1999, 12, 27, 0, 0, 0, 0, time.UTC)))
	if err != nil || rs.Version != "v1" {
		t.Errorf("%s %v", rs.Version, err)
	}
}

func TestFaultyRulesetsAreRefused(t *testing.T) {
	_, good, err := ruleset.For(survey.EpochOf(time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"unknown key":       {`"version"`, `"versoin"`},
		"negative emission": {`"1000000000000000"`, `"-1"`},
		"rising ranks":      {`500000, 250000`, `250000, 500000`},
		"share over one":    {`"burn": 750000`, `"burn": 1000001`},
		"no slots":          {`"slot_seconds": 86400`, `"slot_seconds": 0`},
		"factor and hold":   {`"silent_motion"`, `"clock_offset"`},
		"factor over one":   {`"clock_offset": 800000`, `"clock_offset": 1800000`},
		"pools over one":    {`"qa": 0`, `"qa": 1`},
		"a Tuesday":         {`2026-11-30`, `2026-12-01`},
		"seniority":         {`"received"`, `"age"`},
		"bands":             {`"from": 600000`, `"from": 900000`},
		"region too fine":   {`"resolution": 6`, `"resolution": 12`},
		"nothing is full":   {`"full": 200000`, `"full": 0`},
		"voucher over one":  {`"enrolled": 1000000`, `"enrolled": 1500000`},
		"nobody to answer":  {`"newcomers": 3`, `"newcomers": 0`},
		"no more text":      {"\n}\n", "\n}{}"},
	} {
		bad := strings.Replace(string(good), change[0], change[1], 1)
		if bytes.Equal([]byte(bad), good) {
			t.Fatalf("%s changes nothing", name)
		}
		if _, err := ruleset.Parse([]byte(bad)); survey.KindOf(err) != survey.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The epoch that v2.md works out by hand.
func ExampleFor() {
	monday := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	at := func(h int) int64 { return monday.Add(time.Duration(h) * time.Hour).UnixMicro() }
	const a, b, c survey.Cell = 0x8c1f05871d3abff, 0x8c1f05871d3adff, 0x8c1f05871d3b1ff
	enrolled := []rewards.Finding{{Kind: rewards.KindEnrolled, Score: survey.One}}
	frame := func(n byte, drive int32, cell survey.Cell, h int, quality int32) rewards.Contribution {
		return rewards.Contribution{Frame: rewards.FrameKey{n}, Cell: cell, CapturedAt: at(h), ReceivedAt: at(h), Drive: drive, Quality: quality}
	}
	in := rewards.Inputs{
		Epoch: survey.EpochOf(monday),
		Drives: []rewards.Drive{{ID: "d1", Contributor: "ann", Vouchers: enrolled}, {ID: "d2", Contributor: "ben", Vouchers: enrolled},
			{ID: "d3", Contributor: "cat"}},
		Contributions: []rewards.Contribution{frame(1, 0, a, 1, 800_000), frame(2, 1, a, 25, 800_000), frame(3, 1, b, 26, 500_000), frame(4, 2, c, 27, 800_000)},
		Prior:         []rewards.Prior{{Cell: b, ReceivedAt: at(26 - 84)}},
	}
	rs, _, err := ruleset.For(in.Epoch)
	if err != nil {
		panic(err)
	}
	for _, sponsor := range []survey.ContributorID{"", "ben", "ann"} {
		if sponsor != "" {
			in.Sponsors = []rewards.Sponsorship{{Newcomer: "cat", Sponsor: sponsor}}
			fmt.Println(sponsor, "answers for cat")
		}
		r, err := rewards.Close(in, rs)
		if err != nil {
			panic(err)
		}
		for _, x := range r.Allocations {
			fmt.Println(x.Contributor, int64(x.Amount), "held", int64(x.Held))
		}
	}
	// Output:
	// ann 80000000 held 0
	// ben 65000000 held 0
	// cat 0 held 80000000
	// ben answers for cat
	// ann 80000000 held 0
	// ben 65000000 held 0
	// cat 0 held 80000000
	// ann answers for cat
	// ann 0 held 80000000
	// ben 65000000 held 0
	// cat 80000000 held 0
}
