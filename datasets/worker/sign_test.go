package worker_test

import (
	"crypto/ed25519"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/datasets/snapshot"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

// signer is who signed the current snapshot, nil for nobody.
func (w *world) signer(want ed25519.PublicKey) error {
	w.t.Helper()
	_, manifest, signature, err := snapshot.CurrentSigned(w.t.Context(), w.st)
	if err != nil {
		w.t.Fatal(err)
	}
	_, err = snapshot.Verify(manifest, signature, want)
	return err
}

func TestSnapshotsAreSignedByTheNetworkAndKeepTheirSignatures(t *testing.T) {
	w := newWorld(t, testkit.DB(t))
	pub := networkKey.Public().(ed25519.PublicKey)
	now := asOf
	w.w.Clock = func() time.Time { return now }
	w.drive("d1", monaco, time.Date(2024, 5, 8, 9, 0, 0, 0, time.UTC), 4)

	// A process without the key publishes all the same; one with it signs what is there, though nothing else changed.
	w.w.Key = nil
	first := w.export()
	if err := w.signer(nil); survey.KindOf(err) != survey.Unauthorized {
		t.Fatalf("unsigned: %v", err)
	}
	w.w.Key = networkKey
	w.export()
	if err := w.signer(pub); err != nil {
		t.Fatal(err)
	}
	// Nor does one without it take the signature away.
	w.w.Key = nil
	w.export()
	if err := w.signer(pub); err != nil {
		t.Fatal(err)
	}
	w.w.Key = networkKey
	body, err := first.Encode()
	if err != nil {
		t.Fatal(err)
	}
	h := survey.HashOf(body)
	keys := []string{store.SnapshotKey(h), store.SnapshotSignatureKey(h, pub)}

	// A manifest that was signed later must not be on the sweep's list.
	now = now.Add(20 * 24 * time.Hour)
	if err := w.w.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if _, err := w.st.Stat(t.Context(), store.Lake, k); err != nil {
			t.Fatalf("the current snapshot: %v", err)
		}
	}

	// Replaced within its day, both go after the grace period.
	now = asOf
	w.drive("d2", geo.Destination(monaco, 90, 5000), time.Date(2024, 5, 8, 10, 0, 0, 0, time.UTC), 4)
	now = time.Now() // the day on which the store says that the head was made
	w.w.AsOf = asOf
	w.export()
	if err := w.signer(pub); err != nil {
		t.Fatal(err)
	}
	now = now.Add(8 * 24 * time.Hour)
	if err := w.w.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if _, err := w.st.Stat(t.Context(), store.Lake, k); survey.KindOf(err) != survey.NotFound {
			t.Errorf("%s is still there: %v", k, err)
		}
	}
	if err := w.signer(pub); err != nil {
		t.Fatal(err)
	}
}
