// Count prints how many tiles, features and bytes of tiles a PMTiles archive of vector tiles holds, as "tiles | features |
// bytes"; with -list, the place z/x/y of each tile instead.
package main

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"os"

	"github.com/roadcomb/roadcomb/tiles/archive"
)

func main() {
	list := flag.Bool("list", false, "print the tiles' places")
	flag.Parse()
	if err := run(flag.Arg(0), *list); err != nil {
		fmt.Fprintln(os.Stderr, "count:", err)
		os.Exit(1)
	}
}

func run(path string, list bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	ctx, src := context.Background(), archive.At(f)
	r, err := archive.Open(ctx, src, nil)
	if err != nil {
		return err
	}
	var tiles, features, bytes int64
	err = r.Each(ctx, func(e archive.Entry) error {
		b, err := src.ReadRange(ctx, int64(e.Offset), int64(e.Length))
		if err != nil {
			return err
		}
		if b, err = archive.Gunzip(b, 1<<30); err != nil {
			return err
		}
		n := int64(0)
		each(b, 3, func(layer []byte) { each(layer, 2, func([]byte) { n++ }) })
		for k := range uint64(e.Run) {
			tiles, features, bytes = tiles+1, features+n, bytes+int64(e.Length)
			if list {
				z, x, y := archive.ZXY(e.ID + k)
				fmt.Printf("%d/%d/%d\n", z, x, y)
			}
		}
		return nil
	})
	if err == nil && !list {
		fmt.Println(tiles, "|", features, "|", bytes)
	}
	return err
}

// each calls fn for every length-delimited field of the number in a protobuf message.
func each(b []byte, number uint64, fn func([]byte)) {
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return
		}
		b = b[n:]
		switch tag & 7 {
		case 0:
			_, n = binary.Uvarint(b)
		case 1:
			n = 8
		case 5:
			n = 4
		case 2:
			size, k := binary.Uvarint(b)
			if k <= 0 || uint64(len(b)-k) < size {
				return
			}
			if tag>>3 == number {
				fn(b[k : k+int(size)])
			}
			n = k + int(size)
		default:
			return
		}
		if n <= 0 || n > len(b) {
			return
		}
		b = b[n:]
	}
}
