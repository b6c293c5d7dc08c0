package app

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/roadcomb/roadcomb/datasets/query"
	page "github.com/roadcomb/roadcomb/datasets/report"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

type reportCmd struct {
	snapshotSettings
	Epoch string `help:"Only this reward week, named by its Monday: 2024-05-06; empty for everything." placeholder:"MONDAY"`
	Title string `help:"Heading of the page." default:"roadcomb"`
	Out   string `help:"HTML file to write; its pictures are written beside it as PNG." required:"" type:"path" placeholder:"FILE"`
	PNG   bool   `name:"png" help:"Write the pictures beside the page." default:"true" negatable:""`
}

func (reportCmd) Help() string {
	return "One page without scripts or outside hosts: coverage, freshness, quality, rejections and pay per kilometre. The same five pictures come as PNG beside it, named after it: report-coverage.png and so on.\n\nExample: roadcomb report --data out/datasets --out report.html"
}

func (c *reportCmd) Run(ctx context.Context, e *environ) error {
	cfg := page.Config{Title: c.Title}
	if c.Epoch != "" {
		ep, err := survey.ParseEpoch(c.Epoch)
		if err != nil {
			return err
		}
		cfg.Epoch = ep
	}
	dir, err := c.folder()
	if err != nil {
		return err
	}
	eng, err := query.Open(ctx, dir, query.Options{})
	if err != nil {
		return err
	}
	defer eng.Close()
	r, err := page.Read(ctx, eng, cfg)
	if err != nil {
		return err
	}
	if err := writeFile(c.Out, r.HTML); err != nil {
		return err
	}
	fmt.Fprintln(e.stderr, c.Out)
	if !c.PNG {
		return nil
	}
	for _, name := range r.Pictures() {
		path := strings.TrimSuffix(c.Out, filepath.Ext(c.Out)) + "-" + name + ".png"
		if err := writeFile(path, func(w io.Writer) error { return r.PNG(name, w) }); err != nil {
			return err
		}
		fmt.Fprintln(e.stderr, path)
	}
	return nil
}
