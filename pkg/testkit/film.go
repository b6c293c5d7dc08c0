package testkit

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
)

// Box makes a box of an ISO media file.
func Box(name string, parts ...[]byte) []byte {
	b := append([]byte{0, 0, 0, 0}, name...)
	for _, p := range parts {
		b = append(b, p...)
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	return b
}

// BE is values one behind the other, big-endian.
func BE(vs ...uint32) []byte {
	var b []byte
	for _, v := range vs {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

// Ftyp begins a film.
var Ftyp = Box("ftyp", []byte("isom"), BE(0))

// Moov is the index of a film made on 2024-05-10 at 02:00 UTC: a picture track of 640 × 360 without a picture, and more.
func Moov(dur time.Duration, more ...[]byte) []byte {
	created := uint32(time.Date(2024, 5, 10, 2, 0, 0, 0, time.UTC).Sub(time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)) / time.Second)
	mvhd := Box("mvhd", BE(0, created, created, 1000, uint32(dur.Milliseconds())), make([]byte, 80))
	tkhd := Box("tkhd", make([]byte, 40), BE(1<<16, 0, 0, 0, 1<<16, 0, 0, 0, 1<<30), BE(640<<16, 360<<16))
	stbl := Box("stbl", Box("stsd", BE(0, 0)), Box("stts", BE(0, 0)), Box("stsz", BE(0, 0, 0)), Box("stsc", BE(0, 0)), Box("stco", BE(0, 0)))
	mdia := Box("mdia", Box("mdhd", BE(0, 0, 0, 1000, 0, 0)), Box("hdlr", BE(0, 0), []byte("vide"), BE(0, 0, 0)), Box("minf", stbl))
	return Box("moov", append([][]byte{mvhd, Box("trak", tkhd, mdia)}, more...)...)
}

// Film has one metadata track of the format, a sample each step.
func Film(format string, samples [][]byte, step time.Duration) []byte {
	at := make([]time.Duration, len(samples)+1)
	for i := range at {
		at[i] = time.Duration(i) * step
	}
	return FilmAt(format, samples, at)
}

// FilmAt has one metadata track of the format; at holds the time of each sample, in milliseconds, and of the end.
func FilmAt(format string, samples [][]byte, at []time.Duration) []byte {
	var data []byte
	sizes, offs, times := BE(0, 0, uint32(len(samples))), BE(0, uint32(len(samples))), BE(0, uint32(len(samples)))
	off := uint32(len(Ftyp) + 8)
	for i, s := range samples {
		offs = append(offs, BE(off)...)
		sizes = append(sizes, BE(uint32(len(s)))...)
		times = append(times, BE(1, uint32((at[i+1]-at[i]).Milliseconds()))...)
		data = append(data, s...)
		off += uint32(len(s))
	}
	stbl := Box("stbl", Box("stsd", BE(0, 1), Box(format, make([]byte, 8))), Box("stts", times), Box("stsz", sizes), Box("stsc", BE(0, 1, 1, 1, 1)), Box("stco", offs))
	tkhd := Box("tkhd", make([]byte, 40), BE(1<<16, 0, 0, 0, 1<<16, 0, 0, 0, 1<<30), BE(0, 0))
	trak := Box("trak", tkhd, Box("mdia", Box("mdhd", BE(0, 0, 0, 1000, 0, 0)), Box("hdlr", BE(0, 0), []byte("meta"), BE(0, 0, 0)), Box("minf", stbl)))
	return append(append(append([]byte{}, Ftyp...), Box("mdat", data)...), Moov(at[len(samples)], trak)...)
}

// Ride is where a made-up car is, and how it accelerates, each RideStep.
type Ride []RideMoment

// RideStep is a rate that cameras' accelerometers have.
const RideStep = 5 * time.Millisecond

// RideMoment is one moment of a ride.
type RideMoment struct {
	Point         geo.Point
	Speed         geo.SpeedMPS
	Heading       geo.BearingDeg
	Along, Across float64 // m/s², in the direction of travel and to the right of it
}

// NewRide drives from a place with stops, turns and straights drawn from the seed, at up to 17 m/s.
func NewRide(seed uint64, from geo.Point, d time.Duration) Ride {
	r := rand.New(rand.NewPCG(seed, 17))
	dt := RideStep.Seconds()
	m := RideMoment{Point: from, Speed: 8, Heading: geo.BearingDeg(r.IntN(360))}
	goal, turn, left := 12.0, 0.0, 0.0
	var out Ride
	for range int(d / RideStep) {
		if left -= dt; left <= 0 {
			left = 3 + 6*r.Float64()
			goal = []float64{0, 6, 9, 13, 17}[r.IntN(5)]
			turn = []float64{0, 0, 0, 12, -12, 4, -4}[r.IntN(7)] // degrees a second
		}
		want := max(-2.5, min(2, (goal-float64(m.Speed))/1.5))
		m.Along += (want - m.Along) * dt / 0.4
		rate := turn * min(1, float64(m.Speed)/5)
		m.Across += (float64(m.Speed)*rate*math.Pi/180 - m.Across) * dt / 0.4
		m.Speed = max(0, m.Speed+geo.SpeedMPS(m.Along*dt))
		if m.Speed > 0.5 {
			m.Heading = geo.NormalizeBearing(float64(m.Heading) + m.Across/float64(m.Speed)*180/math.Pi*dt)
		}
		m.Point = geo.Destination(m.Point, m.Heading, geo.Meters(float64(m.Speed)*dt))
		out = append(out, m)
	}
	return out
}

// Felt is what an accelerometer says during the ride, m/s² along three axes that lie at some angle to the car's, also
// drawn from the seed: gravity, the car's acceleration, a road that shakes more at speed, hills, and its own noise.
func (r Ride) Felt(seed uint64) [][3]float64 {
	rnd := rand.New(rand.NewPCG(seed, 3))
	var sin, cos [3]float64
	for k := range sin {
		sin[k], cos[k] = math.Sincos(rnd.Float64() * 2 * math.Pi)
	}
	out := make([][3]float64, len(r))
	for i, m := range r {
		shake := 0.15 + 0.05*float64(m.Speed)
		slope := 0.03 * math.Sin(float64(i)*RideStep.Seconds()/20)
		x, y, z := m.Along+9.8*slope+shake*rnd.NormFloat64(), m.Across+shake*rnd.NormFloat64(), 9.8+2*shake*rnd.NormFloat64()
		x, y = x*cos[0]-y*sin[0], x*sin[0]+y*cos[0]
		y, z = y*cos[1]-z*sin[1], y*sin[1]+z*cos[1]
		x, z = x*cos[2]-z*sin[2], x*sin[2]+z*cos[2]
		out[i] = [3]float64{x, y, z}
	}
	return out
}

// Still is what the accelerometer of a camera says that stands n steps long: gravity and its noise, which is that of a GoPro.
func Still(seed uint64, n int) [][3]float64 {
	rnd := rand.New(rand.NewPCG(seed, 4))
	out := make([][3]float64, n)
	for i := range out {
		out[i] = [3]float64{0.018 * rnd.NormFloat64(), 0.018 * rnd.NormFloat64(), 9.8 + 0.018*rnd.NormFloat64()}
	}
	return out
}

// GoPro is a film whose GPMF track has the ride's positions, five a second, and what an accelerometer felt (nil: none).
func (r Ride) GoPro(start time.Time, felt [][3]float64) []byte {
	entry := func(key string, typ byte, size, repeat int, v []byte) []byte {
		b := append([]byte(key), typ, byte(size))
		b = append(binary.BigEndian.AppendUint16(b, uint16(repeat)), v...)
		return append(b, make([]byte, -len(b)&3)...)
	}
	level := func(key string, parts ...[]byte) []byte {
		var v []byte
		for _, p := range parts {
			v = append(v, p...)
		}
		return entry(key, 0, 1, len(v), v)
	}
	half := func(v int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(int16(v))) }
	const each = int(time.Second / RideStep)
	var samples [][]byte
	for from := 0; from+each <= len(r); from += each {
		var gps, acc []byte
		n := 0
		for i := from; i < from+each; i += each / 5 {
			m := r[i]
			for _, v := range []float64{m.Point.Lat * 1e7, m.Point.Lon * 1e7, 500_000, float64(m.Speed) * 1000, float64(m.Speed) * 100} {
				gps = append(gps, BE(uint32(int32(math.Round(v))))...)
			}
			n++
		}
		streams := [][]byte{entry("DVID", 'L', 4, 1, BE(1)), entry("DVNM", 'c', 1, 12, []byte("HERO11 Black"))}
		if felt != nil {
			for i := from; i < from+each; i++ {
				for _, v := range felt[i] {
					acc = append(acc, half(int(math.Round(v*418)))...)
				}
			}
			streams = append(streams, level("STRM", entry("SCAL", 's', 2, 1, half(418)), entry("ORIN", 'c', 1, 3, []byte("YxZ")), entry("ACCL", 's', 6, each, acc)))
		}
		streams = append(streams, level("STRM", entry("GPSF", 'L', 4, 1, BE(3)),
			entry("GPSU", 'U', 16, 1, []byte(start.Add(time.Duration(from)*RideStep).Format("060102150405.000"))), entry("GPSP", 'S', 2, 1, half(150)),
			entry("SCAL", 'l', 4, 5, BE(1e7, 1e7, 1000, 1000, 100)), entry("GPS5", 'l', 20, n, gps)))
		samples = append(samples, level("DEVC", streams...))
	}
	return Film("gpmd", samples, time.Second)
}

// CAMM is a film whose camera motion track has the ride's positions, one a second, and, between them, what an
// accelerometer felt (nil: none) fifty times a second.
func (r Ride) CAMM(start time.Time, felt [][3]float64) []byte {
	le := binary.LittleEndian
	var samples [][]byte
	var at []time.Duration
	for i, m := range r {
		t := time.Duration(i) * RideStep
		if t%time.Second == 0 {
			b := []byte{0, 0, 6, 0}
			b = le.AppendUint64(b, math.Float64bits(start.Add(t).Sub(time.Date(1980, 1, 6, 0, 0, 0, 0, time.UTC)).Seconds()+18))
			b = le.AppendUint32(b, 3)
			b = le.AppendUint64(le.AppendUint64(b, math.Float64bits(m.Point.Lat)), math.Float64bits(m.Point.Lon))
			sin, cos := math.Sincos(float64(m.Heading) * math.Pi / 180)
			for _, v := range []float64{500, 2.5, 3, float64(m.Speed) * sin, float64(m.Speed) * cos, 0, 0.5} {
				b = le.AppendUint32(b, math.Float32bits(float32(v)))
			}
			samples, at = append(samples, b), append(at, t)
		}
		if felt != nil && t%(20*time.Millisecond) == 0 {
			b := []byte{0, 0, 3, 0}
			for _, v := range felt[i] {
				b = le.AppendUint32(b, math.Float32bits(float32(v)))
			}
			samples, at = append(samples, b), append(at, t)
		}
	}
	return FilmAt("camm", samples, append(at, time.Duration(len(r))*RideStep))
}
