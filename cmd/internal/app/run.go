// Package app wires the stages into the roadcomb program: its verbs, settings and exit codes. Every verb is one file.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/alecthomas/kong"

	"github.com/roadcomb/roadcomb/cmd/internal/clidoc"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/telemetry"
)

// Version is set at link time, and so is Commit where the go command does not see the repository.
var Version, Commit = "unknown", ""

// Exit codes, listed in --help.
const (
	ExitOK       = 0
	ExitInternal = 1 // a fault of the program or of something it depends on
	ExitUsage    = 2 // the command line
	ExitRejected = 3 // done, and some files were rejected
	ExitInput    = 4 // no file in the input, a path that does not exist, or something that is refused
	ExitPrivacy  = 5 // privacy could not be assured, so nothing was published
	ExitStopped  = 130
)

const help = `The open mapping network: from dashcam footage to an anonymous map, datasets and payouts.

Exit codes: 0 done, all accepted; 1 internal fault or a service is away; 2 usage; 3 done, some files rejected;
4 no input, or a refusal; 5 privacy could not be assured, nothing published; 130 interrupted.

Example: roadcomb process ~/Videos/drive-1 --out out`

// cli is the whole command line. Each option can also be set in the environment, as its help says, or in the JSON file
// that --config names; a flag wins over the environment, which wins over the file.
type cli struct {
	Config kong.ConfigFlag `help:"JSON file of settings, one object per command." placeholder:"FILE"`
	Log    string          `help:"Least level logged to stderr: debug, info, warn, error." enum:"debug,info,warn,error" default:"warn" env:"ROADCOMB_LOG"`

	Up           upCmd           `cmd:"" help:"Run the whole network on this machine: store, state, workers, APIs and web map."`
	Store        storeCmd        `cmd:"" help:"Run the object store alone, for processes that share it."`
	Serve        serveCmd        `cmd:"" help:"Run the APIs and the web map against outside servers."`
	Work         workCmd         `cmd:"" help:"Run workers against outside servers."`
	Tick         tickCmd         `cmd:"" help:"Run what is due once: tiles, datasets, epochs, sweeping."`
	Process      processCmd      `cmd:"" help:"Run the whole chain once over local footage, and exit."`
	Query        queryCmd        `cmd:"" help:"Ask the datasets in SQL."`
	Datasets     datasetsCmd     `cmd:"" help:"Verify a snapshot of the datasets; the key that signs them."`
	QueryProcess queryProcessCmd `cmd:"" hidden:"" help:"Answer customers' SQL; started by the server."`
	Cells        cellsCmd        `cmd:"" help:"The state of cells."`
	Keys         keysCmd         `cmd:"" help:"Customers' API keys."`
	Contributors contributorsCmd `cmd:"" help:"Who drives: register them, give them tokens and limits."`
	Vision       visionCmd       `cmd:"" help:"Look at frames again, or take one down."`
	Tiles        tilesCmd        `cmd:"" help:"Map tiles from files."`
	Rewards      rewardsCmd      `cmd:"" help:"Check and explain published epochs."`
	Models       modelsCmd       `cmd:"" help:"Get, list and check privacy models."`
	Detect       detectCmd       `cmd:"" help:"Find faces and plates in images."`
	Eval         evalCmd         `cmd:"" help:"Measure how well privacy works."`
	Sim          simCmd          `cmd:"" name:"simulate" help:"Drive a made-up fleet through the API."`
	Doctor       doctorCmd       `cmd:"" help:"Check what roadcomb needs on this machine, and say how to mend it."`

	Operators operatorsCmd `cmd:"" help:"Who runs the network, and what they may do."`
	Archive   archiveCmd   `cmd:"" help:"Everything published, named by content: publish, export as CAR, verify, audit."`
	Audit     auditCmd     `cmd:"" help:"What operators did, and whether the log of it is whole."`
	Backup    backupCmd    `cmd:"" help:"Copy the state, the secrets and, if asked, the objects to a folder."`
	Restore   restoreCmd   `cmd:"" help:"Put a backup in an empty place, and check it."`

	Report  reportCmd  `cmd:"" help:"Draw a snapshot of the datasets on one HTML page."`
	OpenAPI openapiCmd `cmd:"" name:"openapi" help:"Print the OpenAPI document of the whole API."`
	clidoc.Verbs
	Version versionCmd `cmd:"" help:"Print version and build information."`

	Lab labCmd `cmd:"" hidden:"" help:"Work on pictures for the process that started this one; see package lab."`
}

