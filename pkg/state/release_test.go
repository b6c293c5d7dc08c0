package state_test

import (
	"compress/gzip"
	"context"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

// A release's databases are frozen in testdata/releases/<release>: state.db.gz and state.pgdump. They are made once, from
// a checkout of the release, and never again:
//
//	.ci/with-postgres go test ./pkg/state -run TestMakeReleaseFixture -make-fixture "$PWD/pkg/state/testdata/releases/NAME"
var makeFixture = flag.String("make-fixture", "", "folder to write this release's databases to")

// rows of a network in use, as far as every release has had the tables.
var releaseRows = []string{
	`INSERT INTO contributors (id, handle, payout_address, token_sha256, created_at) VALUES ('anna', 'Anna', '0x00000000000000000000000000000000000000aa', 'h1', 1000)`,
	`INSERT INTO uploads (id, contributor_id, state, options, files, bytes, created_at) VALUES ('u1', 'anna', 'uploaded', '{}', 2, 6, 2000)`,
	`INSERT INTO upload_files (upload_id, path, sha256, bytes, object) VALUES ('u1', 'a.jpg', 's1', 3, 'o1'), ('u1', 'b.jpg', 's2', 3, 'o2')`,
	`INSERT INTO drives (id, upload_id, contributor_id, device_id, state, started_at, ended_at, received_at, frames, parts, distance_mm, manifest_sha256) VALUES ('d1', 'u1', 'anna', 'cam', 'vision', 1, 2, 3, 1, 1, 8000, 'm')`,
	`INSERT INTO drive_parts (drive_id, part) VALUES ('d1', 0)`,
	`INSERT INTO frames (id, drive_id, part, seq, upload_id, path, object, sha256, bytes, captured_at, received_at, lat_e7, lon_e7, cell, width, height, state)
		VALUES ('f1', 'd1', 0, 0, 'u1', 'a.jpg', 'o1', 's1', 3, 1, 3, 437300000, 74100000, 631243922056540159, 10, 10, 'pending')`,
	`INSERT INTO frame_reports (id, frame_id, kind, state, created_at) VALUES ('r1', 'f1', 'remove', 'open', 5)`,
	`INSERT INTO api_keys (id, name, sha256, scopes, origins, per_minute, per_day, credits, created_at) VALUES ('k1', 'City', 'h2', '["imagery"]', '[]', 60, 1000, 500, 4)`,
	`INSERT INTO epochs (epoch, ruleset, manifest_sha256, pool, allocated, held, remainder, contributions, contributors, closed_at) VALUES ('2026-05-04', 'v1', 'm', 100, 90, 0, 10, 1, 1, 9)`,
	`INSERT INTO allocations (epoch, contributor_id, amount, held, frames, cells) VALUES ('2026-05-04', 'anna', 90, 0, 1, 1)`,
	`INSERT INTO meta (key, value) VALUES ('release-test', 'kept')`,
}

func TestMakeReleaseFixture(t *testing.T) {
	if *makeFixture == "" {
		t.Skip("-make-fixture is not set; it is for releases")
	}
	ctx := t.Context()
	if err := os.MkdirAll(*makeFixture, 0o755); err != nil {
		t.Fatal(err)
	}
	fill := func(dsn string) {
		db, err := state.Open(ctx, dsn, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		err = db.Tx(ctx, func(tx *state.Tx) error {
			for _, q := range releaseRows {
				if _, err := tx.Exec(ctx, q); err != nil {
					t.Fatal(q, err)
				}
			}
			return tx.Enqueue(ctx, state.IngestArgs{UploadID: "u1"})
		})
		if err != nil {
			t.Fatal(err)
		}
		if !db.Postgres() {
			if _, err := db.Exec(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
				t.Log(err) // closing does it too
			}
		}
	}
	file := filepath.Join(t.TempDir(), "state.db")
	fill("sqlite:" + file)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(*makeFixture, "state.db.gz"))
	if err != nil {
		t.Fatal(err)
	}
	z, _ := gzip.NewWriterLevel(out, gzip.BestCompression)
	z.Write(b)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	out.Close()
	admin := os.Getenv("ROADCOMB_TEST_POSTGRES")
	if admin == "" {
		t.Fatal("ROADCOMB_TEST_POSTGRES is not set")
	}
	dsn := testkit.FreshPostgres(t, admin)
	fill(dsn)
	dump, err := filepath.Glob("/usr/lib/postgresql/*/bin/pg_dump")
	if err != nil || len(dump) == 0 {
		t.Fatal("no pg_dump", err)
	}
	if out, err := exec.Command(dump[0], "--dbname="+dsn, "--format=custom", "--no-owner", "--no-privileges", "--compress=9", "--file="+filepath.Join(*makeFixture, "state.pgdump")).CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
}

// Every release's database comes forward and works: rows are kept, a job that waited is worked, and what is new can be
// used.
func TestTheDatabasesOfReleasesComeForward(t *testing.T) {
	dirs, err := filepath.Glob("testdata/releases/*")
	if err != nil || len(dirs) == 0 {
		t.Fatal("no release in testdata/releases", err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir)+"/sqlite", func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "old.db")
			in, err := os.Open(filepath.Join(dir, "state.db.gz"))
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			z, err := gzip.NewReader(in)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(z)
			if err == nil {
				err = os.WriteFile(file, b, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			dsn := "sqlite:" + filepath.Join(t.TempDir(), "state.db")
			if err := state.Restore(t.Context(), dsn, file); err != nil {
				t.Fatal(err)
			}
			comesForward(t, dsn)
		})
		t.Run(filepath.Base(dir)+"/postgres", func(t *testing.T) {
			admin := os.Getenv("ROADCOMB_TEST_POSTGRES")
			if admin == "" {
				t.Skip("ROADCOMB_TEST_POSTGRES is not set; .ci/with-postgres starts a server")
			}
			dsn := testkit.FreshPostgres(t, admin)
			if err := state.Restore(t.Context(), dsn, filepath.Join(dir, "state.pgdump")); err != nil {
				t.Fatal(err)
			}
			comesForward(t, dsn)
		})
	}
}

