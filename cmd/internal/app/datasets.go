package app

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	datasetsapi "github.com/roadcomb/roadcomb/datasets/api"
	"github.com/roadcomb/roadcomb/datasets/flight"
	"github.com/roadcomb/roadcomb/datasets/mirror"
	"github.com/roadcomb/roadcomb/datasets/query"
	"github.com/roadcomb/roadcomb/datasets/query/clickhouse"
	"github.com/roadcomb/roadcomb/datasets/snapshot"
	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/tiles/api/keys"
)

// queriesFolder, under the data folder, mirrors the newest snapshot of the datasets.
const queriesFolder = "queries"

// querySettings are of the verbs that answer questions about the datasets.
type querySettings struct {
	clickHouseSettings
	Flight       string        `help:"Where the datasets are served over Arrow Flight SQL; empty for nowhere." default:"127.0.0.1:31337" env:"ROADCOMB_FLIGHT" placeholder:"ADDR"`
	QueryFolder  string        `help:"Folder for the datasets' files that queries read; empty for one under --home." env:"ROADCOMB_QUERY_FOLDER" type:"path" placeholder:"DIR"`
	QueryMemory  int           `help:"MB of memory that one key's queries may use, unless the key has a limit of its own." default:"1024" env:"ROADCOMB_QUERY_MEMORY"`
	QueryTime    time.Duration `help:"How long a query may work, unless its key has a limit of its own." default:"2m" env:"ROADCOMB_QUERY_TIME"`
	QueryAtATime int           `name:"query-at-a-time" help:"Queries of all keys at a time." default:"16" env:"ROADCOMB_QUERY_AT_A_TIME"`
}

// queries answers SQL over the datasets: a mirror of the lake's snapshot, and the process that reads it; or a ClickHouse
// server that reads the lake itself, which needs neither.
type queries struct {
	listener net.Listener
	access   *keyAccess
	backend  flight.Backend // for HTTP
	snapshot func() (snapshot.Snapshot, error)
	dialect  datasetsapi.Dialect

	mirror *mirror.Mirror
	super  *flight.Supervisor

	server *grpc.Server // with ClickHouse
}

// clickHouse answers questions about the lake's current snapshot.
func (p *platform) clickHouse(s clickHouseSettings) *clickhouse.Engine {
	return &clickhouse.Engine{Server: &clickhouse.Server{URL: s.ClickHouse.Reveal()}, Source: p.clickHouseSource(s),
		Files: clickhouse.Remember(2*time.Second, func(ctx context.Context) (map[string][]string, error) {
			snap, err := p.snapshot(ctx)
			if survey.KindOf(err) == survey.NotFound {
				return nil, survey.Errorf(survey.Unavailable, "there is no snapshot of the datasets yet").WithHint("one is made after the first drive is published")
			}
			return snapshotFiles(snap, ""), err
		})}
}

// snapshotFiles gives the paths of a snapshot's files by dataset.
func snapshotFiles(snap snapshot.Snapshot, prefix string) map[string][]string {
	out := map[string][]string{}
	for name, d := range snap.Datasets {
		for _, f := range d.Files {
			out[name] = append(out[name], prefix+f.Path)
		}
	}
	return out
}

