package infer_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/vision/infer"
	"github.com/roadcomb/roadcomb/vision/models"
)

func runtime(t testing.TB) *infer.Runtime {
	t.Helper()
	rt, err := infer.Open("")
	if errors.Is(err, infer.ErrNoLibrary) && os.Getenv("ROADCOMB_SHARED_REQUIRED") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rt.Close() })
	return rt
}

func session(t testing.TB) *infer.Session {
	t.Helper()
	set, err := models.Open("", "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := runtime(t).Session("m", set.Models[0].ONNX, infer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestAnswersThatAreNoNumbersAreErrors(t *testing.T) {
	s := session(t)
	in := make([]float32, 3*64*64)
	if err := s.Run(t.Context(), in, []int64{1, 3, 64, 64}, func(out []infer.Tensor) error {
		if len(out) != len(s.Outputs()) || len(out[0].Data) == 0 {
			t.Errorf("%d outputs", len(out))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	nan := float32(0)
	nan /= nan
	for i := range in {
		in[i] = nan
	}
	err := s.Run(t.Context(), in, []int64{1, 3, 64, 64}, func([]infer.Tensor) error { t.Error("the answer was handed on"); return nil })
	if !errors.Is(err, infer.ErrNotANumber) {
		t.Fatal(err)
	}
}

func TestBadNetworksAndInputsAreErrors(t *testing.T) {
	rt := runtime(t)
	if _, err := rt.Session("junk", []byte("not a network"), infer.Options{}); err == nil {
		t.Fatal("junk was loaded")
	}
	s := session(t)
	if err := s.Run(t.Context(), make([]float32, 5), []int64{1, 3, 64, 64}, nil); err == nil {
		t.Fatal("too few values were taken")
	}
	if err := s.Run(t.Context(), make([]float32, 64*64), []int64{1, 1, 64, 64}, nil); err == nil {
		t.Fatal("a wrong shape was taken")
	}
}

func TestTheEnvironmentIsSharedAndReopens(t *testing.T) {
	a, b := runtime(t), runtime(t)
	if a.Library() != b.Library() || a.Version() == "" {
		t.Fatal(a.Library(), b.Library())
	}
	if _, err := infer.Open(filepath.Join(t.TempDir(), "other.so")); err == nil {
		t.Fatal("two libraries in one process")
	}
	a.Close()
	a.Close()
	if _, err := b.Session("junk", []byte("x"), infer.Options{}); err == nil {
		t.Fatal("junk was loaded")
	}
}

func TestAMissingLibraryIsNamed(t *testing.T) {
	t.Setenv(infer.LibraryEnv, filepath.Join(t.TempDir(), "absent.so"))
	if _, err := infer.FindLibrary(); !errors.Is(err, infer.ErrNoLibrary) {
		t.Fatal(err)
	}
}

// ONNX Runtime's telemetry keeps the machine's id and a log in the folder for passing files, and in a home folder; it keeps
// quiet by itself where the environment looks like continuous integration, so that the child process gets another.
func TestTheLibraryTellsNobody(t *testing.T) {
	if os.Getenv("INFER_CHILD") != "" {
		session(t)
		time.Sleep(200 * time.Millisecond) // it writes from a thread of its own
		return
	}
	library, err := infer.FindLibrary()
	if err != nil {
		runtime(t) // skips, or fails
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestTheLibraryTellsNobody$", "-test.v")
	cmd.Env = []string{"INFER_CHILD=1", "ROADCOMB_SHARED_REQUIRED=1", infer.LibraryEnv + "=" + library, "HOME=" + dir, "TMPDIR=" + dir, "PATH=/usr/bin:/bin"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Error("it wrote", files, err)
	}
}
