package app

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/roadcomb/roadcomb/datasets/archive"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

type archiveCmd struct {
	Publish archivePublishCmd `cmd:"" help:"Name everything published by content, in one signed root."`
	Export  archiveExportCmd  `cmd:"" help:"Write the archive, or one drive of it, as a CAR file."`
	Verify  archiveVerifyCmd  `cmd:"" help:"Read everything that a root names and check it."`
	Audit   archiveAuditCmd   `cmd:"" help:"Prove that chunks which a public beacon chose are still held."`
	Check   archiveCheckCmd   `cmd:"" help:"Check such a proof, without the archive."`
}

func (archiveCmd) Help() string {
	return "See datasets/archive/FORMAT.md. Example: roadcomb archive publish --from out && roadcomb archive export --from out --to out.car"
}

// archivePlace is where an archive lies: the folder of a process run, or this network.
type archivePlace struct {
	settings
	From string `help:"Folder that roadcomb process wrote; empty for the network itself." type:"existingdir" placeholder:"DIR"`
}

func (a *archivePlace) with(ctx context.Context, e *environ, fn func(archive.Place, ed25519.PrivateKey) error) error {
	if a.From != "" {
		return fn(archive.Folder{Dir: a.From}, nil)
	}
	return withPlatform(ctx, a.settings, e, func(p *platform) error {
		return fn(archive.Buckets{Store: p.store}, p.signing)
	})
}

// roots is the current root, and the one asked for: the same unless id names another.
func roots(ctx context.Context, p archive.Place, id string) (asked, current archive.Link, err error) {
	if _, current, err = archive.Current(ctx, p, nil); err != nil || id == "" {
		return current, current, err
	}
	asked, err = archive.ParseLink(id)
	return asked, current, err
}

type archivePublishCmd struct{ archivePlace }

func (c *archivePublishCmd) Run(ctx context.Context, e *environ) error {
	return c.with(ctx, e, func(p archive.Place, key ed25519.PrivateKey) error {
		h, root, err := archive.Publish(ctx, p, key)
		if err != nil {
			return err
		}
		if !root.Defined() {
			return survey.Errorf(survey.NotFound, "nothing has been exported yet").WithHint("wait for the first drive to be indexed")
		}
		return writeJSON(e.stdout, h)
	})
}

type archiveExportCmd struct {
	archivePlace
	Drive string `help:"Only this drive." placeholder:"ID"`
	Root  string `help:"Root to export; empty for the current one." placeholder:"CID"`
	To    string `help:"CAR file to write." required:"" type:"path" placeholder:"FILE"`
}

func (c *archiveExportCmd) Run(ctx context.Context, e *environ) error {
	return c.with(ctx, e, func(p archive.Place, _ ed25519.PrivateKey) error {
		root, now, err := roots(ctx, p, c.Root)
		if err != nil {
			return err
		}
		get, err := archive.Reader(ctx, p, root)
		if err != nil {
			return err
		}
		gone, err := archive.Gone(ctx, p.Node, now)
		if err != nil {
			return err
		}
		cs, err := archive.Walk(ctx, get, root, c.Drive)
		if err != nil {
			return err
		}
		heads := []archive.Link{root}
		if c.Drive != "" {
			heads = cs.Nodes
		}
		return writeFile(c.To, func(w io.Writer) error {
			err := archive.WriteCAR(ctx, w, heads, cs.Links(), get, func(l archive.Link) bool { _, ok := gone[l]; return ok })
			if err == nil {
				fmt.Fprintf(e.stderr, "%s: %d frames of %d drive-days\n", c.To, cs.Frames, cs.Drives)
			}
			return err
		})
	})
}

// writeFile leaves either nothing or the whole file.
func writeFile(path string, fill func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return survey.Errorf(survey.Unavailable, "%w", err).WithHint("choose a folder you may write to")
	}
	return fillFile(f, path, 0o644, fill)
}

type archiveVerifyCmd struct {
	archivePlace
	Root string `help:"Root to verify; empty for the current one." placeholder:"CID"`
	Key  string `help:"Ed25519 key (base64) that the head must be signed with." placeholder:"KEY"`
	CAR  string `help:"Verify this CAR file instead; it needs nothing else." type:"existingfile" placeholder:"FILE"`
}

