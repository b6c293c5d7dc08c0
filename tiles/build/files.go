package build

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/tiles/archive"
	"github.com/roadcomb/roadcomb/tiles/mvt"
)

// Input is a file of GeoJSON features, one a line, that go into a layer. Several inputs may share a layer.
type Input struct{ Layer, Path string }

// ParseInput reads "name=file.geojsonl"; without a name the layer is called as the file.
func ParseInput(s string) (Input, error) {
	name, path, ok := strings.Cut(s, "=")
	if !ok {
		path = s
		name = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	}
	if name == "" || path == "" {
		return Input{}, survey.Errorf(survey.Invalid, "layer %q is not name=file", s)
	}
	return Input{name, path}, nil
}

// FileOptions of Files. The zero value builds zooms 0 to 14 and leaves nothing out.
type FileOptions struct {
	MinZoom int
	MaxZoom int // 0 means 14
	Workers int // 0 means one per core
	// Buffer, Tolerance, MaxFeatures and MaxBytes are those of each Layer.
	Buffer                int
	Tolerance             float64
	MaxFeatures, MaxBytes int
	Name, Attribution     string // go into the metadata
}

// Report says what Files did.
type Report struct {
	Layers  map[string]LayerReport `json:"layers"`
	Tiles   int                    `json:"tiles"`
	Bytes   int64                  `json:"bytes"`
	Drops   []Drop                 `json:"drops,omitempty"`
	Reading time.Duration          `json:"reading"` // parsing and projecting
	Cutting time.Duration          `json:"cutting"` // simplifying, cutting, encoding, compressing
	Writing time.Duration          `json:"writing"` // laying out the archive
}

// LayerReport counts a layer's features.
type LayerReport struct {
	Features int   `json:"features"`
	Skipped  int   `json:"skipped"` // without geometry
	ByZoom   []int `json:"by_zoom"` // written; a feature counts in each tile that holds it
	Dropped  int   `json:"dropped"` // left out by budgets, counted the same way
}

// Files builds a PMTiles archive of GeoJSON files. The archive appears under out when it is complete, in place of a file
// that was there. The same inputs and options give the same bytes.
func Files(ctx context.Context, inputs []Input, out string, opts FileOptions) (Report, error) {
	rep := Report{Layers: map[string]LayerReport{}}
	if len(inputs) == 0 {
		return rep, survey.Errorf(survey.Invalid, "no input").WithHint("name a layer: --layer name=file.geojsonl")
	}
	start := time.Now()
	var dict mvt.Dict
	var layers []Layer
	place := map[string]int{}
	for _, in := range inputs {
		i, ok := place[in.Layer]
		if !ok {
			i = len(layers)
			place[in.Layer] = i
			layers = append(layers, Layer{Name: in.Layer, MinZoom: opts.MinZoom, MaxZoom: cmp.Or(opts.MaxZoom, 14), Features: NewFeatures(&dict),
				Buffer: opts.Buffer, Tolerance: opts.Tolerance, MaxFeatures: opts.MaxFeatures, MaxBytes: opts.MaxBytes})
		}
		skipped, err := layers[i].Features.ReadGeoJSONFile(ctx, in.Path, opts.Workers)
		if err != nil {
			return rep, err
		}
		l := rep.Layers[in.Layer]
		l.Skipped += skipped
		l.Features = layers[i].Features.Len()
		rep.Layers[in.Layer] = l
	}
	var bounds [4]float64
	var vector []archive.VectorLayer
	for i, l := range layers {
		if b := l.Features.Bounds(); i == 0 || bounds == [4]float64{} {
			bounds = b
		} else if l.Features.Len() > 0 {
			bounds = [4]float64{min(bounds[0], b[0]), min(bounds[1], b[1]), max(bounds[2], b[2]), max(bounds[3], b[3])}
		}
		vector = append(vector, archive.VectorLayer{ID: l.Name, MinZoom: l.MinZoom, MaxZoom: l.MaxZoom, Fields: l.Features.fields()})
	}
	dict.Freeze()
	rep.Reading = time.Since(start)

	start = time.Now()
	w := archive.NewWriter()
	defer w.Close()
	st, err := Tiles(ctx, layers, Options{Workers: opts.Workers}, w.Add)
	if err != nil {
		return rep, err
	}
	rep.Tiles, rep.Drops = st.Tiles, st.Drops
	for name, counts := range st.Features {
		l := rep.Layers[name]
		l.ByZoom = counts
		rep.Layers[name] = l
	}
	for _, d := range st.Drops {
		l := rep.Layers[d.Layer]
		l.Dropped += d.Features
		rep.Layers[d.Layer] = l
	}
	rep.Cutting = time.Since(start)

	start = time.Now()
	meta := map[string]any{"name": cmp.Or(opts.Name, filepath.Base(out)), "format": "pbf", "type": "overlay", "vector_layers": vector}
	if opts.Attribution != "" {
		meta["attribution"] = opts.Attribution
	}
	if len(st.Drops) > 0 {
		meta["roadcomb:dropped"] = st.Drops
	}
	rep.Bytes, err = writeFile(out, func(f io.Writer) (int64, error) {
		h, err := w.WriteTo(f, archive.Info{Type: archive.TileMVT, Bounds: bounds, Metadata: meta})
		return int64(h.DataOffset + h.DataLength), err
	})
	rep.Writing = time.Since(start)
	return rep, err
}

// writeFile makes a file that appears only when it is complete.
func writeFile(path string, write func(io.Writer) (int64, error)) (n int64, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return 0, survey.Errorf(survey.Unavailable, "write %s: %w", path, err).WithHint("choose a folder you may write to")
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	n, err = write(f)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return n, err
}
