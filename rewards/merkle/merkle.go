// Package merkle makes the tree from which rewards are claimed: OpenZeppelin's "standard-v1" over
// ["address","uint256"], where the amount is what the address has earned in all epochs together. The dump is, byte for
// byte, what @openzeppelin/merkle-tree writes with JSON.stringify, and each reads the other's.
package merkle

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math/bits"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/crypto/sha3"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Hash is a Keccak-256 digest.
type Hash [32]byte

// String is 0x and 64 lower-case hex digits.
func (h Hash) String() string { return "0x" + hex.EncodeToString(h[:]) }

// ParseHash reads the text form; any other text is Invalid.
func ParseHash(s string) (h Hash, err error) {
	if len(s) != 66 || !strings.HasPrefix(s, "0x") {
		return h, survey.Errorf(survey.Invalid, "node %.70q is not 0x and 64 hex digits", s)
	}
	if _, err := hex.Decode(h[:], []byte(s[2:])); err != nil {
		return Hash{}, survey.Errorf(survey.Invalid, "node %.70q is not hex: %w", s, err)
	}
	return h, nil
}

// Keccak256 is the digest of EVM chains (the padding of the Keccak submission, not of SHA-3).
func Keccak256(parts ...[]byte) (h Hash) {
	k := sha3.NewLegacyKeccak256()
	for _, p := range parts {
		k.Write(p)
	}
	k.Sum(h[:0])
	return h
}

// Address is an EVM account. The zero Address is none.
type Address [20]byte

// String is 0x and 40 lower-case hex digits.
func (a Address) String() string               { return "0x" + hex.EncodeToString(a[:]) }
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

func (a *Address) UnmarshalText(b []byte) error {
	p, err := ParseAddress(string(b))
	if err == nil {
		*a = p
	}
	return err
}

// ParseAddress reads 0x and 40 hex digits. Digits of mixed case must be the EIP-55 checksum of the address. The zero
// address and any other text are Invalid.
func ParseAddress(s string) (a Address, err error) {
	if len(s) != 42 || !strings.HasPrefix(s, "0x") {
		return a, survey.Errorf(survey.Invalid, "address %.50q is not 0x and 40 hex digits", s)
	}
	if _, err := hex.Decode(a[:], []byte(s[2:])); err != nil {
		return Address{}, survey.Errorf(survey.Invalid, "address %.50q is not hex: %w", s, err)
	}
	if a == (Address{}) {
		return a, survey.Errorf(survey.Invalid, "the zero address cannot be paid")
	}
	if d := s[2:]; d != strings.ToLower(d) && d != strings.ToUpper(d) && s != a.Checksum() {
		return Address{}, survey.Errorf(survey.Invalid, "address %s has a wrong checksum", s).WithHint("check for a mistyped digit; expected %s", a.Checksum())
	}
	return a, nil
}

// Checksum is the EIP-55 form: a hex letter is upper-case where the digest of the lower-case digits has a nibble of 8
// or more.
func (a Address) Checksum() string {
	d := []byte(hex.EncodeToString(a[:]))
	h := Keccak256(d)
	for i, c := range d {
		if c >= 'a' && h[i/2]>>(4*(1-i%2))&0xf >= 8 {
			d[i] = c - 32
		}
	}
	return "0x" + string(d)
}

// Leaf is what an address may have claimed in total.
type Leaf struct {
	Address Address
	Amount  survey.Amount // not negative
}

// LeafHash is keccak256(keccak256(abi.encode(address, uint256))).
func LeafHash(l Leaf) Hash {
	k := newHasher()
	return k.leaf(l)
}

// hasher reuses one Keccak state and its buffer; making a tree is little else than hashing.
type hasher struct {
	k interface {
		Write([]byte) (int, error)
		Read([]byte) (int, error)
		Reset()
	}
	buf [64]byte
}

func newHasher() *hasher {
	return &hasher{k: sha3.NewLegacyKeccak256().(interface {
		Write([]byte) (int, error)
		Read([]byte) (int, error)
		Reset()
	})}
}

func (h *hasher) sum(n int) (out Hash) {
	h.k.Reset()
	h.k.Write(h.buf[:n])
	h.k.Read(h.buf[:32]) // squeezes without the copy that Sum makes
	return Hash(h.buf[:32])
}

