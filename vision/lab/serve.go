package lab

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"net/rpc"
	"os"
	"sync"
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/vision/cv"
	"github.com/roadcomb/roadcomb/vision/imprint"
	"github.com/roadcomb/roadcomb/vision/infer"
	"github.com/roadcomb/roadcomb/vision/models"
	"github.com/roadcomb/roadcomb/vision/quality"
)

// Guard finds what must be made unreadable; *detect.Guard is the one that ships. Its answer is all or nothing.
type Guard interface {
	Detect(ctx context.Context, im *cv.Image) ([]survey.Box, error)
	Models() []survey.ModelRef
	Margin() float64
}

// Tools are what a child has to work with.
type Tools struct {
	Guard   Guard
	Err     error   // why there is no Guard
	Spotter Spotter // nil spots nothing
}

// Spotter finds what stands beside the road; *features.Finder is the one that ships.
type Spotter interface {
	Spot(ctx context.Context, im *cv.Image, text bool) ([]survey.Sighting, error)
}

// Hello is what a child says of itself.
type Hello struct {
	Models []survey.ModelRef // that look for what must be hidden
	Margin float64
	OpenCV string
	Fault  Fault // why it cannot look
}

// Fault is an error on its way between processes. The zero value is none.
type Fault struct{ Code, Text string }

// codes are the errors that keep their identity on the way.
var codes = []struct {
	code string
	err  error
}{
	{"damaged", cv.ErrDamaged}, {"too_many_pixels", cv.ErrTooManyPixels}, {"too_small", cv.ErrTooSmall}, {"format", cv.ErrFormat},
	{"no_model", models.ErrNone}, {"mismatch", models.ErrMismatch}, {"no_number", infer.ErrNotANumber}, {"no_library", infer.ErrNoLibrary},
	{"late", context.DeadlineExceeded},
}

func fault(err error) Fault {
	if err == nil {
		return Fault{}
	}
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return Fault{c.code, err.Error()}
		}
	}
	return Fault{"other", err.Error()}
}

// told is an error with another's text and its own identity.
type told struct {
	error
	text string
}

func (t told) Error() string { return t.text }
func (t told) Unwrap() error { return t.error }

func (f Fault) err() error {
	if f.Code == "" {
		return nil
	}
	for _, c := range codes {
		if c.code == f.Code {
			return told{c.err, f.Text}
		}
	}
	return survey.Errorf(survey.Internal, "%s", f.Text)
}

// Arguments and answers of the calls.
type (
	DecodeArgs struct {
		ID     uint64
		Body   []byte
		Limits cv.Limits
	}
	CutArgs struct {
		ID     uint64
		File   string
		PTS    int64
		Limits cv.Limits
	}
	Decoded struct {
		Width, Height int // upright
		Header        cv.Header
		Fault         Fault
	}
	DetectArgs struct {
		ID    uint64
		Limit time.Duration
	}
	Detected struct {
		Boxes []survey.Box
		Fault Fault
	}
	SpotArgs struct {
		ID    uint64
		Text  bool
		Limit time.Duration
	}
	Spotted struct {
		Sightings []survey.Sighting
		Fault     Fault
	}
	FollowArgs struct {
		From, To uint64
		Boxes    []image.Rectangle
		Reach    []int
	}
	Followed struct {
		Places   []image.Rectangle
		Likeness []float64
	}
	CoverArgs struct {
		ID      uint64
		Regions []image.Rectangle
	}
	EncodeArgs struct {
		ID      uint64
		Quality int
	}
)

// server answers the calls of one connection.
type server struct {
	tools Tools

	mu       sync.Mutex
	pictures map[uint64]*cv.Image
	films    map[string]*cv.Film
}

// Serve answers calls until the connection ends, then frees what it holds. Calls run side by side.
func Serve(c io.ReadWriteCloser, t Tools) {
	s := &server{tools: t, pictures: map[uint64]*cv.Image{}, films: map[string]*cv.Film{}}
	r := rpc.NewServer()
	if err := r.RegisterName("Lab", s); err != nil {
		panic(err) // the methods are part of the program
	}
	r.ServeConn(c)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, im := range s.pictures {
		im.Close()
	}
	for _, f := range s.films {
		f.Close()
	}
	s.pictures, s.films = nil, nil
}

// Main is the child: it answers on the pipes that New's command gives it, and ends the process when the other side is gone. make
// opens the tools.
func Main(make func() (Tools, error)) error {
	// When memory runs out on this machine, this process is the one to end, not the service. Raising one's own score
	// needs no privilege; where there is no such file there is nothing to ask.
	os.WriteFile("/proc/self/oom_score_adj", []byte("800"), 0)
	t, err := make()
	if err != nil {
		return err
	}
	// ServeConn would wait for calls in hand, and one of them may never end.
	Serve(ending{duplex{os.NewFile(3, "calls"), os.NewFile(4, "answers")}, func() { os.Exit(0) }}, t)
	return nil
}

// safely turns a panic into an error: what panicked has not done its work, but native memory is as it was.
func safely(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %.200v", p)
		}
	}()
	return fn()
}

func (s *server) keep(id uint64, im *cv.Image) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pictures == nil { // the other side is gone
		im.Close()
		return
	}
	s.pictures[id] = im
}

