// Package archive names everything that a network has published by content, in one signed root, so that anyone can keep
// a copy, prove that it is whole, and check that others keep theirs.
//
// The root is a DAG-CBOR block; it links to the snapshot of the datasets, to each dataset file, and through days and
// drives to each published image. Every link is a CIDv1 with SHA-256. The same published content gives the same root.
// Nothing in it comes from anywhere but the published datasets, so that a stranger can build it too.
//
// An image that is taken down or redacted anew is gone from the next root, which lists its CID as a tombstone: earlier
// roots stay verifiable without its bytes. See FORMAT.md.
//
// The package never reads private objects and knows no contributor.
package archive

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/fxamacker/cbor/v2"
	"github.com/ipfs/go-cid"

	"github.com/roadcomb/roadcomb/pkg/ledger"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Format names the layout of the blocks.
const Format = "roadcomb-archive/1"

// Link is a CIDv1. The zero Link is none.
type Link struct{ cid.Cid }

// Raw is the link to bytes with the hash.
func Raw(h survey.Hash) Link { return Link{cid.MustParse(ledger.CID(h))} }

// hash is the SHA-256 that the link names; zero for a link of another kind.
func (l Link) hash() (h survey.Hash) {
	if mh := l.Hash(); len(mh) == 2+len(h) && mh[0] == sha256Code {
		copy(h[:], mh[2:])
	}
	return h
}

const (
	linkTag    = 42
	sha256Code = 0x12
)

// MarshalCBOR writes the link as DAG-CBOR does: tag 42 over a zero byte and the binary CID.
func (l Link) MarshalCBOR() ([]byte, error) {
	if !l.Defined() {
		return nil, survey.Errorf(survey.Internal, "archive: a link to nothing")
	}
	return encode(cbor.Tag{Number: linkTag, Content: append([]byte{0}, l.Bytes()...)})
}

// UnmarshalCBOR reads what MarshalCBOR writes.
func (l *Link) UnmarshalCBOR(b []byte) error {
	var t cbor.RawTag
	if err := cbor.Unmarshal(b, &t); err != nil {
		return err
	}
	var raw []byte
	if err := cbor.Unmarshal(t.Content, &raw); err != nil {
		return err
	}
	if t.Number != linkTag || len(raw) < 2 || raw[0] != 0 {
		return survey.Errorf(survey.Invalid, "archive: not a link")
	}
	c, err := cid.Cast(raw[1:])
	if err != nil {
		return survey.Errorf(survey.Invalid, "archive: link: %w", err)
	}
	l.Cid = c
	return nil
}

// Root is everything published as of an instant.
type Root struct {
	Format     string `cbor:"format"`
	AsOf       int64  `cbor:"as_of"`    // Unix seconds, of the snapshot
	Snapshot   Link   `cbor:"snapshot"` // the snapshot's manifest, raw
	Files      Ref    `cbor:"files"`    // to a Files
	Days       []Ref  `cbor:"days"`     // to a Day each, in order
	Tombstones Link   `cbor:"tombstones"`
	Previous   *Link  `cbor:"previous"` // the root before; null for the first
}

// Ref is a link with what lies below it.
type Ref struct {
	Name   string `cbor:"name"` // "files", the day, or the drive
	Link   Link   `cbor:"link"`
	Bytes  int64  `cbor:"bytes"`  // of the files or images below it
	Chunks int64  `cbor:"chunks"` // see Tree
}

// Files lists the files of the datasets.
type Files struct {
	Files []Object `cbor:"files"` // in order of name
}

// Object is a file or image.
type Object struct {
	Name  string `cbor:"name"` // path in the lake
	Link  Link   `cbor:"link"` // raw
	Bytes int64  `cbor:"bytes"`
	Tree  []byte `cbor:"tree"` // Tree of its content
}

// Day lists the drives with frames captured on a UTC day.
type Day struct {
	Date   string `cbor:"date"` // 2024-05-08
	Drives []Ref  `cbor:"drives"`
}

// Drive is the published frames of a drive on a day, in their order.
type Drive struct {
	Drive  string  `cbor:"drive"`
	Date   string  `cbor:"date"`
	Frames []Frame `cbor:"frames"`
}

// Frame is a published frame.
type Frame struct {
	ID         string `cbor:"frame"`
	Seq        int64  `cbor:"seq"`
	CapturedAt int64  `cbor:"captured_at"` // Unix microseconds
	Cell       string `cbor:"h3"`
	LatE7      int64  `cbor:"lat_e7"`
	LonE7      int64  `cbor:"lon_e7"`
	Image      Link   `cbor:"image"` // raw
	Bytes      int64  `cbor:"bytes"`
	Tree       []byte `cbor:"tree"`
}

// Tombstones lists what earlier roots link to and nobody may keep.
type Tombstones struct {
	Tombstones []Tombstone `cbor:"tombstones"` // in order of time, then CID
}

// Tombstone is an image that is gone.
type Tombstone struct {
	Link  Link   `cbor:"link"`
	Frame string `cbor:"frame"`
	At    int64  `cbor:"at"`  // Unix seconds: as of the first root without it
	Why   string `cbor:"why"` // "removed", or "replaced" by another redaction
}

