package detect_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
	"github.com/roadcomb/roadcomb/vision/cv"
	"github.com/roadcomb/roadcomb/vision/detect"
	"github.com/roadcomb/roadcomb/vision/infer"
	"github.com/roadcomb/roadcomb/vision/models"
)

// runtime is ONNX Runtime until the test ends; it skips where that is not installed.
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

// open gives the default set.
func open(t testing.TB) *detect.Guard {
	t.Helper()
	rt := runtime(t)
	set, err := models.Open("", "")
	if err != nil {
		t.Fatal(err)
	}
	g, err := detect.Open(rt, set, detect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

func load(t testing.TB, elem ...string) *cv.Image {
	t.Helper()
	b, err := os.ReadFile(testkit.Shared(t, elem...))
	if err != nil {
		t.Fatal(err)
	}
	im, _, err := cv.Decode(b, cv.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { im.Close() })
	return im
}

func TestFacesAreFound(t *testing.T) {
	g := open(t)
	im := load(t, "data", "faces-street", "maksssksksss1.jpg")
	boxes, err := g.Detect(t.Context(), im)
	if err != nil {
		t.Fatal(err)
	}
	// Two of the boxes a person drew in this picture.
	for _, want := range []survey.Box{{X: 321, Y: 34, W: 33, H: 35}, {X: 224, Y: 38, W: 37, H: 35}} {
		found := false
		for _, b := range boxes {
			found = found || b.Class == survey.ClassFace && detect.IoU(b, want) >= 0.5
		}
		if !found {
			t.Errorf("the face at %+v is not among %d boxes", want, len(boxes))
		}
	}
	again, err := g.Detect(t.Context(), im)
	if err != nil || len(again) != len(boxes) {
		t.Fatalf("%d boxes, then %d: %v", len(boxes), len(again), err)
	}
	for i := range boxes {
		if boxes[i] != again[i] {
			t.Fatalf("two looks at one picture differ: %+v %+v", boxes[i], again[i])
		}
	}
}

func TestDetectionStopsWhenTimeRunsOut(t *testing.T) {
	g := open(t)
	im := load(t, "data", "exif-action-cam", "DSC00001.JPG")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := g.Detect(ctx, im); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Fatalf("stopped after %v", d)
	}
}

func TestIoUIsASymmetricShare(t *testing.T) {
	box := rapid.Custom(func(t *rapid.T) survey.Box {
		f := rapid.Float64Range(0.1, 100)
		return survey.Box{X: f.Draw(t, "x"), Y: f.Draw(t, "y"), W: f.Draw(t, "w"), H: f.Draw(t, "h")}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := box.Draw(t, "a"), box.Draw(t, "b")
		if v := detect.IoU(a, b); v < 0 || v > 1+1e-9 || v != detect.IoU(b, a) {
			t.Fatal(v)
		}
		if v := detect.IoU(a, a); v < 1-1e-9 {
			t.Fatal(v)
		}
	})
}

// BenchmarkDetect is a look at a dashcam's frame, 2028 × 1024, in processor time of all threads.
func BenchmarkDetect(b *testing.B) {
	g := open(b)
	small := load(b, "data", "exif-sequence-lund", "01.jpg")
	big := small.Resize(2028, 1521)
	defer big.Close()
	px := big.Pixels()
	im, err := cv.FromPixels(2028, 1024, px[300*2028*3:(300+1024)*2028*3])
	if err != nil {
		b.Fatal(err)
	}
	defer im.Close()
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	start := used()
	for b.Loop() {
		if _, err := g.Detect(b.Context(), im); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((used()-start).Seconds()*1000/float64(b.N), "cpu-ms/frame")
}

// A model that an operator names for persons is used when persons are to be hidden, its boxes carry its classes, and a
// class without a model publishes nothing. (The graph here is the built-in one under another name.)
func TestClassesBesidesFacesAndPlatesHaveTheOperatorsModel(t *testing.T) {
	dir := t.TempDir()
	set, err := models.Open("", "")
	if err != nil {
		t.Fatal(err)
	}
	m, err := models.Default()
	if err != nil {
		t.Fatal(err)
	}
	own := set.Models[0].Model
	own.Name, own.Task, own.File = "walkers", "persons and vehicles", "walkers.onnx"
	own.Classes = []survey.Class{survey.ClassPerson, survey.ClassVehicle}
	own.Thresholds = map[survey.Class]float64{survey.ClassPerson: 0.4, survey.ClassVehicle: 0.4}
	m.Models, m.Sets = append(m.Models, own), m.Sets[:1]
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string][]byte{"manifest.json": b, set.Models[0].File: set.Models[0].ONNX} {
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	persons := []survey.Class{survey.ClassPerson}
	if _, err := models.OpenFor(dir, persons); !errors.Is(err, models.ErrNone) {
		t.Fatalf("its file is absent: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, own.File), []byte("other bytes"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := models.OpenFor(dir, persons); !errors.Is(err, models.ErrMismatch) {
		t.Fatalf("its file has other bytes: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, own.File), set.Models[0].ONNX, 0o600); err != nil {
		t.Fatal(err)
	}
	for n, also := range [][]survey.Class{nil, persons, {survey.ClassPerson, survey.ClassVehicle}} {
		got, err := models.OpenFor(dir, also)
		if err != nil || len(got.Models) != min(n, 1)+1 || !got.Covers() {
			t.Fatalf("%v: %+v, %v", also, got.Refs(), err)
		}
	}
	if _, err := models.OpenFor("", persons); !errors.Is(err, models.ErrNone) {
		t.Fatalf("none is built in: %v", err)
	}
	got, err := models.OpenFor(dir, persons)
	if err != nil {
		t.Fatal(err)
	}
	rt := runtime(t)
	g, err := detect.Open(rt, got, detect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	boxes, err := g.Detect(t.Context(), load(t, "data", "faces-street", "maksssksksss1.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	n := map[survey.Class]int{}
	for _, b := range boxes {
		n[b.Class]++
		if b.Class == survey.ClassVehicle {
			t.Errorf("vehicles were not to be hidden: %+v", b)
		}
		if (b.Class == survey.ClassPerson) != (b.Model == "walkers") {
			t.Errorf("%+v", b)
		}
	}
	if n[survey.ClassFace] == 0 || n[survey.ClassPerson] == 0 || len(g.Models()) != 2 {
		t.Errorf("%v by %v", n, g.Models())
	}
}