func (h *hasher) leaf(l Leaf) Hash {
	h.buf = [64]byte{}
	copy(h.buf[12:32], l.Address[:])
	binary.BigEndian.PutUint64(h.buf[56:64], uint64(l.Amount))
	h.sum(64)
	return h.sum(32)
}

func (h *hasher) node(a, b Hash) Hash {
	if bytes.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	copy(h.buf[:32], a[:])
	copy(h.buf[32:], b[:])
	return h.sum(64)
}

// Tree is a complete binary tree in an array: node i has the children 2i+1 and 2i+2, and the leaves, ascending by hash,
// fill it from the end.
type Tree struct {
	nodes  []Hash
	leaves []Leaf
	index  []int // leaf → node
	find   map[Address]int
}

// New makes the tree; values keep the order given. No leaves, an address twice, the zero address or a negative amount
// are Invalid: the library takes duplicates, a payout must not.
func New(leaves []Leaf) (*Tree, error) {
	n := len(leaves)
	if n == 0 {
		return nil, survey.Errorf(survey.Invalid, "a Merkle tree needs at least one leaf")
	}
	t := &Tree{nodes: make([]Hash, 2*n-1), leaves: slices.Clone(leaves), index: make([]int, n), find: make(map[Address]int, n)}
	for i, l := range leaves {
		if _, dup := t.find[l.Address]; dup {
			return nil, survey.Errorf(survey.Invalid, "address %s occurs twice", l.Address)
		}
		if l.Amount < 0 || l.Address == (Address{}) {
			return nil, survey.Errorf(survey.Invalid, "address %s cannot have %d base units", l.Address, int64(l.Amount))
		}
		t.find[l.Address] = i
	}
	type hashed struct {
		h Hash
		i int
	}
	hs := make([]hashed, n)
	spread(0, n, func(from, to int) {
		h := newHasher()
		for i := from; i < to; i++ {
			hs[i] = hashed{h.leaf(leaves[i]), i}
		}
	})
	// By the first byte into 256 parts, each of which is then sorted: hashes are spread evenly.
	var ends [256]int
	for i := range hs {
		ends[hs[i].h[0]]++
	}
	starts, sum := [257]int{}, 0
	for i, n := range ends {
		starts[i], ends[i] = sum, sum
		sum += n
	}
	starts[256] = n
	sorted := make([]hashed, n)
	for _, e := range hs {
		sorted[ends[e.h[0]]] = e
		ends[e.h[0]]++
	}
	spread(0, 256, func(from, to int) {
		for i := from; i < to; i++ {
			slices.SortFunc(sorted[starts[i]:starts[i+1]], func(a, b hashed) int { return bytes.Compare(a.h[:], b.h[:]) })
		}
	})
	for k, e := range sorted {
		at := len(t.nodes) - 1 - k
		t.nodes[at], t.index[e.i] = e.h, at
	}
	// Level by level from the deepest: nodes of one level need only those below.
	for end := n - 1; end > 0; {
		begin := 1<<(bits.Len(uint(end))-1) - 1
		spread(begin, end, func(from, to int) {
			h := newHasher()
			for i := from; i < to; i++ {
				t.nodes[i] = h.node(t.nodes[2*i+1], t.nodes[2*i+2])
			}
		})
		end = begin
	}
	return t, nil
}

// spread calls fn for parts of [from, to) side by side, as many as there are processors, or once where that is not worth it.
func spread(from, to int, fn func(from, to int)) {
	parts := runtime.GOMAXPROCS(0)
	if to-from < 256 || parts == 1 {
		fn(from, to)
		return
	}
	var wg sync.WaitGroup
	for i := range parts {
		wg.Go(func() { fn(from+(to-from)*i/parts, from+(to-from)*(i+1)/parts) })
	}
	wg.Wait()
}

// Root is what the chain holds.
func (t *Tree) Root() Hash { return t.nodes[0] }

// Leaves are the values in the order given to New; the slice must not be changed.
func (t *Tree) Leaves() []Leaf { return t.leaves }

