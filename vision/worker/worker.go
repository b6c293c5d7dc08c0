// Package worker is the vision stage: it takes one part of a drive at a time, makes every frame of it upright, rates it,
// finds faces and plates, makes them unreadable, and publishes the result.
//
// It fails closed. A frame reaches the public bucket only with a redaction record that names the networks that looked at
// it; whatever goes wrong with the looking leaves the frame private, with a reason, and does not hold up the others.
// Trouble with the store or the database is no verdict on a frame: the part fails as a whole and is tried again.
package worker

import (
	"context"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"math"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/vision/cv"
	"github.com/roadcomb/roadcomb/vision/imprint"
	"github.com/roadcomb/roadcomb/vision/lab"
	"github.com/roadcomb/roadcomb/vision/models"
	"github.com/roadcomb/roadcomb/vision/quality"
	"github.com/roadcomb/roadcomb/vision/redact"
)

// Config of a Worker. The zero value works.
type Config struct {
	Workers      int           // frames of a part looked at side by side; 0 means one for each processor
	FrameTimeout time.Duration // for the detector on one frame; 0 means 30 s
	JPEGQuality  int           // of published frames, 1–100; 0 means 88
	MaxBytes     int64         // of an original image; 0 means 128 MiB
	Limits       cv.Limits     // of an original image
	// PixelBudget bounds the pictures held at once, in pixels; 0 means 48 million (about 150 MB). Pictures over a third
	// of it count as a third.
	PixelBudget int64
	Features    Features
}

// Features says what is looked for beside the road. The zero value looks for signs in every frame, and for text in every
// second.
type Features struct {
	Off       bool
	TextEvery int // text in every how manieth frame; 0 means 2, negative never
}

func (c Config) orDefault() Config {
	if c.Workers <= 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	if c.FrameTimeout <= 0 {
		c.FrameTimeout = 30 * time.Second
	}
	if c.JPEGQuality <= 0 {
		c.JPEGQuality = 88
	}
	if c.MaxBytes <= 0 {
		c.MaxBytes = 128 << 20
	}
	if c.Features.TextEvery == 0 {
		c.Features.TextEvery = 2
	}
	if c.PixelBudget <= 0 {
		c.PixelBudget = 48 << 20
	}
	return c
}

// Worker is the stage. Its fields are set before use and not changed; Part is safe for concurrent use.
type Worker struct {
	DB    *state.DB
	Store *store.Store
	Log   *slog.Logger     // nil discards
	Clock func() time.Time // nil means time.Now
	Lab   *lab.Lab         // where pictures are worked on

	Config  Config
	Timings *Timings // collects where the time goes; nil does not

	notes notes
}

// frame is a row of the ledger of frames, as far as vision needs it.
type frame struct {
	id            survey.FrameID
	part, seq     int
	aside         bool   // a neighbour of the frames at hand: looked at, not shown
	lent          string // loan of the frame before in an earlier try, as JSON; "" if there was none
	upload        survey.UploadID
	path, object  string
	filmPTS       int64 // microseconds, or state.WholeFile or state.OfBundle
	sha           survey.Hash
	accuracy      geo.Meters
	width, height int
	state         survey.FrameState
	publicKey     string
	capturedAt    time.Time
}

// shot is a frame on its way through the steps.
type shot struct {
	frame
	next      *shot // the neighbour behind it, if there is one
	hasRoom   bool  // counted in the budget
	body      []byte
	im        *lab.Picture
	done      bool // shown, or with a verdict
	tries     int  // how often the lab died with this frame in hand
	quality   survey.Quality
	print     imprint.Print // of the upright picture, before anything is covered
	hasPrint  bool
	sketch    []byte // of the upright picture, for what stays on the lens
	boxes     []survey.Box
	fov       float64           // of the camera across the picture, degrees, 0 unknown
	sightings []survey.Sighting // beside the road
	carried   []survey.Box      // from the frame before
	ages      []int             // of the carried boxes, in frames since they were found
	isLent    bool              // the frame before has lent what it has to lend
	jpeg      []byte
	key       string
	pubHash   survey.Hash
	pubBytes  int64
	redaction survey.Redaction
	verdict   survey.Verdict // Accepted, or why not
	err       error          // not the frame's fault: the part must be tried again
}

