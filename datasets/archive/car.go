package archive

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sort"

	"github.com/ipfs/go-cid"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// maxBlock bounds a block read from a CAR: published images and dataset files are far smaller.
const maxBlock = 512 << 20

// WriteCAR writes a CARv1 with the roots and the blocks: sorted by the bytes of their CIDs and each once, so that the
// same content gives the same file (the format itself leaves the order open). A block that get does not find and gone
// accepts is left out.
func WriteCAR(ctx context.Context, w io.Writer, roots, blocks []Link, get Getter, gone func(Link) bool) error {
	sorted := append([]Link(nil), blocks...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i].KeyString() < sorted[j].KeyString() })
	head, err := encode(struct {
		Roots   []Link `cbor:"roots"`
		Version int    `cbor:"version"`
	}{roots, 1})
	if err != nil {
		return err
	}
	bw := bufio.NewWriterSize(w, 1<<20)
	if err := section(bw, nil, head); err != nil {
		return err
	}
	for i, l := range sorted {
		if i > 0 && l == sorted[i-1] {
			continue
		}
		b, err := get(ctx, l)
		if survey.KindOf(err) == survey.NotFound && gone != nil && gone(l) {
			continue
		}
		if err != nil {
			return fmt.Errorf("archive block %s: %w", l, err)
		}
		if err := check(l, b); err != nil {
			return err
		}
		if err := section(bw, l.Bytes(), b); err != nil {
			return err
		}
	}
	return bw.Flush()
}

func section(w io.Writer, id, body []byte) error {
	var n [binary.MaxVarintLen64]byte
	for _, b := range [][]byte{n[:binary.PutUvarint(n[:], uint64(len(id)+len(body)))], id, body} {
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// ReadCAR calls fn with each block of a CARv1 after checking its hash, and gives the roots. Damaged bytes are Invalid.
func ReadCAR(r io.Reader, fn func(Link, []byte) error) (roots []Link, err error) {
	br := bufio.NewReaderSize(r, 1<<20)
	var head struct {
		Roots   []Link `cbor:"roots"`
		Version int    `cbor:"version"`
	}
	b, err := readSection(br, 1<<20)
	if err != nil {
		return nil, survey.Errorf(survey.Invalid, "CAR header: %w", err)
	}
	if err := decMode.Unmarshal(b, &head); err != nil {
		return nil, survey.Errorf(survey.Invalid, "CAR header: %w", err)
	}
	if head.Version != 1 {
		return nil, survey.Errorf(survey.Unsupported, "CAR version %d, this reads version 1", head.Version)
	}
	for n := 0; ; n++ {
		b, err := readSection(br, maxBlock)
		if errors.Is(err, io.EOF) {
			return head.Roots, nil
		}
		if err != nil {
			return head.Roots, survey.Errorf(survey.Invalid, "CAR block %d: %w", n, err)
		}
		used, c, err := cid.CidFromBytes(b)
		if err != nil {
			return head.Roots, survey.Errorf(survey.Invalid, "CAR block %d: %w", n, err)
		}
		if err := check(Link{c}, b[used:]); err != nil {
			return head.Roots, fmt.Errorf("CAR block %d: %w", n, err)
		}
		if err := fn(Link{c}, b[used:]); err != nil {
			return head.Roots, err
		}
	}
}

// readSection reads a length and as many bytes; io.EOF only before the first byte.
func readSection(r *bufio.Reader, limit uint64) ([]byte, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	if n == 0 || n > limit {
		return nil, fmt.Errorf("length %d is not between 1 and %d", n, limit)
	}
	// Grows with what is really there: a length alone allocates nothing.
	var out []byte
	for left := int(n); left > 0; {
		part := min(left, 1<<20)
		at := len(out)
		out = append(out, make([]byte, part)...)
		if _, err := io.ReadFull(r, out[at:]); err != nil {
			return nil, fmt.Errorf("cut short: %w", io.ErrUnexpectedEOF)
		}
		left -= part
	}
	return out, nil
}
