package worker

import (
	"context"

	"github.com/roadcomb/roadcomb/datasets/schema"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// features writes the features of an area that enough published frames still show: one that stood on a frame which was
// taken down goes with it.
func (w *Worker) features(ctx context.Context, r4 survey.Cell) (file, error) {
	out := newSink[schema.Feature](w, schema.Features, "h3_r4="+r4.String())
	defer out.drop()
	c0, c1 := r4.ChildRange(12)
	rows, err := w.DB.Query(ctx, `SELECT m.cell, m.id, m.drive_id, m.class, m.kind, m.first_seen, m.last_seen, m.sigma_mm, m.frames, m.confidence_ppm, m.lat_e7, m.lon_e7
		FROM map_features m JOIN drives d ON d.id = m.drive_id
		WHERE m.cell BETWEEN $1 AND $2 AND d.state = 'indexed' AND (SELECT COUNT(DISTINCT s.frame_id) FROM frame_features s
			JOIN frames f ON f.id = s.frame_id WHERE s.feature_id = m.id AND f.state = 'published') >= $3
		ORDER BY m.cell, m.first_seen, m.id`, c0.Int64(), c1.Int64(), survey.MinFeatureFrames)
	if err != nil {
		return file{}, err
	}
	defer rows.Close()
	for rows.Next() {
		var f schema.Feature
		var cell, first, last, sigma, lat, lon int64
		if err := rows.Scan(&cell, &f.ID, &f.Drive, &f.Class, &f.Kind, &first, &last, &sigma, &f.Frames, &f.Confidence, &lat, &lon); err != nil {
			return file{}, err
		}
		f.Cell, f.FirstSeen, f.LastSeen, f.Sigma = survey.Cell(cell), state.Time(first), state.Time(last), float64(sigma)/1000
		f.Geometry = lake.Point(geo.FromE7(lat, lon))
		if err := out.add(f); err != nil {
			return file{}, err
		}
	}
	if err := rows.Err(); err != nil {
		return file{}, err
	}
	return out.finish(ctx)
}
