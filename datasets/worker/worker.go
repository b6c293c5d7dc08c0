// Package worker exports committed state to the lake: immutable GeoParquet files, one per partition, and a snapshot
// manifest that names them, written last.
//
// Each export rewrites the partitions that changed since the last one, from state, whole: a partition's bytes are a
// function of committed state alone, so that a crash at any point, a repeat, or another batch of drives gives the same
// snapshot.
package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sort"
	"strings"
	"time"

	"github.com/roadcomb/roadcomb/datasets/schema"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/hex/cells"
	"github.com/roadcomb/roadcomb/pkg/hex/freshness"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/ledger"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Worker exports datasets. Its zero Clock is time.Now.
type Worker struct {
	DB        *state.DB
	Store     *store.Store
	Log       *slog.Logger
	Clock     func() time.Time // decides the as-of instant of cells: the start of its UTC day, unless AsOf is set
	AsOf      time.Time
	Freshness freshness.Params
}

// partitionRes is the H3 resolution (about 1,770 km² a cell) that splits a day's frames into files.
const partitionRes = 4

// gap breaks a drive's line: no line is drawn where a frame between two published ones is missing for longer than this.
const gap = 100 * geo.Meters(1)

// part is one partition of one dataset.
type part struct{ dataset, key string }

// file is a written partition; object is empty when it has no rows and must go.
type file struct {
	part
	object, sha256 string
	bytes, rows    int64
}