func (c *archiveVerifyCmd) Run(ctx context.Context, e *environ) error {
	if c.CAR != "" {
		f, err := os.Open(c.CAR)
		if err != nil {
			return err
		}
		defer f.Close()
		n := 0
		var bytes int64
		roots, err := archive.ReadCAR(f, func(_ archive.Link, b []byte) error { n++; bytes += int64(len(b)); return nil })
		if err != nil {
			return fmt.Errorf("%s: %w", c.CAR, err)
		}
		return writeJSON(e.stdout, map[string]any{"roots": roots, "blocks": n, "bytes": bytes})
	}
	key, err := parsePublicKey("--key", c.Key)
	if err != nil {
		return err
	}
	return c.with(ctx, e, func(p archive.Place, _ ed25519.PrivateKey) error {
		if _, _, err := archive.Current(ctx, p, key); err != nil {
			return err
		}
		root, now, err := roots(ctx, p, c.Root)
		if err != nil {
			return err
		}
		get, err := archive.Reader(ctx, p, root, now)
		if err != nil {
			return err
		}
		rep, err := archive.Verify(ctx, get, root, now)
		if err != nil {
			return err
		}
		if err := writeJSON(e.stdout, rep); err != nil {
			return err
		}
		if n := len(rep.Missing); n > 0 {
			return survey.Errorf(survey.NotFound, "%d objects are missing, the first is %s %s", n, rep.Missing[0].Name, rep.Missing[0].Link).WithHint("restore them from another copy of the archive")
		}
		return nil
	})
}

type archiveAuditCmd struct {
	archivePlace
	Root   string `help:"Root to audit; empty for the current one." placeholder:"CID"`
	Beacon string `help:"Public randomness from after the archive was made, such as the hash of today's first block of a public chain." required:"" placeholder:"TEXT"`
	Picks  int    `short:"k" help:"Chunks to prove." default:"5"`
}

func (c *archiveAuditCmd) Run(ctx context.Context, e *environ) error {
	return c.with(ctx, e, func(p archive.Place, _ ed25519.PrivateKey) error {
		root, _, err := roots(ctx, p, c.Root)
		if err != nil {
			return err
		}
		get, err := archive.Reader(ctx, p, root)
		if err != nil {
			return err
		}
		proof, err := archive.Prove(ctx, get, root, c.Beacon, c.Picks)
		if err != nil {
			return err
		}
		detection(e.stderr, c.Picks)
		return json.NewEncoder(e.stdout).Encode(proof)
	})
}

func detection(w io.Writer, k int) {
	fmt.Fprintf(w, "%d picks. Audited daily like this, a loss is found out:\n", k)
	for _, lost := range []float64{.01, .05, .2} {
		fmt.Fprintf(w, "  %4.0f %% lost: %6.2f %% in a day, %6.2f %% in 30 days\n", 100*lost, 100*archive.Detection(lost, k, 1), 100*archive.Detection(lost, k, 30))
	}
}

type archiveCheckCmd struct {
	Proof  string `arg:"" help:"What archive audit wrote; - for standard input." placeholder:"FILE"`
	Root   string `help:"The root, as you know it from elsewhere." required:"" placeholder:"CID"`
	Beacon string `help:"The beacon that you asked with." required:"" placeholder:"TEXT"`
	Picks  int    `short:"k" help:"Chunks that you asked for." default:"5"`
}

func (c *archiveCheckCmd) Run(ctx context.Context, e *environ) error {
	root, err := archive.ParseLink(c.Root)
	if err != nil {
		return err
	}
	in := e.stdin
	if c.Proof != "-" {
		f, err := os.Open(c.Proof)
		if err != nil {
			return survey.Errorf(survey.NotFound, "%w", err)
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, 1<<30))
	if err != nil {
		return err
	}
	proof, err := archive.ParseProof(b)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Proof, err)
	}
	if err := proof.Check(ctx, root, c.Beacon, c.Picks); err != nil {
		return fmt.Errorf("%s: %w", c.Proof, err)
	}
	fmt.Fprintf(e.stdout, "the proof holds: %d of %d chunks\n", len(proof.Picks), proof.Chunks)
	detection(e.stdout, c.Picks)
	return nil
}
