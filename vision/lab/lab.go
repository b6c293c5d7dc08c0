// Package lab keeps native code in a process of its own. OpenCV and ONNX Runtime work on bytes that strangers send; when
// such code crashes, it takes its process with it. Here that process is a child that holds nothing but pictures: no
// database, no store, no key, and an environment without them. The service asks it, one call at a time, to decode,
// rate, look, cover and encode, and starts another when it has died.
//
// A Lab is the asking side, Serve the child's. A Picture lives in one child and dies with it (ErrDied); whose fault that
// was is for the caller to find out, by trying the pictures that were in hand again, alone.
package lab

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"log/slog"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/vision/cv"
)

// ErrDied is what every call in hand gives when the child dies, or is killed for its memory or for not answering. Match
// it with errors.Is; Blameless tells those that cannot have been the cause.
var ErrDied = survey.Errorf(survey.Unavailable, "the process that works on pictures died")

// ErrLate is given, together with ErrDied, by the call that the child was killed for because it did not answer in time.
var ErrLate = survey.Errorf(survey.Unavailable, "no answer in time")

// blameless is ErrDied for a call beside the one that the child was killed for.
type blameless struct{ error }

func (b blameless) Unwrap() error { return b.error }

// Blameless reports an ErrDied that another call is known to have caused.
func Blameless(err error) bool { return errors.As(err, &blameless{}) }

// Command says how a child is started.
type Command struct {
	Path string   // of the program; "" means this one
	Args []string // that make it call Main
	Env  []string // its whole environment
	Dir  string   // its working folder; "" means this process's
	// Memory bounds the child, in bytes of resident memory; over it, it is killed. 0 means 2 GiB.
	Memory int64
	Log    *slog.Logger // nil discards
}

// Lab is pictures in a supervised child process, started when the first call needs it and again after it died. It is safe
// for concurrent use. Close it.
type Lab struct {
	log   *slog.Logger
	start func(context.Context) (*process, error)

	mu     sync.Mutex
	p      *process
	failed int // starts in a row that gave no child
	closed bool
}

// New makes a Lab whose children are processes. None is started yet.
func New(c Command) *Lab {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Memory <= 0 {
		c.Memory = 2 << 30
	}
	return &Lab{log: c.Log, start: func(ctx context.Context) (*process, error) { return c.run(ctx) }}
}

// Local makes a Lab whose "child" is goroutines of this process: the same calls over the same protocol, without the
// protection. It is for tests and for tools that work on their user's own files.
func Local(t Tools) *Lab {
	return &Lab{log: slog.New(slog.DiscardHandler), start: func(ctx context.Context) (*process, error) {
		here, there := net.Pipe()
		go Serve(there, t)
		dead := make(chan struct{})
		p := newProcess(ending{here, sync.OnceFunc(func() { close(dead) })}, dead)
		p.stop = func() { here.Close() }
		return p, p.greet(ctx)
	}}
}

// ending calls fn when reading fails: the other side is gone, or this one has closed.
type ending struct {
	io.ReadWriteCloser
	fn func()
}

func (e ending) Read(b []byte) (int, error) {
	n, err := e.ReadWriteCloser.Read(b)
	if err != nil {
		e.fn()
	}
	return n, err
}

// Close ends the child.
func (l *Lab) Close() error {
	l.mu.Lock()
	p := l.p
	l.p, l.closed = nil, true
	l.mu.Unlock()
	if p != nil {
		p.kill("closed", true)
		<-p.dead
	}
	return nil
}

// startTries is how often a child is started in a row before a call gives up; the pause doubles from startPause.
const (
	startTries = 4
	startPause = 100 * time.Millisecond
)

