package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/httpx"
	"github.com/roadcomb/roadcomb/pkg/operators"
	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
	"github.com/roadcomb/roadcomb/vision/api"
	"github.com/roadcomb/roadcomb/vision/cv"
	"github.com/roadcomb/roadcomb/vision/lab"
	"github.com/roadcomb/roadcomb/vision/worker"
)

const id = survey.FrameID("00112233445566778899aabbccddeeff")

type guard []survey.Box

func (g guard) Detect(context.Context, *cv.Image) ([]survey.Box, error) { return g, nil }
func (guard) Models() []survey.ModelRef {
	return []survey.ModelRef{{Name: "test", Version: "1", SHA256: survey.HashOf(nil)}}
}
func (guard) Margin() float64 { return 0 }

type network struct {
	t  *testing.T
	db *state.DB
	st *store.Store
	h  http.Handler
}

// published is a network with one indexed frame of 640 × 480 on which the detector found a sign.
func published(t *testing.T, db *state.DB) network {
	n := network{t, db, testkit.S3(t), nil}
	ctx := t.Context()
	img := testkit.JPEG(testkit.Picture{W: 640, H: 480, Seed: 1})
	if _, err := n.st.Put(ctx, store.Private, "originals/c/x", img, "image/jpeg"); err != nil {
		t.Fatal(err)
	}
	sum := survey.HashOf(img).String()
	if err := db.Tx(ctx, func(tx *state.Tx) error {
		for _, q := range []string{
			`INSERT INTO contributors (id, created_at) VALUES ('c', 1)`,
			`INSERT INTO uploads (id, contributor_id, state, options, files, bytes, created_at) VALUES ('u', 'c', 'ingested', '{}', 1, 1, 1)`,
			`INSERT INTO upload_files (upload_id, path, sha256, bytes) VALUES ('u', 'a.jpg', '` + sum + `', 1)`,
			`INSERT INTO drives (id, upload_id, contributor_id, device_id, state, started_at, ended_at, received_at, frames, parts, distance_mm, manifest_sha256) VALUES ('d', 'u', 'c', 'x', 'vision', 1, 2, 3, 1, 1, 0, '')`,
			`INSERT INTO drive_parts (drive_id, part) VALUES ('d', 0)`,
			`INSERT INTO frames (id, drive_id, part, seq, upload_id, path, object, sha256, bytes, captured_at, received_at, lat_e7, lon_e7, cell, width, height, state)
				VALUES ('` + string(id) + `', 'd', 0, 0, 'u', 'a.jpg', 'originals/c/x', '` + sum + `', 1, 1, 1, 1, 1, 1, 640, 480, 'pending')`,
		} {
			if _, err := tx.Exec(ctx, q); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	n.look(0)
	if _, err := db.Exec(ctx, `UPDATE drives SET state = 'indexed'`); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	api.Register(mux, httpx.NewAPI(mux, "test", "1"), api.Deps{DB: db, Store: n.st, Operators: operators.New(db, operators.Config{RootToken: "op"})})
	n.h = mux
	return n
}

func (n network) look(run int) {
	n.t.Helper()
	l := lab.Local(lab.Tools{Guard: guard{{Class: survey.ClassPlate, X: 300, Y: 300, W: 60, H: 30, Confidence: .9, Model: "test"}}})
	defer l.Close()
	w := &worker.Worker{DB: n.db, Store: n.st, Lab: l}
	if err := w.Part(n.t.Context(), state.VisionArgs{DriveID: "d", Run: run}); err != nil {
		n.t.Fatal(err)
	}
}

func (n network) do(method, path, token, body string, want int) map[string]any {
	n.t.Helper()
	r := httptest.NewRequestWithContext(n.t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	n.h.ServeHTTP(w, r)
	if w.Code != want {
		n.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	var out map[string]any
	_ = json.Unmarshal(w.Body.Bytes(), &out)
	return out
}

func (n network) frame() (st, key string, red survey.Redaction) {
	n.t.Helper()
	var j string
	if err := n.db.QueryRow(n.t.Context(), `SELECT state, public_key, redaction FROM frames`).Scan(&st, &key, &j); err != nil {
		n.t.Fatal(err)
	}
	if j != "" {
		if err := json.Unmarshal([]byte(j), &red); err != nil {
			n.t.Fatal(err)
		}
	}
	return st, key, red
}

// jobs is how many looks were asked for, and the number of the last.
func (n network) jobs() (looks, run int) {
	n.t.Helper()
	var c, r int64
	if err := n.db.QueryRow(n.t.Context(), `SELECT COUNT(*) FROM river_job WHERE kind = 'vision'`).Scan(&c); err != nil {
		n.t.Fatal(err)
	}
	if err := n.db.QueryRow(n.t.Context(), `SELECT COALESCE(MAX(run), 0) FROM vision_runs`).Scan(&r); err != nil {
		n.t.Fatal(err)
	}
	return int(c), int(r)
}

func TestAMissingBlurThatIsReportedIsCovered(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		n := published(t, db)
		_, first, _ := n.frame()
		body := `{"kind": "blur_missing", "class": "face", "x": 100, "y": 80, "w": 40, "h": 50}`
		if r := n.do("POST", "/v1/frames/"+string(id)+"/reports", "", body, 202); r["state"] != "applied" {
			t.Fatalf("%v", r)
		}
		n.do("POST", "/v1/frames/"+string(id)+"/reports", "", body, 202) // said twice
		if looks, run := n.jobs(); looks != 1 || run != 1 {
			t.Fatal(looks, run)
		}
		n.look(1)
		st, key, red := n.frame()
		if st != "published" || key == first || len(red.Boxes) != 2 || red.Boxes[0].Model != "report" {
			t.Fatalf("%s %s %+v", st, key, red)
		}
		if _, err := n.st.Stat(t.Context(), store.Public, first); survey.KindOf(err) != survey.NotFound {
			t.Fatalf("the readable image is still public: %v", err)
		}
		// A second report while the first look is not yet known to be over asks for a look of its own.
		n.do("POST", "/v1/frames/"+string(id)+"/reports", "", strings.Replace(body, "100", "200", 1), 202)
		if looks, run := n.jobs(); looks != 2 || run != 2 {
			t.Fatal(looks, run)
		}
	})
}

func TestANeedlessBlurWaitsForTheOperator(t *testing.T) {
	n := published(t, testkit.DB(t))
	r := n.do("POST", "/v1/frames/"+string(id)+"/reports", "", `{"kind": "blur_excess", "x": 290, "y": 290, "w": 80, "h": 50, "note": "a sign"}`, 202)
	if looks, _ := n.jobs(); r["state"] != "open" || looks != 0 {
		t.Fatal(r, looks)
	}
	path := "/v1/reports/" + r["id"].(string) + "/resolve"
	n.do("POST", path, "", `{"apply": true}`, 401)
	n.do("GET", "/v1/reports", "wrong", "", 401)
	n.do("GET", "/v1/reports", "op", "", 200)
	n.do("POST", path, "op", `{"apply": true}`, 204)
	n.do("POST", path, "op", `{"apply": true}`, 409)
	_, run := n.jobs()
	n.look(run)
	if st, _, red := n.frame(); st != "published" || len(red.Boxes) != 0 {
		t.Fatalf("%s %+v", st, red)
	}
}

func TestARemovedFrameLeavesOnlyItsTombstone(t *testing.T) {
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		n := published(t, db)
		_, key, _ := n.frame()
		r := n.do("POST", "/v1/frames/"+string(id)+"/reports", "", `{"kind": "remove", "note": "my garden"}`, 202)
		if st, _, _ := n.frame(); st != "published" {
			t.Fatal("anybody can take frames down")
		}
		n.do("POST", "/v1/reports/"+r["id"].(string)+"/resolve", "op", `{"apply": true}`, 204)
		if st, k, _ := n.frame(); st != "removed" || k != "" {
			t.Fatal(st, k)
		}
		for b, key := range map[store.Bucket]string{store.Public: key, store.Private: "originals/c/x"} {
			if _, err := n.st.Stat(t.Context(), b, key); survey.KindOf(err) != survey.NotFound {
				t.Fatalf("%s/%s is still there: %v", b, key, err)
			}
		}
		n.do("DELETE", "/v1/frames/"+string(id), "op", "", 204) // again
		n.do("DELETE", "/v1/frames/0000", "op", "", 404)
		n.do("POST", "/v1/vision/rerun", "op", `{}`, 202)
		if looks, _ := n.jobs(); looks != 0 {
			t.Fatal("a removed frame is looked at again")
		}
		var rev, indexed int64
		if err := db.QueryRow(t.Context(), `SELECT revision FROM drives`).Scan(&rev); err != nil || rev != 1 {
			t.Fatal(rev, err)
		}
		if err := db.QueryRow(t.Context(), `SELECT COUNT(*) FROM river_job WHERE kind = 'index'`).Scan(&indexed); err != nil || indexed != 2 {
			t.Fatal(indexed, err)
		}
	})
}

func TestBadReportsAreRefused(t *testing.T) {
	n := published(t, testkit.DB(t))
	for body, want := range map[string]int{
		`{"kind": "blur_missing", "class": "face"}`:                                                   400,
		`{"kind": "blur_missing", "class": "face", "x": 600, "y": 1, "w": 100, "h": 10}`:              400,
		`{"kind": "blur_missing", "class": "face", "x": 0, "y": 0, "w": 640, "h": 480}`:               400,
		`{"kind": "blur_missing", "class": "dog", "x": 1, "y": 1, "w": 10, "h": 10}`:                  400,
		`{"kind": "paint", "x": 1, "y": 1, "w": 10, "h": 10}`:                                         422,
		`{"kind": "blur_missing", "class": "face", "x": 9223372036854775807, "y": 1, "w": 9, "h": 9}`: 400,
	} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/frames/"+string(id)+"/reports", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		n.h.ServeHTTP(w, r)
		if w.Code/100 != 4 {
			t.Errorf("%s: %d, want %d", body, w.Code, want)
		}
	}
	n.do("POST", "/v1/frames/ffff/reports", "", `{"kind": "remove"}`, 404)
	if looks, _ := n.jobs(); looks != 0 {
		t.Fatal(looks)
	}
}
