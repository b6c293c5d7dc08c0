package keys_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
	"github.com/roadcomb/roadcomb/tiles/api/keys"
)

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func TestAKeyIsKeptHashedAndOpensUntilRevokedOrExpired(t *testing.T) {
	db, ctx := testkit.DB(t), t.Context()
	k, secret, err := keys.Create(ctx, db, "city of Lund", keys.Options{Credits: 10, Expires: now.Add(time.Hour)}, now)
	if err != nil {
		t.Fatal(err)
	}
	var kept string
	if err := db.QueryRow(ctx, `SELECT name || sha256 || scopes || origins FROM api_keys`).Scan(&kept); err != nil || strings.Contains(kept, secret) || strings.Contains(kept, secret[4:]) {
		t.Fatal("the secret is in the database", err)
	}
	got, err := keys.Find(ctx, db, secret, now)
	if err != nil || got.ID != k.ID || got.Credits != 10 || !got.Allows(keys.Imagery) || got.Allows(keys.Datasets) || got.PerMinute != 100 {
		t.Fatal(got, err)
	}
	for name, s := range map[string]string{"another": "rck_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "empty": "", "long": "rck_" + strings.Repeat("a", 1000)} {
		if _, err := keys.Find(ctx, db, s, now); survey.KindOf(err) != survey.Unauthorized {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := keys.Find(ctx, db, secret, now.Add(time.Hour)); survey.KindOf(err) != survey.Unauthorized {
		t.Error("an expired key opens")
	}
	if err := keys.Revoke(ctx, db, k.ID, now); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Find(ctx, db, secret, now); survey.KindOf(err) != survey.Unauthorized {
		t.Error("a revoked key opens")
	}
	if err := keys.Revoke(ctx, db, "nobody", now); survey.KindOf(err) != survey.NotFound {
		t.Error(err)
	}
	if all, err := keys.List(ctx, db); err != nil || len(all) != 1 || all[0].RevokedAt.IsZero() {
		t.Error(all, err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	db := testkit.DB(t)
	for name, o := range map[string]keys.Options{
		"scope": {Scopes: []keys.Scope{"everything"}}, "origin": {Origins: []string{"example.org"}}, "path": {Origins: []string{"https://example.org/a"}},
		"quota": {PerMinute: -1}, "credits": {Credits: -1},
	} {
		if _, _, err := keys.Create(t.Context(), db, "x", o, now); survey.KindOf(err) != survey.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := keys.Create(t.Context(), db, "", keys.Options{}, now); survey.KindOf(err) != survey.Invalid {
		t.Error(err)
	}
	k, _, err := keys.Create(t.Context(), db, "x", keys.Options{Origins: []string{"https://Example.org/"}}, now)
	if err != nil || !k.AllowsOrigin("https://example.org") || k.AllowsOrigin("") || k.AllowsOrigin("https://example.org.evil") {
		t.Error(k, err)
	}
}

// However many spend at once, the balance never goes below zero, and the statement adds up to it.
func TestABalanceIsNeverOverspent(t *testing.T) {
	db, ctx := testkit.DB(t), t.Context()
	k, _, err := keys.Create(ctx, db, "x", keys.Options{Credits: 25}, now)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			_, err := keys.Credit(ctx, db, k.ID, -4, fmt.Sprint("charge ", i), now)
			if err != nil && survey.KindOf(err) != survey.Conflict {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, err := keys.Get(ctx, db, k.ID)
	if err != nil || got.Credits != 1 {
		t.Fatal(got.Credits, err)
	}
	st, err := keys.Statement(ctx, db, k.ID, 100)
	var sum int64
	for _, e := range st {
		sum += e.Amount
	}
	if err != nil || sum != 1 || len(st) != 7 || st[0].Balance != 1 {
		t.Fatal(st, err)
	}
}

func TestUseIsCountedByDay(t *testing.T) {
	db, ctx := testkit.DB(t), t.Context()
	k, _, err := keys.Create(ctx, db, "x", keys.Options{}, now)
	if err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	for i, at := range []time.Time{now, now.Add(time.Minute), now.Add(13 * time.Hour), now} {
		err := db.Tx(context.Background(), func(tx *state.Tx) error {
			if _, err := keys.Used(ctx, tx, k.ID, 1, 10, 2, at); err != nil {
				return err
			}
			if i == 3 {
				return boom // rolled back: not counted
			}
			return nil
		})
		if err != nil && !errors.Is(err, boom) {
			t.Fatal(err)
		}
	}
	days, err := keys.Usage(ctx, db, k.ID, 90)
	if err != nil || len(days) != 2 || days[0].Requests != 1 || days[1] != (keys.Day{Day: "2026-06-01", Requests: 2, Frames: 20, Credits: 4}) {
		t.Fatal(days, err)
	}
}
