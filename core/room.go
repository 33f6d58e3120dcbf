package pgqrs

import (
	"context"
	"sync"
	"time"
)

// room bounds what produce calls hold in memory that is not stored yet: docs/adr/0050-back-pressure.md.
// A call is let in while less than the limit is held, so that one that is larger than
// the limit gets its turn; what is held exceeds the limit by less than one call.
type room struct {
	limit int64

	mu    sync.Mutex
	held  int64
	freed chan struct{} // closed when there is room again; nil: nobody waits
}

// isFree says whether a call may be let in.
func (r *room) isFree() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.held < r.limit
}

// take notes what a call holds.
func (r *room) take(bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held += bytes
}

// give takes that back.
func (r *room) give(bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held -= bytes
	if r.freed != nil && r.held < r.limit {
		close(r.freed)
		r.freed = nil
	}
}

// await takes as soon as a call may be let in. It waits for at most timeout (0: no limit),
// or until ctx or the store ends: then nothing is taken.
func (r *room) await(ctx context.Context, store context.Context, bytes int64, timeout time.Duration) error {
	var late <-chan time.Time
	for {
		r.mu.Lock()
		if r.held < r.limit {
			r.held += bytes
			r.mu.Unlock()
			return nil
		}
		if r.freed == nil {
			r.freed = make(chan struct{})
		}
		freed := r.freed
		r.mu.Unlock()
		if late == nil && timeout > 0 {
			timer := time.NewTimer(timeout)
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-freed:
		case <-late:
			return &Error{
				Kind: ErrTimeout, SafeToRetry: true, Index: -1,
				Message: "nothing was stored: what other calls produced and the server has not taken yet fills max_pending_bytes, and produce_timeout_seconds have passed",
			}
		case <-ctx.Done():
			return contextError(ctx)
		case <-store.Done():
			return errClosed()
		}
	}
}
