package app

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"

	datasetsapi "github.com/roadcomb/roadcomb/datasets/api"
	"github.com/roadcomb/roadcomb/datasets/archive"
	dataworker "github.com/roadcomb/roadcomb/datasets/worker"
	ingestapi "github.com/roadcomb/roadcomb/ingest/api"
	ingestworker "github.com/roadcomb/roadcomb/ingest/worker"
	"github.com/roadcomb/roadcomb/pkg/drivers"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/hex/cells"
	"github.com/roadcomb/roadcomb/pkg/hex/cellsapi"
	"github.com/roadcomb/roadcomb/pkg/hex/freshness"
	"github.com/roadcomb/roadcomb/pkg/hex/roadstate"
	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/operators"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/store/embeds3"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/telemetry"
	rewardsworker "github.com/roadcomb/roadcomb/rewards/worker"
	tilesapi "github.com/roadcomb/roadcomb/tiles/api"
	"github.com/roadcomb/roadcomb/tiles/purge"
	"github.com/roadcomb/roadcomb/tiles/viewer"
	tilesworker "github.com/roadcomb/roadcomb/tiles/worker"
	visionapi "github.com/roadcomb/roadcomb/vision/api"
	"github.com/roadcomb/roadcomb/vision/detect"
	"github.com/roadcomb/roadcomb/vision/infer"
	"github.com/roadcomb/roadcomb/vision/lab"
	"github.com/roadcomb/roadcomb/vision/models"
	visionworker "github.com/roadcomb/roadcomb/vision/worker"
)

// platform is every stage wired over one store and one state database. up, serve, work, tick and process are choices of
// which of its parts run; there is no other wiring.
type platform struct {
	set     settings
	log     *slog.Logger
	secrets secrets
	signing ed25519.PrivateKey // nil where this process has not the network's key
	db      *state.DB
	store   *store.Store
	s3      *embeds3.Server // nil with an outside store
	purge   *purge.Hook     // nil without a cache to tell

	ingest   *ingestworker.Worker
	vision   *visionworker.Worker
	lab      *lab.Lab // its process is started when it is first needed
	cells    *cells.Cells
	roads    *roadstate.Roads // nil without an OSM extract
	tiles    *tilesworker.Worker
	datasets *dataworker.Worker
	rewards  *rewardsworker.Worker
	queries  *queries // nil where questions about the datasets are not answered

	// hold keeps the folds (tiles, export) from running as jobs: process runs them once at the end, as of one instant.
	hold atomic.Bool
	// steps is how long each stage took, for reports.
	steps stopwatch

	tel       *telemetry.Telemetry
	readiness readiness
}

// openPlatform opens the servers and wires the stages. Close it.
func openPlatform(ctx context.Context, set settings, log *slog.Logger) (p *platform, err error) {
	open := &platform{set: set, log: log}
	defer func() {
		if err != nil {
			open.close()
		}
	}()
	return open, open.start(ctx)
}

