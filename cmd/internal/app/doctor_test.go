package app

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
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

// The data folder is its owner's alone, also where it was there before with other rights, and the doctor says when it no longer is.
func TestTheDataFolderIsItsOwnersAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no such rights")
	}
	goHome(t)
	home := t.TempDir()
	if err := os.Chmod(home, 0o755); err != nil {
		t.Fatal(err)
	}
	p, err := openPlatform(t.Context(), settings{Home: home, S3Listen: "127.0.0.1:0", Models: t.TempDir()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if st, err := os.Stat(home); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", st.Mode(), err)
	}
	names, err := os.ReadDir(home)
	if err != nil || len(names) < 3 {
		t.Fatal(names, err)
	}
	for _, n := range names { // also if somebody opens the folder
		if st, err := n.Info(); err != nil || st.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v %v", n.Name(), st.Mode(), err)
		}
	}
	says := func() string {
		_, out := run(t, "doctor", "--json", "--home", home, "--s3-listen", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--flight", "")
		var fs []finding
		if err := json.NewDecoder(strings.NewReader(out)).Decode(&fs); err != nil {
			t.Fatal(err, out)
		}
		for _, f := range fs {
			if f.Check == "data folder" {
				return fmt.Sprint(f.OK, f.Says, f.Mend)
			}
		}
		t.Fatal("the folder was not looked at")
		return ""
	}
	if got := says(); !strings.HasPrefix(got, "true") {
		t.Error(got)
	}
	if err := os.Chmod(home, 0o750); err != nil {
		t.Fatal(err)
	}
	if got := says(); !strings.HasPrefix(got, "false") || !strings.Contains(got, "chmod 700 "+home) {
		t.Error(got)
	}
}
