package main_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/ingest/upload"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

// start runs the program and gives what follows want on its first line of output that begins with it.
func start(t *testing.T, want string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second
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
			t.Logf("roadcomb %s:\n%s", args[0], errs.String())
		}
	})
	lines := make(chan string, 1)
	go func() {
		for sc := bufio.NewScanner(out); sc.Scan(); {
			if rest, ok := strings.CutPrefix(sc.Text(), want); ok {
				lines <- rest
			}
		}
		close(lines)
	}()
	select {
	case l, ok := <-lines:
		if !ok {
			t.Fatalf("roadcomb %s ended\n%s", args[0], errs.String())
		}
		return l
	case <-time.After(4 * time.Minute): // footage may be on its way
		t.Fatalf("roadcomb %s does not answer\n%s", args[0], errs.String())
		return ""
	}
}

func TestSeparateProcessesShareOneNetwork(t *testing.T) {
	admin := os.Getenv("ROADCOMB_TEST_POSTGRES")
	if admin == "" {
		t.Skip("ROADCOMB_TEST_POSTGRES is not set; .ci/with-postgres starts a server")
	}
	home := t.TempDir()
	s3 := start(t, "store: ", "store", "--home", home, "--listen", "127.0.0.1:0")
	var sec struct {
		S3Key    string `json:"s3_key"`
		S3Secret string `json:"s3_secret"`
		Operator string `json:"operator_token"`
	}
	if err := json.Unmarshal(mustRead(t, filepath.Join(home, "secrets.json")), &sec); err != nil {
		t.Fatal(err)
	}
	shared := []string{"--home", home, "--state", testkit.FreshPostgres(t, admin), "--s3", s3, "--s3-key", sec.S3Key, "--s3-secret", sec.S3Secret}
	base := strings.TrimSuffix(start(t, "map: ", append([]string{"serve", "--listen", "127.0.0.1:0", "--flight", "127.0.0.1:0", "--query-folder", t.TempDir()}, shared...)...), "/")
	for range 2 {
		start(t, "working", append([]string{"work"}, shared...)...)
	}

	// The operator registers a driver, who uploads a drive long enough to survive the trimming of its ends.
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/v1/contributors", strings.NewReader(`{"handle":"anna"}`))
	req.Header.Set("Authorization", "Bearer "+sec.Operator)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var reg struct{ Token string }
	if err := json.NewDecoder(resp.Body).Decode(&reg); err != nil || reg.Token == "" {
		t.Fatalf("%s: %v", resp.Status, err)
	}
	dir := t.TempDir()
	drive(t, dir, 135, true) // 1,072 m
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	client := upload.Client{BaseURL: base, Token: reg.Token}
	res, err := client.Upload(ctx, []string{dir}, survey.UploadOptions{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	accepted, trimmed := 0, 0
	for _, f := range res.Files {
		switch {
		case f.Verdict == "accepted":
			accepted++
		case f.Reason == survey.ReasonTrimmed:
			trimmed++
		}
	}
	if accepted == 0 || accepted+trimmed != 135 {
		t.Fatalf("%d accepted, %d trimmed of 135", accepted, trimmed)
	}
	if out, err := repo(t, append([]string{"tick"}, shared...)...).CombinedOutput(); err != nil {
		t.Fatalf("tick: %v\n%s", err, out)
	}
	// The workers publish tiles and datasets in their own time.
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		var tj struct{ Bounds [4]float64 }
		r, err := http.Get(base + "/v1/tiles/images.json")
		if err == nil {
			err = json.NewDecoder(r.Body).Decode(&tj)
			r.Body.Close()
		}
		if err == nil && tj.Bounds[0] > 7 && tj.Bounds[1] > 43 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the drive is not on the map: %v %v", tj, err)
		}
	}
}
