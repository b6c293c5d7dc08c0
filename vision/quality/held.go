package quality

import (
	"image"
	"math"
	"slices"
)

// Sketch is what one frame keeps for telling dirt on the lens from the scene: for each block of 16 × 16 pixels of the
// measured picture its mean brightness and how much detail it has.
type Sketch struct {
	W, H   int     // in blocks
	Light  []uint8 // mean grey level
	Detail []uint8 // mean step between neighbouring pixels, in quarters of a grey level
}

// sketchBlock is the side of a block in pixels of the picture that is measured (Thresholds.LumaWidth).
const sketchBlock = 16

// Draw makes the sketch of a brightness plane of w × h bytes. A picture of less than 8 blocks a side has none.
func Draw(pix []uint8, w, h int) (Sketch, bool) {
	s := Sketch{W: w / sketchBlock, H: h / sketchBlock}
	if s.W < 8 || s.H < 8 || s.W > 255 || s.H > 255 || len(pix) != w*h {
		return Sketch{}, false
	}
	n := s.W * s.H
	light, detail := make([]int, n), make([]int, n)
	for y := range s.H * sketchBlock {
		row := pix[y*w : (y+1)*w]
		below := row
		if y+1 < h {
			below = pix[(y+1)*w : (y+2)*w]
		}
		b := y / sketchBlock * s.W
		for x := range s.W * sketchBlock {
			v := int(row[x])
			dx, dy := int(row[min(x+1, w-1)])-v, int(below[x])-v
			light[b+x/sketchBlock] += v
			detail[b+x/sketchBlock] += max(dx, -dx) + max(dy, -dy)
		}
	}
	s.Light, s.Detail = make([]uint8, n), make([]uint8, n)
	for i := range n {
		const px = sketchBlock * sketchBlock
		s.Light[i] = uint8((light[i] + px/2) / px)
		s.Detail[i] = uint8(min(255, (2*detail[i]+px/2)/px))
	}
	return s, true
}

// Bytes is the sketch as it is stored; ParseSketch reads it.
func (s Sketch) Bytes() []byte {
	return slices.Concat([]byte{byte(s.W), byte(s.H)}, s.Light, s.Detail)
}

// ParseSketch reads what Bytes wrote; ok is false for anything else.
func ParseSketch(b []byte) (s Sketch, ok bool) {
	if len(b) < 2 || len(b) != 2+2*int(b[0])*int(b[1]) {
		return s, false
	}
	n := int(b[0]) * int(b[1])
	return Sketch{int(b[0]), int(b[1]), b[2 : 2+n], b[2+n:]}, true
}

// Spot is a part of the picture where the lens, not the scene, is seen.
type Spot struct {
	Share float64 // of the picture
	Where string  // "lower left", in words of the upright picture
	// Box in shares of the picture's width and height, thousandths, from the top left.
	Box image.Rectangle
}

// Held finds what stays at the same place of the picture while the scene changes: dirt, drops, stickers, a wiper at rest,
// the reflection of what lies on the dashboard. The sketches are of frames of one drive in order, metres apart; fewer
// than the thresholds ask for, or of different sizes, give nothing. It is a pure function of them.
//
// Two things give a spot away. Its detail does not change, in either half of the frames, although all around it does:
// what covers or blurs the view does that. Or it is lighter or darker than its surroundings, always by the same amount.
// Sky, road and horizon are steady too, so a spot must be compact, its surroundings must not be like it, and it must not touch
// the upper edge. Scenes that hardly change say nothing.
func (t Thresholds) Held(seen []Sketch) []Spot {
	if len(seen) < t.OnLens.Frames {
		return nil
	}
	w, h := seen[0].W, seen[0].H
	for _, s := range seen {
		if s.W != w || s.H != h || len(s.Light) != w*h || len(s.Detail) != w*h {
			return nil
		}
	}
	return t.spots(w, h, seen)
}

// lens is what many sketches say about each block.
type lens struct {
	w, h   int
	stir   [2][]float64 // change of detail from frame to frame in each half, grey levels
	around [2][]float64 // its median in the neighbourhood
	mean   []float64    // by how much it is lighter than its neighbourhood
	stands []float64    // that, over its standard deviation plus one grey level
}

