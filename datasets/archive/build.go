package archive

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"sort"
	"strings"
	"time"

	"github.com/roadcomb/roadcomb/datasets/schema"
	"github.com/roadcomb/roadcomb/datasets/snapshot"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Published is where what was published lies: the buckets of a network, or a folder that `process` wrote.
type Published interface {
	// File opens a dataset file by its path in the lake.
	File(ctx context.Context, path string) (File, error)
	// Image opens the published image of a frame; NotFound when it is gone.
	Image(ctx context.Context, frame survey.FrameID, content survey.Hash) (io.ReadCloser, error)
	// Manifest reads the snapshot with the hash.
	Manifest(ctx context.Context, content survey.Hash) ([]byte, error)
}

// File is an open dataset file.
type File interface {
	lake.Source
	io.ReadCloser
}

// Build makes the blocks of a snapshot's archive and gives its root, handing each block to put before any block that
// links to it. manifest is the bytes of the snapshot; previous the root before it, the zero Link for none, which get
// reads: months whose files did not change are taken from it unread.
//
// It holds one month of frames in memory, about 300 bytes each.
func Build(ctx context.Context, manifest []byte, snap snapshot.Snapshot, from Published, previous Link, get Getter, put func(context.Context, Link, []byte) error) (Link, error) {
	b := builder{ctx: ctx, from: from, get: get, put: put, asOf: snap.AsOf.Unix()}
	if previous.Defined() {
		if err := b.load(previous); err != nil {
			return Link{}, err
		}
	}
	return b.build(manifest, snap)
}

type builder struct {
	ctx  context.Context
	from Published
	get  Getter
	put  func(context.Context, Link, []byte) error
	asOf int64

	was     Root
	prior   *Link
	files   map[string]Object // of the previous root, by name
	stones  []Tombstone
	trees   map[Link]tree  // of the previous root's images in touched months
	images  map[Link]Frame // the same, for tombstones
	present map[string]bool
}

type tree struct {
	root  []byte
	bytes int64
}

func (b *builder) load(l Link) (err error) {
	if b.was, err = ReadRoot(b.ctx, b.get, l); err != nil {
		return fmt.Errorf("previous root: %w", err)
	}
	fs, err := node[Files](b.ctx, b.get, b.was.Files.Link)
	if err != nil {
		return err
	}
	b.files = map[string]Object{}
	for _, f := range fs.Files {
		b.files[f.Name] = f
	}
	ts, err := node[Tombstones](b.ctx, b.get, b.was.Tombstones)
	b.stones, b.prior = ts.Tombstones, &l
	return err
}

// add encodes and stores a node.
func (b *builder) add(v any) (Link, error) {
	l, raw, err := block(v)
	if err == nil {
		err = b.put(b.ctx, l, raw)
	}
	return l, err
}

func (b *builder) build(manifest []byte, snap snapshot.Snapshot) (Link, error) {
	root := Root{Format: Format, AsOf: b.asOf, Snapshot: Raw(survey.HashOf(manifest)), Previous: b.prior}
	var files Files
	months := map[string]bool{} // touched: their frames are in files that came or went
	now := map[string]bool{}
	for name, d := range snap.Datasets {
		for _, f := range d.Files {
			o := Object{Name: f.Path, Link: Raw(f.SHA256), Bytes: f.Bytes}
			if old, ok := b.files[f.Path]; ok && old.Link == o.Link {
				o = old
			} else {
				var err error
				if o.Tree, err = b.fileTree(f); err != nil {
					return Link{}, err
				}
				if name == schema.Frames.Name {
					months[monthOf(f.Partition)] = true
				}
			}
			now[f.Path] = true
			files.Files = append(files.Files, o)
			root.Files.Bytes += o.Bytes
			root.Files.Chunks += Chunks(o.Bytes)
		}
	}
	for path := range b.files {
		if part, ok := strings.CutPrefix(path, schema.Frames.Name+"/"); ok && !now[path] {
			_, part, _ = strings.Cut(part, "/") // the version
			months[monthOf(part)] = true
		}
	}
	sort.Slice(files.Files, func(i, j int) bool { return files.Files[i].Name < files.Files[j].Name })
	var err error
	root.Files.Name = "files"
	if root.Files.Link, err = b.add(files); err != nil {
		return Link{}, err
	}
	if root.Days, err = b.days(snap, months); err != nil {
		return Link{}, err
	}
	sort.Slice(b.stones, func(i, j int) bool {
		x, y := b.stones[i], b.stones[j]
		if x.At != y.At {
			return x.At < y.At
		}
		return x.Link.KeyString() < y.Link.KeyString()
	})
	if root.Tombstones, err = b.add(Tombstones{Tombstones: b.stones}); err != nil {
		return Link{}, err
	}
	if b.prior != nil { // nothing new: the same root, so that the chain does not grow by itself
		same := root
		same.Previous, same.AsOf = b.was.Previous, b.was.AsOf
		if l, _, err := block(same); err != nil || l == *b.prior {
			return *b.prior, err
		}
	}
	return b.add(root)
}

func (b *builder) fileTree(f snapshot.File) ([]byte, error) {
	r, err := b.from.File(b.ctx, f.Path)
	if err != nil {
		return nil, fmt.Errorf("archive %s: %w", f.Path, err)
	}
	defer r.Close()
	t, err := treeOf(r, f.SHA256, f.Bytes)
	if err != nil {
		return nil, fmt.Errorf("archive %s: %w", f.Path, err)
	}
	return t, nil
}

// monthOf is the month of a partition: 2024-05 of date=2024-05-08/h3_r4=….
func monthOf(partition string) string {
	m := strings.TrimPrefix(partition, "date=")
	return m[:min(len(m), len("2006-01"))]
}

