// Package store keeps objects in four buckets of any S3 server: private (originals, expiring), public (redacted frames
// and tiles), lake (datasets) and ledger (manifests and epochs).
//
// Published objects are named by their content and never overwritten; what changes is a small manifest, swapped by a
// conditional PUT. Every PUT has a known size, because an unknown one loses the condition (minio-go). On a POSIX-backed
// server a key may not be a folder of another key; the layout functions here keep to that.
package store

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Bucket is one of the four.
type Bucket string

const (
	Private Bucket = "private"
	Public  Bucket = "public"
	Lake    Bucket = "lake"
	Ledger  Bucket = "ledger"
)

// Buckets lists all four.
var Buckets = []Bucket{Private, Public, Lake, Ledger}

// Config says where the objects are.
type Config struct {
	Endpoint  string // http://host:port or https://host
	AccessKey string
	SecretKey survey.Secret
	Region    string // "" means us-east-1
	// Prefix goes before each bucket's name, so that several networks share a server: "rc1-" gives "rc1-private".
	Prefix string
	// PublicEndpoint is the address put into presigned URLs when clients reach the server by another name; "" means
	// Endpoint.
	PublicEndpoint string
}

// Store is a client. It is safe for concurrent use.
type Store struct {
	c, sign *minio.Client
	core    minio.Core
	prefix  string
	conns   *http.Transport
}

// ErrExists is returned by a conditional put that lost: the key exists, or no longer has the expected ETag.
var ErrExists = survey.Errorf(survey.Conflict, "object exists or has changed")

// Open makes a client and creates the buckets that are missing.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	s, t, err := dial(cfg)
	if err != nil {
		return nil, err
	}
	c := s.c
	if cfg.PublicEndpoint != "" && cfg.PublicEndpoint != cfg.Endpoint {
		if s.sign, err = client(cfg, cfg.PublicEndpoint, t); err != nil {
			return nil, err
		}
	}
	missing, err := s.missing(ctx, cfg)
	if err != nil {
		return nil, err
	}
	for _, b := range missing {
		err := c.MakeBucket(ctx, s.name(b), minio.MakeBucketOptions{Region: cfg.Region})
		if code := minio.ToErrorResponse(err).Code; err != nil && code != "BucketAlreadyOwnedByYou" && code != "BucketAlreadyExists" {
			return nil, fmt.Errorf("make bucket %s: %w", s.name(b), err)
		}
	}
	return s, nil
}

// Look asks the server which buckets are missing, without making them, as Open would.
func Look(ctx context.Context, cfg Config) (missing []Bucket, err error) {
	s, _, err := dial(cfg)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.missing(ctx, cfg)
}

func dial(cfg Config) (*Store, *http.Transport, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 64
	t.DisableCompression = true
	c, err := client(cfg, cfg.Endpoint, t)
	if err != nil {
		return nil, nil, err
	}
	return &Store{c: c, sign: c, core: minio.Core{Client: c}, prefix: cfg.Prefix, conns: t}, t, nil
}

func (s *Store) missing(ctx context.Context, cfg Config) (out []Bucket, err error) {
	for _, b := range Buckets {
		ok, err := s.c.BucketExists(ctx, s.name(b))
		if err != nil {
			return nil, survey.Errorf(survey.Unavailable, "object store %s: %w", cfg.Endpoint, err).WithHint("check the address and the keys")
		}
		if !ok {
			out = append(out, b)
		}
	}
	return out, nil
}

func client(cfg Config, endpoint string, t *http.Transport) (*minio.Client, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, survey.Errorf(survey.Invalid, "object store address %q is not http://host:port or https://host", endpoint)
	}
	region := cfg.Region
	if region == "" {
		region = "us-east-1"
	}
	return minio.New(u.Host, &minio.Options{
		Creds: credentials.NewStaticV4(cfg.AccessKey, cfg.SecretKey.Reveal(), ""), Secure: u.Scheme == "https",
		Region: region, BucketLookup: minio.BucketLookupPath, Transport: t,
	})
}

