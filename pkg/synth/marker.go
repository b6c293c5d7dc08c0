package synth

import (
	"image"
	"image/color"
	"math/rand/v2"
	"slices"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Marker stands for a face or a plate in simulated footage: a patch of a colour that no scene has, whose light and dark
// squares spell 16 bits. Whoever can read the bits from a picture could have recognised the person. A detector for
// markers is in benchmarks/fleet; real detectors do not find them.
type Marker struct {
	Class survey.Class `json:"class"` // face (4 × 4 squares) or plate (8 × 2)
	X     int          `json:"x"`     // top left in pixels, a multiple of MarkerSquare
	Y     int          `json:"y"`
	Bits  uint16       `json:"bits"`
}

// MarkerSquare is the side of one square in pixels.
const MarkerSquare = 8

// grid is the columns and rows of squares.
func (m Marker) grid() (cols, rows int) {
	if m.Class == survey.ClassPlate {
		return 8, 2
	}
	return 4, 4
}

// Bounds is the patch in pixels.
func (m Marker) Bounds() image.Rectangle {
	c, r := m.grid()
	return image.Rect(m.X, m.Y, m.X+c*MarkerSquare, m.Y+r*MarkerSquare)
}

// Draw paints the patch.
func (m Marker) Draw(img *image.RGBA) {
	dark, light := color.RGBA{170, 0, 170, 255}, color.RGBA{255, 70, 255, 255}
	if m.Class == survey.ClassPlate {
		dark, light = color.RGBA{0, 170, 170, 255}, color.RGBA{70, 255, 255, 255}
	}
	cols, rows := m.grid()
	for i := range cols * rows {
		c := dark
		if m.Bits>>i&1 == 1 {
			c = light
		}
		x, y := m.X+i%cols*MarkerSquare, m.Y+i/cols*MarkerSquare
		fill(img, image.Rect(x, y, x+MarkerSquare, y+MarkerSquare), c)
	}
}

// Legible reports whether the bits can be read from img, a picture of w × h pixels originally, at any size: at least 14
// of the 16 are right, light squares stand out from dark ones, and most squares still have a marker's colour. Chance gives
// the bits once in 480 tries, but not the colour.
func (m Marker) Legible(img image.Image, w, h int) bool {
	b := img.Bounds()
	cols, rows := m.grid()
	var luma [16]float64
	coloured := 0
	for i := range cols * rows {
		x, y := m.X+i%cols*MarkerSquare, m.Y+i/cols*MarkerSquare
		// The middle of the square, away from its neighbours.
		x0, x1 := b.Min.X+(x+2)*b.Dx()/w, b.Min.X+(x+MarkerSquare-2)*b.Dx()/w
		y0, y1 := b.Min.Y+(y+2)*b.Dy()/h, b.Min.Y+(y+MarkerSquare-2)*b.Dy()/h
		n, chroma := 0.0, 0.0
		for py := y0; py <= max(y0, y1-1); py++ {
			for px := x0; px <= max(x0, x1-1); px++ {
				r, g, bl, _ := img.At(px, py).RGBA()
				if chroma += float64(r) + float64(bl) - 2*float64(g); m.Class == survey.ClassPlate {
					chroma += 3*float64(g) - 3*float64(r)
				}
				luma[i] += (0.299*float64(r) + 0.587*float64(g) + 0.114*float64(bl)) / 257
				n++
			}
		}
		luma[i] /= n
		if chroma/n/257 >= 200 { // a marker has 340 or more, scenes and what redaction leaves have less than 180
			coloured++
		}
	}
	lo, hi := slices.Min(luma[:]), slices.Max(luma[:])
	if hi-lo < 20 || coloured < 9 {
		return false
	}
	right := 0
	for i, v := range luma {
		if (v > (lo+hi)/2) == (m.Bits>>i&1 == 1) {
			right++
		}
	}
	return right >= 14
}

// Markers places up to three markers in a picture of w × h pixels, none overlapping another, by seed. Their bits are
// never all alike, so that what is legible is always something.
func Markers(w, h int, seed uint64) []Marker {
	r := rand.New(rand.NewPCG(seed, 0x6d61726b6572)) // #nosec G404 -- the same seed draws the same picture
	var out []Marker
	for range r.IntN(4) {
		m := Marker{Class: survey.ClassFace, Bits: uint16(1 + r.IntN(1<<16-2))}
		if r.IntN(2) == 0 {
			m.Class = survey.ClassPlate
		}
		box := m.Bounds()
		m.X = r.IntN(max(1, (w-box.Dx())/MarkerSquare)) * MarkerSquare
		m.Y = r.IntN(max(1, (h-box.Dy())/MarkerSquare)) * MarkerSquare
		room := m.Bounds().Inset(-2 * MarkerSquare)
		if !slices.ContainsFunc(out, func(o Marker) bool { return o.Bounds().Overlaps(room) }) {
			out = append(out, m)
		}
	}
	return out
}
