// Package chaos runs a simulated fleet over separate processes while it kills, cuts off, stalls and crashes them, and
// compares what is left with a calm run of the same drives: nothing acknowledged may be lost, nothing counted or paid
// twice, no private frame readable, and frames, tiles, datasets and epochs must be equal byte for byte.
//
// Processes are killed with SIGKILL, PostgreSQL is stopped without a checkpoint, connections are reset, stalled or delayed
// by proxies, a stalled disk is a stopped process (SIGSTOP), and clocks step in the network's own clock, not the
// machine's. Power cuts of the machine itself are not part of it.
package chaos

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/roadcomb/roadcomb/benchmarks/fleet"
	ingestapi "github.com/roadcomb/roadcomb/ingest/api"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Config of a run. Program is required.
type Config struct {
	Program string        // the roadcomb program
	Dir     string        // working folder, emptied by nobody; required
	Events  int           // 0 means 20
	Gap     time.Duration // mean time between events; 0 means 700 ms
	Longest time.Duration // after which no event begins; 0 means no bound
	Seed    uint64
	Drivers int // of each round (week); 0 means 6
	Frames  int // of a drive; 0 means 45
	Cheats  int // drivers of each round who also cheat
	Workers int // 0 means 2
	Log     io.Writer

	metrics bool // serve and workers answer /metrics
	direct  bool // no links between the processes that could be cut: they would take the processors' time from what is measured
}

// Report is what happened and what was found.
type Report struct {
	Seed        uint64         `json:"seed"`
	Events      int            `json:"events"`
	ByKind      map[string]int `json:"by_kind"`
	Rounds      int            `json:"rounds"` // weeks of drives
	Drives      int            `json:"drives"`
	UnderFire   int            `json:"drives_settled_under_fire"`
	Frames      int            `json:"frames"`
	Accepted    int            `json:"accepted"`
	Wrong       int            `json:"verdicts_not_as_the_truth"`
	Probes      int64          `json:"probes"`
	Refused     int64          `json:"probes_refused"`
	Unanswered  int64          `json:"probes_unanswered"`
	S3Faults    int64          `json:"s3_faults_answered"`
	Rescued     int            `json:"frames_an_operator_released"` // held back because workers died on them
	Files       int            `json:"files_compared"`
	Bytes       int64          `json:"bytes_compared"`
	Epochs      int            `json:"epochs_closed"`
	FireSeconds float64        `json:"seconds_under_fire"`
	HealSeconds float64        `json:"seconds_to_settle_after"`
	CalmSeconds float64        `json:"seconds_calm"`
	Violations  []string       `json:"violations"`
}

func (c Config) withDefaults() Config {
	def := func(p *int, v int) {
		if *p <= 0 {
			*p = v
		}
	}
	def(&c.Events, 20)
	def(&c.Drivers, 6)
	def(&c.Frames, 45)
	def(&c.Workers, 2)
	if c.Gap <= 0 {
		c.Gap = 700 * time.Millisecond
	}
	if c.Log == nil {
		c.Log = io.Discard
	}
	return c
}

// monday is when the first round's week begins. The network's clock stands on its Thursday.
var monday = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

const week = 7 * 24 * time.Hour

func (c Config) plan(round int) *fleet.Plan {
	return fleet.NewPlan(fleet.Config{Seed: c.Seed<<16 + uint64(round), Contributors: c.Drivers, Frames: c.Frames, Faulty: 0.3,
		Attackers: min(c.Cheats, c.Drivers), Start: monday.Add(time.Duration(round) * week)})
}

