package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/ingest/api"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

func TestUploadsNeverCompletedAreSweptWithoutHarmToOthers(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		s := newSiteOn(t, db, api.Limits{})
		d := api.Deps{DB: s.db, Store: s.store, Clock: func() time.Time { return s.now }}
		there := func(body string) bool {
			t.Helper()
			_, err := s.store.Stat(t.Context(), store.Private, store.OriginalKey(alice, survey.HashOf([]byte(body))))
			if err != nil && survey.KindOf(err) != survey.NotFound {
				t.Fatal(err)
			}
			return err == nil
		}
		big := strings.Repeat("b", api.SinglePut+1)
		s.deliver("alice", "kept")
		var u api.Opened
		s.must("alice", "POST", "/v1/uploads", manifest("kept", "lost", big), &u)
		up := "/v1/uploads/" + string(u.ID)
		var m api.Missing
		s.must("alice", "POST", up+"/urls", map[string]any{}, &m)
		for _, f := range m.Files {
			if !f.InParts {
				s.put(f.Put, f.Headers, "lost", http.StatusOK)
			}
		}
		s.must("alice", "POST", up+"/urls", map[string]any{"files": []any{survey.HashOf([]byte(big))}}, nil)
		if got, err := api.Sweep(t.Context(), d, 0); err != nil || got != (api.Swept{}) {
			t.Fatalf("a young upload: %+v %v", got, err)
		}
		s.now = s.now.Add(api.SweepAfter + time.Hour)
		got, err := api.Sweep(t.Context(), d, 0)
		if err != nil || got != (api.Swept{Uploads: 1, Objects: 1, Parts: 1}) {
			t.Fatalf("%+v %v", got, err)
		}
		if there("lost") || !there("kept") {
			t.Fatal("lost is there, or kept is gone")
		}
		if got, err := api.Sweep(t.Context(), d, 0); err != nil || got != (api.Swept{}) {
			t.Fatalf("again: %+v %v", got, err)
		}
		if w := s.ask("alice", "POST", up+"/urls", map[string]any{}, nil); w.Code != http.StatusConflict {
			t.Fatal(w.Code, w.Body)
		}
		// It can be opened anew, and is asked for what was removed.
		s.must("alice", "POST", "/v1/uploads", manifest("kept", "lost", big), &u)
		m = api.Missing{}
		s.must("alice", "POST", up+"/urls", map[string]any{}, &m)
		if u.State != survey.UploadOpen || len(m.Files) != 2 || m.Present != 1 {
			t.Fatalf("%+v %+v", u, m)
		}
	})
}
