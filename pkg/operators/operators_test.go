package operators_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/operators"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

const password = "correct horse battery"

// network is an API with one operation for each kind of role.
type network struct {
	db  *state.DB
	ops *operators.Operators
	now time.Time
	h   http.Handler
}

func open(t *testing.T, db *state.DB, c operators.Config) *network {
	t.Helper()
	n := &network{db: db, now: time.Unix(1.8e9, 0)}
	c.Clock = func() time.Time { return n.now }
	n.ops = operators.New(db, c)
	mux := &httpx.Routes{}
	api := httpx.NewAPI(mux, "test", "1")
	n.ops.Register(mux, api)
	for _, role := range httpx.Roles() {
		op := huma.Operation{OperationID: "do-" + string(role), Method: "POST", Path: "/v1/do/" + string(role) + "/{id}"}
		httpx.HandleOperator(api, n.ops, role, op, func(ctx context.Context, in *struct {
			ID string `path:"id"`
		}) (*struct{}, error) {
			a, ok := httpx.ActorOf(ctx)
			if !ok {
				return nil, errors.New("no actor")
			}
			httpx.Note(ctx, "by=%s", a.Name)
			switch in.ID {
			case "bad":
				return nil, survey.Errorf(survey.Conflict, "no")
			case "panic":
				panic("kaputt")
			}
			return nil, nil
		})
		op.Method, op.OperationID = "GET", "see-"+string(role)
		httpx.HandleOperator(api, n.ops, role, op, func(context.Context, *struct {
			ID string `path:"id"`
		}) (*struct{}, error) {
			return nil, nil
		})
	}
	n.h = httpx.Wrap(mux, httpx.Options{})
	return n
}

func (n *network) do(method, path, token, body string, edit ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for _, f := range edit {
		f(r)
	}
	w := httptest.NewRecorder()
	n.h.ServeHTTP(w, r)
	return w
}

func cookie(c *http.Cookie) func(*http.Request) { return func(r *http.Request) { r.AddCookie(c) } }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestRolesDecideWhatAnOperatorMayDo(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		n := open(t, db, operators.Config{RootToken: "root-token"})
		ctx := t.Context()
		tokens := map[httpx.Role]string{}
		for _, role := range httpx.Roles() {
			must(t, n.ops.Add(ctx, "op-"+string(role), role, ""))
			tok, err := n.ops.NewToken(ctx, "op-"+string(role), time.Hour)
			must(t, err)
			tokens[role] = tok
		}
		for _, who := range httpx.Roles() {
			for _, need := range httpx.Roles() {
				for _, method := range []string{"GET", "POST"} {
					want := 403
					if who == httpx.RoleAdmin || who == need || who == httpx.RoleOperator && need == httpx.RoleFleet || who == httpx.RoleAuditor && need != httpx.RoleAdmin && method == "GET" {
						want = 204
					}
					if w := n.do(method, "/v1/do/"+string(need)+"/1", tokens[who], ""); w.Code != want {
						t.Errorf("%s %s what needs %s: %d, want %d: %s", who, method, need, w.Code, want, w.Body)
					}
				}
			}
		}
		if w := n.do("POST", "/v1/do/admin/1", "root-token", ""); w.Code != 204 {
			t.Errorf("root: %d", w.Code)
		}
		for _, bad := range []string{"", "op_", "op_" + strings.Repeat("0", 64), "ROOT-TOKEN"} {
			if w := n.do("POST", "/v1/do/auditor/1", bad, ""); w.Code != 401 {
				t.Errorf("token %q: %d", bad, w.Code)
			}
		}
		// A change of role and the end of an account act at once on what was given out.
		must(t, n.ops.SetRole(ctx, "op-admin", httpx.RoleReviewer))
		if w := n.do("POST", "/v1/do/admin/1", tokens[httpx.RoleAdmin], ""); w.Code != 403 {
			t.Errorf("after losing the role: %d", w.Code)
		}
		must(t, n.ops.Disable(ctx, "op-admin"))
		if w := n.do("POST", "/v1/do/reviewer/1", tokens[httpx.RoleAdmin], ""); w.Code != 401 {
			t.Errorf("after the end: %d", w.Code)
		}
		n.now = n.now.Add(time.Hour)
		if w := n.do("GET", "/v1/do/auditor/1", tokens[httpx.RoleAuditor], ""); w.Code != 401 {
			t.Errorf("after its life: %d", w.Code)
		}
	})
}

