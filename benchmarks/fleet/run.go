package fleet

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/roadcomb/roadcomb/ingest/upload"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Account is a contributor the plan's drives are sent by.
type Account struct {
	ID    survey.ContributorID `json:"id"`
	Token string               `json:"token"`
}

// Target is the network that a plan is driven through.
type Target struct {
	Server string // base URL; this machine only
	// Account gives the plan's contributor i; it is asked before each of their drives, also side by side.
	Account  func(ctx context.Context, i int) (Account, error)
	Parallel int     // drives sent and waited for at a time; 0 means 16
	Rate     float64 // drives begun a second; 0 means as fast as Parallel allows
	Dir      string  // where frames lie while they are sent; "" means the system's folder of temporary files
	// Ahead renders all drives before the first begins, as cards have been recorded before they are uploaded, so that the
	// processors' time for it is not taken from the network while it is measured; else each is rendered when it begins.
	Ahead    bool
	Patience time.Duration // see upload.Client; 0 means its default
	// Crash, when not nil, is asked before each try of a drive for a channel that, when closed, ends the uploader in
	// the middle; it then starts again, as a driver's app would.
	Crash func() <-chan struct{}
	// Outcome is told of each drive that ended; nil tells nobody. Calls do not overlap.
	Outcome func(Outcome)
	// HTTP carries the requests; nil means a transport of its own.
	HTTP http.RoundTripper
}

// Outcome is what became of a drive.
type Outcome struct {
	Drive    string          `json:"drive"`
	Upload   survey.UploadID `json:"upload"`
	Seconds  float64         `json:"seconds"` // from the first byte to the last verdict
	Accepted int             `json:"accepted"`
	Rejected int             `json:"rejected"`
	Right    int             `json:"right"` // verdicts that the truth allows
	Wrong    []Wrong         `json:"wrong,omitempty"`
	Findings []string        `json:"findings,omitempty"`
	Missed   string          `json:"missed,omitempty"` // a finding that should be there and is not
	Err      string          `json:"error,omitempty"`
}

// Wrong is a verdict that the truth does not allow.
type Wrong struct {
	Frame string   `json:"frame"`
	Got   string   `json:"got"`
	Want  []string `json:"want"`
}

// Summary is what a run of a plan came to.
type Summary struct {
	Drives   int            `json:"drives"`
	Failed   int            `json:"failed"` // drives without an outcome
	Frames   int            `json:"frames"`
	Accepted int            `json:"accepted"`
	Rejected map[string]int `json:"rejected"` // by reason
	Right    int            `json:"right"`
	Wrong    int            `json:"wrong"`
	Attacks  map[string]int `json:"attacks,omitempty"` // drives of each
	Found    int            `json:"found"`             // attacks that should be found and were
	Missed   int            `json:"missed"`
	Seconds  float64        `json:"seconds"`
	Bytes    int64          `json:"sent_bytes"`
	Drive    Quantiles      `json:"drive_ms"` // from the first request to the last verdict
	API      Quantiles      `json:"api_ms"`   // of all requests to the API that do not wait on purpose
	Routes   []RouteStats   `json:"routes"`
	Errors   []string       `json:"errors,omitempty"` // the first few
}

// CheckServer refuses a server that is not on this machine: simulated load is not for others.
func CheckServer(base string) error {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return survey.Errorf(survey.Invalid, "server %q is not http://host:port", base)
	}
	host := u.Hostname()
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return survey.Errorf(survey.Invalid, "server %s is not on this machine", base).WithHint("a simulated fleet drives against loopback only; run it beside the server")
	}
	return nil
}

// Known are accounts that are there already, by the plan's numbers.
func Known(accounts []Account) func(context.Context, int) (Account, error) {
	return func(_ context.Context, i int) (Account, error) {
		if i >= len(accounts) {
			return Account{}, survey.Errorf(survey.Invalid, "the plan needs contributor %d, there are %d", i+1, len(accounts))
		}
		return accounts[i], nil
	}
}

// Registered makes a contributor with the operator's token when the first of their drives begins, so that a fleet of
// thousands sets out at once, and sets where they are paid.
func Registered(server, operator string, seed uint64) func(context.Context, int) (Account, error) {
	type entry struct {
		mu   sync.Mutex
		a    Account
		done bool
	}
	var all sync.Map
	return func(ctx context.Context, i int) (Account, error) {
		v, _ := all.LoadOrStore(i, &entry{})
		e := v.(*entry)
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.done {
			return e.a, nil
		}
		err := post(ctx, http.MethodPost, server+"/v1/contributors", operator, map[string]string{"handle": fmt.Sprintf("simulated %d", i)}, &e.a)
		if err == nil {
			err = post(ctx, http.MethodPut, server+"/v1/me/payout", e.a.Token, map[string]string{"address": Payout(seed, i)}, nil)
		}
		if err != nil {
			return Account{}, fmt.Errorf("register contributor %d: %w", i, err)
		}
		e.done = true
		return e.a, nil
	}
}

