package worker_test

import (
	"slices"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
	"github.com/roadcomb/roadcomb/vision/worker"
)

func TestOriginalsExpireWithTheirUploadAndNotBefore(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		ctx, d := t.Context(), driveIn(t, db, picture(1), picture(2))
		exec := func(q string, args ...any) {
			t.Helper()
			if _, err := db.Exec(ctx, q, args...); err != nil {
				t.Fatal(err)
			}
		}
		originals := func() (n int) {
			t.Helper()
			if err := d.st.List(ctx, store.Private, "originals/", func(store.Info) error { n++; return nil }); err != nil {
				t.Fatal(err)
			}
			return n
		}
		expire := func(want, left int) {
			t.Helper()
			n, err := worker.Expire(ctx, db, d.st, time.UnixMicro(1000))
			if err != nil || n != want || originals() != left {
				t.Fatalf("%d expired, %d left, want %d and %d: %v", n, originals(), want, left, err)
			}
		}
		expire(0, 2) // not settled
		exec(`UPDATE uploads SET state = 'settled', settled_at = 1000 WHERE id = 'u'`)
		expire(0, 2) // settled at that instant, not before it

		// A younger upload of the same contributor names the first file too.
		exec(`INSERT INTO uploads (id, contributor_id, state, options, files, bytes, created_at) VALUES ('young', 'c', 'ingested', '{}', 1, 1, 1)`)
		exec(`INSERT INTO upload_files (upload_id, path, sha256, bytes, object) SELECT 'young', path, sha256, bytes, object FROM upload_files WHERE upload_id = 'u' AND path = $1`, d.paths[0])
		exec(`UPDATE uploads SET settled_at = 999 WHERE id = 'u'`)
		expire(1, 1)
		exec(`UPDATE uploads SET state = 'settled', settled_at = 500 WHERE id = 'young'`)
		expire(1, 0)
		expire(0, 0) // again changes nothing

		var named int64
		if err := db.QueryRow(ctx, `SELECT (SELECT COUNT(*) FROM frames WHERE object <> '') + (SELECT COUNT(*) FROM upload_files WHERE object <> '')`).Scan(&named); err != nil || named != 0 {
			t.Fatalf("%d rows still name an original: %v", named, err)
		}
		if parts, err := worker.Rerun(ctx, db, worker.RerunFilter{}); err != nil || parts != 0 {
			t.Fatalf("%d parts would be looked at again without originals: %v", parts, err)
		}
	})
}

// bundled makes the drive's frames those of a bundle.
func bundled(t *testing.T, db *state.DB, d *drive) (blob string) {
	t.Helper()
	blob = store.OriginalKey("c", survey.HashOf([]byte("blob")))
	if _, err := d.st.Put(t.Context(), store.Private, blob, []byte("blob"), ""); err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{`DELETE FROM upload_files`, `UPDATE frames SET film_pts_us = -2, path = 'km'`,
		`INSERT INTO upload_files (upload_id, path, sha256, bytes, object, kind, verdict) VALUES ('u', 'km', '` + survey.HashOf([]byte("blob")).String() + `', 4, '` + blob + `', 'bundle', 'accepted')`} {
		if _, err := db.Exec(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	return blob
}

func TestFramesOfABundleExpireWithItAndGoWhenTakenDown(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		ctx, d := t.Context(), driveIn(t, db, picture(1), picture(2), picture(3))
		blob := bundled(t, db, d)
		there := func(want ...string) {
			t.Helper()
			var got []string
			if err := d.st.List(ctx, store.Private, "originals/", func(i store.Info) error { got = append(got, i.Key); return nil }); err != nil {
				t.Fatal(err)
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Fatalf("the store holds %v, want %v", got, want)
			}
		}
		a, b, c := store.OriginalKey("c", d.sums[0]), store.OriginalKey("c", d.sums[1]), store.OriginalKey("c", d.sums[2])
		there(blob, a, b, c)
		for range 2 { // the second time changes nothing
			if err := worker.Remove(ctx, db, d.st, d.ids[0]); err != nil {
				t.Fatal(err)
			}
			there(b, c) // the bundle holds the frame too, and the others do not need it
		}
		if _, err := db.Exec(ctx, `UPDATE uploads SET state = 'settled', settled_at = 1000 WHERE id = 'u'`); err != nil {
			t.Fatal(err)
		}
		if n, err := worker.Expire(ctx, db, d.st, time.UnixMicro(1000)); err != nil || n != 0 {
			t.Fatal(n, err)
		}
		if n, err := worker.Expire(ctx, db, d.st, time.UnixMicro(1001)); err != nil || n != 2 {
			t.Fatal(n, err)
		}
		there()
		var named int64
		if err := db.QueryRow(ctx, `SELECT COUNT(*) FROM frames WHERE object <> ''`).Scan(&named); err != nil || named != 0 {
			t.Fatalf("%d frames still name an original: %v", named, err)
		}
	})
}
