package chaos

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/roadcomb/roadcomb/benchmarks/fleet"
)

// Sample is what a network holds at one instant.
type Sample struct {
	At       float64          `json:"at_s"`
	RSS      map[string]int64 `json:"rss_bytes"`   // by process, its children (pictures, queries) included
	Files    map[string]int64 `json:"files"`       // open handles, likewise
	Threads  map[string]int64 `json:"threads"`     // likewise
	Routines map[string]int64 `json:"goroutines"`  // of serve and the workers, by their metrics
	QueueAge float64          `json:"queue_age_s"` // of the oldest job that waits for a worker
	Waiting  int64            `json:"waiting"`     // jobs
}

// Trend is one quantity of a soak: the medians of the second and of the last third of the time.
type Trend struct {
	What  string  `json:"what"`
	Was   float64 `json:"was"`
	Is    float64 `json:"is"`
	Grows bool    `json:"grows,omitempty"`
}

// SoakReport is what a soak found.
type SoakReport struct {
	Minutes    float64            `json:"minutes"`
	Capacity   float64            `json:"capacity_frames_per_s"` // measured first, with all the load the machine takes
	Rate       float64            `json:"rate_frames_per_s"`
	Drives     int                `json:"drives"`
	Failed     int                `json:"failed"`
	Wrong      int                `json:"wrong"`
	API        fleet.Quantiles    `json:"api_ms"` // of the plan whose p99 was the highest; plans are of soakDrives
	Routes     []fleet.RouteStats `json:"routes"` // likewise
	CPU        map[string]float64 `json:"cpu_s"`  // processor time of the soak by process; "clients" are the simulator's
	Trends     []Trend            `json:"trends"`
	Samples    []Sample           `json:"samples"`
	Overload   Overload           `json:"overload"`
	Violations []string           `json:"violations"`
}

// Overload is what a burst far above capacity came to.
type Overload struct {
	Drives    int     `json:"drives"`
	Failed    int     `json:"failed"`
	Busy      int     `json:"answers_429"`
	Full      int     `json:"answers_503"`
	Unhinted  int     `json:"without_retry_after"`
	AfterMS   float64 `json:"p99_ms_after"` // of a plain request once the burst is over
	Seconds   float64 `json:"seconds"`
	QueueMost int64   `json:"most_jobs_waiting"`
}

// soakDrives is how many drives one plan of a soak holds, unless the Config says.
const soakDrives = 40

// soakShare of what the network can do is what it must bear for long.
const soakShare = 0.8

