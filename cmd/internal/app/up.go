package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	ingestapi "github.com/roadcomb/roadcomb/ingest/api"
	"github.com/roadcomb/roadcomb/ingest/upload"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/priority"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/synth"
	visionworker "github.com/roadcomb/roadcomb/vision/worker"
)

// webSettings are shared by the verbs that serve the APIs and the web map.
type webSettings struct {
	Listen  string `help:"Where the APIs and the web map listen." default:"127.0.0.1:8080" env:"ROADCOMB_LISTEN" placeholder:"ADDR"`
	Public  string `help:"Address in links, when a proxy serves this under another name." env:"ROADCOMB_PUBLIC" placeholder:"URL"`
	Web     string `help:"Folder of the web page; empty for the one inside the program." env:"ROADCOMB_WEB" type:"path" placeholder:"DIR"`
	Basemap string `help:"Street map under the web map: an archive that tiles basemap made." env:"ROADCOMB_BASEMAP" type:"path" placeholder:"FILE.pmtiles"`
}

// base is the address in links: the public one, or where l listens.
func (w webSettings) base(l net.Listener) string {
	if w.Public != "" {
		return strings.TrimSuffix(w.Public, "/")
	}
	return "http://" + l.Addr().String()
}

type upCmd struct {
	settings
	webSettings
	querySettings
	Drive        []string `help:"Upload this footage once the network runs." type:"path" placeholder:"PATH"`
	Trim         float64  `help:"Metres cut from both ends of the drives that --drive uploads; 0 means the network's default (500 m); -1, the default, keeps all, because this network is your own." default:"-1"`
	Demo         bool     `help:"Upload a small made-up drive if the network is empty."`
	ExitWhenDone bool     `help:"Stop once the drive is on the map."`
}

func (upCmd) Help() string {
	return "Everything listens on loopback and keeps its data under --home. Stop it with Ctrl-C; start it again and it goes on."
}

func (c *upCmd) Run(ctx context.Context, e *environ) error {
	return withPlatform(ctx, c.settings, e, func(p *platform) error { return c.run(ctx, e, p) })
}

func (c *upCmd) run(ctx context.Context, e *environ, p *platform) error {
	l, err := listen(c.Listen, "--listen")
	if err != nil {
		return err
	}
	if err := p.ensureLocal(ctx); err != nil {
		l.Close()
		return err
	}
	p.ingest.Config.KeepAllFor = localContributor
	base := "http://" + l.Addr().String()
	fmt.Fprintf(e.stderr, "roadcomb %s: starting on %s, data in %s\n", Version, base, c.Home)
	return c.serve(ctx, e, p, l, base, func(ctx context.Context) error { return c.footage(ctx, e, p, base) })
}

// serve runs HTTP, workers and the ticker until ctx ends or the job, if any, asks to stop.
func (c *upCmd) serve(ctx context.Context, e *environ, p *platform, l net.Listener, base string, job func(context.Context) error) error {
	var err error
	if p.queries, err = p.openQueries(c.querySettings); err != nil {
		l.Close()
		return err
	}
	h, err := p.handler(c.base(l), c.webSettings)
	if err != nil {
		l.Close()
		return err
	}
	stopWorkers, err := p.startWorkers(ctx, 200*time.Millisecond)
	if err != nil {
		l.Close()
		return err
	}
	defer stopWorkers()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return httpx.Serve(gctx, l, h, p.log) })
	g.Go(func() error { return p.ticker(gctx, time.Minute) })
	if p.queries != nil {
		g.Go(func() error { return p.queries.run(gctx) })
	}
	g.Go(func() error { return p.serveMetrics(gctx) })
	g.Go(func() error {
		err := job(gctx)
		if err != nil && gctx.Err() == nil {
			if c.ExitWhenDone {
				return err
			}
			fmt.Fprintln(e.stderr, "roadcomb:", err) // the network itself is well and stays up
			err = nil
		}
		if c.ExitWhenDone {
			cancel()
		}
		return nil
	})
	err = g.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// footage uploads what the command line asked for and prints where to look.
