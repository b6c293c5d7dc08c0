package settle_test

import (
	"crypto/ecdsa"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/accounts/abi/bind/v2"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/math"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/core/vm/program"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"
	"pgregory.net/rapid"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards/merkle"
	"github.com/roadcomb/roadcomb/rewards/settle"
	"github.com/roadcomb/roadcomb/rewards/settle/bindings/rewarddistributor"
)

// What somebody might try against the contracts, one by one.

func role(name string) [32]byte { return [32]byte(crypto.Keccak256([]byte(name))) }

func wei(n int64) *big.Int { return big.NewInt(n) }

func (b *bench) number(data []byte, unpack func([]byte) (*big.Int, error)) int64 {
	b.Helper()
	n, err := bind.Call(b.dist.Instance(b.c, common.Address(b.d.Address)), nil, data, unpack)
	if err != nil {
		b.Fatal(err)
	}
	return n.Int64()
}

func (b *bench) claimed(k *ecdsa.PrivateKey) int64 {
	b.Helper()
	return b.number(b.dist.PackClaimed(common.Address(addr(k))), b.dist.UnpackClaimed)
}

func (b *bench) epoch() uint64 {
	b.Helper()
	n, _, _, err := b.d.Current(b.ctx)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

func (b *bench) limits(threshold, perEpoch, perWindow int64) []byte {
	return b.dist.PackSetLimits(wei(threshold), wei(perEpoch), wei(perWindow))
}

// refused fails unless the call is reverted for this reason.
func (b *bench) refused(what string, k *ecdsa.PrivateKey, data []byte, why string) {
	b.Helper()
	if got := b.send(k, data); got != why {
		b.Errorf("%s: %q, want %s", what, got, why)
	}
}

// onBehalf is a signed claim on behalf of an account.
type onBehalf struct {
	chain                               int64
	at                                  merkle.Address
	account                             merkle.Address
	cumulative, amount, nonce, deadline int64
}

func (b *bench) sign(k *ecdsa.PrivateKey, c onBehalf) []byte {
	b.Helper()
	h, _, err := apitypes.TypedDataAndHash(apitypes.TypedData{
		Types: apitypes.Types{
			"EIP712Domain": {{Name: "name", Type: "string"}, {Name: "version", Type: "string"}, {Name: "chainId", Type: "uint256"}, {Name: "verifyingContract", Type: "address"}},
			"Claim":        {{Name: "account", Type: "address"}, {Name: "cumulative", Type: "uint256"}, {Name: "amount", Type: "uint256"}, {Name: "nonce", Type: "uint256"}, {Name: "deadline", Type: "uint256"}},
		},
		PrimaryType: "Claim",
		Domain:      apitypes.TypedDataDomain{Name: "roadcomb rewards", Version: "1", ChainId: math.NewHexOrDecimal256(c.chain), VerifyingContract: c.at.Checksum()},
		Message: apitypes.TypedDataMessage{"account": c.account.Checksum(), "cumulative": fmt.Sprint(c.cumulative), "amount": fmt.Sprint(c.amount),
			"nonce": fmt.Sprint(c.nonce), "deadline": fmt.Sprint(c.deadline)},
	})
	if err != nil {
		b.Fatal(err)
	}
	sig, err := crypto.Sign(h, k)
	if err != nil {
		b.Fatal(err)
	}
	sig[64] += 27
	return sig
}

func (b *bench) claimFor(t *merkle.Tree, c onBehalf, sig []byte) []byte {
	b.Helper()
	_, proof, ok := t.Proof(c.account)
	if !ok {
		b.Fatal("no leaf")
	}
	return b.dist.PackClaimFor(common.Address(c.account), wei(c.cumulative), wei(c.amount), wei(c.deadline), sig, proofOf(proof))
}

// forever is a deadline that no test reaches, whatever the day.
const forever = 1 << 40

func TestPausedNothingMovesAtAll(t *testing.T) {
	b := newBench(t, wide)
	tr := tree(t, merkle.Leaf{Address: addr(b.ann), Amount: 100}, merkle.Leaf{Address: addr(b.ben), Amount: 50})
	b.attest(1, tr)
	b.must(b.o1, b.dist.PackAttest(2, [32]byte{2}, wei(200), [32]byte{}))
	_, proof, _ := tr.Proof(addr(b.ann))
	c := onBehalf{chain: 1337, at: b.d.Address, account: addr(b.ann), cumulative: 100, amount: 100, deadline: forever}
	b.must(b.admin, b.dist.PackPause())
	b.refused("an attestation", b.o2, b.dist.PackAttest(2, [32]byte{2}, wei(200), [32]byte{}), "EnforcedPause")
	b.refused("a claim", b.ann, b.claim(tr, addr(b.ann)), "EnforcedPause")
	b.refused("a part", b.ann, b.dist.PackClaimPart(wei(100), wei(1), proofOf(proof)), "EnforcedPause")
	b.refused("a claim on behalf", b.eve, b.claimFor(tr, c, b.sign(b.ann, c)), "EnforcedPause")
	b.refused("pausing twice", b.admin, b.dist.PackPause(), "EnforcedPause")
	b.refused("an oracle resumes", b.o1, b.dist.PackUnpause(), "AccessControlUnauthorizedAccount")
	if b.epoch() != 1 || b.claimed(b.ann) != 0 {
		t.Errorf("epoch %d, claimed %d", b.epoch(), b.claimed(b.ann))
	}
	b.must(b.admin, b.dist.PackUnpause())
	b.must(b.eve, b.claimFor(tr, c, b.sign(b.ann, c))) // the refused attempt did not use up the signature
	b.must(b.o2, b.dist.PackAttest(2, [32]byte{2}, wei(200), [32]byte{}))
	if b.epoch() != 2 || b.claimed(b.ann) != 100 {
		t.Errorf("afterwards: epoch %d, claimed %d", b.epoch(), b.claimed(b.ann))
	}
}

func TestASignatureIsGoodOnceHereAndInTime(t *testing.T) {
	b := newBench(t, wide)
	one := tree(t, merkle.Leaf{Address: addr(b.ann), Amount: 100}, merkle.Leaf{Address: addr(b.ben), Amount: 50})
	b.attest(1, one)
	good := onBehalf{chain: 1337, at: b.d.Address, account: addr(b.ann), cumulative: 100, amount: 10, deadline: forever}
	head, err := b.b.Client().HeaderByNumber(b.ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		what   string
		change func(*onBehalf)
		why    string
	}{
		{"for another chain", func(c *onBehalf) { c.chain = 1 }, "BadSignature"},
		{"for another distributor", func(c *onBehalf) { c.at = b.token }, "BadSignature"},
		{"with a later nonce", func(c *onBehalf) { c.nonce = 1 }, "BadSignature"},
	} {
		c := good
		x.change(&c)
		sig := b.sign(b.ann, c)
		c.chain, c.at, c.nonce = good.chain, good.at, good.nonce
		b.refused(x.what, b.eve, b.claimFor(one, c, sig), x.why)
	}
	late := good
	late.deadline = int64(head.Time)
	sig := b.sign(b.ann, late)
	b.pass(time.Minute)
	b.refused("after its deadline", b.eve, b.claimFor(one, late, sig), "Expired")
	longer := late
	longer.deadline = forever
	b.refused("with a deadline that was not signed", b.eve, b.claimFor(one, longer, sig), "BadSignature")
	more := good
	more.amount = 11
	sig = b.sign(b.ann, good)
	b.refused("for more than was signed", b.eve, b.claimFor(one, more, sig), "BadSignature")

	// The same signature written otherwise: s mirrored (EIP-2), and 64 bytes (EIP-2098).
	mirrored := append([]byte(nil), sig...)
	s := new(big.Int).Sub(crypto.S256().Params().N, new(big.Int).SetBytes(sig[32:64]))
	s.FillBytes(mirrored[32:64])
	mirrored[64] = 27 + 28 - sig[64]
	b.refused("mirrored", b.eve, b.claimFor(one, good, mirrored), "BadSignature")
	short := append([]byte(nil), sig[:64]...)
	short[32] |= (sig[64] - 27) << 7
	b.refused("in 64 bytes", b.eve, b.claimFor(one, good, short), "BadSignature")
	b.refused("empty", b.eve, b.claimFor(one, good, nil), "BadSignature")
	b.refused("twice in one", b.eve, b.claimFor(one, good, append(append([]byte(nil), sig...), sig...)), "BadSignature")

	b.must(b.eve, b.claimFor(one, good, sig))
	b.refused("again", b.eve, b.claimFor(one, good, sig), "BadSignature")
	b.refused("again, mirrored", b.eve, b.claimFor(one, good, mirrored), "BadSignature")
	// One that was signed and not used is of the old root's amount.
	unused := good
	unused.nonce = 1
	sig = b.sign(b.ann, unused)
	two := tree(t, merkle.Leaf{Address: addr(b.ann), Amount: 130}, merkle.Leaf{Address: addr(b.ben), Amount: 50})
	b.attest(2, two)
	b.refused("of the old root", b.eve, b.claimFor(two, unused, sig), "WrongProof")
	b.refused("used again on the new root", b.eve, b.claimFor(two, good, b.sign(b.ann, good)), "BadSignature")
	if b.claimed(b.ann) != 10 || b.balance(addr(b.ann)) != 10 || b.balance(addr(b.eve)) != 0 {
		t.Errorf("claimed %d, ann has %d, eve %d", b.claimed(b.ann), b.balance(addr(b.ann)), b.balance(addr(b.eve)))
	}
}

func TestOnlyTheAdministratorSetsLimitsAndRoles(t *testing.T) {
	b := newBench(t, wide)
	for who, k := range map[string]*ecdsa.PrivateKey{"a stranger": b.eve, "an oracle": b.o1, "a contributor": b.ann} {
		b.refused(who+" sets limits", k, b.limits(1, 1<<60, 1<<60), "AccessControlUnauthorizedAccount")
		b.refused(who+" appoints itself", k, b.dist.PackGrantRole(role("ORACLE_ROLE"), common.Address(addr(k))), "AccessControlUnauthorizedAccount")
		b.refused(who+" dismisses an oracle", k, b.dist.PackRevokeRole(role("ORACLE_ROLE"), common.Address(addr(b.o2))), "AccessControlUnauthorizedAccount")
		b.refused(who+" gives up another's role", k, b.dist.PackRenounceRole(role("ORACLE_ROLE"), common.Address(addr(b.o3))), "AccessControlBadConfirmation")
	}
	b.refused("a threshold of none", b.admin, b.limits(0, 1, 1), "BadLimits")
	if n := b.number(b.dist.PackThreshold(), b.dist.UnpackThreshold); n != wide.Threshold {
		t.Errorf("the threshold is %d", n)
	}
}

func TestACapLoweredWithinAWindowHoldsAtOnce(t *testing.T) {
	l := wide
	l.CapPerWindow = 600
	b := newBench(t, l)
	tr := tree(t, merkle.Leaf{Address: addr(b.ann), Amount: 500}, merkle.Leaf{Address: addr(b.ben), Amount: 400})
	b.attest(1, tr)
	b.must(b.ann, b.claim(tr, addr(b.ann)))
	b.must(b.admin, b.limits(2, 1<<40, 300)) // less than the window has paid
	b.refused("a claim in the window", b.ben, b.claim(tr, addr(b.ben)), "WindowExhausted")
	_, proof, _ := tr.Proof(addr(b.ben))
	b.refused("one unit", b.ben, b.dist.PackClaimPart(wei(400), wei(1), proofOf(proof)), "WindowExhausted")
	b.pass(2 * time.Hour)
	b.refused("over the lower cap in the next window", b.ben, b.claim(tr, addr(b.ben)), "WindowExhausted")
	b.must(b.ben, b.dist.PackClaimPart(wei(400), wei(300), proofOf(proof)))
	b.must(b.admin, b.limits(2, 1<<40, 350)) // raised: what is left counts from what was paid
	b.refused("over what is left", b.ben, b.claim(tr, addr(b.ben)), "WindowExhausted")
	b.must(b.ben, b.dist.PackClaimPart(wei(400), wei(50), proofOf(proof)))
}

// Oracles who agree on a root whose leaves are more than its total cannot pay out more than the total.
func TestNeverMoreIsPaidThanIsOwed(t *testing.T) {
	b := newBench(t, wide)
	tr := tree(t, merkle.Leaf{Address: addr(b.ann), Amount: 100}, merkle.Leaf{Address: addr(b.ben), Amount: 1 << 39})
	for _, o := range []*ecdsa.PrivateKey{b.o1, b.o2} {
		b.must(o, b.dist.PackAttest(1, tr.Root(), wei(150), [32]byte{}))
	}
	b.must(b.ann, b.claim(tr, addr(b.ann)))
	b.refused("a leaf beyond the total", b.ben, b.claim(tr, addr(b.ben)), "MoreThanOwed")
	_, proof, _ := tr.Proof(addr(b.ben))
	b.must(b.ben, b.dist.PackClaimPart(wei(1<<39), wei(50), proofOf(proof)))
	b.refused("one unit more", b.ben, b.dist.PackClaimPart(wei(1<<39), wei(1), proofOf(proof)), "MoreThanOwed")
}

func TestARootThatLowersALeafTakesNothingBack(t *testing.T) {
	b := newBench(t, wide)
	one := tree(t, merkle.Leaf{Address: addr(b.ann), Amount: 100}, merkle.Leaf{Address: addr(b.ben), Amount: 50})
	b.attest(1, one)
	b.must(b.ann, b.claim(one, addr(b.ann)))
	two := tree(t, merkle.Leaf{Address: addr(b.ann), Amount: 60}, merkle.Leaf{Address: addr(b.ben), Amount: 90})
	b.attest(2, two)
	b.refused("a leaf below what was claimed", b.ann, b.claim(two, addr(b.ann)), "NothingToClaim")
	if b.claimed(b.ann) != 100 || b.balance(addr(b.ann)) != 100 {
		t.Errorf("claimed %d, has %d", b.claimed(b.ann), b.balance(addr(b.ann)))
	}
	// All that is owed is 150, of which ann was paid 100: the rest waits for a root that owes it.
	b.refused("what is not owed", b.ben, b.claim(two, addr(b.ben)), "MoreThanOwed")
	three := tree(t, merkle.Leaf{Address: addr(b.ann), Amount: 110}, merkle.Leaf{Address: addr(b.ben), Amount: 90})
	b.attest(3, three)
	b.must(b.ben, b.claim(three, addr(b.ben)))
	b.must(b.ann, b.claim(three, addr(b.ann)))
	if ann, ben := b.balance(addr(b.ann)), b.balance(addr(b.ben)); ann != 110 || ben != 90 {
		t.Errorf("ann has %d, ben %d", ann, ben)
	}
}

func TestAnAttestationCountsWhileItsOracleIsOne(t *testing.T) {
	b := newBench(t, wide)
	at := func(e uint64, total int64) []byte {
		return b.dist.PackAttest(e, [32]byte{byte(e)}, wei(total), [32]byte{})
	}
	appoint := func(k *ecdsa.PrivateKey) []byte {
		return b.dist.PackGrantRole(role("ORACLE_ROLE"), common.Address(addr(k)))
	}
	dismiss := func(k *ecdsa.PrivateKey) []byte {
		return b.dist.PackRevokeRole(role("ORACLE_ROLE"), common.Address(addr(k)))
	}
	b.must(b.o1, at(1, 100))
	b.must(b.admin, dismiss(b.o1))
	b.refused("a dismissed oracle", b.o1, at(2, 100), "AccessControlUnauthorizedAccount")
	b.must(b.o2, at(1, 100))
	if b.epoch() != 0 {
		t.Fatal("the word of a dismissed oracle counted")
	}
	b.must(b.o3, at(1, 100))
	if b.epoch() != 1 {
		t.Fatal("two oracles agree and nothing is published")
	}
	// Given up by the oracle itself, and appointed again: its word stands, once.
	b.must(b.o2, at(2, 110))
	b.must(b.o2, b.dist.PackRenounceRole(role("ORACLE_ROLE"), common.Address(addr(b.o2))))
	b.must(b.o3, at(2, 110))
	if b.epoch() != 1 {
		t.Fatal("the word of an oracle that gave up its role counted")
	}
	b.must(b.admin, appoint(b.o2))
	b.refused("the same oracle twice", b.o2, at(2, 110), "AlreadyAttested")
	b.must(b.admin, appoint(b.o1))
	b.must(b.o1, at(2, 110))
	if b.epoch() != 2 {
		t.Fatal("three oracles agree and nothing is published")
	}
	// More attestations needed than there are oracles: nothing is published, and what was stays claimable.
	b.must(b.admin, b.limits(4, 1<<40, 1<<40))
	for _, o := range []*ecdsa.PrivateKey{b.o1, b.o2, b.o3} {
		b.must(o, at(3, 120))
	}
	if b.epoch() != 2 {
		t.Fatal("published by fewer than it needs")
	}
	b.must(b.admin, appoint(b.eve))
	b.must(b.eve, at(3, 120))
	if b.epoch() != 3 {
		t.Fatal("four of four published nothing")
	}
	_, _, err := settle.Deploy(b.ctx, b.c, b.admin, "x", "X", []merkle.Address{addr(b.o1), addr(b.o1)}, settle.Limits{Threshold: 2, CapPerEpoch: 1, CapPerWindow: 1, Window: 1}, b.mine)
	if survey.KindOf(err) != survey.Invalid {
		t.Errorf("a threshold above the number of different oracles was deployed: %v", err)
	}
}

func TestWithoutAnAdministratorClaimsGoOn(t *testing.T) {
	b := newBench(t, wide)
	tr := tree(t, merkle.Leaf{Address: addr(b.ann), Amount: 100}, merkle.Leaf{Address: addr(b.ben), Amount: 50})
	b.attest(1, tr)
	b.must(b.admin, b.dist.PackRenounceRole([32]byte{}, common.Address(addr(b.admin))))
	b.refused("the former administrator", b.admin, b.limits(1, 1<<60, 1<<60), "AccessControlUnauthorizedAccount")
	b.refused("the former administrator appoints itself", b.admin, b.dist.PackGrantRole([32]byte{}, common.Address(addr(b.admin))), "AccessControlUnauthorizedAccount")
	b.must(b.ann, b.claim(tr, addr(b.ann)))
	two := tree(t, merkle.Leaf{Address: addr(b.ann), Amount: 100}, merkle.Leaf{Address: addr(b.ben), Amount: 70})
	b.attest(2, two)
	b.must(b.ben, b.claim(two, addr(b.ben)))
}

// A token that calls back into the distributor while it is being paid gets what its leaf says, and the window's cap holds.
func TestATokenThatCallsBackGainsNothing(t *testing.T) {
	b := newBench(t, wide)
	// Whatever it is called with, it claims a part of 40 of its leaf of 100 and keeps how that went: the first call names the
	// distributor, the others come from it, as mint.
	selector := b.dist.PackClaimPart(wei(100), wei(40), nil)
	p := program.New().Mstore(selector, 0)
	p.Push(0).Push(0).Push(len(selector)).Push(0).Push(0) // out, in, value
	// target: the caller, or the word that the first call brings (32 bytes of input).
	p.Push(0).Op(vm.CALLDATALOAD).Push(32).Op(vm.CALLDATASIZE, vm.EQ, vm.MUL) // word or 0
	p.Op(vm.CALLER).Push(32).Op(vm.CALLDATASIZE, vm.EQ, vm.ISZERO, vm.MUL, vm.OR)
	p.Op(vm.GAS, vm.CALL)
	p.Push(0).Op(vm.SLOAD, vm.ADD).Push(0).Op(vm.SSTORE, vm.STOP) // slot 0: how many calls succeeded
	code := p.Bytes()
	deploy := program.New().ReturnViaCodeCopy(code).Bytes()
	id, err := b.c.ChainID(b.ctx)
	if err != nil {
		t.Fatal(err)
	}
	opts := bind.NewKeyedTransactor(b.admin, id)
	at := func(a common.Address, err error) common.Address {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		b.mine()
		return a
	}
	deployed := func(code, args []byte) common.Address {
		a, _, err := bind.DeployContract(opts, code, b.c, args)
		return at(a, err)
	}
	token := deployed(deploy, nil)
	const windowCap = 90
	dist := deployed(common.FromHex(rewarddistributor.RewardDistributorMetaData.Bin),
		b.dist.PackConstructor(token, common.Address(addr(b.admin)), wei(1), wei(1000), wei(windowCap), wei(3600)))
	b.d.Address = merkle.Address(dist)
	b.must(b.admin, b.dist.PackGrantRole(role("ORACLE_ROLE"), common.Address(addr(b.o1))))
	tr := tree(t, merkle.Leaf{Address: merkle.Address(token), Amount: 100})
	b.must(b.o1, b.dist.PackAttest(1, tr.Root(), wei(500), [32]byte{}))
	generous := *opts
	generous.GasLimit = 3_000_000 // an estimate would stop where the outer call succeeds, the inner ones out of gas
	call := func() int64 {
		t.Helper()
		before := b.number(b.dist.PackPaid(), b.dist.UnpackPaid)
		tx, err := bind.Transact(bind.NewBoundContract(token, b.dist.GetABI(), b.c, b.c, b.c), &generous, common.LeftPadBytes(dist[:], 32))
		if err != nil {
			t.Fatal(err)
		}
		b.mine()
		if r, err := bind.WaitMined(b.ctx, b.c, tx.Hash()); err != nil || r.Status != 1 {
			t.Fatal(r, err)
		}
		return b.number(b.dist.PackPaid(), b.dist.UnpackPaid) - before
	}
	if n := call(); n != 80 { // 40 and, called back, 40 again: a third would pass the cap
		t.Errorf("the first window paid %d", n)
	}
	if n := call(); n != 0 {
		t.Errorf("the same window paid %d more", n)
	}
	b.pass(2 * time.Hour)
	if n := call(); n != 20 {
		t.Errorf("the second window paid %d", n)
	}
	b.pass(2 * time.Hour)
	if n := call(); n != 0 {
		t.Errorf("the third window paid %d: more than the leaf", n)
	}
	if n := b.number(b.dist.PackClaimed(token), b.dist.UnpackClaimed); n != 100 {
		t.Errorf("claimed %d of 100", n)
	}
}

// Roots that rise and fall, caps that change, windows that pass, claims of any part: beside a model of it all, at every
// step, nobody's claimed amount shrinks or passes its leaves, all paid is what was minted and never more than is owed, and no
// window pays more than the highest cap it had.
func TestInvariantsUnderRandomCapsWindowsAndRoots(t *testing.T) {
	l := wide
	l.Threshold, l.CapPerEpoch, l.CapPerWindow = 1, 2000, 1000
	b := newBench(t, l)
	who := []*ecdsa.PrivateKey{b.ann, b.ben, b.eve}
	leaves, claimed := []int64{0, 0, 0}, []int64{0, 0, 0}
	var current *merkle.Tree
	epoch, owed, paid, perWindow := uint64(0), int64(0), int64(0), int64(1000)
	windowPaid, highest := int64(0), perWindow
	var windowStart uint64
	now := func() uint64 {
		h, err := b.b.Client().HeaderByNumber(b.ctx, nil)
		if err != nil {
			b.Fatal(err)
		}
		return h.Time
	}
	rapid.Check(t, func(t *rapid.T) {
		for range 6 {
			switch what := rapid.IntRange(0, 9).Draw(t, "what"); {
			case current == nil || what <= 2: // a root; leaves may fall, the total may not, nor may it rise by more than the cap
				var ls []merkle.Leaf
				sum := int64(0)
				next := make([]int64, len(who))
				for i, k := range who {
					next[i] = max(1, leaves[i]+rapid.Int64Range(-200, 900).Draw(t, "change"))
					sum += next[i]
					ls = append(ls, merkle.Leaf{Address: addr(k), Amount: survey.Amount(next[i])})
				}
				tr := tree(b.TB, ls...)
				why := b.send(b.o1, b.dist.PackAttest(epoch+1, tr.Root(), wei(sum), [32]byte{}))
				if bad := sum < owed || sum-owed > 2000; bad != (why == "TotalOutOfRange") || !bad && why != "" {
					t.Fatalf("a total of %d after %d: %q", sum, owed, why)
				}
				if why == "" {
					current, leaves, owed, epoch = tr, next, sum, epoch+1
				}
			case what == 3:
				perWindow = rapid.Int64Range(0, 1500).Draw(t, "cap")
				highest = max(highest, perWindow)
				b.must(b.admin, b.limits(1, 2000, perWindow))
			case what == 4:
				b.pass(time.Duration(rapid.Int64Range(1, 5000).Draw(t, "seconds")) * time.Second)
			default:
				i := rapid.IntRange(0, len(who)-1).Draw(t, "who")
				part := rapid.Int64Range(0, 900).Draw(t, "part")
				_, proof, _ := current.Proof(addr(who[i]))
				why := b.send(who[i], b.dist.PackClaimPart(wei(leaves[i]), wei(part), proofOf(proof)))
				amount, at := min(part, leaves[i]-claimed[i]), now()
				if why == "" {
					if at >= windowStart+uint64(l.Window) {
						windowStart, windowPaid, highest = at, 0, perWindow
					}
					claimed[i] += amount
					paid += amount
					windowPaid += amount
					if amount <= 0 || windowPaid > perWindow {
						t.Fatalf("paid %d, in this window %d of %d", amount, windowPaid, perWindow)
					}
				} else if left := perWindow - windowPaid; amount > 0 && amount <= min(left, owed-paid) {
					t.Fatalf("%d of %d left in the window and %d owed was refused: %s", amount, left, owed-paid, why)
				}
			}
			var sum int64
			for i, k := range who {
				if got, has := b.claimed(k), b.balance(addr(k)); got != claimed[i] || has != claimed[i] {
					t.Fatalf("claimed %d, minted %d, want %d", got, has, claimed[i])
				}
				sum += claimed[i]
			}
			if got := b.number(b.dist.PackPaid(), b.dist.UnpackPaid); got != sum || sum > owed || windowPaid > highest {
				t.Fatalf("paid %d, claimed %d, owed %d; this window %d of %d", got, sum, owed, windowPaid, highest)
			}
		}
	})
}
