package worker

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/rewards/merkle"
)

// ScreenList is a denylist signed by the role that is answerable for it.
type ScreenList struct {
	Role      string           `json:"role"` // for example "compliance"
	Issued    string           `json:"issued"`
	Addresses []merkle.Address `json:"addresses"`
	Signature []byte           `json:"signature,omitempty"` // Ed25519 over the JSON without this field
}

// Message is what is signed.
func (l ScreenList) Message() ([]byte, error) {
	l.Signature = nil
	return json.Marshal(l)
}

// ListScreen blocks the addresses of a signed list; a list without a valid signature of the key is Unauthorized.
func ListScreen(text []byte, key ed25519.PublicKey) (Screener, error) {
	var l ScreenList
	if err := json.Unmarshal(text, &l); err != nil {
		return nil, survey.Errorf(survey.Invalid, "denylist: %w", err)
	}
	msg, err := l.Message()
	if err != nil {
		return nil, err
	}
	if len(key) != ed25519.PublicKeySize || l.Role == "" || !ed25519.Verify(key, msg, l.Signature) {
		return nil, survey.Errorf(survey.Unauthorized, "denylist of role %q is not signed by the key given", l.Role)
	}
	blocked := make(map[merkle.Address]bool, len(l.Addresses))
	for _, a := range l.Addresses {
		blocked[a] = true
	}
	return func(context.Context, []merkle.Address) (map[merkle.Address]bool, error) { return blocked, nil }, nil
}

// FileScreen blocks the addresses of a signed list in a file, read anew at each close, so that a list that was replaced
// takes effect. A list that is missing or not signed stops the close.
func FileScreen(path string, key ed25519.PublicKey) Screener {
	return func(ctx context.Context, addrs []merkle.Address) (map[merkle.Address]bool, error) {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, survey.Errorf(survey.Unavailable, "denylist: %w", err)
		}
		s, err := ListScreen(text, key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return s(ctx, addrs)
	}
}

// AllScreens blocks what any of the screens blocks; all must answer.
func AllScreens(ss ...Screener) Screener {
	return func(ctx context.Context, addrs []merkle.Address) (map[merkle.Address]bool, error) {
		all := map[merkle.Address]bool{}
		for _, s := range ss {
			blocked, err := s(ctx, addrs)
			if err != nil {
				return nil, err
			}
			maps.Copy(all, blocked)
		}
		return all, nil
	}
}

// CheckScreenURL refuses an address of a screening service that would send payout addresses in the clear: http is for
// this machine only.
func CheckScreenURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil {
		return survey.Errorf(survey.Invalid, "screening service %.200q is no http or https address without a name in it", text)
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()) {
		return nil
	}
	return survey.Errorf(survey.Invalid, "screening service %s must be reached by https", u.Redacted()).WithHint("http is for a service on this machine")
}

// screenClient follows no redirect: a service that could send it elsewhere could make this machine ask its neighbours.
func screenClient(c *http.Client) *http.Client {
	if c == nil {
		c = &http.Client{Timeout: 30 * time.Second}
	}
	own := *c
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// HTTPScreen asks a service: POST {"addresses": […]} to url, answered by 200 and {"blocked": […]}. Anything else is
// Unavailable, a redirect too, and also an answer without "blocked", which some other service may give. Addresses that
// were not asked about are ignored. A nil client is one with a time limit of 30 s.
func HTTPScreen(url string, c *http.Client) Screener {
	c = screenClient(c)
	return func(ctx context.Context, addrs []merkle.Address) (map[merkle.Address]bool, error) {
		var ask []merkle.Address
		for _, a := range addrs {
			if a != (merkle.Address{}) {
				ask = append(ask, a)
			}
		}
		if len(ask) == 0 {
			return nil, nil
		}
		body, err := json.Marshal(map[string]any{"addresses": ask})
		if err != nil {
			return nil, err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := c.Do(req)
		if err != nil {
			return nil, survey.Errorf(survey.Unavailable, "%w", err)
		}
		defer res.Body.Close()
		var answer struct {
			Blocked *[]merkle.Address `json:"blocked"`
		}
		if res.StatusCode != http.StatusOK {
			return nil, survey.Errorf(survey.Unavailable, "the screening service answered %s", res.Status)
		}
		if err := json.NewDecoder(io.LimitReader(res.Body, 16<<20)).Decode(&answer); err != nil {
			return nil, survey.Errorf(survey.Unavailable, "the screening service's answer: %w", err)
		}
		if answer.Blocked == nil {
			return nil, survey.Errorf(survey.Unavailable, "the screening service's answer lacks blocked")
		}
		blocked := make(map[merkle.Address]bool, len(*answer.Blocked))
		for _, a := range *answer.Blocked {
			if slices.Contains(ask, a) {
				blocked[a] = true
			}
		}
		return blocked, nil
	}
}
