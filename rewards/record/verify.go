package record

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards"
	"github.com/roadcomb/roadcomb/rewards/merkle"
	"github.com/roadcomb/roadcomb/rewards/ruleset"
)

// Difference is one place where the published epoch is not what its inputs give.
type Difference struct {
	File string `json:"file"`
	Line int    `json:"line,omitempty"` // row of a Parquet file, from 1; 0 for the whole file
	What string `json:"what"`
}

func (d Difference) String() string {
	if d.Line > 0 {
		return fmt.Sprintf("%s line %d: %s", d.File, d.Line, d.What)
	}
	return d.File + ": " + d.What
}

// Report is what Verify found.
type Report struct {
	Manifest    Manifest     `json:"manifest"`
	Hash        survey.Hash  `json:"manifest_sha256"`
	Key         string       `json:"key,omitempty"` // Ed25519, base64: of the manifest's signature; whose it is, is not known here
	Root        string       `json:"root"`          // computed
	Differences []Difference `json:"differences"`
}

// OK reports whether everything agrees.
func (r Report) OK() bool { return len(r.Differences) == 0 }

// maxDifferences bounds a report on a folder that is wrong throughout.
const maxDifferences = 100

// Verify computes a published epoch again from its inputs and compares everything: each file's hash, each row of the
// statement, the allocations and the hits, the tree and the manifest, with its signature where there is one. previous is
// the folder of the epoch before, to check that the accounts start where it ended; nil skips that check. Differences are in
// the report; an error means that there was nothing to verify.
func Verify(fsys fs.FS, previous fs.FS) (Report, error) {
	text, err := readFile(fsys, ManifestName)
	if err != nil {
		return Report{}, err
	}
	m, err := ReadManifest(text)
	if err != nil {
		return Report{}, err
	}
	v := verifier{Report: Report{Manifest: m, Hash: survey.HashOf(text), Differences: []Difference{}}}
	if v.Key, err = signedWith(fsys, text, nil); survey.KindOf(err) == survey.Unavailable {
		return v.Report, err
	} else if err != nil {
		v.add(SignatureName, 0, "%v", err)
	}
	inputs, outputs := v.load(fsys, m.Inputs, InputNames()), v.load(fsys, m.Outputs, nil)
	in, err := ReadInputs(m.Epoch, inputs)
	if err != nil {
		v.add("inputs", 0, "%v", err)
		return v.Report, nil
	}
	out, err := in.Compute()
	if err != nil {
		v.add("inputs", 0, "%v", err)
		return v.Report, nil
	}
	if out.Tree != nil {
		v.Root = out.Tree.Root().String()
	}
	want, err := out.OutputFiles()
	if err != nil {
		return v.Report, err
	}
	for _, name := range OutputNames() {
		v.output(name, outputs[name], want[name])
	}
	rs, err := ruleset.Parse(in.Ruleset)
	if err != nil {
		return v.Report, err
	}
	for _, d := range in.unsigned(rs) {
		v.add(d.File, d.Line, "%s", d.What)
	}
	if err := v.derived(in); err != nil {
		return v.Report, err
	}
	var before survey.Hash
	if m.Previous != nil {
		before = *m.Previous
	}
	wantText, err := NewManifest(in, out, before, inputs, want).Encode()
	if err != nil {
		return v.Report, err
	}
	if !bytes.Equal(wantText, text) {
		v.add(ManifestName, 0, "%s", firstDifference(text, wantText))
	}
	if previous != nil {
		v.chain(in, previous)
	}
	return v.Report, nil
}

// derived checks that the doubts and the evidence that follow from the contributions are with the drives: a drive cannot
// be spared. A drive may carry more of them, from an earlier epoch that had other frames of it. What a ruleset does not
// know changes nothing and is not asked for.
func (v *verifier) derived(in Inputs) error {
	rs, err := ruleset.Parse(in.Ruleset)
	if err != nil {
		return err
	}
	ri, err := in.pure()
	if err != nil {
		return err
	}
	doubts, evidence := rewards.Derived(ri)
	known := func(kind string) bool {
		_, factor := rs.Trust.Factors[kind]
		_, hold := rs.Trust.Hold[kind]
		_, vouch := rs.Trust.Vouchers[kind]
		return factor || hold || vouch
	}
	for i, d := range in.Drives {
		for _, want := range []struct{ derived, given []rewards.Finding }{{doubts[int32(i)], d.Findings}, {evidence[int32(i)], d.Vouchers}} {
			for _, f := range want.derived {
				if known(f.Kind) && !slices.ContainsFunc(want.given, func(g rewards.Finding) bool { return g == f }) {
					v.add(DrivesName, i+1, "drive %s lacks %s:%d, which follows from the contributions", d.ID, f.Kind, int64(f.Score))
				}
			}
		}
	}
	return nil
}

