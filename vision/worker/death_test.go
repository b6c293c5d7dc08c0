package worker_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/vision/cv"
	"github.com/roadcomb/roadcomb/vision/lab"
)

// childEnv makes the test program the child of a lab. Its value is realChild, or a file with one line for each picture that does harm,
// what it does and the SHA-256 of its pixels; each time such a picture is looked at, a line is added to the file beside it.
const childEnv = "ROADCOMB_TEST_LAB"

func child() {
	path := os.Getenv(childEnv)
	if path == realChild {
		if err := lab.Main(realTools); err != nil {
			panic(err)
		}
		return
	}
	b, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	harm := map[string]string{}
	for line := range strings.Lines(string(b)) {
		var what, sum string
		fmt.Sscan(line, &what, &sum)
		harm[sum] = what
	}
	look := func(_ context.Context, im *cv.Image) ([]survey.Box, error) {
		sum := survey.HashOf(im.Pixels()).String()
		what := harm[sum]
		if what == "" {
			return nil, nil
		}
		f, err := os.OpenFile(path+".log", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			panic(err)
		}
		fmt.Fprintln(f, sum)
		f.Close()
		switch what {
		case "segv": // native code reads through a null pointer
			(&cv.Image{}).Resize(10, 10)
		case "exit":
			os.Exit(3)
		case "hog":
			for hoard := [][]byte{}; ; {
				hoard = append(hoard, bytes.Repeat([]byte{1}, 16<<20))
			}
		case "hang":
			select {}
		}
		panic(what)
	}
	panic(lab.Main(func() (lab.Tools, error) {
		return lab.Tools{Guard: guard{look, testRef}}, nil
	}))
}

// harmful starts labs whose detector does harm at the pictures named.
func harmful(t *testing.T, d *drive, what map[int]string, images [][]byte) (w func() *lab.Lab, tries func(i int) int) {
	t.Helper()
	list := filepath.Join(t.TempDir(), "harm")
	sums := map[int]string{}
	var b strings.Builder
	for i, kind := range what {
		im, _, err := cv.Decode(images[i], cv.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		sums[i] = survey.HashOf(im.Pixels()).String()
		im.Close()
		fmt.Fprintln(&b, kind, sums[i])
	}
	if err := os.WriteFile(list, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return func() *lab.Lab {
			l := lab.New(lab.Command{Env: []string{childEnv + "=" + list}, Memory: 400 << 20})
			t.Cleanup(func() { l.Close() })
			return l
		}, func(i int) (n int) {
			log, _ := os.ReadFile(list + ".log") // absent when nothing was tried
			return strings.Count(string(log), sums[i])
		}
}

// A picture that crashes native code, takes all memory or hangs is tried twice (a hanging one once, since that says it
// all) and then left alone; every other frame of the part is published, and this process lives.
func TestNativeCodeThatDiesTakesOneFrameWithIt(t *testing.T) {
	for name, c := range map[string]struct {
		harm  map[int]string
		want  survey.Reason
		tries int
	}{
		"a segmentation fault":             {map[int]string{3: "segv"}, survey.ReasonPoisoned, 2},
		"at the first frame":               {map[int]string{0: "segv"}, survey.ReasonPoisoned, 2},
		"at the last frame":                {map[int]string{7: "exit"}, survey.ReasonPoisoned, 2},
		"at neighbours":                    {map[int]string{3: "segv", 4: "exit"}, survey.ReasonPoisoned, 2},
		"far from each other":              {map[int]string{1: "segv", 6: "segv"}, survey.ReasonPoisoned, 2},
		"memory without end":               {map[int]string{2: "hog"}, survey.ReasonPoisoned, 2},
		"no end, and deaf to being told":   {map[int]string{5: "hang"}, survey.ReasonDetectorLate, 1},
		"every frame, one after the other": {map[int]string{0: "exit", 1: "exit", 2: "exit", 3: "exit", 4: "exit", 5: "exit", 6: "exit", 7: "exit"}, survey.ReasonPoisoned, 2},
	} {
		t.Run(name, func(t *testing.T) {
			var images [][]byte
			for i := range 8 {
				images = append(images, picture(uint64(i+1)))
			}
			d := newDrive(t, images...)
			newLab, tries := harmful(t, d, c.harm, images)
			w := d.worker(nil)
			w.Lab = newLab()
			if c.want == survey.ReasonDetectorLate {
				w.Config.FrameTimeout = time.Second
			}
			if err := w.Part(t.Context(), state.VisionArgs{DriveID: d.id}); err != nil {
				t.Fatal(err)
			}
			for i := range images {
				r := d.row(i)
				if c.harm[i] == "" {
					if r.state != "published" || r.verdict != "accepted" {
						t.Errorf("innocent frame %d: %+v", i, r)
					}
					continue
				}
				if r.state != "quarantined" || survey.Reason(r.reason) != c.want || r.key != "" || r.verdict != "rejected" {
					t.Errorf("frame %d: %+v", i, r)
				}
				if n := tries(i); n < 1 || n > c.tries {
					t.Errorf("frame %d was tried %d times, want %d", i, n, c.tries)
				}
			}
			if n := len(d.public()); n != len(images)-len(c.harm) {
				t.Errorf("%d frames are public", n)
			}
		})
	}
}

// A child that cannot be started is no verdict on any frame.
func TestALabThatDoesNotStartIsNoVerdict(t *testing.T) {
	d := newDrive(t, picture(1))
	w := d.worker(nil)
	w.Lab = lab.New(lab.Command{Path: "/bin/false"})
	if err := w.Part(t.Context(), state.VisionArgs{DriveID: d.id}); survey.KindOf(err) != survey.Unavailable {
		t.Fatal(err)
	}
	if r := d.row(0); r.state != "pending" {
		t.Fatalf("%+v", r)
	}
}

// Between parts the child may die too; nothing was in hand, and nobody is to blame.
func TestALabThatDiesBetweenPartsIsStartedAgain(t *testing.T) {
	images := [][]byte{picture(1), picture(2)}
	d := newDrive(t, images...)
	newLab, _ := harmful(t, d, nil, nil)
	w := d.worker(nil)
	w.Lab = newLab()
	if err := w.Lab.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	pids := children(t)
	if len(pids) != 1 {
		t.Fatalf("children %v", pids)
	}
	p, err := os.FindProcess(pids[0])
	if err != nil {
		t.Fatal(err)
	}
	p.Kill()
	for len(children(t)) > 0 && t.Context().Err() == nil {
		time.Sleep(time.Millisecond) // until it has been waited for
	}
	if err := w.Part(t.Context(), state.VisionArgs{DriveID: d.id}); err != nil {
		t.Fatal(err)
	}
	for i := range images {
		if r := d.row(i); r.state != "published" {
			t.Fatalf("%+v", r)
		}
	}
}

// children of this process, by their ids.
func children(t *testing.T) (pids []int) {
	t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range tasks {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // a thread that has ended
		}
		for _, s := range strings.Fields(string(b)) {
			var n int
			fmt.Sscan(s, &n)
			pids = append(pids, n)
		}
	}
	slices.Sort(pids)
	return pids
}
