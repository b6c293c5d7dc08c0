package survey_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"pgregory.net/rapid"
)

func ExampleEpochOf() {
	e := survey.EpochOf(time.Date(2024, 5, 10, 2, 10, 44, 0, time.UTC))
	fmt.Println(e, e.End().Format(time.RFC3339))
	// Output: 2024-05-06 2024-05-13T00:00:00Z
}

func TestEpochsAreHalfOpenMondayWeeks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(-1e10, 1e10).Draw(t, "unix"), 0).UTC()
		e := survey.EpochOf(at)
		if at.Before(e.Start()) || !at.Before(e.End()) {
			t.Fatalf("%v not in [%v, %v)", at, e.Start(), e.End())
		}
		if e.Start().Weekday() != time.Monday || e.Next() != survey.EpochOf(e.End()) {
			t.Fatalf("epoch %v", e)
		}
		back, err := survey.ParseEpoch(e.String())
		if at.Year() > 0 && (err != nil || back != e) {
			t.Fatalf("%v %v", back, err)
		}
	})
	if _, err := survey.ParseEpoch("2024-05-07"); survey.KindOf(err) != survey.Invalid {
		t.Fatalf("a Tuesday named an epoch: %v", err)
	}
}

func TestErrorsKeepKindTextAndCause(t *testing.T) {
	err := fmt.Errorf("read upload: %w", survey.Errorf(survey.Invalid, "file %q: %w", "a.jpg", io.ErrUnexpectedEOF).WithHint("send it again"))
	if survey.KindOf(err) != survey.Invalid || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("kind %v of %v", survey.KindOf(err), err)
	}
	if got, want := err.Error(), `read upload: file "a.jpg": unexpected EOF (send it again)`; got != want {
		t.Fatalf("%s", got)
	}
	if survey.KindOf(errors.New("x")) != survey.Internal {
		t.Fatal("an unknown error is not Internal")
	}
}

func TestIdentityDependsOnContentNotOrder(t *testing.T) {
	a, b := survey.HashOf([]byte("a")), survey.HashOf([]byte("b"))
	if survey.NewUploadID("c", []survey.Hash{a, b}) != survey.NewUploadID("c", []survey.Hash{b, a}) {
		t.Fatal("order of files changed the upload")
	}
	if survey.NewUploadID("c", []survey.Hash{a}) == survey.NewUploadID("d", []survey.Hash{a}) {
		t.Fatal("two contributors share an upload id")
	}
	if id := survey.NewFrameID(a); !survey.ValidID(string(id)) {
		t.Fatalf("id %q", id)
	}
}

func TestCellTextRoundTrips(t *testing.T) {
	const c survey.Cell = 0x8c1f05871d2abff
	var back survey.Cell
	b, err := json.Marshal(c)
	if err != nil || json.Unmarshal(b, &back) != nil || back != c || c.Resolution() != 12 {
		t.Fatalf("%s -> %v, resolution %d", b, back, c.Resolution())
	}
	for _, bad := range []string{"", "xyz", "8c1f05871d2abffff", "ffffffffffffffff", "12"} {
		if _, err := survey.ParseCell(bad); survey.KindOf(err) != survey.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestEveryReasonHasASentenceAndVerdictsAreChecked(t *testing.T) {
	seen := map[survey.Reason]bool{}
	for _, r := range survey.Reasons() {
		if r.Text() == "" || seen[r] {
			t.Errorf("reason %q", r)
		}
		seen[r] = true
		if err := survey.Reject(r, "", nil).Validate(); err != nil {
			t.Error(err)
		}
	}
	if survey.Reject("because", "x", nil).Validate() == nil || (survey.Verdict{Accepted: true, Reason: survey.ReasonEmpty}).Validate() == nil {
		t.Error("an invalid verdict passed")
	}
}

func TestAmountsPrintExactly(t *testing.T) {
	for a, want := range map[survey.Amount]string{0: "0.000000000", 1: "0.000000001", -1: "-0.000000001", 1_500_000_000: "1.500000000"} {
		if a.String() != want {
			t.Errorf("%d prints %s", int64(a), a)
		}
	}
}

func TestRedactionWithoutModelIsRefused(t *testing.T) {
	ok := survey.Redaction{Models: []survey.ModelRef{{Name: "m", SHA256: survey.HashOf(nil)}}, Method: "solid", Width: 1, Height: 1}
	if err := ok.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]survey.Redaction{
		"no model": {Method: "solid", Width: 1, Height: 1},
		"no hash":  {Models: []survey.ModelRef{{Name: "m"}}, Method: "solid", Width: 1, Height: 1},
		"no size":  {Models: ok.Models, Method: "solid"},
	} {
		if r.Validate() == nil {
			t.Errorf("%s passed", name)
		}
	}
}

func TestParentAndChildRangeFollowTheBits(t *testing.T) {
	const c survey.Cell = 0x8c1f05871d2abff
	if got := c.Parent(4); got.String() != "841f059ffffffff" && got.Resolution() != 4 {
		t.Fatal(got)
	}
	for res := range 12 {
		p := c.Parent(res)
		lo, hi := p.ChildRange(12)
		if p.Resolution() != res || c < lo || c > hi || lo.Parent(res) != p || hi.Parent(res) != p || (lo-1<<9).Parent(res) == p {
			t.Fatalf("res %d: parent %v range %v–%v", res, p, lo, hi)
		}
	}
}
