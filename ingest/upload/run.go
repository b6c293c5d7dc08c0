package upload

import (
	"bytes"
	"context"
	"crypto/md5" // #nosec G501 -- Content-MD5
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// errChanged says that a file is no longer what was hashed.
var errChanged = errors.New("the file changed while it was sent")

// errDamaged says that the store holds something else than what was sent.
var errDamaged = errors.New("the store damaged a file")

// run is one call of Upload.
type run struct {
	c      *Client
	opts   survey.UploadOptions
	result Result

	mu     sync.Mutex // guards the fields below, and report
	report func(Progress)
	stage  Stage
	total  int64
	done   int64
	note   string

	sent, hashed atomic.Int64

	doubted map[string]bool // files, by their absolute paths, that the cache must not speak for
	healed  bool            // what the store had damaged was sent again
}

// distrust has a file hashed anew whatever the cache knows of it.
func (u *run) distrust(f found) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.doubted == nil {
		u.doubted = map[string]bool{}
	}
	u.doubted[f.local] = true
}

// begin starts a stage.
func (u *run) begin(s Stage, total int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.stage, u.done, u.total, u.note = s, 0, total, ""
	u.report(Progress{s, 0, total, ""})
}

func (u *run) advance(n int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.done += n
	if n > 0 {
		u.note = ""
	}
	u.report(Progress{u.stage, u.done, u.total, u.note})
}

func (u *run) tell(note string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.note = note
	u.report(Progress{u.stage, u.done, u.total, note})
}

func (u *run) call(ctx context.Context, method, path string, in, out any) error {
	return u.c.call(ctx, method, path, in, out, u.tell)
}

func (u *run) once(ctx context.Context, paths []string) error {
	u.result = Result{Files: []File{}, Unreadable: []Unreadable{}, Drives: []Drive{}}
	var me struct {
		ID     survey.ContributorID
		Limits limits
	}
	if err := u.call(ctx, http.MethodGet, "/v1/me", nil, &me); err != nil {
		return err
	}
	files, bad, err := scan(paths, me.Limits)
	if err != nil {
		return err
	}
	files, more, err := u.hash(ctx, files)
	if err != nil {
		return err
	}
	u.result.Unreadable = append(append(u.result.Unreadable, bad...), more...)
	if len(files) == 0 {
		return nil
	}
	opened, err := u.open(ctx, me.ID, files)
	if err != nil {
		return err
	}
	u.result.ID, u.result.State, u.result.Resumed = opened.ID, opened.State, opened.Resumed
	if opened.State == survey.UploadOpen {
		if err := u.send(ctx, files); err != nil {
			return err
		}
	}
	if !u.c.NoWait {
		if err := u.settle(ctx, opened); err != nil {
			return err
		}
	}
	if err := u.outcome(ctx, files); err != nil {
		return err
	}
	return u.heal(files)
}

// heal asks for another round, once, when the store lost or damaged files that arrived whole: opened again, the upload
// takes them, and they join the drives that they were taken on. They are hashed again first.
func (u *run) heal(files []found) error {
	if u.healed || u.c.NoWait {
		return nil
	}
	bad := map[string]bool{}
	for _, f := range u.result.Files {
		bad[f.Path] = f.Verdict == "rejected" && f.Reason.Resend()
	}
	for _, f := range files {
		if bad[f.name] {
			u.healed = true
			u.distrust(f)
		}
	}
	if u.healed {
		return errDamaged
	}
	return nil
}

