// Package flight serves the datasets over Arrow Flight SQL, for ADBC, JDBC and ODBC clients and for Arrow's own.
//
// A caller shows an API key, as a bearer token or as the password of basic authentication, and runs one SELECT at a
// time: answers stream, a caller that goes away ends its query, and what one key may use is bounded. There are no
// writes, no transactions and no sessions.
package flight

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"net"
	"runtime/debug"
	"strings"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/flight"
	"github.com/apache/arrow/go/v17/arrow/flight/flightsql"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/roadcomb/roadcomb/datasets/query"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Grant is what a key may do.
type Grant struct {
	ID     string       `json:"id"`
	Limits query.Limits `json:"limits"`
}

// Access knows the keys. Its methods are safe for concurrent use.
type Access interface {
	// Admit gives the grant of a secret. With count the call counts against the key's quota. A secret that is not known
	// is Unauthorized; a quota that is used up is Busy.
	Admit(ctx context.Context, secret string, count bool) (Grant, error)
}

// Reader is an answer under way.
type Reader interface {
	Schema() *arrow.Schema
	Next() (arrow.Record, error) // io.EOF at the end; the record is the caller's
	Close()
}

// Backend runs SQL. Its methods are safe for concurrent use.
type Backend interface {
	// Describe gives the columns of a SELECT and the types of its parameters.
	Describe(ctx context.Context, g Grant, sql string) (columns, parameters *arrow.Schema, err error)
	// Run starts a SELECT with values for its parameters.
	Run(ctx context.Context, g Grant, sql string, args []any) (Reader, error)
	// Tables lists the datasets with their columns, sorted by name.
	Tables(ctx context.Context, g Grant) ([]Table, error)
}

// Table is a dataset as clients see it.
type Table struct {
	Name   string
	Schema *arrow.Schema
}

// Config of a server. Access and Backend are required.
type Config struct {
	Access  Access
	Backend Backend
	Version string
	Log     *slog.Logger     // nil discards
	Alloc   memory.Allocator // nil means memory.DefaultAllocator
	// Stall is how long a client may take to accept one record; 0 means 2 minutes.
	Stall time.Duration
}

// NewServer is a gRPC server of Flight SQL; Serve it on listeners and stop it with Stop or GracefulStop.
func NewServer(c Config) *grpc.Server {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Alloc == nil {
		c.Alloc = memory.DefaultAllocator
	}
	if c.Stall <= 0 {
		c.Stall = 2 * time.Minute
	}
	s := &server{c: c, prepared: map[string]*prepared{}, running: map[string]map[*running]bool{}}
	s.Alloc = c.Alloc
	for id, v := range map[flightsql.SqlInfo]any{
		flightsql.SqlInfoFlightSqlServerName:             "roadcomb",
		flightsql.SqlInfoFlightSqlServerVersion:          c.Version,
		flightsql.SqlInfoFlightSqlServerArrowVersion:     "17.0.0",
		flightsql.SqlInfoFlightSqlServerReadOnly:         true,
		flightsql.SqlInfoFlightSqlServerSql:              true,
		flightsql.SqlInfoFlightSqlServerSubstrait:        false,
		flightsql.SqlInfoFlightSqlServerTransaction:      int32(flightsql.SqlTransactionNone),
		flightsql.SqlInfoFlightSqlServerCancel:           true,
		flightsql.SqlInfoFlightSqlServerBulkIngestion:    false,
		flightsql.SqlInfoDDLCatalog:                      false,
		flightsql.SqlInfoDDLSchema:                       false,
		flightsql.SqlInfoDDLTable:                        false,
		flightsql.SqlInfoIdentifierCase:                  int64(flightsql.SqlCaseSensitivityCaseInsensitive),
		flightsql.SqlInfoQuotedIdentifierCase:            int64(flightsql.SqlCaseSensitivityCaseInsensitive),
		flightsql.SqlInfoIdentifierQuoteChar:             `"`,
		flightsql.SqlInfoAllTablesAreASelectable:         true,
		flightsql.SqlInfoNullOrdering:                    int64(flightsql.SqlNullOrderingSortAtEnd),
		flightsql.SqlInfoSupportsColumnAliasing:          true,
		flightsql.SqlInfoNullPlusNullIsNull:              true,
		flightsql.SqlInfoSupportsTableCorrelationNames:   true,
		flightsql.SqlInfoSupportsExpressionsInOrderBy:    true,
		flightsql.SqlInfoSupportsOrderByUnrelated:        true,
		flightsql.SqlInfoSupportsLikeEscapeClause:        true,
		flightsql.SqlInfoSupportsNonNullableColumns:      true,
		flightsql.SqlInfoCatalogTerm:                     "catalog",
		flightsql.SqlInfoSchemaTerm:                      "schema",
		flightsql.SqlInfoCorrelatedSubqueriesSupported:   true,
		flightsql.SqlInfoStoredProceduresSupported:       false,
		flightsql.SqlInfoSelectForUpdateSupported:        false,
		flightsql.SqlInfoFlightSqlServerStatementTimeout: int32(0),
	} {
		if err := s.RegisterSqlInfo(id, v); err != nil {
			panic(err) // the table above is wrong
		}
		s.infos = append(s.infos, uint32(id))
	}
	g := grpc.NewServer(
		grpc.UnaryInterceptor(s.unary), grpc.StreamInterceptor(s.stream),
		grpc.MaxRecvMsgSize(16<<20), grpc.MaxConcurrentStreams(64), grpc.ConnectionTimeout(20*time.Second),
		grpc.WriteBufferSize(1<<20), grpc.InitialWindowSize(4<<20), grpc.InitialConnWindowSize(8<<20),
	)
	flight.RegisterFlightServiceServer(g, flightsql.NewFlightServerWithAllocator(s, c.Alloc))
	return g
}