// Close lets go of idle connections; the Store may still be used.
func (s *Store) Close() { s.conns.CloseIdleConnections() }

func (s *Store) name(b Bucket) string { return s.prefix + string(b) }

// Info describes a stored object.
type Info struct {
	Key      string
	Bytes    int64
	ETag     string // as in an HTTP header, quotes removed
	Modified time.Time
	Type     string // media type
}

func info(o minio.ObjectInfo) Info {
	return Info{Key: o.Key, Bytes: o.Size, ETag: strings.Trim(o.ETag, `"`), Modified: o.LastModified, Type: o.ContentType}
}

// Put writes body under key, whatever was there.
func (s *Store) Put(ctx context.Context, b Bucket, key string, body []byte, mediaType string) (Info, error) {
	return s.PutReader(ctx, b, key, bytes.NewReader(body), int64(len(body)), mediaType)
}

// PutReader writes exactly n bytes of r under key, whatever was there; large ones in parts.
func (s *Store) PutReader(ctx context.Context, b Bucket, key string, r io.Reader, n int64, mediaType string) (Info, error) {
	if n < 0 {
		return Info{}, errors.New("put of unknown size")
	}
	o, err := s.c.PutObject(ctx, s.name(b), key, r, n, minio.PutObjectOptions{ContentType: mediaType, PartSize: 16 << 20})
	return Info{Key: key, Bytes: o.Size, ETag: strings.Trim(o.ETag, `"`)}, mapErr("put", b, key, err)
}

// Create writes body under key only if nothing is there; otherwise ErrExists. Content-named objects treat ErrExists as
// success, and PutOnce does.
func (s *Store) Create(ctx context.Context, b Bucket, key string, body []byte, mediaType string) (Info, error) {
	return s.cond(ctx, b, key, body, mediaType, func(o *minio.PutObjectOptions) { o.SetMatchETagExcept("*") })
}

// PutOnce is Create for a key that names its content: that it exists already is success.
func (s *Store) PutOnce(ctx context.Context, b Bucket, key string, body []byte, mediaType string) error {
	_, err := s.Create(ctx, b, key, body, mediaType)
	if errors.Is(err, ErrExists) {
		return nil
	}
	return err
}

// Swap replaces the object under key only if it still has the ETag; otherwise ErrExists.
func (s *Store) Swap(ctx context.Context, b Bucket, key string, body []byte, mediaType, etag string) (Info, error) {
	return s.cond(ctx, b, key, body, mediaType, func(o *minio.PutObjectOptions) { o.SetMatchETag(etag) })
}

func (s *Store) cond(ctx context.Context, b Bucket, key string, body []byte, mediaType string, set func(*minio.PutObjectOptions)) (Info, error) {
	opts := minio.PutObjectOptions{ContentType: mediaType, DisableMultipart: true}
	set(&opts)
	o, err := s.c.PutObject(ctx, s.name(b), key, bytes.NewReader(body), int64(len(body)), opts)
	if err != nil {
		if r := minio.ToErrorResponse(err); r.StatusCode == http.StatusPreconditionFailed || r.StatusCode == http.StatusConflict || r.Code == "PreconditionFailed" {
			return Info{}, ErrExists
		}
		return Info{}, mapErr("put", b, key, err)
	}
	return Info{Key: key, Bytes: o.Size, ETag: strings.Trim(o.ETag, `"`)}, nil
}

// Get reads a whole object of at most limit bytes; a larger one is Invalid. A missing one is NotFound. A body that breaks
// off, as when a connection does, is asked for again, twice.
func (s *Store) Get(ctx context.Context, b Bucket, key string, limit int64) ([]byte, Info, error) {
	for again := 2; ; again-- {
		body, in, whole, err := s.get(ctx, b, key, limit)
		if err == nil || whole || again == 0 || ctx.Err() != nil {
			return body, in, err
		}
	}
}

