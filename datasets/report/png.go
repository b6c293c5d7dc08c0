package report

import (
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"strconv"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Pictures names the pictures in the order of the page: coverage, freshness, quality, rejections, pay.
func (r *Report) Pictures() []string {
	var out []string
	for _, f := range r.figures {
		out = append(out, f.name)
	}
	return out
}

// PNG writes one of the Pictures on white, 1,480 pixels wide. It stands alone: heading, key, values and what it was drawn
// from are in it. Letters that the Go fonts lack (they have Latin, Greek and Cyrillic) show as boxes.
func (r *Report) PNG(name string, w io.Writer) error {
	for _, f := range r.figures {
		if f.name != name {
			continue
		}
		m, err := r.picture(f)
		if err != nil {
			return err
		}
		return (&png.Encoder{CompressionLevel: png.DefaultCompression}).Encode(w, m)
	}
	return survey.Errorf(survey.NotFound, "the report has no picture %q", name).WithHint("it has %s", strings.Join(r.Pictures(), ", "))
}

// Measures of a picture, in units of the page; density is pixels in a unit.
const (
	margin  = 20
	density = 2
	wide    = barLeft + barWidth + barRight // without the margins
	top     = 74                            // heading and text below it
	bottom  = 40                            // source
)

var (
	ink, grey = color.RGBA{0x22, 0x22, 0x22, 255}, color.RGBA{0x5f, 0x5f, 0x5f, 255}
	teal      = color.RGBA{0x3b, 0x7d, 0x8c, 255}
)

type faces struct{ heading, text, small font.Face }

// newFaces are the fonts of one picture: a face keeps a buffer for the glyph that is drawn.
func newFaces() (out faces, err error) {
	for _, f := range []struct {
		to   *font.Face
		ttf  []byte
		size float64
	}{{&out.heading, gobold.TTF, 20}, {&out.text, goregular.TTF, 13}, {&out.small, goregular.TTF, 11}} {
		parsed, err := opentype.Parse(f.ttf)
		if err != nil {
			return out, err
		}
		if *f.to, err = opentype.NewFace(parsed, &opentype.FaceOptions{Size: f.size * density, DPI: 72, Hinting: font.HintingNone}); err != nil {
			return out, err
		}
	}
	return out, nil
}

type canvas struct {
	m *image.RGBA
	r vector.Rasterizer
}

// path fills a polygon whose corners are in units.
func (c *canvas) path(ring [][2]float64, fill color.RGBA) {
	at := func(p [2]float64) (x, y float32) { return float32(p[0] * density), float32(p[1] * density) }
	// The rasterizer takes as long as its area is large, so that it gets the shape's own box.
	x0, y0 := at(ring[0])
	x1, y1 := x0, y0
	for _, p := range ring {
		x, y := at(p)
		x0, y0, x1, y1 = min(x0, x), min(y0, y), max(x1, x), max(y1, y)
	}
	box := image.Rect(int(x0)-1, int(y0)-1, int(x1)+2, int(y1)+2)
	c.r.Reset(box.Dx(), box.Dy())
	for i, p := range ring {
		x, y := at(p)
		x, y = x-float32(box.Min.X), y-float32(box.Min.Y)
		if i == 0 {
			c.r.MoveTo(x, y)
		} else {
			c.r.LineTo(x, y)
		}
	}
	c.r.ClosePath()
	c.r.Draw(c.m, box, image.NewUniform(fill), image.Point{})
}

func (c *canvas) rect(x, y, w, h float64, fill color.RGBA) {
	c.path([][2]float64{{x, y}, {x + w, y}, {x + w, y + h}, {x, y + h}}, fill)
}

// text writes s with its baseline's start, or its end, at x and y.
func (c *canvas) text(face font.Face, x, y float64, s string, fill color.RGBA, end bool) {
	d := font.Drawer{Dst: c.m, Src: image.NewUniform(fill), Face: face, Dot: fixed.Point26_6{X: fixed.Int26_6(x * density * 64), Y: fixed.Int26_6(y * density * 64)}}
	if end {
		d.Dot.X -= d.MeasureString(s)
	}
	d.DrawString(s)
}

// fit shortens s to a width in units.
func fit(face font.Face, s string, width float64) string {
	most := fixed.Int26_6(width * density * 64)
	if font.MeasureString(face, s) <= most {
		return s
	}
	rs := []rune(s)
	for len(rs) > 1 && font.MeasureString(face, string(rs)+"…") > most {
		rs = rs[:len(rs)-1]
	}
	return string(rs) + "…"
}

// wrap breaks text into lines of at most a width in units, between words.
func wrap(face font.Face, s string, width float64) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		longer := strings.TrimSpace(line + " " + word)
		if line != "" && font.MeasureString(face, longer) > fixed.Int26_6(width*density*64) {
			lines = append(lines, line)
			longer = word
		}
		line = longer
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

func (r *Report) picture(f figure) (*image.RGBA, error) {
	fonts, err := newFaces()
	if err != nil {
		return nil, err
	}
	about := wrap(fonts.text, f.about, wide)
	above := float64(top + max(len(about)-1, 0)*18)
	inside := 24.0 // the line that says there is nothing
	switch {
	case len(f.shapes) > 0:
		inside = f.height + 34
	case len(f.bars) > 0:
		inside = float64(len(f.bars) * barStep)
	}
	c := &canvas{m: image.NewRGBA(image.Rect(0, 0, (wide+2*margin)*density, int((above+inside+bottom+margin)*density)))}
	draw.Draw(c.m, c.m.Bounds(), image.White, image.Point{}, draw.Src)
	c.text(fonts.heading, margin, margin+22, f.title, ink, false)
	for i, line := range about {
		c.text(fonts.text, margin, margin+44+float64(i)*18, line, grey, false)
	}
	switch {
	case len(f.shapes) > 0:
		left := margin + (wide-f.width)/2
		for _, s := range f.shapes {
			ring := make([][2]float64, len(s.ring))
			for i, p := range s.ring {
				ring[i] = [2]float64{left + p[0], above + p[1]}
			}
			c.path(ring, shade(s.fresh))
		}
		for i, x := range legend {
			at := margin + float64(i)*70
			c.rect(at, above+f.height+14, 16, 12, shade(x))
			c.text(fonts.text, at+22, above+f.height+25, strconv.Itoa(int(x*100))+" %", ink, false)
		}
	case len(f.bars) > 0:
		most := f.most()
		for i, b := range f.bars {
			y, n := above+float64(i*barStep)+2, b.length(most)
			c.text(fonts.text, margin+barLeft-8, y+14, fit(fonts.text, b.label, barLeft-8), ink, true)
			c.rect(margin+barLeft, y, n, barStep-4, teal)
			c.text(fonts.text, margin+barLeft+n+6, y+14, fit(fonts.text, f.said(b), barWidth+barRight+margin-n-6), ink, false)
		}
	default:
		c.text(fonts.text, margin, above+14, f.none, grey, false)
	}
	c.text(fonts.small, margin, above+inside+bottom, fit(fonts.small, r.title+". "+r.source(), wide), grey, false)
	return c.m, nil
}
