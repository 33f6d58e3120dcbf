package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgqrs/pgqrs/core/backend"
)

// SQLSTATEs that mean something to us by themselves; see appendix A of the
// PostgreSQL manual. Those with PQ are our own.
const (
	stateNoQueue              = "PQ001"
	stateQueueNotEmpty        = "PQ003"
	stateIsolation            = "PQ004"
	stateOtherStore           = "PQ005"
	stateSerializationFailure = "40001"
	stateDeadlock             = "40P01"
	stateUndefinedTable       = "42P01"
	stateDuplicateTable       = "42P07"
	stateUndefinedFunction    = "42883"
	stateUndefinedSchema      = "3F000"
	stateInsufficientRights   = "42501"
	stateUndefinedRole        = "42704"
	stateQueryCanceled        = "57014"
	stateLockNotAvailable     = "55P03"
	stateReadOnly             = "25006"
	stateIdleTimeout          = "57P05"
	stateIdleInTransaction    = "25P03"
	stateTransactionTimeout   = "25P04"
	stateNoStatement          = "26000"
	stateFeatureNotSupported  = "0A000"
	stateInternal             = "XX000"
	stateStatementExists      = "42P05"
)

// noConnectionError: the pool gave no connection in time.
type noConnectionError struct {
	after time.Duration
	cause error
}

func (e *noConnectionError) Error() string {
	return fmt.Sprintf("no connection to the server within %v", e.after)
}

func (e *noConnectionError) Unwrap() error { return e.cause }

// rolledBack says whether the server gave up a transaction for the sake of
// others: a deadlock, or a serialization failure.
func rolledBack(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && (server.Code == stateSerializationFailure || server.Code == stateDeadlock)
}

// pause waits a little before the n-th try, a random time so that those who got
// into each other's way part; not at all before the first, which is 0.
func (b *Backend) pause(ctx context.Context, try int) error {
	if try == 0 {
		return nil
	}
	longest := min(time.Millisecond<<try, 100*time.Millisecond)
	timer := time.NewTimer(rand.N(longest))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// failure makes a *backend.Error of what went wrong in an operation under ctx.
// What is one already, and nil, stay as they are.
func (b *Backend) failure(ctx context.Context, err error, twice repeatable) error {
	var ours *backend.Error
	if err == nil || errors.As(err, &ours) {
		return err
	}
	var server *pgconn.PgError
	var refused *pgconn.ConnectError
	e := &backend.Error{Index: -1, Cause: err}
	// An operation whose answer was lost may have been done, unless nothing of it
	// was sent.
	unsent := pgconn.SafeToRetry(err) || errors.As(err, &refused) || errors.As(err, new(*noConnectionError))
	e.SafeToRetry, e.MaybeCommitted = unsent || bool(twice), !unsent && !bool(twice)
	switch {
	case errors.As(err, &server):
		e.SQLState = server.Code
		e.Message = "the server says: " + server.Message
		b.serverFailure(e, server, refused != nil, unsent)
	case b.closing != nil && b.closing.Err() != nil:
		e.Kind, e.Message, e.SafeToRetry = backend.ErrClosed, "the store was closed", false
	case ctx.Err() != nil:
		e.SafeToRetry = false
		e.Cause = errors.Join(context.Cause(ctx), err)
		e.Message = "the operation was cancelled"
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			e.Kind, e.Message = backend.ErrTimeout, "the operation took longer than it was given"
		}
	case errors.As(err, new(*noAnswerError)):
		e.Kind, e.Message = backend.ErrConnection, "the server did not answer in time, and the connection was given up: "+err.Error()
	case unsent:
		e.Kind, e.Message = backend.ErrConnection, "cannot reach the server: "+err.Error()
	default:
		e.Kind, e.Message = backend.ErrConnection, "the connection to the server was lost: "+err.Error()
	}
	e.Message = b.withoutPassword(e.Message)
	return e
}

