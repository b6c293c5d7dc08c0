package lake

import (
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/klauspost/compress/zstd"
)

// level is that of Zstandard where a Schema has none of its own. It stays: what an epoch published is compared byte for byte
// with what the same inputs give later.
const level = 3

// Fast is the level for rows of digests, times and positions, in which there is little to find: half the work of the
// usual level, and files of the same size.
const Fast = 1

// pooled is Arrow's Zstandard with encoders that are used again: its own makes one for every page, which costs as much as
// to compress it. The bytes are the same.
type pooled struct {
	compress.Codec
	enc map[int]*zstd.Encoder // by level
}

func (p pooled) EncodeLevel(dst, src []byte, l int) []byte {
	if enc := p.enc[l]; enc != nil {
		return enc.EncodeAll(src, dst[:0])
	}
	return p.Codec.EncodeLevel(dst, src, l)
}

// Arrow has one table of codecs for the process, to be changed before anything is written; this package is its only writer.
func init() {
	own, err := compress.GetCodec(compress.Codecs.Zstd)
	if err != nil {
		return
	}
	p := pooled{own, map[int]*zstd.Encoder{}}
	for _, l := range []int{level, Fast} {
		enc, err := zstd.NewWriter(nil, zstd.WithZeroFrames(true), zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(l)))
		if err != nil {
			return
		}
		p.enc[l] = enc
	}
	compress.RegisterCodec(compress.Codecs.Zstd, p)
}
