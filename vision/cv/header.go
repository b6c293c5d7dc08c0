package cv

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Errors of Probe and Decode; match them with errors.Is.
var (
	ErrDamaged       = survey.Errorf(survey.Invalid, "image is damaged or cut short")
	ErrTooManyPixels = survey.Errorf(survey.Invalid, "image declares too many pixels")
	ErrTooSmall      = survey.Errorf(survey.Invalid, "image has too few pixels")
	ErrFormat        = survey.Errorf(survey.Unsupported, "image is neither JPEG nor PNG")
)

// Header is what an image file declares of itself.
type Header struct {
	Format      string // "jpeg" or "png"
	Width       int    // as stored, before orientation
	Height      int
	Orientation int // EXIF's 1–8; 1 when the file does not say
	// Focal is the focal length in pixels of the picture, 0 when the file does not say. It is the same along both sides, so
	// orientation does not change it.
	Focal float64
}

// FOV is the angle in degrees that so many pixels across the middle of the picture span; 0 when unknown.
func (h Header) FOV(pixels int) float64 {
	if h.Focal <= 0 || pixels <= 0 {
		return 0
	}
	return 2 * math.Atan(float64(pixels)/2/h.Focal) * 180 / math.Pi
}

// maxScans bounds the scans of a progressive JPEG: each costs a pass over the whole picture, and no encoder writes more
// than about a dozen.
const maxScans = 64

var pngMagic = []byte("\x89PNG\r\n\x1a\n")

