package backend

import (
	"errors"
	"fmt"
	"time"
)

// Sentinel errors; question them with errors.Is.
var (
	ErrQueueNotFound   = errors.New("queue not found")
	ErrQueueExists     = errors.New("queue exists already")
	ErrQueueNotEmpty   = errors.New("the queue has messages")
	ErrMessageNotFound = errors.New("message not found")
	ErrWorkerNotFound  = errors.New("worker not found")
	// ErrRateLimited: more than the rate that was set; Error.RetryAfter says when it
	// may go.
	ErrRateLimited = errors.New("rate limited")
	// ErrStateTransition: the state of the worker, or of the message, does not allow it.
	ErrStateTransition   = errors.New("state transition error")
	ErrListenUnavailable = errors.New("notifications do not come through on this connection")
	ErrClosed            = errors.New("store is closed")
	// ErrConfig: what the user gave to connect is wrong, or the schema is of a
	// version that this library cannot use.
	ErrConfig = errors.New("configuration error")
	// ErrConnection: the server cannot be reached, or the connection broke.
	ErrConnection = errors.New("connection error")
	// ErrTimeout: the operation took longer than it was given.
	ErrTimeout = errors.New("timeout")
	// ErrInvalid: an argument is not acceptable; nothing was done.
	ErrInvalid = errors.New("validation error")
	// ErrSerialization: a payload is not JSON that can be stored exactly.
	ErrSerialization = errors.New("serialization error")
)

// Error says what went wrong in one sentence that a user can act on, and holds
// what a program needs to decide what to do next. Kind is one of the sentinels
// of this package, or nil for an internal error; errors.Is sees it and Cause.
// No Message holds a password.
type Error struct {
	Kind error
	// Message is complete in itself; Cause is not repeated in it by Error.
	Message string
	// SQLState is PostgreSQL's five characters, empty where there are none.
	SQLState string
	// SafeToRetry: nothing was done, or doing it again is the same as once.
	SafeToRetry bool
	// MaybeCommitted: the answer was lost; the operation may have been done.
	MaybeCommitted bool
	// RetryAfter is when a call that was ErrRateLimited may be made again.
	RetryAfter time.Duration
	// Index of the offending element of a batch; -1 where it has none.
	Index int
	Cause error
}

// Error returns Message.
func (e *Error) Error() string { return e.Message }

// Unwrap lets errors.Is and errors.As see Kind and Cause.
func (e *Error) Unwrap() []error {
	var all []error
	if e.Kind != nil {
		all = append(all, e.Kind)
	}
	if e.Cause != nil {
		all = append(all, e.Cause)
	}
	return all
}

// Errorf makes an Error of that kind without an index.
func Errorf(kind error, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...), Index: -1}
}
