// Package record is what is published of a closed epoch: the inputs, the outputs, and a manifest that names them all by
// SHA-256. The outputs are a pure function of the inputs, so that anyone who holds the folder can compute it again.
//
//	manifest.json          written last; names everything below
//	ruleset.json           the numbers (input)
//	contributions.parquet  the published frames that count, by cell and capture time (input)
//	drives.parquet         who recorded each drive and how far it is believed (input)
//	prior.parquet          when each of their cells was last received in an earlier epoch (input)
//	accounts.parquet       what each contributor had earned before, and where it is paid to (input)
//	statement.parquet      for each cell, slot and contributor: what was earned and why (output)
//	allocations.parquet    for each account: this epoch's amount and the sum of all epochs (output)
//	merkle.json            the tree of cumulative amounts (output; absent while nobody has earned anything)
package record

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards"
	"github.com/roadcomb/roadcomb/rewards/merkle"
	"github.com/roadcomb/roadcomb/rewards/ruleset"
)

// Names of the files.
const (
	ManifestName      = "manifest.json"
	RulesetName       = "ruleset.json"
	ContributionsName = "contributions.parquet"
	DrivesName        = "drives.parquet"
	PriorName         = "prior.parquet"
	AccountsName      = "accounts.parquet"
	StatementName     = "statement.parquet"
	AllocationsName   = "allocations.parquet"
	MerkleName        = "merkle.json"
)

// Account is one place where a contributor's earnings are booked: an address of its choice, or its reserve while it has
// none (the zero Address). A contributor who changes the address keeps what was booked to the old one there.
type Account struct {
	Contributor survey.ContributorID
	Address     merkle.Address
	Before      survey.Amount // booked by earlier epochs
	Current     bool          // where this epoch is booked; exactly one of a contributor's accounts
}

// Inputs is everything an epoch depends on.
type Inputs struct {
	Epoch         survey.Epoch
	Ruleset       []byte // JSON, as published
	Contributions []Contribution
	Drives        []rewards.Drive
	Prior         []rewards.Prior
	Accounts      []Account
}

// Contribution is a row of contributions.parquet.
type Contribution struct {
	Frame      string      `lake:"frame" doc:"Frame id: 32 hex digits of the content's identity."`
	Drive      string      `lake:"drive" doc:"Drive id; drives.parquet says whose."`
	Cell       survey.Cell `lake:"h3" doc:"H3 cell the frame is pinned to."`
	CapturedAt time.Time   `lake:"captured_at" unit:"us" doc:"When the camera took it: decides the slot."`
	ReceivedAt time.Time   `lake:"received_at" unit:"us" doc:"When the network had it: decides need, rank and lag."`
	Heading    int32       `lake:"heading" unit:"deg" doc:"Clockwise from true north, -1 unknown. Not used by v1."`
	Quality    int32       `lake:"quality" unit:"ppm" doc:"Fitness for mapping."`
}

type driveRow struct {
	Drive       string `lake:"drive"`
	Contributor string `lake:"contributor"`
	Trust       int64  `lake:"trust" unit:"ppm" doc:"How far the drive is believed."`
	Held        bool   `lake:"held" doc:"What it earns goes into escrow until an appeal is decided."`
}

type priorRow struct {
	Cell       survey.Cell `lake:"h3"`
	ReceivedAt time.Time   `lake:"received_at" unit:"us" doc:"Last reception that counted in an earlier epoch."`
}

type accountRow struct {
	Contributor string `lake:"contributor"`
	Address     string `lake:"address" doc:"0x and 40 hex digits; empty for the reserve of a contributor without address."`
	Before      int64  `lake:"before" unit:"base units" doc:"Booked by earlier epochs."`
	Current     bool   `lake:"current" doc:"This epoch is booked here."`
}

