// Package roadstate keeps in SQL which metres of road each drive covered, for a network given by an OSM extract. What a
// drive covered is a function of its published frames and the network: indexing it again replaces it, and a take-down
// takes it back.
package roadstate

import (
	"context"
	"fmt"
	"math"
	"os"
	"sync"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/hex/roads"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Roads matches drives to a network. It is safe for concurrent use.
type Roads struct {
	Network *roads.Network
	Extract survey.Hash   // of the extract the network was read from
	Matcher roads.Matcher // its Network is ignored; the zero value has the default numbers

	once  sync.Once
	index map[roads.SegmentID]int // of Network.Segments
}

// segment is the place of a segment in the network; ok is false when another extract had it.
func (r *Roads) segment(way, node int64) (i int, ok bool) {
	r.once.Do(func() {
		r.index = make(map[roads.SegmentID]int, len(r.Network.Segments))
		for i := range r.Network.Segments {
			r.index[r.Network.Segments[i].ID] = i
		}
	})
	i, ok = r.index[roads.SegmentID{Way: way, From: int32(node)}]
	return i, ok
}

// Open reads the network of an OSM extract (.osm.pbf). An extract without a drivable road is Invalid: it is the wrong file.
func Open(ctx context.Context, path string) (*Roads, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, survey.Errorf(survey.NotFound, "OSM extract: %w", err).WithHint("give an .osm.pbf file of the region, such as one from Geofabrik")
	}
	defer f.Close()
	r := &Roads{}
	if r.Extract, _, err = survey.HashReader(f); err != nil {
		return nil, survey.Errorf(survey.Unavailable, "OSM extract %s: %w", path, err)
	}
	if r.Network, err = roads.Read(ctx, f); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(r.Network.Segments) == 0 {
		return nil, survey.Errorf(survey.Invalid, "OSM extract %s has no drivable road", path)
	}
	return r, nil
}

