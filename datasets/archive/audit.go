package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Proof answers an audit: for K chunks that a public beacon chose among all of an archive's, their bytes, and the path
// of hashes from them to the root. Who makes it had those chunks after the beacon was known.
type Proof struct {
	Format string `json:"format"` // "roadcomb-audit/1"
	Root   string `json:"root"`
	Beacon string `json:"beacon"` // public randomness that nobody could know before, such as a block hash or a drand round
	Chunks int64  `json:"chunks"` // in the archive
	Picks  []Pick `json:"picks"`
}

// Pick is one chunk with its way to the root.
type Pick struct {
	Nodes  [][]byte `json:"nodes"`  // blocks from the root down to the one that names the object
	Object string   `json:"object"` // CID
	Chunk  []byte   `json:"chunk"`
	Path   [][]byte `json:"path"`
}

const auditFormat = "roadcomb-audit/1"

// maxPicks bounds an audit.
const maxPicks = 10_000

// choose gives the number of pick i among n chunks: the first 8 bytes of SHA-256 over format, root, beacon and i, modulo n.
func choose(root Link, beacon string, i int, n int64) int64 {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%d\n%s\n%d\n", auditFormat, root, len(beacon), beacon, i)
	return int64(binary.BigEndian.Uint64(h.Sum(nil)[:8]) % uint64(n))
}

// place is where a chunk lies.
type place struct {
	nodes [][]byte
	obj   Object // Name is the path or the frame
	chunk int64  // within the object
}

// locate finds the object that holds a chunk, from the root down. Chunks are counted through the files in order of
// name, then through days, drives and frames.
func locate(ctx context.Context, get Getter, root Link, at int64) (place, error) {
	var p place
	keep := func(ctx context.Context, l Link) ([]byte, error) {
		b, err := get(ctx, l)
		if err == nil {
			p.nodes = append(p.nodes, b)
		}
		return b, err
	}
	r, err := ReadRoot(ctx, keep, root)
	if err != nil {
		return p, err
	}
	if at < r.Files.Chunks {
		fs, err := node[Files](ctx, keep, r.Files.Link)
		if err != nil {
			return p, err
		}
		for _, f := range fs.Files {
			n := Chunks(f.Bytes)
			if at < n {
				p.obj, p.chunk = f, at
				return p, nil
			}
			at -= n
		}
		return p, survey.Errorf(survey.Invalid, "archive root %s counts chunks that its files lack", root)
	}
	at -= r.Files.Chunks
	for _, day := range r.Days {
		if at >= day.Chunks {
			at -= day.Chunks
			continue
		}
		d, err := node[Day](ctx, keep, day.Link)
		if err != nil {
			return p, err
		}
		for _, dr := range d.Drives {
			if at >= dr.Chunks {
				at -= dr.Chunks
				continue
			}
			fs, err := node[Drive](ctx, keep, dr.Link)
			if err != nil {
				return p, err
			}
			for _, f := range fs.Frames {
				n := Chunks(f.Bytes)
				if at < n {
					p.obj, p.chunk = Object{Name: f.ID, Link: f.Image, Bytes: f.Bytes, Tree: f.Tree}, at
					return p, nil
				}
				at -= n
			}
		}
		break
	}
	return p, survey.Errorf(survey.Invalid, "archive root %s counts chunks that its days lack", root)
}

func chunks(r Root) int64 {
	n := r.Files.Chunks
	for _, d := range r.Days {
		n += d.Chunks
	}
	return n
}

