package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/roadcomb/roadcomb/pkg/store"
	"github.com/roadcomb/roadcomb/tiles/schema"
)

// SweepAfter is how long an archive outlives the last manifest that named it, at least: readers may hold the manifest,
// and a run that wrote the archive may not have swapped it in yet.
const SweepAfter = 24 * time.Hour

// Sweep removes archives that the manifest does not name and that were last written more than SweepAfter ago, and gives
// how many and how many bytes. It may run beside Update: a run writes anew any archive it is about to name that is
// half that old.
func (w *Worker) Sweep(ctx context.Context) (removed int, bytes int64, err error) {
	// The list comes before the manifest: what is written in between is not listed.
	var old []store.Info
	now := w.now()
	for _, s := range schema.Sets() {
		err := w.Store.List(ctx, store.Public, "tiles/"+s.Name+"/", func(in store.Info) error {
			if now.Sub(in.Modified) > SweepAfter {
				old = append(old, in)
			}
			return nil
		})
		if err != nil {
			return 0, 0, fmt.Errorf("list archives of %s: %w", s.Name, err)
		}
	}
	m, _, err := Manifest(ctx, w.Store)
	if err != nil {
		return 0, 0, fmt.Errorf("read tile manifest: %w", err)
	}
	named := map[string]bool{}
	for _, t := range m.Layers {
		for _, r := range t.Archives {
			named[r.Key] = true
		}
	}
	for _, in := range old {
		if named[in.Key] {
			continue
		}
		if err := w.Store.Remove(ctx, store.Public, in.Key); err != nil {
			return removed, bytes, err
		}
		removed++
		bytes += in.Bytes
	}
	if removed > 0 {
		w.log().Info("archives removed", "archives", removed, "bytes", bytes)
	}
	return removed, bytes, nil
}
