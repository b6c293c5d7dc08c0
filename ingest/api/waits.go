package api

import (
	"context"
	"sync"
	"time"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// waits is what is known of all uploads that wait for work, read once for all drivers who wait for theirs: asking the
// database for each of two hundred, each time, took more of its time than the work itself.
type waits struct {
	db *state.DB

	mu  sync.Mutex
	of  map[survey.UploadID]mark
	due time.Time // when it is read again
}

// mark changes when an upload gets on: its state, or how many of its batches vision has not done.
type mark struct {
	state survey.UploadState
	left  int64
}

// What waits is read again after picturesLeast, or ten times what the last reading took, but not later than picturesMost.
const picturesLeast, picturesMost = 100 * time.Millisecond, 2 * time.Second

// look gives the mark of an upload as of at most picturesMost ago; none if it did not wait for work then.
func (w *waits) look(ctx context.Context, id survey.UploadID) (mark, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if began := time.Now(); !began.Before(w.due) {
		of, err := w.read(ctx)
		if err != nil {
			return mark{}, err
		}
		w.of, w.due = of, time.Now().Add(min(max(picturesLeast, 10*time.Since(began)), picturesMost))
	}
	return w.of[id], nil
}

func (w *waits) read(ctx context.Context) (map[survey.UploadID]mark, error) {
	rows, err := w.db.Query(ctx, `SELECT u.id, u.state, (SELECT COUNT(*) FROM drives d JOIN drive_parts p ON p.drive_id = d.id WHERE d.upload_id = u.id AND p.done_run < 0)
		FROM uploads u WHERE u.state IN ('uploaded', 'ingested')`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	of := map[survey.UploadID]mark{}
	for rows.Next() {
		var id, st string
		var m mark
		if err := rows.Scan(&id, &st, &m.left); err != nil {
			return nil, err
		}
		m.state = survey.UploadState(st)
		of[survey.UploadID(id)] = m
	}
	return of, rows.Err()
}
