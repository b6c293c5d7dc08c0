package httpx_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/httpx"
)

// A client that sends its header or its body one byte after the other is hung up on; so is one with endless headers. The
// deadlines are shortened here, but it is those of NewServer that are there to be shortened.
func TestSlowClientsAreHungUpOn(t *testing.T) {
	srv := httpx.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }), nil)
	for name, d := range map[string]*time.Duration{"header": &srv.ReadHeaderTimeout, "read": &srv.ReadTimeout, "write": &srv.WriteTimeout, "idle": &srv.IdleTimeout} {
		if *d <= 0 || *d > 5*time.Minute {
			t.Errorf("%s: a deadline of %s is none", name, *d)
		}
		*d = min(*d, 300*time.Millisecond)
	}
	if srv.MaxHeaderBytes <= 0 || srv.MaxHeaderBytes > 1<<20 {
		t.Errorf("headers of %d bytes are read", srv.MaxHeaderBytes)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	for name, c := range map[string]struct{ at, drip string }{
		"a header":        {"GET / HTTP/1.1\r\nHost: x\r\n", "X"},
		"a request line":  {"GET /", "x"},
		"a body":          {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", "x"},
		"endless headers": {"GET / HTTP/1.1\r\nHost: x\r\n", strings.Repeat("X: "+strings.Repeat("y", 1000)+"\r\n", 200)},
		"silence":         {"", ""},
	} {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, c.at)
		gone := make(chan struct{})
		go func() {
			io.Copy(io.Discard, conn) // ends when the server hangs up
			close(gone)
		}()
		stop := time.After(30 * time.Second)
	drip:
		for {
			select {
			case <-gone:
				break drip
			case <-stop:
				t.Errorf("%s: still connected", name)
				break drip
			case <-time.After(20 * time.Millisecond):
				io.WriteString(conn, c.drip)
			}
		}
		conn.Close()
	}
}