// child gives a living child.
func (l *Lab) child(ctx context.Context) (*process, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if l.closed {
			return nil, survey.Errorf(survey.Unavailable, "pictures are no longer worked on: closed")
		}
		if l.p != nil && l.p.alive() {
			return l.p, nil
		}
		l.p = nil
		p, err := l.start(ctx)
		if err == nil {
			l.p, l.failed = p, 0
			return p, nil
		}
		if p != nil {
			p.kill("no greeting", true)
			<-p.dead
		}
		if l.failed++; l.failed%startTries == 0 || ctx.Err() != nil {
			return nil, survey.Errorf(survey.Unavailable, "the process that works on pictures does not start: %v", err) // not ErrDied: no picture was in hand
		}
		l.log.Warn("the process that works on pictures did not start", "err", err)
		select {
		case <-time.After(startPause << min(l.failed, 5)):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Check starts a child if there is none, and gives why it cannot look for what must be hidden (models.ErrNone,
// models.ErrMismatch or another error), or nil.
func (l *Lab) Check(ctx context.Context) error {
	p, err := l.child(ctx)
	if err != nil {
		return err
	}
	return p.hello.Fault.err()
}

// Decode makes a picture of an image file, upright. Errors are those of cv.Decode; the header comes with ErrTooManyPixels
// and ErrTooSmall too.
func (l *Lab) Decode(ctx context.Context, b []byte, limits cv.Limits, limit time.Duration) (*Picture, cv.Header, error) {
	return l.picture(ctx, "Lab.Decode", limit, func(id uint64) any { return &DecodeArgs{id, b, limits} })
}

// Cut makes a picture of the frame of the film in file that is nearest to pts, microseconds. The film stays open until
// CloseFilm; times asked for must not fall.
func (l *Lab) Cut(ctx context.Context, file string, pts int64, limits cv.Limits, limit time.Duration) (*Picture, error) {
	pic, _, err := l.picture(ctx, "Lab.Cut", limit, func(id uint64) any { return &CutArgs{id, file, pts, limits} })
	return pic, err
}

// CloseFilm frees what Cut keeps open.
func (l *Lab) CloseFilm(file string) {
	l.mu.Lock()
	p := l.p
	l.mu.Unlock()
	if p != nil {
		p.tell("Lab.CloseFilm", file)
	}
}

func (l *Lab) picture(ctx context.Context, method string, limit time.Duration, args func(id uint64) any) (*Picture, cv.Header, error) {
	p, err := l.child(ctx)
	if err != nil {
		return nil, cv.Header{}, err
	}
	id := p.last.Add(1)
	var r Decoded
	if err := p.call(ctx, method, limit, args(id), &r); err != nil {
		return nil, r.Header, err
	}
	if err := r.Fault.err(); err != nil {
		return nil, r.Header, err
	}
	return &Picture{p: p, id: id, width: r.Width, height: r.Height}, r.Header, nil
}

// Picture is an upright picture in a child. Its methods give ErrDied once the child is gone. Close it.
type Picture struct {
	p             *process
	id            uint64
	width, height int
}

func (x *Picture) Width() int  { return x.width }
func (x *Picture) Height() int { return x.height }

// Alive reports whether the picture's child lives. It is false for nil.
func (x *Picture) Alive() bool { return x != nil && x.p.alive() }

// Close frees the picture; closing twice, or nil, is harmless.
func (x *Picture) Close() {
	if x != nil && x.id != 0 {
		x.p.tell("Lab.Close", x.id)
		x.id = 0
	}
}

// Looker says who looks at the picture, and how: what a redaction record names.
func (x *Picture) Looker() Hello { return x.p.hello }

// Measure looks at the picture's brightness.
func (x *Picture) Measure(ctx context.Context, limit time.Duration) (l Look, err error) {
	err = x.p.call(ctx, "Lab.Measure", limit, x.id, &l)
	return l, err
}

// Detect finds what must be hidden. The child is told to give up after limit, which gives context.DeadlineExceeded; one that
// does not listen is killed a grace later (ErrLate). Other errors are models.ErrNone, models.ErrMismatch and whatever
// the detector said.
func (x *Picture) Detect(ctx context.Context, limit time.Duration) ([]survey.Box, error) {
	var r Detected
	if err := x.p.call(ctx, "Lab.Detect", limit+lateGrace, &DetectArgs{x.id, limit}, &r); err != nil {
		return nil, err
	}
	return r.Boxes, r.Fault.err()
}

// Spot finds what stands beside the road, text too if asked. Errors other than ErrDied and ErrLate mean only that nothing
// was found.
func (x *Picture) Spot(ctx context.Context, limit time.Duration, text bool) ([]survey.Sighting, error) {
	var r Spotted
	if err := x.p.call(ctx, "Lab.Spot", limit+lateGrace, &SpotArgs{x.id, text, limit}, &r); err != nil {
		return nil, err
	}
	return r.Sightings, r.Fault.err()
}

// lateGrace is how long a detector that was told to stop may take before its process is killed.
const lateGrace = 2 * time.Second

// Follow looks in another picture of the same child for what boxes show in this one; see cv.Image.Follow.
func (x *Picture) Follow(ctx context.Context, limit time.Duration, to *Picture, boxes []image.Rectangle, reach []int) (places []image.Rectangle, likeness []float64, err error) {
	if len(boxes) == 0 {
		return nil, nil, nil
	}
	if x.p != to.p {
		return nil, nil, ErrDied
	}
	var r Followed
	if err := x.p.call(ctx, "Lab.Follow", limit, &FollowArgs{x.id, to.id, boxes, reach}, &r); err != nil {
		return nil, nil, err
	}
	if len(r.Places) != len(boxes) || len(r.Likeness) != len(boxes) {
		return nil, nil, survey.Errorf(survey.Internal, "%d boxes were followed to %d places", len(boxes), len(r.Places))
	}
	return r.Places, r.Likeness, nil
}

// Cover overwrites regions for good; see cv.Image.Cover.
func (x *Picture) Cover(ctx context.Context, limit time.Duration, regions []image.Rectangle) error {
	return x.p.call(ctx, "Lab.Cover", limit, &CoverArgs{x.id, regions}, &struct{}{})
}

// EncodeJPEG gives the picture as a JPEG file; see cv.Image.EncodeJPEG. The caller checks it.
func (x *Picture) EncodeJPEG(ctx context.Context, limit time.Duration, quality int) (b []byte, err error) {
	err = x.p.call(ctx, "Lab.Encode", limit, &EncodeArgs{x.id, quality}, &b)
	return b, err
}

// process is a living or dead child.
type process struct {
	rpc   *rpc.Client
	hello Hello
	last  atomic.Uint64 // id of a picture
	stop  func()        // ends it, at once; may be called again
	dead  chan struct{}

	mu        sync.Mutex
	why       string // it was killed, or how it ended
	blameless bool   // that was not for the calls in hand
}

func newProcess(c io.ReadWriteCloser, dead chan struct{}) *process {
	return &process{rpc: rpc.NewClient(c), dead: dead}
}

func (p *process) alive() bool {
	select {
	case <-p.dead:
		return false
	default:
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.why == ""
	}
}

// greetLimit is how long a child may take to load its networks.
const greetLimit = 60 * time.Second

func (p *process) greet(ctx context.Context) error {
	return p.call(ctx, "Lab.Hello", greetLimit, struct{}{}, &p.hello)
}

// kill ends the child; blameless says that no call in hand is to blame.
func (p *process) kill(why string, blameless bool) {
	p.mu.Lock()
	if p.why == "" {
		p.why, p.blameless = why, blameless
	}
	p.mu.Unlock()
	p.stop()
}

// tell sends a call whose answer does not matter.
func (p *process) tell(method string, args any) {
	p.rpc.Go(method, args, new(struct{}), make(chan *rpc.Call, 1))
}

// call waits for the answer, and kills the child if there is none in time or nobody wants it any more.
func (p *process) call(ctx context.Context, method string, limit time.Duration, args, reply any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var tooLate atomic.Bool
	late := time.AfterFunc(limit, func() {
		tooLate.Store(true)
		p.kill(fmt.Sprintf("no answer to %s in %s", method, limit), true) // but for this one
	})
	unwanted := context.AfterFunc(ctx, func() { p.kill("stopped", true) })
	err := p.rpc.Call(method, args, reply)
	late.Stop()
	unwanted()
	var said rpc.ServerError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &said):
		return survey.Errorf(survey.Internal, "%s: %s", method, said)
	}
	p.kill(err.Error(), false) // if it is not dead already: of a child that broke the protocol nothing more is wanted
	<-p.dead
	p.mu.Lock()
	defer p.mu.Unlock()
	err = fmt.Errorf("%w: %s: %s", ErrDied, method, p.why)
	switch {
	case !p.blameless:
		return err
	case tooLate.Load():
		return fmt.Errorf("%w: %w: %s", ErrDied, ErrLate, method)
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return blameless{err}
}

// run starts a child process and waits for its greeting.
func (c Command) run(ctx context.Context) (*process, error) {
	path := c.Path
	if path == "" {
		// The same program, even if its file was replaced meanwhile.
		path = "/proc/self/exe"
		if _, err := os.Stat(path); err != nil {
			if path, err = os.Executable(); err != nil {
				return nil, err
			}
		}
	}
	in, toChild, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	fromChild, out, err := os.Pipe()
	if err != nil {
		in.Close()
		toChild.Close()
		return nil, err
	}
	cmd := exec.Command(path, c.Args...)
	cmd.Env, cmd.Dir = append([]string{}, c.Env...), c.Dir
	cmd.ExtraFiles = []*os.File{in, out} // 3 and 4: native code may write to 1
	said := new(tail)
	cmd.Stderr = said
	err = cmd.Start()
	in.Close()
	out.Close()
	if err != nil {
		toChild.Close()
		fromChild.Close()
		return nil, err
	}
	p := newProcess(duplex{fromChild, toChild}, make(chan struct{}))
	p.stop = func() { cmd.Process.Kill() }
	go func() {
		err := cmd.Wait()
		st, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
		p.mu.Lock()
		if by := st.Signaled() && st.Signal() == syscall.SIGKILL; p.why == "" || !by {
			p.why, p.blameless = said.gist(err), false // it died before it could be killed
		}
		if !p.blameless {
			c.Log.Warn("the process that works on pictures died", "pid", cmd.Process.Pid, "how", p.why)
		}
		p.mu.Unlock()
		close(p.dead)
		p.rpc.Close()
	}()
	go c.watch(p, cmd.Process.Pid)
	return p, p.greet(ctx)
}

// watchEvery is how often a child's memory is looked at. What grows faster than the limit in that time is left to the
// kernel, which the child asks to be the first it kills (Main).
const watchEvery = 100 * time.Millisecond

// watch kills a child that takes too much memory.
func (c Command) watch(p *process, pid int) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-p.dead:
			return
		case <-tick.C:
		}
		if rss, ok := resident(pid); ok && rss > c.Memory {
			c.Log.Warn("the process that works on pictures takes too much memory", "pid", pid, "bytes", rss, "limit", c.Memory)
			p.kill(fmt.Sprintf("%d bytes of memory, limit %d", rss, c.Memory), false)
			return
		}
	}
}

