package pgqrs

import (
	"context"

	"github.com/pgqrs/pgqrs/core/backend"
)

// MessageFilter says of which live messages to list a page.
type MessageFilter struct {
	Queue string
	State backend.MessageState // empty: ready, delayed or leased
	After int64                // those with higher ids
	Limit int                  // 1 … MaxPage
}

// ListMessages returns live messages of a queue, ordered by id. It leases nothing. The
// last id of a page leads to the next; an empty one is behind the last. Where a state is
// named, a page may take as long as looking at every set of messages of the queue.
func (s *Store) ListMessages(ctx context.Context, f MessageFilter) ([]backend.MessageRecord, error) {
	switch {
	case f.Limit < 1 || f.Limit > MaxPage:
		return nil, errInvalid("limit must be between 1 and %d, not %d", MaxPage, f.Limit)
	case f.After < 0:
		return nil, errInvalid("after must not be negative")
	case f.State != "" && f.State != backend.StateReady && f.State != backend.StateDelayed && f.State != backend.StateLeased:
		return nil, errInvalid("there is no state %q of a live message", f.State)
	}
	q, err := s.GetQueue(ctx, f.Queue)
	if err != nil {
		return nil, err
	}
	return administer(ctx, s, func() ([]backend.MessageRecord, error) {
		return s.backend.MessageList(ctx, &backend.MessageListParams{QueueID: q.ID, State: f.State, After: f.After, Limit: f.Limit})
	})
}

// DeleteMessage deletes a live message by its id, without a trace: cancels it, where it
// is ready or delayed. One that is leased is deleted only with force, since its holder may
// be working on it: else ErrStateTransition. With force its holder settles nothing
// afterwards, though what its handler did stays done. ErrMessageNotFound: there is no such
// message, or it is archived or dead (DeleteDone).
func (s *Store) DeleteMessage(ctx context.Context, id int64, force bool) error {
	return s.seize(ctx, &backend.MessageSeizeParams{ID: id, Delete: true, FromHolder: force})
}

// ReleaseMessage makes a live message ready now, by its id: one that is delayed, or leased
// to whom ever, who settles nothing afterwards. What is ready stays as it is.
// ErrMessageNotFound: there is no such message, or it is archived or dead (ReplayMessage).
func (s *Store) ReleaseMessage(ctx context.Context, id int64) error {
	return s.seize(ctx, &backend.MessageSeizeParams{ID: id, FromHolder: true})
}

// seize deletes or releases a message that is alive, or says why not.
func (s *Store) seize(ctx context.Context, p *backend.MessageSeizeParams) error {
	r, err := administer(ctx, s, func() (*backend.MessageSeizeResult, error) { return s.backend.MessageSeize(ctx, p) })
	switch {
	case err != nil:
		return err
	case !r.Done && r.State == backend.StateLeased:
		return backend.Errorf(ErrStateTransition, "message %d is leased: somebody may be working on it (only with force is it deleted all the same)", p.ID)
	case !r.Done:
		return backend.Errorf(ErrMessageNotFound, "message %d is %s, and not alive", p.ID, r.State)
	case !p.Delete:
		s.waker.produced(r.QueueID)
	}
	return nil
}
