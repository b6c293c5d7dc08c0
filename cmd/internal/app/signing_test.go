package app

import (
	"bytes"
	"encoding/base64"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/survey"
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
	if err := p.close(); err != nil {
		t.Fatal(err)
	}

	var out, errs bytes.Buffer
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
