package recheck_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
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
func folder(t *testing.T) string {
	e := survey.EpochOf(time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC))
	_, rules, err := ruleset.For(e)
	if err != nil {
		t.Fatal(err)
	}
	in := record.Inputs{Epoch: e, Ruleset: rules}
	const cell survey.Cell = 0x8c1f05871d3abff
	for i := range 12 {
		d := rewards.Drive{ID: survey.DriveID(fmt.Sprintf("drive%02d", i)), Contributor: survey.ContributorID(fmt.Sprint("c", i%5))}
		if i == 7 {
			d.Findings = []rewards.Finding{{Kind: "two_places", Score: survey.One}}
		}
		in.Drives = append(in.Drives, d)
		for j := range 40 {
			at := e.Start().Add(time.Duration(i*37+j) * 17 * time.Minute)
			in.Contributions.Add(record.Contribution{
				Frame: string(survey.NewFrameID(survey.HashOf([]byte(fmt.Sprint(i, j))))), Drive: string(d.ID), Cell: cell + survey.Cell((i*3+j)%23)<<9,
				CapturedAt: at, ReceivedAt: at.Add(time.Duration(j) * time.Minute), Heading: -1, Quality: int32(90_000 + 20_011*j)})
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

func TestSQLAloneAgreesWithTheProgram(t *testing.T) {
	dir := folder(t)
	got, err := recheck.Epoch(context.Background(), dir)
	if err != nil || len(got) != 0 {
		t.Fatalf("%v %v", err, got)
	}
}

func TestSQLFindsOneUnitTooMuch(t *testing.T) {
	dir := folder(t)
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
