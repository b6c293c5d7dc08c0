// Package rewards decides who is paid what for an epoch. It is a pure function of its inputs and a dated ruleset:
// integers only, no clock, no randomness, no dependence on the order in which anything arrived in memory. The order of
// operations is written in ruleset/v1.md; the numbers are in ruleset/*.json.
//
// It opens nothing and knows neither files nor chains. Package record reads and writes what is published of an epoch,
// package merkle makes the tree that pays, package worker closes epochs.
package rewards

import (
	"encoding/hex"
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Ruleset is the dated formula of an epoch. A published ruleset is never edited; a change is a new one that starts at a
// later epoch. All shares are parts per million, all times whole seconds.
type Ruleset struct {
	Version string       `json:"version"`
	From    survey.Epoch `json:"from"` // the first epoch it decides

	// Emission is what one epoch may pay, in base units.
	Emission survey.Amount `json:"emission,string"`
	// CutoffSeconds after the end of an epoch it closes even if an upload that began before the end is unfinished.
	CutoffSeconds int64 `json:"cutoff_seconds"`

	Coverage Coverage `json:"coverage"`
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
	// Capacity is how many frames of a slot count in a cell, the first received first. 0 means all.
	Capacity int `json:"capacity"`
	// MinQuality excludes frames below it.
	MinQuality survey.PPM `json:"min_quality"`
	// A frame received within LagFullSeconds of its capture counts in full; from there its share falls linearly to
	// LagFloor at LagFloorSeconds and stays there.
	LagFullSeconds  int64      `json:"lag_full_seconds"`
	LagFloorSeconds int64      `json:"lag_floor_seconds"`
	LagFloor        survey.PPM `json:"lag_floor"`
}

// Validate reports a ruleset that cannot decide anything.
func (r Ruleset) Validate() error {
	c := r.Coverage
	bad := func(what string) error { return survey.Errorf(survey.Invalid, "ruleset %q: %s", r.Version, what) }
	share := func(p survey.PPM) bool { return p >= 0 && p <= survey.One }
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
	case !share(c.MinQuality) || !share(c.LagFloor):
		return bad("a share is not within 0 to 1000000")
	case c.LagFullSeconds < 0 || c.LagFloorSeconds < c.LagFullSeconds:
		return bad("lag_floor_seconds is before lag_full_seconds")
	}
	for i, w := range c.Ranks {
		if !share(w) || i > 0 && w > c.Ranks[i-1] {
			return bad("ranks are not shares that fall")
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

// Drive is who recorded a drive and how far it is believed.
type Drive struct {
	ID          survey.DriveID
	Contributor survey.ContributorID
	Trust       survey.PPM // 0 pays nothing, One is full belief
	// Held: what the drive earns goes into escrow instead of being paid, until an appeal is decided.
	Held bool
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

// Inputs is everything that decides an epoch. Order within the slices does not matter. A frame, a drive id and a
// prior's cell each occur once.
type Inputs struct {
	Epoch         survey.Epoch
	Drives        []Drive
	Contributions []Contribution
	Prior         []Prior
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

	Frames   int32 // that count
	Excluded int32 // that do not: quality, trust or capacity

	Need    survey.PPM // of the cell
	Rank    int32      // of the slot in the cell from 1; 0 when no frame of the slot counts
	Weight  survey.PPM // of that rank
	Quality survey.PPM // best of the counted frames
	Trust   survey.PPM // of the drive of the best counted frame
	Best    survey.PPM // best score (quality × trust × lag) of the whole slot

	Score int64 // sum of the scores of the counted frames, PPM
	Total int64 // the same over all contributors of the slot

	CellWeight survey.PPM    // sum over the cell's slots of need × rank weight × best; may exceed One
	SlotWeight survey.PPM    // this slot's part of it
	CellAmount survey.Amount // what the cell got of the pool
	Rate       survey.Amount // what the slot got of that
	Amount     survey.Amount // Rate × Score / Total, rounded down
	Held       survey.Amount // the part of Amount that is in escrow
	Code       Code
}

// Allocation is what a contributor earned in the epoch. Held is in escrow and not part of Amount.
type Allocation struct {
	Contributor  survey.ContributorID
	Amount, Held survey.Amount
	Frames       int64 // that count
	Cells        int64 // with at least one counted frame
}

// Result is the outcome of an epoch. Sum of Amount + sum of Held + Remainder = Pool.
type Result struct {
	Epoch survey.Epoch
	Pool  survey.Amount
	// Spent is what was split: Pool, or less when MaxRate bounds it.
	Spent     survey.Amount
	Remainder survey.Amount // Pool minus everything allocated; not minted
	// Weight is the sum of all cells' weights, PPM of a cell.
	Weight int64
	// Lines are ordered by cell, slot, contributor.
	Lines []Line
	// Allocations are ordered by contributor: one for each that has a contribution.
	Allocations []Allocation
}

const micros = int64(time.Second / time.Microsecond)
