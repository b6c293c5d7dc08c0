package app

import (
	"bytes"
	"encoding/base64"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards/record"
)

func TestOneKeySignsForANetwork(t *testing.T) {
	home, models := t.TempDir(), t.TempDir()
	open := func(set settings) (*platform, string) {
		t.Helper()
		var logs bytes.Buffer
		set.S3Listen, set.Models = "127.0.0.1:0", models
		goHome(t)
		p, err := openPlatform(t.Context(), set, slog.New(slog.NewTextHandler(&logs, nil)))
		if err != nil {
			t.Fatal(err)
		}
		return p, logs.String()
	}
	p, logs := open(settings{Home: home})
	if p.signing == nil || p.datasets.Key == nil || strings.Contains(logs, "signs no snapshots") {
		t.Fatalf("the first process does not sign: %s", logs)
	}
	seed, public := p.secrets.SigningKey, publicText(p.signing)
	if err := p.close(); err != nil {
		t.Fatal(err)
	}

	// A worker elsewhere: its data folder is its own, the state is the network's.
	elsewhere := settings{Home: t.TempDir(), State: survey.Secret("sqlite:" + filepath.Join(home, "state.db"))}
	p, logs = open(elsewhere)
	if p.signing != nil || p.datasets.Key != nil || !strings.Contains(logs, "ROADCOMB_SIGNING_KEY") {
		t.Errorf("a worker signs with a key of its own: %s", logs)
	}
	other := p.secrets.SigningKey
	if err := p.close(); err != nil {
		t.Fatal(err)
	}
	elsewhere.SigningKey = seed
	p, _ = open(elsewhere)
	if p.signing == nil || publicText(p.signing) != public {
		t.Error("a worker that was given the key does not sign with it")
	}
	// The worker and the desk use the same key, whichever way they got it; without it they say what to set.
	if err := p.ensureLocal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if us, err := p.rewards.Sign(t.Context(), "admin:root", true); err != nil || len(us) != 0 {
		t.Errorf("unsigned: %v %v", us, err)
	}
	if err := p.close(); err != nil {
		t.Fatal(err)
	}

	var out, errs bytes.Buffer
	desk := func(args ...string) (int, string) {
		out.Reset()
		errs.Reset()
		code := Run(t.Context(), append([]string{"rewards"}, append(args, "--state", elsewhere.State.Reveal())...), strings.NewReader(""), &out, &errs)
		return code, out.String() + errs.String()
	}
	local := string(localContributor)
	if code, text := desk("enrol", local, "--device-key", strings.Repeat("ab", 32), "--reason", "x", "--home", elsewhere.Home); code == ExitOK || !strings.Contains(text, "ROADCOMB_SIGNING_KEY") {
		t.Errorf("the desk signs with a key that is not the network's: %d %s", code, text)
	}
	if code, text := desk("enrol", local, "--device-key", strings.Repeat("ab", 32), "--reason", "x", "--home", elsewhere.Home, "--signing-key", seed.Reveal()); code != ExitOK {
		t.Errorf("the desk with the network's key: %d %s", code, text)
	}
	if code, text := desk("sign", "--home", home); code != ExitOK || out.Len() != 0 {
		t.Errorf("the desk of the network itself finds unsigned: %d %s", code, text)
	}
	run := func(args ...string) string {
		t.Helper()
		out.Reset()
		errs.Reset()
		goHome(t)
		if code := Run(t.Context(), append(args, "--state", elsewhere.State.Reveal(), "--s3-listen", "127.0.0.1:0", "--models", models), strings.NewReader(""), &out, &errs); code != ExitOK {
			t.Fatalf("%v: %d %s", args, code, &errs)
		}
		return strings.TrimSpace(out.String())
	}
	if got := run("datasets", "key", "--home", home); got != public {
		t.Errorf("key %s, want %s", got, public)
	}
	replaced := run("datasets", "key", "--replace", "--home", elsewhere.Home)
	key, err := parseSigningKey(other)
	if err != nil || replaced != publicText(key) || run("datasets", "key", "--home", home) != replaced {
		t.Errorf("replaced by %s: %v", replaced, err)
	}
	goHome(t)
	for _, bad := range []string{"x", base64.StdEncoding.EncodeToString([]byte("short"))} {
		if _, err := openPlatform(t.Context(), settings{Home: home, S3Listen: "127.0.0.1:0", Models: models, SigningKey: survey.Secret(bad)}, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("signing key %q was taken", bad)
		}
	}
}

