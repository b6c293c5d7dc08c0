// Package registrar is the roadcomb-iceberg program.
package registrar

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/alecthomas/kong"

	"github.com/roadcomb/roadcomb/cmd/internal/clidoc"
	"github.com/roadcomb/roadcomb/datasets/iceberg"
	"github.com/roadcomb/roadcomb/datasets/snapshot"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Version is set at link time, and so is Commit where the go command does not see the repository.
var Version, Commit = "unknown", ""

// Exit codes, as roadcomb has them.
const (
	ExitOK       = 0
	ExitInternal = 1
	ExitUsage    = 2
	ExitInput    = 4
	ExitStopped  = 130
)

const help = `Register a network's datasets as Apache Iceberg tables.

One table for each dataset, in DATASET/metadata beside its rows. The files stay where they are; nothing is copied. Each run
makes the tables those of the current snapshot.

Exit codes: 0 done; 1 internal fault or the store is away; 2 usage; 4 nothing was exported yet, or an object is damaged;
130 interrupted.

Example: roadcomb-iceberg --data out/datasets`

type cli struct {
	Data     string        `help:"Folder with snapshot.json, as roadcomb process writes it (DIR/datasets); empty for the lake bucket." type:"existingdir" placeholder:"DIR"`
	S3       string        `name:"s3" help:"Object store: http(s)://host:port of any S3 server." default:"http://127.0.0.1:9000" env:"ROADCOMB_S3" placeholder:"URL"`
	S3Key    string        `name:"s3-key" help:"Access key of the object store; empty for the one in --home." env:"ROADCOMB_S3_KEY" placeholder:"KEY"`
	S3Secret survey.Secret `name:"s3-secret" help:"Secret key of the object store." env:"ROADCOMB_S3_SECRET" placeholder:"SECRET"`
	S3Region string        `name:"s3-region" help:"Region of the object store." default:"us-east-1" env:"ROADCOMB_S3_REGION"`
	S3Prefix string        `name:"s3-prefix" help:"Put before bucket names." env:"ROADCOMB_S3_PREFIX"`
	Home     string        `help:"Data folder of the network, whose secrets.json has the keys of the embedded store." default:"data" env:"ROADCOMB_HOME" type:"path" placeholder:"DIR"`
	Every    time.Duration `help:"Look for a new snapshot this often, and go on until stopped; 0 means once." env:"ROADCOMB_ICEBERG_EVERY"`
	Key      string        `help:"Ed25519 key (base64) that snapshots must be signed with, as roadcomb datasets key prints it." env:"ROADCOMB_ICEBERG_KEY" placeholder:"KEY"`

	Sync syncCmd `cmd:"" default:"1" help:"Make the tables those of the current snapshot; what it does without a command."`
	clidoc.Verbs
	Version versionCmd `cmd:"" help:"Print version and build information."`
}

// environ is what a verb needs from outside.
type environ struct {
	ctx    context.Context
	c      *cli
	stdout io.Writer
	log    *slog.Logger
}

type syncCmd struct{}

func (syncCmd) Run(e environ) error { return e.c.run(e.ctx, e.stdout, e.log) }

type versionCmd struct{}

func (versionCmd) Run(e environ) error {
	_, err := fmt.Fprintf(e.stdout, "roadcomb-iceberg %s\n%s, %s/%s, revision %s\n", Version, runtime.Version(), runtime.GOOS, runtime.GOARCH, clidoc.Revision(Commit))
	return err
}

type exited struct{}

