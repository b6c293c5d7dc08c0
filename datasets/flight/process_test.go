package flight_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/roadcomb/roadcomb/datasets/flight"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// The test binary is the process, too.
func TestMain(m *testing.M) {
	if os.Getenv("ROADCOMB_TEST_PROCESS") != "" {
		if err := flight.RunProcess(context.Background(), slog.New(slog.NewTextHandler(os.Stderr, nil))); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestAProcessThatDiesIsReplacedAndEndsWithItsServer(t *testing.T) {
	dir := t.TempDir()
	observations(t, dir, 100)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pids := make(chan int, 8)
	a := &access{}
	s, err := flight.NewSupervisor(l, a, flight.Settings{Dir: dir, Version: "test"}, slog.New(slog.DiscardHandler), func(ctx context.Context) *exec.Cmd {
		cmd := exec.CommandContext(ctx, os.Args[0])
		cmd.Env = append(os.Environ(), "ROADCOMB_TEST_PROCESS=1")
		go func() {
			for cmd.Process == nil {
				time.Sleep(5 * time.Millisecond)
			}
			pids <- cmd.Process.Pid
		}()
		return cmd
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	w := &world{addr: l.Addr().String()}
	c := w.client(t)
	until := func(what string) []string {
		t.Helper()
		deadline := time.Now().Add(30 * time.Second)
		for {
			got, err := ask(as(t, "key"), c, `SELECT count(*) FROM observations`)
			if err == nil {
				return got
			}
			if status.Code(err) != codes.Unavailable || time.Now().After(deadline) {
				t.Fatalf("%s: %v", what, err)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	if got := until("start"); got[0] != "100" {
		t.Fatal(got)
	}
	if _, err := ask(as(t, "nobody"), c, `SELECT 1`); status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), "not known") {
		t.Fatal(err)
	}
	// The server's own questions come with the grant of who asked it, and nobody else's do.
	b := s.Backend()
	r, err := b.Run(t.Context(), flight.Grant{ID: "web"}, `SELECT 7 AS a`, nil)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := r.Next()
	if err != nil || rec.Column(0).ValueStr(0) != "7" {
		t.Fatal(rec, err)
	}
	rec.Release()
	r.Close()
	if _, err := b.Run(t.Context(), flight.Grant{ID: "web"}, `DROP VIEW observations`, nil); survey.KindOf(err) != survey.Unauthorized {
		t.Fatal(err)
	}

	p, err := os.FindProcess(<-pids)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	second := <-pids
	if got := until("after the kill"); got[0] != "100" {
		t.Fatal(got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	s.Close()
	if p, err = os.FindProcess(second); err != nil {
		t.Fatal(err)
	}
	if err := p.Signal(syscall.Signal(0)); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("the process outlives its server: %v", err)
	}
}
