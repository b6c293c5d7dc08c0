// Package upload sends footage to a roadcomb server: it scans folders, hashes files, sends what is missing straight to the
// object store, and waits for the verdicts. It resumes: what arrived is not sent again, and what a local cache knows
// unchanged is not hashed again.
//
// It is pure Go over net/http, for every platform. It judges no file; it only reports those it cannot read.
package upload

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Client sends uploads of one contributor. BaseURL and Token are required. It is safe for concurrent use, except that
// two clients must not share a Cache file at the same time.
type Client struct {
	BaseURL  string        // of the server, for example https://map.example.org
	Token    string        // the contributor's bearer token
	HTTP     *http.Client  // nil means one with sane timeouts
	Cache    string        // file that remembers hashes; "" remembers nothing
	Parallel int           // files hashed, and transfers in flight, at a time; 0 means 4
	Patience time.Duration // how long one thing may keep failing before Upload gives up; 0 means 5 minutes
	NoWait   bool          // return when everything has arrived, without waiting for the verdicts

	// Key signs uploads as a registered device; nil sends them unsigned.
	Key ed25519.PrivateKey

	once sync.Once
	http *http.Client
}

// Stage names a part of an upload.
type Stage string

// Stages in their order.
const (
	StageHash    Stage = "hash"    // Done and Total are bytes read
	StageUpload  Stage = "upload"  // Done and Total are bytes sent or found there
	StageProcess Stage = "process" // Done and Total are files with a final verdict
)

// Progress says how far a stage is.
type Progress struct {
	Stage       Stage
	Done, Total int64
	Note        string // what it waits for, when it does
}

// Unreadable is an input that could not be sent: the caller counts it as rejected.
type Unreadable struct {
	Path    string        `json:"path"`
	Reason  survey.Reason `json:"reason"`
	Message string        `json:"message"`
}

// File is a sent file with its verdict.
type File struct {
	Path    string         `json:"path"` // as in the manifest, see Upload
	Local   string         `json:"local,omitempty"`
	SHA256  survey.Hash    `json:"sha256"`
	Bytes   int64          `json:"bytes"`
	Verdict string         `json:"verdict"` // waiting, accepted, rejected
	Reason  survey.Reason  `json:"reason,omitempty"`
	Message string         `json:"message,omitempty"`
	Vars    map[string]any `json:"vars,omitempty"`
	Shared  bool           `json:"shared,omitempty"` // another contributor sent it too
}

// Drive is a drive that was cut from the upload.
type Drive struct {
	ID        survey.DriveID `json:"id"`
	State     string         `json:"state"`
	StartedAt time.Time      `json:"started_at"`
	EndedAt   time.Time      `json:"ended_at"`
	Distance  float64        `json:"distance_m"`
	Frames    struct {
		Total     int64 `json:"total"`
		Published int64 `json:"published"`
		Held      int64 `json:"held"`
		Rejected  int64 `json:"rejected"`
		Cells     int64 `json:"cells"`
	} `json:"frames"`
}

// Result is what became of an upload. The zero Result is that of no files.
type Result struct {
	ID         survey.UploadID    `json:"id,omitempty"`
	State      survey.UploadState `json:"state,omitempty"`
	Resumed    bool               `json:"resumed,omitempty"` // the same files were announced before
	Files      []File             `json:"files"`             // in order of Path
	Unreadable []Unreadable       `json:"unreadable"`
	Drives     []Drive            `json:"drives"`
	Sent       int64              `json:"sent_bytes"`   // over the wire in this run
	Hashed     int64              `json:"hashed_bytes"` // read to be hashed in this run
}

