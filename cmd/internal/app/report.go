package app

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/roadcomb/roadcomb/ingest/upload"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// report is what process says of a run. Only timings and versions differ between two runs over the same input.
type report struct {
	Inputs      int                `json:"inputs"`
	Accepted    int                `json:"accepted"`
	Rejected    int                `json:"rejected"`
	Published   int                `json:"published"` // frames
	Cells       int                `json:"cells"`     // distinct, over all drives
	AsOf        string             `json:"as_of"`
	Epochs      []string           `json:"epochs"`
	Drives      []driveReport      `json:"drives"`
	Roads       *roadsReport       `json:"roads,omitempty"` // with an OSM extract
	Rejections  []rejectionReport  `json:"rejections"`
	Quarantined int                `json:"quarantined"` // of the rejected: privacy could not be assured
	Timings     map[string]float64 `json:"timings"`     // seconds, added up over workers; total is wall time
	Versions    buildInfo          `json:"versions"`
}

type driveReport struct {
	ID        string  `json:"id"`
	Frames    int     `json:"frames"` // published
	DistanceM float64 `json:"distance_m"`
	Cells     int     `json:"cells"`
	Start     string  `json:"start"`
	Flags     string  `json:"flags,omitempty"`
}

type rejectionReport struct {
	Path    string         `json:"path"`
	Class   survey.Reason  `json:"class"`
	Message string         `json:"message"`
	Vars    map[string]any `json:"vars"`
}

// makeReport reads the outcome of an upload from state and asserts that every input is accounted for.
func makeReport(ctx context.Context, db *state.DB, up upload.Result) (report, error) {
	r := report{Drives: []driveReport{}, Rejections: []rejectionReport{}, Epochs: []string{}, Versions: versions()}
	for _, u := range up.Unreadable {
		r.Inputs++
		r.Rejected++
		r.Rejections = append(r.Rejections, rejectionReport{u.Path, u.Reason, u.Message, map[string]any{}})
	}
	rows, err := db.Query(ctx, `SELECT path, verdict, reason, message, vars FROM upload_files WHERE upload_id = $1 ORDER BY path`, string(up.ID))
	if err != nil {
		return r, err
	}
	defer rows.Close()
	for rows.Next() {
		var path, verdict, reason, message, vars string
		if err := rows.Scan(&path, &verdict, &reason, &message, &vars); err != nil {
			return r, err
		}
		r.Inputs++
		if verdict == "accepted" {
			r.Accepted++
			continue
		}
		r.Rejected++
		x := rejectionReport{Path: path, Class: survey.Reason(reason), Message: message, Vars: map[string]any{}}
		if err := json.Unmarshal([]byte(vars), &x.Vars); err != nil {
			return r, fmt.Errorf("verdict on %q: %w", path, err)
		}
		if x.Class.Quarantined() {
			r.Quarantined++
		}
		r.Rejections = append(r.Rejections, x)
	}
	if err := rows.Err(); err != nil {
		return r, err
	}
	if r.Inputs != r.Accepted+r.Rejected || r.Rejected != len(r.Rejections) {
		return r, fmt.Errorf("%d files came in, %d accepted + %d rejected went out", r.Inputs, r.Accepted, r.Rejected)
	}
	slices.SortFunc(r.Rejections, func(a, b rejectionReport) int { return strings.Compare(a.Path, b.Path) })

	rows, err = db.Query(ctx, `SELECT d.id, d.started_at, d.flags, f.seq, f.cell, f.captured_at FROM drives d
		LEFT JOIN frames f ON f.drive_id = d.id AND f.state = 'published' WHERE d.upload_id = $1 ORDER BY d.started_at, d.id, f.seq`, string(up.ID))
	if err != nil {
		return r, err
	}
	defer rows.Close()
	all, own := map[int64]bool{}, map[int64]bool{}
	for rows.Next() {
		var id, flags string
		var started int64
		var seq, cell, at *int64
		if err := rows.Scan(&id, &started, &flags, &seq, &cell, &at); err != nil {
			return r, err
		}
		if n := len(r.Drives); n == 0 || r.Drives[n-1].ID != id {
			var fs []string
			if err := json.Unmarshal([]byte(flags), &fs); err != nil {
				return r, fmt.Errorf("flags of drive %s: %w", id, err)
			}
			clear(own)
			r.Drives = append(r.Drives, driveReport{ID: id, Start: state.Time(started).Format("2006-01-02T15:04:05Z"), Flags: strings.Join(fs, " ")})
		}
		if cell != nil {
			d := &r.Drives[len(r.Drives)-1]
			d.Frames++
			r.Published++
			own[*cell], all[*cell] = true, true
			d.Cells = len(own)
		}
	}
	r.Cells = len(all)
	if err := rows.Err(); err != nil {
		return r, err
	}
	for i := range r.Drives {
		var mm int64
		if err := db.QueryRow(ctx, `SELECT distance_mm FROM drives WHERE id = $1`, r.Drives[i].ID).Scan(&mm); err != nil {
			return r, err
		}
		r.Drives[i].DistanceM = float64(mm) / 1000
	}
	return r, nil
}