// Index matches the published frames of a drive and makes the result what the drive covered, in the transaction. A drive
// without published frames covers nothing.
func (r *Roads) Index(ctx context.Context, tx *state.Tx, id survey.DriveID) (roads.Match, error) {
	trace, err := published(ctx, tx, id)
	if err != nil {
		return roads.Match{}, err
	}
	m := r.Matcher
	m.Network = r.Network
	match := m.Match(trace)
	var c roads.Coverage
	c.Add(match.Path)
	count, err := r.recount(ctx, tx, id, c.Stretches())
	if err != nil {
		return roads.Match{}, err
	}
	for _, table := range []string{"road_stretches", "road_matches"} {
		if _, err := tx.Exec(ctx, `DELETE FROM `+table+` WHERE drive_id = $1`, string(id)); err != nil {
			return roads.Match{}, err
		}
	}
	for _, s := range c.Stretches() {
		seg := r.Network.Segments[s.Segment].ID
		back := 0
		if s.Backward {
			back = 1
		}
		if _, err := tx.Exec(ctx, `INSERT INTO road_stretches (drive_id, way, node, backward, from_mm, to_mm) VALUES ($1, $2, $3, $4, $5, $6)`,
			string(id), seg.Way, int64(seg.From), back, s.From, s.To); err != nil {
			return roads.Match{}, err
		}
	}
	if match.Fixes > 0 {
		if _, err := tx.Exec(ctx, `INSERT INTO road_matches (drive_id, network, fixes, used, matched, breaks, mean_dist_mm, length_mm, straight_mm, joined_mm)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, string(id), r.Extract.String(), match.Fixes, match.Used, match.Matched, match.Breaks,
			mm(match.MeanDist), mm(match.Length), mm(match.Straight), mm(match.Joined)); err != nil {
			return roads.Match{}, err
		}
	}
	return match, count(ctx, tx)
}

func mm(m geo.Meters) int64 { return int64(math.Round(float64(m) * 1000)) }

// published are the positions of a drive's published frames, without headings: those are of the camera's axis, which
// need not be the course, and a side camera would be put on the cross street.
func published(ctx context.Context, q state.Querier, id survey.DriveID) (survey.Trace, error) {
	rows, err := q.Query(ctx, `SELECT captured_at, lat_e7, lon_e7 FROM frames WHERE drive_id = $1 AND state = 'published' ORDER BY seq`, string(id))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out survey.Trace
	for rows.Next() {
		var at, lat, lon int64
		if err := rows.Scan(&at, &lat, &lon); err != nil {
			return nil, err
		}
		out = append(out, survey.Fix{Time: state.Time(at), Point: geo.FromE7(lat, lon)})
	}
	return out, rows.Err()
}

// Coverage is the union of what all drives covered; received restricts it to drives received before that time, when it
// is not zero. Stretches of segments the network does not have are left out and counted in unknown: they come from
// another extract, and Reindex brings them over.
func (r *Roads) Coverage(ctx context.Context, q state.Querier, received time.Time) (c roads.Coverage, unknown int, err error) {
	to := state.Micros(received)
	if to == 0 {
		to = math.MaxInt64
	}
	return r.coverage(ctx, q, math.MinInt64, to)
}

// Progress is the network by cell of res, and of each what drives received in [from, to) covered, in order of the cell.
func (r *Roads) Progress(ctx context.Context, q state.Querier, res int, from, to time.Time) ([]roads.Progress, error) {
	c, _, err := r.coverage(ctx, q, state.Micros(from), state.Micros(to))
	if err != nil {
		return nil, err
	}
	pieces, err := r.Network.Pieces(res)
	if err != nil {
		return nil, err
	}
	return r.Network.Regions(c.Cells(pieces), res), nil
}

func (r *Roads) coverage(ctx context.Context, q state.Querier, from, to int64) (c roads.Coverage, unknown int, err error) {
	rows, err := q.Query(ctx, `SELECT s.way, s.node, s.backward, s.from_mm, s.to_mm FROM road_stretches s JOIN drives d ON d.id = s.drive_id
		WHERE d.received_at >= $1 AND d.received_at < $2`, from, to)
	if err != nil {
		return c, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var way, node, back, start, end int64
		if err := rows.Scan(&way, &node, &back, &start, &end); err != nil {
			return c, 0, err
		}
		i, ok := r.segment(way, node)
		if !ok {
			unknown++
			continue
		}
		c.Add([]roads.Stretch{{Segment: i, Backward: back == 1, From: start, To: end}})
	}
	return c, unknown, rows.Err()
}

// Reindex matches every indexed drive that was last matched to another extract, up to limit, and gives how many it did: a
// caller repeats it until that is 0. Each drive is a transaction of its own.
func (r *Roads) Reindex(ctx context.Context, db *state.DB, limit int) (int, error) {
	rows, err := db.Query(ctx, `SELECT d.id FROM drives d LEFT JOIN road_matches m ON m.drive_id = d.id
		WHERE d.state = 'indexed' AND (m.network IS NULL OR m.network <> $1)
		AND EXISTS (SELECT 1 FROM frames f WHERE f.drive_id = d.id AND f.state = 'published') ORDER BY d.id LIMIT $2`, r.Extract.String(), limit)
	if err != nil {
		return 0, err
	}
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			rows.Close()
			return 0, err
		}
		ids = append(ids, id)
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		return 0, err
	}
	for i, id := range ids {
		if err := db.Tx(ctx, func(tx *state.Tx) error {
			_, err := r.Index(ctx, tx, survey.DriveID(id))
			return err
		}); err != nil {
			return i, fmt.Errorf("match drive %s: %w", id, err)
		}
	}
	return len(ids), nil
}

// Quality sums how the drives matched.
type Quality struct {
	Drives, Fixes, Used, Matched, Breaks int64
	LengthMM, StraightMM, JoinedMM       int64
	DistMM                               int64 // of the matched fixes to their roads, added up
}

// MeanDistMM is the mean distance of a matched fix to its road.
func (q Quality) MeanDistMM() int64 {
	if q.Matched == 0 {
		return 0
	}
	return q.DistMM / q.Matched
}

// Share is the part of the drives' length that was put on roads.
func (q Quality) Share() survey.PPM {
	if q.StraightMM == 0 {
		return 0
	}
	return survey.PPM(float64(q.JoinedMM) / float64(q.StraightMM) * 1e6)
}

// Report is the quality of matching over all drives.
func Report(ctx context.Context, q state.Querier) (s Quality, err error) {
	err = q.QueryRow(ctx, `SELECT COUNT(*), CAST(COALESCE(SUM(fixes), 0) AS BIGINT), CAST(COALESCE(SUM(used), 0) AS BIGINT), CAST(COALESCE(SUM(matched), 0) AS BIGINT),
		CAST(COALESCE(SUM(breaks), 0) AS BIGINT), CAST(COALESCE(SUM(length_mm), 0) AS BIGINT), CAST(COALESCE(SUM(straight_mm), 0) AS BIGINT),
		CAST(COALESCE(SUM(joined_mm), 0) AS BIGINT), CAST(COALESCE(SUM(mean_dist_mm * matched), 0) AS BIGINT) FROM road_matches`).
		Scan(&s.Drives, &s.Fixes, &s.Used, &s.Matched, &s.Breaks, &s.LengthMM, &s.StraightMM, &s.JoinedMM, &s.DistMM)
	return s, err
}
