package worker

import (
	"context"
	"errors"
	"sync"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/vision/lab"
)

// A picture can crash native code, or make it take all memory. That ends the child that works on pictures (package lab),
// and, for reasons of the machine, this process may end too.
//
// When the child dies, the frames that were in hand are taken one by one (afterDeath); the one it dies on again is
// quarantined as poisoned.
//
// When this process dies, nothing of ours runs, so what was in hand must have been written down before. A part that
// begins notes so; if an earlier beginning had no end, a worker died on it, and its frames are taken one by one, each
// noted before it is touched. A frame that was in hand alone when a worker died, poisonedAfter times (and once among
// others before), is quarantined as poisoned and not touched again in this run. What pictures do is done to the child, so
// that workers mostly die of other things: with two deaths, a network whose workers were killed every few seconds held back
// two innocent frames of 720, which changed what their drivers were paid.
//
// A note that could not be taken back, because the database was away, says nothing of a death: the process keeps it in
// mind and takes it back before it begins anything else.

const (
	poisonedAfter = 5 // deaths of workers with the frame alone in hand
	maxTries      = 2 // deaths of the child with the frame in hand
)

// notes are those that this process still has to take back.
type notes struct {
	sync.Mutex
	owed []note
}

type note struct {
	sql  string
	args []any
}

// takeBack removes a note, now or as soon as the database is there.
func (w *Worker) takeBack(ctx context.Context, sql string, args ...any) error {
	_, err := w.DB.Exec(ctx, sql, args...)
	if err != nil {
		w.notes.Lock()
		defer w.notes.Unlock()
		w.notes.owed = append(w.notes.owed, note{sql, args})
	}
	return err
}

// settleNotes takes back what is owed.
func (w *Worker) settleNotes(ctx context.Context) error {
	w.notes.Lock()
	defer w.notes.Unlock()
	for len(w.notes.owed) > 0 {
		n := w.notes.owed[0]
		if _, err := w.DB.Exec(ctx, n.sql, n.args...); err != nil {
			return err
		}
		w.notes.owed = w.notes.owed[1:]
	}
	return nil
}

// begin notes that work on the part starts, and reports whether an earlier start had no end.
func (w *Worker) begin(ctx context.Context, a state.VisionArgs) (careful bool, err error) {
	if err := w.settleNotes(ctx); err != nil {
		return false, err
	}
	err = w.DB.Tx(ctx, func(tx *state.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO vision_parts_begun (drive_id, part, run, begun) VALUES ($1, $2, $3, 1)
			ON CONFLICT (drive_id, part, run) DO UPDATE SET begun = vision_parts_begun.begun + 1`, string(a.DriveID), a.Part, a.Run); err != nil {
			return err
		}
		var n int64
		if err := tx.QueryRow(ctx, `SELECT begun FROM vision_parts_begun WHERE drive_id = $1 AND part = $2 AND run = $3`, string(a.DriveID), a.Part, a.Run).Scan(&n); err != nil {
			return err
		}
		careful = n > 1
		return nil
	})
	return careful, err
}

// ended takes the note back when the part ended with an error that this process lived to see.
func (w *Worker) ended(ctx context.Context, a state.VisionArgs) {
	if err := w.takeBack(ctx, `UPDATE vision_parts_begun SET begun = begun - 1 WHERE drive_id = $1 AND part = $2 AND run = $3 AND begun > 0`,
		string(a.DriveID), a.Part, a.Run); err != nil {
		w.log().Warn("the note that a part began stays for now", "drive", a.DriveID, "part", a.Part, "err", err)
	}
}

// afterDeath goes on with a part after the lab died: first with each frame that was in hand, and those before it, alone,
// then with the others as usual.
func (w *Worker) afterDeath(ctx context.Context, cfg Config, a state.VisionArgs, shots []*shot) error {
	last := -1
	for i, s := range shots {
		if s.tries > 0 && !s.done {
			last = i
		}
	}
	if err := w.oneByOne(ctx, a, shots[:last+1]); err != nil {
		return err
	}
	return w.sideBySide(ctx, cfg, shots)
}

// oneByOne takes frames that a worker or the lab died on.
func (w *Worker) oneByOne(ctx context.Context, a state.VisionArgs, shots []*shot) error {
	if len(shots) > 0 {
		w.log().Warn("something died on frames of this part; they are taken one by one", "drive", a.DriveID, "part", a.Part, "frames", len(shots))
	}
	fs := films{lab: w.Lab}
	defer fs.Close()
	look := func(s *shot) error {
		for !s.done && s.verdict.Reason == "" && !s.im.Alive() {
			s.again()
			if err := w.alone(ctx, a, s, func() {
				steps := lookSteps
				if s.filmPTS >= 0 {
					steps = filmSteps
					w.run(ctx, s, []step{{"cut", fs.cut}})
				}
				w.run(ctx, s, steps)
			}); err != nil {
				return err
			}
		}
		return nil
	}
	for _, s := range shots {
		for !s.done {
			if err := look(s); err != nil {
				return err
			}
			if s.next != nil {
				if err := look(s.next); err != nil {
					return err
				}
			}
			switch {
			case s.verdict.Reason != "":
				s.done = true
			case s.im.Alive(): // the lab may have died on its neighbour
				if err := w.alone(ctx, a, s, func() { w.show(ctx, s) }); err != nil {
					return err
				}
			}
		}
		s.close()
	}
	return nil
}

// alone does something with one frame in hand. If the lab dies of it, that counts as a try and is no error.
func (w *Worker) alone(ctx context.Context, a state.VisionArgs, s *shot, do func()) error {
	poison := func() { s.verdict = survey.Reject(survey.ReasonPoisoned, "", map[string]any{"tries": maxTries}) }
	poisoned, err := w.inHand(ctx, s.id, a.Run)
	if err != nil {
		return err
	}
	if poisoned {
		poison()
		return nil
	}
	do()
	if err := w.takeBack(context.WithoutCancel(ctx), `DELETE FROM vision_frames_begun WHERE frame_id = $1 AND run = $2`, string(s.id), a.Run); err != nil {
		return err
	}
	if !errors.Is(s.err, lab.ErrDied) || lab.Blameless(s.err) {
		return s.err
	}
	s.again()
	if s.tries >= maxTries {
		w.log().Error("frame not published", "frame", s.id, "reason", survey.ReasonPoisoned)
		poison()
	}
	return nil
}

// inHand notes that the frame is about to be touched, alone. It reports true, and notes nothing, if it was noted
// poisonedAfter times before: the workers that had it in hand died.
func (w *Worker) inHand(ctx context.Context, id survey.FrameID, run int) (poisoned bool, err error) {
	err = w.DB.Tx(ctx, func(tx *state.Tx) error {
		var n int64
		err := tx.QueryRow(ctx, `SELECT begun FROM vision_frames_begun WHERE frame_id = $1 AND run = $2`, string(id), run).Scan(&n)
		if err != nil && !errors.Is(err, state.ErrNoRows) {
			return err
		}
		if poisoned = n >= poisonedAfter; poisoned {
			return nil
		}
		_, err = tx.Exec(ctx, `INSERT INTO vision_frames_begun (frame_id, run, begun) VALUES ($1, $2, 1)
			ON CONFLICT (frame_id, run) DO UPDATE SET begun = vision_frames_begun.begun + 1`, string(id), run)
		return err
	})
	return poisoned, err
}
