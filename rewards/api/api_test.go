package api_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/operators"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
	"github.com/roadcomb/roadcomb/rewards/api"
	"github.com/roadcomb/roadcomb/rewards/merkle"
	"github.com/roadcomb/roadcomb/rewards/record"
	"github.com/roadcomb/roadcomb/rewards/worker"
)

const (
	ann     = "a0000000000000000000000000000001"
	ben     = "b0000000000000000000000000000002"
	address = "0x2222222222222222222222222222222222222222"
)

var epoch = survey.EpochOf(time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC))

type chain struct{ claimed survey.Amount }

func (c *chain) Published(context.Context) (survey.Epoch, bool, error) { return epoch, true, nil }
func (c *chain) Claimed(context.Context, merkle.Address) (survey.Amount, error) {
	return c.claimed, nil
}

// network serves a network with one closed epoch: ann's drive is held, ben is paid.
func network(t *testing.T, c api.Chain) *httptest.Server {
	ctx := context.Background()
	w := &worker.Worker{DB: testkit.DB(t), Store: testkit.S3(t), Key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)),
		Clock: func() time.Time { return epoch.End().Add(72 * time.Hour) }}
	exec := func(q string, args ...any) {
		t.Helper()
		if _, err := w.DB.Exec(ctx, q, args...); err != nil {
			t.Fatal(err)
		}
	}
	at := state.Micros(epoch.Start().Add(10 * time.Hour))
	for i, id := range []string{ann, ben} {
		pay := ""
		if id == ben {
			pay = address
		}
		exec(`INSERT INTO contributors (id, payout_address, token_sha256, created_at) VALUES ($1, $2, $3, 1)`, id, pay, survey.HashOf([]byte("token-"+id)).String())
		exec(`INSERT INTO uploads (id, contributor_id, state, options, files, bytes, created_at, completed_at) VALUES ($1, $1, 'settled', '{}', 1, 1, $2, $2)`, id, at)
		exec(`INSERT INTO drives (id, upload_id, contributor_id, device_id, state, started_at, ended_at, received_at, frames, parts, distance_mm, manifest_sha256)
			VALUES ($1, $1, $1, 'x', 'indexed', $2, $2, $2, 1, 1, 1, '')`, id, at)
		for n := range 3 {
			f := survey.NewFrameID(survey.HashOf([]byte(fmt.Sprint(id, n))))
			exec(`INSERT INTO frames (id, drive_id, part, seq, upload_id, path, object, sha256, bytes, captured_at, received_at, lat_e7, lon_e7, cell, width, height, state, quality_ppm)
				VALUES ($1, $2, 0, $3, $2, '', '', '', 1, $4, $4, 0, 0, $5, 1, 1, 'published', 800000)`, string(f), id, n, at, (survey.Cell(0x8c1f05871d3abff) + survey.Cell(i*3+n)<<9).Int64())
		}
	}
	exec(`INSERT INTO findings (drive_id, kind, score_ppm, evidence, found_at) VALUES ($1, 'repeated_motion', 900000, '{"shared":9}', 1)`, ann)
	if err := w.Close(ctx, epoch); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	api.Register(mux, httpx.NewAPI(mux, "test", "1"), api.Deps{DB: w.DB, Store: w.Store, Appeal: w.Appeal, Chain: c,
		Desk: w, Operators: operators.New(w.DB, operators.Config{RootToken: "op"})})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv
}

