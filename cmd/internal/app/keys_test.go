package app

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/tiles/api/keys"
	"github.com/roadcomb/roadcomb/tiles/build"
)

func TestCustomersKeysAreMadeChargedAndRevokedOnTheCommandLine(t *testing.T) {
	home := t.TempDir()
	ok := func(args ...string) string {
		t.Helper()
		code, out := run(t, append([]string{"keys", args[0], "--home", home}, args[1:]...)...)
		if code != ExitOK {
			t.Fatalf("%v: exit code %d\n%s", args, code, out)
		}
		return out
	}
	m := regexp.MustCompile(`(?m)^id: (\S+)\nkey: (\S+)$`).FindStringSubmatch(ok("create", "Acme maps", "--scopes", "tiles", "--origins", "https://acme.example", "--per-minute", "7", "--credits", "10", "--expires", "24h"))
	if m == nil {
		t.Fatal("no id and key")
	}
	if out := ok("credit", m[1], "--note", "they paid too much", "--", "-3"); out != "7 credits\n" {
		t.Errorf("%q", out)
	}
	list := func() keys.Key {
		t.Helper()
		out := ok("list", "--json")
		var ks []keys.Key
		if err := json.Unmarshal([]byte(out), &ks); err != nil || len(ks) != 1 || strings.Contains(out, m[2]) {
			t.Fatalf("%v: %s", err, out)
		}
		return ks[0]
	}
	if k := list(); k.ID != m[1] || k.Name != "Acme maps" || len(k.Scopes) != 1 || k.Scopes[0] != keys.Tiles || k.Credits != 7 || !k.RevokedAt.IsZero() {
		t.Errorf("%+v", k)
	}
	ok("revoke", m[1])
	if k := list(); k.RevokedAt.IsZero() {
		t.Errorf("%+v", k)
	}
	if out := ok("list"); !strings.Contains(out, "Acme maps") || !strings.Contains(out, "true") || strings.Contains(out, m[2]) {
		t.Error(out)
	}
	// What was done stands in the audit log, without the secret.
	db, err := state.Open(t.Context(), "sqlite:"+filepath.Join(home, "state.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var acts, secrets int
	if err := db.QueryRow(t.Context(), `SELECT COUNT(*), SUM(CASE WHEN target || note LIKE '%' || $1 || '%' THEN 1 ELSE 0 END) FROM audit WHERE of_seq = 0 AND act IN ('create-key', 'credit-key', 'revoke-key')`, m[2]).Scan(&acts, &secrets); err != nil || acts != 3 || secrets != 0 {
		t.Errorf("%d acts, %d with the secret: %v", acts, secrets, err)
	}
	for _, args := range [][]string{{"create", "x", "--scopes", "everything"}, {"revoke", "nobody"}, {"credit", m[1], "5"}} {
		if code, out := run(t, append(append([]string{"keys"}, args...), "--home", home)...); code != ExitUsage && code != ExitInput {
			t.Errorf("%v: exit code %d\n%s", args, code, out)
		}
	}
}

func TestTilesAreBuiltOfFilesOnTheCommandLine(t *testing.T) {
	dir := t.TempDir()
	points, out := filepath.Join(dir, "points.geojsonl"), filepath.Join(dir, "town.pmtiles")
	if err := os.WriteFile(points, []byte(`{"type":"Feature","geometry":{"type":"Point","coordinates":[7.42,43.73]},"properties":{"name":"harbour"}}
{"type":"Feature","geometry":null,"properties":{}}
{"type":"Feature","geometry":{"type":"Point","coordinates":[7.43,43.74]},"properties":{"name":"casino"}}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	code, text := run(t, "tiles", "build", "--layer", "places="+points, "--out", out, "--max-zoom", "10", "--json")
	var r build.Report
	if err := json.Unmarshal([]byte(text), &r); code != ExitOK || err != nil || r.Layers["places"].Features != 2 || r.Layers["places"].Skipped != 1 || r.Tiles < 11 {
		t.Fatalf("%d %v: %s", code, err, text)
	}
	if st, err := os.Stat(out); err != nil || st.Size() != r.Bytes {
		t.Errorf("%v, want %d bytes: %v", st, r.Bytes, err)
	}
	if code, text := run(t, "tiles", "build", "--layer", "places="+points, "--out", out); code != ExitOK || !strings.Contains(text, "places: 2 features, 1 without geometry, 0 left out") {
		t.Errorf("%d %s", code, text)
	}
	for _, c := range []struct {
		layer string
		code  int
	}{{"places=", ExitUsage}, {"places=" + filepath.Join(dir, "none"), ExitInput}} {
		if code, text := run(t, "tiles", "build", "--layer", c.layer, "--out", out); code != c.code || !strings.Contains(text, "places") && !strings.Contains(text, "none") {
			t.Errorf("%s: %d %s", c.layer, code, text)
		}
	}
}
