package lake_test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/metadata"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// sighting is as wide as a row of the observations.
type sighting struct {
	Cell     survey.Cell   `lake:"h3"`
	At       time.Time     `lake:"captured_at" plain:"distinct"`
	Received time.Time     `lake:"received_at"`
	Frame    string        `lake:"frame_id" plain:"distinct"`
	Drive    string        `lake:"drive_id"`
	Who      string        `lake:"contributor_id"`
	Heading  int64         `lake:"heading_deg"`
	Quality  int64         `lake:"quality_ppm" plain:"distinct"`
	Night    *bool         `lake:"night"`
	Geom     lake.Geometry `lake:"geometry"`
}

// cellOf is the cell of sighting i: 20 a cell, in order.
func cellOf(i int) survey.Cell { return 0x8c1f05871d2a1ff + survey.Cell(i/20)<<9 }

func sightings(n int) []sighting {
	out := make([]sighting, n)
	yes := true
	for i := range out {
		p := geo.Point{Lat: 55.7 + float64(i/20)*1e-6, Lon: 13.2 + float64(i%20)*1e-6}
		out[i] = sighting{Cell: cellOf(i), At: time.UnixMicro(1.7e15 + int64(i%20)*3_600_000_000 + int64(i)*997).UTC(), Received: time.UnixMicro(1.71e15 + int64(i/1000)).UTC(),
			Frame: fmt.Sprintf("%016x%016x", uint64(i)*0x9e3779b97f4a7c15, uint64(i)*0xbf58476d1ce4e5b9), Drive: fmt.Sprintf("%032x", uint64(i/3000)*0x9e3779b97f4a7c15),
			Who: fmt.Sprintf("%032x", i%97), Heading: int64(i % 360), Quality: int64(i*7919) % 1_000_000, Geom: lake.Point(p)}
		if i%3 == 0 {
			out[i].Night = &yes
		}
	}
	return out
}

// groups opens a file's row groups by the library's own reader of statistics.
func groups(t testing.TB, b []byte) *file.Reader {
	t.Helper()
	r, err := file.NewParquetReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func columnOf(t testing.TB, r *file.Reader, name string) int {
	t.Helper()
	i := r.MetaData().Schema.ColumnIndexByName(name)
	if i < 0 {
		t.Fatalf("no column %s", name)
	}
	return i
}

func TestStatisticsOfRowGroupsAreThoseOfTheRows(t *testing.T) {
	const n, group = 10_000, 1000
	rows := sightings(n)
	s := lake.Schema{Name: "sightings", Version: 1, RowGroup: group}
	b, err := lake.Encode(s, rows)
	if err != nil {
		t.Fatal(err)
	}
	r := groups(t, b)
	if r.NumRowGroups() != n/group {
		t.Fatalf("%d row groups", r.NumRowGroups())
	}
	for g := range r.NumRowGroups() {
		part := rows[g*group : (g+1)*group]
		stats := func(name string) metadata.TypedStatistics {
			c, err := r.MetaData().RowGroup(g).ColumnChunk(columnOf(t, r, name))
			if err != nil {
				t.Fatal(err)
			}
			st, err := c.Statistics()
			if err != nil || st == nil {
				t.Fatalf("group %d, %s: no statistics (%v)", g, name, err)
			}
			return st
		}
		h3 := stats("h3").(*metadata.Int64Statistics)
		if !h3.HasMinMax() || h3.Min() != part[0].Cell.Int64() || h3.Max() != part[group-1].Cell.Int64() {
			t.Errorf("group %d: h3 from %d to %d", g, h3.Min(), h3.Max())
		}
		lo, hi := part[0].Frame, part[0].Frame
		nulls := int64(0)
		for _, p := range part {
			lo, hi = min(lo, p.Frame), max(hi, p.Frame)
			if p.Night == nil {
				nulls++
			}
		}
		if f := stats("frame_id").(*metadata.ByteArrayStatistics); string(f.Min()) != lo || string(f.Max()) != hi {
			t.Errorf("group %d: frame_id from %s to %s, want %s to %s", g, f.Min(), f.Max(), lo, hi)
		}
		if at := stats("captured_at").(*metadata.Int64Statistics); at.Min() > part[0].At.UnixMicro() || at.Max() < part[19].At.UnixMicro() {
			t.Errorf("group %d: captured_at from %d to %d", g, at.Min(), at.Max())
		}
		if got := stats("night").NullCount(); got != nulls {
			t.Errorf("group %d: %d nulls of night, want %d", g, got, nulls)
		}
	}
}

// TestTheSameRowsGiveTheSameBytesWhateverTheirNumber has row groups with more distinct values than a dictionary of the
// library's usual size holds.
func TestTheSameRowsGiveTheSameBytesWhateverTheirNumber(t *testing.T) {
	type row struct {
		Name string `lake:"name"`
	}
	rows := make([]row, 40_000)
	for i := range rows {
		rows[i].Name = fmt.Sprintf("%032d", i)
	}
	first, err := lake.Encode(lake.Schema{Name: "names", Version: 1}, rows)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		again, err := lake.Encode(lake.Schema{Name: "names", Version: 1}, rows)
		if err != nil || !bytes.Equal(again, first) {
			t.Fatal("other bytes", err)
		}
	}
	c, err := groups(t, first).MetaData().RowGroup(0).ColumnChunk(0)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(c.EncodingStats()); n != 2 { // of the dictionary's page, and of the pages that refer to it
		t.Errorf("%d encodings of pages: %v", n, c.EncodingStats())
	}
}

