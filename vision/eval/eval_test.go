package eval_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
	"github.com/roadcomb/roadcomb/vision/cv"
	"github.com/roadcomb/roadcomb/vision/eval"
)

// fixed answers the same boxes for every picture.
type fixed []survey.Box

func (f fixed) Detect(context.Context, *cv.Image) ([]survey.Box, error) { return f, nil }
func (fixed) Models() []survey.ModelRef                                 { return []survey.ModelRef{{Name: "fixed", Version: "1"}} }
func (fixed) Margin() float64                                           { return 0 }

func face(x, y, w, h, conf float64) survey.Box {
	return survey.Box{Class: survey.ClassFace, X: x, Y: y, W: w, H: h, Confidence: conf}
}

// set writes pictures of 640 × 480 and the truth.
func set(t testing.TB, truth string, names ...string) (dir, csv string) {
	t.Helper()
	dir = t.TempDir()
	for i, n := range names {
		if err := os.WriteFile(filepath.Join(dir, n), testkit.JPEG(testkit.Picture{W: 640, H: 480, Seed: uint64(i)}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	csv = filepath.Join(dir, "truth.csv")
	if err := os.WriteFile(csv, []byte(truth), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, csv
}

func TestFiguresAreCountedAsDefined(t *testing.T) {
	dir, csv := set(t, `file,class,x,y,w,h,note
a.jpg,face,100,100,40,40,found exactly
a.jpg,face,300,100,20,20,covered by a much larger box but not found
a.jpg,face,500,400,10,12,missed
b.jpg,,,,,,nobody
`, "a.jpg", "b.jpg")
	g := fixed{face(100, 100, 40, 40, .9), face(101, 100, 40, 40, .8), face(280, 80, 60, 60, .7), face(10, 10, 64, 48, .4)}
	r, err := eval.Redaction(t.Context(), g, dir, csv)
	if err != nil {
		t.Fatal(err)
	}
	if r.Images != 2 || len(r.Classes) != 1 {
		t.Fatalf("%+v", r)
	}
	all := r.Classes[0].Bins[0]
	if all.Boxes != 3 || all.Found != 1 || all.Covered != 2 {
		t.Fatalf("%+v", all)
	}
	var sum eval.Bin
	for _, b := range r.Classes[0].Bins[1:] {
		sum.Boxes += b.Boxes
		sum.Found += b.Found
		sum.Covered += b.Covered
	}
	if sum.Boxes != all.Boxes || sum.Found != all.Found || sum.Covered != all.Covered {
		t.Fatalf("the bins add up to %+v", sum)
	}
	// On a.jpg two boxes are false (the second on the found face is not); on b.jpg all four are.
	if got := r.Classes[0].FalseBoxes; got != 3 {
		t.Errorf("%v false boxes per image", got)
	}
	if len(r.Missed) != 1 || r.Missed[0].X != 500 || r.Missed[0].Covered != 0 {
		t.Errorf("missed %+v", r.Missed)
	}
	if r.FalseArea <= 0 || r.FalseArea > 0.1 {
		t.Errorf("false area %v", r.FalseArea)
	}
	if lo, hi := all.Lo, all.Hi; !(lo < all.Hidden && all.Hidden < hi) || math.IsNaN(lo) {
		t.Errorf("%v not in %v–%v", all.Hidden, lo, hi)
	}
	var md bytes.Buffer
	if err := r.Markdown(&md); err != nil || !strings.Contains(md.String(), "| face | all | 3 | 0.333 | 0.667 |") {
		t.Errorf("%v\n%s", err, md.String())
	}
}

func TestABadTruthIsNamed(t *testing.T) {
	for name, c := range map[string]struct{ csv, want string }{
		"no column":     {"file,class,x,y,w\na.jpg,face,1,1,1\n", `"h"`},
		"no number":     {"file,class,x,y,w,h\na.jpg,face,1,1,one,1\n", "line 2"},
		"an escape":     {"file,class,x,y,w,h\n../a.jpg,face,1,1,1,1\n", "leaves"},
		"missing image": {"file,class,x,y,w,h\nzz.jpg,face,1,1,1,1\n", "zz.jpg"},
		"another class": {"file,class,x,y,w,h\na.jpg,licence_plate,1,1,1,1\n", "licence_plate"},
		"no size":       {"file,class,x,y,w,h\na.jpg,face,1,1,0,1\n", "line 2"},
		"a short row":   {"file,class,x,y,w,h\na.jpg,face\n", "truth.csv"},
	} {
		dir, csv := set(t, c.csv, "a.jpg")
		if _, err := eval.Redaction(t.Context(), fixed{}, dir, csv); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A truth may come from a spreadsheet: a byte order mark, spaces, carriage returns, columns in another order.
func TestTruthsAreReadAsTheyCome(t *testing.T) {
	dir, csv := set(t, "\ufeffH, class ,note,X,y,w,File\r\n40, Face ,,100,100,40, a b.JPG \r\n", "a b.JPG", "c.jpg", "d.PNG")
	r, err := eval.Redaction(t.Context(), fixed{face(100, 100, 40, 40, .9)}, dir, csv)
	if err != nil || r.Images != 1 || r.LeftOut != 2 || len(r.Classes) != 1 || r.Classes[0].Bins[0].Found != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	var md bytes.Buffer
	if err := r.Markdown(&md); err != nil || !strings.Contains(md.String(), "2 that the truth does not name left out") {
		t.Errorf("%v\n%s", err, md.String())
	}
}

// Pictures of nobody: a truth of a header alone says so of every image of the folder.
func TestAnEmptyTruthMeansPicturesOfNobody(t *testing.T) {
	dir, csv := set(t, "file,class,x,y,w,h\n", "a.jpg", "b.jpg")
	r, err := eval.Redaction(t.Context(), fixed{face(100, 100, 40, 40, .9)}, dir, csv)
	if err != nil || r.Images != 2 || len(r.Classes) != 2 || r.Classes[0].FalseBoxes != 1 || r.Classes[1].FalseBoxes != 0 || r.FalseArea <= 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	var md bytes.Buffer
	if err := r.Markdown(&md); err != nil || !strings.Contains(md.String(), "| face | all | 0 | | | | 1.00 |") {
		t.Errorf("%v\n%s", err, md.String())
	}
	if _, err := eval.Redaction(t.Context(), fixed{}, t.TempDir(), csv); survey.KindOf(err) != survey.NotFound {
		t.Error(err)
	}
}

func TestDetectPrintsALineForEveryImageAlsoBadOnes(t *testing.T) {
	dir, _ := set(t, "", "a.jpg", "b.jpg")
	if err := os.WriteFile(filepath.Join(dir, "c.jpg"), []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	failed, err := eval.Detect(t.Context(), fixed{face(1.234567, 2, 3, 4, .123456)}, []string{dir}, &out)
	if err != nil || failed != 1 {
		t.Fatal(failed, err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines", len(lines))
	}
	var l eval.Line
	if err := json.Unmarshal([]byte(lines[0]), &l); err != nil || l.Width != 640 || len(l.Boxes) != 1 || l.Boxes[0].X != 1.23 || l.Boxes[0].Confidence != .1235 {
		t.Fatalf("%v %+v", err, l)
	}
	if !strings.Contains(lines[2], `"error"`) || !strings.Contains(lines[2], `"boxes":[]`) {
		t.Error(lines[2])
	}
	if _, err := eval.Detect(t.Context(), fixed{}, []string{filepath.Join(dir, "absent")}, &out); survey.KindOf(err) != survey.NotFound {
		t.Error(err)
	}
}

// slow looks longer at images whose turn is early, and stops the run at the given look.
type slow struct {
	fixed
	looks *atomic.Int32
	stop  int32
	end   context.CancelFunc
}

func (s slow) Detect(ctx context.Context, im *cv.Image) ([]survey.Box, error) {
	n := s.looks.Add(1)
	time.Sleep(time.Duration(20-min(n, 20)) * time.Millisecond)
	if n == s.stop {
		s.end()
	}
	return s.fixed.Detect(ctx, im)
}

func TestLinesComeInOrderFromLooksSideBySide(t *testing.T) {
	var names []string
	for i := range 24 {
		names = append(names, fmt.Sprintf("%02d.jpg", i))
	}
	dir, _ := set(t, "", names...)
	for _, stop := range []int32{0, 9} {
		ctx, cancel := context.WithCancel(t.Context())
		var out bytes.Buffer
		failed, err := eval.Detect(ctx, slow{fixed{face(1, 2, 3, 4, .5)}, new(atomic.Int32), stop, cancel}, []string{dir}, &out)
		cancel()
		var got []string
		for line := range strings.Lines(out.String()) {
			var l eval.Line
			if err := json.Unmarshal([]byte(line), &l); err != nil || len(l.Boxes) != 1 {
				t.Fatalf("%q: %v", line, err)
			}
			got = append(got, filepath.Base(l.File))
		}
		if !slices.Equal(got, names[:len(got)]) {
			t.Fatalf("lines of %v", got)
		}
		if stop == 0 && (err != nil || failed != 0 || len(got) != len(names)) {
			t.Fatalf("%d lines, %d failed: %v", len(got), failed, err)
		}
		if stop > 0 && (!errors.Is(err, context.Canceled) || len(got) >= len(names)) {
			t.Fatalf("stopped, but %d lines: %v", len(got), err)
		}
	}
}

func ExampleReport_Markdown() {
	r := eval.Report{Set: "street", Images: 1, Classes: []eval.Class{{Class: survey.ClassPlate, Bins: []eval.Bin{{Height: "all", Boxes: 2, Found: 1, Covered: 2, Recall: .5, Hidden: 1, Lo: .34, Hi: 1}}}}}
	var b strings.Builder
	if err := r.Markdown(&b); err == nil {
		fmt.Println(strings.Contains(b.String(), "| plate | all | 2 | 0.500 | 1.000 |"))
	}
	// Output: true
}
