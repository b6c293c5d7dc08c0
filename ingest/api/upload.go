package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/sync/errgroup"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

const (
	// SinglePut is the most bytes sent by one PUT; a larger file goes in parts of at least this size.
	SinglePut = 16 << 20
	// maxParts is the most parts of an object (Amazon S3 and versitygw alike).
	maxParts = 10_000
	// partBatch and fileBatch bound what one request for URLs is answered with.
	partBatch, fileBatch = 64, 500
	// rowBatch is how many rows one SQL statement writes.
	rowBatch = 200
	// statParallel is how many questions to the object store are in flight for one request.
	statParallel = 16
)

// Opened is an upload as it is opened, or found open.
type Opened struct {
	Upload
	Resumed bool `json:"resumed,omitempty" doc:"The same files were announced before; what arrived then is not sent again."`
}

// Sending is what one file still needs.
type Sending struct {
	SHA256 survey.Hash `json:"sha256"`
	Bytes  int64       `json:"bytes"`
	Put    string      `json:"put,omitempty" doc:"URL to PUT the whole file to, with exactly its size and the headers given."`
	// Headers are part of the URL's signature.
	Headers   map[string]string `json:"headers,omitempty" doc:"Headers to send with that PUT: the file's SHA-256, by which the object store refuses any other content."`
	InParts   bool              `json:"in_parts,omitempty" doc:"The file goes in parts; ask for it by its hash to get their URLs."`
	PartBytes int64             `json:"part_bytes,omitempty" doc:"Size of each part but the last."`
	Parts     []PartURL         `json:"parts,omitempty" doc:"Parts that have not arrived; there may be more after these."`
	Finish    bool              `json:"finish,omitempty" doc:"All parts have arrived; complete the file."`
}

// PartURL is where one part goes: the bytes [(number-1) × part_bytes, number × part_bytes) of the file.
type PartURL struct {
	Number int    `json:"number"`
	Bytes  int64  `json:"bytes"`
	Put    string `json:"put"`
}

// Missing is a page of what an upload still needs, in order of the files' hashes.
type Missing struct {
	Files        []Sending   `json:"files"`
	Present      int         `json:"present" doc:"Contents of this page that are there already."`
	PresentBytes int64       `json:"present_bytes" doc:"Their size."`
	Next         survey.Hash `json:"next,omitzero" doc:"Give it as after for the next page; absent on the last."`
	Expires      time.Time   `json:"expires" doc:"When the URLs end."`
}

func (s *server) uploadRoutes(api huma.API) {
	driver(s, api, huma.Operation{OperationID: "open-upload", Method: http.MethodPost, Path: "/v1/uploads", Tags: []string{"uploads"}, Summary: "Open an upload",
		Description: "Announces files by path, size and SHA-256. The same set of contents is the same upload, however often it is announced: its id is derived from them.",
		// A file of a manifest takes 100 bytes of JSON at least, so the body's limit bounds what is allocated before the
		// manifest's own check, which also says more than the schema's would.
		MaxBodyBytes: 32 << 20, BodyReadTimeout: time.Minute, SkipValidateBody: true, DefaultStatus: http.StatusCreated}, s.open)
	driver(s, api, huma.Operation{OperationID: "upload-urls", Method: http.MethodPost, Path: "/v1/uploads/{id}/urls", Tags: []string{"uploads"}, Summary: "Get URLs for what is missing",
		Description: "Pages through the files that have not arrived, with a URL of the object store for each; or, asked for files by hash, gives fresh URLs for these, in parts above 16 MiB."}, s.urls)
	driver(s, api, huma.Operation{OperationID: "complete-file", Method: http.MethodPost, Path: "/v1/uploads/{id}/files/complete", Tags: []string{"uploads"},
		Summary: "Complete a file sent in parts", DefaultStatus: http.StatusNoContent}, s.completeFile)
	driver(s, api, huma.Operation{OperationID: "complete-upload", Method: http.MethodPost, Path: "/v1/uploads/{id}/complete", Tags: []string{"uploads"}, Summary: "Complete an upload",
		Description: "Checks that every file is there with its size and queues the upload for processing. If files are missing, the problem " + typeIncomplete + " lists them."}, s.complete)
	s.statusRoutes(api)
}

const typeIncomplete = httpx.TypePrefix + "incomplete"

