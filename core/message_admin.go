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
