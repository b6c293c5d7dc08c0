// Package features finds what stands beside the road, signs and text, in single frames (Finder) and places it on the map
// from several frames of a drive (Place).
//
// Signs are found by colour and outline, not by a network: see README.md of vision for how many, and for what is not seen.
// Nothing here decides what is published; the caller drops what touches a redacted region, since plates are text too.
package features

import (
	"context"
	"math"
	"slices"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/vision/cv"
	"github.com/roadcomb/roadcomb/vision/detect"
	"github.com/roadcomb/roadcomb/vision/models"
)

// SignModel names the sign finder in sightings. It changes when what it finds does.
const SignModel = "colour-outline-v1"

// TextModel names, in the manifest, the network that finds text.
const TextModel = "ppocrv4-det"

// ForText gives a set that holds TextModel the passes that text is looked for with here: fewer than where it stands in for
// a plate detector, because text far off is on no map.
func ForText(s models.Set) models.Set {
	s.Models = slices.Clone(s.Models)
	for i := range s.Models {
		s.Models[i].Passes = []models.Pass{{Scale: 1, MaxMpx: 1}, {Scale: 0.5, MinMpx: 1}}
	}
	return s
}

// Finder looks at pictures. It is safe for concurrent use.
type Finder struct {
	Text *detect.Guard // finds text; nil finds none
}

// Spot gives the signs of a picture, and its text when asked to, in pixels of the picture.
func (f *Finder) Spot(ctx context.Context, im *cv.Image, text bool) ([]survey.Sighting, error) {
	out := Signs(im)
	if !text || f.Text == nil {
		return out, nil
	}
	boxes, err := f.Text.Detect(ctx, im)
	if err != nil {
		return nil, err
	}
	for _, b := range boxes {
		s := survey.Sighting{Class: survey.ClassText, Model: b.Model, Confidence: survey.PPMOf(b.Confidence)}
		s.X, s.Y = int(b.X), int(b.Y)
		s.W, s.H = int(math.Ceil(b.X+b.W))-s.X, int(math.Ceil(b.Y+b.H))-s.Y
		out = append(out, s)
	}
	return out, nil
}

// leastSign is the height in pixels below which outlines mean nothing.
const leastSign = 12

// Signs gives what looks like a road sign by its colour and outline.
func Signs(im *cv.Image) []survey.Sighting {
	var out []survey.Sighting
	for _, p := range im.Patches(leastSign, im.Height()/3) {
		kind, sure := judge(p)
		if kind == "" {
			continue
		}
		out = append(out, survey.Sighting{Class: survey.ClassSign, Kind: kind, Model: SignModel, Confidence: survey.PPMOf(sure),
			X: p.Box.Min.X, Y: p.Box.Min.Y, W: p.Box.Dx(), H: p.Box.Dy()})
	}
	return out
}

// judge says which kind of sign a patch is, or "", and how sure that is, 0 to 1.
func judge(p cv.Patch) (survey.FeatureKind, float64) {
	aspect := float64(p.Box.Dx()) / float64(p.Box.Dy())
	if aspect < 0.6 || aspect > 1.5 {
		return "", 0
	}
	// near is 1 at want and 0 at off away from it.
	near := func(v, want, off float64) float64 { return math.Max(0, 1-math.Abs(v-want)/off) }
	circle := near(p.Round, 0.96, 0.14) * near(p.Extent, 0.79, 0.12) * near(aspect, 1, 0.45)
	triangle := near(p.Round, 0.62, 0.12) * near(p.Extent, 0.53, 0.13)
	square := near(p.Round, 0.80, 0.12) * near(p.Extent, 0.96, 0.2) * near(aspect, 1, 0.45)
	diamond := near(p.Round, 0.79, 0.12) * near(p.Extent, 0.53, 0.12) * near(aspect, 1, 0.35)
	vivid := math.Min(1, p.Density/0.6)
	var kind survey.FeatureKind
	var fit float64
	take := func(k survey.FeatureKind, ok bool, f float64) {
		if ok && f > fit {
			kind, fit = k, f
		}
	}
	switch p.Colour {
	case "red":
		open := p.Pale > 0.15 && p.Filled > 0.12 && p.Filled < 0.8
		take(survey.KindRedRing, open, circle)
		take(survey.KindRedTriangle, open, triangle)
		take(survey.KindRedFull, p.Filled >= 0.6 && p.Pale > 0.04 && p.Pale < 0.4, circle)
	case "blue":
		printed := p.Filled > 0.45 && p.Pale > 0.05 && p.Pale < 0.5
		take(survey.KindBlue, printed, math.Max(circle, square))
	case "yellow":
		take(survey.KindYellow, p.Filled > 0.6, diamond)
	}
	sure := math.Sqrt(fit) * vivid
	if sure < 0.45 {
		return "", 0
	}
	return kind, math.Min(1, sure)
}
