// Package deploy holds files that run roadcomb on servers; its test holds them to the program.
package deploy

import (
	"debug/elf"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

var bin string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "roadcomb-deploy-")
	if err != nil {
		panic(err)
	}
	bin = filepath.Join(dir, "roadcomb")
	for to, pkg := range map[string]string{bin: "..", bin + "-iceberg": "../../roadcomb-iceberg"} {
		if out, err := exec.Command("go", "build", "-o", to, pkg).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
			os.Exit(1)
		}
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// verbs are the ones that the files run; iceberg is the program roadcomb-iceberg.
var verbs = []string{"store", "serve", "work", "tick", "iceberg"}

// program is how a verb is run.
func program(verb string, args ...string) (cmd *exec.Cmd, name string) {
	if verb == "iceberg" {
		return exec.Command(bin+"-iceberg", args...), "roadcomb-iceberg"
	}
	return exec.Command(bin, append([]string{verb}, args...)...), "roadcomb " + verb
}

var (
	flagName = regexp.MustCompile(`--[a-z0-9][a-z0-9-]*`)
	varName  = regexp.MustCompile(`ROADCOMB_[A-Z0-9_]+`)
)

// help gives what the verb's help text names.
func help(t *testing.T, verb string) (flags, vars []string) {
	t.Helper()
	cmd, name := program(verb, "--help")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Usage: "+name) {
		t.Fatalf("%s --help: %v\n%s", name, err, out)
	}
	return flagName.FindAllString(string(out), -1), varName.FindAllString(string(out), -1)
}

