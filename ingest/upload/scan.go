package upload

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// found is a file to be sent.
type found struct {
	name  string // in the manifest
	local string // absolute
	size  int64
	mtime time.Time
	hash  survey.Hash
}

// limits are what the server takes, from /v1/me.
type limits struct {
	Files     int   `json:"files"`
	PathBytes int   `json:"path_bytes"`
	FileBytes int64 `json:"file_bytes"`
}

type scanner struct {
	limits limits
	files  []found
	bad    []Unreadable
	seen   map[string]bool // absolute paths
}

// scan lists the files at and under paths in order of their names.
func scan(paths []string, l limits) ([]found, []Unreadable, error) {
	s := scanner{limits: l, seen: map[string]bool{}}
	bases := map[string]int{}
	roots := map[string]bool{}
	for _, p := range paths {
		abs, err := filepath.Abs(p)
		if err != nil {
			return nil, nil, survey.Errorf(survey.Invalid, "path %q: %w", p, err)
		}
		if roots[abs] {
			continue
		}
		roots[abs] = true
		base := filepath.Base(abs)
		if base == string(filepath.Separator) || strings.HasSuffix(base, ":\\") {
			base = "root"
		}
		// Two folders of one name stay apart: the second is called name~2.
		bases[base]++
		if n := bases[base]; n > 1 {
			base = fmt.Sprintf("%s~%d", base, n)
		}
		st, err := os.Stat(abs)
		if errors.Is(err, fs.ErrNotExist) {
			if _, lerr := os.Lstat(abs); lerr != nil {
				return nil, nil, survey.Errorf(survey.NotFound, "%s does not exist", p).WithHint("check the path")
			}
		}
		switch {
		case err != nil:
			s.reject(base, survey.ReasonUnreadable, err)
		case st.IsDir():
			s.folder(abs, base)
		default:
			s.file(abs, base, st)
		}
	}
	slices.SortFunc(s.files, func(a, b found) int { return cmp.Compare(a.name, b.name) })
	slices.SortFunc(s.bad, func(a, b Unreadable) int { return cmp.Compare(a.Path, b.Path) })
	return s.files, s.bad, nil
}

func (s *scanner) folder(root, base string) {
	// The callback never gives an error, so neither does WalkDir.
	_ = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		name := base
		if rel, rerr := filepath.Rel(root, p); rerr == nil && rel != "." {
			name += "/" + filepath.ToSlash(rel)
		}
		if err != nil {
			s.reject(name, survey.ReasonUnreadable, err)
			if d != nil && d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return nil
		}
		st, err := os.Stat(p) // follows a symbolic link to a file
		if err != nil {
			s.reject(name, survey.ReasonUnreadable, err)
			return nil
		}
		s.file(p, name, st)
		return nil
	})
}

func (s *scanner) file(abs, name string, st fs.FileInfo) {
	if !st.Mode().IsRegular() || s.seen[abs] {
		return
	}
	s.seen[abs] = true
	switch {
	case !utf8.ValidString(name) || strings.ContainsRune(name, utf8.RuneError):
		s.reject(strings.ToValidUTF8(name, "\uFFFD"), survey.ReasonBadName, errors.New("the name is not UTF-8; rename the file"))
	case len(name) > s.limits.PathBytes:
		s.reject(name, survey.ReasonBadName, fmt.Errorf("the path has %d bytes, the limit is %d; use shorter names", len(name), s.limits.PathBytes))
	case st.Size() > s.limits.FileBytes:
		s.reject(name, survey.ReasonTooLarge, fmt.Errorf("the file has %d bytes, the limit is %d", st.Size(), s.limits.FileBytes))
	default:
		s.files = append(s.files, found{name: name, local: abs, size: st.Size(), mtime: st.ModTime()})
	}
}

func (s *scanner) reject(name string, r survey.Reason, err error) {
	var pe *fs.PathError
	if errors.As(err, &pe) { // the path is told already, and where it lies on this machine is nobody's business
		err = pe.Err
	}
	s.bad = append(s.bad, Unreadable{name, r, r.Text() + " (" + err.Error() + ")"})
}