// Proof is the leaf of an address and its siblings from the leaf up; ok is false when the tree lacks the address. The
// proof of the only leaf is empty.
func (t *Tree) Proof(a Address) (l Leaf, proof []Hash, ok bool) {
	i, ok := t.find[a]
	if !ok {
		return Leaf{}, nil, false
	}
	proof = []Hash{}
	for at := t.index[i]; at > 0; at = (at - 1) / 2 {
		proof = append(proof, t.nodes[at-1+2*(at%2)])
	}
	return t.leaves[i], proof, true
}

// Verify reports whether the proof leads from the leaf to the root.
func Verify(root Hash, l Leaf, proof []Hash) bool {
	h := newHasher()
	at := h.leaf(l)
	for _, p := range proof {
		at = h.node(at, p)
	}
	return at == root
}

// Dump is the JSON that StandardMerkleTree.load reads, without white space or a final newline.
func (t *Tree) Dump() []byte {
	b := make([]byte, 0, 100+len(t.nodes)*69+len(t.leaves)*100)
	b = append(b, `{"format":"standard-v1","leafEncoding":["address","uint256"],"tree":[`...)
	for i, n := range t.nodes {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `"0x`...)
		b = hex.AppendEncode(b, n[:])
		b = append(b, '"')
	}
	b = append(b, `],"values":[`...)
	for i, l := range t.leaves {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"value":["0x`...)
		b = hex.AppendEncode(b, l.Address[:])
		b = append(b, `","`...)
		b = strconv.AppendInt(b, int64(l.Amount), 10)
		b = append(b, `"],"treeIndex":`...)
		b = strconv.AppendInt(b, int64(t.index[i]), 10)
		b = append(b, '}')
	}
	return append(b, "]}"...)
}

// Load reads a dump and checks all of it: the format, every node against its children and every value against its
// node. Anything wrong is Invalid.
func Load(b []byte) (*Tree, error) {
	var d struct {
		Format       string   `json:"format"`
		LeafEncoding []string `json:"leafEncoding"`
		Tree         []string `json:"tree"`
		Values       []struct {
			Value     []string `json:"value"`
			TreeIndex int      `json:"treeIndex"`
		} `json:"values"`
	}
	if err := json.Unmarshal(b, &d); err != nil {
		return nil, survey.Errorf(survey.Invalid, "Merkle dump: %w", err)
	}
	if d.Format != "standard-v1" || !slices.Equal(d.LeafEncoding, []string{"address", "uint256"}) {
		return nil, survey.Errorf(survey.Unsupported, "Merkle dump is %.20q of %.60q, want standard-v1 of address, uint256", d.Format, d.LeafEncoding)
	}
	if len(d.Values) == 0 || len(d.Tree) != 2*len(d.Values)-1 {
		return nil, survey.Errorf(survey.Invalid, "Merkle dump has %d nodes for %d values", len(d.Tree), len(d.Values))
	}
	leaves := make([]Leaf, len(d.Values))
	for i, v := range d.Values {
		if len(v.Value) != 2 {
			return nil, survey.Errorf(survey.Invalid, "value %d of the Merkle dump has %d parts", i, len(v.Value))
		}
		a, err := ParseAddress(v.Value[0])
		if err != nil {
			return nil, err
		}
		n, err := strconv.ParseInt(v.Value[1], 10, 64)
		if err != nil || n < 0 {
			return nil, survey.Errorf(survey.Invalid, "amount %.80q of %s is not a number of base units", v.Value[1], a)
		}
		leaves[i] = Leaf{a, survey.Amount(n)}
	}
	t, err := New(leaves)
	if err != nil {
		return nil, err
	}
	for i, s := range d.Tree {
		if n, err := ParseHash(s); err != nil {
			return nil, err
		} else if n != t.nodes[i] {
			return nil, survey.Errorf(survey.Invalid, "node %d of the Merkle dump is %s, its values give %s", i, n, t.nodes[i])
		}
	}
	for i, v := range d.Values {
		if v.TreeIndex != t.index[i] {
			return nil, survey.Errorf(survey.Invalid, "%s is said to be node %d, it is node %d", leaves[i].Address, v.TreeIndex, t.index[i])
		}
	}
	return t, nil
}