// Run does both runs and compares. The error is of what went wrong around the test; what the network did wrong is in the
// report's violations.
func Run(ctx context.Context, cfg Config) (Report, error) {
	cfg = cfg.withDefaults()
	r := Report{Seed: cfg.Seed, ByKind: map[string]int{}, Violations: []string{}}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
		return r, err
	}
	models := filepath.Join(cfg.Dir, "models")
	if err := fleet.WriteModels(models); err != nil {
		return r, err
	}
	pg, err := startPostgres(ctx, filepath.Join(cfg.Dir, "postgres"))
	if err != nil {
		return r, err
	}
	defer pg.stop()

	fire, err := open(ctx, cfg, pg, models, "fire")
	if err != nil {
		return r, fmt.Errorf("network under fire: %w", err)
	}
	err = fire.burn(ctx, &r)
	if err == nil {
		err = fire.collect(ctx, time.Duration(r.Rounds))
	}
	fire.close()
	if err != nil {
		return r, fmt.Errorf("network under fire: %w", err)
	}
	began := time.Now()
	calm, err := open(ctx, cfg, pg, models, "calm")
	if err != nil {
		return r, fmt.Errorf("calm network: %w", err)
	}
	defer calm.close()
	for round := range r.Rounds {
		if _, err := calm.round(ctx, round, nil); err != nil {
			return r, fmt.Errorf("calm network: %w", err)
		}
		if err := calm.endWeek(ctx); err != nil {
			return r, fmt.Errorf("calm network: %w", err)
		}
	}
	if err := calm.settle(ctx); err != nil {
		return r, fmt.Errorf("calm network: %w", err)
	}
	if err := calm.collect(ctx, time.Duration(r.Rounds)); err != nil {
		return r, fmt.Errorf("calm network: %w", err)
	}
	r.CalmSeconds = time.Since(began).Seconds()
	return r, compare(cfg, &r, filepath.Join(calm.dir, "out"), filepath.Join(fire.dir, "out"))
}

// network is one set of processes over a database and a store of its own.
type network struct {
	cfg     Config
	name    string
	dir     string
	pg      *postgres
	db      *state.DB // straight to the database, for looking
	dsn     string
	secrets struct {
		Key      string `json:"s3_key"`
		Secret   string `json:"s3_secret"`
		Operator string `json:"operator_token"`
	}
	models  string
	front   *s3Front
	store   *proc
	serve   *proc
	work    []*proc
	links   map[string]*link  // by "who>what"
	api     string            // base URL for drivers
	metrics map[string]string // where processes answer /metrics, by name
	acc     []fleet.Account
	shots   atomic.Int64 // settled drives

	mu    sync.Mutex
	now   int           // the round whose week it is
	crash chan struct{} // closed to end the uploaders' current tries
}

func (n *network) say(format string, args ...any) {
	fmt.Fprintf(n.cfg.Log, "%s %s: "+format+"\n", append([]any{time.Now().Format(time.TimeOnly), n.name}, args...)...)
}

