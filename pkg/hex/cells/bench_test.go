package cells_test

import (
	"fmt"
	"math/rand/v2"
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
	var spent time.Duration
	for b.Loop() {
		b.StopTimer()
		ds := city(rnd, next, batch)
		next += batch
		for _, d := range ds {
			n += len(d.Observations)
		}
		b.StartTimer()
		t := time.Now()
		if err := db.Tx(b.Context(), func(tx *state.Tx) error {
			_, err := c.Apply(b.Context(), tx, ds)
			return err
		}); err != nil {
			b.Fatal(err)
		}
		spent += time.Since(t)
	}
	b.ReportMetric(float64(n)/spent.Seconds(), "obs/s")
}

// BenchmarkApply is durable: one committed transaction for 50 drives of 1,000 observations.
func BenchmarkApply(b *testing.B) {
	benchEngines(b, benchApply)
}