// Soak measures what the network can do, drives it at four fifths of that for the given time while it samples what the
// processes hold, judges that flat, and ends with a burst that must be shed and recovered from.
func Soak(ctx context.Context, cfg Config, d time.Duration) (SoakReport, error) {
	if cfg.Drivers <= 0 {
		cfg.Drivers = soakDrives
	}
	cfg.metrics = true
	cfg = cfg.withDefaults()
	r := SoakReport{Minutes: d.Minutes(), Violations: []string{}}
	n, end, err := alone(ctx, cfg, "soak")
	if err != nil {
		return r, err
	}
	defer end()
	seed := cfg.Seed << 20
	drive := func(parallel int, rate float64) (fleet.Summary, error) {
		t := n.target(parallel)
		t.Rate = rate
		return fleet.Run(ctx, n.fleet(atomic.AddUint64(&seed, 1)), t)
	}
	// The first plan warms everything up.
	for range 2 {
		s, err := drive(16, 0)
		if err != nil || s.Failed > 0 {
			return r, fmt.Errorf("capacity: %d drives failed: %v: %w", s.Failed, s.Errors, err)
		}
		r.Capacity = float64(s.Frames) / s.Seconds
	}
	r.Rate = soakShare * r.Capacity
	n.say("capacity %.1f frames/s; soaking at %.1f for %s", r.Capacity, r.Rate, d)

	began := time.Now()
	before, err := n.cpu()
	if err != nil {
		return r, err
	}
	watch, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		for watch.Err() == nil {
			if s, err := n.sample(watch, began); err == nil {
				r.Samples = append(r.Samples, s)
			}
			select {
			case <-watch.Done():
			case <-time.After(max(time.Second, d/200)):
			}
		}
	})
	// A plan begins when the last drive of the one before sets out, not when it has its verdicts: the load never pauses.
	drives := r.Rate / float64(cfg.Frames) // a second
	each := time.Duration(float64(cfg.Drivers) / drives * float64(time.Second))
	var all errgroup.Group
	var mu sync.Mutex
	var errs []string
	for i := 0; time.Duration(i)*each < d && ctx.Err() == nil; i++ {
		select {
		case <-ctx.Done():
		case <-time.After(time.Until(began.Add(time.Duration(i) * each))):
		}
		all.Go(func() error {
			s, err := drive(64, drives)
			mu.Lock()
			defer mu.Unlock()
			r.Drives, r.Failed, r.Wrong = r.Drives+s.Drives, r.Failed+s.Failed, r.Wrong+s.Wrong
			errs = append(errs, s.Errors...)
			if s.API.P99 >= r.API.P99 {
				r.API, r.Routes = s.API, s.Routes
			}
			return err
		})
	}
	select {
	case <-ctx.Done():
	case <-time.After(time.Until(began.Add(d))):
	}
	stop()
	wg.Wait()
	if err := all.Wait(); err != nil {
		return r, err
	}
	if r.Failed > 0 || r.Wrong > 0 {
		r.Violations = append(r.Violations, fmt.Sprintf("%d drives failed, %d verdicts are wrong: %s", r.Failed, r.Wrong, strings.Join(errs, "; ")))
	}
	if r.CPU, err = n.cpuSince(before); err != nil {
		return r, err
	}
	var grows []string
	r.Trends, grows = flat(r.Samples)
	r.Violations = append(r.Violations, grows...)

	// A burst against a server that may take little on: a first wave of drivers, and a second once more jobs wait than it may
	// let wait, since the first has all its uploads open before any job does.
	most := max(1, cfg.Drivers/8)
	n.serve.stop()
	n.serve = n.proc("serve", "map: ", append(slices.Clone(n.serve.args), "--max-requests", "4", "--max-waiting", strconv.Itoa(most))...)
	if err := n.serve.start(ctx); err != nil {
		return r, err
	}
	o := &r.Overload
	behind := make(chan struct{})
	watch, stop = context.WithCancel(ctx)
	defer stop()
	wg.Go(func() {
		for watch.Err() == nil {
			if s, err := n.sample(watch, began); err == nil {
				if o.QueueMost < int64(most) && s.Waiting >= int64(most) {
					close(behind)
				}
				o.QueueMost = max(o.QueueMost, s.Waiting)
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
	burst := time.Now()
	var waves errgroup.Group
	first := make(chan struct{})
	wave := func() error {
		s, err := drive(cfg.Drivers, 0)
		mu.Lock()
		defer mu.Unlock()
		o.Drives, o.Failed = o.Drives+s.Drives, o.Failed+s.Failed
		for _, rt := range s.Routes {
			o.Unhinted += rt.Unhinted
			if !strings.Contains(rt.Route, "(object)") {
				o.Busy += rt.Statuses["429"]
				o.Full += rt.Statuses["503"]
			}
		}
		return err
	}
	waves.Go(func() error {
		defer close(first)
		return wave()
	})
	waves.Go(func() error {
		select {
		case <-behind:
		case <-first:
		}
		return wave()
	})
	err = waves.Wait()
	stop()
	wg.Wait()
	if err != nil {
		return r, err
	}
	o.Seconds = time.Since(burst).Seconds()
	after, err := fleet.Run(ctx, fleet.NewPlan(fleet.Config{Seed: seed + 1, Contributors: 2, Frames: cfg.Frames, Start: monday}), n.target(1))
	if err != nil {
		return r, err
	}
	for _, rt := range after.Routes {
		if rt.Route == "GET /v1/me" {
			o.AfterMS = rt.Latency.P99
		}
	}
	switch {
	case o.Failed > 0 || after.Failed > 0:
		r.Violations = append(r.Violations, fmt.Sprintf("%d drives failed in the burst and %d after it", o.Failed, after.Failed))
	case o.Busy+o.Full == 0:
		r.Violations = append(r.Violations, "the burst was not shed")
	case o.Busy == 0:
		r.Violations = append(r.Violations, "workers that did not keep up held no uploader back")
	case o.Unhinted > 0:
		r.Violations = append(r.Violations, fmt.Sprintf("%d answers did not say when to come back", o.Unhinted))
	}
	return r, nil
}

// alone opens a network with a PostgreSQL of its own.
func alone(ctx context.Context, cfg Config, name string) (n *network, end func(), err error) {
	if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
		return nil, nil, err
	}
	cfg.direct = true
	models := filepath.Join(cfg.Dir, "models")
	if err := fleet.WriteModels(models); err != nil {
		return nil, nil, err
	}
	pg, err := startPostgres(ctx, filepath.Join(cfg.Dir, "postgres-"+name))
	if err != nil {
		return nil, nil, err
	}
	if n, err = open(ctx, cfg, pg, models, name); err != nil {
		pg.stop()
		return nil, nil, err
	}
	return n, func() { n.close(); pg.stop() }, nil
}

// fleet is a plan of the network's drivers, all in the first week.
func (n *network) fleet(seed uint64) *fleet.Plan {
	return fleet.NewPlan(fleet.Config{Seed: seed, Contributors: n.cfg.Drivers, Frames: n.cfg.Frames, Faulty: 0.1, Start: monday})
}

func (n *network) sample(ctx context.Context, began time.Time) (Sample, error) {
	s := Sample{At: time.Since(began).Seconds(), RSS: map[string]int64{}, Files: map[string]int64{}, Threads: map[string]int64{}, Routines: map[string]int64{}}
	parents, err := parents()
	if err != nil {
		return s, err
	}
	for _, p := range n.procs() {
		root := p.pid()
		if root == 0 {
			continue
		}
		for _, pid := range family(parents, root) {
			b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			if err != nil {
				continue // it has ended
			}
			for line := range strings.Lines(string(b)) {
				f := strings.Fields(line)
				if len(f) < 2 {
					continue
				}
				v, _ := strconv.ParseInt(f[1], 10, 64)
				switch f[0] {
				case "VmRSS:":
					s.RSS[p.name] += v << 10
				case "Threads:":
					s.Threads[p.name] += v
				}
			}
			if fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid)); err == nil {
				s.Files[p.name] += int64(len(fds))
			}
		}
		if at := n.metrics[p.name]; at != "" {
			m, err := scrape(ctx, at)
			if err != nil {
				return s, err
			}
			s.Routines[p.name] = int64(m["go_goroutines"])
		}
	}
	err = n.db.QueryRow(ctx, `SELECT COUNT(*), COALESCE(MAX(EXTRACT(EPOCH FROM clock_timestamp() - scheduled_at)), 0)::float8 FROM river_job WHERE state = 'available'`).Scan(&s.Waiting, &s.QueueAge)
	return s, err
}

