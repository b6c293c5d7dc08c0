package archive

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// ManifestFormat is the version of the manifest's form that this package reads and writes.
const ManifestFormat = 1

// Manifest says which archives are the current tiles. It is the object store.TileManifestKey, swapped by conditional
// PUT; everything it names is immutable (tiles/FORMAT.md §2).
type Manifest struct {
	Format  int       `json:"format"`
	Version int64     `json:"version"` // rises by one with each swap
	AsOf    time.Time `json:"as_of"`   // instant at which freshness and ages were computed
	// Layers holds one tile set for each served name: package schema lists them.
	Layers map[string]Tileset `json:"layers"`
}

// Tileset is what TileJSON and a reader need of one tile set.
type Tileset struct {
	// Version is 16 hex digits that change if and only if a tile of the set may have changed.
	Version string     `json:"version"`
	Type    TileType   `json:"type"`
	MinZoom int        `json:"minzoom"`
	MaxZoom int        `json:"maxzoom"`
	Bounds  [4]float64 `json:"bounds"` // west, south, east, north in degrees; may be wider than the data after removals
	// VectorLayers is the TileJSON 3.0 list; empty for raster tiles.
	VectorLayers []VectorLayer `json:"vector_layers,omitempty"`
	// Plan names the rules (zoom plan, attributes, freshness parameters, as-of) that made the tiles. Archives of
	// different plans are never mixed: another plan is a full rebuild.
	Plan string `json:"plan"`
	// Archives, newest first: the last is the base, the others hold whole tiles that replace older ones.
	Archives []Ref `json:"archives"`
}

// Ref names one immutable archive in the public bucket.
type Ref struct {
	Key     string      `json:"key"`
	SHA256  survey.Hash `json:"sha256"`
	Bytes   int64       `json:"bytes"`
	ETag    string      `json:"etag"`
	Tiles   int64       `json:"tiles"` // addressed tiles
	MinZoom int         `json:"minzoom"`
	MaxZoom int         `json:"maxzoom"`
	// Tombstones are ids of tiles that this archive empties although an older one holds them, ascending.
	Tombstones []uint64 `json:"tombstones,omitempty"`
}

// VectorLayer is an entry of TileJSON's vector_layers.
type VectorLayer struct {
	ID          string            `json:"id"`
	Description string            `json:"description,omitempty"`
	MinZoom     int               `json:"minzoom"`
	MaxZoom     int               `json:"maxzoom"`
	Fields      map[string]string `json:"fields"` // attribute name to what it means, with its type first
}

// Center is the middle of the bounds at a zoom that shows them whole: lon, lat, zoom.
func (t Tileset) Center() [3]float64 {
	b := t.Bounds
	z := t.MinZoom
	for z < t.MaxZoom && (b[2]-b[0])*float64(int(1)<<(z+1)) < 720 {
		z++
	}
	return [3]float64{(b[0] + b[2]) / 2, (b[1] + b[3]) / 2, float64(z)}
}

// NewTilesetVersion derives Tileset.Version from the plan and the archives with their tombstones.
func NewTilesetVersion(plan string, refs []Ref) string {
	var b bytes.Buffer
	b.WriteString(plan)
	for _, r := range refs {
		b.WriteString("\n" + r.SHA256.String())
		for _, t := range r.Tombstones {
			b.Write(appendUvarint(nil, t))
		}
	}
	return survey.HashOf(b.Bytes()).String()[:16]
}

// Encode gives the manifest's bytes, the same for the same manifest.
func (m Manifest) Encode() ([]byte, error) {
	b, err := json.MarshalIndent(m, "", " ")
	return append(b, '\n'), err
}

// DecodeManifest reads and checks a manifest. Another format is Unsupported, anything else wrong is Invalid.
func DecodeManifest(b []byte) (Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return Manifest{}, survey.Errorf(survey.Invalid, "tile manifest: %w", err)
	}
	if m.Format != ManifestFormat {
		return Manifest{}, survey.Errorf(survey.Unsupported, "tile manifest has format %d, this version reads %d", m.Format, ManifestFormat)
	}
	for name, t := range m.Layers {
		if t.MinZoom < 0 || t.MaxZoom > MaxZoom || t.MinZoom > t.MaxZoom {
			return Manifest{}, survey.Errorf(survey.Invalid, "tile manifest: layer %q has zooms %d–%d", name, t.MinZoom, t.MaxZoom)
		}
		for _, r := range t.Archives {
			if r.Key == "" || r.SHA256.IsZero() || r.Bytes <= 0 || !slices.IsSorted(r.Tombstones) {
				return Manifest{}, survey.Errorf(survey.Invalid, "tile manifest: layer %q names a bad archive %q", name, r.Key)
			}
		}
	}
	return m, nil
}
