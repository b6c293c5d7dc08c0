package worker_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/testkit"
	"github.com/roadcomb/roadcomb/vision/cv"
	"github.com/roadcomb/roadcomb/vision/detect"
	"github.com/roadcomb/roadcomb/vision/features"
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

// realChild as the value of childEnv makes the test program a child with the detector and the finder that ship.
const realChild = "the real one"

func realTools() (t lab.Tools, err error) {
	rt, err := infer.Open("")
	if err != nil {
		return t, err
	}
	set, err := models.Open("", "")
	if err != nil {
		return t, err
	}
	g, err := detect.Open(rt, set, detect.Options{})
	if err != nil {
		return t, err
	}
	return lab.Tools{Guard: g, Spotter: &features.Finder{}}, nil
}

// BenchmarkPart takes the same frames in turns through the kernels alone (decode, inference, cover, encode), through the
// stage in one process, and through the stage as it ships, with its child process, with one worker and with two. It
// reports processor time, the child's included, and ratios, which a busy machine spoils least; "of-kernels" of 1 would
// be a stage that costs nothing but its kernels. Times of steps are of wall time, of the stage with one worker.
func BenchmarkPart(b *testing.B) {
	const frames = 8
	images := dashcam(b, frames)
	t, err := realTools()
	if err != nil {
		b.Skip(err)
	}
	guard := t.Guard.(*detect.Guard)
	defer guard.Close()
	here := lab.Local(t)
	defer here.Close()
	lib, err := infer.FindLibrary()
	if err != nil {
		b.Skip(err)
	}
	child := func() *lab.Lab {
		return lab.New(lab.Command{Env: []string{childEnv + "=" + realChild, infer.LibraryEnv + "=" + lib}})
	}
	children := func() (time.Duration, float64) {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano()), float64(u.Maxrss) / 1024
	}
	type sum struct{ wall, cpu time.Duration }
	got := map[string]*sum{}
	take := func(name string, fn func()) {
		start, used := time.Now(), cpu(b)
		fn()
		if got[name] == nil {
			got[name] = new(sum)
		}
		got[name].wall += time.Since(start)
		got[name].cpu += cpu(b) - used
	}
	tm := new(worker.Timings)
	part := func(l *lab.Lab, workers int, tm *worker.Timings, images ...[]byte) {
		d := newDrive(b, images...)
		w := &worker.Worker{DB: d.db, Store: d.st, Lab: l, Timings: tm, Config: worker.Config{Workers: workers}}
		if err := w.Part(b.Context(), state.VisionArgs{DriveID: d.id}); err != nil {
			b.Fatal(err)
		}
	}
	// outside is a part with a child that has looked at a frame before, as the detector of the kernels has. What a child spent
	// is known when it has ended, so what another spent that only loaded its networks and looked at that frame is taken off.
	outside := func(name string, workers int, tm *worker.Timings) {
		before, _ := children()
		idle := child()
		part(idle, 1, nil, images[0])
		idle.Close()
		loading, _ := children()
		l := child()
		part(l, 1, nil, images[0])
		take(name, func() { part(l, workers, tm, images...) })
		l.Close()
		after, _ := children()
		got[name].cpu += after - loading - (loading - before)
	}
	part(here, 1, nil, images[0])
	n := 0
	for b.Loop() {
		n++
		take("kernels", func() {
			for _, img := range images {
				im, _, err := cv.Decode(img, cv.Limits{})
				if err != nil {
					b.Fatal(err)
				}
				boxes, err := guard.Detect(b.Context(), im)
				if err != nil {
					b.Fatal(err)
				}
				redact.Apply(im, boxes, guard.Margin())
				if _, err := im.EncodeJPEG(88); err != nil {
					b.Fatal(err)
				}
				im.Close()
			}
		})
		take("one-process", func() { part(here, 1, nil, images...) })
		outside("child-1-worker", 1, tm)
		outside("child-2-workers", 2, nil)
	}
	per := float64(n * frames)
	for name, s := range got {
		b.ReportMetric(s.cpu.Seconds()*1000/per, name+"-cpu-ms/frame")
		b.ReportMetric(per/s.wall.Seconds(), name+"-frames/s")
	}
	const mpx = 2028 * 1024 / 1e6
	b.ReportMetric(got["child-1-worker"].cpu.Seconds()*1000/per/mpx, "child-1-worker-cpu-ms/Mpx")
	b.ReportMetric(got["child-2-workers"].cpu.Seconds()*1000/per/mpx, "child-2-workers-cpu-ms/Mpx")
	b.ReportMetric(got["kernels"].cpu.Seconds()/got["child-1-worker"].cpu.Seconds(), "of-kernels")
	b.ReportMetric(got["child-1-worker"].cpu.Seconds()/got["one-process"].cpu.Seconds(), "child-over-one-process")
	b.ReportMetric(got["child-1-worker"].wall.Seconds()/got["child-2-workers"].wall.Seconds(), "two-workers-speedup")
	_, peak := children()
	b.ReportMetric(peak, "child-peak-MiB")
	for _, s := range tm.Steps() {
		b.ReportMetric(s.Total.Seconds()*1000/float64(s.Frames), s.Step+"-ms/frame")
	}
}
