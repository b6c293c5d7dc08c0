package archive

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ipfs/go-cid"

	"github.com/roadcomb/roadcomb/datasets/snapshot"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Place holds an archive: its nodes, its head, and what they name.
type Place interface {
	Published
	// Snapshot is the current snapshot and its bytes.
	Snapshot(ctx context.Context) (snapshot.Snapshot, []byte, error)
	// Node reads a node; NotFound when it is not there.
	Node(ctx context.Context, l Link) ([]byte, error)
	// Put keeps a node.
	Put(ctx context.Context, l Link, b []byte) error
	// Head reads the head, and swap replaces what was read; store.ErrExists when another was faster. NotFound before the
	// first.
	Head(ctx context.Context) (b []byte, swap func([]byte) error, err error)
}

// Buckets is a network's archive, in its ledger bucket.
type Buckets struct{ Store *store.Store }

// File opens a dataset file.
func (p Buckets) File(ctx context.Context, path string) (File, error) {
	o, _, err := p.Store.Open(ctx, store.Lake, path)
	if err != nil {
		return nil, err
	}
	return o, nil
}

// Image opens a published image.
func (p Buckets) Image(ctx context.Context, f survey.FrameID, content survey.Hash) (io.ReadCloser, error) {
	o, _, err := p.Store.Open(ctx, store.Public, store.FrameKey(f, content))
	if err != nil {
		return nil, err
	}
	return o, nil
}

// Manifest reads a snapshot.
func (p Buckets) Manifest(ctx context.Context, content survey.Hash) ([]byte, error) {
	b, _, err := p.Store.Get(ctx, store.Lake, store.SnapshotKey(content), maxBlock)
	return b, err
}

// Snapshot is the current one.
func (p Buckets) Snapshot(ctx context.Context) (snapshot.Snapshot, []byte, error) {
	return snapshot.Current(ctx, p.Store)
}

// Node reads a node.
func (p Buckets) Node(ctx context.Context, l Link) ([]byte, error) {
	b, _, err := p.Store.Get(ctx, store.Ledger, store.ArchiveNodeKey(l.String()), maxBlock)
	return b, err
}

// Put keeps a node.
func (p Buckets) Put(ctx context.Context, l Link, b []byte) error {
	return p.Store.PutOnce(ctx, store.Ledger, store.ArchiveNodeKey(l.String()), b, "application/vnd.ipld.dag-cbor")
}

// Head reads the head.
func (p Buckets) Head(ctx context.Context) ([]byte, func([]byte) error, error) {
	b, info, err := p.Store.Get(ctx, store.Ledger, store.ArchiveHead, 1<<20)
	swap := func(n []byte) error {
		_, err := p.Store.Swap(ctx, store.Ledger, store.ArchiveHead, n, "application/json", info.ETag)
		return err
	}
	if survey.KindOf(err) == survey.NotFound {
		swap = func(n []byte) error {
			_, err := p.Store.Create(ctx, store.Ledger, store.ArchiveHead, n, "application/json")
			return err
		}
	}
	return b, swap, err
}

// Folder is what `roadcomb process` wrote: datasets and frames, and the archive beside them.
type Folder struct{ Dir string }

// open maps the file system's errors.
func open(parts ...string) (*os.File, error) {
	f, err := os.Open(filepath.Join(parts...))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, survey.Errorf(survey.NotFound, "%w", err)
	case err != nil:
		return nil, survey.Errorf(survey.Unavailable, "%w", err)
	}
	return f, nil
}

