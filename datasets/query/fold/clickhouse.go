package fold

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/roadcomb/roadcomb/datasets/query/clickhouse"
	"github.com/roadcomb/roadcomb/pkg/hex/cells"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// ClickHouse folds on a server that reads the files itself: SQL goes over HTTP, partials come back as an Arrow stream.
type ClickHouse struct {
	// URL of the server's HTTP interface; user and password in it are sent as such (http://user:password@host:8123).
	URL    string
	Source clickhouse.Source
	Client *http.Client // nil means http.DefaultClient
}

// partial is a row of the server's answer.
type partial struct {
	Cell         int64 `lake:"h3"`
	Place        int64 `lake:"place"`
	Observations int64 `lake:"observations"`
	QualitySum   int64 `lake:"quality_sum"`
	BestQuality  int64 `lake:"best_quality"`
	FirstSeen    int64 `lake:"first_seen"`
	LastSeen     int64 `lake:"last_seen"`
	LastReceived int64 `lake:"last_received"`
}

// fold folds the files into w. An answer that breaks off or is no Arrow stream is an error, never a part.
func (c *ClickHouse) fold(ctx context.Context, paths []string, w *partWriter) error {
	src, err := c.Source(paths, "")
	if err != nil {
		return err
	}
	return c.query(ctx, cells.FoldSQL(cells.ClickHouse, src)+cells.FoldOrder+" FORMAT ArrowStream", func(rows []partial) error {
		for _, r := range rows {
			if err := w.add(&cells.Partial{Cell: survey.Cell(r.Cell), Place: int(r.Place), Observations: r.Observations, QualitySum: r.QualitySum, BestQuality: r.BestQuality,
				FirstSeen: r.FirstSeen, LastSeen: r.LastSeen, LastReceived: r.LastReceived}); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *ClickHouse) query(ctx context.Context, q string, fn func([]partial) error) error {
	// The status is decided once all is known; without it a failure half-way comes as 200 and a broken stream.
	body, err := (&clickhouse.Server{URL: c.URL, Client: c.Client}).Post(ctx, q, url.Values{"wait_end_of_query": {"1"}, "output_format_arrow_compression_method": {"lz4_frame"}})
	if refused := (*clickhouse.Error)(nil); errors.As(err, &refused) {
		kind := survey.Unavailable
		if refused.Denied() {
			kind = survey.Unauthorized
		}
		return survey.Errorf(kind, "%w", refused).WithHint("the server must be able to read the files itself")
	} else if err != nil {
		return err
	}
	defer body.Close()
	if err := lake.ScanStream(body, fn); err != nil {
		return fmt.Errorf("ClickHouse: %w", err)
	}
	return nil
}
