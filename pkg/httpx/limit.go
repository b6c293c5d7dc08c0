package httpx

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Limiter is a token bucket per key: Burst requests at once, refilled at Rate per second. It is safe for concurrent use
// and keeps at most MaxKeys buckets; past that, full buckets are forgotten, and if none is full, all are.
type Limiter struct {
	Rate    float64          // tokens a second; > 0
	Burst   int              // size of a bucket; ≥ 1
	Name    string           // of the policy in headers; "" means "default"
	MaxKeys int              // 0 means 100,000
	Clock   func() time.Time // nil means time.Now

	mu      sync.Mutex
	buckets map[string]bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

// Decision is the answer for one request.
type Decision struct {
	OK        bool
	Remaining int           // requests still possible at once
	Reset     time.Duration // until the bucket is full
	Retry     time.Duration // until the next request is possible; 0 when OK
}

// Take takes one token of key's bucket.
func (l *Limiter) Take(key string) Decision {
	now := time.Now
	if l.Clock != nil {
		now = l.Clock
	}
	t := now()
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.buckets[key]
	if ok {
		b = l.fill(b, t)
	} else {
		l.room(t)
		b = bucket{float64(l.Burst), t}
	}
	d := Decision{OK: b.tokens >= 1}
	if d.OK {
		b.tokens--
	} else {
		d.Retry = seconds((1 - b.tokens) / l.Rate)
	}
	d.Remaining = int(b.tokens)
	d.Reset = seconds((float64(l.Burst) - b.tokens) / l.Rate)
	l.buckets[key] = b
	return d
}

func (l *Limiter) fill(b bucket, t time.Time) bucket {
	// A clock that steps back must not empty a bucket.
	if dt := t.Sub(b.at).Seconds(); dt > 0 {
		b.tokens = math.Min(float64(l.Burst), b.tokens+dt*l.Rate)
	}
	b.at = t
	return b
}

func (l *Limiter) room(t time.Time) {
	most := l.MaxKeys
	if most <= 0 {
		most = 100_000
	}
	if l.buckets == nil {
		l.buckets = map[string]bucket{}
	}
	if len(l.buckets) < most {
		return
	}
	for k, b := range l.buckets {
		if l.fill(b, t).tokens >= float64(l.Burst) {
			delete(l.buckets, k)
		}
	}
	if len(l.buckets) >= most {
		clear(l.buckets)
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// Check takes a token, tells the client where it stands in the RateLimit and RateLimit-Policy headers
// (draft-ietf-httpapi-ratelimit-headers), and gives a Busy problem with Retry-After when there is none left.
func (l *Limiter) Check(h http.Header, key string) error {
	d := l.Take(key)
	name := l.Name
	if name == "" {
		name = "default"
	}
	window := max(1, int(math.Ceil(float64(l.Burst)/l.Rate)))
	h.Set("RateLimit-Policy", fmt.Sprintf("%q;q=%d;w=%d", name, l.Burst, window))
	h.Set("RateLimit", fmt.Sprintf("%q;r=%s;t=%s", name, strconv.Itoa(d.Remaining), strconv.Itoa(int(math.Ceil(d.Reset.Seconds())))))
	if d.OK {
		return nil
	}
	return ProblemOf(survey.Errorf(survey.Busy, "too many requests").WithHint("wait as long as Retry-After says")).RetryAfter(d.Retry)
}
