package operators_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/operators"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

func exampleDir() string {
	dir, err := os.MkdirTemp("", "roadcomb-operators-")
	if err != nil {
		panic(err)
	}
	return dir
}

// provider is an OpenID Connect provider over HTTP that signs real tokens and checks PKCE as RFC 7636 §4.6 says.
type provider struct {
	*httptest.Server
	key       *ecdsa.PrivateKey
	challenge string         // of the login under way
	claims    map[string]any // of the next token
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	p := &provider{key: key}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		answer(w, map[string]any{"issuer": p.URL, "authorization_endpoint": p.URL + "/auth", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys", "id_token_signing_alg_values_supported": []string{"ES256"}})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, r *http.Request) {
		answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "1", Algorithm: "ES256", Use: "sig"}}})
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
		if r.FormValue("code") != "good" || base64.RawURLEncoding.EncodeToString(sum[:]) != p.challenge {
			w.WriteHeader(400)
			answer(w, map[string]any{"error": "invalid_grant"})
			return
		}
		answer(w, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": p.sign(t)})
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *provider) sign(t *testing.T) string {
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: p.key, KeyID: "1"}}, nil)
	must(t, err)
	b, err := json.Marshal(p.claims)
	must(t, err)
	sig, err := s.Sign(b)
	must(t, err)
	out, err := sig.CompactSerialize()
	must(t, err)
	return out
}

// begin starts a login and gives the browser's flow cookie and what we sent along.
func (p *provider) begin(t *testing.T, n *network) (*http.Cookie, url.Values) {
	t.Helper()
	w := n.do("GET", "/v1/operator/oidc/login", "", "")
	if w.Code != 302 || !strings.HasPrefix(w.Header().Get("Location"), p.URL+"/auth?") {
		t.Fatal(w.Code, w.Header(), w.Body)
	}
	u, err := url.Parse(w.Header().Get("Location"))
	must(t, err)
	q := u.Query()
	if q.Get("code_challenge_method") != "S256" || q.Get("state") == "" || q.Get("nonce") == "" {
		t.Fatal(q)
	}
	p.challenge = q.Get("code_challenge")
	return w.Result().Cookies()[0], q
}

func TestLoginThroughOpenIDConnect(t *testing.T) {
	p := newProvider(t)
	n := open(t, testkit.DB(t), operators.Config{Secure: true, OIDC: &operators.OIDC{Issuer: p.URL, ClientID: "roadcomb", ClientSecret: "s", Redirect: "https://map.example/v1/operator/oidc/callback",
		RoleClaim: "realm.roles", Roles: map[string]httpx.Role{"map-privacy": httpx.RoleReviewer}}})
	claims := func(q url.Values, edit func(map[string]any)) {
		p.claims = map[string]any{"iss": p.URL, "aud": "roadcomb", "sub": "42", "exp": n.now.Add(time.Minute).Unix(), "iat": n.now.Unix(), "nonce": q.Get("nonce"),
			"preferred_username": "Anna B", "realm": map[string]any{"roles": []string{"map-privacy", "other", "auditor"}}}
		if edit != nil {
			edit(p.claims)
		}
	}
	flow, q := p.begin(t, n)
	claims(q, nil)
	w := n.do("GET", "/v1/operator/oidc/callback?code=good&state="+q.Get("state"), "", "", cookie(flow))
	if w.Code != 200 {
		t.Fatal(w.Code, w.Body)
	}
	var session *http.Cookie
	for _, c := range w.Result().Cookies() {
		if c.Name == operators.Cookie {
			session = c
		}
	}
	if session == nil || !session.Secure || !session.HttpOnly {
		t.Fatal(w.Header())
	}
	var me operators.Me
	w = n.do("GET", "/v1/operator/me", "", "", cookie(session))
	must(t, json.Unmarshal(w.Body.Bytes(), &me))
	if me.Role != httpx.RoleReviewer || me.Via != "oidc" || !strings.HasPrefix(me.Name, "oidc:Anna_B:") {
		t.Fatalf("%+v", me)
	}
	must(t, n.ops.Disable(t.Context(), me.Name)) // ends sessions of those without an account too
	if w := n.do("GET", "/v1/operator/me", "", "", cookie(session)); w.Code != 401 {
		t.Fatal("after its end:", w.Code)
	}

	for name, edit := range map[string]func(c map[string]any){
		"of another client":   func(c map[string]any) { c["aud"] = "someone" },
		"of another issuer":   func(c map[string]any) { c["iss"] = "https://evil.example" },
		"of another login":    func(c map[string]any) { c["nonce"] = "old" },
		"expired":             func(c map[string]any) { c["exp"] = n.now.Add(-time.Hour).Unix() },
		"without a role":      func(c map[string]any) { c["realm"] = map[string]any{"roles": []string{"staff"}} },
		"without the claim":   func(c map[string]any) { delete(c, "realm") },
		"with a strange role": func(c map[string]any) { c["realm"] = 7 },
	} {
		n.now = n.now.Add(time.Minute) // the limit of tries refills
		flow, q := p.begin(t, n)
		claims(q, edit)
		if w := n.do("GET", "/v1/operator/oidc/callback?code=good&state="+q.Get("state"), "", "", cookie(flow)); w.Code != 401 {
			t.Errorf("a token %s: %d", name, w.Code)
		}
	}
	n.now = n.now.Add(time.Minute)
	flow, q = p.begin(t, n)
	claims(q, nil)
	for name, path := range map[string]string{
		"another state": "?code=good&state=x",
		"another code":  "?code=bad&state=" + q.Get("state"),
		"a refusal":     "?error=access_denied&state=" + q.Get("state"),
	} {
		if w := n.do("GET", "/v1/operator/oidc/callback"+path, "", "", cookie(flow)); w.Code != 401 {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	if w := n.do("GET", "/v1/operator/oidc/callback?code=good&state="+q.Get("state"), "", ""); w.Code != 401 {
		t.Errorf("another browser: %d", w.Code)
	}
	// Someone who stole the code but not the verifier gets nothing.
	stolen := *flow
	stolen.Value = q.Get("state") + "." + q.Get("nonce") + ".guess"
	if w := n.do("GET", "/v1/operator/oidc/callback?code=good&state="+q.Get("state"), "", "", cookie(&stolen)); w.Code != 401 {
		t.Errorf("another verifier: %d", w.Code)
	}
}
