package app

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/tiles/basemap"
	"github.com/roadcomb/roadcomb/tiles/build"
)

type tilesCmd struct {
	Build   tilesBuildCmd   `cmd:"" help:"Build a PMTiles archive of GeoJSON files."`
	Basemap tilesBasemapCmd `cmd:"" help:"Build a street map of an OpenStreetMap extract, for --basemap."`
}

type tilesBasemapCmd struct {
	OSM string `arg:"" help:"Extract, .osm.pbf." type:"existingfile"`
	Out string `help:"Archive to write." required:"" type:"path" placeholder:"FILE.pmtiles"`
}

func (tilesBasemapCmd) Help() string {
	return "The data is © OpenStreetMap contributors, ODbL; the web map says so. Example: roadcomb tiles basemap monaco.osm.pbf --out monaco.pmtiles"
}

func (c *tilesBasemapCmd) Run(ctx context.Context, e *environ) error {
	f, err := os.Open(c.OSM)
	if err != nil {
		return survey.Errorf(survey.NotFound, "extract: %w", err)
	}
	defer f.Close()
	st, err := basemap.Build(ctx, f, c.Out)
	if err != nil {
		return err
	}
	return writeJSON(e.stdout, st)
}

type tilesBuildCmd struct {
	Layer       []string `help:"Layer and its file of GeoJSON features, one a line; may be repeated." required:"" placeholder:"NAME=FILE"`
	Out         string   `help:"Archive to write." required:"" type:"path" placeholder:"FILE.pmtiles"`
	MinZoom     int      `help:"Lowest zoom." default:"0"`
	MaxZoom     int      `help:"Highest zoom." default:"14"`
	MaxFeatures int      `help:"Most features of a layer in a tile; 0 keeps all."`
	MaxBytes    int      `help:"Most bytes of a layer in a tile before compression; 0 keeps all."`
	Name        string   `help:"Name in the metadata."`
	Attribution string   `help:"Attribution in the metadata."`
	JSON        bool     `help:"Print the report as JSON."`
}

func (tilesBuildCmd) Help() string {
	return "Example: roadcomb tiles build --layer seq=lines.geojsonl --layer img=points.geojsonl --out city.pmtiles"
}

func (c *tilesBuildCmd) Run(ctx context.Context, e *environ) error {
	var in []build.Input
	for _, l := range c.Layer {
		i, err := build.ParseInput(l)
		if err != nil {
			return exit{ExitUsage, err.Error()}
		}
		in = append(in, i)
	}
	r, err := build.Files(ctx, in, c.Out, build.FileOptions{MinZoom: c.MinZoom, MaxZoom: c.MaxZoom, MaxFeatures: c.MaxFeatures, MaxBytes: c.MaxBytes, Name: c.Name, Attribution: c.Attribution})
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(e.stdout, r)
	}
	names := make([]string, 0, len(r.Layers))
	for n := range r.Layers {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		l := r.Layers[n]
		fmt.Fprintf(e.stdout, "%s: %d features, %d without geometry, %d left out of full tiles\n", n, l.Features, l.Skipped, l.Dropped)
	}
	fmt.Fprintf(e.stdout, "%d tiles, %d bytes; read %.2f s, cut %.2f s, wrote %.2f s\n", r.Tiles, r.Bytes, r.Reading.Seconds(), r.Cutting.Seconds(), r.Writing.Seconds())
	return nil
}