// hash reads every file that the cache does not know. Files that cannot be read come back apart.
func (u *run) hash(ctx context.Context, files []found) (good []found, bad []Unreadable, err error) {
	known, err := openCache(u.c.Cache)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, known.close()) }()
	var total int64
	for _, f := range files {
		total += f.size
	}
	u.begin(StageHash, total)
	faults := make([]error, len(files))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(u.c.parallel())
	for i := range files {
		g.Go(func() error {
			f := &files[i]
			var ok bool
			if f.hash, ok = known.get(*f); ok && !u.doubted[f.local] {
				u.advance(f.size)
				return nil
			}
			if faults[i] = u.hashFile(gctx, f); faults[i] != nil {
				return gctx.Err()
			}
			return known.put(*f, time.Now())
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	var s scanner
	for i, f := range files {
		if faults[i] != nil {
			s.reject(f.name, survey.ReasonUnreadable, faults[i])
		} else {
			good = append(good, f)
		}
	}
	return good, s.bad, nil
}

// hashFile reads f and takes its size and time as they are at the end, which must be as they were at the start.
func (u *run) hashFile(ctx context.Context, f *found) error {
	r, err := os.Open(f.local)
	if err != nil {
		return err
	}
	defer r.Close()
	h := sha256.New()
	for try := 0; ; try++ {
		before, err := r.Stat()
		if err != nil {
			return err
		}
		if _, err := r.Seek(0, io.SeekStart); err != nil {
			return err
		}
		h.Reset()
		n, err := io.Copy(h, counting{ctx, r, func(n int64) { u.hashed.Add(n); u.advance(n) }})
		if err != nil {
			return err
		}
		after, err := r.Stat()
		if err != nil {
			return err
		}
		if n == after.Size() && after.Size() == before.Size() && after.ModTime().Equal(before.ModTime()) {
			h.Sum(f.hash[:0])
			f.size, f.mtime = n, after.ModTime()
			return nil
		}
		if try == 2 {
			return errors.New("the file is being written to")
		}
	}
}

type counting struct {
	ctx context.Context
	r   io.Reader
	add func(int64)
}

func (c counting) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	c.add(int64(n))
	return n, err
}

func (u *run) open(ctx context.Context, me survey.ContributorID, files []found) (Status, error) {
	m := struct {
		Files     []survey.UploadFile  `json:"files"`
		Options   survey.UploadOptions `json:"options"`
		Signature *Signature           `json:"signature,omitempty"`
	}{Options: u.opts}
	var hashes []survey.Hash
	for _, f := range files {
		hashes = append(hashes, f.hash)
		m.Files = append(m.Files, survey.UploadFile{Path: f.name, Bytes: f.size, SHA256: f.hash})
	}
	if u.c.Key != nil {
		sig := Sign(u.c.Key, me, survey.NewUploadID(me, hashes))
		m.Signature = &sig
	}
	var st Status
	err := u.call(ctx, http.MethodPost, "/v1/uploads", m, &st)
	return st, err
}

// sending is a file that the server wants.
type sending struct {
	SHA256    survey.Hash       `json:"sha256"`
	Bytes     int64             `json:"bytes"`
	Put       string            `json:"put"`
	Headers   map[string]string `json:"headers"`
	InParts   bool              `json:"in_parts"`
	PartBytes int64             `json:"part_bytes"`
	Parts     []struct {
		Number int    `json:"number"`
		Bytes  int64  `json:"bytes"`
		Put    string `json:"put"`
	} `json:"parts"`
	Finish bool `json:"finish"`
}

type missing struct {
	Files        []sending   `json:"files"`
	PresentBytes int64       `json:"present_bytes"`
	Next         survey.Hash `json:"next"`
}

// sender sends the files of one upload.
type sender struct {
	*run
	path  string                // of the upload in the API
	files map[survey.Hash]found // one of each content
	slots chan []byte           // one for each transfer in flight, with its buffer
}

// send transfers what is missing and completes the upload.
func (u *run) send(ctx context.Context, files []found) error {
	s := &sender{run: u, path: "/v1/uploads/" + url.PathEscape(string(u.result.ID)), files: map[survey.Hash]found{}, slots: make(chan []byte, u.c.parallel())}
	for range u.c.parallel() {
		s.slots <- nil
	}
	var total int64
	for _, f := range files {
		if _, twice := s.files[f.hash]; !twice {
			s.files[f.hash] = f
			total += f.size
		}
	}
	for try := 0; ; try++ {
		u.begin(StageUpload, total)
		if err := s.pages(ctx); err != nil {
			return err
		}
		err := u.call(ctx, http.MethodPost, s.path+"/complete", nil, nil)
		var e *Error
		if errors.As(err, &e) && e.is("incomplete") && try < 3 {
			continue // the store lost something; send that again
		}
		if err == nil {
			u.result.State = survey.UploadUploaded
		}
		return err
	}
}

// pages asks page by page what is missing and sends it, asking for the next page while the last is under way.
func (s *sender) pages(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(4 * s.c.parallel())
	var after survey.Hash
	for {
		var page missing
		in := struct {
			After survey.Hash `json:"after,omitzero"`
		}{after}
		if err := s.call(gctx, http.MethodPost, s.path+"/urls", in, &page); err != nil {
			if cause := g.Wait(); cause != nil { // a transfer failed first and ended the context
				return cause
			}
			return err
		}
		s.advance(page.PresentBytes)
		for _, f := range page.Files {
			g.Go(func() error { return s.file(gctx, f) })
		}
		if page.Next.IsZero() {
			return g.Wait()
		}
		after = page.Next
	}
}

func (s *sender) file(ctx context.Context, f sending) error {
	local, ok := s.files[f.SHA256]
	if !ok || local.size != f.Bytes {
		return survey.Errorf(survey.Internal, "the server asks for %s of %d bytes, which was not announced", f.SHA256, f.Bytes)
	}
	r, err := os.Open(local.local)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", errChanged, local.name, err)
	}
	defer r.Close()
	if f.InParts {
		return s.inParts(ctx, local, r)
	}
	return s.put(ctx, local, r, f.Put, f.Headers, 0, f.Bytes, func(ctx context.Context) (string, error) {
		fresh, err := s.fresh(ctx, local.hash)
		if err != nil || fresh == nil {
			return "", err
		}
		return fresh.Put, nil
	})
}