func (t Thresholds) lens(w, h int, seen []Sketch) lens {
	n := w * h
	l := lens{w: w, h: h, mean: make([]float64, n), stands: make([]float64, n)}
	half := len(seen) / 2
	for k, part := range [2][]Sketch{seen[:half], seen[half:]} {
		sum := make([]int, n)
		for j := 1; j < len(part); j++ {
			for i := range n {
				d := int(part[j].Detail[i]) - int(part[j-1].Detail[i])
				sum[i] += max(d, -d)
			}
		}
		l.stir[k] = make([]float64, n)
		for i, v := range sum {
			l.stir[k][i] = float64(v) / 4 / float64(len(part)-1)
		}
		l.around[k] = medians(l.stir[k], w, h, 7)
	}
	// Residuals in 1/81 of a grey level, so that sums are whole numbers.
	sum, square := make([]int64, n), make([]int64, n)
	for _, s := range seen {
		b := sums9(s.Light, w, h)
		for i, v := range s.Light {
			r := int64(v)*81 - int64(b[i])
			sum[i] += r
			square[i] += r * r
		}
	}
	m := float64(len(seen))
	for i := range n {
		mean := float64(sum[i]) / m
		sd := math.Sqrt(math.Max(0, float64(square[i])/m-mean*mean))
		l.mean[i] = mean / 81
		l.stands[i] = math.Abs(mean) / (sd + 81)
	}
	return l
}

// sums9 is the sum over 9 × 9 blocks around each; blocks beyond the edge are mirrored.
func sums9(v []uint8, w, h int) []int {
	const r = 4
	mirror := func(i, n int) int {
		if i < 0 {
			i = -i - 1
		}
		if i >= n {
			i = 2*n - 1 - i
		}
		return i
	}
	rows := make([]int, w*h)
	for y := range h {
		for x := range w {
			for d := -r; d <= r; d++ {
				rows[y*w+x] += int(v[y*w+mirror(x+d, w)])
			}
		}
	}
	out := make([]int, w*h)
	for y := range h {
		for x := range w {
			for d := -r; d <= r; d++ {
				out[y*w+x] += rows[mirror(y+d, h)*w+x]
			}
		}
	}
	return out
}

// medians over squares of 2r+1 blocks, cut at the edge.
func medians(v []float64, w, h, r int) []float64 {
	out := make([]float64, len(v))
	var near []float64
	for y := range h {
		for x := range w {
			near = near[:0]
			for j := max(0, y-r); j <= min(h-1, y+r); j++ {
				near = append(near, v[j*w+max(0, x-r):j*w+min(w, x+r+1)]...)
			}
			out[y*w+x] = quantile(near, .5)
		}
	}
	return out
}

// quantile sorts v.
func quantile(v []float64, q float64) float64 {
	slices.Sort(v)
	return v[int(q*float64(len(v)-1))]
}

// spots joins what both signs give.
func (t Thresholds) spots(w, h int, seen []Sketch) []Spot {
	l := t.lens(w, h, seen)
	mask := make([]bool, w*h)
	for _, p := range l.still(t) {
		if p.compact(w, h) && l.livelyAround(p, t) {
			p.mark(mask)
		}
	}
	for _, p := range l.standing(t) {
		if p.compact(w, h) && l.aloneStanding(p, t) {
			p.mark(mask)
		}
	}
	var out []Spot
	for _, p := range pieces(mask, w, h) {
		out = append(out, p.spot(w, h))
	}
	return out
}

// piece is blocks that hang together.
type piece struct {
	at     []int // rising
	x0, y0 int
	x1, y1 int // exclusive
	w      int
}

// pieces of the mask, joined by sides, in the order of their first block.
func pieces(mask []bool, w, h int) (out []piece) {
	seen := make([]bool, len(mask))
	for start, on := range mask {
		if !on || seen[start] {
			continue
		}
		p := piece{x0: w, y0: h, w: w}
		seen[start] = true
		for stack := []int{start}; len(stack) > 0; {
			i := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			x, y := i%w, i/w
			p.at = append(p.at, i)
			p.x0, p.y0, p.x1, p.y1 = min(p.x0, x), min(p.y0, y), max(p.x1, x+1), max(p.y1, y+1)
			for _, n := range [4][3]int{{i - 1, x - 1, y}, {i + 1, x + 1, y}, {i - w, x, y - 1}, {i + w, x, y + 1}} {
				if n[1] >= 0 && n[1] < w && n[2] >= 0 && n[2] < h && mask[n[0]] && !seen[n[0]] {
					seen[n[0]] = true
					stack = append(stack, n[0])
				}
			}
		}
		slices.Sort(p.at)
		out = append(out, p)
	}
	return out
}

func (p piece) mark(mask []bool) {
	for _, i := range p.at {
		mask[i] = true
	}
}

// compact leaves out lines, and what reaches over half of the picture.
func (p piece) compact(w, h int) bool {
	pw, ph := p.x1-p.x0, p.y1-p.y0
	return 2*pw <= w && 2*ph <= h && pw <= 4*ph && ph <= 4*pw && 5*len(p.at) >= 2*pw*ph
}

