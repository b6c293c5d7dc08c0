package fleet_test

import (
	"bytes"
	"image/jpeg"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/roadcomb/roadcomb/benchmarks/fleet"
	"github.com/roadcomb/roadcomb/ingest/trace"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex/roads"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

func TestAPlanIsAFunctionOfItsSeedAndHoldsEveryWayOfCheating(t *testing.T) {
	c := fleet.Config{Seed: 3, Contributors: 8, Drives: 2, Faulty: 0.5, Attackers: 7}
	p := fleet.NewPlan(c)
	if q := fleet.NewPlan(c); !reflect.DeepEqual(p, q) {
		t.Fatal("the same seed gives another plan")
	}
	if c.Seed++; reflect.DeepEqual(p.First[0].Frames, fleet.NewPlan(c).First[0].Frames) {
		t.Fatal("another seed gives the same drive")
	}
	if len(p.First) != 16 {
		t.Fatalf("%d drives", len(p.First))
	}
	attacks, faults := map[string]int{}, map[string]int{}
	for _, d := range p.First[:7] {
		if d.Fault != "" {
			t.Errorf("%s is copied later and has the fault %s", d.ID, d.Fault)
		}
	}
	files := map[string][]byte{}
	for _, part := range [][]fleet.Drive{p.First, p.Second} {
		for _, d := range part {
			attacks[d.Attack]++
			faults[d.Fault]++
			if d.Account >= p.Accounts() {
				t.Errorf("drive %s is of account %d of %d", d.ID, d.Account, p.Accounts())
			}
			for i, f := range d.Frames {
				if len(f.Expect) == 0 {
					t.Errorf("%s/%s has no truth", d.ID, f.Name)
				}
				if i > 0 && f.Damage == "" && d.Frames[i-1].Damage == "" && !f.At.After(d.Frames[i-1].At) {
					t.Errorf("%s/%s is not after the one before", d.ID, f.Name)
				}
				if d.Fault == "" && geo.Distance(f.Point, f.Given) > 15 {
					t.Errorf("%s/%s is off by %v m", d.ID, f.Name, geo.Distance(f.Point, f.Given))
				}
			}
			files[d.ID] = d.Render(d.Frames[len(d.Frames)/4])
		}
	}
	if len(attacks) != 8 || len(faults) < 4 {
		t.Errorf("attacks %v, faults %v", attacks, faults)
	}
	for id, b := range files {
		if _, err := jpeg.Decode(bytes.NewReader(b)); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
}

func TestDrivesFollowTheStreetsOfAnExtract(t *testing.T) {
	f, err := os.Open(testkit.Shared(t, "data", "osm", "baltimore.osm.pbf"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	net, err := roads.Read(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	p := fleet.NewPlan(fleet.Config{Seed: 1, Contributors: 5, Frames: 50, Roads: net})
	for _, d := range p.First {
		if len(d.Frames) != 50 {
			t.Errorf("%s has %d frames", d.ID, len(d.Frames))
		}
		for i := range d.Frames {
			if pt := d.Frames[i].Point; pt.Lat < 39 || pt.Lat > 39.6 {
				t.Fatalf("%s is at %v", d.ID, pt)
			}
			if i > 0 && geo.Distance(d.Frames[i-1].Point, d.Frames[i].Point) > 8.5 {
				t.Errorf("%s jumps at frame %d", d.ID, i)
			}
		}
	}
}

func TestOnlyThisMachineIsLoaded(t *testing.T) {
	for base, ok := range map[string]bool{
		"http://127.0.0.1:8080": true, "http://localhost:1": true, "http://[::1]:2": true,
		"http://10.0.0.1:8080": false, "https://map.example.org": false, "ftp://127.0.0.1": false, "": false,
	} {
		if err := fleet.CheckServer(base); (err == nil) != ok {
			t.Errorf("%s: %v", base, err)
		}
	}
}

// What a drive that goes round past its own ends may show is the rule of trimming's to say, not the distance's alone.
func TestTheTruthAllowsWhatTheRulesOfDrivesMakeOfIt(t *testing.T) {
	past := 0
	for seed := range uint64(60) {
		p := fleet.NewPlan(fleet.Config{Seed: seed, Contributors: 40, Frames: 45})
		for _, d := range p.First {
			shots := make([]trace.Shot, len(d.Frames))
			for i, f := range d.Frames {
				shots[i] = trace.Shot{Name: f.Name, Time: f.Stamp, Point: f.Given, Heading: f.Heading, HasHeading: true}
			}
			rules := trace.DefaultRules()
			rules.Trim = geo.Meters(d.Trim)
			drives, rejected := trace.Cut(shots, rules)
			first, last := d.Frames[0].Given, d.Frames[len(d.Frames)-1].Given
			for _, drive := range drives {
				for _, pl := range drive {
					f := d.Frames[pl.Index]
					if min(geo.Distance(f.Given, first), geo.Distance(f.Given, last)) < rules.Trim {
						past++
					}
					if !slices.Contains(f.Expect, "accepted") {
						t.Errorf("seed %d: %s/%s is accepted, the truth is %v", seed, d.ID, f.Name, f.Expect)
					}
				}
			}
			for _, r := range rejected {
				if f := d.Frames[r.Index]; !slices.Contains(f.Expect, string(r.Verdict.Reason)) {
					t.Errorf("seed %d: %s/%s is %s, the truth is %v", seed, d.ID, f.Name, r.Verdict.Reason, f.Expect)
				}
			}
		}
	}
	if past == 0 {
		t.Error("no drive passed one of its ends: the test shows nothing")
	}
}
