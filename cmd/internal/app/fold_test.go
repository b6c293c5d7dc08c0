package app

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/datasets/schema"
	"github.com/roadcomb/roadcomb/datasets/snapshot"
	"github.com/roadcomb/roadcomb/pkg/hex/cells"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

func TestARunningNetworkComparesItsCellsWithTheLake(t *testing.T) {
	ctx := t.Context()
	goHome(t)
	var log bytes.Buffer
	p, err := openPlatform(ctx, settings{Home: t.TempDir(), S3Listen: "127.0.0.1:0", Models: t.TempDir()}, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	check := func(want bool, words string) {
		t.Helper()
		done, err := p.checkCellsOnce(ctx, beside)
		if done != want || (err != nil) != (words != "") || err != nil && !strings.Contains(err.Error(), words) {
			t.Fatalf("done %t, %v; want %t, %q", done, err, want, words)
		}
	}
	check(false, "") // nothing exported yet
	at := time.Date(2024, 5, 6, 8, 0, 0, 0, time.UTC)
	apply := func(drive survey.DriveID, n int) (out []schema.Observation) {
		t.Helper()
		d := cells.DriveObservations{Drive: drive}
		for i := range n {
			o := survey.Observation{Frame: survey.FrameID(string(drive) + string(rune('a'+i))), Drive: drive, Cell: 0x8c1f8d44a2cd5ff, CapturedAt: at.Add(time.Duration(i) * time.Second), ReceivedAt: at, HeadingDeg: 90 * i, Quality: 700_000}
			d.Observations = append(d.Observations, o)
			out = append(out, schema.Observation{Cell: o.Cell, CapturedAt: o.CapturedAt, ReceivedAt: o.ReceivedAt, Frame: string(o.Frame), Drive: string(drive), Heading: int64(o.HeadingDeg), Quality: int64(o.Quality)})
		}
		if err := p.db.Tx(ctx, func(tx *state.Tx) error { _, err := p.cells.Apply(ctx, tx, []cells.DriveObservations{d}); return err }); err != nil {
			t.Fatal(err)
		}
		return out
	}
	publish := func(rows []schema.Observation) {
		t.Helper()
		put := func(key string, b []byte) {
			if _, err := p.store.Put(ctx, store.Lake, key, b, "x/y"); err != nil {
				t.Fatal(err)
			}
		}
		b, err := lake.Encode(schema.Observations, rows)
		if err != nil {
			t.Fatal(err)
		}
		h := survey.HashOf(b)
		f := snapshot.File{Path: "observations/v1/date=2024-05-06/" + h.String() + ".parquet", Rows: int64(len(rows)), Bytes: int64(len(b)), SHA256: h}
		put(f.Path, b)
		s, err := json.Marshal(snapshot.Snapshot{Format: snapshot.Format, Datasets: map[string]snapshot.Dataset{schema.Observations.Name: {Files: []snapshot.File{f}}}})
		if err != nil {
			t.Fatal(err)
		}
		put("snapshots/"+h.String(), s)
		put(store.SnapshotHead, []byte(`{"snapshot":"snapshots/`+h.String()+`"}`))
	}
	rows := apply("d1", 3)
	publish(rows)
	check(true, "")
	if !strings.Contains(log.String(), "cells=1 observations=3") {
		t.Error(log.String())
	}
	// A drive that the lake lacks: a difference when nothing says that it is on its way, else nothing to say yet.
	more := apply("d2", 2)
	check(true, "1 cells differ")
	if err := p.db.Tx(ctx, func(tx *state.Tx) error { return state.MarkChanged(ctx, tx, "drive", "d2") }); err != nil {
		t.Fatal(err)
	}
	check(false, "")
	changes, err := state.Changes(ctx, p.db, "datasets")
	if err != nil || len(changes) == 0 {
		t.Fatalf("%v, %v", changes, err)
	}
	if err := p.db.Tx(ctx, func(tx *state.Tx) error { return state.Consumed(ctx, tx, "datasets", changes) }); err != nil {
		t.Fatal(err)
	}
	publish(append(rows, more...))
	check(true, "")
}