func TestLoginWithAPassword(t *testing.T) {
	n := open(t, testkit.DB(t), operators.Config{})
	ctx := t.Context()
	must(t, n.ops.Add(ctx, "anna", httpx.RoleReviewer, password))
	if err := n.ops.Add(ctx, "bert", httpx.RoleAdmin, "short"); survey.KindOf(err) != survey.Invalid {
		t.Fatal("a short password:", err)
	}
	w := n.do("POST", "/v1/operator/login", "", `{"name":"anna","password":"`+password+`"}`)
	if w.Code != 200 {
		t.Fatal(w.Code, w.Body)
	}
	c := w.Result().Cookies()[0]
	if c.Name != operators.Cookie || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.MaxAge != int(operators.SessionLife.Seconds()) {
		t.Fatalf("%+v", c)
	}
	if w := n.do("POST", "/v1/do/reviewer/1", "", "", cookie(c)); w.Code != 204 {
		t.Fatal(w.Code, w.Body)
	}
	// The cookie does not count for what another site's page sends.
	cross := func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }
	if w := n.do("POST", "/v1/do/reviewer/1", "", "", cookie(c), cross); w.Code != 401 {
		t.Fatal("cross-site:", w.Code)
	}
	if w := n.do("POST", "/v1/operator/login", "", `{"name":"anna","password":"`+password+`"}`, cross); w.Code != 401 {
		t.Fatal("cross-site login:", w.Code)
	}
	// Nothing of the password or the session is in the database.
	var kept string
	must(t, n.db.QueryRow(ctx, `SELECT password FROM operators WHERE name = 'anna'`).Scan(&kept))
	if !strings.HasPrefix(kept, "$argon2id$v=19$m=19456,t=2,p=1$") || strings.Contains(kept, password) {
		t.Fatal(kept)
	}
	must(t, n.db.QueryRow(ctx, `SELECT sha256 FROM operator_sessions WHERE name = 'anna'`).Scan(&kept))
	if strings.Contains(c.Value, kept) {
		t.Fatal("the session is kept as it is")
	}
	if w := n.do("POST", "/v1/operator/logout", "", "", cookie(c)); w.Code != 204 {
		t.Fatal(w.Code, w.Body)
	}
	if w := n.do("GET", "/v1/operator/me", "", "", cookie(c)); w.Code != 401 {
		t.Fatal("after logout:", w.Code)
	}
	// Wrong passwords, unknown names: the same answer; and after some tries none is heard for a while.
	a := n.do("POST", "/v1/operator/login", "", `{"name":"anna","password":"wrong wrong wrong"}`)
	b := n.do("POST", "/v1/operator/login", "", `{"name":"nobody","password":"wrong wrong wrong"}`)
	text := func(w *httptest.ResponseRecorder) string {
		var p httpx.Problem
		json.Unmarshal(w.Body.Bytes(), &p)
		return p.Detail
	}
	if a.Code != 401 || b.Code != 401 || text(a) != text(b) {
		t.Fatal(a.Body, b.Body)
	}
	last := 0
	for range 12 {
		last = n.do("POST", "/v1/operator/login", "", `{"name":"anna","password":"`+password+`"}`, func(r *http.Request) { r.RemoteAddr = fmt.Sprintf("10.0.0.%d:1", n.now.Nanosecond()) }).Code
	}
	if last != 429 {
		t.Fatal("tries without end:", last)
	}
}

