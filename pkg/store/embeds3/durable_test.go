package embeds3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/roadcomb/roadcomb/pkg/lockfile"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// platter is what a power cut would leave of a folder: names and bytes as they were when they were last synced. An inode
// stays open once it was seen, so that its number means one file.
type platter struct {
	mu    sync.Mutex
	open  map[uint64]*os.File
	names map[uint64]map[string]uint64
	bytes map[uint64][]byte
	fail  atomic.Bool
}

func newPlatter(t *testing.T) *platter {
	p := &platter{open: map[uint64]*os.File{}, names: map[uint64]map[string]uint64{}, bytes: map[uint64][]byte{}}
	t.Cleanup(func() {
		for _, f := range p.open {
			f.Close()
		}
	})
	return p
}

// hold opens a path and says which inode it is.
func (p *platter) hold(path string) (uint64, os.FileInfo, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, nil, err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return 0, nil, err
	}
	ino := st.Sys().(*syscall.Stat_t).Ino
	if _, ok := p.open[ino]; ok {
		f.Close()
	} else {
		p.open[ino] = f
	}
	return ino, st, nil
}

func (p *platter) sync(path string) error {
	if p.fail.Load() {
		return syscall.EIO
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	ino, st, err := p.hold(path)
	if err != nil {
		return err
	}
	if !st.IsDir() {
		p.bytes[ino], err = os.ReadFile(path)
		return err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	names := map[string]uint64{}
	for _, e := range entries {
		child, _, err := p.hold(filepath.Join(path, e.Name()))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		names[e.Name()] = child
	}
	p.names[ino] = names
	return nil
}

// read is what root/elem holds after a power cut; nil when it is not there.
func (p *platter) read(root string, elem ...string) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	ino, _, err := p.hold(root)
	if err != nil {
		return nil
	}
	for _, e := range elem {
		next, ok := p.names[ino][e]
		if !ok {
			return nil
		}
		ino = next
	}
	return p.bytes[ino]
}

func TestWhatIsAcknowledgedOutlastsAPowerCut(t *testing.T) {
	dir := t.TempDir()
	p := newPlatter(t)
	s, err := Start(t.Context(), dir, "127.0.0.1:0", "k", "s3cr3t-s3cr3t", func(o *options) { o.sync = p.sync })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	core, err := minio.NewCore(s.Endpoint[len("http://"):], &minio.Options{Creds: credentials.NewStaticV4("k", "s3cr3t-s3cr3t", "")})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	const bucket = "drives"
	if err := core.MakeBucket(ctx, bucket, minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}

	// Each goroutine writes and removes names of its own, in folders that all of them share, so that folders come and go
	// under the others' hands.
	const hands, rounds, acts = 6, 5, 25
	want := make([]map[[3]string][]byte, hands)
	for h := range want {
		want[h] = map[[3]string][]byte{}
	}
	check := func(h int, name [3]string) error {
		if got, acked := p.read(dir, bucket, name[0], name[1], name[2]), want[h][name]; !bytes.Equal(got, acked) {
			return fmt.Errorf("a power cut leaves %q of %v; acknowledged was %q", got, name, acked)
		}
		return nil
	}
	act := func(ctx context.Context, h int, rnd *rand.Rand) error {
		name := [3]string{string(rune('a' + rnd.IntN(3))), string(rune('x' + rnd.IntN(3))), fmt.Sprintf("%d-%d.jpg", h, rnd.IntN(4))}
		key := name[0] + "/" + name[1] + "/" + name[2]
		switch body := []byte(fmt.Sprint(key, rnd.Uint64())); rnd.IntN(6) {
		case 0, 1:
			if _, err := core.Client.PutObject(ctx, bucket, key, bytes.NewReader(body), int64(len(body)), minio.PutObjectOptions{}); err != nil {
				return err
			}
			want[h][name] = body
		case 2: // as a film arrives
			id, err := core.NewMultipartUpload(ctx, bucket, key, minio.PutObjectOptions{})
			if err != nil {
				return err
			}
			part, err := core.PutObjectPart(ctx, bucket, key, id, 1, bytes.NewReader(body), int64(len(body)), minio.PutObjectPartOptions{})
			if err != nil {
				return err
			}
			if _, err := core.CompleteMultipartUpload(ctx, bucket, key, id, []minio.CompletePart{{PartNumber: 1, ETag: part.ETag}}, minio.PutObjectOptions{}); err != nil {
				return err
			}
			want[h][name] = body
		case 3: // many at once, as expiry removes them
			many := make(chan minio.ObjectInfo, len(want[h]))
			for name := range want[h] {
				many <- minio.ObjectInfo{Key: name[0] + "/" + name[1] + "/" + name[2]}
			}
			close(many)
			for e := range core.RemoveObjects(ctx, bucket, many, minio.RemoveObjectsOptions{}) {
				return e.Err
			}
			for name := range want[h] {
				want[h][name] = nil
				if err := check(h, name); err != nil {
					return err
				}
			}
		default:
			if err := core.Client.RemoveObject(ctx, bucket, key, minio.RemoveObjectOptions{}); err != nil {
				return err
			}
			want[h][name] = nil
		}
		return check(h, name)
	}
	kept, gone := 0, 0
	for round := range rounds {
		var wg sync.WaitGroup
		errs := make([]error, hands)
		for h := range hands {
			rnd := rand.New(rand.NewPCG(uint64(round), uint64(h)))
			wg.Go(func() {
				for range acts {
					if errs[h] = act(ctx, h, rnd); errs[h] != nil {
						return
					}
				}
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		for h := range want {
			for name, body := range want[h] {
				if err := check(h, name); err != nil {
					t.Fatalf("round %d: %v", round, err)
				}
				if body == nil {
					gone++
				} else {
					kept++
				}
			}
		}
	}
	if kept == 0 || gone == 0 {
		t.Fatalf("%d kept, %d gone: the draw shows nothing", kept, gone)
	}

	// What cannot be synced is not acknowledged.
	p.fail.Store(true)
	if _, err := core.Client.PutObject(ctx, bucket, "a/b", bytes.NewReader([]byte("x")), 1, minio.PutObjectOptions{}); err == nil {
		t.Error("a disk that fails to sync took an object")
	}
	p.fail.Store(false)
	if _, err := core.Client.PutObject(ctx, bucket, "a/b", bytes.NewReader([]byte("y")), 1, minio.PutObjectOptions{}); err != nil {
		t.Error(err)
	} else if got := p.read(dir, bucket, "a", "b"); string(got) != "y" {
		t.Errorf("sent again, a power cut leaves %q", got)
	}
}

func TestAFolderIsServedByOneProcess(t *testing.T) {
	dir := t.TempDir()
	l, err := lockfile.Take(t.Context(), filepath.Join(dir, ".lock"), 0) // as another process would hold it
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if s, err := Start(ctx, dir, "127.0.0.1:0", "k", "s3cr3t-s3cr3t"); survey.KindOf(err) != survey.Conflict {
		if err == nil {
			s.Close()
		}
		t.Fatalf("a second process on the folder: %v", err)
	}
	l.Release()
	s, err := Start(ctx, dir, "127.0.0.1:0", "k", "s3cr3t-s3cr3t")
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

// BenchmarkPut is what syncing costs: 100 kB objects, eight at a time as an uploader sends them, a folder for each drive.
func BenchmarkPut(b *testing.B) {
	for name, opts := range map[string][]Option{"durable": nil, "volatile": {Volatile}} {
		b.Run(name, func(b *testing.B) {
			s, err := Start(b.Context(), b.TempDir(), "127.0.0.1:0", "k", "s3cr3t-s3cr3t", opts...)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			c, err := minio.New(s.Endpoint[len("http://"):], &minio.Options{Creds: credentials.NewStaticV4("k", "s3cr3t-s3cr3t", "")})
			if err != nil {
				b.Fatal(err)
			}
			if err := c.MakeBucket(b.Context(), "drives", minio.MakeBucketOptions{}); err != nil {
				b.Fatal(err)
			}
			body := make([]byte, 100_000)
			var n atomic.Int64
			b.SetBytes(int64(len(body)))
			b.SetParallelism(4)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					i := n.Add(1)
					if _, err := c.PutObject(context.Background(), "drives", fmt.Sprintf("up/%d/%d.jpg", i/300, i), bytes.NewReader(body), int64(len(body)), minio.PutObjectOptions{}); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
