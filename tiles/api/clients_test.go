package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/tiles/api/keys"
)

// The OpenAPI document passes a linter, and the clients that generators make of it do what the documentation's examples
// say.
func TestGeneratedClientsRunAsDocumented(t *testing.T) {
	if os.Getenv("ROADCOMB_INTEROP_CLIENTS") == "" {
		t.Skip("set ROADCOMB_INTEROP_CLIENTS=1: it needs npm and the Go module proxy")
	}
	s, srv := served(t, keys.Options{Credits: 10_000, PerMinute: 1000})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	at := s.Signs[0].Point
	cmd := exec.CommandContext(ctx, "bash", filepath.Join(dir, "interop", "clients", "clients.sh"), srv.URL, s.secret, fmt.Sprint(at.Lon), fmt.Sprint(at.Lat))
	cmd.Stderr = os.Stderr
	said, err := cmd.Output()
	t.Logf("%s", said)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d examples said something", len(lines))
	}
	for _, l := range lines {
		var got struct {
			Found, Frames, Signs int
			Image                string
		}
		if err := json.Unmarshal([]byte(l), &got); err != nil || got.Found < 21 || got.Frames != got.Found || got.Image != "image/jpeg" || got.Signs == 0 {
			t.Errorf("%s: %v", l, err)
		}
	}
	// Both asked for the same cells and weeks: the second paid nothing.
	st, err := keys.Statement(t.Context(), s.db, s.key.ID, 100)
	if err != nil || len(st) < 2 || len(st) > 6 {
		t.Errorf("%d entries: %v", len(st), err)
	}
}

// The documentation shows the examples that are run.
func TestTheDocumentationShowsTheExamplesThatAreRun(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"client.ts", "go/main.go"} {
		b, err := os.ReadFile(filepath.Join(dir, "interop", "clients", name))
		if err != nil {
			t.Fatal(err)
		}
		b = bytes.TrimPrefix(b, []byte("//go:build ignore\n\n"))
		if !bytes.Contains(doc, b) {
			t.Errorf("README.md does not hold interop/clients/%s as it is", name)
		}
	}
}
