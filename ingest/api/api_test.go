package api_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/roadcomb/roadcomb/ingest/api"
	"github.com/roadcomb/roadcomb/ingest/upload"
	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/operators"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

const (
	alice survey.ContributorID = "a11ce000000000000000000000000000"
	bob   survey.ContributorID = "b0b00000000000000000000000000000"
)

// site is the API over the real store and state, with a clock of its own.
type site struct {
	t     testing.TB
	db    *state.DB
	store *store.Store
	h     http.Handler
	now   time.Time
}

func newSite(t testing.TB, l api.Limits) *site {
	t.Helper()
	return newSiteOn(t, testkit.DB(t), l)
}

func newSiteOn(t testing.TB, db *state.DB, l api.Limits) *site {
	t.Helper()
	s := &site{t: t, db: db, store: testkit.S3(t), now: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)}
	for id, name := range map[survey.ContributorID]string{alice: "alice", bob: "bob"} {
		if err := api.EnsureContributor(t.Context(), s.db, id, name, name); err != nil {
			t.Fatal(err)
		}
	}
	mux := http.NewServeMux()
	api.Register(mux, httpx.NewAPI(mux, "test", "1"), api.Deps{DB: s.db, Store: s.store, Limits: l, Operators: operators.New(s.db, operators.Config{RootToken: "op"}), Clock: func() time.Time { return s.now }})
	s.h = httpx.Wrap(mux, httpx.Options{})
	return s
}

// ask sends a request as who and decodes the answer into out.
func (s *site) ask(who, method, path string, in, out any) *httptest.ResponseRecorder {
	s.t.Helper()
	var body []byte
	switch v := in.(type) {
	case nil:
	case string:
		body = []byte(v)
	default:
		var err error
		if body, err = json.Marshal(v); err != nil {
			s.t.Fatal(err)
		}
	}
	r := httptest.NewRequest(method, path, bytes.NewReader(body))
	if who != "" {
		r.Header.Set("Authorization", "Bearer "+who)
	}
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	if out != nil && w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
			s.t.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
		}
	}
	return w
}