// step is one thing done to a frame. A *stop error is a verdict on the frame; any other error fails the part.
type step struct {
	name string
	do   func(*Worker, context.Context, *shot) error
}

// The way of a frame. Frames are looked at side by side, then shown one after the other, in the drive's order.
var (
	lookSteps = []step{
		{"read", (*Worker).read},
		{"decode", (*Worker).decode},
		{"rate", (*Worker).rate},
		{"detect", (*Worker).detect},
		{"spot", (*Worker).spot},
	}
	filmSteps = []step{ // after the frame was cut from its film
		{"rate", (*Worker).rate},
		{"detect", (*Worker).detect},
		{"spot", (*Worker).spot},
	}
	showSteps = []step{
		{"carry", (*Worker).carry},
		{"redact", (*Worker).redact},
		{"encode", (*Worker).encode},
		{"publish", (*Worker).publish},
	}
)

// stop ends a frame's way with a verdict.
type stop struct{ v survey.Verdict }

func (s *stop) Error() string { return string(s.v.Reason) + ": " + s.v.Message }

func reject(r survey.Reason, message string, vars map[string]any) error {
	return &stop{survey.Reject(r, message, vars)}
}

// Part looks at every frame of one part of a drive and publishes those that may be. It is idempotent: a run that is
// done already does nothing, and objects are named by their content. It gives an error when the part should be tried
// again.
func (w *Worker) Part(ctx context.Context, args state.VisionArgs) error {
	cfg := w.Config.orDefault()
	frames, done, err := w.frames(ctx, args)
	if err != nil {
		return fmt.Errorf("vision part %s/%d: %w", args.DriveID, args.Part, err)
	}
	if done {
		return nil
	}
	careful, err := w.begin(ctx, args)
	if err != nil {
		return fmt.Errorf("vision part %s/%d: %w", args.DriveID, args.Part, err)
	}
	shots, err := resume(line(frames))
	if err != nil {
		w.ended(context.WithoutCancel(ctx), args)
		return fmt.Errorf("vision part %s/%d: %w", args.DriveID, args.Part, err)
	}
	if careful {
		err = w.oneByOne(ctx, args, shots)
	} else {
		err = w.sideBySide(ctx, cfg, shots)
	}
	for round := 0; errors.Is(err, lab.ErrDied) && round <= len(shots); round++ {
		err = w.afterDeath(ctx, cfg, args, shots)
	}
	for _, s := range shots {
		s.close()
	}
	if err == nil {
		err = w.commit(ctx, args, slices.DeleteFunc(slices.Clone(shots), func(s *shot) bool { return s.aside }))
	}
	if err != nil {
		bg := context.WithoutCancel(ctx)
		err = errors.Join(err, w.save(bg, args, shots))
		w.ended(bg, args)
		return fmt.Errorf("vision part %s/%d: %w", args.DriveID, args.Part, err)
	}
	return nil
}

// line makes shots of frames and links neighbours.
func line(frames []frame) []*shot {
	shots := make([]*shot, len(frames))
	for i, f := range frames {
		shots[i] = &shot{frame: f}
		if i > 0 && f.seq == frames[i-1].seq+1 && f.capturedAt.Sub(frames[i-1].capturedAt) <= carryGap {
			shots[i-1].next = shots[i]
		}
	}
	return shots
}

func (s *shot) close() {
	s.im.Close()
	s.im, s.body, s.jpeg = nil, nil, nil
}

// again takes the frame back to its beginning. What a neighbour lent it stays.
func (s *shot) again() {
	s.close()
	s.err, s.hasRoom = nil, false
	if s.verdict.Reason == "" {
		s.boxes, s.sightings, s.quality = nil, nil, survey.Quality{}
	}
}

