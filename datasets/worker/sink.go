package worker

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// sink streams the rows of one partition into a file on disk, so that a large one needs no memory, and then into the
// lake. A sink must be finished or dropped.
type sink[T any] struct {
	w      *Worker
	schema lake.Schema
	part   part
	f      *os.File // nil before the first row
	enc    *lake.Writer[T]
	sum    hash.Hash
	n      int64
}

func newSink[T any](w *Worker, s lake.Schema, key string) *sink[T] {
	return &sink[T]{w: w, schema: s, part: part{s.Name, key}, sum: sha256.New()}
}

func (s *sink[T]) Write(b []byte) (int, error) {
	n, err := s.f.Write(b)
	s.sum.Write(b[:n])
	s.n += int64(n)
	return n, err
}

func (s *sink[T]) add(row T) error {
	if s.enc == nil {
		f, err := os.CreateTemp("", "roadcomb-export-*.parquet")
		if err != nil {
			return survey.Errorf(survey.Unavailable, "export: %w", err).WithHint("check the free space of the temporary folder")
		}
		s.f = f
		if s.enc, err = lake.NewWriter[T](s, s.schema); err != nil {
			return err
		}
	}
	return s.enc.Write(row)
}

func (s *sink[T]) drop() {
	if s.f != nil {
		s.f.Close()
		os.Remove(s.f.Name())
		s.f = nil
	}
}

// small objects are written with one conditional request.
const small = 64 << 20

// finish puts the object into the lake; a partition without rows has none.
func (s *sink[T]) finish(ctx context.Context) (file, error) {
	defer s.drop()
	out := file{part: s.part}
	if s.enc == nil {
		return out, nil
	}
	if err := s.enc.Close(); err != nil {
		return out, fmt.Errorf("%s %s: %w", s.part.dataset, s.part.key, err)
	}
	h := survey.Hash(s.sum.Sum(nil))
	out.object, out.sha256 = store.DatasetKey(s.schema.Name, fmt.Sprintf("v%d", s.schema.Version), s.part.key, h), h.String()
	out.bytes, out.rows = s.n, s.enc.Rows()
	if err := s.w.unretire(ctx, out.object); err != nil {
		return out, err
	}
	if _, err := s.f.Seek(0, io.SeekStart); err != nil {
		return out, err
	}
	if s.n <= small {
		b := make([]byte, s.n)
		if _, err := io.ReadFull(s.f, b); err != nil {
			return out, err
		}
		return out, s.w.Store.PutOnce(ctx, store.Lake, out.object, b, lake.MediaType)
	}
	if st, err := s.w.Store.Stat(ctx, store.Lake, out.object); err == nil && st.Bytes == s.n {
		return out, nil
	} else if err != nil && survey.KindOf(err) != survey.NotFound {
		return out, err
	}
	_, err := s.w.Store.PutReader(ctx, store.Lake, out.object, s.f, s.n, lake.MediaType)
	return out, err
}

// unretire takes an object that is about to be named again off the list of the sweep. Where the sweep has it in hand,
// this waits until the object is gone, and it is then written anew.
func (w *Worker) unretire(ctx context.Context, object string) error {
	var at int64
	err := w.DB.QueryRow(ctx, `SELECT retired_at FROM dataset_retired WHERE object = $1`, object).Scan(&at)
	if errors.Is(err, state.ErrNoRows) {
		return nil
	} else if err != nil {
		return err
	}
	_, err = w.DB.Exec(ctx, `DELETE FROM dataset_retired WHERE object = $1`, object)
	return err
}
