package state

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
)

// Migrations run in order of their numbers and only forward. Number ranges belong to the packages whose tables they
// make: 001–009 the chain, 010 ingest, 020 vision, 030 cells, 040 tiles and the map API, 050 rewards, 060 datasets,
// 070 operations.
//
//go:embed migrations/*.sql
var migrations embed.FS

func (db *DB) migrate(ctx context.Context) error {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	conn, dialect := db.write, goose.DialectSQLite3
	if db.pool != nil {
		conn, dialect = stdlib.OpenDBFromPool(db.pool), goose.DialectPostgres
		defer conn.Close()
	}
	p, err := goose.NewProvider(dialect, conn, dir, goose.WithAllowOutofOrder(true))
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return err
	}
	return db.migrateJobs(ctx, conn)
}

func (db *DB) migrateJobs(ctx context.Context, conn *sql.DB) error {
	if db.pool != nil {
		m, err := rivermigrate.New(riverpgxv5.New(db.pool), &rivermigrate.Config{Logger: db.log})
		if err == nil {
			_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
		}
		return wrapJobs(err)
	}
	m, err := rivermigrate.New(riversqlite.New(conn), &rivermigrate.Config{Logger: db.log})
	if err == nil {
		_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
	}
	return wrapJobs(err)
}

func wrapJobs(err error) error {
	if err != nil {
		return fmt.Errorf("job tables: %w", err)
	}
	return nil
}
