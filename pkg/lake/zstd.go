package lake

import (
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/klauspost/compress/zstd"
)

// level is that of Zstandard in all files.
const level = 3

// pooled is Arrow's Zstandard with encoders that are used again: its own makes one for every page, which costs as much as
// to compress it. The bytes are the same.
type pooled struct {
	compress.Codec
	enc *zstd.Encoder
}

func (p pooled) EncodeLevel(dst, src []byte, l int) []byte {
	if l != level {
		return p.Codec.EncodeLevel(dst, src, l)
	}
	return p.enc.EncodeAll(src, dst[:0])
}

// Arrow has one table of codecs for the process, to be changed before anything is written; this package is its only writer.
func init() {
	own, err := compress.GetCodec(compress.Codecs.Zstd)
	if err != nil {
		return
	}
	enc, err := zstd.NewWriter(nil, zstd.WithZeroFrames(true), zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(level)))
	if err != nil {
		return
	}
	compress.RegisterCodec(compress.Codecs.Zstd, pooled{own, enc})
}
