package worker_test

import (
	"os"
	"runtime/pprof"
	"testing"

	"github.com/roadcomb/roadcomb/vision/infer"
)

// Under the tag matprofile OpenCV's Go binding lists every Mat that was not closed.
//
// The library of ONNX Runtime is looked for before a test starts the embedded store, which changes the working folder.
func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		child()
		return
	}
	if lib, err := infer.FindLibrary(); err == nil {
		os.Setenv(infer.LibraryEnv, lib)
	}
	code := m.Run()
	if p := pprof.Lookup("gocv.io/x/gocv.Mat"); p != nil && p.Count() > 0 && code == 0 {
		p.WriteTo(os.Stderr, 1)
		code = 1
	}
	os.Exit(code)
}
