package purge_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
	"github.com/roadcomb/roadcomb/tiles/purge"
)

// cache is a cache that can be told what to drop.
type cache struct {
	mu       sync.Mutex
	status   int
	keys     []string
	requests int
	last     http.Header
	during   func()
}

func (c *cache) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	c.last = r.Header.Clone()
	if c.during != nil {
		c.during()
	}
	if c.status != 0 {
		if c.status == http.StatusFound {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(c.status)
		return
	}
	var b map[string][]string
	raw, _ := io.ReadAll(r.Body)
	if json.Unmarshal(raw, &b) != nil {
		w.WriteHeader(400)
		return
	}
	for _, ks := range b {
		c.keys = append(c.keys, ks...)
	}
}

func TestKeysAreSentOnceTheirTilesAreInForceAndUntilTheyAreTaken(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		ctx := t.Context()
		c := &cache{}
		srv := httptest.NewServer(c)
		defer srv.Close()
		h, err := purge.New(db, purge.Config{URL: srv.URL + "/purge?token=secret", Header: "Fastly-Key: credential"})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Add(ctx, 7, "tiles/a", "tiles/b", "tiles/a"); err != nil {
			t.Fatal(err)
		}
		if n, err := h.Send(ctx, 6); n != 0 || err != nil || c.requests != 0 {
			t.Fatalf("%d keys were sent before the manifest that makes them stale: %v", n, err)
		}
		// A cache that is away or answers wrongly loses nothing, and no error says where it is.
		for _, status := range []int{500, 403, 302} {
			c.status = status
			n, err := h.Send(ctx, 7)
			if n != 0 || survey.KindOf(err) != survey.Unavailable || strings.Contains(fmt.Sprint(err), "secret") {
				t.Fatalf("%d: %d, %v", status, n, err)
			}
		}
		if c.requests != 3 {
			t.Fatalf("%d requests: a redirect was followed", c.requests)
		}
		c.status = 0
		if n, err := h.Send(ctx, 7); n != 2 || err != nil || !slices.Equal(c.keys, []string{"tiles/a", "tiles/b"}) {
			t.Fatal(n, err, c.keys)
		}
		if c.last.Get("Surrogate-Key") != "tiles/a tiles/b" || c.last.Get("Fastly-Key") != "credential" {
			t.Fatal(c.last)
		}
		if n, err := h.Waiting(ctx); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		// What goes stale while it is being sent is sent again.
		if err := h.Add(ctx, 8, "tiles/a"); err != nil {
			t.Fatal(err)
		}
		c.during = func() {
			if err := h.Add(context.WithoutCancel(ctx), 9, "tiles/a"); err != nil {
				t.Error(err)
			}
		}
		if n, err := h.Send(ctx, 8); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		c.during = nil
		if n, err := h.Send(ctx, 9); n != 1 || err != nil {
			t.Fatal("the newer change was not sent", n, err)
		}
		// More keys than a request may hold go in several.
		var many []string
		for i := range 250 {
			many = append(many, fmt.Sprintf("tiles/many/%d", i))
		}
		c.keys, c.requests = nil, 0
		if err := h.Add(ctx, 0, many...); err != nil {
			t.Fatal(err)
		}
		if n, err := h.Send(ctx, 0); n != 250 || err != nil || c.requests != 3 || len(c.keys) != 250 {
			t.Fatal(n, err, c.requests, len(c.keys))
		}
		srv.Close()
		if err := h.Add(ctx, 0, "x"); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Send(ctx, 0); survey.KindOf(err) != survey.Unavailable || strings.Contains(err.Error(), "secret") {
			t.Fatal(err)
		}
	})
}

func TestTagsAreSentAsCloudflareTakesThem(t *testing.T) {
	c := &cache{}
	srv := httptest.NewServer(c)
	defer srv.Close()
	h, err := purge.New(testkit.DB(t), purge.Config{URL: srv.URL, Format: purge.CacheTags, Header: "Authorization: Bearer x"})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Add(t.Context(), 0, purge.Tile("coverage", 14, 8000, 5000)); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Send(t.Context(), 0); err != nil || !h.Tags() || c.last.Get("Surrogate-Key") != "" || !slices.Equal(c.keys, []string{"tiles/coverage/6/31/19"}) {
		t.Fatal(err, c.last, c.keys)
	}
}

func TestAnAddressThatIsNoCacheIsRefused(t *testing.T) {
	db := testkit.DB(t)
	for _, c := range []purge.Config{
		{URL: "ftp://cache/"}, {URL: "file:///etc/passwd"}, {URL: "cache.example.org/purge"}, {URL: "http://"}, {URL: "https://u:p@cache.example.org/"},
		{URL: "https://cache.example.org/#x"}, {URL: "https://cache.example.org", Format: "varnish"}, {URL: "https://cache.example.org", Header: "no colon"},
		{URL: "https://cache.example.org", Header: "A: b\r\nHost: other"}, {URL: "https://cache.example.org", Header: ": b"},
	} {
		if _, err := purge.New(db, c); survey.KindOf(err) != survey.Invalid || err == nil || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%+v: %v", c, err)
		}
	}
	// A name can lead anywhere, so addresses are looked at when they are dialled.
	for _, u := range []string{"http://169.254.169.254/latest/meta-data", "http://[fe80::1]/", "http://[fd00:ec2::254]/", "http://[::ffff:169.254.169.254]/", "http://0.0.0.0/"} {
		h, err := purge.New(db, purge.Config{URL: u})
		if err != nil {
			t.Fatal(u, err)
		}
		if err := h.Add(t.Context(), 0, "k"); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Send(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "never a cache") {
			t.Errorf("%s: %v", u, err)
		}
	}
}

func TestWithoutAnAddressNothingIsPutDown(t *testing.T) {
	h, err := purge.New(testkit.DB(t), purge.Config{})
	if err != nil || h != nil {
		t.Fatal(h, err)
	}
	if err := h.Add(t.Context(), 0, "k"); err != nil {
		t.Fatal(err)
	}
	if n, err := h.Send(t.Context(), 0); n != 0 || err != nil || h.Tags() {
		t.Fatal(n, err)
	}
}

func ExampleTile() {
	fmt.Println(purge.Tile("coverage", 14, 8529, 5974))
	// Output: tiles/coverage/6/33/23
}