// table prints the summary for people.
func (r report) table(w io.Writer, out string) {
	fmt.Fprintf(w, "%d files: %d accepted, %d rejected", r.Inputs, r.Accepted, r.Rejected)
	if r.Quarantined > 0 {
		fmt.Fprintf(w, " (%d held back because privacy could not be assured)", r.Quarantined)
	}
	fmt.Fprintf(w, "\n%d frames published in %d cells, fresh as of %s\n", r.Published, r.Cells, r.AsOf)
	if len(r.Drives) > 0 {
		tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		fmt.Fprintln(tw, "\nDRIVE\tSTART\tFRAMES\tMETRES\tCELLS\tNOTES")
		for _, d := range r.Drives {
			fmt.Fprintf(tw, "%.12s\t%s\t%d\t%.0f\t%d\t%s\n", d.ID, d.Start, d.Frames, d.DistanceM, d.Cells, d.Flags)
		}
		tw.Flush()
	}
	if x := r.Roads; x != nil {
		fmt.Fprintf(w, "\n%.1f of %.1f km of road covered; %.1f %% of the drives' length matched, %d breaks, frames %.1f m from their road\n",
			float64(x.CoveredM)/1000, float64(x.RoadM)/1000, float64(x.Matched)/10_000, x.Breaks, x.MeanDistM)
	}
	if len(r.Rejections) > 0 {
		counts := map[survey.Reason]int{}
		first := map[survey.Reason]rejectionReport{}
		for _, x := range r.Rejections {
			if counts[x.Class]++; counts[x.Class] == 1 {
				first[x.Class] = x
			}
		}
		var classes []survey.Reason
		for c := range counts {
			classes = append(classes, c)
		}
		slices.SortFunc(classes, func(a, b survey.Reason) int {
			return cmp.Or(counts[b]-counts[a], strings.Compare(string(a), string(b)))
		})
		tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		fmt.Fprintln(tw, "\nREJECTED\tFILES\tFIRST\tWHY")
		for _, c := range classes {
			fmt.Fprintf(tw, "%s\t%d\t%s\t%s\n", c, counts[c], printable(first[c].Path), first[c].Message)
		}
		tw.Flush()
	}
	fmt.Fprintf(w, "\n%.1f s%s\n", r.Timings["total"], r.where(func(n string) bool { return n != "total" && !strings.HasPrefix(n, "vision/") }, ""))
	if v := r.where(func(n string) bool { return strings.HasPrefix(n, "vision/") }, "vision/"); v != "" {
		fmt.Fprintf(w, "vision%s (added up over cores)\n", v)
	}
	fmt.Fprintf(w, "Written to %s\n", out)
}

// where lists the chosen timings, longest first.
func (r report) where(which func(string) bool, trim string) string {
	var names []string
	for n := range r.Timings {
		if which(n) {
			names = append(names, n)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(r.Timings[b], r.Timings[a]), strings.Compare(a, b)) })
	var b strings.Builder
	for i, n := range names {
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		fmt.Fprintf(&b, "%s%s %.2f s", sep, strings.TrimPrefix(n, trim), r.Timings[n])
	}
	return b.String()
}

// printable keeps a file name on one line of a terminal.
func printable(s string) string {
	q := fmt.Sprintf("%q", s)
	return q[1 : len(q)-1]
}