// OpenInputs reads a published epoch's inputs, whose hashes must be those of the manifest.
func OpenInputs(fsys fs.FS) (Inputs, Manifest, error) {
	text, err := readFile(fsys, ManifestName)
	if err != nil {
		return Inputs{}, Manifest{}, err
	}
	m, err := ReadManifest(text)
	if err != nil {
		return Inputs{}, m, err
	}
	v := verifier{}
	f := v.load(fsys, m.Inputs, InputNames())
	if len(v.Differences) > 0 {
		return Inputs{}, m, survey.Errorf(survey.Invalid, "epoch %s: %s", m.Epoch, v.Differences[0])
	}
	in, err := ReadInputs(m.Epoch, f)
	return in, m, err
}

type verifier struct{ Report }

func (v *verifier) add(file string, line int, format string, args ...any) {
	if len(v.Differences) < maxDifferences {
		v.Differences = append(v.Differences, Difference{file, line, fmt.Sprintf(format, args...)})
	}
}

// load reads the files that the manifest names and compares their hashes.
func (v *verifier) load(fsys fs.FS, named []File, expect []string) Files {
	f := Files{}
	for _, n := range named {
		b, err := readFile(fsys, n.Name)
		if err != nil {
			v.add(n.Name, 0, "%v", err)
			continue
		}
		if got := survey.HashOf(b); got != n.SHA256 || int64(len(b)) != n.Bytes {
			v.add(n.Name, 0, "has SHA-256 %s and %d bytes, the manifest names %s and %d", got, len(b), n.SHA256, n.Bytes)
		}
		f[n.Name] = b
	}
	for _, name := range expect {
		if !optional(name) && !slices.ContainsFunc(named, func(n File) bool { return n.Name == name }) {
			v.add(name, 0, "the manifest does not name it")
		}
	}
	return f
}

func readFile(fsys fs.FS, name string) ([]byte, error) {
	b, err := fs.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, survey.Errorf(survey.NotFound, "%s is missing", name)
	}
	if err != nil {
		return nil, survey.Errorf(survey.Unavailable, "read %s: %w", name, err)
	}
	return b, nil
}

// output names the first line of a published output that differs.
func (v *verifier) output(name string, got, want []byte) {
	if bytes.Equal(got, want) {
		return
	}
	if got == nil || want == nil {
		v.add(name, 0, "is published: %t, follows from the inputs: %t", got != nil, want != nil)
		return
	}
	switch name {
	case StatementName:
		compare[Statement](v, name, got, want)
	case HitsName:
		compare[Hit](v, name, got, want)
	case EscrowName:
		compare[Escrow](v, name, got, want)
	case BondsName:
		compare[Bond](v, name, got, want)
	case RegionPoolsName:
		compare[RegionPool](v, name, got, want)
	case AllocationsName:
		compare[Allocation](v, name, got, want)
	default:
		if t, err := merkle.Load(got); err != nil {
			v.add(name, 0, "%v", err)
		} else {
			v.add(name, 0, "has the root %s, the inputs give %s", t.Root(), v.Root)
		}
	}
}

func compare[T comparable](v *verifier, name string, got, want []byte) {
	same := func(r T) (T, error) { return r, nil }
	a, err := decode(name, got, same)
	if err != nil {
		v.add(name, 0, "%v", err)
		return
	}
	b, err := decode(name, want, same)
	if err != nil {
		v.add(name, 0, "%v", err)
		return
	}
	rows := 0
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(a):
			v.add(name, i+1, "is missing: %s", fields(b[i], nil))
		case i >= len(b):
			v.add(name, i+1, "does not follow from the inputs: %s", fields(a[i], nil))
		case a[i] != b[i]:
			v.add(name, i+1, "published %s, the inputs give %s", fields(a[i], &b[i]), fields(b[i], &a[i]))
		default:
			continue
		}
		if rows++; rows == 10 {
			v.add(name, 0, "and more lines differ, or may")
			return
		}
	}
	if rows == 0 {
		v.add(name, 0, "holds the same rows in other bytes; it was written by another version of the program")
	}
}

// fields prints a row: its keys, and of the rest what differs from other; all of it when other is nil.
func fields[T any](r T, other *T) string {
	var b strings.Builder
	rv := reflect.ValueOf(r)
	for i := range rv.NumField() {
		name := rv.Type().Field(i).Tag.Get("lake")
		key := name == "h3" || name == "slot" || name == "contributor" || name == "order" || name == "drive" || name == "address"
		if !key && other != nil && reflect.DeepEqual(rv.Field(i).Interface(), reflect.ValueOf(*other).Field(i).Interface()) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s=%v", name, rv.Field(i).Interface())
	}
	return b.String()
}

