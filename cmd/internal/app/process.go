package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/roadcomb/roadcomb/datasets/snapshot"
	ingestapi "github.com/roadcomb/roadcomb/ingest/api"
	"github.com/roadcomb/roadcomb/ingest/upload"
	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	rewardsworker "github.com/roadcomb/roadcomb/rewards/worker"
	"github.com/roadcomb/roadcomb/tiles/archive"
)

type processCmd struct {
	Paths       []string      `arg:"" help:"Files and folders: images, GPX, NMEA, films." type:"path"`
	Out         string        `help:"Folder for the results; results of an earlier run in it are replaced." required:"" type:"path" placeholder:"DIR"`
	Models      string        `help:"Folder of privacy models; empty for the ones that set-up installed. A folder without them publishes nothing." env:"ROADCOMB_MODELS" type:"path" placeholder:"DIR"`
	Roads       string        `help:"OSM extract (.osm.pbf): match the drives to its roads and count the metres covered." env:"ROADCOMB_ROADS" type:"path" placeholder:"FILE"`
	AsOf        string        `help:"Instant (RFC 3339 or a date) that freshness is computed for; default: the end of the week of the newest frame." placeholder:"TIME"`
	CapturedAt  time.Time     `help:"Start assumed for footage without any time." placeholder:"TIME"`
	AssumeSpeed float64       `help:"Speed in m/s that spreads frames without times along their path." placeholder:"M/S"`
	ClockOffset time.Duration `help:"Added to camera times (not to GPS times), for example 2h1m32s or -90s."`
	Trim        float64       `help:"Metres cut from both ends of each drive before anything is published; 0 keeps all: the results stay on this machine." default:"0"`
	Payout      string        `help:"Address (0x…) that earns; empty for one reserved for the local contributor." placeholder:"ADDRESS"`
	Work        string        `help:"Keep the working store and database in this folder." type:"path" placeholder:"DIR"`
	SigningKey  survey.Secret `help:"Ed25519 key (32 bytes in base64) that signs the snapshot of the datasets and the epochs of rewards; empty for no signature." env:"ROADCOMB_SIGNING_KEY" placeholder:"KEY"`
	Jobs        int           `help:"Frames that vision looks at side by side; 0 means one for each core."`
	Hide        []string      `help:"Hidden besides faces and plates: person, vehicle. Needs a model for it in --models; without one nothing is published." enum:"person,vehicle" env:"ROADCOMB_HIDE" placeholder:"CLASS"`
	Features    string        `help:"What is looked for beside the road: none, signs, or all (signs, and text in every second frame)." enum:"none,signs,all" default:"all" env:"ROADCOMB_FEATURES"`
	JSON        bool          `help:"Print the report as JSON instead of a table."`
}

func (processCmd) Help() string {
	return "Runs upload, ingest, vision, cells, tiles, datasets and rewards exactly as the servers do, on a store of its own, and writes DIR/report.json, frames, tiles, datasets and rewards."
}

// localContributor is who earns in process: fixed, so that two runs agree.
const localContributor survey.ContributorID = "00000000000000000000000000000001"

