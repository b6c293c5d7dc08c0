package roadcam

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/roadcomb/roadcomb/ingest/upload"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

type uploadCmd struct {
	Paths       []string      `arg:"" name:"path" help:"Files and folders." type:"path"`
	Device      string        `help:"What recorded it, for example \"GoPro 11\"; only a pseudonym is kept." placeholder:"NAME"`
	ClockOffset time.Duration `help:"Added to the camera's times, for example -2h1m32s." placeholder:"DURATION"`
	AssumeSpeed float64       `help:"Metres per second between frames that have no times." placeholder:"MPS"`
	CapturedAt  time.Time     `help:"When frames without any time were taken (RFC 3339)." placeholder:"TIME"`
	Trim        float64       `help:"Metres cut from both ends of a drive; the network's default if left out." placeholder:"METRES"`
	Parallel    int           `help:"Transfers at a time." default:"4"`
	Cache       string        `help:"File that remembers hashes; \"none\" for none." env:"ROADCAM_CACHE" placeholder:"FILE"`
	NoWait      bool          `help:"Return when everything has arrived, without waiting for verdicts."`
	Patience    time.Duration `help:"How long the server may stay away before giving up." default:"5m"`
	Quiet       bool          `help:"No progress bar." short:"q"`
}

func (u *uploadCmd) Run(e environ) error {
	c, err := e.client()
	if err != nil {
		return err
	}
	if u.Parallel < 1 || u.Parallel > 64 {
		return exit{ExitUsage, fmt.Sprintf("--parallel %d is not within 1 to 64", u.Parallel)}
	}
	c.Parallel, c.NoWait, c.Patience = u.Parallel, u.NoWait, u.Patience
	switch c.Cache = u.Cache; c.Cache {
	case "":
		c.Cache = defaultCache()
	case "none":
		c.Cache = ""
	}
	file, err := e.keyFile()
	if err == nil {
		c.Key, err = upload.LoadKey(file)
	}
	if err != nil && (e.c.Key != "" || survey.KindOf(err) != survey.NotFound) {
		return err
	}
	opts := survey.UploadOptions{Device: u.Device, ClockOffset: u.ClockOffset, AssumeSpeed: u.AssumeSpeed, CapturedAt: u.CapturedAt.UTC(),
		TrimMeters: u.Trim, Client: "roadcam " + Version}
	w := &watch{w: e.stderr, show: !u.Quiet && terminal(e.stderr)}
	res, err := c.Upload(e.ctx, u.Paths, opts, w.progress)
	w.done()
	if err != nil {
		if e.ctx.Err() != nil {
			return exit{ExitStopped, "interrupted; run the same command to continue"}
		}
		return err
	}
	if e.c.JSON {
		if err := e.json(res); err != nil {
			return err
		}
	} else {
		table(e.stdout, res)
	}
	return verdict(res)
}

// verdict turns the outcome into the exit code.
func verdict(res upload.Result) error {
	var accepted, held, rejected, waiting int
	for _, f := range res.Files {
		switch {
		case f.Verdict == "accepted":
			accepted++
		case f.Verdict == "waiting":
			waiting++
		case f.Reason.Quarantined():
			held++
		default:
			rejected++
		}
	}
	rejected += len(res.Unreadable)
	switch {
	case len(res.Files) == 0:
		return exit{ExitInput, "nothing to send"}
	case waiting > 0 && rejected == 0:
		return nil
	case held > 0:
		return exit{ExitHeld, ""}
	case accepted+waiting == 0:
		return exit{ExitInput, "no file could be used; the list above says why"}
	case rejected > 0:
		return exit{ExitRejected, ""}
	}
	return nil
}

// shown is how many rejected files are listed one by one.
const shown = 20

func table(w io.Writer, res upload.Result) {
	type line struct {
		path    string
		reason  survey.Reason
		message string
	}
	var bad []line
	for _, u := range res.Unreadable {
		bad = append(bad, line{u.Path, u.Reason, u.Message})
	}
	accepted, waiting := 0, 0
	for _, f := range res.Files {
		switch f.Verdict {
		case "accepted":
			accepted++
		case "waiting":
			waiting++
		default:
			bad = append(bad, line{f.Path, f.Reason, f.Message})
		}
	}
	slices.SortFunc(bad, func(a, b line) int { return cmp.Compare(a.path, b.path) })
	if res.ID != "" {
		fmt.Fprintf(w, "upload   %s %s\n", res.ID, res.State)
	}
	fmt.Fprintf(w, "files    %d: %d accepted, %d rejected", len(res.Files)+len(res.Unreadable), accepted, len(bad))
	if waiting > 0 {
		fmt.Fprintf(w, ", %d waiting", waiting)
	}
	fmt.Fprintf(w, "; %s sent\n", size(res.Sent))
	for _, d := range res.Drives {
		fmt.Fprintf(w, "drive    %s %s, %.1f km, %d frames, %d on the map in %d cells\n", d.ID, d.StartedAt.Format(time.DateTime), d.Distance/1000, d.Frames.Total, d.Frames.Published, d.Frames.Cells)
	}
	if len(bad) == 0 {
		return
	}
	count := map[survey.Reason]int{}
	for _, b := range bad {
		count[b.reason]++
	}
	for _, r := range slices.Sorted(maps.Keys(count)) {
		fmt.Fprintf(w, "rejected %d × %s: %s\n", count[r], r, r.Text())
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i, b := range bad {
		if i == shown {
			fmt.Fprintf(t, "  and %d more; --json lists all\n", len(bad)-i)
			break
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\n", plain(b.path), b.reason, plain(b.message))
	}
	t.Flush()
}

// plain keeps control characters of a file's name from the terminal.
func plain(s string) string {
	q := fmt.Sprintf("%q", s)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}

func size(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	f, i := float64(n), 0
	for ; f >= 1024 && i < len(units)-1; i++ {
		f /= 1024
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", f, units[i])
}

// watch draws one bar per stage on a terminal, with rate and time left, and is silent elsewhere.
type watch struct {
	w     io.Writer
	show  bool
	bar   *progressbar.ProgressBar
	stage upload.Stage
	note  string
}

func (w *watch) progress(p upload.Progress) {
	if !w.show {
		return
	}
	if w.bar == nil || w.stage != p.Stage {
		w.done()
		w.stage = p.Stage
		opts := []progressbar.Option{progressbar.OptionSetWriter(w.w), progressbar.OptionSetDescription(fmt.Sprintf("%-8s", p.Stage)),
			progressbar.OptionThrottle(100 * time.Millisecond), progressbar.OptionSetWidth(30), progressbar.OptionSetPredictTime(true), progressbar.OptionShowCount()}
		if p.Stage == upload.StageProcess {
			opts = append(opts, progressbar.OptionShowIts(), progressbar.OptionSetItsString("files"))
		} else {
			opts = append(opts, progressbar.OptionShowBytes(true), progressbar.OptionUseIECUnits(true))
		}
		w.bar = progressbar.NewOptions64(max(p.Total, 1), opts...)
	}
	if p.Note != w.note {
		w.note = p.Note
		d := fmt.Sprintf("%-8s", p.Stage)
		if p.Note != "" {
			d += " (" + plain(p.Note) + ")"
		}
		w.bar.Describe(d)
	}
	_ = w.bar.Set64(min(p.Done, max(p.Total, 1))) // a terminal that went away is no reason to stop
}

func (w *watch) done() {
	if w.bar != nil {
		_ = w.bar.Exit()
		fmt.Fprintln(w.w)
		w.bar = nil
	}
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}