// parents are the parents of all processes.
func parents() (map[int]int, error) {
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	out := map[int]int{}
	for _, d := range dirs {
		pid, err := strconv.Atoi(d.Name())
		if err != nil {
			continue
		}
		if f := statOf(pid); len(f) > 1 {
			out[pid], _ = strconv.Atoi(f[1])
		}
	}
	return out, nil
}

// statOf are the fields of /proc/PID/stat (proc(5)) from the third, the state, on; none once the process has ended.
func statOf(pid int) []string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	_, rest, _ := strings.Cut(string(b), ") ") // a name may hold anything
	return strings.Fields(rest)
}

// family are root and what descends from it; none where root is 0.
func family(parents map[int]int, root int) (pids []int) {
	for pid := range parents {
		if root != 0 && below(parents, pid, root) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// below says whether pid is root or descends from it.
func below(parents map[int]int, pid, root int) bool {
	for range 64 { // a number may be taken again while we look
		if pid == root {
			return true
		}
		if pid = parents[pid]; pid <= 1 {
			return false
		}
	}
	return false
}

// scrape is what a process measures, by series as written.
func scrape(ctx context.Context, at string) (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("metrics: %s", resp.Status)
	}
	out := map[string]float64{}
	sc := bufio.NewScanner(resp.Body)
	for sc.Scan() {
		if i := strings.LastIndexByte(sc.Text(), ' '); i > 0 && sc.Text()[0] != '#' {
			out[sc.Text()[:i]], _ = strconv.ParseFloat(sc.Text()[i+1:], 64)
		}
	}
	return out, sc.Err()
}

func (p *proc) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// flat holds the last third of the samples against the second: what grows by more than a quarter and a fixed amount
// grows. The first third is warming up.
func flat(samples []Sample) (trends []Trend, grows []string) {
	if len(samples) < 9 {
		return nil, []string{fmt.Sprintf("%d samples are too few to judge", len(samples))}
	}
	third := len(samples) / 3
	median := func(ss []Sample, of func(Sample) float64) float64 {
		vs := make([]float64, len(ss))
		for i, s := range ss {
			vs[i] = of(s)
		}
		slices.Sort(vs)
		return vs[len(vs)/2]
	}
	judge := func(what string, slack float64, of func(Sample) float64) {
		t := Trend{What: what, Was: median(samples[third:2*third], of), Is: median(samples[2*third:], of)}
		if t.Grows = t.Is > t.Was*1.25+slack; t.Grows {
			grows = append(grows, fmt.Sprintf("%s grows from %.4g to %.4g", what, t.Was, t.Is))
		}
		trends = append(trends, t)
	}
	for _, q := range []struct {
		what  string
		slack float64
		of    func(Sample) map[string]int64
	}{
		{"memory of ", 48 << 20, func(s Sample) map[string]int64 { return s.RSS }},
		{"open files of ", 16, func(s Sample) map[string]int64 { return s.Files }},
		{"threads of ", 8, func(s Sample) map[string]int64 { return s.Threads }},
		{"goroutines of ", 64, func(s Sample) map[string]int64 { return s.Routines }},
	} {
		for _, name := range slices.Sorted(maps.Keys(q.of(samples[0]))) {
			judge(q.what+name, q.slack, func(s Sample) float64 { return float64(q.of(s)[name]) })
		}
	}
	judge("age of the queue", 5, func(s Sample) float64 { return s.QueueAge })
	return trends, grows
}

// DriversReport is how the API answers many drivers while the workers are busy.
type DriversReport struct {
	Cores   int     `json:"cores"`
	Drivers int     `json:"drivers"` // at a time
	Drives  int     `json:"drives"`
	Failed  int     `json:"failed"`
	Frames  int     `json:"frames"`
	Seconds float64 `json:"seconds"`
	Rate    float64 `json:"frames_per_s"`
	// API is what drivers saw, on the machine's shared cores with their own work; long polls and the store's answers are
	// not in it. Served is what serve measured of the same requests, but for the route that long polls use.
	API      fleet.Quantiles    `json:"api_ms"`
	Served   int64              `json:"served"`
	Within50 float64            `json:"served_within_50_ms"` // share
	Most     float64            `json:"served_p99_at_most_ms"`
	Busy     float64            `json:"processor_share"` // of all cores, all programs of the machine
	CPU      map[string]float64 `json:"cpu_s"`
	Routes   []fleet.RouteStats `json:"routes"`
}

// ramp is how long it takes until all drivers are on their way.
const ramp = 20 * time.Second

// Drivers lets as many drivers as cfg.Drivers says drive at a time, one drive after the other, several in all, with the
// workers never idle, and says how the API answered.
func Drivers(ctx context.Context, cfg Config, each int) (DriversReport, error) {
	cfg.metrics = true
	cfg = cfg.withDefaults()
	r := DriversReport{Cores: runtime.NumCPU(), Drivers: cfg.Drivers}
	n, end, err := alone(ctx, cfg, "drivers")
	if err != nil {
		return r, err
	}
	defer end()
	plan := func(seed uint64, drivers, each int) *fleet.Plan {
		return fleet.NewPlan(fleet.Config{Seed: seed, Contributors: drivers, Drives: each, Frames: cfg.Frames, Start: monday})
	}
	// The first drives warm up.
	if _, err := fleet.Run(ctx, plan(cfg.Seed+1, min(8, cfg.Drivers), 1), n.target(0)); err != nil {
		return r, err
	}
	cpu, err := n.cpu()
	if err != nil {
		return r, err
	}
	was, err := scrape(ctx, n.metrics["serve"])
	if err != nil {
		return r, err
	}
	to := n.target(cfg.Drivers)
	to.Rate, to.Ahead, to.Patience = float64(cfg.Drivers)/ramp.Seconds(), true, time.Hour
	s, err := fleet.Run(ctx, plan(cfg.Seed+2, cfg.Drivers, each), to)
	if err != nil {
		return r, err
	}
	is, err := scrape(ctx, n.metrics["serve"])
	if err != nil {
		return r, err
	}
	if r.CPU, err = n.cpuSince(cpu); err != nil {
		return r, err
	}
	r.Drives, r.Failed, r.Frames, r.Seconds, r.API, r.Routes = s.Drives, s.Failed, s.Frames, s.Seconds, s.API, s.Routes
	r.Rate, r.Busy = float64(s.Frames)/s.Seconds, r.CPU["machine"]/s.Seconds/float64(r.Cores)
	r.Served, r.Within50, r.Most = served(was, is)
	if s.Failed > 0 {
		return r, errors.New(strings.Join(s.Errors, "; "))
	}
	return r, nil
}

// waitingRoute is where drivers wait for verdicts.
const waitingRoute = "/v1/uploads/{id}"

// Labels come in any order.
var (
	bucket      = regexp.MustCompile(`^roadcomb_http_request_seconds_bucket\{.*\ble="([^"]+)"`)
	bucketRoute = regexp.MustCompile(`\broute="([^"]+)"`)
)

// served reads serve's histograms of answers between two scrapes: how many, which share took at most 50 ms, and the bound
// of the bucket in milliseconds that 99 of 100 are in. Routes that wait on purpose are left out.
func served(was, is map[string]float64) (n int64, within50, p99 float64) {
	at := map[float64]float64{} // by bound
	for series, v := range is {
		m, route := bucket.FindStringSubmatch(series), bucketRoute.FindStringSubmatch(series)
		if m == nil || route == nil || route[1] == waitingRoute || !strings.HasPrefix(route[1], "/v1/") {
			continue
		}
		le, err := strconv.ParseFloat(m[1], 64) // +Inf too
		if err == nil {
			at[le] += v - was[series]
		}
	}
	all := at[math.Inf(1)]
	if all == 0 {
		return 0, 0, 0
	}
	for _, le := range slices.Sorted(maps.Keys(at)) {
		if p99 = le * 1000; at[le] >= 0.99*all {
			break
		}
	}
	return int64(all), at[0.05] / all, p99
}

// ScaleReport compares worker processes.
type ScaleReport struct {
	Cores int         `json:"cores"`
	Runs  []ScaleLine `json:"runs"`
}

// ScaleLine is one run: where the processor time went, by process, in seconds.
type ScaleLine struct {
	Workers int                `json:"workers"`
	Frames  int                `json:"frames"`
	Seconds float64            `json:"seconds"`
	Rate    float64            `json:"frames_per_s"`
	CPU     map[string]float64 `json:"cpu_s"` // "clients" are the simulator's
	Idle    float64            `json:"idle_s"`
	Routes  []fleet.RouteStats `json:"routes"`
}

// Scale drives the same plan through one worker process and through two, and says where the time went: when the cores are
// used up by all processes together, a second worker cannot help.
func Scale(ctx context.Context, cfg Config, drivers int) (ScaleReport, error) {
	cfg = cfg.withDefaults()
	cfg.Drivers = drivers
	r := ScaleReport{Cores: runtime.NumCPU()}
	for _, workers := range []int{1, 2} {
		cfg.Workers = workers
		n, end, err := alone(ctx, cfg, fmt.Sprintf("scale%d", workers))
		if err != nil {
			return r, err
		}
		line, err := n.measure(ctx)
		end()
		if err != nil {
			return r, err
		}
		r.Runs = append(r.Runs, line)
	}
	return r, nil
}

func (n *network) measure(ctx context.Context) (ScaleLine, error) {
	l := ScaleLine{Workers: len(n.work)}
	// The first plan warms up.
	if _, err := fleet.Run(ctx, fleet.NewPlan(fleet.Config{Seed: 77, Contributors: 2, Frames: n.cfg.Frames, Start: monday}), n.target(0)); err != nil {
		return l, err
	}
	before, err := n.cpu()
	if err != nil {
		return l, err
	}
	s, err := fleet.Run(ctx, n.fleet(n.cfg.Seed), n.target(n.cfg.Drivers))
	if err != nil {
		return l, err
	}
	if s.Failed > 0 {
		return l, errors.New(strings.Join(s.Errors, "; "))
	}
	l.CPU, err = n.cpuSince(before)
	l.Frames, l.Seconds, l.Rate, l.Routes = s.Frames, s.Seconds, float64(s.Frames)/s.Seconds, s.Routes
	l.Idle = l.Seconds*float64(runtime.NumCPU()) - l.CPU["machine"]
	return l, err
}

// cpuSince is the processor seconds used since cpu gave before.
func (n *network) cpuSince(before map[string]float64) (map[string]float64, error) {
	now, err := n.cpu()
	for name := range now {
		now[name] -= before[name]
	}
	return now, err
}

// cpu is the processor seconds used so far by each process with its children, PostgreSQL as a whole, this program
// ("clients") and the machine, other programs included.
func (n *network) cpu() (map[string]float64, error) {
	out := map[string]float64{}
	stat := func(pid int, children bool) float64 {
		f := statOf(pid)
		if len(f) < 15 {
			return 0
		}
		sum := 0.0
		for i, v := range f[11:15] { // utime, stime, and those of children that ended
			if i >= 2 && !children {
				break
			}
			x, _ := strconv.ParseFloat(v, 64)
			sum += x
		}
		return sum / 100
	}
	parents, err := parents()
	if err != nil {
		return nil, err
	}
	for _, p := range n.procs() {
		for _, pid := range family(parents, p.pid()) { // a worker's native code runs in a child, which lives as long
			out[p.name] += stat(pid, true)
		}
	}
	for i, pid := range n.pg.pids() {
		out["postgres"] += stat(pid, i == 0)
	}
	out["clients"] = stat(os.Getpid(), false)
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return nil, err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	for i, f := range strings.Fields(line) {
		if i >= 1 && i != 4 && i != 5 && i <= 8 { // not idle, not waiting for a disk
			v, _ := strconv.ParseFloat(f, 64)
			out["machine"] += v / 100
		}
	}
	return out, nil
}