// Upload sends the files at paths and those in folders among them, and waits until each has its final verdict. A
// file's name in the manifest is its path from its folder with the folder's own name before it, slash-separated.
//
// A file that cannot be read does not stop the others; it is in Result.Unreadable. Folders, sockets and other things
// that are no files are passed over, and folders behind symbolic links are not entered. No files at all give the
// Result of none, and no upload is opened. A path that does not exist is NotFound.
//
// onProgress may be nil; it is called from one goroutine at a time. Cancelling ctx, or killing the process, loses
// nothing: the same call continues. The error is of kind Unauthorized for a bad token, Busy when a quota is used up,
// Unavailable when the server stayed away, Internal when the server's jobs failed for good.
func (c *Client) Upload(ctx context.Context, paths []string, opts survey.UploadOptions, onProgress func(Progress)) (Result, error) {
	u := &run{c: c, opts: opts, report: onProgress, stage: StageHash}
	if onProgress == nil {
		u.report = func(Progress) {}
	}
	var res Result
	for try := 0; ; try++ {
		err := u.once(ctx, paths)
		// A file that changed while it was sent is taken as it is now; what else arrived stays.
		if errors.Is(err, errChanged) && try < 3 {
			continue
		}
		if errors.Is(err, errDamaged) {
			continue // once, see run.heal
		}
		res = u.result
		res.Sent, res.Hashed = u.sent.Load(), u.hashed.Load()
		return res, err
	}
}

// RegisterKey makes the key known as a device of the contributor. Doing it again changes nothing.
func (c *Client) RegisterKey(ctx context.Context, k ed25519.PrivateKey, name string) error {
	in := struct {
		Key  string `json:"key"`
		Name string `json:"name"`
	}{hex.EncodeToString(k.Public().(ed25519.PublicKey)), name}
	return c.call(ctx, http.MethodPost, "/v1/me/devices", in, nil, nil)
}

// Status gives the contributor's uploads, newest first, at most 100.
func (c *Client) Status(ctx context.Context) ([]Status, error) {
	var out struct{ Uploads []Status }
	err := c.call(ctx, http.MethodGet, "/v1/uploads", nil, &out, nil)
	return out.Uploads, err
}

// Status is where an upload stands.
type Status struct {
	ID     survey.UploadID    `json:"id"`
	State  survey.UploadState `json:"state"`
	Bytes  int64              `json:"bytes"`
	Counts struct {
		Files    int64 `json:"files"`
		Accepted int64 `json:"accepted"`
		Rejected int64 `json:"rejected"`
		Waiting  int64 `json:"waiting"`
		Held     int64 `json:"held"`
	} `json:"counts"`
	Drives      int       `json:"drives"`
	CreatedAt   time.Time `json:"created_at"`
	CompletedAt time.Time `json:"completed_at,omitzero"`
	SettledAt   time.Time `json:"settled_at,omitzero"`
	Queue       *struct {
		Stage string `json:"stage"`
		Ahead int64  `json:"ahead"`
		Left  int64  `json:"left"`
	} `json:"queue,omitempty"`
	FailedJobs int    `json:"failed_jobs,omitempty"`
	Resumed    bool   `json:"resumed,omitempty"`
	Version    string `json:"version"`
}

func (c *Client) client() *http.Client {
	c.once.Do(func() {
		if c.http = c.HTTP; c.http != nil {
			return
		}
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = 2 * c.parallel()
		t.DisableCompression = true
		t.ResponseHeaderTimeout = 2 * time.Minute // after the body was sent; long polls answer within 30 s
		t.DialContext = (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 15 * time.Second}).DialContext
		t.WriteBufferSize, t.ReadBufferSize = 64<<10, 32<<10
		// A redirect must not carry the token or a file to another host.
		c.http = &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	})
	return c.http
}

func (c *Client) parallel() int {
	if c.Parallel > 0 {
		return c.Parallel
	}
	return 4
}

func (c *Client) patience() time.Duration {
	if c.Patience > 0 {
		return c.Patience
	}
	return 5 * time.Minute
}

// Error is what the server answered, as problem+json.
type Error struct {
	Status    int
	Type      string `json:"type"`
	Title     string `json:"title"`
	Detail    string `json:"detail"`
	Hint      string `json:"hint"`
	RequestID string `json:"request_id"`
	Errors    []struct {
		Location string `json:"location"`
		Message  string `json:"message"`
		Value    string `json:"value"`
	} `json:"errors"`
	retry time.Duration
}

