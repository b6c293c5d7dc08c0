package build

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"slices"
)

// Raster draws the polygons of a build as PNG pictures instead of encoding vector tiles. Features are painted in order,
// each in one colour, the pixels whose centre lies inside: neighbours share an edge without gap or overlap.
type Raster struct {
	Size    int           // pixels to a tile's side; 0 means 256
	Palette color.Palette // index 0 is where nothing is
	// Color is the palette index of feature i of a layer; rank is what Begin was given.
	Color func(rank int64) uint8
}

func (r *Raster) size() int {
	if r.Size == 0 {
		return 256
	}
	return r.Size
}

// paint draws a node; nil when no pixel was touched.
func (w *worker) paint(n *node, r *Raster) ([]byte, error) {
	size := r.size()
	img := image.NewPaletted(image.Rect(0, 0, size, size), r.Palette)
	drawn := false
	side := float64(int64(1) << (worldBits - n.z))
	ox, oy, scale := float64(n.x)*side, float64(n.y)*side, float64(size)/side
	var xs []float64
	for i, items := range n.items {
		l := &w.b.layers[i]
		if n.z < l.MinZoom || n.z > l.MaxZoom {
			continue
		}
		f := l.Features
		for _, it := range items {
			if f.kind[it.f] != Polygon {
				continue
			}
			s := it.s
			if s == nil {
				s = f.shape(it.f)
			}
			c := r.Color(f.rank[it.f])
			y0 := max(0, int((float64(s.box.y0)-oy)*scale))
			y1 := min(size-1, int((float64(s.box.y1)-oy)*scale))
			for y := y0; y <= y1; y++ {
				cy := float64(y) + .5
				xs = xs[:0]
				for p := range s.hole {
					xy, _ := s.part(p)
					for k, a := range xy {
						b := xy[(k+1)%len(xy)]
						ay, by := (float64(a.Y)-oy)*scale, (float64(b.Y)-oy)*scale
						if (ay <= cy) == (by <= cy) {
							continue
						}
						ax, bx := (float64(a.X)-ox)*scale, (float64(b.X)-ox)*scale
						xs = append(xs, ax+float64((bx-ax)*((cy-ay)/(by-ay))))
					}
				}
				slices.Sort(xs)
				for k := 0; k+1 < len(xs); k += 2 {
					// Centres x+.5 in [xs[k], xs[k+1]).
					for x := max(0, ceil(xs[k]-.5)); x < min(size, ceil(xs[k+1]-.5)); x++ {
						img.Pix[y*img.Stride+x] = c
						drawn = true
					}
				}
			}
		}
	}
	if !drawn {
		return nil, nil
	}
	var out bytes.Buffer
	enc := png.Encoder{BufferPool: &w.png}
	err := enc.Encode(&out, img)
	return out.Bytes(), err
}

// pngBuffer keeps the encoder's state of one goroutine.
type pngBuffer struct{ b *png.EncoderBuffer }

func (p *pngBuffer) Get() *png.EncoderBuffer  { return p.b }
func (p *pngBuffer) Put(b *png.EncoderBuffer) { p.b = b }

func ceil(v float64) int {
	i := int(v)
	if float64(i) < v {
		i++
	}
	return i
}
