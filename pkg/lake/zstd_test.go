package lake

import (
	"bytes"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/apache/arrow/go/v17/parquet/compress"
)

// TestEncodersUsedAgainGiveTheSameBytes: published files are named by their bytes, which must not depend on what was written before.
func TestEncodersUsedAgainGiveTheSameBytes(t *testing.T) {
	c, err := compress.GetCodec(compress.Codecs.Zstd)
	if err != nil {
		t.Fatal(err)
	}
	ours, ok := c.(pooled)
	if !ok {
		t.Fatalf("the codec is %T", c)
	}
	rnd := rand.New(rand.NewPCG(1, 1))
	pages := make([][]byte, 60)
	for i := range pages {
		p := make([]byte, rnd.IntN(1<<17))
		for j := range p {
			if p[j] = byte(rnd.IntN(1 + i)); j > 100 && rnd.IntN(3) > 0 {
				p[j] = p[j-1-rnd.IntN(100)]
			}
		}
		pages[i] = p
	}
	var wg sync.WaitGroup
	for i, p := range pages {
		wg.Go(func() {
			l := []int{level, Fast}[i%2]
			got, want := ours.EncodeLevel(nil, p, l), ours.Codec.EncodeLevel(nil, p, l)
			if !bytes.Equal(got, want) {
				t.Errorf("page %d: %d bytes, Arrow's own codec gives %d", i, len(got), len(want))
			}
			if back := ours.Decode(nil, got); !bytes.Equal(back, p) {
				t.Errorf("page %d does not come back", i)
			}
		})
	}
	wg.Wait()
}
