package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/store/embeds3"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

var prefixes atomic.Int64

// open gives the embedded server's store, or the one that ROADCOMB_TEST_S3 names (http://key:secret@host:port).
func open(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), config(t))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func config(t *testing.T) store.Config {
	t.Helper()
	c := store.Config{Endpoint: server.Endpoint, AccessKey: "k", SecretKey: "s3cr3t-s3cr3t", Prefix: fmt.Sprintf("t%d-", prefixes.Add(1))}
	if outside := os.Getenv("ROADCOMB_TEST_S3"); outside != "" {
		u, err := url.Parse(outside)
		if err != nil || u.User == nil {
			t.Fatalf("ROADCOMB_TEST_S3 is not http://key:secret@host:port: %v", err)
		}
		c.AccessKey = u.User.Username()
		secret, _ := u.User.Password()
		c.SecretKey = survey.Secret(secret)
		u.User = nil
		c.Endpoint = u.String()
		c.Prefix = fmt.Sprintf("t%d-%s", os.Getpid(), c.Prefix)
	}
	return c
}

var server *embeds3.Server

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "store")
	if err != nil {
		panic(err)
	}
	server, err = embeds3.Start(context.Background(), dir, "127.0.0.1:0", "k", "s3cr3t-s3cr3t")
	if err != nil {
		panic(err)
	}
	code := m.Run()
	server.Close()
	os.RemoveAll(dir)
	os.Exit(code)
}

func TestOneOfManyConcurrentCreatorsWins(t *testing.T) {
	s := open(t)
	var won, lost atomic.Int64
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			_, err := s.Create(t.Context(), store.Public, "a/b.json", fmt.Appendf(nil, "writer %d", i), "application/json")
			switch {
			case err == nil:
				won.Add(1)
			case errors.Is(err, store.ErrExists):
				lost.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || lost.Load() != 15 {
		t.Fatalf("%d won, %d lost", won.Load(), lost.Load())
	}
}

func TestSwapNeedsTheCurrentETag(t *testing.T) {
	s, ctx := open(t), t.Context()
	first, err := s.Create(ctx, store.Ledger, "head.json", []byte("1"), "application/json")
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.Swap(ctx, store.Ledger, "head.json", []byte("2"), "application/json", first.ETag)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Swap(ctx, store.Ledger, "head.json", []byte("3"), "application/json", first.ETag); !errors.Is(err, store.ErrExists) {
		t.Fatal(err)
	}
	b, in, err := s.Get(ctx, store.Ledger, "head.json", 10)
	if err != nil || string(b) != "2" || in.ETag != second.ETag {
		t.Fatalf("%s %v %v", b, in, err)
	}
	if _, err := s.Range(ctx, store.Ledger, "head.json", 0, 1, first.ETag); !errors.Is(err, store.ErrExists) {
		t.Fatalf("a range of a replaced object: %v", err)
	}
}

func TestAnObjectIsReadWholeWhileItIsReplaced(t *testing.T) {
	if os.Getenv("ROADCOMB_TEST_S3") != "" {
		t.Skip("the server's own promise: rclone's opens a file after it has said how long it is")
	}
	s := open(t)
	body := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i%2)}, 1000+i%2*5000) }
	put := func(i int) {
		if _, err := s.Put(t.Context(), store.Lake, "head.json", body(i), "application/json"); err != nil {
			t.Error(err)
		}
	}
	put(0)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
				put(i)
			}
		}
	})
	for range 200 {
		got, in, err := s.Get(t.Context(), store.Lake, "head.json", 1<<20)
		if err != nil {
			t.Errorf("a reader failed because the object was replaced: %v", err)
			break
		}
		if in.Bytes != int64(len(got)) || in.ETag == "" || !bytes.Equal(got, body(0)) && !bytes.Equal(got, body(1)) {
			t.Errorf("%d bytes of %q and others, etag %q", len(got), got[:1], in.ETag)
			break
		}
	}
	close(done)
	wg.Wait()
}

func TestABodyThatBreaksOffIsAskedForAgain(t *testing.T) {
	for broken, ok := range map[int32]bool{0: true, 2: true, 3: false} {
		var asked atomic.Int32
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/head.json") {
				return // buckets are there
			}
			w.Header().Set("ETag", `"e"`)
			w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
			w.Header().Set("Content-Length", "10")
			if asked.Add(1) <= broken {
				io.WriteString(w, "0123")
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			}
			io.WriteString(w, "0123456789")
		}))
		s, err := store.Open(t.Context(), store.Config{Endpoint: srv.URL, AccessKey: "k", SecretKey: "s3cr3t-s3cr3t"})
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := s.Get(t.Context(), store.Lake, "head.json", 100)
		if (err == nil) != ok || ok && string(got) != "0123456789" || !ok && got != nil {
			t.Errorf("broken off %d times: %q %v", broken, got, err)
		}
		s.Close()
		srv.Close()
	}
}

func TestMissingObjectsAreNotFoundAndLargeOnesRefused(t *testing.T) {
	s, ctx := open(t), t.Context()
	if _, _, err := s.Get(ctx, store.Lake, "nope", 10); survey.KindOf(err) != survey.NotFound {
		t.Fatal(err)
	}
	if _, err := s.Stat(ctx, store.Lake, "nope"); survey.KindOf(err) != survey.NotFound {
		t.Fatal(err)
	}
	if _, err := s.Put(ctx, store.Lake, "big", make([]byte, 11), ""); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Get(ctx, store.Lake, "big", 10); survey.KindOf(err) != survey.Invalid {
		t.Fatal(err)
	}
	if err := s.Remove(ctx, store.Lake, "nope"); err != nil {
		t.Fatal(err)
	}
}