// Payout is the address of contributor i.
func Payout(seed uint64, i int) string { return fmt.Sprintf("0x%024x%016x", seed, i+1) }

func post(ctx context.Context, method, url, token string, in, out any) error {
	b, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return survey.Errorf(survey.Unavailable, "%w", err)
	}
	defer r.Body.Close()
	if r.StatusCode/100 != 2 {
		b, _ := io.ReadAll(io.LimitReader(r.Body, 1<<10))
		kind := survey.Internal
		if r.StatusCode == http.StatusUnauthorized {
			kind = survey.Unauthorized
		}
		return survey.Errorf(kind, "%s: %s", r.Status, strings.TrimSpace(string(b)))
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(r.Body).Decode(out)
}

// Run drives the plan. The summary is also given with an error, as far as it came; a drive that fails is counted and
// does not stop the others.
func Run(ctx context.Context, p *Plan, t Target) (Summary, error) {
	s := newSession(p, t)
	if err := CheckServer(t.Server); err != nil {
		return s.sum, err
	}
	if len(p.First) > 0 { // what is wrong with the accounts is said once, not for each drive
		if _, err := t.Account(ctx, p.First[0].Account); err != nil {
			return s.sum, err
		}
	}
	if t.Ahead {
		if err := s.render(ctx); err != nil {
			return s.sum, err
		}
		defer os.RemoveAll(s.ready)
	}
	began := time.Now()
	for _, part := range [][]Drive{p.First, p.Second} {
		if err := s.all(ctx, part); err != nil {
			return s.summary(began), err
		}
	}
	return s.summary(began), nil
}

// session is a run in progress.
type session struct {
	p     *Plan
	t     Target
	rec   *recorder
	ready string // folder of drives that were rendered ahead

	mu    sync.Mutex
	sum   Summary
	times []time.Duration
}

func newSession(p *Plan, t Target) *session {
	if t.Parallel <= 0 {
		t.Parallel = 16
	}
	if t.HTTP == nil {
		tr := http.DefaultTransport.(*http.Transport).Clone()
		tr.MaxIdleConnsPerHost, tr.MaxIdleConns = 2*t.Parallel, 0
		tr.ResponseHeaderTimeout = 2 * time.Minute
		t.HTTP = tr
	}
	return &session{p: p, t: t, rec: &recorder{next: t.HTTP}, sum: Summary{Rejected: map[string]int{}, Attacks: map[string]int{}}}
}

