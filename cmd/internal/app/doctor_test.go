package app

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/benchmarks/fleet"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/vision/infer"
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

// checkup runs the doctor and gives its findings by name.
func checkup(t *testing.T, args ...string) (int, map[string]finding) {
	t.Helper()
	goHome(t)
	code, out := run(t, append([]string{"doctor", "--json"}, args...)...)
	var fs []finding
	if err := json.NewDecoder(strings.NewReader(out)).Decode(&fs); err != nil {
		t.Fatal(err, out)
	}
	by := map[string]finding{}
	for _, f := range fs {
		if !f.OK && (f.Says == "" || f.Mend == "") {
			t.Errorf("it does not say what is wrong and how to mend it: %+v", f)
		}
		by[f.Check] = f
	}
	return code, by
}

func failed(by map[string]finding) string {
	var names []string
	for n, f := range by {
		if !f.OK {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func TestTheDoctorFindsEachThingThatIsBrokenAndSaysHowToMendIt(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().String()

	// Everything that a server can lack.
	t.Run("bare", func(t *testing.T) {
		t.Setenv(infer.LibraryEnv, filepath.Join(t.TempDir(), "libonnxruntime.so.1"))
		code, by := checkup(t, "--home", "/proc/nobody-writes-here", "--models", t.TempDir(), "--state", "postgres://roadcomb@127.0.0.1:1/roadcomb?connect_timeout=2",
			"--s3", "http://127.0.0.1:1", "--s3-key", "k", "--s3-secret", "s", "--listen", port, "--flight", port)
		const want = "ONNX Runtime, PostgreSQL, a look at a picture, clock of the object store, data folder, disk, object store, port of the APIs, port of the datasets, privacy models"
		if got := failed(by); code != ExitInternal || got != want {
			t.Errorf("%d: %s, want %s", code, got, want)
		}
		if !by["OpenCV"].OK || !strings.Contains(by["OpenCV"].Says, "decodes") {
			t.Errorf("%+v", by["OpenCV"])
		}
	})

	home, sim := t.TempDir(), t.TempDir()
	if err := os.Chmod(home, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := fleet.WriteModels(sim); err != nil {
		t.Fatal(err)
	}
	good := []string{"--home", home, "--models", sim, "--listen", "127.0.0.1:0", "--s3-listen", "127.0.0.1:0", "--flight", ""}
	rehearse := append(slices.Clone(good), "--rehearse", "2026-06-01T00:00:00Z")
	if code, by := checkup(t, rehearse...); code != ExitOK && !onlyDisk(by) || !strings.Contains(by["state database"].Says, "empty") {
		t.Errorf("a fresh folder: %d: %s %+v", code, failed(by), by)
	}
	if left, err := os.ReadDir(home); err != nil || len(left) > 0 {
		t.Errorf("the doctor left something behind: %v %v", left, err)
	}
	// The simulator's detector finds no real face: only a rehearsal may use it.
	if _, by := checkup(t, good...); by["a look at a picture"].OK {
		t.Error("the simulator's models pass for real ones")
	}
	// A damaged database, and one that a newer program made.
	path := filepath.Join(home, "state.db")
	db, err := state.Open(t.Context(), "sqlite:"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)`); err != nil {
		t.Fatal(err)
	}
	db.Close()
	if _, by := checkup(t, rehearse...); by["state database"].OK || !strings.Contains(by["state database"].Says, "newer") {
		t.Errorf("%+v", by["state database"])
	}
	if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, by := checkup(t, rehearse...); by["state database"].OK || !strings.Contains(by["state database"].Mend, "backup") {
		t.Errorf("%+v", by["state database"])
	}

	for _, c := range []struct {
		free int64
		ok   bool
	}{{3 << 30, true}, {leastDisk, true}, {leastDisk - 1, false}, {0, false}} {
		if _, err := room(c.free); (err == nil) != c.ok {
			t.Errorf("%d bytes: %v", c.free, err)
		}
	}
	if _, err := plausible(time.Date(1970, 1, 1, 0, 3, 0, 0, time.UTC)); err == nil {
		t.Error("a clock that was never set passes")
	}
}

// onlyDisk reports whether nothing but the test machine's free space is wrong.
func onlyDisk(by map[string]finding) bool { return failed(by) == "disk" }
