package cells_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/hex/cells"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// city makes drives of about 1,000 frames, 8 m apart, on a grid of streets 100 m apart and 20 km long, chosen with a
// road-like skew (a few streets carry most drives).
func city(rnd *rand.Rand, first, n int) []cells.DriveObservations {
	origin := geo.Point{Lat: 39.2, Lon: -76.7}
	zipf := rand.NewZipf(rnd, 1.2, 4, 199)
	pin := hex.NewPinner(12)
	out := make([]cells.DriveObservations, n)
	for d := range out {
		id := survey.DriveID(fmt.Sprintf("%032x", first+d))
		street, along := geo.Meters(zipf.Uint64()*100), geo.Meters(rnd.IntN(12000))
		bearing, at := geo.BearingDeg(90), geo.Destination(geo.Destination(origin, 0, street), 90, along)
		if rnd.IntN(2) == 0 {
			bearing, at = 0, geo.Destination(geo.Destination(origin, 90, street), 0, along)
		}
		received := start.Add(time.Duration(rnd.IntN(1e7)) * time.Second)
		pin.Reset()
		obs := make([]survey.Observation, 1000)
		for i := range obs {
			at = geo.Destination(at, bearing, 8)
			c, err := pin.Cell(at)
			if err != nil {
				panic(err)
			}
			obs[i] = survey.Observation{
				Frame: survey.FrameID(fmt.Sprintf("%024x%08x", first+d, i)), Drive: id, Cell: c,
				CapturedAt: received.Add(time.Duration(i) * 400 * time.Millisecond), ReceivedAt: received,
				HeadingDeg: int(bearing), Quality: survey.PPM(500_000 + rnd.IntN(500_000)),
			}
		}
		out[d] = cells.DriveObservations{Drive: id, Observations: obs}
	}
	return out
}

func benchApply(b *testing.B, db *state.DB) {
	const batch = 50
	rnd := rand.New(rand.NewPCG(1, 1))
	c := &cells.Cells{DB: db}
	n, next := 0, 0
	var spent, cpu time.Duration
	for b.Loop() {
		b.StopTimer()
		ds := city(rnd, next, batch)
		next += batch
		for _, d := range ds {
			n += len(d.Observations)
		}
		b.StartTimer()
		t, c0 := time.Now(), cpuTime()
		if err := db.Tx(b.Context(), func(tx *state.Tx) error {
			_, err := c.Apply(b.Context(), tx, ds)
			return err
		}); err != nil {
			b.Fatal(err)
		}
		spent += time.Since(t)
		cpu += cpuTime() - c0
	}
	b.ReportMetric(float64(n)/spent.Seconds(), "obs/s")
	b.ReportMetric(float64(n)/cpu.Seconds(), "obs/cpu-s") // of this process: what a quiet machine would come to
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkQuery reads single cells and boxes of 4 km² from live base cells of road-like cities; ROADCOMB_BENCH_CELLS is
// how many there are (default 200,000). p99 is over all rounds.
func BenchmarkQuery(b *testing.B) {
	size := 200_000
	if v := os.Getenv("ROADCOMB_BENCH_CELLS"); v != "" {
		var err error
		if size, err = strconv.Atoi(v); err != nil {
			b.Fatal(err)
		}
	}
	benchEngines(b, func(b *testing.B, db *state.DB) {
		rnd := rand.New(rand.NewPCG(2, 2))
		live := fill(b, db, size)
		p99 := func(b *testing.B, fn func()) {
			var took []time.Duration
			for b.Loop() {
				t := time.Now()
				fn()
				took = append(took, time.Since(t))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64(len(live)), "live-cells")
		}
		b.Run("point", func(b *testing.B) {
			p99(b, func() {
				if _, err := cells.Get(b.Context(), db, live[rnd.IntN(len(live))]); err != nil {
					b.Fatal(err)
				}
			})
		})
		b.Run("4km2", func(b *testing.B) {
			rows, n := 0, 0
			p99(b, func() {
				m := hex.Center(live[rnd.IntN(len(live))])
				sw, ne := geo.Destination(m, 225, 1414), geo.Destination(m, 45, 1414)
				within, err := hex.Cover(geo.Bounds{South: sw.Lat, West: sw.Lon, North: ne.Lat, East: ne.Lon}, 12, 20_000)
				if err != nil {
					b.Fatal(err)
				}
				n++
				if err := cells.EachIn(b.Context(), db, 12, within, func(cells.Row) error { rows++; return nil }); err != nil {
					b.Fatal(err)
				}
			})
			b.ReportMetric(float64(rows)/float64(n), "rows")
		})
	})
}

// fill puts rows of about n base cells into the table, as many statements at a time as a transaction takes, and gives the
// cells in order. Cities of 40 × 40 km have a street every 100 m, in both directions.
func fill(b *testing.B, db *state.DB, n int) []survey.Cell {
	b.Helper()
	seen := make(map[survey.Cell]bool, n)
	for city := 0; len(seen) < n; city++ {
		origin := geo.Point{Lat: 40 + float64(city%10), Lon: -80 + 2*float64(city/10)}
		for s := 0; s < 400 && len(seen) < n; s++ {
			for _, bearing := range []geo.BearingDeg{0, 90} {
				at := geo.Destination(origin, 90-bearing, geo.Meters(s*100))
				for range 2000 { // 40 km, a step of 20 m: nearly every cell on the way
					c, err := hex.CellOf(at, 12)
					if err != nil {
						b.Fatal(err)
					}
					seen[c] = true
					at = geo.Destination(at, bearing, 20)
				}
			}
		}
	}
	live := slices.Sorted(maps.Keys(seen))
	blob := []byte{9, 0x66, 0x30, 0, 0, 11, 0x66, 0x31, 0, 0, 27, 0x66, 0x32, 0, 0}
	const rows = 500
	for part := range slices.Chunk(live, rows*400) {
		if err := db.Tx(b.Context(), func(tx *state.Tx) error {
			for cs := range slices.Chunk(part, rows) {
				var q strings.Builder
				q.WriteString("INSERT INTO cells (cell, live, observations, quality_sum, best_quality, first_seen, last_seen, last_received, seen) VALUES ")
				var args []any
				for i, c := range cs {
					if i > 0 {
						q.WriteByte(',')
					}
					fmt.Fprintf(&q, "($%d, 1, 3, 2100000, 900000, 1714550400000000, 1714723200000000, 1714726800000000, $%d)", 2*i+1, 2*i+2)
					args = append(args, c.Int64(), blob)
				}
				if _, err := tx.Exec(b.Context(), q.String(), args...); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
	if db.Postgres() {
		if _, err := db.Exec(b.Context(), "ANALYZE cells"); err != nil {
			b.Fatal(err)
		}
	}
	return live
}

// BenchmarkApply is durable: one committed transaction for 50 drives of 1,000 observations.
func BenchmarkApply(b *testing.B) {
	benchEngines(b, benchApply)
}
