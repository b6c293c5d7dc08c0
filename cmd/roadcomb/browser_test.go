package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/testkit"
)

// up starts the network with args and gives the address of its map once it is printed, which is when the footage given
// is on it. It is stopped with the test.
func up(t *testing.T, args ...string) (url string) {
	t.Helper()
	return start(t, "map: ", append([]string{"up", "--listen", "127.0.0.1:0", "--s3-listen", "127.0.0.1:0"}, args...)...)
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
