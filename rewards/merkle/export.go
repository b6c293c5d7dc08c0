package merkle

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Uniswap is the claims file of Uniswap's merkle-distributor for the leaves: another tree over the same amounts, in
// which the leaf is keccak256(index ‖ account ‖ amount), an odd node is promoted unchanged, and accounts are numbered in
// the order of their checksummed text. That contract pays an index once, so its amounts must be those of one payment,
// not cumulative ones. Addresses without an amount are left out; none left, or one twice, is Invalid.
func Uniswap(leaves []Leaf) ([]byte, error) {
	type entry struct {
		Leaf
		name string
		hash Hash
	}
	var es []entry
	var total uint64
	for _, l := range leaves {
		if l.Amount < 0 || l.Address == (Address{}) {
			return nil, survey.Errorf(survey.Invalid, "address %s cannot have %d base units", l.Address, int64(l.Amount))
		}
		if l.Amount > 0 {
			es = append(es, entry{Leaf: l, name: l.Address.Checksum()})
			total += uint64(l.Amount)
		}
	}
	if len(es) == 0 {
		return nil, survey.Errorf(survey.Invalid, "there is nothing to distribute")
	}
	slices.SortFunc(es, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	for i := range es {
		if i > 0 && es[i].Address == es[i-1].Address {
			return nil, survey.Errorf(survey.Invalid, "address %s occurs twice", es[i].name)
		}
		var b [84]byte
		binary.BigEndian.PutUint64(b[24:32], uint64(i))
		copy(b[32:52], es[i].Address[:])
		binary.BigEndian.PutUint64(b[76:84], uint64(es[i].Amount))
		es[i].hash = Keccak256(b[:])
	}
	layer := make([]Hash, len(es))
	for i, e := range es {
		layer[i] = e.hash
	}
	slices.SortFunc(layer, func(a, b Hash) int { return bytes.Compare(a[:], b[:]) })
	at := make(map[Hash]int, len(layer)) // where a leaf's path is in the current layer
	for i, h := range layer {
		at[h] = i
	}
	proofs := make(map[Hash][]Hash, len(layer))
	h := newHasher()
	for len(layer) > 1 {
		var up []Hash
		for i := 0; i < len(layer); i += 2 {
			if i+1 == len(layer) {
				up = append(up, layer[i])
			} else {
				up = append(up, h.node(layer[i], layer[i+1]))
			}
		}
		for leaf, i := range at {
			if s := i ^ 1; s < len(layer) {
				proofs[leaf] = append(proofs[leaf], layer[s])
			}
			at[leaf] = i / 2
		}
		layer = up
	}
	b := append([]byte(nil), `{"merkleRoot":"`...)
	b = append(b, layer[0].String()...)
	b = append(b, `","tokenTotal":"`...)
	b = append(b, evenHex(total)...)
	b = append(b, `","claims":{`...)
	for i, e := range es {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `"`+e.name+`":{"index":`...)
		b = strconv.AppendInt(b, int64(i), 10)
		b = append(b, `,"amount":"`+evenHex(uint64(e.Amount))+`","proof":[`...)
		for j, p := range proofs[e.hash] {
			if j > 0 {
				b = append(b, ',')
			}
			b = append(b, `"`+p.String()+`"`...)
		}
		b = append(b, "]}"...)
	}
	return append(b, "}}"...), nil
}

// evenHex is the number as BigNumber.toHexString writes it: whole bytes.
func evenHex(n uint64) string {
	s := strconv.FormatUint(n, 16)
	if len(s)%2 == 1 {
		s = "0" + s
	}
	return "0x" + s
}

// JitoClaim is what a Solana account may claim.
type JitoClaim struct {
	Claimant         [32]byte // public key
	Unlocked, Locked uint64
}