// days lists every day, taking those of untouched months from the previous root.
func (b *builder) days(snap snapshot.Snapshot, months map[string]bool) ([]Ref, error) {
	out := []Ref{}
	for _, d := range b.was.Days {
		if !months[monthOf(d.Name)] {
			out = append(out, d)
		}
	}
	for m := range months {
		days, err := b.month(m, snap)
		if err != nil {
			return nil, err
		}
		out = append(out, days...)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out, nil
}

// month makes the days of a month from its files.
func (b *builder) month(month string, snap snapshot.Snapshot) ([]Ref, error) {
	if err := b.remember(month); err != nil {
		return nil, err
	}
	drives := map[[2]string][]Frame{} // by day and drive
	b.present = map[string]bool{}
	for _, f := range snap.Datasets[schema.Frames.Name].Files {
		if monthOf(f.Partition) != month {
			continue
		}
		r, err := b.from.File(b.ctx, f.Path)
		if err != nil {
			return nil, fmt.Errorf("archive %s: %w", f.Path, err)
		}
		err = lake.Scan(r, func(rows []schema.Frame) error {
			for _, row := range rows {
				fr, err := b.frame(row)
				if survey.KindOf(err) == survey.NotFound { // taken down since the snapshot
					continue
				}
				if err != nil {
					return err
				}
				b.present[fr.ID] = true
				k := [2]string{row.CapturedAt.UTC().Format(time.DateOnly), row.Drive}
				drives[k] = append(drives[k], fr)
			}
			return nil
		})
		r.Close()
		if err != nil {
			return nil, fmt.Errorf("archive %s: %w", f.Path, err)
		}
	}
	keys := make([][2]string, 0, len(drives))
	for k := range drives {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool {
		return keys[i][0] < keys[j][0] || keys[i][0] == keys[j][0] && keys[i][1] < keys[j][1]
	})
	var out []Ref
	var day Day
	var ref Ref
	flush := func() (err error) {
		if len(day.Drives) > 0 {
			ref.Name = day.Date
			ref.Link, err = b.add(day)
			out = append(out, ref)
		}
		return err
	}
	for _, k := range keys {
		if k[0] != day.Date {
			if err := flush(); err != nil {
				return nil, err
			}
			day, ref = Day{Date: k[0]}, Ref{}
		}
		d := Drive{Drive: k[1], Date: k[0], Frames: drives[k]}
		sort.Slice(d.Frames, func(i, j int) bool { return d.Frames[i].Seq < d.Frames[j].Seq })
		dr := Ref{Name: d.Drive}
		for _, f := range d.Frames {
			dr.Bytes += f.Bytes
			dr.Chunks += Chunks(f.Bytes)
			delete(b.images, f.Image)
		}
		var err error
		if dr.Link, err = b.add(d); err != nil {
			return nil, err
		}
		ref.Bytes += dr.Bytes
		ref.Chunks += dr.Chunks
		day.Drives = append(day.Drives, dr)
	}
	if err := flush(); err != nil {
		return nil, err
	}
	for l, f := range b.images { // what the previous root had and this one has not
		why := "removed"
		if b.present[f.ID] {
			why = "replaced"
		}
		b.stones = append(b.stones, Tombstone{Link: l, Frame: f.ID, At: b.asOf, Why: why})
	}
	return out, nil
}

// remember reads what the previous root says of a month, so that its images need not be read again.
func (b *builder) remember(month string) error {
	b.trees, b.images = map[Link]tree{}, map[Link]Frame{}
	for _, ref := range b.was.Days {
		if monthOf(ref.Name) != month {
			continue
		}
		day, err := node[Day](b.ctx, b.get, ref.Link)
		if err != nil {
			return err
		}
		for _, dr := range day.Drives {
			d, err := node[Drive](b.ctx, b.get, dr.Link)
			if err != nil {
				return err
			}
			for _, f := range d.Frames {
				b.trees[f.Image], b.images[f.Image] = tree{f.Tree, f.Bytes}, f
			}
		}
	}
	return nil
}

func (b *builder) frame(r schema.Frame) (Frame, error) {
	h, err := survey.ParseHash(r.SHA256)
	if err != nil {
		return Frame{}, fmt.Errorf("frame %s: %w", r.ID, err)
	}
	f := Frame{ID: r.ID, Seq: r.Seq, CapturedAt: r.CapturedAt.UnixMicro(), Cell: r.Cell.String(), Image: Raw(h), Bytes: r.Bytes}
	if f.LonE7, f.LatE7, err = point(r.Geometry.WKB()); err != nil {
		return f, fmt.Errorf("frame %s: %w", r.ID, err)
	}
	if t, ok := b.trees[f.Image]; ok && t.bytes == f.Bytes {
		f.Tree = t.root
		return f, nil
	}
	img, err := b.from.Image(b.ctx, survey.FrameID(r.ID), h)
	if err != nil {
		return f, fmt.Errorf("frame %s: %w", r.ID, err)
	}
	defer img.Close()
	if f.Tree, err = treeOf(img, h, r.Bytes); err != nil {
		return f, fmt.Errorf("frame %s: %w", r.ID, err)
	}
	return f, nil
}

// point reads a WKB point as ten-millionths of a degree.
func point(wkb []byte) (lonE7, latE7 int64, err error) {
	if len(wkb) != 21 || !bytes.Equal(wkb[:5], []byte{1, 1, 0, 0, 0}) {
		return 0, 0, survey.Errorf(survey.Invalid, "archive: geometry is not a point")
	}
	e7 := func(b []byte) int64 {
		return int64(math.Round(math.Float64frombits(binary.LittleEndian.Uint64(b)) * 1e7))
	}
	return e7(wkb[5:13]), e7(wkb[13:21]), nil
}
