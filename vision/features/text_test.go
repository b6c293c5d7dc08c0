package features_test

import (
	"errors"
	"image"
	"image/color"
	"image/draw"
	"math/rand/v2"
	"os"
	"testing"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/vision/cv"
	"github.com/roadcomb/roadcomb/vision/detect"
	"github.com/roadcomb/roadcomb/vision/features"
	"github.com/roadcomb/roadcomb/vision/infer"
	"github.com/roadcomb/roadcomb/vision/models"
)

var words = []string{"BAKERY", "Storgatan", "P-HUS", "35", "OPEN 24H", "Apotek", "Kungsgatan 12", "Ausfahrt", "SALE", "Rue de la Paix"}

// write draws a word with its middle at x, y, capitals of the height given, on a board of its own or straight onto what is there.
func write(t *testing.T, img *image.RGBA, f *opentype.Font, word string, x, y int, capitals float64, ink, board color.Color) image.Rectangle {
	t.Helper()
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: capitals / 0.72, DPI: 72, Hinting: font.HintingNone})
	if err != nil {
		t.Fatal(err)
	}
	defer face.Close()
	b, _ := font.BoundString(face, word)
	w, h := (b.Max.X - b.Min.X).Ceil(), (b.Max.Y - b.Min.Y).Ceil()
	box := image.Rect(x-w/2, y-h/2, x-w/2+w, y-h/2+h)
	if board != nil {
		draw.Draw(img, box.Inset(-max(3, h/3)), image.NewUniform(board), image.Point{}, draw.Src)
	}
	d := font.Drawer{Dst: img, Src: image.NewUniform(ink), Face: face, Dot: fixed.Point26_6{X: fixed.I(box.Min.X) - b.Min.X, Y: fixed.I(box.Min.Y) - b.Min.Y}}
	d.DrawString(word)
	return box
}

// Words, capitals of 8 to 40 pixels, written into real streets on boards and straight onto walls, road and leaves, in several
// lights, and compressed as a camera does. The figures are in README.md of vision.
func TestWrittenWordsAreFoundInRealStreets(t *testing.T) {
	files := streets(t)
	rt, err := infer.Open("")
	if errors.Is(err, infer.ErrNoLibrary) && os.Getenv("ROADCOMB_SHARED_REQUIRED") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	set, err := models.OpenOne("", features.TextModel)
	if errors.Is(err, models.ErrNone) && os.Getenv("ROADCOMB_SHARED_REQUIRED") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	g, err := detect.Open(rt, features.ForText(set), detect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	f, err := opentype.Parse(gobold.TTF)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	finder := features.Finder{Text: g}
	type count struct{ found, of int }
	bins := map[string]*count{}
	add := func(name string, hit bool) {
		if bins[name] == nil {
			bins[name] = new(count)
		}
		bins[name].of++
		if hit {
			bins[name].found++
		}
	}
	others, streets := 0, 0
	for i := 0; i < len(files); i += 4 {
		im := decode(t, files[i])
		px, w, h := im.Pixels(), im.Width(), im.Height()
		im.Close()
		img := image.NewRGBA(image.Rect(0, 0, w, h))
		for k := range w * h {
			img.Pix[4*k], img.Pix[4*k+1], img.Pix[4*k+2], img.Pix[4*k+3] = px[3*k+2], px[3*k+1], px[3*k], 255
		}
		type written struct {
			box      image.Rectangle
			capitals float64
			board    bool
		}
		var truth []written
		for k := range 8 { // two columns, four rows, none over another
			capitals := 8 + 32*r.Float64()*r.Float64()
			light := 0.4 + 0.6*r.Float64()
			pale, dark := color.Gray{uint8(235 * light)}, color.Gray{uint8(40 * light)}
			var ink, board color.Color = dark, pale
			if r.IntN(2) == 0 {
				ink, board = pale, dark
			}
			if r.IntN(3) == 0 {
				board = nil
			}
			x, y := w/4+(k%2)*w/2, h/8+k/2*h/4
			truth = append(truth, written{write(t, img, f, words[r.IntN(len(words))], x, y, capitals, ink, board), capitals, board != nil})
		}
		for k := range w * h {
			px[3*k+2], px[3*k+1], px[3*k] = img.Pix[4*k], img.Pix[4*k+1], img.Pix[4*k+2]
		}
		drawn, err := cv.FromPixels(w, h, px)
		if err != nil {
			t.Fatal(err)
		}
		jpg, err := drawn.EncodeJPEG(85)
		drawn.Close()
		if err != nil {
			t.Fatal(err)
		}
		if im, _, err = cv.Decode(jpg, cv.Limits{}); err != nil {
			t.Fatal(err)
		}
		got, err := finder.Spot(t.Context(), im, true)
		im.Close()
		if err != nil {
			t.Fatal(err)
		}
		streets++
		near := map[int]bool{}
		for _, want := range truth {
			hit := false
			for k, s := range got {
				g := image.Rect(s.X, s.Y, s.X+s.W, s.Y+s.H)
				both := g.Intersect(want.box)
				if s.Class != survey.ClassText || both.Empty() {
					continue
				}
				near[k] = true
				shared := both.Dx() * both.Dy()
				hit = hit || 2*shared > g.Dx()*g.Dy()+want.box.Dx()*want.box.Dy()-shared // IoU over a half
			}
			size := "12 to 20 px"
			switch {
			case want.capitals < 12:
				size = "under 12 px"
			case want.capitals >= 20:
				size = "20 px and more"
			}
			add("all", hit)
			add(size, hit)
			if !want.board {
				add("without a board", hit)
			}
		}
		for k, s := range got {
			if s.Class == survey.ClassText && !near[k] {
				others++
			}
		}
	}
	for name, c := range bins {
		t.Logf("%s: %d of %d", name, c.found, c.of)
	}
	t.Logf("%d others in %d streets", others, streets)
	if bins["all"].found*100 < bins["all"].of*50 {
		t.Error("fewer than half of the words are found")
	}
}
