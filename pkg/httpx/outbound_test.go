package httpx_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/httpx"
)

func TestOutboundReachesNoPrivateAddress(t *testing.T) {
	hits := 0
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { hits++ }))
	defer inside.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(inside.URL, "http://"), ":")
	closed := httpx.Outbound(5*time.Second, nil)
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "169.254.169.254", "10.0.0.1", "192.168.1.1", "[fd00::1]", "100.64.0.1"} {
		r, err := closed.Get("http://" + host + ":" + port + "/")
		if err == nil {
			r.Body.Close()
			t.Errorf("%s was reached", host)
		}
	}
	if hits != 0 {
		t.Fatalf("%d requests arrived", hits)
	}
	// Neither does a redirect lead there, from a server that one may ask.
	door := httptest.NewServer(http.RedirectHandler("http://127.0.0.2:"+port+"/", http.StatusFound))
	defer door.Close()
	only := httpx.Outbound(5*time.Second, func(ip netip.Addr) bool { return ip == netip.MustParseAddr("127.0.0.1") })
	if r, err := only.Get(door.URL); err == nil {
		r.Body.Close()
		t.Error("a redirect led inside")
	}
	if r, err := only.Get(inside.URL); err != nil {
		t.Error("what is allowed is refused:", err)
	} else {
		r.Body.Close()
	}
}

func TestPublicAddresses(t *testing.T) {
	for s, want := range map[string]bool{"8.8.8.8": true, "2606:4700::1111": true, "1.1.1.1": true, "127.0.0.1": false, "::1": false, "10.1.2.3": false, "172.16.0.1": false,
		"169.254.169.254": false, "fe80::1": false, "fc00::1": false, "::ffff:10.0.0.1": false, "224.0.0.1": false, "255.255.255.255": false, "100.127.0.1": false, "64:ff9b::a00:1": false, "2002:a00:1::": false, "0.0.0.0": false, "::": false} {
		if got := httpx.Public(netip.MustParseAddr(s)); got != want {
			t.Errorf("%s: %v", s, got)
		}
	}
}
