// Package redact makes regions of a picture unreadable for good.
//
// The method is a solid rectangle: the detector's whole box, enlarged by a margin and rounded outwards, filled with one
// colour taken from what surrounds it. It cannot be undone, because no pixel inside the rectangle takes part in any
// value that is written: the result is the same whatever was there. Blurs and mosaics of plates and faces are functions
// of what they hide, and text of a known typeface has been read back from both. An ellipse inside the box is not used:
// it leaves 21 % of the box, its corners, where a plate's first and last characters are.
package redact

import (
	"image"
	"math"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/vision/cv"
)

// Method names what Apply does, in redaction records. It changes when the pixels would.
const Method = "solid-surround-v1"

// minMargin is added on each side at least, in pixels: detectors are off by a pixel or two whatever the box's size, and
// JPEG spreads chroma over two.
const minMargin = 2

// Regions gives the rectangles that Apply covers: each box enlarged on each side by margin × its own size, at least two
// pixels, rounded outwards and clipped to w × h. Order follows boxes; boxes outside the picture give none.
func Regions(boxes []survey.Box, margin float64, w, h int) []image.Rectangle {
	out := make([]image.Rectangle, 0, len(boxes))
	for _, b := range boxes {
		dx, dy := math.Max(b.W*margin, minMargin), math.Max(b.H*margin, minMargin)
		r := image.Rect(
			int(math.Floor(b.X-dx)), int(math.Floor(b.Y-dy)),
			int(math.Ceil(b.X+b.W+dx)), int(math.Ceil(b.Y+b.H+dy)),
		).Intersect(image.Rect(0, 0, w, h))
		if !r.Empty() {
			out = append(out, r)
		}
	}
	return out
}

// Apply covers the boxes in the picture.
func Apply(im *cv.Image, boxes []survey.Box, margin float64) {
	im.Cover(Regions(boxes, margin, im.Width(), im.Height()))
}
