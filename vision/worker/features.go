package worker

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/vision/features"
)

// recordSightings replaces what is seen in a frame; a frame that is not published shows nothing.
func recordSightings(ctx context.Context, tx *state.Tx, id survey.FrameID, seen []survey.Sighting) error {
	if _, err := tx.Exec(ctx, `DELETE FROM frame_features WHERE frame_id = $1`, string(id)); err != nil {
		return err
	}
	for n, s := range seen {
		if _, err := tx.Exec(ctx, `INSERT INTO frame_features (frame_id, n, class, kind, x, y, w, h, confidence_ppm, model)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, string(id), n, string(s.Class), string(s.Kind), s.X, s.Y, s.W, s.H, int64(s.Confidence), s.Model); err != nil {
			return err
		}
	}
	return nil
}

// placeFeatures places anew what the published frames of a drive agree on, and names the cells where something came or
// went in the change feed. It changes nothing when it finds what is there already.
func placeFeatures(ctx context.Context, tx *state.Tx, d survey.DriveID) error {
	views, err := viewsOf(ctx, tx, d)
	if err != nil {
		return fmt.Errorf("features of drive %s: %w", d, err)
	}
	placed := features.Place(d, views)
	features.Sort(placed)
	before, res, err := placedBefore(ctx, tx, d)
	if err != nil {
		return fmt.Errorf("features of drive %s: %w", d, err)
	}
	touched := map[survey.Cell]bool{}
	for i := range placed {
		p := &placed[i]
		if p.Cell, err = hex.CellOf(p.Point, res); err != nil {
			return fmt.Errorf("features of drive %s: %w", d, err)
		}
		if before[p.ID] == p.Cell {
			delete(before, p.ID) // the same sightings give the same place
			continue
		}
		lat, lon := p.Point.E7()
		if _, err := tx.Exec(ctx, `INSERT INTO map_features (id, drive_id, class, kind, lat_e7, lon_e7, cell, sigma_mm, frames, first_seen, last_seen, confidence_ppm)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`, string(p.ID), string(d), string(p.Class), string(p.Kind), lat, lon, p.Cell.Int64(),
			int64(math.Round(float64(p.Sigma)*1000)), p.Frames, state.Micros(p.FirstSeen), state.Micros(p.LastSeen), int64(p.Confidence)); err != nil {
			return err
		}
		touched[p.Cell] = true
	}
	for id, cell := range before {
		if _, err := tx.Exec(ctx, `DELETE FROM map_features WHERE id = $1`, string(id)); err != nil {
			return err
		}
		touched[cell] = true
	}
	for _, p := range placed {
		for _, s := range p.Seen {
			if _, err := tx.Exec(ctx, `UPDATE frame_features SET feature_id = $2 WHERE frame_id = $1 AND class = $3 AND x = $4 AND y = $5 AND w = $6 AND h = $7 AND feature_id <> $2`,
				string(s.Frame), string(p.ID), string(s.Class), s.X, s.Y, s.W, s.H); err != nil {
				return err
			}
		}
	}
	keys := make([]string, 0, len(touched))
	for c := range touched {
		keys = append(keys, c.String())
	}
	return state.MarkAllChanged(ctx, tx, "feature", keys)
}

// viewsOf gives the published frames of a drive that know where they look, with what is seen in them.
func viewsOf(ctx context.Context, tx *state.Tx, d survey.DriveID) (views []features.View, err error) {
	rows, err := tx.Query(ctx, `SELECT f.id, f.captured_at, f.lat_e7, f.lon_e7, f.heading_mdeg, f.accuracy_mm, f.public_width, f.fov_mdeg,
		s.class, s.kind, s.x, s.y, s.w, s.h, s.confidence_ppm, s.model
		FROM frames f JOIN frame_features s ON s.frame_id = f.id
		WHERE f.drive_id = $1 AND f.state = 'published' AND f.heading_mdeg >= 0 ORDER BY f.seq, s.n`, string(d))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id, class, kind, model string
		var captured, lat, lon, heading, accuracy, width, fov, x, y, w, h, confidence int64
		if err := rows.Scan(&id, &captured, &lat, &lon, &heading, &accuracy, &width, &fov, &class, &kind, &x, &y, &w, &h, &confidence, &model); err != nil {
			return nil, err
		}
		if n := len(views); n == 0 || string(views[n-1].Frame) != id {
			views = append(views, features.View{Frame: survey.FrameID(id), CapturedAt: state.Time(captured), Point: geo.FromE7(lat, lon),
				Heading: geo.BearingDeg(float64(heading) / 1000), Accuracy: geo.Meters(float64(accuracy) / 1000), Width: int(width), FOV: float64(fov) / 1000})
		}
		v := &views[len(views)-1]
		v.Sightings = append(v.Sightings, survey.Sighting{Frame: v.Frame, Class: survey.Class(class), Kind: survey.FeatureKind(kind),
			X: int(x), Y: int(y), W: int(w), H: int(h), Confidence: survey.PPM(confidence), Model: model})
	}
	return views, rows.Err()
}

// placedBefore gives the cells of the features that a drive has, and the resolution of its frames.
func placedBefore(ctx context.Context, tx *state.Tx, d survey.DriveID) (cells map[survey.FeatureID]survey.Cell, res int, err error) {
	var cell int64
	err = tx.QueryRow(ctx, `SELECT COALESCE(MAX(cell), 0) FROM frames WHERE drive_id = $1`, string(d)).Scan(&cell)
	if err != nil && !errors.Is(err, state.ErrNoRows) {
		return nil, 0, err
	}
	rows, err := tx.Query(ctx, `SELECT id, cell FROM map_features WHERE drive_id = $1`, string(d))
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	cells = map[survey.FeatureID]survey.Cell{}
	for rows.Next() {
		var id string
		var c int64
		if err := rows.Scan(&id, &c); err != nil {
			return nil, 0, err
		}
		cells[survey.FeatureID(id)] = survey.Cell(c)
	}
	return cells, survey.Cell(cell).Resolution(), rows.Err()
}
