package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/roadcomb/roadcomb/benchmarks/fleet"
	"github.com/roadcomb/roadcomb/pkg/hex/roads"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

type simCmd struct {
	Run     simulateRunCmd     `cmd:"" default:"withargs" help:"Drive a made-up fleet through a running server's API, and compare what it makes of the drives with the truth."`
	Models  simulateModelsCmd  `cmd:"" help:"Write the detector of simulated faces and plates, for rehearsals."`
	Collect simulateCollectCmd `cmd:"" help:"Fold a rehearsed network as of its instant and write its results to a folder."`
}

type simulateRunCmd struct {
	Server       string        `help:"The server; on this machine only." default:"http://127.0.0.1:8080" env:"ROADCOMB_SERVER" placeholder:"URL"`
	Home         string        `help:"Data folder of the server, whose secrets.json holds the operator's token." default:"data" env:"ROADCOMB_HOME" type:"path" placeholder:"DIR"`
	Operator     survey.Secret `help:"The operator's token, if not that of --home." env:"ROADCOMB_OPERATOR" placeholder:"TOKEN"`
	Out          string        `help:"Folder for truth.jsonl, outcome.jsonl and summary.json." required:"" type:"path" placeholder:"DIR"`
	Contributors int           `help:"Drivers." default:"20"`
	Drives       int           `help:"Drives of each, one a day." default:"1"`
	Frames       int           `help:"Frames of a drive, 8 m apart; at least 40." default:"60"`
	Rate         float64       `help:"Drives begun a second; 0 means as fast as they go." default:"0"`
	Parallel     int           `help:"Drives under way at a time." default:"16"`
	Start        time.Time     `help:"Day of the first drives; default: as many days before today as there are drives." placeholder:"TIME"`
	Seed         uint64        `help:"The same seed gives the same drives." default:"1"`
	Faulty       float64       `help:"Share of drives with a fault of the device." default:"0.1"`
	Attackers    int           `help:"Drivers who also cheat, in each of the known ways by turns." default:"0"`
	OSM          string        `name:"osm" help:"OSM extract whose streets are driven; empty for a grid." type:"path" placeholder:"FILE.osm.pbf"`
	JSON         bool          `help:"Print the summary as JSON."`
}

func (simulateRunCmd) Help() string {
	return `Frames are small pictures with marks for faces and plates. A network with real models publishes the marks; start it with
--rehearse and the models of "simulate models" to see them covered, in a data folder of its own:

  roadcomb simulate models --out sim-models
  roadcomb up --home sim-data --models sim-models --rehearse 2026-11-30T00:00:00Z
  roadcomb simulate --home sim-data --contributors 1000 --rate 5 --attackers 14 --out sim

Drivers register as their first drive begins. Kinds of cheats go round: spoofed trace, replayed drive, duplicate (same bytes,
coded again), sybil split, looping, colluding pair; seven attackers show them all. They follow when the others' drives are
settled. In --out, truth.jsonl holds what each frame really is and the verdicts that it may get, outcome.jsonl a line for each
drive that ended, summary.json the counts and the times of requests. Ctrl-C stops in order and writes the summary so far.

Exit codes: 0 everything is as the truth says; 1 drives failed, verdicts or findings are not what they should be, or it was
stopped.`
}

func (c *simulateRunCmd) Run(ctx context.Context, e *environ) error {
	if err := fleet.CheckServer(c.Server); err != nil {
		return exit{ExitUsage, err.Error()}
	}
	cfg := fleet.Config{Seed: c.Seed, Contributors: c.Contributors, Drives: c.Drives, Frames: c.Frames, Faulty: c.Faulty, Attackers: c.Attackers, Start: c.Start.UTC()}
	if c.Start.IsZero() {
		cfg.Start = time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -max(c.Drives, 1)-1)
	}
	if c.OSM != "" {
		f, err := os.Open(c.OSM)
		if err != nil {
			return survey.Errorf(survey.NotFound, "OSM extract: %w", err)
		}
		cfg.Roads, err = roads.Read(ctx, f)
		f.Close()
		if err != nil {
			return err
		}
		if len(cfg.Roads.Segments) == 0 {
			return survey.Errorf(survey.Invalid, "%s holds no drivable road", c.OSM)
		}
	}
	if c.Operator == "" {
		b, err := os.ReadFile(filepath.Join(c.Home, "secrets.json"))
		if err != nil {
			return survey.Errorf(survey.NotFound, "the operator's token: %w", err).WithHint("give it with --operator, or the server's data folder with --home")
		}
		var s secrets
		if err := json.Unmarshal(b, &s); err != nil {
			return survey.Errorf(survey.Invalid, "secrets.json: %w", err)
		}
		c.Operator = s.Operator
	}
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return survey.Errorf(survey.Unavailable, "output folder: %w", err)
	}
	p := fleet.NewPlan(cfg)
	if err := p.WriteTruth(filepath.Join(c.Out, "truth.jsonl")); err != nil {
		return err
	}
	outcomes, err := os.Create(filepath.Join(c.Out, "outcome.jsonl"))
	if err != nil {
		return survey.Errorf(survey.Unavailable, "output folder: %w", err)
	}
	lines := json.NewEncoder(outcomes)
	var writeErr error
	watch := fleetWatch{w: e.stderr, drives: len(p.First) + len(p.Second), began: time.Now()}
	sum, runErr := fleet.Run(ctx, p, fleet.Target{Server: c.Server, Account: fleet.Registered(c.Server, c.Operator.Reveal(), c.Seed), Parallel: c.Parallel, Rate: c.Rate,
		Outcome: func(o fleet.Outcome) {
			writeErr = errors.Join(writeErr, lines.Encode(o))
			watch.ended(o, time.Now())
		}})
	if err := errors.Join(writeErr, outcomes.Close()); err != nil {
		return survey.Errorf(survey.Unavailable, "outcome.jsonl: %w", err).WithHint("check the free space of the disk")
	}
	if runErr != nil && (ctx.Err() == nil || sum.Drives == 0) {
		return runErr
	}
	if runErr != nil {
		fmt.Fprintf(e.stderr, "roadcomb: stopped after %d of %d drives; what follows is of those\n", sum.Drives, watch.drives)
	}
	b, err := json.MarshalIndent(sum, "", "  ")
	if err != nil {
		return err
	}
	if err := writeFileAtomic(filepath.Join(c.Out, "summary.json"), append(b, '\n'), 0o644); err != nil {
		return survey.Errorf(survey.Unavailable, "output folder: %w", err)
	}
	if c.JSON {
		err = writeJSON(e.stdout, sum)
	} else {
		printSummary(e, sum)
	}
	if err == nil {
		err = runErr // stopped
	}
	if err == nil && (sum.Failed > 0 || sum.Wrong > 0 || sum.Missed > 0) {
		err = exit{ExitInternal, fmt.Sprintf("%d drives failed, %d verdicts are not what they should be, %d cheats were not found", sum.Failed, sum.Wrong, sum.Missed)}
	}
	return err
}

