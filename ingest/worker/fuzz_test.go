package worker_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/roadcomb/roadcomb/ingest/framekm"
	"github.com/roadcomb/roadcomb/ingest/worker"
)

// Names of files are told by whoever uploads them.
func FuzzNames(f *testing.F) {
	for _, n := range []string{"1765835621771_37.7_-122.4.jpg", "20240510_021044.jpg", "2024-05-10_02-10-44_NF.mp4", "2024_0510_021044_001A.MP4", "GX010042.MP4", "../x", "a\x00b", "\xff"} {
		f.Add(n)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if at, epoch, ok := worker.NameTime(name); ok && (at.IsZero() || at.Location() != time.UTC || !epoch && (at.Year() < 2000 || at.Year() > 9999)) {
			t.Fatalf("%q is %v", name, at)
		}
		if s, ok := framekm.ParseName(name); ok && (!s.Point.Valid() || s.Time.IsZero()) {
			t.Fatalf("%q is %+v", name, s)
		}
		if worker.BadName(name) == "" && (name == "" || !utf8.ValidString(name) || strings.ContainsAny(name, "\x00\n\r\x1b") || strings.HasPrefix(name, "/") || strings.HasPrefix(name, "../") || strings.HasSuffix(name, "/..") || strings.Contains(name, "/../") || name == "..") {
			t.Fatalf("%q passes", name)
		}
	})
}
