// Package state is the transactional ledger of the network: contributors, uploads, drives, frames, cells, epochs, and
// the jobs that follow from them, in SQLite (embedded) or PostgreSQL (any number of workers).
//
// There is one schema and one SQL text for both engines: $1 placeholders, BIGINT, TEXT, ON CONFLICT, no GREATEST.
// Times are BIGINT microseconds since the Unix epoch, cells are BIGINT, hashes lower-case hex TEXT, structured values
// JSON TEXT. Jobs are enqueued in the transaction whose effect they follow from (River). Bulk observations do not live
// here; they are Parquet in the lake.
package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// ErrNoRows is what Row.Scan returns when there is none, on both engines.
var ErrNoRows = sql.ErrNoRows

// DB is an open state database. It is safe for concurrent use.
type DB struct {
	// SQLite: one writer connection (also River's), many readers on the WAL. What River itself writes there (that a job
	// was fetched, that it ended) is not synced; see once.
	write, read *sql.DB
	liteJobs    *river.Client[*sql.Tx]

	pool   *pgxpool.Pool
	pgJobs *river.Client[pgx.Tx]
	log    *slog.Logger
}

// private makes the file of a database, or one that is there, and what SQLite keeps beside it, readable by its owner only,
// whatever the folder and the umask say: where drivers live is in it.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	f.Close()
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if st, err := os.Stat(name); err == nil && st.Mode().Perm()&0o077 != 0 {
			if err := os.Chmod(name, 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

// Open opens dsn, "sqlite:PATH" or a "postgres://" URL, and brings its schema up to date. A SQLite file and its folder
// are made, readable by their owner only.
func Open(ctx context.Context, dsn string, log *slog.Logger) (*DB, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	db := &DB{log: slog.New(quiet{log.Handler()})}
	switch {
	case strings.HasPrefix(dsn, "sqlite:"):
		path := strings.TrimPrefix(dsn, "sqlite:")
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, survey.Errorf(survey.Unavailable, "state folder: %w", err)
		}
		if err := private(path); err != nil {
			return nil, survey.Errorf(survey.Unavailable, "open state %s: %w", path, err).WithHint("check that the folder is writable and the disk is not full")
		}
		// NORMAL: what is not written through Tx may be undone by a power cut, in order from its end. immediate: a
		// transaction that will write takes the lock at once instead of failing when it upgrades.
		q := url.Values{"_pragma": {"journal_mode(WAL)", "busy_timeout(10000)", "synchronous(NORMAL)", "foreign_keys(ON)", "temp_store(MEMORY)", "cache_size(-65536)"}}
		read := "file:" + path + "?" + q.Encode()
		q.Set("_txlock", "immediate")
		var err error
		if db.write, err = sql.Open("sqlite", "file:"+path+"?"+q.Encode()); err != nil {
			return nil, err
		}
		db.write.SetMaxOpenConns(1)
		if err := db.write.PingContext(ctx); err != nil {
			db.write.Close()
			return nil, survey.Errorf(survey.Unavailable, "open state %s: %w", path, err).WithHint("check that the folder is writable and the disk is not full")
		}
		if db.read, err = sql.Open("sqlite", read); err != nil {
			return nil, err
		}
		db.read.SetMaxOpenConns(8)
	case strings.HasPrefix(dsn, "postgres://"), strings.HasPrefix(dsn, "postgresql://"):
		var err error
		if db.pool, err = pgxpool.New(ctx, dsn); err != nil {
			return nil, survey.Errorf(survey.Invalid, "state address: %w", err)
		}
		if err := db.pool.Ping(ctx); err != nil {
			db.pool.Close()
			return nil, survey.Errorf(survey.Unavailable, "connect to PostgreSQL: %w", err).WithHint("check the address and that the server runs")
		}
	default:
		return nil, survey.Errorf(survey.Invalid, "state address %q is neither sqlite:PATH nor postgres://…", redactDSN(dsn))
	}
	if err := db.migrate(ctx); err != nil {
		db.Close()
		return nil, fmt.Errorf("migrate state: %w", err)
	}
	var err error
	if db.pool != nil {
		db.pgJobs, err = river.NewClient(riverpgxv5.New(db.pool), &river.Config{Logger: db.log})
	} else {
		db.liteJobs, err = river.NewClient(riversqlite.New(db.write), &river.Config{Logger: db.log})
	}
	if err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

// quiet keeps the queue's own housekeeping out of our logs: only its warnings pass.
type quiet struct{ slog.Handler }

func (q quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && q.Handler.Enabled(ctx, l)
}
func (q quiet) WithAttrs(as []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(as)} }
func (q quiet) WithGroup(n string) slog.Handler       { return quiet{q.Handler.WithGroup(n)} }

func redactDSN(dsn string) string {
	if u, err := url.Parse(dsn); err == nil {
		return u.Redacted()
	}
	return "…"
}

// Close releases all connections.
func (db *DB) Close() error {
	var err error
	if db.read != nil {
		err = db.read.Close()
	}
	if db.write != nil {
		err = errors.Join(err, db.write.Close())
	}
	if db.pool != nil {
		db.pool.Close()
	}
	return err
}

// Postgres reports whether the engine is PostgreSQL, for the few statements that differ.
func (db *DB) Postgres() bool { return db.pool != nil }

// Rows is the result of a query on either engine; Close it.
type Rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close() error
}

