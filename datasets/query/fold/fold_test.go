package fold_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/datasets/query/clickhouse"
	"github.com/roadcomb/roadcomb/datasets/query/fold"
	"github.com/roadcomb/roadcomb/datasets/schema"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/hex/cells"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/lockfile"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

// observations are n looks at cells along a street, on five days.
func observations(seed uint64, n int) []survey.Observation {
	rnd := rand.New(rand.NewPCG(seed, 1))
	out := make([]survey.Observation, n)
	for i := range out {
		p := geo.Destination(geo.Point{Lat: 47.5, Lon: 19.05}, 90, geo.Meters(rnd.IntN(900)))
		c, err := hex.CellOf(p, 12)
		if err != nil {
			panic(err)
		}
		at := time.Date(2024, 5, 6+rnd.IntN(5), rnd.IntN(24), rnd.IntN(60), 0, rnd.IntN(1e6)*1000, time.UTC)
		out[i] = survey.Observation{Frame: survey.FrameID(fmt.Sprintf("%d-%06d", seed, i)), Drive: survey.DriveID(fmt.Sprint("drive", i%7)), Cell: c,
			CapturedAt: at, ReceivedAt: at.Add(time.Duration(rnd.IntN(1e6)) * time.Second), HeadingDeg: rnd.IntN(361) - 1, Quality: survey.PPM(rnd.IntN(1_000_001))}
	}
	return out
}

// small has row groups so small that a file has several.
var small = lake.Schema{Name: "observations", Version: 1, RowGroup: 400}

// observed is the columns that the fold reads.
type observed struct {
	Cell       survey.Cell `lake:"h3"`
	CapturedAt time.Time   `lake:"captured_at"`
	ReceivedAt time.Time   `lake:"received_at"`
	Heading    int64       `lake:"heading_deg"`
	Quality    int64       `lake:"quality_ppm"`
}

func observedOf(o survey.Observation) observed {
	return observed{o.Cell, o.CapturedAt, o.ReceivedAt, int64(o.HeadingDeg), int64(o.Quality)}
}

// days writes the observations as the lake holds them and gives the partitions.
func days(t testing.TB, dir string, obs []survey.Observation) []fold.Part {
	t.Helper()
	by := make(map[[2]string][]observed)
	for _, o := range obs {
		d := [2]string{o.CapturedAt.Format(time.DateOnly), o.Cell.Parent(8).String()}
		by[d] = append(by[d], observedOf(o))
	}
	var out []fold.Part
	for d, rows := range by {
		slices.SortFunc(rows, func(a, b observed) int { return cmp.Compare(a.Cell, b.Cell) })
		b, err := lake.Encode(small, rows)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "date="+d[0], survey.HashOf(b).String()[:16]+".parquet")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		out = append(out, fold.Part{Date: d[0], Area: d[1], Key: survey.HashOf(b).String(), Rows: int64(len(rows)),
			Files: func(context.Context) ([]string, func(), error) { return []string{path}, nil, nil }})
	}
	return out
}

