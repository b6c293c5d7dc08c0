package upload_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/ingest/api"
	"github.com/roadcomb/roadcomb/ingest/upload"
	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

const (
	alice survey.ContributorID = "a11ce000000000000000000000000000"
	token                      = "alice-token"
)

// network is a server with the real store and state; ingest is played by settleAll.
type network struct {
	db    *state.DB
	store *store.Store
	srv   *httptest.Server
	front atomic.Pointer[func(http.ResponseWriter, *http.Request) bool] // answers instead of the API when it gives true
}

func newNetwork(t testing.TB, l api.Limits) *network {
	t.Helper()
	n := &network{db: testkit.DB(t), store: testkit.S3(t)}
	if err := api.EnsureContributor(t.Context(), n.db, alice, "alice", token); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	api.Register(mux, httpx.NewAPI(mux, "test", "1"), api.Deps{DB: n.db, Store: n.store, Limits: l})
	var log strings.Builder
	h := httpx.Wrap(mux, httpx.Options{Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError}))})
	n.srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f := n.front.Load(); f != nil && (*f)(w, r) {
			return
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		n.srv.Close()
		if t.Failed() && log.Len() > 0 {
			t.Log(log.String())
		}
	})
	return n
}

func (n *network) client(t testing.TB) *upload.Client {
	c := &upload.Client{BaseURL: n.srv.URL, Token: token, HTTP: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}}
	t.Cleanup(c.HTTP.CloseIdleConnections)
	return c
}

