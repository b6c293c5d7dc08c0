package main_test

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/testkit"
)

// up starts the network with args and gives the address of its map once it is printed, which is when the footage given
// is on it. It is stopped with the test.
func up(t *testing.T, args ...string) (url string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, bin, append([]string{"up", "--listen", "127.0.0.1:0", "--s3-listen", "127.0.0.1:0"}, args...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	cmd.Dir = testkit.Root(t)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		cmd.Wait()
		if t.Failed() {
			t.Logf("stderr of roadcomb up:\n%s", errs.String())
		}
	})
	found := make(chan string, 1)
	go func() {
		for sc := bufio.NewScanner(out); sc.Scan(); {
			if u, ok := strings.CutPrefix(sc.Text(), "map: "); ok {
				found <- u
			}
		}
		close(found)
	}()
	select {
	case u, ok := <-found:
		if !ok {
			t.Fatalf("roadcomb up ended\n%s", errs.String())
		}
		return u
	case <-time.After(4 * time.Minute):
		t.Fatalf("no map after four minutes\n%s", errs.String())
		return ""
	}
}

func TestTheMapOfADriveInABrowser(t *testing.T) {
	chromium := ""
	for _, n := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(n); err == nil {
			chromium = p
			break
		}
	}
	root := testkit.Root(t)
	if _, err := os.Stat(filepath.Join(root, "tiles/viewer/node_modules/puppeteer-core")); err != nil || chromium == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("chromium or puppeteer-core is not installed; .ci/setup test installs them")
		}
		t.Skip("chromium or puppeteer-core is not installed; .ci/setup test installs them")
	}
	url := up(t, "--home", t.TempDir(), "--drive", testkit.Shared(t, "data", "exif-sequence-lund"))
	shot := filepath.Join(root, "dist", "map.png")
	if err := os.MkdirAll(filepath.Dir(shot), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join(root, "tiles/viewer/test/map.mjs"), url, shot)
	cmd.Env = append(os.Environ(), "CHROMIUM="+chromium)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	if st, err := os.Stat(shot); err != nil || st.Size() < 10_000 {
		t.Fatalf("screenshot: %v", err)
	}
}
