// Package settle takes a closed epoch to an EVM chain: it attests the epoch's root to the distributor contract, and says
// what an account has earned, claimed and may claim. It is the only package that knows go-ethereum (LGPL-3.0); nothing
// else in the project depends on it to close, verify or explain an epoch.
//
// The contracts are in contracts/, compiled and bound by generate.sh; the result is committed.
package settle

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"math/big"
	"strings"

	"github.com/ethereum/go-ethereum/accounts/abi/bind/v2"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards/merkle"
	"github.com/roadcomb/roadcomb/rewards/record"
	"github.com/roadcomb/roadcomb/rewards/settle/bindings/rewarddistributor"
	"github.com/roadcomb/roadcomb/rewards/settle/bindings/rewardtoken"
)

// Chain is what settle needs of an EVM node; *ethclient.Client and go-ethereum's simulated client are Chains.
type Chain interface {
	bind.ContractBackend
	bind.DeployBackend
	ChainID(ctx context.Context) (*big.Int, error)
}

// Dial connects to a JSON-RPC endpoint.
func Dial(ctx context.Context, url string) (Chain, error) {
	c, err := ethclient.DialContext(ctx, url)
	if err != nil {
		return nil, survey.Errorf(survey.Unavailable, "connect to the chain: %w", err).WithHint("check the JSON-RPC address")
	}
	return c, nil
}

// Distributor is a deployed RewardDistributor.
type Distributor struct {
	Chain   Chain
	Address merkle.Address
}

func (d Distributor) contract() (*rewarddistributor.RewardDistributor, *bind.BoundContract) {
	c := rewarddistributor.NewRewardDistributor()
	return c, c.Instance(d.Chain, common.Address(d.Address))
}

// Limits are the distributor's bounds, in base units and seconds.
type Limits struct {
	Threshold    int64         // attestations that publish a root
	CapPerEpoch  survey.Amount // the most one root may add to the total owed
	CapPerWindow survey.Amount // the most that may be claimed within a window
	Window       int64         // seconds
}

// Deploy makes a token and a distributor that alone may mint it. The key's account is the administrator of both and the
// first who may pause; oracles attest. A threshold that they cannot reach is Invalid.
func Deploy(ctx context.Context, c Chain, key *ecdsa.PrivateKey, name, symbol string, oracles []merkle.Address, l Limits, mined func()) (token merkle.Address, d Distributor, err error) {
	distinct := map[merkle.Address]bool{}
	for _, o := range oracles {
		distinct[o] = true
	}
	if l.Threshold < 1 || l.Threshold > int64(len(distinct)) {
		return token, d, survey.Errorf(survey.Invalid, "a threshold of %d attestations with %d oracles would never publish a root", l.Threshold, len(distinct))
	}
	s, err := newSender(ctx, c, key, mined)
	if err != nil {
		return token, d, err
	}
	tb, db := rewardtoken.NewRewardToken(), rewarddistributor.NewRewardDistributor()
	tokenAt, err := s.deploy(ctx, common.FromHex(rewardtoken.RewardTokenMetaData.Bin), tb.PackConstructor(name, symbol, s.from))
	if err != nil {
		return token, d, fmt.Errorf("deploy token: %w", err)
	}
	distAt, err := s.deploy(ctx, common.FromHex(rewarddistributor.RewardDistributorMetaData.Bin),
		db.PackConstructor(tokenAt, s.from, big.NewInt(l.Threshold), big.NewInt(int64(l.CapPerEpoch)), big.NewInt(int64(l.CapPerWindow)), big.NewInt(l.Window)))
	if err != nil {
		return token, d, fmt.Errorf("deploy distributor: %w", err)
	}
	token, d = merkle.Address(tokenAt), Distributor{c, merkle.Address(distAt)}
	role := func(name string) [32]byte { return [32]byte(crypto.Keccak256([]byte(name))) }
	if _, err := s.send(ctx, tokenAt, tb.PackGrantRole(role("MINTER_ROLE"), distAt)); err != nil {
		return token, d, fmt.Errorf("let the distributor mint: %w", err)
	}
	if _, err := s.send(ctx, distAt, db.PackGrantRole(role("PAUSER_ROLE"), s.from)); err != nil {
		return token, d, fmt.Errorf("appoint the pauser: %w", err)
	}
	for _, o := range oracles {
		if _, err := s.send(ctx, distAt, db.PackGrantRole(role("ORACLE_ROLE"), common.Address(o))); err != nil {
			return token, d, fmt.Errorf("appoint oracle %s: %w", o, err)
		}
	}
	return token, d, nil
}