// touched is how many bytes a reader of one cell must read: the footer, and the row groups whose range holds the cell.
func touched(t testing.TB, b []byte, cell survey.Cell) (bytes int64, found int) {
	r := groups(t, b)
	bytes = int64(r.MetaData().Size())
	c := columnOf(t, r, "h3")
	for g := range r.NumRowGroups() {
		rg := r.MetaData().RowGroup(g)
		chunk, err := rg.ColumnChunk(c)
		if err != nil {
			t.Fatal(err)
		}
		st, err := chunk.Statistics()
		if err != nil {
			t.Fatal(err)
		}
		if s := st.(*metadata.Int64Statistics); s.Min() <= cell.Int64() && cell.Int64() <= s.Max() {
			found++
			for i := range rg.NumColumns() {
				cc, err := rg.ColumnChunk(i)
				if err != nil {
					t.Fatal(err)
				}
				bytes += cc.TotalCompressedSize()
			}
		}
	}
	return bytes, found
}

func TestAFilterOnOneCellTouchesOneRowGroup(t *testing.T) {
	const n, group = 100_000, 1000
	b, err := lake.Encode(lake.Schema{Name: "sightings", Version: 1, RowGroup: group}, sightings(n))
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, 12_345, n - 1} {
		got, in := touched(t, b, cellOf(i))
		if in != 1 || got > int64(len(b))*8/100 { // 100 groups: 1 % of rows, and a footer that weighs much beside groups this small
			t.Errorf("cell of row %d: %d row groups, %d of %d bytes", i, in, got, len(b))
		}
	}
}

// A city of 40 km by 40 km, sorted by cell like the datasets: what lies in a box of 500 m is in few row groups, which the
// statistics of the covering tell.
func TestABoxTouchesFewRowGroups(t *testing.T) {
	const side, group = 200, 500 // positions 200 m apart
	var rows []sighting
	for i := range side * side {
		p := geo.Point{Lat: 55.5 + float64(i/side)*0.0018, Lon: 13 + float64(i%side)*0.0032}
		cell, err := hex.CellOf(p, 12)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, sighting{Cell: cell, At: time.UnixMicro(1.7e15), Geom: lake.Point(p)})
	}
	slices.SortFunc(rows, func(a, b sighting) int { return cmp.Compare(a.Cell, b.Cell) })
	b, err := lake.Encode(lake.Schema{Name: "sightings", Version: 1, RowGroup: group}, rows)
	if err != nil {
		t.Fatal(err)
	}
	r := groups(t, b)
	bounds := func(g int, name string) *metadata.Float32Statistics {
		c, err := r.MetaData().RowGroup(g).ColumnChunk(columnOf(t, r, "bbox."+name))
		if err != nil {
			t.Fatal(err)
		}
		st, err := c.Statistics()
		if err != nil || st == nil || !st.HasMinMax() {
			t.Fatalf("group %d has no statistics of bbox.%s: %v", g, name, err)
		}
		return st.(*metadata.Float32Statistics)
	}
	for _, at := range []geo.Point{{Lat: 55.52, Lon: 13.05}, {Lat: 55.68, Lon: 13.3}, {Lat: 55.8, Lon: 13.6}} {
		w, s, e, n := at.Lon, at.Lat, at.Lon+0.008, at.Lat+0.0045
		touched, found, want := 0, 0, 0
		for g := range r.NumRowGroups() {
			part := rows[g*group : (g+1)*group]
			in := 0
			for _, p := range part {
				x, y := p.Geom.WKB()[5:13], p.Geom.WKB()[13:21]
				lon, lat := math.Float64frombits(binary.LittleEndian.Uint64(x)), math.Float64frombits(binary.LittleEndian.Uint64(y))
				if lon >= w && lon <= e && lat >= s && lat <= n {
					in++
				}
			}
			want += in
			if float64(bounds(g, "xmax").Max()) >= w && float64(bounds(g, "xmin").Min()) <= e && float64(bounds(g, "ymax").Max()) >= s && float64(bounds(g, "ymin").Min()) <= n {
				touched++
				found += in
			}
		}
		if found != want || want == 0 || touched > r.NumRowGroups()/8 {
			t.Errorf("box at %v: %d of %d row groups, %d of %d rows", at, touched, r.NumRowGroups(), found, want)
		}
	}
}