// must is ask for a request that succeeds.
func (s *site) must(who, method, path string, in, out any) {
	s.t.Helper()
	if w := s.ask(who, method, path, in, out); w.Code/100 != 2 {
		s.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
}

func manifest(bodies ...string) api.Manifest {
	var m api.Manifest
	for i, b := range bodies {
		m.Files = append(m.Files, survey.UploadFile{Path: fmt.Sprintf("f%02d.jpg", i), Bytes: int64(len(b)), SHA256: survey.HashOf([]byte(b))})
	}
	return m
}

// deliver opens, sends and completes an upload.
func (s *site) deliver(who string, bodies ...string) api.Upload {
	s.t.Helper()
	var u api.Opened
	s.must(who, "POST", "/v1/uploads", manifest(bodies...), &u)
	var m api.Missing
	s.must(who, "POST", "/v1/uploads/"+string(u.ID)+"/urls", map[string]any{}, &m)
	byHash := map[survey.Hash]string{}
	for _, b := range bodies {
		byHash[survey.HashOf([]byte(b))] = b
	}
	for _, f := range m.Files {
		s.put(f.Put, f.Headers, byHash[f.SHA256], http.StatusOK)
	}
	var done api.Upload
	s.must(who, "POST", "/v1/uploads/"+string(u.ID)+"/complete", nil, &done)
	return done
}

func (s *site) put(url string, headers map[string]string, body string, want int) {
	s.t.Helper()
	r, err := http.NewRequest(http.MethodPut, url, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for k, v := range headers {
		r.Header.Set(k, v)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	a.Body.Close()
	if a.StatusCode != want {
		s.t.Fatalf("PUT gives %s, want %d", a.Status, want)
	}
}

// drive writes what ingest would have made of an upload.
func (s *site) drive(c survey.ContributorID, up survey.UploadID, n int) survey.DriveID {
	s.t.Helper()
	id := survey.NewDriveID(c, []survey.FrameID{survey.FrameID(up)})
	ctx := context.Background()
	if err := s.db.Tx(ctx, func(tx *state.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO drives (id, upload_id, contributor_id, device_id, state, started_at, ended_at, received_at, frames, parts, distance_mm, manifest_sha256)
			VALUES ($1, $2, $3, 'dev', 'vision', 1000, 2000, 3000, $4, 1, 12345, '')`, string(id), string(up), string(c), n); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO drive_parts (drive_id, part) VALUES ($1, 0)`, string(id)); err != nil {
			return err
		}
		for i := range n {
			if _, err := tx.Exec(ctx, `INSERT INTO frames (id, drive_id, part, seq, upload_id, path, object, sha256, bytes, captured_at, received_at, lat_e7, lon_e7, cell, width, height, state, heading_mdeg)
				VALUES ($1, $2, 0, $3, $4, 'p.jpg', 'o', '', 1, 1000, 1, $5, 73000000, 631243922056540159, 10, 10, 'published', 90000)`,
				fmt.Sprintf("%s-%d", id, i), string(id), i, string(up), 437000000+i*1000); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `INSERT INTO findings (drive_id, kind, score_ppm, evidence, found_at) VALUES ($1, 'replay', 900000, '{"of":"x"}', 5)`, string(id))
		return err
	}); err != nil {
		s.t.Fatal(err)
	}
	return id
}

func TestTheSameSetIsOneUploadAndCompletingItTwiceIsOneJob(t *testing.T) {
	s := newSite(t, api.Limits{})
	m := manifest("one", "two", "one")
	var a, b api.Opened
	if w := s.ask("alice", "POST", "/v1/uploads", m, &a); w.Code != http.StatusCreated {
		t.Fatal(w.Code, w.Body)
	}
	m.Files[0], m.Files[1] = m.Files[1], m.Files[0]
	if w := s.ask("alice", "POST", "/v1/uploads", m, &b); w.Code != http.StatusOK || a.ID != b.ID || !b.Resumed {
		t.Fatal(w.Code, w.Body)
	}
	var other api.Opened
	s.must("bob", "POST", "/v1/uploads", m, &other)
	if other.ID == a.ID {
		t.Fatal("two contributors share an upload")
	}
	up := "/v1/uploads/" + string(a.ID)
	var p httpx.Problem
	if w := s.ask("alice", "POST", up+"/complete", nil, &p); w.Code != http.StatusConflict || p.Type != httpx.TypePrefix+"incomplete" || len(p.Errors) != 2 {
		t.Fatal(w.Code, w.Body)
	}
	var miss api.Missing
	s.must("alice", "POST", up+"/urls", map[string]any{"limit": 1}, &miss)
	if len(miss.Files) != 1 || miss.Next.IsZero() {
		t.Fatalf("%+v", miss)
	}
	s.put(miss.Files[0].Put, miss.Files[0].Headers, "one!", http.StatusForbidden) // not the size that was announced
	s.put(miss.Files[0].Put, miss.Files[0].Headers, "0ne", http.StatusBadRequest) // nor the content
	for {
		for _, f := range miss.Files {
			body := "one"
			if f.SHA256 == survey.HashOf([]byte("two")) {
				body = "two"
			}
			s.put(f.Put, f.Headers, body, http.StatusOK)
		}
		if miss.Next.IsZero() {
			break
		}
		next := miss.Next
		miss = api.Missing{}
		s.must("alice", "POST", up+"/urls", map[string]any{"limit": 1, "after": next}, &miss)
	}
	var all api.Missing
	s.must("alice", "POST", up+"/urls", map[string]any{}, &all)
	if len(all.Files) != 0 || all.Present != 2 || all.PresentBytes != 6 {
		t.Fatalf("%+v", all)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if w := s.ask("alice", "POST", up+"/complete", nil, nil); w.Code != http.StatusOK {
				t.Error(w.Code, w.Body)
			}
		})
	}
	wg.Wait()
	var jobs, objects int
	if err := s.db.QueryRow(t.Context(), `SELECT (SELECT COUNT(*) FROM river_job WHERE kind = 'ingest'), (SELECT COUNT(*) FROM upload_files WHERE object <> '')`).Scan(&jobs, &objects); err != nil || jobs != 1 || objects != 3 {
		t.Fatal(jobs, objects, err)
	}
	var u api.Upload
	s.must("alice", "GET", up, nil, &u)
	if u.State != survey.UploadUploaded || u.Queue == nil || u.Queue.Stage != "ingest" || u.Counts.Files != 3 || u.Counts.Waiting != 3 {
		t.Fatalf("%+v", u)
	}
	if w := s.ask("alice", "POST", up+"/urls", map[string]any{}, &p); w.Code != http.StatusConflict || p.Type != httpx.TypePrefix+"already-complete" {
		t.Fatal(w.Code, w.Body)
	}
}

func TestAnothersThingsDoNotExist(t *testing.T) {
	s := newSite(t, api.Limits{})
	u := s.deliver("alice", "x")
	d := s.drive(alice, u.ID, 3)
	var open api.Opened
	s.must("alice", "POST", "/v1/uploads", manifest("y"), &open)
	var z api.Zone
	s.must("alice", "POST", "/v1/me/zones", map[string]any{"lat": 43.7, "lon": 7.4}, &z)
	sum := survey.HashOf([]byte("y"))
	routes := []struct {
		method, path string
		in           any
	}{
		{"GET", "/v1/uploads/" + string(u.ID), nil},
		{"GET", "/v1/uploads/" + string(u.ID) + "/files", nil},
		{"POST", "/v1/uploads/" + string(u.ID) + "/complete", nil},
		{"POST", "/v1/uploads/" + string(open.ID) + "/urls", map[string]any{}},
		{"POST", "/v1/uploads/" + string(open.ID) + "/urls", map[string]any{"files": []any{sum}}},
		{"POST", "/v1/uploads/" + string(open.ID) + "/files/complete", map[string]any{"sha256": sum}},
		{"POST", "/v1/uploads/" + string(open.ID) + "/complete", nil},
		{"GET", "/v1/drives/" + string(d), nil},
		{"DELETE", "/v1/me/zones/" + z.ID, nil},
	}
	for _, r := range routes {
		if w := s.ask("bob", r.method, r.path, r.in, nil); w.Code != http.StatusNotFound || strings.Contains(w.Body.String(), "alice") {
			t.Errorf("bob: %s %s gives %d %s", r.method, r.path, w.Code, w.Body)
		}
	}
	// What lists things lists none of alice's.
	for _, p := range []string{"/v1/uploads", "/v1/drives", "/v1/drives?upload=" + string(u.ID), "/v1/me/zones", "/v1/me/coverage"} {
		w := s.ask("bob", "GET", p, nil, nil)
		if w.Code != http.StatusOK || strings.Contains(w.Body.String(), string(u.ID)) || strings.Contains(w.Body.String(), string(d)) || strings.Contains(w.Body.String(), "43.7") {
			t.Errorf("bob: %s gives %d %s", p, w.Code, w.Body)
		}
	}
	for _, r := range routes[:3] {
		if w := s.ask("alice", r.method, r.path, r.in, nil); w.Code/100 != 2 {
			t.Errorf("alice: %s %s gives %d %s", r.method, r.path, w.Code, w.Body)
		}
	}
	// Every documented operation is closed to strangers, and the operator's are closed to drivers.
	var doc struct {
		Paths map[string]map[string]struct {
			Security []map[string][]string
		}
	}
	s.must("", "GET", "/v1/openapi.json", nil, &doc)
	n := 0
	for path, ops := range doc.Paths {
		for method, op := range ops {
			n++
			if len(op.Security) == 0 {
				t.Errorf("%s %s is open", method, path)
			}
			p := strings.NewReplacer("{id}", string(u.ID), "{kid}", "k").Replace(path)
			for _, who := range []string{"", "nobody"} {
				if w := s.ask(who, strings.ToUpper(method), p, nil, nil); w.Code != http.StatusUnauthorized && w.Code != http.StatusTooManyRequests {
					t.Errorf("%q: %s %s gives %d", who, method, path, w.Code)
				}
			}
			if _, ok := op.Security[0][httpx.OperatorAuth]; ok {
				if w := s.ask("alice", strings.ToUpper(method), p, nil, nil); w.Code != http.StatusUnauthorized && w.Code != http.StatusTooManyRequests {
					t.Errorf("alice: %s %s gives %d", method, path, w.Code)
				}
			}
		}
	}
	if n < 15 {
		t.Fatalf("only %d operations documented", n)
	}
}

