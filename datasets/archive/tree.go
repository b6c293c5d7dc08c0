package archive

import (
	"crypto/sha256"
	"io"
	"math/bits"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// ChunkSize is the unit of an audit: whoever lacks a chunk of an object cannot answer for it.
const ChunkSize = 4096

// Chunks is how many chunks an object of n bytes has: at least one.
func Chunks(n int64) int64 { return max(1, (n+ChunkSize-1)/ChunkSize) }

type hash = [sha256.Size]byte

// Leaves and inner nodes are told apart by a first byte, as in RFC 6962, so that neither can pass for the other.
func leaf(chunk []byte) hash { return sha256.Sum256(append([]byte{0}, chunk...)) }

func inner(a, b hash) hash {
	var buf [1 + 2*sha256.Size]byte
	buf[0] = 1
	copy(buf[1:], a[:])
	copy(buf[1+sha256.Size:], b[:])
	return sha256.Sum256(buf[:])
}

// leaves hashes the chunks of r. Empty content has one empty chunk.
func leaves(r io.Reader) ([]hash, int64, error) {
	var out []hash
	var n int64
	buf := make([]byte, ChunkSize)
	for {
		m, err := io.ReadFull(r, buf)
		if m > 0 || len(out) == 0 {
			out = append(out, leaf(buf[:m]))
		}
		n += int64(m)
		switch err {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF:
			return out, n, nil
		default:
			return nil, n, err
		}
	}
}

// level folds a level of a Merkle tree; an odd last node goes up as it is (RFC 9162, section 2.1).
func level(hs []hash) []hash {
	out := hs[:0:0]
	for i := 0; i+1 < len(hs); i += 2 {
		out = append(out, inner(hs[i], hs[i+1]))
	}
	if len(hs)%2 == 1 {
		out = append(out, hs[len(hs)-1])
	}
	return out
}

// Tree is the root of the Merkle tree over an object's chunks of ChunkSize bytes, and the object's length.
func Tree(r io.Reader) (root []byte, n int64, err error) {
	hs, n, err := leaves(r)
	if err != nil {
		return nil, n, err
	}
	for len(hs) > 1 {
		hs = level(hs)
	}
	return hs[0][:], n, nil
}

// prove gives the sibling hashes from the chunk up to the root.
func prove(hs []hash, i int) [][]byte {
	var path [][]byte
	for len(hs) > 1 {
		if j := i ^ 1; j < len(hs) {
			path = append(path, append([]byte(nil), hs[j][:]...))
		}
		hs, i = level(hs), i/2
	}
	return path
}

// proves reports whether chunk is number i of an object of n bytes with the tree root.
func proves(root, chunk []byte, i, n int64, path [][]byte) bool {
	last := Chunks(n) - 1
	if i < 0 || i > last || len(path) > bits.Len64(uint64(last)) {
		return false
	}
	if want := min(ChunkSize, n-i*ChunkSize); int64(len(chunk)) != want {
		return false
	}
	h := leaf(chunk)
	for ; last > 0; i, last = i/2, last/2 {
		if i == last && i%2 == 0 { // the odd last one has no sibling
			continue
		}
		if len(path) == 0 || len(path[0]) != sha256.Size {
			return false
		}
		sib := hash(path[0])
		path = path[1:]
		if i%2 == 1 {
			h = inner(sib, h)
		} else {
			h = inner(h, sib)
		}
	}
	return len(path) == 0 && string(h[:]) == string(root)
}

// treeOf hashes an object that must have the content hash, and n bytes.
func treeOf(r io.Reader, want survey.Hash, n int64) ([]byte, error) {
	sum := sha256.New()
	root, got, err := Tree(io.TeeReader(r, sum))
	if err != nil {
		return nil, err
	}
	if h := survey.Hash(sum.Sum(nil)); got != n || h != want {
		return nil, survey.Errorf(survey.Invalid, "archive: object has %d bytes and SHA-256 %s, want %d and %s", got, h, n, want)
	}
	return root, nil
}
