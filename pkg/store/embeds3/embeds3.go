// Package embeds3 runs a real S3 server (versitygw) over a folder inside this process: the default store of one machine
// and the test double of none, because it is the same server that runs apart.
//
// The gateway changes the process's working folder to its own: make paths absolute before Start.
//
// What it acknowledges, written or removed, has reached the disk and outlasts a power cut, unless it is Volatile.
package embeds3

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"

	"github.com/roadcomb/roadcomb/pkg/lockfile"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Server is a running store. One process runs at most one at a time.
type Server struct {
	Endpoint string // http://127.0.0.1:port
	cancel   context.CancelFunc
	done     chan error
	once     sync.Once
	err      error
}

// slot is taken while the gateway runs.
var slot = make(chan struct{}, 1)

// Option changes how Start serves.
type Option func(*options)

type options struct {
	volatile bool
	sync     func(path string) error
}

// Volatile leaves syncing to the operating system: for a folder that nobody needs after a power cut.
func Volatile(o *options) { o.volatile = true }

// Suits says what keeps a folder's file system from holding the store's objects, nil when nothing does.
func Suits(dir string) error { return meta.XattrMeta{}.Test(dir) }

// Start serves dir, which is made if missing (owner only), on addr ("127.0.0.1:9000"; port 0 picks a free one), with
// one account. A port in use is Conflict, and so are a second store in this process (Close the first) and a second
// process on the folder.
func Start(ctx context.Context, dir, addr, accessKey, secretKey string, opts ...Option) (*Server, error) {
	o := options{sync: syncPath}
	for _, set := range opts {
		set(&o)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, survey.Errorf(survey.Unavailable, "object folder: %w", err).WithHint("choose a folder you may write to")
	}
	// Probing first gives a clear error and resolves port 0; the gateway itself takes addresses only.
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, survey.Errorf(survey.Conflict, "object store address %s: %w", addr, err).WithHint("another program uses the port; stop it or choose another with --s3-listen")
	}
	addr = l.Addr().String()
	l.Close()

	po := posix.PosixOpts{CopyObjectThreshold: 5 << 30, Concurrency: 5000}
	po.NewDirPerm = 0o700
	folder, err := posix.New(dir, meta.XattrMeta{}, po)
	if err != nil {
		return nil, survey.Errorf(survey.Unavailable, "object folder %s: %w", dir, err).WithHint("the file system must support extended attributes")
	}
	var be backend.Backend = exact{folder}
	if !o.volatile {
		be = durable{exact{folder}, newDisk(dir, o.sync)}
	}
	// The gateway allows one instance in a process, and one that was closed with a request in flight ends a little later.
	select {
	case slot <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(15 * time.Second):
		return nil, survey.Errorf(survey.Conflict, "this process runs an object store already").WithHint("close it first")
	}
	lock, err := lockfile.Take(ctx, filepath.Join(dir, ".lock"), 5*time.Second)
	if err != nil {
		<-slot
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &Server{Endpoint: "http://" + addr, cancel: cancel, done: make(chan error, 1)}
	go func() {
		defer func() { lock.Release(); <-slot }()
		s.done <- embedgw.RunVersityGW(ctx, be, &embedgw.Config{
			RootUserAccess: accessKey, RootUserSecret: secretKey, Region: "us-east-1",
			Ports: []string{addr}, MaxConnections: 4096, MaxRequests: 4096, MultipartMaxParts: 10000,
			CORSAllowOrigin: "*", KeepAlive: true, Quiet: true, HealthPath: "/_health",
			// Readers of the wrong method or key learn nothing: there are no ACLs and no anonymous access.
			DisableACLs: true,
			IAMService:  auth.NewIAMServiceSingle(auth.Account{Access: accessKey, Secret: secretKey, Role: auth.RoleAdmin}),
		})
	}()
	c := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		select {
		case err := <-s.done:
			cancel()
			return nil, fmt.Errorf("object store stopped: %w", err)
		default:
		}
		if r, err := c.Get(s.Endpoint + "/_health"); err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return s, nil
			}
		}
		if time.Now().After(deadline) {
			s.Close()
			return nil, survey.Errorf(survey.Unavailable, "object store did not answer on %s", s.Endpoint)
		}
	}
}

// Close stops taking requests and waits, two seconds at most, for those in flight. Idle connections that clients keep
// open would hold the gateway for its own ten; an object is whole or absent whenever it ends.
func (s *Server) Close() error {
	s.once.Do(func() {
		s.cancel()
		select {
		case err := <-s.done:
			if !errors.Is(err, context.Canceled) {
				s.err = err
			}
		case <-time.After(2 * time.Second):
		}
	})
	return s.err
}
