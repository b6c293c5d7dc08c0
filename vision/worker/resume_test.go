package worker_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
	"github.com/roadcomb/roadcomb/vision/cv"
)

// refusing is a way to the store on which one write of a published frame goes wrong.
type refusing struct {
	sync.Mutex
	n    int  // which write, from 0; −1 none
	lost bool // it is done, and only the answer is lost
	each bool // not the nth one, but the first of each frame
	seen map[string]bool
	hits int
}

func (f *refusing) hit(r *http.Request) bool {
	f.Lock()
	defer f.Unlock()
	if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "public/frames/") {
		return false
	}
	first := !f.seen[r.URL.Path]
	f.seen[r.URL.Path] = true
	hit := first && f.each || !f.each && f.n == 0
	if f.n--; hit {
		f.hits++
	}
	return hit
}

func (f *refusing) front(t *testing.T) func(endpoint string) string {
	return func(endpoint string) string {
		to := &url.URL{Scheme: "http", Host: strings.TrimPrefix(endpoint, "http://")}
		p := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to); r.Out.Host = r.In.Host }}
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !f.hit(r) {
				p.ServeHTTP(w, r)
				return
			}
			if f.lost {
				p.ServeHTTP(httptest.NewRecorder(), r)
			}
			w.WriteHeader(http.StatusForbidden) // which the client does not try again by itself
		}))
		t.Cleanup(srv.Close)
		return srv.URL
	}
}

// walk is frames with a face that moves and that the detector finds in few of them, and other boxes that come and go, so
// that what a frame lends the next ones matters at every place of a part.
func walk(t *testing.T, n int) (images [][]byte, g guard) {
	t.Helper()
	finds := map[survey.Hash][]survey.Box{}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		at := image.Pt(120+15*i, 200+5*i)
		b := pasted(t, uint64(100+i), at.X, at.Y)
		im, _, err := cv.Decode(b, cv.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var boxes []survey.Box
		if i%3 == 0 {
			boxes = append(boxes, survey.Box{Class: survey.ClassFace, X: float64(at.X) + 0.123456789, Y: float64(at.Y), W: 40.987654321, H: 48, Confidence: 0.912345678, Model: "test"})
		}
		for range r.IntN(3) {
			boxes = append(boxes, survey.Box{Class: survey.ClassFace, X: 40 + 400*r.Float64(), Y: 40 + 300*r.Float64(), W: 20 + 30*r.Float64(), H: 20 + 30*r.Float64(), Confidence: 0.5 + r.Float64()/2, Model: "test"})
		}
		finds[survey.HashOf(im.Pixels())] = boxes
		im.Close()
		images = append(images, b)
	}
	return images, guard{func(_ context.Context, im *cv.Image) ([]survey.Box, error) {
		return append([]survey.Box(nil), finds[survey.HashOf(im.Pixels())]...), nil
	}, testRef}
}

// A part whose work is broken off, wherever that is, ends with the redactions and the bytes of one that went through at once: what
// would have been covered is covered.
func TestAPartThatWasBrokenOffEndsAsOneThatWasNot(t *testing.T) {
	const frames, second = 7, 5 // the second part begins in the middle
	images, g := walk(t, frames)

	// run gives, for each frame, its redaction and its bytes, and how often the store failed.
	run := func(t *testing.T, f *refusing, dies bool) (redactions []string, jpegs [][]byte, hits int) {
		f.seen = map[string]bool{}
		d := driveOn(t, testkit.DB(t), testkit.S3Behind(t, f.front(t)), images...)
		exec := func(q string) {
			t.Helper()
			if _, err := d.db.Exec(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		exec(fmt.Sprintf(`INSERT INTO drive_parts (drive_id, part) VALUES ('%s', 1)`, d.id))
		exec(fmt.Sprintf(`UPDATE frames SET part = 1 WHERE seq >= %d`, second))
		w := d.worker(g)
		for part := range 2 {
			for {
				before := f.hits
				err := w.Part(t.Context(), state.VisionArgs{DriveID: d.id, Part: part})
				if (err != nil) != (f.hits > before) {
					t.Fatalf("part %d, %d failures: %v", part, f.hits-before, err)
				}
				if err == nil {
					break
				}
				if dies { // in the next try a worker dies, and the frames are taken one by one
					exec(`UPDATE vision_parts_begun SET begun = 1`)
				}
			}
		}
		for i := range images {
			r := d.row(i)
			b, _, err := d.st.Get(t.Context(), store.Public, r.key, 1<<20)
			if err != nil || r.state != "published" {
				t.Fatalf("frame %d: %+v: %v", i, r, err)
			}
			redactions, jpegs = append(redactions, r.redaction), append(jpegs, b)
		}
		if keys := d.public(); len(keys) != frames {
			t.Errorf("public are %v", keys)
		}
		var kept int
		if err := d.db.QueryRow(t.Context(), `SELECT COUNT(*) FROM vision_carried`).Scan(&kept); err != nil || kept != 0 {
			t.Errorf("%d loans are kept after the end: %v", kept, err)
		}
		return redactions, jpegs, f.hits
	}
	redactions, jpegs, _ := run(t, &refusing{n: -1}, false)
	if n := strings.Count(strings.Join(redactions, ""), `"carried":true`); n < frames/2 {
		t.Fatalf("only %d boxes are carried: %v", n, redactions)
	}
	check := func(name string, f *refusing, dies bool, want int) {
		t.Run(name, func(t *testing.T) {
			got, bytesGot, hits := run(t, f, dies)
			if hits != want {
				t.Errorf("the store failed %d times, want %d", hits, want)
			}
			for i := range images {
				if got[i] != redactions[i] || !bytes.Equal(bytesGot[i], jpegs[i]) {
					t.Errorf("frame %d was redacted as\n%s\nin one go as\n%s", i, got[i], redactions[i])
				}
			}
		})
	}
	for n := range frames {
		check(fmt.Sprintf("write %d is refused", n), &refusing{n: n}, false, 1)
		check(fmt.Sprintf("the answer to write %d is lost, and a worker dies", n), &refusing{n: n, lost: true}, true, 1)
	}
	check("every write is refused once", &refusing{each: true}, false, frames)
	check("the answer to every write is lost once, and workers die", &refusing{each: true, lost: true}, true, frames)
}
