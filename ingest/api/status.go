package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Upload is where an upload stands.
type Upload struct {
	ID          survey.UploadID      `json:"id"`
	State       survey.UploadState   `json:"state" enum:"open,uploaded,ingested,settled,abandoned" doc:"open: files are arriving. uploaded: waits for ingest. ingested: drives are being looked at. settled: every file has its final verdict. abandoned: never completed."`
	Options     survey.UploadOptions `json:"options"`
	Signed      bool                 `json:"signed" doc:"A registered device signed it."`
	Bytes       int64                `json:"bytes"`
	Counts      Counts               `json:"counts"`
	Drives      int                  `json:"drives"`
	CreatedAt   time.Time            `json:"created_at"`
	CompletedAt time.Time            `json:"completed_at,omitzero"`
	IngestedAt  time.Time            `json:"ingested_at,omitzero"`
	SettledAt   time.Time            `json:"settled_at,omitzero"`
	AgeSeconds  int64                `json:"age_seconds,omitempty" doc:"Since it was completed, while it is being worked on."`
	Queue       *Queue               `json:"queue,omitempty" doc:"Its place among the work, while it waits."`
	FailedJobs  int                  `json:"failed_jobs,omitempty" doc:"Jobs that used up their attempts; the operator must look."`
	Version     string               `json:"version" doc:"Changes when anything above but the age does; give it as since to wait for a change."`
}

// Counts says how many files are where: files = accepted + rejected + waiting, always. Held are among the rejected.
type Counts struct {
	Files    int64 `json:"files"`
	Accepted int64 `json:"accepted"`
	Rejected int64 `json:"rejected"`
	Waiting  int64 `json:"waiting"`
	Held     int64 `json:"held" doc:"Rejected for now because privacy could not be assured; may yet be published."`
}

// Queue is a place among the work.
type Queue struct {
	Stage string `json:"stage" enum:"ingest,vision,index"`
	Ahead int64  `json:"ahead" doc:"Uploads (ingest) or batches of frames (vision) that come before."`
	Left  int64  `json:"left" doc:"Of this upload's own batches, how many are not done (vision)."`
}

// File is one file of an upload and its verdict.
type File struct {
	survey.UploadFile
	Kind    string         `json:"kind,omitempty" doc:"image, track or film."`
	Verdict string         `json:"verdict" enum:"waiting,accepted,rejected"`
	Reason  survey.Reason  `json:"reason,omitempty" doc:"One of a closed list."`
	Message string         `json:"message,omitempty"`
	Vars    map[string]any `json:"vars,omitempty" doc:"The numbers of the message."`
	Shared  bool           `json:"shared,omitempty" doc:"Another contributor sent the same bytes; one of you is paid for them."`
}