func (s *server) open(ctx context.Context, c *contributor, in *struct {
	Body Manifest
}) (*struct {
	Status int
	Body   Opened
}, error) {
	m := &in.Body
	if err := m.check(c.limits); err != nil {
		return nil, err
	}
	id := m.id(c.id)
	device, err := s.signer(ctx, c, id, m)
	if err != nil {
		return nil, err
	}
	options, err := json.Marshal(m.Options)
	if err != nil {
		return nil, err
	}
	damaged, err := s.clear(ctx, c, id)
	if err != nil {
		return nil, err
	}
	out := &struct {
		Status int
		Body   Opened
	}{Status: http.StatusCreated}
	err = s.DB.Tx(ctx, func(tx *state.Tx) error {
		var st, owner string
		err := tx.QueryRow(ctx, `SELECT state, contributor_id FROM uploads WHERE id = $1`, string(id)).Scan(&st, &owner)
		out.Status, out.Body.Resumed = http.StatusCreated, false
		switch {
		case err == nil:
			out.Status, out.Body.Resumed = http.StatusOK, true
			switch survey.UploadState(st) {
			case survey.UploadOpen:
				_, err = tx.Exec(ctx, `UPDATE uploads SET options = $2, device_key = $3 WHERE id = $1`, string(id), string(options), device)
			case survey.UploadSettled:
				if damaged > 0 {
					if err = s.admit(ctx, tx, c, 0); err == nil {
						_, err = tx.Exec(ctx, `UPDATE uploads SET state = 'open' WHERE id = $1 AND state = 'settled'`, string(id))
					}
				}
			case survey.UploadAbandoned:
				if err = s.admit(ctx, tx, c, 0); err == nil {
					_, err = tx.Exec(ctx, `UPDATE uploads SET state = 'open', options = $2, created_at = $3, device_key = $4 WHERE id = $1`,
						string(id), string(options), state.Micros(s.Clock()), device)
				}
			}
			return err
		case !errors.Is(err, state.ErrNoRows):
			return err
		}
		return s.insert(ctx, tx, c, id, m, string(options), device)
	})
	if err != nil {
		return nil, err
	}
	u, err := s.upload(ctx, c, id)
	out.Body.Upload = u
	return out, err
}

// ResendFor is how long after it settled an upload may be opened again for files that the store lost or damaged. The
// originals of the others, which tell where those belong, are kept for longer.
const ResendFor = 14 * 24 * time.Hour

// wanted is true of files that are still to be sent: those without a verdict, and those that the store lost or damaged.
const wanted = `(verdict = '' OR verdict = 'rejected' AND reason IN ('unreadable', 'hash_mismatch'))`

// clear removes what the store holds instead of an upload's damaged files, and gives their number. Without it, what lies
// under their names would pass for them by its size. Nothing of value is lost: ingest has read these objects and found
// other bytes than their names say.
func (s *server) clear(ctx context.Context, c *contributor, id survey.UploadID) (int, error) {
	damaged, err := scanPieces(s.DB.Query(ctx, `SELECT DISTINCT f.sha256, f.bytes FROM upload_files f JOIN uploads u ON u.id = f.upload_id
		WHERE u.id = $1 AND u.contributor_id = $2 AND u.state = 'settled' AND u.settled_at > $3 AND `+wanted+` ORDER BY f.sha256`,
		string(id), string(c.id), state.Micros(s.Clock().Add(-ResendFor))))
	if err != nil {
		return 0, err
	}
	for _, p := range damaged {
		if err := s.Store.Remove(ctx, store.Private, store.OriginalKey(c.id, p.hash)); err != nil {
			return 0, err
		}
	}
	return len(damaged), nil
}

func (m *Manifest) id(c survey.ContributorID) survey.UploadID {
	hs := make([]survey.Hash, len(m.Files))
	for i, f := range m.Files {
		hs[i] = f.SHA256
	}
	return survey.NewUploadID(c, hs)
}

func (s *server) insert(ctx context.Context, tx *state.Tx, c *contributor, id survey.UploadID, m *Manifest, options, device string) error {
	var total int64
	for _, f := range m.Files {
		total += f.Bytes
	}
	if err := s.admit(ctx, tx, c, total); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `INSERT INTO uploads (id, contributor_id, state, options, files, bytes, created_at, device_key) VALUES ($1, $2, 'open', $3, $4, $5, $6, $7)`,
		string(id), string(c.id), options, len(m.Files), total, state.Micros(s.Clock()), device); err != nil {
		return err
	}
	for batch := range slices.Chunk(m.Files, rowBatch) {
		args := []any{string(id)}
		for _, f := range batch {
			args = append(args, f.Path, f.SHA256.String(), f.Bytes)
		}
		if _, err := tx.Exec(ctx, `INSERT INTO upload_files (upload_id, path, sha256, bytes) VALUES `+tuples(len(batch), 3, true, 1), args...); err != nil {
			return err
		}
	}
	return nil
}

