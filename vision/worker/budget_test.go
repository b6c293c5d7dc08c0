package worker_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/vision/cv"
)

// However many hands there are, no more pictures are held at once than the budget has pixels for, and all of them get
// their turn.
func TestNoMorePicturesAreHeldThanTheBudgetAllows(t *testing.T) {
	var images [][]byte
	for i := range 10 {
		images = append(images, picture(uint64(i)))
	}
	d := newDrive(t, images...)
	var (
		mu           sync.Mutex
		inside, most int
		full         = make(chan struct{})
		once         sync.Once
	)
	w := d.worker(guard{func(ctx context.Context, _ *cv.Image) ([]survey.Box, error) {
		mu.Lock()
		inside++
		most = max(most, inside)
		if inside == 3 {
			once.Do(func() {
				// A fourth that is not held back has this long to come; it never makes a right worker fail.
				time.AfterFunc(200*time.Millisecond, func() { close(full) })
			})
		}
		mu.Unlock()
		select { // the first three wait for each other, so that three are seen
		case <-full:
		case <-ctx.Done():
		}
		mu.Lock()
		inside--
		mu.Unlock()
		return nil, ctx.Err()
	}, testRef})
	w.Config.Workers, w.Config.PixelBudget, w.Config.FrameTimeout = 8, 3*640*480, time.Minute
	if err := w.Part(t.Context(), state.VisionArgs{DriveID: d.id}); err != nil {
		t.Fatal(err)
	}
	if most != 3 {
		t.Errorf("%d pictures were held at once, the budget is for 3", most)
	}
	for i := range d.ids {
		if r := d.row(i); r.state != "published" {
			t.Errorf("frame %d: %+v", i, r)
		}
	}
}
