package mirror_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/datasets/mirror"
	"github.com/roadcomb/roadcomb/datasets/query"
	"github.com/roadcomb/roadcomb/datasets/schema"
	"github.com/roadcomb/roadcomb/datasets/snapshot"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

// publish puts a snapshot of one file with n uses into the lake and gives the file.
func publish(t *testing.T, st *store.Store, n int) snapshot.File {
	t.Helper()
	rows := make([]schema.Use, n)
	for i := range rows {
		rows[i] = schema.Use{Day: time.Unix(1.7e9, 0), Key: fmt.Sprint(i), Requests: int64(i)}
	}
	b, err := lake.Encode(schema.Usage, rows)
	if err != nil {
		t.Fatal(err)
	}
	h := survey.HashOf(b)
	f := snapshot.File{Partition: "date=2023-11-14", Version: 1, Path: store.DatasetKey("usage", "v1", "date=2023-11-14", h), Rows: int64(n), Bytes: int64(len(b)), SHA256: h}
	head(t, st, snapshot.Snapshot{Format: snapshot.Format, Datasets: map[string]snapshot.Dataset{"usage": {Version: 1, Rows: int64(n), Bytes: f.Bytes, Files: []snapshot.File{f}}}})
	put(t, st, f.Path, b)
	return f
}

func head(t *testing.T, st *store.Store, s snapshot.Snapshot) {
	t.Helper()
	b, _ := json.Marshal(s)
	key := store.SnapshotKey(survey.HashOf(b))
	put(t, st, key, b)
	h, _ := json.Marshal(snapshot.Head{Snapshot: key})
	put(t, st, store.SnapshotHead, h)
}

func put(t *testing.T, st *store.Store, key string, b []byte) {
	t.Helper()
	if _, err := st.Put(t.Context(), store.Lake, key, b, "x"); err != nil {
		t.Fatal(err)
	}
}

type counter struct{ n int }

func (c *counter) Columns([]string, []string) error { return nil }
func (c *counter) Row([]any) error                  { c.n++; return nil }

// rows is how many uses the folder's engine sees.
func rows(t *testing.T, dir string) int {
	t.Helper()
	e, err := query.Open(t.Context(), dir, query.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var c counter
	if err := e.Query(t.Context(), `SELECT * FROM usage`, &c); err != nil {
		t.Fatal(err)
	}
	return c.n
}

func TestAMirrorFollowsTheSnapshotAndForgetsOldFilesLater(t *testing.T) {
	st := testkit.S3(t)
	m := &mirror.Mirror{Store: st, Dir: filepath.Join(t.TempDir(), "m"), Log: slog.New(slog.DiscardHandler), Keep: 50 * time.Millisecond}
	if changed, err := m.Sync(t.Context()); changed || err != nil {
		t.Fatalf("before the first export: %v %v", changed, err)
	}
	if _, err := m.Snapshot(); survey.KindOf(err) != survey.NotFound {
		t.Fatal(err)
	}
	old := publish(t, st, 5)
	if changed, err := m.Sync(t.Context()); !changed || err != nil {
		t.Fatal(changed, err)
	}
	if changed, err := m.Sync(t.Context()); changed || err != nil || rows(t, m.Dir) != 5 {
		t.Fatal(changed, err)
	}
	publish(t, st, 7)
	if changed, err := m.Sync(t.Context()); !changed || err != nil || rows(t, m.Dir) != 7 {
		t.Fatal(changed, err)
	}
	if _, err := os.Stat(filepath.Join(m.Dir, old.Path)); err != nil {
		t.Fatal("a file was removed under its readers")
	}
	time.Sleep(60 * time.Millisecond)
	if _, err := m.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(m.Dir, old.Path)); !os.IsNotExist(err) {
		t.Fatal(err)
	}
}

func TestAFileThatIsNotTheManifestsLeavesTheEarlierSnapshot(t *testing.T) {
	st := testkit.S3(t)
	m := &mirror.Mirror{Store: st, Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)}
	good := publish(t, st, 5)
	if _, err := m.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	body, _, err := st.Get(t.Context(), store.Lake, good.Path, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	f := publish(t, st, 9)
	whole, _, _ := st.Get(t.Context(), store.Lake, f.Path, 1<<20)
	foreign := append([]byte(nil), whole...)
	copy(foreign[8:], "somebody else's bytes")
	for name, b := range map[string][]byte{"truncated": whole[:len(whole)-9], "foreign": foreign, "another file": body} {
		put(t, st, f.Path, b)
		_, err := m.Sync(t.Context())
		if survey.KindOf(err) != survey.Invalid || !strings.Contains(err.Error(), f.Path) {
			t.Errorf("%s: %v", name, err)
		}
		if n := rows(t, m.Dir); n != 5 {
			t.Errorf("%s: %d rows", name, n)
		}
	}
	if err := st.Remove(t.Context(), store.Lake, f.Path); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Sync(t.Context()); survey.KindOf(err) != survey.NotFound || rows(t, m.Dir) != 5 {
		t.Errorf("missing: %v", err)
	}
	put(t, st, f.Path, whole)
	if _, err := m.Sync(t.Context()); err != nil || rows(t, m.Dir) != 9 {
		t.Fatal(err)
	}
	// Manifests of the future, and ones that name files elsewhere.
	head(t, st, snapshot.Snapshot{Format: "roadcomb-snapshot/9"})
	if _, err := m.Sync(t.Context()); survey.KindOf(err) != survey.Unsupported {
		t.Error(err)
	}
	for _, p := range []string{"../escape.parquet", "/etc/passwd", "usage/v1/x.txt"} {
		head(t, st, snapshot.Snapshot{Format: snapshot.Format, Datasets: map[string]snapshot.Dataset{"usage": {Files: []snapshot.File{{Path: p, Bytes: 1}}}}})
		if _, err := m.Sync(t.Context()); survey.KindOf(err) != survey.Invalid {
			t.Errorf("%s: %v", p, err)
		}
	}
	put(t, st, store.SnapshotHead, []byte("nonsense"))
	if _, err := m.Sync(t.Context()); survey.KindOf(err) != survey.Invalid || rows(t, m.Dir) != 9 {
		t.Error(err)
	}
}

func TestLocalFilesAreLinkedAfterACheck(t *testing.T) {
	st := testkit.S3(t)
	f := publish(t, st, 5)
	b, _, err := st.Get(t.Context(), store.Lake, f.Path, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	local := filepath.Join(t.TempDir(), "object")
	for _, content := range [][]byte{b, b[:10]} {
		if err := os.WriteFile(local, content, 0o600); err != nil {
			t.Fatal(err)
		}
		m := &mirror.Mirror{Store: st, Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler), Local: func(string) string { return local }}
		if _, err := m.Sync(t.Context()); err != nil || rows(t, m.Dir) != 5 {
			t.Fatal(err)
		}
		a, _ := os.Stat(local)
		c, _ := os.Stat(filepath.Join(m.Dir, f.Path))
		if os.SameFile(a, c) != (len(content) == len(b)) {
			t.Errorf("%d bytes: linked %v", len(content), os.SameFile(a, c))
		}
	}
}
