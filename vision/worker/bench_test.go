package worker_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/testkit"
	"github.com/roadcomb/roadcomb/vision/cv"
	"github.com/roadcomb/roadcomb/vision/detect"
	"github.com/roadcomb/roadcomb/vision/infer"
	"github.com/roadcomb/roadcomb/vision/lab"
	"github.com/roadcomb/roadcomb/vision/models"
	"github.com/roadcomb/roadcomb/vision/redact"
	"github.com/roadcomb/roadcomb/vision/worker"
)

func openGuard(tb testing.TB, o detect.Options) *detect.Guard {
	tb.Helper()
	rt, err := infer.Open("")
	if errors.Is(err, infer.ErrNoLibrary) && os.Getenv("ROADCOMB_SHARED_REQUIRED") == "" {
		tb.Skip(err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	set, err := models.Open("", "")
	if err != nil {
		tb.Fatal(err)
	}
	g, err := detect.Open(rt, set, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { g.Close(); rt.Close() })
	return g
}

// dashcam is frames of the size of a dashcam's, 2028 × 1024, cut and scaled from real pictures of one walk.
func dashcam(tb testing.TB, n int) (out [][]byte) {
	files, err := filepath.Glob(filepath.Join(testkit.Shared(tb, "data", "exif-sequence-lund"), "*.jpg"))
	if err != nil || len(files) < n {
		tb.Fatal(len(files), err)
	}
	for _, f := range files[:n] {
		b, err := os.ReadFile(f)
		if err != nil {
			tb.Fatal(err)
		}
		im, _, err := cv.Decode(b, cv.Limits{})
		if err != nil {
			tb.Fatal(err)
		}
		big := im.Resize(2028, 1521)
		px := big.Pixels()
		cut, err := cv.FromPixels(2028, 1024, px[300*2028*3:(300+1024)*2028*3])
		if err != nil {
			tb.Fatal(err)
		}
		b, err = cut.EncodeJPEG(92)
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, b)
		for _, x := range []*cv.Image{im, big, cut} {
			x.Close()
		}
	}
	return out
}

// cpu is the processor time that the process has used, all threads together. Unlike the clock it does not count what
// other programs do on the same cores.
func cpu(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkPart compares the stage, store and database included, with the sum of its kernels alone (decode, inference,
// cover, encode) in processor time: a share of 1 would be a pipeline that costs nothing but its kernels.
func BenchmarkPart(b *testing.B) {
	const frames = 8
	images := dashcam(b, frames)
	g := openGuard(b, detect.Options{})
	l := lab.Local(lab.Tools{Guard: g})
	defer l.Close()
	var kernels, stage, kernelsCPU, stageCPU time.Duration
	tm := new(worker.Timings)
	workers := runtime.GOMAXPROCS(0)
	n := 0
	for b.Loop() {
		n++
		d := newDrive(b, images...)
		start, used := time.Now(), cpu(b)
		for _, img := range images {
			im, _, err := cv.Decode(img, cv.Limits{})
			if err != nil {
				b.Fatal(err)
			}
			boxes, err := g.Detect(b.Context(), im)
			if err != nil {
				b.Fatal(err)
			}
			redact.Apply(im, boxes, g.Margin())
			if _, err := im.EncodeJPEG(88); err != nil {
				b.Fatal(err)
			}
			im.Close()
		}
		kernels += time.Since(start)
		kernelsCPU += cpu(b) - used
		start, used = time.Now(), cpu(b)
		w := &worker.Worker{DB: d.db, Store: d.st, Lab: l, Timings: tm, Config: worker.Config{Workers: workers}}
		if err := w.Part(b.Context(), state.VisionArgs{DriveID: d.id}); err != nil {
			b.Fatal(err)
		}
		stage += time.Since(start)
		stageCPU += cpu(b) - used
	}
	per := float64(n * frames)
	b.ReportMetric(per/stage.Seconds(), "frames/s")
	b.ReportMetric(per/kernels.Seconds(), "kernels-frames/s")
	b.ReportMetric(kernelsCPU.Seconds()*1000/per, "kernels-cpu-ms/frame")
	b.ReportMetric(stageCPU.Seconds()*1000/per, "cpu-ms/frame")
	b.ReportMetric(kernelsCPU.Seconds()/stageCPU.Seconds(), "of-kernels")
	for _, s := range tm.Steps() {
		b.ReportMetric(s.Total.Seconds()*1000/float64(s.Frames), s.Step+"-ms/frame")
	}
}