// with runs fn on a picture.
func (s *server) with(id uint64, fn func(*cv.Image) error) error {
	s.mu.Lock()
	im := s.pictures[id]
	s.mu.Unlock()
	if im == nil {
		return fmt.Errorf("no picture %d", id)
	}
	return safely(func() error { return fn(im) })
}

// Hello introduces the child.
func (s *server) Hello(_ struct{}, r *Hello) error {
	*r = Hello{OpenCV: cv.Version(), Fault: fault(s.tools.Err)}
	if g := s.tools.Guard; g != nil {
		r.Models, r.Margin = g.Models(), g.Margin()
	}
	return nil
}

// Decode makes a picture of an image file.
func (s *server) Decode(a *DecodeArgs, r *Decoded) error {
	return safely(func() error {
		im, h, err := cv.Decode(a.Body, a.Limits)
		r.Header, r.Fault = h, fault(err)
		if err == nil {
			r.Width, r.Height = im.Width(), im.Height()
			s.keep(a.ID, im)
		}
		return nil
	})
}

// Cut makes a picture of a film's frame.
func (s *server) Cut(a *CutArgs, r *Decoded) error {
	return safely(func() error {
		s.mu.Lock()
		f := s.films[a.File]
		s.mu.Unlock()
		if f == nil {
			var err error
			if f, err = cv.OpenFilm(a.File); err != nil {
				r.Fault = fault(fmt.Errorf("%w: %w", cv.ErrDamaged, err))
				return nil
			}
			s.mu.Lock()
			s.films[a.File] = f
			s.mu.Unlock()
		}
		im, _, err := f.At(a.PTS, a.Limits)
		r.Fault = fault(err)
		if err == nil {
			r.Width, r.Height = im.Width(), im.Height()
			r.Header = cv.Header{Width: r.Width, Height: r.Height, Orientation: 1}
			s.keep(a.ID, im)
		}
		return nil
	})
}

// CloseFilm frees a film.
func (s *server) CloseFilm(file string, _ *struct{}) error {
	s.mu.Lock()
	f := s.films[file]
	delete(s.films, file)
	s.mu.Unlock()
	if f != nil {
		f.Close()
	}
	return nil
}

// Close frees a picture.
func (s *server) Close(id uint64, _ *struct{}) error {
	s.mu.Lock()
	im := s.pictures[id]
	delete(s.pictures, id)
	s.mu.Unlock()
	return im.Close()
}

// Look is what a picture's brightness gives.
type Look struct {
	Measures quality.Measures
	Print    imprint.Print
	Printed  bool   // false for a picture too even to have a print
	Sketch   []byte // quality.Sketch; empty for a picture too small for one
}

// Measure looks at a picture's brightness.
func (s *server) Measure(id uint64, r *Look) error {
	return s.with(id, func(im *cv.Image) error {
		t := quality.V2()
		pix, w, h := im.Luma(t.LumaWidth)
		r.Measures = t.Measure(pix, w, h)
		r.Print, r.Printed = imprint.Of(pix, w, h)
		if sketch, ok := quality.Draw(pix, w, h); ok {
			r.Sketch = sketch.Bytes()
		}
		return nil
	})
}

// Detect finds what must be hidden.
func (s *server) Detect(a *DetectArgs, r *Detected) error {
	if s.tools.Guard == nil {
		err := s.tools.Err
		if err == nil {
			err = models.ErrNone
		}
		r.Fault = fault(err)
		return nil
	}
	err := s.with(a.ID, func(im *cv.Image) (err error) {
		ctx, cancel := context.WithTimeout(context.Background(), a.Limit)
		defer cancel()
		r.Boxes, err = s.tools.Guard.Detect(ctx, im)
		return err
	})
	if err != nil {
		r.Boxes, r.Fault = nil, fault(err)
	}
	return nil
}

// Spot finds what stands beside the road.
func (s *server) Spot(a *SpotArgs, r *Spotted) error {
	if s.tools.Spotter == nil {
		return nil
	}
	err := s.with(a.ID, func(im *cv.Image) (err error) {
		ctx, cancel := context.WithTimeout(context.Background(), a.Limit)
		defer cancel()
		r.Sightings, err = s.tools.Spotter.Spot(ctx, im, a.Text)
		return err
	})
	if err != nil {
		r.Sightings, r.Fault = nil, fault(err)
	}
	return nil
}

// Follow looks for boxes of one picture in another.
func (s *server) Follow(a *FollowArgs, r *Followed) error {
	return s.with(a.From, func(from *cv.Image) error {
		return s.with(a.To, func(to *cv.Image) error {
			for i, b := range a.Boxes {
				place, like := from.Follow(b, to, a.Reach[i])
				r.Places, r.Likeness = append(r.Places, place), append(r.Likeness, like)
			}
			return nil
		})
	})
}

// Cover overwrites regions.
func (s *server) Cover(a *CoverArgs, _ *struct{}) error {
	return s.with(a.ID, func(im *cv.Image) error {
		im.Cover(a.Regions)
		return nil
	})
}

// Encode gives a picture as a JPEG file.
func (s *server) Encode(a *EncodeArgs, r *[]byte) error {
	return s.with(a.ID, func(im *cv.Image) (err error) {
		*r, err = im.EncodeJPEG(a.Quality)
		return err
	})
}