// sideBySide looks at several frames at a time, holding no more pictures than the budget, and shows them in order. A
// frame is shown when its neighbour has been looked at.
func (w *Worker) sideBySide(ctx context.Context, cfg Config, shots []*shot) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()

	looked := make([]chan struct{}, len(shots))
	for i, s := range shots {
		looked[i] = make(chan struct{})
		if !s.done {
			s.again()
		}
	}
	room := budget{semaphore.NewWeighted(cfg.PixelBudget), cfg.PixelBudget / 3}
	hands := make(chan struct{}, cfg.Workers)
	wg.Go(func() {
		fs := films{lab: w.Lab}
		defer fs.Close()
		for i, s := range shots {
			if s.done {
				close(looked[i])
				continue
			}
			select {
			case hands <- struct{}{}:
			case <-ctx.Done():
				s.err = ctx.Err()
				close(looked[i])
				continue
			}
			if s.err = room.take(ctx, s.pixels()); s.err != nil {
				<-hands
				close(looked[i])
				continue
			}
			s.hasRoom = true
			steps := lookSteps
			if s.filmPTS >= 0 {
				steps = filmSteps
				w.run(ctx, s, []step{{"cut", fs.cut}})
			}
			wg.Go(func() {
				defer close(looked[i])
				w.run(ctx, s, steps)
				<-hands
			})
		}
	})
	var first error
	for i, s := range shots {
		<-looked[i]
		errs := []error{s.err}
		if i+1 < len(shots) {
			<-looked[i+1]
			errs = append(errs, shots[i+1].err) // what it shows would be missing here
		}
		if first == nil && errors.Join(errs...) == nil && !s.done {
			w.show(ctx, s)
			errs = append(errs, s.err)
		}
		if err := errors.Join(errs...); err != nil && first == nil {
			first = err
			cancel()
		}
		s.close()
		if s.hasRoom {
			room.give(s.pixels())
			s.hasRoom = false
		}
	}
	return first
}

// show takes the frame through the steps that publish it; a neighbour only lends its boxes.
func (w *Worker) show(ctx context.Context, s *shot) {
	steps := showSteps
	if s.aside {
		steps = steps[:1]
	}
	w.run(ctx, s, steps)
	s.done = s.err == nil
}

// budget bounds the pixels held at once. A picture counts for most pixels at most, so that three always fit.
type budget struct {
	s    *semaphore.Weighted
	most int64
}

func (b budget) take(ctx context.Context, px int64) error { return b.s.Acquire(ctx, min(px, b.most)) }
func (b budget) give(px int64)                            { b.s.Release(min(px, b.most)) }

func (f frame) pixels() int64 { return int64(f.width) * int64(f.height) }

// run takes the steps until one gives a verdict or fails. A panic leaves the frame private.
func (w *Worker) run(ctx context.Context, s *shot, steps []step) {
	for _, st := range steps {
		if s.err != nil || s.verdict.Reason != "" {
			return
		}
		if s.err = ctx.Err(); s.err != nil {
			return
		}
		start := time.Now()
		err := safely(func() error { return st.do(w, ctx, s) })
		w.Timings.add(st.name, time.Since(start), s.frame)
		var v *stop
		switch {
		case err == nil:
		case errors.As(err, &v):
			s.verdict = v.v
			w.log().Info("frame not published", "frame", s.id, "step", st.name, "reason", v.v.Reason)
		default:
			s.err = fmt.Errorf("%s frame %s: %w", st.name, s.id, err)
			if errors.Is(err, lab.ErrDied) && !lab.Blameless(err) {
				s.tries++
			}
		}
	}
}

// safely turns a panic into a verdict: what panicked has not looked at the whole frame.
func safely(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = reject(survey.ReasonDetectorFailed, fmt.Sprintf("The image could not be worked on (%.80v); it is kept private.", p), nil)
		}
	}()
	return fn()
}

