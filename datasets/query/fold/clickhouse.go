package fold

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/roadcomb/roadcomb/pkg/hex/cells"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// ClickHouse folds on a server that reads the files itself: SQL goes over HTTP, partials come back as an Arrow stream.
type ClickHouse struct {
	// URL of the server's HTTP interface; user and password in it are sent as such (http://user:password@host:8123).
	URL string
	// Source is the table function that reads files: FileSource or S3Source.
	Source func(paths []string) (string, error)
	Client *http.Client // nil means http.DefaultClient
}

// FileSource reads paths as the server's machine sees them.
func FileSource(paths []string) (string, error) {
	glob, err := oneOf(paths)
	return "file(" + chLiteral(glob) + ", 'Parquet')", err
}

// S3Source reads keys of a bucket of the object store at endpoint (http(s)://host:port), as the server reaches it.
func S3Source(endpoint, bucket, key, secret string) func(paths []string) (string, error) {
	return func(paths []string) (string, error) {
		glob, err := oneOf(paths)
		u := strings.TrimSuffix(endpoint, "/") + "/" + bucket + "/" + glob
		return fmt.Sprintf("s3(%s, %s, %s, 'Parquet')", chLiteral(u), chLiteral(key), chLiteral(secret)), err
	}
}

// oneOf is a pattern that names exactly the paths.
func oneOf(paths []string) (string, error) {
	for _, p := range paths {
		if strings.ContainsAny(p, "{},*?'\\") {
			return "", survey.Errorf(survey.Unsupported, "ClickHouse cannot be given the file %q", p).WithHint("its name has a character that means something else there")
		}
	}
	if len(paths) == 1 {
		return paths[0], nil
	}
	dir := path.Dir(paths[0])
	for _, p := range paths {
		for !strings.HasPrefix(p, dir+"/") && dir != "." && dir != "/" {
			dir = path.Dir(dir)
		}
	}
	if dir == "." || dir == "/" {
		return "{" + strings.Join(paths, ",") + "}", nil
	}
	rest := make([]string, len(paths))
	for i, p := range paths {
		rest[i] = strings.TrimPrefix(p, dir+"/")
	}
	return dir + "/{" + strings.Join(rest, ",") + "}", nil
}

func chLiteral(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
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
	src, err := c.Source(paths)
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
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" {
		return survey.Errorf(survey.Invalid, "ClickHouse address %q is no URL", c.URL).WithHint("give http://host:8123")
	}
	user := u.User
	u.User = nil
	v := u.Query()
	// The status is decided once all is known; without it a failure half-way comes as 200 and a broken stream.
	v.Set("wait_end_of_query", "1")
	v.Set("output_format_arrow_compression_method", "lz4_frame")
	u.RawQuery = v.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(q))
	if err != nil {
		return err
	}
	if user != nil {
		pass, _ := user.Password()
		req.SetBasicAuth(user.Username(), pass)
	}
	client := c.Client
	if client == nil {
		client = http.DefaultClient
	}
	res, err := client.Do(req)
	if err != nil {
		return survey.Errorf(survey.Unavailable, "ClickHouse: %w", err).WithHint("is the server up, and is this the address of its HTTP interface?")
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(io.LimitReader(res.Body, 2000))
		kind := survey.Unavailable
		if res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden {
			kind = survey.Unauthorized
		}
		return survey.Errorf(kind, "ClickHouse: %s: %s", res.Status, strings.TrimSpace(string(b))).WithHint("the server must be able to read the files itself")
	}
	if err := lake.ScanStream(res.Body, fn); err != nil {
		return fmt.Errorf("ClickHouse: %w", err)
	}
	return nil
}
