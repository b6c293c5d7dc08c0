package drivers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/roadcomb/roadcomb/pkg/drivers"
	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

// network has the drivers anna and bert, whose tokens are their names, and one operation.
type network struct {
	t     *testing.T
	db    *state.DB
	h     http.Handler
	now   time.Time
	calls int
}

func open(t *testing.T, db *state.DB, secure bool) *network {
	t.Helper()
	n := &network{t: t, db: db, now: time.Unix(1.8e9, 0)}
	for _, name := range []string{"anna", "bert"} {
		n.exec(`INSERT INTO contributors (id, handle, token_sha256, created_at) VALUES ($1, $2, $3, 1)`, name+"-id", name, survey.HashOf([]byte(name)).String())
	}
	d := drivers.New(db, drivers.Config{Secure: secure, Clock: func() time.Time { return n.now }})
	mux := http.NewServeMux()
	api := httpx.NewAPI(mux, "test", "1")
	d.Register(api)
	for _, method := range []string{"GET", "POST"} {
		drivers.Handle(api, d, huma.Operation{OperationID: method, Method: method, Path: "/v1/do"}, func(_ context.Context, who drivers.Driver, _ *struct{}) (*struct{ Body []string }, error) {
			return &struct{ Body []string }{[]string{string(who.ID), who.Session}}, nil
		})
	}
	n.h = httpx.Wrap(mux, httpx.Options{})
	return n
}

func (n *network) exec(q string, args ...any) {
	n.t.Helper()
	if _, err := n.db.Exec(n.t.Context(), q, args...); err != nil {
		n.t.Fatal(err)
	}
}

// ask sends a request with the headers given in pairs; each comes from an address of its own.
func (n *network) ask(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	n.calls++
	r.RemoteAddr = fmt.Sprintf("10.0.%d.%d:1", n.calls>>8, n.calls&255)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	n.h.ServeHTTP(w, r)
	return w
}

// login gives the cookie of a new session.
func (n *network) login(token string) *http.Cookie {
	n.t.Helper()
	w := n.ask("POST", "/v1/me/login", `{"token":"`+token+`"}`)
	cs := w.Result().Cookies()
	if w.Code != 200 || len(cs) != 1 {
		n.t.Fatal(w.Code, w.Body, cs)
	}
	return cs[0]
}

func with(c *http.Cookie) []string { return []string{"Cookie", c.Name + "=" + c.Value} }

func (n *network) want(code int, c *http.Cookie, more ...string) {
	n.t.Helper()
	if w := n.ask("POST", "/v1/do", "", append(with(c), more...)...); w.Code != code {
		n.t.Errorf("answered %d, want %d: %s", w.Code, code, w.Body)
	}
}

func TestASessionBeginsWithATokenAndEnds(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		n := open(t, db, false)
		if w := n.ask("POST", "/v1/me/login", `{"token":"nobody"}`); w.Code != 401 || w.Header().Get("Set-Cookie") != "" {
			t.Fatal(w.Code, w.Header())
		}
		c := n.login("anna")
		if c.Name != drivers.Cookie || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure || c.MaxAge <= 0 {
			t.Errorf("cookie %v", c)
		}
		// Neither the secret nor the token is kept, and the session's id opens nothing.
		var hash, id string
		if err := db.QueryRow(t.Context(), `SELECT sha256, id FROM driver_sessions`).Scan(&hash, &id); err != nil || hash != survey.HashOf([]byte(c.Value)).String() || strings.Contains(c.Value, id) {
			t.Fatal(err, hash, id)
		}
		w := n.ask("GET", "/v1/do", "", with(c)...)
		if w.Code != 200 || strings.TrimSpace(w.Body.String()) != fmt.Sprintf(`["anna-id",%q]`, id) {
			t.Fatal(w.Code, w.Body)
		}
		for _, v := range []string{id, hash, "anna", ""} {
			n.want(401, &http.Cookie{Name: c.Name, Value: v})
		}
		// The cookie is no token and the token no cookie.
		if w := n.ask("GET", "/v1/do", "", "Authorization", "Bearer "+c.Value); w.Code != 401 {
			t.Error(w.Code)
		}
		if w := n.ask("GET", "/v1/do", "", append(with(c), "Authorization", "Bearer wrong")...); w.Code != 401 {
			t.Error("a wrong token is forgiven for the session's sake:", w.Code)
		}
		w = n.ask("POST", "/v1/me/logout", "", with(c)...)
		if cs := w.Result().Cookies(); w.Code != 204 || len(cs) != 1 || cs[0].MaxAge >= 0 || cs[0].Value != "" {
			t.Error(w.Code, cs)
		}
		n.want(401, c)
	})
}

