package worker_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/state"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
	"github.com/roadcomb/roadcomb/vision/worker"
)

// pair is two uploads of two contributors, received one after the other.
type pair struct {
	t  *testing.T
	w  *worker.Worker
	db *state.DB
}

func newPair(t *testing.T, db *state.DB) pair {
	d := &drive{t: t, db: db, st: testkit.S3(t)}
	return pair{t, d.worker(finds()), db}
}

func (p pair) send(who string, received int, images ...[]byte) survey.DriveID {
	p.t.Helper()
	id := survey.DriveID(fmt.Sprintf("%s%031d", who, received))
	up := fmt.Sprintf("u-%s-%d", who, received)
	err := p.db.Tx(p.t.Context(), func(tx *state.Tx) error {
		exec := func(q string, args ...any) {
			p.t.Helper()
			if _, err := tx.Exec(p.t.Context(), q, args...); err != nil {
				p.t.Fatal(err)
			}
		}
		exec(`INSERT INTO contributors (id, created_at) VALUES ($1, 1) ON CONFLICT (id) DO NOTHING`, who)
		exec(`INSERT INTO uploads (id, contributor_id, state, options, files, bytes, created_at) VALUES ($1, $2, 'ingested', '{}', $3, 1, 1)`, up, who, len(images))
		exec(`INSERT INTO drives (id, upload_id, contributor_id, device_id, state, started_at, ended_at, received_at, frames, parts, distance_mm, manifest_sha256)
			VALUES ($1, $2, $3, 'd', 'vision', 1, 2, $4, $5, 1, 0, '')`, string(id), up, who, received, len(images))
		exec(`INSERT INTO drive_parts (drive_id, part) VALUES ($1, 0)`, string(id))
		for i, b := range images {
			sum := survey.HashOf(b)
			path, key := fmt.Sprintf("%03d.jpg", i), store.OriginalKey(survey.ContributorID(who), sum)
			exec(`INSERT INTO upload_files (upload_id, path, sha256, bytes, object, kind) VALUES ($1, $2, $3, $4, $5, 'image')`, up, path, sum.String(), len(b), key)
			exec(`INSERT INTO frames (id, drive_id, part, seq, upload_id, path, object, sha256, bytes, captured_at, received_at, lat_e7, lon_e7, cell, width, height, state)
				VALUES ($1, $2, 0, $3, $4, $5, $6, $7, $8, $9, 9, 1, 1, 1, 640, 480, 'pending')`, string(survey.NewFrameID(sum)), string(id), i, up, path, key, sum.String(), len(b), 1000000*(i+1))
			if _, err := p.w.Store.Put(p.t.Context(), store.Private, key, b, "image/jpeg"); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return id
}

func (p pair) look(d survey.DriveID) {
	p.t.Helper()
	if err := p.w.Part(p.t.Context(), state.VisionArgs{DriveID: d}); err != nil {
		p.t.Fatal(err)
	}
}

// finding gives drive, subject and score of the only finding, or "".
func (p pair) finding() (drive, subject string, score int64) {
	p.t.Helper()
	rows, err := p.db.Query(p.t.Context(), `SELECT drive_id, subject, score_ppm FROM findings WHERE kind = 'near_duplicate' ORDER BY drive_id, subject`)
	if err != nil {
		p.t.Fatal(err)
	}
	defer rows.Close()
	for n := 0; rows.Next(); n++ {
		if n == 1 {
			p.t.Fatal("more than one finding")
		}
		if err := rows.Scan(&drive, &subject, &score); err != nil {
			p.t.Fatal(err)
		}
	}
	return drive, subject, score
}

// edited is a picture made a little smaller and brighter and encoded anew.
func edited(t *testing.T, b []byte) []byte {
	t.Helper()
	m, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	r := m.Bounds()
	out := image.NewRGBA(image.Rect(0, 0, r.Dx()*3/4, r.Dy()*3/4))
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			c := color.RGBAModel.Convert(m.At(x*4/3, y*4/3)).(color.RGBA)
			up := func(v uint8) uint8 { return uint8(min(255, int(v)*9/10+25)) }
			out.Set(x, y, color.RGBA{up(c.R), up(c.G), up(c.B), 255})
		}
	}
	var w bytes.Buffer
	if err := jpeg.Encode(&w, out, &jpeg.Options{Quality: 70}); err != nil {
		t.Fatal(err)
	}
	return w.Bytes()
}

func TestFootageEncodedAnewIsKnownAgainOnTheLaterDrive(t *testing.T) {
	var first, again, other [][]byte
	for i := range 12 {
		b := picture(uint64(100 + i))
		first, again, other = append(first, b), append(again, edited(t, b)), append(other, picture(uint64(900+i)))
	}
	testkit.Engines(t, func(t *testing.T, db *state.DB) {
		p := newPair(t, db)
		a := p.send("a", 10, first...)
		p.look(a)
		c := p.send("c", 15, other...)
		p.look(c)
		if d, s, _ := p.finding(); d != "" {
			t.Fatalf("%s is like %s", d, s)
		}
		b := p.send("b", 20, again[:10]...)
		p.look(b)
		if d, s, score := p.finding(); d != string(b) || s != string(a) || score < 600_000 {
			t.Fatalf("%q is like %q by %d", d, s, score)
		}
		if n := p.int(`SELECT COUNT(*) FROM frames WHERE drive_id = $1 AND state = 'published'`, string(b)); n != 10 {
			t.Fatalf("%d frames published: a finding rejects nothing", n)
		}
	})
}

func TestTheLaterDriveIsMeantWhicheverIsLookedAtFirst(t *testing.T) {
	db := testkit.DB(t)
	p := newPair(t, db)
	var first, again [][]byte
	for i := range 9 {
		b := picture(uint64(300 + i))
		first, again = append(first, b), append(again, edited(t, b))
	}
	early := p.send("a", 10, first...)
	late := p.send("b", 20, again...)
	p.look(late)
	p.look(early)
	if d, s, _ := p.finding(); d != string(late) || s != string(early) {
		t.Fatalf("%q is like %q", d, s)
	}
	// Four frames are chance.
	few := p.send("e", 30, edited(t, again[0]), edited(t, again[1]), edited(t, again[2]), edited(t, again[3]))
	p.look(few)
	if d, _, _ := p.finding(); d != string(late) {
		t.Fatal(d)
	}
}

func (p pair) int(q string, args ...any) (v int64) {
	p.t.Helper()
	if err := p.db.QueryRow(p.t.Context(), q, args...).Scan(&v); err != nil {
		p.t.Fatal(err)
	}
	return v
}
