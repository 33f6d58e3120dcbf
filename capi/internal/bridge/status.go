package bridge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// Status is a status code of pgqrs.h.
type Status int32

// The status codes; pgqrs.h says what they mean.
const (
	StatusOK              Status = 0
	StatusFull            Status = -1
	StatusBadHandle       Status = -2
	StatusBadArgument     Status = -3
	StatusForked          Status = -4
	StatusPoisoned        Status = -5
	StatusNoMemory        Status = -6
	StatusCancelled       Status = -20
	StatusClosed          Status = -21
	StatusConnection      Status = -22
	StatusConfig          Status = -23
	StatusInvalid         Status = -24
	StatusSerialization   Status = -25
	StatusQueueNotFound   Status = -26
	StatusQueueExists     Status = -27
	StatusMessageNotFound Status = -28
	StatusWorkerNotFound  Status = -29
	StatusRateLimited     Status = -30
	StatusStateTransition Status = -31
	StatusTimeout         Status = -32
	StatusInternal        Status = -33
)

// Flags of an error.
const (
	FlagRetryable      uint32 = 1
	FlagMaybeCommitted uint32 = 2
)

// Refusal is why a submit was not accepted: its status, and a sentence for
// pgqrs_last_error. A nil *Refusal means accepted.
type Refusal struct {
	Status  Status
	Message string
}

func refuse(status Status, format string, args ...any) *Refusal {
	return &Refusal{Status: status, Message: fmt.Sprintf(format, args...)}
}

// errOutOfMemory: Memory had none.
var errOutOfMemory = errors.New("out of memory")

// kinds maps the sentinels of the backend, in the order in which they are asked
// for: what is closed is not a mere connection error.
var kinds = []struct {
	kind   error
	status Status
}{
	{errOutOfMemory, StatusNoMemory},
	{backend.ErrClosed, StatusClosed},
	{backend.ErrQueueNotFound, StatusQueueNotFound},
	{backend.ErrQueueExists, StatusQueueExists},
	{backend.ErrQueueNotEmpty, StatusInvalid},
	{backend.ErrMessageNotFound, StatusMessageNotFound},
	{backend.ErrWorkerNotFound, StatusWorkerNotFound},
	{backend.ErrRateLimited, StatusRateLimited},
	{backend.ErrStateTransition, StatusStateTransition},
	{backend.ErrConfig, StatusConfig},
	{backend.ErrInvalid, StatusInvalid},
	{backend.ErrSerialization, StatusSerialization},
	{backend.ErrTimeout, StatusTimeout},
	{backend.ErrConnection, StatusConnection},
	{context.DeadlineExceeded, StatusTimeout},
	{context.Canceled, StatusCancelled},
}

// failure is an error as it crosses the boundary.
type failure struct {
	status   Status
	flags    uint32
	index    int64
	sqlState string
	message  string
	after    time.Duration // of what was rate limited
}

// describe turns an error of the core into a failure. ended is why the operation
// was asked to end, or StatusOK: it says whether a context that ended was
// cancelled or closed.
func describe(err error, ended Status) failure {
	f := failure{status: StatusInternal, index: -1, message: err.Error()}
	var e *backend.Error
	if errors.As(err, &e) {
		f.index, f.sqlState, f.after = int64(e.Index), e.SQLState, e.RetryAfter
		if e.SafeToRetry {
			f.flags |= FlagRetryable
		}
		if e.MaybeCommitted {
			f.flags |= FlagMaybeCommitted
		}
	}
	for _, k := range kinds {
		if errors.Is(err, k.kind) {
			f.status = k.status
			break
		}
	}
	if ended != StatusOK && (f.status == StatusCancelled || f.status == StatusClosed) {
		f.status = ended
	}
	return f
}
