package synth

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
)

// Picture describes a synthetic dashcam frame and the EXIF it carries. Zero values leave the tag out.
type Picture struct {
	W, H        int // pixels as stored; 0 means 640 × 480
	Seed        uint64
	Quality     int             // JPEG, 0 means 85
	Point       *geo.Point      // GPS latitude and longitude
	Alt         *float64        // metres
	GPSTime     time.Time       // GPSDateStamp + GPSTimeStamp
	Taken       time.Time       // DateTimeOriginal + SubSecTimeOriginal, as local time without offset
	Offset      string          // OffsetTimeOriginal, for example "+02:00"
	Heading     *geo.BearingDeg // GPSImgDirection, true north
	DOP         float64
	Orientation int // 1–8
	Make, Model string
	NoEXIF      bool
	// Draw paints over the background before encoding; the plane is in stored (not upright) orientation.
	Draw func(*image.RGBA)
}

// JPEG renders the picture: a textured road scene that is sharp enough to pass quality checks, different for each Seed.
func JPEG(p Picture) []byte {
	if p.W == 0 {
		p.W, p.H = 640, 480
	}
	if p.Quality == 0 {
		p.Quality = 85
	}
	img := Scene(p.W, p.H, p.Seed)
	if p.Draw != nil {
		p.Draw(img)
	}
	var buf bytes.Buffer
	if err := jpeg.Encode(&buf, img, &jpeg.Options{Quality: p.Quality}); err != nil {
		panic(err) // a valid image into memory
	}
	if p.NoEXIF {
		return buf.Bytes()
	}
	return WithEXIF(buf.Bytes(), EXIF(p))
}

// WithEXIF puts a TIFF block into a JPEG as its first APP1 segment.
func WithEXIF(jpg, tiff []byte) []byte {
	out := append([]byte{0xff, 0xd8, 0xff, 0xe1}, 0, 0)
	binary.BigEndian.PutUint16(out[4:], uint16(len(tiff)+8))
	out = append(out, "Exif\x00\x00"...)
	out = append(out, tiff...)
	return append(out, jpg[2:]...)
}

// Scene paints sky, buildings with windows, a road with markings, and fine texture.
func Scene(w, h int, seed uint64) *image.RGBA {
	r := rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)) // #nosec G404 -- the same seed draws the same picture
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	horizon := h * 45 / 100
	sky := color.RGBA{uint8(120 + r.IntN(60)), uint8(160 + r.IntN(50)), uint8(200 + r.IntN(50)), 255}
	fill(img, image.Rect(0, 0, w, horizon), sky)
	fill(img, image.Rect(0, horizon, w, h), color.RGBA{70, 72, 76, 255})
	for x := 0; x < w; {
		bw := w/14 + r.IntN(w/10+1) + 4
		top := horizon/5 + r.IntN(horizon/2+1)
		base := color.RGBA{uint8(90 + r.IntN(130)), uint8(70 + r.IntN(120)), uint8(60 + r.IntN(110)), 255}
		fill(img, image.Rect(x, top, x+bw, horizon+h/20), base)
		step := max(w/60, 5)
		for wy := top + step/2; wy < horizon-step/2; wy += step {
			for wx := x + step/2; wx < x+bw-step/2; wx += step {
				v := uint8(30 + r.IntN(180))
				fill(img, image.Rect(wx, wy, wx+step/2, wy+step/2), color.RGBA{v, v, uint8(min(int(v)+20, 255)), 255})
			}
		}
		x += bw + r.IntN(w/30+1)
	}
	for y := horizon + h/20; y < h; y++ { // lane markings widen towards the viewer
		t := float64(y-horizon) / float64(h-horizon)
		if int(math.Sqrt(t)*14)%2 == 0 {
			half := int(t * float64(w) / 60)
			fill(img, image.Rect(w/2-half, y, w/2+half+1, y+1), color.RGBA{225, 225, 215, 255})
		}
		edge := int(t * float64(w) * 0.45)
		fill(img, image.Rect(w/2-edge-2, y, w/2-edge+2, y+1), color.RGBA{230, 230, 220, 255})
		fill(img, image.Rect(w/2+edge-2, y, w/2+edge+2, y+1), color.RGBA{230, 230, 220, 255})
	}
	for i := 0; i < len(img.Pix); i += 4 { // sensor noise and asphalt grain
		n := r.IntN(17) - 8
		for k := range 3 {
			img.Pix[i+k] = uint8(min(max(int(img.Pix[i+k])+n, 0), 255))
		}
	}
	return img
}

func fill(img *image.RGBA, r image.Rectangle, c color.RGBA) {
	r = r.Intersect(img.Rect)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		o := img.PixOffset(r.Min.X, y)
		for x := r.Min.X; x < r.Max.X; x++ {
			img.Pix[o], img.Pix[o+1], img.Pix[o+2], img.Pix[o+3] = c.R, c.G, c.B, 255
			o += 4
		}
	}
}

// Entry is one TIFF directory entry for Tiff.
type Entry struct {
	Tag, Type uint16
	Count     uint32
	Data      []byte // little-endian value bytes, any length
}

func ascii(tag uint16, s string) Entry {
	return Entry{tag, 2, uint32(len(s) + 1), append([]byte(s), 0)}
}

