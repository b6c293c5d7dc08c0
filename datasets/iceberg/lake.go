package iceberg

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	iceio "github.com/apache/iceberg-go/io"

	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Info describes an object of a lake.
type Info struct {
	Name     string // from the lake's root, with slashes
	Bytes    int64
	Modified time.Time
}

// Object is an open object.
type Object interface {
	io.ReadSeekCloser
	io.ReaderAt
}

// Lake is where the datasets lie. Names are relative to its root.
type Lake interface {
	// URI is the address that readers know an object by.
	URI(name string) string
	// Open opens an object; NotFound when it is not there.
	Open(ctx context.Context, name string) (Object, Info, error)
	// Create writes an object whole, if nothing is there; otherwise store.ErrExists.
	Create(ctx context.Context, name string, b []byte) error
	// Put writes an object whole, whatever was there.
	Put(ctx context.Context, name string, b []byte) error
	// Remove removes an object; a missing one is no error.
	Remove(ctx context.Context, name string) error
	// List calls fn for each object whose name begins with prefix.
	List(ctx context.Context, prefix string, fn func(Info) error) error
}

// Bucket is the lake bucket of a network. Name is the bucket's, with its prefix.
type Bucket struct {
	Store *store.Store
	Name  string
}

func (b Bucket) URI(name string) string { return "s3://" + b.Name + "/" + name }

func (b Bucket) Open(ctx context.Context, name string) (Object, Info, error) {
	o, i, err := b.Store.Open(ctx, store.Lake, name)
	if err != nil {
		return nil, Info{}, err
	}
	return o, Info{name, i.Bytes, i.Modified}, nil
}

func (b Bucket) Create(ctx context.Context, name string, body []byte) error {
	_, err := b.Store.Create(ctx, store.Lake, name, body, mediaType(name))
	return err
}

func (b Bucket) Put(ctx context.Context, name string, body []byte) error {
	_, err := b.Store.Put(ctx, store.Lake, name, body, mediaType(name))
	return err
}

func mediaType(name string) string {
	if strings.HasSuffix(name, ".json") {
		return "application/json"
	}
	return "application/octet-stream"
}

func (b Bucket) Remove(ctx context.Context, name string) error {
	return b.Store.Remove(ctx, store.Lake, name)
}

func (b Bucket) List(ctx context.Context, prefix string, fn func(Info) error) error {
	return b.Store.List(ctx, store.Lake, prefix, func(i store.Info) error { return fn(Info{i.Key, i.Bytes, i.Modified}) })
}

// Folder is a folder of datasets, as `roadcomb process` writes it. Dir is an absolute path, and the tables are of that
// place: a folder that is moved needs its tables made anew.
type Folder struct{ Dir string }

func (f Folder) path(name string) string { return filepath.Join(f.Dir, filepath.FromSlash(name)) }

func (f Folder) URI(name string) string { return f.Dir + "/" + name }

func (f Folder) Open(_ context.Context, name string) (Object, Info, error) {
	o, err := os.Open(f.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Info{}, survey.Errorf(survey.NotFound, "%w", err)
	} else if err != nil {
		return nil, Info{}, survey.Errorf(survey.Unavailable, "%w", err)
	}
	st, err := o.Stat()
	if err == nil && st.IsDir() {
		err = survey.Errorf(survey.Invalid, "%s is a folder", name)
	}
	if err != nil {
		o.Close()
		return nil, Info{}, err
	}
	return o, Info{name, st.Size(), st.ModTime()}, nil
}

// temp writes a file beside its place, for a link or a rename.
func (f Folder) temp(name string, b []byte, place func(temp, path string) error) error {
	path := f.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return survey.Errorf(survey.Unavailable, "%w", err)
	}
	t, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return survey.Errorf(survey.Unavailable, "%w", err)
	}
	defer os.Remove(t.Name())
	_, err = t.Write(b)
	if err = errors.Join(err, t.Chmod(0o644), t.Sync(), t.Close()); err == nil {
		err = place(t.Name(), path)
	}
	if err != nil && !errors.Is(err, store.ErrExists) {
		return survey.Errorf(survey.Unavailable, "%w", err).WithHint("check the free space of the disk")
	}
	return err
}