// admit refuses a new upload of n bytes that the network or the contributor has no room for.
func (s *server) admit(ctx context.Context, tx *state.Tx, c *contributor, n int64) error {
	if c.blocked {
		return httpx.ProblemOf(survey.Errorf(survey.Unauthorized, "the operator takes no more uploads from you").WithHint("ask the operator why")).Typed("blocked")
	}
	jobs, err := state.Jobs(ctx, tx)
	if err != nil {
		return err
	}
	var waiting int64
	for _, j := range jobs {
		waiting += j.Waiting + j.Retrying
	}
	if waiting >= s.Limits.WaitingJobs {
		return httpx.ProblemOf(survey.Errorf(survey.Busy, "the network is behind with its work: %d jobs wait", waiting).
			WithHint("uploads that are open can go on; open new ones later")).RetryAfter(time.Minute)
	}
	u, err := s.usage(ctx, tx, c)
	if err != nil {
		return err
	}
	if u.OpenUploads >= c.limits.OpenUploads {
		return httpx.ProblemOf(survey.Errorf(survey.Busy, "%d of your uploads are open, which is the limit", u.OpenUploads).
			WithHint("complete them first")).Typed("quota").RetryAfter(time.Minute)
	}
	if u.DayBytes > c.limits.DayBytes-n {
		return httpx.ProblemOf(survey.Errorf(survey.Busy, "this upload of %d bytes and the %d of the last 24 hours are over the daily limit of %d", n, u.DayBytes, c.limits.DayBytes).
			WithHint("send the rest tomorrow")).Typed("quota").RetryAfter(time.Hour)
	}
	return nil
}

// tuples writes n rows of w placeholders, each with $1 before them if shared; the first own placeholder is base+1.
func tuples(n, w int, shared bool, base int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('(')
		if shared {
			b.WriteString("$1,")
		}
		for j := range w {
			if j > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, "$%d", base+i*w+j+1)
		}
		b.WriteByte(')')
	}
	return b.String()
}

// piece is one distinct content of an upload.
type piece struct {
	hash survey.Hash
	size int64
	done bool // its files have verdicts that stand; nothing is to be sent
}