// get is one request: a client that first asks how large the object is fails when it is swapped before the second. That
// the error is the server's answer and not a body that broke off is whole.
func (s *Store) get(ctx context.Context, b Bucket, key string, limit int64) (body []byte, in Info, whole bool, err error) {
	r, st, _, err := s.core.GetObject(ctx, s.name(b), key, minio.GetObjectOptions{})
	if err != nil {
		return nil, Info{}, true, mapErr("get", b, key, err)
	}
	defer r.Close()
	if st.Size > limit {
		return nil, info(st), true, survey.Errorf(survey.Invalid, "object %s/%s has %d bytes, limit %d", b, key, st.Size, limit)
	}
	if st.Size < 0 { // an end and a broken connection would look alike
		return nil, Info{}, true, survey.Errorf(survey.Unavailable, "get %s/%s: the server does not say how long it is", b, key)
	}
	body = make([]byte, st.Size)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, Info{}, false, mapErr("get", b, key, err)
	}
	return body, info(st), true, nil
}

// Open streams an object; close it. It is also a ReaderAt and Seeker (each jump is a request by range).
func (s *Store) Open(ctx context.Context, b Bucket, key string) (*minio.Object, Info, error) {
	o, err := s.c.GetObject(ctx, s.name(b), key, minio.GetObjectOptions{})
	if err != nil {
		return nil, Info{}, mapErr("open", b, key, err)
	}
	st, err := o.Stat()
	if err != nil {
		o.Close()
		return nil, Info{}, mapErr("open", b, key, err)
	}
	return o, info(st), nil
}

// Range reads n bytes from off. With a non-empty etag the object must still have it, otherwise ErrExists.
func (s *Store) Range(ctx context.Context, b Bucket, key string, off, n int64, etag string) ([]byte, error) {
	opts := minio.GetObjectOptions{}
	if err := opts.SetRange(off, off+n-1); err != nil {
		return nil, err
	}
	if etag != "" {
		if err := opts.SetMatchETag(etag); err != nil {
			return nil, err
		}
	}
	r, _, _, err := s.core.GetObject(ctx, s.name(b), key, opts)
	if err != nil {
		if minio.ToErrorResponse(err).StatusCode == http.StatusPreconditionFailed {
			return nil, ErrExists
		}
		return nil, mapErr("range", b, key, err)
	}
	defer r.Close()
	body := make([]byte, n)
	m, err := io.ReadFull(r, body)
	if errors.Is(err, io.ErrUnexpectedEOF) { // a range past the end is cut short
		return body[:m], nil
	}
	return body, mapErr("range", b, key, err)
}

// Stat describes an object; a missing one is NotFound.
func (s *Store) Stat(ctx context.Context, b Bucket, key string) (Info, error) {
	o, err := s.c.StatObject(ctx, s.name(b), key, minio.StatObjectOptions{})
	return info(o), mapErr("stat", b, key, err)
}

// Remove deletes an object; a missing one is no error.
func (s *Store) Remove(ctx context.Context, b Bucket, key string) error {
	return mapErr("remove", b, key, s.c.RemoveObject(ctx, s.name(b), key, minio.RemoveObjectOptions{}))
}

