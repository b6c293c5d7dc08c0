package chaos

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

var quiet = log.New(io.Discard, "", 0)

// proc is one process of the network, which can be killed and started again.
type proc struct {
	name    string
	args    []string
	ready   string // begins the line that says it runs
	program string
	log     string

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{}
	off  bool // stays down
}

// start starts it, unless it runs, and waits until it is ready. A process that ends before is started again for a while:
// what it depends on may be down as well.
func (p *proc) start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.off {
		return nil
	}
	if p.cmd != nil {
		select {
		case <-p.done:
		default:
			return nil
		}
	}
	deadline := time.Now().Add(3 * time.Minute)
	for {
		err := p.once(ctx)
		if err == nil || ctx.Err() != nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(300 * time.Millisecond)
	}
}

func (p *proc) once(ctx context.Context) error {
	errs, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer errs.Close()
	cmd := exec.Command(p.program, p.args...)
	cmd.Stderr = errs
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	is := make(chan bool, 1)
	go func() {
		for sc := bufio.NewScanner(out); sc.Scan(); {
			if strings.HasPrefix(sc.Text(), p.ready) {
				select {
				case is <- true:
				default:
				}
			}
		}
		cmd.Wait()
		close(done)
	}()
	select {
	case <-is:
		p.cmd, p.done = cmd, done
		return nil
	case <-done:
		return fmt.Errorf("%s ended: %s", p.name, tail(p.log))
	case <-time.After(2 * time.Minute):
		cmd.Process.Kill()
		<-done
		return fmt.Errorf("%s does not start: %s", p.name, tail(p.log))
	case <-ctx.Done():
		cmd.Process.Kill()
		<-done
		return ctx.Err()
	}
}

// signal sends a signal, if it runs.
func (p *proc) signal(s os.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		p.cmd.Process.Signal(s)
	}
}

// kill ends it at once, as kill -9 or a power switch does.
func (p *proc) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		p.cmd.Process.Kill()
		<-p.done
	}
}

// stop ends it in an orderly way and keeps it down.
func (p *proc) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.off = true
	if p.cmd == nil {
		return
	}
	p.cmd.Process.Signal(syscall.SIGCONT)
	p.cmd.Process.Signal(os.Interrupt)
	select {
	case <-p.done:
	case <-time.After(40 * time.Second):
		p.cmd.Process.Kill()
		<-p.done
	}
}

func tail(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(b[max(0, len(b)-1000):]))
}

// freePort is below the range that clients' connections use, so that a process finds it free when it starts again.
func freePort() (int, error) {
	for range 200 {
		n := 20000 + rand.IntN(9000)
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(n))
		if err == nil {
			l.Close()
			return n, nil
		}
	}
	return 0, errors.New("no free port")
}

// postgres is a server of our own that can be crashed.
type postgres struct {
	bin, dir string
	port     int
	as       []string // how to run as a user that initdb accepts
	mu       sync.Mutex
}

func startPostgres(ctx context.Context, dir string) (*postgres, error) {
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(bins) == 0 {
		return nil, errors.New("PostgreSQL is not installed")
	}
	slices.SortFunc(bins, func(a, b string) int { return len(a) - len(b) })
	p := &postgres{bin: bins[len(bins)-1], dir: dir}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if os.Getuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			return nil, err
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		if err := os.Chown(dir, uid, gid); err != nil {
			return nil, err
		}
		p.as = []string{"runuser", "-u", "postgres", "--"}
	}
	var err error
	if p.port, err = freePort(); err != nil {
		return nil, err
	}
	if err := p.run(ctx, "initdb", "-D", dir+"/data", "-U", "roadcomb", "-A", "trust", "-E", "UTF8", "--no-sync"); err != nil {
		return nil, err
	}
	return p, p.start(ctx)
}

func (p *postgres) run(ctx context.Context, name string, args ...string) error {
	argv := append(slices.Clone(p.as), append([]string{filepath.Join(p.bin, name)}, args...)...)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = p.dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out.String())
	}
	return nil
}

func (p *postgres) start(ctx context.Context) error {
	return p.run(ctx, "pg_ctl", "-D", p.dir+"/data", "-w", "-t", "120", "-s", "-l", p.dir+"/data/log", "-o",
		fmt.Sprintf("-p %d -c listen_addresses=127.0.0.1 -c unix_socket_directories=%s -c max_connections=200", p.port, p.dir), "start")
}

// crash ends the server without a checkpoint and starts it again: it recovers from its log.
func (p *postgres) crash(ctx context.Context) error {
	if err := p.run(ctx, "pg_ctl", "-D", p.dir+"/data", "-m", "immediate", "-s", "stop"); err != nil {
		return err
	}
	return p.start(ctx)
}

func (p *postgres) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	p.run(ctx, "pg_ctl", "-D", p.dir+"/data", "-m", "immediate", "-s", "stop")
}

// pids are the server's processes, for stalls.
func (p *postgres) pids() []int {
	b, err := os.ReadFile(p.dir + "/data/postmaster.pid")
	if err != nil {
		return nil
	}
	line, _, _ := strings.Cut(string(b), "\n")
	main, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		return nil
	}
	out := []int{main}
	kids, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", main, main))
	for _, f := range strings.Fields(string(kids)) {
		if n, err := strconv.Atoi(f); err == nil {
			out = append(out, n)
		}
	}
	return out
}

func (p *postgres) url(addr, db string) string {
	return "postgres://roadcomb@" + addr + "/" + db + "?sslmode=disable&connect_timeout=5"
}
