// Package snapshot is the manifest of a consistent set of dataset files: its layout, its signature, and where both lie.
//
// A manifest never changes; it is named by its content, and the head, the one object that is swapped, names the current
// one. A signature covers the manifest's bytes as they lie there, and through the SHA-256 of each file every byte of the
// datasets. The package reads no Parquet.
package snapshot

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/roadcomb/roadcomb/pkg/ledger"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Format names the layout of the manifest.
const Format = "roadcomb-snapshot/1"

// Names in a folder of datasets, as `roadcomb process` writes it.
const (
	FileName          = "snapshot.json"
	SignatureFileName = "snapshot.json.sig"
)

// Snapshot is the manifest of a consistent set of files.
type Snapshot struct {
	Format   string             `json:"format"` // "roadcomb-snapshot/1"
	AsOf     time.Time          `json:"as_of"`  // of freshness in cells
	Datasets map[string]Dataset `json:"datasets"`
}

// Dataset is one dataset of a snapshot.
type Dataset struct {
	Version int    `json:"version"` // newest schema among the files
	Rows    int64  `json:"rows"`
	Bytes   int64  `json:"bytes"`
	Files   []File `json:"files"` // ordered by partition
}

// File is one immutable file.
type File struct {
	Partition string      `json:"partition"`
	Version   int         `json:"version"` // of the schema it was written by; an older file lacks columns added since
	Path      string      `json:"path"`    // key in the lake
	Rows      int64       `json:"rows"`
	Bytes     int64       `json:"bytes"`
	SHA256    survey.Hash `json:"sha256"`
	CID       string      `json:"cid"` // CIDv1, raw, SHA-256
}

// Head points to the current snapshot.
type Head struct {
	Snapshot  string `json:"snapshot"`            // key of the manifest
	Signature string `json:"signature,omitempty"` // key of its signature; empty when no key of the network was at hand
}

// Encode is the manifest's bytes: one form for one content (keys of maps sorted), so that the same datasets have the
// same manifest.
func (s Snapshot) Encode() ([]byte, error) { return json.MarshalIndent(s, "", " ") }

// Parse reads a manifest. One of a later format is Unsupported.
func Parse(b []byte) (Snapshot, error) {
	var s Snapshot
	if err := json.Unmarshal(b, &s); err != nil {
		return s, survey.Errorf(survey.Invalid, "snapshot: %w", err)
	}
	if s.Format != Format {
		return s, survey.Errorf(survey.Unsupported, "snapshot has format %.40q, this version reads %s", s.Format, Format).WithHint("use a newer roadcomb")
	}
	return s, nil
}

// Names lists the datasets in alphabetical order.
func (s Snapshot) Names() []string {
	return slices.Sorted(maps.Keys(s.Datasets))
}

