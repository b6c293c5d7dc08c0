package survey_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

func ExampleSecret() {
	s := survey.Secret("correct horse")
	fmt.Printf("%v %q %#v\n", s, s, s)
	fmt.Println(s.Reveal())
	// Output:
	// [redacted] [redacted] [redacted]
	// correct horse
}

func TestASecretIsNeverWritten(t *testing.T) {
	const hidden = "correct-horse"
	type settings struct {
		Name string
		Key  survey.Secret
		Keys []survey.Secret
		By   map[string]survey.Secret
		At   *survey.Secret
	}
	type element struct{ Key survey.Secret }
	k := survey.Secret(hidden)
	v := settings{"n", k, []survey.Secret{k}, map[string]survey.Secret{"a": k}, &k}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%40.3s", "%T"} {
		fmt.Fprintf(&out, verb+"\n", v)
		fmt.Fprintf(&out, verb+"\n", k)
		fmt.Fprintf(&out, verb+"\n", &k)
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).With("with", k).Info("m", "k", k, "p", &k, "v", v, slog.Group("g", "k", k))
	}
	for _, enc := range []func() ([]byte, error){
		func() ([]byte, error) { return json.Marshal(v) },
		func() ([]byte, error) { return xml.Marshal(element{k}) },
	} {
		b, err := enc()
		if err != nil {
			t.Fatal(err)
		}
		out.Write(b)
	}
	fmt.Fprintln(&out, fmt.Errorf("open %s: %v", k, v))
	if got := out.String(); strings.Contains(got, hidden) || strings.Contains(got, fmt.Sprintf("%x", hidden)) || !strings.Contains(got, survey.Redacted) {
		t.Errorf("written: %s", got)
	}
	if survey.Secret("").String() != "" || k.Reveal() != hidden {
		t.Error("an empty secret shows something, or Reveal does not")
	}
}