// fleetWatch says how far a fleet is, every ten seconds: at a low rate a run takes hours.
type fleetWatch struct {
	w                    io.Writer
	drives, done, failed int
	frames               int
	began, said          time.Time
}

func (f *fleetWatch) ended(o fleet.Outcome, now time.Time) {
	f.done++
	f.frames += o.Accepted + o.Rejected
	if o.Err != "" {
		f.failed++
	}
	if now.Sub(f.said) >= 10*time.Second && now.Sub(f.began) >= 10*time.Second {
		f.said = now
		fmt.Fprintf(f.w, "roadcomb: %d of %d drives, %d failed, %.1f frames/s\n", f.done, f.drives, f.failed, float64(f.frames)/now.Sub(f.began).Seconds())
	}
}

func printSummary(e *environ, s fleet.Summary) {
	fmt.Fprintf(e.stdout, "%d drives, %d frames in %.1f s: %.1f frames/s, %d failed\n", s.Drives, s.Frames, s.Seconds, float64(s.Frames)/s.Seconds, s.Failed)
	fmt.Fprintf(e.stdout, "%d accepted; verdicts right %d, wrong %d; cheats found %d, missed %d\n", s.Accepted, s.Right, s.Wrong, s.Found, s.Missed)
	reasons := make([]string, 0, len(s.Rejected))
	for r := range s.Rejected {
		reasons = append(reasons, r)
	}
	slices.Sort(reasons)
	for _, r := range reasons {
		fmt.Fprintf(e.stdout, "  %-16s %6d\n", r, s.Rejected[r])
	}
	fmt.Fprintf(e.stdout, "%-44s %7s %8s %8s %8s  %s\n", "request", "n", "p50 ms", "p95", "p99", "answers")
	fmt.Fprintf(e.stdout, "%-44s %7d %8.1f %8.1f %8.1f\n", "API, long polls apart", s.API.N, s.API.P50, s.API.P95, s.API.P99)
	for _, r := range s.Routes {
		fmt.Fprintf(e.stdout, "%-44s %7d %8.1f %8.1f %8.1f  %v\n", r.Route, r.Latency.N, r.Latency.P50, r.Latency.P95, r.Latency.P99, r.Statuses)
	}
	for _, m := range s.Errors {
		fmt.Fprintln(e.stderr, "roadcomb:", m)
	}
}

type simulateModelsCmd struct {
	Out string `help:"Folder to write." required:"" type:"path" placeholder:"DIR"`
}

func (simulateModelsCmd) Help() string {
	return "The detector finds the marks of simulated frames and nothing else. A network uses it with --models DIR, and only with --rehearse."
}

func (c *simulateModelsCmd) Run() error { return fleet.WriteModels(c.Out) }

type simulateCollectCmd struct {
	settings
	Out string `help:"Folder for frames, tiles, datasets and rewards; results of an earlier run in it are replaced." required:"" type:"path" placeholder:"DIR"`
}

func (simulateCollectCmd) Help() string {
	return "Closes every epoch that ends by --rehearse, rebuilds tiles and datasets, and copies them out. Stop the workers first. Two networks that were given the same drives have the same results, byte for byte."
}

func (c *simulateCollectCmd) Run(ctx context.Context, e *environ) error {
	if !c.rehearsal.on() {
		return exit{ExitUsage, "collect closes epochs early, which only a rehearsal may: set --rehearse"}
	}
	if err := checkOut(c.Out); err != nil {
		return err
	}
	return withPlatform(ctx, c.settings, e, func(p *platform) error {
		epochs, err := p.fold(ctx, c.Rehearse.UTC())
		if err != nil {
			return err
		}
		fmt.Fprintf(e.stdout, "closed %v\n", epochs)
		return p.collect(ctx, c.Out)
	})
}
