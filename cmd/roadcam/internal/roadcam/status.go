package roadcam

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/roadcomb/roadcomb/ingest/upload"
)

type statusCmd struct{}

func (statusCmd) Run(e environ) error {
	c, err := e.client()
	if err != nil {
		return err
	}
	us, err := c.Status(e.ctx)
	if err != nil {
		return err
	}
	if e.c.JSON {
		if us == nil {
			us = []upload.Status{}
		}
		return e.json(us)
	}
	t := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "upload\topened\tstate\tfiles\taccepted\trejected\twaiting\tsize\tdrives\tplace")
	for _, u := range us {
		place := ""
		switch {
		case u.FailedJobs > 0:
			place = fmt.Sprintf("%d jobs failed; the operator must look", u.FailedJobs)
		case u.Queue != nil && u.Queue.Ahead > 0:
			place = fmt.Sprintf("%s, %d before it", u.Queue.Stage, u.Queue.Ahead)
		case u.Queue != nil:
			place = u.Queue.Stage + ", next"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%s\t%d\t%s\n", u.ID, u.CreatedAt.Local().Format(time.DateTime), u.State,
			u.Counts.Files, u.Counts.Accepted, u.Counts.Rejected, u.Counts.Waiting, size(u.Bytes), u.Drives, place)
	}
	return t.Flush()
}
