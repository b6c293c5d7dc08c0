package app

import (
	"os"
	"strings"
	"sync"
	"time"

	"github.com/roadcomb/roadcomb/benchmarks/fleet"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/vision/models"
)

// rehearsal settings make a network of simulated drives repeatable. No real one uses them.
type rehearsal struct {
	Rehearse  time.Time `help:"Rehearsal with simulated drives: footage counts as received by its own week, results are as of this instant, and the simulator's detector may publish." env:"ROADCOMB_REHEARSE" placeholder:"TIME"`
	ClockFile string    `name:"clock-file" help:"Rehearsal: a file with a duration (36h, -90s) that is added to this process's clock, read again every second." env:"ROADCOMB_CLOCK_FILE" type:"path" placeholder:"FILE"`
}

func (r rehearsal) on() bool { return !r.Rehearse.IsZero() }

// clock is nil, which means time.Now, outside of a rehearsal with a clock file.
func (r rehearsal) clock() func() time.Time {
	if !r.on() || r.ClockFile == "" {
		return nil
	}
	var mu sync.Mutex
	var offset time.Duration
	var read time.Time
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now := time.Now()
		if now.Sub(read) >= time.Second {
			read = now
			if b, err := os.ReadFile(r.ClockFile); err == nil {
				if d, err := time.ParseDuration(strings.TrimSpace(string(b))); err == nil {
					offset = d // a file that is being written keeps the last
				}
			}
		}
		return now.Add(offset)
	}
}

func (r rehearsal) now() time.Time {
	if c := r.clock(); c != nil {
		return c().UTC()
	}
	return time.Now().UTC()
}

// rehearse makes results a function of the footage, as process does, where the settings ask for it.
func (p *platform) rehearse() {
	r := p.set.rehearsal
	if !r.on() {
		return
	}
	p.log.Warn("this network rehearses with simulated drives", "as_of", r.Rehearse)
	p.ingest.Received = func(newest time.Time) time.Time {
		if newest.IsZero() {
			newest = r.Rehearse.Add(-time.Microsecond)
		}
		return survey.EpochOf(newest).End().Add(-time.Microsecond)
	}
	p.tiles.Config.AsOf, p.datasets.AsOf = r.Rehearse.UTC(), r.Rehearse.UTC()
	c := r.clock()
	p.ingest.Clock, p.cells.Clock, p.tiles.Clock, p.datasets.Clock, p.rewards.Clock, p.vision.Clock = c, c, c, c, c, c
}

// realGuard refuses the simulator's detector, which finds no face, in a network that does not rehearse.
func realGuard(g *guard, err error, rehearses bool) (*guard, error) {
	if err == nil && !rehearses && g.set.Name == fleet.MarkerModel {
		g.close()
		return nil, survey.Errorf(survey.NotFound, "%w: the models are the simulator's, which find no real face", models.ErrNone).
			WithHint("set --models to real ones, or --rehearse for a rehearsal")
	}
	return g, err
}