// Probe reads the header without decoding. It walks a JPEG to its end and refuses one that is cut short, because
// decoders fill what is missing with grey and say nothing.
func Probe(b []byte) (Header, error) {
	switch {
	case len(b) >= 3 && b[0] == 0xff && b[1] == 0xd8 && b[2] == 0xff:
		return probeJPEG(b)
	case bytes.HasPrefix(b, pngMagic):
		return probePNG(b)
	}
	return Header{}, ErrFormat
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

func probePNG(b []byte) (Header, error) {
	h := Header{Format: "png", Orientation: 1}
	if len(b) < 33 || string(b[12:16]) != "IHDR" {
		return h, damaged("PNG without IHDR")
	}
	w, ht := binary.BigEndian.Uint32(b[16:]), binary.BigEndian.Uint32(b[20:])
	if w == 0 || ht == 0 || w > 1<<30 || ht > 1<<30 {
		return h, damaged("PNG of %d × %d", w, ht)
	}
	h.Width, h.Height = int(w), int(ht)
	for i := 8; i+12 <= len(b); {
		n := int(binary.BigEndian.Uint32(b[i:]))
		if n < 0 || n > len(b)-i-12 {
			break
		}
		switch string(b[i+4 : i+8]) {
		case "IEND":
			return h, nil
		case "eXIf":
			h.exif(b[i+8 : i+8+n])
		}
		i += 12 + n
	}
	return h, damaged("PNG ends before IEND")
}

func probeJPEG(b []byte) (Header, error) {
	h := Header{Format: "jpeg", Orientation: 1}
	var tiff []byte
	scans := 0
	err := segments(b, func(marker byte, body []byte) error {
		switch {
		case marker == 0xe1 && tiff == nil && bytes.HasPrefix(body, []byte("Exif\x00\x00")):
			tiff = body[6:]
		case isSOF(marker):
			if h.Width != 0 {
				return damaged("JPEG declares its size twice")
			}
			if len(body) < 6 {
				return damaged("JPEG frame header of %d bytes", len(body))
			}
			h.Height, h.Width = int(binary.BigEndian.Uint16(body[1:])), int(binary.BigEndian.Uint16(body[3:]))
			if h.Width == 0 || h.Height == 0 {
				return damaged("JPEG of %d × %d", h.Width, h.Height)
			}
		case marker == 0xda:
			if scans++; scans > maxScans {
				return damaged("JPEG of more than %d scans", maxScans)
			}
			if h.Width == 0 {
				return damaged("JPEG data before the frame header")
			}
		}
		return nil
	})
	if err == nil && scans == 0 {
		err = damaged("JPEG without picture data")
	}
	h.exif(tiff) // needs the size
	return h, err
}

func isSOF(m byte) bool { return m >= 0xc0 && m <= 0xcf && m != 0xc4 && m != 0xc8 && m != 0xcc }

// segments calls fn for each marker segment of a JPEG up to EOI; body is empty for markers without one. Entropy-coded
// data is skipped. Running out of bytes before EOI is ErrDamaged.
func segments(b []byte, fn func(marker byte, body []byte) error) error {
	i := 2
	for {
		for i < len(b) && b[i] != 0xff {
			i++ // stray bytes between segments are common and harmless
		}
		for i < len(b) && b[i] == 0xff {
			i++
		}
		if i >= len(b) {
			return damaged("JPEG ends after %d bytes without an end marker", len(b))
		}
		m := b[i]
		i++
		switch {
		case m == 0xd9:
			return fn(m, nil)
		case m == 0x00 || m == 0x01 || m >= 0xd0 && m <= 0xd8:
			continue
		}
		if i+2 > len(b) {
			return damaged("JPEG ends inside a segment")
		}
		n := int(binary.BigEndian.Uint16(b[i:]))
		if n < 2 || i+n > len(b) {
			return damaged("JPEG segment %#02x of %d bytes does not fit", m, n)
		}
		if err := fn(m, b[i+2:i+n]); err != nil {
			return err
		}
		i += n
		if m == 0xda {
			for { // to the next marker that is no stuffing and no restart
				j := bytes.IndexByte(b[i:], 0xff)
				if j < 0 || i+j+1 >= len(b) {
					return damaged("JPEG data is cut short")
				}
				i += j
				if c := b[i+1]; c != 0 && c != 0xff && (c < 0xd0 || c > 0xd7) {
					break
				}
				i++
			}
		}
	}
}

// fullFrame is the diagonal of 35 mm film in millimetres, which "equivalent" focal lengths refer to (CIPA DCG-001).
const fullFrame = 43.2666

// exif reads orientation and focal length out of a TIFF block. Anything odd counts as not said.
func (h *Header) exif(t []byte) {
	h.Orientation = 1
	d, at := openTIFF(t)
	if d == nil {
		return
	}
	var sub int64
	d.each(at, func(tag, kind uint16, n uint32, v []byte) {
		switch {
		case tag == 0x0112 && kind == 3 && n == 1:
			if o := int(d.Uint16(v)); o >= 1 && o <= 8 {
				h.Orientation = o
			}
		case tag == 0x8769 && kind == 4 && n == 1:
			sub = int64(d.Uint32(v))
		}
	})
	if sub == 0 || h.Width <= 0 || h.Height <= 0 {
		return
	}
	var mm, perUnit, of35 float64
	unit := 25.4 // inch
	pixels := float64(h.Width)
	d.each(sub, func(tag, kind uint16, n uint32, v []byte) {
		if n != 1 {
			return
		}
		switch {
		case tag == 0x920a && kind == 5:
			mm = d.rational(v)
		case tag == 0xa20e && kind == 5:
			perUnit = d.rational(v)
		case tag == 0xa210 && kind == 3 && d.Uint16(v) == 3:
			unit = 10
		case tag == 0xa405 && kind == 3:
			of35 = float64(d.Uint16(v))
		case tag == 0xa002 && kind == 3: // width when it was taken; it may have been scaled since
			pixels = float64(d.Uint16(v))
		case tag == 0xa002 && kind == 4:
			pixels = float64(d.Uint32(v))
		}
	})
	f := 0.0
	switch {
	case of35 > 0:
		f = of35 / fullFrame * math.Hypot(float64(h.Width), float64(h.Height))
	case mm > 0 && perUnit > 0 && pixels > 0:
		f = mm / unit * perUnit * float64(h.Width) / pixels
	}
	// Between 160° and 8°: what lies outside is a mistake, or no camera of a car.
	if w := float64(max(h.Width, h.Height)); f > w*0.088 && f < w*7.2 {
		h.Focal = f
	}
}

// tiff is a TIFF block and its byte order.
type tiff struct {
	binary.ByteOrder
	b []byte
}

// openTIFF gives the block and where its first directory is, or nil.
func openTIFF(t []byte) (*tiff, int64) {
	if len(t) < 8 {
		return nil, 0
	}
	d := &tiff{b: t}
	switch string(t[:4]) {
	case "II*\x00":
		d.ByteOrder = binary.LittleEndian
	case "MM\x00*":
		d.ByteOrder = binary.BigEndian
	default:
		return nil, 0
	}
	return d, int64(d.Uint32(t[4:]))
}

// each gives the entries of the directory at an offset; v is the four bytes of the value or of its offset.
func (d *tiff) each(at int64, fn func(tag, kind uint16, n uint32, v []byte)) {
	if at < 8 || at+2 > int64(len(d.b)) {
		return
	}
	for i := range int64(d.Uint16(d.b[at:])) {
		e := at + 2 + i*12
		if e+12 > int64(len(d.b)) {
			return
		}
		fn(d.Uint16(d.b[e:]), d.Uint16(d.b[e+2:]), d.Uint32(d.b[e+4:]), d.b[e+8:e+12])
	}
}

// rational reads the fraction that v is the offset of; 0 when it is none.
func (d *tiff) rational(v []byte) float64 {
	at := int64(d.Uint32(v))
	if at < 8 || at+8 > int64(len(d.b)) {
		return 0
	}
	if den := d.Uint32(d.b[at+4:]); den > 0 {
		return float64(d.Uint32(d.b[at:])) / float64(den)
	}
	return 0
}

// CheckClean reports a JPEG that carries anything but a picture: an application segment other than a bare JFIF header,
// a comment, or bytes after the end. Published files pass it before they leave.
func CheckClean(b []byte) error {
	if len(b) < 4 || b[0] != 0xff || b[1] != 0xd8 {
		return survey.Errorf(survey.Internal, "published file is no JPEG")
	}
	err := segments(b, func(m byte, body []byte) error {
		switch {
		case m == 0xe0 && len(body) == 14 && bytes.HasPrefix(body, []byte("JFIF\x00")) && body[12] == 0 && body[13] == 0:
		case m >= 0xe0 && m <= 0xef, m == 0xfe:
			return survey.Errorf(survey.Internal, "published JPEG carries a segment %#02x of %d bytes", m, len(body))
		}
		return nil
	})
	if err == nil && !bytes.HasSuffix(b, []byte{0xff, 0xd9}) {
		err = survey.Errorf(survey.Internal, "published JPEG has bytes after its end")
	}
	return err
}