// serverFailure fills in what the server's answer means. An error that the server
// reports has rolled everything back, except for FATAL ones and those of class 08, which
// can arrive after a commit: a pooler that loses its server, or is stopped, says so while
// the server goes on. (Poolers do not send the unlocalized severity.)
func (b *Backend) serverFailure(e *backend.Error, server *pgconn.PgError, connecting, unsent bool) {
	severity := cmp.Or(server.SeverityUnlocalized, server.Severity)
	fatal := severity == "FATAL" || severity == "PANIC" || strings.HasPrefix(server.Code, "08")
	if !fatal || connecting {
		e.SafeToRetry, e.MaybeCommitted = false, false
	}
	switch class := server.Code[:min(2, len(server.Code))]; {
	case server.Code == stateNoQueue:
		e.Kind, e.Message = backend.ErrQueueNotFound, server.Message
	case server.Code == stateQueueNotEmpty:
		e.Kind, e.Message = backend.ErrQueueNotEmpty, server.Message
	case rolledBack(server):
		e.SafeToRetry = true
	case server.Code == stateQueryCanceled, server.Code == stateLockNotAvailable:
		e.Kind, e.SafeToRetry = backend.ErrTimeout, true
	case server.Code == stateIdleInTransaction, server.Code == stateTransactionTimeout:
		// FATAL, but it ended a transaction that was open: nothing was done.
		e.Kind, e.SafeToRetry, e.MaybeCommitted = backend.ErrTimeout, true, false
	case server.Code == stateReadOnly: // a standby, or one that is being promoted
		e.Kind, e.SafeToRetry = backend.ErrConnection, true
	case class == "53": // too many connections, no memory, disk full
		e.Kind, e.SafeToRetry = backend.ErrConnection, true
	case class == "57" && (connecting || server.Code == stateIdleTimeout): // starting up, shutting down
		e.Kind, e.SafeToRetry, e.MaybeCommitted = backend.ErrConnection, true, false
	case class == "57", class == "08":
		e.Kind = backend.ErrConnection
	case connecting: // a wrong password, no such database
		e.Kind = backend.ErrConnection
	case server.Code == stateUndefinedTable, server.Code == stateUndefinedFunction:
		e.Kind = backend.ErrConfig
		e.Message = fmt.Sprintf("the schema %q has no pgqrs in it any more (%s): connect again to install it", b.schema, server.Message)
	case server.Code == stateDuplicateTable:
		e.Kind = backend.ErrConfig
		e.Message = fmt.Sprintf("the schema %q has tables that another program has made (%s): choose another schema (docs/migrating.md)", b.schema, server.Message)
	case server.Code == stateInsufficientRights:
		e.Kind = backend.ErrConfig
		e.Message = "the user of the database lacks a right: " + server.Message
	case server.Code == stateUndefinedRole:
		e.Kind = backend.ErrConfig
	case class == "22", class == "23":
		e.Kind = backend.ErrInvalid
	}
}

// withoutPassword is the last line of defence: whatever a server or a library
// wrote, the password is not in it.
func (b *Backend) withoutPassword(message string) string {
	if b.connection == nil || b.connection.Password == "" {
		return message
	}
	return strings.ReplaceAll(message, b.connection.Password, "…")
}

// dsnError tells what is wrong with a DSN that cannot be parsed. Neither the
// DSN nor parts of it are in it, nor the parser's error: where it cannot be
// parsed, no one knows which part is the password.
func dsnError(err error) error {
	e := backend.Errorf(backend.ErrConfig, "the DSN cannot be read: it must be like postgresql://user@host:5432/database, "+
		"with special characters in the password written as %%40 and the like, or a list of key=value")
	var file *fs.PathError
	if errors.As(err, &file) { // a certificate
		e.Message = "the DSN names a file that cannot be read: " + file.Err.Error()
		return e
	}
	var parse *pgconn.ParseConfigError
	if !errors.As(err, &parse) {
		return e
	}
	for _, what := range []string{
		"invalid port", "invalid connect_timeout", "invalid sslcertmode", "failed to read service", "failed to configure TLS",
		"unknown target_session_attrs", "channel_binding", "require_auth", "pool_max_conns", "pool_min_conns", "protocol_version",
	} {
		if strings.Contains(parseReason(parse), what) {
			e.Message = "the DSN cannot be used: " + what
		}
	}
	return e
}

// parseReason is the parser's message without the DSN.
func parseReason(e *pgconn.ParseConfigError) string {
	blank := *e
	blank.ConnString = ""
	return blank.Error()
}