// allVars are the variables of all verbs, sorted.
func allVars(t *testing.T) []string {
	all := map[string]bool{}
	for _, v := range verbs {
		_, vars := help(t, v)
		for _, n := range vars {
			all[n] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// checkLine holds one command line, as words after the program's name, to the help of its verb.
func checkLine(t *testing.T, where string, words []string) {
	t.Helper()
	if len(words) == 0 || !slices.Contains(verbs, words[0]) {
		t.Errorf("%s: roadcomb %q is not one of %v", where, words, verbs)
		return
	}
	flags, _ := help(t, words[0])
	for _, w := range words[1:] {
		if f := flagName.FindString(w); f != "" && !slices.Contains(flags, f) {
			t.Errorf("%s: roadcomb %s has no %s", where, words[0], f)
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

type service struct {
	Image       string
	Entrypoint  []string
	Command     []string
	Environment map[string]string
	EnvFile     []string `yaml:"env_file"`
	Build       struct{ Args []string }
	Ports       []string
	NetworkMode string                                `yaml:"network_mode"`
	ReadOnly    bool                                  `yaml:"read_only"`
	DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
	Healthcheck struct{ Test []string }
	Volumes     []string
}

func compose(t *testing.T) (services map[string]service, volumes map[string]any) {
	var f struct {
		Services map[string]service
		Volumes  map[string]any
	}
	if err := yaml.Unmarshal([]byte(read(t, "compose.yaml")), &f); err != nil {
		t.Fatal(err)
	}
	return f.Services, f.Volumes
}

func TestComposeRunsTheProgramAsItIs(t *testing.T) {
	services, volumes := compose(t)
	vars, ran := allVars(t), map[string]int{}
	for name, s := range services {
		for v := range s.Environment {
			if strings.HasPrefix(v, "ROADCOMB_") && !slices.Contains(vars, v) {
				t.Errorf("%s sets %s, which roadcomb does not read", name, v)
			}
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s publishes %s outside loopback", name, p)
			}
		}
		for _, v := range s.Volumes {
			if from, _, _ := strings.Cut(v, ":"); volumes == nil || !has(volumes, from) {
				t.Errorf("%s mounts %s, which is not declared", name, v)
			}
		}
		for on, d := range s.DependsOn {
			if o, ok := services[on]; !ok || d.Condition == "service_healthy" && len(o.Healthcheck.Test) == 0 {
				t.Errorf("%s waits for the health of %s, which says nothing of it", name, on)
			}
		}
		if s.Image != "roadcomb" {
			continue
		}
		if !slices.Equal(s.EnvFile, []string{"roadcomb.env"}) || !s.ReadOnly {
			t.Errorf("%s: env_file %v, read_only %v", name, s.EnvFile, s.ReadOnly)
		}
		if want := []string{"VERSION=${VERSION:-unknown}", "COMMIT=${COMMIT:-}"}; !slices.Equal(s.Build.Args, want) {
			t.Errorf("%s: the image is built with %v", name, s.Build.Args)
		}
		words := s.Command
		if slices.Contains(s.Entrypoint, "roadcomb-iceberg") {
			words = append([]string{"iceberg"}, words...)
		} else if len(s.Entrypoint) > 0 { // a shell line
			_, line, _ := strings.Cut(strings.Join(s.Command, " "), "roadcomb ")
			line, _, _ = strings.Cut(line, " ||")
			words = strings.Fields(line)
		}
		checkLine(t, name, words)
		if len(words) > 0 {
			ran[words[0]]++
			if words[0] == "iceberg" && s.Environment["ROADCOMB_S3"] == "" || words[0] != "store" && words[0] != "iceberg" && (s.Environment["ROADCOMB_STATE"] == "" || s.Environment["ROADCOMB_S3"] == "") {
				t.Errorf("%s does not say where state and objects are", name)
			}
			if i := slices.Index(words, "--listen"); s.NetworkMode == "host" && (i < 0 || !strings.HasPrefix(words[i+1], "127.0.0.1:")) {
				t.Errorf("%s listens outside loopback: %v", name, words)
			}
		}
	}
	if !maps.Equal(ran, map[string]int{"store": 1, "serve": 1, "work": 2, "tick": 1, "iceberg": 1}) {
		t.Errorf("services: %v", ran)
	}
	secret := regexp.MustCompile(`(?i)(?:^ *\w*(?:password|secret|s3_key): *|//\w+:)(\D.*)`)
	for _, line := range strings.Split(read(t, "compose.yaml"), "\n") { // a secret's value is always ${…}
		if m := secret.FindStringSubmatch(line); m != nil && !strings.HasPrefix(m[1], "${") {
			t.Errorf("a secret: %s", line)
		}
	}
}

func has(m map[string]any, k string) bool { _, ok := m[k]; return ok }

func TestUnitsRunTheProgramAsItIs(t *testing.T) {
	units, err := filepath.Glob("*.service")
	if err != nil || len(units) != len(verbs) {
		t.Fatalf("units: %v %v", units, err)
	}
	vars := allVars(t)
	for _, u := range units {
		set := map[string][]string{}
		for _, line := range strings.Split(read(t, u), "\n") {
			if k, v, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
				set[k] = append(set[k], v)
			}
		}
		line := strings.Join(set["ExecStart"], "\n")
		line = strings.Replace(line, "/opt/roadcomb/roadcomb-iceberg ", "/opt/roadcomb/roadcomb iceberg ", 1)
		line, ok := strings.CutPrefix(line, "/opt/roadcomb/roadcomb ")
		if !ok {
			t.Errorf("%s: ExecStart=%v", u, set["ExecStart"])
		}
		checkLine(t, u, strings.Fields(line))
		if verb := strings.FieldsFunc(strings.TrimPrefix(u, "roadcomb-"), func(r rune) bool { return r == '@' || r == '.' })[0]; !strings.HasPrefix(line, verb) {
			t.Errorf("%s runs %s", u, line)
		}
		for _, v := range varName.FindAllString(strings.Join(set["Environment"], " "), -1) {
			if !slices.Contains(vars, v) {
				t.Errorf("%s sets %s, which roadcomb does not read", u, v)
			}
		}
		for k, want := range map[string]string{
			"EnvironmentFile": "/etc/roadcomb/roadcomb.env", "NoNewPrivileges": "yes", "ProtectSystem": "strict",
			"ProtectHome": "yes", "PrivateTmp": "yes", "StateDirectoryMode": "0700", "CapabilityBoundingSet": "",
		} {
			if !slices.Equal(set[k], []string{want}) {
				t.Errorf("%s: %s=%v, not %q", u, k, set[k], want)
			}
		}
		if set["StateDirectory"] == nil || set["User"] == nil && !slices.Equal(set["DynamicUser"], []string{"yes"}) {
			t.Errorf("%s: no state directory, or runs as root", u)
		}
	}
}

func TestSystemdAcceptsTheUnits(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("no systemd-analyze")
	}
	dir := t.TempDir()
	names, _ := filepath.Glob("*.service")
	timers, _ := filepath.Glob("*.timer")
	args := []string{"verify", "--man=no"}
	for _, n := range append(names, timers...) { // the program is not installed here
		body := strings.ReplaceAll(read(t, n), "/opt/roadcomb/roadcomb", bin)
		if err := os.WriteFile(filepath.Join(dir, n), []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, filepath.Join(dir, n))
	}
	out, err := exec.Command("systemd-analyze", args...).CombinedOutput()
	if err != nil || strings.Contains(string(out), dir) || strings.Contains(string(out), "roadcomb-") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestTheExampleHoldsEveryVariableAndNoOther(t *testing.T) {
	var got []string
	for _, line := range strings.Split(read(t, "roadcomb.env.example"), "\n") {
		name, value, ok := strings.Cut(strings.TrimPrefix(line, "#"), "=")
		if !ok || strings.Contains(name, " ") {
			continue
		}
		if strings.HasPrefix(name, "ROADCOMB_") {
			got = append(got, name)
		}
		if strings.HasSuffix(name, "SECRET") && value != "" {
			t.Errorf("the example sets a secret: %s", line)
		}
	}
	slices.Sort(got)
	if want := allVars(t); !slices.Equal(got, want) {
		t.Errorf("the example holds\n%v\nnot\n%v", got, want)
	}
}

func TestTheReadmeNamesOnlyWhatIs(t *testing.T) {
	vars := allVars(t)
	text := read(t, "README.md")
	for _, v := range varName.FindAllString(text, -1) {
		if !slices.Contains(vars, v) {
			t.Errorf("%s is not a setting", v)
		}
	}
	for _, m := range regexp.MustCompile("`roadcomb ((?:store|serve|work|tick)[^`]*)`").FindAllStringSubmatch(text, -1) {
		checkLine(t, "README.md", strings.Fields(m[1]))
	}
	for _, m := range regexp.MustCompile(`roadcomb[a-z@-]*\.(?:service|timer|env\.example)`).FindAllString(text, -1) {
		if _, err := os.Stat(m); err != nil {
			t.Error(err)
		}
	}
}

func TestTheImageHoldsWhatTheProgramIsLinkedWith(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("not an ELF program")
	}
	f, err := elf.Open(bin)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	libs, err := f.ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	stages := strings.Split(read(t, "Dockerfile"), "\nFROM ")
	image := stages[len(stages)-1]
	for _, lib := range libs {
		if m := regexp.MustCompile(`^libopencv_(\w+)\.so\.`).FindStringSubmatch(lib); m != nil && !regexp.MustCompile(`\blibopencv-`+m[1]+`\d+\b`).MatchString(image) {
			t.Errorf("the image lacks %s", lib)
		}
	}
	for _, want := range []string{"debian:bookworm-slim", "install -d -m 0700", "USER 10001", "/opt/roadcomb/libonnxruntime.so.1", "VOLUME /var/lib/roadcomb"} {
		if !strings.Contains(image, want) {
			t.Errorf("the image's stage lacks %q", want)
		}
	}
}

// dockerfile is its instructions in order, continued lines joined and comments left out.
func dockerfile(t *testing.T) (out [][2]string) {
	t.Helper()
	text := regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(read(t, "Dockerfile"), "")
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		if line = strings.TrimSpace(line); line != "" {
			name, args, _ := strings.Cut(line, " ")
			out = append(out, [2]string{name, strings.TrimSpace(args)})
		}
	}
	return out
}

func TestTheDockerfileBuildsWhatIsInTheRepository(t *testing.T) {
	const root = "../../.."
	stages, workdir, built := map[string]bool{}, "", 0
	var from, declared []string
	for _, in := range dockerfile(t) {
		args := strings.Fields(in[1])
		switch in[0] {
		case "FROM":
			from, declared = append(from, args[0]), nil // a build argument holds for its stage
			if len(args) == 3 && args[1] == "AS" {
				stages[args[2]] = true
			} else if len(args) != 1 {
				t.Errorf("FROM %s", in[1])
			}
		case "COPY":
			stage, outside := strings.CutPrefix(args[0], "--from=")
			if outside {
				if !stages[stage] {
					t.Errorf("COPY from %s, which is no stage before it", stage)
				}
				continue
			}
			for _, src := range args[:len(args)-1] {
				if _, err := os.Stat(filepath.Join(root, src)); err != nil {
					t.Error(err)
				}
			}
		case "RUN":
			for _, pkg := range regexp.MustCompile(`\./cmd/[\w-]+`).FindAllString(in[1], -1) {
				if _, err := os.Stat(filepath.Join(root, pkg, "main.go")); err != nil {
					t.Error(err)
				}
			}
			built += len(checkBuilds(t, in[1], declared))
		case "ENTRYPOINT", "CMD":
			var words []string
			if err := json.Unmarshal([]byte(in[1]), &words); err != nil || len(words) == 0 {
				t.Errorf("%s %s: a shell would stand between the signals and the program: %v", in[0], in[1], err)
			}
		case "WORKDIR":
			if workdir = in[1]; !strings.HasPrefix(workdir, "/") {
				t.Errorf("WORKDIR %s", workdir)
			}
		case "ARG":
			for _, a := range args {
				name, _, _ := strings.Cut(a, "=")
				declared = append(declared, name)
			}
		case "ENV", "USER", "VOLUME", "STOPSIGNAL":
			if in[1] == "" {
				t.Errorf("%s says nothing", in[0])
			}
		default:
			t.Errorf("%s is no instruction that this file needs", in[0])
		}
	}
	if len(from) != 3 || workdir != "/var/lib/roadcomb" || built != 2 {
		t.Errorf("stages %v, working folder %s, %d programs", from, workdir, built)
	}
}

// checkBuilds holds each go build of a RUN to what its program can be told at link time, by what build argument, and gives
// the programs.
func checkBuilds(t *testing.T, run string, declared []string) (programs []string) {
	t.Helper()
	vars := map[string]string{}
	for _, m := range regexp.MustCompile(`(\w+)=github\.com/roadcomb/roadcomb/(\S+)`).FindAllStringSubmatch(run, -1) {
		vars[m[1]] = m[2]
	}
	for _, line := range strings.Split(run, "&&") {
		if !strings.Contains(line, "go build") {
			continue
		}
		program := regexp.MustCompile(`\./cmd/[\w-]+`).FindString(line)
		deps, err := exec.Command("go", "list", "-deps", "../../.."+strings.TrimPrefix(program, ".")).Output()
		if err != nil {
			t.Errorf("%s: %v", program, err)
		}
		told := map[string]string{}
		for _, m := range regexp.MustCompile(`-X \$(\w+)\.(\w+)=\$(\w+)`).FindAllStringSubmatch(line, -1) {
			if pkg := vars[m[1]]; !slices.Contains(strings.Fields(string(deps)), "github.com/roadcomb/roadcomb/"+pkg) {
				t.Errorf("%s: -X sets a variable of %q, which is not in it", program, pkg)
			} else if out, err := exec.Command("go", "doc", "./"+filepath.Join("../../..", pkg), m[2]).CombinedOutput(); err != nil {
				t.Errorf("%s: -X sets %s.%s: %s", program, pkg, m[2], out)
			}
			if !slices.Contains(declared, m[3]) {
				t.Errorf("%s: $%s is no build argument of this stage", program, m[3])
			}
			told[m[2]] = m[3]
		}
		if !maps.Equal(told, map[string]string{"Version": "VERSION", "Commit": "COMMIT"}) {
			t.Errorf("%s is told %v", program, told)
		}
		programs = append(programs, program)
	}
	return programs
}

// One Go, with the patches of the standard library that were known, builds the image, the releases and, where the go command
// may fetch it, everything else.
func TestReleasesAreBuiltWithOnePinnedGo(t *testing.T) {
	m := regexp.MustCompile(`(?m)^toolchain go(1\.\d+\.\d+)$`).FindStringSubmatch(read(t, "../../../go.mod"))
	if m == nil {
		t.Fatal("go.mod names no toolchain with its patch")
	}
	if !slices.Contains(dockerfile(t), [2]string{"FROM", "golang:" + m[1] + "-bookworm AS build"}) {
		t.Errorf("the image is not built with Go %s", m[1])
	}
	if !strings.Contains(read(t, "../../../.ci/release"), `GOTOOLCHAIN=$(sed -n 's/^toolchain //p' go.mod)`) {
		t.Error(".ci/release takes whatever Go there is")
	}
}
