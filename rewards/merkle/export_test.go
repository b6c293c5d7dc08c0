package merkle_test

import (
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards/merkle"
)

type uniswapFile struct {
	MerkleRoot, TokenTotal string
	Claims                 map[string]struct {
		Index  int
		Amount string
		Proof  []string
	}
}

func uniswap(t *testing.T, ls ...merkle.Leaf) uniswapFile {
	t.Helper()
	b, err := merkle.Uniswap(ls)
	if err != nil {
		t.Fatal(err)
	}
	var f uniswapFile
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func parse(t *testing.T, s string) merkle.Address {
	t.Helper()
	a, err := merkle.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// scripts/example.json and test/MerkleDistributor.test.ts of Uniswap/merkle-distributor.
func TestUniswapGoldenFiles(t *testing.T) {
	one := uniswap(t, merkle.Leaf{Address: parse(t, "0x5C69bEe701ef814a2B6a3EDD4B1652CB9cc5aA6f"), Amount: 100})
	if c := one.Claims["0x5C69bEe701ef814a2B6a3EDD4B1652CB9cc5aA6f"]; one.MerkleRoot != "0xdefa96435aec82d201dbd2e5f050fb4e1fef5edac90ce1e03953f916a5e1132d" || one.TokenTotal != "0x64" || len(c.Proof) != 0 || c.Amount != "0x64" {
		t.Errorf("%+v", one)
	}
	three := uniswap(t,
		merkle.Leaf{Address: parse(t, "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"), Amount: 200},
		merkle.Leaf{Address: parse(t, "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"), Amount: 300},
		merkle.Leaf{Address: parse(t, "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"), Amount: 250})
	if three.TokenTotal != "0x02ee" || three.MerkleRoot != "0xfa438d67adba59048c48cd14c4cd5ff18d99a4e4e2729b3cf81b51c46223bd22" {
		t.Errorf("%s %s", three.TokenTotal, three.MerkleRoot)
	}
	for a, want := range map[string][]string{
		"0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC": {"0", "0x0c9bcaca2a1013557ef7f348b514ab8a8cd6c7051b69e46b1681a2aff22f4a88"},
		"0x70997970C51812dc3A010C7d01b50e0d17dc79C8": {"1", "0xc86fd316fa3e7b83c2665b5ccb63771e78abcc0429e0105c91dde37cb9b857a4", "0xf3c5acb53398e1d11dcaa74e37acc33d228f5da944fbdea9a918684074a21cdb"},
		"0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266": {"2", "0x0782528e118c4350a2465fbeabec5e72fff06991a29f21c08d37a0d275e38ddd", "0xf3c5acb53398e1d11dcaa74e37acc33d228f5da944fbdea9a918684074a21cdb"},
	} {
		c := three.Claims[a]
		if got := append([]string{string(rune('0' + c.Index))}, c.Proof...); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s: %v", a, got)
		}
	}
	if _, err := merkle.Uniswap(nil); survey.KindOf(err) != survey.Invalid {
		t.Errorf("nothing: %v", err)
	}
	if _, err := merkle.Uniswap([]merkle.Leaf{{repeat("1"), 1}, {repeat("1"), 2}}); survey.KindOf(err) != survey.Invalid {
		t.Errorf("twice: %v", err)
	}
}

// The two tree shapes give the same root for some numbers of leaves; here only the shape is compared.
func TestUniswapPromotesTheOddNode(t *testing.T) {
	leaves := make([]merkle.Leaf, 5)
	for i := range leaves {
		leaves[i] = merkle.Leaf{Address: repeat(string(rune('1' + i))), Amount: survey.Amount(i + 1)}
	}
	lengths := map[int]int{}
	for _, c := range uniswap(t, leaves...).Claims {
		lengths[len(c.Proof)]++
	}
	if lengths[3] != 4 || lengths[1] != 1 {
		t.Errorf("proof lengths of five leaves: %v", lengths)
	}
}

// test/merkle_tree.json of jito-foundation/distributor.
func TestJitoGoldenFile(t *testing.T) {
	var claims []merkle.JitoClaim
	for _, s := range []string{"FLYqJsmJ5AGMxMxK3Qy1rSen4ES2dqqo6h51W3C1tYS", "EDGARWktv3nDxRYjufjdbZmryqGXceaFPoPpbUzdpqED", "EDGARWktv3nDxRYjufjdbZmryqGXceaFPoPpbUzdpqEH"} {
		k, err := merkle.SolanaKey(s)
		if err != nil {
			t.Fatal(err)
		}
		// Each in two halves: they are added up.
		claims = append(claims, merkle.JitoClaim{Claimant: k, Unlocked: 40e9, Locked: 100e9})
	}
	for _, c := range claims[:3:3] {
		claims = append(claims, merkle.JitoClaim{Claimant: c.Claimant, Unlocked: 60e9})
	}
	root, file, err := merkle.Jito(claims)
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(root[:]); got != "e9d8bcb1000f819fda5379a06e651b075960d81549b9480146b8835db12e7dab" {
		t.Errorf("root %s", got)
	}
	var f struct {
		MaxNumNodes   int    `json:"max_num_nodes"`
		MaxTotalClaim uint64 `json:"max_total_claim"`
		MerkleRoot    []int  `json:"merkle_root"`
		TreeNodes     []struct {
			Proof    [][]int `json:"proof"`
			Unlocked uint64  `json:"amount_unlocked"`
		} `json:"tree_nodes"`
	}
	if err := json.Unmarshal(file, &f); err != nil {
		t.Fatal(err)
	}
	if f.MaxNumNodes != 3 || f.MaxTotalClaim != 600e9 || len(f.MerkleRoot) != 32 || f.TreeNodes[0].Unlocked != 100e9 {
		t.Errorf("%s", file)
	}
	var proof []string
	for _, p := range f.TreeNodes[0].Proof {
		b := make([]byte, len(p))
		for i, v := range p {
			b[i] = byte(v)
		}
		proof = append(proof, hex.EncodeToString(b))
	}
	if strings.Join(proof, " ") != "b63f39b6d122b6e8e48a92d2743a9c98506925562ca117a068aca9a9420817f5 743a070953ade5d63346c7196713fd4b3149276964fb3cbf3b66527a519bce2f" {
		t.Errorf("proof %v", proof)
	}
	for _, bad := range []string{"", "0", "1", strings.Repeat("z", 44), strings.Repeat("1", 33)} {
		if _, err := merkle.SolanaKey(bad); survey.KindOf(err) != survey.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