// Export brings the lake up to date with state and publishes a snapshot when anything changed.
func (w *Worker) Export(ctx context.Context) error {
	changes, err := state.Changes(ctx, w.DB, "datasets")
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	todo := plan{frames: map[frameKey]bool{}, drives: map[string]bool{}, rejections: map[string]bool{}, cells: map[survey.Cell]bool{}}
	for _, c := range changes {
		if err := todo.add(ctx, w.DB, c); err != nil {
			return fmt.Errorf("export: %s %s: %w", c.Topic, c.Key, err)
		}
	}
	asOf, err := w.planCells(ctx, &todo)
	if err != nil {
		return fmt.Errorf("export cells: %w", err)
	}
	files, err := w.write(ctx, todo, asOf)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	if len(files) > 0 || len(changes) > 0 {
		err = w.DB.Tx(ctx, func(tx *state.Tx) error {
			for _, f := range files {
				if err := record(ctx, tx, f); err != nil {
					return err
				}
			}
			if _, err := tx.Exec(ctx, `INSERT INTO meta (key, value) VALUES ('datasets.as_of', $1) ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
				asOf.Format(time.RFC3339)); err != nil {
				return err
			}
			return state.Consumed(ctx, tx, "datasets", changes)
		})
		if err != nil {
			return fmt.Errorf("export: %w", err)
		}
	}
	return w.publish(ctx, asOf)
}

func record(ctx context.Context, tx *state.Tx, f file) error {
	if f.object == "" {
		_, err := tx.Exec(ctx, `DELETE FROM dataset_files WHERE dataset = $1 AND partition_key = $2`, f.dataset, f.key)
		return err
	}
	_, err := tx.Exec(ctx, `INSERT INTO dataset_files (dataset, partition_key, object, sha256, bytes, row_count) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (dataset, partition_key) DO UPDATE SET object = excluded.object, sha256 = excluded.sha256, bytes = excluded.bytes, row_count = excluded.row_count`,
		f.dataset, f.key, f.object, f.sha256, f.bytes, f.rows)
	return err
}

type frameKey struct {
	day string
	r4  survey.Cell
}

func (k frameKey) String() string { return "date=" + k.day + "/h3_r4=" + k.r4.String() }

// plan is which partitions must be written again.
type plan struct {
	frames     map[frameKey]bool
	drives     map[string]bool // days
	rejections map[string]bool // days
	cells      map[survey.Cell]bool
}

func day(us int64) string { return state.Time(us).Format(time.DateOnly) }

// dayRange is the half-open range of microseconds of a day.
func dayRange(d string) (lo, hi int64, err error) {
	t, err := time.Parse(time.DateOnly, d)
	return t.UnixMicro(), t.AddDate(0, 0, 1).UnixMicro(), err
}

func (p *plan) add(ctx context.Context, q state.Querier, c state.Change) error {
	switch c.Topic {
	case "cell":
		cell, err := survey.ParseCell(c.Key)
		if err != nil {
			return err
		}
		p.cells[cell.Parent(partitionRes)] = true
	case "drive":
		var started, completed int64
		err := q.QueryRow(ctx, `SELECT d.started_at, u.completed_at FROM drives d JOIN uploads u ON u.id = d.upload_id WHERE d.id = $1`, c.Key).Scan(&started, &completed)
		if errors.Is(err, state.ErrNoRows) {
			return nil
		} else if err != nil {
			return err
		}
		p.drives[day(started)], p.rejections[day(completed)] = true, true
		rows, err := q.Query(ctx, `SELECT captured_at, cell FROM frames WHERE drive_id = $1`, c.Key)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var at, cell int64
			if err := rows.Scan(&at, &cell); err != nil {
				return err
			}
			p.frames[frameKey{day(at), survey.Cell(cell).Parent(partitionRes)}] = true
		}
		return rows.Err()
	case "upload":
		var completed int64
		err := q.QueryRow(ctx, `SELECT completed_at FROM uploads WHERE id = $1`, c.Key).Scan(&completed)
		if errors.Is(err, state.ErrNoRows) {
			return nil
		}
		p.rejections[day(completed)] = true
		return err
	}
	return nil
}

// planCells decides the as-of instant, and adds every partition of cells when it moved to another day.
func (w *Worker) planCells(ctx context.Context, p *plan) (time.Time, error) {
	asOf := w.AsOf
	if asOf.IsZero() {
		now := time.Now
		if w.Clock != nil {
			now = w.Clock
		}
		asOf = now().UTC().Truncate(24 * time.Hour)
	}
	var last string
	err := w.DB.QueryRow(ctx, `SELECT value FROM meta WHERE key = 'datasets.as_of'`).Scan(&last)
	if err != nil && !errors.Is(err, state.ErrNoRows) {
		return asOf, err
	}
	if last == asOf.Format(time.RFC3339) {
		return asOf, nil
	}
	return asOf, cells.Each(ctx, w.DB, partitionRes, func(r cells.Row) error {
		p.cells[r.Cell] = true
		return nil
	})
}

func (w *Worker) write(ctx context.Context, p plan, asOf time.Time) ([]file, error) {
	var out []file
	emit := func(f file, err error) error {
		if err == nil {
			out = append(out, f)
		}
		return err
	}
	for _, k := range sorted(p.frames, frameKey.String) {
		fs, obs, err := w.frames(ctx, k)
		if err != nil {
			return nil, err
		}
		if err := emit(put(ctx, w, schema.Frames, k.String(), fs)); err != nil {
			return nil, err
		}
		if err := emit(put(ctx, w, schema.Observations, k.String(), obs)); err != nil {
			return nil, err
		}
	}
	for _, d := range sorted(p.drives, func(s string) string { return s }) {
		ds, err := w.drives(ctx, d)
		if err != nil {
			return nil, err
		}
		if err := emit(put(ctx, w, schema.Drives, "date="+d, ds)); err != nil {
			return nil, err
		}
	}
	for _, d := range sorted(p.rejections, func(s string) string { return s }) {
		rs, err := w.rejections(ctx, d)
		if err != nil {
			return nil, err
		}
		if err := emit(put(ctx, w, schema.Rejections, "date="+d, rs)); err != nil {
			return nil, err
		}
	}
	if err := w.epochs(ctx, emit); err != nil {
		return nil, err
	}
	for _, r4 := range sorted(p.cells, survey.Cell.String) {
		cs, err := w.cells(ctx, r4, asOf)
		if err != nil {
			return nil, err
		}
		if err := emit(put(ctx, w, schema.Cells, "date="+asOf.Format(time.DateOnly)+"/h3_r4="+r4.String(), cs)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func sorted[K comparable](m map[K]bool, text func(K) string) []K {
	ks := make([]K, 0, len(m))
	for k := range m {
		ks = append(ks, k)
	}
	sort.Slice(ks, func(i, j int) bool { return text(ks[i]) < text(ks[j]) })
	return ks
}

// put writes a partition's object; a partition without rows has none.
func put[T any](ctx context.Context, w *Worker, s lake.Schema, key string, rows []T) (file, error) {
	f := file{part: part{s.Name, key}}
	if len(rows) == 0 {
		return f, nil
	}
	b, err := lake.Encode(s, rows)
	if err != nil {
		return f, err
	}
	h := survey.HashOf(b)
	f.object, f.sha256 = store.DatasetKey(s.Name, fmt.Sprintf("v%d", s.Version), key, h), h.String()
	f.bytes, f.rows = int64(len(b)), int64(len(rows))
	return f, w.Store.PutOnce(ctx, store.Lake, f.object, b, lake.MediaType)
}

func (w *Worker) frames(ctx context.Context, k frameKey) ([]schema.Frame, []schema.Observation, error) {
	lo, hi, err := dayRange(k.day)
	if err != nil {
		return nil, nil, err
	}
	c0, c1 := k.r4.ChildRange(12)
	rows, err := w.DB.Query(ctx, `SELECT f.id, f.drive_id, f.seq, f.cell, f.captured_at, f.received_at, f.heading_mdeg, f.speed_mmps, f.alt_mm, f.accuracy_mm,
		f.quality, f.redaction, f.flags, f.public_width, f.public_height, f.public_bytes, f.public_sha256, f.lat_e7, f.lon_e7, d.contributor_id
		FROM frames f JOIN drives d ON d.id = f.drive_id
		WHERE f.state = 'published' AND d.state = 'indexed' AND f.cell BETWEEN $1 AND $2 AND f.captured_at >= $3 AND f.captured_at < $4
		ORDER BY f.cell, f.captured_at, f.id`, c0.Int64(), c1.Int64(), lo, hi)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	var fs []schema.Frame
	var obs []schema.Observation
	for rows.Next() {
		var f schema.Frame
		var cell, at, received, heading, speed, accuracy, lat, lon int64
		var alt *int64
		var quality, redaction, flags, contributor string
		if err := rows.Scan(&f.ID, &f.Drive, &f.Seq, &cell, &at, &received, &heading, &speed, &alt, &accuracy, &quality, &redaction, &flags,
			&f.Width, &f.Height, &f.Bytes, &f.SHA256, &lat, &lon, &contributor); err != nil {
			return nil, nil, err
		}
		f.Cell, f.CapturedAt, f.Speed = survey.Cell(cell), state.Time(at), float64(speed)/1000
		f.Geometry = lake.Point(geo.FromE7(lat, lon))
		deg := int64(-1)
		if heading >= 0 {
			h := float64(heading) / 1000
			f.Heading, deg = &h, heading/1000%360
		}
		if alt != nil {
			a := float64(*alt) / 1000
			f.Alt = &a
		}
		if accuracy > 0 {
			a := float64(accuracy) / 1000
			f.Accuracy = &a
		}
		if err := fill(&f, quality, redaction, flags); err != nil {
			return nil, nil, fmt.Errorf("frame %s: %w", f.ID, err)
		}
		fs = append(fs, f)
		obs = append(obs, schema.Observation{Cell: f.Cell, CapturedAt: f.CapturedAt, ReceivedAt: state.Time(received), Frame: f.ID, Drive: f.Drive,
			Contributor: contributor, Heading: deg, Quality: f.Quality, Geometry: f.Geometry})
	}
	return fs, obs, rows.Err()
}

func (w *Worker) drives(ctx context.Context, d string) ([]schema.Drive, error) {
	lo, hi, err := dayRange(d)
	if err != nil {
		return nil, err
	}
	rows, err := w.DB.Query(ctx, `SELECT d.id, d.contributor_id, d.device_id, d.received_at, d.flags, f.seq, f.captured_at, f.lat_e7, f.lon_e7, f.cell
		FROM drives d JOIN frames f ON f.drive_id = d.id
		WHERE d.started_at >= $1 AND d.started_at < $2 AND d.state = 'indexed' AND f.state = 'published' ORDER BY d.id, f.seq`, lo, hi)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []schema.Drive
	var pieces [][]geo.Point
	seen := map[int64]bool{}
	lastSeq := int64(-2)
	finish := func() {
		if n := len(out); n > 0 {
			out[n-1].Geometry, out[n-1].Cells = lake.Lines(pieces), int64(len(seen))
		}
		pieces, lastSeq = nil, -2
		clear(seen)
	}
	for rows.Next() {
		var id, contributor, device, flags string
		var received, seq, at, lat, lon, cell int64
		if err := rows.Scan(&id, &contributor, &device, &received, &flags, &seq, &at, &lat, &lon, &cell); err != nil {
			return nil, err
		}
		if len(out) == 0 || out[len(out)-1].ID != id {
			finish()
			text, err := words(flags)
			if err != nil {
				return nil, err
			}
			out = append(out, schema.Drive{ID: id, Contributor: contributor, Device: device, StartedAt: state.Time(at), ReceivedAt: state.Time(received), Flags: text})
		}
		dr, p := &out[len(out)-1], geo.FromE7(lat, lon)
		dr.EndedAt = state.Time(at)
		dr.Frames++
		seen[cell] = true
		joined := false
		if n := len(pieces); n > 0 && seq == lastSeq+1 {
			last := pieces[n-1]
			if step := geo.Distance(last[len(last)-1], p); step <= gap {
				pieces[n-1], joined = append(last, p), true
				dr.Distance += float64(step)
			}
		}
		if !joined {
			pieces = append(pieces, []geo.Point{p})
		}
		lastSeq = seq
	}
	finish()
	return out, rows.Err()
}

func (w *Worker) rejections(ctx context.Context, d string) ([]schema.Rejection, error) {
	lo, hi, err := dayRange(d)
	if err != nil {
		return nil, err
	}
	rows, err := w.DB.Query(ctx, `SELECT u.id, u.contributor_id, u.completed_at, f.path, f.kind, f.bytes, f.reason
		FROM uploads u JOIN upload_files f ON f.upload_id = u.id
		WHERE u.completed_at >= $1 AND u.completed_at < $2 AND u.state = 'settled' AND f.verdict = 'rejected' ORDER BY u.id, f.path`, lo, hi)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []schema.Rejection
	for rows.Next() {
		var r schema.Rejection
		var at int64
		var path string
		if err := rows.Scan(&r.Upload, &r.Contributor, &at, &path, &r.Kind, &r.Bytes, &r.Reason); err != nil {
			return nil, err
		}
		reason := survey.Reason(r.Reason)
		r.ID = survey.HashOf([]byte(r.Upload + "\x00" + path)).String()[:32]
		r.ReceivedAt, r.Text, r.Quarantined = state.Time(at), reason.Text(), reason.Quarantined()
		out = append(out, r)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out, rows.Err()
}

// epochs writes the closed epochs that the lake lacks. A closed epoch never changes, so each is written once.
func (w *Worker) epochs(ctx context.Context, emit func(file, error) error) error {
	rows, err := w.DB.Query(ctx, `SELECT epoch, ruleset, manifest_sha256, root, pool, allocated, held, remainder, contributions, contributors FROM epochs e
		WHERE NOT EXISTS (SELECT 1 FROM dataset_files f WHERE f.dataset = 'epochs' AND f.partition_key = 'epoch=' || e.epoch) ORDER BY epoch`)
	if err != nil {
		return err
	}
	defer rows.Close()
	var es []schema.Epoch
	for rows.Next() {
		var e schema.Epoch
		if err := rows.Scan(&e.Epoch, &e.Ruleset, &e.Manifest, &e.Root, &e.Pool, &e.Allocated, &e.Held, &e.Remainder, &e.Contributions, &e.Contributors); err != nil {
			return err
		}
		ep, err := survey.ParseEpoch(e.Epoch)
		if err != nil {
			return err
		}
		e.Start, e.End = ep.Start(), ep.End()
		es = append(es, e)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, e := range es {
		if err := emit(put(ctx, w, schema.Epochs, "epoch="+e.Epoch, []schema.Epoch{e})); err != nil {
			return err
		}
		as, err := w.allocations(ctx, e.Epoch)
		if err != nil {
			return err
		}
		if err := emit(put(ctx, w, schema.Allocations, "epoch="+e.Epoch, as)); err != nil {
			return err
		}
	}
	return nil
}

func (w *Worker) allocations(ctx context.Context, epoch string) ([]schema.Allocation, error) {
	rows, err := w.DB.Query(ctx, `SELECT contributor_id, amount, held, frames, cells FROM allocations WHERE epoch = $1 ORDER BY contributor_id`, epoch)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []schema.Allocation
	for rows.Next() {
		a := schema.Allocation{Epoch: epoch}
		if err := rows.Scan(&a.Contributor, &a.Amount, &a.Held, &a.Frames, &a.Cells); err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, rows.Err()
}

func (w *Worker) cells(ctx context.Context, r4 survey.Cell, asOf time.Time) ([]schema.Cell, error) {
	var out []schema.Cell
	for _, res := range []int{7, 9, 12} {
		lo, hi := r4.ChildRange(res)
		err := cells.EachRange(ctx, w.DB, res, lo, hi, func(r cells.Row) error {
			c := schema.Cell{Cell: r.Cell, Resolution: int64(res), AsOf: asOf, Freshness: int64(r.Freshness(w.Freshness, asOf)),
				Observations: r.Observations, BestQuality: int64(r.BestQuality), FirstSeen: r.FirstSeen, LastSeen: r.LastSeen,
				Geometry: lake.Polygon(hex.Boundary(r.Cell))}
			if r.Observations > 0 {
				c.Quality = r.QualitySum / r.Observations
			}
			out = append(out, c)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Snapshot is the manifest of a consistent set of files.
type Snapshot struct {
	Format   string             `json:"format"` // "roadcomb-snapshot/1"
	AsOf     time.Time          `json:"as_of"`  // of freshness in cells
	Datasets map[string]Dataset `json:"datasets"`
}

// Dataset is one dataset of a snapshot.
type Dataset struct {
	Version int    `json:"version"`
	Rows    int64  `json:"rows"`
	Bytes   int64  `json:"bytes"`
	Files   []File `json:"files"` // ordered by partition
}

// File is one immutable file.
type File struct {
	Partition string      `json:"partition"`
	Path      string      `json:"path"` // key in the lake
	Rows      int64       `json:"rows"`
	Bytes     int64       `json:"bytes"`
	SHA256    survey.Hash `json:"sha256"`
	CID       string      `json:"cid"` // CIDv1, raw, SHA-256
}

// publish writes the manifest of what state records and points the head at it. It does nothing when the head already
// points there, so a crash between the transaction and the head is mended by the next export.
func (w *Worker) publish(ctx context.Context, asOf time.Time) error {
	snap, err := w.snapshot(ctx, asOf)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	body, err := json.MarshalIndent(snap, "", " ")
	if err != nil {
		return err
	}
	key := store.SnapshotKey(survey.HashOf(body))
	head, err := json.Marshal(Head{Snapshot: key})
	if err != nil {
		return err
	}
	for {
		now, info, err := w.Store.Get(ctx, store.Lake, store.SnapshotHead, 1<<20)
		missing := survey.KindOf(err) == survey.NotFound
		if err != nil && !missing {
			return err
		}
		if !missing && string(now) == string(head) {
			return nil
		}
		if err := w.Store.PutOnce(ctx, store.Lake, key, body, "application/json"); err != nil {
			return err
		}
		if missing {
			_, err = w.Store.Create(ctx, store.Lake, store.SnapshotHead, head, "application/json")
		} else {
			_, err = w.Store.Swap(ctx, store.Lake, store.SnapshotHead, head, "application/json", info.ETag)
		}
		if !errors.Is(err, store.ErrExists) { // another worker swapped first: look again
			return err
		}
	}
}

// Head points to the current snapshot.
type Head struct {
	Snapshot string `json:"snapshot"`
}

func (w *Worker) snapshot(ctx context.Context, asOf time.Time) (Snapshot, error) {
	snap := Snapshot{Format: "roadcomb-snapshot/1", AsOf: asOf, Datasets: map[string]Dataset{}}
	rows, err := w.DB.Query(ctx, `SELECT dataset, partition_key, object, sha256, bytes, row_count FROM dataset_files ORDER BY dataset, partition_key`)
	if err != nil {
		return snap, err
	}
	defer rows.Close()
	for rows.Next() {
		var name, sha string
		var f File
		if err := rows.Scan(&name, &f.Partition, &f.Path, &sha, &f.Bytes, &f.Rows); err != nil {
			return snap, err
		}
		if f.SHA256, err = survey.ParseHash(sha); err != nil {
			return snap, err
		}
		f.CID = ledger.CID(f.SHA256)
		d := snap.Datasets[name]
		d.Version, d.Rows, d.Bytes, d.Files = 1, d.Rows+f.Rows, d.Bytes+f.Bytes, append(d.Files, f)
		snap.Datasets[name] = d
	}
	return snap, rows.Err()
}

// fill unpacks the structured columns of state into flat ones.
func fill(f *schema.Frame, quality, redaction, flags string) error {
	var q survey.Quality
	if err := json.Unmarshal([]byte(quality), &q); err != nil {
		return fmt.Errorf("quality: %w", err)
	}
	var r survey.Redaction
	if err := json.Unmarshal([]byte(redaction), &r); err != nil {
		return fmt.Errorf("redaction: %w", err)
	}
	f.Grade, f.Quality, f.Sharpness, f.Exposure = q.Grade, int64(q.Score), int64(q.Sharpness), int64(q.Exposure)
	f.Resolution, f.Position, f.Clear, f.Night = int64(q.Resolution), int64(q.Position), int64(q.Clear), q.Night
	for _, b := range r.Boxes {
		switch b.Class {
		case survey.ClassFace:
			f.Faces++
		case survey.ClassPlate, survey.ClassText:
			f.Plates++
		}
	}
	for i, m := range r.Models {
		if i > 0 {
			f.Models += " "
		}
		f.Models += m.Name + "@" + m.Version + ":" + m.SHA256.String()
	}
	var err error
	f.Flags, err = words(flags)
	return err
}

// words turns a JSON array of strings into words separated by spaces.
func words(list string) (string, error) {
	var ws []string
	if err := json.Unmarshal([]byte(list), &ws); err != nil {
		return "", fmt.Errorf("flags: %w", err)
	}
	return strings.Join(ws, " "), nil
}
