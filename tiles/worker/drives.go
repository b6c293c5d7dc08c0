package worker

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/hex/cells"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/tiles/build"
	"github.com/roadcomb/roadcomb/tiles/mvt"
	"github.com/roadcomb/roadcomb/tiles/schema"
)

// A line is interrupted between frames farther apart than this: what lies between may be a trimmed end, a privacy zone
// or a hole in the trace, and is no part of the map.
const (
	gapDistance geo.Meters = 100
	gapTime                = time.Minute
)

// drive is what the tiles draw of a drive: its published frames, in pieces without gaps. A piece of one frame is no
// line, but its place in images.
type drive struct {
	id              string
	captured, ended int64 // microseconds
	frames, distMM  int64
	pieces          [][]build.XY
}

// driveChange is a changed drive: as recorded when it was last drawn and as it is now (nil when nothing was or is to be
// drawn), and where any of its frames is, whatever its state.
//
// The record alone would not do to find the tiles that may show the drive: a run that stopped between the manifest and
// the record has published more than the record says, and so has one that read frames which were published after the
// change feed was read and are removed now. But no tile can show a frame that has no row, and rows are never deleted.
type driveChange struct {
	old, new *drive
	places   []geo.Point
}

// frame is a published frame.
type frame struct {
	id, drive     string
	seq, captured int64
	lat, lon      int64
	heading       int64
	cell, quality int64
	gradeJSON     string
}

const frameColumns = `id, drive_id, seq, captured_at, lat_e7, lon_e7, heading_mdeg, cell, quality_ppm, quality FROM frames`

func scanFrame(rows state.Rows) (f frame, err error) {
	err = rows.Scan(&f.id, &f.drive, &f.seq, &f.captured, &f.lat, &f.lon, &f.heading, &f.cell, &f.quality, &f.gradeJSON)
	return f, err
}

func (f frame) point() geo.Point { return geo.FromE7(f.lat, f.lon) }

// tracer makes drives of frames that come by drive and place in it.
type tracer struct {
	d    *drive
	last frame
	emit func(*drive) error
}

func (t *tracer) add(f frame) error {
	if t.d == nil || t.d.id != f.drive {
		if err := t.flush(); err != nil {
			return err
		}
		t.d = &drive{id: f.drive, captured: f.captured}
	}
	d := t.d
	n := len(d.pieces)
	gap := n == 0
	if !gap {
		step := geo.Distance(t.last.point(), f.point())
		gap = step > gapDistance || time.Duration(f.captured-t.last.captured)*time.Microsecond > gapTime
		if !gap {
			d.distMM += int64(step * 1000)
		}
	}
	if gap {
		d.pieces = append(d.pieces, nil)
		n++
	}
	d.pieces[n-1] = append(d.pieces[n-1], build.Project(f.point()))
	d.captured, d.ended = min(d.captured, f.captured), max(d.ended, f.captured)
	d.frames++
	t.last = f
	return nil
}

func (t *tracer) flush() error {
	d := t.d
	t.d = nil
	if d == nil {
		return nil
	}
	return t.emit(d)
}

// encodeLine packs the pieces: for each its length, then the steps from the vertex before, as varints in base64.
func (d *drive) encodeLine() string {
	var b []byte
	var at build.XY
	for _, p := range d.pieces {
		b = binary.AppendUvarint(b, uint64(len(p)))
		for _, v := range p {
			b = binary.AppendVarint(b, int64(v.X)-int64(at.X))
			b = binary.AppendVarint(b, int64(v.Y)-int64(at.Y))
			at = v
		}
	}
	return base64.RawStdEncoding.EncodeToString(b)
}

func decodeLine(s string) ([][]build.XY, error) {
	b, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		return nil, err
	}
	var out [][]build.XY
	var x, y int64
	for len(b) > 0 {
		n, k := binary.Uvarint(b)
		if k <= 0 || n > uint64(len(b)) {
			return nil, errors.New("piece is cut short")
		}
		b = b[k:]
		p := make([]build.XY, n)
		for i := range p {
			dx, k1 := binary.Varint(b)
			dy, k2 := binary.Varint(b[max(k1, 0):])
			if k1 <= 0 || k2 <= 0 {
				return nil, errors.New("vertex is cut short")
			}
			b = b[k1+k2:]
			x, y = x+dx, y+dy
			p[i] = build.XY{X: uint32(x), Y: uint32(y)}
		}
		out = append(out, p)
	}
	return out, nil
}

