// Package rewards decides who is paid what for an epoch. It is a pure function of its inputs and a dated ruleset:
// integers only, no clock, no randomness, no dependence on the order in which anything arrived in memory. The order of
// operations is written in ruleset/v1.md; the numbers are in ruleset/*.json.
//
// It opens nothing and knows neither files nor chains. Package record reads and writes what is published of an epoch,
// package merkle makes the tree that pays, package worker closes epochs.
package rewards

import (
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Ruleset is the dated formula of an epoch. A published ruleset is never edited; a change is a new one that starts at a
// later epoch. All shares are parts per million, all times whole seconds.
type Ruleset struct {
	Version string       `json:"version"`
	From    survey.Epoch `json:"from"` // the first epoch it decides

	// Emission is what one epoch may newly pay, in base units. What customers pay comes on top.
	Emission survey.Amount `json:"emission,string"`
	// CutoffSeconds after the end of an epoch it closes even if an upload that began before the end is unfinished.
	CutoffSeconds int64 `json:"cutoff_seconds"`

	Pools    Pools    `json:"pools"`
	Coverage Coverage `json:"coverage"`
	Demand   Demand   `json:"demand"`
	Trust    Trust    `json:"trust"`
	// Regions splits the coverage pool by region; absent, or without regions among the inputs, there is one pool.
	Regions *Regions `json:"regions,omitempty"`
}

// Regions says how the coverage pool is split over regions whose roads are known: by weight × progress, so that what a
// region gets grows as it is covered, and a region without coverage does not take from the others' cells.
type Regions struct {
	// Resolution is the H3 resolution whose cells are the regions, 0 to 11.
	Resolution int `json:"resolution"`
	// Outside is the share of the pool for cells that lie in no region among the inputs.
	Outside survey.PPM `json:"outside"`
	// Full is the covered share of a region's road that counts as all of it: progress is the covered share over Full, at
	// most One.
	Full survey.PPM `json:"full"`
	// Floor is the least progress of a region with a cell that earns.
	Floor survey.PPM `json:"floor"`
}

// Pools are the shares of the emission. What they leave of it is not minted; each may be zero.
type Pools struct {
	Coverage survey.PPM `json:"coverage"`
	QA       survey.PPM `json:"qa"`
}

// Coverage says how the coverage pool is split.
type Coverage struct {
	// MaxRate bounds what a cell of weight one earns, so that a week with little footage does not pay the whole
	// pool for it. What the bound leaves is the remainder and is not minted.
	MaxRate survey.Amount `json:"max_rate,string"`
	// NeedSeconds is how long a cell takes from just received (need 0) to fully in need again (need One), linearly.
	NeedSeconds int64 `json:"need_seconds"`
	// SlotSeconds is the length of the capture-time slots whose order in a cell is the rank. Slots begin at multiples
	// of it since 1970 UTC.
	SlotSeconds int64 `json:"slot_seconds"`
	// Ranks are the weights of a cell's first, second, … slot of the epoch; later ones weigh nothing.
	Ranks []survey.PPM `json:"ranks"`
	// Capacity is how many frames of a slot count in a cell. 0 means all.
	Capacity int `json:"capacity"`
	// Seniority says which frames those are: "received", the first received, or "score", the best, then the first.
	Seniority string `json:"seniority"`
	// MinQuality excludes frames below it.
	MinQuality survey.PPM `json:"min_quality"`
	// A frame received within LagFullSeconds of its capture counts in full; from there its share falls linearly to
	// LagFloor at LagFloorSeconds and stays there.
	LagFullSeconds  int64      `json:"lag_full_seconds"`
	LagFloorSeconds int64      `json:"lag_floor_seconds"`
	LagFloor        survey.PPM `json:"lag_floor"`
}

// Demand says how much of what customers spend on a cell reaches those who covered it; the rest is burned.
type Demand struct {
	Burn survey.PPM `json:"burn"`
	// Carry leaves what was spent on a cell that nobody covered to the next epoch, instead of burning its part and leaving
	// the rest in the remainder.
	Carry bool `json:"carry,omitempty"`
}

// Trust turns what was found about a drive into how far it is believed. A kind of finding that is listed under neither
// Factors nor Hold changes nothing.
type Trust struct {
	// Factors are multiplied: a kind that is certain counts with its factor, a less certain one comes closer to One in
	// proportion to its score.
	Factors map[string]survey.PPM `json:"factors"`
	// Hold lists the kinds that put what the drive earns into escrow, from the given score on. While undecided they
	// lower nothing.
	Hold map[string]survey.PPM `json:"hold"`
	// Bands turn the product into trust: the first whose From it reaches. Below the last it is 0.
	Bands []Band `json:"bands"`
	// Vouchers, when there are any, are the kinds of evidence of which a drive needs at least one, with at least that
	// score. What a drive without earns goes into escrow, as if it had a finding that holds.
	Vouchers map[string]survey.PPM `json:"vouchers,omitempty"`
	// Sponsors lets a contributor whose drives are vouched for answer for newcomers with its own earnings; absent, nobody
	// can.
	Sponsors *Sponsors `json:"sponsors,omitempty"`
	// Signed asks that whatever was decided about holds, corrections and enrolments is signed by the role that decided. It
	// changes no amount; what is not signed so cannot be among the inputs.
	Signed bool `json:"signed,omitempty"`
}

// Sponsors bounds what one contributor may answer for.
type Sponsors struct {
	// Newcomers is how many newcomers a sponsor's earnings of an epoch may stand for, 1 to 100.
	Newcomers int `json:"newcomers"`
}

// Band is one step of trust.
type Band struct {
	From  survey.PPM `json:"from"`
	Trust survey.PPM `json:"trust"`
}

// Finding is a doubt about a drive: its kind, as ingest and vision name it, and how certain it is.
type Finding struct {
	Kind  string
	Score survey.PPM
}

// Decision is the end of a hold.
type Decision string

const (
	DecisionNone      Decision = ""          // nothing held, or not decided
	DecisionCleared   Decision = "cleared"   // the holding findings are void
	DecisionConfirmed Decision = "confirmed" // the drive earns nothing
)

// Reasons for a hold that are no findings: nothing speaks against the drive.
const (
	// KindUnvouched is how a hold names that nothing vouches for the drive.
	KindUnvouched = "unvouched"
	// KindBond is how a hold names that the drive's earnings stand for a newcomer whom its contributor answers for.
	KindBond = "bond"
)

// KindEnrolled is the evidence that a drive has for whose contributor or device the operator, or a fleet, answers.
const KindEnrolled = "enrolled"

// Vouched reports whether the evidence is enough; always so when the ruleset asks for none.
func (t Trust) Vouched(vouchers []Finding) bool {
	for _, v := range vouchers {
		if from, ok := t.Vouchers[v.Kind]; ok && v.Score >= from {
			return true
		}
	}
	return len(t.Vouchers) == 0
}

// Of is a drive's trust and whether what it earns is held.
func (t Trust) Of(d Drive) (trust survey.PPM, held bool) {
	trust, held = t.Doubted(d)
	return trust, held || trust > 0 && d.Decision == DecisionNone && !t.Vouched(d.Vouchers)
}

// Doubted is Of as if the drive were vouched for: held says that a finding holds it.
func (t Trust) Doubted(d Drive) (trust survey.PPM, held bool) {
	if d.Decision == DecisionConfirmed {
		return 0, false
	}
	if len(d.Findings) == 0 { // most drives
		return t.band(survey.One), false
	}
	worst := map[string]survey.PPM{}
	for _, f := range d.Findings {
		worst[f.Kind] = max(worst[f.Kind], f.Score)
	}
	product := survey.One
	// By name: rounding down makes a product depend on its order.
	for _, kind := range slices.Sorted(maps.Keys(worst)) {
		if from, ok := t.Hold[kind]; ok {
			held = held || d.Decision == DecisionNone && worst[kind] >= from
		} else if p, ok := t.Factors[kind]; ok {
			product = product.Mul(survey.One - (survey.One - p).Mul(worst[kind]))
		}
	}
	if trust = t.band(product); trust == 0 {
		held = false
	}
	return trust, held
}

func (t Trust) band(product survey.PPM) survey.PPM {
	for _, b := range t.Bands {
		if product >= b.From {
			return b.Trust
		}
	}
	return 0
}

// Validate reports a ruleset that cannot decide anything.
func (r Ruleset) Validate() error {
	c := r.Coverage
	bad := func(what string) error { return survey.Errorf(survey.Invalid, "ruleset %q: %s", r.Version, what) }
	share := func(ps ...survey.PPM) bool {
		return !slices.ContainsFunc(ps, func(p survey.PPM) bool { return p < 0 || p > survey.One })
	}
	switch {
	case r.Version == "":
		return bad("no version")
	case r.Emission < 0 || c.MaxRate < 0:
		return bad("an amount is negative")
	case r.CutoffSeconds < 0:
		return bad("cutoff_seconds is negative")
	case c.NeedSeconds <= 0 || c.SlotSeconds <= 0:
		return bad("need_seconds and slot_seconds must be positive")
	case len(c.Ranks) == 0 || len(c.Ranks) > 64:
		return bad("ranks must have 1 to 64 entries")
	case c.Capacity < 0:
		return bad("capacity is negative")
	case c.Seniority != "received" && c.Seniority != "score":
		return bad("seniority is neither received nor score")
	case !share(r.Pools.Coverage, r.Pools.QA, r.Pools.Coverage+r.Pools.QA):
		return bad("the pools are more than the whole")
	case !share(c.MinQuality, c.LagFloor, r.Demand.Burn):
		return bad("a share is not within 0 to 1000000")
	case c.LagFullSeconds < 0 || c.LagFloorSeconds < c.LagFullSeconds:
		return bad("lag_floor_seconds is before lag_full_seconds")
	case len(r.Trust.Bands) == 0:
		return bad("trust has no bands")
	}
	for i, w := range c.Ranks {
		if !share(w) || i > 0 && w > c.Ranks[i-1] {
			return bad("ranks are not shares that fall")
		}
	}
	for kind, p := range r.Trust.Factors {
		if _, both := r.Trust.Hold[kind]; both || !share(p) {
			return bad("a factor of trust is not a share, or also holds")
		}
	}
	for _, p := range r.Trust.Hold {
		if !share(p) {
			return bad("a score that holds is not a share")
		}
	}
	for _, p := range r.Trust.Vouchers {
		if !share(p) {
			return bad("a score that vouches is not a share")
		}
	}
	if s := r.Trust.Sponsors; s != nil && (s.Newcomers < 1 || s.Newcomers > 100 || len(r.Trust.Vouchers) == 0) {
		return bad("sponsors answer for 1 to 100 newcomers each, and only where drives need a voucher")
	}
	if g := r.Regions; g != nil && (g.Resolution < 0 || g.Resolution > 11 || !share(g.Outside, g.Full, g.Floor) || g.Full == 0) {
		return bad("regions have a resolution beyond 0 to 11, a share beyond the whole, or nothing that counts as full")
	}
	for i, b := range r.Trust.Bands {
		if !share(b.From, b.Trust) || i > 0 && (b.From >= r.Trust.Bands[i-1].From || b.Trust > r.Trust.Bands[i-1].Trust) {
			return bad("the bands of trust are not shares that fall")
		}
	}
	return nil
}

// FrameKey is a survey.FrameID in 16 bytes; its order is that of the text form.
type FrameKey [16]byte

// KeyOf is the key of a frame id; an id of another form is Invalid.
func KeyOf(id survey.FrameID) (k FrameKey, err error) {
	if !survey.ValidID(string(id)) {
		return k, survey.Errorf(survey.Invalid, "frame id %.40q is not 32 hex digits", string(id))
	}
	hex.Decode(k[:], []byte(id))
	return k, nil
}

// ID is the text form.
func (k FrameKey) ID() survey.FrameID { return survey.FrameID(hex.EncodeToString(k[:])) }

// Drive is who recorded a drive and what was found about it.
type Drive struct {
	ID          survey.DriveID
	Contributor survey.ContributorID
	Findings    []Finding
	Vouchers    []Finding // evidence for the drive
	Decision    Decision
}

// Contribution is a published frame that counts in the epoch.
type Contribution struct {
	Frame      FrameKey
	Cell       survey.Cell
	CapturedAt int64 // microseconds since 1970 UTC: which slot
	ReceivedAt int64 // microseconds since 1970 UTC: need, rank, lag
	Drive      int32 // index into Inputs.Drives
	Quality    int32 // PPM
}

// Prior is when a cell was last received in an earlier epoch.
type Prior struct {
	Cell       survey.Cell
	ReceivedAt int64 // microseconds since 1970 UTC
}

// Spend is what customers spent on a cell in the epoch.
type Spend struct {
	Cell   survey.Cell
	Amount survey.Amount
}

// Order is one cell of a work order that was open in the epoch: the first frame that counts, captured within
// [Opens, Closes), earns the price. An order that nobody fills before it closes is refunded.
type Order struct {
	ID            string
	Cell          survey.Cell
	Price         survey.Amount
	Opens, Closes int64 // microseconds since 1970 UTC
}

// Review is the points a contributor earned by checking others' work.
type Review struct {
	Contributor survey.ContributorID
	Points      int64
}

// Sponsorship says that a contributor answers for a newcomer.
type Sponsorship struct {
	Newcomer, Sponsor survey.ContributorID
}

// Region is what is known of the roads in one region, an H3 cell of the ruleset's resolution.
type Region struct {
	Cell    survey.Cell
	Road    int64 // mm of road
	Covered int64 // mm of that which were covered within the ruleset's time; at most Road
}

// Inputs is everything that decides an epoch. Order within the slices does not matter. A frame, a drive's id, a prior's
// cell, a spend's cell, an order's id and cell, a review's contributor, and a sponsorship's newcomer each occur once.
type Inputs struct {
	Epoch         survey.Epoch
	Drives        []Drive
	Contributions []Contribution
	Prior         []Prior
	Spend         []Spend
	Orders        []Order
	Reviews       []Review
	Regions       []Region
	Sponsors      []Sponsorship
}

// Code says why a line earned nothing. The list is closed; the empty Code is a line that earned.
type Code string

const (
	CodePaid       Code = ""
	CodeNoTrust    Code = "no_trust"    // the drive is not believed
	CodeLowQuality Code = "low_quality" // every frame is below the quality that counts
	CodeSaturated  Code = "saturated"   // the slot's capacity was full before
	CodeFresh      Code = "fresh"       // the cell was received so recently that it needed nothing
	CodeRank       Code = "rank"        // the cell was already covered in enough slots
	CodeTooLittle  Code = "too_little"  // the share is below one base unit
)

// Codes is the closed list with the sentence shown to a contributor.
func Codes() []struct {
	Code Code
	Text string
} {
	return []struct {
		Code Code
		Text string
	}{
		{CodeNoTrust, "The drive is not trusted, so it earns nothing."},
		{CodeLowQuality, "No frame here reaches the quality that counts."},
		{CodeSaturated, "Enough frames of this cell had been received for this time already."},
		{CodeFresh, "The cell had been received shortly before and needed nothing new."},
		{CodeRank, "The cell was covered earlier in the epoch as often as is paid for."},
		{CodeTooLittle, "The share is smaller than the smallest unit."},
	}
}

// Line is what one contributor earned in one cell for one capture slot, with everything that decided it. The amounts of
// a contributor's lines add up to its allocation exactly.
type Line struct {
	Cell        survey.Cell
	Slot        int64 // start of the slot, seconds since 1970 UTC
	Contributor int32 // index into Result.Allocations
	// Region is the region whose part of the coverage pool pays the cell: zero outside all regions, and with one pool.
	Region survey.Cell

	Frames   int32 // that count
	Excluded int32 // that do not: quality, trust or capacity

	Need    survey.PPM // of the cell
	Rank    int32      // of the slot in the cell from 1; 0 when no frame of the slot counts
	Weight  survey.PPM // of that rank
	Quality survey.PPM // best of the counted frames
	Trust   survey.PPM // of the drive of the best counted frame
	Best    survey.PPM // best score (quality × trust × lag) of the whole slot

	Score     int64 // sum of the scores of the counted frames, PPM
	HeldScore int64 // the part of Score from held drives
	Total     int64 // sum of the scores over all contributors of the slot

	CellWeight survey.PPM    // sum over the cell's slots of need × rank weight × best; may exceed One
	SlotWeight survey.PPM    // this slot's part of it
	CellAmount survey.Amount // what the cell got of the pool
	Rate       survey.Amount // what the slot got of that
	Amount     survey.Amount // Rate × Score / Total, rounded down
	Code       Code          // why Amount is 0

	DemandRate survey.Amount // what the slot got of the drivers' part of what customers spent on the cell
	Demand     survey.Amount // DemandRate × Score / Total, rounded down

	Held survey.Amount // the part of Amount + Demand that is in escrow
}

// Hit is what became of one cell of a work order.
type Hit struct {
	Order       string
	Cell        survey.Cell
	State       HitState
	Contributor int32    // index into Result.Allocations; -1 unless filled
	Frame       FrameKey // that filled it
	Amount      survey.Amount
	Held        survey.Amount // Amount or 0
}

// HitState says what became of an order.
type HitState string

const (
	HitOpen     HitState = "open"     // nobody yet; counts again in the next epoch
	HitFilled   HitState = "filled"   // paid
	HitRefunded HitState = "refunded" // closed before anybody came
)

// Allocation is what a contributor earned in the epoch: Amount = Coverage + Demand + Bursts + QA − Held.
type Allocation struct {
	Contributor                  survey.ContributorID
	Amount                       survey.Amount
	Held                         survey.Amount // in escrow, not part of Amount
	Coverage, Demand, Bursts, QA survey.Amount // with their held parts
	Frames                       int64         // that count
	Cells                        int64         // with at least one counted frame
}

// Escrow is what the epoch holds of one drive.
type Escrow struct {
	Drive  survey.DriveID
	Amount survey.Amount
}

// Pool is the account of one pool: In = Allocated + Held + Burned + Refunded + Remainder, to the base unit.
type Pool struct {
	Name      string        `json:"name"` // coverage, demand, bursts, qa, or unassigned for the emission's rest
	In        survey.Amount `json:"in,string"`
	Allocated survey.Amount `json:"allocated,string"`
	Held      survey.Amount `json:"held,string"`
	Burned    survey.Amount `json:"burned,string"`
	Refunded  survey.Amount `json:"refunded,string"`
	Remainder survey.Amount `json:"remainder,string"`
}

// Result is the outcome of an epoch. The pools' Allocated are the sum of the allocations' Amount, and their Held of
// Held.
type Result struct {
	Epoch survey.Epoch
	Pools []Pool // coverage, demand, bursts, qa, unassigned
	// Spent is what the coverage pool split: all of it, or less when MaxRate bounds it.
	Spent survey.Amount
	// Weight is the sum of all cells' weights, PPM of a cell.
	Weight int64
	// Lines are ordered by cell, slot, contributor.
	Lines []Line
	// Hits are ordered by cell and order.
	Hits []Hit
	// Allocations are ordered by contributor: one for each that has a contribution or a review.
	Allocations []Allocation
	// Escrow says which drives the held amounts come from, ordered by drive.
	Escrow []Escrow
	// Regions say how the coverage pool was split, ordered by cell, the zero Cell standing for what lies outside all
	// regions; nil with one pool.
	Regions []RegionShare
	// Carried is what was spent on cells that nobody covered and that the next epoch counts again, ordered by cell. It is
	// in no pool.
	Carried []Spend
	// Bonds are the drives that sponsorships decided about, ordered by drive.
	Bonds []Bond
}

// Bond is a drive that a sponsorship decided about: a newcomer's that is paid because its sponsor answers for it, or a
// sponsor's whose earnings are in escrow for that.
type Bond struct {
	Drive       survey.DriveID
	Contributor survey.ContributorID // whose drive it is: the newcomer or the sponsor
	Newcomer    survey.ContributorID
}

// RegionShare is one region's part of the coverage pool.
type RegionShare struct {
	Cell     survey.Cell
	Road     int64         // mm
	Progress survey.PPM    // of the region
	Pool     survey.Amount // coverage pool × road / all road × progress; at most this is paid
	Weight   int64         // of the region's cells
	Spent    survey.Amount // what its cells got
}

// Total adds the pools up.
func (r Result) Total() Pool {
	t := Pool{Name: "total"}
	for _, p := range r.Pools {
		t.In += p.In
		t.Allocated += p.Allocated
		t.Held += p.Held
		t.Burned += p.Burned
		t.Refunded += p.Refunded
		t.Remainder += p.Remainder
	}
	return t
}

const micros = int64(time.Second / time.Microsecond)
