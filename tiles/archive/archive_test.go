package archive_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/tiles/archive"
)

func TestTileIdsFollowTheHilbertCurve(t *testing.T) {
	// Reference values of the specification and of other implementations.
	for _, c := range []struct {
		z, x, y int
		id      uint64
	}{{0, 0, 0, 0}, {1, 0, 0, 1}, {1, 0, 1, 2}, {1, 1, 1, 3}, {1, 1, 0, 4}, {2, 0, 0, 5}, {12, 3423, 1763, 19078479}} {
		if got := archive.ID(c.z, c.x, c.y); got != c.id {
			t.Errorf("%d/%d/%d: %d, want %d", c.z, c.x, c.y, got, c.id)
		}
	}
	// Exhaustive: ids count up without gaps, are invertible, and neighbours on the curve touch.
	next := uint64(0)
	for z := range 9 {
		px, py := -1, -1
		for range 1 << (2 * z) {
			gz, x, y := archive.ZXY(next)
			if gz != z || archive.ID(z, x, y) != next {
				t.Fatalf("id %d is %d/%d/%d, back %d", next, gz, x, y, archive.ID(z, x, y))
			}
			if px >= 0 && abs(px-x)+abs(py-y) != 1 {
				t.Fatalf("id %d jumps from %d,%d to %d,%d at zoom %d", next, px, py, x, y, z)
			}
			if z > 0 {
				if p := archive.Parent(next); p != archive.ID(z-1, x/2, y/2) {
					t.Fatalf("parent of %d is %d", next, p)
				}
			}
			px, py = x, y
			next++
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		z := rapid.IntRange(9, archive.MaxZoom).Draw(t, "z")
		x, y := rapid.IntRange(0, 1<<z-1).Draw(t, "x"), rapid.IntRange(0, 1<<z-1).Draw(t, "y")
		if gz, gx, gy := archive.ZXY(archive.ID(z, x, y)); gz != z || gx != x || gy != y {
			t.Fatalf("%d/%d/%d came back as %d/%d/%d", z, x, y, gz, gx, gy)
		}
	})
}

func abs(v int) int { return max(v, -v) }

