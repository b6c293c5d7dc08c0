package worker

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"io"
	"net/http"

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

// HTTPScreen asks a service: POST {"addresses": […]} to url, answered by 200 and {"blocked": […]}. Anything else is
// Unavailable. A nil client is http.DefaultClient.
func HTTPScreen(url string, c *http.Client) Screener {
	if c == nil {
		c = http.DefaultClient
	}
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
			Blocked []merkle.Address `json:"blocked"`
		}
		if res.StatusCode != http.StatusOK {
			return nil, survey.Errorf(survey.Unavailable, "the screening service answered %s", res.Status)
		}
		if err := json.NewDecoder(io.LimitReader(res.Body, 16<<20)).Decode(&answer); err != nil {
			return nil, survey.Errorf(survey.Unavailable, "the screening service's answer: %w", err)
		}
		blocked := make(map[merkle.Address]bool, len(answer.Blocked))
		for _, a := range answer.Blocked {
			blocked[a] = true
		}
		return blocked, nil
	}
}
