// Package eval measures redaction: what a detector finds on pictures with boxes drawn by people, and what stays
// readable after the boxes are covered. It publishes nothing.
package eval

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/vision/cv"
	"github.com/roadcomb/roadcomb/vision/detect"
	"github.com/roadcomb/roadcomb/vision/redact"
)

// Guard is what is measured.
type Guard interface {
	Detect(ctx context.Context, im *cv.Image) ([]survey.Box, error)
	Models() []survey.ModelRef
	Margin() float64
}

// Line is what Detect prints for one image: pixels of the upright image, origin top left. Error is set, and the rest
// empty, for a file that could not be looked at.
type Line struct {
	File   string  `json:"file"`
	Width  int     `json:"width"`
	Height int     `json:"height"`
	MS     float64 `json:"ms"` // of the detector alone
	Boxes  []Box   `json:"boxes"`
	Error  string  `json:"error,omitempty"`
}

// Box is a detection as Detect prints it.
type Box struct {
	Class      survey.Class `json:"class"`
	X          float64      `json:"x"`
	Y          float64      `json:"y"`
	W          float64      `json:"w"`
	H          float64      `json:"h"`
	Confidence float64      `json:"confidence"`
}

// Detect writes one JSON line for each image at the paths (files, and folders read through, in name order), in that order.
// It looks at as many images side by side as there are processors. A file that cannot be read gives a line with its error
// and does not stop the rest; failed counts them.
func Detect(ctx context.Context, g Guard, paths []string, out io.Writer) (failed int, err error) {
	files, err := images(paths)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancel(ctx)
	lines := make([]chan Line, len(files))
	for i := range lines {
		lines[i] = make(chan Line, 1)
	}
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	var next atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(files)) && ctx.Err() == nil; i = next.Add(1) - 1 {
				l := Line{File: files[i], Boxes: []Box{}}
				if err := l.look(ctx, g); err != nil {
					l.Error = err.Error()
				}
				lines[i] <- l
			}
		})
	}
	enc := json.NewEncoder(out)
	for _, line := range lines {
		select {
		case l := <-line:
			if err := ctx.Err(); err != nil { // the line may say no more than that
				return failed, err
			}
			if l.Error != "" {
				failed++
			}
			if err := enc.Encode(l); err != nil {
				return failed, err
			}
		case <-ctx.Done():
			return failed, ctx.Err()
		}
	}
	return failed, nil
}

func (l *Line) look(ctx context.Context, g Guard) error {
	im, err := open(l.File)
	if err != nil {
		return err
	}
	defer im.Close()
	l.Width, l.Height = im.Width(), im.Height()
	start := time.Now()
	boxes, err := g.Detect(ctx, im)
	if err != nil {
		return err
	}
	l.MS = math.Round(float64(time.Since(start).Microseconds())/10) / 100
	for _, b := range boxes {
		l.Boxes = append(l.Boxes, Box{b.Class, cents(b.X), cents(b.Y), cents(b.W), cents(b.H), math.Round(b.Confidence*1e4) / 1e4})
	}
	return nil
}

func cents(v float64) float64 { return math.Round(v*100) / 100 }

func open(file string) (*cv.Image, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	im, _, err := cv.Decode(b, cv.Limits{MinSide: 8})
	return im, err
}

// images lists the files named and, in folders, those with an image's ending.
func images(paths []string) ([]string, error) {
	var out []string
	for _, p := range paths {
		st, err := os.Stat(p)
		if err != nil {
			return nil, survey.Errorf(survey.NotFound, "%w", err)
		}
		if !st.IsDir() {
			out = append(out, p)
			continue
		}
		err = filepath.WalkDir(p, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				switch strings.ToLower(filepath.Ext(path)) {
				case ".jpg", ".jpeg", ".jpe", ".jfif", ".png":
					out = append(out, path)
				}
			}
			return err
		})
		if err != nil {
			return nil, survey.Errorf(survey.Unavailable, "%w", err)
		}
	}
	return out, nil
}

// Bins of box height in pixels, half-open; the last has no end.
var bins = []struct {
	name     string
	from, to float64
}{{"all", 0, math.Inf(1)}, {"<16", 0, 16}, {"16–32", 16, 32}, {"32–64", 32, 64}, {"≥64", 64, math.Inf(1)}}