func (e *Error) Error() string {
	s := e.Detail
	if s == "" {
		s = e.Title
	}
	for i, d := range e.Errors {
		if i == 3 {
			s += fmt.Sprintf("; and %d more", len(e.Errors)-i)
			break
		}
		s += fmt.Sprintf("; %s: %s", d.Location, d.Message)
		if d.Value != "" {
			s += fmt.Sprintf(" (%q)", d.Value)
		}
	}
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return fmt.Sprintf("%s [%d]", s, e.Status)
}

func (e *Error) is(problem string) bool { return strings.HasSuffix(e.Type, ":"+problem) }

func kindOf(status int) survey.Kind {
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return survey.Unauthorized
	case status == http.StatusNotFound:
		return survey.NotFound
	case status == http.StatusConflict:
		return survey.Conflict
	case status == http.StatusTooManyRequests:
		return survey.Busy
	case status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout:
		return survey.Unavailable
	case status/100 == 4:
		return survey.Invalid
	}
	return survey.Internal
}

// again reports whether the same request may succeed later.
func again(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status >= 500 && status != http.StatusNotImplemented
}

// backoff waits between tries of one thing.
type backoff struct {
	c     *Client
	note  func(string)
	tries int
	since time.Time // of the first failure
}

// busyPatience is how many times longer than a fault a full server is borne.
const busyPatience = 12

// wait sleeps before the next try, or gives cause back when patience is at its end. retry is what the server asked for.
func (b *backoff) wait(ctx context.Context, cause error, busy bool, retry time.Duration) error {
	if b.since.IsZero() {
		b.since = time.Now()
	}
	d := 250 * time.Millisecond << min(b.tries, 6) // up to 16 s
	d = d/2 + rand.N(d)                            // #nosec G404 -- half to one and a half, so that many clients do not return together
	if retry > 0 {
		d = retry + rand.N(retry/4+time.Second) // #nosec G404 -- only spreads clients in time
	}
	b.tries++
	limit := b.c.patience()
	if busy {
		limit *= busyPatience
	}
	if time.Since(b.since)+d > limit {
		return cause
	}
	if b.note != nil && (b.tries > 2 || d > 2*time.Second) {
		b.note(fmt.Sprintf("%v; next try in %s", cause, d.Round(time.Second)))
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func retryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if n, err := strconv.Atoi(v); err == nil && n > 0 {
		return time.Duration(min(n, 24*3600)) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(0, time.Until(t))
	}
	return 0
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 20

// call asks the server, again and again while that may help. Every operation of the API may be repeated.
func (c *Client) call(ctx context.Context, method, path string, in, out any, note func(string)) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	u, err := url.Parse(c.BaseURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return survey.Errorf(survey.Invalid, "server address %q is not http://host or https://host", c.BaseURL)
	}
	target := strings.TrimSuffix(c.BaseURL, "/") + path
	b := backoff{c: c, note: note}
	for {
		status, h, answer, err := c.try(ctx, method, target, body)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err := b.wait(ctx, survey.Errorf(survey.Unavailable, "the server does not answer: %w", err), false, 0); err != nil {
				return err
			}
			continue
		}
		if status/100 == 2 {
			if out == nil {
				return nil
			}
			if err := json.Unmarshal(answer, out); err != nil {
				return survey.Errorf(survey.Unavailable, "%s %s: the answer is not the JSON expected: %w", method, path, err).WithHint("is %s a roadcomb server?", c.BaseURL)
			}
			return nil
		}
		e := &Error{Status: status, Title: http.StatusText(status), retry: retryAfter(h)}
		if strings.HasPrefix(h.Get("Content-Type"), "application/problem+json") {
			_ = json.Unmarshal(answer, e) // a broken problem still has its status
			e.Status = status
		}
		failed := survey.Errorf(kindOf(status), "%w", e)
		if !again(status) {
			return failed
		}
		if err := b.wait(ctx, failed, status == http.StatusTooManyRequests, e.retry); err != nil {
			return err
		}
	}
}

func (c *Client) try(ctx context.Context, method, target string, body []byte) (int, http.Header, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	r, err := c.client().Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer r.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(r.Body, maxAnswer))
	return r.StatusCode, r.Header, answer, err
}
