package attacks

import (
	"fmt"

	"github.com/roadcomb/roadcomb/ingest/findings"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards"
	"github.com/roadcomb/roadcomb/rewards/ruleset"
)

// Town is how honest newcomers come into a network. The zero value: 20 of them, a quarter with an enrolled friend who
// answers for them and drives twice as much, an operator who looks at three newcomers a week, for twelve weeks.
type Town struct {
	Newcomers, Sponsored int
	Looks                int // newcomers that the operator enrols each week, those who have waited longest first
	Weeks                int
	Seed                 uint64
}

// Wait is how one group of newcomers fared.
type Wait struct {
	Group     string  `json:"group"`
	Newcomers int     `json:"newcomers"`
	Paid      int     `json:"paid"`       // got their first payment
	MeanWeeks float64 `json:"mean_weeks"` // closes between the first drive's and the first payment, of those paid
	MaxWeeks  int     `json:"max_weeks"`
	Share     float64 `json:"share"` // of all that they had earned by the last week, what was paid
}

// Newcomers lets them drive once a week and be paid by the ruleset: on a sponsor's word, or from the week in which the
// operator enrolled them, with what had been held until then. The same Town gives the same waits.
func Newcomers(t Town) ([]Wait, error) {
	def := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	def(&t.Newcomers, 20)
	def(&t.Sponsored, t.Newcomers/4)
	def(&t.Looks, 3)
	def(&t.Weeks, 12)
	f := fleet{Config: Config{Seed: t.Seed, Meters: 2000}.withDefaults(), motion: map[string]findings.Trace{}}
	id := func(i int) string { return fmt.Sprintf("newcomer%02d", i) }
	for i := range t.Sponsored {
		f.sponsors = append(f.sponsors, rewards.Sponsorship{Newcomer: survey.ContributorID(id(i)), Sponsor: survey.ContributorID(fmt.Sprintf("friend%02d", i))})
	}
	paid, held, first := make([]survey.Amount, t.Newcomers), make([]survey.Amount, t.Newcomers), make([]int, t.Newcomers)
	enrolled := make([]bool, t.Newcomers)
	epoch := survey.EpochOf(start)
	for week := range t.Weeks {
		var err error
		if f.rules, _, err = ruleset.For(epoch); err != nil {
			return nil, err
		}
		f.epoch = epoch
		var rs []recording
		for i := range t.Newcomers {
			r := f.drive(id(i), uint64(10_000*week+i), f.Meters)
			r.enrolled = enrolled[i]
			rs = append(rs, r)
		}
		for i := range t.Sponsored {
			for k := range 2 {
				r := f.drive(fmt.Sprintf("friend%02d", i), uint64(10_000*week+5_000+2*i+k), f.Meters)
				r.enrolled = true
				rs = append(rs, r)
			}
		}
		res, err := f.close(rs)
		if err != nil {
			return nil, err
		}
		for _, a := range res.Allocations {
			var i int
			if _, err := fmt.Sscanf(string(a.Contributor), "newcomer%d", &i); err != nil {
				continue
			}
			paid[i] += a.Amount
			held[i] += a.Held
		}
		looks := t.Looks
		for i := t.Newcomers - 1; i >= 0 && looks > 0; i-- { // all began together; those with friends come last
			if !enrolled[i] {
				enrolled[i] = true
				paid[i], held[i] = paid[i]+held[i], 0
				looks--
			}
		}
		for i := range paid {
			if paid[i] > 0 && first[i] == 0 {
				first[i] = week + 1
			}
		}
		epoch = epoch.Next()
	}
	out := []Wait{{Group: "with a sponsor"}, {Group: "without"}}
	for g := range out {
		w := &out[g]
		var got, all survey.Amount
		sum := 0
		for i := range paid {
			if (i < t.Sponsored) != (g == 0) {
				continue
			}
			w.Newcomers++
			got, all = got+paid[i], all+paid[i]+held[i]
			if first[i] > 0 {
				w.Paid++
				sum += first[i] - 1
				w.MaxWeeks = max(w.MaxWeeks, first[i]-1)
			}
		}
		if w.Paid > 0 {
			w.MeanWeeks = float64(sum) / float64(w.Paid)
		}
		if all > 0 {
			w.Share = float64(got) / float64(all)
		}
	}
	return out, nil
}
