package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image/jpeg"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/roadcomb/roadcomb/benchmarks/fleet"
	"github.com/roadcomb/roadcomb/datasets/schema"
	"github.com/roadcomb/roadcomb/datasets/snapshot"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

func sortStrings(s []string) { slices.Sort(s) }

// run runs the process to its end.
func (p *proc) run(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, p.program, p.args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", p.name, err, out.String())
	}
	return nil
}

// probe tries all the time to read what it must not, until stopped.
func (n *network) probe(ctx context.Context, r *Report) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	st, err := store.Open(ctx, store.Config{Endpoint: "http://" + n.front.addr, AccessKey: n.secrets.Key, SecretKey: survey.Secret(n.secrets.Secret)})
	if err != nil {
		r.Violations = append(r.Violations, "the prober cannot open the store: "+err.Error())
		return cancel
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		rnd := rand.New(rand.NewPCG(n.cfg.Seed, 0x9e0be))
		c := &http.Client{Timeout: 5 * time.Second}
		base := "http://" + n.front.addr
		for ctx.Err() == nil {
			time.Sleep(50 * time.Millisecond)
			var object, upload, owner, frame string
			// A private original, and a frame that is not published.
			if n.db.QueryRow(ctx, `SELECT f.object, f.upload_id, u.contributor_id FROM upload_files f JOIN uploads u ON u.id = f.upload_id
				WHERE f.object <> '' ORDER BY random() LIMIT 1`).Scan(&object, &upload, &owner) != nil {
				continue
			}
			_ = n.db.QueryRow(ctx, `SELECT id FROM frames WHERE state <> 'published' ORDER BY random() LIMIT 1`).Scan(&frame)
			good, err := st.PresignGet(ctx, store.Private, object, time.Minute)
			if err != nil {
				continue
			}
			sig := strings.Index(good, "X-Amz-Signature=") + len("X-Amz-Signature=")
			old, err := st.PresignPut(ctx, store.Private, object, 1, survey.HashOf(nil), time.Minute)
			if err != nil {
				continue
			}
			token := n.acc[rnd.IntN(len(n.acc))]
			type try struct{ what, url, token string }
			tries := []try{
				{"original, anonymous", base + "/private/" + object, ""},
				{"original, signature cut", good[:sig], ""},
				{"original, signature of zeros", good[:sig] + strings.Repeat("0", 64), ""},
				{"original, a longer life", strings.Replace(good, "X-Amz-Expires=60", "X-Amz-Expires=604800", 1), ""},
				{"original, by a URL to write", old, ""},
				{"original, out of another bucket", strings.Replace(good, "/private/", "/public/", 1), ""},
				{"list of originals", base + "/private?list-type=2", ""},
				{"list of the public bucket", base + "/public?list-type=2", ""},
				{"upload without a token", n.api + "/v1/uploads/" + upload + "/files", ""},
				{"original through the API", n.api + "/v1/" + object, ""},
				{"original by a path out of the page", n.api + "/%2e%2e/private/" + object, ""},
			}
			if string(token.ID) != owner {
				tries = append(tries, try{"another's upload", n.api + "/v1/uploads/" + upload + "/files", token.Token})
			}
			if frame != "" {
				tries = append(tries, try{"frame that is not published", n.api + "/v1/frames/" + frame + "/image.jpg", ""})
			}
			t := tries[rnd.IntN(len(tries))]
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url, nil)
			if err != nil {
				continue
			}
			if t.token != "" {
				req.Header.Set("Authorization", "Bearer "+t.token)
			}
			resp, err := c.Do(req)
			r.Probes++
			if err != nil {
				r.Unanswered++
				continue
			}
			b, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
			resp.Body.Close()
			// A page may answer a strange path; what it says must not be a picture or a list.
			leak := bytes.HasPrefix(b, []byte{0xff, 0xd8}) || bytes.Contains(b, []byte(object)) && resp.StatusCode == http.StatusOK
			if resp.StatusCode == http.StatusOK && !strings.Contains(t.what, "page") {
				leak = true
			}
			if leak {
				// A frame may have been published between the question and the answer.
				var st string
				if strings.HasPrefix(t.what, "frame that") && n.db.QueryRow(ctx, `SELECT state FROM frames WHERE id = $1`, frame).Scan(&st) == nil && st == string(survey.FramePublished) {
					continue
				}
				r.Violations = append(r.Violations, fmt.Sprintf("%s: %s answered %s with %d bytes", t.what, t.url, resp.Status, len(b)))
			} else {
				r.Refused++
			}
		}
	})
	return func() { cancel(); wg.Wait(); st.Close() }
}

