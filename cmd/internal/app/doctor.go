package app

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/vision/cv"
	"github.com/roadcomb/roadcomb/vision/infer"
	"github.com/roadcomb/roadcomb/vision/models"
)

type doctorCmd struct {
	settings
	Listen string `help:"Where the APIs would listen." default:"127.0.0.1:8080" env:"ROADCOMB_LISTEN" placeholder:"ADDR"`
	Flight string `help:"Where the datasets would be served over Arrow Flight SQL." default:"127.0.0.1:31337" env:"ROADCOMB_FLIGHT" placeholder:"ADDR"`
	JSON   bool   `help:"As JSON."`
}

func (doctorCmd) Help() string {
	return "Checks what roadcomb needs on this machine and says how to mend what is wrong. Changes nothing. Exit code 1 when a check fails."
}

// finding is one check's outcome.
type finding struct {
	Check string `json:"check"`
	OK    bool   `json:"ok"`
	Says  string `json:"says"`           // what was found
	Mend  string `json:"mend,omitempty"` // what to do
}

// leastDisk is the free space under which a platform that takes uploads is about to stop.
const leastDisk = 2 << 30

func (c *doctorCmd) Run(ctx context.Context, e *environ) error {
	var fs []finding
	check := func(name string, f func() (string, error), mend string) {
		says, err := f()
		x := finding{Check: name, OK: err == nil, Says: says}
		if err != nil {
			x.Says, x.Mend = err.Error(), mend
		}
		fs = append(fs, x)
	}
	check("OpenCV", func() (string, error) { return cv.Version(), nil }, "")
	check("ONNX Runtime", func() (string, error) { return infer.FindLibrary() }, "make setup, or set ROADCOMB_ONNXRUNTIME to libonnxruntime.so.1")
	check("privacy models", func() (string, error) {
		set, err := models.Open(c.Models, "")
		if err != nil {
			return "", err
		}
		return "set " + set.Name, nil
	}, "leave --models empty for the built-in set, or: roadcomb models pull DIR")
	check("a look at a picture", func() (string, error) {
		g, err := openGuard(c.Models)
		if err != nil {
			return "", err
		}
		defer g.close()
		return "detectors load", nil
	}, "mend the two checks above first")
	check("data folder", func() (string, error) { return writable(c.Home) }, "choose a folder of your own with --home, that you may write to and nobody else may read")
	check("disk", func() (string, error) {
		free, err := freeBytes(c.Home)
		says := fmt.Sprintf("%.1f GB free", float64(free)/1e9)
		if err == nil && free < leastDisk {
			return says, fmt.Errorf("%s, less than 2 GB", says)
		}
		return says, err
	}, "free some space: originals are kept until they expire")
	if c.State != "" {
		var db *state.DB
		check("PostgreSQL", func() (_ string, err error) {
			db, err = state.Open(ctx, c.State.Reveal(), e.log)
			return "connected, schema up to date", err
		}, "check --state and that the server runs")
		if db != nil {
			defer db.Close()
			check("clock of PostgreSQL", func() (string, error) {
				return skew(func() (time.Time, time.Duration, error) {
					var us int64
					err := db.QueryRow(ctx, `SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)`).Scan(&us)
					return state.Time(us), 0, err
				})
			}, mendClock)
		}
	}
	if c.S3 != "" {
		check("object store", func() (string, error) {
			s, err := store.Open(ctx, store.Config{Endpoint: c.S3, AccessKey: c.S3Key, SecretKey: c.S3Secret, Region: c.S3Region, Prefix: c.S3Prefix})
			if err != nil {
				return "", err
			}
			s.Close()
			return "buckets are there", nil
		}, "check --s3, --s3-key and --s3-secret")
		check("clock of the object store", func() (string, error) {
			return skew(func() (time.Time, time.Duration, error) { return dateOf(ctx, c.S3) })
		}, mendClock)
	} else {
		check("port of the object store", func() (string, error) { return free(c.S3Listen) }, "stop what uses it, or choose another with --s3-listen; a running roadcomb up uses it too")
	}
	check("port of the APIs", func() (string, error) { return free(c.Listen) }, "stop what uses it, or choose another with --listen; a running roadcomb up uses it too")
	if c.Flight != "" {
		check("port of the datasets", func() (string, error) { return free(c.Flight) }, "stop what uses it, or choose another with --flight; a running roadcomb up uses it too")
	}
	check("clock", func() (string, error) {
		now := time.Now().UTC()
		if now.Year() < 2024 {
			return "", fmt.Errorf("it is %s here", now.Format(time.RFC3339))
		}
		return now.Format(time.RFC3339), nil
	}, "set the clock: capture times after it are refused, and presigned addresses expire by it")

	bad := 0
	for _, f := range fs {
		if !f.OK {
			bad++
		}
	}
	if c.JSON {
		if err := writeJSON(e.stdout, fs); err != nil {
			return err
		}
	} else {
		for _, f := range fs {
			word := "ok  "
			if !f.OK {
				word = "FAIL"
			}
			fmt.Fprintf(e.stdout, "%s %s: %s\n", word, f.Check, f.Says)
			if f.Mend != "" {
				fmt.Fprintf(e.stdout, "     %s\n", f.Mend)
			}
		}
	}
	if bad > 0 {
		return exit{ExitInternal, fmt.Sprintf("%d of %d checks failed", bad, len(fs))}
	}
	return nil
}

