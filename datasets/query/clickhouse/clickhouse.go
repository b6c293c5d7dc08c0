// Package clickhouse asks a ClickHouse server over HTTP: for folds, and for analysts' SQL over the datasets' files, which
// the server reads itself. Answers come as Arrow streams.
//
// Analysts' SQL is checked before it runs, by the server's own parser: one SELECT, over the datasets and what the query
// itself defines, with functions that only compute. It refuses everything else: other tables, functions that read files,
// addresses or the server's state, settings, other statements.
package clickhouse

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Server is a ClickHouse server's HTTP interface. It is safe for concurrent use.
type Server struct {
	// URL of it; user and password in it are sent as such (http://user:password@host:8123).
	URL    string
	Client *http.Client // nil means http.DefaultClient
}

// Error is what the server says of a query it refused or could not finish.
type Error struct {
	Status string // of HTTP; "" when the answer broke off
	Code   int    // ClickHouse's own; 0 when it gave none
	Text   string
}

func (e *Error) Error() string {
	return strings.TrimSpace("ClickHouse: " + strings.TrimSpace(e.Status+": "+e.Text))
}

// Denied tells whether the server refused the user or the password.
func (e *Error) Denied() bool {
	return strings.HasPrefix(e.Status, "401") || strings.HasPrefix(e.Status, "403") || e.Code == 516
}

var exceptionText = regexp.MustCompile(`(?s)Code: (\d+)\. (?:DB::Exception: )?(.*)`)

// exception finds the server's exception in the text of an answer; nil when there is none.
func exception(status, text string) *Error {
	m := exceptionText.FindStringSubmatch(text)
	if m == nil {
		return nil
	}
	code, _ := strconv.Atoi(m[1])
	return &Error{status, code, strings.TrimSpace(m[2])}
}

// Post sends SQL with settings and gives the body of the answer, which the caller closes. What the server refuses is an
// *Error; a server that cannot be reached is Unavailable.
func (s *Server) Post(ctx context.Context, sql string, settings url.Values) (io.ReadCloser, error) {
	u, err := url.Parse(s.URL)
	if err != nil || u.Host == "" {
		return nil, survey.Errorf(survey.Invalid, "ClickHouse address %q is no URL", s.URL).WithHint("give http://host:8123")
	}
	user := u.User
	u.User = nil
	v := u.Query()
	for k, x := range settings {
		v[k] = x
	}
	u.RawQuery = v.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(sql))
	if err != nil {
		return nil, err
	}
	if user != nil {
		pass, _ := user.Password()
		req.SetBasicAuth(user.Username(), pass)
	}
	client := s.Client
	if client == nil {
		client = http.DefaultClient
	}
	res, err := client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, survey.Errorf(survey.Unavailable, "ClickHouse: %w", err).WithHint("is the server up, and is this the address of its HTTP interface?")
	}
	if res.StatusCode != http.StatusOK {
		defer res.Body.Close()
		b, _ := io.ReadAll(io.LimitReader(res.Body, 4000))
		if e := exception(res.Status, string(b)); e != nil {
			return nil, e
		}
		return nil, &Error{Status: res.Status, Text: strings.TrimSpace(string(b))}
	}
	return res.Body, nil
}

// text is a short answer as text, in the format that the SQL names.
func (s *Server) text(ctx context.Context, sql string, settings url.Values) (string, error) {
	body, err := s.Post(ctx, sql, settings)
	if err != nil {
		return "", err
	}
	defer body.Close()
	const most = 16 << 20
	b, err := io.ReadAll(io.LimitReader(body, most+1))
	switch {
	case err != nil:
		return "", survey.Errorf(survey.Unavailable, "ClickHouse: %w", err)
	case len(b) > most:
		return "", survey.Errorf(survey.Invalid, "ClickHouse: the answer is larger than %d bytes", most)
	}
	return string(b), nil
}

// kill ends a query of ours on the server, which notices a closed connection only between blocks.
func (s *Server) kill(id string) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if body, err := s.Post(ctx, "KILL QUERY WHERE query_id = "+Literal(id)+" ASYNC", nil); err == nil {
		body.Close()
	} // a server that does not let us kill ends it by its time limit
}

func newID() string {
	var raw [12]byte
	rand.Read(raw[:]) // never fails (crypto/rand)
	return "roadcomb-" + hex.EncodeToString(raw[:])
}

// Source is the table function that reads Parquet files of paths, all with the columns of structure ("" lets the server
// find them).
type Source func(paths []string, structure string) (string, error)

// Files reads paths as the server's machine sees them.
func Files(paths []string, structure string) (string, error) {
	glob, err := oneOf(paths)
	return "file(" + Literal(glob) + ", 'Parquet'" + withStructure(structure) + ")", err
}

// Objects reads keys of a bucket of the object store at endpoint (http(s)://host:port), as the server reaches it.
func Objects(endpoint, bucket, key, secret string) Source {
	return func(paths []string, structure string) (string, error) {
		glob, err := oneOf(paths)
		u := strings.TrimSuffix(endpoint, "/") + "/" + bucket + "/" + glob
		return fmt.Sprintf("s3(%s, %s, %s, 'Parquet'%s)", Literal(u), Literal(key), Literal(secret), withStructure(structure)), err
	}
}

func withStructure(s string) string {
	if s == "" {
		return ""
	}
	return ", " + Literal(s)
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

// Literal is a string as ClickHouse's SQL writes it.
func Literal(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
