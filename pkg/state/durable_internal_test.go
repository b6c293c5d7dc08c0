package state

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
)

// A transaction's commit waits for the disk; what the queue writes between transactions does not.
func TestOnlyTransactionsWaitForTheDisk(t *testing.T) {
	ctx := t.Context()
	db, err := Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "state.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const normal, full = 1, 2
	outside := func(when string) {
		t.Helper()
		var got int
		if err := db.write.QueryRowContext(context.Background(), "PRAGMA synchronous").Scan(&got); err != nil || got != normal {
			t.Errorf("%s: synchronous is %d, not NORMAL: %v", when, got, err)
		}
	}
	inside := func(ctx context.Context, tx *Tx) {
		t.Helper()
		var got int
		if err := tx.QueryRow(ctx, "PRAGMA synchronous").Scan(&got); err != nil || got != full {
			t.Errorf("in a transaction synchronous is %d, not FULL: %v", got, err)
		}
	}
	outside("at the start")
	if err := db.Tx(ctx, func(tx *Tx) error { inside(ctx, tx); return tx.Enqueue(ctx, IngestArgs{UploadID: "a"}) }); err != nil {
		t.Fatal(err)
	}
	outside("after a commit")
	broken := errors.New("broken")
	if err := db.Tx(ctx, func(tx *Tx) error { inside(ctx, tx); return broken }); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	outside("after a rollback")
	gone, cancel := context.WithCancel(ctx)
	if err := db.Tx(gone, func(tx *Tx) error { inside(gone, tx); cancel(); return gone.Err() }); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	outside("after the caller left")
	func() {
		defer func() { recover() }()
		db.Tx(ctx, func(tx *Tx) error { inside(ctx, tx); panic("a bug") })
	}()
	outside("after a panic")
}
