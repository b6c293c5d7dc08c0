package merkle_test

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards/merkle"
)

func repeat(digit string) merkle.Address {
	a, err := merkle.ParseAddress("0x" + strings.Repeat(digit, 40))
	if err != nil {
		panic(err)
	}
	return a
}

func ExampleNew() {
	t, err := merkle.New([]merkle.Leaf{{repeat("1"), 5_000_000_000_000_000_000}, {repeat("2"), 2_500_000_000_000_000_000}})
	if err != nil {
		panic(err)
	}
	leaf, proof, _ := t.Proof(repeat("1"))
	fmt.Println(t.Root(), merkle.Verify(t.Root(), leaf, proof))
	// Output: 0xd4dee0beab2d53f2cc83e567171bd2820e49898130a22622b10ead383e90bd77 true
}

// The README's two leaves, one leaf, and five: the smallest number where promoting the odd node gives another root.
func TestGoldenRoots(t *testing.T) {
	five := make([]merkle.Leaf, 5)
	for i := range five {
		five[i] = merkle.Leaf{Address: repeat(fmt.Sprint(i + 1)), Amount: survey.Amount(i+1) * 1e18}
	}
	tree, err := merkle.New(five)
	if err != nil {
		t.Fatal(err)
	}
	if got := tree.Root().String(); got != "0xcd2bc7262ffb6d412e83324914e605c9fa1857d8a239effd5e62011a99055358" {
		t.Errorf("root of five: %s", got)
	}
	if got := merkle.LeafHash(five[0]).String(); got != "0xb38ec842db1cd54e5e5ce48491f1a404551e9726ebda349d0478e189e0996dd4" {
		t.Errorf("leaf: %s", got)
	}
	_, proof, _ := tree.Proof(repeat("1"))
	want := "[0x99d34ac9269a939bf57828b114d22e3b906ef79fd21c891623c930569e3a70b0 0x92214c0de48dfbd98f98a75a670ab61c89d902b89cafb981d65a68725e8094d7]"
	if got := fmt.Sprint(proof); got != want {
		t.Errorf("proof: %s", got)
	}
	if !strings.Contains(string(tree.Dump()), `{"value":["0x1111111111111111111111111111111111111111","1000000000000000000"],"treeIndex":5}`) {
		t.Errorf("dump: %s", tree.Dump())
	}

	one, err := merkle.New(five[:1])
	if err != nil {
		t.Fatal(err)
	}
	if _, proof, ok := one.Proof(repeat("1")); !ok || len(proof) != 0 || one.Root() != merkle.LeafHash(five[0]) {
		t.Errorf("one leaf: root %s, proof %v", one.Root(), proof)
	}
}

// As written by @openzeppelin/merkle-tree 1.0.8.
func TestDumpIsByteForByteTheLibrarys(t *testing.T) {
	const want = `{"format":"standard-v1","leafEncoding":["address","uint256"],"tree":["0xd9e2e0948afbf0f9d754cf9083e2282f912d84354126192574d91c1eed90d55b","0xdc984b7043e0c8ae8e70bc0e6568af0135198234df994ba88ca915bbf0734048","0xdbab0b93196101a262b6f891b5786c9868513d8fc48f8757ee197f9cf288d94b"],"values":[{"value":["0x1111111111111111111111111111111111111111","5"],"treeIndex":1},{"value":["0x2222222222222222222222222222222222222222","7"],"treeIndex":2}]}`
	tree, err := merkle.New([]merkle.Leaf{{repeat("1"), 5}, {repeat("2"), 7}})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(tree.Dump()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestEveryLeafProvesAndNothingElseDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 70).Draw(t, "n")
		leaves := make([]merkle.Leaf, n)
		for i := range leaves {
			leaves[i].Address[0], leaves[i].Address[19] = byte(i), 1
			leaves[i].Amount = survey.Amount(rapid.Int64Range(0, 1<<62).Draw(t, "amount"))
		}
		tree, err := merkle.New(leaves)
		if err != nil {
			t.Fatal(err)
		}
		back, err := merkle.Load(tree.Dump())
		if err != nil || back.Root() != tree.Root() {
			t.Fatalf("load: %v", err)
		}
		for _, want := range leaves {
			l, proof, ok := back.Proof(want.Address)
			if !ok || l != want || !merkle.Verify(tree.Root(), l, proof) {
				t.Fatalf("%s does not prove", want.Address)
			}
			l.Amount++
			if merkle.Verify(tree.Root(), l, proof) {
				t.Fatalf("%s proves one unit more", want.Address)
			}
		}
	})
}

