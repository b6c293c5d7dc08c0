package fleet

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Quantiles are in milliseconds.
type Quantiles struct {
	N   int     `json:"n"`
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

func quantiles(ds []time.Duration) Quantiles {
	if len(ds) == 0 {
		return Quantiles{}
	}
	ds = slices.Clone(ds)
	slices.Sort(ds)
	at := func(q float64) float64 {
		return float64(ds[min(int(q*float64(len(ds))), len(ds)-1)].Microseconds()) / 1000
	}
	return Quantiles{len(ds), at(0.5), at(0.95), at(0.99), at(1)}
}

// RouteStats is how one kind of request fared.
type RouteStats struct {
	Route    string         `json:"route"`
	Latency  Quantiles      `json:"ms"`       // until the header of the answer, whatever its status
	Statuses map[string]int `json:"statuses"` // by class, "lost" when there was no answer
	// Unhinted counts 429 and 503 answers without Retry-After.
	Unhinted int `json:"unhinted,omitempty"`
}

// recorder times requests by route.
type recorder struct {
	next http.RoundTripper

	mu     sync.Mutex
	routes map[string]*routeTimes
}

type routeTimes struct {
	times    []time.Duration
	statuses map[string]int
	unhinted int
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	began := time.Now()
	resp, err := r.next.RoundTrip(req)
	took := time.Since(began)
	name := routeOf(req)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.routes == nil {
		r.routes = map[string]*routeTimes{}
	}
	t := r.routes[name]
	if t == nil {
		t = &routeTimes{statuses: map[string]int{}}
		r.routes[name] = t
	}
	t.times = append(t.times, took)
	switch {
	case err != nil:
		t.statuses["lost"]++
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable:
		t.statuses[resp.Status[:3]]++
		if resp.Header.Get("Retry-After") == "" && strings.HasPrefix(req.URL.Path, "/v1/") {
			t.unhinted++
		}
	default:
		t.statuses[resp.Status[:1]+"xx"]++
	}
	return resp, err
}

const (
	objectRoute = " (object)"    // straight to the store
	waitingMark = " (long poll)" // answered when there is something to say
)

// api are the times of all requests to the API that do not wait on purpose.
func (r *recorder) api() Quantiles {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []time.Duration
	for name, t := range r.routes {
		if !strings.HasSuffix(name, objectRoute) && !strings.HasSuffix(name, waitingMark) {
			all = append(all, t.times...)
		}
	}
	return quantiles(all)
}

// routeOf names a request without the ids in it.
func routeOf(r *http.Request) string {
	if r.URL.Query().Has("X-Amz-Signature") {
		return r.Method + objectRoute
	}
	parts := strings.Split(r.URL.Path, "/")
	for i, p := range parts {
		if i > 2 && len(p) >= 20 {
			parts[i] = "{id}"
		}
	}
	name := r.Method + " " + strings.Join(parts, "/")
	if r.URL.Query().Get("wait") != "" {
		name += waitingMark
	}
	return name
}

func (r *recorder) stats() []RouteStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []RouteStats
	for name, t := range r.routes {
		out = append(out, RouteStats{Route: name, Latency: quantiles(t.times), Statuses: t.statuses, Unhinted: t.unhinted})
	}
	slices.SortFunc(out, func(a, b RouteStats) int { return strings.Compare(a.Route, b.Route) })
	return out
}