// release does what an operator would with frames that were held back because workers died on them.
func (n *network) release(ctx context.Context, r *Report) error {
	var held int64
	if err := n.db.QueryRow(ctx, `SELECT COUNT(*) FROM frames WHERE state = 'quarantined'`).Scan(&held); err != nil || held == 0 {
		return err
	}
	r.Rescued = int(held)
	n.say("%d frames are held back; looking at them again", held)
	if err := n.proc("rerun", "", "vision", "rerun", "--quarantined", "--home", filepath.Join(n.dir, "home"), "--state", n.dsn).run(ctx); err != nil {
		return err
	}
	return n.settle(ctx)
}

// check looks at the state of a network at rest.
func (n *network) check(ctx context.Context, r *Report) error {
	bad := func(format string, args ...any) { r.Violations = append(r.Violations, fmt.Sprintf(format, args...)) }
	for what, q := range map[string]string{
		"uploads that are not settled":                     `SELECT COUNT(*) FROM uploads WHERE state <> 'settled'`,
		"files without a final verdict":                    `SELECT COUNT(*) FROM upload_files WHERE verdict NOT IN ('accepted', 'rejected')`,
		"frames that still wait":                           `SELECT COUNT(*) FROM frames WHERE state = 'pending'`,
		"frames that are held back":                        `SELECT COUNT(*) FROM frames WHERE state = 'quarantined'`,
		"drives that are not indexed":                      `SELECT COUNT(*) FROM drives WHERE state <> 'indexed'`,
		"jobs that failed for good":                        `SELECT COUNT(*) FROM river_job WHERE state = 'discarded'`,
		"frames rewarded that are not published":           `SELECT COUNT(*) FROM reward_frames r LEFT JOIN frames f ON f.id = r.frame_id WHERE f.state IS NULL OR f.state <> 'published'`,
		"published frames without a redaction":             `SELECT COUNT(*) FROM frames WHERE state = 'published' AND (redaction = '' OR public_key = '')`,
		"accepted images without a frame of their content": `SELECT COUNT(*) FROM upload_files f WHERE f.verdict = 'accepted' AND NOT EXISTS (SELECT 1 FROM frames x WHERE x.sha256 = f.sha256 AND x.state = 'published')`,
		"contents published twice":                         `SELECT COUNT(*) FROM (SELECT sha256 FROM frames WHERE state = 'published' GROUP BY sha256 HAVING COUNT(*) > 1) x`,
	} {
		var c int64
		if err := n.db.QueryRow(ctx, q).Scan(&c); err != nil {
			return err
		}
		if c != 0 {
			bad("%d %s", c, what)
		}
	}
	// What was acknowledged is there, byte for byte.
	st, err := store.Open(ctx, store.Config{Endpoint: "http://" + n.front.addr, AccessKey: n.secrets.Key, SecretKey: survey.Secret(n.secrets.Secret)})
	if err != nil {
		return err
	}
	defer st.Close()
	for _, part := range []struct {
		bucket store.Bucket
		q      string
	}{
		{store.Private, `SELECT DISTINCT object, sha256 FROM upload_files WHERE object <> ''`},
		{store.Public, `SELECT public_key, public_sha256 FROM frames WHERE state = 'published'`},
	} {
		rows, err := n.db.Query(ctx, part.q)
		if err != nil {
			return err
		}
		var list [][2]string
		for rows.Next() {
			var key, sum string
			if err := rows.Scan(&key, &sum); err != nil {
				rows.Close()
				return err
			}
			list = append(list, [2]string{key, sum})
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			return err
		}
		for _, o := range list {
			b, _, err := st.Get(ctx, part.bucket, o[0], 64<<20)
			if err != nil {
				bad("an object that state names: %v", err)
			} else if survey.HashOf(b).String() != o[1] {
				bad("object %s/%s is not what state says", part.bucket, o[0])
			}
		}
	}
	return nil
}