func (w *Worker) read(ctx context.Context, s *shot) error {
	cfg := w.Config.orDefault()
	if s.object == "" {
		return reject(survey.ReasonUnreadable, "The original is no longer kept.", nil)
	}
	b, _, err := w.Store.Get(ctx, store.Private, s.object, cfg.MaxBytes)
	switch survey.KindOf(err) {
	case survey.NotFound:
		return reject(survey.ReasonUnreadable, "The original is not in storage.", nil)
	case survey.Invalid:
		return reject(survey.ReasonTooLarge, "", map[string]any{"limit": cfg.MaxBytes})
	}
	if err != nil {
		return err
	}
	if survey.HashOf(b) != s.sha {
		return reject(survey.ReasonHashMismatch, "", nil)
	}
	s.body = b
	return nil
}

func (w *Worker) decode(ctx context.Context, s *shot) error {
	im, h, err := w.Lab.Decode(ctx, s.body, w.Config.Limits, stepLimit)
	s.body = nil
	if err != nil {
		return undecodable(err, h)
	}
	s.im, s.fov = im, h.FOV(im.Width())
	return nil
}

// stepLimit is how long a step other than detection may take on one frame, before its process is taken to be stuck.
const stepLimit = 30 * time.Second

// undecodable is the verdict on a frame that cannot be decoded; other errors stay what they are.
func undecodable(err error, h cv.Header) error {
	vars := map[string]any{"width": h.Width, "height": h.Height}
	switch {
	case errors.Is(err, cv.ErrTooManyPixels):
		return reject(survey.ReasonPixelBomb, "", vars)
	case errors.Is(err, cv.ErrTooSmall):
		return reject(survey.ReasonTooSmall, "", vars)
	case errors.Is(err, cv.ErrDamaged), errors.Is(err, cv.ErrFormat):
		return reject(survey.ReasonUndecodable, "The image cannot be decoded: "+err.Error()+".", nil)
	}
	return err
}

// unusable says, by part of the quality, why a frame is not worth mapping with.
var unusable = map[string]string{
	"sharpness": "The image is too blurred to map with.",
	"exposure":  "The image is too dark, too bright or too flat to map with.",
	"clear":     "Something covers too much of the view to map with.",
	"score":     "The image is poor in several ways at once, too poor to map with.",
}

func (w *Worker) rate(ctx context.Context, s *shot) error {
	t := quality.V2()
	look, err := s.im.Measure(ctx, stepLimit)
	if err != nil {
		return err
	}
	s.print, s.hasPrint, s.sketch = look.Print, look.Printed, look.Sketch
	s.quality = t.Rate(look.Measures, quality.Camera{Width: s.im.Width(), FOV: s.fov, Accuracy: s.accuracy})
	if ok, part := t.Fit(s.quality); !ok {
		return reject(survey.ReasonUnusable, unusable[part], map[string]any{"part": part, "score_ppm": int64(s.quality.Score), "thresholds": t.Version})
	}
	return nil
}

func (w *Worker) detect(ctx context.Context, s *shot) error {
	limit := w.Config.orDefault().FrameTimeout
	boxes, err := s.im.Detect(ctx, limit)
	switch {
	case errors.Is(err, lab.ErrDied) && !errors.Is(err, lab.ErrLate):
		return err
	case ctx.Err() != nil:
		return ctx.Err() // the job is being stopped; that says nothing about the frame
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, lab.ErrLate):
		return reject(survey.ReasonDetectorLate, "", map[string]any{"limit_ms": limit.Milliseconds()})
	case errors.Is(err, models.ErrNone), errors.Is(err, models.ErrMismatch):
		return reject(models.Reason(err), "", nil)
	case err != nil:
		w.log().Error("detector failed", "frame", s.id, "err", err)
		return reject(survey.ReasonDetectorFailed, "", nil)
	}
	for _, b := range boxes {
		if !sane(b) {
			return reject(survey.ReasonDetectorFailed, "The privacy detector gave a box that is none; the image is kept private.", nil)
		}
	}
	s.boxes = boxes
	return nil
}

