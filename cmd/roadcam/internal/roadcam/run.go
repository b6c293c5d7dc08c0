// Package roadcam is the driver's command line over ingest/upload. It needs no cgo and builds for every platform.
package roadcam

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/roadcomb/roadcomb/cmd/internal/clidoc"
	"github.com/roadcomb/roadcomb/ingest/upload"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Version is set at link time, and so is Commit where the go command does not see the repository.
var Version, Commit = "unknown", ""

// Exit codes, listed in --help.
const (
	ExitOK       = 0
	ExitInternal = 1   // a fault of the program or the server
	ExitUsage    = 2   // the command line, the token, or a path that does not exist
	ExitRejected = 3   // done, and some files were rejected
	ExitInput    = 4   // nothing usable in the input
	ExitHeld     = 5   // done, and frames are held back because privacy could not be assured
	ExitLater    = 6   // the server is away or full; the same command continues later
	ExitStopped  = 130 // interrupted; the same command continues
)

const help = `Send dashcam footage to a roadcomb network. Kill it at any moment and run it again: it continues.

Exit codes: 0 done, all accepted; 1 internal fault; 2 usage, token or missing path; 3 done, some files rejected;
4 nothing usable; 5 done, frames held back for privacy; 6 server away or full, try again later; 130 interrupted.

Example: roadcam upload ~/Videos/drive-1 --server https://map.example.org`

type cli struct {
	Server    string        `help:"Address of the network." env:"ROADCAM_SERVER" default:"http://127.0.0.1:8080" placeholder:"URL"`
	Token     survey.Secret `help:"Your token. Better in the environment or a file: others on this machine can see flags." env:"ROADCAM_TOKEN" placeholder:"TOKEN"`
	TokenFile string        `help:"File that holds your token." env:"ROADCAM_TOKEN_FILE" type:"path" placeholder:"FILE"`
	JSON      bool          `help:"Print the result as JSON."`
	Key       string        `help:"File of this device's key; uploads are signed if it exists." env:"ROADCAM_KEY" placeholder:"FILE"`

	Upload uploadCmd `cmd:"" help:"Send files and folders, and wait for the verdict on each file."`
	Device deviceCmd `cmd:"" help:"Make this device's key, if there is none, and register it: signed uploads earn more trust."`
	Status statusCmd `cmd:"" help:"List your uploads and where they stand."`

	clidoc.Verbs
	Version versionCmd `cmd:"" help:"Print version and build information."`
}

// environ is what a verb needs from outside.
type environ struct {
	ctx            context.Context
	c              *cli
	stdout, stderr io.Writer
}

// exit is an error that carries its exit code; an empty text prints nothing.
type exit struct {
	code int
	text string
}

func (e exit) Error() string { return e.text }

type exited struct{}

// Run executes one command line and gives its exit code.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var c cli
	code := -1
	k, err := kong.New(&c, kong.Name("roadcam"), kong.Description(help), kong.Writers(stdout, stderr), kong.Vars{"version": Version},
		kong.Exit(func(n int) { code = n; panic(exited{}) }), kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		fmt.Fprintln(stderr, "roadcam:", err)
		return ExitInternal
	}
	kctx, err := parse(k, args)
	if code >= 0 { // --help
		return code
	}
	if err != nil {
		fmt.Fprintf(stderr, "roadcam: %v (see roadcam --help)\n", err)
		return ExitUsage
	}
	err = kctx.Run(environ{ctx, &c, stdout, stderr})
	if err == nil {
		return ExitOK
	}
	var e exit
	if !errors.As(err, &e) {
		e = exit{codeOf(ctx, err), err.Error()}
	}
	if e.text != "" {
		fmt.Fprintln(stderr, "roadcam:", e.text)
	}
	return e.code
}

func parse(k *kong.Kong, args []string) (kctx *kong.Context, err error) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(exited); !ok {
				panic(r)
			}
		}
	}()
	return k.Parse(args)
}

func codeOf(ctx context.Context, err error) int {
	if ctx.Err() != nil {
		return ExitStopped
	}
	switch survey.KindOf(err) {
	case survey.Invalid, survey.NotFound, survey.Unauthorized, survey.Unsupported:
		return ExitUsage
	case survey.Unavailable, survey.Busy:
		return ExitLater
	}
	return ExitInternal
}

func (e environ) client() (*upload.Client, error) {
	tok := e.c.Token.Reveal()
	if tok == "" && e.c.TokenFile != "" {
		b, err := os.ReadFile(e.c.TokenFile)
		if err != nil {
			return nil, survey.Errorf(survey.Invalid, "token file: %w", err)
		}
		tok = strings.TrimSpace(string(b))
	}
	if tok == "" {
		return nil, survey.Errorf(survey.Unauthorized, "there is no token").WithHint("set ROADCAM_TOKEN or --token-file; the operator gives you one")
	}
	return &upload.Client{BaseURL: e.c.Server, Token: tok}, nil
}

// keyFile is where the device's key lies.
func (e environ) keyFile() (string, error) {
	if e.c.Key != "" {
		return filepath.Abs(e.c.Key)
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", survey.Errorf(survey.Invalid, "there is no folder for the device's key: %w", err).WithHint("give --key FILE")
	}
	return filepath.Join(dir, "roadcomb", "device.pem"), nil
}

type deviceCmd struct {
	Name string `help:"How you call this device; the machine's name if left out." placeholder:"NAME"`
}

func (d *deviceCmd) Run(e environ) error {
	c, err := e.client()
	if err != nil {
		return err
	}
	file, err := e.keyFile()
	if err != nil {
		return err
	}
	k, err := upload.LoadKey(file)
	if survey.KindOf(err) == survey.NotFound {
		k, err = upload.CreateKey(file)
	}
	if err != nil {
		return err
	}
	if d.Name == "" {
		if d.Name, err = os.Hostname(); err != nil {
			return err
		}
	}
	if err := c.RegisterKey(e.ctx, k, d.Name); err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "uploads are signed with %s\n", file)
	return nil
}

// defaultCache is where hashes are remembered; "" where the platform has no such folder.
func defaultCache() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "roadcomb", "hashes.jsonl")
}

func (e environ) json(v any) error {
	enc := json.NewEncoder(e.stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

type versionCmd struct{}

func (versionCmd) Run(e environ) error {
	v := struct {
		Version  string `json:"version"`
		Commit   string `json:"commit"`
		Go       string `json:"go"`
		Platform string `json:"platform"`
	}{Version: Version, Commit: clidoc.Revision(Commit), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if e.c.JSON {
		return e.json(v)
	}
	fmt.Fprintf(e.stdout, "roadcam %s %s %s %s\n", v.Version, v.Commit, v.Go, v.Platform)
	return nil
}
