package rewards

import (
	"cmp"
	"slices"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// sides are the drives that sponsorships may decide about, as indexes into Inputs.Drives.
type sides struct {
	pairs []pairing
	all   map[int32]bool // all of them, as held
}

// pairing is one sponsor with the newcomers that the ruleset lets it answer for.
type pairing struct {
	own       []int32 // the sponsor's drives that can stand for others, by id
	newcomers []newcomer
}

type newcomer struct {
	id     survey.ContributorID
	drives []int32 // held for want of a voucher and for no other reason, by id
}

// sponsored finds the two sides: of a newcomer, the drives of which nothing is known but that nobody vouches for them; of
// a sponsor, those that are vouched for and would be paid. What is decided on, or doubted, is on neither side. A sponsor's
// newcomers count in the order of their ids, as far as the ruleset allows, and only those that drove.
func (in Inputs) sponsored(t Trust) sides {
	by := map[survey.ContributorID]survey.ContributorID{}
	for _, s := range in.Sponsors {
		by[s.Newcomer] = s.Sponsor
	}
	sponsors := map[survey.ContributorID]bool{}
	for _, s := range by {
		sponsors[s] = true
	}
	order := make([]int32, 0, len(in.Drives))
	for i, d := range in.Drives {
		if sponsors[d.Contributor] || by[d.Contributor] != "" {
			order = append(order, int32(i))
		}
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Compare(in.Drives[a].ID, in.Drives[b].ID) })
	own, waiting := map[survey.ContributorID][]int32{}, map[survey.ContributorID][]int32{}
	for _, i := range order {
		d := in.Drives[i]
		trust, doubted := t.Doubted(d)
		switch vouched := t.Vouched(d.Vouchers); {
		case trust == 0 || doubted || d.Decision != DecisionNone:
		case vouched && sponsors[d.Contributor]:
			own[d.Contributor] = append(own[d.Contributor], i)
		case !vouched && by[d.Contributor] != "":
			waiting[d.Contributor] = append(waiting[d.Contributor], i)
		}
	}
	of := map[survey.ContributorID][]newcomer{}
	for id, drives := range waiting {
		of[by[id]] = append(of[by[id]], newcomer{id, drives})
	}
	s := sides{all: map[int32]bool{}}
	for id, ns := range of {
		slices.SortFunc(ns, func(a, b newcomer) int { return cmp.Compare(a.id, b.id) })
		p := pairing{own[id], ns[:min(len(ns), t.Sponsors.Newcomers)]}
		s.pairs = append(s.pairs, p)
		for _, i := range p.own {
			s.all[i] = true
		}
		for _, n := range p.newcomers {
			for _, i := range n.drives {
				s.all[i] = true
			}
		}
	}
	return s
}

// bond decides which of the drives are held. A newcomer's drive is paid when drives of the sponsor that earned at least as
// much go into escrow in its place, whole drives, each for one newcomer. So sponsor and newcomer together are never paid
// more than the sponsor would be alone, until somebody who answers for the network has looked at the newcomer.
func (s sides) bond(in Inputs, earned []Escrow) (held map[int32]bool, bonds []Bond) {
	amount := func(i int32) survey.Amount {
		n, ok := slices.BinarySearchFunc(earned, in.Drives[i].ID, func(e Escrow, id survey.DriveID) int { return cmp.Compare(e.Drive, id) })
		if !ok {
			return 0
		}
		return earned[n].Amount
	}
	held = map[int32]bool{}
	for _, p := range s.pairs {
		for _, i := range p.own {
			held[i] = false
		}
		own := slices.DeleteFunc(slices.Clone(p.own), func(i int32) bool { return amount(i) == 0 })
		for _, n := range p.newcomers {
			var spare survey.Amount // of the drives that stand for this newcomer already
			for _, i := range n.drives {
				held[i] = true
				a := amount(i)
				k, sum := 0, spare
				for ; k < len(own) && sum < a; k++ {
					sum += amount(own[k])
				}
				if a == 0 || sum < a {
					continue // a smaller drive may still find its bond
				}
				for _, o := range own[:k] {
					held[o] = true
					bonds = append(bonds, Bond{in.Drives[o].ID, in.Drives[o].Contributor, n.id})
				}
				own, spare = own[k:], sum-a
				held[i] = false
				bonds = append(bonds, Bond{in.Drives[i].ID, n.id, n.id})
			}
		}
	}
	slices.SortFunc(bonds, func(a, b Bond) int { return cmp.Compare(a.Drive, b.Drive) })
	return held, bonds
}
