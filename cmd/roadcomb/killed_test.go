package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/ingest/upload"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

// address is a loopback port that was free a moment ago, and below those that the system gives to outgoing connections:
// a server that comes back must come back where it was.
func address(t *testing.T) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(10_000)))
		if err != nil {
			continue
		}
		defer l.Close()
		return l.Addr().String()
	}
	t.Fatal("no port is free")
	return ""
}

// The server dies by SIGKILL again and again while a driver's footage arrives and is worked on. The client is never
// started anew; it goes on by itself, sends nothing twice but what was in flight, and the drive counts once.
func TestTheServerIsKilledWhileADriveArrivesAndNothingIsLost(t *testing.T) {
	home, web, s3, sql := t.TempDir(), address(t), address(t), address(t)
	var mu sync.Mutex
	var server *exec.Cmd
	var log bytes.Buffer
	begin := func() {
		mu.Lock()
		defer mu.Unlock()
		cmd := exec.CommandContext(t.Context(), bin, "up", "--home", home, "--listen", web, "--s3-listen", s3, "--flight", sql)
		cmd.Dir = testkit.Root(t)
		cmd.Stderr = &log
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Error(err)
			return
		}
		if err := cmd.Start(); err != nil {
			t.Error(err)
			return
		}
		for sc := bufio.NewScanner(out); sc.Scan(); {
			if strings.HasPrefix(sc.Text(), "map: ") {
				break
			}
		}
		server = cmd
	}
	kill := func() {
		mu.Lock()
		defer mu.Unlock()
		if server != nil {
			_ = server.Process.Kill() // no time to say goodbye
			_ = server.Wait()
			server = nil
		}
	}
	begin()
	defer func() {
		kill()
		if t.Failed() {
			t.Log(log.String())
		}
	}()
	var sec struct {
		Token string `json:"driver_token"`
	}
	if err := json.Unmarshal(mustRead(t, filepath.Join(home, "secrets.json")), &sec); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	drive(t, dir, 135, true)
	var total, largest int64
	for _, f := range files(t, dir) {
		n := int64(len(mustRead(t, f)))
		total, largest = total+n, max(largest, n)
	}

	// Killed at a tenth, at half and at nine tenths of the bytes, and while the frames are looked at.
	var kills atomic.Int64
	dying := make(chan struct{}, 1)
	at := []func(upload.Progress) bool{
		func(p upload.Progress) bool { return p.Stage == upload.StageUpload && p.Done > total/10 },
		func(p upload.Progress) bool { return p.Stage == upload.StageUpload && p.Done > total/2 },
		func(p upload.Progress) bool { return p.Stage != upload.StageUpload || p.Done > total*9/10 },
		func(p upload.Progress) bool { return p.Stage == upload.StageProcess && p.Done > 0 },
	}
	client := upload.Client{BaseURL: "http://" + web, Token: sec.Token, Parallel: 2}
	res, err := client.Upload(t.Context(), []string{dir}, survey.UploadOptions{}, func(p upload.Progress) {
		if n := int(kills.Load()); n >= len(at) || !at[n](p) {
			return
		}
		dying <- struct{}{} // not before it is back from the last death
		if n := int(kills.Load()); n >= len(at) || !at[n](p) {
			<-dying
			return
		}
		kills.Add(1)
		kill()
		go func() {
			time.Sleep(300 * time.Millisecond) // it is away for a while
			begin()
			<-dying
		}()
	})
	if err != nil {
		t.Fatal(err)
	}
	if kills.Load() < 3 {
		t.Fatalf("killed %d times only", kills.Load())
	}
	accepted, trimmed := 0, 0
	for _, f := range res.Files {
		switch {
		case f.Verdict == "accepted":
			accepted++
		case f.Reason == survey.ReasonTrimmed:
			trimmed++
		default:
			t.Errorf("%s: %s %s %s", f.Path, f.Verdict, f.Reason, f.Message)
		}
	}
	// Two transfers at most are in flight when the server dies, and only those go again; a body that arrived in the very
	// moment counts as in flight.
	if most := total + kills.Load()*4*largest; res.Sent > most {
		t.Errorf("%d bytes sent of %d: more than what was in flight went twice", res.Sent, total)
	}
	if res.State != survey.UploadSettled || accepted == 0 || accepted+trimmed != 135 || len(res.Drives) != 1 || res.Drives[0].Frames.Published != int64(accepted) {
		t.Fatalf("%s: %d accepted, %d trimmed, %d drives", res.State, accepted, trimmed, len(res.Drives))
	}
	again, err := client.Upload(t.Context(), []string{dir}, survey.UploadOptions{}, nil)
	if err != nil || again.ID != res.ID || again.Sent != 0 || len(again.Drives) != 1 || again.Drives[0].ID != res.Drives[0].ID {
		t.Fatalf("the same folder again: %d bytes, %d drives, %v", again.Sent, len(again.Drives), err)
	}
	t.Logf("killed %d times; %d of %d bytes sent", kills.Load(), res.Sent, total)
}
