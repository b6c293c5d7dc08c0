package cv

import (
	"bytes"
	"encoding/binary"
	"fmt"

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
			h.Orientation = orientation(b[i+8 : i+8+n])
		}
		i += 12 + n
	}
	return h, damaged("PNG ends before IEND")
}

func probeJPEG(b []byte) (Header, error) {
	h := Header{Format: "jpeg", Orientation: 1}
	scans, exif := 0, false
	err := segments(b, func(marker byte, body []byte) error {
		switch {
		case marker == 0xe1 && !exif && bytes.HasPrefix(body, []byte("Exif\x00\x00")):
			exif = true
			h.Orientation = orientation(body[6:])
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

// orientation reads tag 0x0112 of IFD0 out of a TIFF block. Anything odd gives 1.
func orientation(t []byte) int {
	if len(t) < 8 {
		return 1
	}
	var o binary.ByteOrder
	switch string(t[:4]) {
	case "II*\x00":
		o = binary.LittleEndian
	case "MM\x00*":
		o = binary.BigEndian
	default:
		return 1
	}
	at := int64(o.Uint32(t[4:]))
	if at < 8 || at+2 > int64(len(t)) {
		return 1
	}
	n := int(o.Uint16(t[at:]))
	for i := range n {
		e := at + 2 + int64(i)*12
		if e+12 > int64(len(t)) {
			return 1
		}
		if o.Uint16(t[e:]) != 0x0112 {
			continue
		}
		if o.Uint16(t[e+2:]) != 3 || o.Uint32(t[e+4:]) != 1 {
			return 1
		}
		if v := int(o.Uint16(t[e+8:])); v >= 1 && v <= 8 {
			return v
		}
		return 1
	}
	return 1
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
