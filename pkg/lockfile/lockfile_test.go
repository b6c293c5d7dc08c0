package lockfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

func ExampleTake() {
	dir, _ := os.MkdirTemp("", "lock")
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, ".lock")
	l, err := Take(context.Background(), path, 0)
	fmt.Println(err)
	_, err = Take(context.Background(), path, 0)
	fmt.Println(survey.KindOf(err) == survey.Conflict)
	l.Release()
	l, err = Take(context.Background(), path, 0)
	fmt.Println(err)
	l.Release()
	// Output:
	// <nil>
	// true
	// <nil>
}

func TestALockEndsWithItsProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".lock")
	if os.Getenv("LOCK") != "" { // the other process
		if _, err := Take(t.Context(), os.Getenv("LOCK"), 0); err != nil {
			t.Fatal(err)
		}
		fmt.Println("held")
		time.Sleep(time.Minute)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestALockEndsWithItsProcess$")
	cmd.Env = append(os.Environ(), "LOCK="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	b := make([]byte, 4)
	if _, err := out.Read(b); err != nil || string(b) != "held" {
		t.Fatalf("%q %v", b, err)
	}
	_, err = Take(t.Context(), path, 0)
	if survey.KindOf(err) != survey.Conflict || !strings.Contains(err.Error(), fmt.Sprint("process ", cmd.Process.Pid, " ")) {
		t.Fatalf("taken beside its holder %d: %v", cmd.Process.Pid, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Take(ctx, path, time.Minute); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	l, err := Take(t.Context(), path, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	l.Release()
}