// secretOf is the key that a call shows, "" when none.
func secretOf(ctx context.Context) string {
	md, _ := metadata.FromIncomingContext(ctx)
	auth := md.Get("authorization")
	if len(auth) == 0 {
		return ""
	}
	kind, rest, _ := strings.Cut(strings.TrimSpace(auth[0]), " ")
	rest = strings.TrimSpace(rest)
	switch strings.ToLower(kind) {
	case "bearer":
		return rest
	case "basic":
		b, err := base64.StdEncoding.DecodeString(rest)
		if err != nil {
			if b, err = base64.RawStdEncoding.DecodeString(rest); err != nil {
				return ""
			}
		}
		user, password, _ := strings.Cut(string(b), ":")
		if password == "" {
			return user
		}
		return password
	}
	return ""
}

type grantKey struct{}

type call struct {
	grant  Grant
	secret string
}

func callOf(ctx context.Context) call { c, _ := ctx.Value(grantKey{}).(call); return c }

func (s *server) admit(ctx context.Context) (context.Context, error) {
	secret := secretOf(ctx)
	if secret == "" {
		return nil, status.Error(codes.Unauthenticated, "this needs an API key: send it as a bearer token, or as the password of basic authentication")
	}
	g, err := s.c.Access.Admit(ctx, secret, false)
	if err != nil {
		return nil, s.status(err)
	}
	return context.WithValue(ctx, grantKey{}, call{g, secret}), nil
}

func (s *server) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (out any, err error) {
	defer s.recover(info.FullMethod, &err)
	if ctx, err = s.admit(ctx); err != nil {
		return nil, err
	}
	out, err = next(ctx, req)
	return out, s.status(err)
}

type admitted struct {
	grpc.ServerStream
	ctx context.Context
}

func (a admitted) Context() context.Context { return a.ctx }

func (s *server) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	defer s.recover(info.FullMethod, &err)
	ctx, err := s.admit(ss.Context())
	if err != nil {
		return err
	}
	if strings.HasSuffix(info.FullMethod, "/Handshake") {
		// Clients that log in once get their key back as the token of all later calls.
		token := metadata.Pairs("authorization", "Bearer "+callOf(ctx).secret)
		ss.SetTrailer(token)
		return ss.SendHeader(token)
	}
	// A handler that returns must end what it began, also when a client stopped reading.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return s.status(next(srv, admitted{ss, ctx}))
}

// recover keeps one bad request from taking the server down.
func (s *server) recover(method string, err *error) {
	if p := recover(); p != nil {
		s.c.Log.Error("panic in a call", "method", method, "panic", p, "stack", string(debug.Stack()))
		*err = status.Error(codes.Internal, "the server failed on this request")
	}
}

// status maps kinds of errors to codes; the text of what is unknown stays inside.
func (s *server) status(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, errCancelled):
		return status.Error(codes.Canceled, "the query was cancelled")
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, "the deadline of the call has passed")
	}
	code := codes.Internal
	switch survey.KindOf(err) {
	case survey.Invalid:
		code = codes.InvalidArgument
	case survey.NotFound:
		code = codes.NotFound
	case survey.Conflict:
		code = codes.AlreadyExists
	case survey.Unauthorized:
		code = codes.PermissionDenied
	case survey.Unsupported:
		code = codes.Unimplemented
	case survey.Unavailable:
		code = codes.Unavailable
	case survey.Busy:
		code = codes.ResourceExhausted
	default:
		s.c.Log.Error("call failed", "err", err)
		return status.Error(code, "an internal fault; the server's log says more")
	}
	return status.Error(code, err.Error())
}

// Serve runs a server on a listener until ctx ends.
func Serve(ctx context.Context, g *grpc.Server, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() {
		t := time.AfterFunc(2*time.Second, g.Stop)
		defer t.Stop()
		g.GracefulStop()
	})
	defer stop()
	err := g.Serve(l)
	if ctx.Err() != nil {
		return nil
	}
	return err
}
