package record

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/roadcomb/roadcomb/pkg/ledger"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards"
)

// Format names the layout of the folder.
const Format = "roadcomb-epoch-1"

// Manifest makes an epoch visible: it is written when everything it names is in place.
type Manifest struct {
	Format  string       `json:"format"`
	Epoch   survey.Epoch `json:"epoch"`
	Start   time.Time    `json:"start"` // contributions were received before End; late ones of earlier epochs count here
	End     time.Time    `json:"end"`
	Ruleset string       `json:"ruleset"`
	// Previous is the SHA-256 of the previous epoch's manifest, absent for the first: the accounts start where it ended.
	Previous *survey.Hash `json:"previous,omitempty"`

	// Pools and their sum. In each, in = allocated + held + burned + refunded + remainder.
	Pools []rewards.Pool `json:"pools"`
	Total rewards.Pool   `json:"total"`
	// Corrected is what corrections added to or took from the accounts.
	Corrected survey.Amount `json:"corrected,string"`
	// Carried is what customers spent on cells that nobody covered and that the next epoch counts again; it is in no pool.
	Carried survey.Amount `json:"carried,string,omitempty"`
	// Cumulative is the sum of all leaves: what the network owes since its first epoch, claimed or not.
	Cumulative    survey.Amount `json:"cumulative,string"`
	Escrow        survey.Amount `json:"escrow,string"` // held in all epochs and not yet decided
	Contributions int           `json:"contributions"`
	Contributors  int           `json:"contributors"`
	Root          string        `json:"root,omitempty"` // absent while nobody has earned anything

	Inputs  []File `json:"inputs"`
	Outputs []File `json:"outputs"`
}

// File names exact bytes. CID is version 1, raw, SHA-256, base32.
type File struct {
	Name   string      `json:"name"`
	Bytes  int64       `json:"bytes"`
	SHA256 survey.Hash `json:"sha256"`
	CID    string      `json:"cid"`
}

func fileOf(name string, b []byte) File {
	h := survey.HashOf(b)
	return File{name, int64(len(b)), h, ledger.CID(h)}
}

// NewManifest describes an epoch; previous is zero for the first.
func NewManifest(in Inputs, out Outcome, previous survey.Hash, inputs, outputs Files) Manifest {
	m := Manifest{
		Format: Format, Epoch: in.Epoch, Start: in.Epoch.Start(), End: in.Epoch.End(), Ruleset: out.Version,
		Pools: out.Pools, Total: out.Total(), Contributions: in.Contributions.Len(), Contributors: len(out.Result.Allocations),
		Inputs: []File{}, Outputs: []File{},
	}
	if !previous.IsZero() {
		m.Previous = &previous
	}
	for _, a := range out.Allocations {
		m.Cumulative += survey.Amount(a.Cumulative)
		m.Corrected += survey.Amount(a.Corrected)
		m.Escrow += survey.Amount(a.Escrow)
	}
	if out.Tree != nil {
		m.Root = out.Tree.Root().String()
	}
	for _, c := range out.Carried {
		m.Carried += c.Amount
	}
	for _, n := range InputNames() {
		if b, ok := inputs[n]; ok || !optional(n) {
			m.Inputs = append(m.Inputs, fileOf(n, b))
		}
	}
	for _, n := range OutputNames() {
		if b, ok := outputs[n]; ok {
			m.Outputs = append(m.Outputs, fileOf(n, b))
		}
	}
	return m
}

// OutputNames lists the outputs in the order of the manifest.
func OutputNames() []string {
	return []string{StatementName, EscrowName, BondsName, HitsName, RegionPoolsName, AllocationsName, MerkleName}
}

// Encode is the manifest's bytes.
func (m Manifest) Encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	err := e.Encode(m)
	return b.Bytes(), err
}

// Sign is the encoded ledger.Signature of a manifest's bytes, to lie beside it as SignatureName. Through the hashes of the
// files and of the manifest before, it covers every byte of this epoch and of all earlier ones.
func Sign(manifest []byte, key ed25519.PrivateKey) []byte { return ledger.Sign(Format, manifest, key) }

// Signed is the key (Ed25519, base64) that a published epoch's manifest is signed with, "" without a signature. want is the
// key that it must be; nil takes any, and none. What does not hold is Unauthorized.
func Signed(fsys fs.FS, want ed25519.PublicKey) (key string, err error) {
	text, err := readFile(fsys, ManifestName)
	if err != nil {
		return "", err
	}
	return signedWith(fsys, text, want)
}

// signedWith is Signed for a manifest that was read.
func signedWith(fsys fs.FS, manifest []byte, want ed25519.PublicKey) (key string, err error) {
	sig, err := readFile(fsys, SignatureName)
	switch {
	case survey.KindOf(err) == survey.NotFound && want == nil:
		return "", nil
	case survey.KindOf(err) == survey.NotFound:
		return "", survey.Errorf(survey.Unauthorized, "the epoch is not signed").WithHint("it was closed without the network's key, or before epochs were signed: the next close that has the key signs it")
	case err != nil:
		return "", err
	}
	s, err := ledger.Verify(Format, "this epoch", manifest, sig, want)
	if err != nil {
		return "", err
	}
	return s.Key, nil
}

// ReadManifest reads a manifest; one of another format is Unsupported, one that contradicts itself is Invalid.
func ReadManifest(b []byte) (Manifest, error) {
	var m Manifest
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(&m); err != nil {
		return m, survey.Errorf(survey.Invalid, "epoch manifest: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return m, survey.Errorf(survey.Invalid, "epoch manifest: text after the end")
	}
	if m.Format != Format {
		return m, survey.Errorf(survey.Unsupported, "epoch manifest has format %.40q, want %s", m.Format, Format)
	}
	for _, p := range append(slices.Clone(m.Pools), m.Total) {
		if p.In != p.Allocated+p.Held+p.Burned+p.Refunded+p.Remainder {
			return m, survey.Errorf(survey.Invalid, "epoch %s: the parts of pool %s do not add up to %d", m.Epoch, p.Name, int64(p.In))
		}
	}
	for _, f := range slices.Concat(m.Inputs, m.Outputs) {
		if !slices.Contains(InputNames(), f.Name) && !slices.Contains(OutputNames(), f.Name) {
			return m, survey.Errorf(survey.Unsupported, "epoch %s names a file %.60q that this version does not know", m.Epoch, f.Name)
		}
		if f.CID != ledger.CID(f.SHA256) {
			return m, survey.Errorf(survey.Invalid, "epoch %s: %s has a CID that is not that of its SHA-256", m.Epoch, f.Name)
		}
	}
	return m, nil
}
