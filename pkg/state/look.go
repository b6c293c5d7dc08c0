package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Condition is what Look finds.
type Condition struct {
	Missing bool // there is no schema yet: the first program that opens it makes one
	Behind  int  // migrations that the next program to open it runs
	Ahead   int  // migrations that this program does not know: a newer one made them
}

// Look asks a state database how it is and changes nothing in it. A SQLite file is also read through for damage, which
// takes about a second for each gigabyte.
func Look(ctx context.Context, dsn string) (Condition, error) {
	var versions []int64
	switch {
	case strings.HasPrefix(dsn, "sqlite:"):
		path := strings.TrimPrefix(dsn, "sqlite:")
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return Condition{Missing: true}, nil
		}
		db, err := sql.Open("sqlite", "file:"+path+"?"+url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(10000)"}}.Encode())
		if err != nil {
			return Condition{}, err
		}
		defer db.Close()
		var says string
		if err := db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&says); err != nil {
			return Condition{}, survey.Errorf(survey.Unavailable, "read %s: %w", path, err)
		}
		if says != "ok" {
			return Condition{}, survey.Errorf(survey.Internal, "%s is damaged: %s", path, says)
		}
		var tables int
		if err := db.QueryRowContext(ctx, `SELECT COUNT(*) FROM sqlite_master WHERE name = 'goose_db_version'`).Scan(&tables); err != nil || tables == 0 {
			return Condition{Missing: true}, err
		}
		rows, err := db.QueryContext(ctx, appliedQuery)
		if err != nil {
			return Condition{}, err
		}
		defer rows.Close()
		for rows.Next() {
			var v int64
			if err := rows.Scan(&v); err != nil {
				return Condition{}, err
			}
			versions = append(versions, v)
		}
		if err := rows.Err(); err != nil {
			return Condition{}, err
		}
	default:
		c, err := connect(ctx, dsn)
		if err != nil {
			return Condition{}, err
		}
		defer c.Close(context.WithoutCancel(ctx))
		var there bool
		if err := c.QueryRow(ctx, `SELECT to_regclass('goose_db_version') IS NOT NULL`).Scan(&there); err != nil || !there {
			return Condition{Missing: true}, err
		}
		rows, err := c.Query(ctx, appliedQuery)
		if err != nil {
			return Condition{}, err
		}
		if versions, err = pgx.CollectRows(rows, pgx.RowTo[int64]); err != nil {
			return Condition{}, err
		}
	}
	known, err := knownMigrations()
	if err != nil {
		return Condition{}, err
	}
	var c Condition
	for _, v := range versions {
		if !known[v] {
			c.Ahead++
		}
		delete(known, v)
	}
	c.Behind = len(known)
	return c, nil
}

// ClockOf is what a PostgreSQL server's clock says.
func ClockOf(ctx context.Context, dsn string) (time.Time, error) {
	c, err := connect(ctx, dsn)
	if err != nil {
		return time.Time{}, err
	}
	defer c.Close(context.WithoutCancel(ctx))
	var us int64
	err = c.QueryRow(ctx, `SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)`).Scan(&us)
	return Time(us), err
}

func connect(ctx context.Context, dsn string) (*pgx.Conn, error) {
	cfg, err := pgxpool.ParseConfig(dsn) // it knows the settings of a pool in the address
	if err != nil {
		return nil, survey.Errorf(survey.Invalid, "state address: %w", err)
	}
	c, err := pgx.ConnectConfig(ctx, cfg.ConnConfig)
	if err != nil {
		return nil, survey.Errorf(survey.Unavailable, "connect to PostgreSQL: %w", err)
	}
	return c, nil
}

const appliedQuery = `SELECT DISTINCT version_id FROM goose_db_version WHERE version_id > 0 AND is_applied`

// knownMigrations are the numbers of this program's migrations.
func knownMigrations() (map[int64]bool, error) {
	names, err := migrations.ReadDir("migrations")
	if err != nil {
		return nil, err
	}
	known := map[int64]bool{clusterCells(true).Version: true}
	for _, n := range names {
		num, _, _ := strings.Cut(filepath.Base(n.Name()), "_")
		v, err := strconv.ParseInt(num, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("migration %s: %w", n.Name(), err)
		}
		known[v] = true
	}
	return known, nil
}
