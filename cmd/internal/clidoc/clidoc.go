// Package clidoc writes what a command line's users expect beside --help, from the command line's own declaration: a
// manual page and completions for shells. Nothing is written by hand, so nothing goes stale.
package clidoc

import (
	"cmp"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Shells that Completion knows.
var Shells = []string{"bash", "zsh", "fish"}

// Verbs are those of every program's command line, which embeds them. They print to its standard output; the version on the
// manual page is kong's variable "version".
type Verbs struct {
	Completion completionCmd `cmd:"" help:"Print a script that completes this command line in a shell."`
	Man        manCmd        `cmd:"" help:"Print the manual page."`
}

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

func (completionCmd) Help() string {
	return "For bash: save it in /etc/bash_completion.d."
}

func (c completionCmd) Run(k *kong.Kong) error { return Completion(k.Stdout, k, c.Shell) }

type manCmd struct{}

func (manCmd) Help() string { return "To read it, pipe it to man -l -." }

func (manCmd) Run(k *kong.Kong, vars kong.Vars) error { return Man(k.Stdout, k, vars["version"]) }

// Revision is the commit that this program was built of: what the go command saw of the repository or else linked, which is
// what was set at link time; "unknown" if neither says.
func Revision(linked string) string {
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, s := range b.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return cmp.Or(linked, "unknown")
}

// command is a leaf or a group of the command line.
type command struct {
	words []string // of its path, without the program's name
	node  *kong.Node
}

// commands are all visible commands, depth first in their order, the program itself first.
func commands(app *kong.Application) []command {
	var out []command
	var walk func(n *kong.Node, words []string)
	walk = func(n *kong.Node, words []string) {
		out = append(out, command{words, n})
		for _, c := range n.Children {
			if !c.Hidden {
				walk(c, append(slices.Clone(words), c.Name))
			}
		}
	}
	walk(app.Node, nil)
	return out
}

// flags are the visible flags of a command itself.
func flags(n *kong.Node) []*kong.Flag {
	var out []*kong.Flag
	for _, f := range n.Flags {
		if !f.Hidden {
			out = append(out, f)
		}
	}
	return out
}

// Man writes a manual page of section 1 in man(7).
func Man(w io.Writer, k *kong.Kong, version string) error {
	var b strings.Builder
	name := k.Model.Name
	fmt.Fprintf(&b, ".\\\" Written by %s man.\n.TH %s 1 \"\" \"%s %s\" \"User Commands\"\n", name, strings.ToUpper(name), roff(name), roff(version))
	first, _, _ := strings.Cut(k.Model.Help, "\n")
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", name, roff(strings.TrimSuffix(first, ".")))
	command := ".I command"
	if k.Model.DefaultCmd != nil {
		command = `[\fIcommand\fR]`
	}
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n%s\n[\\fIoption\\fR ...] [\\fIargument\\fR ...]\n", name, command)
	fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n", paragraphs(k.Model.Help))
	fmt.Fprintf(&b, ".SH OPTIONS OF EVERY COMMAND\n")
	for _, f := range flags(k.Model.Node) {
		manFlag(&b, f)
	}
	fmt.Fprintf(&b, ".SH COMMANDS\n")
	env := map[string]string{}
	note := func(n *kong.Node) {
		for _, f := range flags(n) {
			for _, e := range f.Envs {
				env[e] = "--" + f.Name
			}
		}
	}
	note(k.Model.Node)
	for _, c := range commands(k.Model)[1:] {
		if !c.node.Leaf() && len(c.node.Flags) == 0 {
			continue
		}
		args := ""
		for _, p := range c.node.Positional {
			args += " " + p.Summary()
		}
		fmt.Fprintf(&b, ".SS %s %s\n%s\n", name, roff(strings.Join(c.words, " ")+args), paragraphs(c.node.Help))
		if c.node.Detail != "" {
			fmt.Fprintf(&b, ".PP\n%s\n", paragraphs(c.node.Detail))
		}
		for _, p := range c.node.Positional {
			if p.Help != "" {
				fmt.Fprintf(&b, ".TP\n.I %s\n%s\n", roff(p.Name), paragraphs(p.Help))
			}
		}
		for _, f := range flags(c.node) {
			manFlag(&b, f)
		}
		note(c.node)
	}
	if len(env) > 0 {
		fmt.Fprintf(&b, ".SH ENVIRONMENT\nEach of these sets the option beside it; the option wins.\n")
		names := make([]string, 0, len(env))
		for e := range env {
			names = append(names, e)
		}
		slices.Sort(names)
		for _, e := range names {
			fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(e), roff(env[e]))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func manFlag(b *strings.Builder, f *kong.Flag) {
	fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(f.String()), paragraphs(f.Help))
	if f.HasDefault && f.Default != "" {
		fmt.Fprintf(b, "Default: %s.\n", roff(f.Default))
	}
}

var escaper = strings.NewReplacer(`\`, `\e`, "-", `\-`)

// roff is one line of plain text.
func roff(s string) string {
	s = escaper.Replace(strings.Join(strings.Fields(s), " "))
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}

// paragraphs is text whose paragraphs are separated by empty lines.
func paragraphs(s string) string {
	var out []string
	for _, p := range strings.Split(s, "\n\n") {
		if p = roff(p); p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, "\n.PP\n")
}

// Completion writes a script that completes commands and options, and file names where neither fits.
func Completion(w io.Writer, k *kong.Kong, shell string) error {
	var b strings.Builder
	name := k.Model.Name
	switch shell {
	case "bash", "zsh":
		if shell == "zsh" {
			fmt.Fprintf(&b, "#compdef %s\nautoload -U +X bashcompinit && bashcompinit\n", name)
		}
		fmt.Fprintf(&b, "# Written by %s completion %s.\n_%s() {\n  local cur=${COMP_WORDS[COMP_CWORD]} path= i w words=\n", name, shell, name)
		// The longest path of commands among the words before the cursor.
		fmt.Fprintf(&b, "  for ((i = 1; i < COMP_CWORD; i++)); do\n    w=${COMP_WORDS[i]}\n    case \"$path $w\" in\n")
		all := commands(k.Model)
		for _, c := range all[1:] {
			fmt.Fprintf(&b, "      %q) path=%q ;;\n", " "+strings.Join(c.words, " "), " "+strings.Join(c.words, " "))
		}
		fmt.Fprintf(&b, "    esac\n  done\n  case \"$path\" in\n")
		for _, c := range all {
			path := ""
			if len(c.words) > 0 {
				path = " " + strings.Join(c.words, " ")
			}
			fmt.Fprintf(&b, "    %q) words=%q ;;\n", path, strings.Join(wordsOf(k.Model, c.node), " "))
		}
		fmt.Fprintf(&b, "  esac\n  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n  [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- \"$cur\"))\n}\ncomplete -o filenames -F _%s %s\n", name, name)
		if shell == "zsh" { // where zsh loaded this file as the function, that call is itself a request to complete
			fmt.Fprintf(&b, "[ \"${funcstack[1]}\" != _%s ] || _bash_complete -o filenames -F _%s\n", name, name)
		}
	case "fish":
		fmt.Fprintf(&b, "# Written by %s completion fish.\n", name)
		for _, c := range commands(k.Model) {
			cond := "__fish_use_subcommand"
			if len(c.words) > 0 {
				var seen []string
				for _, word := range c.words {
					seen = append(seen, "__fish_seen_subcommand_from "+word)
				}
				cond = strings.Join(seen, "; and ")
			}
			for _, sub := range c.node.Children {
				if !sub.Hidden {
					fmt.Fprintf(&b, "complete -c %s -n %s -f -a %s -d %s\n", name, quote(cond), sub.Name, quote(sub.Help))
				}
			}
			where := " -n " + quote(cond)
			if len(c.words) == 0 { // those of every command
				where = ""
			}
			for _, f := range flags(c.node) {
				value := ""
				if !f.IsBool() {
					value = " -r"
				}
				fmt.Fprintf(&b, "complete -c %s%s -l %s%s -d %s\n", name, where, f.Name, value, quote(f.Help))
			}
		}
	default:
		return survey.Errorf(survey.Invalid, "no completion for the shell %q", shell).WithHint("the shells are %v", Shells)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// wordsOf are what may follow a command: its commands, its options and those of every command.
func wordsOf(app *kong.Application, n *kong.Node) []string {
	var out []string
	for _, c := range n.Children {
		if !c.Hidden {
			out = append(out, c.Name)
		}
	}
	for _, f := range flags(n) {
		out = append(out, "--"+f.Name)
	}
	if n != app.Node {
		for _, f := range flags(app.Node) {
			out = append(out, "--"+f.Name)
		}
	}
	return out
}

func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`, "\n", " ").Replace(s) + "'"
}
