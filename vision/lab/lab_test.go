package lab_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
	"github.com/roadcomb/roadcomb/vision/cv"
	"github.com/roadcomb/roadcomb/vision/lab"
	"github.com/roadcomb/roadcomb/vision/models"
)

type guard struct {
	look func(context.Context, *cv.Image) ([]survey.Box, error)
}

func (g guard) Detect(ctx context.Context, im *cv.Image) ([]survey.Box, error) {
	return g.look(ctx, im)
}
func (guard) Models() []survey.ModelRef {
	return []survey.ModelRef{{Name: "m", Version: "1", SHA256: survey.HashOf(nil)}}
}
func (guard) Margin() float64 { return 0.25 }

// TestMain makes this program its own child. What the child looks at tells it what to do, by the picture's width.
func TestMain(m *testing.M) {
	if os.Getenv("LAB_TEST_CHILD") == "" {
		os.Exit(m.Run())
	}
	panic(lab.Main(func() (lab.Tools, error) {
		if os.Getenv("LAB_TEST_CHILD") == "no model" {
			return lab.Tools{Err: fmt.Errorf("in this folder: %w", models.ErrNone)}, nil
		}
		return lab.Tools{Guard: guard{func(ctx context.Context, im *cv.Image) ([]survey.Box, error) {
			switch im.Width() {
			case 100:
				return []survey.Box{{Class: survey.ClassFace, X: 1.5, W: 2, H: 3, Confidence: 0.5, Model: strings.Join(os.Environ(), " ")}}, nil
			case 110:
				<-ctx.Done()
				return nil, ctx.Err()
			case 120:
				(&cv.Image{}).Resize(10, 10)
			}
			panic("a fault of Go's")
		}}}, nil
	}))
}

func open(t *testing.T, mode string) *lab.Lab {
	l := lab.New(lab.Command{Env: []string{"LAB_TEST_CHILD=" + mode}})
	t.Cleanup(func() { l.Close() })
	return l
}

func decode(t *testing.T, l *lab.Lab, width int) *lab.Picture {
	t.Helper()
	p, h, err := l.Decode(t.Context(), testkit.JPEG(testkit.Picture{W: width, H: 80, Seed: 1}), cv.Limits{}, time.Minute)
	if err != nil || h.Width != width || p.Width() != width || p.Height() != 80 {
		t.Fatal(p, h, err)
	}
	return p
}

