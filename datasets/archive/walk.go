package archive

import (
	"context"
	"fmt"

	"github.com/ipfs/go-cid"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Kind says what a raw object of an archive is.
type Kind int

// The kinds of raw objects.
const (
	Manifest Kind = iota // of the snapshot
	DataFile             // of a dataset; Name is its path in the lake
	Image                // Name is its frame
)

// Item is a raw object that a root reaches.
type Item struct {
	Kind Kind   `json:"-"`
	Name string `json:"name"`
	Link Link   `json:"link"`
}

// Contents is what a root reaches.
type Contents struct {
	Root   Link
	Nodes  []Link // in the order of the walk
	Items  []Item // the same; content that is there twice is listed twice
	Drives int    // drive-days
	Frames int
}

// Links lists nodes and items.
func (c Contents) Links() []Link {
	out := append([]Link(nil), c.Nodes...)
	for _, it := range c.Items {
		out = append(out, it.Link)
	}
	return out
}

// Walk lists what a root reaches; with a drive, only the nodes of that drive and its images.
func Walk(ctx context.Context, get Getter, root Link, drive string) (Contents, error) {
	c := Contents{Root: root}
	r, err := ReadRoot(ctx, get, root)
	if err != nil {
		return c, err
	}
	if drive == "" {
		fs, err := node[Files](ctx, get, r.Files.Link)
		if err != nil {
			return c, err
		}
		c.Nodes = append(c.Nodes, root, r.Files.Link, r.Tombstones)
		c.Items = append(c.Items, Item{Manifest, "snapshot", r.Snapshot})
		for _, f := range fs.Files {
			c.Items = append(c.Items, Item{DataFile, f.Name, f.Link})
		}
	}
	for _, ref := range r.Days {
		day, err := node[Day](ctx, get, ref.Link)
		if err != nil {
			return c, err
		}
		if drive == "" {
			c.Nodes = append(c.Nodes, ref.Link)
		}
		for _, dr := range day.Drives {
			if drive != "" && dr.Name != drive {
				continue
			}
			d, err := node[Drive](ctx, get, dr.Link)
			if err != nil {
				return c, err
			}
			c.Nodes = append(c.Nodes, dr.Link)
			c.Drives++
			for _, f := range d.Frames {
				c.Items = append(c.Items, Item{Image, f.ID, f.Image})
				c.Frames++
			}
		}
	}
	if drive != "" && c.Drives == 0 {
		return c, survey.Errorf(survey.NotFound, "the archive has no drive %.80q", drive).WithHint("SELECT drive_id FROM drives lists them")
	}
	return c, nil
}

// Gone gives the tombstones of a root as a set.
func Gone(ctx context.Context, get Getter, root Link) (map[Link]Tombstone, error) {
	r, err := ReadRoot(ctx, get, root)
	if err != nil {
		return nil, err
	}
	ts, err := node[Tombstones](ctx, get, r.Tombstones)
	if err != nil {
		return nil, err
	}
	out := map[Link]Tombstone{}
	for _, t := range ts.Tombstones {
		out[t.Link] = t
	}
	return out, nil
}

// Report is what Verify found.
type Report struct {
	Drives     int    `json:"drives"` // drive-days
	Frames     int    `json:"frames"`
	Objects    int    `json:"objects"` // read and right
	Bytes      int64  `json:"bytes"`
	Tombstoned int    `json:"tombstoned"` // images that are gone and said to be
	Expired    int    `json:"expired"`    // dataset files that a later snapshot replaced; they are kept for a week
	Missing    []Item `json:"missing"`    // bytes that should be there
}

// Verify reads everything that a root reaches and checks it against its name. newest is a root whose tombstones say
// what may be missing, usually the current one. Wrong bytes are an error; missing ones are in the report.
func Verify(ctx context.Context, get Getter, root, newest Link) (Report, error) {
	rep := Report{Missing: []Item{}}
	gone, err := Gone(ctx, get, newest)
	if err != nil {
		return rep, err
	}
	c, err := Walk(ctx, get, root, "")
	if err != nil {
		return rep, err
	}
	last := map[Link]bool{}
	if newest != root {
		n, err := Walk(ctx, get, newest, "")
		if err != nil {
			return rep, err
		}
		for _, it := range n.Items {
			last[it.Link] = true
		}
	}
	rep.Drives, rep.Frames = c.Drives, c.Frames
	seen := map[Link]bool{}
	for _, it := range c.Items {
		if seen[it.Link] {
			continue
		}
		seen[it.Link] = true
		b, err := get(ctx, it.Link)
		if survey.KindOf(err) == survey.NotFound {
			_, dead := gone[it.Link]
			switch {
			case dead:
				rep.Tombstoned++
			case it.Kind != Image && newest != root && !last[it.Link]:
				rep.Expired++
			default:
				rep.Missing = append(rep.Missing, it)
			}
			continue
		}
		if err != nil {
			return rep, fmt.Errorf("archive: %s: %w", it.Name, err)
		}
		if err := check(it.Link, b); err != nil {
			return rep, fmt.Errorf("%s: %w", it.Name, err)
		}
		rep.Objects++
		rep.Bytes += int64(len(b))
	}
	return rep, nil
}

// ParseLink reads a CIDv1 in text.
func ParseLink(s string) (Link, error) {
	c, err := cid.Decode(s)
	if err != nil {
		return Link{}, survey.Errorf(survey.Invalid, "%.80q is not a CID: %w", s, err)
	}
	return Link{c}, nil
}
