package flight

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	aflight "github.com/apache/arrow/go/v17/arrow/flight"
	"github.com/apache/arrow/go/v17/arrow/flight/flightsql"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/roadcomb/roadcomb/datasets/query"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Customers' SQL runs in a process of its own: the same program, started by the server, which reads one folder and can
// write no file. It inherits the listeners and asks the server about keys over a socket. When it dies, a new one takes
// the listeners over, and clients notice a failed query and nothing else.

// Files that the process inherits, from 3 on.
const (
	fdListener = 3 + iota // Flight SQL for customers
	fdInside              // Flight SQL for the server itself
	fdAsk                 // questions to the server
)

// Settings of the process, which it asks for first.
type Settings struct {
	Dir     string `json:"dir"` // with snapshot.json
	Version string `json:"version"`
	Threads int    `json:"threads"`
	Queries int    `json:"queries"`
	Token   string `json:"token"` // of the server's own calls
}

// Parent answers the process.
type Parent struct {
	settings Settings
	access   Access
	ctx      context.Context
}

// AdmitArgs is a question about a key.
type AdmitArgs struct {
	Secret string
	Count  bool
}

// AdmitReply carries an error as its kind and text.
type AdmitReply struct {
	Grant Grant
	Kind  survey.Kind
	Error string
}

// Settings is called by the process.
func (p *Parent) Settings(_ struct{}, out *Settings) error { *out = p.settings; return nil }

// Admit is called by the process.
func (p *Parent) Admit(a AdmitArgs, out *AdmitReply) error {
	ctx, cancel := context.WithTimeout(p.ctx, 10*time.Second)
	defer cancel()
	g, err := p.access.Admit(ctx, a.Secret, a.Count)
	if err != nil {
		out.Kind, out.Error = survey.KindOf(err), err.Error()
		if out.Error == "" {
			out.Error = "refused"
		}
		return nil
	}
	out.Grant = g
	return nil
}

// asker is the process's side of Parent.
type asker struct{ c *rpc.Client }

func (a asker) Admit(ctx context.Context, secret string, count bool) (Grant, error) {
	var out AdmitReply
	call := a.c.Go("Parent.Admit", AdmitArgs{secret, count}, &out, make(chan *rpc.Call, 1))
	select {
	case <-ctx.Done():
		return Grant{}, context.Cause(ctx)
	case <-call.Done:
	}
	if call.Error != nil {
		return Grant{}, survey.Errorf(survey.Unavailable, "keys cannot be checked now: %w", call.Error)
	}
	if out.Error != "" {
		return Grant{}, survey.Errorf(out.Kind, "%s", out.Error)
	}
	return out.Grant, nil
}

// insideGrant is the header in which the server says for whom it asks.
const insideGrant = "roadcomb-grant"

// inside lets the server's own calls pass with the grant they carry.
type inside struct {
	Access
	token string
}

func (i inside) Admit(ctx context.Context, secret string, count bool) (Grant, error) {
	if subtle.ConstantTimeCompare([]byte(secret), []byte(i.token)) != 1 {
		return i.Access.Admit(ctx, secret, count)
	}
	md, _ := metadata.FromIncomingContext(ctx)
	var g Grant
	if v := md.Get(insideGrant); len(v) != 1 || json.Unmarshal([]byte(v[0]), &g) != nil {
		return Grant{}, survey.Errorf(survey.Unauthorized, "a call of the server carries no grant")
	}
	return g, nil
}

// RunProcess is the body of the process; it ends when ctx does or the server goes away.
func RunProcess(ctx context.Context, log *slog.Logger) error {
	listener, err := inherited(fdListener)
	if err != nil {
		return err
	}
	in, err := inherited(fdInside)
	if err != nil {
		return err
	}
	f := os.NewFile(fdAsk, "ask")
	if f == nil {
		return errors.New("no socket to the server")
	}
	conn, err := net.FileConn(f)
	if err != nil {
		return fmt.Errorf("socket to the server: %w", err)
	}
	f.Close()
	gone := make(chan struct{})
	client := jsonrpc.NewClient(watched{conn, sync.OnceFunc(func() { close(gone) })})
	defer client.Close()
	var set Settings
	if err := client.Call("Parent.Settings", struct{}{}, &set); err != nil {
		return fmt.Errorf("ask the server: %w", err)
	}
	debug.SetMemoryLimit(1 << 30) // of Go's part: records under way
	pool := &query.Pool{Dir: set.Dir, Threads: set.Threads, Turns: query.Turns{Most: set.Queries}}
	defer pool.Close()
	access := asker{client}
	make := func(a Access) *grpc.Server {
		return NewServer(Config{Access: a, Backend: Engine{pool}, Version: set.Version, Log: log})
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return Serve(ctx, make(access), listener) })
	g.Go(func() error { return Serve(ctx, make(inside{access, set.Token}), in) })
	g.Go(func() error {
		select {
		case <-gone:
			return errors.New("the server is gone")
		case <-ctx.Done():
			return nil
		}
	})
	return g.Wait()
}

