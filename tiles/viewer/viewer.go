// Package viewer serves the web map: one page, its scripts, and the libraries that build.mjs fetched from npm.
//
// The page's own files are in web and always part of the binary. The libraries are put into dist by `make run` (or
// `npm ci && node build.mjs` here) and embedded if they were there when the binary was built, so that plain `go build`
// works without npm; without them the page says what to do. Nothing is loaded from another host, and the
// Content-Security-Policy forbids it.
package viewer

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

//go:embed web all:dist
var files embed.FS

// Config says where the page comes from. The zero value serves what is embedded.
type Config struct {
	// Dir holds web and dist to serve instead of the embedded ones, for work on the page: each request reads the file
	// anew.
	Dir string
	// Connect lists further origins the page may talk to, for example the object store that takes uploads
	// ("http://127.0.0.1:9000").
	Connect []string
}

// Handler serves the page at "/" and its files below it. It answers GET and HEAD. A Dir that is not a checkout of the
// page is Invalid.
func Handler(c Config) (http.Handler, error) {
	h := &handler{fsys: files, policy: policy(c.Connect)}
	if c.Dir != "" {
		h.fsys = os.DirFS(c.Dir)
		if _, err := fs.Stat(h.fsys, "web/index.html"); err != nil {
			return nil, survey.Errorf(survey.Invalid, "web folder %q holds no web/index.html", c.Dir).WithHint("name the folder tiles/viewer of the source tree")
		}
		return h, nil
	}
	h.cache = map[string]*file{}
	err := fs.WalkDir(h.fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		h.cache[p], err = load(h.fsys, p)
		return err
	})
	return h, err
}

// Complete reports whether the libraries were embedded when the binary was built.
func Complete() bool {
	_, err := fs.Stat(files, "dist/maplibre-gl.mjs")
	return err == nil
}

func policy(connect []string) string {
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; " +
		"connect-src 'self' " + strings.Join(connect, " ") + "; worker-src 'self' blob:; manifest-src 'self'; " +
		"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
}

type handler struct {
	fsys   fs.FS
	policy string
	cache  map[string]*file // nil: read each time
}

type file struct {
	body, gz  []byte // gz is nil where it does not pay
	etag, typ string
}

func load(fsys fs.FS, name string) (*file, error) {
	body, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	f := &file{body: body, typ: mediaType(name), etag: base64.RawURLEncoding.EncodeToString(sum[:12])}
	if len(body) > 1<<10 && !strings.HasPrefix(f.typ, "image/png") {
		var b bytes.Buffer
		w, _ := gzip.NewWriterLevel(&b, 6)
		if _, err := w.Write(body); err != nil {
			return nil, err
		}
		if err := w.Close(); err != nil {
			return nil, err
		}
		if b.Len() < len(body)*9/10 {
			f.gz = b.Bytes()
		}
	}
	return f, nil
}

func mediaType(name string) string {
	switch path.Ext(name) {
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".geojson":
		return "application/geo+json"
	case ".webmanifest":
		return "application/manifest+json"
	}
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		return t
	}
	return "text/plain; charset=utf-8"
}

func (h *handler) find(name string) (*file, error) {
	for _, dir := range []string{"web/", "dist/"} {
		if h.cache != nil {
			if f := h.cache[dir+name]; f != nil {
				return f, nil
			}
			continue
		}
		if f, err := load(h.fsys, dir+name); err == nil {
			return f, nil
		}
	}
	return nil, fs.ErrNotExist
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	hd := w.Header()
	hd.Set("Content-Security-Policy", h.policy)
	hd.Set("X-Content-Type-Options", "nosniff")
	hd.Set("Referrer-Policy", "same-origin")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		hd.Set("Allow", "GET, HEAD")
		http.Error(w, "The page answers GET and HEAD.", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	if name == "" {
		name = "index.html"
		if _, err := h.find("maplibre-gl.mjs"); err != nil {
			name = "missing.html"
		}
	}
	f, err := h.find(name)
	if err != nil || strings.HasPrefix(path.Base(name), ".") {
		hd.Set("Cache-Control", "no-store")
		http.Error(w, fmt.Sprintf("There is no %q here.", "/"+name), http.StatusNotFound)
		return
	}
	hd.Set("Content-Type", f.typ)
	hd.Set("Cache-Control", "no-cache") // kept, but asked about: an upgrade shows at once and an unchanged file costs a 304
	hd.Set("Vary", "Accept-Encoding")
	body, etag := f.body, `"`+f.etag+`"`
	if f.gz != nil && acceptsGzip(r.Header.Get("Accept-Encoding")) {
		hd.Set("Content-Encoding", "gzip")
		body, etag = f.gz, `"`+f.etag+`-gz"`
	}
	hd.Set("ETag", etag)
	if m := r.Header.Get("If-None-Match"); m != "" && strings.Contains(m, etag) {
		hd.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	hd.Set("Content-Length", strconv.Itoa(len(body)))
	if name == "missing.html" {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	if r.Method != http.MethodHead {
		io.Copy(w, bytes.NewReader(body))
	}
}

// acceptsGzip reads an Accept-Encoding header: gzip or * is listed, and not with q=0.
func acceptsGzip(h string) bool {
	star := false
	for part := range strings.SplitSeq(h, ",") {
		name, params, _ := strings.Cut(part, ";")
		q := strings.ReplaceAll(strings.ToLower(params), " ", "")
		refused := q == "q=0" || strings.HasPrefix(q, "q=0.") && strings.Trim(q[4:], "0") == ""
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "gzip", "x-gzip":
			return !refused
		case "*":
			star = !refused
		}
	}
	return star
}
