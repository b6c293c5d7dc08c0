package upload_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

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

func BenchmarkUpload(b *testing.B) {
	n := newNetwork(b, api.Limits{})
	c := n.client(b)
	c.NoWait = true
	b.SetBytes(benchFiles * benchBytes)
	for seed := uint64(0); b.Loop(); seed++ {
		b.StopTimer()
		dir := b.TempDir()
		frames(b, dir, seed)
		b.StartTimer()
		res, err := c.Upload(b.Context(), []string{dir}, survey.UploadOptions{}, nil)
		if err != nil || res.Sent != benchFiles*benchBytes {
			b.Fatal(res.Sent, err)
		}
	}
	b.ReportMetric(float64(benchFiles*b.N)/b.Elapsed().Seconds(), "files/s")
}

func BenchmarkBareMinio(b *testing.B) {
	n := newNetwork(b, api.Limits{})
	b.SetBytes(benchFiles * benchBytes)
	for seed := uint64(1 << 20); b.Loop(); seed++ {
		b.StopTimer()
		dir := b.TempDir()
		frames(b, dir, seed)
		b.StartTimer()
		var g errgroup.Group
		g.SetLimit(4) // the client's default
		for i := range benchFiles {
			g.Go(func() error {
				f, err := os.Open(filepath.Join(dir, fmt.Sprintf("%03d.jpg", i)))
				if err != nil {
					return err
				}
				defer f.Close()
				_, err = n.store.PutReader(b.Context(), store.Private, fmt.Sprintf("bare/%d/%d", seed, i), f, benchBytes, "image/jpeg")
				return err
			})
		}
		if err := g.Wait(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(benchFiles*b.N)/b.Elapsed().Seconds(), "files/s")
}
