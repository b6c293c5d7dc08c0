package record_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/ledger"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards"
	"github.com/roadcomb/roadcomb/rewards/merkle"
	"github.com/roadcomb/roadcomb/rewards/record"
	"github.com/roadcomb/roadcomb/rewards/ruleset"
)

var (
	monday = time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC)
	epoch  = survey.EpochOf(monday)
)

const cell survey.Cell = 0x8c1f05871d3abff

// week is an epoch with three contributors, a held drive, spend, orders, and corrections.
func week(t testing.TB) record.Inputs {
	_, rules, err := ruleset.For(epoch)
	if err != nil {
		t.Fatal(err)
	}
	in := record.Inputs{Epoch: epoch, Ruleset: rules}
	for i, owner := range []string{"ann", "ben", "ben", "cat"} {
		d := rewards.Drive{ID: survey.DriveID(fmt.Sprint("drive", i)), Contributor: survey.ContributorID(owner)}
		if i == 2 {
			d.Findings = []rewards.Finding{{Kind: "repeated_motion", Score: 800_000}, {Kind: "clock_offset", Score: 100_000}}
		}
		in.Drives = append(in.Drives, d)
		for j := range 20 {
			at := monday.Add(time.Duration(i*20+j) * time.Hour)
			in.Contributions.Add(record.Contribution{
				Frame: string(survey.NewFrameID(survey.HashOf([]byte(fmt.Sprint(i, j))))), Drive: string(d.ID), Cell: cell + survey.Cell(j%7)<<9,
				CapturedAt: at, ReceivedAt: at.Add(time.Hour), Heading: -1, Quality: int32(500_000 + 1000*j),
			})
		}
	}
	in.Prior = []rewards.Prior{{Cell: cell, ReceivedAt: monday.Add(-24 * time.Hour).UnixMicro()}}
	in.Spend = []rewards.Spend{{Cell: cell, Amount: 1001}}
	in.Orders = []rewards.Order{{ID: "o", Cell: cell, Price: 77, Opens: monday.UnixMicro(), Closes: epoch.End().UnixMicro()}}
	in.Corrections = []record.Correction{
		{ID: "c1", Contributor: "ann", Epoch: "2024-04-29", Kind: "release", Amount: 30, Reason: "cleared", DecidedBy: "trust"},
		{ID: "c2", Contributor: "cat", Epoch: "2024-04-29", Kind: "adjust", Amount: -1 << 50, Reason: "paid twice", DecidedBy: "trust"},
	}
	in.Accounts = []record.Account{
		{Contributor: "ann", Before: 500},
		{Contributor: "ann", Address: address(t, "1"), Current: true, Escrow: 30},
		{Contributor: "ben", Current: true},
		{Contributor: "cat", Address: address(t, "1"), Before: 7, Current: true},
	}
	in.Sort()
	return in
}

