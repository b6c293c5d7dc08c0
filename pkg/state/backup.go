package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// BackupName is the file that Backup makes in its folder, by engine.
func (db *DB) BackupName() string {
	if db.Postgres() {
		return "state.pgdump"
	}
	return "state.db"
}

// Backup writes the whole state, as of one instant, to path while the network runs: a SQLite file (VACUUM INTO), or
// PostgreSQL's own format through pg_dump, which must be on the PATH and not older than the server. dsn is the address the
// database was opened by. The file must not exist.
func (db *DB) Backup(ctx context.Context, dsn, path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return survey.Errorf(survey.Conflict, "%s exists", path).WithHint("choose an empty folder")
	}
	if db.Postgres() {
		return pgTool(ctx, "pg_dump", dsn, "--format=custom", "--no-owner", "--no-privileges", "--file="+path)
	}
	// On a reader's connection: writers go on.
	if _, err := db.read.ExecContext(ctx, `VACUUM INTO ?`, path); err != nil {
		return survey.Errorf(survey.Unavailable, "back up state: %w", err).WithHint("check the free space of the disk")
	}
	return os.Chmod(path, 0o600)
}

// Restore puts a backup where dsn says. It refuses a place that holds a state already. Open migrates it then, if the
// backup is of an earlier release.
func Restore(ctx context.Context, dsn, path string) error {
	if file, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		for _, f := range []string{file, file + "-wal", file + "-shm"} {
			if _, err := os.Lstat(f); !errors.Is(err, fs.ErrNotExist) {
				return survey.Errorf(survey.Conflict, "%s exists", f).WithHint("stop the network and move it away, or choose another --home")
			}
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return survey.Errorf(survey.Unavailable, "state folder: %w", err)
		}
		return copyFile(path, file)
	}
	if err := emptyPostgres(ctx, dsn); err != nil {
		return err
	}
	return pgTool(ctx, "pg_restore", dsn, "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", path)
}

func emptyPostgres(ctx context.Context, dsn string) error {
	var n int
	err := adminRow(ctx, dsn, `SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema()`, &n)
	if err == nil && n > 0 {
		err = survey.Errorf(survey.Conflict, "the database holds %d tables", n).WithHint("restore into an empty one: CREATE DATABASE …")
	}
	return err
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return survey.Errorf(survey.NotFound, "backup: %w", err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return survey.Errorf(survey.Unavailable, "restore state: %w", err)
	}
	if _, err = io.Copy(out, in); err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		os.Remove(to)
		return survey.Errorf(survey.Unavailable, "restore state: %w", err).WithHint("check the free space of the disk")
	}
	return nil
}

// pgTool runs one of PostgreSQL's programs. The password goes through the environment: arguments are seen by everyone on
// the machine.
func pgTool(ctx context.Context, tool, dsn string, args ...string) error {
	u, err := url.Parse(dsn)
	if err != nil {
		return survey.Errorf(survey.Invalid, "state address: not a URL")
	}
	password, _ := u.User.Password()
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	q := u.Query()
	for k := range q {
		if strings.HasPrefix(k, "pool_") { // pgx's own
			q.Del(k)
		}
	}
	u.RawQuery = q.Encode()
	bin, err := exec.LookPath(tool)
	if err != nil {
		// Debian keeps them by version and puts a wrapper on the PATH only with postgresql-client-common.
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + tool)
		if len(found) == 0 {
			return survey.Errorf(survey.Unavailable, "%s is not on this machine", tool).WithHint("install postgresql-client of the server's version or newer")
		}
		bin = found[len(found)-1]
	}
	cmd := exec.CommandContext(ctx, bin, append([]string{"--dbname=" + u.String()}, args...)...)
	cmd.Env = append(os.Environ(), "PGPASSWORD="+password)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Run(); err != nil {
		text := strings.TrimSpace(errs.String())
		if len(text) > 500 {
			text = text[:500]
		}
		return survey.Errorf(survey.Unavailable, "%s: %w: %s", tool, err, text)
	}
	return nil
}

// Counts is how many rows each table of ours holds, for comparing a state with its restored copy. The queue's tables,
// which live their own life, are left out.
func (db *DB) Counts(ctx context.Context) (map[string]int64, error) {
	q := `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`
	if db.Postgres() {
		q = `SELECT tablename FROM pg_tables WHERE schemaname = current_schema()`
	}
	rows, err := db.Query(ctx, q)
	if err != nil {
		return nil, err
	}
	var names []string
	for rows.Next() {
		var n string
		if err := rows.Scan(&n); err != nil {
			rows.Close()
			return nil, err
		}
		if !strings.HasPrefix(n, "river_") && n != "workers" {
			names = append(names, n)
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	out := map[string]int64{}
	for _, n := range names {
		var k int64
		if err := db.QueryRow(ctx, fmt.Sprintf(`SELECT COUNT(*) FROM %q`, n)).Scan(&k); err != nil {
			return nil, err
		}
		out[n] = k
	}
	return out, nil
}