// Prove answers an audit with k picks. An object that is missing or damaged is an error that names it: there is no
// proof without it.
func Prove(ctx context.Context, get Getter, root Link, beacon string, k int) (Proof, error) {
	p := Proof{Format: auditFormat, Root: root.String(), Beacon: beacon}
	if beacon == "" {
		return p, survey.Errorf(survey.Invalid, "an audit needs a beacon: public randomness from after the archive was made").WithHint("for example the hash of today's first block of a public chain, or a drand round")
	}
	if k < 1 || k > maxPicks {
		return p, survey.Errorf(survey.Invalid, "an audit has 1 to %d picks, not %d", maxPicks, k)
	}
	r, err := ReadRoot(ctx, get, root)
	if err != nil {
		return p, err
	}
	if p.Chunks = chunks(r); p.Chunks == 0 {
		return p, survey.Errorf(survey.NotFound, "archive %s is empty: nothing to audit", root)
	}
	for i := range k {
		at, err := locate(ctx, get, root, choose(root, beacon, i, p.Chunks))
		if err != nil {
			return p, err
		}
		b, err := get(ctx, at.obj.Link)
		if err != nil {
			return p, fmt.Errorf("pick %d, %s: %w", i, at.obj.Name, err)
		}
		if err := check(at.obj.Link, b); err != nil {
			return p, fmt.Errorf("pick %d, %s: %w", i, at.obj.Name, err)
		}
		hs, _, err := leaves(bytes.NewReader(b))
		if err != nil {
			return p, err
		}
		off := at.chunk * ChunkSize
		p.Picks = append(p.Picks, Pick{Nodes: at.nodes, Object: at.obj.Link.String(),
			Chunk: b[off:min(int64(len(b)), off+ChunkSize)], Path: prove(hs, int(at.chunk))})
	}
	return p, nil
}

// ParseProof reads a proof as JSON.
func ParseProof(b []byte) (Proof, error) {
	var p Proof
	if err := json.Unmarshal(b, &p); err != nil {
		return p, survey.Errorf(survey.Invalid, "audit proof: %w", err)
	}
	if p.Format != auditFormat {
		return p, survey.Errorf(survey.Unsupported, "audit proof has format %.40q, this version reads %s", p.Format, auditFormat)
	}
	return p, nil
}

// Check verifies a proof against a root and a beacon that the auditor knows from elsewhere. It needs nothing else.
func (p Proof) Check(ctx context.Context, root Link, beacon string, k int) error {
	if p.Root != root.String() {
		return survey.Errorf(survey.Invalid, "audit proof is of root %.80s, not %s", p.Root, root)
	}
	if p.Beacon != beacon {
		return survey.Errorf(survey.Invalid, "audit proof answers beacon %.80q, not %q", p.Beacon, beacon)
	}
	if len(p.Picks) != k || k < 1 || k > maxPicks {
		return survey.Errorf(survey.Invalid, "audit proof has %d picks, want %d", len(p.Picks), k)
	}
	for i, pick := range p.Picks {
		given := map[Link][]byte{}
		for _, b := range pick.Nodes {
			given[Raw(survey.HashOf(b))] = b
		}
		get := func(_ context.Context, l Link) ([]byte, error) {
			if b, ok := given[Raw(l.hash())]; ok {
				return b, nil
			}
			return nil, survey.Errorf(survey.NotFound, "the proof lacks block %s", l)
		}
		r, err := ReadRoot(ctx, get, root)
		if err != nil {
			return fmt.Errorf("pick %d: %w", i, err)
		}
		n := chunks(r)
		if n <= 0 || n != p.Chunks {
			return survey.Errorf(survey.Invalid, "pick %d: the root counts %d chunks, the proof %d", i, n, p.Chunks)
		}
		at, err := locate(ctx, get, root, choose(root, beacon, i, n))
		if err != nil {
			return fmt.Errorf("pick %d: %w", i, err)
		}
		if !proves(at.obj.Tree, pick.Chunk, at.chunk, at.obj.Bytes, pick.Path) {
			return survey.Errorf(survey.Invalid, "pick %d: the bytes given for chunk %d of %s are not those of the archive", i, at.chunk, at.obj.Name)
		}
	}
	return nil
}

// Detection is the chance that audits of k picks on each of days find out who lost the share (0 to 1) of the chunks:
// 1 − (1 − share)^(k·days). It is a chance of detection; it prevents nothing.
func Detection(share float64, k, days int) float64 { return 1 - math.Pow(1-share, float64(k*days)) }
