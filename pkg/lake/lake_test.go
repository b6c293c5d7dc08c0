package lake_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

type row struct {
	ID    string        `lake:"id" doc:"identity"`
	Cell  survey.Cell   `lake:"h3"`
	At    time.Time     `lake:"at" unit:"us"`
	Pay   survey.Amount `lake:"pay" unit:"1e-9 token"`
	Share float64       `lake:"share"`
	Small float32       `lake:"small"`
	N     int32         `lake:"n"`
	OK    bool          `lake:"ok"`
	Raw   []byte        `lake:"raw"`
	Alt   *float64      `lake:"alt" unit:"m"`
	Seen  *time.Time    `lake:"seen"`
	Geom  lake.Geometry `lake:"geometry"`
	Local int           // no tag: not a column
}

var schema = lake.Schema{Name: "rows", Version: 1}

func rows(n int) []row {
	out := make([]row, n)
	for i := range out {
		p := geo.Point{Lat: 55.7 + float64(i)*1e-5, Lon: 13.2 - float64(i)*1e-5}
		out[i] = row{ID: fmt.Sprint("r", i), Cell: 0x8c1f05871d2abff - survey.Cell(i)<<8, At: time.Unix(1.7e9, int64(i)*1000).UTC(),
			Pay: survey.Amount(i) - 5, Share: float64(i) / 3, Small: float32(i), N: int32(i), OK: i%2 == 0, Raw: []byte{byte(i)}, Geom: lake.Point(p)}
		if i%3 == 0 {
			a, at := float64(i), out[i].At
			out[i].Alt, out[i].Seen = &a, &at
		}
	}
	return out
}

func ExampleEncode() {
	b, err := lake.Encode(schema, rows(3))
	if err != nil {
		panic(err)
	}
	back, err := lake.Decode[row](b)
	fmt.Println(len(back), back[0].Cell, back[2].ID, err)
	// Output: 3 8c1f05871d2abff r2 <nil>
}

func TestRowsRoundTripAcrossBatches(t *testing.T) {
	want := rows(20_000)
	b, err := lake.Encode(schema, want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := lake.Decode[row](b)
	if err != nil || len(got) != len(want) {
		t.Fatal(len(got), err)
	}
	for i := range want {
		w, g := want[i], got[i]
		if (w.Alt == nil) != (g.Alt == nil) || w.Alt != nil && *w.Alt != *g.Alt || (w.Seen == nil) != (g.Seen == nil) || w.Seen != nil && !w.Seen.Equal(*g.Seen) || !bytes.Equal(w.Geom.WKB(), g.Geom.WKB()) || !bytes.Equal(w.Raw, g.Raw) {
			t.Fatalf("row %d: %+v, want %+v", i, g, w)
		}
		w.Alt, w.Seen, w.Geom, w.Raw, g.Alt, g.Seen, g.Geom, g.Raw = nil, nil, lake.Geometry{}, nil, nil, nil, lake.Geometry{}, nil
		if fmt.Sprint(w) != fmt.Sprint(g) {
			t.Fatalf("row %d: %+v, want %+v", i, g, w)
		}
	}
}

func TestSameRowsSameBytes(t *testing.T) {
	a, _ := lake.Encode(schema, rows(10_000))
	b, _ := lake.Encode(schema, rows(10_000))
	if !bytes.Equal(a, b) {
		t.Fatal("two encodings differ")
	}
}

func TestGeoMetadataIsThereOnceAndCovers(t *testing.T) {
	b, err := lake.Encode(schema, rows(10))
	if err != nil {
		t.Fatal(err)
	}
	n, keys, err := lake.Meta(b)
	if err != nil || n != 10 {
		t.Fatal(n, err)
	}
	var g struct {
		Version string
		Columns map[string]struct {
			Encoding string
			Types    []string `json:"geometry_types"`
			BBox     []float64
		}
	}
	if err := json.Unmarshal([]byte(keys["geo"]), &g); err != nil {
		t.Fatal(err)
	}
	c := g.Columns["geometry"]
	if g.Version != "1.1.0" || c.Encoding != "WKB" || len(c.Types) != 1 || c.Types[0] != "Point" || len(c.BBox) != 4 || math.Abs(c.BBox[2]-13.2) > 1e-9 {
		t.Fatalf("%s", keys["geo"])
	}
}

func TestAnOldReaderAndAnOldFileStillWork(t *testing.T) {
	type old struct {
		ID string `lake:"id"`
	}
	type new struct {
		ID    string `lake:"id"`
		Added int64  `lake:"added"`
	}
	b, _ := lake.Encode(schema, []new{{"a", 7}})
	if got, err := lake.Decode[old](b); err != nil || got[0].ID != "a" {
		t.Fatal(got, err)
	}
	b, _ = lake.Encode(schema, []old{{"b"}})
	if got, err := lake.Decode[new](b); err != nil || got[0].ID != "b" || got[0].Added != 0 {
		t.Fatal(got, err)
	}
	type retyped struct {
		ID int64 `lake:"id"`
	}
	if _, err := lake.Decode[retyped](b); survey.KindOf(err) != survey.Invalid {
		t.Fatal(err)
	}
}

func TestEmptyFilesAndDamagedBytes(t *testing.T) {
	b, err := lake.Encode[row](schema, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := lake.Decode[row](b); err != nil || len(got) != 0 {
		t.Fatal(got, err)
	}
	b, _ = lake.Encode(schema, rows(100))
	for _, n := range []int{0, 3, len(b) / 2, len(b) - 1} {
		if _, err := lake.Decode[row](b[:n]); survey.KindOf(err) != survey.Invalid {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestUnsupportedFieldsAreRefused(t *testing.T) {
	type bad struct {
		N uint64 `lake:"n"`
	}
	if _, err := lake.Encode(schema, []bad{{1}}); err == nil {
		t.Fatal("an unsigned column was written")
	}
}

func BenchmarkEncode(b *testing.B) {
	rs := rows(100_000)
	for b.Loop() {
		if _, err := lake.Encode(schema, rs); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*100_000/b.Elapsed().Seconds(), "rows/s")
}

func TestAStreamHoldsTheRowsAndShowsWhenItIsCutShort(t *testing.T) {
	want := rows(20_000)
	b, err := lake.EncodeStream(map[string]string{"as_of": "2024"}, want)
	if err != nil {
		t.Fatal(err)
	}
	read := func(b []byte) ([]row, error) {
		var got []row
		err := lake.ScanStream(bytes.NewReader(b), func(rs []row) error { got = append(got, rs...); return nil })
		return got, err
	}
	got, err := read(b)
	if err != nil || !reflect.DeepEqual(got, decoded(t, want)) {
		t.Fatalf("%d rows, %v", len(got), err)
	}
	if got, err := read(append(b, "Code: 241"...)); err != nil || len(got) != len(want) {
		t.Fatal(err)
	}
	for _, n := range []int{0, 3, 500, len(b) / 2, len(b) - 8, len(b) - 1} {
		if _, err := read(b[:n]); survey.KindOf(err) != survey.Invalid {
			t.Errorf("%d of %d bytes: %v", n, len(b), err)
		}
	}
	none, err := lake.EncodeStream[row](nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := read(none); err != nil || len(got) != 0 {
		t.Fatal(got, err)
	}
}

// decoded is what a file of the rows gives back.
func decoded(t *testing.T, rs []row) []row {
	b, err := lake.Encode(schema, rs)
	if err != nil {
		t.Fatal(err)
	}
	got, err := lake.Decode[row](b)
	if err != nil {
		t.Fatal(err)
	}
	return got
}