// Statement is a row of statement.parquet: a rewards.Line in words.
type Statement struct {
	Cell        survey.Cell `lake:"h3"`
	Slot        time.Time   `lake:"slot" unit:"us" doc:"Start of the capture slot."`
	Contributor string      `lake:"contributor"`
	Frames      int32       `lake:"frames" doc:"Frames that count."`
	Excluded    int32       `lake:"excluded" doc:"Frames that do not: trust, quality or capacity."`
	Need        int64       `lake:"need" unit:"ppm" doc:"Of the cell when the epoch's first counted frame was received."`
	Rank        int32       `lake:"rank" doc:"Of the slot in the cell, from 1; 0 when no frame of the slot counts."`
	RankWeight  int64       `lake:"rank_weight" unit:"ppm"`
	Quality     int64       `lake:"quality" unit:"ppm" doc:"Best counted frame."`
	Trust       int64       `lake:"trust" unit:"ppm" doc:"Of that frame's drive."`
	Best        int64       `lake:"best" unit:"ppm" doc:"Best score of the slot."`
	Score       int64       `lake:"score" unit:"ppm" doc:"Sum of the scores of the contributor's counted frames."`
	Total       int64       `lake:"total" unit:"ppm" doc:"The same for all contributors of the slot."`
	SlotWeight  int64       `lake:"slot_weight" unit:"ppm"`
	CellWeight  int64       `lake:"cell_weight" unit:"ppm"`
	CellAmount  int64       `lake:"cell_amount" unit:"base units" doc:"What the cell got of the pool."`
	Rate        int64       `lake:"rate" unit:"base units" doc:"What the slot got of that."`
	Amount      int64       `lake:"amount" unit:"base units" doc:"Rate × score / total, rounded down."`
	Held        int64       `lake:"held" unit:"base units" doc:"Part of amount that is in escrow."`
	Code        string      `lake:"code" doc:"Why nothing was earned; empty when something was."`
}

// Allocation is a row of allocations.parquet: one account.
type Allocation struct {
	Contributor string `lake:"contributor"`
	Address     string `lake:"address" doc:"Leaf of the tree: the payout address, or the reserve's."`
	Reserved    bool   `lake:"reserved" doc:"The contributor has set no address; the leaf cannot be claimed and moves to the address once set."`
	Amount      int64  `lake:"amount" unit:"base units" doc:"Earned in this epoch."`
	Held        int64  `lake:"held" unit:"base units" doc:"Earned in this epoch but in escrow; not in amount."`
	Moved       int64  `lake:"moved" unit:"base units" doc:"Moved between a contributor's reserve and its first address; sums to zero."`
	Before      int64  `lake:"before" unit:"base units" doc:"Cumulative at the end of the previous epoch."`
	Cumulative  int64  `lake:"cumulative" unit:"base units" doc:"before + amount + moved: what the tree holds."`
	Frames      int64  `lake:"frames"`
	Cells       int64  `lake:"cells"`
}

func schema(name, doc string) lake.Schema {
	return lake.Schema{Name: "rewards." + strings.TrimSuffix(name, ".parquet"), Version: 1, Doc: doc}
}

// Files are the files of an epoch by name.
type Files map[string][]byte

// ReservedAddress is the leaf of a contributor without a payout address: the last 20 bytes of
// keccak256("roadcomb:contributor:" + id). Nobody has a key for it, and the distributor pays an address only at its own
// request or with its signature, so that the amount stays where it is until the contributor sets an address.
func ReservedAddress(c survey.ContributorID) merkle.Address {
	h := merkle.Keccak256([]byte("roadcomb:contributor:" + string(c)))
	return merkle.Address(h[12:])
}