// List calls fn for each object whose key starts with prefix, in key order, until fn gives an error.
func (s *Store) List(ctx context.Context, b Bucket, prefix string, fn func(Info) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for o := range s.c.ListObjects(ctx, s.name(b), minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		if o.Err != nil {
			return mapErr("list", b, prefix, o.Err)
		}
		if err := fn(info(o)); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// PresignGet is a URL that reads one object for ttl, without credentials.
func (s *Store) PresignGet(ctx context.Context, b Bucket, key string, ttl time.Duration) (string, error) {
	u, err := s.sign.PresignedGetObject(ctx, s.name(b), key, ttl, nil)
	if err != nil {
		return "", err
	}
	return u.String(), nil
}

// ChecksumHeader carries the SHA-256 of an object in base64, see Checksum.
const ChecksumHeader = "x-amz-checksum-sha256"

// Checksum is the value of ChecksumHeader for content with this hash.
func Checksum(sum survey.Hash) string { return base64.StdEncoding.EncodeToString(sum[:]) }

// PresignPut is a URL that writes exactly n bytes under one key for ttl. The Content-Length is part of the signature, so
// that a larger body is refused by the server. Unless sum is zero, so is the SHA-256 of the bytes: whoever uses the URL
// must send ChecksumHeader, and a server that checks it (Amazon S3, MinIO and versitygw do) takes no other content.
func (s *Store) PresignPut(ctx context.Context, b Bucket, key string, n int64, sum survey.Hash, ttl time.Duration) (string, error) {
	h := http.Header{"Content-Length": {fmt.Sprint(n)}}
	if !sum.IsZero() {
		h.Set(ChecksumHeader, Checksum(sum))
	}
	u, err := s.sign.PresignHeader(ctx, http.MethodPut, s.name(b), key, ttl, nil, h)
	if err != nil {
		return "", err
	}
	return u.String(), nil
}

// StartParts begins an upload of a large object in parts and gives its id.
func (s *Store) StartParts(ctx context.Context, b Bucket, key, mediaType string) (string, error) {
	id, err := s.core.NewMultipartUpload(ctx, s.name(b), key, minio.PutObjectOptions{ContentType: mediaType})
	return id, mapErr("start parts", b, key, err)
}

// PresignPart is a URL that writes exactly n bytes as part number (from 1) of a started upload.
func (s *Store) PresignPart(ctx context.Context, b Bucket, key, id string, number int, n int64, ttl time.Duration) (string, error) {
	q := url.Values{"uploadId": {id}, "partNumber": {fmt.Sprint(number)}}
	u, err := s.sign.PresignHeader(ctx, http.MethodPut, s.name(b), key, ttl, q, http.Header{"Content-Length": {fmt.Sprint(n)}})
	if err != nil {
		return "", err
	}
	return u.String(), nil
}

// Part is a part that arrived.
type Part struct {
	Number int
	Bytes  int64
	ETag   string
}

// Parts lists what arrived of a started upload; NotFound when the upload is finished or unknown.
func (s *Store) Parts(ctx context.Context, b Bucket, key, id string) ([]Part, error) {
	var out []Part
	for marker := 0; ; {
		r, err := s.core.ListObjectParts(ctx, s.name(b), key, id, marker, 1000)
		if err != nil {
			return nil, mapErr("list parts", b, key, err)
		}
		for _, p := range r.ObjectParts {
			out = append(out, Part{p.PartNumber, p.Size, strings.Trim(p.ETag, `"`)})
		}
		if !r.IsTruncated {
			return out, nil
		}
		marker = r.NextPartNumberMarker
	}
}

// FinishParts makes the object of its parts, which must be in order and complete.
func (s *Store) FinishParts(ctx context.Context, b Bucket, key, id string, parts []Part) error {
	cp := make([]minio.CompletePart, len(parts))
	for i, p := range parts {
		cp[i] = minio.CompletePart{PartNumber: p.Number, ETag: p.ETag}
	}
	_, err := s.core.CompleteMultipartUpload(ctx, s.name(b), key, id, cp, minio.PutObjectOptions{})
	return mapErr("finish parts", b, key, err)
}

// AbortParts forgets a started upload and its parts.
func (s *Store) AbortParts(ctx context.Context, b Bucket, key, id string) error {
	return mapErr("abort parts", b, key, s.core.AbortMultipartUpload(ctx, s.name(b), key, id))
}

func mapErr(op string, b Bucket, key string, err error) error {
	if err == nil {
		return nil
	}
	r := minio.ToErrorResponse(err)
	k := survey.Unavailable
	switch {
	case r.StatusCode == http.StatusNotFound || r.Code == "NoSuchKey" || r.Code == "NoSuchUpload":
		k = survey.NotFound
	case r.StatusCode == http.StatusForbidden:
		k = survey.Unauthorized
	case r.StatusCode == http.StatusTooManyRequests || r.Code == "SlowDown":
		k = survey.Busy
	}
	return survey.Errorf(k, "%s %s/%s: %w", op, b, key, err)
}
