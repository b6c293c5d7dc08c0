package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/roadcomb/roadcomb/benchmarks/fleet"
)

// Sample is what a network holds at one instant.
type Sample struct {
	At       float64          `json:"at_s"`
	RSS      map[string]int64 `json:"rss_bytes"` // by process
	Files    map[string]int64 `json:"files"`     // open handles
	Threads  map[string]int64 `json:"threads"`
	QueueAge float64          `json:"queue_age_s"` // of the oldest job that waits for a worker
	Waiting  int64            `json:"waiting"`     // jobs
}

// SoakReport is what a soak found.
type SoakReport struct {
	Minutes    float64            `json:"minutes"`
	Capacity   float64            `json:"capacity_frames_per_s"` // measured first, with all the load the machine takes
	Rate       float64            `json:"rate_frames_per_s"`
	Drives     int                `json:"drives"`
	Failed     int                `json:"failed"`
	Wrong      int                `json:"wrong"`
	Routes     []fleet.RouteStats `json:"routes"`
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

// Soak measures what the network can do, drives it at four fifths of that for the given time while it samples what the
// processes hold, judges that flat, and ends with a burst that must be shed and recovered from.
func Soak(ctx context.Context, cfg Config, d time.Duration) (SoakReport, error) {
	if cfg.Drivers <= 0 {
		cfg.Drivers = soakDrives
	}
	cfg = cfg.withDefaults()
	r := SoakReport{Minutes: d.Minutes(), Violations: []string{}}
	n, end, err := alone(ctx, cfg, "soak")
	if err != nil {
		return r, err
	}
	defer end()
	seed := cfg.Seed << 20
	drive := func(parallel int, rate float64) (fleet.Summary, error) {
		seed++
		return fleet.Run(ctx, n.fleet(seed), fleet.Target{Server: n.api, Accounts: n.acc, Parallel: parallel, Rate: rate, Dir: n.dir})
	}
	// The first plan warms everything up.
	for range 2 {
		s, err := drive(16, 0)
		if err != nil || s.Failed > 0 {
			return r, fmt.Errorf("capacity: %d drives failed: %v: %w", s.Failed, s.Errors, err)
		}
		r.Capacity = float64(s.Frames) / s.Seconds
	}
	r.Rate = 0.8 * r.Capacity
	n.say("capacity %.1f frames/s; soaking at %.1f for %s", r.Capacity, r.Rate, d)

	began := time.Now()
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
	for time.Since(began) < d && ctx.Err() == nil {
		s, err := drive(64, r.Rate/float64(cfg.Frames))
		if err != nil {
			stop()
			wg.Wait()
			return r, err
		}
		r.Drives, r.Failed, r.Wrong, r.Routes = r.Drives+s.Drives, r.Failed+s.Failed, r.Wrong+s.Wrong, s.Routes
	}
	stop()
	wg.Wait()
	if r.Failed > 0 || r.Wrong > 0 {
		r.Violations = append(r.Violations, fmt.Sprintf("%d drives failed, %d verdicts are wrong", r.Failed, r.Wrong))
	}
	r.Violations = append(r.Violations, flat(r.Samples)...)

	// A burst against a server that may take little on.
	n.serve.stop()
	n.serve = n.proc("serve", "map: ", append(slices.Clone(n.serve.args), "--max-requests", "4", "--max-waiting", strconv.Itoa(max(1, cfg.Drivers/8)))...)
	if err := n.serve.start(ctx); err != nil {
		return r, err
	}
	o := &r.Overload
	watch, stop = context.WithCancel(ctx)
	defer stop()
	wg.Go(func() {
		for watch.Err() == nil {
			if s, err := n.sample(watch, began); err == nil {
				o.QueueMost = max(o.QueueMost, s.Waiting)
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
	s, err := drive(cfg.Drivers, 0)
	stop()
	wg.Wait()
	if err != nil {
		return r, err
	}
	o.Drives, o.Failed, o.Seconds = s.Drives, s.Failed, s.Seconds
	for _, rt := range s.Routes {
		o.Unhinted += rt.Unhinted
		if !strings.Contains(rt.Route, "(object)") {
			o.Busy += rt.Statuses["429"]
			o.Full += rt.Statuses["503"]
		}
	}
	seed++
	after, err := fleet.Run(ctx, fleet.NewPlan(fleet.Config{Seed: seed, Contributors: 2, Frames: cfg.Frames, Start: monday}), fleet.Target{Server: n.api, Accounts: n.acc, Parallel: 1, Dir: n.dir})
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
	s := Sample{At: time.Since(began).Seconds(), RSS: map[string]int64{}, Files: map[string]int64{}, Threads: map[string]int64{}}
	for _, p := range n.procs() {
		pid := p.pid()
		if pid == 0 {
			continue
		}
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return s, err
		}
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line)
			if len(f) < 2 {
				continue
			}
			v, _ := strconv.ParseInt(f[1], 10, 64)
			switch f[0] {
			case "VmRSS:":
				s.RSS[p.name] = v << 10
			case "Threads:":
				s.Threads[p.name] = v
			}
		}
		fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		if err != nil {
			return s, err
		}
		s.Files[p.name] = int64(len(fds))
	}
	err := n.db.QueryRow(ctx, `SELECT COUNT(*), COALESCE(MAX(EXTRACT(EPOCH FROM clock_timestamp() - scheduled_at)), 0)::float8 FROM river_job WHERE state = 'available'`).Scan(&s.Waiting, &s.QueueAge)
	return s, err
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
func flat(samples []Sample) (grows []string) {
	if len(samples) < 9 {
		return []string{fmt.Sprintf("%d samples are too few to judge", len(samples))}
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
		was, is := median(samples[third:2*third], of), median(samples[2*third:], of)
		if is > was*1.25+slack {
			grows = append(grows, fmt.Sprintf("%s grows from %.4g to %.4g", what, was, is))
		}
	}
	for name := range samples[0].RSS {
		judge("memory of "+name, 48<<20, func(s Sample) float64 { return float64(s.RSS[name]) })
		judge("open files of "+name, 16, func(s Sample) float64 { return float64(s.Files[name]) })
		judge("threads of "+name, 8, func(s Sample) float64 { return float64(s.Threads[name]) })
	}
	judge("age of the queue", 5, func(s Sample) float64 { return s.QueueAge })
	slices.Sort(grows)
	return grows
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
	if _, err := fleet.Run(ctx, fleet.NewPlan(fleet.Config{Seed: 77, Contributors: 2, Frames: n.cfg.Frames, Start: monday}), fleet.Target{Server: n.api, Accounts: n.acc, Dir: n.dir}); err != nil {
		return l, err
	}
	before, err := n.cpu()
	if err != nil {
		return l, err
	}
	s, err := fleet.Run(ctx, n.fleet(n.cfg.Seed), fleet.Target{Server: n.api, Accounts: n.acc, Parallel: n.cfg.Drivers, Dir: n.dir})
	if err != nil {
		return l, err
	}
	if s.Failed > 0 {
		return l, errors.New(strings.Join(s.Errors, "; "))
	}
	l.CPU, err = n.cpu()
	busy := 0.0
	for name := range l.CPU {
		l.CPU[name] -= before[name]
		if name != "machine" {
			busy += l.CPU[name]
		}
	}
	l.Frames, l.Seconds, l.Rate, l.Routes = s.Frames, s.Seconds, float64(s.Frames)/s.Seconds, s.Routes
	l.Idle = l.Seconds*float64(runtime.NumCPU()) - l.CPU["machine"]
	return l, err
}

// cpu is the processor seconds used so far by each process, PostgreSQL as a whole, this program ("clients") and the
// machine, other programs included.
func (n *network) cpu() (map[string]float64, error) {
	out := map[string]float64{}
	stat := func(pid int, children bool) float64 {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return 0
		}
		_, rest, _ := strings.Cut(string(b), ") ")
		f := strings.Fields(rest)
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
	for _, p := range n.procs() {
		out[p.name] = stat(p.pid(), true)
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