func (f Folder) Create(_ context.Context, name string, b []byte) error {
	return f.temp(name, b, func(temp, path string) error {
		err := os.Link(temp, path)
		if errors.Is(err, fs.ErrExist) {
			return store.ErrExists
		}
		return err
	})
}

func (f Folder) Put(_ context.Context, name string, b []byte) error {
	return f.temp(name, b, os.Rename)
}

func (f Folder) Remove(_ context.Context, name string) error {
	err := os.Remove(f.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (f Folder) List(ctx context.Context, prefix string, fn func(Info) error) error {
	dir := f.Dir
	if strings.HasSuffix(prefix, "/") {
		dir = f.path(prefix)
	}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(f.Dir, p)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		if !strings.HasPrefix(name, prefix) {
			return nil
		}
		st, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			return err
		}
		return errors.Join(ctx.Err(), fn(Info{name, st.Size(), st.ModTime()}))
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// files is a lake as the library wants it. Names are addresses.
type files struct {
	ctx  context.Context
	lake Lake
}

func (f files) name(uri string) (string, error) {
	root := f.lake.URI("")
	name, ok := strings.CutPrefix(uri, root)
	if !ok || name == "" || !filepath.IsLocal(filepath.FromSlash(name)) {
		return "", &fs.PathError{Op: "open", Path: uri, Err: fs.ErrInvalid}
	}
	return name, nil
}

// Open opens an object.
func (f files) Open(uri string) (iceio.File, error) {
	name, err := f.name(uri)
	if err != nil {
		return nil, err
	}
	o, info, err := f.lake.Open(f.ctx, name)
	if survey.KindOf(err) == survey.NotFound {
		return nil, &fs.PathError{Op: "open", Path: uri, Err: errors.Join(fs.ErrNotExist, err)}
	} else if err != nil {
		return nil, err
	}
	return opened{o, info}, nil
}

// ReadFile reads a whole object.
func (f files) ReadFile(uri string) ([]byte, error) {
	o, err := f.Open(uri)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	return io.ReadAll(o)
}

// Remove removes an object.
func (f files) Remove(uri string) error {
	name, err := f.name(uri)
	if err != nil {
		return err
	}
	if strings.HasSuffix(name, ".parquet") { // rows are the lake's, whatever the library thinks of them
		return &fs.PathError{Op: "remove", Path: uri, Err: fs.ErrPermission}
	}
	return f.lake.Remove(f.ctx, name)
}

// WriteFile writes an object whole.
func (f files) WriteFile(uri string, b []byte) error {
	name, err := f.name(uri)
	if err != nil {
		return err
	}
	return f.lake.Create(f.ctx, name, b)
}

// Create opens an object that is written when it is closed.
func (f files) Create(uri string) (iceio.FileWriter, error) {
	if _, err := f.name(uri); err != nil {
		return nil, err
	}
	return &written{f: f, uri: uri}, nil
}

type written struct {
	bytes.Buffer
	f      files
	uri    string
	closed bool
}

func (w *written) Close() error {
	if w.closed {
		return nil
	}
	w.closed = true
	return w.f.WriteFile(w.uri, w.Bytes())
}

// opened is an open object with its description.
type opened struct {
	Object
	info Info
}

func (o opened) Stat() (fs.FileInfo, error) { return described{o.info}, nil }

type described struct{ info Info }

func (d described) Name() string       { return d.info.Name }
func (d described) Size() int64        { return d.info.Bytes }
func (d described) Mode() fs.FileMode  { return 0o444 }
func (d described) ModTime() time.Time { return d.info.Modified }
func (d described) IsDir() bool        { return false }
func (d described) Sys() any           { return nil }
