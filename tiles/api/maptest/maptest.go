// Package maptest fills a database and a bucket with a small town of synthetic coverage, for tests of what reads the
// map: the API, the page, and clients of other projects.
package maptest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image/jpeg"
	"maps"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/hex/cells"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
	"github.com/roadcomb/roadcomb/tiles/archive"
	"github.com/roadcomb/roadcomb/tiles/worker"
)

// Town is what Fill put in.
type Town struct {
	Frames []survey.FrameID // published, in no order that matters
	Hidden survey.FrameID   // a frame that is quarantined and must not show anywhere
	Drives []survey.DriveID
	Signs  []Sign // map features that published frames show
	// HiddenSign is a map feature that only the hidden frame shows.
	HiddenSign survey.FeatureID
	Center     geo.Point
	AsOf       time.Time

	manifest archive.Manifest
}

// Sign is a map feature of the town.
type Sign struct {
	ID         survey.FeatureID
	Kind       survey.FeatureKind
	Point      geo.Point
	LastSeen   time.Time
	Confidence survey.PPM
}

type frame struct {
	id      survey.FrameID
	at      time.Time
	p       geo.Point
	heading geo.BearingDeg
	cell    survey.Cell
	quality survey.Quality
}

// Resolution of the frames' cells.
const Resolution = 12

// Fill makes a town of drives of frames (at most 100 each). With photos set, frames look like the images of that
// folder, otherwise like those of package synth.
func Fill(t testing.TB, db *state.DB, st *store.Store, drives, frames int, photos string) *Town {
	t.Helper()
	ctx := context.Background()
	tw := &Town{Center: geo.Point{Lat: 43.7350, Lon: 7.4205}, AsOf: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)}
	pictures := pictures(t, photos)
	var objects []string
	for i, p := range pictures {
		h := survey.HashOf(p)
		key := store.FrameKey(survey.NewFrameID(h), h)
		if err := st.PutOnce(ctx, store.Public, key, p, "image/jpeg"); err != nil {
			t.Fatal(i, err)
		}
		objects = append(objects, key)
	}
	err := db.Tx(ctx, func(tx *state.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO contributors (id, created_at) VALUES ('c1', 1)`); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO uploads (id, contributor_id, state, options, files, bytes, created_at) VALUES ('u1', 'c1', 'settled', '{}', 0, 0, 1)`); err != nil {
			return err
		}
		for d := range drives {
			if err := tw.drive(ctx, tx, d, frames, pictures, objects); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return tw.AsOf }
	index := cells.Cells{DB: db, Clock: clock}
	for _, d := range tw.Drives {
		if err := index.Index(ctx, state.IndexArgs{DriveID: d}); err != nil {
			t.Fatal(err)
		}
	}
	build := worker.Worker{DB: db, Store: st, Clock: clock}
	if err := build.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if tw.manifest, _, err = worker.Manifest(ctx, st); err != nil {
		t.Fatal(err)
	}
	return tw
}

func pictures(t testing.TB, dir string) [][]byte {
	var out [][]byte
	if dir != "" {
		names, err := filepath.Glob(filepath.Join(dir, "*.jpg"))
		if err != nil || len(names) == 0 {
			t.Fatalf("no pictures in %s", dir)
		}
		for _, n := range names {
			b, err := os.ReadFile(n)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, b)
		}
		return out
	}
	for i := range 12 {
		out = append(out, testkit.JPEG(testkit.Picture{Seed: uint64(i + 1), W: 1024, H: 576, NoEXIF: true}))
	}
	return out
}

