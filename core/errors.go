package pgqrs

import (
	"context"
	"errors"

	"github.com/pgqrs/pgqrs/core/backend"
)

// Error is what every failing call returns, in its chain: ask with errors.As.
type Error = backend.Error

// Sentinels of the kinds of errors: ask with errors.Is.
var (
	ErrQueueNotFound   = backend.ErrQueueNotFound
	ErrQueueExists     = backend.ErrQueueExists
	ErrQueueNotEmpty   = backend.ErrQueueNotEmpty
	ErrMessageNotFound = backend.ErrMessageNotFound
	ErrWorkerNotFound  = backend.ErrWorkerNotFound
	ErrStateTransition = backend.ErrStateTransition
	ErrRateLimited     = backend.ErrRateLimited
	ErrClosed          = backend.ErrClosed
	ErrConfig          = backend.ErrConfig
	ErrConnection      = backend.ErrConnection
	ErrTimeout         = backend.ErrTimeout
	ErrInvalid         = backend.ErrInvalid
	ErrSerialization   = backend.ErrSerialization
)

// SafeToRetry says whether the operation that returned err may be called again
// without doing anything twice.
func SafeToRetry(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.SafeToRetry
}

// maybeCommitted says whether the operation may have been done though it failed.
func maybeCommitted(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.MaybeCommitted
}

// transient says whether waiting and asking the server again can help. It says
// nothing on whether the first try was carried out.
func transient(err error) bool {
	return SafeToRetry(err) || maybeCommitted(err) || errors.Is(err, ErrConnection)
}

func errClosed() error { return backend.Errorf(ErrClosed, "the store is closed") }

// errUnknown: the answer was lost, and the server does not know any more whether the
// operation was done.
func errUnknown() error {
	return &Error{
		Kind: ErrConnection, MaybeCommitted: true, Index: -1,
		Message: "the answer was lost with the connection, and the lease has ended since: it may have been done or not",
	}
}

func errInvalid(format string, args ...any) error {
	return backend.Errorf(ErrInvalid, format, args...)
}

// contextError turns the end of ctx into what callers expect: ErrClosed when
// the store ended it, ErrTimeout for a deadline, context.Canceled otherwise.
func contextError(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, context.DeadlineExceeded) {
		return &Error{Kind: ErrTimeout, Message: "the operation took longer than it was given", SafeToRetry: false, Index: -1, Cause: cause}
	}
	return cause
}

// interrupted is contextError of an operation that is on its way.
func interrupted(ctx context.Context) error {
	err := contextError(ctx)
	var e *Error
	if errors.Is(err, ErrTimeout) && errors.As(err, &e) {
		e.MaybeCommitted = true
	}
	return err
}