// watched tells when the connection ends.
type watched struct {
	io.ReadWriteCloser
	end func()
}

func (w watched) Read(b []byte) (int, error) {
	n, err := w.ReadWriteCloser.Read(b)
	if err != nil {
		w.end()
	}
	return n, err
}

func inherited(fd uintptr) (net.Listener, error) {
	f := os.NewFile(fd, "listener")
	if f == nil {
		return nil, errors.New("this command is started by roadcomb itself")
	}
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, survey.Errorf(survey.Invalid, "this command is started by roadcomb itself: %w", err)
	}
	return l, nil
}

// Supervisor runs the process and starts it again when it dies.
type Supervisor struct {
	Listener net.Listener // a *net.TCPListener
	Access   Access
	Settings Settings // Token is set by NewSupervisor
	Log      *slog.Logger
	// Command makes the command of the process; its files and error output are set by Run.
	Command func(ctx context.Context) *exec.Cmd

	in   *net.UnixListener
	dir  string
	conn *grpc.ClientConn
	sql  *flightsql.Client
}

// NewSupervisor prepares the process; Run starts it. Close it.
func NewSupervisor(l net.Listener, a Access, set Settings, log *slog.Logger, command func(context.Context) *exec.Cmd) (*Supervisor, error) {
	var raw [32]byte
	rand.Read(raw[:]) // never fails (crypto/rand)
	set.Token = hex.EncodeToString(raw[:])
	s := &Supervisor{Listener: l, Access: a, Settings: set, Log: log, Command: command}
	var err error
	if s.dir, err = os.MkdirTemp("", "roadcomb-sql-"); err != nil {
		return nil, survey.Errorf(survey.Unavailable, "socket of the query engine: %w", err)
	}
	path := filepath.Join(s.dir, "inside")
	if s.in, err = net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"}); err != nil {
		s.Close()
		return nil, survey.Errorf(survey.Unavailable, "socket of the query engine: %w", err)
	}
	s.conn, err = grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(256<<20)))
	if err != nil {
		s.Close()
		return nil, err
	}
	s.sql = &flightsql.Client{Client: aflight.NewClientFromConn(s.conn, nil), Alloc: memory.DefaultAllocator}
	return s, nil
}

// Close lets go of the sockets, once Run has ended.
func (s *Supervisor) Close() {
	if s.conn != nil {
		s.conn.Close()
	}
	if s.in != nil {
		s.in.Close()
	}
	s.Listener.Close()
	os.RemoveAll(s.dir)
}

// Run keeps the process alive until ctx ends.
func (s *Supervisor) Run(ctx context.Context) error {
	wait := 100 * time.Millisecond
	for {
		began := time.Now()
		err := s.once(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > time.Minute {
			wait = 100 * time.Millisecond
		}
		s.Log.Error("the query engine ended and is started again", "err", err, "in", wait)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		wait = min(2*wait, 10*time.Second)
	}
}

func (s *Supervisor) once(ctx context.Context) error {
	filer, ok := s.Listener.(interface{ File() (*os.File, error) })
	if !ok {
		return fmt.Errorf("a %T cannot be handed over", s.Listener)
	}
	lf, err := filer.File()
	if err != nil {
		return err
	}
	defer lf.Close()
	inf, err := s.in.File()
	if err != nil {
		return err
	}
	defer inf.Close()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ask"), os.NewFile(uintptr(pair[1]), "ask")
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	ours.Close()
	if err != nil {
		return err
	}
	defer conn.Close()
	srv := rpc.NewServer()
	if err := srv.Register(&Parent{s.Settings, s.Access, ctx}); err != nil {
		return err
	}
	go srv.ServeCodec(jsonrpc.NewServerCodec(conn))
	cmd := s.Command(ctx)
	cmd.ExtraFiles = []*os.File{lf, inf, theirs}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	// The process holds the public port too: one that outlives a killed server would keep the next one from starting.
	// The kernel counts the death of the thread that started it, so this goroutine keeps its thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	dieWithParent(cmd)
	// Through a pipe: the process may write no file, and the server's own output may be one.
	out, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	theirs.Close()
	var tail tailBuffer
	io.Copy(io.MultiWriter(&tail, logWriter{s.Log}), out)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%w: %s", err, tail.text())
	}
	return errors.New("it ended by itself")
}

