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
	p, err := goose.NewProvider(dialect, conn, dir, goose.WithAllowOutofOrder(true), goose.WithGoMigrations(clusterCells(db.pool == nil)))
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return err
	}
	return db.migrateJobs(ctx, conn)
}

// clusterCells is migration 33: on SQLite the rows of cells lie in the order of their key. A BIGINT key there is a second
// tree beside the table, so that a row costs two writes and a range a jump for each row; only INTEGER, which PostgreSQL
// would read as four bytes, makes it the table's own. On PostgreSQL there is nothing to do.
func clusterCells(sqlite bool) *goose.Migration {
	return goose.NewGoMigration(33, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
		if !sqlite {
			return nil
		}
		for _, q := range []string{
			`ALTER TABLE cells RENAME TO cells_before`,
			`CREATE TABLE cells (
				cell          INTEGER PRIMARY KEY,
				live          BIGINT NOT NULL,
				observations  BIGINT NOT NULL,
				quality_sum   BIGINT NOT NULL,
				best_quality  BIGINT NOT NULL,
				first_seen    BIGINT NOT NULL,
				last_seen     BIGINT NOT NULL,
				last_received BIGINT NOT NULL,
				seen          BYTEA  NOT NULL
			)`,
			`INSERT INTO cells SELECT cell, live, observations, quality_sum, best_quality, first_seen, last_seen, last_received, seen FROM cells_before ORDER BY cell`,
			`DROP TABLE cells_before`,
		} {
			if _, err := tx.ExecContext(ctx, q); err != nil {
				return err
			}
		}
		return nil
	}}, nil)
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
