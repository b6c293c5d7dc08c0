package app

import (
	"context"
	"time"

	"github.com/roadcomb/roadcomb/pkg/hex"
	"github.com/roadcomb/roadcomb/pkg/hex/roadstate"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// reindexRoads matches the drives that were indexed without the extract, or with another one.
func (p *platform) reindexRoads(ctx context.Context) error {
	for p.roads != nil {
		n, err := p.roads.Reindex(ctx, p.db, 100)
		if err != nil || n == 0 {
			return err
		}
		p.log.Info("drives matched to the roads of another extract", "drives", n)
	}
	return nil
}

// roadsReport is how the drives matched the roads of the extract, and what they covered of them.
type roadsReport struct {
	Extract   survey.Hash `json:"extract_sha256"`
	RoadM     int64       `json:"road_m"`    // drivable metres in the extract
	CoveredM  int64       `json:"covered_m"` // of these, distinct
	Matched   survey.PPM  `json:"matched_ppm"`
	Breaks    int64       `json:"breaks"`
	MeanDistM float64     `json:"mean_distance_m"` // of the frames matched to their road
}

func (p *platform) roadsReport(ctx context.Context) (*roadsReport, error) {
	q, err := roadstate.Report(ctx, p.db)
	if err != nil {
		return nil, err
	}
	r := &roadsReport{Extract: p.roads.Extract, Matched: q.Share(), Breaks: q.Breaks, MeanDistM: float64(q.MeanDistMM()) / 1000}
	c, _, err := p.roads.Coverage(ctx, p.db, time.Time{})
	if err != nil {
		return nil, err
	}
	pieces, err := p.roads.Network.Pieces(hex.DefaultRes)
	if err != nil {
		return nil, err
	}
	for _, whole := range p.roads.Network.Regions(c.Cells(pieces), -1) {
		r.RoadM, r.CoveredM = whole.Road/1000, whole.Covered/1000
	}
	return r, nil
}
