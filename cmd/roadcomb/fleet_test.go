package main_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/ingest/upload"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

// start runs the program and gives what follows want on its first line of output that begins with it.
func start(t *testing.T, want string, args ...string) string {
	t.Helper()
	line, _ := launch(t, want, args...)
	return line
}

// launch is start for a program that ends before the test does: end sends it a signal, waits, and gives its exit code.
func launch(t *testing.T, want string, args ...string) (line string, end func(os.Signal) int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second
	cmd.Dir = testkit.Root(t)
	var errs bytes.Buffer
	heard := hearing(t)
	cmd.Stderr = io.MultiWriter(&errs, heard)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	wait := sync.OnceFunc(func() { cmd.Wait() })
	end = func(sig os.Signal) int {
		cmd.Process.Signal(sig)
		wait()
		return cmd.ProcessState.ExitCode()
	}
	t.Cleanup(func() {
		cancel()
		wait()
		if t.Failed() {
			t.Logf("roadcomb %s:\n%s", args[0], errs.String())
		}
	})
	lines := make(chan string, 1)
	go func() {
		for sc := bufio.NewScanner(io.TeeReader(out, heard)); sc.Scan(); {
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
		return l, end
	case <-time.After(4 * time.Minute): // footage may be on its way
		t.Fatalf("roadcomb %s does not answer\n%s", args[0], errs.String())
		return "", end
	}
}

// transcript is what all programs of a test wrote.
type transcript struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (h *transcript) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b.Write(p)
}

func (h *transcript) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b.String()
}

var transcripts sync.Map // by the test's name

func hearing(t *testing.T) *transcript {
	h, seen := transcripts.LoadOrStore(t.Name(), &transcript{})
	if !seen {
		t.Cleanup(func() { transcripts.Delete(t.Name()) })
	}
	return h.(*transcript)
}

// hush fails the test where one of the secrets was written, by name.
func hush(t *testing.T, text string, secrets map[string]string) {
	t.Helper()
	for name, s := range secrets {
		if len(s) < 8 {
			t.Errorf("%s is no secret: %q", name, s)
		}
		for _, form := range []string{s, url.QueryEscape(s), base64.StdEncoding.EncodeToString([]byte(s))} {
			if i := strings.Index(text, form); i >= 0 {
				t.Errorf("%s was written: %s", name, text[max(0, i-200):min(len(text), i+len(form)+20)])
			}
		}
	}
}

// giveWay fails unless two workers of the database run and all their threads are as nice as given.
func giveWay(t *testing.T, database string, nice int) {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, line := range lines {
		b, err := os.ReadFile(line)
		if args := strings.Split(string(b), "\x00"); err != nil || len(args) < 2 || args[0] != bin || args[1] != "work" || !strings.Contains(string(b), database) {
			continue
		}
		n++
		threads, err := filepath.Glob(filepath.Dir(line) + "/task/*/stat")
		if err != nil {
			t.Fatal(err)
		}
		for _, th := range threads {
			if is, ok := testkit.Niceness(t, th); ok && is != nice {
				t.Errorf("a worker's niceness is %d, not %d", is, nice)
			}
		}
	}
	if n != 2 {
		t.Errorf("%d workers found", n)
	}
}