// ring is the blocks two and three away from the piece.
func (p piece) ring(w, h int) []int {
	dist := map[int]int{}
	edge := p.at
	for _, i := range edge {
		dist[i] = 0
	}
	var out []int
	for d := 1; d <= 3; d++ {
		var next []int
		for _, i := range edge {
			x, y := i%w, i/w
			for dy := -1; dy <= 1; dy++ {
				for dx := -1; dx <= 1; dx++ {
					if x+dx < 0 || y+dy < 0 || x+dx >= w || y+dy >= h {
						continue
					}
					j := i + dy*w + dx
					if _, ok := dist[j]; !ok {
						dist[j] = d
						next = append(next, j)
						if d > 1 {
							out = append(out, j)
						}
					}
				}
			}
		}
		edge = next
	}
	return out
}

func pick(v []float64, at []int) []float64 {
	out := make([]float64, len(at))
	for k, i := range at {
		out[k] = v[i]
	}
	return out
}

// still are the pieces whose detail does not change while that of their neighbourhood does.
func (l lens) still(t Thresholds) (out []piece) {
	mask := make([]bool, l.w*l.h)
	for i := range mask {
		mask[i] = true
		for k := range l.stir {
			near := l.around[k][i]
			mask[i] = mask[i] && near >= t.OnLens.Lively && l.stir[k][i] < t.OnLens.Still*near
		}
	}
	for _, p := range pieces(mask, l.w, l.h) {
		if float64(len(p.at)) >= t.OnLens.Least*float64(l.w*l.h) {
			out = append(out, p)
		}
	}
	return out
}

// livelyAround reports a piece with much more change all around it, in both halves. At the upper edge the sky is like that.
func (l lens) livelyAround(p piece, t Thresholds) bool {
	ring := p.ring(l.w, l.h)
	if p.y0 == 0 || len(ring) == 0 {
		return false
	}
	most := t.OnLens.Ring
	if p.x0 == 0 || p.x1 == l.w || p.y1 == l.h {
		most = t.OnLens.EdgeRing
	}
	for k := range l.stir {
		if quantile(pick(l.stir[k], p.at), .5) > most*quantile(pick(l.stir[k], ring), .25) {
			return false
		}
	}
	return true
}

// standing are the pieces that are always lighter, or always darker, than their neighbourhood, if the scene is not like
// that as a whole. A dark spot makes what surrounds it light by comparison: of two where one holds the other the fainter
// is left out.
func (l lens) standing(t Thresholds) (out []piece) {
	dark, light := make([]bool, l.w*l.h), make([]bool, l.w*l.h)
	n := 0
	for i, m := range l.mean {
		if l.stands[i] < t.OnLens.Stands || math.Abs(m) < t.OnLens.Step {
			continue
		}
		n++
		dark[i], light[i] = m < 0, m > 0
	}
	if float64(n) > t.OnLens.Calm*float64(l.w*l.h) {
		return nil
	}
	all := append(pieces(dark, l.w, l.h), pieces(light, l.w, l.h)...)
	for _, p := range all {
		if float64(len(p.at)) < t.OnLens.Least*float64(l.w*l.h) {
			continue
		}
		halo := slices.ContainsFunc(all, func(o piece) bool { return o.box().In(p.box()) && l.strength(o) > l.strength(p) })
		if !halo {
			out = append(out, p)
		}
	}
	return out
}

func (p piece) box() image.Rectangle { return image.Rect(p.x0, p.y0, p.x1, p.y1) }

// strength is by how much a piece differs from its neighbourhood, in grey levels.
func (l lens) strength(p piece) float64 {
	sum := 0.0
	for _, i := range p.at {
		sum += math.Abs(l.mean[i])
	}
	return sum / float64(len(p.at))
}

// aloneStanding reports a piece whose surroundings are not lighter or darker in the same way.
func (l lens) aloneStanding(p piece, t Thresholds) bool {
	ring := p.ring(l.w, l.h)
	if p.y0 == 0 || len(ring) == 0 {
		return false
	}
	sign := 0.0
	for _, i := range p.at {
		sign += l.mean[i]
	}
	same := make([]float64, len(ring))
	for k, i := range ring {
		if l.mean[i]*sign > 0 {
			same[k] = l.stands[i]
		}
	}
	return quantile(same, .75) < t.OnLens.Stands/2
}

func (p piece) spot(w, h int) Spot {
	sx, sy := 0, 0
	for _, i := range p.at {
		sx += i % w
		sy += i / w
	}
	n := len(p.at)
	return Spot{Share: float64(n) / float64(w*h), Where: where(float64(sx)/float64(n)/float64(w), float64(sy)/float64(n)/float64(h)),
		Box: image.Rect(p.x0*1000/w, p.y0*1000/h, p.x1*1000/w, p.y1*1000/h)}
}

func where(x, y float64) string {
	k := [2]int{min(2, int(3*x)), min(2, int(3*y))}
	return [3][3]string{{"upper left", "top", "upper right"}, {"left", "centre", "right"}, {"lower left", "bottom", "lower right"}}[k[1]][k[0]]
}
