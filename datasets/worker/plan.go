package worker

import (
	"context"
	"errors"
	"sort"
	"strings"
	"time"

	"github.com/roadcomb/roadcomb/datasets/schema"
	"github.com/roadcomb/roadcomb/pkg/hex/cells"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// period is a UTC day (2024-05-08) or a month (2024-05).
type period string

const monthLayout = "2006-01"

// settle is how long after its end a month's days become one file: late uploads have mostly arrived by then.
const settle = 7 * 24 * time.Hour

// periodOf is the period that a time belongs to as of an instant: its day, or its month once that is settled.
func periodOf(us int64, asOf time.Time) period {
	t := state.Time(us)
	if month := time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, time.UTC); !asOf.Before(month.Add(settle)) {
		return period(t.Format(monthLayout))
	}
	return period(t.Format(time.DateOnly))
}

// span is the half-open range of microseconds.
func (p period) span() (lo, hi int64, err error) {
	if len(p) == len(monthLayout) {
		t, err := time.Parse(monthLayout, string(p))
		return t.UnixMicro(), t.AddDate(0, 1, 0).UnixMicro(), err
	}
	t, err := time.Parse(time.DateOnly, string(p))
	return t.UnixMicro(), t.AddDate(0, 0, 1).UnixMicro(), err
}

func (p period) key() string { return "date=" + string(p) }

type frameKey struct {
	period period
	r4     survey.Cell
}

func (k frameKey) String() string { return k.period.key() + "/h3_r4=" + k.r4.String() }

// plan is which partitions must be written again, and which must go.
type plan struct {
	asOf       time.Time
	frames     map[frameKey]bool
	drives     map[period]bool
	findings   map[period]bool
	rejections map[period]bool
	usage      map[period]bool
	cells      map[survey.Cell]bool
	features   map[survey.Cell]bool
	drop       []part
}

func newPlan(asOf time.Time) plan {
	return plan{asOf: asOf, frames: map[frameKey]bool{}, drives: map[period]bool{}, findings: map[period]bool{}, rejections: map[period]bool{},
		usage: map[period]bool{}, cells: map[survey.Cell]bool{}, features: map[survey.Cell]bool{}}
}

func (p *plan) add(ctx context.Context, q state.Querier, c state.Change) error {
	switch c.Topic {
	case "cell":
		cell, err := survey.ParseCell(c.Key)
		if err != nil {
			return err
		}
		p.cells[cell.Parent(partitionRes)] = true
	case "feature": // came or went in the cell
		cell, err := survey.ParseCell(c.Key)
		if err != nil {
			return err
		}
		p.features[cell.Parent(partitionRes)] = true
	case "finding": // about the drive
		var started int64
		err := q.QueryRow(ctx, `SELECT started_at FROM drives WHERE id = $1`, c.Key).Scan(&started)
		if errors.Is(err, state.ErrNoRows) {
			return nil
		}
		p.findings[periodOf(started, p.asOf)] = true
		return err
	case "drive":
		var started, completed int64
		err := q.QueryRow(ctx, `SELECT d.started_at, u.completed_at FROM drives d JOIN uploads u ON u.id = d.upload_id WHERE d.id = $1`, c.Key).Scan(&started, &completed)
		if errors.Is(err, state.ErrNoRows) {
			return nil
		} else if err != nil {
			return err
		}
		day := periodOf(started, p.asOf)
		p.drives[day], p.findings[day], p.rejections[periodOf(completed, p.asOf)] = true, true, true
		rows, err := q.Query(ctx, `SELECT captured_at, cell FROM frames WHERE drive_id = $1`, c.Key)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var at, cell int64
			if err := rows.Scan(&at, &cell); err != nil {
				return err
			}
			r4 := survey.Cell(cell).Parent(partitionRes)
			p.frames[frameKey{periodOf(at, p.asOf), r4}] = true
		}
		if err := rows.Err(); err != nil {
			return err
		}
		return p.addFeatures(ctx, q, c.Key)
	case "upload":
		var completed int64
		err := q.QueryRow(ctx, `SELECT completed_at FROM uploads WHERE id = $1`, c.Key).Scan(&completed)
		if errors.Is(err, state.ErrNoRows) {
			return nil
		}
		p.rejections[periodOf(completed, p.asOf)] = true
		return err
	}
	return nil
}

// addFeatures adds the areas of a drive's features, which may lie beside the areas of its frames. Those that are gone
// were marked by who removed them.
func (p *plan) addFeatures(ctx context.Context, q state.Querier, drive string) error {
	rows, err := q.Query(ctx, `SELECT DISTINCT cell FROM map_features WHERE drive_id = $1`, drive)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var cell int64
		if err := rows.Scan(&cell); err != nil {
			return err
		}
		p.features[survey.Cell(cell).Parent(partitionRes)] = true
	}
	return rows.Err()
}

// planDay adds what a new day asks for: every partition of cells, the uses of the days that ended, the months whose days
// become one file, and the days of cells that are kept no longer.
func (w *Worker) planDay(ctx context.Context, p *plan) error {
	if err := cells.Each(ctx, w.DB, partitionRes, func(r cells.Row) error {
		p.cells[r.Cell] = true
		return nil
	}); err != nil {
		return err
	}
	if err := w.planUsage(ctx, p); err != nil {
		return err
	}
	rows, err := w.DB.Query(ctx, `SELECT dataset, partition_key FROM dataset_files ORDER BY dataset, partition_key`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var f part
		if err := rows.Scan(&f.dataset, &f.key); err != nil {
			return err
		}
		p.age(f, w.Config.dailyCells())
	}
	return rows.Err()
}

// age plans what becomes of a partition that is there, as of the plan's instant.
func (p *plan) age(f part, dailyCells int) {
	date, rest, _ := strings.Cut(f.key, "/")
	day, err := time.Parse(time.DateOnly, strings.TrimPrefix(date, "date="))
	if err != nil {
		return // a month or an epoch: final
	}
	if f.dataset == schema.Cells.Name {
		if old := p.asOf.AddDate(0, 0, -dailyCells); day.Before(old) && day.Weekday() != time.Monday {
			p.drop = append(p.drop, f)
		}
		return
	}
	month := periodOf(day.UnixMicro(), p.asOf)
	if len(month) != len(monthLayout) {
		return
	}
	switch f.dataset {
	case schema.Frames.Name, schema.Observations.Name:
		r4, err := survey.ParseCell(strings.TrimPrefix(rest, "h3_r4="))
		if err != nil {
			return
		}
		p.frames[frameKey{month, r4}] = true
	case schema.Drives.Name:
		p.drives[month] = true
	case schema.Findings.Name:
		p.findings[month] = true
	case schema.Rejections.Name:
		p.rejections[month] = true
	case schema.Usage.Name:
		p.usage[month] = true
	default:
		return
	}
	p.drop = append(p.drop, f)
}

func sorted[K comparable](m map[K]bool, text func(K) string) []K {
	ks := make([]K, 0, len(m))
	for k := range m {
		ks = append(ks, k)
	}
	sort.Slice(ks, func(i, j int) bool { return text(ks[i]) < text(ks[j]) })
	return ks
}
