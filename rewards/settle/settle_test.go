package settle_test

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ethereum/go-ethereum/accounts/abi/bind/v2"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/math"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient/simulated"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"
	"pgregory.net/rapid"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards"
	"github.com/roadcomb/roadcomb/rewards/merkle"
	"github.com/roadcomb/roadcomb/rewards/record"
	"github.com/roadcomb/roadcomb/rewards/ruleset"
	"github.com/roadcomb/roadcomb/rewards/settle"
	"github.com/roadcomb/roadcomb/rewards/settle/bindings/rewarddistributor"
	"github.com/roadcomb/roadcomb/rewards/settle/bindings/rewardtoken"
)

// keys of the accounts that have ether: the administrator, three oracles, two contributors, a stranger.
type keys struct{ admin, o1, o2, o3, ann, ben, eve *ecdsa.PrivateKey }

func newKeys(t testing.TB) keys {
	key := func(n byte) *ecdsa.PrivateKey {
		k, err := crypto.ToECDSA(append(make([]byte, 31), n))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	return keys{key(1), key(2), key(3), key(4), key(5), key(6), key(7)}
}

func addr(k *ecdsa.PrivateKey) merkle.Address {
	return merkle.Address(crypto.PubkeyToAddress(k.PublicKey))
}

type bench struct {
	testing.TB
	keys
	ctx   context.Context
	b     *simulated.Backend
	c     settle.Chain
	token merkle.Address
	d     settle.Distributor
	dist  *rewarddistributor.RewardDistributor
}

func newBench(t testing.TB, l settle.Limits) *bench {
	k := newKeys(t)
	alloc := types.GenesisAlloc{}
	for _, key := range []*ecdsa.PrivateKey{k.admin, k.o1, k.o2, k.o3, k.ann, k.ben, k.eve} {
		alloc[common.Address(addr(key))] = types.Account{Balance: new(big.Int).Exp(big.NewInt(10), big.NewInt(20), nil)}
	}
	b := &bench{TB: t, keys: k, ctx: context.Background(), b: simulated.NewBackend(alloc), dist: rewarddistributor.NewRewardDistributor()}
	t.Cleanup(func() { b.b.Close() })
	b.c = b.b.Client()
	var err error
	b.token, b.d, err = settle.Deploy(b.ctx, b.c, k.admin, "Comb", "COMB", []merkle.Address{addr(k.o1), addr(k.o2), addr(k.o3)}, l, b.mine)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) mine() { b.b.Commit() }

var wide = settle.Limits{Threshold: 2, CapPerEpoch: 1 << 40, CapPerWindow: 1 << 40, Window: 3600}

// send gives the reason of the revert, or "".
func (b *bench) send(k *ecdsa.PrivateKey, data []byte) string {
	b.Helper()
	id, err := b.c.ChainID(b.ctx)
	if err != nil {
		b.Fatal(err)
	}
	tx, err := bind.Transact(b.dist.Instance(b.c, common.Address(b.d.Address)), bind.NewKeyedTransactor(k, id), data)
	if err != nil {
		if raw, ok := ethereumRevert(err); ok {
			if e, uerr := b.dist.UnpackError(raw); uerr == nil {
				return strings.TrimPrefix(fmt.Sprintf("%T", e), "*rewarddistributor.RewardDistributor")
			}
		}
		return err.Error()
	}
	b.mine()
	r, err := bind.WaitMined(b.ctx, b.c, tx.Hash())
	if err != nil {
		b.Fatal(err)
	}
	if r.Status != 1 {
		return "reverted"
	}
	return ""
}

func ethereumRevert(err error) ([]byte, bool) {
	d, ok := err.(interface{ ErrorData() any })
	if !ok {
		return nil, false
	}
	s, ok := d.ErrorData().(string)
	return common.FromHex(s), ok
}

func (b *bench) must(k *ecdsa.PrivateKey, data []byte) {
	b.Helper()
	if why := b.send(k, data); why != "" {
		b.Fatal(why)
	}
}

// pass lets time pass. The chain refuses while its pool still holds what the last block has, which it forgets a moment later.
func (b *bench) pass(d time.Duration) {
	b.Helper()
	for {
		err := b.b.AdjustTime(d)
		if err == nil {
			return
		}
		if !strings.Contains(err.Error(), "non-empty block") {
			b.Fatal(err)
		}
		select {
		case <-b.ctx.Done():
			b.Fatal(err)
		case <-time.After(time.Millisecond):
		}
	}
}

func (b *bench) balance(a merkle.Address) int64 {
	b.Helper()
	t := rewardtoken.NewRewardToken()
	n, err := bind.Call(t.Instance(b.c, common.Address(b.token)), nil, t.PackBalanceOf(common.Address(a)), t.UnpackBalanceOf)
	if err != nil {
		b.Fatal(err)
	}
	return n.Int64()
}

// attest has two oracles publish a tree.
func (b *bench) attest(epoch uint64, t *merkle.Tree) {
	b.Helper()
	for _, o := range []*ecdsa.PrivateKey{b.o1, b.o2} {
		b.must(o, b.dist.PackAttest(epoch, t.Root(), big.NewInt(total(t)), [32]byte{1}))
	}
}

func total(t *merkle.Tree) (n int64) {
	for _, l := range t.Leaves() {
		n += int64(l.Amount)
	}
	return n
}

func tree(t testing.TB, ls ...merkle.Leaf) *merkle.Tree {
	tr, err := merkle.New(ls)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func (b *bench) claim(t *merkle.Tree, a merkle.Address) []byte {
	l, proof, ok := t.Proof(a)
	if !ok {
		b.Fatal("no leaf")
	}
	return b.dist.PackClaim(big.NewInt(int64(l.Amount)), proofOf(proof))
}

func proofOf(p []merkle.Hash) [][32]byte {
	out := make([][32]byte, len(p))
	for i, h := range p {
		out[i] = h
	}
	return out
}

func TestClaimsAreCumulativeAndOnlyOnce(t *testing.T) {
	b := newBench(t, wide)
	other := merkle.Leaf{Address: merkle.Address{9}, Amount: 5}
	one := tree(t, merkle.Leaf{Address: addr(b.ann), Amount: 100}, merkle.Leaf{Address: addr(b.ben), Amount: 50}, other)
	b.attest(10, one)
	b.must(b.ann, b.claim(one, addr(b.ann)))
	if n := b.balance(addr(b.ann)); n != 100 {
		t.Fatalf("ann has %d", n)
	}
	if why := b.send(b.ann, b.claim(one, addr(b.ann))); why != "NothingToClaim" {
		t.Errorf("a second claim: %q", why)
	}
	if why := b.send(b.eve, b.claim(one, addr(b.ben))); why != "WrongProof" {
		t.Errorf("ben's proof in eve's hands: %q", why)
	}
	_, proof, _ := one.Proof(addr(b.ben))
	if why := b.send(b.ben, b.dist.PackClaim(big.NewInt(51), proofOf(proof))); why != "WrongProof" {
		t.Errorf("one unit more: %q", why)
	}
	// ben did not claim; the next root holds his 50 and what he earned since.
	two := tree(t, merkle.Leaf{Address: addr(b.ann), Amount: 130}, merkle.Leaf{Address: addr(b.ben), Amount: 70}, other)
	b.attest(11, two)
	if why := b.send(b.ben, b.claim(one, addr(b.ben))); why != "WrongProof" {
		t.Errorf("a proof of the old root: %q", why)
	}
	b.must(b.ben, b.claim(two, addr(b.ben)))
	b.must(b.ann, b.claim(two, addr(b.ann)))
	if ann, ben := b.balance(addr(b.ann)), b.balance(addr(b.ben)); ann != 130 || ben != 70 {
		t.Errorf("ann has %d, ben %d", ann, ben)
	}
}

func TestPartsAndBehalf(t *testing.T) {
	b := newBench(t, wide)
	tr := tree(t, merkle.Leaf{Address: addr(b.ann), Amount: 100}, merkle.Leaf{Address: addr(b.ben), Amount: 50})
	b.attest(1, tr)
	_, proof, _ := tr.Proof(addr(b.ann))
	b.must(b.ann, b.dist.PackClaimPart(big.NewInt(100), big.NewInt(30), proofOf(proof)))
	if n := b.balance(addr(b.ann)); n != 30 {
		t.Fatalf("ann has %d", n)
	}
	deadline := time.Now().Add(240 * time.Hour).Unix()
	sign := func(k *ecdsa.PrivateKey, amount, nonce int64) []byte {
		d := apitypes.TypedData{
			Types: apitypes.Types{
				"EIP712Domain": {{Name: "name", Type: "string"}, {Name: "version", Type: "string"}, {Name: "chainId", Type: "uint256"}, {Name: "verifyingContract", Type: "address"}},
				"Claim":        {{Name: "account", Type: "address"}, {Name: "cumulative", Type: "uint256"}, {Name: "amount", Type: "uint256"}, {Name: "nonce", Type: "uint256"}, {Name: "deadline", Type: "uint256"}},
			},
			PrimaryType: "Claim",
			Domain:      apitypes.TypedDataDomain{Name: "roadcomb rewards", Version: "1", ChainId: math.NewHexOrDecimal256(1337), VerifyingContract: b.d.Address.Checksum()},
			Message: apitypes.TypedDataMessage{"account": addr(b.ann).Checksum(), "cumulative": "100", "amount": fmt.Sprint(amount),
				"nonce": fmt.Sprint(nonce), "deadline": fmt.Sprint(deadline)},
		}
		h, _, err := apitypes.TypedDataAndHash(d)
		if err != nil {
			t.Fatal(err)
		}
		sig, err := crypto.Sign(h, k)
		if err != nil {
			t.Fatal(err)
		}
		sig[64] += 27
		return sig
	}
	for_ := func(amount int64, sig []byte) []byte {
		return b.dist.PackClaimFor(common.Address(addr(b.ann)), big.NewInt(100), big.NewInt(amount), big.NewInt(deadline), sig, proofOf(proof))
	}
	if why := b.send(b.eve, for_(20, sign(b.eve, 20, 0))); why != "BadSignature" {
		t.Errorf("eve signs for ann: %q", why)
	}
	sig := sign(b.ann, 20, 0)
	b.must(b.eve, for_(20, sig))
	if ann, eve := b.balance(addr(b.ann)), b.balance(addr(b.eve)); ann != 50 || eve != 0 {
		t.Errorf("ann has %d, eve %d", ann, eve)
	}
	if why := b.send(b.eve, for_(20, sig)); why != "BadSignature" {
		t.Errorf("the signature again: %q", why)
	}
}

func TestRootsNeedOraclesThatAgreeAndStayInBounds(t *testing.T) {
	l := wide
	l.CapPerEpoch, l.CapPerWindow = 1000, 600
	b := newBench(t, l)
	root := func(n byte) [32]byte { return [32]byte{n} }
	at := func(e uint64, r byte, total int64) []byte {
		return b.dist.PackAttest(e, root(r), big.NewInt(total), [32]byte{})
	}
	if why := b.send(b.eve, at(5, 1, 10)); why != "AccessControlUnauthorizedAccount" {
		t.Errorf("a stranger: %q", why)
	}
	if why := b.send(b.o1, at(5, 1, 1001)); why != "TotalOutOfRange" {
		t.Errorf("over the cap: %q", why)
	}
	b.must(b.o1, at(5, 1, 900))
	if why := b.send(b.o1, at(5, 2, 900)); why != "AlreadyAttested" {
		t.Errorf("the same oracle: %q", why)
	}
	b.must(b.o2, at(5, 2, 900)) // disagrees
	current := func() uint64 {
		n, _, _, err := b.d.Current(b.ctx)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if current() != 0 {
		t.Error("two that disagree published a root")
	}
	tr := tree(t, merkle.Leaf{Address: addr(b.ann), Amount: 500}, merkle.Leaf{Address: addr(b.ben), Amount: 400})
	b.attest(6, tr)
	if current() != 6 {
		t.Error("two that agree published nothing")
	}
	if why := b.send(b.o3, at(5, 1, 900)); why != "OldEpoch" {
		t.Errorf("an older epoch: %q", why)
	}
	if why := b.send(b.o3, at(7, 1, 899)); why != "TotalOutOfRange" {
		t.Errorf("a falling total: %q", why)
	}
	b.must(b.ann, b.claim(tr, addr(b.ann)))
	if why := b.send(b.ben, b.claim(tr, addr(b.ben))); why != "WindowExhausted" {
		t.Errorf("over the window's cap: %q", why)
	}
	b.pass(2 * time.Hour)
	b.must(b.ben, b.claim(tr, addr(b.ben)))
}

func TestPausedMeansNobodyIsPaid(t *testing.T) {
	b := newBench(t, wide)
	tr := tree(t, merkle.Leaf{Address: addr(b.ann), Amount: 100})
	b.attest(1, tr)
	if why := b.send(b.eve, b.dist.PackPause()); why != "AccessControlUnauthorizedAccount" {
		t.Errorf("a stranger paused: %q", why)
	}
	b.must(b.admin, b.dist.PackPause())
	if why := b.send(b.ann, b.claim(tr, addr(b.ann))); why != "EnforcedPause" {
		t.Errorf("a claim while paused: %q", why)
	}
	b.must(b.admin, b.dist.PackUnpause())
	b.must(b.ann, b.claim(tr, addr(b.ann)))
}

// Random trees and claims: nobody ever has more than the last leaf, and what is paid is what was minted.
func TestInvariantsUnderRandomEpochsAndClaims(t *testing.T) {
	b := newBench(t, wide)
	who := []*ecdsa.PrivateKey{b.ann, b.ben, b.eve}
	earned, epoch := make([]int64, len(who)), uint64(0)
	var current *merkle.Tree
	rapid.Check(t, func(t *rapid.T) {
		for range 4 {
			if current == nil || rapid.IntRange(0, 2).Draw(t, "what") == 0 {
				var ls []merkle.Leaf
				for i, k := range who {
					earned[i] += rapid.Int64Range(1, 1000).Draw(t, "earned")
					ls = append(ls, merkle.Leaf{Address: addr(k), Amount: survey.Amount(earned[i])})
				}
				epoch++
				current = tree(b.TB, ls...)
				b.attest(epoch, current)
				continue
			}
			i := rapid.IntRange(0, len(who)-1).Draw(t, "who")
			_, proof, _ := current.Proof(addr(who[i]))
			part := rapid.Int64Range(0, 2000).Draw(t, "part")
			before := b.balance(addr(who[i]))
			why := b.send(who[i], b.dist.PackClaimPart(big.NewInt(earned[i]), big.NewInt(part), proofOf(proof)))
			want := before + min(part, earned[i]-before)
			if got := b.balance(addr(who[i])); got != want || got > earned[i] || (why != "") != (want == before) {
				t.Fatalf("had %d, claimed part %d of %d (%s), has %d", before, part, earned[i], why, got)
			}
		}
		var sum int64
		for _, k := range who {
			sum += b.balance(addr(k))
		}
		paid, err := bind.Call(b.dist.Instance(b.c, common.Address(b.d.Address)), nil, b.dist.PackPaid(), b.dist.UnpackPaid)
		if err != nil || paid.Int64() != sum {
			t.Fatalf("paid %v, minted %d: %v", paid, sum, err)
		}
	})
}

// A closed epoch goes from its folder to the chain, and the reserve in its tree cannot be claimed by a stranger.
func TestPlanAndAttestAClosedEpoch(t *testing.T) {
	b := newBench(t, settle.Limits{Threshold: 2, CapPerEpoch: 1 << 60, CapPerWindow: 1 << 60, Window: 3600})
	r, leaf, root := closed(t, addr(b.ann))
	p, err := b.d.Plan(b.ctx, r, addr(b.o1))
	if err != nil || len(p.Problems) != 0 || p.Adds != r.Manifest.Cumulative || p.Agreeing != 0 || p.Threshold != 2 {
		t.Fatalf("%+v %v", p, err)
	}
	if p, err := b.d.Plan(b.ctx, r, addr(b.eve)); err != nil || len(p.Problems) != 1 {
		t.Errorf("a stranger's plan: %+v %v", p.Problems, err)
	}
	if _, err := b.d.Attest(b.ctx, p, b.o1, b.mine); err != nil {
		t.Fatal(err)
	}
	again, err := b.d.Plan(b.ctx, r, addr(b.o1))
	if err != nil || len(again.Problems) != 1 || again.Agreeing != 1 {
		t.Errorf("after attesting: %+v %v", again, err)
	}
	if _, err := b.d.Attest(b.ctx, again, b.o1, b.mine); survey.KindOf(err) != survey.Conflict {
		t.Errorf("attesting twice: %v", err)
	}
	p, err = b.d.Plan(b.ctx, r, addr(b.o2))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.d.Attest(b.ctx, p, b.o2, b.mine); err != nil {
		t.Fatal(err)
	}
	if n, got, ok, err := b.d.Current(b.ctx); err != nil || !ok || got != root.Root() || n != uint64(r.Manifest.Epoch.Number()) {
		t.Errorf("chain has %d %s: %v", n, got, err)
	}
	bal, err := b.d.Balance(b.ctx, addr(b.ann), leaf.Amount, leaf.Amount)
	if err != nil || bal.Claimable != leaf.Amount || bal.Claimed != 0 {
		t.Errorf("%+v %v", bal, err)
	}
	b.must(b.ann, b.claim(root, addr(b.ann)))
	bal, err = b.d.Balance(b.ctx, addr(b.ann), leaf.Amount, leaf.Amount)
	if err != nil || bal.Claimable != 0 || bal.Claimed != leaf.Amount || bal.Earned != leaf.Amount {
		t.Errorf("%+v %v", bal, err)
	}
	reserve := record.ReservedAddress("ben")
	l, proof, ok := root.Proof(reserve)
	if !ok {
		t.Fatal("no reserve")
	}
	why := b.send(b.eve, b.dist.PackClaimFor(common.Address(reserve), big.NewInt(int64(l.Amount)), big.NewInt(1), big.NewInt(1<<40), make([]byte, 65), proofOf(proof)))
	if why != "BadSignature" {
		t.Errorf("a reserve was claimed: %q", why)
	}
	r.Differences = append(r.Differences, record.Difference{What: "x"})
	if _, err := b.d.Plan(b.ctx, r, merkle.Address{}); survey.KindOf(err) != survey.Invalid {
		t.Errorf("an epoch that does not verify: %v", err)
	}
}

func closed(t testing.TB, ann merkle.Address) (record.Report, merkle.Leaf, *merkle.Tree) {
	e := survey.EpochOf(time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC))
	_, rules, err := ruleset.For(e)
	if err != nil {
		t.Fatal(err)
	}
	in := record.Inputs{Epoch: e, Ruleset: rules, Accounts: []record.Account{{Contributor: "ann", Address: ann, Current: true}, {Contributor: "ben", Current: true}}}
	for i, c := range []survey.ContributorID{"ann", "ben"} {
		d := survey.DriveID(fmt.Sprint("drive", i))
		in.Drives = append(in.Drives, rewards.Drive{ID: d, Contributor: c})
		in.Contributions.Add(record.Contribution{Frame: string(survey.NewFrameID(survey.HashOf([]byte(c)))), Drive: string(d),
			Cell: 0x8c1f05871d3abff + survey.Cell(i)<<9, CapturedAt: e.Start(), ReceivedAt: e.Start(), Quality: 900_000})
	}
	out, err := in.Compute()
	if err != nil {
		t.Fatal(err)
	}
	dir := fstest.MapFS{}
	inputs := record.Files{}
	for _, n := range record.InputNames() {
		if inputs[n], err = in.EncodeInput(n); err != nil {
			t.Fatal(err)
		}
		dir[n] = &fstest.MapFile{Data: inputs[n]}
	}
	outputs, err := out.OutputFiles()
	if err != nil {
		t.Fatal(err)
	}
	for n, b := range outputs {
		dir[n] = &fstest.MapFile{Data: b}
	}
	m, err := record.NewManifest(in, out, survey.Hash{}, inputs, outputs).Encode()
	if err != nil {
		t.Fatal(err)
	}
	dir[record.ManifestName] = &fstest.MapFile{Data: m}
	r, err := record.Verify(dir, nil)
	if err != nil || !r.OK() {
		t.Fatalf("%v %v", err, r.Differences)
	}
	l, _, _ := out.Tree.Proof(ann)
	return r, l, out.Tree
}