func TestEveryActIsInTheAuditLogAndTheChainShowsAnyChange(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		n := open(t, db, operators.Config{RootToken: "root"})
		ctx := t.Context()
		n.do("POST", "/v1/do/operator/17", "root", "")
		n.do("POST", "/v1/do/operator/bad", "root", "")
		n.do("POST", "/v1/do/operator/panic", "root", "")
		n.do("GET", "/v1/do/operator/17", "root", "")    // reads are no acts
		n.do("POST", "/v1/do/operator/17", "stolen", "") // nor is what nobody was let in to do
		es, err := operators.Entries(ctx, db, 0, 100)
		must(t, err)
		var got []string
		for _, e := range es {
			got = append(got, strings.Join([]string{e.Actor, e.Act, e.Target, e.Outcome, e.Note}, " "))
		}
		want := []string{
			"root do-operator id=17 begun ", "root do-operator id=17 204 by=root",
			"root do-operator id=bad begun ", "root do-operator id=bad 409 by=root",
			"root do-operator id=panic begun ", "root do-operator id=panic panic by=root",
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Fatalf("got\n%s", strings.Join(got, "\n"))
		}
		head, unended, err := operators.Verify(ctx, db)
		if err != nil || head.Seq != 6 || len(unended) != 0 {
			t.Fatal(head, unended, err)
		}
		if _, _, err := operators.Verify(ctx, db, head); err != nil {
			t.Fatal(err)
		}
		for _, tamper := range []string{
			`UPDATE audit SET note = 'by=anna' WHERE seq = 2`,
			`UPDATE audit SET at = at + 1 WHERE seq = 1`,
			`UPDATE audit SET of_seq = 0 WHERE seq = 4`,
			`DELETE FROM audit WHERE seq = 3`,
			`DELETE FROM audit WHERE seq = 6`,
			`DELETE FROM audit`,
			`UPDATE audit_head SET seq = 5`,
		} {
			undo := errors.New("undo")
			err := db.Tx(ctx, func(tx *state.Tx) error {
				if k, err := tx.Exec(ctx, tamper); err != nil || k == 0 {
					t.Fatal(tamper, k, err)
				}
				if _, _, err := operators.Verify(ctx, tx); survey.KindOf(err) != survey.Conflict || err == nil {
					t.Errorf("%s was not seen: %v", tamper, err)
				}
				return undo
			})
			if !errors.Is(err, undo) {
				t.Fatal(err)
			}
		}
		// Who cuts off the end and mends the head is seen by a head that was kept elsewhere.
		_, err = db.Exec(ctx, `DELETE FROM audit WHERE seq > 4`)
		must(t, err)
		_, err = db.Exec(ctx, `UPDATE audit_head SET seq = 4, hash = (SELECT hash FROM audit WHERE seq = 4)`)
		must(t, err)
		if _, _, err := operators.Verify(ctx, db); err != nil {
			t.Fatal(err)
		}
		if _, _, err := operators.Verify(ctx, db, head); survey.KindOf(err) != survey.Conflict {
			t.Fatal("cut off unseen:", err)
		}
	})
}

func TestAnActThatCannotBeWrittenDownDoesNotHappen(t *testing.T) {
	n := open(t, testkit.DB(t), operators.Config{RootToken: "root"})
	_, err := n.db.Exec(t.Context(), `DROP TABLE audit`)
	must(t, err)
	ran := false
	err = n.ops.Do(t.Context(), httpx.Actor{Name: "root"}, httpx.Act{Name: "x"}, func() (string, error) { ran = true; return "", nil })
	if err == nil || ran {
		t.Fatal(err, ran)
	}
	if w := n.do("POST", "/v1/do/operator/1", "root", ""); w.Code != 500 {
		t.Fatal(w.Code, w.Body)
	}
}

func TestActsAtTheSameTimeMakeOneChain(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		n := open(t, db, operators.Config{RootToken: "root"})
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for range 5 {
					if w := n.do("POST", fmt.Sprintf("/v1/do/operator/%d", i), "root", ""); w.Code != 204 {
						t.Error(w.Code, w.Body)
					}
				}
			})
		}
		wg.Wait()
		head, unended, err := operators.Verify(t.Context(), db)
		if err != nil || head.Seq != 80 || len(unended) != 0 {
			t.Fatal(head, unended, err)
		}
	})
}

func ExampleOperators() {
	ctx := context.Background()
	db, err := state.Open(ctx, "sqlite:"+exampleDir()+"/state.db", nil)
	if err != nil {
		panic(err)
	}
	defer db.Close()
	ops := operators.New(db, operators.Config{})
	who := httpx.Actor{Name: "shell:anna", Role: httpx.RoleAdmin, Via: "shell"}
	err = ops.Do(ctx, who, httpx.Act{Name: "add-operator", Target: "name=bert"}, func() (string, error) {
		return "role=reviewer", ops.Add(ctx, "bert", httpx.RoleReviewer, operators.NewPassword())
	})
	if err != nil {
		panic(err)
	}
	head, unended, err := operators.Verify(ctx, db)
	fmt.Println(head.Seq, len(unended), err)
	// Output: 2 0 <nil>
}
