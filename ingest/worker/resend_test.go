package worker_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/ingest/api"
	"github.com/roadcomb/roadcomb/ingest/upload"
	"github.com/roadcomb/roadcomb/ingest/worker"
	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

// looked plays vision and index: every frame is published, every drive indexed, every upload settled.
func (n *network) looked() {
	n.t.Helper()
	ctx := context.Background()
	err := n.db.Tx(ctx, func(tx *state.Tx) error {
		for _, q := range []string{
			`UPDATE upload_files SET verdict = 'accepted' WHERE verdict = '' AND EXISTS (SELECT 1 FROM frames f WHERE f.upload_id = upload_files.upload_id AND f.path = upload_files.path)`,
			`UPDATE frames SET state = 'published' WHERE state = 'pending'`, `UPDATE drives SET state = 'indexed'`} {
			if _, err := tx.Exec(ctx, q); err != nil {
				return err
			}
		}
		rows, err := tx.Query(ctx, `SELECT id FROM uploads WHERE state = 'ingested' ORDER BY id`)
		if err != nil {
			return err
		}
		defer rows.Close()
		var ids []survey.UploadID
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				return err
			}
			ids = append(ids, survey.UploadID(id))
		}
		rows.Close()
		for _, id := range ids {
			if done, err := state.SettleUpload(ctx, tx, id, day); err != nil || !done {
				return fmt.Errorf("upload %s did not settle: %w", id, err)
			}
		}
		return nil
	})
	if err != nil {
		n.t.Fatal(err)
	}
}

// driver serves the API over the network and ingests what is completed, until the test ends.
func (n *network) driver(dir string) *upload.Client {
	n.t.Helper()
	if err := api.EnsureContributor(context.Background(), n.db, "c1", "c1", "tok"); err != nil {
		n.t.Fatal(err)
	}
	mux := http.NewServeMux()
	api.Register(mux, httpx.NewAPI(mux, "test", "1"), api.Deps{DB: n.db, Store: n.s3, Clock: func() time.Time { return day }})
	srv := httptest.NewServer(httpx.Wrap(mux, httpx.Options{}))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ; ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
			var id string
			if n.db.QueryRow(ctx, `SELECT id FROM uploads WHERE state = 'uploaded' ORDER BY id LIMIT 1`).Scan(&id) != nil {
				continue
			}
			n.ingest(survey.UploadID(id))
			n.looked()
		}
	}()
	n.t.Cleanup(func() { cancel(); <-done; srv.Close() })
	return &upload.Client{BaseURL: srv.URL, Token: "tok", Cache: filepath.Join(dir, "cache"), HTTP: srv.Client()}
}

func lay(t testing.TB, dir string, files map[string][]byte) {
	t.Helper()
	old := time.Now().Add(-time.Hour)
	for name, b := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, b, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(p, old, old); err != nil {
			t.Fatal(err)
		}
	}
}

func reasons(fs []upload.File) map[string]int {
	out := map[string]int{}
	for _, f := range fs {
		k := f.Verdict
		if f.Reason != "" {
			k = string(f.Reason)
		}
		out[k]++
	}
	return out
}

