package worker

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/vision/cv"
	"github.com/roadcomb/roadcomb/vision/lab"
)

// films keeps the film that the frames of a part are cut from between frames, in a file of its own on disk, since decoders
// want to jump. Frames must come in the order of their times.
type films struct {
	lab    *lab.Lab
	object string
	file   string
	err    error // verdict on every frame of the film
}

func (f *films) Close() {
	if f.file != "" {
		f.lab.CloseFilm(f.file)
		os.Remove(f.file)
	}
	*f = films{lab: f.lab}
}

// cut decodes the shot's frame out of its film.
func (f *films) cut(w *Worker, ctx context.Context, s *shot) error {
	if f.object != s.object {
		f.Close()
		f.object = s.object
		if err := f.open(w, ctx, s); err != nil {
			var v *stop
			if !errors.As(err, &v) {
				f.Close()
				return err
			}
			f.err = err
		}
	}
	if f.err != nil {
		return f.err
	}
	im, err := f.lab.Cut(ctx, f.file, s.filmPTS, w.Config.Limits, stepLimit)
	if err != nil {
		return undecodable(err, cv.Header{Width: s.width, Height: s.height})
	}
	s.im = im
	return nil
}

func (f *films) open(w *Worker, ctx context.Context, s *shot) error {
	if s.object == "" {
		return reject(survey.ReasonUnreadable, "The original is no longer kept.", nil)
	}
	o, _, err := w.Store.Open(ctx, store.Private, s.object)
	if survey.KindOf(err) == survey.NotFound {
		return reject(survey.ReasonUnreadable, "The original is not in storage.", nil)
	}
	if err != nil {
		return err
	}
	defer o.Close()
	tmp, err := os.CreateTemp("", "roadcomb-film-*")
	if err != nil {
		return survey.Errorf(survey.Unavailable, "film: %w", err)
	}
	f.file = tmp.Name()
	got, _, err := survey.HashReader(io.TeeReader(o, tmp))
	if err = errors.Join(err, tmp.Close()); err != nil {
		return survey.Errorf(survey.Unavailable, "film: %w", err)
	}
	if got != s.sha {
		return reject(survey.ReasonHashMismatch, "", nil)
	}
	return nil
}
