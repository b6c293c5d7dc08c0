package clidoc_test

import (
	"bytes"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/roadcomb/roadcomb/cmd/internal/clidoc"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

type cli struct {
	clidoc.Verbs
	Log  string `help:"How much to say." env:"DEMO_LOG"`
	Keys struct {
		Add struct {
			Name  string `arg:"" help:"Whose key."`
			Force bool   `help:"Don't ask; 'yes' to all."`
		} `cmd:"" help:"Make a key."`
		List struct{} `cmd:"" help:"List keys."`
	} `cmd:"" help:"Keys."`
	Secret struct{} `cmd:"" hidden:""`
}

func demo(t *testing.T) *kong.Kong {
	t.Helper()
	k, err := kong.New(&cli{}, kong.Name("demo"), kong.Description("A demo.\n\n.not a macro"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestTheManualNamesEveryCommandAndOption(t *testing.T) {
	var b bytes.Buffer
	if err := clidoc.Man(&b, demo(t), "1.0"); err != nil {
		t.Fatal(err)
	}
	got := b.String()
	for _, want := range []string{".TH DEMO 1", ".SS demo keys add <name>", `.B \-\-force`, `.B \-\-log=STRING`, ".B DEMO_LOG", `\&.not a macro`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "secret") {
		t.Error("tells of a hidden command")
	}
}

func TestBashCompletesCommandsAndOptions(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash")
	}
	var b bytes.Buffer
	if err := clidoc.Completion(&b, demo(t), "bash"); err != nil {
		t.Fatal(err)
	}
	complete := func(words ...string) []string {
		script := b.String() + "\nCOMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _demo; printf '%s\\n' \"${COMPREPLY[@]}\""
		out, err := exec.Command(bash, append([]string{"-c", script, "bash", "demo"}, words...)...).CombinedOutput()
		if err != nil {
			t.Fatal(err, string(out))
		}
		return strings.Fields(string(out))
	}
	for _, c := range []struct{ words, want []string }{
		{[]string{"k"}, []string{"keys"}},
		{[]string{"keys", ""}, []string{"add", "list", "--help", "--log"}},
		{[]string{"keys", "add", "anna", "--f"}, []string{"--force"}},
		{[]string{"--log", "x", "keys", "l"}, []string{"list"}},
	} {
		got := complete(c.words...)
		for _, w := range c.want {
			if !slices.Contains(got, w) {
				t.Errorf("%q completes to %v, without %s", c.words, got, w)
			}
		}
	}
	for _, shell := range []string{"zsh", "fish"} {
		b.Reset()
		if err := clidoc.Completion(&b, demo(t), shell); err != nil || !strings.Contains(b.String(), "force") || strings.Contains(b.String(), "funcstack") != (shell == "zsh") {
			t.Error(shell, err)
		}
	}
	if err := clidoc.Completion(&b, demo(t), "cmd.exe"); survey.KindOf(err) != survey.Invalid {
		t.Error(err)
	}
}

func TestEveryProgramHasTheVerbs(t *testing.T) {
	var out bytes.Buffer
	k, err := kong.New(&cli{}, kong.Name("demo"), kong.Writers(&out, &out), kong.Vars{"version": "7.8"})
	if err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		out.Reset()
		ctx, err := k.Parse(args)
		if err == nil {
			err = ctx.Run()
		}
		if err != nil {
			t.Fatal(args, err)
		}
		return out.String()
	}
	if got := run("man"); !strings.Contains(got, `"demo 7.8"`) || !strings.Contains(got, ".SS demo completion <shell>") {
		t.Error(got)
	}
	fish := run("completion", "fish")
	for _, want := range []string{
		"complete -c demo -l log -r -d 'How much to say.'\n", // wherever it stands
		"complete -c demo -n '__fish_seen_subcommand_from keys; and __fish_seen_subcommand_from add' -l force -d 'Don\\'t ask; \\'yes\\' to all.'\n",
	} {
		if !strings.Contains(fish, want) {
			t.Errorf("no %q in\n%s", want, fish)
		}
	}
	if _, err := k.Parse([]string{"completion", "cmd.exe"}); err == nil {
		t.Error("completes for cmd.exe")
	}
	if got := clidoc.Revision("abc"); got == "" || got == "unknown" {
		t.Errorf("of a program linked with a commit: %q", got)
	}
}

func TestTheManualSaysWhereACommandMayBeLeftOut(t *testing.T) {
	var c struct {
		Go  struct{} `cmd:"" default:"1"`
		Not struct{} `cmd:""`
	}
	k, err := kong.New(&c, kong.Name("demo"))
	if err != nil {
		t.Fatal(err)
	}
	var b, always bytes.Buffer
	if err := errors.Join(clidoc.Man(&b, k, ""), clidoc.Man(&always, demo(t), "")); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), ".B demo\n[\\fIcommand\\fR]\n") || !strings.Contains(always.String(), ".B demo\n.I command\n") {
		t.Error(b.String())
	}
}