// withPlatform opens the platform for the length of fn.
func withPlatform(ctx context.Context, set settings, e *environ, fn func(*platform) error) (err error) {
	p, err := openPlatform(ctx, set, e.log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	return fn(p)
}

func (p *platform) start(ctx context.Context) (err error) {
	set, log := p.set, p.log
	if p.secrets, err = loadSecrets(set.Home); err != nil {
		return err
	}
	// Before the embedded store, which changes the working folder that models and library are searched from.
	if p.lab, err = newLab(set.Models, set.Hide, set.on(), set.Nice, log); err != nil {
		return err
	}
	if set.Roads != "" {
		if p.roads, err = roadstate.Open(ctx, set.Roads); err != nil {
			return err
		}
	}
	if p.db, err = state.Open(ctx, set.database(), log); err != nil {
		return err
	}
	if p.roads != nil { // before any drive is indexed
		if err = p.roads.Count(ctx, p.db); err != nil {
			return err
		}
	}
	sc := store.Config{Endpoint: set.S3, AccessKey: set.S3Key, SecretKey: set.S3Secret, Region: set.S3Region, Prefix: set.S3Prefix, PublicEndpoint: set.S3Public}
	if set.S3 == "" {
		var opts []embeds3.Option
		if set.Throwaway {
			opts = append(opts, embeds3.Volatile)
		}
		if p.s3, err = embeds3.Start(ctx, filepath.Join(set.Home, "objects"), set.S3Listen, p.secrets.S3Key, p.secrets.S3Secret.Reveal(), opts...); err != nil {
			return err
		}
		sc.Endpoint, sc.AccessKey, sc.SecretKey = p.s3.Endpoint, p.secrets.S3Key, p.secrets.S3Secret
	}
	if p.store, err = store.Open(ctx, sc); err != nil {
		return err
	}
	if err = p.openSigning(ctx); err != nil {
		return err
	}
	if p.purge, err = set.hook(p.db); err != nil {
		return err
	}
	if err = p.openTelemetry(ctx); err != nil {
		return err
	}
	p.wire()
	return set.Payout.apply(p.rewards)
}

// resolution is the H3 resolution of cells.
const resolution = 12

func (p *platform) wire() {
	_, vis := p.set.jobs()
	p.ingest = &ingestworker.Worker{DB: p.db, Store: p.store, Log: p.log, NewPinner: func() ingestworker.Pinner { return hex.NewPinner(resolution) }}
	p.cells = &cells.Cells{DB: p.db, Log: p.log}
	if p.roads != nil {
		p.cells.Also = func(ctx context.Context, tx *state.Tx, id survey.DriveID) error {
			_, err := p.roads.Index(ctx, tx, id)
			return err
		}
	}
	p.tiles = &tilesworker.Worker{DB: p.db, Store: p.store, Log: p.log, Purge: p.purge}
	p.datasets = &dataworker.Worker{DB: p.db, Store: p.store, Log: p.log, Freshness: freshness.Current(), Key: p.signing}
	p.rewards = &rewardsworker.Worker{DB: p.db, Store: p.store, Log: p.log, Regions: p.regions(), Keys: rewardsworker.NewKeys(p.signing), Key: p.signing}
	p.vision = &visionworker.Worker{DB: p.db, Store: p.store, Log: p.log, Timings: &visionworker.Timings{}, Lab: p.lab, Config: visionworker.Config{Workers: vis, Features: p.set.features()}}
	p.rehearse()
}

// newLab is where pictures are worked on: a child of this program, started as `roadcomb lab` when it is needed. It gets
// what it needs to find models and library, and nothing else of this process's environment, which may hold keys.
func newLab(modelsDir string, hide []string, rehearses bool, nice int, log *slog.Logger) (*lab.Lab, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, survey.Errorf(survey.Unavailable, "working folder: %w", err)
	}
	c := lab.Command{Args: []string{"lab", "--nice", strconv.Itoa(nice)}, Dir: dir, Log: log}
	if modelsDir != "" {
		if modelsDir, err = filepath.Abs(modelsDir); err != nil {
			return nil, err
		}
		c.Args = append(c.Args, "--models", modelsDir)
	}
	if rehearses {
		c.Args = append(c.Args, "--rehearses")
	}
	for _, class := range hide {
		c.Args = append(c.Args, "--hide", class)
	}
	for _, name := range []string{infer.LibraryEnv, "LD_LIBRARY_PATH", "TMPDIR", "HOME", "PATH", "GOMAXPROCS", "GODEBUG"} {
		if v, ok := os.LookupEnv(name); ok {
			c.Env = append(c.Env, name+"="+v)
		}
	}
	return lab.New(c), nil
}

// checkPrivacy warns at the start, not at the first frame, when nothing can be published.
func (p *platform) checkPrivacy(ctx context.Context) {
	if err := p.lab.Check(ctx); err != nil && ctx.Err() == nil {
		p.log.Warn("nothing will be published", "err", err)
	}
}

