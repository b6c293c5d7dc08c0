package iceberg_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"

	"github.com/roadcomb/roadcomb/datasets/iceberg"
	"github.com/roadcomb/roadcomb/datasets/snapshot"
	"github.com/roadcomb/roadcomb/pkg/ledger"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

var asOf = time.Date(2024, 5, 13, 0, 0, 0, 0, time.UTC)

// encode is a Parquet file without field ids, like those of the lake: rows count up from first. Version 2 of the schema has
// one column more.
func encode(t *testing.T, version int, first, n int) []byte {
	t.Helper()
	fields := []arrow.Field{
		{Name: "h3", Type: arrow.PrimitiveTypes.Int64},
		{Name: "frame_id", Type: arrow.BinaryTypes.String},
		{Name: "captured_at", Type: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}},
		{Name: "bbox", Nullable: true, Type: arrow.StructOf(arrow.Field{Name: "xmin", Type: arrow.PrimitiveTypes.Float32, Nullable: true})},
	}
	if version == 2 {
		fields = append(fields, arrow.Field{Name: "tilt_deg", Type: arrow.PrimitiveTypes.Float64})
	}
	schema := arrow.NewSchema(fields, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for i := first; i < first+n; i++ {
		b.Field(0).(*array.Int64Builder).Append(int64(i))
		b.Field(1).(*array.StringBuilder).Append(fmt.Sprintf("f%06d", i))
		b.Field(2).(*array.TimestampBuilder).Append(arrow.Timestamp(asOf.UnixMicro() + int64(i)))
		s := b.Field(3).(*array.StructBuilder)
		s.Append(true)
		s.FieldBuilder(0).(*array.Float32Builder).Append(float32(i))
		if version == 2 {
			b.Field(4).(*array.Float64Builder).Append(float64(i))
		}
	}
	rec := b.NewRecordBatch()
	defer rec.Release()
	var buf bytes.Buffer
	w, err := pqarrow.NewFileWriter(schema, &buf, parquet.NewWriterProperties(parquet.WithStats(true)), pqarrow.NewArrowWriterProperties())
	if err != nil {
		t.Fatal(err)
	}
	about := `{"name":"frames","columns":[{"name":"h3","unit":"H3","doc":"Pinned cell."}]}`
	if err := errors.Join(w.Write(rec), w.AppendKeyValueMetadata("roadcomb:schema", about), w.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// world is a lake whose frames come and go.
type world struct {
	t    *testing.T
	lake iceberg.Lake
	snap snapshot.Snapshot
}

func newWorld(t *testing.T, lake iceberg.Lake) *world {
	return &world{t, lake, snapshot.Snapshot{Format: snapshot.Format, AsOf: asOf, Datasets: map[string]snapshot.Dataset{}}}
}

// add writes a file and names it in the snapshot.
func (w *world) add(dataset string, version, first, n int) snapshot.File {
	w.t.Helper()
	return w.addBytes(dataset, version, encode(w.t, version, first, n), n)
}

func (w *world) addBytes(dataset string, version int, b []byte, rows int) snapshot.File {
	w.t.Helper()
	h := survey.HashOf(b)
	f := snapshot.File{Partition: "date=2024-05-08", Version: version, Path: store.DatasetKey(dataset, fmt.Sprint("v", version), "date=2024-05-08", h), Rows: int64(rows), Bytes: int64(len(b)), SHA256: h, CID: ledger.CID(h)}
	if err := w.lake.Put(w.t.Context(), f.Path, b); err != nil {
		w.t.Fatal(err)
	}
	d := w.snap.Datasets[dataset]
	d.Version, d.Files, d.Rows, d.Bytes = version, append(slices.Clone(d.Files), f), d.Rows+f.Rows, d.Bytes+f.Bytes
	w.snap.Datasets[dataset] = d
	return f
}

// drop takes the snapshot's i-th file out of it.
func (w *world) drop(dataset string, i int) {
	d := w.snap.Datasets[dataset]
	d.Rows, d.Bytes = d.Rows-d.Files[i].Rows, d.Bytes-d.Files[i].Bytes
	d.Files = slices.Delete(slices.Clone(d.Files), i, i+1)
	w.snap.Datasets[dataset] = d
}

func (w *world) manifest() []byte {
	w.t.Helper()
	b, err := w.snap.Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

func (w *world) trySync(lake iceberg.Lake) ([]iceberg.Change, error) {
	return (&iceberg.Tables{Lake: lake}).Sync(w.t.Context(), w.snap, w.manifest())
}

func (w *world) sync() []iceberg.Change {
	w.t.Helper()
	cs, err := w.trySync(w.lake)
	if err != nil {
		w.t.Fatal(err)
	}
	return cs
}

// open is a table as a stranger finds it: by the hint, which names a version, read without the code under test.
func (w *world) open(dataset string) *table.Table {
	w.t.Helper()
	dir := w.lake.(iceberg.Folder).Dir
	hint, err := os.ReadFile(filepath.Join(dir, dataset, "metadata", "version-hint.text"))
	if err != nil {
		w.t.Fatal(err)
	}
	tbl, err := table.NewFromLocation(w.t.Context(), table.Identifier{dataset}, filepath.Join(dir, dataset, "metadata", "v"+string(hint)+".metadata.json"),
		func(context.Context) (iceio.IO, error) { return iceio.LocalFS{}, nil }, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return tbl
}

// cells reads the column h3 of a table, sorted.
func cells(t *testing.T, tbl *table.Table, opts ...table.ScanOption) []int64 {
	t.Helper()
	at, err := tbl.Scan(opts...).ToArrowTable(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer at.Release()
	out := []int64{}
	col := at.Column(at.Schema().FieldIndices("h3")[0])
	for _, c := range col.Data().Chunks() {
		out = append(out, c.(*array.Int64).Int64Values()...)
	}
	slices.Sort(out)
	return out
}

func count(from, to int) []int64 {
	out := []int64{}
	for i := from; i < to; i++ {
		out = append(out, int64(i))
	}
	return out
}

func (w *world) want(dataset string, want []int64) *table.Table {
	w.t.Helper()
	tbl := w.open(dataset)
	if got := cells(w.t, tbl); !slices.Equal(got, want) {
		w.t.Fatalf("%s has %d rows, want %d: %v", dataset, len(got), len(want), got)
	}
	return tbl
}

func folder(t *testing.T) iceberg.Folder {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return iceberg.Folder{Dir: dir}
}

func TestATableIsExactlyTheFilesOfTheSnapshot(t *testing.T) {
	w := newWorld(t, folder(t))
	w.add("frames", 1, 0, 100)
	w.add("frames", 1, 100, 50)
	w.add("usage", 1, 0, 7)
	cs := w.sync()
	if len(cs) != 2 || cs[0].Dataset != "frames" || cs[0].Added != 2 || cs[0].Rows != 150 || cs[1].Dataset != "usage" {
		t.Fatalf("%+v", cs)
	}
	first := w.want("frames", count(0, 150))
	w.want("usage", count(0, 7))
	if first.CurrentSnapshot().Summary.Properties[iceberg.SnapshotKey] != survey.HashOf(w.manifest()).String() {
		t.Errorf("%v", first.CurrentSnapshot().Summary)
	}
	if f, _ := first.Schema().FindFieldByName("h3"); f.Doc != "Pinned cell. (H3)" || !f.Required {
		t.Errorf("h3 is %+v", f)
	}
	if n := len(cells(t, first, table.WithSelectedFields("h3"))); n != 150 {
		t.Errorf("%d rows of one column", n)
	}

	// The same again is no change: the same version of the metadata.
	if again := w.sync(); again[0].Metadata != cs[0].Metadata || again[0].Added+again[0].Removed != 0 {
		t.Errorf("%+v", again)
	}
	w.drop("frames", 0)
	w.add("frames", 1, 200, 10)
	cs = w.sync()
	if cs[0].Added != 1 || cs[0].Removed != 1 || cs[1].Added+cs[1].Removed != 0 {
		t.Errorf("%+v", cs)
	}
	now := w.want("frames", append(count(100, 150), count(200, 210)...))
	if got := cells(t, now, table.WithSnapshotID(first.CurrentSnapshot().SnapshotID)); !slices.Equal(got, count(0, 150)) {
		t.Errorf("the state before has %d rows now", len(got))
	}

	// A dataset that is gone leaves an empty table, not the last rows.
	delete(w.snap.Datasets, "usage")
	w.sync()
	w.want("usage", []int64{})
	w.add("usage", 1, 3, 2)
	w.sync()
	w.want("usage", count(3, 5))
}

// faulty dies at the n-th change of the lake, before or after it took effect.
type faulty struct {
	iceberg.Lake
	left  atomic.Int64
	after bool
}

var errDied = errors.New("died")

func (f *faulty) change(fn func() error) error {
	n := f.left.Add(-1)
	if n < 0 || n == 0 && !f.after {
		return errDied
	}
	err := fn()
	if n == 0 {
		return errDied
	}
	return err
}

func (f *faulty) Create(ctx context.Context, name string, b []byte) error {
	return f.change(func() error { return f.Lake.Create(ctx, name, b) })
}
func (f *faulty) Put(ctx context.Context, name string, b []byte) error {
	return f.change(func() error { return f.Lake.Put(ctx, name, b) })
}
func (f *faulty) Remove(ctx context.Context, name string) error {
	return f.change(func() error { return f.Lake.Remove(ctx, name) })
}

func TestACrashAtAnyWriteLosesAndDoublesNothing(t *testing.T) {
	before, after := count(0, 30), append(count(10, 30), count(40, 45)...)
	for _, effect := range []bool{false, true} {
		crashes := 0
		for n := int64(1); ; n++ {
			w := newWorld(t, folder(t))
			w.add("frames", 1, 0, 10)
			w.add("frames", 1, 10, 20)
			run := func() bool {
				f := &faulty{Lake: w.lake, after: effect}
				f.left.Store(n)
				_, err := w.trySync(f)
				if f.left.Load() > 0 {
					if err != nil {
						t.Fatalf("without a crash: %v", err)
					}
					return false
				}
				if err == nil {
					t.Fatalf("write %d was refused, and all is said to be well", n)
				}
				crashes++
				return true
			}
			died := run()
			w.sync()
			w.want("frames", before)
			w.drop("frames", 0)
			w.add("frames", 1, 40, 5)
			if run() {
				died = true
				if got := cells(t, w.open("frames")); !slices.Equal(got, before) && !slices.Equal(got, after) {
					t.Fatalf("write %d: a reader sees neither the state before nor the one after: %v", n, got)
				}
			}
			w.sync()
			w.want("frames", after)
			if !died {
				break
			}
		}
		if crashes < 8 {
			t.Errorf("only %d crashes were tried", crashes)
		}
	}
}

func TestWritersAtATimeAddEachFileOnce(t *testing.T) {
	w := newWorld(t, folder(t))
	for i := range 3 {
		w.add("frames", 1, 10*i, 10)
		var g sync.WaitGroup
		for range 4 {
			g.Go(func() {
				if _, err := w.trySync(w.lake); err != nil && survey.KindOf(err) != survey.Busy {
					t.Error(err)
				}
			})
		}
		g.Wait()
		w.sync()
		w.want("frames", count(0, 10*i+10))
	}
}

func TestColumnsThatCameLaterAreNullInOlderFiles(t *testing.T) {
	w := newWorld(t, folder(t))
	w.add("frames", 1, 0, 10)
	w.sync()
	w.add("frames", 2, 10, 5)
	w.sync()
	tbl := w.want("frames", count(0, 15))
	at, err := tbl.Scan().ToArrowTable(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer at.Release()
	if n := at.Column(at.Schema().FieldIndices("tilt_deg")[0]).NullN(); n != 10 {
		t.Errorf("%d nulls in the new column", n)
	}
	if !strings.Contains(tbl.Properties()[table.DefaultNameMappingKey], "tilt_deg") {
		t.Error("the mapping of names lacks the new column")
	}
	// The same from nothing, as a network that begins to register late does it.
	late := newWorld(t, folder(t))
	late.add("frames", 2, 10, 5)
	late.add("frames", 1, 0, 10)
	late.sync()
	late.want("frames", count(0, 15))
}

func TestDamagedAndForeignFilesAreRefusedAndTheTableStays(t *testing.T) {
	good := encode(t, 1, 50, 10)
	foreign := func() []byte {
		schema := arrow.NewSchema([]arrow.Field{{Name: "password", Type: arrow.BinaryTypes.String}}, nil)
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		b.Field(0).(*array.StringBuilder).AppendValues([]string{"x"}, nil)
		rec := b.NewRecordBatch()
		var buf bytes.Buffer
		pw, err := pqarrow.NewFileWriter(schema, &buf, nil, pqarrow.NewArrowWriterProperties())
		if err := errors.Join(err, pw.Write(rec), pw.Close()); err != nil {
			t.Fatal(err)
		}
		return buf.Bytes()
	}()
	for name, c := range map[string]struct {
		body []byte
		rows int
	}{
		"cut short":      {good[:len(good)/2], 10},
		"empty":          {nil, 10},
		"not Parquet":    {[]byte(strings.Repeat("PAR1 is only the beginning. ", 40)), 10},
		"of others":      {foreign, 1},
		"with more rows": {good, 9},
	} {
		w := newWorld(t, folder(t))
		w.add("frames", 1, 0, 10)
		w.sync()
		w.addBytes("frames", 1, c.body, c.rows)
		w.add("usage", 1, 0, 3)
		_, err := w.trySync(w.lake)
		if survey.KindOf(err) != survey.Invalid || !strings.Contains(err.Error(), "frames/v1/date=2024-05-08/") {
			t.Errorf("%s: %v", name, err)
		}
		w.want("frames", count(0, 10))
		w.want("usage", count(0, 3)) // one bad table holds up no other
	}
	w := newWorld(t, folder(t))
	f := w.add("frames", 1, 0, 10)
	for _, path := range []string{"../frames/x.parquet", "cells/v1/x.parquet", "frames/../../etc/passwd.parquet", "frames/v1/x.csv"} {
		bad := f
		bad.Path = path
		w.snap.Datasets["frames"] = snapshot.Dataset{Version: 1, Files: []snapshot.File{bad}}
		if _, err := w.trySync(w.lake); survey.KindOf(err) != survey.Invalid {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestOldStatesAndLeftOversGoAndRowsStay(t *testing.T) {
	w := newWorld(t, folder(t))
	dir := w.lake.(iceberg.Folder).Dir
	gone := w.add("frames", 1, 0, 10)
	w.sync()
	old := w.open("frames").CurrentSnapshot()
	w.drop("frames", 0)
	w.add("frames", 1, 10, 10)
	w.sync()
	loose := filepath.Join(dir, "frames", "metadata", "left-by-a-crash.avro")
	if err := os.WriteFile(loose, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	later := &iceberg.Tables{Lake: w.lake, Clock: func() time.Time { return time.Now().Add(6 * 24 * time.Hour) }}
	if _, err := later.Sync(t.Context(), w.snap, w.manifest()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(loose); err != nil || w.open("frames").SnapshotByID(old.SnapshotID) == nil {
		t.Error("something went before its week was over")
	}
	later.Clock = func() time.Time { return time.Now().Add(8 * 24 * time.Hour) }
	for range 2 { // the first run takes the state out of the table, with a version more
		if _, err := later.Sync(t.Context(), w.snap, w.manifest()); err != nil {
			t.Fatal(err)
		}
	}
	tbl := w.want("frames", count(10, 20))
	if tbl.SnapshotByID(old.SnapshotID) != nil {
		t.Error("the old state is still there")
	}
	for _, f := range []string{loose, old.ManifestList} {
		if _, err := os.Stat(f); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there", f)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(gone.Path))); err != nil {
		t.Errorf("rows are the lake's to remove: %v", err)
	}
}

func TestAFolderThatMovedIsSaidToHave(t *testing.T) {
	w := newWorld(t, folder(t))
	w.add("frames", 1, 0, 10)
	w.sync()
	was := w.lake.(iceberg.Folder).Dir
	if err := os.Rename(was, was+"-moved"); err != nil {
		t.Fatal(err)
	}
	w.lake = iceberg.Folder{Dir: was + "-moved"}
	if _, err := w.trySync(w.lake); survey.KindOf(err) != survey.Conflict {
		t.Errorf("%v", err)
	}
}

func TestABucketIsKeptLikeAFolder(t *testing.T) {
	b := iceberg.Bucket{Store: testkit.S3(t), Name: "lake"}
	w := newWorld(t, b)
	w.add("frames", 1, 0, 10)
	cs := w.sync()
	if cs[0].Added != 1 || !strings.HasPrefix(cs[0].Metadata, "s3://lake/frames/metadata/v") {
		t.Fatalf("%+v", cs)
	}
	w.drop("frames", 0)
	w.add("frames", 1, 5, 5)
	var g sync.WaitGroup
	for range 2 {
		g.Go(func() {
			if _, err := w.trySync(b); err != nil && survey.KindOf(err) != survey.Busy {
				t.Error(err)
			}
		})
	}
	g.Wait()
	if cs := w.sync(); cs[0].Added+cs[0].Removed != 0 || cs[0].Files != 1 {
		t.Errorf("%+v", cs)
	}
	hint, _, err := b.Store.Get(t.Context(), store.Lake, "frames/metadata/version-hint.text", 100)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Store.Stat(t.Context(), store.Lake, "frames/metadata/v"+string(hint)+".metadata.json"); err != nil {
		t.Error(err)
	}
}

func Example() {
	dir, err := os.MkdirTemp("", "lake")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	t := iceberg.Tables{Lake: iceberg.Folder{Dir: dir}}
	snap := snapshot.Snapshot{Format: snapshot.Format, Datasets: map[string]snapshot.Dataset{}} // of the folder's snapshot.json
	manifest, _ := snap.Encode()
	changes, err := t.Sync(context.Background(), snap, manifest)
	fmt.Println(len(changes), err)
	// Output: 0 <nil>
}
