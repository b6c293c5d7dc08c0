package upload

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// cache remembers hashes by path, size and modification time: a file of JSON lines, appended to as files are hashed, so
// that a killed run loses at most its last line. A nil cache remembers nothing.
type cache struct {
	mu    sync.Mutex
	known map[string]cached
	f     *os.File
}

type cached struct {
	Path   string      `json:"path"`
	Bytes  int64       `json:"bytes"`
	MTime  int64       `json:"mtime_ns"`
	SHA256 survey.Hash `json:"sha256"`
}

// settle is how old a file must be before its time of modification is trusted to change with its content: file systems
// keep times as coarse as two seconds (FAT).
const settle = 2 * time.Second

func openCache(path string) (*cache, error) {
	if path == "" {
		return nil, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, survey.Errorf(survey.Unavailable, "folder of the hash cache: %w", err)
	}
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, survey.Errorf(survey.Unavailable, "hash cache: %w", err).WithHint("delete the file, it is only a cache")
	}
	c := &cache{known: map[string]cached{}}
	lines := 0
	for sc := bufio.NewScanner(bytes.NewReader(b)); sc.Scan(); lines++ {
		var e cached
		// A line cut short by a kill is no line.
		if json.Unmarshal(sc.Bytes(), &e) == nil && e.Path != "" && !e.SHA256.IsZero() {
			c.known[e.Path] = e
		}
	}
	torn := len(b) > 0 && b[len(b)-1] != '\n'
	if torn || lines > 2*len(c.known)+1000 {
		if err := c.rewrite(path); err != nil {
			return nil, err
		}
	}
	if c.f, err = os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		return nil, survey.Errorf(survey.Unavailable, "hash cache: %w", err)
	}
	return c, nil
}

func (c *cache) rewrite(path string) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, e := range c.known {
		if err := enc.Encode(e); err != nil {
			return err
		}
	}
	tmp := path + ".new"
	if err := os.WriteFile(tmp, b.Bytes(), 0o600); err != nil {
		return survey.Errorf(survey.Unavailable, "hash cache: %w", err)
	}
	return os.Rename(tmp, path)
}

func (c *cache) get(f found) (survey.Hash, bool) {
	if c == nil {
		return survey.Hash{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.known[f.local]
	return e.SHA256, ok && e.Bytes == f.size && e.MTime == f.mtime.UnixNano()
}

func (c *cache) put(f found, now time.Time) error {
	if c == nil || now.Sub(f.mtime) < settle {
		return nil
	}
	e := cached{f.local, f.size, f.mtime.UnixNano(), f.hash}
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[f.local] = e
	_, err = c.f.Write(append(b, '\n'))
	return err
}

func (c *cache) close() error {
	if c == nil {
		return nil
	}
	return c.f.Close()
}
