package registrar_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/cmd/roadcomb-iceberg/internal/registrar"
	"github.com/roadcomb/roadcomb/datasets/snapshot"
)

func TestExitCodesSayWhatIsWrong(t *testing.T) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	public := base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
	other := base64.StdEncoding.EncodeToString(make([]byte, ed25519.PublicKeySize))
	write := func(manifest []byte, signature []byte) string {
		dir := t.TempDir()
		for name, b := range map[string][]byte{snapshot.FileName: manifest, snapshot.SignatureFileName: signature} {
			if b != nil {
				if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
		return dir
	}
	manifest, err := snapshot.Snapshot{Format: snapshot.Format, Datasets: map[string]snapshot.Dataset{}}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	signed := write(manifest, snapshot.Sign(manifest, key))
	lost, err := snapshot.Snapshot{Format: snapshot.Format, Datasets: map[string]snapshot.Dataset{"frames": {Files: []snapshot.File{{Version: 1, Path: "frames/v1/x.parquet"}}}}}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"signed":               {[]string{"--data", signed, "--key", public}, registrar.ExitOK, ""},
		"signed by another":    {[]string{"--data", signed, "--key", other}, registrar.ExitInput, "another key"},
		"not signed":           {[]string{"--data", write(manifest, nil), "--key", public}, registrar.ExitInput, "not signed"},
		"not signed, no key":   {[]string{"--data", write(manifest, nil)}, registrar.ExitOK, ""},
		"no snapshot":          {[]string{"--data", t.TempDir()}, registrar.ExitInput, "snapshot.json"},
		"of the future":        {[]string{"--data", write([]byte(`{"format":"roadcomb-snapshot/9"}`), nil)}, registrar.ExitInput, "newer roadcomb"},
		"a file that is gone":  {[]string{"--data", write(lost, nil)}, registrar.ExitInput, "frames/v1/x.parquet"},
		"by its name":          {[]string{"sync", "--data", signed, "--key", public}, registrar.ExitOK, ""},
		"a verb that is none":  {[]string{"sink"}, registrar.ExitUsage, "sync"},
		"a key that is none":   {[]string{"--data", signed, "--key", "x"}, registrar.ExitInput, "--key"},
		"a folder that is not": {[]string{"--data", filepath.Join(signed, "nowhere")}, registrar.ExitUsage, "nowhere"},
		"no keys of the store": {[]string{"--home", signed}, registrar.ExitInput, "ROADCOMB_S3_KEY"},
	} {
		var out, errs bytes.Buffer
		if code := registrar.Run(t.Context(), c.args, &out, &errs); code != c.code || !strings.Contains(errs.String(), c.says) {
			t.Errorf("%s: exit %d, want %d: %s", name, code, c.code, &errs)
		}
	}
}

func TestItGoesOnUntilStopped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan int, 1)
	go func() {
		var out, errs bytes.Buffer
		done <- registrar.Run(ctx, []string{"--data", t.TempDir(), "--every", "1ms"}, &out, &errs) // nothing there yet: it waits
	}()
	select {
	case code := <-done:
		t.Fatalf("it ended by itself: %d", code)
	case <-time.After(50 * time.Millisecond):
	}
	stop()
	if code := <-done; code != registrar.ExitOK {
		t.Errorf("exit %d", code)
	}
}

func TestItDocumentsItself(t *testing.T) {
	for verb, want := range map[string]string{
		"version":         "revision ",
		"man":             `roadcomb-iceberg \- Register a network's datasets as Apache Iceberg tables` + "\n",
		"completion bash": "--every",
		"completion zsh":  "#compdef roadcomb-iceberg\n",
		"completion fish": "-l every -r",
	} {
		var out, errs bytes.Buffer
		if code := registrar.Run(t.Context(), strings.Fields(verb), &out, &errs); code != registrar.ExitOK || !strings.Contains(out.String(), want) {
			t.Errorf("%s: exit %d: %s%s", verb, code, &out, &errs)
		}
	}
}
