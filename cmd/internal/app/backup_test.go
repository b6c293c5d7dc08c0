package app

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	ingestapi "github.com/roadcomb/roadcomb/ingest/api"
	"github.com/roadcomb/roadcomb/pkg/operators"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

// run executes a command line and gives its exit code and what it printed.
func run(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var out, errs bytes.Buffer
	code := Run(context.WithoutCancel(t.Context()), args, strings.NewReader(""), &out, &errs)
	return code, out.String() + errs.String()
}

func TestABackupRestoresTheStateAndTheObjectsAndRefusesWhatIsSpoilt(t *testing.T) {
	states := map[string]func(t *testing.T, home string) string{"sqlite": func(t *testing.T, home string) string { return "" }}
	if admin := os.Getenv("ROADCOMB_TEST_POSTGRES"); admin != "" {
		states["postgres"] = func(t *testing.T, home string) string { return testkit.FreshPostgres(t, admin) }
	}
	for name, fresh := range states {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			home, home2, dir := t.TempDir(), filepath.Join(t.TempDir(), "new"), filepath.Join(t.TempDir(), "backup")
			set := settings{Home: home, State: survey.Secret(fresh(t, home)), S3Listen: "127.0.0.1:0", S3Prefix: name + "-", Models: t.TempDir()}
			goHome(t)
			p, err := openPlatform(ctx, set, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			closed := false
			defer func() {
				if !closed {
					p.close()
				}
			}()
			if err := ingestapi.EnsureContributor(ctx, p.db, localContributor, "anna", "token"); err != nil {
				t.Fatal(err)
			}
			if err := p.db.Tx(ctx, func(tx *state.Tx) error { return tx.Enqueue(ctx, state.IngestArgs{UploadID: "u1"}) }); err != nil {
				t.Fatal(err)
			}
			for i, b := range store.Buckets {
				if _, err := p.store.Put(ctx, b, fmt.Sprintf("a/ünd %d.bin", i), bytes.Repeat([]byte{byte(i)}, 1000+i), "x/y"); err != nil {
					t.Fatal(err)
				}
			}
			where := []string{"--home", home, "--state", set.State.Reveal(), "--s3", p.s3.Endpoint, "--s3-key", p.secrets.S3Key, "--s3-secret", p.secrets.S3Secret.Reveal()}
			if code, out := run(t, append([]string{"backup", dir, "--objects", "--s3-prefix", name + "-"}, where...)...); code != 0 || !strings.Contains(out, "6 files") {
				t.Fatal(code, out)
			}
			// What happens afterwards is not in it.
			if err := ingestapi.EnsureContributor(ctx, p.db, "b0000000000000000000000000000000", "bert", "later"); err != nil {
				t.Fatal(err)
			}
			if code, out := run(t, append([]string{"backup", dir}, where...)...); code != ExitInternal {
				t.Fatal("a folder that holds something:", code, out)
			}
			if st, err := os.Stat(dir); err != nil || st.Mode().Perm() != 0o700 {
				t.Fatal(st.Mode(), err)
			}

			// A spoilt file is found before anything is written.
			dump := filepath.Join(dir, p.db.BackupName())
			good, err := os.ReadFile(dump)
			if err != nil {
				t.Fatal(err)
			}
			bad := bytes.Clone(good)
			bad[len(bad)/2] ^= 1
			os.WriteFile(dump, bad, 0o600)
			there := []string{"--home", home2, "--state", fresh(t, home2), "--s3", p.s3.Endpoint, "--s3-key", p.secrets.S3Key, "--s3-secret", p.secrets.S3Secret.Reveal()}
			restore := append([]string{"restore", dir, "--s3-prefix", name + "-new-"}, there...)
			if code, out := run(t, restore...); code != ExitInput || !strings.Contains(out, "not what was backed up") {
				t.Fatal(code, out)
			}
			if _, err := os.Stat(home2); err == nil {
				t.Fatal("a spoilt backup was begun to be restored")
			}
			os.WriteFile(dump, good, 0o600)
			if code, out := run(t, "restore", dir, "--check"); code != 0 {
				t.Fatal(code, out)
			}
			// Nothing that is there is overwritten.
			if code, out := run(t, append([]string{"restore", dir, "--s3-prefix", name + "-"}, where...)...); code == 0 || !strings.Contains(out, "exists") {
				t.Fatal(code, out)
			}
			if code, out := run(t, restore...); code != 0 {
				t.Fatal(code, out)
			}

			db, err := state.Open(ctx, settings{Home: home2, State: survey.Secret(there[3])}.database(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			var handles string
			rows, err := db.Query(ctx, `SELECT handle FROM contributors ORDER BY handle`)
			if err != nil {
				t.Fatal(err)
			}
			for rows.Next() {
				var h string
				rows.Scan(&h)
				handles += h + " "
			}
			rows.Close()
			if handles != "anna " {
				t.Errorf("contributors %q", handles)
			}
			if js, err := db.ListJobs(ctx, "ingest", nil, 10); err != nil || len(js) != 1 || !strings.Contains(string(js[0].Args), `"u1"`) {
				t.Errorf("jobs %+v %v", js, err)
			}
			if head, _, err := operators.Verify(ctx, db); err != nil || head.Seq < 2 {
				t.Error("audit log:", head, err)
			}
			was, err := os.ReadFile(filepath.Join(home, "secrets.json"))
			if err != nil {
				t.Fatal(err)
			}
			if now, err := os.ReadFile(filepath.Join(home2, "secrets.json")); err != nil || !bytes.Equal(was, now) {
				t.Error("secrets:", err)
			}
			s, err := store.Open(ctx, store.Config{Endpoint: p.s3.Endpoint, AccessKey: p.secrets.S3Key, SecretKey: p.secrets.S3Secret, Prefix: name + "-new-"})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for i, b := range store.Buckets {
				got, info, err := s.Get(ctx, b, fmt.Sprintf("a/ünd %d.bin", i), 1<<20)
				if err != nil || !bytes.Equal(got, bytes.Repeat([]byte{byte(i)}, 1000+i)) || info.Type != "x/y" {
					t.Errorf("object in %s: %d bytes, %+v, %v", b, len(got), info, err)
				}
			}
			closed = true
			if err := p.close(); err != nil {
				t.Error(err)
			}
		})
	}
	if _, err := readBackup(t.TempDir()); survey.KindOf(err) != survey.NotFound {
		t.Error("a folder without a manifest:", err)
	}
}