// Row is one row, read by Scan, which gives ErrNoRows when there is none.
type Row interface{ Scan(dest ...any) error }

// Querier reads: a DB (outside any transaction) or a Tx.
type Querier interface {
	Query(ctx context.Context, q string, args ...any) (Rows, error)
	QueryRow(ctx context.Context, q string, args ...any) Row
}

type pgRows struct{ pgx.Rows }

func (r pgRows) Close() error           { r.Rows.Close(); return nil }
func (r pgRows) Err() error             { return away(r.Rows.Err()) }
func (r pgRows) Scan(dest ...any) error { return away(r.Rows.Scan(dest...)) }

type pgRow struct{ pgx.Row }

func (r pgRow) Scan(dest ...any) error {
	err := r.Row.Scan(dest...)
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrNoRows
	}
	return away(err)
}

// Query reads the last committed state.
func (db *DB) Query(ctx context.Context, q string, args ...any) (Rows, error) {
	if db.pool != nil {
		r, err := db.pool.Query(ctx, q, args...)
		return pgRows{r}, away(err)
	}
	return db.read.QueryContext(ctx, q, args...)
}

// QueryRow reads one row of the last committed state.
func (db *DB) QueryRow(ctx context.Context, q string, args ...any) Row {
	if db.pool != nil {
		return pgRow{db.pool.QueryRow(ctx, q, args...)}
	}
	return db.read.QueryRowContext(ctx, q, args...)
}

// Tx is a transaction in progress.
type Tx struct {
	db *DB
	s  *sql.Tx
	p  pgx.Tx

	long map[string]*sql.Stmt // prepared once in the transaction, which closes them
}