// The first week of ruleset v2 closes for who runs `roadcomb up`, and pays footage from this machine; a process without the
// network's key stops there and says what to set.
func TestTheLocalContributorIsPaidUnderSignedRules(t *testing.T) {
	home, models := t.TempDir(), t.TempDir()
	start := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	e := survey.EpochOf(start)
	open := func(set settings) *platform {
		t.Helper()
		goHome(t)
		set.S3Listen, set.Models = "127.0.0.1:0", models
		p, err := openPlatform(t.Context(), set, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		p.rewards.Clock = func() time.Time { return e.End().Add(14 * 24 * time.Hour) }
		if err := p.ensureLocal(t.Context()); err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := open(settings{Home: home})
	exec := func(q string, args ...any) {
		t.Helper()
		if _, err := p.db.Exec(t.Context(), q, args...); err != nil {
			t.Fatal(err)
		}
	}
	at := state.Micros(start.Add(time.Hour))
	exec(`INSERT INTO uploads (id, contributor_id, state, options, files, bytes, created_at, completed_at) VALUES ('d', $1, 'settled', '{}', 1, 1, $2, $2)`, string(localContributor), at)
	exec(`INSERT INTO drives (id, upload_id, contributor_id, device_id, state, started_at, ended_at, received_at, frames, parts, distance_mm, manifest_sha256)
		VALUES ('d', 'd', $1, 'x', 'indexed', $2, $2, $2, 1, 1, 1, '')`, string(localContributor), at)
	exec(`INSERT INTO frames (id, drive_id, part, seq, upload_id, path, object, sha256, bytes, captured_at, received_at, lat_e7, lon_e7, cell, width, height, state, quality_ppm)
		VALUES ($1, 'd', 0, 0, 'd', '', '', '', 1, $2, $2, 0, 0, $3, 1, 1, 'published', 800000)`, string(survey.NewFrameID(survey.HashOf([]byte("f")))), at, int64(0x8c1fb46741ae9ff))
	if err := p.close(); err != nil {
		t.Fatal(err)
	}

	keyless := open(settings{Home: t.TempDir(), State: survey.Secret("sqlite:" + filepath.Join(home, "state.db"))})
	var fault *survey.Error
	if err := keyless.rewards.Close(t.Context(), e); survey.KindOf(err) != survey.Unauthorized || !errors.As(err, &fault) || !strings.Contains(fault.Hint, "ROADCOMB_SIGNING_KEY") {
		t.Errorf("closed without the key: %v", err)
	}
	if err := keyless.close(); err != nil {
		t.Fatal(err)
	}

	p = open(settings{Home: home})
	defer p.close()
	if err := p.rewards.Close(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	var earned, held int64
	if err := p.db.QueryRow(t.Context(), `SELECT (SELECT SUM(amount) FROM allocations), (SELECT SUM(held) FROM allocations)`).Scan(&earned, &held); err != nil || earned == 0 || held != 0 {
		t.Errorf("%d paid, %d held: %v", earned, held, err)
	}

	// Whoever has the network's key sees that the week is the network's.
	dir := t.TempDir()
	if err := p.store.List(t.Context(), store.Ledger, "epochs/", func(o store.Info) error {
		return p.copyOut(t.Context(), store.Ledger, o.Key, filepath.Join(dir, filepath.FromSlash(o.Key)))
	}); err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(dir, "epochs", e.String())
	for _, c := range []struct {
		key  string
		code int
		says string
	}{{"", ExitOK, "signed with " + publicText(p.signing)}, {publicText(p.signing), ExitOK, "signed with that key"}, {base64.StdEncoding.EncodeToString(make([]byte, 32)), ExitInput, "another key"}, {"abc", ExitInput, "--key"}} {
		if code, out := run(t, "rewards", "verify", dir, "--key", c.key); code != c.code || !strings.Contains(out, c.says) {
			t.Errorf("with key %q: %d %s", c.key, code, out)
		}
	}
	if err := os.Remove(filepath.Join(dir, record.SignatureName)); err != nil {
		t.Fatal(err)
	}
	if code, out := run(t, "rewards", "verify", dir, "--key", publicText(p.signing)); code == ExitOK || !strings.Contains(out, "not signed") {
		t.Errorf("without a signature: %d %s", code, out)
	}
	if code, out := run(t, "rewards", "verify", dir); code != ExitOK || !strings.Contains(out, "not signed") {
		t.Errorf("without a signature, and none asked for: %d %s", code, out)
	}
}
