package api

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/jpeg"
	"net/http"
	"slices"
	"strconv"

	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/semaphore"

	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/tiles/purge"
)

// thumbWidths are the small sizes on offer; a free choice would let a stranger fill the cache.
var thumbWidths = [...]int{160, 480}

// imageLimit bounds a published frame: 12 megapixels of detail are under 16 MiB.
const imageLimit = 32 << 20

type thumbKey struct {
	object string
	width  int
}

// imageCache keeps small images; full ones are streamed and left to the caches between.
type imageCache struct {
	store *store.Store
	small *otter.Cache[thumbKey, []byte]
	work  *semaphore.Weighted // decoding takes some 10 MB and 20 ms each
}

func newImageCache(d Deps) *imageCache {
	return &imageCache{store: d.Store, work: semaphore.NewWeighted(2), small: otter.Must(&otter.Options[thumbKey, []byte]{
		MaximumWeight: uint64(d.ImageCache), Weigher: func(k thumbKey, b []byte) uint32 { return uint32(len(b) + len(k.object) + 128) },
	})}
}

func (s *Server) image(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	f, err := s.frame(ctx, r.PathValue("id"))
	if err != nil {
		fail(w, r, err)
		return
	}
	width := 0
	if q := r.URL.Query().Get("width"); q != "" {
		if width, err = strconv.Atoi(q); err != nil || !slices.Contains(thumbWidths[:], width) {
			fail(w, r, survey.Errorf(survey.Invalid, "width %.20q is not one of %v", q, thumbWidths))
			return
		}
	}
	if most := s.PublicImageWidth; most > 0 && (width == 0 || width > most) {
		width = most
	}
	// A frame can be taken down or redacted anew, so no address is good for ever in a shared cache: one that names
	// its content a day, the others are asked about each minute.
	cache := "public, max-age=60"
	if r.URL.Query().Get("v") == f.Image.SHA256.String()[:16] {
		cache = "public, max-age=86400"
	}
	s.sendImage(w, r, f, width, cache)
}

// sendImage answers with the frame's image, in full for width 0.
func (s *Server) sendImage(w http.ResponseWriter, r *http.Request, f frameRow, width int, cache string) {
	sum := f.Image.SHA256.String()
	tag := `"` + sum[:32] + `"`
	if width > 0 {
		tag = `"` + sum[:32] + "-" + strconv.Itoa(width) + `"`
	}
	h := w.Header()
	cors(h)
	h.Set("ETag", tag)
	s.surrogate(h, purge.AllFrames, purge.Frame(f.ID), purge.Drive(f.Sequence))
	h.Set("Cache-Control", cache)
	if match(r, tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body, err := s.images.get(r.Context(), f, width)
	if err != nil {
		fail(w, r, err)
		return
	}
	h.Set("Content-Type", "image/jpeg")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}

func (c *imageCache) get(ctx context.Context, f frameRow, width int) ([]byte, error) {
	if width == 0 || f.Image.Width <= width {
		return c.full(ctx, f)
	}
	return c.small.Get(ctx, thumbKey{f.key, width}, otter.LoaderFunc[thumbKey, []byte](func(ctx context.Context, _ thumbKey) ([]byte, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		b, err := c.full(ctx, f)
		if err != nil {
			return nil, err
		}
		if err := c.work.Acquire(ctx, 1); err != nil {
			return nil, survey.Errorf(survey.Busy, "too many images are being made smaller")
		}
		defer c.work.Release(1)
		img, err := jpeg.Decode(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		var out bytes.Buffer
		err = jpeg.Encode(&out, shrink(img, width), &jpeg.Options{Quality: 78})
		return out.Bytes(), err
	}))
}

// full reads the published image and checks that it is the one that was published: the store is not trusted with what
// privacy depends on.
func (c *imageCache) full(ctx context.Context, f frameRow) ([]byte, error) {
	b, _, err := c.store.Get(ctx, store.Public, f.key, imageLimit)
	if err != nil {
		return nil, err
	}
	if survey.HashOf(b) != f.Image.SHA256 {
		return nil, survey.Errorf(survey.Internal, "object %s is not the image that was published", f.key)
	}
	return b, nil
}

// shrink averages the pixels under each new one. The width is at most the image's own.
func shrink(img image.Image, width int) *image.RGBA {
	b := img.Bounds()
	height := max(1, (b.Dy()*width+b.Dx()/2)/b.Dx())
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	at := func(x, y int) (r, g, bl uint32) { r, g, bl, _ = img.At(x, y).RGBA(); return r >> 8, g >> 8, bl >> 8 }
	if yc, ok := img.(*image.YCbCr); ok { // without an interface value for each pixel
		at = func(x, y int) (uint32, uint32, uint32) {
			i := yc.COffset(x, y)
			r, g, bl := color.YCbCrToRGB(yc.Y[yc.YOffset(x, y)], yc.Cb[i], yc.Cr[i])
			return uint32(r), uint32(g), uint32(bl)
		}
	}
	for y := range height {
		y0, y1 := b.Min.Y+y*b.Dy()/height, b.Min.Y+max((y+1)*b.Dy()/height, y*b.Dy()/height+1)
		for x := range width {
			x0, x1 := b.Min.X+x*b.Dx()/width, b.Min.X+max((x+1)*b.Dx()/width, x*b.Dx()/width+1)
			var r, g, bl, n uint32
			for yy := y0; yy < y1; yy++ {
				for xx := x0; xx < x1; xx++ {
					a, c, d := at(xx, yy)
					r, g, bl, n = r+a, g+c, bl+d, n+1
				}
			}
			out.SetRGBA(x, y, color.RGBA{uint8(r / n), uint8(g / n), uint8(bl / n), 255})
		}
	}
	return out
}
