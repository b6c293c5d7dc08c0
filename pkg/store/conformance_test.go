package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// What roadcomb relies on in any S3 server. ROADCOMB_TEST_S3 names another server than the embedded one to hold to it.

func TestAWrongSecretIsRefused(t *testing.T) {
	c := config(t)
	c.SecretKey += "x"
	if _, err := store.Open(t.Context(), c); err == nil {
		t.Fatal("a wrong secret opens the store")
	}
}

func TestATamperedOrExpiredURLIsRefused(t *testing.T) {
	s, ctx := open(t), t.Context()
	for _, key := range []string{"o/mine", "o/other"} {
		if _, err := s.Put(ctx, store.Private, key, []byte(key), ""); err != nil {
			t.Fatal(err)
		}
	}
	good, err := s.PresignGet(ctx, store.Private, "o/mine", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	short, err := s.PresignGet(ctx, store.Private, "o/mine", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	status := func(method, url string) (int, string) {
		req, err := http.NewRequest(method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, _ := io.ReadAll(r.Body)
		return r.StatusCode, string(b)
	}
	if c, b := status(http.MethodGet, good); c != http.StatusOK || b != "o/mine" {
		t.Fatal(c, b)
	}
	signature := strings.Index(good, "X-Amz-Signature=") + len("X-Amz-Signature=")
	flipped := []byte(good)
	flipped[signature] = "0123456789abcdef"[(strings.IndexByte("0123456789abcdef", flipped[signature])+1)%16]
	for name, u := range map[string]string{
		"another key":       strings.Replace(good, "o/mine", "o/other", 1),
		"another signature": string(flipped),
		"a longer life":     strings.Replace(good, "X-Amz-Expires=60", "X-Amz-Expires=6000", 1),
	} {
		if c, b := status(http.MethodGet, u); c < 400 || strings.Contains(b, "o/") && c == http.StatusOK {
			t.Errorf("%s: status %d", name, c)
		}
	}
	if c, _ := status(http.MethodDelete, good); c < 400 {
		t.Errorf("a URL to read deletes: %d", c)
	}
	time.Sleep(2100 * time.Millisecond)
	if c, _ := status(http.MethodGet, short); c < 400 {
		t.Errorf("an expired URL reads: %d", c)
	}
	if _, err := s.Stat(ctx, store.Private, "o/mine"); err != nil {
		t.Error(err)
	}
}

func TestManyRacesHaveOneWinnerEach(t *testing.T) {
	s, ctx := open(t), t.Context()
	for round := range 20 {
		key := fmt.Sprintf("race/%d", round)
		first, err := s.Create(ctx, store.Ledger, key, []byte("first"), "")
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var won []string
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				body := fmt.Sprintf("writer %d", i)
				_, err := s.Swap(ctx, store.Ledger, key, []byte(body), "", first.ETag)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					won = append(won, body)
				case !errors.Is(err, store.ErrExists):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		got, _, err := s.Get(ctx, store.Ledger, key, 100)
		if err != nil || len(won) != 1 || string(got) != won[0] {
			t.Fatalf("round %d: won %v, there is %q, %v", round, won, got, err)
		}
	}
}

func TestListIsInKeyOrderAcrossPages(t *testing.T) {
	s, ctx := open(t), t.Context()
	const n = 1100 // more than a page
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := w; i < n; i += 8 {
				if _, err := s.Put(ctx, store.Lake, fmt.Sprintf("l/%02d/%04d", i%7, i), []byte("x"), ""); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if _, err := s.Put(ctx, store.Lake, "m/other", []byte("x"), ""); err != nil {
		t.Fatal(err)
	}
	var keys []string
	if err := s.List(ctx, store.Lake, "l/", func(i store.Info) error { keys = append(keys, i.Key); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(keys) != n || !slices.IsSorted(keys) {
		t.Fatalf("%d keys, sorted %v", len(keys), slices.IsSorted(keys))
	}
	stop := errors.New("enough")
	seen := 0
	if err := s.List(ctx, store.Lake, "l/", func(store.Info) error {
		if seen++; seen == 3 {
			return stop
		}
		return nil
	}); !errors.Is(err, stop) || seen != 3 {
		t.Fatal(seen, err)
	}
}

func TestRangesAndLargeObjectsComeBackEqual(t *testing.T) {
	s, ctx := open(t), t.Context()
	body := make([]byte, 40<<20+123) // in parts of 16 MiB
	r := rand.NewChaCha8([32]byte{1})
	r.Read(body)
	in, err := s.PutReader(ctx, store.Private, "large", bytes.NewReader(body), int64(len(body)), "video/mp4")
	if err != nil {
		t.Fatal(err)
	}
	got, st, err := s.Get(ctx, store.Private, "large", 64<<20)
	if err != nil || !bytes.Equal(got, body) || st.ETag != in.ETag {
		t.Fatal(len(got), st, err)
	}
	part, err := s.Range(ctx, store.Private, "large", 16<<20-5, 10, st.ETag)
	if err != nil || !bytes.Equal(part, body[16<<20-5:16<<20+5]) {
		t.Fatal(err)
	}
	tail, err := s.Range(ctx, store.Private, "large", int64(len(body))-3, 10, "")
	if err != nil || !bytes.Equal(tail, body[len(body)-3:]) {
		t.Fatal(tail, err)
	}
	if err := s.Remove(ctx, store.Private, "large"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Stat(ctx, store.Private, "large"); survey.KindOf(err) != survey.NotFound {
		t.Fatal(err)
	}
}

func TestNamesWithAnythingInThemAreKept(t *testing.T) {
	s, ctx := open(t), t.Context()
	for _, key := range []string{"a b+c&d=e.jpg", "ü/日本.jpg", "100%25.jpg", "x'y\"(z).jpg"} {
		if _, err := s.Put(ctx, store.Private, key, []byte(key), ""); err != nil {
			t.Fatal(key, err)
		}
		got, _, err := s.Get(ctx, store.Private, key, 100)
		if err != nil || string(got) != key {
			t.Fatal(key, string(got), err)
		}
		u, err := s.PresignGet(ctx, store.Private, key, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.Get(u)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(r.Body)
		r.Body.Close()
		if r.StatusCode != http.StatusOK || string(b) != key {
			t.Fatal(key, r.Status)
		}
	}
}
