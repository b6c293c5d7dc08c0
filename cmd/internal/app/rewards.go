package app

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards/record"
)

type rewardsCmd struct {
	Verify  rewardsVerifyCmd  `cmd:"" help:"Compute a published epoch again from its inputs and say what differs."`
	Explain rewardsExplainCmd `cmd:"" help:"Say why a contributor got what it got in an epoch."`
}

// epochFS opens a published epoch: a folder, or an http(s) address under which its files lie.
func epochFS(ctx context.Context, where string) (fs.FS, error) {
	if strings.HasPrefix(where, "http://") || strings.HasPrefix(where, "https://") {
		return record.HTTPFS(ctx, where, &http.Client{Timeout: 5 * time.Minute})
	}
	abs, err := filepath.Abs(where)
	if err != nil {
		return nil, err
	}
	if st, err := os.Stat(abs); err != nil || !st.IsDir() {
		return nil, survey.Errorf(survey.NotFound, "%s is no folder", where).WithHint("give the folder of an epoch, such as out/rewards/2024-05-06, or its address")
	}
	return os.DirFS(abs), nil
}

type rewardsVerifyCmd struct {
	Epoch    string `arg:"" help:"Folder or address of a published epoch." placeholder:"DIR|URL"`
	Previous string `help:"Folder or address of the epoch before, to check that accounts go on from it." placeholder:"DIR|URL"`
	JSON     bool   `help:"As JSON."`
}

func (rewardsVerifyCmd) Help() string {
	return "Exit code 0 when everything agrees, 3 when something differs."
}

func (c *rewardsVerifyCmd) Run(ctx context.Context, e *environ) error {
	now, err := epochFS(ctx, c.Epoch)
	if err != nil {
		return err
	}
	var before fs.FS
	if c.Previous != "" {
		if before, err = epochFS(ctx, c.Previous); err != nil {
			return err
		}
	}
	r, err := record.Verify(now, before)
	if err != nil {
		return err
	}
	if c.JSON {
		if err := writeJSON(e.stdout, r); err != nil {
			return err
		}
	} else {
		for _, d := range r.Differences {
			fmt.Fprintln(e.stdout, d)
		}
		if r.OK() {
			fmt.Fprintf(e.stdout, "epoch %s agrees with its inputs; Merkle root %s\n", r.Manifest.Epoch, r.Root)
		}
	}
	if !r.OK() {
		return exit{ExitRejected, fmt.Sprintf("epoch %s differs from its inputs in %d places", r.Manifest.Epoch, len(r.Differences))}
	}
	return nil
}

type rewardsExplainCmd struct {
	Epoch       string `arg:"" help:"Folder or address of a published epoch." placeholder:"DIR|URL"`
	Contributor string `arg:"" help:"Contributor id."`
	JSON        bool   `help:"As JSON, every line."`
}

func (c *rewardsExplainCmd) Run(ctx context.Context, e *environ) error {
	f, err := epochFS(ctx, c.Epoch)
	if err != nil {
		return err
	}
	x, err := record.Explain(f, survey.ContributorID(c.Contributor))
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(e.stdout, x)
	}
	tw := tabwriter.NewWriter(e.stdout, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "CELL\tSLOT\tFRAMES\tNEED\tRANK\tQUALITY\tTRUST\tRATE\tAMOUNT\tDEMAND\tWHY ZERO\t")
	for _, l := range x.Lines {
		fmt.Fprintf(tw, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\t%s\t%s\t%s\t\n", l.Cell, l.Slot.Format("2006-01-02T15:04Z"), l.Frames, l.Need, l.Rank, l.Quality, l.Trust,
			survey.Amount(l.Rate), survey.Amount(l.Amount), survey.Amount(l.Demand), l.Code)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "epoch %s, contributor %s: %s tokens, %s held\n", x.Epoch, x.Contributor, x.Amount, x.Held)
	return nil
}
