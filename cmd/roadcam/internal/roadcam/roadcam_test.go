package roadcam_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/roadcomb/roadcomb/cmd/roadcam/internal/roadcam"
	"github.com/roadcomb/roadcomb/ingest/api"
	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"roadcam": func() { os.Exit(roadcam.Run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) },
	})
}

const driver survey.ContributorID = "d41e0000000000000000000000000000"

// serve runs the driver's API over the real store; every file that ends in .jpg is accepted, the rest rejected.
func serve(t testing.TB) (url string, db *state.DB, st *store.Store) {
	t.Helper()
	db, st = testkit.DB(t), testkit.S3(t)
	if err := api.EnsureContributor(t.Context(), db, driver, "driver", "tok"); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	api.Register(mux, httpx.NewAPI(mux, "test", "1"), api.Deps{DB: db, Store: st})
	srv := httptest.NewServer(httpx.Wrap(mux, httpx.Options{}))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if err := judge(ctx, db); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done; srv.Close() })
	return srv.URL, db, st
}

func judge(ctx context.Context, db *state.DB) error {
	return db.Tx(ctx, func(tx *state.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE upload_files SET verdict = CASE WHEN path LIKE '%.jpg' THEN 'accepted' ELSE 'rejected' END,
			reason = CASE WHEN path LIKE '%.jpg' THEN '' ELSE 'unknown_type' END, message = CASE WHEN path LIKE '%.jpg' THEN '' ELSE 'no image' END
			WHERE upload_id IN (SELECT id FROM uploads WHERE state = 'uploaded')`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE uploads SET state = 'settled', settled_at = 1 WHERE state = 'uploaded'`)
		return err
	})
}

func TestScripts(t *testing.T) {
	url, _, _ := serve(t)
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join(testkit.Root(t), "cmd/roadcam/internal/roadcam/testdata"), // the embedded store changes the working folder
		Setup: func(e *testscript.Env) error {
			e.Setenv("ROADCAM_SERVER", url)
			e.Setenv("ROADCAM_TOKEN", "tok")
			e.Setenv("XDG_CACHE_HOME", e.WorkDir+"/cache")
			return nil
		},
	})
}

func TestExitCodesAreThoseOfTheHelp(t *testing.T) {
	url, db, _ := serve(t)
	dir := t.TempDir()
	write := func(name, body string) string {
		t.Helper()
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
		return p
	}
	jpg, txt := write("a.jpg", "a"), write("b.txt", "b")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		want int
		ctx  context.Context
		args []string
	}{
		{roadcam.ExitOK, t.Context(), []string{"upload", jpg}},
		{roadcam.ExitOK, t.Context(), []string{"upload", jpg, "--no-wait"}},
		{roadcam.ExitRejected, t.Context(), []string{"upload", jpg, txt}},
		{roadcam.ExitInput, t.Context(), []string{"upload", txt}},
		{roadcam.ExitUsage, t.Context(), []string{"upload", filepath.Join(dir, "nope")}},
		{roadcam.ExitUsage, t.Context(), []string{"fly"}},
		{roadcam.ExitUsage, t.Context(), []string{"--token", "wrong", "status"}},
		{roadcam.ExitUsage, t.Context(), []string{"--server", "nonsense", "status"}},
		{roadcam.ExitLater, t.Context(), []string{"--server", "http://127.0.0.1:9", "upload", jpg, "--patience", "1ms"}},
		{roadcam.ExitStopped, gone, []string{"upload", jpg}},
		{roadcam.ExitOK, t.Context(), []string{"--help"}},
	} {
		var out, errs strings.Builder
		args := append([]string{"--server", url, "--token", "tok"}, c.args...)
		if c.args[0] == "upload" {
			args = append(args, "--cache", "none")
		}
		if got := roadcam.Run(c.ctx, args, &out, &errs); got != c.want {
			t.Errorf("%v exits %d, want %d: %s%s", c.args, got, c.want, out.String(), errs.String())
		}
	}
	if _, err := db.Exec(t.Context(), `UPDATE upload_files SET verdict = 'rejected', reason = 'no_model' WHERE path = 'a.jpg'`); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if got := roadcam.Run(t.Context(), []string{"--server", url, "--token", "tok", "upload", jpg, "--cache", "none"}, &out, &out); got != roadcam.ExitHeld {
		t.Errorf("held frames exit %d: %s", got, out.String())
	}
}

// TestKilledAtRandomAndRunAgainEverythingArrivesOnce kills the real process with SIGKILL at growing delays.
func TestKilledAtRandomAndRunAgainEverythingArrivesOnce(t *testing.T) {
	url, db, st := serve(t)
	dir := t.TempDir()
	bodies := map[string]bool{}
	for i := range 150 {
		b := strings.Repeat(fmt.Sprintf("%06d", i), 5000)
		bodies[b] = true
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%03d.jpg", i)), []byte(b), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	film := strings.Repeat("film", (api.SinglePut+3<<20)/4)
	bodies[film] = true
	if err := os.WriteFile(filepath.Join(dir, "film.jpg"), []byte(film), 0o644); err != nil {
		t.Fatal(err)
	}
	cache := filepath.Join(t.TempDir(), "hashes")
	kills := 0
	for delay := 30 * time.Millisecond; ; delay += 35 * time.Millisecond {
		ctx, cancel := context.WithTimeout(t.Context(), delay)
		cmd := exec.CommandContext(ctx, "roadcam", "upload", dir, "--cache", cache)
		cmd.Env = append(os.Environ(), "ROADCAM_SERVER="+url, "ROADCAM_TOKEN=tok")
		out, err := cmd.CombinedOutput()
		cancel()
		if err == nil {
			if !strings.Contains(string(out), "151 accepted, 0 rejected") {
				t.Fatalf("%s", out)
			}
			break
		}
		if ctx.Err() == nil {
			t.Fatalf("%v\n%s", err, out)
		}
		kills++
	}
	if kills == 0 {
		t.Skip("the machine was too fast to kill anything")
	}
	for b := range bodies {
		got, _, err := st.Get(t.Context(), store.Private, store.OriginalKey(driver, survey.HashOf([]byte(b))), 1<<30)
		if err != nil || string(got) != b {
			t.Fatalf("%.12s…: %d bytes, %v", b, len(got), err)
		}
	}
	var uploads, jobs int
	if err := db.QueryRow(t.Context(), `SELECT (SELECT COUNT(*) FROM uploads), (SELECT COUNT(*) FROM river_job)`).Scan(&uploads, &jobs); err != nil || uploads != 1 || jobs != 1 {
		t.Fatalf("%d uploads, %d jobs, %v", uploads, jobs, err)
	}
	t.Logf("killed %d times", kills)
}