func TestASessionThatIsNotUsedEndsAndNoneLastsForEver(t *testing.T) {
	n := open(t, testkit.DB(t), false)
	c := n.login("anna")
	n.now = n.now.Add(drivers.IdleLife - time.Minute)
	n.want(200, c)
	n.now = n.now.Add(drivers.IdleLife - time.Minute) // it was used meanwhile
	n.want(200, c)
	n.now = n.now.Add(drivers.IdleLife)
	n.want(401, c)

	c = n.login("anna")
	for end := n.now.Add(drivers.SessionLife); n.now.Before(end); n.now = n.now.Add(drivers.IdleLife / 2) {
		n.want(200, c)
	}
	n.want(401, c)
	n.login("bert")
	var left int
	if err := n.db.QueryRow(t.Context(), `SELECT COUNT(*) FROM driver_sessions`).Scan(&left); err != nil || left != 1 {
		t.Error("sessions that are over are still there:", left, err)
	}
}

func TestANewTokenEndsTheSessionsOfTheOld(t *testing.T) {
	n := open(t, testkit.DB(t), false)
	c, other := n.login("anna"), n.login("bert")
	n.exec(`UPDATE contributors SET token_sha256 = $1 WHERE id = 'anna-id'`, survey.HashOf([]byte("new")).String())
	n.want(401, c)
	n.want(200, other)
	n.want(200, n.login("new"))
	n.exec(`UPDATE contributors SET token_sha256 = $1 WHERE id = 'anna-id'`, survey.HashOf([]byte("anna")).String())
	n.want(401, c) // the login swept it
}

func TestADriverSeesAndEndsOnlyTheirOwnSessions(t *testing.T) {
	n := open(t, testkit.DB(t), false)
	here, there, bert := n.login("anna"), n.login("anna"), n.login("bert")
	list := func(c *http.Cookie) (out []drivers.Session) {
		t.Helper()
		var body struct{ Sessions []drivers.Session }
		if w := n.ask("GET", "/v1/me/sessions", "", with(c)...); w.Code != 200 || json.Unmarshal(w.Body.Bytes(), &body) != nil {
			t.Fatal(w.Code, w.Body)
		}
		return body.Sessions
	}
	var id string
	all := list(here)
	for _, s := range all {
		if !s.Current {
			id = s.ID
		}
		if !s.EndsAt.Equal(s.UsedAt.Add(drivers.IdleLife)) {
			t.Error(s)
		}
	}
	if len(all) != 2 || id == "" {
		t.Fatal(all)
	}
	if w := n.ask("DELETE", "/v1/me/sessions/"+id, "", with(bert)...); w.Code != 404 {
		t.Error("bert ends anna's session:", w.Code)
	}
	n.want(200, there)
	if w := n.ask("DELETE", "/v1/me/sessions/"+id, "", with(here)...); w.Code != 204 {
		t.Error(w.Code, w.Body)
	}
	n.want(401, there)
	n.want(200, here)
	n.want(200, bert)
	for range drivers.MaxSessions + 5 {
		n.now = n.now.Add(time.Second)
		there = n.login("anna")
	}
	if got := list(there); len(got) != drivers.MaxSessions {
		t.Errorf("%d sessions", len(got))
	}
	n.want(401, here) // the one not used for longest
}

func TestOtherSitesCannotUseASession(t *testing.T) {
	n := open(t, testkit.DB(t), true)
	c := n.login("anna")
	if !c.Secure {
		t.Error("the cookie goes over plain HTTP")
	}
	for _, from := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"}} {
		n.want(401, c, from...)
		// Nor sign their visitors in as somebody else, or out.
		if w := n.ask("POST", "/v1/me/login", `{"token":"bert"}`, from...); w.Code != 401 || w.Header().Get("Set-Cookie") != "" {
			t.Error(from, w.Code)
		}
		if w := n.ask("POST", "/v1/me/logout", "", append(with(c), from...)...); w.Code != 401 {
			t.Error(from, w.Code)
		}
	}
	n.want(200, c, "Sec-Fetch-Site", "same-origin")
}

func TestGuessingIsSlowedDown(t *testing.T) {
	n := open(t, testkit.DB(t), false)
	for _, path := range []string{"/v1/me/login", "/v1/do"} {
		slowed := false
		for i := 0; i < 200 && !slowed; i++ {
			n.calls = 7 // the same address
			w := n.ask("POST", path, fmt.Sprintf(`{"token":"%d"}`, i), "Authorization", fmt.Sprint("Bearer ", i))
			slowed = w.Code == 429 && w.Header().Get("Retry-After") != ""
		}
		if !slowed {
			t.Error(path, "takes any number of guesses")
		}
	}
}

func ExampleDrivers() {
	dir, _ := os.MkdirTemp("", "")
	defer os.RemoveAll(dir)
	db, err := state.Open(context.Background(), "sqlite:"+filepath.Join(dir, "state.db"), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	d := drivers.New(db, drivers.Config{})
	mux := http.NewServeMux()
	d.Register(httpx.NewAPI(mux, "example", "1"))
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("GET", "/v1/me/sessions", nil))
	fmt.Println(w.Code)
	// Output: 401
}
