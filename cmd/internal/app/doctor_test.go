package app

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// The doctor sees a clock that is off by more than a minute, in either direction, and lets one pass that is not.
func TestTheDoctorComparesClocks(t *testing.T) {
	for _, c := range []struct {
		off  time.Duration
		want string // "" is fine
	}{{0, ""}, {20 * time.Second, ""}, {-20 * time.Second, ""}, {20 * time.Minute, "ahead of"}, {-3 * time.Hour, "behind"}} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", time.Now().Add(c.off).UTC().Format(http.TimeFormat))
			w.WriteHeader(http.StatusForbidden)
		}))
		code, out := run(t, "doctor", "--json", "--home", t.TempDir(), "--s3", srv.URL, "--s3-key", "k", "--s3-secret", "hush-hush-hush", "--listen", "127.0.0.1:0", "--flight", "")
		srv.Close()
		if code != ExitInternal || strings.Contains(out, "hush") { // the store itself refuses
			t.Fatal(code, out)
		}
		var fs []finding
		if err := json.NewDecoder(strings.NewReader(out)).Decode(&fs); err != nil {
			t.Fatal(err, out)
		}
		found := false
		for _, f := range fs {
			if f.Check != "clock of the object store" {
				continue
			}
			found = true
			if f.OK != (c.want == "") || !strings.Contains(f.Says, c.want) || !f.OK && f.Mend == "" {
				t.Errorf("off by %s: %+v", c.off, f)
			}
		}
		if !found {
			t.Error("the clock was not compared")
		}
	}
}
