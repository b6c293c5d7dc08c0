package query

import (
	"math/bits"
	"sync"

	"github.com/apache/arrow/go/v17/arrow/memory"
)

// recycler is an allocator whose freed buffers are handed out again as they are: clearing fresh memory for every record
// was a tenth of the cost of a scan. Every byte of a column's buffers is written before it is read.
type recycler struct {
	small memory.Allocator
	pools [bits.UintSize]sync.Pool // by the power of two
}

const smallest = 12 // 4 kB; below, Go's own allocator is as quick

func newRecycler() *recycler { return &recycler{small: memory.NewGoAllocator()} }

func (r *recycler) Allocate(n int) []byte {
	class := bits.Len(uint(max(n, 1) - 1))
	if class < smallest || class > 28 {
		return r.small.Allocate(n)
	}
	if b, ok := r.pools[class].Get().(*[]byte); ok {
		return (*b)[:n]
	}
	return r.small.Allocate(1 << class)[:n]
}

func (r *recycler) Reallocate(n int, old []byte) []byte {
	if n <= cap(old) && n > 0 {
		return old[:n]
	}
	b := r.Allocate(n)
	copy(b, old)
	r.Free(old)
	return b
}

func (r *recycler) Free(b []byte) {
	c := cap(b)
	if class := bits.Len(uint(max(c, 1) - 1)); class >= smallest && class <= 28 && c == 1<<class {
		b = b[:c]
		r.pools[class].Put(&b)
		return
	}
	r.small.Free(b)
}