// openQueries listens and prepares; nothing is answered before run. It gives nil when the settings say nowhere.
func (p *platform) openQueries(c querySettings) (*queries, error) {
	if c.Flight == "" {
		return nil, nil
	}
	// The query process of a server that was killed holds the port for a moment longer than the server did.
	l, err := listen(c.Flight, "--flight")
	for end := time.Now().Add(3 * time.Second); errors.Is(err, syscall.EADDRINUSE) && time.Now().Before(end); {
		time.Sleep(100 * time.Millisecond)
		l, err = listen(c.Flight, "--flight")
	}
	if err != nil {
		return nil, err
	}
	access := &keyAccess{db: p.db, operator: p.secrets.Operator, limits: query.Limits{MemoryMB: c.QueryMemory, Time: c.QueryTime}}
	if c.ClickHouse != "" {
		b := flight.ClickHouse{Engine: p.clickHouse(c.clickHouseSettings), Turns: &query.Turns{Most: c.QueryAtATime}}
		return &queries{listener: l, access: access, backend: b, dialect: datasetsapi.ClickHouse,
			snapshot: func() (snapshot.Snapshot, error) { return p.snapshot(context.Background()) },
			server:   flight.NewServer(flight.Config{Access: access, Backend: b, Version: Version, Log: p.log})}, nil
	}
	dir := c.QueryFolder
	if dir == "" {
		dir = filepath.Join(p.set.Home, queriesFolder)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		l.Close()
		return nil, err
	}
	q := &queries{
		listener: l, access: access,
		mirror: &mirror.Mirror{Store: p.store, Dir: dir, Log: p.log},
	}
	q.snapshot = q.mirror.Snapshot
	if p.s3 != nil { // the embedded store's objects are files: they are linked, not copied
		objects := filepath.Join(p.set.Home, "objects", p.set.S3Prefix+"lake")
		q.mirror.Local = func(key string) string { return filepath.Join(objects, filepath.FromSlash(key)) }
	}
	self, err := os.Executable()
	if err != nil {
		l.Close()
		return nil, err
	}
	set := flight.Settings{Dir: dir, Version: Version, Queries: c.QueryAtATime}
	q.super, err = flight.NewSupervisor(l, q.access, set, p.log, func(ctx context.Context) *exec.Cmd {
		cmd := exec.CommandContext(ctx, self, "query-process", dir)
		cmd.Env = []string{"GOTRACEBACK=single"} // and none of the server's secrets
		for _, k := range []string{"LD_LIBRARY_PATH", "GOMAXPROCS"} {
			if v, ok := os.LookupEnv(k); ok {
				cmd.Env = append(cmd.Env, k+"="+v)
			}
		}
		cmd.Dir = dir
		return cmd
	})
	if err != nil {
		l.Close()
		return nil, err
	}
	q.backend = q.super.Backend()
	return q, nil
}

// addr is where Flight SQL is served.
func (q *queries) addr() net.Addr { return q.listener.Addr() }

// run answers until ctx ends.
func (q *queries) run(ctx context.Context) error {
	if q.server != nil {
		return flight.Serve(ctx, q.server, q.listener)
	}
	defer q.super.Close()
	if err := os.MkdirAll(q.mirror.Dir, 0o700); err != nil {
		return survey.Errorf(survey.Unavailable, "folder of datasets: %w", err).WithHint("choose one you may write to with --query-folder")
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return q.mirror.Run(ctx, 2*time.Second) })
	g.Go(func() error { return q.super.Run(ctx) })
	return g.Wait()
}

// keyAccess lets in customers' keys with the scope datasets, and the operator.
type keyAccess struct {
	db       *state.DB
	operator survey.Secret
	limits   query.Limits

	mu       sync.Mutex
	limiters map[int64]*httpx.Limiter // by requests a minute; a key is one bucket
}

func (a *keyAccess) Admit(ctx context.Context, secret string, count bool) (flight.Grant, error) {
	if a.operator != "" && subtle.ConstantTimeCompare([]byte(secret), []byte(a.operator.Reveal())) == 1 {
		return flight.Grant{ID: "operator", Limits: a.limits}, nil
	}
	now := time.Now()
	k, err := keys.Find(ctx, a.db, secret, now)
	if err != nil {
		return flight.Grant{}, err
	}
	if !k.Allows(keys.Datasets) {
		return flight.Grant{}, survey.Errorf(survey.Unauthorized, "the key does not have the scope %q", keys.Datasets)
	}
	g := flight.Grant{ID: k.ID, Limits: a.limits}
	l, err := keyLimits(ctx, a.db, k.ID)
	if err != nil {
		return flight.Grant{}, err
	}
	if l.MemoryMB > 0 {
		g.Limits.MemoryMB = l.MemoryMB
	}
	if l.Time > 0 {
		g.Limits.Time = l.Time
	}
	if l.Queries > 0 {
		g.Limits.Queries = l.Queries
	}
	if !count {
		return g, nil
	}
	if d := a.limiter(k.PerMinute).Take(k.ID); !d.OK {
		return flight.Grant{}, survey.Errorf(survey.Busy, "the key's %d requests of this minute are used", k.PerMinute).WithHint("try again in %s", d.Retry.Round(time.Second))
	}
	var day keys.Day
	if err := a.db.Tx(ctx, func(tx *state.Tx) error {
		var err error
		day, err = keys.Used(ctx, tx, k.ID, 1, 0, 0, now)
		return err
	}); err != nil {
		return flight.Grant{}, err
	}
	if day.Requests > k.PerDay {
		return flight.Grant{}, survey.Errorf(survey.Busy, "the key's %d requests of today are used", k.PerDay).WithHint("the next day begins at 00:00 UTC")
	}
	return g, nil
}

