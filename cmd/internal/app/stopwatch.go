package app

import (
	"sync"
	"time"
)

// stopwatch adds up how long named stages took, over all workers.
type stopwatch struct {
	mu sync.Mutex
	m  map[string]time.Duration
}

// time starts a measurement; the returned function ends it.
func (s *stopwatch) time(name string) func() {
	t := time.Now()
	return func() { s.add(name, time.Since(t)) }
}

func (s *stopwatch) add(name string, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = map[string]time.Duration{}
	}
	s.m[name] += d
}

// seconds is a copy of the totals.
func (s *stopwatch) seconds() map[string]float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]float64{}
	for k, d := range s.m {
		out[k] = d.Seconds()
	}
	return out
}
