package app

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	ingestapi "github.com/roadcomb/roadcomb/ingest/api"
)

func TestDriversAreRegisteredLimitedAndBlockedOnTheCommandLine(t *testing.T) {
	home := t.TempDir()
	run := func(want int, args ...string) string {
		t.Helper()
		var out, err bytes.Buffer
		if got := Run(t.Context(), append(append([]string{"contributors"}, args...), "--home", home), nil, &out, &err); got != want {
			t.Fatalf("%v: exit code %d, want %d\n%s%s", args, got, want, &out, &err)
		}
		return out.String()
	}
	form := regexp.MustCompile(`^id: ([0-9a-f]{32})\ntoken: (rcd_\S{43})\n$`)
	m := form.FindStringSubmatch(run(ExitOK, "add", "Anna"))
	if m == nil {
		t.Fatal("no id and token")
	}
	list := func() ingestapi.Member {
		t.Helper()
		var ms []ingestapi.Member
		if err := json.Unmarshal([]byte(run(ExitOK, "list", "--json")), &ms); err != nil || len(ms) != 1 {
			t.Fatal(len(ms), err)
		}
		return ms[0]
	}
	run(ExitOK, "limit", m[1], "--day-bytes", "1000")
	run(ExitOK, "block", m[1])
	if a := list(); string(a.ID) != m[1] || a.Handle != "Anna" || a.BlockedAt == nil || a.Limits.DayBytes != 1000 || a.Uploads != 0 {
		t.Fatalf("%+v", a)
	}
	run(ExitOK, "unblock", m[1])
	if a := list(); a.BlockedAt != nil || a.Limits.DayBytes != 1000 {
		t.Fatalf("%+v", a)
	}
	if n := form.FindStringSubmatch(run(ExitOK, "token", m[1])); n == nil || n[1] != m[1] || n[2] == m[2] {
		t.Fatal("no new token")
	}
	if out := run(ExitOK, "list"); !strings.Contains(out, "Anna") || strings.Contains(out, "rcd_") {
		t.Fatal(out)
	}
	run(ExitInput, "add", "a\nb")
	run(ExitInput, "block", strings.Repeat("0", 32))
}