func (tw *Town) drive(ctx context.Context, tx *state.Tx, d, frames int, pictures [][]byte, objects []string) error {
	id := survey.DriveID(survey.HashOf(fmt.Appendf(nil, "drive %d", d)).String()[:32])
	age := time.Duration(d*d*7%110) * 24 * time.Hour
	began := tw.AsOf.Add(-age - 10*time.Hour)
	// A zigzag through a slightly turned grid of streets.
	at := geo.Destination(tw.Center, geo.BearingDeg(d*97%360), geo.Meters(100+d*53%700))
	turn := float64(8 + 90*(d%4))
	line := []geo.Point{at}
	for i := range 6 {
		b := turn
		if i%2 == 1 {
			b += 90 - float64(180*(d/3%2))
		}
		at = geo.Destination(at, geo.NormalizeBearing(b), geo.Meters(160+(d*i*37)%120))
		line = append(line, at)
	}
	shots := testkit.Path(line, 8, 9, began)
	if len(shots) > frames {
		shots = shots[:frames]
	}
	var mm int64
	for i := range shots[1:] {
		mm += int64(1000 * geo.Distance(shots[i].Point, shots[i+1].Point))
	}
	tw.Drives = append(tw.Drives, id)
	ids := make([]survey.FrameID, len(shots))
	_, err := tx.Exec(ctx, `INSERT INTO drives (id, upload_id, contributor_id, device_id, state, started_at, ended_at, received_at, frames, parts, distance_mm, manifest_sha256)
		VALUES ($1, 'u1', 'c1', 'dev', 'vision', $2, $3, $3, $4, 1, $5, '')`, string(id), state.Micros(shots[0].Time), state.Micros(shots[len(shots)-1].Time), len(shots), mm)
	if err != nil {
		return err
	}
	for i, s := range shots {
		k := (d*31 + i) % len(pictures)
		pic := pictures[k]
		conf, err := jpeg.DecodeConfig(bytes.NewReader(pic))
		if err != nil {
			return err
		}
		score := 400e3 + 590e3*(0.5+0.5*math.Sin(float64(i*7+d*13)))
		q := survey.Quality{Score: survey.PPM(score), Grade: string("EDCBA"[min(4, int(score/200e3))]), Sharpness: survey.PPM(score * 0.9), Exposure: 830e3,
			Resolution: 700e3, Position: 910e3, Clear: 990e3, Version: "test"}
		id12, err := hex.CellOf(s.Point, Resolution)
		if err != nil {
			return err
		}
		f := frame{survey.FrameID(survey.HashOf(fmt.Appendf(nil, "frame %d %d", d, i)).String()[:32]), s.Time, s.Point, s.Heading, id12, q}
		ids[i] = f.id
		st := survey.FramePublished
		if d == 0 && i == len(shots)-1 {
			st, tw.Hidden = survey.FrameQuarantined, f.id
		} else {
			tw.Frames = append(tw.Frames, f.id)
		}
		qj, err := json.Marshal(q)
		if err != nil {
			return err
		}
		sum := survey.HashOf(pic)
		rj, err := json.Marshal(survey.Redaction{Models: []survey.ModelRef{{Name: "test", SHA256: sum}}, Method: "solid", Width: conf.Width, Height: conf.Height,
			Boxes: make([]survey.Box, 0, 1)})
		if i%3 == 0 {
			rj, err = json.Marshal(survey.Redaction{Models: []survey.ModelRef{{Name: "test", SHA256: sum}}, Method: "solid", Width: conf.Width, Height: conf.Height,
				Boxes: []survey.Box{{Class: survey.ClassFace, W: 9, H: 9}, {Class: survey.ClassPlate, W: 9, H: 9}}})
		}
		if err != nil {
			return err
		}
		lat, lon := f.p.E7()
		_, err = tx.Exec(ctx, `INSERT INTO frames (id, drive_id, part, seq, upload_id, path, object, sha256, bytes, captured_at, received_at, lat_e7, lon_e7, heading_mdeg,
			accuracy_mm, cell, width, height, state, quality_ppm, quality, redaction, public_key, public_sha256, public_bytes, public_width, public_height)
			VALUES ($1, $2, 0, $3, 'u1', $1, '', '', 1, $4, $4, $5, $6, $7, 3500, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $9, $10)`,
			string(f.id), string(id), i, state.Micros(f.at), lat, lon, int64(1000*f.heading), f.cell.Int64(), conf.Width, conf.Height, string(st), int64(q.Score), string(qj),
			string(rj), objects[k], sum.String(), len(pic))
		if err != nil {
			return err
		}
	}
	for i := 2; i+2 < len(shots); i += 5 {
		at := geo.Destination(shots[i].Point, geo.NormalizeBearing(float64(shots[i].Heading)+50), 9)
		kind := []survey.FeatureKind{survey.KindRedRing, survey.KindBlue, survey.KindYellow, ""}[(d+i)%4]
		sign := Sign{survey.FeatureID(survey.HashOf(fmt.Appendf(nil, "sign %d %d", d, i)).String()[:32]), kind, at, shots[i+2].Time, survey.PPM(300e3 + 50e3*(i%13))}
		if err := tw.sign(ctx, tx, id, sign, 0, ids[i:i+3]); err != nil {
			return err
		}
		tw.Signs = append(tw.Signs, sign)
	}
	if d == 0 {
		last := len(shots) - 1
		sign := Sign{survey.FeatureID(survey.HashOf([]byte("hidden sign")).String()[:32]), "", shots[last].Point, shots[last].Time, 900e3}
		tw.HiddenSign = sign.ID
		return tw.sign(ctx, tx, id, sign, 1, ids[last:])
	}
	return nil
}

