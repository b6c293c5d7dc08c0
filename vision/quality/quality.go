// Package quality says how fit a frame is for mapping, in parts a driver understands: sharpness (focus and motion
// apart), exposure (range, clipping and glare, noise), clear view, resolution per degree, and position accuracy.
//
// Measure looks at brightness only and is a pure function of the pixels; Rate turns measures into a survey.Quality by
// the numbers of one versioned file (thresholds-v2.json). Every part falls, or stays, as a picture is degraded.
package quality

import (
	_ "embed"
	"encoding/json"
	"math"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

//go:embed thresholds-v2.json
var thresholdsV2 []byte

type ramp struct {
	Worst float64 `json:"worst"`
	Best  float64 `json:"best"`
}

// at maps v onto [0, 1]: Worst and beyond is 0, Best and beyond is 1, linear between; either may be the larger.
func (r ramp) at(v float64) float64 {
	return math.Min(1, math.Max(0, (v-r.Worst)/(r.Best-r.Worst)))
}

// Thresholds are the numbers behind a rating. Use V2.
type Thresholds struct {
	Version   string `json:"version"`
	LumaWidth int    `json:"luma_width"` // pictures are measured at this width at most
	Sharpness ramp   `json:"sharpness"`  // share of edge contrast that a further blur destroys
	Noise     ramp   `json:"noise"`      // standard deviation in grey levels
	Blocks    ramp   `json:"blocks"`     // steps at block borders over steps elsewhere
	Spread    struct {
		ramp
		NightBest float64 `json:"night_best"`
	} `json:"spread"` // grey levels between the 5th and 95th percentile
	Clipped     ramp `json:"clipped"`      // share of pixels black or white
	NightMedian ramp `json:"night_median"` // between day and night the two regimes blend; half way is called night
	Clear       struct {
		ramp
		Dark float64 `json:"dark"` // a tile darker than this …
		Flat float64 `json:"flat"` // … with less contrast between neighbouring pixels than this is obstructed
	} `json:"clear"` // share of obstructed tiles
	// OnLens is about what stays on the lens: see Thresholds.Held. Its ramp is over the share of the picture held, and takes
	// that much off the clear part.
	OnLens struct {
		ramp
		Frames   int     `json:"frames"`    // the least number of frames that say anything
		Metres   float64 `json:"metres"`    // between two frames that count
		Still    float64 `json:"still"`     // a block changes less than this share of what is usual around it …
		Lively   float64 `json:"lively"`    // … which is at least so many grey levels
		Ring     float64 `json:"ring"`      // a piece changes at most this share of what directly surrounds it
		EdgeRing float64 `json:"edge_ring"` // the same for a piece at the picture's edge
		Stands   float64 `json:"stands"`    // a block differs from its surroundings by so many standard deviations …
		Step     float64 `json:"step"`      // … and so many grey levels
		Calm     float64 `json:"calm"`      // where more blocks than this share do, the scene itself stands still
		Least    float64 `json:"least"`     // share of the picture of the smallest piece
	} `json:"held"`
	PxPerDegree struct {
		ramp
		AssumedFOV float64 `json:"assumed_fov_deg"`
	} `json:"px_per_degree"`
	Position struct {
		ramp
		Unknown float64 `json:"unknown"` // rating of an unknown accuracy
	} `json:"position_m"`
	Weights struct {
		Sharpness  float64 `json:"sharpness"`
		Exposure   float64 `json:"exposure"`
		Clear      float64 `json:"clear"`
		Resolution float64 `json:"resolution"`
		Position   float64 `json:"position"`
	} `json:"weights"`
	Grades struct {
		A float64 `json:"A"`
		B float64 `json:"B"`
		C float64 `json:"C"`
		D float64 `json:"D"`
	} `json:"grades"`
	Usable struct {
		Score     float64 `json:"score"`
		Sharpness float64 `json:"sharpness"`
		Exposure  float64 `json:"exposure"`
		Clear     float64 `json:"clear"`
	} `json:"usable"`
}

// V2 are the thresholds of version quality/v2.
func V2() Thresholds {
	var t Thresholds
	if err := json.Unmarshal(thresholdsV2, &t); err != nil {
		panic(err) // part of the program; a test reads it
	}
	return t
}

// Measures are what was measured on the picture, before any judgement.
type Measures struct {
	Focus   float64 // share of edge contrast lost to a further blur, in the sharper of the two directions; 0 to 1
	Motion  float64 // by how much the other direction is less, 0 to 1
	Noise   float64 // standard deviation in grey levels
	Blocks  float64 // steps at block borders over steps elsewhere, ≥ 1; see blocks
	Median  float64 // grey level 0–255
	Spread  float64 // 95th minus 5th percentile
	Black   float64 // share of pixels lost in black (below 6)
	White   float64 // share of pixels lost in white (above 249)
	Blocked float64 // share of obstructed tiles
}

// Measure looks at a brightness plane of w × h bytes, row by row.
func (t Thresholds) Measure(pix []uint8, w, h int) Measures {
	var m Measures
	if len(pix) != w*h || w < 32 || h < 32 {
		return m
	}
	m.light(pix)
	least := 1.0
	for _, d := range directions {
		v := edgeLoss(pix, w, h, d[0], d[1])
		m.Focus, least = math.Max(m.Focus, v), math.Min(least, v)
	}
	m.Motion = m.Focus - least
	m.Blocks = blocks(pix, w, h)
	m.Noise = noise(pix, w, h)
	m.Blocked = t.blocked(pix, w, h)
	return m
}

func (m *Measures) light(pix []uint8) {
	var hist [256]int
	for _, v := range pix {
		hist[v]++
	}
	n := len(pix)
	at := func(q float64) float64 {
		left := int(q * float64(n))
		for v, c := range hist {
			if left -= c; left < 0 {
				return float64(v)
			}
		}
		return 255
	}
	m.Median, m.Spread = at(.5), at(.95)-at(.05)
	black, white := 0, 0
	for v := range 6 {
		black += hist[v]
		white += hist[255-v]
	}
	m.Black, m.White = float64(black)/float64(n), float64(white)/float64(n)
}

// blurRadius of the further blur: 9 pixels in all, as in Crete et al., "The blur effect" (2007).
const blurRadius = 4

// directions in which blur is looked for: along rows, columns and both diagonals.
var directions = [4][2]int{{1, 0}, {0, 1}, {1, 1}, {-1, 1}}

// edgeLoss is the share of the differences between neighbours along (dx, dy) that a further blur along it destroys: near
// 1 for a sharp picture, near 0 for one already blurred (Crete et al. give one minus it). Every second line counts.
func edgeLoss(pix []uint8, w, h, dx, dy int) float64 {
	var edges, lost int
	step := dy*w + dx
	line := func(x, y int) {
		n := 1 << 30 // pixels of the line that starts here
		switch {
		case dx > 0:
			n = w - x
		case dx < 0:
			n = x + 1
		}
		if dy > 0 {
			n = min(n, h-y)
		}
		if n < 4*blurRadius {
			return
		}
		base, sum := y*w+x, 0
		for i := range 2*blurRadius + 1 {
			sum += int(pix[base+i*step])
		}
		// at is the pixel in the middle; the window before it reached from at−5 to at+3.
		for at, end := base+(blurRadius+1)*step, base+(n-blurRadius)*step; at != end; at += step {
			b := int(pix[at+blurRadius*step]) - int(pix[at-(blurRadius+1)*step])
			d := (int(pix[at]) - int(pix[at-step])) * (2*blurRadius + 1)
			if d < 0 {
				d = -d
			}
			if b < 0 {
				b = -b
			}
			edges += d
			if d > b {
				lost += d - b
			}
		}
	}
	switch {
	case dy == 0:
		for y := 0; y < h; y += 2 {
			line(0, y)
		}
	case dx == 0:
		for x := 0; x < w; x += 2 {
			line(x, 0)
		}
	default:
		for x := 0; x < w; x += 2 {
			line(x, 0)
		}
		side := 0
		if dx < 0 {
			side = w - 1
		}
		for y := 2; y < h; y += 2 {
			line(side, y)
		}
	}
	if edges == 0 {
		return 0
	}
	return float64(lost) / float64(edges)
}

// blocks is how much larger the steps at the borders of 8-pixel blocks are than elsewhere: 1 where compression does not
// show. The grid is that of the file, so it is seen only in pictures that were not scaled.
func blocks(pix []uint8, w, h int) float64 {
	var at, off, nAt, nOff int
	count := func(i, j, k int) {
		d := int(pix[i]) - int(pix[j])
		if d < 0 {
			d = -d
		}
		d = min(d, 24) // edges of things are larger, and no fault
		if k%8 == 0 {
			at, nAt = at+d, nAt+1
		} else {
			off, nOff = off+d, nOff+1
		}
	}
	for y := 0; y < h; y += 4 {
		for x := 1; x < w; x++ {
			count(y*w+x, y*w+x-1, x)
		}
	}
	for y := 1; y < h; y++ {
		for x := y & 3; x < w; x += 4 {
			count(y*w+x, (y-1)*w+x, y)
		}
	}
	if off == 0 || nAt == 0 {
		return 1
	}
	return math.Max(1, float64(at)/float64(nAt)/(float64(off)/float64(nOff)))
}

// noise is Immerkær's estimate (1996) over the flattest quarter of 16-pixel tiles, so that texture does not count.
// A picture clipped all over has no estimate, and gives 0.
func noise(pix []uint8, w, h int) float64 {
	var hist [4096]int // tiles by their mean absolute response, in eighths of a grey level
	tiles := 0
	for ty := 1; ty+17 <= h; ty += 16 {
		for tx := 1; tx+17 <= w; tx += 16 {
			sum, light := 0, 0
			for y := ty; y < ty+16; y++ {
				o := y*w + tx
				for i := o; i < o+16; i++ {
					light += int(pix[i])
					v := int(pix[i-w-1]) - 2*int(pix[i-w]) + int(pix[i-w+1]) -
						2*int(pix[i-1]) + 4*int(pix[i]) - 2*int(pix[i+1]) +
						int(pix[i+w-1]) - 2*int(pix[i+w]) + int(pix[i+w+1])
					if v < 0 {
						v = -v
					}
					sum += v
				}
			}
			if light < 16*256 || light > 239*256 {
				continue // clipping hides noise
			}
			hist[min(len(hist)-1, sum/32)]++
			tiles++
		}
	}
	left := tiles / 4
	for v, c := range hist {
		if left -= c; left < 0 {
			return (float64(v) + .5) / 8 * math.Sqrt(math.Pi/2) / 6
		}
	}
	return 0
}

// blocked is the share of tiles that something dark and featureless fills.
func (t Thresholds) blocked(pix []uint8, w, h int) float64 {
	const size = 32
	n, bad := 0, 0
	for ty := 0; ty+size <= h; ty += size {
		for tx := 0; tx+size <= w; tx += size {
			sum, diff := 0, 0
			for y := ty; y < ty+size; y++ {
				o := y*w + tx
				for i := o + 1; i < o+size; i++ {
					sum += int(pix[i])
					d := int(pix[i]) - int(pix[i-1])
					if d < 0 {
						d = -d
					}
					diff += d
				}
			}
			n++
			if float64(sum) < t.Clear.Dark*size*(size-1) && float64(diff) < t.Clear.Flat*size*(size-1) {
				bad++
			}
		}
	}
	return float64(bad) / float64(max(n, 1))
}

// Camera is what is known of how the frame was taken.
type Camera struct {
	Width    int        // of the upright picture, pixels
	FOV      float64    // horizontal field of view in degrees; 0 unknown, then an assumed one counts
	Accuracy geo.Meters // of the position; 0 unknown
}

// Rate judges measures. Each part is in parts per million; the score is their weighted geometric mean, so that a good
// part cannot buy off a bad one.
func (t Thresholds) Rate(m Measures, c Camera) survey.Quality {
	dark := 1 - t.NightMedian.at(m.Median)
	spread := t.Spread.ramp
	spread.Best -= dark * (t.Spread.Best - t.Spread.NightBest)
	clipped := m.White + m.Black*(1-dark/2) // black sky is no fault at night
	fov := c.FOV
	if fov <= 0 {
		fov = t.PxPerDegree.AssumedFOV
	}
	position := t.Position.Unknown
	if c.Accuracy > 0 {
		r := ramp{math.Log(t.Position.Worst), math.Log(t.Position.Best)}
		position = r.at(math.Log(float64(c.Accuracy)))
	}
	parts := struct{ sharpness, exposure, clear, resolution, position float64 }{
		t.Sharpness.at(m.Focus-m.Motion) * t.Blocks.at(m.Blocks),
		spread.at(m.Spread) * t.Clipped.at(clipped) * t.Noise.at(m.Noise),
		t.Clear.at(m.Blocked),
		t.PxPerDegree.at(float64(c.Width) / fov),
		position,
	}
	q := survey.Quality{
		Sharpness: ppm(parts.sharpness), Exposure: ppm(parts.exposure), Clear: ppm(parts.clear),
		Resolution: ppm(parts.resolution), Position: ppm(parts.position), Night: dark >= .5, Version: t.Version,
	}
	t.grade(&q, parts.sharpness, parts.exposure, parts.clear, parts.resolution, parts.position)
	return q
}

// grade sets the score and the letter.
func (t Thresholds) grade(q *survey.Quality, sharpness, exposure, clear, resolution, position float64) {
	w := t.Weights
	score := 1.0
	for _, p := range [][2]float64{{sharpness, w.Sharpness}, {exposure, w.Exposure}, {clear, w.Clear}, {resolution, w.Resolution}, {position, w.Position}} {
		score *= math.Pow(math.Max(p[0], 0.01), p[1])
	}
	q.Score = ppm(score)
	switch {
	case score >= t.Grades.A:
		q.Grade = "A"
	case score >= t.Grades.B:
		q.Grade = "B"
	case score >= t.Grades.C:
		q.Grade = "C"
	case score >= t.Grades.D:
		q.Grade = "D"
	default:
		q.Grade = "E"
	}
}

// ClearOf is what is left of the clear part, 0 to 1, when so much of the picture is held.
func (t Thresholds) ClearOf(share float64) float64 { return t.OnLens.at(share) }

// Obstruct takes off the rating of a frame what dirt on the lens hides: a share of the picture, 0 to 1, found over many
// frames (Held). A frame is obstructed once; a second time changes nothing.
func (t Thresholds) Obstruct(q survey.Quality, share float64) survey.Quality {
	if q.Held != 0 || share <= 0 {
		return q
	}
	q.Held = max(1, ppm(share))
	clear := q.Clear.Float() * t.ClearOf(share)
	q.Clear = ppm(clear)
	t.grade(&q, q.Sharpness.Float(), q.Exposure.Float(), clear, q.Resolution.Float(), q.Position.Float())
	return q
}

func ppm(f float64) survey.PPM { return survey.PPMOf(f) }

// Fit reports whether a frame is worth mapping with, and if not, which part rules it out.
func (t Thresholds) Fit(q survey.Quality) (bool, string) {
	switch {
	case q.Sharpness < ppm(t.Usable.Sharpness):
		return false, "sharpness"
	case q.Exposure < ppm(t.Usable.Exposure):
		return false, "exposure"
	case q.Clear < ppm(t.Usable.Clear):
		return false, "clear"
	case q.Score < ppm(t.Usable.Score):
		return false, "score"
	}
	return true, ""
}
