package snapshot_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/datasets/snapshot"
	"github.com/roadcomb/roadcomb/pkg/ledger"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

func testKey(fill byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{fill}, ed25519.SeedSize))
}

func Example() {
	s := snapshot.Snapshot{Format: snapshot.Format, AsOf: time.Unix(1715558400, 0).UTC(), Datasets: map[string]snapshot.Dataset{}}
	manifest, _ := s.Encode()
	signature := snapshot.Sign(manifest, testKey(1))
	_, err := snapshot.Verify(manifest, signature, testKey(1).Public().(ed25519.PublicKey))
	fmt.Println(err)
	_, err = snapshot.Verify(append(manifest, ' '), signature, nil)
	fmt.Println(survey.KindOf(err))
	// Output:
	// <nil>
	// unauthorized
}

// world is two files of a dataset and the snapshot that names them.
func world(t *testing.T) (snapshot.Snapshot, map[string][]byte) {
	files := map[string][]byte{}
	d := snapshot.Dataset{Version: 1}
	for i, body := range []string{"one", "another"} {
		f := snapshot.File{Partition: fmt.Sprint("date=2024-05-0", i+1), Version: 1, Path: fmt.Sprintf("frames/v1/date=2024-05-0%d/x.parquet", i+1),
			Rows: int64(i + 1), Bytes: int64(len(body)), SHA256: survey.HashOf([]byte(body)), CID: ledger.CID(survey.HashOf([]byte(body)))}
		files[f.Path] = []byte(body)
		d.Files, d.Rows, d.Bytes = append(d.Files, f), d.Rows+f.Rows, d.Bytes+f.Bytes
	}
	return snapshot.Snapshot{Format: snapshot.Format, AsOf: time.Unix(1715558400, 0).UTC(), Datasets: map[string]snapshot.Dataset{"frames": d}}, files
}

func TestAChangedByteOfTheManifestTheKeyOrTheSignatureIsRefused(t *testing.T) {
	s, _ := world(t)
	manifest, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	key := testKey(1)
	pub := key.Public().(ed25519.PublicKey)
	sig := snapshot.Sign(manifest, key)
	if _, err := snapshot.Verify(manifest, sig, pub); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(sig, snapshot.Sign(manifest, key)) {
		t.Error("two signatures of the same bytes differ")
	}
	for i := range manifest {
		bad := bytes.Clone(manifest)
		bad[i] ^= 1
		if _, err := snapshot.Verify(bad, sig, pub); survey.KindOf(err) != survey.Unauthorized {
			t.Fatalf("byte %d of the manifest changed: %v", i, err)
		}
	}
	var fields snapshot.Signature
	if err := json.Unmarshal(sig, &fields); err != nil {
		t.Fatal(err)
	}
	for name, field := range map[string]*string{"key": &fields.Key, "signature": &fields.Signature} {
		good := *field
		raw, err := base64.StdEncoding.DecodeString(good)
		if err != nil {
			t.Fatal(err)
		}
		for i := range raw {
			raw[i] ^= 1
			*field = base64.StdEncoding.EncodeToString(raw)
			raw[i] ^= 1
			bad, _ := json.Marshal(fields)
			if _, err := snapshot.Verify(manifest, bad, nil); survey.KindOf(err) != survey.Unauthorized {
				t.Fatalf("byte %d of the %s changed: %v", i, name, err)
			}
		}
		*field = good
	}
	if _, err := snapshot.Verify(manifest, snapshot.Sign(manifest, testKey(2)), pub); survey.KindOf(err) != survey.Unauthorized {
		t.Errorf("another's signature: %v", err)
	}
	if _, err := snapshot.Verify(manifest, nil, nil); survey.KindOf(err) != survey.Unauthorized {
		t.Errorf("no signature: %v", err)
	}
	if _, err := snapshot.Verify(manifest, []byte(`{"format":"roadcomb-signature/9"}`), nil); survey.KindOf(err) != survey.Unsupported {
		t.Errorf("a signature from the future: %v", err)
	}
}

func TestASnapshotFromTheFutureIsRefused(t *testing.T) {
	for in, want := range map[string]survey.Kind{`{"format":"roadcomb-snapshot/2"}`: survey.Unsupported, `{"format":`: survey.Invalid, ``: survey.Invalid} {
		if _, err := snapshot.Parse([]byte(in)); survey.KindOf(err) != want {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestCheckNamesEachFileThatIsNotWhatTheManifestSays(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*snapshot.Snapshot, map[string][]byte)
		what  string
	}{
		"nothing": {func(*snapshot.Snapshot, map[string][]byte) {}, ""},
		"a byte": {func(_ *snapshot.Snapshot, fs map[string][]byte) {
			fs["frames/v1/date=2024-05-01/x.parquet"] = []byte("onf")
		}, "SHA-256"},
		"a cut": {func(_ *snapshot.Snapshot, fs map[string][]byte) {
			fs["frames/v1/date=2024-05-01/x.parquet"] = []byte("on")
		}, "2 bytes"},
		"a missing file": {func(_ *snapshot.Snapshot, fs map[string][]byte) { delete(fs, "frames/v1/date=2024-05-02/x.parquet") }, "missing"},
		"a path out of it": {func(s *snapshot.Snapshot, _ map[string][]byte) {
			s.Datasets["frames"].Files[0].Path = "../../etc/passwd"
		}, "outside"},
		"another dataset's": {func(s *snapshot.Snapshot, _ map[string][]byte) {
			s.Datasets["frames"].Files[0].Path = "cells/v1/x.parquet"
		}, "outside"},
		"the same file twice": {func(s *snapshot.Snapshot, _ map[string][]byte) {
			s.Datasets["frames"].Files[1] = s.Datasets["frames"].Files[0]
		}, "twice"},
		"a CID": {func(s *snapshot.Snapshot, _ map[string][]byte) {
			s.Datasets["frames"].Files[0].CID = ledger.CID(survey.Hash{})
		}, "CID"},
		"a sum": {func(s *snapshot.Snapshot, _ map[string][]byte) {
			d := s.Datasets["frames"]
			d.Rows++
			s.Datasets["frames"] = d
		}, "4 rows"},
	} {
		s, files := world(t)
		c.spoil(&s, files)
		rep, err := snapshot.Check(t.Context(), s, func(_ context.Context, path string) (io.ReadCloser, error) {
			b, ok := files[path]
			if !ok {
				return nil, survey.Errorf(survey.NotFound, "no %s", path)
			}
			return io.NopCloser(bytes.NewReader(b)), nil
		})
		switch {
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case c.what == "" && (len(rep.Faults) > 0 || rep.Files != 2 || rep.Rows != 3 || rep.Bytes != 10):
			t.Errorf("%s: %+v", name, rep)
		case c.what != "" && (len(rep.Faults) == 0 || !strings.Contains(rep.Faults[0].What, c.what)):
			t.Errorf("%s: %+v", name, rep)
		}
	}
}
