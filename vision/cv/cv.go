// Package cv is roadcomb's only door to OpenCV: decode, orient, scale, cover, encode.
//
// Nothing of OpenCV's leaves it. An Image owns native memory that the garbage collector does not see, so every Image,
// Blob and Film must be closed; a build with the tag matprofile counts the ones that were not. The package decides
// nothing about quality or privacy, and it never trusts a file: sizes are read from the header and checked before a
// single pixel is decoded, because OpenCV allocates what a header declares and a C++ exception ends the process.
package cv

import (
	"fmt"
	"image"

	"gocv.io/x/gocv"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Limits bound what Decode accepts. The zero value means the defaults.
type Limits struct {
	MaxPixels int // width × height; 0 means 64 million
	MinSide   int // shortest side in pixels; 0 means 64
}

func (l Limits) orDefault() Limits {
	if l.MaxPixels <= 0 {
		l.MaxPixels = 64 << 20
	}
	if l.MinSide <= 0 {
		l.MinSide = 64
	}
	return l
}

// Image is an upright picture, 8-bit BGR, in native memory. It is not safe for concurrent writes. Close it.
type Image struct{ m gocv.Mat }

// Decode reads a JPEG or PNG and turns it upright by its EXIF orientation, exactly once. The error is Invalid for
// damaged bytes (ErrDamaged), too many pixels (ErrTooManyPixels) or too few (ErrTooSmall), and Unsupported for other
// formats. The header is returned also with ErrTooManyPixels and ErrTooSmall.
func Decode(b []byte, l Limits) (*Image, Header, error) {
	l = l.orDefault()
	h, err := Probe(b)
	if err != nil {
		return nil, h, err
	}
	if h.Width > l.MaxPixels/h.Height {
		return nil, h, fmt.Errorf("%w: %d × %d, limit %d", ErrTooManyPixels, h.Width, h.Height, l.MaxPixels)
	}
	if min(h.Width, h.Height) < l.MinSide {
		return nil, h, fmt.Errorf("%w: %d × %d, shortest side at least %d", ErrTooSmall, h.Width, h.Height, l.MinSide)
	}
	// OpenCV's own orientation is switched off: it would be applied or not depending on how the library was built.
	m, err := gocv.IMDecode(b, gocv.IMReadColor|gocv.IMReadIgnoreOrientation)
	if err != nil {
		return nil, h, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if m.Empty() || m.Type() != gocv.MatTypeCV8UC3 || m.Cols() != h.Width || m.Rows() != h.Height {
		m.Close()
		return nil, h, fmt.Errorf("%w: the pixels are not what the header declares", ErrDamaged)
	}
	return &Image{upright(m, h.Orientation)}, h, nil
}

// upright consumes m. Orientation is EXIF's 1–8; anything else is taken as 1.
func upright(m gocv.Mat, orientation int) gocv.Mat {
	if orientation < 2 || orientation > 8 {
		return m
	}
	defer m.Close()
	out := gocv.NewMat()
	switch orientation {
	case 2:
		gocv.Flip(m, &out, 1)
	case 3:
		gocv.Rotate(m, &out, gocv.Rotate180Clockwise)
	case 4:
		gocv.Flip(m, &out, 0)
	case 5:
		gocv.Transpose(m, &out)
	case 6:
		gocv.Rotate(m, &out, gocv.Rotate90Clockwise)
	case 7: // across the other diagonal
		t := gocv.NewMat()
		gocv.Transpose(m, &t)
		gocv.Rotate(t, &out, gocv.Rotate180Clockwise)
		t.Close()
	case 8:
		gocv.Rotate(m, &out, gocv.Rotate90CounterClockwise)
	}
	return out
}

// FromPixels copies interleaved BGR bytes, row by row from the top left.
func FromPixels(w, h int, bgr []byte) (*Image, error) {
	if w <= 0 || h <= 0 || len(bgr) != w*h*3 {
		return nil, survey.Errorf(survey.Invalid, "%d bytes are no %d × %d BGR picture", len(bgr), w, h)
	}
	v, err := gocv.NewMatFromBytes(h, w, gocv.MatTypeCV8UC3, bgr)
	if err != nil {
		return nil, err
	}
	defer v.Close() // a view of Go memory; the clone owns its own
	return &Image{v.Clone()}, nil
}

// Close frees the native memory. Closing twice is harmless.
func (im *Image) Close() error {
	if im == nil || im.m.Ptr() == nil {
		return nil
	}
	err := im.m.Close()
	im.m = gocv.Mat{}
	return err
}

func (im *Image) Width() int              { return im.m.Cols() }
func (im *Image) Height() int             { return im.m.Rows() }
func (im *Image) Bounds() image.Rectangle { return image.Rect(0, 0, im.m.Cols(), im.m.Rows()) }

// Clone copies the picture; close both.
func (im *Image) Clone() *Image { return &Image{im.m.Clone()} }

// Pixels copies the picture out as interleaved BGR bytes.
func (im *Image) Pixels() []byte { return im.m.ToBytes() }

// Resize gives a copy of w × h pixels, averaging when it shrinks. Close it.
func (im *Image) Resize(w, h int) *Image {
	out := gocv.NewMat()
	gocv.Resize(im.m, &out, image.Pt(max(w, 1), max(h, 1)), 0, 0, interpolation(im.m.Cols(), w))
	return &Image{out}
}

func interpolation(from, to int) gocv.InterpolationFlags {
	if to < from {
		return gocv.InterpolationArea
	}
	return gocv.InterpolationLinear
}

// Luma copies out the brightness plane (BT.601), one byte a pixel, shrunk to at most maxWidth.
func (im *Image) Luma(maxWidth int) (pix []uint8, w, h int) {
	g := gocv.NewMat()
	defer g.Close()
	gocv.CvtColor(im.m, &g, gocv.ColorBGRToGray)
	if w, h = im.Width(), im.Height(); w > maxWidth {
		h = max(1, (h*maxWidth+w/2)/w)
		w = maxWidth
		s := gocv.NewMat()
		defer s.Close()
		gocv.Resize(g, &s, image.Pt(w, h), 0, 0, gocv.InterpolationArea)
		return s.ToBytes(), w, h
	}
	return g.ToBytes(), w, h
}

// BlobSpec says how pixels become network input: channel order, then (value − Mean) × Scale for each channel in that
// order. Scale zero means one.
type BlobSpec struct {
	RGB   bool
	Mean  [3]float64
	Scale [3]float64
}

// Blob is network input, float32 [1,3,H,W]. Data is native memory that is valid until Close.
type Blob struct {
	Data []float32
	H, W int
	m    gocv.Mat
}

// Close frees the memory behind Data.
func (b *Blob) Close() error {
	b.Data = nil
	return b.m.Close()
}

// Blob cuts crop out of the picture, scales it to w × h and pads it on the right and below with black to multiples of
// align. Crop must lie inside the picture.
func (im *Image) Blob(crop image.Rectangle, w, h, align int, spec BlobSpec) (*Blob, error) {
	if crop.Empty() || !crop.In(im.Bounds()) || w <= 0 || h <= 0 || align <= 0 {
		return nil, survey.Errorf(survey.Internal, "blob of %v as %d × %d out of %v", crop, w, h, im.Bounds())
	}
	part := im.m.Region(crop)
	defer part.Close()
	scaled := part
	if crop.Dx() != w || crop.Dy() != h {
		scaled = gocv.NewMat()
		defer scaled.Close()
		gocv.Resize(part, &scaled, image.Pt(w, h), 0, 0, interpolation(crop.Dx(), w))
	}
	pw, ph := (w+align-1)/align*align, (h+align-1)/align*align
	padded := scaled
	if pw != w || ph != h {
		padded = gocv.NewMatWithSizeFromScalar(gocv.Scalar{}, ph, pw, gocv.MatTypeCV8UC3)
		defer padded.Close()
		in := padded.Region(image.Rect(0, 0, w, h))
		scaled.CopyTo(&in)
		in.Close()
	}
	m := gocv.BlobFromImage(padded, 1, image.Pt(pw, ph), gocv.Scalar{}, spec.RGB, false)
	data, err := m.DataPtrFloat32()
	if err != nil || len(data) != 3*pw*ph {
		m.Close()
		return nil, survey.Errorf(survey.Internal, "blob of %d × %d: %w", pw, ph, err)
	}
	for c := range 3 {
		mean, scale := float32(spec.Mean[c]), float32(spec.Scale[c])
		if scale == 0 {
			scale = 1
		}
		if mean == 0 && scale == 1 {
			continue
		}
		plane := data[c*pw*ph : (c+1)*pw*ph]
		for i, v := range plane {
			plane[i] = (v - mean) * scale
		}
	}
	return &Blob{data, ph, pw, m}, nil
}

// Cover overwrites each rectangle with one colour: the mean of what surrounds it and is not itself covered. No pixel
// inside any rectangle has a part in any colour, so nothing of it can be recovered from the result. Rectangles are
// clipped to the picture; empty ones are ignored.
func (im *Image) Cover(rects []image.Rectangle) {
	open := gocv.NewMatWithSizeFromScalar(gocv.NewScalar(255, 0, 0, 0), im.Height(), im.Width(), gocv.MatTypeCV8UC1)
	defer open.Close()
	kept := make([]image.Rectangle, 0, len(rects))
	for _, r := range rects {
		if r = r.Intersect(im.Bounds()); r.Empty() {
			continue
		}
		kept = append(kept, r)
		v := open.Region(r)
		v.SetTo(gocv.Scalar{})
		v.Close()
	}
	for _, r := range kept {
		ring := r.Inset(-max(2, min(r.Dx(), r.Dy())/6)).Intersect(im.Bounds())
		p, mask := im.m.Region(ring), open.Region(ring)
		c := gocv.NewScalar(127, 127, 127, 0)
		if gocv.CountNonZero(mask) > 0 {
			c = p.MeanWithMask(mask)
		}
		p.Close()
		mask.Close()
		v := im.m.Region(r)
		v.SetTo(c)
		v.Close()
	}
}

// EncodeJPEG writes a baseline JPEG of quality 1–100 with 4:2:0 chroma and nothing in it but the picture: no EXIF, no
// thumbnail, no comment. CheckClean proves that for each file.
func (im *Image) EncodeJPEG(quality int) ([]byte, error) {
	buf, err := gocv.IMEncodeWithParams(gocv.JPEGFileExt, im.m, []int{gocv.IMWriteJpegQuality, quality})
	if err != nil {
		return nil, survey.Errorf(survey.Internal, "encode JPEG: %w", err)
	}
	defer buf.Close()
	return append([]byte(nil), buf.GetBytes()...), nil
}

// Version names the OpenCV that is linked in.
func Version() string { return gocv.OpenCVVersion() }