func build(t interface{ Fatal(...any) }, tiles map[uint64][]byte, order []uint64) []byte {
	w := archive.NewWriter()
	defer w.Close()
	var wg sync.WaitGroup
	for part := range slices.Chunk(order, max(1, len(order)/3)) {
		wg.Go(func() {
			for _, id := range part {
				if err := w.Add(id, tiles[id]); err != nil {
					panic(err)
				}
			}
		})
	}
	wg.Wait()
	var out bytes.Buffer
	if _, err := w.WriteTo(&out, archive.Info{Type: archive.TileMVT, Bounds: [4]float64{-1, -2, 3, 4}, Metadata: map[string]any{"name": "t"}}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestWhatIsWrittenIsReadBackWhateverTheOrder(t *testing.T) {
	ctx := context.Background()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 300).Draw(t, "tiles")
		kinds := rapid.IntRange(1, 20).Draw(t, "contents")
		spread := uint64(rapid.IntRange(400, 1<<30).Draw(t, "spread"))
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		tiles := map[uint64][]byte{}
		for range n {
			tiles[rnd.Uint64N(spread)] = fmt.Appendf(nil, "content %d", rnd.IntN(kinds))
		}
		ids := slices.Sorted(maps.Keys(tiles))
		a := build(t, tiles, ids)
		rnd.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
		if b := build(t, tiles, ids); !bytes.Equal(a, b) {
			t.Fatal("the order of Add changed the bytes")
		}
		r, err := archive.Open(ctx, archive.At(bytes.NewReader(a)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if h := r.Header(); h.Addressed != uint64(len(tiles)) || h.Contents > uint64(kinds) || h.Entries < h.Contents || !h.Clustered || h.Bounds != [4]float64{-1, -2, 3, 4} {
			t.Fatalf("%+v", h)
		}
		for id, want := range tiles {
			if got, ok, err := r.Tile(ctx, id); err != nil || !ok || !bytes.Equal(got, want) {
				t.Fatalf("tile %d: %q %v %v", id, got, ok, err)
			}
			if _, there := tiles[id+1]; !there {
				if _, ok, err := r.Tile(ctx, id+1); ok || err != nil {
					t.Fatalf("tile %d is not in the archive: %v %v", id+1, ok, err)
				}
			}
		}
		seen := uint64(0)
		if err := r.Each(ctx, func(e archive.Entry) error { seen += uint64(e.Run); return nil }); err != nil || seen != uint64(len(tiles)) {
			t.Fatal(seen, err)
		}
	})
}

func TestLargeArchivesUseLeavesAndAnySmallFirstRead(t *testing.T) {
	tiles := map[uint64][]byte{}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 60000 {
		tiles[rnd.Uint64N(1<<34)] = binaryID(rnd.Uint64())
	}
	b := build(t, tiles, slices.Sorted(maps.Keys(tiles)))
	r, err := archive.Open(t.Context(), archive.At(bytes.NewReader(b)), nil)
	if err != nil {
		t.Fatal(err)
	}
	h := r.Header()
	if h.LeafLength == 0 || h.RootOffset+h.RootLength > 16384 {
		t.Fatalf("%+v", h)
	}
	n := 0
	for id, want := range tiles {
		if n++; n > 300 {
			break
		}
		if got, ok, err := r.Tile(t.Context(), id); err != nil || !ok || !bytes.Equal(got, want) {
			t.Fatalf("tile %d: %v %v", id, ok, err)
		}
	}
}

func binaryID(v uint64) []byte { return fmt.Appendf(nil, "%d", v) }

func TestASpoolBeyondMemoryGivesTheSameTiles(t *testing.T) {
	w := archive.NewWriter()
	defer w.Close()
	rnd := rand.NewChaCha8([32]byte{})
	var want [][]byte
	for i := range 10 { // 20 MB, past the 8 MiB kept in memory
		b := make([]byte, 2<<20)
		rnd.Read(b)
		want = append(want, b)
		if err := w.Add(uint64(i*3), b); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if _, err := w.WriteTo(&out, archive.Info{Type: archive.TilePNG}); err != nil {
		t.Fatal(err)
	}
	r, err := archive.Open(t.Context(), archive.At(bytes.NewReader(out.Bytes())), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range want {
		if got, ok, err := r.Tile(t.Context(), uint64(i*3)); err != nil || !ok || !bytes.Equal(got, b) {
			t.Fatalf("tile %d: %v %v", i*3, ok, err)
		}
	}
}

func TestASetReadsTheNewestArchiveAndHonoursTombstones(t *testing.T) {
	ctx := t.Context()
	base := build(t, map[uint64][]byte{1: []byte("a1"), 2: []byte("a2"), 3: []byte("a3"), 9: []byte("a9")}, []uint64{1, 2, 3, 9})
	delta := build(t, map[uint64][]byte{2: []byte("b2"), 4: []byte("b4")}, []uint64{2, 4})
	newest := build(t, map[uint64][]byte{3: []byte("c3")}, []uint64{3})
	files := map[string][]byte{"base": base, "delta": delta, "newest": newest}
	set, err := archive.OpenSet(ctx, archive.Tileset{Archives: []archive.Ref{
		{Key: "newest", Tombstones: []uint64{4}}, {Key: "delta", Tombstones: []uint64{3, 9}}, {Key: "base"},
	}}, func(r archive.Ref) archive.Source { return archive.At(bytes.NewReader(files[r.Key])) }, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[uint64]string{1: "a1", 2: "b2", 3: "c3"}
	for id := range uint64(11) {
		got, ok, err := set.Tile(ctx, id)
		if err != nil || ok != (want[id] != "") || string(got) != want[id] {
			t.Errorf("tile %d: %q %v %v, want %q", id, got, ok, err, want[id])
		}
	}
	all := map[uint64]string{}
	if err := set.Each(ctx, func(a int, e archive.Entry) error {
		b, err := set.ReadAt(ctx, a, e)
		all[e.ID] = string(b)
		return err
	}); err != nil || !maps.Equal(all, want) {
		t.Fatal(all, err)
	}
}

func TestBadArchivesAreInvalidNotPanics(t *testing.T) {
	good := build(t, map[uint64][]byte{1: []byte("x")}, []uint64{1})
	for name, c := range map[string]struct {
		b    []byte
		kind survey.Kind
	}{
		"empty":           {nil, survey.Invalid},
		"other format":    {bytes.Repeat([]byte("nope"), 100), survey.Invalid},
		"version 2":       {append([]byte("PMTiles\x02"), make([]byte, 200)...), survey.Unsupported},
		"cut in the root": {good[:130], survey.Invalid},
	} {
		if _, err := archive.Open(t.Context(), archive.At(bytes.NewReader(c.b)), nil); survey.KindOf(err) != c.kind || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(build(f, map[uint64][]byte{1: []byte("x"), 2: []byte("x"), 7: []byte("y")}, []uint64{1, 2, 7}))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := archive.Open(t.Context(), archive.At(bytes.NewReader(b)), nil)
		if err == nil {
			_, err = r.Metadata(t.Context())
		}
		if err == nil {
			_, _, err = r.Tile(t.Context(), 2)
		}
		if k := survey.KindOf(err); err != nil && k != survey.Invalid && k != survey.Unsupported {
			t.Fatal(err)
		}
	})
}

func TestTheManifestComesBackAndBadOnesAreRefused(t *testing.T) {
	m := archive.Manifest{Format: archive.ManifestFormat, Version: 3, AsOf: time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC), Layers: map[string]archive.Tileset{
		"images": {Version: "00", Type: archive.TileMVT, MinZoom: 14, MaxZoom: 14, Archives: []archive.Ref{{Key: "k", SHA256: survey.HashOf([]byte("x")), Bytes: 1, Tombstones: []uint64{1, 4}}}},
	}}
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := archive.DecodeManifest(b)
	if err != nil {
		t.Fatal(err)
	}
	if c, _ := got.Encode(); !bytes.Equal(b, c) {
		t.Fatalf("%s\n%s", b, c)
	}
	for _, bad := range []string{"{", `{"format":2}`, `{"format":1,"layers":{"a":{"type":"mvt","maxzoom":99}}}`, `{"format":1,"layers":{"a":{"type":"mvt","archives":[{}]}}}`} {
		if _, err := archive.DecodeManifest([]byte(bad)); err == nil || survey.KindOf(err) == survey.Internal {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func Example() {
	w := archive.NewWriter()
	defer w.Close()
	w.Add(archive.ID(0, 0, 0), []byte("the world"))
	var file bytes.Buffer
	if _, err := w.WriteTo(&file, archive.Info{Type: archive.TileMVT}); err != nil {
		fmt.Println(err)
		return
	}
	r, err := archive.Open(context.Background(), archive.At(bytes.NewReader(file.Bytes())), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	tile, ok, _ := r.Tile(context.Background(), archive.ID(0, 0, 0))
	fmt.Println(string(tile), ok)
	// Output: the world true
}