func TestStrangersAreSlowedDown(t *testing.T) {
	s := newSite(t, api.Limits{})
	last := 0
	for range 40 {
		last = s.ask("guess", "GET", "/v1/me", nil, nil).Code
	}
	if last != http.StatusTooManyRequests {
		t.Fatal(last)
	}
	if w := s.ask("alice", "GET", "/v1/me", nil, nil); w.Code != http.StatusOK {
		t.Fatal("a good token from the same address is refused", w.Code)
	}
}

func TestDriversAreLimitedEachForThemselves(t *testing.T) {
	s := newSite(t, api.Limits{Rate: 0.001, Burst: 2})
	for range 2 {
		s.must("alice", "GET", "/v1/me", nil, nil)
	}
	w := s.ask("alice", "GET", "/v1/me", nil, nil)
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" || w.Header().Get("RateLimit") == "" {
		t.Fatal(w.Code, w.Header())
	}
	s.must("bob", "GET", "/v1/me", nil, nil)
}

func TestManifestsAreCheckedBeforeAnythingIsKept(t *testing.T) {
	s := newSite(t, api.Limits{Files: 3, FileBytes: 100, UploadBytes: 150, PathBytes: 20})
	sum := survey.HashOf([]byte("x")).String()
	file := func(path string, n int64) string {
		return fmt.Sprintf(`{"path":%q,"bytes":%d,"sha256":%q}`, path, n, sum)
	}
	for name, c := range map[string]struct{ body, says string }{
		"no JSON":             {`{`, "JSON"},
		"a wrong type":        {`{"files":5}`, "json"},
		"no files":            {`{"files":[]}`, "no file"},
		"null":                {`null`, "no file"},
		"too many files":      {`{"files":[` + strings.Repeat(file("a", 1)+",", 3) + file("a", 1) + `]}`, "limit is 3"},
		"a path twice":        {`{"files":[` + file("a", 1) + "," + file("a", 1) + `]}`, "twice"},
		"one hash, two sizes": {`{"files":[` + file("a", 1) + "," + file("b", 2) + `]}`, "another file"},
		"absolute":            {`{"files":[` + file("/etc/passwd", 1) + `]}`, "not relative"},
		"escape":              {`{"files":[` + file("a/../../b", 1) + `]}`, ".."},
		"dot":                 {`{"files":[` + file("./b", 1) + `]}`, `\".\"`},
		"double slash":        {`{"files":[` + file("a//b", 1) + `]}`, "element"},
		"NUL":                 {`{"files":[{"path":"a\u0000b","bytes":1,"sha256":"` + sum + `"}]}`, "NUL"},
		"not UTF-8":           {"{\"files\":[{\"path\":\"a\xff\",\"bytes\":1,\"sha256\":\"" + sum + "\"}]}", "UTF-8"},
		"long":                {`{"files":[` + file(strings.Repeat("a", 21), 1) + `]}`, "21 bytes"},
		"empty path":          {`{"files":[` + file("", 1) + `]}`, "empty"},
		"negative":            {`{"files":[` + file("a", -1) + `]}`, "negative"},
		"too large":           {`{"files":[` + file("a", 101) + `]}`, "larger"},
		"size overflow":       {`{"files":[{"path":"a","bytes":9223372036854775808,"sha256":"` + sum + `"}]}`, "json"},
		"no hash":             {`{"files":[{"path":"a","bytes":1}]}`, "SHA-256"},
		"short hash":          {`{"files":[{"path":"a","bytes":1,"sha256":"12"}]}`, "SHA-256"},
		"speed":               {`{"files":[` + file("a", 1) + `],"options":{"assume_speed":1e9}}`, "m/s"},
		"device with line":    {`{"files":[` + file("a", 1) + `],"options":{"device":"a\nb"}}`, "printable"},
	} {
		w := s.ask("alice", "POST", "/v1/uploads", c.body, nil)
		if w.Code/100 != 4 || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	two := fmt.Sprintf(`{"files":[%s,{"path":"b","bytes":100,"sha256":%q}]}`, file("a", 100), survey.HashOf(nil))
	if w := s.ask("alice", "POST", "/v1/uploads", two, nil); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "150") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	var n int
	if err := s.db.QueryRow(t.Context(), `SELECT COUNT(*) FROM uploads`).Scan(&n); err != nil || n != 0 {
		t.Fatal(n, err)
	}
	if w := s.ask("alice", "POST", "/v1/uploads", `{"files":[`+file(`line\nbreak ☃.jpg`, 1)+`]}`, nil); w.Code != http.StatusCreated {
		t.Fatal(w.Code, w.Body)
	}
}

