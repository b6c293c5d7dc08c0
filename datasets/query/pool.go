package query

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/roadcomb/roadcomb/datasets/snapshot"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Limits bound what one asker may use. The zero value is the default.
type Limits struct {
	MemoryMB int           `json:"memory_mb"` // of all its queries together; 0 means 1,024
	Time     time.Duration `json:"time"`      // of one query inside the engine; 0 means 2 minutes
	Queries  int           `json:"queries"`   // at a time; 0 means 4
}

// Filled is l with the defaults in the place of zeros.
func (l Limits) Filled() Limits {
	if l.MemoryMB <= 0 {
		l.MemoryMB = 1024
	}
	if l.Time <= 0 {
		l.Time = 2 * time.Minute
	}
	if l.Queries <= 0 {
		l.Queries = 4
	}
	return l
}

// Pool opens an engine for each asker on the snapshot in a folder, and a new one when the snapshot there is replaced;
// queries that run go on with the files they began with. It is safe for concurrent use.
type Pool struct {
	Dir     string
	Threads int              // of each engine; 0 means all cores
	Turns   Turns            // of all askers
	Idle    int              // engines kept open without a query; 0 means 4
	Alloc   memory.Allocator // of records; nil means that of the engines

	mu      sync.Mutex
	engines map[string]*pooled // that can be had
	closed  bool
}

type pooled struct {
	id       string
	snapshot string
	limits   Limits
	ready    chan struct{} // closed when engine or err is set
	engine   *Engine
	err      error
	running  int
	used     time.Time
	stale    bool
}

// Lease is the right to run one query.
type Lease struct {
	pool *Pool
	p    *pooled
	turn func() // ends it
	once sync.Once
}

// Engine is the asker's, until the lease is released.
func (l *Lease) Engine() *Engine { return l.p.engine }

// Release gives the lease back; the streams opened under it must be closed.
func (l *Lease) Release() {
	l.once.Do(func() {
		l.turn()
		l.pool.mu.Lock()
		defer l.pool.mu.Unlock()
		l.p.running--
		l.p.used = time.Now()
		l.pool.settle(l.p)
		l.pool.tidy()
	})
}

// identity tells one snapshot from the next; the file is replaced, never rewritten.
func (p *Pool) identity() (string, error) {
	st, err := os.Stat(filepath.Join(p.Dir, snapshot.FileName))
	if os.IsNotExist(err) {
		return "", survey.Errorf(survey.Unavailable, "there is no snapshot of the datasets yet").WithHint("one is made after the first drive is published")
	} else if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d-%d", st.Size(), st.ModTime().UnixNano()), nil
}

// Acquire gives an engine with the asker's limits on the current snapshot; Busy when too many queries run.
func (p *Pool) Acquire(ctx context.Context, id string, l Limits) (*Lease, error) {
	l = l.Filled()
	snap, err := p.identity()
	if err != nil {
		return nil, err
	}
	turn, err := p.Turns.Take(id, l.Queries)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		turn()
		return nil, survey.Errorf(survey.Unavailable, "the query engine is closing")
	}
	if p.engines == nil {
		p.engines = map[string]*pooled{}
	}
	e := p.engines[id]
	if e != nil && (e.snapshot != snap || e.limits != l) {
		p.retire(e)
		e = nil
	}
	if e == nil {
		e = &pooled{id: id, snapshot: snap, limits: l, ready: make(chan struct{})}
		p.engines[id] = e
		go p.open(e) // #nosec G118 -- the engine outlives the question that opens it
	}
	e.running++
	p.mu.Unlock()
	lease := &Lease{pool: p, p: e, turn: turn}
	select {
	case <-e.ready:
	case <-ctx.Done():
		lease.Release()
		return nil, context.Cause(ctx)
	}
	if e.err != nil {
		p.mu.Lock()
		p.retire(e) // the next asker tries again
		p.mu.Unlock()
		lease.Release()
		return nil, e.err
	}
	return lease, nil
}

func (p *Pool) open(e *pooled) {
	engine, err := Open(context.Background(), p.Dir, Options{MemoryMB: e.limits.MemoryMB, Timeout: e.limits.Time, Threads: p.Threads, Alloc: p.Alloc})
	p.mu.Lock()
	defer p.mu.Unlock()
	e.engine, e.err = engine, err
	close(e.ready)
	p.settle(e)
}

// retire takes an engine away from new askers.
func (p *Pool) retire(e *pooled) {
	if p.engines[e.id] == e {
		delete(p.engines, e.id)
	}
	e.stale = true
	p.settle(e)
}

// settle closes a retired engine when its last query has ended.
func (p *Pool) settle(e *pooled) {
	if e.stale && e.running == 0 && e.engine != nil {
		e.engine.Close()
		e.engine = nil
	}
}

// tidy closes the engines that were idle longest, beyond those that are kept.
func (p *Pool) tidy() {
	keep := p.Idle
	if keep <= 0 {
		keep = 4
	}
	for {
		var oldest *pooled
		idle := 0
		for _, e := range p.engines {
			if e.running == 0 {
				idle++
				if oldest == nil || e.used.Before(oldest.used) {
					oldest = e
				}
			}
		}
		if idle <= keep {
			return
		}
		p.retire(oldest)
	}
}

// Close closes every engine once its queries have ended.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, e := range p.engines {
		p.retire(e)
	}
}
