// Package worker exports committed state to the lake: immutable GeoParquet files, one per partition, and a snapshot
// manifest that names them, written last and signed.
//
// Each export rewrites the partitions that changed since the last one, from state, whole: a partition's bytes are a
// function of committed state alone, so that a crash at any point, a repeat, or another batch of drives gives the same
// snapshot. Two exports at a time are harmless: the slower one begins again.
//
// A day's frames are a partition for each H3 cell at resolution 4; a week after a month has ended, its days become one
// partition (date=2024-05), so that a network that grows slowly does not drown in small files. What no snapshot names
// any more is removed a week later.
package worker

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/roadcomb/roadcomb/datasets/schema"
	"github.com/roadcomb/roadcomb/datasets/snapshot"
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
	Config    Config
	// Key signs the manifests; nil leaves them unsigned until a process that has the network's key exports.
	Key ed25519.PrivateKey
}

// Config bounds what is kept. The zero value is the default.
type Config struct {
	// Grace is how long a file stays after the last snapshot that names it, for readers in the midst of it; 0 means a week.
	Grace time.Duration
	// DailyCells is for how many days each day's state of the cells is kept; after that, Mondays' are. 0 means 35.
	DailyCells int
}

func (c Config) grace() time.Duration {
	if c.Grace > 0 {
		return c.Grace
	}
	return 7 * 24 * time.Hour
}

