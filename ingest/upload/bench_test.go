package upload_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/roadcomb/roadcomb/ingest/api"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// The same fresh frames, uploaded by the client with everything it does (hashing, manifest, presigned URLs, digests,
// completion) and put by minio-go alone with the same parallelism to the same server.
const benchFiles, benchBytes = 200, 400 << 10

func frames(b *testing.B, dir string, seed uint64) {
	b.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	buf := make([]byte, benchBytes)
	for i := range benchFiles {
		for j := 0; j < len(buf); j += 8 {
			v := r.Uint64()
			for k := range 8 {
				buf[j+k] = byte(v >> (8 * k))
			}
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%03d.jpg", i)), buf, 0o644); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUpload takes turns, so that both meet the same load. x-minio is the median speed of the client over that of
// minio-go; x-minio-cpu the same in processor time of client and server together, which other programs disturb less.
func BenchmarkUpload(b *testing.B) {
	n := newNetwork(b, api.Limits{})
	c := n.client(b)
	c.NoWait = true
	var ours, bare, oursCPU, bareCPU []time.Duration
	b.SetBytes(2 * benchFiles * benchBytes)
	for seed := uint64(0); b.Loop(); seed++ {
		b.StopTimer()
		dir := b.TempDir()
		frames(b, dir, seed)
		b.StartTimer()
		wall, cpu := spent(func() {
			res, err := c.Upload(b.Context(), []string{dir}, survey.UploadOptions{}, nil)
			if err != nil || res.Sent != benchFiles*benchBytes {
				b.Fatal(res.Sent, err)
			}
		})
		ours, oursCPU = append(ours, wall), append(oursCPU, cpu)
		wall, cpu = spent(func() {
			if err := bareMinio(b.Context(), n.store, dir, seed); err != nil {
				b.Fatal(err)
			}
		})
		bare, bareCPU = append(bare, wall), append(bareCPU, cpu)
	}
	b.ReportMetric(benchFiles*benchBytes/1e6/median(ours).Seconds(), "client-MB/s")
	b.ReportMetric(benchFiles*benchBytes/1e6/median(bare).Seconds(), "minio-MB/s")
	b.ReportMetric(float64(median(bare))/float64(median(ours)), "x-minio")
	b.ReportMetric(float64(median(bareCPU))/float64(median(oursCPU)), "x-minio-cpu")
}

func spent(fn func()) (wall, cpu time.Duration) {
	from, used := time.Now(), processorTime()
	fn()
	return time.Since(from), processorTime() - used
}

func processorTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func median(ds []time.Duration) time.Duration {
	ds = slices.Sorted(slices.Values(ds))
	return ds[len(ds)/2]
}

func bareMinio(ctx context.Context, s *store.Store, dir string, seed uint64) error {
	var g errgroup.Group
	g.SetLimit(4) // the client's default
	for i := range benchFiles {
		g.Go(func() error {
			f, err := os.Open(filepath.Join(dir, fmt.Sprintf("%03d.jpg", i)))
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = s.PutReader(ctx, store.Private, fmt.Sprintf("bare/%d/%d", seed, i), f, benchBytes, "image/jpeg")
			return err
		})
	}
	return g.Wait()
}
