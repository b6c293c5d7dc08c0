package httpx

import (
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// gate bounds how many requests are inside. A server over its capacity that takes everything serves nobody in time; one
// that turns the rest away at once serves as many as it can, and those turned away come back when it can have them.
type gate struct {
	o       Options
	inside  chan struct{}
	parked  chan struct{}
	waiting atomic.Int64
}

const parkedFor1 = 40

func newGate(o Options) *gate {
	g := &gate{o: o}
	if o.MaxRequests <= 0 {
		return g
	}
	if g.o.QueueTime <= 0 {
		g.o.QueueTime = 2 * time.Second
	}
	if o.Parks == nil {
		g.o.Parks = func(r *http.Request) bool {
			return r.URL.Query().Get("wait") != "" || strings.Contains(r.Header.Get("Accept"), "text/event-stream")
		}
	}
	if o.Spares == nil {
		g.o.Spares = func(r *http.Request) bool {
			for _, s := range []string{"/health", "/healthz", "/readyz", "/metrics"} {
				if strings.HasSuffix(r.URL.Path, s) {
					return true
				}
			}
			return false
		}
	}
	g.inside, g.parked = make(chan struct{}, o.MaxRequests), make(chan struct{}, parkedFor1*o.MaxRequests)
	return g
}

// enter waits for a place and gives the function that leaves it, or a problem for the client.
func (g *gate) enter(r *http.Request) (leave func(), err error) {
	if g.inside == nil || g.o.Spares(r) {
		return func() {}, nil
	}
	places := g.inside
	if g.o.Parks(r) {
		places = g.parked
	}
	leave = func() { <-places }
	select {
	case places <- struct{}{}:
		return leave, nil
	default:
	}
	if g.waiting.Add(1) > int64(cap(g.inside)) {
		g.waiting.Add(-1)
		return nil, g.full()
	}
	defer g.waiting.Add(-1)
	t := time.NewTimer(g.o.QueueTime)
	defer t.Stop()
	select {
	case places <- struct{}{}:
		return leave, nil
	case <-t.C:
		return nil, g.full()
	case <-r.Context().Done():
		return nil, g.full()
	}
}

func (g *gate) full() error {
	return ProblemOf(survey.Errorf(survey.Unavailable, "the server has all it can do")).
		Typed("overloaded").RetryAfter(g.o.QueueTime)
}
