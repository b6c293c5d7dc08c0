// Package infer runs ONNX networks on float32 pictures with ONNX Runtime, and is its only importer.
//
// It refuses to guess: a network that answers with something that is not a number, or not in time, has given no answer,
// and the caller gets an error. The shared library is loaded when Open is called, never at start-up; ONNX Runtime
// allows one environment in a process, so Runtimes share it and the last Close takes it down.
package infer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Errors of a run; match them with errors.Is. A run stopped by its context gives the context's error.
var (
	ErrNotANumber = survey.Errorf(survey.Internal, "the network answered with values that are no numbers")
	ErrNoLibrary  = survey.Errorf(survey.Unavailable, "no ONNX Runtime library")
)

// LibraryEnv names the environment variable that overrides where the shared library is.
const LibraryEnv = "ROADCOMB_ONNXRUNTIME"

// FindLibrary gives the path of the ONNX Runtime shared library: $ROADCOMB_ONNXRUNTIME if set, else one beside the
// executable, else the one that npm installed under vision/models of the source tree around the working directory or
// the executable, else the system's.
func FindLibrary() (string, error) {
	if p := os.Getenv(LibraryEnv); p != "" {
		if _, err := os.Stat(p); err != nil {
			return "", fmt.Errorf("%w: %s: %w", ErrNoLibrary, LibraryEnv, err)
		}
		return p, nil
	}
	var from, globs []string
	if exe, err := os.Executable(); err == nil {
		from = append(from, filepath.Dir(exe))
		globs = append(globs, filepath.Join(filepath.Dir(exe), "libonnxruntime.*"))
	}
	if dir, err := os.Getwd(); err == nil {
		from = append(from, dir)
	}
	arch := runtime.GOARCH
	if arch == "amd64" {
		arch = "x64" // as npm names it
	}
	for _, dir := range from {
		if root := moduleRoot(dir); root != "" {
			globs = append(globs, filepath.Join(root, "vision/models/node_modules/onnxruntime-node/bin/napi-v*", runtime.GOOS, arch, "libonnxruntime.*"))
		}
	}
	globs = append(globs, "/usr/local/lib/libonnxruntime.so*", "/usr/lib/libonnxruntime.so*", "/usr/lib/*/libonnxruntime.so*")
	for _, g := range globs {
		if got, err := filepath.Glob(g); err == nil && len(got) > 0 {
			return got[0], nil // Glob sorts
		}
	}
	return "", fmt.Errorf("%w: run npm ci --ignore-scripts in vision/models, or set %s to libonnxruntime.so", ErrNoLibrary, LibraryEnv)
}

// moduleRoot is the nearest folder at or above dir that holds go.mod, or "".
func moduleRoot(dir string) string {
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			return ""
		}
		dir = up
	}
}

// environment counts the users of the process's one ONNX Runtime environment. That the C library is global is not ours
// to change; nothing happens before the first Open.
var environment struct {
	sync.Mutex
	users   int
	library string
}

// Runtime is a claim on the environment. It is safe for concurrent use.
type Runtime struct {
	library string
	once    sync.Once
}

// Open loads the library; "" looks for it with FindLibrary. A second Open must name the same library.
func Open(library string) (*Runtime, error) {
	if library == "" {
		var err error
		if library, err = FindLibrary(); err != nil {
			return nil, err
		}
	}
	e := &environment
	e.Lock()
	defer e.Unlock()
	if e.users > 0 && e.library != library {
		return nil, survey.Errorf(survey.Conflict, "ONNX Runtime is already loaded from %s, not %s", e.library, library)
	}
	if e.users == 0 {
		// The official builds since 1.29 tell their makers of each session: an id of the machine, hashes of the models, their
		// files' names. Whoever runs this program was never asked. The library looks at this when its environment is made.
		if err := os.Setenv("ORT_DISABLE_TELEMETRY", "1"); err != nil {
			return nil, fmt.Errorf("ONNX Runtime's telemetry cannot be turned off: %w", err)
		}
		ort.SetSharedLibraryPath(library)
		if err := ort.InitializeEnvironment(ort.WithLogLevelError()); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrNoLibrary, library, err)
		}
		e.library = library
	}
	e.users++
	return &Runtime{library: library}, nil
}

// Library is the path it was loaded from, Version what the library says it is.
func (r *Runtime) Library() string { return r.library }
func (r *Runtime) Version() string { return ort.GetVersion() }