func scanPieces(rows state.Rows, err error) ([]piece, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []piece
	for rows.Next() {
		var sum string
		var p piece
		if err := rows.Scan(&sum, &p.size); err != nil {
			return nil, err
		}
		if p.hash, err = survey.ParseHash(sum); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, rows.Err()
}

// pieces lists the contents of the upload $1 on which the condition holds, in order of their hashes; limit is the end of
// the statement.
func (s *server) pieces(ctx context.Context, condition, limit string, args ...any) ([]piece, error) {
	rows, err := s.DB.Query(ctx, `SELECT sha256, bytes, MIN(CASE WHEN `+wanted+` THEN 0 ELSE 1 END) FROM upload_files
		WHERE upload_id = $1 AND `+condition+` GROUP BY sha256, bytes ORDER BY sha256 `+limit, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []piece
	for rows.Next() {
		var sum string
		var done int64
		var p piece
		if err := rows.Scan(&sum, &p.size, &done); err != nil {
			return nil, err
		}
		p.done = done == 1
		if p.hash, err = survey.ParseHash(sum); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, rows.Err()
}

// openUpload gives NotFound for an upload that is not the contributor's, and Conflict for one that is complete.
func (s *server) openUpload(ctx context.Context, c *contributor, id string) error {
	st, err := s.stateOf(ctx, c, id)
	if err != nil {
		return err
	}
	switch st {
	case survey.UploadOpen:
		return nil
	case survey.UploadAbandoned:
		return httpx.ProblemOf(survey.Errorf(survey.Conflict, "upload %s was given up because it was never completed", id).WithHint("open it again with its manifest")).Typed("abandoned")
	}
	return httpx.ProblemOf(survey.Errorf(survey.Conflict, "upload %s is complete; nothing is to be sent", id)).Typed("already-complete")
}

func (s *server) stateOf(ctx context.Context, c *contributor, id string) (survey.UploadState, error) {
	var st string
	err := s.DB.QueryRow(ctx, `SELECT state FROM uploads WHERE id = $1 AND contributor_id = $2`, id, string(c.id)).Scan(&st)
	if errors.Is(err, state.ErrNoRows) {
		return "", noUpload(id)
	}
	return survey.UploadState(st), err
}

func noUpload(id string) error {
	return survey.Errorf(survey.NotFound, "no upload %.40q", id).WithHint("yours are at /v1/uploads")
}

func (s *server) urls(ctx context.Context, c *contributor, in *struct {
	ID   string `path:"id"`
	Body struct {
		After survey.Hash   `json:"after,omitzero" doc:"Where the page starts; leave it out for the first."`
		Limit int           `json:"limit,omitempty" minimum:"1" maximum:"500" doc:"Most files of the page; 256 if left out."`
		Files []survey.Hash `json:"files,omitempty" maxItems:"64" doc:"Give fresh URLs for these files instead of a page."`
	}
}) (*struct{ Body Missing }, error) {
	if err := s.openUpload(ctx, c, in.ID); err != nil {
		return nil, err
	}
	named := len(in.Body.Files) > 0
	limit := in.Body.Limit
	if limit <= 0 || limit > fileBatch {
		limit = 256
	}
	var page []piece
	var err error
	if named {
		args := []any{in.ID}
		for _, h := range in.Body.Files {
			args = append(args, h.String())
		}
		page, err = s.pieces(ctx, `sha256 IN `+tuples(1, len(in.Body.Files), false, 1), ``, args...)
	} else {
		after := ""
		if !in.Body.After.IsZero() {
			after = in.Body.After.String()
		}
		page, err = s.pieces(ctx, `sha256 > $2`, `LIMIT $3`, in.ID, after, limit)
	}
	if err != nil {
		return nil, err
	}
	out := Missing{Files: []Sending{}, Expires: s.Clock().Add(s.Limits.URLLifetime).UTC().Truncate(time.Second)}
	if len(page) == 0 {
		return &struct{ Body Missing }{out}, nil
	}
	ask := page
	if !named {
		if len(page) == limit {
			out.Next = page[len(page)-1].hash
		}
		if ask, err = s.maybeThere(ctx, c, page); err != nil {
			return nil, err
		}
	}
	ask = slices.DeleteFunc(slices.Clone(ask), func(p piece) bool { return p.done })
	there, err := s.present(ctx, c, ask)
	if err != nil {
		return nil, err
	}
	for _, p := range page {
		if p.done {
			there[p.hash] = true
		}
	}
	absent := slices.DeleteFunc(slices.Clone(page), func(p piece) bool { return there[p.hash] })
	out.Present = len(page) - len(absent)
	for _, p := range page {
		if there[p.hash] {
			out.PresentBytes += p.size
		}
	}
	if err := s.offer(ctx, in.ID, absent); err != nil {
		return nil, err
	}
	for _, p := range absent {
		f := Sending{SHA256: p.hash, Bytes: p.size}
		switch key := store.OriginalKey(c.id, p.hash); {
		case p.size <= SinglePut:
			f.Put, err = s.Store.PresignPut(ctx, store.Private, key, p.size, p.hash, s.Limits.URLLifetime)
			f.Headers = map[string]string{store.ChecksumHeader: store.Checksum(p.hash)}
		case !named:
			f.InParts = true
		default:
			err = s.parts(ctx, key, &f)
		}
		if err != nil {
			return nil, err
		}
		out.Files = append(out.Files, f)
	}
	return &struct{ Body Missing }{out}, nil
}

// maybeThere are the pieces for which this contributor was given a URL before. The others cannot be in the store, and
// it is not asked about them.
func (s *server) maybeThere(ctx context.Context, c *contributor, page []piece) ([]piece, error) {
	args := []any{string(c.id)}
	for _, p := range page {
		args = append(args, p.hash.String())
	}
	rows, err := s.DB.Query(ctx, `SELECT DISTINCT f.sha256, f.bytes FROM upload_files f JOIN uploads u ON u.id = f.upload_id
		WHERE u.contributor_id = $1 AND (f.offered_at > 0 OR f.object <> '') AND f.sha256 IN `+tuples(1, len(page), false, 1), args...)
	offered, err := scanPieces(rows, err)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(page), func(p piece) bool { return p.done || !slices.Contains(offered, p) }), nil
}

// present asks the store which pieces are there with their full size.
func (s *server) present(ctx context.Context, c *contributor, ps []piece) (map[survey.Hash]bool, error) {
	found := make([]bool, len(ps))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(statParallel)
	for i, p := range ps {
		g.Go(func() error {
			in, err := s.Store.Stat(ctx, store.Private, store.OriginalKey(c.id, p.hash))
			if survey.KindOf(err) == survey.NotFound {
				return nil
			}
			found[i] = err == nil && in.Bytes == p.size
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	out := make(map[survey.Hash]bool, len(ps))
	for i, p := range ps {
		if found[i] {
			out[p.hash] = true
		}
	}
	return out, nil
}

// offer notes, before URLs are handed out, that they are.
func (s *server) offer(ctx context.Context, id string, ps []piece) error {
	if len(ps) == 0 {
		return nil
	}
	args := []any{id, state.Micros(s.Clock())}
	for _, p := range ps {
		args = append(args, p.hash.String())
	}
	_, err := s.DB.Exec(ctx, `UPDATE upload_files SET offered_at = $2 WHERE upload_id = $1 AND offered_at = 0 AND sha256 IN `+tuples(1, len(ps), false, 2), args...)
	return err
}

// partBytes is the size of each part but the last of an object of n bytes.
func partBytes(n int64) int64 {
	size := int64(SinglePut)
	for size*maxParts < n {
		size *= 2
	}
	return size
}

// partsUnder gives the store's id of the multipart upload under way for key, starting one if there is none.
func (s *server) partsUnder(ctx context.Context, key string, bytes int64) (id string, size int64, err error) {
	err = s.DB.QueryRow(ctx, `SELECT parts_id, part_bytes FROM upload_parts WHERE object = $1 AND bytes = $2`, key, bytes).Scan(&id, &size)
	if !errors.Is(err, state.ErrNoRows) {
		return id, size, err
	}
	started, err := s.Store.StartParts(ctx, store.Private, key, "application/octet-stream")
	if err != nil {
		return "", 0, err
	}
	// Two clients of one contributor may start the same file; the first to write its row wins.
	err = s.DB.Tx(ctx, func(tx *state.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO upload_parts (object, parts_id, part_bytes, bytes, created_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (object) DO NOTHING`, key, started, partBytes(bytes), bytes, state.Micros(s.Clock())); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `SELECT parts_id, part_bytes FROM upload_parts WHERE object = $1`, key).Scan(&id, &size)
	})
	if err != nil || id != started {
		// The store forgets what no row refers to when it is swept; here it can be told at once.
		if aerr := s.Store.AbortParts(context.WithoutCancel(ctx), store.Private, key, started); err == nil && survey.KindOf(aerr) != survey.NotFound {
			err = aerr
		}
	}
	return id, size, err
}

// parts fills in what a large file still needs.
func (s *server) parts(ctx context.Context, key string, f *Sending) error {
	f.InParts = true
	for range 2 {
		id, size, err := s.partsUnder(ctx, key, f.Bytes)
		if err != nil {
			return err
		}
		have, err := s.Store.Parts(ctx, store.Private, key, id)
		if survey.KindOf(err) == survey.NotFound { // swept, or completed and then removed: start anew
			if err := s.forgetParts(ctx, key, id); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		f.PartBytes = size
		arrived := map[int]int64{}
		for _, p := range have {
			arrived[p.Number] = p.Bytes
		}
		for number, off := 1, int64(0); off < f.Bytes; number, off = number+1, off+size {
			n := min(size, f.Bytes-off)
			if arrived[number] == n {
				continue
			}
			if len(f.Parts) == partBatch {
				return nil
			}
			u, err := s.Store.PresignPart(ctx, store.Private, key, id, number, n, s.Limits.URLLifetime)
			if err != nil {
				return err
			}
			f.Parts = append(f.Parts, PartURL{number, n, u})
		}
		f.Finish = len(f.Parts) == 0
		return nil
	}
	return survey.Errorf(survey.Unavailable, "the object store loses the parts of %s", key)
}

func (s *server) forgetParts(ctx context.Context, key, id string) error {
	_, err := s.DB.Exec(ctx, `DELETE FROM upload_parts WHERE object = $1 AND parts_id = $2`, key, id)
	return err
}

func (s *server) completeFile(ctx context.Context, c *contributor, in *struct {
	ID   string `path:"id"`
	Body struct {
		SHA256 survey.Hash `json:"sha256"`
	}
}) (*none, error) {
	if err := s.openUpload(ctx, c, in.ID); err != nil {
		return nil, err
	}
	p := piece{hash: in.Body.SHA256}
	err := s.DB.QueryRow(ctx, `SELECT bytes FROM upload_files WHERE upload_id = $1 AND sha256 = $2 LIMIT 1`, in.ID, p.hash.String()).Scan(&p.size)
	if errors.Is(err, state.ErrNoRows) {
		return nil, survey.Errorf(survey.NotFound, "upload %s announces no file %s", in.ID, p.hash)
	}
	if err != nil {
		return nil, err
	}
	key := store.OriginalKey(c.id, p.hash)
	there, err := s.present(ctx, c, []piece{p})
	if err != nil {
		return nil, err
	}
	var id string
	var size int64
	err = s.DB.QueryRow(ctx, `SELECT parts_id, part_bytes FROM upload_parts WHERE object = $1`, key).Scan(&id, &size)
	none := errors.Is(err, state.ErrNoRows)
	if err != nil && !none {
		return nil, err
	}
	if there[p.hash] {
		if none {
			return nil, nil
		}
		return nil, s.forgetParts(ctx, key, id)
	}
	incomplete := httpx.ProblemOf(survey.Errorf(survey.Conflict, "file %s is not complete", p.hash).WithHint("ask for the URLs of its missing parts")).Typed("incomplete")
	if none {
		return nil, incomplete
	}
	have, err := s.Store.Parts(ctx, store.Private, key, id)
	if survey.KindOf(err) == survey.NotFound {
		return nil, incomplete
	}
	if err != nil {
		return nil, err
	}
	var sum int64
	for i, part := range have {
		if part.Number != i+1 || part.Bytes != min(size, p.size-sum) {
			return nil, incomplete
		}
		sum += part.Bytes
	}
	if sum != p.size {
		return nil, incomplete
	}
	if err := s.Store.FinishParts(ctx, store.Private, key, id, have); err != nil {
		return nil, err
	}
	return nil, s.forgetParts(ctx, key, id)
}

func (s *server) complete(ctx context.Context, c *contributor, in *struct {
	ID string `path:"id"`
}) (*struct{ Body Upload }, error) {
	st, err := s.stateOf(ctx, c, in.ID)
	if err != nil {
		return nil, err
	}
	id := survey.UploadID(in.ID)
	if st == survey.UploadOpen {
		if err := s.completeOpen(ctx, c, id); err != nil {
			return nil, err
		}
	} else if st == survey.UploadAbandoned {
		return nil, s.openUpload(ctx, c, in.ID)
	}
	u, err := s.upload(ctx, c, id)
	return &struct{ Body Upload }{u}, err
}

func (s *server) completeOpen(ctx context.Context, c *contributor, id survey.UploadID) error {
	all, err := s.pieces(ctx, `1 = 1`, ``, string(id))
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(p piece) bool { return p.done })
	there, err := s.present(ctx, c, all)
	if err != nil {
		return err
	}
	if len(there) < len(all) {
		var ds []httpx.Detail
		for _, p := range all {
			if !there[p.hash] {
				ds = append(ds, httpx.Detail{Location: "sha256", Message: "the file has not arrived whole", Value: p.hash.String()})
			}
		}
		return httpx.ProblemOf(survey.Errorf(survey.Conflict, "%d of %d files have not arrived", len(all)-len(there), len(all)).
			WithHint("ask for URLs and send them")).Typed("incomplete").With(ds...)
	}
	return s.DB.Tx(ctx, func(tx *state.Tx) error {
		var before int64
		if err := tx.QueryRow(ctx, `SELECT completed_at FROM uploads WHERE id = $1`, string(id)).Scan(&before); err != nil {
			return err
		}
		set, job := `completed_at = $2`, state.IngestArgs{UploadID: id}
		if before > 0 { // opened again for damaged files
			set, job.Resent = `resent_at = $2`, state.Micros(s.Clock())
		}
		n, err := tx.Exec(ctx, `UPDATE uploads SET state = 'uploaded', `+set+` WHERE id = $1 AND state = 'open'`, string(id), state.Micros(s.Clock()))
		if err != nil || n == 0 { // another request completed it
			return err
		}
		for batch := range slices.Chunk(all, rowBatch) {
			args := []any{string(id)}
			for _, p := range batch {
				args = append(args, p.hash.String(), store.OriginalKey(c.id, p.hash))
			}
			// Both engines call the columns of VALUES column1, column2, ….
			if _, err := tx.Exec(ctx, `UPDATE upload_files SET object = v.column2 FROM (VALUES `+tuples(len(batch), 2, false, 1)+`) AS v
				WHERE upload_id = $1 AND sha256 = v.column1`, args...); err != nil {
				return err
			}
		}
		return tx.Enqueue(ctx, job)
	})
}