// resident is the process's resident memory in bytes, where the kernel tells.
func resident(pid int) (int64, bool) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return 0, false
	}
	f := strings.Fields(string(b))
	if len(f) < 2 {
		return 0, false
	}
	n, err := strconv.ParseInt(f[1], 10, 64)
	return n * int64(os.Getpagesize()), err == nil
}

// duplex is two pipes as one connection.
type duplex struct {
	io.ReadCloser
	w io.WriteCloser
}

func (d duplex) Write(b []byte) (int, error) { return d.w.Write(b) }
func (d duplex) Close() error                { return errors.Join(d.w.Close(), d.ReadCloser.Close()) }

// tail keeps the end of what a child writes to its standard error.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(b []byte) (int, error) {
	const most = 32 << 10
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.b = append(t.b, b...); len(t.b) > most {
		t.b = append([]byte(nil), t.b[len(t.b)-most:]...)
	}
	return len(b), nil
}

// gist is the line that says how the child ended.
func (t *tail) gist(err error) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for line := range strings.Lines(string(t.b)) {
		for _, sign := range [...]string{"SIG", "fatal error", "panic:", "terminate called", "what():"} {
			if strings.Contains(line, sign) {
				return fmt.Sprintf("%.200s (%v)", strings.TrimSpace(line), err)
			}
		}
	}
	return fmt.Sprint(err)
}
