// Package record is what is published of a closed epoch: the inputs, the outputs, and a manifest that names them all by
// SHA-256. The outputs are a pure function of the inputs, so that anyone who holds the folder can compute it again.
//
//	manifest.json          written last; names everything below
//	manifest.json.sig      that it is the network's (absent where no key was at hand)
//	ruleset.json           the numbers (input)
//	contributions.parquet  the published frames that count, by cell and capture time (input)
//	drives.parquet         who recorded each drive and what was found about it (input)
//	decisions.parquet      how holds of these drives ended, each signed by the role that decided (input)
//	prior.parquet          when each of their cells was last received in an earlier epoch (input)
//	spend.parquet          what customers spent on each cell (input)
//	orders.parquet         the cells of work orders that were open (input)
//	reviews.parquet        points earned by checking others' work (input)
//	sponsors.parquet       which contributors answer for which newcomers, each signed (input)
//	regions.parquet        the roads known in each region and how much of them is covered (input)
//	corrections.parquet    what was decided about earlier epochs since the last close (input)
//	signers.json           the public keys of the roles that signed one of these (input)
//	accounts.parquet       what each contributor had earned before, and where it is paid to (input)
//	statement.parquet      for each cell, slot and contributor: what was earned and why (output)
//	escrow.parquet         which drives the held amounts come from (output)
//	bonds.parquet          which newcomers' drives are paid on a sponsor's word, and what is held for it (output; absent without)
//	hits.parquet           what became of each work order's cells (output)
//	region_pools.parquet   how the coverage pool was split over regions (output; absent with one pool)
//	allocations.parquet    for each account: this epoch's amount and the sum of all epochs (output)
//	merkle.json            the tree of cumulative amounts (output; absent while nobody has earned anything)
package record

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
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
	SignatureName     = "manifest.json.sig"
	RulesetName       = "ruleset.json"
	ContributionsName = "contributions.parquet"
	DrivesName        = "drives.parquet"
	SignersName       = "signers.json"
	DecisionsName     = "decisions.parquet"
	PriorName         = "prior.parquet"
	AccountsName      = "accounts.parquet"
	SpendName         = "spend.parquet"
	OrdersName        = "orders.parquet"
	ReviewsName       = "reviews.parquet"
	CorrectionsName   = "corrections.parquet"
	RegionsName       = "regions.parquet"
	SponsorsName      = "sponsors.parquet"
	StatementName     = "statement.parquet"
	EscrowName        = "escrow.parquet"
	BondsName         = "bonds.parquet"
	HitsName          = "hits.parquet"
	RegionPoolsName   = "region_pools.parquet"
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
	Escrow      survey.Amount // of the contributor, on its current account: held by earlier epochs, not yet decided
	Debt        survey.Amount // the same: corrections that earnings have not covered yet
}

// CorrectionKind says what a correction does.
type CorrectionKind string

const (
	CorrectionRelease CorrectionKind = "release" // from escrow to the account
	CorrectionForfeit CorrectionKind = "forfeit" // from escrow to nobody
	CorrectionAdjust  CorrectionKind = "adjust"  // an error of the network's, either way
)

// Correction is the only way in which a closed epoch changes: an entry in a later one.
type Correction struct {
	ID          string `lake:"id"`
	Contributor string `lake:"contributor"`
	Epoch       string `lake:"epoch" doc:"The closed epoch it is about."`
	Kind        string `lake:"kind" doc:"release, forfeit or adjust."`
	Amount      int64  `lake:"amount" unit:"base units" doc:"Positive for release and forfeit; of either sign for adjust."`
	Reason      string `lake:"reason"`
	Evidence    string `lake:"evidence" doc:"SHA-256 of the evidence record."`
	DecidedBy   string `lake:"decided_by" doc:"Role and name, as role:name."`
	Signature   string `lake:"signature" doc:"Ed25519 by the role's key (signers.json) over Message, hex."`
}

// Inputs is everything an epoch depends on.
type Inputs struct {
	Epoch         survey.Epoch
	Ruleset       []byte // JSON, as published
	Contributions Contributions
	Drives        []rewards.Drive
	Signers       Signers    // of the roles that signed any of Decisions, Corrections and Sponsors
	Decisions     []Decision // about Drives
	Prior         []rewards.Prior
	Spend         []rewards.Spend
	Orders        []rewards.Order
	Reviews       []rewards.Review
	Regions       []rewards.Region
	Sponsors      []Sponsorship
	Corrections   []Correction
	Accounts      []Account
}