func call(t *testing.T, srv *httptest.Server, method, path, token, body string, out any) int {
	t.Helper()
	req, err := http.NewRequest(method, srv.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if out != nil && res.StatusCode < 300 {
		if err := json.Unmarshal(b, out); err != nil {
			t.Fatalf("%s %s: %v\n%s", method, path, err, b)
		}
	}
	return res.StatusCode
}

func TestAnybodyCanVerifyOverHTTP(t *testing.T) {
	srv := network(t, nil)
	var list struct{ Epochs []api.Epoch }
	if code := call(t, srv, "GET", "/v1/rewards/epochs", "", "", &list); code != 200 || len(list.Epochs) != 1 || list.Epochs[0].Epoch != "2024-05-06" {
		t.Fatalf("%d %+v", code, list)
	}
	far, err := record.HTTPFS(context.Background(), srv.URL+"/v1/rewards/epochs/2024-05-06/files", srv.Client())
	if err != nil {
		t.Fatal(err)
	}
	r, err := record.Verify(far, nil)
	if err != nil || !r.OK() || r.Root != list.Epochs[0].Root || r.Key == "" {
		t.Errorf("%v %v %q", err, r.Differences, r.Key)
	}
	var m record.Manifest
	if code := call(t, srv, "GET", "/v1/rewards/epochs/2024-05-06", "", "", &m); code != 200 || m.Root != r.Root {
		t.Errorf("%d %+v", code, m)
	}
	for path, want := range map[string]int{
		"/v1/rewards/epochs/2024-05-13":                                     404,
		"/v1/rewards/epochs/2024-05-07":                                     400,
		"/v1/rewards/epochs/2024-05-06/files/secret":                        404,
		"/v1/rewards/epochs/2024-05-06/files/..%2f..%2fx":                   404,
		"/v1/rewards/epochs/2024-05-06/claims/0x12":                         400,
		"/v1/rewards/epochs/2024-05-06/claims/0x" + strings.Repeat("3", 40): 404,
		"/v1/rewards/me": 401,
	} {
		if code := call(t, srv, "GET", path, "", "", nil); code != want {
			t.Errorf("%s: %d, want %d", path, code, want)
		}
	}
}

func TestProofsLeadToTheRootAndStatesStayApart(t *testing.T) {
	c := &chain{claimed: 7}
	srv := network(t, c)
	var p api.Proof
	if code := call(t, srv, "GET", "/v1/rewards/epochs/2024-05-06/claims/"+address, "", "", &p); code != 200 {
		t.Fatal(code)
	}
	root, err := merkle.ParseHash(p.Root)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := merkle.ParseAddress(address)
	var proof []merkle.Hash
	for _, s := range p.Proof {
		h, err := merkle.ParseHash(s)
		if err != nil {
			t.Fatal(err)
		}
		proof = append(proof, h)
	}
	if !merkle.Verify(root, merkle.Leaf{Address: a, Amount: survey.Amount(p.Cumulative)}, proof) {
		t.Errorf("%+v does not prove", p)
	}
	var cl api.Claims
	if code := call(t, srv, "GET", "/v1/rewards/claims/"+address, "", "", &cl); code != 200 {
		t.Fatal(code)
	}
	if cl.Earned != p.Cumulative || *cl.Published != p.Cumulative || *cl.Claimed != 7 || *cl.Claimable != p.Cumulative-7 || cl.Proof == nil {
		t.Errorf("%+v", cl)
	}
}

func TestContributorsSeeTheirOwnStatementAndAppealOnce(t *testing.T) {
	srv := network(t, nil)
	var me api.Me
	if code := call(t, srv, "GET", "/v1/rewards/me", "token-"+ann, "", &me); code != 200 {
		t.Fatal(code)
	}
	if me.Earned != 0 || me.Escrow == 0 || len(me.Holds) != 1 || me.Holds[0].State != "open" || !strings.Contains(string(me.Holds[0].Evidence), "repeated_motion") || !me.Accounts[0].Reserved {
		t.Errorf("%+v", me)
	}
	var st api.Statement
	if code := call(t, srv, "GET", "/v1/rewards/me/epochs/2024-05-06", "token-"+ben, "", &st); code != 200 {
		t.Fatal(code)
	}
	var sum api.Units
	for _, l := range st.Lines {
		sum += l.Amount + l.Demand - l.Held
	}
	if len(st.Lines) != 3 || sum != st.Amount || sum == 0 {
		t.Errorf("%+v", st)
	}
	appeal := "/v1/rewards/me/holds/" + ann + "/appeal"
	for _, c := range []struct {
		token, body string
		want        int
	}{{"token-" + ben, `{"text":"not mine"}`, 409}, {"", `{"text":"x"}`, 401}, {"token-" + ann, `{"text":""}`, 422}, {"token-" + ann, `{"text":"I was there"}`, 204}, {"token-" + ann, `{"text":"again"}`, 409}} {
		if code := call(t, srv, "POST", appeal, c.token, c.body, nil); code != c.want {
			t.Errorf("%+v: %d", c, code)
		}
	}
}

func TestOperatorsDecideEnrolAndMend(t *testing.T) {
	srv := network(t, &chain{claimed: 7})
	var holds []api.Hold
	if code := call(t, srv, "GET", "/v1/rewards/holds", "op", "", &holds); code != 200 || len(holds) != 1 || holds[0].Drive != ann || holds[0].Held == 0 {
		t.Fatalf("%d %+v", code, holds)
	}
	decide := "/v1/rewards/holds/" + ann + "/decision"
	for _, c := range []struct {
		method, path, token, body string
		want                      int
	}{
		{"GET", "/v1/rewards/holds", "token-" + ann, "", 401},
		{"POST", decide, "", `{"decision":"clear","reason":"mine"}`, 401},
		{"POST", decide, "op", `{"decision":"clear"}`, 422},
		{"POST", decide, "op", `{"decision":"clear","reason":"seen the car"}`, 204},
		{"POST", decide, "op", `{"decision":"confirm","reason":"after all"}`, 409},
		{"PUT", "/v1/rewards/enrolled/" + ben, "op", `{"reason":"city van"}`, 200},
		{"PUT", "/v1/rewards/enrolled/nobody", "op", `{"reason":"city van"}`, 404},
		{"DELETE", "/v1/rewards/enrolled/" + ben, "op", "", 204},
		{"DELETE", "/v1/rewards/enrolled/" + ben, "op", "", 404},
		{"POST", "/v1/rewards/corrections", "op", `{"contributor":"` + ben + `","epoch":"2024-05-06","amount":"5","reason":"counted wrong"}`, 422}, // no key
	} {
		if code := call(t, srv, c.method, c.path, c.token, c.body, nil); code != c.want {
			t.Errorf("%s %s %s: %d, want %d", c.method, c.path, c.body, code, c.want)
		}
	}
	var es []api.Enrolled
	if code := call(t, srv, "GET", "/v1/rewards/enrolled", "op", "", &es); code != 200 || len(es) != 1 || es[0].RevokedAt.IsZero() || !strings.HasSuffix(es[0].By, ":root") {
		t.Errorf("%d %+v", code, es)
	}
	var me api.Me
	call(t, srv, "GET", "/v1/rewards/me", "token-"+ann, "", &me)
	if me.Holds[0].State != "cleared" || me.Holds[0].Reason != "seen the car" {
		t.Errorf("%+v", me.Holds)
	}
	me = api.Me{}
	call(t, srv, "GET", "/v1/rewards/me", "token-"+ben, "", &me)
	if a := me.Accounts[0]; a.Claimed == nil || *a.Claimed != 7 || *a.Claimable != a.Cumulative-7 {
		t.Errorf("earned, claimed and claimable: %+v", a)
	}
}
