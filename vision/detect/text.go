package detect

import (
	"math"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/vision/infer"
	"github.com/roadcomb/roadcomb/vision/models"
)

// Values of PP-OCR's own post-processing (PaddleOCR, DBPostProcess): a pixel is text above textPixel; a region shrunk by
// training grows back by area × textGrow / perimeter on each side.
const (
	textPixel = 0.3
	textGrow  = 1.6
)

// plateSized keeps text that could be a number plate: at least 6 px high, no higher than an eighth of the picture, and
// between nearly square (two-line plates) and ten times as wide as high.
func plateSized(b survey.Box, pictureHeight int) bool {
	r := b.W / b.H
	return b.H >= 6 && b.H <= float64(pictureHeight)/8 && r >= 0.8 && r <= 10
}

// readTextMap reads KindTextMap: upright rectangles around the connected regions of the text map.
func readTextMap(m models.Model, _ float64, out []infer.Tensor, emit func(survey.Box)) error {
	if len(out) != 1 || len(out[0].Shape) != 4 || out[0].Shape[0] != 1 || out[0].Shape[1] != 1 {
		return survey.Errorf(survey.Unsupported, "model %s does not answer with one map", m.Name)
	}
	h, w := int(out[0].Shape[2]), int(out[0].Shape[3])
	p := out[0].Data
	seen := make([]bool, len(p))
	var stack []int
	for start, v := range p {
		if v < textPixel || seen[start] {
			continue
		}
		x0, y0, x1, y1, n, sum := w, h, 0, 0, 0, 0.0
		seen[start] = true
		for stack = append(stack[:0], start); len(stack) > 0; {
			i := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			x, y := i%w, i/w
			x0, y0, x1, y1 = min(x0, x), min(y0, y), max(x1, x+1), max(y1, y+1)
			n++
			sum += float64(p[i])
			for _, j := range [4]int{i - 1, i + 1, i - w, i + w} {
				if j < 0 || j >= len(p) || seen[j] || p[j] < textPixel || (j == i-1 && x == 0) || (j == i+1 && x == w-1) {
					continue
				}
				seen[j] = true
				stack = append(stack, j)
			}
		}
		conf := sum / float64(n)
		if n < 9 || conf < m.Thresholds[survey.ClassText] {
			continue
		}
		bw, bh := float64(x1-x0), float64(y1-y0)
		d := bw * bh * textGrow / (2 * (bw + bh))
		emit(survey.Box{Class: survey.ClassText, X: float64(x0) - d, Y: float64(y0) - d, W: bw + 2*d, H: bh + 2*d, Confidence: math.Min(conf, 1), Model: m.Name})
	}
	return nil
}
