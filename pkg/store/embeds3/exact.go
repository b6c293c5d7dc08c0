package embeds3

import (
	"context"
	"errors"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3api/middlewares"
	"github.com/versity/versitygw/s3response"
)

// exact is the folder backend that refuses bodies shorter than announced. The gateway (v1.8.0) publishes what arrived
// when a client dies in the middle of a PUT: a truncated object, or a part filled up with zeros.
type exact struct{ *posix.Posix }

func (e exact) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	in.Body = expect(in.Body, in.ContentLength)
	return e.Posix.PutObject(ctx, in)
}

func (e exact) UploadPart(ctx context.Context, in *s3.UploadPartInput) (*s3.UploadPartOutput, error) {
	c := *in
	c.Body = expect(in.Body, in.ContentLength)
	return e.Posix.UploadPart(ctx, &c)
}

// errShort is not io.ErrUnexpectedEOF, which the gateway's own readers take for a normal end.
var errShort = errors.New("the body ended before its announced length")

// whole turns an early end into an error.
type whole struct {
	io.Reader
	left int64
}

// checksummed is a whole whose body also carries a trailing checksum, which the backend asks for.
type checksummed struct {
	whole
	middlewares.ChecksumReader
}

func (c *checksummed) Read(b []byte) (int, error) { return c.whole.Read(b) }

func expect(r io.Reader, n *int64) io.Reader {
	if r == nil || n == nil {
		return r
	}
	if c, ok := r.(middlewares.ChecksumReader); ok {
		return &checksummed{whole{r, *n}, c}
	}
	return &whole{r, *n}
}

func (w *whole) Read(b []byte) (int, error) {
	n, err := w.Reader.Read(b)
	w.left -= int64(n)
	if (err == io.EOF || err == io.ErrUnexpectedEOF) && w.left > 0 {
		err = errShort
	}
	return n, err
}