func TestAnonymousReadersAreRefusedAndPresignedURLsAreNarrow(t *testing.T) {
	s, ctx := open(t), t.Context()
	body := []byte("raw frame")
	put, err := s.PresignPut(ctx, store.Private, "o/x", int64(len(body)), survey.Hash{}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	send := func(url string, body []byte) int {
		req, _ := http.NewRequest(http.MethodPut, url, bytes.NewReader(body))
		r, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		return r.StatusCode
	}
	if c := send(put, append(body, '!')); c == http.StatusOK {
		t.Fatal("a longer body than signed was taken")
	}
	if c := send(put, body); c != http.StatusOK {
		t.Fatalf("status %d", c)
	}
	get, err := s.PresignGet(ctx, store.Private, "o/x", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.Get(get)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := io.ReadAll(r.Body)
	r.Body.Close()
	if !bytes.Equal(got, body) {
		t.Fatalf("%q", got)
	}
	plain, _, _ := bytes.Cut([]byte(get), []byte("?"))
	if r, err := http.Get(string(plain)); err != nil || r.StatusCode != http.StatusForbidden {
		t.Fatalf("anonymous read: %v %v", r.Status, err)
	}
}

func TestAnAddressBoundToItsContentTakesNoOther(t *testing.T) {
	s, ctx := open(t), t.Context()
	body := []byte("raw frame")
	put, err := s.PresignPut(ctx, store.Private, "o/bound", int64(len(body)), survey.HashOf(body), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	send := func(body []byte, sum string) int {
		req, _ := http.NewRequest(http.MethodPut, put, bytes.NewReader(body))
		if sum != "" {
			req.Header.Set(store.ChecksumHeader, sum)
		}
		r, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		return r.StatusCode
	}
	other := []byte("raw frbme")
	for what, c := range map[string]int{
		"other bytes":                  send(other, store.Checksum(survey.HashOf(body))),
		"other bytes, their own sum":   send(other, store.Checksum(survey.HashOf(other))),
		"the right bytes without sum":  send(body, ""),
		"other bytes without any sum":  send(other, ""),
		"the right bytes, another sum": send(body, store.Checksum(survey.HashOf(other))),
	} {
		if c/100 != 4 {
			t.Errorf("%s: status %d", what, c)
		}
	}
	if _, err := s.Stat(ctx, store.Private, "o/bound"); survey.KindOf(err) != survey.NotFound {
		t.Error(err)
	}
	if c := send(body, store.Checksum(survey.HashOf(body))); c != http.StatusOK {
		t.Errorf("status %d", c)
	}
}

func TestPartsMakeOneObject(t *testing.T) {
	s, ctx := open(t), t.Context()
	id, err := s.StartParts(ctx, store.Private, "film", "video/mp4")
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.Repeat([]byte("0123456789abcdef"), 6<<20/16)
	for i, n := range []int{5 << 20, 1 << 20} {
		u, err := s.PresignPart(ctx, store.Private, "film", id, i+1, int64(n), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		req, _ := http.NewRequest(http.MethodPut, u, bytes.NewReader(want[i*(5<<20):i*(5<<20)+n]))
		r, err := http.DefaultClient.Do(req)
		if err != nil || r.StatusCode != http.StatusOK {
			t.Fatal(r, err)
		}
		r.Body.Close()
	}
	parts, err := s.Parts(ctx, store.Private, "film", id)
	if err != nil || len(parts) != 2 {
		t.Fatal(parts, err)
	}
	if err := s.FinishParts(ctx, store.Private, "film", id, parts); err != nil {
		t.Fatal(err)
	}
	got, _, err := s.Get(ctx, store.Private, "film", 10<<20)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatal(len(got), err)
	}
}

func TestATakenPortIsAClearConflict(t *testing.T) {
	_, err := embeds3.Start(t.Context(), t.TempDir(), server.Endpoint[len("http://"):], "k", "s3cr3t-s3cr3t")
	if survey.KindOf(err) != survey.Conflict {
		t.Fatal(err)
	}
}

func TestABodyCutShortIsNoObject(t *testing.T) {
	s, ctx := open(t), t.Context()
	const size = 2_000_000
	put, err := s.PresignPut(ctx, store.Private, "cut", size, survey.Hash{}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	id, err := s.StartParts(ctx, store.Private, "film", "video/mp4")
	if err != nil {
		t.Fatal(err)
	}
	part, err := s.PresignPart(ctx, store.Private, "film", id, 1, size, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range []string{put, part} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial("tcp", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n", u.RequestURI(), u.Host, size)
		c.Write(make([]byte, size/2))
		c.Close() // the client dies
	}
	// The server notices in its own time; a whole object after it shows that it has.
	for range 20 {
		if _, err := s.Put(ctx, store.Private, "later", []byte("x"), ""); err != nil {
			t.Fatal(err)
		}
		if in, err := s.Stat(ctx, store.Private, "cut"); survey.KindOf(err) != survey.NotFound || err == nil {
			t.Fatalf("half a body became an object of %d bytes: %v", in.Bytes, err)
		}
		if parts, err := s.Parts(ctx, store.Private, "film", id); err != nil || len(parts) != 0 {
			t.Fatalf("half a part is listed: %v %v", parts, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
