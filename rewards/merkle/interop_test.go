package merkle_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards/merkle"
)

// TestInteropWithOpenZeppelin needs Node and the library (../interop/interop.sh installs it).
func TestInteropWithOpenZeppelin(t *testing.T) {
	if _, err := os.Stat("../interop/node_modules"); err != nil {
		if os.Getenv("ROADCOMB_INTEROP") != "" {
			t.Fatal(err)
		}
		t.Skip("@openzeppelin/merkle-tree is not installed; run rewards/interop/interop.sh")
	}
	dir := t.TempDir()
	args := []string{"merkle.mjs"}
	trees := map[string]*merkle.Tree{}
	for _, n := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 100} {
		leaves := make([]merkle.Leaf, n)
		for i := range leaves {
			h := merkle.Keccak256(fmt.Append(nil, n, i))
			copy(leaves[i].Address[:], h[:])
			leaves[i].Amount = survey.Amount(i) << (i % 40)
		}
		tree, err := merkle.New(leaves)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, fmt.Sprint(n, ".json"))
		if err := os.WriteFile(name, tree.Dump(), 0o600); err != nil {
			t.Fatal(err)
		}
		trees[name] = tree
		args = append(args, name)
	}
	cmd := exec.Command("node", args...)
	cmd.Dir = "../interop"
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	d := json.NewDecoder(bytes.NewReader(out))
	for range trees {
		var got struct {
			File, Root string
			Proofs     [][]string
		}
		if err := d.Decode(&got); err != nil {
			t.Fatal(err)
		}
		tree := trees[got.File]
		if got.Root != tree.Root().String() {
			t.Errorf("%d leaves: root %s, the library's is %s", len(tree.Leaves()), tree.Root(), got.Root)
		}
		for i, l := range tree.Leaves() {
			_, proof, _ := tree.Proof(l.Address)
			text := []string{}
			for _, h := range proof {
				text = append(text, h.String())
			}
			if !reflect.DeepEqual(text, got.Proofs[i]) {
				t.Errorf("%d leaves: proof of %s is %v, the library's is %v", len(tree.Leaves()), l.Address, text, got.Proofs[i])
			}
		}
	}
}