// live is the state that applying the observations drive by drive gives.
func live(t testing.TB, obs []survey.Observation) []cells.Row {
	t.Helper()
	db := testkit.DB(t)
	by := make(map[survey.DriveID]*cells.DriveObservations)
	for _, o := range obs {
		d := by[o.Drive]
		if d == nil {
			d = &cells.DriveObservations{Drive: o.Drive}
			by[o.Drive] = d
		}
		d.Observations = append(d.Observations, o)
	}
	c := &cells.Cells{DB: db}
	for _, d := range by {
		if err := db.Tx(t.Context(), func(tx *state.Tx) error {
			_, err := c.Apply(t.Context(), tx, []cells.DriveObservations{*d})
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	var out []cells.Row
	if err := cells.Each(t.Context(), db, 12, func(r cells.Row) error { out = append(out, r); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

func rows(t testing.TB, dir string) []cells.Row {
	t.Helper()
	var out []cells.Row
	for r, err := range fold.Rows(dir) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

func engine(t testing.TB) *fold.DuckDB {
	t.Helper()
	d, err := fold.OpenDuckDB(t.Context(), t.TempDir(), fold.Options{MemoryMB: 256, Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestFoldedCellsAreTheLiveOnesAndOnlyWhatIsNewIsRead(t *testing.T) {
	d, dir := engine(t), t.TempDir()
	obs := observations(1, 5000)
	ds := days(t, t.TempDir(), obs)
	run := func(ds []fold.Part, read int) fold.Result {
		t.Helper()
		r, err := fold.Run(t.Context(), ds, dir, d, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.Read != read || r.Parts != len(ds) {
			t.Fatalf("%+v, want %d partitions read", r, read)
		}
		fresh, err := fold.Run(t.Context(), ds, t.TempDir(), d, nil)
		if err != nil || fresh.SHA256 != r.SHA256 || fresh.Cells != r.Cells || fresh.Partials != r.Partials || fresh.Observations != r.Observations {
			t.Fatalf("%v: whole %+v, in steps %+v", err, fresh, r)
		}
		return r
	}
	first := slices.DeleteFunc(slices.Clone(ds), func(p fold.Part) bool { return p.Date >= "2024-05-09" })
	run(first, len(first))
	r := run(ds, len(ds)-len(first)) // two days more
	want := live(t, obs)
	if got := rows(t, dir); len(want) < 40 || !slices.Equal(got, want) || r.Observations != 5000 || r.Cells != int64(len(want)) {
		t.Fatalf("%+v: %d rows, want %d", r, len(got), len(want))
	}
	if again := run(ds, 0); again.SHA256 != r.SHA256 || again.Cells != r.Cells {
		t.Fatalf("%+v, %+v", again, r)
	}
	// A frame is taken down: that day of its area is read, no other, and the state is that of what is left.
	less := obs[1:]
	run(days(t, t.TempDir(), less), 1)
	if got := rows(t, dir); !slices.Equal(got, live(t, less)) {
		t.Fatal("after a take-down")
	}
	// A drive comes late into the oldest day.
	late := observations(9, 1)
	late[0].Drive, late[0].CapturedAt, late[0].Cell = "late", time.Date(2024, 5, 6, 23, 0, 0, 0, time.UTC), obs[0].Cell
	more := append(slices.Clone(less), late...)
	ds2 := days(t, t.TempDir(), more)
	run(ds2, 1)
	if got := rows(t, dir); !slices.Equal(got, live(t, more)) {
		t.Fatal("after a late drive")
	}
	// A whole area less; then its files are gone too.
	there := obs[0].Cell.Parent(8).String()
	fewer := slices.DeleteFunc(slices.Clone(ds2), func(p fold.Part) bool { return p.Area == there })
	if len(fewer) == 0 {
		t.Fatal("one area only")
	}
	run(fewer, 0)
	if left, _ := filepath.Glob(filepath.Join(dir, "*", there+"*")); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
	// A day less: nothing is read for it.
	without := slices.DeleteFunc(slices.Clone(fewer), func(p fold.Part) bool { return p.Date == "2024-05-07" })
	run(without, 0)
	if got := rows(t, dir); !slices.Equal(got, live(t, slices.DeleteFunc(slices.Clone(more), func(o survey.Observation) bool {
		return o.Cell.Parent(8).String() == there || o.CapturedAt.Day() == 7
	}))) {
		t.Error("after a day less")
	}
}

// TestAnyHistoryEndsInTheSameCells lets partitions come, change and go at random, several at a time.
func TestAnyHistoryEndsInTheSameCells(t *testing.T) {
	d := engine(t)
	obs := observations(5, 600)
	ds := days(t, t.TempDir(), obs)
	want, err := fold.Run(t.Context(), ds, t.TempDir(), d, nil)
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(4) {
		rnd, dir := rand.New(rand.NewPCG(seed, 7)), t.TempDir()
		for range 4 {
			var some []survey.Observation // of some frames, or not all of their days
			keep := rnd.IntN(4)
			for _, o := range obs {
				if rnd.IntN(4) <= keep && o.CapturedAt.Day() >= 6+rnd.IntN(2) {
					some = append(some, o)
				}
			}
			parts := days(t, t.TempDir(), some)
			rnd.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
			if _, err := fold.Run(t.Context(), parts[:1+rnd.IntN(len(parts))], dir, d, nil); err != nil {
				t.Fatal(err)
			}
		}
		got, err := fold.Run(t.Context(), ds, dir, d, nil)
		if err != nil || got.SHA256 != want.SHA256 || got.Cells != want.Cells {
			t.Fatalf("seed %d: %v: %+v, want %+v", seed, err, got, want)
		}
	}
}

// TestFilesInAnyOrderAndNumberFoldAlike: the lake sorts by cell, other writers need not.
func TestFilesInAnyOrderAndNumberFoldAlike(t *testing.T) {
	d := engine(t)
	obs := observations(6, 3000)
	slices.SortStableFunc(obs, func(a, b survey.Observation) int { return cmp.Compare(a.Cell, b.Cell) })
	fill := func(obs []survey.Observation, files int) fold.Part {
		var paths []string
		dir := t.TempDir()
		for i := range files {
			var rows []observed
			for j := i; j < len(obs); j += files {
				rows = append(rows, observedOf(obs[j]))
			}
			b, err := lake.Encode(small, rows)
			if err != nil {
				t.Fatal(err)
			}
			paths = append(paths, filepath.Join(dir, fmt.Sprint(i)))
			if err := os.WriteFile(paths[i], b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return fold.Part{Date: "2024-05", Key: "k", Rows: int64(len(obs)), Files: func(context.Context) ([]string, func(), error) { return paths, nil, nil }}
	}
	shuffled := slices.Clone(obs)
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(obs), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	want := live(t, obs)
	for name, p := range map[string]fold.Part{"sorted": fill(obs, 1), "unsorted": fill(shuffled, 1), "several": fill(obs, 3), "several unsorted": fill(shuffled, 3)} {
		dir := t.TempDir()
		if _, err := fold.Run(t.Context(), []fold.Part{p}, dir, d, nil); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !slices.Equal(rows(t, dir), want) {
			t.Errorf("%s: other cells", name)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*", "*.part-*")); len(left) != 0 {
			t.Errorf("%s: left over: %v", name, left)
		}
	}
}

func TestARunCutShortGoesOnAndDamagedPartialsAreMadeAgain(t *testing.T) {
	d, dir := engine(t), t.TempDir()
	ds := days(t, t.TempDir(), observations(8, 2000))
	want, err := fold.Run(t.Context(), ds, t.TempDir(), d, nil)
	if err != nil {
		t.Fatal(err)
	}
	broken := slices.Clone(ds)
	broken[len(ds)-1].Files = func(context.Context) ([]string, func(), error) { return nil, nil, fmt.Errorf("the power is gone") }
	if _, err := fold.Run(t.Context(), broken, dir, d, nil); err == nil {
		t.Fatal("no error")
	}
	done, _ := filepath.Glob(filepath.Join(dir, "days", "*.part"))
	r, err := fold.Run(t.Context(), ds, dir, d, nil)
	if err != nil || len(done) == 0 || r.Read != len(ds)-len(done) || r.SHA256 != want.SHA256 {
		t.Fatalf("%v: %d done, then %+v", err, len(done), r)
	}
	kept, _ := filepath.Glob(filepath.Join(dir, "*", "*.part"))
	for i, name := range kept {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		switch i % 3 {
		case 0:
			b = b[:len(b)/2]
		case 1:
			b[len(b)/3] ^= 4
		case 2:
			b[len(b)-30] ^= 4
		}
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		os.Remove(filepath.Join(dir, "cells.parquet"))
		// A change in every area makes that all are looked at: a day less, and then it is back.
		for _, ps := range [][]fold.Part{slices.DeleteFunc(slices.Clone(ds), func(p fold.Part) bool { return p.Date == "2024-05-10" }), ds} {
			if r, err = fold.Run(t.Context(), ps, dir, d, nil); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if r.SHA256 != want.SHA256 {
			t.Fatalf("%s: other cells", name)
		}
	}
}

func TestARunThatFailsLeavesWhatWasThere(t *testing.T) {
	d, dir := engine(t), t.TempDir()
	ds := days(t, t.TempDir(), observations(3, 400))
	r, err := fold.Run(t.Context(), ds, dir, d, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := rows(t, dir)
	bad := filepath.Join(t.TempDir(), "bad.parquet")
	if err := os.WriteFile(bad, []byte("PAR1 this is no Parquet PAR1"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, broken := range map[string]fold.Part{
		"damaged":  {Date: "2024-06-01", Area: ds[0].Area, Key: "x", Files: func(context.Context) ([]string, func(), error) { return []string{bad}, nil, nil }},
		"miscount": {Date: "2024-06-01", Area: ds[0].Area, Key: "y", Rows: ds[0].Rows + 1, Files: ds[0].Files},
		"twice":    ds[0],
		"no area":  {Date: "2024-06-01", Key: "z", Files: ds[0].Files},
	} {
		if _, err := fold.Run(t.Context(), append(slices.Clone(ds), broken), dir, d, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
		if got := rows(t, dir); !slices.Equal(got, want) {
			t.Errorf("%s: other rows", name)
		}
	}
	if again, err := fold.Run(t.Context(), ds, dir, d, nil); err != nil || again.Read != 0 || again.SHA256 != r.SHA256 {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err := fold.Run(t.Context(), nil, t.TempDir(), d, nil); survey.KindOf(err) != survey.NotFound {
		t.Errorf("nothing to fold: %v", err)
	}
}

// wire is a row as the server sends it.
type wire struct {
	Cell         int64 `lake:"h3"`
	Place        int64 `lake:"place"`
	Observations int64 `lake:"observations"`
	QualitySum   int64 `lake:"quality_sum"`
	BestQuality  int64 `lake:"best_quality"`
	FirstSeen    int64 `lake:"first_seen"`
	LastSeen     int64 `lake:"last_seen"`
	LastReceived int64 `lake:"last_received"`
}

// TestClickHouseIsAskedForEachPart stands in for the server's HTTP; interop.sh asks the engine itself.
func TestClickHouseIsAskedForEachPart(t *testing.T) {
	obs := observations(4, 500)
	ds := days(t, t.TempDir(), obs)
	paths := make(map[[2]string]string) // the name of each file, as it is in the question
	for _, p := range ds {
		ps, _, err := p.Files(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		paths[[2]string{p.Date, p.Area}] = filepath.Base(ps[0])
	}
	var asked []string
	var mu sync.Mutex
	answer := func(w http.ResponseWriter, stream []byte) { w.Write(stream) }
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		mu.Lock()
		asked = append(asked, string(b))
		mu.Unlock()
		user, pass, _ := r.BasicAuth()
		if user != "u" || pass != "p&" || r.URL.Query().Get("wait_end_of_query") != "1" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		groups := make(map[[2]int64]*cells.Partial)
		for _, o := range obs {
			if strings.Contains(string(b), paths[[2]string{o.CapturedAt.Format(time.DateOnly), o.Cell.Parent(8).String()}]) {
				p := cells.PartialOf(o)
				if g := groups[[2]int64{p.Cell.Int64(), int64(p.Place)}]; g != nil {
					g.Merge(&p)
				} else {
					groups[[2]int64{p.Cell.Int64(), int64(p.Place)}] = &p
				}
			}
		}
		var ps []wire
		for _, p := range groups {
			ps = append(ps, wire{p.Cell.Int64(), int64(p.Place), p.Observations, p.QualitySum, p.BestQuality, p.FirstSeen, p.LastSeen, p.LastReceived})
		}
		slices.SortFunc(ps, func(a, b wire) int { return cmp.Or(cmp.Compare(a.Cell, b.Cell), cmp.Compare(a.Place, b.Place)) })
		s, err := lake.EncodeStream(nil, ps)
		if err != nil {
			t.Error(err)
		}
		answer(w, s)
	}))
	defer srv.Close()
	ch := &fold.ClickHouse{URL: strings.Replace(srv.URL, "://", "://u:p%26@", 1), Source: clickhouse.Files}
	d, dir := engine(t), t.TempDir()
	if _, err := fold.Run(t.Context(), ds, dir, d, ch); err != nil {
		t.Fatal(err)
	}
	if got := rows(t, dir); !slices.Equal(got, live(t, obs)) || len(asked) != len(ds) {
		t.Fatalf("%d rows, %d questions", len(got), len(asked))
	}
	if !strings.HasSuffix(asked[0], " ORDER BY h3, place FORMAT ArrowStream") || !strings.Contains(asked[0], "file('/") {
		t.Error(asked[0])
	}
	one := ds[:1]
	for name, a := range map[string]func(http.ResponseWriter, []byte){
		"refused":   func(w http.ResponseWriter, _ []byte) { http.Error(w, "Code: 60. Unknown table", 404) },
		"cut short": func(w http.ResponseWriter, s []byte) { w.Write(s[:len(s)-9]) },
		"words":     func(w http.ResponseWriter, _ []byte) { io.WriteString(w, "Ok.\n") },
	} {
		answer = a
		if _, err := fold.Run(t.Context(), one, t.TempDir(), d, ch); err == nil || name == "refused" && !strings.Contains(err.Error(), "Unknown table") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := fold.Run(t.Context(), one, t.TempDir(), d, &fold.ClickHouse{URL: srv.URL, Source: clickhouse.Files}); survey.KindOf(err) != survey.Unauthorized {
		t.Errorf("without a password: %v", err)
	}
	if _, err := fold.Run(t.Context(), one, t.TempDir(), d, &fold.ClickHouse{URL: "localhost", Source: clickhouse.Files}); survey.KindOf(err) != survey.Invalid {
		t.Errorf("no URL: %v", err)
	}
}

func TestSourcesNameExactlyTheFiles(t *testing.T) {
	s3 := clickhouse.Objects("http://h:9000/", "lake", "k", `s'\`)
	for _, c := range []struct {
		source clickhouse.Source
		paths  []string
		want   string
	}{
		{clickhouse.Files, []string{"/a/b.parquet"}, "file('/a/b.parquet', 'Parquet')"},
		{clickhouse.Files, []string{"/a/x/b", "/a/y/c"}, "file('/a/{x/b,y/c}', 'Parquet')"},
		{clickhouse.Files, []string{"/a/ab", "/a/abc/d"}, "file('/a/{ab,abc/d}', 'Parquet')"},
		{s3, []string{"o/v1/1", "o/v1/2"}, `s3('http://h:9000/lake/o/v1/{1,2}', 'k', 's\'\\', 'Parquet')`},
	} {
		if got, err := c.source(c.paths, ""); err != nil || got != c.want {
			t.Errorf("%s, %v, want %s", got, err, c.want)
		}
	}
	if _, err := clickhouse.Files([]string{"/a/{b}"}, ""); survey.KindOf(err) != survey.Unsupported {
		t.Error(err)
	}
}

func ExampleRun() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "fold")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	at := time.Date(2024, 5, 6, 8, 0, 0, 0, time.UTC)
	b, err := lake.Encode(schema.Observations, []schema.Observation{{Cell: 0x8c1f8d44a2cd5ff, CapturedAt: at, ReceivedAt: at, Frame: "f", Drive: "d", Heading: 90, Quality: 900_000}})
	if err != nil {
		panic(err)
	}
	file := filepath.Join(dir, "day.parquet")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		panic(err)
	}
	out := filepath.Join(dir, "out")
	d, err := fold.OpenDuckDB(ctx, out, fold.Options{})
	if err != nil {
		panic(err)
	}
	defer d.Close()
	r, err := fold.Run(ctx, []fold.Part{{Date: "2024-05-06", Key: survey.HashOf(b).String(), Files: func(context.Context) ([]string, func(), error) { return []string{file}, nil, nil }}}, out, d, nil)
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Observations, r.Cells)
	for row := range fold.Rows(out) {
		fmt.Println(row.Cell, row.LastSeen.Format(time.RFC3339))
	}
	// Output:
	// 1 1
	// 8c1f8d44a2cd5ff 2024-05-06T08:00:00Z
}

func TestOneRunAtATimeWorksInAFolder(t *testing.T) {
	dir := t.TempDir()
	l, err := lockfile.Take(t.Context(), filepath.Join(dir, "fold.lock"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fold.Run(t.Context(), nil, dir, nil, nil); survey.KindOf(err) != survey.Conflict {
		t.Fatalf("beside another run: %v", err)
	}
	l.Release()
	if _, err := fold.Run(t.Context(), nil, dir, nil, nil); survey.KindOf(err) != survey.NotFound {
		t.Fatalf("after it, without observations: %v", err)
	}
}