// open starts the processes and waits until they run.
func open(ctx context.Context, cfg Config, pg *postgres, models, name string) (n *network, err error) {
	n = &network{cfg: cfg, name: name, dir: filepath.Join(cfg.Dir, name), pg: pg, models: models, links: map[string]*link{}, metrics: map[string]string{}, crash: make(chan struct{})}
	defer func() {
		if err != nil {
			n.close()
		}
	}()
	if err := os.MkdirAll(n.dir, 0o755); err != nil {
		return n, err
	}
	if err := n.setClock(0); err != nil {
		return n, err
	}
	home := filepath.Join(n.dir, "home")
	storePort, err := freePort()
	if err != nil {
		return n, err
	}
	storeAddr := fmt.Sprintf("127.0.0.1:%d", storePort)
	n.store = n.proc("store", "store: ", "store", "--home", home, "--listen", storeAddr)
	if err := n.store.start(ctx); err != nil {
		return n, err
	}
	b, err := os.ReadFile(filepath.Join(home, "secrets.json"))
	if err == nil {
		err = json.Unmarshal(b, &n.secrets)
	}
	if err != nil {
		return n, err
	}
	pgAddr := fmt.Sprintf("127.0.0.1:%d", pg.port)
	database := fmt.Sprintf("chaos_%s_%d", name, cfg.Seed)
	if err := state.CreatePostgres(ctx, pg.url(pgAddr, "postgres"), database); err != nil {
		return n, err
	}
	n.dsn = pg.url(pgAddr, database)
	if n.db, err = state.Open(ctx, n.dsn, nil); err != nil {
		return n, err
	}
	if n.front, err = newS3Front(storeAddr); err != nil {
		return n, err
	}
	s3Addr := n.front.addr
	if cfg.direct {
		s3Addr = storeAddr
	}
	reach := func(who, to, what string) string {
		if cfg.direct {
			return to
		}
		k, e := newLink(to)
		if e != nil {
			err = errors.Join(err, e)
			return to
		}
		n.links[who+">"+what] = k
		return k.addr
	}
	public := reach("drivers", s3Addr, "s3")
	shared := func(who string) []string {
		return append([]string{"--home", home, "--state", pg.url(reach(who, pgAddr, "pg"), database), "--s3", "http://" + reach(who, s3Addr, "s3"),
			"--s3-public", "http://" + public, "--s3-key", n.secrets.Key, "--s3-secret", n.secrets.Secret, "--models", n.models,
			"--rehearse", monday.Add(week).Format(time.RFC3339), "--clock-file", filepath.Join(n.dir, "clock")}, n.alike()...)
	}
	servePort, e := freePort()
	if err = errors.Join(err, e); err != nil {
		return n, err
	}
	serveAddr := fmt.Sprintf("127.0.0.1:%d", servePort)
	n.api = "http://" + reach("drivers", serveAddr, "api")
	observed := func(who string, args []string) []string {
		if !cfg.metrics {
			return args
		}
		port, e := freePort()
		err = errors.Join(err, e)
		at := fmt.Sprintf("127.0.0.1:%d", port)
		n.metrics[who] = "http://" + at + "/metrics"
		return append(args, "--metrics", at)
	}
	n.serve = n.proc("serve", "map: ", observed("serve", append([]string{"serve", "--listen", serveAddr, "--flight="}, shared("serve")...))...)
	for i := range cfg.Workers {
		who := fmt.Sprintf("work%d", i)
		args := append([]string{"work"}, shared(who)...)
		if cfg.direct { // as it is by default, whatever is set around
			args = append(args, "--nice", "10")
		}
		n.work = append(n.work, n.proc(who, "working", observed(who, args)...))
	}
	shared("tick")
	if err != nil {
		return n, err
	}
	for _, p := range n.procs() {
		if err := p.start(ctx); err != nil {
			return n, err
		}
	}
	return n, n.accounts(ctx)
}

func (n *network) proc(name, ready string, args ...string) *proc {
	return &proc{name: name, ready: ready, args: args, program: n.cfg.Program, log: filepath.Join(n.dir, name+".log")}
}

func (n *network) procs() []*proc { return append([]*proc{n.store, n.serve}, n.work...) }

// args are those of a verb that runs once, over the links of who; straight to the servers with "".
func (n *network) args(who string) []string {
	pgAddr, s3Addr := fmt.Sprintf("127.0.0.1:%d", n.pg.port), n.front.addr
	if who != "" {
		pgAddr, s3Addr = n.links[who+">pg"].addr, n.links[who+">s3"].addr
	}
	return append([]string{"--home", filepath.Join(n.dir, "home"), "--state", n.pg.url(pgAddr, fmt.Sprintf("chaos_%s_%d", n.name, n.cfg.Seed)), "--s3", "http://" + s3Addr,
		"--s3-key", n.secrets.Key, "--s3-secret", n.secrets.Secret, "--models", n.models}, n.alike()...)
}

// alike are settings that both networks need for the same results: one key for what they sign, and holds that lapse in the
// middle between two of the Thursdays that the clock stands on, wherever in its round a week was closed.
func (n *network) alike() []string {
	key := sha256.Sum256(fmt.Append(nil, "chaos ", n.cfg.Seed))
	return []string{"--signing-key", base64.StdEncoding.EncodeToString(key[:]), "--payout-appeal-days", "10"}
}