// Report is the result of Redaction.
type Report struct {
	Set     string            `json:"set"` // the folder's name
	Models  []survey.ModelRef `json:"models"`
	Images  int               `json:"images"`
	LeftOut int               `json:"left_out,omitempty"` // images of the folder that the truth does not name
	Margin  float64           `json:"margin"`
	Classes []Class           `json:"classes"`
	// FalseArea is the share of all pixels that were covered though no drawn box, enlarged by the margin, holds them.
	// Where people drew only some of the boxes this counts right ones as false.
	FalseArea float64 `json:"false_area"`
	MSPerMpx  float64 `json:"ms_per_mpx,omitempty"` // of the detector, on the machine that ran it; 0 when not timed
	// Missed lists up to 1,000 drawn boxes of which more than a tenth stayed visible.
	Missed []Miss `json:"missed,omitempty"`
}

// Class holds the figures of one class.
type Class struct {
	Class      survey.Class `json:"class"`
	Bins       []Bin        `json:"bins"`        // first all, then by the height of the drawn box
	FalseBoxes float64      `json:"false_boxes"` // per image: detections of the class that share less than half (IoU) with every drawn one
}

// Bin holds the figures of drawn boxes of one height.
type Bin struct {
	Height  string  `json:"height_px"`
	Boxes   int     `json:"boxes"`
	Found   int     `json:"found"`   // by a detection of the class at IoU ≥ 0.5, one detection for each
	Covered int     `json:"covered"` // at least 90 % of their area unreadable after redaction
	Recall  float64 `json:"recall"`
	Hidden  float64 `json:"hidden"` // Covered / Boxes
	// Lo and Hi bound Hidden with 95 % confidence (Wilson).
	Lo float64 `json:"hidden_lo"`
	Hi float64 `json:"hidden_hi"`
}

// Miss is a drawn box that stayed readable.
type Miss struct {
	File    string       `json:"file"`
	Class   survey.Class `json:"class"`
	X       float64      `json:"x"`
	Y       float64      `json:"y"`
	W       float64      `json:"w"`
	H       float64      `json:"h"`
	Covered float64      `json:"covered"` // share of its area
}

type truth map[string][]survey.Box

// known are the classes that a truth may name.
var known = []survey.Class{survey.ClassFace, survey.ClassPlate, survey.ClassPerson, survey.ClassVehicle, survey.ClassText}

// readTruth reads a CSV with the columns file, class, x, y, w, h in any order; others are ignored, and so are spaces around
// values and a byte order mark. A row with an empty class names an image without boxes. A class that no detector here knows
// is Invalid: its recall would be 0 for the spelling alone.
func readTruth(path string) (truth, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, survey.Errorf(survey.NotFound, "truth: %w", err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	head, err := r.Read()
	if err != nil {
		return nil, survey.Errorf(survey.Invalid, "truth %s: %w", path, err)
	}
	col := map[string]int{}
	for i, h := range head {
		col[strings.ToLower(strings.TrimSpace(strings.TrimPrefix(h, "\ufeff")))] = i
	}
	for _, need := range []string{"file", "class", "x", "y", "w", "h"} {
		if _, ok := col[need]; !ok {
			return nil, survey.Errorf(survey.Invalid, "truth %s has no column %q", path, need)
		}
	}
	t := truth{}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return nil, survey.Errorf(survey.Invalid, "truth %s: %w", path, err)
		}
		for i := range row {
			row[i] = strings.TrimSpace(row[i])
		}
		name := row[col["file"]]
		if !filepath.IsLocal(name) {
			line, _ := r.FieldPos(0)
			return nil, survey.Errorf(survey.Invalid, "truth %s line %d: file %q leaves the folder", path, line, name)
		}
		if row[col["class"]] == "" {
			t[name] = append(t[name], nil...)
			continue
		}
		b := survey.Box{Class: survey.Class(strings.ToLower(row[col["class"]]))}
		if !slices.Contains(known, b.Class) {
			line, _ := r.FieldPos(col["class"])
			return nil, survey.Errorf(survey.Invalid, "truth %s line %d: class %q is none of %v", path, line, b.Class, known)
		}
		for _, c := range []struct {
			name string
			to   *float64
		}{{"x", &b.X}, {"y", &b.Y}, {"w", &b.W}, {"h", &b.H}} {
			if *c.to, err = strconv.ParseFloat(row[col[c.name]], 64); err != nil || math.IsNaN(*c.to) || math.IsInf(*c.to, 0) {
				line, _ := r.FieldPos(col[c.name])
				return nil, survey.Errorf(survey.Invalid, "truth %s line %d: %s is no number", path, line, c.name)
			}
		}
		if b.W <= 0 || b.H <= 0 {
			line, _ := r.FieldPos(col["w"])
			return nil, survey.Errorf(survey.Invalid, "truth %s line %d: a box of %v × %v pixels", path, line, b.W, b.H)
		}
		t[name] = append(t[name], b)
	}
}

