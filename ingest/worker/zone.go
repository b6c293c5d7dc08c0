package worker

import (
	"context"

	"github.com/roadcomb/roadcomb/ingest/trace"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// zones reads a contributor's privacy zones.
func zones(ctx context.Context, q state.Querier, c survey.ContributorID) ([]trace.Zone, error) {
	rows, err := q.Query(ctx, `SELECT lat_e7, lon_e7, radius_mm FROM privacy_zones WHERE contributor_id = $1 ORDER BY id`, string(c))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []trace.Zone
	for rows.Next() {
		var lat, lon, mm int64
		if err := rows.Scan(&lat, &lon, &mm); err != nil {
			return nil, err
		}
		out = append(out, trace.Zone{Center: geo.FromE7(lat, lon), Radius: geo.Meters(mm) / 1000})
	}
	return out, rows.Err()
}