// The recording is 200 frames of 8 m, trimmed by 100 m at both ends; the store damages two frames in its middle, one at
// its end, and loses one.
func TestWhatTheStoreDamagedIsSentAgainAndJoinsItsRecording(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		n := openOn(t, db)
		n.w.Config = worker.Config{Trim: 100}
		files := straight(200, home, day.Add(-time.Hour), 500)
		names := make([]string, 0, len(files))
		for name := range files {
			names = append(names, name)
		}
		slices.Sort(names)
		dir := filepath.Join(t.TempDir(), "drive")
		lay(t, dir, files)

		// What the recording gives when nothing is damaged.
		whole := open(t)
		whole.w.Config = n.w.Config
		wid := whole.send("c1", files, survey.UploadOptions{})
		whole.ingest(wid)
		want := count(whole.verdicts(wid))
		if want["trimmed"] == 0 || want["frame"] < 150 {
			t.Fatalf("%v", want)
		}

		c := n.driver(t.TempDir())
		c.NoWait = true
		damage := func() {
			for i, k := range []int{80, 81, 199, 120} {
				key := store.OriginalKey("c1", survey.HashOf(files[names[k]]))
				if i == 3 {
					if err := n.s3.Remove(t.Context(), store.Private, key); err != nil {
						t.Fatal(err)
					}
					continue
				}
				if _, err := n.s3.Put(t.Context(), store.Private, key, bytes.Repeat([]byte{0}, len(files[names[k]])), ""); err != nil {
					t.Fatal(err)
				}
			}
		}
		// Everything arrives and is checked to be there; then the disk goes bad, before ingest reads it.
		hold := n.w.Clock
		gate := make(chan struct{})
		n.w.Clock = func() time.Time { <-gate; return hold() }
		first, err := c.Upload(t.Context(), []string{dir}, survey.UploadOptions{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		damage()
		close(gate)
		wait := func(id survey.UploadID) {
			for range 3000 {
				if n.text(`SELECT state FROM uploads WHERE id = $1`, string(id)) == "settled" {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
			t.Fatal("did not settle")
		}
		wait(first.ID)
		vs := count(n.verdicts(first.ID))
		if vs["hash_mismatch"] != 3 || vs["unreadable"] != 1 {
			t.Fatalf("%v", vs)
		}
		was := n.int(`SELECT COUNT(*) FROM drives`)
		completed := n.int(`SELECT completed_at FROM uploads`)

		// The driver runs the same command again, and now waits.
		c.NoWait = false
		res, err := c.Upload(t.Context(), []string{dir}, survey.UploadOptions{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if res.ID != first.ID || res.State != survey.UploadSettled {
			t.Fatalf("%+v", res.State)
		}
		got := reasons(res.Files)
		// The first time the recording ended a frame earlier, so that one more was trimmed; that stands.
		want["frame"], want["trimmed"] = want["frame"]-1, want["trimmed"]+1
		if got["accepted"] != want["frame"] || got["trimmed"] != want["trimmed"] || len(got) != 2 {
			t.Fatalf("%v, want %v", got, want)
		}
		var sent int64
		for _, k := range []int{80, 81, 199, 120} {
			sent += int64(len(files[names[k]]))
		}
		if res.Sent != sent {
			t.Fatalf("%d bytes sent again, want %d", res.Sent, sent)
		}
		// Two drives more: the pair in the middle and the lost one. No frame is twice, none outside.
		if d := n.int(`SELECT COUNT(*) FROM drives`); d != was+2 {
			t.Fatalf("%d drives, %d before", d, was)
		}
		if f := n.int(`SELECT COUNT(*) FROM frames`); f != int64(want["frame"]) {
			t.Fatalf("%d frames, want %d", f, want["frame"])
		}
		if n.int(`SELECT completed_at FROM uploads`) != completed || n.int(`SELECT resent_at FROM uploads`) == 0 {
			t.Fatal("the upload's day moved")
		}
		if jobs := n.int(`SELECT COUNT(*) FROM river_job WHERE kind = 'ingest'`); jobs != 2 {
			t.Fatalf("%d ingest jobs", jobs)
		}
		// And once more there is nothing to do.
		if res, err = c.Upload(t.Context(), []string{dir}, survey.UploadOptions{}, nil); err != nil || res.Sent != 0 || reasons(res.Files)["accepted"] != want["frame"] {
			t.Fatal(res.Sent, err)
		}
	})
}

func TestTheClientSendsAgainByItselfWhatWasDamaged(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		n := openOn(t, db)
		files := straight(30, home, day.Add(-time.Hour), 900)
		dir := filepath.Join(t.TempDir(), "drive")
		lay(t, dir, files)
		c := n.driver(t.TempDir())
		hold, spoilt := n.w.Clock, false
		n.w.Clock = func() time.Time { // the worker asks for the time before it reads
			if !spoilt {
				spoilt = true
				for name, b := range files {
					if strings.HasSuffix(name, "9.jpg") {
						if _, err := n.s3.Put(context.Background(), store.Private, store.OriginalKey("c1", survey.HashOf(b)), bytes.Repeat([]byte{7}, len(b)), ""); err != nil {
							t.Error(err)
						}
					}
				}
			}
			return hold()
		}
		res, err := c.Upload(t.Context(), []string{dir}, survey.UploadOptions{}, nil)
		if err != nil || !spoilt {
			t.Fatal(err)
		}
		if got := reasons(res.Files); got["accepted"] != 30 {
			t.Fatalf("%v", got)
		}
	})
}

// A folder that grew is one recording: only its new images count, and what was trimmed off the end of the first part,
// because it was an end then, is not one any more.
func TestAFolderThatGrewIsReadAsTheRecordingThatItIs(t *testing.T) {
	n := open(t)
	n.w.Config = worker.Config{Trim: 100}
	all := straight(120, home, day.Add(-time.Hour), 1300)
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	half := map[string][]byte{}
	for _, name := range names[:60] {
		half[name] = all[name]
	}
	a := n.send("c1", half, survey.UploadOptions{})
	n.ingest(a)
	n.looked()
	va := count(n.verdicts(a))
	b := n.send("c1", all, survey.UploadOptions{})
	n.ingest(b)
	n.looked()
	vb := count(n.verdicts(b))
	once := open(t)
	once.w.Config = n.w.Config
	w := once.send("c1", all, survey.UploadOptions{})
	once.ingest(w)
	want := count(once.verdicts(w))
	if va["accepted"] == 0 || va["trimmed"] == 0 || vb["duplicate"] != va["accepted"] || vb["accepted"]+va["accepted"] != want["frame"] || vb["trimmed"] != want["trimmed"] {
		t.Fatalf("first %v, then %v; at once %v", va, vb, want)
	}
	// Somebody else's images are no context for one's own.
	n.contributor("c2")
	more := map[string][]byte{}
	for _, name := range names[50:] {
		more[name] = all[name]
	}
	other := straight(14, home, day.Add(-50*time.Minute), 7000)
	for name, body := range other {
		more["new-"+name] = body
	}
	c := n.send("c2", more, survey.UploadOptions{})
	n.ingest(c)
	if vc := count(n.verdicts(c)); vc["frame"] != 0 || vc["duplicate"] == 0 {
		t.Fatalf("%v", vc)
	}
}
