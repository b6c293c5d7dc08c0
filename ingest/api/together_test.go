package api_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/ingest/api"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

// More drivers than the database has connections: none may hold one while it waits for another.
func TestManyDriversOpenUploadsAtTheSameMoment(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		s := newSiteOn(t, db, api.Limits{OpenUploads: 1000})
		done := make(chan struct{})
		go func() {
			defer close(done)
			var wg sync.WaitGroup
			for i := range 48 {
				wg.Go(func() {
					if w := s.ask([]string{"alice", "bob"}[i%2], "POST", "/v1/uploads", manifest(fmt.Sprint("body ", i)), nil); w.Code != http.StatusCreated {
						t.Error(w.Code, w.Body)
					}
				})
			}
			wg.Wait()
		}()
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Fatal("they wait for each other")
		}
	})
}