// env is what a verb needs from outside.
type environ struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	log            *slog.Logger
}

// Run executes one command line and gives its exit code.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	var c cli
	code := -1
	k, err := kong.New(&c, kong.Name("roadcomb"), kong.Description(help), kong.Writers(stdout, stderr), kong.Vars{"version": Version},
		kong.Exit(func(n int) { code = n; panic(exited{}) }), kong.UsageOnError(),
		kong.Configuration(kong.JSON), kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		fmt.Fprintln(stderr, "roadcomb:", err)
		return ExitInternal
	}
	kctx, err := parse(k, args)
	if code >= 0 { // --help
		return code
	}
	if err != nil {
		fmt.Fprintf(stderr, "roadcomb: %v\nSee roadcomb --help.\n", err)
		return ExitUsage
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Log)); err != nil {
		level = slog.LevelWarn
	}
	e := &environ{stdin: stdin, stdout: stdout, stderr: stderr, log: slog.New(telemetry.Logs(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level})))}
	kctx.BindTo(ctx, (*context.Context)(nil))
	err = kctx.Run(e)
	var x exit
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &x):
		if x.msg != "" {
			fmt.Fprintln(stderr, "roadcomb:", x.msg)
		}
		return x.code
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "roadcomb: stopped")
		return ExitStopped
	}
	fmt.Fprintln(stderr, "roadcomb:", err)
	switch survey.KindOf(err) {
	case survey.Invalid, survey.NotFound, survey.Unsupported, survey.Unauthorized:
		return ExitInput
	}
	return ExitInternal
}

type exited struct{}

// parse turns kong's exit on --help into a normal return.
func parse(k *kong.Kong, args []string) (c *kong.Context, err error) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(exited); !ok {
				panic(r)
			}
		}
	}()
	return k.Parse(args)
}

// exit ends a verb with a code of its own.
type exit struct {
	code int
	msg  string
}

func (e exit) Error() string { return e.msg }

type versionCmd struct {
	JSON bool `help:"As JSON."`
}

func (v versionCmd) Run(e *environ) error {
	info := versions()
	if v.JSON {
		return writeJSON(e.stdout, info)
	}
	fmt.Fprintf(e.stdout, "roadcomb %s\n%s, %s/%s, revision %s\n", info.Roadcomb, info.Go, info.OS, info.Arch, info.Revision)
	return nil
}

// buildInfo is what reports and results quote.
type buildInfo struct {
	Roadcomb string            `json:"roadcomb"`
	Revision string            `json:"revision"`
	Go       string            `json:"go"`
	OS       string            `json:"os"`
	Arch     string            `json:"arch"`
	Modules  map[string]string `json:"modules,omitempty"`
}

func versions() buildInfo {
	b := buildInfo{Roadcomb: Version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, Revision: clidoc.Revision(Commit), Modules: map[string]string{}}
	if bi, ok := debug.ReadBuildInfo(); ok {
		for _, d := range bi.Deps {
			switch d.Path {
			case "gocv.io/x/gocv", "github.com/uber/h3-go/v4", "github.com/apache/arrow/go/v17", "github.com/yalue/onnxruntime_go":
				b.Modules[d.Path] = d.Version
			}
		}
	}
	return b
}

// terminal reports whether w is a terminal that a progress bar may draw on.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}