// However many processors share the work, the bytes are the same, and each node is the hash of its children.
func TestProcessorsDoNotChangeTheTree(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, n := range []int{1, 2, 255, 256, 257, 511, 512, 513, 1000, 4095, 4097} {
		leaves := make([]merkle.Leaf, n)
		for i := range leaves {
			h := merkle.Keccak256([]byte(fmt.Sprint(n, i)))
			copy(leaves[i].Address[:], h[:])
			leaves[i].Amount = survey.Amount(i)
		}
		var alone []byte
		for _, processors := range []int{1, 2, 3, 7} {
			runtime.GOMAXPROCS(processors)
			tree, err := merkle.New(leaves)
			if err != nil {
				t.Fatal(err)
			}
			if processors == 1 {
				alone = tree.Dump()
			} else if !bytes.Equal(tree.Dump(), alone) {
				t.Errorf("%d leaves with %d processors give other bytes", n, processors)
			}
			for _, l := range leaves {
				if _, proof, ok := tree.Proof(l.Address); !ok || !merkle.Verify(tree.Root(), l, proof) {
					t.Fatalf("%d leaves with %d processors: %s does not prove", n, processors, l.Address)
				}
			}
		}
	}
}

func TestBadTreesAreRefused(t *testing.T) {
	for name, ls := range map[string][]merkle.Leaf{
		"none":      nil,
		"duplicate": {{repeat("1"), 1}, {repeat("1"), 2}},
		"negative":  {{repeat("1"), -1}},
		"zero":      {{merkle.Address{}, 1}},
	} {
		if _, err := merkle.New(ls); survey.KindOf(err) != survey.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	tree, _ := merkle.New([]merkle.Leaf{{repeat("1"), 5}, {repeat("2"), 7}})
	dump := string(tree.Dump())
	for name, bad := range map[string]string{
		"empty":    "",
		"format":   strings.Replace(dump, "standard-v1", "simple-v1", 1),
		"encoding": strings.Replace(dump, "uint256", "uint128", 1),
		"node":     strings.Replace(dump, "0xd9e2", "0xd9e3", 1),
		"short":    strings.Replace(dump, "0xd9e2", "0x", 1),
		"amount":   strings.Replace(dump, `"7"`, `"8"`, 1),
		"number":   strings.Replace(dump, `"7"`, `"7.0"`, 1),
		"index":    strings.Replace(dump, `"treeIndex":1`, `"treeIndex":2`, 1),
		"count":    strings.Replace(dump, `"tree":[`, `"tree":["0x00",`, 1),
	} {
		if _, err := merkle.Load([]byte(bad)); err == nil {
			t.Errorf("%s was loaded", name)
		}
	}
}

func TestAddressesAreChecksummed(t *testing.T) {
	// EIP-55's own examples.
	for _, s := range []string{"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb"} {
		a, err := merkle.ParseAddress(s)
		if err != nil || a.Checksum() != s {
			t.Errorf("%s: %v %v", s, a.Checksum(), err)
		}
		if b, err := merkle.ParseAddress(strings.ToLower(s)); err != nil || a != b {
			t.Errorf("%s in lower case: %v", s, err)
		}
	}
	for _, s := range []string{"", "0x", "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD", "0x" + strings.Repeat("0", 40), "0x" + strings.Repeat("g", 40)} {
		if _, err := merkle.ParseAddress(s); survey.KindOf(err) != survey.Invalid {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func BenchmarkTree(b *testing.B) {
	for _, n := range []int{1e4, 1e6} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			leaves := make([]merkle.Leaf, n)
			for i := range leaves {
				h := merkle.Keccak256([]byte(fmt.Sprint(i)))
				copy(leaves[i].Address[:], h[:])
				leaves[i].Amount = survey.Amount(i)
			}
			b.ReportAllocs()
			for b.Loop() {
				t, err := merkle.New(leaves)
				if err != nil {
					b.Fatal(err)
				}
				for _, l := range leaves {
					if _, _, ok := t.Proof(l.Address); !ok {
						b.Fatal("no proof")
					}
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "leaves/s")
		})
	}
}
