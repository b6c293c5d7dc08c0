package app

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/roadcomb/roadcomb/datasets/snapshot"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// signingPin is where the state keeps the public half of the network's key.
const signingPin = "signing.public"

// parseSigningKey reads an Ed25519 seed in base64, as secrets.json holds it.
func parseSigningKey(s survey.Secret) (ed25519.PrivateKey, error) {
	seed, err := base64.StdEncoding.DecodeString(s.Reveal())
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, survey.Errorf(survey.Invalid, "the signing key is not 32 bytes in base64").WithHint("it is signing_key in the network's secrets.json")
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// parsePublicKey is an Ed25519 key in base64.
func parsePublicKey(flag, s string) (ed25519.PublicKey, error) {
	if s == "" {
		return nil, nil
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(b) != ed25519.PublicKeySize {
		return nil, survey.Errorf(survey.Invalid, "%s is not an Ed25519 key in base64", flag)
	}
	return b, nil
}

func publicText(key ed25519.PrivateKey) string {
	return base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
}

// openSigning finds the key that snapshots, epochs and archive are signed with: the one of the settings, or of this data folder.
// A network has one: the first process to run pins it, and a process whose key is another signs nothing, because its
// signatures would say nothing to those who know the network's key.
func (p *platform) openSigning(ctx context.Context) error {
	key, own, pinned, err := networkKey(ctx, p.db, p.secrets, p.set.SigningKey)
	if err != nil {
		return err
	}
	if p.signing = key; key == nil {
		p.log.Warn("this process signs no snapshots, and nothing about rewards: its key is not the network's", "network", pinned, "this", own,
			"hint", "set ROADCOMB_SIGNING_KEY to signing_key of the network's secrets.json")
	}
	return nil
}

// ownKey is the key that was given, else that of the secrets.
func ownKey(sec secrets, given survey.Secret) (ed25519.PrivateKey, error) {
	if given != "" {
		return parseSigningKey(given)
	}
	return sec.signer(), nil
}

// networkKey is the key that was given, or that of the secrets, when it is the network's; nil when it is another one, whose
// public half own is. The first key that a network sees becomes its own: pinned is its public half.
func networkKey(ctx context.Context, db *state.DB, sec secrets, given survey.Secret) (key ed25519.PrivateKey, own, pinned string, err error) {
	if key, err = ownKey(sec, given); err != nil {
		return nil, "", "", err
	}
	err = db.Tx(ctx, func(tx *state.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING`, signingPin, publicText(key)); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `SELECT value FROM meta WHERE key = $1`, signingPin).Scan(&pinned)
	})
	if err != nil {
		return nil, "", "", fmt.Errorf("signing key: %w", err)
	}
	own = publicText(key)
	if pinned != own {
		key = nil
	}
	return key, own, pinned, nil
}

type datasetsCmd struct {
	Verify datasetsVerifyCmd `cmd:"" help:"Check a snapshot: its signature, and every file against its hash."`
	Key    datasetsKeyCmd    `cmd:"" help:"Print the key that this network signs snapshots, epochs and archive with."`
}

type datasetsVerifyCmd struct {
	settings
	Data string `help:"Folder with snapshot.json, as process writes it (DIR/datasets); empty for the network itself." type:"existingdir" placeholder:"DIR"`
	Key  string `help:"Ed25519 key (base64) that the snapshot must be signed with. Without it any signature does, and of a folder none." placeholder:"KEY"`
}

func (datasetsVerifyCmd) Help() string {
	return "Prints what was read, and fails where a byte is not what was signed. Example: roadcomb datasets verify --data out/datasets --key KEY"
}

// verified is the answer of datasets verify.
type verified struct {
	Snapshot survey.Hash `json:"snapshot"`      // SHA-256 of the manifest
	Signed   bool        `json:"signed"`        // by Key
	Key      string      `json:"key,omitempty"` // Ed25519, base64
	snapshot.Report
}

func (c *datasetsVerifyCmd) Run(ctx context.Context, e *environ) error {
	key, err := parsePublicKey("--key", c.Key)
	if err != nil {
		return err
	}
	if c.Data != "" {
		manifest, sig, err := snapshot.Read(c.Data)
		if err != nil {
			return err
		}
		return c.verify(ctx, e, manifest, sig, key, key != nil || sig != nil, func(_ context.Context, path string) (io.ReadCloser, error) {
			f, err := os.Open(filepath.Join(c.Data, filepath.FromSlash(path)))
			if errors.Is(err, os.ErrNotExist) {
				return nil, survey.Errorf(survey.NotFound, "%w", err)
			}
			return f, err
		})
	}
	return withPlatform(ctx, c.settings, e, func(p *platform) error {
		_, manifest, sig, err := snapshot.CurrentSigned(ctx, p.store)
		if survey.KindOf(err) == survey.NotFound {
			return survey.Errorf(survey.NotFound, "nothing has been exported yet: %w", err).WithHint("wait for the first drive to be indexed")
		} else if err != nil {
			return err
		}
		return c.verify(ctx, e, manifest, sig, key, true, func(ctx context.Context, path string) (io.ReadCloser, error) {
			o, _, err := p.store.Open(ctx, store.Lake, path)
			if err != nil {
				return nil, err
			}
			return o, nil
		})
	})
}

func (c *datasetsVerifyCmd) verify(ctx context.Context, e *environ, manifest, sig []byte, key ed25519.PublicKey, signed bool, open func(context.Context, string) (io.ReadCloser, error)) error {
	out := verified{Snapshot: survey.HashOf(manifest)}
	if signed {
		s, err := snapshot.Verify(manifest, sig, key)
		if err != nil {
			return err
		}
		out.Signed, out.Key = true, s.Key
	}
	s, err := snapshot.Parse(manifest)
	if err != nil {
		return err
	}
	if out.Report, err = snapshot.Check(ctx, s, open); err != nil {
		return err
	}
	if err := writeJSON(e.stdout, out); err != nil {
		return err
	}
	if n := len(out.Faults); n > 0 {
		return survey.Errorf(survey.Invalid, "%d faults, the first: %s %s", n, out.Faults[0].Path, out.Faults[0].What).WithHint("restore the files from a copy, such as a CAR of the archive")
	}
	return nil
}

type datasetsKeyCmd struct {
	settings
	Replace bool `help:"From now on sign with the key of this data folder, or of --signing-key. Tell those who verify, and sign again what was decided about rewards (rewards sign)."`
}

func (datasetsKeyCmd) Help() string {
	return "Publish this key where those who use the data know you from; roadcomb datasets verify --key and roadcomb archive verify --key take it."
}

func (c *datasetsKeyCmd) Run(ctx context.Context, e *environ) error {
	return withPlatform(ctx, c.settings, e, func(p *platform) error {
		if c.Replace {
			key, err := ownKey(p.secrets, c.SigningKey)
			if err != nil {
				return err
			}
			return audited(ctx, e, p.db, "replace-signing-key", "key="+publicText(key), func() (string, error) {
				_, err := p.db.Exec(ctx, `UPDATE meta SET value = $2 WHERE key = $1`, signingPin, publicText(key))
				fmt.Fprintln(e.stdout, publicText(key))
				return "key=" + publicText(key), err
			})
		}
		var pinned string
		if err := p.db.QueryRow(ctx, `SELECT value FROM meta WHERE key = $1`, signingPin).Scan(&pinned); err != nil {
			return fmt.Errorf("signing key: %w", err)
		}
		_, err := fmt.Fprintln(e.stdout, pinned)
		return err
	})
}