func TestQuotasAreSaidWithTheTimeToComeBack(t *testing.T) {
	s := newSite(t, api.Limits{OpenUploads: 2, DayBytes: 10})
	s.must("alice", "POST", "/v1/uploads", manifest("1234"), nil)
	w := s.ask("alice", "POST", "/v1/uploads", manifest("1234567"), nil)
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "daily limit") {
		t.Fatal(w.Code, w.Body)
	}
	s.must("alice", "POST", "/v1/uploads", manifest("1234"), nil) // one that is open costs nothing more
	s.must("alice", "POST", "/v1/uploads", manifest("abc"), nil)
	if w := s.ask("alice", "POST", "/v1/uploads", manifest("x"), nil); w.Code != http.StatusTooManyRequests || !strings.Contains(w.Body.String(), "open") {
		t.Fatal(w.Code, w.Body)
	}
	var me api.Me
	s.must("alice", "GET", "/v1/me", nil, &me)
	if me.Used.DayBytes != 7 || me.Used.OpenUploads != 2 {
		t.Fatalf("%+v", me)
	}
	// A contributor's own limits come before the server's.
	if _, err := s.db.Exec(t.Context(), `INSERT INTO contributor_limits (contributor_id, open_uploads, day_bytes) VALUES ($1, 5, 1000)`, string(alice)); err != nil {
		t.Fatal(err)
	}
	s.must("alice", "POST", "/v1/uploads", manifest("1234567"), nil)
	s.now = s.now.Add(25 * time.Hour)
	s.must("bob", "POST", "/v1/uploads", manifest("1234567890"), nil)
	if _, err := s.db.Exec(t.Context(), `UPDATE contributor_limits SET blocked_at = 1`); err != nil {
		t.Fatal(err)
	}
	var p httpx.Problem
	if w := s.ask("alice", "POST", "/v1/uploads", manifest("z"), &p); w.Code != http.StatusUnauthorized || p.Type != httpx.TypePrefix+"blocked" {
		t.Fatal(w.Code, w.Body)
	}
}

func TestABusyNetworkTakesNoNewUploadsButLetsOpenOnesGoOn(t *testing.T) {
	s := newSite(t, api.Limits{WaitingJobs: 1})
	var open api.Opened
	s.must("alice", "POST", "/v1/uploads", manifest("x"), &open)
	s.deliver("bob", "y") // its ingest job waits
	w := s.ask("alice", "POST", "/v1/uploads", manifest("z"), nil)
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "60" {
		t.Fatal(w.Code, w.Body)
	}
	s.must("alice", "POST", "/v1/uploads", manifest("x"), nil)
	s.deliver("alice", "x")
}

func TestVerdictsAreShownPerFileAndASharedFileIsToldToBoth(t *testing.T) {
	s := newSite(t, api.Limits{})
	a, b := s.deliver("alice", "same", "mine", "third"), s.deliver("bob", "same")
	if err := s.db.Tx(t.Context(), func(tx *state.Tx) error {
		return state.SetVerdict(t.Context(), tx, a.ID, "f01.jpg", survey.Reject(survey.ReasonTooFast, "412 m/s", map[string]any{"speed_mps": 412.5}))
	}); err != nil {
		t.Fatal(err)
	}
	type list struct {
		Files []api.File
		Next  string
	}
	var all []api.File
	for after := ""; ; {
		var l list
		s.must("alice", "GET", "/v1/uploads/"+string(a.ID)+"/files?limit=2&after="+after, nil, &l)
		all = append(all, l.Files...)
		if after = l.Next; after == "" {
			break
		}
	}
	if len(all) != 3 || all[0].Path != "f00.jpg" || !all[0].Shared || all[1].Shared || all[0].Verdict != "waiting" {
		t.Fatalf("%+v", all)
	}
	if f := all[1]; f.Verdict != "rejected" || f.Reason != survey.ReasonTooFast || f.Message != "412 m/s" || f.Vars["speed_mps"] != 412.5 {
		t.Fatalf("%+v", f)
	}
	var l list
	s.must("bob", "GET", "/v1/uploads/"+string(b.ID)+"/files", nil, &l)
	if len(l.Files) != 1 || !l.Files[0].Shared {
		t.Fatalf("%+v", l)
	}
	s.must("alice", "GET", "/v1/uploads/"+string(a.ID)+"/files?verdict=rejected", nil, &l)
	if len(l.Files) != 1 || l.Files[0].Path != "f01.jpg" {
		t.Fatalf("%+v", l)
	}
	var u api.Upload
	s.must("bob", "GET", "/v1/uploads/"+string(b.ID), nil, &u)
	if u.Queue == nil || u.Queue.Ahead > 1 {
		t.Fatalf("%+v", u)
	}
}

