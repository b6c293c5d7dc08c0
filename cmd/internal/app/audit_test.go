package app

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/operators"
	"github.com/roadcomb/roadcomb/pkg/state"
)

// Whoever can write to the database can cut the end off the audit log and set its head back, so that the chain is whole
// again. The head that the last tick kept in the object store gives it away.
func TestAnAuditLogThatWasCutOffIsNoticed(t *testing.T) {
	ctx := context.WithoutCancel(t.Context())
	home := t.TempDir()
	set := settings{Home: home, S3Listen: "127.0.0.1:0", Models: t.TempDir()}
	goHome(t)
	p, err := openPlatform(ctx, set, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	closed := false
	defer func() {
		if !closed {
			p.close()
		}
	}()
	act := func(name string) {
		t.Helper()
		o := operators.New(p.db, operators.Config{})
		if err := o.Do(ctx, httpx.Actor{Name: "eve", Role: httpx.RoleAdmin, Via: "shell"}, httpx.Act{Name: name}, func() (string, error) { return "", nil }); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now().UTC()
	if err := p.tick(ctx, now); err != nil { // nothing was done yet
		t.Fatal(err)
	}
	act("look")
	before, err := operators.CurrentHead(ctx, p.db)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.tick(ctx, now); err != nil {
		t.Fatal(err)
	}
	act("steal")
	for range 2 { // the same head twice is fine
		if err := p.tick(ctx, now); err != nil {
			t.Fatal(err)
		}
	}
	verify := func(args ...string) (int, string) {
		return run(t, append([]string{"audit", "verify", "--home", home, "--s3", p.s3.Endpoint, "--s3-key", p.secrets.S3Key, "--s3-secret", p.secrets.S3Secret.Reveal()}, args...)...)
	}
	if code, out := verify(); code != 0 {
		t.Fatal(code, out)
	}
	cut := func(tx *state.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM audit WHERE seq > $1`, before.Seq); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE audit_head SET seq = $1, hash = $2`, before.Seq, before.Hash)
		return err
	}
	if err := p.db.Tx(ctx, cut); err != nil {
		t.Fatal(err)
	}
	if code, out := verify("--local"); code != 0 {
		t.Fatal("the chain by itself does not show it:", code, out)
	}
	if code, out := verify(); code != ExitInternal || !strings.Contains(out, "was kept elsewhere") {
		t.Fatal("not noticed:", code, out)
	}
	// Other acts in their place are noticed by the next tick already.
	act("sing")
	if err := p.tick(ctx, now); err == nil || !strings.Contains(err.Error(), "audit log") {
		t.Error("the tick did not notice:", err)
	}
	closed = true
	if err := p.close(); err != nil {
		t.Fatal(err)
	}
	// Also with the network at rest.
	if code, out := run(t, "audit", "verify", "--home", home, "--s3-listen", "127.0.0.1:0"); code != ExitInternal || !strings.Contains(out, "audit log") {
		t.Fatal(code, out)
	}
}