// Jito is the tree file of jito-foundation's distributor: SHA-256, leaves in the order of first appearance with
// repeated claimants added up, an odd node paired with itself. No claims, or amounts beyond 64 bits, are Invalid.
func Jito(claims []JitoClaim) (root [32]byte, file []byte, err error) {
	index := map[[32]byte]int{}
	var cs []JitoClaim
	var total uint64
	for _, c := range claims {
		i, ok := index[c.Claimant]
		if !ok {
			i = len(cs)
			index[c.Claimant] = i
			cs = append(cs, JitoClaim{Claimant: c.Claimant})
		}
		sum := total + c.Unlocked
		if sum < total || sum+c.Locked < sum {
			return root, nil, survey.Errorf(survey.Invalid, "the claims are beyond 64 bits")
		}
		total = sum + c.Locked
		cs[i].Unlocked += c.Unlocked
		cs[i].Locked += c.Locked
	}
	if len(cs) == 0 {
		return root, nil, survey.Errorf(survey.Invalid, "there is nothing to distribute")
	}
	layer := make([][32]byte, len(cs))
	for i, c := range cs {
		var b [48]byte
		copy(b[:], c.Claimant[:])
		binary.LittleEndian.PutUint64(b[32:], c.Unlocked)
		binary.LittleEndian.PutUint64(b[40:], c.Locked)
		inner := sha256.Sum256(b[:])
		layer[i] = sha256.Sum256(append([]byte{0}, inner[:]...))
	}
	proofs := make([][][32]byte, len(cs))
	for level := 0; len(layer) > 1; level++ {
		for i := range cs {
			s := i>>level ^ 1
			if s >= len(layer) {
				s = i >> level
			}
			proofs[i] = append(proofs[i], layer[s])
		}
		up := make([][32]byte, (len(layer)+1)/2)
		for i := range up {
			l, r := layer[2*i], layer[min(2*i+1, len(layer)-1)]
			if bytes.Compare(l[:], r[:]) > 0 {
				l, r = r, l
			}
			up[i] = sha256.Sum256(slices.Concat([]byte{1}, l[:], r[:]))
		}
		layer = up
	}
	b := append([]byte(nil), `{"merkle_root":`...)
	b = appendBytes(b, layer[0])
	b = append(b, `,"max_num_nodes":`...)
	b = strconv.AppendInt(b, int64(len(cs)), 10)
	b = append(b, `,"max_total_claim":`...)
	b = strconv.AppendUint(b, total, 10)
	b = append(b, `,"tree_nodes":[`...)
	for i, c := range cs {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"claimant":`...)
		b = appendBytes(b, c.Claimant)
		b = append(b, `,"amount_unlocked":`...)
		b = strconv.AppendUint(b, c.Unlocked, 10)
		b = append(b, `,"amount_locked":`...)
		b = strconv.AppendUint(b, c.Locked, 10)
		b = append(b, `,"proof":[`...)
		for j, p := range proofs[i] {
			if j > 0 {
				b = append(b, ',')
			}
			b = appendBytes(b, p)
		}
		b = append(b, "]}"...)
	}
	return layer[0], append(b, "]}"...), nil
}

func appendBytes(b []byte, x [32]byte) []byte {
	b = append(b, '[')
	for i, v := range x {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(v), 10)
	}
	return append(b, ']')
}

// SolanaKey reads a public key in base 58; any other text is Invalid.
func SolanaKey(s string) (k [32]byte, err error) {
	const digits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	var n [33]byte // one byte more shows an overflow
	for _, c := range []byte(s) {
		carry := bytes.IndexByte([]byte(digits), c)
		if carry < 0 {
			return k, survey.Errorf(survey.Invalid, "public key %.50q is not base 58", s)
		}
		for i := len(n) - 1; i >= 0; i-- {
			carry += 58 * int(n[i])
			n[i] = byte(carry)
			carry >>= 8
		}
		if n[0] != 0 || carry != 0 {
			return k, survey.Errorf(survey.Invalid, "public key %.50q is longer than 32 bytes", s)
		}
	}
	zeros := len(s) - len(bytes.TrimLeft([]byte(s), "1"))
	k = [32]byte(n[1:])
	if lead := len(k) - len(bytes.TrimLeft(k[:], "\x00")); lead != zeros {
		return k, survey.Errorf(survey.Invalid, "public key %.50q is not 32 bytes", s)
	}
	return k, nil
}