// Close gives the claim back. Close sessions first.
func (r *Runtime) Close() (err error) {
	r.once.Do(func() {
		environment.Lock()
		defer environment.Unlock()
		if environment.users--; environment.users == 0 {
			err = ort.DestroyEnvironment()
		}
	})
	return err
}

// Options of a session. The zero value runs each call on one thread.
type Options struct {
	Threads int // for one run; 0 means 1, so that several runs side by side do not fight for cores
}

// Session is a loaded network with one float32 input. Run is safe for concurrent use.
type Session struct {
	s       *ort.DynamicAdvancedSession
	name    string
	outputs []string
}

// Session loads a network from its bytes.
func (r *Runtime) Session(name string, onnx []byte, o Options) (*Session, error) {
	ins, outs, err := ort.GetInputOutputInfoWithONNXData(onnx)
	if err != nil {
		return nil, survey.Errorf(survey.Invalid, "load model %s: %w", name, err)
	}
	if len(ins) != 1 || ins[0].DataType != ort.TensorElementDataTypeFloat {
		return nil, survey.Errorf(survey.Unsupported, "model %s has %d inputs, want one of float32", name, len(ins))
	}
	so, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	defer so.Destroy()
	// The arena keeps the largest picture's memory for good; frames of one drive have one size, so it pays, but the
	// pattern planner would keep one plan for each size ever seen. Threads that wait do so asleep: spinning, two of them
	// used 1.7 times the processor time on a busy machine.
	if err := errors.Join(so.SetIntraOpNumThreads(max(o.Threads, 1)), so.SetInterOpNumThreads(1), so.SetMemPattern(false),
		so.AddSessionConfigEntry("session.intra_op.allow_spinning", "0")); err != nil {
		return nil, err
	}
	s := &Session{name: name}
	for _, out := range outs {
		s.outputs = append(s.outputs, out.Name)
	}
	if s.s, err = ort.NewDynamicAdvancedSessionWithONNXData(onnx, []string{ins[0].Name}, s.outputs, so); err != nil {
		return nil, survey.Errorf(survey.Invalid, "load model %s: %w", name, err)
	}
	return s, nil
}

// Outputs are the names of the network's outputs in the order that Run gives them.
func (s *Session) Outputs() []string { return slices.Clone(s.outputs) }

// Close frees the network.
func (s *Session) Close() error { return s.s.Destroy() }

// Tensor is an output. Data is native memory, valid only inside Run's callback.
type Tensor struct {
	Name  string
	Shape []int64
	Data  []float32
}

// Run feeds data, shaped as given, and hands the outputs to fn, whose error it returns. It ends soon after ctx does,
// with ctx's error. An output holding NaN or an infinity gives ErrNotANumber, and fn is not called.
func (s *Session) Run(ctx context.Context, data []float32, shape []int64, fn func([]Tensor) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	in, err := ort.NewTensor(ort.NewShape(shape...), data)
	if err != nil {
		return survey.Errorf(survey.Internal, "model %s: input: %w", s.name, err)
	}
	defer in.Destroy()
	ro, err := ort.NewRunOptions()
	if err != nil {
		return err
	}
	defer ro.Destroy()
	// stop reports false once the callback has begun; wait for it then, because it uses ro.
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		ro.Terminate()
		close(ended)
	})
	outs := make([]ort.Value, len(s.outputs))
	err = s.s.RunWithOptions([]ort.Value{in}, outs, ro)
	if !stop() {
		<-ended
	}
	defer func() {
		for _, o := range outs {
			if o != nil {
				o.Destroy()
			}
		}
	}()
	if err := ctx.Err(); err != nil {
		return err
	}
	if err != nil {
		return survey.Errorf(survey.Internal, "model %s: %w", s.name, err)
	}
	ts := make([]Tensor, len(outs))
	for i, o := range outs {
		t, ok := o.(*ort.Tensor[float32])
		if !ok {
			return survey.Errorf(survey.Unsupported, "model %s: output %s is not float32", s.name, s.outputs[i])
		}
		ts[i] = Tensor{s.outputs[i], t.GetShape(), t.GetData()}
		if !finite(ts[i].Data) {
			return fmt.Errorf("model %s: output %s: %w", s.name, s.outputs[i], ErrNotANumber)
		}
	}
	return fn(ts)
}

// finite reports whether every value is a number. Exponent bits all set is NaN or an infinity.
func finite(v []float32) bool {
	const exp = 0x7f800000
	for _, x := range v {
		if math.Float32bits(x)&exp == exp {
			return false
		}
	}
	return true
}
