package archive

import (
	"bytes"
	"testing"
)

func TestEveryChunkOfEverySizeProvesItselfAndNoOther(t *testing.T) {
	for n := range 18 {
		for _, tail := range []int{0, 1, ChunkSize - 1} {
			body := make([]byte, n*ChunkSize+tail)
			for i := range body {
				body[i] = byte(i/ChunkSize*31 + i)
			}
			root, size, err := Tree(bytes.NewReader(body))
			if err != nil || size != int64(len(body)) {
				t.Fatal(size, err)
			}
			hs, _, _ := leaves(bytes.NewReader(body))
			if int64(len(hs)) != Chunks(size) {
				t.Fatalf("%d bytes: %d leaves, Chunks says %d", size, len(hs), Chunks(size))
			}
			for i := range hs {
				chunk := body[i*ChunkSize : min(len(body), (i+1)*ChunkSize)]
				path := prove(hs, i)
				if !proves(root, chunk, int64(i), size, path) {
					t.Fatalf("%d bytes: chunk %d does not prove itself", size, i)
				}
				for _, j := range []int{i - 1, i + 1, i ^ 2} {
					if j != i && proves(root, chunk, int64(j), size, path) {
						t.Fatalf("%d bytes: chunk %d passes for %d", size, i, j)
					}
				}
			}
		}
	}
}