// Exec runs a statement and gives how many rows it changed.
func (t *Tx) Exec(ctx context.Context, q string, args ...any) (int64, error) {
	if t.p != nil {
		tag, err := t.p.Exec(ctx, q, args...)
		return tag.RowsAffected(), away(err)
	}
	run := t.s.ExecContext
	if len(args) >= manyArgs { // parsing such a statement costs a fifth of running it
		st := t.long[q]
		if st == nil {
			var err error
			if st, err = t.s.PrepareContext(ctx, positional(q, len(args))); err != nil {
				return 0, err
			}
			if t.long == nil {
				t.long = make(map[string]*sql.Stmt)
			}
			t.long[q] = st
		}
		run = func(ctx context.Context, _ string, args ...any) (sql.Result, error) {
			return st.ExecContext(ctx, args...)
		}
	}
	r, err := run(ctx, positional(q, len(args)), args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// manyArgs is from how many arguments on a statement is kept prepared: those that write rows by the hundred.
const manyArgs = 256

// positional turns $1…$n, each used once and in order, into plain ? marks: SQLite's driver treats $n as names and
// binds them in time quadratic in their number, which decides the speed of statements of many rows.
func positional(q string, n int) string {
	if n < 16 {
		return q
	}
	var b strings.Builder
	whole := q
	b.Grow(len(q))
	for next := 1; ; next++ {
		i := strings.IndexByte(q, '$')
		if i < 0 {
			if next != n+1 {
				return whole
			}
			return b.String() + q
		}
		b.WriteString(q[:i])
		q = q[i+1:]
		d := 0
		for d < len(q) && q[d] >= '0' && q[d] <= '9' {
			d++
		}
		if q[:d] != strconv.Itoa(next) {
			return whole
		}
		b.WriteByte('?')
		q = q[d:]
	}
}

// Query reads within the transaction; close the rows before the next statement.
func (t *Tx) Query(ctx context.Context, q string, args ...any) (Rows, error) {
	if t.p != nil {
		r, err := t.p.Query(ctx, q, args...)
		return pgRows{r}, away(err)
	}
	return t.s.QueryContext(ctx, positional(q, len(args)), args...)
}

// QueryRow reads one row within the transaction.
func (t *Tx) QueryRow(ctx context.Context, q string, args ...any) Row {
	if t.p != nil {
		return pgRow{t.p.QueryRow(ctx, q, args...)}
	}
	return t.s.QueryRowContext(ctx, q, args...)
}

// Enqueue adds a job that exists if and only if the transaction commits. It belongs to the trace that ctx runs in.
func (t *Tx) Enqueue(ctx context.Context, args river.JobArgs) error {
	var err error
	if t.p != nil {
		_, err = t.db.pgJobs.InsertTx(ctx, t.p, args, carry(ctx, args))
	} else {
		_, err = t.db.liteJobs.InsertTx(ctx, t.s, args, carry(ctx, args))
	}
	if err != nil {
		return fmt.Errorf("enqueue %s: %w", args.Kind(), away(err))
	}
	return nil
}

// Tx runs fn in a transaction: committed when fn returns nil, rolled back otherwise. A transaction that the engine
// aborted for another's sake (serialization failure, deadlock, lock) runs again, up to ten times: fn must have no
// effect outside the transaction.
func (db *DB) Tx(ctx context.Context, fn func(*Tx) error) error {
	for try := 0; ; try++ {
		err := db.once(ctx, fn)
		if err == nil || try == 9 || !conflict(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(1<<try) * time.Millisecond):
		}
	}
}

func (db *DB) once(ctx context.Context, fn func(*Tx) error) (err error) {
	if db.pool != nil {
		tx, err := db.pool.Begin(ctx)
		if err != nil {
			return survey.Errorf(survey.Unavailable, "begin: %w", err)
		}
		defer tx.Rollback(context.WithoutCancel(ctx)) // no effect after Commit
		if err := fn(&Tx{db: db, p: tx}); err != nil {
			return err
		}
		return away(tx.Commit(ctx))
	}
	conn, err := db.write.Conn(ctx)
	if err != nil {
		return survey.Errorf(survey.Unavailable, "begin: %w", err)
	}
	defer conn.Close()
	// What the network acknowledges survives a power cut: the commit syncs the write-ahead log, with everything that was
	// written to it before. The queue's own notes between transactions do not wait for the disk: one that is lost makes a
	// job run again, which every job must bear anyway.
	if err := synchronous(ctx, conn, "FULL"); err != nil {
		return err
	}
	defer synchronous(context.WithoutCancel(ctx), conn, "NORMAL") // where this fails the connection is only slower
	// The transaction itself does not end with ctx: its rollback would run beside the line above.
	tx, err := conn.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return survey.Errorf(survey.Unavailable, "begin: %w", err)
	}
	defer tx.Rollback()
	if err := fn(&Tx{db: db, s: tx}); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return tx.Commit()
}

// synchronous says what the next commits of a SQLite connection wait for.
func synchronous(ctx context.Context, c *sql.Conn, how string) error {
	if _, err := c.ExecContext(ctx, "PRAGMA synchronous = "+how); err != nil {
		return survey.Errorf(survey.Unavailable, "begin: %w", err)
	}
	return nil
}

func conflict(err error) bool {
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return pe.Code == "40001" || pe.Code == "40P01"
	}
	var se *sqlite.Error
	if errors.As(err, &se) {
		return se.Code()&0xff == sqlite3.SQLITE_BUSY || se.Code()&0xff == sqlite3.SQLITE_LOCKED
	}
	return false
}

// Exec is a transaction of one statement.
func (db *DB) Exec(ctx context.Context, q string, args ...any) (n int64, err error) {
	err = db.Tx(ctx, func(tx *Tx) error {
		n, err = tx.Exec(ctx, q, args...)
		return err
	})
	return n, err
}

// Micros is the form in which state keeps a time; the zero time is 0.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Time is the inverse of Micros.
func Time(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// CreatePostgres makes an empty database on the server that admin reaches: for tests and first set-up.
func CreatePostgres(ctx context.Context, admin, name string) error {
	return adminExec(ctx, admin, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
}

// DropPostgres removes a database that CreatePostgres made, whoever is connected to it.
func DropPostgres(ctx context.Context, admin, name string) error {
	return adminExec(ctx, admin, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)")
}

func adminExec(ctx context.Context, admin, q string) error {
	c, err := pgx.Connect(ctx, admin)
	if err != nil {
		return survey.Errorf(survey.Unavailable, "connect to PostgreSQL: %w", err)
	}
	defer c.Close(ctx)
	_, err = c.Exec(ctx, q)
	return err
}

// adminRow reads one row from a database that is not brought up to date first.
func adminRow(ctx context.Context, dsn, q string, dest ...any) error {
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return survey.Errorf(survey.Unavailable, "connect to PostgreSQL: %w", err).WithHint("check the address and that the server runs")
	}
	defer c.Close(ctx)
	return c.QueryRow(ctx, q).Scan(dest...)
}