func (c Config) dailyCells() int {
	if c.DailyCells > 0 {
		return c.DailyCells
	}
	return 35
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

// errRaced: another export committed since this one began, so that what this one read may be older.
var errRaced = survey.Errorf(survey.Busy, "another export was faster")

// Export brings the lake up to date with state and publishes a snapshot when anything changed.
func (w *Worker) Export(ctx context.Context) error {
	for try := 0; ; try++ {
		err := w.export(ctx)
		if !errors.Is(err, errRaced) || try == 3 {
			return err
		}
	}
}

func (w *Worker) export(ctx context.Context) error {
	turn, err := w.meta(ctx, "datasets.turn")
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	changes, err := state.Changes(ctx, w.DB, "datasets")
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	todo := newPlan(w.asOf())
	for _, c := range changes {
		if err := todo.add(ctx, w.DB, c); err != nil {
			return fmt.Errorf("export: %s %s: %w", c.Topic, c.Key, err)
		}
	}
	last, err := w.meta(ctx, "datasets.as_of")
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	newDay := last != todo.asOf.Format(time.RFC3339)
	if newDay {
		if err := w.planDay(ctx, &todo); err != nil {
			return fmt.Errorf("export of a new day: %w", err)
		}
	}
	files, err := w.write(ctx, todo)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	if len(files) > 0 || len(changes) > 0 || newDay {
		err = w.DB.Tx(ctx, func(tx *state.Tx) error {
			if err := w.fence(ctx, tx, turn); err != nil {
				return err
			}
			for _, f := range files {
				if err := w.record(ctx, tx, f); err != nil {
					return err
				}
			}
			if err := setMeta(ctx, tx, "datasets.as_of", todo.asOf.Format(time.RFC3339)); err != nil {
				return err
			}
			return state.Consumed(ctx, tx, "datasets", changes)
		})
		if err != nil {
			return fmt.Errorf("export: %w", err)
		}
	}
	if err := w.publish(ctx, todo.asOf); err != nil {
		return err
	}
	if newDay {
		if err := w.adopt(ctx); err != nil {
			return fmt.Errorf("look for files without an owner: %w", err)
		}
	}
	return w.Sweep(ctx)
}

func (w *Worker) now() time.Time {
	if w.Clock != nil {
		return w.Clock()
	}
	return time.Now()
}

// asOf is the instant of the export: cells show freshness as of it, and it decides which months are one file.
func (w *Worker) asOf() time.Time {
	if !w.AsOf.IsZero() {
		return w.AsOf
	}
	return w.now().UTC().Truncate(24 * time.Hour)
}

func (w *Worker) meta(ctx context.Context, key string) (string, error) {
	var v string
	err := w.DB.QueryRow(ctx, `SELECT value FROM meta WHERE key = $1`, key).Scan(&v)
	if errors.Is(err, state.ErrNoRows) {
		return "", nil
	}
	return v, err
}

func setMeta(ctx context.Context, tx *state.Tx, key, value string) error {
	_, err := tx.Exec(ctx, `INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value`, key, value)
	return err
}

// fence lets one of the exports that began at the same turn commit; a later commit of the others would bring back what
// they read earlier.
func (w *Worker) fence(ctx context.Context, tx *state.Tx, turn string) error {
	if turn == "" {
		if _, err := tx.Exec(ctx, `INSERT INTO meta (key, value) VALUES ('datasets.turn', '0') ON CONFLICT (key) DO NOTHING`); err != nil {
			return err
		}
		turn = "0"
	}
	n, err := strconv.ParseInt(turn, 10, 64)
	if err != nil {
		return fmt.Errorf("meta datasets.turn: %w", err)
	}
	hit, err := tx.Exec(ctx, `UPDATE meta SET value = $1 WHERE key = 'datasets.turn' AND value = $2`, strconv.FormatInt(n+1, 10), turn)
	if err == nil && hit != 1 {
		err = errRaced
	}
	return err
}

func (w *Worker) record(ctx context.Context, tx *state.Tx, f file) error {
	var old string
	err := tx.QueryRow(ctx, `SELECT object FROM dataset_files WHERE dataset = $1 AND partition_key = $2`, f.dataset, f.key).Scan(&old)
	if err != nil && !errors.Is(err, state.ErrNoRows) {
		return err
	}
	if old != "" && old != f.object {
		if err := retire(ctx, tx, old, w.now()); err != nil {
			return err
		}
	}
	if f.object == "" {
		_, err := tx.Exec(ctx, `DELETE FROM dataset_files WHERE dataset = $1 AND partition_key = $2`, f.dataset, f.key)
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO dataset_files (dataset, partition_key, object, sha256, bytes, row_count) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (dataset, partition_key) DO UPDATE SET object = excluded.object, sha256 = excluded.sha256, bytes = excluded.bytes, row_count = excluded.row_count`,
		f.dataset, f.key, f.object, f.sha256, f.bytes, f.rows)
	return err
}

func (w *Worker) write(ctx context.Context, p plan) ([]file, error) {
	var out []file
	emit := func(f file, err error) error {
		if err == nil {
			out = append(out, f)
		}
		return err
	}
	for _, f := range p.drop {
		out = append(out, file{part: f})
	}
	text := func(p period) string { return string(p) }
	for _, k := range sorted(p.frames, frameKey.String) {
		if err := w.frames(ctx, k, emit); err != nil {
			return nil, err
		}
	}
	for _, d := range sorted(p.drives, text) {
		ds, err := w.drives(ctx, d)
		if err != nil {
			return nil, err
		}
		if err := emit(put(ctx, w, schema.Drives, d.key(), ds)); err != nil {
			return nil, err
		}
	}
	for _, d := range sorted(p.findings, text) {
		fs, err := w.findings(ctx, d)
		if err != nil {
			return nil, err
		}
		if err := emit(put(ctx, w, schema.Findings, d.key(), fs)); err != nil {
			return nil, err
		}
	}
	for _, d := range sorted(p.rejections, text) {
		rs, err := w.rejections(ctx, d)
		if err != nil {
			return nil, err
		}
		if err := emit(put(ctx, w, schema.Rejections, d.key(), rs)); err != nil {
			return nil, err
		}
	}
	for _, d := range sorted(p.usage, text) {
		us, err := w.usage(ctx, d)
		if err != nil {
			return nil, err
		}
		if err := emit(put(ctx, w, schema.Usage, d.key(), us)); err != nil {
			return nil, err
		}
	}
	for _, r4 := range sorted(p.features, survey.Cell.String) {
		if err := emit(w.features(ctx, r4)); err != nil {
			return nil, err
		}
	}
	if err := w.epochs(ctx, emit); err != nil {
		return nil, err
	}
	for _, r4 := range sorted(p.cells, survey.Cell.String) {
		if err := emit(w.cells(ctx, r4, p.asOf)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// put writes a partition that fits into memory.
func put[T any](ctx context.Context, w *Worker, s lake.Schema, key string, rows []T) (file, error) {
	out := newSink[T](w, s, key)
	defer out.drop()
	for _, r := range rows {
		if err := out.add(r); err != nil {
			return file{}, err
		}
	}
	return out.finish(ctx)
}

// frames writes the frames and the observations of a partition.
func (w *Worker) frames(ctx context.Context, k frameKey, emit func(file, error) error) error {
	lo, hi, err := k.period.span()
	if err != nil {
		return err
	}
	fs, obs := newSink[schema.Frame](w, schema.Frames, k.String()), newSink[schema.Observation](w, schema.Observations, k.String())
	defer fs.drop()
	defer obs.drop()
	c0, c1 := k.r4.ChildRange(12)
	rows, err := w.DB.Query(ctx, `SELECT f.id, f.drive_id, f.seq, f.cell, f.captured_at, f.received_at, f.heading_mdeg, f.speed_mmps, f.alt_mm, f.accuracy_mm,
		f.quality, f.redaction, f.flags, f.public_width, f.public_height, f.public_bytes, f.public_sha256, f.lat_e7, f.lon_e7, d.contributor_id
		FROM frames f JOIN drives d ON d.id = f.drive_id
		WHERE f.state = 'published' AND d.state = 'indexed' AND f.cell BETWEEN $1 AND $2 AND f.captured_at >= $3 AND f.captured_at < $4
		ORDER BY f.cell, f.captured_at, f.id`, c0.Int64(), c1.Int64(), lo, hi)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var f schema.Frame
		var cell, at, received, heading, speed, accuracy, lat, lon int64
		var alt *int64
		var quality, redaction, flags, contributor string
		if err := rows.Scan(&f.ID, &f.Drive, &f.Seq, &cell, &at, &received, &heading, &speed, &alt, &accuracy, &quality, &redaction, &flags,
			&f.Width, &f.Height, &f.Bytes, &f.SHA256, &lat, &lon, &contributor); err != nil {
			return err
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
			return fmt.Errorf("frame %s: %w", f.ID, err)
		}
		if err := fs.add(f); err != nil {
			return err
		}
		if err := obs.add(schema.Observation{Cell: f.Cell, CapturedAt: f.CapturedAt, ReceivedAt: state.Time(received), Frame: f.ID, Drive: f.Drive,
			Contributor: contributor, Heading: deg, Quality: f.Quality, Geometry: f.Geometry}); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if err := emit(fs.finish(ctx)); err != nil {
		return err
	}
	return emit(obs.finish(ctx))
}

func (w *Worker) drives(ctx context.Context, d period) ([]schema.Drive, error) {
	lo, hi, err := d.span()
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

func (w *Worker) rejections(ctx context.Context, d period) ([]schema.Rejection, error) {
	lo, hi, err := d.span()
	if err != nil {
		return nil, err
	}
	rows, err := w.DB.Query(ctx, `SELECT u.id, u.contributor_id, u.completed_at, f.path, f.kind, f.bytes, f.reason, COALESCE(
			(SELECT min(d.device_id) FROM frames x JOIN drives d ON d.id = x.drive_id WHERE x.upload_id = u.id AND x.path = f.path),
			(SELECT min(d.device_id) FROM drives d WHERE d.upload_id = u.id HAVING count(DISTINCT d.device_id) = 1))
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
		if err := rows.Scan(&r.Upload, &r.Contributor, &at, &path, &r.Kind, &r.Bytes, &r.Reason, &r.Device); err != nil {
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
	return w.contributions(ctx, emit)
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

// cells writes the state of the cells in an area as of an instant. Coarser cells have smaller indexes, so the file is
// sorted by cell.
func (w *Worker) cells(ctx context.Context, r4 survey.Cell, asOf time.Time) (file, error) {
	out := newSink[schema.Cell](w, schema.Cells, "date="+asOf.Format(time.DateOnly)+"/h3_r4="+r4.String())
	defer out.drop()
	for _, res := range []int{7, 9, 12} {
		lo, hi := r4.ChildRange(res)
		err := cells.EachRange(ctx, w.DB, res, lo, hi, func(r cells.Row) error {
			c := schema.Cell{Cell: r.Cell, Resolution: int64(res), AsOf: asOf, Freshness: int64(r.Freshness(w.Freshness, asOf)),
				Observations: r.Observations, BestQuality: int64(r.BestQuality), FirstSeen: r.FirstSeen, LastSeen: r.LastSeen,
				Geometry: lake.Polygon(hex.Boundary(r.Cell))}
			if r.Observations > 0 {
				c.Quality = r.QualitySum / r.Observations
			}
			return out.add(c)
		})
		if err != nil {
			return file{}, err
		}
	}
	return out.finish(ctx)
}

// publish writes the manifest of what state records and points the head at it. It does nothing when the head already
// points there, so a crash between the transaction and the head is mended by the next export.
func (w *Worker) publish(ctx context.Context, asOf time.Time) error {
	for {
		// The head is read before state, so that a slower worker cannot swap an older state over a newer one.
		now, info, err := w.Store.Get(ctx, store.Lake, store.SnapshotHead, 1<<20)
		missing := survey.KindOf(err) == survey.NotFound
		if err != nil && !missing {
			return err
		}
		snap, err := w.snapshot(ctx, asOf)
		if err != nil {
			return fmt.Errorf("snapshot: %w", err)
		}
		body, err := snap.Encode()
		if err != nil {
			return err
		}
		var was snapshot.Head
		if !missing {
			_ = json.Unmarshal(now, &was) // a head that cannot be read is replaced
		}
		next := snapshot.Head{Snapshot: store.SnapshotKey(survey.HashOf(body))}
		if w.Key != nil {
			next.Signature = store.SnapshotSignatureKey(survey.HashOf(body), w.Key.Public().(ed25519.PublicKey))
		}
		// A signature of the network's earlier key, or by a process that has the key where this one has not, stands.
		if was.Snapshot == next.Snapshot && (was.Signature != "" || next.Signature == "") {
			return nil
		}
		for _, key := range []string{next.Snapshot, next.Signature} {
			if err := w.unretire(ctx, key); err != nil {
				return err
			}
		}
		if err := w.Store.PutOnce(ctx, store.Lake, next.Snapshot, body, "application/json"); err != nil {
			return err
		}
		if w.Key != nil {
			if err := w.Store.PutOnce(ctx, store.Lake, next.Signature, snapshot.Sign(body, w.Key), "application/json"); err != nil {
				return err
			}
		}
		head, err := json.Marshal(next)
		if err != nil {
			return err
		}
		if missing {
			_, err = w.Store.Create(ctx, store.Lake, store.SnapshotHead, head, "application/json")
		} else {
			_, err = w.Store.Swap(ctx, store.Lake, store.SnapshotHead, head, "application/json", info.ETag)
		}
		if errors.Is(err, store.ErrExists) { // another worker swapped first: look again
			continue
		}
		if err != nil || missing {
			return err
		}
		if was.Snapshot == next.Snapshot { // signed now, and still the current one
			return nil
		}
		return w.retireManifest(ctx, was, info.Modified)
	}
}

// retireManifest lets go of a manifest that was replaced on the day it was made, and of its signature; the last ones of
// each day stay.
func (w *Worker) retireManifest(ctx context.Context, old snapshot.Head, made time.Time) error {
	if old.Snapshot == "" { // not ours to remove
		return nil
	}
	if made.UTC().Format(time.DateOnly) != w.now().UTC().Format(time.DateOnly) {
		return nil
	}
	return w.DB.Tx(ctx, func(tx *state.Tx) error {
		for _, key := range []string{old.Snapshot, old.Signature} {
			if key == "" {
				continue
			}
			if err := retire(ctx, tx, key, w.now()); err != nil {
				return err
			}
		}
		return nil
	})
}

func (w *Worker) snapshot(ctx context.Context, asOf time.Time) (snapshot.Snapshot, error) {
	snap := snapshot.Snapshot{Format: snapshot.Format, AsOf: asOf, Datasets: map[string]snapshot.Dataset{}}
	rows, err := w.DB.Query(ctx, `SELECT dataset, partition_key, object, sha256, bytes, row_count FROM dataset_files ORDER BY dataset, partition_key`)
	if err != nil {
		return snap, err
	}
	defer rows.Close()
	for rows.Next() {
		var name, sha string
		var f snapshot.File
		if err := rows.Scan(&name, &f.Partition, &f.Path, &sha, &f.Bytes, &f.Rows); err != nil {
			return snap, err
		}
		if f.SHA256, err = survey.ParseHash(sha); err != nil {
			return snap, err
		}
		f.CID = ledger.CID(f.SHA256)
		if f.Version, err = versionOf(f.Path); err != nil {
			return snap, err
		}
		d := snap.Datasets[name]
		d.Version, d.Rows, d.Bytes, d.Files = max(d.Version, f.Version), d.Rows+f.Rows, d.Bytes+f.Bytes, append(d.Files, f)
		snap.Datasets[name] = d
	}
	return snap, rows.Err()
}

// versionOf reads the schema version out of an object's key: frames/v1/….
func versionOf(object string) (int, error) {
	_, rest, _ := strings.Cut(object, "/")
	v, _, _ := strings.Cut(rest, "/")
	n, err := strconv.Atoi(strings.TrimPrefix(v, "v"))
	if err != nil || n < 1 {
		return 0, survey.Errorf(survey.Internal, "object %s has no schema version", object)
	}
	return n, nil
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