func TestDrivesShowFramesFindingsAndCoverage(t *testing.T) {
	s := newSite(t, api.Limits{})
	u := s.deliver("alice", "x")
	id := s.drive(alice, u.ID, 5)
	var l struct{ Drives []api.Drive }
	s.must("alice", "GET", "/v1/drives", nil, &l)
	if len(l.Drives) != 1 || l.Drives[0].ID != id || l.Drives[0].Frames.Published != 5 || l.Drives[0].Frames.Cells != 1 || l.Drives[0].Distance != 12.345 {
		t.Fatalf("%+v", l)
	}
	var frames []api.DriveFrame
	for after := ""; ; {
		var d struct {
			Findings []api.Finding
			List     []api.DriveFrame `json:"frame_list"`
			Next     string
		}
		s.must("alice", "GET", "/v1/drives/"+string(id)+"?limit=2&after="+after, nil, &d)
		if len(d.Findings) != 1 || d.Findings[0].Score != 900000 || string(d.Findings[0].Evidence) != `{"of":"x"}` {
			t.Fatalf("%+v", d)
		}
		frames = append(frames, d.List...)
		if after = d.Next; after == "" {
			break
		}
	}
	if len(frames) != 5 || frames[4].Seq != 4 || frames[1].Lat != 43.7001 || *frames[0].Heading != 90 {
		t.Fatalf("%+v", frames)
	}
}

func TestRegistrationIsTheOperatorsAndTokensAreKeptHashed(t *testing.T) {
	s := newSite(t, api.Limits{})
	var r api.Registered
	s.must("op", "POST", "/v1/contributors", map[string]any{"handle": "carol"}, &r)
	var me api.Me
	s.must(r.Token, "GET", "/v1/me", nil, &me)
	if me.ID != r.ID || me.Handle != "carol" || !survey.ValidID(string(r.ID)) {
		t.Fatalf("%+v", me)
	}
	var kept int
	if err := s.db.QueryRow(t.Context(), `SELECT COUNT(*) FROM contributors WHERE token_sha256 = $1 OR handle = $1`, r.Token).Scan(&kept); err != nil || kept != 0 {
		t.Fatal("the token itself is kept", err)
	}
	var r2 api.Registered
	s.must("op", "POST", "/v1/contributors/"+string(r.ID)+"/token", nil, &r2)
	if w := s.ask(r.Token, "GET", "/v1/me", nil, nil); w.Code != http.StatusUnauthorized {
		t.Fatal("the old token lives on")
	}
	s.must(r2.Token, "GET", "/v1/me", nil, nil)
	const addr = "0xABCDEFabcdef00000000000000000000000000AA"
	s.must(r2.Token, "PUT", "/v1/me/payout", map[string]any{"address": addr}, nil)
	s.must(r2.Token, "GET", "/v1/me", nil, &me)
	if me.Payout != strings.ToLower(addr) {
		t.Fatal(me.Payout)
	}
	if w := s.ask(r2.Token, "PUT", "/v1/me/payout", map[string]any{"address": "0x12"}, nil); w.Code != http.StatusBadRequest {
		t.Fatal(w.Code, w.Body)
	}
}

func TestAnOperatorLimitsBlocksAndListsContributors(t *testing.T) {
	s := newSite(t, api.Limits{})
	var r, other api.Registered
	s.must("op", "POST", "/v1/contributors", map[string]any{"handle": "carol"}, &r)
	s.must("op", "POST", "/v1/contributors", map[string]any{"handle": "dora"}, &other)
	at := "/v1/contributors/" + string(r.ID)
	s.must("op", "PUT", at+"/block", nil, nil) // before any limit: a block alone
	s.must("op", "PUT", at+"/limits", map[string]any{"upload_bytes": 123, "day_bytes": 456, "open_uploads": 7}, nil)
	var me api.Me
	s.must(r.Token, "GET", "/v1/me", nil, &me)
	if !me.Blocked || me.Limits.UploadBytes != 123 || me.Limits.DayBytes != 456 || me.Limits.OpenUploads != 7 {
		t.Fatalf("%+v", me)
	}
	var p struct{ Type string }
	if w := s.ask(r.Token, "POST", "/v1/uploads", manifest("z"), &p); w.Code != http.StatusUnauthorized || p.Type != httpx.TypePrefix+"blocked" {
		t.Fatal(w.Code, w.Body)
	}
	s.must("op", "DELETE", at+"/block", nil, nil)
	if w := s.ask(r.Token, "POST", "/v1/uploads", manifest("z"), nil); w.Code != http.StatusCreated {
		t.Fatal(w.Code, w.Body)
	}
	// Pages of one, by id, without a gap.
	seen := map[string]api.Member{}
	for after := ""; ; {
		var page struct{ Contributors []api.Member }
		s.must("op", "GET", "/v1/contributors?limit=1&after="+after, nil, &page)
		if len(page.Contributors) == 0 {
			break
		}
		m := page.Contributors[0]
		seen[m.Handle], after = m, string(m.ID)
	}
	carol := seen["carol"]
	if _, ok := seen["dora"]; !ok || carol.ID != r.ID || carol.Uploads != 1 || carol.Bytes == 0 || carol.LastUpload == nil || carol.BlockedAt != nil || carol.Limits.DayBytes != 456 {
		t.Fatalf("%+v", seen)
	}
	for _, c := range []struct{ method, path string }{{"PUT", "/block"}, {"DELETE", "/block"}, {"POST", "/token"}} {
		if w := s.ask("op", c.method, "/v1/contributors/nobody"+c.path, nil, nil); w.Code != http.StatusNotFound {
			t.Errorf("%s %s of nobody: %d", c.method, c.path, w.Code)
		}
	}
	if w := s.ask("op", "PUT", at+"/limits", map[string]any{"upload_bytes": -1, "day_bytes": 0, "open_uploads": 0}, nil); w.Code/100 != 4 {
		t.Error(w.Code, w.Body)
	}
}