var encMode = func() cbor.EncMode {
	o := cbor.CanonicalEncOptions() // shortest integers, keys by length and then bytes: what DAG-CBOR asks
	o.TagsMd = cbor.TagsAllowed
	m, err := o.EncMode()
	if err != nil {
		panic(err)
	}
	return m
}()

var decMode = func() cbor.DecMode {
	m, err := cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden, MaxArrayElements: 16 << 20, MaxNestedLevels: 16}.DecMode()
	if err != nil {
		panic(err)
	}
	return m
}()

func encode(v any) ([]byte, error) { return encMode.Marshal(v) }

// block encodes a node and gives its link.
func block(v any) (Link, []byte, error) {
	b, err := encode(v)
	if err != nil {
		return Link{}, nil, err
	}
	h := survey.HashOf(b)
	return Link{cid.NewCidV1(cid.DagCBOR, append([]byte{sha256Code, byte(len(h))}, h[:]...))}, b, nil
}

// check reports bytes that are not what the link names.
func check(l Link, b []byte) error {
	p := l.Prefix()
	if p.Version != 1 || p.MhType != sha256Code || p.MhLength != 32 {
		return survey.Errorf(survey.Unsupported, "archive: %s is not a CIDv1 with SHA-256", l)
	}
	if survey.HashOf(b) != l.hash() {
		return survey.Errorf(survey.Invalid, "archive: the bytes of %s have another hash", l).WithHint("they are damaged: fetch them again, or restore them from another copy")
	}
	return nil
}

// Getter fetches a block by its link; NotFound when it is not to be had.
type Getter func(ctx context.Context, l Link) ([]byte, error)

// node fetches, checks and decodes a DAG-CBOR block.
func node[T any](ctx context.Context, get Getter, l Link) (T, error) {
	var v T
	b, err := get(ctx, l)
	if err != nil {
		return v, fmt.Errorf("archive block %s: %w", l, err)
	}
	if err := check(l, b); err != nil {
		return v, err
	}
	if err := decMode.Unmarshal(b, &v); err != nil {
		return v, survey.Errorf(survey.Invalid, "archive: block %s: %w", l, err)
	}
	return v, nil
}

// ReadRoot fetches a root.
func ReadRoot(ctx context.Context, get Getter, l Link) (Root, error) {
	r, err := node[Root](ctx, get, l)
	if err == nil && r.Format != Format {
		err = survey.Errorf(survey.Unsupported, "archive root %s has format %.40q, this version reads %s", l, r.Format, Format).WithHint("use a newer roadcomb")
	}
	return r, err
}

// Head names the current root, with the network's signature. It is the one thing of an archive that changes.
type Head struct {
	Format    string `json:"format"`
	Root      string `json:"root"` // CIDv1 as text
	AsOf      int64  `json:"as_of"`
	Key       string `json:"key,omitempty"`       // Ed25519, base64
	Signature string `json:"signature,omitempty"` // of "roadcomb-archive/1\n" and the root's text, base64
}

func signed(root string) []byte { return []byte(Format + "\n" + root) }

// Sign makes the head of a root; without a key it is unsigned.
func Sign(root Link, asOf int64, key ed25519.PrivateKey) Head {
	h := Head{Format: Format, Root: root.String(), AsOf: asOf}
	if key != nil {
		h.Key = base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
		h.Signature = base64.StdEncoding.EncodeToString(ed25519.Sign(key, signed(h.Root)))
	}
	return h
}

// ParseHead reads a head and checks its signature. want is the key that it must be signed with; nil takes any, or none.
func ParseHead(b []byte, want ed25519.PublicKey) (Head, Link, error) {
	var h Head
	if err := json.Unmarshal(b, &h); err != nil {
		return h, Link{}, survey.Errorf(survey.Invalid, "archive head: %w", err)
	}
	if h.Format != Format {
		return h, Link{}, survey.Errorf(survey.Unsupported, "archive head has format %.40q, this version reads %s", h.Format, Format).WithHint("use a newer roadcomb")
	}
	c, err := cid.Decode(h.Root)
	if err != nil {
		return h, Link{}, survey.Errorf(survey.Invalid, "archive head: root %.80q: %w", h.Root, err)
	}
	if h.Signature == "" && want == nil {
		return h, Link{c}, nil
	}
	key, err := base64.StdEncoding.DecodeString(h.Key)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return h, Link{}, survey.Errorf(survey.Unauthorized, "archive head is not signed by an Ed25519 key")
	}
	if want != nil && !want.Equal(ed25519.PublicKey(key)) {
		return h, Link{}, survey.Errorf(survey.Unauthorized, "archive head is signed by another key, %s", h.Key).WithHint("compare it with the key that the network publishes")
	}
	sig, err := base64.StdEncoding.DecodeString(h.Signature)
	if err != nil || !ed25519.Verify(key, signed(h.Root), sig) {
		return h, Link{}, survey.Errorf(survey.Unauthorized, "archive head: the signature does not belong to root %s", h.Root)
	}
	return h, Link{c}, nil
}
