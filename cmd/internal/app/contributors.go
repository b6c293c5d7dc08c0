package app

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	ingestapi "github.com/roadcomb/roadcomb/ingest/api"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

type contributorsCmd struct {
	Add     contributorsAddCmd     `cmd:"" help:"Register a driver; the token is shown this once."`
	List    contributorsListCmd    `cmd:"" help:"List who contributes, with what they sent and their limits."`
	Token   contributorsTokenCmd   `cmd:"" help:"Give a driver a new token; the old one ends at once."`
	Limit   contributorsLimitCmd   `cmd:"" help:"Give a driver limits of their own."`
	Block   contributorsBlockCmd   `cmd:"" help:"Take no more uploads from a driver; what was sent stays."`
	Unblock contributorsUnblockCmd `cmd:"" help:"Take a driver's uploads again."`
}

type contributorsAddCmd struct {
	stateSettings
	Handle string `arg:"" help:"How you call the driver."`
}

func (c *contributorsAddCmd) Run(ctx context.Context, e *environ) error {
	return c.act(ctx, e, "register-contributor", "handle="+c.Handle, func(db *state.DB) (string, error) {
		id, token, err := ingestapi.NewContributor(ctx, db, c.Handle, time.Now())
		if err != nil {
			return "", err
		}
		printToken(e, id, token)
		return "id=" + string(id), nil
	})
}

func printToken(e *environ, id survey.ContributorID, token string) {
	fmt.Fprintf(e.stdout, "id: %s\ntoken: %s\n", id, token)
	fmt.Fprintln(e.stderr, "Give the driver the token now: only its hash is stored. It opens the web page's Drive tab, and roadcam in ROADCAM_TOKEN.")
}

type contributorsListCmd struct {
	stateSettings
	JSON bool `help:"As JSON."`
}

func (c *contributorsListCmd) Run(ctx context.Context, e *environ) error {
	db, err := c.open(ctx, e)
	if err != nil {
		return err
	}
	defer db.Close()
	all := []ingestapi.Member{}
	for after := survey.ContributorID(""); ; {
		ms, err := ingestapi.Members(ctx, db, after, 1000)
		if err != nil {
			return err
		}
		if len(ms) == 0 {
			break
		}
		all, after = append(all, ms...), ms[len(ms)-1].ID
	}
	if c.JSON {
		return writeJSON(e.stdout, all)
	}
	tw := tabwriter.NewWriter(e.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw, "ID\tNAME\tSINCE\tUPLOADS\tMB\tLAST\tBLOCKED")
	for _, m := range all {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%d\t%.1f\t%s\t%s\n", m.ID, m.Handle, m.CreatedAt.Format(time.DateOnly), m.Uploads, float64(m.Bytes)/1e6, day(m.LastUpload), day(m.BlockedAt))
	}
	return tw.Flush()
}

type contributorsTokenCmd struct {
	stateSettings
	ID string `arg:"" help:"Id of the driver."`
}

func (c *contributorsTokenCmd) Run(ctx context.Context, e *environ) error {
	return c.act(ctx, e, "renew-token", "id="+c.ID, func(db *state.DB) (string, error) {
		token, err := ingestapi.RenewToken(ctx, db, survey.ContributorID(c.ID))
		if err == nil {
			printToken(e, survey.ContributorID(c.ID), token)
		}
		return "", err
	})
}

type contributorsLimitCmd struct {
	stateSettings
	ID          string `arg:"" help:"Id of the driver."`
	UploadBytes int64  `help:"Most bytes of an upload; 0 means the server's."`
	DayBytes    int64  `help:"Most bytes of the uploads opened within 24 hours; 0 means the server's."`
	OpenUploads int64  `help:"Most uploads open at a time; 0 means the server's."`
}

func (c *contributorsLimitCmd) Run(ctx context.Context, e *environ) error {
	return c.act(ctx, e, "limit-contributor", "id="+c.ID, func(db *state.DB) (string, error) {
		l := ingestapi.OwnLimits{UploadBytes: c.UploadBytes, DayBytes: c.DayBytes, OpenUploads: c.OpenUploads}
		return fmt.Sprintf("%+v", l), ingestapi.SetLimits(ctx, db, survey.ContributorID(c.ID), l)
	})
}

type contributorsBlockCmd struct {
	stateSettings
	ID string `arg:"" help:"Id of the driver."`
}

func (c *contributorsBlockCmd) Run(ctx context.Context, e *environ) error {
	return c.act(ctx, e, "block-contributor", "id="+c.ID, func(db *state.DB) (string, error) {
		return "", ingestapi.Block(ctx, db, survey.ContributorID(c.ID), time.Now())
	})
}

type contributorsUnblockCmd struct {
	stateSettings
	ID string `arg:"" help:"Id of the driver."`
}

func (c *contributorsUnblockCmd) Run(ctx context.Context, e *environ) error {
	return c.act(ctx, e, "unblock-contributor", "id="+c.ID, func(db *state.DB) (string, error) {
		return "", ingestapi.Block(ctx, db, survey.ContributorID(c.ID), time.Time{})
	})
}