// fresh asks anew what one file needs; nil when it has arrived.
func (s *sender) fresh(ctx context.Context, h survey.Hash) (*sending, error) {
	var m missing
	in := struct {
		Files []survey.Hash `json:"files"`
	}{[]survey.Hash{h}}
	if err := s.call(ctx, http.MethodPost, s.path+"/urls", in, &m); err != nil || len(m.Files) == 0 {
		return nil, err
	}
	return &m.Files[0], nil
}

// inParts sends a large file: as often as needed, the parts that have not arrived, then the word that it is whole.
func (s *sender) inParts(ctx context.Context, local found, r *os.File) error {
	for refused := 0; ; {
		f, err := s.fresh(ctx, local.hash)
		if err != nil || f == nil {
			return err
		}
		if f.Finish {
			in := struct {
				SHA256 survey.Hash `json:"sha256"`
			}{local.hash}
			err := s.call(ctx, http.MethodPost, s.path+"/files/complete", in, nil)
			var e *Error
			if errors.As(err, &e) && e.is("incomplete") && refused < 3 {
				refused++
				continue
			}
			return err
		}
		if f.PartBytes <= 0 {
			return survey.Errorf(survey.Internal, "the server sends %q in parts of %d bytes", local.name, f.PartBytes)
		}
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(s.c.parallel())
		for _, p := range f.Parts {
			g.Go(func() error {
				off := int64(p.Number-1) * f.PartBytes
				return s.put(gctx, local, r, p.Put, nil, off, p.Bytes, func(ctx context.Context) (string, error) {
					now, err := s.fresh(ctx, local.hash)
					if err != nil || now == nil {
						return "", err
					}
					for _, q := range now.Parts {
						if q.Number == p.Number {
							return q.Put, nil
						}
					}
					return "", nil
				})
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
	}
}

// put sends n bytes of r from off to the URL with the headers that belong to it, again while that may help. renew gives
// a fresh URL when the old one has ended; "" when nothing is to be sent any more.
func (s *sender) put(ctx context.Context, local found, r *os.File, target string, headers map[string]string, off, n int64, renew func(context.Context) (string, error)) error {
	var buf []byte
	select {
	case buf = <-s.slots:
		defer func() { s.slots <- buf }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if int64(cap(buf)) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if _, err := r.ReadAt(buf, off); err != nil && (err != io.EOF || n > 0) {
		return fmt.Errorf("%w: %s: %w", errChanged, local.name, err)
	}
	if err := unchanged(r, local); err != nil {
		return err
	}
	// A server may take a body that was cut short for a whole one (versitygw does, v1.8.0). With its digest ahead, none
	// does. A whole file has that of its content in the headers of its address.
	if len(headers) == 0 {
		digest := md5.Sum(buf) // #nosec G401 -- Content-MD5 is what S3 checks a part by; SHA-256 is checked afterwards
		headers = map[string]string{"Content-MD5": base64.StdEncoding.EncodeToString(digest[:])}
	}
	b := backoff{c: s.c, note: s.tell}
	for denied := 0; ; {
		m := &meter{add: s.advance}
		status, h, text, err := s.putOnce(ctx, target, buf, headers, m)
		sent := m.stop()
		s.sent.Add(sent)
		if err == nil && status/100 == 2 {
			s.advance(n - sent)
			return nil
		}
		s.advance(-sent)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch {
		case err != nil:
			err = survey.Errorf(survey.Unavailable, "send %q: %w", local.name, err)
		case denied < 3 && (status == http.StatusForbidden || status == http.StatusNotFound):
			// The URL has ended, or the parts it belongs to have.
			denied++
			if target, err = renew(ctx); err != nil || target == "" {
				return err
			}
			continue
		default:
			err = survey.Errorf(kindOf(status), "send %q: the object store answers %d %s", local.name, status, text)
			if text == "BadDigest" {
				// Damaged on its way, or not what was hashed: file systems exist that keep the time of a file that changes.
				if off == 0 && n == local.size && survey.HashOf(buf) != local.hash {
					s.distrust(local)
					return fmt.Errorf("%w: %s", errChanged, local.name)
				}
			} else if !again(status) {
				return err
			}
		}
		if err := b.wait(ctx, err, status == http.StatusTooManyRequests, retryAfter(h)); err != nil {
			return err
		}
		if time.Since(b.since) > time.Minute {
			if target, err = renew(ctx); err != nil || target == "" {
				return err
			}
		}
	}
}

// meter counts what a transfer has read of its body, until it is stopped: the transport may go on reading after it has
// answered.
type meter struct {
	mu      sync.Mutex
	n       int64
	stopped bool
	add     func(int64)
}

func (m *meter) count(k int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.stopped {
		m.n += k
		m.add(k)
	}
}

// again starts the count anew.
func (m *meter) again() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.stopped {
		m.add(-m.n)
		m.n = 0
	}
}

func (m *meter) stop() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stopped = true
	return m.n
}

// unchanged compares the open file, and what its name leads to now, with what was hashed.
func unchanged(r *os.File, f found) error {
	st, err := r.Stat()
	if err != nil {
		return err
	}
	if st.Size() != f.size || !st.ModTime().Equal(f.mtime) {
		return fmt.Errorf("%w: %s", errChanged, f.name)
	}
	return nil
}

func (s *sender) putOnce(ctx context.Context, target string, body []byte, headers map[string]string, m *meter) (int, http.Header, string, error) {
	read := func() (io.ReadCloser, error) {
		return io.NopCloser(counting{ctx, bytes.NewReader(body), m.count}), nil
	}
	rc, _ := read()
	if len(body) == 0 {
		rc = http.NoBody
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, target, rc)
	if err != nil {
		return 0, nil, "", err
	}
	req.ContentLength = int64(len(body))
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	if len(body) > 0 {
		req.GetBody = func() (io.ReadCloser, error) { // a connection that had gone stale
			m.again()
			return read()
		}
	}
	r, err := s.c.client().Do(req)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) { // the URL is a credential
			err = ue.Err
		}
		return 0, nil, "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(io.LimitReader(r.Body, 4<<10))
	return r.StatusCode, r.Header, s3Code(string(b)), err
}

// s3Code is the error code in an S3 answer.
func s3Code(xml string) string {
	_, rest, ok := strings.Cut(xml, "<Code>")
	if !ok {
		return ""
	}
	code, _, _ := strings.Cut(rest, "</Code>")
	return code
}

// settle waits until every file has its final verdict.
func (u *run) settle(ctx context.Context, st Status) error {
	u.begin(StageProcess, st.Counts.Files)
	path := "/v1/uploads/" + url.PathEscape(string(st.ID))
	st.Version = ""
	for {
		if err := u.call(ctx, http.MethodGet, path+"?wait=20&since="+url.QueryEscape(st.Version), nil, &st); err != nil {
			return err
		}
		u.result.State = st.State
		u.mu.Lock()
		done := st.Counts.Accepted + st.Counts.Rejected - u.done
		u.mu.Unlock()
		u.advance(done)
		switch {
		case st.State == survey.UploadSettled:
			return nil
		case st.State == survey.UploadAbandoned:
			return survey.Errorf(survey.Conflict, "upload %s was given up by the server", st.ID).WithHint("run again")
		case st.FailedJobs > 0:
			return survey.Errorf(survey.Internal, "%d jobs of upload %s failed for good", st.FailedJobs, st.ID).WithHint("the operator must look; the files are safe")
		case st.Queue != nil && st.Queue.Ahead > 0:
			u.tell(fmt.Sprintf("waiting for %s, %d before this", st.Queue.Stage, st.Queue.Ahead))
		}
		st.Queue, st.FailedJobs = nil, 0
	}
}

// outcome reads the verdicts and drives.
func (u *run) outcome(ctx context.Context, files []found) error {
	local := make(map[string]string, len(files))
	for _, f := range files {
		local[f.name] = f.local
	}
	base := "/v1/uploads/" + url.PathEscape(string(u.result.ID)) + "/files?limit=1000"
	for after := ""; ; {
		var page struct {
			Files []File
			Next  string
		}
		if err := u.call(ctx, http.MethodGet, base+"&after="+after, nil, &page); err != nil {
			return err
		}
		for _, f := range page.Files {
			f.Local = local[f.Path]
			u.result.Files = append(u.result.Files, f)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	for after := ""; ; {
		var page struct {
			Drives []Drive
			Next   string
		}
		if err := u.call(ctx, http.MethodGet, "/v1/drives?limit=1000&upload="+url.QueryEscape(string(u.result.ID))+"&after="+after, nil, &page); err != nil {
			return err
		}
		u.result.Drives = append(u.result.Drives, page.Drives...)
		if after = page.Next; after == "" {
			return nil
		}
	}
}