// guard is the detectors and the runtime they run in.
type guard struct {
	*detect.Guard
	rt  *infer.Runtime
	set models.Set
}

// openGuard loads the best complete set of privacy models in dir, or the built-in one.
func openGuard(dir string, also ...survey.Class) (*guard, error) {
	return openGuardWith(dir, detect.Options{}, also...)
}

func openGuardWith(dir string, o detect.Options, also ...survey.Class) (*guard, error) {
	set, err := models.OpenFor(dir, also)
	if err != nil {
		return nil, err
	}
	lib, err := infer.FindLibrary()
	if err != nil {
		return nil, err
	}
	rt, err := infer.Open(lib)
	if err != nil {
		return nil, err
	}
	g, err := detect.Open(rt, set, o)
	if err != nil {
		rt.Close()
		return nil, err
	}
	return &guard{g, rt, set}, nil
}

func (g *guard) close() error {
	g.Guard.Close()
	return g.rt.Close()
}

func (p *platform) close() error {
	var errs []error
	if p.tel != nil {
		errs = append(errs, p.tel.Close())
	}
	if p.lab != nil {
		errs = append(errs, p.lab.Close())
	}
	if p.db != nil {
		errs = append(errs, p.db.Close())
	}
	if p.store != nil {
		p.store.Close()
	}
	if p.s3 != nil {
		errs = append(errs, p.s3.Close())
	}
	return errors.Join(errs...)
}

// handlers is the one place where kinds of jobs meet the functions that do them.
func (p *platform) handlers() *state.Handlers {
	h := state.NewHandlers(p.log)
	h.Around = p.job
	state.Handle(h, func(ctx context.Context, a state.IngestArgs) error {
		defer p.steps.time("ingest")()
		return p.ingest.Ingest(ctx, a.UploadID)
	})
	state.Handle(h, func(ctx context.Context, a state.VisionArgs) error {
		defer p.steps.time("vision")()
		return p.vision.Part(ctx, a)
	})
	state.Handle(h, func(ctx context.Context, a state.IndexArgs) error {
		defer p.steps.time("index")()
		return p.cells.Index(ctx, a)
	})
	state.HandleTogether(h, p.db, func(ctx context.Context, _ state.TilesArgs) error {
		if p.hold.Load() {
			return nil
		}
		defer p.steps.time("tiles")()
		return p.tiles.Run(ctx)
	})
	state.HandleTogether(h, p.db, func(ctx context.Context, _ state.ExportArgs) error {
		if p.hold.Load() {
			return nil
		}
		defer p.steps.time("datasets")()
		if err := p.datasets.Export(ctx); err != nil {
			return err
		}
		return p.archive(ctx, time.Now())
	})
	state.Handle(h, func(ctx context.Context, a state.CloseArgs) error {
		defer p.steps.time("rewards")()
		return p.rewards.Close(ctx, a.Epoch)
	})
	return h
}

// archive names the day's first snapshot in a new root; later ones wait for the next day, so that the chain of roots
// grows by one a day. It is left to a process that has the network's key.
func (p *platform) archive(ctx context.Context, now time.Time) error {
	if p.signing == nil {
		return nil
	}
	place := archive.Buckets{Store: p.store}
	h, _, err := archive.Current(ctx, place, nil)
	if survey.KindOf(err) == survey.NotFound {
		h, err = archive.Head{}, nil
	}
	if err != nil || h.AsOf >= now.UTC().Truncate(24*time.Hour).Unix() {
		return err
	}
	defer p.steps.time("archive")()
	_, _, err = archive.Publish(ctx, place, p.signing)
	return err
}