func (c *processCmd) Run(ctx context.Context, e *environ) (err error) {
	began := time.Now()
	var asOf time.Time
	if c.AsOf != "" {
		if asOf, err = parseInstant(c.AsOf); err != nil {
			return exit{ExitUsage, err.Error()}
		}
	}
	if err := checkOut(c.Out); err != nil {
		return err
	}
	work := c.Work
	if work == "" {
		// Beside the results: same disk, so that a full one is noticed here and nowhere else.
		if work, err = os.MkdirTemp(c.Out, ".work-"); err != nil {
			return survey.Errorf(survey.Unavailable, "work folder: %w", err)
		}
		defer os.RemoveAll(work)
	}
	p, err := openPlatform(ctx, settings{Home: work, Throwaway: true, S3Listen: "127.0.0.1:0", Models: c.Models, Vision: c.Jobs, Roads: c.Roads, Features: c.Features, Hide: c.Hide, SigningKey: c.SigningKey}, e.log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()

	p.rewards.Keys = rewardsworker.NewKeys(p.secrets.signer()) // of this store alone, whichever key signs the snapshot
	if c.SigningKey == "" {                                    // the work folder's own key is nobody's
		p.signing, p.datasets.Key, p.rewards.Key = nil, nil, nil
	}
	// Received is a function of the footage, not of the day of the run, so that two runs agree to the byte.
	var mu sync.Mutex
	newest := time.Time{}
	p.hold.Store(true)
	p.ingest.Config.NoTrim = c.Trim == 0
	p.ingest.Config.ExifTool, _ = exec.LookPath("exiftool") // one's own films; without it fewer kinds are read
	p.ingest.Received = func(t time.Time) time.Time {
		mu.Lock()
		defer mu.Unlock()
		if t.After(newest) {
			newest = t
		}
		if !asOf.IsZero() {
			return asOf.Add(-time.Microsecond)
		}
		return survey.EpochOf(t).End().Add(-time.Microsecond)
	}
	if err := p.ensureLocal(ctx); err != nil {
		return err
	}
	if c.Payout != "" {
		if err := ingestapi.SetPayout(ctx, p.db, localContributor, c.Payout); err != nil {
			return exit{ExitUsage, err.Error()}
		}
	}
	base, stopHTTP, err := p.serveLoopback()
	if err != nil {
		return err
	}
	defer stopHTTP()
	stopWorkers, err := p.startWorkers(ctx, 25*time.Millisecond)
	if err != nil {
		return err
	}
	defer stopWorkers()

	watch := newWatcher(e.stderr)
	client := upload.Client{BaseURL: base, Token: p.secrets.DriverToken.Reveal()}
	res, err := client.Upload(ctx, c.Paths, survey.UploadOptions{CapturedAt: c.CapturedAt, AssumeSpeed: c.AssumeSpeed, ClockOffset: c.ClockOffset, TrimMeters: c.Trim, Client: "roadcomb process"}, watch.progress)
	watch.done()
	if err != nil {
		return err
	}
	if err := p.failedJobs(ctx); err != nil {
		return err
	}
	stopWorkers()

	mu.Lock()
	if asOf.IsZero() && !newest.IsZero() {
		asOf = survey.EpochOf(newest).End()
	}
	mu.Unlock()
	r, err := makeReport(ctx, p.db, res)
	if err != nil {
		return err
	}
	if !asOf.IsZero() {
		r.AsOf = asOf.Format(time.RFC3339)
	}
	if p.roads != nil {
		if r.Roads, err = p.roadsReport(ctx); err != nil {
			return err
		}
	}
	if r.Published > 0 {
		if r.Epochs, err = p.fold(ctx, asOf); err != nil {
			return err
		}
	}
	stop := p.steps.time("write")
	if err := p.collect(ctx, c.Out); err != nil {
		return err
	}
	stop()
	r.Timings = p.steps.seconds()
	for _, t := range p.vision.Timings.Steps() {
		r.Timings["vision/"+t.Step] = t.Total.Seconds()
	}
	r.Timings["total"] = time.Since(began).Seconds()
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := writeFileAtomic(filepath.Join(c.Out, "report.json"), append(b, '\n'), 0o644); err != nil {
		return survey.Errorf(survey.Unavailable, "write report: %w", err)
	}
	if c.JSON {
		if err := writeJSON(e.stdout, r); err != nil {
			return err
		}
	} else {
		r.table(e.stdout, c.Out)
	}
	switch {
	case r.Inputs == 0:
		return exit{ExitInput, fmt.Sprintf("no files in %s; give a folder with images, or a film", strings.Join(c.Paths, ", "))}
	case r.Quarantined > 0 && r.Published == 0:
		return exit{ExitPrivacy, "nothing was published, because privacy could not be assured; install the models with `roadcomb models pull` or check --models"}
	case r.Quarantined > 0:
		return exit{ExitPrivacy, fmt.Sprintf("%d frames were held back, because privacy could not be assured", r.Quarantined)}
	case r.Accepted == 0:
		return exit{ExitRejected, "no file could be used; the report says why"}
	case r.Rejected > 0:
		return exit{ExitRejected, ""}
	}
	return nil
}

func parseInstant(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, survey.Errorf(survey.Invalid, "--as-of %q is neither RFC 3339 (2024-05-13T00:00:00Z) nor a date", s)
}

// results are the names process owns in its output folder.
var results = []string{"frames", "tiles", "datasets", "rewards", "report.json"}

// checkOut makes the folder, and refuses one that holds something else than earlier results.
func checkOut(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return survey.Errorf(survey.Unavailable, "output folder: %w", err).WithHint("choose a folder you may write to with --out")
	}
	es, err := os.ReadDir(dir)
	if err != nil {
		return survey.Errorf(survey.Unavailable, "output folder: %w", err)
	}
	for _, f := range es {
		known := strings.HasPrefix(f.Name(), ".")
		for _, n := range results {
			known = known || f.Name() == n
		}
		if !known {
			return exit{ExitUsage, fmt.Sprintf("--out %s holds %q, which is not a result of roadcomb; give an empty folder", dir, f.Name())}
		}
	}
	return nil
}