func (s *session) all(ctx context.Context, drives []Drive) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(s.t.Parallel)
	began := time.Now()
	for i := range drives {
		if s.t.Rate > 0 {
			select {
			case <-gctx.Done():
			case <-time.After(time.Until(began.Add(time.Duration(float64(i) / s.t.Rate * float64(time.Second))))):
			}
		}
		if gctx.Err() != nil {
			break
		}
		g.Go(func() error {
			o := s.one(gctx, &drives[i])
			if gctx.Err() != nil {
				return gctx.Err()
			}
			s.add(&drives[i], o)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// render writes all drives.
func (s *session) render(ctx context.Context) error {
	dir, err := os.MkdirTemp(s.t.Dir, "drives-")
	if err != nil {
		return survey.Errorf(survey.Unavailable, "folder of drives: %w", err)
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, part := range [][]Drive{s.p.First, s.p.Second} {
		for i := range part {
			g.Go(func() error {
				if gctx.Err() != nil {
					return gctx.Err()
				}
				return part[i].Write(filepath.Join(dir, part[i].ID))
			})
		}
	}
	if err := g.Wait(); err != nil {
		os.RemoveAll(dir)
		return err
	}
	s.ready = dir
	return nil
}

// one sends a drive and compares what became of it with the truth.
func (s *session) one(ctx context.Context, d *Drive) Outcome {
	o := Outcome{Drive: d.ID}
	dir := filepath.Join(s.ready, d.ID) // its name is part of the files' names
	if s.ready == "" {
		tmp, err := os.MkdirTemp(s.t.Dir, "drive-")
		if err != nil {
			o.Err = err.Error()
			return o
		}
		defer os.RemoveAll(tmp)
		dir = filepath.Join(tmp, d.ID)
		if err := d.Write(dir); err != nil {
			o.Err = err.Error()
			return o
		}
	}
	account, err := s.t.Account(ctx, d.Account)
	if err != nil {
		o.Err = err.Error()
		return o
	}
	began := time.Now()
	res, err := s.upload(ctx, account, d, dir)
	o.Seconds, o.Upload = time.Since(began).Seconds(), res.ID
	if err != nil {
		o.Err = err.Error()
		return o
	}
	want := make(map[string][]string, len(d.Frames))
	for _, f := range d.Frames {
		want[f.Name] = f.Expect
	}
	for _, f := range res.Files {
		got := string(f.Reason)
		if f.Verdict == accepted {
			got = accepted
			o.Accepted++
		} else {
			o.Rejected++
			if got == "" {
				got = f.Verdict
			}
		}
		name := filepath.Base(f.Path)
		if slices.Contains(want[name], got) {
			o.Right++
		} else {
			o.Wrong = append(o.Wrong, Wrong{name, got, want[name]})
		}
		delete(want, name)
		s.mu.Lock()
		if got != accepted {
			s.sum.Rejected[got]++
		}
		s.mu.Unlock()
	}
	for name, w := range want { // never told of
		o.Wrong = append(o.Wrong, Wrong{name, "nothing", w})
	}
	if o.Findings, err = s.findings(ctx, account, res); err != nil {
		o.Err = err.Error()
	}
	if d.Finding != "" && !slices.Contains(o.Findings, d.Finding) {
		o.Missed = d.Finding
	}
	s.mu.Lock()
	s.sum.Bytes += res.Sent
	s.mu.Unlock()
	return o
}

// upload sends a folder with the drivers' own client, starting again when it is told to crash.
func (s *session) upload(ctx context.Context, a Account, d *Drive, dir string) (upload.Result, error) {
	c := &upload.Client{BaseURL: s.t.Server, Token: a.Token, Patience: s.t.Patience, Parallel: 4,
		HTTP: &http.Client{Transport: s.rec, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	for {
		run, stop := context.WithCancel(ctx)
		var crash <-chan struct{}
		if s.t.Crash != nil {
			crash = s.t.Crash()
		}
		over := make(chan struct{})
		go func() {
			select {
			case <-crash:
				stop()
			case <-over:
			}
		}()
		res, err := c.Upload(run, []string{dir}, survey.UploadOptions{TrimMeters: d.Trim, Client: "roadcomb simulate"}, nil)
		crashed := run.Err() != nil && ctx.Err() == nil
		close(over)
		stop()
		if err == nil || !crashed {
			return res, err
		}
	}
}

// Write renders the drive's files into dir, which is made.
func (d *Drive) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return survey.Errorf(survey.Unavailable, "folder of a drive: %w", err)
	}
	for _, f := range d.Frames {
		if err := os.WriteFile(filepath.Join(dir, f.Name), d.Render(f), 0o600); err != nil {
			return survey.Errorf(survey.Unavailable, "write a frame: %w", err).WithHint("check the free space of the disk")
		}
	}
	return nil
}

func (s *session) findings(ctx context.Context, a Account, res upload.Result) ([]string, error) {
	var out []string
	for _, d := range res.Drives {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.t.Server+"/v1/drives/"+string(d.ID)+"?limit=1", nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+a.Token)
		for try := 0; ; try++ {
			var body struct{ Findings []struct{ Kind string } }
			r, err := s.rec.RoundTrip(req)
			if err == nil {
				if r.StatusCode == http.StatusOK {
					err = json.NewDecoder(r.Body).Decode(&body)
				} else {
					err = errors.New(r.Status)
				}
				r.Body.Close()
			}
			if err == nil {
				for _, f := range body.Findings {
					out = append(out, f.Kind)
				}
				break
			}
			if try == 20 || ctx.Err() != nil {
				return nil, fmt.Errorf("findings of drive %s: %w", d.ID, err)
			}
			time.Sleep(time.Duration(min(try+1, 10)) * 200 * time.Millisecond)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func (s *session) add(d *Drive, o Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := &s.sum
	m.Drives++
	m.Frames += len(d.Frames)
	m.Accepted += o.Accepted
	m.Right += o.Right
	m.Wrong += len(o.Wrong)
	if d.Attack != "" {
		m.Attacks[d.Attack]++
	}
	switch {
	case o.Missed != "":
		m.Missed++
	case d.Finding != "" && o.Err == "":
		m.Found++
	}
	if o.Err != "" {
		m.Failed++
		if len(m.Errors) < 10 {
			m.Errors = append(m.Errors, d.ID+": "+o.Err)
		}
	}
	for _, w := range o.Wrong {
		if len(m.Errors) < 10 {
			m.Errors = append(m.Errors, fmt.Sprintf("%s/%s is %s, should be %s", d.ID, w.Frame, w.Got, strings.Join(w.Want, " or ")))
		}
	}
	s.times = append(s.times, time.Duration(o.Seconds*float64(time.Second)))
	if s.t.Outcome != nil {
		s.t.Outcome(o)
	}
}

func (s *session) summary(began time.Time) Summary {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sum.Seconds = time.Since(began).Seconds()
	s.sum.Drive = quantiles(s.times)
	s.sum.API, s.sum.Routes = s.rec.api(), s.rec.stats()
	return s.sum
}

// WriteTruth writes the plan, a JSON object in a line for each drive.
func (p *Plan) WriteTruth(path string) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return survey.Errorf(survey.Unavailable, "truth: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriter(f)
	e := json.NewEncoder(w)
	for _, part := range [][]Drive{p.First, p.Second} {
		for i := range part {
			if err := e.Encode(&part[i]); err != nil {
				return err
			}
		}
	}
	return w.Flush()
}
