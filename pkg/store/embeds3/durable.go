package embeds3

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
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
	r := d.disk.remove(*in.Bucket, *in.Key)
	defer r.end()
	out, err := d.exact.DeleteObject(ctx, in)
	if err == nil {
		err = r.sync()
	}
	return out, err
}

// DeleteObjects removes some at a time, because a removal holds the folders that it may change.
func (d durable) DeleteObjects(ctx context.Context, in *s3.DeleteObjectsInput) (s3response.DeleteResult, error) {
	var all s3response.DeleteResult
	for objects := range slices.Chunk(in.Delete.Objects, 50) {
		out, err := d.deleteSome(ctx, in, objects)
		if err != nil {
			return all, err
		}
		all.Deleted = append(all.Deleted, out.Deleted...)
		all.Error = append(all.Error, out.Error...)
	}
	return all, nil
}

func (d durable) deleteSome(ctx context.Context, in *s3.DeleteObjectsInput, objects []types.ObjectIdentifier) (s3response.DeleteResult, error) {
	keys := make([]string, len(objects))
	for i, o := range objects {
		keys[i] = *o.Key
	}
	r := d.disk.remove(*in.Bucket, keys...)
	defer r.end()
	some := *in
	some.Delete = &types.Delete{Objects: objects, Quiet: in.Delete.Quiet}
	out, err := d.exact.DeleteObjects(ctx, &some)
	if err == nil {
		err = r.sync()
	}
	return out, err
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

// removal is one or more names that go. Their folders are held open, so that one that went with its last name is told
// from another that was made in its place.
type removal struct {
	d    *disk
	keys []string // paths
	held map[string]*os.File
}

// remove begins a removal; end ends it.
func (d *disk) remove(bucket string, keys ...string) *removal {
	d.mu.Lock()
	d.removals++
	d.epoch++
	clear(d.named) // what is removed may be made again under the same name
	d.mu.Unlock()
	r := &removal{d: d, held: map[string]*os.File{}}
	for _, k := range keys {
		key := filepath.Join(d.root, bucket, k)
		r.keys = append(r.keys, key)
		for path := key; path != d.root; {
			path = filepath.Dir(path)
			if _, ok := r.held[path]; ok {
				break
			}
			if f, err := os.Open(path); err == nil {
				r.held[path] = f
			}
		}
	}
	return r
}

func (r *removal) end() {
	for _, f := range r.held {
		f.Close()
	}
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	r.d.removals--
}

// sync syncs the folder of each name; where that folder went too, or is another now, also the next.
func (r *removal) sync() error {
	done := map[string]struct{}{}
	for _, path := range r.keys {
		for same := false; !same && path != r.d.root; {
			path = filepath.Dir(path)
			if _, ok := done[path]; ok {
				break
			}
			done[path] = struct{}{}
			if err := r.d.sync(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			now, err := os.Stat(path)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			if f := r.held[path]; f != nil && err == nil {
				was, err := f.Stat()
				if err != nil {
					return err
				}
				same = os.SameFile(was, now)
			}
		}
	}
	return nil
}