// Contribution is a row of contributions.parquet.
type Contribution struct {
	Frame      string      `lake:"frame" plain:"distinct" doc:"Frame id: 32 hex digits of the content's identity."`
	Drive      string      `lake:"drive" doc:"Drive id; drives.parquet says whose."`
	Cell       survey.Cell `lake:"h3" doc:"H3 cell the frame is pinned to."`
	CapturedAt time.Time   `lake:"captured_at" unit:"us" plain:"distinct" doc:"When the camera took it: decides the slot."`
	ReceivedAt time.Time   `lake:"received_at" unit:"us" plain:"distinct" doc:"When the network had it: decides need, rank and lag."`
	Heading    int32       `lake:"heading" unit:"deg" doc:"Clockwise from true north, -1 unknown. Not used by v1."`
	Quality    int32       `lake:"quality" unit:"ppm" doc:"Fitness for mapping."`
}

type driveRow struct {
	Drive       string `lake:"drive"`
	Contributor string `lake:"contributor"`
	Findings    string `lake:"findings" doc:"Doubts as kind:score in ppm, and evidence for the drive as +kind:score, ascending, separated by commas."`
	Decision    string `lake:"decision" doc:"On the findings that hold: empty, cleared or confirmed."`
}

type spendRow struct {
	Cell   survey.Cell `lake:"h3"`
	Amount int64       `lake:"amount" unit:"base units"`
}

type orderRow struct {
	Order  string      `lake:"order"`
	Cell   survey.Cell `lake:"h3"`
	Price  int64       `lake:"price" unit:"base units"`
	Opens  time.Time   `lake:"opens_at" unit:"us"`
	Closes time.Time   `lake:"closes_at" unit:"us" doc:"Exclusive."`
}

type reviewRow struct {
	Contributor string `lake:"contributor"`
	Points      int64  `lake:"points"`
}

type regionRow struct {
	Cell    survey.Cell `lake:"h3"`
	Road    int64       `lake:"road" unit:"mm" doc:"Road in the region, a two-way road once."`
	Covered int64       `lake:"covered" unit:"mm" doc:"Of that, what was covered within the four weeks before the epoch's end."`
}

// Sponsorship is a row of sponsors.parquet. Version 1 had the first two columns.
type Sponsorship struct {
	Newcomer  string    `lake:"newcomer"`
	Sponsor   string    `lake:"sponsor" doc:"Contributor who answers for the newcomer with its own earnings."`
	Since     time.Time `lake:"since" unit:"us"`
	SignedBy  string    `lake:"signed_by" doc:"Role and name, as role:name: sponsor when the contributor said so itself."`
	Signature string    `lake:"signature" doc:"Ed25519 by the role's key (signers.json) over Message, hex."`
}

// RegionPool is a row of region_pools.parquet.
type RegionPool struct {
	Cell     survey.Cell `lake:"h3" doc:"The region; 0 for cells outside all regions."`
	Road     int64       `lake:"road" unit:"mm"`
	Progress int64       `lake:"progress" unit:"ppm"`
	Pool     int64       `lake:"pool" unit:"base units" doc:"Its part of the coverage pool: at most this is paid."`
	Weight   int64       `lake:"weight" unit:"ppm" doc:"Sum of the weights of its cells."`
	Spent    int64       `lake:"spent" unit:"base units" doc:"What its cells got."`
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
	Escrow      int64  `lake:"escrow" unit:"base units" doc:"On the current account: held by earlier epochs and not yet decided."`
	Debt        int64  `lake:"debt" unit:"base units" doc:"On the current account: corrections that earnings have not covered."`
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
	Code        string      `lake:"code" doc:"Why amount is zero; empty when it is not."`
	DemandRate  int64       `lake:"demand_rate" unit:"base units" doc:"What the slot got of what customers spent on the cell."`
	Demand      int64       `lake:"demand" unit:"base units" doc:"Demand_rate × score / total, rounded down."`
	Held        int64       `lake:"held" unit:"base units" doc:"Part of amount + demand that is in escrow."`
	Region      survey.Cell `lake:"region" doc:"Region whose part of the coverage pool paid amount, as region_pools.parquet lists it; 0 outside all regions. Absent from epochs with one pool."`
}

