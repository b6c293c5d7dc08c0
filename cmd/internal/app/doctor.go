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
	"github.com/roadcomb/roadcomb/pkg/store/embeds3"
	"github.com/roadcomb/roadcomb/pkg/synth"
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
	check("OpenCV", seesPictures, "install the OpenCV that the program was built with (Debian: apt-get install libopencv-dev, or the roadcomb package); when it is missing whole, no verb starts")
	check("ONNX Runtime", func() (string, error) { return infer.FindLibrary() }, "make setup, or set ROADCOMB_ONNXRUNTIME to libonnxruntime.so.1")
	check("privacy models", func() (string, error) {
		set, err := models.Open(c.Models, "")
		if err != nil {
			return "", err
		}
		return "set " + set.Name, nil
	}, "leave --models empty for the built-in set, or: roadcomb models pull DIR")
	check("a look at a picture", func() (string, error) {
		g, err := openGuard(c.Models, hideFlag{c.Hide}.classes()...)
		if g, err = realGuard(g, err, c.rehearsal.on()); err != nil {
			return "", err
		}
		defer g.close()
		return "detectors load", nil
	}, "mend the checks above first; nothing is published before")
	check("data folder", func() (string, error) { return writable(c.Home) }, "choose a folder of your own with --home, that you may write to and nobody else may read")
	check("disk", func() (string, error) {
		free, err := freeBytes(c.Home)
		if err != nil {
			return "", err
		}
		return room(free)
	}, "free some space: originals are kept until they expire")
	name := "state database"
	if c.State != "" {
		name = "PostgreSQL"
	}
	var reached bool
	check(name, func() (string, error) {
		d, err := state.Look(ctx, c.database())
		reached = err == nil
		switch {
		case err != nil:
			return "", err
		case d.Ahead > 0:
			return "", fmt.Errorf("a newer roadcomb made %d changes to its schema that this one does not know", d.Ahead)
		case d.Missing:
			return "empty; the first start makes the schema", nil
		case d.Behind > 0:
			return fmt.Sprintf("answers; the next start brings its schema up to date (%d steps)", d.Behind), nil
		}
		return "answers, schema up to date", nil
	}, map[bool]string{true: "check --state and that the server runs; after an update, every process must be the newer program",
		false: "stop roadcomb and roadcomb restore the last backup; if a newer program used this folder, use that"}[c.State != ""])
	if c.State != "" && reached {
		check("clock of PostgreSQL", func() (string, error) {
			return skew(func() (time.Time, time.Duration, error) {
				at, err := state.ClockOf(ctx, c.State.Reveal())
				return at, 0, err
			})
		}, mendClock)
	}
	if c.S3 != "" {
		check("object store", func() (string, error) {
			missing, err := store.Look(ctx, store.Config{Endpoint: c.S3, AccessKey: c.S3Key, SecretKey: c.S3Secret, Region: c.S3Region, Prefix: c.S3Prefix})
			if err == nil && len(missing) > 0 {
				return fmt.Sprintf("answers; the first start makes the buckets %v", missing), nil
			}
			return "buckets are there", err
		}, "check --s3, --s3-key and --s3-secret, and that the server runs")
		check("clock of the object store", func() (string, error) {
			return skew(func() (time.Time, time.Duration, error) { return dateOf(ctx, c.S3) })
		}, mendClock)
	} else {
		check("files of the object store", func() (string, error) {
			return "the file system holds extended attributes", embeds3.Suits(existing(c.Home))
		}, "put the data folder on ext4, XFS, Btrfs or ZFS with --home, or use an S3 server with --s3")
		check("port of the object store", func() (string, error) { return free(c.S3Listen) }, "stop what uses it, or choose another with --s3-listen; a running roadcomb up uses it too")
	}
	check("port of the APIs", func() (string, error) { return free(c.Listen) }, "stop what uses it, or choose another with --listen; a running roadcomb up uses it too")
	if c.Flight != "" {
		check("port of the datasets", func() (string, error) { return free(c.Flight) }, "stop what uses it, or choose another with --flight; a running roadcomb up uses it too")
	}
	check("clock", func() (string, error) {
		return plausible(time.Now().UTC())
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

func room(free int64) (string, error) {
	says := fmt.Sprintf("%.1f GB free", float64(free)/1e9)
	if free < leastDisk {
		return "", fmt.Errorf("%s, less than 2 GB", says)
	}
	return says, nil
}

func plausible(now time.Time) (string, error) {
	if now.Year() < 2026 { // this program is younger
		return "", fmt.Errorf("it is %s here", now.Format(time.RFC3339))
	}
	return now.Format(time.RFC3339), nil
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

// seesPictures has OpenCV decode a small picture.
func seesPictures() (string, error) {
	b := synth.JPEG(synth.Picture{W: 128, H: 96})
	im, _, err := cv.Decode(b, cv.Limits{})
	if err != nil {
		return "", fmt.Errorf("OpenCV %s cannot decode a picture: %w", cv.Version(), err)
	}
	im.Close()
	return cv.Version() + ", decodes a picture", nil
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
