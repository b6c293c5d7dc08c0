package state_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/state"
)

// TestTheCellsOfAnOlderDatabaseAreKept goes back to the table as it was before its rows were laid out by key, fills it, and
// opens the database again.
func TestTheCellsOfAnOlderDatabaseAreKept(t *testing.T) {
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "state.db")
	open := func() *state.DB {
		t.Helper()
		db, err := state.Open(t.Context(), dsn, nil)
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	db := open()
	for _, q := range []string{
		`DROP TABLE cells`,
		`CREATE TABLE cells (cell BIGINT PRIMARY KEY, live BIGINT NOT NULL, observations BIGINT NOT NULL, quality_sum BIGINT NOT NULL, best_quality BIGINT NOT NULL,
			first_seen BIGINT NOT NULL, last_seen BIGINT NOT NULL, last_received BIGINT NOT NULL, seen BYTEA NOT NULL)`,
		`INSERT INTO cells VALUES (631243922056054783, 1, 2, 3, 4, 5, 6, 7, x'00ff'), (626740322428682239, 1, 12, 13, 14, 15, 16, 17, x'0100')`,
		`DELETE FROM goose_db_version WHERE version_id = 33`,
	} {
		if _, err := db.Exec(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open()
	defer db.Close()
	rows, err := db.Query(t.Context(), `SELECT cell, live, observations, quality_sum, best_quality, first_seen, last_seen, last_received, seen FROM cells ORDER BY cell`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got [][9]any
	for rows.Next() {
		var n [8]int64
		var b []byte
		if err := rows.Scan(&n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6], &n[7], &b); err != nil {
			t.Fatal(err)
		}
		got = append(got, [9]any{n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], string(b)})
	}
	want := [][9]any{
		{int64(626740322428682239), int64(1), int64(12), int64(13), int64(14), int64(15), int64(16), int64(17), "\x01\x00"},
		{int64(631243922056054783), int64(1), int64(2), int64(3), int64(4), int64(5), int64(6), int64(7), "\x00\xff"},
	}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%v", got)
	}
	var sql string
	if err := db.QueryRow(t.Context(), `SELECT sql FROM sqlite_master WHERE name = 'cells'`).Scan(&sql); err != nil || !strings.Contains(sql, "INTEGER PRIMARY KEY") {
		t.Errorf("%v: %s", err, sql)
	}
}
