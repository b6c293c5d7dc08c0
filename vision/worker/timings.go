package worker

import (
	"slices"
	"sort"
	"sync"
	"time"
)

// Timings adds up where the time goes, by step. The zero value is ready; a nil one collects nothing. It is safe for
// concurrent use.
type Timings struct {
	mu    sync.Mutex
	steps map[string]*StepTime
}

// StepTime is the time spent in one step over all frames.
type StepTime struct {
	Step   string        `json:"step"`
	Frames int           `json:"frames"`
	Total  time.Duration `json:"total_ns"`
	Mpx    float64       `json:"mpx"` // of the pictures, as declared
}

func (t *Timings) add(step string, d time.Duration, f frame) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.steps == nil {
		t.steps = map[string]*StepTime{}
	}
	s := t.steps[step]
	if s == nil {
		s = &StepTime{Step: step}
		t.steps[step] = s
	}
	s.Frames++
	s.Total += d
	s.Mpx += float64(f.pixels()) / 1e6
}

// Steps is what was collected so far, in the order of the steps.
func (t *Timings) Steps() []StepTime {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	place := map[string]int{"cut": 0}
	for _, s := range slices.Concat(lookSteps, showSteps) {
		place[s.name] = len(place) // "cut" stands in for read and decode
	}
	out := make([]StepTime, 0, len(t.steps))
	for _, s := range t.steps {
		out = append(out, *s)
	}
	sort.Slice(out, func(i, j int) bool { return place[out[i].Step] < place[out[j].Step] })
	return out
}
