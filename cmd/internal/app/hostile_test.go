package app

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// endless is a body that never ends, and how much of it was read.
type endless struct {
	begin string
	read  int64
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.begin)
	e.begin = e.begin[n:]
	for ; n < len(p); n++ {
		p[n] = '['
	}
	if e.read += int64(len(p)); e.read > 1<<30 {
		return 0, io.ErrUnexpectedEOF
	}
	return len(p), nil
}

// mostBody is more than any route needs to read before it knows that a body is too large.
const mostBody = 64 << 20

// Whoever may call a route may send it anything: no body makes it fail by a fault of its own, take a body without end, and no
// part of a path gets into the answer's headers as a line.
func TestNoRouteIsBrokenByWhatItIsSent(t *testing.T) {
	s := newSite(t)
	param := regexp.MustCompile(`\{[^}]*\}`)
	caller := func(r route) string {
		switch r.who {
		case public, signed, flow:
			return ""
		case anyOp:
			return admin
		}
		return r.who
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write(bytes.Repeat([]byte(" "), 32<<20))
	z.Close()
	bomb := packed.Bytes()
	deep := strings.Repeat(`{"a":[`, 200_000)
	bodies := map[string]string{
		"deep": deep, "deep in a field": `{"geometry":` + deep, "wide": `{"files":[` + strings.Repeat(`{},`, 200_000) + `{}]}`, "a huge number": `{"limit":1e999999999,"lat":1e400}`,
		"other types": `{"files":7,"geometry":[],"bbox":"x","body":{},"name":[1],"handle":{},"address":1,"cells":"y"}`, "no JSON": "\x00\xff<xml/>", "NUL": `{"handle":"a\u0000b","text":"a\u0000b","reason":"a\u0000b","kind":"\ud800"}`,
	}
	patterns := slices.Clone(s.mux.Patterns)
	slices.Sort(patterns)
	for _, pattern := range patterns {
		r := routes[pattern]
		method, path, ok := strings.Cut(pattern, " ")
		if !ok {
			method, path = "GET", pattern
		}
		send := func(what, path string, body io.Reader, headers ...string) *httptest.ResponseRecorder {
			req := httptest.NewRequest(method, path, body)
			req.ContentLength = -1
			req.Header.Set("Content-Type", "application/json")
			if tok := s.tokens[caller(r)]; tok != "" {
				req.Header.Set("Authorization", "Bearer "+tok)
			}
			for i := 0; i < len(headers); i += 2 {
				req.Header.Set(headers[i], headers[i+1])
			}
			calls++
			req.RemoteAddr = fmt.Sprintf("10.%d.%d.%d:1", calls>>16&255, calls>>8&255, calls&255)
			w := httptest.NewRecorder()
			s.h.ServeHTTP(w, req)
			if w.Code == http.StatusInternalServerError {
				t.Errorf("%s, %s: %d %.300s", pattern, what, w.Code, w.Body)
			}
			for name, values := range w.Header() {
				for _, v := range values {
					if strings.ContainsAny(name+v, "\r\n\x00") || name == "Set-Cookie" && strings.Contains(v, "evil") {
						t.Errorf("%s, %s: header %q: %q", pattern, what, name, v)
					}
				}
			}
			return w
		}
		evil := strings.ReplaceAll(param.ReplaceAllString(path, "%0d%0aSet-Cookie:%20evil=1%00"), "{$}", "")
		for _, q := range []string{"", "?bbox=%0d%0aSet-Cookie:%20evil=1&point=x%00&limit=-1&cursor=%ff%fe&key=%0d%0a"} {
			send("a line break in "+evil+q, evil+q, http.NoBody)
		}
		// No path leads to a file that is not published, whatever it stands in for.
		for _, out := range []string{"..%2f..%2f..%2f..%2fetc%2fpasswd", "%2e%2e%2f%2e%2e%2fsecrets.json", "..%5c..%5csecrets.json", "%2fetc%2fpasswd", "file:%2f%2f%2fetc%2fpasswd", "%252e%252e%252fsecrets.json"} {
			to := strings.ReplaceAll(param.ReplaceAllString(path, out), "{$}", "")
			if strings.HasSuffix(to, "/") {
				to += out
			}
			if w := send("a way out in "+to, to, http.NoBody); strings.Contains(w.Body.String(), "root:x:0:0") || strings.Contains(w.Body.String(), s.secrets.Operator.Reveal()) {
				t.Errorf("%s, %s: %.200s", pattern, to, w.Body)
			}
		}
		if method != http.MethodPost && method != http.MethodPut {
			continue
		}
		path = s.things.Replace(path)
		if r.path != "" {
			path = s.things.Replace(r.path)
		}
		path = param.ReplaceAllString(path, "x")
		for what, b := range bodies {
			if w := send(what, path, strings.NewReader(b)); w.Code/100 == 2 && what == "deep" && r.body != "" {
				t.Errorf("%s took %s: %d", pattern, what, w.Code)
			}
		}
		// A body is never inflated: what says that it is compressed is read as it is, and is no JSON.
		if w := send("a compressed body", path, bytes.NewReader(bomb), "Content-Encoding", "gzip"); w.Code/100 == 2 && r.body != "" {
			t.Errorf("%s took a compressed body: %d", pattern, w.Code)
		}
		for _, begin := range []string{"", `{"files":[`} {
			e := &endless{begin: begin}
			if w := send("a body without end", path, e); e.read > mostBody || w.Code/100 == 2 && e.read > 1<<20 {
				t.Errorf("%s read %d MiB of a body without end and answered %d", pattern, e.read>>20, w.Code)
			}
		}
	}
}
