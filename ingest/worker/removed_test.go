package worker_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

// originals lists the private bucket.
func (n *network) originals() (out []string) {
	n.t.Helper()
	if err := n.s3.List(context.Background(), store.Private, "", func(i store.Info) error { out = append(out, i.Key); return nil }); err != nil {
		n.t.Fatal(err)
	}
	return out
}

// takeDown leaves a frame as vision does when it is taken down.
func (n *network) takeDown(id string) {
	n.t.Helper()
	ctx := context.Background()
	if err := n.s3.Remove(ctx, store.Private, n.text(`SELECT object FROM frames WHERE id = $1`, id)); err != nil {
		n.t.Fatal(err)
	}
	if _, err := n.db.Exec(ctx, `UPDATE frames SET state = 'removed', reason = 'removed', object = '' WHERE id = $1`, id); err != nil {
		n.t.Fatal(err)
	}
}

func TestWhatWasTakenDownStaysDownWhenItIsSentAgain(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		n := openOn(t, db)
		n.contributor("c2")
		const name = "km_20260511_080000_30_0"
		blob, meta := frameKM(30, home, nil)
		pic := straight(12, home, morning, 40)
		first := map[string][]byte{name: blob, name + ".json": meta}
		for p, b := range pic {
			first["loose/"+p] = b
		}
		n.ingest(n.send("c1", first, survey.UploadOptions{}))
		n.looked()
		member, sum := n.text(`SELECT id FROM frames WHERE film_pts_us = -2 AND seq = 9`), n.text(`SELECT sha256 FROM frames WHERE film_pts_us = -2 AND seq = 9`)
		var loose string
		for p := range pic {
			loose = max(loose, p)
		}
		image := n.text(`SELECT id FROM frames WHERE path = $1`, "loose/"+loose)
		n.takeDown(member)
		n.takeDown(image)
		before := n.originals()
		gone := func(key string) {
			t.Helper()
			if slices.Contains(n.originals(), key) {
				t.Errorf("%s is back", key)
			}
		}
		h, err := survey.ParseHash(sum)
		if err != nil {
			t.Fatal(err)
		}

		for _, c := range []survey.ContributorID{"c1", "c2"} {
			// The whole bundle once more, with another file so that it is another upload; and the image, under another name.
			id := n.send(c, map[string][]byte{name: blob, name + ".json": meta, "again.jpg": pic[loose], "new.jpg": picture(900+len(c), home, morning)}, survey.UploadOptions{})
			n.ingest(id)
			vs := n.verdicts(id)
			if vs[name] != "duplicate" || vs["again.jpg"] != "removed" {
				t.Fatalf("%v", vs)
			}
			if m := n.text(`SELECT message FROM upload_files WHERE upload_id = $1 AND path = $2`, string(id), name); !strings.Contains(m, "1 of its images") {
				t.Errorf("told %q", m)
			}
			if m := n.text(`SELECT message FROM upload_files WHERE upload_id = $1 AND path = 'again.jpg'`, string(id)); !strings.Contains(m, "taken down") {
				t.Errorf("told %q", m)
			}
			gone(store.OriginalKey(c, h))
			gone(store.OriginalKey(c, survey.HashOf(pic[loose])))
			if c == "c2" {
				gone(store.OriginalKey(c, survey.HashOf(blob)))
			}
			if o := n.text(`SELECT object FROM upload_files WHERE upload_id = $1 AND path = 'again.jpg'`, string(id)); o != "" {
				t.Errorf("the row still names %s", o)
			}
			// A longer bundle with the same frames: five are new, the one that was taken down is not.
			blob2, meta2 := frameKM(35, home, nil)
			id = n.send(c, map[string][]byte{name: blob2, name + ".json": meta2}, survey.UploadOptions{})
			n.ingest(id)
			if f := n.int(`SELECT COUNT(*) FROM frames WHERE upload_id = $1`, string(id)); f != 5 && c == "c1" || f != 0 && c == "c2" {
				t.Errorf("%s: %d frames of the longer bundle", c, f)
			}
			gone(store.OriginalKey(c, h))
			n.looked()
		}
		if st := n.text(`SELECT state FROM frames WHERE id = $1`, member) + n.text(`SELECT state FROM frames WHERE id = $1`, image); st != "removedremoved" {
			t.Errorf("%s", st)
		}
		for _, k := range before {
			if !slices.Contains(n.originals(), k) && k != store.OriginalKey("c1", survey.HashOf(pic[loose])) {
				t.Errorf("%s went too", k)
			}
		}
	})
}

// What a bundle holds besides frames of drives, such as those at the driver's door, is not unpacked.
func TestTrimmedFramesOfABundleLeaveNoOriginal(t *testing.T) {
	n := open(t)
	n.w.Config.NoTrim, n.w.Config.Trim = false, 100
	blob, meta := frameKM(60, home, nil)
	id := n.send("c1", map[string][]byte{"km_20260511_080000_30_0": blob, "km_20260511_080000_30_0.json": meta}, survey.UploadOptions{})
	n.ingest(id)
	frames := n.int(`SELECT COUNT(*) FROM frames`)
	if frames == 0 || frames > 40 {
		t.Fatalf("%d frames", frames)
	}
	if o := len(n.originals()); int64(o) != frames+2 {
		t.Errorf("%d originals of %d frames, the bundle and its metadata", o, frames)
	}
}