// BenchmarkOneCell reports what part of ROADCOMB_BENCH_ROWS sightings (2,000,000 by default; 100,000,000 is the size
// that counts) a filter on one cell touches, with the row groups that datasets have.
func BenchmarkOneCell(b *testing.B) {
	n := 2_000_000
	if s := os.Getenv("ROADCOMB_BENCH_ROWS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	const perFile = 2_000_000
	for b.Loop() {
		var all, read int64
		want := cellOf(n / 2)
		for at := 0; at < n; at += perFile {
			rows := sightings(min(perFile, n-at))
			for i := range rows {
				rows[i].Cell = cellOf(at + i)
			}
			f, err := lake.Encode(lake.Schema{Name: "sightings", Version: 1, Level: lake.Fast}, rows)
			if err != nil {
				b.Fatal(err)
			}
			got, _ := touched(b, f, want)
			all, read = all+int64(len(f)), read+got
		}
		b.ReportMetric(100*float64(read)/float64(all), "%bytes")
		b.ReportMetric(float64(all)/float64(n), "B/row")
	}
}

// BenchmarkWriteSightings writes rows as wide as observations.
func BenchmarkWriteSightings(b *testing.B) {
	rows := sightings(500_000)
	var f []byte
	began := cpuTime(b)
	for b.Loop() {
		var err error
		if f, err = lake.Encode(lake.Schema{Name: "sightings", Version: 1, Level: lake.Fast}, rows); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*float64(len(rows))/(cpuTime(b)-began).Seconds(), "rows/cpu-s")
	if path := os.Getenv("ROADCOMB_BENCH_FILE"); path != "" { // for another writer to write again
		if err := os.WriteFile(path, f, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*float64(len(rows))/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(len(f))/float64(len(rows)), "B/row")
}

func cpuTime(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// failing loses one write and takes all others, as a disk does that is full for a moment.
type failing struct {
	at, n int
	bytes.Buffer
}

var errFull = errors.New("no space left on device")

func (f *failing) Write(p []byte) (int, error) {
	if f.n++; f.n == f.at {
		return 0, errFull
	}
	return f.Buffer.Write(p)
}

func TestAWriteThatFailsIsNeverAWholeFile(t *testing.T) {
	rows := sightings(5000)
	encode := func(f *failing) error {
		w, err := lake.NewWriter[sighting](f, lake.Schema{Name: "sightings", Version: 1, RowGroup: 2000})
		if err != nil {
			return err
		}
		if err := w.Write(rows...); err != nil {
			return err
		}
		return w.Close()
	}
	var whole failing
	if err := encode(&whole); err != nil || whole.n < 20 {
		t.Fatal(whole.n, err)
	}
	for at := 1; at <= whole.n; at++ {
		if err := encode(&failing{at: at}); !errors.Is(err, errFull) {
			t.Fatalf("write %d of %d failed, and the file is taken for whole: %v", at, whole.n, err)
		}
	}
}

// One column after the other or all at once: the same bytes, in row groups that end within batches.
func TestTheNumberOfProcessorsDoesNotChangeAByte(t *testing.T) {
	rows := sightings(40_000)
	rows[7].Geom, rows[39_999].Geom = lake.Geometry{}, lake.Geometry{}
	s := lake.Schema{Name: "sightings", Version: 1, RowGroup: 15_000}
	was := runtime.GOMAXPROCS(1)
	one, err := lake.Encode(s, rows)
	runtime.GOMAXPROCS(max(was, 4))
	defer runtime.GOMAXPROCS(was)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if many, err := lake.Encode(s, rows); err != nil || !bytes.Equal(one, many) {
			t.Fatalf("%d and %d bytes, %v", len(one), len(many), err)
		}
	}
	if r := groups(t, one); r.NumRowGroups() != 3 || r.NumRows() != int64(len(rows)) {
		t.Fatalf("%d row groups, %d rows", r.NumRowGroups(), r.NumRows())
	}
}
