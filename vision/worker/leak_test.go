package worker_test

import (
	"os"
	"runtime/pprof"
	"testing"
)

// Under the tag matprofile OpenCV's Go binding lists every Mat that was not closed.
func TestMain(m *testing.M) {
	code := m.Run()
	if p := pprof.Lookup("gocv.io/x/gocv.Mat"); p != nil && p.Count() > 0 && code == 0 {
		p.WriteTo(os.Stderr, 1)
		code = 1
	}
	os.Exit(code)
}