func address(t testing.TB, digit string) merkle.Address {
	a, err := merkle.ParseAddress("0x" + strings.Repeat(digit, 40))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// publish makes the folder of an epoch.
func publish(t testing.TB, in record.Inputs, previous survey.Hash) fstest.MapFS {
	t.Helper()
	inputs := record.Files{}
	for _, n := range record.InputNames() {
		b, err := in.EncodeInput(n)
		if err != nil {
			t.Fatal(err)
		}
		inputs[n] = b
	}
	out, err := in.Compute()
	if err != nil {
		t.Fatal(err)
	}
	outputs, err := out.OutputFiles()
	if err != nil {
		t.Fatal(err)
	}
	m, err := record.NewManifest(in, out, previous, inputs, outputs).Encode()
	if err != nil {
		t.Fatal(err)
	}
	dir := fstest.MapFS{record.ManifestName: {Data: m}}
	for _, fs := range []record.Files{inputs, outputs} {
		for n, b := range fs {
			dir[n] = &fstest.MapFile{Data: b}
		}
	}
	return dir
}

func verify(t testing.TB, dir, previous fs.FS) record.Report {
	t.Helper()
	r, err := record.Verify(dir, previous)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestVerifyAcceptsWhatWasPublished(t *testing.T) {
	dir := publish(t, week(t), survey.Hash{})
	r := verify(t, dir, nil)
	if !r.OK() || r.Root == "" || r.Root != r.Manifest.Root {
		t.Fatalf("%+v", r)
	}
	srv := httptest.NewServer(http.FileServerFS(dir))
	defer srv.Close()
	far, err := record.HTTPFS(context.Background(), srv.URL, srv.Client())
	if err != nil {
		t.Fatal(err)
	}
	if r := verify(t, far, nil); !r.OK() {
		t.Errorf("over HTTP: %v", r.Differences)
	}
}

func TestASignatureIsOfTheseBytesAndOfThatKey(t *testing.T) {
	dir := publish(t, week(t), survey.Hash{})
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	public := key.Public().(ed25519.PublicKey)
	if _, err := record.Signed(dir, public); survey.KindOf(err) != survey.Unauthorized {
		t.Errorf("no signature: %v", err)
	}
	text := dir[record.ManifestName].Data
	dir[record.SignatureName] = &fstest.MapFile{Data: record.Sign(text, key)}
	if r := verify(t, dir, nil); !r.OK() || r.Key != base64.StdEncoding.EncodeToString(public) {
		t.Errorf("%q %v", r.Key, r.Differences)
	}
	if _, err := record.Signed(dir, public); err != nil {
		t.Error(err)
	}
	if _, err := record.Signed(dir, make(ed25519.PublicKey, ed25519.PublicKeySize)); survey.KindOf(err) != survey.Unauthorized {
		t.Errorf("another key: %v", err)
	}
	dir[record.SignatureName].Data = ledger.Sign("roadcomb-snapshot/1", text, key) // of the same bytes, as something else
	if r := verify(t, dir, nil); r.OK() || r.Differences[0].File != record.SignatureName || r.Key != "" {
		t.Errorf("%q %v", r.Key, r.Differences)
	}
}

func TestSameInputsGiveSameBytesInAnyOrder(t *testing.T) {
	in := week(t)
	want := publish(t, in, survey.Hash{})
	var back record.Contributions
	for i := in.Contributions.Len() - 1; i >= 0; i-- {
		back.Add(in.Contributions.Row(i))
	}
	in.Contributions = back
	in.Accounts[0], in.Accounts[3] = in.Accounts[3], in.Accounts[0]
	in.Sort()
	for n, f := range publish(t, in, survey.Hash{}) {
		if !bytes.Equal(f.Data, want[n].Data) {
			t.Errorf("%s differs", n)
		}
	}
}

// forge replaces one row of an output and mends the manifest's hashes, as a cheating operator would.
func forge[T any](t *testing.T, dir fstest.MapFS, name string, change func([]T)) {
	t.Helper()
	rows, err := lake.Decode[T](dir[name].Data)
	if err != nil {
		t.Fatal(err)
	}
	change(rows)
	old := dir[name].Data
	b, err := lake.Encode(lake.Schema{Name: "rewards." + strings.TrimSuffix(name, ".parquet"), Version: 1}, rows)
	if err != nil {
		t.Fatal(err)
	}
	text := string(dir[record.ManifestName].Data)
	for old, new := range map[string]string{
		survey.HashOf(old).String():           survey.HashOf(b).String(),
		ledger.CID(survey.HashOf(old)):        ledger.CID(survey.HashOf(b)),
		fmt.Sprintf(`"bytes": %d,`, len(old)): fmt.Sprintf(`"bytes": %d,`, len(b)),
	} {
		text = strings.Replace(text, old, new, 1)
	}
	dir[name] = &fstest.MapFile{Data: b}
	dir[record.ManifestName] = &fstest.MapFile{Data: []byte(text)}
}

func TestVerifyNamesTheLineThatDiffers(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T, dir fstest.MapFS)
		want   string
	}{
		"an allocation raised by one unit": {func(t *testing.T, dir fstest.MapFS) {
			forge(t, dir, record.AllocationsName, func(r []record.Allocation) { r[1].Cumulative++ })
		}, "allocations.parquet line 2: published contributor=ann"},
		"a statement with another code": {func(t *testing.T, dir fstest.MapFS) {
			forge(t, dir, record.StatementName, func(r []record.Statement) { r[4].Code = "fresh" })
		}, "statement.parquet line 5: published"},
		"a hit given to another": {func(t *testing.T, dir fstest.MapFS) {
			forge(t, dir, record.HitsName, func(r []record.Hit) { r[0].Contributor = "cat" })
		}, "hits.parquet line 1: published"},
		"a tree with another amount": {func(t *testing.T, dir fstest.MapFS) {
			tree, err := merkle.New([]merkle.Leaf{{Address: address(t, "1"), Amount: 1}})
			if err != nil {
				t.Fatal(err)
			}
			dir[record.MerkleName] = &fstest.MapFile{Data: tree.Dump()}
		}, "merkle.json: has SHA-256"},
		"an input changed": {func(t *testing.T, dir fstest.MapFS) {
			forge(t, dir, record.ContributionsName, func(r []record.Contribution) { r[0].Quality = 1_000_000 })
		}, "statement.parquet line 1: published"},
		"an input lost":     {func(t *testing.T, dir fstest.MapFS) { delete(dir, record.PriorName) }, "prior.parquet: prior.parquet is missing"},
		"a damaged Parquet": {func(t *testing.T, dir fstest.MapFS) { dir[record.PriorName] = &fstest.MapFile{Data: []byte("PAR1")} }, "inputs: prior.parquet"},
		"another remainder": {func(t *testing.T, dir fstest.MapFS) {
			text := string(dir[record.ManifestName].Data)
			dir[record.ManifestName] = &fstest.MapFile{Data: []byte(strings.Replace(text, `"contributors": 3`, `"contributors": 4`, 1))}
		}, `manifest.json: text line`},
	} {
		dir := publish(t, week(t), survey.Hash{})
		c.change(t, dir)
		r := verify(t, dir, nil)
		if r.OK() || !strings.Contains(fmt.Sprint(r.Differences), c.want) {
			t.Errorf("%s: want %q in\n%v", name, c.want, r.Differences)
		}
	}
	if _, err := record.Verify(fstest.MapFS{}, nil); survey.KindOf(err) != survey.NotFound {
		t.Errorf("empty folder: %v", err)
	}
}