// spot looks for what stands beside the road. That it finds nothing, for whatever reason, keeps no frame from being
// published; only a dead lab does, as everywhere.
func (w *Worker) spot(ctx context.Context, s *shot) error {
	f := w.Config.orDefault().Features
	if f.Off || s.aside {
		return nil
	}
	got, err := s.im.Spot(ctx, w.Config.orDefault().FrameTimeout, f.TextEvery > 0 && s.seq%f.TextEvery == 0)
	switch {
	case err == nil:
		s.sightings = got
	case errors.Is(err, lab.ErrDied), ctx.Err() != nil:
		return err
	default:
		w.log().Warn("nothing is known of signs and text", "frame", s.id, "err", err)
	}
	return nil
}

// mostSightings is how many a frame may have: a wall of posters is no map.
const mostSightings = 64

// inTheOpen leaves the sightings that no redaction touches: a plate is text too, and what is half covered is no place.
func inTheOpen(all []survey.Sighting, regions []image.Rectangle) (out []survey.Sighting) {
	for _, s := range all {
		box := image.Rect(s.X, s.Y, s.X+s.W, s.Y+s.H)
		if len(out) < mostSightings && s.W > 0 && s.H > 0 && !slices.ContainsFunc(regions, box.Overlaps) {
			out = append(out, s)
		}
	}
	return out
}

func sane(b survey.Box) bool {
	for _, v := range [...]float64{b.X, b.Y, b.W, b.H, b.Confidence} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return b.W > 0 && b.H > 0 && b.Confidence >= 0 && b.Confidence <= 1 && b.Class != ""
}

func (w *Worker) redact(ctx context.Context, s *shot) error {
	cover, clear, err := reports(ctx, w.DB, s.id)
	if err != nil {
		return err
	}
	s.boxes = heed(s.boxes, cover, clear)
	for i := range s.boxes {
		b := &s.boxes[i]
		b.X, b.Y, b.W, b.H = round(b.X, 100), round(b.Y, 100), round(b.W, 100), round(b.H, 100)
		b.Confidence = round(b.Confidence, 1e4)
	}
	looker := s.im.Looker()
	s.redaction = survey.Redaction{
		Models: looker.Models, Boxes: s.boxes, Method: redact.Method, Margin: looker.Margin,
		Width: s.im.Width(), Height: s.im.Height(),
		Encoder: fmt.Sprintf("opencv %s jpeg q=%d 4:2:0", looker.OpenCV, w.Config.orDefault().JPEGQuality),
	}
	if err := s.redaction.Validate(); err != nil {
		return reject(survey.ReasonDetectorFailed, "", nil)
	}
	regions := redact.Regions(s.boxes, s.redaction.Margin, s.im.Width(), s.im.Height())
	s.sightings = inTheOpen(s.sightings, regions)
	return s.im.Cover(ctx, stepLimit, regions)
}

func round(v, per float64) float64 { return math.Round(v*per) / per }

func (w *Worker) encode(ctx context.Context, s *shot) error {
	b, err := s.im.EncodeJPEG(ctx, stepLimit, w.Config.orDefault().JPEGQuality)
	if err != nil {
		return err
	}
	// Checked here and not where it was made.
	if err := cv.CheckClean(b); err != nil {
		return err
	}
	h, err := cv.Probe(b)
	if err != nil || h.Width != s.redaction.Width || h.Height != s.redaction.Height {
		return survey.Errorf(survey.Internal, "published JPEG of %d × %d, want %d × %d: %v", h.Width, h.Height, s.redaction.Width, s.redaction.Height, err)
	}
	s.jpeg = b
	return nil
}

func (w *Worker) publish(ctx context.Context, s *shot) error {
	if err := s.redaction.Validate(); err != nil {
		return err
	}
	s.pubHash, s.pubBytes = survey.HashOf(s.jpeg), int64(len(s.jpeg))
	s.key = store.FrameKey(s.id, s.pubHash)
	if err := w.Store.PutOnce(ctx, store.Public, s.key, s.jpeg, "image/jpeg"); err != nil {
		return err
	}
	s.verdict = survey.Accept()
	return nil
}

func (w *Worker) log() *slog.Logger {
	if w.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return w.Log
}

func (w *Worker) now() time.Time {
	if w.Clock == nil {
		return time.Now()
	}
	return w.Clock()
}
