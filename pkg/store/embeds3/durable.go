package embeds3

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/s3response"
)

// durable answers a write or a removal once the disk has it, which the gateway (v1.8.0) leaves to chance: a driver wipes
// the card after "safe", and what was taken down must not come back with the power.
type durable struct {
	exact
	disk *disk
}

func (d durable) CreateBucket(ctx context.Context, in *s3.CreateBucketInput, acl []byte) error {
	if err := d.exact.CreateBucket(ctx, in, acl); err != nil {
		return err
	}
	return d.disk.keep(*in.Bucket)
}

func (d durable) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	out, err := d.exact.PutObject(ctx, in)
	if err == nil {
		err = d.disk.keep(*in.Bucket, *in.Key)
	}
	return out, err
}

func (d durable) CopyObject(ctx context.Context, in s3response.CopyObjectInput) (s3response.CopyObjectOutput, error) {
	out, err := d.exact.CopyObject(ctx, in)
	if err == nil {
		err = d.disk.keep(*in.Bucket, *in.Key)
	}
	return out, err
}

// CompleteMultipartUpload is where a film becomes durable; its parts alone are nobody's yet.
func (d durable) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput) (s3response.CompleteMultipartUploadResult, string, error) {
	out, version, err := d.exact.CompleteMultipartUpload(ctx, in)
	if err == nil {
		err = d.disk.keep(*in.Bucket, *in.Key)
	}
	return out, version, err
}

func (d durable) DeleteObject(ctx context.Context, in *s3.DeleteObjectInput) (*s3.DeleteObjectOutput, error) {
	defer d.disk.removing()()
	out, err := d.exact.DeleteObject(ctx, in)
	if err == nil {
		err = d.disk.gone(*in.Bucket, *in.Key)
	}
	return out, err
}

func (d durable) DeleteObjects(ctx context.Context, in *s3.DeleteObjectsInput) (s3response.DeleteResult, error) {
	defer d.disk.removing()()
	out, err := d.exact.DeleteObjects(ctx, in)
	if err != nil {
		return out, err
	}
	var keys []string
	for _, o := range out.Deleted {
		keys = append(keys, *o.Key)
	}
	return out, d.disk.gone(*in.Bucket, keys...)
}

// disk makes what is below root outlast a power cut. A file's name is in its folder, and that folder's in the next: the
// names of folders are synced once and remembered, so that a file in a folder in use costs two syncs.
type disk struct {
	root string
	sync func(path string) error

	mu       sync.Mutex
	named    map[string]struct{} // folders whose own names are on the disk
	removals int                 // in flight: they may take folders away, so that nothing is remembered
	epoch    int                 // counts removals
}

// mostNamed bounds what is remembered; forgetting costs syncs, nothing else.
const mostNamed = 1 << 16

func newDisk(root string, sync func(path string) error) *disk {
	return &disk{root: root, sync: sync, named: map[string]struct{}{}}
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// keep syncs a file or folder and its name. One that somebody removed meanwhile is not missed.
func (d *disk) keep(elem ...string) error {
	d.mu.Lock()
	epoch := d.epoch
	d.mu.Unlock()
	path := filepath.Join(d.root, filepath.Join(elem...))
	if err := d.sync(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for first := true; path != d.root; first = false {
		folder := filepath.Dir(path)
		if err := d.sync(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		d.mu.Lock()
		if !first && d.removals == 0 && d.epoch == epoch {
			if len(d.named) >= mostNamed {
				clear(d.named)
			}
			d.named[path] = struct{}{}
		}
		_, known := d.named[folder]
		d.mu.Unlock()
		if known {
			return nil
		}
		path = folder
	}
	return nil
}

// removing begins a removal, and ends it when its result is called.
func (d *disk) removing() (end func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.removals++
	d.epoch++
	clear(d.named) // what is removed may be made again under the same name
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.removals--
	}
}

// gone syncs the removal of keys. The gateway removes folders that became empty too, so the lowest that is left is the
// one that changed.
func (d *disk) gone(bucket string, keys ...string) error {
	done := map[string]struct{}{}
	for _, k := range keys {
		for path := filepath.Join(d.root, bucket, k); path != d.root; {
			path = filepath.Dir(path)
			if _, ok := done[path]; ok {
				break
			}
			err := d.sync(path)
			if err == nil {
				done[path] = struct{}{}
				break
			}
			if !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}