// Sort brings the inputs into the order in which they are published.
func (in *Inputs) Sort() {
	slices.SortFunc(in.Contributions, func(a, b Contribution) int {
		if n := cmp.Compare(a.Cell, b.Cell); n != 0 {
			return n
		}
		if n := a.CapturedAt.Compare(b.CapturedAt); n != 0 {
			return n
		}
		return cmp.Compare(a.Frame, b.Frame)
	})
	slices.SortFunc(in.Drives, func(a, b rewards.Drive) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(in.Prior, func(a, b rewards.Prior) int { return cmp.Compare(a.Cell, b.Cell) })
	slices.SortFunc(in.Accounts, func(a, b Account) int {
		if n := cmp.Compare(a.Contributor, b.Contributor); n != 0 {
			return n
		}
		return bytes.Compare(a.Address[:], b.Address[:])
	})
}

// EncodeContributions, and the others below, are the input files of rows in the order of Sort.
func EncodeContributions(rows []Contribution) ([]byte, error) {
	return lake.Encode(schema(ContributionsName, "Published frames that count in the epoch."), rows)
}

// EncodeDrives is drives.parquet.
func EncodeDrives(ds []rewards.Drive) ([]byte, error) {
	rows := make([]driveRow, len(ds))
	for i, d := range ds {
		rows[i] = driveRow{string(d.ID), string(d.Contributor), int64(d.Trust), d.Held}
	}
	return lake.Encode(schema(DrivesName, "The drives of the contributions."), rows)
}

// EncodePrior is prior.parquet.
func EncodePrior(ps []rewards.Prior) ([]byte, error) {
	rows := make([]priorRow, len(ps))
	for i, p := range ps {
		rows[i] = priorRow{p.Cell, time.UnixMicro(p.ReceivedAt).UTC()}
	}
	return lake.Encode(schema(PriorName, "When cells were last received before the epoch."), rows)
}

// EncodeAccounts is accounts.parquet.
func EncodeAccounts(as []Account) ([]byte, error) {
	rows := make([]accountRow, len(as))
	for i, a := range as {
		rows[i] = accountRow{string(a.Contributor), "", int64(a.Before), a.Current}
		if a.Address != (merkle.Address{}) {
			rows[i].Address = a.Address.String()
		}
	}
	return lake.Encode(schema(AccountsName, "What was booked before the epoch, and where the epoch is booked."), rows)
}

// InputFiles encodes all inputs.
func (in Inputs) InputFiles() (Files, error) {
	f := Files{RulesetName: in.Ruleset}
	var err error
	put := func(name string, b []byte, e error) {
		f[name] = b
		if err == nil {
			err = e
		}
	}
	b, e := EncodeContributions(in.Contributions)
	put(ContributionsName, b, e)
	b, e = EncodeDrives(in.Drives)
	put(DrivesName, b, e)
	b, e = EncodePrior(in.Prior)
	put(PriorName, b, e)
	b, e = EncodeAccounts(in.Accounts)
	put(AccountsName, b, e)
	return f, err
}

// InputNames lists the inputs in the order in which they are frozen: each may depend on those before it.
func InputNames() []string {
	return []string{RulesetName, ContributionsName, DrivesName, PriorName, AccountsName}
}

// ReadInputs decodes the input files of an epoch.
func ReadInputs(e survey.Epoch, f Files) (Inputs, error) {
	in := Inputs{Epoch: e, Ruleset: f[RulesetName]}
	for _, n := range InputNames() {
		if _, ok := f[n]; !ok {
			return in, survey.Errorf(survey.NotFound, "epoch %s lacks its input %s", e, n)
		}
	}
	var err error
	if in.Contributions, err = decode[Contribution](f, ContributionsName); err != nil {
		return in, err
	}
	if in.Drives, err = DecodeDrives(f[DrivesName]); err != nil {
		return in, err
	}
	ps, err := decode[priorRow](f, PriorName)
	if err != nil {
		return in, err
	}
	for _, p := range ps {
		in.Prior = append(in.Prior, rewards.Prior{Cell: p.Cell, ReceivedAt: p.ReceivedAt.UnixMicro()})
	}
	as, err := decode[accountRow](f, AccountsName)
	if err != nil {
		return in, err
	}
	for _, a := range as {
		acc := Account{Contributor: survey.ContributorID(a.Contributor), Before: survey.Amount(a.Before), Current: a.Current}
		if a.Address != "" {
			if acc.Address, err = merkle.ParseAddress(a.Address); err != nil {
				return in, survey.Errorf(survey.Invalid, "%s: contributor %s: %w", AccountsName, a.Contributor, err)
			}
		}
		in.Accounts = append(in.Accounts, acc)
	}
	return in, nil
}

// DecodeDrives reads drives.parquet.
func DecodeDrives(b []byte) ([]rewards.Drive, error) {
	rows, err := decode[driveRow](Files{DrivesName: b}, DrivesName)
	if err != nil {
		return nil, err
	}
	out := make([]rewards.Drive, len(rows))
	for i, d := range rows {
		out[i] = rewards.Drive{ID: survey.DriveID(d.Drive), Contributor: survey.ContributorID(d.Contributor), Trust: survey.PPM(d.Trust), Held: d.Held}
	}
	return out, nil
}

func decode[T any](f Files, name string) ([]T, error) {
	rows, err := lake.Decode[T](f[name])
	if err != nil {
		return nil, survey.Errorf(survey.Invalid, "%s: %w", name, err)
	}
	return rows, nil
}

// Outcome is what follows from the inputs.
type Outcome struct {
	rewards.Result
	Version     string       // of the ruleset
	Allocations []Allocation // ordered by contributor, then address as booked
	Accounts    []Account    // the same, as the next epoch's starting point
	Tree        *merkle.Tree // nil while nobody has earned anything
}

// Compute decides the epoch.
func (in Inputs) Compute() (Outcome, error) {
	rs, err := ruleset.Parse(in.Ruleset)
	if err != nil {
		return Outcome{}, err
	}
	if rs.From.Number() > in.Epoch.Number() {
		return Outcome{}, survey.Errorf(survey.Invalid, "ruleset %s begins with epoch %s, after %s", rs.Version, rs.From, in.Epoch)
	}
	out := Outcome{Version: rs.Version}
	ri, err := in.pure()
	if err != nil {
		return Outcome{}, err
	}
	if out.Result, err = rewards.Close(ri, rs); err != nil {
		return Outcome{}, err
	}
	return out, out.book(in.Accounts)
}

// pure turns the published rows into the inputs of the pure function.
func (in Inputs) pure() (rewards.Inputs, error) {
	ri := rewards.Inputs{Epoch: in.Epoch, Drives: in.Drives, Prior: in.Prior, Contributions: make([]rewards.Contribution, len(in.Contributions))}
	drive := make(map[string]int32, len(in.Drives))
	for i, d := range in.Drives {
		drive[string(d.ID)] = int32(i)
	}
	end := in.Epoch.End()
	for i, c := range in.Contributions {
		k, err := rewards.KeyOf(survey.FrameID(c.Frame))
		if err != nil {
			return ri, err
		}
		d, ok := drive[c.Drive]
		if !ok {
			return ri, survey.Errorf(survey.Invalid, "frame %s is of drive %s, which %s lacks", c.Frame, c.Drive, DrivesName)
		}
		if !c.ReceivedAt.Before(end) {
			return ri, survey.Errorf(survey.Invalid, "frame %s was received at %s, after epoch %s", c.Frame, c.ReceivedAt.Format(time.RFC3339), in.Epoch)
		}
		ri.Contributions[i] = rewards.Contribution{Frame: k, Cell: c.Cell, CapturedAt: c.CapturedAt.UnixMicro(), ReceivedAt: c.ReceivedAt.UnixMicro(), Drive: d, Quality: c.Quality}
	}
	return ri, nil
}

// book adds the epoch to the accounts and makes the tree.
func (out *Outcome) book(accounts []Account) error {
	accounts = slices.Clone(accounts)
	in := Inputs{Accounts: accounts}
	in.Sort()
	earned := make(map[survey.ContributorID]rewards.Allocation, len(out.Result.Allocations))
	for _, a := range out.Result.Allocations {
		earned[a.Contributor] = a
	}
	for lo := 0; lo < len(accounts); {
		id := accounts[lo].Contributor
		hi, current := lo, -1
		for ; hi < len(accounts) && accounts[hi].Contributor == id; hi++ {
			a := accounts[hi]
			if hi > lo && a.Address == accounts[hi-1].Address {
				return survey.Errorf(survey.Invalid, "contributor %s has two accounts at %s", id, a.Address)
			}
			if a.Before < 0 {
				return survey.Errorf(survey.Invalid, "contributor %s begins with %d base units", id, int64(a.Before))
			}
			if a.Current {
				if current >= 0 {
					return survey.Errorf(survey.Invalid, "contributor %s has two current accounts", id)
				}
				current = hi
			}
		}
		if current < 0 {
			return survey.Errorf(survey.Invalid, "contributor %s has no current account", id)
		}
		// The reserve sorts first: the zero address is the smallest.
		var moved survey.Amount
		if accounts[lo].Address == (merkle.Address{}) && current != lo {
			moved = accounts[lo].Before
		}
		for i := lo; i < hi; i++ {
			a := &accounts[i]
			row := Allocation{Contributor: string(id), Address: a.Address.String(), Before: int64(a.Before)}
			if a.Address == (merkle.Address{}) {
				row.Reserved, row.Address = true, ReservedAddress(id).String()
				row.Moved -= int64(moved)
			}
			if i == current {
				e := earned[id]
				row.Amount, row.Held, row.Frames, row.Cells = int64(e.Amount), int64(e.Held), e.Frames, e.Cells
				row.Moved += int64(moved)
				delete(earned, id)
			}
			row.Cumulative = row.Before + row.Amount + row.Moved
			if row.Cumulative < 0 {
				return survey.Errorf(survey.Invalid, "the cumulative amount of contributor %s leaves the range of 64 bits", id)
			}
			a.Before = survey.Amount(row.Cumulative)
			out.Allocations = append(out.Allocations, row)
		}
		lo = hi
	}
	for _, a := range out.Result.Allocations {
		if _, left := earned[a.Contributor]; left {
			return survey.Errorf(survey.Invalid, "contributor %s earned but has no account", a.Contributor)
		}
	}
	out.Accounts = accounts
	return out.tree()
}

// tree sums the cumulative amounts by leaf: two contributors may be paid to one address. Leaves are ordered by address.
func (out *Outcome) tree() error {
	leaves := make([]merkle.Leaf, 0, len(out.Allocations))
	for _, a := range out.Allocations {
		addr, err := merkle.ParseAddress(a.Address)
		if err != nil {
			return err
		}
		if a.Cumulative > 0 {
			leaves = append(leaves, merkle.Leaf{Address: addr, Amount: survey.Amount(a.Cumulative)})
		}
	}
	if len(leaves) == 0 {
		return nil
	}
	slices.SortFunc(leaves, func(a, b merkle.Leaf) int { return bytes.Compare(a.Address[:], b.Address[:]) })
	n := 0
	for _, l := range leaves[1:] {
		if l.Address == leaves[n].Address {
			leaves[n].Amount += l.Amount
			if leaves[n].Amount < 0 {
				return survey.Errorf(survey.Invalid, "the amount of %s leaves the range of 64 bits", l.Address)
			}
			continue
		}
		n++
		leaves[n] = l
	}
	var err error
	out.Tree, err = merkle.New(leaves[:n+1])
	return err
}

// OutputFiles encodes the outcome.
func (out Outcome) OutputFiles() (Files, error) {
	f := Files{}
	rows := make([]Statement, len(out.Lines))
	for i, l := range out.Lines {
		rows[i] = out.statement(l)
	}
	var err error
	if f[StatementName], err = lake.Encode(schema(StatementName, "What was earned in each cell and slot, and why."), rows); err != nil {
		return nil, err
	}
	if f[AllocationsName], err = lake.Encode(schema(AllocationsName, "What each account earned in the epoch and in all."), out.Allocations); err != nil {
		return nil, err
	}
	if out.Tree != nil {
		f[MerkleName] = out.Tree.Dump()
	}
	return f, nil
}

func (out Outcome) statement(l rewards.Line) Statement {
	return Statement{
		Cell: l.Cell, Slot: time.Unix(l.Slot, 0).UTC(), Contributor: string(out.Result.Allocations[l.Contributor].Contributor),
		Frames: l.Frames, Excluded: l.Excluded, Need: int64(l.Need), Rank: l.Rank, RankWeight: int64(l.Weight),
		Quality: int64(l.Quality), Trust: int64(l.Trust), Best: int64(l.Best), Score: l.Score, Total: l.Total,
		SlotWeight: int64(l.SlotWeight), CellWeight: int64(l.CellWeight), CellAmount: int64(l.CellAmount),
		Rate: int64(l.Rate), Amount: int64(l.Amount), Held: int64(l.Held), Code: string(l.Code),
	}
}
