package main_test

import (
	"encoding/json"
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
	return start(t, "map: ", append([]string{"up", "--listen", "127.0.0.1:0", "--s3-listen", "127.0.0.1:0", "--flight", "127.0.0.1:0"}, args...)...)
}

// browser is the path of a Chromium that the page's tests can drive; without one the test skips, or fails where CI
// should have installed it.
func browser(t *testing.T) string {
	t.Helper()
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
	return chromium
}

func TestADriverUploadsInABrowser(t *testing.T) {
	chromium, root, home, footage := browser(t), testkit.Root(t), t.TempDir(), t.TempDir()
	url := up(t, "--home", home)
	drive(t, footage, 135, true)
	var sec struct {
		Token string `json:"driver_token"`
	}
	if err := json.Unmarshal(mustRead(t, filepath.Join(home, "secrets.json")), &sec); err != nil {
		t.Fatal(err)
	}
	shot := filepath.Join(root, "dist", "drive.png")
	if err := os.MkdirAll(filepath.Dir(shot), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join(root, "tiles/viewer/test/drive.mjs"), url, footage, shot)
	cmd.Env = append(os.Environ(), "CHROMIUM="+chromium, "ROADCOMB_TOKEN="+sec.Token)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var saw struct{ Files, Accepted, Rejected, Drives int }
	if err := json.Unmarshal(out, &saw); err != nil || saw.Files != 135 || saw.Accepted == 0 || saw.Accepted+saw.Rejected != 135 || saw.Drives != 1 {
		t.Fatalf("the page shows %s (%v)", out, err)
	}
}

func TestTheMapOfADriveInABrowser(t *testing.T) {
	chromium, root := browser(t), testkit.Root(t)
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