func (c *upCmd) footage(ctx context.Context, e *environ, p *platform, base string) error {
	paths := c.Drive
	if len(paths) == 0 && c.Demo {
		var n int64
		if err := p.db.QueryRow(ctx, `SELECT COUNT(*) FROM uploads`).Scan(&n); err != nil {
			return err
		}
		if n == 0 {
			dir := filepath.Join(c.Home, "demo")
			fmt.Fprintln(e.stderr, "roadcomb: making a demo drive through Monaco")
			if err := makeDemo(ctx, dir, time.Now()); err != nil {
				return err
			}
			paths, c.Trim = []string{dir}, 0
		}
	}
	if len(paths) > 0 {
		watch := newWatcher(e.stderr)
		client := upload.Client{BaseURL: base, Token: p.secrets.DriverToken.Reveal(), Cache: filepath.Join(c.Home, "hashes.json")}
		res, err := client.Upload(ctx, paths, survey.UploadOptions{TrimMeters: c.Trim, Client: "roadcomb up"}, watch.progress)
		watch.done()
		if err != nil {
			return err
		}
		if err := p.failedJobs(ctx); err != nil {
			return err
		}
		r, err := makeReport(ctx, p.db, res)
		if err != nil {
			return err
		}
		fmt.Fprintf(e.stderr, "roadcomb: %d files: %d accepted, %d rejected; %d frames published in %d cells\n", r.Inputs, r.Accepted, r.Rejected, r.Published, r.Cells)
		if r.Quarantined > 0 {
			fmt.Fprintf(e.stderr, "roadcomb: %d frames are held back, because privacy could not be assured (%s)\n", r.Quarantined, r.Rejections[0].Message)
		}
		if err := p.untilFolded(ctx); err != nil {
			return err
		}
	}
	fmt.Fprintf(e.stdout, "map: %s/\n", base)
	fmt.Fprintf(e.stdout, "drivers: %s/drive.html (your own token: driver_token in %s; for others: roadcomb contributors add NAME)\n", base, filepath.Join(c.Home, "secrets.json"))
	fmt.Fprintf(e.stdout, "operators: %s/operator/ (make an account: roadcomb operators add NAME --role admin)\n", base)
	if p.queries != nil {
		fmt.Fprintf(e.stdout, "datasets: grpc://%s\n", p.queries.addr())
	}
	return nil
}

// untilFolded waits until no job is left, so that what was uploaded is on the map.
func (p *platform) untilFolded(ctx context.Context) error {
	for {
		jobs, err := p.db.Jobs(ctx)
		if err != nil {
			return err
		}
		left := int64(0)
		for _, j := range jobs {
			left += j.Waiting + j.Running + j.Retrying
		}
		if left == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// beside is what the daily check of the cells takes of a machine that serves: a core, and little memory.
var beside = foldSettings{Memory: 512, Threads: 1}

// ticker does what no event triggers: freshness moves on with the day, epochs end, abandoned uploads are swept, and once a
// day, when the lake has all changes, the cells are compared with its observations.
func (p *platform) ticker(ctx context.Context, every time.Duration) error {
	var day, checked time.Time
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		now := p.set.now()
		if today := now.Truncate(24 * time.Hour); !today.Equal(day) {
			if err := p.tick(ctx, now); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				p.log.Error("tick", "err", err) // tried again with the next tick
			} else {
				day = today
			}
		} else if !today.Equal(checked) {
			done, err := p.checkCellsOnce(ctx, beside)
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				p.log.Error("check of the cells", "err", err)
			}
			if done {
				checked = today
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// tick sweeps what nobody needs any more and enqueues what is due now. It is idempotent: every job finds out itself
// whether there is something to do.
func (p *platform) tick(ctx context.Context, now time.Time) error {
	if _, err := p.rewards.Lapse(ctx); survey.KindOf(err) == survey.Unauthorized { // what else is due does not wait for the key
		p.log.Error("holds whose time has passed stay open", "err", err)
	} else if err != nil {
		return err
	}
	if n, bytes, err := p.tiles.Sweep(ctx); err != nil {
		return err
	} else if n > 0 {
		p.log.Info("removed tile archives that nothing names", "archives", n, "bytes", bytes)
	}
	if n, err := visionworker.Expire(ctx, p.db, p.store, now.Add(-visionworker.KeepOriginals)); err != nil {
		return err
	} else if n > 0 {
		p.log.Info("originals expired", "objects", n)
	}
	if _, err := ingestapi.Sweep(ctx, ingestapi.Deps{DB: p.db, Store: p.store, Log: p.log, Clock: p.set.clock()}, 0); err != nil {
		return err
	}
	if err := p.reindexRoads(ctx); err != nil {
		return err
	}
	epochs, err := p.rewards.OpenEpochs(ctx, now)
	if err != nil {
		return err
	}
	if err := p.enqueueDue(ctx, epochs); err != nil {
		return err
	}
	return p.keepAuditHead(ctx) // last: what it finds must keep nobody's pay back
}

func (p *platform) enqueueDue(ctx context.Context, epochs []survey.Epoch) error {
	return p.db.Tx(ctx, func(tx *state.Tx) error {
		for _, ep := range epochs {
			if err := tx.Enqueue(ctx, state.CloseArgs{Epoch: ep}); err != nil {
				return err
			}
		}
		if err := tx.Enqueue(ctx, state.TilesArgs{}); err != nil {
			return err
		}
		return tx.Enqueue(ctx, state.ExportArgs{})
	})
}

// demoPath is a drive of about 1.7 km along the sea front and the boulevards of Monaco, by hand from a map.
var demoPath = []geo.Point{
	{Lat: 43.7279, Lon: 7.4140}, {Lat: 43.7297, Lon: 7.4166}, {Lat: 43.7318, Lon: 7.4190}, {Lat: 43.7342, Lon: 7.4211},
	{Lat: 43.7366, Lon: 7.4235}, {Lat: 43.7390, Lon: 7.4270}, {Lat: 43.7408, Lon: 7.4294}, {Lat: 43.7427, Lon: 7.4315},
}

// makeDemo renders a drive of one frame every 8 m at 10 m/s that ends an hour before now.
func makeDemo(ctx context.Context, dir string, now time.Time) error {
	tmp := dir + ".tmp"
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	if err := os.MkdirAll(tmp, 0o700); err != nil {
		return survey.Errorf(survey.Unavailable, "demo drive: %w", err)
	}
	shots := synth.Path(demoPath, 8, 10, now.Add(-time.Hour).UTC().Truncate(time.Second))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(2)
	for i, s := range shots {
		g.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			b := synth.JPEG(synth.Picture{W: 1280, H: 720, Seed: uint64(i), Point: &s.Point, GPSTime: s.Time, Taken: s.Time, Offset: "+00:00", Heading: &s.Heading, DOP: 1.2, Make: "roadcomb", Model: "demo"})
			return os.WriteFile(filepath.Join(tmp, s.Name), b, 0o600)
		})
	}
	if err := g.Wait(); err != nil {
		return survey.Errorf(survey.Unavailable, "demo drive: %w", err).WithHint("check the free space of the disk")
	}
	os.RemoveAll(dir)
	return os.Rename(tmp, dir)
}

type serveCmd struct {
	settings
	webSettings
	querySettings
	tlsSettings
}

func (c *serveCmd) Run(ctx context.Context, e *environ) error {
	if err := c.outside("serve"); err != nil {
		return err
	}
	return withPlatform(ctx, c.settings, e, func(p *platform) error { return c.run(ctx, e, p) })
}

func (c *serveCmd) run(ctx context.Context, e *environ, p *platform) error {
	l, err := listen(c.Listen, "--listen")
	if err != nil {
		return err
	}
	if p.queries, err = p.openQueries(c.querySettings); err != nil {
		l.Close()
		return err
	}
	secured, base, err := c.tlsSettings.secure(l, p.log)
	if err != nil {
		l.Close()
		return err
	}
	l = secured
	if c.Public == "" {
		c.Public = base
	}
	h, err := p.handler(c.base(l), c.webSettings)
	if err != nil {
		l.Close()
		return err
	}
	if strings.HasPrefix(base, "https://") {
		h = onlyHTTPS(h)
	}
	fmt.Fprintf(e.stdout, "map: %s/\n", base)
	fmt.Fprintf(e.stdout, "drivers: %s/drive.html (your own token: driver_token in %s; for others: roadcomb contributors add NAME)\n", base, filepath.Join(c.Home, "secrets.json"))
	fmt.Fprintf(e.stdout, "operators: %s/operator/ (make an account: roadcomb operators add NAME --role admin)\n", base)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return httpx.Serve(gctx, l, h, p.log) })
	if p.queries != nil {
		fmt.Fprintf(e.stdout, "datasets: grpc://%s\n", p.queries.addr())
		g.Go(func() error { return p.queries.run(gctx) })
	}
	g.Go(func() error { return p.serveMetrics(gctx) })
	return g.Wait()
}

