// Package epoch measures the close of an epoch and its verification at any size: from the rows as state gives them to the
// manifest, and from the published files back to it (Run); and the close where it runs, with database and store (RunSQL).
package epoch

import (
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards"
	"github.com/roadcomb/roadcomb/rewards/merkle"
	"github.com/roadcomb/roadcomb/rewards/record"
	"github.com/roadcomb/roadcomb/rewards/ruleset"
)

// Config sizes the epoch. The zero value is 10^5 observations in 10^4 cells by 10^3 accounts.
type Config struct {
	Observations, Cells, Accounts int
	// Dir, when set, is where the files are written and verified from; otherwise they stay in memory.
	Dir string
}

// Result says what each half took.
type Result struct {
	Config
	Lines, Files         int
	Bytes                int64
	Close, Verify        time.Duration // wall
	CloseCPU, VerifyCPU  time.Duration // user and system
	PeakClose, PeakBytes int64         // resident memory at its highest, after the close and after all
	Root                 string
}

// Run closes a made-up epoch and verifies it: drives of 30 passes, three frames in a cell, three drives for an account,
// every third cell seen before, one drive in a hundred held.
func Run(c Config) (Result, error) {
	def := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	def(&c.Observations, 1e5)
	def(&c.Cells, max(1, c.Observations/10))
	def(&c.Accounts, max(1, c.Observations/100))
	r := Result{Config: c}
	in, err := c.inputs()
	if err != nil {
		return r, err
	}
	runtime.GC()
	start, cpu := time.Now(), cpuTime()
	if err := in.Derive(); err != nil {
		return r, err
	}
	in.Sort()
	files := record.Files{}
	for _, n := range record.InputNames() {
		if files[n], err = in.EncodeInput(n); err != nil {
			return r, err
		}
	}
	out, err := in.Compute()
	if err != nil {
		return r, err
	}
	outputs, err := out.OutputFiles()
	if err != nil {
		return r, err
	}
	m := record.NewManifest(in, out, survey.Hash{}, files, outputs)
	text, err := m.Encode()
	if err != nil {
		return r, err
	}
	r.Close, r.CloseCPU, r.Lines, r.Root = time.Since(start), cpuTime()-cpu, len(out.Lines), m.Root
	for n, b := range outputs {
		files[n] = b
	}
	files[record.ManifestName] = text
	in, out, outputs = record.Inputs{}, record.Outcome{}, nil
	r.PeakClose = peak()
	for n, b := range files {
		r.Files++
		r.Bytes += int64(len(b))
		if c.Dir != "" {
			if err := os.WriteFile(c.Dir+"/"+n, b, 0o600); err != nil {
				return r, err
			}
		}
	}
	var dir fs.FS = memory(files)
	if c.Dir != "" {
		files, dir = nil, os.DirFS(c.Dir)
	}
	runtime.GC()
	start, cpu = time.Now(), cpuTime()
	report, err := record.Verify(dir, nil)
	if err != nil {
		return r, err
	}
	r.Verify, r.VerifyCPU = time.Since(start), cpuTime()-cpu
	if !report.OK() || report.Root != m.Root {
		return r, fmt.Errorf("the epoch does not verify: %v", report.Differences)
	}
	r.PeakBytes = peak()
	return r, nil
}

func (c Config) inputs() (record.Inputs, error) {
	e := survey.EpochOf(time.Date(2027, 6, 7, 0, 0, 0, 0, time.UTC))
	_, rules, err := ruleset.For(e)
	if err != nil {
		return record.Inputs{}, err
	}
	in := record.Inputs{Epoch: e, Ruleset: rules}
	in.Contributions.Grow(c.Observations)
	rnd := rand.New(rand.NewPCG(1, 2))
	const first survey.Cell = 0x8c1f05871d3abff
	cell := func(i int) survey.Cell { return first&^(1<<36-1<<9) + survey.Cell(i)<<9 }
	drives := max(1, c.Observations/90)
	id := func(n int) string { return survey.HashOf(fmt.Append(nil, "drive", n)).String()[:32] }
	account := func(n int) string { return survey.HashOf(fmt.Append(nil, "account", n)).String()[:32] }
	for d := range drives {
		x := rewards.Drive{ID: survey.DriveID(id(d)), Contributor: survey.ContributorID(account(d % c.Accounts)), Vouchers: []rewards.Finding{{Kind: rewards.KindEnrolled, Score: survey.One}}}
		if d%100 == 99 {
			x.Findings = []rewards.Finding{{Kind: "two_places", Score: survey.One}}
		}
		in.Drives = append(in.Drives, x)
	}
	at, where := time.Time{}, 0
	for i := range c.Observations {
		if i%90 == 0 {
			at, where = e.Start().Add(time.Duration(rnd.Int64N(int64(6*24*time.Hour)))), rnd.IntN(c.Cells)
		}
		if i%3 == 0 {
			where = (where + 1) % c.Cells
		}
		at = at.Add(time.Second).Truncate(time.Microsecond)
		if err := in.Contributions.Add(record.Contribution{Frame: string(survey.NewFrameID(survey.HashOf(fmt.Append(nil, "frame", i)))), Drive: id(min(i/90, drives-1)),
			Cell: cell(where), CapturedAt: at, ReceivedAt: at.Add(time.Hour), Heading: int32(rnd.IntN(360)), Quality: int32(300_000 + rnd.IntN(700_000))}); err != nil {
			return in, err
		}
	}
	for i := 0; i < c.Cells; i += 3 {
		in.Prior = append(in.Prior, rewards.Prior{Cell: cell(i), ReceivedAt: e.Start().Add(-time.Duration(i%14) * 24 * time.Hour).UnixMicro()})
		if i%30 == 0 {
			in.Spend = append(in.Spend, rewards.Spend{Cell: cell(i), Amount: 7_500_000})
		}
	}
	for n := range min(c.Accounts, drives) {
		a := record.Account{Contributor: survey.ContributorID(account(n)), Before: 1000, Current: true}
		if n%2 == 0 {
			a.Address = address(account(n))
		}
		in.Accounts = append(in.Accounts, a)
	}
	return in, nil
}

// memory is the files of an epoch as a folder.
type memory record.Files

func (m memory) ReadFile(name string) ([]byte, error) {
	if b, ok := m[name]; ok {
		return b, nil
	}
	return nil, fs.ErrNotExist
}

func (m memory) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peak is the highest resident memory of the process so far, in bytes; 0 where the system does not say.
func peak() int64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for l := range strings.Lines(string(b)) {
		var kb int64
		if _, err := fmt.Sscanf(l, "VmHWM: %d kB", &kb); err == nil {
			return kb << 10
		}
	}
	return 0
}

// Report writes the result for people.
func (r Result) Report(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%d observations, %d cells, %d accounts: %d lines, %d files of %.1f MB, root %s\nclose  %6.1f s wall, %6.1f s processor, peak %.2f GB\nverify %6.1f s wall, %6.1f s processor, peak %.2f GB\n",
		r.Observations, r.Cells, r.Accounts, r.Lines, r.Files, float64(r.Bytes)/1e6, r.Root, r.Close.Seconds(), r.CloseCPU.Seconds(), float64(r.PeakClose)/1e9, r.Verify.Seconds(), r.VerifyCPU.Seconds(), float64(r.PeakBytes)/1e9)
	return err
}

func address(of string) merkle.Address {
	h := merkle.Keccak256([]byte(of))
	return merkle.Address(h[12:])
}