func (a *keyAccess) limiter(perMinute int64) *httpx.Limiter {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.limiters[perMinute]
	if l == nil {
		l = &httpx.Limiter{Rate: float64(perMinute) / 60, Burst: int(perMinute), Name: "minute"}
		if a.limiters == nil {
			a.limiters = map[int64]*httpx.Limiter{}
		}
		a.limiters[perMinute] = l
	}
	return l
}

// keyLimits are the limits of a key's own; zero where it has none.
func keyLimits(ctx context.Context, q state.Querier, id string) (query.Limits, error) {
	var mb, ms, n int64
	err := q.QueryRow(ctx, `SELECT memory_mb, time_ms, queries FROM query_limits WHERE key_id = $1`, id).Scan(&mb, &ms, &n)
	if errors.Is(err, state.ErrNoRows) {
		err = nil
	}
	return query.Limits{MemoryMB: int(mb), Time: time.Duration(ms) * time.Millisecond, Queries: int(n)}, err
}

type keysLimitCmd struct {
	stateSettings
	ID      string        `arg:"" help:"Id of the key."`
	Memory  int64         `help:"MB of memory that the key's queries may use; 0 means the server's limit."`
	Time    time.Duration `help:"How long one of its queries may work; 0 means the server's limit."`
	Queries int64         `help:"How many of its queries may run at a time; 0 means the server's limit."`
}

func (keysLimitCmd) Help() string {
	return "Sets what a key may use of the query engine. It holds from the key's next query on."
}

func (c *keysLimitCmd) Run(ctx context.Context, e *environ) error {
	if c.Memory < 0 || c.Time < 0 || c.Queries < 0 || c.Memory > 0 && c.Memory < 16 {
		return exit{ExitUsage, "limits are not negative, and less than 16 MB of memory answers nothing"}
	}
	db, err := c.open(ctx, e)
	if err != nil {
		return err
	}
	defer db.Close()
	return audited(ctx, e, db, "limit-key", "id="+c.ID, func() (string, error) {
		return fmt.Sprintf("memory=%d MB, time=%s, queries=%d", c.Memory, c.Time, c.Queries), db.Tx(ctx, func(tx *state.Tx) error {
			if _, err := keys.Get(ctx, tx, c.ID); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, `INSERT INTO query_limits (key_id, memory_mb, time_ms, queries) VALUES ($1, $2, $3, $4)
				ON CONFLICT (key_id) DO UPDATE SET memory_mb = excluded.memory_mb, time_ms = excluded.time_ms, queries = excluded.queries`,
				c.ID, c.Memory, c.Time.Milliseconds(), c.Queries)
			return err
		})
	})
}

// queryProcessCmd is the process for customers' SQL; the server starts it.
type queryProcessCmd struct {
	Dir string `arg:"" help:"Folder with the datasets." type:"path"`
}

func (c *queryProcessCmd) Run(ctx context.Context, e *environ) error {
	confined, err := sandbox(c.Dir)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	if !confined {
		log.Warn("this system has no Landlock: customers' SQL is confined by the engine's own locks, and can write no file")
	}
	if err := flight.RunProcess(ctx, log); err != nil {
		return fmt.Errorf("query engine: %w", err)
	}
	return nil
}