// A child gives what the same calls in this process give, and knows nothing of this process's environment.
func TestAChildWorksAsThisProcessWould(t *testing.T) {
	t.Setenv("ROADCOMB_S3_SECRET", "hush")
	l := open(t, "1")
	p := decode(t, l, 100)
	defer p.Close()
	boxes, err := p.Detect(t.Context(), time.Minute)
	if err != nil || len(boxes) != 1 || boxes[0].X != 1.5 || boxes[0].Confidence != 0.5 {
		t.Fatal(boxes, err)
	}
	if env := boxes[0].Model; strings.Contains(env, "hush") || env != "LAB_TEST_CHILD=1" {
		t.Errorf("the child's environment is %q", env)
	}
	if h := p.Looker(); h.Margin != 0.25 || len(h.Models) != 1 || h.OpenCV != cv.Version() {
		t.Errorf("%+v", h)
	}
	at, like, err := p.Follow(t.Context(), time.Minute, p, []image.Rectangle{image.Rect(20, 20, 50, 50)}, []int{8})
	if err != nil || at[0] != image.Rect(20, 20, 50, 50) || like[0] < 0.99 {
		t.Error(at, like, err)
	}
	if err := p.Cover(t.Context(), time.Minute, []image.Rectangle{image.Rect(0, 0, 40, 40)}); err != nil {
		t.Fatal(err)
	}
	got, err := p.EncodeJPEG(t.Context(), time.Minute, 88)
	if err != nil {
		t.Fatal(err)
	}
	here, _, err := cv.Decode(testkit.JPEG(testkit.Picture{W: 100, H: 80, Seed: 1}), cv.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	here.Cover([]image.Rectangle{image.Rect(0, 0, 40, 40)})
	want, err := here.EncodeJPEG(88)
	if err != nil || string(got) != string(want) {
		t.Errorf("%d bytes, here %d, %v", len(got), len(want), err)
	}
}

func TestErrorsKeepTheirIdentityOnTheWay(t *testing.T) {
	l := open(t, "no model")
	if err := l.Check(t.Context()); !errors.Is(err, models.ErrNone) || !strings.Contains(err.Error(), "in this folder") {
		t.Error(err)
	}
	if _, err := decode(t, l, 100).Detect(t.Context(), time.Minute); !errors.Is(err, models.ErrNone) {
		t.Error(err)
	}
	good := testkit.JPEG(testkit.Picture{W: 100, H: 80, Seed: 1})
	for name, c := range map[string]struct {
		body   []byte
		limits cv.Limits
		want   error
	}{
		"cut short": {good[:len(good)/2], cv.Limits{}, cv.ErrDamaged},
		"too large": {good, cv.Limits{MaxPixels: 4000}, cv.ErrTooManyPixels},
		"too small": {good, cv.Limits{MinSide: 90}, cv.ErrTooSmall},
		"a text":    {[]byte("not a picture"), cv.Limits{}, cv.ErrFormat},
	} {
		_, h, err := l.Decode(t.Context(), c.body, c.limits, time.Minute)
		if !errors.Is(err, c.want) || name[:3] == "too" && h.Width != 100 {
			t.Errorf("%s: %v %+v", name, err, h)
		}
	}
	if _, err := l.Cut(t.Context(), "/nowhere.mp4", 0, cv.Limits{}, time.Minute); !errors.Is(err, cv.ErrDamaged) {
		t.Error(err)
	}
}

func TestWhatDiesWithTheChildAndWhatDoesNot(t *testing.T) {
	l := open(t, "1")
	late, crash, panics := decode(t, l, 110), decode(t, l, 120), decode(t, l, 130)
	if _, err := panics.Detect(t.Context(), time.Minute); err == nil || errors.Is(err, lab.ErrDied) || !panics.Alive() {
		t.Errorf("a panic of Go's: %v", err)
	}
	if _, err := late.Detect(t.Context(), 10*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) || !late.Alive() {
		t.Errorf("a detector that listens: %v", err)
	}
	if _, err := crash.Detect(t.Context(), time.Minute); !errors.Is(err, lab.ErrDied) || lab.Blameless(err) || !strings.Contains(err.Error(), "SIGSEGV") {
		t.Errorf("native code that crashes: %v", err)
	}
	if late.Alive() {
		t.Error("a picture outlived its child")
	}
	if _, err := late.EncodeJPEG(t.Context(), time.Minute, 88); !errors.Is(err, lab.ErrDied) {
		t.Error(err)
	}
	p := decode(t, l, 100) // in a new child
	if _, err := p.Detect(t.Context(), time.Minute); err != nil {
		t.Error(err)
	}
	if _, _, err := late.Follow(t.Context(), time.Minute, p, []image.Rectangle{image.Rect(0, 0, 9, 9)}, []int{1}); !errors.Is(err, lab.ErrDied) {
		t.Errorf("pictures of two children: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := decode(t, l, 110).Detect(ctx, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("a call that nobody wants any more: %v", err)
	}
	if l.Close(); p.Alive() {
		t.Error("a picture outlived its lab")
	}
	if _, _, err := l.Decode(t.Context(), nil, cv.Limits{}, time.Minute); survey.KindOf(err) != survey.Unavailable || errors.Is(err, lab.ErrDied) {
		t.Error(err)
	}
}

// BenchmarkRoundTrip is what a picture's way to the child and back costs, besides the work: the bytes of a dashcam's
// frame there, those of the published one back, eight calls.
func BenchmarkRoundTrip(b *testing.B) {
	l := lab.New(lab.Command{Env: []string{"LAB_TEST_CHILD=1"}})
	defer l.Close()
	body := append(testkit.JPEG(testkit.Picture{W: 100, H: 80, Seed: 1}), make([]byte, 700<<10)...)
	for b.Loop() {
		p, _, err := l.Decode(b.Context(), body, cv.Limits{}, time.Minute)
		if err != nil {
			b.Fatal(err)
		}
		for range 6 {
			if err := p.Cover(b.Context(), time.Minute, nil); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := p.EncodeJPEG(b.Context(), time.Minute, 88); err != nil {
			b.Fatal(err)
		}
		p.Close()
	}
}
