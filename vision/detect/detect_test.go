package detect_test

import (
	"context"
	"errors"
	"os"
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

// open gives the default set, and skips where ONNX Runtime is not installed.
func open(t testing.TB) *detect.Guard {
	t.Helper()
	rt, err := infer.Open("")
	if errors.Is(err, infer.ErrNoLibrary) && os.Getenv("ROADCOMB_SHARED_REQUIRED") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	set, err := models.Open("", "")
	if err != nil {
		t.Fatal(err)
	}
	g, err := detect.Open(rt, set, detect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close(); rt.Close() })
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
