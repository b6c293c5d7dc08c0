package archive_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/datasets/archive"
	"github.com/roadcomb/roadcomb/datasets/schema"
	"github.com/roadcomb/roadcomb/datasets/snapshot"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// folder writes what a process run leaves: images, frames files by day, and the snapshot.
func folder(t testing.TB, dir string, asOf time.Time, images map[string][]byte) archive.Folder {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	must(os.RemoveAll(filepath.Join(dir, "datasets")))
	must(os.RemoveAll(filepath.Join(dir, "frames")))
	must(os.MkdirAll(filepath.Join(dir, "frames"), 0o755))
	ids := make([]string, 0, len(images))
	for id := range images {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	days := map[string][]schema.Frame{}
	for i, id := range ids { // <day>-<drive>-<seq>
		part := strings.Split(id, "-")
		p := geo.Point{Lat: 55 + float64(i)/1e4, Lon: 13.2}
		cell, err := hex.CellOf(p, 12)
		must(err)
		at, err := time.Parse("20060102", part[0])
		must(err)
		must(os.WriteFile(filepath.Join(dir, "frames", id+".jpg"), images[id], 0o644))
		day := at.Format(time.DateOnly)
		days[day] = append(days[day], schema.Frame{ID: id, Drive: part[1], Seq: int64(part[2][0] - 'a'), Cell: cell, CapturedAt: at.Add(time.Duration(i) * time.Second),
			Bytes: int64(len(images[id])), SHA256: survey.HashOf(images[id]).String(), Geometry: lake.Point(p)})
	}
	snap := snapshot.Snapshot{Format: snapshot.Format, AsOf: asOf, Datasets: map[string]snapshot.Dataset{}}
	order := make([]string, 0, len(days))
	for day := range days {
		order = append(order, day)
	}
	slices.Sort(order)
	for _, day := range order {
		rows := days[day]
		body, err := lake.Encode(schema.Frames, rows)
		must(err)
		h := survey.HashOf(body)
		path := "frames/v1/date=" + day + "/h3_r4=841f059ffffffff/" + h.String()[:32] + ".parquet"
		must(os.MkdirAll(filepath.Join(dir, "datasets", filepath.Dir(path)), 0o755))
		must(os.WriteFile(filepath.Join(dir, "datasets", path), body, 0o644))
		d := snap.Datasets["frames"]
		d.Files = append(d.Files, snapshot.File{Partition: "date=" + day + "/h3_r4=841f059ffffffff", Version: 1, Path: path, Bytes: int64(len(body)), SHA256: h})
		snap.Datasets["frames"] = d
	}
	b, err := json.Marshal(snap)
	must(err)
	must(os.WriteFile(filepath.Join(dir, "datasets", "snapshot.json"), b, 0o644))
	return archive.Folder{Dir: dir}
}

func picture(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

var monday = time.Date(2024, 5, 13, 0, 0, 0, 0, time.UTC)

func some() map[string][]byte {
	return map[string][]byte{
		"20240508-d1-a": picture(1, 9000), "20240508-d1-b": picture(2, 4096), "20240508-d2-a": picture(3, 1),
		"20240509-d1-c": picture(4, 4097), "20240401-d9-a": picture(5, 20000),
	}
}

func publish(t testing.TB, p archive.Place, key ed25519.PrivateKey) archive.Link {
	t.Helper()
	_, root, err := archive.Publish(t.Context(), p, key)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func TestTheSamePublishedContentGivesTheSameRootAndTheSameCAR(t *testing.T) {
	var roots []archive.Link
	var cars [][]byte
	for range 2 {
		p := folder(t, t.TempDir(), monday, some())
		root := publish(t, p, nil)
		if again := publish(t, p, nil); again != root {
			t.Fatalf("publishing again gave %s, want %s", again, root)
		}
		get, err := archive.Reader(t.Context(), p, root)
		if err != nil {
			t.Fatal(err)
		}
		c, err := archive.Walk(t.Context(), get, root, "")
		if err != nil {
			t.Fatal(err)
		}
		if c.Frames != 5 || c.Drives != 4 {
			t.Fatalf("%d frames in %d drive-days, want 5 in 4", c.Frames, c.Drives)
		}
		links := c.Links()
		rand.Shuffle(len(links), func(i, j int) { links[i], links[j] = links[j], links[i] })
		var car bytes.Buffer
		if err := archive.WriteCAR(t.Context(), &car, []archive.Link{root}, append(links, links...), get, nil); err != nil {
			t.Fatal(err)
		}
		roots, cars = append(roots, root), append(cars, car.Bytes())
	}
	if roots[0] != roots[1] || !bytes.Equal(cars[0], cars[1]) {
		t.Fatalf("roots %s and %s; CARs equal: %v", roots[0], roots[1], bytes.Equal(cars[0], cars[1]))
	}
	// A reader needs nothing but the CAR.
	blocks := map[archive.Link][]byte{}
	rs, err := archive.ReadCAR(bytes.NewReader(cars[0]), func(l archive.Link, b []byte) error {
		if _, twice := blocks[l]; twice {
			t.Errorf("%s is there twice", l)
		}
		blocks[l] = slices.Clone(b)
		return nil
	})
	if err != nil || len(rs) != 1 || rs[0] != roots[0] {
		t.Fatalf("roots %v, error %v", rs, err)
	}
	rep, err := archive.Verify(t.Context(), mapped(blocks), rs[0], rs[0])
	if err != nil || len(rep.Missing) > 0 || rep.Frames != 5 {
		t.Fatalf("%+v, %v", rep, err)
	}
}

func mapped(blocks map[archive.Link][]byte) archive.Getter {
	return func(_ context.Context, l archive.Link) ([]byte, error) {
		if b, ok := blocks[l]; ok {
			return b, nil
		}
		return nil, survey.Errorf(survey.NotFound, "no %s", l)
	}
}

func TestWhatIsTakenDownBecomesATombstoneAndOldRootsStayVerifiable(t *testing.T) {
	dir, images := t.TempDir(), some()
	first := publish(t, folder(t, dir, monday, images), nil)
	delete(images, "20240508-d1-b")           // taken down
	images["20240509-d1-c"] = picture(9, 300) // redacted again
	p := folder(t, dir, monday.AddDate(0, 0, 1), images)
	second := publish(t, p, nil)

	gone, err := archive.Gone(t.Context(), p.Node, second)
	if err != nil {
		t.Fatal(err)
	}
	why := map[string]string{}
	for _, s := range gone {
		why[s.Frame] = s.Why
	}
	if fmt.Sprint(why) != fmt.Sprint(map[string]string{"20240508-d1-b": "removed", "20240509-d1-c": "replaced"}) {
		t.Fatalf("tombstones %v", why)
	}
	get, err := archive.Reader(t.Context(), p, first, second)
	if err != nil {
		t.Fatal(err)
	}
	rep, err := archive.Verify(t.Context(), get, first, second)
	if err != nil || len(rep.Missing) != 0 || rep.Tombstoned != 2 {
		t.Fatalf("the first root against the second's tombstones: %+v, %v", rep, err)
	}
	// Without the tombstones it is missing.
	if rep, err = archive.Verify(t.Context(), get, first, first); err != nil || len(rep.Missing) < 2 {
		t.Fatalf("the first root by itself: %+v, %v", rep, err)
	}
	if rep, err = archive.Verify(t.Context(), get, second, second); err != nil || len(rep.Missing)+rep.Tombstoned != 0 {
		t.Fatalf("the second root: %+v, %v", rep, err)
	}
	// Step by step or at once: the same days and files.
	fresh := folder(t, t.TempDir(), monday.AddDate(0, 0, 1), images)
	a, err := archive.ReadRoot(t.Context(), p.Node, second)
	if err != nil {
		t.Fatal(err)
	}
	b, err := archive.ReadRoot(t.Context(), fresh.Node, publish(t, fresh, nil))
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(a.Days, a.Files, a.Snapshot) != fmt.Sprint(b.Days, b.Files, b.Snapshot) || a.Previous == nil || *a.Previous != first {
		t.Fatalf("built on the first root:\n%+v\nbuilt alone:\n%+v", a, b)
	}
}

func TestDamageIsNamed(t *testing.T) {
	dir := t.TempDir()
	p := folder(t, dir, monday, some())
	root := publish(t, p, nil)
	get, err := archive.Reader(t.Context(), p, root)
	if err != nil {
		t.Fatal(err)
	}
	c, err := archive.Walk(t.Context(), get, root, "d9")
	if err != nil || c.Frames != 1 {
		t.Fatalf("%+v, %v", c, err)
	}
	var car bytes.Buffer
	if err := archive.WriteCAR(t.Context(), &car, c.Nodes, c.Links(), get, nil); err != nil {
		t.Fatal(err)
	}
	whole := car.Bytes()
	nothing := func(archive.Link, []byte) error { return nil }
	for _, cut := range []int{0, 1, 20, 60, len(whole) / 2, len(whole) - 1} {
		if _, err := archive.ReadCAR(bytes.NewReader(whole[:cut]), nothing); survey.KindOf(err) != survey.Invalid {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
	bad := slices.Clone(whole)
	bad[len(bad)-7] ^= 1
	if _, err := archive.ReadCAR(bytes.NewReader(bad), nothing); survey.KindOf(err) != survey.Invalid || !strings.Contains(err.Error(), "hash") {
		t.Errorf("a flipped bit: %v", err)
	}
	if _, err := archive.Walk(t.Context(), get, root, "d10"); survey.KindOf(err) != survey.NotFound {
		t.Errorf("a drive that is not there: %v", err)
	}
	// A node that was damaged on disk.
	node := filepath.Join(dir, "archive", root.String()+".cbor")
	b, err := os.ReadFile(node)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	if err := os.WriteFile(node, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Walk(t.Context(), p.Node, root, ""); survey.KindOf(err) != survey.Invalid {
		t.Errorf("a damaged root: %v", err)
	}
}

func TestAnAuditProvesPossessionAndNothingElsePasses(t *testing.T) {
	p := folder(t, t.TempDir(), monday, some())
	root := publish(t, p, nil)
	get, err := archive.Reader(t.Context(), p, root)
	if err != nil {
		t.Fatal(err)
	}
	const k = 40
	proof, err := archive.Prove(t.Context(), get, root, "beacon 1", k)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(proof)
	if err != nil {
		t.Fatal(err)
	}
	if proof, err = archive.ParseProof(raw); err != nil {
		t.Fatal(err)
	}
	if err := proof.Check(t.Context(), root, "beacon 1", k); err != nil {
		t.Fatal(err)
	}
	objects := map[string]bool{}
	for _, pick := range proof.Picks {
		objects[pick.Object] = true
	}
	if len(objects) < 4 {
		t.Errorf("%d picks fell on %d objects", k, len(objects))
	}
	refused := func(what string, change func(*archive.Proof)) {
		t.Helper()
		q, _ := archive.ParseProof(raw)
		change(&q)
		if err := q.Check(t.Context(), root, "beacon 1", k); err == nil {
			t.Errorf("%s passed", what)
		}
	}
	refused("another beacon", func(q *archive.Proof) { q.Beacon = "beacon 2" })
	refused("fewer picks", func(q *archive.Proof) { q.Picks = q.Picks[1:] })
	refused("picks in another order", func(q *archive.Proof) { slices.Reverse(q.Picks) })
	refused("a count of its own", func(q *archive.Proof) { q.Chunks = 1 })
	for i := range k {
		refused(fmt.Sprintf("changed bytes of pick %d", i), func(q *archive.Proof) { q.Picks[i].Chunk[len(q.Picks[i].Chunk)/2] ^= 1 })
		refused(fmt.Sprintf("bytes left out of pick %d", i), func(q *archive.Proof) { q.Picks[i].Chunk = q.Picks[i].Chunk[:len(q.Picks[i].Chunk)-1] })
		refused(fmt.Sprintf("a longer path of pick %d", i), func(q *archive.Proof) { q.Picks[i].Path = append(q.Picks[i].Path, make([]byte, 32)) })
		refused(fmt.Sprintf("no nodes for pick %d", i), func(q *archive.Proof) { q.Picks[i].Nodes = q.Picks[i].Nodes[:1] })
	}
	// Who lost an image cannot answer for it.
	if err := os.Remove(filepath.Join(p.Dir, "frames", "20240401-d9-a.jpg")); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Prove(t.Context(), get, root, "beacon 1", k); err == nil || !strings.Contains(err.Error(), "20240401-d9-a") {
		t.Errorf("a proof without one of the images: %v", err)
	}
	if _, err := archive.Prove(t.Context(), get, root, "", k); survey.KindOf(err) != survey.Invalid {
		t.Errorf("an audit without a beacon: %v", err)
	}
}

// The table of Filecoin's proof of data possession (FilOzone/pdp docs/design.md): five leaves a day.
func TestTheChanceOfDetectionIsThePublishedOne(t *testing.T) {
	for _, c := range []struct {
		share float64
		days  int
		want  float64
	}{{.01, 1, .049}, {.01, 30, .779}, {.05, 1, .226}, {.05, 30, .9995}, {.2, 1, .672}} {
		if got := archive.Detection(c.share, 5, c.days); math.Abs(got-c.want) > .0006 {
			t.Errorf("%v lost, %d days: %.4f, want %.4f", c.share, c.days, got, c.want)
		}
	}
}

func TestOnlyTheNetworksSignaturePasses(t *testing.T) {
	_, key, _ := ed25519.GenerateKey(nil)
	other, _, _ := ed25519.GenerateKey(nil)
	pub := key.Public().(ed25519.PublicKey)
	p := folder(t, t.TempDir(), monday, some())
	root := publish(t, p, key)
	if _, l, err := archive.Current(t.Context(), p, pub); err != nil || l != root {
		t.Fatal(l, err)
	}
	if _, _, err := archive.Current(t.Context(), p, other); survey.KindOf(err) != survey.Unauthorized {
		t.Errorf("another key: %v", err)
	}
	b, _, err := p.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var h archive.Head
	if err := json.Unmarshal(b, &h); err != nil {
		t.Fatal(err)
	}
	h.Root = archive.Raw(survey.HashOf(nil)).String()
	forged, _ := json.Marshal(h)
	if _, _, err := archive.ParseHead(forged, pub); survey.KindOf(err) != survey.Unauthorized {
		t.Errorf("a head moved to another root: %v", err)
	}
	h.Signature = ""
	bare, _ := json.Marshal(h)
	if _, _, err := archive.ParseHead(bare, pub); survey.KindOf(err) != survey.Unauthorized {
		t.Errorf("a head without a signature: %v", err)
	}
}

func TestASnapshotFromTheFutureIsNotArchived(t *testing.T) {
	dir := t.TempDir()
	p := folder(t, dir, monday, some())
	if err := os.WriteFile(filepath.Join(dir, "datasets", "snapshot.json"), []byte(`{"format":"roadcomb-snapshot/9","datasets":{}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := archive.Publish(t.Context(), p, nil); survey.KindOf(err) != survey.Unsupported {
		t.Fatal(err)
	}
}

func FuzzReadCAR(f *testing.F) {
	p := folder(f, f.TempDir(), monday, map[string][]byte{"20240508-d1-a": []byte("x")})
	root := publish(f, p, nil)
	get, err := archive.Reader(f.Context(), p, root)
	if err != nil {
		f.Fatal(err)
	}
	c, err := archive.Walk(f.Context(), get, root, "")
	if err != nil {
		f.Fatal(err)
	}
	var car bytes.Buffer
	if err := archive.WriteCAR(f.Context(), &car, []archive.Link{root}, c.Links(), get, nil); err != nil {
		f.Fatal(err)
	}
	f.Add(car.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := archive.ReadCAR(bytes.NewReader(b), func(archive.Link, []byte) error { return nil })
		if k := survey.KindOf(err); err != nil && k != survey.Invalid && k != survey.Unsupported {
			t.Fatalf("%v: %v", k, err)
		}
	})
}

func FuzzParseProof(f *testing.F) {
	f.Add([]byte(`{"format":"roadcomb-audit/1","root":"x","beacon":"b","chunks":1,"picks":[{"nodes":["AA=="],"chunk":"AA==","path":[]}]}`))
	root := archive.Raw(survey.HashOf([]byte("root")))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := archive.ParseProof(b)
		if err != nil {
			return
		}
		p.Root, p.Beacon = root.String(), "b"
		if p.Check(t.Context(), root, "b", len(p.Picks)) == nil {
			t.Fatal("a made-up proof passed")
		}
	})
}

func ExampleDetection() {
	for _, lost := range []float64{.01, .05, .2} {
		fmt.Printf("%.0f %% lost, 5 picks a day: found in a day %.1f %%, in 30 days %.1f %%\n", lost*100, 100*archive.Detection(lost, 5, 1), 100*archive.Detection(lost, 5, 30))
	}
	// Output:
	// 1 % lost, 5 picks a day: found in a day 4.9 %, in 30 days 77.9 %
	// 5 % lost, 5 picks a day: found in a day 22.6 %, in 30 days 100.0 %
	// 20 % lost, 5 picks a day: found in a day 67.2 %, in 30 days 100.0 %
}