// accounts makes contributors whose ids and payouts are the same in both networks.
func (n *network) accounts(ctx context.Context) error {
	for i := range n.cfg.plan(0).Accounts() {
		a := fleet.Account{ID: survey.ContributorID(fmt.Sprintf("%032x", 0xc0de<<16+i)), Token: fmt.Sprintf("token-%d-%d", n.cfg.Seed, i)}
		if err := ingestapi.EnsureContributor(ctx, n.db, a.ID, fmt.Sprintf("driver %d", i), a.Token); err != nil {
			return err
		}
		if err := ingestapi.SetPayout(ctx, n.db, a.ID, fleet.Payout(n.cfg.Seed, i)); err != nil {
			return err
		}
		n.acc = append(n.acc, a)
	}
	return nil
}

// setClock puts the network's clock on the Thursday of a round's week.
func (n *network) setClock(round int) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.now = round
	return n.writeClock(0)
}

// stepClock puts it off by step, until the next round or step.
func (n *network) stepClock(step time.Duration) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.writeClock(step)
}

func (n *network) writeClock(step time.Duration) error {
	thursday := monday.Add(time.Duration(n.now)*week + 3*24*time.Hour + 12*time.Hour)
	path := filepath.Join(n.dir, "clock")
	if err := os.WriteFile(path+".new", []byte((time.Until(thursday) + step).Round(time.Second).String()), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// round drives one week. crash may be nil.
func (n *network) round(ctx context.Context, round int, crash func() <-chan struct{}) (fleet.Summary, error) {
	if err := n.setClock(round); err != nil {
		return fleet.Summary{}, err
	}
	time.Sleep(1100 * time.Millisecond) // the processes read it every second
	t := n.target(8)
	t.Patience, t.Crash = 30*time.Minute, crash
	t.Outcome = func(o fleet.Outcome) {
		n.shots.Add(1)
		if o.Err != "" {
			n.say("drive %s: %s", o.Drive, o.Err)
		}
	}
	return fleet.Run(ctx, n.cfg.plan(round), t)
}

// target is this network for so many drives at a time; 0 means the fleet's default.
func (n *network) target(parallel int) fleet.Target {
	return fleet.Target{Server: n.api, Account: fleet.Known(n.acc), Parallel: parallel, Dir: n.dir}
}

// tick runs the timer's verb once.
func (n *network) tick(ctx context.Context) error {
	p := n.proc("tick", "", append(append([]string{"tick"}, n.args("tick")...), n.rehearsal()...)...)
	return p.run(ctx)
}

// endWeek ticks until it works, as a timer does in the long run, and waits until the weeks that ended are closed: what a hold
// waits for is counted from then.
func (n *network) endWeek(ctx context.Context) error {
	for deadline := time.Now().Add(15 * time.Minute); ; {
		err := n.tick(ctx)
		if err == nil || ctx.Err() != nil {
			break
		}
		if n.say("%v", err); time.Now().After(deadline) {
			return err
		}
		time.Sleep(time.Second)
	}
	return n.settle(ctx, state.CloseArgs{}.Kind())
}

func (n *network) rehearsal() []string {
	return []string{"--rehearse", monday.Add(week).Format(time.RFC3339), "--clock-file", filepath.Join(n.dir, "clock")}
}

// burn drives rounds while events happen, then heals everything and waits until the network is at rest.
func (n *network) burn(ctx context.Context, r *Report) error {
	began := time.Now()
	stopProbes := n.probe(ctx, r)
	burning, out := context.WithCancel(ctx)
	defer out()
	var fires sync.WaitGroup
	var sums []fleet.Summary
	fed := make(chan error, 1)
	var over atomic.Bool
	go func() {
		for round := 0; ; round++ {
			s, err := n.round(ctx, round, n.crashes)
			sums = append(sums, s)
			if err == nil {
				err = n.endWeek(ctx)
			}
			if err != nil || over.Load() && round >= 1 {
				fed <- err
				return
			}
		}
	}()
	rnd := rand.New(rand.NewPCG(n.cfg.Seed, 0xf14e))
	inHand := make(chan struct{}, 3) // events that are under way at a time
	for i := 0; i < n.cfg.Events && ctx.Err() == nil && (n.cfg.Longest <= 0 || time.Since(began) < n.cfg.Longest); i++ {
		kind := pick(rnd)
		seed := rnd.Uint64()
		inHand <- struct{}{}
		fires.Go(func() {
			defer func() { <-inHand }()
			n.happen(burning, kind, rand.New(rand.NewPCG(n.cfg.Seed, seed)))
		})
		r.Events++
		r.ByKind[kind]++
		time.Sleep(time.Duration(rnd.ExpFloat64() * float64(n.cfg.Gap)))
	}
	fires.Wait()
	r.FireSeconds, r.UnderFire = time.Since(began).Seconds(), int(n.shots.Load())
	n.say("%d events in %.0f s, %d drives settled; healing", r.Events, r.FireSeconds, r.UnderFire)
	over.Store(true)
	began = time.Now()
	if err := n.heal(ctx); err != nil {
		return err
	}
	if err := <-fed; err != nil {
		return err
	}
	for i, s := range sums {
		r.Rounds = i + 1
		r.Drives += s.Drives
		r.Frames += s.Frames
		r.Accepted += s.Accepted
		r.Wrong += s.Wrong
		if s.Failed > 0 || s.Wrong > 0 || s.Missed > 0 {
			r.Violations = append(r.Violations, fmt.Sprintf("round %d: %d drives failed, %d verdicts wrong, %d findings missed: %v", i, s.Failed, s.Wrong, s.Missed, s.Errors))
		}
	}
	if err := n.setClock(r.Rounds - 1); err != nil {
		return err
	}
	time.Sleep(1100 * time.Millisecond)
	if err := n.tick(ctx); err != nil {
		return err
	}
	if err := n.settle(ctx); err != nil {
		return err
	}
	if err := n.release(ctx, r); err != nil {
		return err
	}
	r.HealSeconds = time.Since(began).Seconds()
	stopProbes()
	r.S3Faults = n.front.Failed.Load()
	return n.check(ctx, r)
}

// crashes gives the uploaders the channel that ends them together.
func (n *network) crashes() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.crash
}

// events by weight.
var events = []struct {
	kind   string
	weight int
}{
	{"kill worker", 24}, {"kill serve", 10}, {"kill store", 8}, {"stop worker", 5}, {"kill tick", 6}, {"tick", 4},
	{"cut link", 9}, {"stall link", 6}, {"slow link", 5}, {"S3 errors", 10}, {"stall disk", 5}, {"crash PostgreSQL", 4}, {"step clock", 6}, {"kill uploaders", 3},
}

func pick(r *rand.Rand) string {
	total := 0
	for _, e := range events {
		total += e.weight
	}
	n := r.IntN(total)
	for _, e := range events {
		if n -= e.weight; n < 0 {
			return e.kind
		}
	}
	return events[0].kind
}

// happen is one event with its end.
func (n *network) happen(ctx context.Context, kind string, r *rand.Rand) {
	between := func(lo, hi time.Duration) time.Duration { return lo + time.Duration(r.Int64N(int64(hi-lo))) }
	sleep := func(d time.Duration) {
		select {
		case <-ctx.Done():
		case <-time.After(d):
		}
	}
	again := func(p *proc) {
		sleep(between(0, time.Second))
		if err := p.start(ctx); err != nil && ctx.Err() == nil {
			n.say("%v", err)
		}
	}
	worker := func() *proc { return n.work[r.IntN(len(n.work))] }
	one := func() *link {
		var names []string
		for name := range n.links {
			names = append(names, name)
		}
		sortStrings(names)
		return n.links[names[r.IntN(len(names))]]
	}
	switch kind {
	case "kill worker":
		p := worker()
		p.kill()
		again(p)
	case "kill serve":
		n.serve.kill()
		again(n.serve)
	case "kill store":
		n.store.kill()
		again(n.store)
	case "stop worker":
		p := worker()
		p.signal(os.Interrupt)
		sleep(between(100*time.Millisecond, 2*time.Second))
		p.kill() // what an impatient supervisor does
		again(p)
	case "tick", "kill tick":
		t, stop := context.WithCancel(ctx)
		if kind == "kill tick" {
			time.AfterFunc(between(100*time.Millisecond, 2*time.Second), stop)
		}
		_ = n.tick(t) // it may fail: the next one does what it left
		stop()
	case "cut link":
		k := one()
		k.set(true, false, 0)
		sleep(between(200*time.Millisecond, 4*time.Second))
		k.set(false, false, 0)
	case "stall link":
		k := one()
		k.set(false, true, 0)
		sleep(between(200*time.Millisecond, 4*time.Second))
		k.set(false, false, 0)
	case "slow link":
		k := one()
		k.set(false, false, between(5*time.Millisecond, 60*time.Millisecond))
		sleep(between(time.Second, 4*time.Second))
		k.set(false, false, 0)
	case "S3 errors":
		n.front.failing.Store(true)
		sleep(between(300*time.Millisecond, 3*time.Second))
		n.front.failing.Store(false)
	case "stall disk":
		if r.IntN(2) == 0 {
			n.store.signal(syscall.SIGSTOP)
			sleep(between(200*time.Millisecond, 3*time.Second))
			n.store.signal(syscall.SIGCONT)
			return
		}
		pids := n.pg.pids()
		for _, p := range pids {
			syscall.Kill(p, syscall.SIGSTOP)
		}
		sleep(between(200*time.Millisecond, 3*time.Second))
		for _, p := range pids {
			syscall.Kill(p, syscall.SIGCONT)
		}
	case "crash PostgreSQL":
		n.pg.mu.Lock()
		defer n.pg.mu.Unlock()
		if err := n.pg.crash(ctx); err != nil && ctx.Err() == nil {
			n.say("%v", err)
		}
	case "step clock":
		if err := n.stepClock(between(-100*time.Minute, 100*time.Minute)); err != nil {
			n.say("%v", err)
		}
	case "kill uploaders":
		n.mu.Lock()
		close(n.crash)
		n.crash = make(chan struct{})
		n.mu.Unlock()
	}
}

// heal makes everything well again.
func (n *network) heal(ctx context.Context) error {
	n.front.failing.Store(false)
	for _, k := range n.links {
		k.set(false, false, 0)
	}
	for _, p := range n.pg.pids() {
		syscall.Kill(p, syscall.SIGCONT)
	}
	for _, p := range n.procs() {
		p.signal(syscall.SIGCONT)
		if err := p.start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// settle waits until no job of the kinds is left, or none at all.
func (n *network) settle(ctx context.Context, kinds ...string) error {
	for deadline := time.Now().Add(15 * time.Minute); ; {
		jobs, err := n.db.Jobs(ctx)
		left := int64(0)
		for _, j := range jobs {
			if len(kinds) > 0 && !slices.Contains(kinds, j.Kind) {
				continue
			}
			left += j.Waiting + j.Running + j.Retrying
		}
		if err == nil && left == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("jobs do not end: %+v, %v", jobs, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// collect stops what works and writes the results, as of the end of the last week.
func (n *network) collect(ctx context.Context, rounds time.Duration) error {
	for _, p := range append(n.work, n.serve) {
		p.stop()
	}
	args := append(append([]string{"simulate", "collect"}, n.args("")...), "--rehearse", monday.Add(rounds*week).Format(time.RFC3339), "--out", filepath.Join(n.dir, "out"))
	return n.proc("collect", "", args...).run(ctx)
}

func (n *network) close() {
	for _, p := range append(n.work, n.serve, n.store) {
		if p != nil {
			p.stop()
		}
	}
	for _, k := range n.links {
		k.close()
	}
	if n.front != nil {
		n.front.srv.Close()
	}
	if n.db != nil {
		n.db.Close()
	}
}
