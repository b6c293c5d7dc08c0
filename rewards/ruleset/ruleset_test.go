package ruleset_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
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
	_, good, err := ruleset.For(survey.EpochOf(time.Now()))
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
		"a Tuesday":         {`1999-12-27`, `1999-12-28`},
		"seniority":         {`"received"`, `"age"`},
		"bands":             {`"from": 600000`, `"from": 900000`},
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
