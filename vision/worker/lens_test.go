package worker_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
	"github.com/roadcomb/roadcomb/vision/cv"
	"github.com/roadcomb/roadcomb/vision/worker"
)

// streetWalk is a real sequence of frames, through a lens with mud on it if asked.
func streetWalk(t testing.TB, mud bool) (out [][]byte) {
	files, err := filepath.Glob(filepath.Join(testkit.Shared(t, "data", "exif-sequence-lund"), "*.jpg"))
	if err != nil || len(files) != 29 {
		t.Fatal(len(files), err)
	}
	for _, f := range files[:27] {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if !mud {
			out = append(out, b)
			continue
		}
		im, _, err := cv.Decode(b, cv.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		px, w := im.Pixels(), im.Width()
		for y := 540; y < 660; y++ { // 120 of 1,024 × 768, a fiftieth of the picture, and some blocks in part
			for x := 180; x < 300; x++ {
				copy(px[(y*w+x)*3:], []byte{40, 50, 60})
			}
		}
		soiled, err := cv.FromPixels(w, im.Height(), px)
		if err != nil {
			t.Fatal(err)
		}
		if b, err = soiled.EncodeJPEG(90); err != nil {
			t.Fatal(err)
		}
		im.Close()
		soiled.Close()
		out = append(out, b)
	}
	return out
}

// lens is what is known of a drive's lens: the finding's evidence, and for each frame its share held and its score.
type lens struct {
	finding string
	held    []survey.PPM
	score   []survey.PPM
}

func (d *drive) lens() (l lens) {
	d.t.Helper()
	rows, err := d.db.Query(d.t.Context(), `SELECT evidence FROM findings WHERE drive_id = $1 AND kind = 'dirty_lens'`, string(d.id))
	if err != nil {
		d.t.Fatal(err)
	}
	for rows.Next() {
		if err := rows.Scan(&l.finding); err != nil {
			d.t.Fatal(err)
		}
	}
	rows.Close()
	for i := range d.ids {
		var raw string
		var score int64
		if err := d.db.QueryRow(d.t.Context(), `SELECT quality, quality_ppm FROM frames WHERE id = $1`, string(d.ids[i])).Scan(&raw, &score); err != nil {
			d.t.Fatal(err)
		}
		var q survey.Quality
		if err := json.Unmarshal([]byte(raw), &q); err != nil || int64(q.Score) != score {
			d.t.Fatal(err, q.Score, score)
		}
		l.held, l.score = append(l.held, q.Held), append(l.score, q.Score)
	}
	var left int64
	if err := d.db.QueryRow(d.t.Context(), `SELECT COUNT(*) FROM frame_sketches`).Scan(&left); err != nil || left != 0 {
		d.t.Errorf("%d sketches are left, %v", left, err)
	}
	return l
}

// moving puts ten metres between frames, or the given latitude step, and cuts the drive in two parts.
func (d *drive) moving(stepE7 int) *drive {
	d.t.Helper()
	if err := d.db.Tx(d.t.Context(), func(tx *state.Tx) error {
		if _, err := tx.Exec(d.t.Context(), `UPDATE frames SET lat_e7 = 100000000 + seq * $1, width = 1024, height = 768, part = CASE WHEN seq < 11 THEN 0 ELSE 1 END`, stepE7); err != nil {
			return err
		}
		_, err := tx.Exec(d.t.Context(), `INSERT INTO drive_parts (drive_id, part) VALUES ($1, 1)`, string(d.id))
		return err
	}); err != nil {
		d.t.Fatal(err)
	}
	return d
}

func TestDirtOnTheLensIsToldAndTakenOffTheRating(t *testing.T) {
	clean, muddy := streetWalk(t, false), streetWalk(t, true)
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		d := driveIn(t, db, muddy...).moving(900)
		for _, part := range []int{0, 1} {
			if err := d.worker(finds()).Part(t.Context(), state.VisionArgs{DriveID: d.id, Part: part}); err != nil {
				t.Fatal(err)
			}
		}
		l := d.lens()
		if !strings.Contains(l.finding, "lower left") || !strings.Contains(l.finding, "3 % of the picture") {
			t.Fatalf("told %q", l.finding)
		}
		for i, h := range l.held {
			if h < 10_000 || h > 40_000 || h != l.held[0] {
				t.Errorf("frame %d: %d ppm held", i, h)
			}
		}
		// Another look rates the frames anew, and knows the lens still.
		if err := d.worker(finds()).Part(t.Context(), state.VisionArgs{DriveID: d.id, Part: 1, Run: 1}); err != nil {
			t.Fatal(err)
		}
		if again := d.lens(); again.finding != l.finding || !slices.Equal(again.held, l.held) || !slices.Equal(again.score, l.score) {
			t.Errorf("after a rerun %+v, before %+v", again, l)
		}
	})
	score := func(step int, images [][]byte, order []int, workers int) lens {
		d := newDrive(t, images...).moving(step)
		w := d.worker(finds())
		w.Config = worker.Config{Workers: workers}
		for _, part := range order {
			if err := w.Part(t.Context(), state.VisionArgs{DriveID: d.id, Part: part}); err != nil {
				t.Fatal(err)
			}
		}
		return d.lens()
	}
	a, b := score(900, muddy, []int{0, 1}, 1), score(900, muddy, []int{1, 0}, 3)
	if a.finding == "" || a.finding != b.finding || !slices.Equal(a.held, b.held) || !slices.Equal(a.score, b.score) {
		t.Errorf("in order with one worker %+v, the other way with three %+v", a, b)
	}
	if s := score(10, muddy, []int{0, 1}, 2); s.finding != "" || s.held[0] != 0 { // 0.1 m a frame: 2.9 m in all
		t.Errorf("standing still: %+v", s)
	} else if s.score[3] <= a.score[3] {
		t.Errorf("the frame rates %d with its dirt known, %d without", a.score[3], s.score[3])
	}
	if s := score(900, clean, []int{0, 1}, 2); s.finding != "" || slices.Max(s.held) != 0 {
		t.Errorf("a clean lens: %+v", s)
	}
}