func short(tag uint16, v uint16) Entry {
	return Entry{tag, 3, 1, binary.LittleEndian.AppendUint16(nil, v)}
}

func rationals(tag uint16, vs ...float64) Entry {
	var b []byte
	for _, v := range vs {
		b = binary.LittleEndian.AppendUint32(b, uint32(math.Round(v*1e6)))
		b = binary.LittleEndian.AppendUint32(b, 1e6)
	}
	return Entry{tag, 5, uint32(len(vs)), b}
}

// EXIF is the little-endian TIFF block for the picture's tags.
func EXIF(p Picture) []byte {
	var ifd0, exif, gps []Entry
	if p.Make != "" {
		ifd0 = append(ifd0, ascii(0x010f, p.Make))
	}
	if p.Model != "" {
		ifd0 = append(ifd0, ascii(0x0110, p.Model))
	}
	if p.Orientation != 0 {
		ifd0 = append(ifd0, short(0x0112, uint16(p.Orientation)))
	}
	if !p.Taken.IsZero() {
		exif = append(exif, ascii(0x9003, p.Taken.Format("2006:01:02 15:04:05")))
		if p.Offset != "" {
			exif = append(exif, ascii(0x9011, p.Offset))
		}
		if ms := p.Taken.Nanosecond() / 1e6; ms != 0 {
			exif = append(exif, ascii(0x9291, fmt.Sprintf("%03d", ms)))
		}
	}
	if p.Point != nil {
		ns, ew := "N", "E"
		if p.Point.Lat < 0 {
			ns = "S"
		}
		if p.Point.Lon < 0 {
			ew = "W"
		}
		gps = append(gps, ascii(1, ns), dms(2, p.Point.Lat), ascii(3, ew), dms(4, p.Point.Lon))
	}
	if p.Alt != nil {
		ref := byte(0)
		if *p.Alt < 0 {
			ref = 1
		}
		gps = append(gps, Entry{5, 1, 1, []byte{ref}}, rationals(6, math.Abs(*p.Alt)))
	}
	if !p.GPSTime.IsZero() {
		t := p.GPSTime.UTC()
		gps = append(gps, rationals(7, float64(t.Hour()), float64(t.Minute()), float64(t.Second())+float64(t.Nanosecond())/1e9))
	}
	if p.DOP > 0 {
		gps = append(gps, rationals(11, p.DOP))
	}
	if p.Heading != nil {
		gps = append(gps, ascii(16, "T"), rationals(17, float64(*p.Heading)))
	}
	if !p.GPSTime.IsZero() {
		gps = append(gps, ascii(29, p.GPSTime.UTC().Format("2006:01:02")))
	}
	return Tiff(ifd0, exif, gps)
}

// dms writes degrees with the whole angle in the first rational's neighbour fields: degrees, minutes, seconds.
func dms(tag uint16, v float64) Entry {
	v = math.Abs(v)
	d := math.Floor(v)
	m := math.Floor((v - d) * 60)
	return rationals(tag, d, m, ((v-d)*60-m)*60)
}

// Tiff lays out a little-endian TIFF block: IFD0 with pointers to the Exif and GPS directories where they have entries.
func Tiff(ifd0, exif, gps []Entry) []byte {
	if len(exif) > 0 {
		ifd0 = append(ifd0, Entry{0x8769, 4, 1, nil})
	}
	if len(gps) > 0 {
		ifd0 = append(ifd0, Entry{0x8825, 4, 1, nil})
	}
	size := func(es []Entry) int {
		n := 2 + 12*len(es) + 4
		for _, e := range es {
			if len(e.Data) > 4 {
				n += (len(e.Data) + 1) &^ 1
			}
		}
		return n
	}
	at := 8 + size(ifd0)
	atExif := at
	if len(exif) > 0 {
		at += size(exif)
	}
	atGPS := at
	for i := range ifd0 {
		switch ifd0[i].Tag {
		case 0x8769:
			ifd0[i].Data = binary.LittleEndian.AppendUint32(nil, uint32(atExif))
		case 0x8825:
			ifd0[i].Data = binary.LittleEndian.AppendUint32(nil, uint32(atGPS))
		}
	}
	out := []byte{'I', 'I', 42, 0, 8, 0, 0, 0}
	for _, es := range [][]Entry{ifd0, exif, gps} {
		if len(es) == 0 {
			continue
		}
		data := len(out) + 2 + 12*len(es) + 4
		var tail []byte
		out = binary.LittleEndian.AppendUint16(out, uint16(len(es)))
		for _, e := range es {
			out = binary.LittleEndian.AppendUint16(out, e.Tag)
			out = binary.LittleEndian.AppendUint16(out, e.Type)
			out = binary.LittleEndian.AppendUint32(out, e.Count)
			if len(e.Data) <= 4 {
				out = append(out, append(append([]byte(nil), e.Data...), 0, 0, 0, 0)[:4]...)
				continue
			}
			out = binary.LittleEndian.AppendUint32(out, uint32(data+len(tail)))
			tail = append(tail, e.Data...)
			if len(tail)%2 == 1 {
				tail = append(tail, 0)
			}
		}
		out = append(out, 0, 0, 0, 0)
		out = append(out, tail...)
	}
	if len(ifd0) == 0 {
		out = append(out, 0, 0, 0, 0, 0, 0)
	}
	return out
}
