package app

import (
	"context"
	"fmt"
	"io"

	"github.com/roadcomb/roadcomb/datasets/query"
	page "github.com/roadcomb/roadcomb/datasets/report"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

type reportCmd struct {
	Data  string `help:"Folder with snapshot.json, as process writes it (DIR/datasets)." required:"" type:"path" placeholder:"DIR"`
	Epoch string `help:"Only this reward week, named by its Monday: 2024-05-06; empty for everything." placeholder:"MONDAY"`
	Title string `help:"Heading of the page." default:"roadcomb"`
	Out   string `help:"HTML file to write." required:"" type:"path" placeholder:"FILE"`
}

func (reportCmd) Help() string {
	return "One page without scripts or outside hosts: coverage, freshness, quality, rejections and pay per kilometre.\n\nExample: roadcomb report --data out/datasets --out report.html"
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
	eng, err := query.Open(ctx, c.Data, query.Options{})
	if err != nil {
		return err
	}
	defer eng.Close()
	if err := writeFile(c.Out, func(w io.Writer) error { return page.Write(ctx, eng, cfg, w) }); err != nil {
		return err
	}
	fmt.Fprintln(e.stderr, c.Out)
	return nil
}
