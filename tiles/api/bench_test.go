package api_test

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/tiles/api"
	"github.com/roadcomb/roadcomb/tiles/archive"
)

// packedTiles publishes a layer of 196 tiles of zoom 14 that take about size bytes each when packed.
func packedTiles(b *testing.B, w *world, size int) (paths []string) {
	wr := archive.NewWriter()
	defer wr.Close()
	rnd := rand.New(rand.NewPCG(7, 7))
	for x := range 14 {
		for y := range 14 {
			raw := make([]byte, size)
			for i := range raw {
				raw[i] = byte(rnd.Uint32())
			}
			packed, err := archive.Gzip(nil, raw)
			if err == nil {
				err = wr.Add(archive.ID(14, 8000+x, 5000+y), packed)
			}
			if err != nil {
				b.Fatal(err)
			}
			paths = append(paths, fmt.Sprintf("/v1/tiles/coverage/14/%d/%d.mvt", 8000+x, 5000+y))
		}
	}
	w.PublishLayer(b, w.st, "coverage", wr, 14)
	time.Sleep(600 * time.Millisecond) // the server's view grows old
	return paths
}

// conn is a client that costs little: it writes prepared requests and skips bodies by Content-Length.
type conn struct {
	net.Conn
	r *textproto.Reader
}

func dial(b *testing.B, addr string) conn {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	return conn{c, textproto.NewReader(bufio.NewReaderSize(c, 64<<10))}
}

func (c conn) do(req []byte) (status, n int, tag string, err error) {
	if _, err = c.Write(req); err != nil {
		return
	}
	line, err := c.r.R.ReadSlice('\n')
	if err != nil {
		return
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return
	}
	for {
		if line, err = c.r.R.ReadSlice('\n'); err != nil || len(line) <= 2 {
			break
		}
		if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			n, err = strconv.Atoi(string(bytes.TrimSpace(v)))
		} else if v, ok := bytes.CutPrefix(line, []byte("Etag: ")); ok {
			tag = string(bytes.TrimSpace(v))
		}
	}
	if err == nil && status == 200 {
		_, err = c.r.R.Discard(n)
	}
	return
}

// load asks on conns connections for b.N answers and reports rates and times.
func load(b *testing.B, addr string, conns, want int, request func(i int) []byte) {
	times := make([][]time.Duration, conns)
	bytesRead := make([]int64, conns)
	errs := make(chan error, conns)
	cpu := cpuTime()
	b.ResetTimer()
	for k := range conns {
		go func() {
			c := dial(b, addr)
			defer c.Close()
			for i := k; i < b.N; i += conns {
				t := time.Now()
				status, n, _, err := c.do(request(i))
				if err == nil && status != want {
					err = fmt.Errorf("status %d", status)
				}
				if err != nil {
					errs <- err
					return
				}
				times[k] = append(times[k], time.Since(t))
				bytesRead[k] += int64(n)
			}
			errs <- nil
		}()
	}
	for range conns {
		if err := <-errs; err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	all := slices.Concat(times...)
	slices.Sort(all)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1e3, "p99-ms")
	b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/1e3/float64(b.N), "cpu-µs/req") // client and server
	b.ReportMetric(0, "ns/op")
}

// cpuTime is what this process used of all cores: unlike a rate it holds on a machine that does other things.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// The serving bar of tiles/README.md: 44 kB tiles, 16 connections, client on the same machine.
func BenchmarkServe(b *testing.B) {
	w := newWorld(b, api.Config{})
	paths := packedTiles(b, w, 44_000)
	// The floor: net/http writing 44 kB that it has in hand.
	fixed := make([]byte, 44_000)
	floor := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["Etag"], h["Content-Length"], h["Content-Type"] = []string{`"1"`}, []string{"44000"}, []string{"image/png"}
		if r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Write(fixed)
	})
	handlers := map[string]*httptest.Server{"floor": httptest.NewServer(floor), "bare": httptest.NewServer(w.mux), "wrapped": httptest.NewServer(httpx.Wrap(w.mux, httpx.Options{}))}
	for _, name := range []string{"floor", "bare", "wrapped"} {
		srv := handlers[name]
		defer srv.Close()
		addr := strings.TrimPrefix(srv.URL, "http://")
		reqs, again := make([][]byte, len(paths)), make([][]byte, len(paths))
		c := dial(b, addr)
		for i, p := range paths {
			head := "GET " + p + " HTTP/1.1\r\nHost: map\r\nAccept-Encoding: gzip\r\n"
			reqs[i] = []byte(head + "\r\n")
			status, _, tag, err := c.do(reqs[i])
			if err != nil || status != 200 {
				b.Fatal(status, err)
			}
			again[i] = []byte(head + "If-None-Match: " + tag + "\r\n\r\n")
		}
		c.Close()
		b.Run(name+"/200", func(b *testing.B) { load(b, addr, 16, 200, func(i int) []byte { return reqs[i%len(reqs)] }) })
		b.Run(name+"/304", func(b *testing.B) { load(b, addr, 16, 304, func(i int) []byte { return again[i%len(again)] }) })
	}
}

// A tile that no cache holds: one range read from the bucket.
func BenchmarkColdRange(b *testing.B) {
	w := newWorld(b, api.Config{})
	packedTiles(b, w, 44_000)
	m, _, err := w.st.Get(b.Context(), store.Public, store.TileManifestKey, 1<<20)
	if err != nil {
		b.Fatal(err)
	}
	man, err := archive.DecodeManifest(m)
	if err != nil {
		b.Fatal(err)
	}
	ref := man.Layers["coverage"].Archives[0]
	var all []time.Duration
	for i := 0; b.Loop(); i++ {
		t := time.Now()
		body, err := w.st.Range(b.Context(), store.Public, ref.Key, ref.Bytes-int64(1+i%190)*44_000, 44_000, ref.ETag)
		if err != nil || len(body) != 44_000 {
			b.Fatal(err, len(body))
		}
		all = append(all, time.Since(t))
	}
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1e3, "p99-ms")
}