// Redaction runs the detector over the images that the truth names, in dir, and measures. An image that cannot be read
// is an error: a figure over fewer images than named would flatter. A truth with no rows says that no image of dir shows
// anything: all are looked at. Images that a truth with rows does not name are left out and counted.
func Redaction(ctx context.Context, g Guard, dir, truthCSV string) (Report, error) {
	tr, err := readTruth(truthCSV)
	if err != nil {
		return Report{}, err
	}
	rep := Report{Set: filepath.Base(filepath.Clean(dir)), Models: g.Models(), Margin: g.Margin()}
	there, err := images([]string{dir})
	if err != nil {
		return Report{}, err
	}
	empty := len(tr) == 0
	for _, f := range there {
		name, err := filepath.Rel(dir, f)
		if err != nil {
			return Report{}, survey.Errorf(survey.Internal, "%w", err)
		}
		name = filepath.ToSlash(name)
		if _, named := tr[name]; !named && empty {
			tr[name] = nil
		} else if !named {
			rep.LeftOut++
		}
	}
	if len(tr) == 0 {
		return Report{}, survey.Errorf(survey.NotFound, "the truth %s names no image, and %s holds none", truthCSV, dir)
	}
	acc := map[survey.Class]*tally{}
	if empty {
		acc[survey.ClassFace], acc[survey.ClassPlate] = newTally(), newTally()
	}
	for _, boxes := range tr {
		for _, b := range boxes {
			acc[b.Class] = newTally()
		}
	}
	names := make([]string, 0, len(tr))
	for n := range tr {
		names = append(names, n)
	}
	slices.Sort(names)
	var area, falseArea, mpx float64
	var spent time.Duration
	for _, name := range names {
		im, err := open(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return Report{}, fmt.Errorf("%s: %w", name, err)
		}
		w, h := im.Width(), im.Height()
		start := time.Now()
		found, err := g.Detect(ctx, im)
		spent += time.Since(start)
		im.Close()
		if err != nil {
			return Report{}, fmt.Errorf("%s: %w", name, err)
		}
		rep.Images++
		mpx += float64(w) * float64(h) / 1e6
		covered := newMask(w, h)
		covered.fill(redact.Regions(found, g.Margin(), w, h))
		for c, t := range acc {
			t.match(c, tr[name], found)
		}
		for _, b := range tr[name] {
			share := covered.share(b)
			acc[b.Class].cover(b, share)
			if share < 0.9 && len(rep.Missed) < 1000 {
				rep.Missed = append(rep.Missed, Miss{name, b.Class, b.X, b.Y, b.W, b.H, math.Round(share*1e4) / 1e4})
			}
		}
		area += float64(w) * float64(h)
		wanted := newMask(w, h)
		wanted.fill(redact.Regions(tr[name], g.Margin(), w, h))
		falseArea += float64(covered.without(wanted))
	}
	rep.FalseArea = falseArea / math.Max(area, 1)
	rep.MSPerMpx = math.Round(float64(spent.Microseconds())/math.Max(mpx, 1e-9)/10) / 100
	classes := make([]survey.Class, 0, len(acc))
	for c := range acc {
		classes = append(classes, c)
	}
	slices.Sort(classes)
	for _, c := range classes {
		rep.Classes = append(rep.Classes, acc[c].class(c, rep.Images))
	}
	return rep, nil
}

type tally struct {
	bins  []Bin
	false int
}

func newTally() *tally {
	t := &tally{bins: make([]Bin, len(bins))}
	for i, b := range bins {
		t.bins[i].Height = b.name
	}
	return t
}

func (t *tally) in(b survey.Box, fn func(*Bin)) {
	for i, bin := range bins {
		if b.H >= bin.from && b.H < bin.to {
			fn(&t.bins[i])
		}
	}
}