// logWriter passes the process's lines on.
type logWriter struct{ log *slog.Logger }

func (w logWriter) Write(b []byte) (int, error) {
	w.log.Info("query engine", "says", string(b))
	return len(b), nil
}

// tailBuffer keeps the first 2 kB of what a dying process says: the cause comes before the stacks.
type tailBuffer struct{ b []byte }

func (t *tailBuffer) Write(b []byte) (int, error) {
	t.b = append(t.b, b[:min(len(b), 2048-len(t.b))]...)
	return len(b), nil
}

func (t *tailBuffer) text() string { return string(t.b) }

// Backend asks the process on behalf of the server.
func (s *Supervisor) Backend() Backend { return remote{s} }

type remote struct{ s *Supervisor }

func (r remote) ctx(ctx context.Context, g Grant) (context.Context, error) {
	b, err := json.Marshal(g)
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+r.s.Settings.Token, insideGrant, string(b)), err
}

// fromStatus brings an error of the process back to its kind.
func fromStatus(err error) error {
	st, ok := status.FromError(err)
	if err == nil || !ok && status.Code(err) == codes.Unknown {
		return err
	}
	kind := survey.Internal
	switch st.Code() {
	case codes.InvalidArgument:
		kind = survey.Invalid
	case codes.NotFound:
		kind = survey.NotFound
	case codes.PermissionDenied, codes.Unauthenticated:
		kind = survey.Unauthorized
	case codes.Unimplemented:
		kind = survey.Unsupported
	case codes.Unavailable:
		return survey.Errorf(survey.Unavailable, "the query engine is starting").WithHint("try again in a moment")
	case codes.ResourceExhausted:
		kind = survey.Busy
	case codes.Canceled, codes.DeadlineExceeded:
		return err
	}
	return survey.Errorf(kind, "%s", st.Message())
}

func (r remote) Describe(ctx context.Context, g Grant, sql string) (columns, parameters *arrow.Schema, err error) {
	if ctx, err = r.ctx(ctx, g); err != nil {
		return nil, nil, err
	}
	res, err := r.s.sql.GetExecuteSchema(ctx, sql)
	if err != nil {
		return nil, nil, fromStatus(err)
	}
	columns, err = aflight.DeserializeSchema(res.GetSchema(), memory.DefaultAllocator)
	return columns, arrow.NewSchema(nil, nil), err
}

func (r remote) Run(ctx context.Context, g Grant, sql string, args []any) (Reader, error) {
	if len(args) > 0 {
		return nil, survey.Errorf(survey.Unsupported, "the server asks without parameters")
	}
	ctx, err := r.ctx(ctx, g)
	if err != nil {
		return nil, err
	}
	ticket, err := flightsql.CreateStatementQueryTicket([]byte(sql))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	rd, err := r.s.sql.DoGet(ctx, &aflight.Ticket{Ticket: ticket})
	if err != nil {
		cancel()
		return nil, fromStatus(err)
	}
	return &remoteReader{rd, cancel}, nil
}

type remoteReader struct {
	r      *aflight.Reader
	cancel context.CancelFunc
}

func (r *remoteReader) Schema() *arrow.Schema { return r.r.Schema() }

func (r *remoteReader) Next() (arrow.Record, error) {
	if !r.r.Next() {
		if err := r.r.Err(); err != nil && !errors.Is(err, io.EOF) {
			return nil, fromStatus(err)
		}
		return nil, io.EOF
	}
	rec := r.r.Record()
	rec.Retain()
	return rec, nil
}

func (r *remoteReader) Close() { r.cancel(); r.r.Release() }

func (r remote) Tables(ctx context.Context, g Grant) ([]Table, error) {
	return nil, survey.Errorf(survey.Unsupported, "the server knows the datasets from the manifest")
}