func (d *drive) box() (x0, y0, x1, y1 int64) {
	x0, y0 = 1<<32, 1<<32
	for _, p := range d.pieces {
		for _, v := range p {
			x0, y0, x1, y1 = min(x0, int64(v.X)), min(y0, int64(v.Y)), max(x1, int64(v.X)), max(y1, int64(v.Y))
		}
	}
	return
}

const driveColumns = `drive_id, captured_at, ended_at, frames, distance_mm, line FROM tile_drives`

func scanDrive(row state.Row) (*drive, error) {
	var d drive
	var line string
	if err := row.Scan(&d.id, &d.captured, &d.ended, &d.frames, &d.distMM, &line); err != nil {
		return nil, err
	}
	var err error
	if d.pieces, err = decodeLine(line); err != nil {
		return nil, fmt.Errorf("line of drive %s: %w", d.id, err)
	}
	return &d, nil
}

// readDrive gives a drive as drawn and as it is.
func (r *run) readDrive(ctx context.Context, id string) (c driveChange, err error) {
	if c.old, err = scanDrive(r.w.DB.QueryRow(ctx, `SELECT `+driveColumns+` WHERE drive_id = $1`, id)); errors.Is(err, state.ErrNoRows) {
		c.old, err = nil, nil
	}
	if err != nil {
		return c, err
	}
	rows, err := r.w.DB.Query(ctx, `SELECT lat_e7, lon_e7 FROM frames WHERE drive_id = $1`, id)
	if err != nil {
		return c, fmt.Errorf("read frames of drive %s: %w", id, err)
	}
	defer rows.Close()
	for rows.Next() {
		var lat, lon int64
		if err := rows.Scan(&lat, &lon); err != nil {
			return c, err
		}
		c.places = append(c.places, geo.FromE7(lat, lon))
	}
	if err := rows.Err(); err != nil {
		return c, err
	}
	t := tracer{emit: func(d *drive) error { c.new = d; return nil }}
	err = r.eachFrame(ctx, `drive_id = $2 ORDER BY seq`, []any{id}, t.add)
	if err == nil {
		err = t.flush()
	}
	return c, err
}

