package state

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Outage reports whether err comes from something that is away or full and may be back later: the database, the object
// store, a network between. What met it is not at fault and should be tried again for as long as it takes.
func Outage(err error) bool {
	k := survey.KindOf(err)
	return k == survey.Unavailable || k == survey.Busy || lost(err)
}

// lost reports whether err says that PostgreSQL is away, or a connection to it was.
func lost(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		// 08 connection, 53 out of connections, memory or disk, 57P01–57P03 shutting down or starting.
		return strings.HasPrefix(pe.Code, "08") || strings.HasPrefix(pe.Code, "53") || strings.HasPrefix(pe.Code, "57P0")
	}
	var ce *pgconn.ConnectError
	var ne net.Error
	return errors.As(err, &ce) || errors.As(err, &ne) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || pgconn.SafeToRetry(err) || strings.HasSuffix(err.Error(), "conn closed")
}

// away gives an error of PostgreSQL the kind Unavailable when it is an outage, so that APIs answer 503 and jobs wait.
func away(err error) error {
	if lost(err) && survey.KindOf(err) == survey.Internal {
		return survey.Errorf(survey.Unavailable, "PostgreSQL: %w", err)
	}
	return err
}
