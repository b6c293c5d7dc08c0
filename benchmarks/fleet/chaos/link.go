package chaos

import (
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// link is a connection between two processes that can be cut, stalled and slowed: a TCP proxy.
type link struct {
	addr, to string
	l        net.Listener

	mu      sync.Mutex
	conns   map[net.Conn]bool
	cut     bool
	stalled chan struct{} // closed when the stall ends; nil when there is none
	delay   time.Duration // of each chunk
}

func newLink(to string) (*link, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	k := &link{addr: l.Addr().String(), to: to, l: l, conns: map[net.Conn]bool{}}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go k.serve(c)
		}
	}()
	return k, nil
}

func (k *link) close() {
	k.l.Close()
	k.set(true, false, 0)
}

// set cuts the link (live connections are reset, new ones too), stalls it (nothing passes, nothing fails), delays it, or,
// with all zero, heals it.
func (k *link) set(cut, stall bool, delay time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cut, k.delay = cut, delay
	if k.stalled != nil && !stall {
		close(k.stalled)
		k.stalled = nil
	}
	if stall && k.stalled == nil {
		k.stalled = make(chan struct{})
	}
	if cut {
		for c := range k.conns {
			if t, ok := c.(*net.TCPConn); ok {
				t.SetLinger(0) // a reset, as from a machine that went away
			}
			c.Close()
		}
	}
}

func (k *link) track(c net.Conn) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cut {
		return false
	}
	k.conns[c] = true
	return true
}

func (k *link) forget(c net.Conn) {
	c.Close()
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.conns, c)
}

func (k *link) serve(c net.Conn) {
	if !k.track(c) {
		c.Close()
		return
	}
	defer k.forget(c)
	s, err := net.DialTimeout("tcp", k.to, 5*time.Second)
	if err != nil {
		return
	}
	if !k.track(s) {
		s.Close()
		return
	}
	defer k.forget(s)
	var wg sync.WaitGroup
	for _, d := range [][2]net.Conn{{c, s}, {s, c}} {
		wg.Go(func() {
			k.pass(d[1], d[0])
			if t, ok := d[1].(*net.TCPConn); ok {
				t.CloseWrite()
			}
		})
	}
	wg.Wait()
}

func (k *link) pass(dst io.Writer, src io.Reader) {
	buf := make([]byte, 32<<10)
	for {
		n, err := src.Read(buf)
		if n > 0 {
			k.mu.Lock()
			stalled, delay := k.stalled, k.delay
			k.mu.Unlock()
			if stalled != nil {
				<-stalled
			}
			if delay > 0 {
				time.Sleep(delay)
			}
			if _, err := dst.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// s3Front is an S3 server's bad days: while it fails, some requests are answered 503 or 500 without being done, and some
// are done and answered 500 all the same.
type s3Front struct {
	addr    string
	srv     *http.Server
	failing atomic.Bool
	n       atomic.Uint64
	Failed  atomic.Int64
}

func newS3Front(to string) (*s3Front, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	u := &url.URL{Scheme: "http", Host: to}
	tr := http.DefaultTransport.(*http.Transport).Clone()
	tr.MaxIdleConnsPerHost = 64
	tr.DisableCompression = true
	f := &s3Front{addr: l.Addr().String()}
	proxy := &httputil.ReverseProxy{Transport: tr, ErrorLog: quiet,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(u)
			r.Out.Host = r.In.Host // signed
		},
		// A server that is gone is a broken connection, not an answer.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	f.srv = &http.Server{ErrorLog: quiet, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !f.failing.Load() {
			proxy.ServeHTTP(w, r)
			return
		}
		switch f.n.Add(1) % 4 {
		case 0:
			proxy.ServeHTTP(w, r)
			return
		case 1:
			f.answer(w, http.StatusServiceUnavailable, "SlowDown")
		case 2:
			f.answer(w, http.StatusInternalServerError, "InternalError")
		case 3: // done, and then said to have failed
			proxy.ServeHTTP(&lost{h: http.Header{}}, r)
			f.answer(w, http.StatusInternalServerError, "InternalError")
		}
	})}
	go f.srv.Serve(l)
	return f, nil
}

func (f *s3Front) answer(w http.ResponseWriter, code int, name string) {
	f.Failed.Add(1)
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(code)
	io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>`+name+`</Code><Message>on purpose</Message></Error>`)
}

// lost takes an answer that never arrives.
type lost struct{ h http.Header }

func (l *lost) Header() http.Header         { return l.h }
func (l *lost) Write(b []byte) (int, error) { return len(b), nil }
func (l *lost) WriteHeader(int)             {}