// eachFrame reads published frames; where may use parameters from $2.
func (r *run) eachFrame(ctx context.Context, where string, args []any, fn func(frame) error) error {
	rows, err := r.w.DB.Query(ctx, `SELECT `+frameColumns+` WHERE state = $1 AND `+where, append([]any{string(survey.FramePublished)}, args...)...)
	if err != nil {
		return fmt.Errorf("read frames: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		f, err := scanFrame(rows)
		if err == nil {
			err = fn(f)
		}
		if err != nil {
			return err
		}
	}
	return rows.Err()
}

// saveDrives records what is drawn now. The record is only as good as the reads behind it: when another run has recorded
// since this one began, it gives errOvertaken.
func (r *run) saveDrives(ctx context.Context, tx *state.Tx) error {
	next := strconv.FormatInt(r.turn+1, 10)
	n, err := tx.Exec(ctx, `UPDATE meta SET value = $1 WHERE key = $2 AND value = $3`, next, turnKey, strconv.FormatInt(r.turn, 10))
	if err == nil && n == 0 && r.turn == 0 {
		n, err = tx.Exec(ctx, `INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING`, turnKey, next)
	}
	if err != nil {
		return err
	}
	if n == 0 {
		return errOvertaken
	}
	if r.allDrives != nil {
		if _, err := tx.Exec(ctx, `DELETE FROM tile_drives`); err != nil {
			return err
		}
		for _, d := range r.allDrives {
			if err := saveDrive(ctx, tx, d); err != nil {
				return err
			}
		}
		return nil
	}
	for id, c := range r.drive {
		var err error
		if c.new != nil {
			err = saveDrive(ctx, tx, c.new)
		} else {
			_, err = tx.Exec(ctx, `DELETE FROM tile_drives WHERE drive_id = $1`, id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// turnKey counts the runs that recorded what they drew.
const turnKey = "tiles.turn"

var errOvertaken = survey.Errorf(survey.Conflict, "another run recorded its tiles meanwhile")

// readTurn notes which run this one follows.
func (r *run) readTurn(ctx context.Context) error {
	var v string
	err := r.w.DB.QueryRow(ctx, `SELECT value FROM meta WHERE key = $1`, turnKey).Scan(&v)
	if errors.Is(err, state.ErrNoRows) {
		return nil
	}
	if err == nil {
		r.turn, err = strconv.ParseInt(v, 10, 64)
	}
	return err
}

func saveDrive(ctx context.Context, tx *state.Tx, d *drive) error {
	x0, y0, x1, y1 := d.box()
	_, err := tx.Exec(ctx, `INSERT INTO tile_drives (drive_id, x0, y0, x1, y1, captured_at, ended_at, frames, distance_mm, line)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (drive_id) DO UPDATE SET x0 = excluded.x0, y0 = excluded.y0, x1 = excluded.x1, y1 = excluded.y1,
		captured_at = excluded.captured_at, ended_at = excluded.ended_at, frames = excluded.frames,
		distance_mm = excluded.distance_mm, line = excluded.line`,
		d.id, x0, y0, x1, y1, d.captured, d.ended, d.frames, d.distMM, d.encodeLine())
	return err
}

// dirtyLines adds the tiles in which the changed drives are or may have been drawn: a line between two frames stays
// within gapDistance of the first.
func (r *run) dirtyLines(t *build.TileSet, l build.Layer) {
	for _, c := range r.drive {
		for _, p := range c.places {
			t.AddNear(l, p, gapDistance)
		}
		if c.old != nil {
			for _, p := range c.old.pieces {
				t.AddLine(l, p)
			}
		}
	}
}

// dirtyPoints adds the tiles in which the frames of the changed drives are or may have been drawn.
func (r *run) dirtyPoints(t *build.TileSet, l build.Layer) {
	for _, c := range r.drive {
		for _, p := range c.places {
			t.AddPoint(l, build.Project(p))
		}
		if c.old != nil {
			for _, p := range c.old.pieces {
				for _, v := range p {
					t.AddPoint(l, v)
				}
			}
		}
	}
}

// drawn makes the layer of l with the budget of drives and frames.
func (r *run) drawn(l schema.Layer, f *build.Features) build.Layer {
	n, b := r.budget()
	return build.Layer{Name: l.Name, MinZoom: l.MinZoom, MaxZoom: l.MaxZoom, Features: f, MaxFeatures: n, MaxBytes: b}
}

func (r *run) budget() (features, bytes int) {
	return cmp.Or(r.w.Config.MaxFeatures, 50_000), cmp.Or(r.w.Config.MaxBytes, 4<<20)
}

func (r *run) budgetPlan() string {
	n, b := r.budget()
	return fmt.Sprintf(" budget=%d/%d", n, b)
}

// lines draws the drives, or those near the tiles of only, with attributes in the order of the layer's fields.
func (r *run) lines(ctx context.Context, l schema.Layer, only *build.TileSet, values func(*mvt.Dict, *drive) []mvt.Value) (build.Layer, error) {
	var dict mvt.Dict
	f := build.NewFeatures(&dict, l.Keys()...)
	ds, err := r.drivesNear(ctx, only)
	if err != nil {
		return build.Layer{}, err
	}
	for _, d := range ds {
		if !slices.ContainsFunc(d.pieces, func(p []build.XY) bool { return len(p) > 1 }) {
			continue
		}
		f.Begin(build.Line, id53(d.id), d.ended)
		for _, p := range d.pieces {
			if len(p) > 1 {
				f.Part(p, false)
			}
		}
		for k, v := range values(&dict, d) {
			f.Tag(uint32(k), v)
		}
		f.End()
	}
	return r.drawn(l, f), nil
}

// drivesNear gives all drives, or at least those that touch the tiles of only, by id.
func (r *run) drivesNear(ctx context.Context, only *build.TileSet) ([]*drive, error) {
	if only == nil {
		err := r.readDrives(ctx)
		return r.allDrives, err
	}
	if only.Len() == 0 {
		return nil, nil
	}
	var ds []*drive
	x0, y0, x1, y1 := only.Box(build.DefaultBuffer)
	rows, err := r.w.DB.Query(ctx, `SELECT `+driveColumns+` WHERE x0 <= $3 AND x1 >= $1 AND y0 <= $4 AND y1 >= $2 ORDER BY drive_id`, x0, y0, x1, y1)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		d, err := scanDrive(rows)
		if err != nil {
			return nil, err
		}
		if _, changed := r.drive[d.id]; !changed {
			ds = append(ds, d)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for _, c := range r.drive {
		if c.new != nil {
			ds = append(ds, c.new)
		}
	}
	slices.SortFunc(ds, func(a, b *drive) int { return strings.Compare(a.id, b.id) })
	return ds, nil
}

// points draws the published frames, or those near the tiles of only.
func (r *run) points(ctx context.Context, l schema.Layer, only *build.TileSet, values func(*mvt.Dict, frame) ([]mvt.Value, error)) (build.Layer, error) {
	var dict mvt.Dict
	f := build.NewFeatures(&dict, l.Keys()...)
	add := func(fr frame) error {
		// Over the budget the newest stay, and a perfect frame passes for 30 days newer than a useless one.
		f.Begin(build.Point, id53(fr.id), fr.captured/1_000_000+fr.quality*30*86400/1_000_000)
		f.Part([]build.XY{build.Project(fr.point())}, false)
		vals, err := values(&dict, fr)
		if err != nil {
			return err
		}
		for k, v := range vals {
			f.Tag(uint32(k), v)
		}
		f.End()
		return nil
	}
	if only == nil {
		return r.drawn(l, f), r.eachFrame(ctx, `1 = 1 ORDER BY drive_id, seq`, nil, add)
	}
	frames, err := r.framesIn(ctx, only)
	if err != nil {
		return build.Layer{}, err
	}
	drawn := r.drawn(l, f)
	for _, fr := range frames {
		if !only.HasPoint(drawn, build.Project(fr.point())) {
			continue // read for the margin, or for another layer
		}
		if err := add(fr); err != nil {
			return build.Layer{}, err
		}
	}
	return drawn, nil
}

// angle is a heading in whole degrees; no value when it is unknown.
func angle(d *mvt.Dict, mdeg int64) mvt.Value {
	if mdeg < 0 {
		return 0
	}
	return d.Int((mdeg + 500) / 1000 % 360)
}

// sequences draws drives as lines.
type sequences struct{ r *run }

func (s sequences) set() schema.Set       { l, _ := schema.Get(schema.Sequences); return l }
func (s sequences) plan() string          { return "sequences/1" + s.r.budgetPlan() }
func (s sequences) raster() *build.Raster { return nil }

func (s sequences) dirty(context.Context) (*build.TileSet, error) {
	var t build.TileSet
	s.r.dirtyLines(&t, s.r.drawn(s.set().Layers[0], nil))
	return &t, nil
}

func (s sequences) layers(ctx context.Context, only *build.TileSet) ([]build.Layer, error) {
	l, err := s.r.lines(ctx, s.set().Layers[0], only, func(d *mvt.Dict, dr *drive) []mvt.Value {
		return []mvt.Value{d.String(dr.id), d.Int(dr.captured / 1000), d.Int(dr.ended / 1000), d.Int(dr.frames), d.Int(dr.distMM / 1000)}
	})
	return []build.Layer{l}, err
}

// images draws published frames as points.
type images struct{ r *run }

func (s images) set() schema.Set       { l, _ := schema.Get(schema.Images); return l }
func (s images) plan() string          { return "images/1" + s.r.budgetPlan() }
func (s images) raster() *build.Raster { return nil }

func (s images) dirty(context.Context) (*build.TileSet, error) {
	var t build.TileSet
	s.r.dirtyPoints(&t, s.r.drawn(s.set().Layers[0], nil))
	return &t, nil
}

func (s images) layers(ctx context.Context, only *build.TileSet) ([]build.Layer, error) {
	l, err := s.r.points(ctx, s.set().Layers[0], only, func(d *mvt.Dict, fr frame) ([]mvt.Value, error) {
		var q struct {
			Grade string `json:"grade"`
		}
		if fr.gradeJSON != "" {
			if err := json.Unmarshal([]byte(fr.gradeJSON), &q); err != nil {
				return nil, fmt.Errorf("quality of frame %s: %w", fr.id, err)
			}
		}
		var grade mvt.Value
		if q.Grade != "" {
			grade = d.String(q.Grade)
		}
		return []mvt.Value{d.String(fr.id), d.String(fr.drive), d.Int(fr.seq), d.Int(fr.captured / 1000), angle(d, fr.heading),
			grade, d.Int(fr.quality), d.String(survey.Cell(fr.cell).String())}, nil
	})
	return []build.Layer{l}, err
}

// panoramax draws cells, drives and frames as Panoramax viewers expect them.
type panoramax struct{ r *run }

func (s panoramax) set() schema.Set       { l, _ := schema.Get(schema.Panoramax); return l }
func (s panoramax) raster() *build.Raster { return nil }
func (s panoramax) plan() string          { return "panoramax/1" + s.r.budgetPlan() + bandPlan(s.bands()) }
func (s panoramax) bands() []band {
	g := s.set().Layer(schema.Grid)
	return s.r.bands(g.MinZoom, g.MaxZoom)
}

func (s panoramax) dirty(context.Context) (*build.TileSet, error) {
	var t build.TileSet
	dirtyCells(&t, s.bands(), s.r.cells)
	s.r.dirtyLines(&t, s.r.drawn(s.set().Layer(schema.Sequences), nil))
	s.r.dirtyPoints(&t, s.r.drawn(s.set().Layer(schema.Pictures), nil))
	return &t, nil
}

func (s panoramax) layers(ctx context.Context, only *build.TileSet) ([]build.Layer, error) {
	set := s.set()
	part := func(l schema.Layer) *build.TileSet {
		if only == nil {
			return nil
		}
		return only.Zooms(l.MinZoom, l.MaxZoom)
	}
	grid, seq, pic := set.Layer(schema.Grid), set.Layer(schema.Sequences), set.Layer(schema.Pictures)
	out, err := s.r.cellLayers(ctx, grid.Name, grid.Keys(), s.bands(), part(grid), nil, func(d *mvt.Dict, row cells.Row) []mvt.Value {
		coef := math.Round(min(1, math.Log10(1+float64(row.Observations))/6)*1000) / 1000
		return []mvt.Value{d.String(row.Cell.String()), d.Int(row.Observations), d.Float(coef)}
	}, nil)
	if err != nil {
		return nil, err
	}
	lines, err := s.r.lines(ctx, seq, part(seq), func(d *mvt.Dict, dr *drive) []mvt.Value {
		return []mvt.Value{d.String(dr.id), d.String(state.Time(dr.captured).Format(time.DateOnly))}
	})
	if err != nil {
		return nil, err
	}
	points, err := s.r.points(ctx, pic, part(pic), func(d *mvt.Dict, fr frame) ([]mvt.Value, error) {
		return []mvt.Value{d.String(fr.id), d.String(state.Time(fr.captured).Format(time.RFC3339Nano)), angle(d, fr.heading),
			d.String(`["` + fr.drive + `"]`), d.String(fr.drive)}, nil
	})
	return append(out, lines, points), err
}

// readDrives reads all drives anew from their frames, ordered by id.
func (r *run) readDrives(ctx context.Context) error {
	if r.allDrives != nil {
		return nil
	}
	r.allDrives = []*drive{}
	t := tracer{emit: func(d *drive) error { r.allDrives = append(r.allDrives, d); return nil }}
	if err := r.eachFrame(ctx, `1 = 1 ORDER BY drive_id, seq`, nil, t.add); err != nil {
		return err
	}
	return t.flush()
}

// id53 makes a feature id of a content id: its first 52 bits, which JavaScript holds exactly; never 0.
func id53(hexID string) uint64 {
	var v uint64
	for i := 0; i < len(hexID) && i < 13; i++ {
		c := hexID[i]
		if c >= 'a' {
			c -= 'a' - 10
		} else {
			c -= '0'
		}
		v = v<<4 | uint64(c&15)
	}
	return max(v, 1)
}

// framesIn gives at least the published frames inside the tiles, ordered by drive and place, by ranges of their cells. Layers
// whose tiles lie within those of a layer before them get what was read for that one: images and pictures show the same frames.
func (r *run) framesIn(ctx context.Context, only *build.TileSet) ([]frame, error) {
	if only.Len() == 0 {
		return nil, nil
	}
	var lo, hi int64
	err := r.w.DB.QueryRow(ctx, `SELECT COALESCE(MIN(cell), 0), COALESCE(MAX(cell), 0) FROM frames`).Scan(&lo, &hi)
	if err != nil || hi == 0 {
		return nil, err
	}
	within, err := cover(only, 8)
	if err != nil {
		return nil, err
	}
	if r.frames != nil && !slices.ContainsFunc(within, func(c survey.Cell) bool { _, ok := slices.BinarySearch(r.framesFrom, c); return !ok }) {
		return r.frames, nil
	}
	out := []frame{}
	for res := survey.Cell(lo).Resolution(); res <= survey.Cell(hi).Resolution(); res++ {
		for _, rg := range hex.Ranges(within, res) {
			err := r.eachFrame(ctx, `cell >= $2 AND cell <= $3`, []any{rg[0].Int64(), rg[1].Int64()}, func(f frame) error {
				out = append(out, f)
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
	}
	slices.SortFunc(out, func(a, b frame) int {
		if c := strings.Compare(a.drive, b.drive); c != 0 {
			return c
		}
		return int(a.seq - b.seq)
	})
	r.frames, r.framesFrom = out, within
	return out, nil
}

// cover gives the cells of res, in order, around everything in the tiles, with a margin of a cell: descendants of a cell reach
// beyond its outline, and a pinned cell may lag behind its frame.
func cover(only *build.TileSet, res int) ([]survey.Cell, error) {
	var out []survey.Cell
	for _, b := range only.Bounds() {
		cs, err := hex.Cover(b, res, 1<<20)
		if err != nil {
			return nil, err
		}
		out = append(out, cs...)
	}
	slices.Sort(out)
	return hex.Around(slices.Compact(out)), nil
}