// startWorkers begins working jobs; the returned function stops and waits.
func (p *platform) startWorkers(ctx context.Context, poll time.Duration) (stop func(), err error) {
	go p.checkPrivacy(ctx)
	other, _ := p.set.jobs()
	// One vision job at a time: it looks at its frames side by side itself, so a short drive uses all cores too.
	w, err := p.db.NewWorker(p.handlers(), state.JobConfig{Default: other, Vision: 1, Poll: poll}, p.log)
	if err != nil {
		return nil, err
	}
	// The workers outlive ctx, so that stop can let running jobs finish.
	if err := w.Start(context.WithoutCancel(ctx)); err != nil {
		return nil, fmt.Errorf("start workers: %w", err)
	}
	return func() {
		grace, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := w.Stop(grace); err != nil {
			p.log.Warn("jobs did not finish in time and will run again", "err", err)
			hard, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			w.StopAndCancel(hard)
		}
	}, nil
}

// handler is the whole HTTP surface: APIs, tiles and the web map. base is the address in links; w what
// is served beside the APIs.
func (p *platform) handler(base string, w webSettings) (http.Handler, error) {
	mux := &httpx.Routes{}
	if err := p.register(mux, base, w); err != nil {
		return nil, err
	}
	return httpx.Wrap(p.tel.HTTP(mux), httpx.Options{Log: p.log, MaxRequests: p.set.requests()}), nil
}

// register adds every route to mux.
func (p *platform) register(mux *httpx.Routes, base string, w webSettings) error {
	return p.registerOn(httpx.NewAPI(mux, "roadcomb", Version), mux, base, w)
}

// registerOn adds every operation to api, whose routes are mux's, and the pages.
func (p *platform) registerOn(api huma.API, mux *httpx.Routes, base string, w webSettings) error {
	oidc, err := p.set.OIDC.config(base)
	if err != nil {
		return err
	}
	op := operators.New(p.db, operators.Config{RootToken: p.secrets.Operator, OIDC: oidc, Secure: strings.HasPrefix(base, "https://"), Log: p.log})
	op.Register(mux, api)
	drv := drivers.New(p.db, drivers.Config{Secure: strings.HasPrefix(base, "https://"), Clock: p.set.clock()})
	drv.Register(api)
	if err := p.consoleRoutes(mux, api, op); err != nil {
		return err
	}
	ingestapi.Register(mux, api, ingestapi.Deps{DB: p.db, Store: p.store, Log: p.log, Operators: op, Drivers: drv, Clock: p.set.clock(), Limits: p.set.limits()})
	visionapi.Register(mux, api, visionapi.Deps{DB: p.db, Store: p.store, Operators: op})
	cellsapi.Register(mux, api, cellsapi.Deps{DB: p.db, Log: p.log, Operators: op, Roads: p.roads})
	tilesapi.Register(mux, api, tilesapi.Deps{DB: p.db, Store: p.store, Log: p.log, Operators: op, Purge: p.purge,
		Config: tilesapi.Config{PublicURL: base, Basemap: w.Basemap}})
	if err := p.registerRewards(mux, api, op, drv); err != nil {
		return err
	}
	archive.Register(api, archive.Buckets{Store: p.store})
	if p.queries != nil {
		if err := datasetsapi.Register(mux, api, datasetsapi.Deps{Access: p.queries.access, Backend: p.queries.backend, Snapshot: p.queries.snapshot, Dialect: p.queries.dialect, Log: p.log}); err != nil {
			return err
		}
	}
	// The page uploads straight to the object store.
	connect := p.set.S3
	switch {
	case p.set.S3Public != "":
		connect = p.set.S3Public
	case p.s3 != nil:
		connect = p.s3.Endpoint
	}
	page, err := viewer.Handler(viewer.Config{Dir: w.Web, Connect: []string{connect}})
	if err != nil {
		return err
	}
	mux.Handle("/", page)
	mux.HandleFunc("/v1/", func(w http.ResponseWriter, r *http.Request) {
		httpx.WriteProblem(w, r, survey.Errorf(survey.NotFound, "there is no such operation").WithHint("GET /v1/openapi.json lists them"))
	})
	return nil
}

// listen opens addr; a taken port says so and what to do.
func listen(addr, flag string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, survey.Errorf(survey.Conflict, "listen on %s: %w", addr, err).WithHint("another program uses the port; stop it or choose another with %s", flag)
	}
	return l, nil
}
