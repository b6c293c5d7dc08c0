package record

import (
	"io/fs"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Explanation is why a contributor got what it got in an epoch: lines that add up to the allocation exactly.
type Explanation struct {
	Epoch       survey.Epoch         `json:"epoch"`
	Contributor survey.ContributorID `json:"contributor"`
	Lines       []Statement          `json:"lines"`
	Regions     []RegionPool         `json:"regions"` // those that paid the lines; none in an epoch with one pool
	Hits        []Hit                `json:"hits"`
	QA          survey.Amount        `json:"qa,string"`
	Held        survey.Amount        `json:"held,string"`
	Amount      survey.Amount        `json:"amount,string"` // lines + hits + qa − held
	Corrections []Correction         `json:"corrections"`
	Accounts    []Allocation         `json:"accounts"`
}

// whole reads a published epoch whose files are those that its manifest names; others are Invalid.
func whole(fsys fs.FS) (Manifest, Files, error) {
	text, err := readFile(fsys, ManifestName)
	if err != nil {
		return Manifest{}, nil, err
	}
	m, err := ReadManifest(text)
	if err != nil {
		return m, nil, err
	}
	v := verifier{}
	f := v.load(fsys, append(m.Inputs, m.Outputs...), nil)
	if len(v.Differences) > 0 {
		return m, nil, survey.Errorf(survey.Invalid, "epoch %s: %s", m.Epoch, v.Differences[0])
	}
	return m, f, nil
}

// Accounts are all accounts of a published epoch, by contributor.
func Accounts(fsys fs.FS) (Manifest, []Allocation, error) {
	m, f, err := whole(fsys)
	if err != nil {
		return m, nil, err
	}
	as, err := pick(f, AllocationsName, func(Allocation) bool { return true })
	return m, as, err
}

// Explain reads a contributor's statement from a published epoch. A contributor without an account there is NotFound;
// lines that do not add up to the allocation are Invalid.
func Explain(fsys fs.FS, c survey.ContributorID) (Explanation, error) {
	x := Explanation{Contributor: c, Lines: []Statement{}, Regions: []RegionPool{}, Hits: []Hit{}, Corrections: []Correction{}, Accounts: []Allocation{}}
	m, f, err := whole(fsys)
	if err != nil {
		return x, err
	}
	x.Epoch = m.Epoch
	if x.Accounts, err = pick(f, AllocationsName, func(r Allocation) bool { return r.Contributor == string(c) }); err != nil {
		return x, err
	}
	if len(x.Accounts) == 0 {
		return x, survey.Errorf(survey.NotFound, "contributor %s has no account in epoch %s", c, m.Epoch).WithHint("without a contributor, `roadcomb rewards explain` lists the accounts")
	}
	if x.Lines, err = pick(f, StatementName, func(r Statement) bool { return r.Contributor == string(c) }); err != nil {
		return x, err
	}
	if _, ok := f[RegionPoolsName]; ok {
		paid := map[survey.Cell]bool{}
		for _, l := range x.Lines {
			paid[l.Region] = true
		}
		if x.Regions, err = pick(f, RegionPoolsName, func(r RegionPool) bool { return paid[r.Cell] }); err != nil {
			return x, err
		}
	}
	if x.Hits, err = pick(f, HitsName, func(r Hit) bool { return r.Contributor == string(c) }); err != nil {
		return x, err
	}
	if x.Corrections, err = pick(f, CorrectionsName, func(r Correction) bool { return r.Contributor == string(c) }); err != nil {
		return x, err
	}
	var allocated, held survey.Amount
	for _, l := range x.Lines {
		x.Amount += survey.Amount(l.Amount + l.Demand - l.Held)
		x.Held += survey.Amount(l.Held)
	}
	for _, h := range x.Hits {
		x.Amount += survey.Amount(h.Amount - h.Held)
		x.Held += survey.Amount(h.Held)
	}
	for _, a := range x.Accounts {
		x.QA += survey.Amount(a.QA)
		allocated += survey.Amount(a.Amount)
		held += survey.Amount(a.Held)
	}
	x.Amount += x.QA
	if x.Amount != allocated || x.Held != held {
		return x, survey.Errorf(survey.Invalid, "the statement of contributor %s adds up to %d and %d held, the allocation is %d and %d",
			c, int64(x.Amount), int64(x.Held), int64(allocated), int64(held))
	}
	return x, nil
}

func pick[T any](f Files, name string, keep func(T) bool) ([]T, error) {
	rows, err := decode(name, f[name], func(r T) (T, error) { return r, nil })
	out := []T{}
	for _, r := range rows {
		if keep(r) {
			out = append(out, r)
		}
	}
	return out, err
}
