package httpx

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Outbound is a client for addresses that others name, such as where a file says that a model lies. It connects only to
// public addresses, whatever a name resolves to and wherever a redirect leads, so that nobody can have this machine ask
// what only it can reach; allow says which others it may reach too, nil none. It follows at most five redirects, and
// none from https to http.
func Outbound(timeout time.Duration, allow func(netip.Addr) bool) *http.Client {
	// The check is where the socket connects: after the name is resolved, so a name that changes between check and use
	// gains nothing.
	d := &net.Dialer{Timeout: 10 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return survey.Errorf(survey.Invalid, "address %q", address)
		}
		if ip := at.Addr().Unmap(); !Public(ip) && (allow == nil || !allow(ip)) {
			return survey.Errorf(survey.Invalid, "%s is not a public address", ip).WithHint("what is named by others may not lead into this network")
		}
		return nil
	}}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = nil // a proxy would connect in our place, unchecked
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		return d.DialContext(ctx, network, addr)
	}
	t.ResponseHeaderTimeout = 30 * time.Second
	return &http.Client{Transport: t, Timeout: timeout, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		switch {
		case len(via) >= 5:
			return survey.Errorf(survey.Invalid, "more than five redirects")
		case r.URL.Scheme != "https" && via[0].URL.Scheme == "https":
			return survey.Errorf(survey.Invalid, "a redirect from https to %s", r.URL.Scheme)
		}
		return nil
	}}
}

// notPublic are the special-purpose ranges of RFC 6890 and its successors that netip's own predicates do not cover.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("100::/64"), netip.MustParsePrefix("2001::/23"),
	netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"),
}

// Public reports whether ip is an address of the open Internet.
func Public(ip netip.Addr) bool {
	ip = ip.Unmap()
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsUnspecified() {
		return false
	}
	for _, p := range notPublic {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}