// statementSchema is version 1 with one pool, as before there were regions, and version 2 with regions.
func (out Outcome) statementSchema() lake.Schema {
	s := schema(StatementName, "What was earned in each cell and slot, and why.")
	if out.Regions == nil {
		s.Without = []string{"region"}
	} else {
		s.Version = 2
	}
	return s
}

// Escrow is a row of escrow.parquet.
type Escrow struct {
	Drive  string `lake:"drive"`
	Amount int64  `lake:"amount" unit:"base units" doc:"Held of the drive in this epoch."`
}

// Bond is a row of bonds.parquet.
type Bond struct {
	Drive       string `lake:"drive"`
	Contributor string `lake:"contributor" doc:"Whose drive it is: the newcomer, whose drive is paid, or the sponsor, whose drive is held for that."`
	Newcomer    string `lake:"newcomer"`
}

// Hit is a row of hits.parquet.
type Hit struct {
	Order       string      `lake:"order"`
	Cell        survey.Cell `lake:"h3"`
	State       string      `lake:"state" doc:"open, filled or refunded."`
	Contributor string      `lake:"contributor" doc:"Who filled it."`
	Frame       string      `lake:"frame" doc:"With which frame."`
	Amount      int64       `lake:"amount" unit:"base units"`
	Held        int64       `lake:"held" unit:"base units"`
}