func TestPrivacyZonesComeAndGo(t *testing.T) {
	s := newSite(t, api.Limits{})
	var z api.Zone
	s.must("alice", "POST", "/v1/me/zones", map[string]any{"lat": -33.5, "lon": -70.25}, &z)
	var l struct{ Zones []api.Zone }
	s.must("alice", "GET", "/v1/me/zones", nil, &l)
	if len(l.Zones) != 1 || l.Zones[0] != z || z.Radius != 200 || z.Lat != -33.5 {
		t.Fatalf("%+v", l)
	}
	for _, bad := range []string{`{"lat":0,"lon":0}`, `{"lat":91,"lon":0}`, `{"lat":1,"lon":1,"radius_m":1e9}`, `{}`} {
		if w := s.ask("alice", "POST", "/v1/me/zones", bad, nil); w.Code/100 != 4 {
			t.Errorf("%s gives %d", bad, w.Code)
		}
	}
	s.must("alice", "DELETE", "/v1/me/zones/"+z.ID, nil, nil)
	s.must("alice", "GET", "/v1/me/zones", nil, &l)
	if len(l.Zones) != 0 {
		t.Fatalf("%+v", l)
	}
}

func TestALongPollAnswersWhenSomethingChanges(t *testing.T) {
	s := newSite(t, api.Limits{})
	u := s.deliver("alice", "x")
	got := make(chan api.Upload)
	go func() {
		var v api.Upload
		s.must("alice", "GET", "/v1/uploads/"+string(u.ID)+"?wait=20&since="+u.Version, nil, &v)
		got <- v
	}()
	if _, err := s.db.Exec(t.Context(), `UPDATE uploads SET state = 'ingested' WHERE id = $1`, string(u.ID)); err != nil {
		t.Fatal(err)
	}
	select {
	case v := <-got:
		if v.Version == u.Version || v.State != survey.UploadIngested {
			t.Fatalf("%+v", v)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("no answer")
	}
}

func TestALongPollIsNotAnsweredForEveryMoveOfTheQueue(t *testing.T) {
	s := newSite(t, api.Limits{})
	before, u := s.deliver("alice", "x"), s.deliver("alice", "y")
	path := "/v1/uploads/" + string(u.ID)
	s.must("alice", "GET", path, nil, &u)
	if u.Queue == nil || u.Queue.Ahead != 1 {
		t.Fatalf("%+v", u)
	}
	if _, err := s.db.Exec(t.Context(), `UPDATE uploads SET state = 'settled' WHERE id = $1`, string(before.ID)); err != nil {
		t.Fatal(err)
	}
	var v api.Upload
	began := time.Now()
	s.must("alice", "GET", path+"?wait=1&since="+u.Version, nil, &v)
	if d := time.Since(began); d < time.Second {
		t.Errorf("answered after %s though only the queue moved", d)
	}
	if v.Version == u.Version || v.Queue == nil || v.Queue.Ahead != 0 { // and in the end it is told
		t.Errorf("%+v, before %+v", v, u)
	}

	// What concerns the upload itself is told at once: a part of it that vision has done.
	for _, q := range []string{
		`INSERT INTO drives (id, upload_id, contributor_id, device_id, state, started_at, ended_at, received_at, frames, parts, distance_mm, manifest_sha256)
			SELECT 'd', id, contributor_id, '', 'new', 0, 0, 0, 2, 2, 0, '' FROM uploads WHERE id = $1`,
		`INSERT INTO drive_parts (drive_id, part) SELECT 'd', 0 FROM uploads WHERE id = $1`,
		`INSERT INTO drive_parts (drive_id, part) SELECT 'd', 1 FROM uploads WHERE id = $1`,
		`UPDATE uploads SET state = 'ingested' WHERE id = $1`,
	} {
		if _, err := s.db.Exec(t.Context(), q, string(u.ID)); err != nil {
			t.Fatal(q, err)
		}
	}
	s.must("alice", "GET", path, nil, &v)
	if v.Queue == nil || v.Queue.Left != 2 {
		t.Fatalf("%+v", v)
	}
	got := make(chan api.Upload)
	began = time.Now()
	go func() {
		var w api.Upload
		s.must("alice", "GET", path+"?wait=60&since="+v.Version, nil, &w)
		got <- w
	}()
	time.Sleep(300 * time.Millisecond)
	if _, err := s.db.Exec(t.Context(), `UPDATE drive_parts SET done_run = 0 WHERE part = 0`); err != nil {
		t.Fatal(err)
	}
	if w := <-got; w.Queue == nil || w.Queue.Left != 1 || time.Since(began) > 9*time.Second { // else it waited for the news
		t.Errorf("%+v after %s", w, time.Since(began))
	}
}

func TestSignedManifestsAreCheckedAndBadOnesNeverTakenAsUnsigned(t *testing.T) {
	s := newSite(t, api.Limits{})
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signed := func(c survey.ContributorID, body string) api.Manifest {
		m := manifest(body)
		sig := upload.Sign(key, c, survey.NewUploadID(c, []survey.Hash{m.Files[0].SHA256}))
		m.Signature = &sig
		return m
	}
	refused := func(why string, m api.Manifest) {
		t.Helper()
		var p httpx.Problem
		if w := s.ask("alice", "POST", "/v1/uploads", m, &p); w.Code != http.StatusBadRequest || p.Type != httpx.TypePrefix+"bad-signature" || !strings.Contains(p.Detail, why) {
			t.Fatal(w.Code, w.Body)
		}
	}
	refused("not registered", signed(alice, "x"))
	reg := map[string]any{"key": signed(alice, "x").Signature.Key, "name": "cam"}
	for range 2 {
		s.must("alice", "POST", "/v1/me/devices", reg, nil)
	}
	var u api.Opened
	s.must("alice", "POST", "/v1/uploads", signed(alice, "x"), &u)
	if !u.Signed {
		t.Fatalf("%+v", u)
	}
	s.must("alice", "POST", "/v1/uploads", manifest("y"), &u)
	if u.Signed {
		t.Fatalf("%+v", u)
	}
	refused("not that of key", signed(bob, "x"))
	other := signed(alice, "x")
	other.Files[0].SHA256[0] ^= 1
	refused("not that of key", other)
	short := signed(alice, "x")
	short.Signature.Sig = "00"
	refused("hex digits", short)
	var l struct{ Devices []api.DeviceKey }
	s.must("alice", "GET", "/v1/me/devices", nil, &l)
	if len(l.Devices) != 1 || l.Devices[0].Name != "cam" {
		t.Fatalf("%+v", l)
	}
	if w := s.ask("bob", "DELETE", "/v1/me/devices/"+l.Devices[0].Key, nil, nil); w.Code != http.StatusNotFound {
		t.Fatal(w.Code)
	}
	s.must("alice", "DELETE", "/v1/me/devices/"+l.Devices[0].Key, nil, nil)
	refused("revoked", signed(alice, "z"))
	if w := s.ask("alice", "POST", "/v1/me/devices", reg, nil); w.Code != http.StatusConflict {
		t.Fatal(w.Code)
	}
}

func TestTheOpenAPIDocumentHoldsTogether(t *testing.T) {
	s := newSite(t, api.Limits{})
	var doc map[string]any
	s.must("", "GET", "/v1/openapi.json", nil, &doc)
	if v, _ := doc["openapi"].(string); !strings.HasPrefix(v, "3.1.") {
		t.Fatal(doc["openapi"])
	}
	ids := map[string]string{}
	for p, ops := range doc["paths"].(map[string]any) {
		for method, o := range ops.(map[string]any) {
			op := o.(map[string]any)
			id, _ := op["operationId"].(string)
			if id == "" || op["summary"] == "" || ids[id] != "" {
				t.Errorf("%s %s: operationId %q, also of %s", method, p, id, ids[id])
			}
			ids[id] = p
			named := map[string]bool{}
			ps, _ := op["parameters"].([]any)
			for _, x := range ps {
				if x := x.(map[string]any); x["in"] == "path" {
					named[x["name"].(string)] = true
				}
			}
			for part := range strings.SplitSeq(p, "/") {
				if n, ok := strings.CutPrefix(part, "{"); ok && !named[strings.TrimSuffix(n, "}")] {
					t.Errorf("%s %s does not describe %s", method, p, part)
				}
			}
			rs := op["responses"].(map[string]any)
			if _, ok := rs["default"].(map[string]any)["content"].(map[string]any)["application/problem+json"]; !ok {
				t.Errorf("%s %s does not describe its problems", method, p)
			}
		}
	}
	// Every reference leads somewhere.
	var follow func(v any)
	follow = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				var at any = doc
				for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
					m, _ := at.(map[string]any)
					at = m[part]
				}
				if at == nil {
					t.Errorf("%s leads nowhere", ref)
				}
			}
			for _, x := range v {
				follow(x)
			}
		case []any:
			for _, x := range v {
				follow(x)
			}
		}
	}
	follow(doc)
}

