// Package lockfile keeps a folder to one process at a time.
package lockfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// File is a lock that is held. It ends with the process, however that ends; the file stays and means nothing by itself.
type File struct{ f *os.File }

// Take locks path, which is made if missing (owner only), and writes the process's number into it. While another holder
// has it, in this process or another, it waits, so that a service that restarts need not be quicker than its end; after
// wait that is Conflict, and names the holder.
func Take(ctx context.Context, path string, wait time.Duration) (*File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, survey.Errorf(survey.Unavailable, "lock: %w", err).WithHint("choose a folder you may write to")
	}
	for deadline := time.Now().Add(wait); ; {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			break
		}
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			f.Close()
			return nil, survey.Errorf(survey.Unavailable, "lock %s: %w", path, err)
		}
		if !time.Now().Before(deadline) {
			pid, _ := io.ReadAll(io.LimitReader(f, 32))
			f.Close()
			return nil, survey.Errorf(survey.Conflict, "%s: process %s works in this folder", path, strings.TrimSpace(string(pid))).
				WithHint("wait for its end or stop it, or choose another folder")
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	// Who holds it is told to people; the lock does not depend on it.
	if f.Truncate(0) == nil {
		fmt.Fprintln(f, os.Getpid())
	}
	return &File{f}, nil
}

// Release ends the lock.
func (l *File) Release() { l.f.Close() }