// serveLoopback serves the driver's API on a free loopback port.
func (p *platform) serveLoopback() (base string, stop func(), err error) {
	l, err := listen("127.0.0.1:0", "")
	if err != nil {
		return "", nil, err
	}
	mux := http.NewServeMux()
	ingestapi.Register(mux, httpx.NewAPI(mux, "roadcomb", Version), ingestapi.Deps{DB: p.db, Store: p.store, Log: p.log})
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go srv.Serve(l)
	return "http://" + l.Addr().String(), func() { srv.Close() }, nil
}

// failedJobs is an error when a job used up its attempts.
func (p *platform) failedJobs(ctx context.Context) error {
	jobs, err := p.db.Jobs(ctx)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if j.Failed > 0 {
			return fmt.Errorf("%d %s jobs failed for good; run again with --log info to see why", j.Failed, j.Kind)
		}
	}
	return nil
}

// fold runs the last stages once, as of one instant, and gives the epochs that were closed.
func (p *platform) fold(ctx context.Context, asOf time.Time) ([]string, error) {
	p.tiles.Config.AsOf, p.datasets.AsOf = asOf, asOf
	done := p.steps.time("rewards")
	far := asOf.AddDate(1, 0, 0) // past every cut-off of an epoch that ends by asOf
	p.rewards.Clock = func() time.Time { return far }
	epochs, err := p.rewards.OpenEpochs(ctx, far)
	if err != nil {
		return nil, err
	}
	closed := []string{}
	for _, ep := range epochs {
		if !ep.End().After(survey.EpochOf(asOf.Add(-time.Microsecond)).End()) {
			if err := p.rewards.Close(ctx, ep); err != nil {
				return nil, err
			}
			closed = append(closed, ep.String())
		}
	}
	done()
	done = p.steps.time("tiles")
	if _, err := p.tiles.Rebuild(ctx); err != nil {
		return nil, err
	}
	done()
	defer p.steps.time("datasets")()
	return closed, p.datasets.Export(ctx)
}