// settleAll gives every waiting file of uploaded uploads the verdict that judge chooses, as ingest and the stages after
// it would.
func (n *network) settleAll(ctx context.Context, judge func(path string) survey.Verdict) error {
	rows, err := n.db.Query(ctx, `SELECT f.upload_id, f.path FROM upload_files f JOIN uploads u ON u.id = f.upload_id WHERE u.state = 'uploaded' ORDER BY 1, 2`)
	if err != nil {
		return err
	}
	defer rows.Close()
	files := map[survey.UploadID][]string{}
	for rows.Next() {
		var id, p string
		if err := rows.Scan(&id, &p); err != nil {
			return err
		}
		files[survey.UploadID(id)] = append(files[survey.UploadID(id)], p)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	rows.Close()
	for id, ps := range files {
		if err := n.db.Tx(ctx, func(tx *state.Tx) error {
			for _, p := range ps {
				if err := state.SetVerdict(ctx, tx, id, p, judge(p)); err != nil {
					return err
				}
			}
			if _, err := tx.Exec(ctx, `UPDATE uploads SET state = 'ingested', ingested_at = 1 WHERE id = $1`, string(id)); err != nil {
				return err
			}
			_, err := state.SettleUpload(ctx, tx, id, time.Now())
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// settler plays the stages until the test ends.
func (n *network) settler(t testing.TB, judge func(string) survey.Verdict) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if err := n.settleAll(ctx, judge); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
}

func accept(string) survey.Verdict { return survey.Accept() }

func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	old := time.Now().Add(-time.Hour)
	for name, body := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(p, old, old); err != nil {
			t.Fatal(err)
		}
	}
}

// stored reads what the private bucket holds for a body.
func (n *network) stored(t testing.TB, body string) bool {
	t.Helper()
	got, _, err := n.store.Get(t.Context(), store.Private, store.OriginalKey(alice, survey.HashOf([]byte(body))), 1<<30)
	if survey.KindOf(err) == survey.NotFound && err != nil {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != body {
		t.Logf("stored %d bytes differ from the %d sent", len(got), len(body))
	}
	return string(got) == body
}

func TestAFolderArrivesWholeAndEveryFileGetsItsVerdict(t *testing.T) {
	n := newNetwork(t, api.Limits{})
	n.settler(t, func(p string) survey.Verdict {
		if strings.HasSuffix(p, ".txt") {
			return survey.Reject(survey.ReasonUnknownType, "", map[string]any{"bytes": 5})
		}
		return survey.Accept()
	})
	dir := filepath.Join(t.TempDir(), "drive")
	files := map[string]string{"a.jpg": "aaa", "sub/b.jpg": "bbb", "sub/notes.txt": "notes", "empty.jpg": "", "new\nline.jpg": "nl", "twin.jpg": "aaa"}
	write(t, dir, files)
	if err := os.Symlink("/nowhere", filepath.Join(dir, "dangling.jpg")); err != nil {
		t.Fatal(err)
	}
	var stages []upload.Stage
	res, err := n.client(t).Upload(t.Context(), []string{dir}, survey.UploadOptions{Device: "cam"}, func(p upload.Progress) {
		if len(stages) == 0 || stages[len(stages)-1] != p.Stage {
			stages = append(stages, p.Stage)
		}
		if p.Done < 0 || p.Done > p.Total {
			t.Errorf("progress %+v", p)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if res.State != survey.UploadSettled || len(res.Files) != len(files) || !slices.Equal(stages, []upload.Stage{upload.StageHash, upload.StageUpload, upload.StageProcess}) {
		t.Fatalf("%+v %v", res, stages)
	}
	for name, body := range files {
		i := slices.IndexFunc(res.Files, func(f upload.File) bool { return f.Path == "drive/"+name })
		if i < 0 || res.Files[i].SHA256 != survey.HashOf([]byte(body)) || res.Files[i].Local != filepath.Join(dir, name) {
			t.Fatalf("%q: %+v", name, res.Files)
		}
		if f := res.Files[i]; (f.Verdict == "accepted") != !strings.HasSuffix(name, ".txt") || f.Verdict == "rejected" && (f.Reason != survey.ReasonUnknownType || f.Message == "" || f.Vars["bytes"] != 5.0) {
			t.Fatalf("%+v", f)
		}
		if !n.stored(t, body) {
			t.Fatalf("%q is not in the store", name)
		}
	}
	if len(res.Unreadable) != 1 || res.Unreadable[0].Path != "drive/dangling.jpg" || res.Unreadable[0].Reason != survey.ReasonUnreadable {
		t.Fatalf("%+v", res.Unreadable)
	}
	// The order of the files is that of their names, whatever the folder gave.
	if !slices.IsSortedFunc(res.Files, func(a, b upload.File) int { return strings.Compare(a.Path, b.Path) }) {
		t.Fatal(res.Files)
	}
	again, err := n.client(t).Upload(t.Context(), []string{dir}, survey.UploadOptions{}, nil)
	if err != nil || again.ID != res.ID || again.Sent != 0 || !again.Resumed {
		t.Fatalf("the same folder again: %+v %v", again, err)
	}
	var uploads int
	if err := n.db.QueryRow(t.Context(), `SELECT COUNT(*) FROM uploads`).Scan(&uploads); err != nil || uploads != 1 {
		t.Fatalf("%d uploads, %v", uploads, err)
	}
}

func TestNoFilesOpenNoUploadAndAMissingPathIsNotFound(t *testing.T) {
	n := newNetwork(t, api.Limits{})
	res, err := n.client(t).Upload(t.Context(), []string{t.TempDir()}, survey.UploadOptions{}, nil)
	if err != nil || res.ID != "" || len(res.Files) != 0 {
		t.Fatalf("%+v %v", res, err)
	}
	if _, err := n.client(t).Upload(t.Context(), []string{filepath.Join(t.TempDir(), "nope")}, survey.UploadOptions{}, nil); survey.KindOf(err) != survey.NotFound {
		t.Fatal(err)
	}
	c := n.client(t)
	c.Token = "wrong"
	if _, err := c.Upload(t.Context(), []string{t.TempDir()}, survey.UploadOptions{}, nil); survey.KindOf(err) != survey.Unauthorized {
		t.Fatal(err)
	}
	c.BaseURL = "ftp://x"
	if _, err := c.Upload(t.Context(), nil, survey.UploadOptions{}, nil); survey.KindOf(err) != survey.Invalid {
		t.Fatal(err)
	}
}

func TestFoldersOfOneNameStayApart(t *testing.T) {
	n := newNetwork(t, api.Limits{})
	n.settler(t, accept)
	root := t.TempDir()
	write(t, root, map[string]string{"x/day/1.jpg": "one", "y/day/1.jpg": "two"})
	res, err := n.client(t).Upload(t.Context(), []string{filepath.Join(root, "x/day"), filepath.Join(root, "y/day"), filepath.Join(root, "x/day/1.jpg")}, survey.UploadOptions{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range res.Files {
		got = append(got, f.Path)
	}
	if want := []string{"day/1.jpg", "day~2/1.jpg"}; !slices.Equal(got, want) {
		t.Fatal(got)
	}
}

func TestLargeFilesGoInPartsAndOnlyMissingPartsAreSentAgain(t *testing.T) {
	n := newNetwork(t, api.Limits{})
	n.settler(t, accept)
	dir := t.TempDir()
	big := strings.Repeat("0123456789abcdef", (2*api.SinglePut+1000)/16)
	write(t, dir, map[string]string{"film.mp4": big})
	c := n.client(t)
	c.Parallel = 1
	// The first run is cut off when the last part is under way.
	ctx, cancel := context.WithCancel(t.Context())
	first, err := c.Upload(ctx, []string{dir}, survey.UploadOptions{}, func(p upload.Progress) {
		if p.Stage == upload.StageUpload && p.Done > api.SinglePut+api.SinglePut/2 {
			cancel()
		}
	})
	if err == nil {
		t.Fatal("the first run was not cut off")
	}
	res, err := c.Upload(t.Context(), []string{dir}, survey.UploadOptions{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !n.stored(t, big) || res.Files[0].Verdict != "accepted" {
		t.Fatalf("%+v", res.Files)
	}
	if res.Sent > int64(len(big))-api.SinglePut || first.Sent < api.SinglePut {
		t.Fatalf("sent %d then %d of %d", first.Sent, res.Sent, len(big))
	}
	var left int
	if err := n.db.QueryRow(t.Context(), `SELECT COUNT(*) FROM upload_parts`).Scan(&left); err != nil || left != 0 {
		t.Fatalf("%d part rows left, %v", left, err)
	}
}

func TestARunKilledAtAnyMomentContinuesAndSendsNothingTwice(t *testing.T) {
	n := newNetwork(t, api.Limits{})
	n.settler(t, accept)
	dir := t.TempDir()
	files := map[string]string{}
	var total int64
	for i := range 60 {
		body := strings.Repeat(fmt.Sprintf("%04d", i), 500+i)
		files[fmt.Sprintf("f%02d.jpg", i)] = body
		total += int64(len(body))
	}
	write(t, dir, files)
	c := n.client(t)
	c.Parallel, c.Cache = 2, filepath.Join(t.TempDir(), "hashes.json")
	var sent, hashed int64
	var res upload.Result
	for kill := int64(1); ; kill += 7 {
		ctx, cancel := context.WithCancel(t.Context())
		var steps int64
		var err error
		res, err = c.Upload(ctx, []string{dir}, survey.UploadOptions{}, func(upload.Progress) {
			if steps++; steps == kill {
				cancel()
			}
		})
		cancel()
		sent, hashed = sent+res.Sent, hashed+res.Hashed
		if err == nil {
			break
		}
	}
	if res.State != survey.UploadSettled || len(res.Files) != len(files) {
		t.Fatalf("%+v", res)
	}
	// A transfer that was under way when the run was killed may go again: two at most in flight, each time.
	if hashed > total+2*int64(len(files["f59.jpg"]))*10 || sent > 2*total {
		t.Fatalf("sent %d and hashed %d of %d bytes", sent, hashed, total)
	}
	for name, body := range files {
		if !n.stored(t, body) {
			t.Fatal(name)
		}
	}
	var jobs int
	if err := n.db.QueryRow(t.Context(), `SELECT COUNT(*) FROM river_job WHERE kind = 'ingest'`).Scan(&jobs); err != nil || jobs != 1 {
		t.Fatalf("%d ingest jobs, %v", jobs, err)
	}
}

func TestWhatTheCacheKnowsUnchangedIsNotHashedAgain(t *testing.T) {
	n := newNetwork(t, api.Limits{})
	n.settler(t, accept)
	dir := t.TempDir()
	write(t, dir, map[string]string{"a": "aaaa", "b": "bbbb"})
	c := n.client(t)
	c.Cache = filepath.Join(t.TempDir(), "sub", "hashes.json")
	up := func() upload.Result {
		t.Helper()
		res, err := c.Upload(t.Context(), []string{dir}, survey.UploadOptions{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	if r := up(); r.Hashed != 8 || r.Sent != 8 {
		t.Fatalf("%+v", r)
	}
	if r := up(); r.Hashed != 0 {
		t.Fatalf("%+v", r)
	}
	// A line torn by a kill costs that line only.
	f, err := os.OpenFile(c.Cache, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(f, `{"path":"/x","byt`)
	f.Close()
	write(t, dir, map[string]string{"c": "cccc"})
	if r := up(); r.Hashed != 4 || r.Sent != 4 {
		t.Fatalf("%+v", r)
	}
	if r := up(); r.Hashed != 0 {
		t.Fatalf("%+v", r)
	}
	// Same size and path, another time: read again.
	if err := os.Chtimes(filepath.Join(dir, "a"), time.Unix(1e9, 0), time.Unix(1e9, 0)); err != nil {
		t.Fatal(err)
	}
	if r := up(); r.Hashed != 4 || r.Sent != 0 {
		t.Fatalf("%+v", r)
	}
}

func TestAFileThatChangesMeanwhileIsSentAsItIsNow(t *testing.T) {
	n := newNetwork(t, api.Limits{})
	n.settler(t, accept)
	dir := t.TempDir()
	write(t, dir, map[string]string{"a": "first", "gone": "gone", "stay": "stay"})
	changed := false
	res, err := n.client(t).Upload(t.Context(), []string{dir}, survey.UploadOptions{}, func(p upload.Progress) {
		if p.Stage == upload.StageUpload && !changed {
			changed = true
			if err := os.WriteFile(filepath.Join(dir, "a"), []byte("second!"), 0o644); err != nil {
				t.Error(err)
			}
			os.Remove(filepath.Join(dir, "gone"))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Files) != 2 || !n.stored(t, "second!") || n.stored(t, "first") || !n.stored(t, "stay") {
		t.Fatalf("%+v", res)
	}
}

func TestServerFaultsAreRetriedAndGivenUpAfterPatience(t *testing.T) {
	n := newNetwork(t, api.Limits{})
	n.settler(t, accept)
	dir := t.TempDir()
	write(t, dir, map[string]string{"a": "aaaa"})
	var left atomic.Int64
	left.Store(4)
	front := func(w http.ResponseWriter, r *http.Request) bool {
		switch left.Add(-1) {
		case 3:
			w.WriteHeader(http.StatusBadGateway)
		case 2:
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		case 1:
			panic(http.ErrAbortHandler) // the connection breaks
		default:
			return false
		}
		return true
	}
	n.front.Store(&front)
	if _, err := n.client(t).Upload(t.Context(), []string{dir}, survey.UploadOptions{}, nil); err != nil {
		t.Fatal(err)
	}
	down := func(w http.ResponseWriter, r *http.Request) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	n.front.Store(&down)
	c := n.client(t)
	c.Patience = 300 * time.Millisecond
	if _, err := c.Upload(t.Context(), []string{dir}, survey.UploadOptions{}, nil); survey.KindOf(err) != survey.Unavailable {
		t.Fatal(err)
	}
}

func TestURLsThatEndedAreRenewed(t *testing.T) {
	n := newNetwork(t, api.Limits{URLLifetime: time.Second})
	n.settler(t, accept)
	dir := t.TempDir()
	files := map[string]string{}
	for i := range 6 {
		files[fmt.Sprint(i)] = fmt.Sprint("body", i)
	}
	write(t, dir, files)
	c := n.client(t)
	c.Parallel = 1
	slept := false
	if _, err := c.Upload(t.Context(), []string{dir}, survey.UploadOptions{}, func(p upload.Progress) {
		if p.Stage == upload.StageUpload && p.Done > 0 && !slept {
			slept = true
			time.Sleep(2100 * time.Millisecond) // past the lifetime of the URLs
		}
	}); err != nil {
		t.Fatal(err)
	}
}

func TestAFileOverTheLimitIsToldAndStopsNoOther(t *testing.T) {
	n := newNetwork(t, api.Limits{FileBytes: 10, PathBytes: 30})
	n.settler(t, accept)
	dir := filepath.Join(t.TempDir(), "d")
	write(t, dir, map[string]string{"big": "01234567890", "ok": "ok", strings.Repeat("n", 40): "long name"})
	res, err := n.client(t).Upload(t.Context(), []string{dir}, survey.UploadOptions{}, nil)
	if err != nil || len(res.Files) != 1 || len(res.Unreadable) != 2 {
		t.Fatalf("%+v %v", res, err)
	}
	if res.Unreadable[0].Reason != survey.ReasonTooLarge || res.Unreadable[1].Reason != survey.ReasonBadName || !strings.Contains(res.Unreadable[0].Message, "11 bytes, the limit is 10") {
		t.Fatalf("%+v", res.Unreadable)
	}
}

func TestJobsThatFailedForGoodEndTheWait(t *testing.T) {
	n := newNetwork(t, api.Limits{})
	dir := t.TempDir()
	write(t, dir, map[string]string{"a": "aaaa"})
	go func() {
		for t.Context().Err() == nil {
			if k, _ := n.db.Exec(t.Context(), `UPDATE river_job SET state = 'discarded', finalized_at = CURRENT_TIMESTAMP WHERE kind = 'ingest'`); k > 0 {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	_, err := n.client(t).Upload(t.Context(), []string{dir}, survey.UploadOptions{}, nil)
	if survey.KindOf(err) != survey.Internal || !strings.Contains(err.Error(), "failed for good") {
		t.Fatal(err)
	}
}
