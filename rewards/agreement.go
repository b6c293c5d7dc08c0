package rewards

import (
	"cmp"
	"slices"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Agreement is how a drive's cells compare with what other contributors' enrolled drives saw in the epoch.
type Agreement struct {
	Drive        int32 // index into Inputs.Drives
	Agreed       int   // cells that somebody else was in too
	Contradicted int   // cells that nobody else was in, though three others drove within some 50 m
}

// Kinds under which Agreement is recorded with a drive.
const (
	// KindContradicted is a doubt: the share of the cells that can be compared at all and that are contradicted.
	KindContradicted = "contradicted_cells"
	// KindAgreed is evidence: the share that agrees.
	KindAgreed = "agreed_cells"
)

// compared is how many cells must be comparable before a share says anything.
const compared = 20

// Score is the share of the comparable cells that is contradicted; ok is false below 20 of them.
func (a Agreement) Score() (contradicted survey.PPM, ok bool) {
	n := a.Agreed + a.Contradicted
	if n < compared {
		return 0, false
	}
	return survey.PPM(int64(a.Contradicted) * int64(survey.One) / int64(n)), true
}

// Agreements compares every drive with the drives of other contributors that are enrolled, ordered by drive. A
// cell agrees when another contributor was in it; it is contradicted when nobody was, but at least three others were in
// the same cell one resolution coarser (some 50 m across): a drive through the houses beside a busy street. What nobody
// else passed is neither, so that the first to drive a street has nothing to fear.
//
// What a drive says of itself counts for nothing here, or whoever invents three drives beside a street could contradict
// everybody on it. And agreement vouches for nobody: whoever invents a drive can invent it along streets that others drive.
func Agreements(in Inputs) []Agreement {
	ids := make([]survey.ContributorID, 0, len(in.Drives))
	for _, d := range in.Drives {
		ids = append(ids, d.Contributor)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	owner, vouched := make([]int32, len(in.Drives)), make([]bool, len(in.Drives))
	for i, d := range in.Drives {
		n, _ := slices.BinarySearch(ids, d.Contributor)
		owner[i] = int32(n)
		vouched[i] = slices.ContainsFunc(d.Vouchers, func(v Finding) bool { return v.Kind == KindEnrolled })
	}
	type visit struct {
		cell  survey.Cell
		drive int32
	}
	visits := make([]visit, 0, len(in.Contributions)/2)
	for i, c := range in.Contributions {
		if v := (visit{c.Cell, c.Drive}); i == 0 || visits[len(visits)-1] != v { // frames of a pass follow each other
			visits = append(visits, v)
		}
	}
	slices.SortFunc(visits, func(a, b visit) int {
		if n := cmp.Compare(a.cell, b.cell); n != 0 {
			return n
		}
		return cmp.Compare(a.drive, b.drive)
	})
	visits = slices.Compact(visits)
	out := make([]Agreement, len(in.Drives))
	for i := range out {
		out[i].Drive = int32(i)
	}
	owners := func(vs []visit, to []int32) []int32 { // distinct, with a voucher
		to = to[:0]
		for _, v := range vs {
			if vouched[v.drive] {
				to = append(to, owner[v.drive])
			}
		}
		slices.Sort(to)
		return slices.Compact(to)
	}
	others := func(set []int32, me int32) int {
		if _, mine := slices.BinarySearch(set, me); mine {
			return len(set) - 1
		}
		return len(set)
	}
	var near, here []int32
	for lo := 0; lo < len(visits); {
		parent := visits[lo].cell.Parent(visits[lo].cell.Resolution() - 1)
		hi := lo
		for hi < len(visits) && visits[hi].cell.Parent(visits[hi].cell.Resolution()-1) == parent {
			hi++
		}
		near = owners(visits[lo:hi], near)
		for from := lo; from < hi; {
			to := from
			for to < hi && visits[to].cell == visits[from].cell {
				to++
			}
			here = owners(visits[from:to], here)
			for _, v := range visits[from:to] {
				switch me := owner[v.drive]; {
				case others(here, me) > 0:
					out[v.drive].Agreed++
				case others(near, me) >= 3:
					out[v.drive].Contradicted++
				}
			}
			from = to
		}
		lo = hi
	}
	return out
}

// Derived gives the doubts and the evidence that follow from the contributions themselves, by index of the drive:
// companions and agreement. A close records them with the drives, and verifying it derives them again.
func Derived(in Inputs) (doubts, evidence map[int32][]Finding) {
	doubts, evidence = map[int32][]Finding{}, map[int32][]Finding{}
	for _, c := range Companions(in) {
		doubts[c.Drive] = append(doubts[c.Drive], Finding{KindCompanion, c.Score})
	}
	for _, a := range Agreements(in) {
		s, ok := a.Score()
		if !ok {
			continue
		}
		if 2*s >= survey.One {
			doubts[a.Drive] = append(doubts[a.Drive], Finding{KindContradicted, s})
		}
		if s < survey.One {
			evidence[a.Drive] = append(evidence[a.Drive], Finding{KindAgreed, survey.One - s})
		}
	}
	return doubts, evidence
}