func comesForward(t *testing.T, dsn string) {
	t.Helper()
	ctx := t.Context()
	db, err := state.Open(ctx, dsn, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	counts, err := db.Counts(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for table, want := range map[string]int64{"contributors": 1, "uploads": 1, "upload_files": 2, "drives": 1, "drive_parts": 1, "frames": 1, "frame_reports": 1, "api_keys": 1, "epochs": 1, "allocations": 1} {
		if counts[table] != want {
			t.Errorf("%s: %d rows, the release had %d", table, counts[table], want)
		}
	}
	var kept string
	var amount, lat int64
	if err := db.QueryRow(ctx, `SELECT value FROM meta WHERE key = 'release-test'`).Scan(&kept); err != nil || kept != "kept" {
		t.Error(kept, err)
	}
	if err := db.QueryRow(ctx, `SELECT a.amount, f.lat_e7 FROM allocations a, frames f WHERE a.contributor_id = 'anna' AND f.id = 'f1'`).Scan(&amount, &lat); err != nil || amount != 90 || lat != 437300000 {
		t.Error(amount, lat, err)
	}
	got := make(chan survey.UploadID, 10)
	h := state.NewHandlers(nil)
	state.Handle(h, func(_ context.Context, a state.IngestArgs) error { got <- a.UploadID; return nil })
	work(t, db, h)
	select {
	case id := <-got:
		if id != "u1" {
			t.Error(id)
		}
	case <-time.After(20 * time.Second):
		t.Error("the job that waited is not worked")
	}
	// Opening again finds nothing to do.
	again, err := state.Open(ctx, dsn, nil)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}