// collect copies the published objects into the output folder, replacing an earlier run's.
func (p *platform) collect(ctx context.Context, out string) error {
	next, err := os.MkdirTemp(out, ".next-")
	if err != nil {
		return survey.Errorf(survey.Unavailable, "output folder: %w", err)
	}
	defer os.RemoveAll(next)
	for _, d := range results[:4] {
		if err := os.MkdirAll(filepath.Join(next, d), 0o755); err != nil {
			return survey.Errorf(survey.Unavailable, "output folder: %w", err)
		}
	}
	rows, err := p.db.Query(ctx, `SELECT id, public_key FROM frames WHERE state = 'published' ORDER BY id`)
	if err != nil {
		return err
	}
	type frame struct{ id, key string }
	var frames []frame
	for rows.Next() {
		var f frame
		if err := rows.Scan(&f.id, &f.key); err != nil {
			rows.Close()
			return err
		}
		frames = append(frames, f)
	}
	rows.Close()
	for _, f := range frames {
		if err := p.copyOut(ctx, store.Public, f.key, filepath.Join(next, "frames", f.id+".jpg")); err != nil {
			return err
		}
	}
	if b, _, err := p.store.Get(ctx, store.Public, store.TileManifestKey, 64<<20); err == nil {
		m, err := archive.DecodeManifest(b)
		if err != nil {
			return err
		}
		for layer, t := range m.Layers {
			for i, a := range t.Archives { // one fold from nothing makes exactly one
				name := layer + ".pmtiles"
				if i > 0 {
					name = fmt.Sprintf("%s.%d.pmtiles", layer, i)
				}
				if err := p.copyOut(ctx, store.Public, a.Key, filepath.Join(next, "tiles", name)); err != nil {
					return err
				}
			}
		}
		if err := os.WriteFile(filepath.Join(next, "tiles", "manifest.json"), b, 0o644); err != nil {
			return survey.Errorf(survey.Unavailable, "write tiles: %w", err)
		}
	} else if survey.KindOf(err) != survey.NotFound {
		return err
	}
	if err := p.collectDatasets(ctx, filepath.Join(next, "datasets")); err != nil {
		return err
	}
	err = p.store.List(ctx, store.Ledger, "epochs/", func(o store.Info) error {
		return p.copyOut(ctx, store.Ledger, o.Key, filepath.Join(next, "rewards", filepath.FromSlash(strings.TrimPrefix(o.Key, "epochs/"))))
	})
	if err != nil {
		return err
	}
	for _, d := range results[:4] {
		dst := filepath.Join(out, d)
		if err := os.RemoveAll(dst); err != nil {
			return survey.Errorf(survey.Unavailable, "replace %s: %w", dst, err)
		}
		if err := os.Rename(filepath.Join(next, d), dst); err != nil {
			return survey.Errorf(survey.Unavailable, "replace %s: %w", dst, err)
		}
	}
	return nil
}

func (p *platform) collectDatasets(ctx context.Context, dir string) error {
	snap, manifest, signature, err := snapshot.CurrentSigned(ctx, p.store)
	if survey.KindOf(err) == survey.NotFound {
		return nil
	} else if err != nil {
		return err
	}
	for _, d := range snap.Datasets {
		for _, f := range d.Files {
			if err := p.copyOut(ctx, store.Lake, f.Path, filepath.Join(dir, filepath.FromSlash(f.Path))); err != nil {
				return err
			}
		}
	}
	for name, b := range map[string][]byte{snapshot.FileName: manifest, snapshot.SignatureFileName: signature} {
		if b == nil { // not signed
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return survey.Errorf(survey.Unavailable, "write datasets: %w", err)
		}
	}
	return nil
}

func (p *platform) copyOut(ctx context.Context, b store.Bucket, key, path string) error {
	o, _, err := p.store.Open(ctx, b, key)
	if err != nil {
		return err
	}
	defer o.Close()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return survey.Errorf(survey.Unavailable, "write results: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = io.Copy(f, o)
		err = errors.Join(err, f.Close())
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return survey.Errorf(survey.Unavailable, "write results: %w", err).WithHint("check the free space of the disk")
	}
	return err
}

// watcher draws progress on a terminal and is silent elsewhere.
type watcher struct {
	w   io.Writer
	bar *progressbar.ProgressBar
	at  string
}

func newWatcher(w io.Writer) *watcher { return &watcher{w: w} }

func (w *watcher) progress(p upload.Progress) {
	if !terminal(w.w) {
		return
	}
	if w.bar == nil || w.at != string(p.Stage) {
		w.done()
		w.at = string(p.Stage)
		w.bar = progressbar.NewOptions64(p.Total, progressbar.OptionSetWriter(w.w), progressbar.OptionSetDescription(fmt.Sprintf("%-10s", p.Stage)),
			progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetWidth(30))
	}
	w.bar.ChangeMax64(p.Total)
	w.bar.Set64(p.Done)
}

func (w *watcher) done() {
	if w.bar != nil {
		w.bar.Finish()
		fmt.Fprintln(w.w)
		w.bar = nil
	}
}