// Plan is what publishing an epoch would do. It is complete without a key, which is what --dry-run shows.
type Plan struct {
	ChainID     string         `json:"chain_id"`
	Distributor merkle.Address `json:"distributor"`
	Oracle      merkle.Address `json:"oracle,omitzero"`
	Epoch       survey.Epoch   `json:"epoch"`
	Number      uint64         `json:"number"` // the epoch's key on chain, in the file and in the event
	Root        string         `json:"root"`
	Total       survey.Amount  `json:"total,string"` // owed since the first epoch
	Adds        survey.Amount  `json:"adds,string"`  // to what the chain has now
	Manifest    survey.Hash    `json:"manifest_sha256"`
	Threshold   int64          `json:"threshold"`
	Agreeing    int64          `json:"agreeing"` // attestations of exactly this so far
	Call        string         `json:"call"`     // data of the transaction
	Gas         uint64         `json:"gas,omitempty"`
	// Problems are the reasons why the transaction would fail; empty when it may be sent.
	Problems []string `json:"problems"`
}

// Plan compares a verified epoch with the chain. The report must be OK: what was not computed again is not attested.
func (d Distributor) Plan(ctx context.Context, r record.Report, oracle merkle.Address) (Plan, error) {
	m := r.Manifest
	if !r.OK() {
		return Plan{}, survey.Errorf(survey.Invalid, "epoch %s does not verify: %s", m.Epoch, r.Differences[0])
	}
	if m.Root == "" {
		return Plan{}, survey.Errorf(survey.Invalid, "epoch %s has no root: nobody has earned anything yet", m.Epoch)
	}
	root, err := merkle.ParseHash(m.Root)
	if err != nil {
		return Plan{}, err
	}
	id, err := d.Chain.ChainID(ctx)
	if err != nil {
		return Plan{}, survey.Errorf(survey.Unavailable, "ask the chain for its id: %w", err)
	}
	c, at := d.contract()
	o := &bind.CallOpts{Context: ctx}
	owed, err := bind.Call(at, o, c.PackOwed(), c.UnpackOwed)
	if err != nil {
		return Plan{}, survey.Errorf(survey.Unavailable, "ask the distributor %s: %w", d.Address, err).WithHint("check its address and the chain")
	}
	call := func(data []byte, unpack func([]byte) (*big.Int, error)) (n int64) {
		v, e := bind.Call(at, o, data, unpack)
		switch {
		case e != nil:
			err = e
			return 0
		case !v.IsInt64(): // a cap that no amount reaches
			return 1<<63 - 1
		}
		return v.Int64()
	}
	what := [32]byte(crypto.Keccak256(root[:], common.LeftPadBytes(big.NewInt(int64(m.Cumulative)).Bytes(), 32), r.Hash[:]))
	p := Plan{
		ChainID: id.String(), Distributor: d.Address, Oracle: oracle, Epoch: m.Epoch, Number: uint64(m.Epoch.Number()), Root: m.Root,
		Total: m.Cumulative, Adds: m.Cumulative - survey.Amount(owed.Int64()), Manifest: r.Hash, Problems: []string{},
		Threshold: call(c.PackThreshold(), c.UnpackThreshold),
		Agreeing:  call(c.PackAttestations(uint64(m.Epoch.Number()), what), c.UnpackAttestations),
	}
	capEpoch := call(c.PackCapPerEpoch(), c.UnpackCapPerEpoch)
	epoch, e := bind.Call(at, o, c.PackEpoch(), c.UnpackEpoch)
	paused, e2 := bind.Call(at, o, c.PackPaused(), c.UnpackPaused)
	for _, e := range []error{err, e, e2} {
		if e != nil {
			return Plan{}, survey.Errorf(survey.Unavailable, "ask the distributor %s: %w", d.Address, e)
		}
	}
	data := c.PackAttest(p.Number, root, big.NewInt(int64(m.Cumulative)), r.Hash)
	p.Call = common.Bytes2Hex(data)
	problem := func(bad bool, format string, args ...any) {
		if bad {
			p.Problems = append(p.Problems, fmt.Sprintf(format, args...))
		}
	}
	problem(m.Epoch.Number() < 0, "the epoch lies before 1970")
	problem(p.Number <= epoch, "the chain is at epoch %d already", epoch)
	problem(p.Adds < 0, "the total falls by %s: claims could not be covered", -p.Adds)
	problem(int64(p.Adds) > capEpoch, "the epoch adds %s, the cap is %s", p.Adds, survey.Amount(capEpoch))
	problem(paused, "the distributor is paused")
	if oracle != (merkle.Address{}) {
		isOracle, err := bind.Call(at, o, c.PackHasRole([32]byte(crypto.Keccak256([]byte("ORACLE_ROLE"))), common.Address(oracle)), c.UnpackHasRole)
		if err != nil {
			return Plan{}, survey.Errorf(survey.Unavailable, "ask the distributor %s: %w", d.Address, err)
		}
		mine, err := bind.Call(at, o, c.PackAttested(p.Number, common.Address(oracle)), c.UnpackAttested)
		if err != nil {
			return Plan{}, survey.Errorf(survey.Unavailable, "ask the distributor %s: %w", d.Address, err)
		}
		problem(!isOracle, "%s is no oracle of the distributor", oracle)
		problem(mine != [32]byte{}, "%s has attested this epoch already", oracle)
	}
	return p, nil
}