// outside refuses embedded servers for a verb that shares them with other processes.
func (s settings) outside(verb string) error {
	if s.State == "" || s.S3 == "" {
		return exit{ExitUsage, verb + " shares its servers with other processes: set --state to a postgres:// URL and --s3 to an S3 server, or run `roadcomb up`"}
	}
	return nil
}

type workCmd struct{ settings }

func (workCmd) Help() string {
	return "Start as many as there are machines. Stop with Ctrl-C: running jobs finish, or run again elsewhere."
}

func (c *workCmd) Run(ctx context.Context, e *environ) error {
	if err := c.outside("work"); err != nil {
		return err
	}
	if err := priority.Yield(c.Nice); err != nil { // a sandbox may forbid it
		e.log.Warn("workers do not give way to other processes", "err", err)
	}
	return withPlatform(ctx, c.settings, e, func(p *platform) error {
		stop, err := p.startWorkers(ctx, time.Second)
		if err != nil {
			return err
		}
		fmt.Fprintln(e.stdout, "working")
		err = p.serveMetrics(ctx) // until ctx ends
		stop()
		return err
	})
}

type tickCmd struct {
	settings
	foldSettings
}

func (tickCmd) Help() string {
	return "Enqueues what is due: closing epochs, tiles and datasets of the day. Run it from a timer; workers do the work. When the lake has all changes, it also compares the cells with the lake's observations, as `roadcomb cells check` does, reading only days that are new or changed since the last time; a difference ends it with an error."
}

func (c *tickCmd) Run(ctx context.Context, e *environ) error {
	if err := c.outside("tick"); err != nil {
		return err
	}
	return withPlatform(ctx, c.settings, e, func(p *platform) error {
		if err := p.tick(ctx, c.now()); err != nil {
			return err
		}
		_, err := p.checkCellsOnce(ctx, c.foldSettings)
		return err
	})
}