func (tw *Town) sign(ctx context.Context, tx *state.Tx, drive survey.DriveID, s Sign, n int, seen []survey.FrameID) error {
	cell, err := hex.CellOf(s.Point, Resolution)
	if err != nil {
		return err
	}
	lat, lon := s.Point.E7()
	if _, err := tx.Exec(ctx, `INSERT INTO map_features (id, drive_id, class, kind, lat_e7, lon_e7, cell, sigma_mm, frames, first_seen, last_seen, confidence_ppm)
		VALUES ($1, $2, 'sign', $3, $4, $5, $6, 1700, 3, $7, $7, $8)`, string(s.ID), string(drive), string(s.Kind), lat, lon, cell.Int64(), state.Micros(s.LastSeen), int64(s.Confidence)); err != nil {
		return err
	}
	for i, f := range seen {
		if _, err := tx.Exec(ctx, `INSERT INTO frame_features (frame_id, n, class, kind, x, y, w, h, confidence_ppm, model, feature_id) VALUES ($1, $6, 'sign', $2, $3, 200, 24, 26, $4, 'test', $5)`,
			string(f), string(s.Kind), 600+40*i, int64(s.Confidence), string(s.ID), n); err != nil {
			return err
		}
	}
	return state.MarkChanged(ctx, tx, "feature", cell.String())
}

// PublishLayer replaces one layer by the tiles in w, all of zoom z.
func (tw *Town) PublishLayer(t testing.TB, st *store.Store, name string, w *archive.Writer, z int) archive.Manifest {
	t.Helper()
	m := tw.manifest
	m.Version++
	m.Layers = maps.Clone(m.Layers)
	m.Layers[name] = put(t, st, name, w, z, z, m.Layers[name].Bounds)
	swap(t, st, m)
	return m
}

func put(t testing.TB, st *store.Store, name string, w *archive.Writer, lo, hi int, box [4]float64) archive.Tileset {
	var buf bytes.Buffer
	if _, err := w.WriteTo(&buf, archive.Info{Type: archive.TileMVT, Bounds: box}); err != nil {
		t.Fatal(err)
	}
	sum := survey.HashOf(buf.Bytes())
	info, err := st.Put(context.Background(), store.Public, store.TileKey(name, sum), buf.Bytes(), "application/vnd.pmtiles")
	if err != nil {
		t.Fatal(err)
	}
	refs := []archive.Ref{{Key: info.Key, SHA256: sum, Bytes: int64(buf.Len()), ETag: info.ETag, MinZoom: lo, MaxZoom: hi}}
	return archive.Tileset{Version: archive.NewTilesetVersion("test", refs), Type: archive.TileMVT, MinZoom: lo, MaxZoom: hi, Bounds: box,
		VectorLayers: []archive.VectorLayer{{ID: name, MinZoom: lo, MaxZoom: hi, Fields: map[string]string{}}}, Plan: "test", Archives: refs}
}

func swap(t testing.TB, st *store.Store, m archive.Manifest) {
	b, err := m.Encode()
	if err == nil {
		_, err = st.Put(context.Background(), store.Public, store.TileManifestKey, b, "application/json")
	}
	if err != nil {
		t.Fatal(err)
	}
}