// Attest sends the plan's transaction and waits until it is mined. A plan with problems is a Conflict. mined, which may
// be nil, is called after sending: tests make a block there.
func (d Distributor) Attest(ctx context.Context, p Plan, key *ecdsa.PrivateKey, mined func()) (tx string, err error) {
	if len(p.Problems) > 0 {
		return "", survey.Errorf(survey.Conflict, "the attestation would fail: %s", strings.Join(p.Problems, "; "))
	}
	s, err := newSender(ctx, d.Chain, key, mined)
	if err != nil {
		return "", err
	}
	r, err := s.send(ctx, common.Address(d.Address), common.FromHex(p.Call))
	if err != nil {
		return "", fmt.Errorf("attest epoch %s: %w", p.Epoch, err)
	}
	return r.TxHash.Hex(), nil
}

// Balance keeps apart what is so often shown as one number.
type Balance struct {
	Address   merkle.Address `json:"address"`
	Earned    survey.Amount  `json:"earned,string"`    // by the last closed epoch's tree
	Published survey.Amount  `json:"published,string"` // by the tree whose root the chain has
	Claimed   survey.Amount  `json:"claimed,string"`
	Claimable survey.Amount  `json:"claimable,string"` // published − claimed
}

// Balance asks the chain what the address has claimed. earned is its leaf in the last closed epoch, published its leaf
// in the epoch that the chain has; each 0 without a leaf.
func (d Distributor) Balance(ctx context.Context, a merkle.Address, earned, published survey.Amount) (Balance, error) {
	c, at := d.contract()
	n, err := bind.Call(at, &bind.CallOpts{Context: ctx}, c.PackClaimed(common.Address(a)), c.UnpackClaimed)
	if err != nil {
		return Balance{}, survey.Errorf(survey.Unavailable, "ask the distributor %s: %w", d.Address, err)
	}
	claimed := survey.Amount(n.Int64())
	return Balance{a, earned, published, claimed, max(0, published-claimed)}, nil
}

// Current is the epoch whose root the distributor has; ok is false before the first.
func (d Distributor) Current(ctx context.Context) (number uint64, root merkle.Hash, ok bool, err error) {
	c, at := d.contract()
	o := &bind.CallOpts{Context: ctx}
	if number, err = bind.Call(at, o, c.PackEpoch(), c.UnpackEpoch); err == nil {
		var r [32]byte
		r, err = bind.Call(at, o, c.PackRoot(), c.UnpackRoot)
		root = r
	}
	if err != nil {
		return 0, root, false, survey.Errorf(survey.Unavailable, "ask the distributor %s: %w", d.Address, err)
	}
	return number, root, root != merkle.Hash{}, nil
}

// sender signs and sends transactions of one key, one after another.
type sender struct {
	c     Chain
	opts  *bind.TransactOpts
	from  common.Address
	mined func()
}

func newSender(ctx context.Context, c Chain, key *ecdsa.PrivateKey, mined func()) (*sender, error) {
	id, err := c.ChainID(ctx)
	if err != nil {
		return nil, survey.Errorf(survey.Unavailable, "ask the chain for its id: %w", err)
	}
	opts := bind.NewKeyedTransactor(key, id)
	opts.Context = ctx
	return &sender{c, opts, opts.From, mined}, nil
}

func (s *sender) wait(ctx context.Context, tx *types.Transaction) (*types.Receipt, error) {
	if s.mined != nil {
		s.mined()
	}
	r, err := bind.WaitMined(ctx, s.c, tx.Hash())
	if err != nil {
		return nil, survey.Errorf(survey.Unavailable, "wait for %s: %w", tx.Hash().Hex(), err)
	}
	if r.Status != types.ReceiptStatusSuccessful {
		return r, survey.Errorf(survey.Conflict, "transaction %s was reverted", tx.Hash().Hex())
	}
	return r, nil
}

func (s *sender) deploy(ctx context.Context, code, args []byte) (common.Address, error) {
	at, tx, err := bind.DeployContract(s.opts, code, s.c, args)
	if err != nil {
		return at, err
	}
	_, err = s.wait(ctx, tx)
	return at, err
}

func (s *sender) send(ctx context.Context, to common.Address, data []byte) (*types.Receipt, error) {
	tx, err := bind.Transact(bind.NewBoundContract(to, rewarddistributor.NewRewardDistributor().GetABI(), s.c, s.c, s.c), s.opts, data)
	if err != nil {
		return nil, err
	}
	return s.wait(ctx, tx)
}
