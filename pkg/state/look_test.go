package state_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

func TestLookingAtADatabaseSaysHowItIsAndChangesNothing(t *testing.T) {
	look := func(t *testing.T, dsn string) state.Condition {
		t.Helper()
		c, err := state.Look(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	both := func(t *testing.T, dsn string) {
		for range 2 { // the first look made nothing
			if c := look(t, dsn); c != (state.Condition{Missing: true}) {
				t.Fatalf("an empty one: %+v", c)
			}
		}
		db, err := state.Open(t.Context(), dsn, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if c := look(t, dsn); c != (state.Condition{}) {
			t.Fatalf("a good one: %+v", c)
		}
		for _, q := range []string{`DELETE FROM goose_db_version WHERE version_id = 70`, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)`} {
			if _, err := db.Exec(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		if c := look(t, dsn); c != (state.Condition{Behind: 1, Ahead: 1}) {
			t.Fatalf("one that another release made: %+v", c)
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "state.db")
		both(t, "sqlite:"+path)
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		copy(body[8192:], strings.Repeat("damage", 4000))
		broken := filepath.Join(t.TempDir(), "state.db")
		if err := os.WriteFile(broken, body, 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := state.Look(t.Context(), "sqlite:"+broken); err == nil {
			t.Errorf("a damaged file passes: %+v", c)
		}
	})
	t.Run("postgres", func(t *testing.T) {
		admin := os.Getenv("ROADCOMB_TEST_POSTGRES")
		if admin == "" {
			t.Skip("ROADCOMB_TEST_POSTGRES is not set; .ci/with-postgres starts a server")
		}
		both(t, testkit.FreshPostgres(t, admin))
	})
	if _, err := state.Look(t.Context(), "postgres://nobody@127.0.0.1:1/x?connect_timeout=2"); err == nil {
		t.Error("a server that is not there answers")
	}
}
