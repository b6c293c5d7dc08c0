package freshness

import (
	"bytes"
	"embed"
	"encoding/json"
	"slices"
	"strings"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

//go:embed params/*.json
var files embed.FS

// DefaultClass is the class of a cell whose road is not known.
const DefaultClass = "default"

// Params is one dated set of parameters of freshness and saturation. The zero value is invalid; take one from Load or
// Current, or check your own with Validate.
type Params struct {
	Version    string `json:"version"` // the date from which it holds, "2026-11-23"
	Freshness  Fresh  `json:"freshness"`
	Saturation Satur  `json:"saturation"`
}

// Fresh are the parameters of freshness.
type Fresh struct {
	Classes      map[string]Class   `json:"classes"` // by road class; "default" must be there
	LevelWeights [Levels]survey.PPM `json:"level_weights_ppm"`
}

// Class is how the looks at a kind of road grow old.
type Class struct {
	HalfLife int64 `json:"half_life_seconds"`
	Sides    int   `json:"sides"` // 2: half fresh when seen from one side only; 1: one side is enough
}

// Satur are the parameters of saturation.
type Satur struct {
	Recovery   int64        `json:"recovery_seconds"` // until a cell is worth full again
	Rank       []survey.PPM `json:"rank_ppm"`         // by rank within cell and epoch; 0 after the last
	Density    []Density    `json:"density"`          // finest first
	UseDensity bool         `json:"use_density"`
}

// Validate reports parameters that break a promise of the formula.
func (p Params) Validate() error {
	bad := func(format string, args ...any) error {
		return survey.Errorf(survey.Invalid, "freshness parameters "+p.Version+": "+format, args...)
	}
	if _, ok := p.Freshness.Classes[DefaultClass]; !ok {
		return bad("no class %q", DefaultClass)
	}
	for name, c := range p.Freshness.Classes {
		if c.HalfLife < 1 || c.HalfLife >= 1<<31 || c.Sides < 1 || c.Sides > 2 {
			return bad("class %q: half-life %d s, %d sides", name, c.HalfLife, c.Sides)
		}
	}
	if w := p.Freshness.LevelWeights; !slices.IsSorted(w[:]) || w[0] < 0 || w[Levels-1] != survey.One {
		return bad("level weights %v do not rise to 1,000,000", w)
	}
	if p.Saturation.Recovery < 1 || p.Saturation.Recovery > 1<<40 {
		return bad("recovery %d s", p.Saturation.Recovery)
	}
	if len(p.Saturation.Rank) == 0 {
		return bad("no rank")
	}
	last := survey.One
	for i, r := range p.Saturation.Rank {
		if r < 0 || r > last {
			return bad("rank %d has %d ppm after %d", i+1, r, last)
		}
		last = r
	}
	finer := 16
	for _, d := range p.Saturation.Density {
		if d.Res < 0 || d.Res >= finer || d.N < 1 || d.N > 7 || d.Target < 1 || d.Max < d.Target {
			return bad("density at resolution %d: %+v", d.Res, d)
		}
		finer = d.Res
	}
	if p.Saturation.UseDensity && len(p.Saturation.Density) == 0 {
		return bad("density is on but has no levels")
	}
	return nil
}

// Versions are the dates of the parameter sets that ship with the program, oldest first.
func Versions() []string {
	entries, err := files.ReadDir("params")
	if err != nil {
		panic(err) // embedded
	}
	var out []string
	for _, e := range entries {
		out = append(out, strings.TrimSuffix(e.Name(), ".json"))
	}
	slices.Sort(out)
	return out
}

// Load reads the parameter set of a version; an unknown one is NotFound.
func Load(version string) (Params, error) {
	b, err := files.ReadFile("params/" + version + ".json")
	if err != nil {
		return Params{}, survey.Errorf(survey.NotFound, "freshness parameters %q", version).
			WithHint("known are %s", strings.Join(Versions(), ", "))
	}
	return Parse(b)
}

// Parse reads and validates a parameter file; unknown keys are Invalid.
func Parse(b []byte) (Params, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var p Params
	if err := d.Decode(&p); err != nil {
		return Params{}, survey.Errorf(survey.Invalid, "freshness parameters: %w", err)
	}
	return p, p.Validate()
}

// Current is the newest set that ships with the program.
func Current() Params {
	v := Versions()
	p, err := Load(v[len(v)-1])
	if err != nil {
		panic(err) // embedded and tested
	}
	return p
}