// Allocation is a row of allocations.parquet: one account.
type Allocation struct {
	Contributor string `lake:"contributor"`
	Address     string `lake:"address" doc:"Leaf of the tree: the payout address, or the reserve's."`
	Reserved    bool   `lake:"reserved" doc:"The contributor has set no address; the leaf cannot be claimed and moves to the address once set."`
	Coverage    int64  `lake:"coverage" unit:"base units" doc:"Earned from the coverage pool."`
	Demand      int64  `lake:"demand" unit:"base units" doc:"From what customers spent on the cells."`
	Bursts      int64  `lake:"bursts" unit:"base units" doc:"From work orders."`
	QA          int64  `lake:"qa" unit:"base units" doc:"From reviews."`
	Held        int64  `lake:"held" unit:"base units" doc:"Part of these four that is in escrow."`
	Amount      int64  `lake:"amount" unit:"base units" doc:"Earned in this epoch: the four, less held."`
	Corrected   int64  `lake:"corrected" unit:"base units" doc:"What corrections add or take, as far as earnings cover it."`
	Moved       int64  `lake:"moved" unit:"base units" doc:"Moved between a contributor's reserve and its first address; sums to zero."`
	Before      int64  `lake:"before" unit:"base units" doc:"Cumulative at the end of the previous epoch."`
	Cumulative  int64  `lake:"cumulative" unit:"base units" doc:"before + amount + corrected + moved: what the tree holds."`
	Escrow      int64  `lake:"escrow" unit:"base units" doc:"Held in all epochs and not yet decided."`
	Debt        int64  `lake:"debt" unit:"base units" doc:"Corrections that earnings have not covered yet."`
	Frames      int64  `lake:"frames" doc:"That count."`
	Cells       int64  `lake:"cells" doc:"With a frame that counts."`
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
	in.Contributions.sort()
	slices.SortFunc(in.Drives, func(a, b rewards.Drive) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(in.Decisions, func(a, b Decision) int { return cmp.Compare(a.Drive, b.Drive) })
	slices.SortFunc(in.Prior, func(a, b rewards.Prior) int { return cmp.Compare(a.Cell, b.Cell) })
	slices.SortFunc(in.Spend, func(a, b rewards.Spend) int { return cmp.Compare(a.Cell, b.Cell) })
	slices.SortFunc(in.Orders, func(a, b rewards.Order) int {
		if n := cmp.Compare(a.Cell, b.Cell); n != 0 {
			return n
		}
		return cmp.Compare(a.ID, b.ID)
	})
	slices.SortFunc(in.Reviews, func(a, b rewards.Review) int { return cmp.Compare(a.Contributor, b.Contributor) })
	slices.SortFunc(in.Regions, func(a, b rewards.Region) int { return cmp.Compare(a.Cell, b.Cell) })
	slices.SortFunc(in.Sponsors, func(a, b Sponsorship) int { return cmp.Compare(a.Newcomer, b.Newcomer) })
	slices.SortFunc(in.Corrections, func(a, b Correction) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(in.Accounts, func(a, b Account) int {
		if n := cmp.Compare(a.Contributor, b.Contributor); n != 0 {
			return n
		}
		return bytes.Compare(a.Address[:], b.Address[:])
	})
}

// EncodeInput is one input file; in holds the rows it needs, in the order of Sort.
func (in Inputs) EncodeInput(name string) ([]byte, error) {
	micro := func(us int64) time.Time { return time.UnixMicro(us).UTC() }
	switch name {
	case RulesetName:
		return in.Ruleset, nil
	case ContributionsName:
		return stream(schema(name, "Published frames that count in the epoch."), in.Contributions.Len(), in.Contributions.Row)
	case DrivesName:
		return encode(name, "The drives of the contributions.", in.Drives, func(d rewards.Drive) driveRow {
			fs := make([]string, 0, len(d.Findings)+len(d.Vouchers))
			for _, f := range d.Findings {
				fs = append(fs, f.Kind+":"+strconv.FormatInt(int64(f.Score), 10))
			}
			for _, f := range d.Vouchers {
				fs = append(fs, "+"+f.Kind+":"+strconv.FormatInt(int64(f.Score), 10))
			}
			slices.Sort(fs)
			return driveRow{string(d.ID), string(d.Contributor), strings.Join(slices.Compact(fs), ","), string(d.Decision)}
		})
	case SignersName:
		return encodeSigners(in.Signers)
	case DecisionsName:
		return lake.Encode(schema(name, "How holds of the drives ended, by whose word."), in.Decisions)
	case PriorName:
		return encode(name, "When cells were last received before the epoch.", in.Prior, func(p rewards.Prior) priorRow {
			return priorRow{p.Cell, micro(p.ReceivedAt)}
		})
	case SpendName:
		return encode(name, "What customers spent on cells.", in.Spend, func(s rewards.Spend) spendRow { return spendRow{s.Cell, int64(s.Amount)} })
	case OrdersName:
		return encode(name, "Cells of work orders that were open.", in.Orders, func(o rewards.Order) orderRow {
			return orderRow{o.ID, o.Cell, int64(o.Price), micro(o.Opens), micro(o.Closes)}
		})
	case ReviewsName:
		return encode(name, "Points earned by reviews.", in.Reviews, func(r rewards.Review) reviewRow { return reviewRow{string(r.Contributor), r.Points} })
	case RegionsName:
		return encode(name, "Roads known in each region.", in.Regions, func(r rewards.Region) regionRow { return regionRow{r.Cell, r.Road, r.Covered} })
	case SponsorsName:
		s := schema(name, "Contributors who answer for newcomers, by whose word.")
		s.Version = 2
		return lake.Encode(s, in.Sponsors)
	case CorrectionsName:
		return lake.Encode(schema(name, "Decisions about earlier epochs."), in.Corrections)
	case AccountsName:
		return encode(name, "What was booked before the epoch, and where the epoch is booked.", in.Accounts, func(a Account) accountRow {
			r := accountRow{string(a.Contributor), "", int64(a.Before), a.Current, int64(a.Escrow), int64(a.Debt)}
			if a.Address != (merkle.Address{}) {
				r.Address = a.Address.String()
			}
			return r
		})
	}
	return nil, survey.Errorf(survey.Internal, "no input is called %q", name)
}

func encode[From, Row any](name, doc string, from []From, row func(From) Row) ([]byte, error) {
	return stream(schema(name, doc), len(from), func(i int) Row { return row(from[i]) })
}

// InputNames lists the inputs in the order in which they are frozen: each may depend on those before it.
func InputNames() []string {
	return []string{RulesetName, ContributionsName, DrivesName, DecisionsName, PriorName, SpendName, OrdersName, ReviewsName, RegionsName, SponsorsName, CorrectionsName, SignersName, AccountsName}
}

// optional reports an input that epochs may lack: those closed before it was known.
func optional(name string) bool {
	return name == RegionsName || name == SponsorsName || name == SignersName || name == DecisionsName
}

// ReadInputs decodes the input files of an epoch.
func ReadInputs(e survey.Epoch, f Files) (Inputs, error) {
	in := Inputs{Epoch: e}
	for _, n := range InputNames() {
		b, ok := f[n]
		if !ok && optional(n) {
			continue
		}
		if !ok {
			return in, survey.Errorf(survey.NotFound, "epoch %s lacks its input %s", e, n)
		}
		if err := in.DecodeInput(n, b); err != nil {
			return in, err
		}
	}
	return in, nil
}

// DecodeInput reads one input file into in.
func (in *Inputs) DecodeInput(name string, b []byte) (err error) {
	switch name {
	case RulesetName:
		in.Ruleset = b
	case ContributionsName:
		in.Contributions = Contributions{}
		if rows, _, merr := lake.Meta(b); merr == nil && rows < 1<<28 {
			in.Contributions.Grow(int(min(rows, int64(len(b))))) // damaged files may announce anything
		}
		if err = lake.Scan(bytes.NewReader(b), func(rows []Contribution) error { return in.Contributions.Add(rows...) }); err != nil {
			err = survey.Errorf(survey.Invalid, "%s: %w", name, err)
		}
	case DrivesName:
		in.Drives, err = decode(name, b, func(r driveRow) (rewards.Drive, error) {
			d := rewards.Drive{ID: survey.DriveID(r.Drive), Contributor: survey.ContributorID(r.Contributor), Decision: rewards.Decision(r.Decision)}
			if r.Findings != "" {
				for _, f := range strings.Split(r.Findings, ",") {
					kind, score, _ := strings.Cut(f, ":")
					n, err := strconv.ParseInt(score, 10, 64)
					if err != nil {
						return d, survey.Errorf(survey.Invalid, "drive %s: finding %.60q is not kind:score", d.ID, f)
					}
					if kind, evidence := strings.CutPrefix(kind, "+"); evidence {
						d.Vouchers = append(d.Vouchers, rewards.Finding{Kind: kind, Score: survey.PPM(n)})
					} else {
						d.Findings = append(d.Findings, rewards.Finding{Kind: kind, Score: survey.PPM(n)})
					}
				}
			}
			return d, nil
		})
	case SignersName:
		in.Signers, err = decodeSigners(b)
	case DecisionsName:
		in.Decisions, err = decode(name, b, func(r Decision) (Decision, error) { return r, nil })
	case PriorName:
		in.Prior, err = decode(name, b, func(r priorRow) (rewards.Prior, error) {
			return rewards.Prior{Cell: r.Cell, ReceivedAt: r.ReceivedAt.UnixMicro()}, nil
		})
	case SpendName:
		in.Spend, err = decode(name, b, func(r spendRow) (rewards.Spend, error) {
			return rewards.Spend{Cell: r.Cell, Amount: survey.Amount(r.Amount)}, nil
		})
	case OrdersName:
		in.Orders, err = decode(name, b, func(r orderRow) (rewards.Order, error) {
			return rewards.Order{ID: r.Order, Cell: r.Cell, Price: survey.Amount(r.Price), Opens: r.Opens.UnixMicro(), Closes: r.Closes.UnixMicro()}, nil
		})
	case ReviewsName:
		in.Reviews, err = decode(name, b, func(r reviewRow) (rewards.Review, error) {
			return rewards.Review{Contributor: survey.ContributorID(r.Contributor), Points: r.Points}, nil
		})
	case RegionsName:
		in.Regions, err = decode(name, b, func(r regionRow) (rewards.Region, error) {
			return rewards.Region{Cell: r.Cell, Road: r.Road, Covered: r.Covered}, nil
		})
	case SponsorsName:
		in.Sponsors, err = decode(name, b, func(r Sponsorship) (Sponsorship, error) { return r, nil })
	case CorrectionsName:
		in.Corrections, err = decode(name, b, func(r Correction) (Correction, error) { return r, nil })
	case AccountsName:
		in.Accounts, err = decode(name, b, func(r accountRow) (Account, error) {
			a := Account{survey.ContributorID(r.Contributor), merkle.Address{}, survey.Amount(r.Before), r.Current, survey.Amount(r.Escrow), survey.Amount(r.Debt)}
			if r.Address == "" {
				return a, nil
			}
			var err error
			a.Address, err = merkle.ParseAddress(r.Address)
			return a, err
		})
	default:
		err = survey.Errorf(survey.Internal, "no input is called %q", name)
	}
	return err
}

func decode[Row, To any](name string, b []byte, to func(Row) (To, error)) ([]To, error) {
	var out []To
	err := lake.Scan(bytes.NewReader(b), func(rows []Row) error {
		for _, r := range rows {
			v, err := to(r)
			if err != nil {
				return err
			}
			out = append(out, v)
		}
		return nil
	})
	if err != nil {
		return nil, survey.Errorf(survey.Invalid, "%s: %w", name, err)
	}
	return out, nil
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
	if out.Result, err = in.Decide(rs); err != nil {
		return Outcome{}, err
	}
	return out, out.book(in.Accounts, in.Corrections)
}

// Decide is what the epoch pays by a ruleset, be it its own or another; no account is touched.
func (in Inputs) Decide(rs rewards.Ruleset) (rewards.Result, error) {
	ri, err := in.pure()
	if err != nil {
		return rewards.Result{}, err
	}
	return rewards.CloseInPlace(ri, rs)
}

// Derive adds to the drives the doubts and the evidence that follow from the contributions themselves (rewards.Derived).
// Contributions and Drives must be set.
func (in *Inputs) Derive() error {
	ri, err := in.pure()
	if err != nil {
		return err
	}
	doubts, evidence := rewards.Derived(ri)
	for i := range in.Drives {
		d := &in.Drives[i]
		d.Findings = append(d.Findings, doubts[int32(i)]...)
		d.Vouchers = append(d.Vouchers, evidence[int32(i)]...)
	}
	return nil
}

// pure turns the published rows into the inputs of the pure function.
func (in Inputs) pure() (rewards.Inputs, error) {
	ri := rewards.Inputs{Epoch: in.Epoch, Drives: in.Drives, Prior: in.Prior, Spend: in.Spend, Orders: in.Orders, Reviews: in.Reviews, Regions: in.Regions}
	for _, s := range in.Sponsors {
		ri.Sponsors = append(ri.Sponsors, rewards.Sponsorship{Newcomer: survey.ContributorID(s.Newcomer), Sponsor: survey.ContributorID(s.Sponsor)})
	}
	var err error
	ri.Contributions, err = in.Contributions.pure(in.Epoch, in.Drives)
	return ri, err
}

// corrected is what corrections do to one contributor.
type corrected struct{ credit, release, forfeit survey.Amount }

func sumCorrections(cs []Correction) (map[survey.ContributorID]corrected, error) {
	out := map[survey.ContributorID]corrected{}
	seen := map[string]bool{}
	for _, c := range cs {
		if seen[c.ID] {
			return nil, survey.Errorf(survey.Invalid, "correction %s occurs twice", c.ID)
		}
		seen[c.ID] = true
		id, n := survey.ContributorID(c.Contributor), survey.Amount(c.Amount)
		s := out[id]
		switch kind := CorrectionKind(c.Kind); {
		case kind == CorrectionAdjust:
			s.credit += n
		case n < 0:
			return nil, survey.Errorf(survey.Invalid, "correction %s: %s of %d base units", c.ID, c.Kind, c.Amount)
		case kind == CorrectionRelease:
			s.credit += n
			s.release += n
		case kind == CorrectionForfeit:
			s.forfeit += n
		default:
			return nil, survey.Errorf(survey.Invalid, "correction %s is of unknown kind %.20q", c.ID, c.Kind)
		}
		out[id] = s
	}
	return out, nil
}

// book adds the epoch to the accounts and makes the tree.
func (out *Outcome) book(accounts []Account, corrections []Correction) error {
	in := Inputs{Accounts: slices.Clone(accounts)}
	in.Sort()
	accounts = in.Accounts
	earned := make(map[survey.ContributorID]rewards.Allocation, len(out.Result.Allocations))
	for _, a := range out.Result.Allocations {
		earned[a.Contributor] = a
	}
	fixes, err := sumCorrections(corrections)
	if err != nil {
		return err
	}
	for lo := 0; lo < len(accounts); {
		id := accounts[lo].Contributor
		hi, current := lo, -1
		for ; hi < len(accounts) && accounts[hi].Contributor == id; hi++ {
			a := accounts[hi]
			switch {
			case hi > lo && a.Address == accounts[hi-1].Address:
				return survey.Errorf(survey.Invalid, "contributor %s has two accounts at %s", id, a.Address)
			case a.Before < 0 || a.Escrow < 0 || a.Debt < 0 || !a.Current && (a.Escrow != 0 || a.Debt != 0):
				return survey.Errorf(survey.Invalid, "contributor %s begins with impossible amounts", id)
			case a.Current && current >= 0:
				return survey.Errorf(survey.Invalid, "contributor %s has two current accounts", id)
			case a.Current:
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
				e, fix := earned[id], fixes[id]
				delete(earned, id)
				delete(fixes, id)
				a.Escrow += e.Held - fix.release - fix.forfeit
				if a.Escrow < 0 {
					return survey.Errorf(survey.Invalid, "corrections take %d base units more out of contributor %s's escrow than it holds", int64(-a.Escrow), id)
				}
				// A debt is paid from earnings; what was booked is never taken back, because it may be claimed.
				due := e.Amount + fix.credit - a.Debt
				a.Debt = max(0, -due)
				row.Coverage, row.Demand, row.Bursts, row.QA = int64(e.Coverage), int64(e.Demand), int64(e.Bursts), int64(e.QA)
				row.Amount, row.Held, row.Frames, row.Cells = int64(e.Amount), int64(e.Held), e.Frames, e.Cells
				row.Corrected = int64(max(0, due) - e.Amount)
				row.Escrow, row.Debt = int64(a.Escrow), int64(a.Debt)
				row.Moved += int64(moved)
			}
			row.Cumulative = row.Before + row.Amount + row.Corrected + row.Moved
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
	for _, c := range corrections {
		if _, left := fixes[survey.ContributorID(c.Contributor)]; left {
			return survey.Errorf(survey.Invalid, "correction %s is for contributor %s, who has no account", c.ID, c.Contributor)
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
	var err error
	if f[StatementName], err = stream(out.statementSchema(), len(out.Lines), func(i int) Statement { return out.statement(&out.Lines[i]) }); err != nil {
		return nil, err
	}
	hits := make([]Hit, len(out.Hits))
	for i, h := range out.Hits {
		hits[i] = Hit{Order: h.Order, Cell: h.Cell, State: string(h.State), Amount: int64(h.Amount), Held: int64(h.Held)}
		if h.Contributor >= 0 {
			hits[i].Contributor, hits[i].Frame = string(out.Result.Allocations[h.Contributor].Contributor), string(h.Frame.ID())
		}
	}
	if f[EscrowName], err = encode(EscrowName, "Which drives the held amounts come from.", out.Escrow, func(e rewards.Escrow) Escrow {
		return Escrow{string(e.Drive), int64(e.Amount)}
	}); err != nil {
		return nil, err
	}
	if len(out.Bonds) > 0 {
		if f[BondsName], err = encode(BondsName, "Drives that sponsorships decided about.", out.Bonds, func(b rewards.Bond) Bond {
			return Bond{string(b.Drive), string(b.Contributor), string(b.Newcomer)}
		}); err != nil {
			return nil, err
		}
	}
	if f[HitsName], err = lake.Encode(schema(HitsName, "What became of the work orders' cells."), hits); err != nil {
		return nil, err
	}
	if out.Regions != nil {
		if f[RegionPoolsName], err = encode(RegionPoolsName, "How the coverage pool was split over regions.", out.Regions, func(r rewards.RegionShare) RegionPool {
			return RegionPool{r.Cell, r.Road, int64(r.Progress), int64(r.Pool), r.Weight, int64(r.Spent)}
		}); err != nil {
			return nil, err
		}
	}
	if f[AllocationsName], err = lake.Encode(schema(AllocationsName, "What each account earned in the epoch and in all."), out.Allocations); err != nil {
		return nil, err
	}
	if out.Tree != nil {
		f[MerkleName] = out.Tree.Dump()
	}
	return f, nil
}

func (out *Outcome) statement(l *rewards.Line) Statement {
	return Statement{
		Cell: l.Cell, Slot: time.Unix(l.Slot, 0).UTC(), Contributor: string(out.Result.Allocations[l.Contributor].Contributor),
		Frames: l.Frames, Excluded: l.Excluded, Need: int64(l.Need), Rank: l.Rank, RankWeight: int64(l.Weight),
		Quality: int64(l.Quality), Trust: int64(l.Trust), Best: int64(l.Best), Score: l.Score, Total: l.Total,
		SlotWeight: int64(l.SlotWeight), CellWeight: int64(l.CellWeight), CellAmount: int64(l.CellAmount),
		Rate: int64(l.Rate), Amount: int64(l.Amount), Code: string(l.Code),
		DemandRate: int64(l.DemandRate), Demand: int64(l.Demand), Held: int64(l.Held), Region: l.Region,
	}
}