// match pairs detections with drawn boxes of the class, most confident first, each at most once.
func (t *tally) match(c survey.Class, want, found []survey.Box) {
	found = slices.Clone(found)
	slices.SortStableFunc(found, func(a, b survey.Box) int {
		switch {
		case a.Confidence > b.Confidence:
			return -1
		case a.Confidence < b.Confidence:
			return 1
		}
		return 0
	})
	taken := make([]bool, len(want))
	for _, f := range found {
		if f.Class != c {
			continue
		}
		best, at, right := 0.5, -1, false
		for i, b := range want {
			if b.Class != c {
				continue
			}
			v := detect.IoU(f, b)
			right = right || v >= 0.5
			if v >= best && !taken[i] {
				best, at = v, i
			}
		}
		if at >= 0 {
			taken[at] = true
			t.in(want[at], func(b *Bin) { b.Found++ })
		} else if !right {
			t.false++
		}
	}
}

func (t *tally) cover(b survey.Box, share float64) {
	t.in(b, func(bin *Bin) {
		bin.Boxes++
		if share >= 0.9 {
			bin.Covered++
		}
	})
}

func (t *tally) class(c survey.Class, images int) Class {
	out := Class{Class: c, FalseBoxes: float64(t.false) / float64(max(images, 1))}
	for _, b := range t.bins {
		if b.Boxes > 0 {
			b.Recall = float64(b.Found) / float64(b.Boxes)
			b.Hidden = float64(b.Covered) / float64(b.Boxes)
			b.Lo, b.Hi = wilson(b.Covered, b.Boxes)
		}
		out.Bins = append(out.Bins, b)
	}
	return out
}

// wilson is the 95 % interval of a share k/n.
func wilson(k, n int) (lo, hi float64) {
	const z = 1.96
	p, m := float64(k)/float64(n), float64(n)
	mid := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return math.Max(0, mid-half), math.Min(1, mid+half)
}

// mask marks pixels.
type mask struct {
	w, h int
	px   []bool
}

func newMask(w, h int) mask { return mask{w, h, make([]bool, w*h)} }

func (m mask) fill(rs []image.Rectangle) {
	for _, r := range rs {
		for y := r.Min.Y; y < r.Max.Y; y++ {
			row := m.px[y*m.w+r.Min.X : y*m.w+r.Max.X]
			for i := range row {
				row[i] = true
			}
		}
	}
}

// share is the part of the box's pixels, clipped to the picture, that is marked.
func (m mask) share(b survey.Box) float64 {
	r := image.Rect(int(math.Round(b.X)), int(math.Round(b.Y)), int(math.Round(b.X+b.W)), int(math.Round(b.Y+b.H))).Intersect(image.Rect(0, 0, m.w, m.h))
	if r.Empty() {
		return 1
	}
	n := 0
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			if m.px[y*m.w+x] {
				n++
			}
		}
	}
	return float64(n) / float64(r.Dx()*r.Dy())
}

// without counts the pixels marked here and not in o.
func (m mask) without(o mask) (n int) {
	for i, v := range m.px {
		if v && !o.px[i] {
			n++
		}
	}
	return n
}

// Markdown writes the report as a table for people.
func (r Report) Markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n%d images; ", r.Set, r.Images)
	if r.LeftOut > 0 {
		fmt.Fprintf(&b, "%d that the truth does not name left out; ", r.LeftOut)
	}
	fmt.Fprintf(&b, "margin %.2f; ", r.Margin)
	for i, m := range r.Models {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s %s (%.12s)", m.Name, m.Version, m.SHA256)
	}
	fmt.Fprintf(&b, "; covered outside drawn boxes %.2f %% of the area", 100*r.FalseArea)
	if r.MSPerMpx > 0 {
		fmt.Fprintf(&b, "; %.0f ms/Mpx", r.MSPerMpx)
	}
	b.WriteString("\n\n")
	b.WriteString("| class | height px | boxes | recall at IoU ≥ 0.5 | ≥ 90 % covered | 95 % interval | false boxes per image |\n|---|---|--:|--:|--:|---|--:|\n")
	for _, c := range r.Classes {
		for i, bin := range c.Bins {
			if bin.Boxes == 0 && i > 0 {
				continue
			}
			extra := ""
			if i == 0 {
				extra = fmt.Sprintf("%.2f", c.FalseBoxes)
			}
			if bin.Boxes == 0 {
				fmt.Fprintf(&b, "| %s | %s | 0 | | | | %s |\n", c.Class, bin.Height, extra)
				continue
			}
			fmt.Fprintf(&b, "| %s | %s | %d | %.3f | %.3f | %.3f–%.3f | %s |\n", c.Class, bin.Height, bin.Boxes, bin.Recall, bin.Hidden, bin.Lo, bin.Hi, extra)
		}
	}
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}
