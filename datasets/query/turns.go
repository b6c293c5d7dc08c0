package query

import (
	"sync"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Turns bounds how many queries run at a time, of all askers and of each. The zero value is ready; it is safe for concurrent
// use.
type Turns struct {
	Most int // of all askers; 0 means 16

	mu      sync.Mutex
	running int
	byID    map[string]int
}

// Take begins one of at most most queries of an asker, or is Busy. release, which may be called more than once, ends it.
func (t *Turns) Take(id string, most int) (release func(), err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.Most
	if all <= 0 {
		all = 16
	}
	switch {
	case t.byID[id] >= most:
		return nil, survey.Errorf(survey.Busy, "%d queries of this key run already", t.byID[id]).WithHint("wait for one to end")
	case t.running >= all:
		return nil, survey.Errorf(survey.Busy, "%d queries run already", t.running).WithHint("try again in a moment")
	}
	if t.byID == nil {
		t.byID = map[string]int{}
	}
	t.byID[id]++
	t.running++
	return sync.OnceFunc(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.running--
		if t.byID[id]--; t.byID[id] == 0 {
			delete(t.byID, id)
		}
	}), nil
}