// Read reads the bytes of a manifest, and of its signature if there is one, from a folder of datasets. NotFound without a
// manifest.
func Read(dir string) (manifest, signature []byte, err error) {
	if manifest, err = os.ReadFile(filepath.Join(dir, FileName)); err != nil {
		return nil, nil, survey.Errorf(survey.NotFound, "datasets folder: %w", err).WithHint("give a folder with snapshot.json, such as the datasets folder that `roadcomb process` wrote")
	}
	if signature, err = os.ReadFile(filepath.Join(dir, SignatureFileName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, survey.Errorf(survey.Unavailable, "%w", err)
	}
	return manifest, signature, nil
}

// Load is Read, with the manifest parsed.
func Load(dir string) (s Snapshot, manifest, signature []byte, err error) {
	if manifest, signature, err = Read(dir); err != nil {
		return s, nil, nil, err
	}
	if s, err = Parse(manifest); err != nil {
		err = fmt.Errorf("%s: %w", filepath.Join(dir, FileName), err)
	}
	return s, manifest, signature, err
}

// Signature is a network's word that a manifest is its own, as it lies beside the manifest.
type Signature = ledger.Signature

// Sign gives the encoded Signature of a manifest. The same key and manifest give the same bytes.
func Sign(manifest []byte, key ed25519.PrivateKey) []byte { return ledger.Sign(Format, manifest, key) }

// Verify is ledger.Verify for a manifest's bytes.
func Verify(manifest, signature []byte, want ed25519.PublicKey) (Signature, error) {
	if len(signature) == 0 {
		return Signature{}, survey.Errorf(survey.Unauthorized, "the snapshot is not signed").WithHint("the process that exported it had no key of the network: set ROADCOMB_SIGNING_KEY, or have it exported again by one that has")
	}
	return ledger.Verify(Format, "this snapshot", manifest, signature, want)
}

// maxManifest bounds what is read of a manifest: some 600,000 files.
const maxManifest = 256 << 20

// Current is the snapshot that the head points to, and its bytes. NotFound before the first export.
func Current(ctx context.Context, st *store.Store) (Snapshot, []byte, error) {
	s, b, _, err := current(ctx, st, false)
	return s, b, err
}

// CurrentSigned is Current with the encoded Signature beside it, nil where there is none.
func CurrentSigned(ctx context.Context, st *store.Store) (s Snapshot, manifest, signature []byte, err error) {
	return current(ctx, st, true)
}

func current(ctx context.Context, st *store.Store, signed bool) (s Snapshot, manifest, signature []byte, err error) {
	b, _, err := st.Get(ctx, store.Lake, store.SnapshotHead, 1<<20)
	if err != nil {
		return s, nil, nil, err
	}
	var h Head
	if err := json.Unmarshal(b, &h); err != nil {
		return s, nil, nil, survey.Errorf(survey.Invalid, "snapshot head: %w", err)
	}
	if manifest, _, err = st.Get(ctx, store.Lake, h.Snapshot, maxManifest); err != nil {
		return s, nil, nil, err
	}
	if s, err = Parse(manifest); err != nil {
		return s, nil, nil, fmt.Errorf("%s: %w", h.Snapshot, err)
	}
	if signed && h.Signature != "" {
		if signature, _, err = st.Get(ctx, store.Lake, h.Signature, 1<<20); err != nil {
			return s, nil, nil, err
		}
	}
	return s, manifest, signature, nil
}

// Fault is a file that is not what the manifest says.
type Fault struct {
	Path string `json:"path"`
	What string `json:"what"`
}

// Report is what Check found.
type Report struct {
	Files  int     `json:"files"` // read and right
	Rows   int64   `json:"rows"`  // that the manifest counts in them
	Bytes  int64   `json:"bytes"`
	Faults []Fault `json:"faults"` // in order of dataset and partition
}

// Check reads every file and holds its size, SHA-256 and CID to the manifest, and the sums of each dataset to its files.
// open gives a file by its path; a NotFound is a fault, another error ends the check.
func Check(ctx context.Context, s Snapshot, open func(ctx context.Context, path string) (io.ReadCloser, error)) (Report, error) {
	rep := Report{Faults: []Fault{}}
	fault := func(path, format string, args ...any) {
		rep.Faults = append(rep.Faults, Fault{path, fmt.Sprintf(format, args...)})
	}
	seen := map[string]bool{}
	for _, name := range s.Names() {
		d := s.Datasets[name]
		var rows, size int64
		for _, f := range d.Files {
			if err := ctx.Err(); err != nil {
				return rep, err
			}
			rows, size = rows+f.Rows, size+f.Bytes
			switch {
			case !local(f.Path) || !strings.HasPrefix(f.Path, name+"/"):
				fault(f.Path, "is outside the dataset %s", name)
				continue
			case seen[f.Path]:
				fault(f.Path, "is named twice")
				continue
			}
			seen[f.Path] = true
			r, err := open(ctx, f.Path)
			if survey.KindOf(err) == survey.NotFound {
				fault(f.Path, "is missing")
				continue
			} else if err != nil {
				return rep, fmt.Errorf("%s: %w", f.Path, err)
			}
			sum := sha256.New()
			n, err := io.Copy(sum, r)
			if err = errors.Join(err, r.Close()); err != nil {
				return rep, fmt.Errorf("%s: %w", f.Path, err)
			}
			h := survey.Hash(sum.Sum(nil))
			switch {
			case n != f.Bytes:
				fault(f.Path, "has %d bytes, the manifest says %d", n, f.Bytes)
			case h != f.SHA256:
				fault(f.Path, "has SHA-256 %s, the manifest says %s", h, f.SHA256)
			case ledger.CID(h) != f.CID:
				fault(f.Path, "has CID %s, the manifest says %s", ledger.CID(h), f.CID)
			default:
				rep.Files++
				rep.Rows += f.Rows
				rep.Bytes += n
			}
		}
		if rows != d.Rows || size != d.Bytes {
			fault(name, "the manifest says %d rows in %d bytes, and %d rows in %d bytes of its files", d.Rows, d.Bytes, rows, size)
		}
	}
	return rep, nil
}

// local reports a path that stays in the folder it is taken from.
func local(path string) bool { return filepath.IsLocal(filepath.FromSlash(path)) }
