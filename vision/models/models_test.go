package models_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/vision/models"
)

func ExampleOpen() {
	set, err := models.Open("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(set.Name, set.Covers())
	// Output: streetguard true
}

func TestTheBuiltInSetIsWholeAndSmall(t *testing.T) {
	set, err := models.Open("", "")
	if err != nil {
		t.Fatal(err)
	}
	var n int
	for _, m := range set.Models {
		n += len(m.ONNX)
		if int64(len(m.ONNX)) != m.Bytes || survey.HashOf(m.ONNX) != m.SHA256 {
			t.Errorf("%s: %d bytes, manifest says %d", m.Name, len(m.ONNX), m.Bytes)
		}
	}
	if n > 8<<20 {
		t.Errorf("weights of %d bytes travel in the binary", n)
	}
	if !set.Covers() {
		t.Error("the built-in set does not look for faces and plates")
	}
}

func TestAnEmptyFolderHoldsNoModel(t *testing.T) {
	_, err := models.Open(t.TempDir(), "")
	if !errors.Is(err, models.ErrNone) || models.Reason(err) != survey.ReasonNoModel {
		t.Fatal(err)
	}
	if !strings.Contains(err.Error(), "models pull") {
		t.Errorf("the error does not say what to do: %v", err)
	}
	if _, err := models.Open(filepath.Join(t.TempDir(), "absent"), ""); !errors.Is(err, models.ErrNone) {
		t.Fatal(err)
	}
}

func TestOtherBytesAreNeverLoaded(t *testing.T) {
	dir := t.TempDir()
	if err := models.Pull(t.Context(), dir, models.PullOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := models.Verify(dir); err != nil {
		t.Fatal(err)
	}
	set, err := models.Open(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, set.Models[0].File)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := models.Open(dir, ""); !errors.Is(err, models.ErrMismatch) || models.Reason(err) != survey.ReasonModelMismatch {
		t.Fatal(err)
	}
	if err := models.Verify(dir); !errors.Is(err, models.ErrMismatch) {
		t.Fatal(err)
	}
	ss, err := models.List(dir)
	if err != nil || ss[0].State != "mismatch" {
		t.Fatalf("%+v %v", ss[0].State, err)
	}
	if err := models.Pull(t.Context(), dir, models.PullOptions{}); err != nil { // mends it
		t.Fatal(err)
	}
	if err := models.Verify(dir); err != nil {
		t.Fatal(err)
	}
}

func TestAFolderMayBringItsOwnManifest(t *testing.T) {
	dir := t.TempDir()
	write := func(s string) {
		if err := os.WriteFile(filepath.Join(dir, "manifest.json"), []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"version": 1, "models": [], "sets": []}`)
	if _, err := models.Open(dir, ""); !errors.Is(err, models.ErrNone) {
		t.Fatal(err)
	}
	// A set that looks for faces only must not pass as privacy.
	onnx := []byte("weights")
	write(fmt.Sprintf(`{"version": 1, "models": [{"name": "f", "version": "1", "task": "faces", "classes": ["face"], "licence": "MIT", "origin": "",
		"file": "f.onnx", "bytes": 7, "sha256": %q, "kind": "boxes", "input": {"rgb": false, "mean": [0,0,0], "scale": [1,1,1], "align": 32},
		"thresholds": {"face": 0.3}, "nms": 0.5, "margin": 0.1, "passes": [{"scale": 1, "band": [0,1]}], "sources": []}],
		"sets": [{"name": "faces", "models": ["f"]}]}`, survey.HashOf(onnx)))
	if err := os.WriteFile(filepath.Join(dir, "f.onnx"), onnx, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := models.Open(dir, ""); !errors.Is(err, models.ErrNone) {
		t.Fatal(err)
	}
	for _, bad := range []string{
		``, `{}`, `{"version": 2}`, `{"version": 1, "modles": []}`,
		`{"version": 1, "models": [{"name": "x"}]}`,
		`{"version": 1, "sets": [{"name": "s", "models": ["nobody"]}]}`,
	} {
		write(bad)
		if _, err := models.Open(dir, ""); err == nil || errors.Is(err, models.ErrNone) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestPullNamesWhatItCannotHave(t *testing.T) {
	err := models.Pull(t.Context(), t.TempDir(), models.PullOptions{Names: []string{"no-such-model"}})
	if err == nil || !strings.Contains(err.Error(), "no-such-model") {
		t.Fatal(err)
	}
}

// A set's name stands for its models: what cannot be had is named by model.
func TestPullTakesTheNamesOfSets(t *testing.T) {
	dir, log := t.TempDir(), new(strings.Builder)
	if err := models.Pull(t.Context(), dir, models.PullOptions{Names: []string{"streetguard", "streetguard-s"}, Log: log}); err != nil {
		t.Fatal(err)
	}
	if got := log.String(); strings.Count(got, "streetguard-s") != 1 {
		t.Errorf("%q", got)
	}
	if err := models.Verify(dir); err != nil {
		t.Error(err)
	}
}