func TestAccountsContinueFromThePreviousEpoch(t *testing.T) {
	first := week(t)
	one := publish(t, first, survey.Hash{})
	out, err := first.Compute()
	if err != nil {
		t.Fatal(err)
	}
	next := record.Inputs{Epoch: epoch.Next(), Ruleset: first.Ruleset, Accounts: out.Accounts}
	h := survey.HashOf(one[record.ManifestName].Data)
	if r := verify(t, publish(t, next, h), one); !r.OK() {
		t.Fatalf("%v", r.Differences)
	}
	next.Accounts = append([]record.Account(nil), out.Accounts...)
	next.Accounts[1].Before++
	if r := verify(t, publish(t, next, h), one); r.OK() || !strings.Contains(r.Differences[0].String(), "accounts.parquet line 2: contributor ann begins with") {
		t.Errorf("a raised account: %v", r.Differences)
	}
	next.Accounts = out.Accounts[:2]
	if r := verify(t, publish(t, next, h), one); r.OK() || !strings.Contains(fmt.Sprint(r.Differences), "is lost") {
		t.Errorf("a dropped account: %v", r.Differences)
	}
}

func TestCorrectionsEscrowAndDebt(t *testing.T) {
	out, err := week(t).Compute()
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]record.Allocation{}
	for _, a := range out.Allocations {
		rows[fmt.Sprint(a.Contributor, a.Reserved)] = a
	}
	if a := rows["annfalse"]; a.Corrected != 30 || a.Escrow != 0 || a.Moved != 500 || a.Cumulative != 530+a.Amount {
		t.Errorf("ann: %+v", a)
	}
	if a := rows["anntrue"]; a.Cumulative != 0 {
		t.Errorf("ann's reserve: %+v", a)
	}
	if a := rows["bentrue"]; a.Held == 0 || a.Escrow != a.Held || a.Amount == 0 {
		t.Errorf("ben: %+v", a)
	}
	// What cat already has stays; the rest of the mistake is owed.
	if a := rows["catfalse"]; a.Cumulative != 7 || a.Corrected != -a.Amount || a.Debt != 1<<50-a.Amount {
		t.Errorf("cat: %+v", a)
	}
	// ann and cat share an address, so they share a leaf.
	if l, _, ok := out.Tree.Proof(address(t, "1")); !ok || int64(l.Amount) != rows["annfalse"].Cumulative+7 {
		t.Errorf("leaf %+v", l)
	}

	for name, spoil := range map[string]func(*record.Inputs){
		"more than the escrow": func(in *record.Inputs) { in.Corrections[0].Amount = 31 },
		"twice":                func(in *record.Inputs) { in.Corrections = append(in.Corrections, in.Corrections[0]) },
		"unknown kind":         func(in *record.Inputs) { in.Corrections[0].Kind = "gift" },
		"nobody":               func(in *record.Inputs) { in.Corrections[0].Contributor = "zoe" },
		"two current":          func(in *record.Inputs) { in.Accounts[0].Current = true },
		"none current":         func(in *record.Inputs) { in.Accounts[1].Current = false },
		"no account":           func(in *record.Inputs) { in.Accounts = in.Accounts[:3] },
		"unknown drive":        func(in *record.Inputs) { c := in.Contributions.Row(0); c.Drive = "x"; in.Contributions.Add(c) },
		"future": func(in *record.Inputs) {
			c := in.Contributions.Row(0)
			c.ReceivedAt = epoch.End()
			in.Contributions.Add(c)
		},
		"not a ruleset": func(in *record.Inputs) { in.Ruleset = []byte("{}") },
		"a later ruleset": func(in *record.Inputs) {
			in.Ruleset = bytes.Replace(in.Ruleset, []byte("1999-12-27"), []byte("2030-01-07"), 1)
		},
	} {
		in := week(t)
		spoil(&in)
		if _, err := in.Compute(); survey.KindOf(err) != survey.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStatementsAddUpForEverybody(t *testing.T) {
	dir := publish(t, week(t), survey.Hash{})
	for _, c := range []survey.ContributorID{"ann", "ben", "cat"} {
		x, err := record.Explain(dir, c)
		if err != nil {
			t.Fatal(err)
		}
		if len(x.Lines) == 0 || x.Amount == 0 || (c == "ben") != (x.Held > 0) {
			t.Errorf("%s: %+v", c, x)
		}
	}
	m, as, err := record.Accounts(dir)
	if err != nil {
		t.Fatal(err)
	}
	var sum survey.Amount
	for _, a := range as {
		sum += survey.Amount(a.Amount)
	}
	if len(as) < 3 || sum != m.Total.Allocated {
		t.Errorf("%d accounts with %s of %s", len(as), sum, m.Total.Allocated)
	}
	if _, err := record.Explain(dir, "zoe"); survey.KindOf(err) != survey.NotFound {
		t.Errorf("a stranger: %v", err)
	}
}

func TestCIDIsThatOfTheSpecification(t *testing.T) {
	if got := ledger.CID(survey.HashOf([]byte("hello world"))); got != "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e" {
		t.Error(got)
	}
}

// regional is the week under a ruleset with regions: two of its cells' region has roads, the third cell is far away.
func regional(t testing.TB) (in record.Inputs, region survey.Cell) {
	in = week(t)
	e := survey.EpochOf(time.Date(2027, 6, 7, 0, 0, 0, 0, time.UTC))
	_, rules, err := ruleset.For(e)
	if err != nil {
		t.Fatal(err)
	}
	in.Epoch, in.Ruleset = e, rules
	for i := range in.Drives {
		in.Drives[i].Vouchers = []rewards.Finding{{Kind: "enrolled", Score: survey.One}}
	}
	at := e.Start().Add(time.Hour)
	in.Contributions.Add(record.Contribution{Frame: string(survey.NewFrameID(survey.HashOf([]byte("far")))), Drive: "drive0", Cell: cell + 1<<40,
		CapturedAt: at, ReceivedAt: at, Heading: -1, Quality: 900_000})
	in.Orders, in.Corrections = nil, nil // these are not signed
	region = cell.Parent(6)
	in.Regions = []rewards.Region{{Cell: region, Road: 1_000_000, Covered: 60_000}}
	in.Sort()
	return in, region
}

func TestStatementsNameTheRegionThatPaid(t *testing.T) {
	in, region := regional(t)
	dir := publish(t, in, survey.Hash{})
	if r := verify(t, dir, nil); !r.OK() {
		t.Fatal(r.Differences)
	}
	x, err := record.Explain(dir, "ann")
	if err != nil {
		t.Fatal(err)
	}
	by := map[survey.Cell]survey.Amount{}
	for _, l := range x.Lines {
		by[l.Region] += survey.Amount(l.Amount + l.Demand - l.Held)
	}
	if len(x.Regions) != 2 || by[region] == 0 || by[0] == 0 || by[region]+by[0] != x.Amount || x.Regions[1].Cell != region || x.Regions[1].Progress != 300_000 {
		t.Errorf("%v of %d, %+v", by, x.Amount, x.Regions)
	}
	forge(t, dir, record.StatementName, func(r []record.Statement) { r[0].Region++ })
	if r := verify(t, dir, nil); !strings.Contains(fmt.Sprint(r.Differences), "statement.parquet line 1: published") {
		t.Errorf("%v", r.Differences)
	}
}

// What was published before there were regions keeps its bytes.
func TestStatementsWithOnePoolKeepTheirBytes(t *testing.T) {
	const published = "73ccda76b72500ee63b0232aa4ceb85a4359e87c9778bdeab2c722534e3b7fff"
	b := publish(t, week(t), survey.Hash{})[record.StatementName].Data
	if got := survey.HashOf(b).String(); got != published || bytes.Contains(b, []byte("region")) {
		t.Errorf("statement.parquet has SHA-256 %s, was %s", got, published)
	}
	x, err := record.Explain(publish(t, week(t), survey.Hash{}), "ann")
	if err != nil || len(x.Regions) != 0 || x.Lines[0].Region != 0 {
		t.Errorf("%+v %v", x.Regions, err)
	}
}

// Under rules with sponsors each sponsorship bears the signature of the sponsor's word, or of somebody who answers for it.
func TestSponsorshipsWithoutTheirSignatureAreNamed(t *testing.T) {
	e := survey.EpochOf(time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC))
	rs, _, err := ruleset.For(e)
	if err != nil {
		t.Fatal(err)
	}
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	good := record.Sponsorship{Newcomer: "cat", Sponsor: "ann", Since: e.Start(), SignedBy: "sponsor:ann"}
	good.Signature = hex.EncodeToString(ed25519.Sign(key, good.Message()))
	public := hex.EncodeToString(key.Public().(ed25519.PublicKey))
	for what, change := range map[string]func(*record.Sponsorship){
		"":                   func(*record.Sponsorship) {},
		"another newcomer":   func(s *record.Sponsorship) { s.Newcomer = "eve" },
		"another sponsor":    func(s *record.Sponsorship) { s.Sponsor = "ben" },
		"another time":       func(s *record.Sponsorship) { s.Since = s.Since.Add(time.Microsecond) },
		"a role without key": func(s *record.Sponsorship) { s.SignedBy = "admin:root" },
		"none":               func(s *record.Sponsorship) { s.Signature = "" },
		"another's word": func(s *record.Sponsorship) {
			s.Sponsor = "ben" // signed by the role's key, but for ann's name
			s.Signature = hex.EncodeToString(ed25519.Sign(key, s.Message()))
		},
	} {
		s := good
		change(&s)
		in := record.Inputs{Epoch: e, Signers: record.Signers{record.RoleSponsor: public}, Sponsors: []record.Sponsorship{s}}
		b, err := in.EncodeInput(record.SponsorsName)
		if err != nil {
			t.Fatal(err)
		}
		in.Sponsors = nil
		if err := in.DecodeInput(record.SponsorsName, b); err != nil || len(in.Sponsors) != 1 || in.Sponsors[0] != s {
			t.Fatalf("%s: %+v %v", what, in.Sponsors, err)
		}
		err = in.CheckSigned(rs)
		if (err == nil) != (what == "") || err != nil && (survey.KindOf(err) != survey.Unauthorized || !strings.Contains(err.Error(), "answers for")) {
			t.Errorf("%q: %v", what, err)
		}
	}
}