// Page is how every list is asked for.
type Page struct {
	After string `query:"after" doc:"The next of the page before."`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

// cursor and fromCursor keep keys opaque, so that they may change.
func cursor(key string) string { return base64.RawURLEncoding.EncodeToString([]byte(key)) }

func (p Page) key() (string, error) {
	b, err := base64.RawURLEncoding.DecodeString(p.After)
	if err != nil {
		return "", survey.Errorf(survey.Invalid, "after %.80q is not the next of a page", p.After)
	}
	return string(b), nil
}

// keyPair is a cursor of a number and an id.
func (p Page) keyPair(first int64) (int64, string, error) {
	k, err := p.key()
	if err != nil || k == "" {
		return first, "", err
	}
	n, id, ok := strings.Cut(k, "/")
	v, perr := strconv.ParseInt(n, 10, 64)
	if !ok || perr != nil {
		return 0, "", survey.Errorf(survey.Invalid, "after %.80q is not the next of a page", p.After)
	}
	return v, id, nil
}

// ByID names one of the contributor's things.
type ByID struct {
	ID string `path:"id" doc:"32 hex digits."`
}

type uploadList struct {
	Body struct {
		Uploads []Upload `json:"uploads"`
		Next    string   `json:"next,omitempty"`
	}
}

type fileList struct {
	Body struct {
		Files []File `json:"files"`
		Next  string `json:"next,omitempty"`
	}
}

func (s *server) statusRoutes(api huma.API) {
	driver(s, api, huma.Operation{OperationID: "list-uploads", Method: http.MethodGet, Path: "/v1/uploads", Tags: []string{"uploads"}, Summary: "My uploads, newest first"}, s.listUploads)
	driver(s, api, huma.Operation{OperationID: "get-upload", Method: http.MethodGet, Path: "/v1/uploads/{id}", Tags: []string{"uploads"}, Summary: "Where an upload stands",
		Description: "With wait, the answer comes when the upload's version differs from since (where only its place in the queue moved, within ten seconds), or after that many seconds."}, s.getUpload)
	driver(s, api, huma.Operation{OperationID: "list-files", Method: http.MethodGet, Path: "/v1/uploads/{id}/files", Tags: []string{"uploads"}, Summary: "The verdict on each file, in order of path"}, s.listFiles)
}

const uploadColumns = `u.id, u.state, u.options, u.device_key, u.bytes, u.files, u.created_at, u.completed_at, u.ingested_at, u.settled_at,
	(SELECT COUNT(*) FROM drives d WHERE d.upload_id = u.id),
	(SELECT COUNT(*) FROM upload_files f WHERE f.upload_id = u.id AND f.verdict = 'accepted'),
	(SELECT COUNT(*) FROM upload_files f WHERE f.upload_id = u.id AND f.verdict = 'rejected'),
	(SELECT COUNT(*) FROM upload_files f WHERE f.upload_id = u.id AND f.verdict = 'rejected'
		AND f.reason IN ('no_model', 'model_mismatch', 'detector_failed', 'detector_late', 'poisoned'))`

func (s *server) scanUpload(row state.Row) (u Upload, err error) {
	var id, st, opts, device string
	var created, completed, ingested, settled int64
	if err := row.Scan(&id, &st, &opts, &device, &u.Bytes, &u.Counts.Files, &created, &completed, &ingested, &settled,
		&u.Drives, &u.Counts.Accepted, &u.Counts.Rejected, &u.Counts.Held); err != nil {
		return u, err
	}
	u.ID, u.State, u.Signed = survey.UploadID(id), survey.UploadState(st), device != ""
	if err := json.Unmarshal([]byte(opts), &u.Options); err != nil {
		return u, fmt.Errorf("options of upload %s: %w", id, err)
	}
	u.Counts.Waiting = u.Counts.Files - u.Counts.Accepted - u.Counts.Rejected
	u.CreatedAt, u.CompletedAt, u.IngestedAt, u.SettledAt = state.Time(created), state.Time(completed), state.Time(ingested), state.Time(settled)
	return u, nil
}

// upload reads one upload of the contributor with its place in the queue.
func (s *server) upload(ctx context.Context, c *contributor, id survey.UploadID) (Upload, error) {
	u, err := s.scanUpload(s.DB.QueryRow(ctx, `SELECT `+uploadColumns+` FROM uploads u WHERE u.id = $1 AND u.contributor_id = $2`, string(id), string(c.id)))
	if errors.Is(err, state.ErrNoRows) {
		return u, noUpload(string(id))
	}
	if err != nil {
		return u, err
	}
	return u, s.place(ctx, &u)
}

// place fills in the queue, the failed jobs, the age and the version.
func (s *server) place(ctx context.Context, u *Upload) error {
	switch u.State {
	case survey.UploadUploaded:
		u.Queue = &Queue{Stage: "ingest"}
		if err := s.DB.QueryRow(ctx, `SELECT COUNT(*) FROM uploads WHERE state = 'uploaded' AND (completed_at < $1 OR completed_at = $1 AND id < $2)`,
			state.Micros(u.CompletedAt), string(u.ID)).Scan(&u.Queue.Ahead); err != nil {
			return err
		}
	case survey.UploadIngested:
		u.Queue = &Queue{Stage: "vision"}
		if err := s.DB.QueryRow(ctx, `SELECT
			COALESCE(SUM(CASE WHEN d.upload_id = $1 THEN 1 ELSE 0 END), 0),
			COALESCE(SUM(CASE WHEN d.upload_id <> $1 AND u.ingested_at < $2 THEN 1 ELSE 0 END), 0)
			FROM drive_parts p JOIN drives d ON d.id = p.drive_id JOIN uploads u ON u.id = d.upload_id WHERE p.done_run < 0 AND u.state = 'ingested'`,
			string(u.ID), state.Micros(u.IngestedAt)).Scan(&u.Queue.Left, &u.Queue.Ahead); err != nil {
			return err
		}
		if u.Queue.Left == 0 {
			u.Queue.Stage, u.Queue.Ahead = "index", 0
		}
	}
	if u.Queue != nil {
		u.AgeSeconds = int64(s.Clock().Sub(u.CompletedAt) / time.Second)
		if err := s.DB.QueryRow(ctx, `SELECT COUNT(*) FROM river_job WHERE state = 'discarded' AND
			(kind = 'ingest' AND args ->> 'upload_id' = $1 OR kind IN ('vision', 'index') AND args ->> 'drive_id' IN (SELECT id FROM drives WHERE upload_id = $1))`,
			string(u.ID)).Scan(&u.FailedJobs); err != nil {
			return err
		}
	}
	q := Queue{}
	if u.Queue != nil {
		q = *u.Queue
	}
	// The first half changes when it gets on, the second also with its place in the queue; see newer.
	u.Version = survey.HashOf(fmt.Appendf(nil, "%s %v %d %d %d", u.State, u.Counts, q.Left, u.Drives, u.FailedJobs)).String()[:8] +
		survey.HashOf(fmt.Appendf(nil, "%v", q)).String()[:8]
	return nil
}

func (s *server) listUploads(ctx context.Context, c *contributor, in *Page) (*uploadList, error) {
	at, id, err := in.keyPair(1 << 62)
	if err != nil {
		return nil, err
	}
	rows, err := s.DB.Query(ctx, `SELECT `+uploadColumns+` FROM uploads u WHERE u.contributor_id = $1
		AND (u.created_at < $2 OR u.created_at = $2 AND u.id > $3) ORDER BY u.created_at DESC, u.id LIMIT $4`, string(c.id), at, id, in.Limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := &uploadList{}
	out.Body.Uploads = []Upload{}
	for rows.Next() {
		u, err := s.scanUpload(rows)
		if err != nil {
			return nil, err
		}
		out.Body.Uploads = append(out.Body.Uploads, u)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	rows.Close()
	us := out.Body.Uploads
	for i := range us {
		if err := s.place(ctx, &us[i]); err != nil {
			return nil, err
		}
	}
	if n := len(us); n == in.Limit {
		out.Body.Next = cursor(fmt.Sprintf("%d/%s", state.Micros(us[n-1].CreatedAt), us[n-1].ID))
	}
	return out, nil
}

// A long poll looks after pollLeast whether its upload got on, or after pollEvery for each one that waits on this server, so
// that all of them together look two hundred times a second, in memory, however many drivers wait.
const pollLeast, pollEvery = 100 * time.Millisecond, 5 * time.Millisecond

// newsEvery is how often the database is asked for a waiting upload that did not get on: its place in the queue changes with
// every batch that anybody's drive has done, and nobody is helped by hearing each.
const newsEvery = 10 * time.Second

func (s *server) getUpload(ctx context.Context, c *contributor, in *struct {
	ByID
	Wait  int    `query:"wait" minimum:"0" maximum:"60" doc:"Seconds to wait for a change; the server may answer earlier."`
	Since string `query:"since" maxLength:"16" doc:"The version known."`
}) (*struct{ Body Upload }, error) {
	id := survey.UploadID(in.ID)
	end := time.Now().Add(min(time.Duration(in.Wait)*time.Second, s.Limits.MaxWait))
	if in.Wait > 0 {
		s.waiting.Add(1)
		defer s.waiting.Add(-1)
	}
	for first := true; ; first = false {
		var m mark
		var err error
		if in.Wait > 0 { // before the upload is read, so that no change falls between
			if m, err = s.waits.look(ctx, id); err != nil {
				return nil, err
			}
		}
		u, err := s.upload(ctx, c, id)
		if err != nil {
			return nil, err
		}
		now := time.Now()
		moved := u.Version != in.Since
		if first && moved && !newer(u.Version, in.Since) {
			moved = false // only its place in the queue: the client heard of it a moment ago
		}
		if in.Wait == 0 || moved || !now.Before(end) {
			return &struct{ Body Upload }{u}, nil
		}
		for news := now.Add(newsEvery); ; {
			left := min(time.Until(end), time.Until(news))
			if left <= 0 {
				break
			}
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(min(max(pollLeast, time.Duration(s.waiting.Load())*pollEvery), left+time.Millisecond)):
			}
			is, err := s.waits.look(ctx, id)
			if err != nil {
				return nil, err
			}
			if is != m || is == (mark{}) { // it got on, or is not among those that wait for work
				break
			}
		}
	}
}

// newer reports whether an upload got on between two versions; else only its place in the queue changed.
func newer(version, since string) bool {
	return len(since) != len(version) || version[:len(version)/2] != since[:len(since)/2]
}

func (s *server) listFiles(ctx context.Context, c *contributor, in *struct {
	ByID
	Page
	Verdict string `query:"verdict" enum:"waiting,accepted,rejected" doc:"Only these."`
}) (*fileList, error) {
	if _, err := s.stateOf(ctx, c, in.ID); err != nil {
		return nil, err
	}
	after, err := in.key()
	if err != nil {
		return nil, err
	}
	want, all := in.Verdict, 0
	if want == "waiting" {
		want = ""
	} else if want == "" {
		all = 1
	}
	rows, err := s.DB.Query(ctx, `SELECT f.path, f.sha256, f.bytes, f.kind, f.verdict, f.reason, f.message, f.vars,
		EXISTS (SELECT 1 FROM upload_files o JOIN uploads ou ON ou.id = o.upload_id
			WHERE o.sha256 = f.sha256 AND o.object <> '' AND ou.contributor_id <> $2)
		FROM upload_files f WHERE f.upload_id = $1 AND f.path > $3 AND (f.verdict = $4 OR $5 = 1) ORDER BY f.path LIMIT $6`,
		in.ID, string(c.id), after, want, all, in.Limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := &fileList{}
	out.Body.Files = []File{}
	for rows.Next() {
		var f File
		var sum, reason, vars string
		if err := rows.Scan(&f.Path, &sum, &f.Bytes, &f.Kind, &f.Verdict, &reason, &f.Message, &vars, &f.Shared); err != nil {
			return nil, err
		}
		if f.SHA256, err = survey.ParseHash(sum); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(vars), &f.Vars); err != nil {
			return nil, fmt.Errorf("verdict on file %s of upload %s: %w", sum, in.ID, err)
		}
		f.Reason = survey.Reason(reason)
		if f.Verdict == "" {
			f.Verdict = "waiting"
		}
		out.Body.Files = append(out.Body.Files, f)
	}
	if n := len(out.Body.Files); n == in.Limit {
		out.Body.Next = cursor(out.Body.Files[n-1].Path)
	}
	return out, rows.Err()
}
