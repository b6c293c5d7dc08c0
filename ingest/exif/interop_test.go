package exif_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/ingest/exif"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// process runs mapillary_tools over a folder and gives its description of each image, the time it took, and the processor time of it and its workers.
// ../interop/interop.sh installs it.
func process(t testing.TB, dir string) (out []map[string]any, took, cpu time.Duration) {
	t.Helper()
	bin := os.Getenv("ROADCOMB_MAPILLARY")
	if bin == "" {
		t.Skip("mapillary_tools is not installed; run ingest/interop/interop.sh")
	}
	desc := filepath.Join(t.TempDir(), "desc.json")
	cmd := exec.Command(filepath.Join(bin, "mapillary_tools"), "process", "--skip_process_errors", "--desc_path", desc, dir)
	from := time.Now()
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	took, cpu = time.Since(from), cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()
	b, err := os.ReadFile(desc)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out, took, cpu
}

func copies(t testing.TB, n int, folders ...string) string {
	t.Helper()
	dir := t.TempDir()
	var names []string
	for _, f := range folders {
		ns, err := filepath.Glob(filepath.Join(shared(t, f), "*.jpg"))
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, ns...)
	}
	for i := range max(n, len(names)) {
		b, err := os.ReadFile(names[i%len(names)])
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%05d.jpg", i)), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestMapillaryToolsReadTheSameMetadata(t *testing.T) {
	dir := copies(t, 0, "exif-sequence-arezzo", "exif-action-cam", "exif-malformed")
	theirs, _, _ := process(t, dir)
	compared := 0
	for _, x := range theirs {
		lat, ok := x["MAPLatitude"].(float64)
		lon, _ := x["MAPLongitude"].(float64)
		if !ok {
			continue // rejected, for what comes after reading
		}
		b, err := os.ReadFile(x["filename"].(string))
		if err != nil {
			t.Fatal(err)
		}
		m, err := exif.Read(b)
		if err != nil || !m.GPS.HasPoint || math.Abs(m.GPS.Point.Lat-lat) > 1e-6 || math.Abs(m.GPS.Point.Lon-lon) > 1e-6 {
			t.Errorf("%v: %v, %v; theirs %v %v", x["filename"], m.GPS.Point, err, lat, lon)
		}
		if model, _ := x["MAPDeviceModel"].(string); model != "" && model != m.Model {
			t.Errorf("%v: model %q, theirs %q", x["filename"], m.Model, model)
		}
		compared++
	}
	if compared < 9 {
		t.Errorf("%d compared", compared)
	}
}

// BenchmarkAgainst reads the metadata of a folder of 2,000 photographs by this package on every core, once alone and once
// with a hash of each file as ingest takes it, and by mapillary_tools process, which hashes too.
func BenchmarkAgainst(b *testing.B) {
	dir := copies(b, 2000, "exif-sequence-arezzo")
	names, err := filepath.Glob(filepath.Join(dir, "*.jpg"))
	if err != nil {
		b.Fatal(err)
	}
	read := func(hash bool) (wall, cpu time.Duration) {
		from, used := time.Now(), processorTime(b)
		var next, placed atomic.Int64
		var wg sync.WaitGroup
		for range runtime.GOMAXPROCS(0) {
			wg.Go(func() {
				for i := next.Add(1) - 1; i < int64(len(names)); i = next.Add(1) - 1 {
					body, err := os.ReadFile(names[i])
					if err != nil {
						b.Error(err)
						return
					}
					if m, err := exif.Read(body); err == nil && m.GPS.HasPoint && (!hash || !survey.HashOf(body).IsZero()) {
						placed.Add(1)
					}
				}
			})
		}
		wg.Wait()
		if int(placed.Load()) != len(names) {
			b.Fatal(placed.Load())
		}
		return time.Since(from), processorTime(b) - used
	}
	var wall, cpu [3]time.Duration
	add := func(i int, w, c time.Duration) { wall[i], cpu[i] = wall[i]+w, cpu[i]+c }
	for b.Loop() {
		for i, hash := range []bool{false, true} {
			w, c := read(hash)
			add(i, w, c)
		}
		_, w, c := process(b, dir)
		add(2, w, c)
	}
	n := float64(len(names) * b.N)
	b.ReportMetric(n/wall[0].Seconds(), "images/s")
	b.ReportMetric(n/wall[1].Seconds(), "hashed-images/s")
	b.ReportMetric(n/wall[2].Seconds(), "mapillary-images/s")
	b.ReportMetric(float64(cpu[2])/float64(cpu[0]), "x-mapillary-cpu")
	b.ReportMetric(float64(cpu[2])/float64(cpu[1]), "x-mapillary-cpu-hashed")
}

func processorTime(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
