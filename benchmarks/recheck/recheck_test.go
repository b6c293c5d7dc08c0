package recheck_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/benchmarks/recheck"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards"
	"github.com/roadcomb/roadcomb/rewards/record"
	"github.com/roadcomb/roadcomb/rewards/ruleset"
)

// folder is an epoch of shared cells, priors, spend, orders, a hold and a correction.
func folder(t *testing.T, e survey.Epoch) string {
	_, rules, err := ruleset.For(e)
	if err != nil {
		t.Fatal(err)
	}
	in := record.Inputs{Epoch: e, Ruleset: rules}
	const cell survey.Cell = 0x8c1f05871d3abff
	worst := 90_000 // below what counts, so that frames are excluded
	if e == second {
		worst = 110_000
	}
	for i := range 12 {
		d := rewards.Drive{ID: survey.DriveID(fmt.Sprintf("drive%02d", i)), Contributor: survey.ContributorID(fmt.Sprint("c", i%5))}
		if i%4 != 3 {
			d.Vouchers = []rewards.Finding{{Kind: rewards.KindEnrolled, Score: survey.One}}
		}
		if i == 7 {
			d.Findings = []rewards.Finding{{Kind: "two_places", Score: survey.One}}
		}
		in.Drives = append(in.Drives, d)
		for j := range 40 {
			at := e.Start().Add(time.Duration(i*37+j) * 17 * time.Minute)
			in.Contributions.Add(record.Contribution{
				Frame: string(survey.NewFrameID(survey.HashOf([]byte(fmt.Sprint(i, j))))), Drive: string(d.ID), Cell: cell + survey.Cell((i*3+j)%23)<<9,
				CapturedAt: at, ReceivedAt: at.Add(time.Duration(j) * time.Minute), Heading: -1, Quality: int32(worst + 20_011*j)})
		}
	}
	for i := range 9 {
		in.Prior = append(in.Prior, rewards.Prior{Cell: cell + survey.Cell(i)<<9, ReceivedAt: e.Start().Add(-time.Duration(i) * 20 * time.Hour).UnixMicro()})
		in.Spend = append(in.Spend, rewards.Spend{Cell: cell + survey.Cell(i*3)<<9, Amount: survey.Amount(1001 * i)})
		in.Orders = append(in.Orders, rewards.Order{ID: "o", Cell: cell + survey.Cell(i*4)<<9, Price: 77, Opens: e.Start().UnixMicro(), Closes: e.End().UnixMicro()})
	}
	for i := range 5 {
		c := survey.ContributorID(fmt.Sprint("c", i))
		in.Accounts = append(in.Accounts, record.Account{Contributor: c, Before: survey.Amount(i * 1000), Current: true, Escrow: 50})
		in.Corrections = append(in.Corrections, record.Correction{ID: fmt.Sprint(i), Contributor: string(c), Epoch: "2024-04-29", Kind: "release", Amount: int64(i * 10)})
	}
	if e == second {
		for i, share := range []int64{1, 70, 0} { // the cells' own region, one without them, one without road
			at := (cell + survey.Cell(i)<<36).Parent(6)
			in.Regions = append(in.Regions, rewards.Region{Cell: at, Road: []int64{7_000_001, 3_000_000, 0}[i], Covered: share * 10_007})
		}
	}
	in.Sort()
	out, err := in.Compute()
	if err != nil {
		t.Fatal(err)
	}
	files, err := out.OutputFiles()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range record.InputNames() {
		if files[n], err = in.EncodeInput(n); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	for n, b := range files {
		if err := os.WriteFile(filepath.Join(dir, n), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// One epoch under v1, one under v2 with regions.
var first, second = survey.EpochOf(time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC)), survey.EpochOf(time.Date(2027, 6, 7, 0, 0, 0, 0, time.UTC))

func TestSQLAloneAgreesWithTheProgram(t *testing.T) {
	for _, e := range []survey.Epoch{first, second} {
		dir := folder(t, e)
		got, err := recheck.Epoch(context.Background(), dir)
		if err != nil || len(got) != 0 {
			t.Errorf("%s: %v %v", e, err, got)
		}
	}
}

// Each change would be paid if nobody looked.
func TestSQLFindsWhatWasChanged(t *testing.T) {
	statement := func(change func(*record.Statement)) func([]record.Statement) bool {
		return func(rows []record.Statement) bool {
			for i := range rows {
				whole := !slices.ContainsFunc(rows, func(r record.Statement) bool { return r.Cell == rows[i].Cell && r.Excluded > 0 })
				if was := rows[i]; was.Amount > 0 && was.Demand > 0 && whole {
					for j := range rows { // all lines of the slot, so that they still agree
						if rows[j].Cell == was.Cell && rows[j].Slot.Equal(was.Slot) {
							change(&rows[j])
						}
					}
					return rows[i] != was
				}
			}
			return false
		}
	}
	for what, change := range map[string]func([]record.Statement) bool{
		"rank is not the order":                     statement(func(r *record.Statement) { r.Rank++ }),
		"demand is not its part of what was spent":  statement(func(r *record.Statement) { r.DemandRate++ }),
		"demand is not its part of the demand rate": statement(func(r *record.Statement) { r.Demand++ }),
		"names another region":                      statement(func(r *record.Statement) { r.Region++ }),
		"need is not what the prior gives":          statement(func(r *record.Statement) { r.Need-- }),
	} {
		dir := folder(t, second)
		forge(t, dir, record.StatementName, change)
		expect(t, dir, what)
	}
	dir := folder(t, second)
	forge(t, dir, record.RegionPoolsName, func(rows []record.RegionPool) bool { rows[1].Pool++; return true })
	expect(t, dir, "its line is not what the roads give")
}

func forge[T any](t *testing.T, dir, file string, change func([]T) bool) {
	t.Helper()
	name := filepath.Join(dir, file)
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := lake.Decode[T](b)
	if err != nil || !change(rows) {
		t.Fatalf("nothing to change in %s: %v", file, err)
	}
	if b, err = lake.Encode(lake.Schema{Name: "forged", Version: 1}, rows); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, dir, what string) {
	t.Helper()
	got, err := recheck.Epoch(context.Background(), dir)
	if err != nil || !strings.Contains(fmt.Sprint(got), what) {
		t.Errorf("want %q: %v %v", what, err, got)
	}
}

func TestSQLFindsOneUnitTooMuch(t *testing.T) {
	dir := folder(t, first)
	name := filepath.Join(dir, record.AllocationsName)
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := lake.Decode[record.Allocation](b)
	if err != nil {
		t.Fatal(err)
	}
	rows[2].Amount++
	rows[2].Cumulative++
	if b, err = lake.Encode(lake.Schema{Name: "forged", Version: 1}, rows); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := recheck.Epoch(context.Background(), dir)
	if err != nil || len(got) != 1 || !strings.Contains(got[0].What, "not the sum of its lines") {
		t.Fatalf("%v %v", err, got)
	}
}
