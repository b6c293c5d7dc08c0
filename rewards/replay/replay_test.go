package replay_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards"
	"github.com/roadcomb/roadcomb/rewards/record"
	"github.com/roadcomb/roadcomb/rewards/replay"
	"github.com/roadcomb/roadcomb/rewards/ruleset"
)

// folder is an epoch in which ann covers two cells twice and ben one.
func folder(t *testing.T, e survey.Epoch) (fs.FS, []byte) {
	_, rules, err := ruleset.For(e)
	if err != nil {
		t.Fatal(err)
	}
	in := record.Inputs{Epoch: e, Ruleset: rules}
	for i, owner := range []survey.ContributorID{"ann", "ben"} {
		d := rewards.Drive{ID: survey.DriveID(fmt.Sprint("d", i)), Contributor: owner}
		in.Drives = append(in.Drives, d)
		in.Accounts = append(in.Accounts, record.Account{Contributor: owner, Current: true})
		for n := range 4 >> i {
			at := e.Start().AddDate(0, 0, n/2)
			in.Contributions.Add(record.Contribution{Frame: string(survey.NewFrameID(survey.HashOf(fmt.Append(nil, i, n)))), Drive: string(d.ID),
				Cell: 0x8c1f05871d3abff + survey.Cell(2*i+n%2)<<9, CapturedAt: at, ReceivedAt: at, Quality: 800_000})
		}
	}
	in.Sort()
	out, err := in.Compute()
	if err != nil {
		t.Fatal(err)
	}
	inputs, dir := record.Files{}, fstest.MapFS{}
	for _, n := range record.InputNames() {
		if inputs[n], err = in.EncodeInput(n); err != nil {
			t.Fatal(err)
		}
		dir[n] = &fstest.MapFile{Data: inputs[n]}
	}
	outputs, err := out.OutputFiles()
	if err != nil {
		t.Fatal(err)
	}
	m, err := record.NewManifest(in, out, survey.Hash{}, inputs, outputs).Encode()
	if err != nil {
		t.Fatal(err)
	}
	dir[record.ManifestName] = &fstest.MapFile{Data: m}
	return dir, rules
}

func TestAnotherRulesetIsComparedAsTableAndPicture(t *testing.T) {
	e, err := survey.ParseEpoch("2024-05-06")
	if err != nil {
		t.Fatal(err)
	}
	dir, rules := folder(t, e)
	// First visits only, and each at half the rate.
	other := strings.NewReplacer(`"v1"`, `"<draft> & co"`, `500000, 250000]`, `0, 0]`, `"max_rate": "100000000"`, `"max_rate": "50000000"`).Replace(string(rules))
	r, err := replay.Run([]fs.FS{dir, dir}, []byte(other))
	if err != nil {
		t.Fatal(err)
	}
	ep := r.Epochs[0]
	// ann: two cells, two days, 0.1 × 0.8 × (1 + 0.5) each; ben: two cells, one day. Then half of the first days.
	if ep.Was != 400e6 || ep.Would != 160e6 || ep.Less != 2 || ep.More != 0 || ep.Contributors[0].Was != 240e6 || ep.Contributors[0].Would != 80e6 {
		t.Errorf("%+v", ep)
	}
	var table bytes.Buffer
	if err := r.Table(&table); err != nil || !strings.Contains(table.String(), "-60.0 %") || strings.Count(table.String(), "2024-05-06") != 2 {
		t.Errorf("%v\n%s", err, &table)
	}
	var svg bytes.Buffer
	if err := r.SVG(&svg); err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(bytes.NewReader(svg.Bytes()))
	rects := 0
	for {
		tok, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("the picture is no XML: %v", err)
		}
		if s, ok := tok.(xml.StartElement); ok && s.Name.Local == "rect" {
			rects++
		}
	}
	if want := 1 + 2 + 2*4; rects != want {
		t.Errorf("%d rectangles, want %d", rects, want)
	}
	if _, err := replay.Run([]fs.FS{dir}, []byte("{}")); survey.KindOf(err) != survey.Invalid {
		t.Errorf("no ruleset: %v", err)
	}
}
