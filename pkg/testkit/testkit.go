// Package testkit makes what tests need: the embedded store and database opened for one test, shared test data, and
// short names for package synth, and what the system says of a process. It holds no fakes of servers.
package testkit

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/store/embeds3"
	"github.com/roadcomb/roadcomb/pkg/synth"
)

// Shared is the path of an item of the shared test data, found by ROADCOMB_SHARED or beside the checkout. The test skips
// where it is absent, and fails instead when ROADCOMB_SHARED_REQUIRED is set (continuous integration).
func Shared(t testing.TB, elem ...string) string {
	t.Helper()
	root := os.Getenv("ROADCOMB_SHARED")
	if root == "" {
		root = filepath.Join(Root(t), "..", "shared")
	}
	p := filepath.Join(append([]string{root}, elem...)...)
	if _, err := os.Stat(p); err != nil {
		if os.Getenv("ROADCOMB_SHARED_REQUIRED") != "" {
			t.Fatalf("shared test data: %v", err)
		}
		t.Skipf("shared test data is absent (%v); set ROADCOMB_SHARED to its folder", err)
	}
	return p
}

// Root is the module's folder. It is derived from where this file was compiled, because the embedded store changes the
// process's working folder.
func Root(t testing.TB) string {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("no caller information")
	}
	dir := filepath.Join(filepath.Dir(file), "..", "..")
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Fatalf("module folder: %v", err)
	}
	return dir
}

// Engines runs the test on every state engine at hand: SQLite always, PostgreSQL where ROADCOMB_TEST_POSTGRES names a
// server, each time on a database of its own.
func Engines(t *testing.T, run func(t *testing.T, db *state.DB)) {
	t.Run("sqlite", func(t *testing.T) { run(t, DB(t)) })
	t.Run("postgres", func(t *testing.T) {
		admin := os.Getenv("ROADCOMB_TEST_POSTGRES")
		if admin == "" {
			t.Skip("ROADCOMB_TEST_POSTGRES is not set; .ci/with-postgres starts a server")
		}
		db, err := state.Open(context.Background(), FreshPostgres(t, admin), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		run(t, db)
	})
}

// FreshPostgres makes a database on the server and gives its address; it is dropped with the test.
func FreshPostgres(t testing.TB, admin string) string {
	t.Helper()
	name := fmt.Sprintf("t_%d_%d", os.Getpid(), s3.n.Add(1))
	if err := state.CreatePostgres(context.Background(), admin, name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { state.DropPostgres(context.Background(), admin, name) })
	u, err := url.Parse(admin)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

// DB is an empty state database, closed with the test.
func DB(t testing.TB) *state.DB {
	t.Helper()
	db, err := state.Open(context.Background(), "sqlite:"+filepath.Join(t.TempDir(), "state.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// One process can run one embedded server; tests share it, each with buckets of its own.
var s3 struct {
	sync.Once
	server *embeds3.Server
	err    error
	n      atomic.Int64
}

// S3 is an empty store on the test binary's embedded server.
func S3(t testing.TB) *store.Store {
	t.Helper()
	return S3Behind(t, func(endpoint string) string { return endpoint })
}

// S3Behind is S3 through another address: front is given the server's and gives the one to use, for example of a proxy
// that loses requests.
func S3Behind(t testing.TB, front func(endpoint string) string) *store.Store {
	t.Helper()
	s3.Do(func() {
		// The folder outlives any one test, so it cannot be a TempDir; the name tells where it came from.
		dir, err := os.MkdirTemp("", "roadcomb-test-s3-")
		if err != nil {
			s3.err = err
			return
		}
		s3.server, s3.err = embeds3.Start(context.Background(), dir, "127.0.0.1:0", "test", "test-secret", embeds3.Volatile)
	})
	if s3.err != nil {
		t.Fatal(s3.err)
	}
	s, err := store.Open(context.Background(), store.Config{Endpoint: front(s3.server.Endpoint), AccessKey: "test", SecretKey: "test-secret",
		Prefix: fmt.Sprintf("t%d-", s3.n.Add(1))})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Picture, Entry and Shot are those of package synth.
type (
	Picture = synth.Picture
	Entry   = synth.Entry
	Shot    = synth.Shot
)

// JPEG renders a synthetic frame; see synth.JPEG.
func JPEG(p Picture) []byte { return synth.JPEG(p) }

// WithEXIF puts a TIFF block into a JPEG; see synth.WithEXIF.
func WithEXIF(jpg, tiff []byte) []byte { return synth.WithEXIF(jpg, tiff) }

// EXIF is the TIFF block of a picture's tags; see synth.EXIF.
func EXIF(p Picture) []byte { return synth.EXIF(p) }

// Tiff lays out a TIFF block; see synth.Tiff.
func Tiff(ifd0, exif, gps []Entry) []byte { return synth.Tiff(ifd0, exif, gps) }

// Path places shots along a line; see synth.Path.
func Path(line []geo.Point, step geo.Meters, speed geo.SpeedMPS, start time.Time) []Shot {
	return synth.Path(line, step, speed, start)
}

// Niceness of a process or thread, by its stat file (proc(5)); not ok if it has ended.
func Niceness(t testing.TB, path string) (nice int, ok bool) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	_, rest, _ := strings.Cut(string(b), ") ") // a name may hold anything
	f := strings.Fields(rest)
	if len(f) < 17 {
		t.Fatalf("%s: %s", path, b)
	}
	if nice, err = strconv.Atoi(f[16]); err != nil {
		t.Fatal(err)
	}
	return nice, true
}
