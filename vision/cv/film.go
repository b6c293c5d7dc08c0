package cv

import (
	"math"

	"gocv.io/x/gocv"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Film reads frames of a film in the order of their times. It is not safe for concurrent use. Close it.
type Film struct {
	v    *gocv.VideoCapture
	half float64 // half of the time between frames, milliseconds
	end  bool
}

// filmSeek is how far ahead a frame must lie, in milliseconds, before reading on is given up for a jump. A jump lands on
// a key frame and decodes up to the place asked for.
const filmSeek = 5000

// filmGaps is how many reads in a row may fail before the film is taken to be over.
const filmGaps = 32

// OpenFilm opens a film file with the codecs that OpenCV was built with.
func OpenFilm(path string) (*Film, error) {
	v, err := gocv.VideoCaptureFileWithAPI(path, gocv.VideoCaptureFFmpeg) // one parser, not whatever is installed
	if err != nil || !v.IsOpened() {
		if v != nil {
			v.Close()
		}
		return nil, survey.Errorf(survey.Unsupported, "film cannot be opened")
	}
	f := &Film{v: v, half: 20}
	if fps := v.Get(gocv.VideoCaptureFPS); fps > 0.1 && fps < 1000 {
		f.half = 500 / fps
	}
	return f, nil
}

// At gives the upright frame nearest to pts, microseconds from the film's start, and the time it really has. Times asked
// for must not fall. A time after the last frame, or a frame that cannot be decoded, is ErrDamaged.
func (f *Film) At(pts int64, l Limits) (*Image, int64, error) {
	l = l.orDefault()
	w, h := f.v.Get(gocv.VideoCaptureFrameWidth), f.v.Get(gocv.VideoCaptureFrameHeight)
	switch {
	case !(w > 0 && h > 0) || f.end:
		return nil, 0, damaged("film has no frame at %d µs", pts)
	case w*h > float64(l.MaxPixels):
		return nil, 0, ErrTooManyPixels
	case math.Min(w, h) < float64(l.MinSide):
		return nil, 0, ErrTooSmall
	}
	want := float64(pts) / 1000
	if at := f.v.Get(gocv.VideoCapturePosMsec); want-at > filmSeek {
		f.v.Set(gocv.VideoCapturePosMsec, want-f.half)
	}
	m := gocv.NewMat()
	for gaps := 0; ; {
		if !f.v.Read(&m) || m.Empty() {
			// A read also fails for a packet that holds no picture, in the middle of a sound film.
			if gaps++; gaps > filmGaps {
				f.end = true
				m.Close()
				return nil, 0, damaged("film ends before %d µs", pts)
			}
			continue
		}
		gaps = 0
		// After a read the position is the time of the frame that was read.
		if at := f.v.Get(gocv.VideoCapturePosMsec); at >= want-f.half {
			return &Image{m}, int64(math.Round(at * 1000)), nil
		}
	}
}

// Close ends the reading.
func (f *Film) Close() error { return f.v.Close() }