// firstDifference shows the first line of a text that is not the expected one.
func firstDifference(got, want []byte) string {
	g, w := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(g), len(w)) {
		switch {
		case i >= len(g):
			return fmt.Sprintf("text line %d is missing: %s", i+1, strings.TrimSpace(w[i]))
		case i >= len(w):
			return fmt.Sprintf("text line %d is too much: %s", i+1, strings.TrimSpace(g[i]))
		case g[i] != w[i]:
			return fmt.Sprintf("text line %d is %s, should be %s", i+1, strings.TrimSpace(g[i]), strings.TrimSpace(w[i]))
		}
	}
	return "differs"
}

// chain checks that the accounts start where the previous epoch ended.
func (v *verifier) chain(in Inputs, previous fs.FS) {
	text, err := readFile(previous, ManifestName)
	if err != nil {
		v.add(ManifestName, 0, "of the previous epoch: %v", err)
		return
	}
	if v.Manifest.Previous == nil || *v.Manifest.Previous != survey.HashOf(text) {
		v.add(ManifestName, 0, "names another previous manifest than the one given, which has SHA-256 %s", survey.HashOf(text))
		return
	}
	m, err := ReadManifest(text)
	if err != nil {
		v.add(ManifestName, 0, "of the previous epoch: %v", err)
		return
	}
	files := v.load(previous, m.Outputs, nil)
	rows, err := decode(AllocationsName, files[AllocationsName], func(r Allocation) (Allocation, error) { return r, nil })
	if err != nil {
		v.add(AllocationsName, 0, "of the previous epoch: %v", err)
		return
	}
	type key struct{ contributor, address string }
	ended := map[key]Allocation{}
	for _, r := range rows {
		ended[key{r.Contributor, r.Address}] = r
	}
	debts := map[survey.ContributorID][2]int64{}
	for _, r := range rows {
		d := debts[survey.ContributorID(r.Contributor)]
		debts[survey.ContributorID(r.Contributor)] = [2]int64{d[0] + r.Escrow, d[1] + r.Debt}
	}
	for i, a := range in.Accounts {
		addr := a.Address.String()
		if a.Address == (merkle.Address{}) {
			addr = ReservedAddress(a.Contributor).String()
		}
		k := key{string(a.Contributor), addr}
		if r := ended[k]; r.Cumulative != int64(a.Before) {
			v.add(AccountsName, i+1, "contributor %s begins with %d at %s, the previous epoch ended with %d", k.contributor, int64(a.Before), addr, r.Cumulative)
		}
		if d := debts[a.Contributor]; a.Current && (d[0] != int64(a.Escrow) || d[1] != int64(a.Debt)) {
			v.add(AccountsName, i+1, "contributor %s begins with escrow %d and debt %d, the previous epoch ended with %d and %d", k.contributor, int64(a.Escrow), int64(a.Debt), d[0], d[1])
		}
		delete(ended, k)
	}
	for _, r := range rows {
		if left, ok := ended[key{r.Contributor, r.Address}]; ok && left.Cumulative != 0 {
			v.add(AccountsName, 0, "contributor %s's %d at %s is lost", r.Contributor, r.Cumulative, r.Address)
		}
	}
}

// HTTPFS reads the files of a folder at an http or https address. A nil client is http.DefaultClient.
func HTTPFS(ctx context.Context, base string, c *http.Client) (fs.ReadFileFS, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, survey.Errorf(survey.Invalid, "%.200q is not an http or https address", base)
	}
	if c == nil {
		c = http.DefaultClient
	}
	return httpFS{ctx, u, c}, nil
}

type httpFS struct {
	ctx context.Context
	u   *url.URL
	c   *http.Client
}

// maxFetch bounds a file that a stranger's server sends.
const maxFetch = 4 << 30

func (h httpFS) ReadFile(name string) ([]byte, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrInvalid}
	}
	req, err := http.NewRequestWithContext(h.ctx, http.MethodGet, h.u.JoinPath(name).String(), nil) // #nosec G125 -- a valid path below an address that the caller chose
	if err != nil {
		return nil, err
	}
	res, err := h.c.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return nil, fs.ErrNotExist
	default:
		return nil, fmt.Errorf("%s answered %s", req.URL.Redacted(), res.Status)
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, maxFetch+1))
	if err == nil && len(b) > maxFetch {
		err = fmt.Errorf("%s is larger than %d bytes", name, maxFetch)
	}
	return b, err
}

func (h httpFS) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: errors.ErrUnsupported}
}