// compare holds the results of the two networks against each other and against the truth.
func compare(cfg Config, r *Report, calm, fire string) error {
	bad := func(format string, args ...any) { r.Violations = append(r.Violations, fmt.Sprintf(format, args...)) }
	a, err := digests(calm)
	if err != nil {
		return err
	}
	b, err := digests(fire)
	if err != nil {
		return err
	}
	differ := 0
	for name, sum := range a {
		r.Files++
		r.Bytes += sum.n
		if strings.HasSuffix(name, "manifest.json") && strings.HasPrefix(name, "rewards/") {
			r.Epochs++
		}
		if o, ok := b[name]; !ok || o.sum != sum.sum {
			if differ++; differ <= 10 {
				bad("%s: calm and fire differ (there: %v)", name, ok)
			}
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			if differ++; differ <= 10 {
				bad("%s: only under fire", name)
			}
		}
	}
	if differ > 10 {
		bad("%d files differ in all", differ)
	}
	// The truth: what is published shows no face or plate.
	frames := 0
	for round := range r.Rounds {
		p := cfg.plan(round)
		for _, part := range [][]fleet.Drive{p.First, p.Second} {
			for i := range part {
				d := &part[i]
				for _, f := range d.Frames {
					id := survey.NewFrameID(survey.HashOf(d.Render(f)))
					body, err := os.ReadFile(filepath.Join(fire, "frames", string(id)+".jpg"))
					if err != nil {
						continue // not published
					}
					frames++
					img, err := jpeg.Decode(bytes.NewReader(body))
					if err != nil {
						bad("published frame %s: %v", id, err)
						continue
					}
					for _, m := range f.Markers {
						if m.Legible(img, p.Config.W, p.Config.H) {
							bad("published frame %s shows a %s", id, m.Class)
						}
					}
				}
			}
		}
	}
	if frames == 0 || r.Epochs < r.Rounds {
		bad("the comparison says nothing: %d published frames, %d epochs of %d rounds", frames, r.Epochs, r.Rounds)
	}
	return nil
}

type digest struct {
	sum string
	n   int64
}

func digests(dir string) (map[string]digest, error) {
	out := map[string]digest{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		// The snapshot's is over bytes that hold times; an epoch's is compared as it is.
		if manifest, ok := strings.CutSuffix(p, snapshot.SignatureFileName); ok {
			manifest += snapshot.FileName
			m, err := os.ReadFile(manifest)
			if err != nil {
				return err
			}
			if _, err := snapshot.Verify(m, b, nil); err != nil {
				return fmt.Errorf("%s: %w", rel, err)
			}
			b = []byte("good")
		}
		name, b, err := timeless(filepath.ToSlash(rel), b)
		out[name] = digest{survey.HashOf(b).String(), int64(len(b))}
		return err
	})
	return out, err
}

// timeless takes out of a result what the clock alone decides, in the three places where there is such a thing: when a
// finding was made (and so the name of its file), and how often the tiles' manifest was swapped. All else is compared as
// it is.
func timeless(name string, b []byte) (string, []byte, error) {
	switch {
	case strings.HasPrefix(name, "datasets/findings/"):
		rows, err := lake.Decode[schema.Finding](b)
		if err != nil {
			return name, nil, fmt.Errorf("%s: %w", name, err)
		}
		for i := range rows {
			rows[i].FoundAt = time.Time{}
		}
		b, err = json.Marshal(rows)
		return path.Dir(name), b, err
	case name == "datasets/snapshot.json", name == "tiles/manifest.json":
		var m map[string]any
		if err := json.Unmarshal(b, &m); err != nil {
			return name, nil, fmt.Errorf("%s: %w", name, err)
		}
		if ds, ok := m["datasets"].(map[string]any); ok {
			delete(ds, "findings")
		}
		delete(m, "version")
		b, err := json.Marshal(m)
		return name, b, err
	}
	return name, b, nil
}