// mostSkew is how far two machines' clocks may be apart. Object stores refuse signatures 15 minutes off, and a worker counts
// as dead after half a minute of the database's time; a minute shows that nobody sets one of the clocks.
const mostSkew = time.Minute

const mendClock = "set both clocks by NTP: signatures expire and workers are missed by them"

// skew asks another machine for its time, known to within a precision, and says how far it is from ours.
func skew(ask func() (at time.Time, precision time.Duration, err error)) (string, error) {
	before := time.Now()
	at, precision, err := ask()
	if err != nil {
		return "", err
	}
	after := time.Now()
	var off time.Duration // what cannot be explained by the way there and back
	switch {
	case at.After(after):
		off = at.Sub(after)
	case at.Add(precision).Before(before):
		off = at.Add(precision).Sub(before)
	}
	if off.Abs() > mostSkew {
		word := "ahead of"
		if off < 0 {
			word = "behind"
		}
		return "", fmt.Errorf("%s %s this machine's", off.Abs().Round(time.Second), word)
	}
	return fmt.Sprintf("agrees with this machine's to %s", max(off.Abs(), after.Sub(before), precision).Round(time.Millisecond)), nil
}

// dateOf is what a server's clock says in the Date of whatever it answers.
func dateOf(ctx context.Context, address string) (time.Time, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, address, nil)
	if err != nil {
		return time.Time{}, 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return time.Time{}, 0, err
	}
	resp.Body.Close()
	at, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return time.Time{}, 0, fmt.Errorf("it does not tell the time: %w", err)
	}
	return at, time.Second, nil
}

// writable tries the folder, or the nearest one above that exists, without leaving anything behind.
func writable(dir string) (string, error) {
	at := existing(dir)
	f, err := os.CreateTemp(at, ".roadcomb-doctor-*")
	if err != nil {
		return "", err
	}
	f.Close()
	if err := os.Remove(f.Name()); err != nil {
		return "", err
	}
	// Where there is a network already, its secrets, originals and drivers' homes are in the folder.
	if _, err := os.Stat(filepath.Join(dir, "secrets.json")); err == nil && runtime.GOOS != "windows" {
		if st, err := os.Stat(dir); err == nil && st.Mode().Perm()&0o077 != 0 {
			return "", fmt.Errorf("%s can be read by others on this machine (mode %o): chmod 700 %[1]s", dir, st.Mode().Perm())
		}
	}
	return dir, nil
}

func existing(dir string) string {
	for {
		if st, err := os.Stat(dir); err == nil && st.IsDir() {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			return dir
		}
		dir = up
	}
}

func freeBytes(dir string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(existing(dir), &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}

func free(addr string) (string, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", err
	}
	return addr + " is free", l.Close()
}
