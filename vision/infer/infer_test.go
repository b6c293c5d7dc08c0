package infer_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

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
