package cv_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/testkit"
	"github.com/roadcomb/roadcomb/vision/cv"
)

func TestFilmFramesComeAtTheTimesAskedFor(t *testing.T) {
	path := testkit.Shared(t, "data", "gopro", "karma.mp4")
	f, err := cv.OpenFilm(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, want := range []int64{0, 500_000, 1_000_000, 7_340_000, 11_000_000} {
		im, at, err := f.At(want, cv.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if d := at - want; d < -40_000 || d > 40_000 || im.Width() != 854 || im.Height() != 480 {
			t.Errorf("asked for %d, got %d: %d × %d", want, at, im.Width(), im.Height())
		}
		im.Close()
	}
	if _, _, err := f.At(60_000_000, cv.Limits{}); !errors.Is(err, cv.ErrDamaged) {
		t.Errorf("after the end: %v", err)
	}
	if _, _, err := f.At(60_000_001, cv.Limits{}); !errors.Is(err, cv.ErrDamaged) {
		t.Errorf("after the end again: %v", err)
	}
}

func TestAFilmThatIsNoneIsRefused(t *testing.T) {
	p := filepath.Join(t.TempDir(), "x.mp4")
	if err := os.WriteFile(p, []byte("not a film"), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := cv.OpenFilm(p); err == nil {
		f.Close()
		t.Fatal("opened")
	}
}
