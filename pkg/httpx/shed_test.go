package httpx_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/httpx"
)

func TestAFullServerTurnsAwayAtOnceAndRecovers(t *testing.T) {
	hold := make(chan struct{})
	inside := make(chan struct{}, 100)
	h := httpx.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inside <- struct{}{}
		<-hold
		w.WriteHeader(http.StatusNoContent)
	}), httpx.Options{MaxRequests: 2, QueueTime: 150 * time.Millisecond})
	ask := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if w := ask("/v1/x"); w.Code != http.StatusNoContent {
				t.Error(w.Code)
			}
		})
		<-inside
	}
	// Two may wait, for a while; the third is turned away at once.
	late := make(chan *httptest.ResponseRecorder, 2)
	for range 2 {
		go func() { late <- ask("/v1/x") }()
	}
	time.Sleep(50 * time.Millisecond)
	began := time.Now()
	w := ask("/v1/x")
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "1" || time.Since(began) > 50*time.Millisecond {
		t.Fatal(w.Code, w.Header(), time.Since(began))
	}
	for range 2 {
		if w := <-late; w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Fatal(w.Code)
		}
	}
	// A long poll waits for others and is let in; a probe always is.
	for _, path := range []string{"/v1/uploads/u?wait=20", "/healthz"} {
		wg.Go(func() {
			if w := ask(path); w.Code != http.StatusNoContent {
				t.Error(path, w.Code)
			}
		})
		<-inside
	}
	close(hold)
	wg.Wait()
	if w := ask("/v1/x"); w.Code != http.StatusNoContent {
		t.Fatal("it does not recover:", w.Code)
	}
}

func TestAWaiterGetsThePlaceThatBecomesFree(t *testing.T) {
	hold := make(chan struct{})
	inside := make(chan struct{}, 10)
	h := httpx.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { inside <- struct{}{}; <-hold }), httpx.Options{MaxRequests: 1, QueueTime: 10 * time.Second})
	codes := make(chan int, 2)
	for range 2 {
		go func() {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
			codes <- w.Code
		}()
	}
	<-inside
	close(hold)
	for range 2 {
		if c := <-codes; c != http.StatusOK {
			t.Fatal(c)
		}
	}
}