func TestSeparateProcessesShareOneNetwork(t *testing.T) {
	admin := os.Getenv("ROADCOMB_TEST_POSTGRES")
	if admin == "" {
		t.Skip("ROADCOMB_TEST_POSTGRES is not set; .ci/with-postgres starts a server")
	}
	// Everything is said aloud, and no secret of whatever kind may be in it.
	const password, purge, provider, wrong = "hush-database-password", "hush-purge-credential", "hush-provider-secret", "hush-wrong-token"
	for k, v := range map[string]string{"ROADCOMB_LOG": "debug", "ROADCOMB_PURGE_URL": "http://127.0.0.1:1/purge", "ROADCOMB_PURGE_HEADER": "X-Purge: " + purge,
		"ROADCOMB_OIDC_ISSUER": "http://127.0.0.1:1", "ROADCOMB_OIDC_CLIENT": "roadcomb", "ROADCOMB_OIDC_SECRET": provider} {
		t.Setenv(k, v)
	}
	home := t.TempDir()
	s3 := start(t, "store: ", "store", "--home", home, "--listen", "127.0.0.1:0")
	var sec struct {
		S3Key    string `json:"s3_key"`
		S3Secret string `json:"s3_secret"`
		Operator string `json:"operator_token"`
		Driver   string `json:"driver_token"`
		Signing  string `json:"signing_key"`
	}
	if err := json.Unmarshal(mustRead(t, filepath.Join(home, "secrets.json")), &sec); err != nil {
		t.Fatal(err)
	}
	database, err := url.Parse(testkit.FreshPostgres(t, admin))
	if err != nil {
		t.Fatal(err)
	}
	database.User = url.UserPassword(database.User.Username(), password) // the server trusts everyone
	prefix := ""
	if outside := os.Getenv("ROADCOMB_TEST_S3"); outside != "" { // another S3 server than ours
		u, err := url.Parse(outside)
		if err != nil || u.User == nil {
			t.Fatalf("ROADCOMB_TEST_S3 is not http://key:secret@host:port: %v", err)
		}
		sec.S3Key = u.User.Username()
		sec.S3Secret, _ = u.User.Password()
		u.User = nil
		s3, prefix = u.String(), fmt.Sprintf("fleet%d-", time.Now().UnixNano())
	}
	shared := []string{"--home", home, "--state", database.String(), "--s3", s3, "--s3-key", sec.S3Key, "--s3-secret", sec.S3Secret, "--s3-prefix", prefix}
	base := strings.TrimSuffix(start(t, "map: ", append([]string{"serve", "--listen", "127.0.0.1:0", "--flight", "127.0.0.1:0", "--query-folder", t.TempDir()}, shared...)...), "/")
	work := func() func(os.Signal) int {
		_, end := launch(t, "working", append([]string{"work", "--nice", "2"}, shared...)...)
		return end
	}
	workers := []func(os.Signal) int{work(), work()}
	if runtime.GOOS == "linux" {
		self, _ := testkit.Niceness(t, "/proc/self/stat")
		giveWay(t, database.Path, max(2, self))
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
	secrets := map[string]string{"the store's secret": sec.S3Secret, "the operator's token": sec.Operator, "the local driver's token": sec.Driver, "the signing key": sec.Signing,
		"a driver's token": reg.Token, "the database's password": password, "the purge credential": purge, "the provider's secret": provider,
		"a wrong token": wrong, "a presigned signature": "X-Amz-Signature="}
	for _, path := range []string{"/v1/operator/queue", "/v1/uploads/b0000000000000000000000000000000", "/v1/imagery?key=" + wrong, "/v1/operator/oidc/login"} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, base+path, nil)
		req.Header.Set("Authorization", "Bearer "+wrong)
		r, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(r.Body)
		r.Body.Close()
		if r.StatusCode < 400 && !strings.HasPrefix(path, "/v1/operator/oidc") {
			t.Errorf("%s let a wrong token in", path)
		}
		hush(t, string(answer), secrets)
	}
	defer func() {
		said := hearing(t).String()
		if !strings.Contains(said, "level=DEBUG") && !strings.Contains(said, "level=INFO") {
			t.Errorf("nothing was said aloud, so that this proves nothing:\n%.2000s", said)
		}
		hush(t, said, secrets)
		for _, args := range [][]string{append([]string{"doctor"}, shared...), {"doctor", "--state", strings.Replace(database.String(), database.Host, "127.0.0.1:1", 1), "--home", home},
			{"serve", "--help"}, {"doctor", "--state", "postgres://u:" + password + "@[broken"}} {
			out, _ := repo(t, args...).CombinedOutput()
			hush(t, string(out), secrets)
		}
	}()
	dir := t.TempDir()
	drive(t, dir, 135, true) // 1,072 m
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	client := upload.Client{BaseURL: base, Token: reg.Token}
	var res upload.Result
	uploaded := make(chan error, 1)
	go func() {
		r, err := client.Upload(ctx, []string{dir}, survey.UploadOptions{}, nil)
		res = r
		uploaded <- err
	}()
	// Meanwhile every worker is replaced, one after the other and again until all is done: each lets go of what it has in
	// hand or finishes it, and nothing is lost.
	replaced, done := 0, false
	for !done || replaced < len(workers) {
		i := replaced % len(workers)
		next := work()
		if code := workers[i](syscall.SIGTERM); code != 0 {
			t.Errorf("a worker that was told to stop ended with %d", code)
		}
		workers[i] = next
		replaced++
		select {
		case err := <-uploaded:
			if err != nil {
				t.Fatal(err)
			}
			done = true
		case <-time.After(time.Second):
		}
	}
	t.Logf("%d workers replaced under way", replaced)
	req, _ = http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/v1/operator/jobs?state=discarded&state=cancelled", nil)
	req.Header.Set("Authorization", "Bearer "+sec.Operator)
	lost, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer lost.Body.Close()
	var failed struct{ Jobs []map[string]any }
	if err := json.NewDecoder(lost.Body).Decode(&failed); err != nil || lost.StatusCode != 200 || len(failed.Jobs) > 0 {
		t.Fatalf("%s: %v: jobs lost: %v", lost.Status, err, failed.Jobs)
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