func FuzzManifest(f *testing.F) {
	b, err := json.Marshal(manifest("a", "b"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"files":[{"path":"a/../b","bytes":-1,"sha256":"00"}],"options":{"clock_offset":1,"captured_at":"2026-01-01T00:00:00Z"}}`))
	f.Add([]byte(`{"files":[{"path":"a\u0000\n","bytes":1e3}]}`))
	l := api.Limits{Files: 100, FileBytes: 1 << 40, UploadBytes: 1 << 41, PathBytes: 64}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := api.CheckManifest(b, l)
		if err != nil {
			if m != nil && httpx.ProblemOf(err).Status/100 != 4 {
				t.Fatalf("a bad manifest is a fault of ours: %v", err)
			}
			return
		}
		var total int64
		seen := map[string]bool{}
		for _, f := range m.Files {
			if f.Bytes < 0 || f.SHA256.IsZero() || f.Path == "" || len(f.Path) > 64 || f.Path[0] == '/' || strings.ContainsRune(f.Path, 0) || seen[f.Path] || !utf8.ValidString(f.Path) {
				t.Fatalf("taken: %+v", f)
			}
			if c := path.Clean(f.Path); c != f.Path || c == ".." || strings.HasPrefix(c, "../") {
				t.Fatalf("taken: %q", f.Path)
			}
			seen[f.Path] = true
			total += f.Bytes
		}
		if len(m.Files) == 0 || len(m.Files) > 100 || total > 1<<41 || total < 0 {
			t.Fatalf("taken: %d files of %d bytes", len(m.Files), total)
		}
	})
}

func TestTheWholeWayOnEveryEngine(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		s := newSiteOn(t, db, api.Limits{})
		u := s.deliver("alice", "x", "y", "x")
		if err := db.Tx(t.Context(), func(tx *state.Tx) error {
			return state.SetVerdict(t.Context(), tx, u.ID, "f01.jpg", survey.Reject(survey.ReasonNoModel, "", nil))
		}); err != nil {
			t.Fatal(err)
		}
		id := s.drive(alice, u.ID, 4)
		if _, err := db.Exec(t.Context(), `UPDATE frames SET state = 'quarantined' WHERE seq = 1`); err != nil {
			t.Fatal(err)
		}
		var l struct {
			Uploads []api.Upload
			Next    string
		}
		s.must("alice", "GET", "/v1/uploads?limit=1", nil, &l)
		if len(l.Uploads) != 1 || l.Next == "" || l.Uploads[0].Counts != (api.Counts{Files: 3, Rejected: 1, Waiting: 2, Held: 1}) || l.Uploads[0].Drives != 1 {
			t.Fatalf("%+v", l)
		}
		next := l.Next
		l.Uploads, l.Next = nil, ""
		s.must("alice", "GET", "/v1/uploads?limit=1&after="+next, nil, &l)
		if len(l.Uploads) != 0 {
			t.Fatalf("%+v", l)
		}
		if _, err := db.Exec(t.Context(), `UPDATE uploads SET state = 'ingested'`); err != nil {
			t.Fatal(err)
		}
		s.must("alice", "GET", "/v1/uploads/"+string(u.ID), nil, &u)
		if u.Queue == nil || u.Queue.Stage != "vision" || u.Queue.Left != 1 {
			t.Fatalf("%+v", u.Queue)
		}
		s.must("alice", "GET", "/v1/uploads/"+string(u.ID)+"/files?verdict=waiting", nil, nil)
		s.must("alice", "GET", "/v1/drives/"+string(id), nil, nil)
		var fc struct {
			Features []struct {
				Geometry   struct{ Coordinates [][][2]float64 }
				Properties struct{ Frames int }
			}
		}
		w := s.ask("alice", "GET", "/v1/me/coverage?since=1970-01-01T00:00:00Z", nil, &fc)
		if w.Header().Get("Content-Type") != "application/geo+json" || len(fc.Features) != 1 || fc.Features[0].Properties.Frames != 3 {
			t.Fatal(w.Code, w.Body)
		}
		// The frame that is held back is in no line, nor is a line drawn across it.
		if ls := fc.Features[0].Geometry.Coordinates; len(ls) != 2 || len(ls[0]) != 2 || ls[0][0] != ls[0][1] || ls[0][0] != [2]float64{7.3, 43.7} || len(ls[1]) != 2 {
			t.Fatalf("%v", ls)
		}
		s.must("alice", "POST", "/v1/me/zones", map[string]any{"lat": 1, "lon": 2}, nil)
		s.must("alice", "GET", "/v1/me", nil, nil)
		// Thirty megabytes go in parts.
		big := strings.Repeat("x", api.SinglePut+5)
		var o api.Opened
		s.must("alice", "POST", "/v1/uploads", manifest(big), &o)
		up, sum := "/v1/uploads/"+string(o.ID), survey.HashOf([]byte(big))
		var m api.Missing
		s.must("alice", "POST", up+"/urls", map[string]any{}, &m)
		if len(m.Files) != 1 || !m.Files[0].InParts || m.Files[0].Put != "" {
			t.Fatalf("%+v", m)
		}
		if w := s.ask("alice", "POST", up+"/files/complete", map[string]any{"sha256": sum}, nil); w.Code != http.StatusConflict {
			t.Fatal(w.Code, w.Body)
		}
		s.must("alice", "POST", up+"/urls", map[string]any{"files": []any{sum}}, &m)
		for i, p := range m.Files[0].Parts {
			if p.Number != i+1 {
				t.Fatalf("%+v", p)
			}
			off := int64(i) * m.Files[0].PartBytes
			s.put(p.Put, nil, big[off:off+p.Bytes], http.StatusOK)
		}
		m = api.Missing{}
		s.must("alice", "POST", up+"/urls", map[string]any{"files": []any{sum}}, &m)
		if !m.Files[0].Finish {
			t.Fatalf("%+v", m)
		}
		for range 2 {
			s.must("alice", "POST", up+"/files/complete", map[string]any{"sha256": sum}, nil)
		}
		s.must("alice", "POST", up+"/complete", nil, nil)
	})
}