// Run executes one command line and gives its exit code.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) (code int) {
	var c cli
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(exited); !ok {
				panic(r)
			}
		}
	}()
	var kctx *kong.Context
	k, err := kong.New(&c, kong.Name("roadcomb-iceberg"), kong.Description(help), kong.Writers(stdout, stderr), kong.Vars{"version": Version},
		kong.Exit(func(n int) { code = n; panic(exited{}) }), kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err == nil {
		kctx, err = k.Parse(args)
	}
	if err != nil {
		fmt.Fprintf(stderr, "roadcomb-iceberg: %v\nSee roadcomb-iceberg --help.\n", err)
		return ExitUsage
	}
	err = kctx.Run(environ{ctx, &c, stdout, slog.New(slog.NewTextHandler(stderr, nil))})
	switch {
	case err == nil:
		return ExitOK
	case ctx.Err() != nil:
		return ExitStopped
	}
	fmt.Fprintln(stderr, "roadcomb-iceberg:", err)
	switch survey.KindOf(err) {
	case survey.Invalid, survey.NotFound, survey.Unsupported, survey.Unauthorized:
		return ExitInput
	}
	return ExitInternal
}

// current reads the snapshot that is to be registered, with its bytes and signature.
type current func(context.Context) (snap snapshot.Snapshot, manifest, signature []byte, err error)

func (c *cli) run(ctx context.Context, stdout io.Writer, log *slog.Logger) error {
	var want ed25519.PublicKey
	if c.Key != "" {
		b, err := base64.StdEncoding.DecodeString(c.Key)
		if err != nil || len(b) != ed25519.PublicKeySize {
			return survey.Errorf(survey.Invalid, "--key is not an Ed25519 key in base64")
		}
		want = b
	}
	lake, current, err := c.open(ctx)
	if err != nil {
		return err
	}
	tables := &iceberg.Tables{Lake: lake, Log: log}
	sync := func() error {
		snap, manifest, signature, err := current(ctx)
		if err != nil {
			return err
		}
		if want != nil {
			if _, err := snapshot.Verify(manifest, signature, want); err != nil {
				return err
			}
		}
		changes, err := tables.Sync(ctx, snap, manifest)
		e := json.NewEncoder(stdout)
		for _, ch := range changes {
			if c.Every > 0 && ch.Added+ch.Removed == 0 {
				continue
			}
			if werr := e.Encode(ch); werr != nil {
				return errors.Join(err, werr)
			}
		}
		return err
	}
	if c.Every <= 0 {
		return sync()
	}
	last := ""
	for {
		switch err := sync(); {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			last = ""
		case err.Error() != last: // once, until it succeeds or fails otherwise
			last = err.Error()
			log.Error("the tables are not up to date", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(c.Every):
		}
	}
}

func (c *cli) open(ctx context.Context) (iceberg.Lake, current, error) {
	if c.Data != "" {
		dir, err := filepath.Abs(c.Data)
		if err != nil {
			return nil, nil, err
		}
		return iceberg.Folder{Dir: dir}, func(context.Context) (s snapshot.Snapshot, manifest, signature []byte, err error) {
			return snapshot.Load(dir)
		}, nil
	}
	key, secret := c.S3Key, c.S3Secret
	if key == "" {
		var s struct {
			Key    string        `json:"s3_key"`
			Secret survey.Secret `json:"s3_secret"`
		}
		path := filepath.Join(c.Home, "secrets.json")
		b, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(b, &s)
		}
		if err != nil {
			return nil, nil, survey.Errorf(survey.NotFound, "keys of the object store: %w", err).WithHint("set ROADCOMB_S3_KEY and ROADCOMB_S3_SECRET, or --home to the data folder of roadcomb up")
		}
		key, secret = s.Key, s.Secret
	}
	st, err := store.Open(ctx, store.Config{Endpoint: c.S3, AccessKey: key, SecretKey: secret, Region: c.S3Region, Prefix: c.S3Prefix})
	if err != nil {
		return nil, nil, err
	}
	return iceberg.Bucket{Store: st, Name: c.S3Prefix + string(store.Lake)}, func(ctx context.Context) (snapshot.Snapshot, []byte, []byte, error) {
		s, m, sig, err := snapshot.CurrentSigned(ctx, st)
		if survey.KindOf(err) == survey.NotFound {
			err = survey.Errorf(survey.NotFound, "nothing has been exported yet: %w", err).WithHint("wait for the first drive to be indexed")
		}
		return s, m, sig, err
	}, nil
}