func read(parts ...string) ([]byte, error) {
	f, err := open(parts...)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// File opens a dataset file.
func (p Folder) File(_ context.Context, path string) (File, error) {
	if !filepath.IsLocal(path) {
		return nil, survey.Errorf(survey.Invalid, "snapshot names %.80q, which is outside the folder", path)
	}
	f, err := open(p.Dir, "datasets", path)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Image opens a published image. One with other bytes, another redaction's, is NotFound.
func (p Folder) Image(_ context.Context, id survey.FrameID, content survey.Hash) (io.ReadCloser, error) {
	if !filepath.IsLocal(string(id)) {
		return nil, survey.Errorf(survey.Invalid, "frame id %.80q", id)
	}
	f, err := open(p.Dir, "frames", string(id)+".jpg")
	if err != nil {
		return nil, err
	}
	h, _, err := survey.HashReader(f)
	if err == nil && h != content {
		err = survey.Errorf(survey.NotFound, "%s has other bytes now", f.Name())
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Manifest reads the snapshot, which has to have the hash.
func (p Folder) Manifest(_ context.Context, content survey.Hash) ([]byte, error) {
	b, _, err := snapshot.Read(filepath.Join(p.Dir, "datasets"))
	if err == nil && survey.HashOf(b) != content {
		err = survey.Errorf(survey.NotFound, "snapshot %s was replaced", content)
	}
	return b, err
}

// Snapshot is the one in the folder.
func (p Folder) Snapshot(context.Context) (snap snapshot.Snapshot, b []byte, err error) {
	snap, b, _, err = snapshot.Load(filepath.Join(p.Dir, "datasets"))
	return snap, b, err
}

// Node reads a node.
func (p Folder) Node(_ context.Context, l Link) ([]byte, error) {
	return read(p.Dir, "archive", l.String()+".cbor")
}

// Put keeps a node.
func (p Folder) Put(_ context.Context, l Link, b []byte) error {
	return p.write(l.String()+".cbor", b)
}

func (p Folder) write(name string, b []byte) error {
	dir := filepath.Join(p.Dir, "archive")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return survey.Errorf(survey.Unavailable, "%w", err)
	}
	f, err := os.CreateTemp(dir, ".tmp-*")
	if err != nil {
		return survey.Errorf(survey.Unavailable, "%w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		return survey.Errorf(survey.Unavailable, "%w", err).WithHint("check the free space of the disk")
	}
	return nil
}

// Head reads the head. One process at a time may write a folder.
func (p Folder) Head(context.Context) ([]byte, func([]byte) error, error) {
	b, err := read(p.Dir, "archive", "head.json")
	return b, func(n []byte) error { return p.write("head.json", n) }, err
}

// Publish brings the archive up to the current snapshot and gives its head. key may be nil. Where nothing was exported
// yet, the root is the zero Link.
func Publish(ctx context.Context, p Place, key ed25519.PrivateKey) (Head, Link, error) {
	snap, manifest, err := p.Snapshot(ctx)
	if survey.KindOf(err) == survey.NotFound {
		return Head{}, Link{}, nil
	} else if err != nil {
		return Head{}, Link{}, fmt.Errorf("archive: %w", err)
	}
	old, swap, err := p.Head(ctx)
	var prev Link
	switch {
	case err == nil:
		var h Head
		if h, prev, err = ParseHead(old, nil); err != nil {
			return Head{}, Link{}, err
		}
		if h.AsOf > snap.AsOf.Unix() { // a slower worker saw an older snapshot
			return h, prev, nil
		}
	case survey.KindOf(err) != survey.NotFound:
		return Head{}, Link{}, fmt.Errorf("archive head: %w", err)
	}
	root, err := Build(ctx, manifest, snap, p, prev, p.Node, p.Put)
	if err != nil {
		return Head{}, Link{}, fmt.Errorf("archive: %w", err)
	}
	h := Sign(root, snap.AsOf.Unix(), key)
	b, err := json.MarshalIndent(h, "", " ")
	if err != nil {
		return h, root, err
	}
	if string(b) == string(old) {
		return h, root, nil
	}
	if err := swap(b); err != nil && !errors.Is(err, store.ErrExists) { // another worker did the same, or better
		return h, root, fmt.Errorf("archive head: %w", err)
	}
	return h, root, nil
}

// Current reads the head of a place, signed by want unless that is nil.
func Current(ctx context.Context, p Place, want ed25519.PublicKey) (Head, Link, error) {
	b, _, err := p.Head(ctx)
	if survey.KindOf(err) == survey.NotFound {
		return Head{}, Link{}, survey.Errorf(survey.NotFound, "there is no archive yet").WithHint("roadcomb archive publish makes it")
	} else if err != nil {
		return Head{}, Link{}, err
	}
	return ParseHead(b, want)
}

// Reader finds everything that a root reaches in a place.
func Reader(ctx context.Context, p Place, roots ...Link) (Getter, error) {
	index := map[Link]Item{}
	for _, r := range roots {
		c, err := Walk(ctx, p.Node, r, "")
		if err != nil {
			return nil, err
		}
		for _, it := range c.Items {
			index[it.Link] = it
		}
	}
	return func(ctx context.Context, l Link) ([]byte, error) {
		if l.Prefix().Codec == cid.DagCBOR {
			return p.Node(ctx, l)
		}
		it, ok := index[l]
		if !ok {
			return nil, survey.Errorf(survey.NotFound, "the archive names no %s", l)
		}
		var r io.ReadCloser
		var err error
		switch it.Kind {
		case Manifest:
			return p.Manifest(ctx, l.hash())
		case DataFile:
			r, err = p.File(ctx, it.Name)
		default:
			r, err = p.Image(ctx, survey.FrameID(it.Name), l.hash())
		}
		if err != nil {
			return nil, err
		}
		defer r.Close()
		b, err := io.ReadAll(io.LimitReader(r, maxBlock+1))
		if err == nil && len(b) > maxBlock {
			err = survey.Errorf(survey.Unsupported, "%s is larger than %d bytes", it.Name, maxBlock)
		}
		return b, err
	}, nil
}
